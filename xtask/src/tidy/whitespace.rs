//! Text files end their lines in one way. Seeds of fuzzers are none, even if their bytes happen to be characters.

use crate::tidy::Finding;
use crate::tidy::tree::Tree;

/// Inputs of fuzz targets, byte for byte.
const SEEDS: &str = "fuzz/seeds/";

/// Findings on carriage returns, white space at the end of a line, and files without a final newline or with several.
pub(crate) fn check(tree: &Tree) -> Vec<Finding> {
    let texts = tree.files.iter().filter(|(path, _)| !path.starts_with(SEEDS));
    texts.flat_map(|(path, text)| check_text(path, text)).collect()
}

fn check_text(path: &str, text: &str) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (number, line) in (1..).zip(text.split('\n')) {
        if line.ends_with('\r') {
            findings.push(Finding::new(path, number, "a carriage return at the end of the line."));
        } else if line.ends_with([' ', '\t']) {
            findings.push(Finding::new(path, number, "white space at the end of the line."));
        }
    }
    if !text.is_empty() && (!text.ends_with('\n') || text.ends_with("\n\n")) {
        findings.push(Finding::new(path, text.lines().count(), "a file ends with one newline."));
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::fixture::{places, tree};

    #[test]
    fn a_seed_of_a_fuzzer_may_be_any_bytes() {
        assert_eq!(
            check(&tree(&[("fuzz/seeds/frame/sample-00", "\t\r\n \n\n"), ("fuzz/a.rs", "// A\n")])),
            []
        );
        assert_eq!(places(&check(&tree(&[("fuzz/seeds.rs", "// S")]))), [("fuzz/seeds.rs", 1)]);
    }

    #[test]
    fn every_way_to_end_a_line_but_one_is_found() {
        let tree = tree(&[
            ("a.rs", "fn a() {}\n"),
            ("b.rs", "fn b() {} \n\t\n"),
            ("c.md", "# C\r\n"),
            ("d.md", "# D"),
            ("e.md", "# E\n\n"),
            ("f.md", ""),
        ]);
        assert_eq!(places(&check(&tree)), [("b.rs", 1), ("b.rs", 2), ("c.md", 1), ("d.md", 1), ("e.md", 2)]);
    }
}
