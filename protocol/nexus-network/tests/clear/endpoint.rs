//! A stock endpoint as relays see it: what it says, and what it heard.

use nexus_crypto::exchange::EphemeralPublic;
use nexus_crypto::{DestinationHash, IdentityHash, NameHash, ReticulumIdentity, VerifyingKey};
use nexus_wire::reticulum::Ifac;
use nexus_wire::reticulum::announce::{Claim, Occasion};
use nexus_wire::reticulum::link::{LinkMode, Signalling};
use nexus_wire::reticulum::{
    Context, DestinationType, LinkId, LinkMtu, LinkProof, LinkRequest, MTU, Packet, PacketMut, PacketType,
    Payload as _, Proof, RandomHash, relay,
};

/// An identity with one destination.
pub(crate) struct Endpoint {
    pub(crate) identity: ReticulumIdentity,
    pub(crate) destination: DestinationHash,
    pub(crate) heard: Vec<Vec<u8>>,
    /// The access codes of its cable: what it announces is sealed with them.
    pub(crate) codes: Option<Ifac>,
    name: NameHash,
}

impl Endpoint {
    pub(crate) fn new(n: u8) -> Self {
        let identity = ReticulumIdentity::from_private_blob(&[n; 64]);
        let name = NameHash::of("stock.endpoint");
        let destination = DestinationHash::of(name, identity.public().hash());
        Self { identity, destination, heard: Vec::new(), codes: None, name }
    }

    /// An announce, the `n`-th.
    pub(crate) fn announce(&self, n: u64) -> Vec<u8> {
        let claim = Claim {
            public: *self.identity.public(),
            name: self.name,
            random_hash: RandomHash::new([1, 2, 3, 4, 5], 1_700_000_000 + n),
            ratchet: None,
            app_data: b"stock",
        };
        let mut buffer = [0; MTU];
        let announce =
            claim.sign(&self.identity).encode(Occasion::Periodic, &mut buffer).expect("it is short");
        announce.to_vec()
    }

    /// What it puts on its cable for a packet.
    pub(crate) fn frame_of(&self, packet: Vec<u8>) -> Vec<u8> {
        let Some(codes) = &self.codes else { return packet };
        let mut frame = [&vec![0; codes.tag_len().bytes()], &packet[..]].concat();
        codes.seal(&mut frame).expect("a packet");
        frame
    }

    /// The frames heard that are no announces; they are taken.
    pub(crate) fn packets(&mut self) -> Vec<Vec<u8>> {
        let heard = std::mem::take(&mut self.heard);
        let is_packet = |frame: &Vec<u8>| {
            Packet::decode(frame).is_ok_and(|packet| packet.packet_type != PacketType::Announce)
        };
        heard.into_iter().filter(is_packet).collect()
    }

    /// The one packet that was heard.
    pub(crate) fn packet(&mut self) -> Vec<u8> {
        let [packet] = self.packets().try_into().expect("one packet was heard");
        packet
    }

    /// The newest announce heard of a destination: through which relay, and how far it came, this hop included.
    pub(crate) fn path_to(&self, destination: DestinationHash) -> Option<(Option<IdentityHash>, u8)> {
        let heard = self.heard.iter().rev().filter_map(|frame| Packet::decode(frame).ok());
        let of_it = |packet: &Packet<'_>| {
            packet.packet_type == PacketType::Announce && packet.destination == destination
        };
        let announce = heard.into_iter().find(of_it)?;
        Some((announce.transport, announce.hops.get() + 1))
    }

    /// The proof of a packet that was received.
    pub(crate) fn proof_of(&self, packet: &[u8]) -> Vec<u8> {
        let hash = Packet::decode(packet).expect("a packet").hash();
        Proof::implicit(&hash, &self.identity).encode(&mut [0; MTU]).expect("it is short").to_vec()
    }
}

/// Data for a destination, as its originator writes it to whoever hears it.
pub(crate) fn data(to: DestinationHash, context: Context, payload: &[u8]) -> Vec<u8> {
    let header = Packet::originating(PacketType::Data, DestinationType::Single, to, context);
    Packet { data: payload, ..header }.encode(&mut [0; MTU]).expect("it is short").to_vec()
}

/// The same packet, for a relay to carry it on.
pub(crate) fn by_way_of(transport: IdentityHash, packet: &[u8]) -> Vec<u8> {
    let mut buffer = [&[0; relay::HEADROOM][..], packet].concat();
    PacketMut::insert_transport(&mut buffer, transport)
        .expect("a packet without transport id")
        .into_bytes()
        .to_vec()
}

/// A Reticulum link between two endpoints, as relays see it.
pub(crate) struct Circuit {
    pub(crate) id: LinkId,
    exchange: EphemeralPublic,
    signalling: Option<Signalling>,
}

/// The `n`-th request for a link, as its initiator writes it; with signalling, if an MTU is given.
pub(crate) fn request(to: DestinationHash, n: u8, mtu: Option<u32>) -> Vec<u8> {
    let signalling = mtu.map(|mtu| Signalling { mode: LinkMode::AES_256_CBC, mtu: LinkMtu::new(mtu) });
    let request = LinkRequest {
        destination: to,
        context: Context::NONE,
        exchange: EphemeralPublic([n; 32]),
        verifying: VerifyingKey([n; 32]),
        signalling,
    };
    request.encode(&mut [0; MTU]).expect("it is short").to_vec()
}

impl Circuit {
    /// What a responder makes of a request.
    pub(crate) fn asked_by(request: &[u8]) -> Self {
        let packet = Packet::decode(request).expect("a packet");
        let request = LinkRequest::from_packet(&packet).expect("a link request");
        let exchange = EphemeralPublic([77; 32]);
        Self { id: request.link_id(), exchange, signalling: request.signalling }
    }

    /// The MTU that the responder is left with.
    pub(crate) fn mtu(&self) -> Option<u32> {
        self.signalling.map(|signalling| signalling.mtu.bytes())
    }

    /// The responder's proof.
    pub(crate) fn proof(&self, by: &Endpoint) -> Vec<u8> {
        let proof = LinkProof::sign(self.id, self.exchange, self.signalling, &by.identity);
        proof.encode(&mut [0; MTU]).expect("it is short").to_vec()
    }

    /// A packet on it, as either end writes it.
    pub(crate) fn packet(&self, packet_type: PacketType, context: Context, payload: &[u8]) -> Vec<u8> {
        let header = Packet::originating(packet_type, DestinationType::Link, self.id.into(), context);
        let packet = Packet { data: payload, ..header };
        packet.encode(&mut vec![0; 10_000]).expect("there is room").to_vec()
    }

    /// Data on it.
    pub(crate) fn data(&self, payload: &[u8]) -> Vec<u8> {
        self.packet(PacketType::Data, Context::NONE, payload)
    }
}
