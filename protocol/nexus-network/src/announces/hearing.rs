//! Hearing: the cheap half first, then the signature, then belief.

use nexus_machine::{Cx, Sink};
use nexus_wire::nexus::path_cost::{CompactPathCost, Draw, Generation, Hop};
use nexus_wire::reticulum::packet::HEADER_1_LEN;
use nexus_wire::reticulum::{Announce, Hops, Packet, PacketType};

use super::known::{Judgement, Neighbour, Via};
use super::passing::{Audience, Promise, take_promise};
use super::{Announces, Effect, Motive, Sighting, count};
use crate::interface::InterfaceId;
use crate::links::LinkId;

/// An announce, and how it came.
#[derive(Clone, Copy)]
struct Heard<'a> {
    packet: Packet<'a>,
    announce: Announce<'a>,
    hops: Hops,
    via: Via,
    /// The cost that was said.
    cost: CompactPathCost,
    /// The hop that it came.
    hop: Hop,
}

impl Announces {
    pub(super) fn heard(&mut self, cx: Cx, iface: InterfaceId, bytes: &[u8], out: &mut impl Sink<Effect>) {
        let Some(hop) = self.interfaces.get(&iface).map(|medium| medium.hop) else {
            return count(&mut self.refusals.closed);
        };
        let Ok(packet) = Packet::decode(bytes) else { return count(&mut self.refusals.malformed) };
        let via = Via::Clear { iface, transport: packet.transport };
        // Nobody charges for a stock segment.
        self.take(cx, packet, via, CompactPathCost::ORIGIN, hop, out);
    }

    pub(super) fn heard_on_link(
        &mut self,
        cx: Cx,
        link: LinkId,
        cost: CompactPathCost,
        mut bytes: alloc::vec::Vec<u8>,
        out: &mut impl Sink<Effect>,
    ) {
        let Some((iface, hop, peer)) = self.links.get(link).map(|other| (other.iface, other.hop, other.peer))
        else {
            return count(&mut self.refusals.closed);
        };
        let promise = take_promise(&mut bytes);
        let (Some(promise), Ok(mut packet)) = (promise, Packet::decode(&bytes)) else {
            return count(&mut self.refusals.malformed);
        };
        packet.transport = match promise {
            Promise::Present => Some(peer),
            Promise::Absent => None,
        };
        self.take(cx, packet, Via::Link { link, iface }, cost, hop, out);
    }

    fn take(
        &mut self,
        cx: Cx,
        packet: Packet<'_>,
        via: Via,
        cost: CompactPathCost,
        hop: Hop,
        out: &mut impl Sink<Effect>,
    ) {
        if packet.packet_type != PacketType::Announce {
            return count(&mut self.refusals.malformed);
        }
        let (Ok(announce), Some(hops)) = (Announce::from_packet(&packet), packet.hops.counted()) else {
            return count(&mut self.refusals.malformed);
        };
        let heard = Heard { packet, announce, hops, via, cost, hop };
        if announce.destination == self.own.destination() {
            return self.heard_own(cx, &heard, out);
        }
        match self.known.judge(&announce) {
            Judgement::Repeated => self.repeated(&heard),
            Judgement::OtherKey => count(&mut self.refusals.other_key),
            Judgement::Surpassed => self.surpassed(cx, &heard, out),
            Judgement::Newer => self.believe(cx, &heard, Audience::Everybody, out),
            Judgement::Restores => self.believe(cx, &heard, Audience::Links, out),
        }
    }

    /// Verifies, and keeps what verified.
    fn believe(&mut self, cx: Cx, heard: &Heard<'_>, to: Audience, out: &mut impl Sink<Effect>) {
        if !self.verifies(cx, heard) {
            return;
        }
        let destination = heard.announce.destination;
        let random_hash = heard.announce.claim.random_hash;
        if to == Audience::Everybody {
            // What still waits is of an older emission.
            out.push(Effect::Recall(destination));
        }
        if let Some(link) = heard.via.link() {
            self.speech.sign(destination, random_hash.emitted_at(), link);
        }
        let neighbour = Neighbour { via: heard.via, hops: heard.hops };
        let draw = Draw {
            destination,
            random_hash: *random_hash.as_bytes(),
            generation: Generation::FIRST,
            relay: self.own.node_id(),
        };
        let cost = heard.cost.relayed(&heard.hop, &draw);
        if let Some(forgotten) = self.known.learn(&heard.announce, neighbour, cost, cx.now) {
            self.cache.forget(&forgotten);
        }
        out.push(Effect::Reached(Sighting {
            destination,
            emitted_at: random_hash.emitted_at(),
            hops: heard.hops.get(),
            iface: heard.via.iface(),
        }));
        self.pass_on(cx, &heard.packet, &heard.announce, neighbour, to);
    }

    /// Whether the announce verifies, if the neighbour may have it verified at all.
    fn verifies(&mut self, cx: Cx, heard: &Heard<'_>) -> bool {
        let neighbouring = heard.via.link().and_then(|link| self.links.get_mut(link));
        if neighbouring.is_some_and(|neighbouring| !neighbouring.may_have_verified(cx.now)) {
            count(&mut self.refusals.hasty);
            return false;
        }
        if heard.announce.verify().is_err() {
            count(&mut self.refusals.forged);
            return false;
        }
        true
    }

    /// What is known is said by another neighbour: that one has it.
    fn repeated(&mut self, heard: &Heard<'_>) {
        count(&mut self.refusals.stale);
        let destination = heard.announce.destination;
        let known = match self.own.current().filter(|_| destination == self.own.destination()) {
            Some(own) => own.bytes.get(HEADER_1_LEN..),
            None => self.cache.peek(&destination).and_then(|packet| packet.get(HEADER_1_LEN..)),
        };
        // Its signature was not looked at: it has to be what verified before, byte for byte.
        if let Some(link) = heard.via.link().filter(|_| known == Some(heard.packet.data)) {
            self.speech.sign(destination, heard.announce.claim.random_hash.emitted_at(), link);
        }
    }

    fn surpassed(&mut self, cx: Cx, heard: &Heard<'_>, out: &mut impl Sink<Effect>) {
        count(&mut self.refusals.stale);
        if let Via::Link { link, .. } = heard.via {
            self.correct(cx, link, heard.announce.destination, out);
        }
    }

    /// An emission of one's own comes back. A later one than is remembered, validly signed: this node's disk or clock
    /// went back.
    fn heard_own(&mut self, cx: Cx, heard: &Heard<'_>, out: &mut impl Sink<Effect>) {
        let emitted_at = heard.announce.claim.random_hash.emitted_at();
        if emitted_at < self.own.last_emission() {
            return self.surpassed(cx, heard, out);
        }
        if emitted_at == self.own.last_emission() {
            return self.repeated(heard);
        }
        if !self.verifies(cx, heard) {
            return;
        }
        self.own.raise(emitted_at);
        out.push(Effect::Recall(self.own.destination()));
        self.emit(cx, Motive::Asked, out);
    }
}
