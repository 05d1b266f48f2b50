//! Where logs go, and how much goes there. What they may name is [`crate::privacy`]'s part. Spec: spec/node.md#logs.

use std::fs::OpenOptions;
use std::io;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Mutex;

use thiserror::Error;
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{Registry, fmt, reload};

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

/// Where logs go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// Standard error.
    Stderr,
    /// A file for this user alone; what is there stays.
    File(PathBuf),
}

/// The log of this process.
#[derive(Clone, Debug)]
pub struct Logs(Option<reload::Handle<LevelFilter, Registry>>);

impl Logs {
    /// Begins to log. In a process that logs already, nothing is different.
    pub fn begin(target: &Target, level: Level) -> io::Result<Self> {
        let (filter, handle) = reload::Layer::new(level.filter());
        let lines = fmt::layer().with_ansi(false).with_target(false);
        let registry = tracing_subscriber::registry().with(filter);
        let begun = match target {
            Target::Stderr => registry.with(lines.with_writer(io::stderr)).try_init(),
            Target::File(path) => registry.with(lines.with_writer(Mutex::new(file(path)?))).try_init(),
        };
        Ok(Self(begun.ok().map(|()| handle)))
    }

    /// Logs more or less from here on.
    pub fn set(&self, level: Level) {
        if let Self(Some(handle)) = self {
            let _process_ends = handle.reload(level.filter());
        }
    }
}

fn file(path: &Path) -> io::Result<std::fs::File> {
    OpenOptions::new().append(true).create(true).mode(0o600).open(path)
}
