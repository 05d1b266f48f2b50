//! A module is named after its idea.

use crate::tidy::Finding;
use crate::tidy::tree::Tree;

/// Names that say nothing of what is inside.
const BANNED: [&str; 7] = ["common", "helper", "helpers", "misc", "shared", "util", "utils"];

/// Findings on Rust files, folders and inline modules with such a name, and on `mod.rs`.
pub(crate) fn check(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (path, lines) in tree.rust() {
        if path.ends_with("/mod.rs") {
            let message = "no mod.rs: the module `foo` is foo.rs beside its folder foo/.";
            findings.push(Finding::new(path, 0, message));
        }
        let parts = path.trim_end_matches(".rs").split('/');
        findings.extend(parts.filter(|part| BANNED.contains(part)).map(|part| finding(path, 0, part)));
        for (number, line) in (1..).zip(lines) {
            let name = module_name(&line.code).filter(|name| BANNED.contains(name));
            findings.extend(name.map(|name| finding(path, number, name)));
        }
    }
    findings
}

fn finding(path: &str, line: usize, name: &str) -> Finding {
    Finding::new(path, line, format!("`{name}` says nothing: name the idea (`backoff`, `replay_window`)."))
}

fn module_name(code: &str) -> Option<&str> {
    let (before, after) = code.split_once("mod ")?;
    let starts_word = before.trim().is_empty() || before.trim_start().starts_with("pub");
    let name = after.split(|character: char| !character.is_alphanumeric() && character != '_').next()?;
    starts_word.then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::fixture::{places, tree};

    #[test]
    fn names_that_say_nothing_are_found_in_paths_and_declarations() {
        let tree = tree(&[
            ("a/src/utils.rs", ""),
            ("a/src/wire/mod.rs", ""),
            ("a/tests/common/peer.rs", ""),
            ("a/src/lib.rs", "mod backoff;\npub(crate) mod helpers;\n// mod misc;\n"),
            ("docs/common/page.md", ""),
        ]);
        let expected = [
            ("a/src/lib.rs", 2),
            ("a/src/utils.rs", 0),
            ("a/src/wire/mod.rs", 0),
            ("a/tests/common/peer.rs", 0),
        ];
        assert_eq!(places(&check(&tree)), expected);
    }
}
