//! Who is compared, and how each is started.

use std::path::Path;

use nexus_netns::{Daemon, Diamond, Flow, LabError, Net, Spot};
use serde_json::json;

use super::PATIENCE;
use super::routers::{self, Routers};

/// Who carries the traffic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Contender {
    /// NEXUS as it comes: discovery by multicast, no configuration beyond a log level.
    Nexus,
    /// NEXUS with named peers and without discovery.
    NexusNamed,
    /// babeld as it comes: a hello every four seconds.
    Babeld,
    /// babeld with as frequent hellos as it takes to notice within a second or so.
    BabeldTuned,
    /// BIRD: OSPF as it comes, with BFD every 100 ms, three of which are missed.
    Bird,
}

impl Contender {
    pub(super) const ALL: [Self; 5] =
        [Self::Nexus, Self::NexusNamed, Self::Babeld, Self::BabeldTuned, Self::Bird];

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Nexus => "NEXUS, as it comes",
            Self::NexusNamed => "NEXUS, peers named, no discovery",
            Self::Babeld => "babeld, as it comes",
            Self::BabeldTuned => "babeld, hello every 0.3 s",
            Self::Bird => "BIRD, OSPF with BFD 3 × 100 ms",
        }
    }

    /// What its traffic is.
    pub(super) const fn probe(self) -> &'static str {
        match self {
            Self::Nexus | Self::NexusNamed => "messages every 40 ms",
            Self::Babeld | Self::BabeldTuned | Self::Bird => "datagrams every 10 ms",
        }
    }

    pub(super) fn start(self, net: &Net, nexus: &Path) -> Result<Running, LabError> {
        match self {
            Self::Nexus => nodes(net, nexus, |_| String::new()),
            Self::NexusNamed => nodes(net, nexus, |place| named(net, place)),
            Self::Babeld => routers(routers::babeld(net, "")),
            Self::BabeldTuned => routers(routers::babeld(net, "hello-interval 0.3 update-interval 16")),
            Self::Bird => routers(routers::bird(net)),
        }
    }
}

/// A contender at work. Its processes end with it.
pub(super) enum Running {
    /// A node in each place.
    Nodes { nodes: Vec<Daemon>, _states: tempfile::TempDir },
    /// A router in each place, which tells the kernel what to do.
    Routers { _routers: Routers },
}

impl Running {
    /// Traffic from one place to another.
    pub(super) fn flow(&self, net: &Net, from: usize, to: usize) -> Result<Flow, LabError> {
        match self {
            Self::Nodes { nodes, .. } => Flow::of_messages(&nodes[from], &nodes[to], "probe"),
            Self::Routers { .. } => {
                let (here, there) = (Net::address(from), Net::address(to));
                Flow::of_datagrams((net.place(from), &here), (net.place(to), &there))
            }
        }
    }
}

fn routers(started: Result<Routers, LabError>) -> Result<Running, LabError> {
    Ok(Running::Routers { _routers: started? })
}

fn nodes(net: &Net, program: &Path, config: impl Fn(usize) -> String) -> Result<Running, LabError> {
    let states = tempfile::tempdir()
        .map_err(|cause| LabError::System { what: "a folder for nodes".to_owned(), cause })?;
    let mut nodes = Vec::new();
    for place in 0..net.places() {
        let state = states.path().join(place.to_string());
        nodes.push(Daemon::start(program, net.place(place), state, &config(place))?);
    }
    // What is written to a node that is not known yet would only be refused.
    let far = nodes.last().map(Daemon::node).unwrap_or_default();
    nodes[0].until(&json!({ "do": "paths" }), PATIENCE, |answer| {
        answer["paths"].as_array().is_some_and(|paths| paths.iter().any(|path| path["destination"] == far))
    })?;
    Ok(Running::Nodes { nodes, _states: states })
}

/// NEXUS where each cable loses three of ten frames each way and takes 50 ms: one end of each is at A or D, which spoils what leaves
/// and what arrives there.
pub(super) fn on_bad_cables(diamond: &Diamond, program: &Path) -> Result<Running, LabError> {
    nodes(diamond.net(), program, |place| {
        let spoils = [Spot::A, Spot::D].iter().any(|spot| spot.number() == place);
        let loss = if spoils { 300 } else { 0 };
        let faults = format!("faults = {{ loss_permille = {loss}, delay_ms = 50, seed = {place} }}\n");
        named(diamond.net(), place) + &faults
    })
}

/// Each cable is called from one end.
fn named(net: &Net, place: usize) -> String {
    let peers: Vec<String> = net.called_from(place).iter().map(|address| format!("{address}:4777")).collect();
    format!(
        "[[udp]]\nlisten = \"0.0.0.0:4777\"\ndiscovery_v4 = false\ndiscovery_v6 = false\npeers = {peers:?}\n"
    )
}
