//! Worlds of real nodes and of beacons, judged.

use nexus_machine::Duration;
use nexus_network::Mode;
use nexus_node::Node;
use nexus_sim::actor::Actor;
use nexus_sim::beacon::{Beacon, Honest};
use nexus_sim::clock::WorldTime;
use nexus_sim::errands::Errands;
use nexus_sim::faults::Kinds;
use nexus_sim::judge::Bench;
use nexus_sim::layout::{Shape, Wired};
use nexus_sim::observation::{MediumIndex, NodeIndex};
use nexus_sim::schedule::{Action, LinkFaults};
use nexus_sim::swarm::{Judged, Order, run_judged, run_twice, seed};
use nexus_sim::world::{self, Scenario};

#[test]
fn every_shape_without_faults_satisfies_every_judge() {
    for shape in Shape::ALL {
        passes(&judged_calm::<Node>(shape, 7));
        passes(&judged_calm::<Beacon<Honest>>(shape, 7));
    }
}

#[test]
fn every_seed_with_its_own_faults_satisfies_every_judge_and_runs_the_same_twice() {
    for number in 0..4 {
        let (judged, same) = run_twice::<Node>(&order(number, Kinds::Usual));
        passes(&judged);
        assert_eq!(same, Ok(judged.outcome.trace), "seed {number}");
        let (judged, same) = run_twice::<Beacon<Honest>>(&order(number, Kinds::Usual));
        passes(&judged);
        assert_eq!(same, Ok(judged.outcome.trace), "seed {number}");
    }
}

#[test]
fn nodes_whose_disks_were_set_back_go_beyond_what_they_hear_of_themselves() {
    for number in 0..4 {
        let order = order(number, Kinds::WithStaleDisks);
        passes(&run_twice::<Node>(&order).0);
    }
}

#[test]
fn different_seeds_give_different_runs() {
    let trace = |number| world::run::<Node>(&order(number, Kinds::Usual).scenario(), &mut []).trace;
    assert_ne!(trace(1), trace(2));
}

#[test]
fn a_healed_partition_is_followed_by_everybody_hearing_of_everybody() {
    let mut scenario = calm(Shape::Line, 6, 4);
    let healed = hours(2);
    scenario.schedule =
        vec![(WorldTime::START, Action::Partition(vec![0, 0, 0, 1, 1, 1])), (healed, Action::Heal)];
    let early = Bench::with_liveness::<Node>(&scenario, WorldTime::START, Duration::from_secs(7_000));
    let failures = run_judged::<Node>(&scenario, early).failures;
    assert!(matches!(failures[..], [("liveness", _)]), "across a partition nobody is heard: {failures:?}");
    let late = Bench::with_liveness::<Node>(&scenario, healed, Duration::from_secs(7_200));
    passes(&run_judged::<Node>(&scenario, late));
}

#[test]
fn corrupted_frames_never_make_anybody_believe_in_a_stranger() {
    let mut scenario = calm(Shape::Grid, 9, 3);
    let faults = LinkFaults { corrupt_ppm: 500_000, truncate_ppm: 100_000, ..LinkFaults::NONE };
    for medium in 0..u32::try_from(scenario.layout.media.len()).unwrap() {
        scenario.schedule.push((WorldTime::START, Action::Disturb(MediumIndex(medium), faults)));
    }
    let bench = Bench::of_safety::<Node>(&scenario);
    passes(&run_judged::<Node>(&scenario, bench));
}

#[test]
fn waking_a_node_early_changes_nothing_that_it_does() {
    let quiet = calm(Shape::Ring, 5, 2);
    let mut woken = quiet.clone();
    for minute in 0..120 {
        let at = WorldTime::from_start(Duration::from_secs(60 * minute + 7));
        woken.schedule.extend((0..5).map(|node| (at, Action::WakeEarly(NodeIndex(node)))));
    }
    let bench = Bench::of_safety::<Node>(&woken);
    let judged = run_judged::<Node>(&woken, bench);
    passes(&judged);
    let undisturbed = world::run::<Node>(&quiet, &mut []);
    assert_eq!(judged.outcome.outputs, undisturbed.outputs);
    assert_eq!(judged.outcome.frames, undisturbed.frames);
    assert_ne!(judged.outcome.trace, undisturbed.trace, "the wake-ups themselves are in the trace");
}

#[test]
fn watching_a_run_does_not_change_it() {
    let order = order(3, Kinds::Usual);
    let mut text = Vec::new();
    let mut log = nexus_sim::log::Log::new(&mut text, nexus_sim::log::Detail::Everything);
    let watched = world::run::<Node>(&order.scenario(), &mut [&mut log]);
    log.finish().unwrap();
    assert_eq!(watched, world::run::<Node>(&order.scenario(), &mut []));
    assert!(text.len() > 10_000, "a log of everything is long");
}

fn order(number: u64, kinds: Kinds) -> Order {
    let length = Duration::from_secs(8 * 3_600);
    let (wired, radio, errands) = (Some(Wired::Reticulum), Mode::Reticulum, Errands::None);
    Order { seed: number, nodes: 6, shape: None, wired, radio, errands, length, kinds }
}

fn hours(count: u64) -> WorldTime {
    WorldTime::from_start(Duration::from_secs(3_600 * count))
}

fn calm(shape: Shape, nodes: u32, hours: u64) -> Scenario {
    let seed = seed(5);
    let layout = shape.layout(nodes, &seed);
    Scenario::calm(seed, layout, Duration::from_secs(3_600 * hours))
}

fn judged_calm<A: Actor>(shape: Shape, nodes: u32) -> Judged {
    let scenario = calm(shape, nodes, 2);
    let bench = Bench::with_liveness::<A>(&scenario, WorldTime::START, Duration::from_secs(7_200));
    run_judged::<A>(&scenario, bench)
}

#[track_caller]
fn passes(judged: &Judged) {
    assert!(judged.failures.is_empty(), "{:?}", judged.failures);
}
