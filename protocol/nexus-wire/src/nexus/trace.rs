//! What a node answers to a trace: how the question came, and how it would send back. Source: spec/wire.md#trace.

use super::Layout;
use super::path_cost::{CompactPathCost, HopCount};
use crate::codec::{DecodeError, EncodeError, Reader, Writer};

/// The body of the answer to a trace: `nonce[8] ‖ clock u64 ms ‖ hops u8 [‖ CompactPathCost]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TraceAnswer {
    /// The eight random bytes of the question.
    pub nonce: [u8; 8],
    /// Unix time in milliseconds by the clock of whoever answers; 0 if it has none.
    pub clock_ms: u64,
    /// Over how many links the question came.
    pub hops: HopCount,
    /// What whoever answers knows of its way to whom it answers; none if it knows no way.
    pub back: Option<CompactPathCost>,
}

impl TraceAnswer {
    /// The length without a way back, in bytes.
    pub const MIN_LEN: usize = 8 + 8 + 1;
    /// The length with one.
    pub const MAX_LEN: usize = Self::MIN_LEN + CompactPathCost::LEN;
}

impl Layout<'_> for TraceAnswer {
    const NAME: &'static str = "trace-answer";

    fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let (nonce, clock_ms) = (reader.array("nonce")?, reader.u64_le("clock_ms")?);
        let hops = HopCount(reader.u8("hops")?);
        let back = if reader.remaining() == 0 { None } else { Some(CompactPathCost::read(reader)?) };
        Ok(Self { nonce, clock_ms, hops, back })
    }

    fn write(&self, out: &mut Writer<'_>) -> Result<(), EncodeError> {
        out.put(&self.nonce)?;
        out.u64_le(self.clock_ms)?;
        out.u8(self.hops.0)?;
        self.back.map_or(Ok(()), |back| back.write(out))
    }

    fn encoded_len(&self) -> usize {
        if self.back.is_some() { Self::MAX_LEN } else { Self::MIN_LEN }
    }
}
