//! Programs of the Reticulum world as people start them: `lxmd`, `nomadnet` and the package's tools, with the configurations that they make for
//! themselves, beside a node whose own has one line for them.

use std::fs;
use std::path::PathBuf;

use nexus_netns::{Cable, Daemon};
use nexus_stock::lxmf::{Method, Stamps};
use nexus_stock::published::run_by;
use nexus_stock::stock::Interfaces;
use nexus_stock::{Published, StockLxmf};
use serde_json::{Value, json};

use crate::network::{Network, PATIENCE, WITH_PROGRAMS};

/// Where the node and the programs are,
const HERE: usize = 0;
/// and who is beyond the node.
const BEYOND: usize = 1;

#[test]
fn lxmd_takes_messages_and_keeps_others_for_those_who_are_away() {
    let user = User::start();
    let mut lxmd = user.program("lxmd", &["-p", "-v"]);
    let own = lxmd.wait_address("LXMF Router ready to receive on");
    let keeper = lxmd.wait_address("LXMF Propagation Node started on");
    user.until_attached();
    let mut peer = user.peer("peer");
    // Nobody was told of it: who asks the node is answered by the program.
    peer.tell(&json!({ "do": "ask_path", "to": own }));
    peer.wait_announce(&own);
    for (text, method) in [("one packet", Method::Opportunistic), ("over a link", Method::Direct)] {
        peer.send(&own, text, method);
        peer.wait_delivered(text);
        lxmd.until_kept(text, ".lxmd/storage/messages");
    }
    // Somebody who is away.
    let mut other = user.peer("other");
    other.announce();
    peer.wait_announce(&other.address);
    let away = other.address.clone();
    drop(other);
    peer.tell(&json!({ "do": "ask_path", "to": keeper }));
    peer.wait_announce(&keeper);
    peer.tell(&json!({ "do": "node", "to": keeper }));
    peer.send(&away, "for when you are back", Method::Propagated);
    peer.wait_delivered("for when you are back");
    let mut back = user.peer("other");
    back.tell(&json!({ "do": "ask_path", "to": keeper }));
    back.wait_announce(&keeper);
    // Whose it is, it has to know.
    peer.announce();
    back.wait_announce(&peer.address);
    back.tell(&json!({ "do": "node", "to": keeper }));
    back.tell(&json!({ "do": "sync" }));
    let came = back.wait_text("for when you are back");
    assert_eq!((&came["from"], &came["verified"]), (&json!(peer.address), &json!(true)));
    complains_of_nothing(&lxmd);
}

#[test]
fn nomadnet_announces_itself_and_takes_messages() {
    let user = User::start();
    let mut peer = user.peer("peer");
    let mut nomadnet = user.program("nomadnet", &["--daemon", "--console"]);
    let own = nomadnet.wait_address("LXMF Router ready to receive on");
    user.until_attached();
    peer.wait_announce(&own);
    // It shows messages of those whom it knows.
    peer.announce();
    for (text, method) in [("one packet", Method::Opportunistic), ("over a link", Method::Direct)] {
        peer.send(&own, text, method);
        peer.wait_delivered(text);
        nomadnet.until_kept(text, ".nomadnetwork/storage/conversations");
    }
    complains_of_nothing(&nomadnet);
}

#[test]
fn a_script_and_the_packages_tools_find_the_node_and_are_answered() {
    let user = User::start();
    let mut peer = user.peer("peer");
    // The first program of a user writes the configuration, and what the others derive their key from.
    let script = "import RNS; it = RNS.Reticulum(); print('attached', it.is_connected_to_shared_instance)";
    let said = user.run("python", &["-c", script]);
    assert!(said.contains("attached True"), "{said}");
    peer.announce();
    let known = |status: &Value| status["paths"].as_u64().unwrap() > 0;
    user.node.until(&json!({ "do": "rns_status" }), PATIENCE, known).unwrap();
    let status = user.run("rnstatus", &[]);
    let transport = &user.node.ask(&json!({ "do": "rns_status" })).unwrap()["transport_id"];
    for expected in
        ["Shared Instance[rns/default]", "TCPServerInterface[clear/", transport.as_str().unwrap(), "running"]
    {
        assert!(status.contains(expected), "{expected}: {status}");
    }
    let address = &peer.address;
    let table = user.run("rnpath", &["-t"]);
    assert!(table.contains(&format!("<{address}> is 1 hop")), "{table}");
    let path = user.run("rnpath", &[address]);
    assert!(path.contains(&format!("<{address}> is 1 hop")), "{path}");
    let probed = user.run("rnprobe", &["lxmf.delivery", address]);
    assert!(probed.contains("Valid reply from"), "{probed}");
    let status = user.node.ask(&json!({ "do": "rns_status" })).unwrap();
    assert_eq!(status["refusals"]["program_keyless"], Value::Null, "{status}");
}

/// A user of this machine, with a node, and a network with others beyond it.
struct User {
    node: Daemon,
    home: PathBuf,
    calling: Interfaces,
    network: Network,
}

impl User {
    fn start() -> Self {
        let network = Network::of(2);
        let cable = Cable::lay(&network.lab, 1, [HERE, BEYOND]).unwrap();
        let listen = format!("{}:4242", cable.end(0).address);
        let clear = format!("[[tcp]]\nname = \"clear\"\nlisten = \"{listen}\"\nmode = \"reticulum\"\n");
        let home = network.home.path().join("user");
        fs::create_dir(&home).unwrap();
        let node = network.node_at_home(HERE, "node", &home, &(WITH_PROGRAMS.to_owned() + &clear));
        let calling = Interfaces::none().calling(listen.parse().unwrap(), &[]);
        Self { node, home, calling, network }
    }

    fn program(&self, program: &str, args: &[&str]) -> Published {
        let start = |program: &str| self.network.lab.place(HERE).command(program);
        Published::start_by(&start, &self.home, program, args)
    }

    /// What a program prints that ends well.
    fn run(&self, program: &str, args: &[&str]) -> String {
        let start = |program: &str| self.network.lab.place(HERE).command(program);
        let output = run_by(&start, &self.home, program, args);
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        assert!(
            output.status.success() && output.stderr.is_empty(),
            "{program} {args:?}: {}{}",
            text(&output.stdout),
            text(&output.stderr).lines().last().unwrap_or_default()
        );
        text(&output.stdout)
    }

    /// A stock peer beyond the node. One that was there before is there again.
    fn peer(&self, name: &str) -> StockLxmf {
        let start = |program: &str| self.network.lab.place(BEYOND).command(program);
        StockLxmf::start_by(&start, self.network.home.path(), name, Stamps::Unasked, &self.calling)
    }

    fn until_attached(&self) {
        let attached = |status: &Value| {
            let all = status["interfaces"].as_array().unwrap();
            all.iter().any(|one| one["name"].as_str().unwrap().starts_with("shared/"))
        };
        self.node.until(&json!({ "do": "status" }), PATIENCE, attached).unwrap();
    }
}

/// A program says of nothing that it went wrong.
fn complains_of_nothing(program: &Published) {
    let said = program.said();
    let wrong = ["[Critical]", "[Error]", "Traceback", "Exception"];
    assert!(!wrong.iter().any(|word| said.contains(word)), "{said}");
}
