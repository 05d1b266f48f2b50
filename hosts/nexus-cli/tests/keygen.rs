//! `nexus keygen` as a user runs it.
#![allow(clippy::unwrap_used, reason = "what helpers of a test cannot do fails the test")]

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Command, Output, Stdio};

#[test]
fn an_identity_is_made_shown_and_never_overwritten() {
    let home = tempfile::tempdir().unwrap();
    let made = keygen(home.path(), &["new"], "");
    assert_eq!(made.status.code(), Some(0), "{made:?}");
    let file = home.path().join("state/identity.key");
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(fs::metadata(home.path().join("state")).unwrap().permissions().mode() & 0o777, 0o700);
    let before = fs::read(&file).unwrap();
    let again = keygen(home.path(), &["new"], "");
    assert_eq!(again.status.code(), Some(2));
    assert!(
        said(&again.stderr).contains("is there already, and an identity is never overwritten"),
        "{again:?}"
    );
    assert_eq!(fs::read(&file).unwrap(), before);
    let shown = keygen(home.path(), &["show", "--json"], "");
    let shown: serde_json::Value = serde_json::from_slice(&shown.stdout).unwrap();
    assert_eq!(shown["locked"], false);
    assert!(said(&made.stdout).contains(shown["node"].as_str().unwrap()), "{made:?}");
    for (key, length) in [("node", 32), ("identity", 32), ("ed25519", 64), ("x25519", 64), ("vrf", 64)] {
        assert_eq!(shown[key].as_str().unwrap().len(), length, "{shown}");
    }
}

#[test]
fn what_is_shown_never_has_the_secret_in_it() {
    let home = tempfile::tempdir().unwrap();
    let file = home.path().join("a.key");
    let bytes: Vec<u8> = b"NK\x01\x00".iter().copied().chain([0x5a; 32]).collect();
    fs::write(&file, bytes).unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
    for arguments in [["show", "a.key"].as_slice(), &["show", "--json", "a.key"]] {
        let shown = keygen(home.path(), arguments, "");
        assert!(shown.status.success() && !said(&shown.stdout).contains("5a5a5a"), "{shown:?}");
    }
}

#[test]
fn a_key_goes_to_paper_and_back_only_when_that_is_meant() {
    let home = tempfile::tempdir().unwrap();
    keygen(home.path(), &["new", "a.key"], "");
    let unasked = keygen(home.path(), &["export", "a.key"], "");
    assert_eq!((unasked.status.code(), unasked.stdout.len()), (Some(2), 0), "{unasked:?}");
    let wrote = keygen(home.path(), &["export", "a.key", "--to", "paper.txt"], "");
    assert!(wrote.status.success() && !said(&wrote.stdout).contains("nxke"), "{wrote:?}");
    let paper = home.path().join("paper.txt");
    assert_eq!(fs::metadata(&paper).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(keygen(home.path(), &["export", "a.key", "--to", "paper.txt"], "").status.code(), Some(2));
    let printed = keygen(home.path(), &["export", "a.key", "--yes"], "");
    assert_eq!(printed.stdout, fs::read(&paper).unwrap());
    assert!(keygen(home.path(), &["import", "paper.txt", "b.key"], "").status.success());
    assert!(keygen(home.path(), &["import", "-", "c.key"], &said(&printed.stdout)).status.success());
    assert!(keygen(home.path(), &["import", "a.key", "d.key"], "").status.success());
    for copy in ["b.key", "c.key", "d.key"] {
        assert_eq!(fs::read(home.path().join(copy)).unwrap(), fs::read(home.path().join("a.key")).unwrap());
    }
    let onto = keygen(home.path(), &["import", "paper.txt", "b.key"], "");
    assert_eq!(onto.status.code(), Some(2), "{onto:?}");
}

#[test]
fn a_miscopied_key_is_refused_and_nothing_is_made() {
    let home = tempfile::tempdir().unwrap();
    keygen(home.path(), &["new", "a.key"], "");
    let paper = said(&keygen(home.path(), &["export", "a.key", "--yes"], "").stdout);
    let last = if paper.trim_end().ends_with('q') { "p" } else { "q" };
    let miscopied = format!("{}{last}\n", &paper.trim_end()[..paper.trim_end().len() - 1]);
    let refused = keygen(home.path(), &["import", "-", "b.key"], &miscopied);
    assert_eq!(refused.status.code(), Some(2));
    assert!(said(&refused.stderr).contains("some characters are wrong"), "{refused:?}");
    assert!(!home.path().join("b.key").exists());
}

#[test]
fn a_passphrase_is_set_changed_and_removed_and_a_wrong_one_changes_nothing() {
    let home = tempfile::tempdir().unwrap();
    keygen(home.path(), &["new", "a.key", "--passphrase-fd", "0"], "one\n");
    let locked = keygen(home.path(), &["show", "a.key"], "");
    assert!(said(&locked.stdout).contains("It is locked"), "{locked:?}");
    let shown =
        |passphrase: &str| keygen(home.path(), &["show", "a.key", "--passphrase-fd", "0"], passphrase);
    let node = |output: &Output| {
        said(&output.stdout).lines().find(|line| line.starts_with("node id")).map(str::to_owned)
    };
    let first = node(&shown("one\n"));
    assert!(first.is_some());
    let before = fs::read(home.path().join("a.key")).unwrap();
    let wrong = keygen(home.path(), &["passphrase", "a.key", "--passphrase-fd", "0", "--remove"], "two\n");
    assert_eq!(wrong.status.code(), Some(2));
    assert!(said(&wrong.stderr).contains("the passphrase is wrong"), "{wrong:?}");
    assert_eq!(fs::read(home.path().join("a.key")).unwrap(), before);
    fs::write(home.path().join("new"), "two\n").unwrap();
    let change = ["passphrase", "a.key", "--passphrase-fd", "0", "--new-passphrase-credential", "new"];
    assert!(keygen(home.path(), &change, "one\n").status.success());
    assert_eq!(shown("one\n").status.code(), Some(2));
    assert_eq!(node(&shown("two\n")), first);
    assert!(
        keygen(home.path(), &["passphrase", "a.key", "--passphrase-fd", "0", "--remove"], "two\n")
            .status
            .success()
    );
    assert_eq!(node(&keygen(home.path(), &["show", "a.key"], "")), first);
}

#[test]
fn a_key_file_that_others_may_read_is_refused_with_the_command_to_run() {
    let home = tempfile::tempdir().unwrap();
    keygen(home.path(), &["new", "a.key"], "");
    fs::set_permissions(home.path().join("a.key"), fs::Permissions::from_mode(0o644)).unwrap();
    for action in [["show", "a.key"].as_slice(), &["export", "--yes", "a.key"], &["import", "a.key", "b.key"]]
    {
        let refused = keygen(home.path(), action, "");
        assert_eq!(refused.status.code(), Some(2), "{refused:?}");
        assert!(said(&refused.stderr).contains("chmod 600 a.key"), "{refused:?}");
    }
}

#[test]
fn without_a_terminal_nobody_is_asked_for_a_passphrase_forever() {
    let home = tempfile::tempdir().unwrap();
    keygen(home.path(), &["new", "a.key", "--passphrase-fd", "0"], "one\n");
    let refused = keygen(home.path(), &["export", "--yes", "a.key"], "");
    assert_eq!(refused.status.code(), Some(2), "{refused:?}");
    assert!(said(&refused.stderr).contains("no passphrase came from the terminal"), "{refused:?}");
}

/// Runs `nexus keygen` in `home`, without a terminal.
fn keygen(home: &Path, arguments: &[&str], input: &str) -> Output {
    let mut child = Command::new("setsid")
        .args(["--wait", env!("CARGO_BIN_EXE_nexus"), "keygen"])
        .args(arguments)
        .current_dir(home)
        .env("NEXUS_STATE", home.join("state"))
        .env("CREDENTIALS_DIRECTORY", home)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // A command that reads nothing may be gone already.
    let _gone = child.stdin.take().unwrap().write_all(input.as_bytes());
    child.wait_with_output().unwrap()
}

fn said(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
