//! The organ that makes this node known, hears of others, and passes their announces on.
//!
//! Invariants, each with a judge in the simulator:
//!
//! * an emission time is durable before an announce that carries it leaves, and no two announces of this node share one:
//!   `max(wall clock, last durable emission + 1)`, where hearing one's own validly signed later emission raises "last";
//! * nothing of an announce is believed before its signature verified, and nothing older than the newest seen of a
//!   destination is kept or passed on: what still waits to be sent when a newer one verifies is recalled;
//! * an emission is passed on once, with the hop count of the path that it came.
//!
//! Announces are spoken in clear on interfaces in `reticulum` mode only. Spec: spec/network.md#announces.

mod known;
mod own;
#[cfg(test)]
mod tests;

use alloc::collections::{BTreeMap, VecDeque};
use alloc::vec::Vec;

use nexus_crypto::{DestinationHash, NodeIdentity, RatchetPublic};
use nexus_machine::{
    BoundedMap, Cx, Deadlines, Duration, Inserted, Instant, Machine, MapOverflow, MemoryBound, Relaying,
    Seed, Sink, Snapshot, Stream, TableId, Write,
};
use nexus_wire::reticulum::{Announce, Packet, PacketType};

use crate::interface::{InterfaceId, Mode, Profile, Reach};
use crate::media::Frame;

use known::{Judgement, KnownDestinations};
pub use known::{Known, Neighbour, Recipient};
pub use own::{AppData, AppDataTooLong};
use own::{Emission, OwnAnnounce};

/// What the organ is told.
#[derive(Clone, Debug)]
pub enum Input {
    /// An interface came up.
    Up(InterfaceId, Profile),
    /// An interface went down.
    Down(InterfaceId),
    /// A frame arrived on an interface.
    Heard {
        /// Where.
        iface: InterfaceId,
        /// The frame.
        bytes: Vec<u8>,
    },
    /// A ratchet is durable: announce with it from here on.
    Ratchet(RatchetPublic),
    /// Announce with a fresh emission, now.
    Announce,
    /// The write with this number, and all before it, are durable.
    Durable(u64),
}

/// What the organ wants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Send this frame.
    Send(Frame),
    /// Frames about this destination that still wait to be sent are out of date.
    Recall(DestinationHash),
    /// Make this write durable, then say [`Input::Durable`] with the number.
    Write {
        /// The number.
        number: u64,
        /// The write.
        write: Write,
    },
    /// An announce of another was verified.
    Reached(Sighting),
    /// This node's own announce left.
    Announced {
        /// Its emission time.
        emitted_at: u64,
    },
}

/// A verified announce of another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sighting {
    /// Whose.
    pub destination: DestinationHash,
    /// Its emission time.
    pub emitted_at: u64,
    /// How many times it was received.
    pub hops: u8,
    /// Where it was heard.
    pub iface: InterfaceId,
}

/// The table that holds the last emission time of each own destination: key 16 bytes, value u64 little-endian.
pub const EMISSIONS: TableId = TableId(1);

/// Announces in clear are repeated at this interval: stock relays carry six an hour and destination at most.
pub const REFRESH: Duration = Duration::from_secs(3_600);
/// Refreshes are spread over this much more, so that nodes started together part.
const REFRESH_SPREAD: Duration = Duration::from_secs(180);
/// An announce is passed on after a random wait of up to this, so that neighbours do not all speak at once.
const RELAY_SPREAD: Duration = Duration::from_millis(500);

/// How much the organ may hold.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Destinations known.
    pub known: usize,
    /// Announces of others that wait to be passed on.
    pub relays: usize,
}

impl Default for Limits {
    /// For a host.
    fn default() -> Self {
        Self { known: 4_096, relays: 512 }
    }
}

/// What was heard and not believed or not kept. Counted, never answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Refusals {
    /// On an interface that is not in `reticulum` mode, or not up.
    pub closed: u64,
    /// Not an announce, or not the bytes of one.
    pub malformed: u64,
    /// Not newer than what is known of its destination: repeated, or replayed.
    pub stale: u64,
    /// The destination is not that of the key and name, or the signature does not verify.
    pub forged: u64,
    /// The destination is pinned to another key.
    pub other_key: u64,
    /// Longer than relays can carry.
    pub too_long: u64,
    /// Passed on too late or not at all: too many waited.
    pub crowded: u64,
}

/// The organ.
#[derive(Debug)]
pub struct Announces {
    own: OwnAnnounce,
    interfaces: BTreeMap<InterfaceId, Reach>,
    known: KnownDestinations,
    /// Announces of others that wait to be passed on, by destination.
    relays: BoundedMap<DestinationHash, Relay>,
    deadlines: Deadlines<Timer>,
    random: Stream,
    refusals: Refusals,
}

/// Who owns a deadline.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Timer {
    /// The own announce is due again.
    Refresh,
    /// Another's announce is to be passed on.
    Relay(DestinationHash),
}

/// An announce to be passed on.
#[derive(Debug)]
struct Relay {
    heard_on: InterfaceId,
    bytes: Vec<u8>,
}

impl Announces {
    /// The organ, resuming from what was durable.
    #[must_use]
    pub fn new(
        identity: NodeIdentity,
        app_data: AppData,
        limits: Limits,
        snapshot: &Snapshot,
        seed: &Seed,
    ) -> Self {
        Self {
            own: OwnAnnounce::resume(identity, app_data, snapshot),
            interfaces: BTreeMap::new(),
            known: KnownDestinations::new(limits.known),
            relays: BoundedMap::new(limits.relays, MapOverflow::RefuseNew),
            deadlines: Deadlines::default(),
            random: seed.fork("announces"),
            refusals: Refusals::default(),
        }
    }

    /// All destinations known, by address.
    pub fn known(&self) -> impl Iterator<Item = (&DestinationHash, &Known)> {
        self.known.iter()
    }

    /// What is needed to write to `destination`, if it is known.
    #[must_use]
    pub fn recipient(&self, destination: &DestinationHash) -> Option<Recipient> {
        self.known.get(destination).map(|known| Recipient { public: known.public, ratchet: known.ratchet })
    }

    /// What was heard and not believed or not kept.
    #[must_use]
    pub const fn refusals(&self) -> &Refusals {
        &self.refusals
    }

    /// The emission time of the newest own announce, durable or on its way to be; 0 before the first.
    #[must_use]
    pub const fn last_emission(&self) -> u64 {
        self.own.last_emission()
    }

    /// Starts an emission if there is anything to announce with and anywhere to announce.
    fn emit(&mut self, cx: Cx, out: &mut impl Sink<Effect>) {
        if self.interfaces.is_empty() {
            return;
        }
        if let Some((number, write)) = self.own.begin(cx.unix_s(), &mut self.random) {
            out.push(Effect::Write { number, write });
            let spread = Duration::from_micros(self.random.below(REFRESH_SPREAD.as_micros()));
            self.deadlines.set(Timer::Refresh, cx.now.after(REFRESH).after(spread));
        }
    }

    fn up(&mut self, cx: Cx, iface: InterfaceId, profile: &Profile, out: &mut impl Sink<Effect>) {
        match profile.mode {
            Mode::Nexus => {
                self.interfaces.remove(&iface);
            }
            Mode::Reticulum => {
                self.interfaces.insert(iface, profile.reach);
                match self.own.current() {
                    // Whoever is there has not heard it: the same emission, not another.
                    Some(emission) => {
                        out.push(Effect::Send(frame(iface, self.own.destination(), &emission.bytes)));
                    }
                    None => self.emit(cx, out),
                }
            }
        }
    }

    fn durable(&mut self, cx: Cx, through: u64, out: &mut impl Sink<Effect>) {
        let mut ready: VecDeque<Emission> = VecDeque::new();
        self.own.durable(through, &mut ready);
        for emission in ready {
            if emission.emitted_at < self.own.last_emission() {
                // A later one of one's own was heard while this one waited for the disk.
                self.emit(cx, out);
                continue;
            }
            out.push(Effect::Recall(self.own.destination()));
            for iface in self.interfaces.keys() {
                out.push(Effect::Send(frame(*iface, self.own.destination(), &emission.bytes)));
            }
            out.push(Effect::Announced { emitted_at: emission.emitted_at });
            self.own.published(emission);
        }
    }

    fn heard(&mut self, cx: Cx, iface: InterfaceId, bytes: &[u8], out: &mut impl Sink<Effect>) {
        if !self.interfaces.contains_key(&iface) {
            return count(&mut self.refusals.closed);
        }
        let Ok(packet) = Packet::decode(bytes) else { return count(&mut self.refusals.malformed) };
        if packet.packet_type != PacketType::Announce {
            return count(&mut self.refusals.malformed);
        }
        let (Ok(announce), Some(hops)) = (Announce::from_packet(&packet), packet.hops.counted()) else {
            return count(&mut self.refusals.malformed);
        };
        if announce.destination == self.own.destination() {
            return self.heard_own(cx, &announce, out);
        }
        let neighbour = Neighbour { iface, transport: packet.transport, hops };
        match self.known.judge(&announce) {
            Judgement::Stale => count(&mut self.refusals.stale),
            Judgement::OtherKey => count(&mut self.refusals.other_key),
            Judgement::Newer if announce.verify().is_err() => count(&mut self.refusals.forged),
            Judgement::Newer => {
                out.push(Effect::Recall(announce.destination));
                self.known.learn(&announce, neighbour, cx.now);
                out.push(Effect::Reached(Sighting {
                    destination: announce.destination,
                    emitted_at: announce.claim.random_hash.emitted_at(),
                    hops: hops.get(),
                    iface,
                }));
                self.pass_on(cx, &packet, &announce, neighbour);
            }
        }
    }

    /// A later emission of one's own, validly signed: this node's disk or clock went back.
    fn heard_own(&mut self, cx: Cx, announce: &Announce<'_>, out: &mut impl Sink<Effect>) {
        let emitted_at = announce.claim.random_hash.emitted_at();
        if emitted_at <= self.own.last_emission() {
            return count(&mut self.refusals.stale);
        }
        if announce.verify().is_err() {
            return count(&mut self.refusals.forged);
        }
        self.own.raise(emitted_at);
        out.push(Effect::Recall(self.own.destination()));
        self.emit(cx, out);
    }

    fn pass_on(&mut self, cx: Cx, packet: &Packet<'_>, announce: &Announce<'_>, from: Neighbour) {
        let path_response = packet.is_path_response();
        if cx.config.relaying == Relaying::Off || path_response || from.hops.counted().is_none() {
            return;
        }
        if !announce.is_relayable() {
            return count(&mut self.refusals.too_long);
        }
        let relay = Relay { heard_on: from.iface, bytes: self.own.relayed(packet, from.hops) };
        // An older emission of the same destination that still waits is replaced: it must not leave.
        if let Inserted::Refused(_) = self.relays.insert(announce.destination, relay) {
            return count(&mut self.refusals.crowded);
        }
        let wait = Duration::from_micros(self.random.below(RELAY_SPREAD.as_micros()));
        // Never at once: an answer in the same instant would be a loop without time.
        let at = cx.now.after(wait).after(Duration::from_micros(1));
        self.deadlines.set(Timer::Relay(announce.destination), at);
    }

    fn relay(&mut self, destination: DestinationHash, out: &mut impl Sink<Effect>) {
        let Some(relay) = self.relays.remove(&destination) else { return };
        for (iface, reach) in &self.interfaces {
            let back = *iface == relay.heard_on;
            if back && *reach == Reach::PointToPoint {
                continue;
            }
            out.push(Effect::Send(frame(*iface, destination, &relay.bytes)));
        }
    }
}

impl Machine for Announces {
    type Input = Input;
    type Effect = Effect;

    fn handle(&mut self, cx: Cx, input: Input, out: &mut impl Sink<Effect>) {
        match input {
            Input::Up(iface, profile) => self.up(cx, iface, &profile, out),
            Input::Down(iface) => {
                self.interfaces.remove(&iface);
            }
            Input::Heard { iface, bytes } => self.heard(cx, iface, &bytes, out),
            Input::Ratchet(ratchet) => {
                self.own.set_ratchet(ratchet);
                self.emit(cx, out);
            }
            Input::Announce => self.emit(cx, out),
            Input::Durable(through) => self.durable(cx, through, out),
        }
    }

    fn handle_timeout(&mut self, cx: Cx, out: &mut impl Sink<Effect>) {
        while let Some(timer) = self.deadlines.pop_due(cx.now) {
            match timer {
                Timer::Refresh => {
                    // Set again first: an emission that cannot begin is tried again, not forgotten.
                    self.deadlines.set(Timer::Refresh, cx.now.after(REFRESH));
                    self.emit(cx, out);
                }
                Timer::Relay(destination) => self.relay(destination, out),
            }
        }
    }

    fn next_timeout(&self) -> Option<Instant> {
        self.deadlines.next()
    }
}

impl MemoryBound for Announces {
    fn memory_bound(&self) -> usize {
        // An ordered map's nodes may be half empty; a bounded map is two of them, and a timer is two more.
        const PER_RELAY: usize = nexus_wire::reticulum::MTU + 4 * size_of::<(Timer, Relay, u64)>() + 128;
        self.known
            .memory_bound()
            .saturating_add(self.relays.capacity().saturating_mul(PER_RELAY.saturating_mul(2)))
            .saturating_add(OwnAnnounce::MEMORY_BOUND)
            .saturating_add(256 * 64)
    }
}

fn frame(iface: InterfaceId, about: DestinationHash, bytes: &[u8]) -> Frame {
    Frame { iface, to: None, bytes: bytes.to_vec(), about: Some(about), under: None }
}

fn count(counter: &mut u64) {
    *counter = counter.saturating_add(1);
}
