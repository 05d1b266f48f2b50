//! Channels: two neighbours keep one account through loss, crash and malice. Spec: spec/economy.md#channels.

pub mod account;
pub mod ending;
pub mod figures;
pub mod keys;
pub mod letters;
pub mod resuming;
pub mod store;
pub mod updates;
