//! The wires: what the layer is told, and what its organs say to each other.

use alloc::boxed::Box;
use alloc::collections::VecDeque;
use alloc::vec;
use alloc::vec::Vec;

use nexus_crypto::{NodeId, Signature, VrfProof, VrfPublicKey};
use nexus_machine::{Cx, Machine as _, Sink};
use nexus_wire::codec::DecodeError;
use nexus_wire::nexus::Layout as _;
use nexus_wire::nexus::channel::{ChannelBody, ChannelId, ChannelState, SettlementBody, SettlementRecord};
use nexus_wire::nexus::channel_messages::{ChannelSlot, Refuse, RefuseCode};
use nexus_wire::nexus::lottery::{Due, Released, Terms, TokenRelease};
use nexus_wire::nexus::message::{Body, Delimited, Message, MessageKind, MessageWriter};

use super::{
    ChannelStands, Command, Economy, Effect, Event, Input, Nerve, Organs, Record, TYPICAL_PACKET,
    WINDOW_PACKETS, Writer,
};
use crate::channels::account::{Agreed, Claim, LAST_NUMBER, Phase, Ticket, Win, Word};
use crate::channels::keys::Both;
use crate::channels::letters::Saying;
use crate::channels::{self, Verdict};
use crate::lottery::{self, Channel, ClaimRefusal, Claimed, TermsRefusal};
use crate::money::{Amount, Grains};

/// The longest body of a message about a channel or a lottery.
const LONGEST: usize = 512;

/// What of a channel counts for the lottery.
struct Means {
    own: Channel,
    theirs: Channel,
    vrf: VrfPublicKey,
}

impl Organs {
    pub(super) fn tell(
        &mut self,
        cx: Cx,
        input: Input,
        nerves: &mut VecDeque<Nerve>,
        out: &mut impl Sink<Effect>,
    ) {
        use channels::Input as C;
        use lottery::Input as L;
        match input {
            Input::LinkUp { peer, key, traffic } => {
                self.dealings.link_up(peer, key);
                self.dealings.count(peer, traffic);
                self.lottery.handle(cx, L::LinkUp { peer, key, path: traffic.path }, nerves);
                self.lottery.handle(cx, L::Counted { peer, total: traffic.taken }, nerves);
                self.lottery.handle(cx, L::GrantAgain(peer), nerves);
                self.channels.handle(cx, C::LinkUp(peer, key), nerves);
                self.stands(peer, out);
                self.reckon(cx, peer, nerves);
            }
            Input::LinkDown(peer) => {
                self.dealings.link_down(&peer);
                self.lottery.handle(cx, L::LinkDown(peer), nerves);
                self.channels.handle(cx, C::LinkDown(peer), nerves);
            }
            Input::Heard { peer, kind, body, traffic } => {
                self.dealings.count(peer, traffic);
                self.look_at_way(cx, peer, nerves);
                self.reckon(cx, peer, nerves);
                // What cannot be read is dropped: whoever said it says it again, or speaks another version.
                if self.heard(cx, peer, kind, &body, nerves).is_err() {
                    self.dealings.unread();
                }
            }
            Input::Counted { peer, traffic } => {
                self.dealings.count(peer, traffic);
                self.lottery.handle(cx, L::Counted { peer, total: traffic.taken }, nerves);
                self.reckon(cx, peer, nerves);
            }
            Input::ChannelWanted { peer, traffic } => {
                self.dealings.count(peer, traffic);
                self.reckon(cx, peer, nerves);
                self.lottery.handle(cx, L::TermsWanted(peer), nerves);
                self.offer_channel(cx, peer, nerves);
            }
            Input::Durable { by: Writer::Channels, through } => {
                self.channels.handle(cx, C::Durable(through), nerves);
            }
            Input::Durable { by: Writer::Lottery, through } => {
                self.lottery.handle(cx, L::Durable(through), nerves);
            }
            Input::Entropy(entropy) => self.lottery.handle(cx, L::Entropy(entropy), nerves),
            Input::Command(peer, command) => {
                let command = match command {
                    Command::Open { line, deposit } => C::Open { peer, line, deposit },
                    Command::Settle => C::Settle(peer),
                    Command::Close => C::Close(peer),
                    Command::CloseAlone => C::CloseAlone(peer),
                };
                self.channels.handle(cx, command, nerves);
            }
            Input::Seen(state) => self.channels.handle(cx, C::Seen(Box::new(state)), nerves),
            Input::Certified { channel, side, deposit } => {
                self.channels.handle(cx, C::Certified { channel, side, deposit }, nerves);
            }
        }
    }

    /// The lottery hears what the way to a neighbour is like now that it is measured.
    fn look_at_way(&mut self, cx: Cx, peer: NodeId, nerves: &mut VecDeque<Nerve>) {
        if let Some((key, path)) = self.dealings.way(&peer) {
            self.lottery.handle(cx, lottery::Input::LinkUp { peer, key, path }, nerves);
        }
    }

    /// A neighbour that cannot pay is offered a channel, unless there is one.
    fn offer_channel(&mut self, cx: Cx, peer: NodeId, nerves: &mut VecDeque<Nerve>) {
        let Some(line) = self.line.filter(|_| self.means(peer).is_none()) else { return };
        if self.dealings.offer(cx.now, peer) {
            let open = channels::Input::Open { peer, line, deposit: Amount::ZERO };
            self.channels.handle(cx, open, nerves);
        }
    }

    /// A message of a neighbour goes to the organ whose it is.
    fn heard(
        &mut self,
        cx: Cx,
        peer: NodeId,
        kind: MessageKind,
        body: &[u8],
        nerves: &mut VecDeque<Nerve>,
    ) -> Result<(), DecodeError> {
        use lottery::Input as L;
        let sent = self.dealings.traffic(&peer).map_or(Grains::ZERO, |traffic| traffic.sent);
        let lots = match kind {
            MessageKind::TERMS => {
                let Terms { offer, signature, before, before_token } = Terms::decode(body)?;
                let before = Released { window: before, token: before_token };
                L::Terms { peer, offer, signature: Signature(*signature), before }
            }
            MessageKind::DUE => L::Due { peer, due: Due::decode(body)?, sent },
            MessageKind::TOKEN => L::Token { peer, token: TokenRelease::decode(body)? },
            MessageKind::REFUSE if let Some(reason) = refused_terms(&Refuse::decode(body)?) => {
                L::TermsRefused { peer, reason }
            }
            _ => {
                let message = Message { kind, delimited: Delimited::ByEnd, body };
                if let Some(saying) = Saying::parse(&message)? {
                    self.channels.handle(cx, channels::Input::Said(peer, saying), nerves);
                }
                return Ok(());
            }
        };
        self.lottery.handle(cx, lots, nerves);
        Ok(())
    }

    pub(super) fn wire(
        &mut self,
        cx: Cx,
        nerve: Nerve,
        nerves: &mut VecDeque<Nerve>,
        out: &mut impl Sink<Effect>,
    ) {
        match nerve {
            Nerve::Channels(effect) => self.wire_channels(cx, *effect, nerves, out),
            Nerve::Lottery(effect) => self.wire_lottery(cx, effect, nerves, out),
        }
    }

    fn wire_channels(
        &mut self,
        cx: Cx,
        effect: channels::Effect,
        nerves: &mut VecDeque<Nerve>,
        out: &mut impl Sink<Effect>,
    ) {
        use channels::Effect as C;
        match effect {
            C::Write { number, mut writes, voids } => {
                if let Some(peer) = voids {
                    self.dealings.forget(&peer);
                    self.lottery.handle(cx, lottery::Input::OutOfDate(peer), nerves);
                    writes.extend(self.lottery.stored(&peer));
                }
                out.push(Effect::Write { by: Writer::Channels, number, writes });
            }
            C::Send(peer, saying) => say(peer, |writer| saying.write(writer).is_ok(), out),
            C::Judge(peer, claim) => self.judge(cx, peer, &claim, nerves),
            C::Opened { peer, channel, vrf_key: _, deposit } => {
                out.push(Effect::Event(Event::Opened { peer, channel, deposit }));
                self.stands(peer, out);
                self.reckon(cx, peer, nerves);
            }
            C::NotOpened(peer, code) => out.push(Effect::Event(Event::NotOpened { peer, code })),
            // It is proposed once the channel decided about what came before.
            C::Busy(..) => {}
            C::Word(peer, channel, word) => self.word(cx, (peer, channel), word, nerves, out),
        }
    }

    /// The lottery says whether a claim is good. What was allowed before and came to nothing is no more: channels ask one by one.
    fn judge(&mut self, cx: Cx, peer: NodeId, claim: &Claim<Signature>, nerves: &mut VecDeque<Nerve>) {
        self.lottery.handle(cx, lottery::Input::NotCountersigned(peer), nerves);
        let Ticket { from, w, proof } = &claim.ticket;
        let claim = Claimed { from: *from, to: *w, proof: proof.as_deref().copied().map(VrfProof) };
        self.lottery.handle(cx, lottery::Input::Claim { peer, claim }, nerves);
    }

    /// What happened in a channel.
    fn word(
        &mut self,
        cx: Cx,
        (peer, _): (NodeId, ChannelId),
        word: Word<Signature>,
        nerves: &mut VecDeque<Nerve>,
        out: &mut impl Sink<Effect>,
    ) {
        use lottery::Input as L;
        match word {
            Word::Accepted(win) => {
                out.push(Effect::Event(Event::Received { peer, amount: win.reward }));
                self.decided(cx, peer, &win, L::Accepted(peer), nerves);
            }
            Word::Refused(win, code) => {
                out.push(Effect::Event(Event::Unpaid { peer, amount: win.reward, code }));
                self.decided(cx, peer, &win, L::Refused(peer), nerves);
                if code == RefuseCode::TERMS {
                    self.lottery.handle(cx, L::PayerForgot(peer), nerves);
                }
            }
            Word::Paid(win) => {
                out.push(Effect::Event(Event::Paid { peer, amount: win.reward }));
                self.lottery.handle(cx, L::Countersigned { peer, to: win.ticket.w }, nerves);
            }
            Word::Agreed(_) | Word::Certified => self.reckon(cx, peer, nerves),
            Word::Settled(agreed) => {
                let record = record_of(&agreed);
                out.push(Effect::Event(Event::Settled { peer, record }));
                out.push(Effect::Record(Record::Settlement(record)));
            }
            Word::NothingToSettle => out.push(Effect::Event(Event::NothingToSettle(peer))),
            Word::Disputed(agreed) => {
                out.push(Effect::Event(Event::Disputed(peer)));
                out.push(Effect::Record(Record::State(state_of(&agreed))));
            }
            Word::Outdated(agreed) => out.push(Effect::Record(Record::State(state_of(&agreed)))),
            Word::Closed { body, sigs, .. } => {
                out.push(Effect::Channel { peer, state: ChannelStands::Ended });
                out.push(Effect::Event(Event::Closed(peer)));
                out.push(Effect::Record(Record::Closed { body, sigs: sigs.map(|Both { a, b }| (a, b)) }));
            }
            Word::OtherForgot => self.lottery.handle(cx, L::PayerForgot(peer), nerves),
            Word::Forgot => out.push(Effect::Event(Event::Resumed(peer))),
        }
    }

    /// The channel decided about a win: the lottery hears if it is its own, and a win that waited meanwhile is proposed.
    fn decided(
        &mut self,
        cx: Cx,
        peer: NodeId,
        win: &Win,
        verdict: lottery::Input,
        nerves: &mut VecDeque<Nerve>,
    ) {
        if self.dealings.decided(&peer, &win.ticket) {
            return self.lottery.handle(cx, verdict, nerves);
        }
        if let Some((win, stored)) = self.dealings.waiting(&peer) {
            let alongside = vec![stored];
            self.channels.handle(cx, channels::Input::Propose { peer, win, alongside }, nerves);
        }
    }

    fn wire_lottery(
        &mut self,
        cx: Cx,
        effect: lottery::Effect,
        nerves: &mut VecDeque<Nerve>,
        out: &mut impl Sink<Effect>,
    ) {
        use channels::Input as C;
        use lottery::Effect as L;
        match effect {
            L::EntropyWanted => out.push(Effect::EntropyWanted),
            L::Write { number, writes } => out.push(Effect::Write { by: Writer::Lottery, number, writes }),
            L::Grant { peer, limit, mark } => match self.lottery.relaying_terms(&peer) {
                Some(_) => out.push(Effect::Grant { peer, limit, mark }),
                None => out.push(Effect::Ungrant(peer)),
            },
            L::Terms { peer, offer, signature, before } => {
                let Released { window, token } = before;
                let signature = *signature.as_bytes();
                let terms = Terms { offer, signature: &signature, before: window, before_token: token };
                tell(peer, &terms, out);
            }
            L::RefuseTerms { peer, reason } => {
                let Some(slot) = self.means(peer).map(|means| means.own.slot) else { return };
                tell(peer, &refuse_terms(ChannelSlot(slot), reason), out);
            }
            L::Due { peer, due } => tell(peer, &due, out),
            L::Token { peer, token } => tell(peer, &token, out),
            L::Propose { peer, claim, reward, stored } => {
                let Claimed { from, to, proof } = claim;
                let ticket = Ticket { from, w: to, proof: proof.map(|proof| Box::new(proof.0)) };
                let win = Win { reward, ticket };
                self.dealings.claim(peer, win.clone(), stored.clone());
                let alongside = vec![stored];
                self.channels.handle(cx, C::Propose { peer, win, alongside }, nerves);
            }
            L::Countersign { peer, claim: _, reward, stored } => {
                let verdict = Verdict::Pay { reward, alongside: vec![stored] };
                self.channels.handle(cx, C::Judged(peer, verdict), nerves);
            }
            // What the channel signed last it answers by itself; another proposal for windows that are paid is refused.
            L::AnswerAgain { peer, claim: _ } => {
                self.channels.handle(cx, C::Judged(peer, Verdict::Refuse(RefuseCode::WINDOW)), nerves);
            }
            L::RefuseClaim { peer, reason } => {
                let code = match reason {
                    ClaimRefusal::Window => RefuseCode::WINDOW,
                    ClaimRefusal::Proof => RefuseCode::PROOF,
                    ClaimRefusal::Terms => RefuseCode::TERMS,
                };
                self.channels.handle(cx, C::Judged(peer, Verdict::Refuse(code)), nerves);
            }
        }
    }

    /// The network hears whether there is a channel out of which to pay.
    fn stands(&self, peer: NodeId, out: &mut impl Sink<Effect>) {
        if self.means(peer).is_some() {
            out.push(Effect::Channel { peer, state: ChannelStands::Stands });
        }
    }

    /// The lottery hears out of what is paid, and for what. Where nothing was priced nothing is said.
    fn reckon(&mut self, cx: Cx, peer: NodeId, nerves: &mut VecDeque<Nerve>) {
        let Some(Means { own, theirs, vrf }) = self.means(peer) else { return };
        let Some(traffic) = self.dealings.traffic(&peer) else { return };
        if traffic.dearest_paid > 0 {
            let typical = Grains::new(traffic.dearest_paid.saturating_mul(TYPICAL_PACKET));
            self.lottery.handle(cx, lottery::Input::Pay { peer, channel: own, vrf, typical }, nerves);
        }
        if traffic.dearest_asked > 0 {
            let dearest = traffic.dearest_asked.max(self.price);
            let packet = dearest.saturating_mul(TYPICAL_PACKET);
            let reference = Grains::new(packet.saturating_mul(WINDOW_PACKETS));
            self.lottery.handle(cx, lottery::Input::Charge { peer, channel: theirs, reference }, nerves);
        }
    }

    /// What both may pay out of the channel between them, if one stands.
    fn means(&self, peer: NodeId) -> Option<Means> {
        let (account, vrf) = self.channels.standing(peer)?;
        if matches!(account.phase, Phase::Closed { .. }) {
            return None;
        }
        let side = account.terms.side;
        let (id, slot) = (account.terms.channel.0, account.terms.slot.0);
        let of = |balance| Channel { id, slot, balance };
        Some(Means { own: of(account.spendable(side)), theirs: of(account.spendable(side.other())), vrf })
    }
}

impl Economy {
    /// What a neighbour may still be asked to pay, and this node, in a channel that stands.
    #[must_use]
    pub fn spendable(&self, peer: NodeId) -> Option<(Amount, Amount)> {
        self.organs.means(peer).map(|means| (means.own.balance, means.theirs.balance))
    }
}

/// Sends a message without a length: its kind and its body.
fn tell<'a>(peer: NodeId, body: &impl Body<'a>, out: &mut impl Sink<Effect>) {
    say(peer, |writer| writer.put(body).is_ok(), out);
}

fn say(peer: NodeId, write: impl FnOnce(&mut MessageWriter<'_>) -> bool, out: &mut impl Sink<Effect>) {
    let mut buffer = [0; LONGEST];
    let mut writer = MessageWriter::new(&mut buffer);
    if !write(&mut writer) {
        return;
    }
    let message = Message::decode(writer.plaintext());
    if let Ok(Message { kind, body, .. }) = message {
        out.push(Effect::Tell { peer, kind, body: Vec::from(body) });
    }
}

/// REFUSE of terms: numbers of states are below 2⁶³, so that one from there on names no state.
const fn refuse_terms(slot: ChannelSlot, reason: TermsRefusal) -> Refuse {
    let code = match reason {
        TermsRefusal::Stake => RefuseCode::FUNDS,
        TermsRefusal::Window => RefuseCode::WINDOW,
        TermsRefusal::Channel => RefuseCode::TERMS,
    };
    Refuse { slot, sequence: LAST_NUMBER, code }
}

fn refused_terms(refuse: &Refuse) -> Option<TermsRefusal> {
    if refuse.sequence < LAST_NUMBER {
        return None;
    }
    Some(match refuse.code {
        RefuseCode::FUNDS => TermsRefusal::Stake,
        RefuseCode::WINDOW => TermsRefusal::Window,
        _ => TermsRefusal::Channel,
    })
}

fn record_of(agreed: &Agreed<SettlementBody, Signature>) -> SettlementRecord {
    SettlementRecord { body: agreed.body, sig_a: agreed.sigs.a, sig_b: agreed.sigs.b }
}

fn state_of(agreed: &Agreed<ChannelBody, Signature>) -> ChannelState {
    ChannelState { body: agreed.body, sig_a: agreed.sigs.a, sig_b: agreed.sigs.b }
}
