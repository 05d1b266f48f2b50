//! Channels, what carrying brings, and whom this node carries for what.

use serde::{Deserialize, Serialize};

/// Answers [`Verb::Peers`](super::Verb::Peers).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Peers {
    /// Each of them, by node id.
    pub peers: Vec<Peer>,
}

/// A node of which something is said.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Peer {
    /// Its id.
    pub node: String,
    /// Whether it is carried for nothing.
    pub trusted: bool,
    /// What this node asks of it for itself, in µNXS for 1,024 bytes; none if what it asks of all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub price_unxs_per_kib: Option<u64>,
    /// Whether the configuration says so: then a command does not take it back.
    pub configured: bool,
}

/// Answers [`Verb::Income`](super::Verb::Income).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Income {
    /// Each neighbour with which something was counted.
    pub neighbours: Vec<Earned>,
}

/// What was counted with a neighbour since the node started. Grains are 1,024 to the µNXS.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Earned {
    /// Its node id.
    pub peer: String,
    /// Whether it is carried for nothing.
    pub trusted: bool,
    /// What it owes for what this node carried, in grains.
    pub due_grains: u64,
    /// What this node owes it, in grains.
    pub owed_grains: u64,
    /// Windows that it released under the terms in force.
    pub released: u16,
    /// Windows drawn.
    pub windows: u64,
    /// Of them, those that won.
    pub wins: u64,
    /// What the windows drawn are worth by their odds, in grains: what is to be expected.
    pub expected_grains: u64,
    /// What wins brought, in µNXS.
    pub actual_unxs: u64,
    /// What this node paid it, in µNXS.
    pub paid_unxs: u64,
}

/// Answers [`Verb::Channels`](super::Verb::Channels).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Channels {
    /// Each of them, by the neighbour's id.
    pub channels: Vec<Channel>,
}

/// The account with a neighbour.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Channel {
    /// The neighbour's node id.
    pub peer: String,
    /// The channel's id.
    pub channel: String,
    /// `open`, `resuming`, `settling`, `closing`, `disputed` or `closed`.
    pub state: String,
    /// What this node can spend in it, in µNXS: certified deposit, what it received, what it was lent.
    pub own_unxs: u64,
    /// What the neighbour can.
    pub theirs_unxs: u64,
    /// What of this node's the neighbour lent it.
    pub borrowed_unxs: u64,
    /// What of the neighbour's this node lent it.
    pub lent_unxs: u64,
    /// The number of the latest state that both signed.
    pub sequence: u64,
    /// What of this node's was settled in it, in all.
    pub settled_own_unxs: u64,
    /// What of the neighbour's was.
    pub settled_theirs_unxs: u64,
}

/// Answers [`Verb::ChannelExport`](super::Verb::ChannelExport).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Exported {
    /// How many states were written.
    pub states: u64,
}
