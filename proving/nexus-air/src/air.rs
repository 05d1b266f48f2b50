//! The medium: transmissions of half-duplex radios, carrier sense, and what each radio receives.
//!
//! Whoever drives it keeps one order: handle everything that is due ([`Air::next_event`], [`Air::take_event`]) before
//! anything is done at a later moment. Source: spec/air.md#medium.

mod flights;
mod reception;

use std::sync::Arc;

use nexus_machine::{Duration, Instant, Seed, Stream};

use crate::channel::{Channel, RadioId, Signal};
use crate::clock::Clock;
use crate::hearing::{Arrival, Hearing, Voice};
use crate::record::{Extent, Meter, Reception, Record, Recording, Transmission};
use crate::sensing;
use crate::survival::Capture;
use flights::{Flight, Flights, Order};
use reception::Lock;

/// From the moment at which a radio is told to transmit until others can sense it: two that begin within it collide.
pub const TURNAROUND: Duration = Duration::from_millis(1);

/// What a radio transmits at one go, without listening in between.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Burst {
    /// One transmission.
    Single(Vec<u8>),
    /// Two, one right behind the other.
    Double(Vec<u8>, Vec<u8>),
}

/// What the medium does to what reaches one radio.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Faults {
    /// How many transmissions of a million it loses.
    pub loss_ppm: u32,
    /// How many of a million received frames a modem hands to its host with bits flipped, behind every checksum.
    pub corrupt_ppm: u32,
}

/// Why a radio does not transmit.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Refusal {
    /// It is switched off.
    Off,
    /// It is transmitting.
    Busy,
}

/// Something happened on the air.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Event {
    /// A signal began.
    Began {
        /// When.
        at: Instant,
        /// Whose.
        sender: RadioId,
        /// Who senses it.
        sensed_by: Vec<RadioId>,
    },
    /// Radios are somewhere else while something is on the air: anybody may sense more than before, or less.
    Moved {
        /// When.
        at: Instant,
    },
    /// A signal ended.
    Ended {
        /// All about it.
        transmission: Transmission,
        /// Whether its sender has finished.
        burst: BurstState,
    },
}

/// Whether more of a burst follows.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum BurstState {
    /// The second half begins in the same moment.
    Continues,
    /// That was all.
    Over,
}

#[derive(Clone, Copy, Debug)]
struct Radio {
    tuned: Option<Channel>,
    /// Since when it listens to that channel.
    since: Instant,
    /// From being told to transmit until the last signal of the burst ends.
    is_sending: bool,
    lock: Option<Lock>,
    clock: Clock,
    faults: Faults,
    meter: Meter,
}

/// Radios on one medium.
#[derive(Debug)]
pub struct Air {
    hearing: Hearing,
    capture: Capture,
    radios: Vec<Radio>,
    flights: Flights,
    record: Record,
    random: Stream,
    /// Decides who notices what.
    luck: u64,
}

impl Air {
    /// The radios of `hearing`, all switched off.
    #[must_use]
    pub fn new(hearing: Hearing, recording: Recording, seed: &Seed) -> Self {
        let off = Radio {
            tuned: None,
            since: Instant::BOOT,
            is_sending: false,
            lock: None,
            clock: Clock::EXACT,
            faults: Faults::default(),
            meter: Meter::default(),
        };
        let radios = vec![off; usize::from(hearing.radios())];
        Self {
            hearing,
            capture: Capture::default(),
            radios,
            flights: Flights::default(),
            record: Record::new(recording),
            random: seed.fork("air"),
            luck: seed.fork("carrier sense").next_u64(),
        }
    }

    /// Decides how transmissions that overlap are judged.
    pub const fn set_capture(&mut self, capture: Capture) {
        self.capture = capture;
    }

    /// Gives a radio a clock, by which its signals and its modem's waits are longer or shorter.
    pub fn set_clock(&mut self, radio: RadioId, clock: Clock) {
        self.radios[radio.index()].clock = clock;
    }

    /// A radio's clock.
    #[must_use]
    pub fn clock(&self, radio: RadioId) -> Clock {
        self.radios[radio.index()].clock
    }

    /// Who hears whom, to be read and changed. What is on the air is judged by how it stands when it ends.
    pub const fn hearing(&mut self) -> &mut Hearing {
        &mut self.hearing
    }

    /// How many radios there are.
    #[must_use]
    pub const fn radios(&self) -> u16 {
        self.hearing.radios()
    }

    /// Decides what the medium does to what reaches `radio`.
    pub fn set_faults(&mut self, radio: RadioId, faults: Faults) {
        self.radios[radio.index()].faults = faults;
    }

    /// What the medium does to what reaches `radio`.
    #[must_use]
    pub fn faults(&self, radio: RadioId) -> Faults {
        self.radios[radio.index()].faults
    }

    /// What `radio` did and met with so far.
    #[must_use]
    pub fn meter(&self, radio: RadioId) -> Meter {
        self.radios[radio.index()].meter
    }

    /// The transmissions that ended since this was last asked, oldest first.
    pub fn take_transmissions(&mut self) -> Vec<Transmission> {
        self.record.take()
    }

    /// How many transmissions were pushed out of the record unread.
    #[must_use]
    pub const fn forgotten_transmissions(&self) -> u64 {
        self.record.forgotten()
    }

    /// Tunes a radio, or switches it off. What it is transmitting breaks off; what it is receiving is gone.
    pub fn tune(&mut self, now: Instant, radio: RadioId, channel: Option<Channel>) {
        self.lock(now);
        self.flights.cut_off(now, radio);
        let radio = &mut self.radios[radio.index()];
        (radio.tuned, radio.since, radio.is_sending, radio.lock) = (channel, now, false, None);
    }

    /// Starts to transmit, whether or not the channel is clear.
    pub fn transmit(&mut self, now: Instant, radio: RadioId, burst: Burst) -> Result<(), Refusal> {
        self.lock(now);
        self.hearing.advance(now);
        let state = &mut self.radios[radio.index()];
        let channel = state.tuned.ok_or(Refusal::Off)?;
        if state.is_sending {
            return Err(Refusal::Busy);
        }
        (state.is_sending, state.lock) = (true, None);
        let (bytes, rest) = match burst {
            Burst::Single(only) => (Arc::from(only), None),
            Burst::Double(first, second) => (Arc::from(first), Some(Arc::from(second))),
        };
        let start = now.after(TURNAROUND);
        let (voice, clock) = (Voice::of(channel), state.clock);
        self.flights.begin(Order { sender: radio, voice, clock, told: now, start, bytes, rest });
        Ok(())
    }

    /// Whether `radio` is transmitting.
    #[must_use]
    pub fn is_transmitting(&self, radio: RadioId) -> bool {
        self.radios[radio.index()].is_sending
    }

    /// Whether `radio` senses anybody's signal on its channel. A radio that is off senses nothing.
    #[must_use]
    pub fn is_busy(&self, now: Instant, radio: RadioId) -> bool {
        self.noticed(now, radio).next().is_some()
    }

    /// The strongest signal that `radio` senses on its channel.
    #[must_use]
    pub fn sensed(&self, now: Instant, radio: RadioId) -> Option<Signal> {
        self.noticed(now, radio).max_by_key(|arrival| arrival.level).map(Arrival::signal)
    }

    fn noticed(&self, now: Instant, radio: RadioId) -> impl Iterator<Item = Arrival> {
        let ear = &self.radios[radio.index()];
        let flights = self.flights.all().filter(move |flight| flight.is_on_air(now));
        flights.filter(|flight| ear.is_tuned_to(&flight.voice)).filter_map(move |flight| {
            let hearer = self.hearing.hearer(flight.sender, radio, &flight.voice)?;
            sensing::notices(self.luck, radio, flight.number, hearer.margin).then_some(hearer.arrival)
        })
    }

    /// When the next event is due.
    #[must_use]
    pub fn next_event(&self) -> Option<Instant> {
        let due = self.flights.next_due()?;
        Some(self.hearing.next_step().map_or(due, |step| step.min(due)))
    }

    /// The next event that is due by `now`. To be called until there is none.
    pub fn take_event(&mut self, now: Instant) -> Option<Event> {
        let at = self.next_event().filter(|due| *due <= now)?;
        if self.hearing.next_step().is_some_and(|step| step <= at) {
            self.lock(at.before(Duration::from_micros(1)));
            self.hearing.advance(at);
            return Some(Event::Moved { at });
        }
        // Who ends at a moment leaves demodulators to those whom they need from that moment on.
        self.lock(at.before(Duration::from_micros(1)));
        if let Some(flight) = self.flights.take_ended(at) {
            return Some(self.end(flight));
        }
        self.lock(at);
        let flight = self.flights.take_begun(at)?;
        let (sender, voice, number) = (flight.sender, flight.voice, flight.number);
        let audience = self.hearing.audience(sender, &voice);
        let senses = audience.iter().filter(|hearer| {
            self.radios[hearer.radio.index()].is_tuned_to(&voice)
                && sensing::notices(self.luck, hearer.radio, number, hearer.margin)
        });
        Some(Event::Began { at, sender, sensed_by: senses.map(|hearer| hearer.radio).collect() })
    }

    fn end(&mut self, mut flight: Flight) -> Event {
        let receptions = self.receptions(&flight);
        for Reception { radio, outcome, .. } in &receptions {
            let radio = &mut self.radios[radio.index()];
            radio.meter.count(*outcome);
            if radio.lock.is_some_and(|lock| lock.number == flight.number) {
                radio.lock = None;
            }
        }
        let rest = flight.rest.take();
        let burst = if rest.is_some() { BurstState::Continues } else { BurstState::Over };
        let sender = &mut self.radios[flight.sender.index()];
        sender.meter.sent = sender.meter.sent.saturating_add(1);
        sender.meter.airtime = sender.meter.airtime.plus(flight.end.since(flight.start));
        let clock = sender.clock;
        let transmission = Transmission {
            sender: flight.sender,
            channel: flight.voice.channel,
            start: flight.start,
            end: flight.end,
            bytes: Arc::clone(&flight.bytes),
            extent: flight.extent,
            receptions,
        };
        self.record.push(&transmission);
        let (sender, voice, end) = (flight.sender, flight.voice, flight.end);
        match transmission.extent {
            // A radio that was switched off and on again may be sending something else.
            Extent::CutOff => {}
            Extent::Whole => self.radios[sender.index()].is_sending = burst == BurstState::Continues,
        }
        self.flights.remember(flight);
        if let Some(bytes) = rest {
            self.flights.begin(Order { sender, voice, clock, told: end, start: end, bytes, rest: None });
        }
        Event::Ended { transmission, burst }
    }
}

#[cfg(test)]
mod tests;
