//! Prints this machine's digests as one JSON object: name to lower-case hexadecimal.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use nexus_selfcheck::CHECKS;

fn main() {
    let digests: BTreeMap<_, _> = CHECKS.iter().map(|check| (check.name, hex(&(check.digest)()))).collect();
    println!("{}", serde_json::to_string_pretty(&digests).expect("strings serialise"));
}

fn hex(digest: &[u8; 32]) -> String {
    let mut text = String::new();
    for byte in digest {
        write!(text, "{byte:02x}").expect("a string takes any text");
    }
    text
}
