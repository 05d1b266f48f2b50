//! `nexus send`: a message, until the recipient has proved that it arrived.

use std::io::{self, IsTerminal as _, Read as _};

use clap::Args;
use nexus_daemon::api::{Attempt, Delivered, Event, LeftAt, PacketClass, PathPolicy, Progress, Verb};
use nexus_daemon::client::Client;
use nexus_endpoint::lxmf::TEXT_MAX;
use nexus_secure::Content;
use serde_json::json;

use super::{not_delivered, why};
use crate::address_book::AddressBook;
use crate::daemon::{Named, connect, find};
use crate::ending::{Ending, Outcome, Refusal};
use crate::place::Place;
use crate::quantities::{milliseconds, seconds};
use crate::routing::{classes, policies};
use crate::terminal::{print_json, print_line};

/// What tells LXMF addresses from node ids, which look alike.
const LXMF: &str = "lxmf:";

/// The command.
#[derive(Debug, Args)]
#[command(after_long_help = "\
The recipient is a contact, a node id, the first digits of one that is known, or
`lxmf:` and the address of somebody on Sideband, NomadNet or the like.
The message is sent again until its receipt came or the time is over. Exit code
0 means that the recipient's node proved that it has it.

Examples:
  nexus send anna see you at eight
  nexus send --for 1h anna -- --not-an-option
  nexus send --for 5m lxmf:6f1c0ae4d3b2917865ffe0a1b2c3d4e5 hello from a node
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
    /// How urgent its packets are on the way
    #[arg(long, value_name = "CLASS", value_parser = classes())]
    class: Option<PacketClass>,
    /// Do not say who sends it
    #[arg(long)]
    anonymous: bool,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

impl Send {
    pub(crate) async fn run(self) -> Ending {
        let mut client = connect(&self.place).await?;
        let (to, verb) = self.parcel(&mut client).await?;
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
            Ok(Delivered { attempts, round_trip_us, left_at }) => {
                if self.json {
                    print_json(&json!({ "delivered": true, "to": to.node, "attempts": attempts,
                        "round_trip_us": round_trip_us, "left_at": left_at }));
                } else {
                    let took = milliseconds(round_trip_us);
                    let where_to = match left_at {
                        None => "delivered",
                        Some(LeftAt::PropagationNode) => "left at the propagation node",
                    };
                    print_line(&format!("{where_to} ({took}, attempt {attempts})"));
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

    /// To whom, and what the daemon is asked for.
    async fn parcel(&self, client: &mut Client) -> Result<(Named, Verb), Refusal> {
        let (for_s, policy) = (self.for_s, self.policy);
        if self.to.starts_with(LXMF) {
            if self.anonymous || policy.is_some() || self.class.is_some() {
                let sentence = "a message to an LXMF address is always signed, and goes as announces came";
                return Err(Refusal::Cannot(format!(
                    "{sentence}: leave out --anonymous, --policy and --class"
                )));
            }
            let text = self.text(TEXT_MAX)?;
            let verb = Verb::LxmfSend { to: self.to.clone(), title: String::new(), text, for_s };
            return Ok((Named { node: self.to.clone(), name: self.to.clone() }, verb));
        }
        let (text, class) = (self.text(Content::MAX_TEXT)?, self.class);
        let book = AddressBook::of_this_person().map_err(Refusal::cannot)?;
        let to = find(client, &book, &self.to).await?;
        let verb = Verb::Send { to: to.node.clone(), text, signed: !self.anonymous, for_s, policy, class };
        Ok((to, verb))
    }

    fn text(&self, most: usize) -> Result<String, Refusal> {
        let text = if self.text.is_empty() { from_standard_input()? } else { self.text.join(" ") };
        match text.len() {
            0 => Err(Refusal::Cannot("there is no text to send".to_owned())),
            length if length > most => Err(Refusal::Cannot(format!(
                "the text has {length} bytes and a message holds {most}: send it in parts"
            ))),
            _fits => Ok(text),
        }
    }
}

/// All of standard input, without the end of its last line.
fn from_standard_input() -> Result<String, Refusal> {
    // A byte more than fits, so that a text that is too long is seen to be; the last line's end does not count.
    let most = u64::try_from(TEXT_MAX + 2).expect("a small number");
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
