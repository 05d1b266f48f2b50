//! Links in a made-up world: nodes, a medium that loses and reorders, and a clock that is turned by hand.

mod agreement;
mod channel;
mod fuzzed;
mod handshakes;
mod hostile;
mod lawful;
mod refused;
mod rekeys;
mod upkeep;
mod world;
