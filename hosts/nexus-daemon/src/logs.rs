//! How much is logged. What a line may name is [`crate::privacy`]'s part. Spec: spec/node.md#logs.

use std::io;
use std::str::FromStr;
use std::sync::{Arc, Mutex};

use thiserror::Error;
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{Registry, fmt, reload};

use crate::privacy::{AtomicPrivacy, Discreet, Privacy};

/// How much is logged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// What keeps the node from its work.
    Error,
    /// What somebody should look at.
    Warn,
    /// Starts, ends, links.
    Info,
    /// Announces, attempts.
    Debug,
    /// Everything.
    Trace,
}

/// What is no level.
#[derive(Debug, PartialEq, Eq, Error)]
#[error("{0:?} is no log level: say \"error\", \"warn\", \"info\", \"debug\" or \"trace\"")]
pub struct NoLevel(String);

impl FromStr for Level {
    type Err = NoLevel;

    fn from_str(text: &str) -> Result<Self, NoLevel> {
        match text {
            "error" => Ok(Self::Error),
            "warn" => Ok(Self::Warn),
            "info" => Ok(Self::Info),
            "debug" => Ok(Self::Debug),
            "trace" => Ok(Self::Trace),
            other => Err(NoLevel(other.to_owned())),
        }
    }
}

impl std::fmt::Display for Level {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Error => "error",
            Self::Warn => "warn",
            Self::Info => "info",
            Self::Debug => "debug",
            Self::Trace => "trace",
        })
    }
}

impl Level {
    const fn filter(self) -> LevelFilter {
        match self {
            Self::Error => LevelFilter::ERROR,
            Self::Warn => LevelFilter::WARN,
            Self::Info => LevelFilter::INFO,
            Self::Debug => LevelFilter::DEBUG,
            Self::Trace => LevelFilter::TRACE,
        }
    }
}

/// The log of this process, on standard error.
#[derive(Clone, Debug)]
pub struct Logs {
    level: Option<reload::Handle<LevelFilter, Registry>>,
    privacy: Arc<AtomicPrivacy>,
}

impl Logs {
    /// Begins to log. In a process that logs already, nothing is different.
    #[must_use]
    pub fn begin(level: Level, privacy: Privacy) -> Self {
        let (filter, handle) = reload::Layer::new(level.filter());
        let privacy = Arc::new(AtomicPrivacy::new(privacy));
        let writer = Discreet { out: Stderr, privacy: Arc::clone(&privacy) };
        let lines = fmt::layer().with_ansi(false).with_target(false).with_writer(Mutex::new(writer));
        let begun = tracing_subscriber::registry().with(filter).with(lines).try_init();
        Self { level: begun.ok().map(|()| handle), privacy }
    }

    /// Logs more or less from here on.
    pub fn set_level(&self, level: Level) {
        if let Some(handle) = &self.level {
            let _process_ends = handle.reload(level.filter());
        }
    }

    /// Names more or less from here on.
    pub fn set_privacy(&self, privacy: Privacy) {
        self.privacy.set(privacy);
    }
}

/// Standard error, which may be gone: a log that cannot be written must not end the node.
#[derive(Debug)]
struct Stderr;

impl io::Write for Stderr {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let _gone = io::Write::write_all(&mut io::stderr(), bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
