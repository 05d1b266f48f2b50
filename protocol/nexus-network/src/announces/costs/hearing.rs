//! COST records as they are heard: of the known emission they are paths, of a newer one they wait for its announce, of an older one they are corrected.
//! Source: spec/network.md#cost-records.

use alloc::vec::Vec;

use nexus_crypto::DestinationHash;
use nexus_machine::{Cx, Duration, Instant, Sink};
use nexus_wire::nexus::cost::{CostRecord, Standing};
use nexus_wire::reticulum::RandomHash;

use super::super::budget::Purpose;
use super::super::known::HeardAs;
use super::super::neighbours::Neighbouring;
use super::super::routing::Said;
use super::super::{Announces, Effect, count};
use crate::links::LinkId;
use crate::routes::NextHop;

/// Records of emissions that are not known, for each neighbour,
pub(in super::super) const PENDING: usize = 64;
/// and how long they wait for their announce.
const PENDING_LIFE: Duration = Duration::from_secs(60);

/// A record that came before its announce.
#[derive(Clone, Copy, Debug)]
pub(in super::super) struct Pending {
    pub(in super::super) record: CostRecord,
    at: Instant,
    /// Since when its announce is missed, or was asked for last,
    pub(in super::super) missed_since: Instant,
    /// and how often the neighbour was asked for it.
    pub(in super::super) asked: u32,
}

impl Announces {
    /// A neighbour says what its paths cost.
    pub(in super::super) fn heard_costs(
        &mut self,
        cx: Cx,
        link: LinkId,
        records: &[CostRecord],
        out: &mut impl Sink<Effect>,
    ) {
        for record in records {
            let Some(iface) = self.links.get(link).map(|other| other.iface) else {
                return count(&mut self.refusals.closed);
            };
            if record.destination == self.own.destination() {
                self.correct_if_lost(cx, link, record, out);
                continue;
            }
            self.question_arrived(link, &record.destination);
            let next_hop = NextHop::Link { iface, link };
            match record.flags.standing {
                Standing::Withdrawn => self.withdrawn(cx, record, next_hop, out),
                Standing::Offered => self.offered(cx, record, next_hop, out),
            }
            self.acknowledge_record(cx.now, link, record);
        }
    }

    /// Whoever acknowledges a record of an emission is taken to have its announce, to be passed on: what is known as an answer alone is for whoever
    /// asked, and what everybody is to hear of it is still to come.
    fn acknowledge_record(&mut self, now: Instant, link: LinkId, record: &CostRecord) {
        let is_announced = self.known.get(&record.destination).is_some_and(|known| {
            *known.random_hash.as_bytes() == record.random_hash && known.heard_as == HeardAs::Announce
        });
        if is_announced {
            self.acknowledge_later(now, link, record);
        }
    }

    fn offered(&mut self, cx: Cx, record: &CostRecord, next_hop: NextHop, out: &mut impl Sink<Effect>) {
        let random_hash = RandomHash::from_bytes(record.random_hash);
        let known = self.known.get(&record.destination);
        let is_unknown = known.is_none();
        if known.is_some_and(|known| known.random_hash == random_hash) {
            if let Some(link) = next_hop.link()
                && self.links.get(link).is_some_and(Neighbouring::is_crossing)
            {
                // Whoever says what an emission costs has it.
                self.speech.sign(record.destination, random_hash.emitted_at(), link);
            }
            return self.candidate(cx, &said(record), next_hop, out);
        }
        if known.is_some_and(|known| known.emitted_at >= random_hash.emitted_at()) {
            return;
        }
        if let Some(link) = next_hop.link()
            && self.routes.offer(&record.destination).is_none()
            && self.links.may_correct(link, record.destination, cx.now)
        {
            // That emission may have been lost on its way here: whoever has it hears that there is no way here, and of which emission.
            self.owe_one(cx.now, Some(link), &record.destination);
        }
        if let Some(other) = next_hop.link().and_then(|link| self.links.get_mut(link)) {
            let of_it =
                |held: &&Pending| held.record.destination == record.destination && !held.is_given_up();
            let before = other.pending.iter().find(of_it);
            let (missed_since, asked) = before.map_or((cx.now, 0), |held| (held.missed_since, held.asked));
            let pending = Pending { record: *record, at: cx.now, missed_since, asked };
            let known = &self.known;
            other.pending.retain(|held| {
                held.record.destination != record.destination
                    && (!held.is_over(cx.now) || held.is_missed(known.get(&held.record.destination)))
            });
            // What is too old to stand beside an announce is kept only to ask for one.
            let is_full = other.pending.len() >= PENDING;
            if let Some(place) = other.pending.iter().position(|held| is_full && held.is_over(cx.now)) {
                other.pending.remove(place);
            }
            if other.pending.len() < PENDING {
                other.pending.push_back(pending);
            }
        }
        if let Some(link) = next_hop.link().filter(|_| is_unknown) {
            self.miss(cx.now, link);
        }
    }

    fn withdrawn(&mut self, cx: Cx, record: &CostRecord, next_hop: NextHop, out: &mut impl Sink<Effect>) {
        let destination = record.destination;
        let held = self.routes.get(&destination, next_hop);
        let is_meant = held.is_some_and(|held| {
            *held.random_hash().as_bytes() == record.random_hash
                && held.generation() <= record.flags.generation
        });
        if is_meant {
            let was_told = self
                .known
                .get(&destination)
                .and_then(|known| known.told)
                .is_some_and(|told| told.over == next_hop && told.standing == Standing::Offered);
            self.drop_candidate(cx, &destination, next_hop, out);
            if let Some(link) = next_hop.link().filter(|_| was_told && self.wants_generation(&destination)) {
                self.note_retraction(cx.now, destination, link);
            }
        }
        // It has no way, and may not know that there is one here.
        match next_hop.link().filter(|_| self.is_behind(record)) {
            Some(link) => self.correct_if_lost(cx, link, record, out),
            None => self.owe_if_alive(cx, next_hop.link(), &destination),
        }
    }

    /// Whether a record is of an older emission than that which this node offers a way for.
    fn is_behind(&self, record: &CostRecord) -> bool {
        let said = RandomHash::from_bytes(record.random_hash).emitted_at();
        let newest = if record.destination == self.own.destination() {
            self.own.current().map(|own| own.emitted_at)
        } else {
            let offered =
                self.routes.offer(&record.destination).map(|offer| offer.random_hash().emitted_at());
            self.known
                .get(&record.destination)
                .map(|known| known.emitted_at)
                .filter(|at| offered == Some(*at))
        };
        newest.is_some_and(|newest| said < newest)
    }

    /// A neighbour that has no way and knows an older emission alone missed the newest: what that costs says nothing to it, and it is told
    /// the announce, where there is room for one.
    fn correct_if_lost(&mut self, cx: Cx, link: LinkId, record: &CostRecord, out: &mut impl Sink<Effect>) {
        let is_behind = record.flags.standing == Standing::Withdrawn && self.is_behind(record);
        let Some(iface) = self.links.get(link).map(|other| other.iface).filter(|_| is_behind) else { return };
        if self.speech.budgets.busy_until(iface, Purpose::Announce, cx.now).is_none() {
            self.correct(cx, link, record.destination, out);
        }
    }

    /// An emission verified: what neighbours said of its costs before counts.
    pub(in super::super) fn admit_pending(
        &mut self,
        cx: Cx,
        destination: DestinationHash,
        random_hash: RandomHash,
        out: &mut impl Sink<Effect>,
    ) {
        let is_meant = |held: &Pending| {
            held.record.destination == destination && held.record.random_hash == *random_hash.as_bytes()
        };
        let waiting: Vec<_> = self
            .links
            .iter_mut()
            .filter_map(|(link, other)| {
                let at = other.pending.iter().position(is_meant)?;
                let held = other.pending.remove(at).filter(|held| !held.is_over(cx.now))?;
                Some((NextHop::Link { iface: other.iface, link }, held.record))
            })
            .collect();
        for (next_hop, record) in waiting {
            self.candidate(cx, &said(&record), next_hop, out);
            if let Some(link) = next_hop.link() {
                self.acknowledge_record(cx.now, link, &record);
            }
        }
    }
}

impl Pending {
    pub(in super::super) fn is_over(&self, now: Instant) -> bool {
        now.since(self.at) > PENDING_LIFE
    }
}

fn said(record: &CostRecord) -> Said {
    Said {
        destination: record.destination,
        random_hash: RandomHash::from_bytes(record.random_hash),
        generation: record.flags.generation,
        cost: record.cost,
    }
}
