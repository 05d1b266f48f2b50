//! Feeders behind fast cables, a relay, and a narrow link to where all of it goes.

use nexus_crypto::NodePublic;
use nexus_machine::{Duration, Seed};
use nexus_network::{Mode, Profile, Weight};
use nexus_node::Command;
use nexus_wire::nexus::frame::SEALED_OVERHEAD;
use nexus_wire::nexus::traffic::{self, Class};
use nexus_wire::reticulum::packet::HEADER_1_LEN;

use super::{Codec, Pace, Stream, Tally, offers};
use crate::actor::Actor;
use crate::clock::WorldTime;
use crate::layout::{Layout, MediumPlan, cable, fast};
use crate::line::Line;
use crate::observation::{NodeIndex, Observer};
use crate::schedule::Action;
use crate::world::{self, Scenario};

/// Who passes everything on,
pub const RELAY: NodeIndex = NodeIndex(0);
/// and whither.
pub const SINK: NodeIndex = NodeIndex(1);

/// The feeder of this number.
#[must_use]
pub const fn feeder(number: u32) -> NodeIndex {
    NodeIndex(number + 2)
}

/// What is narrow.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Neck {
    /// A radio channel of SF7 at 250 kHz of chips without firmware: the node listens before it talks.
    Transceivers,
    /// The same of `RNodes`, whose firmware contends.
    Rnodes,
    /// A cable of 1 Mbit/s.
    Cable,
}

/// A packet's payload is in a frame this much longer: the packet's header, its kind and class, and the seal.
pub const AROUND_PAYLOAD: usize = HEADER_1_LEN + 1 + traffic::Packet::HEADER_LEN + SEALED_OVERHEAD;

/// The longest payload that a node originates: what bulk is made of.
pub const LONGEST: u16 = 461;

/// Such a world.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Funnel {
    /// What is narrow in it.
    pub neck: Neck,
    /// How many feed.
    pub feeders: u32,
}

/// When what happens.
#[derive(Clone, Copy, Debug)]
pub struct Times {
    /// Nodes have found each other: load begins.
    pub load: WorldTime,
    /// It is steady: what is offered from here on counts,
    pub from: WorldTime,
    /// until here; what was offered has time to arrive, under the same load.
    pub until: WorldTime,
    /// The end.
    pub end: WorldTime,
}

impl Funnel {
    /// Its nodes and media. The first medium is the neck.
    #[must_use]
    pub fn layout(self) -> Layout {
        let mut media = vec![self.neck()];
        media.extend((0..self.feeders).map(|number| wire(FEED_BPS, RELAY, feeder(number))));
        Layout { nodes: self.feeders + 2, media }
    }

    fn neck(self) -> MediumPlan {
        match self.neck {
            Neck::Transceivers => Layout::bare(fast(), 2).media.remove(0),
            Neck::Rnodes => Layout::lora(fast(), 2).media.remove(0),
            Neck::Cable => wire(NECK_BPS, RELAY, SINK),
        }
    }

    /// When what happens in it. Radios take minutes to link.
    #[must_use]
    pub fn times(self) -> Times {
        let at = |seconds| WorldTime::from_start(Duration::from_secs(seconds));
        match self.neck {
            Neck::Transceivers | Neck::Rnodes => {
                Times { load: at(600), from: at(630), until: at(780), end: at(810) }
            }
            Neck::Cable => Times { load: at(60), from: at(65), until: at(85), end: at(90) },
        }
    }

    /// For how long a packet of such a payload occupies the neck.
    #[must_use]
    pub fn occupies(self, payload: u16) -> Duration {
        let profile: Profile = self.neck().profile;
        profile.airtime(usize::from(payload) + AROUND_PAYLOAD)
    }

    /// Packets from a feeder to the sink that occupy so many thousandths of the neck.
    #[must_use]
    pub fn stream(self, number: u32, class: Class, bytes: u16, permille: u64) -> Stream {
        let Times { load: since, end: until, .. } = self.times();
        let apart = Duration::from_micros(self.occupies(bytes).as_micros() * 1_000 / permille);
        Stream { from: feeder(number), to: SINK, class, bytes, pace: Pace::Random(apart), since, until }
    }

    /// Speech of a feeder, in as many calls as occupy at most so many thousandths of the neck.
    #[must_use]
    pub fn calls(self, number: u32, codec: Codec, permille: u64) -> Vec<Stream> {
        let Times { load, end, .. } = self.times();
        let each = self.occupies(codec.bytes()).as_micros() * 1_000 / codec.packet.as_micros();
        let call = codec.stream(feeder(number), SINK, load, end);
        vec![call; usize::try_from(permille / each.max(1)).expect("a few calls")]
    }

    /// How many thousandths of the neck some streams occupy together.
    #[must_use]
    pub fn load_permille(self, streams: &[Stream]) -> u64 {
        let ppm = |stream: &Stream| {
            self.occupies(stream.bytes).as_micros() * 1_000_000 / stream.pace.apart().as_micros().max(1)
        };
        streams.iter().map(ppm).sum::<u64>() / 1_000
    }

    /// Runs it under this load.
    #[must_use]
    pub fn run<A: Actor>(self, streams: &[Stream], seed: Seed) -> Tally {
        self.weighed::<A>(streams, &[], seed)
    }

    /// The same where the relay's operator gives the feeders of these numbers so many times what others have.
    #[must_use]
    pub fn weighed<A: Actor>(self, streams: &[Stream], weights: &[(u32, Weight)], seed: Seed) -> Tally {
        self.watched::<A>(streams, weights, seed, &mut [])
    }

    /// The same before the eyes of others.
    #[must_use]
    pub fn watched<A: Actor>(
        self,
        streams: &[Stream],
        weights: &[(u32, Weight)],
        seed: Seed,
        also: &mut [&mut dyn Observer],
    ) -> Tally {
        let Times { from, until, end, .. } = self.times();
        let mut scenario = Scenario::calm(seed, self.layout(), end.since(WorldTime::START));
        let ids = scenario.identities();
        for (number, weight) in weights {
            let node = ids[feeder(*number).place()].node_id();
            scenario.schedule.push((
                WorldTime::from_start(WEIGHED_AT),
                Action::Tell(RELAY, Command::Weigh { node, weight: *weight }),
            ));
        }
        under_load::<A>(scenario, streams, (from, until), also)
    }
}

/// Before links are up, or after: it counts for those that come too.
const WEIGHED_AT: Duration = Duration::from_secs(2);

/// Runs a world under load, and counts what is offered in this time.
pub(crate) fn under_load<A: Actor>(
    mut scenario: Scenario,
    streams: &[Stream],
    (from, until): (WorldTime, WorldTime),
    also: &mut [&mut dyn Observer],
) -> Tally {
    let ids: Vec<_> = scenario.identities().iter().map(NodePublic::node_id).collect();
    scenario.schedule.extend(offers(streams, &ids, &scenario.seed));
    let mut tally = Tally::of(streams, from, until);
    let mut observers: Vec<&mut dyn Observer> = vec![&mut tally];
    for observer in also {
        observers.push(&mut **observer);
    }
    world::run::<A>(&scenario, &mut observers);
    tally
}

/// A cable that speaks links.
pub(crate) fn wire(bps: u64, one: NodeIndex, other: NodeIndex) -> MediumPlan {
    let plan = cable(one.0, other.0);
    let profile = Profile { mode: Mode::Nexus, bandwidth_bps: bps, ..plan.profile };
    MediumPlan { profile, line: Some(Line::plain(bps)), delay: WIRE_DELAY, ..plan }
}

/// What feeds is ten times as fast as a neck of wire: nothing is scarce there.
const FEED_BPS: u64 = 10_000_000;
const NECK_BPS: u64 = 1_000_000;
const WIRE_DELAY: Duration = Duration::from_millis(2);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn streams_occupy_as_much_of_the_neck_as_they_are_to() {
        for neck in [Neck::Transceivers, Neck::Rnodes, Neck::Cable] {
            let funnel = Funnel { neck, feeders: 3 };
            let streams =
                [funnel.stream(0, Class::Bulk, LONGEST, 2_000), funnel.stream(1, Class::Standard, 100, 500)];
            assert!((2_490..=2_510).contains(&funnel.load_permille(&streams)), "{neck:?}");
        }
    }

    #[test]
    fn one_call_fits_a_third_of_a_slow_channel_and_twenty_two_fit_a_fifth_of_a_wire() {
        let calls = |neck, codec, permille| Funnel { neck, feeders: 1 }.calls(0, codec, permille).len();
        assert_eq!(calls(Neck::Transceivers, Codec::SLOW, 300), 1);
        assert_eq!(calls(Neck::Cable, Codec::FAST, 200), 22);
    }
}
