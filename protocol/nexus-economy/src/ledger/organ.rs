//! The organ that keeps the books: it takes what neighbours and this node's channels say, judges it, writes it down, and shows it.
//!
//! Invariants:
//!
//! * nothing is believed before its signatures are verified (`intake`), and nothing that was believed is lost in a crash: what is told
//!   of it leaves only when it is durable;
//! * a write touches what changed and nothing else: an entry, its proof, its place among what is shown;
//! * neighbours are shown the largest that is known of each channel and nothing below it;
//! * in memory are entries and the names of what is shown; proofs lie on disk, and are read when they are asked for.
//!
//! Spec: `spec/economy.md#keeping-the-books`.

mod asking;
mod batch;
mod contract;
mod evidence;
mod handing;
mod limits;
mod paging;
mod passing;
mod taking;
#[cfg(test)]
mod tests;
mod witnessing;

use alloc::collections::{BTreeSet, VecDeque};
use alloc::vec::Vec;

use nexus_crypto::{NodeId, NodePublic};
use nexus_machine::{
    Cx, Deadlines, Duration, Gate, Instant, Machine, MemoryBound, Seed, Sink, Snapshot, Stream, TableId,
    Write,
};
use nexus_wire::nexus::gossip::{ItemId, StateHash, StoreId};
use thiserror::Error;

use super::books::{Balance, Books};
use super::entry::{ChannelKey, Entry};
use super::intake::{self, Intake, Lack, Neighbour};
use super::known::Known;
use super::rules::Rules;
use super::shown::Shown;
use super::sparse::{FOLLOWED, Held, Interest, Passage};
use super::witness::{self, Witness};
use batch::Batch;
pub use contract::{Effect, Input};
use handing::Reading;
pub use limits::Limits;
use paging::Paging;

/// The table of entries: key `party_a ‖ party_b ‖ channel_id`; value: see [`Entry::to_store`].
pub const ENTRIES: TableId = TableId(36);
/// The table of items: key a [`Spot`](super::spot::Spot); value: the item. Read when it is asked for.
pub const BODIES: TableId = TableId(37);
/// The table of certified orders: key `owner 16 ‖ number u32` big-endian; value: nothing.
pub const ORDERS: TableId = TableId(39);
/// The table of parties' keys: key node id 16; value: the Ed25519 public key. Read when it is asked for.
pub const KEYS: TableId = TableId(40);
/// The table of convicts: key node id 16; value: nothing. The proof is among the items.
pub const CONVICTED: TableId = TableId(41);
/// The table with the genesis: key 0; value: its id.
pub const GENESIS: TableId = TableId(42);

/// Tables that are not read at the start, but when something in them is asked for.
pub const READ_ON_DEMAND: [TableId; 2] = [BODIES, KEYS];

/// Why books cannot be kept on this disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum NotKept {
    /// They are of another genesis.
    #[error("the books on this disk are those of another genesis")]
    OtherGenesis,
}

/// Turns are so far apart, while something waits for one.
const TURN: Duration = Duration::from_micros(1_000);
/// Writes that are on their way at a time; while there are so many, nobody has a turn.
const GATE: usize = 8;
/// After so long something that lacks is asked for: what gossip brings anyway has come by then.
const PATIENCE: Duration = Duration::from_secs(3);
/// How long a round is, in which witnesses count.
pub const ROUND: Duration = Duration::from_secs(60);

/// This node's own channels and orders, as a neighbour like others.
const OWN: Neighbour = Neighbour(nexus_machine::Key { slot: u16::MAX, generation: u16::MAX });

/// The organ.
#[derive(Debug)]
pub struct Ledger {
    own: NodeId,
    rules: Rules,
    known: Known,
    intake: Intake,
    shown: Shown,
    convicted: BTreeSet<NodeId>,
    /// What passes through, where not all accounts are followed.
    passage: Option<Passage>,
    witness: Option<Witness>,
    gate: Gate<Vec<Effect>>,
    reading: Reading,
    paging: Paging,
    /// Nodes whose keys are looked for though no claim waits for them.
    sought: BTreeSet<NodeId>,
    /// Neighbours that were seen to follow another genesis.
    foreign: BTreeSet<Neighbour>,
    deadlines: Deadlines<Timer>,
    random: Stream,
    limits: Limits,
}

/// Who owns a deadline.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Timer {
    /// What is on disk is told, once.
    Begin,
    /// The next neighbour's turn.
    Turn,
    /// Something that lacks is asked for.
    Ask(Lack),
    /// A round is over, for the witness.
    Round,
    /// The next page of what is older is shown.
    Page,
}

/// The name by which what is certified between two is asked for, in the store of certificates: `party_a ‖ party_b`.
/// Source: spec/economy.md#questions.
#[must_use]
pub fn question_about(a: NodeId, b: NodeId) -> ItemId {
    let mut id = [0; 32];
    id.iter_mut().zip(a.min(b).0.iter().chain(&a.max(b).0)).for_each(|(to, from)| *to = *from);
    ItemId(id)
}

/// The name by which all that concerns an account is asked for: `node ‖ 0[16]`, in the stores of settlements and of certificates.
/// Source: spec/economy.md#questions.
#[must_use]
pub fn question_of(node: NodeId) -> ItemId {
    let mut id = [0; 32];
    id.iter_mut().zip(node.0).for_each(|(to, from)| *to = from);
    ItemId(id)
}

impl Ledger {
    /// The organ with what was durable.
    ///
    /// # Errors
    /// [`NotKept::OtherGenesis`] if the disk has books of another.
    pub fn new(
        own: &NodePublic,
        rules: Rules,
        witness: Option<witness::Seat>,
        snapshot: &Snapshot,
        seed: &Seed,
        limits: Limits,
    ) -> Result<Self, NotKept> {
        let known = Known::new(Books::new(rules.accounts.iter().copied(), limits.entries));
        Self::with(own, rules, known, witness, (snapshot, seed), limits)
    }

    /// The organ of a node with little memory, with what was durable: it follows its own account, these, and those that it followed before,
    /// as many as there is room for. It is no witness.
    ///
    /// # Errors
    /// [`NotKept::OtherGenesis`] if the disk has books of another.
    pub fn sparse(
        own: &NodePublic,
        rules: Rules,
        follow: impl IntoIterator<Item = NodeId>,
        snapshot: &Snapshot,
        seed: &Seed,
    ) -> Result<Self, NotKept> {
        let limits = Limits::sparse();
        let before = |node: &NodeId| {
            snapshot.get(FOLLOWED, &node.0).map(|value| Held::from_byte(value.first().copied().unwrap_or(1)))
        };
        let earlier = snapshot.scan(FOLLOWED).filter_map(|(key, _)| key.try_into().ok().map(NodeId));
        let mut interest = Interest::default();
        for node in [own.node_id()].into_iter().chain(follow).chain(earlier) {
            interest.follow(node, before(&node).unwrap_or(Held::All));
        }
        let given = rules.accounts.iter().copied().filter(|(node, _)| interest.knows(node));
        let known = Known::sparse(Books::new(given, limits.entries), interest);
        Self::with(own, rules, known, None, (snapshot, seed), limits)
    }

    fn with(
        own: &NodePublic,
        rules: Rules,
        mut known: Known,
        witness: Option<witness::Seat>,
        (snapshot, seed): (&Snapshot, &Seed),
        limits: Limits,
    ) -> Result<Self, NotKept> {
        if snapshot.get(GENESIS, &[0]).is_some_and(|id| id != rules.id.0) {
            return Err(NotKept::OtherGenesis);
        }
        for (key, value) in snapshot.scan(ENTRIES) {
            if let (Some(key), Some(entry)) = (ChannelKey::from_bytes(key), Entry::from_store(value))
                && known.keeps(&key)
            {
                // What was written kept the rules; there may be less room than there was.
                let _ = known.books.record(&key, &entry);
            }
        }
        for (key, _) in snapshot.scan(ORDERS) {
            if let Some((owner, number)) = key.split_first_chunk()
                && let Ok(number) = number.try_into()
                && known.follows(&NodeId(*owner))
            {
                known.orders.note(NodeId(*owner), u32::from_be_bytes(number));
            }
        }
        let convicted =
            snapshot.scan(CONVICTED).filter_map(|(key, _)| key.try_into().ok().map(NodeId)).collect();
        let mut intake = Intake::new(limits.intake);
        intake.linked(OWN);
        intake.remember(own.node_id(), own.verifying());
        let mut deadlines = Deadlines::default();
        deadlines.set(Timer::Begin, Instant::BOOT);
        // Links come up first.
        deadlines.set(Timer::Page, Instant::BOOT.after(ROUND));
        let witness = witness.map(|seat| Witness::new(seat, snapshot, limits.witness));
        if witness.is_some() {
            deadlines.set(Timer::Round, Instant::BOOT.after(ROUND));
        }
        let passage = known.interest().map(|_| Passage::default());
        Ok(Self {
            own: own.node_id(),
            rules,
            known,
            intake,
            shown: Shown::new(snapshot, limits.shown),
            convicted,
            passage,
            witness,
            gate: Gate::new(GATE.saturating_mul(2)),
            reading: Reading::new(limits.reading),
            paging: Paging::default(),
            sought: BTreeSet::new(),
            foreign: BTreeSet::new(),
            deadlines,
            random: seed.fork("ledger"),
            limits,
        })
    }

    /// The books.
    #[must_use]
    pub const fn books(&self) -> &Books {
        &self.known.books
    }

    /// Books and orders.
    #[must_use]
    pub const fn known(&self) -> &Known {
        &self.known
    }

    /// What a genesis fixes.
    #[must_use]
    pub const fn rules(&self) -> &Rules {
        &self.rules
    }

    /// What an account has, as far as is known.
    #[must_use]
    pub fn balance(&self, node: &NodeId) -> Balance {
        self.known.balance(node)
    }

    /// Whether some accounts alone are followed.
    #[must_use]
    pub const fn is_sparse(&self) -> bool {
        self.passage.is_some()
    }

    /// Whether a node is convicted of having signed what may not be signed.
    #[must_use]
    pub fn is_flagged(&self, node: &NodeId) -> bool {
        self.convicted.contains(node)
    }

    /// All who are.
    pub fn flagged(&self) -> impl Iterator<Item = &NodeId> {
        self.convicted.iter()
    }

    /// What came of what neighbours said.
    #[must_use]
    pub const fn counts(&self) -> &intake::Counts {
        self.intake.counts()
    }

    /// How much waits: for a turn, and for something that lacks.
    #[must_use]
    pub fn waiting(&self) -> (usize, usize) {
        self.intake.waiting()
    }

    /// How many items are shown.
    #[must_use]
    pub fn shown(&self) -> usize {
        self.shown.len()
    }

    /// The witness, if this node is one.
    #[must_use]
    pub const fn witness(&self) -> Option<&Witness> {
        self.witness.as_ref()
    }

    /// What is shown and what is certified of this node's channels is told once, at the start, and whose books these are is written down.
    fn begin(&mut self, out: &mut impl Sink<Effect>) {
        let own = self.known.books.channels_of(&self.own);
        let own: Vec<(ChannelKey, Entry)> = own.map(|(key, entry)| (*key, *entry)).collect();
        for (key, entry) in own {
            for effect in batch::deposited(self.own, &key, &Entry::default(), &entry) {
                out.push(effect);
            }
        }
        for change in self.shown.iter() {
            out.push(change.into());
        }
        for effect in self.states() {
            out.push(effect);
        }
        let mut batch = Batch::default();
        batch.writes.push(Write::set(GENESIS, &[0], self.rules.id.0.to_vec()));
        for (node, held) in self.known.interest().into_iter().flat_map(Interest::iter) {
            batch.writes.push(Write::set(FOLLOWED, &node.0, Vec::from([held.to_byte()])));
        }
        self.write(batch, out);
    }

    /// What neighbours compare. Of settlements it does not depend on which record shows what was paid, nor on which are shown; of others the
    /// names suffice.
    fn states(&self) -> Vec<Effect> {
        if self.is_sparse() {
            // Whoever keeps a part of a store has no state that anybody could have too.
            let none = |store| Effect::State(store, StateHash::NONE);
            return [StoreId::SETTLEMENTS, StoreId::CERTIFICATES, StoreId::EVIDENCE].map(none).to_vec();
        }
        Vec::from([Effect::State(StoreId::SETTLEMENTS, self.known.books.paid_state())])
    }

    /// Writes a batch; what follows from it leaves when it is durable.
    fn write(&mut self, batch: Batch, out: &mut impl Sink<Effect>) {
        let Batch { writes, mut then, before } = batch;
        for effect in before {
            out.push(effect);
        }
        if writes.is_empty() {
            for effect in then {
                out.push(effect);
            }
            return;
        }
        then.extend(self.states());
        // There is room: whoever writes looks first.
        if let Ok(number) = self.gate.hold(then) {
            out.push(Effect::Write { number, writes });
        }
    }

    /// Whether one more write may be on its way.
    fn may_write(&self) -> bool {
        self.gate.waiting() < GATE
    }

    fn durable(&mut self, cx: Cx, through: u64, out: &mut impl Sink<Effect>) {
        let mut released: VecDeque<Vec<Effect>> = VecDeque::new();
        self.gate.release(through, &mut released);
        for effect in released.into_iter().flatten() {
            out.push(effect);
        }
        self.plan_turn(cx);
    }

    fn has_work(&self) -> bool {
        self.intake.has_work() || self.witness.as_ref().is_some_and(Witness::has_work)
    }

    fn plan_turn(&mut self, cx: Cx) {
        if self.has_work() && self.may_write() && self.deadlines.get(Timer::Turn).is_none() {
            self.deadlines.set(Timer::Turn, cx.now.after(TURN));
        }
    }

    fn unlinked(&mut self, neighbour: Neighbour) {
        self.intake.unlinked(neighbour);
        self.foreign.remove(&neighbour);
    }
}

impl Machine for Ledger {
    type Input = Input;
    type Effect = Effect;

    fn handle(&mut self, cx: Cx, input: Input, out: &mut impl Sink<Effect>) {
        match input {
            Input::Linked(neighbour) => self.intake.linked(neighbour),
            Input::Unlinked(neighbour) => self.unlinked(neighbour),
            Input::Apply { from, store, items } => self.apply(cx, from, store, &items, out),
            Input::Fetch { to, store, ids } => self.fetch(to, store, &ids, out),
            Input::Asked { by, store, ids } => self.asked(by, store, &ids, out),
            Input::Follow(node) => self.follow(node, out),
            Input::Key(node, key) => self.key(cx, node, key, out),
            Input::Settled(record) => self.settled(cx, &record, out),
            Input::Certified(order, certificate) => self.certified(cx, &order, certificate, out),
            Input::Convict(evidence) => self.convict(cx, &evidence, out),
            Input::Requested(by, request) => self.requested(cx, by, &request, out),
            Input::Read { number, value } => self.read(cx, number, value, out),
            Input::Durable(through) => self.durable(cx, through, out),
        }
    }

    fn handle_timeout(&mut self, cx: Cx, out: &mut impl Sink<Effect>) {
        while let Some(timer) = self.deadlines.pop_due(cx.now) {
            match timer {
                Timer::Begin => self.begin(out),
                Timer::Turn => self.turn(cx, out),
                Timer::Ask(lack) => self.ask(lack, out),
                Timer::Round => self.round(cx, out),
                Timer::Page => self.turn_page(cx, out),
            }
        }
    }

    fn next_timeout(&self) -> Option<Instant> {
        self.deadlines.next()
    }
}

impl MemoryBound for Ledger {
    fn memory_bound(&self) -> usize {
        /// An entry, its two places, and the number of its owner's last order.
        const PER_ENTRY: usize = 256;
        /// What is written for a claim, and follows from it.
        const PER_CLAIM: usize = 4 * 1_024;
        let entries = usize::try_from(self.limits.entries).unwrap_or(usize::MAX).saturating_mul(PER_ENTRY);
        let most = self.limits.shown.saturating_add(self.limits.shown / 2).saturating_add(2);
        // What is to be shown of a page besides.
        let queued = self.limits.shown.saturating_add(64).saturating_mul(size_of::<super::spot::Spot>());
        let shown = most.saturating_mul(Shown::PER_ITEM).saturating_add(queued);
        let convicted = self.limits.convicted.saturating_mul(64);
        let witness = self.witness.as_ref().map_or(0, |_| self.limits.witness.memory_bound());
        entries
            .saturating_add(shown)
            .saturating_add(convicted)
            .saturating_add(witness)
            .saturating_add(self.passage.as_ref().map_or(0, |_| Passage::MEMORY_BOUND))
            .saturating_add(self.limits.intake.memory_bound())
            .saturating_add(self.reading.memory_bound())
            .saturating_add(GATE.saturating_mul(self.limits.intake.turn).saturating_mul(PER_CLAIM))
            .saturating_add(16_384)
    }
}
