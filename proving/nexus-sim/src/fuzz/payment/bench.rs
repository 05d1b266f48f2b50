//! The nodes, what is on its way between them and to their disks, and what must hold.

use std::collections::{BTreeMap, VecDeque};

use nexus_crypto::{NodeId, NodeIdentity, Signature, VerifyingKey};
use nexus_machine::{
    Cx, Duration, Instant, Machine as _, MemoryBound as _, Seed, Snapshot, Stream, WallClock, Write,
};
use nexus_node::economy::channels::LOG;
use nexus_node::economy::channels::account::{Account, Letter, Own, Phase};
use nexus_node::economy::channels::letters::{Said, Saying};
use nexus_node::economy::channels::store::{Kept, Stage};
use nexus_node::economy::layer::{Command, Economy, Effect, Event, Input, Policy, Traffic, Writer};
use nexus_node::economy::lottery::PathView;
use nexus_node::economy::{Amount, Grains};
use nexus_wire::nexus::Layout as _;
use nexus_wire::nexus::channel::ChannelState;
use nexus_wire::nexus::message::{Delimited, Message, MessageKind};

use super::super::cast::{NODES, identity, node_id, number};
use super::{Held, Reached};

/// What everybody asks, in µNXS for 1,024 bytes, and what a packet has.
const PRICE: u64 = 20;
const PACKET: u64 = 200;
/// Packets of the smallest window.
const WINDOW: usize = 64;
/// What is lent where a channel is opened so that something can be paid, in µNXS.
const LENT: u64 = 200_000;
/// Words and writes that wait; what comes beyond drives out the oldest.
const KEPT: usize = 64;
/// So many words that have come may come again.
const LATE: usize = 4;
/// So many words follow from each other at most, without a timer between.
const STORM: u32 = 600;
/// No input has more effects.
const EFFECTS: usize = 64;
/// Inputs of a whole script, without what heals it.
const EVENTS: u32 = 3_000;
/// The longest that one step runs.
const RUN_MAX: Duration = Duration::from_secs(3 * 3_600);
/// Longer than a channel waits that is closed by one side.
const THREE_DAYS: Duration = Duration::from_secs(3 * 86_400);
/// How often it is tried to be paid.
const TRIES: usize = 60;
const PATH: PathView = PathView { round_trip: Duration::from_millis(20), bandwidth_bps: 1_000_000 };

/// A word on its way.
#[derive(Clone, Debug)]
pub(super) struct Word {
    from: usize,
    to: usize,
    kind: MessageKind,
    pub(super) body: Vec<u8>,
}

/// What was counted with a neighbour.
#[derive(Clone, Copy, Debug, Default)]
struct Toll {
    sent: u64,
    taken: u64,
    /// Up to where it is carried, and where that is to be said; none if it has only its courtesy.
    granted: Option<(u64, u64)>,
    is_asked: bool,
}

struct Node {
    economy: Economy,
    heap: isize,
    disk: Snapshot,
    image: Option<Snapshot>,
    writes: VecDeque<(Writer, u64, Vec<Write>)>,
    tolls: [Toll; NODES],
    linked: [bool; NODES],
    /// How often it was paid by whom.
    received: [u32; NODES],
}

pub(super) struct Bench {
    nodes: Vec<Node>,
    now: Instant,
    flights: VecDeque<Word>,
    flown: VecDeque<Word>,
    /// What each signed in which channel under which number. Signatures are deterministic: another signature is another body.
    signed: BTreeMap<(usize, [u8; 16], u64), Signature>,
    /// The states that both signed, wherever they were written down.
    states: BTreeMap<([u8; 16], u64), Vec<u8>>,
    sums: BTreeMap<[u8; 16], u64>,
    lives: u64,
    random: Stream,
    held: Held,
    events: u32,
    reached: Reached,
}

fn key_of(node: usize) -> VerifyingKey {
    NodeIdentity::from_seed(identity(node)).public().verifying()
}

fn index_of(peer: NodeId) -> usize {
    (0..NODES).find(|node| node_id(*node) == peer).expect("nobody else is spoken to")
}

impl Bench {
    pub(super) fn new(held: Held) -> Self {
        let nodes = (0..NODES).map(|node| Node::new(node, Snapshot::empty(), 0, held)).collect();
        let mut bench = Self {
            nodes,
            now: Instant::BOOT,
            flights: VecDeque::new(),
            flown: VecDeque::new(),
            signed: BTreeMap::new(),
            states: BTreeMap::new(),
            sums: BTreeMap::new(),
            lives: 0,
            random: Seed::new([0x9a; 32]).fork("bench"),
            held,
            events: 0,
            reached: Reached::default(),
        };
        bench.link_all();
        bench
    }

    pub(super) const fn is_weary(&self) -> bool {
        self.events > EVENTS
    }

    pub(super) const fn reached(&self) -> Reached {
        self.reached
    }

    fn cx(&self) -> Cx {
        let wall = WallClock { unix_s: 1_800_000_000, error_s: 1, read_at: Instant::BOOT };
        Cx { wall: Some(wall), ..Cx::at(self.now) }
    }

    // Links.

    pub(super) fn link_up(&mut self, one: usize, other: usize) {
        if self.nodes[one].linked[other] {
            return;
        }
        for (own, peer) in [(one, other), (other, one)] {
            self.nodes[own].linked[peer] = true;
            self.reached.links_up += 1;
            let input =
                Input::LinkUp { peer: node_id(peer), key: key_of(peer), traffic: self.traffic(own, peer) };
            self.tell(own, input);
        }
    }

    pub(super) fn link_down(&mut self, one: usize, other: usize) {
        if !self.nodes[one].linked[other] {
            return;
        }
        // Links open each frame once, and nothing of an earlier link.
        let is_kept = |word: &Word| ![(one, other), (other, one)].contains(&(word.from, word.to));
        self.flights.retain(is_kept);
        self.flown.retain(is_kept);
        for (own, peer) in [(one, other), (other, one)] {
            self.nodes[own].linked[peer] = false;
            self.nodes[own].tolls[peer].granted = None;
            self.tell(own, Input::LinkDown(node_id(peer)));
        }
    }

    fn link_all(&mut self) {
        for (one, other) in PAIRS {
            self.link_up(one, other);
        }
    }

    // Packets, as sums.

    fn traffic(&self, own: usize, peer: usize) -> Traffic {
        let Toll { sent, taken, granted: _, is_asked } = self.nodes[own].tolls[peer];
        let price = |counts: bool| if counts { PRICE } else { 0 };
        Traffic {
            sent: Grains::new(sent),
            taken: Grains::new(taken),
            dearest_paid: price(sent > 0),
            dearest_asked: price(is_asked),
            path: PATH,
        }
    }

    /// Packets leave for a neighbour; they arrive, or are all lost.
    pub(super) fn carry(&mut self, from: usize, to: usize, packets: usize, arrive: bool) {
        if !self.nodes[from].linked[to] {
            return;
        }
        let mut wanted = false;
        for _ in 0..packets {
            self.nodes[from].tolls[to].sent += PRICE * PACKET;
            if !arrive {
                continue;
            }
            let toll = &mut self.nodes[to].tolls[from];
            toll.is_asked = true;
            let Some((limit, mark)) = &mut toll.granted else {
                wanted = true;
                continue;
            };
            let taken = toll.taken + PRICE * PACKET;
            if taken > *limit {
                continue;
            }
            toll.taken = taken;
            if taken >= *mark {
                *mark = u64::MAX;
                let counted = Input::Counted { peer: node_id(from), traffic: self.traffic(to, from) };
                self.tell(to, counted);
            }
        }
        if wanted {
            let input = Input::ChannelWanted { peer: node_id(from), traffic: self.traffic(to, from) };
            self.tell(to, input);
        }
    }

    // Words.

    pub(super) fn deliver(&mut self, nth: u8) {
        if let Some(word) = self.take(nth) {
            self.arrive(word);
        }
    }

    pub(super) fn lose(&mut self, nth: u8) {
        let _lost = self.take(nth);
    }

    fn take(&mut self, nth: u8) -> Option<Word> {
        let nth = usize::from(nth) % self.flights.len().max(1);
        let word = self.flights.remove(nth)?;
        self.flown.push_front(word.clone());
        self.flown.truncate(LATE);
        Some(word)
    }

    /// What was said lately, the latest first.
    pub(super) fn word(&self, nth: u8) -> Option<Word> {
        self.flown.get(usize::from(nth) % self.flown.len().max(1)).cloned()
    }

    pub(super) fn replay(&mut self, nth: u8) {
        if let Some(word) = self.word(nth) {
            self.arrive(word);
        }
    }

    pub(super) fn arrive(&mut self, word: Word) {
        let Word { from, to, kind, body } = word;
        if self.nodes[to].linked[from] {
            let traffic = self.traffic(to, from);
            self.tell(to, Input::Heard { peer: node_id(from), kind, body, traffic });
        }
    }

    // Disks.

    /// The oldest write is durable, and the node hears of it.
    pub(super) fn sync(&mut self, node: usize) {
        if let Some((by, through)) = self.write_one(node) {
            self.tell(node, Input::Durable { by, through });
        }
    }

    /// The oldest write is durable.
    pub(super) fn write_one(&mut self, node: usize) -> Option<(Writer, u64)> {
        let (by, through, writes) = self.nodes[node].writes.pop_front()?;
        for write in writes {
            if write.table == LOG
                && let Some(state) = &write.value
            {
                self.look_at_state(state);
            }
            self.nodes[node].disk.apply(write);
        }
        Some((by, through))
    }

    fn look_at_state(&mut self, bytes: &[u8]) {
        let body = ChannelState::decode(bytes).expect("a state").body;
        let sum = body.balance_a + body.balance_b;
        let first = self.sums.entry(body.channel.0).or_insert(sum);
        assert_eq!(*first, sum, "money was made or lost");
        let known = self.states.entry((body.channel.0, body.sequence)).or_insert_with(|| bytes.to_vec());
        assert_eq!(*known, bytes, "two states under number {}", body.sequence);
    }

    pub(super) fn crash(&mut self, node: usize) {
        self.lives += 1;
        for peer in (0..NODES).filter(|peer| *peer != node) {
            self.link_down(node, peer);
        }
        let disk = std::mem::replace(&mut self.nodes[node].disk, Snapshot::empty());
        let old =
            Node { image: self.nodes[node].image.take(), ..Node::new(node, disk, self.lives, self.held) };
        let received = self.nodes[node].received;
        self.nodes[node] = Node { received, ..old };
        self.reached.links_down += 1;
        self.link_all();
    }

    /// Only the first has a disk that falls back: of two that forget nobody knows what they signed.
    pub(super) fn image(&mut self) {
        self.nodes[0].image = Some(self.nodes[0].disk.clone());
    }

    pub(super) fn reload(&mut self) {
        if let Some(image) = self.nodes[0].image.clone() {
            self.nodes[0].disk = image;
            self.crash(0);
        }
    }

    // Time.

    /// Time passes: every word arrives, every write is done, every deadline is met.
    pub(super) fn run(&mut self, span: Duration) {
        self.run_whole(span.min(RUN_MAX));
    }

    fn run_whole(&mut self, span: Duration) {
        let (until, mut words) = (self.now.after(span), 0);
        loop {
            let busy = (0..NODES).find(|node| !self.nodes[*node].writes.is_empty());
            if let Some(node) = busy {
                self.sync(node);
            } else if self.flights.is_empty() {
                let next = self.nodes.iter().filter_map(|node| node.economy.next_timeout()).min();
                let Some(next) = next.filter(|next| *next <= until) else { break };
                self.now = self.now.max(next);
                self.wake();
                words = 0;
            } else {
                words += 1;
                assert!(
                    words < STORM,
                    "words follow from each other for ever: {:?} {:?}",
                    self.flights,
                    self.flown
                );
                self.now = self.now.after(Duration::from_millis(1));
                self.deliver(0);
            }
        }
        self.now = self.now.max(until);
    }

    /// Time passes, and nobody is woken until it has.
    pub(super) fn jump(&mut self, span: Duration) {
        self.now = self.now.after(span);
        self.wake();
    }

    fn wake(&mut self) {
        for node in 0..NODES {
            if self.nodes[node].economy.next_timeout().is_some_and(|at| at <= self.now) {
                let cx = self.cx();
                self.act(node, |economy, out| economy.handle_timeout(cx, out));
                let next = self.nodes[node].economy.next_timeout();
                assert!(next.is_none_or(|next| next > cx.now), "woken at {:?}, wants {next:?}", cx.now);
            }
        }
    }

    // What the nodes are told and want.

    pub(super) fn command(&mut self, node: usize, with: usize, command: Command) {
        self.tell(node, Input::Command(node_id(with), command));
    }

    /// Whoever certifies deposits has seen those of a channel: both hear of it, as far as they are there.
    pub(super) fn certify(&mut self, one: usize, other: usize) {
        let Some(account) = self.account(one, other) else { return };
        let (channel, deposits, side) =
            (account.terms.channel, account.terms.brought.deposits, account.terms.side);
        for node in [one, other] {
            for side in [side, side.other()] {
                let deposit = *deposits.get(side);
                self.tell(node, Input::Certified { channel, side, deposit });
            }
        }
    }

    fn tell(&mut self, node: usize, input: Input) {
        let cx = self.cx();
        self.act(node, |economy, out| economy.handle(cx, input, out));
    }

    /// Lets a node act, holds what it keeps on the heap against its word, and does what it wants.
    fn act(&mut self, node: usize, act: impl FnOnce(&mut Economy, &mut VecDeque<Effect>)) {
        let (held, own) = (self.held, &mut self.nodes[node]);
        let before = held();
        let mut out = VecDeque::new();
        act(&mut own.economy, &mut out);
        let made = held();
        let effects: Vec<Effect> = out.iter().cloned().collect();
        let copies = held() - made;
        drop(out);
        own.heap += held() - before - copies;
        let bound = isize::try_from(own.economy.memory_bound()).expect("a bound fits");
        assert!(own.heap <= bound, "{} bytes held, {bound} declared", own.heap);
        assert!(effects.len() <= EFFECTS, "{} effects of one input", effects.len());
        self.events += 1;
        for effect in effects {
            self.carry_out(node, effect);
        }
    }

    fn carry_out(&mut self, node: usize, effect: Effect) {
        match effect {
            Effect::Write { by, number, writes } => self.nodes[node].writes.push_back((by, number, writes)),
            Effect::EntropyWanted => {
                let entropy = self.random.bytes();
                self.tell(node, Input::Entropy(entropy));
            }
            Effect::Tell { peer, kind, body } => {
                let to = index_of(peer);
                self.look_at_word(node, peer, kind, &body);
                if self.nodes[node].linked[to] {
                    self.flights.push_back(Word { from: node, to, kind, body });
                }
                if self.flights.len() > KEPT {
                    self.lose(0);
                }
            }
            Effect::Grant { peer, limit, mark } => {
                self.nodes[node].tolls[index_of(peer)].granted = Some((limit.get(), mark.get()));
            }
            Effect::Ungrant(peer) => self.nodes[node].tolls[index_of(peer)].granted = None,
            Effect::Event(Event::Received { peer, .. }) => {
                self.nodes[node].received[index_of(peer)] += 1;
                self.reached.wins += 1;
            }
            Effect::Event(Event::Settled { .. }) => self.reached.settled += 1,
            Effect::Event(Event::Resumed(_)) => self.reached.resumed += 1,
            Effect::Event(Event::Closed(_)) => self.reached.closed += 1,
            Effect::Event(_) | Effect::Record(_) | Effect::Channel { .. } => {}
        }
    }

    /// Nobody signs two bodies of one channel under one number.
    fn look_at_word(&mut self, node: usize, peer: NodeId, kind: MessageKind, body: &[u8]) {
        let message = Message { kind, delimited: Delimited::ByEnd, body };
        let Ok(Some(Saying { said: Said::Letter(letter), .. })) = Saying::parse(&message) else { return };
        let standing = self.nodes[node].economy.channels().standing(peer);
        let Some((account, _)) = standing else { return };
        let (channel, side) = (account.terms.channel.0, account.terms.side);
        let mut signed = Vec::new();
        match &letter {
            Letter::Claim(claim) => signed.push((claim.sequence, claim.sig)),
            Letter::Cosign { sequence, sig, carried } => {
                signed.push((*sequence, *sig));
                signed.extend(carried.as_ref().map(|claim| (claim.sequence, claim.sig)));
            }
            Letter::Latest(latest) => {
                signed.push((latest.state.body.sequence, *latest.state.sigs.get(side)));
            }
            Letter::Refuse { .. } | Letter::Settle { .. } | Letter::Settled(_) | Letter::Close { .. } => {}
        }
        for (sequence, sig) in signed {
            let first = self.signed.entry((node, channel, sequence)).or_insert(sig);
            assert_eq!(*first, sig, "node {node} signed two bodies under number {sequence}");
        }
    }

    fn kept(&self, node: usize, with: usize) -> Option<&Kept> {
        let mut channels = self.nodes[node].economy.channels().channels();
        channels.find(|(peer, _)| *peer == node_id(with)).map(|(_, kept)| kept)
    }

    fn account(&self, node: usize, with: usize) -> Option<&Account<Signature>> {
        match &self.kept(node, with)?.stage {
            Stage::Standing(account) => Some(account),
            Stage::AwaitingState(_) => None,
        }
    }

    fn stands(&self, node: usize, with: usize) -> bool {
        self.account(node, with).is_some_and(|account| matches!(account.phase, Phase::Open))
    }
}

/// All pairs.
const PAIRS: [(usize, usize); 3] = [(0, 1), (0, 2), (1, 2)];

// How every script ends.
impl Bench {
    /// Everybody hears everybody, and has time.
    pub(super) fn heal(&mut self) {
        for _ in 0..2 {
            for (one, other) in PAIRS {
                self.link_down(one, other);
                self.link_up(one, other);
            }
            self.run_whole(Duration::from_secs(3_600));
        }
        let one_sided = PAIRS.into_iter().filter(|(one, other)| {
            let [one, other] = [self.account(*one, *other), self.account(*other, *one)];
            let channels = [one, other].map(|account| account.map(|account| account.terms.channel));
            channels[0] != channels[1]
        });
        // A disk that fell back to before the channel knows nothing of it: whoever does ends it alone.
        for (one, other) in one_sided.collect::<Vec<_>>() {
            self.command(one, other, Command::CloseAlone);
            self.command(other, one, Command::CloseAlone);
        }
        self.run_whole(Duration::from_secs(60));
        let is_ending = |phase: &Phase<Signature>| !matches!(phase, Phase::Open | Phase::Closed { .. });
        let ending = |(one, other): (usize, usize)| {
            let accounts = [self.account(one, other), self.account(other, one)];
            accounts.into_iter().flatten().any(|account| is_ending(&account.phase))
        };
        if PAIRS.into_iter().any(ending) {
            self.run_whole(THREE_DAYS);
        }
    }

    /// Both ends of each channel agree, nothing waits, and a settlement is one.
    pub(super) fn settle_all(&mut self) {
        for (one, other) in
            PAIRS.into_iter().filter(|(one, other)| self.stands(*one, *other)).collect::<Vec<_>>()
        {
            self.command(one, other, Command::Settle);
            self.run_whole(Duration::from_secs(1_800));
            let accounts = [self.account(one, other), self.account(other, one)].map(Option::<&_>::cloned);
            let [Some(here), Some(there)] = accounts else {
                panic!("{one} and {other}: only one has the channel")
            };
            // A close that was wished for may have come about meanwhile.
            if [&here, &there].iter().all(|account| matches!(account.phase, Phase::Closed { .. })) {
                continue;
            }
            assert_eq!(here.agreed, there.agreed, "{one} and {other}: two accounts");
            assert_eq!(here.settled, there.settled, "{one} and {other}: two settlements");
            for account in [&here, &there] {
                let waits = account.own != Own::AwaitingWin || !matches!(account.phase, Phase::Open);
                assert!(!waits, "{one} and {other} wait: {account:?}");
            }
        }
    }

    /// Wherever something can be paid with, a win is paid.
    pub(super) fn pay_all(&mut self) {
        for (one, other) in PAIRS {
            for (payer, relay) in [(one, other), (other, one)] {
                for opener in [payer, relay] {
                    if !(self.stands(payer, relay) && self.stands(relay, payer)) {
                        let (line, deposit) = (Amount::from_micros(LENT), Amount::ZERO);
                        self.command(opener, payer + relay - opener, Command::Open { line, deposit });
                        self.run_whole(Duration::from_secs(60));
                    }
                }
                assert!(
                    self.stands(payer, relay) && self.stands(relay, payer),
                    "{payer} and {relay}: no channel can be opened: {:?} {:?}",
                    self.kept(payer, relay),
                    self.kept(relay, payer)
                );
                self.pay(payer, relay);
            }
        }
    }

    fn pay(&mut self, payer: usize, relay: usize) {
        let before = self.nodes[relay].received[payer];
        for _ in 0..TRIES {
            if self.nodes[relay].received[payer] > before || !self.can_pay(payer, relay) {
                return;
            }
            self.carry(payer, relay, WINDOW, true);
            self.run_whole(Duration::from_secs(600));
        }
        let [income, other] = [(relay, payer), (payer, relay)]
            .map(|(own, peer)| self.nodes[own].economy.income(&node_id(peer)));
        panic!(
            "{payer} pays {relay} nothing: {income:?} {other:?} {:?} {:?} {:?}",
            self.nodes[payer].tolls[relay],
            self.nodes[relay].tolls[payer],
            self.account(relay, payer)
        );
    }

    /// Whether there is enough in the channel for what a win is worth, under the terms in force or under the smallest.
    fn can_pay(&self, payer: usize, relay: usize) -> bool {
        let Some((has, _)) = self.nodes[payer].economy.spendable(node_id(relay)) else { return false };
        let terms = self.nodes[relay].economy.lottery().relaying_terms(&node_id(payer));
        let agreed = terms.map_or(0, |terms| terms.reward().micros());
        let smallest = PRICE * PACKET * u64::try_from(WINDOW).unwrap_or(0) / 1_024;
        has.micros() > agreed.max(4 * smallest)
    }
}

impl Node {
    fn new(node: usize, disk: Snapshot, life: u64, held: Held) -> Self {
        let seed = Seed::new([0x18; 32]).fork_index("life", life).fork_index("node", number(node).into());
        // Small, so that bounds are met.
        let policy = Policy {
            neighbours: 4,
            price: PRICE,
            chain: 24,
            line: Some(Amount::from_micros(LENT)),
            ..Policy::default()
        };
        let before = held();
        let economy = Economy::new(&identity(node), policy, &disk, &seed);
        Self {
            economy,
            heap: held() - before,
            disk,
            image: None,
            writes: VecDeque::new(),
            tolls: [Toll::default(); NODES],
            linked: [false; NODES],
            received: [0; NODES],
        }
    }
}
