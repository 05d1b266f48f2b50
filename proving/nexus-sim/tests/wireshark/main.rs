//! What tshark shows of recordings with `tools/wireshark/nexus.lua` is what the node's decoder reads, field by field, and what it refuses.
//!
//! Needs `tshark` (a Debian package), which `cargo xtask test` installs. Source: spec/capture.md#dissector.

#![allow(clippy::unwrap_used, reason = "a panic is how a test fails, in its helpers too")]

mod expected;
mod packets;
mod tshark;

use nexus_machine::{Duration, Seed};
use nexus_network::Mode;
use nexus_node::Node;
use nexus_sim::capture::Capture;
use nexus_sim::errands::Errands;
use nexus_sim::faults::Kinds;
use nexus_sim::layout::{Shape, Wired};
use nexus_sim::swarm::Order;
use nexus_sim::world;
use nexus_testkit::formats;
use nexus_wire::pcapng::{LinkType, Packets};

use expected::Shown;
use packets::{Place, mutated, place_of, recording};

/// An hour of eight nodes on cables, a local network and a radio channel, all with links.
fn world(shape: Shape) -> Order {
    Order {
        seed: 5,
        nodes: 8,
        shape: Some(shape),
        wired: Some(Wired::Mixed),
        radio: Mode::Nexus,
        errands: Errands::Usual,
        length: Duration::from_secs(3_600),
        kinds: Kinds::None,
    }
}

fn captured(order: &Order) -> Vec<u8> {
    let scenario = order.scenario();
    let mut file = Vec::new();
    let mut capture = Capture::new(&mut file, &scenario.layout);
    let outcome = world::run::<Node>(&scenario, &mut [&mut capture]);
    capture.finish().unwrap();
    let alone = world::run::<Node>(&scenario, &mut []);
    assert_eq!(outcome.trace, alone.trace, "a world that is recorded is the same world");
    file
}

/// Holds what tshark shows of a recording against what the decoder reads.
fn compare(file: &[u8]) -> Vec<Shown> {
    let packets: Vec<(LinkType, &[u8])> =
        Packets::new(file).unwrap().map(|packet| (packet.link_type, packet.data)).collect();
    let shown = tshark::dissect(file);
    assert_eq!(shown.len(), packets.len(), "a packet, a piece of output");
    for ((link_type, data), shown) in packets.iter().zip(&shown) {
        let expected = expected::of(*link_type, data);
        assert_eq!(shown.malformed, expected.malformed, "{}", nexus_testkit::format::hex(data));
        if expected.malformed.is_empty() {
            assert_eq!(shown.fields, expected.fields, "{}", nexus_testkit::format::hex(data));
        }
    }
    shown
}

#[test]
fn every_format_that_can_stand_in_a_recording_is_shown_as_the_decoder_reads_it() {
    let mut samples = Vec::new();
    for format in formats::all() {
        match place_of(format.name) {
            Place::Recorded(put) => samples.extend((format.samples)().iter().map(|sample| put(sample))),
            Place::Never => {}
        }
    }
    let shown = compare(&recording(&samples));
    assert!(shown.len() > 60, "{} samples", shown.len());
}

#[test]
fn harmed_bytes_are_malformed_where_the_decoder_says_so_and_never_an_error_of_the_script() {
    let mut random = Seed::new([0x6c; 32]).fork("wireshark");
    let mut harmed = Vec::new();
    for format in formats::all() {
        if let Place::Recorded(put) = place_of(format.name) {
            for sample in (format.samples)() {
                harmed.extend((0..60).map(|_| put(&mutated(&mut random, &sample))));
                let (link_type, whole) = put(&sample);
                harmed.extend((0..60).map(|_| (link_type, mutated(&mut random, &whole))));
            }
        }
    }
    let shown = compare(&recording(&harmed));
    let malformed = shown.iter().filter(|shown| !shown.malformed.is_empty()).count();
    assert!(malformed > shown.len() / 4 && malformed < shown.len(), "{malformed} of {}", shown.len());
}

#[test]
fn recorded_worlds_are_shown_frame_by_frame_and_message_by_message() {
    for shape in [Shape::Mixed, Shape::Bridge] {
        let shown = compare(&captured(&world(shape)));
        assert!(shown.iter().all(|shown| shown.malformed.is_empty()), "nodes say nothing malformed");
        let has = |field: &str, value: &str| {
            shown.iter().any(|shown| shown.fields.contains(&(field.to_owned(), value.to_owned())))
        };
        for kind in ["1", "2", "3", "4"] {
            assert!(has("frame.kind", kind), "{shape:?}: no frame of kind {kind}");
        }
        for kind in [0x02, 0x04, 0x05] {
            assert!(has("message.kind", &format!("{kind}")), "{shape:?}: no message of kind {kind}");
        }
        assert!(has("rns.packet_type", "1"), "{shape:?}: no announce");
    }
}

#[test]
fn a_world_is_recorded_byte_for_byte_the_same_each_time() {
    let order = world(Shape::Mixed);
    assert!(captured(&order) == captured(&order));
}
