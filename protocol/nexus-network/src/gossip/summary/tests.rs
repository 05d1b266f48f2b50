use alloc::collections::BTreeSet;
use alloc::vec::Vec;

use nexus_crypto::hash::blake3;
use nexus_wire::nexus::gossip::{Form, ItemId, Slice, StateHash, StoreId, Summary};
use proptest::prelude::*;

use super::*;

/// Nodes that share `common` items, and hold others of their own.
fn stores(common: u32, others: [u32; 2]) -> [Store; 2] {
    let id = |side: u32, number: u32| ItemId(blake3(&[&side.to_le_bytes(), &number.to_le_bytes()]));
    [0, 1].map(|side: u32| {
        let shared = (0..common).map(|number| id(2, number));
        let alone = (0..others[side as usize]).map(|number| id(side, number));
        Store { ids: shared.chain(alone).collect(), comparison: Comparison::new() }
    })
}

struct Store {
    ids: BTreeSet<ItemId>,
    comparison: Comparison,
}

impl Store {
    fn own(&self) -> Own<impl Iterator<Item = &ItemId> + Clone> {
        let mut sum = [0; 16];
        for id in &self.ids {
            sum.iter_mut().zip(id.0).for_each(|(sum, byte)| *sum ^= byte);
        }
        let count = self.ids.len().try_into().unwrap();
        Own { ids: self.ids.iter(), count, state_hash: StateHash(sum) }
    }

    fn tell(&mut self, salt: u32, room: Room) -> Vec<Told> {
        let mut comparison = core::mem::take(&mut self.comparison);
        let told = comparison.tell(&self.own(), salt, room);
        self.comparison = comparison;
        told
    }

    fn hear(&mut self, summary: &Summary<'_>, most: usize) -> Vec<ItemId> {
        let mut comparison = core::mem::take(&mut self.comparison);
        let lacking = comparison.hear(summary, &self.own(), most);
        self.comparison = comparison;
        lacking
    }
}

/// Both tell each other in turn what they hold until they hold the same: how many rounds.
fn converge([left, right]: &mut [Store; 2], room: Room, rounds: u32) -> Option<u32> {
    for round in 0..rounds {
        for side in 0..2 {
            let (teller, hearer) =
                if side == 0 { (&mut *left, &mut *right) } else { (&mut *right, &mut *left) };
            if teller.ids == hearer.ids {
                return Some(round);
            }
            let salt = round * 2 + side;
            let told = teller.tell(salt, room);
            let mut sent = BTreeSet::new();
            for told in told {
                assert!(
                    told.filter.len() <= room.filter_for(teller.own().count),
                    "as long as is reckoned with"
                );
                let lacking = hearer.hear(&told.summary(StoreId::KEYS, round, &teller.own()), usize::MAX);
                hearer.comparison.sent(lacking.len().try_into().unwrap());
                assert!(lacking.into_iter().all(|id| sent.insert(id)), "sent twice");
            }
            teller.ids.extend(sent);
        }
    }
    (left.ids == right.ids).then_some(rounds)
}

#[test]
fn stores_that_differ_in_little_agree_in_a_round_whatever_they_hold_in_common() {
    for common in [10, 100, 1_000, 10_000] {
        for others in [[0, 1], [1, 0], [1, 1], [0, 2]] {
            for room in [Room::AMPLE, Room::NARROW, Room::NARROWEST] {
                let rounds = converge(&mut stores(common, others), room, 6);
                assert!(rounds.is_some_and(|rounds| rounds <= 2), "{common} {others:?} {room:?}: {rounds:?}");
            }
        }
    }
}

#[test]
fn stores_that_differ_in_much_agree() {
    for (common, others) in [(0, [100, 100]), (1_000, [500, 500]), (3_000, [3_000, 0]), (10_000, [150, 150])]
    {
        let rounds = converge(&mut stores(common, others), Room::AMPLE, 40);
        assert!(rounds.is_some_and(|rounds| rounds <= 14), "{common} {others:?}: {rounds:?}");
    }
    for (room, bound) in [(Room::NARROW, 20), (Room::NARROWEST, 100)] {
        let rounds = converge(&mut stores(1_000, [50, 50]), room, bound);
        assert!(rounds.is_some(), "{room:?}");
    }
}

#[test]
fn a_newcomer_is_known_by_its_empty_filter_and_lacks_all_that_is_asked_for() {
    let [mut newcomer, mut old] = stores(0, [0, 1_000]);
    let told = newcomer.tell(7, Room::AMPLE);
    assert_eq!(told.len(), 1);
    assert!(told[0].filter.is_empty());
    let summary = told[0].summary(StoreId::KEYS, 0, &newcomer.own());
    assert!(is_newcomer(&summary));
    assert_eq!(old.hear(&summary, 10).len(), 10);
    assert!(is_newcomer(&Summary { count: 9, filter: &[0; 40], ..summary }));
    assert!(!is_newcomer(&Summary { filter: &[0, 0, 1], ..summary }));
}

#[test]
fn a_bloom_filter_has_the_length_and_the_false_positives_that_are_specified() {
    assert_eq!([100, 1_000].map(bloom::bytes_for), [120, 1_200]);
    let [held, other] = stores(0, [1_000, 100_000]);
    let filter = bloom::filter(held.ids.iter(), 5, Slice::WHOLE, 1_200);
    assert_eq!(
        bloom::missing(&filter, held.ids.iter(), 5, Slice::WHOLE).count(),
        0,
        "nothing held is missed"
    );
    let hidden = 100_000 - bloom::missing(&filter, other.ids.iter(), 5, Slice::WHOLE).count();
    assert!((900..=1_100).contains(&hidden), "{hidden} of 100,000");
}

#[test]
fn what_one_salt_hides_another_shows() {
    let [held, other] = stores(0, [1_000, 100_000]);
    let hidden_by = |salt| {
        let filter = bloom::filter(held.ids.iter(), salt, Slice::WHOLE, 1_200);
        let missing: BTreeSet<ItemId> =
            bloom::missing(&filter, other.ids.iter(), salt, Slice::WHOLE).copied().collect();
        other.ids.difference(&missing).copied().collect::<BTreeSet<_>>()
    };
    let twice = hidden_by(1).intersection(&hidden_by(2)).count();
    assert!(twice <= 30, "{twice} of about 1,000 hidden are hidden again: a hundredth");
}

#[test]
fn an_item_hidden_by_a_false_positive_arrives_by_the_next_round() {
    let [mut held, mut one] = stores(20, [0, 1]);
    let salts = (0..u32::MAX).filter(|salt| {
        let filter = bloom::filter(held.ids.iter(), *salt, Slice::WHOLE, 24);
        bloom::missing(&filter, one.ids.iter(), *salt, Slice::WHOLE).count() == 0
    });
    let hiding = salts.clone().next().unwrap();
    let told = held.tell(hiding, Room::AMPLE);
    assert_eq!(told[0].form, Form::Bloom);
    assert_eq!(one.hear(&told[0].summary(StoreId::KEYS, 0, &held.own()), 9), []);
    let told = held.tell(hiding + 1, Room::AMPLE);
    assert_eq!(one.hear(&told[0].summary(StoreId::KEYS, 1, &held.own()), 9).len(), 1);
}

#[test]
fn slices_part_the_item_space_evenly_and_wholly() {
    let [held, _] = stores(0, [10_000, 0]);
    for slices in [2, 3, 100, Slice::MAX_COUNT] {
        let mut sum = 0;
        for index in 0..slices {
            let slice = Slice::new(index, slices).unwrap();
            let inside = bloom::missing(&[], held.ids.iter(), 3, slice).count();
            let mean = 10_000 / usize::from(slices);
            assert!((mean / 2..=mean * 2).contains(&inside), "{inside} of {mean} in {slice:?}");
            sum += inside;
        }
        assert_eq!(sum, 10_000);
    }
}

#[test]
fn a_name_is_at_each_place_as_often_as_the_distribution_says() {
    const NAMES: u32 = 40_000;
    let mut at = [0_u32; 400];
    for name in 0..NAMES {
        let mut before = None;
        for place in sketch::Item::called(u64::from(name) * 0x1_0000_0001).places() {
            assert!(before < Some(place) && place < sketch::SYMBOLS_MAX);
            before = Some(place);
            if let Some(count) = at.get_mut(usize::from(place)) {
                *count += 1;
            }
        }
    }
    for (place, count) in (0_u32..).zip(at) {
        let chance = 1.0 / (1.0 + f64::from(place) / 2.0);
        let (mean, variance) = (f64::from(NAMES) * chance, f64::from(NAMES) * chance * (1.0 - chance));
        let off = (f64::from(count) - mean).abs();
        assert!(off <= 4.5 * variance.sqrt(), "place {place}: {count}, not about {mean}");
    }
}

#[test]
fn so_many_symbols_as_are_reckoned_with_are_mostly_enough() {
    for differences in [1, 2, 3, 5, 8, 13, 30, 100, 300] {
        let symbols = sketch::symbols_for(differences).try_into().unwrap();
        let [left, right] = stores(50, [differences.div_ceil(2), differences / 2]);
        let whole = (0..100).filter(|salt| {
            let found = difference(&left, &right, *salt, 0..symbols);
            found.explained == peeling::Explained::Whole && found.names.len() == differences as usize
        });
        let whole = whole.count();
        assert!(whole >= 75, "{differences} differences: {whole} in a hundred of {symbols} symbols");
    }
}

/// The symbols at `places` in one message.
fn one(store: &Store, salt: u32, places: core::ops::Range<u16>) -> Vec<u8> {
    sketch::filters(store.ids.iter(), salt, Slice::WHOLE, places, u16::MAX).next().unwrap()
}

fn difference(left: &Store, right: &Store, salt: u32, places: core::ops::Range<u16>) -> peeling::Peeled {
    let filter = one(left, salt, places);
    let (start, symbols) = sketch::read(&filter).unwrap();
    let mut row = peeling::Row::default();
    row.append(start, symbols);
    for (_, marks) in marks::in_slice(right.ids.iter(), salt, Slice::WHOLE) {
        row.toggle(sketch::Item::called(marks.name()));
    }
    row.peel()
}

#[test]
fn a_row_with_a_hole_where_a_message_was_lost_gives_up_its_names_further_on() {
    let [left, right] = stores(100, [20, 20]);
    let mut row = peeling::Row::default();
    for places in [0..10, 30..58, 50..116] {
        let filter = one(&left, 3, places);
        let (start, symbols) = sketch::read(&filter).unwrap();
        row.append(start, symbols);
    }
    assert_eq!(row.len(), 96);
    for (_, marks) in marks::in_slice(right.ids.iter(), 3, Slice::WHOLE) {
        row.toggle(sketch::Item::called(marks.name()));
    }
    let peeled = row.peel();
    assert_eq!((peeled.names.len(), peeled.explained), (40, peeling::Explained::Whole));
}

#[test]
fn whoever_waits_for_more_tells_nothing_else_and_the_row_goes_on() {
    let [mut left, mut right] = stores(1_000, [100, 100]);
    let first = left.tell(1, Room::AMPLE);
    assert_eq!((first.len(), first[0].form), (1, Form::Sketch));
    assert_eq!(right.hear(&first[0].summary(StoreId::KEYS, 0, &left.own()), 1_000), []);
    let waiting = right.tell(2, Room::AMPLE);
    assert_eq!((waiting.len(), waiting[0].filter.as_slice()), (1, [0, 0].as_slice()));
    left.hear(&waiting[0].summary(StoreId::KEYS, 0, &right.own()), 1_000);
    let second = left.tell(3, Room::AMPLE);
    let (start, _) = sketch::read(&second[0].filter).unwrap();
    assert_eq!((second[0].salt, usize::from(start)), (1, (first[0].filter.len() - 2) / 8));
}

#[test]
fn a_store_that_changed_is_told_from_the_beginning() {
    let [mut left, right] = stores(1_000, [100, 100]);
    left.tell(1, Room::AMPLE);
    left.ids.extend(right.ids.difference(&left.ids.clone()).take(1));
    let again = left.tell(2, Room::AMPLE);
    let (start, _) = sketch::read(&again[0].filter).unwrap();
    assert_eq!((again[0].salt, start), (2, 0));
}

#[test]
fn two_that_wait_for_each_other_go_on_after_a_loss() {
    let [mut left, mut right] = stores(1_000, [100, 100]);
    let rows = [left.tell(1, Room::AMPLE), right.tell(2, Room::AMPLE)];
    right.hear(&rows[0][0].summary(StoreId::KEYS, 0, &left.own()), 9);
    left.hear(&rows[1][0].summary(StoreId::KEYS, 0, &right.own()), 9);
    let told = [left.tell(3, Room::AMPLE), right.tell(4, Room::AMPLE)];
    let waiting = told.iter().filter(|told| told[0].filter.len() == 2).count();
    assert_eq!(waiting, 1, "one waits, the other tells");
    assert!(converge(&mut [left, right], Room::AMPLE, 20).is_some());
}

#[test]
fn a_neighbour_that_never_lets_its_row_end_costs_a_bounded_memory() {
    let [mut liar, mut node] = stores(100, [50, 0]);
    let symbols: Vec<u8> = (0..58_u64).flat_map(|n| blake3(&[&n.to_le_bytes()])[..8].to_vec()).collect();
    for start in (0..u16::MAX).step_by(58) {
        let filter = [start.to_le_bytes().as_slice(), &symbols].concat();
        let told = Told { salt: 1, form: Form::Sketch, slice: Slice::WHOLE, filter };
        if !(4_000..=60_000).contains(&start) {
            node.hear(&told.summary(StoreId::KEYS, 0, &liar.own()), 10);
        }
    }
    assert_eq!(node.comparison.heard_symbols(), usize::from(sketch::SYMBOLS_MAX));
    for salt in 0..200 {
        let told = node.tell(salt, Room::AMPLE);
        assert!(told.len() <= 36, "{} messages", told.len());
    }
    liar.comparison.agreed();
}

fn any_summary() -> impl Strategy<Value = (u32, u32, bool, u8, u8, Vec<u8>)> {
    let filter = prop_oneof![
        proptest::collection::vec(any::<u8>(), 0..480),
        (0..480_usize).prop_map(|len| alloc::vec![0xff; len]),
        (0..480_usize).prop_map(|len| alloc::vec![0; len]),
    ];
    (any::<u32>(), any::<u32>(), any::<bool>(), 0..127_u8, 1..=127_u8, filter)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_two_stores_agree(
        common in 0..400_u32, left in 0..60_u32, right in 0..60_u32, room in 0..3_usize,
    ) {
        let room = [Room::AMPLE, Room::NARROW, Room::NARROWEST][room];
        prop_assert!(converge(&mut stores(common, [left, right]), room, 120).is_some());
    }

    #[test]
    fn any_summaries_are_harmless(summaries in proptest::collection::vec(any_summary(), 1..6)) {
        let [mut node, _] = stores(30, [10, 0]);
        for (count, salt, is_sketch, index, slices, filter) in &summaries {
            let slice = Slice::new(*index % slices, *slices).unwrap();
            let form = if *is_sketch { Form::Sketch } else { Form::Bloom };
            let summary = Summary {
                store: StoreId::KEYS, round: 0, state_hash: StateHash([1; 16]), count: *count, salt: *salt, form, slice, filter,
            };
            prop_assert!(node.hear(&summary, 5).len() <= 5);
            for told in node.tell(*salt, Room::AMPLE) {
                prop_assert!(told.filter.len() <= Room::AMPLE.filter_max());
            }
        }
    }
}
