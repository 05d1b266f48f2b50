//! Pictures of worlds are the same each time, show what happened, and are those that the documentation shows.

#![allow(clippy::unwrap_used, reason = "a panic is how a test fails, in its helpers too")]

use std::path::Path;

use nexus_machine::Duration;
use nexus_network::Mode;
use nexus_node::Node;
use nexus_sim::clock::WorldTime;
use nexus_sim::errands::Errands;
use nexus_sim::faults::Kinds;
use nexus_sim::layout::{Shape, Wired};
use nexus_sim::picture::{self, Fate, Lanes, Places, Tally};
use nexus_sim::swarm::Order;
use nexus_sim::world;

/// What the documentation shows: ten nodes on a cable, a local network and a radio channel.
fn order() -> Order {
    Order {
        seed: 5,
        nodes: 10,
        shape: Some(Shape::Mixed),
        wired: Some(Wired::Nexus),
        radio: Mode::Nexus,
        errands: Errands::Usual,
        length: Duration::from_secs(3_600),
        kinds: Kinds::None,
    }
}

fn tallied() -> Tally {
    let scenario = order().scenario();
    let mut tally = Tally::new(&scenario.layout);
    world::run::<Node>(&scenario, &mut [&mut tally]);
    tally
}

fn second(second: u64) -> WorldTime {
    WorldTime::from_start(Duration::from_secs(second))
}

fn drawn(tally: &Tally) -> [String; 2] {
    let places = Places::on_a_circle(tally.layout());
    let lanes = Lanes { from: second(20), to: second(50) };
    let title = "A cable, a local network and a radio channel";
    [picture::map(title, tally, &places), picture::activity(title, tally, &places, lanes).unwrap()]
}

#[test]
fn the_same_world_gives_the_pictures_that_the_documentation_shows() {
    let pictures = drawn(&tallied());
    assert_eq!(pictures, drawn(&tallied()), "the same world, the same pictures");
    for (name, drawn) in ["map.svg", "activity.svg"].into_iter().zip(pictures) {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../spec/pictures").join(name);
        if std::env::var("NEXUS_PICTURES").is_ok_and(|value| value == "draw") {
            std::fs::write(&path, &drawn).unwrap();
        }
        let committed = std::fs::read_to_string(&path).unwrap();
        assert!(
            committed == drawn,
            "{name} is another: run this test with NEXUS_PICTURES=draw, and look at it"
        );
    }
}

#[test]
fn every_transmission_in_view_is_a_bar_and_every_fate_a_mark() {
    let tally = tallied();
    let [_, activity] = drawn(&tally);
    let seen: Vec<_> = tally
        .flights()
        .iter()
        .filter(|flight| flight.end > second(20) && flight.start < second(50))
        .collect();
    assert!(seen.len() > 10, "{} transmissions", seen.len());
    assert_eq!(activity.matches("<title>").count(), seen.len());
    let of = |wanted: Fate| {
        seen.iter().flat_map(|flight| &flight.fates).filter(|(_, fate)| *fate == wanted).count()
    };
    for (fate, class) in [(Fate::Received, "received"), (Fate::Collided, "collided"), (Fate::Deaf, "deaf")] {
        // One more is the key.
        let marks = activity.matches(&format!("class=\"{class}\"")).count();
        assert_eq!(marks, of(fate) + 1, "{fate:?}");
    }
}

#[test]
fn a_world_without_radios_says_so() {
    let scenario = Order { shape: Some(Shape::Ring), ..order() }.scenario();
    let tally = Tally::new(&scenario.layout);
    let places = Places::on_a_circle(&scenario.layout);
    let lanes = Lanes { from: second(0), to: second(60) };
    assert!(picture::activity("", &tally, &places, lanes).unwrap().contains("no radios"));
}
