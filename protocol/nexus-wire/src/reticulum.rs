//! Reticulum's formats: big-endian, not ours to choose. Spec: `spec/reticulum.md`.
//!
//! What relays need, and what the two ends of a link say to each other.
//!
//! | module | what it offers |
//! |---|---|
//! | [`packet`] | [`Packet`]: header, hashes; [`flags`] and [`context`] are its first byte and its last |
//! | [`relay`] | [`PacketMut`]: rewriting headers in the caller's buffer |
//! | [`announce`] | [`Announce`]: who is reachable, signed; [`RandomHash`]: which emission it is |
//! | [`payload`] | [`Payload`]: how what follows is sent |
//! | [`proof`] | [`Proof`]: a packet arrived |
//! | [`link`] | [`LinkRequest`], [`LinkProof`], and what relays negotiate of them |
//! | [`resource`], [`request`], [`channel`] | what the ends of a link say, in [`msgpack`] or not |
//! | [`lxmf`] | messages between people, and what propagation nodes are told |
//! | [`path_request`] | [`PathRequest`]: who knows a path? |
//! | [`tunnel`] | [`TunnelSynthesis`]: a lost connection is back |
//! | [`hashes`] | packet hashes, link ids, tunnel ids: none may stand for another |
//! | [`ifac`] | [`Ifac`]: access codes of an interface |
//! | [`hdlc`], [`kiss`] | frames in byte streams |
//! | [`rnode`] | the host protocol of RNodes |

pub mod announce;
pub mod channel;
pub mod context;
pub mod flags;
pub mod hashes;
pub mod hdlc;
pub mod ifac;
pub mod kiss;
pub mod link;
pub mod lxmf;
pub mod msgpack;
pub mod packet;
pub mod path_request;
pub mod payload;
pub mod proof;
pub mod relay;
pub mod request;
pub mod resource;
pub mod rnode;
mod stuffing;
pub mod tunnel;

pub use announce::{Announce, RandomHash};
pub use context::Context;
pub use flags::{ContextFlag, DestinationType, Flags, HeaderType, PacketType, Propagation};
pub use hashes::{LinkId, PacketHash, TruncatedPacketHash, TunnelId};
pub use ifac::Ifac;
pub use link::{LinkMtu, LinkProof, LinkRequest};
pub use packet::{Hops, Packet};
pub use path_request::PathRequest;
pub use payload::Payload;
pub use proof::Proof;
pub use relay::{PacketMut, RewriteError};
pub use stuffing::DroppedFrames;
pub use tunnel::TunnelSynthesis;

/// The base MTU, the same in the whole network, in bytes. Access codes of an interface ([`ifac`]) come on top.
/// Links may negotiate more, so no type assumes it. Source: spec/reticulum.md#constants.
pub const MTU: usize = 500;
