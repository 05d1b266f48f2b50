use super::*;
use crate::contract::Foreign;
use crate::correspondence::{INBOX, REPLAYS};

#[test]
fn a_sender_is_anonymous_claimed_or_verified() {
    let mut world = World::new();
    world.send(1, b"who am I", Authorship::Anonymous);
    world.carry();
    let of_ann = world.known.remove(&node(ANN)).unwrap();
    world.send(2, b"Ann, they say", Authorship::Signed);
    world.carry();
    world.known.insert(node(ANN), of_ann);
    world.send(3, b"Ann", Authorship::Signed);
    world.carry();
    let senders: Vec<Sender> =
        world.parties[BOB].layer.correspondence().inbox().map(|message| message.sender).collect();
    let ann = node(ANN);
    assert_eq!(senders, [Sender::Anonymous, Sender::Claimed(ann), Sender::Verified(ann)]);
}

#[test]
fn the_same_text_sent_twice_is_two_messages() {
    let mut world = World::new();
    for handle in [1, 2] {
        world.send(handle, b"hello", Authorship::Signed);
        world.carry();
    }
    assert_eq!(world.texts(BOB), [b"hello", b"hello"]);
}

#[test]
fn a_message_is_neither_shown_nor_proved_before_it_is_durable() {
    let mut world = World::new();
    world.send(1, b"hello", Authorship::Anonymous);
    let (_, packet) = world.air.pop_front().unwrap();
    let mut out: VecDeque<Effect> = VecDeque::new();
    let cx = world.cx();
    world.parties[BOB].layer.handle(cx, Input::Arrived(packet, Class::Interactive, None), &mut out);
    let [Effect::Write { by, number, writes }] = out.make_contiguous() else { panic!("a write alone") };
    assert_eq!(writes.iter().map(|write| write.table).collect::<Vec<_>>(), [INBOX, REPLAYS]);
    assert!(world.texts(BOB).is_empty());
    // Another attempt at it meanwhile is not acknowledged either.
    world.wait();
    world.carry();
    assert_eq!((world.refusals(BOB).busy, world.ends().len()), (1, 0));
    let durable = Input::Durable { by: *by, through: *number };
    let mut out: VecDeque<Effect> = VecDeque::new();
    world.parties[BOB].layer.handle(cx, durable, &mut out);
    assert!(matches!(out.make_contiguous(), [Effect::Prove(..), Effect::MessageArrived(_)]));
}

#[test]
fn a_proof_and_an_answer_are_as_urgent_as_what_they_are_of() {
    let mut world = World::new();
    for (n, class) in (0..).zip(nexus_network::media::CLASSES) {
        let ratchet = world.ratchet(BOB);
        let mut random = Seed::new([4; 32]).fork_index("prober", n.into()).fork("x");
        let letter =
            Letter { service: Service::PING, reply_to: Some(node(ANN)), request_id: 1, body: &[1; 8] };
        let key = RecipientPublic::Ratchet(&ratchet);
        let probe = envelope::seal(&letter, &node(BOB), key, None, &mut random).unwrap();
        world.classes.clear();
        world.tell(BOB, Input::Arrived(probe, class, None));
        assert_eq!(world.classes, [class; 2], "proof and answer");
        world.send(n.into(), &[n], Authorship::Signed);
        let (_, message) = world.air.pop_back().unwrap();
        world.classes.clear();
        world.tell(BOB, Input::Arrived(message, class, None));
        assert_eq!(world.classes, [class], "a message's proof, once it is durable");
    }
}

#[test]
fn the_inbox_keeps_the_latest_in_memory_and_in_the_store() {
    let mut world = World::with(Limits { outgoing: 4, inbox: 3, remembered: 50 });
    for n in 0..5_u8 {
        world.send(u64::from(n), &[n], Authorship::Anonymous);
        world.carry();
    }
    assert_eq!(world.texts(BOB), [[2], [3], [4]]);
    assert_eq!(world.parties[BOB].store.scan(INBOX).count(), 3);
    let before: Vec<Message> = world.parties[BOB].layer.correspondence().inbox().cloned().collect();
    world.restart(BOB);
    world.carry();
    let after: Vec<Message> = world.parties[BOB].layer.correspondence().inbox().cloned().collect();
    assert_eq!(before, after);
}

#[test]
fn what_came_by_another_protocol_is_kept_once_beside_the_rest() {
    let mut world = World::new();
    let (peer, claimed) = (Sender::Foreign(peer(7)), Sender::ForeignClaimed(peer(8)));
    let foreign = |sender, n: u8, text: &[u8]| Foreign { sender, fingerprint: [n; 16], text: text.to_vec() };
    for (sender, n, text) in [(peer, 1, &b"hello"[..]), (peer, 1, b"hello"), (claimed, 2, b"who knows")] {
        world.tell(BOB, Input::Keep(foreign(sender, n, text)));
        world.carry();
    }
    world.tell(BOB, Input::Keep(foreign(peer, 3, &vec![7; Foreign::MAX_TEXT + 1])));
    world.send(1, b"of a node", Authorship::Anonymous);
    world.carry();
    for restart in [false, true] {
        if restart {
            world.restart(BOB);
        }
        let senders: Vec<Sender> =
            world.parties[BOB].layer.correspondence().inbox().map(|message| message.sender).collect();
        assert_eq!(senders, [peer, claimed, Sender::Anonymous]);
        assert_eq!(world.texts(BOB), [&b"hello"[..], b"who knows", b"of a node"]);
    }
}

/// Somebody's address.
const fn peer(n: u8) -> DestinationHash {
    DestinationHash([n; 16])
}

#[test]
fn what_is_forgotten_is_deleted_and_its_numbers_are_not_given_again() {
    let mut world = World::new();
    for n in 0..3_u8 {
        world.send(u64::from(n), &[n], Authorship::Signed);
        world.carry();
    }
    world.tell(BOB, Input::Forget { through: 2 });
    assert_eq!(world.texts(BOB), [[2]]);
    world.tell(BOB, Input::Forget { through: u64::MAX });
    assert_eq!(world.parties[BOB].store.scan(INBOX).count(), 1, "what is left is the next number");
    world.restart(BOB);
    world.send(9, b"again", Authorship::Signed);
    world.carry();
    let numbers: Vec<u64> =
        world.parties[BOB].layer.correspondence().inbox().map(|message| message.number).collect();
    assert_eq!(numbers, [4]);
}

#[test]
fn a_ratchet_of_which_no_more_can_be_remembered_is_retired_and_replaced() {
    let mut world = World::with(Limits { outgoing: 4, inbox: 50, remembered: 2 });
    let first = world.ratchet(BOB);
    let mut heard = Vec::new();
    for n in 0..2_u8 {
        world.send(u64::from(n), &[n], Authorship::Signed);
        heard.push(world.air[0].1.clone());
        world.carry();
    }
    let second = world.ratchet(BOB);
    assert_ne!(first, second, "its successor is made and announced");
    assert_eq!(world.parties[BOB].store.scan(REPLAYS).count(), 0, "nothing is left to be replayed");
    for packet in heard {
        world.tell(BOB, Input::Arrived(packet, Class::Interactive, None));
    }
    assert_eq!(world.refusals(BOB).unopened, 2);
    world.send(2, &[2], Authorship::Signed);
    world.carry();
    assert_eq!(world.texts(BOB), [[0], [1], [2]]);
}

#[test]
fn damaged_values_in_the_store_are_passed_over() {
    let mut store = Snapshot::empty();
    for (table, key, value) in [
        (INBOX, vec![1], vec![0; 40]),
        (INBOX, vec![0; 8], vec![0; 24]),
        (INBOX, vec![1; 8], vec![9; 50]),
        (INBOX, vec![], vec![1, 2]),
        (REPLAYS, vec![1; 17], vec![0; 16]),
        (REPLAYS, vec![1; 18], vec![0; 15]),
    ] {
        store.apply(Write::set(table, &key, value));
    }
    let layer = layer(BOB, 0, Limits::default(), &store);
    assert_eq!(layer.correspondence().inbox().count(), 0);
}
