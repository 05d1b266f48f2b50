//! The first byte of a packet. Source: spec/reticulum.md#flags.

/// The flags byte of a packet: five fields, every combination of which exists.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Flags(u8);

/// Bit 6: whether the transport id of the next relay stands before the destination.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum HeaderType {
    /// `HEADER_1`: 19 bytes, one address.
    One,
    /// `HEADER_2`: 35 bytes, transport id and address.
    Two,
}

/// Bit 5: what it means depends on the packet; in an announce, that a ratchet is present.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ContextFlag {
    /// Not set.
    Clear,
    /// Set.
    Set,
}

/// Bit 4: whether the packet travels along paths that relays know.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Propagation {
    /// For whoever hears it.
    Broadcast,
    /// For the relay named by its transport id.
    Transport,
}

/// Bits 3–2: what the destination is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DestinationType {
    /// One identity's destination.
    Single,
    /// Holders of a shared key. Never leaves the local link.
    Group,
    /// Anybody, in clear. Never leaves the local link.
    Plain,
    /// The other end of a link.
    Link,
}

/// Bits 1–0: what the packet is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PacketType {
    /// Anything for a destination.
    Data,
    /// A destination makes itself known.
    Announce,
    /// Asks a destination for a link.
    LinkRequest,
    /// Proves that a packet arrived, or a link.
    Proof,
}

impl Flags {
    /// Bit 7: access codes are present ([`ifac`](super::ifac)). Never set in a packet proper.
    pub const IFAC: u8 = 0x80;
    const HEADER_2: u8 = 0x40;
    const CONTEXT: u8 = 0x20;
    const TRANSPORT: u8 = 0x10;
    /// What a packet's hash covers of its flags: destination and packet type.
    const HASHED: u8 = 0x0f;

    /// The byte as it came.
    #[must_use]
    pub const fn from_byte(byte: u8) -> Self {
        Self(byte)
    }

    /// The byte of these fields, without access codes.
    #[must_use]
    pub const fn new(
        header: HeaderType,
        context: ContextFlag,
        propagation: Propagation,
        destination: DestinationType,
        packet: PacketType,
    ) -> Self {
        let header = match header {
            HeaderType::One => 0,
            HeaderType::Two => Self::HEADER_2,
        };
        let context = match context {
            ContextFlag::Clear => 0,
            ContextFlag::Set => Self::CONTEXT,
        };
        let propagation = match propagation {
            Propagation::Broadcast => 0,
            Propagation::Transport => Self::TRANSPORT,
        };
        let destination = match destination {
            DestinationType::Single => 0x00,
            DestinationType::Group => 0x04,
            DestinationType::Plain => 0x08,
            DestinationType::Link => 0x0c,
        };
        let packet = match packet {
            PacketType::Data => 0,
            PacketType::Announce => 1,
            PacketType::LinkRequest => 2,
            PacketType::Proof => 3,
        };
        Self(header | context | propagation | destination | packet)
    }

    /// The byte on the wire.
    #[must_use]
    pub const fn byte(self) -> u8 {
        self.0
    }

    /// Whether access codes are present: then this is not yet a packet.
    #[must_use]
    pub const fn has_ifac(self) -> bool {
        self.0 & Self::IFAC != 0
    }

    /// Whether a transport id stands before the destination.
    #[must_use]
    pub const fn header_type(self) -> HeaderType {
        if self.0 & Self::HEADER_2 == 0 { HeaderType::One } else { HeaderType::Two }
    }

    /// The context flag.
    #[must_use]
    pub const fn context_flag(self) -> ContextFlag {
        if self.0 & Self::CONTEXT == 0 { ContextFlag::Clear } else { ContextFlag::Set }
    }

    /// How the packet travels.
    #[must_use]
    pub const fn propagation(self) -> Propagation {
        if self.0 & Self::TRANSPORT == 0 { Propagation::Broadcast } else { Propagation::Transport }
    }

    /// What the destination is.
    #[must_use]
    pub const fn destination_type(self) -> DestinationType {
        match self.0 & 0x0c {
            0x00 => DestinationType::Single,
            0x04 => DestinationType::Group,
            0x08 => DestinationType::Plain,
            _ => DestinationType::Link,
        }
    }

    /// What the packet is.
    #[must_use]
    pub const fn packet_type(self) -> PacketType {
        match self.0 & 0x03 {
            0 => PacketType::Data,
            1 => PacketType::Announce,
            2 => PacketType::LinkRequest,
            _ => PacketType::Proof,
        }
    }

    /// The bits that a packet's hash covers.
    #[must_use]
    pub const fn hashed(self) -> u8 {
        self.0 & Self::HASHED
    }

    /// These flags once a transport id is inserted. Source: spec/reticulum.md#header-rewriting.
    #[must_use]
    pub const fn in_transport(self) -> Self {
        Self(Self::HEADER_2 | Self::TRANSPORT | self.end_to_end())
    }

    /// These flags once the last relay has taken the transport id out. Source: spec/reticulum.md#header-rewriting.
    #[must_use]
    pub const fn out_of_transport(self) -> Self {
        Self(self.end_to_end())
    }

    /// What of the flags survives a rewrite. The context flag is lost, as in stock relays, except in an announce, where
    /// it says how the payload is to be read.
    const fn end_to_end(self) -> u8 {
        match self.packet_type() {
            PacketType::Announce => self.0 & (Self::HASHED | Self::CONTEXT),
            PacketType::Data | PacketType::LinkRequest | PacketType::Proof => self.0 & Self::HASHED,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_is_its_fields() {
        for byte in 0..0x80 {
            let flags = Flags::from_byte(byte);
            let again = Flags::new(
                flags.header_type(),
                flags.context_flag(),
                flags.propagation(),
                flags.destination_type(),
                flags.packet_type(),
            );
            assert_eq!(again.byte(), byte);
        }
        assert!(Flags::from_byte(0x80).has_ifac() && !Flags::from_byte(0x7f).has_ifac());
    }

    #[test]
    fn rewriting_gives_the_first_bytes_that_stock_relays_send() {
        let inserted = |byte| Flags::from_byte(byte).in_transport().byte();
        assert_eq!([0x00, 0x01, 0x21, 0x02, 0x20].map(inserted), [0x50, 0x51, 0x71, 0x52, 0x50]);
        let stripped = |byte| Flags::from_byte(byte).out_of_transport().byte();
        assert_eq!([0x50, 0x51, 0x71, 0x52, 0x70].map(stripped), [0x00, 0x01, 0x21, 0x02, 0x00]);
    }
}
