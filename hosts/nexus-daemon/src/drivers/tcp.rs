//! TCP: HDLC framing; each connection is an interface. Spec: `spec/node.md#tcp`.

mod connect;
mod listen;
#[cfg(test)]
mod tests;

use std::net::SocketAddr;

use nexus_network::{Access, DutyCycle, Mode, Profile, Reach, Role, Timing};
use socket2::{SockRef, TcpKeepalive};
use tokio::net::TcpStream;
use tokio::time::Duration;

pub use super::backoff::Settings as Backoff;
pub use super::stream::Patience;
use super::stream::{Answers, Framing, framing_overhead};
pub use connect::Connect;
pub use listen::Listen;

/// The longest frame between NEXUS nodes, in bytes.
pub const FRAME_SIZE: u16 = 1_064;
/// The longest frame in reticulum mode: the packets that all stock nodes take, and the longest access code.
pub const RETICULUM_FRAME_SIZE: u16 = 8_192 + 64;
/// What is said of a path until it is measured, in bits per second.
pub const NOMINAL_BPS: u64 = 10_000_000;

/// What both ends of a connection need to know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Speech {
    /// Which bytes are spoken.
    pub mode: Mode,
    /// The nominal rate in bits per second.
    pub bandwidth_bps: u64,
    /// How long the peer may be silent.
    pub patience: Patience,
}

impl Speech {
    /// What is usual in `mode`: a NEXUS node begins to talk at once and keeps its links alive; a stock node may be silent
    /// for as long as it likes.
    #[must_use]
    pub const fn new(mode: Mode) -> Self {
        let patience = match mode {
            Mode::Nexus => Patience { first: Duration::from_mins(1), idle: Duration::from_mins(5) },
            Mode::Reticulum => Patience::ENDLESS,
        };
        Self { mode, bandwidth_bps: NOMINAL_BPS, patience }
    }

    /// The longest frame, in bytes.
    const fn frame_size(self) -> u16 {
        match self.mode {
            Mode::Nexus => FRAME_SIZE,
            Mode::Reticulum => RETICULUM_FRAME_SIZE,
        }
    }

    /// When answers leave for a peer: a stock program of this machine would overlook one that is too fast.
    const fn answers_to(self, peer: SocketAddr) -> Answers {
        match self.mode {
            Mode::Reticulum if peer.ip().is_loopback() => Answers::Wait,
            Mode::Reticulum | Mode::Nexus => Answers::Leave,
        }
    }

    /// What the core is told of a connection with a peer; the longer version of IP if its address is not known yet.
    const fn profile(self, peer: Option<SocketAddr>) -> Profile {
        Profile {
            mode: self.mode,
            reach: Reach::PointToPoint,
            access: Access::Direct,
            bandwidth_bps: self.bandwidth_bps,
            frame_size: self.frame_size(),
            timing: Timing::Rate,
            duty: DutyCycle::UNLIMITED,
            sub_band: None,
            overhead: overhead(peer),
            price: 0,
            role: Role::Full,
            gravity: 0,
        }
    }
}

/// What IP, TCP with its time stamps, and framing add to a frame that has a segment of its own, in bytes.
const fn overhead(peer: Option<SocketAddr>) -> u16 {
    const TCP: u16 = 20 + 12;
    let ip = match peer {
        Some(SocketAddr::V4(_)) => 20,
        Some(SocketAddr::V6(_)) | None => 40,
    };
    ip + TCP + framing_overhead(Framing::Hdlc)
}

/// Frames leave as they are written, and a peer that vanished is noticed within two minutes.
pub(super) fn prepare(stream: &TcpStream) {
    let keepalive = TcpKeepalive::new()
        .with_time(Duration::from_secs(30))
        .with_interval(Duration::from_secs(15))
        .with_retries(4);
    // A connection without these options is slower to notice, and still one.
    let _slower = stream.set_nodelay(true);
    let _later = SockRef::from(stream).set_tcp_keepalive(&keepalive);
}
