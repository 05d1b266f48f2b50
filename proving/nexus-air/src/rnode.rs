//! A modem's firmware: bytes of its host in, bytes for its host out, and a radio on the air.
//!
//! It does what an RNode does as far as a host or another RNode can tell: it echoes settings, keeps a bounded queue, waits
//! for the channel, sends long packets in two halves and puts halves together in its one slot ([`split`]), and
//! keeps its airtime within limits ([`usage`]). Source: spec/air.md#rnode.

mod access;
mod host;
mod output;
mod settings;
pub mod split;
mod statistics;
pub mod usage;

use std::collections::BTreeSet;

use nexus_machine::{BoundedQueue, Duration, Instant, Pushed, QueueOverflow, Seed, Stream};
use nexus_network::lora::FRAME_MAX;
use nexus_wire::reticulum::kiss::Deframer;
use nexus_wire::reticulum::rnode::{DeviceError, Firmware, FromDevice, Rssi, Setting, Snr};

use crate::air::{Air, BurstState};
use crate::channel::{Channel, RadioId, Signal};
use access::Access;
use output::Output;
use settings::Settings;
use split::Reassembly;
use usage::Usage;

pub use access::{CONTENTION_BANDS, CONTENTION_SLOTS, slot};

/// What a modem is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Model {
    /// The version that it claims.
    pub version: Firmware,
    /// The platform that it claims.
    pub platform: u8,
    /// The microcontroller that it claims.
    pub mcu: u8,
    /// Whether its echoes can be believed.
    pub echo: Echo,
    /// How many packets wait in it, at most.
    pub queue_packets: usize,
    /// How often it tells its host of the channel while its radio is on; `None` for never.
    pub statistics: Option<Duration>,
}

/// What a modem says when it is set up.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Echo {
    /// What it really set.
    Faithful,
    /// This, whenever a setting of its kind is asked for: a modem that cannot do what it was told.
    Instead(Setting),
}

impl Model {
    /// An ESP32's numbers, firmware 1.80, and statistics every second.
    pub const ESP32: Self = Self {
        version: Firmware { major: 1, minor: 80 },
        platform: 0x80,
        mcu: 0x81,
        echo: Echo::Faithful,
        queue_packets: 64,
        statistics: Some(Duration::from_secs(1)),
    };
}

/// What a modem counted since it started.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Counters {
    /// Packets sent.
    pub sent: u32,
    /// Packets handed to the host.
    pub received: u32,
    /// Packets of the host refused, because the queue was full or the radio off.
    pub refused: u32,
    /// Packets handed to the host with bits flipped.
    pub corrupted: u32,
    /// Halves of packets that another transmission pushed out of the slot.
    pub displaced: u32,
    /// Messages that the host did not take in time.
    pub unread: u32,
}

/// The shortest period of statistics.
const STATISTICS_MIN: Duration = Duration::from_millis(1);
/// Bits flipped in a corrupted packet, at most.
const FLIPPED_BITS: u64 = 8;

/// One modem, switched on, with a radio of its own.
#[derive(Debug)]
pub struct Rnode {
    radio: RadioId,
    model: Model,
    random: Stream,
    deframer: Deframer,
    output: Output,
    settings: Settings,
    /// How the radio is tuned, while it is on.
    tuned: Option<Channel>,
    queue: BoundedQueue<Vec<u8>>,
    access: Access,
    reassembly: Reassembly,
    usage: Usage,
    statistics_at: Option<Instant>,
    counters: Counters,
}

impl Rnode {
    /// A modem that has just got power, its radio off.
    #[must_use]
    pub fn new(radio: RadioId, model: Model, seed: &Seed) -> Self {
        let packets = model.queue_packets;
        let bytes = packets.saturating_mul(usize::from(FRAME_MAX));
        Self {
            radio,
            model,
            random: seed.fork("rnode"),
            deframer: Deframer::new(FRAME_MAX.into()),
            output: Output::default(),
            settings: Settings::default(),
            tuned: None,
            queue: BoundedQueue::new(packets, bytes, QueueOverflow::RefuseNew),
            access: Access::Idle,
            reassembly: Reassembly::default(),
            usage: Usage::default(),
            statistics_at: None,
            counters: Counters::default(),
        }
    }

    /// What it counted.
    #[must_use]
    pub fn counters(&self) -> Counters {
        Counters { displaced: self.reassembly.displaced(), unread: self.output.dropped(), ..self.counters }
    }

    /// How its radio is tuned, if it is on.
    #[must_use]
    pub const fn tuned(&self) -> Option<Channel> {
        self.tuned
    }

    /// How many packets wait for the channel.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.queue.len()
    }

    /// What is to be written to the host.
    #[must_use]
    pub fn output(&self) -> &[u8] {
        self.output.bytes()
    }

    /// The host took so many bytes of the output.
    pub fn taken(&mut self, bytes: usize) {
        self.output.take(bytes);
    }

    /// When it wants to be woken: [`Rnode::wake`].
    #[must_use]
    pub fn next_deadline(&self) -> Option<Instant> {
        [self.access.deadline(), self.statistics_at].into_iter().flatten().min()
    }

    /// Does what is due: takes the channel, tells statistics. Early is harmless.
    pub fn wake(&mut self, now: Instant, air: &mut Air) {
        self.attend(now, air);
        if self.statistics_at.is_some_and(|at| at <= now) {
            self.tell_statistics(now, air);
            self.statistics_at = self.next_statistics(now, air);
        }
    }

    /// Another's signal on the channel began or ended.
    pub fn sense(&mut self, now: Instant, air: &mut Air) {
        self.usage.note_carrier(now, air.is_busy(now, self.radio));
        self.attend(now, air);
    }

    /// A transmission was received, its checksum right.
    pub fn receive(&mut self, transmission: &[u8], signal: Signal, air: &Air) {
        let Some(mut packet) = self.reassembly.take(transmission) else { return };
        if packet.is_empty() {
            return;
        }
        let corrupt_ppm = air.faults(self.radio).corrupt_ppm;
        if corrupt_ppm > 0 && self.random.chance(corrupt_ppm.into(), 1_000_000) {
            self.counters.corrupted = self.counters.corrupted.saturating_add(1);
            self.flip_bits(&mut packet);
        }
        self.counters.received = self.counters.received.saturating_add(1);
        self.output.push(&FromDevice::Rssi(Rssi::from_dbm(signal.rssi_dbm)));
        self.output.push(&FromDevice::Snr(Snr::from_quarter_decibels(signal.snr)));
        self.output.push(&FromDevice::Data(&packet));
    }

    /// One of its own transmissions, the signal of which began at `start`, is over: the whole packet, or its first half.
    pub fn sent(&mut self, start: Instant, end: Instant, burst: BurstState, air: &mut Air) {
        self.usage.note_sent(start, end);
        // A radio that was switched off in the middle waits for no end.
        if burst == BurstState::Over && self.access == Access::Transmitting {
            self.counters.sent = self.counters.sent.saturating_add(1);
            self.access = Access::Idle;
            self.output.push(&FromDevice::Ready(&[output::TAKES_ANOTHER]));
            self.attend(end, air);
        }
    }

    fn enqueue(&mut self, now: Instant, packet: &[u8], air: &mut Air) {
        if packet.is_empty() {
            return;
        }
        if self.tuned.is_none() {
            return self.refuse(DeviceError::TX_FAILED);
        }
        match self.queue.push(packet.to_vec(), packet.len()) {
            Pushed::Queued | Pushed::Displaced(_) => self.attend(now, air),
            Pushed::Refused(_) => self.refuse(DeviceError::QUEUE_FULL),
        }
    }

    /// A period of nothing would never let time pass.
    fn next_statistics(&self, now: Instant, air: &Air) -> Option<Instant> {
        let period = self.model.statistics?.max(STATISTICS_MIN);
        Some(now.after(air.clock(self.radio).stretch(period)))
    }

    fn refuse(&mut self, error: DeviceError) {
        self.counters.refused = self.counters.refused.saturating_add(1);
        self.output.push(&FromDevice::Error(error));
    }

    fn switch_on(&mut self, now: Instant, air: &mut Air) -> bool {
        let Some(channel) = self.settings.channel() else {
            self.output.push(&FromDevice::Error(DeviceError::RADIO_INIT));
            return false;
        };
        if self.tuned != Some(channel) {
            air.tune(now, self.radio, Some(channel));
            self.tuned = Some(channel);
            self.access = Access::Idle;
            self.usage.note_carrier(now, air.is_busy(now, self.radio));
            self.statistics_at = self.next_statistics(now, air);
            self.tell_parameters(channel);
            self.attend(now, air);
        }
        true
    }

    /// Nothing more goes out or comes in; what waited is gone.
    pub fn switch_off(&mut self, now: Instant, air: &mut Air) {
        air.tune(now, self.radio, None);
        self.tuned = None;
        self.access = Access::Idle;
        self.statistics_at = None;
        self.reassembly = Reassembly::default();
        self.usage.note_carrier(now, false);
        while self.queue.pop().is_some() {}
    }

    fn restart(&mut self, now: Instant, air: &mut Air) {
        self.switch_off(now, air);
        self.settings = Settings::default();
        self.output.clear();
        self.usage = Usage::default();
        self.counters = Counters::default();
    }

    fn flip_bits(&mut self, packet: &mut [u8]) {
        let bits = u64::try_from(packet.len()).unwrap_or(u64::MAX).saturating_mul(8);
        // Each bit once: two flips of one would leave the packet whole.
        let flips = self.random.below(FLIPPED_BITS).saturating_add(1);
        let flips: BTreeSet<u64> = (0..flips).map(|_| self.random.below(bits)).collect();
        for bit in flips {
            let byte = usize::try_from(bit / 8).expect("a bit of a packet in memory");
            packet[byte] ^= 1 << (bit % 8);
        }
    }
}

#[cfg(test)]
mod tests;
