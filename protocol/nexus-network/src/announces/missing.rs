//! Emissions of which a neighbour says what they cost, and of whose destination nothing was ever heard: their announce was lost on its way here, and
//! whoever says what they cost has it. It is told that nothing is known of them, which it answers as it answers anybody who is behind. Either may be
//! lost as the announce was: it is told several times.
//! Source: spec/network.md#cost-records.

use alloc::vec::Vec;

use nexus_machine::{Cx, Duration, Instant, Sink};
use nexus_wire::nexus::cost::{CostRecord, Standing};
use nexus_wire::nexus::path_cost::{CompactPathCost, CostCode, Generation};
use nexus_wire::reticulum::RandomHash;

use super::budget::Purpose;
use super::costs::{Outlet, Pending, flags, list_of, record};
use super::known::Known;
use super::{Announces, Effect, Timer};
use crate::links::LinkId;

/// An announce may be slower than what it costs, and an answer takes its time: so long it is waited for, twice as long after each question.
const LATE: Duration = Duration::from_secs(20);
/// It is asked for so often. Where three of ten frames are lost each way, one question in two is answered.
const QUESTIONS: u32 = 5;
/// A neighbour is asked at most once in so long,
const INTERVAL: Duration = Duration::from_secs(10);
/// for so many: it answers with as many announces.
const TOGETHER: usize = 8;

impl Announces {
    /// The peer of `link` says what a destination costs that is not known.
    pub(super) fn miss(&mut self, now: Instant, link: LinkId) {
        let is_meant = self.links.get(link).is_some_and(|other| !other.is_crossing());
        if is_meant && self.deadlines.get(Timer::Miss(link)).is_none() {
            self.deadlines.set(Timer::Miss(link), now.after(LATE));
        }
    }

    /// It is told of which destinations nothing is known here, if that is still so. A node whose table is full forgets what it hears: it asks for
    /// nothing more.
    pub(super) fn ask_for_missing(&mut self, cx: Cx, link: LinkId, out: &mut impl Sink<Effect>) {
        if self.known.is_full() {
            return;
        }
        let Some(iface) = self.links.get(link).map(|other| other.iface) else { return };
        if let Some(busy_until) = self.speech.budgets.busy_until(iface, Purpose::Cost, cx.now) {
            return self.deadlines.set(Timer::Miss(link), busy_until);
        }
        let known = &self.known;
        let is_missed = |held: &Pending| held.is_missed(known.get(&held.record.destination));
        let Some(other) = self.links.get_mut(link) else { return };
        let is_late = |held: &Pending| held.late_at() <= cx.now;
        let late = other.pending.iter_mut().filter(|held| is_missed(held) && is_late(held)).take(TOGETHER);
        let records: Vec<CostRecord> = late
            .map(|held| {
                (held.missed_since, held.asked) = (cx.now, held.asked.saturating_add(1));
                nothing_known_of(&held.record)
            })
            .collect();
        if let Some(at) = other.pending.iter().filter(|held| is_missed(held)).map(Pending::late_at).min() {
            self.deadlines.set(Timer::Miss(link), at.max(cx.now.after(INTERVAL)));
        }
        if !records.is_empty() {
            let message = list_of(&records);
            self.speech.spend_on_link(iface, cx.now, message.len());
            out.push(Effect::Say { to: Outlet::Link(link), message });
        }
    }
}

impl Pending {
    /// Whether it was asked for in vain as often as it may be.
    pub(super) const fn is_given_up(&self) -> bool {
        self.asked >= QUESTIONS
    }

    /// Whether it is to be asked for: nothing is known of its destination.
    pub(super) fn is_missed(&self, known: Option<&Known>) -> bool {
        known.is_none() && !self.is_given_up()
    }

    /// When it is asked for, or asked for again.
    fn late_at(&self) -> Instant {
        self.missed_since.after(LATE.times(1 << self.asked.min(QUESTIONS)))
    }
}

/// What says that no emission of a destination is known: no way, of one older than any.
const fn nothing_known_of(of: &CostRecord) -> CostRecord {
    let cost = CompactPathCost { cumulative_cost: CostCode::Unknown, ..CompactPathCost::ORIGIN };
    let none = RandomHash::from_bytes([0; RandomHash::LEN]);
    record(of.destination, none, cost, flags(Standing::Withdrawn, Generation::FIRST))
}
