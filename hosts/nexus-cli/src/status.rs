//! `nexus status`: what a node is doing, as tables of 80 columns or as JSON.

mod pages;
mod watch;

use clap::{Args, ValueEnum};
use nexus_daemon::api::{
    self, Balances, Budget, Code, Earned, Failure, Income, Interfaces, Links, Metered, Path, Queue, Queues,
    Verb,
};
use nexus_daemon::client::{Client, ClientError};
use serde_json::{Map, Value, json};

use crate::address_book::AddressBook;
use crate::daemon::{all_paths, connect};
use crate::ending::{Ending, Outcome, Refusal};
use crate::place::Place;
use crate::terminal::{print, print_json};

/// The command.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Examples:
  nexus status                  all there is to see
  nexus status links paths      these tables only
  nexus status --watch links    again every second; Ctrl-C ends it
  nexus status --json           the daemon's own object (spec/control.md)")]
pub(crate) struct Status {
    /// What to show; everything, if nothing is named
    #[arg(value_enum)]
    sections: Vec<Section>,
    #[command(flatten)]
    place: Place,
    /// Print JSON instead of tables
    #[arg(long)]
    json: bool,
    /// Show it again every second until Ctrl-C
    #[arg(long)]
    watch: bool,
}

/// A part of what is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
enum Section {
    /// The node itself
    Node,
    /// Its ways in and out
    Interfaces,
    /// Its encrypted associations with neighbours
    Links,
    /// The nodes that are one hop away
    Neighbours,
    /// The destinations that it knows and the ways there
    Paths,
    /// What its interfaces had on their media, and for what
    Budget,
    /// What waits for its interfaces, and what was dropped
    Queues,
    /// What carrying for neighbours brings and costs, in µNXS
    Income,
    /// What accounts have in its books
    Balances,
}

/// All that the pages show.
#[derive(Debug)]
struct Snapshot {
    status: api::Status,
    paths: Vec<Path>,
    budget: Vec<Metered>,
    queues: Vec<Queue>,
    income: Vec<Earned>,
    /// None if no books are kept.
    balances: Option<Balances>,
}

impl Status {
    pub(crate) async fn run(self) -> Ending {
        if self.watch {
            return self.watch().await;
        }
        let mut client = connect(&self.place).await?;
        if self.json {
            print_json(&self.as_json(&mut client).await?);
        } else {
            let book = AddressBook::of_this_person().map_err(Refusal::cannot)?;
            print(&self.as_text(&Snapshot::take(&mut client).await?, &book));
        }
        Ok(Outcome::Done)
    }

    /// Whether a section is to be shown.
    fn shows(&self, section: Section) -> bool {
        self.sections.is_empty() || self.sections.contains(&section)
    }

    fn as_text(&self, snapshot: &Snapshot, book: &AddressBook) -> String {
        let pages = [
            (Section::Node, pages::node as fn(&Snapshot, &AddressBook) -> String),
            (Section::Interfaces, pages::interfaces),
            (Section::Links, pages::links),
            (Section::Neighbours, pages::neighbours),
            (Section::Paths, pages::paths),
            (Section::Budget, pages::budget),
            (Section::Queues, pages::queues),
            (Section::Income, pages::income),
            (Section::Balances, pages::balances),
        ];
        let shown = pages.iter().filter(|(section, _)| self.shows(*section));
        shown.map(|(_, page)| page(snapshot, book)).collect::<Vec<_>>().join("\n")
    }

    /// Without sections the daemon's status; with sections their objects in one. Spec: spec/tools.md#status.
    async fn as_json(&self, client: &mut Client) -> Result<Value, Refusal> {
        if self.sections.is_empty() {
            return Ok(client.call(Verb::Status).await?);
        }
        let mut whole = Map::new();
        for section in &self.sections {
            let part: Value = match section {
                Section::Node => client.call(Verb::Status).await?,
                Section::Interfaces => client.call(Verb::Interfaces).await?,
                Section::Links => client.call(Verb::Links).await?,
                Section::Budget => {
                    json!({ "budget": client.call::<Budget>(Verb::Budget).await?.interfaces })
                }
                Section::Queues => {
                    json!({ "queues": client.call::<Queues>(Verb::Queues).await?.interfaces })
                }
                Section::Income => {
                    json!({ "income": client.call::<Income>(Verb::Income).await?.neighbours })
                }
                Section::Balances => {
                    json!({ "balances": client.call::<Balances>(Verb::Balances { after: None }).await? })
                }
                Section::Paths => json!({ "paths": all_paths(client).await? }),
                Section::Neighbours => {
                    let snapshot = Snapshot::take(client).await?;
                    json!({ "neighbours": pages::neighbours_of(&snapshot) })
                }
            };
            match (section, part) {
                // Its counts have the names of the others' lists.
                (Section::Node, status) => drop(whole.insert("node".to_owned(), status)),
                (_, Value::Object(part)) => whole.extend(part),
                (_, other) => {
                    return Err(Refusal::Cannot(format!("the node said {other} where an object belongs")));
                }
            }
        }
        Ok(Value::Object(whole))
    }
}

impl Snapshot {
    async fn take(client: &mut Client) -> Result<Self, Refusal> {
        let mut status: api::Status = client.call(Verb::Status).await?;
        let paths = all_paths(client).await?;
        // The glance may leave out what does not fit a line; the lists are asked for by themselves.
        status.interfaces = client.call::<Interfaces>(Verb::Interfaces).await?.interfaces;
        status.links = client.call::<Links>(Verb::Links).await?.links;
        let budget = client.call::<Budget>(Verb::Budget).await?.interfaces;
        let queues = client.call::<Queues>(Verb::Queues).await?.interfaces;
        let income = client.call::<Income>(Verb::Income).await?.neighbours;
        let balances = match client.call::<Balances>(Verb::Balances { after: None }).await {
            Ok(balances) => Some(balances),
            // It keeps no books, or is of a version that has none.
            Err(ClientError::Refused(Failure { code: Code::NotFound | Code::UnknownVerb, .. })) => None,
            Err(cause) => return Err(cause.into()),
        };
        Ok(Self { status, paths, budget, queues, income, balances })
    }
}
