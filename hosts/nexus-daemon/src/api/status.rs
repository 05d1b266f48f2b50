//! The node at a glance, its interfaces and its links. Spec: spec/control.md.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{PathPolicy, Radio};

/// Everything at a glance.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Status {
    /// The node's id.
    pub node: String,
    /// Its identity's hash: its transport id in Reticulum's terms.
    pub identity: String,
    /// What it calls itself in its announces.
    pub label: Option<String>,
    /// Its LXMF address, `lxmf:` and 32 digits; none if it has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lxmf: Option<String>,
    /// The program's version.
    pub version: String,
    /// The process.
    pub pid: u32,
    /// Seconds since it started.
    pub uptime_s: u64,
    /// Where it keeps its state.
    pub state: String,
    /// The configuration file in use; none if there is none.
    pub config: Option<String>,
    /// Where its log goes; none if to standard error.
    pub log: Option<String>,
    /// `anyone`, `only` or `all_but`.
    pub policy: String,
    /// Whether it carries the packets of others.
    pub relaying: bool,
    /// Resident memory, in bytes; 0 where the system does not say.
    pub memory_bytes: u64,
    /// The last emission that it announced, in Unix seconds; none before the first.
    pub emission: Option<u64>,
    /// Its interfaces.
    pub interfaces: Vec<Interface>,
    /// Its links.
    pub links: Vec<Link>,
    /// By what the ways of its own packets are chosen, where nobody says otherwise.
    #[serde(default)]
    pub path_policy: PathPolicy,
    /// How many destinations it knows.
    pub paths: u64,
    /// How many messages it keeps.
    pub messages: u64,
    /// What became of requests for ways, by name; what did not occur may be left out.
    #[serde(default)]
    pub path_requests: BTreeMap<String, u64>,
    /// What was heard and not believed, by cause; causes that did not occur may be left out.
    pub refusals: BTreeMap<String, u64>,
}

/// Answers [`Verb::Interfaces`](super::Verb::Interfaces).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Interfaces {
    /// Each of them.
    pub interfaces: Vec<Interface>,
}

/// An interface.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Interface {
    /// Its name: `udp0`, `tcp0`, `tcp0.1` for the second connection that `tcp0` accepted.
    pub name: String,
    /// `udp`, `tcp`, `rnode`, `serial`, `pipe`, `auto` or `local`.
    pub kind: String,
    /// `nexus` or `reticulum`.
    pub mode: String,
    /// Whether frames can pass, or, where each peer is an interface of its own, whether peers can come.
    pub up: bool,
    /// How many peers there are, where each is an interface of its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub peers: Option<u64>,
    /// Where it listens, connects to, or what it runs.
    pub address: String,
    /// Nominal rate in bits per second; 0 if unknown.
    pub bandwidth_bps: u64,
    /// What this node asks for carrying packets out there, in µNXS for 1,024 bytes.
    #[serde(default)]
    pub price_unxs_per_kib: u64,
    /// What left.
    pub sent: Traffic,
    /// What arrived.
    pub received: Traffic,
    /// Why frames did not leave or arrive, by cause; causes that did not occur may be left out.
    pub drops: BTreeMap<String, u64>,
    /// What the system said last, if it went wrong.
    pub fault: Option<String>,
    /// The radio behind it, if there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub radio: Option<Radio>,
    /// Who hears what is said to all at once; none where nothing is said so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub broadcast: Option<Broadcast>,
}

/// What is said to all linked neighbours on an interface at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Broadcast {
    /// Neighbours that hear it.
    pub hearers: u64,
    /// Neighbours that are told over their links.
    pub others: u64,
    /// Broadcasts that were sealed.
    pub sealed: Traffic,
    /// Broadcasts of neighbours that were opened and verified.
    pub opened: Traffic,
}

/// Frames and bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Traffic {
    /// Frames.
    pub frames: u64,
    /// Bytes of these frames.
    pub bytes: u64,
}

/// Answers [`Verb::Links`](super::Verb::Links).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Links {
    /// Each of them.
    pub links: Vec<Link>,
}

/// A link with a neighbour.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Link {
    /// The neighbour's node id.
    pub peer: String,
    /// The interface's name.
    pub interface: String,
    /// The neighbour's address, on media that have addresses.
    pub endpoint: Option<String>,
    /// Seconds since it came up.
    pub up_s: u64,
    /// Seconds since something authentic was heard.
    pub heard_s: u64,
    /// The last measured round trip, in microseconds.
    pub rtt_us: Option<u64>,
    /// How often its keys were replaced.
    pub rekeys: u32,
    /// What was sealed and sent.
    pub sent: Traffic,
    /// What arrived and was authentic.
    pub received: Traffic,
}
