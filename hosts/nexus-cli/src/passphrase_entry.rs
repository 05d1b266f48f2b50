//! The options that say where a passphrase comes from. Never the command line or the environment: other processes read them.

use clap::Args;
use nexus_daemon::passphrase::{PassphraseError, Source};
use thiserror::Error;
use zeroize::Zeroizing;

/// Options that name a passphrase's source.
#[derive(Debug, Args)]
#[group(multiple = false)]
pub(crate) struct PassphraseOptions {
    /// Ask for the passphrase on the terminal
    #[arg(long)]
    passphrase: bool,
    /// Read the passphrase from this open file descriptor: its first line
    #[arg(long, value_name = "N")]
    passphrase_fd: Option<u32>,
    /// Read the passphrase from this credential of the systemd service
    #[arg(long, value_name = "NAME")]
    passphrase_credential: Option<String>,
}

/// Why there is no passphrase.
#[derive(Debug, Error)]
pub(crate) enum NoPassphrase {
    #[error(transparent)]
    Source(#[from] PassphraseError),
    #[error("the two passphrases differ: nothing was changed, try again")]
    Differ,
    #[error("{0:?} is no name of a credential")]
    BadName(String),
}

/// A passphrase. Erased when dropped.
pub(crate) type Passphrase = Zeroizing<Vec<u8>>;

impl PassphraseOptions {
    /// The source that the options name; none if they name none.
    pub(crate) fn source(&self) -> Result<Option<Source>, NoPassphrase> {
        let terminal = self.passphrase.then_some(Source::Terminal);
        Ok(terminal.or(named(self.passphrase_fd, self.passphrase_credential.as_deref())?))
    }

    /// The source that the options name, else the terminal.
    pub(crate) fn source_or_terminal(&self) -> Result<Source, NoPassphrase> {
        Ok(self.source()?.unwrap_or(Source::Terminal))
    }

    /// A passphrase to be set; none if the options name no source. On a terminal it is typed twice.
    pub(crate) fn chosen(&self) -> Result<Option<Passphrase>, NoPassphrase> {
        self.source()?.map(|source| choose(&source)).transpose()
    }
}

/// The source of a descriptor's number or a credential's name.
pub(crate) fn named(
    descriptor: Option<u32>,
    credential: Option<&str>,
) -> Result<Option<Source>, NoPassphrase> {
    let credential = credential.map(|name| {
        // The daemon's own rule on names holds here too.
        format!("credential:{name}").parse().map_err(|_refused| NoPassphrase::BadName(name.to_owned()))
    });
    Ok(descriptor.map(Source::Descriptor).or(credential.transpose()?))
}

/// A passphrase to be set. On a terminal it is typed twice.
pub(crate) fn choose(source: &Source) -> Result<Passphrase, NoPassphrase> {
    let passphrase = source.read("New passphrase: ")?;
    if *source == Source::Terminal && source.read("The same again: ")? != passphrase {
        return Err(NoPassphrase::Differ);
    }
    Ok(passphrase)
}
