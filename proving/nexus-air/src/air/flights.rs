//! What is on the air, and what has just been.

use std::sync::Arc;

use nexus_machine::Instant;

use crate::channel::{Channel, RadioId};
use crate::record::Extent;

/// A transmission on its way.
#[derive(Clone, Debug)]
pub(super) struct Flight {
    pub(super) sender: RadioId,
    pub(super) channel: Channel,
    /// When its radio stopped listening for it.
    told: Instant,
    /// When its signal begins.
    pub(super) start: Instant,
    /// When its signal ends.
    pub(super) end: Instant,
    pub(super) bytes: Arc<[u8]>,
    /// What follows without a gap.
    pub(super) rest: Option<Arc<[u8]>>,
    pub(super) extent: Extent,
    stage: Stage,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Stage {
    /// Its signal has not begun.
    Told,
    /// Its signal is on the air.
    OnAir,
    /// It is over, and may have disturbed others that are not.
    Over,
}

impl Flight {
    /// `bytes` with their header, the signal of which begins at `start`.
    pub(super) fn new(
        sender: RadioId,
        channel: Channel,
        told: Instant,
        start: Instant,
        bytes: Arc<[u8]>,
        rest: Option<Arc<[u8]>>,
    ) -> Self {
        let payload = bytes.len().saturating_sub(nexus_network::lora::AIR_HEADER);
        let end = start.after(channel.modulation.transmission(payload));
        Self { sender, channel, told, start, end, bytes, rest, extent: Extent::Whole, stage: Stage::Told }
    }

    /// Whether it can be sensed.
    pub(super) fn is_on_air(&self, now: Instant) -> bool {
        self.start <= now && now < self.end
    }

    /// Whether the signals of both were on the air at once.
    pub(super) fn overlaps_signal(&self, other: &Self) -> bool {
        self.start < other.end && other.start < self.end
    }

    fn due(&self) -> Instant {
        match self.stage {
            Stage::Told => self.start,
            Stage::OnAir => self.end,
            Stage::Over => Instant::NEVER,
        }
    }
}

/// All that matter: those that are not over, at most one of each radio, and those that overlap one of them.
#[derive(Default, Debug)]
pub(super) struct Flights(Vec<Flight>);

impl Flights {
    pub(super) fn begin(&mut self, flight: Flight) {
        self.0.push(flight);
    }

    pub(super) fn all(&self) -> impl Iterator<Item = &Flight> {
        self.0.iter()
    }

    pub(super) fn is_transmitting(&self, radio: RadioId) -> bool {
        self.0.iter().any(|flight| flight.sender == radio && flight.stage != Stage::Over)
    }

    pub(super) fn next_due(&self) -> Option<Instant> {
        self.0.iter().map(Flight::due).min().filter(|due| *due < Instant::NEVER)
    }

    /// The first whose signal ends at `at`.
    pub(super) fn take_ended(&mut self, at: Instant) -> Option<Flight> {
        let ended = |flight: &Flight| flight.stage == Stage::OnAir && flight.end <= at;
        self.0.iter().position(ended).map(|place| self.0.remove(place))
    }

    /// Marks the first whose signal begins at `at`.
    pub(super) fn take_begun(&mut self, at: Instant) -> Option<(RadioId, Channel)> {
        let begins = |flight: &&mut Flight| flight.stage == Stage::Told && flight.start <= at;
        let flight = self.0.iter_mut().find(begins)?;
        flight.stage = Stage::OnAir;
        Some((flight.sender, flight.channel))
    }

    /// Breaks off what a radio transmits. What had not begun never does.
    pub(super) fn cut_off(&mut self, now: Instant, radio: RadioId) {
        self.0.retain(|flight| flight.sender != radio || flight.stage != Stage::Told);
        for flight in self.0.iter_mut().filter(|flight| flight.sender == radio) {
            if flight.stage == Stage::OnAir {
                flight.end = flight.end.min(now);
                flight.extent = Extent::CutOff;
                flight.rest = None;
            }
        }
    }

    /// Keeps one that is over as long as another that it overlaps is not, and forgets the others.
    pub(super) fn remember(&mut self, mut flight: Flight) {
        flight.stage = Stage::Over;
        self.0.push(flight);
        let earliest = self.0.iter().filter(|one| one.stage != Stage::Over).map(|one| one.told).min();
        let earliest = earliest.unwrap_or(Instant::NEVER);
        self.0.retain(|one| one.stage != Stage::Over || one.end > earliest);
    }

    /// Those that were on the air with `flight`, or whose radio was about to be.
    pub(super) fn overlapping(&self, flight: &Flight) -> impl Iterator<Item = &Flight> {
        self.0.iter().filter(move |other| other.told < flight.end && flight.start < other.end)
    }
}
