//! Among stock nodes: what they hear of this node, and when.

mod asking;
mod crossings;
mod pricing;
mod programs;
mod staying;

use super::*;
use crate::routes::{NextHop, PathPolicy};
use nexus_wire::nexus::path_cost::HopCount;
use nexus_wire::reticulum::Hops;

const STOCK: IdentityHash = IdentityHash([0x55; 16]);
const OTHER: IdentityHash = IdentityHash([0x66; 16]);

#[test]
fn what_costs_more_is_told_to_stock_nodes_later_and_a_cheaper_way_found_meanwhile_sooner() {
    let told_after = |price: u64| {
        let mut node = Bench::start(&Snapshot::empty());
        node.tell(linked(price));
        node.hear_behind(0, announce_of(7, UNIX), 0);
        node.first_frame_about(7).0.as_millis()
    };
    let [free, dear, dearest] = [0, 1_000, u64::MAX / 2].map(told_after);
    assert!((50..200).contains(&free), "{free}");
    assert!(dear > free + 700 && dear < dearest, "{dear}");
    assert!((2_000..=2_600).contains(&dearest), "{dearest}");
    let mut node = Bench::start(&Snapshot::empty());
    node.tell(linked(u64::MAX / 2));
    node.hear_behind(0, announce_of(7, UNIX), 0);
    node.pass(200);
    node.hear(&announce_of(7, UNIX));
    assert!(node.first_frame_about(7).0.as_millis() < 200, "the free way is told as soon as it is known");
}

#[test]
fn of_an_emission_stock_nodes_hear_one_path_whatever_is_learnt_later() {
    let mut node = Bench::start(&Snapshot::empty());
    node.tell(Input::Up(RIGHT, profile(Mode::Reticulum)));
    node.hear(&relayed(7, UNIX, 3, STOCK));
    let (_, first) = node.first_frame_about(7);
    assert_eq!(hops_of(&first), 4);
    // Another relay, and another interface, with fewer hops: too late for this emission.
    node.hear(&relayed(7, UNIX, 1, OTHER));
    node.tell(Input::Heard { iface: RIGHT, bytes: relayed(7, UNIX, 1, OTHER) });
    let rest = node.frames_within(10_000);
    assert!(!rest.is_empty() && rest.iter().all(|frame| hops_of(frame) == 4), "{rest:?}");
    let step = node.organ.next_hop_in_clear(node.now, &address(7), PathPolicy::Cheapest).unwrap();
    assert_eq!((step.next_hop, step.transport, step.hops), (NextHop::Clear(LEFT), Some(STOCK), 4));
    // The next emission is told by the better way.
    node.tell(Input::Heard { iface: RIGHT, bytes: relayed(7, UNIX + 9, 1, OTHER) });
    let (_, next) = node.first_frame_about(7);
    assert_eq!(hops_of(&next), 2);
}

#[test]
fn a_copy_of_the_same_emission_takes_the_place_of_another_where_the_gravity_is_greater_and_the_way_not_longer()
 {
    // Said by STOCK on the left at four hops, then by OTHER on the right at so many: where do packets go?
    let taken = |left: u8, right: u8, hops: u8| {
        let mut node = Bench::without_interfaces(&Snapshot::empty());
        node.tell(Input::Up(LEFT, Profile { gravity: left, ..profile(Mode::Reticulum) }));
        // By costs alone the left one is taken: it is faster.
        let slower = Profile { bandwidth_bps: 1_200, gravity: right, ..profile(Mode::Reticulum) };
        node.tell(Input::Up(RIGHT, slower));
        node.hear(&relayed(7, UNIX, 3, STOCK));
        node.tell(Input::Heard { iface: RIGHT, bytes: relayed(7, UNIX, hops - 1, OTHER) });
        node.next_hop(7)
    };
    assert_eq!(taken(0, 0, 4), NextHop::Clear(LEFT), "the first copy counts");
    assert_eq!(taken(0, 1, 4), NextHop::Clear(RIGHT));
    assert_eq!(taken(0, 1, 2), NextHop::Clear(RIGHT));
    assert_eq!(taken(5, 5, 4), NextHop::Clear(LEFT), "it is to be strictly greater");
    assert_eq!(taken(5, 4, 4), NextHop::Clear(LEFT));
    assert_eq!(taken(0, 255, 5), NextHop::Clear(LEFT), "a longer way takes no place");
}

#[test]
fn a_path_that_gravity_keeps_back_is_taken_when_the_other_is_lost_and_by_a_later_emission() {
    let mut node = Bench::without_interfaces(&Snapshot::empty());
    node.tell(Input::Up(LEFT, profile(Mode::Reticulum)));
    node.tell(Input::Up(RIGHT, Profile { gravity: 3, ..profile(Mode::Reticulum) }));
    node.tell(Input::Heard { iface: RIGHT, bytes: relayed(7, UNIX, 3, OTHER) });
    node.hear(&relayed(7, UNIX, 1, STOCK));
    assert_eq!(node.next_hop(7), NextHop::Clear(LEFT), "it is shorter: gravity does not hold it back");
    node.tell(Input::Heard { iface: RIGHT, bytes: relayed(8, UNIX, 3, OTHER) });
    node.hear(&relayed(8, UNIX, 3, STOCK));
    assert_eq!(node.next_hop(8), NextHop::Clear(RIGHT));
    node.hear(&relayed(8, UNIX + 9, 3, STOCK));
    assert_eq!(node.next_hop(8), NextHop::Clear(LEFT), "a later emission counts wherever it is heard");
    node.tell(Input::Heard { iface: RIGHT, bytes: relayed(8, UNIX + 9, 3, OTHER) });
    assert_eq!(node.next_hop(8), NextHop::Clear(RIGHT));
    node.tell(Input::Down(RIGHT));
    assert_eq!(node.next_hop(8), NextHop::Clear(LEFT), "at once, without a word of anybody");
    node.tell(Input::Up(RIGHT, profile(Mode::Reticulum)));
    node.tell(Input::Heard { iface: RIGHT, bytes: relayed(8, UNIX + 20, 3, OTHER) });
    node.hear(&relayed(8, UNIX + 20, 1, STOCK));
    assert_eq!(node.next_hop(8), NextHop::Clear(LEFT), "the interface came back without gravity");
}

#[test]
fn what_stock_neighbours_were_told_is_drawn_by_gravity_to_a_way_of_as_many_hops_alone() {
    for (hops, drawn) in [(3, NextHop::Clear(RIGHT)), (1, NextHop::Clear(LEFT))] {
        let mut node = Bench::start(&Snapshot::empty());
        node.tell(Input::Up(RIGHT, Profile { gravity: 1, ..profile(Mode::Reticulum) }));
        node.hear(&relayed(7, UNIX, 3, STOCK));
        let (_, first) = node.first_frame_about(7);
        assert_eq!(hops_of(&first), 4);
        node.tell(Input::Heard { iface: RIGHT, bytes: relayed(7, UNIX, hops, OTHER) });
        let step = node.organ.next_hop_in_clear(node.now, &address(7), PathPolicy::Cheapest).unwrap();
        assert_eq!(
            (step.next_hop, step.hops),
            (drawn, 4),
            "links that were made by what was said count hops"
        );
        let rest = node.frames_within(10_000);
        assert!(!rest.is_empty() && rest.iter().all(|frame| hops_of(frame) == 4), "{rest:?}");
        assert_eq!(node.next_hop(7), NextHop::Clear(RIGHT), "what comes over links goes by what draws it");
    }
}

#[test]
fn an_echo_of_what_was_said_in_clear_is_no_way() {
    let mut node = Bench::start(&Snapshot::empty());
    node.tell(linked(900));
    node.hear_behind(0, announce_of(7, UNIX), 1);
    let (_, said) = node.first_frame_about(7);
    assert_eq!(hops_of(&said), 2);
    node.hear(&said.bytes);
    assert_eq!(node.organ.refusals().echoes, 1);
    // A stock node says it again: for nothing, as it seems, and one hop farther.
    node.hear(&relayed(7, UNIX, 2, STOCK));
    let usable: Vec<Via> = node.ways(7);
    assert!(matches!(usable[..], [Via::Link { .. }]), "{usable:?}");
    node.hear(&relayed(8, UNIX, 2, STOCK));
    assert!(matches!(node.ways(8)[..], [Via::Clear { iface: LEFT, transport: Some(STOCK) }]));
}

#[test]
fn it_is_said_once_more_unless_two_neighbours_say_it_too_or_one_has_it_from_here() {
    let said = |heard: &[(u8, IdentityHash)]| {
        let mut node = Bench::start(&Snapshot::empty());
        node.hear(&announce_of(7, UNIX));
        node.first_frame_about(7);
        for (hops, transport) in heard {
            node.hear(&relayed(7, UNIX, *hops, *transport));
        }
        node.frames_within(20_000).len()
    };
    assert_eq!(said(&[]), 1);
    assert_eq!(said(&[(1, STOCK)]), 1, "one other is not enough");
    assert_eq!(said(&[(1, STOCK), (1, OTHER)]), 0);
    assert_eq!(said(&[(2, STOCK)]), 0, "it took it up");
    assert_eq!(said(&[(3, STOCK), (0, OTHER)]), 1, "those say something else");
}

#[test]
fn the_seventh_announce_of_a_destination_within_an_hour_is_known_but_not_passed_on() {
    let mut node = Bench::start(&Snapshot::empty());
    for n in 0..8 {
        node.hear(&announce_of(7, UNIX + n));
        let said = node.frames_within(60_000).len();
        assert_eq!(said > 0, n < 6, "announce {n}");
    }
    assert_eq!(node.organ.refusals().too_often, 2);
    let known = node.organ.known().find(|(destination, _)| **destination == address(7)).unwrap().1;
    assert_eq!(known.emitted_at, UNIX + 7);
    node.pass(3_600_000);
    node.hear(&announce_of(7, UNIX + 5_000));
    assert!(!node.frames_within(60_000).is_empty(), "an hour later");
}

#[test]
fn others_announces_take_a_fiftieth_of_an_interface_and_the_nearest_go_first() {
    let mut node = Bench::roomy();
    node.tell(Input::Up(LEFT, profile(Mode::Reticulum)));
    node.tell(Input::Up(RIGHT, Profile { bandwidth_bps: 1_200, ..profile(Mode::Reticulum) }));
    for n in 20..40 {
        node.hear(&relayed(n, UNIX, 60 - n, STOCK));
    }
    node.pass(3_000);
    let on_right: Vec<Frame> =
        node.frames_within(600_000).into_iter().filter(|frame| frame.iface == RIGHT).collect();
    let bytes: usize = on_right.iter().map(|frame| frame.bytes.len()).sum();
    assert!(bytes * 8 <= 1_200 * 600 / 50 + 300 * 8, "{bytes} bytes in ten minutes");
    let hops: Vec<u8> = on_right.iter().map(hops_of).collect();
    assert!(hops.len() >= 4 && hops.is_sorted(), "{hops:?}");
}

#[test]
fn two_thousand_destinations_in_a_burst_do_not_keep_a_slow_radio_from_those_who_are_near() {
    let mut node = Bench::roomy();
    let radio = Profile { bandwidth_bps: 1_200, reach: Reach::Shared, ..profile(Mode::Reticulum) };
    node.tell(Input::Up(LEFT, Profile { bandwidth_bps: 10_000_000, ..profile(Mode::Reticulum) }));
    node.tell(Input::Up(RIGHT, radio));
    node.tell(Input::Up(NEXUS, profile(Mode::Reticulum)));
    for n in 0..2_000_u16 {
        // Their signatures are those of others: a flood is cheap for whoever makes it.
        node.hear(&foreign(n, 9));
        if n % 8 == 0 {
            node.pass(4);
        }
    }
    let refused = *node.organ.refusals();
    assert_eq!(refused.held, 256, "as many are held as may be");
    assert!(refused.flooded > 1_600 && refused.forged < 40, "{refused:?}");
    // Somebody near is heard on another interface, and the radio's own people are heard as before.
    node.tell(Input::Heard { iface: NEXUS, bytes: announce_of(7, UNIX) });
    let (after, _) = node.first_frame_on(RIGHT, 7);
    assert!(after < Duration::from_secs(3), "{after:?}");
    node.tell(Input::Heard { iface: RIGHT, bytes: announce_of(8, UNIX) });
    let (after, _) = node.first_frame_on(LEFT, 8);
    assert!(after < Duration::from_secs(1), "{after:?}");
    let on_radio = node.frames_within(3_600_000).into_iter().filter(|frame| frame.iface == RIGHT);
    let bytes: usize = on_radio.map(|frame| frame.bytes.len()).sum();
    assert!(bytes * 8 <= 1_200 * 3_600 / 50 + 4_000, "{bytes} bytes in an hour");
}

#[test]
fn genuine_destinations_that_were_held_are_let_in_one_by_one() {
    let mut node = Bench::roomy();
    node.tell(Input::Up(LEFT, profile(Mode::Reticulum)));
    for n in 20..60 {
        node.hear(&announce_of(n, UNIX));
    }
    assert_eq!((node.organ.known().count(), node.organ.refusals().held), (24, 16));
    node.frames_within(29_000);
    assert_eq!(node.organ.known().count(), 24);
    node.frames_within(31_000);
    assert_eq!(node.organ.known().count(), 24 + 7, "one after thirty seconds, and one each five");
    node.frames_within(60_000);
    assert_eq!(node.organ.known().count(), 40);
}

#[test]
fn roles_decide_what_is_said_where() {
    let said = |from: Role, to: Role| {
        let mut node = Bench::without_interfaces(&Snapshot::empty());
        node.tell(Input::Up(LEFT, Profile { role: from, ..profile(Mode::Reticulum) }));
        node.tell(Input::Up(RIGHT, Profile { role: to, ..profile(Mode::Reticulum) }));
        node.hear(&announce_of(7, UNIX));
        node.frames_within(20_000).iter().any(|frame| frame.iface == RIGHT)
    };
    assert!(said(Role::Full, Role::Full) && said(Role::AccessPoint, Role::Gateway));
    assert!(!said(Role::Full, Role::AccessPoint));
    assert!(!said(Role::Boundary, Role::Roaming) && !said(Role::Roaming, Role::Boundary));
    assert!(!said(Role::Boundary, Role::Internal) && said(Role::Internal, Role::Boundary));
    let mut point = Bench::without_interfaces(&Snapshot::empty());
    point.tell(Input::Up(LEFT, Profile { role: Role::AccessPoint, ..profile(Mode::Reticulum) }));
    point.tell(Input::Ratchet(ratchet()));
    assert_eq!(frames(point.tell(Input::Durable(1))), [], "its own it says to who asks");
}

#[test]
fn what_is_no_announce_to_relay_is_counted_by_its_cause() {
    let mut node = Bench::start(&Snapshot::empty());
    node.hear(&signed(&identity(7), UNIX, &[b'x'; 290]));
    node.hear(&announce_of(8, UNIX + 1));
    node.hear(&announce_of(8, UNIX));
    let mut forged = announce_of(9, UNIX);
    *forged.last_mut().unwrap() ^= 1;
    node.hear(&forged);
    let mut elsewhere = announce_of(10, UNIX);
    elsewhere[2] ^= 1;
    node.hear(&elsewhere);
    let refused = *node.organ.refusals();
    assert_eq!((refused.too_long, refused.stale, refused.forged), (1, 1, 2));
    let said = node.frames_within(20_000);
    assert!(said.iter().all(|frame| frame.about == Some(address(8))), "{said:?}");
}

// ───────────── helpers ─────────────

/// What was sent about somebody else's destination, with the hops that the header says.
fn hops_of(frame: &Frame) -> u8 {
    Packet::decode(&frame.bytes).unwrap().hops.get()
}

fn address(n: u8) -> DestinationHash {
    identity(n).node_id().into()
}

/// An announce as the relay `transport` passes it on.
fn relayed(n: u8, unix_s: u64, hops: u8, transport: IdentityHash) -> Vec<u8> {
    let bytes = announce_of(n, unix_s);
    let packet = Packet::decode(&bytes).unwrap();
    let relayed = Packet {
        hops: Hops::new(hops).unwrap(),
        transport: Some(transport),
        propagation: nexus_wire::reticulum::Propagation::Transport,
        ..packet
    };
    let mut buffer = [0; MTU + 16];
    relayed.encode(&mut buffer).unwrap().to_vec()
}

/// An announce for one of many addresses, that does not verify.
fn foreign(n: u16, hops: u8) -> Vec<u8> {
    let mut bytes = relayed(7, UNIX, hops, STOCK);
    bytes[18..20].copy_from_slice(&n.to_be_bytes());
    bytes
}

fn link(slot: u16) -> LinkId {
    LinkId(nexus_machine::Key { slot, generation: 0 })
}

fn linked(price: u64) -> Input {
    let hop = Hop { price, latency: LatencyMs(1), bandwidth: BandwidthCode::nearest(10_000_000) };
    Input::LinkUp { link: link(0), iface: InterfaceId(9), peer: identity(2).public().hash(), hop }
}

impl Bench {
    /// With room for thousands.
    fn roomy() -> Self {
        let limits = Limits { known: 4_096, relays: 512, links: 4, paths: 8_192, cache_bytes: 1 << 20 };
        let seed = Seed::new([5; 32]);
        let organ = Announces::new(identity(1), AppData::default(), limits, &Snapshot::empty(), &seed);
        Self { organ, ..Self::without_interfaces(&Snapshot::empty()) }
    }

    fn hear_behind(&mut self, slot: u16, packet: Vec<u8>, hops: u8) -> Vec<Effect> {
        let cost = CompactPathCost { hops: HopCount(hops), ..CompactPathCost::ORIGIN };
        self.tell(Input::HeardOnLink { link: link(slot), cost, packet })
    }

    /// Lets time pass, and everything happen that is due meanwhile; how long after the beginning each frame was sent.
    fn timed_frames(&mut self, ms: u64) -> Vec<(Duration, Frame)> {
        let began = self.now;
        let until = began.after(Duration::from_millis(ms));
        let mut sent = Vec::new();
        while let Some(at) = self.organ.next_timeout().filter(|at| *at <= until) {
            self.now = self.now.max(at);
            let mut out: VecDeque<Effect> = VecDeque::new();
            self.organ.handle_timeout(self.cx(), &mut out);
            sent.extend(frames(out.into()).into_iter().map(|frame| (self.now.since(began), frame)));
        }
        self.now = until;
        sent
    }

    fn frames_within(&mut self, ms: u64) -> Vec<Frame> {
        self.timed_frames(ms).into_iter().map(|(_, frame)| frame).collect()
    }

    fn pass(&mut self, ms: u64) {
        self.frames_within(ms);
    }

    fn first_frame_about(&mut self, n: u8) -> (Duration, Frame) {
        self.first(|frame| frame.about == Some(address(n)))
    }

    fn first_frame_on(&mut self, iface: InterfaceId, n: u8) -> (Duration, Frame) {
        self.first(|frame| frame.iface == iface && frame.about == Some(address(n)))
    }

    /// The first such frame within five seconds, at which time stops.
    fn first(&mut self, is_it: impl Fn(&Frame) -> bool) -> (Duration, Frame) {
        let began = self.now;
        for _ in 0..5_000 {
            let sent = self.timed_frames(1);
            if let Some((_, frame)) = sent.into_iter().find(|(_, frame)| is_it(frame)) {
                return (self.now.since(began), frame);
            }
        }
        panic!("it is said within five seconds");
    }

    /// Where packets go that were not told otherwise.
    fn next_hop(&mut self, n: u8) -> NextHop {
        let step = self.organ.next_hop(self.now, &address(n), PathPolicy::default(), None);
        step.expect("there is a way").next_hop
    }

    /// How each usable way to a destination begins.
    fn ways(&self, n: u8) -> Vec<Via> {
        let destination = address(n);
        let ways = self.organ.paths(&destination, self.now);
        ways.filter(|way| way.is_usable).map(|way| way.via).collect()
    }
}
