use super::*;
use crate::contract::Undelivered;
use alloc::collections::BTreeSet;
use nexus_wire::reticulum::{Packet, Payload as _, Proof};

#[test]
fn a_signed_message_arrives_with_its_sender_and_its_receipt_comes_back() {
    let mut world = World::new();
    world.send(5, b"meet me at the bridge", Authorship::Signed);
    world.now = world.now.after(Duration::from_millis(70));
    world.carry();
    let [Effect::MessageArrived(message)] = &world.parties[BOB].events[..] else { panic!("one message") };
    assert_eq!((message.sender, message.unix_s, message.number), (Sender::Verified(node(ANN)), UNIX, 1));
    assert_eq!(world.texts(BOB), [b"meet me at the bridge"]);
    let round_trip = Duration::from_millis(70);
    assert_eq!(world.ends(), [&Effect::Delivered { handle: 5, attempts: 1, round_trip }]);
    assert_eq!(world.parties[ANN].layer.correspondence().outgoing(), 0);
}

#[test]
fn every_attempt_is_sealed_afresh_and_says_nothing_in_clear() {
    let mut world = World::new();
    let text = b"the quick brown fox jumps over the lazy dog";
    world.send(1, text, Authorship::Signed);
    world.wait();
    world.wait();
    let attempts = world.catch(BOB);
    assert_eq!(attempts.len(), 3);
    let mut runs: BTreeSet<&[u8]> = BTreeSet::new();
    for packet in &attempts {
        assert!(packet.len() <= envelope::MAX_PACKET);
        for run in text.windows(8).chain([node(ANN).as_bytes().as_slice()]) {
            assert!(!packet.windows(run.len()).any(|window| window == run), "something shows in clear");
        }
        let sealed = &packet[19..];
        assert!(sealed.windows(8).all(|run| runs.insert(run)), "nothing repeats between attempts");
    }
}

#[test]
fn any_remembered_attempt_may_be_the_one_that_is_proved() {
    let mut world = World::new();
    world.send(1, b"hello", Authorship::Anonymous);
    world.wait();
    world.wait();
    let attempts = world.catch(BOB);
    for packet in &attempts {
        world.tell(BOB, Input::Arrived(packet.clone(), Class::Interactive, None));
    }
    assert_eq!(world.texts(BOB), [b"hello"], "one request, shown once");
    let proofs = world.catch(ANN);
    assert_eq!(proofs.len(), 3, "and acknowledged as often as it came");
    world.tell(ANN, Input::Arrived(proofs[0].clone(), Class::Interactive, None));
    assert!(matches!(world.ends()[..], [Effect::Delivered { handle: 1, attempts: 3, .. }]));
    world.tell(ANN, Input::Arrived(proofs[1].clone(), Class::Interactive, None));
    assert_eq!(world.ends().len(), 1, "it ends once");
}

#[test]
fn a_proof_that_is_forged_or_by_another_key_proves_nothing() {
    let mut world = World::new();
    world.send(1, b"hello", Authorship::Signed);
    let hash = Packet::decode(&world.air[0].1).unwrap().hash();
    let mut buffer = [0; 200];
    let by_another = Proof::implicit(&hash, identity(5).as_reticulum()).encode(&mut buffer).unwrap().to_vec();
    world.tell(ANN, Input::Arrived(by_another, Class::Interactive, None));
    world.carry_one();
    let [genuine] = &world.catch(ANN)[..] else { panic!("one proof") };
    for bit in [19 * 8, 40 * 8 + 3, 82 * 8 + 2] {
        let mut flipped = genuine.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        world.tell(ANN, Input::Arrived(flipped, Class::Interactive, None));
    }
    assert_eq!(world.ends(), [] as [&Effect; 0]);
    assert_eq!(world.refusals(ANN).unproved, 4);
    world.tell(ANN, Input::Arrived(genuine.clone(), Class::Interactive, None));
    assert_eq!(world.ends().len(), 1);
}

#[test]
fn retries_begin_after_two_seconds_and_double_to_a_minute() {
    let mut world = World::new();
    world.send(1, b"hello", Authorship::Signed);
    let mut sent_at = vec![world.now];
    while world.ends().is_empty() {
        let before = world.air.len();
        world.wait();
        if world.air.len() > before {
            sent_at.push(world.now);
        }
    }
    for (n, pair) in sent_at.windows(2).enumerate() {
        let expected = Duration::from_secs(2 << n.min(10)).min(Duration::from_secs(60));
        let waited = pair[1].since(pair[0]);
        assert!(
            waited >= expected && waited <= expected.plus(Duration::from_micros(expected.as_micros() / 4))
        );
    }
    let attempts = u32::try_from(sent_at.len()).unwrap();
    let why = Undelivered::NoReceipt { attempts };
    assert_eq!(world.ends(), [&Effect::Undelivered { handle: 1, why }]);
    assert!(world.now.since(Instant::BOOT) <= Duration::from_secs(602));
    let said = |effect: &&Effect| matches!(effect, Effect::Attempted { attempt: Attempt::Sent, .. });
    assert_eq!(world.parties[ANN].events.iter().filter(said).count(), sent_at.len());
}

#[test]
fn without_a_lifetime_one_attempt_is_made_and_given_its_time() {
    let mut world = World::new();
    let to = node(BOB);
    let once = Outgoing {
        handle: 3,
        to,
        content: Content::Ping { padding: 0 },
        lifetime: Duration::ZERO,
        policy: None,
        class: None,
    };
    world.tell(ANN, Input::Send(once.clone()));
    assert_eq!((world.air.len(), world.ends().len()), (1, 0));
    world.wait();
    let why = Undelivered::NoReceipt { attempts: 1 };
    assert_eq!(world.ends(), [&Effect::Undelivered { handle: 3, why }]);
    assert_eq!((world.air.len(), world.now), (1, Instant::BOOT.after(Duration::from_secs(2))));
    world.path = Path::None;
    world.tell(ANN, Input::Send(Outgoing { handle: 4, ..once }));
    let why = Undelivered::NoPath;
    assert_eq!(world.ends()[1], &Effect::Undelivered { handle: 4, why }, "at once: nothing is under way");
}

#[test]
fn a_way_that_appears_is_taken_at_once() {
    let mut world = World::new();
    let of_bob = world.known.remove(&node(BOB)).unwrap();
    world.send(1, b"hello", Authorship::Signed);
    assert_eq!(world.parties[ANN].events, [Effect::Attempted { handle: 1, attempt: Attempt::NoPath }]);
    world.known.insert(node(BOB), of_bob);
    world.tell(ANN, Input::Reached(node(5).into()));
    assert!(world.air.is_empty(), "that way leads elsewhere");
    world.tell(ANN, Input::Reached(node(BOB).into()));
    assert_eq!(world.air.len(), 1);
    world.tell(ANN, Input::Reached(node(BOB).into()));
    assert_eq!(world.air.len(), 1, "what is under way is given its time");
    world.carry();
    assert_eq!(world.texts(BOB), [b"hello"]);
}

#[test]
fn a_recipient_without_a_ratchet_is_sent_probes_and_no_messages() {
    let mut world = World::new();
    world.known.get_mut(&node(BOB)).unwrap().ratchet = None;
    world.send(1, b"hello", Authorship::Signed);
    assert_eq!(world.parties[ANN].events, [Effect::Attempted { handle: 1, attempt: Attempt::NoPath }]);
    world.probe(2);
    world.carry();
    assert!(matches!(world.ends()[..], [Effect::Delivered { handle: 2, .. }]));
}

#[test]
fn what_cannot_be_sent_is_refused_at_once_and_once() {
    let mut world = World::new();
    world.send(1, &[b'x'; Content::MAX_TEXT + 1], Authorship::Anonymous);
    world.send(2, &[b'x'; Content::MAX_TEXT], Authorship::Signed);
    assert_eq!(world.air[0].1.len(), envelope::MAX_PACKET, "the longest text fills the longest packet");
    world.send(2, b"again", Authorship::Signed);
    for handle in 3..=9 {
        world.probe(handle);
    }
    world.probe(10);
    let refused = |handle, why| Effect::Undelivered { handle, why };
    let expected =
        [refused(1, Undelivered::TooLong), refused(2, Undelivered::Busy), refused(10, Undelivered::Busy)];
    assert_eq!(world.ends(), expected.iter().collect::<Vec<_>>());
}

#[test]
fn a_probe_is_delivered_by_its_answer_and_not_by_its_proof() {
    let mut world = World::new();
    world.probe(1);
    world.carry_one();
    let [proof, answer] = &world.catch(ANN)[..] else { panic!("a proof and an answer") };
    world.tell(ANN, Input::Arrived(proof.clone(), Class::Interactive, None));
    assert_eq!((world.ends().len(), world.refusals(ANN).unproved), (0, 0));
    world.tell(ANN, Input::Arrived(answer.clone(), Class::Interactive, None));
    assert!(matches!(world.ends()[..], [Effect::Delivered { handle: 1, attempts: 1, .. }]));
    assert!(world.texts(BOB).is_empty(), "a probe is no message");
}

#[test]
fn a_ping_may_fill_the_longest_packet_and_its_answer_is_as_short_as_any() {
    let mut world = World::new();
    world.probe_with(1, Content::Ping { padding: Content::MAX_PADDING + 1 }, None);
    assert_eq!(world.ends(), [&Effect::Undelivered { handle: 1, why: Undelivered::TooLong }]);
    world.probe(2);
    world.carry_one();
    let short = world.catch(ANN);
    world.probe_with(3, Content::Ping { padding: Content::MAX_PADDING }, None);
    assert_eq!(world.air[0].1.len(), envelope::MAX_PACKET);
    world.carry_one();
    let lengths: Vec<usize> = world.air.iter().map(|(_, packet)| packet.len()).collect();
    assert_eq!(lengths, short.iter().map(Vec::len).collect::<Vec<_>>());
    world.carry();
    assert!(matches!(world.ends()[1], Effect::Delivered { handle: 3, attempts: 1, .. }));
}

#[test]
fn an_answer_must_repeat_what_only_the_recipient_could_read() {
    let mut world = World::new();
    world.probe(1);
    let ratchet = world.ratchet(ANN);
    let mut random = Seed::new([4; 32]).fork("guesser");
    for request_id in [0, 1, u32::MAX] {
        let letter = Letter { service: Service::PING, reply_to: None, request_id, body: &[0; 8] };
        let key = RecipientPublic::Ratchet(&ratchet);
        let guess = envelope::seal(&letter, &node(ANN), key, None, &mut random).unwrap();
        world.tell(ANN, Input::Arrived(guess, Class::Interactive, None));
    }
    assert_eq!((world.ends().len(), world.refusals(ANN).unproved), (0, 3));
}
