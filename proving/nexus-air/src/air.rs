//! The medium: transmissions of half-duplex radios, carrier sense, and what each radio receives.
//!
//! Whoever drives it keeps one order: handle everything that is due ([`Air::next_event`], [`Air::take_event`]) before
//! anything is done at a later moment. Source: spec/air.md#medium.

mod flights;

use std::sync::Arc;

use nexus_machine::{Duration, Instant, Seed, Stream};

use crate::channel::{Channel, RadioId, Signal};
use crate::hearing::Hearing;
use crate::record::{Extent, Meter, Outcome, Reception, Record, Recording, Transmission};
use crate::survival;
use flights::{Flight, Flights};

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
    faults: Faults,
    meter: Meter,
}

/// Radios on one medium.
#[derive(Debug)]
pub struct Air {
    hearing: Hearing,
    radios: Vec<Radio>,
    flights: Flights,
    record: Record,
    random: Stream,
}

impl Air {
    /// The radios of `hearing`, all switched off.
    #[must_use]
    pub fn new(hearing: Hearing, recording: Recording, seed: &Seed) -> Self {
        let off =
            Radio { tuned: None, since: Instant::BOOT, faults: Faults::default(), meter: Meter::default() };
        let radios = vec![off; usize::from(hearing.radios())];
        let (flights, record) = (Flights::default(), Record::new(recording));
        Self { hearing, radios, flights, record, random: seed.fork("air") }
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
        self.flights.cut_off(now, radio);
        let radio = &mut self.radios[radio.index()];
        radio.tuned = channel;
        radio.since = now;
    }

    /// Starts to transmit, whether or not the channel is clear.
    pub fn transmit(&mut self, now: Instant, radio: RadioId, burst: Burst) -> Result<(), Refusal> {
        let channel = self.radios[radio.index()].tuned.ok_or(Refusal::Off)?;
        if self.flights.is_transmitting(radio) {
            return Err(Refusal::Busy);
        }
        let (first, rest) = match burst {
            Burst::Single(only) => (Arc::from(only), None),
            Burst::Double(first, second) => (Arc::from(first), Some(Arc::from(second))),
        };
        self.flights.begin(Flight::new(radio, channel, now, now.after(TURNAROUND), first, rest));
        Ok(())
    }

    /// Whether `radio` is transmitting.
    #[must_use]
    pub fn is_transmitting(&self, radio: RadioId) -> bool {
        self.flights.is_transmitting(radio)
    }

    /// Whether `radio` senses anybody's signal on its channel. A radio that is off senses nothing.
    #[must_use]
    pub fn is_busy(&self, now: Instant, radio: RadioId) -> bool {
        self.sensed(now, radio).is_some()
    }

    /// The strongest signal that `radio` senses on its channel.
    #[must_use]
    pub fn sensed(&self, now: Instant, radio: RadioId) -> Option<Signal> {
        let channel = self.radios[radio.index()].tuned?;
        let flights = self.flights.all().filter(|flight| flight.is_on_air(now));
        flights
            .filter(|flight| survival::understands(&channel, &flight.channel))
            .filter_map(|flight| self.hearing.signal(flight.sender, radio))
            .max_by_key(|signal| signal.rssi_dbm)
    }

    /// When the next event is due.
    #[must_use]
    pub fn next_event(&self) -> Option<Instant> {
        self.flights.next_due()
    }

    /// The next event that is due by `now`. To be called until there is none.
    pub fn take_event(&mut self, now: Instant) -> Option<Event> {
        let at = self.flights.next_due().filter(|due| *due <= now)?;
        if let Some(flight) = self.flights.take_ended(at) {
            return Some(self.end(flight));
        }
        let (sender, channel) = self.flights.take_begun(at)?;
        let sensed_by = self.reached(sender, &channel).map(|(radio, _)| radio).collect();
        Some(Event::Began { at, sender, sensed_by })
    }

    fn end(&mut self, mut flight: Flight) -> Event {
        let receptions = self.receptions(&flight);
        for Reception { radio, outcome, .. } in &receptions {
            self.radios[radio.index()].meter.count(*outcome);
        }
        let meter = &mut self.radios[flight.sender.index()].meter;
        meter.sent = meter.sent.saturating_add(1);
        meter.airtime = meter.airtime.plus(flight.end.since(flight.start));
        let rest = flight.rest.take();
        let burst = if rest.is_some() { BurstState::Continues } else { BurstState::Over };
        let transmission = Transmission {
            sender: flight.sender,
            channel: flight.channel,
            start: flight.start,
            end: flight.end,
            bytes: Arc::clone(&flight.bytes),
            extent: flight.extent,
            receptions,
        };
        self.record.push(&transmission);
        let (sender, channel, end) = (flight.sender, flight.channel, flight.end);
        self.flights.remember(flight);
        if let Some(second) = rest {
            self.flights.begin(Flight::new(sender, channel, end, end, second, None));
        }
        Event::Ended { transmission, burst }
    }

    /// What becomes of a flight that ends at each radio that is tuned to it and in reach.
    fn receptions(&mut self, flight: &Flight) -> Vec<Reception> {
        let reached: Vec<_> = self.reached(flight.sender, &flight.channel).collect();
        let mut receptions = Vec::with_capacity(reached.len());
        for (radio, signal) in reached {
            let outcome = self.outcome(flight, radio);
            receptions.push(Reception { radio, signal, outcome });
        }
        receptions
    }

    fn outcome(&mut self, flight: &Flight, radio: RadioId) -> Outcome {
        match flight.extent {
            Extent::CutOff => return Outcome::CutOff,
            Extent::Whole => {}
        }
        let listens_since = self.radios[radio.index()].since;
        if listens_since > flight.start || self.flights.overlapping(flight).any(|other| other.sender == radio)
        {
            return Outcome::Deaf;
        }
        let disturbed = self.flights.overlapping(flight).any(|other| {
            other.overlaps_signal(flight)
                && survival::destroys(&flight.channel, &other.channel)
                && self.hearing.signal(other.sender, radio).is_some()
        });
        if disturbed {
            return Outcome::Collided;
        }
        // Draws only where the fault is possible: a calm medium's randomness is nobody's.
        let loss_ppm = self.radios[radio.index()].faults.loss_ppm;
        if loss_ppm > 0 && self.random.chance(loss_ppm.into(), 1_000_000) {
            return Outcome::Lost;
        }
        Outcome::Received
    }

    /// The radios that are tuned to what `sender` sends and in its reach.
    fn reached(&self, sender: RadioId, channel: &Channel) -> impl Iterator<Item = (RadioId, Signal)> {
        self.hearing.ids().filter_map(move |radio| {
            let ear = self.radios[radio.index()].tuned?;
            let signal = self.hearing.signal(sender, radio)?;
            survival::understands(&ear, channel).then_some((radio, signal))
        })
    }
}

#[cfg(test)]
mod tests;
