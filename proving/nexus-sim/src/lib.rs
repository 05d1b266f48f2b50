//! Worlds.
pub mod actor;
pub mod clock;
pub mod disk;
pub mod layout;
pub mod medium;
pub mod observation;
pub mod queue;
pub mod schedule;
pub mod trace;
pub mod world;
