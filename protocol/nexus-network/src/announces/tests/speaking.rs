//! Announces where one frame is heard by many.

use super::*;
use crate::overheard::{Carrier, Overheard};
use alloc::collections::BTreeSet;
use nexus_machine::Key;
use nexus_wire::nexus::code::BandwidthCode;
use nexus_wire::nexus::cost::CostList;
use nexus_wire::nexus::frame::HEADER_LEN;
use nexus_wire::nexus::message::{MessageKind, Messages};
use nexus_wire::nexus::path_cost::{Hop, LatencyMs};
use nexus_wire::nexus::traffic;

#[test]
fn ones_own_emission_is_broadcast_once_and_told_to_those_who_do_not_hear_in_time() {
    let mut node = Bench::on_radio(4);
    for n in [0, 1, 3] {
        node.tell(hears(n));
    }
    node.tell(Input::Ratchet(ratchet()));
    assert_eq!(node.emit(), [Said::ToAll(address(1))]);
    let is_told = |said: Vec<Said>| said.contains(&Said::Told(2, address(1)));
    assert!(!is_told(node.said_within(20)), "who came of late may hear broadcasts soon");
    assert!(is_told(node.said_within(20)));
}

#[test]
fn a_single_hearer_is_told_over_its_link() {
    let mut node = Bench::on_radio(2);
    node.tell(hears(0));
    node.tell(Input::Ratchet(ratchet()));
    assert_eq!(node.emit(), [Said::Told(0, address(1))]);
    let said = node.said_within(40);
    assert!(said.contains(&Said::Told(1, address(1))), "{said:?}");
}

/// A channel on which many start: who comes is told with those who come after it.
#[test]
fn who_comes_to_a_channel_while_others_come_is_told_with_them_in_one_broadcast() {
    let mut node = Bench::on_radio(5);
    node.tell(Input::Ratchet(ratchet()));
    node.emit();
    let mut said = Vec::new();
    for n in 0..5 {
        node.tell(hears(n));
        said.extend(node.said_within(2));
    }
    said.extend(node.said_within(25));
    let own =
        |said: &&Said| matches!(said, Said::ToAll(about) | Said::Told(_, about) if *about == address(1));
    assert_eq!(said.iter().filter(own).collect::<Vec<_>>(), [&Said::ToAll(address(1))], "{said:?}");
}

#[test]
fn what_one_neighbour_said_is_passed_on_to_all_others_in_one_broadcast() {
    let mut node = Bench::hearing(5);
    node.hear_from(0, announce_of(20, UNIX));
    assert_eq!(node.said_within(12), [Said::ToAll(address(20))]);
}

#[test]
fn what_was_said_on_radio_is_followed_twice_by_what_it_costs_within_three_minutes() {
    let mut node = Bench::hearing(5);
    node.effects_within(Duration::from_secs(300));
    node.hear_from(0, announce_of(20, UNIX));
    let begin = node.now;
    let mut followed = Vec::new();
    for _ in 0..600 {
        for effect in node.effects_within(Duration::from_secs(1)) {
            let Effect::Say { to, message } = effect else { continue };
            let message = Messages::new(&message[HEADER_LEN..]).next().unwrap().unwrap();
            if message.kind == MessageKind::COST {
                let list: CostList<'_> = message.parse().unwrap();
                followed.extend(list.records().map(|record| (to, record.destination, node.now.since(begin))));
            }
        }
    }
    assert_eq!(followed.len(), 2, "and no more: {followed:?}");
    for (to, about, after) in followed {
        assert_eq!((to, about), (Outlet::Hearers(NEXUS), address(20)));
        assert!((15..=180).contains(&after.as_secs()), "{after:?}");
    }
}

#[test]
fn whoever_said_the_same_has_it_and_is_not_told() {
    let mut node = Bench::hearing(4);
    let announce = announce_of(20, UNIX);
    node.hear_from(0, announce.clone());
    node.hear_from(1, announce.clone());
    node.hear_from(2, announce.clone());
    assert_eq!(node.said_within(60), [Said::Told(3, address(20))]);
    node.hear_from(3, announce);
    let newer = announce_of(20, UNIX + 1);
    node.hear_from(0, newer.clone());
    for n in 1..4 {
        node.hear_from(n, newer.clone());
    }
    assert_eq!(node.said_within(60), [], "everybody has it");
}

#[test]
fn a_changed_copy_is_no_sign_that_its_sender_has_it() {
    let mut node = Bench::hearing(4);
    let announce = announce_of(20, UNIX);
    node.hear_from(0, announce.clone());
    let mut changed = announce;
    *changed.last_mut().unwrap() ^= 1;
    for n in 1..4 {
        node.hear_from(n, changed.clone());
    }
    assert_eq!(node.said_within(12), [Said::ToAll(address(20))]);
    assert_eq!(node.said_within(60), [Said::ToAll(address(20))], "nobody was heard to pass it on");
}

#[test]
fn what_nobody_was_heard_to_pass_on_is_said_once_more_and_no_more() {
    let mut node = Bench::hearing(3);
    node.tell(Input::Ratchet(ratchet()));
    let own = node.organ.own.destination();
    node.emit();
    assert_eq!(node.said_within(4), [], "it was said at once");
    assert_eq!(node.said_within(60), [Said::ToAll(own)]);
    assert_eq!(node.said_within(600), []);
}

#[test]
fn what_somebody_passed_on_is_not_said_again() {
    let mut node = Bench::hearing(3);
    node.hear_from(0, announce_of(20, UNIX));
    assert_eq!(node.said_within(12), [Said::ToAll(address(20))]);
    node.hear_from(1, announce_of(20, UNIX));
    assert_eq!(node.said_within(600), []);
}

#[test]
fn among_many_what_three_others_passed_on_is_not_broadcast_once_more_and_among_few_it_is() {
    for (neighbours, expected) in [(8, vec![]), (7, vec![Said::ToAll(address(20))])] {
        let mut node = Bench::hearing(neighbours);
        for n in 0..4 {
            node.hear_from(n, announce_of(20, UNIX));
        }
        assert_eq!(node.said_within(60), expected, "{neighbours} neighbours");
    }
    // Two others are not enough.
    let mut node = Bench::hearing(8);
    for n in 0..3 {
        node.hear_from(n, announce_of(20, UNIX));
    }
    assert_eq!(node.said_within(60), [Said::ToAll(address(20))]);
}

#[test]
fn what_is_not_broadcast_once_more_is_told_to_those_who_do_not_hear_broadcasts() {
    let mut node = Bench::hearing(9);
    node.tell(Input::Hearing { link: link(8), hearing: Hearing::LinkOnly });
    for n in 0..4 {
        node.hear_from(n, announce_of(20, UNIX));
    }
    assert_eq!(node.said_within(60), [Said::Told(8, address(20))]);
}

#[test]
fn announces_take_three_percent_of_the_airtime_ones_own_and_the_nearest_first() {
    let mut node = Bench::hearing(2);
    let mut announces: Vec<Vec<u8>> = (20..60).map(|n| announce_of(n, UNIX)).collect();
    for (announce, hops) in announces.iter_mut().zip((0..8).cycle()) {
        announce[1] = hops;
        node.hear_from(0, announce.clone());
    }
    // A process has a minute's share saved up; a frame takes about 0.37 s at 5,500 bit/s, and 12 s of its share.
    let at_once = node.said_within(20).len();
    assert!((6..10).contains(&at_once), "{at_once}");
    let begin = node.now;
    let rest = node.said_within(3_000);
    // Each is said, and then again: nobody was heard to pass it on.
    assert_eq!(at_once + rest.len(), 80);
    let spacing = node.last_said_at.since(begin).as_secs() / u64::try_from(rest.len()).unwrap();
    // What follows each as costs takes its part.
    assert!((9..20).contains(&spacing), "{spacing} s from one to the next");
    let hops = |said: &Said| {
        let about = match said {
            Said::ToAll(about) | Said::Told(_, about) => *about,
        };
        node.organ.known.get(&about).unwrap().neighbour.hops.get()
    };
    let (first, again) = rest.split_at(40 - at_once);
    for said in [first, again] {
        let order: Vec<u8> = said.iter().map(hops).collect();
        assert!(order.is_sorted(), "{order:?}");
    }
}

#[test]
fn a_newcomer_is_told_once_it_hears_and_of_what_was_not_broadcast_since() {
    let mut node = Bench::hearing(2);
    for n in [20, 21] {
        node.hear_from(0, announce_of(n, UNIX));
    }
    node.said_within(60);
    node.tell(up(2));
    assert_eq!(node.said_within(20), [], "it does not hear yet");
    node.tell(hears(2));
    // What is refreshed meanwhile reaches it with the others.
    node.hear_from(0, announce_of(21, UNIX + 1));
    let said = node.said_within(15);
    assert_eq!(said.len(), 2, "{said:?}");
    assert!(said.contains(&Said::ToAll(address(21))) && said.contains(&Said::Told(2, address(20))));
}

#[test]
fn among_many_a_newcomer_is_not_told_of_those_on_the_channel_itself() {
    for (neighbours, expected) in [(7, vec![]), (6, vec![Said::Told(9, address(20))])] {
        let mut node = Bench::hearing(neighbours);
        for n in 0..neighbours {
            node.hear_from(n, announce_of(20, UNIX));
        }
        node.said_within(60);
        node.tell(up(9));
        node.tell(hears(9));
        assert_eq!(node.said_within(15), expected, "{neighbours} neighbours and the newcomer");
    }
}

#[test]
fn newcomers_of_the_same_time_are_told_together() {
    let mut node = Bench::hearing(1);
    node.tell(Input::Ratchet(ratchet()));
    node.emit();
    for n in [20, 21] {
        node.hear_from(0, announce_of(n, UNIX));
    }
    node.said_within(60);
    for n in 1..4 {
        node.tell(up(n));
        node.tell(hears(n));
    }
    let said = node.said_within(20);
    assert_eq!(said[0], Said::ToAll(address(1)), "this node first");
    assert_eq!(said.len(), 3, "{said:?}");
    assert!(said.contains(&Said::ToAll(address(20))) && said.contains(&Said::ToAll(address(21))));
}

#[test]
fn a_newcomer_that_never_hears_is_told_over_its_link_after_half_a_minute() {
    let mut node = Bench::hearing(1);
    node.hear_from(0, announce_of(20, UNIX));
    node.said_within(60);
    node.tell(up(1));
    assert_eq!(node.said_within(29), []);
    assert_eq!(node.said_within(10), [Said::Told(1, address(20))]);
}

#[test]
fn on_a_fast_network_the_repetition_goes_to_those_from_whom_no_sign_came() {
    let mut node = Bench::without_interfaces(&Snapshot::empty());
    node.tell(Input::Up(NEXUS, Profile { bandwidth_bps: 100_000_000, ..radio(Reach::Addressed) }));
    for n in 0..3 {
        node.tell(fast(n));
        node.tell(hears(n));
    }
    node.hear_from(0, announce_of(20, UNIX));
    assert_eq!(node.said_within(1), [Said::ToAll(address(20))]);
    node.hear_from(1, announce_of(20, UNIX));
    assert_eq!(node.said_within(20), [Said::Told(2, address(20))]);
}

#[test]
fn whoever_brings_more_than_anybody_else_waits_behind_the_others_however_near_it_says_that_it_is() {
    let mut bench = Bench::hearing(3);
    for n in 60..110 {
        bench.hear_from(0, announce_of(n, UNIX));
    }
    let mut far = announce_of(50, UNIX);
    far[1] = 9;
    bench.hear_from(1, far);
    let said = bench.said_within(600);
    let place = said.iter().position(|said| *said == Said::ToAll(address(50)));
    assert!(place.is_some_and(|place| place < 10), "{place:?} of {}", said.len());
}

/// Were all to go on with the newest once a full channel has room, what each says would be what the others just said.
#[test]
fn nodes_repeat_what_others_on_a_channel_said_each_in_an_order_of_its_own() {
    let order_of = |seed: u8| {
        let mut bench = Bench::seeded(3, seed);
        (0..3).for_each(|n| drop(bench.tell(hears(n))));
        bench.said_within(60);
        let full = Overheard { iface: NEXUS, airtime: Duration::from_secs(300), by: Carrier::Broadcast };
        bench.tell(Input::Overheard(full));
        let mut said = Vec::new();
        for n in 20..28 {
            bench.hear_from(0, announce_of(n, UNIX));
            said.extend(bench.said_within(30));
        }
        said.extend(bench.said_within(3_600));
        said
    };
    let orders = [5, 6, 7].map(order_of);
    assert!(orders.iter().all(|order| order.iter().collect::<BTreeSet<_>>().len() == 8), "{orders:?}");
    assert!(orders[0] != orders[1] && orders[1] != orders[2] && orders[0] != orders[2], "{orders:?}");
}

// ───────────── helpers ─────────────

/// What was said, by broadcast or over a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Said {
    ToAll(DestinationHash),
    Told(u16, DestinationHash),
}

fn link(n: u16) -> LinkId {
    LinkId(Key { slot: n, generation: 0 })
}

pub(super) fn radio(reach: Reach) -> Profile {
    Profile { reach, bandwidth_bps: 5_500, ..profile(Mode::Nexus) }
}

fn linked(n: u16, bps: u64) -> Input {
    let peer = identity(u8::try_from(n).unwrap() + 2).public().hash();
    let hop = Hop { price: 0, latency: LatencyMs(20), bandwidth: BandwidthCode::nearest(bps) };
    Input::LinkUp { link: link(n), iface: NEXUS, peer, hop }
}

fn up(n: u16) -> Input {
    linked(n, 5_500)
}

fn fast(n: u16) -> Input {
    linked(n, 100_000_000)
}

fn hears(n: u16) -> Input {
    Input::Hearing { link: link(n), hearing: Hearing::Broadcasts }
}

fn address(n: u8) -> DestinationHash {
    identity(n).node_id().into()
}

impl Bench {
    /// A radio channel with so many neighbours.
    fn on_radio(neighbours: u16) -> Self {
        Self::seeded(neighbours, 5)
    }

    fn seeded(neighbours: u16, seed: u8) -> Self {
        let mut bench = Self::without_interfaces(&Snapshot::empty());
        let limits = Limits { known: 64, relays: 64, links: 16, paths: 128, cache_bytes: 32_000 };
        let (identity, seed) = (identity(1), Seed::new([seed; 32]));
        bench.organ = Announces::new(identity, AppData::default(), limits, &Snapshot::empty(), &seed);
        bench.tell(Input::Up(NEXUS, radio(Reach::Shared)));
        (0..neighbours).for_each(|n| drop(bench.tell(up(n))));
        bench
    }

    /// One with neighbours who all hear, and were told what there is.
    fn hearing(neighbours: u16) -> Self {
        let mut bench = Self::on_radio(neighbours);
        (0..neighbours).for_each(|n| drop(bench.tell(hears(n))));
        bench.said_within(60);
        bench
    }

    fn hear_from(&mut self, n: u16, mut packet: Vec<u8>) {
        packet[0] |= 0x50;
        self.tell(Input::HeardOnLink { link: link(n), cost: CompactPathCost::ORIGIN, packet });
    }

    /// Makes the emission that is asked for durable. What is said at once.
    fn emit(&mut self) -> Vec<Said> {
        let said = self.tell(Input::Durable(1));
        said.iter().filter_map(said_of).collect()
    }

    /// Lets that many seconds pass.
    fn said_within(&mut self, seconds: u64) -> Vec<Said> {
        let until = self.now.after(Duration::from_secs(seconds));
        let mut all = Vec::new();
        while let Some(deadline) = self.organ.next_timeout().filter(|deadline| *deadline <= until) {
            let mut out: VecDeque<Effect> = VecDeque::new();
            self.now = deadline;
            self.wake(&mut out);
            let said: Vec<Said> = out.iter().filter_map(said_of).collect();
            if !said.is_empty() {
                self.last_said_at = self.now;
            }
            all.extend(said);
        }
        self.now = until;
        all
    }
}

/// What an effect says; it must be one whole announce.
fn said_of(effect: &Effect) -> Option<Said> {
    let (said, about, bytes) = match effect {
        Effect::Broadcast { iface: NEXUS, about, message } => (Said::ToAll(*about), about, message),
        Effect::Tell { link, about, plaintext } => (Said::Told(link.0.slot, *about), about, plaintext),
        Effect::Broadcast { .. } => panic!("on another interface"),
        Effect::Send(_)
        | Effect::Say { .. }
        | Effect::Recall(_)
        | Effect::Write { .. }
        | Effect::Reached(_)
        | Effect::Probe { .. }
        | Effect::PathFound { .. }
        | Effect::PathNotFound { .. }
        | Effect::Announced { .. } => return None,
    };
    let message = Messages::new(&bytes[HEADER_LEN..]).next().unwrap().unwrap();
    let traffic::Announce { packet, .. } = message.parse().unwrap();
    let mut packet = packet.to_vec();
    packet[0] &= !0x40;
    let packet = Packet::decode(&packet).unwrap();
    assert_eq!(Announce::from_packet(&packet).unwrap().destination, *about);
    Some(said)
}
