//! What is said of the books.

use serde::{Deserialize, Serialize};

/// Answers [`Verb::Balances`](super::Verb::Balances).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Balances {
    /// Of which genesis: 64 digits.
    pub genesis: String,
    /// The hash of all channels: 32 digits. Equal hashes, equal books.
    pub state: String,
    /// How many channels there are.
    pub channels: u64,
    /// Which witness this node is, from 0; null if it is none.
    pub witness: Option<u8>,
    /// How many items were believed since the start.
    pub believed: u64,
    /// How many had a signature that does not verify.
    pub forged: u64,
    /// How many certificates were of another genesis.
    pub foreign: u64,
    /// How many items wait for a turn, a key or a certificate.
    pub waiting: u64,
    /// Accounts, by node.
    pub accounts: Vec<Account>,
    /// Whether there are more behind the last of them.
    pub more: bool,
}

/// An account.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Account {
    /// Whose.
    pub node: String,
    /// In µNXS; null while more is known to have gone than to have come.
    pub balance: Option<u64>,
    /// In how many channels.
    pub channels: u64,
    /// Whether its owner is convicted of having signed what may not be signed.
    pub flagged: bool,
}

/// Answers [`Verb::Ledger`](super::Verb::Ledger).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ledger {
    /// Channels, by key.
    pub entries: Vec<LedgerEntry>,
    /// Whether there are more than an answer has room for: an export has all.
    pub more: bool,
}

/// What is known of a channel. Pairs are those of the lower id and of the higher; amounts are µNXS.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LedgerEntry {
    /// Its id: 32 digits.
    pub channel: String,
    /// Both parties, the lower id first.
    pub parties: [String; 2],
    /// What each ever paid.
    pub paid: [u64; 2],
    /// What each certainly deposited.
    pub deposits: [u64; 2],
    /// What each had paid when it was closed; null while it is open.
    pub close: Option<[u64; 2]>,
}
