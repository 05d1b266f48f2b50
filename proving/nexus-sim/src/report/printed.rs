//! A run's accounts, as people and programs read them.

use std::collections::BTreeMap;
use std::fmt;

use nexus_machine::Duration;
use serde::Serialize;

use super::{FlowAccount, Ledger};
use crate::judge::budget;
use crate::meter::{Class, Load, Meter, Scope};
use crate::observation::Failure;
use crate::world::Outcome;
use crate::worldfile::Prepared;

/// What came of a run of a world file.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Report {
    /// The world's name.
    pub world: String,
    /// How long it lasted, in seconds.
    pub duration_s: u64,
    /// What must be true and was not, one sentence each.
    pub failures: Vec<String>,
    /// Traffic, by its name in the file.
    pub traffic: Vec<FlowReport>,
    /// Nodes, in the file's order.
    pub nodes: Vec<NodeReport>,
    /// Media, in the file's order: channels, cables, networks.
    pub media: Vec<MediumReport>,
    /// What was on media for what, by kind of media.
    pub loads: Vec<LoadReport>,
    /// The fullest windows of announces and gossip, one sentence each.
    pub fullest: Vec<String>,
    /// The trace hash.
    pub trace: String,
}

/// What all senders on media of one kind had there for one purpose.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct LoadReport {
    /// The kind of media.
    pub media: &'static str,
    /// The purpose.
    pub load: String,
    /// All bytes, with what modems put before them.
    pub bytes: u64,
    /// For each sender and second, in thousandths of a byte.
    pub millibytes_per_s: u64,
    /// The share of the time that it kept the medium busy, for each sender, in millionths.
    pub busy_ppm: u64,
}

/// What came of one entry of traffic.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct FlowReport {
    /// Its name.
    pub name: String,
    /// Texts that nodes were asked to send.
    pub offered: u64,
    /// Their bytes.
    pub offered_bytes: u64,
    /// Texts that were shown to their recipients.
    pub shown: u64,
    /// Their bytes.
    pub shown_bytes: u64,
    /// Texts whose receipts came.
    pub receipts: u64,
    /// From being offered to being shown: the median.
    pub median_ms: Option<u64>,
    /// The 95th percentile.
    pub p95_ms: Option<u64>,
    /// The longest.
    pub longest_ms: Option<u64>,
    /// Given up without a known way.
    pub no_path: u64,
    /// Given up without a receipt.
    pub no_receipt: u64,
    /// Refused, because the node had too much on its way.
    pub busy: u64,
}

/// What a node did.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct NodeReport {
    /// Its name.
    pub name: String,
    /// Frames that it put on media.
    pub frames: u64,
    /// What its radios had on the air.
    pub airtime_ms: u64,
    /// Links that came up, less those that went down.
    pub links: i64,
    /// Links that went down.
    pub links_lost: u64,
    /// Frames that were dropped because the channel was never free.
    pub jammed: u64,
}

/// What a medium did.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct MediumReport {
    /// Its name.
    pub name: String,
    /// Frames that nodes put on it.
    pub frames: u64,
    /// Their bytes.
    pub bytes: u64,
    /// What radios had on the air, all together.
    pub airtime_ms: u64,
    /// What did not arrive as it was sent, by cause, for each receiver of each frame.
    pub damage: BTreeMap<&'static str, u64>,
}

impl Report {
    /// Of a run of `prepared` that `ledger` watched and in which the judges found `failures`.
    #[must_use]
    pub fn new(
        prepared: &Prepared,
        ledger: &Ledger,
        meter: &Meter,
        outcome: &Outcome,
        failures: &[(&'static str, Failure)],
    ) -> Self {
        let mut sentences: Vec<String> = failures
            .iter()
            .map(|(judge, failure)| format!("{judge}, {}: {}", failure.at, failure.reason))
            .collect();
        sentences
            .extend(outcome.halted.as_ref().map(|halted| format!("rest, {}: {}", halted.at, halted.reason)));
        let traffic = traffic(prepared, ledger);
        sentences
            .extend(prepared.expectation.delivered_percent.and_then(|percent| too_few(&traffic, percent)));
        Self {
            world: prepared.name.clone(),
            duration_s: prepared.scenario.length.as_secs(),
            failures: sentences,
            traffic,
            nodes: nodes(prepared, ledger),
            media: media(prepared, ledger),
            loads: loads(prepared, meter),
            fullest: meter.worst().iter().map(budget::told).collect(),
            trace: outcome.trace.to_string(),
        }
    }
}

fn too_few(traffic: &[FlowReport], percent: u8) -> Option<String> {
    let offered: u64 = traffic.iter().map(|flow| flow.offered).sum();
    let shown: u64 = traffic.iter().map(|flow| flow.shown).sum();
    let enough = shown * 100 >= offered * u64::from(percent);
    (!enough)
        .then(|| format!("{shown} of {offered} texts were shown to their recipients, and not {percent} %"))
}

/// The accounts of flows of one name together.
fn traffic(prepared: &Prepared, ledger: &Ledger) -> Vec<FlowReport> {
    let mut names: Vec<&String> = prepared.flows.iter().collect();
    names.dedup();
    let of = |name: &String| {
        let own = prepared.flows.iter().zip(ledger.flows()).filter(|(flow, _)| *flow == name);
        flow(name, &own.map(|(_, account)| account).collect::<Vec<_>>())
    };
    names.into_iter().map(of).collect()
}

fn flow(name: &str, accounts: &[&FlowAccount]) -> FlowReport {
    let sum = |count: fn(&FlowAccount) -> u64| accounts.iter().copied().map(count).sum();
    let mut latencies: Vec<Duration> =
        accounts.iter().flat_map(|account| account.latencies.iter().copied()).collect();
    latencies.sort_unstable();
    let at_percent = |percent: usize| {
        let last = latencies.len().checked_sub(1)?;
        latencies.get(last * percent / 100).map(|latency| latency.as_millis())
    };
    FlowReport {
        name: name.to_owned(),
        offered: sum(|account| account.offered.texts),
        offered_bytes: sum(|account| account.offered.bytes),
        shown: sum(|account| account.shown.texts),
        shown_bytes: sum(|account| account.shown.bytes),
        receipts: sum(|account| account.receipts),
        median_ms: at_percent(50),
        p95_ms: at_percent(95),
        longest_ms: at_percent(100),
        no_path: sum(|account| account.given_up.no_path),
        no_receipt: sum(|account| account.given_up.no_receipt),
        busy: sum(|account| account.given_up.busy),
    }
}

fn nodes(prepared: &Prepared, ledger: &Ledger) -> Vec<NodeReport> {
    let report = |(name, account): (&String, &super::NodeAccount)| NodeReport {
        name: name.clone(),
        frames: account.frames,
        airtime_ms: account.airtime.as_millis(),
        links: account.links_up.cast_signed() - account.links_down.cast_signed(),
        links_lost: account.links_down,
        jammed: account.jammed,
    };
    prepared.nodes.iter().zip(ledger.nodes()).map(report).collect()
}

fn media(prepared: &Prepared, ledger: &Ledger) -> Vec<MediumReport> {
    let report = |(name, account): (&String, &super::MediumAccount)| MediumReport {
        name: name.clone(),
        frames: account.frames,
        bytes: account.bytes,
        airtime_ms: account.airtime.as_millis(),
        damage: account.damage.clone(),
    };
    prepared.media.iter().zip(ledger.media()).map(report).collect()
}

/// The accounts of senders on media of one class together.
fn loads(prepared: &Prepared, meter: &Meter) -> Vec<LoadReport> {
    let seconds = prepared.scenario.length.as_secs().max(1);
    let mut sums: BTreeMap<(Class, Load), (u64, u64)> = BTreeMap::new();
    let mut senders: BTreeMap<Class, u64> = BTreeMap::new();
    for (medium, _, gauge) in meter.gauges(Scope::Sender) {
        let class = meter.class(medium);
        *senders.entry(class).or_default() += 1;
        for (load, account) in gauge.accounts() {
            let (bytes, busy_ns) = sums.entry((class, load)).or_default();
            (*bytes, *busy_ns) = (*bytes + account.bytes, *busy_ns + account.busy_ns);
        }
    }
    let report = |((class, load), (bytes, busy_ns)): ((Class, Load), (u64, u64))| {
        let each = senders.get(&class).copied().unwrap_or(1) * seconds;
        LoadReport {
            media: class.name(),
            load: load.name(),
            bytes,
            millibytes_per_s: bytes * 1_000 / each,
            busy_ppm: busy_ns / (each * 1_000),
        }
    };
    sums.into_iter().map(report).collect()
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}: {} s", self.world, self.duration_s)?;
        self.write_traffic(f)?;
        self.write_media(f)?;
        self.write_loads(f)?;
        self.write_nodes(f)?;
        for failure in &self.failures {
            writeln!(f, "FAILED  {failure}")?;
        }
        write!(f, "trace {}", self.trace)
    }
}

/// Seconds with as many decimals as tell something.
struct Span(Option<u64>);

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            None => f.pad("-"),
            Some(ms @ ..10_000) => f.pad(&format!("{}.{:03} s", ms / 1_000, ms % 1_000)),
            Some(ms) => f.pad(&format!("{}.{} s", ms / 1_000, ms % 1_000 / 100)),
        }
    }
}

/// A share of something, in percent with one decimal.
struct Share(u64, u64);

impl fmt::Display for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.0 * 1_000).checked_div(self.1) {
            None => f.pad("-"),
            Some(permille) => f.pad(&format!("{}.{} %", permille / 10, permille % 10)),
        }
    }
}

impl Report {
    fn write_traffic(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.traffic.is_empty() {
            return Ok(());
        }
        writeln!(
            f,
            "\n{:<16} {:>8} {:>8} {:>8} {:>10} {:>10} {:>10}  {:<9} {:<10} busy",
            "traffic", "offered", "shown", "", "median", "95 %", "longest", "no path", "no receipt"
        )?;
        for flow in &self.traffic {
            writeln!(
                f,
                "{:<16} {:>8} {:>8} {:>8} {:>10} {:>10} {:>10}  {:<9} {:<10} {}",
                flow.name,
                flow.offered,
                flow.shown,
                Share(flow.shown, flow.offered),
                Span(flow.median_ms),
                Span(flow.p95_ms),
                Span(flow.longest_ms),
                flow.no_path,
                flow.no_receipt,
                flow.busy
            )?;
        }
        Ok(())
    }

    fn write_media(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "\n{:<16} {:>8} {:>10} {:>12}  not as it was sent",
            "medium", "frames", "bytes", "airtime"
        )?;
        for medium in &self.media {
            let damage: Vec<String> =
                medium.damage.iter().map(|(what, times)| format!("{what} {times}")).collect();
            let airtime = Span(Some(medium.airtime_ms).filter(|airtime| *airtime > 0));
            let (name, damage) = (&medium.name, damage.join(", "));
            writeln!(f, "{name:<16} {:>8} {:>10} {airtime:>12}  {damage}", medium.frames, medium.bytes)?;
        }
        Ok(())
    }

    fn write_loads(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "\n{:<16} {:<18} {:>12} {:>12} {:>10}", "media", "for", "bytes", "B/s sender", "busy")?;
        for LoadReport { media, load, bytes, millibytes_per_s, busy_ppm } in &self.loads {
            let each = format!("{}.{:03}", millibytes_per_s / 1_000, millibytes_per_s % 1_000);
            let busy = format!("{}.{:04} %", busy_ppm / 10_000, busy_ppm % 10_000);
            writeln!(f, "{media:<16} {load:<18} {bytes:>12} {each:>12} {busy:>10}")?;
        }
        for fullest in &self.fullest {
            writeln!(f, "fullest  {fullest}")?;
        }
        Ok(())
    }

    fn write_nodes(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "\n{:<16} {:>8} {:>6} {:>6} {:>12} {:>8}",
            "node", "frames", "links", "lost", "airtime", ""
        )?;
        for node in &self.nodes {
            let airtime = Span(Some(node.airtime_ms).filter(|airtime| *airtime > 0));
            let share = Share(node.airtime_ms, self.duration_s * 1_000);
            let (name, frames, links, lost) = (&node.name, node.frames, node.links, node.links_lost);
            writeln!(f, "{name:<16} {frames:>8} {links:>6} {lost:>6} {airtime:>12} {share:>8}")?;
        }
        writeln!(f)
    }
}
