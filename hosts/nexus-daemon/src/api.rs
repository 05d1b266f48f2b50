//! The control protocol's values: one JSON object a line, both ways, over the daemon's socket.
//!
//! A request names a [`Verb`]; each line that answers it repeats its id and carries one of [`Answer`]'s three forms: events as
//! long as there is something to tell, and at the end `ok` or `error`. Node ids and hashes are lower-case hexadecimal.
//! Spec: spec/control.md.

mod books;
mod budget;
mod events;
mod messages;
mod money;
mod paths;
mod queues;
mod radio;
mod rns;
mod status;

use serde::{Deserialize, Serialize};
use serde_json::Value;

pub use books::{Account, Balances, Case, Ledger, LedgerEntry, Ordered, Owner, Witness};
pub use budget::{Budget, Metered, Share, Span, Sum};
pub use events::{Attempt, Event, Progress};
pub use messages::{Delivered, Inbox, LeftAt, Message};
pub use money::{Channel, Channels, Earned, Exported, Income, Peer, Peers};
pub use paths::{
    Begin, Cost, Dropped, Found, NotAPathPolicy, Path, PathPolicy, Paths, Quote, Said, Standing, Traced, Way,
    Ways,
};
pub use queues::{ClassOfQueue, Held, NotAClass, PacketClass, Pressed, Queue, Queues, Sharer};
pub use radio::{Radio, RadioChannel, RadioLoad};
pub use rns::{FileArrived, RnsAnswer, RnsInterface, RnsSent, RnsStatus};
pub use status::{Broadcast, Interface, Interfaces, Link, Links, Status, Traffic};

/// The protocol's version: the `v` of every line.
pub const VERSION: u32 = 1;
/// The longest line, either way, in bytes, its end included.
pub const MAX_LINE: usize = 64 * 1024;

/// A line from a client.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Request {
    /// [`VERSION`].
    pub v: u32,
    /// Chosen by the client; repeated in everything that answers it.
    pub id: u64,
    /// What is to be done.
    #[serde(flatten)]
    pub verb: Verb,
}

/// What can be asked. The answer's `ok` is the type named.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "snake_case")]
pub enum Verb {
    /// Everything at a glance: [`Status`].
    Status,
    /// [`Interfaces`].
    Interfaces,
    /// [`Links`].
    Links,
    /// What interfaces had on their media, and for what: [`Budget`].
    Budget,
    /// What waits for interfaces, and what became of what waited: [`Queues`].
    Queues,
    /// What this node signs for others as a witness, and what it ordered itself: [`Witness`].
    Witness,
    /// What accounts have, as far as is known here: [`Balances`].
    Balances {
        /// Only those behind this one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        after: Option<String>,
    },
    /// The channels in the books: [`Ledger`].
    Ledger {
        /// Only this node's.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        node: Option<String>,
    },
    /// All of the books as a text, written to a file that does not exist yet: [`Done`].
    LedgerExport {
        /// The file, as an absolute path.
        file: String,
    },
    /// The destinations known and the chosen ways there, as many as fit a line: [`Paths`].
    Paths {
        /// Only those whose hashes come later.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        after: Option<String>,
    },
    /// Every way to one destination, and what decides among them: [`Ways`].
    Path {
        /// The destination's hash; a node's id.
        to: String,
        /// By what the best is chosen; as the node is set, if not said.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        policy: Option<PathPolicy>,
    },
    /// Forgets every way to a destination, until somebody says one: [`Dropped`].
    DropPaths {
        /// The destination's hash; a node's id.
        to: String,
    },
    /// Looks for a way to a destination by asking others: [`Found`].
    FindPath {
        /// The destination's hash; a node's id.
        to: String,
    },
    /// Asks a node how the question came and how it would send back: [`Traced`], after a [`Progress`] event for each attempt.
    Trace {
        /// The node's id.
        to: String,
        /// For how long it is tried, in seconds; 0: once.
        for_s: u64,
        /// By what the way is chosen here; as the node is set, if not said.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        policy: Option<PathPolicy>,
    },
    /// Asks a node for an answer: [`Delivered`], after an [`Progress`] event for each attempt.
    Ping {
        /// The node's id.
        to: String,
        /// For how long it is tried, in seconds; 0: once.
        for_s: u64,
        /// How many bytes longer than need be it is, 382 at most; none, if not said.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        padding: Option<u16>,
        /// By what the way is chosen here; as the node is set, if not said.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        policy: Option<PathPolicy>,
        /// How urgent it is; `interactive`, if not said.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        class: Option<PacketClass>,
    },
    /// The interfaces in `reticulum` mode, and what passes there: [`RnsStatus`].
    RnsStatus,
    /// Sends random bytes to a SINGLE destination and waits for the proof: [`Delivered`], after a [`Progress`] event.
    RnsProbe {
        /// The destination's hash.
        to: String,
        /// How many bytes.
        len: u16,
        /// How long the proof may take, in seconds.
        for_s: u64,
    },
    /// Asks something of a SINGLE destination, on a link that is opened for it: [`RnsAnswer`].
    RnsRequest {
        /// The destination's hash.
        to: String,
        /// The path that is asked for, such as `/page/index.mu`.
        path: String,
        /// What goes with it: one value of `MessagePack`, in hexadecimal; nil, if not said.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        data: Option<String>,
        /// Whether the other end is told who asks.
        #[serde(default)]
        identify: bool,
        /// How long the answer may take once there is a link, in seconds.
        for_s: u64,
    },
    /// Sends a file to a SINGLE destination, as `rncp` does, on a link that is opened for it: [`RnsSent`].
    RnsSendFile {
        /// The destination's hash.
        to: String,
        /// The file, as an absolute path.
        file: String,
    },
    /// Has a destination at which `rncp` and nodes leave files, as long as this is waited for: a [`Event::Receiving`], then a
    /// [`FileArrived`] event for each, without end.
    RnsReceive {
        /// The directory that takes them, as an absolute path.
        into: String,
        /// The hashes of the identities that may leave files; empty if anybody may.
        from: Vec<String>,
    },
    /// Sends a message: [`Delivered`], after a [`Progress`] event for each attempt.
    Send {
        /// The node's id.
        to: String,
        /// The text.
        text: String,
        /// Whether it says and proves who sends it.
        #[serde(default = "yes")]
        signed: bool,
        /// For how long it is tried, in seconds; 0: once.
        for_s: u64,
        /// By what the way is chosen here; as the node is set, if not said.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        policy: Option<PathPolicy>,
        /// How urgent it is; `interactive`, if not said.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        class: Option<PacketClass>,
    },
    /// Sends a message to an LXMF address: [`Delivered`].
    LxmfSend {
        /// `lxmf:` and the address.
        to: String,
        /// The title; mostly there is none.
        #[serde(default, skip_serializing_if = "String::is_empty")]
        title: String,
        /// The text.
        text: String,
        /// For how long it is tried, in seconds; 0: once.
        for_s: u64,
    },
    /// The messages that arrived: [`Inbox`].
    Inbox {
        /// Only those with a later number.
        #[serde(default)]
        since: u64,
        /// At most so many; as many as fit a line, if not said.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        limit: Option<u64>,
    },
    /// The messages that arrived and those that will: a [`Message`] event for each, without end.
    Listen {
        /// Only those with a later number.
        #[serde(default)]
        since: u64,
    },
    /// What happens from here on: an [`Event`] for each, without end.
    Events,
    /// Announces this node with a fresh emission: [`Done`].
    Announce,
    /// Keeps a link with whoever answers there: [`Done`].
    Dial {
        /// The interface's name; may be left out if there is one UDP interface only.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        interface: Option<String>,
        /// Host and port.
        peer: String,
        /// The node that must answer, if that is known.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        expected: Option<String>,
    },
    /// Tries that no more; a link that is up stays up: [`Done`].
    Undial {
        /// The interface's name; may be left out if there is one UDP interface only.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        interface: Option<String>,
        /// Host and port.
        peer: String,
    },
    /// Reads the configuration again: [`Reloaded`].
    Reload,
    /// Says more or less in the log: [`Done`].
    LogLevel {
        /// `error`, `warn`, `info`, `debug` or `trace`.
        level: String,
    },
    /// A consistent copy of what is durable, written to a file that does not exist yet: [`Done`].
    Backup {
        /// The file, as an absolute path.
        file: String,
    },
    /// Of whom something is said: [`Peers`].
    Peers,
    /// Carries a node's packets for nothing from here on, also after a restart: [`Done`].
    PeerAdd {
        /// The node's id.
        node: String,
    },
    /// Forgets all that was said of a node: [`Done`].
    PeerRemove {
        /// The node's id.
        node: String,
    },
    /// Asks less of a node for itself than of others: [`Done`].
    PeerPrice {
        /// The node's id.
        node: String,
        /// In µNXS for 1,024 bytes; what is asked of all, if not said.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        price_unxs_per_kib: Option<u64>,
    },
    /// What was counted with each neighbour, and what that brought: [`Income`].
    Income,
    /// The accounts with neighbours: [`Channels`].
    Channels,
    /// Offers a linked node a channel: [`Done`] when it is offered.
    ChannelOpen {
        /// The node's id.
        peer: String,
        /// What it is lent, in µNXS; the configuration's `line`, if not said.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        line_unxs: Option<u64>,
        /// What this node puts into it out of what it has in the books, in µNXS, once witnesses certified that; nothing, if not said.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        deposit_unxs: Option<u64>,
    },
    /// Puts money from the books into the channel with a node, so much in all: [`Done`] when it is ordered. Witnesses certify it.
    ChannelDeposit {
        /// The node's id.
        peer: String,
        /// What this node deposited there in all, in µNXS: more than is certified.
        deposit_unxs: u64,
    },
    /// Offers a node a settlement of the channel with it: [`Done`] when it is offered.
    ChannelSettle {
        /// The node's id.
        peer: String,
    },
    /// Closes the channel with a node: [`Done`] when that is begun.
    ChannelClose {
        /// The node's id.
        peer: String,
        /// Whether without its consent.
        #[serde(default)]
        alone: bool,
    },
    /// Writes the states of a channel that both signed, as far as they are kept, to a file that does not exist yet: [`Exported`].
    ChannelExport {
        /// The node's id.
        peer: String,
        /// The file, as an absolute path.
        file: String,
    },
    /// Ends the daemon in order; the connection closes when it is gone: [`Done`].
    Stop,
}

const fn yes() -> bool {
    true
}

/// A line from the daemon.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Reply {
    /// [`VERSION`].
    pub v: u32,
    /// The request's; 0 if it could not be read.
    pub id: u64,
    /// Its content.
    #[serde(flatten)]
    pub answer: Answer,
}

/// What a line from the daemon says.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Answer {
    /// It is done: nothing more comes with this id.
    Ok(Value),
    /// It is not done: nothing more comes with this id.
    Error(Failure),
    /// On the way.
    Event(Event),
}

/// Why something was not done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{sentence}")]
pub struct Failure {
    /// For programs.
    pub code: Code,
    /// For people.
    pub sentence: String,
}

/// The kinds of failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Code {
    /// The line is no request.
    BadRequest,
    /// The line is longer than [`MAX_LINE`].
    TooLong,
    /// The verb is not known.
    UnknownVerb,
    /// The version is not spoken.
    UnknownVersion,
    /// A value cannot be right: no node id, no address, a text that is too long.
    BadValue,
    /// What was named is not there.
    NotFound,
    /// As much as may be on its way is on its way.
    Busy,
    /// No way to the recipient was known during the whole time.
    NoPath,
    /// It was sent, and no receipt came.
    NoReceipt,
    /// The configuration cannot be read or carried out; nothing was changed.
    BadConfiguration,
    /// The system refused.
    System,
    /// The daemon ends.
    Stopping,
    /// A code that this program does not know.
    #[serde(other)]
    Unknown,
}

/// Nothing more is to be said.
#[derive(Clone, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Done {}

/// Answers [`Verb::Reload`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reloaded {
    /// What is different, a sentence each.
    pub changes: Vec<String>,
    /// What is written differently and takes effect only after a restart, a sentence each.
    pub after_restart: Vec<String>,
}
