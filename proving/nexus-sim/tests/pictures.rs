//! Pictures of worlds are the same each time, show what happened, and are those that the documentation shows.

#![allow(clippy::unwrap_used, reason = "a panic is how a test fails, in its helpers too")]

use std::path::Path;
use std::process::{Command, Output};

use nexus_machine::Duration;
use nexus_node::Node;
use nexus_sim::builder::{self, Kind, Life, Order, Tuning};
use nexus_sim::clock::WorldTime;
use nexus_sim::picture::{self, Fate, Lanes, Places, Tally};
use nexus_sim::world;
use nexus_sim::worldfile::{Driven, WorldFile};

fn nexus_sim(arguments: &[&str]) -> Output {
    let output = Command::new(env!("CARGO_BIN_EXE_nexus-sim")).args(arguments).output().unwrap();
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    output
}

/// The commands that the chapter names, and what they draw is what it shows.
#[test]
fn the_pictures_of_the_documentation_are_what_the_command_draws() {
    let directory = tempfile::tempdir().unwrap();
    let file = |name: &str| directory.path().join(name).to_str().unwrap().to_owned();
    let world = file("world.toml");
    let new = nexus_sim(&["world", "new", "mobile", "--nodes", "12", "--seed", "7", "--duration-s", "900"]);
    std::fs::write(&world, new.stdout).unwrap();
    let drawn = |name: &str, more: &[&str]| {
        let out = file(name);
        nexus_sim(&[&["render", &world, "--out", &out], more].concat());
        std::fs::read_to_string(out).unwrap()
    };
    let map = drawn("map.svg", &[]);
    let activity = drawn("activity.svg", &["--picture", "activity", "--from", "60", "--to", "90"]);
    assert_eq!(map, drawn("again.svg", &[]), "the same world, the same picture");
    for (name, drawn) in [("map.svg", map), ("activity.svg", activity)] {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../spec/pictures").join(name);
        nexus_plot::hold(&path, &drawn).unwrap();
    }
}

fn second(second: u64) -> WorldTime {
    WorldTime::from_start(Duration::from_secs(second))
}

fn tallied(kind: Kind) -> (Tally, Places) {
    let order = Order {
        kind,
        nodes: 8,
        seed: 3,
        spacing_m: 1_500,
        tuning: Tuning::EUROPE,
        driven: Driven::Rnode,
        power_dbm: 14,
        radio_percent: 100,
        cable_percent: 0,
        duration_s: 600,
        life: Life::Usual,
    };
    let prepared = WorldFile::load(&builder::build(&order).to_text()).unwrap();
    let mut tally = Tally::new(&prepared.scenario.layout);
    world::run::<Node>(&prepared.scenario, &mut [&mut tally]);
    (tally, Places::stated(prepared.nodes, prepared.routes))
}

#[test]
fn every_transmission_in_view_is_a_bar_and_every_fate_a_mark() {
    let (tally, places) = tallied(Kind::Village);
    let lanes = Lanes { from: second(20), to: second(80) };
    let activity = picture::activity("village", &tally, &places, lanes).unwrap();
    let seen: Vec<_> = tally
        .flights()
        .iter()
        .filter(|flight| flight.end > second(20) && flight.start < second(80))
        .collect();
    assert!(seen.len() > 20, "{} transmissions", seen.len());
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
fn a_map_has_every_node_by_its_name_routes_ranges_and_a_scale() {
    let (tally, places) = tallied(Kind::Mobile);
    let map = picture::map("mobile", &tally, &places);
    let nodes = tally.layout().node_indices();
    for node in nodes {
        assert!(map.contains(&format!(">{}</text>", places.name(node))), "{}", places.name(node));
    }
    for what in
        ["class=\"route\"", "class=\"arrow\"", "class=\"mobile\"", "class=\"range cut\"", " km</text>"]
    {
        assert!(map.contains(what), "{what}");
    }
    // Each medium's lines: somebody was heard, and the cable between the gateways carried something.
    assert!(map.contains("class=\"radio\"") && map.contains("class=\"cable\""));
}

#[test]
fn a_world_without_radios_says_so() {
    let layout = nexus_sim::layout::Shape::Ring.layout(5, &nexus_machine::Seed::new([0; 32]));
    let tally = Tally::new(&layout);
    let places = Places::on_a_circle(&layout);
    let lanes = Lanes { from: second(0), to: second(60) };
    assert!(picture::activity("", &tally, &places, lanes).unwrap().contains("no radios"));
    assert!(picture::map("", &tally, &places).contains("on a circle in their order"));
}
