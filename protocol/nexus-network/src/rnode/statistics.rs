//! What a radio measured, and what was counted of it.

use nexus_wire::reticulum::DroppedFrames;
use nexus_wire::reticulum::rnode::{Battery, ChannelTime, DeviceError, FromDevice, Temperature};

/// How well a frame was heard, as far as the modem said so.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Signal {
    /// Its strength, in dBm.
    pub rssi_dbm: Option<i16>,
    /// Its distance from the noise, in quarters of a decibel.
    pub snr_quarter_db: Option<i16>,
}

/// A measurement of each frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Smoothed {
    /// That of the last frame.
    pub last: i16,
    /// The moving average, in sixteenths.
    sixteenths: i32,
}

impl Smoothed {
    /// The average over some eight frames, rounded.
    #[must_use]
    pub fn average(&self) -> i16 {
        let rounded = self.sixteenths.saturating_add(8).div_euclid(16);
        i16::try_from(rounded).unwrap_or(self.last)
    }

    fn first(value: i16) -> Self {
        Self { last: value, sixteenths: i32::from(value).saturating_mul(16) }
    }

    fn then(self, value: i16) -> Self {
        let apart = i32::from(value).saturating_mul(16).saturating_sub(self.sixteenths);
        Self { last: value, sixteenths: self.sixteenths.saturating_add(apart.div_euclid(8)) }
    }

    fn note(place: &mut Option<Self>, value: Option<i16>) {
        if let Some(value) = value {
            *place = Some(place.map_or_else(|| Self::first(value), |smoothed| smoothed.then(value)));
        }
    }
}

/// What is known of a radio and its channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Statistics {
    /// The strength of frames, in dBm.
    pub rssi_dbm: Option<Smoothed>,
    /// Their distance from the noise, in quarters of a decibel.
    pub snr_quarter_db: Option<Smoothed>,
    /// How busy the channel is, and how much of that is this radio.
    pub channel: Option<ChannelTime>,
    /// The modem's battery.
    pub battery: Option<Battery>,
    /// The temperature of its processor.
    pub temperature: Option<Temperature>,
    /// How many transmissions the modem says that it received.
    pub modem_received: Option<u32>,
    /// How many it says that it sent.
    pub modem_sent: Option<u32>,
    /// What was counted here.
    pub counters: Counters,
    /// What the modem said of the frame that comes next.
    announced: Signal,
    /// What the present stream is known to have dropped.
    dropped: u64,
}

/// What was counted since the radio was configured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Counters {
    /// Frames that arrived.
    pub received: u64,
    /// Frames that the radio took.
    pub sent: u64,
    /// Frames that it did not take.
    pub lost: u64,
    /// How often its queue was full.
    pub queue_full: u64,
    /// How often it could not transmit.
    pub tx_failed: u64,
    /// Other errors that it reported.
    pub errors: u64,
    /// Frames after which it did not say in time that it was ready.
    pub unready: u64,
    /// How often it restarted by itself.
    pub restarts: u64,
    /// What it sent that is no message.
    pub malformed: u64,
}

impl Counters {
    pub(super) const fn count_sent(&mut self) {
        self.sent = self.sent.saturating_add(1);
    }

    pub(super) const fn count_lost(&mut self) {
        self.lost = self.lost.saturating_add(1);
    }

    pub(super) const fn count_unready(&mut self) {
        self.unready = self.unready.saturating_add(1);
    }

    pub(super) const fn count_restart(&mut self) {
        self.restarts = self.restarts.saturating_add(1);
    }

    pub(super) const fn count_malformed(&mut self, pieces: u64) {
        self.malformed = self.malformed.saturating_add(pieces);
    }

    pub(super) const fn count_error(&mut self, error: DeviceError) {
        let counter = match error {
            DeviceError::QUEUE_FULL => &mut self.queue_full,
            DeviceError::TX_FAILED => &mut self.tx_failed,
            _ => &mut self.errors,
        };
        *counter = counter.saturating_add(1);
    }
}

impl Statistics {
    /// Takes over what the modem measured; whether it was anything of the kind.
    pub(super) fn take(&mut self, message: &FromDevice<'_>) -> bool {
        match message {
            FromDevice::Received(packets) => self.modem_received = Some(*packets),
            FromDevice::Sent(packets) => self.modem_sent = Some(*packets),
            FromDevice::Rssi(strength) => self.announced.rssi_dbm = Some(strength.dbm()),
            FromDevice::Snr(ratio) => self.announced.snr_quarter_db = Some(ratio.quarter_decibels().0),
            FromDevice::Other(frame) => {
                let read = (ChannelTime::read(frame), Battery::read(frame), Temperature::read(frame));
                self.channel = read.0.or(self.channel);
                self.battery = read.1.or(self.battery);
                self.temperature = read.2.or(self.temperature);
                return read != (None, None, None);
            }
            FromDevice::Detected
            | FromDevice::Firmware(_)
            | FromDevice::Platform(_)
            | FromDevice::Mcu(_)
            | FromDevice::Echo(_)
            | FromDevice::Data(_)
            | FromDevice::Ready(_)
            | FromDevice::Error(_) => return false,
        }
        true
    }

    /// Counts a frame, and says how well it was heard.
    pub(super) fn frame_arrived(&mut self) -> Signal {
        let signal = core::mem::take(&mut self.announced);
        Smoothed::note(&mut self.rssi_dbm, signal.rssi_dbm);
        Smoothed::note(&mut self.snr_quarter_db, signal.snr_quarter_db);
        self.counters.received = self.counters.received.saturating_add(1);
        signal
    }

    /// Counts what the stream dropped so far; whether that is more than before.
    pub(super) const fn note_dropped(&mut self, dropped: DroppedFrames) -> bool {
        let so_far = dropped.oversize.saturating_add(dropped.malformed);
        let more = so_far.saturating_sub(self.dropped);
        self.dropped = so_far;
        self.counters.count_malformed(more);
        more > 0
    }

    /// Another stream begins.
    pub(super) const fn forget_dropped(&mut self) {
        self.dropped = 0;
    }
}
