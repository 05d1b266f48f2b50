//! The package's own tools, and programs, ask the node as their shared instance.

use nexus_stock::stock::StockNode;
use serde_json::json;

use crate::instance::Instance;

#[test]
fn rnstatus_prints_the_interfaces_of_the_node() {
    let instance = Instance::start();
    let (_program, _beyond) = acquainted(&instance);
    let printed = instance.tool("rnstatus", &[]);
    let at = instance.node.at("clear");
    for expected in [
        format!("Shared Instance[rns/{}]", instance.name),
        format!("TCPServerInterface[clear/{at}]"),
        "Clients   : 1".to_owned(),
        format!("Transport Instance <{}> running", instance.status().transport_id),
    ] {
        assert!(printed.contains(&expected), "{expected}: {printed}");
    }
    let more = instance.tool("rnstatus", &["-a", "-t", "-l"]);
    assert!(more.contains("TCPInterface[clear/127.0.0.1:") && more.contains("Totals"), "{more}");
}

#[test]
fn rnpath_prints_the_path_that_an_announce_made() {
    let instance = Instance::start();
    let (program, beyond) = acquainted(&instance);
    let to = beyond.plain.clone();
    let is = format!("<{to}> is 1 hop  away via <{to}> on TCPInterface[clear/127.0.0.1:");
    let table = instance.tool("rnpath", &["-t"]);
    assert!(table.contains(&is), "{table}");
    let own = program.plain.clone();
    assert!(
        table.contains(&format!("<{own}> is 0 hops away via <{own}> on LocalInterface[shared/")),
        "{table}"
    );
    let near = instance.tool("rnpath", &["-t", "-m", "0"]);
    assert!(!near.contains(&to), "{near}");
    let one = instance.tool("rnpath", &[&to]);
    assert!(
        one.contains(&format!("<{to}> is 1 hop away")) && one.contains("on TCPInterface[clear/127.0.0.1:"),
        "{one}"
    );
    let rates = instance.tool("rnpath", &["-r"]);
    assert!(rates.contains(&format!("<{to}> last heard")) && rates.contains("1 announces/hour"), "{rates}");
}

#[test]
fn rnpath_drops_a_path_and_all_paths_over_a_relay_until_they_are_said_again() {
    let instance = Instance::start();
    let (mut program, mut beyond) = acquainted(&instance);
    let to = beyond.plain.clone();
    let has = |instance: &Instance| instance.tool("rnpath", &["-t"]).contains(&format!("<{to}>"));
    assert!(has(&instance));
    let dropped = instance.tool("rnpath", &["-d", &to]);
    assert!(dropped.contains(&format!("Dropped path to <{to}>")), "{dropped}");
    assert!(!has(&instance));
    let again = instance.tool("rnpath", &["-d", &to]);
    assert!(again.contains("Unable to drop path"), "{again}");
    beyond.tell(&json!({ "do": "announce", "of": "plain", "app_data": "01" }));
    program.wait_for("announced", |line| line["announced"] == to && line["app_data"] == "01");
    assert!(has(&instance));
    let all = instance.tool("rnpath", &["-x", &to]);
    assert!(all.contains("Dropped"), "{all}");
    assert!(!has(&instance));
}

#[test]
fn rnprobe_is_proved_by_a_stock_node_beyond() {
    let instance = Instance::start();
    let (_program, beyond) = acquainted(&instance);
    let printed = instance.tool("rnprobe", &["nexus.stock.plain", &beyond.plain]);
    assert!(printed.contains("Valid reply from"), "{printed}");
}

#[test]
fn who_has_another_key_is_told_nothing_and_counted() {
    let instance = Instance::start();
    let other = format!("rpc_key = {}", "5a".repeat(32));
    let printed = instance.tool_with(&other, "rnstatus", &[]);
    assert!(!printed.contains("clear"), "{printed}");
    assert!(instance.status().refusals["program_keyless"] > 0);
}

/// A program and a stock node beyond the node, each of which heard the other's announce.
fn acquainted(instance: &Instance) -> (StockNode, StockNode) {
    let (mut program, mut beyond) = (instance.program("program"), instance.beyond("beyond"));
    let announce = json!({ "do": "announce", "of": "plain", "app_data": "" });
    beyond.tell(&announce);
    program.wait_announce(&beyond.plain);
    program.tell(&announce);
    beyond.wait_announce(&program.plain);
    (program, beyond)
}
