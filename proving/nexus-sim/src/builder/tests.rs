use std::collections::BTreeSet;

use super::*;
use nexus_air::place::Position;
use nexus_machine::{Duration, Instant};

fn order(kind: Kind, nodes: u32, seed: u64) -> Order {
    Order {
        kind,
        nodes,
        seed,
        spacing_m: 1_000,
        tuning: Tuning::EUROPE,
        driven: Driven::Rnode,
        power_dbm: 14,
        radio_percent: 100,
        cable_percent: 30,
        duration_s: 7_200,
        life: Life::Usual,
    }
}

#[test]
fn every_kind_is_a_world_that_reads_back_as_it_was_written() {
    for kind in Kind::ALL {
        for (nodes, seed) in [(1, 1), (5, 2), (30, 7)] {
            for tuning in [Tuning::EUROPE, Tuning::AMERICA] {
                let file = build(&Order { tuning, ..order(kind, nodes, seed) });
                let text = file.to_text();
                let again = WorldFile::read(&text).unwrap_or_else(|refusal| panic!("{refusal}\n{text}"));
                assert_eq!((&again, again.to_text()), (&file, text.clone()), "{kind:?}");
                let prepared = again.prepare(&text).unwrap_or_else(|refusal| panic!("{refusal}\n{text}"));
                assert_eq!(prepared.nodes.len(), file.nodes.len());
                let names: BTreeSet<&String> = prepared.media.iter().collect();
                assert_eq!(names.len(), prepared.scenario.layout.media.len());
            }
        }
    }
}

#[test]
fn a_seed_draws_its_own_world() {
    let text = |seed| build(&order(Kind::Village, 30, seed)).to_text();
    assert_eq!(text(7), text(7));
    assert_ne!(text(7), text(8));
}

#[test]
fn shares_of_media_are_what_was_asked_for() {
    let counted = |radio_percent, cable_percent| {
        let file = build(&Order { radio_percent, cable_percent, ..order(Kind::Grid, 400, 3) });
        (file.radios.len(), file.cables.len())
    };
    assert_eq!(counted(100, 100), (400, 760), "a grid of 20 by 20 has 2 × 20 × 19 pairs side by side");
    assert_eq!(counted(0, 0), (0, 0));
    let (radios, cables) = counted(50, 25);
    assert!((160..240).contains(&radios) && (150..230).contains(&cables), "{radios}, {cables}");
}

#[test]
fn the_ends_of_a_diamond_are_each_as_far_from_those_between_and_farther_from_each_other() {
    let file = build(&order(Kind::Diamond, 5, 1));
    let at = |node: usize| {
        let [east, north] = file.nodes[node].get_ref().at_m;
        Position::metres(east, north)
    };
    let ends = at(0).distance_cm(at(1));
    assert!((2..5).all(|node| at(0).distance_cm(at(node)) == at(1).distance_cm(at(node))));
    assert!((2..5).all(|node| at(0).distance_cm(at(node)) < ends * 3 / 4));
}

#[test]
fn islands_of_a_town_are_out_of_reach_and_their_gateways_are_joined() {
    let file = build(&Order { cable_percent: 0, ..order(Kind::Town, 30, 5) });
    let gateways = file.nodes.iter().filter(|node| node.get_ref().name.starts_with("gateway")).count();
    assert_eq!((gateways, file.cables.len()), (3, 2));
    let (first, second) = (file.nodes[0].get_ref().at_m, file.nodes[1].get_ref().at_m);
    assert_eq!(first[0].abs_diff(second[0]), 10_000);
}

#[test]
fn a_traveller_drives_from_one_island_to_the_other_and_back() {
    let prepared = WorldFile::load(&build(&order(Kind::Mobile, 9, 5)).to_text()).unwrap();
    let routes = &prepared.scenario.layout.media[0].routes;
    let traveller = routes.last().unwrap();
    assert!(traveller.moves() && routes.iter().filter(|route| route.moves()).count() == 1);
    let at = |seconds| traveller.at(Instant::BOOT.after(Duration::from_secs(seconds)));
    assert_eq!((at(0), at(1_800)), (Position::metres(0, 250), Position::metres(0, 250)));
    assert_eq!((at(3_000), at(7_200)), (Position::metres(10_000, 250), Position::metres(0, 250)));
}
