//! Nodes on one shared medium, all linked with each other. What is told over links arrives at once, unless a test holds it up.

use alloc::collections::{BTreeMap, VecDeque};
use alloc::vec;
use alloc::vec::Vec;

use nexus_crypto::{DestinationHash, IdentitySeed, NodeIdentity};
use nexus_machine::{Cx, Duration, Instant, Key, Machine as _, Seed};
use nexus_wire::nexus::Layout as _;
use nexus_wire::nexus::control::{BroadcastKey, BroadcastKeyAck};
use nexus_wire::nexus::cost::CostRecord;
use nexus_wire::nexus::frame::{BeaconTag, HEADER_LEN, Sealed, SealedHeader};
use nexus_wire::nexus::message::{MessageKind, MessageWriter, Messages};
use nexus_wire::nexus::path_cost::CompactPathCost;
use nexus_wire::nexus::traffic;

use crate::broadcast::{Broadcast, Departure, Effect, GivenKey, Input, Limits};
use crate::interface::{Access, DutyCycle, InterfaceId, Mode, Profile, Reach, Role, Timing};
use crate::links::LinkId;
use crate::media::{Flow, Frame, Load, Seal};

/// The only interface of every node.
pub(super) const IFACE: InterfaceId = InterfaceId(0);

pub(super) struct World {
    pub(super) nodes: Vec<Node>,
    pub(super) now: Instant,
    /// Whether what is told over links arrives.
    pub(super) carries: bool,
    /// What was told over links: from, to, what of keys was in it.
    pub(super) told: Vec<(usize, usize, Vec<MessageKind>)>,
}

pub(super) struct Node {
    pub(super) organ: Broadcast,
    pub(super) tags: Vec<BeaconTag>,
    pub(super) hears: BTreeMap<LinkId, bool>,
    /// What was announced to it: by which link, what.
    pub(super) announced: Vec<(LinkId, Vec<u8>)>,
    /// What it was told of costs.
    pub(super) costs: Vec<(LinkId, Vec<CostRecord>)>,
    pub(super) heard: Vec<LinkId>,
    pub(super) tagged: Vec<(LinkId, BeaconTag)>,
    /// Broadcasts that left it, sealed.
    pub(super) left: Vec<Vec<u8>>,
    pub(super) entropy_wanted: u32,
}

pub(super) fn identity(n: usize) -> NodeIdentity {
    NodeIdentity::from_seed(IdentitySeed::from_bytes([u8::try_from(n).unwrap() + 1; 32]))
}

/// The link of a node with `peer`.
pub(super) fn link(peer: usize) -> LinkId {
    LinkId(Key { slot: u16::try_from(peer).unwrap(), generation: 0 })
}

pub(super) fn about() -> DestinationHash {
    DestinationHash([7; 16])
}

/// ANNOUNCE of `packet`, without a length, behind headroom.
pub(super) fn announce(packet: &[u8]) -> Vec<u8> {
    let message = traffic::Announce { cost: CompactPathCost::ORIGIN, packet };
    let mut bytes = vec![0; HEADER_LEN + 1 + message.encoded_len()];
    MessageWriter::new(&mut bytes[HEADER_LEN..]).put_last(&message).unwrap();
    bytes
}

pub(super) fn profile(reach: Reach, bandwidth_bps: u64, frame_size: u16) -> Profile {
    Profile {
        mode: Mode::Nexus,
        reach,
        access: Access::Direct,
        bandwidth_bps,
        frame_size,
        timing: Timing::Rate,
        duty: DutyCycle::UNLIMITED,
        sub_band: None,
        overhead: 0,
        price: 0,
        role: Role::Full,
        gravity: 0,
    }
}

pub(super) fn header(frame: &[u8]) -> SealedHeader {
    Sealed::decode(frame).unwrap().header
}

impl World {
    /// So many nodes on a radio channel, all linked.
    pub(super) fn linked(count: usize) -> Self {
        let mut world = Self::on(count, profile(Reach::Shared, 50_000, 508));
        for one in 0..count {
            for other in one + 1..count {
                world.link(one, other);
            }
        }
        world
    }

    pub(super) fn on(count: usize, profile: Profile) -> Self {
        let mut nodes: Vec<Node> = (0..count).map(Node::new).collect();
        for node in &mut nodes {
            let mut out: VecDeque<Effect> = VecDeque::new();
            node.organ.handle(Cx::default(), Input::Up(IFACE, profile), &mut out);
        }
        Self { nodes, now: Instant::BOOT, carries: true, told: Vec::new() }
    }

    pub(super) fn link(&mut self, one: usize, other: usize) {
        for (at, peer) in [(one, other), (other, one)] {
            let peer_key = *identity(peer).public();
            self.tell(at, Input::LinkUp { link: link(peer), iface: IFACE, peer: peer_key, max_frame: 508 });
        }
    }

    pub(super) fn unlink(&mut self, one: usize, other: usize, departure: Departure) {
        self.nodes[one].hears.remove(&link(other));
        self.nodes[other].hears.remove(&link(one));
        self.tell(one, Input::LinkDown { link: link(other), departure });
        self.tell(other, Input::LinkDown { link: link(one), departure: Departure::Left });
    }

    pub(super) fn tell(&mut self, node: usize, input: Input) {
        let mut out: VecDeque<Effect> = VecDeque::new();
        self.nodes[node].organ.handle(Cx::at(self.now), input, &mut out);
        self.follow(node, out);
    }

    fn follow(&mut self, from: usize, mut effects: VecDeque<Effect>) {
        while let Some(effect) = effects.pop_front() {
            let node = &mut self.nodes[from];
            match effect {
                Effect::Tell { link: over, plaintext } => {
                    self.carry(from, usize::from(over.0.slot), &plaintext.into_bytes());
                }
                Effect::Send(mut frame) => {
                    if node.organ.seal(Cx::at(self.now), &mut frame, &mut effects).is_ok() {
                        node.left.push(frame.bytes);
                    }
                }
                Effect::Retag(_, tag) => node.tags.push(tag),
                Effect::Tagged { link, tag } => node.tagged.push((link, tag)),
                Effect::Hears(link) => assert_ne!(node.hears.insert(link, true), Some(true)),
                Effect::Deaf(link) => assert_eq!(node.hears.insert(link, false), Some(true)),
                Effect::Heard(link) => node.heard.push(link),
                Effect::Announced { link, packet, .. } => node.announced.push((link, packet)),
                Effect::Costs { link, records } => node.costs.push((link, records)),
                Effect::EntropyWanted => node.entropy_wanted += 1,
            }
        }
    }

    fn carry(&mut self, from: usize, to: usize, plaintext: &[u8]) {
        let messages: Vec<_> = Messages::new(&plaintext[HEADER_LEN..]).map(Result::unwrap).collect();
        self.told.push((from, to, messages.iter().map(|message| message.kind).collect()));
        if !self.carries {
            return;
        }
        for message in messages {
            let input = if message.kind == MessageKind::BROADCAST_KEY {
                let key = GivenKey::of(&message.parse::<BroadcastKey<'_>>().unwrap());
                Input::Given { link: link(from), key }
            } else {
                let BroadcastKeyAck { key_id } = message.parse().unwrap();
                Input::Acknowledged { link: link(from), key_id }
            };
            self.tell(to, input);
        }
    }

    pub(super) fn run_for(&mut self, span: Duration) {
        let until = self.now.after(span);
        while let Some((at, node)) = self.next().filter(|(at, _)| *at <= until) {
            self.now = at;
            let mut out: VecDeque<Effect> = VecDeque::new();
            self.nodes[node].organ.handle_timeout(Cx::at(at), &mut out);
            self.follow(node, out);
        }
        self.now = until;
    }

    fn next(&self) -> Option<(Instant, usize)> {
        let nodes = self.nodes.iter().enumerate();
        nodes.filter_map(|(n, node)| Some((node.organ.next_timeout()?, n))).min()
    }

    /// Lets a node say something; what left it, sealed.
    pub(super) fn say(&mut self, node: usize, packet: &[u8]) -> Vec<Vec<u8>> {
        let before = self.nodes[node].left.len();
        self.tell(node, Input::Say { iface: IFACE, about: Some(about()), message: announce(packet) });
        self.nodes[node].left[before..].to_vec()
    }

    /// Seals a plaintext under a node's key as if the node said so, signed by it.
    pub(super) fn sealed(&mut self, node: usize, plaintext: &[u8]) -> Vec<u8> {
        let bytes = [&[0; HEADER_LEN][..], plaintext].concat();
        let mut frame = Frame {
            iface: IFACE,
            to: None,
            bytes,
            about: None,
            load: Load::Announces,
            flow: Flow::OWN,
            under: Some(Seal::Broadcast),
        };
        let mut out: VecDeque<Effect> = VecDeque::new();
        self.nodes[node].organ.seal(Cx::at(self.now), &mut frame, &mut out).expect("a key is in use");
        frame.bytes
    }

    pub(super) fn hear(&mut self, node: usize, frame: &[u8]) {
        self.tell(node, Input::Frame { iface: IFACE, bytes: frame.to_vec() });
    }

    /// The causes for which a node refused something, and how often.
    pub(super) fn refused(&self, node: usize) -> Vec<(&'static str, u64)> {
        self.nodes[node].organ.refusals().by_name().filter(|(_, count)| *count > 0).collect()
    }

    pub(super) fn hearers(&self, node: usize) -> usize {
        self.nodes[node].organ.status(IFACE).unwrap().hearers
    }
}

impl Node {
    fn new(n: usize) -> Self {
        let seed = Seed::new([u8::try_from(n).unwrap() + 40; 32]);
        let limits = Limits { links: 8, interfaces: 2 };
        Self {
            organ: Broadcast::new(identity(n), limits, &seed),
            tags: Vec::new(),
            hears: BTreeMap::new(),
            announced: Vec::new(),
            costs: Vec::new(),
            heard: Vec::new(),
            tagged: Vec::new(),
            left: Vec::new(),
            entropy_wanted: 0,
        }
    }
}
