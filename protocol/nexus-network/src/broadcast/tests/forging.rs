//! What others than the owner of a key make of it.

use alloc::vec;
use alloc::vec::Vec;

use nexus_crypto::Nonce;
use nexus_machine::{Duration, Seed};
use nexus_wire::nexus::control::{BroadcastKey, Ping, Signature, signed_preamble};
use nexus_wire::nexus::frame::{BeaconTag, BroadcastKeyId, KeyName, SealedHeader};
use nexus_wire::nexus::message::{Body, MessageWriter};
use nexus_wire::nexus::path_cost::CompactPathCost;
use nexus_wire::nexus::traffic;
use proptest::prelude::*;

use super::world::{IFACE, World, identity, link};
use crate::broadcast::own::with_signed;
use crate::broadcast::{GivenKey, Input};

fn settled(count: usize) -> World {
    let mut world = World::linked(count);
    world.run_for(Duration::from_secs(5));
    world
}

/// One message.
fn message<'b>(body: &impl Body<'b>) -> Vec<u8> {
    let mut buffer = [0; 600];
    let mut writer = MessageWriter::new(&mut buffer);
    writer.put(body).unwrap();
    writer.finish().to_vec()
}

fn announce(packet: &[u8]) -> Vec<u8> {
    message(&traffic::Announce { cost: CompactPathCost::ORIGIN, packet })
}

/// A frame under the key of `owner`, with any counter and plaintext: what every holder of the key can make.
fn forged(world: &World, owner: usize, counter: u32, plaintext: &[u8]) -> Vec<u8> {
    let own = world.nodes[owner].organ.channels[&IFACE].current.as_ref().unwrap();
    let header = SealedHeader { key: KeyName::Broadcast(own.id), counter };
    let mut text = plaintext.to_vec();
    let tag = own.key.seal_in_place(Nonce::from_bytes(header.nonce()), &header.to_bytes(), &mut text);
    [&header.to_bytes()[..], &text, tag.as_bytes()].concat()
}

/// `said`, signed by `signer` as if `sender` sent it under `owner`'s key with this counter.
fn signed(world: &World, signer: usize, sender: usize, owner: usize, counter: u32, said: &[u8]) -> Vec<u8> {
    let own = world.nodes[owner].organ.channels[&IFACE].current.as_ref().unwrap();
    let fingerprint = crate::broadcast::own::fingerprint(&own.key);
    let preamble = signed_preamble(identity(sender).node_id(), &fingerprint, counter);
    let signature = with_signed(&preamble, said, |message| identity(signer).sign(message));
    [said.to_vec(), message(&Signature(signature.as_bytes()))].concat()
}

/// Nothing came of it at node 2, and what node 0 says next is heard.
fn changed_nothing(world: &mut World) {
    let before = world.nodes[2].announced.len();
    assert_eq!(world.nodes[2].heard.len(), before, "and nobody was taken for being there");
    let genuine = world.say(0, b"genuine");
    world.hear(2, &genuine[0]);
    assert_eq!(world.nodes[2].announced.len(), before + 1, "{:?}", world.refused(2));
    assert_eq!(world.nodes[2].announced.last().unwrap(), &(link(0), b"genuine".to_vec()));
}

#[test]
fn what_nobody_signed_changes_nothing_and_takes_no_counter() {
    let mut world = settled(3);
    let frame = forged(&world, 0, 0, &announce(b"cheap"));
    world.hear(2, &frame);
    assert_eq!(world.nodes[2].announced, []);
    assert_eq!(world.refused(2), [("unsigned", 1)]);
    changed_nothing(&mut world);
}

#[test]
fn a_cost_that_another_holder_of_the_key_made_up_changes_nothing() {
    let mut world = settled(3);
    let said = announce(b"cheap");
    let forgeries = [
        // By its own hand, as itself and as the owner.
        signed(&world, 1, 1, 0, 0, &said),
        signed(&world, 1, 0, 0, 0, &said),
        // By the owner, for another counter, another message, another key.
        signed(&world, 0, 0, 0, 1, &said),
        signed(&world, 0, 0, 1, 0, &said),
        [said.clone(), signed(&world, 0, 0, 0, 0, &announce(b"heavy"))[said.len()..].to_vec()].concat(),
    ];
    for plaintext in &forgeries {
        let frame = forged(&world, 0, 0, plaintext);
        world.hear(2, &frame);
    }
    assert_eq!(world.nodes[2].announced, []);
    let refused = world.refused(2);
    assert!(refused.iter().all(|(cause, _)| ["forged", "unsigned"].contains(cause)), "{refused:?}");
    assert_eq!(refused.iter().map(|(_, count)| count).sum::<u64>(), 5);
    changed_nothing(&mut world);
}

#[test]
fn a_signature_that_is_not_last_is_none() {
    let mut world = settled(3);
    let plaintext = [signed(&world, 0, 0, 0, 0, &announce(b"signed")), announce(b"appended")].concat();
    let frame = forged(&world, 0, 0, &plaintext);
    world.hear(2, &frame);
    assert_eq!(world.nodes[2].announced, []);
    assert_eq!(world.refused(2), [("malformed", 1)]);
    changed_nothing(&mut world);
}

#[test]
fn a_key_that_another_passes_off_as_its_own_takes_nothing_from_its_owner() {
    let mut world = settled(3);
    let own = world.nodes[0].organ.channels[&IFACE].current.as_ref().unwrap();
    let message = BroadcastKey { next_counter: 0, beacon_tag: BeaconTag(9), ..own.as_message() };
    let stolen = GivenKey::of(&message);
    world.tell(2, Input::Given { link: link(1), key: stolen });
    // What node 1 signs under it counts for node 1 and nobody else.
    let plaintext = signed(&world, 1, 1, 0, 7, &announce(b"its own"));
    let frame = forged(&world, 0, 7, &plaintext);
    world.hear(2, &frame);
    assert_eq!(world.nodes[2].announced, [(link(1), b"its own".to_vec())]);
    changed_nothing(&mut world);
}

#[test]
fn a_strangers_frame_and_ones_own_come_back_change_nothing() {
    let mut world = settled(3);
    let own = world.say(2, b"own");
    world.hear(2, &own[0]);
    assert_eq!(world.refused(2), [("looped", 1)]);
    let key = nexus_crypto::AeadKey::from_bytes([3; 32]);
    let header = SealedHeader { key: KeyName::Broadcast(BroadcastKeyId(0x1234)), counter: 0 };
    let mut text = announce(b"foreign");
    let tag = key.seal_in_place(Nonce::from_bytes(header.nonce()), &header.to_bytes(), &mut text);
    world.hear(2, &[&header.to_bytes()[..], &text, tag.as_bytes()].concat());
    assert_eq!(world.refused(2), [("unknown_key", 1), ("looped", 1)]);
    assert_eq!(world.nodes[2].announced, []);
    changed_nothing(&mut world);
}

#[test]
fn packets_and_what_concerns_one_link_do_not_count_in_a_broadcast() {
    let mut world = settled(3);
    let packet = traffic::Packet {
        class: traffic::Class::Interactive,
        price: nexus_wire::nexus::code::PriceCode::FREE,
        packet: &[0; 40],
    };
    let said = [message(&packet), message(&Ping { token: 1, clock_ms: 2 })].concat();
    let frame = world.sealed(0, &said);
    world.hear(2, &frame);
    assert_eq!(world.nodes[2].announced, []);
    assert_eq!(world.nodes[2].heard, [link(0)], "but for that it is there");
    assert_eq!(world.refused(2), [("misplaced", 2)]);
}

#[test]
fn a_repeated_index_kills_the_set_of_its_key_alone() {
    let mut world = settled(3);
    let fragment = |index, count, piece: &'static [u8]| {
        let place = traffic::FragmentPlace::new(index, count).unwrap();
        message(&traffic::Fragment::new(place, piece).unwrap())
    };
    let other = world.say(1, &[5; 474]);
    world.hear(2, &other[0]);
    let first = world.sealed(0, &fragment(0, 3, b"ab"));
    // Two pieces in one frame: the second is the first once more.
    let twice = world.sealed(0, &[fragment(1, 3, b"cd"), fragment(1, 3, b"ef")].concat());
    let last = world.sealed(0, &fragment(2, 3, b"gh"));
    for frame in [first, twice, last] {
        world.hear(2, &frame);
    }
    assert_eq!(world.nodes[2].announced, []);
    assert_eq!(world.refused(2), [("misplaced_fragment", 1)]);
    world.hear(2, &other[1]);
    assert_eq!(world.nodes[2].announced, [(link(1), vec![5; 474])]);
}

#[test]
fn more_than_a_neighbour_may_have_verified_is_not_looked_at() {
    let mut world = settled(3);
    for n in 0..300 {
        let plaintext = signed(&world, 1, 1, 0, n, &announce(b"cheap"));
        let frame = forged(&world, 0, n, &plaintext);
        world.hear(2, &frame);
    }
    assert_eq!(world.refused(2), [("forged", 200), ("hasty", 100)]);
    world.run_for(Duration::from_secs(10));
    changed_nothing(&mut world);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    /// Any bytes under the key, any bytes at all, any change of a genuine frame.
    #[test]
    fn any_bytes_change_nothing(seed: u64, len in 0_usize..200) {
        let mut world = settled(3);
        let mut random = Seed::new([4; 32]).fork_index("bytes", seed).fork("bytes");
        let mut genuine = world.say(0, b"lost").remove(0);
        let at = usize::try_from(random.below(u64::try_from(genuine.len()).unwrap())).unwrap();
        genuine[at] ^= 1 << random.below(8);
        world.hear(2, &genuine);
        let mut noise = vec![0; len];
        random.fill(&mut noise);
        world.hear(2, &noise);
        let counter = random.next_u32();
        let frame = forged(&world, 0, counter, &noise);
        world.hear(2, &frame);
        prop_assert!(world.nodes[2].announced.is_empty());
        changed_nothing(&mut world);
    }
}
