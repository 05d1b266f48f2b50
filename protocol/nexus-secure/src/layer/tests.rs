//! Two layers and whatever lies between them: loss, repetition, forgery, a disk, a crash.

mod crashes;
mod notes;
mod refusals;
mod sending;
mod taking;
mod tracing;

use super::*;
use alloc::collections::BTreeMap;
use alloc::vec;
use nexus_crypto::IdentitySeed;
use nexus_crypto::exchange::RecipientPublic;
use nexus_machine::{Config, Slab, Traces, WallClock};
use nexus_network::{Hop, LinkId};
use nexus_wire::nexus::end_to_end::Service;

use crate::contract::{Authorship, Content, Sender};
use crate::correspondence::Refusals;
use crate::envelope::{self, Letter};

const UNIX: u64 = 1_700_000_000;
/// Who sends, and who receives.
const ANN: usize = 0;
const BOB: usize = 1;

/// Two parties, what they know of each other, and what is on its way between them.
struct World {
    parties: [Party; 2],
    known: BTreeMap<NodeId, Recipient>,
    /// By receiver.
    air: VecDeque<(usize, Vec<u8>)>,
    jobs: VecDeque<(usize, Job)>,
    now: Instant,
    limits: Limits,
    path: Path,
    /// After how many more jobs of Bob's he loses power.
    crash_in: Option<u32>,
    /// What everybody knows of every way.
    way_back: Option<CompactPathCost>,
    /// By what everything was sent.
    policies: Vec<Option<PathPolicy>>,
    /// How urgent proofs and packets were that left.
    classes: Vec<Class>,
    traces: Traces,
    /// Who was to be looked for.
    wanted: Vec<NodeId>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Path {
    Open,
    None,
}

struct Party {
    layer: Secure,
    store: Snapshot,
    starts: u8,
    events: Vec<Effect>,
}

/// What the host of a party does next.
enum Job {
    Serve(Effect),
    Tell(Input),
}

impl World {
    fn new() -> Self {
        Self::with(Limits { outgoing: 8, inbox: 100, remembered: 50 })
    }

    fn with(limits: Limits) -> Self {
        let party = |n: usize| {
            let store = Snapshot::empty();
            Party { layer: layer(n, 0, limits, &store), store, starts: 1, events: Vec::new() }
        };
        let mut world = Self {
            parties: [party(ANN), party(BOB)],
            known: BTreeMap::new(),
            air: VecDeque::new(),
            jobs: VecDeque::new(),
            now: Instant::BOOT,
            limits,
            path: Path::Open,
            crash_in: None,
            way_back: None,
            policies: Vec::new(),
            classes: Vec::new(),
            traces: Traces::Answered,
            wanted: Vec::new(),
        };
        world.tell(ANN, Input::Start);
        world.tell(BOB, Input::Start);
        world
    }

    fn cx(&self) -> Cx {
        let wall = WallClock { unix_s: UNIX, error_s: 0, read_at: Instant::BOOT };
        let config = Config { traces: self.traces, ..Config::default() };
        Cx { wall: Some(wall), config, ..Cx::at(self.now) }
    }

    /// Tells a party something, and serves both until nothing is left to do but to carry packets.
    fn tell(&mut self, who: usize, input: Input) {
        self.jobs.push_back((who, Job::Tell(input)));
        self.settle();
    }

    fn settle(&mut self) {
        while let Some((who, job)) = self.jobs.pop_front() {
            if who == BOB && self.crash_is_due() {
                self.restart(BOB);
                continue;
            }
            match job {
                Job::Tell(input) => self.hand(who, input),
                Job::Serve(effect) => self.serve(who, effect),
            }
        }
    }

    fn hand(&mut self, who: usize, input: Input) {
        let mut out: VecDeque<Effect> = VecDeque::new();
        let cx = self.cx();
        self.parties[who].layer.handle(cx, input, &mut out);
        self.jobs.extend(out.into_iter().map(|effect| (who, Job::Serve(effect))));
    }

    fn serve(&mut self, who: usize, effect: Effect) {
        match effect {
            Effect::EntropyWanted => {
                let entropy = [self.parties[who].starts; 32];
                self.jobs.push_back((who, Job::Tell(Input::Entropy(entropy))));
            }
            Effect::Ready(ratchet) => {
                let public = *identity(who).public().identity();
                self.known.insert(node(who), Recipient { public, ratchet: Some(ratchet) });
            }
            Effect::Write { by, number, writes } => {
                for write in writes {
                    self.parties[who].store.apply(write);
                }
                self.jobs.push_back((who, Job::Tell(Input::Durable { by, through: number })));
            }
            Effect::Lookup { node, token } => {
                let recipient = self.known.get(&node).copied();
                let way = self.way_back;
                self.jobs.push_back((who, Job::Tell(Input::Found { token, recipient, way })));
            }
            Effect::Try { .. } | Effect::Tried { .. } => {}
            // Nobody is looked for: whoever is known is known from the start.
            Effect::Wanted(node) => self.wanted.push(node),
            Effect::Originate { handle, packet, policy, class } => {
                self.policies.push(policy);
                self.classes.push(class);
                let outcome = match self.path {
                    Path::Open => {
                        self.air.push_back((1 - who, packet));
                        Originated::Left(Hop::Link(LinkId(Slab::new(1).insert(()).unwrap())))
                    }
                    Path::None => Originated::NoPath,
                };
                self.jobs.push_back((who, Job::Tell(Input::Originated { handle, outcome })));
            }
            Effect::Prove(packet, class) => {
                self.classes.push(class);
                self.air.push_back((1 - who, packet));
            }
            Effect::Noted { .. }
            | Effect::MessageArrived(_)
            | Effect::Attempted { .. }
            | Effect::Delivered { .. }
            | Effect::Traced { .. }
            | Effect::Undelivered { .. } => self.parties[who].events.push(effect),
        }
    }

    fn crash_is_due(&mut self) -> bool {
        let due = self.crash_in == Some(0);
        self.crash_in = self.crash_in.and_then(|jobs| jobs.checked_sub(1));
        due
    }

    /// What was not durable is lost, and what was to be done.
    fn restart(&mut self, who: usize) {
        self.jobs.retain(|(of, _)| *of != who);
        let party = &mut self.parties[who];
        party.layer = layer(who, party.starts, self.limits, &party.store);
        party.starts += 1;
        self.jobs.push_back((who, Job::Tell(Input::Start)));
    }

    /// Carries what is in the air, and what that brings into the air.
    fn carry(&mut self) {
        while let Some((to, packet)) = self.air.pop_front() {
            self.tell(to, Input::Arrived(packet, Class::Interactive, None));
        }
    }

    /// Carries one packet that is in the air.
    fn carry_one(&mut self) {
        let (to, packet) = self.air.pop_front().expect("something is in the air");
        self.tell(to, Input::Arrived(packet, Class::Interactive, None));
    }

    /// Takes out of the air what is on its way to `to`.
    fn catch(&mut self, to: usize) -> Vec<Vec<u8>> {
        let (caught, left): (VecDeque<_>, VecDeque<_>) = self.air.drain(..).partition(|(of, _)| *of == to);
        self.air = left;
        caught.into_iter().map(|(_, packet)| packet).collect()
    }

    /// Lets time pass until something is due, and does it.
    fn wait(&mut self) {
        let due = earliest(self.parties.iter().map(|party| party.layer.next_timeout()));
        self.now = self.now.max(due.expect("something is due"));
        for who in [ANN, BOB] {
            let mut out: VecDeque<Effect> = VecDeque::new();
            let cx = self.cx();
            self.parties[who].layer.handle_timeout(cx, &mut out);
            self.jobs.extend(out.into_iter().map(|effect| (who, Job::Serve(effect))));
        }
        self.settle();
    }

    fn send(&mut self, handle: u64, text: &[u8], authorship: Authorship) {
        let content = Content::Message { text: text.to_vec(), authorship };
        let lifetime = Duration::from_secs(600);
        let to = node(BOB);
        self.tell(ANN, Input::Send(Outgoing { handle, to, content, lifetime, policy: None, class: None }));
    }

    fn probe(&mut self, handle: u64) {
        self.probe_with(handle, Content::Ping { padding: 0 }, None);
    }

    fn probe_with(&mut self, handle: u64, content: Content, policy: Option<PathPolicy>) {
        let (to, lifetime) = (node(BOB), Duration::from_secs(600));
        self.tell(ANN, Input::Send(Outgoing { handle, to, content, lifetime, policy, class: None }));
    }

    fn texts(&self, who: usize) -> Vec<&[u8]> {
        self.parties[who].layer.correspondence().inbox().map(|message| message.text.as_slice()).collect()
    }

    fn refusals(&self, who: usize) -> &Refusals {
        self.parties[who].layer.correspondence().refusals()
    }

    fn ends(&self) -> Vec<&Effect> {
        let is_end = |effect: &&Effect| {
            matches!(effect, Effect::Delivered { .. } | Effect::Traced { .. } | Effect::Undelivered { .. })
        };
        self.parties[ANN].events.iter().filter(is_end).collect()
    }

    fn ratchet(&self, who: usize) -> RatchetPublic {
        self.known[&node(who)].ratchet.expect("announced")
    }
}

fn identity(n: usize) -> NodeIdentity {
    NodeIdentity::from_seed(IdentitySeed::from_bytes([u8::try_from(n + 1).unwrap(); 32]))
}

fn node(n: usize) -> NodeId {
    identity(n).node_id()
}

fn layer(n: usize, starts: u8, limits: Limits, store: &Snapshot) -> Secure {
    let seed = [u8::try_from(n).unwrap(), starts].repeat(16).try_into().unwrap();
    Secure::new(identity(n), limits, store, &Seed::new(seed))
}

/// A message that an outsider sealed to Bob.
fn forged(key: RecipientPublic<'_>, text: &[u8], author: Option<&NodeIdentity>) -> Vec<u8> {
    let letter = Letter { service: Service::MESSAGE, reply_to: None, request_id: 7, body: text };
    let mut random = Seed::new([77; 32]).fork("outsider");
    envelope::seal(&letter, &node(BOB), key, author, &mut random).unwrap()
}
