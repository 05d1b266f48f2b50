//! The resources of a link, between two machines over a link that loses, repeats and delays, and against peers that mean harm.

mod hostile;
mod lawful;
mod transfers;
mod world;
