//! What follows from a LoRa radio's settings: how long a symbol, a transmission and a whole frame occupy the channel.
//!
//! Sources: Semtech SX1261/2 data sheet, section 6.1.4 (time on air); spec/network.md#lora-airtime.

use nexus_machine::Duration;

/// The settings of a LoRa radio that decide how fast it is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Modulation {
    bandwidth_hz: u32,
    spreading_factor: u8,
    coding_rate: u8,
}

/// What an RNode puts before the payload of each transmission, in bytes.
pub const AIR_HEADER: usize = 1;
/// The longest payload of one transmission of an RNode, in bytes: what is longer goes in two.
pub const SINGLE_MAX: usize = 254;
/// The longest frame that an RNode carries, in bytes.
pub const FRAME_MAX: u16 = 508;

/// Symbols of a preamble, at least,
const PREAMBLE_SYMBOLS: u64 = 18;
/// and its shortest length.
const PREAMBLE: Duration = Duration::from_millis(24);
/// A symbol as long as this is sent with the low-data-rate optimisation.
const LOW_DATA_RATE: Duration = Duration::from_millis(16);

impl Modulation {
    /// Settings in the modulation's range: 7,800 to 500,000 Hz, spreading factor 5 to 12, coding rate 4/5 to 4/8 (of which
    /// this takes the denominator); `None` outside it.
    #[must_use]
    pub fn new(bandwidth_hz: u32, spreading_factor: u8, coding_rate: u8) -> Option<Self> {
        let valid = (7_800..=500_000).contains(&bandwidth_hz)
            && (5..=12).contains(&spreading_factor)
            && (5..=8).contains(&coding_rate);
        valid.then_some(Self { bandwidth_hz, spreading_factor, coding_rate })
    }

    /// The channel's bandwidth, in hertz.
    #[must_use]
    pub const fn bandwidth_hz(self) -> u32 {
        self.bandwidth_hz
    }

    /// Bits per symbol.
    #[must_use]
    pub const fn spreading_factor(self) -> u8 {
        self.spreading_factor
    }

    /// The denominator of the coding rate.
    #[must_use]
    pub const fn coding_rate(self) -> u8 {
        self.coding_rate
    }

    /// Payload bits a second, rounded down.
    #[must_use]
    pub fn bitrate_bps(self) -> u64 {
        let bits = u64::from(self.spreading_factor)
            .saturating_mul(4)
            .saturating_mul(u64::from(self.bandwidth_hz))
            .checked_div(u64::from(self.coding_rate));
        bits.unwrap_or(0).checked_shr(u32::from(self.spreading_factor)).unwrap_or(0)
    }

    /// One symbol, rounded up to a microsecond.
    #[must_use]
    pub fn symbol(self) -> Duration {
        self.quarter_symbols(4)
    }

    /// From the beginning of a transmission to the end of its preamble.
    #[must_use]
    pub fn preamble(self) -> Duration {
        self.quarter_symbols(self.preamble_quarters())
    }

    /// How long one transmission of `payload` bytes takes, the RNode's own header not included in `payload`.
    #[must_use]
    pub fn transmission(self, payload: usize) -> Duration {
        let sf = u64::from(self.spreading_factor);
        let bytes = u64::try_from(payload.saturating_add(AIR_HEADER)).unwrap_or(u64::MAX);
        // 16 bits of CRC, 20 of the explicit header, and from spreading factor 7 on 8 that the first block carries at reduced rate.
        let beside = if self.spreading_factor < 7 { 36 } else { 44 };
        let bits = bytes.saturating_mul(8).saturating_add(beside).saturating_sub(sf.saturating_mul(4));
        let per_block =
            if self.symbol() >= LOW_DATA_RATE { sf.saturating_sub(2) } else { sf }.saturating_mul(4);
        let blocks = bits.div_ceil(per_block.max(1));
        let symbols = blocks.saturating_mul(u64::from(self.coding_rate)).saturating_add(8);
        self.quarter_symbols(symbols.saturating_mul(4).saturating_add(self.preamble_quarters()))
    }

    /// How long a frame of `len` bytes takes on the air of an RNode, which sends one that is longer than [`SINGLE_MAX`] in two
    /// transmissions, one right behind the other.
    #[must_use]
    pub fn airtime(self, len: usize) -> Duration {
        match len.checked_sub(SINGLE_MAX) {
            None | Some(0) => self.transmission(len),
            Some(rest) => self.transmission(SINGLE_MAX).plus(self.transmission(rest)),
        }
    }

    /// The preamble with its synchronisation word, in quarters of a symbol.
    fn preamble_quarters(self) -> u64 {
        let shortest = PREAMBLE.as_micros().saturating_mul(u64::from(self.bandwidth_hz));
        let symbol = 1_000_000_u64.checked_shl(u32::from(self.spreading_factor)).unwrap_or(u64::MAX);
        let symbols = PREAMBLE_SYMBOLS.max(shortest.div_ceil(symbol));
        let synchronisation = if self.spreading_factor < 7 { 25 } else { 17 };
        symbols.saturating_mul(4).saturating_add(synchronisation)
    }

    fn quarter_symbols(self, quarters: u64) -> Duration {
        let chips = quarters.saturating_mul(1_u64.checked_shl(u32::from(self.spreading_factor)).unwrap_or(0));
        let hertz = u64::from(self.bandwidth_hz).saturating_mul(4).max(1);
        Duration::from_micros(chips.saturating_mul(1_000_000).div_ceil(hertz))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn modulation(bandwidth_hz: u32, spreading_factor: u8) -> Modulation {
        Modulation::new(bandwidth_hz, spreading_factor, 5).unwrap()
    }

    /// By hand, from the data sheet's formula: `(preamble + 4.25 + 8 + blocks × 5) symbols`.
    #[test]
    fn a_transmission_takes_what_the_data_sheet_says() {
        // SF7 at 125 kHz: symbols of 1.024 ms, a preamble of 24; 50 bytes and the header: (408 + 44 − 28) / 28 → 16 blocks.
        assert_eq!(modulation(125_000, 7).transmission(50).as_micros(), (24 * 4 + 17 + 32 + 16 * 20) * 256);
        // SF12 at 125 kHz: symbols of 32.768 ms, optimised: (408 + 44 − 48) / 40 → 11 blocks, a preamble of 18.
        assert_eq!(
            modulation(125_000, 12).transmission(50).as_micros(),
            (18 * 4 + 17 + 32 + 11 * 20) * 8_192
        );
        // SF10 at 250 kHz: symbols of 4.096 ms: (408 + 44 − 40) / 40 → 11 blocks.
        assert_eq!(
            modulation(250_000, 10).transmission(50).as_micros(),
            (18 * 4 + 17 + 32 + 11 * 20) * 1_024
        );
        // SF5 at 500 kHz: symbols of 64 µs, a preamble of 375 and 6.25: (408 + 36 − 20) / 20 → 22 blocks.
        assert_eq!(modulation(500_000, 5).transmission(50).as_micros(), (375 * 4 + 25 + 32 + 22 * 20) * 16);
        // SF6 at 125 kHz: (408 + 36 − 24) / 24 → 18 blocks, a preamble of 47 symbols of 512 µs.
        assert_eq!(modulation(125_000, 6).transmission(50).as_micros(), (47 * 4 + 25 + 32 + 18 * 20) * 128);
        // An empty payload has its header: (8 + 44 − 28) / 28 → 1 block.
        assert_eq!(modulation(125_000, 7).transmission(0).as_micros(), (24 * 4 + 17 + 32 + 20) * 256);
    }

    #[test]
    fn a_long_frame_goes_in_two_transmissions() {
        let radio = modulation(125_000, 8);
        assert_eq!(radio.airtime(254), radio.transmission(254));
        assert_eq!(radio.airtime(255), radio.transmission(254).plus(radio.transmission(1)));
        assert_eq!(radio.airtime(508), radio.transmission(254).times(2));
        assert!(radio.preamble() >= PREAMBLE);
    }

    #[test]
    fn only_settings_of_the_modulation_are_taken() {
        assert!(Modulation::new(125_000, 4, 5).is_none() && Modulation::new(125_000, 13, 5).is_none());
        assert!(Modulation::new(125_000, 7, 4).is_none() && Modulation::new(125_000, 7, 9).is_none());
        assert!(Modulation::new(1_000, 7, 5).is_none() && Modulation::new(1_000_000, 7, 5).is_none());
        assert_eq!(modulation(125_000, 7).bitrate_bps(), 5_468);
        assert_eq!(modulation(250_000, 12).bitrate_bps(), 585);
    }
}
