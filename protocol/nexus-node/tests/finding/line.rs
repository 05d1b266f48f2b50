//! Nodes in a line of cables, and their host.

use std::collections::BTreeMap;

use nexus_crypto::{DestinationHash, IdentitySeed};
use nexus_machine::{Config, Duration, Instant, Seed, Snapshot};
use nexus_network::{
    Access, AppData, DutyCycle, InterfaceId, Limits, Mode, Profile, Reach, Role, Timing, announces,
};
use nexus_node::{Command, Content, Event, Input, Node, Outgoing, Output, Setup};

const UNIX: u64 = 1_700_000_000;
/// How long a frame takes from one end of a cable to the other.
const CABLE: Duration = Duration::from_millis(2);

/// Nodes, each with a cable to the one before on interface 0 and to the one behind on interface 1.
pub(crate) struct Line {
    pub(crate) nodes: Vec<Node>,
    stores: Vec<Snapshot>,
    now: Instant,
    /// What is to be told to whom, by time and number.
    queue: BTreeMap<(Instant, u64), (usize, Input)>,
    count: u64,
    events: Vec<(usize, Event)>,
}

impl Line {
    /// After all have announced themselves in an order in which none has room for the last one.
    pub(crate) fn of(count: usize) -> Self {
        let nodes = (0..count).map(|n| node(u8::try_from(n + 1).expect("few"))).collect();
        let stores = vec![Snapshot::empty(); count];
        let (queue, events) = (BTreeMap::new(), Vec::new());
        let mut line = Self { nodes, stores, now: Instant::BOOT, queue, count: 0, events };
        for n in 0..count {
            line.tell(n, Input::WallClock { unix_s: UNIX, error_s: 0 });
            line.tell(n, Input::Command(Command::Start));
            for iface in [0, 1] {
                if (iface == 0 && n > 0) || (iface == 1 && n + 1 < count) {
                    line.tell(n, Input::Up { iface: InterfaceId(iface), profile: cable() });
                }
            }
        }
        line.run(Duration::from_secs(200));
        for n in [count - 1, 2, 1, count - 2] {
            line.tell(n, Input::Command(Command::Announce));
            line.run(Duration::from_secs(200));
        }
        line.events.clear();
        line
    }

    pub(crate) fn address(&self, n: usize) -> DestinationHash {
        self.nodes[n].node_id().into()
    }

    pub(crate) fn who_knows(&self, n: usize) -> Vec<usize> {
        let address = self.address(n);
        let knows = |node: &Node| node.network().announces().known().any(|(known, _)| *known == address);
        (0..self.nodes.len()).filter(|at| knows(&self.nodes[*at])).collect()
    }

    /// What a node reported since the line stands.
    pub(crate) fn reports(&self, n: usize) -> impl Iterator<Item = &Event> {
        self.events.iter().filter(move |(at, _)| *at == n).map(|(_, event)| event)
    }

    pub(crate) fn send(&mut self, from: usize, to: usize, content: Content) {
        let to = self.nodes[to].node_id();
        let outgoing =
            Outgoing { handle: 1, to, content, policy: None, class: None, lifetime: Duration::from_secs(60) };
        self.tell(from, Input::Command(Command::Send(outgoing)));
    }

    pub(crate) fn is_delivered(&self, n: usize) -> bool {
        self.reports(n).any(|event| matches!(event, Event::Delivered { .. }))
    }

    fn later(&mut self, after: Duration, n: usize, input: Input) {
        self.count += 1;
        self.queue.insert((self.now.after(after), self.count), (n, input));
    }

    pub(crate) fn tell(&mut self, n: usize, input: Input) {
        self.nodes[n].handle(self.now, input);
        self.serve(n);
    }

    fn serve(&mut self, n: usize) {
        while let Some(output) = self.nodes[n].poll_output() {
            match output {
                Output::Transmit { iface, bytes, .. } => {
                    let (to, at) =
                        if iface.0 == 0 { (n - 1, InterfaceId(1)) } else { (n + 1, InterfaceId(0)) };
                    self.later(CABLE, to, Input::Frame { iface: at, from: None, bytes });
                    self.later(Duration::from_micros(1), n, Input::TxReady { iface });
                }
                Output::Sense { iface } => self.later(Duration::ZERO, n, Input::ChannelClear { iface }),
                Output::Persist { ticket, writes } => {
                    for write in writes {
                        self.stores[n].apply(write);
                    }
                    self.later(Duration::from_micros(1), n, Input::Persisted { through: ticket });
                }
                Output::Event(Event::EntropyWanted) => {
                    let entropy = [u8::try_from(n + 1).expect("few"); 32];
                    self.later(Duration::ZERO, n, Input::Entropy(entropy));
                }
                Output::Event(event) => self.events.push((n, event)),
            }
        }
    }

    pub(crate) fn run(&mut self, span: Duration) {
        let until = self.now.after(span);
        loop {
            let timeouts = self.nodes.iter().enumerate();
            let timer = timeouts.filter_map(|(n, node)| Some((node.next_timeout()?, n))).min();
            let queued = self.queue.first_key_value().map(|((at, _), _)| *at);
            let next = timer.map(|(at, _)| at).into_iter().chain(queued).min();
            let Some(at) = next.filter(|at| *at <= until) else { break };
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

fn node(n: u8) -> Node {
    let announces = announces::Limits { known: 2, ..announces::Limits::default() };
    let setup = Setup {
        identity: IdentitySeed::from_bytes([n; 32]),
        config: Config::default(),
        limits: Limits { announces, ..Limits::default() },
        app_data: AppData::default(),
        economy: nexus_node::economy::layer::Policy::default(),
        snapshot: Snapshot::empty(),
    };
    Node::new(setup, &Seed::new([n; 32]))
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
