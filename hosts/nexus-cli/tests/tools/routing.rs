//! `nexus path` and `nexus trace`.

use std::sync::{Arc, Mutex};

use nexus_daemon::api::{
    Answer, Attempt, Code, Dropped, Event, Found, PathPolicy, Progress, Quote, Standing, Traced, Verb, Way,
    Ways,
};

use crate::fake_node::{ANNA, BERT, FakeNode, World, ok, refusal, said};

/// Carl, behind Anna and Bert.
const CARL: &str = "ca000000000000000000000000000004";

#[test]
fn every_way_is_shown_and_why_the_chosen_one_won() {
    let (node, asked) = knowing(vec![chosen(way(ANNA, 40, 25)), way(BERT, 80, 5)]);
    let output = node.run(&["path", "carl"]);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert_eq!(
        said(&output.stdout),
        "carl: 2 ways; it announced itself 1 min 1 s ago\n\
         * over anna on udp0: 2 hops, 40 µNXS/KiB, at most 25 ms a hop, at least 1.0\n\
         \u{20} Mb/s, 97 % proved, said 12 s ago\n\
         \u{20}   chosen under balanced: half the cost of bert's way, 20 ms slower\n\
         - over bert on udp0: 2 hops, 80 µNXS/KiB, at most 5 ms a hop, at least 1.0 Mb/s,\n\
         \u{20} 97 % proved, said 12 s ago\n\
         \u{20}   ready to take over at once: twice the cost of anna's way, 20 ms faster\n"
    );
    node.run(&["path", "--policy", "cheapest", "carl"]);
    let asked = asked.lock().unwrap().clone();
    let path = |policy| Verb::Path { to: CARL.to_owned(), policy };
    assert_eq!(asked, [path(None), path(Some(PathPolicy::Cheapest))]);
    let output = node.run(&["path", "--policy", "shortest", "carl"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(said(&output.stderr).contains("cheapest, fastest, reliable, balanced"), "{output:?}");
}

#[test]
fn without_a_node_the_ways_to_every_node_are_shown() {
    let (node, asked) = knowing(vec![chosen(way(ANNA, 40, 25))]);
    let output = node.run(&["path"]);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let text = said(&output.stdout);
    assert!(text.starts_with("anna: 1 way; ") && text.contains("\nbert: 1 way; "), "{text}");
    let to = |node: &str| Verb::Path { to: node.to_owned(), policy: None };
    assert_eq!(*asked.lock().unwrap(), [to(ANNA), to(BERT)]);
    assert_eq!(said(&node.run(&["path", "--json"]).stdout).lines().count(), 2, "an object a line");
    let nobody = FakeNode::start(World::empty(), |_| vec![]);
    assert!(said(&nobody.run(&["path"]).stdout).contains("no paths yet"));
}

#[test]
fn as_json_each_way_has_its_reason() {
    let (node, _) =
        knowing(vec![chosen(way(ANNA, 40, 25)), Way { standing: Standing::Gone, ..way(BERT, 0, 1) }]);
    let output = node.run(&["path", "--json", "carl"]);
    let json: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(json["ways"][0]["reason"], "chosen under balanced: the only way that may be used");
    assert_eq!(json["ways"][1]["reason"], "not usable: its neighbour is gone");
    assert_eq!(
        (&json["ways"][0]["total"]["unxs_per_kib"], &json["policy"]),
        (&40.into(), &"balanced".into())
    );
}

#[test]
fn where_no_way_is_it_says_what_to_do_and_fails() {
    let (node, _) = knowing(vec![]);
    let output = node.run(&["path", "carl"]);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert!(said(&output.stdout).contains("nexus ping --for 5m carl"), "{output:?}");
    let (node, _) = knowing(vec![Way { standing: Standing::TooLong, ..way(ANNA, 0, 1) }]);
    assert_eq!(node.run(&["path", "carl"]).status.code(), Some(1), "no way may be used");
    let node = FakeNode::start(World::small(), |_| vec![refusal(Code::NotFound, "nothing is known of it")]);
    for command in ["path", "trace"] {
        let output = node.run(&[command, CARL]);
        let text = said(&output.stdout);
        assert_eq!((output.status.code(), text.lines().count()), (Some(1), 1), "{output:?}");
        assert!(text.contains("nothing is known of it") && text.contains("nexus status links"), "{text}");
        let json: serde_json::Value =
            serde_json::from_slice(&node.run(&[command, "--json", CARL]).stdout).unwrap();
        assert!(json["why"].as_str().unwrap().contains("nothing is known of it"), "{json}");
    }
}

#[test]
fn with_patience_others_are_asked_where_no_way_is_known_and_not_where_one_is() {
    for found in [true, false] {
        let asked = Arc::new(Mutex::new(vec![]));
        let heard = Arc::clone(&asked);
        let node = with_contacts(FakeNode::start(World::small(), move |verb| {
            let mut heard = heard.lock().unwrap();
            heard.push(verb.clone());
            let was_found = found && heard.iter().any(|verb| matches!(verb, Verb::FindPath { .. }));
            vec![match verb {
                Verb::FindPath { .. } if found => ok(&Found { hops: 2, after_ms: 40 }),
                Verb::FindPath { .. } => refusal(Code::NoPath, "it was looked for in vain"),
                _ways if was_found => ok(&to_carl(vec![chosen(way(ANNA, 40, 25))])),
                _ways => refusal(Code::NotFound, "nothing is known of it"),
            }]
        }));
        let output = node.run(&["path", "--wait", "carl"]);
        let text = said(&output.stdout);
        if found {
            assert_eq!(output.status.code(), Some(0), "{output:?}");
            assert!(text.contains("* over anna on udp0"), "{text}");
            node.run(&["path", "--wait", "carl"]);
            let searches =
                asked.lock().unwrap().iter().filter(|verb| matches!(verb, Verb::FindPath { .. })).count();
            assert_eq!(searches, 1, "the second time a way is known");
        } else {
            assert_eq!((output.status.code(), text.as_str()), (Some(1), "carl: it was looked for in vain\n"));
        }
    }
}

#[test]
fn ways_are_dropped_once_asked_for_and_where_there_is_none_it_says_so_and_fails() {
    let asked = Arc::new(Mutex::new(vec![]));
    let heard = Arc::clone(&asked);
    let node = with_contacts(FakeNode::start(World::small(), move |verb| {
        let mut heard = heard.lock().unwrap();
        heard.push(verb.clone());
        vec![match heard.len() {
            1 => ok(&Dropped { ways: 2 }),
            2 => ok(&Dropped { ways: 1 }),
            _more => refusal(Code::NotFound, "there is no way to it that could be dropped"),
        }]
    }));
    for sentence in [
        "carl: 2 ways are forgotten, until somebody says one\n",
        "carl: 1 way is forgotten, until somebody says one\n",
    ] {
        let output = node.run(&["path", "--drop", "carl"]);
        assert_eq!((output.status.code(), said(&output.stdout).as_str()), (Some(0), sentence));
    }
    let output = node.run(&["path", "carl", "--drop", "--json"]);
    let json: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(
        (output.status.code(), &json["dropped"], &json["destination"]),
        (Some(1), &0.into(), &CARL.into())
    );
    assert!(json["why"].as_str().unwrap().contains("no way"), "{json}");
    let expected = Verb::DropPaths { to: CARL.to_owned() };
    assert_eq!(*asked.lock().unwrap(), [expected.clone(), expected.clone(), expected]);
    for wrong in [&["path", "--drop"][..], &["path", "--drop", "--wait", "carl"], &["rns", "path", "--drop"]]
    {
        assert_eq!(node.run(wrong).status.code(), Some(2), "{wrong:?}");
    }
}

#[test]
fn no_line_is_wider_than_a_page_whatever_a_way_is_called() {
    let wild = Way {
        interface: "interface\x1b[31m".repeat(50),
        total: Quote {
            unxs_per_kib: Some(u64::MAX),
            worst_latency_ms: u16::MAX,
            bottleneck_bps: u64::MAX,
            hops: u8::MAX,
        },
        ..way(&"世".repeat(300), 0, 0)
    };
    let (node, _) = knowing(vec![chosen(wild.clone()), wild]);
    let text = said(&node.run(&["path", "carl"]).stdout);
    assert!(text.lines().all(|line| line.chars().count() <= 80) && !text.contains('\x1b'), "{text}");
}

#[test]
fn a_trace_tells_the_way_there_the_way_back_the_clock_and_what_differs() {
    let back = Quote { unxs_per_kib: Some(80), worst_latency_ms: 25, bottleneck_bps: 1_000_000, hops: 3 };
    let traced = Traced {
        attempts: 1,
        round_trip_us: 12_345,
        hops_there: 2,
        hops_back: 3,
        clock_ms: None,
        way_back: Some(back),
    };
    let node = node_with(vec![chosen(way(ANNA, 40, 25))], move |_| {
        vec![Answer::Event(Event::Progress(Progress { attempt: Attempt::Sent })), ok(&traced)]
    });
    let output = node.run(&["trace", "carl"]);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let text = said(&output.stdout).replace("\n  ", " ");
    for sentence in [
        "from here: over anna on udp0; 2 hops, 40 µNXS/KiB, at most 25 ms a hop, at least 1.0 Mb/s\n",
        "at carl: the question came over 2 hops, and the answer was here 12.3 ms after it was asked\n",
        "back: 3 hops by the answer's own count; carl's way here: 3 hops, 80 µNXS/KiB, at most 25 ms a hop, at least 1.0 Mb/s\n",
        "clock: carl has none\n",
        "not symmetric: 2 hops there, 3 back\n",
        "not symmetric: 40 µNXS/KiB from here, 80 µNXS/KiB from carl\n",
    ] {
        assert!(text.contains(sentence), "{sentence}: {text}");
    }
    let json: serde_json::Value =
        serde_json::from_slice(&node.run(&["trace", "--json", "carl"]).stdout).unwrap();
    assert_eq!((&json["answer"]["hops_back"], json["asymmetry"].as_array().unwrap().len()), (&3.into(), 2));
    assert_eq!(json["way"]["via"], ANNA);
}

#[test]
fn a_trace_that_nobody_answers_fails_and_says_why() {
    let ways = vec![chosen(way(ANNA, 40, 25))];
    let node =
        node_with(ways, |_| vec![refusal(Code::NoReceipt, "it was sent 3 times, and no receipt came")]);
    let output = node.run(&["trace", "--for", "1s", "carl"]);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let text = said(&output.stdout);
    assert!(
        text.contains("from here: over anna") && text.contains("no answer: it was sent 3 times"),
        "{text}"
    );
}

/// A stand-in that knows these ways to Carl, and what it was asked.
fn knowing(ways: Vec<Way>) -> (FakeNode, Arc<Mutex<Vec<Verb>>>) {
    let asked = Arc::new(Mutex::new(vec![]));
    let heard = Arc::clone(&asked);
    let node = with_contacts(FakeNode::start(World::small(), move |verb| {
        heard.lock().unwrap().push(verb.clone());
        vec![ok(&to_carl(ways.clone()))]
    }));
    (node, asked)
}

fn node_with(ways: Vec<Way>, trace: impl Fn(&Verb) -> Vec<Answer> + Send + Sync + 'static) -> FakeNode {
    with_contacts(FakeNode::start(World::small(), move |verb| match verb {
        Verb::Path { .. } => vec![ok(&to_carl(ways.clone()))],
        other => trace(other),
    }))
}

fn with_contacts(node: FakeNode) -> FakeNode {
    for (name, id) in [("anna", ANNA), ("bert", BERT), ("carl", CARL)] {
        assert!(node.run(&["contacts", "add", name, id]).status.success());
    }
    node
}

fn to_carl(ways: Vec<Way>) -> Ways {
    let (destination, policy) = (CARL.to_owned(), PathPolicy::Balanced);
    Ways { destination, node: true, emission: 1_795_375_233, age_s: 61, policy, ways }
}

fn chosen(way: Way) -> Way {
    Way { chosen_by: [PathPolicy::Balanced].into(), ..way }
}

fn way(via: &str, unxs: u64, latency_ms: u16) -> Way {
    let total =
        Quote { unxs_per_kib: Some(unxs), worst_latency_ms: latency_ms, bottleneck_bps: 1_000_000, hops: 2 };
    Way {
        via: Some(via.to_owned()),
        last: false,
        interface: "udp0".to_owned(),
        said: Quote { hops: 1, ..total },
        total,
        reliability_percent: Some(97),
        emission: 1_795_375_233,
        generation: 0,
        age_s: 12,
        expires_in_s: 5_388,
        standing: Standing::Usable,
        scores: std::collections::BTreeMap::new(),
        chosen_by: std::collections::BTreeSet::new(),
    }
}
