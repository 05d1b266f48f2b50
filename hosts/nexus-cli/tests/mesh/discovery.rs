//! Nodes without a configuration find each other on a network: two namespaces of the kernel and a cable between them.
//!
//! Where the system makes no namespaces for an ordinary user, these tests fail and say so.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, Command, Stdio};

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

async fn go(mut child: Child, place: Place) -> Node {
    child.stdin.as_mut().unwrap().write_all(b"go\n").unwrap();
    Node::answering(child, place).await
}

fn they_find_each_other(addresses: &str, own: &str) {
    ask(async {
        let places = [Place::with(""), Place::with("")];
        let mut first = Command::new("unshare");
        first.args(["--user", "--map-root-user", "--net"]);
        let one = waiting(first, &places[0]);
        let mut second = Command::new("nsenter");
        second.args([
            "--preserve-credentials",
            "--user",
            "--target",
            &one.id().to_string(),
            "unshare",
            "--net",
        ]);
        let other = waiting(second, &places[1]);
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
