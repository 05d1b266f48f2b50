//! Own destinations: their ratchets, their announces, and what comes for them outside of links.
//!
//! Source: spec/endpoint.md#destinations.

use alloc::collections::{BTreeMap, VecDeque};
use alloc::string::String;
use alloc::vec::Vec;

use nexus_crypto::single::{self, WithoutRatchet};
use nexus_crypto::{DestinationHash, NameHash, RatchetSecret};
use nexus_machine::{Bucket, Cx, Duration, Gate, Instant, Sink, Snapshot, TableId, Write};
use nexus_wire::reticulum::announce::{Claim, Occasion, RELAYABLE_LEN};
use nexus_wire::reticulum::{MTU, Packet, Proof, RandomHash};

use crate::contract::{Bytes, Effect, Event, Service};
use crate::endpoint::{Endpoint, Timer, tell};

/// The table of emissions: key: destination; value: the last emission time, Unix seconds, u64 little-endian.
const EMISSIONS: TableId = TableId(16);
/// The table of ratchets: key: destination ‖ number u64 big-endian, counting up; value: made at, Unix seconds u64 little-endian (0 if no
/// clock was known) ‖ secret 32.
const RATCHETS: TableId = TableId(17);

/// Own destinations.
const SERVICES: usize = 16;
/// How long a ratchet is the newest, at least: it rotates with the next announce.
const ROTATION_S: u64 = 30 * 60;
/// How many are kept for each destination.
const KEPT: usize = 512;
/// An announce is said again after so long: stock relays pass on one an hour.
const REANNOUNCE: Duration = Duration::from_secs(3_600);
/// Ratchets that are tried with every packet; a search through the others is allowed this often.
const ALWAYS_TRIED: usize = 2;
const SEARCH_PERIOD: Duration = Duration::from_millis(250);
const SEARCH_BURST: u32 = 8;

/// Own destinations.
#[derive(Debug)]
pub(crate) struct Own {
    served: BTreeMap<DestinationHash, Served>,
    /// What was durable of destinations, to be taken up when they are served.
    emissions: BTreeMap<DestinationHash, u64>,
    ratchets: BTreeMap<DestinationHash, VecDeque<Kept>>,
    gate: Gate<Leaving>,
    searches: Bucket,
}

#[derive(Debug)]
pub(crate) struct Served {
    service: Service,
    said: bool,
}

#[derive(Debug)]
struct Kept {
    number: u64,
    made_s: u64,
    secret: RatchetSecret,
}

/// An announce that waits for the disk.
#[derive(Debug)]
struct Leaving {
    destination: DestinationHash,
    packet: Vec<u8>,
    fresh: Option<Kept>,
}

impl Own {
    pub(crate) const MEMORY_BOUND: usize =
        SERVICES * (2 * KEPT * size_of::<Kept>() + 4 * size_of::<Served>() + 4 * MTU + 1_024);

    pub(crate) fn resume(snapshot: &Snapshot) -> Self {
        let mut ratchets: BTreeMap<DestinationHash, VecDeque<Kept>> = BTreeMap::new();
        for (key, value) in snapshot.scan(RATCHETS) {
            let Some((destination, kept)) = Kept::from_store(key, value) else { continue };
            let of_it = ratchets.entry(destination).or_default();
            of_it.push_back(kept);
            of_it.drain(..of_it.len().saturating_sub(KEPT));
        }
        let emission = |(key, value): (&[u8], &[u8])| {
            let emitted_at = u64::from_le_bytes(value.try_into().ok()?);
            Some((DestinationHash(key.try_into().ok()?), emitted_at))
        };
        Self {
            served: BTreeMap::new(),
            emissions: snapshot.scan(EMISSIONS).filter_map(emission).take(SERVICES).collect(),
            ratchets,
            gate: Gate::new(SERVICES),
            searches: Bucket::new(SEARCH_PERIOD, SEARCH_BURST),
        }
    }

    pub(crate) fn serves(&self, destination: &DestinationHash) -> bool {
        self.served.contains_key(destination)
    }

}

impl Kept {
    fn from_store(key: &[u8], value: &[u8]) -> Option<(DestinationHash, Self)> {
        let (destination, number) = key.split_first_chunk::<16>()?;
        let (made_s, secret) = value.split_first_chunk::<8>()?;
        let number = u64::from_be_bytes(number.try_into().ok()?);
        let secret = RatchetSecret::from_bytes(secret.try_into().ok()?);
        Some((DestinationHash(*destination), Self { number, made_s: u64::from_le_bytes(*made_s), secret }))
    }

    fn key(destination: &DestinationHash, number: u64) -> Vec<u8> {
        [&destination.as_bytes()[..], &number.to_be_bytes()].concat()
    }

    fn write(&self, destination: &DestinationHash) -> Write {
        let value = [&self.made_s.to_le_bytes()[..], self.secret.expose()].concat();
        Write::set(RATCHETS, &Self::key(destination, self.number), value)
    }
}

impl Endpoint {
    pub(crate) fn serve(&mut self, cx: Cx, service: Service, out: &mut impl Sink<Effect>) {
        let destination = DestinationHash::of(NameHash::of(&service.name), self.identity.hash());
        let is_fresh = !self.own.serves(&destination);
        if is_fresh && self.own.served.len() >= SERVICES || service.app_data.len() > MTU {
            return tell(Event::NotServing { name: service.name }, out);
        }
        self.own.served.insert(destination, Served { service, said: false });
        self.announce(cx, destination, out);
    }

    pub(crate) fn withdraw(&mut self, destination: &DestinationHash) {
        self.own.served.remove(destination);
        self.deadlines.cancel(Timer::Announce(*destination));
    }

    /// Signs the next emission and holds it back until it, and a fresh ratchet where one is due, are durable.
    pub(crate) fn announce(&mut self, cx: Cx, destination: DestinationHash, out: &mut impl Sink<Effect>) {
        let Some(served) = self.own.served.get(&destination) else { return };
        let unix_s = cx.unix_s().filter(|seconds| *seconds < RandomHash::LAST_SECOND).unwrap_or(0);
        let last = self.own.emissions.get(&destination).copied().unwrap_or(0);
        let emitted_at = unix_s.max(last.saturating_add(1));
        let newest = self.own.ratchets.get(&destination).and_then(VecDeque::back);
        let is_due = newest.is_none_or(|kept| unix_s.saturating_sub(kept.made_s) >= ROTATION_S);
        let fresh = is_due.then(|| Kept {
            number: newest.map_or(0, |kept| kept.number.saturating_add(1)),
            made_s: unix_s,
            secret: RatchetSecret::generate(&mut self.random),
        });
        let claim = Claim {
            public: *self.identity.public(),
            name: NameHash::of(&served.service.name),
            random_hash: RandomHash::new(self.random.bytes(), emitted_at),
            ratchet: fresh.as_ref().or(newest).map(|kept| kept.secret.public()),
            app_data: &served.service.app_data,
        };
        let mut buffer = [0; RELAYABLE_LEN];
        let Ok(packet) = claim.sign(&self.identity).encode(Occasion::Periodic, &mut buffer) else {
            let refused = self.own.served.remove(&destination);
            let name = refused.map_or_else(String::new, |served| served.service.name);
            return tell(Event::NotServing { name }, out);
        };
        let mut writes = Vec::from([Write::set(
            EMISSIONS,
            destination.as_bytes(),
            emitted_at.to_le_bytes().to_vec(),
        )]);
        writes.extend(fresh.as_ref().map(|kept| kept.write(&destination)));
        let is_made = fresh.is_some();
        self.deadlines.set(Timer::Announce(destination), cx.now.after(REANNOUNCE));
        let Ok(number) = self.own.gate.hold(Leaving { destination, packet: packet.to_vec(), fresh }) else {
            return;
        };
        self.own.emissions.insert(destination, emitted_at);
        out.push(Effect::Write { number, writes });
        if is_made {
            self.made_key(cx.now, out);
        }
    }

    pub(crate) fn durable(&mut self, through: u64, out: &mut impl Sink<Effect>) {
        let mut released = VecDeque::new();
        self.own.gate.release(through, &mut released);
        for Leaving { destination, packet, fresh } in released {
            let kept = self.own.ratchets.entry(destination).or_default();
            kept.extend(fresh);
            kept.drain(..kept.len().saturating_sub(KEPT));
            out.push(Effect::Transmit(packet));
            let Some(served) = self.own.served.get_mut(&destination) else { continue };
            if !served.said {
                served.said = true;
                let name = served.service.name.clone();
                tell(Event::Serving { name, destination }, out);
            }
        }
    }

    /// A packet for one of the own destinations, outside of links.
    pub(crate) fn open(&mut self, now: Instant, packet: &Packet<'_>, out: &mut impl Sink<Effect>) {
        let destination = packet.destination;
        if !self.own.serves(&destination) {
            return;
        }
        let none = VecDeque::new();
        let kept = self.own.ratchets.get(&destination).unwrap_or(&none);
        let secrets = || kept.iter().rev().map(|kept| &kept.secret);
        let accepted = WithoutRatchet::Accepted;
        let newest = single::decrypt(&self.identity, secrets().take(ALWAYS_TRIED), accepted, packet.data);
        let opened = match newest {
            Ok(opened) => opened,
            Err(_) if kept.len() > ALWAYS_TRIED && self.own.searches.take(now) => {
                let older = secrets().skip(ALWAYS_TRIED);
                let refused = WithoutRatchet::Refused;
                let Ok(opened) = single::decrypt(&self.identity, older, refused, packet.data) else { return };
                opened
            }
            Err(_) => return,
        };
        Self::say(&Proof::implicit(&packet.hash(), &self.identity), out);
        tell(Event::Received { destination, plaintext: Bytes(opened.plaintext) }, out);
    }
}
