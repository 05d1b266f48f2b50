//! This node's own announce: which emission it is at, and the gate that keeps it until the emission time is durable.

use alloc::collections::VecDeque;
use alloc::vec::Vec;

use nexus_crypto::{
    DestinationHash, IdentityHash, NameHash, NodeId, NodeIdentity, RatchetPublic, VerifyingKey,
};
use nexus_machine::{Duration, Gate, Instant, Snapshot, Stream, Write};
use nexus_wire::nexus::path_cost::Generation;
use nexus_wire::reticulum::{
    MTU, RandomHash, TunnelSynthesis,
    announce::{APP_DATA_WITH_RATCHET_MAX, Claim, Occasion, RELAYABLE_LEN},
};
use thiserror::Error;

use super::{EMISSIONS, Motive};

/// The longest announce that a node makes, in bytes: with its path cost and sealed, a frame for the smallest media.
/// Source: spec/wire.md#announce-extension.
const OWN_LEN: usize = 474;
/// The room that leaves for what a node says of itself, in bytes.
const APP_DATA_MAX: usize = APP_DATA_WITH_RATCHET_MAX - (RELAYABLE_LEN - OWN_LEN);

/// What a node says of itself in its announce: signed, so it is never cut. Format: spec/wire.md#announce-extension.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AppData(Vec<u8>);

/// More than an announce with a ratchet has room for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("an announce has room for {APP_DATA_MAX} bytes of its own, and these are {0}")]
pub struct AppDataTooLong(pub usize);

impl AppData {
    /// Takes these bytes, if an announce with a ratchet has room for them.
    pub fn new(bytes: &[u8]) -> Result<Self, AppDataTooLong> {
        if bytes.len() > APP_DATA_MAX {
            return Err(AppDataTooLong(bytes.len()));
        }
        Ok(Self(bytes.to_vec()))
    }
}

impl Default for AppData {
    /// An announce extension without fields.
    fn default() -> Self {
        Self(b"N\x01".to_vec())
    }
}

/// One emission, ready to leave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Emission {
    pub(super) emitted_at: u64,
    pub(super) random_hash: RandomHash,
    pub(super) motive: Motive,
    pub(super) bytes: Vec<u8>,
}

/// What comes of a request for another generation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Renewal {
    /// There is nothing yet, or there was another one of late.
    TooSoon,
    /// There is.
    Generation,
    /// All generations of the emission are used up: another emission is due.
    Emission,
}

/// What this node says of itself, and when it last said so.
#[derive(Debug)]
pub(super) struct OwnAnnounce {
    identity: NodeIdentity,
    destination: DestinationHash,
    app_data: AppData,
    ratchet: Option<RatchetPublic>,
    /// The latest emission time used or heard, durable or not.
    last: u64,
    /// The newest emission that left.
    current: Option<Emission>,
    /// Which costs of it were said last, and when there were others.
    generation: Generation,
    renewed_at: Option<Instant>,
    /// At most one emission waits for its write.
    gate: Gate<Emission>,
    /// The number of the last write.
    last_write: u64,
}

impl OwnAnnounce {
    /// The most heap that it holds, in bytes: the announce twice (waiting and current), the application's data.
    pub(super) const MEMORY_BOUND: usize = 3 * MTU + 512;

    /// Takes up the emission counter where it was durable.
    pub(super) fn resume(identity: NodeIdentity, app_data: AppData, snapshot: &Snapshot) -> Self {
        let destination = DestinationHash::from(identity.node_id());
        let last = snapshot
            .get(EMISSIONS, destination.as_bytes())
            .and_then(|value| value.try_into().ok())
            .map_or(0, u64::from_le_bytes);
        Self {
            identity,
            destination,
            app_data,
            ratchet: None,
            last,
            current: None,
            generation: Generation::FIRST,
            renewed_at: None,
            gate: Gate::new(1),
            last_write: 0,
        }
    }

    pub(super) const fn destination(&self) -> DestinationHash {
        self.destination
    }

    pub(super) fn verifying(&self) -> VerifyingKey {
        self.identity.public().verifying()
    }

    pub(super) fn node_id(&self) -> NodeId {
        self.identity.node_id()
    }

    /// The transport id under which this node passes on in clear.
    pub(super) fn transport(&self) -> IdentityHash {
        self.identity.public().hash()
    }

    pub(super) const fn last_emission(&self) -> u64 {
        self.last
    }

    pub(super) const fn current(&self) -> Option<&Emission> {
        self.current.as_ref()
    }

    pub(super) const fn set_ratchet(&mut self, ratchet: RatchetPublic) {
        self.ratchet = Some(ratchet);
    }

    /// An emission of one's own that this node does not remember: later ones must be later than it, and what this node
    /// sent before it is out of date.
    pub(super) fn raise(&mut self, emitted_at: u64) {
        self.last = self.last.max(emitted_at);
        self.current = None;
    }

    /// Signs the next emission and holds it back; returns the write that lets it out. Nothing happens without a ratchet,
    /// while an emission waits already, or at the end of time.
    pub(super) fn begin(
        &mut self,
        unix_s: Option<u64>,
        motive: Motive,
        random: &mut Stream,
    ) -> Option<(u64, Write)> {
        let ratchet = self.ratchet?;
        if self.gate.waiting() > 0 {
            return None;
        }
        // A clock beyond the format's last second is no clock: it must not use up the counter.
        let clock = unix_s.filter(|seconds| *seconds < RandomHash::LAST_SECOND).unwrap_or(0);
        let emitted_at = clock.max(self.last.saturating_add(1));
        if emitted_at > RandomHash::LAST_SECOND {
            return None;
        }
        let emission = self.sign(ratchet, RandomHash::new(random.bytes(), emitted_at), motive)?;
        let number = self.gate.hold(emission).ok()?;
        self.last_write = number;
        self.last = emitted_at;
        Some((number, Write::set(EMISSIONS, self.destination.as_bytes(), emitted_at.to_le_bytes().to_vec())))
    }

    /// The number of the last write that an emission waits for, or waited: what is written on no account of an emission repeats it.
    pub(super) const fn last_write(&self) -> u64 {
        self.last_write
    }

    /// Lets out what waited for the write `through`.
    pub(super) fn durable(&mut self, through: u64, out: &mut VecDeque<Emission>) {
        self.gate.release(through, out);
    }

    /// Remembers what left, for interfaces that come up later.
    pub(super) fn published(&mut self, emission: Emission) {
        self.current = Some(emission);
        self.generation = Generation::FIRST;
    }

    /// Which costs of the current emission are said.
    pub(super) const fn generation(&self) -> Generation {
        self.generation
    }

    /// Others ask for costs of another generation.
    pub(super) fn renew(&mut self, now: Instant, interval: Duration) -> Renewal {
        if self.current.is_none() || self.renewed_at.is_some_and(|at| now.since(at) < interval) {
            return Renewal::TooSoon;
        }
        self.renewed_at = Some(now);
        match self.generation.next() {
            Some(next) => {
                self.generation = next;
                Renewal::Generation
            }
            None => Renewal::Emission,
        }
    }

    /// Says of an interface of this node's that it is there.
    pub(super) fn synthesis(&self, interface: [u8; 32], random: [u8; 16]) -> TunnelSynthesis {
        TunnelSynthesis::sign(interface, random, self.identity.as_reticulum())
    }

    fn sign(&self, ratchet: RatchetPublic, random_hash: RandomHash, motive: Motive) -> Option<Emission> {
        let claim = Claim {
            public: *self.identity.public().identity(),
            name: NameHash::NEXUS_NODE,
            random_hash,
            ratchet: Some(ratchet),
            app_data: &self.app_data.0,
        };
        let announce = claim.sign(self.identity.as_reticulum());
        let mut buffer = [0; MTU];
        let bytes = announce.encode(Occasion::Periodic, &mut buffer).ok()?.to_vec();
        Some(Emission { emitted_at: random_hash.emitted_at(), random_hash, motive, bytes })
    }
}
