//! The smallest node that keeps the rules, and ones that break them one at a time.
//!
//! A beacon announces itself every ten minutes and passes on what it hears, once per emission. The simulator is tested with
//! it: worlds of beacons must satisfy every judge, and for each rule there is a [`Manner`] that breaks it and must be caught.

use std::collections::{BTreeMap, VecDeque};
use std::marker::PhantomData;

use nexus_crypto::{DestinationHash, IdentitySeed, NameHash, NodeIdentity};
use nexus_machine::{Duration, Instant, Snapshot, Stream, TableId, Ticket, Write};
use nexus_network::{Access, InterfaceId, Profile, Reach};
use nexus_node::{Command, Event, Input, Output};
use nexus_wire::reticulum::announce::{Claim, Occasion};
use nexus_wire::reticulum::{Announce, MTU, Packet, PacketType, Propagation, RandomHash};

use crate::actor::{Actor, Birth};

/// How a beacon behaves.
pub trait Manner {
    /// Which rule it breaks.
    const MISDEED: Option<Misdeed>;
}

/// A rule broken.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Misdeed {
    /// Announces before its emission time is durable.
    SpeaksTooSoon,
    /// Starts again from its wall clock, whatever its disk holds.
    Forgets,
    /// Passes on what does not verify.
    BelievesAnything,
    /// Passes on without counting the hop.
    HidesHops,
    /// Passes on nothing.
    KeepsToItself,
    /// Sends every frame twice, the second time though its interface is not ready.
    Interrupts,
    /// Leaves its deadline in the past.
    NeverRests,
}

/// Breaks no rule.
#[derive(Debug)]
pub struct Honest;

impl Manner for Honest {
    const MISDEED: Option<Misdeed> = None;
}

/// From one announce to the next.
pub const INTERVAL: Duration = Duration::from_secs(600);

const TABLE: TableId = TableId(0);
const KEY: &[u8] = b"emission";

/// A node that announces itself and passes on announces.
#[derive(Debug)]
pub struct Beacon<M> {
    identity: NodeIdentity,
    random: Stream,
    /// Unix seconds at a moment of the monotonic clock.
    wall: Option<(u64, Instant)>,
    last_emission: u64,
    next_announce: Option<Instant>,
    /// The emission that waits for its write.
    waiting: Option<(Ticket, u64)>,
    ticket: Ticket,
    newest: BTreeMap<DestinationHash, u64>,
    ports: BTreeMap<InterfaceId, Port>,
    outputs: VecDeque<Output>,
    manner: PhantomData<M>,
}

#[derive(Debug)]
struct Port {
    profile: Profile,
    ready: bool,
    /// When it listens, on a half-duplex medium.
    backoff: Option<Instant>,
    queue: VecDeque<Vec<u8>>,
}

impl<M: Manner> Actor for Beacon<M> {
    fn address(identity: &[u8; 32]) -> DestinationHash {
        NodeIdentity::from_seed(IdentitySeed::from_bytes(*identity)).node_id().into()
    }

    fn remembers(store: &Snapshot, announce: &Announce<'_>) -> bool {
        remembered(store) >= Some(announce.claim.random_hash.emitted_at())
    }

    fn boot(birth: Birth) -> Self {
        let remembered = if Self::does(Misdeed::Forgets) { None } else { remembered(&birth.snapshot) };
        Self {
            identity: NodeIdentity::from_seed(IdentitySeed::from_bytes(birth.identity)),
            random: birth.seed.fork("beacon"),
            wall: None,
            last_emission: remembered.unwrap_or_default(),
            next_announce: None,
            waiting: None,
            ticket: Ticket(0),
            newest: BTreeMap::new(),
            ports: BTreeMap::new(),
            outputs: VecDeque::new(),
            manner: PhantomData,
        }
    }

    fn handle(&mut self, now: Instant, input: Input) {
        match input {
            Input::Frame { iface, bytes, .. } => self.hear(now, iface, &bytes),
            Input::Up { iface, profile } => {
                self.ports
                    .insert(iface, Port { profile, ready: true, backoff: None, queue: VecDeque::new() });
                // All interfaces come up in the same moment at a start: one announce serves them.
                self.next_announce = Some(now.after(Duration::from_secs(1)));
            }
            Input::Down { iface } => drop(self.ports.remove(&iface)),
            Input::TxReady { iface } => {
                self.ports.entry(iface).and_modify(|port| port.ready = true);
                self.pump(now, iface);
            }
            Input::ChannelBusy { iface } => self.pump(now, iface),
            Input::ChannelClear { iface } => self.send_first(iface),
            Input::Command(Command::Announce) => self.announce(now),
            Input::Persisted { through } => {
                if let Some((_, emission)) = self.waiting.take_if(|(ticket, _)| *ticket <= through) {
                    self.emit(now, emission);
                }
            }
            Input::WallClock { unix_s, .. } => self.wall = Some((unix_s, now)),
            Input::Command(
                Command::Start
                | Command::Dial { .. }
                | Command::Undial { .. }
                | Command::Prefer(_)
                | Command::Policy(_)
                | Command::Price { .. }
                | Command::Weigh { .. }
                | Command::Trust(_)
                | Command::Terms { .. }
                | Command::Channel { .. }
                | Command::Certified { .. }
                | Command::Ledger(_)
                | Command::Shown(_)
                | Command::Save
                | Command::Recognised { .. }
                | Command::ForgetPaths { .. }
                | Command::Cross
                | Command::SayTunnel { .. }
                | Command::AccessCodes { .. }
                | Command::Forget { .. }
                | Command::FindPath { .. }
                | Command::Endpoint(_)
                | Command::Lxmf(_)
                | Command::Send(_),
            )
            | Input::Read { .. }
            | Input::Entropy(_) => {}
        }
    }

    fn handle_timeout(&mut self, now: Instant) {
        if self.next_announce.is_some_and(|at| at <= now) {
            let stays = Self::does(Misdeed::NeverRests);
            self.next_announce = Some(if stays { now } else { now.after(INTERVAL) });
            self.announce(now);
        }
        for (iface, port) in &mut self.ports {
            if port.backoff.take_if(|at| *at <= now).is_some() {
                self.outputs.push_back(Output::Sense { iface: *iface });
            }
        }
    }

    fn next_timeout(&self) -> Option<Instant> {
        self.ports.values().filter_map(|port| port.backoff).chain(self.next_announce).min()
    }

    fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }
}

impl<M: Manner> Beacon<M> {
    fn does(misdeed: Misdeed) -> bool {
        M::MISDEED == Some(misdeed)
    }

    fn own(&self) -> DestinationHash {
        self.identity.node_id().into()
    }

    fn announce(&mut self, now: Instant) {
        if self.waiting.is_some() {
            return;
        }
        let wall = self.wall.map_or(0, |(unix_s, at)| unix_s + now.since(at).as_secs());
        self.last_emission = wall.max(self.last_emission + 1);
        self.ticket = self.ticket.next();
        let promise = Write::set(TABLE, KEY, self.last_emission.to_le_bytes().to_vec());
        self.outputs.push_back(Output::Persist { ticket: self.ticket, writes: vec![promise] });
        if Self::does(Misdeed::SpeaksTooSoon) {
            self.emit(now, self.last_emission);
        } else {
            self.waiting = Some((self.ticket, self.last_emission));
        }
    }

    fn emit(&mut self, now: Instant, emission: u64) {
        let claim = Claim {
            public: *self.identity.as_reticulum().public(),
            name: NameHash::of("nexus.node"),
            random_hash: RandomHash::new(self.random.bytes(), emission),
            ratchet: None,
            app_data: &[],
        };
        let mut buffer = [0; MTU];
        let announce = claim.sign(self.identity.as_reticulum());
        let frame = announce.encode(Occasion::Periodic, &mut buffer).expect("an announce without data fits");
        let frame = frame.to_vec();
        self.outputs.push_back(Output::Event(Event::Announced { emitted_at: emission }));
        let everywhere: Vec<InterfaceId> = self.ports.keys().copied().collect();
        for iface in everywhere {
            self.send(now, iface, frame.clone());
        }
    }

    fn hear(&mut self, now: Instant, iface: InterfaceId, bytes: &[u8]) {
        let Ok(packet) = Packet::decode(bytes) else { return };
        if packet.packet_type != PacketType::Announce {
            return;
        }
        let Ok(announce) = Announce::from_packet(&packet) else { return };
        if !Self::does(Misdeed::BelievesAnything) && announce.verify().is_err() {
            return;
        }
        let emitted_at = announce.claim.random_hash.emitted_at();
        if announce.destination == self.own() {
            if emitted_at > self.last_emission {
                self.last_emission = emitted_at;
                self.waiting = None;
                self.next_announce = Some(now);
            }
            return;
        }
        if self.newest.get(&announce.destination).is_some_and(|newest| *newest >= emitted_at) {
            return;
        }
        self.newest.insert(announce.destination, emitted_at);
        let Some(hops) = packet.hops.counted() else { return };
        let (destination, hops_here) = (announce.destination, hops.get());
        let reached = Event::Reached { destination, emitted_at, hops: hops_here, iface };
        self.outputs.push_back(Output::Event(reached));
        if !Self::does(Misdeed::KeepsToItself) {
            let hops = if Self::does(Misdeed::HidesHops) { packet.hops } else { hops };
            let transport = Some(self.identity.public().hash());
            self.relay(
                now,
                iface,
                &Packet { hops, transport, propagation: Propagation::Transport, ..packet },
            );
        }
    }

    fn relay(&mut self, now: Instant, heard_on: InterfaceId, packet: &Packet<'_>) {
        let mut buffer = [0; 2 * MTU];
        let Ok(frame) = packet.encode(&mut buffer) else { return };
        let frame = frame.to_vec();
        let cable = |port: &Port| port.profile.reach == Reach::PointToPoint;
        let onward: Vec<InterfaceId> = self
            .ports
            .iter()
            .filter(|(iface, port)| **iface != heard_on || !cable(port))
            .map(|(iface, _)| *iface)
            .collect();
        for iface in onward {
            self.send(now, iface, frame.clone());
        }
    }

    fn send(&mut self, now: Instant, iface: InterfaceId, frame: Vec<u8>) {
        let Some(port) = self.ports.get_mut(&iface) else { return };
        if frame.len() > usize::from(port.profile.frame_size) {
            return;
        }
        port.queue.push_back(frame);
        self.pump(now, iface);
    }

    /// Sends what waits for `iface`, if it is ready; on a half-duplex medium, listens first, and not when everybody does.
    fn pump(&mut self, now: Instant, iface: InterfaceId) {
        let Some(port) = self.ports.get_mut(&iface) else { return };
        if !port.ready || port.backoff.is_some() || port.queue.is_empty() {
            return;
        }
        match port.profile.access {
            Access::Direct => self.send_first(iface),
            Access::ListenBeforeTalk { slot } => {
                let wait = Duration::from_micros(1 + self.random.below(slot.times(8).as_micros()));
                port.backoff = Some(now.after(wait));
            }
        }
    }

    fn send_first(&mut self, iface: InterfaceId) {
        let Some(port) = self.ports.get_mut(&iface) else { return };
        if port.ready
            && let Some(bytes) = port.queue.pop_front()
        {
            port.ready = false;
            if Self::does(Misdeed::Interrupts) {
                self.outputs.push_back(Output::Transmit { iface, to: None, bytes: bytes.clone() });
            }
            self.outputs.push_back(Output::Transmit { iface, to: None, bytes });
        }
    }
}

/// The last emission time that a store holds.
fn remembered(store: &Snapshot) -> Option<u64> {
    store.get(TABLE, KEY)?.try_into().ok().map(u64::from_le_bytes)
}
