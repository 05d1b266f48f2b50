//! The wires between the layer's organs, and the way of a packet through them.
//!
//! A packet's way is direct calls in one buffer: opened where it lies, its header rewritten, sealed where it lies.

use alloc::collections::VecDeque;
use alloc::vec::Vec;

use nexus_crypto::{DestinationHash, NodeId};
use nexus_machine::{Cx, Machine as _, Sink};
use nexus_wire::nexus::control::BroadcastKeyAck;
use nexus_wire::nexus::cost::{CostAcks, CostList, CostRequest};
use nexus_wire::nexus::frame::{FrameKind, HEADER_LEN, Head, LinkVersion};
use nexus_wire::nexus::message::{Message, MessageKind, Messages};
use nexus_wire::nexus::traffic;

use super::packets::PACKET_TO_END;
use super::paying::Priced;
use super::{Effect, Nerve, Organs, Writer};
use crate::access::Codeless;
use crate::announces;
use crate::broadcast::{self, GivenKey};
use crate::gossip;
use crate::interface::{Endpoint, InterfaceId};
use crate::keys;
use crate::links::{self, LinkId, Opened, Withheld};
use crate::media::{self, Class, Feeder, Flow, Frame, Load, Seal, Then};
use crate::overheard::{Carrier, Ears, Overheard, Purport};

/// What is written on the frames of a message.
pub(super) struct Label {
    pub(super) load: Load,
    pub(super) about: Option<DestinationHash>,
    pub(super) class: Class,
    pub(super) from: Feeder,
}

impl Organs {
    pub(super) fn wire(
        &mut self,
        cx: Cx,
        nerve: Nerve,
        nerves: &mut VecDeque<Nerve>,
        out: &mut impl Sink<Effect>,
    ) {
        match nerve {
            Nerve::Media(effect) => self.wire_media(cx, effect, nerves, out),
            Nerve::Links(effect) => self.wire_links(cx, effect, nerves, out),
            Nerve::Broadcast(effect) => self.wire_broadcast(cx, effect, nerves),
            Nerve::Announces(effect) => self.wire_announces(cx, effect, nerves, out),
            Nerve::Gossip(effect) => self.wire_gossip(cx, effect, nerves),
            Nerve::Keys(effect) => self.wire_keys(cx, effect, nerves),
            Nerve::Out(effect) => out.push(effect),
        }
    }

    fn wire_media(
        &mut self,
        cx: Cx,
        effect: media::Effect,
        nerves: &mut VecDeque<Nerve>,
        out: &mut impl Sink<Effect>,
    ) {
        use media::Effect as M;
        match effect {
            M::Transmit(frame) => self.leave(cx, frame, nerves, out),
            M::Sense(iface) => out.push(Effect::Sense(iface)),
            M::Jammed(iface) => out.push(Effect::Jammed(iface)),
            M::Lost(iface) => self.announces_wait(cx, iface, nerves),
            M::Carries(iface, bps) => {
                self.links.handle(cx, links::Input::Carries(iface, bps), nerves);
                self.announces.handle(cx, announces::Input::Carries(iface, bps), nerves);
                self.gossip.handle(cx, gossip::Input::Carries(iface, bps), nerves);
            }
            M::Congested { link, congestion } => self.tell_of_congestion(cx, link, congestion, nerves),
            M::Surge(iface, extra) => self.links.handle(cx, links::Input::Surge(iface, extra), nerves),
            M::Write { number, write } => out.push(Effect::Write { by: Writer::Media, number, write }),
        }
    }

    fn wire_links(
        &mut self,
        cx: Cx,
        effect: links::Effect,
        nerves: &mut VecDeque<Nerve>,
        out: &mut impl Sink<Effect>,
    ) {
        use announces::Input as A;
        use broadcast::Input as B;
        use links::Effect as L;
        match effect {
            L::Send(frame) => self.media.handle(cx, media::Input::Send(frame), nerves),
            L::Up(status) => {
                let (link, iface, public) = (status.id, status.iface, status.peer);
                self.weigh_link(cx, link, public.node_id(), nerves);
                self.tally.link_up(link, public.node_id());
                out.push(Effect::LinkUp(status));
                if let Some(hop) = self.links.hop(link) {
                    let peer = public.hash();
                    self.announces.handle(cx, A::LinkUp { link, iface, peer, hop }, nerves);
                }
                if let Some(max_frame) = self.links.max_frame(link) {
                    let peer = public;
                    self.broadcast.handle(cx, B::LinkUp { link, iface, peer, max_frame }, nerves);
                }
                self.gossip_with(cx, link, iface, public, nerves);
            }
            L::Down { last, why } => {
                let (link, departure) = (last.id, why.departure());
                self.broadcast.handle(cx, B::LinkDown { link, departure }, nerves);
                self.announces.handle(cx, A::LinkDown(link), nerves);
                self.forwarding.link_down(link);
                self.tally.link_down(link);
                self.media.handle(cx, media::Input::LinkDown(link), nerves);
                self.gossip_without(cx, link, nerves);
                out.push(Effect::LinkDown { last, why });
            }
            L::Beaconed(link) => self.broadcast.handle(cx, B::Beaconed(link), nerves),
            L::Stands { link, trust, reliability } => {
                self.announces.handle(cx, A::LinkStands { link, trust, reliability }, nerves);
            }
            L::Measured { link, hop } => self.announces.handle(cx, A::LinkMeasured { link, hop }, nerves),
            L::EntropyWanted => out.push(Effect::EntropyWanted),
        }
    }

    fn wire_broadcast(&mut self, cx: Cx, effect: broadcast::Effect, nerves: &mut VecDeque<Nerve>) {
        use announces::{Hearing, Input as A};
        use broadcast::Effect as B;
        use links::Input as L;
        match effect {
            B::Tell { link, plaintext } => {
                self.send(cx, link, plaintext.into_bytes(), Load::Links, nerves);
            }
            B::Send(frame) => self.line_up(cx, frame, nerves),
            B::Retag(iface, tag) => self.links.handle(cx, L::Retag(iface, tag), nerves),
            B::Tagged { link, tag } => self.links.handle(cx, L::Named { link, tag }, nerves),
            B::Hears(link) => {
                self.announces.handle(cx, A::Hearing { link, hearing: Hearing::Broadcasts }, nerves);
            }
            B::Deaf(link) => {
                self.announces.handle(cx, A::Hearing { link, hearing: Hearing::LinkOnly }, nerves);
            }
            B::Heard(link) => self.links.handle(cx, L::Heard { link }, nerves),
            B::Announced { link, cost, packet } => {
                self.announces.handle(cx, A::HeardOnLink { link, cost, packet }, nerves);
            }
            B::Costs { link, records } => self.announces.handle(cx, A::Costs { link, records }, nerves),
            B::EntropyWanted => nerves.push_back(Nerve::Out(Effect::EntropyWanted)),
        }
    }

    fn wire_announces(
        &mut self,
        cx: Cx,
        effect: announces::Effect,
        nerves: &mut VecDeque<Nerve>,
        out: &mut impl Sink<Effect>,
    ) {
        use announces::{Effect as A, Outlet};
        match effect {
            A::Send(frame) => self.speak(cx, frame, nerves),
            A::Tell { link, about, plaintext } => self.tell(cx, link, plaintext, about, nerves),
            A::Broadcast { iface, about, message } => {
                let said = broadcast::Input::Say { iface, about: Some(about), message };
                self.broadcast.handle(cx, said, nerves);
            }
            A::Say { to: Outlet::Link(link), message } => {
                self.send(cx, link, message, Load::Announces, nerves);
            }
            A::Say { to: Outlet::Hearers(iface), message } => {
                let said = broadcast::Input::Say { iface, about: None, message };
                self.broadcast.handle(cx, said, nerves);
            }
            A::Recall(about) => self.media.handle(cx, media::Input::Recall(about), nerves),
            A::Write { number, write } => {
                out.push(Effect::Write { by: Writer::Announces, number, write });
            }
            A::Reached(sighting) => {
                let named = keys::Input::Named(NodeId(sighting.destination.0));
                self.keys.handle(cx, named, nerves);
                out.push(Effect::Reached(sighting));
            }
            A::Announced { emitted_at } => out.push(Effect::Announced { emitted_at }),
            A::Probe { number, node, recipient } => {
                out.push(Effect::Probe { number, node, recipient });
            }
            A::PathFound { destination, hops, after } => {
                out.push(Effect::PathFound { destination, hops, after });
            }
            A::PathNotFound { destination } => out.push(Effect::PathNotFound { destination }),
        }
    }

    /// Queues a frame that is spoken in clear.
    pub(super) fn speak(&mut self, cx: Cx, frame: Frame, nerves: &mut VecDeque<Nerve>) {
        let under = self.access.tag_len(frame.iface).map(Seal::AccessCodes);
        self.media.send(cx.now, Frame { under, ..frame }, nerves);
    }

    /// Seals a frame whose turn it is. One that may not leave gives its turn to the next.
    fn leave(&mut self, cx: Cx, mut frame: Frame, nerves: &mut VecDeque<Nerve>, out: &mut impl Sink<Effect>) {
        let priced = Priced::of(&frame);
        let sealed = match frame.under {
            None => Ok(()),
            Some(Seal::Link(_)) => self.links.seal(cx, &mut frame, nerves),
            Some(Seal::AccessCodes(_)) => {
                self.access.seal(frame.iface, &mut frame.bytes).map_err(|Codeless| Withheld)
            }
            Some(Seal::Broadcast) => {
                self.broadcast.seal(cx, &mut frame, nerves).map_err(|broadcast::Keyless| Withheld)
            }
        };
        if let Err(Withheld) = sealed {
            let iface = frame.iface;
            media::lose([frame], nerves);
            return self.media.handle(cx, media::Input::TxReady(iface), nerves);
        }
        if let Some(priced) = priced {
            priced.count(&mut self.tally);
        }
        self.media.handle(cx, media::Input::Sealed(frame.iface, frame.bytes.len()), nerves);
        self.account_for(cx, &frame, nerves);
        out.push(Effect::Transmit(frame));
    }

    /// A frame waits for its medium.
    fn line_up(&mut self, cx: Cx, frame: Frame, nerves: &mut VecDeque<Nerve>) {
        let (iface, load) = (frame.iface, frame.load);
        self.media.send(cx.now, frame, nerves);
        if load == Load::Announces {
            self.announces_wait(cx, iface, nerves);
        }
    }

    /// How much of announces waits for a medium is another than it was.
    pub(super) fn announces_wait(&mut self, cx: Cx, iface: InterfaceId, nerves: &mut VecDeque<Nerve>) {
        let waits = announces::Input::Waits(iface, self.media.announces_waiting(iface));
        self.announces.handle(cx, waits, nerves);
    }

    /// Queues a message (without a length, behind headroom) for a link.
    pub(super) fn send(
        &mut self,
        cx: Cx,
        link: LinkId,
        message: Vec<u8>,
        load: Load,
        nerves: &mut VecDeque<Nerve>,
    ) {
        let label = Label { load, about: None, class: Class::Standard, from: Feeder::Own };
        self.queue(cx, link, message, label, nerves);
    }

    /// Queues news of a destination for a link.
    fn tell(
        &mut self,
        cx: Cx,
        link: LinkId,
        message: Vec<u8>,
        about: DestinationHash,
        nerves: &mut VecDeque<Nerve>,
    ) {
        let (about, class, from) = (Some(about), Class::Standard, Feeder::Own);
        let news = Label { load: Load::Announces, about, class, from };
        self.queue(cx, link, message, news, nerves);
    }

    pub(super) fn queue(
        &mut self,
        cx: Cx,
        link: LinkId,
        message: Vec<u8>,
        Label { load, about, class, from }: Label,
        nerves: &mut VecDeque<Nerve>,
    ) {
        if let Some(iface) = self.links.carries_whole(link, message.len()) {
            let under = Some(Seal::Link(link));
            let flow = Flow { class, from, then: Then::Anything };
            let frame = Frame { iface, to: None, bytes: message, about, load, flow, under };
            return self.line_up(cx, frame, nerves);
        }
        let priced = Priced::in_message(link, &message).filter(|_| load == Load::Traffic);
        let mut frames = self.links.frames(link, message).peekable();
        if frames.peek().is_none() {
            drop(frames);
            return self.links.withhold();
        }
        let mut lined_up = None;
        while let Some(frame) = frames.next() {
            lined_up = Some(frame.iface);
            let then = if frames.peek().is_some() { Then::ItsNext } else { Then::Anything };
            let flow = Flow { class, from, then };
            self.media.send(cx.now, Frame { about, load, flow, ..frame }, nerves);
        }
        drop(frames);
        if let Some(priced) = priced {
            priced.count(&mut self.tally);
        }
        if let Some(iface) = lined_up.filter(|_| load == Load::Announces) {
            self.announces_wait(cx, iface, nerves);
        }
    }

    /// A frame: of a link, or in clear.
    pub(super) fn heard(
        &mut self,
        cx: Cx,
        iface: InterfaceId,
        from: Option<Endpoint>,
        bytes: Vec<u8>,
        nerves: &mut VecDeque<Nerve>,
    ) {
        if !self.links.runs_on(iface) {
            if let Some(packet) = self.access.open(iface, bytes) {
                self.heard_in_clear(cx, iface, packet, nerves);
            }
            return;
        }
        if is_broadcast(&bytes) {
            return self.heard_broadcast(cx, iface, bytes, nerves);
        }
        let airtime = self.ears.airtime(iface, bytes.len());
        let of_others = airtime.is_some()
            && is_sealed(&bytes)
            && Ears::may_be_announce(&bytes)
            && self.ears.is_beginning(iface, cx.now);
        let Some(Opened { link, mut bytes, end, whole }) = self.links.receive(cx, iface, from, bytes, nerves)
        else {
            if let Some(airtime) = airtime.filter(|_| of_others) {
                self.overheard(cx, Overheard { iface, airtime, by: Carrier::Unopened }, nerves);
            }
            return;
        };
        bytes.truncate(end);
        if let Some(airtime) = airtime
            && Purport::of(bytes.get(HEADER_LEN..).unwrap_or_default()) == Purport::News
        {
            self.overheard(cx, Overheard { iface, airtime, by: Carrier::OwnLink }, nerves);
        }
        self.opened(cx, link, bytes, nerves);
        if let Some(whole) = whole {
            self.opened(cx, link, whole, nerves);
        }
    }

    fn heard_broadcast(&mut self, cx: Cx, iface: InterfaceId, bytes: Vec<u8>, nerves: &mut VecDeque<Nerve>) {
        let airtime = self.ears.airtime(iface, bytes.len());
        let is_new = self.ears.is_beginning(iface, cx.now);
        let of_stranger = is_new && self.broadcast.is_under_unknown_key(iface, &bytes);
        let before = nerves.len();
        self.broadcast.handle(cx, broadcast::Input::Frame { iface, bytes }, nerves);
        // What nobody known signed changes nothing, once a node had time to come to know who is there.
        let by = if nerves.len() > before {
            Some(Carrier::Broadcast)
        } else {
            of_stranger.then_some(Carrier::Unopened)
        };
        if let (Some(airtime), Some(by)) = (airtime, by) {
            self.overheard(cx, Overheard { iface, airtime, by }, nerves);
        }
    }

    /// What a link brought, behind headroom. A packet alone is dealt with where it lies.
    fn opened(&mut self, cx: Cx, link: LinkId, bytes: Vec<u8>, nerves: &mut VecDeque<Nerve>) {
        if bytes.get(HEADER_LEN) == Some(&PACKET_TO_END) {
            return self.packet(cx, link, bytes, nerves);
        }
        // Behind a broken message nothing can be told apart; the link has counted it.
        let plaintext = bytes.get(HEADER_LEN..).unwrap_or_default();
        for message in Messages::new(plaintext).map_while(Result::ok) {
            match message.kind {
                MessageKind::PACKET => {
                    let alone = [&[0; HEADER_LEN][..], &[PACKET_TO_END], message.body].concat();
                    self.packet(cx, link, alone, nerves);
                }
                MessageKind::ANNOUNCE => self.announce(cx, link, &message, nerves),
                MessageKind::COST | MessageKind::COST_REQUEST | MessageKind::COST_ACK => {
                    self.costs(cx, link, &message, nerves);
                }
                MessageKind::BROADCAST_KEY | MessageKind::BROADCAST_KEY_ACK => {
                    self.broadcast_key(cx, link, &message, nerves);
                }
                MessageKind::SUMMARY | MessageKind::REQUEST | MessageKind::ITEMS | MessageKind::DONE => {
                    self.gossip_heard(cx, link, &message, nerves);
                }
                MessageKind::CONGESTION => self.congestion(cx, link, &message, nerves),
                kind if kind.is_of_money() => self.heard_of_money(link, &message, nerves),
                // The link's own, or of a kind that is not known here.
                _ => {}
            }
        }
    }

    fn announce(&mut self, cx: Cx, link: LinkId, message: &Message<'_>, nerves: &mut VecDeque<Nerve>) {
        match message.parse::<traffic::Announce<'_>>() {
            Ok(traffic::Announce { cost, packet }) => {
                let packet = packet.to_vec();
                let heard = announces::Input::HeardOnLink { link, cost, packet };
                self.announces.handle(cx, heard, nerves);
            }
            Err(_) => self.forwarding.malformed(),
        }
    }

    fn costs(&mut self, cx: Cx, link: LinkId, message: &Message<'_>, nerves: &mut VecDeque<Nerve>) {
        use announces::Input as A;
        let input = match message.kind {
            MessageKind::COST => message
                .parse::<CostList<'_>>()
                .map(|list| A::Costs { link, records: list.records().collect() }),
            MessageKind::COST_ACK => message
                .parse::<CostAcks<'_>>()
                .map(|acks| A::CostsHeard { link, lines: acks.lines().collect() }),
            _ => message.parse().map(|CostRequest { destination }| A::CostRequested { link, destination }),
        };
        match input {
            Ok(input) => self.announces.handle(cx, input, nerves),
            Err(_) => self.forwarding.malformed(),
        }
    }

    fn broadcast_key(&mut self, cx: Cx, link: LinkId, message: &Message<'_>, nerves: &mut VecDeque<Nerve>) {
        use broadcast::Input as B;
        let input = if message.kind == MessageKind::BROADCAST_KEY {
            message.parse().map(|key| B::Given { link, key: GivenKey::of(&key) })
        } else {
            message.parse().map(|BroadcastKeyAck { key_id }| B::Acknowledged { link, key_id })
        };
        match input {
            Ok(input) => self.broadcast.handle(cx, input, nerves),
            Err(_) => self.broadcast.malformed(),
        }
    }
}

/// Whether a frame is a broadcast, of the version spoken here.
fn is_broadcast(frame: &[u8]) -> bool {
    is_of_kind(frame, FrameKind::BROADCAST)
}

fn is_sealed(frame: &[u8]) -> bool {
    is_of_kind(frame, FrameKind::SEALED)
}

fn is_of_kind(frame: &[u8], kind: FrameKind) -> bool {
    let head = frame.first().copied().and_then(Head::from_wire);
    head == Some(Head::new(LinkVersion::ONE, kind))
}
