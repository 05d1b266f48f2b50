//! What neighbours say, judged: cheap looks first, then signatures, each neighbour in its turn.
//!
//! Invariants:
//!
//! * nothing is believed before its signatures are verified, and nothing that is known is verified again;
//! * what lacks a key or a certificate waits, because dropping it would make replicas differ; whoever makes most wait gives way first;
//! * each neighbour has a queue of its own and a turn of its own: who sends rubbish gets one look a turn, who sends what is good up to
//!   [`Limits::turn`];
//! * everything dropped is dropped silently, and counted by its cause.
//!
//! Spec: `spec/economy.md#validation`.

mod hold;
#[cfg(test)]
mod tests;

use alloc::collections::{BTreeMap, VecDeque};
use alloc::vec::Vec;

use nexus_crypto::{NodeId, VerifyingKey};
use nexus_machine::{BoundedMap, Key, MapOverflow, Stream};
use nexus_wire::nexus::Layout as _;
use nexus_wire::nexus::channel::SettlementRecord;
use nexus_wire::nexus::gossip::{ItemId, StoreId};
use nexus_wire::nexus::ledger::{Certificate, Order, WitnessIndex};

use super::books::{NotRecorded, Recorded};
use super::claim::{Checkable, Claim, Proof, parties, verify, verify_all};
use super::entry::ChannelKey;
use super::known::Known;
use super::rules::Rules;
use hold::{Hold, Waiting};

pub use hold::Lack;

/// A neighbour, for as long as its link is up.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Neighbour(pub Key);

/// How much may wait.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Neighbours that are listened to.
    pub neighbours: usize,
    /// Claims of one neighbour whose signatures wait to be verified; further ones are dropped, gossip brings them again.
    pub queued: usize,
    /// What lacks something, of all neighbours together.
    pub held: usize,
    /// Keys that are remembered, so that they need not be asked for.
    pub keys: usize,
    /// Claims of a neighbour that are verified in one turn, if all it sends is good.
    pub turn: usize,
}

impl Limits {
    /// What so much takes at most, in bytes.
    #[must_use]
    pub const fn memory_bound(&self) -> usize {
        /// A claim with its signatures, seven of them at most, and what it waits for.
        const PER_CLAIM: usize = 2 * (size_of::<(Claim, Option<[VerifyingKey; 2]>)>() + 7 * 72 + 64);
        const PER_KEY: usize = 4 * size_of::<(NodeId, VerifyingKey, u64)>() + 4 * size_of::<(u64, NodeId)>();
        let queued =
            self.neighbours.saturating_mul(self.queued.saturating_mul(PER_CLAIM).saturating_add(256));
        let held = self.held.saturating_add(1).saturating_mul(PER_CLAIM);
        queued.saturating_add(held).saturating_add(self.keys.saturating_mul(PER_KEY)).saturating_add(4_096)
    }
}

impl Default for Limits {
    /// For a host.
    fn default() -> Self {
        Self { neighbours: 256, queued: 256, held: 1_024, keys: 4_096, turn: 64 }
    }
}

/// What came of what neighbours said, and how much work it was. Counted from the start of the node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Counts {
    /// Claims that were believed.
    pub believed: u64,
    /// What was known already.
    pub known: u64,
    /// Bytes that are no item, or an item that breaks a rule.
    pub malformed: u64,
    /// Claims with a signature that does not verify.
    pub forged: u64,
    /// Certificates of another genesis.
    pub foreign: u64,
    /// What came while its neighbour's queue was full, or from who is no neighbour.
    pub crowded: u64,
    /// What waited for something that did not come in time.
    pub given_up: u64,
    /// Channels for which the books have no room.
    pub full: u64,
    /// Signatures verified, alone or in a batch.
    pub verified: u64,
}

/// What a look at an item found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Looked {
    /// It waits for its turn.
    Queued,
    /// It is known: this is its name.
    Known(ItemId),
    /// It waits for the keys of these nodes.
    LacksKeys(Vec<NodeId>),
    /// It waits for a certificate, or for the other half of one.
    Lacks(Lack),
    /// It is bad: no item, or of another genesis.
    Bad(Badness),
    /// There is no room for it.
    Crowded,
}

/// How an item can be bad at a look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Badness {
    /// It is no item, or breaks a rule.
    Malformed,
    /// It is of another genesis.
    Foreign,
}

/// What came of one neighbour's turn.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Turn {
    /// Whose.
    pub from: Neighbour,
    /// What is believed.
    pub believed: Vec<Claim>,
    /// What was found to be known after all.
    pub known: Vec<(StoreId, ItemId)>,
    /// How many were forged, of settlements and of certificates.
    pub forged: Vec<StoreId>,
}

/// The intake.
#[derive(Debug)]
pub struct Intake {
    keys: BoundedMap<NodeId, VerifyingKey>,
    queues: BTreeMap<Neighbour, Queue>,
    hold: Hold,
    last: Option<Neighbour>,
    counts: Counts,
    limits: Limits,
}

/// One neighbour's.
#[derive(Debug)]
struct Queue {
    waiting: VecDeque<(Claim, Option<[VerifyingKey; 2]>)>,
    /// How many of its claims a turn takes.
    turn: usize,
}

impl Intake {
    /// Nothing heard yet.
    #[must_use]
    pub fn new(limits: Limits) -> Self {
        Self {
            keys: BoundedMap::new(limits.keys, MapOverflow::EvictLeastRecent),
            queues: BTreeMap::new(),
            hold: Hold::new(limits.held),
            last: None,
            counts: Counts::default(),
            limits,
        }
    }

    /// A neighbour is listened to from now on.
    pub fn linked(&mut self, neighbour: Neighbour) {
        if self.queues.len() < self.limits.neighbours {
            self.queues.entry(neighbour).or_insert(Queue { waiting: VecDeque::new(), turn: 1 });
        }
    }

    /// A neighbour is gone, and what it said and was not judged with it.
    pub fn unlinked(&mut self, neighbour: Neighbour) {
        self.queues.remove(&neighbour);
        self.hold.forget(neighbour);
    }

    /// What came of it all.
    #[must_use]
    pub const fn counts(&self) -> &Counts {
        &self.counts
    }

    /// Something came that the organ knew without a look.
    pub const fn count_known(&mut self) {
        self.counts.known = self.counts.known.saturating_add(1);
    }

    /// Whether somebody's claims wait for a turn.
    #[must_use]
    pub fn has_work(&self) -> bool {
        self.queues.values().any(|queue| !queue.waiting.is_empty())
    }

    /// How much waits: for a turn, and for something that lacks.
    #[must_use]
    pub fn waiting(&self) -> (usize, usize) {
        let queued = self.queues.values().fold(0_usize, |sum, queue| sum.saturating_add(queue.waiting.len()));
        (queued, self.hold.len())
    }

    /// Whether something waits for this.
    #[must_use]
    pub fn lacks(&self, what: &Lack) -> bool {
        self.hold.lacks(what)
    }

    /// Both parties' keys, if they are remembered.
    #[must_use]
    pub fn keys_of(&self, key: &ChannelKey) -> Option<[VerifyingKey; 2]> {
        Some([*self.keys.get(&key.a())?, *self.keys.get(&key.b())?])
    }

    /// Whether a node's key is remembered.
    #[must_use]
    pub fn key_of(&self, node: &NodeId) -> Option<VerifyingKey> {
        self.keys.get(node).copied()
    }

    /// Remembers a key whether or not something waits for it.
    pub fn remember(&mut self, node: NodeId, key: VerifyingKey) {
        // Whoever is pushed out is asked for again when it is needed.
        let _ = self.keys.insert(node, key);
    }

    /// Looks at one item of a neighbour. Verifies nothing.
    pub fn look(
        &mut self,
        from: Neighbour,
        store: StoreId,
        item: &[u8],
        known: &Known,
        rules: &Rules,
    ) -> Looked {
        if !self.queues.contains_key(&from) {
            return self.crowded();
        }
        let looked = if store == StoreId::SETTLEMENTS {
            SettlementRecord::decode(item)
                .ok()
                .and_then(Claim::of_settlement)
                .map_or(Looked::Bad(Badness::Malformed), |claim| {
                    self.look_at_claim(from, claim, known, rules)
                })
        } else if let Ok(certificate) = Certificate::decode(item) {
            self.look_at_certificate(from, &certificate, known, rules)
        } else if let Ok(order) = Order::decode(item) {
            self.look_at_order(from, order, known, rules)
        } else {
            Looked::Bad(Badness::Malformed)
        };
        self.count(&looked);
        looked
    }

    /// A key came, or was found: whatever waited for it takes its turn. Says whose keys lack still.
    pub fn key(&mut self, node: NodeId, key: VerifyingKey, known: &Known, rules: &Rules) -> Vec<NodeId> {
        if !self.hold.wants_key(&node) {
            return Vec::new();
        }
        self.remember(node, key);
        let waited = self.hold.take_lacking(&Lack::Key(node));
        self.look_again(waited, known, rules)
    }

    /// Something was certified in a channel: whatever waited for it takes its turn. Says whose keys lack for that.
    pub fn certified(&mut self, claim: &Claim, known: &Known, rules: &Rules) -> Vec<NodeId> {
        if let Proof::Certified { order, .. } = &claim.proof {
            let hash = order.hash(&rules.id);
            drop(self.hold.take_lacking(&Lack::Certificate(hash)));
            drop(self.hold.take_lacking(&Lack::Order(hash)));
        }
        let waited = self.hold.take_lacking(&Lack::Deposit(claim.key));
        self.look_again(waited, known, rules)
    }

    /// Verifies what the next neighbour with something to verify has a turn for.
    pub fn take_turn(&mut self, known: &Known, rules: &Rules, random: &mut Stream) -> Option<Turn> {
        let from = self.next_in_turn()?;
        self.last = Some(from);
        let mut turn = Turn { from, believed: Vec::new(), known: Vec::new(), forged: Vec::new() };
        let mut claims = Vec::new();
        let most = self.queues.get(&from).map_or(0, |queue| queue.turn);
        while claims.len() < most {
            let queue = self.queues.get_mut(&from);
            let Some((claim, keys)) = queue.and_then(|queue| queue.waiting.pop_front()) else { break };
            match known.judge(&claim) {
                Ok(Recorded::Known) => {
                    self.counts.known = self.counts.known.saturating_add(1);
                    turn.known.extend(claim.ids(rules));
                }
                Err(NotRecorded::Full) => self.counts.full = self.counts.full.saturating_add(1),
                Ok(Recorded::Grew | Recorded::Others)
                | Err(NotRecorded::Uncertified | NotRecorded::BeyondDeposit) => {
                    claims.push((claim, keys));
                }
            }
        }
        self.judge(claims, rules, random, &mut turn);
        Some(turn)
    }

    fn judge(
        &mut self,
        claims: Vec<(Claim, Option<[VerifyingKey; 2]>)>,
        rules: &Rules,
        random: &mut Stream,
        turn: &mut Turn,
    ) {
        let checks: Vec<Checkable<'_>> =
            claims.iter().map(|(claim, parties)| Checkable { claim, parties: *parties }).collect();
        let signatures =
            claims.iter().fold(0_u64, |sum, (claim, _)| sum.saturating_add(count_of(claim.signatures())));
        let mut verified = 0_u64;
        let one_by_one = match checks.as_slice() {
            [] => false,
            [_] => true,
            _ => {
                verified = signatures;
                verify_all(&checks, rules, random).is_err()
            }
        };
        let good: Vec<bool> = if one_by_one {
            verified = verified.saturating_add(signatures);
            checks.iter().map(|check| verify(check, rules).is_ok()).collect()
        } else {
            checks.iter().map(|_| true).collect()
        };
        self.counts.verified = self.counts.verified.saturating_add(verified);
        for ((claim, _), good) in claims.into_iter().zip(&good) {
            if *good {
                turn.believed.push(claim);
            } else {
                turn.forged.push(store_of(&claim));
            }
        }
        self.counts.believed = self.counts.believed.saturating_add(count_of(turn.believed.len()));
        self.counts.forged = self.counts.forged.saturating_add(count_of(turn.forged.len()));
        self.grade(turn);
    }

    /// Who sent what is good gets twice the turn; who sent a forgery gets the least.
    fn grade(&mut self, turn: &Turn) {
        let most = self.limits.turn.max(1);
        let Some(queue) = self.queues.get_mut(&turn.from) else { return };
        if !turn.forged.is_empty() {
            queue.turn = 1;
        } else if !turn.believed.is_empty() {
            queue.turn = queue.turn.saturating_mul(2).min(most);
        }
    }

    fn next_in_turn(&self) -> Option<Neighbour> {
        let busy =
            |(neighbour, queue): (&Neighbour, &Queue)| (!queue.waiting.is_empty()).then_some(*neighbour);
        let last = self.last;
        let after = self.queues.iter().filter(|(neighbour, _)| Some(**neighbour) > last).find_map(busy);
        after.or_else(|| self.queues.iter().find_map(busy))
    }

    fn look_at_claim(&mut self, from: Neighbour, claim: Claim, known: &Known, rules: &Rules) -> Looked {
        match known.judge(&claim) {
            Ok(Recorded::Known) => {
                claim.ids(rules).into_iter().next_back().map_or(Looked::Crowded, |(_, id)| Looked::Known(id))
            }
            // What certifies a deposit needs none; whatever else is beyond them waits.
            Err(NotRecorded::Uncertified | NotRecorded::BeyondDeposit) => {
                let lack = Lack::Deposit(claim.key);
                self.wait(from, Waiting::Claim(claim), lack, Looked::Lacks(lack))
            }
            Err(NotRecorded::Full) => {
                self.counts.full = self.counts.full.saturating_add(1);
                Looked::Crowded
            }
            Ok(Recorded::Grew | Recorded::Others) => match (&claim.proof, self.first_unknown(&claim)) {
                (Proof::Settled(_), Some(_)) if !known.keeps(&claim.key) && self.hold.is_full() => {
                    Looked::Crowded
                }
                (Proof::Settled(_), Some(node)) => {
                    let unknown =
                        parties(&claim).into_iter().filter(|node| !self.keys.contains(node)).collect();
                    self.wait(from, Waiting::Claim(claim), Lack::Key(node), Looked::LacksKeys(unknown))
                }
                (Proof::Settled(_), None) | (Proof::Certified { .. }, _) => self.queue(from, claim, known),
            },
        }
    }

    fn look_at_order(&mut self, from: Neighbour, order: Order, known: &Known, rules: &Rules) -> Looked {
        let hash = order.hash(&rules.id);
        if known.has(&order) {
            drop(self.hold.take_certificates(&hash));
            return Looked::Known(ItemId(hash.0));
        }
        let lack = Lack::Certificate(hash);
        let certificates = self.hold.take_certificates(&hash);
        if self.hold.order(&hash).is_none() {
            self.wait(from, Waiting::Order(order), lack, Looked::Lacks(lack));
        }
        for (said, signatures) in certificates {
            let looked = self.join_halves(said, order, signatures, known, rules);
            self.count(&looked);
        }
        Looked::Lacks(lack)
    }

    fn look_at_certificate(
        &mut self,
        from: Neighbour,
        certificate: &Certificate<'_>,
        known: &Known,
        rules: &Rules,
    ) -> Looked {
        if !certificate.is_of(&rules.id) {
            return Looked::Bad(Badness::Foreign);
        }
        let signatures: Vec<_> = certificate.signatures().collect();
        let witnesses = |(witness, _): &(WitnessIndex, _)| rules.witness(*witness).is_some();
        if signatures.len() != rules.quorum || !signatures.iter().all(witnesses) {
            return Looked::Bad(Badness::Malformed);
        }
        let hash = certificate.order();
        if let Some(order) = self.hold.order(&hash).copied() {
            return self.join_halves(from, order, signatures, known, rules);
        }
        let lack = Lack::Order(hash);
        self.wait(from, Waiting::Certificate(signatures), lack, Looked::Lacks(lack))
    }

    /// An order and its certificate are both there: whoever said the certificate answers for it.
    fn join_halves(
        &mut self,
        from: Neighbour,
        order: Order,
        signatures: Vec<(WitnessIndex, nexus_crypto::Signature)>,
        known: &Known,
        rules: &Rules,
    ) -> Looked {
        Claim::of_order(order, signatures)
            .map_or(Looked::Bad(Badness::Malformed), |claim| self.look_at_claim(from, claim, known, rules))
    }

    /// Says whose keys lack.
    fn look_again(&mut self, waited: Vec<(Neighbour, Waiting)>, known: &Known, rules: &Rules) -> Vec<NodeId> {
        let mut lacking = Vec::new();
        for (from, waiting) in waited {
            match waiting {
                Waiting::Claim(claim) => {
                    let looked = self.look_at_claim(from, claim, known, rules);
                    self.count(&looked);
                    if let Looked::LacksKeys(nodes) = looked {
                        lacking.extend(nodes);
                    }
                }
                Waiting::Order(_) | Waiting::Certificate(_) => unreachable!("halves lack each other only"),
            }
        }
        lacking.sort_unstable();
        lacking.dedup();
        lacking
    }

    fn wait(&mut self, from: Neighbour, waiting: Waiting, lack: Lack, looked: Looked) -> Looked {
        let given_up = self.hold.put(from, lack, waiting);
        self.counts.given_up = self.counts.given_up.saturating_add(count_of(given_up));
        looked
    }

    fn queue(&mut self, from: Neighbour, claim: Claim, known: &Known) -> Looked {
        // What concerns nobody who is followed takes no room from what does.
        let most = if known.keeps(&claim.key) { self.limits.queued } else { self.limits.queued / 2 };
        let keys = self.party_keys(&claim);
        match self.queues.get_mut(&from) {
            Some(queue) if queue.waiting.len() < most => {
                queue.waiting.push_back((claim, keys));
                Looked::Queued
            }
            Some(_) | None => Looked::Crowded,
        }
    }

    fn crowded(&mut self) -> Looked {
        self.count(&Looked::Crowded);
        Looked::Crowded
    }

    fn count(&mut self, looked: &Looked) {
        let counter = match looked {
            Looked::Known(_) => &mut self.counts.known,
            Looked::Bad(Badness::Malformed) => &mut self.counts.malformed,
            Looked::Bad(Badness::Foreign) => &mut self.counts.foreign,
            Looked::Crowded => &mut self.counts.crowded,
            Looked::Queued | Looked::LacksKeys(_) | Looked::Lacks(_) => return,
        };
        *counter = counter.saturating_add(1);
    }

    fn first_unknown(&self, claim: &Claim) -> Option<NodeId> {
        parties(claim).into_iter().find(|node| !self.keys.contains(node))
    }

    fn party_keys(&self, claim: &Claim) -> Option<[VerifyingKey; 2]> {
        self.keys_of(&claim.key)
    }
}

fn store_of(claim: &Claim) -> StoreId {
    match claim.proof {
        Proof::Settled(_) => StoreId::SETTLEMENTS,
        Proof::Certified { .. } => StoreId::CERTIFICATES,
    }
}

fn count_of(number: usize) -> u64 {
    u64::try_from(number).unwrap_or(u64::MAX)
}
