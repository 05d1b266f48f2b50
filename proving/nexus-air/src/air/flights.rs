//! What is on the air, and what has just been.

use std::sync::Arc;

use nexus_machine::Instant;

use crate::channel::RadioId;
use crate::clock::Clock;
use crate::hearing::Voice;
use crate::record::Extent;
use crate::survival;

/// A transmission on its way.
#[derive(Clone, Debug)]
pub(super) struct Flight {
    /// How many began before it.
    pub(super) number: u64,
    pub(super) sender: RadioId,
    pub(super) voice: Voice,
    /// When its radio stopped listening for it.
    told: Instant,
    /// When its signal begins.
    pub(super) start: Instant,
    /// From when on a receiver needs it.
    pub(super) needed: Instant,
    /// When its preamble ends.
    pub(super) header: Instant,
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
    /// So much of its preamble is on the air as nobody needs.
    Dispensable,
    /// On the air: receivers have locked on it.
    Needed,
    /// It is over, and may have disturbed others that are not.
    Over,
}

/// What a radio sends, and when.
pub(super) struct Order {
    pub(super) sender: RadioId,
    pub(super) voice: Voice,
    pub(super) clock: Clock,
    pub(super) told: Instant,
    pub(super) start: Instant,
    pub(super) bytes: Arc<[u8]>,
    pub(super) rest: Option<Arc<[u8]>>,
}

impl Flight {
    fn new(number: u64, order: Order) -> Self {
        let Order { sender, voice, clock, told, start, bytes, rest } = order;
        let modulation = voice.channel.modulation;
        let payload = bytes.len().saturating_sub(nexus_network::lora::AIR_HEADER);
        let after = |span| start.after(clock.stretch(span));
        Self {
            number,
            sender,
            voice,
            told,
            start,
            needed: after(survival::dispensable(modulation)),
            header: after(modulation.preamble()),
            end: after(modulation.transmission(payload)),
            bytes,
            rest,
            extent: Extent::Whole,
            stage: Stage::Told,
        }
    }

    /// Whether it can be sensed.
    pub(super) fn is_on_air(&self, now: Instant) -> bool {
        self.start <= now && now < self.end
    }

    /// Whether its radio could not hear at some time of this span, which is not empty.
    pub(super) fn deafens(&self, from: Instant, until: Instant) -> bool {
        self.told < until && from < self.end
    }

    fn due(&self) -> Instant {
        match self.stage {
            Stage::Told => self.start,
            Stage::Dispensable | Stage::Needed => self.end,
            Stage::Over => Instant::NEVER,
        }
    }
}

/// All that matter: those that are not over, at most one of each radio, and those that overlap one of them.
#[derive(Default, Debug)]
pub(super) struct Flights {
    flights: Vec<Flight>,
    begun: u64,
}

impl Flights {
    pub(super) fn begin(&mut self, order: Order) {
        self.flights.push(Flight::new(self.begun, order));
        self.begun = self.begun.saturating_add(1);
    }

    pub(super) fn all(&self) -> impl Iterator<Item = &Flight> {
        self.flights.iter()
    }

    pub(super) fn next_due(&self) -> Option<Instant> {
        self.flights.iter().map(Flight::due).min().filter(|due| *due < Instant::NEVER)
    }

    /// The first whose signal ends at `at`.
    pub(super) fn take_ended(&mut self, at: Instant) -> Option<Flight> {
        let ended = |flight: &Flight| flight.stage != Stage::Told && flight.due() <= at;
        self.flights.iter().position(ended).map(|place| self.flights.remove(place))
    }

    /// Marks the first whose signal begins at `at`.
    pub(super) fn take_begun(&mut self, at: Instant) -> Option<&Flight> {
        let begins = |flight: &&mut Flight| flight.stage == Stage::Told && flight.start <= at;
        let flight = self.flights.iter_mut().find(begins)?;
        flight.stage = Stage::Dispensable;
        Some(flight)
    }

    /// Marks the next that receivers need from a moment on that is not after `until`.
    pub(super) fn take_needed(&mut self, until: Instant) -> Option<&Flight> {
        let due = |flight: &&mut Flight| {
            flight.stage == Stage::Dispensable && flight.needed <= until && flight.needed < flight.end
        };
        let next = self.flights.iter_mut().filter(due).min_by_key(|flight| (flight.needed, flight.number))?;
        next.stage = Stage::Needed;
        Some(next)
    }

    /// Breaks off what a radio transmits. What had not begun never does.
    pub(super) fn cut_off(&mut self, now: Instant, radio: RadioId) {
        self.flights.retain(|flight| flight.sender != radio || flight.stage != Stage::Told);
        for flight in self.flights.iter_mut().filter(|flight| flight.sender == radio) {
            if flight.stage != Stage::Over {
                flight.end = flight.end.min(now);
                flight.extent = Extent::CutOff;
                flight.rest = None;
            }
        }
    }

    /// Keeps one that is over as long as another that it overlaps is not, and forgets the others.
    pub(super) fn remember(&mut self, mut flight: Flight) {
        flight.stage = Stage::Over;
        self.flights.push(flight);
        let earliest = self.flights.iter().filter(|one| one.stage != Stage::Over).map(|one| one.told).min();
        let earliest = earliest.unwrap_or(Instant::NEVER);
        self.flights.retain(|one| one.stage != Stage::Over || one.end > earliest);
    }
}
