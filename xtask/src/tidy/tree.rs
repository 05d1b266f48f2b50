//! The files that are, or would be, committed.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;

use crate::cargo;
use crate::fault::Fault;
use crate::tidy::rust_text::{self, Line};

/// Every text file, by its path relative to the root.
#[derive(Debug)]
pub(crate) struct Tree {
    pub(crate) files: BTreeMap<String, String>,
    /// The Rust files among them, split into code and comment.
    rust: BTreeMap<String, Vec<Line>>,
    /// Paths of files that are not text.
    binary: Vec<String>,
}

impl Tree {
    /// Reads what git tracks, and what it would track: everything that is not ignored.
    pub(crate) fn read(root: &Path) -> Result<Self, Fault> {
        let mut list = Command::new("git");
        list.current_dir(root).args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"]);
        let mut files = BTreeMap::new();
        let mut binary = Vec::new();
        for path in cargo::capture(&mut list)?.split_terminator('\0') {
            let full = root.join(path);
            if !full.is_file() {
                continue;
            }
            let bytes = fs::read(&full).map_err(|error| Fault::io(&full, &error))?;
            match String::from_utf8(bytes) {
                Ok(text) if !text.contains('\0') => drop(files.insert(path.to_owned(), text)),
                _ => binary.push(path.to_owned()),
            }
        }
        Ok(Self { binary, ..Self::of(files) })
    }

    /// A tree of these files.
    pub(crate) fn of(files: impl IntoIterator<Item = (String, String)>) -> Self {
        let files: BTreeMap<_, _> = files.into_iter().collect();
        let is_rust = |(path, _): &(&String, &String)| has_extension(path, "rs");
        let rust = files.iter().filter(is_rust).map(|(path, text)| (path.clone(), rust_text::split(text)));
        let rust = rust.collect();
        Self { files, rust, binary: Vec::new() }
    }

    /// The Rust files, split into code and comment.
    pub(crate) fn rust(&self) -> impl Iterator<Item = (&str, &[Line])> {
        self.rust.iter().map(|(path, lines)| (path.as_str(), lines.as_slice()))
    }

    /// The files of one extension, as text.
    pub(crate) fn with_extension(&self, extension: &'static str) -> impl Iterator<Item = (&str, &str)> {
        self.files
            .iter()
            .filter(move |(path, _)| has_extension(path, extension))
            .map(|(path, text)| (path.as_str(), text.as_str()))
    }

    /// Whether there is such a file, or a folder with a file in it.
    pub(crate) fn has(&self, path: &str) -> bool {
        let folder = format!("{path}/");
        let mut all = self.files.keys().chain(&self.binary);
        path.is_empty() || all.any(|known| known == path || known.starts_with(&folder))
    }
}

fn has_extension(path: &str, wanted: &str) -> bool {
    Path::new(path).extension().is_some_and(|extension| extension == wanted)
}

#[cfg(test)]
mod tests {
    use crate::tidy::fixture;

    #[test]
    fn folders_are_there_with_their_files() {
        let tree = fixture::tree(&[("spec/wire.md", "")]);
        assert!(tree.has("spec/wire.md") && tree.has("spec") && tree.has(""));
        assert!(!tree.has("spec/wire") && !tree.has("wire.md"));
    }
}
