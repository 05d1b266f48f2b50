//! The drivers: each moves frames between one kind of medium and the loop, and knows nothing of what they say.

pub mod auto;
mod backoff;
pub mod local;
pub mod memory;
mod networks;
pub mod pipe;
mod port;
pub mod rnode;
pub mod serial;
mod stream;
pub mod tcp;
pub mod udp;
