//! Links in a made-up world: nodes, a medium that loses and reorders, and a clock that is turned by hand.

mod agreement;
mod attacks;
mod channel;
mod faults;
mod floods;
mod fuzzed;
mod handshakes;
mod hostile;
mod lawful;
mod refused;
mod rekeys;
mod suspicion;
mod upkeep;
mod world;
