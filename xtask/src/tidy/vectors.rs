//! Every file of test vectors is read by a test.

use crate::tidy::Finding;
use crate::tidy::rust_text::Line;
use crate::tidy::tree::Tree;

const FOLDER: &str = "spec/vectors/";

/// Findings on vectors whose file name stands in no string of a Rust file that proves something.
pub(crate) fn check(tree: &Tree) -> Vec<Finding> {
    let vectors = tree.with_extension("json").filter(|(path, _)| path.starts_with(FOLDER));
    vectors
        .filter(|(path, _)| !is_read(tree, path.trim_start_matches(FOLDER)))
        .map(|(path, _)| Finding::new(path, 0, "no test reads these vectors."))
        .collect()
}

fn is_read(tree: &Tree, name: &str) -> bool {
    tree.rust()
        .any(|(path, lines)| proves(path, lines) && lines.iter().any(|line| names(&line.strings, name)))
}

/// A file with tests, one that belongs to a crate's tests, or the vocabulary that tests are written in.
fn proves(path: &str, lines: &[Line]) -> bool {
    path.starts_with("proving/")
        || path.split('/').any(|part| part == "tests" || part == "tests.rs")
        || lines.iter().any(|line| line.code.contains("#[test]"))
}

/// Whether a string is the file's name, or a path to it: `wire.json` is not named by `nexus-wire.json`.
fn names(strings: &str, name: &str) -> bool {
    let is_whole = |before: &str| before.is_empty() || before.ends_with([' ', '/']);
    strings.match_indices(name).any(|(at, _)| is_whole(&strings[..at]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::fixture::{places, tree};

    #[test]
    fn vectors_that_no_test_reads_are_found() {
        let tree = tree(&[
            ("spec/vectors/hash.json", "{}\n"),
            ("spec/vectors/key.json", "{}\n"),
            ("spec/vectors/nexus-wire.json", "{}\n"),
            ("spec/vectors/packet.json", "{}\n"),
            ("spec/vectors/wire.json", "{}\n"),
            ("proving/k/src/v.rs", "read(\"the name\", \"hash.json\");\n"),
            ("a/tests/v.rs", "const V: &str = \"spec/vectors/key.json\";\n"),
            ("a/src/v.rs", "#[test]\nfn f() {\n    include_str!(\"../nexus-wire.json\");\n}\n// wire.json\n"),
            ("a/src/lib.rs", "const V: &str = include_str!(\"../../spec/vectors/packet.json\");\n"),
        ]);
        assert_eq!(places(&check(&tree)), [("spec/vectors/packet.json", 0), ("spec/vectors/wire.json", 0)]);
    }
}
