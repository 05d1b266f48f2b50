//! The same places and the same traffic under rules that are not a node's, on the bare air.

use std::collections::VecDeque;

use nexus_air::place::Position;
use nexus_air::{Air, Burst, Channel, Event, Outcome, RadioId, Recording, Transmission};
use nexus_crypto::NodeId;
use nexus_machine::{Duration, Instant, Seed, Stream};
use nexus_wire::reticulum::rnode::Hertz;

use super::{Driven, NODES, PAYLOAD, TIMES, airtime, layout, pairs, places};
use crate::chance::exponential;

/// When somebody with a frame transmits.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Rule {
    /// At once, unless it transmits already. N. Abramson, "The ALOHA system", AFIPS 1970.
    Aloha,
    /// As soon as its own receiver hears nobody, and nobody who is receiving would hear it: what carrier sense would do that knew all that
    /// is hidden, and a bound of what it can do. Eight frames wait for each. After F. Tobagi and L. Kleinrock, "Packet switching in radio channels, part
    /// II", IEEE Transactions on Communications 23(12), 1975.
    Omniscient,
}

const QUEUE: usize = 8;

/// An air and whose frames wait.
struct Run {
    air: Air,
    rule: Rule,
    places: Vec<Position>,
    to: Vec<RadioId>,
    waiting: VecDeque<RadioId>,
    /// Who transmits.
    sending: Vec<RadioId>,
    received: u64,
    counts: (Instant, Instant),
}

impl Rule {
    /// The goodput under it, as [`super::goodput`] counts it.
    #[must_use]
    pub fn goodput(self, offered: u64, seed: &Seed) -> u64 {
        let plan = layout(Driven::Rnodes).media.remove(0);
        let terrain = plan.terrain.expect("radios have places");
        let hearing = terrain.hearing(&plan.routes, seed);
        let mut air = Air::new(hearing, Recording::Last(1), seed);
        for radio in 0..NODES {
            air.tune(Instant::BOOT, RadioId(radio), Some(tuned(terrain.radios[usize::from(radio)].channel)));
        }
        let at = |seconds| Instant::BOOT.after(Duration::from_secs(seconds));
        let [_, from, until, _] = TIMES.map(at);
        let to = pairs().into_iter().map(|(_, to)| RadioId(to)).collect();
        let (waiting, sending) = (VecDeque::new(), Vec::new());
        let mut run = Run {
            air,
            rule: self,
            places: places(),
            to,
            waiting,
            sending,
            received: 0,
            counts: (from, until),
        };
        run.through(offered, seed.fork("arrivals"));
        run.received * airtime().as_micros() * 1_000 / until.since(from).as_micros()
    }
}

impl Run {
    fn through(&mut self, offered: u64, mut random: Stream) {
        let apart = Duration::from_micros(airtime().as_micros() * 1_000 / offered.max(1));
        let mut now = Instant::BOOT;
        while now < self.counts.1 {
            now = now.after(exponential(&mut random, apart));
            self.pass(now);
            let sender = RadioId(u16::try_from(random.below(NODES.into())).expect("below a u16"));
            if self.waiting.iter().filter(|waits| **waits == sender).count() < QUEUE {
                self.waiting.push_back(sender);
            }
            self.begin(now);
        }
    }

    fn pass(&mut self, until: Instant) {
        while let Some(event) = self.air.take_event(until) {
            if let Event::Ended { transmission, .. } = event {
                let now = transmission.end;
                self.ended(&transmission);
                self.begin(now);
            }
        }
    }

    fn ended(&mut self, transmission: &Transmission) {
        self.sending.retain(|sender| *sender != transmission.sender);
        let to = self.to[usize::from(transmission.sender.0)];
        let arrived =
            transmission.receptions.iter().any(|seen| seen.radio == to && seen.outcome == Outcome::Received);
        let counts = (self.counts.0..self.counts.1).contains(&transmission.end);
        self.received += u64::from(arrived && counts);
    }

    /// Whoever may transmits, in the order in which frames came.
    fn begin(&mut self, now: Instant) {
        for _ in 0..self.waiting.len() {
            let Some(sender) = self.waiting.pop_front() else { return };
            if self.may(sender) {
                let bytes = vec![0; NodeId::LEN + usize::from(PAYLOAD) + 1];
                if self.air.transmit(now, sender, Burst::Single(bytes)).is_ok() {
                    self.sending.push(sender);
                }
            } else if self.rule == Rule::Omniscient {
                self.waiting.push_back(sender);
            }
        }
    }

    fn may(&self, sender: RadioId) -> bool {
        let to = |of: &RadioId| self.to[usize::from(of.0)];
        let hears = |from: RadioId, at: RadioId| {
            from == at || super::in_reach(self.places[usize::from(from.0)], self.places[usize::from(at.0)])
        };
        match self.rule {
            Rule::Aloha => !self.sending.contains(&sender),
            Rule::Omniscient => self
                .sending
                .iter()
                .all(|other| *other != sender && !hears(*other, to(&sender)) && !hears(sender, to(other))),
        }
    }
}

fn tuned(channel: nexus_network::Channel) -> Channel {
    let frequency = Hertz(channel.frequency_hz());
    Channel { frequency, modulation: channel.modulation(), power_dbm: channel.tx_power_dbm() }
}
