//! LXMF, held to what the published package made: `spec/vectors/lxmf.json`.

use nexus_crypto::{DestinationHash, IdentityPublic, NameHash};
use nexus_testkit::format::unhex;
use nexus_wire::reticulum::lxmf::{
    Body, DELIVERY, DeliveryInfo, GetRequest, Message, PropagationInfo, Refused, Stamp, Stored, Ticket,
    TransientId, Upload,
};
use nexus_wire::reticulum::msgpack::{Float, Packer};
use serde_json::Value;

fn vectors() -> Value {
    serde_json::from_str(include_str!("../../../spec/vectors/lxmf.json"))
        .expect("the committed vectors are JSON")
}

fn bytes(value: &Value) -> Vec<u8> {
    unhex(value.as_str().expect("hexadecimal"))
}

#[test]
fn stock_messages_are_read_and_are_their_sources_own() {
    let vectors = vectors();
    let source = IdentityPublic(bytes(&vectors["source"]).try_into().unwrap());
    for message in vectors["messages"].as_array().unwrap() {
        let packed = bytes(&message["packed"]);
        let read = Message::decode(&packed).unwrap();
        let id = read.id();
        assert_eq!(id.0.to_vec(), bytes(&message["id"]));
        assert_eq!(read.source, DestinationHash::of(NameHash::of(DELIVERY), source.hash()));
        source.verifying().verify_untagged(&read.signed(&id), &read.signature).unwrap();
        assert!(read.body.time().unwrap().as_secs() > 1_700_000_000);
        assert_eq!(read.encode(), packed);
        assert_eq!(Message::decode_for(read.destination, &packed[16..]), Ok(read));
        match read.stamp {
            Some(Stamp::Ticket(stamp)) => {
                let secret = bytes(&message["ticket"]).try_into().unwrap();
                assert_eq!(Ticket { expires: Float(0), secret }.stamp(&id), *stamp);
            }
            Some(Stamp::Work(_)) => assert!(message["stamp_value"].is_u64()),
            None => assert!(message["stamp_value"].is_null()),
        }
    }
}

#[test]
fn a_ticket_is_found_among_the_fields() {
    let vectors = vectors();
    let packed = bytes(&vectors["messages"][1]["packed"]);
    let read = Message::decode(&packed).unwrap();
    let ticket = read.body.ticket().unwrap();
    assert!(ticket.expires.duration().unwrap() > read.body.time().unwrap());
    assert_eq!((read.body.title(), read.body.content()), (&b""[..], &b"hello"[..]));
    assert_eq!(Message::decode(&bytes(&vectors["messages"][0]["packed"])).unwrap().body.ticket(), None);
}

#[test]
fn what_is_composed_is_read_again() {
    let fields = Packer::default().map(1).uint(5).text("attached").into_bytes();
    for fields in [None, Some(&fields[..])] {
        let composed = Body::compose(Float(0x41da_c24f_b138_acc0), b"title", &[0xff; 300], fields);
        let body = Body::decode(&composed).unwrap();
        assert_eq!((body.title(), body.content()), (&b"title"[..], &[0xff; 300][..]));
        assert_eq!(body.fields(), fields.unwrap_or(&[0x80]));
        assert_eq!(body.time().unwrap().as_secs(), 1_795_768_004);
    }
}

#[test]
fn forms_that_only_some_peers_write_are_read() {
    let odd = |values: Vec<u8>| [&[7; 80][..], &[0x94], &values].concat();
    let texts = Packer::default().uint(1_795_768_279).text("title").text("content").nil().into_bytes();
    let packed = odd(texts);
    let read = Message::decode_for(DestinationHash([1; 16]), &packed).unwrap();
    assert_eq!(
        (read.body.title(), read.body.content(), read.body.fields()),
        (&b"title"[..], &b"content"[..], &[0xc0][..])
    );
    assert_eq!(read.body.time().unwrap().as_secs(), 1_795_768_279);
}

#[test]
fn what_is_no_message_is_refused() {
    let good = bytes(&vectors()["messages"][0]["packed"]);
    assert!(Message::decode(&good[..95]).is_err());
    assert!(Message::decode(&[&good[..], &[0]].concat()).is_err(), "more behind it");
    let stamp_of = |len: usize| {
        let body = Body::compose(Float(0), b"", b"", None);
        [&[7; 96][..], &[0x95], &body, &Packer::default().bin(&vec![1; len]).into_bytes()].concat()
    };
    for (len, is_one) in [(0, false), (15, false), (16, true), (17, false), (32, true), (33, false)] {
        assert_eq!(Message::decode(&stamp_of(len)).is_ok(), is_one, "{len}");
    }
    let deep = [&[7; 96][..], &[0x94, 0x00, 0xc4, 0, 0xc4, 0, 0x81, 0x01], &[0x91; 40], &[0xc0]].concat();
    assert!(Message::decode(&deep).is_err(), "values in values have a depth");
}

#[test]
fn stock_announces_are_read() {
    let vectors = vectors();
    for announce in vectors["delivery_announces"].as_array().unwrap() {
        let app_data = bytes(&announce["app_data"]);
        let info = DeliveryInfo::decode(&app_data).unwrap();
        assert_eq!(info.name, announce["name"].as_str().map(str::as_bytes));
        assert_eq!(info.stamp_cost.map(u64::from), announce["stamp_cost"].as_u64());
        assert_eq!(info.encode(), app_data);
    }
    let early = DeliveryInfo::decode(b"Legacy name").unwrap();
    assert_eq!((early.name, early.stamp_cost), (Some(&b"Legacy name"[..]), None));
    for announce in vectors["propagation_announces"].as_array().unwrap() {
        let info = PropagationInfo::decode(&bytes(&announce["app_data"])).unwrap();
        let number = |key: &str| announce[key].as_u64().unwrap();
        assert!(info.takes);
        assert_eq!(
            [u64::from(info.stamp_cost), u64::from(info.flexibility)],
            [number("stamp_cost"), number("flexibility")]
        );
        assert_eq!(
            [info.message_limit_kb, info.sync_limit_kb],
            [number("message_limit_kb"), number("sync_limit_kb")]
        );
    }
}

#[test]
fn stock_uploads_are_read() {
    for upload in vectors()["uploads"].as_array().unwrap() {
        let plaintext = bytes(&upload["upload"]);
        let read = Upload::decode(&plaintext).unwrap();
        let (stored, stamp) = read.message.split_last_chunk::<32>().unwrap();
        let stored = Stored::decode(stored).unwrap();
        assert_eq!(stored.id().0.to_vec(), bytes(&upload["id"]));
        assert_eq!(Upload::compose(read.at, &stored, stamp), plaintext);
    }
}

#[test]
fn requests_are_what_stock_clients_ask() {
    let id = |byte| TransientId([byte; 32]);
    assert_eq!(GetRequest::List.encode(), unhex("92c0c0"));
    let fetch = GetRequest::Fetch { wanted: vec![id(1)], had: vec![], limit_kb: 1_000 };
    assert_eq!(fetch.encode(), unhex(&format!("9391c420{}90cd03e8", "01".repeat(32))));
    assert_eq!(GetRequest::Had(vec![id(2)]).encode(), unhex(&format!("92c091c420{}", "02".repeat(32))));
}

#[test]
fn answers_are_lists_or_refusals() {
    assert_eq!(GetRequest::listed(&unhex("ccf0"), 9), Ok(Err(Refused::Unidentified)));
    assert_eq!(GetRequest::fetched(&unhex("ccf1")), Ok(Err(Refused::Other(0xf1))));
    let list = unhex(&format!("92c420{}c420{}", "01".repeat(32), "02".repeat(32)));
    let ids = vec![TransientId([1; 32]), TransientId([2; 32])];
    assert_eq!(GetRequest::listed(&list, 9), Ok(Ok(ids.clone())));
    assert_eq!(GetRequest::listed(&list, 1), Ok(Ok(ids[..1].to_vec())));
    assert_eq!(
        GetRequest::fetched(&unhex("92c40101c40202 03".replace(' ', "").as_str())),
        Ok(Ok(vec![&[1][..], &[2, 3][..]]))
    );
    assert!(GetRequest::listed(&unhex("91c40101"), 9).is_err());
    assert!(GetRequest::fetched(&unhex("c0")).is_err());
}
