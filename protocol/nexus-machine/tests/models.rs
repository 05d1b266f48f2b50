//! The collections against models that are too simple to be wrong.
#![allow(clippy::unwrap_used, reason = "a test file: a failed unwrap is a failed test")]

use std::collections::BTreeMap;

use nexus_machine::{
    BoundedMap, BoundedQueue, Deadlines, Inserted, Instant, MapOverflow, Pushed, QueueOverflow, Slab,
};
use nexus_testkit::heap;
use proptest::prelude::*;

#[derive(Clone, Debug)]
enum TimerOp {
    Set(u8, u64),
    Cancel(u8),
    PopDue(u64),
}

fn timer_op() -> impl Strategy<Value = TimerOp> {
    prop_oneof![
        4 => (0..12_u8, 0..50_u64).prop_map(|(owner, at)| TimerOp::Set(owner, at)),
        1 => (0..12_u8).prop_map(TimerOp::Cancel),
        2 => (0..50_u64).prop_map(TimerOp::PopDue),
    ]
}

proptest! {
    #[test]
    fn deadlines_fire_as_a_sorted_list_would(ops in prop::collection::vec(timer_op(), 0..400)) {
        let mut deadlines = Deadlines::default();
        let mut model: BTreeMap<u8, u64> = BTreeMap::new();
        for op in ops {
            match op {
                TimerOp::Set(owner, at) => {
                    deadlines.set(owner, Instant::from_micros(at));
                    model.insert(owner, at);
                }
                TimerOp::Cancel(owner) => {
                    deadlines.cancel(owner);
                    model.remove(&owner);
                }
                TimerOp::PopDue(now) => {
                    let due = model.iter().map(|(owner, at)| (*at, *owner)).min().filter(|(at, _)| *at <= now);
                    if let Some((_, owner)) = due {
                        model.remove(&owner);
                    }
                    prop_assert_eq!(deadlines.pop_due(Instant::from_micros(now)), due.map(|(_, owner)| owner));
                }
            }
            prop_assert_eq!(deadlines.next(), model.values().min().copied().map(Instant::from_micros));
            prop_assert_eq!(deadlines.len(), model.len());
        }
    }

    #[test]
    fn a_bounded_map_keeps_the_most_recently_used(
        capacity in 0..6_usize,
        ops in prop::collection::vec((0..10_u8, 0..4_u8), 0..200),
    ) {
        let mut map = BoundedMap::new(capacity, MapOverflow::EvictLeastRecent);
        // Most recently used last.
        let mut model: Vec<u8> = Vec::new();
        for (key, kind) in ops {
            let held = model.iter().position(|other| *other == key);
            match kind {
                0 => {
                    prop_assert_eq!(map.touch(&key), held.is_some());
                    if let Some(at) = held {
                        model.remove(at);
                        model.push(key);
                    }
                }
                1 => {
                    prop_assert_eq!(map.remove(&key), held.map(|_| key));
                    model.retain(|other| *other != key);
                }
                _ => {
                    let expected = match held {
                        Some(at) => {
                            model.remove(at);
                            Inserted::Replaced(key)
                        }
                        None if capacity == 0 => Inserted::Refused(key),
                        None if model.len() == capacity => {
                            let evicted = model.remove(0);
                            Inserted::Evicted(evicted, evicted)
                        }
                        None => Inserted::Fresh,
                    };
                    if capacity > 0 {
                        model.push(key);
                    }
                    prop_assert_eq!(map.insert(key, key), expected);
                }
            }
            prop_assert_eq!(map.least_recent().map(|(key, _)| *key), model.first().copied());
            let mut sorted = model.clone();
            sorted.sort_unstable();
            prop_assert_eq!(map.iter().map(|(key, _)| *key).collect::<Vec<_>>(), sorted);
        }
    }

    #[test]
    fn a_bounded_queue_never_exceeds_either_bound_and_loses_nothing_silently(
        overflow in prop_oneof![Just(QueueOverflow::RefuseNew), Just(QueueOverflow::DropOldest)],
        weights in prop::collection::vec(0..12_usize, 0..200),
    ) {
        let mut queue = BoundedQueue::new(5, 20, overflow);
        let (mut pushed, mut accounted) = (0, 0);
        for (number, weight) in weights.into_iter().enumerate() {
            pushed += 1;
            match queue.push((number, weight), weight) {
                Pushed::Queued => {}
                Pushed::Displaced(older) => accounted += older.len(),
                Pushed::Refused(_) => accounted += 1,
            }
            if number % 3 == 0 && queue.pop().is_some() {
                accounted += 1;
            }
            prop_assert!(queue.len() <= 5 && queue.weight() <= 20);
            prop_assert_eq!(queue.weight(), queue.iter().map(|(_, weight)| weight).sum::<usize>());
            prop_assert_eq!(pushed, accounted + queue.len());
        }
    }

    #[test]
    fn a_key_reaches_its_own_value_or_nothing(ops in prop::collection::vec((any::<bool>(), 0..30_usize), 0..300)) {
        let mut slab = Slab::new(4);
        let mut issued = Vec::new();
        let mut living = BTreeMap::new();
        for (number, (insert, pick)) in ops.into_iter().enumerate() {
            if insert {
                if let Ok(key) = slab.insert(number) {
                    prop_assert!(!issued.contains(&key), "a key is issued once");
                    issued.push(key);
                    living.insert(key, number);
                } else {
                    prop_assert_eq!(living.len(), 4);
                }
            } else if let Some(key) = issued.get(pick) {
                prop_assert_eq!(slab.remove(*key), living.remove(key));
            }
            for key in &issued {
                prop_assert_eq!(slab.get(*key), living.get(key));
            }
            prop_assert_eq!(slab.len(), living.len());
        }
    }
}

#[test]
fn deadlines_moved_for_ever_hold_no_more_heap_than_a_few() {
    let mut deadlines = Deadlines::default();
    let ((), growth) = heap::growth_of(|| {
        for round in 0..100_000_u64 {
            deadlines.set(u32::try_from(round % 8).unwrap(), Instant::from_micros(1_000_000 + round));
        }
    });
    assert!(growth < 4_096, "{growth} bytes for eight deadlines");
}
