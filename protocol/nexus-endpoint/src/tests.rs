//! Endpoints that talk over a relay that loses nothing: what one transmits, all others hear at once.

mod channels;
mod destinations;
mod lawful;
mod links;
mod packets;
mod transfers;
mod world;
