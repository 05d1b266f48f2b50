use super::super::choice::{Approach, Stance};
use super::super::distance::{Bounds, Distance};
use super::super::entry::Stage;
use super::super::policy::PathPolicy;
use super::*;
use crate::links::{LinkId, Trust};
use nexus_machine::{Key, Seed};
use nexus_testkit::heap;
use nexus_wire::nexus::code::{BandwidthCode, PriceCode};
use nexus_wire::nexus::path_cost::{CompactPathCost, CostCode, Generation, Hop, HopCount, LatencyMs};
use nexus_wire::reticulum::RandomHash;

use crate::interface::InterfaceId;

#[test]
fn every_path_that_was_put_in_is_found_until_it_is_removed() {
    let mut table = table(4_000);
    for n in 0..1_000 {
        for link in 0..3 {
            assert_eq!(table.put(&claim(n, link, 10), 0, 100), Put::Held);
        }
    }
    for n in 0..1_000 {
        let mut found: Vec<u16> = table.paths(&address(n)).map(slot).collect();
        found.sort_unstable();
        assert_eq!(found, [0, 1, 2], "{n}");
    }
    for n in (0..1_000).step_by(2) {
        assert!(table.remove(&address(n), over(1)) && !table.remove(&address(n), over(1)));
    }
    assert_eq!(table.len(), 2_500);
    for n in 0..1_000 {
        assert_eq!(table.paths(&address(n)).count(), if n % 2 == 0 { 2 } else { 3 }, "{n}");
    }
    let freed = table.entries.len();
    (1_000..1_500).for_each(|n| assert_eq!(table.put(&claim(n, 0, 10), 0, 100), Put::Held));
    assert_eq!(table.entries.len(), freed, "what was freed is used again");
}

#[test]
fn a_fifth_path_takes_the_place_of_the_worst_or_is_refused() {
    let mut table = table(16);
    for (link, price) in [(0, 10), (1, 40), (2, 20), (3, 30)] {
        table.put(&claim(1, link, price), 0, 100);
    }
    assert_eq!(table.put(&claim(1, 4, 50), 0, 100), Put::Refused);
    assert_eq!(table.put(&claim(1, 4, 25), 0, 100), Put::Held);
    let mut links: Vec<u16> = table.paths(&address(1)).map(slot).collect();
    links.sort_unstable();
    assert_eq!(links, [0, 2, 3, 4]);
    let newer = Claim { random_hash: RandomHash::new([0; 5], 9), ..claim(1, 5, 900) };
    assert_eq!(table.put(&newer, 0, 100), Put::Held, "of a newer edition, whatever it costs");
    assert_eq!(table.len(), 4);
}

#[test]
fn at_the_bound_the_stale_and_least_used_goes_first_and_then_the_least_reliable() {
    let mut table = table(4);
    for (n, at, life) in [(0, 0, 10), (1, 1, 10), (2, 2, 500), (3, 3, 500)] {
        table.put(&claim(n, 0, 10), at, life);
    }
    table.get_mut(&address(0), over(0)).unwrap().use_at(90);
    assert_eq!(
        table.put(&claim(4, 0, 10), 100, 500),
        Put::Evicted(address(1)),
        "stale, and unused for longer"
    );
    assert_eq!(table.put(&claim(5, 0, 10), 100, 500), Put::Evicted(address(0)), "stale");
    for _ in 0..9 {
        table.get_mut(&address(3), over(0)).unwrap().sent();
    }
    assert_eq!(table.put(&claim(6, 0, 10), 100, 500), Put::Evicted(address(3)), "never proved");
    assert_eq!(table.put(&claim(7, 0, 10), 100, 500), Put::Evicted(address(2)), "unused for longest");
    assert_eq!(table.len(), 4);
}

#[test]
fn a_large_full_table_makes_room_within_a_window() {
    let mut table = table(2_000);
    for n in 0..6_000 {
        table.put(&claim(n, 0, 10), n, 100_000);
    }
    assert_eq!(table.len(), 2_000);
    let newer = (3_000..6_000).filter(|n| table.paths(&address(*n)).next().is_some()).count();
    assert!(newer > 1_500, "what was used of late stays: {newer}");
}

#[test]
fn it_holds_no_more_than_it_declares_and_grows_with_what_it_holds() {
    for capacity in [0, 1, 100, 1_000, 4_096] {
        let (mut table, _) = heap::growth_of(|| table(capacity));
        let ((), held) = heap::growth_of(|| (0..100).for_each(|n| _ = table.put(&claim(n, 0, 1), 0, 9)));
        let ((), more) = heap::growth_of(|| (100..9_000).for_each(|n| _ = table.put(&claim(n, 0, 1), 0, 9)));
        let all = usize::try_from(held + more).unwrap();
        assert!(all <= table.memory_bound(), "{all} of {}", table.memory_bound());
        assert!(held < 20_000, "a few paths need little room: {held}");
        assert_eq!(table.len(), capacity.min(9_000));
    }
}

/// An entry, its place in the chain of its next hop, and its share of the buckets: what [`Table`] is said to cost.
#[test]
fn a_million_paths_over_a_thousand_links_take_77_bytes_each_all_in() {
    const PATHS: u32 = 1_000_000;
    let fill = || {
        let mut table = table(usize::try_from(PATHS).expect("it fits"));
        for n in 0..PATHS {
            let link = u16::try_from(n % 1_000).expect("it is below a thousand");
            assert_eq!(table.put(&claim(n, link, 10), 0, 100), Put::Held);
        }
        table
    };
    let (table, held) = heap::growth_of(fill);
    assert_eq!(table.len(), 1_000_000);
    let each = usize::try_from(held).unwrap().div_ceil(table.len());
    assert_eq!(each, 77, "{held} bytes in all");
}

#[test]
fn only_feasible_paths_are_used_and_each_policy_has_its_winner() {
    let mut table = table(16);
    let paths = [(0, 100, 900), (1, 200, 20), (2, 350, 10)];
    for (link, price, latency) in paths {
        table.put(&slow(1, link, price, latency), 0, 100);
    }
    let said = CompactPathCost { hops: HopCount(3), ..claim(1, 0, 300).said };
    let over_links = Some(Distance::new(claim(1, 0, 0).random_hash.into_edition(), &said));
    let bounds = Bounds { over_links, ..Bounds::default() };
    table.assess(&address(1), &bounds, 0, Stance::Open, |_| Some(HOP));
    let best = |policy| table.best(&address(1), policy, None, |_| Some(HOP)).map(slot);
    assert_eq!(best(PathPolicy::Cheapest), Some(0));
    assert_eq!(
        best(PathPolicy::Fastest),
        Some(1),
        "the third is faster, but said no less than this node did"
    );
    let except = table.best(&address(1), PathPolicy::Cheapest, Some(LinkId(key(0))), |_| Some(HOP));
    assert_eq!(except.map(slot), Some(1));
    assert_eq!(table.offer(&address(1)).map(slot), Some(0));
    assert_eq!(table.cheapest_infeasible(&address(1)).map(slot), Some(2));
}

#[test]
fn a_change_of_a_quarter_or_less_does_not_flip_the_choice_and_what_is_learnt_does() {
    let chosen = |price, stance| {
        let mut table = table(16);
        table.put(&claim(1, 0, 1_000), 0, 100);
        table.put(&claim(1, 1, 1_100), 0, 100);
        table.assess(&address(1), &Bounds::default(), 0, Stance::Open, |_| Some(HOP));
        table.put(&claim(1, 1, price), 0, 100);
        table.assess(&address(1), &Bounds::default(), 0, stance, |_| Some(HOP));
        table.best(&address(1), PathPolicy::Cheapest, None, |_| Some(HOP)).map(slot)
    };
    assert_eq!(chosen(850, Stance::Steady), Some(0));
    assert_eq!(chosen(700, Stance::Steady), Some(1));
    assert_eq!(chosen(850, Stance::Open), Some(1));
}

#[test]
fn a_path_in_clear_competes_by_its_cost_and_a_stale_one_is_used_only_without_a_fresh_one() {
    let mut table = table(16);
    let clear = NextHop::Clear(InterfaceId(1));
    table.put(&Claim { next_hop: clear, ..claim(1, 0, 1_000) }, 50, 100);
    table.put(&claim(1, 0, 500), 0, 10);
    table.put(&claim(1, 1, 900), 50, 100);
    table.assess(&address(1), &Bounds::default(), 50, Stance::Open, |_| Some(HOP));
    let best = |table: &Table| table.best(&address(1), PathPolicy::Cheapest, None, |_| Some(HOP)).copied();
    assert_eq!(best(&table).map(|entry| slot(&entry)), Some(1));
    table.remove(&address(1), over(1));
    table.assess(&address(1), &Bounds::default(), 50, Stance::Open, |_| Some(HOP));
    assert_eq!(best(&table).map(|entry| entry.next_hop()), Some(clear));
    table.remove(&address(1), clear);
    table.assess(&address(1), &Bounds::default(), 50, Stance::Open, |_| Some(HOP));
    assert_eq!(best(&table).map(|entry| slot(&entry)), Some(0));
}

#[test]
fn the_cheapest_is_chosen_by_its_cost_whatever_the_dearest_costs_and_latency_decides_among_equals() {
    let cheapest = |paths: &[(u16, u64, u16)]| {
        let mut table = table(16);
        for (link, price, latency) in paths {
            table.put(&slow(1, *link, *price, *latency), 0, 100);
        }
        table.assess(&address(1), &Bounds::default(), 0, Stance::Open, |_| Some(HOP));
        table.best(&address(1), PathPolicy::Cheapest, None, |_| Some(HOP)).map(slot)
    };
    assert_eq!(cheapest(&[(0, 600, 900), (1, 2_500, 2), (2, 26_000, 300)]), Some(0));
    assert_eq!(cheapest(&[(0, 1_000, 900), (1, 1_040, 2), (2, 26_000, 300)]), Some(1), "about the same");
    assert_eq!(cheapest(&[(0, 0, 900), (1, 0, 2)]), Some(1), "all free");
    let mut table = table(16);
    for (link, price, latency) in [(0, 600, 900), (1, 2_500, 2), (2, 26_000, 300), (3, 100, 5)] {
        table.put(&slow(1, link, price, latency), 0, 100);
    }
    table.assess(&address(1), &Bounds::default(), 0, Stance::Open, |_| Some(HOP));
    let except = Some(LinkId(key(3)));
    let second = table.best(&address(1), PathPolicy::Cheapest, except, |_| Some(HOP)).map(slot);
    assert_eq!(second, Some(0), "also where the best leads back");
}

#[test]
fn paths_move_to_another_link_and_are_found_by_the_link_that_they_take() {
    let mut table = table(16);
    for (n, link) in [(1, 0), (1, 1), (2, 0), (3, 1)] {
        table.put(&claim(n, link, 10), 0, 100);
    }
    assert_eq!(table.over(over(0)), [address(2), address(1)], "the newest first");
    assert!(table.reroute(&address(1), over(0), over(1)) && table.reroute(&address(2), over(0), over(1)));
    assert!(!table.reroute(&address(3), over(0), over(1)));
    assert_eq!((table.over(over(0)).len(), table.over(over(1)).len()), (0, 3));
}

#[test]
fn what_is_reached_by_a_next_hop_is_what_a_search_of_the_whole_table_finds() {
    let mut table = table(300);
    let mut random = Seed::new([8; 32]).fork("next hops");
    let mut pick = |below: u64| u32::try_from(random.below(below)).unwrap();
    for step in 0..20_000 {
        let (n, link, price) = (pick(150), u16::try_from(pick(7)).unwrap(), pick(1_000).into());
        let to = u16::try_from(pick(7)).unwrap();
        match pick(8) {
            0 => {
                table.remove(&address(n), over(link));
            }
            1 => {
                table.reroute(&address(n), over(link), over(to));
            }
            2 => table.forget(&address(n)),
            3 if step % 50 == 0 => {
                table.sweep(40, |entry| entry.is_stale(step));
            }
            _ => {
                table.put(&claim(n, link, price), step, 2_000);
            }
        }
        if step % 100 == 0 {
            for link in 0..7 {
                let held = table.entries.iter().filter(|entry| !entry.is_free());
                let meant = held.filter(|entry| entry.next_hop() == over(link));
                let mut searched: Vec<_> = meant.map(RoutingEntry::destination).collect();
                let mut found = table.over(over(link));
                searched.sort_unstable();
                found.sort_unstable();
                assert_eq!(found, searched, "step {step}");
            }
        }
    }
    assert!(table.len() > 200);
}

#[test]
fn a_sweep_goes_round_the_whole_table_piece_by_piece() {
    let mut table = table(1_000);
    for n in 0..1_000 {
        table.put(&claim(n, 0, 10), 0, if n % 10 == 0 { 5 } else { 500 });
    }
    let ended: usize = (0..10).map(|_| table.sweep(100, |entry| entry.is_stale(100)).len()).sum();
    assert_eq!((ended, table.len()), (100, 900));
}

// ───────────── helpers ─────────────

const HOP: Approach = Approach {
    hop: Hop { price: 0, latency: LatencyMs(1), bandwidth: BandwidthCode::UNKNOWN },
    trust: Trust::Sure,
    reliability: None,
};

pub(in super::super) fn claim(n: u32, link: u16, price: u64) -> Claim {
    let cost = CostCode::Known(PriceCode::nearest(price));
    let said = CompactPathCost { cumulative_cost: cost, hops: HopCount(1), ..CompactPathCost::ORIGIN };
    Claim {
        destination: address(n),
        random_hash: RandomHash::new([0; 5], 5),
        generation: Generation::FIRST,
        said,
        next_hop: over(link),
        cost,
        stage: Stage::Relay,
    }
}

fn slow(n: u32, link: u16, price: u64, latency: u16) -> Claim {
    let plain = claim(n, link, price);
    Claim { said: CompactPathCost { worst_latency: LatencyMs(latency), ..plain.said }, ..plain }
}

trait IntoEdition {
    fn into_edition(self) -> super::super::distance::Edition;
}

impl IntoEdition for RandomHash {
    fn into_edition(self) -> super::super::distance::Edition {
        super::super::distance::Edition { emitted_at: self.emitted_at(), generation: Generation::FIRST }
    }
}

fn table(capacity: usize) -> Table {
    Table::new(capacity, &mut Seed::new([3; 32]).fork("table"))
}

fn address(n: u32) -> DestinationHash {
    let mut address = [7; 16];
    address[..4].copy_from_slice(&n.to_le_bytes());
    DestinationHash(address)
}

const fn key(slot: u16) -> Key {
    Key { slot, generation: 0 }
}

const fn over(slot: u16) -> NextHop {
    NextHop::Link { iface: InterfaceId(0), link: LinkId(key(slot)) }
}

fn slot(entry: &RoutingEntry) -> u16 {
    entry.next_hop().link().map_or(99, |LinkId(key)| key.slot)
}
