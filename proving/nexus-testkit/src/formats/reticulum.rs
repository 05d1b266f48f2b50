//! Reticulum's formats under test. Spec: `spec/reticulum.md`; vectors: `spec/vectors/reticulum.json`.

mod messages;
mod stream;
mod transfers;

use core::fmt::Debug;

use nexus_crypto::exchange::EphemeralPublic;
use nexus_crypto::{DestinationHash, IdentityHash, RatchetPublic, ReticulumIdentity, VerifyingKey};
use nexus_wire::reticulum::announce::{Announce, Claim, Occasion};
use nexus_wire::reticulum::ifac::{Ifac, Membership, TagLen};
use nexus_wire::reticulum::kiss::{self, Command};
use nexus_wire::reticulum::link::{LinkMode, LinkMtu, LinkProof, LinkRequest, Signalling};
use nexus_wire::reticulum::packet::{HEADER_1_LEN, HEADER_2_LEN};
use nexus_wire::reticulum::path_request::{PathRequest, Tag};
use nexus_wire::reticulum::proof::{Proof, Proved};
use nexus_wire::reticulum::relay::HEADROOM;
use nexus_wire::reticulum::rnode::{FromDevice, ToDevice};
use nexus_wire::reticulum::{Context, LinkId, Packet, PacketMut, Payload, RandomHash, TunnelSynthesis};
use nexus_wire::{DecodeError, EncodeError};

use crate::format::{Format, reencode_with, unhex};

pub use stream::STREAMS;

/// All of Reticulum's formats.
pub const ALL: &[Format] = &[
    Format {
        name: "packet",
        reencode: |bytes| {
            reencode_with(bytes, Packet::decode, |packet| written(bytes, |out| packet.encode(out)))
        },
        samples: packets,
        possible_length: |length| length >= HEADER_1_LEN,
    },
    Format {
        name: "announce",
        reencode: |bytes| payload(bytes, Announce::from_packet, Announce::encode_behind),
        samples: announces,
        possible_length: |length| (HEADER_1_LEN + 148..=500).contains(&length),
    },
    Format {
        name: "proof",
        reencode: |bytes| payload(bytes, Proof::from_packet, Proof::encode_behind),
        samples: proofs,
        possible_length: |length| behind_a_header(length, &[64, 96]),
    },
    Format {
        name: "link-request",
        reencode: |bytes| payload(bytes, LinkRequest::from_packet, LinkRequest::encode_behind),
        samples: link_requests,
        possible_length: |length| behind_a_header(length, &[64, 67]),
    },
    Format {
        name: "link-proof",
        reencode: |bytes| payload(bytes, LinkProof::from_packet, LinkProof::encode_behind),
        samples: link_proofs,
        possible_length: |length| behind_a_header(length, &[96, 99]),
    },
    Format {
        name: "path-request",
        reencode: |bytes| payload(bytes, PathRequest::from_packet, PathRequest::encode_behind),
        samples: path_requests,
        possible_length: |length| (HEADER_1_LEN + 17..=HEADER_2_LEN + 48).contains(&length),
    },
    Format {
        name: "tunnel-synthesis",
        reencode: |bytes| payload(bytes, TunnelSynthesis::from_packet, TunnelSynthesis::encode_behind),
        samples: tunnel_syntheses,
        possible_length: |length| behind_a_header(length, &[176]),
    },
    Format {
        name: "ifac-frame",
        reencode: reseal,
        samples: ifac_frames,
        possible_length: |length| length >= HEADER_1_LEN + TagLen::NARROW.bytes(),
    },
    Format {
        name: "rnode-to-device",
        reencode: |bytes| {
            reencode_with(
                bytes,
                |bytes| ToDevice::decode(frame(bytes)?),
                |message| written(bytes, |out| message.encode(out)).map(|bytes| unframed(&bytes)),
            )
        },
        samples: || hexes(&TO_DEVICE),
        possible_length: |length| length >= 1,
    },
    Format {
        name: "rnode-from-device",
        reencode: |bytes| {
            reencode_with(
                bytes,
                |bytes| FromDevice::decode(frame(bytes)?),
                |message| written(bytes, |out| message.encode(out)).map(|bytes| unframed(&bytes)),
            )
        },
        samples: || hexes(&FROM_DEVICE),
        possible_length: |length| length >= 1,
    },
    transfers::REQUEST,
    transfers::RESPONSE,
    transfers::ADVERTISEMENT,
    transfers::PART_REQUEST,
    transfers::MAP_UPDATE,
    transfers::PROOF,
    transfers::CHANNEL_MESSAGE,
    transfers::STREAM_PIECE,
    messages::MESSAGE,
    messages::DELIVERY_ANNOUNCE,
    messages::UPLOAD,
];

/// Command and data of every message that a host sends.
const TO_DEVICE: [&str; 17] = [
    "0873",
    "5000",
    "4800",
    "4900",
    "0133bca100",
    "020001e848",
    "0311",
    "0408",
    "0505",
    "0600",
    "0601",
    "0b0064",
    "0c03e8",
    "00c0dbdcdd7e",
    "0aff",
    "55f8",
    "f101",
];

/// Command and data of every message that a modem sends.
const FROM_DEVICE: [&str; 19] = [
    "0846",
    "500134",
    "4880",
    "4981",
    "0133bca100",
    "0505",
    "0601",
    "0c03e8",
    "00c0dbdcdd7e",
    "2100000007",
    "22ffffffff",
    "2364",
    "24f8",
    "250102030405060708",
    "2703",
    "0f",
    "0f01",
    "9004",
    "00",
];

/// The identity by which all samples are signed.
#[must_use]
pub fn identity() -> ReticulumIdentity {
    let mut blob = [0; 64];
    (0..).zip(&mut blob).for_each(|(number, byte)| *byte = number);
    ReticulumIdentity::from_private_blob(&blob)
}

/// The vectors of this family.
///
/// # Panics
/// If the committed file is not JSON.
#[must_use]
pub fn vectors() -> serde_json::Value {
    let text = include_str!("../../../../spec/vectors/reticulum.json");
    serde_json::from_str(text).expect("the committed vectors are JSON")
}

/// The announces that the stock package made: whole packets.
///
/// # Panics
/// If the committed vectors do not hold them.
#[must_use]
pub fn stock_announces() -> Vec<Vec<u8>> {
    let vectors = vectors();
    let announces = vectors["announces"].as_array().expect("a list of announces");
    announces.iter().map(|announce| unhex(announce["packet"].as_str().expect("hexadecimal"))).collect()
}

/// Encodes over bytes that are not zero, so that a byte which is skipped shows.
fn written<E>(
    decoded: &[u8],
    encode: impl for<'b> FnOnce(&'b mut [u8]) -> Result<&'b mut [u8], E>,
) -> Result<Vec<u8>, E> {
    encode(&mut vec![0xa5; 2 * decoded.len() + 2]).map(|bytes| bytes.to_vec())
}

/// Writes a payload behind a packet's header, into a buffer.
type EncodeBehind<T> = for<'b> fn(&T, &Packet<'_>, &'b mut [u8]) -> Result<&'b mut [u8], EncodeError>;

/// A format that is a payload of packets: decodes both layers, and encodes the payload behind the header.
fn payload<'a, T>(
    bytes: &'a [u8],
    decode: fn(&Packet<'a>) -> Result<T, DecodeError>,
    encode: EncodeBehind<T>,
) -> Result<Vec<u8>, String> {
    let both = |bytes: &'a [u8]| {
        let packet = Packet::decode(bytes)?;
        decode(&packet).map(|value| (packet, value))
    };
    reencode_with(bytes, both, |(packet, value)| written(bytes, |out| encode(value, packet, out)))
}

fn behind_a_header(length: usize, payloads: &[usize]) -> bool {
    payloads.iter().any(|payload| [HEADER_1_LEN, HEADER_2_LEN].contains(&length.wrapping_sub(*payload)))
}

fn hexes(texts: &[&str]) -> Vec<Vec<u8>> {
    texts.iter().map(|text| unhex(text)).collect()
}

fn frame(bytes: &[u8]) -> Result<kiss::Frame<'_>, DecodeError> {
    let empty =
        DecodeError { format: "RNode message", field: "command", fault: nexus_wire::Fault::Truncated };
    let (command, data) = bytes.split_first().ok_or(empty)?;
    Ok(kiss::Frame { command: Command(*command), data })
}

fn unframed(stream: &[u8]) -> Vec<u8> {
    let mut deframer = kiss::Deframer::new(stream.len());
    let frame = deframer.next_frame(&mut &*stream).expect("a frame that was just made");
    [&[frame.command.0], frame.data].concat()
}

fn encoded<E: Debug>(encode: impl for<'b> FnOnce(&'b mut [u8]) -> Result<&'b mut [u8], E>) -> Vec<u8> {
    encode(&mut [0xa5; 600]).expect("a sample fits").to_vec()
}

/// The packet with a transport id in, as a relay would put it.
fn in_transport(packet: &[u8]) -> Vec<u8> {
    let mut buffer = [&[0xa5; HEADROOM][..], packet].concat();
    PacketMut::insert_transport(&mut buffer, IdentityHash([0x77; 16]))
        .expect("a packet without transport id");
    buffer
}

fn with_transported(mut packets: Vec<Vec<u8>>) -> Vec<Vec<u8>> {
    let transported = packets.last().map(|packet| in_transport(packet));
    packets.extend(transported);
    packets
}

fn packets() -> Vec<Vec<u8>> {
    let single = unhex("000060e57d3384d873ff70f62ebe5a62486006aa00010203");
    let keepalive = unhex("0c05aca31af0441d81dbec71e82da0b4b5f5faff");
    let unknown_context = unhex("007faca31af0441d81dbec71e82da0b4b5f5427e7d");
    with_transported(vec![single, keepalive, unknown_context])
}

fn announces() -> Vec<Vec<u8>> {
    let claim = Claim {
        public: *identity().public(),
        name: nexus_crypto::NameHash::NEXUS_NODE,
        random_hash: RandomHash::new([9, 8, 7, 6, 5], 1_700_000_000),
        ratchet: Some(RatchetPublic([0x52; 32])),
        app_data: &[],
    };
    let ours = encoded(|out| claim.sign(&identity()).encode(Occasion::PathResponse, out));
    let mut all = stock_announces();
    all.push(ours);
    with_transported(all)
}

fn proofs() -> Vec<Vec<u8>> {
    let sample = packets().concat();
    let proved = Packet::decode(&sample).expect("a packet, with more behind it").hash();
    let implicit = Proof::implicit(&proved, &identity());
    let forms = [implicit.proved, Proved::Explicit(proved), Proved::OnLink(LinkId([3; 16]), proved)];
    forms.map(|proved| encoded(|out| Proof { proved, ..implicit }.encode(out))).into()
}

fn signalling() -> Signalling {
    Signalling { mode: LinkMode::AES_256_CBC, mtu: LinkMtu::new(8_192) }
}

fn link_requests() -> Vec<Vec<u8>> {
    let requests = [Some(signalling()), None].map(|signalling| LinkRequest {
        destination: DestinationHash([0x0d; 16]),
        context: Context::NONE,
        exchange: EphemeralPublic([0x25; 32]),
        verifying: VerifyingKey([0xed; 32]),
        signalling,
    });
    with_transported(requests.map(|request| encoded(|out| request.encode(out))).into())
}

fn link_proofs() -> Vec<Vec<u8>> {
    let proof =
        |signalling| LinkProof::sign(LinkId([4; 16]), EphemeralPublic([0x26; 32]), signalling, &identity());
    [Some(signalling()), None].map(|signalling| encoded(|out| proof(signalling).encode(out))).into()
}

fn path_requests() -> Vec<Vec<u8>> {
    let wanted = DestinationHash([0x0d; 16]);
    let requests =
        [(None, 1), (None, 16), (Some(IdentityHash([6; 16])), 1), (Some(IdentityHash([6; 16])), 16)];
    let request = |(requester, tag_len)| {
        let tag = Tag::new(&vec![0x7a; tag_len]).expect("1 to 16 bytes");
        encoded(|out| PathRequest { wanted, requester, tag }.encode(out))
    };
    requests.map(request).into()
}

fn tunnel_syntheses() -> Vec<Vec<u8>> {
    vec![encoded(|out| TunnelSynthesis::sign([1; 32], [2; 16], &identity()).encode(out))]
}

fn ifac() -> Ifac {
    Ifac::new(Membership::Both { name: "mynet", passphrase: "mypass" }, TagLen::NARROW)
}

fn ifac_frames() -> Vec<Vec<u8>> {
    let ifac = ifac();
    let seal = |packet: Vec<u8>| {
        let mut frame = [vec![0xa5; ifac.tag_len().bytes()], packet].concat();
        ifac.seal(&mut frame).expect("a packet without access codes");
        frame
    };
    packets().into_iter().map(seal).collect()
}

fn reseal(bytes: &[u8]) -> Result<Vec<u8>, String> {
    let ifac = ifac();
    let mut frame = bytes.to_vec();
    let packet = ifac.open(&mut frame).map_err(|error| error.to_string())?.to_vec();
    let mut again = [vec![0xa5; ifac.tag_len().bytes()], packet].concat();
    ifac.seal(&mut again).expect("a packet that was unsealed can be sealed");
    Ok(again)
}
