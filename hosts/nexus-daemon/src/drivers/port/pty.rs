//! A port that is no hardware: what a test plugs in and pulls out.

use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};

use super::tty::Tty;

/// The modem's end of a cable. Dropping it pulls the plug.
pub(in crate::drivers) struct Plugged {
    pub(in crate::drivers) modem: Tty,
    path: PathBuf,
}

impl Plugged {
    /// Plugs a modem in, under a name that it keeps.
    pub(in crate::drivers) fn at(path: &Path) -> Self {
        let modem = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC).unwrap();
        grantpt(&modem).unwrap();
        unlockpt(&modem).unwrap();
        fcntl_setfl(&modem, fcntl_getfl(&modem).unwrap() | OFlags::NONBLOCK).unwrap();
        let name = ptsname(&modem, Vec::new()).unwrap();
        symlink(name.to_str().unwrap(), path).unwrap();
        Self { modem: Tty::over(modem).unwrap(), path: path.to_owned() }
    }
}

impl Drop for Plugged {
    fn drop(&mut self) {
        // A test that ends takes the directory with it.
        let _gone = std::fs::remove_file(&self.path);
    }
}
