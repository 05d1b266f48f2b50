//! `nexus trace`: how a packet gets to a node and back, as far as hops tell.

use clap::Args;
use nexus_daemon::api::{PathPolicy, Quote, Traced, Verb, Way};
use serde_json::json;

use super::path::is_usable;
use super::{beginning, described, policies, ways};
use crate::address_book::AddressBook;
use crate::daemon::{connect, find};
use crate::ending::{Ending, Outcome, Refusal};
use crate::messages::{not_delivered, why};
use crate::place::Place;
use crate::quantities::{milliseconds, price, seconds, spoken};
use crate::table::PAGE;
use crate::terminal::{harmless, print, print_json, print_line, wrapped};

/// The command.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Packets do not say whence they come, and relays do not make themselves known. So
a trace tells what this node knows of its way, and what the other end answers:
over how many hops the question came, what it knows of its own way here, and its
clock. All of that is its word. Who lies between is not revealed.

Exit code 0 means that it answered. A node may be set not to answer traces.

Examples:
  nexus trace anna
  nexus trace --policy fastest --for 1m 3f1c0d")]
pub(crate) struct Trace {
    /// Whither
    node: String,
    #[command(flatten)]
    place: Place,
    /// By what the way is chosen here, in place of what the node is set to
    #[arg(long, value_name = "POLICY", value_parser = policies())]
    policy: Option<PathPolicy>,
    /// For how long it is tried: 10s, 5m; 0 is one attempt
    #[arg(long = "for", value_name = "DURATION", default_value = "10s", value_parser = seconds)]
    for_s: u64,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

impl Trace {
    pub(crate) async fn run(self) -> Ending {
        let book = AddressBook::of_this_person().map_err(Refusal::cannot)?;
        let mut client = connect(&self.place).await?;
        let to = find(&mut client, &book, &self.node).await?;
        let known = match ways(&mut client, &to, self.policy).await? {
            Ok(known) => known,
            Err(sentence) if self.json => {
                print_json(&json!({ "destination": to.node, "way": null, "answer": null, "why": sentence }));
                return Ok(Outcome::NotDone);
            }
            Err(sentence) => {
                print_line(&sentence);
                return Ok(Outcome::NotDone);
            }
        };
        let way = known.ways.iter().find(|way| way.chosen_by.contains(&known.policy) && is_usable(way));
        if !self.json {
            print(&here(way, &to.name, &book));
        }
        let verb = Verb::Trace { to: to.node.clone(), for_s: self.for_s, policy: self.policy };
        match client.call::<Traced>(verb).await {
            Ok(traced) => {
                let differences = way.map(|way| asymmetry(&way.total, &traced, &to.name)).unwrap_or_default();
                if self.json {
                    print_json(&json!({ "destination": to.node, "way": way, "answer": traced,
                        "asymmetry": differences }));
                } else {
                    print(&there(&traced, &to.name, &differences, unix_ms()));
                }
                Ok(Outcome::Done)
            }
            Err(refusal) => {
                let failure = not_delivered(refusal)?;
                if self.json {
                    print_json(&json!({ "destination": to.node, "way": way, "answer": null,
                        "why": failure.sentence, "code": failure.code }));
                } else {
                    print_line(&format!("no answer: {}", why(&failure)));
                }
                Ok(Outcome::NotDone)
            }
        }
    }
}

fn here(way: Option<&Way>, name: &str, book: &AddressBook) -> String {
    let sentence = match way {
        Some(way) => format!("from here: {}; {}", beginning(way, book), described(&way.total)),
        None => format!("from here: no way to {name} is known; it is tried all the same"),
    };
    wrapped(&harmless(&sentence), PAGE)
}

fn there(traced: &Traced, name: &str, differences: &[String], now_ms: u64) -> String {
    let took = milliseconds(traced.round_trip_us);
    let mut facts = vec![format!(
        "at {name}: the question came over {}, and the answer was here {took} after it was asked",
        hops(traced.hops_there)
    )];
    facts.push(match &traced.way_back {
        Some(back) => format!(
            "back: {} by the answer's own count; {name}'s way here: {}",
            hops(traced.hops_back),
            described(back)
        ),
        None => format!("back: {} by the answer's own count", hops(traced.hops_back)),
    });
    facts.push(match traced.clock_ms {
        Some(clock_ms) => format!("clock: {}", clock(clock_ms, now_ms, name)),
        None => format!("clock: {name} has none"),
    });
    facts.extend(differences.iter().map(|difference| format!("not symmetric: {difference}")));
    facts.iter().map(|fact| wrapped(&harmless(fact), PAGE)).collect()
}

/// In what the way there and the way back differ.
fn asymmetry(there: &Quote, traced: &Traced, name: &str) -> Vec<String> {
    let mut all = Vec::new();
    if traced.hops_there != there.hops {
        all.push(format!(
            "the question went over {} where this node knows of {}: a relay chose otherwise, or the way changed",
            hops(traced.hops_there),
            there.hops
        ));
    }
    if traced.hops_there != traced.hops_back {
        all.push(format!("{} there, {} back", hops(traced.hops_there), traced.hops_back));
    }
    let Some(back) = &traced.way_back else { return all };
    if there.unxs_per_kib != back.unxs_per_kib {
        let [out, home] = [there, back].map(|quote| price(quote.unxs_per_kib));
        all.push(format!("{out} from here, {home} from {name}"));
    }
    let [out, home] = [there, back].map(|quote| quote.worst_latency_ms);
    // Latencies are measured by each end: what differs by less than a quarter and 5 ms is the same.
    if out.abs_diff(home) > 5 && out.abs_diff(home) > out.max(home) / 4 {
        all.push(format!("at most {out} ms a hop from here, {home} ms from {name}"));
    }
    all
}

fn hops(count: u8) -> String {
    if count == 1 { "1 hop".to_owned() } else { format!("{count} hops") }
}

fn clock(theirs_ms: u64, ours_ms: u64, name: &str) -> String {
    // What it says is in whole seconds, and was said somewhere within the round trip.
    let apart_s = theirs_ms.abs_diff(ours_ms) / 1_000;
    match (apart_s, theirs_ms < ours_ms) {
        (0..=2, _) => format!("{name}'s is this machine's, to within 2 s"),
        (_, true) => format!("{name}'s is {} behind this machine's", spoken(apart_s)),
        (_, false) => format!("{name}'s is {} ahead of this machine's", spoken(apart_s)),
    }
}

fn unix_ms() -> u64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    now.map_or(0, |now| u64::try_from(now.as_millis()).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    const THERE: Quote =
        Quote { unxs_per_kib: Some(40), worst_latency_ms: 20, bottleneck_bps: 1_000_000, hops: 2 };

    fn traced() -> Traced {
        Traced {
            attempts: 1,
            round_trip_us: 12_345,
            hops_there: 2,
            hops_back: 2,
            clock_ms: Some(1_000_000),
            way_back: Some(THERE),
        }
    }

    #[test]
    fn what_is_the_same_both_ways_is_not_called_asymmetric() {
        assert_eq!(asymmetry(&THERE, &traced(), "anna"), [""; 0]);
        let nearly = Quote { worst_latency_ms: 23, ..THERE };
        assert_eq!(asymmetry(&THERE, &Traced { way_back: Some(nearly), ..traced() }, "anna"), [""; 0]);
    }

    #[test]
    fn each_difference_is_a_sentence() {
        let back = Quote { unxs_per_kib: Some(0), worst_latency_ms: 90, hops: 3, ..THERE };
        let answer = Traced { hops_there: 3, hops_back: 4, way_back: Some(back), ..traced() };
        assert_eq!(
            asymmetry(&THERE, &answer, "anna"),
            [
                "the question went over 3 hops where this node knows of 2: a relay chose otherwise, or the way changed",
                "3 hops there, 4 back",
                "40 µNXS/KiB from here, free from anna",
                "at most 20 ms a hop from here, 90 ms from anna",
            ]
        );
    }

    #[test]
    fn clocks_are_compared_within_what_a_round_trip_hides() {
        assert_eq!(clock(1_000_000, 1_002_999, "anna"), "anna's is this machine's, to within 2 s");
        assert_eq!(clock(1_000_000, 1_070_000, "anna"), "anna's is 1 min 10 s behind this machine's");
        assert_eq!(clock(4_600_000, 1_000_000, "anna"), "anna's is 1 h ahead of this machine's");
    }
}
