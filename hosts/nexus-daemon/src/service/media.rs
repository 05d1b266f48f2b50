//! The drivers that a configuration asks for.

use std::net::ToSocketAddrs as _;
use std::time::Duration;

use nexus_network::Mode;

use crate::config::{self, Interface, Medium as Chosen, Port};
use crate::driver::{Medium, OpenError};
use crate::drivers::auto::{self, Auto};
use crate::drivers::local::Shared;
use crate::drivers::pipe::Pipe;
use crate::drivers::rnode::{self, Place, Rnode};
use crate::drivers::serial::{self, Serial};
use crate::drivers::tcp::{Backoff, Connect, Listen, Speech};
use crate::drivers::udp::{Cable, Discovery, Udp};
use crate::drivers::{tcp, udp};

/// The driver of an interface, not yet open.
pub(super) fn medium(interface: &Interface) -> Result<Box<dyn Medium>, OpenError> {
    let mode = interface.mode;
    let speech =
        Speech { bandwidth_bps: interface.bandwidth_bps.unwrap_or(tcp::NOMINAL_BPS), ..Speech::new(mode) };
    Ok(match &interface.medium {
        Chosen::Udp { listen, discovery_v4, discovery_v6, peers } => match mode {
            Mode::Nexus => Box::new(Udp {
                listen: *listen,
                bandwidth_bps: interface.bandwidth_bps.unwrap_or(udp::NOMINAL_BPS),
                discovery: Discovery {
                    ipv4: is_on(*discovery_v4).then_some(Discovery::IPV4),
                    ipv6: is_on(*discovery_v6).then_some(Discovery::IPV6),
                    ..Discovery::off()
                },
            }),
            Mode::Reticulum => Box::new(cable(&interface.name, *listen, peers)?),
        },
        Chosen::TcpListen { listen } => {
            Box::new(Listen { address: *listen, speech, connections: Listen::CONNECTIONS })
        }
        Chosen::TcpConnect { to } => {
            Box::new(Connect { peer: to.to_string(), speech, backoff: Backoff::default() })
        }
        Chosen::Pipe { command } => Box::new(Pipe {
            command: command.clone(),
            mode,
            bandwidth_bps: interface.bandwidth_bps.unwrap_or(0),
            frame_size: Pipe::FRAME_SIZE,
            backoff: Backoff::default(),
        }),
        Chosen::Rnode { port, channel } => Box::new(Rnode {
            place: place(port, rnode::BAUD),
            mode,
            channel: *channel,
            backoff: patience(port),
        }),
        Chosen::Serial { port, speed, framing } => Box::new(Serial {
            place: place(port, *speed),
            framing: *framing,
            bitrate_bps: interface.bandwidth_bps.unwrap_or_else(|| serial::cable_bps(*speed)),
            mode,
            backoff: patience(port),
        }),
        Chosen::Auto { group, devices } => Box::new(Auto {
            group: group.clone(),
            devices: devices.clone(),
            bandwidth_bps: interface.bandwidth_bps.unwrap_or(auto::NOMINAL_BPS),
            access_code_len: interface.access.as_ref().map_or(0, |access| access.tag_len.bytes()),
            peers: Auto::PEERS,
        }),
        Chosen::Shared { place } => Box::new(Shared { place: place.clone(), programs: Shared::PROGRAMS }),
    })
}

fn place(port: &Port, baud: u32) -> Place {
    match port {
        Port::Device(path) => Place::Serial { path: path.clone(), baud },
        Port::Tcp(to) => Place::Tcp(to.to_string()),
    }
}

/// Looking for a device costs nothing, and who plugs it in wants to see it work.
fn patience(port: &Port) -> Backoff {
    match port {
        Port::Device(_) => Backoff { most: Duration::from_secs(4), ..Backoff::default() },
        Port::Tcp(_) => Backoff::default(),
    }
}

fn is_on(discovery: config::Discovery) -> bool {
    discovery == config::Discovery::On
}

fn cable(name: &str, listen: std::net::SocketAddr, peers: &[config::Peer]) -> Result<Cable, OpenError> {
    let refused = |cause| OpenError::Address { name: name.to_owned(), address: listen, cause };
    let peer = peers.first().expect("a configuration of UDP in reticulum mode names one peer");
    let found = peer.at.to_string().to_socket_addrs().map_err(refused)?;
    let peer = found.into_iter().next().ok_or_else(|| refused(std::io::ErrorKind::NotFound.into()))?;
    let socket = std::net::UdpSocket::bind(listen).map_err(refused)?;
    Cable::new(socket, peer, Mode::Reticulum).map_err(refused)
}
