//! The access codes of an interface in reticulum mode: who its network's members are. Source: spec/reticulum.md#ifac.

use std::fs::File;
use std::io::{self, Read as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::str::FromStr;

use nexus_wire::reticulum::ifac::{Ifac, Membership, TagLen};
use thiserror::Error;
use zeroize::Zeroizing;

use crate::passphrase;

/// What the members of an interface's network know, and how long its codes are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Access {
    /// The network's name.
    pub network_name: Option<String>,
    /// Where its passphrase comes from; none of both is no network.
    pub passphrase: Option<Source>,
    /// How long codes are.
    pub tag_len: TagLen,
}

/// Where a network's passphrase comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// The first line of a file that is its owner's alone.
    File(PathBuf),
    /// As that of a key file, but for the terminal: an interface may be opened when nobody is there.
    Unattended(passphrase::Source),
}

/// Why there are no access codes.
#[derive(Debug, Error)]
pub enum AccessError {
    /// It is not in its file.
    #[error("the network's passphrase cannot be read from {path}: {cause}")]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system says.
        cause: io::Error,
    },
    /// Others can read it.
    #[error("{0} can be read by others: `chmod 600 {0}` mends that")]
    Open(PathBuf),
    /// It does not come from where the configuration says.
    #[error(transparent)]
    Passphrase(#[from] passphrase::PassphraseError),
    /// It is no text.
    #[error("the network's passphrase is not UTF-8")]
    NotText,
    /// Its line is empty.
    #[error("the network's passphrase is empty")]
    Empty,
}

/// What is no source. Not repeated: it may be a passphrase, written where none belongs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error(
    "this is no source of a network's passphrase: say \"file:PATH\", \"fd:NUMBER\" or \"credential:NAME\""
)]
pub struct NoSource;

impl FromStr for Source {
    type Err = NoSource;

    fn from_str(text: &str) -> Result<Self, NoSource> {
        if let Some(path) = text.strip_prefix("file:") {
            return if path.is_empty() { Err(NoSource) } else { Ok(Self::File(path.into())) };
        }
        match text.parse() {
            Ok(passphrase::Source::None | passphrase::Source::Terminal) | Err(passphrase::NoSource) => {
                Err(NoSource)
            }
            Ok(source @ (passphrase::Source::Descriptor(_) | passphrase::Source::Credential(_))) => {
                Ok(Self::Unattended(source))
            }
        }
    }
}

/// No passphrase is longer than this, in bytes.
const MAX_LEN: u64 = 1_024;

impl Source {
    fn read(&self) -> Result<Zeroizing<String>, AccessError> {
        let line = match self {
            Self::File(path) => {
                let unreadable = |cause| AccessError::Unreadable { path: path.clone(), cause };
                let file = File::open(path).map_err(unreadable)?;
                if file.metadata().map_err(unreadable)?.permissions().mode() & 0o077 != 0 {
                    return Err(AccessError::Open(path.clone()));
                }
                let mut line = Zeroizing::new(Vec::with_capacity(1_024));
                file.take(MAX_LEN).read_to_end(&mut line).map_err(unreadable)?;
                let end = line.iter().position(|byte| matches!(byte, b'\n' | b'\r')).unwrap_or(line.len());
                line.truncate(end);
                line
            }
            Self::Unattended(source) => source.read("")?,
        };
        let text = std::str::from_utf8(&line).map_err(|_| AccessError::NotText)?;
        if text.is_empty() { Err(AccessError::Empty) } else { Ok(Zeroizing::new(text.to_owned())) }
    }
}

impl Access {
    /// Makes the codes, which costs a key.
    pub fn codes(&self) -> Result<Ifac, AccessError> {
        let passphrase = self.passphrase.as_ref().map(Source::read).transpose()?;
        let membership = match (&self.network_name, &passphrase) {
            (Some(name), Some(passphrase)) => Membership::Both { name, passphrase },
            (Some(name), None) => Membership::Name(name),
            (None, Some(passphrase)) => Membership::Passphrase(passphrase),
            (None, None) => return Err(AccessError::Empty),
        };
        Ok(Ifac::new(membership, self.tag_len))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::{OpenOptions, Permissions};
    use std::io::Write as _;
    use std::os::unix::fs::OpenOptionsExt as _;

    #[test]
    fn sources_are_read_as_they_are_written_and_nobody_is_asked() {
        assert_eq!("file:net.pass".parse(), Ok(Source::File("net.pass".into())));
        assert!(matches!("credential:net".parse(), Ok(Source::Unattended(_))));
        for wrong in ["", "terminal", "mypass", "file:", "fd:x"] {
            assert_eq!(wrong.parse::<Source>(), Err(NoSource), "{wrong}");
        }
    }

    #[test]
    fn a_passphrase_is_the_first_line_of_a_file_that_others_cannot_read() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("net.pass");
        let open = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path).unwrap();
        (&open).write_all(b"mypass\nand more\n").unwrap();
        let access = Access {
            network_name: Some("mynet".to_owned()),
            passphrase: Some(Source::File(path.clone())),
            tag_len: TagLen::WIDE,
        };
        let (mut frame, expected) =
            (vec![5; 16 + 40], Membership::Both { name: "mynet", passphrase: "mypass" });
        access.codes().unwrap().seal(&mut frame).unwrap();
        assert_eq!(Ifac::new(expected, TagLen::WIDE).open(&mut frame).unwrap(), [5; 40]);

        open.set_permissions(Permissions::from_mode(0o640)).unwrap();
        assert!(matches!(access.codes(), Err(AccessError::Open(_))));
        let nowhere = Access { passphrase: Some(Source::File(place.path().join("none"))), ..access };
        assert!(matches!(nowhere.codes(), Err(AccessError::Unreadable { .. })));
    }
}
