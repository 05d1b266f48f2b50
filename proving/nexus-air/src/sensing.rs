//! Who notices that the channel is taken. Source: spec/air.md#carrier-sense.
//!
//! A channel-activity detection at the edge of reach often misses. Whether a radio notices a transmission is drawn once for
//! both, and holds for as long as it lasts: the same radio does not hear the same signal in one moment and miss it in the next.

use crate::channel::RadioId;
use crate::propagation::Millibels;

/// By how much a signal is above what can be demodulated, in hundredths of a decibel, and how many such transmissions of a
/// million are noticed; between two points in proportion, and from the last on all. Below the first nothing is. Semtech
/// AN1200.48 tunes the detection to work down to the demodulator's own threshold and gives no curve; chosen so, pessimistic.
pub const DETECTION: [(Millibels, u32); 3] =
    [(Millibels(0), 500_000), (Millibels(500), 900_000), (Millibels(1_000), 1_000_000)];

/// How many transmissions of a million are noticed with this margin.
#[must_use]
pub fn detection_ppm(margin: Millibels) -> u32 {
    let mut below = (Millibels(0), 0);
    for point in DETECTION {
        if margin < point.0 {
            let span = i64::from(point.0.0) - i64::from(below.0.0);
            let gone = i64::from(margin.0) - i64::from(below.0.0);
            let rise = i64::from(point.1) - i64::from(below.1);
            let ppm = if span > 0 && gone >= 0 { i64::from(below.1) + rise * gone / span } else { 0 };
            return u32::try_from(ppm).expect("between two shares of a million");
        }
        below = point;
    }
    below.1
}

/// Whether `listener` notices the transmission of this number, with this margin over the weakest that it could demodulate.
#[must_use]
pub fn notices(seed: u64, listener: RadioId, number: u64, margin: Millibels) -> bool {
    let ppm = detection_ppm(margin);
    match ppm {
        0 => false,
        1_000_000.. => true,
        _ => mixed(seed ^ mixed(number ^ mixed(listener.0.into()))) % 1_000_000 < u64::from(ppm),
    }
}

/// The output function of `SplitMix64`: G. Steele and others, "Fast splittable pseudorandom number generators", OOPSLA 2014.
const fn mixed(state: u64) -> u64 {
    let state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let state = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let state = (state ^ (state >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    state ^ (state >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signal_is_missed_the_more_often_the_nearer_it_is_to_the_edge() {
        let shares = [-1, 0, 250, 500, 750, 1_000, 5_000].map(|margin| detection_ppm(Millibels(margin)));
        assert_eq!(shares, [0, 500_000, 700_000, 900_000, 950_000, 1_000_000, 1_000_000]);
    }

    #[test]
    fn a_radio_notices_the_share_that_the_curve_says_and_always_the_same_ones() {
        let noticed = |margin| {
            let each = |number| notices(7, RadioId(3), number, Millibels(margin));
            (0..10_000).filter(|number| each(*number)).count()
        };
        assert!((4_850..5_150).contains(&noticed(0)) && (8_910..9_090).contains(&noticed(500)));
        assert_eq!((noticed(1_000), noticed(-1), noticed(0)), (10_000, 0, noticed(0)));
        let both = (0..10_000)
            .filter(|n| notices(7, RadioId(1), *n, Millibels(0)) && notices(7, RadioId(2), *n, Millibels(0)));
        assert!((2_370..2_630).contains(&both.count()), "one radio's luck is not another's");
    }
}
