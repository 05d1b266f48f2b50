//! Own destinations: their ratchets, their announces, and what comes for them outside of links.
//!
//! Source: spec/endpoint.md#destinations.

mod ratchets;

use alloc::collections::{BTreeMap, VecDeque};
use alloc::vec::Vec;

use nexus_crypto::single::{self, WithoutRatchet};
use nexus_crypto::{DestinationHash, NameHash, RatchetPublic, ReticulumIdentity};
use nexus_machine::{Bucket, Cx, Duration, Gate, Instant, Sink, Snapshot, Stream, Write};
use nexus_wire::reticulum::announce::{APP_DATA_WITH_RATCHET_MAX, Claim, Occasion, RELAYABLE_LEN};
use nexus_wire::reticulum::{Packet, PathRequest, Proof, RandomHash};

use crate::contract::{Accepting, Announcing, Bytes, Effect, Event, NotServed, Service};
use crate::endpoint::{Endpoint, Timer, tell};
use crate::limits::{Limits, tree};
use ratchets::{Kept, Stored, stored};

/// The longest name, in bytes.
const NAME_MAX: usize = 128;
/// How often a destination is announced by itself.
const HOURLY: Duration = Duration::from_secs(3_600);
/// An announce that found too many others before it tries again after so long.
const RETRY: Duration = Duration::from_secs(1);
/// Ratchets that are tried with every packet; a search through the others is allowed so often.
const ALWAYS_TRIED: usize = 2;
const SEARCH_PERIOD: Duration = Duration::from_millis(250);
const SEARCH_BURST: u32 = 8;
/// Whoever asks for a path is answered so often: each answer is a signature and a write.
const ANSWER_PERIOD: Duration = Duration::from_secs(1);
const ANSWER_BURST: u32 = 8;

/// Own destinations.
#[derive(Debug)]
pub(crate) struct Own {
    limits: Limits,
    served: BTreeMap<DestinationHash, Served>,
    /// What is durable of destinations, served or not.
    stored: BTreeMap<DestinationHash, Stored>,
    gate: Gate<Leaving>,
    searches: Bucket,
    answers: Bucket,
}

#[derive(Debug)]
struct Served {
    service: Service,
    /// Whether whoever wanted it was told that it is announced.
    told: Told,
    /// Whether an announce waits for the disk.
    waiting: Waiting,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Told {
    NotYet,
    Told,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Waiting {
    Nothing,
    Announce,
    /// One waits, and what it says is not what is to be said.
    Outdated(Occasion),
}

/// An announce that waits for the disk.
#[derive(Debug)]
struct Leaving {
    destination: DestinationHash,
    packet: Vec<u8>,
    fresh: Option<Kept>,
}

impl Own {
    pub(crate) fn resume(limits: Limits, snapshot: &Snapshot) -> Self {
        Self {
            limits,
            served: BTreeMap::new(),
            stored: stored(limits, snapshot),
            gate: Gate::new(limits.services),
            searches: Bucket::new(SEARCH_PERIOD, SEARCH_BURST),
            answers: Bucket::new(ANSWER_PERIOD, ANSWER_BURST),
        }
    }

    pub(crate) fn serves(&self, destination: &DestinationHash) -> bool {
        self.served.contains_key(destination)
    }

    /// Whether a destination takes links; none if it is not had.
    pub(crate) fn accepts_links(&self, destination: &DestinationHash) -> Option<Accepting> {
        self.served.get(destination).map(|served| served.service.accepting)
    }

    pub(crate) fn memory_bound(&self) -> usize {
        let Limits { services, ratchets, .. } = self.limits;
        let service = NAME_MAX.saturating_add(APP_DATA_WITH_RATCHET_MAX).saturating_add(64);
        let kept = ratchets.saturating_add(4).saturating_mul(2).saturating_mul(size_of::<Kept>());
        let leaving = size_of::<(u64, Leaving)>().saturating_mul(2).saturating_add(RELAYABLE_LEN);
        tree(services, size_of::<(DestinationHash, Served)>())
            .saturating_add(tree(services, size_of::<(DestinationHash, Stored)>()))
            .saturating_add(services.saturating_mul(service.saturating_add(kept).saturating_add(leaving)))
            .saturating_add(1_024)
    }

    /// Room for what is durable of a destination; what was said longest ago of those that are not served gives way.
    fn make_room(&mut self, destination: &DestinationHash) -> Vec<Write> {
        if self.stored.contains_key(destination) || self.stored.len() < self.limits.services {
            return Vec::new();
        }
        let unserved = self.stored.iter().filter(|(other, _)| !self.served.contains_key(other));
        let oldest = unserved.min_by_key(|(_, stored)| stored.emitted_at).map(|(other, _)| *other);
        let gone = oldest.and_then(|other| Some((other, self.stored.remove(&other)?)));
        gone.map(|(other, stored)| stored.forget(&other)).unwrap_or_default()
    }
}

impl Endpoint {
    pub(crate) fn serve(&mut self, cx: Cx, service: Service, out: &mut impl Sink<Effect>) {
        let destination = DestinationHash::of(NameHash::of(&service.name), self.identity.hash());
        let refused = if service.name.len() > NAME_MAX || service.app_data.len() > APP_DATA_WITH_RATCHET_MAX {
            Some(NotServed::TooLong)
        } else if !self.own.serves(&destination) && self.own.served.len() >= self.own.limits.services {
            Some(NotServed::TooMany)
        } else {
            None
        };
        if let Some(why) = refused {
            return tell(Event::NotServing { name: service.name, why }, out);
        }
        let waiting = self.own.served.get(&destination).map_or(Waiting::Nothing, |served| served.waiting);
        self.own.served.insert(destination, Served { service, told: Told::NotYet, waiting });
        self.announce(cx, destination, Occasion::Periodic, out);
    }

    pub(crate) fn withdraw(&mut self, destination: &DestinationHash) {
        self.own.served.remove(destination);
        self.deadlines.cancel(Timer::Announce(*destination));
    }

    /// Signs the next emission and holds it back until it, and a fresh ratchet where one is due, are durable.
    pub(crate) fn announce(
        &mut self,
        cx: Cx,
        destination: DestinationHash,
        occasion: Occasion,
        out: &mut impl Sink<Effect>,
    ) {
        let Some(served) = self.own.served.get_mut(&destination) else { return };
        if served.waiting != Waiting::Nothing {
            served.waiting = Waiting::Outdated(occasion);
            return;
        }
        match served.service.announcing {
            Announcing::Hourly => self.deadlines.set(Timer::Announce(destination), cx.now.after(HOURLY)),
            Announcing::WhenAsked => self.deadlines.cancel(Timer::Announce(destination)),
        }
        if self.own.gate.waiting() >= self.own.limits.services {
            // Withdrawn ones that wait for the disk.
            return self.deadlines.set(Timer::Announce(destination), cx.now.after(RETRY));
        }
        let mut writes = self.own.make_room(&destination);
        let Some(served) = self.own.served.get_mut(&destination) else { return };
        let stored = self.own.stored.entry(destination).or_default();
        let unix_s = cx.unix_s().filter(|seconds| *seconds < RandomHash::LAST_SECOND);
        let emitted_at = stored.emit(unix_s);
        let fresh = stored.rotate(unix_s, &mut self.random);
        let ratchet = fresh.as_ref().or(stored.newest()).map(Kept::public);
        let claim = claim(&self.identity, &served.service, ratchet, emitted_at, &mut self.random);
        let mut buffer = [0; RELAYABLE_LEN];
        let packet = claim
            .sign(&self.identity)
            .encode(occasion, &mut buffer)
            .expect("the app data have the length that leaves room")
            .to_vec();
        writes.extend(stored.writes(&destination, fresh.as_ref(), self.own.limits.ratchets));
        if fresh.is_some() {
            out.push(Effect::EntropyWanted);
        }
        if let Ok(number) = self.own.gate.hold(Leaving { destination, packet, fresh }) {
            served.waiting = Waiting::Announce;
            out.push(Effect::Write { number, writes });
        }
    }

    pub(crate) fn durable(&mut self, cx: Cx, through: u64, out: &mut impl Sink<Effect>) {
        let mut released = VecDeque::new();
        self.own.gate.release(through, &mut released);
        for Leaving { destination, packet, fresh } in released {
            if let Some(stored) = self.own.stored.get_mut(&destination) {
                stored.keep(fresh);
            }
            let Some(served) = self.own.served.get_mut(&destination) else { continue };
            out.push(Effect::Transmit(packet));
            let waited = core::mem::replace(&mut served.waiting, Waiting::Nothing);
            if served.told == Told::NotYet {
                served.told = Told::Told;
                tell(Event::Serving { name: served.service.name.clone(), destination }, out);
            }
            if let Waiting::Outdated(occasion) = waited {
                self.announce(cx, destination, occasion, out);
            }
        }
    }

    /// Somebody asks for a path to one of the own destinations that the relay does not know.
    pub(crate) fn answer_path_request(&mut self, cx: Cx, packet: &Packet<'_>, out: &mut impl Sink<Effect>) {
        let Ok(request) = PathRequest::from_packet(packet) else { return };
        if self.own.serves(&request.wanted) && self.own.answers.take(cx.now) {
            self.announce(cx, request.wanted, Occasion::PathResponse, out);
        }
    }

    /// A packet for one of the own destinations, outside of links.
    pub(crate) fn open(&mut self, now: Instant, packet: &Packet<'_>, out: &mut impl Sink<Effect>) {
        let destination = packet.destination;
        if !self.own.serves(&destination) {
            return;
        }
        let Some(plaintext) = self.opened(now, packet) else { return };
        Self::say(&Proof::implicit(&packet.hash(), &self.identity), out);
        tell(Event::Received { destination, plaintext: Bytes(plaintext) }, out);
    }

    /// By the newest ratchets, the identity, and now and then by the older ones: each costs a multiplication, and anybody may send.
    pub(crate) fn opened(&mut self, now: Instant, packet: &Packet<'_>) -> Option<Vec<u8>> {
        let stored = self.own.stored.get(&packet.destination)?;
        let newest = stored.secrets().take(ALWAYS_TRIED);
        let opened = single::decrypt(&self.identity, newest, WithoutRatchet::Accepted, packet.data);
        if let Ok(opened) = opened {
            return Some(opened.plaintext);
        }
        if stored.secrets().nth(ALWAYS_TRIED).is_none() || !self.own.searches.take(now) {
            return None;
        }
        let older = stored.secrets().skip(ALWAYS_TRIED);
        let opened = single::decrypt(&self.identity, older, WithoutRatchet::Refused, packet.data);
        opened.ok().map(|opened| opened.plaintext)
    }
}

fn claim<'a>(
    identity: &ReticulumIdentity,
    service: &'a Service,
    ratchet: Option<RatchetPublic>,
    emitted_at: u64,
    random: &mut Stream,
) -> Claim<'a> {
    Claim {
        public: *identity.public(),
        name: NameHash::of(&service.name),
        random_hash: RandomHash::new(random.bytes(), emitted_at),
        ratchet,
        app_data: &service.app_data,
    }
}
