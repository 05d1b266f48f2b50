//! The node: its layers, what it is told, and when.

mod clock;
mod signal;
mod tickets;
mod wiring;

use alloc::boxed::Box;
use alloc::collections::VecDeque;

use nexus_crypto::{DestinationHash, IdentitySeed, NodeId, NodeIdentity, ReticulumIdentity};
use nexus_economy::Economy;
use nexus_endpoint::{Crossings, Endpoint, Lxmf};
use nexus_machine::{Config, Cx, Instant, Machine, MemoryBound, Seed, Snapshot, Ticket, WallClock, earliest};
use nexus_network::{
    Access, AppData, DutyCycle, InterfaceId, Mode, Network, Opened, PathPolicy, Profile, Reach, Role,
    Routing, SearchMotive, Tapping, Timing,
};
use nexus_secure::{Ratchets, Secure};

use crate::books::Bookkeeping;
use crate::contract::{Command, Event, Input, Output};
use clock::Clock;
pub(crate) use signal::Signal;
pub(crate) use tickets::{Tickets, Writer};

/// What a node is made from.
#[derive(Debug)]
pub struct Setup {
    /// Who it is.
    pub identity: IdentitySeed,
    /// What the operator chose.
    pub config: Config,
    /// How much it may hold.
    pub limits: nexus_network::Limits,
    /// What it says of itself in its announce.
    pub app_data: AppData,
    /// How it is paid, and pays.
    pub economy: nexus_economy::layer::Policy,
    /// What was durable when it last ran; empty at the first start.
    pub snapshot: Snapshot,
}

/// A node: deterministic, without I/O. See the crate's page for the contract.
#[derive(Debug)]
pub struct Node {
    pub(crate) body: Body,
    pub(crate) signals: VecDeque<Signal>,
    outputs: VecDeque<Output>,
    config: Config,
    address: NodeId,
}

#[derive(Debug)]
pub(crate) struct Body {
    pub(crate) network: Network,
    pub(crate) secure: Secure,
    pub(crate) economy: Economy,
    pub(crate) endpoint: Endpoint,
    pub(crate) crossings: Crossings,
    /// Whether nodes across stock relays are crossed to.
    pub(crate) crossing: bool,
    pub(crate) own: NodeId,
    lxmf: Lxmf,
    /// What it keeps if it keeps books.
    pub(crate) books: Option<Box<Bookkeeping>>,
    /// Whether the endpoint's interface is up: it is from its first command on.
    attached: Attached,
    pub(crate) tickets: Tickets,
    clock: Clock,
    /// By what the paths of this node's own packets are chosen.
    preferred: PathPolicy,
}

/// Whether the endpoint has been used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Attached {
    NotYet,
    Attached,
}

/// The interface of this node's own endpoint, which no medium may have: to the network the endpoint is a program on this machine.
pub const ENDPOINT: InterfaceId = InterfaceId(u8::MAX);

/// What that interface is like.
const ENDPOINT_PROFILE: Profile = Profile {
    mode: Mode::Reticulum,
    reach: Reach::PointToPoint,
    access: Access::Direct,
    bandwidth_bps: 1_000_000_000,
    frame_size: 8_192,
    timing: Timing::Rate,
    duty: DutyCycle::UNLIMITED,
    sub_band: None,
    overhead: 0,
    price: 0,
    role: Role::Local,
    gravity: 0,
};

/// How many signals, and how many outputs, the queues keep room for once they are empty: what a burst needed beyond that is
/// given back.
const RESTING: usize = 32;

/// What is done in time may make something due at once in a layer that had its turn: a packet that leaves, a question whether its neighbour
/// is there. So often it has another turn.
const AT_ONCE: usize = 4;

/// More signals than this from one input is a loop in the wiring, which is a bug.
const SETTLE_BOUND: usize = 100_000;

impl Node {
    /// A node that resumes from what was durable. It does nothing before its first input.
    ///
    /// `seed` is fresh entropy at every start: a seed used twice would repeat keys and nonces.
    #[must_use]
    pub fn new(setup: Setup, seed: &Seed) -> Self {
        let Setup { identity, config, limits, app_data, economy, snapshot } = setup;
        let network = Network::new(&identity, app_data, limits, &snapshot, &seed.fork_seed("network"));
        let economy = Economy::new(&identity, economy, &snapshot, &seed.fork_seed("economy"));
        let identity = NodeIdentity::from_seed(identity);
        let address = identity.node_id();
        let blob = identity.as_reticulum().to_private_blob();
        let own = || ReticulumIdentity::from_private_blob(&blob);
        let kept = nexus_secure::Limits::default();
        let body = Body {
            secure: Secure::new(identity, kept, &snapshot, &seed.fork_seed("secure")),
            lxmf: Lxmf::new(own(), nexus_endpoint::lxmf::Limits::default(), &seed.fork_seed("lxmf")),
            endpoint: Endpoint::new(
                own(),
                nexus_endpoint::Limits::default(),
                &snapshot,
                &seed.fork_seed("endpoint"),
            ),
            books: None,
            attached: Attached::NotYet,
            crossings: Crossings::new(address),
            crossing: false,
            economy,
            own: address,
            network,
            tickets: Tickets::default(),
            clock: Clock::default(),
            preferred: PathPolicy::default(),
        };
        Self { body, signals: VecDeque::new(), outputs: VecDeque::new(), config, address }
    }

    /// Tells the node something.
    pub fn handle(&mut self, now: Instant, input: Input) {
        let cx = self.at(now);
        self.body.tell(cx, input, &mut self.signals, &mut self.outputs);
        self.settle(now);
    }

    /// Lets the node do what is due.
    pub fn handle_timeout(&mut self, now: Instant) {
        for _ in 0..AT_ONCE {
            let cx = self.at(now);
            self.body.network.handle_timeout(cx, &mut self.signals);
            self.body.secure.handle_timeout(cx, &mut self.signals);
            self.body.economy.handle_timeout(cx, &mut self.signals);
            self.body.endpoint.handle_timeout(cx, &mut self.signals);
            self.body.lxmf.handle_timeout(cx, &mut self.signals);
            self.body.crossings.handle_timeout(cx, &mut self.signals);
            self.body.books_timeout(cx, &mut self.signals);
            self.settle(now);
            if self.next_timeout().is_none_or(|due| due > now) {
                return;
            }
        }
    }

    /// When the node wants [`Node::handle_timeout`]; `None` if nothing waits.
    #[must_use]
    pub fn next_timeout(&self) -> Option<Instant> {
        let Body { network, secure, economy, endpoint, crossings, lxmf, books, .. } = &self.body;
        earliest([
            network.next_timeout(),
            secure.next_timeout(),
            economy.next_timeout(),
            endpoint.next_timeout(),
            crossings.next_timeout(),
            lxmf.next_timeout(),
            books.as_ref().and_then(|books| books.next_timeout()),
        ])
    }

    /// Takes the next output.
    pub fn poll_output(&mut self) -> Option<Output> {
        let output = self.outputs.pop_front();
        if output.is_none() {
            self.outputs.shrink_to(RESTING);
        }
        output
    }

    /// Opens or shuts the tap on what links and broadcasts carry, for whoever looks for faults. It is shut at first, and changes
    /// nothing that the node does. Source: spec/capture.md#opened-messages.
    pub fn turn_tap(&mut self, tapping: Tapping) {
        self.body.network.turn_tap(tapping);
    }

    /// Takes what the tap shows. Where it is open, to be called with the outputs until there is none.
    pub fn take_opened(&mut self) -> Option<Opened> {
        self.body.network.take_opened()
    }

    /// The node's address.
    #[must_use]
    pub const fn node_id(&self) -> NodeId {
        self.address
    }

    /// A view of interfaces, announces and who is known.
    #[must_use]
    pub const fn network(&self) -> &Network {
        &self.body.network
    }

    /// A view of channels, and of what carrying brings.
    #[must_use]
    pub const fn economy(&self) -> &Economy {
        &self.body.economy
    }

    /// A view of paths as they stand at `now`.
    #[must_use]
    pub const fn routing(&self, now: Instant) -> Routing<'_> {
        self.body.network.routing(now)
    }

    /// By what the paths of this node's own packets are chosen where nobody says otherwise.
    #[must_use]
    pub const fn preferred(&self) -> PathPolicy {
        self.body.preferred
    }

    /// Takes a destination to which the chosen way is, or may be, another than when it was taken last: for hosts that tell of it.
    pub fn take_rerouted(&mut self) -> Option<DestinationHash> {
        self.body.network.take_rerouted()
    }

    /// The messages that arrived and are kept, by number, oldest first.
    pub fn inbox(&self) -> impl Iterator<Item = &nexus_secure::Message> {
        self.body.secure.correspondence().inbox()
    }

    /// A view of the keys that announces carry.
    #[must_use]
    pub const fn ratchets(&self) -> &Ratchets {
        self.body.secure.ratchets()
    }

    /// A view of messages, and of what is on its way.
    #[must_use]
    pub const fn secure(&self) -> &Secure {
        &self.body.secure
    }

    /// A view of this node's LXMF address.
    #[must_use]
    pub const fn lxmf(&self) -> &Lxmf {
        &self.body.lxmf
    }

    fn at(&mut self, now: Instant) -> Cx {
        self.body.clock.context(now, self.config)
    }

    fn settle(&mut self, now: Instant) {
        let cx = self.at(now);
        for _ in 0..SETTLE_BOUND {
            let Some(signal) = self.signals.pop_front() else {
                self.signals.shrink_to(RESTING);
                return;
            };
            self.body.wire(cx, signal, &mut self.signals, &mut self.outputs);
        }
        unreachable!("the wiring of the node does not loop");
    }
}

impl MemoryBound for Node {
    fn memory_bound(&self) -> usize {
        // Once the host has drained them.
        let signals = RESTING.saturating_mul(size_of::<Signal>());
        let outputs = RESTING.saturating_mul(size_of::<Output>());
        let layers = self.body.network.memory_bound().saturating_add(self.body.secure.memory_bound());
        let layers = layers.saturating_add(self.body.economy.memory_bound());
        let layers = layers.saturating_add(self.body.endpoint.memory_bound());
        let layers = layers.saturating_add(self.body.lxmf.memory_bound());
        let layers = layers.saturating_add(self.body.crossings.memory_bound());
        let books = self.body.books.as_ref().map_or(0, |books| books.memory_bound());
        let layers = layers.saturating_add(books);
        layers.saturating_add(Tickets::MEMORY_BOUND).saturating_add(signals).saturating_add(outputs)
    }
}

impl Body {
    fn tell(&mut self, cx: Cx, input: Input, signals: &mut VecDeque<Signal>, outputs: &mut VecDeque<Output>) {
        use nexus_network::Input as N;
        use nexus_secure::Input as S;
        match input {
            Input::Frame { iface, from, bytes } => {
                self.network.handle(cx, N::Frame { iface, from, bytes }, signals);
            }
            Input::Up { iface, profile } => self.network.handle(cx, N::Up(iface, profile), signals),
            Input::Down { iface } => self.network.handle(cx, N::Down(iface), signals),
            Input::TxReady { iface } => self.network.handle(cx, N::TxReady(iface), signals),
            Input::ChannelBusy { iface } => self.network.handle(cx, N::ChannelBusy(iface), signals),
            Input::ChannelClear { iface } => self.network.handle(cx, N::ChannelClear(iface), signals),
            Input::Read { number, value } => {
                let read = nexus_economy::ledger::organ::Input::Read { number, value };
                self.tell_ledger(cx, read, signals);
            }
            Input::Persisted { through } => self.persisted(cx, through, signals),
            Input::Entropy(bytes) => {
                self.secure.handle(cx, S::Entropy(bytes), signals);
                self.network.handle(cx, N::Entropy(bytes), signals);
                self.economy.handle(cx, nexus_economy::layer::Input::Entropy(bytes), signals);
                self.endpoint.handle(cx, nexus_endpoint::Input::Entropy(bytes), signals);
                self.lxmf.handle(cx, nexus_endpoint::lxmf::Input::Entropy(bytes), signals);
            }
            Input::WallClock { unix_s, error_s } => {
                let parted = self.clock.read(WallClock { unix_s, error_s, read_at: cx.now });
                if let Some(by) = parted {
                    outputs.push_back(Output::Event(Event::ClocksParted { by }));
                    self.network.handle(cx, N::ClocksParted, signals);
                }
            }
            Input::Command(command) => self.command(cx, command, signals, outputs),
        }
    }

    /// What the operator or an application wants.
    fn command(
        &mut self,
        cx: Cx,
        command: Command,
        signals: &mut VecDeque<Signal>,
        outputs: &mut VecDeque<Output>,
    ) {
        use nexus_economy::layer::Input as E;
        use nexus_network::Input as N;
        use nexus_secure::Input as S;
        match command {
            Command::Start => {
                self.secure.handle(cx, S::Start, signals);
                self.order_what_lacks(cx, signals, outputs);
            }
            Command::Announce => self.network.handle(cx, N::Announce, signals),
            Command::Save => self.network.handle(cx, N::Save, signals),
            Command::Dial { iface, to, expected } => {
                self.network.handle(cx, N::Dial { iface, to, expected }, signals);
            }
            Command::Undial { iface, to } => {
                self.network.handle(cx, N::Undial { iface, to }, signals);
            }
            Command::Policy(policy) => self.network.handle(cx, N::Policy(policy), signals),
            Command::AccessCodes { iface, codes } => {
                self.network.handle(cx, N::AccessCodes { iface, codes }, signals);
            }
            Command::SayTunnel { iface, interface } => {
                self.network.handle(cx, N::SayTunnel { iface, interface }, signals);
            }
            Command::Recognised { iface, peer } => {
                self.network.handle(cx, N::Recognised(iface, peer), signals);
            }
            Command::Price { iface, price } => {
                self.network.handle(cx, N::Price { iface, price }, signals);
            }
            Command::Weigh { node, weight } => {
                self.network.handle(cx, N::Weigh { node, weight }, signals);
            }
            Command::ForgetPaths { destination } => {
                self.network.handle(cx, N::Forget(destination), signals);
            }
            Command::FindPath { destination } => {
                let motive = SearchMotive::Wish;
                self.network.handle(cx, N::Find { destination, motive }, signals);
            }
            Command::Send(outgoing) => self.secure.handle(cx, S::Send(outgoing), signals),
            Command::Prefer(policy) => self.preferred = policy,
            Command::Cross => self.cross(cx, signals),
            Command::Endpoint(command) => self.tell_endpoint(cx, command, signals),
            Command::Lxmf(command) => {
                self.lxmf.handle(cx, nexus_endpoint::lxmf::Input::Command(command), signals);
            }
            Command::Ledger(command) => self.command_ledger(cx, command, signals, outputs),
            Command::Forget { through } => {
                self.secure.handle(cx, S::Forget { through }, signals);
            }
            Command::Trust(trust) => self.trust(cx, &trust, signals),
            Command::Terms { price, line } => self.economy.set_terms(price, line),
            Command::Certified { channel, side, deposit } => {
                self.economy.handle(cx, E::Certified { channel, side, deposit }, signals);
            }
            Command::Shown(state) => self.economy.handle(cx, E::Seen(*state), signals),
            Command::Channel { peer, command } => {
                self.economy.handle(cx, E::Command(peer, command), signals);
            }
        }
    }

    /// The endpoint is a program on this machine from the first command on.
    fn tell_endpoint(&mut self, cx: Cx, command: nexus_endpoint::Command, signals: &mut VecDeque<Signal>) {
        self.attach(cx, signals);
        self.endpoint.handle(cx, nexus_endpoint::Input::Command(command), signals);
    }

    fn persisted(&mut self, cx: Cx, through: Ticket, signals: &mut VecDeque<Signal>) {
        while let Some((writer, number)) = self.tickets.completed(through) {
            match writer {
                Writer::Network(by) => {
                    let through = number;
                    self.network.handle(cx, nexus_network::Input::Durable { by, through }, signals);
                }
                Writer::Secure(by) => {
                    let through = number;
                    self.secure.handle(cx, nexus_secure::Input::Durable { by, through }, signals);
                }
                Writer::Economy(by) => {
                    let through = number;
                    self.economy.handle(cx, nexus_economy::layer::Input::Durable { by, through }, signals);
                }
                Writer::Ledger => self.ledger_durable(cx, number, signals),
                Writer::Purse => {
                    self.tell_purse(cx, nexus_economy::ledger::purse::Input::Durable(number), signals);
                }
                Writer::Endpoint => {
                    self.endpoint.handle(cx, nexus_endpoint::Input::Durable(number), signals);
                }
            }
        }
    }

    /// The endpoint's interface is up from its first use on.
    pub(crate) fn attach(&mut self, cx: Cx, signals: &mut VecDeque<Signal>) {
        if self.attached == Attached::NotYet {
            self.attached = Attached::Attached;
            self.network.handle(cx, nexus_network::Input::Up(ENDPOINT, ENDPOINT_PROFILE), signals);
        }
    }
}
