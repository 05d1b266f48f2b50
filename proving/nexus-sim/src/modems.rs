//! Radio channels: a virtual RNode for each node of a medium on one air, and the machine by which its host drives it.
//!
//! Every frame goes the whole way: the host's machine, the bytes of its port, the modem's firmware, the air, and back.
//! Ports are fast: bytes arrive in the moment in which they are written. Spec: spec/simulation.md#radios.

use std::collections::VecDeque;

use nexus_air::rnode::Counters;
use nexus_air::{Fleet, Hearing, Model, Outcome, RadioId, Recording, Transmission};
use nexus_machine::{Cx, Instant, Machine as _, Seed};
use nexus_network::Profile;
use nexus_network::rnode::{Effect, Input, Rnode, Settings};

use crate::clock::WorldTime;
use crate::observation::Damage;
use crate::schedule::LinkFaults;

/// Modems that tell nothing of themselves that nobody asked for: statistics once a second would be most of what happens.
const MODEL: Model = Model { statistics: None, ..Model::ESP32 };
/// More than can end between two looks at the air.
const RECORDED: usize = 1_024;

/// The modems of one channel, in the order of its nodes, which are called ports here.
#[derive(Debug)]
pub struct Modems {
    settings: Settings,
    fleet: Fleet,
    ports: Vec<Port>,
    said: VecDeque<(usize, Said)>,
}

#[derive(Debug)]
struct Port {
    /// The host's machine, while the host runs.
    host: Option<Rnode>,
    power: Power,
    /// What the modem had counted when it was last looked at.
    counted: Counters,
}

/// Whether a modem is plugged in.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Power {
    On,
    Off,
}

/// What a modem and its driver have to say to a node.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Said {
    /// The radio is on.
    Up(Profile),
    /// It is not any more.
    Down,
    /// A frame arrived.
    Heard(Vec<u8>),
    /// Another frame may be sent.
    Ready,
    /// Something happened in the modem to what it received.
    Marred(Damage),
}

impl Modems {
    /// Modems for so many ports, each plugged in, with no host.
    #[must_use]
    pub fn new(settings: Settings, ports: usize, seed: &Seed) -> Self {
        let radios = u16::try_from(ports).expect("a channel has fewer than 2¹⁶ radios");
        let port = || Port { host: None, power: Power::On, counted: Counters::default() };
        Self {
            settings,
            fleet: Fleet::new(Hearing::everybody(radios), &[MODEL], Recording::Last(RECORDED), seed),
            ports: std::iter::repeat_with(port).take(ports).collect(),
            said: VecDeque::new(),
        }
    }

    /// A host starts, and finds its modem as the last one left it.
    pub fn start(&mut self, now: WorldTime, port: usize) {
        self.advance(now);
        let mut host = Rnode::new(self.settings);
        let mut effects = VecDeque::new();
        if self.ports[port].power == Power::On {
            host.handle(Cx::at(instant(now)), Input::Plugged, &mut effects);
        }
        self.ports[port].host = Some(host);
        self.act(now, port, effects);
        self.settle(now);
    }

    /// A host stops, without a word to its modem, which goes on.
    pub fn stop(&mut self, now: WorldTime, port: usize) {
        self.advance(now);
        self.ports[port].host = None;
    }

    /// A modem is plugged in, or loses its power.
    pub fn plug(&mut self, now: WorldTime, port: usize) {
        self.ports[port].power = Power::On;
        self.tell(now, port, Input::Plugged);
    }

    /// A modem loses its power and all that was in it.
    pub fn unplug(&mut self, now: WorldTime, port: usize) {
        self.advance(now);
        self.fleet.restart(instant(now), radio(port), MODEL);
        let state = &mut self.ports[port];
        (state.power, state.counted) = (Power::Off, Counters::default());
        self.tell(now, port, Input::Unplugged);
    }

    /// A node's host has a frame to send.
    pub fn transmit(&mut self, now: WorldTime, port: usize, bytes: Vec<u8>) {
        self.tell(now, port, Input::Transmit(bytes));
    }

    /// What the air loses, and what modems hand over with bits flipped.
    pub fn set_faults(&mut self, faults: LinkFaults) {
        let faults = nexus_air::Faults { loss_ppm: faults.loss_ppm, corrupt_ppm: faults.corrupt_ppm };
        for port in 0..self.ports.len() {
            self.fleet.air().set_faults(radio(port), faults);
        }
    }

    /// From here on the second of two ports hears the first if `hears` says so.
    pub fn set_hearing(&mut self, now: WorldTime, hears: impl Fn(usize, usize) -> bool) {
        let ports = self.ports.len();
        self.fleet.change_hearing(instant(now), |hearing| {
            for (from, to) in (0..ports).flat_map(|from| (0..ports).map(move |to| (from, to))) {
                let direction =
                    if hears(from, to) { nexus_air::Direction::Open } else { nexus_air::Direction::Shut };
                hearing.direct(radio(from), radio(to), direction);
            }
        });
        self.settle(now);
    }

    /// Does what is due.
    pub fn advance(&mut self, now: WorldTime) {
        self.fleet.advance(instant(now));
        self.settle(now);
    }

    /// When something is due.
    #[must_use]
    pub fn next_due(&self) -> Option<WorldTime> {
        let hosts = self.ports.iter().filter_map(|port| port.host.as_ref()?.next_timeout()).min();
        let due = [self.fleet.next_event(), hosts].into_iter().flatten().min()?;
        (due < Instant::NEVER).then(|| WorldTime::START.after(due.since(Instant::BOOT)))
    }

    /// What was said since this was last asked, in order, by port.
    pub fn take_said(&mut self) -> VecDeque<(usize, Said)> {
        std::mem::take(&mut self.said)
    }

    /// The transmissions that ended since this was last asked.
    pub fn take_transmissions(&mut self) -> Vec<Transmission> {
        assert_eq!(self.fleet.air().forgotten_transmissions(), 0, "the record is read in time");
        self.fleet.air().take_transmissions()
    }

    fn tell(&mut self, now: WorldTime, port: usize, input: Input) {
        self.advance(now);
        let mut effects = VecDeque::new();
        if let Some(host) = &mut self.ports[port].host {
            host.handle(Cx::at(instant(now)), input, &mut effects);
        }
        self.act(now, port, effects);
        self.settle(now);
    }

    fn act(&mut self, now: WorldTime, port: usize, effects: VecDeque<Effect>) {
        for effect in effects {
            let said = match effect {
                Effect::Write(bytes) => {
                    if self.ports[port].power == Power::On {
                        self.fleet.hear(instant(now), radio(port), &bytes);
                    }
                    continue;
                }
                Effect::Up(profile) => Said::Up(profile),
                Effect::Down => Said::Down,
                Effect::Received { frame, signal: _ } => Said::Heard(frame),
                // A frame that the modem did not take is lost as on any medium.
                Effect::Sent | Effect::Lost => Said::Ready,
                Effect::Condition(_) | Effect::Measured => continue,
            };
            self.said.push_back((port, said));
        }
    }

    /// Carries bytes and wakes hosts until nobody has anything to say at this moment.
    fn settle(&mut self, now: WorldTime) {
        let cx = Cx::at(instant(now));
        loop {
            let mut quiet = true;
            for port in 0..self.ports.len() {
                let mut effects = VecDeque::new();
                let bytes = self.fleet.rnode(radio(port)).output().to_vec();
                self.look(port);
                self.fleet.taken(radio(port), bytes.len());
                if let Some(host) = &mut self.ports[port].host {
                    if !bytes.is_empty() {
                        host.handle(cx, Input::Bytes(bytes), &mut effects);
                    }
                    if host.next_timeout().is_some_and(|due| due <= cx.now) {
                        host.handle_timeout(cx, &mut effects);
                    }
                }
                quiet &= effects.is_empty();
                self.act(now, port, effects);
            }
            if quiet {
                return;
            }
        }
    }

    /// Takes note of what a modem counted.
    fn look(&mut self, port: usize) {
        let counters = self.fleet.rnode(radio(port)).counters();
        let state = &mut self.ports[port];
        let before = std::mem::replace(&mut state.counted, counters);
        let unheard =
            if state.host.is_none() { counters.received.saturating_sub(before.received) } else { 0 };
        let happened = [
            (Damage::Displaced, counters.displaced.saturating_sub(before.displaced)),
            (Damage::Corrupted, counters.corrupted.saturating_sub(before.corrupted)),
            (Damage::Unheard, unheard),
        ];
        for (damage, times) in happened {
            self.said.extend((0..times).map(|_| (port, Said::Marred(damage))));
        }
    }
}

/// What an observer calls what became of a transmission; nothing for one that was received.
#[must_use]
pub const fn damage(outcome: Outcome) -> Option<Damage> {
    match outcome {
        Outcome::Received => None,
        Outcome::Collided => Some(Damage::Collided),
        Outcome::Deaf => Some(Damage::Deaf),
        Outcome::Lost => Some(Damage::Lost),
        Outcome::CutOff => Some(Damage::BrokenOff),
    }
}

fn instant(time: WorldTime) -> Instant {
    Instant::from_micros(time.as_micros())
}

fn radio(port: usize) -> RadioId {
    RadioId(u16::try_from(port).expect("a port of this channel"))
}
