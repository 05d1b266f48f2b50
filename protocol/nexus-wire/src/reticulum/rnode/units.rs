//! What the radio measures, in whole numbers.

/// A frequency or bandwidth, in hertz.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Hertz(pub u32);

/// A share of time, in hundredths of a percent; 0 for no limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AirtimeLimit(pub u16);

/// A ratio, in quarters of a decibel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct QuarterDecibels(pub i16);

/// A received signal's strength, as the modem sends it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Rssi(pub u8);

impl Rssi {
    /// What the byte is counted from, in dBm.
    const OFFSET_DBM: i16 = 157;

    /// In dBm: -157 to 98.
    #[must_use]
    pub fn dbm(self) -> i16 {
        i16::from(self.0).saturating_sub(Self::OFFSET_DBM)
    }

    /// The nearest that a modem can say to `dbm`.
    #[must_use]
    pub fn from_dbm(dbm: i16) -> Self {
        let above = dbm.saturating_add(Self::OFFSET_DBM).clamp(0, 255);
        Self(u8::try_from(above).unwrap_or(u8::MAX))
    }
}

/// A received signal's distance from the noise, as the modem sends it: two's complement, quarters of a decibel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Snr(pub u8);

impl Snr {
    /// In quarters of a decibel: -128 to 127.
    #[must_use]
    pub fn quarter_decibels(self) -> QuarterDecibels {
        QuarterDecibels(i16::from(self.0.cast_signed()))
    }

    /// The nearest that a modem can say to `ratio`.
    #[must_use]
    pub fn from_quarter_decibels(ratio: QuarterDecibels) -> Self {
        let nearest = ratio.0.clamp(i8::MIN.into(), i8::MAX.into());
        Self(i8::try_from(nearest).unwrap_or(i8::MAX).cast_unsigned())
    }
}

/// A firmware version. Orders as versions do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Firmware {
    /// The part before the point.
    pub major: u8,
    /// The part behind it.
    pub minor: u8,
}

impl Firmware {
    /// The oldest that speaks this protocol.
    pub const OLDEST: Self = Self { major: 1, minor: 52 };
}

/// How many payload bits a second LoRa carries, rounded down: `SF × 4/CR × bandwidth / 2^SF`.
///
/// `None` outside the modulation's range: spreading factor 5 to 12, coding rate 4/5 to 4/8.
/// Source: spec/reticulum.md#rnode-bitrate.
#[must_use]
pub fn bitrate_bps(spreading_factor: u8, coding_rate: u8, bandwidth: Hertz) -> Option<u32> {
    if !(5..=12).contains(&spreading_factor) || !(5..=8).contains(&coding_rate) {
        return None;
    }
    // At most 12 × 4 × 2³²: far from the end of u64.
    let bits = u64::from(spreading_factor).checked_mul(4)?.checked_mul(u64::from(bandwidth.0))?;
    let symbols = u64::from(coding_rate).checked_mul(1_u64.checked_shl(u32::from(spreading_factor))?)?;
    u32::try_from(bits.checked_div(symbols)?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn measurements_are_whole_numbers() {
        assert_eq!([Rssi(0).dbm(), Rssi(157).dbm(), Rssi(255).dbm()], [-157, 0, 98]);
        let snr = |byte| Snr(byte).quarter_decibels().0;
        assert_eq!([snr(0), snr(0x28), snr(0xff), snr(0x80)], [0, 40, -1, -128]);
        assert_eq!([-200, -157, -60, 98, i16::MAX].map(|dbm| Rssi::from_dbm(dbm).0), [0, 0, 97, 255, 255]);
        let said = |ratio| Snr::from_quarter_decibels(QuarterDecibels(ratio)).0;
        assert_eq!([-500, -128, -1, 40, i16::MAX].map(said), [0x80, 0x80, 0xff, 0x28, 0x7f]);
        assert!(
            Firmware { major: 1, minor: 51 } < Firmware::OLDEST
                && Firmware { major: 2, minor: 0 } > Firmware::OLDEST
        );
    }

    #[test]
    fn the_bitrate_is_that_of_loras_formula() {
        // SF 8, 4/5, 125 kHz: 8 × 0.8 × 125000 / 256 = 3125 bit/s.
        assert_eq!(bitrate_bps(8, 5, Hertz(125_000)), Some(3_125));
        // SF 12, 4/8, 125 kHz: 12 × 0.5 × 125000 / 4096 = 183.1 bit/s.
        assert_eq!(bitrate_bps(12, 8, Hertz(125_000)), Some(183));
        assert_eq!(bitrate_bps(7, 5, Hertz(250_000)), Some(10_937));
        assert_eq!(bitrate_bps(5, 5, Hertz(u32::MAX)), Some(536_870_911));
        assert_eq!((bitrate_bps(4, 5, Hertz(1)), bitrate_bps(13, 5, Hertz(1))), (None, None));
        assert_eq!((bitrate_bps(7, 4, Hertz(1)), bitrate_bps(7, 9, Hertz(1))), (None, None));
    }
}
