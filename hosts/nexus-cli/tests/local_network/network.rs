//! Places around switches, and who is there.

use std::path::Path;
use std::process::{Command, Output};
use std::time::Duration;

use nexus_netns::{Daemon, Lab};
use nexus_stock::stock::{Carries, Interfaces, StockNode, Tool, hex};
use serde_json::{Value, json};

/// How long anything may take on a machine that is busy.
pub(crate) const PATIENCE: Duration = Duration::from_mins(2);
/// A node on its local networks, which is as far from stock nodes as [`LATENCY`](nexus_stock::live::LATENCY) says: these overlook answers that are faster.
pub(crate) const LAN: &str = "[[auto]]\nname = \"lan\"\nfaults = { delay_ms = 10 }\n";
/// The shared instance that programs find without being told.
pub(crate) const WITH_PROGRAMS: &str = "[shared]\n";

/// Places, and a directory for what is in them.
pub(crate) struct Network {
    pub(crate) lab: Lab,
    pub(crate) home: tempfile::TempDir,
}

impl Network {
    pub(crate) fn of(places: usize) -> Self {
        let lab = Lab::of(places).unwrap_or_else(|error| panic!("{error}"));
        Self { lab, home: tempfile::tempdir().unwrap() }
    }

    fn state(&self, name: &str) -> std::path::PathBuf {
        self.home.path().join(name)
    }

    /// A node.
    pub(crate) fn node(&self, place: usize, name: &str, config: &str) -> Daemon {
        let program = Path::new(env!("CARGO_BIN_EXE_nexus"));
        let started = Daemon::start(program, self.lab.place(place), self.state(name), config);
        started.unwrap_or_else(|error| panic!("{error}"))
    }

    /// A node of a user with this home.
    pub(crate) fn node_at_home(&self, place: usize, name: &str, home: &Path, config: &str) -> Daemon {
        let program = Path::new(env!("CARGO_BIN_EXE_nexus"));
        let started = Daemon::start_at_home(program, self.lab.place(place), self.state(name), home, config);
        started.unwrap_or_else(|error| panic!("{error}"))
    }

    /// Runs a node that is expected to end at once.
    pub(crate) fn refused(&self, place: usize, name: &str, config: &str) -> Output {
        let state = self.state(name);
        std::fs::create_dir_all(&state).unwrap();
        std::fs::set_permissions(&state, std::os::unix::fs::PermissionsExt::from_mode(0o700)).unwrap();
        std::fs::write(state.join("nexus.toml"), config).unwrap();
        let mut command = self.command(place, env!("CARGO_BIN_EXE_nexus"));
        command.args(["node", "run", "--state"]).arg(&state).output().unwrap()
    }

    /// What this program prints of the node called `node`.
    pub(crate) fn program_of(&self, place: usize, node: &str, words: &[&str]) -> String {
        let mut command = self.command(place, env!("CARGO_BIN_EXE_nexus"));
        let output = command.args(words).arg("--state").arg(self.state(node)).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    fn command(&self, place: usize, program: &str) -> Command {
        self.lab.place(place).command(program)
    }

    /// A stock node on its local networks.
    pub(crate) fn stock(&self, place: usize, name: &str, more: &[&str]) -> StockNode {
        self.stock_with(place, name, &Interfaces::none().local_network(more))
    }

    /// A stock node with these interfaces.
    pub(crate) fn stock_with(&self, place: usize, name: &str, interfaces: &Interfaces) -> StockNode {
        let start = |program: &str| self.command(place, program);
        StockNode::start_by(&start, self.home.path(), name, Carries::Itself, interfaces)
    }

    /// A program without a configuration, and whether it attached to somebody.
    pub(crate) fn program(&self, place: usize, name: &str) -> (StockNode, bool) {
        let start = |program: &str| self.command(place, program);
        StockNode::with_defaults_by(&start, self.home.path(), name)
    }

    /// Runs a tool of the package in the place of the node called `node`, which it may ask.
    pub(crate) fn tool(&self, place: usize, node: &str, tool: &str, args: &[&str]) -> String {
        let key = std::fs::read_to_string(self.state(node).join("rpc_key")).unwrap();
        let start = |program: &str| self.command(place, program);
        Tool::attached(self.home.path(), "tools", "default", &[key.trim_end()]).run_by(&start, tool, args)
    }
}

/// The length of a resource that takes many packets.
pub(crate) const LONG: usize = 50_000;

/// Waits until a node has so many peers on its interface `lan`.
pub(crate) fn until_peers(node: &Daemon, count: usize) -> Value {
    let status = json!({ "do": "status" });
    let has = |status: &Value| peers(status).len() == count;
    node.until(&status, PATIENCE, has).unwrap_or_else(|error| panic!("{error}\n{}", node.log()));
    node.ask(&status).unwrap()
}

/// The peers in a status.
pub(crate) fn peers(status: &Value) -> Vec<&Value> {
    let of = |interface: &&Value| interface["name"].as_str().unwrap().starts_with("lan/");
    status["interfaces"].as_array().unwrap().iter().filter(of).collect()
}

/// What a node dropped on an interface for this cause.
pub(crate) fn dropped(status: &Value, interface: &str, cause: &str) -> u64 {
    let all = status["interfaces"].as_array().unwrap();
    let found = all.iter().find(|one| one["name"] == interface).unwrap();
    found["drops"][cause].as_u64().unwrap_or(0)
}

/// Both announce until each heard the other: who is found a moment later does not hear what was said before. The other is so many `hops` away.
pub(crate) fn acquaint(one: &mut StockNode, other: &mut StockNode, hops: u8) {
    for _ in 0..2 {
        let own = one.plain.clone();
        one.tell(&json!({ "do": "announce", "of": "plain", "app_data": hex(b"here") }));
        let heard = other.wait_announce(&own);
        assert_eq!((&heard["app_data"], &heard["hops"]), (&json!(hex(b"here")), &json!(hops)));
        std::mem::swap(one, other);
    }
}

/// A packet arrives and is proved, each way.
pub(crate) fn exchange(one: &mut StockNode, other: &mut StockNode) {
    send(one, other);
    send(other, one);
}

/// A packet arrives once and is proved.
pub(crate) fn send(from: &mut StockNode, at: &mut StockNode) {
    let to = at.plain.clone();
    from.tell(&json!({ "do": "send", "to": to, "data": hex(to.as_bytes()) }));
    assert_eq!(at.wait("data")["data"], hex(to.as_bytes()));
    let sent = from.wait("sent");
    from.wait_for("proved", |line| line["proved"] == sent["sent"]);
    assert_eq!(at.said("data"), Vec::<Value>::new());
}

/// A link stands, carries data both ways, a request and a resource of this length, and ends for both. Its MTU.
pub(crate) fn link(one: &mut StockNode, other: &mut StockNode, resource: usize) -> u64 {
    one.tell(&json!({ "do": "link", "to": other.plain }));
    let linked = one.wait("linked");
    assert_eq!(other.wait("linked")["linked"], linked["linked"]);
    for _ in 0..2 {
        one.tell(&json!({ "do": "say", "data": hex(b"on a link") }));
        assert_eq!(other.wait("link_data")["link_data"], hex(b"on a link"));
        let sent = one.wait("sent");
        one.wait_for("proved", |line| line["proved"] == sent["sent"]);
        std::mem::swap(one, other);
    }
    one.tell(&json!({ "do": "request", "data": hex(b"asked") }));
    assert_eq!(one.wait("answered")["len"], 5);
    one.tell(&json!({ "do": "resource", "len": resource }));
    let offered = one.wait("offered");
    assert_eq!(other.wait("resource")["resource"], offered["offered"]);
    assert_eq!(one.wait("transferred")["transferred"], true);
    one.tell(&json!({ "do": "close" }));
    for node in [one, other] {
        node.wait_for("closed", |line| line["closed"] == linked["linked"]);
    }
    linked["mtu"].as_u64().unwrap()
}
