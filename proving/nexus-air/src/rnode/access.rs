//! How a modem takes the channel. Source: spec/air.md#csma.
//!
//! When the channel is clear it waits for two slots, then for a random number of slots; it transmits if the channel was clear
//! all the while. What is left of the random wait when another begins is kept for the next time.

use nexus_machine::{Duration, Instant};
use nexus_network::lora::Modulation;
use nexus_wire::reticulum::rnode::DeviceError;

use super::{Rnode, split};
use crate::air::{Air, Refusal};

/// Symbols of a slot,
const SLOT_SYMBOLS: u64 = 12;
/// its shortest
const SLOT_MIN: Duration = Duration::from_millis(24);
/// and its longest length.
const SLOT_MAX: Duration = Duration::from_millis(100);
/// Slots for which the channel has to be clear before the contention.
const INTERFRAME_SLOTS: u64 = 2;
/// Slots among which a modem draws.
pub const CONTENTION_SLOTS: u64 = 15;
/// How many such windows there are, one behind the other: the more a modem transmits, the later is its own.
pub const CONTENTION_BANDS: u64 = 4;

/// Where a modem is on its way to the channel.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Access {
    /// Nothing is waiting.
    Idle,
    /// It has transmitted all that its limits allow, until something slides out of their windows.
    Limited { until: Instant },
    /// Another is on the channel.
    Deferring { left: Option<Duration> },
    /// The channel is clear, and has to be so until then.
    Interframe { until: Instant, left: Option<Duration> },
    /// The random wait.
    Contending { until: Instant },
    /// On the air.
    Transmitting,
}

/// Whether a modem notices another on its channel.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Carrier {
    Sensed,
    Silent,
}

impl Access {
    pub(super) const fn deadline(self) -> Option<Instant> {
        match self {
            Self::Limited { until } | Self::Interframe { until, .. } | Self::Contending { until } => {
                Some(until)
            }
            Self::Idle | Self::Deferring { .. } | Self::Transmitting => None,
        }
    }
}

/// A slot: 12 symbols, 24 to 100 ms.
#[must_use]
pub fn slot(modulation: Modulation) -> Duration {
    modulation.symbol().times(SLOT_SYMBOLS).clamp(SLOT_MIN, SLOT_MAX)
}

/// How long the channel has to be clear before the contention.
pub(super) fn interframe(modulation: Modulation) -> Duration {
    slot(modulation).times(INTERFRAME_SLOTS)
}

impl Rnode {
    /// Goes as far as the moment allows.
    pub(super) fn attend(&mut self, now: Instant, air: &mut Air) {
        let Some(channel) = self.tuned else { return };
        // Nothing that a modem does is sensed by itself, nor in the same moment.
        let carrier = if air.is_busy(now, self.radio) { Carrier::Sensed } else { Carrier::Silent };
        loop {
            let next = self.step(now, channel.modulation, carrier, air);
            if next == self.access {
                return;
            }
            self.access = next;
        }
    }

    /// Who waits for a limit asks again when it may have been changed.
    pub(super) fn reconsider_limits(&mut self, now: Instant, air: &mut Air) {
        if matches!(self.access, Access::Limited { .. }) {
            self.access = Access::Idle;
            self.attend(now, air);
        }
    }

    fn step(&mut self, now: Instant, modulation: Modulation, carrier: Carrier, air: &mut Air) -> Access {
        let clock = air.clock(self.radio);
        let wait =
            |left| Access::Interframe { until: now.after(clock.stretch(interframe(modulation))), left };
        let busy = carrier == Carrier::Sensed;
        match self.access {
            Access::Idle if self.queue.is_empty() => Access::Idle,
            Access::Idle => match self.usage.forbidden_until(now, self.settings.limits()) {
                Some(until) => Access::Limited { until },
                None if busy => Access::Deferring { left: None },
                None => wait(None),
            },
            Access::Limited { until } if until <= now => Access::Idle,
            Access::Deferring { left } if !busy => wait(left),
            Access::Interframe { left, .. } if busy => Access::Deferring { left },
            Access::Interframe { until, left } if until <= now => {
                let random =
                    left.unwrap_or_else(|| clock.stretch(slot(modulation).times(self.draw_slots(now))));
                Access::Contending { until: now.after(random) }
            }
            Access::Contending { until } if busy => Access::Deferring { left: Some(until.since(now)) },
            Access::Contending { until } if until <= now => self.begin(now, air),
            unchanged => unchanged,
        }
    }

    /// A slot in the window of this modem's band: by quarters of its own airtime in the last 15 seconds.
    fn draw_slots(&mut self, now: Instant) -> u64 {
        let share = u64::from(self.usage.shares(now).airtime[0].0);
        let band = (share * CONTENTION_BANDS / 10_000).min(CONTENTION_BANDS - 1);
        band * CONTENTION_SLOTS + self.random.below(CONTENTION_SLOTS)
    }

    fn begin(&mut self, now: Instant, air: &mut Air) -> Access {
        let Some(packet) = self.queue.pop() else { return Access::Idle };
        let burst = split::burst(&packet, &mut self.random);
        match air.transmit(now, self.radio, burst) {
            Ok(()) => Access::Transmitting,
            // Somebody else tuned its radio.
            Err(Refusal::Off | Refusal::Busy) => {
                self.refuse(DeviceError::TX_FAILED);
                Access::Idle
            }
        }
    }
}
