//! The organ among others of its kind, and among those who cheat.

mod accuracy;
mod cheats;
mod lawful;
mod odds;
mod world;
