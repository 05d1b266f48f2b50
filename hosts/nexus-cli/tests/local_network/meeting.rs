//! Nodes and stock nodes of one network meet, and part.

use nexus_netns::Segment;
use serde_json::{Value, json};

use crate::network::{
    LAN, LONG, Network, PATIENCE, WITH_PROGRAMS, acquaint, dropped, exchange, link, peers, until_peers,
};

#[test]
fn a_program_of_a_node_talks_with_a_stock_node_of_the_local_network_and_finds_neither_by_being_told() {
    let network = Network::of(3);
    let segment = Segment::lay(&network.lab, 2, "lan", &[0, 1]).unwrap();
    let node = network.node(0, "node", &(LAN.to_owned() + WITH_PROGRAMS));
    let mut beyond = network.stock(1, "beyond", &[]);
    let status = until_peers(&node, 1);
    let name = format!("lan/{}%lan0", segment.address(&network.lab, 1).unwrap());
    assert_eq!((&peers(&status)[0]["name"], &peers(&status)[0]["kind"]), (&json!(name), &json!("auto")));
    // Its defaults have an AutoInterface, which it opens only where it is the first.
    let (mut program, is_attached) = network.program(0, "program");
    assert!(is_attached, "it is a node of its own: {}", node.log());
    acquaint(&mut program, &mut beyond, 1);
    exchange(&mut program, &mut beyond);
    link(&mut program, &mut beyond, LONG);
    // Without the node's key in its configuration it may not ask, and says so.
    let others = |complaints: Vec<String>| {
        complaints.into_iter().filter(|line| !line.contains("digest sent was rejected"))
    };
    assert_eq!(
        others(program.complaints()).chain(beyond.complaints()).collect::<Vec<_>>(),
        Vec::<String>::new()
    );
}

#[test]
fn the_packages_tools_and_this_programs_own_print_the_peers_of_the_local_network() {
    let network = Network::of(3);
    let segment = Segment::lay(&network.lab, 2, "lan", &[0, 1]).unwrap();
    let node = network.node(0, "node", &(LAN.to_owned() + WITH_PROGRAMS));
    let mut beyond = network.stock(1, "beyond", &[]);
    let status = until_peers(&node, 1);
    let lan = status["interfaces"].as_array().unwrap().iter().find(|one| one["name"] == "lan").unwrap();
    assert_eq!((&lan["up"], &lan["peers"]), (&json!(true), &json!(1)));
    beyond.tell(&json!({ "do": "announce", "of": "plain", "app_data": "" }));
    let known = |status: &Value| status["paths"].as_u64().unwrap() > 0;
    node.until(&json!({ "do": "status" }), PATIENCE, known).unwrap();

    let interfaces = network.tool(0, "node", "rnstatus", &[]);
    for expected in ["AutoInterface[lan]", "Rate      : 10.00 Mbps, MTU 1196", "Peers     : 1 reachable"] {
        assert!(interfaces.contains(expected), "{expected}: {interfaces}");
    }
    let peer = format!("AutoInterfacePeer[lan/{}%lan0]", segment.address(&network.lab, 1).unwrap());
    assert!(!interfaces.contains("AutoInterfacePeer"), "{interfaces}");
    let all = network.tool(0, "node", "rnstatus", &["-a"]);
    assert!(all.contains(&peer), "{all}");
    let paths = network.tool(0, "node", "rnpath", &["-t"]);
    assert!(
        paths.contains(&format!("<{}> is 1 hop  away", beyond.plain)) && paths.contains(&peer),
        "{paths}"
    );
    for page in [&["status", "interfaces"][..], &["rns", "status"]] {
        let page = network.program_of(0, "node", page);
        assert!(page.contains("1 peer"), "{page}");
    }
}

#[test]
fn a_node_relays_between_two_local_networks_and_links_there_have_their_full_size() {
    let network = Network::of(5);
    Segment::lay(&network.lab, 3, "left", &[0, 1]).unwrap();
    Segment::lay(&network.lab, 4, "right", &[0, 2]).unwrap();
    let node = network.node(0, "node", LAN);
    let (mut left, mut right) = (network.stock(1, "l", &[]), network.stock(2, "r", &[]));
    until_peers(&node, 2);
    acquaint(&mut left, &mut right, 2);
    exchange(&mut left, &mut right);
    assert_eq!(link(&mut left, &mut right, LONG), 1_196);
    assert_eq!(link(&mut right, &mut left, LONG), 1_196);
}

#[test]
fn paths_to_peers_of_local_networks_outlive_a_relays_restart() {
    let network = Network::of(5);
    Segment::lay(&network.lab, 3, "left", &[0, 1]).unwrap();
    Segment::lay(&network.lab, 4, "right", &[0, 2]).unwrap();
    let node = network.node(0, "node", LAN);
    let (mut left, mut right) = (network.stock(1, "l", &[]), network.stock(2, "r", &[]));
    until_peers(&node, 2);
    acquaint(&mut left, &mut right, 2);
    let written = |status: &Value| status["paths_unwritten"] == 0;
    node.until(&json!({ "do": "rns_status" }), PATIENCE, written).unwrap();
    node.end().unwrap();
    let node = network.node(0, "node", LAN);
    let both = |status: &Value| status["paths"] == 2;
    node.until(&json!({ "do": "rns_status" }), PATIENCE, both)
        .unwrap_or_else(|error| panic!("{error}\n{}", node.log()));
    // Whoever was found first has the first number, and nobody announced again.
    exchange(&mut left, &mut right);
}

#[test]
fn a_network_with_a_name_and_a_passphrase_is_for_those_who_know_them() {
    let network = Network::of(5);
    Segment::lay(&network.lab, 4, "lan", &[0, 1, 2, 3]).unwrap();
    let passphrase = network.home.path().join("passphrase");
    std::fs::write(&passphrase, "mypass\n").unwrap();
    std::fs::set_permissions(&passphrase, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    let access =
        format!("access = {{ network_name = \"mynet\", passphrase = \"file:{}\" }}\n", passphrase.display());
    let node = network.node(0, "node", &format!("{LAN}{access}{WITH_PROGRAMS}"));
    let known = ["networkname = mynet", "passphrase = mypass"];
    let (mut member, mut stranger) = (network.stock(1, "member", &known), network.stock(2, "stranger", &[]));
    let (mut program, _) = network.program(0, "program");
    until_peers(&node, 2);
    stranger.tell(&json!({ "do": "announce", "of": "plain", "app_data": "" }));
    let refused = |status: &Value| status["refusals"]["access_missing"].as_u64().unwrap_or(0) > 0;
    node.until(&json!({ "do": "status" }), PATIENCE, refused).unwrap();
    acquaint(&mut program, &mut member, 1);
    exchange(&mut program, &mut member);
    link(&mut program, &mut member, LONG);
    assert_eq!(stranger.said("announced"), Vec::<Value>::new());
    let heard = program.said("announced");
    assert!(heard.iter().all(|line| line["announced"] != stranger.plain), "{heard:?}");
}

#[test]
fn nodes_of_another_group_do_not_meet() {
    let network = Network::of(4);
    let segment = Segment::lay(&network.lab, 3, "lan", &[0, 1, 2]).unwrap();
    let other = network.node(1, "other", &format!("{LAN}group_id = \"others\"\n"));
    let another = network.stock(2, "another", &["group_id = others"]);
    // Once these two found each other both have been there for longer than it takes.
    until_peers(&other, 1);
    let node = network.node(0, "node", LAN);
    drop(another);
    let third = network.stock(2, "third", &[]);
    let status = until_peers(&node, 1);
    let name = format!("lan/{}%lan0", segment.address(&network.lab, 2).unwrap());
    assert_eq!(peers(&status)[0]["name"], name);
    assert_eq!(dropped(&status, "lan", "forged"), 0, "beacons of others go to another address");
    drop(third);
    // Both fell silent, each for those that were with it.
    until_peers(&node, 0);
    until_peers(&other, 0);
}

#[test]
fn with_two_cables_to_one_network_nothing_counts_twice() {
    let network = Network::of(3);
    Segment::lay(&network.lab, 2, "lan", &[0, 0, 1]).unwrap();
    let node = network.node(0, "node", &(LAN.to_owned() + WITH_PROGRAMS));
    let mut stock = network.stock(1, "stock", &[]);
    let (mut program, _) = network.program(0, "program");
    until_peers(&node, 2);
    acquaint(&mut program, &mut stock, 1);
    exchange(&mut program, &mut stock);
    link(&mut program, &mut stock, LONG);
    let status = node.ask(&json!({ "do": "status" })).unwrap();
    assert!(dropped(&status, "lan", "echoed") > 0, "{status}");
    assert_eq!(status["refusals"]["packet_duplicate"], Value::Null, "{status}");
}

#[test]
fn a_network_that_comes_and_goes_while_a_node_runs_is_used_while_it_is_there() {
    let network = Network::of(3);
    let node = network.node(0, "node", &(LAN.to_owned() + WITH_PROGRAMS));
    let fault = |status: &Value| {
        let all = status["interfaces"].as_array().unwrap();
        all.iter().find(|one| one["name"] == "lan").unwrap()["fault"].as_str().map(str::to_owned)
    };
    let said = fault(&node.ask(&json!({ "do": "status" })).unwrap()).unwrap();
    assert!(said.contains("link-local"), "{said}");
    let segment = Segment::lay(&network.lab, 2, "lan", &[0, 1]).unwrap();
    let (mut stock, (mut program, _)) = (network.stock(1, "stock", &[]), network.program(0, "program"));
    let status = until_peers(&node, 1);
    assert_eq!(fault(&status), None);
    acquaint(&mut program, &mut stock, 1);
    segment.unplug(&network.lab, 0).unwrap();
    until_peers(&node, 0);
    segment.plug(&network.lab, 0).unwrap();
    until_peers(&node, 1);
    acquaint(&mut program, &mut stock, 1);
    exchange(&mut program, &mut stock);
}
