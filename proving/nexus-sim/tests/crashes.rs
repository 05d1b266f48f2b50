//! Crashes between any two outputs, and disks that fill up.

use std::collections::BTreeMap;

use nexus_machine::{Duration, Ticket};
use nexus_node::{Command, Input, Node, Output};
use nexus_sim::clock::WorldTime;
use nexus_sim::judge::Bench;
use nexus_sim::layout::Shape;
use nexus_sim::observation::{Act, NodeIndex, Observation, Observer, Provenance, What};
use nexus_sim::schedule::Action;
use nexus_sim::swarm::{run_judged, seed, sweep};
use nexus_sim::world::{self, Scenario};

const MIDDLE: NodeIndex = NodeIndex(1);

#[test]
fn a_crash_between_any_two_outputs_breaks_no_rule_and_the_node_comes_back() {
    let scenario = three_in_a_line();
    let bench = || Bench::with_liveness::<Node>(&scenario, minutes(20), Duration::from_secs(3 * 3_600));
    let crashes = sweep::<Node>(&scenario, MIDDLE, 1, Duration::from_secs(30), bench);
    assert!(crashes.len() > 20, "{} boundaries", crashes.len());
    for crash in crashes {
        assert!(
            crash.judged.failures.is_empty(),
            "after output {}: {:?}",
            crash.outputs,
            crash.judged.failures
        );
    }
}

#[test]
fn a_sweep_crashes_after_the_output_that_it_names() {
    let mut scenario = three_in_a_line();
    let crash = Action::CrashAfter { node: MIDDLE, outputs: 3, down_for: Duration::from_secs(60) };
    scenario.schedule.insert(0, (WorldTime::START, crash));
    let mut lives = Lives::default();
    world::run::<Node>(&scenario, &mut [&mut lives]);
    assert_eq!(lives.outputs[&(MIDDLE, 0)], 3);
    assert!(lives.outputs[&(MIDDLE, 1)] > 3, "the next incarnation lives on");
    assert_eq!(lives.outputs.keys().filter(|(node, _)| *node == MIDDLE).count(), 2);
}

#[test]
fn nothing_is_announced_while_the_disk_is_full_and_everything_once_there_is_room() {
    let mut scenario = three_in_a_line();
    scenario.schedule.push((WorldTime::START, Action::FillDisk(MIDDLE)));
    scenario.schedule.push((minutes(30), Action::FreeDisk(MIDDLE)));
    let mut own = OwnAnnounces { until: minutes(30), before: 0, after: 0 };
    world::run::<Node>(&scenario, &mut [&mut own]);
    assert_eq!(own.before, 0);
    assert!(own.after > 0);
}

#[test]
fn a_disk_set_back_by_a_day_is_noticed_by_no_judge_once_the_node_heard_itself() {
    let mut scenario = three_in_a_line();
    let crash = Action::Crash { node: MIDDLE, down_for: Duration::from_secs(5), disk: Provenance::Stale };
    scenario.schedule = vec![
        (minutes(1), Action::TakeImage(MIDDLE)),
        (minutes(10), Action::ClockJump(MIDDLE, 86_400)),
        (minutes(11), Action::Tell(MIDDLE, Command::Announce)),
        (minutes(19), Action::ClockJump(MIDDLE, -2 * 86_400)),
        (minutes(20), crash),
    ];
    let bench = Bench::of_safety::<Node>(&scenario);
    let judged = run_judged::<Node>(&scenario, bench);
    assert!(judged.failures.is_empty(), "{:?}", judged.failures);
}

#[test]
fn an_acknowledged_write_is_in_the_next_snapshot_whatever_the_crash_tore() {
    let scenario = three_in_a_line();
    let outputs = world::run::<Node>(&scenario, &mut []).outputs[MIDDLE.place()];
    for after in 1..=outputs {
        let mut crashing = scenario.clone();
        let crash = Action::CrashAfter { node: MIDDLE, outputs: after, down_for: Duration::from_secs(1) };
        crashing.schedule.insert(0, (WorldTime::START, crash));
        // What is written in the last second crashes the node as well, and it comes back.
        crashing.length = crashing.length.plus(Duration::from_secs(2));
        let mut store = Store::default();
        world::run::<Node>(&crashing, &mut [&mut store]);
        assert!(store.checked > 1, "the node started again");
    }
}

/// Checks that what a node was told to be durable is there at its next start.
#[derive(Default)]
struct Store {
    written: Vec<(Ticket, Vec<nexus_machine::Write>)>,
    durable: nexus_machine::Snapshot,
    acknowledged: Vec<(nexus_machine::TableId, Vec<u8>)>,
    checked: u32,
}

impl Observer for Store {
    fn observe(&mut self, observation: &Observation<'_>) {
        let What::Node { node: MIDDLE, act, .. } = &observation.what else { return };
        match act {
            Act::Took(Output::Persist { ticket, writes }) => self.written.push((*ticket, writes.clone())),
            Act::Given { input: Input::Persisted { through }, .. } => {
                let done = self.written.iter().filter(|(ticket, _)| ticket <= through);
                for write in done.flat_map(|(_, writes)| writes) {
                    self.durable.apply(write.clone());
                    self.acknowledged.push((write.table, write.key.clone()));
                }
            }
            Act::Booted { snapshot, .. } => {
                self.checked += 1;
                // A write that was torn or not yet acknowledged may have replaced a value or not; none may be missing.
                for (table, key) in self.acknowledged.drain(..) {
                    let present =
                        snapshot.get(table, &key).is_some() || self.durable.get(table, &key).is_none();
                    assert!(present, "{table:?} {key:?} was acknowledged and is gone");
                }
                self.written.clear();
                self.durable = (*snapshot).clone();
            }
            _ => {}
        }
    }
}

/// How many outputs each incarnation had.
#[derive(Default)]
struct Lives {
    outputs: BTreeMap<(NodeIndex, u32), u32>,
}

impl Observer for Lives {
    fn observe(&mut self, observation: &Observation<'_>) {
        if let What::Node { node, incarnation, act: Act::Took(_) } = observation.what {
            *self.outputs.entry((node, incarnation)).or_default() += 1;
        }
    }
}

/// How often the middle node announced itself, before and after a moment.
struct OwnAnnounces {
    until: WorldTime,
    before: u32,
    after: u32,
}

impl Observer for OwnAnnounces {
    fn observe(&mut self, observation: &Observation<'_>) {
        if let What::Node { node: MIDDLE, act: Act::Took(Output::Event(event)), .. } = &observation.what
            && matches!(event, nexus_node::Event::Announced { .. })
        {
            let side = if observation.at < self.until { &mut self.before } else { &mut self.after };
            *side += 1;
        }
    }
}

fn minutes(count: u64) -> WorldTime {
    WorldTime::from_start(Duration::from_secs(60 * count))
}

/// Four hours of three nodes, with announces on demand so that much happens in the first minutes.
fn three_in_a_line() -> Scenario {
    let seed = seed(9);
    let layout = Shape::Line.layout(3, &seed);
    let mut scenario = Scenario::calm(seed, layout, Duration::from_secs(4 * 3_600));
    let tell = |minute, node| (minutes(minute), Action::Tell(NodeIndex(node), Command::Announce));
    scenario.schedule = vec![tell(2, 0), tell(3, 1), tell(3, 2), tell(5, 1)];
    scenario
}
