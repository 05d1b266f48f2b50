//! One step of a packet: over a link, or in clear.

use crate::interface::InterfaceId;
use crate::links::LinkId;
use crate::routes::NextHop;

/// How a packet comes from a neighbour, or goes to one. Every table of this organ speaks in these, so that packets, proofs and circuits
/// cross any mixture of links and stock segments.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hop {
    /// Over a link.
    Link(LinkId),
    /// In clear, on an interface in `reticulum` mode.
    Clear(InterfaceId),
}

/// Of what kind a hop is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Link,
    Clear,
}

/// Who is behind a hop, by a name that outlasts links, connections and the process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct HopName {
    pub(crate) kind: Kind,
    /// Of a link the peer's identity; in clear the tunnel that is up there, or else the interface with its properties.
    pub(crate) bytes: [u8; HopName::LEN],
}

impl HopName {
    pub(crate) const LEN: usize = 16;
}

impl Hop {
    pub(crate) const fn kind(self) -> Kind {
        match self {
            Self::Link(_) => Kind::Link,
            Self::Clear(_) => Kind::Clear,
        }
    }

    /// The link, if it is one.
    #[must_use]
    pub const fn link(self) -> Option<LinkId> {
        match self {
            Self::Link(link) => Some(link),
            Self::Clear(_) => None,
        }
    }
}

impl From<NextHop> for Hop {
    fn from(next_hop: NextHop) -> Self {
        match next_hop {
            NextHop::Link { link, .. } => Self::Link(link),
            NextHop::Clear(iface) => Self::Clear(iface),
        }
    }
}
