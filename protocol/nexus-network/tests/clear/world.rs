//! Relays and stock endpoints joined by cables, in memory and in virtual time.

use std::collections::VecDeque;

use nexus_crypto::IdentitySeed;
use nexus_machine::{Cx, Duration, Instant, Machine as _, Seed, Snapshot, Write};
pub(crate) use nexus_network::Profile;
use nexus_network::layer::{self, Network};
use nexus_network::{
    Access, AppData, DutyCycle, Effect, Input, InterfaceId, Mode, Reach, Timing, carried, forwarding,
};

use crate::endpoint::Endpoint;

/// One end of a cable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// A stock endpoint.
    Stock(usize),
    /// An interface of a relay.
    Relay(usize, InterfaceId),
}

/// A relay, and what it made durable.
pub(crate) struct Relay {
    pub(crate) layer: Network,
    pub(crate) disk: Vec<Write>,
    seed: u8,
}

/// Everything.
pub(crate) struct World {
    pub(crate) now: Instant,
    pub(crate) relays: Vec<Relay>,
    pub(crate) stock: Vec<Endpoint>,
    cables: Vec<([End; 2], Profile)>,
    /// Interfaces that are Reticulum links.
    carriers: Vec<End>,
    emissions: u64,
}

/// A cable in clear.
pub(crate) const CLEAR: Profile = Profile {
    mode: Mode::Reticulum,
    reach: Reach::PointToPoint,
    access: Access::Direct,
    bandwidth_bps: 10_000_000,
    frame_size: 8_192,
    timing: Timing::Rate,
    duty: DutyCycle::UNLIMITED,
    sub_band: None,
    overhead: 0,
    price: 0,
    role: nexus_network::Role::Full,
    gravity: 0,
};
/// A cable on which relays link.
pub(crate) const LINKED: Profile = Profile { mode: Mode::Nexus, frame_size: 1_064, ..CLEAR };

impl World {
    pub(crate) fn new(relays: u8, stock: u8) -> Self {
        Self {
            now: Instant::BOOT,
            relays: (1..=relays)
                .map(|n| Relay { layer: network(n, &Snapshot::empty()), disk: Vec::new(), seed: n })
                .collect(),
            stock: (1..=stock).map(|n| Endpoint::new(100 + n)).collect(),
            cables: Vec::new(),
            carriers: Vec::new(),
            emissions: 0,
        }
    }

    /// A line of relays, linked with each other, with a stock endpoint in clear at either end; each knows the other.
    pub(crate) fn line(relays: u8) -> Self {
        let mut behind = vec![LINKED; usize::from(relays)];
        behind[usize::from(relays) - 1] = CLEAR;
        Self::line_over(&behind)
    }

    /// The same, of a relay before each of these media.
    pub(crate) fn line_over(behind: &[Profile]) -> Self {
        let relays = u8::try_from(behind.len()).expect("few relays");
        let mut world = Self::new(relays, 2);
        world.join(End::Stock(0), End::Relay(0, InterfaceId(0)), CLEAR);
        for (n, medium) in behind.iter().enumerate() {
            let next = if n + 1 < behind.len() { End::Relay(n + 1, InterfaceId(0)) } else { End::Stock(1) };
            world.join(End::Relay(n, InterfaceId(1)), next, *medium);
        }
        world.meet();
        world
    }

    /// A relay is stopped, and starts again from what was durable.
    pub(crate) fn restart(&mut self, n: usize) {
        let mut snapshot = Snapshot::empty();
        self.relays[n].disk.iter().cloned().for_each(|write| snapshot.apply(write));
        self.relays[n].layer = network(self.relays[n].seed, &snapshot);
        let is_its = |end: &End| matches!(end, End::Relay(relay, _) if *relay == n);
        for (ends, profile) in self.cables.clone() {
            for end in ends {
                // Whoever is at the other end notices.
                if let (true, End::Relay(relay, iface)) = (ends.iter().any(is_its), end) {
                    self.tell(relay, Input::Down(iface));
                    self.tell(relay, Input::Up(iface, profile));
                }
            }
        }
    }

    /// Links come up, and both of the first two endpoints hear of each other.
    pub(crate) fn meet(&mut self) {
        self.run(Duration::from_secs(5));
        self.emissions += 1;
        for n in 0..2 {
            let announce = self.stock[n].announce(self.emissions);
            let frame = self.stock[n].frame_of(announce);
            self.say(n, frame);
        }
        self.run(Duration::from_secs(20));
    }

    pub(crate) fn join(&mut self, one: End, other: End, profile: Profile) {
        self.cables.push(([one, other], profile));
        for end in [one, other] {
            if let End::Relay(n, iface) = end {
                self.tell(n, Input::Up(iface, profile));
            }
        }
    }

    /// A Reticulum link between two relays, as these interfaces of theirs.
    pub(crate) fn carry(&mut self, ends: [(usize, InterfaceId); 2], profile: Profile) {
        let [one, other] = ends.map(|(n, iface)| End::Relay(n, iface));
        self.cables.push(([one, other], profile));
        self.carriers.extend([one, other]);
        for ((n, iface), (far, _)) in [(ends[0], ends[1]), (ends[1], ends[0])] {
            let peer = *self.identity(far).public();
            self.tell(n, Input::Carry { iface, profile, peer });
        }
    }

    pub(crate) fn identity(&self, n: usize) -> nexus_crypto::NodeIdentity {
        nexus_crypto::NodeIdentity::from_seed(IdentitySeed::from_bytes([self.relays[n].seed; 32]))
    }

    /// A stock endpoint puts a frame on its cable.
    pub(crate) fn say(&mut self, n: usize, frame: Vec<u8>) {
        self.arrive(End::Stock(n), frame);
    }

    /// The transport id of a relay.
    pub(crate) fn transport(&self, n: usize) -> nexus_crypto::IdentityHash {
        self.identity(n).public().hash()
    }

    /// What was dropped at a relay.
    pub(crate) fn drops(&self, n: usize) -> forwarding::Drops {
        *self.relays[n].layer.forwarding().drops()
    }

    pub(crate) fn run(&mut self, time: Duration) {
        let until = self.now.after(time);
        loop {
            let due = |relay: &Relay| relay.layer.next_timeout();
            let next = self.relays.iter().filter_map(due).min().filter(|at| *at <= until);
            self.now = next.unwrap_or(until).max(self.now);
            if next.is_none() {
                return;
            }
            for n in 0..self.relays.len() {
                if due(&self.relays[n]).is_some_and(|at| at <= self.now) {
                    let mut effects = VecDeque::new();
                    self.relays[n].layer.handle_timeout(Cx::at(self.now), &mut effects);
                    self.carry_out(n, effects);
                }
            }
        }
    }

    pub(crate) fn tell(&mut self, n: usize, input: Input) {
        let mut effects = VecDeque::new();
        self.relays[n].layer.handle(Cx::at(self.now), input, &mut effects);
        self.carry_out(n, effects);
    }

    fn carry_out(&mut self, n: usize, mut effects: VecDeque<Effect>) {
        while let Some(effect) = effects.pop_front() {
            match effect {
                Effect::Transmit(frame) => {
                    self.tell(n, Input::TxReady(frame.iface));
                    let end = End::Relay(n, frame.iface);
                    let is_carried = self.carriers.contains(&end);
                    self.arrive(end, if is_carried { carried(frame.bytes) } else { frame.bytes });
                }
                Effect::Write { by, number: through, write } => {
                    self.relays[n].disk.push(write);
                    self.tell(n, Input::Durable { by, through });
                }
                Effect::EntropyWanted => self.tell(n, Input::Entropy([7; 32])),
                Effect::Sense(iface) => self.tell(n, Input::ChannelClear(iface)),
                Effect::Jammed(_)
                | Effect::Reached(_)
                | Effect::Announced { .. }
                | Effect::Probe { .. }
                | Effect::PathFound { .. }
                | Effect::PathNotFound { .. }
                | Effect::OfMoney { .. }
                | Effect::Store(_)
                | Effect::Key(_)
                | Effect::Counted { .. }
                | Effect::ChannelWanted(_)
                | Effect::LinkUp(_)
                | Effect::LinkDown { .. }
                | Effect::Arrived { .. }
                | Effect::Originated { .. } => {}
            }
        }
    }

    /// A frame leaves one end of a cable, and arrives at the other.
    fn arrive(&mut self, from: End, frame: Vec<u8>) {
        let other = self.cables.iter().find_map(|([one, other], _)| {
            if *one == from {
                Some(*other)
            } else if *other == from {
                Some(*one)
            } else {
                None
            }
        });
        match other {
            Some(End::Stock(n)) => self.stock[n].heard.push(frame),
            Some(End::Relay(n, iface)) => self.tell(n, Input::Frame { iface, from: None, bytes: frame }),
            None => {}
        }
    }
}

fn network(n: u8, snapshot: &Snapshot) -> Network {
    let identity = IdentitySeed::from_bytes([n; 32]);
    Network::new(&identity, AppData::default(), layer::Limits::default(), snapshot, &Seed::new([n; 32]))
}
