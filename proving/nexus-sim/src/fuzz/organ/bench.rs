//! The organs, the frames between them, and what must hold.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use nexus_crypto::{NodeId, NodeIdentity};
use nexus_machine::{Cx, Duration, Instant, Machine as _, MemoryBound as _, Seed, Stream, WallClock};
use nexus_network::links::{Effect, Input, Limits, LinkId, LinkStatus, Links, Policy};
use nexus_network::{DutyCycle, Endpoint, Flow, Frame, InterfaceId, Load, Mode, Profile, Reach, Seal};
use nexus_wire::nexus::Layout as _;
use nexus_wire::nexus::frame::{FrameKind, HEADER_LEN, Head, Sealed, TAG_LEN};

use super::super::cast::{CABLE, NODES, address, identity, interface, node_id, number, radio};
use super::super::flights::{Flight, Flights, KEPT};
use super::{Held, RUN_MAX, Reached};

/// Interfaces of each.
pub(super) const IFACES: usize = 2;
/// Small, so that the bounds are met.
const LIMITS: Limits = Limits { links: 4, answering: 6, opening: 4, dials: 6, interfaces: 2 };
/// No input has more effects: an interface that goes down ends four links, and each may begin a handshake.
const EFFECTS: usize = 64;
/// Arrivals and wake-ups of one step, and of a whole script.
const STEP_EVENTS: u32 = 400;
const EVENTS: u32 = 4_000;

pub(super) struct Bench {
    organs: Vec<Organ>,
    now: Instant,
    profiles: [Profile; IFACES],
    flights: Flights,
    /// Frames that wait to be sealed, while they are held.
    waiting: VecDeque<(usize, Frame)>,
    holds: bool,
    answers_entropy: bool,
    /// All frames that were ever sent.
    sent: BTreeMap<Vec<u8>, Origin>,
    opened: BTreeSet<Vec<u8>>,
    held: Held,
    events: u32,
    random: Stream,
    reached: Reached,
}

struct Organ {
    links: Links,
    /// What it holds on the heap, in bytes.
    heap: isize,
    up: BTreeMap<LinkId, (InterfaceId, NodeId)>,
    /// The latest counter under each key: keys are counted by how often they were replaced.
    counters: BTreeMap<(LinkId, u32), u32>,
}

/// Who sent a frame; of a sealed one, to whom, and what it says.
#[derive(Clone)]
struct Origin {
    by: usize,
    sealed: Option<(NodeId, Vec<u8>)>,
}

/// What an arrival had for others than the link.
#[derive(Clone)]
struct Brought {
    link: LinkId,
    plaintext: Vec<u8>,
    whole: bool,
}

/// Media of each kind.
pub(super) fn profile(choice: u8) -> Profile {
    match choice % 6 {
        0 => CABLE,
        1 => Profile { reach: Reach::Addressed, ..CABLE },
        2 => Profile { bandwidth_bps: 50_000, frame_size: 200, ..CABLE },
        3 => Profile { mode: Mode::Reticulum, ..CABLE },
        4 => Profile { bandwidth_bps: 0, frame_size: u16::from(choice), ..CABLE },
        _ => Profile { duty: DutyCycle::new(1_000).expect("a tenth"), ..radio().0 },
    }
}

impl Bench {
    pub(super) fn new(media: u8, held: Held) -> Self {
        let organs = (0..NODES).map(|node| Organ::new(node, 0, held)).collect();
        let mut bench = Self {
            organs,
            now: Instant::BOOT,
            profiles: [profile(media), profile(media / 6)],
            flights: Flights::default(),
            waiting: VecDeque::new(),
            holds: false,
            answers_entropy: true,
            sent: BTreeMap::new(),
            opened: BTreeSet::new(),
            held,
            events: 0,
            random: Seed::new([0x5e; 32]).fork("bench"),
            reached: Reached::default(),
        };
        for node in 0..NODES {
            bench.come_up(node);
        }
        bench
    }

    /// Whether so much happened that another script finds more.
    pub(super) const fn is_weary(&self) -> bool {
        self.events > EVENTS
    }

    pub(super) fn reached(&self) -> Reached {
        let refused = |organ: &Organ| organ.links.refusals().by_name().map(|(_, count)| count).sum::<u64>();
        let rekeys = |organ: &Organ| organ.counters.keys().map(|(_, rekeys)| *rekeys).max().unwrap_or(0);
        Reached {
            refused: self.organs.iter().map(refused).sum(),
            rekeys: self.organs.iter().map(rekeys).max().unwrap_or(0),
            ..self.reached
        }
    }

    fn come_up(&mut self, node: usize) {
        for nth in 0..IFACES {
            let profile = self.profiles[nth];
            self.tell(node, &Input::Up(interface(nth), profile));
        }
    }

    pub(super) fn restart(&mut self, node: usize) {
        let incarnation = self.random.next_u64();
        self.waiting.retain(|(of, _)| *of != node);
        self.organs[node] = Organ::new(node, incarnation, self.held);
        self.come_up(node);
    }

    pub(super) fn entropy(&mut self, choice: u8) {
        self.answers_entropy = choice & 1 == 0;
        if choice & 2 != 0 {
            self.tell(usize::from(choice >> 2) % NODES, &Input::Entropy([choice; 32]));
        }
    }

    pub(super) fn hold(&mut self, choice: u8) {
        self.holds = choice & 1 == 1;
        if !self.holds {
            while let Some((node, frame)) = self.waiting.pop_front() {
                self.carry_out(node, vec![Effect::Send(frame)]);
            }
        }
    }

    // Time.

    /// Time passes, every frame arrives, every deadline is met.
    pub(super) fn run(&mut self, span: Duration) {
        let until = self.now.after(span.min(RUN_MAX));
        for _ in 0..STEP_EVENTS {
            if self.now < until && !self.flights.is_empty() {
                self.now = self.now.after(Duration::from_micros(500)).min(until);
                self.wake_due();
                self.deliver_one(0);
                continue;
            }
            let next = self.organs.iter().filter_map(|organ| organ.links.next_timeout()).min();
            let Some(next) = next.filter(|next| *next <= until) else { break };
            self.now = self.now.max(next);
            self.wake_due();
        }
        self.now = self.now.max(until);
        self.wake_due();
    }

    /// Time passes, and nobody is woken until it has: a machine that was suspended.
    pub(super) fn jump(&mut self, span: Duration) {
        self.now = self.now.after(span);
        (0..NODES).for_each(|node| self.wake(node));
    }

    fn wake_due(&mut self) {
        for node in 0..NODES {
            if self.organs[node].links.next_timeout().is_some_and(|at| at <= self.now) {
                self.wake(node);
            }
        }
    }

    pub(super) fn wake(&mut self, node: usize) {
        let cx = self.cx();
        let ((), effects) = self.act(node, |links, out| links.handle_timeout(cx, out));
        let next = self.organs[node].links.next_timeout();
        assert!(next.is_none_or(|next| next > cx.now), "woken at {:?}, wants {next:?}", cx.now);
        assert!(effects.iter().all(|effect| !matches!(effect, Effect::Up(_))), "a link out of nothing");
        self.carry_out(node, effects);
    }

    fn cx(&self) -> Cx {
        let wall = WallClock { unix_s: 1_800_000_000, error_s: 1, read_at: Instant::BOOT };
        Cx { wall: Some(wall), ..Cx::at(self.now) }
    }

    // Frames.

    pub(super) const fn flights(&mut self) -> &mut Flights {
        &mut self.flights
    }

    /// A frame arrives at all for whom it is meant.
    pub(super) fn deliver_one(&mut self, nth: u8) {
        let Some(flight) = self.flights.take(nth) else { return };
        let reach = self.profiles[flight.iface].reach;
        for node in (0..NODES).filter(|node| *node != flight.from) {
            let hears = match reach {
                // The third node's cable leads nowhere.
                Reach::PointToPoint => node + flight.from == 1,
                Reach::Addressed => flight.to.is_none_or(|to| to == address(number(node))),
                Reach::Shared => true,
            };
            if hears {
                let from = (reach == Reach::Addressed).then(|| address(number(flight.from)));
                self.arrive(node, flight.iface, from, &flight.bytes);
            }
        }
    }

    /// A frame arrives at a node, genuine or not.
    pub(super) fn arrive(&mut self, node: usize, iface: usize, from: Option<Endpoint>, bytes: &[u8]) {
        let (cx, iface) = (self.cx(), interface(iface));
        let before = self.status(node);
        let (brought, effects) = self.act(node, |links, out| {
            links.receive(cx, iface, from, bytes.to_vec(), out).map(|opened| Brought {
                link: opened.link,
                plaintext: opened.bytes[HEADER_LEN..opened.end].to_vec(),
                whole: opened.whole.is_some(),
            })
        });
        let origin = self.sent.get(bytes).filter(|origin| origin.by != node).cloned();
        for effect in &effects {
            if let Effect::Up(status) = effect {
                let peer = origin.as_ref().map(|origin| node_id(origin.by));
                assert_eq!(peer, Some(status.peer.node_id()), "a link with somebody who did not send this");
            }
        }
        self.look_at_sealed(node, bytes, origin.as_ref(), brought.as_ref(), &effects, &before);
        self.carry_out(node, effects);
    }

    fn look_at_sealed(
        &mut self,
        node: usize,
        bytes: &[u8],
        origin: Option<&Origin>,
        brought: Option<&Brought>,
        effects: &[Effect],
        before: &[LinkStatus],
    ) {
        let Some(brought) = brought else {
            let kind = bytes.first().copied().and_then(Head::from_wire).map(Head::kind);
            if origin.is_none() && kind == Some(FrameKind::SEALED) {
                assert!(effects.is_empty(), "what is not authentic was answered: {effects:?}");
                assert_eq!(self.status(node), before, "what is not authentic changed something");
            }
            return;
        };
        let (to, plaintext) = origin.and_then(|origin| origin.sealed.as_ref()).expect("a forgery was opened");
        assert_eq!(*to, node_id(node), "opened by somebody for whom it was not sealed");
        // An acknowledgement may ride in front of what was to be said.
        assert!(brought.plaintext.ends_with(plaintext), "not as it was sealed");
        assert_eq!(
            brought.plaintext.len() + HEADER_LEN + TAG_LEN,
            bytes.len(),
            "not as long as it was sealed"
        );
        assert!(self.opened.insert(bytes.to_vec()), "opened twice");
        let up = before.iter().chain(effects.iter().filter_map(|effect| match effect {
            Effect::Up(status) => Some(&**status),
            Effect::Send(_)
            | Effect::Down { .. }
            | Effect::Measured { .. }
            | Effect::Stands { .. }
            | Effect::Beaconed(_)
            | Effect::EntropyWanted => None,
        }));
        let peer =
            up.filter(|status| status.id == brought.link).map(|status| status.peer.node_id()).next_back();
        assert_eq!(peer, origin.map(|origin| node_id(origin.by)), "opened on another's link");
        self.reached.believed += 1;
        self.reached.whole += u32::from(brought.whole);
    }

    /// A genuine peer says whatever the script wants over one of its links.
    pub(super) fn say(&mut self, node: usize, nth: u8, plaintext: &[u8]) {
        let links: Vec<LinkId> = self.organs[node].up.keys().copied().collect();
        let Some(link) = links.get(usize::from(nth & 127) % links.len().max(1)).copied() else { return };
        let bytes = [&[0; HEADER_LEN][..], plaintext].concat();
        let frames: Vec<Frame> = self.organs[node].links.frames(link, bytes.clone()).collect();
        // Half of the time as it is, and else cut into pieces if it does not fit.
        let status = self.status(node).into_iter().find(|status| status.id == link);
        let frames = match (nth & 128, status) {
            (0, _) | (_, None) => frames,
            (_, Some(status)) => {
                vec![Frame {
                    iface: status.iface,
                    to: None,
                    bytes,
                    about: None,
                    load: Load::Traffic,
                    flow: Flow::OWN,
                    under: Some(Seal::Link(link)),
                }]
            }
        };
        self.carry_out(node, frames.into_iter().map(Effect::Send).collect());
    }

    // What the organs are told and want.

    pub(super) fn tell(&mut self, node: usize, input: &Input) {
        let cx = self.cx();
        let ((), effects) = self.act(node, |links, out| links.handle(cx, input.clone(), out));
        assert!(effects.iter().all(|effect| !matches!(effect, Effect::Up(_))), "a link out of nothing");
        self.carry_out(node, effects);
    }

    /// Lets an organ act, and holds what it keeps on the heap against its word. What it returns is counted as nobody's.
    fn act<R: Clone>(
        &mut self,
        node: usize,
        act: impl FnOnce(&mut Links, &mut VecDeque<Effect>) -> R,
    ) -> (R, Vec<Effect>) {
        let (held, organ) = (self.held, &mut self.organs[node]);
        let before = held();
        let mut out = VecDeque::new();
        let result = act(&mut organ.links, &mut out);
        let made = held();
        let kept = (result.clone(), out.iter().cloned().collect::<Vec<_>>());
        let copies = held() - made;
        drop((result, out));
        organ.heap += held() - before - copies;
        let bound = isize::try_from(organ.links.memory_bound()).expect("a bound fits");
        assert!(organ.heap <= bound, "{} bytes held, {bound} declared", organ.heap);
        assert!(kept.1.len() <= EFFECTS, "{} effects of one input", kept.1.len());
        self.events += 1;
        kept
    }

    fn carry_out(&mut self, node: usize, effects: Vec<Effect>) {
        let mut effects = VecDeque::from(effects);
        while let Some(effect) = effects.pop_front() {
            match effect {
                Effect::Send(frame) if self.holds && frame.under.is_some() => {
                    self.waiting.push_back((node, frame));
                    if self.waiting.len() > KEPT {
                        self.waiting.pop_front();
                    }
                }
                Effect::Send(frame) => effects.extend(self.leave(node, &frame)),
                Effect::Up(status) => {
                    let peer = (status.iface, status.peer.node_id());
                    assert_ne!(peer.1, node_id(node), "a link with oneself");
                    let up = &mut self.organs[node].up;
                    assert!(up.values().all(|other| *other != peer), "two links with one peer");
                    assert!(up.insert(status.id, peer).is_none(), "a link came up twice");
                    self.reached.links_up += 1;
                }
                Effect::Down { last, .. } => {
                    assert!(self.organs[node].up.remove(&last.id).is_some(), "what is down was up");
                    self.reached.links_down += 1;
                }
                Effect::Measured { link, .. } | Effect::Stands { link, .. } => {
                    assert!(self.organs[node].up.contains_key(&link), "measured or judged without being up");
                }
                Effect::Beaconed(link) => {
                    assert!(self.organs[node].up.contains_key(&link), "beaconed without being up");
                }
                Effect::EntropyWanted if self.answers_entropy => {
                    let (cx, entropy) = (self.cx(), self.random.bytes());
                    let ((), more) =
                        self.act(node, |links, out| links.handle(cx, Input::Entropy(entropy), out));
                    effects.extend(more);
                }
                Effect::EntropyWanted => {}
            }
        }
        let listed =
            self.status(node).into_iter().map(|status| (status.id, (status.iface, status.peer.node_id())));
        assert_eq!(self.organs[node].up, listed.collect(), "what is up is what was said to be");
    }

    /// A frame leaves: sealed, looked at, on its way.
    fn leave(&mut self, node: usize, frame: &Frame) -> Vec<Effect> {
        let cx = self.cx();
        let (sealed, effects) = self.act(node, |links, out| {
            let mut frame = frame.clone();
            links.seal(cx, &mut frame, out).ok().map(|()| (frame.to, frame.bytes))
        });
        let Some((to, bytes)) = sealed else { return effects };
        let mut origin = Origin { by: node, sealed: None };
        if let Some(Seal::Link(link)) = frame.under {
            let status = self.status(node).into_iter().find(|status| status.id == link).expect("it sealed");
            origin.sealed = Some((status.peer.node_id(), frame.bytes[HEADER_LEN..].to_vec()));
            let counter = Sealed::decode(&bytes).expect("a sealed frame").header.counter;
            let last = self.organs[node].counters.insert((link, status.rekeys), counter);
            assert!(last.is_none_or(|last| last < counter), "a nonce used twice: {last:?}, {counter}");
            assert!(last.is_some() || counter == 0, "the first under a key is not the first: {counter}");
        }
        self.sent.insert(bytes.clone(), origin);
        self.flights.begin(Flight { from: node, iface: usize::from(frame.iface.0), to, bytes });
        effects
    }
}

impl Bench {
    fn status(&self, node: usize) -> Vec<LinkStatus> {
        self.organs[node].links.status().collect()
    }
}

impl Organ {
    fn new(node: usize, incarnation: u64, held: Held) -> Self {
        let seed =
            Seed::new([0x17; 32]).fork_index("organ", incarnation).fork_index("node", number(node).into());
        let before = held();
        let links = Links::new(NodeIdentity::from_seed(identity(node)), Policy::Anyone, LIMITS, &seed);
        Self { links, heap: held() - before, up: BTreeMap::new(), counters: BTreeMap::new() }
    }
}
