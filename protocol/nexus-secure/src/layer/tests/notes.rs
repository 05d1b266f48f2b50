//! Notes: said once, sealed, without a receipt; whoever cannot be written to is looked for.

use super::*;
use crate::contract::{Note, Reply};

fn note(reply: Reply, body: &[u8]) -> Input {
    Input::Note(Note { to: node(BOB), service: Service::WITNESSES, reply, body: body.to_vec() })
}

fn noted(world: &World) -> Vec<(Option<NodeId>, Vec<u8>)> {
    let of = |effect: &Effect| match effect {
        Effect::Noted { service: Service::WITNESSES, reply_to, body } => Some((*reply_to, body.clone())),
        _ => None,
    };
    world.parties[BOB].events.iter().filter_map(of).collect()
}

#[test]
fn a_note_arrives_once_with_where_an_answer_goes_and_is_proved() {
    let mut world = World::new();
    world.way_back = Some(tracing::way());
    world.tell(ANN, note(Reply::Wanted, b"sign this"));
    let packet = world.air[0].1.clone();
    assert!(!packet.windows(9).any(|bytes| bytes == b"sign this"), "it is sealed");
    world.carry();
    world.tell(BOB, Input::Arrived(packet, Class::Standard, None));
    world.tell(ANN, note(Reply::Unwanted, b"and this"));
    world.carry();
    let expected = [(Some(node(ANN)), b"sign this".to_vec()), (None, b"and this".to_vec())];
    assert_eq!(noted(&world), expected, "what came twice counts once");
    assert_eq!(world.refusals(BOB).replayed, 1);
    assert_eq!(world.texts(BOB).len(), 0, "it is no message");
    assert_eq!(world.refusals(ANN).unproved, 2, "each was proved, and nobody waited for it");
}

#[test]
fn whoever_is_not_known_or_out_of_reach_is_looked_for_and_the_note_forgotten() {
    let mut world = World::new();
    world.tell(ANN, note(Reply::Wanted, b"no way is known"));
    assert!(world.air.is_empty());
    assert_eq!(world.wanted, [node(BOB)]);
}

#[test]
fn a_flood_of_notes_is_cut_to_the_allowance() {
    let mut world = World::new();
    world.way_back = Some(tracing::way());
    for number in 0..200_u8 {
        world.tell(ANN, note(Reply::Wanted, &[number]));
    }
    world.carry();
    assert_eq!(noted(&world).len(), 64);
    assert_eq!(world.refusals(BOB).busy, 136);
    world.now = world.now.after(Duration::from_secs(1));
    world.tell(ANN, note(Reply::Wanted, b"later"));
    world.carry();
    assert_eq!(noted(&world).len(), 65);
}

#[test]
fn the_longest_body_fits_and_a_longer_one_does_not_leave() {
    let mut world = World::new();
    world.way_back = Some(tracing::way());
    world.tell(ANN, note(Reply::Wanted, &vec![1; Note::MAX_BODY]));
    world.tell(ANN, note(Reply::Wanted, &vec![1; Note::MAX_BODY + 1]));
    assert_eq!(world.air.len(), 1);
}
