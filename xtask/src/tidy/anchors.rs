//! Citations of the spec resolve: the chapter is there, and its anchor is a heading.

use crate::tidy::Finding;
use crate::tidy::markdown;
use crate::tidy::tree::Tree;

/// Findings on citations, in Rust comments and in Markdown, of chapters or anchors that are not there.
pub(crate) fn check(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (path, lines) in tree.rust() {
        for (number, line) in (1..).zip(lines) {
            findings.extend(check_line(tree, path, number, &line.comment));
        }
    }
    for (path, text) in tree.with_extension("md") {
        for (number, line) in markdown::prose(text) {
            findings.extend(check_line(tree, path, number, line));
        }
    }
    findings
}

fn check_line(tree: &Tree, path: &str, number: usize, text: &str) -> Vec<Finding> {
    citations(text)
        .filter_map(|citation| {
            let (chapter, anchor) = citation.split_once('#').unwrap_or((citation, ""));
            let message = match tree.files.get(chapter) {
                None => format!("{chapter} is no chapter of the spec."),
                Some(text) if !anchor.is_empty() && !markdown::anchors(text).contains(anchor) => {
                    format!("{chapter} has no heading #{anchor}.")
                }
                Some(_) => return None,
            };
            Some(Finding::new(path, number, message))
        })
        .collect()
}

/// Whatever reads `spec/<chapter>.md`, with or without an anchor.
fn citations(text: &str) -> impl Iterator<Item = &str> {
    text.match_indices("spec/").filter_map(|(at, _)| {
        let inside_word = text[..at].ends_with(|before: char| before.is_alphanumeric() || before == '-');
        let rest = &text[at..];
        let is_part =
            |character: char| character.is_alphanumeric() || matches!(character, '/' | '-' | '_' | '.' | '#');
        let end = rest.find(|character| !is_part(character)).unwrap_or(rest.len());
        let citation = rest[..end].trim_end_matches(['.', '#']);
        let is_chapter = markdown::is_page(citation.split('#').next().unwrap_or_default());
        (is_chapter && !inside_word).then_some(citation)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::fixture::{places, tree};

    #[test]
    fn citations_that_do_not_resolve_are_found_with_their_line() {
        let code = "/// See `spec/wire.md#cost-record`, and spec/wire.md.\n\
                    //! [x](../../spec/wire.md#gone)\n\
                    // spec/gone.md says so\n\
                    const A: &str = \"spec/gone.md\"; // spec/vectors/a.json\n";
        let tree = tree(&[
            ("a.rs", code),
            ("spec/wire.md", "# Wire\n## Cost record\n"),
            ("ARCHITECTURE.md", "As `spec/wire.md#wire` says,\nand spec/wire.md#wired does not.\n"),
        ]);
        assert_eq!(places(&check(&tree)), [("a.rs", 2), ("a.rs", 3), ("ARCHITECTURE.md", 2)]);
    }
}
