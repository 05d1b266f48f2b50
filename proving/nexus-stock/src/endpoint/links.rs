//! Links: both sides of the handshake, and what is said on them. Source: spec/reticulum.md#on-a-link.

use std::time::{Instant, SystemTime, UNIX_EPOCH};

use nexus_crypto::exchange::EphemeralSecret;
use nexus_crypto::hash::sha256_truncated;
use nexus_crypto::identity::IdentityPublic;
use nexus_crypto::{DestinationHash, Signature, SigningKey, TokenKey, VerifyingKey};
use nexus_wire::reticulum::link::{LinkMode, LinkRequest, Signalling};
use nexus_wire::reticulum::proof::Proved;
use nexus_wire::reticulum::{
    Context, DestinationType, LinkId, LinkMtu, LinkProof, Packet, PacketHash, PacketType, Proof,
};

use super::resources::{Incoming, Outgoing};
use super::{Endpoint, Event, PACKET_MAX, Payload, routed};
use crate::msgpack::Value;

/// What a keepalive of the initiator says, and what answers it.
const KEEPALIVE: [u8; 2] = [0xff, 0xfe];
/// What a link's packets have beside their plaintext: header, initialisation vector, code, and a byte of padding at least.
const OVERHEAD: u32 = 68;

/// Which side of a link an endpoint is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// It asked.
    Initiator,
    /// It was asked.
    Responder,
}

/// A link of this endpoint.
pub(super) struct Link {
    state: State,
    side: Side,
    /// The other side's key for proofs.
    theirs: VerifyingKey,
    mtu: LinkMtu,
    began: Instant,
    pub(super) incoming: Option<Incoming>,
    /// What the last resource that came was proved with, and what that packet was called.
    pub(super) proof: Option<(PacketHash, Vec<u8>)>,
    pub(super) outgoing: Option<Outgoing>,
    requested: Option<Vec<u8>>,
    /// With which the initiator proves what comes.
    signing: Option<SigningKey>,
}

enum State {
    /// Asked for, and not answered.
    Asked(EphemeralSecret),
    /// Keys are agreed. A responder hears nothing before the initiator has told the round trip.
    Agreed(TokenKey),
    Up(TokenKey),
}

impl Link {
    const fn new(state: State, side: Side, theirs: VerifyingKey, mtu: LinkMtu, began: Instant) -> Self {
        let (incoming, outgoing, proof, requested, signing) = (None, None, None, None, None);
        Self { state, side, theirs, mtu, began, incoming, proof, outgoing, requested, signing }
    }

    pub(super) const fn key(&self) -> Option<&TokenKey> {
        match &self.state {
            State::Asked(_) => None,
            State::Agreed(key) | State::Up(key) => Some(key),
        }
    }

    /// How much plaintext a packet carries.
    fn room(&self) -> usize {
        let blocks = self.mtu.bytes().saturating_sub(OVERHEAD) / 16;
        usize::try_from(blocks * 16).unwrap_or(PACKET_MAX).saturating_sub(1)
    }

    /// How much of a resource a packet carries.
    pub(super) fn part(&self) -> usize {
        usize::try_from(self.mtu.bytes()).unwrap_or(PACKET_MAX).saturating_sub(36)
    }
}

impl Endpoint {
    /// Asks a known destination for a link; none if it is not known.
    pub fn link(&mut self, to: DestinationHash, now: Instant) -> Option<LinkId> {
        let heard = self.known.get(&to)?.clone();
        let (secret, signing) =
            (EphemeralSecret::generate(&mut self.random), SigningKey::generate(&mut self.random));
        let request = LinkRequest {
            destination: to,
            context: Context::NONE,
            exchange: secret.public(),
            verifying: signing.public(),
            signalling: Some(Signalling { mode: LinkMode::AES_256_CBC, mtu: self.offered }),
        };
        let mut buffer = [0; 100];
        let written = request.encode(&mut buffer).expect("a link request has 86 bytes");
        let packet = Packet::decode(written).expect("it was just written");
        self.put(&routed(packet, &heard));
        let theirs = heard.public.verifying();
        let mut link = Link::new(State::Asked(secret), Side::Initiator, theirs, LinkMtu::BASE, now);
        link.signing = Some(signing);
        self.links.insert(request.link_id(), link);
        Some(request.link_id())
    }

    /// Answers a link request.
    pub(super) fn accept(&mut self, packet: &Packet<'_>, now: Instant) {
        let Ok(request) = LinkRequest::from_packet(packet) else { return };
        let secret = EphemeralSecret::generate(&mut self.random);
        let exchange = secret.public();
        let Ok(shared) = secret.agree(&request.exchange) else { return };
        let link = request.link_id();
        let key = TokenKey::derive(&shared, link.as_bytes());
        let signalling =
            request.signalling.map(|asked| Signalling { mtu: asked.mtu.min(self.offered), ..asked });
        let mtu = signalling.map_or(LinkMtu::BASE, |agreed| agreed.mtu);
        self.say(&LinkProof::sign(link, exchange, signalling, &self.identity));
        self.links.insert(link, Link::new(State::Agreed(key), Side::Responder, request.verifying, mtu, now));
    }

    /// Takes the proof that answers a link request, and tells the other side how long it took.
    pub(super) fn establish(&mut self, packet: &Packet<'_>, now: Instant) {
        let Ok(proof) = LinkProof::from_packet(packet) else { return };
        let Some(link) = self.links.get(&proof.link) else { return };
        if !matches!(link.state, State::Asked(_)) || proof.verify(&link.theirs).is_err() {
            return;
        }
        let link = self.links.remove(&proof.link).expect("it was just found");
        let State::Asked(secret) = link.state else { return };
        let Ok(shared) = secret.agree(&proof.exchange) else { return };
        let key = TokenKey::derive(&shared, proof.link.as_bytes());
        let mtu = proof.signalling.map_or(LinkMtu::BASE, |agreed| agreed.mtu);
        let took = now.saturating_duration_since(link.began).as_secs_f64();
        self.links.insert(proof.link, Link { state: State::Up(key), mtu, ..link });
        self.say_on(proof.link, Context::LINK_RTT, &Value::Float(took).encode());
        self.events.push(Event::LinkUp(proof.link, Side::Initiator, mtu));
    }

    /// Sends data; what the proof will name. None if there is no such link.
    pub fn send_on(&mut self, link: LinkId, plaintext: &[u8]) -> Option<PacketHash> {
        self.say_to_be_proved(link, Context::NONE, plaintext)
    }

    /// Encrypts to the other side something that is to be proved; what the proof will name. None if there is no such link.
    pub fn say_to_be_proved(
        &mut self,
        link: LinkId,
        context: Context,
        plaintext: &[u8],
    ) -> Option<PacketHash> {
        let hash = self.say_on(link, context, plaintext)?;
        self.unproved.insert(hash, self.links.get(&link)?.theirs);
        Some(hash)
    }

    /// Says on all links that it asked for that it is there, which the other side answers. To be called every few seconds.
    pub fn keep_alive(&mut self) {
        let asked = self.links.iter().filter(|(_, link)| matches!(link.state, State::Up(_)));
        let asked = asked.filter(|(_, link)| link.side == Side::Initiator).map(|(id, _)| *id);
        for link in asked.collect::<Vec<_>>() {
            self.say_in_clear(link, PacketType::Data, Context::KEEPALIVE, &KEEPALIVE[..1]);
        }
    }

    /// Says who it is.
    pub fn identify(&mut self, link: LinkId) {
        let public = *self.identity.public();
        let signature = self.identity.sign_untagged(&[link.as_bytes(), public.as_bytes()]);
        self.say_on(link, Context::LINK_IDENTIFY, &[*public.as_bytes(), signature.0].concat());
    }

    /// Asks for what is at `path`, with `data` as the question.
    pub fn request(&mut self, link: LinkId, path: &str, data: &[u8]) {
        let path: [u8; 16] = sha256_truncated(&[path.as_bytes()]);
        let unix = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64();
        let question = Value::Array(vec![Value::Float(unix), Value::bin(&path), Value::bin(data)]);
        let asked = self.say_on(link, Context::REQUEST, &question.encode());
        let Some(link) = self.links.get_mut(&link) else { return };
        link.requested = asked.map(|hash| hash.truncated().0.to_vec());
    }

    /// Ends a link, and says so.
    pub fn close(&mut self, link: LinkId) {
        self.say_on(link, Context::LINK_CLOSE, link.as_bytes());
        self.links.remove(&link);
    }

    pub(super) fn hear_on_link(&mut self, packet: &Packet<'_>) {
        let Some(id) = packet.link() else { return };
        let Some(link) = self.links.get_mut(&id) else { return };
        if packet.context == Context::KEEPALIVE {
            if packet.data == &KEEPALIVE[..1] && link.side == Side::Responder {
                self.say_in_clear(id, PacketType::Data, Context::KEEPALIVE, &KEEPALIVE[1..]);
            }
            self.events.push(Event::KeptAlive(id));
            return;
        }
        if self.handed_out.contains(&packet.context) {
            self.pass(packet);
            return;
        }
        if packet.context == Context::RESOURCE {
            self.hear_part(id, packet.data);
            return;
        }
        if packet.context == Context::CACHE_REQUEST {
            self.prove_resource_again(id, packet.data);
            return;
        }
        let Some(plaintext) = link.key().and_then(|key| key.decrypt(packet.data).ok()) else { return };
        match packet.context {
            Context::LINK_RTT => self.come_up(id),
            Context::NONE => {
                self.prove_on(id, &packet.hash());
                self.events.push(Event::LinkData(id, plaintext));
            }
            Context::LINK_IDENTIFY => self.hear_identity(id, &plaintext),
            Context::LINK_CLOSE if plaintext == id.as_bytes() => {
                self.links.remove(&id);
                self.events.push(Event::Closed(id));
            }
            Context::REQUEST => self.answer(id, packet.truncated_hash().as_bytes(), &plaintext),
            Context::RESPONSE => self.hear_response(id, &plaintext),
            Context::RESOURCE_ADVERTISEMENT => self.hear_advertisement(id, &plaintext),
            Context::RESOURCE_REQUEST => self.hear_resource_request(id, &plaintext),
            Context::RESOURCE_HASHMAP_UPDATE => self.hear_hashmap(id, &plaintext),
            _ => {}
        }
    }

    /// Hands out what came on a link.
    pub(super) fn pass(&mut self, packet: &Packet<'_>) {
        let Some(id) = packet.link() else { return };
        let bytes = match packet.context {
            Context::RESOURCE | Context::RESOURCE_PROOF | Context::CACHE_REQUEST => packet.data.to_vec(),
            _ => match self.open_on(id, packet.data) {
                Some(plaintext) => plaintext,
                None => return,
            },
        };
        self.events.push(Event::Passed(id, packet.context, bytes, packet.hash()));
    }

    /// Opens a token of a link's key; none if it is not, or there is no such link.
    #[must_use]
    pub fn open_on(&self, link: LinkId, token: &[u8]) -> Option<Vec<u8>> {
        self.links.get(&link)?.key()?.decrypt(token).ok()
    }

    /// Makes a token of a link's key; none if there is no such link.
    pub fn seal_on(&mut self, link: LinkId, plaintext: &[u8]) -> Option<Vec<u8>> {
        Some(self.links.get(&link)?.key()?.encrypt(plaintext, &mut self.random))
    }

    fn come_up(&mut self, id: LinkId) {
        let Some(mut link) = self.links.remove(&id) else { return };
        if let State::Agreed(key) = link.state {
            link.state = State::Up(key);
            self.events.push(Event::LinkUp(id, Side::Responder, link.mtu));
        }
        self.links.insert(id, link);
    }

    fn hear_identity(&mut self, id: LinkId, plaintext: &[u8]) {
        let Some((public, signature)) = plaintext.split_first_chunk::<64>() else { return };
        let (Ok(signature), public) = (<[u8; 64]>::try_from(signature), IdentityPublic(*public)) else {
            return;
        };
        let signed = [&id.as_bytes()[..], public.as_bytes()];
        if public.verifying().verify_untagged(&signed, &Signature(signature)).is_ok() {
            self.events.push(Event::Identified(id, public.hash()));
        }
    }

    /// What is asked at any path comes back as the answer.
    pub(super) fn answer(&mut self, id: LinkId, request: &[u8; 16], plaintext: &[u8]) {
        let Some(Value::Array(question)) = Value::decode(plaintext) else { return };
        let data = question.get(2).cloned().unwrap_or(Value::Nil);
        let response = Value::Array(vec![Value::bin(request), data]).encode();
        let Some(link) = self.links.get(&id) else { return };
        if response.len() <= link.room() {
            self.say_on(id, Context::RESPONSE, &response);
        } else {
            self.offer(id, &response, Some(*request));
        }
    }

    pub(super) fn hear_response(&mut self, id: LinkId, response: &[u8]) {
        let Some(Value::Array(response)) = Value::decode(response) else { return };
        let Some(link) = self.links.get_mut(&id) else { return };
        let [Value::Bin(request), Value::Bin(data)] = &response[..] else { return };
        if link.requested.as_ref() == Some(request) {
            link.requested = None;
            self.events.push(Event::Answered(id, data.clone()));
        }
    }

    /// Says that a packet of a link came.
    pub fn prove_on(&mut self, id: LinkId, hash: &PacketHash) {
        let Some(link) = self.links.get(&id) else { return };
        let signature = match &link.signing {
            Some(signing) => signing.sign_untagged(&[hash.as_bytes()]),
            None => self.identity.sign_untagged(&[hash.as_bytes()]),
        };
        self.say(&Proof { proved: Proved::OnLink(id, *hash), signature });
    }

    /// Encrypts to the other side. What the proof will name; none if there is no such link.
    pub fn say_on(&mut self, id: LinkId, context: Context, plaintext: &[u8]) -> Option<PacketHash> {
        let token = self.links.get(&id)?.key()?.encrypt(plaintext, &mut self.random);
        Some(self.say_in_clear(id, PacketType::Data, context, &token))
    }

    /// Says something to the other side as it is. What the packet is called.
    pub fn say_in_clear(
        &mut self,
        id: LinkId,
        packet_type: PacketType,
        context: Context,
        data: &[u8],
    ) -> PacketHash {
        let header = Packet::originating(packet_type, DestinationType::Link, id.into(), context);
        let packet = Packet { data, ..header };
        self.put(&packet);
        packet.hash()
    }
}
