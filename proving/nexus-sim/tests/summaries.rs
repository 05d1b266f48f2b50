//! What summaries cost, drawn over the floor of information. Spec: spec/network.md#what-summaries-cost.

use std::path::Path;

use nexus_network::gossip::summary::Room;
use nexus_plot::{Axis, Corner, Mark, Plot};
use nexus_sim::summaries::{Method, Pair, mean};

const DIFFERENCES: [u32; 8] = [1, 2, 5, 10, 30, 100, 300, 1_000];
const ITEMS: u32 = 1_000;

fn drawn(name: &str, title: &str, room: Room) {
    let axes = (
        Axis::new("log10 of the items that differ", 0.0, 3.0),
        Axis::new("log10 of the bytes for each", 1.0, 4.5),
    );
    let point = |differences: u32, bytes: f64| {
        (f64::from(differences).log10(), (bytes / f64::from(differences)).log10())
    };
    let floor = DIFFERENCES.map(|differences| {
        let pair = Pair { items: ITEMS, differences, seed: 0 };
        point(differences, pair.items_floor() + pair.finding_floor())
    });
    let measured = |method| {
        DIFFERENCES.map(|differences| {
            let cost = mean(ITEMS, differences, method, room, 4);
            let bytes = u32::try_from(cost.finding + cost.items[0]).expect("small");
            point(differences, f64::from(bytes))
        })
    };
    let [bloom, sketch, shorter] = Method::ALL.map(measured);
    for (place, (_, bytes)) in shorter.iter().enumerate() {
        let better = bloom[place].1.min(sketch[place].1);
        assert!(*bytes <= better + 0.15, "{} differences: {bytes} against {better}", DIFFERENCES[place]);
    }
    let plot = Plot::new(title, axes.0, axes.1)
        .with("Bloom filters", Mark::Dots, bloom.to_vec())
        .with("sketches", Mark::Dots, sketch.to_vec())
        .with("the shorter of both, as nodes do", Mark::Line, shorter.to_vec())
        .with("the floor: the items themselves and which they are", Mark::Dashes, floor.to_vec())
        .key_at(Corner::UpperRight);
    let figures = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../spec/plots");
    nexus_plot::hold(&figures.join(name).with_extension("svg"), &plot.svg()).expect("the figure holds");
}

#[test]
fn on_fast_links_summaries_cost_what_is_drawn() {
    drawn("summaries-ample", "1,000 items of 32 bytes, links from 10 kbit/s", Room::AMPLE);
}

#[test]
fn on_the_slowest_links_summaries_cost_what_is_drawn() {
    drawn("summaries-narrowest", "1,000 items of 32 bytes, links below 1 kbit/s", Room::NARROWEST);
}

#[test]
fn one_difference_costs_no_more_in_a_store_that_is_a_hundred_times_as_large() {
    let cost = |items| mean(items, 1, Method::Shorter, Room::NARROWEST, 4).finding;
    assert!(cost(10_000) <= 2 * cost(100), "{} against {}", cost(10_000), cost(100));
}
