//! Where a passphrase comes from: the terminal, a file descriptor or a systemd credential; never an argument or the environment,
//! which other processes can read. Spec: spec/node.md#key-files.

use std::fs::File;
use std::io::{self, BufRead as _, BufReader, Read as _};
use std::path::PathBuf;
use std::str::FromStr;

use thiserror::Error;
use zeroize::Zeroizing;

use crate::keyboard::Keyboard;

/// The longest passphrase, in bytes.
const MAX_LEN: u64 = 1_024;

/// Where a passphrase comes from.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub enum Source {
    /// Nowhere: a locked key file cannot be opened.
    #[default]
    None,
    /// The terminal, without echo.
    Terminal,
    /// The first line of an open file descriptor.
    Descriptor(u32),
    /// The first line of a credential that systemd passes.
    Credential(String),
}

/// Why there is no passphrase.
#[derive(Debug, Error)]
pub enum PassphraseError {
    /// No source was named.
    #[error(
        "no source of a passphrase is named (`passphrase = \"terminal\"`, \"fd:3\" or \"credential:NAME\")"
    )]
    NoSource,
    /// The source does not give it.
    #[error("no passphrase came from {from}: {cause}")]
    Unreadable {
        /// The source, for people.
        from: String,
        /// What the system says.
        cause: io::Error,
    },
    /// It is empty.
    #[error("the passphrase from {0} is empty")]
    Empty(String),
    /// systemd passes no credentials.
    #[error("systemd passed no credentials (CREDENTIALS_DIRECTORY is not set)")]
    NoCredentials,
}

/// What is no source. Not repeated: it may be a passphrase, written where none belongs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("this is no source of a passphrase: say \"terminal\", \"fd:NUMBER\" or \"credential:NAME\"")]
pub struct NoSource;

impl FromStr for Source {
    type Err = NoSource;

    fn from_str(text: &str) -> Result<Self, NoSource> {
        match text.split_once(':') {
            None if text == "terminal" => Ok(Self::Terminal),
            Some(("fd", number)) => number.parse().map(Self::Descriptor).map_err(|_| NoSource),
            // A name, not a path: it must not lead out of the directory of credentials.
            Some(("credential", name)) if !name.is_empty() && !name.contains('/') && name != ".." => {
                Ok(Self::Credential(name.to_owned()))
            }
            _ => Err(NoSource),
        }
    }
}

impl Source {
    /// As it is written in a configuration or an argument.
    #[must_use]
    pub fn to_argument(&self) -> String {
        match self {
            Self::None => String::new(),
            Self::Terminal => "terminal".to_owned(),
            Self::Descriptor(number) => format!("fd:{number}"),
            Self::Credential(name) => format!("credential:{name}"),
        }
    }

    /// The passphrase, without the end of its line. A terminal shows `prompt`.
    pub fn read(&self, prompt: &str) -> Result<Zeroizing<Vec<u8>>, PassphraseError> {
        let from = self.to_string();
        let line = match self {
            Self::None => return Err(PassphraseError::NoSource),
            Self::Terminal => from_terminal(prompt),
            Self::Descriptor(number) => File::open(format!("/proc/self/fd/{number}")).and_then(first_line),
            Self::Credential(name) => {
                let directory = std::env::var_os("CREDENTIALS_DIRECTORY").map(PathBuf::from);
                File::open(directory.ok_or(PassphraseError::NoCredentials)?.join(name)).and_then(first_line)
            }
        };
        match line {
            Ok(line) if line.is_empty() => Err(PassphraseError::Empty(from)),
            Ok(line) => Ok(line),
            Err(cause) => Err(PassphraseError::Unreadable { from, cause }),
        }
    }
}

impl std::fmt::Display for Source {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::None => f.write_str("nowhere"),
            Self::Terminal => f.write_str("the terminal"),
            Self::Descriptor(number) => write!(f, "file descriptor {number}"),
            Self::Credential(name) => write!(f, "the credential {name}"),
        }
    }
}

fn from_terminal(prompt: &str) -> io::Result<Zeroizing<Vec<u8>>> {
    Keyboard::open()?.ask_hidden(prompt)?.ok_or_else(|| io::ErrorKind::Interrupted.into())
}

fn first_line(file: File) -> io::Result<Zeroizing<Vec<u8>>> {
    let mut line = Zeroizing::new(Vec::with_capacity(1_024));
    BufReader::with_capacity(1, file.take(MAX_LEN)).read_until(b'\n', &mut line)?;
    while line.last().is_some_and(|last| matches!(last, b'\n' | b'\r')) {
        line.pop();
    }
    Ok(line)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write as _;
    use std::os::fd::AsRawFd as _;

    #[test]
    fn sources_are_read_as_they_are_written() {
        assert_eq!("terminal".parse(), Ok(Source::Terminal));
        assert_eq!("fd:3".parse(), Ok(Source::Descriptor(3)));
        assert_eq!("credential:nexus".parse(), Ok(Source::Credential("nexus".to_owned())));
        for wrong in ["", "correct horse", "fd:", "fd:-1", "credential:", "credential:../x", "credential:.."]
        {
            assert!(wrong.parse::<Source>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_descriptor_gives_its_first_line() {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(b"correct horse\r\nmore\n").unwrap();
        let source = Source::Descriptor(file.as_raw_fd().try_into().unwrap());
        assert_eq!(source.read("").unwrap().as_slice(), b"correct horse");
        let closed = Source::Descriptor(999).read("").unwrap_err().to_string();
        assert!(closed.contains("no passphrase came from file descriptor 999"), "{closed}");
    }
}
