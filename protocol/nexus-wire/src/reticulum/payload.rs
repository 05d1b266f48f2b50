//! What the packets of one kind carry, and how they are sent.

use super::Packet;
use crate::codec::{EncodeError, Writer};

/// The payload of one kind of packet, with the header that it travels behind.
pub trait Payload {
    /// The header of the packet in which its originator sends it.
    fn originating_header(&self) -> Packet<'static>;

    /// Appends the payload to `out`.
    fn write(&self, out: &mut Writer<'_>) -> Result<(), EncodeError>;

    /// Writes it to the front of `buffer` as a packet, as its originator sends it.
    fn encode<'b>(&self, buffer: &'b mut [u8]) -> Result<&'b mut [u8], EncodeError> {
        self.encode_behind(&self.originating_header(), buffer)
    }

    /// Writes it behind the header of `packet`, which must be one that it can be read from again.
    fn encode_behind<'b>(
        &self,
        packet: &Packet<'_>,
        buffer: &'b mut [u8],
    ) -> Result<&'b mut [u8], EncodeError> {
        let mut writer = Writer::new(buffer);
        packet.put_header(&mut writer)?;
        self.write(&mut writer)?;
        Ok(writer.finish())
    }
}
