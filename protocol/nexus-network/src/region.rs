//! Which channels an operator may choose where, and for how much of the time a node may use them.
//!
//! A [`Channel`] is only ever made by its [`Region`], so a radio that has one is set up within the rules. Powers are compared
//! as if the antenna were a dipole (2.15 dBi): what a better one gains is the operator's to subtract.
//! Source: spec/network.md#regions, where each figure has its own.

use core::fmt;

use nexus_machine::Duration;
use thiserror::Error;

use crate::interface::{DutyCycle, Dwell, SubBand, SubBandId};
use crate::lora::{FRAME_MAX, Modulation};

#[cfg(test)]
mod tests;

/// Whose rules hold.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Region {
    /// Europe, 863 to 870 MHz: ETSI EN 300 220-2, ERC/REC 70-03 annex 1.
    Eu868,
    /// Europe, 433.05 to 434.79 MHz: the same.
    Eu433,
    /// The Americas, 902 to 928 MHz: FCC 47 CFR 15.247.
    Us915,
    /// Australia, 915 to 928 MHz: ACMA, class licence for low interference potential devices.
    Au915,
    /// The operator's own responsibility: nothing is looked up, and nothing is chosen for them.
    Custom,
}

/// What an operator writes of a channel. What is left out is the region's.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Wish {
    /// The carrier, in hertz.
    pub frequency_hz: Option<u32>,
    /// The channel's width, in hertz.
    pub bandwidth_hz: Option<u32>,
    /// Bits per symbol, 5 to 12.
    pub spreading_factor: Option<u8>,
    /// The denominator of the coding rate, 5 to 8.
    pub coding_rate: Option<u8>,
    /// What the radio gives its antenna, in dBm.
    pub tx_power_dbm: Option<u8>,
    /// How much of an hour the node may transmit: always the operator's to say.
    pub duty: DutyCycle,
}

/// A channel that its region permits.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Channel {
    frequency_hz: u32,
    modulation: Modulation,
    tx_power_dbm: u8,
    duty: DutyCycle,
    sub_band: Option<SubBand>,
}

impl Channel {
    /// The carrier, in hertz.
    #[must_use]
    pub const fn frequency_hz(self) -> u32 {
        self.frequency_hz
    }

    /// What decides how fast it is.
    #[must_use]
    pub const fn modulation(self) -> Modulation {
        self.modulation
    }

    /// What the radio gives its antenna, in dBm.
    #[must_use]
    pub const fn tx_power_dbm(self) -> u8 {
        self.tx_power_dbm
    }

    /// How much of an hour the node may transmit.
    #[must_use]
    pub const fn duty(self) -> DutyCycle {
        self.duty
    }

    /// The stretch of spectrum whose rules hold; none where the operator alone decides.
    #[must_use]
    pub const fn sub_band(self) -> Option<SubBand> {
        self.sub_band
    }
}

impl fmt::Display for Channel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (bandwidth, sf) = (self.modulation.bandwidth_hz(), self.modulation.spreading_factor());
        write!(f, "{}, {} wide, SF{sf}, ", Megahertz(self.frequency_hz), Kilohertz(bandwidth))?;
        write!(f, "coding rate 4/{}, {} dBm, ", self.modulation.coding_rate(), self.tx_power_dbm)?;
        write!(f, "at most {} of any hour", self.duty)
    }
}

/// Why a channel is not to be used.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
pub enum Refusal {
    /// The operator's own region has no defaults.
    #[error("the region \"custom\" chooses nothing: `{0}` is missing")]
    Missing(&'static str),
    /// No LoRa radio can be set so.
    #[error(
        "no LoRa radio is set so: bandwidth is 7.8 to 500 kHz, `spreading_factor` 5 to 12, `coding_rate` 5 to 8"
    )]
    NotLora,
    /// It lies in no sub-band, or in two.
    #[error("{channel} is not permitted in {region}: a channel lies within {permitted}", permitted = Permitted(*region))]
    Outside {
        /// Whose rules.
        region: Region,
        /// From where to where it would reach.
        channel: Span,
    },
    /// It would be too loud.
    #[error("{asked} dBm is too much at {at}: {region} permits {most} dBm there")]
    TooLoud {
        /// Whose rules.
        region: Region,
        /// The carrier.
        at: Megahertz,
        /// In dBm.
        asked: u8,
        /// In dBm.
        most: u8,
    },
    /// It would transmit for too much of the time.
    #[error("a duty cycle of {asked} is too much at {at}: {region} permits {most} there")]
    TooMuch {
        /// Whose rules.
        region: Region,
        /// The carrier.
        at: Megahertz,
        /// What was asked.
        asked: DutyCycle,
        /// What is permitted.
        most: DutyCycle,
    },
    /// Its longest frame would be on the air for too long at once.
    #[error(
        "a frame of {FRAME_MAX} bytes takes {} ms on this channel, and {region} permits 400 ms at a time on one that is narrower than 500 kHz: choose a lower `spreading_factor` or `bandwidth` = 500000",
        airtime.as_millis()
    )]
    TooLong {
        /// Whose rules.
        region: Region,
        /// What the longest frame takes.
        airtime: Duration,
    },
}

/// A stretch of spectrum, in hertz.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Span {
    /// Where it begins.
    pub from_hz: u32,
    /// Where it ends.
    pub to_hz: u32,
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} to {}", Decimal(self.from_hz, 1_000_000), Megahertz(self.to_hz))
    }
}

/// A frequency in hertz, written in megahertz.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Megahertz(pub u32);

impl fmt::Display for Megahertz {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} MHz", Decimal(self.0, 1_000_000))
    }
}

/// A width in hertz, written in kilohertz.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Kilohertz(u32);

impl fmt::Display for Kilohertz {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} kHz", Decimal(self.0, 1_000))
    }
}

/// A whole number in units of so many, without trailing zeros.
struct Decimal(u32, u32);

impl fmt::Display for Decimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(value, unit) = *self;
        write!(f, "{}", value.checked_div(unit).unwrap_or(0))?;
        let (mut rest, mut place) = (value.checked_rem(unit).unwrap_or(0), unit);
        if rest > 0 {
            f.write_str(".")?;
        }
        while rest > 0 {
            place = place.checked_div(10).unwrap_or(1).max(1);
            write!(f, "{}", rest.checked_div(place).unwrap_or(0))?;
            rest = rest.checked_rem(place).unwrap_or(0);
        }
        Ok(())
    }
}

/// A stretch in which the same rules hold.
#[derive(Clone, Copy, Debug)]
struct Band {
    id: SubBandId,
    span: Span,
    duty: DutyCycle,
    power_dbm: u8,
}

/// What a region chooses where the operator does not.
#[derive(Clone, Copy, Debug)]
struct Preset {
    frequency_hz: u32,
    bandwidth_hz: u32,
    spreading_factor: u8,
    tx_power_dbm: u8,
}

/// What every preset has.
const CODING_RATE: u8 = 5;
/// How long a channel may be occupied in [`DWELL_WITHIN`] or [`WIDER_DWELL_WITHIN`]. FCC 47 CFR 15.247 (a)(1)(i).
const DWELL: Duration = Duration::from_millis(400);
/// On a channel that is narrower than [`WIDER_HZ`],
const DWELL_WITHIN: Duration = Duration::from_secs(20);
/// and on one that is not.
const WIDER_DWELL_WITHIN: Duration = Duration::from_secs(10);
/// The same paragraph's limit between the two.
const WIDER_HZ: u32 = 250_000;
/// From this width on, modulation is wide enough to need no hopping. FCC 47 CFR 15.247 (a)(2).
const WIDE_HZ: u32 = 500_000;
/// What a transmitter with fewer than 50 channels to hop to may give its antenna: 0.25 W. FCC 47 CFR 15.247 (b)(2).
const NARROW_DBM: u8 = 24;

/// `id` is durable.
const fn band(id: u8, from_hz: u32, to_hz: u32, duty: DutyCycle, power_dbm: u8) -> Band {
    Band { id: SubBandId(id), span: Span { from_hz, to_hz }, duty, power_dbm }
}

/// 14 dBm are 25 mW and 27 dBm 500 mW, radiated.
const EU868: [Band; 6] = [
    band(1, 863_000_000, 865_000_000, DutyCycle::TENTH_OF_A_PERCENT, 14),
    band(2, 865_000_000, 868_000_000, DutyCycle::ONE_PERCENT, 14),
    band(3, 868_000_000, 868_600_000, DutyCycle::ONE_PERCENT, 14),
    band(4, 868_700_000, 869_200_000, DutyCycle::TENTH_OF_A_PERCENT, 14),
    band(5, 869_400_000, 869_650_000, DutyCycle::TEN_PERCENT, 27),
    band(6, 869_700_000, 870_000_000, DutyCycle::ONE_PERCENT, 14),
];
/// 10 dBm are 10 mW, radiated.
const EU433: [Band; 1] = [band(16, 433_050_000, 434_790_000, DutyCycle::TEN_PERCENT, 10)];
/// 30 dBm are 1 W.
const US915: [Band; 1] = [band(32, 902_000_000, 928_000_000, DutyCycle::UNLIMITED, 30)];
/// 1 W, counted with the antenna's 2.15 dB.
const AU915: [Band; 1] = [band(48, 915_000_000, 928_000_000, DutyCycle::UNLIMITED, 27)];

impl Region {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Eu868, Self::Eu433, Self::Us915, Self::Au915, Self::Custom];

    /// How it is written.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Eu868 => "EU868",
            Self::Eu433 => "EU433",
            Self::Us915 => "US915",
            Self::Au915 => "AU915",
            Self::Custom => "custom",
        }
    }

    /// The channel that `wish` asks for, if it may be used.
    pub fn channel(self, wish: &Wish) -> Result<Channel, Refusal> {
        let preset = self.preset();
        let or = |chosen: Option<u8>, of: fn(Preset) -> u8, name| {
            chosen.or_else(|| preset.map(of)).ok_or(Refusal::Missing(name))
        };
        let or_hz = |chosen: Option<u32>, of: fn(Preset) -> u32, name| {
            chosen.or_else(|| preset.map(of)).ok_or(Refusal::Missing(name))
        };
        let frequency_hz = or_hz(wish.frequency_hz, |preset| preset.frequency_hz, "frequency")?;
        let bandwidth_hz = or_hz(wish.bandwidth_hz, |preset| preset.bandwidth_hz, "bandwidth")?;
        let spreading_factor =
            or(wish.spreading_factor, |preset| preset.spreading_factor, "spreading_factor")?;
        let coding_rate = or(wish.coding_rate, |_| CODING_RATE, "coding_rate")?;
        let tx_power_dbm = or(wish.tx_power_dbm, |preset| preset.tx_power_dbm, "tx_power")?;
        let modulation =
            Modulation::new(bandwidth_hz, spreading_factor, coding_rate).ok_or(Refusal::NotLora)?;
        let channel = Channel { frequency_hz, modulation, tx_power_dbm, duty: wish.duty, sub_band: None };
        Ok(Channel { sub_band: self.permit(channel)?, ..channel })
    }

    /// The stretch of spectrum in which a channel is permitted.
    fn permit(self, channel: Channel) -> Result<Option<SubBand>, Refusal> {
        let Some(bands) = self.bands() else { return Ok(None) };
        let half = channel.modulation.bandwidth_hz().div_ceil(2);
        let (from_hz, to_hz) =
            (channel.frequency_hz.saturating_sub(half), channel.frequency_hz.saturating_add(half));
        let within = |band: &&Band| band.span.from_hz <= from_hz && to_hz <= band.span.to_hz;
        let span = Span { from_hz, to_hz };
        let band = bands.iter().find(within).ok_or(Refusal::Outside { region: self, channel: span })?;
        let at = Megahertz(channel.frequency_hz);
        let dwell = self.dwell(channel.modulation);
        let most_dbm = if dwell.is_some() { band.power_dbm.min(NARROW_DBM) } else { band.power_dbm };
        if channel.tx_power_dbm > most_dbm {
            let (asked, most) = (channel.tx_power_dbm, most_dbm);
            return Err(Refusal::TooLoud { region: self, at, asked, most });
        }
        let most = dwell.map_or(band.duty, |dwell| band.duty.min(stays(dwell)));
        if channel.duty > most {
            return Err(Refusal::TooMuch { region: self, at, asked: channel.duty, most });
        }
        let airtime = channel.modulation.airtime(usize::from(FRAME_MAX));
        if dwell.is_some_and(|dwell| airtime > dwell.most) {
            return Err(Refusal::TooLong { region: self, airtime });
        }
        Ok(Some(SubBand { id: band.id, dwell }))
    }

    /// How long a node may stay on such a channel, where that is limited.
    const fn dwell(self, modulation: Modulation) -> Option<Dwell> {
        match self {
            Self::Us915 | Self::Au915 if modulation.bandwidth_hz() < WIDER_HZ => {
                Some(Dwell { most: DWELL, within: DWELL_WITHIN })
            }
            Self::Us915 | Self::Au915 if modulation.bandwidth_hz() < WIDE_HZ => {
                Some(Dwell { most: DWELL, within: WIDER_DWELL_WITHIN })
            }
            Self::Us915 | Self::Au915 | Self::Eu868 | Self::Eu433 | Self::Custom => None,
        }
    }

    const fn bands(self) -> Option<&'static [Band]> {
        match self {
            Self::Eu868 => Some(&EU868),
            Self::Eu433 => Some(&EU433),
            Self::Us915 => Some(&US915),
            Self::Au915 => Some(&AU915),
            Self::Custom => None,
        }
    }

    fn preset(self) -> Option<Preset> {
        let preset = |frequency_hz, bandwidth_hz, spreading_factor, tx_power_dbm| {
            Some(Preset { frequency_hz, bandwidth_hz, spreading_factor, tx_power_dbm })
        };
        match self {
            // The only sub-band with 10 %, which this fills exactly.
            Self::Eu868 => preset(869_525_000, 250_000, 7, 14),
            Self::Eu433 => preset(433_920_000, 250_000, 7, 10),
            Self::Us915 => preset(915_000_000, 500_000, 8, 20),
            Self::Au915 => preset(921_500_000, 500_000, 8, 20),
            Self::Custom => None,
        }
    }
}

/// The duty cycle of a node that does not hop: it stays on one channel for all of the time.
fn stays(dwell: Dwell) -> DutyCycle {
    if dwell.within > WIDER_DWELL_WITHIN { DutyCycle::TWO_PERCENT } else { DutyCycle::FOUR_PERCENT }
}

impl fmt::Display for Region {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The sub-bands of a region, to be told.
struct Permitted(Region);

impl fmt::Display for Permitted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bands = self.0.bands().unwrap_or_default();
        for (number, Band { id: _, span, duty, power_dbm }) in bands.iter().enumerate() {
            let before = if number == 0 { "" } else { ", or " };
            write!(f, "{before}{span} ({duty}, {power_dbm} dBm)")?;
        }
        Ok(())
    }
}
