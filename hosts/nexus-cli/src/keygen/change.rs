//! `nexus keygen passphrase`: the same identity under another lock. The old file stays until the new one was read back.

use clap::Args;
use nexus_crypto::NodeIdentity;
use nexus_daemon::key_store;
use nexus_daemon::passphrase::Source;
use nexus_secure::at_rest;

use super::{Which, encoded, open};
use crate::ending::{Ending, Outcome, Refusal};
use crate::passphrase_entry::{PassphraseOptions, choose, named};
use crate::terminal::print_line;

/// The options above say where the old passphrase comes from, if the file has one; these where the new one does.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Examples:
  nexus keygen passphrase             asks for the old one, if there is one, and
                                      twice for the new one
  nexus keygen passphrase --remove    only permissions protect the file then

The new file is written beside the old one, synced, read back and only then put
in its place.")]
pub(super) struct ChangePassphrase {
    #[command(flatten)]
    which: Which,
    #[command(flatten)]
    old: PassphraseOptions,
    /// Read the new passphrase from this open file descriptor
    #[arg(long, value_name = "N", group = "new")]
    new_passphrase_fd: Option<u32>,
    /// Read the new passphrase from this credential of the systemd service
    #[arg(long, value_name = "NAME", group = "new")]
    new_passphrase_credential: Option<String>,
    /// Leave the key file without a passphrase
    #[arg(long, group = "new")]
    remove: bool,
}

impl ChangePassphrase {
    pub(super) fn run(self) -> Ending {
        let path = self.which.path()?;
        let seed = open(&path, &self.old)?;
        let passphrase = if self.remove {
            None
        } else {
            let source = named(self.new_passphrase_fd, self.new_passphrase_credential.as_deref());
            let source = source.map_err(Refusal::cannot)?.unwrap_or(Source::Terminal);
            Some(choose(&source).map_err(Refusal::cannot)?)
        };
        let bytes = encoded(&seed, passphrase.as_deref())?;
        let reads = |written: &[u8]| at_rest::open(written, passphrase.as_ref().map(|it| it.as_slice()));
        key_store::replace(&path, &bytes, reads, &seed).map_err(Refusal::cannot)?;
        let said = if passphrase.is_some() { "is under the new passphrase" } else { "has no passphrase" };
        print_line(&format!("{} {said}", path.display()));
        print_line(&format!("node id {}", NodeIdentity::from_seed(seed).node_id()));
        Ok(Outcome::Done)
    }
}
