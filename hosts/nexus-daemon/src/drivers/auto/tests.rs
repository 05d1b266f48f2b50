use std::net::{Ipv6Addr, SocketAddr, SocketAddrV6, UdpSocket};
use std::process::Command;
use std::sync::atomic::{AtomicU64, Ordering};

use nexus_network::Mode;

use super::*;
use crate::driver::News;
use crate::drivers::networks;
use crate::rig::{PATIENCE, Rig};

/// Multicast needs a network that carries it, which these tests make: a namespace with a pair of interfaces, in which each runs itself.
async fn in_a_namespace(name: &str, test: impl Future<Output = ()>) {
    const INSIDE: &str = "NEXUS_TEST_IN_NAMESPACE";
    if std::env::var_os(INSIDE).is_some() {
        return test.await;
    }
    let name = format!("{}::{name}", module_path!());
    let (_, name) = name.split_once("::").unwrap();
    let script = "ip link set lo up && ip link add nexus0 type veth peer name nexus1 && ip link set nexus0 up && ip link set nexus1 up \
                  && ip -6 address add fe80::7/64 dev nexus0 nodad && ip -6 address add fe80::8/64 dev nexus1 nodad \
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

fn on(device: &str) -> Auto {
    Auto {
        devices: Devices { chosen: vec![device.to_owned()], ignored: Vec::new() },
        access_code_len: 16,
        ..Auto::default()
    }
}

/// The link-local address of a device.
fn address(device: &str) -> (Ipv6Addr, u32) {
    let all = networks::all();
    let network = all.iter().find(|network| network.name == device).unwrap();
    (network.link_local().next().unwrap(), network.index)
}

async fn until_counted(count: &AtomicU64, to: u64) {
    let counting = async {
        while count.load(Ordering::Relaxed) < to {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, counting).await.expect("it is counted in time");
}

#[tokio::test]
async fn two_of_one_network_meet_and_frames_of_full_length_pass_both_ways() {
    in_a_namespace("two_of_one_network_meet_and_frames_of_full_length_pass_both_ways", async {
        let (mut left, mut right) = (Rig::open(&on("nexus0")).unwrap(), Rig::open(&on("nexus1")).unwrap());
        let (from_left, from_right) = (left.opened().await, right.opened().await);
        assert_eq!(from_left.name, format!("test/{}%nexus0", address("nexus1").0));
        assert_eq!(from_right.name, format!("test/{}%nexus1", address("nexus0").0));
        // The first waits until the other knows this one, the second does not.
        for fill in [1, 2] {
            let frame = vec![fill; usize::from(PACKET_SIZE) + 16];
            left.send(&*from_left.driver, None, &frame).await;
            assert_eq!(right.received().await, (None, frame.clone()));
            right.send(&*from_right.driver, None, &frame).await;
            assert_eq!(left.received().await, (None, frame));
        }
        left.close().await;
        right.close().await;
    })
    .await;
}

#[tokio::test]
async fn only_who_says_its_own_address_is_a_peer_and_only_peers_are_heard() {
    in_a_namespace("only_who_says_its_own_address_is_a_peer_and_only_peers_are_heard", async {
        let group = Group::default();
        let mut node = Rig::open(&on("nexus0")).unwrap();
        let counters = std::sync::Arc::clone(&node.running.counters);
        let ((own, own_index), (theirs, index)) = (address("nexus0"), address("nexus1"));
        let peer = UdpSocket::bind(SocketAddrV6::new(theirs, 0, 0, index)).unwrap();
        let to = |port| SocketAddr::V6(SocketAddrV6::new(own, port, 0, index));
        for forged in [group.beacon(own), group.beacon(Ipv6Addr::LOCALHOST), [0; 32]] {
            peer.send_to(&forged, to(group.reverse_port())).unwrap();
        }
        until_counted(&counters.forged, 3).await;
        peer.send_to(b"a frame", to(group.data_port)).unwrap();
        until_counted(&counters.strangers, 1).await;
        peer.send_to(&group.beacon(theirs), to(group.reverse_port())).unwrap();
        let opened = node.opened().await;
        assert_eq!(opened.name, format!("test/{theirs}%nexus0"));
        assert_ne!(own_index, index);
        peer.send_to(b"a frame", to(group.data_port)).unwrap();
        assert_eq!(node.received().await, (None, b"a frame".to_vec()));
        peer.send_to(&[1; PACKET_SIZE as usize + 17], to(group.data_port)).unwrap();
        assert!(matches!(node.next().await.1, News::Unusable(1)));
        node.close().await;
    })
    .await;
}

#[tokio::test]
async fn ports_that_somebody_has_are_refused_with_a_sentence() {
    in_a_namespace("ports_that_somebody_has_are_refused_with_a_sentence", async {
        let (own, index) = address("nexus0");
        let taken = SocketAddrV6::new(own, Group::DATA_PORT, 0, index);
        let first = UdpSocket::bind(taken).unwrap();
        let refusal = Rig::open(&on("nexus0")).err().unwrap().to_string();
        let begins = format!("test cannot use {}: ", SocketAddr::V6(taken));
        assert!(refusal.starts_with(&begins) && refusal.contains("rnsd"), "{refusal}");
        drop(first);
        let again = Rig::open(&on("nexus0")).unwrap();
        again.close().await;
        Rig::open(&on("nexus0")).unwrap();
    })
    .await;
}

#[test]
fn a_peer_is_told_of_as_stock_nodes_carry_it() {
    let profile = on("nexus0").profile();
    assert_eq!((profile.mode, profile.reach), (Mode::Reticulum, Reach::PointToPoint));
    assert_eq!((profile.frame_size, Auto::default().profile().frame_size), (1_212, 1_196));
}

#[test]
fn all_but_loopback_are_used_unless_some_are_named_and_none_that_is_ignored() {
    let network = |name: &str, is_loopback| Network {
        index: 1,
        name: name.to_owned(),
        addresses: Vec::new(),
        is_loopback,
    };
    let (eth, lo) = (network("eth0", false), network("lo", true));
    let devices = |chosen: &[&str], ignored: &[&str]| {
        let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        Devices { chosen: names(chosen), ignored: names(ignored) }
    };
    let taken = |devices: Devices| (devices.take(&eth), devices.take(&lo));
    assert_eq!(taken(devices(&[], &[])), (true, false));
    assert_eq!(taken(devices(&["lo"], &[])), (false, true));
    assert_eq!(taken(devices(&[], &["eth0"])), (false, false));
    assert_eq!(taken(devices(&["eth0", "lo"], &["lo"])), (true, false));
}
