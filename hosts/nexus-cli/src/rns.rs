//! `nexus rns`: what the node knows and does among stock Reticulum nodes. Spec: spec/tools.md#rns.

mod path;
mod probe;
mod receive;
mod request;
mod send_file;
mod status;

use clap::Subcommand;
use nexus_daemon::client::Client;

use crate::address_book::AddressBook;
use crate::daemon::{Named, all_paths};
use crate::ending::{Ending, Refusal};

/// The commands.
#[derive(Debug, Subcommand)]
pub(crate) enum Rns {
    /// Show the interfaces among stock nodes, and what passes there
    Status(status::Status),
    /// Show what is known of ways to stock destinations, and ask for them
    Path(path::Path),
    /// Send random bytes to a destination and wait for its proof
    Probe(probe::Probe),
    /// Ask a destination for what is at a path, such as a page
    Request(request::Request),
    /// Send a file to whoever receives files
    SendFile(send_file::SendFile),
    /// Receive the files that others send
    Receive(receive::Receive),
}

impl Rns {
    pub(crate) async fn run(self) -> Ending {
        match self {
            Self::Status(status) => status.run().await,
            Self::Path(path) => path.run().await,
            Self::Probe(probe) => probe.run().await,
            Self::Request(request) => request.run().await,
            Self::SendFile(send) => send.run().await,
            Self::Receive(receive) => receive.run().await,
        }
    }
}

/// The destination that `word` names: a hash, perhaps in angle brackets as stock programs print it, the name of a contact, or the beginning of
/// the hash of one to which there is a way.
async fn destination(client: &mut Client, word: &str) -> Result<Named, Refusal> {
    let book = AddressBook::of_this_person().map_err(Refusal::cannot)?;
    let word = word.trim_start_matches('<').trim_end_matches('>');
    let known = all_paths(client).await?;
    let hashes = known.iter().map(|path| path.destination.as_str());
    let hash = book.resolve(word, hashes).map_err(Refusal::cannot)?;
    let name = book.name_of(&hash).unwrap_or(&hash).to_owned();
    Ok(Named { node: hash, name })
}

fn hops(count: u8) -> String {
    if count == 1 { "1 hop".to_owned() } else { format!("{count} hops") }
}
