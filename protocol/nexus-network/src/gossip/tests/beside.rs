//! A hostile neighbour beside an honest one: what it costs in memory, work and airtime, and that the honest one loses nothing by it.

use alloc::vec;
use alloc::vec::Vec;

use nexus_machine::{Duration, Instant, MemoryBound as _, Seed};
use nexus_testkit::heap;
use nexus_wire::nexus::Layout as _;
use nexus_wire::nexus::gossip::{Done, Form, ItemId, ItemsBuilder, Request, Slice, StateHash, Summary};
use nexus_wire::nexus::message::MessageKind;

use super::world::{STORE, World};
use crate::gossip::{Gossip, Input, Limits};
use crate::media::Tier;

/// What links carry, in bits per second, and a tenth of ten minutes of it, in bytes.
const BPS: u64 = 100_000;
const TENTH: usize = 100_000 / 8 * 600 / 10;
/// For how long the hostile one goes on, in seconds, and how many messages it says in each.
const LASTS: u64 = 300;
const EACH_SECOND: u64 = 100;
/// What the store holds at first.
const ITEMS: usize = 400;

/// What the hostile one says all the time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Habit {
    HoldsEverything,
    HoldsNothing,
    HoldsWhatNobodyKnows,
    RowsThatAreNone,
    States,
    Items,
    BadItems,
    Requests,
    Questions,
    Nothing,
}

const HABITS: [Habit; 10] = [
    Habit::HoldsEverything,
    Habit::HoldsNothing,
    Habit::HoldsWhatNobodyKnows,
    Habit::RowsThatAreNone,
    Habit::States,
    Habit::Items,
    Habit::BadItems,
    Habit::Requests,
    Habit::Questions,
    Habit::Nothing,
];

#[test]
fn whatever_a_neighbour_says_it_costs_a_bounded_share_and_the_honest_one_beside_it_loses_nothing() {
    for habit in HABITS {
        let mut world = World::new(1, 3, &[(0, 1), (0, 2)], BPS);
        world.puppet = Some(2);
        world.publish_random(0, ITEMS);
        world.up_all();
        world.run(Duration::from_secs(120));
        let asked: Vec<[u8; 32]> = world.nodes[0].items.keys().take(255).map(|id| id.0).collect();
        let mut news = Vec::new();
        for second in 0..LASTS {
            if second == LASTS / 2 {
                // In the middle of it there are news on both sides.
                news = [0, 1].map(|n| world.publish(n, vec![0xaa; 40 + n])).to_vec();
                let took = world.run_until(Duration::from_secs(120), |world| know(world, &news));
                // Good items are passed on, the newest first: others' wait until the flood is over.
                assert!(took.is_some() || habit == Habit::Items, "{habit:?}: the honest one waits");
            }
            for _ in 0..EACH_SECOND {
                if let Some((kind, body)) = habit.says(&mut world, &asked) {
                    world.tell(0, Input::Heard { link: world.link(1), kind, body });
                }
                world.run(Duration::from_millis(1_000 / EACH_SECOND));
            }
        }
        let took = world.run_until(Duration::from_secs(1_800), |world| know(world, &news));
        // How many of one neighbour a store holds is the store's to bound; this one holds all that are good.
        assert!(
            took.is_some() || habit == Habit::Items,
            "{habit:?}: the honest one did not hear, or was not heard"
        );
        world.run(Duration::from_secs(600));
        habit.costs(world);
    }
}

impl Habit {
    fn says(self, world: &mut World, asked: &[[u8; 32]]) -> Option<(MessageKind, Vec<u8>)> {
        Some(match self {
            Self::HoldsEverything => summary(world, u32::MAX, Form::Bloom, &[0xff; 400]),
            Self::HoldsNothing => summary(world, 0, Form::Bloom, &[]),
            Self::HoldsWhatNobodyKnows => {
                let filter = world.random.bytes::<400>();
                summary(world, 300, Form::Bloom, &filter)
            }
            Self::RowsThatAreNone => {
                let mut symbols = world.random.bytes::<402>();
                symbols[..2].fill(0);
                summary(world, 300, Form::Sketch, &symbols)
            }
            Self::States => {
                let state_hash = StateHash(world.random.bytes());
                (MessageKind::DONE, Done { store: STORE, state_hash }.encode(&mut [0; 17]).ok()?.to_vec())
            }
            Self::Items => items(&[&world.random.bytes::<32>(), &world.random.bytes::<32>()]),
            Self::BadItems => items(&[&[1; 13], &[2; 13], &[3; 13]]),
            Self::Requests => request(asked),
            Self::Questions => {
                let mut questions = [[0xee; 32]; 8];
                for id in &mut questions {
                    id[1..9].copy_from_slice(&world.random.bytes::<8>());
                }
                request(&questions)
            }
            Self::Nothing => return None,
        })
    }

    /// Holds what it cost to the bounds of spec/network.md#rounds.
    fn costs(self, mut world: World) {
        // Airtime: of both links, a tenth of any ten minutes, in frames that are counted.
        for edge in &world.edges {
            for (at, _) in &edge.left[usize::from(edge.ends[0] != 0)] {
                let within = |of: &Instant| *of >= *at && of.since(*at) <= Duration::from_secs(600);
                let left = edge.left[usize::from(edge.ends[0] != 0)].iter();
                let bytes: usize = left.filter(|(of, _)| within(of)).map(|(_, bytes)| bytes).sum();
                assert!(bytes <= TENTH, "{self:?}: {bytes} bytes in ten minutes");
            }
        }
        // Work: what is compared, judged, answered and summarised. The honest one has its share of each.
        let lasted = LASTS + 840 + 1_800;
        let tally = *world.nodes[0].gossip.tally();
        let compared = tally.heard.summaries - world.nodes[0].gossip.refusals().hasty_summary;
        assert!(compared <= 2 * 96 + lasted / 2, "{self:?}: {compared} summaries compared");
        // Whoever it is passed on to judges as well, at the rate at which it is passed on.
        let judged = world.judged_at[0];
        assert!(judged <= 2_000 + 1_024 + 51 * 300, "{self:?}: {judged} items judged");
        assert!(tally.said.summaries <= 2 * 8 * (6 + lasted / 20), "{self:?}: {tally:?}");
        let said = u64::try_from(ITEMS).unwrap();
        assert!(tally.said.items <= 8 * said + 128 + 2 * lasted + 448 + 20 * 300, "{self:?}: {tally:?}");
        // Memory: what the organ holds on the heap, against what it is to hold at most.
        let fresh = Gossip::new(&[(STORE, Tier::Payment)], Limits::default(), &Seed::new([0; 32]));
        let organ = core::mem::replace(&mut world.nodes[0].gossip, fresh);
        let (bound, items) = (organ.memory_bound(), organ.stores().map(|store| store.items).sum::<usize>());
        let ((), freed) = heap::growth_of(|| drop(organ));
        let held = usize::try_from(-freed).unwrap();
        assert!(held <= bound, "{self:?}: {held} of {bound}");
        // Of the index each item takes what it takes; beside it two neighbours are a few kilobytes.
        assert!(held <= 320 * items + 131_072, "{self:?}: {held} bytes with {items} items");
    }
}

// ───────────── helpers ─────────────

/// Whether both honest ones hold all of these.
fn know(world: &World, news: &[ItemId]) -> bool {
    [0, 1].iter().all(|n| news.iter().all(|id| world.nodes[*n].items.contains_key(id)))
}

fn summary(world: &mut World, count: u32, form: Form, filter: &[u8]) -> (MessageKind, Vec<u8>) {
    let summary = Summary {
        store: STORE,
        round: world.random.next_u32(),
        state_hash: StateHash(world.random.bytes()),
        count,
        salt: world.random.next_u32(),
        form,
        slice: Slice::WHOLE,
        filter,
    };
    (MessageKind::SUMMARY, summary.encode(&mut [0; 600]).unwrap().to_vec())
}

fn items(bodies: &[&[u8]]) -> (MessageKind, Vec<u8>) {
    let mut buffer = [0; 1_000];
    let mut builder = ItemsBuilder::new(STORE, &mut buffer);
    for body in bodies {
        builder.push(body).unwrap();
    }
    (MessageKind::ITEMS, builder.finish().unwrap().encode(&mut [0; 1_000]).unwrap().to_vec())
}

fn request(ids: &[[u8; 32]]) -> (MessageKind, Vec<u8>) {
    let body = Request::new(STORE, ids).unwrap();
    (MessageKind::REQUEST, body.encode(&mut [0; 10_000]).unwrap().to_vec())
}
