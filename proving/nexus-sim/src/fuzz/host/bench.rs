//! The nodes, their hosts and the frames between them.

mod rules;

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use nexus_crypto::{DestinationHash, NodeId};
use nexus_machine::{Config, Duration, Instant, MemoryBound as _, Seed, Snapshot, Stream, Ticket, Write};
use nexus_network::links::LinkId;
use nexus_network::{
    Access, AppData, DutyCycle, Endpoint, InterfaceId, Limits, Mode, Profile, Reach, announces, broadcast,
    forwarding, gossip, keys, links, media,
};
use nexus_node::{Authorship, Command, Content, Input, Node, Outgoing, Output, Setup};

use super::super::cast::{self, NODES, address, identity, node_id, number};
use super::super::flights::{Flight, Flights};
use super::{Held, Reached};

/// Interfaces of each: a cable between the first two, a local network, a radio channel, and a wire in clear among all.
pub(super) const IFACES: usize = 4;
const CABLE: usize = 0;
const NETWORK: usize = 1;
const RADIO: usize = 2;
const IN_CLEAR: usize = 3;
/// No input has more outputs.
const OUTPUTS: usize = 512;
/// Arrivals and wake-ups of one step, and of a whole script.
const STEP_EVENTS: u32 = 600;
const EVENTS: u32 = 4_000;
/// Hosts answer so often, at most, before all are at rest.
const ANSWERS: u32 = 20_000;
/// The longest that a run lasts.
const RUN_MAX: Duration = Duration::from_secs(3 * 3_600);
/// 2026-01-01.
const UNIX_S: u64 = 1_767_225_600;

pub(super) struct Bench {
    hosts: Vec<Host>,
    now: Instant,
    /// Which interfaces are plugged in, a bit each.
    plugged: u8,
    flights: Flights,
    sent: BTreeMap<Vec<u8>, usize>,
    /// Emissions that their owners made.
    emissions: BTreeSet<(DestinationHash, u64)>,
    /// Texts by number, with who wrote them to whom.
    letters: Vec<Letter>,
    /// What hosts are about to say to their nodes.
    answers: VecDeque<(usize, Input)>,
    answers_entropy: bool,
    disk: Disk,
    driver: Driver,
    /// Whether a frame arrived from where its sender is not: then an address may stand for two.
    addresses_lie: bool,
    held: Held,
    events: u32,
    random: Stream,
    reached: Reached,
}

struct Host {
    node: Node,
    /// What it holds on the heap, in bytes.
    heap: isize,
    up: BTreeMap<LinkId, (InterfaceId, NodeId)>,
    durable: Snapshot,
    appended: VecDeque<(Ticket, Vec<Write>)>,
    /// What the host has not answered.
    ready_owed: BTreeSet<InterfaceId>,
    /// The latest counter by interface, address and session.
    counters: BTreeMap<(InterfaceId, Option<Endpoint>, u16), u32>,
    clock_ahead_s: i64,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Disk {
    Prompt,
    Slow,
}

#[derive(Clone, Copy, PartialEq, Eq)]
struct Driver {
    /// Whether a frame is on the medium at once.
    prompt: bool,
    /// Whether somebody always transmits.
    jammed: bool,
}

struct Letter {
    from: usize,
    to: usize,
    authorship: Authorship,
    shown: bool,
}

/// The media, by interface; then others that come up in their place.
pub(super) fn profile(choice: u8) -> Profile {
    let (radio, modulation) = cast::radio();
    let slot = modulation.airtime(usize::from(radio.frame_size));
    let duty = DutyCycle::new(100).expect("a hundredth");
    let radio = Profile { access: Access::ListenBeforeTalk { slot }, duty, ..radio };
    match choice % 7 {
        0 => cast::CABLE,
        1 => Profile { reach: Reach::Addressed, ..cast::CABLE },
        2 => radio,
        3 => Profile { mode: Mode::Reticulum, frame_size: 500, ..cast::CABLE },
        4 => Profile { mode: Mode::Reticulum, ..radio },
        5 => Profile { bandwidth_bps: 9_600, frame_size: 200, ..cast::CABLE },
        _ => Profile { bandwidth_bps: 0, frame_size: u16::from(choice), ..cast::CABLE },
    }
}

/// Small, so that the bounds are met.
fn limits() -> Limits {
    Limits {
        links: links::Limits { links: 6, answering: 8, opening: 8, dials: 8, interfaces: 4 },
        forwarding: forwarding::Limits { duplicates: 64, reverse: 32, circuits: 8 },
        gossip: gossip::Limits { links: 4, items: 16, owed: 8, sent: 8 },
        keys: keys::Limits { keys: 8, links: 4 },
        media: media::Limits { interfaces: 4, frames: 16, bytes: 8_000 },
        broadcast: broadcast::Limits { links: 5, interfaces: 3 },
        announces: announces::Limits { known: 8, relays: 4, links: 6, paths: 16, cache_bytes: 2_000 },
    }
}

impl Host {
    fn boot(node: usize, durable: Snapshot, seed: &Seed, held: Held) -> Self {
        let setup = Setup {
            identity: identity(node),
            config: Config::default(),
            limits: limits(),
            app_data: AppData::default(),
            economy: nexus_node::economy::layer::Policy::default(),
            snapshot: durable.clone(),
        };
        let before = held();
        let made = Node::new(setup, seed);
        Self {
            node: made,
            heap: held() - before,
            up: BTreeMap::new(),
            durable,
            appended: VecDeque::new(),
            ready_owed: BTreeSet::new(),
            counters: BTreeMap::new(),
            clock_ahead_s: 0,
        }
    }
}

impl Bench {
    pub(super) fn new(plugged: u8, held: Held) -> Self {
        let mut random = Seed::new([0x0a; 32]).fork("bench");
        let mut boot = |node| Host::boot(node, Snapshot::empty(), &Seed::new(random.bytes()), held);
        let hosts = (0..NODES).map(&mut boot).collect();
        let mut bench = Self {
            hosts,
            now: Instant::BOOT,
            plugged,
            flights: Flights::default(),
            sent: BTreeMap::new(),
            emissions: BTreeSet::new(),
            letters: Vec::new(),
            answers: VecDeque::new(),
            answers_entropy: true,
            disk: Disk::Prompt,
            driver: Driver { prompt: true, jammed: false },
            addresses_lie: false,
            held,
            events: 0,
            random,
            reached: Reached::default(),
        };
        (0..NODES).for_each(|node| bench.start(node));
        bench
    }

    /// Whether so much happened that another script finds more.
    pub(super) const fn is_weary(&self) -> bool {
        self.events > EVENTS
    }

    pub(super) fn reached(&self) -> Reached {
        let refused = |host: &Host| {
            let network = host.node.network();
            network.links().refusals().by_name().map(|(_, count)| count).sum::<u64>()
        };
        Reached { refused: self.hosts.iter().map(refused).sum(), ..self.reached }
    }

    fn start(&mut self, node: usize) {
        self.tell_time(node);
        self.tell(node, &Input::Command(Command::Start));
        for nth in 0..IFACES {
            let number = u8::try_from(nth).expect("a few interfaces");
            if self.plugged >> nth & 1 == 0 {
                self.tell(node, &Input::Up { iface: InterfaceId(number), profile: profile(number) });
            }
        }
    }

    /// A crash: what was not durable is gone.
    pub(super) fn restart(&mut self, node: usize) {
        let seed = Seed::new(self.random.bytes());
        let (durable, ahead) = (self.hosts[node].durable.clone(), self.hosts[node].clock_ahead_s);
        self.hosts[node] = Host { clock_ahead_s: ahead, ..Host::boot(node, durable, &seed, self.held) };
        self.start(node);
    }

    // What a host does by itself.

    pub(super) fn entropy(&mut self, choice: u8) {
        self.answers_entropy = choice & 1 == 0;
        if choice & 2 != 0 {
            self.tell(usize::from(choice >> 2) % NODES, &Input::Entropy([choice; 32]));
        }
    }

    pub(super) fn disks(&mut self, choice: u8) {
        self.disk = if choice & 1 == 0 { Disk::Prompt } else { Disk::Slow };
        // Some of what was appended becomes durable.
        let node = usize::from(choice >> 4) % NODES;
        self.sync(node, usize::from(choice >> 1 & 7));
        self.settle();
    }

    fn sync(&mut self, node: usize, tickets: usize) {
        let host = &mut self.hosts[node];
        let count = tickets.min(host.appended.len());
        let mut through = None;
        for (ticket, writes) in host.appended.drain(..count) {
            for write in writes {
                host.durable.apply(write);
            }
            through = Some(ticket);
        }
        if let Some(through) = through {
            self.answers.push_back((node, Input::Persisted { through }));
        }
    }

    pub(super) fn drivers(&mut self, choice: u8) {
        self.driver = Driver { prompt: choice & 1 == 0, jammed: choice & 2 != 0 };
        for node in 0..NODES {
            for iface in std::mem::take(&mut self.hosts[node].ready_owed) {
                self.tell(node, &Input::TxReady { iface });
            }
        }
    }

    /// Somebody sets a clock, by seconds, days or decades, either way.
    pub(super) fn set_clock(&mut self, node: usize, choice: u8) {
        let unit = [1, 600, 86_400, 400_000_000][usize::from(choice & 3)];
        let by = i64::from(choice >> 3) * unit;
        let ahead = &mut self.hosts[node].clock_ahead_s;
        *ahead = ahead.saturating_add(if choice & 4 == 0 { by } else { -by });
        self.tell_time(node);
    }

    fn tell_time(&mut self, node: usize) {
        let elapsed = self.now.since(Instant::BOOT).as_secs();
        let unix_s = (UNIX_S + elapsed).saturating_add_signed(self.hosts[node].clock_ahead_s);
        self.tell(node, &Input::WallClock { unix_s, error_s: 1 });
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
            let next = self.hosts.iter().filter_map(|host| host.node.next_timeout()).min();
            let Some(next) = next.filter(|next| *next <= until) else { break };
            self.now = self.now.max(next);
            self.wake_due();
        }
        self.now = self.now.max(until);
        self.wake_due();
    }

    /// Time passes, and nobody is woken until it has: a machine that was suspended, if its wall clock is read again.
    pub(super) fn jump(&mut self, span: Duration) {
        self.now = self.now.after(span);
        (0..NODES).for_each(|node| self.wake(node));
    }

    fn wake_due(&mut self) {
        for node in 0..NODES {
            if self.hosts[node].node.next_timeout().is_some_and(|at| at <= self.now) {
                self.wake(node);
            }
        }
    }

    pub(super) fn wake(&mut self, node: usize) {
        let now = self.now;
        let outputs = self.act(node, |node| node.handle_timeout(now));
        let next = self.hosts[node].node.next_timeout();
        assert!(next.is_none_or(|next| next > now), "woken at {now:?}, wants {next:?}");
        self.carry_out(node, None, outputs);
        self.settle();
    }

    // Frames.

    pub(super) const fn flights(&mut self) -> &mut Flights {
        &mut self.flights
    }

    /// A frame arrives at all for whom it is meant.
    pub(super) fn deliver_one(&mut self, nth: u8) {
        let Some(Flight { from, iface, to, bytes }) = self.flights.take(nth) else { return };
        for node in (0..NODES).filter(|node| *node != from) {
            let hears = match iface {
                CABLE => node + from == 1,
                NETWORK => to.is_none_or(|to| to == address(number(node))),
                RADIO | IN_CLEAR => true,
                beyond => unreachable!("there is no interface {beyond}"),
            };
            if hears {
                let sender = address(number(from));
                self.arrive(node, iface, (iface == NETWORK).then_some(sender), &bytes);
            }
        }
    }

    /// A frame arrives that nobody sent there, or not so.
    pub(super) fn forged(&mut self, node: usize, iface: usize, from: Option<Endpoint>, bytes: &[u8]) {
        self.addresses_lie = true;
        self.arrive(node, iface, from, bytes);
    }

    fn arrive(&mut self, node: usize, iface: usize, from: Option<Endpoint>, bytes: &[u8]) {
        let iface = cast::interface(iface);
        let now = self.now;
        let input = Input::Frame { iface, from, bytes: bytes.to_vec() };
        let outputs = self.act(node, |node| node.handle(now, input.clone()));
        let by = self.sent.get(bytes).copied().filter(|by| *by != node);
        self.carry_out(node, by, outputs);
        self.settle();
    }

    // What nodes are told.

    /// A node is asked to send somebody a text of so many bytes, for so long.
    pub(super) fn write(
        &mut self,
        from: usize,
        to: usize,
        authorship: Authorship,
        lifetime: Duration,
        len: u8,
    ) {
        let to = to % NODES;
        let number = u64::try_from(self.letters.len()).expect("a few letters");
        self.letters.push(Letter { from, to, authorship, shown: false });
        let text = [&number.to_le_bytes()[..], &vec![b'x'; usize::from(len) * 2]].concat();
        self.send(from, to, Content::Message { text, authorship }, lifetime);
    }

    /// A node is asked to send something to another.
    pub(super) fn send(&mut self, from: usize, to: usize, content: Content, lifetime: Duration) {
        let handle = match &content {
            Content::Ping { .. } | Content::Trace | Content::Probe { .. } => {
                u64::MAX - u64::from(self.events)
            }
            Content::Message { .. } => u64::try_from(self.letters.len()).expect("a few letters") - 1,
        };
        let outgoing =
            Outgoing { handle, to: node_id(to % NODES), content, lifetime, policy: None, class: None };
        self.tell(from, &Input::Command(Command::Send(outgoing)));
    }

    pub(super) fn tell(&mut self, node: usize, input: &Input) {
        self.answers.push_back((node, input.clone()));
        self.settle();
    }

    /// Hosts answer until nobody asks.
    fn settle(&mut self) {
        for _ in 0..ANSWERS {
            let Some((node, input)) = self.answers.pop_front() else { return };
            let now = self.now;
            let outputs = self.act(node, |node| node.handle(now, input.clone()));
            self.carry_out(node, None, outputs);
        }
        panic!("nodes and hosts have questions without end");
    }

    /// Lets a node act, takes what it wants, and holds what it keeps on the heap against its word.
    fn act(&mut self, node: usize, act: impl FnOnce(&mut Node)) -> Vec<Output> {
        let (held, host) = (self.held, &mut self.hosts[node]);
        let before = held();
        act(&mut host.node);
        let (mut kept, mut copies) = (Vec::new(), 0);
        while let Some(output) = host.node.poll_output() {
            let made = held();
            kept.push(output.clone());
            copies += held() - made;
        }
        host.heap += held() - before - copies;
        let bound = isize::try_from(host.node.memory_bound()).expect("a bound fits");
        assert!(host.heap <= bound, "{} bytes held, {bound} declared", host.heap);
        assert!(kept.len() <= OUTPUTS, "{} outputs of one input", kept.len());
        self.events += 1;
        kept
    }

    /// Does what a node wants. `by` sent the frame that it answers, if anybody genuine did.
    fn carry_out(&mut self, node: usize, by: Option<usize>, outputs: Vec<Output>) {
        for output in outputs {
            match output {
                Output::Transmit { iface, to, bytes } => self.transmit(node, iface, to, bytes),
                Output::Sense { iface } => {
                    let heard = if self.driver.jammed {
                        Input::ChannelBusy { iface }
                    } else {
                        Input::ChannelClear { iface }
                    };
                    self.answers.push_back((node, heard));
                }
                Output::Persist { ticket, writes } if self.disk == Disk::Prompt => {
                    self.hosts[node].appended.push_back((ticket, writes));
                    self.sync(node, usize::MAX);
                }
                Output::Persist { ticket, writes } => self.hosts[node].appended.push_back((ticket, writes)),
                Output::Event(event) => self.look_at(node, by, event),
            }
        }
        let links = self.hosts[node].node.network().links();
        let listed = links.status().map(|status| (status.id, (status.iface, status.peer.node_id())));
        assert_eq!(self.hosts[node].up, listed.collect(), "what is up is what was said to be");
    }

    fn transmit(&mut self, node: usize, iface: InterfaceId, to: Option<Endpoint>, bytes: Vec<u8>) {
        self.look_at_counter(node, iface, to, &bytes);
        self.sent.insert(bytes.clone(), node);
        self.flights.begin(Flight { from: node, iface: usize::from(iface.0), to, bytes });
        if self.driver.prompt {
            self.answers.push_back((node, Input::TxReady { iface }));
        } else {
            self.hosts[node].ready_owed.insert(iface);
        }
    }
}
