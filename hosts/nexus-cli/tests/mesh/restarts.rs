//! Nodes that end as a power cut ends them, and nodes that come back from a backup.

use std::time::{Duration, Instant};

use nexus_daemon::api::{Done, Verb};

use crate::nodes::{Line, Node, arrived_once, tcp_calling, texts, udp};
use crate::place::{Place, ask};

const KILLS: usize = 10;

/// Where a test's dice come from: another for each step, and the same in each run.
fn dice(step: usize, sides: u64) -> u64 {
    let step = u64::try_from(step).unwrap();
    ((step + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32_u32) % sides
}

#[test]
fn a_relay_that_is_killed_again_and_again_comes_back_and_no_message_is_lost_or_doubled() {
    ask(async {
        let Line { a, b, c } = Line::start().await;
        let (from_a, from_c) = (texts("Anna", 100), texts("Carl", 100));
        let identity = b.me.node.clone();
        let writing =
            async { tokio::join!(a.write(&c.me.node, &from_a, 120), c.write(&a.me.node, &from_c, 120)) };
        let killing = async {
            let (mut b, mut emission, mut slowest) = (b, 0, Duration::ZERO);
            for kill in 0..KILLS {
                // The kill falls anywhere in what B does: the writers go on meanwhile.
                tokio::time::sleep(Duration::from_millis(dice(kill, 200))).await;
                let place = b.kill();
                let began = Instant::now();
                b = Node::start(place).await;
                assert_eq!(b.me.node, identity);
                tokio::join!(b.until_linked(&a), b.until_linked(&c));
                slowest = slowest.max(began.elapsed());
                let later = b.until("it announced itself", |status| status.emission.is_some()).await.emission;
                assert!(later > Some(emission), "{later:?} after {emission}");
                emission = later.unwrap();
            }
            println!("started and linked again within {slowest:?}");
            assert!(slowest < Duration::from_secs(30), "{slowest:?}");
            b
        };
        let ((by_a, by_c), _b) = tokio::join!(writing, killing);
        for outcome in by_a.iter().chain(&by_c) {
            assert!(outcome.is_ok(), "{outcome:?}");
        }
        arrived_once(&c.inbox().await, &a, &from_a);
        arrived_once(&a.inbox().await, &c, &from_c);
    });
}

#[test]
fn a_recipient_that_is_killed_still_opens_what_was_sealed_for_it_before() {
    ask(async {
        let Line { a, b, c } = Line::start().await;
        let before = texts("before", 5);
        assert!(a.write(&c.me.node, &before, 60).await.iter().all(Result::is_ok));
        let was = c.me.clone();
        let place = c.kill();
        // A knows nothing but the announce from before: what it sends meanwhile is sealed for the ratchet in it.
        let meanwhile = texts("meanwhile", 5);
        let writing = a.write(&was.node, &meanwhile, 120);
        let coming_back = async {
            // It listens where B calls.
            let at = was.interfaces.iter().find(|interface| interface.name == "bc").unwrap();
            let config = format!("[[tcp]]\nname = \"bc\"\nlisten = {:?}\n", at.address);
            place.configure(&config);
            let c = Node::start(place).await;
            assert_eq!(c.me.node, was.node);
            c
        };
        let (outcomes, c) = tokio::join!(writing, coming_back);
        assert!(outcomes.iter().all(Result::is_ok), "{outcomes:?}\n{}", b.log());
        arrived_once(&c.inbox().await, &a, &[before, meanwhile].concat());
    });
}

#[test]
fn a_restored_backup_emits_later_and_makes_other_sessions() {
    ask(async {
        let Line { a, b, c } = Line::start().await;
        let (first, second, third) = (texts("first", 20), texts("second", 20), texts("third", 20));
        assert!(a.write(&b.me.node, &first, 60).await.iter().all(Result::is_ok));
        let file = b.place.beside("backup");
        let verb = Verb::Backup { file: file.to_str().unwrap().to_owned() };
        let Done {} = b.client().await.call(verb).await.unwrap();
        assert!(a.write(&b.me.node, &second, 60).await.iter().all(Result::is_ok));
        assert!(b.write(&a.me.node, &second, 60).await.iter().all(Result::is_ok));
        let last = b.until("it announced itself", |status| status.emission.is_some()).await.emission;
        let old = b.stop();

        let new = Place::with(&(udp("ab", &[&a.at("ab")], "") + &tcp_calling("bc", &c.at("bc"), "")));
        let restored = new.node(&["restore", file.to_str().unwrap()]);
        assert!(restored.status.success(), "{}", String::from_utf8_lossy(&restored.stderr));
        let b = Node::start(new).await;
        tokio::join!(b.until_linked(&a), b.until_linked(&c));
        let later = b.until("it announced itself", |status| status.emission.is_some()).await.emission;
        assert!(later > last, "{later:?} after {last:?}");
        // What came after the backup is not in it, and its number is given again; what came before it is there once.
        arrived_once(&b.inbox().await, &a, &first);
        assert!(a.write(&b.me.node, &third, 60).await.iter().all(Result::is_ok));
        assert!(b.write(&a.me.node, &third, 60).await.iter().all(Result::is_ok));
        arrived_once(&b.inbox().await, &a, &[first, third.clone()].concat());
        arrived_once(&a.inbox().await, &b, &[second, third].concat());
        let new = b.stop();
        no_frame_in_common(&old, &new);
    });
}

/// Whatever leaves under a session's keys is told apart by session and counter: no two sealed frames begin alike.
fn no_frame_in_common(one: &Place, other: &Place) {
    let heads = |place: &Place| {
        let recordings = Node::recordings(place);
        let frames = recordings.iter().flat_map(|path| nexus_daemon::recordings::read(path).unwrap());
        let sent = frames.filter(|recorded| recorded.sent && recorded.frame.len() > 24);
        sent.map(|recorded| recorded.frame[..16].to_vec()).collect::<std::collections::BTreeSet<_>>()
    };
    let (one, other) = (heads(one), heads(other));
    assert!(one.len() > 20 && other.len() > 20, "{} and {}", one.len(), other.len());
    assert_eq!(one.intersection(&other).count(), 0);
}
