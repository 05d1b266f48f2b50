//! One set of books that nobody keeps.
//!
//! A balance is never stored and never agreed on: it is read from a set that only grows. Each channel has one entry, what either side
//! ever paid in it, what witnesses certified that either side deposited, and how it was closed; two replicas join entry by entry, number
//! by number, to the larger. So nothing that a partition, a duplicate or a late arrival does can make two of them differ once they have
//! heard the same, whatever the order.
//!
//! | module | what lies in it |
//! |---|---|
//! | [`growing`] | counters and sets that only grow, with the laws of their joins |
//! | [`entry`] | what is known of one channel, and its join |
//! | [`books`] | all entries, the balances read from them, the hash of the whole |
//! | [`rules`], [`export`] | what a genesis fixes; books as a text |
//! | [`claim`], [`intake`] | what neighbours say with its proof, and how it is judged |
//! | [`known`] | books, and which orders stand behind them |
//! | [`organ`], [`spot`], [`shown`] | the organ: what is written down, and what is shown to neighbours |
//! | [`sparse`] | books of a node that has little memory |
//! | [`witness`], [`purse`] | who signs what may be spent, and who gathers signatures |
//!
//! Spec: `spec/economy.md#the-ledger`.

pub mod books;
pub mod claim;
pub mod entry;
pub mod export;
#[cfg(test)]
mod fixture;
pub mod growing;
#[cfg(test)]
mod harness;
pub mod intake;
pub mod known;
pub mod organ;
pub mod purse;
pub mod rules;
mod set_hash;
pub mod shown;
mod sorted;
pub mod sparse;
pub mod spot;
pub mod witness;

pub use books::{Balance, Books};
pub use entry::{ChannelKey, Entry, Side, Sums};
pub use growing::{GCounter, GSet, Join};
pub use known::{Known, Orders};
pub use organ::Ledger;
pub use purse::Purse;
pub use rules::Rules;
