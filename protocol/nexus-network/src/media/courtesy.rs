//! Turns on a half-duplex channel: who ends a frame lets others begin, and who waits for the channel notices that a frame ended.
//!
//! Spec: spec/network.md#turns.

use nexus_machine::{Duration, Stream};

use crate::interface::{Access, Profile, Timing};

/// In one moment everybody in range notices that somebody began: twice the symbols for which a radio listens. Source: Semtech AN1200.48.
const MOMENT_SYMBOLS: u64 = 8;
/// Elsewhere it is a part of the slot.
const MOMENT_PARTS: u64 = 64;
/// Whoever heard a frame while it waited listens again after so many moments, so that an answer has the first two,
const WAKES_AFTER: u64 = 2;
/// and one of so many, at random.
const WAKES_WITHIN: u64 = 4;

/// The times by which nodes take turns.
#[derive(Clone, Copy, Debug)]
pub(super) struct Courtesy {
    slot: Duration,
    moment: Duration,
    /// How long this node had the channel since it last let others begin.
    held: Duration,
}

impl Courtesy {
    /// Of a medium on which nodes listen before they talk; none elsewhere.
    pub(super) fn of(profile: &Profile) -> Option<Self> {
        let Access::ListenBeforeTalk { slot } = profile.access else { return None };
        let moment = match profile.timing {
            Timing::LoRa(modulation) => modulation.symbol().times(MOMENT_SYMBOLS),
            Timing::Rate => Duration::from_micros(slot.as_micros() / MOMENT_PARTS),
        };
        // A moment of no length would be no pause.
        Some(Self { slot, moment: moment.max(Duration::from_micros(1)), held: Duration::ZERO })
    }

    /// This node's frame ended: how long until it listens again. An answer can always begin; whoever waits can once this node has had the channel
    /// for as long as the longest frame takes.
    pub(super) fn pause(&mut self, airtime: Duration, random: &mut Stream) -> Duration {
        self.held = self.held.plus(airtime);
        if self.held < self.slot {
            return self.moment;
        }
        self.held = Duration::ZERO;
        let behind = WAKES_AFTER.saturating_add(WAKES_WITHIN);
        self.moment.times(behind.saturating_add(random.below(WAKES_WITHIN)))
    }

    /// Another's frame ended: how long until whoever waits listens.
    pub(super) fn wake(&mut self, random: &mut Stream) -> Duration {
        self.held = Duration::ZERO;
        self.moment.times(WAKES_AFTER.saturating_add(random.below(WAKES_WITHIN)))
    }
}
