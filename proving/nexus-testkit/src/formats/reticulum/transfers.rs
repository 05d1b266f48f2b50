//! What the ends of a Reticulum link say of resources, and in channels. Spec: `spec/endpoint.md`.

use nexus_machine::Duration;
use nexus_wire::reticulum::channel::{ChannelMessage, End, Packing, StreamPiece};
use nexus_wire::reticulum::msgpack::Float;
use nexus_wire::reticulum::request::{Request, Response};
use nexus_wire::reticulum::resource::{
    Advertisement, MapUpdate, PartHash, PartRequest, PathHash, RequestId, ResourceFlags, ResourceHash,
    ResourceProof,
};

use crate::format::Format;

/// Decodes, and encodes again. A value may be written in many forms, of which all are read and one is written: another form is refused
/// here, once it is seen that what is written in its place is the same value.
macro_rules! usual {
    ($value:ident) => {
        |bytes| {
            let value = $value::decode(bytes).map_err(|error| format!("{error:?}"))?;
            let written = value.encode();
            if written != bytes {
                assert_eq!($value::decode(&written), Ok(value), "another form means something else");
                return Err("in another form than the one that is written".to_owned());
            }
            Ok(written)
        }
    };
}

/// Asks for what is at a path.
pub(super) const REQUEST: Format = Format {
    name: "rns-request",
    reencode: usual!(Request),
    samples: requests,
    possible_length: |length| length >= 29,
};

/// Answers a request.
pub(super) const RESPONSE: Format = Format {
    name: "rns-response",
    reencode: usual!(Response),
    samples: responses,
    possible_length: |length| length >= 20,
};

/// Offers a segment of a resource.
pub(super) const ADVERTISEMENT: Format = Format {
    name: "resource-advertisement",
    reencode: usual!(Advertisement),
    samples: advertisements,
    possible_length: |length| length >= 106,
};

/// Asks for parts of a segment.
pub(super) const PART_REQUEST: Format = Format {
    name: "resource-part-request",
    reencode: usual!(PartRequest),
    samples: part_requests,
    possible_length: |length| length >= 33 && length % 4 == 1,
};

/// More part hashes.
pub(super) const MAP_UPDATE: Format = Format {
    name: "resource-map-update",
    reencode: usual!(MapUpdate),
    samples: map_updates,
    possible_length: |length| length >= 36,
};

/// A segment arrived.
pub(super) const PROOF: Format = Format {
    name: "resource-proof",
    reencode: usual!(ResourceProof),
    samples: || vec![ResourceProof::of(hash(), b"data").encode()],
    possible_length: |length| length == 64,
};

/// A message of a channel.
pub(super) const CHANNEL_MESSAGE: Format = Format {
    name: "channel-message",
    reencode: usual!(ChannelMessage),
    samples: channel_messages,
    possible_length: |length| length >= ChannelMessage::HEADER_LEN,
};

/// A piece of a stream.
pub(super) const STREAM_PIECE: Format = Format {
    name: "stream-piece",
    reencode: usual!(StreamPiece),
    samples: stream_pieces,
    possible_length: |length| length >= StreamPiece::HEADER_LEN,
};

fn hash() -> ResourceHash {
    ResourceHash::of(b"data", [1, 2, 3, 4])
}

fn map(len: u8) -> Vec<u8> {
    (0..len).flat_map(|part| PartHash::of(&[part], [1, 2, 3, 4]).0).collect()
}

/// Values of `MessagePack`: nil, bytes, a map of text and a list.
const VALUES: [&[u8]; 3] = [&[0xc0], b"\xc4\x05asked", b"\x81\xa4name\x92\x01\xcb\x3f\xf0\0\0\0\0\0\0"];

fn requests() -> Vec<Vec<u8>> {
    let at = Float::of(Duration::from_micros(1_795_770_626_123_456));
    VALUES.map(|data| Request { at, path: PathHash::of("/page/index.mu"), data }.encode()).into()
}

fn responses() -> Vec<Vec<u8>> {
    VALUES.map(|data| Response { request: RequestId([9; 16]), data }.encode()).into()
}

fn advertisements() -> Vec<Vec<u8>> {
    let (one, full) = (map(1), map(74));
    let whole = Advertisement {
        transfer_len: 96,
        data_len: 40,
        parts: 1,
        hash: hash(),
        random: [1, 2, 3, 4],
        original: hash(),
        segment: 1,
        segments: 1,
        request: None,
        flags: ResourceFlags::ENCRYPTED,
        map: &one,
    };
    let split = Advertisement {
        transfer_len: 1_048_640,
        data_len: 5_000_000_000,
        parts: 2_260,
        original: ResourceHash([7; 32]),
        segment: 3,
        segments: 4_769,
        request: Some(RequestId([9; 16])),
        flags: ResourceFlags::ENCRYPTED
            .with(ResourceFlags::COMPRESSED)
            .with(ResourceFlags::SPLIT)
            .with(ResourceFlags::RESPONSE)
            .with(ResourceFlags::METADATA),
        map: &full,
        ..whole
    };
    vec![whole.encode(), split.encode()]
}

fn part_requests() -> Vec<Vec<u8>> {
    let wanted = map(4);
    let last = PartHash::of(&[73], [1, 2, 3, 4]);
    [(None, &wanted[..]), (Some(last), &[]), (Some(last), &wanted)]
        .map(|(last, wanted)| PartRequest { last, hash: hash(), wanted }.encode())
        .into()
}

fn map_updates() -> Vec<Vec<u8>> {
    let (some, full) = (map(3), map(74));
    [(1, &full[..]), (300, &some)]
        .map(|(stretch, map)| MapUpdate { hash: hash(), stretch, map }.encode())
        .into()
}

fn channel_messages() -> Vec<Vec<u8>> {
    [(0x0101, 0, &b"hello"[..]), (ChannelMessage::STREAM, 0xffff, &[])]
        .map(|(kind, sequence, data)| ChannelMessage { kind, sequence, data }.encode())
        .into()
}

fn stream_pieces() -> Vec<Vec<u8>> {
    [
        (0, End::GoesOn, Packing::Plain, &b"hello"[..]),
        (StreamPiece::STREAMS - 1, End::Last, Packing::Compressed, b"BZh9"),
        (7, End::Last, Packing::Plain, &[]),
    ]
    .map(|(stream, end, packing, data)| StreamPiece { stream, end, packing, data }.encode())
    .into()
}
