//! Whole nodes in a line of cables, with room for two destinations each: who is not known is looked for, and reached.

mod line;

use line::Line;
use nexus_crypto::DestinationHash;
use nexus_machine::Duration;
use nexus_node::{Authorship, Command, Content, Event, Input};

#[test]
fn a_node_whose_announce_everybody_forgot_is_found_and_answers_a_probe_across_three_relays() {
    let mut line = Line::of(5);
    assert!(line.who_knows(4).is_empty(), "not even its neighbour");
    line.send(0, 4, Content::Ping { padding: 0 });
    line.run(Duration::from_secs(30));
    let found = line.reports(0).find_map(|event| match event {
        Event::PathFound { destination, hops, after } => Some((*destination, *hops, *after)),
        _ => None,
    });
    let (destination, hops, after) = found.expect("the way is found");
    assert_eq!((destination, hops), (line.address(4), 4));
    assert!(after < Duration::from_secs(1), "{after:?}");
    assert!(line.is_delivered(0), "though the probed knew the prober no more than the other way round");
    let counts = line.nodes[0].network().announces().path_requests();
    assert_eq!((counts.asked, counts.found, counts.found_hops, counts.timed_out), (1, 1, 4, 0));
}

#[test]
fn a_message_for_an_unknown_node_leaves_as_soon_as_the_way_is_found() {
    let mut line = Line::of(5);
    let text = b"across".to_vec();
    line.send(0, 4, Content::Message { text, authorship: Authorship::Signed });
    line.run(Duration::from_secs(1));
    assert!(line.is_delivered(0), "within the second, not at its next attempt");
    assert_eq!(line.nodes[4].inbox().count(), 1);
}

#[test]
fn whoever_is_looked_for_in_vain_is_reported_after_three_attempts() {
    let mut line = Line::of(3);
    let nobody = DestinationHash([0x5a; 16]);
    line.tell(0, Input::Command(Command::FindPath { destination: nobody }));
    line.run(Duration::from_secs(13));
    let missed = |line: &Line| {
        let is_it =
            |event: &&Event| matches!(event, Event::PathNotFound { destination } if *destination == nobody);
        line.reports(0).filter(is_it).count()
    };
    assert_eq!(missed(&line), 0);
    line.run(Duration::from_secs(2));
    assert_eq!(missed(&line), 1);
    assert_eq!(line.nodes[0].network().announces().path_requests().timed_out, 1);
    line.tell(0, Input::Command(Command::FindPath { destination: line.address(2) }));
    line.run(Duration::from_secs(1));
    let is_found = |event: &Event| matches!(event, Event::PathFound { hops: 2, .. });
    assert!(line.reports(0).any(is_found), "the next search is its own");
}
