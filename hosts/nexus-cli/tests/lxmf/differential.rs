//! What the published package writes is read here, and what is written here it reads.

use nexus_crypto::{DestinationHash, IdentityPublic, NameHash, ReticulumIdentity};
use nexus_daemon::recordings::unhex;
use nexus_endpoint::lxmf::stamp::{Checking, Making, Use};
use nexus_machine::{Duration, Seed};
use nexus_stock::StockLxmf;
use nexus_stock::lxmf::Stamps;
use nexus_stock::stock::{Interfaces, hex};
use nexus_wire::reticulum::lxmf::{Body, DELIVERY, Message, Stamp};
use nexus_wire::reticulum::msgpack::Float;
use serde_json::{Value, json};

/// What a stamp costs: none for no stamp.
const COSTS: [Option<u8>; 3] = [None, Some(1), Some(6)];

#[test]
fn what_the_published_package_writes_is_read() {
    let (_home, mut peer) = peer();
    let source = IdentityPublic(unhex(&peer.public).unwrap().try_into().unwrap());
    for (n, cost) in COSTS.into_iter().enumerate() {
        let text = "grüße ".repeat(n * 60);
        let to = peer.address.clone();
        peer.tell(&json!({ "do": "pack", "to": to, "text": text, "title": "title", "cost": cost }));
        let said = peer.wait("packed");
        let packed = unhex(said["packed"].as_str().unwrap()).unwrap();
        let message = Message::decode(&packed).unwrap();
        let id = message.id();
        assert_eq!(json!(hex(&id.0)), said["id"]);
        assert_eq!((message.body.title(), message.body.content()), (&b"title"[..], text.as_bytes()));
        source.verifying().verify_untagged(&message.signed(&id), &message.signature).unwrap();
        match (message.stamp, cost) {
            (Some(Stamp::Work(stamp)), Some(cost)) => assert!(value(id.0, *stamp) >= u32::from(cost)),
            (None, None) => {}
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn what_is_written_here_the_published_package_reads() {
    let (_home, mut peer) = peer();
    let mut random = Seed::new([6; 32]).fork("differential");
    let identity = ReticulumIdentity::generate(&mut random);
    let source = DestinationHash::of(NameHash::of(DELIVERY), identity.hash());
    let destination = DestinationHash(unhex(&peer.address).unwrap().try_into().unwrap());
    for (n, cost) in COSTS.into_iter().enumerate() {
        let text = "grüße ".repeat(n * 60);
        let time = Float::of(Duration::from_micros(1_795_768_277_123_456));
        let body = Body::compose(time, b"title", text.as_bytes(), None);
        let body = Body::decode(&body).unwrap();
        let id = body.id(&destination, &source);
        let signature = identity.sign_untagged(&body.signed(&destination, &source, &id));
        let work = cost.map(|cost| made(Making::new(Use::Delivery, id.0, cost, &mut random)));
        let stamp = work.as_ref().map(Stamp::Work);
        let packed = Message { destination, source, signature, body, stamp }.encode();
        let public = hex(identity.public().as_bytes());
        peer.tell(&json!({ "do": "read", "packed": hex(&packed), "public": public, "cost": cost }));
        let said = peer.wait("read");
        assert_eq!((&said["read"], &said["verified"]), (&json!(hex(&id.0)), &json!(true)));
        assert_eq!((&said["text"], &said["title"]), (&json!(text), &json!("title")));
        assert_eq!(said["stamped"], cost.map_or(Value::Null, |_| json!(true)));
    }
}

/// A peer that talks to nobody.
fn peer() -> (tempfile::TempDir, StockLxmf) {
    let home = tempfile::tempdir().unwrap();
    let peer = StockLxmf::start(home.path(), "alone", Stamps::Unasked, &Interfaces::none());
    (home, peer)
}

fn made(mut making: Making) -> [u8; 32] {
    loop {
        if let Some(stamp) = making.work() {
            return stamp;
        }
    }
}

fn value(id: [u8; 32], stamp: [u8; 32]) -> u32 {
    let mut checking = Checking::new(Use::Delivery, id, stamp);
    loop {
        if let Some(value) = checking.work() {
            return value;
        }
    }
}
