//! What a log may name: every line passes through here on its way out. Spec: spec/node.md#privacy.

use std::io::{self, Write};
use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;
use std::sync::Arc;
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

/// A level that can be changed while others read it.
#[derive(Debug)]
pub struct AtomicPrivacy(AtomicU8);

impl AtomicPrivacy {
    /// At this level.
    #[must_use]
    pub fn new(level: Privacy) -> Self {
        let this = Self(AtomicU8::new(0));
        this.set(level);
        this
    }

    /// From here on at this level.
    pub fn set(&self, level: Privacy) {
        let level = match level {
            Privacy::None => 0,
            Privacy::Partial => 1,
            Privacy::Full => 2,
        };
        self.0.store(level, Ordering::Relaxed);
    }

    fn get(&self) -> Privacy {
        match self.0.load(Ordering::Relaxed) {
            0 => Privacy::None,
            1 => Privacy::Partial,
            _ => Privacy::Full,
        }
    }
}

/// What every line of a log passes through: names that its level does not allow are cut out, whoever wrote the line.
#[derive(Debug)]
pub struct Discreet<W> {
    /// Where it goes.
    pub out: W,
    /// What it may name.
    pub privacy: Arc<AtomicPrivacy>,
}

impl<W: Write> Write for Discreet<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self.privacy.get() {
            Privacy::Full => self.out.write_all(bytes)?,
            level => self.out.write_all(discreet(&String::from_utf8_lossy(bytes), level).as_bytes())?,
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

/// Hexadecimal digits in a row from which on they are taken for an id or a hash.
const ID_DIGITS: usize = 16;
/// What is left of an id at the partial level.
const SHORT_DIGITS: usize = 8;

/// `line` without what `level` does not allow.
fn discreet(line: &str, level: Privacy) -> String {
    let mut out = String::with_capacity(line.len());
    let mut rest = line;
    while !rest.is_empty() {
        let word = rest.find(|c| !is_of_a_name(c)).unwrap_or(rest.len());
        let (name, after) = rest.split_at(word);
        shown(name, level, &mut out);
        let gap = after.find(is_of_a_name).unwrap_or(after.len());
        let (between, after) = after.split_at(gap);
        out.push_str(between);
        rest = after;
    }
    out
}

/// What ids and addresses consist of.
fn is_of_a_name(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '.' | ':' | '[' | ']' | '%' | '/')
}

fn shown(name: &str, level: Privacy, out: &mut String) {
    let trimmed = name.trim_end_matches(['.', ':', '/']);
    if is_address_of_somebody(trimmed) {
        out.push_str("(address)");
        out.push_str(&name[trimmed.len()..]);
        return;
    }
    let mut digits = 0;
    for (at, c) in name.char_indices().chain([(name.len(), ' ')]) {
        if c.is_ascii_hexdigit() {
            digits += 1;
            continue;
        }
        let run = &name[at - digits..at];
        match (digits >= ID_DIGITS, level) {
            (false, _) | (true, Privacy::Full) => out.push_str(run),
            (true, Privacy::Partial) => out.push_str(&run[..SHORT_DIGITS]),
            (true, Privacy::None) => out.push_str("(id)"),
        }
        digits = 0;
        if at < name.len() {
            out.push(c);
        }
    }
}

/// An IP address, with or without a port, that is not this machine's loopback and not "all".
fn is_address_of_somebody(text: &str) -> bool {
    let socket = text.parse::<SocketAddr>().map(|address| address.ip());
    let bare = text.trim_start_matches('[').trim_end_matches(']');
    let bare = bare.split('%').next().unwrap_or(bare);
    // A plain number is no address, and neither is a time of day.
    let named = || text.contains(['.', ':']).then(|| bare.parse::<IpAddr>().ok()).flatten();
    socket.ok().or_else(named).is_some_and(|ip| {
        let ip = ip.to_canonical();
        !ip.is_unspecified() && !ip.is_loopback() && !ip.is_multicast()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_shows_no_more_than_its_level_allows() {
        let line = "2026-01-02T03:04:05.678901Z  INFO a link with 00112233445566778899aabbccddeeff came up \
                    at 192.0.2.7:4777, [2001:db8::7]:4777 and fe80::1%2; listens on [::]:4777. retry 12:34:56 127.0.0.1:1";
        assert_eq!(
            discreet(line, Privacy::Partial),
            "2026-01-02T03:04:05.678901Z  INFO a link with 00112233 came up \
             at (address), (address) and (address); listens on [::]:4777. retry 12:34:56 127.0.0.1:1"
        );
        assert_eq!(
            discreet(line, Privacy::None),
            "2026-01-02T03:04:05.678901Z  INFO a link with (id) came up \
             at (address), (address) and (address); listens on [::]:4777. retry 12:34:56 127.0.0.1:1"
        );
    }

    #[test]
    fn a_level_takes_effect_at_once() {
        let privacy = Arc::new(AtomicPrivacy::new(Privacy::Full));
        let mut log = Discreet { out: Vec::new(), privacy: Arc::clone(&privacy) };
        log.write_all(b"0011223344556677 192.0.2.7\n").unwrap();
        privacy.set(Privacy::None);
        log.write_all(b"0011223344556677 192.0.2.7\n").unwrap();
        assert_eq!(log.out, b"0011223344556677 192.0.2.7\n(id) (address)\n");
    }
}
