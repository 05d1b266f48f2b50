//! Whole network layers and what lies between them, in virtual time.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use nexus_crypto::{DestinationHash, IdentitySeed, NodeIdentity, RatchetPublic};
use nexus_machine::{Cx, Duration, Instant, Machine as _, Seed, Snapshot, Stream, WallClock};
use nexus_network::announces::Via;
use nexus_network::lora::Modulation;
use nexus_network::{
    Access, AppData, Class, DutyCycle, Effect, Input, InterfaceId, Limits, LinkId, Mode, Network, Originated,
    PathPolicy, Profile, Reach, Role, SearchMotive, Timing, Trust,
};
use nexus_wire::reticulum::{Context, DestinationType, MTU, Packet, PacketType};

/// Whether who is written to proves what arrives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Proving {
    On,
    Off,
}

pub(crate) enum Ground {
    /// A cable for each edge, its number that of its interfaces.
    Cables,
    /// One channel: those are in range of each other who share an edge.
    Air,
}

/// How the data of a probe begins.
const PROBE: &[u8] = b"probe";

pub(crate) struct Mesh {
    pub(crate) nodes: Vec<Network>,
    edges: &'static [(usize, usize)],
    ground: Ground,
    profile: Profile,
    pub(crate) now: Instant,
    one_way: Duration,
    /// Lost frames, per mille.
    pub(crate) loss: u64,
    pub(crate) dead: BTreeSet<usize>,
    pub(crate) proving: Proving,
    /// Probes on their way, by whom they are of and how their proofs are addressed.
    probes: BTreeMap<(usize, DestinationHash), u64>,
    flying: BTreeMap<(Instant, u64), (usize, Input)>,
    count: u64,
    random: Stream,
    /// When packets arrived.
    arrivals: Vec<Instant>,
    next_packet_at: Instant,
    /// How often the second node chose another way.
    pub(crate) flips: usize,
    chosen: Option<LinkId>,
}

impl Mesh {
    pub(crate) fn of_cables(edges: &'static [(usize, usize)], rtt_ms: u64, seed: u64) -> Self {
        Self::new(edges, Ground::Cables, cable(), Duration::from_micros(rtt_ms * 500), seed)
    }

    /// The same, on cables that lose so many of a thousand frames each way from the start.
    pub(crate) fn of_bad_cables(edges: &'static [(usize, usize)], rtt_ms: u64, loss: u64, seed: u64) -> Self {
        let one_way = Duration::from_micros(rtt_ms * 500);
        let mut mesh = Self::unplugged(edges, Ground::Cables, cable(), one_way, seed);
        mesh.loss = loss;
        mesh.begin();
        mesh
    }

    pub(crate) fn on_air(edges: &'static [(usize, usize)], profile: Profile, seed: u64) -> Self {
        Self::new(edges, Ground::Air, profile, Duration::ZERO, seed)
    }

    pub(crate) fn new(
        edges: &'static [(usize, usize)],
        ground: Ground,
        profile: Profile,
        one_way: Duration,
        seed: u64,
    ) -> Self {
        let mut mesh = Self::unplugged(edges, ground, profile, one_way, seed);
        mesh.begin();
        mesh
    }

    fn unplugged(
        edges: &'static [(usize, usize)],
        ground: Ground,
        profile: Profile,
        one_way: Duration,
        seed: u64,
    ) -> Self {
        let count = edges.iter().map(|(one, other)| one.max(other) + 1).max().expect("there are edges");
        let random = Seed::new([6; 32]).fork_index("repair", seed).fork("run");
        Self {
            nodes: (0..count).map(|n| layer(n, seed)).collect(),
            edges,
            ground,
            profile,
            now: Instant::BOOT,
            one_way,
            loss: 0,
            dead: BTreeSet::new(),
            proving: Proving::On,
            probes: BTreeMap::new(),
            flying: BTreeMap::new(),
            count: 0,
            random,
            arrivals: Vec::new(),
            next_packet_at: Instant::BOOT,
            flips: 0,
            chosen: None,
        }
    }

    /// Everybody starts, and has time to hear of everybody.
    fn begin(&mut self) {
        (0..self.nodes.len()).for_each(|node| self.start(node));
        self.run(Duration::from_secs(20));
    }

    fn start(&mut self, node: usize) {
        let ifaces: Vec<InterfaceId> = match self.ground {
            Ground::Air => vec![InterfaceId(0)],
            Ground::Cables => {
                let at = |(_, (one, other)): &(usize, &(usize, usize))| *one == node || *other == node;
                self.edges.iter().enumerate().filter(at).map(|(edge, _)| iface_of(edge)).collect()
            }
        };
        for iface in ifaces {
            self.tell(node, Input::Up(iface, self.profile));
        }
        self.tell(node, Input::Ratchet(RatchetPublic([1; 32])));
    }

    pub(crate) fn restart(&mut self, node: usize) {
        self.count += 1;
        self.nodes[node] = layer(node, 1_000 + self.count);
        self.start(node);
    }

    fn cx(&self) -> Cx {
        let wall = WallClock { unix_s: 1_800_000_000, error_s: 1, read_at: Instant::BOOT };
        Cx { wall: Some(wall), ..Cx::at(self.now) }
    }

    pub(crate) fn tell(&mut self, node: usize, input: Input) {
        let mut out: VecDeque<Effect> = VecDeque::new();
        let cx = self.cx();
        self.nodes[node].handle(cx, input, &mut out);
        self.follow(node, out);
    }

    fn follow(&mut self, node: usize, effects: VecDeque<Effect>) {
        for effect in effects {
            match effect {
                Effect::Transmit(frame) => self.transmit(node, frame.iface, &frame.bytes),
                Effect::Write { by, number: through, .. } => {
                    self.later(Duration::ZERO, node, Input::Durable { by, through });
                }
                Effect::EntropyWanted => {
                    let entropy = self.random.bytes();
                    self.later(Duration::ZERO, node, Input::Entropy(entropy));
                }
                Effect::Arrived { packet, .. } => self.arrived(node, &packet),
                Effect::Probe { number, node: to, .. } => self.probe(node, number, to.into()),
                // As a node does.
                Effect::Originated { outcome: Originated::NoPath, .. } => {
                    let destination = address(self.nodes.len() - 1);
                    let motive = SearchMotive::Packet;
                    self.later(Duration::ZERO, node, Input::Find { destination, motive });
                }
                Effect::Sense(_)
                | Effect::Jammed(_)
                | Effect::Reached(_)
                | Effect::Announced { .. }
                | Effect::PathFound { .. }
                | Effect::PathNotFound { .. }
                | Effect::OfMoney { .. }
                | Effect::Store(_)
                | Effect::Key(_)
                | Effect::Counted { .. }
                | Effect::ChannelWanted(_)
                | Effect::LinkUp(_)
                | Effect::LinkDown { .. }
                | Effect::Originated { .. } => {}
            }
        }
        if node == 1 {
            let chosen = self.first_step(1, self.nodes.len() - 1);
            self.flips += usize::from(chosen != self.chosen && self.chosen.is_some() && chosen.is_some());
            self.chosen = chosen.or(self.chosen);
        }
    }

    /// What the layer above does: the probe is sent by the path that it is of, and its proof is looked at.
    fn probe(&mut self, node: usize, number: u64, to: DestinationHash) {
        let data = [PROBE, &[u8::try_from(node).expect("few nodes")], &number.to_le_bytes()].concat();
        let packet = packet_of(PacketType::Data, to, &data);
        let hash = Packet::decode(&packet).expect("it was made as one").truncated_hash();
        self.probes.insert((node, hash.into()), number);
        self.later(Duration::ZERO, node, Input::Probe { number, packet });
    }

    fn arrived(&mut self, node: usize, packet: &[u8]) {
        let read = Packet::decode(packet).expect("a packet");
        if read.packet_type != PacketType::Data {
            if let Some(number) = self.probes.remove(&(node, read.destination)) {
                self.later(Duration::ZERO, node, Input::Probed { number });
            }
            return;
        }
        let is_probe = read.data.starts_with(PROBE);
        if !is_probe {
            self.arrivals.push(self.now);
        }
        // Whatever applications do, a node proves what probes it.
        if is_probe || self.proving == Proving::On {
            let proof = packet_of(PacketType::Proof, read.truncated_hash().into(), b"signature");
            self.later(Duration::ZERO, node, Input::Prove { packet: proof, class: Class::Interactive });
        }
    }

    fn transmit(&mut self, node: usize, iface: InterfaceId, bytes: &[u8]) {
        let airtime = match self.ground {
            Ground::Air => self.profile.airtime(bytes.len()),
            Ground::Cables if self.profile.bandwidth_bps <= 1_000_000 => self.profile.airtime(bytes.len()),
            Ground::Cables => Duration::from_micros(1),
        };
        self.later(airtime, node, Input::TxReady(iface));
        for (edge, (one, other)) in self.edges.iter().enumerate() {
            let on_it = match self.ground {
                Ground::Air => true,
                Ground::Cables => iface_of(edge) == iface,
            };
            let to = if *one == node { *other } else { *one };
            if !on_it || (*one != node && *other != node) || self.random.below(1_000) < self.loss {
                continue;
            }
            let jitter = Duration::from_micros(self.random.below(self.one_way.as_micros() / 20 + 1));
            let input = Input::Frame { iface, from: None, bytes: bytes.to_vec() };
            self.later(airtime.plus(self.one_way).plus(jitter), to, input);
        }
    }

    fn later(&mut self, wait: Duration, node: usize, input: Input) {
        self.count += 1;
        self.flying.insert((self.now.after(wait), self.count), (node, input));
    }

    pub(crate) fn run(&mut self, span: Duration) {
        let until = self.now.after(span);
        loop {
            let awake = (0..self.nodes.len()).filter(|node| !self.dead.contains(node));
            let wake = awake.filter_map(|node| Some((self.nodes[node].next_timeout()?, node))).min();
            let landing = self.flying.keys().next().map(|(at, _)| *at);
            let next = [wake.map(|(at, _)| at), landing].into_iter().flatten().min();
            let Some(next) = next.filter(|next| *next <= until) else { break };
            self.now = self.now.max(next);
            if landing == Some(next) {
                let Some((_, (node, input))) = self.flying.pop_first() else { continue };
                if !self.dead.contains(&node) {
                    self.tell(node, input);
                }
            } else if let Some((_, node)) = wake {
                let mut out: VecDeque<Effect> = VecDeque::new();
                let cx = self.cx();
                self.nodes[node].handle_timeout(cx, &mut out);
                self.follow(node, out);
            }
        }
        self.now = until;
    }

    /// The first node sends packets to `to`.
    pub(crate) fn send_for(&mut self, span: Duration, every: Duration, to: usize) {
        let end = self.now.after(span);
        while self.now < end {
            if self.next_packet_at <= self.now {
                self.next_packet_at = self.now.after(every);
                self.count += 1;
                let packet = packet_of(PacketType::Data, address(to), &self.count.to_be_bytes());
                let policy = PathPolicy::default();
                self.tell(
                    0,
                    Input::Originate { handle: self.count, packet, policy, class: Class::Interactive },
                );
            }
            let next = self.next_packet_at.min(end);
            self.run(next.since(self.now));
        }
    }

    /// A node sends bulk to a neighbour, three times what a megabit carries.
    pub(crate) fn flood_for(&mut self, span: Duration, from: usize, to: usize) {
        let end = self.now.after(span);
        while self.now < end {
            self.count += 1;
            let data = [&self.count.to_be_bytes()[..], &[7; 400]].concat();
            let (packet, policy) = (packet_of(PacketType::Data, address(to), &data), PathPolicy::Cheapest);
            self.tell(from, Input::Originate { handle: self.count, packet, policy, class: Class::Bulk });
            self.run(Duration::from_micros(1_100));
        }
    }

    /// Who is next on the cheapest way.
    pub(crate) fn cheapest_step(&self, node: usize, to: usize) -> Option<usize> {
        let chosen = self.nodes[node].routing(self.now).chosen(&address(to), PathPolicy::Cheapest)?;
        let Via::Link { link, .. } = chosen.via else { return None };
        let peer = self.nodes[node].links().status().find(|status| status.id == link)?.peer;
        (0..self.nodes.len()).find(|other| identity(*other).public().hash() == peer.hash())
    }

    fn first_step(&self, node: usize, to: usize) -> Option<LinkId> {
        self.nodes[node].announces().path(&address(to)).and_then(|path| match path.via {
            Via::Link { link, .. } => Some(link),
            Via::Clear { .. } => None,
        })
    }

    fn step(&self, node: usize, to: usize) -> Option<usize> {
        let link = self.first_step(node, to)?;
        let peer = self.nodes[node].links().status().find(|status| status.id == link)?.peer;
        (0..self.nodes.len()).find(|other| identity(*other).public().hash() == peer.hash())
    }

    pub(crate) fn knows_way(&self, to: usize) -> bool {
        self.step(0, to).is_some() && self.step(1, to).is_some()
    }

    /// How many ways the node knows.
    pub(crate) fn ways_known(&self, node: usize, to: usize) -> usize {
        self.nodes[node].announces().paths(&address(to), self.now).count()
    }

    /// Who is on the way from the first to `to`, as each would send on; and who comes after the second node.
    pub(crate) fn way(&self, to: usize) -> (Vec<usize>, usize) {
        let mut way = Vec::new();
        let mut at = 0;
        while at != to && way.len() < self.nodes.len() {
            let Some(next) = self.step(at, to) else { break };
            way.push(next);
            at = next;
        }
        (way.clone(), way.get(1).copied().unwrap_or(usize::MAX))
    }

    /// What each node thinks of its ways and of its neighbours, for whoever reads why a test failed.
    pub(crate) fn describe(&self, to: usize) {
        println!("dead: {:?}", self.dead);
        for (n, node) in self.nodes.iter().enumerate() {
            let paths: Vec<_> = node.announces().paths(&address(to), self.now).collect();
            let links: Vec<_> = node
                .links()
                .status()
                .map(|link| (link.id, link.trust, link.doubts, link.reliability))
                .collect();
            println!("node {n}: {paths:#?}\n{links:?}");
        }
    }

    pub(crate) fn trust_of(&self, node: usize) -> Vec<Trust> {
        self.nodes[node].links().status().map(|status| status.trust).collect()
    }

    /// Whether something arrived since then.
    pub(crate) fn arrived_since(&self, then: Instant) -> bool {
        self.arrivals.last().is_some_and(|at| *at > then)
    }

    pub(crate) fn longest_gap(&self) -> Duration {
        let gaps = self.arrivals.windows(2).map(|pair| pair[1].since(pair[0]));
        gaps.max().unwrap_or(Duration::from_secs(1_000))
    }
}

pub(crate) fn cable() -> Profile {
    Profile {
        mode: Mode::Nexus,
        reach: Reach::PointToPoint,
        access: Access::Direct,
        bandwidth_bps: 100_000_000,
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

pub(crate) fn radio(spreading_factor: u8) -> Profile {
    let modulation = Modulation::new(125_000, spreading_factor, 5).expect("a channel");
    Profile {
        reach: Reach::Shared,
        bandwidth_bps: modulation.bitrate_bps(),
        frame_size: 508,
        timing: Timing::LoRa(modulation),
        ..cable()
    }
}

pub(crate) fn iface_of(edge: usize) -> InterfaceId {
    InterfaceId(u8::try_from(edge).expect("few edges"))
}

fn layer(n: usize, seed: u64) -> Network {
    let seed = Seed::new([3; 32]).fork_index("seed", seed).fork_seed(&format!("node {n}"));
    let identity = IdentitySeed::from_bytes([u8::try_from(n).expect("few nodes") + 1; 32]);
    Network::new(&identity, AppData::default(), Limits::default(), &Snapshot::empty(), &seed)
}

fn identity(n: usize) -> NodeIdentity {
    NodeIdentity::from_seed(IdentitySeed::from_bytes([u8::try_from(n).expect("few nodes") + 1; 32]))
}

pub(crate) fn address(n: usize) -> DestinationHash {
    identity(n).node_id().into()
}

/// A packet as its originator writes it.
fn packet_of(packet_type: PacketType, to: DestinationHash, data: &[u8]) -> Vec<u8> {
    let header = Packet::originating(packet_type, DestinationType::Single, to, Context::NEXUS);
    Packet { data, ..header }.encode(&mut [0; MTU]).expect("it is short").to_vec()
}
