//! A file is one idea.

use crate::tidy::Finding;
use crate::tidy::tree::Tree;

/// Lines above which a file is long.
const LONG: usize = 500;
/// Lines above which it is two ideas.
const TOO_LONG: usize = 800;

/// Findings on Rust files that are too long, and warnings on those on their way.
pub(crate) fn check(tree: &Tree) -> Vec<Finding> {
    tree.with_extension("rs").filter_map(|(path, text)| check_length(path, text.lines().count())).collect()
}

fn check_length(path: &str, lines: usize) -> Option<Finding> {
    if lines > TOO_LONG {
        Some(Finding::new(
            path,
            0,
            format!("{lines} lines are more than {TOO_LONG}: it is two ideas, split it."),
        ))
    } else if lines > LONG {
        Some(Finding::warning(path, 0, format!("{lines} lines are more than {LONG}: is it two ideas?")))
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::Weight;
    use crate::tidy::fixture::tree;

    #[test]
    fn a_long_file_is_warned_of_and_a_longer_one_refused() {
        let text = |lines: usize| "// line\n".repeat(lines);
        let tree = tree(&[
            ("a.rs", &text(500)),
            ("b.rs", &text(501)),
            ("c.rs", &text(800)),
            ("d.rs", &text(801)),
            ("e.md", &text(801)),
        ]);
        let found: Vec<_> = check(&tree).into_iter().map(|finding| (finding.path, finding.weight)).collect();
        let expected = [("b.rs", Weight::Warning), ("c.rs", Weight::Warning), ("d.rs", Weight::Error)];
        assert_eq!(found, expected.map(|(path, weight)| (path.to_owned(), weight)));
    }
}
