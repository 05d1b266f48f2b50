//! Our bytes against those of running stock nodes (`spec/vectors/reticulum.json`), and our own, fixed for other
//! implementations (`spec/vectors/crypto.json`, `spec/vectors/noise.json`).

#[path = "vectors/nexus.rs"]
mod nexus;
#[path = "vectors/noise.rs"]
mod noise;
#[path = "vectors/reticulum.rs"]
mod reticulum;
