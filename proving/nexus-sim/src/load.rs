//! Offered load: streams of packets of each class, and what an observer sees of each packet.
//!
//! What applications of [`traffic`](crate::traffic) send are messages, each with a receipt and a place in an inbox. Here packets are offered
//! to the network layer as they are, with a class: speech does not wait for receipts, and what is offered does not depend on what arrived.
//! Spec: spec/simulation.md#load.

pub mod crowd;
pub mod deaf;
pub mod diamond;
pub mod figures;
pub mod funnel;
mod station;
mod tally;

use nexus_crypto::NodeId;
use nexus_machine::{Duration, Seed};
use nexus_node::{Authorship, Command, Content, Outgoing};
use nexus_wire::nexus::traffic::Class;

use crate::chance::exponential;
use crate::clock::WorldTime;
use crate::observation::NodeIndex;
use crate::schedule::{Action, Schedule};
use crate::traffic::Parcel;

pub use station::Station;
pub use tally::{Account, Tally};

/// Packets of one class from one node to another.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Stream {
    /// Whence.
    pub from: NodeIndex,
    /// Whither.
    pub to: NodeIndex,
    /// How urgent.
    pub class: Class,
    /// How long each packet's payload is, in bytes: at least [`LABEL`](crate::traffic::LABEL).
    pub bytes: u16,
    /// When they are offered.
    pub pace: Pace,
    /// From when on.
    pub since: WorldTime,
    /// Until when: nothing is offered at this moment or later.
    pub until: WorldTime,
}

/// When packets are offered, whatever became of those before.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Pace {
    /// At equal distances, from a phase of its own: a codec.
    Even(Duration),
    /// A Poisson process with this mean distance: many who know nothing of each other.
    Random(Duration),
}

impl Pace {
    /// The mean distance.
    #[must_use]
    pub const fn apart(self) -> Duration {
        match self {
            Self::Even(apart) | Self::Random(apart) => apart,
        }
    }
}

/// Speech: a codec that puts its frames of `frame` into packets of `packet`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Codec {
    /// In bits per second.
    pub bps: u32,
    /// How much speech is in a packet.
    pub packet: Duration,
}

impl Codec {
    /// Codec 2 at its slowest, 700 bit/s, in packets of nine frames of 40 ms. Source: D. Rowe, codec2, `README`.
    pub const SLOW: Self = Self { bps: 700, packet: Duration::from_millis(360) };
    /// Codec 2 at 3,200 bit/s, in packets of three frames of 20 ms.
    pub const FAST: Self = Self { bps: 3_200, packet: Duration::from_millis(60) };

    /// How many bytes of speech are in a packet.
    #[must_use]
    pub fn bytes(self) -> u16 {
        let bits = u64::from(self.bps) * self.packet.as_millis() / 1_000;
        u16::try_from(bits.div_ceil(8)).expect("a packet of speech is short")
    }

    /// Its stream.
    #[must_use]
    pub fn stream(self, from: NodeIndex, to: NodeIndex, since: WorldTime, until: WorldTime) -> Stream {
        let (bytes, pace) = (self.bytes(), Pace::Even(self.packet));
        Stream { from, to, class: Class::RealTime, bytes, pace, since, until }
    }
}

/// The commands by which `streams` are offered, in no order of time: the schedule of a world. A stream's place is its number.
#[must_use]
pub fn offers(streams: &[Stream], ids: &[NodeId], seed: &Seed) -> Schedule {
    let offered = |(number, stream): (u16, &Stream)| {
        let to = ids[stream.to.place()];
        let mut random = seed.fork_index("stream", number.into()).fork("load");
        let apart = stream.pace.apart();
        let mut at = stream.since.after(Duration::from_micros(random.below(apart.as_micros().max(1))));
        let mut offers = Schedule::new();
        for count in 0.. {
            if at >= stream.until {
                break;
            }
            let parcel = Parcel { flow: number, number: count };
            let text = parcel.text(stream.bytes, &mut random);
            let content = Content::Message { text, authorship: Authorship::Anonymous };
            let (handle, class, lifetime) = (parcel.handle(), Some(stream.class), Duration::ZERO);
            let outgoing = Outgoing { handle, to, content, lifetime, policy: None, class };
            offers.push((at, Action::Tell(stream.from, Command::Send(outgoing))));
            at = at.after(match stream.pace {
                Pace::Even(apart) => apart,
                Pace::Random(apart) => exponential(&mut random, apart),
            });
        }
        offers
    };
    (0..).zip(streams).flat_map(offered).collect()
}

/// Jain's index of fairness: 1 if all have the same, 1/n if one has all. Source: R. Jain, D. Chiu, W. Hawe, DEC-TR-301, 1984.
#[must_use]
pub fn jain(shares: &[u64]) -> f64 {
    let count = f64::from(u32::try_from(shares.len()).unwrap_or(u32::MAX));
    #[allow(clippy::cast_precision_loss, reason = "what is carried in a run is far below 2⁵³")]
    let shares = shares.iter().map(|share| *share as f64);
    let (sum, squares) =
        shares.fold((0.0, 0.0), |(sum, squares), share| (sum + share, squares + share * share));
    if squares > 0.0 { sum * sum / (count * squares) } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_shares_are_fair_and_what_one_has_alone_is_not() {
        assert!((jain(&[5, 5, 5, 5]) - 1.0).abs() < 1e-9);
        assert!((jain(&[7, 0, 0, 0]) - 0.25).abs() < 1e-9);
        assert!(jain(&[2, 1]) < 0.95, "{}", jain(&[2, 1]));
        assert!(jain(&[]).abs() < 1e-9 && jain(&[0, 0]).abs() < 1e-9);
    }

    #[test]
    fn packets_of_speech_hold_what_their_codec_says_in_that_time() {
        assert_eq!((Codec::SLOW.bytes(), Codec::FAST.bytes()), (32, 24));
    }

    #[test]
    fn streams_offer_what_they_say_while_they_last() {
        let at = |s| WorldTime::from_start(Duration::from_secs(s));
        let (from, to) = (NodeIndex(0), NodeIndex(1));
        let even = Codec::SLOW.stream(from, to, at(10), at(100));
        let pace = Pace::Random(Duration::from_millis(100));
        let random = Stream { class: Class::Bulk, bytes: 400, pace, ..even };
        let ids = [NodeId([1; 16]), NodeId([2; 16])];
        let schedule = offers(&[even, random], &ids, &Seed::new([3; 32]));
        let (mut spoken, mut bulk) = (0, 0);
        for (when, action) in &schedule {
            let Action::Tell(NodeIndex(0), Command::Send(outgoing)) = action else { panic!("{action:?}") };
            assert!((at(10)..at(100)).contains(when) && outgoing.to == ids[1]);
            match outgoing.class {
                Some(Class::RealTime) => spoken += 1,
                Some(Class::Bulk) => bulk += 1,
                other => panic!("{other:?}"),
            }
        }
        assert_eq!(spoken, 250);
        assert!((800..1_000).contains(&bulk), "{bulk}");
    }
}
