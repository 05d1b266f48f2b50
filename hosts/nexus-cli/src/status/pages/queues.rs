//! What waits for interfaces, by class, and what became of what waited.

use nexus_daemon::api::{ClassOfQueue, PacketClass, Queue};

use super::{counts, line};
use crate::quantities::{bytes, milliseconds, rate};
use crate::table::{PAGE, marks, numbers, render, words};
use crate::terminal::{harmless, wrapped};

/// The classes of each interface; below them who feeds it, who asked for less, and what was dropped.
pub(in super::super) fn page(interfaces: &[Queue]) -> String {
    if interfaces.is_empty() {
        return "no queues: no interface is up; see `nexus doctor`\n".to_owned();
    }
    let table = [
        words("QUEUE OF", 9),
        marks("P"),
        numbers("WAIT"),
        numbers("BYTES"),
        numbers("LEFT"),
        numbers("MEAN"),
        numbers("LONGEST"),
        numbers("LATE"),
    ];
    let rows: Vec<[String; 8]> = interfaces.iter().flat_map(rows).collect();
    let mut text = render(&table, &rows);
    for queue in interfaces {
        text.push_str(&wrapped(&sentence(queue), PAGE));
    }
    text.push_str(&line("P0 real time, P1 interactive, P2 standard, P3 bulk; LATE: dropped as too old"));
    text
}

fn rows(queue: &Queue) -> Vec<[String; 8]> {
    let named = (0..).zip(PacketClass::ALL);
    named
        .map(|(rank, class)| {
            let ClassOfQueue { waiting, left, waited_mean_us, waited_longest_us, late, .. } =
                queue.classes.get(class.name()).copied().unwrap_or_default();
            [
                queue.interface.clone(),
                format!("P{rank}"),
                waiting.frames.to_string(),
                waiting.bytes.to_string(),
                left.to_string(),
                milliseconds(waited_mean_us),
                milliseconds(waited_longest_us),
                late.to_string(),
            ]
        })
        .collect()
}

/// What does not fit a table.
fn sentence(queue: &Queue) -> String {
    let mut parts = vec![format!(
        "{} has room for {} packets and {}",
        harmless(&queue.interface),
        queue.room.frames,
        bytes(queue.room.bytes)
    )];
    for sharer in &queue.sharers {
        let who = match (&sharer.peer, &sharer.interface) {
            (Some(peer), _) => peer.get(..8).unwrap_or(peer).to_owned(),
            (None, Some(interface)) => format!("whoever is on {interface}"),
            (None, None) => "this node".to_owned(),
        };
        let weight = if sharer.weight == 1 { String::new() } else { format!(" (weight {})", sharer.weight) };
        parts.push(format!("{}{weight} has {} waiting", harmless(&who), sharer.waiting.frames));
    }
    for pressed in &queue.pressed {
        let peer = pressed.peer.as_deref().unwrap_or("a neighbour that is gone");
        let (peer, severity) = (harmless(peer.get(..8).unwrap_or(peer)), harmless(&pressed.severity));
        parts.push(format!("{peer} is congested ({severity}) and gets {}", rate(pressed.limit_bps)));
    }
    if !queue.told.is_empty() {
        parts.push(format!("told neighbours to send less: {}", counts(&queue.told)));
    }
    if queue.price_raised_percent > 0 {
        parts.push(format!("asks {} % more for it", queue.price_raised_percent));
    }
    if !queue.drops.is_empty() {
        parts.push(format!("dropped: {}", counts(&queue.drops)));
    }
    parts.join("; ")
}
