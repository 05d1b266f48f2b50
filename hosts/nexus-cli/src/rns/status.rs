//! `nexus rns status`: interfaces in `reticulum` mode, and what passes there.

use std::collections::BTreeMap;

use clap::Args;
use nexus_daemon::api::{RnsInterface, RnsStatus, Verb};

use crate::daemon::connect;
use crate::ending::{Ending, Outcome};
use crate::place::Place;
use crate::quantities::{bytes, rate, standing};
use crate::table::{PAGE, marks, numbers, render, words};
use crate::terminal::{harmless, print, print_json, wrapped};

/// The command.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Examples:
  nexus rns status
  nexus rns status --json       the daemon's own object (spec/control.md)")]
pub(crate) struct Status {
    #[command(flatten)]
    place: Place,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

impl Status {
    pub(crate) async fn run(self) -> Ending {
        let mut client = connect(&self.place).await?;
        let status: RnsStatus = client.call(Verb::RnsStatus).await?;
        if self.json {
            print_json(&status);
        } else {
            print(&as_text(&status));
        }
        Ok(Outcome::Done)
    }
}

fn as_text(status: &RnsStatus) -> String {
    let relaying = if status.relaying { "carries packets for others" } else { "does not carry for others" };
    let mut text = wrapped(&format!("transport id {}, {relaying}", status.transport_id), PAGE);
    let kept = match status.tunnels_kept {
        0 => String::new(),
        kept => format!(" ({kept} more are down, and their paths kept)"),
    };
    let counts = format!(
        "{} paths to stock destinations, {} Reticulum links through here, {} tunnels up{kept}",
        status.paths, status.circuits, status.tunnels
    );
    text.push_str(&wrapped(&counts, PAGE));
    text.push_str(&interfaces(&status.interfaces));
    for (cause, count) in &status.refusals {
        text.push_str(&wrapped(&harmless(&refused(cause, *count)), PAGE));
    }
    text
}

fn interfaces(interfaces: &[RnsInterface]) -> String {
    if interfaces.is_empty() {
        return wrapped(
            "no interface is in reticulum mode: write `mode = \"reticulum\"` into one of the configuration",
            PAGE,
        );
    }
    let table = [
        words("INTERFACE", 9),
        marks("KIND"),
        words("ROLE", 8),
        marks("STATE"),
        numbers("RATE"),
        numbers("SENT"),
        numbers("RECEIVED"),
        numbers("QUEUED"),
        numbers("HELD"),
    ];
    let row = |interface: &RnsInterface| {
        [
            interface.name.clone(),
            interface.kind.clone(),
            interface.role.clone(),
            if interface.up { standing(interface.peers) } else { "down".to_owned() },
            rate(interface.bandwidth_bps),
            bytes(interface.sent.bytes),
            bytes(interface.received.bytes),
            interface.announces_queued.to_string(),
            interface.announces_held.to_string(),
        ]
    };
    let mut text = render(&table, &interfaces.iter().map(row).collect::<Vec<_>>());
    for interface in interfaces {
        if let Some(fault) = &interface.fault {
            text.push_str(&wrapped(&harmless(&format!("{}: {fault}", interface.name)), PAGE));
        }
    }
    text
}

/// What was not taken, in plain words.
fn refused(cause: &str, count: u64) -> String {
    let words = BTreeMap::from(CAUSES);
    match words.get(cause) {
        Some(words) => format!("not taken, {count} times: {words}"),
        None => format!("not taken, {count} times: {}", cause.replace('_', " ")),
    }
}

const CAUSES: [(&str, &str); 37] = [
    ("access_missing", "frames without the access codes of their interface"),
    ("access_unexpected", "frames with access codes, where the interface has none"),
    ("access_wrong", "frames with the access codes of another network"),
    ("announce_closed", "announces on an interface or a link that was gone"),
    ("announce_crowded", "announces for which there was no room"),
    ("announce_echo", "announces that this node had said itself, said back"),
    ("announce_far", "what had come too many hops"),
    ("announce_flooded", "announces of strangers beyond what is held of a burst"),
    ("announce_forged", "announces that are not signed by whom they name"),
    ("announce_withheld", "destinations that one neighbour brings too many of, and that are not passed on"),
    ("announce_hasty", "what a neighbour said faster than it is looked at"),
    ("announce_held", "announces of strangers that came too fast, held for later"),
    ("announce_malformed", "announces that cannot be read"),
    ("announce_other_key", "announces of a known address with another key"),
    ("announce_stale", "announces that were known, or older than what is known"),
    ("announce_too_long", "announces that are too long to be passed on"),
    ("announce_too_often", "announces not passed on, because their destination says too many"),
    ("announce_unsaid", "announces not passed on, because too many others waited"),
    ("answer_unasked", "answers to nothing that was asked"),
    ("circuit_unanswered", "Reticulum links that were asked for and not proved in time"),
    ("packet_bad_proof", "proofs of a Reticulum link that its destination did not sign"),
    ("packet_duplicate", "packets that had passed before"),
    ("packet_hop_limit", "packets that had come as many hops as they may"),
    ("packet_leaf", "packets for others, while this node carries none"),
    ("packet_link_local", "packets that do not leave the medium they were sent on"),
    ("packet_loop", "packets whose only way leads back"),
    ("packet_malformed", "packets that cannot be read"),
    ("packet_no_circuit", "packets of a Reticulum link that is not known here"),
    ("packet_no_path", "packets to destinations to which no way is known"),
    ("packet_no_reverse", "proofs of packets that did not pass here, or a second proof"),
    ("packet_not_for_us", "packets that nobody asked this node to carry"),
    ("packet_off_circuit", "packets of a Reticulum link from where none of its ends is"),
    ("packet_other_relay", "packets that another relay is asked to carry"),
    ("packet_unproved", "packets of a Reticulum link before its proof"),
    ("program_keyless", "programs of this machine that asked without the key"),
    ("program_unknown", "questions of programs that are not known here"),
    ("request_repeated", "requests for ways that were heard before"),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::terminal::columns;
    use nexus_daemon::api::Traffic;

    #[test]
    fn what_was_not_taken_is_told_in_plain_words_also_where_the_cause_is_not_known() {
        assert_eq!(refused("packet_loop", 3), "not taken, 3 times: packets whose only way leads back");
        assert_eq!(refused("packet_of_tomorrow", 1), "not taken, 1 times: packet of tomorrow");
    }

    #[test]
    fn the_page_is_not_wider_than_a_page_and_names_the_mode_where_there_is_no_interface() {
        let traffic = Traffic { frames: 9, bytes: u64::MAX };
        let interface = RnsInterface {
            name: "the-interface-behind-the-house/[2001:db8::1]:65535".to_owned(),
            kind: "tcp".to_owned(),
            role: "point_to_point".to_owned(),
            up: true,
            peers: None,
            bandwidth_bps: 10_000_000,
            sent: traffic,
            received: traffic,
            announces_queued: 4_096,
            announces_held: 256,
            fault: Some("it is unplugged".to_owned()),
        };
        let status = RnsStatus {
            transport_id: "0c66cbe1b7219005a5df06daa5302589".to_owned(),
            relaying: true,
            interfaces: vec![interface],
            paths: 10_000,
            paths_unwritten: 5,
            circuits: 3,
            tunnels: 64,
            tunnels_kept: 2,
            refusals: CAUSES.iter().map(|(cause, _)| ((*cause).to_owned(), 12)).collect(),
        };
        let text = as_text(&status);
        assert!(text.lines().all(|line| columns(line) <= PAGE), "{text}");
        assert!(text.contains("  4096  ") && text.contains(" 256\n"), "{text}");
        let none = RnsStatus { interfaces: vec![], ..status };
        assert!(as_text(&none).contains("mode = \"reticulum\""));
    }
}
