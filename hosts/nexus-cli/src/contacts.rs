//! `nexus contacts`: names for nodes.

use clap::{Args, Subcommand};
use serde_json::{Map, Value};

use crate::address_book::AddressBook;
use crate::ending::{Ending, Outcome, Refusal};
use crate::terminal::{print_json, print_line};

/// The command.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Examples:
  nexus contacts add anna 3f1c0d5e9b7a42688d10c2f4a6e8b053
  nexus send anna hello

A name has 1 to 32 of a-z, 0-9, `_`, `.` and `-`. The contacts are kept in
~/.config/nexus/contacts.toml.")]
pub(crate) struct Contacts {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Give a node a name
    Add {
        /// The name
        name: String,
        /// The node's id
        node: String,
    },
    /// Print all names and nodes
    List {
        /// Print one JSON object
        #[arg(long)]
        json: bool,
    },
    /// Forget a name
    Remove {
        /// The name
        name: String,
    },
    /// Give a contact another name
    Rename {
        /// The name that it has
        from: String,
        /// The name that it is to have
        to: String,
    },
}

impl Contacts {
    pub(crate) fn run(self) -> Ending {
        let mut book = AddressBook::of_this_person().map_err(Refusal::cannot)?;
        match self.action {
            Action::Add { name, node } => book.add(&name, &node).map_err(Refusal::cannot)?,
            Action::Remove { name } => book.remove(&name).map_err(Refusal::cannot)?,
            Action::Rename { from, to } => book.rename(&from, &to).map_err(Refusal::cannot)?,
            Action::List { json: true } => {
                let contacts: Map<_, _> =
                    book.iter().map(|(name, node)| (name.to_owned(), Value::from(node))).collect();
                print_json(&serde_json::json!({ "contacts": contacts }));
            }
            Action::List { json: false } => {
                if book.iter().next().is_none() {
                    print_line("no contacts yet: `nexus contacts add NAME NODE` makes one");
                }
                let widest = book.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
                for (name, node) in book.iter() {
                    print_line(&format!("{name:widest$}  {node}"));
                }
            }
        }
        Ok(Outcome::Done)
    }
}
