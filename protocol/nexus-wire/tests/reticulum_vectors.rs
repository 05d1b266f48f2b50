//! `spec/vectors/reticulum_formats.json` is what this code makes, and stays so: a sample of every shape of every format.
//! (What the stock package makes is in `spec/vectors/reticulum.json`.)
//!
//! `NEXUS_WRITE_VECTORS=1` writes it anew.
#![allow(
    clippy::disallowed_methods,
    reason = "vectors are files, and whether to write them is the developer's word"
)]

use std::path::Path;

use nexus_testkit::format::hex;
use nexus_testkit::formats::reticulum::ALL;
use serde_json::{Map, Value, json};

#[test]
fn our_samples_are_the_committed_vectors() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../spec/vectors/reticulum_formats.json");
    let samples = |samples: Vec<Vec<u8>>| samples.iter().map(|sample| hex(sample)).collect::<Vec<_>>();
    let formats: Map<String, Value> =
        ALL.iter().map(|format| (format.name.to_owned(), json!(samples((format.samples)())))).collect();
    let made = json!({
        "source": "Made by this implementation and held by protocol/nexus-wire/tests/reticulum_vectors.rs. Hex throughout.",
        "identity": "Signed by the identity with the private bytes 00 01 .. 3f.",
        "ifac": "Sealed for the network mynet with the passphrase mypass and tags of 8 bytes.",
        "rnode": "Command and data, without framing.",
        "formats": formats,
    });
    if std::env::var("NEXUS_WRITE_VECTORS").is_ok_and(|value| value == "1") {
        let text = serde_json::to_string_pretty(&made).expect("a value is JSON");
        std::fs::write(&path, text + "\n").expect("the vectors can be written");
    }
    let text = std::fs::read_to_string(&path).expect("the vectors are committed");
    let committed: Value = serde_json::from_str(&text).expect("vectors are JSON");
    assert!(
        committed == made,
        "the committed vectors are not what this code makes; see this test's first lines"
    );
}
