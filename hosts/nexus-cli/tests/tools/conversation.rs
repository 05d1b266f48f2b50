//! `nexus send`, `ping`, `listen` and `contacts`.

use std::io::Write as _;
use std::process::Stdio;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use nexus_daemon::api::{Answer, Attempt, Code, Delivered, Event, Message, Progress, Verb};

use crate::fake_node::{ANNA, BERT, FakeNode, World, ok, refusal, said};

/// A stand-in that delivers at the second attempt, and what it was asked.
fn delivering() -> (FakeNode, Arc<Mutex<Vec<Verb>>>) {
    let asked = Arc::new(Mutex::new(vec![]));
    let heard = Arc::clone(&asked);
    let node = FakeNode::start(World::small(), move |verb| {
        heard.lock().unwrap().push(verb.clone());
        vec![
            Answer::Event(Event::Progress(Progress { attempt: Attempt::NoPath })),
            Answer::Event(Event::Progress(Progress { attempt: Attempt::Sent })),
            ok(&Delivered { attempts: 2, round_trip_us: 12_345, left_at: None }),
        ]
    });
    (node, asked)
}

fn failing(code: Code, sentence: &'static str) -> FakeNode {
    FakeNode::start(World::small(), move |_| vec![refusal(code, sentence)])
}

#[test]
fn a_message_that_was_delivered_says_when_and_at_which_attempt() {
    let (node, asked) = delivering();
    let output = node.run(&["send", ANNA, "see", "you"]);
    assert_eq!(
        (output.status.code(), said(&output.stdout).as_str()),
        (Some(0), "delivered (12.3 ms, attempt 2)\n")
    );
    let output = node.run(&["send", "--json", "--anonymous", "--for", "2h", "abcdef11", "hello"]);
    let json: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&json["delivered"], &json["attempts"], &json["to"]), (&true.into(), &2.into(), &BERT.into()));
    let send = |to: &str, text: &str, signed, for_s| Verb::Send {
        to: to.to_owned(),
        text: text.to_owned(),
        signed,
        for_s,
        policy: None,
        class: None,
    };
    assert_eq!(*asked.lock().unwrap(), [send(ANNA, "see you", true, 30), send(BERT, "hello", false, 7_200)]);
}

#[test]
fn a_text_comes_from_standard_input_and_may_look_like_an_option() {
    let (node, asked) = delivering();
    let mut child =
        node.command(&["send", ANNA]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all("two\nlines\n".as_bytes()).unwrap();
    assert!(child.wait().unwrap().success());
    assert!(node.run(&["send", ANNA, "--", "--json"]).status.success());
    let texts: Vec<String> = asked
        .lock()
        .unwrap()
        .iter()
        .map(|verb| if let Verb::Send { text, .. } = verb { text.clone() } else { panic!("{verb:?}") })
        .collect();
    assert_eq!(texts, ["two\nlines", "--json"]);
}

#[test]
fn a_message_that_was_not_delivered_says_why_and_fails() {
    for (code, word) in [
        (Code::NoPath, "nexus status paths"),
        (Code::NoReceipt, "may have arrived"),
        (Code::Busy, "try again"),
    ] {
        let node = failing(code, "it did not work out");
        let output = node.run(&["send", ANNA, "hello"]);
        let text = said(&output.stdout);
        assert_eq!(output.status.code(), Some(1), "{output:?}");
        assert!(text.starts_with("not delivered: it did not work out") && text.contains(word), "{text}");
        let json: serde_json::Value =
            serde_json::from_slice(&node.run(&["send", "--json", ANNA, "hello"]).stdout).unwrap();
        assert_eq!((&json["delivered"], &json["why"]), (&false.into(), &"it did not work out".into()));
    }
    let output = failing(Code::Stopping, "the node ends").run(&["send", ANNA, "hello"]);
    assert_eq!(output.status.code(), Some(3), "{output:?}");
    let output = failing(Code::BadValue, "that is no text").run(&["send", ANNA, "hello"]);
    assert_eq!(output.status.code(), Some(2), "{output:?}");
}

#[test]
fn what_cannot_be_sent_is_refused_before_anybody_is_asked() {
    let (node, asked) = delivering();
    for (arguments, sentence) in [
        (["send", ANNA, ""], "there is no text"),
        (["send", ANNA, &"x".repeat(327)], "327 bytes and a message holds 326"),
        (["send", "abcdef", "hello"], "is the beginning of several node ids"),
        (["send", "abc", "hello"], "too short"),
        (["send", "nobody", "hello"], "neither a contact"),
    ] {
        let output = node.run(&arguments);
        assert_eq!(output.status.code(), Some(2), "{output:?}");
        assert!(said(&output.stderr).contains(sentence), "{output:?}");
    }
    let output = node.run(&["send", "--for", "soon", ANNA, "hello"]);
    assert_eq!(output.status.code(), Some(2), "{output:?}");
    assert!(asked.lock().unwrap().is_empty());
}

#[test]
fn a_ping_counts_what_came_back() {
    let round_trips = AtomicU64::new(0);
    let node = FakeNode::start(World::small(), move |_| match round_trips.fetch_add(1, Ordering::Relaxed) {
        0 => vec![ok(&Delivered { attempts: 1, round_trip_us: 3_000, left_at: None })],
        _later => vec![refusal(Code::NoReceipt, "no answer came")],
    });
    assert!(node.run(&["contacts", "add", "anna", ANNA]).status.success());
    let output = node.run(&["ping", "-c", "2", "anna"]);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert_eq!(
        said(&output.stdout),
        "answer 1 from anna: 3.00 ms\nno answer 2: no answer came\n\
         2 sent, 1 answered, 50 % lost; min 3.00 ms, median 3.00 ms, max 3.00 ms\n"
    );
    let output = node.run(&["ping", "-c", "1", "--json", "anna"]);
    let json: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(1), "nothing came back");
    assert_eq!((&json["loss_percent"], &json["median_us"]), (&100.into(), &serde_json::Value::Null));
}

fn message(number: u64, from: Option<&str>, verified: bool, text: &str) -> Answer {
    let (from, text) = (from.map(str::to_owned), text.to_owned());
    Answer::Event(Event::Message(Message { number, from, verified, unix_s: 1_795_375_233, text }))
}

#[test]
fn messages_say_who_wrote_them_and_cannot_paint_the_terminal() {
    let node = FakeNode::start(World::small(), |verb| {
        assert_eq!(*verb, Verb::Listen { since: 6 });
        vec![
            message(7, Some(ANNA), true, "hello"),
            message(8, Some(BERT), false, "\x1b[2Jgone\n9 2026 anna (verified): fake"),
            Answer::Event(Event::Missed { events: 3 }),
            message(9, None, false, "who am I?"),
            message(10, None, false, "beyond the count"),
        ]
    });
    assert!(node.run(&["contacts", "add", "anna", ANNA]).status.success());
    let output = node.run(&["listen", "--since", "6", "--count", "3"]);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let time = "2026-11-22 19:20:33Z";
    assert_eq!(
        said(&output.stdout),
        format!(
            "7 {time} anna (verified): hello\n\
             8 {time} {BERT} (not verified): \\u{{1b}}[2Jgone\\n9 2026 anna (verified): fake\n\
             9 {time} (anonymous): who am I?\n"
        )
    );
    assert!(said(&output.stderr).contains("3 messages were left out"), "{output:?}");
    let output = node.run(&["listen", "--since", "6", "--count", "2", "--json"]);
    let numbers: Vec<u64> = said(&output.stdout)
        .lines()
        .map(|line| serde_json::from_str::<Message>(line).unwrap().number)
        .collect();
    assert_eq!(numbers, [7, 8]);
}

#[test]
fn contacts_are_kept_listed_renamed_and_removed() {
    let node = FakeNode::quiet();
    assert!(said(&node.run(&["contacts", "list"]).stdout).contains("no contacts yet"));
    assert!(node.run(&["contacts", "add", "anna", ANNA]).status.success());
    assert!(node.run(&["contacts", "add", "bertram", BERT]).status.success());
    assert_eq!(said(&node.run(&["contacts", "list"]).stdout), format!("anna     {ANNA}\nbertram  {BERT}\n"));
    assert!(node.run(&["contacts", "rename", "bertram", "bert"]).status.success());
    let json: serde_json::Value =
        serde_json::from_slice(&node.run(&["contacts", "list", "--json"]).stdout).unwrap();
    assert_eq!(json, serde_json::json!({ "contacts": { "anna": ANNA, "bert": BERT } }));
    for wrong in
        [["contacts", "add", "anna", BERT], ["contacts", "add", "Ann", BERT], ["contacts", "add", "x", "12"]]
    {
        assert_eq!(node.run(&wrong).status.code(), Some(2));
    }
    assert!(node.run(&["contacts", "remove", "anna"]).status.success());
    assert_eq!(node.run(&["contacts", "remove", "anna"]).status.code(), Some(2));
}
