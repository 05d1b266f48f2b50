//! Resources of `nexus-endpoint`, to and from the published package.

use nexus_crypto::hash::sha256;
use nexus_endpoint::Handle;
use nexus_endpoint::resource::{Arrival, Event};
use nexus_stock::endpoint::Ratchets;
use nexus_stock::stock::hex;
use nexus_wire::reticulum::Context;
use nexus_wire::reticulum::resource::Advertisement;
use serde_json::json;

use super::driven::Driven;
use super::{MTU, noise, pair};

/// Becomes shorter, by a half or so.
pub(crate) fn text(len: usize) -> Vec<u8> {
    let words = (0..).map(|n: u32| format!("{n:x} ").into_bytes());
    words.flatten().take(len).collect()
}

#[test]
fn what_is_sent_arrives_whole_with_its_metadata() {
    let mut pair = pair(Ratchets::None);
    let link = pair.link();
    // The value that tools for files send: {"name": b"file"}.
    let metadata = [&b"\x81\xa4name\xc4\x04file"[..]].concat();
    for (data, metadata) in [
        (noise(1), None),
        (noise(300), Some(metadata.clone())),
        (noise(900_000), None),
        (text(900_000), Some(metadata.clone())),
        (noise(5_000_000), Some(metadata.clone())),
        (text(5_000_000), None),
    ] {
        let (len, hash) = (data.len(), hex(&sha256(&[&data])));
        let mut driven = Driven::on(&mut pair.endpoint, link, MTU);
        let end = driven.send(data, metadata.clone());
        assert_eq!(end, Event::Sent(Handle(1)));
        let came = pair.stock.wait("resource");
        assert_eq!((came["len"].as_u64(), &came["resource"]), (u64::try_from(len).ok(), &json!(hash)));
        println!("{came}");
    }
}

#[test]
fn what_a_stock_node_sends_arrives_whole_with_its_metadata() {
    let mut pair = pair(Ratchets::None);
    let link = pair.link();
    for (len, is_text, metadata) in [
        (1, false, json!(null)),
        (300, false, json!({ "name": "file" })),
        (900_000, true, json!(null)),
        (1_048_575, false, json!(null)),
        (1_048_575, false, json!({ "name": "file" })),
        (5_000_000, false, json!({ "name": "file" })),
        (5_000_000, true, json!(null)),
    ] {
        pair.stock.tell(&json!({ "do": "resource", "len": len, "text": is_text, "metadata": metadata }));
        let mut driven = Driven::on(&mut pair.endpoint, link, MTU);
        let end = driven.until_end();
        for (context, bytes) in &driven.heard {
            if *context == Context::RESOURCE_ADVERTISEMENT {
                let said = Advertisement::decode(bytes).unwrap();
                println!(
                    "{len}: t {} d {} n {} h {} o {} i {} l {} q {:?} f {:?}",
                    said.transfer_len,
                    said.data_len,
                    said.parts,
                    hex(&said.hash.0[..4]),
                    hex(&said.original.0[..4]),
                    said.segment,
                    said.segments,
                    said.request,
                    said.flags
                );
            } else if *context != Context::RESOURCE {
                println!("{:02x} {} bytes", context.0, bytes.len());
            }
        }
        println!("{:?}", driven.metadata.as_deref().map(hex));
        assert_eq!(end, Event::Arrived(Arrival(1)));
        assert_eq!(pair.stock.wait("offered")["offered"], hex(&sha256(&[&driven.arrived])));
        println!("{}", pair.stock.wait("transferred"));
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
    driven.until(|driven| driven.heard.iter().any(|(context, _)| *context == Context::CACHE_REQUEST));
    println!("{:?}", driven.heard.iter().map(|(c, b)| (c.0, b.len())).collect::<Vec<_>>());
    println!("{}", pair.stock.wait("transferred"));
    let mut driven = Driven::on(&mut pair.endpoint, link, MTU);
    driven.swallowed = 1;
    let end = driven.send(noise(1_000), None);
    println!("{:?}", driven.said.iter().map(|(c, b)| (c.0, b.len())).collect::<Vec<_>>());
    assert_eq!(end, Event::Sent(Handle(1)));
}
