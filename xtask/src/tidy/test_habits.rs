//! Tests run, all of them, and wait for nothing but what they test.

use crate::tidy::Finding;
use crate::tidy::rust_text::Line;
use crate::tidy::tree::Tree;

/// Findings on ignored tests anywhere, and on sleeping in test code.
pub(crate) fn check(tree: &Tree) -> Vec<Finding> {
    tree.rust().flat_map(|(path, lines)| check_file(path, lines)).collect()
}

fn check_file(path: &str, lines: &[Line]) -> Vec<Finding> {
    let starts = |line: &Line| line.code.trim_start().starts_with("#[cfg(test)]");
    let in_tests_folder = path.split('/').any(|part| part == "tests");
    let test_code = if in_tests_folder { Some(0) } else { lines.iter().position(starts) };
    let mut findings = Vec::new();
    for (at, line) in lines.iter().enumerate() {
        let code = line.code.replace(' ', "");
        if code.contains("#[ignore") || (code.contains("cfg_attr(") && code.contains(",ignore")) {
            let message = "an ignored test proves nothing: run it, or remove it.";
            findings.push(Finding::new(path, at + 1, message));
        }
        if test_code.is_some_and(|start| at >= start) && sleeps(&code) {
            let message = "a test never sleeps: wait for what it tests, or drive the clock.";
            findings.push(Finding::new(path, at + 1, message));
        }
    }
    findings
}

fn sleeps(code: &str) -> bool {
    code.contains("thread::sleep") || (code.contains("thread::{") && code.contains("sleep"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::fixture::{places, tree};

    #[test]
    fn ignored_tests_are_found_with_and_without_a_reason() {
        let text = "#[ignore]\n#[ignore = \"slow\"]\n#[cfg_attr(miri, ignore)]\n// #[ignore]\n";
        assert_eq!(
            places(&check(&tree(&[("a/src/x.rs", text)]))),
            [("a/src/x.rs", 1), ("a/src/x.rs", 2), ("a/src/x.rs", 3)]
        );
    }

    #[test]
    fn sleeping_is_found_in_tests_and_allowed_to_hosts() {
        let text =
            "fn f() { thread::sleep(d); }\n#[cfg(test)]\nmod tests {\n    use std::thread::sleep;\n}\n";
        let found =
            check(&tree(&[("a/src/x.rs", text), ("a/tests/y.rs", "fn f() { std::thread::sleep(d) }")]));
        assert_eq!(places(&found), [("a/src/x.rs", 4), ("a/tests/y.rs", 1)]);
    }
}
