//! The end of a line at which a modem is, and what the line is made of.

use std::fs;
use std::io::{self, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};

use rustix::fs::OFlags;
use rustix::pty::OpenptFlags;
use rustix::termios::OptionalActions;

use super::{Address, Port};

/// One modem's line to its host.
#[derive(Debug)]
pub(super) enum Line {
    /// A pseudoterminal under a symbolic link.
    Terminal { link: PathBuf, open: Option<Terminal> },
    /// A TCP port, and who is connected: the last who came.
    Tcp { address: SocketAddr, listener: Option<TcpListener>, host: Option<TcpStream> },
}

#[derive(Debug)]
pub(super) struct Terminal {
    /// The modem's end.
    master: fs::File,
    /// The host's end, held open so that a host may close it and come back.
    _slave: OwnedFd,
}

/// What a host did.
pub(super) enum Heard {
    /// It said so many bytes.
    Bytes(usize),
    /// Another host took its place, or it went away: what was not read is for nobody.
    OtherHost,
    /// Nothing.
    Nothing,
}

impl Line {
    pub(super) fn open(port: Port, name: &str, directory: &Path) -> io::Result<Self> {
        let mut line = match port {
            Port::Terminal => Self::Terminal { link: directory.join(name), open: None },
            Port::Tcp(address) => Self::Tcp { address, listener: None, host: None },
        };
        line.plug()?;
        Ok(line)
    }

    pub(super) fn address(&self) -> Address {
        match self {
            Self::Terminal { link, .. } => Address::Terminal(link.clone()),
            Self::Tcp { address, .. } => Address::Tcp(*address),
        }
    }

    pub(super) fn plug(&mut self) -> io::Result<()> {
        match self {
            Self::Terminal { link, open } => {
                let (terminal, path) = Terminal::open()?;
                remove(link)?;
                std::os::unix::fs::symlink(path, &link)?;
                *open = Some(terminal);
            }
            Self::Tcp { address, listener, .. } => {
                let bound = TcpListener::bind(*address)?;
                bound.set_nonblocking(true)?;
                *address = bound.local_addr()?;
                *listener = Some(bound);
            }
        }
        Ok(())
    }

    pub(super) fn unplug(&mut self) -> io::Result<()> {
        match self {
            Self::Terminal { link, open } => {
                *open = None;
                remove(link)
            }
            Self::Tcp { listener, host, .. } => {
                (*listener, *host) = (None, None);
                Ok(())
            }
        }
    }

    /// What has to be waited for.
    pub(super) fn descriptors(&self) -> impl Iterator<Item = BorrowedFd<'_>> {
        let each = match self {
            Self::Terminal { open, .. } => [open.as_ref().map(|terminal| terminal.master.as_fd()), None],
            Self::Tcp { listener, host, .. } => {
                [listener.as_ref().map(AsFd::as_fd), host.as_ref().map(AsFd::as_fd)]
            }
        };
        each.into_iter().flatten()
    }

    /// Takes what the host said into `buffer`, without waiting.
    pub(super) fn read(&mut self, buffer: &mut [u8]) -> Heard {
        match self {
            Self::Terminal { open: None, .. } | Self::Tcp { listener: None, .. } => Heard::Nothing,
            Self::Terminal { open: Some(terminal), .. } => match terminal.master.read(buffer) {
                Ok(0) => Heard::Nothing,
                Ok(length) => Heard::Bytes(length),
                Err(error) => Heard::of(&error),
            },
            Self::Tcp { listener: Some(listener), host, .. } => {
                if let Some(newcomer) = accept(listener) {
                    *host = Some(newcomer);
                    return Heard::OtherHost;
                }
                let Some(stream) = host else { return Heard::Nothing };
                match stream.read(buffer) {
                    Ok(length) if length > 0 => return Heard::Bytes(length),
                    Err(error) if is_passing(&error) => return Heard::Nothing,
                    Ok(_) | Err(_) => {}
                }
                *host = None;
                Heard::OtherHost
            }
        }
    }

    /// Writes as much of `bytes` as the line takes, and tells how much.
    pub(super) fn write(&mut self, bytes: &[u8]) -> usize {
        let written = match self {
            Self::Terminal { open: Some(terminal), .. } => terminal.master.write(bytes),
            Self::Tcp { host: Some(host), .. } => host.write(bytes),
            // Nobody is there: it is said into the air.
            Self::Terminal { open: None, .. } | Self::Tcp { host: None, .. } => Ok(bytes.len()),
        };
        // A connection that broke is found when it is read.
        written.unwrap_or(0)
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        // The directory may be gone already, and the link with it.
        self.unplug().ok();
    }
}

impl Heard {
    fn of(error: &io::Error) -> Self {
        if is_passing(error) { Self::Nothing } else { Self::OtherHost }
    }
}

impl Terminal {
    /// A raw terminal, and the path of the host's end.
    fn open() -> io::Result<(Self, PathBuf)> {
        let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC;
        let master = rustix::pty::openpt(flags)?;
        rustix::pty::grantpt(&master)?;
        rustix::pty::unlockpt(&master)?;
        let path = rustix::pty::ptsname(&master, Vec::new())?;
        let path = PathBuf::from(std::ffi::OsString::from(
            path.into_string().map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?,
        ));
        let access = OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC;
        let slave = rustix::fs::open(&path, access, rustix::fs::Mode::empty())?;
        let mut attributes = rustix::termios::tcgetattr(&slave)?;
        attributes.make_raw();
        rustix::termios::tcsetattr(&slave, OptionalActions::Now, &attributes)?;
        rustix::fs::fcntl_setfl(&master, OFlags::RDWR | OFlags::NONBLOCK)?;
        Ok((Self { master: master.into(), _slave: slave }, path))
    }
}

fn accept(listener: &TcpListener) -> Option<TcpStream> {
    // Who went away before being taken in is nobody.
    let (stream, _) = listener.accept().ok()?;
    let ready = stream.set_nonblocking(true).and_then(|()| stream.set_nodelay(true));
    ready.is_ok().then_some(stream)
}

fn is_passing(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted)
}

/// Removes a link that may not be there: one that a killed process left behind is of no use to anybody.
fn remove(link: &Path) -> io::Result<()> {
    match fs::remove_file(link) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        Ok(()) | Err(_) => Ok(()),
    }
}
