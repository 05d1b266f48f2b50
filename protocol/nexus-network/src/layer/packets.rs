//! The way of a packet through the layer: over links and in clear, from either to either.
//!
//! A packet stays in the buffer in which it came. It lies behind the head of a link's message, or behind the place of a transport id;
//! from one to the other it is moved, where it stays on the same kind of medium it is not.

use alloc::collections::VecDeque;
use alloc::vec::Vec;

use nexus_crypto::{DestinationHash, IdentityHash};
use nexus_machine::{Cx, Machine as _};
use nexus_wire::nexus::Layout as _;
use nexus_wire::nexus::code::PriceCode;
use nexus_wire::nexus::frame::{HEADER_LEN, TAG_LEN};
use nexus_wire::nexus::message::{MessageKind, MessageWriter};
use nexus_wire::nexus::path_cost::CostCode;
use nexus_wire::nexus::traffic::{self, Class};
use nexus_wire::reticulum::link::Signalling;
use nexus_wire::reticulum::packet::HEADER_1_LEN;
use nexus_wire::reticulum::relay::HEADROOM;
use nexus_wire::reticulum::{DestinationType, Flags, LinkMtu, Packet, PacketType};

use super::wiring::Label;
use super::{Effect, Nerve, Organs, Originated, Writer};
use crate::announces;
use crate::forwarding::{Answered, Cause, Decision, Hop, InClear, Leaving};
use crate::interface::InterfaceId;
use crate::links::LinkId;
use crate::media::{Feeder, Flow, Frame, Load, Then};
use crate::routes::PathPolicy;

/// A packet as links carry it, somewhere in a buffer.
pub(super) struct Buffer {
    bytes: Vec<u8>,
    /// Where it begins.
    at: usize,
}

/// How a packet came.
#[derive(Clone, Copy)]
struct Came {
    by: Hop,
    class: Class,
}

impl Buffer {
    /// Whether it asks for a circuit.
    fn is_link_request(&self) -> bool {
        let flags = self.bytes.get(self.at).map(|flags| Flags::from_byte(*flags).packet_type());
        flags == Some(PacketType::LinkRequest)
    }

    /// Lowers the MTU that a link request signals to what the way carries; takes the signalling off where it carries no more than the base
    /// MTU. Source: spec/reticulum.md#link-mtu.
    fn clamp(&mut self, limit: Option<LinkMtu>) {
        let len = self.bytes.len();
        let signalling_at = self.at.saturating_add(HEADER_1_LEN).saturating_add(LINK_KEYS);
        let Some(place) = self.bytes.get_mut(signalling_at..).and_then(|tail| tail.first_chunk_mut()) else {
            return;
        };
        match limit {
            Some(limit) => {
                let signalled = Signalling::from_bytes(*place);
                *place = Signalling { mtu: signalled.mtu.min(limit), ..signalled }.to_bytes();
            }
            None => self.bytes.truncate(len.saturating_sub(Signalling::LEN)),
        }
    }

    /// Moves the packet within the buffer so that it begins at `at`.
    fn relocate(&mut self, at: usize) {
        let len = self.bytes.len();
        if let Some(less) = self.at.checked_sub(at) {
            self.bytes.drain(..less);
        } else {
            let more = at.saturating_sub(self.at);
            self.bytes.resize(len.saturating_add(more), 0);
            self.bytes.copy_within(..len, more);
        }
        self.at = at;
    }

    /// The message of a link that carries the packet alone.
    fn into_message(mut self, class: Class, price: PriceCode) -> Vec<u8> {
        self.relocate(PACKET_AT);
        write_message_head(&mut self.bytes, class, price);
        self.bytes
    }

    /// The packet as it is spoken in clear, behind the transport id of whoever is to carry it on.
    fn into_clear(mut self, transport: Option<IdentityHash>) -> Vec<u8> {
        let Some(transport) = transport else {
            self.relocate(0);
            return self.bytes;
        };
        self.relocate(HEADROOM);
        self.bytes.copy_within(HEADROOM..HEADROOM.saturating_add(HEAD), 0);
        if let Some(place) = self.bytes.get_mut(HEAD..HEAD.saturating_add(HEADROOM)) {
            place.copy_from_slice(transport.as_bytes());
        }
        self.bytes
    }

    /// The packet alone.
    fn into_packet(mut self) -> Vec<u8> {
        self.relocate(0);
        self.bytes
    }
}

impl Organs {
    /// A frame of an interface in clear: announces, and what is said to everybody in range, are the announces' concern.
    pub(super) fn heard_in_clear(
        &mut self,
        cx: Cx,
        iface: InterfaceId,
        mut bytes: Vec<u8>,
        nerves: &mut VecDeque<Nerve>,
    ) {
        if is_about_paths(&bytes) || !self.forwarding.runs_in_clear(iface) {
            return self.announces.handle(cx, announces::Input::Heard { iface, bytes }, nerves);
        }
        let InClear { at, decision } = self.forwarding.from_clear(cx, iface, &mut bytes, &mut self.announces);
        let came = Came { by: Hop::Clear(iface), class: Class::Standard };
        self.decided(cx, Buffer { bytes, at }, came, decision, nerves);
    }

    /// A packet that came over a link: `headroom ‖ kind ‖ class and price ‖ packet`.
    pub(super) fn packet(&mut self, cx: Cx, from: LinkId, mut bytes: Vec<u8>, nerves: &mut VecDeque<Nerve>) {
        let body = bytes.get(HEADER_LEN.saturating_add(1)..).unwrap_or_default();
        let Ok(traffic::Packet { class, price, .. }) = traffic::Packet::decode(body) else {
            return self.forwarding.malformed();
        };
        let Some(packet) = bytes.get_mut(PACKET_AT..) else { return self.forwarding.malformed() };
        let Self { forwarding, announces, tally, .. } = self;
        let decision = forwarding.from_link(cx, from, (class, price), packet, announces, tally);
        self.tell_news(nerves);
        if let Decision::Ask { request, hops } = decision {
            let requested = announces::Input::PathRequested { link: from, request, hops, class };
            return self.announces.handle(cx, requested, nerves);
        }
        if decision == Decision::Drop(Cause::NoPath)
            && let Some(destination) = bytes.get(PACKET_AT..).and_then(destination_of)
        {
            self.announces.unreachable(cx, from, destination, nerves);
        }
        let came = Came { by: Hop::Link(from), class };
        self.decided(cx, Buffer { bytes, at: PACKET_AT }, came, decision, nerves);
    }

    fn decided(
        &mut self,
        cx: Cx,
        mut packet: Buffer,
        came: Came,
        decision: Decision,
        nerves: &mut VecDeque<Nerve>,
    ) {
        match decision {
            Decision::Deliver => {
                let from = match came.by {
                    Hop::Link(link) => self.links.peer(link).map(|(node, _)| node),
                    Hop::Clear(_) => None,
                };
                let (packet, class) = (packet.into_packet(), came.class);
                nerves.push_back(Nerve::Out(Effect::Arrived { packet, class, from }));
            }
            Decision::Forward(leaving) => {
                if packet.is_link_request() {
                    packet.clamp(self.negotiable(came.by).min(self.negotiable(leaving.to)));
                }
                self.pass(cx, packet, (came.class, came.by.into()), leaving, nerves);
                self.write_circuits(nerves);
                if let Some(Answered { destination, iface, took }) = self.forwarding.take_answered() {
                    let answered = announces::Input::Answered { destination, iface, took };
                    self.announces.handle(cx, answered, nerves);
                }
            }
            // Requests are asked over links alone; in clear they are the announces' from the start.
            Decision::Ask { .. } | Decision::Drop(_) => {}
        }
    }

    /// The longest packet that goes by a step, where a circuit may use more than the base MTU: none where it may not.
    fn negotiable(&self, by: Hop) -> Option<LinkMtu> {
        let most = match by {
            Hop::Clear(iface) => {
                let codes = self.access.tag_len(iface).unwrap_or_default();
                usize::from(self.media.profile(iface)?.frame_size.saturating_sub(codes.into()))
            }
            Hop::Link(link) => self.links.max_frame(link)?.checked_sub(PACKET_AT.saturating_add(TAG_LEN))?,
        };
        let mtu = LinkMtu::new(u32::try_from(most).unwrap_or(u32::MAX)).min(MTU_IN_CLEAR);
        (mtu >= NEGOTIABLE).then_some(mtu)
    }

    /// What was learnt and taken is made durable: the node is about to stop.
    pub(super) fn save(&mut self, cx: Cx, nerves: &mut VecDeque<Nerve>) {
        self.announces.handle(cx, announces::Input::Save, nerves);
        self.forwarding.save();
        self.write_circuits(nerves);
    }

    /// What the organ wants durable.
    fn write_circuits(&mut self, nerves: &mut VecDeque<Nerve>) {
        for (number, write) in self.forwarding.take_writes() {
            nerves.push_back(Nerve::Out(Effect::Write { by: Writer::Forwarding, number, write }));
        }
    }

    /// Ends the circuits that are over. Where a destination did not answer in time, another way is looked for if none is known.
    pub(super) fn end_circuits(&mut self, cx: Cx, nerves: &mut VecDeque<Nerve>) {
        for destination in self.forwarding.expire(cx.now) {
            let motive = announces::SearchMotive::Packet;
            self.announces.handle(cx, announces::Input::Find { destination, motive }, nerves);
        }
        self.write_circuits(nerves);
    }

    /// Queues a packet for the step by which it leaves.
    fn pass(
        &mut self,
        cx: Cx,
        packet: Buffer,
        (class, from): (Class, Feeder),
        Leaving { to, transport, quoted }: Leaving,
        nerves: &mut VecDeque<Nerve>,
    ) {
        match to {
            Hop::Link(link) => {
                let label = Label { load: Load::Traffic, about: None, class, from };
                // What the sender pays is for this node: the next hop is paid what it asks.
                let price = self.tally.price(link, quoted);
                self.queue(cx, link, packet.into_message(class, price), label, nerves);
            }
            Hop::Clear(iface) => {
                let bytes = packet.into_clear(transport);
                let flow = Flow { class, from, then: Then::Anything };
                let frame =
                    Frame { iface, to: None, bytes, about: None, load: Load::Traffic, flow, under: None };
                self.speak(cx, frame, nerves);
            }
        }
    }

    /// Whether packets leave by a step.
    fn is_up(&self, by: Hop) -> bool {
        match by {
            Hop::Link(link) => self.links.is_up(link),
            Hop::Clear(iface) => self.forwarding.runs_in_clear(iface),
        }
    }

    /// A packet of this node's own.
    pub(super) fn originate(
        &mut self,
        cx: Cx,
        handle: u64,
        packet: &[u8],
        (policy, class): (PathPolicy, Class),
        nerves: &mut VecDeque<Nerve>,
    ) {
        let outcome = if packet.len() > ORIGINATED_MAX || Packet::decode(packet).is_err() {
            Originated::Malformed
        } else {
            let mut own = own(packet);
            let way = own.bytes.get_mut(PACKET_AT..).and_then(|packet| {
                self.forwarding.originate(cx, (policy, class), packet, &mut self.announces).ok()
            });
            match way.filter(|leaving| self.is_up(leaving.to)) {
                Some(leaving) => {
                    self.pass(cx, own, (class, Feeder::Own), leaving, nerves);
                    Originated::Left(leaving.to)
                }
                None => Originated::NoPath,
            }
        };
        nerves.push_back(Nerve::Out(Effect::Originated { handle, outcome }));
    }

    /// A probe of this node's own, by the path that it is of.
    pub(super) fn probe(&mut self, cx: Cx, number: u64, packet: &[u8], nerves: &mut VecDeque<Nerve>) {
        let mut own = own(packet);
        let Some(trial) = self.announces.trial(number) else { return };
        let way = own.bytes.get_mut(PACKET_AT..).map(|packet| self.forwarding.probe(cx, trial, packet));
        if let Some(Ok((link, quoted))) = way {
            let leaving = Leaving { to: Hop::Link(link), transport: None, quoted };
            self.pass(cx, own, (PROBE_CLASS, Feeder::Own), leaving, nerves);
        }
    }

    /// A proof of this node's own.
    pub(super) fn prove(&mut self, cx: Cx, packet: &[u8], class: Class, nerves: &mut VecDeque<Nerve>) {
        let mut own = own(packet);
        let Some(packet) = own.bytes.get_mut(PACKET_AT..) else { return };
        if let Some(to) = self.forwarding.prove(cx, packet) {
            let leaving = Leaving { to, transport: None, quoted: CostCode::FREE };
            self.pass(cx, own, (class, Feeder::Own), leaving, nerves);
        }
    }
}

/// Whether a frame in clear is an announce, asks for a path, or brings a tunnel back.
fn is_about_paths(frame: &[u8]) -> bool {
    let Some(flags) = frame.first().map(|first| Flags::from_byte(*first)) else { return false };
    match (flags.packet_type(), flags.destination_type()) {
        (PacketType::Announce, _) => true,
        (PacketType::Data, DestinationType::Plain) => {
            let wanted = destination_of(frame);
            wanted == Some(DestinationHash::PATH_REQUEST)
                || wanted == Some(DestinationHash::TUNNEL_SYNTHESIZE)
        }
        (PacketType::Data | PacketType::LinkRequest | PacketType::Proof, _) => false,
    }
}

/// Where a packet goes, by its header without transport id.
fn destination_of(packet: &[u8]) -> Option<DestinationHash> {
    packet.get(HEAD..)?.first_chunk().map(|bytes| DestinationHash(*bytes))
}

/// What a link request carries before its signalling: two keys.
const LINK_KEYS: usize = 64;
/// A way that carries shorter packets than this negotiates nothing: circuits keep to the base MTU there, as behind stock relays.
const NEGOTIABLE: LinkMtu = LinkMtu::new(1_024);
/// Who is at the other end of a connection in clear is not known, and older stock nodes take none above that there.
const MTU_IN_CLEAR: LinkMtu = LinkMtu::new(8_192);
/// Flags and hops: what stands before a transport id, or a destination.
const HEAD: usize = 2;
/// The kind of PACKET without a length: it runs to the frame's end.
pub(super) const PACKET_TO_END: u8 = MessageKind::PACKET.without_length();
/// Where the packet begins in a frame that carries it alone.
pub(super) const PACKET_AT: usize = HEADER_LEN + 1 + traffic::Packet::HEADER_LEN;
/// The longest packet that a NEXUS node originates, in bytes, without transport id. Source: spec/network.md#forwarding.
pub const ORIGINATED_MAX: usize = 480;
/// A neighbour is tried as what somebody waits for is.
const PROBE_CLASS: Class = Class::Interactive;

/// A packet of this node's own, with room for what a link puts before and behind it.
fn own(packet: &[u8]) -> Buffer {
    let len = PACKET_AT.saturating_add(packet.len());
    let mut bytes = Vec::with_capacity(len.saturating_add(TAG_LEN));
    bytes.resize(PACKET_AT, 0);
    bytes.extend_from_slice(packet);
    Buffer { bytes, at: PACKET_AT }
}

/// Writes kind, class and price before a packet.
fn write_message_head(bytes: &mut [u8], class: Class, price: PriceCode) {
    let body = traffic::Packet { class, price, packet: &[] };
    let head = bytes.get_mut(HEADER_LEN..PACKET_AT).expect("a message with a packet has a head");
    MessageWriter::new(head).put_last(&body).expect("kind, class and price have three bytes");
}
