//! A payer and a relay with a bad medium between them, disks that may be restored, and a channel that both believe.

use std::collections::BTreeMap;
use std::collections::VecDeque;
use std::vec::Vec;

use nexus_crypto::hash::{blake3_keyed, blake3_xof};
use nexus_crypto::{
    IdentitySeed, NodeId, NodeIdentity, NotProven, VrfOutput, VrfProof, VrfPublicKey, VrfSecret,
};
use nexus_machine::{Cx, Duration, Instant, Machine as _, Seed, Snapshot, Stream, Write};
use nexus_wire::nexus::code::PriceCode;
use nexus_wire::nexus::lottery::{Released, Token};

use super::super::{Channel, Claimed, Effect, Input, Lottery, PathView, Policy, Vrf, WindowKind, chain};
use crate::money::{Amount, Grains};

/// What stands in for the VRF where it would take hours: everybody could compute it.
#[derive(Debug)]
pub(super) struct Coin(VrfPublicKey);

impl Coin {
    pub(super) fn new(number: u8) -> Self {
        Self(VrfSecret::from_seed(&[number; 32]).public())
    }

    fn of(key: &VrfPublicKey, alpha: &[u8]) -> VrfOutput {
        let mut output = [0; 64];
        blake3_xof(&[&blake3_keyed(key.as_bytes(), &[alpha])], &mut output);
        VrfOutput(output)
    }
}

impl Vrf for Coin {
    fn public(&self) -> VrfPublicKey {
        self.0
    }

    fn output(&self, alpha: &[u8]) -> VrfOutput {
        Self::of(&self.0, alpha)
    }

    fn prove(&self, alpha: &[u8]) -> VrfProof {
        let mut proof = [0; 80];
        proof[..64].copy_from_slice(&Self::of(&self.0, alpha).0);
        VrfProof(proof)
    }

    fn verify(key: &VrfPublicKey, alpha: &[u8], proof: &VrfProof) -> Result<VrfOutput, NotProven> {
        let output = Self::of(key, alpha);
        if proof.0[..64] == output.0 { Ok(output) } else { Err(NotProven::Mismatch) }
    }
}

pub(super) const PAYER: usize = 0;
pub(super) const RELAY: usize = 1;
pub(super) const CHANNEL: [u8; 16] = [0xc1; 16];

/// What a medium does.
#[derive(Clone, Copy, Debug)]
pub(super) struct Medium {
    pub(super) latency: Duration,
    pub(super) bandwidth_bps: u64,
    pub(super) lost_percent: u64,
    pub(super) doubled_percent: u64,
    /// Up to so much later than others.
    pub(super) jitter: Duration,
}

pub(super) const CABLE: Medium = Medium {
    latency: Duration::from_millis(5),
    bandwidth_bps: 100_000_000,
    lost_percent: 0,
    doubled_percent: 0,
    jitter: Duration::ZERO,
};
pub(super) const BAD: Medium =
    Medium { lost_percent: 10, doubled_percent: 10, jitter: Duration::from_millis(8), ..CABLE };

/// What is on its way.
#[derive(Clone, Debug)]
pub(super) enum Said {
    Packet(Grains),
    Message(Effect),
    Cosigned(Claimed),
    ClaimRefused,
}

/// What a payer does with claims.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Signing {
    #[default]
    Honest,
    Refuses,
    SaysNothing,
}

/// Who does not do what it should.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Cheat {
    /// The payer keeps its tokens.
    pub(super) keeps_tokens: bool,
    /// What the payer does with claims.
    pub(super) signing: Signing,
    /// Somebody between them swallows every DUE.
    pub(super) jams_dues: bool,
    /// The relay says that so many windows more are due.
    pub(super) inflates: u16,
    /// The relay counts each packet at so many times the price that was stated, beside the price itself.
    pub(super) overcharges: u64,
}

pub(super) struct Side<V> {
    pub(super) organ: Lottery<V>,
    pub(super) disk: Snapshot,
    pub(super) id: NodeId,
    seed: u8,
    /// Whose VRF key it has.
    key: u8,
    lives: u64,
    /// Totals of what the process sent and took at a price.
    pub(super) sent: Grains,
    pub(super) taken: Grains,
    pub(super) limit: Grains,
    mark: Grains,
}

pub(super) struct World<V> {
    pub(super) now: Instant,
    pub(super) sides: [Side<V>; 2],
    pub(super) medium: Medium,
    pub(super) cheat: Cheat,
    pub(super) typical: Grains,
    pub(super) balance: Amount,
    policy: Policy,
    make: fn(u8) -> V,
    flying: BTreeMap<(Instant, u64), (usize, Said)>,
    counter: u64,
    random: Stream,
    /// The channel's claim that is not answered, and when to say it again.
    claim: Option<(Claimed, Amount, Write)>,
    /// What the payer signed.
    pub(super) signed: Vec<Claimed>,
    /// What the relay took, ever.
    pub(super) accepted: Grains,
    pub(super) dropped: u64,
    pub(super) paid: Amount,
    pub(super) claims: u64,
    /// Bytes of messages, with their frames.
    pub(super) bytes: u64,
    pub(super) refusals: Vec<super::super::ClaimRefusal>,
    pub(super) terms_refused: u64,
    pub(super) terms_said: u64,
    /// What was released under each terms, in grains.
    released: BTreeMap<u32, u64>,
    /// The token that the payer said last.
    last_token: Option<Released>,
}

/// What a sealed frame adds, and a message's head.
const FRAME: u64 = 23 + 3;
/// A countersignature in its message.
const COSIGN: u64 = 1 + 8 + 8 + 64 + 1;

impl<V: Vrf> World<V> {
    pub(super) fn new(make: fn(u8) -> V, medium: Medium, typical: Grains, kind: WindowKind) -> Self {
        let policy = Policy {
            neighbours: 4,
            windows: kind,
            chain: 4_096,
            stranger_pool: Grains::new(typical.get().saturating_mul(64 * 20)),
        };
        Self::with(make, medium, typical, policy)
    }

    pub(super) fn with(make: fn(u8) -> V, medium: Medium, typical: Grains, policy: Policy) -> Self {
        let side = |seed: u8| {
            let disk = Snapshot::empty();
            let identity = NodeIdentity::from_seed(IdentitySeed::from_bytes([seed; 32]));
            let id = identity.node_id();
            let organ = Lottery::new(identity, make(seed), policy, &disk, &Seed::new([seed; 32]));
            let zero = Grains::ZERO;
            Side {
                organ,
                disk,
                id,
                seed,
                key: seed,
                lives: 0,
                sent: zero,
                taken: zero,
                limit: zero,
                mark: zero,
            }
        };
        let mut world = Self {
            now: Instant::BOOT,
            sides: [side(1), side(2)],
            medium,
            cheat: Cheat::default(),
            typical,
            balance: Amount::from_micros(1 << 50),
            policy,
            make,
            flying: BTreeMap::new(),
            counter: 0,
            random: Seed::new([0x77; 32]).fork("world"),
            claim: None,
            signed: Vec::new(),
            accepted: Grains::ZERO,
            dropped: 0,
            paid: Amount::ZERO,
            claims: 0,
            bytes: 0,
            refusals: Vec::new(),
            terms_refused: 0,
            terms_said: 0,
            released: BTreeMap::new(),
            last_token: None,
        };
        world.connect();
        world.settle();
        world
    }

    pub(super) fn channel(&self) -> Channel {
        Channel { id: CHANNEL, slot: 0, balance: self.balance }
    }

    fn connect(&mut self) {
        self.link();
        self.pay_again();
        self.claim_again();
    }

    fn link(&mut self) {
        let path =
            PathView { round_trip: self.medium.latency.times(2), bandwidth_bps: self.medium.bandwidth_bps };
        for (at, other) in [(PAYER, RELAY), (RELAY, PAYER)] {
            let theirs = NodeIdentity::from_seed(IdentitySeed::from_bytes([self.sides[other].seed; 32]));
            let key = theirs.public().verifying();
            self.tell(at, Input::LinkUp { peer: theirs.node_id(), key, path });
        }
    }

    /// Both know again out of what is paid, and for what: something was sent.
    pub(super) fn pay_again(&mut self) {
        let vrf = (self.make)(self.sides[RELAY].key).public();
        let (payer, relay) = (self.sides[PAYER].id, self.sides[RELAY].id);
        let (channel, typical) = (self.channel(), self.typical);
        self.tell(PAYER, Input::Pay { peer: relay, channel, vrf, typical });
        let reference = Grains::new(typical.get().saturating_mul(64));
        self.tell(RELAY, Input::Charge { peer: payer, channel, reference });
    }

    /// A process dies and comes back with what was durable.
    pub(super) fn crash(&mut self, at: usize) {
        self.crash_unpaying(at);
        self.pay_again();
        self.claim_again();
    }

    /// The same, and nothing is sent yet.
    pub(super) fn crash_unpaying(&mut self, at: usize) {
        let other = 1 - at;
        let peer = self.sides[at].id;
        self.tell(other, Input::LinkDown(peer));
        let side = &mut self.sides[at];
        side.lives += 1;
        let seed = Seed::new([side.seed; 32]).fork_index("life", side.lives);
        let identity = NodeIdentity::from_seed(IdentitySeed::from_bytes([side.seed; 32]));
        side.organ = Lottery::new(identity, (self.make)(side.key), self.policy, &side.disk, &seed);
        (side.sent, side.taken, side.limit, side.mark) = Default::default();
        if at == RELAY {
            self.claim = None;
        }
        self.flying.clear();
        self.link();
    }

    /// The relay comes back with another VRF key.
    pub(super) fn change_key(&mut self, key: u8) {
        self.sides[RELAY].key = key;
        self.crash(RELAY);
    }

    /// Keys are new: the link is the same, and so is everything here.
    pub(super) fn rekey(&mut self) {
        self.connect();
    }

    pub(super) fn tell(&mut self, at: usize, input: Input) {
        let cx = Cx::at(self.now);
        let mut effects: VecDeque<Effect> = VecDeque::new();
        self.sides[at].organ.handle(cx, input, &mut effects);
        self.act(at, effects);
    }

    /// Disks are fast, and no faster than that all of an answer is heard before the next begins.
    fn act(&mut self, at: usize, effects: VecDeque<Effect>) {
        let mut durable = Vec::new();
        for effect in effects {
            if let Effect::Write { number, writes } = effect {
                for write in writes {
                    self.sides[at].disk.apply(write);
                }
                durable.push(number);
            } else {
                self.act_on(at, effect);
            }
        }
        for number in durable {
            self.tell(at, Input::Durable(number));
        }
    }

    fn act_on(&mut self, at: usize, effect: Effect) {
        let other = 1 - at;
        let peer = self.sides[other].id;
        match effect {
            Effect::EntropyWanted => {
                let entropy = self.random.bytes();
                self.tell(at, Input::Entropy(entropy));
            }
            Effect::Write { .. } => {}
            Effect::Grant { limit, mark, .. } => {
                (self.sides[at].limit, self.sides[at].mark) = (limit, mark);
            }
            Effect::Propose { claim, reward, stored, .. } => {
                self.claim = Some((claim, reward, stored));
                self.claim_again();
            }
            Effect::Countersign { claim, reward, stored, .. } => {
                match self.cheat.signing {
                    Signing::Honest => {}
                    Signing::SaysNothing => return self.tell(at, Input::NotCountersigned(peer)),
                    Signing::Refuses => {
                        self.tell(at, Input::NotCountersigned(peer));
                        return self.send(at, &Said::ClaimRefused, 8);
                    }
                }
                self.sides[at].disk.apply(stored);
                self.paid = self.paid.checked_add(reward).expect("fits");
                self.balance = self.balance.checked_sub(reward).expect("it had it");
                self.claims += 1;
                self.signed.push(claim);
                self.tell(at, Input::Countersigned { peer, to: claim.to });
                self.send(at, &Said::Cosigned(claim), COSIGN);
            }
            Effect::AnswerAgain { claim, .. } => self.send(at, &Said::Cosigned(claim), COSIGN),
            Effect::RefuseClaim { reason, .. } => {
                self.refusals.push(reason);
                self.send(at, &Said::ClaimRefused, 8);
            }
            Effect::Token { .. } if self.cheat.keeps_tokens => {}
            Effect::Due { .. } if self.cheat.jams_dues => {}
            Effect::Due { peer, mut due } => {
                due.window = due.window.saturating_add(self.cheat.inflates);
                let len = if due.held.is_some() { 22 } else { 4 };
                self.send(at, &Said::Message(Effect::Due { peer, due }), len);
            }
            Effect::Terms { .. } => {
                self.terms_said += 1;
                self.send(at, &Said::Message(effect), 136);
            }
            Effect::Token { token, .. } => {
                self.last_token = Some(token.released);
                self.send(at, &Said::Message(effect), 20);
            }
            Effect::RefuseTerms { .. } => {
                self.terms_refused += 1;
                self.send(at, &Said::Message(effect), 3);
            }
        }
    }

    fn claim_again(&mut self) {
        if let Some((claim, reward, stored)) = self.claim.clone() {
            let len = if claim.proof.is_some() { 165 } else { 85 };
            let peer = self.sides[PAYER].id;
            self.send(RELAY, &Said::Message(Effect::Propose { peer, claim, reward, stored }), len);
        }
    }

    fn send(&mut self, from: usize, said: &Said, len: u64) {
        if !matches!(said, Said::Packet(_)) {
            self.bytes += FRAME + len;
        }
        let copies = 1 + u64::from(
            !matches!(said, Said::Packet(_)) && self.random.chance(self.medium.doubled_percent, 100),
        );
        for _ in 0..copies {
            if self.random.chance(self.medium.lost_percent, 100) {
                continue;
            }
            let jitter = Duration::from_micros(self.random.below(self.medium.jitter.as_micros() + 1));
            let at = self.now.after(self.medium.latency).after(jitter);
            self.counter += 1;
            self.flying.insert((at, self.counter), (1 - from, said.clone()));
        }
    }

    /// The payer sends a packet at a price.
    pub(super) fn pay_for(&mut self, price: PriceCode, bytes: u32) {
        let cost = Grains::of_packet(price, bytes).expect("fits");
        let side = &mut self.sides[PAYER];
        side.sent = side.sent.checked_add(cost).expect("fits");
        self.send(PAYER, &Said::Packet(cost), u64::from(bytes));
    }

    fn take(&mut self, cost: Grains) {
        let side = &mut self.sides[RELAY];
        let total = side.taken.checked_add(cost).expect("fits");
        if total > side.limit {
            self.dropped += 1;
            return;
        }
        side.taken = total;
        self.accepted = self.accepted.checked_add(cost).expect("fits");
        let more = Grains::new(cost.get().saturating_mul(self.cheat.overcharges));
        let total = total.checked_add(more).expect("fits");
        self.sides[RELAY].taken = total;
        if total >= self.sides[RELAY].mark {
            let peer = self.sides[PAYER].id;
            self.tell(RELAY, Input::Counted { peer, total });
        }
    }

    fn hear(&mut self, at: usize, said: Said) {
        let peer = self.sides[1 - at].id;
        match said {
            Said::Packet(cost) => self.take(cost),
            Said::Cosigned(claim) => {
                if self.claim.as_ref().is_some_and(|(own, ..)| *own == claim) {
                    let (_, _, stored) = self.claim.take().expect("it is there");
                    self.sides[at].disk.apply(stored);
                    self.tell(at, Input::Accepted(peer));
                }
            }
            Said::ClaimRefused => {
                if self.claim.take().is_some() {
                    self.tell(at, Input::Refused(peer));
                }
            }
            Said::Message(message) => {
                if let Some(input) = self.heard(at, peer, &message) {
                    self.tell(at, input);
                }
            }
        }
    }

    fn heard(&self, at: usize, peer: NodeId, message: &Effect) -> Option<Input> {
        match *message {
            Effect::Due { due, .. } => Some(Input::Due { peer, due, sent: self.sides[at].sent }),
            Effect::Token { token, .. } => Some(Input::Token { peer, token }),
            Effect::Terms { offer, signature, before, .. } => {
                Some(Input::Terms { peer, offer, signature, before })
            }
            Effect::RefuseTerms { reason, .. } => Some(Input::TermsRefused { peer, reason }),
            Effect::Propose { claim, .. } => Some(Input::Claim { peer, claim }),
            _ => None,
        }
    }

    /// Lets time pass.
    pub(super) fn run_for(&mut self, span: Duration) {
        let until = self.now.after(span);
        loop {
            let event = self.flying.keys().next().map(|(at, _)| *at);
            let timeout = self.sides.iter().filter_map(|side| side.organ.next_timeout()).min();
            let next = [event, timeout].into_iter().flatten().min();
            let Some(next) = next.filter(|next| *next <= until) else { break };
            self.now = self.now.max(next);
            if event == Some(next) {
                let ((_, _), (at, said)) = self.flying.pop_first().expect("it is there");
                self.hear(at, said);
                continue;
            }
            for at in [PAYER, RELAY] {
                let mut effects: VecDeque<Effect> = VecDeque::new();
                self.sides[at].organ.handle_timeout(Cx::at(self.now), &mut effects);
                self.act(at, effects);
            }
        }
        self.now = until;
        let organ = &self.sides[RELAY].organ;
        if let Some(terms) = organ.relaying_terms(&self.sides[PAYER].id) {
            let released = terms.windows(u64::from(self.income().released)).get();
            let most = self.released.entry(terms.offer().number).or_default();
            *most = released.max(*most);
        }
        self.claim_again_sometimes();
    }

    /// The channel says its claim again as long as it is not answered.
    fn claim_again_sometimes(&mut self) {
        if self.claim.is_some() && self.random.chance(1, 8) {
            self.claim_again();
        }
    }

    /// Long enough for everything on its way, and all repetitions.
    pub(super) fn settle(&mut self) {
        for _ in 0..400 {
            self.run_for(Duration::from_millis(200));
        }
    }

    pub(super) fn income(&self) -> super::super::Income {
        self.sides[RELAY].organ.income(&self.sides[PAYER].id).expect("an account")
    }

    pub(super) fn window(&self) -> Grains {
        let terms = self.sides[RELAY].organ.relaying_terms(&self.sides[PAYER].id);
        terms.expect("terms").window()
    }

    /// The token of a window that is released.
    pub(super) fn token(&self, window: u16) -> Token {
        let last = self.last_token.expect("something is released");
        let tokens = chain::between(window.saturating_sub(1), &last, 1);
        tokens.first().expect("it is released").token
    }

    /// The value of all windows that were ever released.
    pub(super) fn released(&self) -> u64 {
        self.released.values().sum()
    }
}
