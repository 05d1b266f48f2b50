use std::net::{IpAddr, Ipv4Addr, UdpSocket as Plain};
use std::process::Command;
use std::sync::atomic::Ordering;

use super::*;
use crate::driver::News;
use crate::rig::{PATIENCE, Rig};

#[tokio::test]
async fn a_frame_arrives_with_its_senders_address_and_can_be_answered() {
    for listen in ["127.0.0.1:0", "[::1]:0"] {
        let (mut left, mut right) = (open(listen), open(listen));
        let (from_left, from_right) = (left.opened().await, right.opened().await);
        left.send(&*from_left.driver, Some(at(&right)), b"hello").await;
        let (from, frame) = right.received().await;
        assert_eq!((from, &frame[..]), (Some(at(&left)), &b"hello"[..]), "{listen}");
        right.send(&*from_right.driver, from, b"good day").await;
        assert_eq!(left.received().await, (Some(at(&right)), b"good day".to_vec()), "{listen}");
    }
}

#[tokio::test]
async fn a_socket_on_all_addresses_takes_both_versions() {
    let mut both = open("[::]:0");
    let interface = both.opened().await;
    let port = both.running.address.unwrap().port();
    for from in ["127.0.0.1:0", "[::1]:0"] {
        let mut peer = open(from);
        let from_peer = peer.opened().await;
        let to = SocketAddr::new(peer.running.address.unwrap().ip(), port);
        peer.send(&*from_peer.driver, Some(endpoint(to)), b"hello").await;
        let (back, _) = both.received().await;
        assert_eq!(back, Some(at(&peer)), "{from}");
        both.send(&*interface.driver, back, b"good day").await;
        assert_eq!(peer.received().await, (Some(endpoint(to)), b"good day".to_vec()), "{from}");
    }
}

#[tokio::test]
async fn a_port_in_use_is_refused_with_a_sentence() {
    for listen in ["[::]:0", "0.0.0.0:0", "127.0.0.1:0"] {
        let first = open(listen);
        let at = first.running.address.unwrap();
        for second in [at, SocketAddr::new(Ipv4Addr::UNSPECIFIED.into(), at.port())] {
            let refusal = Rig::open(&settings(second)).err().unwrap().to_string();
            assert!(refusal.starts_with(&format!("test cannot use {second}: ")), "{refusal}");
        }
    }
}

#[tokio::test]
async fn a_port_is_free_again_once_its_medium_is_closed() {
    let first = open("[::]:0");
    let at = first.running.address.unwrap();
    first.close().await;
    Rig::open(&settings(at)).unwrap();
}

#[tokio::test]
async fn what_is_no_frame_is_counted() {
    let mut node = open("127.0.0.1:0");
    let _interface = node.opened().await;
    let stranger = Plain::bind("127.0.0.1:0").unwrap();
    let to = node.running.address.unwrap();
    stranger.send_to(&[1; FRAME_SIZE as usize + 1], to).unwrap();
    assert!(matches!(node.next().await.1, News::Unusable(1)));
    stranger.send_to(&[], to).unwrap();
    assert!(matches!(node.next().await.1, News::Unusable(1)));
    stranger.send_to(&[1; FRAME_SIZE as usize], to).unwrap();
    assert_eq!(node.received().await.1.len(), usize::from(FRAME_SIZE));
}

#[tokio::test]
async fn without_discovery_a_frame_for_everybody_is_for_nobody() {
    let mut node = open("127.0.0.1:0");
    let interface = node.opened().await;
    node.send(&*interface.driver, None, b"anybody?").await;
    assert_eq!(node.running.counters.errors.load(Ordering::Relaxed), 0);
}

#[tokio::test]
async fn nodes_of_one_machine_find_each_other_over_ipv4() {
    let discovery =
        Discovery { ipv6: None, port: free_port(), networks: vec!["lo".into()], ..Discovery::default() };
    find_each_other(discovery).await;
}

/// IPv6 multicast needs a network that carries it, which this test makes: a namespace with a pair of interfaces, in which
/// it runs itself.
#[tokio::test]
async fn nodes_of_one_network_find_each_other_over_ipv6() {
    const INSIDE: &str = "NEXUS_TEST_IN_NAMESPACE";
    if std::env::var_os(INSIDE).is_some() {
        let discovery = Discovery { ipv4: None, networks: vec!["nexus0".into()], ..Discovery::default() };
        find_each_other(discovery).await;
        return find_each_other(Discovery::default()).await;
    }
    let name = format!("{}::nodes_of_one_network_find_each_other_over_ipv6", module_path!());
    let (_, name) = name.split_once("::").unwrap();
    let script = "ip link set lo up && ip link add nexus0 type veth peer name nexus1 && ip link set nexus0 up && ip link set nexus1 up \
                  && ip -6 address add fe80::7/64 dev nexus0 nodad && ip address add 10.77.0.1/24 dev nexus0 \
                  && exec \"$0\" --exact \"$1\" --nocapture";
    let ran = Command::new("unshare")
        .args(["--map-root-user", "--net", "sh", "-c", script])
        .arg(std::env::current_exe().unwrap())
        .arg(name)
        .env(INSIDE, "1")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&ran.stdout) + String::from_utf8_lossy(&ran.stderr);
    assert!(ran.status.success() && said.contains("1 passed"), "{said}");
}

/// Two nodes: one has the discovery port as its own, the other any. Each hears the other and not itself, and an answer to
/// the address that a frame came from arrives.
async fn find_each_other(discovery: Discovery) {
    let unspecified = |port| Udp {
        listen: SocketAddr::new(Ipv6Addr::UNSPECIFIED.into(), port),
        discovery: discovery.clone(),
        ..Udp::default()
    };
    let mut left = Rig::open(&unspecified(discovery.port)).unwrap();
    let mut right = Rig::open(&unspecified(0)).unwrap();
    let (from_left, from_right) = (left.opened().await, right.opened().await);
    let ports = (left.running.address.unwrap().port(), right.running.address.unwrap().port());

    let found = until_heard(&mut left, &*from_left.driver, b"left is here", &mut right).await;
    assert_eq!(socket_address(&found).unwrap().port(), ports.0);
    let back = until_heard(&mut right, &*from_right.driver, b"right is here", &mut left).await;
    assert_eq!(socket_address(&back).unwrap().port(), ports.1);

    left.send(&*from_left.driver, Some(back), b"an answer").await;
    loop {
        let (from, frame) = right.received().await;
        assert_ne!(frame, b"right is here", "a node does not hear itself");
        if frame == b"an answer" {
            assert_eq!(socket_address(&from.unwrap()).unwrap().port(), ports.0);
            break;
        }
    }
    left.close().await;
    right.close().await;
}

/// Sends again until the other heard it: groups are joined soon after a socket is open, not before.
async fn until_heard(from: &mut Rig, driver: &dyn Driver, frame: &[u8], to: &mut Rig) -> Endpoint {
    let attempts = async {
        loop {
            from.send(driver, None, frame).await;
            let heard = tokio::time::timeout(tokio::time::Duration::from_millis(100), to.received()).await;
            if let Ok((Some(peer), heard)) = heard
                && heard == frame
            {
                return peer;
            }
        }
    };
    tokio::time::timeout(PATIENCE, attempts).await.expect("a frame to the group is heard")
}

fn open(listen: &str) -> Rig {
    Rig::open(&settings(listen.parse().unwrap())).unwrap()
}

fn settings(listen: SocketAddr) -> Udp {
    Udp { listen, discovery: Discovery::off(), ..Udp::default() }
}

fn at(rig: &Rig) -> Endpoint {
    endpoint(rig.running.address.unwrap())
}

fn free_port() -> u16 {
    Plain::bind((IpAddr::from(Ipv4Addr::LOCALHOST), 0)).unwrap().local_addr().unwrap().port()
}
