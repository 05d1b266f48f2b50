//! What regulators allow of what is on the air, metered by itself.
//!
//! The meter knows transmissions and nothing else: whose, where in the spectrum, how wide, how loud, from when until when. Its figures are
//! written from the regulations; it shares no line and no table with what nodes obey. Source: spec/air.md#law.

#[cfg(test)]
mod tests;
mod window;

use std::collections::BTreeMap;
use std::fmt;

use nexus_machine::{Duration, Instant};

use crate::channel::Channel;
use window::Window;

/// Whose regulation holds.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Law {
    /// ETSI EN 300 220-2 V3.1.1, annex B, and ERC/REC 70-03, annex 1.
    Europe,
    /// FCC 47 CFR 15.247.
    UnitedStates,
}

impl Law {
    /// The regulation of the part of the spectrum that a carrier lies in; none where this meter knows none.
    #[must_use]
    pub const fn of_carrier(hertz: u32) -> Option<Self> {
        match hertz {
            430_000_000..=440_000_000 | 862_000_000..=876_000_000 => Some(Self::Europe),
            902_000_000..=928_000_000 => Some(Self::UnitedStates),
            _ => None,
        }
    }
}

/// One signal, once it is over.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Emission {
    /// Whose radio sent it: all radios of one owner are one transmitter to the law.
    pub owner: u32,
    /// How that was tuned.
    pub channel: Channel,
    /// When it began.
    pub start: Instant,
    /// When it ended.
    pub end: Instant,
}

impl Emission {
    /// The edges of what it occupies, in hertz.
    fn edges(&self) -> (u32, u32) {
        let half = self.channel.modulation.bandwidth_hz().div_ceil(2);
        let carrier = self.channel.frequency.0;
        (carrier.saturating_sub(half), carrier.saturating_add(half))
    }
}

/// A stretch of European spectrum: from, to in hertz; hundredths of a percent of any hour; dBm that the antenna may be given
/// (effective radiated power, of a dipole).
const EUROPE: [(u32, u32, u64, u8); 7] = [
    (433_050_000, 434_790_000, 1_000, 10),
    (863_000_000, 865_000_000, 10, 14),
    (865_000_000, 868_000_000, 100, 14),
    (868_000_000, 868_600_000, 100, 14),
    (868_700_000, 869_200_000, 10, 14),
    (869_400_000, 869_650_000, 1_000, 27),
    (869_700_000, 870_000_000, 100, 14),
];
/// The observation time of a European duty cycle.
const HOUR: Duration = Duration::from_secs(3_600);
/// The American band, in hertz.
const AMERICA: (u32, u32) = (902_000_000, 928_000_000);
/// 15.247 (a)(2): the least bandwidth of digital modulation that need not hop, in hertz.
const DIGITAL_HZ: u32 = 500_000;
/// 15.247 (a)(1)(i): the average time of occupancy of a frequency, the period for hopping channels narrower than 250 kHz, and for others.
const OCCUPANCY: Duration = Duration::from_millis(400);
const PERIOD_NARROW: Duration = Duration::from_secs(20);
const PERIOD_WIDER: Duration = Duration::from_secs(10);
const WIDER_HZ: u32 = 250_000;
/// 15.247 (b)(3): 1 W for digital modulation; (b)(2): 0.25 W for systems with fewer than 50 hopping channels.
const DIGITAL_DBM: u8 = 30;
const FEW_CHANNELS_DBM: u8 = 24;

/// What an emission broke.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Breach {
    /// It reaches beyond the stretches that the regulation opens.
    Outside {
        /// Its lower edge, in hertz.
        from_hz: u32,
        /// Its upper edge, in hertz.
        to_hz: u32,
    },
    /// It is too loud.
    TooLoud {
        /// In dBm.
        power_dbm: u8,
        /// In dBm.
        most_dbm: u8,
    },
    /// Its owner transmitted for too long in the time that ends with it.
    TooMuch {
        /// In which time.
        period: Duration,
        /// For how long.
        airtime: Duration,
        /// What was allowed.
        most: Duration,
        /// The lower edge of the stretch of spectrum, or of the frequency, in hertz.
        from_hz: u32,
    },
}

impl fmt::Display for Breach {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Outside { from_hz, to_hz } => {
                write!(f, "a signal from {from_hz} to {to_hz} Hz, where none is allowed")
            }
            Self::TooLoud { power_dbm, most_dbm } => {
                write!(f, "{power_dbm} dBm where {most_dbm} dBm are allowed")
            }
            Self::TooMuch { period, airtime, most, from_hz } => {
                let (airtime, most) = (airtime.as_micros(), most.as_micros());
                let period = period.as_secs();
                write!(f, "{airtime} µs in {period} s from {from_hz} Hz on, where {most} µs are allowed")
            }
        }
    }
}

/// A meter of what all owners transmit.
#[derive(Debug, Default)]
pub struct LawMeter {
    /// By owner and lower edge of a European stretch.
    duty: BTreeMap<(u32, u32), Window>,
    /// By owner: what they sent of late on narrow American channels, and where.
    hopping: BTreeMap<u32, Vec<Emission>>,
    /// The most that any owner transmitted in an hour, in a stretch by its lower edge.
    most: BTreeMap<u32, Duration>,
}

impl LawMeter {
    /// Takes an emission under `law`; what it broke. Emissions come in the order in which they end.
    pub fn take(&mut self, law: Law, emission: &Emission) -> Vec<Breach> {
        match law {
            Law::Europe => self.european(emission),
            Law::UnitedStates => self.american(emission),
        }
    }

    /// The most that any one owner transmitted in an hour in the European stretch from `from_hz` on.
    #[must_use]
    pub fn most_in_an_hour(&self, from_hz: u32) -> Duration {
        self.most.get(&from_hz).copied().unwrap_or(Duration::ZERO)
    }

    /// What lies across an edge counts in each stretch that it touches, and none of them may be exceeded.
    fn european(&mut self, emission: &Emission) -> Vec<Breach> {
        let (from_hz, to_hz) = emission.edges();
        let mut breaches = Vec::new();
        let touched: Vec<_> =
            EUROPE.into_iter().filter(|(from, to, _, _)| *from < to_hz && from_hz < *to).collect();
        let covered: u32 =
            touched.iter().map(|(from, to, _, _)| (*to).min(to_hz) - (*from).max(from_hz)).sum();
        if covered < to_hz.saturating_sub(from_hz) {
            breaches.push(Breach::Outside { from_hz, to_hz });
        }
        for (from, _, hundredths, most_dbm) in touched {
            let power_dbm = emission.channel.power_dbm;
            if power_dbm > most_dbm {
                breaches.push(Breach::TooLoud { power_dbm, most_dbm });
            }
            let window = self.duty.entry((emission.owner, from)).or_insert_with(|| Window::of(HOUR));
            let airtime = window.add(emission.start, emission.end);
            let record = self.most.entry(from).or_default();
            *record = (*record).max(airtime);
            let most = Duration::from_micros(HOUR.as_micros() * hundredths / 10_000);
            if airtime > most {
                breaches.push(Breach::TooMuch { period: HOUR, airtime, most, from_hz: from });
            }
        }
        breaches
    }

    /// Digital modulation from 500 kHz on is limited in power alone. A narrower signal is that of a hopping system, every
    /// frequency of which may be occupied for a short time only: what two emissions share of the spectrum is one frequency.
    fn american(&mut self, emission: &Emission) -> Vec<Breach> {
        let (from_hz, to_hz) = emission.edges();
        let mut breaches = Vec::new();
        if from_hz < AMERICA.0 || to_hz > AMERICA.1 {
            breaches.push(Breach::Outside { from_hz, to_hz });
        }
        let bandwidth_hz = emission.channel.modulation.bandwidth_hz();
        let power_dbm = emission.channel.power_dbm;
        let most_dbm = if bandwidth_hz < DIGITAL_HZ { FEW_CHANNELS_DBM } else { DIGITAL_DBM };
        if power_dbm > most_dbm {
            breaches.push(Breach::TooLoud { power_dbm, most_dbm });
        }
        if bandwidth_hz >= DIGITAL_HZ {
            return breaches;
        }
        let period = if bandwidth_hz < WIDER_HZ { PERIOD_NARROW } else { PERIOD_WIDER };
        let of_late = self.hopping.entry(emission.owner).or_default();
        of_late.retain(|earlier| emission.end.since(earlier.end) < PERIOD_NARROW);
        of_late.push(*emission);
        let mut window = Window::of(period);
        let mut airtime = Duration::ZERO;
        for earlier in of_late.iter() {
            let (from, to) = earlier.edges();
            if from < to_hz && from_hz < to {
                airtime = window.add(earlier.start, earlier.end);
            }
        }
        if airtime > OCCUPANCY {
            breaches.push(Breach::TooMuch { period, airtime, most: OCCUPANCY, from_hz });
        }
        breaches
    }
}
