//! What stays: paths across a restart of this node, and across a relay's lost connection.

use super::*;
use crate::routes::Stage;
use nexus_wire::reticulum::{Payload as _, TunnelSynthesis};

#[test]
fn paths_in_clear_survive_a_restart_and_the_announces_with_them() {
    let mut node = Bench::start(&Snapshot::empty());
    node.hear(&relayed(7, UNIX, 2, STOCK));
    node.hear(&announce_of(8, UNIX));
    let store = node.stored();
    let mut again = Bench::start(&store);
    let step = again.organ.next_hop(again.now, &address(7), PathPolicy::Cheapest, None).unwrap();
    assert_eq!((step.next_hop, step.transport, step.hops), (NextHop::Clear(LEFT), Some(STOCK), 3));
    let step = again.organ.next_hop(again.now, &address(8), PathPolicy::Cheapest, None).unwrap();
    assert_eq!((step.transport, step.stage), (None, Stage::Last));
    // It answers for them, and takes no older emission.
    assert_eq!(again.frames_within(20_000), [], "they were announced before");
    again.hear(&relayed(7, UNIX - 5, 0, OTHER));
    assert_eq!(again.organ.refusals().stale, 1);
    // An interface that is down for a while is no reason to forget; a path that nobody used or said for a week is.
    let mut store = store;
    again.tell(Input::Down(LEFT));
    again.write_to(&mut store, 30_000);
    assert_eq!(store.scan(PATHS_IN_CLEAR).count(), 2);
    again.tell(Input::Up(LEFT, profile(Mode::Reticulum)));
    again.hear(&relayed(7, UNIX + 1, 2, STOCK));
    again.write_to(&mut store, 15 * 24 * 3_600_000);
    assert_eq!(again.ways(7), []);
    assert_eq!(store.get(PATHS_IN_CLEAR, address(7).as_bytes()), None);
}

#[test]
fn an_echo_of_what_was_said_in_clear_is_no_way_after_a_restart_either() {
    let mut node = Bench::start(&Snapshot::empty());
    node.tell(linked(900));
    node.hear_behind(0, announce_of(7, UNIX), 1);
    node.first_frame_about(7);
    node.hear(&relayed(7, UNIX, 2, STOCK));
    node.hear(&relayed(8, UNIX, 2, STOCK));
    let again = Bench::start(&node.stored());
    assert_eq!((again.ways(7), again.ways(8).len()), (vec![], 1));
}

#[test]
fn what_a_stock_segment_says_again_after_a_restart_is_no_way_to_whoever_is_behind_a_link() {
    let mut node = Bench::start(&Snapshot::empty());
    node.tell(linked(900));
    node.hear_behind(0, announce_of(7, UNIX), 1);
    assert_eq!(hops_of(&node.first_frame_about(7).1), 2);
    let store = node.stored();
    assert_eq!((store.scan(PATHS_IN_CLEAR).count(), store.scan(SAID_IN_CLEAR).count()), (0, 1));
    // Nobody said a word about it yet when the segment says what it has from this node.
    let mut again = Bench::start(&store);
    again.hear(&relayed(7, UNIX, 2, STOCK));
    assert_eq!((again.ways(7), again.organ.known().count()), (vec![], 1));
    again.hear(&relayed(7, UNIX, 3, OTHER));
    assert_eq!(again.ways(7), []);
    // The way over the link is back, and what a nearer stock node says is one.
    again.tell(linked(900));
    again.hear_behind(0, announce_of(7, UNIX), 1);
    assert!(matches!(again.ways(7)[..], [Via::Link { .. }]), "{:?}", again.ways(7));
    let mut nearer = Bench::start(&store);
    nearer.hear(&relayed(7, UNIX, 0, STOCK));
    assert!(matches!(nearer.ways(7)[..], [Via::Clear { .. }]));
    // The next emission is anybody's again.
    again.hear(&relayed(7, UNIX + 1, 5, STOCK));
    assert!(again.ways(7).iter().any(|way| matches!(way, Via::Clear { .. })), "{:?}", again.ways(7));
}

#[test]
fn a_path_that_is_forgotten_is_gone_from_the_disk_too_and_back_when_it_is_said_again() {
    let mut node = Bench::start(&Snapshot::empty());
    node.hear(&relayed(7, UNIX, 2, STOCK));
    node.tell(Input::Heard { iface: RIGHT, bytes: relayed(7, UNIX, 3, OTHER) });
    node.hear(&relayed(8, UNIX, 2, STOCK));
    let mut store = node.stored();
    assert_eq!((node.ways(8).len(), store.scan(PATHS_IN_CLEAR).count()), (1, 2));
    node.tell(Input::Forget(address(7)));
    assert_eq!((node.ways(7), node.ways(8).len()), (vec![], 1));
    node.write_to(&mut store, 20_000);
    assert_eq!(store.scan(PATHS_IN_CLEAR).count(), 1);
    node.hear(&relayed(7, UNIX, 2, STOCK));
    assert!(matches!(node.ways(7)[..], [Via::Clear { iface: LEFT, transport: Some(STOCK) }]));
    node.tell(Input::Forget(address(9)));
    assert_eq!(node.organ.known().count(), 2);
}

#[test]
fn what_was_learnt_on_another_interface_of_the_same_number_is_no_path() {
    let mut node = Bench::start(&Snapshot::empty());
    node.hear(&relayed(7, UNIX, 2, STOCK));
    let store = node.stored();
    let mut other = Bench::without_interfaces(&store);
    other.tell(Input::Up(LEFT, Profile { bandwidth_bps: 1_200, ..profile(Mode::Reticulum) }));
    assert_eq!(other.ways(7), []);
    assert_eq!(other.organ.known().count(), 1, "whose it is stays known");
}

#[test]
fn after_a_restart_a_caller_has_its_paths_back_whatever_number_its_connection_gets() {
    let mut node = Bench::start(&Snapshot::empty());
    node.hear(&tunnel(1));
    node.hear(&relayed(7, UNIX, 2, STOCK));
    let store = node.stored();
    let mut again = Bench::without_interfaces(&store);
    // Somebody else is the first to call.
    again.tell(Input::Up(LEFT, profile(Mode::Reticulum)));
    assert_eq!(again.ways(7), []);
    again.tell(Input::Up(RIGHT, profile(Mode::Reticulum)));
    again.tell(Input::Heard { iface: RIGHT, bytes: tunnel(2) });
    assert!(matches!(again.ways(7)[..], [Via::Clear { iface: RIGHT, transport: Some(STOCK) }]));
}

#[test]
fn who_calls_says_a_tunnel_that_is_the_same_at_each_connection() {
    let mut node = Bench::start(&Snapshot::empty());
    let mut said = || {
        node.frames(Input::SayTunnel { iface: LEFT, interface: [4; 32] })
            .into_iter()
            .map(|bytes| {
                let packet = Packet::decode(&bytes).unwrap();
                let synthesis = TunnelSynthesis::from_packet(&packet).unwrap();
                synthesis.verify().unwrap();
                (synthesis.tunnel_id(), synthesis.random)
            })
            .collect::<Vec<_>>()
    };
    let (first, second) = (said(), said());
    assert_eq!((first.len(), second.len()), (1, 1));
    assert_eq!(first[0].0, second[0].0);
    assert_ne!(first[0].1, second[0].1, "another packet each time");
    assert_eq!(
        node.frames(Input::SayTunnel { iface: RIGHT, interface: [4; 32] }),
        Vec::<Vec<u8>>::new(),
        "it is down"
    );
}

#[test]
fn what_a_disk_made_up_is_not_believed_and_goes() {
    let mut node = Bench::start(&Snapshot::empty());
    node.hear(&announce_of(7, UNIX));
    let mut store = node.stored();
    let value = store.get(PATHS_IN_CLEAR, address(7).as_bytes()).unwrap().to_vec();
    let mut broken = value;
    *broken.last_mut().unwrap() ^= 1;
    store.apply(Write::set(PATHS_IN_CLEAR, address(7).as_bytes(), broken));
    store.apply(Write::set(PATHS_IN_CLEAR, address(8).as_bytes(), vec![1, 2, 3]));
    let mut again = Bench::start(&store);
    assert_eq!((again.organ.known().count(), again.ways(7)), (0, vec![]));
    for write in again.writes(20_000) {
        store.apply(write);
    }
    assert_eq!(store.scan(PATHS_IN_CLEAR).count(), 0);
}

#[test]
fn a_relay_that_comes_back_over_another_connection_has_its_paths_back() {
    let mut node = Bench::start(&Snapshot::empty());
    node.hear(&tunnel(1));
    node.hear(&relayed(7, UNIX, 2, STOCK));
    node.hear(&relayed(8, UNIX, 2, STOCK));
    node.pass(20_000);
    node.tell(Input::Down(LEFT));
    assert_eq!(node.ways(7), []);
    node.tell(Input::Up(RIGHT, profile(Mode::Reticulum)));
    // Meanwhile something newer was heard of one of them.
    node.tell(Input::Heard { iface: RIGHT, bytes: relayed(8, UNIX + 1, 5, OTHER) });
    let mut forged = tunnel(1);
    forged[60] ^= 1;
    node.tell(Input::Heard { iface: RIGHT, bytes: forged });
    assert_eq!((node.ways(7), node.organ.refusals().forged), (vec![], 1));
    node.tell(Input::Heard { iface: RIGHT, bytes: tunnel(2) });
    assert!(matches!(node.ways(7)[..], [Via::Clear { iface: RIGHT, transport: Some(STOCK) }]));
    assert!(matches!(node.ways(8)[..], [Via::Clear { iface: RIGHT, transport: Some(OTHER) }]));
}

#[test]
fn whom_the_host_knows_has_its_paths_back_on_whatever_interface_also_after_a_restart() {
    let mut node = Bench::start(&Snapshot::empty());
    node.tell(Input::Recognised(LEFT, [5; 32]));
    node.hear(&relayed(7, UNIX, 2, STOCK));
    let store = node.stored();
    node.pass(20_000);
    node.tell(Input::Down(LEFT));
    assert_eq!(node.ways(7), []);
    let mut again = Bench::without_interfaces(&store);
    for bench in [&mut node, &mut again] {
        bench.tell(Input::Recognised(RIGHT, [5; 32]));
        assert_eq!(bench.ways(7), [], "it is down");
        // Somebody else has the number that it had.
        bench.tell(Input::Up(LEFT, profile(Mode::Reticulum)));
        bench.tell(Input::Recognised(LEFT, [6; 32]));
        bench.tell(Input::Up(RIGHT, profile(Mode::Reticulum)));
        assert_eq!(bench.ways(7), []);
        bench.tell(Input::Recognised(RIGHT, [5; 32]));
        assert!(matches!(bench.ways(7)[..], [Via::Clear { iface: RIGHT, transport: Some(STOCK) }]));
    }
}

#[test]
fn a_connection_that_has_not_ended_yet_gives_its_paths_to_the_one_that_took_its_place() {
    let mut node = Bench::start(&Snapshot::empty());
    node.hear(&tunnel(1));
    node.hear(&relayed(7, UNIX, 2, STOCK));
    node.tell(Input::Up(RIGHT, profile(Mode::Reticulum)));
    node.tell(Input::Heard { iface: RIGHT, bytes: tunnel(2) });
    assert!(matches!(node.ways(7)[..], [Via::Clear { iface: RIGHT, .. }]), "{:?}", node.ways(7));
}

#[test]
fn tunnels_that_are_down_are_forgotten_after_eight_hours() {
    let mut node = Bench::start(&Snapshot::empty());
    node.hear(&tunnel(1));
    node.hear(&relayed(7, UNIX, 2, STOCK));
    node.tell(Input::Down(LEFT));
    node.pass(8 * 3_600_000 + 1);
    node.tell(Input::Up(RIGHT, profile(Mode::Reticulum)));
    node.tell(Input::Heard { iface: RIGHT, bytes: tunnel(2) });
    assert_eq!(node.ways(7), []);
}

// ───────────── helpers ─────────────

/// What a relay sends when it is connected: each time another packet of the same tunnel.
fn tunnel(n: u8) -> Vec<u8> {
    let synthesis = TunnelSynthesis::sign([4; 32], [n; 16], identity(33).as_reticulum());
    let mut buffer = [0; MTU];
    synthesis.encode_behind(&synthesis.originating_header(), &mut buffer).unwrap().to_vec()
}

impl Bench {
    /// What is sent in clear because of this.
    fn frames(&mut self, input: Input) -> Vec<Vec<u8>> {
        let mut out: VecDeque<Effect> = VecDeque::new();
        self.organ.handle(self.cx(), input, &mut out);
        let frame = |effect| if let Effect::Send(frame) = effect { Some(frame.bytes) } else { None };
        out.into_iter().filter_map(frame).collect()
    }

    fn writes(&mut self, ms: u64) -> Vec<Write> {
        let until = self.now.after(Duration::from_millis(ms));
        let mut written = Vec::new();
        while let Some(at) = self.organ.next_timeout().filter(|at| *at <= until) {
            self.now = self.now.max(at);
            let mut out: VecDeque<Effect> = VecDeque::new();
            self.organ.handle_timeout(self.cx(), &mut out);
            written.extend(out.into_iter().filter_map(|effect| match effect {
                Effect::Write { write, .. } => Some(write),
                Effect::Send(_)
                | Effect::Tell { .. }
                | Effect::Broadcast { .. }
                | Effect::Say { .. }
                | Effect::Recall(_)
                | Effect::Reached(_)
                | Effect::Probe { .. }
                | Effect::PathFound { .. }
                | Effect::PathNotFound { .. }
                | Effect::Announced { .. } => None,
            }));
        }
        self.now = until;
        written
    }

    /// What is on the disk after a while.
    fn stored(&mut self) -> Snapshot {
        let mut store = Snapshot::empty();
        self.write_to(&mut store, 30_000);
        store
    }

    fn write_to(&mut self, store: &mut Snapshot, ms: u64) {
        for write in self.writes(ms) {
            store.apply(write);
        }
    }
}

#[test]
fn a_path_learnt_just_before_the_host_ends_is_durable() {
    let learnt = |last: &[Input]| {
        let mut node = Bench::start(&Snapshot::empty());
        node.hear(&relayed(7, UNIX, 2, STOCK));
        let said: Vec<Effect> = last.iter().flat_map(|input| node.tell(input.clone())).collect();
        said.iter()
            .any(|effect| matches!(effect, Effect::Write { write, .. } if write.key == address(7).as_bytes()))
    };
    assert!(!learnt(&[]), "usually they are written together after two seconds");
    assert!(learnt(&[Input::Save]));
}

#[test]
fn a_way_through_stock_relays_takes_as_long_as_links_over_it_showed() {
    let mut node = Bench::start(&Snapshot::empty());
    node.hear(&relayed(7, UNIX, 3, STOCK));
    let latency = |node: &Bench| {
        let seen = Routing::new(&node.organ, node.now).candidates(&address(7));
        seen.first().expect("there is a way").said.worst_latency
    };
    let assumed = latency(&node);
    let answered =
        |ms| Input::Answered { destination: address(7), iface: LEFT, took: Duration::from_millis(ms) };
    node.tell(answered(6_000));
    assert!(assumed < LatencyMs(100), "four hops like this one: {assumed:?}");
    assert_eq!(latency(&node), LatencyMs(3_000), "half of the time that it took");
    node.tell(answered(1_000));
    assert_eq!(latency(&node), LatencyMs(2_375), "three parts of what was measured before");
    node.tell(answered(2_100));
    assert_eq!(latency(&node), LatencyMs(2_375), "what moved by less than a quarter is left");
    // It stays with the relay through which it was measured, from emission to emission, and not with another.
    node.hear(&relayed(7, UNIX + 1, 3, STOCK));
    assert_eq!(latency(&node), LatencyMs(2_043));
    node.hear(&relayed(7, UNIX + 2, 3, OTHER));
    assert_eq!(latency(&node), assumed);
    // Nothing is learnt of whom there is no path to.
    node.tell(Input::Answered { destination: address(8), iface: LEFT, took: Duration::from_secs(1) });
    assert!(node.ways(8).is_empty());
}
