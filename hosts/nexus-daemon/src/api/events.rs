//! What is told while nobody asked for just that.

use serde::{Deserialize, Serialize};

use super::{Begin, FileArrived, Link, Message};

/// What happens.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Event {
    /// An attempt at what this request sends.
    Progress(Progress),
    /// A message arrived.
    Message(Message),
    /// A destination at which files can be left is announced.
    Receiving {
        /// Its hash.
        destination: String,
    },
    /// A file arrived.
    FileArrived(FileArrived),
    /// A link came up.
    LinkUp {
        /// The link.
        link: Link,
    },
    /// A link is no more.
    LinkDown {
        /// As it last stood.
        link: Link,
        /// Why: `interface`, `silent`, `replaced`, `policy`, `key_expired`, `clocks_parted` or `dropped`.
        why: String,
    },
    /// This node announced itself.
    Announced {
        /// Its emission, in Unix seconds.
        emission: u64,
    },
    /// Another's announce was verified.
    Reached {
        /// Whose.
        destination: String,
        /// How many times it was received on its way.
        hops: u8,
        /// The interface's name.
        interface: String,
    },
    /// A way to a destination is known, for the first time.
    PathLearnt {
        /// Whose.
        destination: String,
        /// Where the chosen way begins.
        way: Begin,
    },
    /// No way to a destination is known any more.
    PathLost {
        /// Whose.
        destination: String,
        /// Where the way began.
        was: Begin,
    },
    /// There is a way to a destination again.
    PathBack {
        /// Whose.
        destination: String,
        /// Where the chosen way begins.
        way: Begin,
    },
    /// The chosen way to a destination begins elsewhere.
    PathChanged {
        /// Whose.
        destination: String,
        /// Where it began.
        from: Begin,
        /// Where it begins.
        to: Begin,
    },
    /// An interface came up.
    InterfaceUp {
        /// Its name.
        interface: String,
    },
    /// An interface went down.
    InterfaceDown {
        /// Its name.
        interface: String,
    },
    /// A frame was dropped because the channel stayed busy.
    ChannelJammed {
        /// The interface's name.
        interface: String,
    },
    /// The clocks parted: this machine was suspended, or runs twice.
    ClocksParted {
        /// By how much, in milliseconds.
        by_ms: u64,
    },
    /// So many events were left out because this client did not read.
    Missed {
        /// How many.
        events: u64,
    },
    /// What this program does not know.
    #[serde(other)]
    Unknown,
}

/// An attempt at what is to be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Progress {
    /// What became of it.
    pub attempt: Attempt,
}

/// What became of an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Attempt {
    /// It left towards the recipient.
    Sent,
    /// Nothing is known of a way to the recipient.
    NoPath,
}
