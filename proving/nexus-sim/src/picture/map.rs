//! A world from above: nodes, who hears whom, cables and local networks, and how much each carried.

use std::collections::BTreeMap;

use nexus_air::place::{Position, Route};
use nexus_air::propagation::{Millibels, Scenario, sensitivity};

use super::labels::Labels;
use super::places::{Ground, Places};
use super::svg::{Anchor, Point, Svg, step};
use super::tally::{Heard, Tally};
use super::{bytes_in_words, in_words};
use crate::capture::description;
use crate::layout::RadioPlan;
use crate::observation::{MediumIndex, NodeIndex};

const SIZE: Point = (1_180.0, 760.0);
/// The map itself: its upper left corner and its size. The rest is for the title and the key.
const CORNER: Point = (40.0, 60.0);
const MAP: Point = (820.0, 650.0);
const KEY_X: f64 = 900.0;
const LETTERS: f64 = 12.0;
const NODE: f64 = 7.0;
/// Thin lines carried nothing, the thickest what the busiest carried.
const THIN: f64 = 0.8;
const THICK: f64 = 7.0;
/// Where so many lines of a medium lie among each other, the thickest is half as thick.
const CROWD: usize = 40;

const STYLE: &str = "text{fill:#222222}.title{font-size:18px;font-weight:bold}.sub{font-size:12px;fill:#555555}\
.label{font-size:12px;paint-order:stroke;stroke:#ffffff;stroke-width:3px;stroke-linejoin:round}.key{font-size:12px}\
.radio{stroke:#0072B2;stroke-opacity:.4}.weak{stroke:#0072B2;stroke-opacity:.4;stroke-dasharray:10 5}.silent{stroke:#0072B2;stroke-opacity:.3;stroke-dasharray:2 4}\
.cable{stroke:#009E73;stroke-opacity:.8}.lan{stroke:#CC79A7;stroke-opacity:.8}\
.hub{fill:#CC79A7;stroke:#222222}.node{fill:#ffffff;stroke:#222222;stroke-width:2}\
.gateway{fill:#E69F00;stroke:#222222;stroke-width:2}.mobile{fill:#56B4E9;stroke:#222222;stroke-width:2}\
.route{fill:none;stroke:#D55E00;stroke-width:2;stroke-dasharray:8 4}.arrow{fill:#D55E00}\
.frame{fill:none;stroke:#bbbbbb}\
.range{fill:none;stroke:#0072B2;stroke-opacity:.6;stroke-dasharray:2 4}.cut{clip-path:url(#map)}.leader{stroke:#777777}.scale{stroke:#222222}";

/// Draws a world and what its media carried.
#[must_use]
pub fn map(title: &str, tally: &Tally, places: &Places) -> String {
    let mut drawing = Drawing::new(tally, places);
    drawing.svg.text("title", (CORNER.0, 30.0), Anchor::Start, title);
    let carried: u64 = drawing.wires.iter().map(|wire| wire.bytes).sum();
    let sub = format!(
        "{} nodes, {} media, {} carried in {}",
        tally.layout().nodes,
        tally.layout().media.len(),
        bytes_in_words(carried),
        in_words(tally.last())
    );
    drawing.svg.text("sub", (CORNER.0, 48.0), Anchor::Start, &sub);
    drawing.svg.clip("map", CORNER, MAP);
    drawing.svg.rectangle("frame", CORNER, MAP);
    drawing.ranges();
    drawing.wires();
    drawing.routes();
    drawing.nodes();
    drawing.scale();
    drawing.key();
    drawing.svg.finish()
}

/// What joins two points.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Kind {
    /// Of what two radios sent each other reached, at least half was received.
    Radio,
    /// Less than half was.
    Weak,
    /// Nothing was.
    Silent,
    Cable,
    /// A node, and its local network.
    Lan,
}

impl Kind {
    /// All of them, in the order of the key.
    const ALL: [Self; 5] = [Self::Radio, Self::Weak, Self::Silent, Self::Cable, Self::Lan];

    /// Of two radios; none if neither reached the other.
    const fn between(heard: Heard) -> Option<Self> {
        match (heard.received, heard.reached) {
            (_, 0) => None,
            (0, _) => Some(Self::Silent),
            (received, reached) if 2 * received >= reached => Some(Self::Radio),
            (_, _) => Some(Self::Weak),
        }
    }

    const fn is_radio(self) -> bool {
        match self {
            Self::Radio | Self::Weak | Self::Silent => true,
            Self::Cable | Self::Lan => false,
        }
    }

    const fn class(self) -> &'static str {
        match self {
            Self::Radio => "radio",
            Self::Weak => "weak",
            Self::Silent => "silent",
            Self::Cable => "cable",
            Self::Lan => "lan",
        }
    }

    const fn words(self) -> &'static str {
        match self {
            Self::Radio => "radio, at least half received",
            Self::Weak => "radio, less than half received",
            Self::Silent => "in reach, nothing received",
            Self::Cable => "cable",
            Self::Lan => "local network",
        }
    }
}

#[derive(Clone, Copy, Debug)]
struct Wire {
    kind: Kind,
    from: Point,
    to: Point,
    bytes: u64,
}

struct Drawing<'a> {
    svg: Svg,
    tally: &'a Tally,
    places: &'a Places,
    /// Pixels for a metre, and what stands in the middle.
    scale: f64,
    middle: (f64, f64),
    wires: Vec<Wire>,
    hubs: Vec<Point>,
    /// How many circles are drawn.
    ranges: usize,
}

impl<'a> Drawing<'a> {
    fn new(tally: &'a Tally, places: &'a Places) -> Self {
        let metres =
            |position: Position| (f64::from(position.east_cm) / 100.0, f64::from(position.north_cm) / 100.0);
        let all: Vec<(f64, f64)> = places.all().map(metres).collect();
        let least = |axis: fn(&(f64, f64)) -> f64| all.iter().map(axis).fold(f64::INFINITY, f64::min);
        let most = |axis: fn(&(f64, f64)) -> f64| all.iter().map(axis).fold(f64::NEG_INFINITY, f64::max);
        let (west, east, south, north) =
            (least(|at| at.0), most(|at| at.0), least(|at| at.1), most(|at| at.1));
        // Room for labels at the edges, and at least a metre, lest one node alone fill the world.
        let scale = ((MAP.0 - 200.0) / (east - west).max(1.0)).min((MAP.1 - 90.0) / (north - south).max(1.0));
        let middle = (f64::midpoint(west, east), f64::midpoint(south, north));
        let svg = Svg::new(SIZE.0, SIZE.1, STYLE);
        let mut drawing =
            Self { svg, tally, places, scale, middle, wires: Vec::new(), hubs: Vec::new(), ranges: 0 };
        drawing.measure();
        drawing
    }

    fn point(&self, position: Position) -> Point {
        let (east, north) = (f64::from(position.east_cm) / 100.0, f64::from(position.north_cm) / 100.0);
        let (x, y) = ((east - self.middle.0) * self.scale, (north - self.middle.1) * self.scale);
        (CORNER.0 + MAP.0 / 2.0 + x, CORNER.1 + MAP.1 / 2.0 - y)
    }

    fn of(&self, node: NodeIndex) -> Point {
        let first = self.places.route(node).and_then(|route| route.waypoints().next());
        self.point(first.map_or_else(Position::default, |waypoint| waypoint.position))
    }

    /// Finds what joins what, and how much it carried.
    fn measure(&mut self) {
        let layout = self.tally.layout();
        for (number, medium) in (0..).map(MediumIndex).zip(&layout.media) {
            let sent = |node: NodeIndex| self.tally.sent(number, node);
            if medium.is_radio() {
                let pairs = medium.nodes.iter().enumerate();
                let pairs = pairs
                    .flat_map(|(at, one)| medium.nodes[at + 1..].iter().map(move |other| (*one, *other)));
                for (one, other) in pairs {
                    let there = self.tally.heard(number, one, other);
                    let heard = there.plus(self.tally.heard(number, other, one));
                    if let Some(kind) = Kind::between(heard) {
                        let (from, to) = (self.of(one), self.of(other));
                        self.wires.push(Wire { kind, from, to, bytes: heard.bytes });
                    }
                }
            } else if let ([one, other], false) = (&medium.nodes[..], medium.is_lan()) {
                let bytes = sent(*one) + sent(*other);
                let wire = Wire { kind: Kind::Cable, from: self.of(*one), to: self.of(*other), bytes };
                self.wires.push(wire);
            } else {
                let points: Vec<Point> = medium.nodes.iter().map(|node| self.of(*node)).collect();
                let hub = mean(&points);
                self.hubs.push(hub);
                let spokes = medium.nodes.iter().zip(&points);
                let wires =
                    spokes.map(|(node, at)| Wire { kind: Kind::Lan, from: *at, to: hub, bytes: sent(*node) });
                self.wires.extend(wires.collect::<Vec<_>>());
            }
        }
    }

    /// The busiest of the same medium: what one carries is nothing to another.
    fn busiest(&self, kind: Kind) -> u64 {
        self.wires
            .iter()
            .filter(|wire| wire.kind == kind || wire.kind.is_radio() && kind.is_radio())
            .map(|wire| wire.bytes)
            .max()
            .unwrap_or_default()
    }

    /// How far radios are understood where nothing shadows them: those of gateways and of whoever moves, if there are any.
    fn ranges(&mut self) {
        for medium in &self.tally.layout().media {
            let Some(terrain) = &medium.terrain else { continue };
            let is_special = |node: NodeIndex| self.moves(node) || self.is_gateway(node);
            let few = medium.nodes.iter().any(|node| is_special(*node));
            let circles: Vec<(Point, f64)> = medium
                .nodes
                .iter()
                .zip(&terrain.radios)
                .filter(|(node, _)| !few || is_special(**node))
                .map(|(node, radio)| {
                    (self.of(*node), f64::from(range_m(terrain.scenario, radio)) * self.scale)
                })
                // A circle that is larger than the map shows nothing.
                .filter(|(_, radius)| *radius < MAP.0)
                .collect();
            for (at, radius) in circles {
                self.svg.circle("range cut", at, radius);
                self.ranges += 1;
            }
        }
    }

    fn moves(&self, node: NodeIndex) -> bool {
        self.places.route(node).is_some_and(Route::moves)
    }

    fn is_gateway(&self, node: NodeIndex) -> bool {
        self.tally.layout().interfaces(node).count() > 1
    }

    fn routes(&mut self) {
        for node in self.tally.layout().node_indices() {
            let Some(route) = self.places.route(node).filter(|route| route.moves()) else { continue };
            let points: Vec<Point> =
                route.waypoints().map(|waypoint| self.point(waypoint.position)).collect();
            self.svg.polyline("route", &points);
            for leg in points.windows(2) {
                if let Some(arrow) = arrow(leg[0], leg[1]) {
                    self.svg.polygon("arrow", &arrow);
                }
            }
        }
    }

    fn wires(&mut self) {
        let busiest = [Kind::Radio, Kind::Silent, Kind::Cable, Kind::Lan]
            .map(|kind| (kind.class(), self.busiest(kind)));
        let busiest = BTreeMap::from(busiest);
        let mut wires = self.wires.clone();
        // The busy ones lie above the others.
        wires.sort_by_key(|wire| wire.bytes);
        for wire in wires {
            let class = wire.kind.class();
            let alike =
                self.wires.iter().filter(|other| other.kind.is_radio() == wire.kind.is_radio()).count();
            let thick = if alike < CROWD { THICK } else { THICK / 2.0 };
            self.svg.line(class, wire.from, wire.to, width(wire.bytes, busiest[class], thick));
        }
        for (x, y) in self.hubs.clone() {
            self.svg.rectangle("hub", (x - 6.0, y - 6.0), (12.0, 12.0));
        }
    }

    fn nodes(&mut self) {
        let mut labels = Labels::of_size(LETTERS);
        let nodes: Vec<NodeIndex> = self.tally.layout().node_indices().collect();
        for node in &nodes {
            labels.keep_free(self.of(*node), NODE + 1.0);
        }
        self.hubs.iter().for_each(|hub| labels.keep_free(*hub, 8.0));
        for wire in &self.wires {
            beads(wire).for_each(|bead| labels.keep_free(bead, 2.0));
        }
        for node in nodes {
            let at = self.of(node);
            self.node(at, self.moves(node), self.is_gateway(node));
            let name = self.places.name(node).to_owned();
            let place = labels.place(at, NODE, &name);
            if place.is_far {
                self.svg.line("leader", at, place.at, 0.8);
            }
            self.svg.text("label", place.at, place.anchor, &name);
        }
    }

    fn node(&mut self, (x, y): Point, moves: bool, is_gateway: bool) {
        if moves {
            let far = NODE + 2.0;
            self.svg.polygon("mobile", &[(x, y - far), (x + far, y), (x, y + far), (x - far, y)]);
        } else if is_gateway {
            self.svg.rectangle("gateway", (x - NODE, y - NODE), (2.0 * NODE, 2.0 * NODE));
        } else {
            self.svg.circle("node", (x, y), NODE);
        }
    }

    fn scale(&mut self) {
        let y = CORNER.1 + MAP.1 + 24.0;
        match self.places.ground() {
            Ground::Drawn => {
                let words = "The world has no places: nodes stand on a circle in their order.";
                self.svg.text("sub", (CORNER.0, y + 4.0), Anchor::Start, words);
            }
            Ground::Real => {
                let metres = step(MAP.0 / self.scale, MAP.0, 120.0);
                let end = CORNER.0 + metres * self.scale;
                self.svg.line("scale", (CORNER.0, y), (end, y), 2.0);
                for x in [CORNER.0, end] {
                    self.svg.line("scale", (x, y - 5.0), (x, y + 5.0), 2.0);
                }
                let words = if metres >= 1_000.0 {
                    format!("{} km", metres / 1_000.0)
                } else {
                    format!("{metres} m")
                };
                self.svg.text("key", (end + 8.0, y + 4.0), Anchor::Start, &words);
            }
        }
    }

    fn key(&mut self) {
        let mut y = CORNER.1 + 12.0;
        let x = KEY_X;
        let layout = self.tally.layout();
        let (moves, is_gateway) = (|node| self.moves(node), |node| self.is_gateway(node));
        let shapes = [
            ("node", false, false, layout.node_indices().any(|node| !moves(node) && !is_gateway(node))),
            (
                "node on several media",
                false,
                true,
                layout.node_indices().any(|node| !moves(node) && is_gateway(node)),
            ),
            ("node that moves, where it begins", true, false, layout.node_indices().any(moves)),
        ];
        for (words, moves, is_gateway, _) in shapes.into_iter().filter(|(_, _, _, there)| *there) {
            self.node((x + 14.0, y), moves, is_gateway);
            self.svg.text("key", (x + 38.0, y + 4.0), Anchor::Start, words);
            y += 24.0;
        }
        for kind in Kind::ALL {
            if !self.wires.iter().any(|wire| wire.kind == kind) {
                continue;
            }
            let busiest = self.busiest(kind);
            self.svg.line(kind.class(), (x, y), (x + 28.0, y), if busiest > 0 { 4.0 } else { THIN });
            self.svg.text("key", (x + 38.0, y + 4.0), Anchor::Start, kind.words());
            if busiest > 0 {
                y += 16.0;
                let words = format!("thickest: {}", bytes_in_words(busiest));
                self.svg.text("sub", (x + 38.0, y + 4.0), Anchor::Start, &words);
            }
            y += 24.0;
        }
        if self.ranges > 0 {
            self.svg.circle("range", (x + 14.0, y), 11.0);
            self.svg.text("key", (x + 38.0, y + 4.0), Anchor::Start, "range of its radio, without shadows");
            y += 28.0;
        }
        y += 8.0;
        self.svg.text("key", (x, y), Anchor::Start, "Media");
        let mut kinds: BTreeMap<String, usize> = BTreeMap::new();
        for medium in &layout.media {
            *kinds.entry(description(medium)).or_default() += 1;
        }
        for (words, count) in kinds.into_iter().take(16) {
            y += 18.0;
            let words = if count == 1 { words } else { format!("{count} × {words}") };
            self.svg.text("sub", (x, y), Anchor::Start, &words);
        }
    }
}

/// How far a radio is understood by its like, in metres, where nothing shadows it.
fn range_m(scenario: Scenario, radio: &RadioPlan) -> u32 {
    let power = Millibels::decibels(radio.channel.tx_power_dbm().into());
    let budget = power.plus(radio.gain).plus(radio.gain).minus(sensitivity(radio.channel.modulation()));
    let reaches = |metres: u32| scenario.loss(u64::from(metres) * 100) <= budget;
    let (mut near, mut far) = (0, 1 << 20);
    while far - near > 1 {
        let middle = u32::midpoint(near, far);
        if reaches(middle) { near = middle } else { far = middle }
    }
    near
}

/// Points along a line, so that labels keep away from it.
fn beads(wire: &Wire) -> impl Iterator<Item = Point> + use<> {
    const APART: f64 = 10.0;
    let (from, to) = (wire.from, wire.to);
    let (dx, dy) = (to.0 - from.0, to.1 - from.1);
    let steps = dx.hypot(dy) / APART;
    (1_u32..).map(f64::from).take_while(move |step| *step < steps).map(move |step| {
        let share = step / steps;
        (from.0 + dx * share, from.1 + dy * share)
    })
}

fn mean(points: &[Point]) -> Point {
    let count = f64::from(u32::try_from(points.len().max(1)).unwrap_or(u32::MAX));
    let (x, y) = points.iter().fold((0.0, 0.0), |(x, y), point| (x + point.0, y + point.1));
    (x / count, y / count)
}

/// How wide a line is that carried so much.
fn width(bytes: u64, most: u64, thick: f64) -> f64 {
    if bytes == 0 || most == 0 {
        return THIN;
    }
    // Thousandths are fine enough, and exact.
    let share = u32::try_from(u128::from(bytes) * 1_000 / u128::from(most)).unwrap_or(1_000);
    THIN + (thick - THIN) * f64::from(share) / 1_000.0
}

/// A triangle at the end of a line.
fn arrow(before: Point, (x, y): Point) -> Option<[Point; 3]> {
    let (dx, dy) = (x - before.0, y - before.1);
    let length = dx.hypot(dy);
    if length < 1.0 {
        return None;
    }
    let (dx, dy) = (dx / length, dy / length);
    let back = (x - 12.0 * dx, y - 12.0 * dy);
    Some([(x, y), (back.0 - 5.0 * dy, back.1 + 5.0 * dx), (back.0 + 5.0 * dy, back.1 - 5.0 * dx)])
}
