//! Whole nodes in a line of cables that pay each other: a program at each, and disks that lose what is not durable.
//!
//! Smaller than a [world](crate::world): no faults of media, time that jumps from one event to the next, and every sum at hand.

mod schedule;

use std::collections::{BTreeMap, VecDeque};

use nexus_crypto::{IdentitySeed, NodeId};
use nexus_machine::{Config, Duration, Instant, Seed, Snapshot, Ticket, Write};
use nexus_network::{
    Access, AppData, DutyCycle, InterfaceId, Limits, Mode, Profile, Reach, Role, Timing, announces,
};
use nexus_node::economy::layer::{Command as ChannelCommand, Event as MoneyEvent, Policy};
use nexus_node::economy::lottery::Income;
use nexus_node::{Command, Event, Input, Node, Output, Setup};

pub use schedule::{Ran, Schedule};

const UNIX: u64 = 1_700_000_000;
/// How long a frame takes from one end of a cable to the other.
const CABLE: Duration = Duration::from_millis(2);
/// How long a write takes to be durable.
const DISK: Duration = Duration::from_millis(1);
/// Where a program on the machine of each node is.
const PROGRAM: InterfaceId = InterfaceId(7);
/// What its packets have, in bytes.
pub const PACKET_LEN: usize = 200;

/// One node, its disk, and what it said of money.
#[derive(Debug)]
struct Host {
    node: Node,
    disk: Snapshot,
    unsynced: VecDeque<(Ticket, Vec<Write>)>,
    events: Vec<MoneyEvent>,
    starts: u8,
    policy: Policy,
}

/// Nodes, each with a cable to the one before on interface 0 and to the one behind on interface 1.
#[derive(Debug)]
pub struct Tolls {
    hosts: Vec<Host>,
    now: Instant,
    /// What is to be told to whom in which of its lives, by time and number.
    queue: BTreeMap<(Instant, u64), (usize, u8, Input)>,
    count: u64,
    packets: u64,
    /// Whose words on money are lost on its cables.
    cut: Option<usize>,
}

/// What becomes of a disk when its node stops without a word.
#[derive(Clone, Debug)]
pub enum Disk {
    /// What was not durable is lost.
    AsItWas,
    /// It is an older image.
    Older(Snapshot),
}

impl Tolls {
    /// A line of nodes with these choices that know each other.
    #[must_use]
    pub fn line(policies: &[Policy]) -> Self {
        let host = |(n, policy): (usize, &Policy)| Host {
            node: node(number(n), 0, Snapshot::empty(), *policy),
            disk: Snapshot::empty(),
            unsynced: VecDeque::new(),
            events: Vec::new(),
            starts: 0,
            policy: *policy,
        };
        let hosts = policies.iter().enumerate().map(host).collect();
        let (queue, now) = (BTreeMap::new(), Instant::BOOT);
        let mut tolls = Self { hosts, now, queue, count: 0, packets: 0, cut: None };
        (0..policies.len()).for_each(|n| tolls.start(n));
        tolls.run(Duration::from_secs(30));
        tolls
    }

    fn start(&mut self, n: usize) {
        let unix_s = UNIX + self.now.since(Instant::BOOT).as_secs();
        self.tell(n, Input::WallClock { unix_s, error_s: 0 });
        self.tell(n, Input::Command(Command::Start));
        let program = Profile { mode: Mode::Reticulum, role: Role::Local, ..cable(0) };
        self.tell(n, Input::Up { iface: PROGRAM, profile: program });
        let price = self.hosts[n].policy.price;
        for (iface, there) in [(0, n > 0), (1, n + 1 < self.hosts.len())] {
            if there {
                self.tell(n, Input::Up { iface: InterfaceId(iface), profile: cable(price) });
            }
        }
    }

    /// Stops a node without a word; it comes back with what its disk holds.
    pub fn crash(&mut self, n: usize, disk: Disk) {
        let host = &mut self.hosts[n];
        host.starts += 1;
        host.unsynced.clear();
        if let Disk::Older(image) = disk {
            host.disk = image;
        }
        host.node = node(number(n), host.starts, host.disk.clone(), host.policy);
        for (beside, iface) in [(n.checked_sub(1), 1), (n.checked_add(1), 0)] {
            if let Some(beside) = beside.filter(|beside| *beside < self.hosts.len()) {
                let (iface, profile) = (InterfaceId(iface), cable(self.hosts[beside].policy.price));
                self.tell(beside, Input::Down { iface });
                self.tell(beside, Input::Up { iface, profile });
            }
        }
        self.start(n);
    }

    /// The disk of a node as it is.
    #[must_use]
    pub fn disk(&self, n: usize) -> Snapshot {
        self.hosts[n].disk.clone()
    }

    /// A node.
    #[must_use]
    pub fn node(&self, n: usize) -> &Node {
        &self.hosts[n].node
    }

    /// A node's address.
    #[must_use]
    pub fn id(&self, n: usize) -> NodeId {
        self.hosts[n].node.node_id()
    }

    /// What a node said of money since it was started first.
    #[must_use]
    pub fn events(&self, n: usize) -> &[MoneyEvent] {
        &self.hosts[n].events
    }

    /// What a node counted with another.
    #[must_use]
    pub fn income(&self, n: usize, from: usize) -> Income {
        self.hosts[n].node.economy().income(&self.id(from)).unwrap_or_default()
    }

    /// What both have in the channel between them, as the first of them has it durable, in µNXS.
    #[must_use]
    pub fn balances(&self, n: usize, with: usize) -> Option<(u64, u64)> {
        let (own, theirs) = self.hosts[n].node.economy().spendable(self.id(with))?;
        Some((own.micros(), theirs.micros()))
    }

    /// A node is to do something with the channel between it and another.
    pub fn command(&mut self, n: usize, with: usize, command: ChannelCommand) {
        let peer = self.id(with);
        self.tell(n, Input::Command(Command::Channel { peer, command }));
    }

    /// A packet of [`PACKET_LEN`] bytes, as a program on the machine of a node hands it over.
    pub fn packet(&mut self, from: usize, to: usize) {
        self.packets += 1;
        let mut bytes = vec![0x00, 0x00];
        bytes.extend_from_slice(&self.id(to).0);
        bytes.push(0x00);
        bytes.extend_from_slice(&self.packets.to_le_bytes());
        bytes.resize(PACKET_LEN, 0x5a);
        self.tell(from, Input::Frame { iface: PROGRAM, from: None, bytes });
    }

    /// Frames of a node are lost on their way from here on, or of nobody.
    pub fn cut(&mut self, node: Option<usize>) {
        self.cut = node;
    }

    fn later(&mut self, after: Duration, n: usize, input: Input) {
        self.count += 1;
        let life = self.hosts[n].starts;
        self.queue.insert((self.now.after(after), self.count), (n, life, input));
    }

    /// Tells a node something.
    pub fn tell(&mut self, n: usize, input: Input) {
        self.hosts[n].node.handle(self.now, input);
        self.serve(n);
    }

    fn serve(&mut self, n: usize) {
        while let Some(output) = self.hosts[n].node.poll_output() {
            match output {
                Output::Transmit { iface, bytes, .. } => {
                    self.later(Duration::from_micros(1), n, Input::TxReady { iface });
                    if iface == PROGRAM || self.cut == Some(n) {
                        continue;
                    }
                    let (to, at) =
                        if iface.0 == 0 { (n - 1, InterfaceId(1)) } else { (n + 1, InterfaceId(0)) };
                    self.later(CABLE, to, Input::Frame { iface: at, from: None, bytes });
                }
                Output::Sense { iface } => self.later(Duration::ZERO, n, Input::ChannelClear { iface }),
                Output::Persist { ticket, writes } => {
                    self.hosts[n].unsynced.push_back((ticket, writes));
                    self.later(DISK, n, Input::Persisted { through: ticket });
                }
                Output::Event(Event::EntropyWanted) => {
                    let mut entropy = [number(n); 32];
                    entropy[..8].copy_from_slice(&self.count.to_le_bytes());
                    self.later(Duration::ZERO, n, Input::Entropy(entropy));
                }
                Output::Event(Event::Economy(event)) => self.hosts[n].events.push(*event),
                Output::Event(_) => {}
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

    /// Lets time pass.
    pub fn run(&mut self, span: Duration) {
        let until = self.now.after(span);
        loop {
            let timeouts = self.hosts.iter().enumerate();
            let timer = timeouts.filter_map(|(n, host)| Some((host.node.next_timeout()?, n))).min();
            let queued = self.queue.first_key_value().map(|((at, _), _)| *at);
            let next = timer.map(|(at, _)| at).into_iter().chain(queued).min();
            let Some(at) = next.filter(|at| *at <= until) else { break };
            self.now = self.now.max(at);
            if queued == Some(at) {
                let Some((_, (n, life, input))) = self.queue.pop_first() else { break };
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
    u8::try_from(n + 1).unwrap_or(u8::MAX)
}

fn node(n: u8, life: u8, snapshot: Snapshot, economy: Policy) -> Node {
    let few = announces::Limits { known: 16, paths: 64, ..announces::Limits::default() };
    let setup = Setup {
        identity: IdentitySeed::from_bytes([n; 32]),
        config: Config::default(),
        limits: Limits { announces: few, ..Limits::default() },
        app_data: AppData::default(),
        economy,
        snapshot,
    };
    Node::new(setup, &Seed::new([n; 32]).fork_index("life", u64::from(life)))
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
