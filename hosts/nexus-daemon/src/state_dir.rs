//! The directory under which a daemon keeps everything: nobody else may enter it. Spec: spec/node.md#state-directory.

use std::ffi::OsString;
use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};

use thiserror::Error;

/// Bits that let the group or the world in.
pub(crate) const OTHERS: u32 = 0o077;

/// Why the directory cannot be used.
#[derive(Debug, Error)]
pub enum StateDirError {
    /// Nothing says where it is.
    #[error("no state directory is known: say --state DIR, or set NEXUS_STATE or HOME")]
    Unknown,
    /// Others may enter it.
    #[error("the state directory {path} can be entered by others (mode {mode:04o}): run `chmod 700 {path}`")]
    Exposed {
        /// The directory.
        path: PathBuf,
        /// Its mode.
        mode: u32,
    },
    /// It cannot be made or looked at.
    #[error("the state directory {path} cannot be used: {cause}")]
    Unusable {
        /// The directory.
        path: PathBuf,
        /// What the system says.
        cause: io::Error,
    },
}

/// Where a daemon keeps its state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StateDir(PathBuf);

impl StateDir {
    /// `chosen`, else `$NEXUS_STATE`, else `/var/lib/nexus` for root, else `$XDG_STATE_HOME/nexus` or `~/.local/state/nexus`.
    pub fn locate(chosen: Option<PathBuf>) -> Result<Self, StateDirError> {
        let found = Self::find(chosen, |name| std::env::var_os(name), rustix::process::geteuid().is_root())?;
        // Whoever reads the path in a log or a reply need not know where the daemon was started.
        let path = std::path::absolute(&found.0)
            .map_err(|cause| StateDirError::Unusable { path: found.0.clone(), cause })?;
        Ok(Self(path))
    }

    fn find(
        chosen: Option<PathBuf>,
        variable: impl Fn(&str) -> Option<OsString>,
        root: bool,
    ) -> Result<Self, StateDirError> {
        let said = |name: &str| variable(name).filter(|value| !value.is_empty()).map(PathBuf::from);
        let personal = || {
            said("XDG_STATE_HOME")
                .or_else(|| said("HOME").map(|home| home.join(".local/state")))
                .map(|base| base.join("nexus"))
        };
        let system = || root.then(|| PathBuf::from("/var/lib/nexus"));
        chosen
            .or_else(|| said("NEXUS_STATE"))
            .or_else(system)
            .or_else(personal)
            .map(Self)
            .ok_or(StateDirError::Unknown)
    }

    /// Makes it, for this user alone; refuses one that others may enter.
    pub fn make(&self) -> Result<(), StateDirError> {
        let unusable = |cause| StateDirError::Unusable { path: self.0.clone(), cause };
        if !self.0.exists() {
            DirBuilder::new().recursive(true).mode(0o700).create(&self.0).map_err(unusable)?;
        }
        let metadata = fs::metadata(&self.0).map_err(unusable)?;
        if !metadata.is_dir() {
            return Err(unusable(io::ErrorKind::NotADirectory.into()));
        }
        match metadata.mode() & 0o7777 {
            mode if mode & OTHERS != 0 => Err(StateDirError::Exposed { path: self.0.clone(), mode }),
            _ => Ok(()),
        }
    }

    /// The directory itself.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// The key file, if the configuration names no other.
    #[must_use]
    pub fn key(&self) -> PathBuf {
        self.0.join("identity.key")
    }

    /// The configuration, if there is one.
    #[must_use]
    pub fn config(&self) -> PathBuf {
        self.0.join("nexus.toml")
    }

    /// Locked by the process that runs, and holds its id.
    #[must_use]
    pub fn lock(&self) -> PathBuf {
        self.0.join("lock")
    }

    /// Where the running process answers.
    #[must_use]
    pub fn socket(&self) -> PathBuf {
        self.0.join("control.sock")
    }

    /// What a daemon that was started detached says.
    #[must_use]
    pub fn log(&self) -> PathBuf {
        self.0.join("log")
    }

    /// The line with which programs written for Reticulum may ask this node.
    #[must_use]
    pub fn rpc_key(&self) -> PathBuf {
        self.0.join("rpc_key")
    }

    /// What commands said of other nodes.
    #[must_use]
    pub fn peers(&self) -> PathBuf {
        self.0.join("peers.toml")
    }

    /// The store.
    #[must_use]
    pub fn store(&self) -> PathBuf {
        self.0.join(crate::store::FILE)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;

    fn found(chosen: Option<&str>, variables: &[(&str, &str)], root: bool) -> Option<PathBuf> {
        let variable = |name: &str| {
            variables.iter().find(|(known, _)| *known == name).map(|(_, value)| OsString::from(value))
        };
        StateDir::find(chosen.map(PathBuf::from), variable, root).ok().map(|found| found.0)
    }

    #[test]
    fn the_most_explicit_choice_wins() {
        let all = [("NEXUS_STATE", "/n"), ("XDG_STATE_HOME", "/x"), ("HOME", "/h")];
        assert_eq!(found(Some("/c"), &all, true), Some("/c".into()));
        assert_eq!(found(None, &all, true), Some("/n".into()));
        assert_eq!(found(None, &all[1..], true), Some("/var/lib/nexus".into()));
        assert_eq!(found(None, &all[1..], false), Some("/x/nexus".into()));
        assert_eq!(found(None, &all[2..], false), Some("/h/.local/state/nexus".into()));
        assert_eq!(found(None, &[("HOME", "")], false), None);
    }

    #[test]
    fn it_is_made_for_its_owner_alone_and_refused_if_others_may_enter() {
        let outer = tempfile::tempdir().unwrap();
        let state = StateDir(outer.path().join("a/state"));
        state.make().unwrap();
        assert_eq!(fs::metadata(state.path()).unwrap().mode() & 0o777, 0o700);
        fs::set_permissions(state.path(), fs::Permissions::from_mode(0o750)).unwrap();
        let refusal = state.make().unwrap_err().to_string();
        assert!(refusal.contains("mode 0750") && refusal.contains("chmod 700"), "{refusal}");
    }
}
