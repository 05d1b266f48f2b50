//! What was learnt in clear survives a restart: the newest announce of each destination, and who said it on which interface.
//!
//! Stock destinations announce every few hours: without this a relay would know of nobody for as long. What changes is written
//! every few seconds, in batches; what a crash loses of that is heard again. Source: spec/reticulum.md#remembered-paths.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;

use nexus_crypto::{DestinationHash, IdentityHash, hash};
use nexus_machine::{Cx, Duration, Instant, Sink, Snapshot, TableId, Write};
use nexus_wire::nexus::path_cost::HopCount;
use nexus_wire::reticulum::{Announce, Hops, Packet, TunnelId};

use super::super::bringers::Bringer;
use super::super::known::{HeardAs, Neighbour, Via, print_of};
use super::super::passing::take_promise;
use super::super::{Announces, Effect, Timer};
use super::{ClearHop, Medium};
use crate::interface::{InterfaceId, Profile, Reach, Role};
use crate::routes::NextHop;

/// The table of paths that were learnt in clear: key 16 bytes, the destination; value as spec/reticulum.md#remembered-paths says.
pub const PATHS_IN_CLEAR: TableId = TableId(7);

/// What is noted is written after this,
const WRITE_AFTER: Duration = Duration::from_secs(2);
/// so much at once.
const WRITES: usize = 128;
/// How the value is written.
const VERSION: u8 = 2;

/// The length of a tunnel's id.
const TUNNEL: usize = 32;

/// By what an interface is known again that has the same number after a restart.
type Fingerprint = [u8; 8];

/// What is to be written, and what was read and waits for its interface.
#[derive(Debug)]
pub(super) struct Memory {
    noted: BTreeMap<DestinationHash, Noted>,
    waiting: BTreeMap<Place, Vec<Waiting>>,
    read: Vec<(DestinationHash, Record)>,
    /// Of whom something is written.
    written: BTreeSet<DestinationHash>,
    capacity: usize,
}

/// What became of a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) enum Noted {
    /// It was learnt, or is another. Should its interface be down by the time that this is written, what was written before stands.
    Learnt,
    /// It is no more.
    Gone,
}

/// By what it is known, after a restart, where a path began. Connections that were accepted come back in any order, and the tunnels that
/// callers make tell who is who; other interfaces have the numbers that they had.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Place {
    Interface(InterfaceId),
    Tunnel(TunnelId),
}

#[derive(Clone, Copy, Debug)]
struct Waiting {
    destination: DestinationHash,
    fingerprint: Fingerprint,
    hop: ClearHop,
}

/// One value of the table.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Record {
    iface: InterfaceId,
    fingerprint: Fingerprint,
    hops: Hops,
    transport: Option<IdentityHash>,
    /// The tunnel that was up there.
    tunnel: Option<TunnelId>,
    /// The announce as links carry it.
    packet: Vec<u8>,
}

impl Record {
    const HEAD: usize = 1 + 1 + 8 + 1 + 1 + IdentityHash::LEN + TUNNEL;

    const fn place(&self) -> Place {
        match self.tunnel {
            Some(tunnel) => Place::Tunnel(tunnel),
            None => Place::Interface(self.iface),
        }
    }

    fn encode(&self) -> Vec<u8> {
        let transport = self.transport.map_or([0; IdentityHash::LEN], |transport| transport.0);
        let mut bytes = Vec::with_capacity(Self::HEAD.saturating_add(self.packet.len()));
        bytes.extend_from_slice(&[VERSION, self.iface.0]);
        bytes.extend_from_slice(&self.fingerprint);
        bytes.extend_from_slice(&[self.hops.get(), u8::from(self.transport.is_some())]);
        bytes.extend_from_slice(&transport);
        bytes.extend_from_slice(&self.tunnel.map_or([0; TUNNEL], |tunnel| tunnel.0));
        bytes.extend_from_slice(&self.packet);
        bytes
    }

    fn decode(bytes: &[u8]) -> Option<Self> {
        let (head, packet) = bytes.split_first_chunk::<{ Self::HEAD }>()?;
        let (head, tunnel) = head.split_last_chunk::<TUNNEL>()?;
        let head: &[u8; Self::HEAD - TUNNEL] = head.try_into().ok()?;
        let [VERSION, iface, f0, f1, f2, f3, f4, f5, f6, f7, hops, named, transport @ ..] = *head else {
            return None;
        };
        let transport = match named {
            0 => None,
            1 => Some(IdentityHash(transport)),
            2.. => return None,
        };
        Some(Self {
            iface: InterfaceId(iface),
            fingerprint: [f0, f1, f2, f3, f4, f5, f6, f7],
            hops: Hops::new(hops)?,
            transport,
            tunnel: (*tunnel != [0; TUNNEL]).then_some(TunnelId(*tunnel)),
            packet: packet.to_vec(),
        })
    }
}

impl Memory {
    pub(super) fn resume(capacity: usize, snapshot: &Snapshot) -> Self {
        let (mut noted, mut read, mut written) = (BTreeMap::new(), Vec::new(), BTreeSet::new());
        for (key, value) in snapshot.scan(PATHS_IN_CLEAR) {
            let Some(destination) = key.try_into().ok().map(DestinationHash) else { continue };
            if written.len() < capacity.saturating_mul(2) {
                written.insert(destination);
            }
            match Record::decode(value) {
                Some(record) if read.len() < capacity => read.push((destination, record)),
                // It is deleted with the next batch.
                Some(_) | None if noted.len() < capacity => _ = noted.insert(destination, Noted::Gone),
                Some(_) | None => {}
            }
        }
        Self { noted, waiting: BTreeMap::new(), read, written, capacity }
    }

    /// Whether something may be written of `destination`: as many are as may be known.
    fn may_write(&mut self, destination: DestinationHash) -> bool {
        if self.written.len() >= self.capacity && !self.written.contains(&destination) {
            return false;
        }
        self.written.insert(destination);
        true
    }

    pub(super) fn memory_bound(&self) -> usize {
        const PER: usize = 12 * (size_of::<DestinationHash>() + 1)
            + 4 * size_of::<Waiting>()
            + size_of::<(DestinationHash, Record)>() * 2
            + 64;
        self.capacity.saturating_mul(PER).saturating_add(256 * 128)
    }
}

pub(super) fn fingerprint(profile: &Profile) -> Fingerprint {
    let reach = match profile.reach {
        Reach::PointToPoint => 0,
        Reach::Shared => 1,
        Reach::Addressed => 2,
    };
    let role: u8 = match profile.role {
        Role::Full => 0,
        Role::PointToPoint => 1,
        Role::AccessPoint => 2,
        Role::Roaming => 3,
        Role::Boundary => 4,
        Role::Gateway => 5,
        Role::Internal => 6,
        Role::Local => 7,
    };
    let (rate, size) = (profile.bandwidth_bps.to_le_bytes(), profile.frame_size.to_le_bytes());
    hash::truncate(&hash::blake3(&[&[reach, role], &rate, &size]))
}

impl Announces {
    /// Of how many destinations what was learnt or said in clear, or is no more, is to be written yet.
    #[must_use]
    pub fn paths_unwritten(&self) -> usize {
        self.clear.memory.noted.len().saturating_add(self.clear.sayings.unwritten())
    }

    /// Takes up what was durable: who is known, before any interface is up.
    pub(in super::super) fn resume_paths(&mut self) {
        for (destination, record) in core::mem::take(&mut self.clear.memory.read) {
            if !self.resume_path(destination, record) {
                self.clear.memory.noted.insert(destination, Noted::Gone);
            }
        }
        self.set_memory_timer(Instant::BOOT);
    }

    /// Whether what was durable is an announce that verifies.
    fn resume_path(&mut self, destination: DestinationHash, record: Record) -> bool {
        let mut bytes = record.packet.clone();
        if take_promise(&mut bytes).is_none() {
            return false;
        }
        let Ok(packet) = Packet::decode(&bytes) else { return false };
        let Ok(announce) = Announce::from_packet(&packet) else { return false };
        if announce.destination != destination || announce.verify().is_err() {
            return false;
        }
        let place = record.place();
        let Record { iface, fingerprint, hops, transport, packet: kept, .. } = record;
        let neighbour = Neighbour { via: Via::Clear { iface, transport }, hops };
        let print = print_of(packet.data);
        // There is room for as many as are read.
        let _none: Option<DestinationHash> = self.known.learn(
            &announce,
            print,
            (neighbour, Bringer::Clear(iface)),
            HeardAs::Announce,
            Instant::BOOT,
        );
        self.bind_again(&destination);
        self.cache.keep(destination, Bringer::Clear(iface), kept);
        let hop = ClearHop { random_hash: announce.claim.random_hash, transport, hops, latency: None };
        self.clear.memory.waiting.entry(place).or_default().push(Waiting { destination, fingerprint, hop });
        true
    }

    /// An interface came up in clear: if it is the one that it was, what was learnt there is a path again.
    pub(in super::super) fn restore_paths(
        &mut self,
        cx: Cx,
        iface: InterfaceId,
        out: &mut impl Sink<Effect>,
    ) {
        let Some(waiting) = self.clear.memory.waiting.remove(&Place::Interface(iface)) else { return };
        let Some(is_same) = self.interfaces.get(&iface).map(|medium| fingerprint(&medium.profile)) else {
            return;
        };
        for one in waiting {
            if one.fingerprint == is_same {
                self.restore_read(cx, iface, &one, out);
            } else {
                self.note_for_disk(one.destination, Noted::Gone);
            }
        }
        self.set_memory_timer(cx.now);
    }

    /// A tunnel is heard on an interface: what was learnt where it was up before a restart is a path again.
    pub(super) fn restore_paths_of_tunnel(
        &mut self,
        cx: Cx,
        tunnel: TunnelId,
        iface: InterfaceId,
        out: &mut impl Sink<Effect>,
    ) {
        for one in self.clear.memory.waiting.remove(&Place::Tunnel(tunnel)).unwrap_or_default() {
            self.restore_read(cx, iface, &one, out);
        }
        self.set_memory_timer(cx.now);
    }

    fn restore_read(&mut self, cx: Cx, iface: InterfaceId, read: &Waiting, out: &mut impl Sink<Effect>) {
        let said = HopCount(read.hop.hops.get().saturating_sub(1));
        if let Some(cost) =
            self.interfaces.get(&iface).map(|medium: &Medium| medium.cost_in(said, read.hop.latency))
        {
            self.restore_path(cx, &read.destination, iface, read.hop, cost, out);
        }
    }

    /// What is known of `destination` in clear changed, or is no more.
    pub(in super::super) fn note_for_disk(&mut self, destination: DestinationHash, what: Noted) {
        let memory = &mut self.clear.memory;
        // What there is no room for is not remembered.
        if memory.noted.len() < memory.capacity {
            memory.noted.insert(destination, what);
        }
    }

    /// Sees to it that what was noted is written.
    pub(in super::super) fn set_memory_timer(&mut self, now: Instant) {
        if self.paths_unwritten() > 0 && self.deadlines.get(Timer::Remember).is_none() {
            self.deadlines.set(Timer::Remember, now.after(WRITE_AFTER));
        }
    }

    /// Writes what was noted, a batch at once.
    pub(in super::super) fn write_paths(&mut self, cx: Cx, out: &mut impl Sink<Effect>) {
        for _ in 0..WRITES {
            let Some((destination, what)) = self.clear.memory.noted.pop_first() else { break };
            let key = destination.as_bytes();
            let write = match self.path_record(&destination) {
                Some(record) if self.clear.memory.may_write(destination) => {
                    Write::set(PATHS_IN_CLEAR, key, record.encode())
                }
                None if what == Noted::Gone && self.clear.memory.written.remove(&destination) => {
                    Write::delete(PATHS_IN_CLEAR, key)
                }
                Some(_) | None => continue,
            };
            // Nothing waits for it.
            out.push(Effect::Write { number: self.own.last_write(), write });
        }
        self.write_sayings(WRITES, out);
        self.set_memory_timer(cx.now);
    }

    /// Writes everything that was noted: the process is about to end.
    pub(in super::super) fn write_all_paths(&mut self, cx: Cx, out: &mut impl Sink<Effect>) {
        while self.paths_unwritten() > 0 {
            self.write_paths(cx, out);
        }
        self.deadlines.cancel(Timer::Remember);
    }

    fn path_record(&self, destination: &DestinationHash) -> Option<Record> {
        let random_hash = self.known.get(destination)?.random_hash;
        let in_clear = |entry: &&crate::routes::RoutingEntry| {
            // What this node said is not remembered: what it makes unusable would seem usable after a restart.
            entry.next_hop().link().is_none() && entry.random_hash() == random_hash && entry.is_usable()
        };
        let NextHop::Clear(iface) = self.routes.paths(destination).find(in_clear)?.next_hop() else {
            return None;
        };
        if self.is_program(iface) {
            // It comes back with another number, or not at all.
            return None;
        }
        let ClearHop { transport, hops, .. } = *self.clear.hop(destination, iface)?;
        let fingerprint = fingerprint(&self.interfaces.get(&iface)?.profile);
        let packet = self.cache.get(destination)?.to_vec();
        let tunnel = self.clear.tunnels.at(iface);
        Some(Record { iface, fingerprint, hops, transport, tunnel, packet })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_remembered_reads_as_it_was_written_and_nothing_else_is_taken_for_it() {
        let record = |transport, tunnel| Record {
            iface: InterfaceId(3),
            fingerprint: [7; 8],
            hops: Hops::new(5).unwrap(),
            transport,
            tunnel,
            packet: [1, 2, 3].to_vec(),
        };
        for transport in [None, Some(IdentityHash([9; 16]))] {
            for tunnel in [None, Some(TunnelId([8; TUNNEL]))] {
                let record = record(transport, tunnel);
                assert_eq!(Record::decode(&record.encode()), Some(record));
            }
        }
        let written = record(None, None).encode();
        assert_eq!(Record::decode(&written[..Record::HEAD - 1]), None);
        for (at, wrong) in [(0, 1), (10, 128), (11, 2)] {
            let mut other = written.clone();
            other[at] = wrong;
            assert_eq!(Record::decode(&other), None, "byte {at}");
        }
    }
}
