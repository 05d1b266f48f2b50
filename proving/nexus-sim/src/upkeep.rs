//! What a network costs that has nothing to say: bytes on each link and second, and how much of a channel. Spec: spec/simulation.md#upkeep.

use std::io::{self, Write};

use nexus_machine::Duration;
use nexus_network::lora::Modulation;
use nexus_node::Node;

use crate::clock::WorldTime;
use crate::layout::{Layout, Shape, Speech};
use crate::meter::{Load, Meter, Scope};
use crate::swarm::seed;
use crate::world::{self, Scenario};

/// How many nodes there are in the grids of cables.
pub const GRIDS: [u32; 5] = [5, 25, 49, 100, 300];
/// How many on the channel.
pub const ON_CHANNEL: u32 = 5;
/// Nodes have found each other: from here on it is counted,
const FROM: Duration = Duration::from_secs(3_600);
/// and so long: two refreshes of each announce.
const LENGTH: Duration = Duration::from_secs(3_600);
/// What IPv4 and UDP put before a frame, in bytes: the simulator's cables carry frames alone.
pub const IP_AND_UDP: u64 = 28;

/// What idle nodes sent, each on each of its media.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Upkeep {
    /// For links, in thousandths of a byte a second.
    pub links: u64,
    /// Announces, costs, and questions for paths.
    pub announces: u64,
    /// Gossip of all stores.
    pub gossip: u64,
    /// Thousandths of a frame a second.
    pub frames: u64,
    /// How much of the time all of them together occupied the medium where one is shared, at the busiest place, in millionths.
    pub occupied_ppm: u64,
}

impl Upkeep {
    /// All of it with what IP and UDP add, in thousandths of a byte a second.
    #[must_use]
    pub const fn on_ip(&self) -> u64 {
        self.links + self.announces + self.gossip + self.frames * IP_AND_UDP
    }
}

/// What nodes on a layout send each hour, once they know each other and while nobody asks anything of them.
#[must_use]
pub fn measure(number: u64, layout: Layout) -> Upkeep {
    let scenario =
        Scenario::calm(seed(number), layout, Duration::from_micros(FROM.as_micros() + LENGTH.as_micros()));
    let mut meter = Meter::from(&scenario.layout, WorldTime::from_start(FROM));
    world::run::<Node>(&scenario, &mut [&mut meter]);
    let senders: Vec<_> = meter.gauges(Scope::Sender).map(|(.., gauge)| gauge).collect();
    let each = |sum: u64| {
        let count = u64::try_from(senders.len()).expect("a length fits u64").max(1);
        sum * 1_000 / (count * LENGTH.as_secs())
    };
    let bytes = |is_so: fn(Load) -> bool| {
        let accounts = senders.iter().flat_map(|gauge| gauge.accounts());
        each(accounts.filter(|(load, _)| is_so(*load)).map(|(_, account)| account.bytes).sum())
    };
    let occupied = meter.gauges(Scope::Place).map(|(.., gauge)| {
        let busy_ns: u64 = gauge.accounts().map(|(_, account)| account.busy_ns).sum();
        busy_ns * 1_000 / LENGTH.as_micros()
    });
    Upkeep {
        links: bytes(|load| matches!(load, Load::Links | Load::Traffic | Load::Unopened)),
        announces: bytes(|load| load == Load::Announces),
        gossip: bytes(|load| matches!(load, Load::Gossip(_))),
        frames: each(senders.iter().map(|gauge| gauge.frames()).sum()),
        occupied_ppm: occupied.max().unwrap_or(0),
    }
}

/// So many nodes in rows and columns, with cables of 10 Mbit/s.
#[must_use]
pub fn grid(nodes: u32) -> Layout {
    Shape::Grid.layout(nodes, &seed(1)).speaking(Speech::NEXUS, &seed(1))
}

/// So many nodes that hear each other on a channel of 5.5 kbit/s.
#[must_use]
pub fn channel(nodes: u32) -> Layout {
    let modulation = Modulation::new(125_000, 7, 5).expect("settings of the modulation");
    Layout::lora(modulation, nodes)
}

/// Writes a row for each network, as soon as it is measured: `nexus-sim figures upkeep`.
///
/// # Errors
/// If `out` takes no more.
pub fn figures(out: &mut impl Write) -> io::Result<()> {
    writeln!(out, "cables of 10 Mbit/s, idle; B/s of each direction of each cable")?;
    writeln!(
        out,
        "{:>5} {:>9} {:>9} {:>9} {:>9} {:>9} {:>13}",
        "nodes", "links", "announces", "gossip", "all", "frames/s", "with IP, UDP"
    )?;
    for nodes in GRIDS {
        let upkeep = measure(1, grid(nodes));
        let all = upkeep.links + upkeep.announces + upkeep.gossip;
        let [links, announces, gossip, all, frames, on_ip] =
            [upkeep.links, upkeep.announces, upkeep.gossip, all, upkeep.frames, upkeep.on_ip()]
                .map(thousandths);
        writeln!(out, "{nodes:>5} {links:>9} {announces:>9} {gossip:>9} {all:>9} {frames:>9} {on_ip:>13}")?;
    }
    let upkeep = measure(1, channel(ON_CHANNEL));
    let (whole, rest) = (upkeep.occupied_ppm / 10_000, upkeep.occupied_ppm % 10_000 / 100);
    writeln!(
        out,
        "a channel of 5.5 kbit/s, {ON_CHANNEL} idle nodes: occupied for {whole}.{rest:02} % of an hour"
    )
}

fn thousandths(value: u64) -> String {
    format!("{}.{:02}", value / 1_000, value % 1_000 / 10)
}
