//! What the core knows of a medium: numbers, not drivers.

use core::fmt;

use nexus_machine::Duration;

use crate::lora::{self, Modulation};

/// One interface of this node. The host gives the numbers; they mean nothing outside the process.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct InterfaceId(pub u8);

/// What a driver reports of its medium when it comes up. Source: spec/network.md#interfaces.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Profile {
    /// Which bytes are spoken on it.
    pub mode: Mode,
    /// Who hears a frame.
    pub reach: Reach,
    /// Who may begin to transmit, and when.
    pub access: Access,
    /// Nominal rate in bits per second; 0 if unknown.
    pub bandwidth_bps: u64,
    /// The longest frame that it carries, in bytes.
    pub frame_size: u16,
    /// How long a frame occupies it.
    pub timing: Timing,
    /// How much of the time this node may transmit.
    pub duty: DutyCycle,
    /// The stretch of spectrum whose rules hold; none on what is no radio, or where the operator alone decides.
    pub sub_band: Option<SubBand>,
    /// How many bytes the driver's framing, and what carries it, add to a frame: what is the same for all frames, and the most where it
    /// depends on the peer.
    pub overhead: u16,
    /// What this node asks for carrying a packet out over a link there, in µNXS for 1,024 bytes; 0 is free.
    pub price: u64,
    /// Where it stands among stock nodes. It means something in [`Mode::Reticulum`] only.
    pub role: Role,
    /// How strongly it draws paths: of an emission that was heard on several interfaces in [`Mode::Reticulum`], the one of the greatest
    /// gravity begins the path. Source: spec/reticulum.md#gravity.
    pub gravity: u8,
}

/// A stretch of spectrum in which everything that a node transmits counts together. Source: spec/network.md#duty-cycle.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SubBand {
    /// Which one.
    pub id: SubBandId,
    /// How long this node may stay on a channel there, if that is limited.
    pub dwell: Option<Dwell>,
}

/// The name of a stretch of spectrum: durable, never given to another. Source: spec/network.md#regions.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct SubBandId(pub u8);

/// How long a transmitter may occupy a channel.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Dwell {
    /// So long at most,
    pub most: Duration,
    /// in any such time: at most 20 s.
    pub within: Duration,
}

impl Profile {
    /// How long a frame of `bytes` occupies the medium; no time at all if that is unknown.
    #[must_use]
    pub fn airtime(&self, bytes: usize) -> Duration {
        if let Timing::LoRa(modulation) = self.timing {
            return modulation.airtime(bytes);
        }
        let bits = u64::try_from(bytes).unwrap_or(u64::MAX).saturating_mul(8_000_000);
        Duration::from_micros(bits.checked_div(self.bandwidth_bps).unwrap_or(0))
    }

    /// How many bytes a frame of so many has on the medium, framing included. A radio's modem puts its header before each half of a
    /// frame that it splits.
    #[must_use]
    pub fn bytes_on_medium(&self, frame: usize) -> usize {
        let overhead = usize::from(self.overhead);
        let headers = match self.timing {
            Timing::LoRa(_) if frame > lora::SINGLE_MAX => overhead.saturating_mul(2),
            Timing::LoRa(_) | Timing::Rate => overhead,
        };
        frame.saturating_add(headers)
    }

    /// How long a frame of so many bytes occupies the medium at its nominal rate, framing included; no time at all if that is unknown.
    #[must_use]
    pub fn time_on_medium(&self, frame: usize) -> Duration {
        match self.timing {
            Timing::Rate => self.airtime(self.bytes_on_medium(frame)),
            // A radio's airtime has its modem's header in it.
            Timing::LoRa(_) => self.airtime(frame),
        }
    }

    /// Whether it is a radio or another medium on which a byte is dear: below 10 kbit/s.
    #[must_use]
    pub const fn is_slow(&self) -> bool {
        self.bandwidth_bps > 0 && self.bandwidth_bps < 10_000
    }
}

/// How long frames occupy a medium.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Timing {
    /// Their bits at the nominal rate.
    Rate,
    /// As a LoRa radio sends them.
    LoRa(Modulation),
}

/// How much of any hour a node may transmit, in hundredths of a percent.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct DutyCycle(u16);

impl DutyCycle {
    /// All the time.
    pub const UNLIMITED: Self = Self(Self::WHOLE);
    /// The smallest there is: 0.36 seconds of an hour.
    pub const LEAST: Self = Self(1);
    /// 36 seconds of an hour.
    pub const ONE_PERCENT: Self = Self(100);
    /// 72 seconds of an hour.
    pub const TWO_PERCENT: Self = Self(200);
    /// 144 seconds of an hour.
    pub const FOUR_PERCENT: Self = Self(400);
    /// 6 minutes of an hour.
    pub const TEN_PERCENT: Self = Self(1_000);
    /// 3.6 seconds of an hour.
    pub const TENTH_OF_A_PERCENT: Self = Self(10);
    const WHOLE: u16 = 10_000;

    /// A share of 1 (0.01 %) to 10,000 (all the time); `None` outside that.
    #[must_use]
    pub const fn new(hundredths_of_a_percent: u16) -> Option<Self> {
        if hundredths_of_a_percent == 0 || hundredths_of_a_percent > Self::WHOLE {
            return None;
        }
        Some(Self(hundredths_of_a_percent))
    }

    /// The share, in hundredths of a percent.
    #[must_use]
    pub const fn hundredths_of_a_percent(self) -> u16 {
        self.0
    }

    /// What may be spent of `time`.
    #[must_use]
    pub fn of(self, time: Duration) -> Duration {
        let parts = time.as_micros().saturating_mul(self.0.into());
        Duration::from_micros(parts.checked_div(Self::WHOLE.into()).unwrap_or(0))
    }
}

impl fmt::Display for DutyCycle {
    /// As a percentage: `0.1 %`, `10 %`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (whole, hundredths) = (self.0.div_euclid(100), self.0.rem_euclid(100));
        match (hundredths, hundredths.rem_euclid(10)) {
            (0, _) => write!(f, "{whole} %"),
            (_, 0) => write!(f, "{whole}.{} %", hundredths.div_euclid(10)),
            (_, _) => write!(f, "{whole}.{hundredths:02} %"),
        }
    }
}

/// Which bytes an interface speaks.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Mode {
    /// Sealed frames on neighbour links only: nothing is sent to or believed from a stranger.
    Nexus,
    /// Open Reticulum packets, as stock nodes speak them.
    Reticulum,
}

/// Where an interface in `reticulum` mode stands among stock nodes: what is passed on there, and who is looked for on behalf of whom.
/// Source: spec/reticulum.md#roles.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub enum Role {
    /// Announces go both ways; requests are answered from what is known.
    #[default]
    Full,
    /// The same, on a medium with two ends.
    PointToPoint,
    /// Its peers come and go and hear no announces: they ask, and somebody is looked for on their behalf.
    AccessPoint,
    /// This node itself moves through what is behind it: paths there are short-lived.
    Roaming,
    /// What is behind it differs much from the rest: a slow network, seen from a fast one.
    Boundary,
    /// Somebody is looked for on behalf of those behind it.
    Gateway,
    /// A segment within a network, which boundaries are kept out of.
    Internal,
    /// A program on this machine: no hop lies between it and this node, which speaks for it. No operator chooses that.
    Local,
}

impl Role {
    /// All that an operator may choose.
    pub const ALL: [Self; 7] = [
        Self::Full,
        Self::PointToPoint,
        Self::AccessPoint,
        Self::Roaming,
        Self::Boundary,
        Self::Gateway,
        Self::Internal,
    ];

    /// What operators call it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Full => "full",
            Self::PointToPoint => "point_to_point",
            Self::AccessPoint => "access_point",
            Self::Roaming => "roaming",
            Self::Boundary => "boundary",
            Self::Gateway => "gateway",
            Self::Internal => "internal",
            Self::Local => "local",
        }
    }

    /// The role that operators call so.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.name() == name)
    }
}

/// Who hears what is sent on an interface.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Reach {
    /// One peer (a TCP connection, a pipe, a cable): a frame never needs to go back where it came from.
    PointToPoint,
    /// Everybody in range (a radio channel): a frame passed on is sent there again, because those in this node's range are
    /// not all in the range of whom it heard.
    Shared,
    /// Peers with addresses of their own (a UDP socket): a frame goes to one of them, and one without an address to everybody
    /// who listens for newcomers.
    Addressed,
}

/// Medium access.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Access {
    /// The driver may transmit whenever it is ready: full duplex, or hardware that does its own carrier sense.
    Direct,
    /// Half duplex: listen, else back off by a random number of slots. Source: spec/network.md#medium-access.
    ListenBeforeTalk {
        /// The airtime of the longest frame.
        slot: Duration,
    },
}

/// A peer's address on its medium (an IP address and port, say), opaque to the core. At most [`Endpoint::MAX_LEN`] bytes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Endpoint {
    bytes: [u8; Self::MAX_LEN],
    len: u8,
}

impl Endpoint {
    /// Room for an IPv6 address and a port.
    pub const MAX_LEN: usize = 18;

    /// Takes an address as its driver writes it; `None` if it is longer than [`Endpoint::MAX_LEN`].
    #[must_use]
    pub fn new(address: &[u8]) -> Option<Self> {
        let mut bytes = [0; Self::MAX_LEN];
        bytes.get_mut(..address.len())?.copy_from_slice(address);
        Some(Self { bytes, len: u8::try_from(address.len()).ok()? })
    }

    /// The address as its driver wrote it.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..usize::from(self.len)).unwrap_or_default()
    }
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Endpoint(")?;
        self.as_bytes().iter().try_for_each(|byte| write!(f, "{byte:02x}"))?;
        f.write_str(")")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duty_cycle_is_a_share_of_a_time() {
        let one_percent = DutyCycle::new(100).unwrap();
        assert_eq!(one_percent.of(Duration::from_secs(3_600)), Duration::from_secs(36));
        assert_eq!(DutyCycle::UNLIMITED.of(Duration::from_secs(7)), Duration::from_secs(7));
        assert!(DutyCycle::new(0).is_none() && DutyCycle::new(10_001).is_none());
    }

    #[test]
    fn airtime_is_the_radios_where_there_is_one_and_the_rates_elsewhere() {
        let modulation = Modulation::new(125_000, 9, 5).unwrap();
        let cable = Profile {
            mode: Mode::Nexus,
            reach: Reach::PointToPoint,
            access: Access::Direct,
            bandwidth_bps: 8_000,
            frame_size: 508,
            timing: Timing::Rate,
            duty: DutyCycle::UNLIMITED,
            sub_band: None,
            overhead: 0,
            price: 0,
            role: Role::Full,
            gravity: 0,
        };
        assert_eq!(cable.airtime(100), Duration::from_millis(100));
        let radio = Profile { timing: Timing::LoRa(modulation), ..cable };
        assert_eq!(radio.airtime(100), modulation.airtime(100));
    }

    #[test]
    fn an_endpoint_keeps_its_drivers_bytes_and_refuses_more() {
        assert_eq!(Endpoint::new(&[1, 2, 3]).unwrap().as_bytes(), [1, 2, 3]);
        assert_eq!(Endpoint::new(&[7; 18]).unwrap().as_bytes(), [7; 18]);
        assert_eq!(Endpoint::new(&[7; 19]), None);
        assert_ne!(Endpoint::new(&[0]), Endpoint::new(&[0, 0]));
    }
}
