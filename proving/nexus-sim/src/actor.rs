//! What a world is populated with.

use nexus_crypto::DestinationHash;
use nexus_machine::{Instant, Seed, Snapshot};
use nexus_node::{Input, Output};

/// What a node is given at each of its starts.
#[derive(Clone, Debug)]
pub struct Birth {
    /// The secret from which its identity follows: the same at every start.
    pub identity: [u8; 32],
    /// What its disk held.
    pub snapshot: Snapshot,
    /// Randomness, different at every start.
    pub seed: Seed,
}

/// A node as its host sees it: the five words of the driving contract. A world is written against this, so that a test can
/// populate it with machines that break the rules.
pub trait Actor {
    /// The address that follows from an identity.
    fn address(identity: &[u8; 32]) -> DestinationHash;
    /// Up to which emission time of its own announces a store that this kind of node wrote has promised to remember.
    fn durable_emission(store: &Snapshot) -> Option<u64>;
    /// Starts a node.
    fn boot(birth: Birth) -> Self;
    /// Gives it an input.
    fn handle(&mut self, now: Instant, input: Input);
    /// Lets it do what is due.
    fn handle_timeout(&mut self, now: Instant);
    /// When it wants [`Actor::handle_timeout`] next.
    fn next_timeout(&self) -> Option<Instant>;
    /// Takes its next output.
    fn poll_output(&mut self) -> Option<Output>;
}
