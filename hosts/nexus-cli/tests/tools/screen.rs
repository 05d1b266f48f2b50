//! On a terminal: `script` gives one.

use std::io::{Read as _, Write as _};
use std::process::{Child, Command, Stdio};

use crate::fake_node::FakeNode;

/// A program on a terminal of its own.
struct OnTerminal {
    child: Child,
    shown: String,
}

impl OnTerminal {
    fn start(node: &FakeNode, arguments: &[&str]) -> Self {
        // Without exec some shells stay between and answer a Ctrl-C themselves, whatever the program did.
        let inner = format!("exec '{}' {}", env!("CARGO_BIN_EXE_nexus"), arguments.join(" "));
        let child = Command::new("script")
            .env("SHELL", "/bin/sh")
            .args(["--quiet", "--return", "--command", &inner, "/dev/null"])
            .env("NEXUS_STATE", node.home.path().join("state"))
            .env("XDG_CONFIG_HOME", node.home.path().join("config"))
            .current_dir(node.home.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        Self { child, shown: String::new() }
    }

    /// Reads until the terminal has shown `text` after what was waited for before.
    fn until(&mut self, text: &str) {
        let mut bytes = vec![];
        let mut byte = [0];
        let out = self.child.stdout.as_mut().unwrap();
        while !String::from_utf8_lossy(&bytes).contains(text) {
            assert_eq!(
                out.read(&mut byte).unwrap(),
                1,
                "it ended without {text:?}: {}",
                String::from_utf8_lossy(&bytes)
            );
            bytes.push(byte[0]);
        }
        self.shown.push_str(&String::from_utf8_lossy(&bytes));
    }

    fn press(&mut self, keys: &str) {
        let input = self.child.stdin.as_mut().unwrap();
        input.write_all(keys.as_bytes()).unwrap();
        input.flush().unwrap();
    }

    fn end(mut self) -> (Option<i32>, String) {
        let mut rest = vec![];
        self.child.stdout.take().unwrap().read_to_end(&mut rest).unwrap();
        let code = self.child.wait().unwrap().code();
        (code, self.shown + &String::from_utf8_lossy(&rest))
    }
}

#[test]
fn a_watched_status_has_a_screen_of_its_own_and_gives_the_terminal_back() {
    let node = FakeNode::quiet();
    let mut watch = OnTerminal::start(&node, &["status", "--watch", "links"]);
    watch.until("\x1b[?1049h");
    watch.until("LINK WITH");
    watch.until("LINK WITH");
    watch.press("\x03");
    let (code, shown) = watch.end();
    assert_eq!(code, Some(0), "{shown}");
    assert!(shown.trim_end().ends_with("\x1b[?25h\x1b[?1049l"), "{shown:?}");
}

#[test]
fn a_watched_status_that_nobody_watches_is_printed_again_and_again() {
    let node = FakeNode::quiet();
    let mut watch = node.command(&["status", "--watch", "links"]).stdout(Stdio::piped()).spawn().unwrap();
    let (mut text, mut byte) = (String::new(), [0]);
    while text.matches("LINK WITH").count() < 2 {
        assert_eq!(watch.stdout.as_mut().unwrap().read(&mut byte).unwrap(), 1, "{text}");
        text.push(char::from(byte[0]));
    }
    assert!(!text.contains('\x1b'), "{text}");
    watch.kill().unwrap();
    watch.wait().unwrap();
}

#[test]
fn a_passphrase_is_typed_twice_and_not_shown() {
    let node = FakeNode::quiet();
    let file = node.home.path().join("a.key");
    let mut new = OnTerminal::start(&node, &["keygen", "new", "a.key", "--passphrase"]);
    new.until("New passphrase: ");
    new.press("correct horse\r");
    new.until("The same again: ");
    new.press("correct house\r");
    let (code, shown) = new.end();
    assert!(code == Some(2) && shown.contains("the two passphrases differ") && !file.exists(), "{shown}");
    let mut new = OnTerminal::start(&node, &["keygen", "new", "a.key", "--passphrase"]);
    new.until("New passphrase: ");
    new.press("correct hors\x7fse\r");
    new.until("The same again: ");
    new.press("correct horse\r");
    let (code, shown) = new.end();
    assert!(code == Some(0) && !shown.contains("correct") && file.exists(), "{shown}");
    let mut show = OnTerminal::start(&node, &["keygen", "show", "a.key", "--passphrase"]);
    show.until("Passphrase of");
    show.press("correct horse\r");
    let (code, shown) = show.end();
    assert!(code == Some(0) && shown.contains("node id"), "{shown}");
}

#[test]
fn an_interrupted_question_changes_nothing() {
    let node = FakeNode::quiet();
    let mut new = OnTerminal::start(&node, &["keygen", "new", "a.key", "--passphrase"]);
    new.until("New passphrase: ");
    new.press("correct\x03");
    let (code, shown) = new.end();
    assert!(code == Some(2) && !node.home.path().join("a.key").exists(), "{shown}");
}

#[test]
fn a_secret_is_shown_on_a_terminal_only_after_a_yes() {
    let node = FakeNode::quiet();
    assert!(
        node.command(&["keygen", "new", "a.key"]).current_dir(node.home.path()).status().unwrap().success()
    );
    for (answer, shows) in [("no\r", false), ("yes\r", true)] {
        let mut export = OnTerminal::start(&node, &["keygen", "export", "a.key"]);
        export.until("Type yes to go on: ");
        export.press(answer);
        let (code, shown) = export.end();
        assert_eq!((code == Some(0), shown.contains("nxke y1")), (shows, shows), "{shown}");
    }
}
