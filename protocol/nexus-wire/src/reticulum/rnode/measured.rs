//! What a modem measures beside packets. Its documentation leaves these contents open; they are what the published package
//! shows of them when a modem sends them (release 1.5.7). Source: spec/reticulum.md#rnode-measurements.

use super::{AirtimeLimit, Rssi};
use crate::codec::{EncodeError, Reader};
use crate::reticulum::kiss::{Command, Frame};

/// How busy the channel is and how much of that is the modem's own doing: shares of a short and of a long window.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ChannelTime {
    /// How much of the short window the modem transmitted.
    pub airtime_short: AirtimeLimit,
    /// How much of the long one.
    pub airtime_long: AirtimeLimit,
    /// How much of the short window the channel was in use.
    pub load_short: AirtimeLimit,
    /// How much of the long one.
    pub load_long: AirtimeLimit,
    /// What the channel sounds like, from firmwares that say so.
    pub sound: Option<ChannelSound>,
}

/// What a modem hears while nobody sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ChannelSound {
    /// The strength of whatever there is.
    pub present: Rssi,
    /// The noise.
    pub noise_floor: Rssi,
    /// The last interference; none if there was none.
    pub interference: Option<Rssi>,
}

/// What stands in place of an interference.
const NO_INTERFERENCE: u8 = 0xff;

impl ChannelTime {
    /// Reads what stands behind [`Command::STAT_CHANNEL_TIME`]; none if it is of another form.
    #[must_use]
    pub fn read(frame: &Frame<'_>) -> Option<Self> {
        if frame.command != Command::STAT_CHANNEL_TIME {
            return None;
        }
        let mut reader = Reader::new("RNode channel time", frame.data);
        let mut share = |field| reader.u16_be(field).ok().map(AirtimeLimit);
        let (airtime_short, airtime_long) = (share("short airtime")?, share("long airtime")?);
        let (load_short, load_long) = (share("short load")?, share("long load")?);
        let sound = if frame.data.len() == 8 {
            None
        } else {
            let mut strength = |field| reader.u8(field).ok();
            let (present, noise_floor) = (strength("strength")?, strength("noise floor")?);
            let interference = strength("interference")?;
            let interference = (interference != NO_INTERFERENCE).then_some(Rssi(interference));
            Some(ChannelSound { present: Rssi(present), noise_floor: Rssi(noise_floor), interference })
        };
        reader.finish("measurements").ok()?;
        Some(Self { airtime_short, airtime_long, load_short, load_long, sound })
    }

    /// Writes the measurement as a KISS frame: what a virtual modem does.
    pub fn encode<'b>(&self, buffer: &'b mut [u8]) -> Result<&'b mut [u8], EncodeError> {
        let shares = [self.airtime_short, self.airtime_long, self.load_short, self.load_long];
        let mut data = [0; 11];
        for (place, share) in data.chunks_exact_mut(2).zip(shares) {
            place.copy_from_slice(&share.0.to_be_bytes());
        }
        if let (Some(sound), Some(rest)) = (self.sound, data.last_chunk_mut::<3>()) {
            let interference = sound.interference.map_or(NO_INTERFERENCE, |strength| strength.0);
            *rest = [sound.present.0, sound.noise_floor.0, interference];
        }
        let length = if self.sound.is_some() { 11 } else { 8 };
        let data = data.get(..length).unwrap_or_default();
        Frame { command: Command::STAT_CHANNEL_TIME, data }.encode(buffer)
    }
}

/// A modem's battery.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Battery {
    /// Whether it is charged.
    pub state: BatteryState,
    /// How full it is, in percent.
    pub percent: u8,
}

/// What a battery does, as the modem says it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct BatteryState(pub u8);

impl BatteryState {
    /// It is in use.
    pub const DISCHARGING: Self = Self(0x01);
    /// It is charged.
    pub const CHARGING: Self = Self(0x02);
}

impl Battery {
    /// Reads what stands behind [`Command::STAT_BATTERY`]; none if it is of another form.
    #[must_use]
    pub fn read(frame: &Frame<'_>) -> Option<Self> {
        match (frame.command, frame.data) {
            (Command::STAT_BATTERY, [state, percent]) => {
                Some(Self { state: BatteryState(*state), percent: *percent })
            }
            _ => None,
        }
    }
}

/// The temperature of a modem's processor, as the modem sends it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Temperature(pub u8);

impl Temperature {
    /// What the byte is counted from, in degrees Celsius.
    const OFFSET: i16 = 120;

    /// In degrees Celsius: -120 to 135.
    #[must_use]
    pub fn celsius(self) -> i16 {
        i16::from(self.0).saturating_sub(Self::OFFSET)
    }

    /// Reads what stands behind [`Command::STAT_TEMPERATURE`]; none if it is of another form.
    #[must_use]
    pub fn read(frame: &Frame<'_>) -> Option<Self> {
        match (frame.command, frame.data) {
            (Command::STAT_TEMPERATURE, [value]) => Some(Self(*value)),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The bytes that were sent to the published package, and what it said of them.
    #[test]
    fn measurements_mean_what_the_published_package_shows() {
        let frame = |command, data| Frame { command, data };
        let busy = [0, 102, 0, 202, 1, 46, 1, 146, 61, 51, 30];
        let read = ChannelTime::read(&frame(Command::STAT_CHANNEL_TIME, &busy)).unwrap();
        let shares = [read.airtime_short, read.airtime_long, read.load_short, read.load_long];
        assert_eq!(shares.map(|share| share.0), [102, 202, 302, 402]);
        let sound = read.sound.unwrap();
        assert_eq!((sound.noise_floor.dbm(), sound.interference.unwrap().dbm()), (-106, -127));
        let battery = Battery::read(&frame(Command::STAT_BATTERY, &[2, 56])).unwrap();
        assert_eq!(battery, Battery { state: BatteryState::CHARGING, percent: 56 });
        let temperature = Temperature::read(&frame(Command::STAT_TEMPERATURE, &[150])).unwrap();
        assert_eq!(temperature.celsius(), 30);
    }

    #[test]
    fn a_channels_time_is_read_as_it_is_written_and_other_lengths_are_not() {
        let sound = ChannelSound { present: Rssi(60), noise_floor: Rssi(50), interference: None };
        for sound in [None, Some(sound)] {
            let share = AirtimeLimit;
            let time = ChannelTime {
                airtime_short: share(1),
                airtime_long: share(0xc0db),
                load_short: share(3),
                load_long: share(4),
                sound,
            };
            let mut buffer = [0; 64];
            let mut bytes = &*time.encode(&mut buffer).unwrap();
            let mut deframer = crate::reticulum::kiss::Deframer::new(64);
            assert_eq!(ChannelTime::read(&deframer.next_frame(&mut bytes).unwrap()), Some(time));
        }
        for length in (0..20).filter(|length| ![8, 11].contains(length)) {
            let data = [7; 20];
            let frame = Frame { command: Command::STAT_CHANNEL_TIME, data: &data[..length] };
            assert_eq!(ChannelTime::read(&frame), None, "{length}");
        }
    }
}
