//! How much of everything a run takes: what a test needs, or what `cargo xtask interop --long` asks for in `NEXUS_LONG_RUN`.

use std::time::Duration;

/// How far a run goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Extent {
    /// As far as a test has to.
    Short,
    /// As far as people do in an evening.
    Long,
}

/// So much, and in a long run so much.
#[derive(Clone, Copy)]
pub(crate) struct Stretch<T> {
    short: T,
    long: T,
}

/// How many messages go each way.
pub(crate) const MESSAGES: Stretch<u32> = Stretch { short: 20, long: 100 };
/// How long a link stands.
pub(crate) const LINK: Stretch<Duration> = Stretch { short: Duration::ZERO, long: Duration::from_mins(10) };

impl Extent {
    pub(crate) fn of_this_run() -> Self {
        if std::env::var_os("NEXUS_LONG_RUN").is_some() { Self::Long } else { Self::Short }
    }

    pub(crate) fn of<T: Copy>(self, stretch: Stretch<T>) -> T {
        match self {
            Self::Short => stretch.short,
            Self::Long => stretch.long,
        }
    }
}
