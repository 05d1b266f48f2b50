//! For each rule a node that breaks it, and the judge that must object.

use nexus_machine::Duration;
use nexus_sim::beacon::{Beacon, Honest, Manner, Misdeed};
use nexus_sim::clock::WorldTime;
use nexus_sim::judge::Bench;
use nexus_sim::layout::Shape;
use nexus_sim::observation::{MediumIndex, NodeIndex, Provenance};
use nexus_sim::schedule::{Action, LinkFaults};
use nexus_sim::swarm::{run_judged, seed};
use nexus_sim::world::Scenario;

macro_rules! manners {
    ($($name:ident),*) => {$(
        #[derive(Debug)]
        struct $name;
        impl Manner for $name {
            const MISDEED: Option<Misdeed> = Some(Misdeed::$name);
        }
    )*};
}

manners!(SpeaksTooSoon, Forgets, BelievesAnything, HidesHops, KeepsToItself, Interrupts, NeverRests);

#[test]
fn an_honest_beacon_gives_no_judge_a_reason() {
    assert_eq!(objections::<Honest>(), Vec::<&str>::new());
}

#[test]
fn speaking_before_the_disk_has_it_is_caught() {
    assert!(objections::<SpeaksTooSoon>().contains(&"durability"));
}

#[test]
fn forgetting_an_emission_is_caught() {
    assert!(objections::<Forgets>().contains(&"emission"));
}

#[test]
fn passing_on_a_forgery_is_caught_and_so_is_believing_it() {
    let objections = objections::<BelievesAnything>();
    assert!(objections.contains(&"relay") && objections.contains(&"truth"), "{objections:?}");
}

#[test]
fn hiding_a_hop_is_caught() {
    assert_eq!(objections::<HidesHops>(), ["relay"]);
}

#[test]
fn passing_nothing_on_is_caught() {
    assert_eq!(objections::<KeepsToItself>(), ["liveness"]);
}

#[test]
fn transmitting_out_of_turn_is_caught() {
    assert!(objections::<Interrupts>().contains(&"contract"));
}

#[test]
fn a_deadline_that_stays_in_the_past_is_caught_and_ends_the_run() {
    let objections = objections::<NeverRests>();
    assert!(objections.contains(&"contract") && objections.contains(&"rest"), "{objections:?}");
}

/// The names of the judges that object to two hours among nodes of this manner: media that flip bits for the first hour,
/// and a crash with a clock that was set back, while the disk is good.
fn objections<M: Manner>() -> Vec<&'static str> {
    let seed = seed(21);
    let layout = Shape::Line.layout(4, &seed);
    let mut scenario = Scenario::calm(seed, layout, Duration::from_secs(2 * 3_600));
    let minutes = |count: u64| WorldTime::from_start(Duration::from_secs(60 * count));
    let noisy = LinkFaults { corrupt_ppm: 200_000, ..LinkFaults::NONE };
    let on_all_media = (0..3).map(|medium| (WorldTime::START, Action::Disturb(MediumIndex(medium), noisy)));
    scenario.schedule.extend(on_all_media);
    let node = NodeIndex(2);
    let crash = Action::Crash { node, down_for: Duration::from_secs(9), disk: Provenance::Kept };
    scenario.schedule.push((minutes(30), Action::ClockJump(node, -7_200)));
    scenario.schedule.push((minutes(31), crash));
    scenario.schedule.push((minutes(60), Action::Calm));
    let bench = Bench::with_liveness::<Beacon<M>>(&scenario, minutes(60), Duration::from_secs(1_800));
    run_judged::<Beacon<M>>(&scenario, bench).failures.iter().map(|(judge, _)| *judge).collect()
}
