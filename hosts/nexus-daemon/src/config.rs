//! What the operator chose: defaults that work, or a commented TOML file. Spec: spec/node.md#configuration.
//!
//! Every refusal is one sentence that begins with the file and the line.

pub mod access;
mod address;
mod check;
mod written;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::fs;
use std::io;
use std::net::{Ipv6Addr, SocketAddr};
use std::path::{Path, PathBuf};

use nexus_crypto::{DestinationHash, NodeId, SharedKey};
use nexus_machine::{Relaying, Traces};
use nexus_network::rnode::Condition;
use nexus_network::{Channel, Mode, Policy as LinkPolicy, Role, Weight};
use nexus_node::Witnessing;
use nexus_node::economy::Amount;
use nexus_node::economy::layer::Policy;
use thiserror::Error;

use crate::api::PathPolicy;
use crate::decorators::Decorations;
use crate::drivers::auto;
use crate::drivers::local::Place;
use crate::drivers::serial::Framing;
use crate::logs::Level;
use crate::passphrase;
use crate::privacy::Privacy;
use crate::state_dir::StateDir;

pub use address::{HostPort, NotAnAddress, Peer};
pub use check::{Problem, check};

/// The UDP port of NEXUS.
pub const PORT: u16 = 4777;
/// A configuration with everything in it, commented out.
pub const COMMENTED: &str = include_str!("config/default.toml");

/// What the operator chose.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// The file that says so; none if there is none.
    pub file: Option<PathBuf>,
    /// The key file.
    pub identity: PathBuf,
    /// Where its passphrase comes from.
    pub passphrase: passphrase::Source,
    /// How much is logged.
    pub log_level: Level,
    /// What the log may name.
    pub privacy: Privacy,
    /// With whom links are made.
    pub policy: LinkPolicy,
    /// How many times as much of each interface as one of which nothing is said these neighbours have.
    pub weights: BTreeMap<NodeId, Weight>,
    /// Whether others' packets are carried.
    pub relaying: Relaying,
    /// Whether links are made with nodes across stock relays.
    pub crossings: Crossings,
    /// What the node calls itself.
    pub label: Option<String>,
    /// Where what links carry is recorded in clear, if the operator says so.
    pub pcap_opened: Option<PathBuf>,
    /// By what the ways of this node's own packets are chosen.
    pub path_policy: PathPolicy,
    /// Whether it answers who traces the way to it.
    pub traces: Traces,
    /// Where a Prometheus server of this machine finds what the node counts; none if nothing is told.
    pub metrics: Option<SocketAddr>,
    /// Where programs that attach ask this node; none if there is no shared instance.
    pub rpc: Option<Rpc>,
    /// Whose packets are carried for nothing.
    pub trusted: BTreeSet<NodeId>,
    /// What a neighbour is lent with whom a channel is opened, in µNXS; none if there are to be no channels.
    pub line: Option<u64>,
    /// This node's LXMF address; none if it has none.
    pub lxmf: Option<Lxmf>,
    /// The books that this node keeps; none if it keeps none.
    pub books: Option<Books>,
    /// The interfaces, each with a name of its own.
    pub interfaces: Vec<Interface>,
}

/// Which books a node keeps.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Books {
    /// The file in which they begin.
    pub genesis: PathBuf,
    /// How much of them.
    pub kept: Kept,
}

/// How much of the books a node keeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kept {
    /// All of them; whether it signs what others order.
    All(Witnessing),
    /// What concerns its own account, those with whom it has channels and those whom it trusts.
    Some,
}

/// How this node's LXMF address is announced.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Lxmf {
    /// How its owner wants to be called.
    pub display_name: Option<String>,
    /// The cost of a stamp without which messages are dropped; none if nothing is asked for.
    pub stamp_cost: Option<u8>,
    /// The propagation node that keeps messages for this node, and takes those that nobody proves.
    pub propagation_node: Option<DestinationHash>,
}

impl Lxmf {
    /// The highest cost that may be asked for: hours of work.
    pub const STAMP_COST_MAX: u8 = 32;
}

/// Whether links are made with other nodes across stock relays, where an interface is in `reticulum` mode.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Crossings {
    /// They are, and those of others are taken.
    Made,
    /// Neither.
    None,
}

impl Config {
    /// What a neighbour is lent if nothing else is said, in µNXS.
    pub const LINE: u64 = 1_000_000;

    /// What this node asks for itself where it asks most, in µNXS for 1,024 bytes.
    #[must_use]
    pub fn dearest(&self) -> u64 {
        self.interfaces.iter().map(|interface| interface.price).max().unwrap_or(0)
    }

    /// How the node is paid, and pays.
    #[must_use]
    pub fn economy(&self) -> Policy {
        Policy { price: self.dearest(), line: self.line.map(Amount::from_micros), ..Policy::default() }
    }

    /// Whether there is anybody to cross to.
    #[must_use]
    pub fn crosses(&self) -> bool {
        let is_among_stock = |interface: &Interface| interface.is_among_stock();
        self.crossings == Crossings::Made
            && self.relaying == Relaying::On
            && self.interfaces.iter().any(is_among_stock)
    }
}

/// Where programs of this machine that are written for Reticulum ask.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rpc {
    /// The socket.
    pub place: Place,
    /// The key that they have too; none for the one that is kept in the state directory.
    pub key: Option<SharedKey>,
}

/// One interface.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Interface {
    /// Its name.
    pub name: String,
    /// Which bytes are spoken on it.
    pub mode: Mode,
    /// Nominal rate in bits per second, if it is not the medium's own.
    pub bandwidth_bps: Option<u64>,
    /// What is asked for carrying packets out there, in µNXS for 1,024 bytes.
    pub price: u64,
    /// Where it stands among stock nodes, in reticulum mode.
    pub role: Role,
    /// How strongly it draws paths among stock nodes, in reticulum mode.
    pub gravity: u8,
    /// Who may take part, in reticulum mode; whoever is there if nothing is said.
    pub access: Option<access::Access>,
    /// What it runs on.
    pub medium: Medium,
    /// What wraps it.
    pub decorations: Decorations,
}

impl Interface {
    /// Whether stock nodes are there.
    fn is_among_stock(&self) -> bool {
        self.mode == Mode::Reticulum && self.role != Role::Local
    }
}

/// What an interface runs on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Medium {
    /// A UDP socket.
    Udp {
        /// Where it is bound.
        listen: SocketAddr,
        /// Whether others on the local network find it, and it finds them, by IPv4 multicast.
        discovery_v4: Discovery,
        /// The same by IPv6 multicast.
        discovery_v6: Discovery,
        /// With whom a link is kept.
        peers: Vec<Peer>,
    },
    /// A TCP listener.
    TcpListen {
        /// Where it is bound.
        listen: SocketAddr,
    },
    /// A TCP connection.
    TcpConnect {
        /// Where to.
        to: HostPort,
    },
    /// A child process.
    Pipe {
        /// The program and its arguments.
        command: Vec<String>,
    },
    /// A radio modem.
    Rnode {
        /// Where it is.
        port: Port,
        /// Its channel; none until a region and a duty cycle are chosen.
        channel: Option<Channel>,
    },
    /// A serial port.
    Serial {
        /// Where it is.
        port: Port,
        /// Bits per second on the cable.
        speed: u32,
        /// How frames are told apart.
        framing: Framing,
    },
    /// Stock nodes of the local network.
    Auto {
        /// With which of them.
        group: auto::Group,
        /// On which of the machine's networks.
        devices: auto::Devices,
    },
    /// Programs of this machine that are written for Reticulum.
    Shared {
        /// Where they attach.
        place: Place,
    },
}

impl Medium {
    /// Whether this node is the one that calls, where there are callers and called.
    #[must_use]
    pub const fn calls(&self) -> bool {
        matches!(self, Self::TcpConnect { .. })
    }

    /// Whether its interfaces are called after whom they lead to, by an address that lasts.
    #[must_use]
    pub const fn names_last(&self) -> bool {
        matches!(self, Self::Auto { .. })
    }
}

/// Where a modem is.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Port {
    /// The file of a serial device.
    Device(PathBuf),
    /// A port of another machine.
    Tcp(HostPort),
}

impl fmt::Display for Port {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Device(path) => path.display().fmt(f),
            Self::Tcp(to) => write!(f, "tcp://{to}"),
        }
    }
}

/// Whether the local network is asked for others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Discovery {
    /// Yes.
    On,
    /// No.
    Off,
}

/// Why a configuration cannot be used.
#[derive(Debug, Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("the configuration {path} cannot be read: {cause}")]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system says.
        cause: io::Error,
    },
    /// Something in it is wrong.
    #[error("{}:{line}: {sentence}", path.display())]
    Wrong {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// What is wrong.
        sentence: String,
    },
}

impl Config {
    /// What holds without a file: an identity of its own, one UDP interface that discovers the local network.
    #[must_use]
    pub fn default_for(state: &StateDir) -> Self {
        Self {
            file: None,
            identity: state.key(),
            passphrase: passphrase::Source::None,
            log_level: Level::Info,
            privacy: Privacy::Partial,
            policy: LinkPolicy::Anyone,
            weights: BTreeMap::new(),
            relaying: Relaying::On,
            crossings: Crossings::Made,
            label: None,
            pcap_opened: None,
            path_policy: PathPolicy::default(),
            traces: Traces::Answered,
            metrics: None,
            trusted: BTreeSet::new(),
            line: Some(Self::LINE),
            lxmf: None,
            books: None,
            rpc: None,
            interfaces: vec![Interface::default_udp()],
        }
    }

    /// Reads `chosen`, else the state directory's `nexus.toml` if there is one, else takes the defaults.
    pub fn load(state: &StateDir, chosen: Option<&Path>) -> Result<Self, ConfigError> {
        let own = state.config();
        match chosen {
            Some(path) => Self::read(state, path),
            None if own.exists() => Self::read(state, &own),
            None => Ok(Self::default_for(state)),
        }
    }

    fn read(state: &StateDir, path: &Path) -> Result<Self, ConfigError> {
        let unreadable = |cause| ConfigError::Unreadable { path: path.to_owned(), cause };
        // A daemon does not stay where it was started.
        let path = std::path::absolute(path).map_err(unreadable)?;
        let text = fs::read_to_string(&path).map_err(unreadable)?;
        Self::parse(state, &path, &text)
    }

    /// Understands `text`, which stands in `path`.
    pub fn parse(state: &StateDir, path: &Path, text: &str) -> Result<Self, ConfigError> {
        written::understand(state, path, text).map_err(|wrong| {
            let before = text.get(..wrong.at).unwrap_or(text);
            let line = before.matches('\n').count() + 1;
            ConfigError::Wrong { path: path.to_owned(), line, sentence: wrong.sentence }
        })
    }
}

impl Interface {
    /// Whether the two differ in nothing but in what can be changed while they are open: the peers with whom links are kept, and the
    /// price.
    #[must_use]
    pub fn stays_open_as(&self, other: &Self) -> bool {
        let bare = |interface: &Self| {
            let mut bare = Self { price: 0, ..interface.clone() };
            // In reticulum mode the peer is what the socket is connected to.
            if let (Medium::Udp { peers, .. }, Mode::Nexus) = (&mut bare.medium, bare.mode) {
                peers.clear();
            }
            bare
        };
        bare(self) == bare(other)
    }

    /// Whether the two differ in their prices at most.
    #[must_use]
    pub fn is_same_but_for_its_price(&self, other: &Self) -> bool {
        Self { price: 0, ..self.clone() } == Self { price: 0, ..other.clone() }
    }

    fn default_udp() -> Self {
        Self {
            name: "udp0".to_owned(),
            mode: Mode::Nexus,
            bandwidth_bps: None,
            price: 0,
            role: Role::Full,
            gravity: 0,
            access: None,
            medium: Medium::Udp {
                listen: SocketAddr::from((Ipv6Addr::UNSPECIFIED, PORT)),
                discovery_v4: Discovery::On,
                discovery_v6: Discovery::On,
                peers: Vec::new(),
            },
            decorations: Decorations::default(),
        }
    }
}

impl fmt::Display for Interface {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.name, self.medium)?;
        match self.mode {
            Mode::Nexus => {}
            Mode::Reticulum => f.write_str(", in reticulum mode")?,
        }
        if !matches!(self.role, Role::Full | Role::Local) {
            write!(f, ", as {}", self.role.name())?;
        }
        if self.gravity > 0 {
            write!(f, ", of gravity {}", self.gravity)?;
        }
        if let Some(access) = &self.access {
            write!(f, ", with access codes of {} bits", access.tag_len.bytes() * 8)?;
        }
        match self.price {
            0 => Ok(()),
            price => write!(f, ", asks {price} µNXS for 1,024 bytes"),
        }
    }
}

impl fmt::Display for Medium {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Udp { listen, discovery_v4, discovery_v6, peers } => {
                write!(f, "UDP on {listen}")?;
                match (discovery_v4, discovery_v6) {
                    (Discovery::On, Discovery::On) => f.write_str(", discovers the local network")?,
                    (Discovery::On, Discovery::Off) => f.write_str(", discovers by IPv4")?,
                    (Discovery::Off, Discovery::On) => f.write_str(", discovers by IPv6")?,
                    (Discovery::Off, Discovery::Off) => {}
                }
                peers.iter().try_for_each(|peer| write!(f, ", keeps a link with {}", peer.at))
            }
            Self::TcpListen { listen } => write!(f, "TCP, listens on {listen}"),
            Self::TcpConnect { to } => write!(f, "TCP, connects to {to}"),
            Self::Pipe { command } => write!(f, "a pipe to `{}`", command.join(" ")),
            Self::Rnode { port, channel: Some(channel) } => write!(f, "an RNode on {port}, {channel}"),
            Self::Rnode { port, channel: None } => {
                write!(f, "an RNode on {port}, {}", Condition::NoChannel)
            }
            Self::Serial { port, speed, framing } => {
                let framing = match framing {
                    Framing::Hdlc => "HDLC",
                    Framing::Kiss => "KISS",
                };
                write!(f, "{framing} on {port} at {speed} baud")
            }
            Self::Auto { group, devices } => {
                write!(f, "stock nodes of the local network in the group {:?}", group.id)?;
                if !devices.chosen.is_empty() {
                    write!(f, ", on {} alone", devices.chosen.join(", "))?;
                }
                if !devices.ignored.is_empty() {
                    write!(f, ", not on {}", devices.ignored.join(", "))?;
                }
                Ok(())
            }
            Self::Shared { place } => write!(f, "the shared instance of this machine's programs, at {place}"),
        }
    }
}

/// What a policy is called in a status.
#[must_use]
pub const fn policy_name(policy: &LinkPolicy) -> &'static str {
    match policy {
        LinkPolicy::Anyone => "anyone",
        LinkPolicy::Only(_) => "only",
        LinkPolicy::AllBut(_) => "all_but",
    }
}

/// A node id as it is written: 32 hexadecimal digits.
pub fn node_id(text: &str) -> Result<NodeId, NotANodeId> {
    let refused = || NotANodeId(text.to_owned());
    if text.len() != 32 || !text.bytes().all(|digit| digit.is_ascii_hexdigit()) {
        return Err(refused());
    }
    let number = u128::from_str_radix(text, 16).map_err(|_| refused())?;
    Ok(NodeId(number.to_be_bytes()))
}

/// A destination's hash as it is written: like a node id, which is one.
pub fn destination(text: &str) -> Result<DestinationHash, NotANodeId> {
    node_id(text).map(DestinationHash::from)
}

/// What is no node id.
#[derive(Debug, PartialEq, Eq, Error)]
#[error("{0:?} is no node id: one has 32 hexadecimal digits")]
pub struct NotANodeId(String);

fn node_ids(texts: &[impl AsRef<str>]) -> Result<BTreeSet<NodeId>, (usize, NotANodeId)> {
    texts.iter().enumerate().map(|(at, text)| node_id(text.as_ref()).map_err(|cause| (at, cause))).collect()
}

#[cfg(test)]
mod tests;
