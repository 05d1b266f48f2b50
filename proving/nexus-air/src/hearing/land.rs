//! Radios that have places. Source: spec/air.md#places.

use nexus_machine::{Duration, Instant, Seed};

use super::Path;
use crate::channel::RadioId;
use crate::place::{Position, Route};
use crate::propagation::{Millibels, NOISE_FIGURE, Scenario, Shadowing};

/// How often a moving radio's links are worked out anew: at 30 m/s, three kilometres away, that is a sixth of a decibel.
pub const POSITION_STEP: Duration = Duration::from_secs(1);

/// A radio and all that decides how well it is heard and hears, but for how it is tuned.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Station {
    /// Where it is.
    pub route: Route,
    /// What its antenna and cable give, over an isotropic antenna: for what it sends and for what it receives.
    pub antenna_gain: Millibels,
    /// What its receiver adds to the noise.
    pub noise_figure: Millibels,
    /// By how much its transmitter gives more than it was told to.
    pub power_error: Millibels,
}

impl Station {
    /// One like all others, that goes this way.
    #[must_use]
    pub const fn common(route: Route) -> Self {
        Self { route, antenna_gain: Millibels(0), noise_figure: NOISE_FIGURE, power_error: Millibels(0) }
    }

    /// One like all others, that stays there.
    #[must_use]
    pub const fn standing(position: Position) -> Self {
        Self::common(Route::standing(position))
    }
}

#[derive(Clone, Debug)]
pub(super) struct Land {
    stations: Vec<Station>,
    positions: Vec<Position>,
    scenario: Scenario,
    shadowing: Shadowing,
    seed: Seed,
    /// Those who have not arrived.
    movers: Vec<RadioId>,
    next_step: Instant,
}

impl Land {
    pub(super) fn new(stations: Vec<Station>, scenario: Scenario, shadowing: Shadowing, seed: &Seed) -> Self {
        let positions = stations.iter().map(|station| station.route.at(Instant::BOOT)).collect();
        let movers = (0..).map(RadioId).zip(&stations);
        let movers = movers.filter(|(_, station)| station.route.moves()).map(|(radio, _)| radio).collect();
        let next_step = Instant::BOOT.after(POSITION_STEP);
        Self { stations, positions, scenario, shadowing, seed: seed.clone(), movers, next_step }
    }

    pub(super) fn stations(&self) -> &[Station] {
        &self.stations
    }

    pub(super) fn pairs(&self) -> impl Iterator<Item = (RadioId, RadioId)> + use<> {
        let count = u16::try_from(self.stations.len()).expect("as many as radios");
        let ids = move || (0..count).map(RadioId);
        ids().flat_map(move |from| ids().map(move |to| (from, to))).filter(|(from, to)| from != to)
    }

    pub(super) fn path(&self, from: RadioId, to: RadioId) -> Path {
        let (sender, receiver) = (&self.stations[from.index()], &self.stations[to.index()]);
        let distance_cm = self.positions[from.index()].distance_cm(self.positions[to.index()]);
        let loss = self.scenario.loss(distance_cm).plus(self.shadowing.loss(&self.seed, from, to));
        let gains = sender.antenna_gain.plus(sender.power_error).plus(receiver.antenna_gain);
        let gain = gains.minus(loss);
        Path::Measured { gain, ratio: gain.ratio(), noise_figure: receiver.noise_figure }
    }

    pub(super) fn next_step(&self) -> Option<Instant> {
        (!self.movers.is_empty()).then_some(self.next_step)
    }

    /// Goes to the last step that is due by `now`; tells who is somewhere else.
    pub(super) fn advance(&mut self, now: Instant) -> Vec<RadioId> {
        if self.movers.is_empty() || now < self.next_step {
            return Vec::new();
        }
        let step = now.as_micros() - now.as_micros() % POSITION_STEP.as_micros();
        let step = Instant::from_micros(step);
        self.next_step = step.after(POSITION_STEP);
        let mut moved = Vec::new();
        for radio in &self.movers {
            let position = self.stations[radio.index()].route.at(step);
            if position != self.positions[radio.index()] {
                self.positions[radio.index()] = position;
                moved.push(*radio);
            }
        }
        let stations = &self.stations;
        self.movers.retain(|radio| stations[radio.index()].route.arrives() > step);
        moved
    }
}
