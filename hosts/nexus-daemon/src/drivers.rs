//! The drivers: each moves frames between one kind of medium and the loop, and knows nothing of what they say.

pub mod udp;
