//! The licence texts are there, and every crate is under them.

use crate::metadata::Metadata;
use crate::tidy::Finding;
use crate::tidy::tree::Tree;

const LICENCE: &str = "MIT OR Apache-2.0";

/// Each text's file, and what it opens with.
const TEXTS: [(&str, &str); 2] = [("LICENSE-MIT", "MIT License"), ("LICENSE-APACHE", "Apache License")];

/// Findings on missing texts and on crates under anything else.
pub(crate) fn check(tree: &Tree, metadata: &Metadata) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (path, title) in TEXTS {
        let text = tree.files.get(path);
        if !text.is_some_and(|text| text.trim_start().starts_with(title)) {
            findings.push(Finding::new(path, 0, format!("the text of the {title} belongs here.")));
        }
    }
    for package in &metadata.packages {
        if package.license.as_deref() != Some(LICENCE) {
            let path = metadata.relative(&package.manifest_path);
            findings.push(Finding::new(&path, 0, "`license.workspace = true` is missing."));
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::fixture::{places, tree, workspace};

    #[test]
    fn a_missing_text_and_a_crate_under_another_licence_are_found() {
        let tree = tree(&[("LICENSE-MIT", "MIT License\n"), ("LICENSE-APACHE", "")]);
        let mut metadata = workspace(&[("hosts/nexus-cli", &[]), ("protocol/nexus-wire", &[])]);
        metadata.packages[1].license = None;
        let expected = [("LICENSE-APACHE", 0), ("protocol/nexus-wire/Cargo.toml", 0)];
        assert_eq!(places(&check(&tree, &metadata)), expected);
    }
}
