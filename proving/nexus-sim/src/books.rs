//! Nodes that keep books, in a mesh of cables, with their disks and a clock: how long it takes until all balances are the same.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use nexus_crypto::{IdentitySeed, NodeId, NodeIdentity, SigningKey};
use nexus_machine::{Config, Duration, Instant, Seed, Snapshot, Stream, Ticket, Write};
use nexus_network::Access;
use nexus_network::{AppData, DutyCycle, InterfaceId, Limits, Mode, Profile, Reach, Role, Timing};
use nexus_node::economy::Amount;
use nexus_node::economy::ledger::{Balance, Ledger, Rules, organ};
use nexus_node::economy::trust::TrustConfig;
use nexus_node::{Command, Event, Input, LedgerCommand, LedgerEvent, Node, Output, Setup, Witnessing};
use nexus_wire::nexus::Layout as _;
use nexus_wire::nexus::channel::{ChannelId, SettlementBody, SettlementRecord};
use nexus_wire::nexus::genesis::{Genesis, Terms};
use nexus_wire::nexus::ledger::{Certificate, OpenBody, OpenOrder, Order, WitnessIndex, attested};

const UNIX: u64 = 1_700_000_000;
/// How long anything is waited for.
pub const LONG: Duration = Duration::from_secs(3_600);
/// How long a frame takes from one end of a cable to the other.
const CABLE: Duration = Duration::from_millis(2);
/// The first so many nodes are witnesses, and linked with each other.
pub const WITNESSES: usize = 4;
/// What each of them has at first.
pub const FIRST: u64 = 1_000_000;

/// The mesh.
#[derive(Debug)]
pub struct Mesh {
    /// Its nodes.
    pub nodes: Vec<Node>,
    disks: Vec<Snapshot>,
    /// The cables of each node, by interface: to whom, and which interface there.
    cables: Vec<Vec<(usize, InterfaceId)>>,
    /// Cables that carry nothing.
    cut: BTreeSet<(usize, usize)>,
    rules: Rules,
    /// Nodes that follow some accounts alone, each with whom it trusts.
    few: BTreeMap<usize, Vec<usize>>,
    /// The time.
    pub now: Instant,
    queue: BTreeMap<(Instant, u64), (usize, Input)>,
    timers: BTreeSet<(Instant, usize)>,
    due: Vec<Option<Instant>>,
    count: u64,
    /// What books told, by node.
    pub events: VecDeque<(usize, LedgerEvent)>,
    /// Bytes that left, from the beginning.
    pub bytes: u64,
}

fn seed(n: usize) -> [u8; 32] {
    let mut seed = [7; 32];
    seed[..8].copy_from_slice(&u64::try_from(n).expect("few").to_le_bytes());
    seed
}

/// A node's key.
#[must_use]
pub fn key(n: usize) -> SigningKey {
    SigningKey::from_seed(&seed(n))
}

/// A node's id.
#[must_use]
pub fn id(n: usize) -> NodeId {
    NodeIdentity::from_seed(IdentitySeed::from_bytes(seed(n))).node_id()
}

/// A genesis named so, whose witnesses are the first nodes.
#[must_use]
pub fn genesis(name: &str) -> Rules {
    genesis_for(name, WITNESSES)
}

/// The same, that gives as much to so many nodes.
#[must_use]
pub fn genesis_for(name: &str, rich: usize) -> Rules {
    let mut keys: Vec<SigningKey> = (0..WITNESSES).map(key).collect();
    keys.sort_by_key(|key| key.public().0);
    let witnesses: Vec<[u8; 32]> = keys.iter().map(|key| key.public().0).collect();
    let mut accounts: Vec<[u8; 24]> = (0..rich)
        .map(|n| {
            let mut line = [0; 24];
            line[..16].copy_from_slice(&id(n).0);
            line[16..].copy_from_slice(&FIRST.to_le_bytes());
            line
        })
        .collect();
    accounts.sort_unstable();
    let terms = Terms {
        name,
        minimum_deposit: 100,
        opens_per_day: 144_000,
        quorum: 3,
        witnesses: &witnesses,
        accounts: &accounts,
    };
    let id = Genesis::new(terms, &[]).expect("good terms").id();
    let lines: Vec<_> = (0_u8..)
        .zip(&keys)
        .map(|(index, key)| {
            Certificate::line(WitnessIndex(index), &Genesis::signed(&id, |message| key.sign(message)))
        })
        .collect();
    Rules::of(&Genesis::new(terms, &lines).expect("good terms")).expect("signed")
}

/// What node `a` has ever paid node `b` in a channel, signed by both.
#[must_use]
pub fn settlement(a: usize, b: usize, channel: u8, paid: u64) -> SettlementRecord {
    let turned = id(a) > id(b);
    let (party_a, party_b) = (id(a).min(id(b)), id(a).max(id(b)));
    let (paid_a, paid_b) = if turned { (0, paid) } else { (paid, 0) };
    let channel = ChannelId([channel; 16]);
    let body = SettlementBody { channel, party_a, party_b, paid_a, paid_b, final_sequence: paid };
    let [low, high] = if turned { [b, a] } else { [a, b] };
    let sign = |n: usize| body.signed(|message| key(n).sign(message));
    SettlementRecord { body, sig_a: sign(low), sig_b: sign(high) }
}

impl Mesh {
    /// A ring of `count` nodes with as many chords at random, all of one genesis; the witnesses are linked with each other.
    #[must_use]
    pub fn new(count: usize) -> Self {
        let mut random = Seed::new([3; 32]).fork("mesh");
        Self::with(count, &edges(count, &mut random), |_| genesis("test"))
    }

    /// A ring with chords in which each node has [`FIRST`], and a channel with the next one, into which it put 10,000; some have little memory.
    /// None if certificates are not everywhere within an hour.
    #[must_use]
    pub fn rich_ring(count: usize, few: BTreeMap<usize, Vec<usize>>) -> Option<Self> {
        let edges = edges(count, &mut Seed::new([3; 32]).fork("mesh"));
        let rules = genesis_for("test", count);
        let mut mesh = Self::with_few(count, &edges, |_| rules.clone(), few);
        mesh.run(Duration::from_secs(20));
        for n in 0..count {
            mesh.certify(n, (n + 1) % count, (1, 1), 10_000);
        }
        mesh.until(LONG, Self::agree)?;
        Some(mesh)
    }

    /// `count` nodes, linked in these pairs, each with the rules of a genesis.
    #[must_use]
    pub fn with(count: usize, edges: &BTreeSet<(usize, usize)>, rules: impl Fn(usize) -> Rules) -> Self {
        Self::with_few(count, edges, rules, BTreeMap::new())
    }

    /// The same, where some follow their own account and those whom they trust alone.
    #[must_use]
    pub fn with_few(
        count: usize,
        edges: &BTreeSet<(usize, usize)>,
        rules: impl Fn(usize) -> Rules,
        few: BTreeMap<usize, Vec<usize>>,
    ) -> Self {
        let mut cables = vec![Vec::new(); count];
        for (one, other) in edges {
            let place =
                |cables: &Vec<(usize, InterfaceId)>| InterfaceId(u8::try_from(cables.len()).expect("few"));
            let (at_one, at_other) = (place(&cables[*one]), place(&cables[*other]));
            cables[*one].push((*other, at_other));
            cables[*other].push((*one, at_one));
        }
        let disks = vec![Snapshot::empty(); count];
        let nodes = (0..count).map(|n| node(n, &rules(n), (&disks[n], 0), few.contains_key(&n))).collect();
        let mut mesh = Self {
            nodes,
            disks,
            cables,
            cut: BTreeSet::new(),
            rules: rules(0),
            few,
            now: Instant::BOOT,
            queue: BTreeMap::new(),
            timers: BTreeSet::new(),
            due: vec![None; count],
            count: 0,
            events: VecDeque::new(),
            bytes: 0,
        };
        for n in 0..count {
            mesh.begin(n);
        }
        mesh
    }

    fn begin(&mut self, n: usize) {
        let unix_s = UNIX + self.now.as_micros() / 1_000_000;
        self.tell(n, Input::WallClock { unix_s, error_s: 0 });
        if let Some(friends) = self.few.get(&n) {
            let mut trust = TrustConfig::default();
            for friend in friends {
                trust.trust(id(*friend)).expect("few");
            }
            self.tell(n, Input::Command(Command::Trust(trust)));
        }
        self.tell(n, Input::Command(Command::Start));
        for iface in 0..self.cables[n].len() {
            let iface = InterfaceId(u8::try_from(iface).expect("few"));
            self.tell(n, Input::Up { iface, profile: cable() });
        }
    }

    /// A node stops, and begins with what is durable.
    pub fn restart(&mut self, n: usize) {
        self.queue.retain(|_, (at, _)| *at != n);
        let disk = (&self.disks[n], self.now.as_micros());
        self.nodes[n] = node(n, &self.rules, disk, self.few.contains_key(&n));
        self.begin(n);
    }

    /// From here on only nodes of the same part hear each other.
    pub fn part(&mut self, part: impl Fn(usize) -> usize) {
        for (n, cables) in self.cables.iter().enumerate() {
            let apart = cables.iter().filter(|(to, _)| part(*to) != part(n));
            self.cut.extend(apart.map(|(to, _)| (n, *to)));
        }
    }

    /// All hear each other again.
    pub fn heal(&mut self) {
        self.cut.clear();
    }

    /// A node's books.
    #[must_use]
    pub fn ledger(&self, n: usize) -> &Ledger {
        self.nodes[n].ledger().expect("it keeps books")
    }

    /// What a node has, as another sees it.
    #[must_use]
    pub fn balance(&self, at: usize, of: usize) -> Balance {
        self.ledger(at).balance(&id(of))
    }

    /// Whether all nodes that keep all have the same books.
    #[must_use]
    pub fn agree(&self) -> bool {
        let mut all = (0..self.nodes.len()).filter(|n| !self.few.contains_key(n));
        let state = all.next().map(|n| self.ledger(n).books().state_hash());
        all.all(|n| Some(self.ledger(n).books().state_hash()) == state)
    }

    /// Has a node do something with its books.
    pub fn command(&mut self, n: usize, command: LedgerCommand) {
        self.tell(n, Input::Command(Command::Ledger(command)));
    }

    /// A deposit of a node's in a channel.
    pub fn deposit(&mut self, n: usize, peer: usize, channel: u8, deposit: u64) {
        let (channel, peer, deposit) = (ChannelId([channel; 16]), id(peer), Amount::from_micros(deposit));
        self.command(n, LedgerCommand::Deposit { channel, peer, deposit });
    }

    /// A node's order, as if a quorum of witnesses had signed it.
    pub fn certify(&mut self, n: usize, peer: usize, (channel, number): (u8, u32), deposit: u64) {
        let body = OpenBody {
            owner: id(n),
            order: number,
            deposit,
            channel: ChannelId([channel; 16]),
            peer: id(peer),
        };
        let genesis = self.rules.id;
        let order =
            Order::Open(OpenOrder { body, signature: body.signed(&genesis, |message| key(n).sign(message)) });
        let hash = order.hash(&genesis);
        let mut witnesses: Vec<SigningKey> = (0..WITNESSES).map(key).collect();
        witnesses.sort_by_key(|key| key.public().0);
        let signed = (0_u8..).zip(&witnesses).take(self.rules.quorum).map(|(index, key)| {
            let signature = attested(&genesis, &hash, |message| key.sign(message));
            Certificate::line(WitnessIndex(index), &signature)
        });
        let lines: Vec<_> = signed.collect();
        let certificate = Certificate::new(&genesis, hash, &lines).expect("a quorum");
        let mut bytes = vec![0; certificate.encoded_len()];
        certificate.encode(&mut bytes).expect("as long as it says");
        self.command(n, LedgerCommand::Certified { order: Box::new(order), certificate: bytes });
    }

    /// Three nodes open channels pairwise, with deposits that witnesses certify; how long until all know of it.
    pub fn open_three(&mut self) -> Option<Duration> {
        self.run(Duration::from_secs(20));
        for (channel, (a, b)) in (1..).zip([(0, 1), (1, 2), (2, 0)]) {
            self.deposit(a, b, channel, 10_000);
        }
        self.until(LONG, |mesh| (0..mesh.nodes.len()).all(|n| mesh.ledger(n).books().len() == 3))
    }

    /// They settle pairwise; how long until all balances are the same everywhere, and right.
    pub fn settle_three(&mut self) -> Option<Duration> {
        self.settle(0, 1, 1, 700);
        self.settle(1, 2, 2, 900);
        self.settle(2, 0, 3, 250);
        self.until(LONG, |mesh| (0..mesh.nodes.len()).all(|n| mesh.has_settled(n)))
    }

    /// Whether a node knows what all three have by then.
    #[must_use]
    pub fn has_settled(&self, n: usize) -> bool {
        let known = |micros| Balance::Known(Amount::from_micros(micros));
        let all = [FIRST - 450, FIRST - 200, FIRST + 650];
        (0..).zip(all).all(|(of, micros)| self.balance(n, of) == known(micros))
    }

    /// Two settled, and one of them says so.
    pub fn settle(&mut self, a: usize, b: usize, channel: u8, paid: u64) {
        self.command(a, LedgerCommand::Settled(Box::new(settlement(a, b, channel, paid))));
    }

    /// Time passes until something holds; how much.
    pub fn until(&mut self, at_most: Duration, holds: impl Fn(&Self) -> bool) -> Option<Duration> {
        let begun = self.now;
        while self.now.since(begun) < at_most {
            if holds(self) {
                return Some(self.now.since(begun));
            }
            self.run(Duration::from_millis(500));
        }
        None
    }

    fn later(&mut self, after: Duration, n: usize, input: Input) {
        self.count += 1;
        self.queue.insert((self.now.after(after), self.count), (n, input));
    }

    /// Tells a node something.
    pub fn tell(&mut self, n: usize, input: Input) {
        self.nodes[n].handle(self.now, input);
        self.serve(n);
    }

    fn serve(&mut self, n: usize) {
        while let Some(output) = self.nodes[n].poll_output() {
            match output {
                Output::Transmit { iface, bytes, .. } => {
                    let (to, at) = self.cables[n][usize::from(iface.0)];
                    self.bytes += u64::try_from(bytes.len()).expect("short");
                    if !self.cut.contains(&(n, to)) {
                        self.later(CABLE, to, Input::Frame { iface: at, from: None, bytes });
                    }
                    self.later(Duration::from_micros(1), n, Input::TxReady { iface });
                }
                Output::Sense { iface } => self.later(Duration::ZERO, n, Input::ChannelClear { iface }),
                Output::Persist { ticket, writes } => self.persist(n, ticket, writes),
                Output::Event(Event::EntropyWanted) => {
                    let mut entropy = seed(n);
                    entropy[16..24].copy_from_slice(&self.count.to_le_bytes());
                    self.later(Duration::ZERO, n, Input::Entropy(entropy));
                }
                Output::Event(Event::Ledger(LedgerEvent::ReadWanted { number, table, key })) => {
                    let value = self.disks[n].get(table, &key).map(<[u8]>::to_vec);
                    self.later(Duration::from_micros(1), n, Input::Read { number, value });
                }
                Output::Event(Event::Ledger(event)) => self.events.push_back((n, event)),
                Output::Event(_) => {}
            }
        }
        let due = self.nodes[n].next_timeout();
        if due != self.due[n] {
            self.timers.extend(due.map(|due| (due, n)));
            if let Some(old) = core::mem::replace(&mut self.due[n], due) {
                self.timers.remove(&(old, n));
            }
        }
    }

    fn persist(&mut self, n: usize, ticket: Ticket, writes: Vec<Write>) {
        for write in writes {
            self.disks[n].apply(write);
        }
        self.later(Duration::from_micros(1), n, Input::Persisted { through: ticket });
    }

    /// Time passes.
    pub fn run(&mut self, span: Duration) {
        let until = self.now.after(span);
        loop {
            let timer = self.timers.first().copied();
            let queued = self.queue.first_key_value().map(|((at, _), _)| *at);
            let Some(at) = timer.map(|(at, _)| at).into_iter().chain(queued).min().filter(|at| *at <= until)
            else {
                break;
            };
            self.now = self.now.max(at);
            if queued == Some(at) {
                let (_, (n, input)) = self.queue.pop_first().expect("it is there");
                self.tell(n, input);
            } else if let Some((_, n)) = timer {
                self.nodes[n].handle_timeout(self.now);
                self.serve(n);
            }
        }
        self.now = until;
    }
}

/// What each has in a ring of rich nodes where each paid the next one so much.
#[must_use]
pub fn ring_balances(paid: &[u64]) -> Vec<u64> {
    let before = paid.iter().cycle().skip(paid.len().saturating_sub(1));
    paid.iter().zip(before).map(|(out, come)| FIRST - out + come).collect()
}

/// A ring, as many chords at random, and all of the witnesses with each other.
#[must_use]
pub fn edges(count: usize, random: &mut Stream) -> BTreeSet<(usize, usize)> {
    let mut edges = BTreeSet::new();
    let mut add = |one: usize, other: usize| {
        if one != other {
            edges.insert((one.min(other), one.max(other)));
        }
    };
    let witnesses = WITNESSES.min(count);
    for n in 0..count {
        add(n, (n + 1) % count);
        let chord = random.below(u64::try_from(count).expect("few"));
        add(n, usize::try_from(chord).expect("few"));
        (0..witnesses).filter(|_| n < witnesses).for_each(|other| add(n, other));
    }
    edges
}

fn node(n: usize, rules: &Rules, (disk, run): (&Snapshot, u64), is_sparse: bool) -> Node {
    let identity = || IdentitySeed::from_bytes(seed(n));
    let mut snapshot = Snapshot::empty();
    for (table, key, value) in disk.iter().filter(|(table, ..)| !organ::READ_ON_DEMAND.contains(table)) {
        snapshot.apply(Write::set(table, key, value.to_vec()));
    }
    let mut bytes = seed(n);
    bytes[24..].copy_from_slice(&run.to_le_bytes());
    let random = Seed::new(bytes);
    let setup = Setup {
        identity: identity(),
        config: Config::default(),
        limits: Limits::default(),
        app_data: AppData::default(),
        economy: nexus_node::economy::layer::Policy::default(),
        snapshot: snapshot.clone(),
    };
    let mut node = Node::new(setup, &random);
    let limits = organ::Limits { entries: 10_000, ..organ::Limits::default() };
    let random = random.fork_seed("books");
    let (rules, disk) = (rules.clone(), (&snapshot, &random));
    let kept = if is_sparse {
        node.keep_sparse_books(&identity(), rules, disk)
    } else {
        node.keep_books(&identity(), rules, Witnessing::IfNamed, limits, disk)
    };
    kept.expect("the same genesis");
    node
}

fn cable() -> Profile {
    Profile {
        mode: Mode::Nexus,
        reach: Reach::PointToPoint,
        access: Access::Direct,
        bandwidth_bps: 100_000_000,
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
