//! What can be seen of what waits for interfaces.

use std::collections::BTreeMap;

use nexus_network::media::{CLASSES, ClassStatus, Drops, Held, QueueStatus};
use nexus_network::{Class, Feeder, InterfaceId, LinkId};
use nexus_wire::nexus::control::Severity;

use super::occurred;
use crate::api::{self, ClassOfQueue, PacketClass, Pressed, Queue, Queues, Sharer};
use crate::host::HostView;

pub(crate) fn queues(view: &HostView<'_>) -> Queues {
    let media = view.node().network().media();
    let mut interfaces: Vec<Queue> = view
        .interfaces()
        .filter_map(|interface| {
            let status = media.queue(interface.id)?;
            let drops = media.drops(interface.id).unwrap_or_default();
            Some(queue_of(view, &interface.name, &status, &drops))
        })
        .collect();
    interfaces.sort_by(|one, other| one.interface.cmp(&other.interface));
    Queues { interfaces }
}

fn queue_of(view: &HostView<'_>, name: &str, status: &QueueStatus, drops: &Drops) -> Queue {
    let late = late(status);
    let [moderate, severe, saturated] = status.told;
    Queue {
        interface: name.to_owned(),
        room: held(status.room),
        control: held(status.control),
        news: held(status.news),
        classes: CLASSES.into_iter().map(|class| (name_of(class), class_of(status.class(class)))).collect(),
        sharers: status.sharers.iter().map(|sharer| sharer_of(view, sharer)).collect(),
        pressed: status.pressed.iter().map(|pressed| pressed_of(view, pressed)).collect(),
        told: occurred([("moderate", moderate), ("severe", severe), ("saturated", saturated)]),
        price_raised_percent: (u64::from(status.surge) * 100) >> 16,
        drops: drops_of(drops, late),
    }
}

/// How many frames were dropped because they waited too long, of all classes.
pub(super) fn late(status: &QueueStatus) -> u64 {
    status.classes.iter().fold(0, |sum, class| sum.saturating_add(class.late))
}

/// Frames that did not leave, by cause.
fn drops_of(drops: &Drops, late: u64) -> BTreeMap<String, u64> {
    occurred([
        ("late", late),
        ("over_share", drops.over_share),
        ("displaced", drops.displaced),
        ("jammed", drops.jammed),
        ("too_long", drops.too_long),
        ("went_down", drops.went_down),
        ("recalled", drops.recalled),
    ])
}

fn class_of(status: ClassStatus) -> ClassOfQueue {
    let waited_us = status.waited.as_micros();
    ClassOfQueue {
        waiting: held(status.waiting),
        left: status.left,
        left_bytes: status.left_bytes,
        waited_mean_us: waited_us.checked_div(status.left).unwrap_or(0),
        waited_us,
        waited_longest_us: status.longest.as_micros(),
        late: status.late,
    }
}

fn sharer_of(view: &HostView<'_>, sharer: &nexus_network::media::Sharer) -> Sharer {
    let (peer, interface) = match sharer.from {
        Feeder::Own => (None, None),
        Feeder::Clear(iface) => (None, name_of_interface(view, iface)),
        Feeder::Link(link) => {
            let status = view.node().network().links().status().find(|status| status.id == link);
            let peer = status.as_ref().map(|status| status.peer.node_id().to_string());
            (peer, status.and_then(|status| name_of_interface(view, status.iface)))
        }
    };
    Sharer { peer, interface, weight: sharer.weight.get(), waiting: held(sharer.waiting) }
}

fn pressed_of(view: &HostView<'_>, pressed: &nexus_network::media::Pressed) -> Pressed {
    let severity = match pressed.severity {
        Severity::SATURATED => "saturated",
        Severity::SEVERE => "severe",
        _ => "moderate",
    };
    Pressed { peer: peer_of(view, pressed.link), severity: severity.to_owned(), limit_bps: pressed.limit_bps }
}

fn peer_of(view: &HostView<'_>, link: LinkId) -> Option<String> {
    let status = view.node().network().links().status().find(|status| status.id == link)?;
    Some(status.peer.node_id().to_string())
}

fn name_of_interface(view: &HostView<'_>, iface: InterfaceId) -> Option<String> {
    view.interfaces().find(|interface| interface.id == iface).map(|interface| interface.name.clone())
}

fn held(held: Held) -> api::Held {
    let number = |count: usize| u64::try_from(count).unwrap_or(u64::MAX);
    api::Held { frames: number(held.frames), bytes: number(held.bytes) }
}

fn name_of(class: Class) -> String {
    let class = match class {
        Class::RealTime => PacketClass::RealTime,
        Class::Interactive => PacketClass::Interactive,
        Class::Standard => PacketClass::Standard,
        Class::Bulk => PacketClass::Bulk,
    };
    class.name().to_owned()
}
