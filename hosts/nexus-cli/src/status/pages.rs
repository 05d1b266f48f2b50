//! The sections of the status as text.

mod balances;
mod budget;
mod income;
mod queues;
mod radios;

use std::collections::BTreeMap;

use nexus_daemon::api::{Interface, Link, Path};
use serde::Serialize;

use super::Snapshot;
use crate::address_book::AddressBook;
use crate::quantities::{bytes, milliseconds, price, rate, short, short_price, spoken, standing, utc};
use crate::table::{PAGE, marks, numbers, render, words};
use crate::terminal::{cut, harmless, wrapped};

/// The node itself.
pub(super) fn node(snapshot: &Snapshot, _book: &AddressBook) -> String {
    let status = &snapshot.status;
    let mut facts = vec![("node", status.node.clone()), ("identity", status.identity.clone())];
    facts.extend(status.label.clone().map(|label| ("label", label)));
    facts.extend(status.lxmf.clone().map(|lxmf| ("lxmf", lxmf)));
    facts.push((
        "running",
        format!("{}, version {}, process {}", spoken(status.uptime_s), status.version, status.pid),
    ));
    let memory = if status.memory_bytes == 0 { "unknown".to_owned() } else { bytes(status.memory_bytes) };
    facts.push(("memory", memory));
    facts.push(("announced", status.emission.map_or_else(|| "not yet".to_owned(), utc)));
    let relaying = if status.relaying { "relays for others" } else { "does not relay" };
    facts.push(("policy", format!("{}; {relaying}", status.policy.replace('_', " "))));
    facts.push(("paths", format!("chosen under {}", status.path_policy)));
    facts.push(("messages", status.messages.to_string()));
    facts.push(("state", status.state.clone()));
    facts.extend(status.config.clone().map(|config| ("config", config)));
    facts.extend(status.log.clone().map(|log| ("log", log)));
    if !status.refusals.is_empty() {
        facts.push(("refused", counts(&status.refusals)));
    }
    facts.iter().map(|(name, value)| line(&format!("{name:10} {}", harmless(value)))).collect()
}

/// Its interfaces.
pub(super) fn interfaces(snapshot: &Snapshot, _book: &AddressBook) -> String {
    let interfaces = &snapshot.status.interfaces;
    if interfaces.is_empty() {
        return "no interfaces: nothing can come in or go out; see `nexus doctor`\n".to_owned();
    }
    let table = [
        words("INTERFACE", 9),
        marks("KIND"),
        marks("MODE"),
        marks("STATE"),
        words("ADDRESS", 12),
        numbers("RATE"),
        numbers("SENT"),
        numbers("RECEIVED"),
    ];
    let row = |interface: &Interface| {
        [
            interface.name.clone(),
            cut(&interface.kind, 6),
            cut(
                match interface.mode.as_str() {
                    "reticulum" => "ret",
                    mode => mode,
                },
                5,
            ),
            if interface.up { standing(interface.peers) } else { "down".to_owned() },
            interface.address.clone(),
            rate(interface.bandwidth_bps),
            bytes(interface.sent.bytes),
            bytes(interface.received.bytes),
        ]
    };
    let mut text = render(&table, &interfaces.iter().map(row).collect::<Vec<_>>());
    for interface in interfaces {
        let name = harmless(&interface.name);
        if let Some(fault) = &interface.fault {
            // A fault says what mends it: it is not cut.
            text.push_str(&wrapped(&format!("{name}: {}", harmless(fault)), PAGE));
        }
        if let Some(radio) = &interface.radio {
            text.extend(radios::lines(&name, radio).iter().map(|fact| wrapped(fact, PAGE)));
        }
        if let Some(broadcast) = interface.broadcast.filter(|said| said.hearers > 0 || said.opened.frames > 0)
        {
            let said = format!(
                "{} broadcasts: {} hear, {} do not; {} sent, {} heard",
                harmless(&interface.name),
                broadcast.hearers,
                broadcast.others,
                broadcast.sealed.frames,
                broadcast.opened.frames
            );
            text.push_str(&line(&said));
        }
        if interface.price_unxs_per_kib > 0 {
            let asked = price(Some(interface.price_unxs_per_kib));
            text.push_str(&line(&format!("{name} asks {asked}")));
        }
        if !interface.drops.is_empty() {
            let drops = counts(&interface.drops);
            text.push_str(&line(&format!("{} dropped: {drops}", harmless(&interface.name))));
        }
    }
    text
}

/// Its links.
pub(super) fn links(snapshot: &Snapshot, book: &AddressBook) -> String {
    let links = &snapshot.status.links;
    if links.is_empty() {
        return "no links yet: is discovery on? see `nexus doctor`\n".to_owned();
    }
    let table = [
        words("LINK WITH", 10),
        words("INTERFACE", 9),
        words("ADDRESS", 9),
        numbers("UP"),
        numbers("HEARD"),
        numbers("RTT"),
        numbers("SENT"),
        numbers("RECEIVED"),
    ];
    let row = |link: &Link| {
        [
            called(&link.peer, book),
            link.interface.clone(),
            link.endpoint.clone().unwrap_or_default(),
            short(link.up_s),
            short(link.heard_s),
            link.rtt_us.map_or_else(|| "?".to_owned(), milliseconds),
            bytes(link.sent.bytes),
            bytes(link.received.bytes),
        ]
    };
    render(&table, &links.iter().map(row).collect::<Vec<_>>())
}

/// A node that is one hop away.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Neighbour {
    node: String,
    interface: String,
    linked: bool,
    announced: bool,
    heard_s: u64,
}

/// Who is one hop away: whom a link is with, and whose announce came without a relay.
pub(super) fn neighbours_of(snapshot: &Snapshot) -> Vec<Neighbour> {
    let mut neighbours: BTreeMap<&str, Neighbour> = BTreeMap::new();
    for link in &snapshot.status.links {
        let neighbour = neighbours.entry(&link.peer).or_insert_with(|| Neighbour {
            node: link.peer.clone(),
            interface: link.interface.clone(),
            linked: true,
            announced: false,
            heard_s: link.heard_s,
        });
        neighbour.heard_s = neighbour.heard_s.min(link.heard_s);
    }
    for path in snapshot.paths.iter().filter(|path| path.via.is_none() && path.hops <= 1) {
        let neighbour = neighbours.entry(&path.destination).or_insert_with(|| Neighbour {
            node: path.destination.clone(),
            interface: path.interface.clone(),
            linked: false,
            announced: true,
            heard_s: path.age_s,
        });
        neighbour.announced = true;
        neighbour.heard_s = neighbour.heard_s.min(path.age_s);
    }
    neighbours.into_values().collect()
}

/// Its neighbours.
pub(super) fn neighbours(snapshot: &Snapshot, book: &AddressBook) -> String {
    let neighbours = neighbours_of(snapshot);
    if neighbours.is_empty() {
        return "no neighbours yet: nobody was heard; see `nexus doctor`\n".to_owned();
    }
    let table = [
        words("NEIGHBOUR", 32),
        words("INTERFACE", 9),
        marks("LINKED"),
        marks("ANNOUNCED"),
        numbers("HEARD"),
    ];
    let yes_or_no = |answer: bool| if answer { "yes" } else { "no" }.to_owned();
    let row = |neighbour: &Neighbour| {
        [
            called(&neighbour.node, book),
            neighbour.interface.clone(),
            yes_or_no(neighbour.linked),
            yes_or_no(neighbour.announced),
            short(neighbour.heard_s),
        ]
    };
    render(&table, &neighbours.iter().map(row).collect::<Vec<_>>())
}

/// The paths that it knows.
pub(super) fn paths(snapshot: &Snapshot, book: &AddressBook) -> String {
    let paths = &snapshot.paths;
    if paths.is_empty() {
        return "no paths yet: no announce of another was heard; see `nexus doctor`\n".to_owned();
    }
    let table = [
        words("PATH TO", 7),
        numbers("HOPS"),
        words("ON", 4),
        words("VIA", 8),
        numbers("µNXS"),
        numbers("WORST"),
        numbers("LEAST"),
        numbers("OK"),
        numbers("MORE"),
        numbers("HEARD"),
    ];
    let row = |path: &Path| {
        let cost =
            |told: fn(nexus_daemon::api::Cost) -> String| path.cost.map_or_else(|| "?".to_owned(), told);
        let kind = if path.node { "" } else { "other " };
        [
            format!("{kind}{}", called(&path.destination, book)),
            path.hops.to_string(),
            path.interface.clone(),
            path.via.as_ref().map_or_else(|| "-".to_owned(), |via| cut(&called(via, book), 12)),
            cost(|cost| short_price(cost.unxs_per_kib)),
            cost(|cost| format!("{} ms", cost.worst_latency_ms)),
            cost(|cost| rate(cost.bottleneck_bps)),
            path.reliability_percent.map_or_else(|| "?".to_owned(), |percent| format!("{percent} %")),
            path.others.to_string(),
            short(path.age_s),
        ]
    };
    let policy = snapshot.status.path_policy;
    let mut text = render(&table, &paths.iter().map(row).collect::<Vec<_>>());
    text.push_str(&line(&format!("chosen under {policy}, at µNXS for 1,024 bytes; why: `nexus path NODE`")));
    text
}

/// What its interfaces had on their media.
pub(super) fn budget(snapshot: &Snapshot, _book: &AddressBook) -> String {
    budget::page(&snapshot.budget)
}

/// What carrying for neighbours brings.
pub(super) fn income(snapshot: &Snapshot, book: &AddressBook) -> String {
    income::page(&snapshot.income, book)
}

/// What waits for its interfaces, and what became of what waited.
pub(super) fn balances(snapshot: &Snapshot, book: &AddressBook) -> String {
    balances::page(snapshot.balances.as_ref(), book)
}

pub(super) fn queues(snapshot: &Snapshot, _book: &AddressBook) -> String {
    queues::page(&snapshot.queues)
}

/// What a node is called: its contact's name, else its id.
fn called(node: &str, book: &AddressBook) -> String {
    book.name_of(node).unwrap_or(node).to_owned()
}

fn counts(counts: &BTreeMap<String, u64>) -> String {
    let each = counts.iter().map(|(cause, count)| format!("{count} {}", harmless(&cause.replace('_', " "))));
    each.collect::<Vec<_>>().join(", ")
}

/// A line of at most a page's width.
fn line(text: &str) -> String {
    cut(text, PAGE) + "\n"
}
