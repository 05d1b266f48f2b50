//! What is written arrives, once, and nobody on the way can read it.

use nexus_crypto::NodeIdentity;
use nexus_daemon::key_store;
use nexus_daemon::passphrase::Source;
use nexus_daemon::recordings::{Searched, search, unhex};

use crate::nodes::{Line, Node, arrived_once, texts};
use crate::place::{Place, ask};

/// What must not be seen on any medium of this node: its ids, and both halves of its public key.
fn public_bytes(place: &Place, node: &str, identity: &str) -> Vec<Vec<u8>> {
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
fn bad_media_lose_no_message_and_double_none() {
    ask(async {
        let faults = "faults = { loss_permille = 200, duplication_permille = 100, reordering_permille = 100, \
                      corruption_permille = 50, seed = 7 }\n";
        let line = Line::start_on_bad_media(faults).await;
        let (from_a, from_c) = (texts("Anna", 50), texts("Carl", 50));
        let began = std::time::Instant::now();
        let (by_a, by_c) = tokio::join!(
            line.a.write(&line.c.me.node, &from_a, 120),
            line.c.write(&line.a.me.node, &from_c, 120)
        );
        println!("100 messages over bad media in {:?}", began.elapsed());
        for outcome in by_a.iter().chain(&by_c) {
            assert!(outcome.is_ok(), "{outcome:?}");
        }
        arrived_once(&line.c.inbox().await, &line.a, &from_a);
        arrived_once(&line.a.inbox().await, &line.c, &from_c);
        let searched = recorded(line, &[&from_a, &from_c]);
        assert_eq!(searched.found, 0, "bytes in clear");
    });
}
