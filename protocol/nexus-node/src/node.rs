//! The node: its layers, and the wires between them.

use alloc::boxed::Box;
use alloc::collections::VecDeque;
use alloc::vec::Vec;

use nexus_crypto::{DestinationHash, IdentitySeed, NodeId, NodeIdentity, ReticulumIdentity};
use nexus_economy::Economy;
use nexus_endpoint::lxmf::Claim;
use nexus_endpoint::{Crossings, Endpoint, Lxmf};
use nexus_machine::{
    Config, Cx, Duration, Instant, Machine, MemoryBound, Seed, Snapshot, Ticket, WallClock, Write, earliest,
};
use nexus_network::{
    Access, AppData, DutyCycle, InterfaceId, Mode, Network, Opened, PathPolicy, Profile, Reach, Role,
    Routing, SearchMotive, Tapping, Timing,
};
use nexus_secure::{Foreign, Ratchets, Secure, Sender};
use nexus_wire::nexus::end_to_end::Service;

use crate::books::{Bookkeeping, neighbour};
use crate::contract::{Command, Event, Input, LxmfEvent, Output};
use crate::crossing::{Told, slot_of};

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

/// What the layers say.
#[derive(Debug)]
pub(crate) enum Signal {
    Network(nexus_network::Effect),
    Secure(nexus_secure::Effect),
    Endpoint(nexus_endpoint::Effect),
    Lxmf(nexus_endpoint::lxmf::Effect),
    Crossings(nexus_endpoint::crossings::Effect),
    Economy(nexus_economy::layer::Effect),
    Ledger(nexus_economy::ledger::organ::Effect),
    Purse(nexus_economy::ledger::purse::Effect),
}

impl From<nexus_economy::layer::Effect> for Signal {
    fn from(effect: nexus_economy::layer::Effect) -> Self {
        Self::Economy(effect)
    }
}

impl From<nexus_economy::ledger::organ::Effect> for Signal {
    fn from(effect: nexus_economy::ledger::organ::Effect) -> Self {
        Self::Ledger(effect)
    }
}

impl From<nexus_economy::ledger::purse::Effect> for Signal {
    fn from(effect: nexus_economy::ledger::purse::Effect) -> Self {
        Self::Purse(effect)
    }
}

impl From<nexus_endpoint::lxmf::Effect> for Signal {
    fn from(effect: nexus_endpoint::lxmf::Effect) -> Self {
        Self::Lxmf(effect)
    }
}

impl From<nexus_endpoint::crossings::Effect> for Signal {
    fn from(effect: nexus_endpoint::crossings::Effect) -> Self {
        Self::Crossings(effect)
    }
}

impl From<nexus_endpoint::Effect> for Signal {
    fn from(effect: nexus_endpoint::Effect) -> Self {
        Self::Endpoint(effect)
    }
}

impl From<nexus_network::Effect> for Signal {
    fn from(effect: nexus_network::Effect) -> Self {
        Self::Network(effect)
    }
}

impl From<nexus_secure::Effect> for Signal {
    fn from(effect: nexus_secure::Effect) -> Self {
        Self::Secure(effect)
    }
}

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

    /// The whole nervous system between layers, one short arm per conversation.
    fn wire(
        &mut self,
        cx: Cx,
        signal: Signal,
        signals: &mut VecDeque<Signal>,
        outputs: &mut VecDeque<Output>,
    ) {
        match signal {
            Signal::Network(effect) => self.wire_network(cx, effect, signals, outputs),
            Signal::Secure(effect) => self.wire_secure(cx, effect, signals, outputs),
            Signal::Endpoint(effect) => self.wire_endpoint(cx, effect, signals, outputs),
            Signal::Lxmf(effect) => self.wire_lxmf(cx, effect, signals, outputs),
            Signal::Crossings(effect) => self.wire_crossings(cx, &effect, signals),
            Signal::Economy(effect) => self.wire_economy(cx, effect, signals, outputs),
            Signal::Ledger(effect) => self.wire_ledger(cx, effect, signals, outputs),
            Signal::Purse(effect) => self.wire_purse(cx, effect, signals, outputs),
        }
    }

    fn wire_network(
        &mut self,
        cx: Cx,
        effect: nexus_network::Effect,
        signals: &mut VecDeque<Signal>,
        outputs: &mut VecDeque<Output>,
    ) {
        use nexus_network::{Effect as N, Frame, Sighting};
        use nexus_secure::Input as S;
        match effect {
            N::Transmit(Frame { iface: ENDPOINT, bytes, .. }) => {
                self.endpoint.handle(cx, nexus_endpoint::Input::Packet(bytes), signals);
                self.network.handle(cx, nexus_network::Input::TxReady(ENDPOINT), signals);
            }
            N::Transmit(Frame { iface, bytes, .. }) if let Some(slot) = slot_of(iface) => {
                self.say_across(cx, slot, bytes, signals);
            }
            N::Transmit(Frame { iface, to, bytes, about: _, load: _, flow: _, under: _ }) => {
                outputs.push_back(Output::Transmit { iface, to, bytes });
            }
            N::Sense(iface) => outputs.push_back(Output::Sense { iface }),
            N::Jammed(iface) => outputs.push_back(Output::Event(Event::ChannelJammed { iface })),
            N::Write { by, number, write } => {
                outputs.push_back(self.tickets.issue(Writer::Network(by), number, Vec::from([write])));
            }
            N::Reached(Sighting { destination, emitted_at, hops, iface }) => {
                outputs.push_back(Output::Event(Event::Reached { destination, emitted_at, hops, iface }));
                self.secure.handle(cx, S::Reached(destination), signals);
                self.may_cross(cx, &destination, signals);
            }
            N::LinkUp(link) => {
                self.introduce(cx, &link, signals);
                let linked = nexus_economy::ledger::organ::Input::Linked(neighbour(link.id.0));
                self.tell_ledger(cx, linked, signals);
                outputs.push_back(Output::Event(Event::LinkUp(*link)));
            }
            N::Store(effect) => self.wire_store(cx, effect, signals),
            N::Key(public) => {
                let (node, key) = (public.node_id(), public.verifying());
                self.tell_ledger(cx, nexus_economy::ledger::organ::Input::Key(node, key), signals);
            }
            N::OfMoney { from, kind, body } => self.hear_of_money(cx, from, kind, body, signals),
            N::Counted { node, .. } => self.counted(cx, node, signals),
            N::ChannelWanted(node) => self.channel_wanted(cx, node, signals),
            N::LinkDown { last, why } => {
                let unlinked = nexus_economy::ledger::organ::Input::Unlinked(neighbour(last.id.0));
                self.tell_ledger(cx, unlinked, signals);
                if let Some(slot) = slot_of(last.iface) {
                    let given_up = nexus_endpoint::crossings::Input::GivenUp { slot };
                    self.crossings.handle(cx, given_up, signals);
                }
                self.take_leave(cx, &last, signals);
                outputs.push_back(Output::Event(Event::LinkDown { last: *last, why }));
            }
            N::Arrived { packet, class, from } => {
                self.secure.handle(cx, S::Arrived(packet, class, from), signals);
            }
            N::Originated { handle, outcome } => {
                self.secure.handle(cx, S::Originated { handle, outcome }, signals);
            }
            N::EntropyWanted => outputs.push_back(Output::Event(Event::EntropyWanted)),
            N::Probe { number, node, recipient } => {
                self.secure.handle(cx, S::Try { number, node, recipient: *recipient }, signals);
            }
            N::PathFound { destination, hops, after } => {
                outputs.push_back(Output::Event(Event::PathFound { destination, hops, after }));
                self.secure.handle(cx, S::Reached(destination), signals);
            }
            N::PathNotFound { destination } => {
                outputs.push_back(Output::Event(Event::PathNotFound { destination }));
            }
            N::Announced { emitted_at } => outputs.push_back(Output::Event(Event::Announced { emitted_at })),
        }
    }

    /// The endpoint's interface is up from its first use on.
    pub(crate) fn attach(&mut self, cx: Cx, signals: &mut VecDeque<Signal>) {
        if self.attached == Attached::NotYet {
            self.attached = Attached::Attached;
            self.network.handle(cx, nexus_network::Input::Up(ENDPOINT, ENDPOINT_PROFILE), signals);
        }
    }

    fn wire_endpoint(
        &mut self,
        cx: Cx,
        effect: nexus_endpoint::Effect,
        signals: &mut VecDeque<Signal>,
        outputs: &mut VecDeque<Output>,
    ) {
        use nexus_endpoint::Effect as E;
        match effect {
            E::EntropyWanted => outputs.push_back(Output::Event(Event::EntropyWanted)),
            E::Write { number, writes } => {
                outputs.push_back(self.tickets.issue(Writer::Endpoint, number, writes));
            }
            E::Transmit(bytes) => {
                let frame = nexus_network::Input::Frame { iface: ENDPOINT, from: None, bytes };
                self.network.handle(cx, frame, signals);
            }
            E::Recall(destination) => {
                let announce = self.network.announces().announce_of(&destination);
                let recalled = nexus_endpoint::Input::Recalled { destination, announce };
                self.endpoint.handle(cx, recalled, signals);
            }
            E::Event(event) if self.tell_crossings(cx, &event, signals) == Told::Crossings => {}
            E::Event(event) => match self.lxmf.claim(&event) {
                Claim::Claimed => {
                    self.lxmf.handle(cx, nexus_endpoint::lxmf::Input::Endpoint(*event), signals);
                }
                Claim::Another => outputs.push_back(Output::Event(Event::Endpoint(event))),
            },
        }
    }

    fn wire_lxmf(
        &mut self,
        cx: Cx,
        effect: nexus_endpoint::lxmf::Effect,
        signals: &mut VecDeque<Signal>,
        outputs: &mut VecDeque<Output>,
    ) {
        use nexus_endpoint::lxmf::{Effect as L, Signed};
        match effect {
            L::Endpoint(command) => self.tell_endpoint(cx, command, signals),
            L::Arrived(letter) => {
                let sender = match letter.signature {
                    Signed::Verified => Sender::Foreign(letter.source),
                    Signed::Claimed => Sender::ForeignClaimed(letter.source),
                };
                let foreign = Foreign { sender, fingerprint: letter.id.short(), text: letter.into_text() };
                self.secure.handle(cx, nexus_secure::Input::Keep(foreign), signals);
            }
            L::Delivered { handle, way, attempts, after } => {
                outputs.push_back(Output::Event(Event::Lxmf(LxmfEvent::Delivered {
                    handle,
                    way,
                    attempts,
                    after,
                })));
            }
            L::Undelivered { handle, why } => {
                outputs.push_back(Output::Event(Event::Lxmf(LxmfEvent::Undelivered { handle, why })));
            }
        }
    }

    fn wire_secure(
        &mut self,
        cx: Cx,
        effect: nexus_secure::Effect,
        signals: &mut VecDeque<Signal>,
        outputs: &mut VecDeque<Output>,
    ) {
        use nexus_network::Input as N;
        use nexus_secure::Effect as S;
        match effect {
            S::EntropyWanted => outputs.push_back(Output::Event(Event::EntropyWanted)),
            S::Ready(public) => self.network.handle(cx, N::Ratchet(public), signals),
            S::Write { by, number, writes } => {
                outputs.push_back(self.tickets.issue(Writer::Secure(by), number, writes));
            }
            S::Lookup { node, token } => {
                let (announces, destination) = (self.network.announces(), node.into());
                let recipient = announces.recipient(&destination);
                let way = announces.way(&destination, self.preferred);
                self.secure.handle(cx, nexus_secure::Input::Found { token, recipient, way }, signals);
            }
            S::Try { number, packet } => self.network.handle(cx, N::Probe { number, packet }, signals),
            S::Tried { number } => self.network.handle(cx, N::Probed { number }, signals),
            S::Wanted(node) => {
                let (destination, motive) = (node.into(), SearchMotive::Packet);
                self.network.handle(cx, N::Find { destination, motive }, signals);
            }
            S::Originate { handle, packet, policy, class } => {
                let policy = policy.unwrap_or(self.preferred);
                self.network.handle(cx, N::Originate { handle, packet, policy, class }, signals);
            }
            S::Prove(packet, class) => self.network.handle(cx, N::Prove { packet, class }, signals),
            S::Noted { service: Service::WITNESSES, reply_to, body } => {
                self.hear_note(cx, reply_to, &body, signals);
            }
            S::Noted { .. } => {}
            S::MessageArrived(message) => outputs.push_back(Output::Event(Event::MessageArrived(message))),
            S::Attempted { handle, attempt } => {
                outputs.push_back(Output::Event(Event::Attempted { handle, attempt }));
            }
            S::Delivered { handle, attempts, round_trip } => {
                outputs.push_back(Output::Event(Event::Delivered { handle, attempts, round_trip }));
            }
            S::Traced { handle, attempts, round_trip, traced } => {
                outputs.push_back(Output::Event(Event::Traced { handle, attempts, round_trip, traced }));
            }
            S::Undelivered { handle, why } => {
                outputs.push_back(Output::Event(Event::Undelivered { handle, why }));
            }
        }
    }
}

/// Both of a node's clocks, as far as it was told.
#[derive(Debug, Default)]
struct Clock {
    /// The latest monotonic moment seen: a host that breaks the contract cannot turn time back.
    monotonic: Instant,
    wall: Option<WallClock>,
}

/// Wall and monotonic clocks may part by this much between two readings, beyond what the readings say of their error.
const CLOCK_TOLERANCE: Duration = Duration::from_secs(5);

impl Clock {
    fn context(&mut self, now: Instant, config: Config) -> Cx {
        self.monotonic = self.monotonic.max(now);
        Cx { now: self.monotonic, wall: self.wall, config }
    }

    /// Takes a reading; by how much the clocks parted since the last one, if that is more than they may.
    fn read(&mut self, reading: WallClock) -> Option<Duration> {
        let last = self.wall.replace(reading)?;
        let errors = Duration::from_secs(u64::from(last.error_s.saturating_add(reading.error_s)));
        Some(last.parted_from(&reading)).filter(|by| *by > CLOCK_TOLERANCE.plus(errors))
    }
}

/// Who wrote.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Writer {
    Network(nexus_network::Writer),
    Secure(nexus_secure::Writer),
    Economy(nexus_economy::layer::Writer),
    Endpoint,
    Ledger,
    Purse,
}

/// The node-wide ticket counter, and which organ waits for which ticket.
#[derive(Debug, Default)]
pub(crate) struct Tickets {
    last: Ticket,
    /// In the order of the tickets. Bounded by the organs' gates.
    waiting: VecDeque<(Ticket, Writer, u64)>,
}

impl Tickets {
    /// Gates with room for 87 in all, and one write for each account of airtime, of which there are fewer than 512 names; three for each
    /// of 256 neighbours with whom there are accounts of money; a ring grows by doubling from four.
    const MEMORY_BOUND: usize = 2_048 * size_of::<(Ticket, Writer, u64)>();

    pub(crate) fn issue(&mut self, by: Writer, number: u64, writes: Vec<Write>) -> Output {
        self.last = self.last.next();
        self.waiting.push_back((self.last, by, number));
        Output::Persist { ticket: self.last, writes }
    }

    fn completed(&mut self, through: Ticket) -> Option<(Writer, u64)> {
        let (_, writer, number) = self.waiting.pop_front_if(|(ticket, _, _)| *ticket <= through)?;
        Some((writer, number))
    }
}
