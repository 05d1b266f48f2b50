//! A world as one file: everything that decides a run, as TOML that people read and write.
//!
//! A [`WorldFile`] says what there is; [`WorldFile::prepare`] makes a [`Scenario`] of it, or refuses it with one sentence that names the line.
//! Nothing has a default: two people who have the same file have the same world. Spec: spec/simulation.md#world-files.

mod media;
mod prepare;
mod prices;
mod schedule;
mod traffic;
mod written;

use std::fmt;

use nexus_air::place::Route;

use crate::expectation::Expectation;
use crate::world::Scenario;

pub use written::{
    Air, Bulk, Cable, Channel, Crash, Cut, Disturb, Driven, Expect, FORMAT, Judged, Messages, Network,
    NetworkKind, Node, Outage, Partition, Price, Propagation, Radio, RegionName, Shadowing, Speaks,
    Telemetry, Voice, Waypoint, WorldFile, Written,
};

/// Why a file is no world: one sentence, and the line that it is about.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Refusal {
    /// From 1; 0 if it is about the whole file.
    pub line: usize,
    /// What is wrong.
    pub sentence: String,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            0 => f.write_str(&self.sentence),
            line => write!(f, "line {line}: {}", self.sentence),
        }
    }
}

impl std::error::Error for Refusal {}

/// A file made ready to run.
#[derive(Clone, Debug)]
pub struct Prepared {
    /// What it is called.
    pub name: String,
    /// The nodes' names, in their order.
    pub nodes: Vec<String>,
    /// Where the nodes are and go, in their order.
    pub routes: Vec<Route>,
    /// The media's names, in their order.
    pub media: Vec<String>,
    /// What happens.
    pub scenario: Scenario,
    /// What its traffic is called, in the order of the scenario's.
    pub flows: Vec<String>,
    /// What must be true of a run.
    pub expectation: Expectation,
}

impl WorldFile {
    /// Reads a file.
    ///
    /// # Errors
    /// If it is no TOML, has keys that mean nothing or lacks some, or what it says cannot be.
    pub fn read(text: &str) -> Result<Self, Refusal> {
        toml::from_str(text).map_err(|error| Refusal {
            line: error.span().map_or(0, |span| line_of(text, span.start)),
            sentence: sentence(error.message()),
        })
    }

    /// The file's text.
    #[must_use]
    pub fn to_text(&self) -> String {
        toml::to_string(self).expect("every value of a world has a form in TOML")
    }

    /// Makes the world of it. `text` is what it was read from, for the lines of refusals.
    ///
    /// # Errors
    /// If what it says cannot be: unknown names, frequencies that no region permits, routes that go back in time.
    pub fn prepare(&self, text: &str) -> Result<Prepared, Refusal> {
        prepare::prepare(self).map_err(|wrong| Refusal {
            line: wrong.at.map_or(0, |at| line_of(text, at)),
            sentence: wrong.sentence,
        })
    }

    /// Reads a file and makes the world of it.
    ///
    /// # Errors
    /// As [`WorldFile::read`] and [`WorldFile::prepare`].
    pub fn load(text: &str) -> Result<Prepared, Refusal> {
        Self::read(text)?.prepare(text)
    }
}

fn line_of(text: &str, offset: usize) -> usize {
    text.char_indices().take_while(|(at, _)| *at < offset).filter(|(_, character)| *character == '\n').count()
        + 1
}

/// What the parser says, as one line.
fn sentence(message: &str) -> String {
    message.trim().replace('\n', " ")
}
