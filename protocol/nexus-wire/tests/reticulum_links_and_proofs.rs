//! Links, proofs, path requests and tunnels: what identifies them, what is believed of them, and what relays change.
#![allow(clippy::unwrap_used, reason = "what cannot be unwrapped fails the test")]

use nexus_crypto::exchange::EphemeralPublic;
use nexus_crypto::{DestinationHash, IdentityHash, ReticulumIdentity, VerifyingKey};
use nexus_testkit::formats::reticulum::{identity, stock_announces};
use nexus_wire::Fault;
use nexus_wire::reticulum::link::{LinkMode, LinkMtu, LinkProof, LinkRequest, Signalling, clamp_signalling};
use nexus_wire::reticulum::path_request::{PathRequest, Tag};
use nexus_wire::reticulum::proof::{Proof, Proved};
use nexus_wire::reticulum::relay::HEADROOM;
use nexus_wire::reticulum::{Context, LinkId, MTU, Packet, PacketMut, Payload, TunnelSynthesis};

fn signalling(mtu: u32) -> Signalling {
    Signalling { mode: LinkMode::AES_256_CBC, mtu: LinkMtu::new(mtu) }
}

fn request(signalling: Option<Signalling>) -> LinkRequest {
    LinkRequest {
        destination: DestinationHash([0x0d; 16]),
        context: Context::NONE,
        exchange: EphemeralPublic([0x25; 32]),
        verifying: VerifyingKey([0xed; 32]),
        signalling,
    }
}

fn stranger() -> ReticulumIdentity {
    ReticulumIdentity::from_private_blob(&[0x33; 64])
}

/// The request of `signalling` as it leaves a relay with this limit, in transport.
fn clamped(signalling: Option<Signalling>, limit: Option<u32>) -> LinkRequest {
    let mut buffer = [0; MTU];
    let length = request(signalling).encode(&mut buffer[HEADROOM..]).unwrap().len();
    let packet =
        PacketMut::insert_transport(&mut buffer[..HEADROOM + length], IdentityHash([1; 16])).unwrap();
    let packet = clamp_signalling(packet, limit.map(LinkMtu::new)).unwrap();
    LinkRequest::from_packet(&packet.packet()).unwrap()
}

#[test]
fn a_link_request_falls_back_to_what_the_relays_carry() {
    assert_eq!(clamped(Some(signalling(100_000)), Some(16_384)), request(Some(signalling(16_384))));
    assert_eq!(clamped(Some(signalling(500)), Some(16_384)), request(Some(signalling(500))));
    assert_eq!(clamped(Some(signalling(8_192)), None), request(None));
    assert_eq!(clamped(None, Some(16_384)), request(None), "a relay adds nothing");
}

#[test]
fn a_link_keeps_its_id_whatever_relays_do_to_the_request() {
    let id = request(None).link_id();
    let mut buffer = [0; MTU];
    let bare = Packet::decode(request(None).encode(&mut buffer).unwrap()).unwrap().truncated_hash();
    assert_eq!(id.as_bytes(), bare.as_bytes(), "it is the packet hash without signalling");
    for (asked, limit) in
        [(Some(signalling(8_192)), Some(500)), (Some(signalling(8_192)), None), (None, None)]
    {
        assert_eq!(clamped(asked, limit).link_id(), id);
    }
    assert_ne!(LinkRequest { destination: DestinationHash([0; 16]), ..request(None) }.link_id(), id);
}

#[test]
fn signalling_is_three_bits_and_twenty_one() {
    let bytes =
        |mode, mtu| Signalling { mode: LinkMode::new(mode).unwrap(), mtu: LinkMtu::new(mtu) }.to_bytes();
    assert_eq!(bytes(1, 500), [0x20, 0x01, 0xf4]);
    assert_eq!(bytes(7, u32::MAX), [0xff, 0xff, 0xff]);
    assert_eq!((LinkMode::new(8), LinkMtu::BASE.bytes()), (None, 500));
    for word in [[0, 0, 0], [0x20, 0x20, 0x00], [0xff, 0xff, 0xff], [0x5f, 0x01, 0x02]] {
        assert_eq!(Signalling::from_bytes(word).to_bytes(), word);
    }
}

#[test]
fn only_the_destinations_identity_proves_a_link() {
    for agreed in [Some(signalling(8_192)), None] {
        let proof = LinkProof::sign(LinkId([4; 16]), EphemeralPublic([5; 32]), agreed, &identity());
        let responder = identity().public().verifying();
        proof.verify(&responder).unwrap();
        proof.verify(&stranger().public().verifying()).unwrap_err();
        LinkProof { link: LinkId([9; 16]), ..proof }.verify(&responder).unwrap_err();
        LinkProof { exchange: EphemeralPublic([9; 32]), ..proof }.verify(&responder).unwrap_err();
        LinkProof { signalling: Some(signalling(501)), ..proof }.verify(&responder).unwrap_err();
        let mut buffer = [0; MTU];
        let packet = proof.encode(&mut buffer).unwrap();
        assert_eq!(
            (packet[0], packet[18], packet.len()),
            (0x0f, 0xff, 19 + if agreed.is_some() { 99 } else { 96 })
        );
    }
}

#[test]
fn a_proof_is_good_for_one_packet_and_one_recipient() {
    let sent = Packet::decode(&stock_announces()[0]).unwrap().hash();
    let other = Packet::decode(&stock_announces()[1]).unwrap().hash();
    let recipient = identity().public().verifying();
    let implicit = Proof::implicit(&sent, &identity());
    for proved in [implicit.proved, Proved::Explicit(sent), Proved::OnLink(LinkId([1; 16]), sent)] {
        let proof = Proof { proved, ..implicit };
        proof.verify(&sent, &recipient).unwrap();
        proof.verify(&other, &recipient).unwrap_err();
        proof.verify(&sent, &stranger().public().verifying()).unwrap_err();
        let mut buffer = [0; MTU];
        let bytes = proof.encode(&mut buffer).unwrap();
        assert_eq!(bytes[0], if matches!(proved, Proved::OnLink(..)) { 0x0f } else { 0x03 });
        assert_eq!(Proof::from_packet(&Packet::decode(bytes).unwrap()), Ok(proof));
    }
}

#[test]
fn an_explicit_proof_must_be_addressed_by_its_own_hash() {
    let sent = Packet::decode(&stock_announces()[0]).unwrap().hash();
    let proof = Proof { proved: Proved::Explicit(sent), ..Proof::implicit(&sent, &identity()) };
    let mut buffer = [0; MTU];
    let bytes = proof.encode(&mut buffer).unwrap();
    bytes[2] ^= 1;
    let error = Proof::from_packet(&Packet::decode(bytes).unwrap()).unwrap_err();
    assert_eq!((error.field, error.fault), ("packet hash", Fault::Value));
}

#[test]
fn a_path_request_names_its_requester_only_if_it_is_longer_than_a_destination_and_a_tag() {
    let read = |payload: &[u8]| {
        let packet = [&[0x08, 0][..], DestinationHash::PATH_REQUEST.as_bytes(), &[0], payload].concat();
        let request = PathRequest::from_packet(&Packet::decode(&packet).unwrap());
        request.map(|request| (request.requester.is_some(), request.tag.as_bytes().len())).ok()
    };
    let lengths = [16, 17, 32, 33, 48, 49].map(|length| read(&vec![0x5a; length]));
    assert_eq!(lengths, [None, Some((false, 1)), Some((false, 16)), Some((true, 1)), Some((true, 16)), None]);
}

#[test]
fn tags_are_equal_only_if_their_lengths_are() {
    assert_eq!((Tag::new(&[]), Tag::new(&[0; 17])), (None, None));
    assert_ne!(Tag::new(&[1]), Tag::new(&[1, 0]));
}

#[test]
fn a_tunnel_is_believed_of_its_relay_only_and_keeps_its_id() {
    let synthesis = TunnelSynthesis::sign([1; 32], [2; 16], &identity());
    synthesis.verify().unwrap();
    TunnelSynthesis { random: [3; 16], ..synthesis }.verify().unwrap_err();
    TunnelSynthesis { public: *stranger().public(), ..synthesis }.verify().unwrap_err();
    let again = TunnelSynthesis::sign([1; 32], [9; 16], &identity());
    assert_eq!(again.tunnel_id(), synthesis.tunnel_id());
    assert_ne!(TunnelSynthesis { interface: [2; 32], ..synthesis }.tunnel_id(), synthesis.tunnel_id());
}
