//! Two ways from a source to a sink, one of which becomes crowded.

use std::collections::BTreeMap;

use nexus_crypto::{DestinationHash, NodeId, NodePublic};
use nexus_machine::{Duration, Seed};
use nexus_network::announces::Choice;
use nexus_network::{Opened, Tapping};
use nexus_wire::nexus::cost::CostList;
use nexus_wire::nexus::message::{MessageKind, Messages};
use nexus_wire::nexus::path_cost::{CompactPathCost, CostCode};
use nexus_wire::nexus::recording::Direction;
use nexus_wire::nexus::traffic::{self, Class};

use super::funnel::{AROUND_PAYLOAD, LONGEST, under_load, wire};
use super::{Pace, Station, Stream, Tally};
use crate::clock::WorldTime;
use crate::layout::{Layout, MediumPlan};
use crate::observation::{NodeIndex, Observation, Observer, Watching};
use crate::tables::{CHEAPEST, Tables};
use crate::world::{Friends, Scenario};

/// Whose packets are watched,
pub const SOURCE: NodeIndex = NodeIndex(0);
/// the relay that asks less,
pub const CHEAP: NodeIndex = NodeIndex(1);
/// the one that asks more,
pub const DEAR: NodeIndex = NodeIndex(2);
const SINK: NodeIndex = NodeIndex(3);
/// and who crowds the cheap one.
const CROWD: NodeIndex = NodeIndex(4);

/// What they ask for carrying to the sink, in µNXS for 1,024 bytes: a price that may double passes the other by the quarter by which a path
/// has to be better to be taken instead, and so does the other one once it is as it was.
pub const ASKS: [u64; 2] = [10_000, 13_000];
const ELSEWHERE: u64 = 100;
/// The source asks so much that no crowd is led around through it: what is crowded stays so, and only whose way it is can leave it.
const NO_RELAY: u64 = 20_000;
/// From the relays to the sink, in bits per second: so slow that the crowd is some dozens of packets a second.
const NARROW_BPS: u64 = 100_000;
const WIDE_BPS: u64 = 10_000_000;

/// A round of gossip.
pub const ROUND: Duration = Duration::from_secs(60);
/// When packets begin, when the crowd comes and goes, and the end.
const BEGIN: WorldTime = at(120);
/// See [`BEGIN`].
pub const COMES: WorldTime = at(300);
/// See [`BEGIN`].
pub const GOES: WorldTime = at(1_080);
const END: WorldTime = at(3_000);
/// Ten rounds of steady load.
pub const STEADY: (WorldTime, WorldTime) = (at(440), at(1_040));

const fn at(seconds: u64) -> WorldTime {
    WorldTime::from_start(Duration::from_secs(seconds))
}

/// Who crowds the cheap way.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Crowd {
    /// Another neighbour of the relay, with one and a half times what its way carries.
    Another,
    /// The source itself: more than one way carries, less than both.
    Itself,
}

/// What came of it.
#[derive(Debug)]
pub struct Ways {
    /// By which relay each of the source's packets went, and when.
    pub went: Vec<(WorldTime, NodeIndex)>,
    /// Which relay the source chose for these packets, by their class, and since when. A way around who complains is no choice: it is for as
    /// long as that lasts, and packets share both ways.
    pub chosen: Vec<(WorldTime, NodeIndex)>,
    /// What the cheap relay quoted the source for the way to the sink, and when, in µNXS for 1,024 bytes.
    pub quoted: Vec<(WorldTime, u64)>,
    /// All that was seen of packets.
    pub tally: Tally,
}

impl Ways {
    /// What comes of it.
    #[must_use]
    pub fn of(crowd: Crowd, seed: Seed) -> Self {
        Self::watched(crowd, seed, &mut [])
    }

    /// The same before the eyes of others.
    #[must_use]
    pub fn watched(crowd: Crowd, seed: Seed, also: &mut [&mut dyn Observer]) -> Self {
        Self::asking(crowd, seed, ASKS, also)
    }

    /// The same where the relays ask something else.
    #[must_use]
    pub fn asking(crowd: Crowd, seed: Seed, asks: [u64; 2], also: &mut [&mut dyn Observer]) -> Self {
        let scenario = Scenario { layout: layout(asks), ..scenario(seed) };
        let mut quotes = Quotes::of(&scenario);
        let streams = streams(crowd);
        let mut observers: Vec<&mut dyn Observer> = vec![&mut quotes];
        for observer in also {
            observers.push(&mut **observer);
        }
        let tally = under_load::<Station>(scenario, &streams, (BEGIN, GOES), &mut observers);
        let by_relay = |(_, by): &(WorldTime, NodeIndex)| [CHEAP, DEAR].contains(by);
        let went = tally.departures(|stream| stream.from == SOURCE).into_iter().filter(by_relay).collect();
        Self { went, chosen: quotes.chosen, quoted: quotes.quoted, tally }
    }

    /// When the source's packets went on by another relay than those before, in a time, and by which.
    #[must_use]
    pub fn flips(&self, from: WorldTime, until: WorldTime) -> Vec<(WorldTime, NodeIndex)> {
        changes(&self.went, from, until)
    }

    /// When the source chose another relay than before, in a time, and which.
    #[must_use]
    pub fn choices(&self, from: WorldTime, until: WorldTime) -> Vec<(WorldTime, NodeIndex)> {
        changes(&self.chosen, from, until)
    }

    /// How long after a moment packets first went by this relay.
    #[must_use]
    pub fn moved(&self, after: WorldTime, by: NodeIndex) -> Option<Duration> {
        self.went.iter().find(|(at, relay)| *at >= after && *relay == by).map(|(at, _)| at.since(after))
    }

    /// The dearest that the cheap relay was said to be between two moments, and when it was first.
    #[must_use]
    pub fn dearest(&self, from: WorldTime, until: WorldTime) -> Option<(WorldTime, u64)> {
        let within = self.quoted.iter().filter(|(at, _)| (from..until).contains(at)).copied();
        within.max_by_key(|(at, quoted)| (*quoted, std::cmp::Reverse(*at)))
    }
}

fn changes(all: &[(WorldTime, NodeIndex)], from: WorldTime, until: WorldTime) -> Vec<(WorldTime, NodeIndex)> {
    let mut before = None;
    let changed = all.iter().filter(|(_, by)| before.replace(*by).is_some_and(|before| before != *by));
    let changed: Vec<_> = changed.copied().collect();
    changed.into_iter().filter(|(at, _)| (from..until).contains(at)).collect()
}

/// The world, before anybody offers anything.
#[must_use]
pub fn scenario(seed: Seed) -> Scenario {
    let calm = Scenario::calm(seed, layout(ASKS), END.since(WorldTime::START));
    // What is asked turns traffic; whether it could be paid is judged elsewhere.
    Scenario { friends: Friends::Everybody, ..calm }
}

fn layout(asks: [u64; 2]) -> Layout {
    let asking = |plan: MediumPlan, prices: [u64; 2]| MediumPlan { prices: prices.to_vec(), ..plan };
    let media = vec![
        asking(wire(WIDE_BPS, SOURCE, CHEAP), [NO_RELAY, ELSEWHERE]),
        asking(wire(WIDE_BPS, SOURCE, DEAR), [NO_RELAY, ELSEWHERE]),
        asking(wire(NARROW_BPS, CHEAP, SINK), [asks[0]; 2]),
        asking(wire(NARROW_BPS, DEAR, SINK), [asks[1]; 2]),
        asking(wire(WIDE_BPS, CROWD, CHEAP), [ELSEWHERE; 2]),
    ];
    Layout { nodes: 5, media }
}

fn streams(crowd: Crowd) -> Vec<Stream> {
    let stream = |from, bytes: u16, permille: u64, since, until| {
        let bits = (u64::from(bytes) + u64::try_from(AROUND_PAYLOAD).expect("a header is short")) * 8;
        let pace = Pace::Random(Duration::from_micros(bits * 1_000_000_000 / NARROW_BPS / permille));
        Stream { from, to: SINK, class: Class::Standard, bytes, pace, since, until }
    };
    let watched = stream(SOURCE, 120, 100, BEGIN, END);
    match crowd {
        Crowd::Another => vec![watched, stream(CROWD, LONGEST, 1_500, COMES, GOES)],
        Crowd::Itself => vec![watched, stream(SOURCE, LONGEST, 1_200, COMES, GOES)],
    }
}

/// Links leave the transport id out of a packet, whatever its first byte promises: behind flags and hops stands whose it is.
const DESTINATION_AT: usize = 2;

/// What the cheap relay says of the sink to the source, and what the source makes of it.
#[derive(Debug)]
struct Quotes {
    sink: DestinationHash,
    quoted: Vec<(WorldTime, u64)>,
    tables: Tables,
    chosen: Vec<(WorldTime, NodeIndex)>,
    peers: BTreeMap<NodeId, NodeIndex>,
}

impl Quotes {
    fn of(scenario: &Scenario) -> Self {
        let identities = scenario.identities();
        let ids: Vec<_> = identities.iter().map(NodePublic::node_id).collect();
        let peers = ids.iter().copied().zip((0..).map(NodeIndex)).collect();
        Self {
            sink: ids[SINK.place()].into(),
            quoted: Vec::new(),
            tables: Tables::new(&identities),
            chosen: Vec::new(),
            peers,
        }
    }

    fn quotes(&mut self, at: WorldTime, cost: CompactPathCost) {
        if let CostCode::Known(code) = cost.cumulative_cost {
            self.quoted.push((at, code.price()));
        }
    }
}

impl Observer for Quotes {
    fn observe(&mut self, _observation: &Observation<'_>) {}

    fn wants_opened(&self) -> Tapping {
        Tapping::Open
    }

    fn watches_routes(&self) -> Watching {
        Watching::Routes
    }

    fn chose(&mut self, at: WorldTime, node: NodeIndex, all: &[Choice]) {
        if node == SOURCE && self.tables.take(node, all).contains(&SINK) {
            let step = self.tables.held(node, SINK).chosen[CHEAPEST];
            self.chosen.extend(step.map(|step| (at, step.to)));
        }
    }

    fn opened(&mut self, at: WorldTime, node: NodeIndex, opened: &Opened) {
        let from = opened.peer.and_then(|peer| self.peers.get(&peer).copied());
        if node != SOURCE || from != Some(CHEAP) || opened.direction != Direction::Received {
            return;
        }
        for message in Messages::new(&opened.plaintext).map_while(Result::ok) {
            match message.kind {
                MessageKind::COST => {
                    let records =
                        message.parse::<CostList<'_>>().map(|list| list.records().collect::<Vec<_>>());
                    for record in records.unwrap_or_default() {
                        if record.destination == self.sink {
                            self.quotes(at, record.cost);
                        }
                    }
                }
                MessageKind::ANNOUNCE => {
                    if let Ok(announce) = message.parse::<traffic::Announce<'_>>()
                        && announce.packet.get(DESTINATION_AT..).and_then(<[u8]>::first_chunk)
                            == Some(&self.sink.0)
                    {
                        self.quotes(at, announce.cost);
                    }
                }
                _ => {}
            }
        }
    }
}
