//! Nodes that hear each other on a medium of stock nodes, and cross it.

extern crate std;

use alloc::vec::Vec;
use std::println;

use nexus_machine::Duration;

use super::Bench;
use super::endpoint::Pair;
use crate::{CROSSINGS_FROM, Command, Input};

#[test]
fn two_nodes_across_stock_relays_have_a_link_and_write_to_each_other_over_it() {
    let mut pair = Pair::new();
    for end in 0..2 {
        pair.tell(end, Input::Command(Command::Cross));
        pair.tell(end, Input::Command(Command::Announce));
    }
    pair.pass(Duration::from_secs(120));
    for end in 0..2 {
        let Bench { node, now, .. } = &pair.ends[end];
        let links: Vec<_> = node.network().links().status().collect();
        assert_eq!(links.len(), 1, "{end}: {links:?}");
        assert!(links[0].iface >= CROSSINGS_FROM, "{links:?}");
        let other = pair.ends[1 - end].node.node_id();
        assert_eq!(links[0].peer.node_id(), other);
        let is_linked = |way: &nexus_network::Candidate| way.via.link() == Some(links[0].id);
        assert!(node.routing(*now).candidates(&other.into()).iter().any(is_linked), "its announce crossed");
    }
    // Days later it is another, and there was one all the time.
    pair.pass(Duration::from_secs(26 * 3_600));
    for end in &pair.ends {
        let links: Vec<_> = end.node.network().links().status().collect();
        assert_eq!(links.len(), 1, "{links:?}");
        assert!(
            links[0].up_at > nexus_machine::Instant::BOOT.after(Duration::from_secs(23 * 3_600)),
            "{links:?}"
        );
    }
}

#[test]
fn a_node_that_started_again_crosses_to_whom_it_knew_before_though_nobody_says_it_again() {
    let mut pair = Pair::new();
    for end in 0..2 {
        pair.tell(end, Input::Command(Command::Cross));
        pair.tell(end, Input::Command(Command::Announce));
    }
    pair.pass(Duration::from_secs(120));
    for end in 0..2 {
        let began = pair.ends[end].now;
        pair.restart(end);
        pair.tell(end, Input::Command(Command::Cross));
        pair.pass(Duration::from_secs(120));
        for bench in &pair.ends {
            let links: Vec<_> = bench.node.network().links().status().collect();
            assert_eq!(links.len(), 1, "{end}: {links:?}");
            assert!(links[0].up_at > began, "{end}: it is another: {links:?}");
        }
    }
}

#[test]
#[allow(clippy::disallowed_macros, reason = "the figure is printed")]
fn an_idle_crossing_takes_little_of_others_networks() {
    let mut pair = Pair::new();
    for end in 0..2 {
        pair.tell(end, Input::Command(Command::Cross));
        pair.tell(end, Input::Command(Command::Announce));
    }
    pair.pass(Duration::from_secs(3_600));
    pair.link_bytes = 0;
    pair.pass(Duration::from_secs(10 * 3_600));
    let each_hour = pair.link_bytes / 10;
    println!("an idle crossing takes {each_hour} bytes an hour, both directions together");
    assert!((1_000..8_000).contains(&each_hour), "{each_hour}");
}

#[test]
fn whom_the_policy_does_not_want_is_not_crossed_to() {
    let mut pair = Pair::new();
    pair.tell(0, Input::Command(Command::Policy(nexus_network::Policy::Only([].into()))));
    for end in 0..2 {
        pair.tell(end, Input::Command(Command::Cross));
        pair.tell(end, Input::Command(Command::Announce));
    }
    pair.pass(Duration::from_secs(120));
    assert!(pair.ends.iter().all(|end| end.node.network().links().status().next().is_none()));
    pair.link_bytes = 0;
    pair.pass(Duration::from_secs(3_600));
    assert!(pair.link_bytes < 8_000, "it is tried ever more seldom: {} bytes", pair.link_bytes);
}
