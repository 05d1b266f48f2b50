//! The organ among others of its kind, and among those who cheat.
#![allow(
    clippy::disallowed_macros,
    reason = "what cheating gains, and how near odds came, is shown beside its bound"
)]
#![allow(clippy::cast_precision_loss, reason = "deviations are measured in floats; money is not")]

mod accuracy;
mod asking;
mod cheats;
mod lawful;
mod odds;
mod world;
