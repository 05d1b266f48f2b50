//! `nexus ping`: whether a node answers, and how fast.

use std::time::Duration;

use clap::Args;
use nexus_daemon::api::{Delivered, PathPolicy, Verb};
use serde_json::{Value, json};

use super::not_delivered;
use crate::address_book::AddressBook;
use crate::daemon::{connect, find};
use crate::ending::{Ending, Outcome, Refusal};
use crate::place::Place;
use crate::quantities::{milliseconds, seconds};
use crate::routing::policies;
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
    /// By what the way is chosen here, in place of what the node is set to
    #[arg(long, value_name = "POLICY", value_parser = policies())]
    policy: Option<PathPolicy>,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

impl Ping {
    pub(crate) async fn run(self) -> Ending {
        let book = AddressBook::of_this_person().map_err(Refusal::cannot)?;
        let mut client = connect(&self.place).await?;
        let node = find(&mut client, &book, &self.node).await?;
        let mut tally = Tally { sent: 0, round_trips_us: Vec::new() };
        for number in 1..=self.count {
            if number > 1 {
                tokio::time::sleep(INTERVAL).await;
            }
            let verb = Verb::Ping { to: node.node.clone(), for_s: self.for_s, policy: self.policy };
            tally.sent += 1;
            let said = match client.call::<Delivered>(verb).await {
                Ok(Delivered { round_trip_us, .. }) => {
                    tally.round_trips_us.push(round_trip_us);
                    format!("answer {number} from {}: {}", node.name, milliseconds(round_trip_us))
                }
                Err(refusal) => format!("no answer {number}: {}", not_delivered(refusal)?.sentence),
            };
            if !self.json {
                print_line(&said);
            }
        }
        tally.round_trips_us.sort_unstable();
        if self.json {
            print_json(&tally.as_json(&node.node));
        } else {
            print_line(&tally.sentence());
        }
        Ok(if tally.round_trips_us.is_empty() { Outcome::NotDone } else { Outcome::Done })
    }
}

/// What came back, the fastest first.
struct Tally {
    sent: u32,
    round_trips_us: Vec<u64>,
}

impl Tally {
    fn answered(&self) -> u32 {
        u32::try_from(self.round_trips_us.len()).unwrap_or(u32::MAX)
    }

    /// Per cent, rounded to the nearest; 0 and 100 only if it is all or nothing.
    fn loss_percent(&self) -> u32 {
        let lost = self.sent - self.answered();
        let rounded = (200 * u64::from(lost) + u64::from(self.sent)) / (2 * u64::from(self.sent.max(1)));
        let rounded = u32::try_from(rounded).unwrap_or(100);
        if lost == 0 || lost == self.sent { rounded } else { rounded.clamp(1, 99) }
    }

    /// The fastest, the middle one (of an even number, the slower of both), the slowest.
    fn spread(&self) -> Option<[u64; 3]> {
        let middle = self.round_trips_us.get(self.round_trips_us.len() / 2)?;
        Some([*self.round_trips_us.first()?, *middle, *self.round_trips_us.last()?])
    }

    fn sentence(&self) -> String {
        let counts =
            format!("{} sent, {} answered, {} % lost", self.sent, self.answered(), self.loss_percent());
        match self.spread() {
            Some(spread) => {
                let [min, median, max] = spread.map(milliseconds);
                format!("{counts}; min {min}, median {median}, max {max}")
            }
            None => counts,
        }
    }

    fn as_json(&self, node: &str) -> Value {
        let [min, median, max] = self.spread().map_or([None; 3], |spread| spread.map(Some));
        json!({ "node": node, "sent": self.sent, "answered": self.answered(), "loss_percent": self.loss_percent(),
            "min_us": min, "median_us": median, "max_us": max })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_summary_is_right_for_all_some_and_none() {
        let tally = |sent, round_trips: &[u64]| Tally { sent, round_trips_us: round_trips.to_vec() };
        let none = tally(3, &[]);
        assert_eq!((none.loss_percent(), none.spread()), (100, None));
        assert_eq!(none.sentence(), "3 sent, 0 answered, 100 % lost");
        let some = tally(3, &[1_000, 30_000]);
        assert_eq!((some.loss_percent(), some.spread()), (33, Some([1_000, 30_000, 30_000])));
        assert_eq!(tally(1_000, &[5; 999]).loss_percent(), 1, "a loss is never rounded away");
        let all = tally(3, &[1_000, 2_000, 9_000]);
        assert_eq!(all.sentence(), "3 sent, 3 answered, 0 % lost; min 1.00 ms, median 2.00 ms, max 9.00 ms");
    }
}
