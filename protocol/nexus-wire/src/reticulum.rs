//! Reticulum's formats: big-endian, not ours to choose. Spec: `spec/reticulum.md`.
//!
//! What a relay needs, and no more: the payloads that endpoints encrypt for each other pass as bytes.
//!
//! | module | what it offers |
//! |---|---|
//! | [`packet`] | [`Packet`]: header, hashes; [`flags`] and [`context`] are its first byte and its last |
//! | [`relay`] | [`PacketMut`]: rewriting headers in the caller's buffer |
//! | [`announce`] | [`Announce`]: who is reachable, signed; [`RandomHash`]: which emission it is |
//! | [`hashes`] | packet hashes, link ids, tunnel ids: none may stand for another |

pub mod announce;
pub mod context;
pub mod flags;
pub mod hashes;
pub mod packet;
pub mod relay;

pub use announce::{Announce, RandomHash};
pub use context::Context;
pub use flags::{ContextFlag, DestinationType, Flags, HeaderType, PacketType, Propagation};
pub use hashes::{LinkId, PacketHash, TruncatedPacketHash, TunnelId};
pub use packet::{Hops, Packet};
pub use relay::{PacketMut, RewriteError};

/// The base MTU, the same in the whole network, in bytes. Access codes of an interface (the `ifac` module) come on top.
/// Links may negotiate more, so no type assumes it. Source: spec/reticulum.md#constants.
pub const MTU: usize = 500;
