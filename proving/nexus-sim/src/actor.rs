//! What a world is populated with.

use nexus_crypto::{DestinationHash, IdentitySeed, NodeIdentity};
use nexus_machine::{Config, Instant, Seed, Snapshot};
use nexus_network::announces::{self, Choice};
use nexus_network::{AppData, Limits, Opened, Tapping};
use nexus_node::{Input, Node, Output, Setup};
use nexus_secure::Ratchets;
use nexus_wire::reticulum::Announce;

use crate::observation::NodeIndex;

/// What a node is given at each of its starts.
#[derive(Clone, Debug)]
pub struct Birth {
    /// Its number in the world.
    pub node: NodeIndex,
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
    /// Whether a store that this kind of node wrote remembers all that `announce`, one of its own, depends on.
    fn remembers(store: &Snapshot, announce: &Announce<'_>) -> bool;
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
    /// Opens or shuts its tap; a machine without links has none.
    fn turn_tap(&mut self, _tapping: Tapping) {}
    /// Takes what its tap shows.
    fn take_opened(&mut self) -> Option<Opened> {
        None
    }
    /// Adds all its paths; a machine without a table has none.
    fn choices(&self, _all: &mut Vec<Choice>) {}
    /// How many keys of nodes it holds.
    fn keys(&self) -> usize {
        0
    }
}

impl Actor for Node {
    fn address(identity: &[u8; 32]) -> DestinationHash {
        NodeIdentity::from_seed(IdentitySeed::from_bytes(*identity)).node_id().into()
    }

    /// The emission time, or a later one, and the ratchet's secret: else the node could sign that emission again, or could
    /// not open what is sent to it.
    fn remembers(store: &Snapshot, announce: &Announce<'_>) -> bool {
        let times = store.scan(announces::EMISSIONS).filter_map(|(_, value)| value.try_into().ok());
        let emission = times.map(u64::from_le_bytes).max() >= Some(announce.claim.random_hash.emitted_at());
        // Not only the newest: an interface that comes up is sent the current emission again, whose ratchet may have a successor.
        let ratchets = Ratchets::new(store, &Seed::new([0; 32]));
        emission && ratchets.secrets().any(|secret| Some(secret.public()) == announce.claim.ratchet)
    }

    fn boot(birth: Birth) -> Self {
        let setup = Setup {
            identity: IdentitySeed::from_bytes(birth.identity),
            config: Config::default(),
            limits: Limits::default(),
            app_data: AppData::default(),
            economy: nexus_node::economy::layer::Policy::default(),
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

    fn turn_tap(&mut self, tapping: Tapping) {
        Self::turn_tap(self, tapping);
    }

    fn take_opened(&mut self) -> Option<Opened> {
        Self::take_opened(self)
    }

    fn choices(&self, all: &mut Vec<Choice>) {
        all.extend(self.network().announces().choices());
    }

    fn keys(&self) -> usize {
        self.network().keys().len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use nexus_crypto::{NameHash, RatchetSecret};
    use nexus_machine::Write;
    use nexus_secure::ratchets::RATCHETS;
    use nexus_wire::reticulum::RandomHash;
    use nexus_wire::reticulum::announce::Claim;

    #[test]
    fn a_store_remembers_an_announce_if_it_holds_its_emission_time_and_its_ratchet() {
        let identity = NodeIdentity::from_seed(IdentitySeed::from_bytes([7; 32]));
        let claim = Claim {
            public: *identity.public().identity(),
            name: NameHash::NEXUS_NODE,
            random_hash: RandomHash::new([0; 5], 100),
            ratchet: Some(RatchetSecret::from_bytes(&[9; 32]).public()),
            app_data: &[],
        };
        let announce = claim.sign(identity.as_reticulum());
        let emission = |time: u64| {
            Write::set(announces::EMISSIONS, identity.node_id().as_bytes(), time.to_le_bytes().to_vec())
        };
        let ratchet = |secret| Write::set(RATCHETS, &[0; 8], [&[0; 8][..], &[secret; 32]].concat());
        let remembers = |writes: Vec<Write>| {
            let mut store = Snapshot::empty();
            for write in writes {
                store.apply(write);
            }
            Node::remembers(&store, &announce)
        };
        assert!(remembers(vec![emission(100), ratchet(9)]));
        assert!(remembers(vec![emission(101), ratchet(9)]));
        assert!(!remembers(vec![emission(99), ratchet(9)]), "the emission time is missing");
        assert!(!remembers(vec![emission(100)]), "the ratchet is missing");
        assert!(!remembers(vec![emission(100), ratchet(8)]), "it is another ratchet");
        assert!(!remembers(vec![ratchet(9)]), "nothing of the emission is there");
    }
}
