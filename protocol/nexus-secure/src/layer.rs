//! The secure layer: its organs, and the wires between them.

use alloc::collections::VecDeque;
use alloc::vec::Vec;

use nexus_crypto::{DestinationHash, NodeId, NodeIdentity, RatchetPublic};
use nexus_machine::{Cx, Duration, Instant, Machine, MemoryBound, Seed, Sink, Snapshot, Write, earliest};
use nexus_network::{Class, Originated, PathPolicy, Recipient};
use nexus_wire::nexus::end_to_end::Service;
use nexus_wire::nexus::path_cost::CompactPathCost;

use crate::contract::{Attempt, Foreign, Message, Note, Outgoing, Traced, Undelivered};
use crate::correspondence::{self, Correspondence, Limits};
use crate::ratchets::{self, Ratchets};

/// What the layer is told.
#[derive(Clone, Debug)]
pub enum Input {
    /// The host is running.
    Start,
    /// Fresh entropy.
    Entropy([u8; 32]),
    /// The writes of `by` are durable up to this number.
    Durable {
        /// Whose.
        by: Writer,
        /// The number.
        through: u64,
    },
    /// Send this.
    Send(Outgoing),
    /// Say this once, if a way is known; look for one if not.
    Note(Note),
    /// Keep and show this, once.
    Keep(Foreign),
    /// Messages up to this number may be deleted.
    Forget {
        /// The last number.
        through: u64,
    },
    /// A packet arrived for this node: as its originator wrote it, but for the hops. And over whose link it came, if over one.
    Arrived(Vec<u8>, Class, Option<NodeId>),
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
    /// There is a way to this destination.
    Reached(DestinationHash),
    /// What is known of a node. Answers [`Effect::Lookup`].
    Found {
        /// The effect's.
        token: u64,
        /// Its key and ratchet, if it is known.
        recipient: Option<Recipient>,
        /// What a packet's way there costs, if there is one.
        way: Option<CompactPathCost>,
    },
}

/// What leaves the layer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Fresh entropy: a key is about to be made.
    EntropyWanted,
    /// This ratchet is durable and the newest.
    Ready(RatchetPublic),
    /// Make these writes durable together, then say [`Input::Durable`] with the writer and the number.
    Write {
        /// Who waits for it.
        by: Writer,
        /// The number.
        number: u64,
        /// The writes.
        writes: Vec<Write>,
    },
    /// Look up what is known of a node, and say [`Input::Found`].
    Lookup {
        /// The node.
        node: NodeId,
        /// Repeated in the answer.
        token: u64,
    },
    /// Nothing can be sent to this node for want of its key or of a way: look for it, and say [`Input::Reached`].
    Wanted(NodeId),
    /// Send this packet, and say [`Input::Originated`].
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
    /// Send this proof back along the way of the packet that it proves.
    Prove(Vec<u8>, Class),
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
    MessageArrived(Message),
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

/// Which organ of the layer waits for a write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Writer {
    /// The ratchets.
    Ratchets,
    /// The correspondence.
    Correspondence,
}

/// The layer: organs, and beside them the queue of what they say to each other.
#[derive(Debug)]
pub struct Secure {
    organs: Organs,
    nerves: VecDeque<Nerve>,
}

#[derive(Debug)]
struct Organs {
    ratchets: Ratchets,
    correspondence: Correspondence,
}

/// What organs of this layer say.
#[derive(Debug)]
enum Nerve {
    Ratchets(ratchets::Effect),
    Correspondence(correspondence::Effect),
}

impl From<ratchets::Effect> for Nerve {
    fn from(effect: ratchets::Effect) -> Self {
        Self::Ratchets(effect)
    }
}

impl From<correspondence::Effect> for Nerve {
    fn from(effect: correspondence::Effect) -> Self {
        Self::Correspondence(effect)
    }
}

/// How many signals the queue keeps room for between calls: what a burst needed beyond that is given back.
const RESTING_NERVES: usize = 32;

/// More nerve signals than this from one input is a loop in the wiring, which is a bug.
const SETTLE_BOUND: usize = 100_000;

impl Secure {
    /// The layer, resuming from what was durable.
    #[must_use]
    pub fn new(identity: NodeIdentity, limits: Limits, snapshot: &Snapshot, seed: &Seed) -> Self {
        let ratchets = Ratchets::new(snapshot, seed);
        let live = ratchets.secrets().map(|secret| secret.public().id());
        let correspondence = Correspondence::new(identity, limits, live, snapshot, seed);
        Self { organs: Organs { ratchets, correspondence }, nerves: VecDeque::new() }
    }

    /// A view of the keys that announces carry.
    #[must_use]
    pub const fn ratchets(&self) -> &Ratchets {
        &self.organs.ratchets
    }

    /// A view of what arrived and of what is on its way.
    #[must_use]
    pub const fn correspondence(&self) -> &Correspondence {
        &self.organs.correspondence
    }

    fn settle(&mut self, cx: Cx, out: &mut impl Sink<Effect>) {
        for _ in 0..SETTLE_BOUND {
            let Some(nerve) = self.nerves.pop_front() else {
                self.nerves.shrink_to(RESTING_NERVES);
                return;
            };
            self.organs.wire(cx, nerve, &mut self.nerves, out);
        }
        unreachable!("the wiring of the secure layer does not loop");
    }
}

impl Organs {
    fn wire(&mut self, cx: Cx, nerve: Nerve, nerves: &mut VecDeque<Nerve>, out: &mut impl Sink<Effect>) {
        use correspondence::Effect as C;
        use ratchets::Effect as R;
        let (ratchets, correspondence) = (&mut self.ratchets, &mut self.correspondence);
        match nerve {
            Nerve::Correspondence(C::Open(packet)) => {
                ratchets.handle(cx, ratchets::Input::Open(packet), nerves);
            }
            Nerve::Ratchets(R::Opened { with, packet, plaintext }) => {
                correspondence.handle(cx, correspondence::Input::Opened { with, packet, plaintext }, nerves);
            }
            Nerve::Ratchets(R::Unopened(packet)) => {
                correspondence.handle(cx, correspondence::Input::Unopened(packet), nerves);
            }
            Nerve::Correspondence(C::Retire(ratchet)) => {
                ratchets.handle(cx, ratchets::Input::Retire(ratchet), nerves);
            }
            Nerve::Ratchets(R::Retired(ratchet)) => {
                correspondence.handle(cx, correspondence::Input::Retired(ratchet), nerves);
            }
            Nerve::Ratchets(R::EntropyWanted) => out.push(Effect::EntropyWanted),
            Nerve::Ratchets(R::Ready(public)) => out.push(Effect::Ready(public)),
            Nerve::Ratchets(R::Write { number, writes }) => {
                out.push(Effect::Write { by: Writer::Ratchets, number, writes });
            }
            Nerve::Correspondence(C::Write { number, writes }) => {
                out.push(Effect::Write { by: Writer::Correspondence, number, writes });
            }
            Nerve::Correspondence(C::Lookup { node, token }) => out.push(Effect::Lookup { node, token }),
            Nerve::Correspondence(C::Try { number, packet }) => out.push(Effect::Try { number, packet }),
            Nerve::Correspondence(C::Tried { number }) => out.push(Effect::Tried { number }),
            Nerve::Correspondence(C::Wanted(node)) => out.push(Effect::Wanted(node)),
            Nerve::Correspondence(C::Originate { handle, packet, policy, class }) => {
                out.push(Effect::Originate { handle, packet, policy, class });
            }
            Nerve::Correspondence(C::Prove(packet, class)) => out.push(Effect::Prove(packet, class)),
            Nerve::Correspondence(C::Noted { service, reply_to, body }) => {
                out.push(Effect::Noted { service, reply_to, body });
            }
            Nerve::Correspondence(C::Arrived(message)) => out.push(Effect::MessageArrived(message)),
            Nerve::Correspondence(C::Attempted { handle, attempt }) => {
                out.push(Effect::Attempted { handle, attempt });
            }
            Nerve::Correspondence(C::Delivered { handle, attempts, round_trip }) => {
                out.push(Effect::Delivered { handle, attempts, round_trip });
            }
            Nerve::Correspondence(C::Traced { handle, attempts, round_trip, traced }) => {
                out.push(Effect::Traced { handle, attempts, round_trip, traced });
            }
            Nerve::Correspondence(C::Undelivered { handle, why }) => {
                out.push(Effect::Undelivered { handle, why });
            }
        }
    }
}

impl Machine for Secure {
    type Input = Input;
    type Effect = Effect;

    fn handle(&mut self, cx: Cx, input: Input, out: &mut impl Sink<Effect>) {
        use correspondence::Input as C;
        use ratchets::Input as R;
        let (Organs { ratchets, correspondence }, nerves) = (&mut self.organs, &mut self.nerves);
        match input {
            Input::Start => {
                ratchets.handle(cx, R::Start, nerves);
                correspondence.handle(cx, C::Start, nerves);
            }
            Input::Entropy(entropy) => {
                ratchets.handle(cx, R::Entropy(entropy), nerves);
                correspondence.handle(cx, C::Entropy(entropy), nerves);
            }
            Input::Durable { by: Writer::Ratchets, through } => {
                ratchets.handle(cx, R::Durable(through), nerves);
            }
            Input::Durable { by: Writer::Correspondence, through } => {
                correspondence.handle(cx, C::Durable(through), nerves);
            }
            Input::Send(outgoing) => correspondence.handle(cx, C::Send(outgoing), nerves),
            Input::Note(note) => correspondence.handle(cx, C::Note(note), nerves),
            Input::Keep(foreign) => correspondence.handle(cx, C::Keep(foreign), nerves),
            Input::Forget { through } => correspondence.handle(cx, C::Forget { through }, nerves),
            Input::Arrived(packet, class, from) => {
                correspondence.handle(cx, C::Arrived(packet, class, from), nerves);
            }
            Input::Originated { handle, outcome } => {
                correspondence.handle(cx, C::Originated { handle, outcome }, nerves);
            }
            Input::Try { number, node, recipient } => {
                correspondence.handle(cx, C::Try { number, node, recipient }, nerves);
            }
            Input::Reached(destination) => correspondence.handle(cx, C::Reached(destination), nerves),
            Input::Found { token, recipient, way } => {
                correspondence.handle(cx, C::Found { token, recipient, way }, nerves);
            }
        }
        self.settle(cx, out);
    }

    fn handle_timeout(&mut self, cx: Cx, out: &mut impl Sink<Effect>) {
        self.organs.ratchets.handle_timeout(cx, &mut self.nerves);
        self.organs.correspondence.handle_timeout(cx, &mut self.nerves);
        self.settle(cx, out);
    }

    fn next_timeout(&self) -> Option<Instant> {
        earliest([self.organs.ratchets.next_timeout(), self.organs.correspondence.next_timeout()])
    }
}

impl MemoryBound for Secure {
    fn memory_bound(&self) -> usize {
        let nerves = RESTING_NERVES.saturating_mul(size_of::<Nerve>());
        let organs = &self.organs;
        organs
            .ratchets
            .memory_bound()
            .saturating_add(organs.correspondence.memory_bound())
            .saturating_add(nerves)
    }
}

#[cfg(test)]
mod tests;
