//! The examples within the documentation, which nextest does not run.

use std::fs;
use std::path::Path;

use crate::cargo::{self, cargo};
use crate::fault::Fault;
use crate::metadata::Package;
use crate::session::Session;
use crate::stages::Note;

/// Runs the examples of every library that has some. Looking for them in one that has none costs its compilation, and most
/// have none.
pub(crate) fn run(session: &mut Session) -> Result<Note, Fault> {
    let mut command = cargo(session);
    command.args(["test", "--locked", "--doc", "--quiet"]);
    let mut crates = 0;
    for package in &session.workspace().packages {
        let is_library = package.targets_of_kind("lib").next().is_some();
        if is_library && has_examples(package)? {
            command.args(["--package", &package.name]);
            crates += 1;
        }
    }
    if crates == 0 {
        return Err(Fault::new("no library has an example in its documentation, which cannot be."));
    }
    cargo::run(&mut command)?;
    Ok(format!("{crates} crates have examples"))
}

fn has_examples(package: &Package) -> Result<bool, Fault> {
    let folder = package.manifest_path.parent().unwrap_or(Path::new(".")).join("src");
    folder_has_examples(&folder)
}

fn folder_has_examples(folder: &Path) -> Result<bool, Fault> {
    let unreadable = |path: &Path, error| Fault::new(format!("{} cannot be read: {error}.", path.display()));
    for entry in fs::read_dir(folder).map_err(|error| unreadable(folder, error))? {
        let path = entry.map_err(|error| unreadable(folder, error))?.path();
        if path.is_dir() {
            if folder_has_examples(&path)? {
                return Ok(true);
            }
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = fs::read_to_string(&path).map_err(|error| unreadable(&path, error))?;
            if has_example(&text) {
                return Ok(true);
            }
        }
    }
    Ok(false)
}

/// Whether rustdoc would take something in this source text for an example to run. A fence that closes a block looks like one
/// that opens a block of Rust, so blocks are followed from fence to fence.
fn has_example(source: &str) -> bool {
    let mut within = false;
    source.lines().any(|line| {
        let line = line.trim_start();
        let Some(text) = line.strip_prefix("///").or_else(|| line.strip_prefix("//!")) else {
            within = false;
            return false;
        };
        let Some(language) = text.trim().strip_prefix("```") else { return false };
        within = !within;
        within && !language.split(',').any(|word| word.trim() == "text")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_of_text_is_no_example_and_its_closing_fence_neither() {
        assert!(!has_example("//! Heads:\n//!\n//! ```text\n//! 1vvvkkkk\n//! ```\nfn f() {}\n"));
        assert!(!has_example("// ```\n// let x = 1;\n// ```\n"), "no documentation");
    }

    #[test]
    fn blocks_of_rust_are_examples_whatever_else_is_said_of_them() {
        assert!(has_example("    /// ```\n    /// assert!(true);\n    /// ```\n"));
        assert!(has_example("/// ```should_panic\n/// panic!();\n/// ```\n"));
        assert!(has_example("/// ```text\n/// a\n/// ```\n///\n/// ```\n/// assert!(true);\n/// ```\n"));
    }
}
