//! Senders of random traffic and a receiver that hears them all.

use nexus_air::{Air, Burst, Capture, Channel, Hearing, RadioId, Recording};
use nexus_machine::{Duration, Instant, Seed, Stream};
use nexus_network::lora::Modulation;
use nexus_wire::reticulum::rnode::Hertz;

/// The one who receives.
pub(crate) const GATEWAY: RadioId = RadioId(0);

pub(crate) fn channel(bandwidth_hz: u32, spreading_factor: u8) -> Channel {
    let modulation = Modulation::new(bandwidth_hz, spreading_factor, 5).unwrap();
    Channel { frequency: Hertz(868_000_000), modulation, power_dbm: 14 }
}

/// An air on which all are tuned to one channel, and frames of one length.
pub(crate) struct Bench {
    pub(crate) air: Air,
    pub(crate) now: Instant,
    pub(crate) airtime: Duration,
    frame: usize,
    random: Stream,
}

impl Bench {
    pub(crate) fn new(hearing: Hearing, capture: Capture, channel: Channel, payload: usize) -> Self {
        let seed = Seed::new([0x41; 32]);
        let mut air = Air::new(hearing, Recording::Last(4), &seed);
        air.set_capture(capture);
        for radio in air.hearing().ids() {
            air.tune(Instant::BOOT, radio, Some(channel));
        }
        let airtime = channel.modulation.transmission(payload);
        Self { air, now: Instant::BOOT, airtime, frame: payload + 1, random: seed.fork("traffic") }
    }

    /// Lets everything happen that is due until then.
    pub(crate) fn pass(&mut self, until: Instant) {
        while self.air.take_event(until).is_some() {}
        self.now = until;
    }

    pub(crate) fn finish(&mut self) {
        while let Some(due) = self.air.next_event() {
            self.pass(due);
        }
    }

    pub(crate) fn send(&mut self, radio: RadioId) {
        self.air.transmit(self.now, radio, Burst::Single(vec![0; self.frame])).unwrap();
    }

    /// The time to the next of events that come independently of each other, so many in the time of a frame on average.
    pub(crate) fn pause(&mut self, load: f64) -> Duration {
        let uniform = (f64::from(self.random.next_u32()) + 0.5) / 4_294_967_296.0;
        let frames = -libm::log(uniform) / load;
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a few hundred frames")]
        let micros = libm::round(frames * self.airtime.as_micros() as f64) as u64;
        Duration::from_micros(micros)
    }

    /// What share of the time was filled with frames that the gateway received.
    pub(crate) fn throughput(&self) -> f64 {
        let received = self.air.meter(GATEWAY).received as f64;
        received * self.airtime.as_micros() as f64 / self.now.as_micros() as f64
    }
}
