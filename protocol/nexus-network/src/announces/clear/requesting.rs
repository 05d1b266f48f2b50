//! Path requests in clear: taken once, answered from what is known, or asked on where the role of the interface says so.
//!
//! Source: spec/reticulum.md#path-requests-in-clear.

use alloc::collections::BTreeMap;
use alloc::vec;
use alloc::vec::Vec;

use nexus_crypto::DestinationHash;
use nexus_machine::{BoundedMap, Cx, Duration, Inserted, Instant, MapOverflow, Relaying, Sink};
use nexus_wire::reticulum::path_request::Tag;
use nexus_wire::reticulum::{MTU, Packet, PathRequest, Payload as _};

use super::super::{Announces, Effect, SearchMotive, count};
use super::answering::Answer;
use crate::interface::{InterfaceId, Role};
use crate::media::{Flow, Frame, Load};

/// For each destination that may be known, so many requests are remembered.
const SEEN: usize = 4;
/// Destinations that are asked for in clear at once,
const SOUGHT: usize = 256;
/// and for so long: whoever asks meanwhile waits with the first.
const SEEKING: Duration = Duration::from_secs(45);
/// Interfaces that wait for the same answer.
const ASKERS: usize = 8;
/// Answers that wait for their moment.
pub(super) const ANSWERS: usize = 256;

/// What is asked, and who waits.
#[derive(Debug)]
pub(super) struct Requests {
    seen: BoundedMap<(DestinationHash, Tag), ()>,
    sought: BTreeMap<DestinationHash, Sought>,
    pub(super) answers: BTreeMap<(DestinationHash, InterfaceId), Answer>,
}

/// A destination that was asked for in clear.
#[derive(Debug)]
struct Sought {
    askers: Vec<InterfaceId>,
    until: Instant,
}

impl Requests {
    pub(super) const fn new(known: usize) -> Self {
        let seen = BoundedMap::new(known.saturating_mul(SEEN), MapOverflow::EvictLeastRecent);
        Self { seen, sought: BTreeMap::new(), answers: BTreeMap::new() }
    }

    /// Whether a request is heard for the first time.
    fn is_fresh(&mut self, request: &PathRequest) -> bool {
        match self.seen.insert((request.wanted, request.tag), ()) {
            Inserted::Fresh | Inserted::Evicted(..) => true,
            Inserted::Replaced(()) | Inserted::Refused(()) => false,
        }
    }

    fn is_sought(&self, destination: &DestinationHash, now: Instant) -> bool {
        self.sought.get(destination).is_some_and(|sought| sought.until > now)
    }

    /// Begins to seek, if that is not done and there is room.
    fn seek(&mut self, destination: DestinationHash, now: Instant) -> bool {
        self.sought.retain(|_, sought| sought.until > now);
        if self.sought.contains_key(&destination) || self.sought.len() >= SOUGHT {
            return false;
        }
        let sought = Sought { askers: Vec::new(), until: now.after(SEEKING) };
        self.sought.insert(destination, sought);
        true
    }

    fn wait_for(&mut self, destination: &DestinationHash, iface: InterfaceId) {
        if let Some(sought) = self.sought.get_mut(destination)
            && sought.askers.len() < ASKERS
            && !sought.askers.contains(&iface)
        {
            sought.askers.push(iface);
        }
    }

    /// Nobody seeks `destination` any more: who waited for it. Should it be lost, it is asked for at once.
    pub(in super::super) fn end_seeking(&mut self, destination: &DestinationHash) -> Vec<InterfaceId> {
        self.sought.remove(destination).map(|sought| sought.askers).unwrap_or_default()
    }

    pub(super) fn memory_bound(&self) -> usize {
        const PER_SEEN: usize = 4 * (size_of::<((DestinationHash, Tag), u64)>() + 32);
        const PER_SOUGHT: usize = 2 * size_of::<(DestinationHash, Sought)>() + ASKERS * 2 + 64;
        const PER_ANSWER: usize = 2 * size_of::<((DestinationHash, InterfaceId), Answer)>() + 64;
        self.seen
            .capacity()
            .saturating_mul(PER_SEEN)
            .saturating_add(SOUGHT * PER_SOUGHT + ANSWERS * PER_ANSWER)
    }
}

impl Announces {
    /// Whether anybody waits for a way to `destination`.
    pub(in super::super) fn is_wanted(&self, destination: DestinationHash, now: Instant) -> bool {
        self.finding.is_wanted(destination) || self.clear.requests.is_sought(&destination, now)
    }

    pub(in super::super) fn requested_in_clear(
        &mut self,
        cx: Cx,
        iface: InterfaceId,
        packet: &Packet<'_>,
        out: &mut impl Sink<Effect>,
    ) {
        if packet.hops.get() > 0 {
            return count(&mut self.refusals.far);
        }
        let Ok(request) = PathRequest::from_packet(packet) else {
            return count(&mut self.refusals.malformed);
        };
        let Some(medium) = self.interfaces.get_mut(&iface) else { return };
        if !medium.requests.take(cx.now) {
            return count(&mut self.finding.counts.refused);
        }
        if request.requester == Some(self.own.transport()) || !self.clear.requests.is_fresh(&request) {
            return count(&mut self.finding.counts.repeated);
        }
        if request.wanted == self.own.destination() {
            return self.answer_for_own(cx.now, iface, out);
        }
        if cx.config.relaying == Relaying::Off {
            return;
        }
        match self.routes.offer(&request.wanted) {
            Some(_) if self.is_program(iface) => self.answer_program(cx, iface, &request.wanted, out),
            Some(_) => self.answer_later(cx.now, iface, &request),
            None => self.ask_on(cx, iface, &request, out),
        }
    }

    /// Nothing is known here of who was asked for on `iface`.
    fn ask_on(&mut self, cx: Cx, iface: InterfaceId, request: &PathRequest, out: &mut impl Sink<Effect>) {
        let Some(role) = self.interfaces.get(&iface).map(|medium| medium.profile.role) else { return };
        let is_first = self.clear.requests.seek(request.wanted, cx.now);
        self.clear.requests.wait_for(&request.wanted, iface);
        if !is_first {
            return;
        }
        let others: Vec<InterfaceId> = self
            .interfaces
            .iter()
            .filter(|(other, medium)| **other != iface && asks_on(role, medium.profile.role))
            .map(|(other, _)| *other)
            .collect();
        if !others.is_empty() {
            count(&mut self.finding.counts.passed_on);
        }
        self.say_request_in_clear(request, &others, out);
        if !self.links.is_empty() {
            self.find(cx, request.wanted, SearchMotive::Packet, out);
        }
    }

    /// This node, or somebody behind a link, looks for `wanted`: it is asked for in clear too, unless it was of late.
    pub(in super::super) fn ask_in_clear(
        &mut self,
        now: Instant,
        wanted: DestinationHash,
        tag: Tag,
        out: &mut impl Sink<Effect>,
    ) {
        if self.interfaces.is_empty() || !self.clear.requests.seek(wanted, now) {
            return;
        }
        let request = PathRequest { wanted, requester: None, tag };
        let _first: bool = self.clear.requests.is_fresh(&request);
        let all: Vec<InterfaceId> = self.interfaces.keys().copied().collect();
        count(&mut self.finding.counts.asked);
        self.say_request_in_clear(&request, &all, out);
    }

    fn say_request_in_clear(&self, request: &PathRequest, on: &[InterfaceId], out: &mut impl Sink<Effect>) {
        let request = PathRequest { requester: Some(self.own.transport()), ..*request };
        let mut buffer = vec![0; MTU];
        let bytes = request
            .encode_behind(&request.originating_header(), &mut buffer)
            .expect("a request is shorter than a packet may be")
            .to_vec();
        for iface in on {
            let (bytes, load) = (bytes.clone(), Load::Announces);
            out.push(Effect::Send(Frame {
                iface: *iface,
                to: None,
                bytes,
                about: None,
                load,
                flow: Flow::OWN,
                under: None,
            }));
        }
    }
}

/// Whether what is asked on an interface of the one role, and not known here, is asked on one of the other.
const fn asks_on(asked: Role, other: Role) -> bool {
    match asked {
        // A program on this machine answers as this node would of itself.
        Role::Full | Role::PointToPoint => matches!(other, Role::Local),
        Role::AccessPoint | Role::Roaming | Role::Gateway | Role::Internal | Role::Local => true,
        Role::Boundary => matches!(other, Role::Boundary | Role::Gateway | Role::Local),
    }
}
