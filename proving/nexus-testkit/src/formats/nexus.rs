//! NEXUS's own formats (spec/wire.md), with samples of every shape.
//!
//! The samples are fixed: `spec/vectors/wire.json` is made from them.

use nexus_crypto::identity::EdwardsSign;
use nexus_crypto::passphrase::Argon2Cost;
use nexus_crypto::{DestinationHash, NodeId};
use nexus_wire::Writer;
use nexus_wire::nexus::announce::{Capabilities, CommunityLabel, Extension, OwnExtension};
use nexus_wire::nexus::carried::Carried;
use nexus_wire::nexus::code::{BandwidthCode, PriceCode};
use nexus_wire::nexus::control::{
    Ack, BroadcastKey, BroadcastKeyAck, Congestion, Ping, Pong, Rekey, RekeyAck, Scope, Severity, Signature,
};
use nexus_wire::nexus::cost::{
    CostAcks, CostBlock, CostFlags, CostHeard, CostList, CostPrint, CostRecord, CostRequest, Segments,
    Standing,
};
use nexus_wire::nexus::end_to_end::{Envelope, Service, SignedSender};
use nexus_wire::nexus::frame::{
    Beacon, BeaconTag, BroadcastKeyId, Cookie, Finish, First, Frame, Head, KeyName, OtherFrame, Reply,
    Sealed, SealedHeader, SessionId,
};
use nexus_wire::nexus::gossip::{
    Done, Form, Items, ItemsBuilder, Request, Slice, StateHash, StoreId, Summary,
};
use nexus_wire::nexus::handshake::{LinkPayload, PayloadFlags, ReplyPayload};
use nexus_wire::nexus::key_file::{KeyFile, Lock, LockedSeed};
use nexus_wire::nexus::lottery::{Claim, Due, Offer, Released, Terms, Token, TokenRelease};
use nexus_wire::nexus::message::{MessageWriter, Messages};
use nexus_wire::nexus::path_cost::{CompactPathCost, CostCode, Generation, HopCount, LatencyMs};
use nexus_wire::nexus::recording::{Direction, RecordedFrame, RecordedMessages};
use nexus_wire::nexus::trace::TraceAnswer;
use nexus_wire::nexus::traffic::{Announce, Class, Fragment, FragmentPlace, Packet};
use nexus_wire::nexus::{Layout, announce};

use crate::format::{Format, reencode_with};

/// A format given by its type, its samples and the lengths that it can have.
macro_rules! format {
    ($kind:ident, $samples:expr, $possible_length:expr) => {
        Format {
            name: <$kind as Layout<'static>>::NAME,
            reencode: |bytes| reencode_with(bytes, $kind::decode, |value| encode(value)),
            samples: $samples,
            possible_length: $possible_length,
        }
    };
}

/// All of them, in the order of the spec.
pub static ALL: &[Format] = &[
    format!(KeyFile, key_files, |len| len == 36 || len == 86),
    format!(Extension, extensions, |len| len >= 2),
    format!(CompactPathCost, path_costs, |len| len == 6),
    format!(
        CostBlock,
        || path_cost_values().iter().map(|cost| bytes(&CostBlock(*cost))).collect(),
        |len| len == 8
    ),
    format!(CostRecord, cost_records, |len| len == 33),
    format!(First, first_frames, |len| len == 39 || len == 55),
    format!(Reply, || vec![bytes(&reply())], |len| len == 107),
    format!(Finish, || vec![bytes(&finish())], |len| len == 73),
    format!(Sealed, sealed_frames, |len| len >= 23),
    format!(Cookie, || vec![bytes(&cookie())], |len| len == 19),
    format!(Beacon, || vec![bytes(&beacon())], |len| len == 6),
    format!(Frame, frames, |len| len >= 1),
    format!(LinkPayload, || vec![bytes(&link_payload())], |len| len == 6),
    format!(ReplyPayload, || vec![bytes(&reply_payload())], |len| len == 8),
    Format { name: "messages", reencode: reencode_messages, samples: plaintexts, possible_length: |_| true },
    format!(Packet, packets, |len| len >= 2),
    format!(Announce, || vec![bytes(&announce_message())], |len| len >= 8),
    format!(Fragment, fragments, |len| len >= 2),
    format!(Ping, || vec![bytes(&PING)], |len| len == 12),
    format!(Pong, || vec![bytes(&Pong { token: 0xaabb_ccdd, clock_ms: 0 })], |len| len == 12),
    format!(CostList, cost_lists, |len| len > 0 && len % 33 == 0),
    format!(Rekey, || vec![bytes(&Rekey { session: session(0x0203), noise: &E })], |len| len == 34),
    format!(RekeyAck, || vec![bytes(&RekeyAck { session: session(0x0405), noise: &[0x48; 48] })], |len| len
        == 50),
    format!(BroadcastKey, || vec![bytes(&broadcast_key())], |len| len == 42),
    format!(BroadcastKeyAck, || vec![bytes(&BroadcastKeyAck { key_id: BroadcastKeyId(0x1234) })], |len| len
        == 2),
    format!(Ack, || vec![bytes(&Ack { highest: 1_000, bitmap: 0x8000_0001 })], |len| len == 8),
    format!(CostRequest, || vec![bytes(&CostRequest { destination: DESTINATION })], |len| len == 16),
    format!(CostAcks, cost_acks, |len| len > 0 && len % 20 == 0),
    format!(Signature, || vec![bytes(&Signature(&SIGNATURE))], |len| len == 64),
    format!(Summary, summaries, |len| len >= 31),
    format!(Request, requests, |len| len >= 34 && len % 32 == 2),
    format!(Items, || vec![items()], |len| len >= 3),
    format!(Done, || vec![bytes(&Done { store: StoreId::KEYS, state_hash: STATE })], |len| len == 17),
    format!(Congestion, congestions, |len| len == 3),
    format!(Terms, || vec![bytes(&terms())], |len| len == 136),
    format!(Due, dues, |len| len == 4 || len == 22),
    format!(TokenRelease, || vec![bytes(&TokenRelease { slot: 3, terms: 7, released: RELEASED })], |len| len
        == 20),
    format!(Claim, claims, |len| len == 85 || len == 165),
    format!(Envelope, envelopes, |len| len >= 7),
    format!(Carried, carried, |len| len >= 4),
    format!(TraceAnswer, trace_answers, |len| len == 17 || len == 23),
    format!(RecordedFrame, recorded_frames, |len| len >= 4),
    format!(RecordedMessages, recorded_messages, |len| len >= 26),
];

/// The encoding, which is as long as the value says.
fn encode<'a>(value: &impl Layout<'a>) -> Result<Vec<u8>, nexus_wire::EncodeError> {
    let mut buffer = vec![0xa5; value.encoded_len()];
    let written = value.encode(&mut buffer)?.len();
    assert_eq!(written, buffer.len(), "a value is as long as it says");
    Ok(buffer)
}

fn bytes<'a>(value: &impl Layout<'a>) -> Vec<u8> {
    encode(value).expect("a sample can be encoded")
}

fn reencode_messages(plaintext: &[u8]) -> Result<Vec<u8>, String> {
    let mut again = Vec::new();
    for message in Messages::new(plaintext) {
        again.extend(bytes(&message.map_err(|error| error.to_string())?));
    }
    Ok(again)
}

const DESTINATION: DestinationHash = DestinationHash([0xd0; 16]);
const NODE: NodeId = NodeId([0x1d; 16]);
const RANDOM_HASH: [u8; 10] = [0xa1, 0xa2, 0xa3, 0xa4, 0xa5, 0x00, 0x65, 0x53, 0xf1, 0x00];
const SEED: [u8; 32] = [0x5e; 32];
const E: [u8; 32] = [0xe0; 32];
const SIGNATURE: [u8; 64] = [0x51; 64];
const STATE: StateHash = StateHash([0x57; 16]);
const PING: Ping = Ping { token: 0x0102_0304, clock_ms: 1_700_000_000_123 };
/// The stock packet `flags, hops, destination, context, data`, shortened: on a link nobody looks inside.
const PACKET: &[u8] = &[0x00, 0x03, 0xd0, 0xd1, 0xd2, 0xd3, 0x4e, 0xff];

const RELEASED: Released = Released { window: 258, token: Token([0x70; 16]) };

fn terms() -> Terms<'static> {
    let offer = Offer {
        channel_id: [0xc1; 16],
        number: 0x0403_0207,
        anchor: Token([0xa0; 16]),
        window: 64 * 200 * 5,
        reward: 250,
        length: 4_096,
    };
    Terms { offer, signature: &SIGNATURE, before: 31, before_token: Token([0xb0; 16]) }
}

fn dues() -> Vec<Vec<u8>> {
    [Some(RELEASED), None].map(|held| bytes(&Due { slot: 3, terms: 7, window: 259, held })).into()
}

fn claims() -> Vec<Vec<u8>> {
    let every = Claim {
        slot: 3,
        from: 4,
        to: 9,
        base_sequence: 40,
        sequence: 43,
        signature: &SIGNATURE,
        proof: None,
    };
    [Claim { from: 9, proof: Some(&[0x7f; 80]), ..every }, every].map(|claim| bytes(&claim)).into()
}

fn session(number: u16) -> SessionId {
    SessionId::new(number).expect("a sample's session is not zero")
}

fn price(code: u16) -> PriceCode {
    PriceCode::new(code).expect("a sample's price exists")
}

fn key_files() -> Vec<Vec<u8>> {
    let lock = Lock { cost: Argon2Cost::RECOMMENDED, salt: [0x5a; 16], nonce: [0x40; 12] };
    let locked = LockedSeed { lock, ciphertext: &[0xc1; 32], tag: &[0x7a; 16] };
    vec![bytes(&KeyFile::Plain { seed: &SEED }), bytes(&KeyFile::Locked(locked))]
}

fn extensions() -> Vec<Vec<u8>> {
    let own = OwnExtension {
        capabilities: Some(Capabilities(0x0005)),
        vrf_key: Some(&[0x7f; 32]),
        largest_packet: Some(480),
        community: CommunityLabel::new("Sörmland"),
    };
    let mut full = [0; OwnExtension::MAX_LEN];
    let mut out = Writer::new(&mut full);
    own.write(&mut out).expect("the longest extension fits");
    let known = out.finish().to_vec();
    let mut with_unknown = known.clone();
    with_unknown.extend([0x7e, 0x03, 0x01, 0x02, 0x03, 0xff, 0x00]);
    let unknown_between = vec![0x4e, 0x01, 0x00, 0x01, 0xaa, 0x01, 0x02, 0x05, 0x00];
    assert_eq!(announce::FieldKind::CAPABILITIES.0, unknown_between[5]);
    vec![vec![0x4e, 0x01], known, with_unknown, unknown_between]
}

fn path_cost_values() -> [CompactPathCost; 2] {
    let known = CompactPathCost {
        cumulative_cost: CostCode::Known(price(107)),
        worst_latency: LatencyMs(350),
        bottleneck: BandwidthCode::nearest(5_470),
        hops: HopCount(4),
    };
    [known, CompactPathCost { cumulative_cost: CostCode::Unknown, ..CompactPathCost::ORIGIN }]
}

fn path_costs() -> Vec<Vec<u8>> {
    path_cost_values().iter().chain([&CompactPathCost::ORIGIN]).map(bytes).collect()
}

fn cost_record_values() -> [CostRecord; 2] {
    let [known, unknown] = path_cost_values();
    let flags = |standing, segments, generation| CostFlags {
        standing,
        segments,
        generation: Generation::new(generation).expect("a sample's generation exists"),
    };
    let record = |cost, flags| CostRecord { destination: DESTINATION, random_hash: RANDOM_HASH, cost, flags };
    [
        record(known, flags(Standing::Offered, Segments::Nexus, 3)),
        record(unknown, flags(Standing::Withdrawn, Segments::ViaStock, 63)),
    ]
}

fn cost_records() -> Vec<Vec<u8>> {
    cost_record_values().iter().map(bytes).collect()
}

fn cost_lists() -> Vec<Vec<u8>> {
    vec![cost_records().concat(), cost_records().swap_remove(1)]
}

fn cost_acks() -> Vec<Vec<u8>> {
    let [one, other] = cost_record_values()
        .map(|record| bytes(&CostHeard { destination: DESTINATION, print: CostPrint::of(&record) }));
    vec![[&one[..], &other].concat(), other]
}

fn first_frames() -> Vec<Vec<u8>> {
    let first =
        First { session: session(0x0102), target: BeaconTag(0xb0b1_b2b3), ephemeral: &E, cookie: None };
    vec![bytes(&first), bytes(&First { target: BeaconTag::ANYBODY, cookie: Some(&[0xcc; 16]), ..first })]
}

fn reply() -> Reply<'static> {
    Reply { session: session(0x0102), noise: &[0x2e; 104] }
}

fn finish() -> Finish<'static> {
    Finish { session: session(0x0304), noise: &[0x3e; 70] }
}

fn cookie() -> Cookie<'static> {
    Cookie { session: session(0x0102), cookie: &[0xcc; 16] }
}

fn beacon() -> Beacon {
    Beacon { tag: BeaconTag(0xb0b1_b2b3), flags: Beacon::ACCEPTS_LINKS }
}

fn sealed_frames() -> Vec<Vec<u8>> {
    let sealed = |key, counter, ciphertext| Sealed {
        header: SealedHeader { key, counter },
        ciphertext,
        tag: &[0x7a; 16],
    };
    vec![
        bytes(&sealed(KeyName::Session(session(0x0102)), 0x0a0b_0c0d, b"ciphertext")),
        bytes(&sealed(KeyName::Session(session(0xffff)), u32::MAX - 1, b"")),
        bytes(&sealed(KeyName::Broadcast(BroadcastKeyId(0)), 0, b"broadcast")),
    ]
}

fn frames() -> Vec<Vec<u8>> {
    let head = Head::from_wire(0xa9).expect("bit 7 is set");
    let mut frames = vec![bytes(&reply()), bytes(&finish()), bytes(&cookie()), bytes(&beacon())];
    frames.extend(first_frames());
    frames.extend(sealed_frames());
    frames.push(bytes(&Frame::Other(OtherFrame { head, rest: b"of a later version" })));
    frames
}

fn link_payload() -> LinkPayload {
    LinkPayload {
        flags: PayloadFlags::new(EdwardsSign::Odd, 1),
        capabilities: Capabilities(0x0005),
        bandwidth: BandwidthCode::nearest(1_000_000_000),
        max_frame: 1_472,
    }
}

fn reply_payload() -> ReplyPayload {
    ReplyPayload { link: link_payload(), session: session(0x0304) }
}

/// A plaintext of small control and a packet that runs to its end; an unknown kind between; a signed broadcast; nothing.
fn plaintexts() -> Vec<Vec<u8>> {
    let mut buffer = [0; 512];
    let mut with_packet = MessageWriter::new(&mut buffer);
    with_packet.put(&Ack { highest: 9, bitmap: 0b101 }).expect("room");
    with_packet.put(&cost_record_values()[0]).expect("room");
    let with_packet = with_packet.put_last(&packet_values()[0]).expect("room").to_vec();

    let mut signed = MessageWriter::new(&mut buffer);
    signed.put(&cost_record_values()[1]).expect("room");
    signed.put(&congestion(Severity::SEVERE)).expect("room");
    signed.put(&Signature(&SIGNATURE)).expect("room");
    let signed = signed.finish().to_vec();

    let unknown = vec![0x7f, 0x02, 0x00, 0xaa, 0xbb, 0x84, 4, 3, 2, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0x01];
    vec![with_packet, signed, unknown, Vec::new()]
}

fn packet_values() -> [Packet<'static>; 2] {
    [
        Packet { class: Class::RealTime, price: PriceCode::FREE, packet: PACKET },
        Packet { class: Class::Bulk, price: PriceCode::MAX, packet: PACKET },
    ]
}

fn packets() -> Vec<Vec<u8>> {
    packet_values().iter().map(bytes).collect()
}

fn announce_message() -> Announce<'static> {
    Announce { cost: path_cost_values()[0], packet: PACKET }
}

fn fragments() -> Vec<Vec<u8>> {
    [(0, 2), (14, 15)]
        .into_iter()
        .map(|(index, count)| {
            let place = FragmentPlace::new(index, count).expect("a sample's place exists");
            bytes(&Fragment::new(place, PACKET).expect("a piece is not empty"))
        })
        .collect()
}

fn broadcast_key() -> BroadcastKey<'static> {
    BroadcastKey {
        key_id: BroadcastKeyId(0x1234),
        key: &[0x6b; 32],
        next_counter: 77,
        beacon_tag: BeaconTag(0xb0b1_b2b3),
    }
}

fn summaries() -> Vec<Vec<u8>> {
    let summary = Summary {
        store: StoreId::SETTLEMENTS,
        round: 12,
        state_hash: STATE,
        count: 100,
        salt: 0x5a17_5a17,
        form: Form::Bloom,
        slice: Slice::new(3, 8).expect("a sample's slice exists"),
        filter: &[0x0f; 16],
    };
    let newcomer = Summary { slice: Slice::WHOLE, filter: &[], ..summary };
    let symbols = [[5, 0].as_slice(), &[0x5e; 16]].concat();
    let sketch = Summary { form: Form::Sketch, filter: &symbols, ..summary };
    vec![bytes(&summary), bytes(&newcomer), bytes(&sketch)]
}

fn requests() -> Vec<Vec<u8>> {
    let ids = [[0x01; 32], [0x02; 32]];
    vec![bytes(&Request::new(StoreId::EVIDENCE, &ids).expect("two ids are between 1 and 255"))]
}

fn items() -> Vec<u8> {
    let mut buffer = [0; 64];
    let mut items = ItemsBuilder::new(StoreId::CERTIFICATES, &mut buffer);
    items.push(b"first item").expect("room");
    items.push(b"second").expect("room");
    bytes(&items.finish().expect("two items are not none"))
}

fn congestion(severity: Severity) -> Congestion {
    Congestion::new(severity, Scope::ALL_OUTBOUND, 750)
}

fn congestions() -> Vec<Vec<u8>> {
    [Severity::NONE, Severity::SATURATED].map(congestion).iter().map(bytes).collect()
}

fn envelopes() -> Vec<Vec<u8>> {
    let bare =
        Envelope { service: Service::PING, reply_to: None, sender: None, request_id: 0x0102_0304, body: b"" };
    let sender = Some(SignedSender { sender: NODE, signature: &SIGNATURE });
    vec![
        bytes(&bare),
        bytes(&Envelope { service: Service::MESSAGE, reply_to: Some(NODE), sender, body: b"hello", ..bare }),
        bytes(&Envelope { service: Service(0x1000), sender, ..bare }),
    ]
}

fn carried() -> Vec<Vec<u8>> {
    let carried = |counter, messages| bytes(&Carried { counter, messages });
    vec![carried(0x0102_0304, &bytes(&CostRequest { destination: DESTINATION })), carried(u32::MAX - 1, b"")]
}

fn trace_answers() -> Vec<Vec<u8>> {
    let pathless =
        TraceAnswer { nonce: [0x71; 8], clock_ms: 1_700_000_000_123, hops: HopCount(3), back: None };
    let back = path_cost_values().first().copied();
    vec![bytes(&pathless), bytes(&TraceAnswer { clock_ms: 0, back, ..pathless })]
}

fn recorded_frames() -> Vec<Vec<u8>> {
    let frame = bytes(&beacon());
    let on_cable = RecordedFrame { interface: 0, direction: Direction::Sent, endpoint: &[], frame: &frame };
    let endpoint = [0xfe; RecordedFrame::MAX_ENDPOINT];
    vec![
        bytes(&on_cable),
        bytes(&RecordedFrame {
            interface: 3,
            direction: Direction::Received,
            endpoint: &endpoint,
            frame: PACKET,
        }),
    ]
}

fn recorded_messages() -> Vec<Vec<u8>> {
    let key = KeyName::Session(session(0x0203));
    let [plaintext, broadcast, ..] = &plaintexts()[..] else { unreachable!("there are four samples") };
    let header = SealedHeader { key, counter: 9 };
    let received = RecordedMessages {
        interface: 2,
        direction: Direction::Received,
        peer: Some(NODE),
        header,
        plaintext,
    };
    let key = KeyName::Broadcast(BroadcastKeyId(0x1234));
    let said = RecordedMessages {
        direction: Direction::Sent,
        peer: None,
        header: SealedHeader { key, counter: 77 },
        plaintext: broadcast,
        ..received
    };
    vec![bytes(&received), bytes(&said)]
}
