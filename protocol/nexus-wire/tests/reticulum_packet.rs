//! What names a packet, and what a relay may change of it.

use nexus_crypto::{DestinationHash, IdentityHash};
use nexus_testkit::format::{hex, unhex};
use nexus_testkit::formats::reticulum::{stock_announces, vectors};
use nexus_testkit::heap::growth_of;
use nexus_wire::Fault;
use nexus_wire::reticulum::relay::{HEADROOM, RewriteError};
use nexus_wire::reticulum::{Context, Hops, MTU, Packet, PacketMut};
use proptest::prelude::*;

const RELAY: IdentityHash = IdentityHash([0x11; 16]);
const NEXT: IdentityHash = IdentityHash([0x22; 16]);

fn data_packet() -> Vec<u8> {
    unhex("0000060e57d3384d873ff70f62ebe5a6248600c0ffee")
}

/// The packet with headroom before it.
fn with_headroom(packet: &[u8]) -> Vec<u8> {
    [&[0xa5; HEADROOM], packet].concat()
}

fn inserted(packet: &[u8], relay: IdentityHash) -> Vec<u8> {
    PacketMut::insert_transport(&mut with_headroom(packet), relay).unwrap().into_bytes().to_vec()
}

#[test]
fn stock_packets_have_the_hashes_that_stock_nodes_compute() {
    for (bytes, vector) in stock_announces().iter().zip(vectors()["announces"].as_array().unwrap()) {
        let packet = Packet::decode(bytes).unwrap();
        assert_eq!(hex(packet.hash().as_bytes()), vector["packet_hash"].as_str().unwrap());
        assert_eq!(packet.truncated_hash().as_bytes()[..], packet.hash().as_bytes()[..16]);
    }
}

#[test]
fn a_packet_in_transport_is_passed_from_relay_to_relay_and_arrives_as_it_was_sent() {
    let sent = data_packet();
    let hash = Packet::decode(&sent).unwrap().hash();
    let mut buffer = with_headroom(&sent);
    let mut packet = PacketMut::insert_transport(&mut buffer, RELAY).unwrap();
    assert_eq!(packet.packet().flags().byte(), 0x50);
    assert_eq!(packet.count_hop(), Ok(Hops::new(1).unwrap()));
    packet.replace_transport(NEXT).unwrap();
    assert_eq!((packet.packet().transport, packet.packet().hash()), (Some(NEXT), hash));
    packet.count_hop().unwrap();
    let mut arrived = packet.strip_transport().unwrap();
    assert_eq!((arrived.packet().hops.get(), arrived.packet().hash()), (2, hash));
    arrived.set_hops(Hops::ZERO);
    assert_eq!(arrived.into_bytes(), sent);
}

#[test]
fn a_relayed_announce_keeps_its_context_flag_and_other_packets_lose_it() {
    let with_ratchet = stock_announces().remove(1);
    assert_eq!((with_ratchet[0], inserted(&with_ratchet, RELAY)[0]), (0x21, 0x71));
    let mut flagged = data_packet();
    flagged[0] |= 0x20;
    assert_eq!(inserted(&flagged, RELAY)[0], 0x50);
    let mut in_transport = inserted(&data_packet(), RELAY);
    in_transport[0] |= 0x20;
    let stripped = PacketMut::new(&mut in_transport).unwrap().strip_transport().unwrap();
    assert_eq!(stripped.into_bytes()[0], 0x00);
}

#[test]
fn a_rewrite_for_the_other_header_type_changes_nothing() {
    let mut plain = data_packet();
    let mut packet = PacketMut::new(&mut plain).unwrap();
    assert_eq!(packet.replace_transport(NEXT), Err(RewriteError::HeaderType));
    assert_eq!(packet.strip_transport().unwrap_err(), RewriteError::HeaderType);
    assert_eq!(plain, data_packet());
    let mut twice = with_headroom(&inserted(&data_packet(), RELAY));
    let before = twice.clone();
    assert_eq!(PacketMut::insert_transport(&mut twice, NEXT).unwrap_err(), RewriteError::HeaderType);
    assert_eq!(twice, before);
    let mut short = vec![0; HEADROOM - 1];
    assert_eq!(PacketMut::insert_transport(&mut short, NEXT).unwrap_err(), RewriteError::Headroom);
    let mut empty = vec![0; HEADROOM];
    assert!(matches!(PacketMut::insert_transport(&mut empty, NEXT), Err(RewriteError::Decode(_))));
}

#[test]
fn the_context_is_set_behind_either_header() {
    for mut bytes in [stock_announces().remove(0), inserted(&stock_announces()[0], RELAY)] {
        let before = bytes.clone();
        let mut packet = PacketMut::new(&mut bytes).unwrap();
        packet.set_context(Context::PATH_RESPONSE);
        assert!(packet.packet().is_path_response());
        packet.set_context(Context::NONE);
        assert!(!packet.packet().is_path_response());
        assert_eq!(bytes, before);
    }
}

#[test]
fn a_packet_that_came_too_far_is_refused_and_never_sent() {
    let mut bytes = data_packet();
    bytes[1] = 127;
    let mut packet = PacketMut::new(&mut bytes).unwrap();
    assert_eq!(packet.count_hop(), Err(RewriteError::HopLimit));
    for hops in 128..=255 {
        bytes[1] = hops;
        let error = Packet::decode(&bytes).unwrap_err();
        assert_eq!((error.field, error.fault), ("hops", Fault::Value));
    }
}

#[test]
fn a_frame_with_access_codes_is_no_packet() {
    let mut bytes = data_packet();
    bytes[0] |= 0x80;
    assert_eq!(Packet::decode(&bytes).unwrap_err().field, "flags");
}

#[test]
fn a_nexus_link_carries_packets_without_their_transport_id() {
    let mut in_transport = inserted(&data_packet(), RELAY);
    let omitted = PacketMut::new(&mut in_transport).unwrap().omit_transport().unwrap().to_vec();
    assert_eq!(omitted.len(), data_packet().len());
    assert_eq!(omitted[0], 0x50, "the flag still promises a transport id");
    let mut buffer = with_headroom(&omitted);
    let restored = PacketMut::restore_transport(&mut buffer, RELAY).unwrap();
    assert_eq!(restored.into_bytes(), inserted(&data_packet(), RELAY));
    let mut plain = with_headroom(&data_packet());
    assert_eq!(PacketMut::restore_transport(&mut plain, RELAY).unwrap_err(), RewriteError::HeaderType);
    for length in 0..HEADROOM + 19 {
        let mut cut = with_headroom(&omitted);
        cut.truncate(length);
        PacketMut::restore_transport(&mut cut, RELAY).unwrap_err();
    }
}

#[test]
fn relaying_does_not_allocate() {
    let mut buffer = with_headroom(&data_packet());
    let ((), growth) = growth_of(|| {
        let (arrived, peak) = nexus_testkit::heap::peak_of(|| {
            let mut packet = PacketMut::insert_transport(&mut buffer, RELAY).unwrap();
            packet.count_hop().unwrap();
            packet.replace_transport(NEXT).unwrap();
            let packet = packet.strip_transport().unwrap();
            packet.packet().hash()
        });
        assert_eq!((peak, arrived), (0, Packet::decode(&data_packet()).unwrap().hash()));
    });
    assert_eq!(growth, 0);
}

#[test]
fn payloads_for_plain_and_group_destinations_stay_local() {
    let local = |flags: u8| {
        let mut bytes = data_packet();
        bytes[0] = flags;
        Packet::decode(&bytes).unwrap().is_link_local()
    };
    assert_eq!([0x00, 0x04, 0x08, 0x0c].map(local), [false, true, true, false]);
}

#[test]
fn a_buffer_too_small_for_the_packet_is_refused() {
    let bytes = data_packet();
    let packet = Packet::decode(&bytes).unwrap();
    for length in 0..packet.len() {
        packet.encode(&mut vec![0; length]).unwrap_err();
    }
    assert_eq!(packet.encode(&mut vec![0xa5; packet.len()]).unwrap(), bytes);
}

proptest! {
    #[test]
    fn hops_and_transport_ids_never_change_a_packets_hash(
        flags in 0_u8..0x40,
        hops in 0_u8..126,
        destination: [u8; 16],
        context: u8,
        payload in prop::collection::vec(any::<u8>(), 0..MTU - 35),
        relays in prop::collection::vec(any::<[u8; 16]>(), 1..4),
    ) {
        let sent = [&[flags, hops][..], &destination, &[context], &payload].concat();
        let hash = Packet::decode(&sent).unwrap().hash();
        let mut buffer = with_headroom(&sent);
        let mut packet = PacketMut::insert_transport(&mut buffer, IdentityHash(relays[0])).unwrap();
        for relay in &relays[1..] {
            packet.replace_transport(IdentityHash(*relay)).unwrap();
        }
        packet.count_hop().unwrap();
        prop_assert_eq!(packet.packet().hash(), hash);
        let packet = packet.strip_transport().unwrap();
        prop_assert_eq!(packet.packet().hash(), hash);
        prop_assert_eq!(packet.packet().data, &payload[..]);
        prop_assert_eq!(packet.packet().destination, DestinationHash(destination));
        prop_assert_eq!(packet.packet().context, Context(context));
    }
}
