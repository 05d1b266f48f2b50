use super::*;
use alloc::collections::VecDeque;
use alloc::vec::Vec;

use nexus_crypto::{IdentitySeed, NameHash, NodeIdentity};
use nexus_machine::{Duration, Instant, Key, Machine, Snapshot};
use nexus_testkit::heap;
use nexus_wire::nexus::code::BandwidthCode;
use nexus_wire::nexus::path_cost::{CompactPathCost, Hop as CostOfHop, LatencyMs};
use nexus_wire::reticulum::announce::{Claim, Occasion};
use nexus_wire::reticulum::{Context, MTU, PacketHash, RandomHash};

use crate::announces::{self, AppData};
use crate::interface::InterfaceId;

/// What nothing is paid for.
const FREE: (Class, PriceCode) = (Class::Standard, PriceCode::FREE);

#[test]
fn a_packet_for_this_node_is_delivered_as_its_originator_wrote_it() {
    let mut node = Bench::new();
    for (n, first) in [(0, 0x00), (1, 0x50)] {
        let original = data(1, n);
        let mut packet = original.clone();
        packet[0] = first;
        assert_eq!(node.from(LEFT, &mut packet), Decision::Deliver);
        assert_eq!((packet[0], packet[1]), (0x00, 1));
        assert_eq!(packet[2..], original[2..]);
    }
}

#[test]
fn towards_a_far_destination_the_header_stays_and_the_hop_is_counted() {
    let mut node = Bench::new();
    let mut packet = in_transport(data(FAR, 0));
    packet[0] |= 0x20;
    packet[1] = 5;
    let before = packet.clone();
    assert_eq!(node.from(LEFT, &mut packet), over(RIGHT));
    assert_eq!((packet[0], packet[1]), (0x70, 6), "the context flag stays until the last relay");
    assert_eq!(packet[2..], before[2..]);
}

#[test]
fn the_last_relay_takes_the_packet_out_of_transport_and_the_context_flag_is_lost() {
    let mut node = Bench::new();
    let mut packet = in_transport(data(NEAR, 0));
    packet[0] |= 0x20;
    assert_eq!(node.from(LEFT, &mut packet), over(RIGHT));
    assert_eq!((packet[0], packet[1]), (0x00, 1));
    let mut request = in_transport(data(NEAR, 1));
    request[0] |= 0x02;
    request.resize(19 + 64, 7);
    assert_eq!(node.from(LEFT, &mut request), over(RIGHT));
    assert_eq!(request[0], 0x02, "link requests too");
}

#[test]
fn a_packet_is_taken_once_unless_its_context_repeats() {
    let mut node = Bench::new();
    let mut again = in_transport(data(FAR, 0));
    assert_eq!(node.from(LEFT, &mut again.clone()), over(RIGHT));
    again[1] = 9;
    assert_eq!(node.from(RIGHT, &mut again), Decision::Drop(Cause::Duplicate), "wherever it comes from");
    let mut repeating = in_transport(data(FAR, 1));
    repeating[18] = Context::CHANNEL.0;
    for _ in 0..2 {
        assert_eq!(node.from(LEFT, &mut repeating.clone()), over(RIGHT));
    }
    assert_eq!(node.organ.drops().duplicate, 1);
}

#[test]
fn what_was_taken_before_an_ordered_stop_is_not_taken_after_it() {
    let mut node = Bench::new();
    let packet = in_transport(data(FAR, 0));
    assert_eq!(node.from(LEFT, &mut packet.clone()), over(RIGHT));
    node.organ.save();
    let mut kept = Snapshot::empty();
    node.organ.take_writes().into_iter().for_each(|(_, write)| kept.apply(write));
    let of_another_size = Limits { duplicates: 8_192, ..LIMITS };
    for (limits, decision) in [(LIMITS, Decision::Drop(Cause::Duplicate)), (of_another_size, over(RIGHT))] {
        node.organ = Forwarding::new(identity(1).public().hash(), limits, &kept, &Seed::new([6; 32]));
        assert_eq!(node.from(LEFT, &mut packet.clone()), decision);
        let mut other = in_transport(data(FAR, 1));
        assert_eq!(node.from(LEFT, &mut other), over(RIGHT), "others are");
    }
}

#[test]
fn what_found_no_way_is_taken_when_there_is_one() {
    let mut node = Bench::new();
    let packet = in_transport(data(9, 0));
    assert_eq!(node.from(LEFT, &mut packet.clone()), Decision::Drop(Cause::NoPath));
    node.learn(RIGHT, 9, 3);
    assert_eq!(node.from(LEFT, &mut packet.clone()), over(RIGHT));
}

#[test]
fn everything_else_is_dropped_and_counted_by_its_cause() {
    let mut node = Bench::new();
    let mut drops = |mut packet: Vec<u8>, cause| {
        assert_eq!(node.from(LEFT, &mut packet), Decision::Drop(cause));
    };
    drops(Vec::new(), Cause::Malformed);
    drops(in_transport(data(FAR, 0))[..18].to_vec(), Cause::Malformed);
    drops([&[0xd0][..], &data(FAR, 0)[1..]].concat(), Cause::Malformed);
    drops([&[0x51][..], &data(FAR, 0)[1..]].concat(), Cause::Malformed);
    drops([&[0x50, 127][..], &data(FAR, 0)[2..]].concat(), Cause::HopLimit);
    drops([&[0x50, 126][..], &data(FAR, 0)[2..]].concat(), Cause::HopLimit);
    drops(data(FAR, 0), Cause::NotForUs);
    drops([&[0x58][..], &data(FAR, 0)[1..]].concat(), Cause::LinkLocal);
    drops([&[0x08][..], &data(FAR, 0)[1..]].concat(), Cause::LinkLocal);
    drops([&[0x0c][..], &data(FAR, 0)[1..]].concat(), Cause::NoCircuit);
    drops([&[0x03][..], &data(FAR, 0)[1..]].concat(), Cause::NoReverse);
    let mut back = in_transport(data(FAR, 0));
    assert_eq!(node.from(RIGHT, &mut back), Decision::Drop(Cause::Loop));
    node.relaying = Relaying::Off;
    let mut other = in_transport(data(FAR, 0));
    assert_eq!(node.from(LEFT, &mut other), Decision::Drop(Cause::Leaf));
    let expected = Drops {
        malformed: 4,
        hop_limit: 2,
        not_for_us: 1,
        link_local: 2,
        no_circuit: 1,
        no_reverse: 1,
        loops: 1,
        leaf: 1,
        ..Drops::default()
    };
    assert_eq!((*node.organ.drops(), node.organ.drops().total()), (expected, 13));
}

#[test]
fn the_first_proof_goes_back_the_way_that_the_packet_came() {
    let mut node = Bench::new();
    let packet = in_transport(data(FAR, 0));
    node.from(LEFT, &mut packet.clone());
    let proof = |n| proof_of(&data(FAR, 0), n);
    assert_eq!(node.from(LEFT, &mut proof(0)), Decision::Drop(Cause::NoReverse), "not from where it went");
    let mut first = proof(1);
    assert_eq!(node.from(RIGHT, &mut first), over(LEFT));
    assert_eq!((first[0], first[1]), (0x03, 1));
    assert_eq!(node.from(RIGHT, &mut proof(2)), Decision::Drop(Cause::NoReverse), "the second");
}

#[test]
fn a_proof_that_comes_after_eight_minutes_finds_no_way() {
    let mut node = Bench::new();
    node.from(LEFT, &mut in_transport(data(FAR, 0)));
    node.now = node.now.after(Duration::from_secs(481));
    assert_eq!(node.from(RIGHT, &mut proof_of(&data(FAR, 0), 0)), Decision::Drop(Cause::NoReverse));
}

#[test]
fn an_own_packet_leaves_towards_its_destination_does_not_come_back_and_its_proof_arrives() {
    let mut node = Bench::new();
    let original = data(FAR, 0);
    let mut packet = original.clone();
    assert_eq!(node.originate(&mut packet), Ok(Hop::Link(RIGHT)));
    assert_eq!((packet[0], packet[1]), (0x50, 0), "in transport, no hop yet");
    assert_eq!(packet[2..], original[2..]);
    assert_eq!(node.from(LEFT, &mut packet), Decision::Drop(Cause::Duplicate));
    assert_eq!(node.from(RIGHT, &mut proof_of(&original, 0)), Decision::Deliver);
    let mut direct = data(NEAR, 0);
    assert_eq!(
        (node.originate(&mut direct), direct[0]),
        (Ok(Hop::Link(RIGHT)), 0x00),
        "the neighbour itself: as it is"
    );
    assert_eq!(node.originate(&mut data(9, 0)), Err(NoPath));
    assert_eq!(node.originate(&mut [0; 3]), Err(NoPath));
}

#[test]
fn an_own_proof_leaves_by_the_link_by_which_the_packet_came_once() {
    let mut node = Bench::new();
    node.from(LEFT, &mut data(1, 0));
    let cx = Cx::at(node.now);
    assert_eq!(node.organ.prove(cx, &mut proof_of(&data(1, 0), 0)), Some(Hop::Link(LEFT)));
    assert_eq!(node.organ.prove(cx, &mut proof_of(&data(1, 0), 0)), None);
    assert_eq!(node.organ.prove(cx, &mut proof_of(&data(1, 7), 0)), None);
}

#[test]
fn a_next_hop_that_proves_nothing_loses_to_one_that_does() {
    let mut node = Bench::new();
    node.learn(LEFT, FAR, 1);
    let mut packets = 0;
    let first = node.originate(&mut data(FAR, 0)).unwrap();
    while node.originate(&mut data(FAR, packets + 1)) == Ok(first) && packets < 100 {
        packets += 1;
    }
    assert!(packets < 40, "{packets} packets into the dark");
}

#[test]
fn a_path_that_went_with_its_link_carries_nothing() {
    let mut node = Bench::new();
    node.tell(announces::Input::LinkDown(RIGHT));
    assert_eq!(node.from(LEFT, &mut in_transport(data(FAR, 0))), Decision::Drop(Cause::NoPath));
    assert_eq!(node.originate(&mut data(FAR, 1)), Err(NoPath));
}

#[test]
fn no_packet_makes_the_organ_allocate_and_it_holds_what_it_declares() {
    let (mut node, held) = heap::growth_of(|| {
        Forwarding::new(identity(1).public().hash(), LIMITS, &Snapshot::empty(), &Seed::new([5; 32]))
    });
    assert!(usize::try_from(held).unwrap() <= node.memory_bound());
    let mut bench = Bench::new();
    let mut packets: Vec<Vec<u8>> = (0..2_000).map(|n| in_transport(data(FAR, n))).collect();
    // That the path proves nothing is noted, once.
    for n in 5_000..5_010 {
        let packet = &mut in_transport(data(FAR, n));
        node.from_link(Cx::at(Instant::BOOT), LEFT, FREE, packet, &mut bench.announces, &mut Tally::new(4));
    }
    let mut proofs: Vec<Vec<u8>> = (0..2_000).map(|n| proof_of(&data(FAR, n), n)).collect();
    let (taken, peak) = heap::peak_of(|| {
        let mut take = |from, packet: &mut Vec<u8>| {
            let decision = node.from_link(
                Cx::at(Instant::BOOT),
                from,
                FREE,
                packet,
                &mut bench.announces,
                &mut Tally::new(4),
            );
            u32::from(matches!(decision, Decision::Forward(_)))
        };
        let there: u32 = packets.iter_mut().map(|packet| take(LEFT, packet)).sum();
        let back: u32 = proofs.iter_mut().map(|packet| take(RIGHT, packet)).sum();
        (there, back)
    });
    assert_eq!(peak, 0);
    assert!(taken.0 == 2_000 && taken.1 > 0, "{taken:?}");
}

#[test]
fn no_bytes_make_it_panic() {
    let mut node = Bench::new();
    let mut random = Seed::new([9; 32]).fork("noise");
    for n in 0..20_000_u32 {
        let mut packet = in_transport(data(if n % 2 == 0 { FAR } else { 1 }, n));
        packet.truncate(usize::try_from(random.below(80)).unwrap());
        if let Some(byte) = packet.get_mut(usize::try_from(random.below(20)).unwrap()) {
            *byte = u8::try_from(random.below(256)).unwrap();
        }
        let decision = node.from(LEFT, &mut packet);
        let (Decision::Deliver | Decision::Forward(_)) = decision else { continue };
        let mut read = packet;
        read[0] &= !0x40;
        assert!(Packet::decode(&read).is_ok(), "what goes on is a packet");
    }
    assert!(node.organ.drops().total() > 1_000);
}

// ───────────── helpers ─────────────

const LEFT: LinkId = LinkId(Key { slot: 0, generation: 0 });
const RIGHT: LinkId = LinkId(Key { slot: 1, generation: 0 });
/// The peer at the other end of `RIGHT`, and somebody behind it.
const NEAR: u8 = 3;
const FAR: u8 = 4;
const LIMITS: Limits = Limits { duplicates: 4_096, reverse: 1_024, circuits: 64 };

struct Bench {
    organ: Forwarding,
    announces: Announces,
    now: Instant,
    relaying: Relaying,
}

impl Bench {
    fn new() -> Self {
        let seed = Seed::new([5; 32]);
        let limits = announces::Limits { known: 8, relays: 4, links: 4, paths: 32, cache_bytes: 4_000 };
        let announces = Announces::new(identity(1), AppData::default(), limits, &Snapshot::empty(), &seed);
        let organ = Forwarding::new(identity(1).public().hash(), LIMITS, &Snapshot::empty(), &seed);
        let mut bench = Self { organ, announces, now: Instant::BOOT, relaying: Relaying::On };
        for (link, peer) in [(LEFT, 2), (RIGHT, NEAR)] {
            let hop =
                CostOfHop { price: 0, latency: LatencyMs(1), bandwidth: BandwidthCode::nearest(1_000_000) };
            let peer = identity(peer).public().hash();
            bench.tell(announces::Input::LinkUp { link, iface: InterfaceId(0), peer, hop });
        }
        bench.learn(RIGHT, NEAR, 0);
        bench.learn(RIGHT, FAR, 1);
        bench
    }

    fn tell(&mut self, input: announces::Input) {
        let mut out: VecDeque<announces::Effect> = VecDeque::new();
        self.announces.handle(Cx::at(self.now), input, &mut out);
    }

    fn learn(&mut self, link: LinkId, n: u8, hops: u8) {
        let mut packet = announce_of(n);
        packet[1] = hops;
        self.tell(announces::Input::HeardOnLink { link, cost: CompactPathCost::ORIGIN, packet });
    }

    fn cx(&self) -> Cx {
        let mut cx = Cx::at(self.now);
        cx.config.relaying = self.relaying;
        cx
    }

    fn from(&mut self, link: LinkId, packet: &mut [u8]) -> Decision {
        self.organ.from_link(self.cx(), link, FREE, packet, &mut self.announces, &mut Tally::new(4))
    }

    fn originate(&mut self, packet: &mut [u8]) -> Result<Hop, NoPath> {
        let leaving = self.organ.originate(
            self.cx(),
            (PathPolicy::default(), Class::Standard),
            packet,
            &mut self.announces,
        )?;
        assert_eq!(leaving.transport, None, "links leave it out");
        Ok(leaving.to)
    }
}

fn identity(n: u8) -> NodeIdentity {
    NodeIdentity::from_seed(IdentitySeed::from_bytes([n; 32]))
}

fn address(n: u8) -> DestinationHash {
    identity(n).node_id().into()
}

fn announce_of(n: u8) -> Vec<u8> {
    let identity = identity(n);
    let claim = Claim {
        public: *identity.public().identity(),
        name: NameHash::NEXUS_NODE,
        random_hash: RandomHash::new([1, 2, 3, 4, 5], 1_700_000_000),
        ratchet: None,
        app_data: b"N\x01",
    };
    let announce = claim.sign(identity.as_reticulum());
    announce.encode(Occasion::Periodic, &mut [0; MTU]).unwrap().to_vec()
}

/// The `n`-th packet for somebody, as its originator writes it.
fn data(to: u8, n: u32) -> Vec<u8> {
    let payload = [&n.to_le_bytes()[..], b" a payload of some length"].concat();
    let packet = Packet {
        data: &payload,
        ..Packet::originating(PacketType::Data, DestinationType::Single, address(to), Context::NEXUS)
    };
    packet.encode(&mut [0; MTU]).unwrap().to_vec()
}

fn over(link: LinkId) -> Decision {
    Decision::Forward(Leaving { to: Hop::Link(link), transport: None, quoted: CostCode::FREE })
}

fn in_transport(mut packet: Vec<u8>) -> Vec<u8> {
    packet[0] |= 0x50;
    packet
}

/// A proof (not signed: no relay looks) of `packet`.
fn proof_of(packet: &[u8], n: u32) -> Vec<u8> {
    let PacketHash(hash) = Packet::decode(packet).unwrap().hash();
    let mut proof = data(1, n);
    proof[0] = 0x03;
    proof[2..18].copy_from_slice(&hash[..16]);
    proof
}
