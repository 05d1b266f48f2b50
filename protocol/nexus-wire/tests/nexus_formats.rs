//! What the formats mean, beyond being read and written alike.

use nexus_crypto::identity::EdwardsSign;
use nexus_crypto::passphrase::Argon2Cost;
use nexus_crypto::{DestinationHash, NodeId};
use nexus_wire::nexus::Layout;
use nexus_wire::nexus::announce::{Capabilities, CommunityLabel, Extension, FieldKind, OwnExtension};
use nexus_wire::nexus::code::PriceCode;
use nexus_wire::nexus::control::{
    Ack, BroadcastKey, Congestion, Ping, Scope, Severity, Signature, signed_preamble,
};
use nexus_wire::nexus::cost::{CostFlags, CostRequest};
use nexus_wire::nexus::frame::{
    Beacon, First, Frame, FrameKind, HEADER_LEN, Head, KeyName, LinkVersion, SealedHeader, SealedMut,
    SessionId,
};
use nexus_wire::nexus::handshake::{PayloadFlags, prologue, rekey_prologue};
use nexus_wire::nexus::key_file::{KeyFile, Lock};
use nexus_wire::nexus::message::{Delimited, MessageKind, MessageWriter, Messages, SignedPlaintext};
use nexus_wire::nexus::path_cost::CostCode;
use nexus_wire::nexus::traffic::{Class, FragmentPlace, Packet};
use nexus_wire::{EncodeError, Fault, Writer};

fn fault_of<'a, T: Layout<'a>>(bytes: &'a [u8]) -> Option<(&'static str, Fault)> {
    T::decode(bytes).err().map(|error| (error.field, error.fault))
}

#[test]
fn an_extension_keeps_unknown_fields_and_finds_known_ones_among_them() {
    let bytes = [0x4e, 0x01, 0x00, 0x01, 0xaa, 0x01, 0x02, 0x05, 0x00, 0x7f, 0x00];
    let extension = Extension::decode(&bytes).unwrap();
    assert_eq!(extension.capabilities(), Some(Capabilities(5)));
    assert_eq!((extension.vrf_key(), extension.largest_packet(), extension.community()), (None, None, None));
    let kinds: Vec<_> = extension.fields().map(|field| field.kind.0).collect();
    assert_eq!(kinds, [0x00, 0x01, 0x7f]);
}

#[test]
fn an_extension_with_a_repeated_disordered_or_malformed_field_is_refused() {
    let repeated = [0x4e, 0x01, 0x01, 0x02, 0, 0, 0x01, 0x02, 0, 0];
    assert_eq!(fault_of::<Extension>(&repeated), Some(("type", Fault::Value)));
    let disordered = [0x4e, 0x01, 0x03, 0x02, 0, 0, 0x01, 0x02, 0, 0];
    assert_eq!(fault_of::<Extension>(&disordered), Some(("type", Fault::Value)));
    for malformed in [&[0x01, 0x01, 0][..], &[0x02, 0x02, 0, 0], &[0x04, 0x00], &[0x04, 0x01, 0xff]] {
        let bytes = [&[0x4e, 0x01], malformed].concat();
        assert_eq!(fault_of::<Extension>(&bytes), Some(("value", Fault::Value)));
    }
    assert_eq!(fault_of::<Extension>(&[0x4e, 0x02]), Some(("version", Fault::Version)));
    assert_eq!(fault_of::<Extension>(b"Anne's phone"), Some(("magic", Fault::Value)));
}

#[test]
fn a_node_reads_back_what_it_says_of_itself() {
    let own = OwnExtension {
        capabilities: Some(Capabilities(0x8001)),
        vrf_key: Some(&[9; 32]),
        largest_packet: Some(480),
        community: CommunityLabel::new("0123456789abcdef0123456789abcdef"),
    };
    let mut buffer = [0; OwnExtension::MAX_LEN];
    let mut out = Writer::new(&mut buffer);
    own.write(&mut out).unwrap();
    assert_eq!(out.written(), OwnExtension::MAX_LEN);
    let read = Extension::decode(&buffer).unwrap();
    assert_eq!((read.capabilities(), read.vrf_key()), (own.capabilities, own.vrf_key));
    assert_eq!((read.largest_packet(), read.community()), (own.largest_packet, own.community));
    assert!(CommunityLabel::new("0123456789abcdef0123456789abcdef!").is_none());
    assert!(read.capabilities().unwrap().include(Capabilities(0x8000)));
    assert_eq!(read.fields().last().map(|field| field.kind), Some(FieldKind::COMMUNITY));
}

#[test]
fn every_byte_of_cost_flags_means_something_and_comes_back() {
    assert!((0..=255).all(|byte| CostFlags::from_wire(byte).to_wire() == byte));
}

#[test]
fn a_head_tells_version_and_kind_of_every_byte_with_bit_7() {
    assert!((0..128).all(|byte| Head::from_wire(byte).is_none()));
    for byte in 128..=255 {
        let head = Head::from_wire(byte).unwrap();
        assert_eq!(Head::new(head.version(), head.kind()), head);
    }
    assert_eq!(Head::new(LinkVersion::ONE, FrameKind::SEALED).to_wire(), 0x94);
}

#[test]
fn a_frame_of_another_version_or_kind_is_left_alone_and_a_stock_packet_is_refused() {
    for bytes in [&[0xa1, 1, 2, 3][..], &[0x90], &[0x9f, 0]] {
        assert!(matches!(Frame::decode(bytes), Ok(Frame::Other(_))), "{bytes:02x?}");
    }
    assert_eq!(fault_of::<Frame>(&[0x01, 2, 3]), Some(("head", Fault::Value)));
    assert_eq!(fault_of::<Beacon>(&[0xa7, 0, 0, 0, 0, 1]), Some(("head", Fault::Version)));
    let zero_session = [&[0x91, 0, 0][..], &[7; 36]].concat();
    assert_eq!(fault_of::<First>(&zero_session), Some(("session", Fault::Value)));
}

#[test]
fn a_frame_is_sealed_and_opened_where_it_lies() {
    let key = KeyName::Session(SessionId::new(0x0201).unwrap());
    let header = SealedHeader { key, counter: 0x0605_0403 };
    assert_eq!(header.to_bytes(), [0x94, 1, 2, 3, 4, 5, 6]);
    assert_eq!(header.nonce(), [0, 0, 0, 0, 3, 4, 5, 6, 0, 0, 0, 0]);
    let mut frame = [0; HEADER_LEN + 5 + 16];
    let parts = SealedMut::lay_out(&mut frame, header).unwrap();
    parts.text.copy_from_slice(b"hello");
    parts.tag.fill(0x7a);
    let opened = SealedMut::open(&mut frame).unwrap();
    assert_eq!((opened.header, &*opened.text, opened.tag[0]), (header, &b"hello"[..], 0x7a));
    assert!(SealedMut::lay_out(&mut [0; 22], header).is_err() && SealedMut::open(&mut [0x94; 22]).is_err());
}

#[test]
fn the_prologue_is_bound_to_session_and_target_but_not_to_the_cookie() {
    let first = [&[0x91, 1, 0, 0xb3, 0xb2, 0xb1, 0xb0][..], &[0xe0; 32]].concat();
    let with_cookie = [&first[..], &[0xcc; 16]].concat();
    assert_eq!(prologue(&first), prologue(&with_cookie));
    assert_eq!(prologue(&first).unwrap(), *b"NEXUS link 1\x91\x01\x00\xb3\xb2\xb1\xb0");
    assert!(prologue(&first[..6]).is_err());
    assert!(rekey_prologue(&[1; 32]).starts_with(b"NEXUS rekey 1\x01"));
    let flags = PayloadFlags::new(EdwardsSign::Odd, 1);
    assert_eq!((flags.0, flags.sign(), flags.highest_version()), (0x11, EdwardsSign::Odd, 1));
}

#[test]
fn a_plaintext_is_read_message_by_message_and_unknown_kinds_are_yielded() {
    let mut buffer = [0; 64];
    let mut writer = MessageWriter::new(&mut buffer);
    writer.put(&Ping { token: 1, clock_ms: 2 }).unwrap();
    writer.put(&CostRequest { destination: DestinationHash([3; 16]) }).unwrap();
    assert_eq!(writer.plaintext().len(), 1 + 12 + 3 + 16);
    assert_eq!(MessageWriter::len_of(&Ping { token: 1, clock_ms: 2 }), 13);
    let mut plaintext = writer.finish().to_vec();
    plaintext.extend([0x7d, 1, 0, 0xaa, 0xfe, 1, 2, 3]);
    let messages: Vec<_> = Messages::new(&plaintext).map(Result::unwrap).collect();
    let seen: Vec<_> = messages.iter().map(|message| (message.kind.get(), message.delimited)).collect();
    assert_eq!(
        seen,
        [
            (4, Delimited::ByKind),
            (0x0c, Delimited::ByLength),
            (0x7d, Delimited::ByLength),
            (0x7e, Delimited::ByEnd)
        ]
    );
    assert_eq!(messages[0].parse(), Ok(Ping { token: 1, clock_ms: 2 }));
    assert_eq!(messages[3].body, [1, 2, 3]);
    // A look at the first byte tells the kind of the first message, with a length or without; there may be none.
    assert_eq!(MessageKind::first_of(&plaintext), Some(MessageKind::PING));
    assert_eq!(MessageKind::first_of(&plaintext[13..]), Some(MessageKind::COST_REQUEST));
    assert_eq!(MessageKind::first_of(&[]), None);
}

#[test]
fn a_broken_length_ends_the_plaintext_with_one_error() {
    let plaintext = [0x84, 1, 2, 3, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0x06, 0xff, 0xff, 0x01];
    let messages: Vec<_> = Messages::new(&plaintext).collect();
    assert_eq!(messages.len(), 2);
    assert!(messages[0].is_ok() && messages[1].is_err());
    assert_eq!(Messages::new(&[0x98, 1]).flatten().count(), 0);
}

#[test]
fn a_message_that_does_not_fit_leaves_what_was_written() {
    let mut buffer = [0; 20];
    let mut writer = MessageWriter::new(&mut buffer);
    writer.put(&Ping { token: 1, clock_ms: 2 }).unwrap();
    let request = CostRequest { destination: DestinationHash([3; 16]) };
    assert_eq!(writer.put(&request), Err(EncodeError::BufferTooSmall));
    assert_eq!((writer.remaining(), writer.plaintext().len()), (7, 13));
    let long = Packet { class: Class::Bulk, price: PriceCode::FREE, packet: &vec![0; 65_534] };
    assert_eq!(writer.put(&long), Err(EncodeError::FieldTooLong));
}

#[test]
fn a_broadcast_is_taken_apart_at_its_final_signature_only() {
    let ping = Ping { token: 1, clock_ms: 2 };
    let mut buffer = [0; 128];
    let mut writer = MessageWriter::new(&mut buffer);
    writer.put(&ping).unwrap();
    let signed = writer.plaintext().to_vec();
    let plaintext = writer.put_last(&Signature(&[5; 64])).unwrap().to_vec();
    let split = SignedPlaintext::split(&plaintext).unwrap().unwrap();
    assert_eq!((split.signed, split.signature), (&signed[..], Signature(&[5; 64])));
    assert_eq!(SignedPlaintext::split(&signed), Ok(None));

    let mut writer = MessageWriter::new(&mut buffer);
    writer.put(&Signature(&[5; 64])).unwrap();
    writer.put(&ping).unwrap();
    assert!(SignedPlaintext::split(writer.plaintext()).is_err(), "what follows a signature is not signed");
    let preamble = signed_preamble(NodeId([1; 16]), &[2; 16], 3);
    assert!(preamble.starts_with(b"nexus/bcast/v1\0\0\x01") && preamble.ends_with(&[2, 3, 0, 0, 0]));
}

#[test]
fn congestion_with_its_kind_is_exactly_four_bytes() {
    let mut buffer = [0; 8];
    let mut writer = MessageWriter::new(&mut buffer);
    writer.put(&Congestion::new(Severity::SEVERE, Scope::ALL_OUTBOUND, 0x0102)).unwrap();
    assert_eq!(writer.finish(), [0x98, 0b0000_0110, 0x02, 0x01]);
    let reserved = Congestion::decode(&[0xf5, 0, 0]).unwrap();
    assert_eq!((reserved.severity(), reserved.scope()), (Severity::MODERATE, Scope::ALL_OUTBOUND));
}

#[test]
fn a_packets_first_two_bytes_hold_class_and_price() {
    let mut buffer = [0; 3];
    let packet = Packet { class: Class::Bulk, price: PriceCode::MAX, packet: &[0xaa] };
    assert_eq!(packet.encode(&mut buffer).unwrap(), [0x00, 0xc4, 0xaa]);
    assert_eq!(fault_of::<Packet>(&[0x00, 0x08, 0xaa]), Some(("zero bits", Fault::Value)));
    assert_eq!(fault_of::<Packet>(&[0x01, 0x00, 0xaa]), Some(("price code", Fault::Value)));
    assert!(Class::RealTime < Class::Bulk);
}

#[test]
fn fragments_of_one_set_share_a_base() {
    let places: Vec<_> = (0..3).map(|index| FragmentPlace::new(index, 3).unwrap()).collect();
    assert!(places.iter().zip(40..).all(|(place, counter)| place.base(counter) == Some(40)));
    assert_eq!(places.iter().filter(|place| place.is_last()).count(), 1);
    assert_eq!((FragmentPlace::new(3, 3), FragmentPlace::new(0, 16), places[2].base(1)), (None, None, None));
}

#[test]
fn an_ack_covers_its_highest_frame_and_32_before_it() {
    let ack = Ack { highest: 100, bitmap: 0x8000_0001 };
    let covered: Vec<_> = (0..=101).filter(|counter| ack.covers(*counter)).collect();
    assert_eq!(covered, [68, 99, 100]);
}

#[test]
fn a_key_file_that_asks_for_too_much_or_too_little_is_refused() {
    let refused = [
        (8_191, 3, 1, "m"),
        (1_048_577, 3, 1, "m"),
        (65_536, 0, 1, "t"),
        (65_536, 11, 1, "t"),
        (65_536, 3, 0, "p"),
        (65_536, 3, 5, "p"),
    ];
    for (memory_kib, passes, lanes, field) in refused {
        let mut file =
            [&b"NK\x01\x01"[..], &u32::to_le_bytes(memory_kib), &[passes, lanes], &[0; 76]].concat();
        assert_eq!(fault_of::<KeyFile>(&file), Some((field, Fault::Value)));
        file[4..10].copy_from_slice(&[0, 0, 1, 0, 3, 1]);
        assert!(KeyFile::decode(&file).is_ok());
    }
}

#[test]
fn a_locked_seeds_associated_data_is_all_that_stands_before_it() {
    let mut file = [&b"NK\x01\x01\x00\x00\x01\x00\x03\x01"[..], &[7; 28], &[1; 48]].concat();
    let KeyFile::Locked(locked) = KeyFile::decode(&file).unwrap() else { panic!("kdf 1 is locked") };
    assert_eq!(
        (locked.lock.aad().as_slice(), locked.lock.cost),
        (&file[..Lock::LEN], Argon2Cost::RECOMMENDED)
    );
    file[3] = 2;
    assert_eq!(fault_of::<KeyFile>(&file), Some(("kdf", Fault::Value)));
    file[2] = 2;
    assert_eq!(fault_of::<KeyFile>(&file), Some(("version", Fault::Version)));
}

#[test]
fn secrets_are_not_printed() {
    let plain = [&b"NK\x01\x00"[..], &[0xab; 32]].concat();
    let body = [0xab; 42];
    let key = BroadcastKey::decode(&body).unwrap();
    for printed in [format!("{:?}", KeyFile::decode(&plain)), format!("{key:?}")] {
        assert!(!printed.contains("171, 171"), "{printed}");
    }
}

#[test]
fn costs_order_by_price() {
    let mut costs = [CostCode::Unknown, CostCode::Known(PriceCode::MAX), CostCode::FREE];
    costs.sort_unstable();
    assert_eq!(costs, [CostCode::FREE, CostCode::Known(PriceCode::MAX), CostCode::Unknown]);
    assert_eq!(MessageKind::new(0x80), None);
}
