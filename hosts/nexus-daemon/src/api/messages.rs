//! Messages between people, and what became of them. Spec: spec/control.md.

use serde::{Deserialize, Serialize};

/// Answers [`Verb::Ping`](super::Verb::Ping) and [`Verb::Send`](super::Verb::Send): the recipient proved that it arrived.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Delivered {
    /// How often it was sent.
    pub attempts: u32,
    /// From the attempt that was answered to the answer, in microseconds.
    pub round_trip_us: u64,
    /// Who has it in the recipient's place; none if the recipient has it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub left_at: Option<LeftAt>,
}

/// Who may have a message until its recipient asks for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LeftAt {
    /// The propagation node of the configuration.
    PropagationNode,
}

/// Answers [`Verb::Inbox`](super::Verb::Inbox).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Inbox {
    /// Messages, oldest first.
    pub messages: Vec<Message>,
    /// Whether there are later ones that this answer has no room for: ask again with the last number.
    pub more: bool,
}

/// A message that arrived.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Message {
    /// Counts up, never reused.
    pub number: u64,
    /// Who sent it; none if it does not say.
    pub from: Option<String>,
    /// Whether the sender's signature was verified.
    pub verified: bool,
    /// Unix time in seconds at its arrival; 0 without a clock.
    pub unix_s: u64,
    /// The text. What was no UTF-8 is replaced.
    pub text: String,
}
