//! Acknowledging: what was heard of costs over a link that has bytes to spare is said back, so that it is told again to those alone who
//! lost it.
//!
//! A line names what was heard last, in an announce or a record, by a print. Whoever said something else since tells that again; whoever
//! is never answered repeats a few times and gives up. Source: spec/network.md#cost-acknowledgements.

use alloc::collections::BTreeMap;
use alloc::vec;
use alloc::vec::Vec;

use nexus_crypto::DestinationHash;
use nexus_machine::{BoundedMap, Cx, Duration, Inserted, Instant, MapOverflow, Sink};
use nexus_wire::nexus::Layout as _;
use nexus_wire::nexus::cost::{CostAcks, CostHeard, CostPrint, CostRecord};

use super::budget::Purpose;
use super::costs::{Outlet, message_of};
use super::{Announces, Effect, Timer};
use crate::links::LinkId;

/// What is heard waits for so long, so that what comes together is acknowledged together: less than until it is told again.
const GATHER: Duration = Duration::from_secs(4);
/// So many lines are one message, which is said at once.
const TOGETHER: usize = 20;
/// Of how many times as many destinations as are passed on at once it is remembered what one neighbour heard.
const REMEMBERED: usize = 8;

/// What is to be acknowledged, and what was.
#[derive(Debug)]
pub(super) struct Acknowledging {
    owed: BTreeMap<LinkId, BTreeMap<DestinationHash, CostPrint>>,
    /// What neighbours said that they heard of this node.
    heard: BoundedMap<(LinkId, DestinationHash), CostPrint>,
    links: usize,
}

impl Acknowledging {
    pub(super) fn new(relays: usize, links: usize) -> Self {
        let heard = BoundedMap::new(relays.saturating_mul(REMEMBERED), MapOverflow::EvictLeastRecent);
        Self { owed: BTreeMap::new(), heard, links }
    }

    pub(super) fn forget(&mut self, link: LinkId) {
        self.owed.remove(&link);
    }

    pub(super) const fn memory_bound(&self) -> usize {
        // Nodes of ordered maps may be half empty, a bounded map is two of them, and each link has a timer.
        const PER_LINE: usize = 4 * size_of::<(DestinationHash, CostPrint)>();
        const PER_LINK: usize = 2 * TOGETHER * PER_LINE + 8 * size_of::<(Timer, Instant)>() + 512;
        const PER_HEARD: usize = 8 * size_of::<(LinkId, DestinationHash, CostPrint, u64)>();
        let owed = self.links.saturating_mul(PER_LINK);
        owed.saturating_add(self.heard.capacity().saturating_mul(PER_HEARD))
    }
}

impl Announces {
    /// The peer of `link` said this: it is told so, if it would say it again otherwise.
    pub(super) fn acknowledge_later(&mut self, now: Instant, link: LinkId, said: &CostRecord) {
        if self.links.get(link).is_none_or(|other| !other.is_told_again()) {
            return;
        }
        let owed = self.acknowledging.owed.entry(link).or_default();
        if owed.len() >= 2 * TOGETHER && !owed.contains_key(&said.destination) {
            // It is told again, and acknowledged then.
            return;
        }
        owed.insert(said.destination, CostPrint::of(said));
        let wait = if owed.len() < TOGETHER { GATHER } else { Duration::from_micros(1) };
        let (timer, at) = (Timer::Acknowledge(link), now.after(wait));
        if self.deadlines.get(timer).is_none_or(|set| at < set) {
            self.deadlines.set(timer, at);
        }
    }

    /// Says to the peer of `link` what was heard.
    pub(super) fn acknowledge(&mut self, cx: Cx, link: LinkId, out: &mut impl Sink<Effect>) {
        let Some(iface) = self.links.get(link).map(|other| other.iface) else {
            return self.acknowledging.forget(link);
        };
        if let Some(busy_until) = self.speech.budgets.busy_until(iface, Purpose::Cost, cx.now) {
            return self.deadlines.set(Timer::Acknowledge(link), busy_until);
        }
        let Some(owed) = self.acknowledging.owed.get_mut(&link) else { return };
        let mut lines = Vec::new();
        while lines.len() < TOGETHER
            && let Some((destination, print)) = owed.pop_first()
        {
            lines.push(CostHeard { destination, print });
        }
        if owed.is_empty() {
            self.acknowledging.owed.remove(&link);
        } else {
            self.deadlines.set(Timer::Acknowledge(link), cx.now.after(Duration::from_micros(1)));
        }
        if let Some(message) = list_of(&lines) {
            self.speech.spend_on_link(iface, cx.now, message.len());
            out.push(Effect::Say { to: Outlet::Link(link), message });
        }
    }

    /// The peer of `link` says what it heard. What this node does not say any more counts for nothing.
    pub(super) fn acknowledged(&mut self, link: LinkId, lines: &[CostHeard]) {
        for CostHeard { destination, print } in lines {
            let Some(said) = self.words(destination).filter(|said| CostPrint::of(said) == *print) else {
                self.acknowledging.heard.remove(&(link, *destination));
                continue;
            };
            let emitted_at = nexus_wire::reticulum::RandomHash::from_bytes(said.random_hash).emitted_at();
            self.speech.sign(*destination, emitted_at, link);
            // What was heard longest ago makes room: it may be told once more than it need be.
            let _displaced: Inserted<_, _> = self.acknowledging.heard.insert((link, *destination), *print);
        }
    }

    /// This is about to be said: that something else was heard before counts no more, also should it be said once again.
    pub(super) fn unhear(&mut self, outlet: Outlet, said: &CostRecord) {
        let print = CostPrint::of(said);
        let links: Vec<LinkId> = match outlet {
            Outlet::Link(link) => vec![link],
            Outlet::Hearers(iface) => {
                self.links.iter().filter(|(_, other)| other.iface == iface).map(|(link, _)| link).collect()
            }
        };
        for link in links {
            let key = (link, said.destination);
            if self.acknowledging.heard.get(&key).is_some_and(|heard| *heard != print) {
                self.acknowledging.heard.remove(&key);
            }
        }
    }

    /// Whether the peer of `link` heard what this node says of `destination`.
    pub(super) fn has_heard(&self, link: LinkId, destination: &DestinationHash) -> bool {
        let heard = self.acknowledging.heard.get(&(link, *destination));
        heard.is_some_and(|heard| self.words(destination).is_some_and(|said| CostPrint::of(&said) == *heard))
    }
}

/// The lines as one `COST_ACK`, if there are any.
fn list_of(lines: &[CostHeard]) -> Option<Vec<u8>> {
    let mut bytes = vec![0; lines.len().saturating_mul(CostHeard::LEN)];
    for (line, bytes) in lines.iter().zip(bytes.chunks_exact_mut(CostHeard::LEN)) {
        line.encode(bytes).expect("the buffer has a line's length");
    }
    CostAcks::decode(&bytes).ok().map(|acks| message_of(&acks))
}
