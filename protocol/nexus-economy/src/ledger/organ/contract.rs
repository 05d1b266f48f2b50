//! What the organ is told, and what it wants.

use alloc::boxed::Box;
use alloc::vec::Vec;

use nexus_crypto::{NodeId, VerifyingKey};
use nexus_machine::{TableId, Write};
use nexus_wire::nexus::channel::SettlementRecord;
use nexus_wire::nexus::course::Course;
use nexus_wire::nexus::evidence::Evidence;
use nexus_wire::nexus::gossip::{ItemId, StateHash, StoreId};
use nexus_wire::nexus::ledger::{Order, Statement};

use super::super::entry::{ChannelKey, Side};
use super::super::intake::Neighbour;
use super::super::shown::Change;
use super::super::witness::Request;
use crate::money::Amount;

/// What the organ is told.
#[derive(Clone, Debug)]
pub enum Input {
    /// A neighbour is linked.
    Linked(Neighbour),
    /// It is not any more.
    Unlinked(Neighbour),
    /// A neighbour sent items.
    Apply {
        /// Which neighbour.
        from: Neighbour,
        /// Of which store.
        store: StoreId,
        /// The items.
        items: Vec<Vec<u8>>,
    },
    /// A neighbour is to be handed items.
    Fetch {
        /// Which neighbour.
        to: Neighbour,
        /// Of which store.
        store: StoreId,
        /// Which.
        ids: Vec<ItemId>,
    },
    /// A neighbour asked by names that are no item's: see [`question_about`](super::question_about).
    Asked {
        /// Which neighbour.
        by: Neighbour,
        /// Of which store.
        store: StoreId,
        /// What.
        ids: Vec<ItemId>,
    },
    /// An account is followed from here on, where not all are.
    Follow(NodeId),
    /// A node's key was learnt.
    Key(NodeId, VerifyingKey),
    /// This node's channels settled.
    Settled(SettlementRecord),
    /// An order of this node's was certified: the order, and the certificate as an item.
    Certified(Order, Vec<u8>),
    /// This node found proof of misconduct.
    Convict(Evidence),
    /// Somebody asks this node, as a witness, to sign.
    Requested(NodeId, Request),
    /// What was to be read.
    Read {
        /// The number in [`Effect::Read`].
        number: u64,
        /// What lies there.
        value: Option<Vec<u8>>,
    },
    /// The write with this number, and all before it, are durable.
    Durable(u64),
}

/// What the organ wants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Make these writes durable together, then say [`Input::Durable`] with the number.
    Write {
        /// The number.
        number: u64,
        /// The writes.
        writes: Vec<Write>,
    },
    /// Read what lies on disk, and say [`Input::Read`] with the number. What is durable can be read.
    Read {
        /// The number.
        number: u64,
        /// The table.
        table: TableId,
        /// The key.
        key: Vec<u8>,
    },
    /// An item is shown that was not before.
    Published {
        /// Of which store.
        store: StoreId,
        /// Which.
        id: ItemId,
        /// Its length, in bytes.
        size: u16,
    },
    /// An item is shown no more.
    Retired {
        /// Of which store.
        store: StoreId,
        /// Which.
        id: ItemId,
    },
    /// The state of a store that two neighbours compare; none is [`StateHash::NONE`].
    State(StoreId, StateHash),
    /// What was fetched.
    Bodies {
        /// Of which store.
        store: StoreId,
        /// For whom.
        to: Neighbour,
        /// The items.
        bodies: Vec<Vec<u8>>,
    },
    /// The items that answer what a neighbour asked.
    Answered {
        /// Of which store.
        store: StoreId,
        /// For whom.
        to: Neighbour,
        /// Which.
        ids: Vec<ItemId>,
    },
    /// What was found of a neighbour's items.
    Judged {
        /// Of which store.
        store: StoreId,
        /// Whose.
        from: Neighbour,
        /// Those that are held.
        held: Vec<ItemId>,
        /// How many were bad.
        bad: usize,
    },
    /// Ask neighbours for an item, or for what answers a question.
    Want(StoreId, ItemId),
    /// Find a node's key: it lies in the store of keys, or neighbours are asked for it.
    WantKey(NodeId),
    /// So much of a deposit in one of this node's channels is certified.
    Deposited {
        /// Which channel.
        key: ChannelKey,
        /// Whose.
        side: Side,
        /// How much in all.
        deposit: Amount,
    },
    /// What this node, as a witness, says to who asked.
    Stated(NodeId, Statement),
    /// What this node, as a witness, tells a party of a channel that one party closes alone.
    Shown(NodeId, Box<Course>),
    /// A node is convicted of misconduct.
    Flagged(NodeId),
    /// A neighbour keeps the books of another genesis.
    Foreign(Neighbour),
}

impl From<Change> for Effect {
    fn from(change: Change) -> Self {
        match change {
            Change::Published(store, id, size) => Self::Published { store, id, size },
            Change::Retired(store, id) => Self::Retired { store, id },
        }
    }
}
