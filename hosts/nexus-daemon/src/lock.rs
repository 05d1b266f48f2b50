//! One process for each state directory. The lock is the kernel's: it ends with the process, however that ends.

use std::fs::{File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::PathBuf;

use rustix::fs::{FlockOperation, flock};
use thiserror::Error;

use crate::state_dir::StateDir;

/// Why the state directory cannot be locked.
#[derive(Debug, Error)]
pub enum LockError {
    /// Another process runs.
    #[error("a node runs for {state} already (process {})", known(*pid))]
    Held {
        /// The state directory.
        state: PathBuf,
        /// The process, if it has said so.
        pid: Option<u32>,
    },
    /// The system refuses.
    #[error("the lock {path} cannot be taken: {cause}")]
    System {
        /// The lock's file.
        path: PathBuf,
        /// What the system says.
        cause: io::Error,
    },
}

fn known(pid: Option<u32>) -> String {
    pid.map_or_else(|| "unknown".to_owned(), |pid| pid.to_string())
}

/// A held lock: free again when dropped.
#[derive(Debug)]
pub struct Lock {
    _held: File,
}

impl Lock {
    /// Takes the lock and writes this process's id into it.
    pub fn take(state: &StateDir) -> Result<Self, LockError> {
        let path = state.lock();
        let refused = |cause| LockError::System { path: path.clone(), cause };
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false).mode(0o600);
        let mut file = options.open(&path).map_err(refused)?;
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {}
            Err(rustix::io::Errno::WOULDBLOCK) => {
                let pid = written(&mut file);
                return Err(LockError::Held { state: state.path().to_owned(), pid });
            }
            Err(cause) => return Err(refused(cause.into())),
        }
        file.set_len(0).map_err(refused)?;
        file.write_all(format!("{}\n", std::process::id()).as_bytes()).map_err(refused)?;
        Ok(Self { _held: file })
    }

    /// The process that holds it; none if nobody does.
    pub fn holder(state: &StateDir) -> Result<Option<u32>, LockError> {
        let path = state.lock();
        let mut file = match File::open(&path) {
            Ok(file) => file,
            Err(cause) if cause.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(cause) => return Err(LockError::System { path, cause }),
        };
        match flock(&file, FlockOperation::NonBlockingLockShared) {
            Ok(()) => Ok(None),
            Err(rustix::io::Errno::WOULDBLOCK) => Ok(Some(written(&mut file).unwrap_or(0))),
            Err(cause) => Err(LockError::System { path, cause: cause.into() }),
        }
    }
}

fn written(file: &mut File) -> Option<u32> {
    let mut text = String::new();
    file.take(32).read_to_string(&mut text).ok()?;
    text.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_holder_is_told_which_process_is_the_first() {
        let directory = tempfile::tempdir().unwrap();
        let state = StateDir::locate(Some(directory.path().to_owned())).unwrap();
        assert_eq!(Lock::holder(&state).unwrap(), None);
        let held = Lock::take(&state).unwrap();
        let refusal = Lock::take(&state).unwrap_err().to_string();
        let me = std::process::id();
        assert!(refusal.ends_with(&format!("already (process {me})")), "{refusal}");
        assert_eq!(Lock::holder(&state).unwrap(), Some(me));
        drop(held);
        assert_eq!(Lock::holder(&state).unwrap(), None);
        Lock::take(&state).unwrap();
    }
}
