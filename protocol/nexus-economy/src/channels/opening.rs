//! OPEN, ACCEPT, STATE; and where everything else that is said goes. Source: spec/economy.md#opening.

use alloc::boxed::Box;
use alloc::vec::Vec;

use nexus_crypto::{NodeId, Signature};
use nexus_machine::Sink;
use nexus_wire::nexus::channel::{ChannelBody, ChannelId, ChannelNonce, SettlementBody};
use nexus_wire::nexus::channel_messages::{ChannelSlot, RefuseCode};

use super::account::{Account, Agreed, Answer, Claim, Latest, Letter, Phase, Step, Terms, Word};
use super::figures::Brought;
use super::keys::{Both, Keys as _, Side, Signed};
use super::letters::{Bringing, Offered, Said, Saying};
use super::room::at_first;
use super::store::{Accepting, Kept, Stage};
use super::{Channels, Effect};
use crate::money::Amount;

impl Channels {
    pub(super) fn open(&mut self, peer: NodeId, line: Amount, deposit: Amount, out: &mut impl Sink<Effect>) {
        let nonce = ChannelNonce(self.random.bytes());
        let vrf_key = self.identity.vrf_public();
        let Some(neighbour) = self.neighbours.get_mut(&peer).filter(|neighbour| neighbour.link.is_some())
        else {
            return out.push(Effect::NotOpened(peer, RefuseCode::UNKNOWN_CHANNEL));
        };
        let ended = neighbour.account().is_some_and(has_ended);
        if (neighbour.kept.is_some() && !ended) || neighbour.writing {
            return out.push(Effect::NotOpened(peer, RefuseCode::NOT_WANTED));
        }
        let Some(deposit) = deposit.checked_add(self.room) else {
            return out.push(Effect::NotOpened(peer, RefuseCode::TERMS));
        };
        neighbour.begun = Some(Bringing { nonce, line, deposit, vrf_key });
        self.open_again(peer, out);
    }

    /// What opens a channel is repeated until it is answered.
    pub(super) fn open_again(&self, peer: NodeId, out: &mut impl Sink<Effect>) {
        let Some(neighbour) = self.neighbours.get(&peer).filter(|neighbour| !neighbour.writing) else {
            return;
        };
        if let Some(bringing) = neighbour.begun {
            let slot = slot_of(self.side_beside(peer));
            return out.push(Effect::Send(peer, Saying { slot, said: Said::Open(bringing) }));
        }
        if let Some(Kept { stage: Stage::AwaitingState(accepting), .. }) = &neighbour.kept {
            out.push(Effect::Send(peer, accepting.saying()));
        }
    }

    pub(super) fn said(&mut self, peer: NodeId, saying: Saying, out: &mut impl Sink<Effect>) {
        let Some(neighbour) = self.neighbours.get_mut(&peer).filter(|neighbour| neighbour.link.is_some())
        else {
            return;
        };
        if neighbour.writing || neighbour.restored {
            neighbour.inbox = Some(saying);
            return;
        }
        let Saying { slot, said } = saying;
        match said {
            Said::Open(theirs) => self.asked_to_open(peer, slot, theirs, out),
            Said::Accept(theirs, sig) => self.accepted(peer, slot, theirs, sig, out),
            Said::Settle(offered) => self.offered(peer, slot, &offered, None, out),
            Said::Close(offered, stage) => self.offered(peer, slot, &offered, Some(stage), out),
            Said::Letter(letter) => self.letter(peer, slot, letter, out),
        }
    }

    fn asked_to_open(
        &mut self,
        peer: NodeId,
        slot: ChannelSlot,
        theirs: Bringing,
        out: &mut impl Sink<Effect>,
    ) {
        let side = self.side_beside(peer);
        let nonce = ChannelNonce(self.random.bytes());
        let Some(neighbour) = self.neighbours.get_mut(&peer) else { return };
        let Some(key) = neighbour.link else { return };
        if neighbour.begun.is_some() && side == Side::A {
            return;
        }
        if let Some(account) = neighbour.account().filter(|account| !has_ended(account)) {
            let latest = Saying { slot, said: Said::Letter(account.latest(Answer::Unwanted)) };
            refuse_to_open(peer, slot, RefuseCode::NOT_WANTED, out);
            return out.push(Effect::Send(peer, latest));
        }
        if let Some(Kept { stage: Stage::AwaitingState(accepting), .. }) = &neighbour.kept {
            let (nonce_a, nonce_b) = nonces(side, accepting.bringing.nonce, theirs.nonce);
            let body = &accepting.body;
            if ChannelId::of(body.party_a, body.party_b, nonce_a, nonce_b) == accepting.terms.channel {
                return out.push(Effect::Send(peer, accepting.saying()));
            }
        }
        let Some(line) = self.limits.granted.filter(|_| slot == slot_of(side.other())) else {
            return refuse_to_open(peer, slot, RefuseCode::NOT_WANTED, out);
        };
        if theirs.vrf_key.check().is_err() {
            return refuse_to_open(peer, slot, RefuseCode::TERMS, out);
        }
        neighbour.begun = None;
        let vrf_key = self.identity.vrf_public();
        let ours = Bringing { nonce, line, deposit: self.room, vrf_key };
        let Some((terms, body)) = self.first_state(peer, slot, &ours, &theirs) else {
            return refuse_to_open(peer, slot, RefuseCode::TERMS, out);
        };
        let sig = self.keyring(side, key).sign(&Signed::State(body));
        let accepting = Accepting { terms, bringing: ours, body, sig };
        let kept = Kept { key, vrf_key: theirs.vrf_key, stage: Stage::AwaitingState(Box::new(accepting)) };
        let effects = Vec::from([Effect::Send(peer, accepting.saying())]);
        self.write(peer, kept, effects, Vec::new(), out);
    }

    /// Names and balances of the channel that follows from both offers, unless they do not fit.
    fn first_state(
        &self,
        peer: NodeId,
        slot: ChannelSlot,
        ours: &Bringing,
        theirs: &Bringing,
    ) -> Option<(Terms, ChannelBody)> {
        let side = self.side_beside(peer);
        let parties = Both::of(side, self.own, peer);
        let (nonce_a, nonce_b) = nonces(side, ours.nonce, theirs.nonce);
        let channel = ChannelId::of(parties.a, parties.b, nonce_a, nonce_b);
        let lines = Both::of(side, theirs.line, ours.line);
        let deposits = Both::of(side, ours.deposit, theirs.deposit);
        let brought = Brought { lines, deposits };
        let balances = brought.balances()?;
        let body = ChannelBody {
            channel,
            party_a: parties.a,
            party_b: parties.b,
            balance_a: balances.a.micros(),
            balance_b: balances.b.micros(),
            sequence: 0,
        };
        Some((Terms { channel, side, slot, brought }, body))
    }

    fn accepted(
        &mut self,
        peer: NodeId,
        slot: ChannelSlot,
        theirs: Bringing,
        sig: Signature,
        out: &mut impl Sink<Effect>,
    ) {
        let round = self.round;
        let Some(neighbour) = self.neighbours.get(&peer) else { return };
        let Some(key) = neighbour.link else { return };
        let Some(ours) = neighbour.begun else {
            let Some(account) = neighbour.account().filter(|account| account.terms.slot == slot) else {
                return refuse_to_open(peer, slot, RefuseCode::UNKNOWN_CHANNEL, out);
            };
            let said = Said::Letter(account.latest(Answer::Unwanted));
            return out.push(Effect::Send(peer, Saying { slot, said }));
        };
        let side = self.side_beside(peer);
        let Some((terms, body)) = self.first_state(peer, slot, &ours, &theirs) else {
            return refuse_to_open(peer, slot, RefuseCode::TERMS, out);
        };
        let keys = self.keyring(side, key);
        let what = Signed::State(body);
        if slot != slot_of(side) || !keys.verify(side.other(), &what, &sig) {
            return;
        }
        if theirs.vrf_key.check().is_err() {
            // Repeated, such an ACCEPT is answered as one of no channel, and whoever said it forgets it.
            if let Some(neighbour) = self.neighbours.get_mut(&peer) {
                neighbour.begun = None;
            }
            refuse_to_open(peer, slot, RefuseCode::TERMS, out);
            return out.push(Effect::NotOpened(peer, RefuseCode::TERMS));
        }
        let state = Agreed { body, sigs: Both::of(side, keys.sign(&what), sig) };
        let account = Account::opened(terms, state, round);
        if let Some(neighbour) = self.neighbours.get_mut(&peer) {
            neighbour.begun = None;
        }
        let said = Said::Letter(account.latest(Answer::Unwanted));
        self.stands(
            peer,
            Kept { key, vrf_key: theirs.vrf_key, stage: Stage::Standing(Box::new(account)) },
            Some(said),
            out,
        );
    }

    /// A channel stands once this is durable.
    fn stands(&mut self, peer: NodeId, kept: Kept, said: Option<Said>, out: &mut impl Sink<Effect>) {
        let Stage::Standing(account) = &kept.stage else { return };
        let Terms { channel, slot, side, brought } = &account.terms;
        let (channel, slot, deposit) = (*channel, *slot, at_first(*brought.deposits.get(*side)));
        let agreed = account.agreed.clone();
        let opened = Effect::Opened { peer, channel, vrf_key: kept.vrf_key, deposit };
        let word = Effect::Word(peer, channel, Word::Agreed(agreed.clone()));
        let said = said.map(|said| Effect::Send(peer, Saying { slot, said }));
        let effects = said.into_iter().chain([opened, word]).collect();
        let room = self.limits.logged;
        let logged = self.neighbours.get_mut(&peer).map(|neighbour| {
            neighbour.logged.clear();
            neighbour.log(channel, &agreed, room)
        });
        self.write(peer, kept, effects, logged.unwrap_or_default(), out);
    }

    /// STATE, to whoever accepted.
    fn first_shown(&mut self, peer: NodeId, latest: &Latest<Signature>, out: &mut impl Sink<Effect>) {
        let round = self.round;
        let Some(neighbour) = self.neighbours.get(&peer) else { return };
        let Some(kept) = &neighbour.kept else { return };
        let Stage::AwaitingState(accepting) = &kept.stage else { return };
        let keys = self.keyring(accepting.terms.side, kept.key);
        let signed = latest.state.verifies(&keys, |body| Signed::State(*body));
        if latest.state.body != accepting.body || !signed {
            return;
        }
        let account = Account::opened(accepting.terms, latest.state.clone(), round);
        let kept = Kept { stage: Stage::Standing(Box::new(account)), ..kept.clone() };
        self.stands(peer, kept, None, out);
    }

    fn letter(
        &mut self,
        peer: NodeId,
        slot: ChannelSlot,
        letter: Letter<Signature>,
        out: &mut impl Sink<Effect>,
    ) {
        let (skip, round) = (self.skip(), self.round);
        let Some((account, keys)) = self.account_and_keys(peer) else {
            return self.letter_before_it_stands(peer, slot, &letter, out);
        };
        if account.terms.slot != slot {
            return refuse_to_open(peer, slot, RefuseCode::UNKNOWN_CHANNEL, out);
        }
        let step = match letter {
            Letter::Claim(claim) => return self.claimed(peer, claim, out),
            Letter::Cosign { sequence, sig, carried } => {
                let step = account.cosigned(&keys, sequence, &sig, carried.as_ref(), round);
                return self.cosigned(peer, step, carried, out);
            }
            Letter::Refuse { sequence, code } => account.refused(&keys, sequence, code),
            Letter::Settle { body, sig } => account.asked_to_settle(&keys, &body, &sig),
            Letter::Settled(record) => account.shown_settled(&keys, record),
            Letter::Latest(latest) => account.shown(&keys, &latest, skip, round),
            Letter::Close { body, sig, stage } => account.asked_to_close(&keys, &body, &sig, stage),
        };
        self.follow(peer, step, Vec::new(), out);
    }

    fn letter_before_it_stands(
        &mut self,
        peer: NodeId,
        slot: ChannelSlot,
        letter: &Letter<Signature>,
        out: &mut impl Sink<Effect>,
    ) {
        match letter {
            Letter::Latest(latest) => self.first_shown(peer, latest, out),
            Letter::Refuse { sequence: 0, code } => {
                let Some(neighbour) = self.neighbours.get_mut(&peer) else { return };
                let offered = neighbour.begun.take().is_some();
                let accepted = matches!(&neighbour.kept, Some(Kept { stage: Stage::AwaitingState(_), .. }));
                if accepted && *code == RefuseCode::UNKNOWN_CHANNEL {
                    // Whoever offered has forgotten it: nothing was ever signed by both.
                    neighbour.kept = None;
                }
                if offered {
                    out.push(Effect::NotOpened(peer, *code));
                }
            }
            Letter::Refuse { .. } => {}
            Letter::Claim(_)
            | Letter::Cosign { .. }
            | Letter::Settle { .. }
            | Letter::Settled(_)
            | Letter::Close { .. } => refuse_to_open(peer, slot, RefuseCode::UNKNOWN_CHANNEL, out),
        }
    }

    fn claimed(&mut self, peer: NodeId, claim: Claim<Signature>, out: &mut impl Sink<Effect>) {
        let Some((account, _)) = self.account_and_keys(peer) else { return };
        if let Some(step) = account.look(&claim) {
            return self.follow(peer, step, Vec::new(), out);
        }
        let Some(neighbour) = self.neighbours.get_mut(&peer) else { return };
        neighbour.judging = Some(claim.clone());
        out.push(Effect::Judge(peer, claim));
    }

    /// What COSIGN carries is handled when what it makes is durable, before anything is proposed.
    fn cosigned(
        &mut self,
        peer: NodeId,
        step: Step<Signature>,
        carried: Option<Claim<Signature>>,
        out: &mut impl Sink<Effect>,
    ) {
        let changes = step.next.is_some();
        let slot = slot_of_neighbour(self.neighbours.get(&peer));
        self.follow(peer, step, Vec::new(), out);
        let Some(claim) = carried else { return };
        if !changes {
            return self.claimed(peer, claim, out);
        }
        let Some(slot) = slot else { return };
        if let Some(neighbour) = self.neighbours.get_mut(&peer) {
            neighbour.carried = Some(Saying { slot, said: Said::Letter(Letter::Claim(claim)) });
        }
        if !self.neighbours.get(&peer).is_some_and(|neighbour| neighbour.writing) {
            self.go_on(peer, out);
        }
    }

    /// Figures name no channel: it is the neighbour's.
    fn offered(
        &mut self,
        peer: NodeId,
        slot: ChannelSlot,
        offered: &Offered,
        stage: Option<nexus_wire::nexus::channel_messages::CloseStage>,
        out: &mut impl Sink<Effect>,
    ) {
        let Some((account, keys)) = self.account_and_keys(peer) else { return };
        if account.terms.slot != slot {
            return refuse_to_open(peer, slot, RefuseCode::UNKNOWN_CHANNEL, out);
        }
        let ChannelBody { channel, party_a, party_b, .. } = account.agreed.body;
        let (paid_a, paid_b) = (offered.paid.a, offered.paid.b);
        let final_sequence = offered.final_sequence;
        let body = SettlementBody { channel, party_a, party_b, paid_a, paid_b, final_sequence };
        let step = match stage {
            None => account.asked_to_settle(&keys, &body, &offered.sig),
            Some(stage) => account.asked_to_close(&keys, &body, &offered.sig, stage),
        };
        self.follow(peer, step, Vec::new(), out);
    }
}

impl Accepting {
    fn saying(&self) -> Saying {
        Saying { slot: self.terms.slot, said: Said::Accept(self.bringing, self.sig) }
    }
}

fn refuse_to_open(peer: NodeId, slot: ChannelSlot, code: RefuseCode, out: &mut impl Sink<Effect>) {
    let letter = Letter::Refuse { sequence: 0, code };
    out.push(Effect::Send(peer, Saying { slot, said: Said::Letter(letter) }));
}

const fn has_ended(account: &Account<Signature>) -> bool {
    matches!(account.phase, Phase::Closed { .. })
}

/// What the channel that `side` opens is called.
const fn slot_of(side: Side) -> ChannelSlot {
    match side {
        Side::A => ChannelSlot(0),
        Side::B => ChannelSlot(1),
    }
}

fn slot_of_neighbour(neighbour: Option<&super::neighbour::Neighbour>) -> Option<ChannelSlot> {
    neighbour.and_then(|neighbour| neighbour.account()).map(|account| account.terms.slot)
}

fn nonces(side: Side, ours: ChannelNonce, theirs: ChannelNonce) -> (ChannelNonce, ChannelNonce) {
    let Both { a, b } = Both::of(side, ours, theirs);
    (a, b)
}
