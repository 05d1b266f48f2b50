//! `nexus path`: every way to a node, and why the chosen one is taken.

use std::io::{self, IsTerminal as _};

use clap::Args;
use nexus_daemon::api::{Found, PathPolicy, Verb, Way, Ways};
use nexus_daemon::client::Client;
use serde_json::{Value, json};

use super::reasons::reason;
use super::{beginning, described, policies, ways};
use crate::address_book::AddressBook;
use crate::daemon::{Named, all_paths, connect, drop_paths, find, told_of_dropped};
use crate::ending::{Ending, Outcome, Refusal};
use crate::messages::not_delivered;
use crate::place::Place;
use crate::quantities::spoken;
use crate::table::PAGE;
use crate::terminal::{harmless, print, print_json, print_line, wrapped};

/// The command.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Every way to a node that this node knows, the chosen one first, each with what
it costs, how good it is, and why it is taken or not. Costs are what nodes ask
for carrying 1,024 bytes (KiB): whoever is not trusted pays it.

Exit code 1 means that there is no way to the node. `nexus status paths` has a
line for each node.

Examples:
  nexus path
  nexus path anna
  nexus path --policy cheapest anna
  nexus path --wait 0123456789abcdef0123456789abcdef
  nexus path --drop anna
  nexus path --json 3f1c0d")]
pub(crate) struct Path {
    /// Whither; every node that is known, if none is named
    node: Option<String>,
    #[command(flatten)]
    place: Place,
    /// By what the best way is chosen, in place of what the node is set to
    #[arg(long, value_name = "POLICY", value_parser = policies())]
    policy: Option<PathPolicy>,
    /// Have others asked for a way if none is known
    #[arg(long)]
    wait: bool,
    /// Forget every way there, until somebody says one
    #[arg(long, requires = "node", conflicts_with_all = ["wait", "policy"])]
    drop: bool,
    /// Print one JSON object for each node
    #[arg(long)]
    json: bool,
}

impl Path {
    pub(crate) async fn run(self) -> Ending {
        let book = AddressBook::of_this_person().map_err(Refusal::cannot)?;
        let mut client = connect(&self.place).await?;
        let Some(word) = &self.node else {
            return self.show_all(&mut client, &book).await;
        };
        let to = find(&mut client, &book, word).await?;
        if self.drop {
            return self.drop_paths(&mut client, &to).await;
        }
        self.show(&mut client, &to, &book).await
    }

    /// Shows the ways to every node to which there is one.
    async fn show_all(&self, client: &mut Client, book: &AddressBook) -> Ending {
        let all = all_paths(client).await?;
        if all.is_empty() && !self.json {
            print_line("no paths yet: no announce of another was heard; see `nexus doctor`");
        }
        for path in all {
            let name = book.name_of(&path.destination).unwrap_or(&path.destination).to_owned();
            self.show(client, &Named { node: path.destination, name }, book).await?;
        }
        Ok(Outcome::Done)
    }

    async fn show(&self, client: &mut Client, to: &Named, book: &AddressBook) -> Ending {
        let mut found = ways(client, to, self.policy).await?;
        if self.wait && !found.as_ref().is_ok_and(|known| known.ways.iter().any(is_usable)) {
            found = match self.look_for(client, to).await? {
                Ok(Found { .. }) => ways(client, to, self.policy).await?,
                Err(sentence) => Err(format!("{}: {sentence}", to.name)),
            };
        }
        let outcome = match &found {
            Ok(known) if known.ways.iter().any(is_usable) => Outcome::Done,
            Ok(_) | Err(_) => Outcome::NotDone,
        };
        match found {
            Ok(known) if self.json => print_json(&as_json(&known, book)),
            Ok(known) => print(&as_text(&known, &to.name, book)),
            Err(sentence) if self.json => {
                print_json(&json!({ "destination": to.node, "ways": [], "why": sentence }));
            }
            Err(sentence) => print_line(&sentence),
        }
        Ok(outcome)
    }

    /// Has every way forgotten.
    async fn drop_paths(&self, client: &mut Client, to: &Named) -> Ending {
        let dropped = drop_paths(client, to).await?;
        let outcome = if dropped.is_ok() { Outcome::Done } else { Outcome::NotDone };
        match dropped {
            Ok(dropped) if self.json => {
                print_json(&json!({ "destination": to.node, "dropped": dropped.ways }));
            }
            Ok(dropped) => print_line(&harmless(&told_of_dropped(to, dropped))),
            Err(why) if self.json => {
                print_json(&json!({ "destination": to.node, "dropped": 0, "why": why }));
            }
            Err(why) => print_line(&harmless(&format!("{}: {why}", to.name))),
        }
        Ok(outcome)
    }

    /// Lets others be asked for a way; why there is none, if they know none.
    async fn look_for(&self, client: &mut Client, to: &Named) -> Result<Result<Found, String>, Refusal> {
        if !self.json && io::stderr().is_terminal() {
            eprintln!("no way to {} is known: others are asked", to.name);
        }
        match client.call::<Found>(Verb::FindPath { to: to.node.clone() }).await {
            Ok(found) => Ok(Ok(found)),
            Err(refusal) => not_delivered(refusal).map(|failure| Err(failure.sentence)),
        }
    }
}

/// Whether packets may take a way.
pub(super) const fn is_usable(way: &Way) -> bool {
    way.standing.is_usable()
}

fn as_json(known: &Ways, book: &AddressBook) -> Value {
    let mut object = serde_json::to_value(known).expect("plain data has a JSON form");
    if let Some(list) = object.get_mut("ways").and_then(Value::as_array_mut) {
        for (place, way) in list.iter_mut().enumerate() {
            way["reason"] = reason(known, place, book).into();
        }
    }
    object
}

fn as_text(known: &Ways, name: &str, book: &AddressBook) -> String {
    let heard = spoken(known.age_s);
    let count = match known.ways.len() {
        0 => {
            let sentence = format!(
                "{name} is known, and no way there: it was heard {heard} ago, and whoever knew a way is gone or took \
                 it back; `nexus ping --for 5m {name}` tries until there is one"
            );
            return wrapped(&harmless(&sentence), PAGE);
        }
        1 => "1 way".to_owned(),
        several => format!("{several} ways"),
    };
    let mut text = wrapped(&harmless(&format!("{name}: {count}; it announced itself {heard} ago")), PAGE);
    for (place, way) in known.ways.iter().enumerate() {
        let mark = if way.chosen_by.contains(&known.policy) { '*' } else { '-' };
        let proved =
            way.reliability_percent.map_or_else(String::new, |percent| format!(", {percent} % proved"));
        let facts = format!(
            "{mark} {}: {}{proved}, said {} ago",
            beginning(way, book),
            described(&way.total),
            spoken(way.age_s)
        );
        text.push_str(&wrapped(&harmless(&facts), PAGE));
        for line in wrapped(&harmless(&reason(known, place, book)), PAGE - 4).lines() {
            text.push_str("    ");
            text.push_str(line);
            text.push('\n');
        }
    }
    text
}
