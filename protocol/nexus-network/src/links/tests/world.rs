//! The world of these tests. Every sealed frame is looked at: no nonce twice, nothing that does not open.

use alloc::collections::{BTreeMap, VecDeque};
use alloc::vec;
use alloc::vec::Vec;

use nexus_crypto::{IdentitySeed, NodeId, NodeIdentity};
use nexus_machine::{Cx, Duration, Instant, Machine as _, Seed, Stream, WallClock};
use nexus_wire::nexus::Layout as _;
use nexus_wire::nexus::frame::{HEADER_LEN, Sealed, SealedHeader};

use crate::interface::{Access, DutyCycle, Endpoint, InterfaceId, Mode, Profile, Reach, Role, Timing};
use crate::links::{Down, Effect, Input, Limits, LinkId, Links, Opened, Policy, Trust};
use crate::media::Frame;

/// The only interface of every node.
pub(super) const IFACE: InterfaceId = InterfaceId(0);

#[allow(
    clippy::struct_excessive_bools,
    reason = "each is a property of a world that a test switches by itself"
)]
pub(super) struct World {
    pub(super) nodes: Vec<Node>,
    pub(super) now: Instant,
    /// Lost frames, per mille.
    pub(super) loss: u64,
    /// From 1 ms to this many microseconds later a frame arrives, in any order.
    pub(super) delay_us: u64,
    pub(super) profile: Profile,
    /// Every frame that was sent: from, to, bytes.
    pub(super) air: Vec<(usize, usize, Vec<u8>)>,
    pub(super) recording: bool,
    /// Whether beacons are carried.
    pub(super) beacons: bool,
    /// Whether hosts give entropy when they are asked.
    pub(super) entropy: bool,
    /// Whether every frame also comes back to its sender.
    pub(super) reflecting: bool,
    pub(super) random: Stream,
    arrivals: BTreeMap<(Instant, u64), Arrival>,
    sent: u64,
    /// What was sealed under each key and counter, by the sender's incarnation.
    nonces: BTreeMap<(usize, u32, SealedKey), [u8; 16]>,
    limits: Limits,
    rekey_after: Option<Duration>,
}

type SealedKey = (u16, u32);

struct Arrival {
    to: usize,
    incarnation: u32,
    from: Endpoint,
    bytes: Vec<u8>,
}

pub(super) struct Node {
    pub(super) links: Links,
    pub(super) up: BTreeMap<LinkId, NodeId>,
    pub(super) downs: Vec<Down>,
    /// What is thought of the peers of links,
    pub(super) trust: BTreeMap<LinkId, Trust>,
    /// and when that became another.
    pub(super) turns: Vec<(Instant, Trust)>,
    /// What came over links for others than the link.
    pub(super) heard: Vec<Vec<u8>>,
    pub(super) measured: u32,
    pub(super) entropy_wanted: u32,
    pub(super) incarnation: u32,
    pub(super) address: Endpoint,
    seed: u8,
}

pub(super) fn profile(reach: Reach, bandwidth_bps: u64) -> Profile {
    Profile {
        mode: Mode::Nexus,
        reach,
        access: Access::Direct,
        bandwidth_bps,
        frame_size: 1_064,
        timing: Timing::Rate,
        duty: DutyCycle::UNLIMITED,
        sub_band: None,
        overhead: 0,
        price: 0,
        role: Role::Full,
        gravity: 0,
    }
}

pub(super) fn identity(n: u8) -> NodeIdentity {
    NodeIdentity::from_seed(IdentitySeed::from_bytes([n; 32]))
}

pub(super) fn address(n: u8) -> Endpoint {
    Endpoint::new(&[n; 18]).unwrap()
}

impl World {
    pub(super) fn new(nodes: u8, profile: Profile, seed: u64) -> Self {
        Self::with_limits(nodes, profile, seed, Limits { links: 16, ..Limits::default() })
    }

    pub(super) fn with_limits(nodes: u8, profile: Profile, seed: u64, limits: Limits) -> Self {
        let mut world = Self {
            nodes: Vec::new(),
            now: Instant::BOOT,
            loss: 0,
            delay_us: 2_000,
            profile,
            air: Vec::new(),
            recording: false,
            beacons: true,
            entropy: true,
            reflecting: false,
            random: Seed::new([9; 32]).fork_index("world", seed).fork("world"),
            arrivals: BTreeMap::new(),
            sent: 0,
            nonces: BTreeMap::new(),
            limits,
            rekey_after: None,
        };
        for n in 1..=nodes {
            let links = world.made(n);
            world.nodes.push(Node::new(n, links, 0));
        }
        world
    }

    fn made(&mut self, n: u8) -> Links {
        let seed = Seed::new(self.random.bytes());
        let mut links = Links::new(identity(n), Policy::Anyone, self.limits, &seed);
        links.rekey_after = self.rekey_after;
        links
    }

    /// Lets keys live so long only. Before anything comes up.
    pub(super) fn rekey_after(&mut self, span: Duration) {
        self.rekey_after = Some(span);
        self.nodes.iter_mut().for_each(|node| node.links.rekey_after = Some(span));
    }

    pub(super) fn cx(&self) -> Cx {
        let wall = WallClock { unix_s: 1_800_000_000, error_s: 1, read_at: Instant::BOOT };
        Cx { wall: Some(wall), ..Cx::at(self.now) }
    }

    pub(super) fn id(&self, node: usize) -> NodeId {
        identity(self.nodes[node].seed).node_id()
    }

    pub(super) fn up_all(&mut self) {
        for node in 0..self.nodes.len() {
            self.tell(node, Input::Up(IFACE, self.profile));
        }
    }

    pub(super) fn tell(&mut self, node: usize, input: Input) {
        let mut out: VecDeque<Effect> = VecDeque::new();
        let cx = self.cx();
        self.nodes[node].links.handle(cx, input, &mut out);
        self.carry_out(node, out);
    }

    /// The node forgets everything but who it is.
    pub(super) fn restart(&mut self, node: usize) {
        let (n, incarnation) = (self.nodes[node].seed, self.nodes[node].incarnation + 1);
        let address = self.nodes[node].address;
        let links = self.made(n);
        self.nodes[node] = Node { address, ..Node::new(n, links, incarnation) };
        self.tell(node, Input::Up(IFACE, self.profile));
    }

    /// Sends a message over a link.
    pub(super) fn send(&mut self, node: usize, link: LinkId, message: &[u8]) {
        let bytes = [&[0; HEADER_LEN][..], message].concat();
        let frames: Vec<Frame> = self.nodes[node].links.frames(link, bytes).collect();
        self.carry_out(node, frames.into_iter().map(Effect::Send).collect());
    }

    /// Lets a frame arrive at a node at once, from an address.
    pub(super) fn inject(&mut self, node: usize, from: Endpoint, bytes: Vec<u8>) -> Option<Opened> {
        let mut out: VecDeque<Effect> = VecDeque::new();
        let cx = self.cx();
        let from = (self.profile.reach == Reach::Addressed).then_some(from);
        let opened = self.nodes[node].links.receive(cx, IFACE, from, bytes, &mut out);
        self.carry_out(node, out);
        opened
    }

    pub(super) fn run_for(&mut self, span: Duration) {
        self.run_until(self.now.after(span), |_| false);
    }

    /// Runs until `done` or `until`; whether it was done.
    pub(super) fn run_until(&mut self, until: Instant, done: impl Fn(&Self) -> bool) -> bool {
        loop {
            if done(self) {
                return true;
            }
            let arrival = self.arrivals.keys().next().map(|(at, _)| *at);
            let wake = self.nodes.iter().filter_map(|node| node.links.next_timeout()).min();
            let Some(next) = [arrival, wake].into_iter().flatten().min().filter(|next| *next <= until) else {
                self.now = until;
                return done(self);
            };
            self.now = self.now.max(next);
            if arrival == Some(next) {
                self.arrive();
            } else {
                self.wake();
            }
        }
    }

    /// Nothing that is on its way arrives.
    pub(super) fn lose_all(&mut self) {
        self.arrivals.clear();
    }

    fn arrive(&mut self) {
        let Some((_, Arrival { to, incarnation, from, bytes })) = self.arrivals.pop_first() else { return };
        if self.nodes[to].incarnation != incarnation {
            return;
        }
        if let Some(Opened { bytes, end, whole, .. }) = self.inject(to, from, bytes) {
            // The link's own.
            let is_question = end == HEADER_LEN + 13 && bytes[HEADER_LEN] == 0x84;
            if !is_question {
                self.nodes[to].heard.push(bytes[HEADER_LEN..end].to_vec());
            }
            self.nodes[to].heard.extend(whole.map(|whole| whole[HEADER_LEN..].to_vec()));
        }
    }

    /// From here on this node says pieces of messages over a link in any order, as none does that keeps the rules.
    pub(super) fn become_lawless(&mut self, node: usize, link: LinkId) {
        self.nodes[node].links.links.get_mut(link.0).expect("it is up").become_lawless();
    }

    fn wake(&mut self) {
        for node in 0..self.nodes.len() {
            if self.nodes[node].links.next_timeout().is_some_and(|at| at <= self.now) {
                let mut out: VecDeque<Effect> = VecDeque::new();
                let cx = self.cx();
                self.nodes[node].links.handle_timeout(cx, &mut out);
                self.carry_out(node, out);
                let next = self.nodes[node].links.next_timeout();
                assert!(next.is_none_or(|next| next > self.now), "woken at {:?}, wants {next:?}", self.now);
            }
        }
    }

    fn carry_out(&mut self, node: usize, effects: VecDeque<Effect>) {
        let mut effects = effects;
        while let Some(effect) = effects.pop_front() {
            match effect {
                Effect::Send(mut frame) => {
                    let cx = self.cx();
                    let sealed = frame.under.is_some();
                    if self.nodes[node].links.seal(cx, &mut frame, &mut effects).is_ok() {
                        if sealed {
                            self.look_at(node, &frame.bytes);
                        }
                        self.transmit(node, &frame);
                    }
                }
                Effect::Up(status) => {
                    let peer = status.peer.node_id();
                    let other = self.nodes[node].up.insert(status.id, peer);
                    assert_eq!(other, None, "a link comes up once");
                    let links = self.nodes[node].up.values().filter(|of| **of == peer).count();
                    assert_eq!(links, 1, "one link with a peer");
                }
                Effect::Down { last, why } => {
                    assert!(self.nodes[node].up.remove(&last.id).is_some(), "what is down was up");
                    self.nodes[node].downs.push(why);
                }
                Effect::Measured { .. } => self.nodes[node].measured += 1,
                Effect::Stands { link, trust, .. } => {
                    let before = self.nodes[node].trust.insert(link, trust);
                    if trust != before.unwrap_or(Trust::Sure) {
                        self.nodes[node].turns.push((self.now, trust));
                    }
                }
                Effect::Beaconed(_) => {}
                Effect::EntropyWanted => {
                    self.nodes[node].entropy_wanted += 1;
                    if !self.entropy {
                        continue;
                    }
                    let entropy = self.random.bytes();
                    let cx = self.cx();
                    self.nodes[node].links.handle(cx, Input::Entropy(entropy), &mut effects);
                }
            }
        }
    }

    fn look_at(&mut self, node: usize, bytes: &[u8]) {
        let Sealed { header: SealedHeader { key, counter }, tag, .. } = Sealed::decode(bytes).unwrap();
        let nexus_wire::nexus::frame::KeyName::Session(session) = key else { panic!("a link's key") };
        // A session number may come again, but its counter then starts anew under another key.
        let name = (node, self.nodes[node].incarnation, (session.get(), counter));
        if let Some(other) = self.nonces.insert(name, *tag) {
            assert_ne!(other, *tag);
            assert_eq!(counter, 0, "a nonce used twice");
            self.nonces.retain(|(of, incarnation, (number, counter)), _| {
                (*of, *incarnation, *number) != (node, name.1, session.get()) || *counter == 0
            });
        }
    }

    fn transmit(&mut self, node: usize, frame: &Frame) {
        if self.reflecting {
            let (incarnation, from) = (self.nodes[node].incarnation, frame.to.unwrap_or(address(200)));
            self.sent += 1;
            let arrival = Arrival { to: node, incarnation, from, bytes: frame.bytes.clone() };
            self.arrivals.insert((self.now.after(Duration::from_micros(500)), self.sent), arrival);
        }
        for to in 0..self.nodes.len() {
            let addressed = frame.to.is_none_or(|at| at == self.nodes[to].address);
            let beacon = frame.bytes.first().is_some_and(|head| head & 15 == 7);
            if to == node || !addressed || (beacon && !self.beacons) {
                continue;
            }
            if self.recording {
                self.air.push((node, to, frame.bytes.clone()));
            }
            if self.random.below(1_000) < self.loss {
                continue;
            }
            let delay = 1_000 + self.random.below(self.delay_us);
            self.sent += 1;
            let arrival = Arrival {
                to,
                incarnation: self.nodes[to].incarnation,
                from: self.nodes[node].address,
                bytes: frame.bytes.clone(),
            };
            self.arrivals.insert((self.now.after(Duration::from_micros(delay)), self.sent), arrival);
        }
    }

    /// Whether two nodes each have exactly one link, with the other.
    pub(super) fn agree(&self, a: usize, b: usize) -> bool {
        let has = |node: usize, peer: usize| {
            self.nodes[node].up.values().filter(|of| **of == self.id(peer)).count() == 1
        };
        has(a, b) && has(b, a)
    }

    /// The only link of a node.
    pub(super) fn link(&self, node: usize) -> LinkId {
        let links: Vec<LinkId> = self.nodes[node].up.keys().copied().collect();
        assert_eq!(links.len(), 1);
        links[0]
    }

    /// How many frames of a node were refused for this cause.
    pub(super) fn refused(&self, node: usize, cause: &str) -> u64 {
        self.nodes[node].links.refusals().by_name().find(|(name, _)| *name == cause).unwrap().1
    }

    /// How many frames of a node were refused for any cause.
    pub(super) fn refused_in_all(&self, node: usize) -> u64 {
        self.nodes[node].links.refusals().by_name().map(|(_, count)| count).sum()
    }
}

impl Node {
    fn new(seed: u8, links: Links, incarnation: u32) -> Self {
        Self {
            links,
            up: BTreeMap::new(),
            downs: vec![],
            trust: BTreeMap::new(),
            turns: vec![],
            heard: vec![],
            measured: 0,
            entropy_wanted: 0,
            incarnation,
            address: address(seed),
            seed,
        }
    }
}
