//! UDP: one frame a datagram.

mod address;
mod cable;

use nexus_network::{Access, Mode, Profile, Reach};

pub use address::{DEFAULT_PORT, endpoint, resolve, socket_address};
pub use cable::Cable;

/// The longest frame: what stock nodes carry in a datagram, in bytes.
pub const FRAME_SIZE: u16 = 1_064;
/// What is said of a path until it is measured, in bits per second.
pub const NOMINAL_BPS: u64 = 10_000_000;

/// How long a receiver rests after an error: one that lasts, such as a network that is down, must not keep the
/// processor busy.
const AFTER_ERROR: tokio::time::Duration = tokio::time::Duration::from_millis(100);

const fn profile(mode: Mode, reach: Reach, bandwidth_bps: u64) -> Profile {
    Profile { mode, reach, access: Access::Direct, bandwidth_bps, frame_size: FRAME_SIZE }
}
