//! Organs that give each other keys and hear each other, over links that carry what a test lets through.

mod forging;
mod giving;
mod lawful;
mod speaking;
mod world;
