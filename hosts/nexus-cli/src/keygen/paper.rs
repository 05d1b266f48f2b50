//! `nexus keygen export` and `import`: to paper and back.

use std::fs::OpenOptions;
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use clap::Args;
use nexus_crypto::{IdentitySeed, NodeId, NodeIdentity};
use nexus_daemon::key_store;
use nexus_daemon::keyboard::Keyboard;
use nexus_secure::at_rest::{self, CannotOpen};
use zeroize::Zeroizing;

use super::{Which, made, open, with_advice, write};
use crate::ending::{Ending, Outcome, Refusal};
use crate::paper_key;
use crate::passphrase_entry::{Passphrase, PassphraseOptions};
use crate::terminal::{print, print_line};

/// More than any form of a key has, in bytes.
const LONGEST: u64 = 4_096;

/// The options of `export`.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Whoever has what this prints is this node: keep it off screens, networks and
disks that others see.

Examples:
  nexus keygen export --to paper.txt      into a file for its owner only
  nexus keygen export --yes | lp          straight to the printer")]
pub(super) struct Export {
    #[command(flatten)]
    which: Which,
    #[command(flatten)]
    passphrase: PassphraseOptions,
    /// Write to this file instead of standard output; it must not exist
    #[arg(long, value_name = "OUT")]
    to: Option<PathBuf>,
    /// Do not ask whether the secret is to be shown
    #[arg(long)]
    yes: bool,
}

/// The options of `import`.
#[derive(Debug, Args)]
#[command(after_long_help = "\
A key file under a passphrase stays under it. What comes from paper is put under
a passphrase if one is named.

Examples:
  nexus keygen import paper.txt           into the node's state directory
  nexus keygen import - my.key            typed or piped: end with Ctrl-D")]
pub(super) struct Import {
    /// What to read, the paper form or a key file; `-` is standard input
    source: PathBuf,
    #[command(flatten)]
    which: Which,
    #[command(flatten)]
    passphrase: PassphraseOptions,
}

impl Export {
    pub(super) fn run(self) -> Ending {
        let path = self.which.path()?;
        if self.to.is_none() && !self.yes {
            confirm()?;
        }
        let seed = open(&path, &self.passphrase)?;
        let line = paper_key::encode(&seed);
        let sheet = sheet(&line, NodeIdentity::from_seed(seed).node_id());
        match &self.to {
            None => print(&sheet),
            Some(to) => {
                write_private(to, &sheet).map_err(|cause| {
                    Refusal::Cannot(format!("the secret cannot be written to {}: {cause}", to.display()))
                })?;
                print_line(&format!("wrote the secret to {}: print it, then remove it", to.display()));
            }
        }
        Ok(Outcome::Done)
    }
}

impl Import {
    pub(super) fn run(self) -> Ending {
        let path = self.which.path_to_make()?;
        let (seed, passphrase) = if self.source == Path::new("-") {
            let mut bytes = Zeroizing::new(Vec::with_capacity(LONGEST.try_into().expect("a small number")));
            io::stdin().lock().take(LONGEST).read_to_end(&mut bytes).map_err(|cause| {
                Refusal::Cannot(format!("nothing can be read from standard input: {cause}"))
            })?;
            self.read(&bytes)?
        } else {
            self.read(&key_store::read(&self.source).map_err(with_advice)?)?
        };
        write(&path, &seed, passphrase.as_deref())?;
        made(&path, seed);
        Ok(Outcome::Done)
    }

    /// The seed, and what it is to be locked with.
    fn read(&self, bytes: &[u8]) -> Result<(IdentitySeed, Option<Passphrase>), Refusal> {
        if !bytes.starts_with(b"NK") {
            let text = std::str::from_utf8(bytes).map_err(|_binary| {
                Refusal::Cannot("this is neither a key file nor a key on paper".to_owned())
            })?;
            let seed = paper_key::decode(text).map_err(Refusal::cannot)?;
            return Ok((seed, self.passphrase.chosen().map_err(Refusal::cannot)?));
        }
        match at_rest::open(bytes, None) {
            Ok(seed) => Ok((seed, self.passphrase.chosen().map_err(Refusal::cannot)?)),
            Err(CannotOpen::Locked) => {
                let source = self.passphrase.source_or_terminal().map_err(Refusal::cannot)?;
                let passphrase = source.read("Its passphrase: ").map_err(Refusal::cannot)?;
                let seed = at_rest::open(bytes, Some(&passphrase)).map_err(Refusal::cannot)?;
                Ok((seed, Some(passphrase)))
            }
            Err(refusal) => Err(Refusal::cannot(refusal)),
        }
    }
}

/// What is printed: the lines that begin with `#` are for people.
fn sheet(line: &str, node: NodeId) -> Zeroizing<String> {
    // Room for all, so that no copy of a part is left behind.
    let mut sheet = Zeroizing::new(String::with_capacity(512));
    sheet.push_str("# The secret key of a NEXUS node. Whoever has it is this node.\n");
    sheet.extend(["# node id ", &node.to_string(), "\n"]);
    sheet.push_str("# Back into a key file: nexus keygen import FILE\n");
    for half in [&line[..line.len() / 2], &line[line.len() / 2..]] {
        sheet.push_str(half.trim());
        sheet.push('\n');
    }
    sheet
}

fn confirm() -> Result<(), Refusal> {
    let refused = |sentence: &str| Err(Refusal::Cannot(sentence.to_owned()));
    let Ok(mut keyboard) = Keyboard::open() else {
        return refused("this prints the secret: say --yes if that is meant, or --to FILE");
    };
    match keyboard.ask("This prints the secret; whoever sees it can be this node. Type yes to go on: ") {
        Ok(answer) if answer == "yes" => Ok(()),
        Ok(_) | Err(_) => refused("nothing was printed"),
    }
}

fn write_private(path: &Path, text: &str) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()
}
