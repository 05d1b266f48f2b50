//! Where the nodes of a world are.

use nexus_machine::Stream;

use super::{Kind, Node, Order};
use crate::worldfile::Waypoint;

/// A node, and what is where it stands.
#[derive(Clone, Debug)]
pub(super) struct Place {
    pub(super) node: Node,
    site: Site,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Site {
    Anywhere,
    /// Whoever lives here is joined to the Internet.
    Gateway,
    /// In reach of the wireless network.
    Green,
}

impl Place {
    fn new(name: String, at_m: [i32; 2], site: Site) -> Self {
        Self { node: Node { name, at_m, route: Vec::new() }, site }
    }

    pub(super) fn is_gateway(&self) -> bool {
        self.site == Site::Gateway
    }

    pub(super) fn is_at_the_green(&self) -> bool {
        self.site == Site::Green
    }
}

/// How far from its middle houses stand at the green, in metres: any two of them hear each other.
const GREEN_M: i32 = 45;
/// A town has an island for so many nodes, and two at least.
const ISLAND: u32 = 8;
/// Islands are so many spacings apart: far out of reach.
const OUT_OF_REACH: i32 = 10;
/// Somebody drives at 50 km/h, in metres a minute.
const DRIVE_M_A_MINUTE: i32 = 833;

pub(super) fn places(order: &Order, random: &mut Stream) -> Vec<Place> {
    let spacing = order.spacing_m.clamp(1, 1_000_000);
    match order.kind {
        Kind::Line => numbered((0..count(order, 2)).map(|place| [place * spacing, 0])),
        Kind::Diamond => diamond(count(order, 4), spacing),
        Kind::Grid => {
            let nodes = count(order, 4);
            let columns = nodes.isqrt();
            numbered((0..nodes).map(|place| [place % columns * spacing, place / columns * spacing]))
        }
        Kind::Geometric => {
            let nodes = count(order, 2);
            let side = spacing.saturating_mul(nodes.isqrt().max(1));
            numbered((0..nodes).map(|_| [within(random, side), within(random, side)]))
        }
        Kind::Village => village(count(order, 4), spacing, random),
        Kind::Town => {
            let nodes = u32::try_from(count(order, 4)).expect("a number of nodes");
            islands(nodes, (nodes / ISLAND).max(2), spacing, random)
        }
        Kind::Mobile => mobile(order, spacing, random),
    }
}

/// Pairs of places of which one is the nearest, or nearly so, of the other.
pub(super) fn side_by_side(places: &[Place]) -> Vec<(usize, usize)> {
    let squared = |one: usize, other: usize| {
        let axis = |axis: usize| {
            u64::from(places[one].node.at_m[axis].abs_diff(places[other].node.at_m[axis])).pow(2)
        };
        axis(0) + axis(1)
    };
    let mut pairs = Vec::new();
    for one in 0..places.len() {
        let others = (0..places.len()).filter(|other| *other != one);
        let Some(nearest) = others.clone().map(|other| squared(one, other)).min() else { continue };
        // A fifth farther than the nearest: the square of 1.2 is 1.44.
        let near = others.filter(|other| squared(one, *other) * 100 <= nearest * 144);
        pairs.extend(near.map(|other| (one.min(other), one.max(other))));
    }
    pairs.sort_unstable();
    pairs.dedup();
    pairs
}

fn count(order: &Order, least: u32) -> i32 {
    i32::try_from(order.nodes.clamp(least, 10_000)).expect("clamped")
}

fn numbered(points: impl Iterator<Item = [i32; 2]>) -> Vec<Place> {
    (0..).zip(points).map(|(n, at_m): (u32, _)| Place::new(format!("n{n}"), at_m, Site::Anywhere)).collect()
}

fn within(random: &mut Stream, side: i32) -> i32 {
    let bound = u64::try_from(side.max(0)).expect("not negative") + 1;
    i32::try_from(random.below(bound)).expect("at most the side")
}

/// Uniform from `-reach` to `reach`.
fn around(random: &mut Stream, reach: i32) -> i32 {
    within(random, 2 * reach) - reach
}

fn diamond(nodes: i32, spacing: i32) -> Vec<Place> {
    let between = nodes - 2;
    let middle = |place: i32| [spacing, (2 * place - (between - 1)) * spacing / (2 * between.max(1))];
    let ends = [[0, 0], [2 * spacing, 0]];
    numbered(ends.into_iter().chain((0..between).map(middle)))
}

/// A fifth at the green, two fifths around it, two fifths along two roads.
fn village(nodes: i32, spacing: i32, random: &mut Stream) -> Vec<Place> {
    let mut places = Vec::new();
    for house in 0..nodes {
        let name = format!("house{house}");
        let place = match house % 5 {
            0 => Place::new(name, [around(random, GREEN_M / 2), around(random, GREEN_M / 2)], Site::Green),
            1 | 2 => Place::new(name, [around(random, spacing), around(random, spacing)], Site::Anywhere),
            3 => Place::new(name, [around(random, 3 * spacing), around(random, 30)], Site::Anywhere),
            _ => Place::new(name, [around(random, 30), around(random, 3 * spacing)], Site::Anywhere),
        };
        places.push(place);
    }
    places
}

/// Islands in a row, each with a gateway in its middle.
fn islands(nodes: u32, islands: u32, spacing: i32, random: &mut Stream) -> Vec<Place> {
    let mut places = Vec::new();
    for node in 0..nodes {
        let (island, number) = (node % islands, node / islands);
        let middle = i32::try_from(island).expect("fewer islands than nodes") * OUT_OF_REACH * spacing;
        places.push(if number == 0 {
            Place::new(format!("gateway{island}"), [middle, 0], Site::Gateway)
        } else {
            let at = [middle + around(random, spacing), around(random, spacing)];
            Place::new(format!("island{island}-{number}"), at, Site::Anywhere)
        });
    }
    places
}

/// The last node drives: it stays for a quarter of the time, drives, stays for as long, and drives back.
fn mobile(order: &Order, spacing: i32, random: &mut Stream) -> Vec<Place> {
    let nodes = u32::try_from(count(order, 5)).expect("a number of nodes");
    let mut places = islands(nodes - 1, 2, spacing, random);
    let there = OUT_OF_REACH * spacing;
    let drive_s = u64::try_from(there * 60 / DRIVE_M_A_MINUTE).expect("a way is not negative").max(1);
    let stay = (order.duration_s / 4).max(1);
    let (home, away) = ([0, spacing / 4], [there, spacing / 4]);
    let mut traveller = Place::new("traveller".to_owned(), home, Site::Anywhere);
    let stops =
        [(stay, home), (stay + drive_s, away), (2 * stay + drive_s, away), (2 * (stay + drive_s), home)];
    traveller.node.route = stops.into_iter().map(|(at_s, to_m)| Waypoint { at_s, to_m }).collect();
    places.push(traveller);
    places
}
