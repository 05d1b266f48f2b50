//! Every file of test vectors is read by a test.

use crate::tidy::Finding;
use crate::tidy::tree::Tree;

const FOLDER: &str = "spec/vectors/";

/// Findings on vectors whose file name stands in no string of a Rust file that has tests.
pub(crate) fn check(tree: &Tree) -> Vec<Finding> {
    let vectors = tree.with_extension("json").filter(|(path, _)| path.starts_with(FOLDER));
    vectors
        .filter(|(path, _)| !is_read(tree, path.trim_start_matches("spec/")))
        .map(|(path, _)| Finding::new(path, 0, "no test reads these vectors."))
        .collect()
}

/// `name` is `vectors/<file>`, which ends every path to the file, so that `wire.json` is not taken for `nexus-wire.json`.
fn is_read(tree: &Tree, name: &str) -> bool {
    tree.rust().any(|(_, lines)| {
        lines.iter().any(|line| line.code.contains("#[test]"))
            && lines.iter().any(|line| line.strings.contains(name))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::fixture::{places, tree};

    #[test]
    fn vectors_that_no_test_reads_are_found() {
        let tree = tree(&[
            ("spec/vectors/wire.json", "{}\n"),
            ("spec/vectors/nexus-wire.json", "{}\n"),
            ("spec/vectors/packet.json", "{}\n"),
            (
                "a/tests/v.rs",
                "const V: &str = include_str!(\"../../spec/vectors/nexus-wire.json\");\n#[test]\n",
            ),
            ("a/src/lib.rs", "const V: &str = include_str!(\"../../spec/vectors/packet.json\");\n"),
        ]);
        assert_eq!(places(&check(&tree)), [("spec/vectors/packet.json", 0), ("spec/vectors/wire.json", 0)]);
    }
}
