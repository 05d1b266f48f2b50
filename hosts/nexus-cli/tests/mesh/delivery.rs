//! What is written arrives, once, and nobody on the way can read it.

use nexus_crypto::NodeIdentity;
use nexus_daemon::key_store;
use nexus_daemon::passphrase::Source;
use nexus_daemon::recordings::{Searched, search, unhex};

use crate::nodes::{Line, Node, arrived_once, texts};
use crate::place::{Place, ask};

/// What must not be seen on any medium of this node: its ids, and both halves of its public key.
pub(crate) fn public_bytes(place: &Place, node: &str, identity: &str) -> Vec<Vec<u8>> {
    let seed = key_store::open(&place.state.key(), &Source::None).unwrap();
    let keys = NodeIdentity::from_seed(seed);
    let public = keys.public().identity();
    vec![
        unhex(node).unwrap(),
        unhex(identity).unwrap(),
        public.exchange().0.to_vec(),
        public.verifying().0.to_vec(),
    ]
}

/// Ends all three, and searches every medium as both of its ends recorded it.
fn recorded(line: Line, texts: &[&[String]]) -> Searched {
    let Line { a, b, c } = line;
    let mut secrets: Vec<Vec<u8>> =
        texts.iter().copied().flatten().map(|text| text.clone().into_bytes()).collect();
    let mut recordings = Vec::new();
    let mut places = Vec::new();
    for node in [a, b, c] {
        let me = node.me.clone();
        let place = node.stop();
        secrets.extend(public_bytes(&place, &me.node, &me.identity));
        recordings.extend(Node::recordings(&place));
        places.push(place);
    }
    assert_eq!(recordings.len(), 4, "two media with two ends each");
    search(&recordings, secrets.iter().map(Vec::as_slice)).unwrap()
}

#[test]
fn two_hundred_messages_each_way_arrive_once_and_cannot_be_read_on_the_way() {
    ask(async {
        let line = Line::start().await;
        let (from_a, from_c) = (texts("Anna", 200), texts("Carl", 200));
        let began = std::time::Instant::now();
        let (by_a, by_c) = tokio::join!(
            line.a.write(&line.c.me.node, &from_a, 60),
            line.c.write(&line.a.me.node, &from_c, 60)
        );
        println!("400 messages in {:?}", began.elapsed());
        for outcome in by_a.iter().chain(&by_c) {
            assert!(outcome.is_ok(), "{outcome:?}");
        }
        arrived_once(&line.c.inbox().await, &line.a, &from_a);
        arrived_once(&line.a.inbox().await, &line.c, &from_c);
        assert_eq!(line.b.inbox().await, [], "what is relayed is not delivered");
        let searched = recorded(line, &[&from_a, &from_c]);
        assert_eq!(searched.found, 0, "bytes in clear");
        assert!(searched.bytes > 400 * 4 * 300, "every message was recorded four times: {searched:?}");
    });
}

#[test]
fn over_bad_media_every_text_gets_through_and_nothing_arrives_twice() {
    ask(async {
        // The relay spoils what it sends and what it receives: each way over each medium once.
        let faults = "faults = { loss_permille = 200, duplication_permille = 50, reordering_permille = 50, \
                      corruption_permille = 20, seed = 7 }\n";
        let line = Line::start_on_bad_media(faults).await;
        let (from_a, from_c) = (texts("Anna", 50), texts("Carl", 50));
        let began = std::time::Instant::now();
        let (by_a, by_c) = tokio::join!(
            write_until_received(&line.a, &line.c, &from_a, 2),
            write_until_received(&line.c, &line.a, &from_c, 2)
        );
        println!(
            "100 messages over bad media in {:?}, {} and {} written",
            began.elapsed(),
            by_a.len(),
            by_c.len()
        );
        received_as_said(&line.a, &line.c, &by_a).await;
        received_as_said(&line.c, &line.a, &by_c).await;
        for node in [&line.a, &line.b, &line.c] {
            let changed = node.place.asked().await.unwrap().refusals;
            assert!(changed.get("link_not_authentic").is_some_and(|count| *count > 0), "{changed:?}");
        }
        assert_eq!(recorded(line, &[&from_a, &from_c]).found, 0, "bytes in clear");
    });
}

/// Writes texts, and those of which no receipt came again, as another message. Every message that was written, and whether
/// its receipt came.
/// Each attempt at all of them lasts `for_s` seconds at most.
pub(crate) async fn write_until_received(
    from: &Node,
    to: &Node,
    texts: &[String],
    for_s: u64,
) -> Vec<(String, bool)> {
    let (mut left, mut written) = (texts.to_vec(), Vec::new());
    for round in 0..40 {
        let these: Vec<String> = left.iter().map(|text| format!("{text} ({round})")).collect();
        let outcomes = from.write(&to.me.node, &these, for_s).await;
        let mut again = Vec::new();
        for ((text, message), outcome) in left.into_iter().zip(these).zip(outcomes) {
            written.push((message, outcome.is_ok()));
            if outcome.is_err() {
                again.push(text);
            }
        }
        left = again;
        if left.is_empty() {
            return written;
        }
    }
    panic!("{} texts did not get through: {}", left.len(), from.log());
}

/// Asserts that what was receipted arrived once, and all else at most once.
pub(crate) async fn received_as_said(from: &Node, to: &Node, written: &[(String, bool)]) {
    let inbox = to.inbox().await;
    assert!(inbox.iter().all(|message| message.verified && message.from.as_ref() == Some(&from.me.node)));
    for (text, receipted) in written {
        let arrived = inbox.iter().filter(|message| message.text == *text).count();
        assert!(arrived == 1 || arrived == 0 && !receipted, "{text:?} arrived {arrived} times ({receipted})");
    }
    assert!(inbox.len() <= written.len(), "nothing arrived that nobody wrote");
}
