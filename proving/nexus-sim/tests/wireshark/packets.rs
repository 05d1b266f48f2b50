//! Samples of formats, put where they stand in a recording, and harmed.

use nexus_machine::Stream;
use nexus_testkit::formats::reticulum::stock_announces;
use nexus_wire::nexus::Layout;
use nexus_wire::nexus::frame::{KeyName, SealedHeader, SessionId};
use nexus_wire::nexus::recording::{Direction, RecordedFrame, RecordedMessages};
use nexus_wire::pcapng::{self, LinkType, Packet};

/// A packet of a recording.
pub(crate) type Recorded = (LinkType, Vec<u8>);

/// Where values of a format stand in recordings.
pub(crate) enum Place {
    /// Put so.
    Recorded(fn(&[u8]) -> Recorded),
    /// Nowhere: it is inside of what stays sealed, or never on a medium.
    Never,
}

/// In Noise's payloads, in envelopes, between a host and its modem, behind access codes, on a disk; within Reticulum links, whose packets are
/// shown and nothing in them; in tokens, and in announces of stock destinations; within a claim; in accounts and books, about which
/// nodes say nothing to each other.
const NOWHERE: [&str; 38] = [
    "link-payload",
    "reply-payload",
    "end-to-end",
    "trace-answer",
    "rnode-to-device",
    "rnode-from-device",
    "ifac-frame",
    "key-file",
    "carried",
    "rns-request",
    "rns-response",
    "resource-advertisement",
    "resource-part-request",
    "resource-map-update",
    "resource-proof",
    "channel-message",
    "stream-piece",
    "lxmf-message",
    "lxmf-delivery-announce",
    "lxmf-upload",
    "vrf-proof",
    "channel-open",
    "channel-accept",
    "channel-proposal",
    "channel-cosign",
    "channel-refuse",
    "channel-settle",
    "channel-settled",
    "channel-latest",
    "channel-close",
    "channel-state",
    "settlement-record",
    "order",
    "witness",
    "certificate",
    "course",
    "evidence",
    "genesis",
];

/// Where values of the format `name` stand.
///
/// # Panics
/// If nobody has said so: a format that is registered is shown, or it is said why not.
pub(crate) fn place_of(name: &str) -> Place {
    match name {
        "first" | "reply" | "finish" | "sealed" | "cookie" | "beacon" | "frame" | "packet" | "announce"
        | "proof" | "link-request" | "link-proof" | "path-request" | "tunnel-synthesis" => {
            Place::Recorded(frame)
        }
        "messages" => Place::Recorded(plaintext),
        "packet-message" => Place::Recorded(|body| message(0x01, body)),
        "announce-message" => Place::Recorded(|body| message(0x02, body)),
        "fragment" => Place::Recorded(|body| message(0x03, body)),
        "ping" => Place::Recorded(|body| message(0x04, body)),
        "pong" => Place::Recorded(|body| message(0x05, body)),
        "cost-list" | "cost-record" => Place::Recorded(|body| message(0x06, body)),
        "rekey" => Place::Recorded(|body| message(0x07, body)),
        "rekey-ack" => Place::Recorded(|body| message(0x08, body)),
        "broadcast-key" => Place::Recorded(|body| message(0x09, body)),
        "broadcast-key-ack" => Place::Recorded(|body| message(0x0a, body)),
        "ack" => Place::Recorded(|body| message(0x0b, body)),
        "cost-request" => Place::Recorded(|body| message(0x0c, body)),
        "cost-acks" => Place::Recorded(|body| message(0x0d, body)),
        "signature" => Place::Recorded(|body| message(0x0f, body)),
        "summary" => Place::Recorded(|body| message(0x10, body)),
        "request" => Place::Recorded(|body| message(0x11, body)),
        "items" => Place::Recorded(|body| message(0x12, body)),
        "done" => Place::Recorded(|body| message(0x13, body)),
        "congestion" => Place::Recorded(|body| message(0x18, body)),
        // By name, their bodies as bytes.
        "terms" => Place::Recorded(|body| message(0x22, body)),
        "due" => Place::Recorded(|body| message(0x23, body)),
        "token" => Place::Recorded(|body| message(0x24, body)),
        "claim" => Place::Recorded(|body| message(0x25, body)),
        "cost-block" => Place::Recorded(|block| message(0x02, &[block, AN_ANNOUNCE].concat())),
        "compact-path-cost" => {
            Place::Recorded(|cost| message(0x02, &[&[0x4e, 0x01], cost, AN_ANNOUNCE].concat()))
        }
        "announce-extension" => Place::Recorded(announced),
        "recorded-frame" => Place::Recorded(|bytes| (LinkType::FRAMES, bytes.to_vec())),
        "recorded-messages" => Place::Recorded(|bytes| (LinkType::MESSAGES, bytes.to_vec())),
        nowhere if NOWHERE.contains(&nowhere) => Place::Never,
        unknown => panic!("where {unknown} stands in a recording is not said"),
    }
}

/// The header of an announce with a transport id, without that id, and nothing behind it.
const AN_ANNOUNCE: &[u8] = &[
    0x51, 1, 0xd0, 0xd1, 0xd2, 0xd3, 0xd4, 0xd5, 0xd6, 0xd7, 0xd8, 0xd9, 0xda, 0xdb, 0xdc, 0xdd, 0xde, 0xdf,
    0,
];

fn encoded<'a>(value: &impl Layout<'a>) -> Vec<u8> {
    let mut buffer = vec![0; value.encoded_len()];
    value.encode(&mut buffer).unwrap();
    buffer
}

fn frame(frame: &[u8]) -> Recorded {
    let endpoint = [0xfe, 0x80, 0x12, 0x34];
    let recorded = RecordedFrame { interface: 7, direction: Direction::Sent, endpoint: &endpoint, frame };
    (LinkType::FRAMES, encoded(&recorded))
}

fn plaintext(plaintext: &[u8]) -> Recorded {
    let key = KeyName::Session(SessionId::new(0x0203).unwrap());
    let (direction, header) = (Direction::Received, SealedHeader { key, counter: 0x0102_0304 });
    let recorded = RecordedMessages { interface: 1, direction, peer: None, header, plaintext };
    (LinkType::MESSAGES, encoded(&recorded))
}

/// A message with a length, and a PING behind it: where one ends, the next begins.
fn message(kind: u8, body: &[u8]) -> Recorded {
    let length = u16::try_from(body.len()).unwrap().to_le_bytes();
    let ping = [0x84, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12];
    plaintext(&[&[kind], &length[..], body, &ping].concat())
}

/// An announce with this application data, instead of its own.
fn announced(app_data: &[u8]) -> Recorded {
    let stock = stock_announces().remove(0);
    let ratchet = if stock[0] & 0x20 == 0 { 0 } else { 32 };
    frame(&[&stock[..19 + 148 + ratchet], app_data].concat())
}

/// A recording of these packets.
pub(crate) fn recording(packets: &[Recorded]) -> Vec<u8> {
    let mut file = pcapng::section("a test");
    file.extend(pcapng::interface(LinkType::FRAMES, "frames", ""));
    file.extend(pcapng::interface(LinkType::MESSAGES, "messages", ""));
    for (time_ns, (link_type, data)) in (0..).zip(packets) {
        let interface = u32::from(*link_type == LinkType::MESSAGES);
        file.extend(Packet { interface, time_ns, direction: Direction::Sent, data }.to_block());
    }
    file
}

/// These bytes with a few of them changed, left out or put in, or cut short.
pub(crate) fn mutated(random: &mut Stream, bytes: &[u8]) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    for _ in 0..=random.below(3) {
        let at = usize::try_from(random.below(bytes.len() as u64 + 1)).unwrap();
        let byte = u8::try_from(random.below(256)).unwrap();
        match random.below(5) {
            0 => bytes.truncate(at),
            1 => bytes.insert(at, byte),
            2 if at < bytes.len() => {
                bytes.remove(at);
            }
            3 if at < bytes.len() => bytes[at] ^= 1 << (byte % 8),
            _ if at < bytes.len() => bytes[at] = byte,
            _ => {}
        }
    }
    bytes
}
