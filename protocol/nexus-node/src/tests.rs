mod crossing;
mod endpoint;

use alloc::vec;
use alloc::vec::Vec;

use nexus_crypto::{DestinationHash, IdentitySeed, NodeId};
use nexus_machine::{Config, Cx, Duration, Instant, MemoryBound, Seed, Snapshot, Stream, Ticket, Write};
use nexus_network::{
    Access, AppData, DutyCycle, InterfaceId, Limits, Mode, Profile, Reach, Role, Timing, announces,
    broadcast, forwarding, gossip, keys, links, media,
};
use nexus_testkit::laws;

use crate::{
    Attempt, Authorship, Command, Content, Event, Input, Message, Node, Outgoing, Output, Sender, Setup,
    Undelivered,
};

const WIRE: InterfaceId = InterfaceId(3);
const UNIX: u64 = 1_700_000_000;

#[test]
fn a_first_start_asks_for_entropy_then_the_disk_twice_and_only_then_speaks() {
    let mut node = Bench::start(1, &Snapshot::empty());
    assert_eq!(node.outputs, [Output::Event(Event::EntropyWanted)]);
    let [Output::Persist { ticket: Ticket(1), .. }] = node.tell(Input::Entropy([9; 32]))[..] else {
        panic!("ratchet")
    };
    assert_eq!(
        node.tell(Input::Command(Command::Announce)),
        [],
        "without a durable ratchet nothing is announced"
    );
    let [Output::Persist { ticket: Ticket(2), .. }] = node.tell(durable(1))[..] else { panic!("emission") };
    let outputs = node.tell(durable(2));
    assert!(matches!(
        outputs[..],
        [
            Output::Event(Event::Announced { emitted_at: UNIX }),
            Output::Transmit { iface: WIRE, to: None, .. },
        ]
    ));
    assert_eq!(node.tell(durable(2)), [], "an acknowledgement repeated changes nothing");
}

#[test]
fn one_acknowledgement_covers_all_earlier_tickets_in_order() {
    let mut node = Bench::start(1, &Snapshot::empty());
    node.tell(Input::Entropy([9; 32]));
    let outputs = node.tell(durable(u64::MAX));
    assert!(
        matches!(outputs[..], [Output::Persist { ticket: Ticket(2), .. }]),
        "what is issued later is not covered"
    );
}

#[test]
fn a_restarted_node_announces_later_with_the_same_ratchet() {
    let mut store = Snapshot::empty();
    let first = Bench::announce(1, &mut store, UNIX);
    let second = Bench::announce(1, &mut store, UNIX - 100);
    assert_eq!((first.emitted_at, second.emitted_at), (UNIX, UNIX + 1));
    assert_eq!(first.ratchet, second.ratchet);
}

#[test]
fn two_nodes_on_a_wire_reach_each_other() {
    let (mut one, mut two) = (Bench::started(1), Bench::started(2));
    let (from_one, from_two) = (one.frames(), two.frames());
    assert_eq!(one.reached(&from_two), [two.address()]);
    assert_eq!(two.reached(&from_one), [one.address()]);
    assert_eq!(one.node.network().announces().known().count(), 1);
}

#[test]
fn what_is_sent_to_an_unknown_node_has_no_path_until_its_time_is_over() {
    let mut node = Bench::started(1);
    let to = NodeId([9; 16]);
    let lifetime = Duration::from_secs(3);
    let outgoing = Outgoing {
        handle: 4,
        to,
        content: Content::Ping { padding: 0 },
        lifetime,
        policy: None,
        class: None,
    };
    let attempted = Output::Event(Event::Attempted { handle: 4, attempt: Attempt::NoPath });
    assert_eq!(node.tell(Input::Command(Command::Send(outgoing))), core::slice::from_ref(&attempted));
    node.now = node.now.after(Duration::from_micros(2_500_000));
    assert_eq!(node.wake(), [attempted]);
    node.now = node.now.after(Duration::from_secs(1));
    let why = Undelivered::NoPath;
    assert_eq!(node.wake(), [Output::Event(Event::Undelivered { handle: 4, why })]);
}

#[test]
fn an_announce_that_is_heard_lets_what_waits_for_it_be_tried_at_once() {
    let (mut one, mut two) = (Bench::started(1), Bench::started(2));
    let content = Content::Message { text: b"hello".to_vec(), authorship: Authorship::Signed };
    let lifetime = Duration::from_secs(60);
    let outgoing =
        Outgoing { handle: 4, to: two.node.node_id(), content, lifetime, policy: None, class: None };
    let no_path = Output::Event(Event::Attempted { handle: 4, attempt: Attempt::NoPath });
    assert_eq!(one.tell(Input::Command(Command::Send(outgoing))), core::slice::from_ref(&no_path));
    let [announce] = &two.frames()[..] else { panic!("one announce") };
    let outputs = one.tell(Input::Frame { iface: WIRE, from: None, bytes: announce.clone() });
    let is_reached = |output: &Output| matches!(output, Output::Event(Event::Reached { .. }));
    assert!(outputs.iter().any(is_reached), "{outputs:?}");
    let sent = Output::Event(Event::Attempted { handle: 4, attempt: Attempt::Sent });
    assert!(outputs.contains(&sent), "at once, in clear: {outputs:?}");
    // Behind what the medium took before: this node's own announce, and its question for the way.
    let mut arrived = Vec::new();
    while arrived.is_empty() {
        let left = one.tell(Input::TxReady { iface: WIRE }).into_iter().find_map(|output| match output {
            Output::Transmit { bytes, .. } => Some(bytes),
            Output::Sense { .. } | Output::Persist { .. } | Output::Event(_) => None,
        });
        let outputs = two.tell(Input::Frame { iface: WIRE, from: None, bytes: left.expect("the packet") });
        arrived = outputs.into_iter().filter(|output| matches!(output, Output::Persist { .. })).collect();
    }
    // It is durable before anybody is told.
    assert!(matches!(arrived[..], [Output::Persist { .. }]), "{arrived:?}");
}

#[test]
fn the_inbox_outlives_a_restart_until_it_is_forgotten() {
    let mut store = Snapshot::empty();
    let value = [&UNIX.to_le_bytes()[..], &[7; 16], &[0], b"hello"].concat();
    store.apply(Write::set(nexus_secure::correspondence::INBOX, &3_u64.to_be_bytes(), value));
    let mut node = Bench::start(1, &store);
    let expected = Message { number: 3, sender: Sender::Anonymous, unix_s: UNIX, text: b"hello".to_vec() };
    assert_eq!(node.node.inbox().collect::<Vec<_>>(), [&expected]);
    let outputs = node.tell(Input::Command(Command::Forget { through: 3 }));
    assert!(matches!(outputs[..], [Output::Persist { .. }]));
    assert_eq!(node.node.inbox().count(), 0);
}

#[test]
fn clocks_that_part_are_reported_and_drift_is_not() {
    let mut node = Bench::start(1, &Snapshot::empty());
    node.now = node.now.after(Duration::from_secs(100));
    assert_eq!(node.tell(Input::WallClock { unix_s: UNIX + 103, error_s: 0 }), []);
    assert_eq!(
        node.tell(Input::WallClock { unix_s: UNIX + 203, error_s: 1 }),
        [
            Output::Event(Event::ClocksParted { by: Duration::from_secs(100) }),
            // No key is made before: this machine may be running twice.
            Output::Event(Event::EntropyWanted),
        ]
    );
}

#[test]
fn a_host_whose_clock_runs_backwards_cannot_turn_the_nodes_time_back() {
    let mut node = Bench::started(1);
    let due = node.node.next_timeout().unwrap();
    node.node.handle_timeout(due);
    let after = node.node.next_timeout().unwrap();
    node.node.handle(Instant::BOOT, Input::Command(Command::Announce));
    assert!(node.node.next_timeout().unwrap() >= after.before(Duration::from_secs(180)));
}

#[test]
fn a_node_obeys_the_laws() {
    let others: Vec<Vec<u8>> = (2..12).flat_map(|n| Bench::started(n).frames()).collect();
    laws::obeyed_by(
        "node",
        |seed| Driven(node(1, &Snapshot::empty(), seed)),
        |random, _| {
            let iface = InterfaceId(u8::try_from(random.below(3)).unwrap());
            match random.below(19) {
                0 => Input::Up {
                    iface,
                    profile: profile(if random.chance(1, 5) { Mode::Nexus } else { Mode::Reticulum }),
                },
                1 if random.chance(1, 4) => Input::Down { iface },
                2 => Input::Command(Command::Start),
                3 => Input::Command(Command::Announce),
                4 => Input::Entropy(random.bytes()),
                5 => Input::WallClock {
                    unix_s: random.next_u64() >> random.below(64),
                    error_s: random.next_u32(),
                },
                6 => durable(random.below(60)),
                7 => Input::ChannelBusy { iface },
                8 => Input::ChannelClear { iface },
                9 => Input::TxReady { iface },
                11 => Input::Command(Command::Forget { through: random.below(10) }),
                15 => Input::Command(Command::Cross),
                14 => Input::Command(Command::Endpoint(endpoint::wish(random))),
                12 | 13 => Input::Command(Command::Send(outgoing(random))),
                10 => {
                    let mut bytes = vec![0; usize::try_from(random.below(600)).unwrap()];
                    random.fill(&mut bytes);
                    Input::Frame { iface, from: None, bytes }
                }
                _ => {
                    let frame =
                        &others[usize::try_from(random.below(u64::try_from(others.len()).unwrap())).unwrap()];
                    Input::Frame { iface, from: None, bytes: frame.clone() }
                }
            }
        },
    );
}

// ───────────── helpers ─────────────

/// What an announce that was sent said.
struct Said {
    emitted_at: u64,
    ratchet: Option<nexus_crypto::RatchetPublic>,
}

struct Bench {
    node: Node,
    now: Instant,
    outputs: Vec<Output>,
}

impl Bench {
    const fn of(node: Node) -> Self {
        Self { node, now: Instant::BOOT, outputs: Vec::new() }
    }

    /// A node with one wire, a clock and a running host.
    fn start(n: u8, snapshot: &Snapshot) -> Self {
        Self::start_at(n, snapshot, UNIX)
    }

    fn start_at(n: u8, snapshot: &Snapshot, unix_s: u64) -> Self {
        let mut bench = Self::of(node(n, snapshot, &Seed::new([n; 32])));
        bench.tell(Input::WallClock { unix_s, error_s: 0 });
        bench.tell(Input::Up { iface: WIRE, profile: profile(Mode::Reticulum) });
        bench.outputs = bench.tell(Input::Command(Command::Start));
        bench
    }

    /// A node whose host answered everything that its start asked for.
    fn started(n: u8) -> Self {
        let mut bench = Self::start(n, &Snapshot::empty());
        bench.serve(&mut Snapshot::empty());
        bench
    }

    /// Starts a node on `store`, serves it, and returns what it announced.
    fn announce(n: u8, store: &mut Snapshot, unix_s: u64) -> Said {
        let mut bench = Self::start_at(n, &store.clone(), unix_s);
        bench.serve(store);
        let frame = bench.frames().pop().expect("announced");
        let packet = nexus_wire::reticulum::Packet::decode(&frame).unwrap();
        let announce = nexus_wire::reticulum::Announce::from_packet(&packet).unwrap();
        Said { emitted_at: announce.claim.random_hash.emitted_at(), ratchet: announce.claim.ratchet }
    }

    fn tell(&mut self, input: Input) -> Vec<Output> {
        self.node.handle(self.now, input);
        core::iter::from_fn(|| self.node.poll_output()).collect()
    }

    fn wake(&mut self) -> Vec<Output> {
        self.node.handle_timeout(self.now);
        core::iter::from_fn(|| self.node.poll_output()).collect()
    }

    /// Answers entropy and writes until nothing is asked for; keeps the rest.
    fn serve(&mut self, store: &mut Snapshot) {
        let mut pending = core::mem::take(&mut self.outputs);
        while !pending.is_empty() {
            let output = pending.remove(0);
            match output {
                Output::Event(Event::EntropyWanted) => pending.extend(self.tell(Input::Entropy([7; 32]))),
                Output::Persist { ticket, writes } => {
                    for write in writes {
                        store.apply(write);
                    }
                    pending.extend(self.tell(Input::Persisted { through: ticket }));
                }
                Output::Transmit { .. } | Output::Sense { .. } | Output::Event(_) => {
                    self.outputs.push(output);
                }
            }
        }
    }

    fn frames(&mut self) -> Vec<Vec<u8>> {
        let sent = |output: &Output| match output {
            Output::Transmit { bytes, .. } => Some(bytes.clone()),
            Output::Sense { .. } | Output::Persist { .. } | Output::Event(_) => None,
        };
        self.outputs.iter().filter_map(sent).collect()
    }

    fn reached(&mut self, frames: &[Vec<u8>]) -> Vec<DestinationHash> {
        let mut reached = Vec::new();
        for bytes in frames {
            for output in self.tell(Input::Frame { iface: WIRE, from: None, bytes: bytes.clone() }) {
                if let Output::Event(Event::Reached { destination, .. }) = output {
                    reached.push(destination);
                }
            }
        }
        reached
    }

    fn address(&self) -> DestinationHash {
        self.node.node_id().into()
    }
}

/// A node as a subject of the laws.
struct Driven(Node);

impl laws::Subject for Driven {
    type Input = Input;
    type Effect = Output;

    fn handle(&mut self, cx: Cx, input: Input) {
        self.0.handle(cx.now, input);
    }

    fn handle_timeout(&mut self, cx: Cx) {
        self.0.handle_timeout(cx.now);
    }

    fn next_timeout(&self) -> Option<Instant> {
        self.0.next_timeout()
    }

    fn pop(&mut self) -> Option<Output> {
        self.0.poll_output()
    }

    fn memory_bound(&self) -> usize {
        self.0.memory_bound()
    }
}

fn node(n: u8, snapshot: &Snapshot, seed: &Seed) -> Node {
    node_with(n, limits(), snapshot, seed)
}

fn limits() -> Limits {
    Limits {
        links: links::Limits { links: 4, answering: 8, opening: 8, dials: 8, interfaces: 4 },
        broadcast: broadcast::Limits { links: 4, interfaces: 4 },
        forwarding: forwarding::Limits { duplicates: 64, reverse: 32, circuits: 8 },
        gossip: gossip::Limits { links: 4, items: 16, owed: 8, sent: 8 },
        keys: keys::Limits { keys: 8, links: 4 },
        media: media::Limits { interfaces: 4, frames: 8, bytes: 4_000 },
        announces: announces::Limits { known: 8, relays: 4, links: 4, paths: 16, cache_bytes: 2_000 },
    }
}

fn node_with(n: u8, limits: Limits, snapshot: &Snapshot, seed: &Seed) -> Node {
    let setup = Setup {
        identity: IdentitySeed::from_bytes([n; 32]),
        config: Config::default(),
        limits,
        app_data: AppData::default(),
        economy: nexus_economy::layer::Policy::default(),
        snapshot: snapshot.clone(),
    };
    Node::new(setup, seed)
}

fn outgoing(random: &mut Stream) -> Outgoing {
    let to = Bench::start(u8::try_from(2 + random.below(12)).unwrap(), &Snapshot::empty()).node.node_id();
    let text = vec![7; usize::try_from(random.below(400)).unwrap()];
    let authorship = if random.chance(1, 2) { Authorship::Signed } else { Authorship::Anonymous };
    let content = if random.chance(1, 3) {
        Content::Ping { padding: 0 }
    } else {
        Content::Message { text, authorship }
    };
    let lifetime = Duration::from_secs(random.below(200));
    Outgoing { handle: random.below(100), to, content, lifetime, policy: None, class: None }
}

fn profile(mode: Mode) -> Profile {
    Profile {
        mode,
        reach: Reach::PointToPoint,
        access: Access::Direct,
        bandwidth_bps: 1_000_000,
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

fn durable(through: u64) -> Input {
    Input::Persisted { through: Ticket(through) }
}
