//! `cargo xtask tidy`: the rules of the house that lints cannot see.
//!
//! Each rule is a module with one function from the tree (or cargo's metadata) to findings, and tests on small
//! fixtures that fail without the rule.

mod anchors;
mod arrows;
mod comments;
mod crate_roots;
mod cryptography;
mod files;
mod licence_files;
mod links;
mod manifests;
mod markdown;
mod module_names;
mod rust_text;
mod test_habits;
mod tree;
mod vectors;
mod whitespace;

use crate::fault::Fault;
use crate::session::Session;
use crate::stages::Note;
use crate::tidy::tree::Tree;

/// One thing that is against a rule.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Finding {
    /// Path relative to the root.
    path: String,
    /// Line, from 1; 0 if it is about the whole file.
    line: usize,
    /// What is wrong, and what to do.
    message: String,
    weight: Weight,
}

/// Whether a finding fails the check.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Weight {
    Error,
    Warning,
}

impl Finding {
    fn new(path: &str, line: usize, message: impl Into<String>) -> Self {
        Self { path: path.to_owned(), line, message: message.into(), weight: Weight::Error }
    }

    fn warning(path: &str, line: usize, message: impl Into<String>) -> Self {
        Self { weight: Weight::Warning, ..Self::new(path, line, message) }
    }

    fn shown(&self) -> String {
        let place = if self.line == 0 { self.path.clone() } else { format!("{}:{}", self.path, self.line) };
        match self.weight {
            Weight::Error => format!("{place}: {}", self.message),
            Weight::Warning => format!("{place}: warning: {}", self.message),
        }
    }
}

/// Holds the tree to every rule; prints the findings.
pub(crate) fn run(session: &Session) -> Result<Note, Fault> {
    let tree = Tree::read(session.root())?;
    let metadata = session.workspace();
    let mut findings: Vec<Finding> = [
        anchors::check(&tree),
        arrows::check(metadata),
        comments::check(&tree),
        crate_roots::check(&tree, metadata),
        cryptography::check(metadata),
        files::check(&tree),
        licence_files::check(&tree, metadata),
        links::check(&tree),
        manifests::check(&tree, metadata),
        module_names::check(&tree),
        test_habits::check(&tree),
        vectors::check(&tree),
        whitespace::check(&tree),
    ]
    .into_iter()
    .flatten()
    .collect();
    findings.sort();
    for finding in &findings {
        println!("{}", finding.shown());
    }
    let errors = findings.iter().filter(|finding| finding.weight == Weight::Error).count();
    let warnings = findings.len() - errors;
    match errors {
        0 => Ok(format!("{} files, {warnings} warnings", tree.files.len())),
        1 => Err(Fault::new("tidy has 1 finding (above).")),
        several => Err(Fault::new(format!("tidy has {several} findings (above)."))),
    }
}

#[cfg(test)]
mod fixture {
    //! What the rules' tests are written in.

    use super::{Finding, Tree};

    /// A tree of these files.
    pub(super) fn tree(files: &[(&str, &str)]) -> Tree {
        Tree::of(files.iter().map(|(path, text)| ((*path).to_owned(), (*text).to_owned())))
    }

    /// Path and line of every finding.
    pub(super) fn places(findings: &[Finding]) -> Vec<(&str, usize)> {
        findings.iter().map(|finding| (finding.path.as_str(), finding.line)).collect()
    }

    /// A dependency's name and kind.
    type Arrow<'a> = (&'a str, Option<&'a str>);

    /// Cargo's metadata of a workspace of packages, each a folder with dependencies.
    pub(super) fn workspace(packages: &[(&str, &[Arrow<'_>])]) -> crate::metadata::Metadata {
        let packages: Vec<_> = packages
            .iter()
            .map(|(folder, dependencies)| {
                let dependencies: Vec<_> = dependencies
                    .iter()
                    .map(|(name, kind)| serde_json::json!({ "name": name, "kind": kind }))
                    .collect();
                serde_json::json!({
                    "name": folder.rsplit('/').next(),
                    "version": "0.1.0",
                    "license": "MIT OR Apache-2.0",
                    "manifest_path": format!("/root/{folder}/Cargo.toml"),
                    "dependencies": dependencies,
                    "features": {},
                    "targets": [],
                    "rust_version": null,
                })
            })
            .collect();
        let metadata = serde_json::json!({
            "packages": packages, "workspace_root": "/root", "target_directory": "/root/target"
        });
        serde_json::from_value(metadata).expect("the fixture has the shape of cargo's metadata")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_finding_is_shown_with_its_place() {
        assert_eq!(Finding::new("a.rs", 3, "no.").shown(), "a.rs:3: no.");
        assert_eq!(Finding::warning("a.rs", 0, "long.").shown(), "a.rs: warning: long.");
    }
}
