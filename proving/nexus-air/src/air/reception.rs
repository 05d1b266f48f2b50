//! What becomes of a transmission at each radio that could make it out. Source: spec/air.md#medium.

use nexus_machine::{Duration, Instant};

use super::flights::Flight;
use super::{Air, Radio};
use crate::channel::RadioId;
use crate::hearing::{Hearer, Voice};
use crate::propagation::Millibels;
use crate::record::{Extent, Outcome, Reception};
use crate::survival::{self, CAPTURE, Capture, Coupling, Interference};

/// The transmission that a radio's demodulator is busy with.
#[derive(Clone, Copy, Debug)]
pub(super) struct Lock {
    /// The transmission's number.
    pub(super) number: u64,
    level: Millibels,
    /// When its preamble ends.
    header: Instant,
    /// When its signal ends.
    end: Instant,
}

impl Lock {
    /// Whether it keeps a demodulator from turning to one of this level at this moment: as long as it lasts, but for one that is
    /// stronger by [`CAPTURE`] while the preamble lasts.
    fn holds_against(&self, at: Instant, level: Millibels) -> bool {
        at < self.end && (at >= self.header || level < self.level.plus(CAPTURE))
    }
}

/// Another transmission that touches the one in question in time and band.
struct Disturber {
    sender: RadioId,
    voice: Voice,
    coupling: Coupling,
    overlap: Duration,
}

impl Radio {
    /// Whether it is tuned to what is sent so.
    pub(super) fn is_tuned_to(&self, voice: &Voice) -> bool {
        self.tuned.is_some_and(|ear| survival::understands(&ear, &voice.channel))
    }
}

impl Air {
    /// Radios lock on what they need from a moment on that is not after `until`.
    pub(super) fn lock(&mut self, until: Instant) {
        while let Some(flight) = self.flights.take_needed(until) {
            let (number, sender, voice) = (flight.number, flight.sender, flight.voice);
            let (needed, header, end) = (flight.needed, flight.header, flight.end);
            for hearer in &*self.hearing.audience(sender, &voice) {
                let radio = &mut self.radios[hearer.radio.index()];
                let level = hearer.arrival.level;
                let listens = radio.is_tuned_to(&voice) && radio.since <= needed && !radio.is_sending;
                if listens && !radio.lock.is_some_and(|lock| lock.holds_against(needed, level)) {
                    radio.lock = Some(Lock { number, level, header, end });
                }
            }
        }
    }

    /// What becomes of a flight that ends, at each radio that is tuned to it and could make it out.
    pub(super) fn receptions(&mut self, flight: &Flight) -> Vec<Reception> {
        let disturbers = self.disturbers(flight);
        let deafened: Vec<RadioId> = self
            .flights
            .all()
            .filter(|other| other.deafens(flight.needed, flight.end))
            .map(|other| other.sender)
            .collect();
        let audience = self.hearing.audience(flight.sender, &flight.voice);
        let mut receptions = Vec::with_capacity(audience.len());
        for hearer in &*audience {
            if self.radios[hearer.radio.index()].is_tuned_to(&flight.voice) {
                let outcome = match flight.extent {
                    Extent::CutOff => Outcome::CutOff,
                    Extent::Whole if deafened.contains(&hearer.radio) => Outcome::Deaf,
                    Extent::Whole => self.outcome(flight, hearer, &disturbers),
                };
                let signal = hearer.arrival.signal();
                receptions.push(Reception { radio: hearer.radio, signal, outcome });
            }
        }
        receptions
    }

    fn disturbers(&self, flight: &Flight) -> Vec<Disturber> {
        let wanted = &flight.voice.channel;
        // The textbook's receiver needs all of the preamble.
        let from = match self.capture {
            Capture::Energy => flight.needed,
            Capture::Textbook => flight.start,
        };
        let disturber = |other: &Flight| {
            let overlap = survival::overlap((from, flight.end), (other.start, other.end));
            let coupling = Coupling::of(wanted, &other.voice.channel)?;
            let counts = match self.capture {
                Capture::Energy => true,
                Capture::Textbook => survival::understands(wanted, &other.voice.channel),
            };
            (counts && overlap > Duration::ZERO).then_some(Disturber {
                sender: other.sender,
                voice: other.voice,
                coupling,
                overlap,
            })
        };
        self.flights.all().filter_map(disturber).collect()
    }

    fn outcome(&mut self, flight: &Flight, hearer: &Hearer, disturbers: &[Disturber]) -> Outcome {
        let radio = &self.radios[hearer.radio.index()];
        if radio.since > flight.needed {
            return Outcome::Deaf;
        }
        if !self.survives(flight, hearer, disturbers) {
            return Outcome::Collided;
        }
        if radio.lock.is_none_or(|lock| lock.number != flight.number) {
            return Outcome::Locked;
        }
        // Draws only where the fault is possible: a calm medium's randomness is nobody's.
        let loss_ppm = radio.faults.loss_ppm;
        if loss_ppm > 0 && self.random.chance(loss_ppm.into(), 1_000_000) {
            return Outcome::Lost;
        }
        Outcome::Received
    }

    fn survives(&self, flight: &Flight, hearer: &Hearer, disturbers: &[Disturber]) -> bool {
        let mut interference = Interference::default();
        for disturber in disturbers {
            let milliwatts = self.hearing.interference(disturber.sender, hearer.radio, &disturber.voice);
            if milliwatts > 0.0 {
                match self.capture {
                    Capture::Energy => {}
                    Capture::Textbook => return false,
                }
                interference.add(disturber.coupling, milliwatts, disturber.overlap);
            }
        }
        let needed = flight.end.since(flight.needed);
        interference.is_survived(flight.voice.channel.modulation, hearer.milliwatts, needed)
    }
}
