//! Nodes without a configuration find each other on a network: namespaces of the kernel with a cable or a switch between them.
//!
//! Where the system makes no namespaces for an ordinary user, these tests fail and say so.

use std::collections::BTreeSet;
use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, Command, Stdio};

use nexus_daemon::api::{Broadcast, Done, Paths, Status, Verb};

use crate::nodes::Node;
use crate::place::{Place, ask};

/// What is done on each side of the cable, `v0` or `v1`.
const IPV4: &str =
    "echo 1 > /proc/sys/net/ipv6/conf/$D/disable_ipv6; ip addr add 10.77.0.$N/24 dev $D; ip link set $D up";
const IPV6: &str = "ip link set $D up; ip addr add fe80::$N/64 dev $D nodad";
const BOTH: &str =
    "ip addr add 10.77.0.$N/24 dev $D; ip link set $D up; ip addr add fe80::$N/64 dev $D nodad";

/// A process in a network namespace of its own, which waits for a line and then becomes the node.
fn waiting(mut enter: Command, place: &Place) -> Child {
    let script = "set -e; ip link set lo up; echo ready; read _; exec \"$0\" \"$@\" 1>/dev/null";
    let node = place.command(&["run", "--while-fed"]);
    enter.args(["sh", "-c", script]).arg(node.get_program()).args(node.get_args());
    enter.env_remove("NOTIFY_SOCKET").stdin(Stdio::piped()).stdout(Stdio::piped());
    let log = std::fs::File::create(place.state.log()).unwrap();
    let mut child = enter.stderr(log).spawn().unwrap();
    let mut said = String::new();
    BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut said).unwrap();
    if said != "ready\n" {
        child.wait().unwrap();
        let why = std::fs::read_to_string(place.state.log()).unwrap();
        panic!("this system makes no network namespace: {why}");
    }
    child
}

/// A command in the namespaces of a process.
fn inside(pid: u32) -> Command {
    let mut command = Command::new("nsenter");
    command.args(["--preserve-credentials", "--user", "--net", "--target", &pid.to_string()]);
    command
}

fn shell(pid: u32, script: &str) {
    let output = inside(pid).args(["sh", "-e", "-c", script]).output().unwrap();
    assert!(output.status.success(), "{script}: {}", String::from_utf8_lossy(&output.stderr));
}

/// What begins in namespaces of its own.
fn apart() -> Command {
    let mut command = Command::new("unshare");
    command.args(["--user", "--map-root-user", "--net"]);
    command
}

/// What begins in another network namespace that the user of `pid` rules.
fn apart_within(pid: u32) -> Command {
    let mut command = Command::new("nsenter");
    command.args(["--preserve-credentials", "--user", "--target", &pid.to_string(), "unshare", "--net"]);
    command
}

async fn go(mut child: Child, place: Place) -> Node {
    child.stdin.as_mut().unwrap().write_all(b"go\n").unwrap();
    Node::answering(child, place).await
}

fn they_find_each_other(addresses: &str, own: &str) {
    ask(async {
        let places = [Place::with(""), Place::with("")];
        let one = waiting(apart(), &places[0]);
        let other = waiting(apart_within(one.id()), &places[1]);
        shell(one.id(), &format!("ip link add v0 type veth peer name v1 netns {}", other.id()));
        for (number, child) in [&one, &other].into_iter().enumerate() {
            shell(child.id(), &format!("D=v{number} N={}; {addresses}", number + 1));
        }
        let pid = one.id();
        let [place, elsewhere] = places;
        let (one, other) = (go(one, place).await, go(other, elsewhere).await);
        let (status, _) = tokio::join!(one.until_linked(&other), other.until_linked(&one));
        let endpoint = status.links[0].endpoint.clone().unwrap();
        assert!(endpoint.starts_with(own), "{endpoint}");
        one.until_known(&[&other]).await;
        assert!(one.write(&other.me.node, &["found".to_owned()], 30).await[0].is_ok());

        let mut doctor = inside(pid);
        doctor
            .arg(env!("CARGO_BIN_EXE_nexus"))
            .args(["doctor", "--json", "--state"])
            .arg(one.place.state.path());
        let output = doctor.output().unwrap();
        let json: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        for check in json["checks"].as_array().unwrap() {
            if ["node", "interfaces", "port", "multicast"].contains(&check["check"].as_str().unwrap()) {
                assert_eq!(check["findings"], serde_json::json!([]), "{check}");
            }
        }
    });
}

#[test]
fn on_a_network_with_ipv4_alone() {
    they_find_each_other(IPV4, "10.77.0.");
}

#[test]
fn on_a_network_with_ipv6_alone() {
    they_find_each_other(IPV6, "[fe80::");
}

#[test]
fn on_a_network_with_both() {
    they_find_each_other(BOTH, "");
}

/// What a node says to everybody on its network at once.
fn broadcast(status: &Status) -> Broadcast {
    status.interfaces[0].broadcast.unwrap_or_default()
}

/// With which emission a node knows another.
async fn emission_of(at: &Node, of: &Node) -> Option<u64> {
    let Paths { paths, .. } = at.client().await.call(Verb::Paths { after: None }).await.unwrap();
    paths.iter().find(|path| path.destination == of.me.node).map(|path| path.emission)
}

#[test]
fn three_on_one_network_are_all_linked_and_an_announce_reaches_both_others_by_one_multicast() {
    ask(async {
        let places = [Place::with(""), Place::with(""), Place::with("")];
        let first = waiting(apart(), &places[0]);
        let others = [1, 2].map(|number: usize| waiting(apart_within(first.id()), &places[number]));
        let switch = "ip link add br0 type bridge mcast_snooping 0; ip addr add 10.77.0.1/24 dev br0; ip link set br0 up";
        shell(first.id(), switch);
        for (number, child) in (1..).zip(&others) {
            let cable = format!("ip link add p{number} type veth peer name v{number} netns {}", child.id());
            shell(first.id(), &format!("{cable}; ip link set p{number} master br0 up"));
            shell(child.id(), &format!("D=v{number} N={}; {IPV4}", number + 1));
        }
        let [a, b, c] = places;
        let [to_b, to_c] = others;
        let (a, b, c) = (go(first, a).await, go(to_b, b).await, go(to_c, c).await);
        let nodes = [&a, &b, &c];
        for node in nodes {
            for other in nodes.iter().filter(|other| other.me.node != node.me.node) {
                node.until_linked(other).await;
                node.until_known(&[other]).await;
            }
            let all_hear = |status: &Status| broadcast(status).hearers == 2 && broadcast(status).others == 0;
            node.until("both others hear what it broadcasts", all_hear).await;
        }
        let mut before = Vec::new();
        for node in nodes {
            before.push(broadcast(&node.place.asked().await.unwrap()));
        }
        let last = emission_of(&b, &a).await;
        let Done {} = a.client().await.call(Verb::Announce).await.unwrap();
        for (node, before) in [&b, &c].into_iter().zip(&before[1..]) {
            let opened = |status: &Status| broadcast(status).opened.frames > before.opened.frames;
            node.until("the broadcast was opened", opened).await;
        }
        let emissions = BTreeSet::from([emission_of(&b, &a).await, emission_of(&c, &a).await]);
        assert!(emissions.len() == 1 && emissions.first() > Some(&last), "{emissions:?} after {last:?}");
        let sealed = broadcast(&a.place.asked().await.unwrap()).sealed.frames;
        assert_eq!(sealed, before[0].sealed.frames + 1, "one frame for both");
        for (from, to) in [(&b, &c), (&c, &b)] {
            assert!(from.write(&to.me.node, &["beside".to_owned()], 30).await[0].is_ok());
        }
    });
}
