//! Relays among stock nodes: what stock endpoints say in clear crosses any mixture of stock segments and links.

mod access;
mod carried;
mod circuits;
mod endpoint;
mod packets;
mod refused;
mod world;
