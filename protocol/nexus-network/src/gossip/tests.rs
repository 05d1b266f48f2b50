//! The organ among its like, under neighbours that lie, and held to the laws.

mod beside;
mod budget;
mod convergence;
mod hostile;
mod lawful;
mod passing;
mod talking;
pub(super) mod world;
