//! The context byte of a packet. Source: spec/reticulum.md#context.

/// What a packet is about. A relay passes every value on, known or not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Context(pub u8);

impl Context {
    /// Nothing special.
    pub const NONE: Self = Self(0x00);
    /// Part of a resource.
    pub const RESOURCE: Self = Self(0x01);
    /// A resource is offered.
    pub const RESOURCE_ADVERTISEMENT: Self = Self(0x02);
    /// Parts of a resource are asked for.
    pub const RESOURCE_REQUEST: Self = Self(0x03);
    /// More part hashes of a resource.
    pub const RESOURCE_HASHMAP_UPDATE: Self = Self(0x04);
    /// A resource arrived whole.
    pub const RESOURCE_PROOF: Self = Self(0x05);
    /// The sender of a resource gives up.
    pub const RESOURCE_INITIATOR_CANCEL: Self = Self(0x06);
    /// The receiver of a resource wants no more of it.
    pub const RESOURCE_RECEIVER_CANCEL: Self = Self(0x07);
    /// Asks relays for a packet that they may have kept.
    pub const CACHE_REQUEST: Self = Self(0x08);
    /// A request on a link.
    pub const REQUEST: Self = Self(0x09);
    /// The response to a request.
    pub const RESPONSE: Self = Self(0x0a);
    /// An announce that answers a path request: never rebroadcast further.
    pub const PATH_RESPONSE: Self = Self(0x0b);
    /// A command.
    pub const COMMAND: Self = Self(0x0c);
    /// How a command fares.
    pub const COMMAND_STATUS: Self = Self(0x0d);
    /// A message of a channel.
    pub const CHANNEL: Self = Self(0x0e);
    /// A NEXUS end-to-end envelope. Source: spec/wire.md#end-to-end.
    pub const NEXUS: Self = Self(0x4e);
    /// A link is kept alive: one byte, in clear.
    pub const KEEPALIVE: Self = Self(0xfa);
    /// The initiator of a link says who it is.
    pub const LINK_IDENTIFY: Self = Self(0xfb);
    /// A link is closed.
    pub const LINK_CLOSE: Self = Self(0xfc);
    /// A proof of a packet on a link.
    pub const LINK_PROOF: Self = Self(0xfd);
    /// The initiator's measured round-trip time: makes the link active.
    pub const LINK_RTT: Self = Self(0xfe);
    /// The proof that answers a link request.
    pub const LINK_REQUEST_PROOF: Self = Self(0xff);

    /// Whether packets of this context repeat legitimately, so that a relay does not drop a second copy.
    #[must_use]
    pub const fn may_repeat(self) -> bool {
        matches!(
            self,
            Self::KEEPALIVE
                | Self::RESOURCE_REQUEST
                | Self::RESOURCE_PROOF
                | Self::RESOURCE
                | Self::CACHE_REQUEST
                | Self::CHANNEL
        )
    }
}
