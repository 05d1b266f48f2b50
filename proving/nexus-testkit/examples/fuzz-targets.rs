//! Writes what the fuzz targets of all registered formats consist of: `fuzz/Cargo.toml`, one file a target, and a
//! seed corpus of each format's samples. Run after registering a format:
//!
//! ```text
//! cargo run -p nexus-testkit --example fuzz-targets
//! ```

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use nexus_testkit::formats;

/// The workspace, up to its targets.
const MANIFEST: &str = r#"# Written by `cargo run -p nexus-testkit --example fuzz-targets`.
[package]
name = "nexus-fuzz"
description = "One fuzz target for every registered byte format"
version = "0.1.0"
edition = "2024"
publish = false

[package.metadata]
cargo-fuzz = true

[workspace]

[dependencies]
libfuzzer-sys = "0.4"
nexus-testkit = { path = "../proving/nexus-testkit" }
"#;

fn main() -> std::io::Result<()> {
    let fuzz = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz");
    let mut manifest = MANIFEST.to_owned();
    for format in formats::all() {
        let call = format!("nexus_testkit::format::fuzz_one(named(\"{}\"), bytes)", format.name);
        write_target(&fuzz, &mut manifest, format.name, "named", &call, (format.samples)())?;
    }
    for stream in formats::streams() {
        let call = format!("(stream(\"{}\").fuzz_one)(bytes)", stream.name);
        write_target(&fuzz, &mut manifest, stream.name, "stream", &call, (stream.samples)())?;
    }
    fs::write(fuzz.join("Cargo.toml"), manifest)
}

fn write_target(
    fuzz: &Path,
    manifest: &mut String,
    name: &str,
    import: &str,
    call: &str,
    samples: Vec<Vec<u8>>,
) -> std::io::Result<()> {
    write!(
        manifest,
        "\n[[bin]]\nname = \"{name}\"\npath = \"fuzz_targets/{name}.rs\"\ntest = false\ndoc = false\nbench = false\n"
    )
    .expect("writing to a string does not fail");
    let source = format!(
        "#![no_main]\nuse nexus_testkit::formats::{import};\nlibfuzzer_sys::fuzz_target!(|bytes: &[u8]| {call});\n"
    );
    fs::create_dir_all(fuzz.join("fuzz_targets"))?;
    fs::write(fuzz.join("fuzz_targets").join(name).with_extension("rs"), source)?;
    let seeds = fuzz.join("seeds").join(name);
    fs::create_dir_all(&seeds)?;
    for (number, sample) in samples.iter().enumerate() {
        fs::write(seeds.join(format!("sample-{number:02}")), sample)?;
    }
    Ok(())
}
