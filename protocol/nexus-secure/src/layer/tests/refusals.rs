use super::*;
use nexus_crypto::hpke;
use nexus_testkit::laws;
use nexus_wire::nexus::Layout as _;
use nexus_wire::nexus::end_to_end::{Envelope, SignedSender};

#[test]
fn an_exact_replay_is_dropped_without_an_answer_even_after_a_restart() {
    let mut world = World::new();
    world.send(1, b"hello", Authorship::Signed);
    world.probe(2);
    let heard = world.catch(BOB);
    for round in 0..3 {
        for packet in &heard {
            world.tell(BOB, Input::Arrived(packet.clone(), Class::Interactive, None));
        }
        let answers = world.catch(ANN).len();
        assert_eq!(answers, if round == 0 { 3 } else { 0 });
    }
    assert_eq!((world.refusals(BOB).replayed, world.texts(BOB).len()), (4, 1));
    world.restart(BOB);
    world.tell(BOB, Input::Arrived(heard[0].clone(), Class::Interactive, None));
    assert_eq!((world.refusals(BOB).replayed, world.texts(BOB).len()), (1, 1));
    assert!(world.catch(ANN).is_empty());
}

#[test]
fn a_message_sealed_to_the_identity_is_refused_and_a_probe_is_not() {
    let mut world = World::new();
    let exchange = identity(BOB).public().exchange();
    let key = RecipientPublic::Identity(&exchange);
    world.tell(BOB, Input::Arrived(forged(key, b"hello", None), Class::Interactive, None));
    assert_eq!((world.refusals(BOB).unprotected, world.air.len(), world.texts(BOB).len()), (1, 0, 0));
    let letter = Letter { service: Service::PING, reply_to: Some(node(ANN)), request_id: 1, body: &[1; 8] };
    let mut random = Seed::new([4; 32]).fork("prober");
    let probe = envelope::seal(&letter, &node(BOB), key, None, &mut random).unwrap();
    world.tell(BOB, Input::Arrived(probe, Class::Interactive, None));
    assert_eq!(world.catch(ANN).len(), 2, "its proof and its answer");
}

#[test]
fn a_message_not_signed_by_whom_it_names_is_refused_and_not_proved() {
    let mut world = World::new();
    let ratchet = world.ratchet(BOB);
    let key = RecipientPublic::Ratchet(&ratchet);
    let mut random = Seed::new([4; 32]).fork("impostor");
    for signature in [[0; 64], random.bytes()] {
        let sender = Some(SignedSender { sender: node(ANN), signature: &signature });
        let (service, request_id, body) = (Service::MESSAGE, 1, b"I owe you one".as_slice());
        let envelope = Envelope { service, reply_to: None, sender, request_id, body };
        let mut plaintext = vec![0; envelope.encoded_len()];
        envelope.encode(&mut plaintext).unwrap();
        let info = [b"NEXUS e2e 1".as_slice(), node(BOB).as_bytes()].concat();
        let (enc, tag) = hpke::seal_in_place(key, &info, &[0, 0x4e], &mut plaintext, &mut random).unwrap();
        let header = [&[0, 0], node(BOB).as_bytes().as_slice(), &[0x4e]].concat();
        let packet = [&header, enc.as_bytes().as_slice(), &plaintext, tag.as_bytes()].concat();
        world.tell(BOB, Input::Arrived(packet, Class::Interactive, None));
    }
    assert_eq!((world.refusals(BOB).forged, world.air.len(), world.texts(BOB).len()), (2, 0, 0));
}

#[test]
fn a_packet_changed_on_its_way_does_not_open() {
    let mut world = World::new();
    world.send(1, b"hello", Authorship::Signed);
    let [genuine] = &world.catch(BOB)[..] else { panic!("one packet") };
    for at in 19..genuine.len() {
        let mut changed = genuine.clone();
        changed[at] ^= 0x10;
        world.tell(BOB, Input::Arrived(changed, Class::Interactive, None));
    }
    assert_eq!(world.refusals(BOB).unopened, u64::try_from(genuine.len() - 19).unwrap());
    assert_eq!((world.air.len(), world.texts(BOB).len()), (0, 0));
}

#[test]
fn what_is_not_for_this_node_or_no_envelope_is_refused() {
    let mut world = World::new();
    world.send(1, b"hello", Authorship::Signed);
    let [genuine] = &world.catch(BOB)[..] else { panic!("one packet") };
    let changed = |at: usize, bits: u8| {
        let mut changed = genuine.clone();
        changed[at] ^= bits;
        changed
    };
    // Destination type, packet type, destination, context: it is another packet.
    for (at, bits) in [(0, 0x04), (0, 0x01), (2, 0x01), (18, 0x01)] {
        world.tell(BOB, Input::Arrived(changed(at, bits), Class::Interactive, None));
    }
    world.tell(BOB, Input::Arrived(genuine[..60].to_vec(), Class::Interactive, None));
    world.tell(BOB, Input::Arrived(Vec::new(), Class::Interactive, None));
    assert_eq!(world.refusals(BOB).malformed, 6);
    let ratchet = world.ratchet(BOB);
    let mut random = Seed::new([4; 32]).fork("asker");
    let letter = Letter { service: Service(900), reply_to: None, request_id: 1, body: &[] };
    let key = RecipientPublic::Ratchet(&ratchet);
    let asked = envelope::seal(&letter, &node(BOB), key, None, &mut random).unwrap();
    world.tell(BOB, Input::Arrived(asked, Class::Interactive, None));
    assert_eq!((world.refusals(BOB).unknown, world.air.len()), (1, 0));
    world.tell(BOB, Input::Arrived(changed(1, 0x05), Class::Interactive, None));
    assert_eq!(world.texts(BOB), [b"hello"], "hops are anybody's to count");
}

#[test]
fn probes_beyond_the_allowance_are_neither_proved_nor_answered() {
    // Over whose link they come, and how many are answered: an answer that goes back over that link can be turned on nobody.
    for (from, answered) in [(None, 20), (Some(node(5)), 20), (Some(node(ANN)), 64)] {
        let mut world = World::new();
        let ratchet = world.ratchet(BOB);
        let mut random = Seed::new([4; 32]).fork("prober");
        for request_id in 0..100 {
            let reply_to = Some(node(ANN));
            let letter = Letter { service: Service::PING, reply_to, request_id, body: &[1; 8] };
            let key = RecipientPublic::Ratchet(&ratchet);
            let probe = envelope::seal(&letter, &node(BOB), key, None, &mut random).unwrap();
            world.tell(BOB, Input::Arrived(probe, Class::Interactive, from));
        }
        assert_eq!((world.catch(ANN).len(), world.refusals(BOB).busy), (2 * answered, 100 - answered as u64));
    }
}

#[test]
fn the_secure_layer_obeys_the_laws() {
    let mut world = World::with(LEAN);
    let ratchet = world.ratchet(BOB);
    let mut random = Seed::new([4; 32]).fork("world");
    let genuine: Vec<Vec<u8>> = (0..40_u32)
        .map(|request_id| {
            let (service, reply_to) =
                if request_id % 4 == 0 { (Service::PING, Some(node(ANN))) } else { (Service::MESSAGE, None) };
            let letter = Letter { service, reply_to, request_id, body: b"12345678" };
            let author = (request_id % 3 == 0).then(|| identity(ANN));
            let key = RecipientPublic::Ratchet(&ratchet);
            envelope::seal(&letter, &node(BOB), key, author.as_ref(), &mut random).unwrap()
        })
        .collect();
    let store = core::mem::take(&mut world.parties[BOB].store);
    let of_ann = world.known[&node(ANN)];
    laws::obeyed_by(
        "secure",
        |seed| laws::Organ::new(Secure::new(identity(BOB), LEAN, &store, seed)),
        |random, _| input(random, &genuine, of_ann),
    );
}

const LEAN: Limits = Limits { outgoing: 4, inbox: 5, remembered: 8 };

fn input(random: &mut nexus_machine::Stream, genuine: &[Vec<u8>], of_ann: Recipient) -> Input {
    let by = if random.chance(1, 4) { Writer::Ratchets } else { Writer::Correspondence };
    match random.below(12) {
        0 => Input::Start,
        1 => Input::Entropy(random.bytes()),
        2 => Input::Durable { by, through: random.below(60) },
        3 => Input::Forget { through: random.below(40) },
        4 | 5 => {
            let token = random.below(80);
            Input::Found { token, recipient: random.chance(3, 4).then_some(of_ann), way: None }
        }
        6 => Input::Originated { handle: random.below(80), outcome: Originated::NoPath },
        7 => Input::Reached(node(ANN).into()),
        8 | 9 => {
            let text = vec![7; usize::try_from(random.below(400)).unwrap()];
            let content = if random.chance(1, 2) {
                Content::Ping { padding: 0 }
            } else {
                Content::Message { text, authorship: Authorship::Signed }
            };
            let lifetime = Duration::from_secs(random.below(100));
            Input::Send(Outgoing {
                handle: random.below(20),
                to: node(ANN),
                content,
                lifetime,
                policy: None,
                class: None,
            })
        }
        _ => {
            let pick = usize::try_from(random.below(u64::try_from(genuine.len()).unwrap())).unwrap();
            let mut packet = genuine[pick].clone();
            if random.chance(1, 5) {
                let at = usize::try_from(random.below(u64::try_from(packet.len()).unwrap())).unwrap();
                packet[at] ^= 1;
            }
            Input::Arrived(packet, Class::Interactive, None)
        }
    }
}
