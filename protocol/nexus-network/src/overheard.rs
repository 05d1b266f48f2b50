//! How much of a shared channel announces and gossip take, of this node and of all that it hears: measured here, and on nobody's word.
//!
//! What counts was opened: broadcasts, which hold nothing else, and what links of this node carry. What others seal for each other anybody could
//! have made up; it is taken to be as much, link for link, as what own links carry. Broadcasts under keys that are not known here, and
//! what others seal that is as long as an announce, count up to a bound while a channel is new to this node, which knows nobody then. Spec: spec/network.md#announce-budget.

use alloc::collections::{BTreeMap, VecDeque};

use nexus_machine::{Duration, Instant};
use nexus_wire::nexus::message::{MessageKind, Messages};

use crate::interface::{InterfaceId, Mode, Profile, Reach};

/// The stretch of time over which it is bounded: ten rounds.
pub(crate) const SPAN: Duration = Duration::from_secs(600);
/// It is counted in such parts, each in full as long as anything of it lies in the stretch.
const BIN: Duration = Duration::from_secs(10);
/// How many of them count, the current one included.
const BINS: u64 = 61;
/// Of what is on the air one frame in nine is not heard: it collides, or comes while this node transmits. What is heard counts for it.
const UNHEARD: u64 = 8;
/// Frames that were not opened count for so much of a stretch at most, so that who makes some up leaves others most of their room.
const UNOPENED: Duration = Duration::from_secs(36);
/// An announce without application data told over a link, in bytes: what is shorter is none.
const ANNOUNCE_TOLD: usize = 199;
/// They count for so long after a channel came up: then this node has links with most who are there, and their keys.
const BEGINNING: Duration = Duration::from_secs(20 * 60);

/// What was on a channel within the last [`SPAN`], in time on it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Window {
    /// Oldest first.
    bins: VecDeque<Bin>,
}

/// A part of the stretch.
#[derive(Clone, Copy, Debug)]
struct Bin {
    number: u64,
    /// What broadcasts took of it,
    broadcast: Duration,
    /// and what links of this node did: what it stands for is known by how many nodes there are when it is asked, and who begins knows few.
    own_links: Duration,
    /// Frames that were not opened.
    unopened: Duration,
}

impl Bin {
    fn of_all(&self, nodes: u64) -> Duration {
        self.broadcast.plus(Carrier::OwnLink.of_all(self.own_links, nodes))
    }
}

impl Window {
    /// What one holds on the heap, in bytes: a ring grows by doubling.
    pub(crate) const MEMORY_BOUND: usize = 128 * size_of::<Bin>();

    pub(crate) fn add(&mut self, now: Instant, time: Duration, by: Carrier) {
        let number = number(now);
        while self.bins.front().is_some_and(|oldest| !counts(oldest.number, number)) {
            self.bins.pop_front();
        }
        if self.bins.back().is_none_or(|newest| newest.number != number) {
            let (broadcast, own_links, unopened) = (Duration::ZERO, Duration::ZERO, Duration::ZERO);
            self.bins.push_back(Bin { number, broadcast, own_links, unopened });
        }
        let Some(bin) = self.bins.back_mut() else { return };
        let held = match by {
            Carrier::Broadcast => &mut bin.broadcast,
            Carrier::OwnLink => &mut bin.own_links,
            Carrier::Unopened => &mut bin.unopened,
        };
        *held = held.plus(time);
    }

    /// What all of so many nodes took, as far as is known.
    pub(crate) fn sum(&self, now: Instant, nodes: u64) -> Duration {
        let (known, unopened) = self.sums(now, nodes);
        known.plus(unopened.min(UNOPENED))
    }

    /// From when on no more than `most` is left of it, if nothing comes after; at once if that is past.
    pub(crate) fn falls_to(&self, now: Instant, most: Duration, nodes: u64) -> Instant {
        let ((mut known, mut unopened), mut at) = (self.sums(now, nodes), Instant::BOOT);
        for bin in self.live(now) {
            if known.plus(unopened.min(UNOPENED)) <= most {
                break;
            }
            known = known.minus(bin.of_all(nodes));
            unopened = unopened.minus(bin.unopened);
            at = Instant::from_micros(BIN.times(bin.number.saturating_add(BINS)).as_micros());
        }
        at
    }

    /// What was opened and stands for all of so many nodes, and what was not opened.
    fn sums(&self, now: Instant, nodes: u64) -> (Duration, Duration) {
        let add = |(known, unopened): (Duration, Duration), bin: Bin| {
            (known.plus(bin.of_all(nodes)), unopened.plus(bin.unopened))
        };
        self.live(now).fold((Duration::ZERO, Duration::ZERO), add)
    }

    fn live(&self, now: Instant) -> impl Iterator<Item = Bin> {
        let number = number(now);
        self.bins.iter().copied().filter(move |bin| counts(bin.number, number))
    }
}

fn number(at: Instant) -> u64 {
    at.as_micros().checked_div(BIN.as_micros()).unwrap_or(0)
}

const fn counts(bin: u64, last: u64) -> bool {
    last.saturating_sub(bin) < BINS
}

/// What announces or gossip took of a shared channel, as a node heard it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Overheard {
    /// On which interface.
    pub iface: InterfaceId,
    /// How long, at the nominal rate.
    pub airtime: Duration,
    /// By what it came.
    pub by: Carrier,
}

/// What carried something on a channel where all hear all.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Carrier {
    /// A broadcast, which everybody opens.
    Broadcast,
    /// A link of this node, either way: others' links are taken to carry as much.
    OwnLink,
    /// A broadcast under a key that is not known here, or a sealed frame of others that may be an announce, while the channel is new to this node.
    Unopened,
}

impl Carrier {
    /// What all of so many nodes took of a channel, where this node knows of so much: of all frames on links, those of one node are two in as
    /// many as there are nodes, since each has two ends.
    fn of_all(self, known: Duration, nodes: u64) -> Duration {
        match self {
            Self::Broadcast | Self::Unopened => known,
            Self::OwnLink => Duration::from_micros(known.times(nodes).as_micros() / 2).max(known),
        }
    }
}

/// The shared channels on which links run.
#[derive(Debug, Default)]
pub(crate) struct Ears(BTreeMap<InterfaceId, Ear>);

#[derive(Debug)]
struct Ear {
    profile: Profile,
    up_at: Instant,
}

/// What a frame was for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Purport {
    /// Announces or gossip.
    News,
    Else,
}

/// The messages that announces and gossip are made of.
const NEWS: [MessageKind; 8] = [
    MessageKind::ANNOUNCE,
    MessageKind::COST,
    MessageKind::COST_REQUEST,
    MessageKind::COST_ACK,
    MessageKind::SUMMARY,
    MessageKind::REQUEST,
    MessageKind::ITEMS,
    MessageKind::DONE,
];

impl Purport {
    /// That of a plaintext: what says news of anything is news.
    pub(crate) fn of(plaintext: &[u8]) -> Self {
        let is_news = |kind: MessageKind| NEWS.contains(&kind);
        let mut kinds = Messages::new(plaintext).map_while(Result::ok).map(|message| message.kind);
        if kinds.any(is_news) { Self::News } else { Self::Else }
    }
}

impl Ears {
    /// Interfaces that are listened to at once; what is heard on others counts for nothing.
    const MOST: usize = 256;
    pub(crate) const MEMORY_BOUND: usize = Self::MOST * 4 * size_of::<(InterfaceId, Ear)>();

    pub(crate) fn up(&mut self, now: Instant, iface: InterfaceId, profile: &Profile) {
        self.0.remove(&iface);
        if profile.mode == Mode::Nexus && profile.reach == Reach::Shared && self.0.len() < Self::MOST {
            self.0.insert(iface, Ear { profile: *profile, up_at: now });
        }
    }

    pub(crate) fn down(&mut self, iface: InterfaceId) {
        self.0.remove(&iface);
    }

    /// How long a frame of so many bytes is on a channel; none if the interface is none.
    pub(crate) fn airtime(&self, iface: InterfaceId, bytes: usize) -> Option<Duration> {
        self.0.get(&iface).map(|ear| ear.profile.time_on_medium(bytes))
    }

    /// Whether a frame is as long as what says an announce over a link.
    pub(crate) const fn may_be_announce(frame: &[u8]) -> bool {
        frame.len() >= ANNOUNCE_TOLD
    }

    /// Whether a channel came up so lately that this node cannot know yet who speaks there.
    pub(crate) fn is_beginning(&self, iface: InterfaceId, now: Instant) -> bool {
        self.0.get(&iface).is_some_and(|ear| now.since(ear.up_at) < BEGINNING)
    }

    /// What stands for so much that was heard, with what was not.
    pub(crate) fn with_unheard(heard: Duration) -> Duration {
        heard.plus(Duration::from_micros(heard.as_micros() / UNHEARD))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use nexus_wire::nexus::gossip::{Done, StateHash, StoreId};
    use nexus_wire::nexus::message::MessageWriter;

    const IFACE: InterfaceId = InterfaceId(3);

    fn at(seconds: u64) -> Instant {
        Instant::from_micros(seconds * 1_000_000)
    }

    #[test]
    fn what_was_on_the_channel_counts_for_ten_minutes_and_it_is_known_when_there_is_room_again() {
        let mut window = Window::default();
        let second = Duration::from_secs(1);
        window.add(at(9), second.times(3), Carrier::Broadcast);
        window.add(at(205), second.times(4), Carrier::OwnLink);
        assert_eq!(window.sum(at(609), 2), second.times(7));
        assert_eq!(window.sum(at(610), 2), second.times(4), "the part in which it was is over");
        assert_eq!(window.falls_to(at(300), second.times(7), 2), Instant::BOOT);
        assert_eq!(window.falls_to(at(300), second.times(5), 2), at(610));
        assert_eq!(window.falls_to(at(300), second, 2), at(810));
        assert_eq!(
            window.sum(at(300), 20),
            second.times(43),
            "of twenty nodes one has a tenth of what links carry"
        );
        assert_eq!(
            window.falls_to(at(300), second.times(40), 20),
            at(610),
            "who learns of more knows what it stood for"
        );
        for n in 0..10_000 {
            window.add(at(1_000 + n * 3), second, Carrier::Broadcast);
        }
        assert!(window.bins.len() <= 61);
    }

    #[test]
    fn what_was_not_opened_counts_for_so_much_at_most_and_what_was_opened_beside_it() {
        let mut window = Window::default();
        let second = Duration::from_secs(1);
        window.add(at(5), second.times(20), Carrier::Unopened);
        assert_eq!(window.sum(at(5), 2), second.times(20));
        window.add(at(15), second.times(200), Carrier::Unopened);
        window.add(at(25), second.times(30), Carrier::Broadcast);
        assert_eq!(window.sum(at(30), 2), second.times(66));
        assert_eq!(window.falls_to(at(30), second.times(66), 2), Instant::BOOT);
        assert_eq!(window.falls_to(at(30), second.times(65), 2), at(620), "the 200 s are over");
        assert_eq!(window.falls_to(at(30), second.times(29), 2), at(630));
    }

    #[test]
    fn of_frames_with_two_ends_each_own_links_carry_two_in_as_many_as_there_are_nodes() {
        let second = Duration::from_secs(1);
        assert_eq!(
            [1, 2, 20].map(|nodes| Carrier::OwnLink.of_all(second, nodes)),
            [second, second, second.times(10)]
        );
    }

    #[test]
    fn nobody_else_is_heard_on_a_cable() {
        let mut ears = Ears::default();
        let profile = crate::announces::tests::profile(Mode::Nexus);
        ears.up(at(0), IFACE, &Profile { reach: Reach::PointToPoint, ..profile });
        assert_eq!(ears.airtime(IFACE, 100), None);
        ears.up(at(5), IFACE, &Profile { reach: Reach::Shared, bandwidth_bps: 8_000, ..profile });
        assert_eq!(ears.airtime(IFACE, 1_000), Some(Duration::from_secs(1)));
        assert!(ears.is_beginning(IFACE, at(1_204)) && !ears.is_beginning(IFACE, at(1_205)));
        assert_eq!([198, 199].map(|bytes| Ears::may_be_announce(&[0; 256][..bytes])), [false, true]);
        ears.down(IFACE);
        assert_eq!(ears.airtime(IFACE, 100), None);
    }

    #[test]
    fn a_plaintext_is_news_if_any_of_its_messages_is() {
        let mut buffer = [0; 100];
        let mut writer = MessageWriter::new(&mut buffer);
        writer.put(&Done { store: StoreId::KEYS, state_hash: StateHash([1; 16]) }).unwrap();
        assert_eq!(Purport::of(writer.finish()), Purport::News);
        assert_eq!(Purport::of(&[0x80 | MessageKind::PING.get(), 1, 2]), Purport::Else);
        assert_eq!(Purport::of(&[]), Purport::Else);
    }
}
