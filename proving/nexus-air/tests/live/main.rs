//! Virtual modems in real time, as programs find them: at pseudoterminals and TCP ports.
#![allow(clippy::unwrap_used, reason = "what cannot be unwrapped fails the test")]

mod both_times;
mod host;

use std::net::{Ipv4Addr, SocketAddr};

use nexus_air::live::{Address, House, Plan, Port};
use nexus_air::{Direction, Faults, Hearing, Outcome, RadioId};
use nexus_machine::Seed;
use nexus_network::lora::Modulation;

use host::Host;

const A: RadioId = RadioId(0);
const B: RadioId = RadioId(1);

fn house(ports: Vec<Port>, home: &tempfile::TempDir) -> House {
    let plan = Plan { ports, ..Plan::terminals(Hearing::everybody(2), Seed::new([9; 32])) };
    House::open(plan, home.path()).unwrap()
}

fn loopback() -> Port {
    Port::Tcp(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))
}

#[test]
fn a_packet_goes_from_a_terminal_to_a_tcp_port_and_back_in_real_time() {
    let home = tempfile::tempdir().unwrap();
    let house = house(vec![Port::Terminal, loopback()], &home);
    let mut left = Host::open(house.address(A));
    let mut right = Host::open(house.address(B));
    left.bring_up();
    right.bring_up();
    left.send(b"there");
    assert_eq!(right.receive(), b"there");
    right.send(&[0xc0; 508]);
    assert_eq!(left.receive(), [0xc0; 508]);
    let transmissions = house.transmissions();
    let radio = Modulation::new(500_000, 5, 5).unwrap();
    let spans: Vec<_> = transmissions.iter().map(|one| one.end.since(one.start)).collect();
    assert_eq!(spans, [radio.transmission(5), radio.transmission(254), radio.transmission(254)]);
    assert!(transmissions.iter().all(|one| one.receptions[0].outcome == Outcome::Received));
    assert_eq!(house.meter(B).airtime, radio.airtime(508));
}

#[test]
fn a_modem_that_is_unplugged_hangs_up_and_is_back_at_the_same_path_with_everything_forgotten() {
    let home = tempfile::tempdir().unwrap();
    let house = house(vec![Port::Terminal, Port::Terminal], &home);
    let Address::Terminal(path) = house.address(A).clone() else { panic!("it is at a terminal") };
    let (mut left, mut right) = (Host::open(house.address(A)), Host::open(house.address(B)));
    left.bring_up();
    right.bring_up();
    let before = std::fs::read_link(&path).unwrap();
    house.unplug(A).unwrap();
    assert!(!path.exists() && std::fs::read_link(&path).is_err());
    left.wait_for_hang_up();
    house.plug(A).unwrap();
    assert!(std::fs::read_link(&path).is_ok(), "another terminal than {before:?}, or the same number again");
    let mut again = Host::open(house.address(A));
    assert_eq!(house.with(|fleet, _| fleet.rnode(A).tuned()), None);
    again.bring_up();
    again.send(b"again");
    assert_eq!(right.receive(), b"again");
}

#[test]
fn a_tcp_host_is_cut_off_when_the_modem_is_unplugged_and_finds_it_again_at_the_same_port() {
    let home = tempfile::tempdir().unwrap();
    let house = house(vec![loopback(), loopback()], &home);
    let (mut left, mut right) = (Host::open(house.address(A)), Host::open(house.address(B)));
    left.bring_up();
    right.bring_up();
    house.unplug(A).unwrap();
    left.wait_for_hang_up();
    assert!(Host::try_open(house.address(A)).is_err());
    house.plug(A).unwrap();
    let mut again = Host::open(house.address(A));
    again.bring_up();
    right.send(b"welcome");
    assert_eq!(again.receive(), b"welcome");
}

#[test]
fn a_host_may_close_its_terminal_and_come_back() {
    let home = tempfile::tempdir().unwrap();
    let house = house(vec![], &home);
    let mut right = Host::open(house.address(B));
    right.bring_up();
    for turn in 0..3_u8 {
        let mut left = Host::open(house.address(A));
        left.bring_up();
        left.send(&[turn; 9]);
        assert_eq!(right.receive(), [turn; 9]);
    }
}

#[test]
fn a_frame_corrupted_behind_the_checksum_reaches_the_host_as_if_it_were_whole() {
    let home = tempfile::tempdir().unwrap();
    let house = house(vec![], &home);
    let (mut left, mut right) = (Host::open(house.address(A)), Host::open(house.address(B)));
    left.bring_up();
    right.bring_up();
    house.set_faults(B, Faults { corrupt_ppm: 1_000_000, ..Faults::default() });
    left.send(&[0x5a; 40]);
    let arrived = right.receive();
    assert!(arrived.len() == 40 && arrived != [0x5a; 40]);
    assert_eq!(house.counters(B).corrupted, 1);
    assert_eq!(house.meter(B).received, 1, "on the air it was received like any other");
}

#[test]
fn a_house_that_cannot_be_opened_leaves_nothing_behind() {
    let home = tempfile::tempdir().unwrap();
    let taken = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let ports = vec![Port::Terminal, Port::Tcp(taken.local_addr().unwrap())];
    let plan = Plan { ports, ..Plan::terminals(Hearing::everybody(2), Seed::new([9; 32])) };
    assert_eq!(House::open(plan, home.path()).unwrap_err().kind(), std::io::ErrorKind::AddrInUse);
    assert_eq!(std::fs::read_dir(home.path()).unwrap().count(), 0);
}

#[test]
fn one_direction_can_be_shut_while_the_house_is_open() {
    let home = tempfile::tempdir().unwrap();
    let house = house(vec![], &home);
    let (mut left, mut right) = (Host::open(house.address(A)), Host::open(house.address(B)));
    left.bring_up();
    right.bring_up();
    house.direct(A, B, Direction::Shut);
    left.send(b"nobody hears this");
    left.wait_until_sent();
    right.send(b"the other way is open");
    assert_eq!(left.receive(), b"the other way is open");
    house.direct(A, B, Direction::Open);
    left.send(b"and this one again");
    assert_eq!(right.receive(), b"and this one again");
}

#[test]
fn a_house_that_is_closed_leaves_no_links_behind() {
    let home = tempfile::tempdir().unwrap();
    let house = house(vec![], &home);
    assert_eq!(std::fs::read_dir(home.path()).unwrap().count(), 2);
    let mut left = Host::open(house.address(A));
    drop(house);
    left.wait_for_hang_up();
    assert_eq!(std::fs::read_dir(home.path()).unwrap().count(), 0);
}
