//! From what is written to what happens.

use std::collections::BTreeMap;
use std::fmt::Display;

use nexus_air::place::{Position, Route, Waypoint};
use nexus_machine::{Duration, Instant};

use super::written::{FORMAT, Judged, WorldFile};
use super::{Prepared, Written, media, prices, schedule, traffic};
use crate::clock::WorldTime;
use crate::expectation::{Expectation, Reached, Watched};
use crate::layout::Layout;
use crate::observation::{MediumIndex, NodeIndex};
use crate::swarm;
use crate::world::Scenario;

/// What is wrong, and where in the text.
pub(super) struct Wrong {
    pub(super) at: Option<usize>,
    pub(super) sentence: String,
}

impl Wrong {
    pub(super) fn new(at: &Written<impl Sized>, sentence: impl Display) -> Self {
        Self { at: Some(at.span().start), sentence: sentence.to_string() }
    }
}

/// What the file's names mean.
pub(super) struct Names {
    nodes: BTreeMap<String, NodeIndex>,
    media: BTreeMap<String, MediumIndex>,
    routes: Vec<Route>,
}

impl Names {
    pub(super) fn node(&self, at: &Written<impl Sized>, name: &str) -> Result<NodeIndex, Wrong> {
        let found = self.nodes.get(name).copied();
        found.ok_or_else(|| Wrong::new(at, format_args!("there is no node `{name}`")))
    }

    pub(super) fn nodes(&self, at: &Written<impl Sized>, names: &[String]) -> Result<Vec<NodeIndex>, Wrong> {
        let mut nodes = names.iter().map(|name| self.node(at, name)).collect::<Result<Vec<_>, _>>()?;
        let count = nodes.len();
        nodes.sort_unstable();
        nodes.dedup();
        if nodes.len() < count {
            return Err(Wrong::new(at, "a node is named twice"));
        }
        Ok(nodes)
    }

    pub(super) fn medium(&self, at: &Written<impl Sized>, name: &str) -> Result<MediumIndex, Wrong> {
        let found = self.media.get(name).copied();
        found.ok_or_else(|| Wrong::new(at, format_args!("there is no medium `{name}`")))
    }

    /// Where a node is, and goes.
    pub(super) fn route(&self, node: NodeIndex) -> Route {
        self.routes[node.place()].clone()
    }
}

/// The most nodes of a world.
const MOST_NODES: usize = 10_000;
/// The longest world: ten years.
const LONGEST_S: u64 = 10 * 366 * 86_400;

pub(super) fn prepare(file: &WorldFile) -> Result<Prepared, Wrong> {
    bounds(file)?;
    let (names, media_names) = names(file)?;
    let media = media::media(file, &names)?;
    let mut layout = Layout { nodes: u32::try_from(file.nodes.len()).expect("bounded before"), media };
    let repriced = prices::prices(file, &names, &mut layout)?;
    let (flows, traffic) = traffic::flows(file, &names)?;
    let (mut schedule, calm_at) = schedule::schedule(file, &names, &layout)?;
    schedule.extend(repriced);
    schedule.sort_by_key(|(at, _)| *at);
    let length = Duration::from_secs(file.duration_s);
    let scenario = Scenario {
        schedule,
        traffic,
        start_spread: Duration::from_millis(file.start_within_ms),
        ..Scenario::calm(swarm::seed(file.seed), layout, length)
    };
    Ok(Prepared {
        name: file.name.clone(),
        nodes: file.nodes.iter().map(|node| node.get_ref().name.clone()).collect(),
        routes: names.routes,
        media: media_names,
        scenario,
        flows,
        expectation: expectation(file, calm_at)?,
    })
}

fn bounds(file: &WorldFile) -> Result<(), Wrong> {
    let refused = |sentence: String| Err(Wrong { at: None, sentence });
    if file.format != FORMAT {
        return refused(format!("this is format {}, and only {FORMAT} is known", file.format));
    }
    if !(1..=MOST_NODES).contains(&file.nodes.len()) {
        return refused(format!("a world has 1 to {MOST_NODES} nodes, and this one {}", file.nodes.len()));
    }
    if !(1..=LONGEST_S).contains(&file.duration_s) {
        return refused(format!("a world lasts 1 to {LONGEST_S} s"));
    }
    Ok(())
}

fn names(file: &WorldFile) -> Result<(Names, Vec<String>), Wrong> {
    let mut nodes = BTreeMap::new();
    let mut routes = Vec::new();
    for (index, node) in (0..).map(NodeIndex).zip(&file.nodes) {
        let name = &node.get_ref().name;
        if nodes.insert(name.clone(), index).is_some() {
            return Err(Wrong::new(node, format_args!("two nodes are called `{name}`")));
        }
        routes.push(route(node)?);
    }
    // In the order in which the layout has them.
    let channels = file.channels.iter().map(|channel| (channel.span(), &channel.get_ref().name));
    let cables = file.cables.iter().map(|cable| (cable.span(), &cable.get_ref().name));
    let networks = file.networks.iter().map(|network| (network.span(), &network.get_ref().name));
    let mut media = BTreeMap::new();
    let mut media_names = Vec::new();
    for (index, (span, name)) in (0..).map(MediumIndex).zip(channels.chain(cables).chain(networks)) {
        if media.insert(name.clone(), index).is_some() {
            return Err(Wrong { at: Some(span.start), sentence: format!("two media are called `{name}`") });
        }
        media_names.push(name.clone());
    }
    Ok((Names { nodes, media, routes }, media_names))
}

fn route(node: &Written<super::Node>) -> Result<Route, Wrong> {
    let point = |at_s: u64, [east, north]: [i32; 2]| Waypoint {
        at: Instant::BOOT.after(Duration::from_secs(at_s)),
        position: Position::metres(east, north),
    };
    let written = node.get_ref();
    let first = point(0, written.at_m);
    let rest = written.route.iter().map(|waypoint| point(waypoint.at_s, waypoint.to_m));
    Route::through(std::iter::once(first).chain(rest)).map_err(|error| Wrong::new(node, error))
}

fn expectation(file: &WorldFile, calm_at: WorldTime) -> Result<Expectation, Wrong> {
    let expect = file.expect.get_ref();
    if expect.delivered_percent.is_some_and(|percent| percent > 100) {
        return Err(Wrong::new(&file.expect, "`delivered_percent` is at most 100"));
    }
    let all_reached =
        expect.all_reached_within_s.map(|seconds| Reached { calm_at, within: Duration::from_secs(seconds) });
    let end = WorldTime::from_start(Duration::from_secs(file.duration_s));
    if all_reached.is_some_and(|reached| reached.calm_at.after(reached.within) > end) {
        return Err(Wrong::new(
            &file.expect,
            "`all_reached_within_s` after the last fault is after the end of the world",
        ));
    }
    Ok(Expectation {
        watched: match expect.judges {
            Judged::Nothing => Watched::ByNobody,
            Judged::Safety => Watched::ByJudgesOfSafety,
        },
        all_reached,
        delivered_percent: expect.delivered_percent,
    })
}
