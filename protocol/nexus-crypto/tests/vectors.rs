//! Our bytes against those of running stock nodes (`spec/vectors/reticulum.json`), and our own, fixed for other
//! implementations (`spec/vectors/crypto.json`).

#[path = "vectors/nexus.rs"]
mod nexus;
#[path = "vectors/reticulum.rs"]
mod reticulum;
