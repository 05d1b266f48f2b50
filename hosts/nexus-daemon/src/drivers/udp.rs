//! UDP: one frame a datagram, to peers by their addresses, and newcomers by multicast. Spec: `spec/node.md#udp`.

mod address;
mod bind;
mod cable;
mod discovery;
mod networks;
#[cfg(test)]
mod tests;

use std::io;
use std::net::{Ipv6Addr, SocketAddr, SocketAddrV6};
use std::sync::{Arc, Weak};

use nexus_network::{Access, DutyCycle, Endpoint, Mode, Profile, Reach, Role, Timing};
use socket2::Socket;
use tokio::net::UdpSocket;
use tokio::sync::mpsc;

pub use address::{DEFAULT_PORT, endpoint, resolve, socket_address};
pub use cable::Cable;
pub use discovery::Discovery;

use crate::driver::{
    Carrier, Driver, Handed, HostGone, Line, Medium, MediumCounters, News, OpenError, Opening, Outbox,
    Outgoing, Port, Started,
};
use networks::Networks;

/// The longest frame: what stock nodes carry in a datagram, in bytes.
pub const FRAME_SIZE: u16 = 1_064;
/// What is said of a path until it is measured, in bits per second.
pub const NOMINAL_BPS: u64 = 10_000_000;

/// How long a receiver rests after an error: one that lasts, such as a network that is down, must not keep the
/// processor busy.
const AFTER_ERROR: tokio::time::Duration = tokio::time::Duration::from_millis(100);

const fn profile(mode: Mode, reach: Reach, family: Family, bandwidth_bps: u64) -> Profile {
    Profile {
        mode,
        reach,
        access: Access::Direct,
        bandwidth_bps,
        frame_size: FRAME_SIZE,
        timing: Timing::Rate,
        duty: DutyCycle::UNLIMITED,
        sub_band: None,
        overhead: family.overhead(),
        price: 0,
        role: Role::Full,
        gravity: 0,
    }
}

/// A socket for any number of peers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Udp {
    /// Where it listens. `[::]` takes IPv4 too where the system can, and is IPv4 alone where it has no IPv6; port 0
    /// takes a free one.
    pub listen: SocketAddr,
    /// The nominal rate in bits per second.
    pub bandwidth_bps: u64,
    /// How newcomers are found.
    pub discovery: Discovery,
}

impl Default for Udp {
    fn default() -> Self {
        Self {
            listen: SocketAddr::new(Ipv6Addr::UNSPECIFIED.into(), DEFAULT_PORT),
            bandwidth_bps: NOMINAL_BPS,
            discovery: Discovery::default(),
        }
    }
}

impl Medium for Udp {
    fn open(&self, line: Line) -> Result<Started, OpenError> {
        let (name, address) = (line.name().to_owned(), self.listen);
        let bound = bind::bind(address).and_then(|(socket, guard)| {
            let local = socket.local_addr()?;
            Ok((UdpSocket::from_std(socket)?, guard, local))
        });
        let (socket, guard, local) = bound.map_err(|cause| OpenError::Address { name, address, cause })?;
        let settings = self.clone();
        let task = tokio::spawn(async move {
            // When nobody listens any more, there is nobody to tell.
            let _host_gone = serve(socket, local, settings, line).await;
            drop::<Option<Socket>>(guard);
        });
        Ok(Started { task, address: Some(local) })
    }

    fn kind(&self) -> &'static str {
        "udp"
    }
}

/// The sending half: a datagram to one peer leaves at once if the system has room for it.
#[derive(Debug)]
struct Sender {
    socket: Weak<UdpSocket>,
    family: Family,
    later: Outbox,
}

/// What a socket can address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Family {
    /// IPv4 alone.
    V4,
    /// IPv6, and IPv4 as mapped addresses where the socket takes both.
    V6,
}

impl Family {
    const fn of(address: SocketAddr) -> Self {
        match address {
            SocketAddr::V4(_) => Self::V4,
            SocketAddr::V6(_) => Self::V6,
        }
    }

    /// What IP and UDP put before a frame, in bytes; for a socket that speaks both versions of IP that of the longer one.
    const fn overhead(self) -> u16 {
        const UDP: u16 = 8;
        match self {
            Self::V4 => 20 + UDP,
            Self::V6 => 40 + UDP,
        }
    }

    /// As a socket of this family writes `address`, if it can.
    fn write(self, address: SocketAddr) -> Option<SocketAddr> {
        match (self, address) {
            (Self::V4, SocketAddr::V4(_)) | (Self::V6, SocketAddr::V6(_)) => Some(address),
            (Self::V6, SocketAddr::V4(v4)) => {
                Some(SocketAddrV6::new(v4.ip().to_ipv6_mapped(), v4.port(), 0, 0).into())
            }
            (Self::V4, SocketAddr::V6(_)) => None,
        }
    }
}

impl Driver for Sender {
    fn transmit(&self, to: Option<Endpoint>, frame: Vec<u8>) -> Handed {
        let Some(peer) = to else { return self.later.transmit(to, frame) };
        let Some(socket) = self.socket.upgrade() else { return Handed::Refused };
        let address = socket_address(&peer).and_then(|address| self.family.write(address));
        let Some(address) = address else { return Handed::Refused };
        match socket.try_send_to(&frame, address) {
            Ok(_) => Handed::Taken,
            Err(cause) if cause.kind() == io::ErrorKind::WouldBlock => self.later.transmit(to, frame),
            // A datagram is never promised to arrive: an error is what a lost one looks like.
            Err(_) => Handed::Refused,
        }
    }
}

async fn serve(socket: UdpSocket, local: SocketAddr, settings: Udp, mut line: Line) -> Result<(), HostGone> {
    let Udp { listen: _, bandwidth_bps, discovery } = settings;
    let (socket, networks) = (Arc::new(socket), Networks::new(&discovery.networks, local.ip()));
    let (later, mut delayed) = Outbox::new();
    let family = Family::of(local);
    let opening = Opening {
        name: line.name().to_owned(),
        kind: "udp",
        profile: profile(Mode::Nexus, Reach::Addressed, family, bandwidth_bps),
        carrier: Carrier::Up,
        driver: Box::new(Sender { socket: Arc::downgrade(&socket), family, later }),
    };
    let port = line.open(opening).await?;
    let counters = line.counters();
    tokio::select! {
        gone = receive(&socket, &port, &counters) => return gone,
        gone = send(&socket, family, &mut delayed, &port, (&discovery, &networks)) => return gone,
        gone = discovery::listen(&discovery, &networks, local.port(), &port, &counters) => return gone,
        () = line.stopped() => {}
    }
    drop(socket);
    port.tell(News::Closed { why: "it was closed".into() }).await
}

async fn receive(socket: &UdpSocket, port: &Port, counters: &MediumCounters) -> Result<(), HostGone> {
    let mut buffer = [0; FRAME_SIZE as usize + 1];
    loop {
        let Ok((length, from)) = socket.recv_from(&mut buffer).await else {
            counters.count_error();
            tokio::time::sleep(AFTER_ERROR).await;
            continue;
        };
        report(&buffer, length, from, port).await?;
    }
}

/// Reports a datagram of `length` bytes. An empty one is nothing; a longer one than the buffer was cut.
async fn report(buffer: &[u8], length: usize, from: SocketAddr, port: &Port) -> Result<(), HostGone> {
    match buffer.get(..length) {
        Some([]) | None => port.tell(News::Unusable(1)).await,
        Some(_) if length > usize::from(FRAME_SIZE) => port.tell(News::Unusable(1)).await,
        Some(frame) => port.tell(News::Received { from: Some(endpoint(from)), frame: frame.to_vec() }).await,
    }
}

/// Sends what the system had no room for, and what is for everybody.
async fn send(
    socket: &UdpSocket,
    family: Family,
    delayed: &mut mpsc::Receiver<Outgoing>,
    port: &Port,
    (discovery, networks): (&Discovery, &Networks),
) -> Result<(), HostGone> {
    while let Some(Outgoing { to, frame }) = delayed.recv().await {
        let sent = match to {
            None => discovery.send(&frame, socket, family, networks).await,
            Some(peer) => match socket_address(&peer).and_then(|address| family.write(address)) {
                Some(address) => socket.send_to(&frame, address).await.map(|_| ()),
                None => Err(io::ErrorKind::AddrNotAvailable.into()),
            },
        };
        port.tell(if sent.is_ok() { News::Sent } else { News::Lost }).await?;
    }
    std::future::pending().await
}
