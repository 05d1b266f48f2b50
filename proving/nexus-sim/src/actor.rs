//! What a world is populated with.

use nexus_crypto::{DestinationHash, IdentitySeed, NodeIdentity};
use nexus_machine::{Config, Instant, Seed, Snapshot};
use nexus_network::{Limits, announces};
use nexus_node::{Input, Node, Output, Setup};

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

impl Actor for Node {
    fn address(identity: &[u8; 32]) -> DestinationHash {
        NodeIdentity::from_seed(IdentitySeed::from_bytes(*identity)).node_id().into()
    }

    fn durable_emission(store: &Snapshot) -> Option<u64> {
        let times = store.scan(announces::EMISSIONS).filter_map(|(_, value)| value.try_into().ok());
        times.map(u64::from_le_bytes).max()
    }

    fn boot(birth: Birth) -> Self {
        let setup = Setup {
            identity: IdentitySeed::from_bytes(birth.identity),
            config: Config::default(),
            limits: Limits::default(),
            app_data: NO_EXTENSIONS.to_vec(),
            snapshot: birth.snapshot,
        };
        Self::new(setup, &birth.seed)
    }

    fn handle(&mut self, now: Instant, input: Input) {
        Self::handle(self, now, input);
    }

    fn handle_timeout(&mut self, now: Instant) {
        Self::handle_timeout(self, now);
    }

    fn next_timeout(&self) -> Option<Instant> {
        Self::next_timeout(self)
    }

    fn poll_output(&mut self) -> Option<Output> {
        Self::poll_output(self)
    }
}

/// What a NEXUS node says of itself when it has nothing to say. Source: spec/wire.md#announce-extension.
const NO_EXTENSIONS: [u8; 2] = [0x4e, 0x01];
