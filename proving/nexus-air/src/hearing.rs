//! Who hears whom, and how well: by a table, or by where radios are.

mod land;

use std::sync::Arc;

use nexus_machine::{Instant, Seed};
use nexus_wire::reticulum::rnode::QuarterDecibels;

use crate::channel::{Channel, RadioId, Signal};
use crate::propagation::{Millibels, Scenario, Shadowing, noise, snr_min};
use land::Land;

pub use land::{POSITION_STEP, Station};

/// The weakest signal that counts as interference, in milliwatts: -150 dBm, 33 dB below the noise of 125 kHz. Sixteen of them
/// at once are 15 dB weaker than the weakest transmission of SF12 there. Chosen.
pub const INTERFERENCE_FLOOR_MILLIWATTS: f64 = 1e-15;

/// Which radios hear which others, and how well. Each direction of a pair stands for itself.
#[derive(Clone, Debug)]
pub struct Hearing {
    radios: u16,
    /// By sender, then by receiver.
    ways: Vec<Way>,
    land: Option<Land>,
    /// By sender: who makes out what it sends as it last sent.
    audiences: Vec<Option<Audience>>,
}

/// Whether one direction between two radios is open.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Direction {
    /// What the one sends reaches the other.
    Open,
    /// It does not, whatever the signal would be.
    Shut,
}

#[derive(Clone, Copy, Debug)]
struct Way {
    path: Path,
    direction: Direction,
}

/// What becomes of a power on its way.
#[derive(Clone, Copy, Debug)]
enum Path {
    /// Nothing arrives.
    None,
    /// This arrives, whatever the power.
    Fixed { signal: Signal, milliwatts: f64 },
    /// The power and this gain, which is below zero; the same as a ratio. The receiver's noise figure belongs to the way.
    Measured { gain: Millibels, ratio: f64, noise_figure: Millibels },
}

impl Path {
    fn fixed(signal: Signal) -> Self {
        Self::Fixed { signal, milliwatts: level(signal).ratio() }
    }

    fn arrival(self, voice: &Voice) -> Option<Arrival> {
        match self {
            Self::None => None,
            Self::Fixed { signal, .. } => {
                let snr = Millibels(i32::from(signal.snr.0) * QUARTER);
                Some(Arrival { level: level(signal), snr })
            }
            Self::Measured { gain, noise_figure, .. } => {
                let level = voice.power.plus(gain);
                Some(Arrival { level, snr: level.minus(voice.thermal.plus(noise_figure)) })
            }
        }
    }

    fn milliwatts(self, voice: &Voice) -> f64 {
        match self {
            Self::None => 0.0,
            Self::Fixed { milliwatts, .. } => milliwatts,
            Self::Measured { ratio, .. } => voice.milliwatts * ratio,
        }
    }
}

fn level(signal: Signal) -> Millibels {
    Millibels::decibels(signal.rssi_dbm.into())
}

/// What leaves an antenna: a channel with what follows from it.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Voice {
    /// How the sender is tuned.
    pub channel: Channel,
    power: Millibels,
    milliwatts: f64,
    /// The noise of the bandwidth at a receiver that adds none.
    thermal: Millibels,
}

impl Voice {
    /// Of a sender that is tuned so.
    #[must_use]
    pub fn of(channel: Channel) -> Self {
        let power = Millibels::decibels(channel.power_dbm.into());
        let thermal = noise(channel.modulation.bandwidth_hz(), Millibels(0));
        Self { channel, power, milliwatts: power.ratio(), thermal }
    }
}

/// What arrives at one radio of what another sends.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Arrival {
    /// Its strength, over a milliwatt.
    pub level: Millibels,
    /// Its distance from the noise.
    pub snr: Millibels,
}

/// Millibels in a quarter of a decibel.
const QUARTER: i32 = 25;

impl Arrival {
    /// As a modem tells it: rounded, and the ratio within what its byte can say.
    #[must_use]
    pub fn signal(self) -> Signal {
        let whole = |value: i32, unit: i32| value.saturating_add(unit / 2).div_euclid(unit);
        let rssi_dbm = i16::try_from(whole(self.level.0, 100)).unwrap_or(i16::MIN);
        let quarters = whole(self.snr.0, QUARTER).clamp(i8::MIN.into(), i8::MAX.into());
        Signal { rssi_dbm, snr: QuarterDecibels(i16::try_from(quarters).expect("a byte")) }
    }
}

/// One of those who make out what another sends.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Hearer {
    /// Which radio.
    pub radio: RadioId,
    /// What arrives there.
    pub arrival: Arrival,
    /// By how much that is above the weakest that could be made out.
    pub margin: Millibels,
    /// Its power, in milliwatts.
    pub milliwatts: f64,
}

#[derive(Clone, Debug)]
struct Audience {
    voice: Voice,
    hearers: Arc<[Hearer]>,
}

impl Hearing {
    /// `radios` that all hear each other equally well.
    #[must_use]
    pub fn everybody(radios: u16) -> Self {
        Self::uniform(radios, Path::fixed(Signal::GOOD))
    }

    /// `radios` of which none hears any other.
    #[must_use]
    pub fn nobody(radios: u16) -> Self {
        Self::uniform(radios, Path::None)
    }

    /// `radios` in a row, each of which hears those beside it.
    #[must_use]
    pub fn line(radios: u16) -> Self {
        let mut hearing = Self::nobody(radios);
        for right in 1..radios {
            hearing.connect(RadioId(right - 1), RadioId(right), Signal::GOOD);
        }
        hearing
    }

    /// A radio at each station, in their order: what arrives follows from power, place and scenario.
    ///
    /// # Panics
    /// If there are more than 65,535.
    #[must_use]
    pub fn placed(stations: Vec<Station>, scenario: Scenario, shadowing: Shadowing, seed: &Seed) -> Self {
        let radios = u16::try_from(stations.len()).expect("fewer than 2¹⁶ radios");
        let mut hearing = Self::nobody(radios);
        let land = Land::new(stations, scenario, shadowing, seed);
        for (from, to) in land.pairs() {
            let at = hearing.place(from, to);
            hearing.ways[at].path = land.path(from, to);
        }
        hearing.land = Some(land);
        hearing
    }

    fn uniform(radios: u16, path: Path) -> Self {
        let ways = usize::from(radios) * usize::from(radios);
        Self {
            radios,
            ways: vec![Way { path, direction: Direction::Open }; ways],
            land: None,
            audiences: vec![None; radios.into()],
        }
    }

    /// How many radios there are.
    #[must_use]
    pub const fn radios(&self) -> u16 {
        self.radios
    }

    /// All of them.
    pub fn ids(&self) -> impl Iterator<Item = RadioId> + use<> {
        (0..self.radios).map(RadioId)
    }

    /// Decides what arrives at `to` of what `from` sends, whatever its power and wherever they are; `None` for nothing.
    ///
    /// # Panics
    /// If either is not one of the radios.
    pub fn set(&mut self, from: RadioId, to: RadioId, signal: Option<Signal>) {
        let at = self.place(from, to);
        self.ways[at].path = signal.map_or(Path::None, Path::fixed);
        self.audiences[from.index()] = None;
    }

    /// Both directions of a pair.
    ///
    /// # Panics
    /// As [`Hearing::set`].
    pub fn connect(&mut self, one: RadioId, other: RadioId, signal: Signal) {
        self.set(one, other, Some(signal));
        self.set(other, one, Some(signal));
    }

    /// Shuts or opens one direction. The signal it had is kept meanwhile.
    ///
    /// # Panics
    /// If either is not one of the radios.
    pub fn direct(&mut self, from: RadioId, to: RadioId, direction: Direction) {
        let at = self.place(from, to);
        self.ways[at].direction = direction;
        self.audiences[from.index()] = None;
    }

    /// What arrives at `to` of what `from` sends, however weak. Nothing at itself.
    #[must_use]
    pub fn arrival(&self, from: RadioId, to: RadioId, voice: &Voice) -> Option<Arrival> {
        self.open_path(from, to).arrival(voice)
    }

    /// What disturbs others at `to` of what `from` sends, in milliwatts: nothing below [`INTERFERENCE_FLOOR_MILLIWATTS`].
    #[must_use]
    pub fn interference(&self, from: RadioId, to: RadioId, voice: &Voice) -> f64 {
        let milliwatts = self.open_path(from, to).milliwatts(voice);
        if milliwatts < INTERFERENCE_FLOOR_MILLIWATTS { 0.0 } else { milliwatts }
    }

    fn open_path(&self, from: RadioId, to: RadioId) -> Path {
        let way = &self.ways[self.place(from, to)];
        match way.direction {
            Direction::Open if from != to => way.path,
            Direction::Open | Direction::Shut => Path::None,
        }
    }

    /// Those who can make out what `from` sends so, if they are tuned to it and nobody disturbs, in the order of radios.
    pub fn audience(&mut self, from: RadioId, voice: &Voice) -> Arc<[Hearer]> {
        match &self.audiences[from.index()] {
            Some(audience) if audience.voice == *voice => Arc::clone(&audience.hearers),
            Some(_) | None => {
                let hearers: Arc<[Hearer]> =
                    self.ids().filter_map(|to| self.hearer(from, to, voice)).collect();
                let audience = Audience { voice: *voice, hearers: Arc::clone(&hearers) };
                self.audiences[from.index()] = Some(audience);
                hearers
            }
        }
    }

    /// The second of two radios, if it can make out what the first sends so.
    #[must_use]
    pub fn hearer(&self, from: RadioId, to: RadioId, voice: &Voice) -> Option<Hearer> {
        let path = self.open_path(from, to);
        let arrival = path.arrival(voice)?;
        let margin = arrival.snr.minus(snr_min(voice.channel.modulation.spreading_factor()));
        let milliwatts = path.milliwatts(voice);
        (margin >= Millibels(0)).then_some(Hearer { radio: to, arrival, margin, milliwatts })
    }

    /// When radios will next be somewhere else, if any moves: [`Hearing::advance`].
    #[must_use]
    pub fn next_step(&self) -> Option<Instant> {
        self.land.as_ref()?.next_step()
    }

    /// Takes radios that move to where they are by `now`, to the [`POSITION_STEP`].
    pub fn advance(&mut self, now: Instant) {
        let Some(mut land) = self.land.take() else { return };
        for mover in land.advance(now) {
            for other in self.ids().filter(|other| *other != mover) {
                for (from, to) in [(mover, other), (other, mover)] {
                    let at = self.place(from, to);
                    match self.ways[at].path {
                        Path::Measured { .. } => self.ways[at].path = land.path(from, to),
                        // Was set by hand.
                        Path::None | Path::Fixed { .. } => {}
                    }
                }
            }
            self.audiences.fill(None);
        }
        self.land = Some(land);
    }

    /// The stations, if the radios have places.
    #[must_use]
    pub fn stations(&self) -> &[Station] {
        self.land.as_ref().map_or(&[], Land::stations)
    }

    fn place(&self, from: RadioId, to: RadioId) -> usize {
        assert!(from.0 < self.radios && to.0 < self.radios, "radios {from:?} and {to:?} are on this air");
        from.index() * usize::from(self.radios) + to.index()
    }
}

#[cfg(test)]
mod tests;
