//! Organs with a store of plain bytes each, over links that take time, lose, go down and come up. Pure virtual time.

use alloc::collections::{BTreeMap, BTreeSet, VecDeque};
use alloc::vec::Vec;

use nexus_crypto::hash::blake3;
use nexus_machine::{Cx, Duration, Instant, Key, Machine as _, Seed, Stream};
use nexus_wire::nexus::frame::{HEADER_LEN, SEALED_OVERHEAD};
use nexus_wire::nexus::gossip::{ItemId, StoreId};
use nexus_wire::nexus::message::Messages;

use crate::gossip::{Effect, Gossip, Input, Limits};
use crate::interface::{Access, DutyCycle, InterfaceId, Mode, Profile, Reach, Role, Timing};
use crate::links::LinkId;
use crate::media::{Load, Tier};

pub(super) const STORE: StoreId = StoreId::KEYS;
pub(super) const IFACE: InterfaceId = InterfaceId(1);
const LATENCY: Duration = Duration::from_millis(20);

pub(super) struct World {
    pub(super) nodes: Vec<Node>,
    pub(super) edges: Vec<Edge>,
    events: BTreeMap<(Instant, u64), Event>,
    /// When nodes want to be woken.
    timers: BTreeSet<(Instant, usize)>,
    wakes: Vec<Option<Instant>>,
    count: u64,
    pub(super) now: Instant,
    pub(super) random: Stream,
    pub(super) loses_percent: u64,
    bps: u64,
    /// Bytes on the medium, of all links.
    pub(super) bytes: u64,
    /// What was said, in order.
    pub(super) said: Vec<Vec<u8>>,
    /// A node whose organ is told nothing: a test speaks for it.
    pub(super) puppet: Option<usize>,
    /// Items that stores were given to judge.
    pub(super) judged: usize,
    /// The same by node.
    pub(super) judged_at: Vec<usize>,
}

pub(super) struct Node {
    pub(super) gossip: Gossip,
    pub(super) items: BTreeMap<ItemId, Vec<u8>>,
}

pub(super) struct Edge {
    pub(super) ends: [usize; 2],
    generation: u16,
    is_up: bool,
    /// Until when either end's medium is busy.
    busy: [Instant; 2],
    /// What either end said, and when it left.
    pub(super) left: [Vec<(Instant, usize)>; 2],
}

enum Event {
    Left(usize, u16, usize, usize),
    Heard(usize, u16, usize, Vec<u8>),
}

impl World {
    /// `nodes` organs, linked by `edges` that carry so many bits per second.
    pub(super) fn new(seed: u64, nodes: usize, edges: &[(usize, usize)], bps: u64) -> Self {
        let seed = Seed::new([9; 32]).fork_index("gossip world", seed);
        let node = |n: usize| {
            let own = seed.fork_index("node", u64::try_from(n).unwrap());
            let mut gossip = Gossip::new(&[(STORE, Tier::Payment)], Limits::default(), &own);
            let mut out: VecDeque<Effect> = VecDeque::new();
            gossip.handle(
                Cx::at(Instant::BOOT),
                Input::Up(IFACE, profile(bps, Reach::PointToPoint)),
                &mut out,
            );
            Node { gossip, items: BTreeMap::new() }
        };
        let edge = |ends: &(usize, usize)| Edge {
            ends: [ends.0, ends.1],
            generation: 0,
            is_up: false,
            busy: [Instant::BOOT; 2],
            left: [Vec::new(), Vec::new()],
        };
        Self {
            nodes: (0..nodes).map(node).collect(),
            edges: edges.iter().map(edge).collect(),
            events: BTreeMap::new(),
            timers: BTreeSet::new(),
            wakes: (0..nodes).map(|_| None).collect(),
            count: 0,
            now: Instant::BOOT,
            random: seed.fork("run"),
            loses_percent: 0,
            bps,
            bytes: 0,
            said: Vec::new(),
            puppet: None,
            judged: 0,
            judged_at: (0..nodes).map(|_| 0).collect(),
        }
    }

    /// A connected graph of `nodes`: a random tree, and half as many chords.
    pub(super) fn random(seed: u64, nodes: usize, bps: u64) -> Self {
        let mut random = Seed::new([8; 32]).fork_index("graph", seed).fork("shape");
        let mut below = |n: usize| usize::try_from(random.below(u64::try_from(n).unwrap())).unwrap();
        let mut edges = BTreeSet::new();
        for n in 1..nodes {
            edges.insert((below(n), n));
        }
        for _ in 0..nodes / 2 {
            let (one, other) = (below(nodes), below(nodes));
            if one != other {
                edges.insert((one.min(other), one.max(other)));
            }
        }
        let edges: Vec<_> = edges.into_iter().collect();
        Self::new(seed, nodes, &edges, bps)
    }

    pub(super) fn up_all(&mut self) {
        for at in 0..self.edges.len() {
            self.up(at);
        }
    }

    pub(super) fn up(&mut self, at: usize) {
        let edge = &mut self.edges[at];
        if edge.is_up {
            return;
        }
        (edge.is_up, edge.generation) = (true, edge.generation + 1);
        for end in self.edges[at].ends {
            let link = self.link(at);
            self.tell(end, Input::LinkUp { link, iface: IFACE, max_frame: 508 });
        }
    }

    pub(super) fn down(&mut self, at: usize) {
        if !self.edges[at].is_up {
            return;
        }
        self.edges[at].is_up = false;
        for end in self.edges[at].ends {
            let link = self.link(at);
            self.tell(end, Input::LinkDown(link));
        }
    }

    pub(super) fn link(&self, at: usize) -> LinkId {
        LinkId(Key { slot: u16::try_from(at).unwrap(), generation: self.edges[at].generation })
    }

    /// A node's store makes an item.
    pub(super) fn publish(&mut self, n: usize, body: Vec<u8>) -> ItemId {
        let id = ItemId(blake3(&[&body]));
        let size = u16::try_from(body.len()).unwrap();
        self.nodes[n].items.insert(id, body);
        self.tell(n, Input::Published { store: STORE, id, size });
        id
    }

    pub(super) fn publish_random(&mut self, n: usize, items: usize) {
        for _ in 0..items {
            let body = self.random.bytes::<32>().to_vec();
            self.publish(n, body);
        }
    }

    pub(super) fn tell(&mut self, n: usize, input: Input) {
        if self.puppet == Some(n) {
            return;
        }
        let mut out: VecDeque<Effect> = VecDeque::new();
        self.nodes[n].gossip.handle(Cx::at(self.now), input, &mut out);
        self.follow(n, out);
        self.note_timer(n);
    }

    fn note_timer(&mut self, n: usize) {
        let wake = self.nodes[n].gossip.next_timeout();
        if let Some(before) = core::mem::replace(&mut self.wakes[n], wake) {
            self.timers.remove(&(before, n));
        }
        self.timers.extend(wake.map(|at| (at, n)));
    }

    fn follow(&mut self, n: usize, effects: VecDeque<Effect>) {
        for effect in effects {
            match effect {
                Effect::Say { link, plaintext, tier: _ } => self.carry(n, link, &plaintext),
                Effect::Fetch { store, to, ids } => {
                    let bodies = ids.iter().filter_map(|id| self.nodes[n].items.get(id).cloned()).collect();
                    self.tell(n, Input::Bodies { store, to, bodies });
                }
                Effect::Apply { store, from, items } => self.apply(n, store, from, items),
                Effect::Asked { store, by, ids } => {
                    // All that a store holds answers a question that begins with 0xee.
                    let is_question = ids.iter().any(|id| id.0[0] == 0xee);
                    let ids = self.nodes[n].items.keys().copied().filter(|_| is_question).collect();
                    self.tell(n, Input::Answered { store, to: by, ids });
                }
            }
        }
    }

    /// Every item is good but those of 13 bytes.
    fn apply(&mut self, n: usize, store: StoreId, from: LinkId, items: Vec<Vec<u8>>) {
        self.judged += items.len();
        self.judged_at[n] += items.len();
        let (good, bad): (Vec<_>, Vec<_>) = items.into_iter().partition(|item| item.len() != 13);
        let held: Vec<ItemId> = good.iter().map(|item| ItemId(blake3(&[item]))).collect();
        for (id, body) in held.iter().zip(good) {
            let size = u16::try_from(body.len()).unwrap();
            if self.nodes[n].items.insert(*id, body).is_none() {
                self.tell(n, Input::Published { store, id: *id, size });
            }
        }
        self.tell(n, Input::Judged { store, from, held, bad: bad.len() });
    }

    fn carry(&mut self, from: usize, link: LinkId, plaintext: &[u8]) {
        let at = usize::from(link.0.slot);
        let edge = &mut self.edges[at];
        let side = usize::from(edge.ends[0] != from);
        let bytes = plaintext.len() - HEADER_LEN + SEALED_OVERHEAD;
        self.bytes += u64::try_from(bytes).unwrap();
        self.said.push(plaintext.to_vec());
        let airtime = profile(self.bps, Reach::PointToPoint).airtime(bytes);
        let leaves = edge.busy[side].max(self.now).after(airtime);
        edge.busy[side] = leaves;
        edge.left[side].push((leaves, bytes));
        let generation = link.0.generation;
        self.later(leaves, Event::Left(at, generation, from, bytes));
        if !self.random.chance(self.loses_percent, 100) {
            let to = self.edges[at].ends[1 - side];
            self.later(leaves.after(LATENCY), Event::Heard(at, generation, to, plaintext.to_vec()));
        }
    }

    fn later(&mut self, at: Instant, event: Event) {
        self.count += 1;
        self.events.insert((at, self.count), event);
    }

    /// Goes on for `span`, or until `is_done`. Says how long that took.
    pub(super) fn run_until(&mut self, span: Duration, is_done: impl Fn(&Self) -> bool) -> Option<Duration> {
        let began = self.now;
        let until = began.after(span);
        let mut looked = self.now;
        loop {
            let timer = self.timers.first().copied();
            let event = self.events.first_key_value().map(|((at, _), _)| *at);
            let next = timer.map(|(at, _)| at).into_iter().chain(event).min();
            let Some(at) = next.filter(|at| *at <= until) else { break };
            self.now = self.now.max(at);
            if self.now.since(looked) >= Duration::from_secs(1) {
                looked = self.now;
                if is_done(self) {
                    return Some(self.now.since(began));
                }
            }
            if event == Some(at) {
                let Some((_, event)) = self.events.pop_first() else { break };
                self.happen(event);
            } else if let Some((_, n)) = timer {
                let mut out: VecDeque<Effect> = VecDeque::new();
                self.nodes[n].gossip.handle_timeout(Cx::at(self.now), &mut out);
                self.follow(n, out);
                self.note_timer(n);
            }
        }
        self.now = until;
        is_done(self).then(|| self.now.since(began))
    }

    pub(super) fn run(&mut self, span: Duration) {
        self.run_until(span, |_| false);
    }

    fn happen(&mut self, event: Event) {
        match event {
            Event::Left(at, generation, from, bytes) => {
                if self.is_current(at, generation) {
                    let load = Load::Gossip(Tier::Payment);
                    self.tell(from, Input::Left { iface: IFACE, link: Some(self.link(at)), load, bytes });
                }
            }
            Event::Heard(at, generation, to, plaintext) => {
                if self.is_current(at, generation) {
                    let link = self.link(at);
                    for input in heard(link, &plaintext) {
                        self.tell(to, input);
                    }
                }
            }
        }
    }

    fn is_current(&self, at: usize, generation: u16) -> bool {
        self.edges[at].is_up && self.edges[at].generation == generation
    }

    /// Whether all hold the same.
    pub(super) fn agrees(&self) -> bool {
        self.nodes.iter().all(|node| node.items.len() == self.nodes[0].items.len())
            && self.nodes.iter().all(|node| node.items.keys().eq(self.nodes[0].items.keys()))
    }
}

/// What a plaintext says.
pub(super) fn heard(link: LinkId, plaintext: &[u8]) -> Vec<Input> {
    let messages = Messages::new(&plaintext[HEADER_LEN..]).map(|message| message.expect("a message"));
    messages.map(|message| Input::Heard { link, kind: message.kind, body: message.body.to_vec() }).collect()
}

pub(in crate::gossip) fn profile(bandwidth_bps: u64, reach: Reach) -> Profile {
    Profile {
        mode: Mode::Nexus,
        reach,
        access: Access::Direct,
        bandwidth_bps,
        frame_size: 508,
        timing: Timing::Rate,
        duty: DutyCycle::UNLIMITED,
        sub_band: None,
        price: 0,
        role: Role::Full,
        gravity: 0,
        overhead: 0,
    }
}

/// An organ with so many items, and a link to a puppet.
pub(super) fn with_puppet(bps: u64, items: usize) -> World {
    let mut world = World::new(1, 2, &[(0, 1)], bps);
    world.puppet = Some(1);
    world.publish_random(0, items);
    world.up(0);
    world
}
