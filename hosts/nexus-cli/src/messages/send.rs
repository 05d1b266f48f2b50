//! `nexus send`: a message, until the recipient has proved that it arrived.

use std::io::{self, IsTerminal as _, Read as _};

use clap::Args;
use nexus_daemon::api::{Attempt, Delivered, Event, PathPolicy, Progress, Verb};
use nexus_secure::Content;
use serde_json::json;

use super::{not_delivered, why};
use crate::address_book::AddressBook;
use crate::daemon::{connect, find};
use crate::ending::{Ending, Outcome, Refusal};
use crate::place::Place;
use crate::quantities::{milliseconds, seconds};
use crate::routing::policies;
use crate::terminal::{print_json, print_line};

/// The command.
#[derive(Debug, Args)]
#[command(after_long_help = "\
The recipient is a contact, a node id, or the first digits of one that is known.
The message is sent again until its receipt came or the time is over. Exit code
0 means that the recipient's node proved that it has it.

Examples:
  nexus send anna see you at eight
  nexus send --for 1h anna -- --not-an-option
  date | nexus send anna")]
pub(crate) struct Send {
    /// To whom
    #[arg(value_name = "NODE")]
    to: String,
    /// The text; standard input, if there is none
    text: Vec<String>,
    #[command(flatten)]
    place: Place,
    /// For how long it is tried: 30s, 5m, 2h, 1d; 0 is one attempt
    #[arg(long = "for", value_name = "DURATION", default_value = "30s", value_parser = seconds)]
    for_s: u64,
    /// By what the way is chosen here, in place of what the node is set to
    #[arg(long, value_name = "POLICY", value_parser = policies())]
    policy: Option<PathPolicy>,
    /// Do not say who sends it
    #[arg(long)]
    anonymous: bool,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

impl Send {
    pub(crate) async fn run(self) -> Ending {
        let text = self.text()?;
        let book = AddressBook::of_this_person().map_err(Refusal::cannot)?;
        let mut client = connect(&self.place).await?;
        let to = find(&mut client, &book, &self.to).await?;
        let (for_s, policy) = (self.for_s, self.policy);
        let verb = Verb::Send { to: to.node.clone(), text, signed: !self.anonymous, for_s, policy };
        let mut pathless = false;
        let impatient = !self.json && io::stderr().is_terminal();
        let told = |event| {
            if let Event::Progress(Progress { attempt: Attempt::NoPath }) = event
                && impatient
                && self.for_s > 0
                && !pathless
            {
                pathless = true;
                eprintln!("no way to {} is known yet: trying on", to.name);
            }
        };
        match client.stream::<Delivered>(verb, told).await {
            Ok(Delivered { attempts, round_trip_us }) => {
                if self.json {
                    print_json(&json!({ "delivered": true, "to": to.node, "attempts": attempts,
                        "round_trip_us": round_trip_us }));
                } else {
                    let took = milliseconds(round_trip_us);
                    print_line(&format!("delivered ({took}, attempt {attempts})"));
                }
                Ok(Outcome::Done)
            }
            Err(refusal) => {
                let failure = not_delivered(refusal)?;
                if self.json {
                    print_json(&json!({ "delivered": false, "to": to.node, "code": failure.code,
                        "why": failure.sentence }));
                } else {
                    print_line(&format!("not delivered: {}", why(&failure)));
                }
                Ok(Outcome::NotDone)
            }
        }
    }

    fn text(&self) -> Result<String, Refusal> {
        let text = if self.text.is_empty() { from_standard_input()? } else { self.text.join(" ") };
        match text.len() {
            0 => Err(Refusal::Cannot("there is no text to send".to_owned())),
            length if length > Content::MAX_TEXT => Err(Refusal::Cannot(format!(
                "the text has {length} bytes and a message holds {}: send it in parts",
                Content::MAX_TEXT
            ))),
            _fits => Ok(text),
        }
    }
}

/// All of standard input, without the end of its last line.
fn from_standard_input() -> Result<String, Refusal> {
    // A byte more than fits, so that a text that is too long is seen to be; the last line's end does not count.
    let most = u64::try_from(4 * Content::MAX_TEXT).expect("a small number");
    let mut bytes = Vec::new();
    io::stdin()
        .lock()
        .take(most)
        .read_to_end(&mut bytes)
        .map_err(|cause| Refusal::Cannot(format!("nothing can be read from standard input: {cause}")))?;
    let text = String::from_utf8(bytes)
        .map_err(|_binary| Refusal::Cannot("a message is UTF-8 text, and this is none".to_owned()))?;
    Ok(text.strip_suffix('\n').unwrap_or(&text).to_owned())
}
