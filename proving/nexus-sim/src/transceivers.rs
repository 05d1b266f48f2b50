//! Radio channels of bare transceivers: chips that transmit at once, receive, and say on demand whether somebody is on the channel.
//!
//! Nothing but the node's own core listens before it talks, and nothing queues for it. Frames go over the air as an RNode's do, so that both
//! kinds understand each other. Spec: spec/simulation.md#transceivers.

use std::collections::VecDeque;

use nexus_air::air::BurstState;
use nexus_air::rnode::split::{self, Reassembly};
use nexus_air::{Air, Clock, Direction, Event, Hearing, Outcome, RadioId, Recording, Transmission};
use nexus_machine::{Duration, Instant, Seed, Stream};
use nexus_network::lora::Modulation;
use nexus_network::{Profile, region};
use nexus_wire::reticulum::rnode::Hertz;

use crate::clock::WorldTime;
use crate::modems::Said;
use crate::observation::Damage;
use crate::radios::Radios;
use crate::schedule::LinkFaults;

/// Symbols for which a transceiver listens before it says whether the channel is busy. Semtech AN1200.48 measures two to four.
const LISTENING_SYMBOLS: u64 = 4;
/// More than can end between two looks at the air.
const RECORDED: usize = 1_024;

/// How long listening takes.
#[must_use]
pub fn listening(modulation: Modulation) -> Duration {
    modulation.symbol().times(LISTENING_SYMBOLS)
}

/// The transceivers of one channel, in the order of its nodes.
#[derive(Debug)]
pub struct Transceivers {
    profile: Profile,
    /// By port.
    channels: Vec<nexus_air::Channel>,
    air: Air,
    ports: Vec<Port>,
    said: VecDeque<(usize, Said)>,
}

#[derive(Debug)]
struct Port {
    host: Host,
    power: Power,
    reassembly: Reassembly,
    /// How many first halves others pushed out when it was last looked at.
    displaced: u32,
    random: Stream,
}

/// Whether the node of a transceiver runs.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Host {
    Runs,
    Stopped,
}

/// Whether a transceiver has power.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Power {
    On,
    Off,
}

impl Transceivers {
    /// A transceiver for each radio of `hearing`, with power, with no host; they are tuned so.
    #[must_use]
    pub fn new(profile: Profile, channels: &[region::Channel], hearing: Hearing, seed: &Seed) -> Self {
        let port = |number| Port {
            host: Host::Stopped,
            power: Power::On,
            reassembly: Reassembly::default(),
            displaced: 0,
            random: seed.fork_index("radio", number).fork("split"),
        };
        Self {
            profile,
            channels: channels.iter().copied().map(tuned).collect(),
            air: Air::new(hearing, Recording::Last(RECORDED), seed),
            ports: (0..).take(channels.len()).map(port).collect(),
            said: VecDeque::new(),
        }
    }

    /// Gives every transceiver a crystal of its own.
    pub fn set_clocks(&mut self, seed: &Seed) {
        for port in 0..self.ports.len() {
            self.air.set_clock(radio(port), Clock::of(seed, radio(port)));
        }
    }

    /// Tunes a radio that has power and a host; one without either falls silent.
    fn tune(&mut self, now: WorldTime, port: usize) {
        let state = &mut self.ports[port];
        let on = state.host == Host::Runs && state.power == Power::On;
        (state.reassembly, state.displaced) = (Reassembly::default(), 0);
        self.air.tune(instant(now), radio(port), on.then_some(self.channels[port]));
        if on {
            self.said.push_back((port, Said::Up(self.profile)));
        }
    }

    fn ended(&mut self, transmission: &Transmission, burst: BurstState) {
        for reception in transmission.receptions.iter().filter(|that| that.outcome == Outcome::Received) {
            let port = usize::from(reception.radio.0);
            let state = &mut self.ports[port];
            let packet = state.reassembly.take(&transmission.bytes);
            let displaced = state.reassembly.displaced();
            let lost = displaced.saturating_sub(std::mem::replace(&mut state.displaced, displaced));
            self.said.extend((0..lost).map(|_| (port, Said::Marred(Damage::Displaced))));
            self.said.extend(packet.map(|packet| (port, Said::Heard(packet))));
        }
        let sender = usize::from(transmission.sender.0);
        let state = &self.ports[sender];
        // Whoever broke off has no host, or no power, that would want to know.
        if burst == BurstState::Over && state.host == Host::Runs && state.power == Power::On {
            self.said.push_back((sender, Said::Ready));
        }
    }
}

impl Radios for Transceivers {
    fn start(&mut self, now: WorldTime, port: usize) {
        self.advance(now);
        self.ports[port].host = Host::Runs;
        self.tune(now, port);
    }

    /// A transceiver does nothing without its host: what it was sending breaks off.
    fn stop(&mut self, now: WorldTime, port: usize) {
        self.advance(now);
        self.ports[port].host = Host::Stopped;
        self.tune(now, port);
    }

    fn plug(&mut self, now: WorldTime, port: usize) {
        self.advance(now);
        self.ports[port].power = Power::On;
        self.tune(now, port);
    }

    fn unplug(&mut self, now: WorldTime, port: usize) {
        self.advance(now);
        self.ports[port].power = Power::Off;
        self.tune(now, port);
        if self.ports[port].host == Host::Runs {
            self.said.push_back((port, Said::Down));
        }
    }

    fn transmit(&mut self, now: WorldTime, port: usize, bytes: Vec<u8>) {
        self.advance(now);
        let burst = split::burst(&bytes, &mut self.ports[port].random);
        if self.air.transmit(instant(now), radio(port), burst).is_err() {
            // It has no power, or is still transmitting: the frame is lost as on any medium.
            self.said.push_back((port, Said::Ready));
        }
    }

    fn is_busy(&mut self, now: WorldTime, port: usize) -> bool {
        self.advance(now);
        self.air.is_busy(instant(now), radio(port))
    }

    /// Bits flip between transceiver and node.
    fn set_faults(&mut self, faults: LinkFaults) {
        let faults = nexus_air::Faults { loss_ppm: faults.loss_ppm, corrupt_ppm: 0 };
        (0..self.ports.len()).for_each(|port| self.air.set_faults(radio(port), faults));
    }

    fn set_hearing(&mut self, now: WorldTime, hears: &dyn Fn(usize, usize) -> bool) {
        self.advance(now);
        let ports = self.ports.len();
        for (from, to) in (0..ports).flat_map(|from| (0..ports).map(move |to| (from, to))) {
            let direction = if hears(from, to) { Direction::Open } else { Direction::Shut };
            self.air.hearing().direct(radio(from), radio(to), direction);
        }
    }

    fn advance(&mut self, now: WorldTime) {
        while let Some(event) = self.air.take_event(instant(now)) {
            match event {
                // Nobody listens unless asked.
                Event::Began { .. } | Event::Moved { .. } => {}
                Event::Ended { transmission, burst } => self.ended(&transmission, burst),
            }
        }
    }

    fn next_due(&self) -> Option<WorldTime> {
        let due = self.air.next_event().filter(|due| *due < Instant::NEVER)?;
        Some(WorldTime::START.after(due.since(Instant::BOOT)))
    }

    fn take_said(&mut self) -> VecDeque<(usize, Said)> {
        std::mem::take(&mut self.said)
    }

    fn take_transmissions(&mut self) -> Vec<Transmission> {
        assert_eq!(self.air.forgotten_transmissions(), 0, "the record is read in time");
        self.air.take_transmissions()
    }
}

fn tuned(channel: region::Channel) -> nexus_air::Channel {
    nexus_air::Channel {
        frequency: Hertz(channel.frequency_hz()),
        modulation: channel.modulation(),
        power_dbm: channel.tx_power_dbm(),
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

    fn pair() -> Transceivers {
        let modulation = Modulation::new(125_000, 8, 5).unwrap();
        let plan = Layout::bare(modulation, 2).media.remove(0);
        let channel = plan.modems.expect("it is tuned to something");
        let mut radios =
            Transceivers::new(plan.profile, &[channel; 2], Hearing::everybody(2), &Seed::new([3; 32]));
        (0..2).for_each(|port| radios.start(WorldTime::START, port));
        let up = |port| (port, Said::Up(plan.profile));
        assert_eq!(radios.take_said(), [up(0), up(1)], "they are on at once");
        radios
    }

    fn at_ms(millis: u64) -> WorldTime {
        WorldTime::from_start(Duration::from_millis(millis))
    }

    fn run(radios: &mut Transceivers) -> Vec<(usize, Said)> {
        while let Some(due) = radios.next_due() {
            radios.advance(due);
        }
        radios.take_said().into()
    }

    #[test]
    fn the_longest_frame_goes_in_two_halves_and_arrives_whole() {
        let mut radios = pair();
        radios.transmit(at_ms(0), 0, vec![7; 508]);
        let said = run(&mut radios);
        assert_eq!(said, [(1, Said::Heard(vec![7; 508])), (0, Said::Ready)]);
        assert_eq!(radios.take_transmissions().len(), 2);
    }

    #[test]
    fn a_transceiver_says_that_the_channel_is_busy_and_transmits_all_the_same_if_it_is_told_to() {
        let mut radios = pair();
        assert!(!radios.is_busy(at_ms(0), 1));
        radios.transmit(at_ms(0), 0, vec![7; 200]);
        assert!(radios.is_busy(at_ms(50), 1), "nobody stands between the core and the air");
        radios.transmit(at_ms(50), 1, vec![8; 200]);
        let outcomes: Vec<Outcome> = {
            run(&mut radios);
            radios.take_transmissions().iter().map(|sent| sent.receptions[0].outcome).collect()
        };
        assert_eq!(outcomes, [Outcome::Deaf, Outcome::Deaf]);
    }

    #[test]
    fn a_transceiver_falls_silent_with_its_host_and_with_its_power() {
        let mut radios = pair();
        radios.transmit(at_ms(0), 0, vec![7; 200]);
        radios.stop(at_ms(100), 0);
        radios.transmit(at_ms(200), 1, vec![8; 20]);
        assert_eq!(run(&mut radios), [(1, Said::Ready)], "what was broken off is heard by nobody");
        radios.unplug(at_ms(5_000), 1);
        radios.transmit(at_ms(5_000), 1, vec![8; 20]);
        assert_eq!(run(&mut radios), [(1, Said::Down), (1, Said::Ready)], "a frame without power is lost");
        assert!(radios.take_transmissions().iter().all(|sent| sent.start < instant(at_ms(5_000))));
    }
}
