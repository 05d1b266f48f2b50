//! One packet from one node to another, sealed so that only the recipient reads it, and signed inside if its sender says
//! who it is. Source: spec/wire.md#end-to-end.

use alloc::vec;
use alloc::vec::Vec;
use core::fmt;
use core::ops::Deref;

use nexus_crypto::exchange::{EphemeralPublic, RecipientPublic, RecipientSecret};
use nexus_crypto::hash::{blake3, truncate};
use nexus_crypto::hpke::{self, OneTimeKey};
use nexus_crypto::{
    BadSignature, DestinationHash, DomainTag, Message, NodeId, NodeIdentity, NodePublic, Signature, Tag,
};
use nexus_machine::Stream;
use nexus_network::Class;
use nexus_wire::nexus::Layout as _;
use nexus_wire::nexus::end_to_end::{Envelope, Service, SignedSender};
use nexus_wire::reticulum::packet::HEADER_1_LEN;
use nexus_wire::reticulum::{Context, DestinationType, Hops, Packet, PacketHash, PacketType};
use thiserror::Error;
use zeroize::Zeroizing;

/// The longest packet that a NEXUS node originates, in bytes, transport id not counted.
pub const MAX_PACKET: usize = 480;
/// The longest plaintext that such a packet holds, in bytes.
pub const MAX_PLAINTEXT: usize = MAX_PACKET - HEADER_1_LEN - hpke::OVERHEAD;

/// What is to be sent.
#[derive(Clone, Copy, Debug)]
pub struct Letter<'a> {
    /// What is asked.
    pub service: Service,
    /// Where an answer goes, if one is wanted.
    pub reply_to: Option<NodeId>,
    /// Repeated in the answer.
    pub request_id: u32,
    /// What the service defines.
    pub body: &'a [u8],
}

/// Why nothing was sealed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum CannotSeal {
    /// The packet would be longer than a NEXUS node's packets are.
    #[error("the body does not fit into one packet")]
    TooLong,
    /// The recipient's key is of small order.
    #[error("the recipient's key agrees to nothing")]
    BadKey,
}

/// Seals `letter` to `key` of the node `to`, as a packet of its own; signed inside by `author`, if one is given. The key is
/// fresh in every packet: two sealings of the same have nothing in common that an observer sees.
pub fn seal(
    letter: &Letter<'_>,
    to: &NodeId,
    key: RecipientPublic<'_>,
    author: Option<&NodeIdentity>,
    random: &mut Stream,
) -> Result<Vec<u8>, CannotSeal> {
    let one_time = OneTimeKey::generate(random);
    let enc = *one_time.public();
    let mut plaintext = plaintext(letter, to, &enc, author);
    if plaintext.len() > MAX_PLAINTEXT {
        return Err(CannotSeal::TooLong);
    }
    let header = Packet::originating(PacketType::Data, DestinationType::Single, (*to).into(), Context::NEXUS);
    let tag = one_time
        .seal_in_place(key, &info(to), &associated(&header), &mut plaintext)
        .map_err(|_| CannotSeal::BadKey)?;
    let data = [enc.as_bytes(), plaintext.as_slice(), tag.as_bytes()].concat();
    let packet = Packet { data: &data, ..header };
    let mut bytes = vec![0; packet.encoded_len()];
    packet.encode(&mut bytes).expect("the buffer is as long as the packet says that it is");
    Ok(bytes)
}

fn plaintext(
    letter: &Letter<'_>,
    to: &NodeId,
    enc: &EphemeralPublic,
    author: Option<&NodeIdentity>,
) -> Vec<u8> {
    let Letter { service, reply_to, request_id, body } = *letter;
    let encoded = |sender| {
        let envelope = Envelope { service, reply_to, sender, request_id, body };
        let mut bytes = vec![0; envelope.encoded_len()];
        envelope.encode(&mut bytes).expect("the buffer is as long as the envelope says that it is");
        bytes
    };
    let Some(author) = author else { return encoded(None) };
    let sender = author.node_id();
    let unsigned = encoded(Some(SignedSender { sender, signature: &[0; 64] }));
    let envelope = Envelope::decode(&unsigned).expect("what was just encoded decodes");
    let signature = with_signed(enc, to, &envelope, &unsigned, |message| author.sign(message));
    encoded(Some(SignedSender { sender, signature: signature.as_bytes() }))
}

/// An end-to-end packet as it arrived, sealed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SealedPacket {
    /// What names the packet: what a proof of its arrival signs.
    pub hash: PacketHash,
    /// The key that it was sealed under.
    pub enc: EphemeralPublic,
    /// How often it was received on its way, by its header, which no end protects.
    pub hops: Hops,
    /// How urgent it was on its way: what answers it is as urgent.
    pub class: Class,
    /// Over whose link it came, where that is known.
    pub from: Option<NodeId>,
    destination: NodeId,
    associated: [u8; 2],
    ciphertext: Vec<u8>,
    tag: Tag,
}

impl SealedPacket {
    /// Takes `packet` apart, if it is an end-to-end packet to the node `own`. One that carries a transport id is not for its
    /// destination yet.
    #[must_use]
    pub fn read(packet: &Packet<'_>, own: &NodeId, class: Class) -> Option<Self> {
        let is_ours = packet.packet_type == PacketType::Data
            && packet.destination_type == DestinationType::Single
            && packet.destination == DestinationHash::from(*own)
            && packet.context == Context::NEXUS
            && packet.transport.is_none();
        if !is_ours || packet.data.len() > MAX_PACKET.saturating_sub(HEADER_1_LEN) {
            return None;
        }
        let (enc, rest) = packet.data.split_first_chunk()?;
        let (ciphertext, tag) = rest.split_last_chunk()?;
        Some(Self {
            hash: packet.hash(),
            class,
            from: None,
            enc: EphemeralPublic(*enc),
            hops: packet.hops,
            destination: *own,
            associated: associated(packet),
            ciphertext: ciphertext.to_vec(),
            tag: Tag(*tag),
        })
    }

    /// The plaintext, if it was sealed to `key`.
    #[must_use]
    pub fn open(&self, key: RecipientSecret<'_>) -> Option<Plaintext> {
        let mut buffer = Zeroizing::new(self.ciphertext.clone());
        let info = info(&self.destination);
        hpke::open_in_place(key, &self.enc, &info, &self.associated, &mut buffer, &self.tag).ok()?;
        Some(Plaintext(buffer))
    }
}

/// What a packet says once it is opened. Erased when dropped, never printed.
#[derive(Clone, PartialEq, Eq)]
pub struct Plaintext(Zeroizing<Vec<u8>>);

impl Deref for Plaintext {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Plaintext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Plaintext({} bytes)", self.0.len())
    }
}

/// Whether `author` signed `plaintext`, which reads as `envelope`, for the node `to` and under `enc`. Without a sender, nobody
/// did.
pub fn verify(
    envelope: &Envelope<'_>,
    plaintext: &[u8],
    enc: &EphemeralPublic,
    to: &NodeId,
    author: &NodePublic,
) -> Result<(), BadSignature> {
    let said = envelope.sender.filter(|said| said.sender == author.node_id()).ok_or(BadSignature)?;
    with_signed(enc, to, envelope, plaintext, |message| {
        author.verifying().verify(message, &Signature(*said.signature))
    })
}

/// What one request is known by, however often it is sealed: BLAKE3 of the plaintext without the signature, which alone
/// differs between attempts.
#[must_use]
pub fn fingerprint(envelope: &Envelope<'_>, plaintext: &[u8]) -> [u8; 16] {
    let (before, after) = around(envelope, plaintext);
    truncate(&blake3(&[before, after]))
}

/// What is signed: `enc ‖ destination ‖` the plaintext without the signature. All of it: a recipient who could show a signed
/// body under another service or request id would have the sender say what it did not.
fn with_signed<T>(
    enc: &EphemeralPublic,
    to: &NodeId,
    envelope: &Envelope<'_>,
    plaintext: &[u8],
    then: impl FnOnce(&Message<'_>) -> T,
) -> T {
    let (before, after) = around(envelope, plaintext);
    let parts: [&[u8]; 4] = [enc.as_bytes(), to.as_bytes(), before, after];
    then(&Message::new(DomainTag::END_TO_END, &parts).expect("with enc it is longer than 32 bytes"))
}

fn around<'p>(envelope: &Envelope<'_>, plaintext: &'p [u8]) -> (&'p [u8], &'p [u8]) {
    envelope
        .around_signature(plaintext)
        .expect("an envelope is as long as the plaintext that it was read from")
}

/// `"NEXUS e2e 1" ‖ destination`.
fn info(to: &NodeId) -> Vec<u8> {
    [b"NEXUS e2e 1".as_slice(), to.as_bytes()].concat()
}

/// `flags & 0F ‖ context`: what no relay changes of the header, beside the destination.
const fn associated(packet: &Packet<'_>) -> [u8; 2] {
    [packet.flags().hashed(), packet.context.0]
}

#[cfg(test)]
mod tests {
    use super::*;
    use nexus_crypto::{IdentitySeed, RatchetSecret};
    use nexus_machine::Seed;

    const TO: NodeId = NodeId([7; 16]);

    fn author() -> NodeIdentity {
        NodeIdentity::from_seed(IdentitySeed::from_bytes([1; 32]))
    }

    fn letter(body: &[u8]) -> Letter<'_> {
        Letter { service: Service::MESSAGE, reply_to: None, request_id: 0x0403_0201, body }
    }

    /// A letter of the author, opened: the key that it came under and what it says.
    fn opened(letter: &Letter<'_>) -> (EphemeralPublic, Vec<u8>) {
        let ratchet = RatchetSecret::from_bytes(&[5; 32]);
        let mut random = Seed::new([2; 32]).fork("envelope");
        let public = ratchet.public();
        let key = RecipientPublic::Ratchet(&public);
        let bytes = seal(letter, &TO, key, Some(&author()), &mut random).unwrap();
        let sealed = SealedPacket::read(&Packet::decode(&bytes).unwrap(), &TO, Class::Standard).unwrap();
        let plaintext = sealed.open(RecipientSecret::Ratchet(&ratchet)).unwrap();
        (sealed.enc, plaintext.to_vec())
    }

    #[test]
    fn a_signature_holds_for_exactly_what_was_said_and_to_whom() {
        let author = *author().public();
        for reply_to in [None, Some(NodeId([9; 16]))] {
            let (enc, plaintext) = opened(&Letter { reply_to, ..letter(b"one hundred") });
            let verified = |plaintext: &[u8], enc: &EphemeralPublic, to: &NodeId| {
                let envelope = Envelope::decode(plaintext).ok()?;
                verify(&envelope, plaintext, enc, to, &author).ok()
            };
            assert_eq!(verified(&plaintext, &enc, &TO), Some(()));
            assert_eq!(verified(&plaintext, &enc, &NodeId([8; 16])), None, "shown to another");
            assert_eq!(verified(&plaintext, &EphemeralPublic([8; 32]), &TO), None, "sealed again");
            for bit in 0..plaintext.len() * 8 {
                let mut moved = plaintext.clone();
                moved[bit / 8] ^= 1 << (bit % 8);
                assert_eq!(verified(&moved, &enc, &TO), None, "bit {bit}: service, request id and all");
            }
        }
    }

    #[test]
    fn a_request_is_known_again_by_all_but_its_signature() {
        let print = |letter: &Letter<'_>, changed: usize| {
            let (_, mut plaintext) = opened(letter);
            plaintext[changed] ^= 1;
            fingerprint(&Envelope::decode(&plaintext).unwrap(), &plaintext)
        };
        let (in_signature, in_body) = (40, 2 + 1 + 16 + 64 + 4);
        let plain = print(&letter(b"one"), in_signature);
        assert_eq!(print(&letter(b"one"), in_signature + 1), plain);
        assert_ne!(print(&letter(b"one"), in_body), plain);
        assert_ne!(print(&Letter { request_id: 1, ..letter(b"one") }, in_signature), plain);
    }

    #[test]
    fn what_does_not_fit_or_has_a_bad_key_is_not_sealed() {
        let mut random = Seed::new([2; 32]).fork("envelope");
        let public = RatchetSecret::from_bytes(&[5; 32]).public();
        let body = [0; MAX_PLAINTEXT];
        let longest = MAX_PLAINTEXT - Envelope::MIN_LEN;
        let key = RecipientPublic::Ratchet(&public);
        let packet = seal(&letter(&body[..longest]), &TO, key, None, &mut random).unwrap();
        assert_eq!(packet.len(), MAX_PACKET);
        let too_long = seal(&letter(&body[..=longest]), &TO, key, None, &mut random);
        assert_eq!(too_long, Err(CannotSeal::TooLong));
        let zero = nexus_crypto::RatchetPublic([0; 32]);
        let no_key = seal(&letter(b""), &TO, RecipientPublic::Ratchet(&zero), None, &mut random);
        assert_eq!(no_key, Err(CannotSeal::BadKey));
    }
}
