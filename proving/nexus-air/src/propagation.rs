//! How much of a radio's power arrives, and how little of it suffices.
//!
//! Levels and losses are in hundredths of a decibel ([`Millibels`]). Logarithms are a pure Rust library's and not the
//! machine's, and are rounded once: from there on everything is in integers and the same everywhere.
//! Source: spec/air.md#propagation.

use nexus_machine::{Seed, Stream};
use nexus_network::lora::Modulation;

use crate::channel::RadioId;

/// A thousandth of a bel, which is a hundredth of a decibel: of a loss or gain, or of a power over a milliwatt.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Debug)]
pub struct Millibels(pub i32);

impl Millibels {
    /// Whole decibels.
    #[must_use]
    pub const fn decibels(decibels: i32) -> Self {
        Self(decibels.saturating_mul(100))
    }

    /// This and `other`, saturating.
    #[must_use]
    pub const fn plus(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }

    /// This without `other`, saturating.
    #[must_use]
    pub const fn minus(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }

    /// The ratio that it is the logarithm of.
    #[must_use]
    pub fn ratio(self) -> f64 {
        libm::pow(10.0, f64::from(self.0) / 1_000.0)
    }

    /// The logarithm of a ratio, rounded to the nearest; of nothing the smallest there is.
    #[must_use]
    pub fn of_ratio(ratio: f64) -> Self {
        rounded(1_000.0 * libm::log10(ratio))
    }
}

/// Rounds half away from zero; what is beyond the range is at its edge.
fn rounded(millibels: f64) -> Millibels {
    #[allow(clippy::cast_possible_truncation, reason = "rounded before, and the conversion saturates")]
    Millibels(libm::round(millibels) as i32)
}

/// Thermal noise in one hertz at room temperature, over a milliwatt: Semtech AN1200.22, section 5.
pub const THERMAL: Millibels = Millibels::decibels(-174);
/// What a receiver adds to the noise: Semtech AN1200.22, section 5, for `SX127x` chips; `SX126x` are not worse.
pub const NOISE_FIGURE: Millibels = Millibels::decibels(6);

/// The noise in a bandwidth at a receiver of this noise figure.
#[must_use]
pub fn noise(bandwidth_hz: u32, noise_figure: Millibels) -> Millibels {
    THERMAL.plus(Millibels::of_ratio(f64::from(bandwidth_hz))).plus(noise_figure)
}

/// The weakest ratio of signal to noise at which a spreading factor can be demodulated: 2.5 dB lower with each, from -2.5 dB
/// at SF5 to -20 dB at SF12. Semtech SX1261/2 data sheet, table 6-1.
#[must_use]
pub fn snr_min(spreading_factor: u8) -> Millibels {
    Millibels(1_000 - 250 * i32::from(spreading_factor))
}

/// The weakest signal of `modulation` that a receiver of the common noise figure makes out.
#[must_use]
pub fn sensitivity(modulation: Modulation) -> Millibels {
    noise(modulation.bandwidth_hz(), NOISE_FIGURE).plus(snr_min(modulation.spreading_factor()))
}

/// What lies between radios.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Scenario {
    /// `7.7 + 37.6 log10 d` decibels over `d` metres: the macro cell of 3GPP TR 36.942, section 4.5.2, with antennas 15 m above
    /// the roofs, at 868 MHz. Never less than free space.
    LogDistance,
    /// Hata's formula for suburbs. Never less than free space.
    HataSuburban(Hata),
}

/// What Hata's formula wants to know: M. Hata, "Empirical formula for propagation loss in land mobile radio services", IEEE
/// Transactions on Vehicular Technology 29(3), 1980.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Hata {
    frequency_hz: u32,
    base_cm: u32,
    mobile_cm: u32,
}

impl Hata {
    /// A carrier frequency, and the heights of the higher and the lower antenna, in centimetres. `None` outside the formula's
    /// range: 150 to 1,500 MHz, 30 to 200 m, 1 to 10 m. It was fitted to 1 to 20 km; nearer and farther it is carried on.
    #[must_use]
    pub fn new(frequency_hz: u32, base_cm: u32, mobile_cm: u32) -> Option<Self> {
        let valid = (150_000_000..=1_500_000_000).contains(&frequency_hz)
            && (3_000..=20_000).contains(&base_cm)
            && (100..=1_000).contains(&mobile_cm);
        valid.then_some(Self { frequency_hz, base_cm, mobile_cm })
    }

    fn loss_db(self, metres: f64) -> f64 {
        let megahertz = f64::from(self.frequency_hz) / 1e6;
        let (base, mobile) = (f64::from(self.base_cm) / 100.0, f64::from(self.mobile_cm) / 100.0);
        let (log_f, log_base) = (libm::log10(megahertz), libm::log10(base));
        let mobile_gain = (1.1 * log_f - 0.7) * mobile - (1.56 * log_f - 0.8);
        let urban = 69.55 + 26.16 * log_f - 13.82 * log_base - mobile_gain
            + (44.9 - 6.55 * log_base) * libm::log10(metres / 1_000.0);
        let suburban = libm::log10(megahertz / 28.0);
        urban - 2.0 * suburban * suburban - 5.4
    }
}

/// The carrier for which [`Scenario::LogDistance`] was worked out.
const LOG_DISTANCE_HZ: u32 = 868_000_000;
/// Antennas that are nearer are taken to be so far apart, in centimetres: a wavelength and more, below which these formulas mean
/// nothing.
const NEAREST_CM: u64 = 100;

impl Scenario {
    /// What a signal loses over a distance in centimetres, without shadowing.
    #[must_use]
    pub fn loss(self, distance_cm: u64) -> Millibels {
        #[allow(clippy::cast_precision_loss, reason = "the plane's diagonal is 2³³ centimetres")]
        let metres = distance_cm.max(NEAREST_CM) as f64 / 100.0;
        let (decibels, frequency_hz) = match self {
            Self::LogDistance => (7.7 + 37.6 * libm::log10(metres), LOG_DISTANCE_HZ),
            Self::HataSuburban(hata) => (hata.loss_db(metres), hata.frequency_hz),
        };
        rounded(100.0 * decibels).max(rounded(100.0 * free_space_db(metres, frequency_hz)))
    }
}

/// `20 log10 d + 20 log10 f - 147.55`, of metres and hertz: ITU-R P.525.
fn free_space_db(metres: f64, frequency_hz: u32) -> f64 {
    20.0 * libm::log10(metres) + 20.0 * libm::log10(f64::from(frequency_hz)) - 147.55
}

/// How far links differ from what their length says: a number drawn for each pair of radios, and kept.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Shadowing {
    /// The standard deviation of what both directions of a pair have in common.
    pub sigma: Millibels,
    /// The standard deviation of what each direction has for itself.
    pub asymmetry: Millibels,
}

impl Shadowing {
    /// Links are as their length says.
    pub const NONE: Self = Self { sigma: Millibels(0), asymmetry: Millibels(0) };
    /// 7.8 dB for both directions, as measured with LoRa at 868 MHz in and around a town: J. Petäjäjärvi and others, "On the
    /// coverage of LPWANs: range evaluation and channel attenuation model for LoRa technology", ITST 2015; what obstructs
    /// one direction obstructs the other, so that there is nothing of one direction alone.
    pub const MEASURED: Self = Self { sigma: Millibels(780), asymmetry: Millibels(0) };

    /// What a signal of `from` loses at `to` beyond what its distance says; negative if it loses less. The same for the same seed
    /// and pair.
    #[must_use]
    pub fn loss(self, seed: &Seed, from: RadioId, to: RadioId) -> Millibels {
        let pair = |one: RadioId, other: RadioId| u64::from(one.0) << 16 | u64::from(other.0);
        let common = part(self.sigma, || seed.fork_index("shadowing", pair(from.min(to), from.max(to))));
        common.plus(part(self.asymmetry, || seed.fork_index("asymmetry", pair(from, to))))
    }
}

fn part(sigma: Millibels, seed: impl FnOnce() -> Seed) -> Millibels {
    if sigma == Millibels(0) {
        return sigma;
    }
    rounded(f64::from(sigma.0) * normal(&mut seed().fork("normal")))
}

/// A draw of the standard normal distribution: G. Box and M. Muller, Annals of Mathematical Statistics 29(2), 1958.
fn normal(random: &mut Stream) -> f64 {
    // 32 bits, never zero: the logarithm is finite, and nothing is farther out than 6.7 deviations.
    let mut uniform = || (f64::from(random.next_u32()) + 0.5) / 4_294_967_296.0;
    let (radius, angle) = (uniform(), uniform());
    libm::sqrt(-2.0 * libm::log(radius)) * libm::cos(std::f64::consts::TAU * angle)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn modulation(bandwidth_hz: u32, spreading_factor: u8) -> Modulation {
        Modulation::new(bandwidth_hz, spreading_factor, 5).unwrap()
    }

    /// By hand: `-174 + 10 log10 BW + 6 + SNRmin`.
    #[test]
    fn sensitivity_is_that_of_the_formula() {
        assert_eq!(sensitivity(modulation(125_000, 7)), Millibels(-12_453));
        assert_eq!(sensitivity(modulation(125_000, 12)), Millibels(-13_703));
        assert_eq!(sensitivity(modulation(250_000, 11)), Millibels(-13_152));
        assert_eq!(sensitivity(modulation(500_000, 5)), Millibels(-11_351));
    }

    /// By hand: 7.7 + 37.6 × 3 and 7.7 + 37.6 × 3.47712; in free space 20 log10 10 + 178.770 - 147.55.
    #[test]
    fn loss_over_distance_is_that_of_the_formula_and_never_less_than_in_free_space() {
        assert_eq!(Scenario::LogDistance.loss(100_000), Millibels(12_050));
        assert_eq!(Scenario::LogDistance.loss(300_000), Millibels(13_844));
        assert_eq!(Scenario::LogDistance.loss(1_000), Millibels(5_122));
        assert_eq!(Scenario::LogDistance.loss(0), Scenario::LogDistance.loss(100));
    }

    /// By hand, at 868 MHz, 30 m and 1.5 m, over 1 km: log f = 2.93852, a = 3.79856 - 3.78409 = 0.01449; urban 69.55 + 76.8717
    /// - 20.4138 - 0.0145 = 125.9934; suburban less 2 × 1.49136² + 5.4 = 9.8483. Over 10 km 35.2249 dB more.
    #[test]
    fn hata_loses_what_his_formula_says() {
        let suburb = Scenario::HataSuburban(Hata::new(868_000_000, 3_000, 150).unwrap());
        assert_eq!(suburb.loss(100_000), Millibels(11_615));
        assert_eq!(suburb.loss(1_000_000), Millibels(15_137));
        assert_eq!(Hata::new(2_400_000_000, 3_000, 150), None);
        assert_eq!(Hata::new(868_000_000, 300, 150), None);
    }

    #[test]
    fn shadowing_is_the_same_both_ways_and_differs_by_the_part_of_each_direction() {
        let (seed, a, b) = (Seed::new([9; 32]), RadioId(3), RadioId(4));
        let both = Shadowing::MEASURED;
        assert_eq!(both.loss(&seed, a, b), both.loss(&seed, b, a));
        assert_ne!(both.loss(&seed, a, b), both.loss(&seed, a, RadioId(5)));
        let each = Shadowing { asymmetry: Millibels(100), ..both };
        assert_ne!(each.loss(&seed, a, b), each.loss(&seed, b, a));
        assert_eq!(Shadowing::NONE.loss(&seed, a, b), Millibels(0));
    }

    #[test]
    fn shadowing_has_the_spread_that_was_asked_for() {
        let seed = Seed::new([1; 32]);
        let draws: Vec<f64> = (0..20_000)
            .map(|n| f64::from(Shadowing::MEASURED.loss(&seed, RadioId(n), RadioId(60_000)).0))
            .collect();
        let count = f64::from(u32::try_from(draws.len()).unwrap());
        let mean = draws.iter().sum::<f64>() / count;
        let deviation = (draws.iter().map(|draw| (draw - mean).powi(2)).sum::<f64>() / count).sqrt();
        assert!(mean.abs() < 20.0, "{mean} of 780 / √20000 = 5.5");
        assert!((765.0..795.0).contains(&deviation), "{deviation} of 780");
        let beyond = draws.iter().filter(|draw| draw.abs() > 2.0 * 780.0).count();
        assert!((800..1_020).contains(&beyond), "{beyond} of 20000 at 4.55 % beyond two deviations");
    }
}
