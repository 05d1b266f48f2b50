//! `nexus node` as a person and a service manager meet it: real processes, each with a state directory of its own.

#[cfg(test)]
#[path = "node/place.rs"]
mod place;

#[cfg(test)]
#[path = "node/endings.rs"]
mod endings;
#[cfg(test)]
#[path = "node/metrics.rs"]
mod metrics;
#[cfg(test)]
#[path = "node/refusals.rs"]
mod refusals;
#[cfg(test)]
#[path = "node/running.rs"]
mod running;
