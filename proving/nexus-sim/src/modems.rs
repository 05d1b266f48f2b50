//! Radio channels: a virtual RNode for each node of a medium on one air, and the machine by which its host drives it.
//!
//! Every frame goes the whole way: the host's machine, the bytes of its port, the modem's firmware, the air, and back.
//! Ports are fast: bytes arrive in the moment in which they are written. Spec: spec/simulation.md#radios.

use std::collections::{BTreeSet, VecDeque};

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
    /// By port.
    settings: Vec<Settings>,
    fleet: Fleet,
    ports: Vec<Port>,
    /// When hosts want to be woken, by port: one entry for each that does.
    alarms: BTreeSet<(Instant, usize)>,
    said: VecDeque<(usize, Said)>,
}

#[derive(Debug)]
struct Port {
    /// The host's machine, while the host runs.
    host: Option<Rnode>,
    /// The host's entry among the alarms.
    alarm: Option<Instant>,
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
    /// A modem for each radio of `hearing`, plugged in, with no host; hosts set them up so.
    #[must_use]
    pub fn new(settings: Vec<Settings>, hearing: Hearing, seed: &Seed) -> Self {
        let ports = settings.len();
        let port = || Port { host: None, alarm: None, power: Power::On, counted: Counters::default() };
        Self {
            settings,
            fleet: Fleet::new(hearing, &[MODEL], Recording::Last(RECORDED), seed),
            ports: std::iter::repeat_with(port).take(ports).collect(),
            alarms: BTreeSet::new(),
            said: VecDeque::new(),
        }
    }

    /// Gives every modem a crystal of its own, some fast and some slow.
    pub fn set_clocks(&mut self, seed: &Seed) {
        self.fleet.set_clocks(seed);
    }

    /// A host starts, and finds its modem as the last one left it.
    pub fn start(&mut self, now: WorldTime, port: usize) {
        self.advance(now);
        let mut host = Rnode::new(self.settings[port]);
        let mut effects = VecDeque::new();
        if self.ports[port].power == Power::On {
            host.handle(Cx::at(instant(now)), Input::Plugged, &mut effects);
        }
        self.ports[port].host = Some(host);
        self.arm(port);
        self.act(now, port, effects);
        self.settle(now);
    }

    /// A host stops, without a word to its modem, which goes on.
    pub fn stop(&mut self, now: WorldTime, port: usize) {
        self.advance(now);
        self.ports[port].host = None;
        self.arm(port);
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

    /// How many frames a modem has that are not on the air yet.
    #[must_use]
    pub fn waiting(&self, port: usize) -> usize {
        self.fleet.rnode(radio(port)).waiting()
    }

    /// Does what is due.
    pub fn advance(&mut self, now: WorldTime) {
        self.fleet.advance(instant(now));
        self.settle(now);
    }

    /// When something is due.
    #[must_use]
    pub fn next_due(&self) -> Option<WorldTime> {
        let hosts = self.alarms.first().map(|(due, _)| *due);
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
        self.arm(port);
        self.act(now, port, effects);
        self.settle(now);
    }

    /// Keeps the alarm of a port's host right.
    fn arm(&mut self, port: usize) {
        let state = &mut self.ports[port];
        let due = state.host.as_ref().and_then(Rnode::next_timeout);
        if due != state.alarm {
            self.alarms.extend(due.map(|due| (due, port)));
            if let Some(before) = std::mem::replace(&mut state.alarm, due) {
                self.alarms.remove(&(before, port));
            }
        }
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
            let stirred = self.fleet.take_stirred();
            let due = self.alarms.iter().take_while(|(due, _)| *due <= cx.now).map(|(_, port)| *port);
            let ports: BTreeSet<usize> =
                stirred.iter().map(|radio| usize::from(radio.0)).chain(due).collect();
            if ports.is_empty() {
                return;
            }
            for port in ports {
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
                    self.arm(port);
                }
                self.act(now, port, effects);
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
        Outcome::Deaf | Outcome::Locked => Some(Damage::Deaf),
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layout::Layout;
    use nexus_machine::Duration;
    use nexus_network::Mode;
    use nexus_network::lora::Modulation;

    const LONG: usize = 508;

    /// Two modems that are set up.
    fn pair() -> (Modems, WorldTime) {
        let layout = Layout::lora(Modulation::new(125_000, 8, 5).unwrap(), 2);
        let settings = Settings { mode: Mode::Nexus, channel: layout.media[0].modems };
        let mut modems = Modems::new(vec![settings; 2], Hearing::everybody(2), &Seed::new([3; 32]));
        (0..2).for_each(|port| modems.start(WorldTime::START, port));
        let now = run(&mut modems, WorldTime::START, Duration::from_secs(5));
        let up: Vec<usize> = modems.take_said().into_iter().map(|(port, _)| port).collect();
        assert_eq!(up, [0, 1], "both are up and nothing else was said");
        (modems, now)
    }

    /// Runs for so long.
    fn run(modems: &mut Modems, from: WorldTime, span: Duration) -> WorldTime {
        let until = from.after(span);
        while let Some(due) = modems.next_due().filter(|due| *due <= until) {
            modems.advance(due);
        }
        until
    }

    fn said(modems: &mut Modems) -> Vec<(usize, Said)> {
        modems.take_said().into()
    }

    /// Runs until a signal is on the air.
    fn run_into_a_transmission(modems: &mut Modems, mut now: WorldTime) -> WorldTime {
        while !modems.fleet.air().is_busy(instant(now), radio(1)) {
            now = modems.next_due().expect("a frame waits for the channel");
            modems.advance(now);
        }
        now
    }

    #[test]
    fn the_longest_frame_goes_in_two_halves_and_arrives_whole() {
        let (mut modems, now) = pair();
        modems.transmit(now, 0, vec![7; LONG]);
        run(&mut modems, now, Duration::from_secs(10));
        assert_eq!(said(&mut modems), [(0, Said::Ready), (1, Said::Heard(vec![7; LONG]))]);
        let lengths: Vec<usize> = modems.take_transmissions().iter().map(|sent| sent.bytes.len()).collect();
        assert_eq!(lengths, [255, 255]);
    }

    #[test]
    fn a_modem_sends_what_it_has_when_its_host_is_gone_and_hears_for_nobody() {
        let (mut modems, now) = pair();
        modems.transmit(now, 0, vec![7; 20]);
        modems.stop(now, 0);
        let now = run(&mut modems, now, Duration::from_secs(10));
        assert_eq!(said(&mut modems), [(1, Said::Heard(vec![7; 20]))]);
        modems.transmit(now, 1, vec![8; 20]);
        run(&mut modems, now, Duration::from_secs(10));
        assert_eq!(said(&mut modems), [(0, Said::Marred(Damage::Unheard)), (1, Said::Ready)]);
    }

    #[test]
    fn a_modem_that_loses_its_power_breaks_off_and_is_set_up_again() {
        let (mut modems, now) = pair();
        modems.transmit(now, 0, vec![7; 200]);
        let now = run_into_a_transmission(&mut modems, now);
        modems.unplug(now.after(Duration::from_millis(50)), 0);
        let now = run(&mut modems, now, Duration::from_secs(10));
        assert_eq!(said(&mut modems), [(0, Said::Down)]);
        let outcomes: Vec<Outcome> =
            modems.take_transmissions().iter().map(|sent| sent.receptions[0].outcome).collect();
        assert_eq!(outcomes, [Outcome::CutOff]);
        modems.plug(now, 0);
        run(&mut modems, now, Duration::from_secs(10));
        assert!(matches!(said(&mut modems)[..], [(0, Said::Up(_))]));
    }

    #[test]
    fn a_direction_that_is_shut_carries_nothing_and_keeps_nobody_waiting() {
        let (mut modems, now) = pair();
        modems.transmit(now, 0, vec![7; 200]);
        let now = run_into_a_transmission(&mut modems, now);
        modems.transmit(now, 1, vec![8; 20]);
        modems.set_hearing(now, |_, _| false);
        run(&mut modems, now, Duration::from_secs(10));
        let mut said = said(&mut modems);
        said.sort_unstable_by_key(|(port, _)| *port);
        assert_eq!(said, [(0, Said::Ready), (1, Said::Ready)], "both left, and neither was heard");
    }
}
