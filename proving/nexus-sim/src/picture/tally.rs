//! What a run did to its media: who was carried how much, and each transmission of a radio with what became of it.

use std::collections::BTreeMap;

use nexus_air::{Outcome, RadioId};
use nexus_machine::Duration;
use nexus_node::Output;

use crate::clock::WorldTime;
use crate::layout::Layout;
use crate::observation::{Act, Landing, MediumIndex, NodeIndex, Observation, Observer, What};

/// What became of a transmission at a radio in reach of it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Fate {
    /// It was received.
    Received,
    /// Another transmission overlapped it.
    Collided,
    /// The radio was transmitting itself, or was tuned in too late.
    Deaf,
    /// The radio was busy with another one.
    Busy,
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

/// What came of one radio's transmissions at another.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Heard {
    /// How many were in reach.
    pub reached: u64,
    /// How many of them were received.
    pub received: u64,
    /// The bytes of those.
    pub bytes: u64,
}

impl Heard {
    pub(super) const fn plus(self, other: Self) -> Self {
        Self {
            reached: self.reached + other.reached,
            received: self.received + other.received,
            bytes: self.bytes + other.bytes,
        }
    }
}

/// An observer that counts and keeps.
#[derive(Clone, Debug)]
pub struct Tally {
    layout: Layout,
    flights: Vec<Flight>,
    /// What came of the first radio's transmissions at the second.
    heard: BTreeMap<(MediumIndex, NodeIndex, NodeIndex), Heard>,
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

    /// Every transmission of a radio, by its end.
    #[must_use]
    pub fn flights(&self) -> &[Flight] {
        &self.flights
    }

    /// When the last thing happened.
    #[must_use]
    pub const fn last(&self) -> WorldTime {
        self.last
    }

    /// What came of what `from` sent at `to`, on a radio channel.
    #[must_use]
    pub fn heard(&self, medium: MediumIndex, from: NodeIndex, to: NodeIndex) -> Heard {
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

const fn fate(outcome: Outcome) -> Fate {
    match outcome {
        Outcome::Received => Fate::Received,
        Outcome::Collided => Fate::Collided,
        Outcome::Deaf => Fate::Deaf,
        Outcome::Locked => Fate::Busy,
        Outcome::Lost => Fate::Lost,
        Outcome::CutOff => Fate::BrokenOff,
    }
}

impl Observer for Tally {
    fn observe(&mut self, observation: &Observation<'_>) {
        self.last = observation.at;
        if let What::Node { node, act: Act::Took(Output::Transmit { iface, bytes, .. }), .. } =
            observation.what
            && let Some((_, medium)) = self.layout.interfaces(node).find(|(own, _)| own == iface)
        {
            *self.sent.entry((medium, node)).or_default() += bytes.len() as u64;
        }
    }

    fn landed(&mut self, landing: &Landing<'_>) {
        let Landing { at: end, medium, nodes, transmission } = *landing;
        let node = |radio: RadioId| nodes[usize::from(radio.0)];
        let (sender, bytes) = (node(transmission.sender), transmission.bytes.len());
        let airtime = transmission.end.since(transmission.start);
        let start = WorldTime::from_start(end.since(WorldTime::START).minus(airtime));
        let fates: Vec<_> = transmission
            .receptions
            .iter()
            .map(|reception| (node(reception.radio), fate(reception.outcome)))
            .collect();
        for (receiver, fate) in &fates {
            let received = u64::from(*fate == Fate::Received);
            let this = Heard { reached: 1, received, bytes: received * bytes as u64 };
            let heard = self.heard.entry((medium, sender, *receiver)).or_default();
            *heard = heard.plus(this);
        }
        self.flights.push(Flight { medium, sender, start, end, bytes, fates });
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::layout::Shape;
    use nexus_air::record::{Extent, Reception};
    use nexus_air::{Channel, Signal, Transmission};
    use nexus_machine::{Instant, Seed};

    const SECOND: u64 = 1_000_000;

    pub(crate) fn of_radios(nodes: u32) -> Tally {
        Tally::new(&Shape::Segment.layout(nodes, &Seed::new([0; 32])))
    }

    /// A transmission of 100 bytes that ends at this microsecond.
    pub(crate) fn lands(tally: &mut Tally, end: u64, sender: u16, airtime_ms: u64, fates: &[(u16, Outcome)]) {
        let medium = MediumIndex(0);
        let plan = tally.layout().media[0].clone();
        let channel = plan.modems.expect("a segment has modems");
        let end_at = Instant::from_micros(end);
        let transmission = Transmission {
            sender: RadioId(sender),
            channel: Channel {
                frequency: nexus_wire::reticulum::rnode::Hertz(channel.frequency_hz()),
                modulation: channel.modulation(),
                power_dbm: channel.tx_power_dbm(),
            },
            start: end_at.before(Duration::from_millis(airtime_ms)),
            end: end_at,
            bytes: [0; 100].into(),
            extent: Extent::Whole,
            receptions: fates
                .iter()
                .map(|(radio, outcome)| Reception {
                    radio: RadioId(*radio),
                    signal: Signal::GOOD,
                    outcome: *outcome,
                })
                .collect(),
        };
        let at = WorldTime::from_start(Duration::from_micros(end));
        tally.landed(&Landing { at, medium, nodes: &plan.nodes, transmission: &transmission });
    }

    #[test]
    fn a_transmission_counts_for_those_who_received_it() {
        let mut tally = of_radios(4);
        lands(&mut tally, 5 * SECOND, 1, 250, &[(0, Outcome::Collided), (3, Outcome::Received)]);
        let [flight] = tally.flights() else { panic!("one transmission") };
        assert_eq!(flight.start.as_micros(), 4_750_000);
        assert_eq!(flight.fates, [(NodeIndex(0), Fate::Collided), (NodeIndex(3), Fate::Received)]);
        let heard = |to| tally.heard(MediumIndex(0), NodeIndex(1), NodeIndex(to));
        let collided = Heard { reached: 1, ..Heard::default() };
        let received = Heard { reached: 1, received: 1, bytes: 100 };
        assert_eq!([heard(0), heard(2), heard(3)], [collided, Heard::default(), received]);
    }

    #[test]
    fn the_worst_hour_is_the_fullest_of_any_hour_not_of_whole_ones() {
        let mut tally = of_radios(4);
        let minute = 60 * SECOND;
        // A second each at 0:50, 1:10, 1:45 and 3:00: no clock hour has more than two, the hour before 1:45 has three.
        for at in [50, 70, 105, 180] {
            lands(&mut tally, at * minute, 2, 1_000, &[]);
        }
        lands(&mut tally, 181 * minute, 3, 700, &[]);
        let worst = |node| tally.worst_hour(MediumIndex(0), NodeIndex(node)).as_millis();
        assert_eq!([worst(2), worst(3), worst(0)], [3_000, 700, 0]);
        let minutes = |minutes: u64| WorldTime::from_start(Duration::from_micros(minutes * minute));
        let half = WorldTime::from_start(Duration::from_micros(50 * minute - 500_000));
        let airtime = |from, to| tally.airtime(MediumIndex(0), NodeIndex(2), from, to).as_millis();
        assert_eq!(airtime(half, minutes(60)), 500, "half of the first");
        assert_eq!(airtime(WorldTime::START, WorldTime::NEVER), 4_000);
    }

    #[test]
    fn a_transmission_that_began_before_the_hour_counts_in_part() {
        let mut tally = of_radios(2);
        lands(&mut tally, 10 * SECOND, 0, 4_000, &[]);
        // The hour before its end begins two seconds before the first one's.
        lands(&mut tally, 3_608 * SECOND, 0, 1_000, &[]);
        assert_eq!(tally.worst_hour(MediumIndex(0), NodeIndex(0)).as_millis(), 4_000);
        lands(&mut tally, 3_608 * SECOND + 500_000, 0, 3_000, &[]);
        assert_eq!(tally.worst_hour(MediumIndex(0), NodeIndex(0)).as_millis(), 5_500);
    }
}
