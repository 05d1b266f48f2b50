//! Gossip: how neighbours bring their stores together. Spec: spec/network.md#gossip.

pub mod summary;
