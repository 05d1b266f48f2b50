//! Nodes in a line of cables, with disks that may lose what was not durable, and prices.

use std::collections::{BTreeMap, VecDeque};

use nexus_crypto::{IdentitySeed, NodeId, NodeIdentity, VerifyingKey};
use nexus_machine::{Config, Duration, Instant, Seed, Snapshot, Ticket, Write};
use nexus_network::{Access, AppData, DutyCycle, InterfaceId, Limits, Mode, Profile, Reach, Role, Timing};
use nexus_node::economy::Amount;
use nexus_node::economy::layer::{Event as MoneyEvent, Policy, Record};
use nexus_node::economy::ledger::{Balance, Rules, organ};
use nexus_node::economy::lottery::Income;
use nexus_node::economy::trust::TrustConfig;
use nexus_node::{Command, Event, Input, LedgerEvent, Node, Output, Setup, Witnessing};

const UNIX: u64 = 1_700_000_000;
/// How long a frame takes from one end of a cable to the other.
const CABLE: Duration = Duration::from_millis(2);
/// How long a write takes to be durable.
const DISK: Duration = Duration::from_millis(1);

/// Where a program on the machine of each node is.
const PROGRAM: InterfaceId = InterfaceId(7);
/// What its packets have.
pub(crate) const PACKET_LEN: usize = 200;

/// One node, its disk, and what it said.
pub(crate) struct Host {
    pub(crate) node: Node,
    pub(crate) disk: Snapshot,
    unsynced: VecDeque<(Ticket, Vec<Write>)>,
    pub(crate) events: Vec<Event>,
    starts: u8,
    price: u64,
    pub(crate) friends: Vec<NodeId>,
    line: Option<Amount>,
}

/// Nodes, each with a cable to the one before on interface 0 and to the one behind on interface 1.
pub(crate) struct World {
    pub(crate) hosts: Vec<Host>,
    pub(crate) now: Instant,
    /// What is to be told to whom in which of its lives, by time and number.
    queue: BTreeMap<(Instant, u64), (usize, u8, Input)>,
    count: u64,
    handles: u64,
    /// Of the books that all keep, if they do.
    rules: Option<Rules>,
}

/// What a node asks for itself, and whom it lends how much.
#[derive(Clone, Copy)]
pub(crate) struct Ways {
    pub(crate) price: u64,
    pub(crate) line: Option<u64>,
}

impl World {
    /// A line of nodes that know each other.
    pub(crate) fn of(ways: &[Ways], friends: &[(usize, usize)]) -> Self {
        Self::with(ways, friends, None)
    }

    /// Nodes that keep books by these rules, too, if there are any.
    pub(crate) fn with(ways: &[Ways], friends: &[(usize, usize)], rules: Option<Rules>) -> Self {
        let host = |(n, ways): (usize, &Ways)| {
            let line = ways.line.map(Amount::from_micros);
            Host {
                node: node(number(n), 0, &Snapshot::empty(), (ways.price, line), rules.as_ref()),
                disk: Snapshot::empty(),
                unsynced: VecDeque::new(),
                events: Vec::new(),
                starts: 0,
                price: ways.price,
                friends: friends.iter().filter(|(who, _)| *who == n).map(|(_, whom)| id(*whom)).collect(),
                line,
            }
        };
        let hosts = ways.iter().enumerate().map(host).collect();
        let (queue, now) = (BTreeMap::new(), Instant::BOOT);
        let mut world = Self { hosts, now, queue, count: 0, handles: 0, rules };
        (0..ways.len()).for_each(|n| world.start(n));
        world.run(Duration::from_secs(90));
        world
    }

    fn start(&mut self, n: usize) {
        let unix_s = UNIX + self.now.since(Instant::BOOT).as_secs();
        self.tell(n, Input::WallClock { unix_s, error_s: 0 });
        let mut trust = TrustConfig::default();
        self.hosts[n].friends.iter().for_each(|friend| trust.trust(*friend).expect("few"));
        self.tell(n, Input::Command(Command::Trust(trust)));
        self.tell(n, Input::Command(Command::Start));
        let program = Profile { mode: Mode::Reticulum, role: Role::Local, ..cable(0) };
        self.tell(n, Input::Up { iface: PROGRAM, profile: program });
        for iface in [0, 1] {
            if (iface == 0 && n > 0) || (iface == 1 && n + 1 < self.hosts.len()) {
                let profile = cable(self.hosts[n].price);
                self.tell(n, Input::Up { iface: InterfaceId(iface), profile });
            }
        }
    }

    /// Stops a node without a word; it comes back with what was durable.
    pub(crate) fn crash(&mut self, n: usize) {
        let host = &mut self.hosts[n];
        host.starts += 1;
        host.unsynced.clear();
        let terms = (host.price, host.line);
        host.node = node(number(n), host.starts, &host.disk, terms, self.rules.as_ref());
        // The cables notice.
        for (beside, iface) in [(n.checked_sub(1), 1), (n.checked_add(1), 0)] {
            if let Some(beside) = beside.filter(|beside| *beside < self.hosts.len()) {
                let (iface, profile) = (InterfaceId(iface), cable(self.hosts[beside].price));
                self.tell(beside, Input::Down { iface });
                self.tell(beside, Input::Up { iface, profile });
            }
        }
        self.start(n);
    }

    pub(crate) fn id(&self, n: usize) -> NodeId {
        self.hosts[n].node.node_id()
    }

    /// A packet of 200 bytes, as a program on the machine of a node hands it over.
    pub(crate) fn packet(&mut self, from: usize, to: usize) {
        self.handles += 1;
        let mut bytes = vec![0x00, 0x00];
        bytes.extend_from_slice(&self.id(to).0);
        bytes.push(0x00);
        bytes.extend_from_slice(&self.handles.to_le_bytes());
        bytes.resize(PACKET_LEN, 0x5a);
        self.tell(from, Input::Frame { iface: PROGRAM, from: None, bytes });
    }

    /// So many packets, one after another.
    pub(crate) fn packets(&mut self, from: usize, to: usize, count: usize, every: Duration) {
        for _ in 0..count {
            self.packet(from, to);
            self.run(every);
        }
    }

    /// Packets that a node did not carry.
    pub(crate) fn dropped(&self, n: usize) -> u64 {
        self.hosts[n].node.network().forwarding().drops().total()
    }

    /// What happened to a node's money.
    pub(crate) fn money(&self, n: usize) -> impl Iterator<Item = &MoneyEvent> {
        self.hosts[n].events.iter().filter_map(|event| match event {
            Event::Economy(event) => Some(&**event),
            _ => None,
        })
    }

    /// What a node handed to the ledger.
    pub(crate) fn records(&self, n: usize) -> impl Iterator<Item = &Record> {
        self.money(n).filter_map(|event| match event {
            MoneyEvent::ForLedger(record) => Some(record),
            _ => None,
        })
    }

    pub(crate) fn income(&self, n: usize, from: usize) -> Income {
        self.hosts[n].node.economy().income(&self.id(from)).unwrap_or_default()
    }

    /// What both have in the channel between them, as the first of them has it durable.
    pub(crate) fn balances(&self, n: usize, with: usize) -> Option<(u64, u64)> {
        let (own, theirs) = self.hosts[n].node.economy().spendable(self.id(with))?;
        Some((own.micros(), theirs.micros()))
    }

    /// What a node has, as another sees it.
    pub(crate) fn balance(&self, at: usize, of: usize) -> Balance {
        self.hosts[at].node.ledger().expect("it keeps books").balance(&id(of))
    }

    fn later(&mut self, after: Duration, n: usize, input: Input) {
        self.count += 1;
        let life = self.hosts[n].starts;
        self.queue.insert((self.now.after(after), self.count), (n, life, input));
    }

    pub(crate) fn tell(&mut self, n: usize, input: Input) {
        self.hosts[n].node.handle(self.now, input);
        self.serve(n);
    }

    fn serve(&mut self, n: usize) {
        while let Some(output) = self.hosts[n].node.poll_output() {
            match output {
                Output::Transmit { iface: PROGRAM, .. } => {
                    self.later(Duration::from_micros(1), n, Input::TxReady { iface: PROGRAM });
                }
                Output::Transmit { iface, bytes, .. } => {
                    let (to, at) =
                        if iface.0 == 0 { (n - 1, InterfaceId(1)) } else { (n + 1, InterfaceId(0)) };
                    self.later(CABLE, to, Input::Frame { iface: at, from: None, bytes });
                    self.later(Duration::from_micros(1), n, Input::TxReady { iface });
                }
                Output::Sense { iface } => self.later(Duration::ZERO, n, Input::ChannelClear { iface }),
                Output::Persist { ticket, writes } => {
                    self.hosts[n].unsynced.push_back((ticket, writes));
                    self.later(DISK, n, Input::Persisted { through: ticket });
                }
                Output::Event(Event::EntropyWanted) => {
                    let entropy = [number(n); 32];
                    self.later(Duration::ZERO, n, Input::Entropy(entropy));
                }
                Output::Event(Event::Ledger(LedgerEvent::ReadWanted { number, table, key })) => {
                    let value = self.hosts[n].disk.get(table, &key).map(<[u8]>::to_vec);
                    self.later(DISK, n, Input::Read { number, value });
                }
                Output::Event(event) => self.hosts[n].events.push(event),
            }
        }
    }

    /// What a disk says is durable is on it.
    fn sync(&mut self, n: usize, through: Ticket) {
        let host = &mut self.hosts[n];
        while let Some((_, writes)) = host.unsynced.pop_front_if(|(ticket, _)| *ticket <= through) {
            for write in writes {
                host.disk.apply(write);
            }
        }
    }

    pub(crate) fn run(&mut self, span: Duration) {
        let until = self.now.after(span);
        loop {
            let timeouts = self.hosts.iter().enumerate();
            let timer = timeouts.filter_map(|(n, host)| Some((host.node.next_timeout()?, n))).min();
            let queued = self.queue.first_key_value().map(|((at, _), _)| *at);
            let next = timer.map(|(at, _)| at).into_iter().chain(queued).min();
            let Some(at) = next.filter(|at| *at <= until) else { break };
            self.now = self.now.max(at);
            if queued == Some(at) {
                let (_, (n, life, input)) = self.queue.pop_first().expect("it is there");
                if life != self.hosts[n].starts {
                    continue;
                }
                if let Input::Persisted { through } = input {
                    self.sync(n, through);
                }
                self.tell(n, input);
            } else if let Some((_, n)) = timer {
                self.hosts[n].node.handle_timeout(self.now);
                self.serve(n);
            }
        }
        self.now = until;
    }
}

fn number(n: usize) -> u8 {
    u8::try_from(n + 1).expect("few")
}

fn seed(n: usize) -> IdentitySeed {
    IdentitySeed::from_bytes([number(n); 32])
}

fn id(n: usize) -> NodeId {
    NodeIdentity::from_seed(seed(n)).node_id()
}

/// By which a node verifies what another signed.
pub(crate) fn key(n: usize) -> VerifyingKey {
    NodeIdentity::from_seed(seed(n)).public().verifying()
}

fn node(
    n: u8,
    start: u8,
    snapshot: &Snapshot,
    (price, line): (u64, Option<Amount>),
    rules: Option<&Rules>,
) -> Node {
    let seed = Seed::new([n; 32]).fork_index("start", u64::from(start));
    let identity = || IdentitySeed::from_bytes([n; 32]);
    let setup = Setup {
        identity: identity(),
        config: Config::default(),
        limits: Limits::default(),
        app_data: AppData::default(),
        economy: Policy { price, line, ..Policy::default() },
        snapshot: snapshot.clone(),
    };
    let mut node = Node::new(setup, &seed);
    if let Some(rules) = rules {
        let (limits, disk) = (organ::Limits::default(), (snapshot, &seed.fork_seed("books")));
        node.keep_books(&identity(), rules.clone(), Witnessing::IfNamed, limits, disk)
            .expect("the same genesis");
    }
    node
}

fn cable(price: u64) -> Profile {
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
        price,
        role: Role::Full,
        gravity: 0,
    }
}
