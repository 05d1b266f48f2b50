//! Two real organs, the disk of each, and a link of bytes between them.

use std::collections::VecDeque;

use nexus_crypto::{IdentitySeed, NodeId, NodeIdentity, Signature};
use nexus_economy::Amount;
use nexus_economy::channels::account::{Account, Claim, Own, Ticket, Win, Word};
use nexus_economy::channels::letters::Saying;
use nexus_economy::channels::store::{Kept, Stage};
use nexus_economy::channels::{Channels, Effect, Input, Limits, Verdict};
use nexus_machine::{Cx, Duration, Instant, Machine, Seed, Snapshot, TableId, Write};
use nexus_wire::nexus::channel_messages::RefuseCode;
use nexus_wire::nexus::message::{MessageWriter, Messages};

/// What a claim of one window is worth in these tests.
pub(crate) const REWARD: u64 = 100;

/// One node: its organ, its disk, and what its siblings heard.
pub(crate) struct Node {
    pub(crate) id: NodeId,
    pub(crate) seed: [u8; 32],
    pub(crate) organ: Channels,
    pub(crate) disk: Snapshot,
    pub(crate) waiting: VecDeque<(u64, Vec<Write>)>,
    pub(crate) words: Vec<Word<Signature>>,
    pub(crate) opened: usize,
    pub(crate) refused_to_open: Vec<RefuseCode>,
    /// Wins that the lottery hands over, one after another, as long as there are any.
    pub(crate) wins: u64,
    pub(crate) accepted: u64,
    pub(crate) refused: u64,
    pub(crate) paid: u64,
    pub(crate) policy: Policy,
    starts: u64,
    /// How many wins the lottery has handed over, which it writes with each.
    proposed: u64,
    /// What went to the disk, in bytes and writes.
    pub(crate) written: (u64, u64),
    asked: bool,
}

/// How a node's lottery judges claims.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Policy {
    Honest,
    RefusesAll,
    SaysNothing,
}

/// The two, and what is on its way to each.
pub(crate) struct World {
    pub(crate) nodes: [Node; 2],
    pub(crate) link: [VecDeque<Vec<u8>>; 2],
    pub(crate) now: Instant,
    pub(crate) sent_bytes: u64,
}

/// Where the lottery writes.
const LOTTERY: TableId = TableId(99);

pub(crate) const LIMITS: Limits =
    Limits { neighbours: 4, logged: Some(32), granted: Some(Amount::from_micros(1_000_000_000)) };

fn identity(seed: [u8; 32]) -> NodeIdentity {
    NodeIdentity::from_seed(IdentitySeed::from_bytes(seed))
}

impl Node {
    fn new(seed: u8) -> Self {
        let seed = [seed; 32];
        let id = identity(seed).public().node_id();
        let disk = Snapshot::empty();
        let organ = Channels::new(&disk, &Seed::new(seed), identity(seed), id, LIMITS);
        Self {
            id,
            seed,
            organ,
            disk,
            waiting: VecDeque::new(),
            words: Vec::new(),
            opened: 0,
            refused_to_open: Vec::new(),
            wins: 0,
            accepted: 0,
            refused: 0,
            paid: 0,
            policy: Policy::Honest,
            starts: 0,
            proposed: 0,
            written: (0, 0),
            asked: false,
        }
    }

    pub(crate) fn account(&self) -> &Account<Signature> {
        let (_, kept) = self.organ.channels().next().expect("a channel stands");
        match &kept.stage {
            Stage::Standing(account) => account,
            Stage::AwaitingState(_) => panic!("the channel does not stand yet"),
        }
    }

    /// Stops without a word, and starts with what is on the disk.
    pub(crate) fn restart(&mut self) {
        self.starts += 1;
        self.waiting.clear();
        let durable = self
            .disk
            .get(LOTTERY, b"proposed")
            .map_or(0, |count| u64::from_le_bytes(count.try_into().expect("eight bytes")));
        self.wins += self.proposed - durable.min(self.proposed);
        self.proposed = durable;
        let seed = Seed::new(self.seed).fork_index("start", self.starts);
        self.organ = Channels::new(&self.disk, &seed, identity(self.seed), self.id, LIMITS);
        let idle = |kept: &Kept| match &kept.stage {
            Stage::Standing(account) => account.own == Own::AwaitingWin,
            Stage::AwaitingState(_) => true,
        };
        self.asked = !self.organ.channels().all(|(_, kept)| idle(kept));
    }
}

impl World {
    /// Two nodes; the one with the lower id first.
    pub(crate) fn new() -> Self {
        let mut nodes = [Node::new(1), Node::new(2)];
        nodes.sort_by_key(|node| node.id);
        Self { nodes, link: Default::default(), now: Instant::BOOT, sent_bytes: 0 }
    }

    /// The same, with a channel in which each lent the other what the limits say, both certified to own `deposit`.
    pub(crate) fn opened() -> Self {
        let mut world = Self::new();
        world.link_up();
        let peer = world.nodes[1].id;
        world.tell(0, Input::Open { peer, line: Amount::from_micros(1_000_000_000), deposit: Amount::ZERO });
        world.run();
        world
    }

    pub(crate) fn link_up(&mut self) {
        for own in 0..2 {
            let other = &self.nodes[1 - own];
            let key = identity(other.seed).public().verifying();
            let input = Input::LinkUp(other.id, key);
            self.tell(own, input);
        }
    }

    pub(crate) fn tell(&mut self, own: usize, input: Input) {
        let mut effects = VecDeque::new();
        self.nodes[own].organ.handle(Cx::at(self.now), input, &mut effects);
        self.act(own, effects);
    }

    /// Does what the organ wants; siblings answer at once.
    fn act(&mut self, own: usize, mut effects: VecDeque<Effect>) {
        while let Some(effect) = effects.pop_front() {
            let mut told = Vec::new();
            let node = &mut self.nodes[own];
            match effect {
                Effect::Write { number, writes, voids: _ } => {
                    node.written.1 += 1;
                    let bytes = |write: &Write| write.key.len() + write.value.as_ref().map_or(0, Vec::len);
                    node.written.0 += writes.iter().map(bytes).sum::<usize>() as u64;
                    node.waiting.push_back((number, writes));
                }
                Effect::Send(_, saying) => {
                    let mut buffer = [0; 512];
                    let mut out = MessageWriter::new(&mut buffer);
                    saying.write(&mut out).expect("a letter fits a frame");
                    let bytes = out.finish().to_vec();
                    self.sent_bytes += bytes.len() as u64;
                    self.link[1 - own].push_back(bytes);
                }
                Effect::Judge(peer, claim) => {
                    told.extend(node.judge(&claim).map(|verdict| Input::Judged(peer, verdict)));
                }
                Effect::Opened { .. } => node.opened += 1,
                Effect::NotOpened(_, code) => node.refused_to_open.push(code),
                Effect::Busy(..) => node.asked = false,
                Effect::Word(_, _, word) => {
                    match &word {
                        Word::Accepted(_) => (node.accepted, node.asked) = (node.accepted + 1, false),
                        Word::Refused(..) => (node.refused, node.asked) = (node.refused + 1, false),
                        Word::Paid(_) => node.paid += 1,
                        Word::Forgot => node.asked = false,
                        Word::Agreed(_)
                        | Word::Settled(_)
                        | Word::NothingToSettle
                        | Word::Certified
                        | Word::Disputed(_)
                        | Word::Outdated(_)
                        | Word::OtherForgot
                        | Word::Closed { .. } => {}
                    }
                    node.words.push(word);
                    told.extend(self.next_win(own));
                }
            }
            for input in told {
                self.nodes[own].organ.handle(Cx::at(self.now), input, &mut effects);
            }
        }
    }

    /// The next win, once the one before is decided.
    fn next_win(&mut self, own: usize) -> Option<Input> {
        let peer = self.nodes[1 - own].id;
        let node = &mut self.nodes[own];
        if node.wins == 0 || node.asked {
            return None;
        }
        (node.wins, node.asked) = (node.wins - 1, true);
        node.proposed += 1;
        let count = node.proposed.to_le_bytes().to_vec();
        Some(Input::Propose { peer, win: win(1), alongside: vec![Write::set(LOTTERY, b"proposed", count)] })
    }

    /// Both lotteries get going.
    pub(crate) fn win(&mut self, wins: [u64; 2]) {
        for (own, more) in wins.into_iter().enumerate() {
            self.nodes[own].wins += more;
            if let Some(input) = self.next_win(own) {
                self.tell(own, input);
            }
        }
    }

    /// The oldest write is durable.
    pub(crate) fn sync(&mut self, own: usize) -> bool {
        let Some((number, writes)) = self.nodes[own].waiting.pop_front() else { return false };
        for write in writes {
            self.nodes[own].disk.apply(write);
        }
        self.tell(own, Input::Durable(number));
        true
    }

    /// The oldest bytes on the link arrive.
    pub(crate) fn deliver(&mut self, own: usize) -> bool {
        let Some(bytes) = self.link[own].pop_front() else { return false };
        self.receive(own, &bytes);
        true
    }

    pub(crate) fn receive(&mut self, own: usize, bytes: &[u8]) {
        let peer = self.nodes[1 - own].id;
        for message in Messages::new(bytes).flatten() {
            if let Ok(Some(saying)) = Saying::parse(&message) {
                self.tell(own, Input::Said(peer, saying));
            }
        }
    }

    /// Until nothing is on its way.
    pub(crate) fn run(&mut self) {
        loop {
            let moved = (0..2).fold(false, |moved, own| {
                let synced = self.sync(own);
                let delivered = self.deliver(own);
                moved || synced || delivered
            });
            if !moved {
                return;
            }
        }
    }

    /// Lets time pass: what comes due is done, and what it sends or writes stays on its way.
    pub(crate) fn pass_quietly(&mut self, span: Duration) {
        self.pass_with(span, |_| {});
    }

    /// Lets time pass, with everything that comes due.
    pub(crate) fn pass(&mut self, span: Duration) {
        self.pass_with(span, Self::run);
    }

    fn pass_with(&mut self, span: Duration, then: impl Fn(&mut Self)) {
        let until = self.now.after(span);
        loop {
            let due = (0..2).filter_map(|own| Some((self.nodes[own].organ.next_timeout()?, own))).min();
            let Some((at, own)) = due.filter(|(at, _)| *at <= until) else { break };
            self.now = self.now.max(at);
            let mut effects = VecDeque::new();
            self.nodes[own].organ.handle_timeout(Cx::at(self.now), &mut effects);
            self.act(own, effects);
            then(self);
        }
        self.now = until;
    }
}

impl Node {
    fn judge(&self, claim: &Claim<Signature>) -> Option<Verdict> {
        let windows = u64::from(claim.ticket.w - claim.ticket.from) + 1;
        let reward = Amount::from_micros(windows * REWARD);
        match self.policy {
            Policy::Honest => Some(Verdict::Pay { reward, alongside: Vec::new() }),
            Policy::RefusesAll => Some(Verdict::Refuse(RefuseCode::WINDOW)),
            Policy::SaysNothing => None,
        }
    }
}

pub(crate) fn win(windows: u64) -> Win {
    let w = u16::try_from(windows).expect("few windows");
    Win { reward: Amount::from_micros(windows * REWARD), ticket: Ticket { from: 1, w, proof: None } }
}
