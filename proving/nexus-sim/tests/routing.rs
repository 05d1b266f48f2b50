//! Paths in worlds of real nodes, judged against the true ones.

use std::collections::BTreeSet;

use nexus_machine::Duration;
use nexus_node::Node;
use nexus_sim::actor::Actor;
use nexus_sim::clock::WorldTime;
use nexus_sim::judge::routing::{Bounds, Routing};
use nexus_sim::layout::{Layout, Shape, Speech};
use nexus_sim::liar::Among;
use nexus_sim::meshes::Order;
use nexus_sim::observation::{NodeIndex, Provenance};
use nexus_sim::schedule::Action;
use nexus_sim::swarm::{seed, trace};
use nexus_sim::world::{self, Scenario};

#[test]
fn random_meshes_satisfy_every_judge_of_paths_and_run_the_same_unwatched() {
    for number in [1, 2, 3, 6] {
        let order = Order { seed: number, nodes: Some(6) };
        let verdict = order.judged(&mut []);
        assert_eq!(verdict.failures, [], "seed {number}");
        assert_eq!(
            trace(&order.mesh().scenario),
            verdict.outcome.trace,
            "seed {number}: a judge had a hand in it"
        );
    }
}

#[test]
fn in_a_free_grid_of_equal_cables_whoever_has_two_nearer_neighbours_holds_two_paths() {
    let routing = watched(&grid(9, |_| 0), calm_bounds());
    assert_eq!(routing.failures(), []);
    let (_, costs) = routing.costs().last().unwrap();
    assert!(costs.two_nearer > 20);
    assert_eq!(costs.two_nearer, costs.two_nearer_paths, "{:?}", costs.starved);
}

#[test]
fn after_a_price_rose_the_way_that_was_dearer_is_taken_and_second_paths_are_held() {
    // Every cable asks a thousand; then the first node's first one asks fifty times as much.
    let mut scenario = grid(9, |_| 1_000);
    let (iface, _) = scenario.layout.interfaces(NodeIndex(0)).next().unwrap();
    let price = nexus_node::Command::Price { iface, price: 50_000 };
    scenario.schedule.push((second(400), Action::Tell(NodeIndex(0), price)));
    let routing = watched(&scenario, Bounds { looks: vec![second(395)], ..calm_bounds() });
    assert_eq!(routing.failures(), []);
    for (at, costs) in routing.costs() {
        assert!(costs.stretches.iter().all(|stretch| stretch.permille <= 1_250), "at {at}");
        assert!(costs.two_nearer_paths * 10 >= costs.two_nearer * 9, "at {at}: {costs:?}");
    }
}

#[test]
fn the_judge_finds_a_hole_where_a_node_died_and_traffic_does_not_miss_it() {
    let mut scenario = grid(9, |_| 0);
    let crash =
        Action::Crash { node: NodeIndex(4), down_for: Duration::from_secs(300), disk: Provenance::Kept };
    scenario.schedule.push((second(300), crash));
    let strict = Bounds { hole: Duration::from_millis(1), settled_at: second(1_200), ..calm_bounds() };
    let names: Vec<_> = watched(&scenario, strict).failures().iter().map(|(name, _)| *name).collect();
    assert_eq!(names, ["holes"], "nobody knows at once that it is gone");
    let lenient = Bounds { hole: Duration::from_secs(240), settled_at: second(1_200), ..calm_bounds() };
    assert_eq!(watched(&scenario, lenient).failures(), []);
}

#[test]
fn the_judge_of_reach_wants_everybody_reached_from_the_moment_that_is_stated() {
    let routing = watched(&grid(9, |_| 0), Bounds { settled_at: WorldTime::START, ..calm_bounds() });
    let names: Vec<_> = routing.failures().iter().map(|(name, _)| *name).collect();
    assert_eq!(names, ["reach"], "nobody is known at the start");
}

#[test]
fn of_a_neighbour_that_lies_come_no_circles_no_lasting_holes_and_no_dear_paths_but_through_it() {
    let scenario = grid(9, |_| 1_000);
    let bounds = Bounds { liars: BTreeSet::from([NodeIndex(8)]), ..calm_bounds() };
    let routing = watched_among::<Among<8, 0>>(&scenario, bounds);
    let wrong: Vec<_> = routing.failures().into_iter().filter(|(name, _)| *name != "reach").collect();
    assert_eq!(wrong, []);
}

fn watched(scenario: &Scenario, bounds: Bounds) -> Routing {
    watched_among::<Node>(scenario, bounds)
}

fn watched_among<A: Actor>(scenario: &Scenario, bounds: Bounds) -> Routing {
    let mut routing = Routing::new(scenario, bounds);
    world::run::<A>(scenario, &mut [&mut routing]);
    routing.finish(WorldTime::from_start(scenario.length));
    routing
}

fn calm_bounds() -> Bounds {
    Bounds {
        circle: Duration::ZERO,
        hole: Duration::from_secs(5),
        settled_at: second(60),
        gap: Duration::ZERO,
        looks: Vec::new(),
        liars: BTreeSet::new(),
    }
}

/// Rows and columns of cables of links.
fn grid(nodes: u32, price: impl Fn(usize) -> u64) -> Scenario {
    let number = seed(6);
    let mut layout: Layout = Shape::Grid.layout(nodes, &number).speaking(Speech::NEXUS, &number);
    for (index, medium) in layout.media.iter_mut().enumerate() {
        medium.prices = vec![price(index); 2];
    }
    Scenario::calm(number, layout, Duration::from_secs(1_300))
}

fn second(at_s: u64) -> WorldTime {
    WorldTime::from_start(Duration::from_secs(at_s))
}
