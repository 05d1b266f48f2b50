//! `nexus listen`: messages as they arrive.

use clap::Args;
use nexus_daemon::api::{Answer, Event, Message, Verb};

use crate::address_book::AddressBook;
use crate::daemon::connect;
use crate::ending::{Ending, Outcome, Refusal};
use crate::place::Place;
use crate::quantities::utc;
use crate::terminal::{harmless, print_json, print_line};

/// The command.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Messages that the node keeps come first, then those that arrive. Each line has
the message's number, its time, its sender and its text, in which control
characters are escaped. \"(verified)\" means that the sender's signature was
checked; \"(not verified)\" that its key is not known here: anybody may have
written that. A sender that begins with `lxmf:` wrote by LXMF, and is answered
by `nexus send` with that word as the recipient.

Examples:
  nexus listen
  nexus listen --since 41 --count 1     the next message after number 41
  nexus listen --json | jq .text")]
pub(crate) struct Listen {
    #[command(flatten)]
    place: Place,
    /// Only messages with a number above this one
    #[arg(long, value_name = "NUMBER", default_value_t = 0)]
    since: u64,
    /// End after so many messages
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    count: Option<u64>,
    /// Print one JSON object for each message
    #[arg(long)]
    json: bool,
}

impl Listen {
    pub(crate) async fn run(self) -> Ending {
        let book = AddressBook::of_this_person().map_err(Refusal::cannot)?;
        let mut client = connect(&self.place).await?;
        let subscription = client.ask(Verb::Listen { since: self.since }).await?;
        let mut printed = 0;
        loop {
            match client.answer(subscription).await? {
                Answer::Event(Event::Message(message)) => {
                    if self.json {
                        print_json(&message);
                    } else {
                        print_line(&line(&message, &book));
                    }
                    printed += 1;
                    if self.count == Some(printed) {
                        return Ok(Outcome::Done);
                    }
                }
                Answer::Event(Event::Missed { events }) => {
                    eprintln!(
                        "nexus: {events} messages were left out: `nexus listen --since` shows them again"
                    );
                }
                Answer::Event(_) => {}
                Answer::Error(failure) => return Err(Refusal::cannot(failure)),
                Answer::Ok(_) => return Err(Refusal::NotRunning("the node ended".to_owned())),
            }
        }
    }
}

fn line(message: &Message, book: &AddressBook) -> String {
    let when = if message.unix_s == 0 { "unknown time".to_owned() } else { utc(message.unix_s) };
    let sender = match &message.from {
        Some(node) => {
            let name = book.name_of(node).unwrap_or(node);
            let mark = if message.verified { "verified" } else { "not verified" };
            format!("{} ({mark})", harmless(name))
        }
        None => "(anonymous)".to_owned(),
    };
    format!("{} {when} {sender}: {}", message.number, harmless(&message.text))
}
