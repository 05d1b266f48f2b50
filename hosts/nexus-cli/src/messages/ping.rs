//! `nexus ping`: whether a node answers, and how fast.

use std::time::Duration;

use clap::Args;
use nexus_daemon::api::{Delivered, PacketClass, PathPolicy, Verb};

use super::not_delivered;
use super::tally::Tally;
use crate::address_book::AddressBook;
use crate::daemon::{connect, find};
use crate::ending::{Ending, Outcome, Refusal};
use crate::place::Place;
use crate::quantities::{milliseconds, seconds};
use crate::routing::{classes, policies};
use crate::terminal::{print_json, print_line};

/// Between two probes.
const INTERVAL: Duration = Duration::from_secs(1);

/// The command.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Exit code 0 means that at least one probe was answered.

Examples:
  nexus ping anna
  nexus ping -c 1 --for 2m 3f1c0d")]
pub(crate) struct Ping {
    /// Whom
    node: String,
    /// How many probes
    #[arg(short, long, value_name = "N", default_value_t = 4, value_parser = clap::value_parser!(u32).range(1..))]
    count: u32,
    #[command(flatten)]
    place: Place,
    /// For how long each probe is tried: 10s, 5m; 0 is one attempt
    #[arg(long = "for", value_name = "DURATION", default_value = "5s", value_parser = seconds)]
    for_s: u64,
    /// How many bytes longer than need be its packets are, up to 382
    #[arg(long, value_name = "BYTES", value_parser = clap::value_parser!(u16).range(..=382))]
    padding: Option<u16>,
    /// By what the way is chosen here, in place of what the node is set to
    #[arg(long, value_name = "POLICY", value_parser = policies())]
    policy: Option<PathPolicy>,
    /// How urgent its packets are on the way
    #[arg(long, value_name = "CLASS", value_parser = classes())]
    class: Option<PacketClass>,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

impl Ping {
    pub(crate) async fn run(self) -> Ending {
        let book = AddressBook::of_this_person().map_err(Refusal::cannot)?;
        let mut client = connect(&self.place).await?;
        let node = find(&mut client, &book, &self.node).await?;
        let mut tally = Tally::default();
        for number in 1..=self.count {
            if number > 1 {
                tokio::time::sleep(INTERVAL).await;
            }
            let (for_s, padding, policy, class) = (self.for_s, self.padding, self.policy, self.class);
            let verb = Verb::Ping { to: node.node.clone(), for_s, padding, policy, class };
            let said = match client.call::<Delivered>(verb).await {
                Ok(Delivered { round_trip_us, .. }) => {
                    tally.count(Some(round_trip_us));
                    format!("answer {number} from {}: {}", node.name, milliseconds(round_trip_us))
                }
                Err(refusal) => {
                    tally.count(None);
                    format!("no answer {number}: {}", not_delivered(refusal)?.sentence)
                }
            };
            if !self.json {
                print_line(&said);
            }
        }
        if self.json {
            print_json(&tally.as_json("node", &node.node));
        } else {
            print_line(&tally.sentence());
        }
        Ok(if tally.answered() == 0 { Outcome::NotDone } else { Outcome::Done })
    }
}
