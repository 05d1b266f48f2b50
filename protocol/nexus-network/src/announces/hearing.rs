//! Hearing: the cheap half first, then the signature, then belief.

use nexus_crypto::DestinationHash;
use nexus_machine::{Cx, Relaying, Sink};
use nexus_wire::nexus::path_cost::{CompactPathCost, Generation, HopCount};
use nexus_wire::reticulum::packet::HEADER_1_LEN;
use nexus_wire::reticulum::{Announce, DestinationType, Hops, Packet, PacketType};

use super::bringers::Bringer;
use super::clear::{ClearHop, Noted};
use super::costs::record_beside;
use super::known::{HeardAs, Judgement, Neighbour, PathState, Via, print_of};
use super::passing::{Audience, Promise, take_promise};
use super::routing::Said;
use super::{Announces, Effect, Motive, Sighting, Timer, count};
use crate::interface::InterfaceId;
use crate::links::LinkId;
use crate::routes::NextHop;

/// An announce, and how it came.
#[derive(Clone, Copy)]
struct Heard<'a> {
    packet: Packet<'a>,
    announce: Announce<'a>,
    hops: Hops,
    via: Via,
    /// The cost that was said.
    cost: CompactPathCost,
}

impl Heard<'_> {
    fn next_hop(&self) -> NextHop {
        match self.via {
            Via::Link { link, iface } => NextHop::Link { iface, link },
            Via::Clear { iface, .. } => NextHop::Clear(iface),
        }
    }

    /// What is said beside an announce is of the first generation.
    const fn said(&self) -> Said {
        Said {
            destination: self.announce.destination,
            random_hash: self.announce.claim.random_hash,
            generation: Generation::FIRST,
            cost: self.cost,
        }
    }
}

/// Who is to hear an announce: of an answer, only who asked for it.
fn audience(packet: &Packet<'_>, of_announces: Audience) -> Audience {
    if packet.is_path_response() { Audience::Askers } else { of_announces }
}

impl Announces {
    pub(super) fn heard(&mut self, cx: Cx, iface: InterfaceId, bytes: &[u8], out: &mut impl Sink<Effect>) {
        if !self.interfaces.contains_key(&iface) {
            return count(&mut self.refusals.closed);
        }
        let Ok(packet) = Packet::decode(bytes) else { return count(&mut self.refusals.malformed) };
        match (packet.packet_type, packet.destination_type, packet.destination) {
            (PacketType::Announce, ..) => self.announced_in_clear(cx, iface, &packet, bytes, out),
            (PacketType::Data, DestinationType::Plain, DestinationHash::PATH_REQUEST) => {
                self.requested_in_clear(cx, iface, &packet, out);
            }
            (PacketType::Data, DestinationType::Plain, DestinationHash::TUNNEL_SYNTHESIZE) => {
                self.tunnel_heard(cx, iface, &packet, out);
            }
            (PacketType::Data | PacketType::LinkRequest | PacketType::Proof, ..) => {
                count(&mut self.refusals.malformed);
            }
        }
        self.set_memory_timer(cx.now);
    }

    fn announced_in_clear(
        &mut self,
        cx: Cx,
        iface: InterfaceId,
        packet: &Packet<'_>,
        bytes: &[u8],
        out: &mut impl Sink<Effect>,
    ) {
        if packet.transport == Some(self.own.transport()) {
            return count(&mut self.refusals.echoes);
        }
        let destination = packet.destination;
        let is_expected = destination == self.own.destination()
            || self.is_program(iface)
            || self.known.get(&destination).is_some()
            || self.is_wanted(destination, cx.now);
        if is_expected || self.lets_in(cx.now, iface, packet, bytes) {
            self.take_in_clear(cx, iface, *packet, out);
        }
    }

    /// Takes an announce that was heard in clear, and let in.
    pub(super) fn take_in_clear(
        &mut self,
        cx: Cx,
        iface: InterfaceId,
        packet: Packet<'_>,
        out: &mut impl Sink<Effect>,
    ) {
        let transport = packet.transport.filter(|_| !self.is_program(iface));
        let measured = self.latency_in_clear(packet.destination, iface, transport);
        let said = HopCount(packet.hops.get());
        let Some(cost) = self.interfaces.get(&iface).map(|medium| medium.cost_in(said, measured)) else {
            return;
        };
        self.take(cx, packet, Via::Clear { iface, transport }, cost, out);
    }

    pub(super) fn heard_on_link(
        &mut self,
        cx: Cx,
        link: LinkId,
        cost: CompactPathCost,
        mut bytes: alloc::vec::Vec<u8>,
        out: &mut impl Sink<Effect>,
    ) {
        let Some((iface, peer)) = self.links.get(link).map(|other| (other.iface, other.peer)) else {
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
        self.take(cx, packet, Via::Link { link, iface }, cost, out);
    }

    fn take(
        &mut self,
        cx: Cx,
        packet: Packet<'_>,
        via: Via,
        cost: CompactPathCost,
        out: &mut impl Sink<Effect>,
    ) {
        if packet.packet_type != PacketType::Announce {
            return count(&mut self.refusals.malformed);
        }
        let hops = if self.is_program(via.iface()) { Some(packet.hops) } else { packet.hops.counted() };
        let (Ok(announce), Some(hops)) = (Announce::from_packet(&packet), hops) else {
            return count(&mut self.refusals.malformed);
        };
        let heard = Heard { packet, announce, hops, via, cost };
        if announce.destination == self.own.destination() {
            return self.heard_own(cx, &heard, out);
        }
        if let Some(link) = heard.via.link().filter(|_| packet.is_path_response())
            && !self.finding.is_asked(announce.destination, link)
        {
            return self.finding.count_unasked();
        }
        let (destination, is_response) = (announce.destination, packet.is_path_response());
        let emitted_at = heard.announce.claim.random_hash.emitted_at();
        self.take_judged(cx, &heard, out);
        if let Some(link) = via.link().filter(|_| is_response && self.finding.is_wanted(destination)) {
            if self.known.get(&destination).is_some_and(|known| emitted_at < known.emitted_at) {
                self.ask_by_way_of(cx, link, &destination, out);
            }
            self.walk_past(cx, link, destination, out);
        }
    }

    fn take_judged(&mut self, cx: Cx, heard: &Heard<'_>, out: &mut impl Sink<Effect>) {
        let (packet, announce) = (&heard.packet, &heard.announce);
        match self.known.judge(announce, self.state(&announce.destination)) {
            Judgement::Repeated if self.is_first_word_of_program(heard) => {
                self.believe(cx, heard, Audience::Everybody, out);
            }
            Judgement::Repeated => self.repeated(cx, heard, out),
            Judgement::OtherKey => count(&mut self.refusals.other_key),
            Judgement::Surpassed => self.surpassed(cx, heard, out),
            Judgement::Newer => self.believe(cx, heard, audience(packet, Audience::Everybody), out),
            Judgement::Restores => self.believe(cx, heard, audience(packet, Audience::Links), out),
            Judgement::Forgotten if self.is_wanted(announce.destination, cx.now) => {
                self.believe(cx, heard, Audience::Askers, out);
            }
            Judgement::Forgotten => count(&mut self.refusals.stale),
        }
    }

    /// Whether a program announces within the second in which it made itself known to this node alone, as programs do when they attach.
    fn is_first_word_of_program(&self, heard: &Heard<'_>) -> bool {
        self.is_program(heard.via.iface())
            && !heard.packet.is_path_response()
            && self.known.get(&heard.announce.destination).is_some_and(|known| {
                known.heard_as == HeardAs::Answer && known.random_hash != heard.announce.claim.random_hash
            })
    }

    /// Verifies, and keeps what verified.
    fn believe(&mut self, cx: Cx, heard: &Heard<'_>, to: Audience, out: &mut impl Sink<Effect>) {
        if !self.verifies(cx, heard) {
            return;
        }
        let destination = heard.announce.destination;
        let random_hash = heard.announce.claim.random_hash;
        let is_newer = self.known.get(&destination).is_none_or(|known| known.random_hash != random_hash);
        if is_newer {
            // What still waits, or is kept, is of an older emission: whoever waits for a path is answered with this one.
            out.push(Effect::Recall(destination));
            self.cache.forget(&destination);
        }
        if let Some(link) = heard.via.link() {
            self.speech.sign(destination, random_hash.emitted_at(), link);
        }
        let neighbour = Neighbour { via: heard.via, hops: heard.hops };
        let print = print_of(heard.packet.data);
        let brought_by = self.bringer(heard.via);
        let heard_as = if to == Audience::Askers { HeardAs::Answer } else { HeardAs::Announce };
        if let Some(forgotten) =
            self.known.learn(&heard.announce, print, (neighbour, brought_by), heard_as, cx.now)
        {
            self.cache.forget(&forgotten);
            self.routes.forget(&forgotten);
            self.note_rerouted(forgotten);
            self.note_for_disk(forgotten, Noted::Gone);
            self.deadlines.cancel(Timer::Settle(forgotten));
        }
        self.bind_again(&destination);
        let _new_emission: bool = self.is_first(heard);
        self.candidate(cx, &heard.said(), heard.next_hop(), out);
        self.acknowledge_heard(cx, heard);
        self.admit_pending(cx, destination, random_hash, out);
        out.push(Effect::Reached(Sighting {
            destination,
            emitted_at: random_hash.emitted_at(),
            hops: heard.hops.get(),
            iface: heard.via.iface(),
        }));
        if to == Audience::Links && self.state(&destination) == PathState::Lost {
            // It says a path that might lead back here: another generation was asked for.
            return;
        }
        self.pass_on(cx, &heard.packet, &heard.announce, neighbour, to);
        self.pass_on_at_once(cx.now, &destination, heard.via.iface(), to, out);
        self.answer_waiting(cx, &destination, out);
    }

    fn bringer(&self, via: Via) -> Bringer {
        let peer = via.link().and_then(|link| self.links.get(link)).map(|other| other.peer);
        peer.map_or_else(|| Bringer::Clear(via.iface()), Bringer::Peer)
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

    /// What is known is said by another neighbour: that one has it, and a path.
    fn repeated(&mut self, cx: Cx, heard: &Heard<'_>, out: &mut impl Sink<Effect>) {
        count(&mut self.refusals.stale);
        let destination = heard.announce.destination;
        // Its signature was not looked at: it has to be what verified before, byte for byte.
        let is_same = match self.own.current().filter(|_| destination == self.own.destination()) {
            Some(own) => own.bytes.get(HEADER_1_LEN..) == Some(heard.packet.data),
            None => {
                self.known.get(&destination).is_some_and(|known| known.print == print_of(heard.packet.data))
            }
        };
        if !is_same {
            return;
        }
        if let Some(link) = heard.via.link() {
            self.speech.sign(destination, heard.announce.claim.random_hash.emitted_at(), link);
        }
        if destination != self.own.destination() {
            if let Some(by) = self.known.brought_too(destination, self.bringer(heard.via)) {
                self.cache.is_brought_by(&destination, by);
            }
            if self.is_wanted(destination, cx.now) && cx.config.relaying == Relaying::On {
                // The announce itself was not kept, and somebody asks for it.
                self.keep_if_missing(&heard.packet, heard.hops);
            }
            if let Via::Clear { transport, .. } = heard.via {
                self.heard_others_say(&destination, heard.packet.hops, transport);
            }
            if self.is_first(heard) {
                self.candidate(cx, &heard.said(), heard.next_hop(), out);
            }
            self.acknowledge_heard(cx, heard);
            self.pass_on_what_was_an_answer(cx, heard, out);
        }
    }

    /// Whether it is the copy of its emission that counts: of those in clear the first on each interface, of those over links each.
    fn is_first(&mut self, heard: &Heard<'_>) -> bool {
        let Via::Clear { iface, transport } = heard.via else { return true };
        let (random_hash, hops) = (heard.announce.claim.random_hash, heard.hops);
        let destination = heard.announce.destination;
        let latency = self.latency_in_clear(destination, iface, transport);
        self.is_first_in_clear(destination, iface, ClearHop { random_hash, transport, hops, latency })
    }

    /// An answer is not acknowledged: it is for whoever asked, and what everybody is to hear of it is still to come.
    fn acknowledge_heard(&mut self, cx: Cx, heard: &Heard<'_>) {
        if let Some(link) = heard.via.link().filter(|_| !heard.packet.is_path_response()) {
            let Announce { destination, claim, .. } = &heard.announce;
            self.acknowledge_later(cx.now, link, &record_beside(*destination, claim.random_hash, heard.cost));
        }
    }

    /// An emission that came as an answer so far, to this node alone, is announced to everybody.
    fn pass_on_what_was_an_answer(&mut self, cx: Cx, heard: &Heard<'_>, out: &mut impl Sink<Effect>) {
        let Some(known) = self.known.get_mut(&heard.announce.destination) else { return };
        if known.heard_as == HeardAs::Answer && !heard.packet.is_path_response() {
            known.heard_as = HeardAs::Announce;
            let from = Neighbour { via: heard.via, hops: heard.hops };
            self.pass_on(cx, &heard.packet, &heard.announce, from, Audience::Everybody);
            let (destination, iface) = (heard.announce.destination, heard.via.iface());
            self.pass_on_at_once(cx.now, &destination, iface, Audience::Everybody, out);
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
            return self.repeated(cx, heard, out);
        }
        if !self.verifies(cx, heard) {
            return;
        }
        self.own.raise(emitted_at);
        out.push(Effect::Recall(self.own.destination()));
        self.emit(cx, Motive::Asked, out);
    }
}
