//! A microcontroller's processor computes what ours does.
//!
//! `proving/riscv-check` computes the digests of `nexus-selfcheck` on a bare riscv32 in QEMU. They are held against those
//! of the machine that we run on, whose cryptography is partly another implementation, and against the vectors.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::cargo::{self, cargo};
use crate::fault::Fault;
use crate::session::Session;
use crate::stage::bare_metal::{TARGETS, distribution_cargo};
use crate::stages::Note;

/// Where the program for the microcontroller lies: a workspace of its own, whose cargo configuration runs QEMU.
const PROGRAM: &str = "proving/riscv-check";

const VECTORS: &str = "spec/vectors/path_cost.json";

/// Digests that are committed, and where in [`VECTORS`].
const COMMITTED: [(&str, &str); 2] = [("hash", "/hash_digest"), ("path-cost", "/digest/blake3")];

/// Digests in hexadecimal, by name.
type Digests = BTreeMap<String, String>;

/// What the program printed.
#[derive(Debug, PartialEq, Eq)]
struct Printed {
    digests: Digests,
    /// The most heap that any digest took, in bytes.
    peak_heap: usize,
}

/// What the program takes of the flash, in bytes.
#[derive(Debug, PartialEq, Eq)]
struct Size {
    text: usize,
    rodata: usize,
}

/// Computes the digests here and on every bare-metal target, and compares them.
pub(crate) fn run(session: &mut Session) -> Result<Note, Fault> {
    let here = digests_here(session)?;
    agree(&committed(session.root())?, VECTORS, &here, "this machine")?;
    let target = session.target().join("bare-metal");
    let program = || distribution_cargo(&session.root().join(PROGRAM), &target);
    let mut notes = Vec::new();
    for triple in TARGETS {
        let arguments = ["--locked", "--release", "--quiet", "--target", triple];
        cargo::run(program().arg("build").args(arguments))?;
        let printed = parse(triple, &cargo::capture_with_status(program().arg("run").args(arguments))?)?;
        agree(&here, "this machine", &printed.digests, triple)?;
        agree(&printed.digests, triple, &here, "this machine")?;
        let size = size(&target.join(triple).join("release").join("riscv-check"))?;
        let architecture = triple.split('-').next().unwrap_or_default();
        notes.push(format!(
            "{architecture}: text {} B, rodata {} B, peak heap {} B",
            size.text, size.rodata, printed.peak_heap
        ));
    }
    Ok(format!("{} digests equal; {}", here.len(), notes.join("; ")))
}

fn digests_here(session: &Session) -> Result<Digests, Fault> {
    let arguments = ["run", "--locked", "--quiet", "--package", "nexus-selfcheck", "--example", "digests"];
    let text = cargo::capture(cargo(session).args(arguments))?;
    serde_json::from_str(&text).map_err(|error| Fault::json("this machine's list of digests", &error))
}

fn committed(root: &Path) -> Result<Digests, Fault> {
    let path = root.join(VECTORS);
    let text = fs::read_to_string(&path).map_err(|error| Fault::io(&path, &error))?;
    let vectors: Value = serde_json::from_str(&text).map_err(|error| Fault::json(VECTORS, &error))?;
    let digest = |(name, place): (&str, &str)| match vectors.pointer(place).and_then(Value::as_str) {
        Some(digest) => Ok((name.to_owned(), digest.to_owned())),
        None => Err(Fault::new(format!("{VECTORS} has no text at {place}."))),
    };
    COMMITTED.into_iter().map(digest).collect()
}

/// Every digest of `wanted` is among `found`, and is the same.
fn agree(wanted: &Digests, by: &str, found: &Digests, on: &str) -> Result<(), Fault> {
    for (name, digest) in wanted {
        match found.get(name) {
            Some(same) if same == digest => {}
            Some(other) => {
                return Err(Fault::new(format!(
                    "the digest `{name}` is {other} on {on}, but {digest} by {by}: the two compute differently what all \
                     nodes have to agree on."
                )));
            }
            None => return Err(Fault::new(format!("the digest `{name}` is missing on {on}."))),
        }
    }
    Ok(())
}

/// Reads `name digest heap` from each line.
fn parse(triple: &str, (text, code): &(String, Option<i32>)) -> Result<Printed, Fault> {
    let fault = |what: &str| {
        let last = text.lines().last().unwrap_or("nothing");
        Fault::new(format!("{PROGRAM} on {triple} {what}; the last it said was: {last}"))
    };
    match code {
        Some(0) => {}
        // The exit code of `timeout`.
        Some(124) => return Err(fault("did not end in time")),
        _ => return Err(fault("failed")),
    }
    let mut printed = Printed { digests: Digests::new(), peak_heap: 0 };
    for line in text.lines() {
        let words: Vec<_> = line.split_whitespace().collect();
        let [name, digest, heap] = words.as_slice() else { return Err(fault("printed what is no digest")) };
        let heap = heap.parse().map_err(|_| fault("printed what is no length of heap"))?;
        printed.peak_heap = printed.peak_heap.max(heap);
        printed.digests.insert((*name).to_owned(), (*digest).to_owned());
    }
    Ok(printed)
}

fn size(program: &Path) -> Result<Size, Fault> {
    let sections = cargo::capture(Command::new("llvm-size-22").arg("-A").arg(program))?;
    let of = |name| {
        section(&sections, name)
            .ok_or_else(|| Fault::new(format!("{} has no section {name}.", program.display())))
    };
    Ok(Size { text: of(".text")?, rodata: of(".rodata")? })
}

/// A section's length in a table of `name length address`.
fn section(table: &str, name: &str) -> Option<usize> {
    let mut lines = table.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
    let line = lines.find(|words| words.first() == Some(&name))?;
    line.get(1)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TRIPLE: &str = "riscv32imc-unknown-none-elf";

    fn digests(pairs: &[(&str, &str)]) -> Digests {
        pairs.iter().map(|(name, digest)| ((*name).to_owned(), (*digest).to_owned())).collect()
    }

    fn parse_run(text: &str, code: i32) -> Result<Printed, String> {
        parse(TRIPLE, &(text.to_owned(), Some(code))).map_err(|fault| fault.to_string())
    }

    #[test]
    fn a_digest_that_differs_is_named_and_so_is_one_that_is_missing() {
        let here = digests(&[("aead", "a5"), ("hash", "5a")]);
        let differs = digests(&[("aead", "a5"), ("hash", "ff")]);
        let fault = agree(&here, "this machine", &differs, TRIPLE).expect_err("it differs").to_string();
        assert!(
            fault.starts_with(
                "the digest `hash` is ff on riscv32imc-unknown-none-elf, but 5a by this machine"
            ),
            "{fault}"
        );
        let fewer = digests(&[("hash", "5a")]);
        let fault = agree(&here, "this machine", &fewer, TRIPLE).expect_err("one is missing").to_string();
        assert_eq!(fault, "the digest `aead` is missing on riscv32imc-unknown-none-elf.");
        assert!(agree(&fewer, VECTORS, &here, "this machine").is_ok(), "vectors may be fewer");
    }

    #[test]
    fn what_the_program_prints_is_read_and_its_peak_is_the_largest() {
        let printed = parse_run("hash 5a 0\naead a5 96\nstream 00 7\n", 0).expect("it is well formed");
        assert_eq!(printed.digests, digests(&[("aead", "a5"), ("hash", "5a"), ("stream", "00")]));
        assert_eq!(printed.peak_heap, 96);
        assert!(parse_run("hash 5a\n", 0).is_err());
        assert!(parse_run("hash 5a many\n", 0).is_err());
    }

    #[test]
    fn a_program_that_fails_or_hangs_is_told_with_its_last_words() {
        let failed = parse_run("hash 5a 0\npanicked at lib.rs\n", 1).expect_err("it failed");
        assert!(failed.ends_with("failed; the last it said was: panicked at lib.rs"), "{failed}");
        let hung = parse_run("", 124).expect_err("it hung");
        assert!(hung.ends_with("did not end in time; the last it said was: nothing"), "{hung}");
    }

    #[test]
    fn a_section_is_found_by_its_whole_name() {
        let table = "a.elf  :\nsection  size  addr\n.text.start  4  0\n.text  274024  2147483648\n";
        assert_eq!(section(table, ".text"), Some(274_024));
        assert_eq!(section(table, ".rodata"), None);
    }

    #[test]
    fn the_vectors_have_what_is_compared() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("xtask lies in the workspace");
        let committed = committed(root).expect("the vectors are there");
        assert!(committed.values().all(|digest| digest.len() == 64), "{committed:?}");
    }
}
