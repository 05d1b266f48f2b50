//! Draws, and what becomes of those that win.

use nexus_crypto::NodeId;
use nexus_machine::{Cx, Duration, Sink};
use nexus_wire::nexus::lottery::Released;

use super::super::chain::between;
use super::super::paying::paid_with;
use super::super::{Claimed, Effect, Income, Lottery, Odds, Peer, Terms, Timer, Vrf, stored};
use super::{Agreed, Claim, Payer, Relaying, Tell};
use crate::money::{Amount, Grains};

/// How many windows are drawn at once: each costs a multiplication.
const DRAWN_AT_ONCE: u16 = 8;
const DRAW_PAUSE: Duration = Duration::from_millis(1);
/// How long a refused claim rests.
const CLAIM_REST: Duration = Duration::from_secs(600);

impl<V: Vrf> Lottery<V> {
    /// Draws the next windows, up to one that wins.
    pub(in super::super) fn draw(&mut self, cx: Cx, id: NodeId, out: &mut impl Sink<Effect>) {
        let Some(peer) = self.peers.get_mut(&id) else { return };
        let relaying = &mut peer.relaying;
        if let Some(agreed) = &mut relaying.agreed
            && agreed.claim == Claim::None
        {
            let won = draw_windows(&self.vrf, agreed, &mut relaying.income);
            if let Some(claim) = won {
                agreed.claim = Claim::Proposed(claim);
                relaying.propose(id, claim, out);
            } else if agreed.settled < agreed.released.window {
                self.deadlines.set((id, Timer::Draw), cx.now.after(DRAW_PAUSE));
            }
        }
        self.take_terms(id, out);
        self.grant(cx, id, out);
    }

    pub(in super::super) fn accepted(&mut self, cx: Cx, id: NodeId, out: &mut impl Sink<Effect>) {
        let Some(peer) = self.peers.get_mut(&id) else { return };
        let relaying = &mut peer.relaying;
        let Some(agreed) = &mut relaying.agreed else { return };
        let (Claim::Proposed(claim) | Claim::Refused(claim)) = agreed.claim else { return };
        agreed.claim = Claim::None;
        agreed.settled = claim.to;
        relaying.payer = Payer::Sound;
        let reward = agreed.terms.rewards(claim.from, claim.to).unwrap_or(Amount::ZERO);
        relaying.paid = paid_with(relaying.paid, reward);
        let back = relaying.goes_back(paid_with(Grains::ZERO, reward));
        self.pool.give_back(back);
        let received = relaying.income.received;
        relaying.income.received = received.checked_add(reward).unwrap_or(received);
        self.deadlines.cancel((id, Timer::Claim));
        self.draw(cx, id, out);
    }

    /// Whoever refuses a win is not carried until it pays.
    pub(in super::super) fn refused(&mut self, cx: Cx, id: NodeId, out: &mut impl Sink<Effect>) {
        let Some(peer) = self.peers.get_mut(&id) else { return };
        if let Some(agreed) = &mut peer.relaying.agreed
            && let Claim::Proposed(claim) | Claim::Refused(claim) = agreed.claim
        {
            agreed.claim = Claim::Refused(claim);
            self.deadlines.set((id, Timer::Claim), cx.now.after(CLAIM_REST));
            self.grant(cx, id, out);
        }
    }

    /// What was refused may be honoured after a restart of the payer; its timer ended with the link.
    pub(in super::super) fn claim_soon(&mut self, cx: Cx, id: NodeId) {
        let Some(Peer { link: Some(link), relaying, .. }) = self.peers.get(&id) else { return };
        if relaying.agreed.as_ref().is_some_and(|agreed| matches!(agreed.claim, Claim::Refused(_))) {
            self.deadlines.set((id, Timer::Claim), cx.now.after(link.patience(0)));
        }
    }

    pub(in super::super) fn claim_again(&mut self, cx: Cx, id: NodeId, out: &mut impl Sink<Effect>) {
        let Some(peer) = self.peers.get_mut(&id) else { return };
        let agreed = peer.relaying.agreed.as_ref();
        let Some(Claim::Refused(claim)) = agreed.map(|agreed| agreed.claim) else { return };
        // It may have refused because it forgot that it released the window.
        peer.relaying.tell = Tell::Held;
        self.say_due(cx, id, out);
        if let Some(peer) = self.peers.get(&id) {
            peer.relaying.propose(id, claim, out);
            self.deadlines.set((id, Timer::Claim), cx.now.after(CLAIM_REST));
        }
    }
}

impl Relaying {
    fn propose(&self, id: NodeId, claim: Claimed, out: &mut impl Sink<Effect>) {
        let Some(agreed) = &self.agreed else { return };
        let reward = agreed.terms.rewards(claim.from, claim.to).unwrap_or(Amount::ZERO);
        let paid = paid_with(self.paid, reward);
        let stored = stored::relay(&id, paid, Some(&agreed.terms), claim.to, &agreed.released);
        out.push(Effect::Propose { peer: id, claim, reward, stored });
    }
}

/// Draws a few windows; the first that wins is to be claimed, and all of them where all win.
fn draw_windows<V: Vrf>(vrf: &V, agreed: &mut Agreed, income: &mut Income) -> Option<Claimed> {
    let from = agreed.settled.saturating_add(1);
    let last = agreed.released.window;
    if last < from {
        return None;
    }
    let Odds::Below(limit) = agreed.terms.odds() else {
        let count = u64::from(last.saturating_sub(agreed.settled));
        income.won = income.won.saturating_add(count);
        count_drawn(income, &agreed.terms, count);
        return Some(Claimed { from, to: last, proof: None });
    };
    for Released { window, token } in between(agreed.settled, &agreed.released, DRAWN_AT_ONCE) {
        let alpha = agreed.terms.alpha(window, &token);
        count_drawn(income, &agreed.terms, 1);
        if vrf.output(&alpha).draw() < limit {
            income.won = income.won.saturating_add(1);
            return Some(Claimed { from: window, to: window, proof: Some(vrf.prove(&alpha)) });
        }
        agreed.settled = window;
    }
    None
}

fn count_drawn(income: &mut Income, terms: &Terms, count: u64) {
    income.drawn = income.drawn.saturating_add(count);
    let worth = terms.windows(count);
    income.expected = income.expected.checked_add(worth).unwrap_or(income.expected);
}
