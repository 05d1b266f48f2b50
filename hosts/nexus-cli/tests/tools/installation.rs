//! What an installation lays down: completions, manual pages, links. And how the program answers misuse.

use std::process::Command;

use crate::fake_node::{FakeNode, said};

#[test]
fn completions_are_made_for_every_shell_and_bash_accepts_its_own() {
    let node = FakeNode::quiet();
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = said(&node.run(&["completions", shell]).stdout);
        for word in ["keygen", "passphrase-credential", "anonymous"] {
            assert!(script.contains(word), "{shell} does not know {word}");
        }
        assert!(!script.contains("demo-node"), "{shell} completes what is hidden");
    }
    let file = node.home.path().join("nexus.bash");
    std::fs::write(&file, node.run(&["completions", "bash"]).stdout).unwrap();
    assert!(Command::new("bash").arg("-n").arg(&file).status().unwrap().success());
    assert_eq!(node.run(&["completions", "cobol"]).status.code(), Some(2));
}

#[test]
fn manual_pages_are_written_and_readable_where_there_is_a_reader() {
    let node = FakeNode::quiet();
    let directory = node.home.path().join("man1");
    let listed = node.run(&["man", directory.to_str().unwrap()]);
    assert_eq!(listed.status.code(), Some(0), "{listed:?}");
    let pages: Vec<_> = said(&listed.stdout).lines().map(str::to_owned).collect();
    assert!(pages.len() > 15, "{pages:?}");
    assert_eq!(std::fs::read_dir(&directory).unwrap().count(), pages.len());
    assert!(said(&node.run(&["man"]).stdout).contains(".TH NEXUS 1"));
    for page in &pages {
        // Without a reader the test in the crate has looked at the macros.
        let Ok(read) = Command::new("man").args(["--warnings", "-E", "UTF-8", "-l", page]).output() else {
            return;
        };
        assert!(read.status.success() && read.stderr.is_empty(), "{page}: {}", said(&read.stderr));
    }
}

#[test]
fn under_the_name_of_a_part_the_program_is_that_part() {
    let node = FakeNode::quiet();
    let made = node.run(&["install-links", node.home.path().to_str().unwrap()]);
    assert_eq!(made.status.code(), Some(0), "{made:?}");
    let run = |name: &str, arguments: &[&str]| {
        Command::new(node.home.path().join(name))
            .args(arguments)
            .env("NEXUS_STATE", node.home.path().join("state"))
            .env("XDG_CONFIG_HOME", node.home.path().join("config"))
            .output()
            .unwrap()
    };
    assert!(said(&run("nexus-status", &["links"]).stdout).starts_with("LINK WITH"));
    let key = node.home.path().join("a.key");
    assert!(run("nexus-keygen", &["new", key.to_str().unwrap()]).status.success());
    assert!(key.exists());
}

#[test]
fn misuse_is_two_and_help_is_not_misuse() {
    let node = FakeNode::quiet();
    for arguments in [[].as_slice(), &["dance"], &["send"], &["status", "weather"], &["ping", "-c", "0", "x"]]
    {
        assert_eq!(node.run(arguments).status.code(), Some(2), "{arguments:?}");
    }
    for arguments in [["--help"].as_slice(), &["--version"], &["help", "send"], &["keygen", "new", "--help"]]
    {
        assert_eq!(node.run(arguments).status.code(), Some(0), "{arguments:?}");
    }
}
