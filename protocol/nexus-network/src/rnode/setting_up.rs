//! Setting up a radio: one setting after the other, each confirmed before the next; the last switches it on.

use core::mem::discriminant;

use nexus_machine::{Duration, Instant, Sink};
use nexus_wire::reticulum::rnode::{AirtimeLimit, Hertz, RadioState, Setting, ToDevice};

use super::condition::Fault;
use super::{Effect, write};
use crate::interface::DutyCycle;
use crate::region::Channel;

/// How long a confirmation may take before the setting is made again,
const ECHO: Duration = Duration::from_secs(1);
/// and how often it is made.
const MADE: u8 = 3;
/// How many settings there are.
const SETTINGS: usize = 8;

/// Where in this it is.
#[derive(Clone, Copy, Debug)]
pub(super) struct SettingUp {
    channel: Channel,
    /// The setting that waits for its echo, by its place in [`settings`].
    step: usize,
    made: u8,
    until: Instant,
}

/// How it goes on.
#[derive(Clone, Copy, Debug)]
pub(super) enum Progress {
    GoesOn(SettingUp),
    Done(Channel),
    Fails(Fault),
}

/// What a radio is told of a channel, in order.
pub(super) fn settings(channel: Channel) -> [Setting; SETTINGS] {
    let modulation = channel.modulation();
    // The core keeps account of every hour; the modem does so too, should the core be wrong.
    let long = match channel.duty() {
        DutyCycle::UNLIMITED => AirtimeLimit(0),
        duty => AirtimeLimit(duty.hundredths_of_a_percent()),
    };
    [
        Setting::Frequency(Hertz(channel.frequency_hz())),
        Setting::Bandwidth(Hertz(modulation.bandwidth_hz())),
        Setting::TxPower(channel.tx_power_dbm()),
        Setting::SpreadingFactor(modulation.spreading_factor()),
        Setting::CodingRate(modulation.coding_rate()),
        Setting::ShortAirtimeLimit(AirtimeLimit(0)),
        Setting::LongAirtimeLimit(long),
        Setting::RadioState(RadioState::ON),
    ]
}

impl SettingUp {
    pub(super) fn begin(now: Instant, channel: Channel, out: &mut impl Sink<Effect>) -> Self {
        let begun = Self { channel, step: 0, made: 0, until: now };
        match begun.make(now, out) {
            Progress::GoesOn(waiting) => waiting,
            Progress::Done(_) | Progress::Fails(_) => begun,
        }
    }

    pub(super) const fn until(&self) -> Instant {
        self.until
    }

    /// What the modem says that it set. Echoes of other settings are late ones of what was made twice.
    pub(super) fn echoed(self, now: Instant, set: Setting, out: &mut impl Sink<Effect>) -> Progress {
        let Some(asked) = self.awaited() else { return Progress::Done(self.channel) };
        if discriminant(&asked) != discriminant(&set) {
            return Progress::GoesOn(self);
        }
        if !asked.is_met_by(&set) {
            return Progress::Fails(Fault::Otherwise { asked, set });
        }
        Self { step: self.step.saturating_add(1), made: 0, ..self }.make(now, out)
    }

    /// No echo came in time.
    pub(super) fn unanswered(self, now: Instant, out: &mut impl Sink<Effect>) -> Progress {
        match self.awaited() {
            Some(setting) if self.made >= MADE => Progress::Fails(Fault::Unconfirmed(setting)),
            Some(_) | None => self.make(now, out),
        }
    }

    fn make(self, now: Instant, out: &mut impl Sink<Effect>) -> Progress {
        let Some(setting) = self.awaited() else { return Progress::Done(self.channel) };
        write(ToDevice::Set(setting), out);
        Progress::GoesOn(Self { made: self.made.saturating_add(1), until: now.after(ECHO), ..self })
    }

    fn awaited(&self) -> Option<Setting> {
        settings(self.channel).get(self.step).copied()
    }
}
