//! How a node ends, and comes back.

use std::net::UdpSocket;
use std::process::{Child, Command, Stdio};

use nexus_daemon::api::{Answer, Done, Event, Verb};
use nexus_daemon::client::Client;
use rustix::process::{Pid, Resource, Rlimit, Signal, prlimit};

use crate::place::{Place, QUIET, ask, sentence, signal};

#[test]
fn a_signal_reloads_a_node_and_another_ends_it_in_order() {
    for end in [Signal::TERM, Signal::INT] {
        let place = Place::with(QUIET);
        let (child, status) = place.run(place.command(&["run"]));
        place.configure(&format!("{QUIET}{QUIET}"));
        ask(async {
            let mut client = Client::connect(&place.state).await.unwrap();
            let watching = client.ask(Verb::Events).await.unwrap();
            // The subscription stands once a later request is answered.
            let _status: nexus_daemon::api::Status = client.call(Verb::Status).await.unwrap();
            signal(status.pid, Signal::HUP);
            let opened = Event::InterfaceUp { interface: "udp1".to_owned() };
            while client.answer(watching).await.unwrap() != Answer::Event(opened.clone()) {}
        });
        signal(status.pid, end);
        let ended = child.wait_with_output().unwrap();
        let said = String::from_utf8_lossy(&ended.stderr).into_owned();
        assert_eq!(ended.status.code(), Some(0), "{said}");
        assert!(said.trim_end().ends_with("ended in order"), "{said}");
        assert!(!place.state.socket().exists());
        assert_eq!(place.holder(), None);
    }
}

#[test]
fn a_node_that_was_killed_comes_back_as_itself_with_a_later_emission() {
    let peer = UdpSocket::bind("127.0.0.1:0").unwrap();
    let place = Place::that_announces(&peer);
    let before = place.start();
    let mut last = place.announce();
    for _ in 0..3 {
        signal(place.holder().unwrap(), Signal::KILL);
        while place.holder().is_some() {
            std::thread::yield_now();
        }
        assert!(place.state.socket().exists(), "it had no time to clean up");
        assert_eq!(place.start().node, before.node);
        let emission = place.announce();
        assert!(emission > last, "{emission} after {last}");
        last = emission;
    }
}

/// A node that gets an error, not a signal, when its files may not grow.
fn with_patience_for_full_disks(place: &Place, blocks: &str) -> Command {
    let inner = place.command(&["run"]);
    let mut command = Command::new("sh");
    command.args(["-c", &format!("trap '' XFSZ; ulimit -f {blocks}; exec \"$@\""), "sh"]);
    command.arg(inner.get_program()).args(inner.get_args()).stdin(Stdio::null());
    command
}

#[test]
fn a_disk_that_is_full_at_the_first_start_is_one_sentence_and_leaves_nothing_half_made() {
    let place = Place::with(QUIET);
    let refusal = sentence(&with_patience_for_full_disks(&place, "8").output().unwrap());
    assert!(refusal.contains("state.redb cannot be used: I/O error"), "{refusal}");
    assert!(!place.state.store().exists());
    let made = std::fs::read(place.state.key()).unwrap();
    place.start();
    assert_eq!(std::fs::read(place.state.key()).unwrap(), made, "the key file is not made again");
}

#[test]
fn a_disk_that_is_full_while_a_node_runs_ends_it_with_a_sentence_and_loses_nothing() {
    let peer = UdpSocket::bind("127.0.0.1:0").unwrap();
    let place = Place::that_announces(&peer);
    let (child, before) = place.run(with_patience_for_full_disks(&place, "unlimited"));
    let last = place.announce();
    let pid = Pid::from_raw(before.pid.try_into().unwrap());
    prlimit(pid, Resource::Fsize, Rlimit { current: Some(0), maximum: None }).unwrap();
    let ended = announce_until_it_ends(&place, child);
    let refusal = sentence(&ended);
    assert!(refusal.contains("state.redb cannot be used: "), "{refusal}");
    assert_eq!(place.start().node, before.node);
    assert!(place.announce() > last);
}

fn announce_until_it_ends(place: &Place, child: Child) -> std::process::Output {
    ask(async {
        if let Ok(mut client) = Client::connect(&place.state).await {
            while let Ok(Done {}) = client.call(Verb::Announce).await {}
        }
    });
    child.wait_with_output().unwrap()
}
