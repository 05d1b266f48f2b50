//! The payer's side: what is owed, what is released, what is countersigned.

use nexus_crypto::{NodeId, VrfPublicKey};
use nexus_machine::{Cx, Instant, Sink};
use nexus_wire::nexus::lottery::{Due, Offer, Released, Token, TokenRelease};

use super::chain::{self, Chain};
use super::difficulty::{self, Cut, Rate, Wish};
use super::{
    Channel, ClaimRefusal, Claimed, Effect, Held, Lottery, NOTHING, Odds, Rooted, Terms, TermsRefusal, Timer,
    Vrf, stored,
};
use crate::money::{Amount, GRAINS_PER_MICRO, Grains};

/// The most heap that a payer's side holds for a neighbour, in bytes.
pub(super) const HEAP: usize = 2 * chain::HEAP + 2 * difficulty::SAMPLES * size_of::<(Instant, u64)>();

/// How many windows a relay may say that it counted beyond the token it holds, when the payer has forgotten.
const FORGOTTEN: u16 = 2;

/// So often terms are said to a relay that names unknown ones, before others are made.
const TOLD: u32 = 3;

/// What is known of a neighbour that is paid.
#[derive(Debug, Default)]
pub(super) struct Paying {
    /// Out of what it is paid, and for what.
    pub(super) view: Option<View>,
    /// The terms in force.
    pub(super) current: Option<Contract>,
    /// Terms that it has not taken yet. While there are any, nothing is released under those in force.
    pub(super) offered: Option<Contract>,
    /// Whether the offer is durable, and may be said.
    said: Said,
    /// What is owed under the terms in force at [`Paying::since`].
    owed: Grains,
    /// What was sent in all when that was so.
    since: Grains,
    /// The latest total of what was sent.
    sent: Grains,
    rate: Rate,
    /// A claim that the channel has not answered for.
    pending: Option<Claimed>,
    /// All that it was ever paid: what its word is worth there.
    pub(super) paid: Grains,
    pub(super) paid_since_start: Amount,
    attempts: u32,
    /// The highest number that terms had: none is used twice, also where terms became void before the relay took them.
    numbered: u32,
    /// DUE that names other terms is not acted upon before this: whatever is on its way was said before the relay heard of these.
    rests_until: Option<Instant>,
    /// Whether the sum is to be taken from the relay's word, having been lost.
    memory: Memory,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct View {
    channel: Channel,
    vrf: VrfPublicKey,
    typical: Grains,
}

/// Terms of this node's own, with their chain.
#[derive(Debug)]
pub(super) struct Contract {
    pub(super) terms: Terms,
    pub(super) chain: Chain,
    /// The highest window released.
    pub(super) released: u16,
    /// The highest window paid for.
    pub(super) claimed: u16,
    /// Whether claims are honoured: not if the disk was out of date.
    pub(super) standing: Standing,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    Good,
    Distrusted,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Said {
    #[default]
    NotYet,
    Durable,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Memory {
    #[default]
    Kept,
    Lost,
}

impl Paying {
    /// What was durable.
    pub(super) fn restored(current: Option<Contract>, offered: Option<Contract>, paid: Grains) -> Self {
        Self { current, offered, said: Said::Durable, memory: Memory::Lost, paid, ..Self::default() }
    }

    pub(super) fn terms(&self) -> Option<&Terms> {
        self.current.as_ref().map(|contract| &contract.terms)
    }

    pub(super) fn distrust(&mut self) {
        for contract in [&mut self.current, &mut self.offered].into_iter().flatten() {
            contract.standing = Standing::Distrusted;
        }
        self.offered = None;
    }

    pub(super) const fn sent(&self) -> Grains {
        self.sent
    }

    fn owed(&self) -> Grains {
        let more = self.sent.checked_sub(self.since).unwrap_or_default();
        self.owed.checked_add(more).unwrap_or(self.owed)
    }

    /// Whether a relay that says this holds the terms in force: their name, and no token but of their chain.
    fn is_in_force(&mut self, due: &Due) -> bool {
        let Some(current) = &mut self.current else { return false };
        current.terms.name() == due.terms && due.held.is_none_or(|held| current.has(&held))
    }

    /// The number for the next terms: above all that were, and after the one that the relay names.
    fn next_number(&self, named: Option<u8>) -> Option<u32> {
        let contracts = [&self.current, &self.offered].into_iter().flatten();
        let last =
            contracts.map(|contract| contract.terms.offer().number).max().unwrap_or(0).max(self.numbered);
        let next = last.checked_add(1)?;
        let Some(named) = named else { return Some(next) };
        let short = named.wrapping_add(1).wrapping_sub(next.to_le_bytes()[0]);
        next.checked_add(u32::from(short))
    }
}

impl Contract {
    fn highest(&mut self) -> Released {
        Released { window: self.released, token: self.chain.token(self.released) }
    }

    fn cut(&self) -> Cut {
        Cut { window: self.terms.window(), reward: self.terms.reward() }
    }

    /// Whether a token is of its own chain.
    fn has(&mut self, held: &Released) -> bool {
        held.window <= self.terms.offer().length && self.chain.token(held.window) == held.token
    }

    /// Takes a token of its own chain for known, though this node has forgotten that it released it.
    fn adopt(&mut self, held: &Released) {
        if held.window > self.released && self.has(held) {
            self.released = held.window;
        }
    }
}

impl<V: Vrf> Lottery<V> {
    pub(super) fn pay(
        &mut self,
        cx: Cx,
        id: NodeId,
        (channel, vrf, typical): (Channel, VrfPublicKey, Grains),
        out: &mut impl Sink<Effect>,
    ) {
        if vrf.check().is_err() {
            return;
        }
        let Some(peer) = self.account(id, out) else { return };
        peer.paying.view = Some(View { channel, vrf, typical });
        self.consider(cx, id, out);
    }

    pub(super) fn entropy(&mut self, cx: Cx, entropy: &[u8; 32], out: &mut impl Sink<Effect>) {
        self.random.refresh(entropy);
        self.rooted = Rooted::Fresh;
        let waiting: alloc::vec::Vec<NodeId> = self.peers.keys().copied().collect();
        for id in waiting {
            self.consider(cx, id, out);
        }
    }

    /// Offers other terms where those in force do not do any more.
    fn consider(&mut self, cx: Cx, id: NodeId, out: &mut impl Sink<Effect>) {
        let Some(peer) = self.peers.get(&id) else { return };
        let (Some(view), paying) = (peer.paying.view, &peer.paying) else { return };
        let held = paying.offered.as_ref().or(paying.current.as_ref());
        let Some(contract) = held else { return self.offer(cx, id, out) };
        let used_up = contract.released >= contract.terms.offer().length;
        let foreign = contract.terms.offer().channel_id != view.channel.id
            || *contract.terms.key() != view.vrf
            || contract.standing == Standing::Distrusted;
        let far = self.wish(cx, id).is_some_and(|cut| contract.cut().is_far_from(&cut));
        if foreign || (paying.offered.is_none() && (used_up || far)) {
            self.offer(cx, id, out);
        }
    }

    fn wish(&self, cx: Cx, id: NodeId) -> Option<Cut> {
        let peer = self.peers.get(&id)?;
        let (view, link) = (peer.paying.view?, peer.link?);
        let wish = Wish {
            kind: self.policy.windows,
            path: link.path,
            typical: view.typical,
            paid: peer.paying.paid,
            payable: view.channel.balance,
            per_minute: peer.paying.rate.per_minute(cx.now, peer.paying.sent.get()),
        };
        wish.cut()
    }

    /// Makes terms, and says them once they are durable.
    pub(super) fn offer(&mut self, cx: Cx, id: NodeId, out: &mut impl Sink<Effect>) {
        self.offer_after(cx, id, None, out);
    }

    fn offer_after(&mut self, cx: Cx, id: NodeId, named: Option<u8>, out: &mut impl Sink<Effect>) {
        let Some(cut) = self.wish(cx, id) else { return };
        match self.rooted {
            Rooted::Fresh => {}
            Rooted::Asked => return,
            Rooted::Unasked => {
                self.rooted = Rooted::Asked;
                return out.push(Effect::EntropyWanted);
            }
        }
        let Some(peer) = self.peers.get_mut(&id) else { return };
        let paying = &mut peer.paying;
        let (Some(view), Some(number)) = (paying.view, paying.next_number(named)) else { return };
        let length = self.policy.chain;
        let mut chain = Chain::new(self.random.bytes(), length);
        let offer = Offer {
            channel_id: view.channel.id,
            number,
            anchor: chain.anchor(),
            window: cut.window.get(),
            reward: cut.reward.micros(),
            length,
        };
        let Some(terms) = Terms::new(offer, view.vrf) else { return };
        let Ok(write) = self.gate.hold(Held::Offered(id, number)) else { return };
        paying.offered = Some(Contract { terms, chain, released: 0, claimed: 0, standing: Standing::Good });
        (paying.said, paying.attempts, paying.numbered) = (Said::NotYet, 0, number);
        out.push(Effect::Write { number: write, writes: [stored::payer(&id, paying)].into() });
    }

    pub(super) fn offered(&mut self, cx: Cx, id: NodeId, number: u32, out: &mut impl Sink<Effect>) {
        let Some(peer) = self.peers.get_mut(&id) else { return };
        let offered = peer.paying.offered.as_ref();
        if offered.is_some_and(|contract| contract.terms.offer().number == number) {
            peer.paying.said = Said::Durable;
            self.say_terms(cx, id, out);
        }
    }

    /// Says the terms that the relay has not taken yet, with what was released before them.
    pub(super) fn say_terms(&mut self, cx: Cx, id: NodeId, out: &mut impl Sink<Effect>) {
        let Some(peer) = self.peers.get_mut(&id) else { return };
        let (Some(link), paying) = (peer.link, &mut peer.paying) else { return };
        let Some(contract) = &paying.offered else { return };
        if paying.said == Said::NotYet {
            return;
        }
        let signature = contract.terms.sign(&self.identity);
        let before = paying.current.as_mut().map_or(NOTHING, Contract::highest);
        out.push(Effect::Terms { peer: id, offer: *contract.terms.offer(), signature, before });
        self.deadlines.set((id, Timer::Terms), cx.now.after(link.patience(paying.attempts)));
        paying.attempts = paying.attempts.saturating_add(1);
    }

    pub(super) fn terms_refused(
        &mut self,
        cx: Cx,
        id: NodeId,
        reason: TermsRefusal,
        out: &mut impl Sink<Effect>,
    ) {
        let Some(peer) = self.peers.get_mut(&id) else { return };
        match reason {
            // It remembers less than this node paid: from a stranger it takes less, and pays out less at once.
            TermsRefusal::Stake | TermsRefusal::Window if peer.paying.paid > Grains::ZERO => {
                peer.paying.paid = Grains::ZERO;
                self.offer(cx, id, out);
            }
            TermsRefusal::Stake | TermsRefusal::Window | TermsRefusal::Channel => {}
        }
    }

    pub(super) fn due_came(
        &mut self,
        cx: Cx,
        id: NodeId,
        due: &Due,
        sent: Grains,
        out: &mut impl Sink<Effect>,
    ) {
        let Some(peer) = self.peers.get_mut(&id) else { return };
        let paying = &mut peer.paying;
        paying.sent = paying.sent.max(sent);
        paying.rate.sample(cx.now, paying.sent.get());
        let names = |contract: &Option<Contract>| {
            contract.as_ref().is_some_and(|contract| contract.terms.name() == due.terms)
        };
        // Whoever took terms shows their first token. A name alone may be that of others, which a node restored from a backup has forgotten.
        let of_offered = names(&paying.offered);
        let takes = of_offered
            && due.held.is_some_and(|held| paying.offered.as_mut().is_some_and(|offered| offered.has(&held)));
        let is_in_force = paying.is_in_force(due);
        if let (true, Some(current), Some(held)) = (is_in_force, &mut paying.current, &due.held) {
            // Also while other terms are offered: the relay takes them only when what it won of these windows is paid.
            current.adopt(held);
        }
        if takes {
            self.taken(id, out);
        } else if of_offered || paying.offered.is_some() || !is_in_force {
            return self.strange_terms(cx, id, due, out);
        }
        self.release(id, due, out);
        self.consider(cx, id, out);
    }

    /// The relay holds other terms than those offered, or than those in force: it has lost some, or this node has. The next go beyond both.
    fn strange_terms(&mut self, cx: Cx, id: NodeId, due: &Due, out: &mut impl Sink<Effect>) {
        let Some(peer) = self.peers.get_mut(&id) else { return };
        let (Some(link), paying) = (peer.link, &mut peer.paying) else { return };
        let named = due.terms;
        let is_offered = paying.offered.as_ref().is_some_and(|offered| offered.terms.name() == named);
        let is_in_force = paying.is_in_force(due);
        if let Some(current) = &mut paying.current
            && due.held.is_some()
            && !is_offered
            && !is_in_force
            && named.wrapping_sub(current.terms.name()) < 128
        {
            // It holds later ones, or ones of this name, which are not on this node's disk. Nothing shows which windows won under them: they
            // are lost, and it hears so.
            current.standing = Standing::Distrusted;
        }
        // Where two words are on their way, an answer to each would be two words again, for ever.
        if paying.rests_until.is_some_and(|until| cx.now < until) {
            return;
        }
        paying.rests_until = Some(cx.now.after(link.patience(0)));
        let is_current = paying.current.as_ref().is_some_and(|current| current.terms.name() == named);
        match (&paying.offered, &paying.current) {
            // It answers terms again and again with what it holds: those have the same name, and a later number.
            (Some(_), Some(_)) if is_current && due.held.is_some() && paying.attempts >= TOLD => {
                self.offer_after(cx, id, Some(named), out);
            }
            (Some(_), Some(_)) if is_current => self.say_terms(cx, id, out),
            // It asks for terms, or has not heard of these.
            (Some(offered), _) if offered.terms.name() == named && due.held.is_none() => {
                self.say_terms(cx, id, out);
            }
            // Half of all names are later than a name; whoever was told twice and still names others has later terms by number.
            (Some(offered), _)
                if offered.terms.name().wrapping_sub(named) < 128 && paying.attempts < TOLD =>
            {
                self.say_terms(cx, id, out);
            }
            (Some(_), _) | (None, Some(_)) => self.offer_after(cx, id, Some(named), out),
            (None, None) => {}
        }
    }

    /// The relay took the terms offered: what it was not paid for under the earlier ones goes over to them.
    fn taken(&mut self, id: NodeId, out: &mut impl Sink<Effect>) {
        self.deadlines.cancel((id, Timer::Terms));
        let Some(peer) = self.peers.get_mut(&id) else { return };
        let paying = &mut peer.paying;
        let owed = paying.owed();
        let settled = paying
            .current
            .as_ref()
            .map_or(Grains::ZERO, |contract| contract.terms.windows(u64::from(contract.released)));
        paying.owed = owed.checked_sub(settled).unwrap_or_default();
        paying.since = paying.sent;
        paying.current = paying.offered.take();
        paying.attempts = 0;
        // If it is not stored, the relay says again which terms it holds after a restart.
        if let Ok(number) = self.gate.hold(Held::Nothing) {
            out.push(Effect::Write { number, writes: [stored::payer(&id, paying)].into() });
        }
    }

    fn release(&mut self, id: NodeId, due: &Due, out: &mut impl Sink<Effect>) {
        let Some(peer) = self.peers.get_mut(&id) else { return };
        let paying = &mut peer.paying;
        let Some(contract) = &mut paying.current else { return };
        if let Some(held) = &due.held {
            contract.adopt(held);
        }
        if paying.memory == Memory::Lost {
            // The sum is lost. An honest relay counted less than a window beyond what it says, and never more than it goes
            // ahead: one that lies gains no more than that.
            let counted = due.window.saturating_sub(contract.released).min(FORGOTTEN).saturating_add(1);
            let windows = u64::from(contract.released).saturating_add(u64::from(counted));
            (paying.owed, paying.since) = (contract.terms.windows(windows), Grains::ZERO);
            paying.memory = Memory::Kept;
        }
        let more = paying.sent.checked_sub(paying.since).unwrap_or_default();
        let owed = paying.owed.checked_add(more).unwrap_or(paying.owed);
        let whole = contract.terms.whole_windows(owed);
        contract.released = due.window.min(whole).max(contract.released);
        // A relay without terms may happen to name these: a token tells it which name it must not use.
        let is_question = due.window == 0 && due.held.is_none();
        if contract.released > 0 || is_question {
            let (terms, released) = (contract.terms.name(), contract.highest());
            let token = TokenRelease { slot: due.slot, terms, released };
            out.push(Effect::Token { peer: id, token });
        }
    }

    pub(super) fn claim_came(&mut self, id: NodeId, claim: Claimed, out: &mut impl Sink<Effect>) {
        let Some(peer) = self.peers.get_mut(&id) else { return };
        let paying = &mut peer.paying;
        if paying.pending.is_some() {
            // The disk is at one; the relay says again what it did not see answered.
            return;
        }
        let Some(contract) = &mut paying.current else {
            return out.push(Effect::RefuseClaim { peer: id, reason: ClaimRefusal::Terms });
        };
        if claim.to == contract.claimed && contract.standing == Standing::Good {
            return out.push(Effect::AnswerAgain { peer: id, claim });
        }
        match verdict::<V>(contract, &claim) {
            Err(reason) => out.push(Effect::RefuseClaim { peer: id, reason }),
            Ok(reward) => {
                paying.pending = Some(claim);
                let stored = stored::payer_with(&id, paying, claim.to, reward);
                out.push(Effect::Countersign { peer: id, claim, reward, stored });
            }
        }
    }

    pub(super) fn countersigned(&mut self, id: NodeId, to: u16) {
        let Some(peer) = self.peers.get_mut(&id) else { return };
        let paying = &mut peer.paying;
        let Some(pending) = paying.pending.take_if(|pending| pending.to == to) else { return };
        let Some(contract) = &mut paying.current else { return };
        if let Some(reward) = contract.terms.rewards(pending.from, pending.to) {
            contract.claimed = contract.claimed.max(to);
            paying.paid = paid_with(paying.paid, reward);
            paying.paid_since_start =
                paying.paid_since_start.checked_add(reward).unwrap_or(paying.paid_since_start);
        }
    }

    pub(super) fn not_countersigned(&mut self, id: NodeId) {
        if let Some(peer) = self.peers.get_mut(&id) {
            peer.paying.pending = None;
        }
    }
}

/// What was paid in all, with one reward more.
pub(super) fn paid_with(paid: Grains, reward: Amount) -> Grains {
    let grains = reward.micros().saturating_mul(GRAINS_PER_MICRO);
    Grains::new(paid.get().saturating_add(grains))
}

/// What a claim is worth, or why it is not countersigned.
fn verdict<V: Vrf>(contract: &mut Contract, claim: &Claimed) -> Result<Amount, ClaimRefusal> {
    if contract.standing == Standing::Distrusted {
        return Err(ClaimRefusal::Terms);
    }
    let fresh = claim.from > contract.claimed && claim.from <= claim.to && claim.to <= contract.released;
    if !fresh {
        return Err(ClaimRefusal::Window);
    }
    match (contract.terms.odds(), claim.proof) {
        (Odds::Certain, _) => {}
        (Odds::Below(limit), Some(proof)) if claim.from == claim.to => {
            let token: Token = contract.chain.token(claim.to);
            let alpha = contract.terms.alpha(claim.to, &token);
            let output = V::verify(contract.terms.key(), &alpha, &proof).map_err(|_| ClaimRefusal::Proof)?;
            if output.draw() >= limit {
                return Err(ClaimRefusal::Proof);
            }
        }
        (Odds::Below(_), _) => return Err(ClaimRefusal::Proof),
    }
    contract.terms.rewards(claim.from, claim.to).ok_or(ClaimRefusal::Window)
}
