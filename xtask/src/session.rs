//! What a run of xtask knows about the workspace it works on.

use std::env;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::cargo;
use crate::fault::Fault;
use crate::metadata::Metadata;

/// The workspace, and what earlier stages prepared for later ones.
#[derive(Debug)]
pub(crate) struct Session {
    workspace: Metadata,
    stock_python: Option<PathBuf>,
}

impl Session {
    /// Asks cargo about the workspace that xtask was built from.
    ///
    /// Refuses a `Cargo.lock` that does not fit the manifests: what is tested is what is committed.
    pub(crate) fn open() -> Result<Self, Fault> {
        let program = env::var_os("CARGO").unwrap_or_else(|| OsString::from("cargo"));
        let manifest = Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml");
        let mut command = Command::new(program);
        command.args(["metadata", "--locked", "--no-deps", "--format-version", "1", "--manifest-path"]);
        let text = cargo::capture(command.arg(manifest))?;
        let workspace =
            serde_json::from_str(&text).map_err(|error| Fault::json("cargo's metadata", &error))?;
        Ok(Self { workspace, stock_python: None })
    }

    /// The workspace's own packages, dependencies not resolved.
    pub(crate) const fn workspace(&self) -> &Metadata {
        &self.workspace
    }

    /// The workspace's root folder.
    pub(crate) fn root(&self) -> &Path {
        &self.workspace.workspace_root
    }

    /// Where cargo builds; everything xtask makes lies below it.
    pub(crate) fn target(&self) -> &Path {
        &self.workspace.target_directory
    }

    /// The Python that has the stock Reticulum package, once prepared.
    pub(crate) fn stock_python(&self) -> Option<&Path> {
        self.stock_python.as_deref()
    }

    /// Later cargo commands tell the tests of this Python as `NEXUS_STOCK_PYTHON`.
    pub(crate) fn set_stock_python(&mut self, python: PathBuf) {
        self.stock_python = Some(python);
    }
}
