//! Programs on this machine, each behind an interface of its own.

use super::*;
use crate::interface::Role;

fn program() -> Profile {
    Profile { role: Role::Local, ..profile(Mode::Reticulum) }
}

#[test]
fn what_a_program_announces_is_said_at_once_and_once_as_if_it_were_this_nodes_own() {
    let mut node = Bench::without_interfaces(&Snapshot::empty());
    node.tell(Input::Up(LEFT, program()));
    node.tell(Input::Up(RIGHT, profile(Mode::Reticulum)));
    let said = frames(node.hear(&announce_of(7, UNIX)));
    let [announce] = &said[..] else { panic!("one announce: {said:?}") };
    assert_eq!((announce.iface, hops_of(announce)), (RIGHT, 0));
    assert_eq!(Packet::decode(&announce.bytes).unwrap().transport, None);
    assert!(node.organ.leads_to_program(&address(7)));
    assert_eq!(node.frames_within(20_000), [], "and not again");
    node.tell(Input::Down(LEFT));
    assert!(!node.organ.leads_to_program(&address(7)), "it ends with its connection");
}

#[test]
fn programs_hear_at_once_what_others_announce_and_are_answered_at_once() {
    let mut node = Bench::without_interfaces(&Snapshot::empty());
    node.tell(Input::Up(LEFT, profile(Mode::Reticulum)));
    node.tell(Input::Up(RIGHT, program()));
    let said = frames(node.hear(&relayed(7, UNIX, 2, STOCK)));
    let [announce] = &said[..] else { panic!("one announce: {said:?}") };
    assert_eq!((announce.iface, hops_of(announce)), (RIGHT, 3));
    let answers = frames(node.ask(RIGHT, 7, 1, None));
    let [answer] = &answers[..] else { panic!("one answer: {answers:?}") };
    assert_eq!((answer.iface, hops_of(answer)), (RIGHT, 3));
    assert_eq!(Packet::decode(&answer.bytes).unwrap().context, Context::PATH_RESPONSE);
}

#[test]
fn whom_a_program_wants_and_nobody_knows_is_asked_for_at_any_role_and_so_is_a_program() {
    let mut node = Bench::without_interfaces(&Snapshot::empty());
    node.tell(Input::Up(LEFT, program()));
    node.tell(Input::Up(RIGHT, profile(Mode::Reticulum)));
    let asked = frames(node.ask(LEFT, 7, 1, None));
    assert!(matches!(&asked[..], [question] if question.iface == RIGHT), "{asked:?}");
    let asked = frames(node.ask(RIGHT, 8, 2, None));
    assert!(matches!(&asked[..], [question] if question.iface == LEFT), "{asked:?}");
}
