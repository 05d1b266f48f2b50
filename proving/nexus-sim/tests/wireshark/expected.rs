//! What a packet of a recording says, by the node's own decoder, under the names that the dissector gives to its fields.

use std::fmt::Display;

use nexus_crypto::DestinationHash;
use nexus_testkit::format::hex;
use nexus_wire::DecodeError;
use nexus_wire::nexus::Layout;
use nexus_wire::nexus::announce::{Extension, FieldKind};
use nexus_wire::nexus::control::{
    Ack, BroadcastKey, BroadcastKeyAck, Congestion, Ping, Pong, Rekey, RekeyAck, Signature,
};
use nexus_wire::nexus::cost::{CostAcks, CostList, CostRequest};
use nexus_wire::nexus::frame::{Frame, Head, KeyName, SealedHeader};
use nexus_wire::nexus::gossip::{Done, Form, Items, Request, Summary};
use nexus_wire::nexus::message::{Delimited, Message, MessageKind, Messages};
use nexus_wire::nexus::path_cost::CompactPathCost;
use nexus_wire::nexus::recording::{Direction, RecordedFrame, RecordedMessages};
use nexus_wire::nexus::traffic::{self, Fragment};
use nexus_wire::pcapng::LinkType;
use nexus_wire::reticulum::link::{LinkProof, LinkRequest, Signalling};
use nexus_wire::reticulum::proof::{Proof, Proved};
use nexus_wire::reticulum::{
    Announce, Context, ContextFlag, DestinationType, HeaderType, Packet, PacketType, PathRequest,
    Propagation, TunnelSynthesis,
};

/// What is shown of one packet.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct Shown {
    /// Names and values, in the order of the wire; fields without bytes are left out.
    pub(crate) fields: Vec<(String, String)>,
    /// What is wrong with it, each in one sentence.
    pub(crate) malformed: Vec<String>,
}

/// What a packet of this link type says.
pub(crate) fn of(link_type: LinkType, data: &[u8]) -> Shown {
    let mut shown = Shown::default();
    if link_type == LinkType::FRAMES {
        shown.recorded_frame(data);
    } else {
        shown.recorded_messages(data);
    }
    shown
}

impl Shown {
    fn put(&mut self, name: &str, value: impl Display) {
        self.fields.push((name.to_owned(), value.to_string()));
    }

    fn bytes(&mut self, name: &str, value: &[u8]) {
        if !value.is_empty() {
            self.put(name, hex(value));
        }
    }

    fn flag(&mut self, name: &str, set: bool) {
        self.put(name, u8::from(set));
    }

    /// What was decoded, or a sentence on why not.
    fn good<T>(&mut self, decoded: Result<T, DecodeError>) -> Option<T> {
        decoded.map_err(|refusal| self.malformed.push(refusal.to_string())).ok()
    }

    fn place(&mut self, interface: u8, direction: Direction) {
        self.put("recording.version", 1);
        self.put("recording.interface", interface);
        self.put("recording.direction", u8::from(direction == Direction::Sent));
    }

    fn recorded_frame(&mut self, data: &[u8]) {
        let Some(RecordedFrame { interface, direction, endpoint, frame }) =
            self.good(RecordedFrame::decode(data))
        else {
            return;
        };
        self.place(interface, direction);
        self.put("recording.endpoint_length", endpoint.len());
        self.bytes("recording.endpoint", endpoint);
        match frame.first() {
            Some(..0x80) => self.packet(frame, frame),
            Some(0x80..) | None => self.frame(frame),
        }
    }

    fn recorded_messages(&mut self, data: &[u8]) {
        let Some(RecordedMessages { interface, direction, peer, header, plaintext }) =
            self.good(RecordedMessages::decode(data))
        else {
            return;
        };
        self.place(interface, direction);
        self.bytes("recording.peer", &peer.map_or([0; 16], |peer| peer.0));
        self.sealed_header(header);
        for message in Messages::new(plaintext) {
            if let Some(message) = self.good(message) {
                self.message(&message);
            }
        }
    }

    fn head(&mut self, head: Head) {
        self.put("frame.version", head.version().0);
        self.put("frame.kind", head.kind().0);
    }

    fn sealed_header(&mut self, header: SealedHeader) {
        let [head, ..] = header.to_bytes();
        self.head(Head::from_wire(head).unwrap());
        match header.key {
            KeyName::Session(session) => self.put("frame.session", session.get()),
            KeyName::Broadcast(id) => self.put("frame.key_id", id.0),
        }
        self.put("frame.counter", header.counter);
    }

    fn frame(&mut self, bytes: &[u8]) {
        let Some(frame) = self.good(Frame::decode(bytes)) else { return };
        if !matches!(frame, Frame::Sealed(_)) {
            self.head(Head::from_wire(bytes[0]).unwrap());
        }
        match frame {
            Frame::First(first) => {
                self.put("frame.session", first.session.get());
                self.put("frame.target", first.target.0);
                self.bytes("frame.e", first.ephemeral);
                self.bytes("frame.cookie", first.cookie.map_or(&[], |cookie| cookie));
            }
            Frame::Reply(reply) => {
                self.put("frame.session", reply.session.get());
                self.bytes("frame.noise", reply.noise);
            }
            Frame::Finish(finish) => {
                self.put("frame.session", finish.session.get());
                self.bytes("frame.noise", finish.noise);
            }
            Frame::Sealed(sealed) => {
                self.sealed_header(sealed.header);
                self.bytes("frame.ciphertext", sealed.ciphertext);
                self.bytes("frame.tag", sealed.tag);
            }
            Frame::Cookie(cookie) => {
                self.put("frame.session", cookie.session.get());
                self.bytes("frame.cookie", cookie.cookie);
            }
            Frame::Beacon(beacon) => {
                self.put("frame.beacon_tag", beacon.tag.0);
                self.flag("frame.accepts_links", beacon.flags & 1 == 1);
            }
            Frame::Other(other) => self.bytes("frame.rest", other.rest),
        }
    }

    fn message(&mut self, message: &Message<'_>) {
        self.flag("message.short", message.delimited != Delimited::ByLength);
        self.put("message.kind", message.kind.get());
        if message.delimited == Delimited::ByLength {
            self.put("message.length", message.body.len());
        }
        match message.kind {
            MessageKind::PACKET | MessageKind::ANNOUNCE | MessageKind::FRAGMENT => self.traffic(message),
            MessageKind::COST | MessageKind::COST_REQUEST | MessageKind::COST_ACK => self.costs(message),
            MessageKind::SUMMARY | MessageKind::REQUEST | MessageKind::ITEMS | MessageKind::DONE => {
                self.gossip(message);
            }
            MessageKind::PING
            | MessageKind::PONG
            | MessageKind::REKEY
            | MessageKind::REKEY_ACK
            | MessageKind::BROADCAST_KEY
            | MessageKind::BROADCAST_KEY_ACK
            | MessageKind::ACK
            | MessageKind::SIGNATURE
            | MessageKind::CONGESTION => self.control(message),
            _ => self.bytes("message.body", message.body),
        }
    }

    fn traffic(&mut self, message: &Message<'_>) {
        match message.kind {
            MessageKind::PACKET => {
                let Some(packet) = self.good(message.parse::<traffic::Packet<'_>>()) else { return };
                self.put("packet.class", packet.class as u8);
                self.put("packet.price_code", packet.price.get());
                self.packet_on_a_link(packet.packet);
            }
            MessageKind::ANNOUNCE => {
                let Some(announce) = self.good(message.parse::<traffic::Announce<'_>>()) else { return };
                self.path_cost(announce.cost);
                self.packet_on_a_link(announce.packet);
            }
            _ => {
                let Some(fragment) = self.good(message.parse::<Fragment<'_>>()) else { return };
                self.put("fragment.index", fragment.place().index());
                self.put("fragment.count", fragment.place().count());
                self.bytes("fragment.piece", fragment.piece());
            }
        }
    }

    fn path_cost(&mut self, cost: CompactPathCost) {
        self.put("cost.code", cost.cumulative_cost.to_wire());
        self.put("cost.latency_ms", cost.worst_latency.0);
        self.put("cost.bandwidth_code", cost.bottleneck.0);
        self.put("cost.hops", cost.hops.0);
    }

    fn costs(&mut self, message: &Message<'_>) {
        if message.kind == MessageKind::COST_REQUEST {
            let Some(request) = self.good(message.parse::<CostRequest>()) else { return };
            return self.bytes("cost.destination", request.destination.as_bytes());
        }
        if message.kind == MessageKind::COST_ACK {
            let Some(acks) = self.good(message.parse::<CostAcks<'_>>()) else { return };
            for line in acks.lines() {
                self.bytes("cost.destination", line.destination.as_bytes());
                self.put("cost.print", line.print.0);
            }
            return;
        }
        let Some(list) = self.good(message.parse::<CostList<'_>>()) else { return };
        for record in list.records() {
            self.bytes("cost.destination", record.destination.as_bytes());
            self.bytes("cost.random_hash", &record.random_hash);
            self.path_cost(record.cost);
            let flags = record.flags.to_wire();
            self.flag("cost.withdrawn", flags & 0x80 != 0);
            self.flag("cost.via_stock", flags & 0x40 != 0);
            self.put("cost.generation", record.flags.generation.get());
        }
    }

    fn control(&mut self, message: &Message<'_>) {
        match message.kind {
            MessageKind::PING => {
                let Some(Ping { token, clock_ms }) = self.good(message.parse()) else { return };
                self.put("ping.token", token);
                self.put("ping.clock_ms", clock_ms);
            }
            MessageKind::PONG => {
                let Some(Pong { token, clock_ms }) = self.good(message.parse()) else { return };
                self.put("ping.token", token);
                self.put("ping.clock_ms", clock_ms);
            }
            MessageKind::REKEY => {
                let Some(Rekey { session, noise }) = self.good(message.parse()) else { return };
                self.put("rekey.session", session.get());
                self.bytes("rekey.noise", noise);
            }
            MessageKind::REKEY_ACK => {
                let Some(RekeyAck { session, noise }) = self.good(message.parse()) else { return };
                self.put("rekey.session", session.get());
                self.bytes("rekey.noise", noise);
            }
            MessageKind::BROADCAST_KEY => {
                let Some(BroadcastKey { key_id, key, next_counter, beacon_tag }) = self.good(message.parse())
                else {
                    return;
                };
                self.put("broadcast_key.key_id", key_id.0);
                self.bytes("broadcast_key.key", key);
                self.put("broadcast_key.next_counter", next_counter);
                self.put("broadcast_key.beacon_tag", beacon_tag.0);
            }
            MessageKind::BROADCAST_KEY_ACK => {
                let Some(BroadcastKeyAck { key_id }) = self.good(message.parse()) else { return };
                self.put("broadcast_key.key_id", key_id.0);
            }
            MessageKind::ACK => {
                let Some(Ack { highest, bitmap }) = self.good(message.parse()) else { return };
                self.put("ack.highest", highest);
                self.put("ack.bitmap", bitmap);
            }
            MessageKind::SIGNATURE => {
                let Some(Signature(signature)) = self.good(message.parse()) else { return };
                self.bytes("signature", signature);
            }
            _ => {
                let Some(congestion) = self.good(message.parse::<Congestion>()) else { return };
                self.put("congestion.severity", message.body[0] & 3);
                self.put("congestion.scope", message.body[0] >> 2 & 3);
                self.put("congestion.drain_ms", congestion.drain_ms);
            }
        }
    }

    fn gossip(&mut self, message: &Message<'_>) {
        match message.kind {
            MessageKind::SUMMARY => {
                let Some(summary) = self.good(message.parse::<Summary<'_>>()) else { return };
                self.put("gossip.store", summary.store.0);
                self.put("gossip.round", summary.round);
                self.bytes("gossip.state_hash", &summary.state_hash.0);
                self.put("gossip.count", summary.count);
                self.put("gossip.salt", summary.salt);
                self.put("gossip.slice", summary.slice.index());
                self.put("gossip.slices", summary.slice.count());
                self.put("gossip.sketch", u8::from(summary.form == Form::Sketch));
                self.bytes("gossip.filter", summary.filter);
            }
            MessageKind::REQUEST => {
                let Some(request) = self.good(message.parse::<Request<'_>>()) else { return };
                self.put("gossip.store", request.store().0);
                self.put("gossip.n", request.ids().len());
                request.ids().for_each(|id| self.bytes("gossip.id", &id.0));
            }
            MessageKind::ITEMS => {
                let Some(items) = self.good(message.parse::<Items<'_>>()) else { return };
                self.put("gossip.store", items.store.0);
                for item in items.items() {
                    self.put("gossip.item_length", item.len());
                    self.bytes("gossip.item", item);
                }
            }
            _ => {
                let Some(Done { store, state_hash }) = self.good(message.parse()) else { return };
                self.put("gossip.store", store.0);
                self.bytes("gossip.state_hash", &state_hash.0);
            }
        }
    }

    /// A packet as a link carries it: its transport id is left out, and the receiver puts one in.
    fn packet_on_a_link(&mut self, packet: &[u8]) {
        match packet {
            [flags, hops, rest @ ..] if flags & 0xc0 == 0x40 && *hops < 128 => {
                self.packet(&[&[*flags, *hops][..], &[0; 16], rest].concat(), packet);
            }
            _ => self.packet(packet, packet),
        }
    }

    /// A packet, and how it was written.
    fn packet(&mut self, whole: &[u8], written: &[u8]) {
        let Some(packet) = self.good(Packet::decode(whole)) else { return };
        self.flag("rns.header_type", packet.header_type() == HeaderType::Two);
        self.flag("rns.context_flag", packet.context_flag == ContextFlag::Set);
        self.flag("rns.propagation", packet.propagation == Propagation::Transport);
        self.put("rns.destination_type", packet.destination_type as u8);
        self.put("rns.packet_type", packet.packet_type as u8);
        self.put("rns.hops", packet.hops.get());
        if let Some(transport) = packet.transport.filter(|_| whole.len() == written.len()) {
            self.bytes("rns.transport_id", transport.as_bytes());
        }
        self.bytes("rns.destination", packet.destination.as_bytes());
        self.put("rns.context", packet.context.0);
        match (packet.packet_type, packet.destination_type, packet.context) {
            (PacketType::Announce, _, _) => self.announce(&packet),
            (PacketType::LinkRequest, _, _) => {
                let Some(request) = self.good(LinkRequest::from_packet(&packet)) else { return };
                self.bytes("rns.x25519", request.exchange.as_bytes());
                self.bytes("rns.ed25519", request.verifying.as_bytes());
                self.signalling(request.signalling);
            }
            (PacketType::Proof, _, Context::LINK_REQUEST_PROOF) => {
                let Some(proof) = self.good(LinkProof::from_packet(&packet)) else { return };
                self.bytes("rns.signature", proof.signature.as_bytes());
                self.bytes("rns.x25519", proof.exchange.as_bytes());
                self.signalling(proof.signalling);
            }
            (PacketType::Proof, _, Context::NONE) => {
                let Some(proof) = self.good(Proof::from_packet(&packet)) else { return };
                match proof.proved {
                    Proved::Implicit(_) => {}
                    Proved::Explicit(hash) | Proved::OnLink(_, hash) => {
                        self.bytes("rns.packet_hash", hash.as_bytes());
                    }
                }
                self.bytes("rns.signature", proof.signature.as_bytes());
            }
            (PacketType::Data, DestinationType::Plain, _) => self.plain(&packet),
            (PacketType::Data, DestinationType::Single, Context::NEXUS) if packet.data.len() >= 48 => {
                let (enc, sealed) = packet.data.split_at(32);
                let (ciphertext, tag) = sealed.split_at(sealed.len() - 16);
                self.bytes("envelope.enc", enc);
                self.bytes("envelope.ciphertext", ciphertext);
                self.bytes("envelope.tag", tag);
            }
            (PacketType::Data | PacketType::Proof, _, _) => self.bytes("rns.data", packet.data),
        }
    }

    fn announce(&mut self, packet: &Packet<'_>) {
        let Some(Announce { claim, signature, .. }) = self.good(Announce::from_packet(packet)) else {
            return;
        };
        self.bytes("rns.public_key", claim.public.as_bytes());
        self.bytes("rns.name_hash", claim.name.as_bytes());
        self.bytes("rns.random", &claim.random_hash.as_bytes()[..5]);
        self.put("rns.emitted_at", claim.random_hash.emitted_at());
        if let Some(ratchet) = claim.ratchet {
            self.bytes("rns.ratchet", ratchet.as_bytes());
        }
        self.bytes("rns.signature", signature.as_bytes());
        self.bytes("rns.app_data", claim.app_data);
        // Application data that is no extension is another application's.
        let Ok(extension) = Extension::decode(claim.app_data) else { return };
        for field in extension.fields() {
            self.put("extension.type", field.kind.0);
            self.put("extension.length", field.value.len());
            let pair = || u16::from_le_bytes(field.value.try_into().unwrap());
            match field.kind {
                FieldKind::CAPABILITIES => self.put("extension.capabilities", pair()),
                FieldKind::VRF_KEY => self.bytes("extension.vrf_key", field.value),
                FieldKind::LARGEST_PACKET => self.put("extension.largest_packet", pair()),
                FieldKind::COMMUNITY => self.bytes("extension.community", field.value),
                _ => self.bytes("extension.value", field.value),
            }
        }
    }

    fn plain(&mut self, packet: &Packet<'_>) {
        match packet.destination {
            DestinationHash::PATH_REQUEST => {
                let Some(request) = self.good(PathRequest::from_packet(packet)) else { return };
                self.bytes("rns.wanted", request.wanted.as_bytes());
                if let Some(requester) = request.requester {
                    self.bytes("rns.requester", requester.as_bytes());
                }
                self.bytes("rns.tag", request.tag.as_bytes());
            }
            DestinationHash::TUNNEL_SYNTHESIZE => {
                let Some(tunnel) = self.good(TunnelSynthesis::from_packet(packet)) else { return };
                self.bytes("rns.public_key", tunnel.public.as_bytes());
                self.bytes("rns.interface_hash", &tunnel.interface);
                self.bytes("rns.random", &tunnel.random);
                self.bytes("rns.signature", tunnel.signature.as_bytes());
            }
            _ => self.bytes("rns.data", packet.data),
        }
    }

    fn signalling(&mut self, signalling: Option<Signalling>) {
        if let Some(Signalling { mode, mtu }) = signalling {
            self.put("rns.mode", mode.number());
            self.put("rns.mtu", mtu.bytes());
        }
    }
}
