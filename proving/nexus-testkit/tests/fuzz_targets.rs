//! Every registered format and stream is fuzzed: it has a target, an entry in the manifest and a committed seed corpus;
//! and every test run replays the seeds, with mutations.
#![allow(clippy::unwrap_used, reason = "what cannot be unwrapped fails the test")]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use nexus_machine::Seed;
use nexus_testkit::format::{arbitrary_bytes, fuzz_one};
use nexus_testkit::formats;

const MUTATIONS: u32 = 3_000;

fn fuzz_directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz")
}

fn names() -> Vec<&'static str> {
    let formats = formats::all().into_iter().map(|format| format.name);
    let streams = formats::streams().into_iter().map(|stream| stream.name);
    formats.chain(streams).chain(formats::SEQUENCES).collect()
}

fn seeds(name: &str) -> Vec<Vec<u8>> {
    let directory = fuzz_directory().join("seeds").join(name);
    let files = fs::read_dir(&directory).unwrap_or_else(|error| panic!("{}: {error}", directory.display()));
    let seeds: Vec<_> = files.map(|file| fs::read(file.unwrap().path()).unwrap()).collect();
    assert!(!seeds.is_empty(), "{name} has no seeds: run the example fuzz-targets");
    seeds
}

#[test]
fn names_are_unique() {
    assert_eq!(names().iter().collect::<BTreeSet<_>>().len(), names().len());
}

#[test]
fn every_registered_format_has_a_fuzz_target() {
    let manifest = fs::read_to_string(fuzz_directory().join("Cargo.toml")).unwrap();
    for name in names() {
        let path = format!("fuzz_targets/{name}.rs");
        let entry = format!("[[bin]]\nname = \"{name}\"\npath = \"{path}\"\n");
        assert!(manifest.contains(&entry), "{name} is not in fuzz/Cargo.toml: run the example fuzz-targets");
        let target = fs::read_to_string(fuzz_directory().join(&path)).unwrap();
        assert!(target.contains(&format!("(\"{name}\"")), "{path} fuzzes something else");
        assert_eq!(target.lines().count(), 3, "{path}: what is more than a call belongs into nexus-testkit");
    }
    assert_eq!(
        manifest.matches("[[bin]]").count(),
        names().len(),
        "a target fuzzes nothing that is registered"
    );
}

#[test]
fn every_sample_is_a_seed() {
    for format in formats::all() {
        let seeds = seeds(format.name);
        for sample in (format.samples)() {
            assert!(seeds.contains(&sample), "{}: run the example fuzz-targets", format.name);
        }
    }
}

#[test]
fn seeds_and_their_mutations_break_no_format() {
    for format in formats::all() {
        let seeds = seeds(format.name);
        for seed in &seeds {
            fuzz_one(format, seed);
        }
        arbitrary_bytes(format, &seeds, MUTATIONS);
    }
}

#[test]
fn seeds_and_their_mutations_break_no_stream() {
    for stream in formats::streams() {
        let mut random = Seed::new([0x3c; 32]).fork(stream.name);
        let seeds = seeds(stream.name);
        for seed in &seeds {
            (stream.fuzz_one)(seed);
        }
        for _ in 0..MUTATIONS {
            let pick = random.below(u64::try_from(seeds.len()).unwrap());
            let mut bytes = seeds[usize::try_from(pick).unwrap()].clone();
            for byte in &mut bytes {
                if random.chance(1, 10) {
                    *byte = random.bytes::<1>()[0];
                }
            }
            (stream.fuzz_one)(&bytes);
        }
    }
}
