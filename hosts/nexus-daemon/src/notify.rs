//! What a service manager wants to hear, if there is one (`sd_notify(3)`).

use std::ffi::OsStr;
use std::io;
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::net::{SocketAddr, UnixDatagram};

/// What is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// It runs and answers.
    Ready,
    /// It ends.
    Stopping,
}

/// Tells the service manager named by `NOTIFY_SOCKET`; does nothing without one.
pub fn tell(state: State) -> io::Result<()> {
    match std::env::var_os("NOTIFY_SOCKET") {
        Some(name) if !name.is_empty() => tell_at(&name, state),
        _ => Ok(()),
    }
}

fn tell_at(name: &OsStr, state: State) -> io::Result<()> {
    let address = match name.as_bytes() {
        [b'@', rest @ ..] => SocketAddr::from_abstract_name(rest)?,
        _ => SocketAddr::from_pathname(name)?,
    };
    let line: &[u8] = match state {
        State::Ready => b"READY=1\n",
        State::Stopping => b"STOPPING=1\n",
    };
    UnixDatagram::unbound()?.send_to_addr(line, &address).map(|_| ())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_service_manager_hears_of_both() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("notify");
        let manager = UnixDatagram::bind(&path).unwrap();
        let mut heard = [0; 32];
        for (state, line) in [(State::Ready, "READY=1\n"), (State::Stopping, "STOPPING=1\n")] {
            tell_at(path.as_os_str(), state).unwrap();
            let length = manager.recv(&mut heard).unwrap();
            assert_eq!(&heard[..length], line.as_bytes());
        }
    }
}
