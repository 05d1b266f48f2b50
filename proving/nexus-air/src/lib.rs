//! The radio medium and the modems on it: what a LoRa channel does to frames, and modems that are not there.
//!
//! Everything below [`live`] is deterministic: time is an argument, randomness is forked from one seed, and the same calls
//! give the same transmissions, byte by byte. A simulator drives it in virtual time; [`live`] drives it with the machine's
//! clock and opens terminals and TCP ports at which programs find modems.
//!
//! | module | what it offers |
//! |---|---|
//! | [`channel`] | [`Channel`], [`Signal`]: how a radio is tuned, and what arrives of another's power |
//! | [`place`] | [`Position`], [`Route`]: where radios are, and how they move |
//! | [`propagation`] | [`Scenario`], [`Shadowing`], sensitivity: how much of a power arrives, and how little suffices |
//! | [`hearing`] | [`Hearing`]: who hears whom |
//! | [`air`] | [`Air`]: transmissions, carrier sense, what each radio receives of them |
//! | [`survival`] | what is left of a transmission that others disturbed: the only place that decides it |
//! | [`record`] | [`Transmission`], [`record::packets`], [`Meter`]: everything that was on the air, for judges |
//! | [`law`] | [`LawMeter`]: what regulators allow, metered by itself |
//! | [`rnode`] | [`Rnode`]: a modem's firmware, from the bytes of its host to the air and back |
//! | [`fleet`] | [`Fleet`]: modems on one air, under one clock |
//! | [`live`] | [`live::House`]: a fleet in real time, on pseudoterminals and TCP ports |
//!
//! Spec: `spec/air.md`.

pub mod air;
pub mod channel;
pub mod clock;
pub mod fleet;
pub mod hearing;
pub mod law;
pub mod live;
pub mod place;
pub mod propagation;
pub mod record;
pub mod rnode;
pub mod sensing;
pub mod survival;

pub use air::{Air, Burst, Event, Faults};
pub use channel::{Channel, RadioId, Signal};
pub use clock::Clock;
pub use fleet::Fleet;
pub use hearing::{Arrival, Direction, Hearing, Station, Voice};
pub use law::{Breach, Emission, Law, LawMeter};
pub use place::{Position, Route, Waypoint};
pub use propagation::{Millibels, Scenario, Shadowing};
pub use record::{Meter, Outcome, Recording, Transmission};
pub use rnode::{Model, Rnode};
pub use survival::Capture;
