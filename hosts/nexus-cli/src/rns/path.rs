//! `nexus rns path`: what is known of the ways to destinations of the Reticulum world.

use std::time::Duration;

use clap::Args;
use nexus_daemon::api::{Code, Failure, Found, Path as Known, Verb, Way, Ways};
use nexus_daemon::client::{Client, ClientError};
use serde_json::json;

use super::{destination, hops};
use crate::daemon::{Named, all_paths, connect, drop_paths, told_of_dropped};
use crate::ending::{Ending, Outcome, Refusal};
use crate::messages::not_delivered;
use crate::place::Place;
use crate::quantities::{seconds, short, spoken};
use crate::table::{PAGE, numbers, render, words};
use crate::terminal::{harmless, print, print_json, print_line, wrapped};

/// The command.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Without a destination: a line for each destination that is no NEXUS node. With
one: every way there that is known, the one that is taken first.

Exit code 1 means that there is no way to the destination.

Examples:
  nexus rns path
  nexus rns path e7d5a1e4b0f6dd7b04b1ee6a10c8ea24
  nexus rns path --drop e7d5a1e4b0f6dd7b04b1ee6a10c8ea24
  nexus rns path --request --for 1m '<e7d5a1e4b0f6dd7b04b1ee6a10c8ea24>'")]
pub(crate) struct Path {
    /// Whither; every stock destination that is known, if none is named
    destination: Option<String>,
    #[command(flatten)]
    place: Place,
    /// Ask the network for a way if none is known
    #[arg(long, requires = "destination")]
    request: bool,
    /// For how long an answer is waited for: 10s, 5m
    #[arg(long = "for", value_name = "DURATION", default_value = "15s", value_parser = seconds)]
    for_s: u64,
    /// Forget every way there, until somebody says one
    #[arg(long, requires = "destination", conflicts_with = "request")]
    drop: bool,
    /// Print one JSON object for each destination
    #[arg(long)]
    json: bool,
}

impl Path {
    pub(crate) async fn run(self) -> Ending {
        let mut client = connect(&self.place).await?;
        match &self.destination {
            None => self.show_all(&mut client).await,
            Some(word) => {
                let to = destination(&mut client, word).await?;
                if self.drop {
                    self.drop_paths(&mut client, &to).await
                } else {
                    self.show(&mut client, &to).await
                }
            }
        }
    }

    async fn show_all(&self, client: &mut Client) -> Ending {
        let known: Vec<Known> = all_paths(client).await?.into_iter().filter(|path| !path.node).collect();
        if self.json {
            known.iter().for_each(print_json);
        } else if known.is_empty() {
            print_line("no ways to stock destinations are known: none of their announces was heard");
        } else {
            print(&table(&known));
        }
        Ok(Outcome::Done)
    }

    async fn show(&self, client: &mut Client, to: &Named) -> Ending {
        let mut found = ways(client, to).await?;
        if self.request && !found.as_ref().is_ok_and(is_reached) {
            found = match self.ask_for(client, to).await? {
                Ok(Found { .. }) => ways(client, to).await?,
                Err(sentence) => Err(sentence),
            };
        }
        let outcome = if found.as_ref().is_ok_and(is_reached) { Outcome::Done } else { Outcome::NotDone };
        match found {
            Ok(known) if self.json => print_json(&known),
            Ok(known) => print(&as_text(&known, &to.name)),
            Err(why) if self.json => {
                print_json(&json!({ "destination": to.node, "ways": [], "why": why }));
            }
            Err(why) => print(&wrapped(&harmless(&format!("{}: {why}", to.name)), PAGE)),
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

    /// Has the network asked for a way; why there is none, if none is found.
    async fn ask_for(&self, client: &mut Client, to: &Named) -> Result<Result<Found, String>, Refusal> {
        let asking = client.call::<Found>(Verb::FindPath { to: to.node.clone() });
        match tokio::time::timeout(Duration::from_secs(self.for_s), asking).await {
            Ok(Ok(found)) => Ok(Ok(found)),
            Ok(Err(refusal)) => not_delivered(refusal).map(|failure| Err(failure.sentence)),
            Err(_late) => {
                let waited = spoken(self.for_s);
                // Whatever comes later would be taken for an answer to something else.
                *client = connect(&self.place).await?;
                Ok(Err(format!("the network was asked, and nobody answered within {waited}")))
            }
        }
    }
}

async fn ways(client: &mut Client, to: &Named) -> Result<Result<Ways, String>, Refusal> {
    match client.call::<Ways>(Verb::Path { to: to.node.clone(), policy: None }).await {
        Ok(ways) => Ok(Ok(ways)),
        Err(ClientError::Refused(Failure { code: Code::NotFound, sentence })) => {
            Ok(Err(format!("{sentence}; `nexus rns path --request` asks the network")))
        }
        Err(refusal) => Err(refusal.into()),
    }
}

fn is_reached(known: &Ways) -> bool {
    known.ways.iter().any(is_usable)
}

const fn is_usable(way: &Way) -> bool {
    way.standing.is_usable()
}

fn table(known: &[Known]) -> String {
    let columns = [
        words("DESTINATION", 12),
        numbers("HOPS"),
        words("VIA", 8),
        words("INTERFACE", 9),
        numbers("HEARD"),
        numbers("EXPIRES"),
    ];
    let row = |path: &Known| {
        [
            path.destination.clone(),
            path.hops.to_string(),
            path.via.clone().unwrap_or_else(|| "itself".to_owned()),
            path.interface.clone(),
            short(path.age_s),
            short(path.expires_in_s),
        ]
    };
    render(&columns, &known.iter().map(row).collect::<Vec<_>>())
}

fn as_text(known: &Ways, name: &str) -> String {
    let heard = spoken(known.age_s);
    if known.ways.is_empty() {
        let sentence = format!(
            "{name}: no way is known; it was heard {heard} ago; `nexus rns path --request` asks the network"
        );
        return wrapped(&harmless(&sentence), PAGE);
    }
    let mut text = wrapped(&harmless(&format!("{name}: it announced itself {heard} ago")), PAGE);
    for way in &known.ways {
        let via = match &way.via {
            Some(via) if !way.last => format!("via {via} on {}", way.interface),
            Some(_) | None => format!("straight, on {}", way.interface),
        };
        let taken = match (is_usable(way), way.chosen_by.contains(&known.policy)) {
            (true, true) => '*',
            (true, false) => '-',
            (false, _) => '!',
        };
        let expires = match way.expires_in_s {
            0 => "stale".to_owned(),
            left => format!("expires in {}", spoken(left)),
        };
        let facts =
            format!("{taken} {}, {via}; said {} ago, {expires}", hops(way.total.hops), spoken(way.age_s));
        text.push_str(&wrapped(&harmless(&facts), PAGE));
    }
    text
}
