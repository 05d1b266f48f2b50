//! Resources of `nexus-endpoint`, to and from the published package.

use nexus_crypto::hash::sha256;
use nexus_endpoint::Handle;
use nexus_endpoint::resource::{Arrival, Event, Failure};
use nexus_machine::Seed;
use nexus_stock::endpoint::{Endpoint, Ratchets};
use nexus_stock::live::Listening;
use nexus_stock::stock::{Interfaces, Tool, hex};
use nexus_wire::reticulum::resource::{Advertisement, ResourceFlags, SEGMENT_MAX};
use nexus_wire::reticulum::{Context, LinkMtu};
use serde_json::json;

use super::driven::{Accepts, Driven};
use super::{MTU, link_up, noise, pair};

/// Becomes shorter, by a half or so.
pub(crate) fn text(len: usize) -> Vec<u8> {
    let words = (0..).map(|n: u32| format!("{n:x} ").into_bytes());
    words.flatten().take(len).collect()
}

#[test]
fn what_is_sent_arrives_whole_with_its_metadata() {
    let mut pair = pair(Ratchets::None);
    let link = pair.link();
    // {"name": b"file"}
    let metadata = b"\x81\xa4name\xc4\x04file".to_vec();
    for (data, metadata) in [
        (noise(1), None),
        (noise(300), Some(metadata.clone())),
        (noise(900_000), None),
        (text(900_000), Some(metadata.clone())),
        (noise(5_000_000), Some(metadata.clone())),
        (text(5_000_000), None),
    ] {
        let came = json!({
            "resource": hex(&sha256(&[&data])),
            "len": data.len(),
            "metadata": metadata.as_ref().map(|_| json!({ "name": hex(b"file") })),
        });
        let mut driven = Driven::on(&mut pair.endpoint, link, MTU);
        assert_eq!(driven.send(data, metadata), Event::Sent(Handle(1)));
        assert_eq!(pair.stock.wait("resource"), came);
    }
    assert_eq!(pair.stock.complaints(), Vec::<String>::new());
}

#[test]
fn what_a_stock_node_sends_arrives_whole_with_its_metadata() {
    let mut pair = pair(Ratchets::None);
    let link = pair.link();
    // {"name": "file"}
    let metadata = b"\x81\xa4name\xa4file";
    for (len, is_text, has_metadata) in [
        (1, false, false),
        (300, false, true),
        (900_000, true, false),
        (SEGMENT_MAX, false, false),
        (SEGMENT_MAX, false, true),
        (5_000_000, false, true),
        (5_000_000, true, false),
    ] {
        let value = if has_metadata { json!({ "name": "file" }) } else { json!(null) };
        pair.stock.tell(&json!({ "do": "resource", "len": len, "text": is_text, "metadata": value }));
        let mut driven = Driven::on(&mut pair.endpoint, link, MTU);
        assert_eq!(driven.until_end(), Event::Arrived(Arrival(1)));
        assert_eq!(pair.stock.wait("offered")["offered"], hex(&sha256(&[&driven.arrived])));
        assert_eq!(driven.metadata.as_deref(), has_metadata.then_some(&metadata[..]));
        assert_eq!(pair.stock.wait("transferred")["transferred"], true);
        let total = len + if has_metadata { metadata.len() + 3 } else { 0 };
        let flag = |is_set: bool, flag: ResourceFlags| if is_set { flag } else { ResourceFlags::default() };
        let flags = ResourceFlags::ENCRYPTED
            .with(flag(is_text, ResourceFlags::COMPRESSED))
            .with(flag(total > SEGMENT_MAX, ResourceFlags::SPLIT))
            .with(flag(has_metadata, ResourceFlags::METADATA));
        let said = |(number, bytes): (u64, &Vec<u8>)| {
            let said = Advertisement::decode(bytes).unwrap();
            assert!(said.encode() == *bytes, "segment {number} is advertised in another form");
            assert_eq!((said.segment, said.flags), (number, flags));
            (said.original, said.data_len, said.segments, said.hash)
        };
        let said: Vec<_> = (1..).zip(driven.heard_of(Context::RESOURCE_ADVERTISEMENT)).map(said).collect();
        let (first, segments) = (said[0].3, total.div_ceil(SEGMENT_MAX));
        assert_eq!(said.len(), segments);
        let (total, segments) = (u64::try_from(total).unwrap(), u64::try_from(segments).unwrap());
        assert!(said.iter().all(|said| (said.0, said.1, said.2) == (first, total, segments)), "{said:?}");
    }
}

#[test]
fn a_proof_that_was_lost_is_asked_for_by_both_in_the_same_words() {
    let mut pair = pair(Ratchets::None);
    let link = pair.link();
    pair.stock.tell(&json!({ "do": "resource", "len": 1_000 }));
    let mut driven = Driven::on(&mut pair.endpoint, link, MTU);
    driven.swallowed = 1;
    assert_eq!(driven.until_end(), Event::Arrived(Arrival(1)));
    driven.until(|driven| driven.heard_of(Context::CACHE_REQUEST).count() == 1);
    assert_eq!(pair.stock.wait("transferred")["transferred"], true);
    let mut driven = Driven::on(&mut pair.endpoint, link, MTU);
    driven.swallowed = 1;
    assert_eq!(driven.send(noise(1_000), None), Event::Sent(Handle(1)));
    let asked = driven.said.iter().filter(|context| **context == Context::CACHE_REQUEST).count();
    assert_eq!(asked, 1);
}

#[test]
fn a_stock_node_that_refuses_or_gives_up_is_understood() {
    let mut pair = pair(Ratchets::None);
    let link = pair.link();
    pair.stock.tell(&json!({ "do": "refuse" }));
    pair.stock.wait("refusing");
    let mut driven = Driven::on(&mut pair.endpoint, link, MTU);
    assert_eq!(driven.send(noise(1_000), None), Event::NotSent(Handle(1), Failure::Refused));
    pair.stock.tell(&json!({ "do": "resource", "len": 1_000 }));
    let mut driven = Driven::on(&mut pair.endpoint, link, MTU);
    driven.accepts = Accepts::None;
    assert_eq!(driven.until_end(), Event::NotArrived(Arrival(1), Failure::Stopped));
    assert_eq!(pair.stock.wait("transferred")["transferred"], false);
}

#[test]
fn a_file_that_the_packages_own_tool_sends_comes_with_its_name() {
    let home = tempfile::tempdir().unwrap();
    let file = home.path().join("a file.bin");
    std::fs::write(&file, noise(100_000)).unwrap();
    let listening = Listening::open().unwrap();
    let at = listening.address().unwrap();
    let endpoint = Endpoint::new(&Seed::new([7; 32]), "rncp.receive", Ratchets::None, LinkMtu::new(MTU));
    let to = endpoint.destination().to_string();
    let tool = Tool::alone(home.path(), "tool", &Interfaces::none().calling(at, &[]));
    let copying = std::thread::spawn(move || tool.run("rncp", &[&file.to_string_lossy(), &to]));
    let mut live = listening.accept(endpoint, None).unwrap();
    let (link, _, mtu) = live.wait("a link", link_up);
    let mut driven = Driven::on(&mut live, link, mtu.bytes());
    assert_eq!(driven.until_end(), Event::Arrived(Arrival(1)));
    let said = copying.join().unwrap();
    assert!(said.contains("copied to"), "{said}");
    assert!(driven.arrived == noise(100_000));
    assert_eq!(driven.metadata.as_deref(), Some(&b"\x81\xa4name\xc4\x0aa file.bin"[..]));
}
