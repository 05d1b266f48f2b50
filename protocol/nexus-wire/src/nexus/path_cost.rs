//! What a path costs, and what a relay adds to it. Source: spec/wire.md#path-cost.

use nexus_crypto::{DestinationHash, NodeId, hash};

use super::Layout;
use super::code::{BandwidthCode, PriceCode};
use crate::codec::{DecodeError, EncodeError, Fault, Reader, Writer};

/// The cost of a path as a code, or unknown. Orders by cost; unknown is the last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CostCode {
    /// This much.
    Known(PriceCode),
    /// Some hop did not say: no packet is sent on it for money.
    Unknown,
}

impl CostCode {
    /// Nothing is charged.
    pub const FREE: Self = Self::Known(PriceCode::FREE);
    /// How "unknown" is written.
    const UNKNOWN: u16 = 0xffff;

    /// The code written as `code`, if it exists.
    #[must_use]
    pub const fn from_wire(code: u16) -> Option<Self> {
        match PriceCode::new(code) {
            Some(price) => Some(Self::Known(price)),
            None if code == Self::UNKNOWN => Some(Self::Unknown),
            None => None,
        }
    }

    /// How it is written.
    #[must_use]
    pub const fn to_wire(self) -> u16 {
        match self {
            Self::Known(code) => code.get(),
            Self::Unknown => Self::UNKNOWN,
        }
    }

    /// The cost in µNXS per 1,024 bytes, unless unknown.
    #[must_use]
    pub fn price(self) -> Option<u64> {
        match self {
            Self::Known(code) => Some(code.price()),
            Self::Unknown => None,
        }
    }
}

/// A one-way latency in milliseconds, saturating at 65.535 s.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct LatencyMs(pub u16);

impl LatencyMs {
    /// `ms` milliseconds, or the largest latency that can be said.
    #[must_use]
    pub fn saturating(ms: u64) -> Self {
        Self(u16::try_from(ms).unwrap_or(u16::MAX))
    }
}

/// How many NEXUS nodes relayed it, saturating at 255.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct HopCount(pub u8);

impl HopCount {
    /// One hop more.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }
}

/// Which of the costs that were sent out for one emission of an announce: 0 with the emission, up to 63.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Generation(u8);

impl Generation {
    /// The one that goes out with the announce.
    pub const FIRST: Self = Self(0);
    /// The last one; what follows is another emission.
    pub const LAST: Self = Self(63);

    /// The generation with this number, if it is at most 63.
    #[must_use]
    pub const fn new(number: u8) -> Option<Self> {
        if number <= Self::LAST.0 { Some(Self(number)) } else { None }
    }

    /// The one after this; none after the last.
    #[must_use]
    pub const fn next(self) -> Option<Self> {
        Self::new(self.0.saturating_add(1))
    }

    /// The number, 0 to 63.
    #[must_use]
    pub const fn get(self) -> u8 {
        self.0
    }
}

/// `CompactPathCost`: what a path costs, as its last relay says it. A quote: nobody is paid above it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct CompactPathCost {
    /// The sum over all hops.
    pub cumulative_cost: CostCode,
    /// The largest one-way latency of any hop.
    pub worst_latency: LatencyMs,
    /// The smallest bandwidth of any hop that is known.
    pub bottleneck: BandwidthCode,
    /// NEXUS hops.
    pub hops: HopCount,
}

impl CompactPathCost {
    /// Its length on the wire, in bytes.
    pub const LEN: usize = 6;

    /// The cost of a path that ends where it begins: what a destination says of itself.
    pub const ORIGIN: Self = Self {
        cumulative_cost: CostCode::FREE,
        worst_latency: LatencyMs(0),
        bottleneck: BandwidthCode::UNKNOWN,
        hops: HopCount(0),
    };

    /// What a relay passes on: this cost with its own `hop` added.
    ///
    /// Prices add up on decoded values, saturating; the sum is rounded without bias by `draw` ([rounding to nearest lets
    /// a small price vanish, rounding up inflates ten hops by half]). An unknown cost stays unknown, an unknown
    /// bandwidth leaves the other one standing.
    #[must_use]
    pub fn relayed(self, hop: &Hop, draw: &Draw) -> Self {
        let cumulative_cost = match self.cumulative_cost {
            CostCode::Known(code) => {
                let sum = code.price().saturating_add(hop.price);
                CostCode::Known(PriceCode::rounded_without_bias(sum, || draw.value()))
            }
            CostCode::Unknown => CostCode::Unknown,
        };
        Self {
            cumulative_cost,
            worst_latency: self.worst_latency.max(hop.latency),
            bottleneck: self.bottleneck.narrower(hop.bandwidth),
            hops: self.hops.next(),
        }
    }
}

/// What a relay charges and measures on the hop that it adds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hop {
    /// Its price in µNXS per 1,024 bytes.
    pub price: u64,
    /// The one-way latency of the link to the next hop, as measured.
    pub latency: LatencyMs,
    /// The bandwidth of that link, as measured.
    pub bandwidth: BandwidthCode,
}

/// What the rounding of one relay's sum is drawn from: everybody can check it, nobody can choose it freely, and every
/// emission and generation draws again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Draw {
    /// Where the path leads.
    pub destination: DestinationHash,
    /// The random hash of the announce's emission (5 random bytes, 5 bytes of time).
    pub random_hash: [u8; 10],
    /// The generation of the cost that is passed on.
    pub generation: Generation,
    /// Who passes it on.
    pub relay: NodeId,
}

impl Draw {
    /// The first 8 bytes, little-endian, of
    /// `BLAKE3("nexus cost v1" ‖ destination ‖ random_hash ‖ generation u8 ‖ relay)`.
    #[must_use]
    pub fn value(&self) -> u64 {
        let digest = hash::blake3(&[
            b"nexus cost v1",
            self.destination.as_bytes(),
            &self.random_hash,
            &[self.generation.get()],
            self.relay.as_bytes(),
        ]);
        u64::from_le_bytes(hash::truncate(&digest))
    }
}

impl Layout<'_> for CompactPathCost {
    const NAME: &'static str = "compact-path-cost";

    fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let cost = CostCode::from_wire(reader.u16_le("cumulative_cost")?);
        Ok(Self {
            cumulative_cost: cost.ok_or(reader.error("cumulative_cost", Fault::Value))?,
            worst_latency: LatencyMs(reader.u16_le("worst_latency_ms")?),
            bottleneck: BandwidthCode(reader.u8("bottleneck_bps")?),
            hops: HopCount(reader.u8("hop_count")?),
        })
    }

    fn write(&self, out: &mut Writer<'_>) -> Result<(), EncodeError> {
        out.u16_le(self.cumulative_cost.to_wire())?;
        out.u16_le(self.worst_latency.0)?;
        out.u8(self.bottleneck.0)?;
        out.u8(self.hops.0)
    }

    fn encoded_len(&self) -> usize {
        Self::LEN
    }
}

const _: () = assert!(size_of::<CompactPathCost>() <= 8, "a routing entry holds one");
