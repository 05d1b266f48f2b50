//! The shared instance: where programs written for Reticulum on this machine attach, each as an interface of its own.
//!
//! Spec: `spec/reticulum.md#shared-instance`.

#[cfg(test)]
mod tests;

use std::fmt;
use std::io;
use std::net::SocketAddr;
#[cfg(target_os = "linux")]
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::net;

use nexus_network::{Access, DutyCycle, Mode, Profile, Reach, Role, Timing};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, UnixListener};
use tokio::task::JoinSet;
use tokio::time::Duration;

use super::stream::{Answers, Framing, Patience, carry_gathered, framing_overhead, spout};
use crate::driver::{Carrier, HostGone, Line, Medium, News, OpenError, Opening, Spread, Started};

/// Where programs find it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// A name without a file, as stock programs on Linux expect it: `rns/` and the instance's name.
    Abstract(String),
    /// A port of this machine.
    Tcp(SocketAddr),
}

impl Place {
    /// What stands before an instance's name.
    const PREFIX: &str = "rns/";

    /// Where programs look for the instance of that name on Linux.
    #[must_use]
    pub fn named(instance: &str) -> Self {
        Self::Abstract(format!("{}{instance}", Self::PREFIX))
    }

    /// Where the programs of the instance that is here ask: beside its name, or at the port behind its own.
    #[must_use]
    pub fn for_questions(&self) -> Self {
        match self {
            Self::Abstract(name) => Self::Abstract(format!("{name}/rpc")),
            // Port 0 is whichever is free.
            Self::Tcp(address) if address.port() == 0 => Self::Tcp(*address),
            Self::Tcp(address) => Self::Tcp(SocketAddr::new(address.ip(), address.port().wrapping_add(1))),
        }
    }

    /// Takes it.
    pub(crate) fn bind(&self) -> io::Result<Door> {
        match self {
            Self::Abstract(name) => {
                let listener = bind_abstract(name)?;
                listener.set_nonblocking(true)?;
                UnixListener::from_std(listener).map(Door::Unix)
            }
            Self::Tcp(address) => {
                let listener = std::net::TcpListener::bind(address)?;
                listener.set_nonblocking(true)?;
                TcpListener::from_std(listener).map(Door::Tcp)
            }
        }
    }
}

#[cfg(target_os = "linux")]
fn bind_abstract(name: &str) -> io::Result<net::UnixListener> {
    net::UnixListener::bind_addr(&net::SocketAddr::from_abstract_name(name)?)
}

#[cfg(not(target_os = "linux"))]
fn bind_abstract(_name: &str) -> io::Result<net::UnixListener> {
    Err(io::Error::new(io::ErrorKind::Unsupported, "only Linux has sockets without a file"))
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Abstract(name) => write!(f, "the socket \\0{name}"),
            Self::Tcp(address) => write!(f, "TCP {address}"),
        }
    }
}

/// A listener of either kind.
#[derive(Debug)]
pub(crate) enum Door {
    Unix(UnixListener),
    Tcp(TcpListener),
}

/// A connection of either kind.
pub(crate) type Connection = Box<dyn Stream>;

/// Bytes both ways.
pub(crate) trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}

impl Door {
    /// The next program that comes.
    pub(crate) async fn accept(&self) -> io::Result<Connection> {
        match self {
            Self::Unix(listener) => Ok(Box::new(listener.accept().await?.0)),
            Self::Tcp(listener) => {
                let (connection, _) = listener.accept().await?;
                // A connection without it is slower, and still one.
                let _slower = connection.set_nodelay(true);
                Ok(Box::new(connection))
            }
        }
    }

    fn address(&self) -> io::Result<Option<SocketAddr>> {
        match self {
            Self::Unix(_) => Ok(None),
            Self::Tcp(listener) => listener.local_addr().map(Some),
        }
    }
}

/// The shared instance of this machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shared {
    /// Where it is.
    pub place: Place,
    /// How many programs there may be; further ones are refused and counted.
    pub programs: usize,
}

impl Shared {
    /// How many programs there may be, unless configured: fewer than there are interface numbers.
    pub const PROGRAMS: usize = 64;
    /// The rate that stock nodes guess, in bits per second.
    pub const NOMINAL_BPS: u64 = 1_000_000_000;
    /// The longest frame in bytes, as on TCP.
    pub const FRAME_SIZE: u16 = super::tcp::RETICULUM_FRAME_SIZE;
    /// How long what is for a program gathers before it is spoken to: it connects before it can receive, as stock nodes do
    /// that call a listener.
    const SETTLES: Duration = Duration::from_millis(250);
    /// How long the listener rests after an error, such as a lack of file descriptors.
    const AFTER_ERROR: Duration = Duration::from_millis(100);

    fn profile() -> Profile {
        Profile {
            mode: Mode::Reticulum,
            reach: Reach::PointToPoint,
            access: Access::Direct,
            bandwidth_bps: Self::NOMINAL_BPS,
            frame_size: Self::FRAME_SIZE,
            timing: Timing::Rate,
            duty: DutyCycle::UNLIMITED,
            sub_band: None,
            overhead: framing_overhead(Framing::Hdlc),
            price: 0,
            role: Role::Local,
            gravity: 0,
        }
    }
}

impl Medium for Shared {
    fn open(&self, line: Line) -> Result<Started, OpenError> {
        let bound = self.place.bind().and_then(|door| Ok((door.address()?, door)));
        let (address, door) = bound.map_err(|cause| OpenError::Shared {
            name: line.name().to_owned(),
            place: self.place.to_string(),
            cause,
        })?;
        let task = tokio::spawn(accept(door, self.programs, line));
        Ok(Started { task, address })
    }

    fn kind(&self) -> &'static str {
        "local"
    }

    fn place(&self) -> Option<String> {
        match &self.place {
            Place::Abstract(name) => Some(format!("\\0{name}")),
            Place::Tcp(_) => None,
        }
    }

    fn spread(&self) -> Spread {
        Spread::EachPeer
    }
}

async fn accept(door: Door, most: usize, mut line: Line) {
    let mut programs = JoinSet::new();
    let mut number: u64 = 0;
    loop {
        tokio::select! {
            accepted = door.accept() => match accepted {
                Ok(connection) if programs.len() < most => {
                    number += 1;
                    programs.spawn(serve(connection, number, line.clone()));
                }
                Ok(_) => line.counters().count_refused(),
                Err(_) => {
                    line.counters().count_error();
                    tokio::time::sleep(Shared::AFTER_ERROR).await;
                }
            },
            Some(_) = programs.join_next() => {}
            () = line.stopped() => break,
        }
    }
    drop(door);
    while programs.join_next().await.is_some() {}
}

async fn serve(connection: Connection, number: u64, mut line: Line) -> Result<(), HostGone> {
    let (spout, mut outgoing) = spout();
    let opening = Opening {
        name: format!("{}/{number}", line.name()),
        kind: "local",
        profile: Shared::profile(),
        carrier: Carrier::Up,
        driver: Box::new(spout),
    };
    let port = line.open(opening).await?;
    outgoing.gather_for(Shared::SETTLES);
    outgoing.hold_answers(Answers::Wait);
    let (reader, writer) = tokio::io::split(connection);
    let carried = carry_gathered(reader, writer, &mut outgoing, &port, Shared::FRAME_SIZE, Patience::ENDLESS);
    let why = tokio::select! {
        why = carried => why?,
        () = line.stopped() => "it was closed".into(),
    };
    port.tell(News::Closed { why }).await
}
