//! `nexus bench-link`: what a way to a node carries, and what each class of packets waits there, idle and under load.
//!
//! What it sends are pings, which every node answers: sealed packets there and back, no message, nothing that stays. Those of the load are
//! as long as packets may be, their answers short. Goodput is what of them was answered; what left by the interface, this node's own queue
//! says. A node answers ten pings a second to whoever is no neighbour (spec/secure.md#correspondence), so the load of a longer way has no
//! goodput worth the name, and the probes of a way go slowly enough to be answered.

use std::collections::BTreeMap;
use std::time::Duration;

use clap::Args;
use nexus_daemon::api::{ClassOfQueue, Delivered, PacketClass, Queues, Verb, Way, Ways};
use nexus_daemon::client::Client;
use serde_json::json;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

use crate::address_book::AddressBook;
use crate::daemon::{Named, connect, find};
use crate::ending::{Ending, Outcome, Refusal};
use crate::messages::not_delivered;
use crate::messages::tally::Tally;
use crate::place::Place;
use crate::quantities::{rate, seconds};
use crate::routing::classes;
use crate::terminal::{print_json, print_line};

/// Between two probes of a class to a neighbour,
const INTERVAL: Duration = Duration::from_millis(100);
/// and to anybody else, beside a load of which as many are answered as of these.
const FAR_INTERVAL: Duration = Duration::from_secs(1);
/// What a ping carries that is not padding, in bytes.
const NONCE: u64 = 8;

/// The command.
#[derive(Debug, Args)]
#[command(after_long_help = "\
It sends pings of each class for half of the time, then the same beside a load
of long pings, as many at once as --at-once says, the next when one was answered
or given up. Answers are as urgent as what they answer. The load is traffic
for everybody on the way: on a radio channel it takes what it can get.

Neighbours answer 500 pings a second, other nodes ten: over more than one hop
see what left by the interface, not what was answered.

Exit code 0 means that at least one probe was answered under load.

Examples:
  nexus bench-link anna
  nexus bench-link --for 1m --at-once 32 --load standard 3f1c0d")]
pub(crate) struct BenchLink {
    /// With whom; a neighbour, if a link is to be measured and not a way
    node: String,
    #[command(flatten)]
    place: Place,
    /// For how long altogether: 10s, 5m
    #[arg(long = "for", value_name = "DURATION", default_value = "10s", value_parser = seconds)]
    for_s: u64,
    /// Of which class the load is
    #[arg(long, value_name = "CLASS", default_value = "bulk", value_parser = classes())]
    load: PacketClass,
    /// How many pings of the load are on their way at once
    #[arg(long, value_name = "N", default_value_t = 8, value_parser = clap::value_parser!(u32).range(1..=32))]
    at_once: u32,
    /// How many bytes longer than need be the pings of the load are
    #[arg(long, value_name = "BYTES", default_value_t = 382, value_parser = clap::value_parser!(u16).range(..=382))]
    padding: u16,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

/// What one half of the time showed.
struct Half {
    by_class: BTreeMap<PacketClass, Tally>,
    load: Tally,
    /// What the pings of the load carried that were answered.
    goodput_bps: u64,
    /// What left by the interface meanwhile, of the load's class, sealed.
    left_bps: Option<u64>,
}

impl BenchLink {
    pub(crate) async fn run(self) -> Ending {
        let book = AddressBook::of_this_person().map_err(Refusal::cannot)?;
        let mut client = connect(&self.place).await?;
        let to = find(&mut client, &book, &self.node).await?;
        let way = self.way(&mut client, &to).await?;
        let interface = way.as_ref().map(|way| way.interface.clone());
        let interval = if way.is_some_and(|way| way.last) { INTERVAL } else { FAR_INTERVAL };
        let idle = self.half(&mut client, &to, interface.as_deref(), (interval, 0)).await?;
        let loaded = self.half(&mut client, &to, interface.as_deref(), (interval, self.at_once)).await?;
        let answered = loaded.by_class.values().map(Tally::answered).sum::<u32>();
        if self.json {
            print_json(&json!({ "node": to.node, "interface": interface, "load": self.load.name(),
                "at_once": self.at_once, "padding": self.padding, "goodput_bps": loaded.goodput_bps, "carried_bps": loaded.left_bps,
                "load_pings": loaded.load.as_json("node", &to.node),
                "idle": told(&idle, &to), "loaded": told(&loaded, &to) }));
        } else {
            self.print(&to, interface.as_deref(), &idle, &loaded);
        }
        Ok(if answered == 0 { Outcome::NotDone } else { Outcome::Done })
    }

    fn print(&self, to: &Named, interface: Option<&str>, idle: &Half, loaded: &Half) {
        let by = interface.map_or_else(String::new, |interface| format!(" by {interface}"));
        print_line(&format!("pings to {}{by}, there and back:", to.name));
        for (what, half) in [("idle", idle), ("loaded", loaded)] {
            for (class, tally) in &half.by_class {
                print_line(&format!("  {what:6} {:11} {}", class.name(), tally.sentence()));
            }
        }
        let load = format!("load: {} {} pings at once: {}", self.at_once, self.load, loaded.load.sentence());
        print_line(&load);
        print_line(&format!("{} of what they carried was answered", rate(loaded.goodput_bps)));
        match loaded.left_bps {
            Some(bps) => print_line(&format!("{} of that class left by the interface, sealed", rate(bps))),
            None => print_line("what left by the interface is not known"),
        }
    }

    /// How packets to the node go; none if there is no way yet.
    async fn way(&self, client: &mut Client, to: &Named) -> Result<Option<Way>, Refusal> {
        let verb = Verb::Path { to: to.node.clone(), policy: None };
        match client.call::<Ways>(verb).await {
            Ok(ways) => Ok(ways.ways.into_iter().next()),
            Err(refusal) => not_delivered(refusal).map(|_no_way| None),
        }
    }

    /// Probes of each class for half of the time, beside so many pings of the load.
    async fn half(
        &self,
        client: &mut Client,
        to: &Named,
        interface: Option<&str>,
        (interval, at_once): (Duration, u32),
    ) -> Result<Half, Refusal> {
        let began = Instant::now();
        let until = began + Duration::from_secs(self.for_s.max(2)) / 2;
        let before = self.left(client, interface).await?;
        let mut probes = JoinSet::new();
        for class in PacketClass::ALL {
            let (client, node) = (connect(&self.place).await?, to.node.clone());
            probes.spawn(async move { (class, pings(client, node, (class, 0), interval, until).await) });
        }
        let mut loads = JoinSet::new();
        for _ in 0..at_once {
            let (client, node) = (connect(&self.place).await?, to.node.clone());
            loads.spawn(pings(client, node, (self.load, self.padding), Duration::ZERO, until));
        }
        let (mut by_class, mut load) = (BTreeMap::new(), Tally::default());
        while let Some(done) = probes.join_next().await {
            let (class, tally) = done.map_err(Refusal::cannot)?;
            by_class.insert(class, tally?);
        }
        while let Some(done) = loads.join_next().await {
            load.join(done.map_err(Refusal::cannot)??);
        }
        let after = self.left(client, interface).await?;
        let spent_ms = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX).max(1);
        let left_bps = before.zip(after).map(|(before, after)| {
            after.left_bytes.saturating_sub(before.left_bytes).saturating_mul(8_000) / spent_ms
        });
        let carried = u64::from(load.answered()) * (NONCE + u64::from(self.padding));
        Ok(Half { by_class, goodput_bps: carried * 8_000 / spent_ms, load, left_bps })
    }

    /// What the queue of an interface says of the load's class.
    async fn left(
        &self,
        client: &mut Client,
        interface: Option<&str>,
    ) -> Result<Option<ClassOfQueue>, Refusal> {
        let queues = client.call::<Queues>(Verb::Queues).await?.interfaces;
        let queue = queues.into_iter().find(|queue| Some(queue.interface.as_str()) == interface);
        Ok(queue.and_then(|queue| queue.classes.get(self.load.name()).copied()))
    }
}

/// Pings of a class, with so much padding, one after the other, each once.
async fn pings(
    mut client: Client,
    node: String,
    (class, padding): (PacketClass, u16),
    pause: Duration,
    until: Instant,
) -> Result<Tally, Refusal> {
    let mut tally = Tally::default();
    while Instant::now() < until {
        let (to, padding, class) = (node.clone(), Some(padding), Some(class));
        let verb = Verb::Ping { to, for_s: 0, padding, policy: None, class };
        match client.call::<Delivered>(verb).await {
            Ok(Delivered { round_trip_us, .. }) => tally.count(Some(round_trip_us)),
            Err(refusal) => {
                not_delivered(refusal)?;
                tally.count(None);
            }
        }
        sleep(pause).await;
    }
    Ok(tally)
}

fn told(half: &Half, to: &Named) -> serde_json::Value {
    half.by_class.iter().map(|(class, tally)| (class.name(), tally.as_json("node", &to.node))).collect()
}
