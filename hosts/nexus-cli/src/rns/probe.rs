//! `nexus rns probe`: whether a destination proves what it is sent, and how fast.

use std::time::Duration;

use clap::Args;
use nexus_daemon::api::{Code, Delivered, Failure, Verb, Ways};
use nexus_daemon::client::{Client, ClientError};

use super::{destination, hops};
use crate::daemon::{Named, connect};
use crate::ending::{Ending, Outcome, Refusal};
use crate::messages::not_delivered;
use crate::messages::tally::Tally;
use crate::place::Place;
use crate::quantities::{milliseconds, seconds, spoken};
use crate::terminal::{print_json, print_line};

/// Between two probes.
const INTERVAL: Duration = Duration::from_secs(1);

/// The command.
#[derive(Debug, Args)]
#[command(after_long_help = "\
A packet of random bytes, encrypted to the destination, which has to prove that
it came: what `rnprobe` does. The destination must have announced itself, and be
one that proves packets. `nexus rns path --request` asks for its announce.

Exit code 0 means that at least one probe was proved.

Examples:
  nexus rns probe e7d5a1e4b0f6dd7b04b1ee6a10c8ea24
  nexus rns probe --count 5 --size 200 --for 1m e7d5a1")]
pub(crate) struct Probe {
    /// Whom
    destination: String,
    /// How many probes
    #[arg(short, long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
    count: u32,
    /// How many random bytes in each
    #[arg(short, long, value_name = "BYTES", default_value_t = 16)]
    size: u16,
    #[command(flatten)]
    place: Place,
    /// How long each proof may take: 10s, 5m
    #[arg(long = "for", value_name = "DURATION", default_value = "12s", value_parser = seconds)]
    for_s: u64,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

impl Probe {
    pub(crate) async fn run(self) -> Ending {
        let mut client = connect(&self.place).await?;
        let to = destination(&mut client, &self.destination).await?;
        let mut tally = Tally::default();
        let mut away = None;
        for number in 1..=self.count {
            if number > 1 {
                tokio::time::sleep(INTERVAL).await;
            }
            away = distance(&mut client, &to).await?;
            let verb = Verb::RnsProbe { to: to.node.clone(), len: self.size, for_s: self.for_s };
            let said = match client.call::<Delivered>(verb).await {
                Ok(Delivered { round_trip_us, .. }) => {
                    tally.count(Some(round_trip_us));
                    let away = away.map_or_else(String::new, |away| format!(", {} away", hops(away)));
                    format!("proof {number} from {}: {}{away}", to.name, milliseconds(round_trip_us))
                }
                Err(refusal) => {
                    tally.count(None);
                    format!("no proof {number}: {}", why(not_delivered(refusal)?, self.for_s))
                }
            };
            if !self.json {
                print_line(&said);
            }
        }
        if self.json {
            let mut object = tally.as_json("destination", &to.node);
            object["hops"] = away.into();
            object["size"] = self.size.into();
            print_json(&object);
        } else {
            print_line(&tally.sentence());
        }
        Ok(if tally.answered() == 0 { Outcome::NotDone } else { Outcome::Done })
    }
}

/// Why nothing was proved, for a person.
fn why(failure: Failure, waited_s: u64) -> String {
    match failure.code {
        Code::NoReceipt => format!("it was sent, and nothing came back within {}", spoken(waited_s)),
        Code::NoPath => "no way there is known; `nexus rns path --request` asks the network".to_owned(),
        _other_codes => failure.sentence,
    }
}

/// How many hops the destination is away by the way that is taken; none if there is no way.
async fn distance(client: &mut Client, to: &Named) -> Result<Option<u8>, Refusal> {
    match client.call::<Ways>(Verb::Path { to: to.node.clone(), policy: None }).await {
        Ok(known) => {
            let mut taken = known.ways.iter().filter(|way| way.chosen_by.contains(&known.policy));
            Ok(taken.find(|way| way.standing.is_usable()).map(|way| way.total.hops))
        }
        Err(ClientError::Refused(Failure { code: Code::NotFound, .. })) => Ok(None),
        Err(refusal) => Err(refusal.into()),
    }
}
