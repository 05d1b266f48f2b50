//! A diamond with a node in each place.

use std::path::Path;
use std::time::Duration;

use nexus_netns::{Daemon, Diamond, Flow, Spot};
use serde_json::{Value, json};

/// How long anything may take on a machine that is busy.
pub(crate) const PATIENCE: Duration = Duration::from_mins(2);

/// The nodes, and where they are. The nodes end first.
pub(crate) struct Mesh {
    nodes: Vec<Daemon>,
    pub(crate) diamond: Diamond,
    _states: tempfile::TempDir,
}

impl Mesh {
    /// Starts all five, and waits until each knows each, and A has both ways.
    pub(crate) fn start() -> Self {
        Self::with("")
    }

    /// The same with `more` in the configuration of each interface.
    pub(crate) fn with(more: &str) -> Self {
        let diamond = Diamond::lay().unwrap_or_else(|error| panic!("{error}"));
        let states = tempfile::tempdir().unwrap();
        let program = Path::new(env!("CARGO_BIN_EXE_nexus"));
        let start = |spot: Spot| {
            let state = states.path().join(format!("{spot:?}"));
            Daemon::start(program, diamond.net().place(spot.number()), state, &config(&diamond, spot, more))
                .unwrap()
        };
        let nodes: Vec<Daemon> = Spot::ALL.into_iter().map(start).collect();
        let mesh = Self { nodes, diamond, _states: states };
        mesh.until_all_is_known();
        mesh
    }

    pub(crate) fn node(&self, spot: Spot) -> &Daemon {
        &self.nodes[spot.number()]
    }

    /// Messages from S to another place.
    pub(crate) fn flow(&self, to: Spot, name: &str) -> Flow {
        Flow::of_messages(self.node(Spot::S), self.node(to), name).unwrap()
    }

    fn until_all_is_known(&self) {
        for spot in Spot::ALL {
            let node = self.node(spot);
            let cables = self.diamond.net().cables_at(spot.number()).count();
            let linked = |links: &Value| list(links, "links").len() == cables;
            node.until(&json!({ "do": "links" }), PATIENCE, linked).unwrap();
            let known = |paths: &Value| {
                let to = |other: &Daemon| {
                    list(paths, "paths").iter().any(|path| path["destination"] == other.node())
                };
                self.nodes.iter().filter(|other| other.node() != node.node()).all(to)
            };
            node.until(&json!({ "do": "paths" }), PATIENCE, known).unwrap();
        }
    }

    /// What all of them logged.
    pub(crate) fn logs(&self) -> String {
        Spot::ALL.map(|spot| format!("--- {spot:?}\n{}", self.node(spot).log())).concat()
    }
}

fn list<'a>(answer: &'a Value, member: &str) -> &'a [Value] {
    answer[member].as_array().map_or(&[], Vec::as_slice)
}

/// One socket for all cables of a place; each cable is called from its first end.
fn config(diamond: &Diamond, spot: Spot, more: &str) -> String {
    let called = diamond.net().called_from(spot.number());
    let peers: Vec<String> = called.iter().map(|address| format!("{address}:4777")).collect();
    format!(
        "log_level = \"debug\"\n[[udp]]\nlisten = \"0.0.0.0:4777\"\ndiscovery_v4 = false\ndiscovery_v6 = false\n\
         peers = {peers:?}\n{more}"
    )
}
