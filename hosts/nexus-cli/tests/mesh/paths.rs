//! Two ways to a node, one of them dear: what is shown of them, what a trace says, and what is told when one ends.

use std::collections::BTreeMap;

use nexus_daemon::api::{Answer, Begin, Event, Found, Reloaded, Verb, Ways};
use nexus_daemon::client::Client;
use serde_json::Value;

use crate::nodes::{Node, PATIENCE, tcp_calling, tcp_listening, udp};
use crate::place::ask;
use crate::tools::{run, said};

/// S and D, which are no neighbours; A and B between them. S–A and A–D are UDP, S–B and B–D are TCP.
struct Diamond {
    s: Node,
    a: Node,
    b: Node,
    d: Node,
    /// The configuration of A, which is to become dear.
    config_of_a: String,
    /// What S says of its paths, from its start on.
    news: News,
}

impl Diamond {
    /// Starts all four and waits until S knows both ways to D.
    async fn start() -> Self {
        // On one machine latencies are of a millisecond or of none, and by those a balance would turn.
        let ends = |name: &str| {
            let media = udp(name, &[], "") + &tcp_listening(&format!("{name}-tcp"));
            format!("path_policy = \"cheapest\"\n{media}")
        };
        let s = Node::with(&ends("s")).await;
        let news = News::of(&s).await;
        let d = Node::with(&ends("d")).await;
        let config_of_a = udp("as", &[&s.at("s")], "") + &udp("ad", &[&d.at("d")], "");
        let a = Node::with(&config_of_a).await;
        let config = tcp_calling("bs", &s.at("s-tcp"), "") + &tcp_calling("bd", &d.at("d-tcp"), "");
        let b = Node::with(&config).await;
        let diamond = Self { s, a, b, d, config_of_a, news };
        for node in [&diamond.s, &diamond.d] {
            tokio::join!(node.until_linked(&diamond.a), node.until_linked(&diamond.b));
        }
        diamond.until("there are two ways", |ways| usable(ways).count() == 2).await;
        diamond
    }

    /// What S knows of the ways to D, once it is as it should be.
    async fn until(&self, what: &str, holds: impl Fn(&Ways) -> bool) -> Ways {
        self.between(&self.s, &self.d, what, holds).await
    }

    /// What `from` knows of the ways to `to`, once it is as it should be.
    async fn between(&self, from: &Node, to: &Node, what: &str, holds: impl Fn(&Ways) -> bool) -> Ways {
        let mut client = from.client().await;
        let mut last = None;
        let waiting = async {
            loop {
                let verb = Verb::Path { to: to.me.node.clone(), policy: None };
                let ways = client.call::<Ways>(verb).await;
                if let Some(ways) = ways.as_ref().ok().filter(|ways| holds(ways)) {
                    return ways.clone();
                }
                last = Some(ways);
                tokio::time::sleep(std::time::Duration::from_millis(5)).await;
            }
        };
        let in_time = tokio::time::timeout(PATIENCE, waiting).await;
        in_time.unwrap_or_else(|_late| panic!("it did not come to be that {what}: {last:?}\n{}", from.log()))
    }

    /// A asks a price for carrying packets out to D, and twice that to S, without closing anything. So its own way to D stays the
    /// straight one.
    async fn a_becomes_dear(&self) {
        let priced = |config: &str, name: &str, price: u32| {
            let head = format!("name = \"{name}\"\n");
            config.replace(&head, &format!("{head}price = {price}\n"))
        };
        let dear = priced(&priced(&self.config_of_a, "ad", 1_000), "as", 2_000);
        self.a.place.configure(&dear);
        let Reloaded { changes, after_restart } = self.a.client().await.call(Verb::Reload).await.unwrap();
        assert_eq!(
            changes,
            ["as asks 2000 µNXS for 1,024 bytes", "ad asks 1000 µNXS for 1,024 bytes"],
            "nothing is closed or opened"
        );
        assert_eq!(after_restart, [""; 0]);
    }
}

#[test]
fn two_ways_are_shown_with_their_prices_and_a_trace_agrees() {
    ask(async {
        let diamond = Diamond::start().await;
        for (name, node) in [("anna", &diamond.a), ("bert", &diamond.b), ("dora", &diamond.d)] {
            said(&run(&diamond.s, &["contacts", "add", name, &node.me.node]), 0);
        }
        diamond.a_becomes_dear().await;
        let over_b = |ways: &Ways| is_over(ways.ways.first(), &diamond.b) && costs(ways, &diamond.a) > 900;
        diamond.until("the dear way is left", over_b).await;
        // The trace below says D's way back too, and D hears of A's price when it hears of it.
        let back_over_b = |ways: &Ways| is_over(ways.ways.first(), &diamond.b);
        diamond.between(&diamond.d, &diamond.s, "the dear way back is left", back_over_b).await;
        let text = said(&run(&diamond.s, &["path", "dora"]), 0);
        let text = in_one_line(&text);
        assert!(text.starts_with("dora: 2 ways; it announced itself "), "{text}");
        assert!(text.contains("* over bert on s-tcp/127.0.0.1:"), "{text}");
        assert!(text.contains(": 2 hops, free, at most "), "{text}");
        assert!(text.contains("chosen under cheapest"), "{text}");
        assert!(text.contains("free, where anna's way costs "), "{text}");
        // What A said when it was free still binds it: its way leads nowhere back, however dear.
        assert!(
            text.contains("over anna on s: 2 hops, ") && text.contains("ready to take over at once"),
            "{text}"
        );
        let json: Value =
            serde_json::from_str(&said(&run(&diamond.s, &["path", "--json", "dora"]), 0)).unwrap();
        assert_eq!(json["ways"][0]["via"], diamond.b.me.node);
        assert_eq!(json["ways"].as_array().unwrap().len(), 2);

        let text = in_one_line(&said(&run(&diamond.s, &["trace", "dora"]), 0));
        assert!(text.starts_with("from here: over bert on s-tcp/"), "{text}");
        assert!(text.contains("at dora: the question came over 2 hops, "), "{text}");
        assert!(
            text.contains("back: 2 hops by the answer's own count; dora's way here: 2 hops, free, "),
            "{text}"
        );
        assert!(text.contains("clock: dora's is this machine's"), "{text}");
        let text = said(&run(&diamond.s, &["status", "paths"]), 0);
        let row = text.lines().find(|line| line.starts_with("dora ")).unwrap_or_else(|| panic!("{text}"));
        assert!(row.contains("bert") && row.contains("free"), "{row}");
        for policy in ["cheapest", "fastest", "reliable", "balanced"] {
            said(&run(&diamond.s, &["ping", "-c", "1", "--policy", policy, "dora"]), 0);
            said(&run(&diamond.s, &["send", "--policy", policy, "dora", "hello"]), 0);
        }
        // A way that is known need not be looked for.
        let verb = Verb::FindPath { to: diamond.d.me.node.clone() };
        let found: Found = diamond.s.client().await.call(verb).await.unwrap();
        assert_eq!(found, Found { hops: 2, after_ms: 0 });
        let text = said(&run(&diamond.a, &["status", "interfaces"]), 0);
        assert!(text.contains("ad asks 1.0 mNXS/KiB"), "{text}");
    });
}

#[test]
fn ways_that_are_dropped_are_gone_until_others_are_asked() {
    ask(async {
        let mut diamond = Diamond::start().await;
        let d = diamond.d.me.node.clone();
        let text = said(&run(&diamond.s, &["path", "--drop", &d]), 0);
        assert_eq!(text, format!("{d}: 2 ways are forgotten, until somebody says one\n"));
        diamond.news.until(|begins| via(begins, &d).is_none()).await;
        let text = in_one_line(&said(&run(&diamond.s, &["path", "--wait", &d]), 0));
        assert!(text.contains("* over "), "{text}");
    });
}

#[test]
fn what_becomes_of_paths_is_told_once_and_lost_ones_stand_in_the_log() {
    ask(async {
        let diamond = Diamond::start().await;
        let (d, b) = (diamond.d.me.node.clone(), diamond.b.me.node.clone());
        diamond.a_becomes_dear().await;
        let over_b = |ways: &Ways| is_over(ways.ways.first(), &diamond.b) && costs(ways, &diamond.a) > 900;
        diamond.until("the dear way is left", over_b).await;
        let Diamond { s, a, b: middle, d: _far, mut news, .. } = diamond;
        news.until(|begins| via(begins, &d) == Some(b.as_str()) && via(begins, &b) == Some(b.as_str())).await;
        let place = middle.kill();
        let told = news
            .until(|begins| via(begins, &d) == Some(a.me.node.as_str()) && via(begins, &b).is_none())
            .await;
        let of =
            |destination: &str| told.iter().filter(|event| is_about(event, destination)).collect::<Vec<_>>();
        assert!(matches!(of(&d)[..], [Event::PathChanged { .. }]), "the other way takes over: {:?}", of(&d));
        assert!(matches!(of(&b)[..], [.., Event::PathLost { .. }]), "{:?}", of(&b));
        s.until_logged(&format!("there is no way to {}", &b[..8])).await;
        let again = Node::start(place).await;
        let told = news.until(|begins| via(begins, &b).is_some()).await;
        let back = told
            .iter()
            .any(|event| matches!(event, Event::PathBack { destination, .. } if *destination == b));
        assert!(back, "{told:?}");
        s.until_logged(&format!("there is a way to {}", &b[..8])).await;
        drop(again);
    });
}

/// What a node says of its paths, followed.
struct News {
    client: Client,
    watching: u64,
    /// Where the ways to destinations begin, by what was said.
    begins: BTreeMap<String, Begin>,
}

impl News {
    async fn of(node: &Node) -> Self {
        let mut client = node.client().await;
        let watching = client.ask(Verb::Events).await.unwrap();
        Self { client, watching, begins: BTreeMap::new() }
    }

    /// Follows what is said until ways begin so; what was said on the way.
    async fn until(&mut self, holds: impl Fn(&BTreeMap<String, Begin>) -> bool) -> Vec<Event> {
        let mut told = Vec::new();
        while !holds(&self.begins) {
            let event = self.next().await;
            match &event {
                Event::PathLearnt { destination, way }
                | Event::PathBack { destination, way }
                | Event::PathChanged { destination, to: way, .. } => {
                    self.begins.insert(destination.clone(), way.clone());
                }
                Event::PathLost { destination, was } => {
                    let before = self.begins.remove(destination);
                    assert_eq!(before.and_then(|begin| begin.via), was.via, "it was there until then");
                }
                _other => {}
            }
            told.push(event);
        }
        told
    }

    async fn next(&mut self) -> Event {
        let answer = tokio::time::timeout(PATIENCE, self.client.answer(self.watching)).await;
        match answer.unwrap_or_else(|_late| panic!("nothing happens: {:?}", self.begins)).unwrap() {
            Answer::Event(event) => event,
            other => panic!("events have no end: {other:?}"),
        }
    }
}

fn via<'b>(begins: &'b BTreeMap<String, Begin>, destination: &str) -> Option<&'b str> {
    begins.get(destination)?.via.as_deref()
}

/// Whether it tells of the way to this destination.
fn is_about(event: &Event, node: &str) -> bool {
    match event {
        Event::PathLearnt { destination, .. }
        | Event::PathBack { destination, .. }
        | Event::PathLost { destination, .. }
        | Event::PathChanged { destination, .. } => destination == node,
        _other => false,
    }
}

/// Without line ends and the blanks at their beginnings.
fn in_one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn usable(ways: &Ways) -> impl Iterator<Item = &nexus_daemon::api::Way> {
    ways.ways.iter().filter(|way| way.standing == nexus_daemon::api::Standing::Usable)
}

fn is_over(way: Option<&nexus_daemon::api::Way>, node: &Node) -> bool {
    way.is_some_and(|way| !way.chosen_by.is_empty() && way.via.as_ref() == Some(&node.me.node))
}

/// What the way over `node` costs, in µNXS for 1,024 bytes.
fn costs(ways: &Ways, node: &Node) -> u64 {
    let way = ways.ways.iter().find(|way| way.via.as_ref() == Some(&node.me.node));
    way.and_then(|way| way.total.unxs_per_kib).unwrap_or(0)
}
