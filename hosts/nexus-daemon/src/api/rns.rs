//! What is told of the Reticulum world: interfaces in `reticulum` mode, and what was refused there.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::Traffic;

/// Answers [`Verb::RnsStatus`](super::Verb::RnsStatus).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RnsStatus {
    /// This node's transport id: the hash of its identity.
    pub transport_id: String,
    /// Whether it carries the packets of others.
    pub relaying: bool,
    /// Its interfaces in `reticulum` mode.
    pub interfaces: Vec<RnsInterface>,
    /// To how many destinations that are no NEXUS nodes there is a way.
    pub paths: u64,
    /// Of how many destinations what was learnt is not on its way to the disk yet: a crash would lose it.
    #[serde(default)]
    pub paths_unwritten: u64,
    /// How many Reticulum links stand through this node.
    pub circuits: u64,
    /// How many tunnels of others are up here.
    pub tunnels: u64,
    /// How many of them are down, and have their paths kept.
    pub tunnels_kept: u64,
    /// What was heard from the Reticulum world and not taken, by cause; causes that did not occur may be left out.
    pub refusals: BTreeMap<String, u64>,
}

/// Answers [`Verb::RnsRequest`](super::Verb::RnsRequest).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RnsAnswer {
    /// The answer: one value of `MessagePack`, in hexadecimal.
    pub data: String,
    /// From the request to the answer, in microseconds, the link's opening included.
    pub took_us: u64,
}

/// Answers [`Verb::RnsSendFile`](super::Verb::RnsSendFile): the other end has all of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RnsSent {
    /// The file's length.
    pub bytes: u64,
    /// From the request to the last proof, in microseconds, the link's opening included.
    pub took_us: u64,
}

/// A file that arrived.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileArrived {
    /// Where it is: under the name that its sender gave it, with a number if there was one of that name.
    pub file: String,
    /// Its length.
    pub bytes: u64,
    /// The hash of the identity that left it; none if it did not say.
    pub from: Option<String>,
}

/// An interface in `reticulum` mode.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RnsInterface {
    /// Its name.
    pub name: String,
    /// What it runs on.
    pub kind: String,
    /// Where it stands among stock nodes: `full`, `gateway` and so on.
    pub role: String,
    /// Whether frames can pass, or, where each peer is an interface of its own, whether peers can come.
    pub up: bool,
    /// How many peers there are, where each is an interface of its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub peers: Option<u64>,
    /// Nominal rate in bits per second; 0 if unknown.
    pub bandwidth_bps: u64,
    /// What left.
    pub sent: Traffic,
    /// What arrived.
    pub received: Traffic,
    /// Announces of others that wait to be said there.
    pub announces_queued: u64,
    /// Announces of strangers that came too fast, and are let in later.
    pub announces_held: u64,
    /// What the system said last, if it went wrong.
    pub fault: Option<String>,
}
