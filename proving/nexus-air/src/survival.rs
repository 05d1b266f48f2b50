//! What is left of a transmission that others disturbed: the only place that decides it.
//!
//! At each receiver the energy of the disturbers is summed while they overlap what matters of the transmission, separately for
//! each spreading factor, and each sum is held against the transmission's own energy. Source: spec/air.md#survival.

use nexus_machine::{Duration, Instant};
use nexus_network::lora::Modulation;

use crate::channel::Channel;
use crate::propagation::Millibels;

/// Whether a radio tuned to `ear` can make out what is sent on `voice`: same frequency, bandwidth and spreading factor. The
/// coding rate stands in each transmission's header.
#[must_use]
pub fn understands(ear: &Channel, voice: &Channel) -> bool {
    ear.frequency == voice.frequency
        && ear.modulation.bandwidth_hz() == voice.modulation.bandwidth_hz()
        && ear.modulation.spreading_factor() == voice.modulation.spreading_factor()
}

/// How transmissions that overlap are judged.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub enum Capture {
    /// By their energies.
    #[default]
    Energy,
    /// Any overlap at all destroys both if they are on the same channel, and nothing else does: the textbook's channel.
    Textbook,
}

/// By how much a transmission has to be stronger than one of its own kind: the diagonal of [`rejection`], and M. Bor and others, "Do
/// LoRa low-power wide-area networks scale?", `MSWiM` 2016.
pub const CAPTURE: Millibels = Millibels::decibels(6);

/// The spreading factors of the modulation, from the lowest, each a class of disturbers; and one class for those of a wanted
/// transmission's own spreading factor at another bandwidth.
const LOWEST: u8 = 5;
const FACTORS: usize = 8;
const CLASSES: usize = FACTORS + 1;
const OTHER_BANDWIDTH: usize = FACTORS;

/// By how much a transmission has to be stronger than those of another spreading factor, in decibels; by row its own, by column
/// the others', from 5 to 12. C. Goursaud and J.-M. Gorce, "Dedicated networks for `IoT`: PHY/MAC state of the art and
/// challenges", EAI Endorsed Transactions on Internet of Things, 2015, for 7 to 12. The paper has none for 5 and 6: wanted,
/// they bear 6 and 3 dB less than 7 does; as disturbers they count as the worst neighbour that the row has. Both are chosen.
const REJECTION_DB: [[i32; FACTORS]; FACTORS] = [
    [6, -10, -10, -10, -12, -13, -13, -14],
    [-13, 6, -13, -13, -15, -16, -16, -17],
    [-16, -16, 6, -16, -18, -19, -19, -20],
    [-20, -20, -24, 6, -20, -22, -22, -22],
    [-23, -23, -27, -27, 6, -23, -25, -25],
    [-26, -26, -30, -30, -30, 6, -26, -28],
    [-29, -29, -33, -33, -33, -33, 6, -29],
    [-36, -36, -36, -36, -36, -36, -36, 6],
];

/// By how much a transmission of spreading factor `wanted` has to be stronger than the sum of those of `other`, on the same
/// bandwidth.
#[must_use]
pub fn rejection(wanted: u8, other: u8) -> Millibels {
    Millibels::decibels(REJECTION_DB[row(wanted)][row(other)])
}

fn row(spreading_factor: u8) -> usize {
    usize::from(spreading_factor.saturating_sub(LOWEST)).min(FACTORS - 1)
}

/// How one channel disturbs another.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Coupling {
    /// What share of the disturber's energy falls into the wanted channel.
    share: f64,
    class: usize,
}

impl Coupling {
    /// Of what is sent on `other` with what is sent on `wanted`; `None` if they do not touch.
    ///
    /// Of energy spread over a band that part counts which lies in the wanted band. Chirps of equal slope look alike whatever their
    /// bandwidth, and count as the wanted kind; other bandwidths count by their spreading factor.
    #[must_use]
    pub fn of(wanted: &Channel, other: &Channel) -> Option<Self> {
        let (own, others) = (wanted.modulation, other.modulation);
        let (low, high) = band(wanted);
        let (other_low, other_high) = band(other);
        let common = high.min(other_high) - low.max(other_low);
        if common <= 0 {
            return None;
        }
        #[allow(clippy::cast_precision_loss, reason = "a megahertz at most")]
        let share = common as f64 / (other_high - other_low) as f64;
        let (own_factor, other_factor) = (own.spreading_factor(), others.spreading_factor());
        let class = if slope(own) == slope(others) {
            row(own_factor)
        } else if own_factor == other_factor {
            OTHER_BANDWIDTH
        } else {
            row(other_factor)
        };
        Some(Self { share, class })
    }
}

/// Lower and upper edge, in half hertz.
fn band(channel: &Channel) -> (i64, i64) {
    let centre = 2 * i64::from(channel.frequency.0);
    let half = i64::from(channel.modulation.bandwidth_hz());
    (centre - half, centre + half)
}

/// Proportional to how fast the chirp of a modulation sweeps, in hertz a second: of bandwidth² / 2^SF.
fn slope(modulation: Modulation) -> u64 {
    u64::from(modulation.bandwidth_hz()).pow(2) << (12 - modulation.spreading_factor().min(12))
}

/// Symbols at the end of a preamble that a receiver needs, before the synchronisation word: what overlaps only what comes before
/// them does no harm. M. Bor and others, `MSWiM` 2016.
pub const PREAMBLE_NEEDED_SYMBOLS: u64 = 5;
/// Quarter symbols of the synchronisation word, at spreading factors below 7 and from 7 on: Semtech SX1261/2 data sheet, section
/// 6.1.4.
const SYNCHRONISATION_QUARTERS: [u64; 2] = [25, 17];

/// How long a transmission of `modulation` is on the air before a receiver needs it.
#[must_use]
pub fn dispensable(modulation: Modulation) -> Duration {
    let low = usize::from(modulation.spreading_factor() >= 7);
    let quarters = PREAMBLE_NEEDED_SYMBOLS * 4 + SYNCHRONISATION_QUARTERS[low];
    let needed = modulation.symbol().as_micros() * quarters / 4;
    Duration::from_micros(modulation.preamble().as_micros().saturating_sub(needed))
}

/// Energies of disturbers at one receiver, by class.
#[derive(Clone, Copy, Default, Debug)]
pub struct Interference {
    energies: [f64; CLASSES],
}

impl Interference {
    /// A disturber of this power, in milliwatts, for so long.
    pub fn add(&mut self, coupling: Coupling, milliwatts: f64, overlap: Duration) {
        self.energies[coupling.class] += coupling.share * milliwatts * micros(overlap);
    }

    /// Whether a transmission of this modulation and power survives, of which a receiver needs so long a part.
    #[must_use]
    pub fn is_survived(&self, wanted: Modulation, milliwatts: f64, needed: Duration) -> bool {
        let own = milliwatts * micros(needed);
        self.energies.iter().enumerate().all(|(class, energy)| {
            *energy <= 0.0
                || Millibels::of_ratio(own / energy) >= Self::bound(wanted.spreading_factor(), class)
        })
    }

    fn bound(wanted: u8, class: usize) -> Millibels {
        let by_factor = &REJECTION_DB[row(wanted)];
        let decibels = match by_factor.get(class) {
            Some(decibels) => *decibels,
            // The least that any other spreading factor is borne.
            None => by_factor.iter().copied().filter(|decibels| *decibels < 0).max().unwrap_or(0),
        };
        Millibels::decibels(decibels)
    }
}

fn micros(span: Duration) -> f64 {
    #[allow(clippy::cast_precision_loss, reason = "a transmission is shorter than 2⁵³ µs")]
    let micros = span.as_micros() as f64;
    micros
}

/// How long two spans of time have in common.
#[must_use]
pub fn overlap(one: (Instant, Instant), other: (Instant, Instant)) -> Duration {
    one.1.min(other.1).since(one.0.max(other.0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use nexus_wire::reticulum::rnode::Hertz;

    fn channel(frequency: u32, bandwidth_hz: u32, spreading_factor: u8) -> Channel {
        let modulation = Modulation::new(bandwidth_hz, spreading_factor, 5).unwrap();
        Channel { frequency: Hertz(frequency), modulation, power_dbm: 14 }
    }

    fn millis(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    /// Whether a transmission of a second survives another, so much weaker, that overlaps it for so long.
    fn survives(wanted: &Channel, other: &Channel, weaker_mb: i32, overlap_ms: u64) -> bool {
        let mut interference = Interference::default();
        if let Some(coupling) = Coupling::of(wanted, other) {
            interference.add(coupling, Millibels(-weaker_mb).ratio(), millis(overlap_ms));
        }
        interference.is_survived(wanted.modulation, 1.0, millis(1_000))
    }

    #[test]
    fn of_two_on_one_channel_the_one_that_is_six_decibels_stronger_survives() {
        let one = channel(867_200_000, 125_000, 8);
        assert!(survives(&one, &one, 600, 1_000) && !survives(&one, &one, 599, 1_000));
        assert!(
            survives(&one, &one, 0, 251) && !survives(&one, &one, 0, 252),
            "a quarter of the energy is 6.02 dB less"
        );
    }

    #[test]
    fn other_spreading_factors_are_borne_as_the_table_says_and_each_sum_by_itself() {
        let (seven, twelve) = (channel(867_200_000, 125_000, 7), channel(867_200_000, 125_000, 12));
        assert!(survives(&seven, &twelve, -2_000, 1_000) && !survives(&seven, &twelve, -2_001, 1_000));
        assert!(survives(&twelve, &seven, -3_600, 1_000) && !survives(&twelve, &seven, -3_601, 1_000));
        assert_eq!(rejection(9, 9), CAPTURE);
        let mut sums = Interference::default();
        for other in [8, 9] {
            let coupling = Coupling::of(&seven, &channel(867_200_000, 125_000, other)).unwrap();
            sums.add(coupling, Millibels(1_600).ratio(), millis(1_000));
        }
        assert!(sums.is_survived(seven.modulation, 1.0, millis(1_000)), "16 dB of each, and not of both");
        let coupling = Coupling::of(&seven, &channel(867_200_000, 125_000, 8)).unwrap();
        sums.add(coupling, Millibels(0).ratio(), millis(1_000));
        assert!(!sums.is_survived(seven.modulation, 1.0, millis(1_000)), "more than 16 dB of one");
    }

    #[test]
    fn energy_counts_as_far_as_it_lies_in_the_band() {
        let wanted = channel(867_200_000, 125_000, 8);
        let beside = channel(867_325_000, 125_000, 8);
        assert_eq!(Coupling::of(&wanted, &beside), None, "channels that only touch");
        // Half of it: 3.01 dB less counts.
        let half = channel(867_262_500, 125_000, 8);
        assert!(survives(&wanted, &half, 299, 1_000) && !survives(&wanted, &half, 298, 1_000));
        // A quarter of what is spread over 500 kHz, at another slope: 16 - 6.02 dB.
        let wide = channel(867_200_000, 500_000, 10);
        let narrow = channel(867_200_000, 125_000, 7);
        assert!(
            survives(&narrow, &wide, -1_900 - 602, 1_000) && !survives(&narrow, &wide, -1_900 - 603, 1_000)
        );
    }

    #[test]
    fn chirps_of_equal_slope_are_of_one_kind_and_others_of_the_same_spreading_factor_are_not() {
        let seven = channel(867_200_000, 125_000, 7);
        // 125² / 2⁷ = 250² / 2⁹; half of the energy falls into the narrower band.
        let nine = channel(867_200_000, 250_000, 9);
        assert!(survives(&seven, &nine, 299, 1_000) && !survives(&seven, &nine, 298, 1_000));
        let wide = channel(867_200_000, 250_000, 7);
        assert!(
            survives(&seven, &wide, -1_600 - 301, 1_000) && !survives(&seven, &wide, -1_600 - 302, 1_000)
        );
    }

    #[test]
    fn a_receiver_can_do_without_the_preamble_but_for_its_last_five_symbols() {
        // SF8 at 125 kHz: 18 symbols of 2.048 ms, of which 13 are dispensable.
        assert_eq!(
            dispensable(channel(867_200_000, 125_000, 8).modulation),
            Duration::from_micros(13 * 2_048)
        );
        // SF5 at 500 kHz: 24 ms are 375 symbols.
        assert_eq!(dispensable(channel(867_200_000, 500_000, 5).modulation), Duration::from_micros(370 * 64));
    }
}
