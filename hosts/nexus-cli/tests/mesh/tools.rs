//! The tools beside nodes that have somebody to talk to.

use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use nexus_daemon::api::{Message, Status};

use crate::nodes::{Line, Node, arrived_once};
use crate::place::ask;

fn tool(node: &Node, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_nexus"));
    command.args(arguments).stdin(Stdio::null()).env("NEXUS_STATE", node.place.state.path());
    command.env("XDG_CONFIG_HOME", node.place.beside("config"));
    command
}

pub(crate) fn run(node: &Node, arguments: &[&str]) -> Output {
    tool(node, arguments).output().unwrap()
}

pub(crate) fn said(output: &Output, code: i32) -> String {
    assert_eq!(output.status.code(), Some(code), "{output:?}");
    String::from_utf8(output.stdout.clone()).unwrap()
}

#[test]
fn they_ping_write_and_read_over_a_relay() {
    ask(async {
        let Line { a, b: _b, c } = Line::start().await;
        said(&run(&a, &["contacts", "add", "carl", &c.me.node]), 0);
        said(&run(&c, &["contacts", "add", "anna", &a.me.node]), 0);
        let text = said(&run(&a, &["ping", "-c", "2", "carl"]), 0);
        assert!(text.starts_with("answer 1 from carl: ") && text.contains("2 sent, 2 answered"), "{text}");

        let listening = tool(&c, &["listen", "--count", "1"]).stdout(Stdio::piped()).spawn().unwrap();
        let text = said(&run(&a, &["send", "carl", "see", "you"]), 0);
        assert!(text.starts_with("delivered ("), "{text}");
        let heard = said(&listening.wait_with_output().unwrap(), 0);
        assert!(heard.ends_with(" anna (verified): see you\n"), "{heard}");
        let output = run(&c, &["listen", "--count", "1", "--json"]);
        let message: Message = serde_json::from_str(&said(&output, 0)).unwrap();
        assert_eq!((message.from.as_ref(), message.verified), (Some(&a.me.node), true));
        // The beginning of an id that is known is an address too, and one attempt may be enough.
        let text = said(&run(&c, &["send", "--for", "0", &a.me.node[..12], "hello"]), 0);
        assert!(text.starts_with("delivered ("), "{text}");
        arrived_once(&a.inbox().await, &c, &["hello".to_owned()]);
    });
}

#[test]
fn they_say_why_a_message_was_not_delivered_and_end_in_time() {
    ask(async {
        let Line { a, b, c } = Line::start().await;
        let nobody = "00112233445566778899aabbccddeeff";
        for (patience, least) in [("0", 0), ("1s", 1)] {
            let began = Instant::now();
            let text = said(&run(&a, &["send", "--for", patience, nobody, "hello"]), 1);
            assert!(text.starts_with("not delivered: no way to the recipient was known"), "{text}");
            let took = began.elapsed();
            assert!(took >= Duration::from_secs(least) && took < Duration::from_secs(least + 10), "{took:?}");
        }
        assert_eq!(run(&a, &["send", "--for", "0", "nobody", "hello"]).status.code(), Some(2));
        // One that is known and gone: what is sent is lost behind the relay.
        let gone = c.me.node.clone();
        let _ended = c.kill();
        let began = Instant::now();
        let text = said(&run(&a, &["send", "--for", "0", &gone, "hello"]), 1);
        assert!(text.starts_with("not delivered: "), "{text}");
        assert!(began.elapsed() < Duration::from_secs(30), "one attempt took {:?}", began.elapsed());
        drop(b);
    });
}

#[test]
fn the_status_of_a_node_with_links_fits_a_terminal() {
    ask(async {
        let line = Line::start().await;
        let text = said(&run(&line.b, &["status"]), 0);
        let wide: Vec<_> = text.lines().filter(|line| line.chars().count() > 80).collect();
        assert_eq!(wide, [""; 0]);
        for peer in [&line.a, &line.c] {
            assert!(text.contains(&peer.me.node), "{text}");
        }
        for page in ["interfaces", "links", "paths"] {
            let text = said(&run(&line.b, &["status", page]), 0);
            assert!(
                text.lines().count() > 2 && text.lines().all(|line| line.chars().count() <= 80),
                "{text}"
            );
        }
        let status: Status = serde_json::from_str(&said(&run(&line.b, &["status", "--json"]), 0)).unwrap();
        assert_eq!((status.links.len(), status.paths), (2, 2));
    });
}
