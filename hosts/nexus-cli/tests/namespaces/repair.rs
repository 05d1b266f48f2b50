//! A node on the way dies, and how long that is felt by traffic that no node on the way knows of.

use std::time::{Duration, Instant};

use nexus_netns::{Death, Flow, Middle, Outage, Spot, outage};

use crate::mesh::{Mesh, PATIENCE};

/// Within so long traffic flows again on links of IP speed.
const REPAIRED_WITHIN: Duration = Duration::from_secs(1);
/// The same where three of ten frames are lost on each cable: a fifth of the three minutes that are allowed.
const LOSSY_WITHIN: Duration = Duration::from_secs(36);
/// For so long a node that came back is watched.
const WATCHED: Duration = Duration::from_secs(20);

/// Kinds of death, without whom they befall.
#[derive(Clone, Copy, Debug)]
enum Kind {
    Frozen,
    Silent,
    Unplugged,
}

impl Kind {
    fn of(self, mesh: &Mesh, middle: Middle) -> Death<'_> {
        match self {
            Self::Frozen => Death::Frozen(mesh.node(middle.spot())),
            Self::Silent => Death::Silent,
            Self::Unplugged => Death::Unplugged,
        }
    }
}

/// Lets the place that carries the traffic die. Who died, and what was felt.
fn death(mesh: &Mesh, flow: &Flow, kind: Kind) -> (Middle, Outage) {
    flow.until_flowing(Instant::now(), PATIENCE).unwrap();
    let middle = mesh.diamond.carrying().unwrap();
    let felt = outage(flow, PATIENCE, || kind.of(mesh, middle).befall(&mesh.diamond, middle));
    (middle, felt.unwrap_or_else(|error| panic!("{kind:?}: {error}\n{}", mesh.logs())))
}

/// Traffic from S to A goes on over a link that nothing happens to: its own longest gap, at the same time and through the same
/// process, is what the machine takes for itself.
fn repaired_within_a_second(kind: Kind) {
    let mesh = Mesh::start();
    let (flow, calm) = (mesh.flow(Spot::D, "probe"), mesh.flow(Spot::A, "calm"));
    calm.until_flowing(Instant::now(), PATIENCE).unwrap();
    let (middle, felt) = death(&mesh, &flow, kind);
    let machine = calm.longest_gap(felt.at, felt.until);
    println!("{kind:?} {middle:?}: {:?}, and {machine:?} beside it", felt.longest);
    assert!(felt.longest < REPAIRED_WITHIN + machine, "{:?}, {machine:?}\n{}", felt.longest, mesh.logs());
}

#[test]
fn traffic_flows_within_a_second_after_a_node_stopped_where_it_stood() {
    repaired_within_a_second(Kind::Frozen);
}

#[test]
fn traffic_flows_within_a_second_after_cables_fell_silent() {
    repaired_within_a_second(Kind::Silent);
}

#[test]
fn traffic_flows_within_a_second_after_cables_were_pulled() {
    repaired_within_a_second(Kind::Unplugged);
}

#[test]
fn a_node_that_comes_back_makes_no_traffic_swing() {
    let mesh = Mesh::start();
    let (flow, calm) = (mesh.flow(Spot::D, "probe"), mesh.flow(Spot::A, "calm"));
    let (middle, _) = death(&mesh, &flow, Kind::Silent);
    Kind::Silent.of(&mesh, middle).pass(&mesh.diamond, middle).unwrap();
    let (began, mut ways) = (Instant::now(), Vec::new());
    while began.elapsed() < WATCHED {
        ways.push(mesh.diamond.carrying().unwrap());
    }
    let swings = ways.windows(2).filter(|pair| pair[0] != pair[1]).count();
    let until = Instant::now();
    let (gap, machine) = (flow.longest_gap(began, until), calm.longest_gap(began, until));
    println!("{swings} swings in {ways:?}, {gap:?} without traffic, {machine:?} beside it");
    assert!(swings <= 1, "{ways:?}\n{}", mesh.logs());
    assert!(gap < REPAIRED_WITHIN + machine, "{gap:?}, {machine:?}\n{}", mesh.logs());
}

#[test]
fn on_cables_that_lose_three_of_ten_frames_a_death_is_over_long_before_three_minutes() {
    let mesh = Mesh::start_on_bad_cables();
    let flow = mesh.flow(Spot::D, "probe").through_loss();
    let (middle, felt) = death(&mesh, &flow, Kind::Silent);
    println!("{middle:?}: {:?}", felt.longest);
    assert!(felt.longest < LOSSY_WITHIN, "{:?}\n{}", felt.longest, mesh.logs());
}
