//! What keeps a node from starting: one sentence, exit code 2, nothing lost.

use std::fs;
use std::io::Write as _;
use std::net::UdpSocket;
use std::process::{Output, Stdio};

use nexus_crypto::IdentitySeed;
use nexus_crypto::passphrase::Argon2Cost;
use nexus_daemon::key_store;
use nexus_machine::Seed;
use nexus_secure::at_rest;
use redb::{Database, TableDefinition};

use crate::place::{Place, QUIET, expose, sentence};

#[test]
fn a_second_instance_is_told_which_process_runs() {
    let place = Place::with(QUIET);
    let first = place.start();
    for word in ["run", "start"] {
        let refusal = sentence(&place.node(&[word]));
        assert!(refusal.ends_with(&format!("already (process {})", first.pid)), "{refusal}");
    }
    assert_eq!(place.status().unwrap().pid, first.pid, "the first is unharmed");
}

#[test]
fn a_port_in_use_is_named() {
    let taken = UdpSocket::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let place = Place::with(&format!("[[udp]]\nlisten = \"{address}\"\n"));
    for word in ["run", "start"] {
        let refusal = sentence(&place.node(&[word]));
        assert!(refusal.starts_with(&format!("nexus: udp0 cannot use {address}: ")), "{refusal}");
    }
    assert_eq!(place.holder(), None);
}

#[test]
fn a_mistake_in_the_configuration_is_named_with_its_line() {
    let place = Place::with("relaying = true\nrelayign = true\n");
    for word in ["run", "start", "check-config"] {
        let refusal = sentence(&place.node(&[word]));
        assert!(refusal.contains("nexus.toml:2: unknown field `relayign`"), "{refusal}");
    }
    assert!(!place.state.key().exists(), "nothing was made");
}

#[test]
fn the_printed_configuration_is_one_that_can_be_used() {
    let place = Place::with("");
    let printed = place.command(&["config"]).get_program().to_owned();
    let printed = std::process::Command::new(printed).args(["node", "config"]).output().unwrap();
    place.configure(std::str::from_utf8(&printed.stdout).unwrap());
    let checked = place.node(&["check-config"]);
    let said = String::from_utf8_lossy(&checked.stdout).into_owned();
    assert!(checked.status.success(), "{said}");
    assert!(said.contains("interface udp0: UDP on [::]:4777, discovers the local network"), "{said}");
}

/// A place with a key file under the passphrase "correct horse".
fn locked() -> Place {
    let place = Place::with(QUIET);
    let cheap = Argon2Cost::new(8_192, 1, 1).unwrap();
    let seed = IdentitySeed::from_bytes([7; 32]);
    let file = at_rest::locked(&seed, b"correct horse", cheap, &mut Seed::new([1; 32]).fork("test")).unwrap();
    key_store::create(&place.state.key(), &file).unwrap();
    place
}

fn given(place: &Place, passphrase: &str) -> Output {
    let mut command = place.command(&["run", "--passphrase", "fd:0"]);
    let piped = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = piped.spawn().unwrap();
    child.stdin.take().unwrap().write_all(passphrase.as_bytes()).unwrap();
    child.wait_with_output().unwrap()
}

#[test]
fn a_wrong_passphrase_is_refused_and_the_right_one_opens() {
    let place = locked();
    let before = fs::read(place.state.key()).unwrap();
    let refusal = sentence(&given(&place, "correct horsf\n"));
    assert!(refusal.contains("the passphrase is wrong, or the key file is damaged"), "{refusal}");
    let refusal = sentence(&place.node(&["run"]));
    assert!(refusal.contains("is locked, and no source of a passphrase is named"), "{refusal}");
    let refusal = sentence(&given(&place, ""));
    assert!(refusal.contains("the passphrase from file descriptor 0 is empty"), "{refusal}");
    assert_eq!(fs::read(place.state.key()).unwrap(), before);

    let given = place.beside("passphrase");
    fs::write(&given, "correct horse\n").unwrap();
    let mut command = place.command(&["run", "--passphrase", "fd:0"]);
    command.stdin(fs::File::open(given).unwrap());
    let (child, status) = place.run(command);
    assert_eq!(status.node.len(), 32);
    assert!(place.node(&["stop"]).status.success());
    child.wait_with_output().unwrap();
}

#[test]
fn a_key_file_or_a_state_directory_that_others_may_read_is_refused() {
    let place = Place::with(QUIET);
    place.key([7; 32]);
    expose(&place.state.key(), 0o644);
    for word in ["run", "start", "check-config"] {
        let refusal = sentence(&place.node(&[word]));
        assert!(refusal.contains("can be read by others (mode 0644): run `chmod 600 "), "{refusal}");
    }
    expose(&place.state.key(), 0o600);
    expose(place.state.path(), 0o755);
    let refusal = sentence(&place.node(&["run"]));
    assert!(refusal.contains("can be entered by others (mode 0755): run `chmod 700 "), "{refusal}");
    expose(place.state.path(), 0o700);
}

#[test]
fn a_key_file_that_is_none_is_left_as_it_is() {
    let place = Place::with(QUIET);
    key_store::create(&place.state.key(), b"something else").unwrap();
    let refusal = sentence(&place.node(&["run"]));
    assert!(refusal.contains("identity.key: this is not a key file"), "{refusal}");
    assert_eq!(fs::read(place.state.key()).unwrap(), b"something else");
    fs::remove_file(place.state.key()).unwrap();
    fs::create_dir(place.state.key()).unwrap();
    expose(&place.state.key(), 0o700);
    let refusal = sentence(&place.node(&["run"]));
    assert!(refusal.contains("identity.key cannot be read: "), "{refusal}");
}

#[test]
fn a_store_of_a_later_version_is_refused_and_left_as_it_is() {
    let place = Place::with(QUIET);
    place.start();
    assert!(place.node(&["stop"]).status.success());
    {
        let schema: TableDefinition<'_, &str, u32> = TableDefinition::new("schema");
        let transaction = Database::open(place.state.store()).unwrap().begin_write().unwrap();
        transaction.open_table(schema).unwrap().insert("version", 99).unwrap();
        transaction.commit().unwrap();
    }
    let before = fs::read(place.state.store()).unwrap();
    let refusal = sentence(&place.node(&["start"]));
    assert!(refusal.contains("was written by a later version of NEXUS (schema 99, "), "{refusal}");
    assert!(fs::read(place.state.store()).unwrap() == before);
}
