//! What a log may name. The only way in which ids and addresses reach a log. Spec: spec/node.md#privacy.

use std::fmt;
use std::net::SocketAddr;
use std::str::FromStr;
use std::sync::atomic::{AtomicU8, Ordering};

use thiserror::Error;

/// What a log may name. At no level a message, a seed, a key or a passphrase: nothing that is logged has them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum Privacy {
    /// No node ids, no addresses.
    None,
    /// Node ids shortened to eight digits, no addresses of peers.
    #[default]
    Partial,
    /// Both, to look for a fault.
    Full,
}

/// What is no privacy level.
#[derive(Debug, PartialEq, Eq, Error)]
#[error("{0:?} is no privacy level: say \"none\", \"partial\" or \"full\"")]
pub struct NoPrivacy(String);

impl FromStr for Privacy {
    type Err = NoPrivacy;

    fn from_str(text: &str) -> Result<Self, NoPrivacy> {
        match text {
            "none" => Ok(Self::None),
            "partial" => Ok(Self::Partial),
            "full" => Ok(Self::Full),
            other => Err(NoPrivacy(other.to_owned())),
        }
    }
}

/// The process's level: one for all that it logs.
static LEVEL: AtomicU8 = AtomicU8::new(0);

impl Privacy {
    /// Makes this the level of the process.
    pub fn set(self) {
        let level = match self {
            Self::None => 0,
            Self::Partial => 1,
            Self::Full => 2,
        };
        LEVEL.store(level, Ordering::Relaxed);
    }

    /// The level of the process. Before it is set, the strictest.
    #[must_use]
    pub fn level() -> Self {
        match LEVEL.load(Ordering::Relaxed) {
            0 => Self::None,
            1 => Self::Partial,
            _ => Self::Full,
        }
    }
}

/// A node id or a hash, as a log may show it.
#[derive(Clone, Copy, Debug)]
pub struct Shown<T>(pub T);

impl<T: AsRef<[u8]>> fmt::Display for Shown<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.at(Privacy::level(), f)
    }
}

impl<T: AsRef<[u8]>> Shown<T> {
    fn at(&self, level: Privacy, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bytes = self.0.as_ref();
        let shown = match level {
            Privacy::None => return f.write_str("a node"),
            Privacy::Partial => bytes.get(..4).unwrap_or(bytes),
            Privacy::Full => bytes,
        };
        shown.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// The address of a peer, as a log may show it.
#[derive(Clone, Copy, Debug)]
pub struct ShownAddress(pub SocketAddr);

impl fmt::Display for ShownAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match Privacy::level() {
            Privacy::None | Privacy::Partial => f.write_str("an address"),
            Privacy::Full => self.0.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct At(Privacy);

    impl fmt::Display for At {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            Shown([0xab; 16]).at(self.0, f)
        }
    }

    #[test]
    fn a_level_shows_no_more_than_it_says() {
        assert_eq!(At(Privacy::None).to_string(), "a node");
        assert_eq!(At(Privacy::Partial).to_string(), "abababab");
        assert_eq!(At(Privacy::Full).to_string(), "ab".repeat(16));
    }
}
