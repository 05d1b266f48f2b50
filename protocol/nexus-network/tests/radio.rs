//! Whole network layers on one radio channel: keys are given, and announces are said once for all who hear them.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use nexus_crypto::{DestinationHash, IdentitySeed, NodeIdentity, RatchetPublic};
use nexus_machine::{Cx, Duration, Instant, Machine as _, Seed, Snapshot, Stream};
use nexus_network::{
    Access, AppData, DutyCycle, Effect, Input, InterfaceId, Limits, Mode, Network, Policy, Profile, Reach,
    Role, Timing,
};
use nexus_wire::nexus::frame::{FrameKind, Head};

#[test]
fn neighbours_are_given_the_key_and_one_signed_broadcast_tells_all_of_them() {
    let mut radio = Radio::new(3, 1);
    radio.run(Duration::from_secs(120));
    assert!(radio.all_know_all());
    for node in 0..3 {
        let status = radio.nodes[node].broadcast().status(IFACE).unwrap();
        assert_eq!((status.hearers, status.others), (2, 0), "node {node}");
    }
    radio.on_air.clear();
    radio.tell(0, Input::Announce);
    radio.run(Duration::from_secs(4));
    // Its own, and what each of the two that heard it passed on to the other, who had heard it too.
    assert_eq!(radio.sent(FrameKind::BROADCAST, 0), 1);
    assert_eq!(radio.sent(FrameKind::SEALED, 0), 0, "nobody was told over a link");
    assert!(radio.all_are_current());
    let opened: u64 =
        radio.nodes.iter().map(|node| node.broadcast().status(IFACE).unwrap().opened.frames).sum();
    assert!(opened > 0);
    assert!(radio.refused().is_empty(), "{:?}", radio.refused());
}

#[test]
fn among_five_an_announce_takes_one_frame_of_each_node_at_most() {
    let mut radio = Radio::new(5, 2);
    radio.run(Duration::from_secs(300));
    assert!(radio.all_know_all());
    for node in 0..5 {
        radio.on_air.clear();
        radio.tell(node, Input::Announce);
        radio.run(Duration::from_secs(60));
        assert!(radio.all_are_current());
        for sender in 0..5 {
            let frames = radio.sent(FrameKind::BROADCAST, sender) + radio.sent(FrameKind::SEALED, sender);
            assert!(
                frames <= 1,
                "node {sender} sent {frames} for the announce of {node}: {:?}",
                radio.on_air
            );
        }
        assert_eq!(radio.sent(FrameKind::BROADCAST, node), 1);
    }
}

#[test]
fn a_newcomer_learns_of_all_and_all_of_it() {
    let mut radio = Radio::new(5, 3);
    radio.nodes[4] = layer(4, 77);
    radio.off.insert(4);
    radio.run(Duration::from_secs(300));
    radio.off.remove(&4);
    radio.start(4);
    radio.run(Duration::from_secs(300));
    assert!(radio.all_know_all());
    assert!(radio.all_are_current());
}

#[test]
fn a_neighbour_that_missed_the_key_is_told_over_its_link() {
    let mut radio = Radio::new(4, 4);
    radio.keys_lost = Some((0, 3));
    radio.run(Duration::from_secs(200));
    let status = radio.nodes[0].broadcast().status(IFACE).unwrap();
    assert_eq!((status.hearers, status.others), (2, 1));
    radio.on_air.clear();
    radio.tell(0, Input::Announce);
    radio.run(Duration::from_secs(1));
    assert_eq!((radio.sent(FrameKind::BROADCAST, 0), radio.sent(FrameKind::SEALED, 0)), (1, 1));
    assert!((1..4).all(|node| radio.knows_newest(node, 0)));
    radio.keys_lost = None;
    radio.run(Duration::from_secs(400));
    let status = radio.nodes[0].broadcast().status(IFACE).unwrap();
    assert_eq!((status.hearers, status.others), (3, 0), "it was given the key again");
}

#[test]
fn whoever_is_expelled_does_not_hear_what_is_said_from_then_on() {
    let mut radio = Radio::new(4, 5);
    radio.run(Duration::from_secs(200));
    assert!(radio.all_know_all());
    let expelled = identity(3).node_id();
    let policy = Policy::AllBut(BTreeSet::from([expelled]));
    for node in 0..3 {
        radio.tell(node, Input::Policy(policy.clone()));
    }
    let opened = |radio: &Radio| radio.nodes[3].broadcast().status(IFACE).unwrap().opened.frames;
    let before = opened(&radio);
    radio.tell(0, Input::Announce);
    radio.run(Duration::from_secs(120));
    radio.tell(0, Input::Announce);
    radio.run(Duration::from_secs(30));
    assert_eq!(opened(&radio), before, "it opened nothing more");
    assert!(radio.knows_newest(1, 0) && radio.knows_newest(2, 0));
    let status = radio.nodes[0].broadcast().status(IFACE).unwrap();
    assert_eq!((status.hearers, status.others), (2, 0), "the others were given another key");
}

#[test]
fn made_up_and_changed_broadcasts_change_nothing() {
    let mut radio = Radio::new(3, 6);
    radio.run(Duration::from_secs(600));
    for node in 0..3 {
        radio.tell(node, Input::Announce);
        radio.run(Duration::from_secs(10));
    }
    let genuine: Vec<Vec<u8>> = radio.broadcasts.clone();
    assert!(genuine.len() >= 3);
    let mut random = Seed::new([8; 32]).fork("mutations");
    for round in 0..3_000 {
        let mut frame = pick(&mut random, &genuine);
        match random.below(4) {
            0 => {
                let at = below(&mut random, frame.len());
                frame[at] ^= 1 << random.below(8);
            }
            1 => frame.truncate(below(&mut random, frame.len())),
            2 => frame.extend_from_slice(&random.bytes::<9>()),
            _ => {
                let end = frame.len();
                random.fill(&mut frame[1..end]);
            }
        }
        let node = below(&mut random, 3);
        let mut out: VecDeque<Effect> = VecDeque::new();
        radio.nodes[node].handle(
            Cx::at(radio.now),
            Input::Frame { iface: IFACE, from: None, bytes: frame },
            &mut out,
        );
        assert!(out.is_empty(), "round {round}: {out:?}");
    }
    // And the genuine ones come again.
    for frame in &genuine {
        for node in 0..3 {
            let mut out: VecDeque<Effect> = VecDeque::new();
            let input = Input::Frame { iface: IFACE, from: None, bytes: frame.clone() };
            radio.nodes[node].handle(Cx::at(radio.now), input, &mut out);
            assert!(out.is_empty(), "{out:?}");
        }
    }
    radio.tell(1, Input::Announce);
    radio.run(Duration::from_secs(10));
    assert!(radio.all_are_current(), "the key is as good as before");
}

// ───────────── helpers ─────────────

const IFACE: InterfaceId = InterfaceId(0);

struct Radio {
    nodes: Vec<Network>,
    now: Instant,
    /// When a node's frame is on the medium, and what it is.
    flying: BTreeMap<(Instant, u64), (usize, Vec<u8>)>,
    sent: u64,
    /// What was sent: by whom, of which kind, how long.
    on_air: Vec<(usize, FrameKind, usize)>,
    broadcasts: Vec<Vec<u8>>,
    /// Nodes that are not there.
    off: BTreeSet<usize>,
    /// From whom to whom no broadcast key passes.
    keys_lost: Option<(usize, usize)>,
}

impl Radio {
    fn new(count: u8, seed: u8) -> Self {
        let nodes = (0..count).map(|n| layer(n, seed)).collect();
        let mut radio = Self {
            nodes,
            now: Instant::BOOT,
            flying: BTreeMap::new(),
            sent: 0,
            on_air: Vec::new(),
            broadcasts: Vec::new(),
            off: BTreeSet::new(),
            keys_lost: None,
        };
        (0..usize::from(count)).for_each(|node| radio.start(node));
        radio
    }

    fn start(&mut self, node: usize) {
        self.tell(node, Input::Up(IFACE, profile()));
        self.tell(node, Input::Ratchet(RatchetPublic([1; 32])));
    }

    fn tell(&mut self, node: usize, input: Input) {
        let mut out: VecDeque<Effect> = VecDeque::new();
        self.nodes[node].handle(Cx::at(self.now), input, &mut out);
        self.follow(node, out);
    }

    fn follow(&mut self, node: usize, out: VecDeque<Effect>) {
        let mut durable = None;
        for effect in out {
            match effect {
                Effect::Transmit(frame) => {
                    let kind = Head::from_wire(frame.bytes[0]).expect("a frame of links").kind();
                    self.on_air.push((node, kind, frame.bytes.len()));
                    if kind == FrameKind::BROADCAST {
                        self.broadcasts.push(frame.bytes.clone());
                    }
                    let at = self.now.after(profile().airtime(frame.bytes.len()));
                    self.sent += 1;
                    self.flying.insert((at, self.sent), (node, frame.bytes));
                }
                Effect::Write { by, number: through, .. } => durable = Some(Input::Durable { by, through }),
                Effect::Sense(_)
                | Effect::Jammed(_)
                | Effect::Reached(_)
                | Effect::Announced { .. }
                | Effect::Probe { .. }
                | Effect::PathFound { .. }
                | Effect::PathNotFound { .. }
                | Effect::OfMoney { .. }
                | Effect::Store(_)
                | Effect::Key(_)
                | Effect::Counted { .. }
                | Effect::ChannelWanted(_)
                | Effect::LinkUp(_)
                | Effect::LinkDown { .. }
                | Effect::Arrived { .. }
                | Effect::EntropyWanted
                | Effect::Originated { .. } => {}
            }
        }
        if let Some(durable) = durable {
            self.tell(node, durable);
        }
    }

    fn run(&mut self, span: Duration) {
        let until = self.now.after(span);
        loop {
            let wake = (0..self.nodes.len())
                .filter(|node| !self.off.contains(node))
                .filter_map(|node| Some((self.nodes[node].next_timeout()?, node)))
                .min();
            let landing = self.flying.keys().next().map(|(at, _)| *at);
            let next = [wake.map(|(at, _)| at), landing].into_iter().flatten().min();
            let Some(next) = next.filter(|next| *next <= until) else { break };
            self.now = self.now.max(next);
            if landing == Some(next) {
                self.land();
            } else if let Some((_, node)) = wake {
                let mut out: VecDeque<Effect> = VecDeque::new();
                self.nodes[node].handle_timeout(Cx::at(self.now), &mut out);
                self.follow(node, out);
            }
        }
        self.now = until;
    }

    fn land(&mut self) {
        let Some((_, (from, bytes))) = self.flying.pop_first() else { return };
        // Nothing else that is sealed is as long as a key, or a key behind an acknowledgement.
        let is_key = Head::from_wire(bytes[0]).map(Head::kind) == Some(FrameKind::SEALED)
            && (68..=85).contains(&bytes.len());
        for node in 0..self.nodes.len() {
            let is_lost = is_key && self.keys_lost == Some((from, node));
            if node != from && !is_lost && !self.off.contains(&node) {
                self.tell(node, Input::Frame { iface: IFACE, from: None, bytes: bytes.clone() });
            }
        }
        self.tell(from, Input::TxReady(IFACE));
    }

    /// How many announces a node sent in frames of this kind: nothing else is so long.
    fn sent(&self, kind: FrameKind, by: usize) -> usize {
        let announces = |sent: &&(usize, FrameKind, usize)| (sent.0, sent.1) == (by, kind) && sent.2 > 200;
        self.on_air.iter().filter(announces).count()
    }

    fn all_know_all(&self) -> bool {
        self.nodes.iter().all(|node| node.announces().known().count() == self.nodes.len() - 1)
    }

    fn knows_newest(&self, node: usize, of: usize) -> bool {
        let newest = self.nodes[of].announces().last_emission();
        let known = self.nodes[node].announces().known().find(|(to, _)| **to == address(of));
        known.is_some_and(|(_, known)| known.emitted_at == newest)
    }

    fn all_are_current(&self) -> bool {
        let all = 0..self.nodes.len();
        all.clone().all(|node| all.clone().all(|of| of == node || self.knows_newest(node, of)))
    }

    /// What broadcasts were refused for, and how often.
    fn refused(&self) -> BTreeMap<&'static str, u64> {
        let mut all = BTreeMap::new();
        for node in &self.nodes {
            for (cause, count) in node.broadcast().refusals().by_name().filter(|(_, count)| *count > 0) {
                *all.entry(cause).or_default() += count;
            }
        }
        all
    }
}

fn layer(n: u8, seed: u8) -> Network {
    let seed = Seed::new([seed; 32]).fork_seed(&format!("node {n}"));
    let identity = IdentitySeed::from_bytes([n + 1; 32]);
    Network::new(&identity, AppData::default(), Limits::default(), &Snapshot::empty(), &seed)
}

fn identity(n: u8) -> NodeIdentity {
    NodeIdentity::from_seed(IdentitySeed::from_bytes([n + 1; 32]))
}

fn address(n: usize) -> DestinationHash {
    identity(u8::try_from(n).expect("few nodes")).node_id().into()
}

fn profile() -> Profile {
    Profile {
        mode: Mode::Nexus,
        reach: Reach::Shared,
        access: Access::Direct,
        bandwidth_bps: 50_000,
        frame_size: 508,
        timing: Timing::Rate,
        duty: DutyCycle::UNLIMITED,
        sub_band: None,
        overhead: 0,
        price: 0,
        role: Role::Full,
        gravity: 0,
    }
}

fn pick(random: &mut Stream, from: &[Vec<u8>]) -> Vec<u8> {
    from[below(random, from.len())].clone()
}

fn below(random: &mut Stream, bound: usize) -> usize {
    usize::try_from(random.below(u64::try_from(bound).expect("small"))).expect("small")
}
