//! Path requests in clear, and across to links and back.

use super::*;
use nexus_wire::nexus::traffic::Class;
use nexus_wire::reticulum::path_request::Tag;
use nexus_wire::reticulum::{PathRequest, Payload as _};

#[test]
fn a_known_path_is_answered_after_the_grace_where_it_was_asked_for_and_once_for_each_tag() {
    let mut node = Bench::start(&Snapshot::empty());
    node.tell(Input::Up(RIGHT, profile(Mode::Reticulum)));
    node.hear(&relayed(7, UNIX, 2, STOCK));
    node.pass(20_000);
    assert_eq!(frames(node.ask(RIGHT, 7, 1, None)), [], "who is nearer answers first");
    node.ask(RIGHT, 7, 1, None);
    let sent = node.timed_frames(5_000);
    let [(after, answer)] = &sent[..] else { panic!("one answer: {sent:?}") };
    assert_eq!((*after, answer.iface), (Duration::from_millis(400), RIGHT));
    let packet = Packet::decode(&answer.bytes).unwrap();
    assert_eq!((packet.context, packet.hops.get()), (Context::PATH_RESPONSE, 3));
    assert_eq!(packet.transport, Some(identity(1).public().hash()));
    assert_eq!(Announce::from_packet(&packet).unwrap().verify(), Ok(()));
    assert_eq!(node.organ.path_requests().repeated, 1);
    node.ask(RIGHT, 7, 2, None);
    assert_eq!(node.frames_within(5_000).len(), 1, "another tag, another question");
}

#[test]
fn whoever_is_on_the_way_itself_is_not_answered_and_who_roams_not_where_it_came_from() {
    let mut node = Bench::start(&Snapshot::empty());
    node.hear(&relayed(7, UNIX, 2, STOCK));
    node.pass(20_000);
    node.ask(LEFT, 7, 1, Some(STOCK));
    assert_eq!(node.frames_within(5_000), []);
    node.ask(LEFT, 7, 2, Some(OTHER));
    assert_eq!(node.frames_within(5_000).len(), 1);
    let mut roaming = Bench::without_interfaces(&Snapshot::empty());
    for iface in [LEFT, RIGHT] {
        roaming.tell(Input::Up(iface, Profile { role: Role::Roaming, ..profile(Mode::Reticulum) }));
    }
    roaming.hear(&relayed(7, UNIX, 2, STOCK));
    roaming.pass(20_000);
    roaming.ask(LEFT, 7, 1, None);
    roaming.ask(RIGHT, 7, 2, None);
    let sent = roaming.timed_frames(5_000);
    let [(after, answer)] = &sent[..] else { panic!("one answer: {sent:?}") };
    assert_eq!((*after, answer.iface), (Duration::from_millis(1_900), RIGHT), "and later than others");
}

#[test]
fn who_is_not_known_is_asked_for_where_the_role_says_so_and_the_answer_goes_back() {
    let asked_on = |asked: Role, other: Role| {
        let mut node = Bench::without_interfaces(&Snapshot::empty());
        node.tell(Input::Up(LEFT, Profile { role: asked, ..profile(Mode::Reticulum) }));
        node.tell(Input::Up(RIGHT, Profile { role: other, ..profile(Mode::Reticulum) }));
        let sent = frames(node.ask(LEFT, 7, 1, None));
        assert!(sent.iter().all(|frame| frame.iface == RIGHT), "{sent:?}");
        (!sent.is_empty(), node, sent)
    };
    assert!(!asked_on(Role::Full, Role::Gateway).0 && !asked_on(Role::PointToPoint, Role::Full).0);
    assert!(asked_on(Role::AccessPoint, Role::Full).0 && asked_on(Role::Roaming, Role::Full).0);
    assert!(asked_on(Role::Internal, Role::Full).0 && asked_on(Role::Boundary, Role::Gateway).0);
    assert!(!asked_on(Role::Boundary, Role::Full).0);
    let (_, mut node, sent) = asked_on(Role::Gateway, Role::Full);
    let packet = Packet::decode(&sent[0].bytes).unwrap();
    let request = PathRequest::from_packet(&packet).unwrap();
    assert_eq!((request.tag, request.requester), (tag(1), Some(identity(1).public().hash())));
    assert_eq!(frames(node.ask(LEFT, 7, 2, None)), [], "it is asked for already");
    // The answer is an announce for this node, and goes back as an answer, and no farther.
    let mut response = relayed(7, UNIX, 0, STOCK);
    response[34] = Context::PATH_RESPONSE.0;
    let sent = frames(node.tell(Input::Heard { iface: RIGHT, bytes: response }));
    let [answer] = &sent[..] else { panic!("one answer: {sent:?}") };
    assert_eq!((answer.iface, hops_of(answer)), (LEFT, 1));
    assert_eq!(Packet::decode(&answer.bytes).unwrap().context, Context::PATH_RESPONSE);
    assert_eq!(node.frames_within(20_000), [], "answers are not passed on");
}

#[test]
fn who_was_found_and_is_lost_again_is_asked_for_at_once_and_who_was_not_found_is_not() {
    let mut node = Bench::start(&Snapshot::empty());
    let seek = |node: &mut Bench| {
        let sent = frames(node.tell(Input::Find { destination: address(7), motive: SearchMotive::Wish }));
        sent.iter().filter(|frame| is_request(frame)).count()
    };
    assert_eq!(seek(&mut node), 1);
    node.pass(20_000);
    assert_eq!(seek(&mut node), 0, "the question is under way");
    node.hear(&relayed(7, UNIX, 2, STOCK));
    node.pass(1_000);
    node.tell(Input::Forget(address(7)));
    assert_eq!(seek(&mut node), 1, "that question was answered");
}

#[test]
fn whoever_waits_for_a_path_is_answered_with_the_emission_that_opened_it() {
    let mut node = Bench::without_interfaces(&Snapshot::empty());
    let gateway = Profile { role: Role::Gateway, ..profile(Mode::Reticulum) };
    node.tell(Input::Up(LEFT, gateway));
    node.tell(Input::Up(RIGHT, gateway));
    node.tell(Input::Heard { iface: RIGHT, bytes: relayed(7, UNIX, 3, STOCK) });
    node.pass(20_000);
    node.tell(Input::Down(RIGHT));
    node.ask(LEFT, 7, 1, None);
    node.tell(Input::Up(RIGHT, gateway));
    let sent = frames(node.tell(Input::Heard { iface: RIGHT, bytes: relayed(7, UNIX + 60, 0, STOCK) }));
    let [answer] = &sent[..] else { panic!("one answer: {sent:?}") };
    let packet = Packet::decode(&answer.bytes).unwrap();
    let emitted_at = Announce::from_packet(&packet).unwrap().claim.random_hash.emitted_at();
    assert_eq!((packet.context, packet.hops.get(), emitted_at), (Context::PATH_RESPONSE, 1, UNIX + 60));
}

#[test]
fn a_question_in_clear_is_asked_over_links_and_one_over_a_link_in_clear() {
    let mut node = Bench::start(&Snapshot::empty());
    node.tell(linked(0));
    let asked = node.ask(LEFT, 7, 1, None);
    assert!(asked.iter().any(|effect| matches!(effect, Effect::Say { .. })), "over the link: {asked:?}");
    let mut response = announce_of(7, UNIX);
    response[18] = Context::PATH_RESPONSE.0;
    let sent = frames(node.hear_behind(0, response, 1));
    let [answer] = &sent[..] else { panic!("one answer in clear: {sent:?}") };
    assert_eq!((answer.iface, hops_of(answer)), (LEFT, 2));

    let mut node = Bench::start(&Snapshot::empty());
    node.tell(linked(0));
    let request = PathRequest { wanted: address(7), requester: None, tag: tag(9) };
    let hops = Hops::new(1).unwrap();
    let asked = node.tell(Input::PathRequested { link: link(0), request, hops, class: Class::Interactive });
    let sent = frames(asked);
    let [question] = &sent[..] else { panic!("one question in clear: {sent:?}") };
    let packet = Packet::decode(&question.bytes).unwrap();
    assert_eq!(PathRequest::from_packet(&packet).unwrap().tag, tag(9));
    let answered = node.hear(&relayed(7, UNIX, 1, STOCK));
    let is_answer = |effect: &Effect| matches!(effect, Effect::Tell { about, .. } if *about == address(7));
    assert!(answered.iter().any(is_answer), "back over the link: {answered:?}");
}

#[test]
fn this_node_is_answered_for_by_its_own_announce() {
    let mut node = Bench::start(&Snapshot::empty());
    node.tell(Input::Ratchet(ratchet()));
    node.tell(Input::Durable(1));
    let sent = frames(node.ask(LEFT, 1, 1, Some(STOCK)));
    let [answer] = &sent[..] else { panic!("one answer: {sent:?}") };
    let packet = Packet::decode(&answer.bytes).unwrap();
    assert_eq!((packet.context, packet.transport), (Context::PATH_RESPONSE, None));
    assert_eq!(Announce::from_packet(&packet).unwrap().verify(), Ok(()));
}

#[test]
fn questions_that_were_passed_on_as_packets_and_floods_of_them_are_refused() {
    let mut node = Bench::start(&Snapshot::empty());
    node.hear(&announce_of(7, UNIX));
    let mut far = request(7, 1, None);
    far[1] = 1;
    node.hear(&far);
    assert_eq!(node.organ.refusals().far, 1);
    for n in 0..200 {
        node.ask(LEFT, 7, n, None);
    }
    assert_eq!(node.organ.path_requests().refused, 200 - 64);
    assert!(frames(node.wait()).iter().filter(|frame| frame.bytes[34] == 0x0b).count() <= 1);
}

// ───────────── helpers ─────────────

fn tag(n: u8) -> Tag {
    Tag::new(&[n; 16]).unwrap()
}

fn request(wanted: u8, n: u8, requester: Option<IdentityHash>) -> Vec<u8> {
    let request = PathRequest { wanted: address(wanted), requester, tag: tag(n) };
    let mut buffer = [0; MTU];
    request.encode_behind(&request.originating_header(), &mut buffer).unwrap().to_vec()
}

fn is_request(frame: &Frame) -> bool {
    Packet::decode(&frame.bytes).is_ok_and(|packet| PathRequest::from_packet(&packet).is_ok())
}

impl Bench {
    pub(super) fn ask(
        &mut self,
        iface: InterfaceId,
        wanted: u8,
        n: u8,
        requester: Option<IdentityHash>,
    ) -> Vec<Effect> {
        self.tell(Input::Heard { iface, bytes: request(wanted, n, requester) })
    }
}
