//! `nexus keygen`: identities in key files. The secret leaves a file only by `export`, and only when that is confirmed.

mod change;
mod paper;

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use nexus_crypto::passphrase::Argon2Cost;
use nexus_crypto::{IdentitySeed, NodeIdentity};
use nexus_daemon::host::entropy;
use nexus_daemon::key_store::{self, KeyStoreError};
use nexus_daemon::passphrase::Source;
use nexus_machine::Seed;
use nexus_secure::at_rest::{self, CannotOpen};
use serde::Serialize;
use zeroize::Zeroizing;

use crate::ending::{Ending, Outcome, Refusal};
use crate::passphrase_entry::{NoPassphrase, PassphraseOptions};
use crate::place::Place;
use crate::terminal::{print_json, print_line};

/// The command.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Examples:
  nexus keygen new                        the node's identity, in its place
  nexus keygen new --passphrase my.key    one under a passphrase, elsewhere
  nexus keygen show                       its node id and public keys
  nexus keygen export --to paper.txt      the secret, to be locked away
  nexus keygen import paper.txt my.key    and back

Without FILE the identity in the node's state directory is meant.")]
pub(crate) struct Keygen {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Make an identity; never overwrites one
    New(New),
    /// Print an identity's node id and public keys, never its secret
    Show(Show),
    /// Print the secret in a form for paper
    Export(paper::Export),
    /// Make a key file from paper or from another key file
    Import(paper::Import),
    /// Set, change or remove the passphrase of a key file
    Passphrase(change::ChangePassphrase),
}

/// Which key file.
#[derive(Debug, Args)]
struct Which {
    /// The key file
    file: Option<PathBuf>,
    #[command(flatten)]
    place: Place,
}

#[derive(Debug, Args)]
struct New {
    #[command(flatten)]
    which: Which,
    #[command(flatten)]
    passphrase: PassphraseOptions,
}

#[derive(Debug, Args)]
struct Show {
    #[command(flatten)]
    which: Which,
    #[command(flatten)]
    passphrase: PassphraseOptions,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

impl Keygen {
    pub(crate) fn run(self) -> Ending {
        match self.action {
            Action::New(new) => new.run(),
            Action::Show(show) => show.run(),
            Action::Export(export) => export.run(),
            Action::Import(import) => import.run(),
            Action::Passphrase(change) => change.run(),
        }
    }
}

impl Which {
    fn path(&self) -> Result<PathBuf, Refusal> {
        match &self.file {
            Some(file) => Ok(file.clone()),
            None => Ok(self.place.state()?.key()),
        }
    }

    /// The path of a file to be made; the state directory is made if it is missing.
    fn path_to_make(&self) -> Result<PathBuf, Refusal> {
        if self.file.is_none() {
            self.place.state()?.make().map_err(Refusal::cannot)?;
        }
        let path = self.path()?;
        // Before anybody is asked for a passphrase in vain.
        if path.symlink_metadata().is_ok() {
            return Err(exists(&path));
        }
        Ok(path)
    }
}

impl New {
    fn run(self) -> Ending {
        let path = self.which.path_to_make()?;
        let seed = IdentitySeed::from_bytes(entropy().map_err(Refusal::cannot)?);
        write(&path, &seed, self.passphrase.chosen().map_err(Refusal::cannot)?.as_deref())?;
        made(&path, seed);
        Ok(Outcome::Done)
    }
}

impl Show {
    fn run(self) -> Ending {
        let path = self.which.path()?;
        let bytes = key_store::read(&path).map_err(with_advice)?;
        let locked = matches!(at_rest::open(&bytes, None), Err(CannotOpen::Locked));
        let source = self.passphrase.source().map_err(Refusal::cannot)?;
        let keys = if locked && source.is_none() {
            None
        } else {
            let seed = key_store::open(&path, &source.unwrap_or_default()).map_err(with_advice)?;
            Some(PublicKeys::of(seed))
        };
        let shown = Shown { file: path, locked, keys };
        if self.json {
            print_json(&shown);
        } else {
            shown.print();
        }
        Ok(Outcome::Done)
    }
}

/// What `show` says. Spec: spec/tools.md#keygen-show.
#[derive(Debug, Serialize)]
struct Shown {
    file: PathBuf,
    locked: bool,
    #[serde(flatten)]
    keys: Option<PublicKeys>,
}

#[derive(Debug, Serialize)]
struct PublicKeys {
    node: String,
    identity: String,
    ed25519: String,
    x25519: String,
    vrf: String,
}

impl PublicKeys {
    fn of(seed: IdentitySeed) -> Self {
        let identity = NodeIdentity::from_seed(seed);
        let public = identity.as_reticulum().public();
        Self {
            node: identity.node_id().to_string(),
            identity: public.hash().to_string(),
            ed25519: identity.public().verifying().to_string(),
            x25519: identity.public().exchange().to_string(),
            vrf: identity.vrf_public().to_string(),
        }
    }
}

impl Shown {
    fn print(&self) {
        print_line(&format!("file           {}", self.file.display()));
        print_line(&format!("passphrase     {}", if self.locked { "yes" } else { "no" }));
        match &self.keys {
            Some(PublicKeys { node, identity, ed25519, x25519, vrf }) => {
                print_line(&format!("node id        {node}"));
                print_line(&format!("identity hash  {identity}"));
                print_line(&format!("Ed25519        {ed25519}"));
                print_line(&format!("X25519         {x25519}"));
                print_line(&format!("VRF            {vrf}"));
            }
            None => print_line("It is locked: give --passphrase to see its node id and public keys."),
        }
    }
}

/// Says what was made, without the secret.
fn made(path: &Path, seed: IdentitySeed) {
    print_line(&format!("made {}", path.display()));
    print_line(&format!("node id {}", NodeIdentity::from_seed(seed).node_id()));
}

/// Makes a key file, under a passphrase if there is one.
fn write(path: &Path, seed: &IdentitySeed, passphrase: Option<&Vec<u8>>) -> Result<(), Refusal> {
    key_store::create(path, &encoded(seed, passphrase)?).map_err(|refusal| match refusal {
        KeyStoreError::Exists(path) => exists(&path),
        refusal => Refusal::cannot(refusal),
    })
}

/// The bytes of a key file.
fn encoded(seed: &IdentitySeed, passphrase: Option<&Vec<u8>>) -> Result<Zeroizing<Vec<u8>>, Refusal> {
    let Some(passphrase) = passphrase else {
        return Ok(at_rest::plain(seed));
    };
    let mut random = Seed::new(entropy().map_err(Refusal::cannot)?).fork("key file");
    at_rest::locked(seed, passphrase, Argon2Cost::RECOMMENDED, &mut random)
        .map(Zeroizing::new)
        .map_err(Refusal::cannot)
}

/// The identity in a key file; a passphrase is asked for on the terminal if it is needed and none is named.
fn open(path: &Path, passphrase: &PassphraseOptions) -> Result<IdentitySeed, Refusal> {
    let source: Source =
        passphrase.source_or_terminal().map_err(|refusal: NoPassphrase| Refusal::cannot(refusal))?;
    key_store::open(path, &source).map_err(with_advice)
}

fn with_advice(refusal: KeyStoreError) -> Refusal {
    match refusal {
        KeyStoreError::Missing(path) => Refusal::Cannot(format!(
            "there is no key file {}: make one with `nexus keygen new`, or name another",
            path.display()
        )),
        refusal => Refusal::cannot(refusal),
    }
}

fn exists(path: &Path) -> Refusal {
    Refusal::Cannot(format!(
        "{} is there already, and an identity is never overwritten: move it away, or name another file",
        path.display()
    ))
}
