//! What became of each packet, by who saw it leave and arrive.
//!
//! When it was offered is what the schedule says, where it left is what the sender's tap shows of each sealed frame, and when it arrived is when its
//! recipient's application was told. Nothing that nodes count enters.

use std::collections::BTreeMap;

use nexus_machine::Duration;
use nexus_network::{Opened, Tapping};
use nexus_node::{Command, Content, Event, Input, Output};
use nexus_wire::nexus::message::{MessageKind, Messages};
use nexus_wire::nexus::recording::Direction;
use nexus_wire::nexus::traffic::{self, Class};
use nexus_wire::reticulum::packet::HEADER_1_LEN;

use super::Stream;
use crate::clock::WorldTime;
use crate::observation::{Act, NodeIndex, Observation, Observer, What};
use crate::traffic::Parcel;

/// One packet.
#[derive(Clone, Debug)]
struct Record {
    offered: WorldTime,
    /// Who handed it to a medium first when, in that order.
    left: Vec<(NodeIndex, WorldTime)>,
    arrived: Option<WorldTime>,
}

/// What became of all packets of some streams.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Account {
    /// How many were offered.
    pub offered: u64,
    /// How many arrived.
    pub arrived: u64,
    /// From offer to arrival, of those that arrived, the shortest first.
    pub latencies: Vec<Duration>,
    /// How many left their origin.
    pub left: u64,
}

impl Account {
    /// Of those offered, so many arrived within a time, in thousandths; all of none.
    #[must_use]
    pub fn permille_within(&self, bound: Duration) -> u64 {
        let within = self.latencies.iter().filter(|latency| **latency < bound).count();
        permille(u64::try_from(within).expect("a count fits u64"), self.offered)
    }

    /// Of those offered, so many arrived, in thousandths; all of none.
    #[must_use]
    pub fn permille(&self) -> u64 {
        permille(self.arrived, self.offered)
    }

    /// A quantile of the latencies, in hundredths; none if nothing arrived.
    #[must_use]
    pub fn quantile(&self, percent: usize) -> Option<Duration> {
        let place = (self.latencies.len() * percent).div_ceil(100).saturating_sub(1);
        self.latencies.get(place).copied()
    }
}

/// `part` of `whole` in thousandths; all of nothing.
fn permille(part: u64, whole: u64) -> u64 {
    (part * 1_000).checked_div(whole).unwrap_or(1_000)
}

/// The observer.
#[derive(Clone, Debug)]
pub struct Tally {
    streams: Vec<Stream>,
    records: BTreeMap<Parcel, Record>,
    /// Offered from here on counts,
    from: WorldTime,
    /// until here: what is offered later may not have had the time to arrive.
    until: WorldTime,
    classes: BTreeMap<Parcel, Class>,
}

impl Tally {
    /// Of these streams, of what is offered from one moment until another.
    #[must_use]
    pub fn of(streams: &[Stream], from: WorldTime, until: WorldTime) -> Self {
        Self { streams: streams.to_vec(), records: BTreeMap::new(), from, until, classes: BTreeMap::new() }
    }

    /// What became of packets of those streams that are meant.
    pub fn account(&self, is_meant: impl Fn(&Stream) -> bool) -> Account {
        let mut account = Account::default();
        for (parcel, record) in &self.records {
            let Some(stream) = self.stream_of(*parcel).filter(|stream| is_meant(stream)) else { continue };
            if !(self.from..self.until).contains(&record.offered) {
                continue;
            }
            account.offered += 1;
            account.left += u64::from(record.left.iter().any(|(node, _)| *node == stream.from));
            if let Some(arrived) = record.arrived {
                account.arrived += 1;
                account.latencies.push(arrived.since(record.offered));
            }
        }
        account.latencies.sort_unstable();
        account
    }

    /// What arrived in the time that counts, whenever it was offered, each packet for as much as `worth` says of its stream.
    pub fn carried(&self, is_meant: impl Fn(&Stream) -> bool, worth: impl Fn(&Stream) -> u64) -> u64 {
        let arrived =
            |record: &Record| record.arrived.is_some_and(|at| (self.from..self.until).contains(&at));
        let arrivals = self.records.iter().filter(|(_, record)| arrived(record));
        arrivals
            .filter_map(|(parcel, _)| self.stream_of(*parcel))
            .filter(|stream| is_meant(stream))
            .map(worth)
            .sum()
    }

    /// The longest that one of them was with a node that sent it: since it was offered there, or since the node before it began to send it.
    pub fn longest_stay(&self, node: NodeIndex, is_meant: impl Fn(&Stream) -> bool) -> Duration {
        let meant = self.records.iter().filter(|(parcel, _)| self.stream_of(**parcel).is_some_and(&is_meant));
        let stay = |record: &Record| {
            let place = record.left.iter().position(|(by, _)| *by == node)?;
            let came = place.checked_sub(1).map_or(record.offered, |before| record.left[before].1);
            Some(record.left[place].1.since(came))
        };
        meant.filter_map(|(_, record)| stay(record)).max().unwrap_or(Duration::ZERO)
    }

    /// How many packets of the streams that are meant left by a node, of those that were offered in the time that counts.
    pub fn left_by(&self, node: NodeIndex, is_meant: impl Fn(&Stream) -> bool) -> u64 {
        let left = self.records.iter().filter(|(parcel, record)| {
            self.stream_of(**parcel).is_some_and(&is_meant)
                && (self.from..self.until).contains(&record.offered)
                && record.left.iter().any(|(by, _)| *by == node)
        });
        u64::try_from(left.count()).expect("a count fits u64")
    }

    /// How many packets a node holds at a moment, of those that it sends on later: what it drops is not seen to be there.
    #[must_use]
    pub fn held(&self, node: NodeIndex, at: WorldTime) -> u64 {
        let is_held = |record: &&Record| {
            let place = record.left.iter().position(|(by, _)| *by == node);
            place.is_some_and(|place| {
                let came = place.checked_sub(1).map_or(record.offered, |before| record.left[before].1);
                came <= at && record.left[place].1 > at
            })
        };
        u64::try_from(self.records.values().filter(is_held).count()).expect("a count fits u64")
    }

    /// How much of any such window what left by a node took at most, in thousandths: each packet for as long as `occupies` says.
    pub fn fullest(&self, node: NodeIndex, window: Duration, occupies: impl Fn(&Stream) -> Duration) -> u64 {
        let left = |(parcel, record): (&Parcel, &Record)| {
            let (_, at) = record.left.iter().find(|(by, _)| *by == node)?;
            Some((*at, occupies(self.stream_of(*parcel)?)))
        };
        let mut departures: Vec<(WorldTime, Duration)> = self.records.iter().filter_map(left).collect();
        departures.sort_unstable();
        let (mut sum, mut most, mut first) = (Duration::ZERO, Duration::ZERO, 0);
        for (at, took) in &departures {
            sum = sum.plus(*took);
            while at.since(departures[first].0) >= window {
                sum = sum.minus(departures[first].1);
                first += 1;
            }
            most = most.max(sum);
        }
        most.as_micros() * 1_000 / window.as_micros().max(1)
    }

    /// By whom packets of the streams that are meant were sent on, and when, in the order of time.
    pub fn departures(&self, is_meant: impl Fn(&Stream) -> bool) -> Vec<(WorldTime, NodeIndex)> {
        let meant = self.records.iter().filter(|(parcel, _)| self.stream_of(**parcel).is_some_and(&is_meant));
        let mut departures: Vec<(WorldTime, NodeIndex)> =
            meant.flat_map(|(_, record)| record.left.iter().map(|(by, at)| (*at, *by))).collect();
        departures.sort_unstable();
        departures
    }

    /// How many packets were on a link under another class than they were offered with.
    #[must_use]
    pub fn misclassed(&self) -> usize {
        let is_other = |(parcel, class): &(&Parcel, &Class)| {
            self.stream_of(**parcel).is_some_and(|stream| stream.class != **class)
        };
        self.classes.iter().filter(is_other).count()
    }

    fn stream_of(&self, parcel: Parcel) -> Option<&Stream> {
        self.streams.get(usize::from(parcel.flow))
    }

    fn passes(&mut self, at: WorldTime, node: NodeIndex, packet: &traffic::Packet<'_>) {
        let Some(parcel) = packet.packet.get(HEADER_1_LEN..).and_then(Parcel::of_text) else { return };
        let Some(record) = self.records.get_mut(&parcel) else { return };
        self.classes.insert(parcel, packet.class);
        if !record.left.iter().any(|(by, _)| *by == node) {
            record.left.push((node, at));
        }
    }
}

impl Observer for Tally {
    fn observe(&mut self, observation: &Observation<'_>) {
        let What::Node { act, .. } = &observation.what else { return };
        match act {
            Act::Given { input: Input::Command(Command::Send(outgoing)), .. } => {
                let Content::Message { text, .. } = &outgoing.content else { return };
                if let Some(parcel) = Parcel::of_text(text) {
                    let record = Record { offered: observation.at, left: Vec::new(), arrived: None };
                    self.records.insert(parcel, record);
                }
            }
            Act::Took(Output::Event(Event::MessageArrived(message))) => {
                let record = Parcel::of_text(&message.text).and_then(|parcel| self.records.get_mut(&parcel));
                if let Some(record) = record {
                    record.arrived.get_or_insert(observation.at);
                }
            }
            Act::Given { .. }
            | Act::Took(_)
            | Act::Booted { .. }
            | Act::Crashed
            | Act::Woken { .. }
            | Act::Rested { .. }
            | Act::Durable(_) => {}
        }
    }

    fn wants_opened(&self) -> Tapping {
        Tapping::Open
    }

    fn opened(&mut self, at: WorldTime, node: NodeIndex, opened: &Opened) {
        if opened.direction != Direction::Sent {
            return;
        }
        for message in Messages::new(&opened.plaintext).map_while(Result::ok) {
            if message.kind == MessageKind::PACKET
                && let Ok(packet) = message.parse::<traffic::Packet<'_>>()
            {
                self.passes(at, node, &packet);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load::Pace;

    fn at(ms: u64) -> WorldTime {
        WorldTime::from_start(Duration::from_millis(ms))
    }

    /// Ten packets, one each 100 ms, that leave 10 ms after they are offered and arrive after another 10 to 100.
    fn tally() -> Tally {
        let (from, to) = (NodeIndex(0), NodeIndex(1));
        let pace = Pace::Even(Duration::from_millis(100));
        let stream =
            Stream { from, to, class: Class::RealTime, bytes: 20, pace, since: at(0), until: at(1_000) };
        let mut tally = Tally::of(&[stream], at(0), at(1_000));
        for number in 0..10 {
            let offered = at(u64::from(number) * 100);
            let left = offered.after(Duration::from_millis(10));
            let arrived = left.after(Duration::from_millis(10 + 10 * u64::from(number)));
            let record =
                Record { offered, left: vec![(from, left)], arrived: Some(arrived).filter(|_| number < 9) };
            tally.records.insert(Parcel { flow: 0, number }, record);
        }
        tally
    }

    #[test]
    fn what_was_offered_is_counted_by_when_it_arrived() {
        let account = tally().account(|_| true);
        assert_eq!((account.offered, account.left, account.arrived), (10, 10, 9));
        assert_eq!((account.permille(), account.permille_within(Duration::from_millis(60))), (900, 400));
        assert_eq!(account.quantile(50), Some(Duration::from_millis(60)));
        assert_eq!(account.quantile(100), Some(Duration::from_millis(100)));
        assert_eq!(tally().account(|stream| stream.class == Class::Bulk), Account::default());
        assert_eq!(Account::default().permille(), 1_000);
    }

    #[test]
    fn a_window_is_as_full_as_what_left_in_it() {
        let of = |window, took| {
            let (window, took) = (Duration::from_millis(window), Duration::from_millis(took));
            tally().fullest(NodeIndex(0), window, |_| took)
        };
        assert_eq!((of(100, 50), of(1_000, 50), of(300, 100)), (500, 500, 1_000));
        assert_eq!(tally().longest_stay(NodeIndex(0), |_| true), Duration::from_millis(10));
        assert_eq!(tally().longest_stay(NodeIndex(7), |_| true), Duration::ZERO);
        assert_eq!([95, 105, 115].map(|ms| tally().held(NodeIndex(0), at(ms))), [0, 1, 0]);
        assert_eq!(tally().carried(|_| true, |stream| stream.bytes.into()), 180);
    }
}
