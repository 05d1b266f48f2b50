//! The relay's side: what is due, what was drawn, what is claimed, and how far it goes ahead.

mod claiming;

use nexus_crypto::{NodeId, Signature};
use nexus_machine::{Cx, Duration, Instant, Sink, Write};
use nexus_wire::nexus::lottery::{Due, Offer, Released, TokenRelease};

use super::chain::follows;
use super::exposure::{AHEAD, is_stranger, largest_window, stake};
use super::{
    Channel, Claimed, Effect, Held, Income, Lottery, NOTHING, Terms, TermsRefusal, Timer, Vrf, WindowKind,
    stored,
};
use crate::money::{GRAINS_PER_MICRO, Grains};

/// How often a payer is asked for terms after its link came up, whether it sends anything or not.
const ASKED_FOR_TERMS: u32 = 8;
/// How often what was released is stored, where it changed.
const STORE_PERIOD: Duration = Duration::from_secs(60);
/// How long strangers wait where the pool is empty.
const POOL_REST: Duration = Duration::from_secs(60);
/// In per-packet mode a payer's word is worth so many windows: that mode is for tests of the odds.
const PER_PACKET_STAKE: u64 = 10_000;

/// What is known of a neighbour that pays.
#[derive(Debug, Default)]
pub(super) struct Relaying {
    view: Option<(Channel, Grains)>,
    agreed: Option<Agreed>,
    /// Terms that it offers, until all that won under those in force is paid.
    next: Option<Terms>,
    /// Whether their write is under way.
    storing: Storing,
    /// The latest total of what was taken.
    total: Grains,
    /// The total up to which the strangers' pool allowed it.
    pooled: Grains,
    /// Of what the pool gave, what is neither paid nor gone back.
    lent: Grains,
    /// What was said last to whoever counts.
    granted: Option<(Grains, Grains)>,
    /// All that it was ever paid by it.
    pub(super) paid: Grains,
    tell: Tell,
    income: Income,
    attempts: u32,
    /// A name that no terms of its have, for asking for some.
    unknown: u8,
    /// It is not asked for terms again before this, whatever it sends.
    rests_until: Option<Instant>,
    payer: Payer,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Storing {
    #[default]
    No,
    Yes,
}

/// Whether the payer knows what it owes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Payer {
    #[default]
    Sound,
    /// Its disk was out of date. What was won under the terms before is lost, and it is a stranger from there on: to forget brings
    /// no more than another name would.
    Forgot,
}

/// What DUE adds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Tell {
    /// Nothing.
    #[default]
    Windows,
    /// The highest token.
    Held,
}

/// Terms in force, and what became of them.
#[derive(Debug)]
struct Agreed {
    terms: Terms,
    /// The highest token.
    released: Released,
    /// All windows up to this are drawn, and paid if they won.
    settled: u16,
    claim: Claim,
    /// What is due at [`Agreed::since`].
    due: Grains,
    /// What was taken in all when that was so.
    since: Grains,
    memory: Memory,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Claim {
    None,
    Proposed(Claimed),
    Refused(Claimed),
}

/// Whether this node knows what it counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Memory {
    Kept,
    /// It does again once the payer says what it released.
    Lost,
}

impl Relaying {
    /// What was durable.
    pub(super) fn restored(agreed: Option<(Terms, u16, Released)>, paid: Grains) -> Self {
        let agreed = agreed.map(|(terms, claimed, released)| Agreed {
            due: terms.windows(u64::from(released.window)),
            terms,
            released,
            settled: claimed,
            claim: Claim::None,
            since: Grains::ZERO,
            memory: Memory::Lost,
        });
        Self { agreed, paid, ..Self::default() }
    }

    pub(super) const fn income(&self) -> Income {
        self.income
    }

    pub(super) fn terms(&self) -> Option<&Terms> {
        self.agreed.as_ref().map(|agreed| &agreed.terms)
    }

    pub(super) const fn link_up(&mut self) {
        self.tell = Tell::Held;
        self.attempts = 0;
        self.rests_until = None;
    }

    /// What was taken from the pool and not used.
    pub(super) fn link_down(&mut self) -> Grains {
        let unused = self.pooled.checked_sub(self.total).unwrap_or_default();
        self.pooled = self.total;
        self.granted = None;
        self.goes_back(unused)
    }

    /// What of this goes back to the pool: no more than came out of it.
    fn goes_back(&mut self, amount: Grains) -> Grains {
        let back = amount.min(self.lent);
        self.lent = self.lent.checked_sub(back).unwrap_or_default();
        back
    }

    pub(super) fn distrust(&mut self) {
        self.unknown = self.terms().map_or(self.unknown, |terms| terms.name().wrapping_add(128));
        self.agreed = None;
        self.next = None;
        // Whoever counts has to hear that there are no terms, though the sums are those that it heard last.
        self.granted = None;
    }

    /// DUE that names terms which its payer does not know.
    const fn question(&self, channel: Channel) -> Due {
        Due { slot: channel.slot, terms: self.unknown, window: 0, held: None }
    }

    fn due(&self) -> Grains {
        self.agreed.as_ref().map_or(Grains::ZERO, |agreed| agreed.due_at(self.total))
    }

    /// The total up to which it is carried.
    fn limit(&self) -> Grains {
        let Some(agreed) = &self.agreed else { return self.total };
        match agreed.claim {
            Claim::Refused(_) => self.total,
            Claim::None | Claim::Proposed(_) => {
                let ahead = agreed.terms.windows(u64::from(agreed.settled).saturating_add(AHEAD));
                let more = ahead.checked_sub(agreed.due).unwrap_or_default();
                agreed.since.checked_add(more).unwrap_or(self.total)
            }
        }
    }
}

impl Agreed {
    fn due_at(&self, total: Grains) -> Grains {
        let more = total.checked_sub(self.since).unwrap_or_default();
        self.due.checked_add(more).unwrap_or(self.due)
    }

    /// The total at which another window is whole.
    fn next_mark(&self, total: Grains) -> Grains {
        let whole = self.due_at(total).get().checked_div(self.terms.window().get()).unwrap_or(0);
        let mark = self.terms.windows(whole.saturating_add(1));
        let more = mark.checked_sub(self.due).unwrap_or_default();
        self.since.checked_add(more).unwrap_or(total)
    }
}

impl<V: Vrf> Lottery<V> {
    pub(super) fn charge(
        &mut self,
        cx: Cx,
        id: NodeId,
        channel: Channel,
        reference: Grains,
        out: &mut impl Sink<Effect>,
    ) {
        let Some(peer) = self.account(id, out) else { return };
        let before = peer.relaying.view.replace((channel, reference));
        if before.is_none() {
            self.say_due(cx, id, out);
        }
        // What was refused for want of money may be paid out of what came since.
        if before.is_some_and(|(before, _)| channel.balance > before.balance) {
            self.claim_soon(cx, id);
        }
        self.grant(cx, id, out);
    }

    pub(super) fn counted(&mut self, cx: Cx, id: NodeId, total: Grains, out: &mut impl Sink<Effect>) {
        let Some(peer) = self.peers.get_mut(&id) else { return };
        let relaying = &mut peer.relaying;
        relaying.total = relaying.total.max(total);
        relaying.income.counted = relaying.total;
        if self.deadlines.get((id, Timer::Due)).is_none() {
            self.say_due(cx, id, out);
        }
        self.grant(cx, id, out);
    }

    /// Says what is due, if that is more than is released, or was not said since the link came up.
    pub(super) fn say_due(&mut self, cx: Cx, id: NodeId, out: &mut impl Sink<Effect>) {
        let Some(peer) = self.peers.get_mut(&id) else { return };
        let (Some(link), Some((channel, _))) = (peer.link, peer.relaying.view) else { return };
        let relaying = &mut peer.relaying;
        let Some(agreed) = &relaying.agreed else { return self.ask_for_terms(cx, id, out) };
        let window = agreed.terms.whole_windows(relaying.due());
        // Windows that were not drawn before a restart are drawn when the payer says what it released.
        let is_unsaid = agreed.memory == Memory::Lost && agreed.released.window > agreed.settled;
        let is_more = window > agreed.released.window || is_unsaid;
        if !is_more && relaying.tell == Tell::Windows {
            return;
        }
        let held = (relaying.tell == Tell::Held).then_some(agreed.released);
        let due = Due { slot: channel.slot, terms: agreed.terms.name(), window, held };
        out.push(Effect::Due { peer: id, due });
        if is_more {
            self.deadlines.set((id, Timer::Due), cx.now.after(link.patience(relaying.attempts)));
            relaying.attempts = relaying.attempts.saturating_add(1);
        }
    }

    /// Names terms that the payer does not know, so that it offers some. Whoever does not want to pay is not asked for ever.
    fn ask_for_terms(&mut self, cx: Cx, id: NodeId, out: &mut impl Sink<Effect>) {
        let Some(peer) = self.peers.get_mut(&id) else { return };
        let (Some(link), Some((channel, _))) = (peer.link, peer.relaying.view) else { return };
        let relaying = &mut peer.relaying;
        // A payer that has just come up offers terms unasked.
        if relaying.attempts > 0 {
            out.push(Effect::Due { peer: id, due: relaying.question(channel) });
        }
        if relaying.attempts < ASKED_FOR_TERMS {
            self.deadlines.set((id, Timer::Due), cx.now.after(link.patience(relaying.attempts.max(2))));
            relaying.attempts = relaying.attempts.saturating_add(1);
        }
    }

    /// It sends what it is to pay for, and there are no terms: all questions for some may have been lost. It is asked again, more and
    /// more rarely, as long as it sends.
    pub(super) fn terms_wanted(&mut self, cx: Cx, id: NodeId, out: &mut impl Sink<Effect>) {
        if self.deadlines.get((id, Timer::Due)).is_some() {
            return;
        }
        let Some(peer) = self.peers.get_mut(&id) else { return };
        let (Some(link), Some((channel, _))) = (peer.link, peer.relaying.view) else { return };
        let relaying = &mut peer.relaying;
        if relaying.agreed.is_some() || relaying.rests_until.is_some_and(|until| cx.now < until) {
            return;
        }
        relaying.rests_until = Some(cx.now.after(link.patience(relaying.attempts)));
        relaying.attempts = relaying.attempts.saturating_add(1);
        out.push(Effect::Due { peer: id, due: relaying.question(channel) });
    }

    /// Answers with what this node holds: the payer compares.
    fn say_held(&mut self, cx: Cx, id: NodeId, out: &mut impl Sink<Effect>) {
        if let Some(peer) = self.peers.get_mut(&id) {
            peer.relaying.tell = Tell::Held;
            self.say_due(cx, id, out);
        }
    }

    pub(super) fn terms_came(
        &mut self,
        cx: Cx,
        id: NodeId,
        offer: Offer,
        signature: &Signature,
        before: &Released,
        out: &mut impl Sink<Effect>,
    ) {
        let own_key = self.vrf.public();
        let kind = self.policy.windows;
        let Some(peer) = self.peers.get_mut(&id) else { return };
        let (Some(link), relaying) = (peer.link, &mut peer.relaying) else { return };
        let agreed = relaying.agreed.as_ref().map(|agreed| agreed.terms.offer().number);
        if agreed.is_some_and(|number| offer.number <= number) {
            return self.say_held(cx, id, out);
        }
        let Some(terms) = Terms::new(offer, own_key) else { return };
        if relaying.next == Some(terms) || !terms.is_signed_by(&link.key, signature) {
            return;
        }
        if let Err(reason) = relaying.suits(&terms, kind) {
            return out.push(Effect::RefuseTerms { peer: id, reason });
        }
        if let Some(agreed) = &mut relaying.agreed
            && before.window > agreed.released.window
            && follows(&agreed.released, before)
        {
            agreed.released = *before;
        }
        if relaying.storing == Storing::No {
            relaying.next = Some(terms);
        }
        self.draw(cx, id, out);
    }

    pub(super) fn token_came(
        &mut self,
        cx: Cx,
        id: NodeId,
        token: &TokenRelease,
        out: &mut impl Sink<Effect>,
    ) {
        let Some(peer) = self.peers.get_mut(&id) else { return };
        let Some((channel, _)) = peer.relaying.view else { return };
        let relaying = &mut peer.relaying;
        let Some(agreed) = &mut relaying.agreed else {
            // It pays under terms that this node has not: a name that it does not know makes it offer others.
            relaying.unknown = token.terms.wrapping_add(128);
            return out.push(Effect::Due { peer: id, due: relaying.question(channel) });
        };
        let released = token.released;
        let is_known = agreed.terms.name() == token.terms
            && released.window <= agreed.terms.offer().length
            && follows(&agreed.released, &released);
        if !is_known {
            return;
        }
        relaying.tell = Tell::Windows;
        if agreed.memory == Memory::Lost {
            agreed.due = agreed.terms.windows(u64::from(released.window)).max(agreed.due);
            agreed.memory = Memory::Kept;
        }
        if released.window > agreed.released.window {
            agreed.released = released;
            relaying.attempts = 0;
            relaying.income.released = released.window;
            self.deadlines.cancel((id, Timer::Due));
            if self.deadlines.get((id, Timer::Store)).is_none() {
                self.deadlines.set((id, Timer::Store), cx.now.after(STORE_PERIOD));
            }
        }
        self.draw(cx, id, out);
        if self.deadlines.get((id, Timer::Due)).is_none() {
            self.say_due(cx, id, out);
        }
    }

    /// What won under the terms in force will not be paid; other terms will come, if they have not.
    pub(super) fn payer_forgot(&mut self, cx: Cx, id: NodeId, out: &mut impl Sink<Effect>) {
        if let Some(peer) = self.peers.get_mut(&id) {
            peer.relaying.payer = Payer::Forgot;
            self.draw(cx, id, out);
        }
    }

    /// Takes the terms offered, once nothing that won under the earlier ones is unpaid, or the payer forgot what it owes.
    fn take_terms(&mut self, id: NodeId, out: &mut impl Sink<Effect>) {
        let Some(peer) = self.peers.get_mut(&id) else { return };
        let relaying = &mut peer.relaying;
        let (Some(terms), Storing::No) = (relaying.next, relaying.storing) else { return };
        let is_settled = relaying
            .agreed
            .as_ref()
            .is_none_or(|agreed| agreed.claim == Claim::None && agreed.settled == agreed.released.window);
        match (is_settled, relaying.payer) {
            (true, _) => {}
            (false, Payer::Forgot) => relaying.paid = Grains::ZERO,
            (false, Payer::Sound) => return,
        }
        let Ok(number) = self.gate.hold(Held::Agreed(id, terms.offer().number)) else { return };
        relaying.storing = Storing::Yes;
        let anchor = Released { window: 0, token: terms.offer().anchor };
        let write = stored::relay(&id, relaying.paid, Some(&terms), 0, &anchor);
        out.push(Effect::Write { number, writes: [write].into() });
    }

    pub(super) fn agreed(&mut self, cx: Cx, id: NodeId, number: u32, out: &mut impl Sink<Effect>) {
        let Some(peer) = self.peers.get_mut(&id) else { return };
        let relaying = &mut peer.relaying;
        relaying.storing = Storing::No;
        let Some(terms) = relaying.next.take_if(|terms| terms.offer().number == number) else { return };
        let unpaid = relaying.agreed.as_ref().map_or(Grains::ZERO, |agreed| {
            let paid = agreed.terms.windows(u64::from(agreed.released.window));
            agreed.due_at(relaying.total).checked_sub(paid).unwrap_or_default()
        });
        relaying.agreed = Some(Agreed {
            released: Released { window: 0, token: terms.offer().anchor },
            terms,
            settled: 0,
            claim: Claim::None,
            due: unpaid,
            since: relaying.total,
            memory: Memory::Kept,
        });
        relaying.income.released = 0;
        relaying.attempts = 0;
        relaying.payer = Payer::Sound;
        self.deadlines.cancel((id, Timer::Due));
        self.deadlines.cancel((id, Timer::Claim));
        self.say_held(cx, id, out);
        self.grant(cx, id, out);
    }

    /// Stores the highest token: where both ends lose their memory, what was drawn in vain is not drawn again.
    pub(super) fn store(&mut self, id: NodeId, out: &mut impl Sink<Effect>) {
        let Some(peer) = self.peers.get(&id) else { return };
        let relaying = &peer.relaying;
        let (Some(_), Storing::No) = (&relaying.agreed, relaying.storing) else { return };
        if let Ok(number) = self.gate.hold(Held::Nothing) {
            out.push(Effect::Write { number, writes: [relaying.stored(&id)].into() });
        }
    }

    /// Says how far the neighbour is carried, whether that changed or not.
    pub(super) fn grant_again(&mut self, cx: Cx, id: NodeId, out: &mut impl Sink<Effect>) {
        if let Some(peer) = self.peers.get_mut(&id) {
            peer.relaying.granted = None;
            self.grant(cx, id, out);
        }
    }

    /// Says how far the neighbour is carried, if that changed.
    pub(super) fn grant(&mut self, cx: Cx, id: NodeId, out: &mut impl Sink<Effect>) {
        let Some(peer) = self.peers.get_mut(&id) else { return };
        if peer.link.is_none() {
            return;
        }
        let relaying = &mut peer.relaying;
        let mut limit = relaying.limit();
        let mut mark = relaying.agreed.as_ref().map_or(limit, |agreed| agreed.next_mark(relaying.total));
        let window = relaying.agreed.as_ref().map(|agreed| agreed.terms.window());
        if let Some(window) = window.filter(|window| is_stranger(relaying.paid, *window)) {
            // A stranger is carried window by window, as the pool has it.
            let window = window.get();
            relaying.pooled = relaying.pooled.max(relaying.total);
            let wanted = limit.get().min(relaying.total.get().saturating_add(window));
            let more = wanted.saturating_sub(relaying.pooled.get());
            let taken = self.pool.take(cx.now, Grains::new(more)).get();
            relaying.pooled = Grains::new(relaying.pooled.get().saturating_add(taken));
            relaying.lent = Grains::new(relaying.lent.get().saturating_add(taken));
            limit = limit.min(relaying.pooled);
            mark = mark.min(Grains::new(limit.get().saturating_sub(window / 2)));
            if taken < more {
                self.deadlines.set((id, Timer::Grant), cx.now.after(POOL_REST));
            }
        }
        let mark = mark.max(Grains::new(relaying.total.get().saturating_add(1)));
        if relaying.granted.replace((limit, mark)) != Some((limit, mark)) {
            out.push(Effect::Grant { peer: id, limit, mark });
        }
    }
}

impl Relaying {
    /// What is to be on the disk.
    pub(super) fn stored(&self, id: &NodeId) -> Write {
        match &self.agreed {
            Some(Agreed { terms, settled, released, .. }) => {
                stored::relay(id, self.paid, Some(terms), *settled, released)
            }
            None => stored::relay(id, self.paid, None, 0, &NOTHING),
        }
    }

    /// Whether this node goes ahead for these terms.
    fn suits(&self, terms: &Terms, kind: WindowKind) -> Result<(), TermsRefusal> {
        let Some((channel, reference)) = self.view else { return Err(TermsRefusal::Channel) };
        if channel.id != terms.offer().channel_id {
            return Err(TermsRefusal::Channel);
        }
        let window = terms.window();
        if window > largest_window(self.paid, reference) {
            return Err(TermsRefusal::Window);
        }
        let stake = match kind {
            WindowKind::ByValue => stake(self.paid, window).get(),
            WindowKind::PerPacket => {
                window.get().saturating_mul(PER_PACKET_STAKE).saturating_add(GRAINS_PER_MICRO)
            }
        };
        let worth = terms.reward().grains().unwrap_or(Grains::new(u64::MAX));
        let is_good = worth.get() <= stake && terms.reward() <= channel.balance;
        if is_good { Ok(()) } else { Err(TermsRefusal::Stake) }
    }
}
