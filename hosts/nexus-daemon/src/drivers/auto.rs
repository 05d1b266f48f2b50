//! Stock nodes of the local network, which find each other by IPv6 multicast: each is an interface of its own.
//!
//! Spec: `spec/reticulum.md#auto-interface`.

mod echoes;
mod group;
mod meeting;
mod peers;
mod sender;
mod station;
#[cfg(test)]
mod tests;

use nexus_network::{Access, DutyCycle, Mode, Profile, Reach, Role, Timing};
use socket2::{Domain, Socket, Type};

use super::networks::Network;
use crate::driver::{Line, Medium, OpenError, Spread, Started};
use meeting::Meeting;

pub use group::{Group, Lifetime, Scope};
pub(crate) use meeting::TAKEN;

/// What everybody on a network carries in a datagram, in bytes, access code not counted. Stock nodes negotiate nothing longer.
pub const PACKET_SIZE: u16 = 1_196;
/// What is said of a path until it is measured, in bits per second: what stock nodes guess.
pub const NOMINAL_BPS: u64 = 10_000_000;

/// The settings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Auto {
    /// With whom.
    pub group: Group,
    /// On which of the machine's networks.
    pub devices: Devices,
    /// The nominal rate in bits per second.
    pub bandwidth_bps: u64,
    /// How many bytes an access code adds to a packet.
    pub access_code_len: usize,
    /// How many peers there may be; further ones are refused and counted.
    pub peers: usize,
}

/// On which of the machine's networks nodes are looked for: on those that are up and have an IPv6 link-local address.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Devices {
    /// Those of these names; if there are none, all but loopback.
    pub chosen: Vec<String>,
    /// Never those of these names.
    pub ignored: Vec<String>,
}

impl Devices {
    fn take(&self, network: &Network) -> bool {
        let is_chosen = self.chosen.contains(&network.name);
        let is_usual = self.chosen.is_empty() && !network.is_loopback;
        (is_chosen || is_usual) && !self.ignored.contains(&network.name)
    }
}

impl Auto {
    /// How many peers there may be, unless configured: far fewer than there are interface numbers.
    pub const PEERS: usize = 64;

    /// The longest frame, in bytes.
    fn frame_size(&self) -> u16 {
        u16::try_from(self.access_code_len).map_or(u16::MAX, |code| PACKET_SIZE.saturating_add(code))
    }

    /// What the core is told of a peer.
    fn profile(&self) -> Profile {
        /// IPv6 and UDP.
        const OVERHEAD: u16 = 40 + 8;
        Profile {
            mode: Mode::Reticulum,
            reach: Reach::PointToPoint,
            access: Access::Direct,
            bandwidth_bps: self.bandwidth_bps,
            frame_size: self.frame_size(),
            timing: Timing::Rate,
            duty: DutyCycle::UNLIMITED,
            sub_band: None,
            overhead: OVERHEAD,
            price: 0,
            role: Role::Full,
            gravity: 0,
        }
    }
}

impl Default for Auto {
    fn default() -> Self {
        Self {
            group: Group::default(),
            devices: Devices::default(),
            bandwidth_bps: NOMINAL_BPS,
            access_code_len: 0,
            peers: Self::PEERS,
        }
    }
}

impl Medium for Auto {
    fn open(&self, line: Line) -> Result<Started, OpenError> {
        let name = line.name().to_owned();
        if let Err(cause) = Socket::new(Domain::IPV6, Type::DGRAM, None) {
            return Err(OpenError::NoIpv6 { name, cause });
        }
        let mut meeting = Meeting::new(self.clone(), line);
        if let Some((address, cause)) = meeting.attend() {
            return Err(OpenError::AutoTaken { name, address, cause });
        }
        let task = tokio::spawn(async move {
            // When nobody listens any more, there is nobody to tell.
            let _host_gone = meeting.run().await;
        });
        Ok(Started { task, address: None })
    }

    fn kind(&self) -> &'static str {
        "auto"
    }

    fn place(&self) -> Option<String> {
        Some(format!("[{}]:{}", self.group.address(), self.group.discovery_port))
    }

    fn spread(&self) -> Spread {
        Spread::EachPeer
    }
}
