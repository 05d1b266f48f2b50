//! Where a witness is asked: requests wait, the largest deposit comes first, and what is signed is written down before.

use alloc::boxed::Box;
use alloc::collections::{BTreeMap, VecDeque};
use alloc::vec::Vec;

use nexus_crypto::{NodeId, Signature, SigningKey};
use nexus_machine::{Snapshot, TableId, Write};
use nexus_wire::nexus::Layout;
use nexus_wire::nexus::channel::SettlementBody;
use nexus_wire::nexus::course::Course;
use nexus_wire::nexus::ledger::{OpenBody, OpenOrder, Order, OrderHash, Statement, WitnessIndex, attested};

use super::{Book, Case, Refusal};
use crate::ledger::claim::key_of;
use crate::ledger::entry::{ChannelKey, Sums};
use crate::ledger::rules::Rules;

/// The table of what a witness signed: key `1 ‖ owner 16`, value the owner's last order, 124 bytes; key `2 ‖ channel key 48`, value the
/// body of its close, 72 bytes; key `3 ‖ channel key 48`, value what is known of a channel that one party closes alone, 48 bytes; key
/// `4`, value the round u64. Little-endian.
pub const WITNESSED: TableId = TableId(43);

/// A place among the witnesses of a genesis.
#[derive(Debug)]
pub struct Seat {
    /// Which.
    pub index: WitnessIndex,
    /// Its key.
    pub key: SigningKey,
}

/// What a witness is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Request {
    /// To sign an order.
    Sign(Order),
    /// To know what a channel came to, because one party closes alone.
    Know(Box<Course>),
}

/// How much a witness keeps.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Requests that wait to be looked at.
    pub asked: usize,
    /// Orders that wait for their turn within the day's budget; the smallest deposit gives way.
    pub waiting: usize,
    /// Owners with an order, closes, and channels that are closed alone, each.
    pub signed: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { asked: 256, waiting: 256, signed: 65_536 }
    }
}

impl Limits {
    /// What so much takes at most, in bytes.
    #[must_use]
    pub const fn memory_bound(&self) -> usize {
        const PER_SIGNED: usize = 4
            * (size_of::<(NodeId, OpenOrder)>()
                + size_of::<(ChannelKey, SettlementBody)>()
                + size_of::<(ChannelKey, Case)>());
        const PER_WAITING: usize = 4 * size_of::<(u64, OrderHash, NodeId, OpenOrder)>();
        const PER_ASKED: usize = 2 * size_of::<(NodeId, Request)>() + size_of::<Course>();
        self.asked
            .saturating_mul(PER_ASKED)
            .saturating_add(self.waiting.saturating_mul(PER_WAITING))
            .saturating_add(self.signed.saturating_mul(PER_SIGNED))
    }
}

/// What an open costs of the budget, and what a round adds for each that may be signed in a day: there are so many rounds in one.
const ROUNDS_PER_DAY: u64 = 1_440;
/// At the start a witness has the budget of so many rounds: restarting gains little.
const AT_FIRST: u64 = 60;

/// A witness.
#[derive(Debug)]
pub struct Witness {
    seat: Seat,
    pub(in crate::ledger) book: Book,
    asked: VecDeque<(NodeId, Request)>,
    /// Orders that wait for their turn, the largest deposit last.
    waiting: BTreeMap<(u64, OrderHash), (NodeId, OpenOrder)>,
    round: u64,
    /// What may be opened, in parts of [`ROUNDS_PER_DAY`]. None before the first look at the rules.
    credit: Option<u64>,
    limits: Limits,
}

impl Witness {
    /// With what was durable.
    #[must_use]
    pub fn new(seat: Seat, snapshot: &Snapshot, limits: Limits) -> Self {
        let mut book = Book::default();
        let mut round = 0;
        for (key, value) in snapshot.scan(WITNESSED) {
            match key.split_first() {
                Some((1, _)) => book.opens.extend(read_order(value).map(|order| (order.body.owner, order))),
                Some((2, _)) => {
                    let body = SettlementBody::decode(value).ok();
                    book.closes.extend(body.and_then(|body| Some((key_of(&body)?, body))));
                }
                Some((3, key)) => book.cases.extend(ChannelKey::from_bytes(key).zip(read_case(value))),
                Some((4, _)) => round = value.try_into().map_or(0, u64::from_le_bytes),
                Some(_) | None => {}
            }
        }
        let (asked, waiting) = (VecDeque::new(), BTreeMap::new());
        Self { seat, book, asked, waiting, round, credit: None, limits }
    }

    /// Which witness.
    #[must_use]
    pub const fn index(&self) -> WitnessIndex {
        self.seat.index
    }

    /// The round that it counts: minutes in which it ran.
    #[must_use]
    pub const fn round(&self) -> u64 {
        self.round
    }

    /// What it has signed.
    #[must_use]
    pub const fn book(&self) -> &Book {
        &self.book
    }

    /// How many requests, and orders that were looked at, wait for their turn.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.asked.len().saturating_add(self.waiting.len())
    }

    /// Whether somebody waits for an answer that may be given.
    pub(in crate::ledger) fn has_work(&self) -> bool {
        !self.asked.is_empty() || (!self.waiting.is_empty() && self.may_open_one())
    }

    /// Somebody asks. Says whether there is room.
    pub(in crate::ledger) fn ask(&mut self, by: NodeId, request: Request) -> bool {
        let room = self.asked.len() < self.limits.asked;
        if room {
            self.asked.push_back((by, request));
        }
        room
    }

    pub(in crate::ledger) fn next_asked(&mut self) -> Option<(NodeId, Request)> {
        self.asked.pop_front()
    }

    /// An order waits for its turn. Whose gives way, if there is no room.
    pub(in crate::ledger) fn line_up(
        &mut self,
        by: NodeId,
        hash: OrderHash,
        order: OpenOrder,
    ) -> Option<(NodeId, OrderHash)> {
        self.waiting.insert((order.body.deposit, hash), (by, order));
        if self.waiting.len() <= self.limits.waiting {
            return None;
        }
        self.waiting.pop_first().map(|((_, hash), (by, _))| (by, hash))
    }

    /// The largest deposit, if the budget allows one more.
    pub(in crate::ledger) fn next_in_line(&mut self) -> Option<(NodeId, OpenOrder)> {
        if !self.may_open_one() {
            return None;
        }
        self.waiting.pop_last().map(|(_, waiting)| waiting)
    }

    fn may_open_one(&self) -> bool {
        self.credit.is_none_or(|credit| credit >= ROUNDS_PER_DAY)
    }

    /// A channel was opened: that is one less.
    pub(in crate::ledger) fn spend(&mut self, rules: &Rules) {
        let credit = self.credit.unwrap_or_else(|| u64::from(rules.opens_per_day).saturating_mul(AT_FIRST));
        self.credit = Some(credit.saturating_sub(ROUNDS_PER_DAY));
    }

    /// Whether there is room for one more signature to be remembered.
    pub(in crate::ledger) fn has_room(&self) -> bool {
        self.book.len() < self.limits.signed
    }

    /// A round is over. What is written.
    pub(in crate::ledger) fn next_round(&mut self, rules: &Rules) -> Write {
        self.round = self.round.saturating_add(1);
        let a_day = u64::from(rules.opens_per_day).saturating_mul(ROUNDS_PER_DAY);
        let credit = self.credit.unwrap_or_else(|| u64::from(rules.opens_per_day).saturating_mul(AT_FIRST));
        self.credit = Some(credit.saturating_add(u64::from(rules.opens_per_day)).min(a_day));
        Write::set(WITNESSED, &[4], self.round.to_le_bytes().to_vec())
    }

    /// What is written when an order is signed.
    pub(in crate::ledger) fn opened(&mut self, order: &OpenOrder) -> Write {
        self.book.opened(*order);
        Write::set(WITNESSED, &of_owner(&order.body.owner), write_order(order))
    }

    /// What is written when a close is signed.
    pub(in crate::ledger) fn closed(&mut self, key: &ChannelKey, body: &SettlementBody) -> Vec<Write> {
        self.book.closed(*body);
        let mut value = alloc::vec![0; SettlementBody::LEN];
        body.encode(&mut value).expect("a body has 72 bytes");
        Vec::from([
            Write::set(WITNESSED, &of_channel(2, key), value),
            Write::delete(WITNESSED, &of_channel(3, key)),
        ])
    }

    /// What is written when a channel is closed by one party.
    pub(in crate::ledger) fn noted(key: &ChannelKey, case: &Case) -> Write {
        Write::set(WITNESSED, &of_channel(3, key), write_case(case))
    }

    /// What is certified needs to be remembered no more.
    pub(in crate::ledger) fn forgotten(key: &ChannelKey) -> [Write; 2] {
        [2, 3].map(|kind| Write::delete(WITNESSED, &of_channel(kind, key)))
    }

    /// This witness's signature.
    pub(in crate::ledger) fn sign(&self, rules: &Rules, hash: OrderHash) -> Statement {
        let signature = attested(&rules.id, &hash, |message| self.seat.key.sign(message));
        self.state(hash, Ok(signature))
    }

    /// Why there is none.
    pub(in crate::ledger) fn refuse(&self, hash: OrderHash, why: Refusal) -> Statement {
        self.state(hash, Err(why.code()))
    }

    const fn state(
        &self,
        order: OrderHash,
        says: Result<Signature, nexus_wire::nexus::ledger::RefusalCode>,
    ) -> Statement {
        Statement { order, witness: self.seat.index, says }
    }
}

fn of_owner(owner: &NodeId) -> Vec<u8> {
    [&[1][..], &owner.0].concat()
}

fn of_channel(kind: u8, key: &ChannelKey) -> Vec<u8> {
    [&[kind][..], &key.to_bytes()].concat()
}

fn write_order(order: &OpenOrder) -> Vec<u8> {
    let mut body = [0; OpenBody::LEN];
    order.body.encode(&mut body).expect("a body has 60 bytes");
    [&body[..], &order.signature.0].concat()
}

fn read_order(value: &[u8]) -> Option<OpenOrder> {
    let (body, signature) = value.split_first_chunk::<{ OpenBody::LEN }>()?;
    Some(OpenOrder { body: OpenBody::decode(body).ok()?, signature: Signature(signature.try_into().ok()?) })
}

fn write_case(case: &Case) -> Vec<u8> {
    let numbers = [case.since, case.first.a, case.first.b, case.last.a, case.last.b, case.sequence];
    numbers.into_iter().flat_map(u64::to_le_bytes).collect()
}

fn read_case(value: &[u8]) -> Option<Case> {
    let (numbers, rest) = value.as_chunks::<8>();
    let [since, first_a, first_b, last_a, last_b, sequence] = numbers else { return None };
    let number = |bytes: &[u8; 8]| u64::from_le_bytes(*bytes);
    let case = Case {
        since: number(since),
        first: Sums { a: number(first_a), b: number(first_b) },
        last: Sums { a: number(last_a), b: number(last_b) },
        sequence: number(sequence),
    };
    rest.is_empty().then_some(case)
}
