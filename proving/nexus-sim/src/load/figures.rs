//! What speech meets on its way over radio, and what networks take of a channel for themselves: `nexus-sim figures load` and `control`.
//! Spec: spec/simulation.md#load.

use std::io::{self, Write};

use nexus_air::Route;
use nexus_air::place::Position;
use nexus_air::propagation::{Millibels, Scenario as Propagation, Shadowing};
use nexus_machine::Duration;
use nexus_network::lora::Modulation;
use nexus_node::Node;
use nexus_wire::nexus::traffic::Class;

use super::funnel::{AROUND_PAYLOAD, LONGEST, under_load};
use super::{Account, Codec, Pace, Station, Stream};
use crate::clock::WorldTime;
use crate::layout::{Layout, MediumPlan, RadioPlan, Terrain, fast};
use crate::linking::Linking;
use crate::meter::{Load, Meter, Scope};
use crate::observation::NodeIndex;
use crate::swarm::seed;
use crate::world::{self, Scenario};

/// Who stand in a row, each in reach of the next alone.
const ROW: u32 = 4;
const APART_CM: i32 = 200_000;
/// Load begins, counts, counts no more, ends.
const TIMES: [u64; 4] = [1_200, 1_230, 1_410, 1_440];

/// What else is on the way.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Beside {
    /// Nothing.
    Nothing,
    /// As much bulk as the channel carries, from the same node to the same node.
    Bulk,
}

/// So many nodes on a channel of this modulation.
pub type OnChannel = fn(Modulation, u32) -> Layout;

/// Speech over so many hops of a row, by chips or by `RNodes`.
#[must_use]
pub fn speech(layout: OnChannel, codec: Codec, (hops, beside): (u32, Beside), number: u64) -> Account {
    let at = |seconds| WorldTime::from_start(Duration::from_secs(seconds));
    let [since, from, until, end] = TIMES.map(at);
    let layout = row(layout(fast(), ROW));
    let airtime = layout.media[0].profile.airtime(usize::from(LONGEST) + AROUND_PAYLOAD);
    let call = codec.stream(NodeIndex(0), NodeIndex(hops), since, end);
    let bulk = Stream { class: Class::Bulk, bytes: LONGEST, pace: Pace::Random(airtime), ..call };
    let streams = match beside {
        Beside::Nothing => vec![call],
        Beside::Bulk => vec![call, bulk],
    };
    let scenario = Scenario::calm(seed(number), layout, end.since(WorldTime::START));
    let tally = under_load::<Station>(scenario, &streams, (from, until), &mut []);
    tally.account(|stream| stream.class == Class::RealTime)
}

fn row(mut layout: Layout) -> Layout {
    let plan = layout.media.remove(0);
    let radio = RadioPlan { channel: plan.modems.expect("a radio channel"), gain: Millibels::decibels(0) };
    let radios = vec![radio; plan.nodes.len()];
    let terrain = Terrain { scenario: Propagation::LogDistance, shadowing: Shadowing::NONE, radios };
    let place = |number| Position { east_cm: number * APART_CM, north_cm: 0 };
    let routes = (0..).take(plan.nodes.len()).map(|number| Route::standing(place(number))).collect();
    layout.media.push(MediumPlan { terrain: Some(terrain), routes, ..plan });
    layout
}

/// Writes a row for each way of speech, as soon as it is measured.
///
/// # Errors
/// If `out` takes no more.
pub fn voice(out: &mut impl Write) -> io::Result<()> {
    let driven: [(&str, OnChannel); 2] = [("transceivers", Layout::bare), ("RNodes", Layout::lora)];
    writeln!(out, "speech of {} bit/s, SF7/250 kHz, nodes 2 km apart", Codec::SLOW.bps)?;
    writeln!(
        out,
        "| radios | a packet of | hops | beside | offered | arrived | within 500 ms | median, ms | 99 %, ms |"
    )?;
    writeln!(out, "|---|---|---:|---|---:|---:|---:|---:|---:|")?;
    for ((name, layout), packets) in driven.into_iter().flat_map(|driven| [1, 3].map(|n| (driven, n))) {
        for (hops, beside) in
            [(1, Beside::Nothing), (1, Beside::Bulk), (3, Beside::Nothing), (3, Beside::Bulk)]
        {
            let codec = Codec { packet: Codec::SLOW.packet.times(packets), ..Codec::SLOW };
            let account = speech(layout, codec, (hops, beside), 3);
            write!(out, "| {name} | {} bytes, {} ms ", codec.bytes(), codec.packet.as_millis())?;
            told(out, hops, beside, &account)?;
        }
    }
    Ok(())
}

fn told(out: &mut impl Write, hops: u32, beside: Beside, account: &Account) -> io::Result<()> {
    let shown = |percent| {
        let quantile = account.quantile(percent);
        quantile.map_or_else(|| "-".to_owned(), |latency| latency.as_millis().to_string())
    };
    writeln!(
        out,
        "| {hops} | {} | {} | {} ‰ | {} ‰ | {} | {} |",
        match beside {
            Beside::Nothing => "nothing",
            Beside::Bulk => "bulk",
        },
        account.offered,
        account.permille(),
        account.permille_within(Duration::from_millis(500)),
        shown(50),
        shown(99),
    )
}

/// Nodes have found each other as far as they will: from here on it is counted, and so long.
const SETTLED: Duration = Duration::from_secs(2 * 3_600);
const COUNTED: Duration = Duration::from_secs(3_600);

/// What idle nodes in range of each other have, and what it costs.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Control {
    /// How much of the hour they fill at the busiest place: for links, for announces, for gossip, in millionths.
    pub parts: [u64; 3],
    /// Of the pairs of them, so many thousandths have had a link,
    pub linked: u64,
    /// and so many have heard of each other.
    pub known: u64,
}

/// What nodes that start at once on a channel of 250 kHz do in their third hour, with nothing to say.
#[must_use]
pub fn control(nodes: u32, spreading_factor: u8) -> Control {
    let modulation = Modulation::new(250_000, spreading_factor, 5).expect("settings of the modulation");
    let length = SETTLED.plus(COUNTED);
    let scenario = Scenario::calm(seed(1), Layout::lora(modulation, nodes), length);
    let mut meter = Meter::from(&scenario.layout, WorldTime::from_start(SETTLED));
    let mut linking = Linking::of(&scenario);
    world::run::<Node>(&scenario, &mut [&mut meter, &mut linking]);
    let places = meter.gauges(Scope::Place).map(|(.., gauge)| {
        let busy = |is_so: fn(Load) -> bool| {
            let accounts = gauge.accounts().filter(|(load, _)| is_so(*load));
            accounts.map(|(_, account)| account.busy_ns).sum::<u64>() * 1_000 / COUNTED.as_micros()
        };
        [
            busy(|load| matches!(load, Load::Links | Load::Traffic | Load::Unopened)),
            busy(|load| load == Load::Announces),
            busy(|load| matches!(load, Load::Gossip(_))),
        ]
    });
    let ordered = u64::from(nodes) * u64::from(nodes.saturating_sub(1));
    let permille = |count: usize| u64::try_from(count).expect("a count fits u64") * 1_000 / ordered.max(1);
    Control {
        parts: places.max_by_key(|parts| parts.iter().sum::<u64>()).unwrap_or_default(),
        linked: permille(2 * linking.pairs()),
        known: permille(linking.known()),
    }
}

/// Writes a row for each spreading factor and number of nodes.
///
/// # Errors
/// If `out` takes no more.
pub fn channels(out: &mut impl Write) -> io::Result<()> {
    writeln!(
        out,
        "idle nodes on one channel of 250 kHz, in the third hour: of the channel, at the busiest place"
    )?;
    writeln!(
        out,
        "| channel | nodes | links | announces | gossip | all | pairs linked | pairs that know of each other |"
    )?;
    writeln!(out, "|---|---:|---:|---:|---:|---:|---:|---:|")?;
    for nodes in [5, 20, 50] {
        for spreading_factor in 7..=12 {
            let Control { parts, linked, known } = control(nodes, spreading_factor);
            let percent = |ppm: u64| format!("{}.{:02} %", ppm / 10_000, ppm % 10_000 / 100);
            let [links, announces, gossip] = parts.map(percent);
            let all = percent(parts.iter().sum());
            write!(out, "| SF{spreading_factor} | {nodes} | {links} | {announces} | {gossip} | {all} ")?;
            writeln!(out, "| {linked} ‰ | {known} ‰ |")?;
            out.flush()?;
        }
    }
    Ok(())
}
