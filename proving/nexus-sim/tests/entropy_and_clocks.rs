//! Worlds whose hosts have no entropy, whose wall clocks leap by years, whose machines are suspended: every judge is content, and
//! what was interrupted goes on.

use nexus_crypto::{NodeId, NodePublic};
use nexus_machine::Duration;
use nexus_node::{Event, Node, Output};
use nexus_sim::clock::WorldTime;
use nexus_sim::errands;
use nexus_sim::judge::Bench;
use nexus_sim::layout::{Layout, Shape, Speech};
use nexus_sim::observation::{Act, NodeIndex, Observation, Observer, What};
use nexus_sim::schedule::Action;
use nexus_sim::world::{self, Scenario};

const A: NodeIndex = NodeIndex(0);
const B: NodeIndex = NodeIndex(1);
const C: NodeIndex = NodeIndex(2);
const YEAR_S: i64 = 365 * 86_400;

#[test]
fn a_wall_clock_that_leaps_by_decades_either_way_costs_links_for_moments_and_no_message() {
    let mut scenario = three(100);
    for (minute, years) in [(20, 10), (25, -20), (30, 60), (35, -50), (40, -56), (45, 56)] {
        scenario.schedule.push((minutes(minute), Action::ClockJump(B, years * YEAR_S)));
    }
    correspond(&mut scenario, 15, 60);
    let seen = judged(&scenario, minutes(46), 30);
    assert_eq!(seen.parted, 6, "it noticed each time");
    assert!(seen.ups > 12, "links ended and came up again: {}", seen.ups);
}

#[test]
fn a_machine_that_was_suspended_for_hours_or_a_week_links_again_and_sends_what_it_was_asked_to() {
    for (hours, length_minutes) in [(3, 400), (7 * 24, 11_000)] {
        let mut scenario = three(length_minutes);
        let span = Duration::from_secs(hours * 3_600);
        scenario.schedule.push((minutes(30), Action::Sleep(B, span)));
        let after = 30 + hours * 60;
        correspond(&mut scenario, 5, after + 40);
        let seen = judged(&scenario, minutes(after), 45);
        assert_eq!(seen.parted, 1, "{hours} hours");
        assert!(seen.ups >= 8, "{hours} hours: {}", seen.ups);
    }
}

#[test]
fn a_node_whose_host_never_has_entropy_says_so_and_announces_nothing_until_it_has() {
    let mut scenario = three(120);
    scenario.schedule.push((WorldTime::START, Action::Starve(B)));
    scenario.schedule.push((minutes(40), Action::Feed(B)));
    let seen = judged(&scenario, minutes(40), 45);
    assert!(seen.first_announce_of_b.is_some_and(|at| at >= minutes(40)), "{:?}", seen.first_announce_of_b);
    assert!(seen.asked_by_b > 30, "it asked {} times", seen.asked_by_b);
    assert_eq!(seen.downs, 0, "links are made of the seed, and stay");
}

#[test]
fn links_lost_to_a_leaping_clock_are_made_again_only_with_entropy() {
    let mut scenario = three(120);
    scenario.schedule.push((minutes(10), Action::Starve(B)));
    scenario.schedule.push((minutes(11), Action::ClockJump(B, 3_600)));
    scenario.schedule.push((minutes(50), Action::Feed(B)));
    let seen = judged(&scenario, minutes(50), 45);
    let hungry = |at: &&WorldTime| **at > minutes(11) && **at < minutes(50);
    assert_eq!(seen.ups_at.iter().filter(hungry).count(), 0, "{:?}", seen.ups_at);
    assert!(seen.ups_at.iter().filter(|at| **at >= minutes(50)).count() >= 4);
}

#[test]
fn such_a_world_runs_the_same_twice() {
    let mut scenario = three(60);
    scenario.schedule.push((minutes(5), Action::Sleep(B, Duration::from_secs(600))));
    scenario.schedule.push((minutes(6), Action::Starve(C)));
    scenario.schedule.push((minutes(30), Action::Feed(C)));
    let trace = || world::run::<Node>(&scenario, &mut []).trace;
    assert_eq!(trace(), trace());
}

/// Runs a world before all judges, those of liveness from `calm_at` on.
fn judged(scenario: &Scenario, calm_at: WorldTime, within_minutes: u64) -> Seen {
    let mut seen = Seen::default();
    let within = Duration::from_secs(60 * within_minutes);
    let mut bench = Bench::with_liveness::<Node>(scenario, calm_at, within);
    let mut observers = bench.observers();
    observers.push(&mut seen);
    let outcome = world::run::<Node>(scenario, &mut observers);
    assert_eq!((bench.failures(), outcome.halted), (Vec::new(), None));
    seen
}

/// A cable from A to B, a local network of B and C.
fn three(length_minutes: u64) -> Scenario {
    let seed = nexus_sim::swarm::seed(31);
    let mut media = Shape::Mixed.layout(6, &seed).speaking(Speech::NEXUS, &seed).media;
    media.truncate(2);
    for (medium, nodes) in media.iter_mut().zip([[A, B], [B, C]]) {
        medium.nodes = nodes.to_vec();
    }
    Scenario::calm(seed, Layout { nodes: 3, media }, Duration::from_secs(60 * length_minutes))
}

/// A and C write to each other, `count` times each from that minute on, a minute apart; each is tried for ten minutes.
fn correspond(scenario: &mut Scenario, count: u64, from_minute: u64) {
    let ids: Vec<NodeId> = scenario.identities().iter().map(NodePublic::node_id).collect();
    let mut random = scenario.seed.fork("letters");
    for number in 0..count {
        for (from, to) in [(A, C), (C, A)] {
            let handle = number * 2 + u64::from(to.0) + 1;
            let letter = errands::message(handle, ids[to.place()], Duration::from_secs(600), &mut random);
            scenario.schedule.push((minutes(from_minute + number), Action::Tell(from, letter)));
        }
    }
}

fn minutes(count: u64) -> WorldTime {
    WorldTime::from_start(Duration::from_secs(60 * count))
}

/// What happened that no judge counts.
#[derive(Default)]
struct Seen {
    ups: u32,
    ups_at: Vec<WorldTime>,
    downs: u32,
    parted: u32,
    asked_by_b: u32,
    first_announce_of_b: Option<WorldTime>,
}

impl Observer for Seen {
    fn observe(&mut self, observation: &Observation<'_>) {
        let What::Node { node, act: Act::Took(Output::Event(event)), .. } = &observation.what else { return };
        match event {
            Event::LinkUp(_) => {
                self.ups += 1;
                self.ups_at.push(observation.at);
            }
            Event::LinkDown { .. } => self.downs += 1,
            Event::ClocksParted { .. } => self.parted += 1,
            Event::EntropyWanted if *node == B => self.asked_by_b += 1,
            Event::Announced { .. } if *node == B => {
                self.first_announce_of_b.get_or_insert(observation.at);
            }
            Event::EntropyWanted
            | Event::Endpoint(_)
            | Event::Lxmf(_)
            | Event::Economy(_)
            | Event::Ledger(_)
            | Event::Announced { .. }
            | Event::Reached { .. }
            | Event::ChannelJammed { .. }
            | Event::PathFound { .. }
            | Event::PathNotFound { .. }
            | Event::MessageArrived(_)
            | Event::Attempted { .. }
            | Event::Delivered { .. }
            | Event::Traced { .. }
            | Event::Undelivered { .. } => {}
        }
    }
}
