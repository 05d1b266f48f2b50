//! What `cargo metadata` tells, as far as we ask.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Deserialize;

/// The workspace, or with dependencies resolved, everything it is built from.
#[derive(Debug, Deserialize)]
pub(crate) struct Metadata {
    /// With `--no-deps` the workspace's packages only.
    pub(crate) packages: Vec<Package>,
    /// Where the root manifest lies.
    pub(crate) workspace_root: PathBuf,
    /// Where cargo builds.
    pub(crate) target_directory: PathBuf,
}

/// One package.
#[derive(Debug, Deserialize)]
pub(crate) struct Package {
    /// Its name, unique within the workspace.
    pub(crate) name: String,
    /// Its version.
    pub(crate) version: String,
    /// Its licence as an SPDX expression, if it states one.
    pub(crate) license: Option<String>,
    /// Absolute path of its manifest.
    pub(crate) manifest_path: PathBuf,
    /// What it declares to depend on, of every kind and for every target.
    pub(crate) dependencies: Vec<Dependency>,
    /// Its features, including those implied by optional dependencies.
    pub(crate) features: BTreeMap<String, Vec<String>>,
    /// What is built from it.
    pub(crate) targets: Vec<Target>,
    /// The oldest compiler it claims to build with.
    pub(crate) rust_version: Option<String>,
}

/// One declared dependency.
#[derive(Debug, Deserialize)]
pub(crate) struct Dependency {
    /// The package's own name, whatever it is renamed to.
    pub(crate) name: String,
    /// `None` for a normal one.
    pub(crate) kind: Option<DependencyKind>,
}

/// What a dependency is for, when it is not an ordinary one.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub(crate) enum DependencyKind {
    /// Tests, examples and benches.
    Dev,
    /// The build script.
    Build,
}

/// One thing built from a package.
#[derive(Debug, Deserialize)]
pub(crate) struct Target {
    /// The target's name.
    pub(crate) name: String,
    /// `lib`, `bin`, `test`, `bench`, …
    pub(crate) kind: Vec<String>,
}

impl Metadata {
    /// The packages of the pure core.
    pub(crate) fn protocol(&self) -> impl Iterator<Item = &Package> {
        self.packages.iter().filter(|package| package.lies_under("protocol"))
    }

    /// `path` relative to the workspace's root, with `/` between its parts.
    pub(crate) fn relative(&self, path: &Path) -> String {
        path.strip_prefix(&self.workspace_root).unwrap_or(path).to_string_lossy().into_owned()
    }
}

impl Package {
    /// Whether the package's folder lies in a folder of this name.
    pub(crate) fn lies_under(&self, folder: &str) -> bool {
        let parent = self.manifest_path.parent().and_then(Path::parent);
        parent.and_then(Path::file_name).is_some_and(|name| name == folder)
    }

    /// The names of its targets of one kind.
    pub(crate) fn targets_of_kind(&self, kind: &str) -> impl Iterator<Item = &str> {
        let kind = kind.to_owned();
        self.targets
            .iter()
            .filter(move |target| target.kind.contains(&kind))
            .map(|target| target.name.as_str())
    }
}
