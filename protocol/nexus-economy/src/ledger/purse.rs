//! The organ by which this node puts money into channels and takes it out: it makes orders, one after another, and gathers what witnesses
//! say of them until there is a certificate.
//!
//! Invariants:
//!
//! * an order is durable before anybody sees it, and at one number there is one: the next is made when it is certified;
//! * what a witness says counts only if its signature is right;
//! * a channel that one party closes alone is shown to witnesses, on the highest state that is known, until it is closed;
//! * whoever does not answer is asked again, less and less often.
//!
//! Source: spec/economy.md#gathering-certificates.

mod showing;
#[cfg(test)]
mod tests;

use alloc::boxed::Box;
use alloc::collections::{BTreeMap, VecDeque};
use alloc::vec::Vec;

use nexus_crypto::{NodeId, NodeIdentity, Signature};
use nexus_machine::{
    Cx, Deadlines, Duration, Gate, Instant, Machine, MemoryBound, Sink, Snapshot, TableId, Write,
};
use nexus_wire::nexus::Layout;
use nexus_wire::nexus::channel::{ChannelId, SettlementBody};
use nexus_wire::nexus::course::Course;
use nexus_wire::nexus::ledger::{
    Certificate, CloseOrder, ClosedBy, OpenBody, OpenOrder, Order, OrderHash, Statement, WitnessIndex,
    attested,
};

use super::claim::key_of;
use super::entry::Side;
use super::rules::Rules;
use super::witness::Refusal;
use crate::money::Amount;
use showing::Showing;

/// The table of what this node ordered: key 0, value the number of its last order u32; key 1, value its order that is not certified yet;
/// key `2 ‖ name 32`, value a close that is not; key `3 ‖ channel 16`, value the course of a channel that is closed alone. Little-endian.
pub const PURSE: TableId = TableId(44);

/// What the organ is told.
#[derive(Clone, Debug)]
pub enum Input {
    /// Put money into a channel: so much in all.
    Deposit {
        /// Which channel.
        channel: ChannelId,
        /// With whom.
        peer: NodeId,
        /// The running total.
        deposit: Amount,
    },
    /// Close a channel: what is signed, by one party or by both.
    Close(CloseOrder),
    /// Close a channel alone, now that the time for a higher state is over: these are the figures.
    CloseAlone(SettlementBody),
    /// A channel of this node's is being closed by one party: this is its course, as far as it is known.
    Show(Box<Course>),
    /// The books know that a channel is closed.
    Closed(ChannelId),
    /// A witness said something.
    Heard(Statement),
    /// All of this node's orders up to this number are certified, as far as the books know.
    Through(u32),
    /// The write with this number, and all before it, are durable.
    Durable(u64),
}

/// What the organ wants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Make these writes durable together, then say [`Input::Durable`] with the number.
    Write {
        /// The number.
        number: u64,
        /// The writes.
        writes: Vec<Write>,
    },
    /// Ask a witness to sign.
    Ask(NodeId, Order),
    /// Show a witness what a channel came to.
    Show(NodeId, Box<Course>),
    /// An order is certified: the order, and its certificate as an item.
    Certified(Order, Vec<u8>),
    /// A witness does not sign.
    Refused(OrderHash, WitnessIndex, Refusal),
}

/// Deposits, closes, and channels that are shown, each, at most; further ones are not taken. As many as a host has neighbours.
const WAITING: usize = 256;
/// After so long whoever did not answer is asked again; then after twice as long each time.
const PATIENCE: Duration = Duration::from_secs(5);
const LONGEST_PATIENCE: Duration = Duration::from_secs(600);

/// The organ.
#[derive(Debug)]
pub struct Purse {
    identity: NodeIdentity,
    own: NodeId,
    rules: Rules,
    /// The number of the last order that was made or seen.
    last: u32,
    wishes: VecDeque<(ChannelId, NodeId, Amount)>,
    /// What is to be certified: one order that opens, and closes.
    pending: BTreeMap<OrderHash, Pending>,
    /// Channels that one party closes alone.
    showing: Showing,
    gate: Gate<Then>,
    deadlines: Deadlines<Timer>,
}

/// Who owns a deadline.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Timer {
    /// Who has not signed is asked again.
    Ask(OrderHash),
    /// Witnesses are shown a channel again.
    Show(ChannelId),
}

#[derive(Debug)]
struct Pending {
    order: Order,
    signatures: BTreeMap<WitnessIndex, Signature>,
    patience: Duration,
    stage: Stage,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// It is being written.
    Writing,
    /// Witnesses are asked.
    Asking,
}

/// What follows once a write is durable.
#[derive(Debug)]
enum Then {
    Ask(OrderHash),
    Show(ChannelId),
    Nothing,
}

impl Purse {
    /// The organ with what was durable. `through` is the number up to which all of its orders are certified in the books.
    #[must_use]
    pub fn new(identity: NodeIdentity, rules: Rules, snapshot: &Snapshot, through: u32) -> Self {
        let last =
            snapshot.get(PURSE, &[0]).and_then(|value| value.try_into().ok()).map_or(0, u32::from_le_bytes);
        let mut purse = Self {
            own: identity.node_id(),
            identity,
            rules,
            last: last.max(through),
            wishes: VecDeque::new(),
            pending: BTreeMap::new(),
            showing: Showing::default(),
            gate: Gate::new(4 * WAITING),
            deadlines: Deadlines::default(),
        };
        for (_, value) in snapshot.scan(PURSE) {
            if let Ok(order) = Order::decode(value) {
                let hash = purse.await_certificate(order, Stage::Asking);
                purse.deadlines.set(Timer::Ask(hash), Instant::BOOT);
            } else if let Ok(course) = Course::decode(value) {
                let channel = purse.showing.restore(&course);
                purse.deadlines.set(Timer::Show(channel), Instant::BOOT);
            }
        }
        purse
    }

    /// What is not certified yet, and how many witnesses signed it.
    pub fn pending(&self) -> impl Iterator<Item = (&Order, usize)> {
        self.pending.values().map(|pending| (&pending.order, pending.signatures.len()))
    }

    /// What is wished for and not certified yet, as the running totals of channels.
    pub fn promised(&self) -> impl Iterator<Item = (ChannelId, NodeId, Amount)> {
        let ordered = self.pending.values().filter_map(|pending| match pending.order {
            Order::Open(OpenOrder { body, .. }) => {
                Some((body.channel, body.peer, Amount::from_micros(body.deposit)))
            }
            Order::Close(_) => None,
        });
        ordered.chain(self.wishes.iter().copied())
    }

    /// The channels whose close is not certified yet, or that are shown because one party closes them.
    pub fn closing(&self) -> impl Iterator<Item = super::entry::ChannelKey> {
        let ordered = self.pending.values().filter_map(|pending| match &pending.order {
            Order::Open(_) => None,
            Order::Close(order) => key_of(&order.body),
        });
        ordered.chain(self.showing.keys())
    }

    fn await_certificate(&mut self, order: Order, stage: Stage) -> OrderHash {
        let hash = order.hash(&self.rules.id);
        let pending = Pending { order, signatures: BTreeMap::new(), patience: PATIENCE, stage };
        self.pending.insert(hash, pending);
        hash
    }

    fn opens(&self) -> bool {
        self.pending.values().any(|pending| matches!(pending.order, Order::Open(_)))
    }

    /// The next wish is made an order, when none is on its way.
    fn next_order(&mut self, out: &mut impl Sink<Effect>) {
        if self.opens() {
            return;
        }
        let Some((channel, peer, deposit)) = self.wishes.pop_front() else { return };
        let Some(number) = self.last.checked_add(1) else { return };
        let (owner, deposit) = (self.own, deposit.micros());
        let body = OpenBody { owner, order: number, deposit, channel, peer };
        let signature = body.signed(&self.rules.id, |message| self.identity.sign(message));
        let order = Order::Open(OpenOrder { body, signature });
        self.last = number;
        let last = Write::set(PURSE, &[0], number.to_le_bytes().to_vec());
        self.keep(order, Vec::from([last]), out);
    }

    fn keep(&mut self, order: Order, mut writes: Vec<Write>, out: &mut impl Sink<Effect>) {
        writes.push(Write::set(PURSE, &self.key(&order), bytes_of(&order)));
        let hash = order.hash(&self.rules.id);
        if let Ok(number) = self.gate.hold(Then::Ask(hash)) {
            self.await_certificate(order, Stage::Writing);
            out.push(Effect::Write { number, writes });
        }
    }

    fn key(&self, order: &Order) -> Vec<u8> {
        match order {
            Order::Open(_) => Vec::from([1]),
            Order::Close(_) => [&[2][..], &order.hash(&self.rules.id).0].concat(),
        }
    }

    fn deposit(&mut self, wish: (ChannelId, NodeId, Amount), out: &mut impl Sink<Effect>) {
        let is_promised = self.promised().any(|(channel, _, total)| channel == wish.0 && total >= wish.2);
        if self.wishes.len() < WAITING && wish.2 > Amount::ZERO && wish.1 != self.own && !is_promised {
            self.wishes.push_back(wish);
            self.next_order(out);
        }
    }

    fn close(&mut self, order: CloseOrder, out: &mut impl Sink<Effect>) {
        let mine = key_of(&order.body).is_some_and(|key| key.side_of(&self.own).is_some());
        let order = Order::Close(order);
        let is_new = !self.pending.contains_key(&order.hash(&self.rules.id));
        if mine && is_new && self.pending.len() <= WAITING {
            self.keep(order, Vec::new(), out);
        }
    }

    fn close_alone(&mut self, body: SettlementBody, out: &mut impl Sink<Effect>) {
        let Some(side) = key_of(&body).and_then(|key| key.side_of(&self.own)) else { return };
        let signature = body.signed_as_close(|message| self.identity.sign(message));
        let signatures = match side {
            Side::A => ClosedBy::A(signature),
            Side::B => ClosedBy::B(signature),
        };
        self.close(CloseOrder { body, signatures }, out);
    }

    /// A channel is closed: nothing more is to be done about that.
    fn closed(&mut self, channel: ChannelId, out: &mut impl Sink<Effect>) {
        let of_it = |order: &Order| matches!(order, Order::Close(order) if order.body.channel == channel);
        let hashes = self.pending.iter().filter(|(_, pending)| of_it(&pending.order)).map(|(hash, _)| *hash);
        for hash in hashes.collect::<Vec<_>>() {
            self.done(hash, out);
        }
        self.shown_enough(channel, out);
    }

    fn durable(&mut self, cx: Cx, through: u64, out: &mut impl Sink<Effect>) {
        let mut released: VecDeque<Then> = VecDeque::new();
        self.gate.release(through, &mut released);
        for then in released {
            match then {
                Then::Ask(hash) => {
                    if let Some(pending) = self.pending.get_mut(&hash) {
                        pending.stage = Stage::Asking;
                        self.ask(cx, hash, out);
                    }
                }
                Then::Show(channel) => self.show_again(cx, channel, out),
                Then::Nothing => {}
            }
        }
    }

    /// Asks those who have not signed.
    fn ask(&mut self, cx: Cx, hash: OrderHash, out: &mut impl Sink<Effect>) {
        let Some(pending) = self.pending.get_mut(&hash) else { return };
        self.deadlines.set(Timer::Ask(hash), cx.now.after(pending.patience));
        pending.patience = pending.patience.times(2).min(LONGEST_PATIENCE);
        let witnesses = (0..u8::MAX).map(WitnessIndex).zip(&self.rules.witnesses);
        for (index, _) in witnesses.filter(|(index, _)| !pending.signatures.contains_key(index)) {
            if let Some(node) = self.rules.witness_node(index) {
                out.push(Effect::Ask(node, pending.order));
            }
        }
    }

    fn heard(&mut self, statement: &Statement, out: &mut impl Sink<Effect>) {
        let Statement { order: hash, witness, says } = *statement;
        let Some(pending) = self.pending.get_mut(&hash).filter(|pending| pending.stage == Stage::Asking)
        else {
            return;
        };
        let Some(key) = self.rules.witness(witness) else { return };
        match says {
            Ok(signature) => {
                if attested(&self.rules.id, &hash, |message| key.verify(message, &signature)).is_ok() {
                    pending.signatures.insert(witness, signature);
                    self.complete(hash, out);
                }
            }
            Err(code) => {
                if let Some(why) = Refusal::from_code(code) {
                    out.push(Effect::Refused(hash, witness, why));
                }
            }
        }
    }

    /// There may be enough signatures for a certificate.
    fn complete(&mut self, hash: OrderHash, out: &mut impl Sink<Effect>) {
        let quorum = self.rules.quorum;
        let Some(pending) = self.pending.get(&hash).filter(|pending| pending.signatures.len() >= quorum)
        else {
            return;
        };
        let lines: Vec<_> = pending
            .signatures
            .iter()
            .take(quorum)
            .map(|(index, signature)| Certificate::line(*index, signature))
            .collect();
        let Some(certificate) = Certificate::new(&self.rules.id, hash, &lines) else { return };
        out.push(Effect::Certified(pending.order, bytes_of(&certificate)));
        self.done(hash, out);
    }

    fn done(&mut self, hash: OrderHash, out: &mut impl Sink<Effect>) {
        let Some(pending) = self.pending.remove(&hash) else { return };
        self.deadlines.cancel(Timer::Ask(hash));
        let key = self.key(&pending.order);
        // Without room it stays on disk, and is found to be certified when it is asked for again.
        if let Ok(number) = self.gate.hold(Then::Nothing) {
            out.push(Effect::Write { number, writes: Vec::from([Write::delete(PURSE, &key)]) });
        }
        self.next_order(out);
    }

    /// The books know of certified orders: of this one too, perhaps.
    fn through(&mut self, through: u32, out: &mut impl Sink<Effect>) {
        self.last = self.last.max(through);
        let certified = |pending: &Pending| match pending.order {
            Order::Open(order) => order.body.order <= through,
            Order::Close(_) => false,
        };
        let done = self.pending.iter().find(|(_, pending)| certified(pending)).map(|(hash, _)| *hash);
        if let Some(hash) = done {
            self.done(hash, out);
        }
    }
}

fn bytes_of<'a>(value: &impl Layout<'a>) -> Vec<u8> {
    let mut bytes = alloc::vec![0; value.encoded_len()];
    value.encode(&mut bytes).expect("a value is as long as it says");
    bytes
}

impl Machine for Purse {
    type Input = Input;
    type Effect = Effect;

    fn handle(&mut self, cx: Cx, input: Input, out: &mut impl Sink<Effect>) {
        match input {
            Input::Deposit { channel, peer, deposit } => self.deposit((channel, peer, deposit), out),
            Input::Close(order) => self.close(order, out),
            Input::CloseAlone(body) => self.close_alone(body, out),
            Input::Show(course) => self.show(cx, &course, out),
            Input::Closed(channel) => self.closed(channel, out),
            Input::Heard(statement) => self.heard(&statement, out),
            Input::Through(number) => self.through(number, out),
            Input::Durable(through) => self.durable(cx, through, out),
        }
    }

    fn handle_timeout(&mut self, cx: Cx, out: &mut impl Sink<Effect>) {
        while let Some(timer) = self.deadlines.pop_due(cx.now) {
            match timer {
                Timer::Ask(hash) => self.ask(cx, hash, out),
                Timer::Show(channel) => self.show_again(cx, channel, out),
            }
        }
    }

    fn next_timeout(&self) -> Option<Instant> {
        self.deadlines.next()
    }
}

impl MemoryBound for Purse {
    fn memory_bound(&self) -> usize {
        const PER_PENDING: usize = 4 * size_of::<(OrderHash, Pending)>()
            + Certificate::MAX_SIGNATURES * 4 * size_of::<(WitnessIndex, Signature)>()
            + 1_024;
        (WAITING + 2)
            .saturating_mul(PER_PENDING)
            .saturating_add(Showing::MEMORY_BOUND)
            .saturating_add(self.rules.witnesses.len().saturating_mul(64))
            .saturating_add(self.rules.accounts.len().saturating_mul(32))
            .saturating_add(16_384)
    }
}
