//! A node that runs as it should.

use std::fs;
use std::net::UdpSocket;
use std::os::unix::fs::MetadataExt as _;

use nexus_daemon::api::{Code, Delivered, Verb};
use nexus_daemon::client::{Client, ClientError};

use crate::place::{Place, QUIET, ask, sentence};

#[test]
fn a_node_starts_without_anything_answers_and_stops() {
    let place = Place::with(QUIET);
    let absent = place.node(&["status"]);
    assert_eq!(absent.status.code(), Some(3));
    let status = place.start();
    assert_eq!(status.node.len(), 32);
    assert_eq!(Some(status.pid), place.holder());
    let said = place.node(&["status"]);
    assert_eq!(said.status.code(), Some(0));
    let line = String::from_utf8_lossy(&said.stdout).into_owned();
    assert!(line.starts_with(&format!("node {} runs (process {})", status.node, status.pid)), "{line}");
    for private in [place.state.key(), place.state.store(), place.state.log(), place.state.socket()] {
        assert_eq!(fs::metadata(&private).unwrap().mode() & 0o077, 0, "{}", private.display());
    }
    assert!(place.node(&["stop"]).status.success());
    assert_eq!(place.holder(), None);
    assert!(!place.state.socket().exists());
    assert_eq!(place.node(&["status"]).status.code(), Some(3));
    assert!(place.node(&["stop"]).status.success(), "stopping what does not run is no error");
    assert_eq!(place.start().node, status.node, "the identity stays");
}

#[test]
fn what_is_reloaded_takes_effect_and_a_bad_file_changes_nothing() {
    let place = Place::with(QUIET);
    let before = place.start();
    assert_eq!(before.interfaces.len(), 1);
    let more = format!("{QUIET}[[tcp]]\nlisten = \"127.0.0.1:0\"\n");
    place.configure(&format!("log_level = \"debug\"\npolicy = \"allow\"\nlabel = \"x\"\n{more}"));
    let reloaded = place.node(&["reload"]);
    assert!(reloaded.status.success());
    let said = String::from_utf8_lossy(&reloaded.stdout).into_owned();
    for change in
        ["opened tcp0", "the policy is another", "the log says more", "the label is written differently"]
    {
        assert!(said.contains(change), "{said}");
    }
    let after = place.status().unwrap();
    assert_eq!((after.interfaces.len(), after.policy.as_str()), (2, "only"));
    assert_eq!(udp(&before), udp(&after), "what is the same stays open");

    place.configure("policy = \"friends\"");
    let refusal = sentence(&place.node(&["reload"]));
    assert!(refusal.contains("nexus.toml:1: \"friends\" is no policy"), "{refusal}");
    let taken = UdpSocket::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    place.configure(&format!("[[udp]]\nname = \"other\"\nlisten = \"{address}\"\n"));
    let refusal = sentence(&place.node(&["reload"]));
    assert!(refusal.contains(&format!("other cannot use {address}")), "{refusal}");
    let still = place.status().unwrap();
    let names = |status: &nexus_daemon::api::Status| {
        status.interfaces.iter().map(|interface| interface.name.clone()).collect::<Vec<_>>()
    };
    assert_eq!((names(&still), still.policy), (names(&after), after.policy));

    place.configure(QUIET);
    assert!(place.node(&["reload"]).status.success());
    assert_eq!(names(&place.status().unwrap()), ["udp0"]);
}

fn udp(status: &nexus_daemon::api::Status) -> &str {
    &status.interfaces.iter().find(|interface| interface.name == "udp0").unwrap().address
}

#[test]
fn a_message_that_cannot_arrive_is_refused_with_the_reason() {
    let place = Place::with(QUIET);
    place.start();
    ask(async {
        let mut client = Client::connect(&place.state).await.unwrap();
        let verb = Verb::Ping { to: "00".to_owned(), for_s: 0, padding: None, policy: None, class: None };
        let refused = client.call::<Delivered>(verb).await.unwrap_err();
        assert!(matches!(refused, ClientError::Refused(failure) if failure.code == Code::BadValue));
        let verb = Verb::Dial { interface: None, peer: "127.0.0.1".to_owned(), expected: None };
        let refused = client.call::<nexus_daemon::api::Done>(verb).await.unwrap_err();
        assert_eq!(
            refused.to_string(),
            "\"127.0.0.1\" is no address: one is written `host:port`, with an IPv6 address in brackets"
        );
    });
}

#[test]
fn a_log_never_holds_a_seed_or_a_message() {
    let seed: [u8; 32] = *b"\x8c\x11seed of the node in this test\xfe";
    let text = "the text of a message in this test";
    let peer = UdpSocket::bind("127.0.0.1:0").unwrap();
    let place = Place::that_announces(&peer);
    let config = fs::read_to_string(place.state.config()).unwrap();
    place.configure(&format!("log_level = \"trace\"\nprivacy = \"full\"\n{config}"));
    place.key(seed);
    let status = place.start();
    place.announce();
    ask(async {
        let mut client = Client::connect(&place.state).await.unwrap();
        let to = "00112233445566778899aabbccddeeff".to_owned();
        let (text, signed) = (text.to_owned(), true);
        client.ask(Verb::Send { to, text, signed, for_s: 0, policy: None, class: None }).await.unwrap();
    });
    assert!(place.node(&["stop"]).status.success());
    let log = fs::read(place.state.log()).unwrap();
    assert!(contains(&log, status.node.as_bytes()), "the level is the most talkative");
    for secret in [&seed[..], text.as_bytes()] {
        for form in forms(secret) {
            assert!(!contains(&log, &form), "{}", String::from_utf8_lossy(&form));
        }
    }
}

fn contains(log: &[u8], secret: &[u8]) -> bool {
    log.windows(secret.len()).any(|window| window == secret)
}

/// Eight bytes of a secret in a row, as they may be written.
fn forms(secret: &[u8]) -> Vec<Vec<u8>> {
    let mut forms = Vec::new();
    for part in secret.windows(8) {
        let number = part.iter().fold(0_u64, |number, byte| number << 8 | u64::from(*byte));
        let hex = format!("{number:016x}");
        let list = part.iter().map(u8::to_string).collect::<Vec<_>>().join(", ");
        forms.extend([part.to_vec(), hex.to_uppercase().into_bytes(), hex.into_bytes(), list.into_bytes()]);
    }
    // Of any run of bytes, base64 writes the same letters at three offsets.
    forms.extend((0..3).map(|offset| base64(&secret[offset..offset + 12])));
    forms
}

fn base64(bytes: &[u8]) -> Vec<u8> {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let letters = |three: &[u8]| {
        let bits = three.iter().fold(0_usize, |bits, byte| bits << 8 | usize::from(*byte));
        [18, 12, 6, 0].map(|shift| LETTERS[bits >> shift & 63])
    };
    bytes.chunks_exact(3).flat_map(letters).collect()
}

#[test]
fn a_backup_of_a_running_node_is_the_same_node_elsewhere_with_a_later_emission() {
    let peer = UdpSocket::bind("127.0.0.1:0").unwrap();
    let place = Place::that_announces(&peer);
    let before = place.start();
    let emission = place.announce();
    let file = place.beside("backup");
    let backup = place.node(&["backup", file.to_str().unwrap()]);
    assert!(backup.status.success(), "{}", String::from_utf8_lossy(&backup.stderr));
    assert_eq!(fs::metadata(&file).unwrap().mode() & 0o777, 0o600);
    let again = sentence(&place.node(&["backup", file.to_str().unwrap()]));
    assert!(again.contains("is there already"), "{again}");
    assert!(place.node(&["stop"]).status.success());

    let other = Place::that_announces(&peer);
    let restored = other.node(&["restore", file.to_str().unwrap()]);
    assert!(restored.status.success(), "{}", String::from_utf8_lossy(&restored.stderr));
    let refusal = sentence(&other.node(&["restore", file.to_str().unwrap()]));
    assert!(refusal.contains("holds a node already"), "{refusal}");
    assert_eq!(other.start().node, before.node);
    assert!(other.announce() > emission);
}

#[test]
fn a_node_in_the_background_holds_nothing_of_whoever_started_it() {
    let place = Place::with(QUIET);
    let inner = place.command(&["start"]);
    let mut command = std::process::Command::new("sh");
    command.args(["-c", "exec 9>\"$0\"; exec \"$@\""]).arg(place.beside("somebodys-lock"));
    let started = command.arg(inner.get_program()).args(inner.get_args()).output().unwrap();
    assert!(started.status.success(), "{}", String::from_utf8_lossy(&started.stderr));
    let pid = place.holder().unwrap();
    let open: Vec<_> = fs::read_dir(format!("/proc/{pid}/fd"))
        .unwrap()
        .filter_map(|entry| fs::read_link(entry.unwrap().path()).ok())
        .collect();
    assert!(open.contains(&place.state.lock()), "its own files are open: {open:?}");
    assert!(!open.contains(&place.beside("somebodys-lock")), "{open:?}");
}
