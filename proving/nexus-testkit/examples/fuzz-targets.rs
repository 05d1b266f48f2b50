//! Writes what the fuzz targets consist of: `fuzz/Cargo.toml`, one file a target, and a seed corpus of each format's samples
//! (the seeds of sequences are written by the example `fuzz-sequences` of `nexus-sim`). Run after registering a format:
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
description = "One fuzz target for every registered byte format, and for machines under sequences of inputs"
version = "0.1.0"
edition = "2024"
publish = false

[package.metadata]
cargo-fuzz = true

[workspace]

[dependencies]
libfuzzer-sys = "0.4"
nexus-sim = { path = "../proving/nexus-sim" }
nexus-testkit = { path = "../proving/nexus-testkit" }
"#;

fn main() -> std::io::Result<()> {
    let fuzz = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz");
    let mut manifest = MANIFEST.to_owned();
    for format in formats::all() {
        let call = format!("nexus_testkit::format::fuzz_one(named(\"{}\"), bytes)", format.name);
        write_target(&fuzz, &mut manifest, format.name, "nexus_testkit::formats::named", &call)?;
        write_seeds(&fuzz, format.name, &(format.samples)())?;
    }
    for stream in formats::streams() {
        let call = format!("(stream(\"{}\").fuzz_one)(bytes)", stream.name);
        write_target(&fuzz, &mut manifest, stream.name, "nexus_testkit::formats::stream", &call)?;
        write_seeds(&fuzz, stream.name, &(stream.samples)())?;
    }
    for name in formats::SEQUENCES {
        let call = format!("nexus_sim::fuzz::drive(\"{name}\", bytes, held)");
        write_target(&fuzz, &mut manifest, name, "nexus_testkit::heap::held", &call)?;
    }
    fs::write(fuzz.join("Cargo.toml"), manifest)
}

fn write_target(
    fuzz: &Path,
    manifest: &mut String,
    name: &str,
    import: &str,
    call: &str,
) -> std::io::Result<()> {
    write!(
        manifest,
        "\n[[bin]]\nname = \"{name}\"\npath = \"fuzz_targets/{name}.rs\"\ntest = false\ndoc = false\nbench = false\n"
    )
    .expect("writing to a string does not fail");
    let source = format!("#![no_main]\nuse {import};\nlibfuzzer_sys::fuzz_target!(|bytes: &[u8]| {call});\n");
    fs::create_dir_all(fuzz.join("fuzz_targets"))?;
    fs::write(fuzz.join("fuzz_targets").join(name).with_extension("rs"), source)
}

fn write_seeds(fuzz: &Path, name: &str, samples: &[Vec<u8>]) -> std::io::Result<()> {
    let seeds = fuzz.join("seeds").join(name);
    fs::create_dir_all(&seeds)?;
    for (number, sample) in samples.iter().enumerate() {
        fs::write(seeds.join(format!("sample-{number:02}")), sample)?;
    }
    Ok(())
}
