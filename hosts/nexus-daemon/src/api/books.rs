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

/// Answers [`Verb::Witness`](super::Verb::Witness).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Witness {
    /// Which witness this node is, from 0; null if it is none.
    pub witness: Option<u8>,
    /// How many witnesses there are.
    pub witnesses: u64,
    /// How many make a certificate.
    pub quorum: u64,
    /// How many minutes this witness has counted.
    pub round: u64,
    /// How many requests and orders wait for their turn.
    pub waiting: u64,
    /// The last order that it signed of each owner, a hundred at most.
    pub owners: Vec<Owner>,
    /// How many closes it signed that are not certified yet, as far as it knows.
    pub closes: u64,
    /// Channels that one party closes alone, a hundred at most.
    pub cases: Vec<Case>,
    /// What this node ordered and is not certified yet.
    pub orders: Vec<Ordered>,
}

/// What a witness signed of an owner.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Owner {
    /// Who.
    pub node: String,
    /// The number of the order.
    pub order: u32,
    /// In which channel: 32 digits.
    pub channel: String,
    /// With whom.
    pub peer: String,
    /// The owner's running total there, in µNXS.
    pub deposit: u64,
}

/// A channel that one party closes alone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Case {
    /// Its id: 32 digits.
    pub channel: String,
    /// Both parties, the lower id first.
    pub parties: [String; 2],
    /// The number of the highest state that anybody showed.
    pub sequence: u64,
    /// In how many minutes it may be closed on that.
    pub rounds_left: u64,
}

/// An order of this node's that is not certified yet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ordered {
    /// In which channel: 32 digits.
    pub channel: String,
    /// The running total that it orders there, in µNXS; null if it closes the channel.
    pub deposit: Option<u64>,
    /// How many witnesses signed it.
    pub signed: u64,
}
