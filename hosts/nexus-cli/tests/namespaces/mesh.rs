//! A diamond with a node in each place.

use std::path::Path;
use std::time::{Duration, Instant};

use nexus_netns::{Daemon, Diamond, Flow, LabError, Spot};
use serde_json::{Value, json};

/// How long anything may take on a machine that is busy.
pub(crate) const PATIENCE: Duration = Duration::from_mins(2);

/// On cables that lose frames everybody announces itself again after so long, until each knows each.
const SAID_AGAIN: Duration = Duration::from_secs(3);

/// The nodes, and where they are. The nodes end first.
pub(crate) struct Mesh {
    nodes: Vec<Daemon>,
    pub(crate) diamond: Diamond,
    _states: tempfile::TempDir,
}

impl Mesh {
    /// Starts all five, and waits until each has its links and knows each.
    pub(crate) fn start() -> Self {
        let mesh = Self::with(|_| String::new());
        mesh.until_linked();
        mesh.known(PATIENCE).unwrap();
        mesh
    }

    /// The same over cables that lose three of ten frames each way, and take 50 ms: announces are said again until they are known.
    pub(crate) fn start_on_bad_cables() -> Self {
        let mesh = Self::with(|spot| {
            // Each cable has one end at A or D, which loses what leaves and what arrives there.
            let loss = match spot {
                Spot::A | Spot::D => 300,
                Spot::S | Spot::B | Spot::C => 0,
            };
            let seed = spot.number();
            format!("faults = {{ loss_permille = {loss}, delay_ms = 50, seed = {seed} }}\n")
        });
        mesh.until_linked();
        let began = Instant::now();
        while let Err(error) = mesh.known(SAID_AGAIN) {
            assert!(began.elapsed() < PATIENCE, "{error}\n{}", mesh.logs());
            for node in &mesh.nodes {
                node.ask(&json!({ "do": "announce" })).unwrap();
            }
        }
        mesh
    }

    fn with(more: impl Fn(Spot) -> String) -> Self {
        let diamond = Diamond::lay().unwrap_or_else(|error| panic!("{error}"));
        let states = tempfile::tempdir().unwrap();
        let program = Path::new(env!("CARGO_BIN_EXE_nexus"));
        let start = |spot: Spot| {
            let (place, state) =
                (diamond.net().place(spot.number()), states.path().join(format!("{spot:?}")));
            let config = config(&diamond, spot) + &more(spot);
            Daemon::start(program, place, state, &config).unwrap()
        };
        let nodes: Vec<Daemon> = Spot::ALL.into_iter().map(start).collect();
        Self { nodes, diamond, _states: states }
    }

    pub(crate) fn node(&self, spot: Spot) -> &Daemon {
        &self.nodes[spot.number()]
    }

    /// Messages from S to another place.
    pub(crate) fn flow(&self, to: Spot, name: &str) -> Flow {
        Flow::of_messages(self.node(Spot::S), self.node(to), name).unwrap()
    }

    fn until_linked(&self) {
        for spot in Spot::ALL {
            let cables = self.diamond.net().cables_at(spot.number()).count();
            let linked = |links: &Value| list(links, "links").len() == cables;
            self.node(spot).until(&json!({ "do": "links" }), PATIENCE, linked).unwrap();
        }
    }

    /// Waits until each knows each.
    fn known(&self, patience: Duration) -> Result<(), LabError> {
        for node in &self.nodes {
            let known = |paths: &Value| {
                let to = |other: &Daemon| {
                    list(paths, "paths").iter().any(|path| path["destination"] == other.node())
                };
                self.nodes.iter().filter(|other| other.node() != node.node()).all(to)
            };
            node.until(&json!({ "do": "paths" }), patience, known)?;
        }
        Ok(())
    }

    /// What all of them logged.
    pub(crate) fn logs(&self) -> String {
        Spot::ALL.map(|spot| format!("--- {spot:?}\n{}", self.node(spot).log())).concat()
    }
}

fn list<'a>(answer: &'a Value, member: &str) -> &'a [Value] {
    answer[member].as_array().map_or(&[], Vec::as_slice)
}

/// One socket for all cables of a place; each cable is called from one end.
fn config(diamond: &Diamond, spot: Spot) -> String {
    let called = diamond.net().called_from(spot.number());
    let peers: Vec<String> = called.iter().map(|address| format!("{address}:4777")).collect();
    format!(
        "log_level = \"debug\"\n[[udp]]\nlisten = \"0.0.0.0:4777\"\ndiscovery_v4 = false\ndiscovery_v6 = false\n\
         peers = {peers:?}\n"
    )
}
