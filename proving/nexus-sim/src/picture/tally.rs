//! What a run did to its media: who was carried how much, and each transmission of a radio with what became of it.

use std::collections::BTreeMap;

use nexus_machine::Duration;
use nexus_node::Output;

use crate::clock::WorldTime;
use crate::layout::Layout;
use crate::observation::{Act, Damage, MediumIndex, NodeIndex, Observation, Observer, What};

/// What became of a transmission at a radio in reach of it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Fate {
    /// It was received.
    Received,
    /// Another transmission overlapped it.
    Collided,
    /// The radio was transmitting itself, or was tuned in when it had begun.
    Deaf,
    /// The medium lost it.
    Lost,
    /// The sender broke off.
    BrokenOff,
}

/// One transmission of a radio.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Flight {
    /// The channel.
    pub medium: MediumIndex,
    /// Whose.
    pub sender: NodeIndex,
    /// When its signal began.
    pub start: WorldTime,
    /// When it ended.
    pub end: WorldTime,
    /// How many bytes were sent.
    pub bytes: usize,
    /// What became of it at each radio in reach.
    pub fates: Vec<(NodeIndex, Fate)>,
}

/// An observer that counts and keeps.
#[derive(Clone, Debug)]
pub struct Tally {
    layout: Layout,
    flights: Vec<Flight>,
    /// The transmission whose fates are being told, and who was not in its reach.
    ending: Option<(Flight, Vec<NodeIndex>)>,
    /// Bytes that the first radio's transmissions brought to the second.
    heard: BTreeMap<(MediumIndex, NodeIndex, NodeIndex), u64>,
    /// Bytes that a node handed to a medium.
    sent: BTreeMap<(MediumIndex, NodeIndex), u64>,
    /// When the last thing happened.
    last: WorldTime,
}

impl Tally {
    /// Nothing has happened yet.
    #[must_use]
    pub fn new(layout: &Layout) -> Self {
        Self {
            layout: layout.clone(),
            flights: Vec::new(),
            ending: None,
            heard: BTreeMap::new(),
            sent: BTreeMap::new(),
            last: WorldTime::START,
        }
    }

    /// The world that it watched.
    #[must_use]
    pub const fn layout(&self) -> &Layout {
        &self.layout
    }

    /// Every transmission of radios with modems, by its end.
    #[must_use]
    pub fn flights(&self) -> &[Flight] {
        &self.flights
    }

    /// When the last thing happened.
    #[must_use]
    pub const fn last(&self) -> WorldTime {
        self.last
    }

    /// How many bytes `from` sent that arrived at `to`, on a channel of modems.
    #[must_use]
    pub fn heard(&self, medium: MediumIndex, from: NodeIndex, to: NodeIndex) -> u64 {
        self.heard.get(&(medium, from, to)).copied().unwrap_or_default()
    }

    /// How many bytes of frames a node handed to a medium.
    #[must_use]
    pub fn sent(&self, medium: MediumIndex, node: NodeIndex) -> u64 {
        self.sent.get(&(medium, node)).copied().unwrap_or_default()
    }

    /// For how long a node's signal was on the air between two moments.
    #[must_use]
    pub fn airtime(&self, medium: MediumIndex, node: NodeIndex, from: WorldTime, to: WorldTime) -> Duration {
        let own = self.flights.iter().filter(|flight| flight.medium == medium && flight.sender == node);
        own.map(|flight| flight.within(from, to)).fold(Duration::ZERO, Duration::plus)
    }

    /// The most for which a node's signal was on the air in any hour.
    #[must_use]
    pub fn worst_hour(&self, medium: MediumIndex, node: NodeIndex) -> Duration {
        let own: Vec<&Flight> =
            self.flights.iter().filter(|flight| flight.medium == medium && flight.sender == node).collect();
        let (mut first, mut sum, mut worst) = (0, Duration::ZERO, Duration::ZERO);
        // The worst hour ends with a transmission. Of those in it, one alone can have begun before: a radio has one at a time.
        for flight in &own {
            sum = sum.plus(flight.length());
            let begin = WorldTime::from_start(flight.end.since(WorldTime::START).minus(HOUR));
            while own[first].end <= begin {
                sum = sum.minus(own[first].length());
                first += 1;
            }
            let before = own[first].length().minus(own[first].within(begin, flight.end));
            worst = worst.max(sum.minus(before));
        }
        worst
    }

    /// The transmission that is ending has no more to be told of.
    fn close(&mut self) {
        let Some((mut flight, beyond)) = self.ending.take() else { return };
        let medium = &self.layout.media[flight.medium.place()];
        for node in &medium.nodes {
            let is_told = *node == flight.sender || beyond.contains(node);
            if !is_told && !flight.fates.iter().any(|(receiver, _)| receiver == node) {
                flight.fates.push((*node, Fate::Received));
                let bytes = self.heard.entry((flight.medium, flight.sender, *node)).or_default();
                *bytes += flight.bytes as u64;
            }
        }
        flight.fates.sort_unstable();
        self.flights.push(flight);
    }

    fn marred(&mut self, at: WorldTime, medium: MediumIndex, receiver: NodeIndex, damage: Damage) {
        let Some((flight, beyond)) = &mut self.ending else { return };
        if flight.medium != medium || flight.end != at {
            return;
        }
        let fate = match damage {
            Damage::Collided => Fate::Collided,
            Damage::Deaf => Fate::Deaf,
            Damage::Lost => Fate::Lost,
            Damage::BrokenOff => Fate::BrokenOff,
            Damage::Partitioned | Damage::Cut | Damage::Unheard => return beyond.push(receiver),
            // What modems and media of other kinds do to frames.
            Damage::Displaced
            | Damage::Corrupted
            | Damage::Truncated
            | Damage::Duplicated
            | Damage::Delayed => return,
        };
        flight.fates.push((receiver, fate));
    }
}

const HOUR: Duration = Duration::from_secs(3_600);

impl Flight {
    /// How long its signal was on the air.
    #[must_use]
    pub const fn length(&self) -> Duration {
        self.end.since(self.start)
    }

    /// How much of it lies between two moments.
    #[must_use]
    pub fn within(&self, from: WorldTime, to: WorldTime) -> Duration {
        self.end.min(to).since(self.start.max(from))
    }
}

impl Observer for Tally {
    fn observe(&mut self, observation: &Observation<'_>) {
        self.last = observation.at;
        match observation.what {
            What::Marred { medium, receiver, damage } => {
                return self.marred(observation.at, medium, receiver, damage);
            }
            What::Aired { medium, sender, airtime, bytes } => {
                self.close();
                let end = observation.at;
                let start = WorldTime::from_start(end.since(WorldTime::START).minus(airtime));
                let flight = Flight { medium, sender, start, end, bytes: bytes.len(), fates: Vec::new() };
                self.ending = Some((flight, Vec::new()));
                return;
            }
            What::Node { node, act: Act::Took(Output::Transmit { iface, bytes, .. }), .. } => {
                if let Some((_, medium)) = self.layout.interfaces(node).find(|(own, _)| own == iface) {
                    *self.sent.entry((medium, node)).or_default() += bytes.len() as u64;
                }
            }
            What::Node { .. } | What::Scheduled(_) => {}
        }
        self.close();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layout::Shape;
    use nexus_machine::Seed;

    const AT: u64 = 5_000_000_000;

    fn tally() -> Tally {
        Tally::new(&Shape::Segment.layout(4, &Seed::new([0; 32])))
    }

    fn aired(tally: &mut Tally, at: u64, sender: u32, airtime_ms: u64, damage: &[(u32, Damage)]) {
        let at = WorldTime::from_start(Duration::from_micros(at));
        let medium = MediumIndex(0);
        let airtime = Duration::from_millis(airtime_ms);
        let what = What::Aired { medium, sender: NodeIndex(sender), airtime, bytes: &[0; 100] };
        tally.observe(&Observation { at, what });
        for (receiver, damage) in damage {
            let what = What::Marred { medium, receiver: NodeIndex(*receiver), damage: *damage };
            tally.observe(&Observation { at, what });
        }
    }

    fn done(tally: &mut Tally) {
        let action = crate::schedule::Action::Calm;
        let at = WorldTime::from_start(Duration::from_micros(2 * AT));
        tally.observe(&Observation { at, what: What::Scheduled(&action) });
    }

    #[test]
    fn a_transmission_was_received_by_whoever_is_in_reach_and_not_told_of() {
        let mut tally = tally();
        aired(&mut tally, AT, 1, 250, &[(0, Damage::Collided), (2, Damage::Unheard)]);
        done(&mut tally);
        let [flight] = tally.flights() else { panic!("one transmission") };
        assert_eq!(flight.start.as_micros(), AT - 250_000);
        assert_eq!(flight.fates, [(NodeIndex(0), Fate::Collided), (NodeIndex(3), Fate::Received)]);
        let heard = |to| tally.heard(MediumIndex(0), NodeIndex(1), NodeIndex(to));
        assert_eq!([heard(0), heard(2), heard(3)], [0, 0, 100]);
    }

    #[test]
    fn the_worst_hour_is_the_fullest_of_any_hour_not_of_whole_ones() {
        let mut tally = tally();
        let minute = 60_000_000;
        // A second each at 0:50, 1:10, 1:45 and 3:00: no clock hour has more than two, the hour before 1:45 has three.
        for at in [50, 70, 105, 180] {
            aired(&mut tally, at * minute, 2, 1_000, &[]);
        }
        aired(&mut tally, 181 * minute, 3, 700, &[]);
        done(&mut tally);
        let worst = |node| tally.worst_hour(MediumIndex(0), NodeIndex(node)).as_millis();
        assert_eq!([worst(2), worst(3), worst(0)], [3_000, 700, 0]);
        let minutes = |minutes: u64| WorldTime::from_start(Duration::from_micros(minutes * minute));
        let half = WorldTime::from_start(Duration::from_micros(50 * minute - 500_000));
        let airtime = |from, to| tally.airtime(MediumIndex(0), NodeIndex(2), from, to).as_millis();
        assert_eq!(airtime(half, minutes(60)), 500, "half of the first");
        assert_eq!(airtime(WorldTime::START, WorldTime::NEVER), 4_000);
    }
}
