//! What is said of a crowded queue: to those who feed it, in the price, and to whoever looks.
//!
//! Source: spec/network.md#backpressure, spec/network.md#price.

use nexus_machine::{Duration, Instant, Sink, earliest};
use nexus_wire::nexus::control::{Congestion, Scope};

use super::flow::{CLASSES, Feeder, Weight, rank};
use super::pressure::{Complaint, Ended, Level, Pressure};
use super::shares::{Work, budgeted};
use super::status::{Pressed, QueueStatus, Sharer};
use super::surge::LOOK;
use super::turn::Interface;
use super::{Complained, Effect, Media};
use crate::interface::{InterfaceId, Role};
use crate::links::LinkId;

/// A queue is half full, in 65,536ths.
const HALF: u32 = 1 << 15;
/// From three quarters on it is congested severely, from nine tenths on it is saturated.
const SEVERE: u32 = 3 << 14;
const SATURATED: u32 = 58_982;
/// CONGESTION, sealed, in bytes.
const SIGNAL: usize = 27;
/// From one signal to a neighbour to the next there pass so many of its airtimes,
const SPACING: u64 = 64;
/// and so much at least.
const PAUSE: Duration = Duration::from_millis(100);

/// How congested a queue is that is so full.
fn level(fullness: u32) -> Option<Level> {
    match fullness {
        SATURATED.. => Some(Level::Saturated),
        SEVERE.. => Some(Level::Severe),
        HALF.. => Some(Level::Moderate),
        _ => None,
    }
}

impl Media {
    /// What waits on an interface, and what became of what waited.
    #[must_use]
    pub fn queue(&self, iface: InterfaceId) -> Option<QueueStatus> {
        let state = self.interfaces.get(&iface)?;
        let (queue, work) = (&state.queue, Work(state.profile));
        let mut classes = queue.classes;
        for class in CLASSES {
            if let Some(status) = classes.get_mut(rank(class)) {
                status.waiting = queue.waiting(class);
            }
        }
        let sharers = queue.shares.iter();
        let sharers =
            sharers.map(|share| Sharer { from: share.from, weight: share.weight, waiting: share.held });
        let pressed = state.pressure.iter().map(|(link, pressure)| Pressed {
            link: *link,
            severity: pressure.level().severity(),
            limit_bps: work.as_bps(pressure.rate()),
        });
        Some(QueueStatus {
            room: queue.room(),
            traffic: queue.traffic(),
            control: queue.control(),
            news: queue.news(),
            classes,
            sharers: sharers.collect(),
            pressed: pressed.collect(),
            surge: state.surge.extra(),
            told: state.told,
        })
    }

    pub(super) fn weigh(&mut self, link: LinkId, weight: Weight) {
        if weight == Weight::ONE {
            self.weights.remove(&link);
        } else {
            self.weights.insert(link, weight);
        }
    }

    pub(super) fn link_down(&mut self, link: LinkId) {
        self.weights.remove(&link);
        for state in self.interfaces.values_mut() {
            state.pressure.remove(&link);
        }
    }

    /// A neighbour says how congested it is. Of a kind of congestion that is not known here, that it is over.
    pub(super) fn complained(
        &mut self,
        now: Instant,
        Complained { iface, link, congestion, sent_bps }: Complained,
        out: &mut impl Sink<Effect>,
    ) {
        let Some(state) = self.interfaces.get_mut(&iface) else { return };
        let Some(level) = Level::of(congestion.severity()) else {
            state.pressure.remove(&link);
            if state.may_begin() {
                self.begin(now, iface, out);
            }
            return;
        };
        let work = Work(state.profile);
        let drain = Duration::from_millis(congestion.drain_ms.into());
        let (rate, whole) = (work.per_second(sent_bps), work.per_second(state.bandwidth.bps()));
        let complaint = Complaint { level, drain, rate, whole };
        match state.pressure.get_mut(&link) {
            Some(pressure) => pressure.again(now, complaint),
            None => drop(state.pressure.insert(link, Pressure::new(now, complaint))),
        }
        self.looks.set(iface, now.after(LOOK));
    }

    /// Traffic of a neighbour waits: the queue is looked at, and whoever feeds it is told if it is crowded.
    pub(super) fn watch(
        &mut self,
        now: Instant,
        iface: InterfaceId,
        from: Feeder,
        out: &mut impl Sink<Effect>,
    ) {
        let soon = now.after(LOOK);
        if self.looks.get(iface).is_none_or(|at| at > soon) {
            self.looks.set(iface, soon);
        }
        let Feeder::Link(link) = from else { return };
        let Some(level) = self.interfaces.get(&iface).and_then(|state| level(state.queue.fullness())) else {
            return;
        };
        let is_free = |state: &Interface| state.queue.fullness() < HALF && state.profile.role != Role::Local;
        let scope =
            if self.interfaces.values().any(is_free) { Scope::THIS_LINK } else { Scope::ALL_OUTBOUND };
        let Some(state) = self.interfaces.get_mut(&iface) else { return };
        if let Some(congestion) = state.tells(now, from, level, scope) {
            out.push(Effect::Congested { link, congestion });
        }
    }

    /// Looks at the queues whose turn it is.
    pub(super) fn look(&mut self, now: Instant, out: &mut impl Sink<Effect>) {
        while let Some(iface) = self.looks.pop_due(now) {
            let Some(state) = self.interfaces.get_mut(&iface) else { continue };
            let fullness = state.queue.fullness();
            if let Some(extra) = state.surge.look(now, fullness) {
                out.push(Effect::Surge(iface, extra));
            }
            state.pressure.retain(|_, pressure| pressure.decay(now) == Ended::Lasts);
            let pressed = (!state.pressure.is_empty()).then(|| now.after(LOOK));
            if let Some(at) = earliest([state.surge.look_at(now), pressed]) {
                self.looks.set(iface, at);
            }
        }
    }
}

impl Interface {
    /// What a neighbour that feeds the queue is told, if it is to be told.
    fn tells(&mut self, now: Instant, from: Feeder, level: Level, scope: Scope) -> Option<Congestion> {
        if !self.queue.shares.holds_halves(from, 1, self.queue.traffic()) {
            // It has so little of it that others are meant.
            return None;
        }
        let work = Work(self.profile);
        let pause = PAUSE.max(self.profile.airtime(SIGNAL).times(SPACING));
        let share = self.queue.shares.get_mut(from)?;
        let is_worse = Level::of(share.told).is_none_or(|told| level > told);
        if now < share.tell_at && !is_worse {
            return None;
        }
        (share.told, share.tell_at) = (level.severity(), now.after(pause));
        let bytes = u64::try_from(self.queue.traffic().bytes).unwrap_or(u64::MAX);
        let rate = work.as_bps(budgeted(&work, self.bandwidth.bps()));
        let drain_ms = bytes.saturating_mul(8_000).checked_div(rate).unwrap_or(0);
        let count = match level {
            Level::Moderate => self.told.first_mut(),
            Level::Severe => self.told.get_mut(1),
            Level::Saturated => self.told.last_mut(),
        };
        if let Some(count) = count {
            *count = count.saturating_add(1);
        }
        let drain_ms = u16::try_from(drain_ms).unwrap_or(u16::MAX);
        Some(Congestion::new(level.severity(), scope, drain_ms))
    }
}
