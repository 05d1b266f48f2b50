//! `nexus peer`: whom this node carries for what.

use clap::{Args, Subcommand};
use nexus_daemon::api::{Done, Peer as Told, Peers, Verb};

use crate::address_book::AddressBook;
use crate::daemon::{connect, find};
use crate::ending::{Ending, Outcome, Refusal};
use crate::place::Place;
use crate::quantities::price;
use crate::table::{marks, render, words};
use crate::terminal::{print, print_json, print_line};

/// The command.
#[derive(Debug, Args)]
#[command(after_long_help = "\
A neighbour that is trusted is carried for nothing, whatever its packets go to,
and nothing is said of money with it. Others pay what the interfaces ask
(`price` in the configuration), out of a channel: see `nexus channel`. What is
said here holds at once and after a restart.

Examples:
  nexus peer add anna           carry anna's packets for nothing
  nexus peer price bert 5       ask 5 µNXS for 1,024 bytes of bert, not more
  nexus peer list")]
pub(crate) struct Peer {
    #[command(subcommand)]
    action: Action,
    #[command(flatten)]
    place: Place,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Carry a node's packets for nothing
    Add {
        /// A contact, or a node's id
        node: String,
    },
    /// Forget what was said of a node
    Remove {
        /// A contact, or a node's id
        node: String,
    },
    /// Print all of whom something is said
    List {
        /// Print one JSON object
        #[arg(long)]
        json: bool,
    },
    /// Ask less of a node for this node's own part than of others
    Price {
        /// A contact, or a node's id
        node: String,
        /// In µNXS for 1,024 bytes; as all others, if left out
        price: Option<u64>,
    },
}

impl Peer {
    pub(crate) async fn run(self) -> Ending {
        let mut client = connect(&self.place).await?;
        let book = AddressBook::of_this_person().map_err(Refusal::cannot)?;
        let (word, verb): (&str, fn(String) -> Verb) = match &self.action {
            Action::List { json } => {
                let peers: Peers = client.call(Verb::Peers).await?;
                if *json {
                    print_json(&peers);
                } else {
                    print(&listed(&peers.peers, &book));
                }
                return Ok(Outcome::Done);
            }
            Action::Price { node, price: asked } => {
                let node = find(&mut client, &book, node).await?;
                let id = node.node.clone();
                let verb = Verb::PeerPrice { node: node.node, price_unxs_per_kib: *asked };
                let Done {} = client.call(verb).await?;
                let what = asked.map_or_else(|| "what all pay".to_owned(), |asked| price(Some(asked)));
                let Peers { peers } = client.call(Verb::Peers).await?;
                let trusted = peers.iter().any(|peer| peer.node == id && peer.trusted);
                let until = if trusted { ", once it is not carried for nothing any more" } else { "" };
                print_line(&format!("{} is asked {what}{until}", node.name));
                return Ok(Outcome::Done);
            }
            Action::Add { node } => (node, |node| Verb::PeerAdd { node }),
            Action::Remove { node } => (node, |node| Verb::PeerRemove { node }),
        };
        let node = find(&mut client, &book, word).await?;
        let Done {} = client.call(verb(node.node)).await?;
        print_line(&match self.action {
            Action::Add { .. } => format!("{} is carried for nothing", node.name),
            Action::Remove { .. } | Action::List { .. } | Action::Price { .. } => {
                format!("nothing is said of {} any more", node.name)
            }
        });
        Ok(Outcome::Done)
    }
}

fn listed(peers: &[Told], book: &AddressBook) -> String {
    if peers.is_empty() {
        return "nobody is trusted, and all pay the same: `nexus peer add NODE` trusts one\n".to_owned();
    }
    let table = [words("PEER", 10), marks("CARRIED FOR"), marks("SAID BY")];
    let row = |peer: &Told| {
        let name = book.name_of(&peer.node).unwrap_or(&peer.node).to_owned();
        let asked = match (peer.trusted, peer.price_unxs_per_kib) {
            (true, _) => "nothing".to_owned(),
            (false, Some(asked)) => price(Some(asked)),
            (false, None) => "what all pay".to_owned(),
        };
        let by = if peer.configured { "configuration" } else { "command" };
        [name, asked, by.to_owned()]
    };
    render(&table, &peers.iter().map(row).collect::<Vec<_>>())
}
