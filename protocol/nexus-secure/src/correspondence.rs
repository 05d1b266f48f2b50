//! The organ that sends until a receipt came, and takes in, keeps and acknowledges what arrives.
//!
//! Invariants: what is shown, and what is acknowledged, is durable first, together with what its repetition is known by;
//! nothing is shown twice; whatever was to be sent ends in exactly one of delivered and undelivered, with a fresh envelope for
//! every attempt; an answer is sealed to whom it goes. Spec: spec/secure.md#correspondence.

mod arriving;
mod errands;
mod inbox;
mod limits;
mod memory;
mod notes;
mod outbox;
mod probes;
mod trials;
use alloc::collections::VecDeque;
use alloc::vec;
use alloc::vec::Vec;

use nexus_crypto::exchange::EphemeralPublic;
use nexus_crypto::{DestinationHash, NodeId, NodeIdentity, NodePublic, RatchetId};
use nexus_machine::{
    Bucket, Cx, Duration, Gate, Instant, Machine, MemoryBound, Seed, Sink, Snapshot, Stream, TableId, Write,
};
use nexus_network::{Class, Originated, PathPolicy, Recipient};
use nexus_wire::nexus::end_to_end::Service;
use nexus_wire::nexus::path_cost::CompactPathCost;
use nexus_wire::reticulum::{PacketHash, Payload as _, Proof};

use crate::contract::{Attempt, Foreign, Message, Note, Outgoing, Traced, Undelivered};
use crate::envelope::{MAX_PACKET, MAX_PLAINTEXT, Plaintext, SealedPacket};
use errands::{Errand, Errands};
use inbox::{Inbox, Kept};
pub use limits::{Limits, Refusals};
use memory::Memory;
use outbox::Outbox;
use probes::Asked;
use trials::Trials;

/// What the organ is told.
#[derive(Clone, Debug)]
pub enum Input {
    /// The host is running: what is left over in the store may be cleared.
    Start,
    /// Fresh entropy, for the keys of envelopes.
    Entropy([u8; 32]),
    /// Send this.
    Send(Outgoing),
    /// A packet arrived for this node, as urgent as that.
    Arrived(Vec<u8>, Class, Option<NodeId>),
    /// It was sealed to this ratchet. Answers [`Effect::Open`].
    Opened {
        /// The ratchet.
        with: RatchetId,
        /// The packet.
        packet: SealedPacket,
        /// What it says.
        plaintext: Plaintext,
    },
    /// It was sealed to no ratchet. Answers [`Effect::Open`].
    Unopened(SealedPacket),
    /// What is known of a node. Answers [`Effect::Lookup`].
    Found {
        /// The effect's.
        token: u64,
        /// Its key and ratchet, if it is known.
        recipient: Option<Recipient>,
        /// What a packet's way there costs, if there is one.
        way: Option<CompactPathCost>,
    },
    /// What became of [`Effect::Originate`].
    Originated {
        /// The effect's.
        handle: u64,
        /// Whether it left.
        outcome: Originated,
    },
    /// Seal a probe of a node, and say [`Effect::Try`]; should the node prove that it came, [`Effect::Tried`].
    Try {
        /// Names the probe.
        number: u64,
        /// Whom.
        node: NodeId,
        /// What is known of it.
        recipient: Recipient,
    },
    /// There is a way to this destination: what waits for one is tried at once.
    Reached(DestinationHash),
    /// The write with this number, and all before it, are durable.
    Durable(u64),
    /// Say this once, if a way is known; look for one if not.
    Note(Note),
    /// Keep and show this, once.
    Keep(Foreign),
    /// The messages up to this number may be deleted.
    Forget {
        /// The last number.
        through: u64,
    },
    /// Nothing is opened with this ratchet again: what was remembered of it can go.
    Retired(RatchetId),
}

/// What the organ wants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Open this with a ratchet.
    Open(SealedPacket),
    /// Look up what is known of a node, and say [`Input::Found`].
    Lookup {
        /// The node.
        node: NodeId,
        /// Repeated in the answer.
        token: u64,
    },
    /// Nothing can be sent to this node for want of its key or of a way: look for it, and say [`Input::Reached`].
    Wanted(NodeId),
    /// Send this packet.
    Originate {
        /// Repeated in the answer.
        handle: u64,
        /// The packet.
        packet: Vec<u8>,
        /// By what its path is chosen; none for the node's own preference.
        policy: Option<PathPolicy>,
        /// How urgent it is.
        class: Class,
    },
    /// Send this probe by the path that it is to try.
    Try {
        /// The input's.
        number: u64,
        /// The packet.
        packet: Vec<u8>,
    },
    /// The probe of that number was proved by whom it went to.
    Tried {
        /// Which.
        number: u64,
    },
    /// Send this proof back along the way of the packet that it proves, as urgent as that.
    Prove(Vec<u8>, Class),
    /// Make these writes durable together, then say [`Input::Durable`] with the number.
    Write {
        /// The number.
        number: u64,
        /// The writes.
        writes: Vec<Write>,
    },
    /// No more can be remembered of what was sealed to this ratchet.
    Retire(RatchetId),
    /// A note arrived. Who wrote it is not known, only where it wants an answer.
    Noted {
        /// For which service.
        service: Service,
        /// Where an answer goes.
        reply_to: Option<NodeId>,
        /// What the service defines.
        body: Vec<u8>,
    },
    /// A message arrived, is durable and was acknowledged.
    Arrived(Message),
    /// An attempt at what was to be sent.
    Attempted {
        /// The outgoing's.
        handle: u64,
        /// What became of it.
        attempt: Attempt,
    },
    /// It arrived; a probe was answered.
    Delivered {
        /// The outgoing's.
        handle: u64,
        /// How often it was sent.
        attempts: u32,
        /// From the attempt that was answered to the answer.
        round_trip: Duration,
    },
    /// A trace was answered.
    Traced {
        /// The outgoing's.
        handle: u64,
        /// How often it was sent.
        attempts: u32,
        /// From the attempt that was answered to the answer.
        round_trip: Duration,
        /// What it found.
        traced: Traced,
    },
    /// Its time is over, or it cannot be sent at all.
    Undelivered {
        /// The outgoing's.
        handle: u64,
        /// Why.
        why: Undelivered,
    },
}

/// The table of messages: key number u64 big-endian; value: see spec/machine.md#durability.
pub const INBOX: TableId = TableId(3);
/// The table of what arrived: key ratchet id 10 ‖ `BLAKE3(enc)[..8]`; value: the request's fingerprint.
pub const REPLAYS: TableId = TableId(4);

/// How many writes may wait for the disk. Messages leave room for the organ's own.
const WAITING_WRITES: usize = 66;
const WAITING_MESSAGES: usize = 64;
/// Probes are answered this often.
const ANSWER_PERIOD: Duration = Duration::from_millis(100);
const ANSWER_BURST: u32 = 20;
/// The same of those that came over the link of whom they name: what they make goes back there and no farther.
const NEIGHBOUR_PERIOD: Duration = Duration::from_millis(2);
const NEIGHBOUR_BURST: u32 = 64;
/// Notes are taken this often: a witness is asked by everybody.
const NOTE_PERIOD: Duration = Duration::from_millis(20);
const NOTE_BURST: u32 = 64;

/// The organ.
#[derive(Debug)]
pub struct Correspondence {
    identity: NodeIdentity,
    outbox: Outbox,
    trials: Trials,
    inbox: Inbox,
    memory: Memory,
    gate: Gate<Then>,
    errands: Errands,
    answers: Bucket,
    neighbour_answers: Bucket,
    notes: Bucket,
    /// Messages up to this number are to be forgotten as soon as a write may be made.
    to_forget: Option<u64>,
    refusals: Refusals,
    random: Stream,
}

/// What waits for the disk.
#[derive(Debug)]
enum Then {
    Show(Kept, PacketHash, Class),
    ShowForeign(Kept),
    Nothing,
}

impl Correspondence {
    /// The organ, with what was durable. `live` are the ratchets with which anything can still be opened.
    #[must_use]
    pub fn new(
        identity: NodeIdentity,
        limits: Limits,
        live: impl Iterator<Item = RatchetId>,
        snapshot: &Snapshot,
        seed: &Seed,
    ) -> Self {
        Self {
            identity,
            outbox: Outbox::new(limits.outgoing),
            trials: Trials::default(),
            inbox: Inbox::restore(snapshot, limits.inbox),
            memory: Memory::restore(snapshot, limits.remembered, live),
            gate: Gate::new(WAITING_WRITES),
            errands: Errands::new(limits.outgoing),
            answers: Bucket::new(ANSWER_PERIOD, ANSWER_BURST),
            neighbour_answers: Bucket::new(NEIGHBOUR_PERIOD, NEIGHBOUR_BURST),
            notes: Bucket::new(NOTE_PERIOD, NOTE_BURST),
            to_forget: None,
            refusals: Refusals::default(),
            random: seed.fork("correspondence"),
        }
    }

    /// The messages that arrived and are kept, by number, oldest first.
    pub fn inbox(&self) -> impl Iterator<Item = &Message> {
        self.inbox.iter()
    }

    /// How much is on its way.
    #[must_use]
    pub fn outgoing(&self) -> usize {
        self.outbox.len()
    }

    /// What arrived and was not taken.
    #[must_use]
    pub const fn refusals(&self) -> &Refusals {
        &self.refusals
    }

    fn send(&mut self, now: Instant, outgoing: Outgoing, out: &mut impl Sink<Effect>) {
        let handle = outgoing.handle;
        match self.outbox.accept(now, outgoing, &mut self.random) {
            Ok(()) => self.attempt(now, handle, out),
            Err(why) => out.push(Effect::Undelivered { handle, why }),
        }
    }

    fn attempt(&mut self, now: Instant, handle: u64, out: &mut impl Sink<Effect>) {
        if let Some(node) = self.outbox.attempt(now, handle, &mut self.random) {
            let token = self.errands.begin(Errand::Attempt { handle });
            out.push(Effect::Lookup { node, token });
        }
    }

    fn found(
        &mut self,
        cx: Cx,
        token: u64,
        recipient: Option<Recipient>,
        way: Option<CompactPathCost>,
        out: &mut impl Sink<Effect>,
    ) {
        match self.errands.end(token) {
            None => {}
            Some(Errand::Attempt { handle }) => {
                let author = &self.identity;
                self.outbox.write(cx.now, handle, token, recipient, author, &mut self.random, out);
            }
            Some(Errand::Answer { to, request_id, class, probe }) => match recipient {
                Some(recipient) => {
                    let asked = Asked { to, request_id, class, probe, way };
                    self.answer(cx, &asked, token, &recipient, out);
                }
                // The next probe may be answered: probes that count for anything come at the rate of answers.
                None => out.push(Effect::Wanted(to)),
            },
            Some(Errand::Note(note)) => self.write_note(&note, token, recipient.zip(way), out),
            Some(Errand::Judge(unjudged)) => self.judge(cx, &unjudged, recipient, out),
        }
    }

    fn prove(&self, packet: &PacketHash, class: Class, out: &mut impl Sink<Effect>) {
        let proof = Proof::implicit(packet, self.identity.as_reticulum());
        let mut buffer = vec![0; MAX_PACKET];
        let bytes = proof.encode(&mut buffer).expect("a proof is shorter than the longest packet");
        out.push(Effect::Prove(bytes.to_vec(), class));
    }

    fn durable(&mut self, through: u64, out: &mut impl Sink<Effect>) {
        let mut durable: VecDeque<Then> = VecDeque::new();
        self.gate.release(through, &mut durable);
        for then in durable {
            match then {
                Then::Show(kept, packet, class) => {
                    self.prove(&packet, class, out);
                    out.push(Effect::Arrived(self.inbox.show(kept)));
                }
                Then::ShowForeign(kept) => out.push(Effect::Arrived(self.inbox.show(kept))),
                Then::Nothing => {}
            }
        }
        self.tidy(out);
    }

    /// Deletes what is to be forgotten, as far as writes may be made.
    fn tidy(&mut self, out: &mut impl Sink<Effect>) {
        while self.gate.waiting() < WAITING_WRITES {
            let writes = match self.to_forget.take() {
                Some(through) => self.inbox.forget(through),
                None => match self.memory.clear_one() {
                    Some(writes) => writes,
                    None => return,
                },
            };
            if writes.is_empty() {
                continue;
            }
            let number = self.gate.hold(Then::Nothing).expect("there is room: it was looked at");
            out.push(Effect::Write { number, writes });
        }
    }
}

/// The node behind a recipient, if it is `node` and keeps the rules of one.
fn node_of(recipient: &Recipient, node: &NodeId) -> Option<NodePublic> {
    NodePublic::check(recipient.public).ok().filter(|public| public.node_id() == *node)
}

fn count(counter: &mut u64) {
    *counter = counter.saturating_add(1);
}

impl Machine for Correspondence {
    type Input = Input;
    type Effect = Effect;

    fn handle(&mut self, cx: Cx, input: Input, out: &mut impl Sink<Effect>) {
        match input {
            Input::Start => self.tidy(out),
            Input::Entropy(entropy) => self.random.refresh(&entropy),
            Input::Send(outgoing) => self.send(cx.now, outgoing, out),
            Input::Arrived(bytes, class, from) => self.arrived(cx.now, &bytes, (class, from), out),
            Input::Opened { with, packet, plaintext } => self.opened(cx, with, &packet, plaintext, out),
            Input::Unopened(packet) => self.unopened(cx, &packet, out),
            Input::Found { token, recipient, way } => self.found(cx, token, recipient, way, out),
            Input::Originated { handle, outcome } => self.outbox.originated(cx.now, handle, outcome, out),
            Input::Try { number, node, recipient } => {
                self.trials.begin(number, node, &recipient, &self.identity, &mut self.random, out);
            }
            Input::Reached(destination) => {
                for handle in self.outbox.reached(cx.now, &destination) {
                    self.attempt(cx.now, handle, out);
                }
            }
            Input::Durable(through) => self.durable(through, out),
            Input::Note(note) => self.note(note, out),
            Input::Keep(foreign) => self.keep(cx, &foreign, out),
            Input::Forget { through } => {
                self.to_forget = self.to_forget.max(Some(through));
                self.tidy(out);
            }
            Input::Retired(ratchet) => {
                self.memory.retire(ratchet);
                self.tidy(out);
            }
        }
    }

    fn handle_timeout(&mut self, cx: Cx, out: &mut impl Sink<Effect>) {
        while let Some(handle) = self.outbox.pop_due(cx.now, out) {
            self.attempt(cx.now, handle, out);
        }
    }

    fn next_timeout(&self) -> Option<Instant> {
        self.outbox.next_timeout()
    }
}

impl MemoryBound for Correspondence {
    fn memory_bound(&self) -> usize {
        let gate = WAITING_WRITES.saturating_mul(size_of::<(u64, Then)>().saturating_add(Foreign::MAX_TEXT));
        [
            Trials::MEMORY_BOUND,
            self.outbox.memory_bound(),
            self.inbox.memory_bound(),
            self.memory.memory_bound(),
            gate,
        ]
        .into_iter()
        .fold(self.errands.memory_bound(), usize::saturating_add)
    }
}
