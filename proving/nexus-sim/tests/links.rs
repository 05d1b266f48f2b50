//! Three nodes on two kinds of medium, linked: A and C are no neighbours, B is between.

use std::collections::BTreeSet;

use nexus_crypto::{NodeId, NodePublic};
use nexus_machine::Duration;
use nexus_node::{Command, Event, Node, Output};
use nexus_secure::Content;
use nexus_sim::clock::WorldTime;
use nexus_sim::errands;
use nexus_sim::judge::Bench;
use nexus_sim::judge::agreement::Agreement;
use nexus_sim::layout::{Layout, Shape, Speech};
use nexus_sim::observation::{Act, MediumIndex, NodeIndex, Observation, Observer, Provenance, What};
use nexus_sim::schedule::{Action, LinkFaults};
use nexus_sim::swarm::{run_judged, seed, sweep};
use nexus_sim::world::{self, Scenario};

const A: NodeIndex = NodeIndex(0);
const B: NodeIndex = NodeIndex(1);
const C: NodeIndex = NodeIndex(2);
const CABLE: MediumIndex = MediumIndex(0);
const LAN: MediumIndex = MediumIndex(1);

#[test]
fn two_hundred_messages_each_way_arrive_as_they_were_written() {
    let mut scenario = three(HOUR);
    correspond(&mut scenario, &[(A, C), (C, A)], 200, 600, 5);
    let mail = Mail::of(&scenario, WorldTime::START);
    assert_eq!(mail.sent.len(), 400);
    assert_eq!(mail.arrived, mail.sent);
    assert_eq!(mail.delivered, 400);
}

#[test]
fn two_hundred_messages_each_way_arrive_over_media_that_damage_one_frame_in_five() {
    let mut scenario = three(HOUR);
    let faults = LinkFaults {
        loss_ppm: 100_000,
        duplicate_ppm: 50_000,
        reorder_ppm: 50_000,
        corrupt_ppm: 50_000,
        truncate_ppm: 20_000,
        jitter: Duration::from_millis(50),
        hold: Duration::from_millis(500),
    };
    let disturb = [CABLE, LAN].map(|medium| (WorldTime::START, Action::Disturb(medium, faults)));
    scenario.schedule.extend(disturb);
    scenario.schedule.push((minutes(30), Action::Calm));
    correspond(&mut scenario, &[(A, C), (C, A)], 200, 600, 5);
    let mail = Mail::of(&scenario, minutes(30));
    assert_eq!(mail.arrived, mail.sent);
    assert_eq!(mail.delivered, 400);
}

#[test]
fn a_crash_of_the_middle_node_at_any_output_loses_no_link_and_no_message() {
    let mut scenario = three(Duration::from_secs(13 * 60));
    // Among all pairs, so that it is sender, recipient and relay.
    correspond(&mut scenario, &[(A, C), (C, A), (A, B), (B, C)], 1, 10, 20);
    scenario.schedule.push((second(90), Action::Tell(B, Command::Announce)));
    let settled = Duration::from_secs(60);
    let linked = || {
        let within = Duration::from_secs(20);
        let agreement = Agreement::new(ids(&scenario), &scenario.layout, WorldTime::START, within);
        agreement.with_longest_gap(within).lasting(WorldTime::from_start(scenario.length))
    };
    let bench = || Bench::with_liveness::<Node>(&scenario, WorldTime::START, settled).and(linked());
    let crashes = sweep::<Node>(&scenario, B, 1, Duration::from_secs(3), bench);
    assert!(crashes.len() > 100, "{} boundaries", crashes.len());
    for crash in crashes {
        let failures = crash.judged.failures;
        assert!(failures.is_empty(), "after output {}: {failures:?}", crash.outputs);
    }
}

#[test]
fn addresses_that_move_while_messages_pass_lose_none() {
    let mut scenario = three(HOUR);
    for step in 0..20 {
        let mover = if step % 2 == 0 { B } else { C };
        scenario.schedule.push((second(600 + 47 * step), Action::MoveAddress(LAN, mover)));
    }
    correspond(&mut scenario, &[(A, C), (C, A)], 200, 600, 5);
    let mail = Mail::of(&scenario, minutes(30));
    assert_eq!(mail.arrived, mail.sent);
    assert_eq!(mail.delivered, 400);
}

#[test]
fn frames_that_a_stranger_recorded_are_no_use_to_him() {
    let mut scenario = three(HOUR);
    correspond(&mut scenario, &[(A, C), (C, A)], 50, 600, 5);
    let mut recorder = Recorder::default();
    let undisturbed = world::run::<Node>(&scenario, &mut [&mut recorder]);
    assert!(recorder.frames.len() > 500, "{} frames", recorder.frames.len());
    for (at, medium, sender, bytes) in recorder.frames {
        let everybody = scenario.layout.media[medium.place()].nodes.clone();
        // Back to whoever sent it, and again to whoever it was for.
        for (to, later_ms) in everybody.into_iter().zip([30, 900]) {
            let later_ms = if to == sender { later_ms } else { later_ms + 10_000 };
            let at = at.after(Duration::from_millis(later_ms));
            scenario.schedule.push((at, Action::Inject { medium, to, bytes: bytes.clone() }));
        }
    }
    let mut links = Links::default();
    let mail = Mail::watched(&scenario, WorldTime::START, &mut links);
    assert_eq!(mail.arrived, mail.sent);
    assert_eq!(mail.delivered, 100);
    assert_eq!(links.ups, 4, "no link came up but one at each end of the two media");
    let frames = world::run::<Node>(&scenario, &mut []).frames;
    assert!(frames < undisturbed.frames * 2, "{frames} frames instead of {}", undisturbed.frames);
}

#[test]
fn a_disk_that_was_set_back_repeats_no_nonce_and_no_emission_and_the_node_links_again() {
    let mut scenario = three(HOUR.times(2));
    let crash = |node| Action::Crash { node, down_for: Duration::from_secs(5), disk: Provenance::Stale };
    scenario.schedule = vec![
        (second(30), Action::TakeImage(B)),
        (second(30), Action::TakeImage(C)),
        (minutes(20), crash(B)),
        (minutes(25), crash(C)),
        (minutes(30), crash(B)),
    ];
    correspond(&mut scenario, &[(A, B), (B, C), (C, A)], 40, 300, 40);
    let ids = ids(&scenario);
    let end = WorldTime::from_start(scenario.length);
    let agreement = Agreement::new(ids, &scenario.layout, minutes(31), Duration::ZERO).lasting(end);
    let bench = Bench::of_safety::<Node>(&scenario).and(agreement);
    let failures = run_judged::<Node>(&scenario, bench).failures;
    assert!(failures.is_empty(), "{failures:?}");
}

#[test]
fn within_minutes_nearly_all_hear_of_all_over_media_that_lose_one_frame_in_ten() {
    let minutes = Duration::from_secs(5 * 60);
    let loss = LinkFaults { loss_ppm: 100_000, ..LinkFaults::NONE };
    let complete = |number: &u64| {
        let seed = seed(*number);
        let layout = Shape::Grid.layout(9, &seed).speaking(Speech::NEXUS, &seed);
        let media = 0..u32::try_from(layout.media.len()).unwrap();
        let mut scenario = Scenario::calm(seed, layout, minutes);
        let disturb = |medium| (WorldTime::START, Action::Disturb(MediumIndex(medium), loss));
        scenario.schedule.extend(media.map(disturb));
        let bench = Bench::with_liveness::<Node>(&scenario, WorldTime::START, minutes);
        run_judged::<Node>(&scenario, bench).failures.is_empty()
    };
    let worlds = (0..10).filter(complete).count();
    assert!(worlds >= 9, "{worlds} of 10 worlds");
}

const HOUR: Duration = Duration::from_secs(3_600);

/// A cable from A to B, a local network of B and C.
fn three(length: Duration) -> Scenario {
    let seed = seed(17);
    let mut media = Shape::Mixed.layout(6, &seed).speaking(Speech::NEXUS, &seed).media;
    media.truncate(2);
    for (medium, nodes) in media.iter_mut().zip([[A, B], [B, C]]) {
        medium.nodes = nodes.to_vec();
    }
    Scenario::calm(seed, Layout { nodes: 3, media }, length)
}

/// Each of `pairs` is sent `count` messages from second `from_s` on, one every `every_s`, each tried for ten minutes.
fn correspond(
    scenario: &mut Scenario,
    pairs: &[(NodeIndex, NodeIndex)],
    count: u64,
    from_s: u64,
    every_s: u64,
) {
    let ids = ids(scenario);
    let mut random = scenario.seed.fork_index("letters", from_s).fork("texts");
    for number in 0..count {
        for (from, to) in pairs {
            let handle = from_s * 1_000 + number * 10 + u64::from(to.0);
            let letter = errands::message(handle, ids[to.place()], Duration::from_secs(600), &mut random);
            scenario.schedule.push((second(from_s + every_s * number), Action::Tell(*from, letter)));
        }
    }
}

fn ids(scenario: &Scenario) -> Vec<NodeId> {
    scenario.identities().iter().map(NodePublic::node_id).collect()
}

fn second(seconds: u64) -> WorldTime {
    WorldTime::from_start(Duration::from_secs(seconds))
}

fn minutes(count: u64) -> WorldTime {
    second(60 * count)
}

/// What was written to whom, and what was read.
#[derive(Default)]
struct Mail {
    sent: BTreeSet<(NodeId, Vec<u8>)>,
    arrived: BTreeSet<(NodeId, Vec<u8>)>,
    delivered: usize,
    ids: Vec<NodeId>,
}

impl Mail {
    /// Runs `scenario` before all judges, those of liveness from `calm_at` on.
    fn of(scenario: &Scenario, calm_at: WorldTime) -> Self {
        Self::watched(scenario, calm_at, &mut Links::default())
    }

    fn watched(scenario: &Scenario, calm_at: WorldTime, other: &mut dyn Observer) -> Self {
        let mut mail = Self { ids: ids(scenario), ..Self::default() };
        for (_, action) in &scenario.schedule {
            if let Action::Tell(_, Command::Send(outgoing)) = action
                && let Content::Message { text, .. } = &outgoing.content
            {
                mail.sent.insert((outgoing.to, text.clone()));
            }
        }
        let mut bench = Bench::with_liveness::<Node>(scenario, calm_at, Duration::from_secs(29 * 60));
        let mut observers = bench.observers();
        observers.push(&mut mail);
        observers.push(other);
        let outcome = world::run::<Node>(scenario, &mut observers);
        assert_eq!((bench.failures(), outcome.halted), (Vec::new(), None));
        mail
    }
}

impl Observer for Mail {
    fn observe(&mut self, observation: &Observation<'_>) {
        let What::Node { node, act: Act::Took(Output::Event(event)), .. } = &observation.what else { return };
        match event {
            Event::MessageArrived(message) => {
                _ = self.arrived.insert((self.ids[node.place()], message.text.clone()));
            }
            Event::Delivered { .. } => self.delivered += 1,
            _ => {}
        }
    }
}

/// How many links came up.
#[derive(Default)]
struct Links {
    ups: u32,
}

impl Observer for Links {
    fn observe(&mut self, observation: &Observation<'_>) {
        if let What::Node { act: Act::Took(Output::Event(Event::LinkUp(_))), .. } = &observation.what {
            self.ups += 1;
        }
    }
}

/// All frames, by moment, medium and sender.
#[derive(Default)]
struct Recorder {
    frames: Vec<(WorldTime, MediumIndex, NodeIndex, Vec<u8>)>,
}

impl Observer for Recorder {
    fn observe(&mut self, observation: &Observation<'_>) {
        if let What::Node { node, act: Act::Took(Output::Transmit { iface, bytes, .. }), .. } =
            &observation.what
        {
            let medium = match (*node, iface.0) {
                (A, _) | (B, 0) => CABLE,
                _ => LAN,
            };
            self.frames.push((observation.at, medium, *node, bytes.clone()));
        }
    }
}
