//! Path requests at one node: what is answered, passed on, given back and refused.

use super::links::{FAST, ONE, THREE, TWO, address, promised, up};
use super::*;
use crate::links::Trust;
use nexus_wire::nexus::frame::HEADER_LEN;
use nexus_wire::nexus::message::{MessageKind, Messages};
use nexus_wire::nexus::traffic;
use nexus_wire::reticulum::path_request::Tag;

#[test]
fn a_known_destination_is_answered_with_its_announce_as_a_path_response_over_the_same_link_only() {
    let mut node = Bench::with_links();
    node.hear_on(ONE, promised(announce_of(7, UNIX)));
    node.wait();
    let answers = responses(&node.asked(TWO, 7, 1));
    let [(link, answer)] = &answers[..] else { panic!("one answer: {answers:?}") };
    assert_eq!(*link, TWO);
    let packet = Packet::decode(answer).unwrap();
    let announce = Announce::from_packet(&packet).unwrap();
    assert_eq!((packet.context, announce.destination), (Context::PATH_RESPONSE, address(7)));
    assert_eq!(announce.verify(), Ok(()));
    assert_eq!(node.organ.path_requests().answered, 1);
}

#[test]
fn this_nodes_own_announce_answers_for_it_and_its_current_emission_not_another() {
    let mut node = Bench::with_links();
    node.tell(Input::Ratchet(ratchet()));
    node.tell(Input::Durable(1));
    let answers = responses(&node.asked(TWO, 1, 1));
    let packet = Packet::decode(&answers[0].1).unwrap();
    let announce = Announce::from_packet(&packet).unwrap();
    assert_eq!((packet.hops.get(), announce.claim.random_hash.emitted_at()), (0, UNIX));
    assert_eq!(node.organ.last_emission(), UNIX);
}

#[test]
fn whom_the_way_leads_through_is_not_answered_but_asked_elsewhere() {
    let mut node = Bench::with_links();
    node.hear_on(TWO, promised(announce_of(7, UNIX)));
    node.wait();
    let effects = node.asked(TWO, 7, 1);
    assert_eq!(responses(&effects), []);
    let [(link, hops)] = requests(&effects)[..] else { panic!("one is asked") };
    assert!(link != TWO && hops == 1);
}

#[test]
fn an_unknown_destination_is_asked_of_one_neighbour_after_the_other_and_then_given_back() {
    let mut node = Bench::with_links();
    let [(first, 4)] = requests(&node.asked_after(ONE, 7, 1, 3))[..] else { panic!("one is asked") };
    let second = if first == TWO { THREE } else { TWO };
    assert_eq!(requests(&node.asked_after(first, 7, 1, 4)), [(second, 5)], "nobody is left behind the first");
    assert_eq!(requests(&node.asked_after(second, 7, 1, 6)), [(ONE, 7)], "nobody is left at all");
    assert_eq!(requests(&node.asked_after(second, 7, 1, 6)), [], "given back once");
    let counts = node.organ.path_requests();
    assert_eq!((counts.passed_on, counts.dead_ends, counts.repeated), (2, 1, 1));
}

#[test]
fn an_answer_goes_back_to_whoever_asked_and_to_nobody_else_and_is_kept() {
    let mut node = Bench::with_links();
    let [(asked, _)] = requests(&node.asked(ONE, 7, 1))[..] else { panic!("one is asked") };
    let effects = node.hear_on(asked, response_of(7, UNIX));
    let answers = responses(&effects);
    assert_eq!(answers.iter().map(|(link, _)| *link).collect::<Vec<_>>(), [ONE]);
    assert!(!node.wait().iter().any(is_announce_told), "it is not passed on to others");
    assert!(node.organ.path(&address(7)).is_some());
    assert_eq!(responses(&node.asked(if asked == TWO { THREE } else { TWO }, 7, 2)).len(), 1);
    let counts = node.organ.path_requests();
    assert_eq!((counts.passed_back, counts.answered), (1, 1));
}

#[test]
fn what_came_as_an_answer_is_passed_on_once_it_comes_as_an_announce() {
    let mut node = Bench::with_links();
    let [(asked, _)] = requests(&node.asked(ONE, 7, 1))[..] else { panic!("one is asked") };
    node.hear_on(asked, response_of(7, UNIX));
    node.hear_on(asked, promised(announce_of(7, UNIX)));
    let told: Vec<Effect> = node.wait().into_iter().filter(is_announce_told).collect();
    assert!(!told.is_empty(), "whoever is behind this node waits for the emission");
}

#[test]
fn an_answer_that_nobody_asked_for_or_that_is_forged_changes_nothing() {
    let mut node = Bench::with_links();
    assert_eq!(node.hear_on(TWO, response_of(7, UNIX)), []);
    let [(asked, _)] = requests(&node.asked(ONE, 7, 1))[..] else { panic!("one is asked") };
    let other = if asked == TWO { THREE } else { TWO };
    assert_eq!(node.hear_on(other, response_of(7, UNIX)), [], "from whom was not asked");
    assert_eq!(node.hear_on(asked, response_of(8, UNIX)), [], "for another destination");
    let mut forged = response_of(7, UNIX);
    *forged.last_mut().unwrap() ^= 1;
    let effects = node.hear_on(asked, forged);
    assert_eq!(responses(&effects), []);
    assert_eq!(requests(&effects), [(other, 1)], "and the next one is asked");
    assert_eq!(node.organ.known().count(), 0);
    assert_eq!((node.organ.path_requests().unasked, node.organ.refusals().forged), (3, 1));
}

#[test]
fn a_flood_of_requests_for_made_up_destinations_is_taken_at_a_rate_and_held_within_bounds() {
    let mut node = Bench::with_links();
    let mut passed_on = 0;
    for n in 0..1_000_u16 {
        let request = request_for(made_up(n), n);
        passed_on += requests(&node.tell(request_on(ONE, request, 0))).len();
    }
    assert_eq!((passed_on, node.organ.path_requests().refused), (32, 968), "so many at once");
    assert_eq!(requests(&node.asked(TWO, 7, 1)).len(), 1, "others are not affected");
    for n in 0..3_000_u16 {
        node.now = node.now.after(Duration::from_millis(10));
        node.tell(request_on(ONE, request_for(made_up(n), n), 0));
    }
    assert!(node.organ.path_requests().passed_on < 33 + 30 * 4 + 2, "and four a second after that");
    assert!(node.organ.finding.requests_held() <= LIMITS.relays);
}

#[test]
fn a_tag_that_is_replayed_is_passed_on_over_each_link_once() {
    let mut node = Bench::with_links();
    node.asked(ONE, 7, 1);
    let mut said = [0; 3];
    for _ in 0..100 {
        for link in [ONE, TWO, THREE] {
            for (to, _) in requests(&node.asked(link, 7, 1)) {
                let index = [ONE, TWO, THREE].iter().position(|link| *link == to).unwrap();
                said[index] += 1;
            }
        }
    }
    // Who asked is told the outcome, and twice more: that may be lost.
    assert!(said[0] <= 3 && said[1] <= 1 && said[2] <= 1, "{said:?}");
    assert!(node.organ.path_requests().repeated > 250);
}

#[test]
fn a_neighbour_that_is_doubted_is_asked_last_and_not_waited_for() {
    let mut node = Bench::with_links();
    let [(first, _)] = requests(&node.asked(ONE, 7, 1))[..] else { panic!("one is asked") };
    let other = if first == TWO { THREE } else { TWO };
    let stands = Input::LinkStands { link: first, trust: Trust::Doubted, reliability: None };
    assert_eq!(requests(&node.tell(stands)), [(other, 1)], "it gives nothing back");
    assert_eq!(requests(&node.asked(ONE, 8, 2)), [(other, 1)]);
    assert_eq!(
        requests(&node.asked_after(other, 8, 2, 5)),
        [(first, 6), (ONE, 6)],
        "for want of anybody else"
    );
    // Who is gone gives nothing back either, and nobody is left.
    assert_eq!(requests(&node.tell(Input::LinkDown(other))), [(ONE, 1)]);
    assert_eq!(requests(&node.tell(Input::LinkDown(first))), []);
}

#[test]
fn a_request_of_which_nothing_comes_is_said_again_and_so_is_an_answer_that_was_lost() {
    let mut node = Bench::with_links();
    let [(first, _)] = requests(&node.asked(ONE, 7, 1))[..] else { panic!("one is asked") };
    let again: Vec<(Vec<(LinkId, u8)>, u64)> = (0..2)
        .map(|_| node.next_wave())
        .map(|(effects, wave)| (requests(&effects), wave.as_millis()))
        .collect();
    assert_eq!(again, [(vec![(first, 1)], 500), (vec![(first, 1)], 2_000)]);
    assert_eq!(requests(&node.asked(ONE, 7, 1)), [], "it is on its way");
    assert_eq!(responses(&node.hear_on(first, response_of(7, UNIX))).len(), 1);
    let told: Vec<usize> = (0..3).map(|_| responses(&node.asked(ONE, 7, 1)).len()).collect();
    assert_eq!(told, [1, 1, 0], "who asks again did not hear it");
}

#[test]
fn by_way_of_whoever_answers_with_an_older_emission_the_destination_is_asked() {
    let mut node = Bench::with_links();
    node.hear_on(ONE, promised(announce_of(7, UNIX + 60)));
    node.wait();
    node.tell(Input::LinkStands { link: ONE, trust: Trust::Doubted, reliability: None });
    node.wait();
    assert_eq!(requests(&node.asked(TWO, 7, 1)), [(THREE, 1)]);
    let effects = node.hear_on(THREE, response_of(7, UNIX));
    assert_eq!(costs::asked(&effects), [(THREE, address(7))]);
    assert_eq!(requests(&effects), [(ONE, 1), (TWO, 1)], "it is no answer");
    assert_eq!(costs::asked(&node.hear_on(THREE, response_of(7, UNIX))), [], "once");
    assert_eq!(costs::asked(&node.next_wave().0), [(THREE, address(7))], "and again, should it be lost");
}

#[test]
fn a_leaf_answers_for_itself_and_gives_everything_else_back() {
    let mut node = Bench::with_links();
    node.hear_on(TWO, promised(announce_of(7, UNIX)));
    node.tell(Input::Ratchet(ratchet()));
    node.tell(Input::Durable(1));
    node.wait();
    node.relaying = Relaying::Off;
    let effects = node.asked(ONE, 7, 1);
    assert_eq!((requests(&effects), responses(&effects).len()), (vec![(ONE, 1)], 0));
    assert_eq!(responses(&node.asked(ONE, 1, 2)).len(), 1);
}

#[test]
fn a_search_asks_one_neighbour_then_two_then_all_and_ends_in_vain() {
    let mut node = Bench::with_links();
    let find = |motive| Input::Find { destination: address(7), motive };
    let first = requests(&node.tell(find(SearchMotive::Wish)));
    assert_eq!(first.len(), 1);
    // Each attempt is said again after half a second and two more, as far as the next one does not take its place.
    let said: Vec<(usize, u64)> = (0..7)
        .map(|_| node.next_wave())
        .map(|(effects, wave)| (requests(&effects).len(), wave.as_millis()))
        .collect();
    assert_eq!(said, [(1, 500), (2, 1_500), (2, 500), (2, 2_000), (3, 1_500), (3, 500), (3, 2_000)]);
    let (effects, wave) = node.next_wave();
    let in_vain = Effect::PathNotFound { destination: address(7) };
    assert_eq!((&effects[..], wave.as_millis()), (&[in_vain.clone()][..], 5_500));
    assert_eq!(node.tell(find(SearchMotive::Packet)).len(), 1, "ten seconds are over");
    while node.next_wave().0 != [in_vain.clone()] {}
    assert_eq!(node.tell(find(SearchMotive::Packet)), [], "in vain twice: not before twenty are");
    assert_eq!(node.tell(find(SearchMotive::Wish)).len(), 1, "but whoever wishes it gets it");
}

#[test]
fn what_has_a_way_already_is_not_looked_for_and_said_only_to_whoever_wishes_to_know() {
    let mut node = Bench::with_links();
    node.hear_on(ONE, promised(announce_of(7, UNIX)));
    node.wait();
    let find = |motive| Input::Find { destination: address(7), motive };
    // Its recipient may have no key that a message can be sealed to: an answer would bring the next attempt, without end.
    assert_eq!(node.tell(find(SearchMotive::Packet)), []);
    let found = Effect::PathFound { destination: address(7), hops: 3, after: Duration::ZERO };
    assert_eq!(node.tell(find(SearchMotive::Wish)), [found]);
    assert_eq!(node.organ.searches(), 0);
}

#[test]
fn a_search_on_a_slow_link_takes_longer_and_is_not_begun_again_within_five_minutes() {
    let mut node = Bench::without_interfaces(&Snapshot::empty());
    node.tell(up(ONE, 2, 5_470));
    let find = Input::Find { destination: address(7), motive: SearchMotive::Packet };
    assert_eq!(requests(&node.tell(find.clone())).len(), 1);
    let waits: Vec<u64> = (0..3).map(|_| node.next_wave().1.as_secs()).collect();
    assert!((26..30).contains(&waits[0]), "{waits:?}");
    assert_eq!(node.tell(find.clone()), []);
    node.now = node.now.after(Duration::from_secs(300));
    assert_eq!(requests(&node.tell(find)).len(), 1);
}

#[test]
fn requests_and_answers_take_no_more_of_a_slow_link_than_announces_may() {
    let mut node = Bench::without_interfaces(&Snapshot::empty());
    node.tell(up(ONE, 2, 5_470));
    node.tell(up(TWO, 3, FAST));
    node.hear_on(TWO, promised(announce_of(7, UNIX)));
    node.wait();
    let (begin, mut bytes) = (node.now, 0);
    let count = |effects: &[Effect]| responses(effects).iter().map(|(_, answer)| answer.len()).sum::<usize>();
    for n in 0..600 {
        node.now = node.now.after(Duration::from_secs(1));
        bytes += count(&node.asked(ONE, 7, n));
        let mut out: VecDeque<Effect> = VecDeque::new();
        node.wake(&mut out);
        bytes += count(out.make_contiguous());
    }
    // Three percent of the bits of 600 s, and eight answers at once.
    let share = usize::try_from(5_470 * node.now.since(begin).as_secs() / 8 * 3 / 100).unwrap();
    assert!(bytes > share / 2 && bytes < share + 10 * 300, "{bytes} of {share}");
}

// ───────────── helpers ─────────────

pub(super) fn response_of(n: u8, unix_s: u64) -> Vec<u8> {
    let mut packet = promised(announce_of(n, unix_s));
    packet[18] = Context::PATH_RESPONSE.0;
    packet
}

fn made_up(n: u16) -> DestinationHash {
    let [high, low] = n.to_be_bytes();
    DestinationHash([high, low, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9])
}

fn request_for(wanted: DestinationHash, tag: u16) -> PathRequest {
    PathRequest { wanted, requester: None, tag: Tag::new(&tag.to_be_bytes()).unwrap() }
}

fn request_on(link: LinkId, request: PathRequest, steps: u8) -> Input {
    Input::PathRequested { link, request, hops: Hops::new(steps + 1).unwrap(), class: Class::Interactive }
}

impl Bench {
    fn asked(&mut self, link: LinkId, wanted: u8, tag: u16) -> Vec<Effect> {
        self.asked_after(link, wanted, tag, 0)
    }

    /// A request arrives that came so many steps before the last.
    fn asked_after(&mut self, link: LinkId, wanted: u8, tag: u16, steps: u8) -> Vec<Effect> {
        self.tell(request_on(link, request_for(address(wanted), tag), steps))
    }

    /// What is done at the next moment at which something is, and how long that takes.
    fn next_wave(&mut self) -> (Vec<Effect>, Duration) {
        let begin = self.now;
        let mut out: VecDeque<Effect> = VecDeque::new();
        while out.is_empty() {
            self.now = self.organ.next_timeout().expect("something is due");
            self.wake(&mut out);
        }
        (out.into(), self.now.since(begin))
    }
}

/// Anything that may be asked, answered or probed.
pub(super) fn input(random: &mut Stream, genuine: &[Vec<u8>]) -> Input {
    let link = [ONE, TWO, THREE][usize::try_from(random.below(3)).unwrap()];
    let wanted = match random.below(3) {
        0 => address(u8::try_from(30 + random.below(12)).unwrap()),
        1 => address(1),
        _ => made_up(u16::try_from(random.below(500)).unwrap()),
    };
    match random.below(6) {
        0..=2 => {
            let tag = u16::try_from(random.below(20)).unwrap();
            request_on(link, request_for(wanted, tag), u8::try_from(random.below(127)).unwrap())
        }
        3 => {
            let motive = if random.chance(1, 2) { SearchMotive::Wish } else { SearchMotive::Packet };
            Input::Find { destination: wanted, motive }
        }
        4 => Input::Probed { number: random.below(40) },
        _ => {
            let mut packet = promised(pick(random, genuine).clone());
            packet[18] = Context::PATH_RESPONSE.0;
            Input::HeardOnLink { link, cost: CompactPathCost::ORIGIN, packet }
        }
    }
}

/// To whom requests were said, and of how many steps.
fn requests(effects: &[Effect]) -> Vec<(LinkId, u8)> {
    let said = effects.iter().filter_map(|effect| match effect {
        Effect::Say { to: Outlet::Link(link), message } => Some((*link, message)),
        _ => None,
    });
    let parsed = said.filter_map(|(link, message)| {
        let message = Messages::new(&message[HEADER_LEN..]).next().unwrap().unwrap();
        (message.kind == MessageKind::PACKET).then(|| {
            let packet = message.parse::<traffic::Packet<'_>>().unwrap().packet;
            let packet = Packet::decode(packet).unwrap();
            PathRequest::from_packet(&packet).expect("a path request");
            (link, packet.hops.get())
        })
    });
    parsed.collect()
}

/// To whom answers were said, and the announces, read as ones without transport id.
fn responses(effects: &[Effect]) -> Vec<(LinkId, Vec<u8>)> {
    let told = effects.iter().filter_map(|effect| match effect {
        Effect::Tell { link, plaintext, .. } => Some((*link, plaintext)),
        _ => None,
    });
    let parsed = told.map(|(link, plaintext)| {
        let message = Messages::new(&plaintext[HEADER_LEN..]).next().unwrap().unwrap();
        let mut packet = message.parse::<traffic::Announce<'_>>().unwrap().packet.to_vec();
        packet[0] &= !0x40;
        (link, packet)
    });
    parsed.filter(|(_, packet)| packet[18] == Context::PATH_RESPONSE.0).collect()
}

fn is_announce_told(effect: &Effect) -> bool {
    matches!(effect, Effect::Tell { .. })
}
