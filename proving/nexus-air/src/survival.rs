//! What is left of a transmission that others disturbed.
//!
//! The first form: any overlap on the same channel destroys both, at each radio that hears both. Source: spec/air.md#survival.

use crate::channel::Channel;

/// Whether a radio tuned to `ear` can make out what is sent on `voice`: same frequency, bandwidth and spreading factor. The
/// coding rate stands in each transmission's header.
#[must_use]
pub fn understands(ear: &Channel, voice: &Channel) -> bool {
    ear.frequency == voice.frequency
        && ear.modulation.bandwidth_hz() == voice.modulation.bandwidth_hz()
        && ear.modulation.spreading_factor() == voice.modulation.spreading_factor()
}

/// Whether `other` destroys a transmission on `wanted` that it overlaps, at a radio that hears both.
#[must_use]
pub fn destroys(wanted: &Channel, other: &Channel) -> bool {
    understands(wanted, other)
}

#[cfg(test)]
mod tests {
    use super::*;
    use nexus_network::lora::Modulation;
    use nexus_wire::reticulum::rnode::Hertz;

    fn channel(frequency: u32, bandwidth_hz: u32, spreading_factor: u8, coding_rate: u8) -> Channel {
        let modulation = Modulation::new(bandwidth_hz, spreading_factor, coding_rate).unwrap();
        Channel { frequency: Hertz(frequency), modulation, power_dbm: 14 }
    }

    #[test]
    fn other_frequencies_bandwidths_and_spreading_factors_neither_reach_nor_disturb() {
        let wanted = channel(867_200_000, 125_000, 8, 5);
        assert!(understands(&wanted, &channel(867_200_000, 125_000, 8, 8)));
        assert!(destroys(&wanted, &channel(867_200_000, 125_000, 8, 5)));
        for other in [
            channel(867_500_000, 125_000, 8, 5),
            channel(867_200_000, 250_000, 8, 5),
            channel(867_200_000, 125_000, 9, 5),
        ] {
            assert!(!understands(&wanted, &other) && !destroys(&wanted, &other));
        }
    }
}
