//! Every crate of the core opens with the same lint header, and has no features.

use crate::metadata::Metadata;
use crate::tidy::Finding;
use crate::tidy::tree::Tree;

/// What follows the documentation of every `lib.rs` under `protocol/`.
const HEADER: &str = include_str!("crate_roots/header.txt");

/// Findings on crate roots whose header differs, or that allow anything beside it, and on features.
pub(crate) fn check(tree: &Tree, metadata: &Metadata) -> Vec<Finding> {
    let mut findings = Vec::new();
    for package in metadata.protocol() {
        let manifest = metadata.relative(&package.manifest_path);
        if let Some(name) = package.features.keys().next() {
            let message =
                format!("feature `{name}`: an optional part is a type the host chooses, not a feature.");
            findings.push(Finding::new(&manifest, 0, message));
        }
        let root = manifest.replace("Cargo.toml", "src/lib.rs");
        match tree.files.get(&root) {
            None => findings.push(Finding::new(&manifest, 0, "a crate of the core has a src/lib.rs.")),
            Some(text) => findings.extend(check_root(&root, text)),
        }
    }
    findings
}

fn check_root(path: &str, text: &str) -> Option<Finding> {
    let documentation = |line: &&str| line.starts_with("//!") || line.is_empty();
    let above = text.lines().take_while(documentation).count();
    let rest: Vec<_> = text.lines().skip(above).collect();
    let header: Vec<_> = HEADER.lines().collect();
    if !rest.starts_with(&header) {
        let kept = rest.iter().zip(&header).take_while(|(line, header)| line == header).count();
        let message =
            format!("below its documentation the crate opens with the header in {}/header.txt.", folder());
        return Some(Finding::new(path, above + kept + 1, message));
    }
    let extra = rest.iter().skip(header.len()).position(|line| line.starts_with("#!["))?;
    let message = "a crate-wide attribute beside the header: state it where it is needed, with its reason.";
    Some(Finding::new(path, above + header.len() + extra + 1, message))
}

fn folder() -> &'static str {
    file!().trim_end_matches(".rs")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::fixture::{places, tree, workspace};

    const ROOT: &str = "protocol/nexus-wire/src/lib.rs";

    fn check_text(text: &str) -> Vec<Finding> {
        check(&tree(&[(ROOT, text)]), &workspace(&[("protocol/nexus-wire", &[])]))
    }

    #[test]
    fn the_header_below_the_documentation_passes() {
        assert_eq!(check_text(&format!("//! Formats.\n{HEADER}\nextern crate alloc;\n")), []);
    }

    #[test]
    fn a_weaker_header_is_found_at_the_line_that_differs() {
        let weaker = HEADER.replace("    clippy::indexing_slicing,\n", "");
        assert_eq!(places(&check_text(&format!("//! Formats.\n{weaker}"))), [(ROOT, 7)]);
        assert_eq!(places(&check_text("//! Formats.\n")), [(ROOT, 2)]);
    }

    #[test]
    fn a_crate_wide_allowance_is_found() {
        let text = format!("//! Formats.\n{HEADER}#![allow(clippy::panic)]\n");
        assert_eq!(places(&check_text(&text)), [(ROOT, HEADER.lines().count() + 2)]);
    }

    #[test]
    fn features_are_found_in_the_core_only() {
        let mut metadata = workspace(&[("protocol/nexus-wire", &[]), ("hosts/nexus-cli", &[])]);
        for package in &mut metadata.packages {
            package.features.insert("fast".to_owned(), Vec::new());
        }
        let tree = tree(&[(ROOT, &format!("//! Formats.\n{HEADER}"))]);
        assert_eq!(places(&check(&tree, &metadata)), [("protocol/nexus-wire/Cargo.toml", 0)]);
    }
}
