//! A link that is slower than what is sent over it: who passes, who waits, and what is told of it.

use nexus_daemon::api::{
    Answer, ClassOfQueue, Delivered, Message, PacketClass, Queue, Queues, Reloaded, Verb,
};
use nexus_daemon::client::Client;

use crate::nodes::{Node, PATIENCE, udp};
use crate::place::ask;
use crate::tools::{run, said};

/// A node takes 64 messages at a time.
const AT_ONCE: usize = 48;

/// Two nodes on a link of so many bits per second.
async fn pair(bps: u64) -> (Node, Node) {
    let slow = format!("bandwidth_bps = {bps}\n");
    let b = Node::with(&udp("ab", &[], &slow)).await;
    let a = Node::with(&udp("ab", &[&b.at("ab")], &slow)).await;
    a.until_linked(&b).await;
    a.until_known(&[&b]).await;
    b.until_known(&[&a]).await;
    (a, b)
}

fn ping(to: &Node, class: PacketClass) -> Verb {
    Verb::Ping { to: to.me.node.clone(), for_s: 0, padding: None, policy: None, class: Some(class) }
}

async fn queue(of: &Node) -> Queue {
    let mut client = of.client().await;
    let Queues { mut interfaces } = client.call(Verb::Queues).await.unwrap();
    interfaces.remove(0)
}

/// The same, once nothing urgent waits.
async fn emptied(of: &Node) -> Queue {
    let waiting = async {
        loop {
            let queue = queue(of).await;
            if class(&queue, PacketClass::RealTime).waiting.frames == 0 {
                return queue;
            }
        }
    };
    tokio::time::timeout(PATIENCE, waiting).await.expect("what waits leaves or is dropped")
}

fn class(queue: &Queue, class: PacketClass) -> ClassOfQueue {
    queue.classes[class.name()]
}

/// So many at once, of which some may be given up before they were answered.
async fn flood(mut client: Client, to: &Node, of: PacketClass, count: usize) {
    let mut ids = Vec::new();
    for _ in 0..count {
        ids.push(client.ask(ping(to, of)).await.unwrap());
    }
    // Whoever has the last answer has waited for all others.
    for id in ids {
        client.answer(id).await.unwrap();
    }
}

/// So many, of which fewer are on their way at a time than a node takes: others have room beside them.
async fn stream(mut client: Client, to: &Node, of: PacketClass, count: usize) {
    let mut ids = std::collections::VecDeque::new();
    for _ in 0..count {
        if ids.len() == AT_ONCE {
            last(&mut client, ids.pop_front().unwrap()).await;
        }
        ids.push_back(client.ask(ping(to, of)).await.unwrap());
    }
    for id in ids {
        last(&mut client, id).await;
    }
}

#[test]
fn real_time_passes_what_waits_on_a_slow_link() {
    ask(async {
        let (a, b) = pair(100_000).await;
        let voice = async {
            let mut client = a.client().await;
            for _ in 0..20 {
                // An answer may be late at the other end.
                let _answered: Result<Delivered, _> = client.call(ping(&b, PacketClass::RealTime)).await;
            }
        };
        tokio::join!(stream(a.client().await, &b, PacketClass::Bulk, 300), voice);
        let queue = queue(&a).await;
        let (voice, bulk) = (class(&queue, PacketClass::RealTime), class(&queue, PacketClass::Bulk));
        assert_eq!((voice.left, voice.late), (20, 0), "{queue:?}");
        assert!(bulk.waited_longest_us > 4 * voice.waited_longest_us, "{queue:?}");
        assert!(bulk.left > 0 && queue.drops.is_empty(), "{queue:?}");
    });
}

#[test]
fn what_is_late_is_dropped_and_counted_where_people_and_programs_look() {
    ask(async {
        let (a, b) = pair(20_000).await;
        // A second and a half of it fits half a second.
        flood(a.client().await, &b, PacketClass::RealTime, 40).await;
        let queue = emptied(&a).await;
        let late = class(&queue, PacketClass::RealTime).late;
        assert!(late > 0 && queue.drops.get("late") == Some(&late), "{queue:?}");
        let shown = said(&run(&a, &["status", "queues"]), 0);
        let words = shown.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(words.contains("QUEUE OF") && words.contains(&format!("{late} late")), "{shown}");
    });
}

/// Whether what was asked is answered in the end.
async fn last(client: &mut Client, id: u64) -> bool {
    loop {
        match client.answer(id).await.unwrap() {
            Answer::Event(_) => {}
            Answer::Ok(_) => return true,
            Answer::Error(_) => return false,
        }
    }
}

/// Two who feed a relay, and the relay's slow link to a third.
struct Funnel {
    feeders: [Node; 2],
    relay: Node,
    sink: Node,
    /// The relay's configuration, without weights.
    config: String,
}

impl Funnel {
    async fn of(bps: u64) -> Self {
        let slow = format!("bandwidth_bps = {bps}\n");
        let sink = Node::with(&udp("neck", &[], &slow)).await;
        let config = udp("one", &[], "") + &udp("other", &[], "") + &udp("neck", &[&sink.at("neck")], &slow);
        let relay = Node::with(&config).await;
        let feeders = [
            Node::with(&udp("one", &[&relay.at("one")], "")).await,
            Node::with(&udp("other", &[&relay.at("other")], "")).await,
        ];
        for feeder in &feeders {
            feeder.until_known(&[&sink]).await;
            sink.until_known(&[feeder]).await;
        }
        Self { feeders, relay, sink, config }
    }

    /// The relay's queue of the neck.
    async fn neck(&self) -> Queue {
        let Queues { interfaces } = self.relay.client().await.call(Verb::Queues).await.unwrap();
        interfaces.into_iter().find(|queue| queue.interface == "neck").unwrap()
    }

    /// How many of the messages that both feeders offer all the time arrive within so many seconds, by feeder. Messages, as a node answers
    /// ten pings a second that come from farther than a neighbour, whatever the way carries; counted where they arrive, as what waited long at
    /// its sender is given up there while it is on its way.
    /// And the neck's queue, while they offer it.
    async fn arriving(&self, seconds: u64) -> ([usize; 2], Queue) {
        let before = self.sink.inbox().await.len();
        let end = tokio::time::Instant::now() + std::time::Duration::from_secs(seconds);
        let offer = async |feeder: &Node| {
            let mut client = feeder.client().await;
            let mut ids = std::collections::VecDeque::new();
            loop {
                while ids.len() < AT_ONCE {
                    ids.push_back(client.ask(message(&self.sink)).await.unwrap());
                }
                let next = ids.pop_front().unwrap();
                if tokio::time::timeout_at(end, last(&mut client, next)).await.is_err() {
                    return (client, ids);
                }
            }
        };
        let offered = tokio::join!(offer(&self.feeders[0]), offer(&self.feeders[1]));
        let neck = self.neck().await;
        let arrived = self.sink.inbox().await.split_off(before);
        // What is on its way yet would be in the way of what is offered next.
        for (mut client, ids) in [offered.0, offered.1] {
            for id in ids {
                last(&mut client, id).await;
            }
        }
        let is_of = |of: &Node, message: &Message| message.from.as_ref() == Some(&of.me.node);
        let count = |of: &Node| arrived.iter().filter(|message| is_of(of, message)).count();
        (self.feeders.each_ref().map(count), neck)
    }
}

fn message(to: &Node) -> Verb {
    let (to, class) = (to.me.node.clone(), Some(PacketClass::Bulk));
    Verb::Send { to, text: "of length ".repeat(30), signed: true, for_s: 0, policy: None, class }
}

#[test]
fn neighbours_share_a_slow_link_equally_or_as_the_operator_weighs_them_and_are_told_when_it_is_full() {
    ask(async {
        let funnel = Funnel::of(60_000).await;
        let ([one, other], neck) = funnel.arriving(8).await;
        assert!(one > 20 && other > 20, "{one} and {other}");
        assert!(one * 10 < other * 15 && other * 10 < one * 15, "{one} and {other}");
        let sharer = |neck: &Queue, of: &Node| {
            let it = neck.sharers.iter().find(|sharer| sharer.peer.as_deref() == Some(&of.me.node));
            it.map(|sharer| sharer.weight)
        };
        assert_eq!(funnel.feeders.each_ref().map(|of| sharer(&neck, of)), [Some(1); 2], "{neck:?}");
        // Who feeds a queue that is half full is told, and holds back what it has.
        assert!(neck.told.values().sum::<u64>() > 0, "{neck:?}");

        let [heavy, _] = &funnel.feeders;
        let weighed = format!("{}[weights]\n\"{}\" = 4\n", funnel.config, heavy.me.node);
        funnel.relay.place.configure(&weighed);
        let Reloaded { changes, .. } = funnel.relay.client().await.call(Verb::Reload).await.unwrap();
        assert_eq!(changes, ["neighbours have other shares of interfaces"]);
        let ([heavy, light], neck) = funnel.arriving(12).await;
        assert!(heavy * 10 > light * 22 && light > 0, "{heavy} and {light} of weight 4 and 1");
        assert_eq!(funnel.feeders.each_ref().map(|of| sharer(&neck, of)), [Some(4), Some(1)], "{neck:?}");
    });
}

#[test]
fn a_bench_says_what_a_link_carries_and_what_each_class_waits_there() {
    ask(async {
        let (a, b) = pair(100_000).await;
        let words = ["bench-link", "--json", "--for", "4s", "--at-once", "16", &b.me.node];
        let told: serde_json::Value = serde_json::from_str(&said(&run(&a, &words), 0)).unwrap();
        assert_eq!(told["interface"], "ab", "{told}");
        let carried = told["carried_bps"].as_u64().unwrap();
        assert!(carried > 0 && carried <= 100_000, "never more than the link: {told}");
        // Longer than an answerer's ten a second would be: 8 + 382 bytes each.
        let goodput = told["goodput_bps"].as_u64().unwrap();
        assert!(goodput > 45_000 && goodput < carried, "{told}");
        for class in PacketClass::ALL.map(PacketClass::name) {
            assert!(told["loaded"][class]["answered"].as_u64().unwrap() > 0, "{class}: {told}");
        }
    });
}
