//! What can be seen of a node, in the words of the control protocol.

mod budget;
mod paths;
mod queues;
mod radio;
mod rns;

use std::collections::BTreeMap;

use nexus_crypto::NodeId;
use nexus_machine::Instant;
use nexus_network::broadcast::ChannelStatus;
use nexus_network::{Down, InterfaceId, LinkStatus, Mode};
use nexus_node::Sender;

use crate::api::{Broadcast, Interface, Link, Message, Traffic};
use crate::driver::{Carrier, Spread};
use crate::drivers::udp;
use crate::host::{HostView, InterfaceStatus, MediumStatus};

pub(crate) use budget::budget;
pub(crate) use paths::count as count_paths;
pub(super) use paths::{Names, policy_of, quote, ways};
pub(crate) use paths::{Reading, path_to, paths};
pub(crate) use queues::queues;
pub(super) use rns::rns_status;

/// The name of an interface; its number if it is gone.
pub(super) fn interface_name(view: &HostView<'_>, iface: InterfaceId) -> String {
    if iface == nexus_node::ENDPOINT {
        return "endpoint".to_owned();
    }
    if iface >= nexus_node::CROSSINGS_FROM {
        return "crossing".to_owned();
    }
    view.interfaces()
        .find(|interface| interface.id == iface)
        .map_or_else(|| format!("({})", iface.0), |interface| interface.name.clone())
}

pub(crate) fn interfaces(view: &HostView<'_>) -> Vec<Interface> {
    let mut all: Vec<_> = view.interfaces().map(|interface| interface_of(view, interface)).collect();
    // A listener without a connection, or a connection that is not there yet.
    for medium in view.media() {
        if all.iter().any(|interface| interface.name == medium.name) {
            continue;
        }
        let drops = [
            ("refused", medium.refused),
            ("errors", medium.errors),
            ("forged", medium.forged),
            ("strangers", medium.strangers),
            ("echoed", medium.echoed),
        ];
        all.push(Interface {
            name: medium.name.clone(),
            kind: medium.kind.to_owned(),
            mode: String::new(),
            up: medium.spread == Spread::EachPeer && medium.fault.is_none(),
            peers: peers(view, &medium),
            address: place(&medium),
            bandwidth_bps: 0,
            price_unxs_per_kib: 0,
            sent: Traffic::default(),
            received: Traffic::default(),
            drops: occurred(drops),
            fault: medium.fault,
            radio: None,
            broadcast: None,
        });
    }
    all.sort_by(|one, other| one.name.cmp(&other.name));
    all
}

fn interface_of(view: &HostView<'_>, interface: &InterfaceStatus) -> Interface {
    let counters = &interface.counters;
    let media = view.node().network().media();
    let waiting = media.drops(interface.id).unwrap_or_default();
    let late = media.queue(interface.id).map_or(0, |queue| queues::late(&queue));
    let medium = view.media().find(|medium| medium.name == interface.name);
    let errors = medium.as_ref().map_or(0, |medium| medium.errors);
    let drops = [
        ("not_taken", counters.send_errors),
        ("unusable", counters.unusable),
        ("socket_errors", errors),
        ("too_long", waiting.too_long),
        ("late", late),
        ("over_share", waiting.over_share),
        ("displaced", waiting.displaced),
        ("jammed", waiting.jammed),
        ("went_down", waiting.went_down),
        ("recalled", waiting.recalled),
    ];
    Interface {
        name: interface.name.clone(),
        kind: interface.kind.to_owned(),
        mode: mode(interface.profile.mode).to_owned(),
        up: interface.carrier == Carrier::Up,
        peers: None,
        address: medium.as_ref().map(place).unwrap_or_default(),
        bandwidth_bps: interface.profile.bandwidth_bps,
        price_unxs_per_kib: interface.profile.price,
        sent: Traffic { frames: counters.frames_out, bytes: counters.bytes_out },
        received: Traffic { frames: counters.frames_in, bytes: counters.bytes_in },
        drops: occurred(drops),
        fault: interface.fault.clone(),
        radio: interface.radio.as_ref().map(radio::seen),
        broadcast: view.node().network().broadcast().status(interface.id).map(broadcast_of),
    }
}

fn broadcast_of(channel: ChannelStatus) -> Broadcast {
    let number = |count: usize| u64::try_from(count).unwrap_or(u64::MAX);
    let traffic = |of: nexus_network::links::Traffic| Traffic { frames: of.frames, bytes: of.bytes };
    Broadcast {
        hearers: number(channel.hearers),
        others: number(channel.others),
        sealed: traffic(channel.sealed),
        opened: traffic(channel.opened),
    }
}

/// Where a medium is bound, or what it runs on.
fn place(medium: &MediumStatus) -> String {
    let address = medium.address.map(|address| address.to_string());
    address.or_else(|| medium.place.clone()).unwrap_or_default()
}

/// How many peers a medium has that is an interface for each.
fn peers(view: &HostView<'_>, medium: &MediumStatus) -> Option<u64> {
    let count = || u64::try_from(view.interfaces_of(&medium.name).count()).unwrap_or(u64::MAX);
    (medium.spread == Spread::EachPeer).then(count)
}

const fn mode(mode: Mode) -> &'static str {
    match mode {
        Mode::Nexus => "nexus",
        Mode::Reticulum => "reticulum",
    }
}

fn occurred<const N: usize>(causes: [(&str, u64); N]) -> BTreeMap<String, u64> {
    causes
        .into_iter()
        .filter(|(_, count)| *count > 0)
        .map(|(cause, count)| (cause.to_owned(), count))
        .collect()
}

/// What became of requests for ways.
pub(crate) fn path_requests(view: &HostView<'_>) -> BTreeMap<String, u64> {
    let requests = view.node().network().announces().path_requests();
    occurred([
        ("asked", requests.asked),
        ("widened", requests.widened),
        ("answered", requests.answered),
        ("passed_on", requests.passed_on),
        ("passed_back", requests.passed_back),
        ("dead_ends", requests.dead_ends),
        ("timed_out", requests.timed_out),
        ("found", requests.found),
        ("found_hops", requests.found_hops),
        ("found_ms", requests.found_ms),
    ])
}

/// What was heard and not believed.
pub(crate) fn refusals(view: &HostView<'_>) -> BTreeMap<String, u64> {
    let network = view.node().network();
    let announces = network.announces().refusals();
    let requests = network.announces().path_requests();
    let (drops, access) = (network.forwarding().drops(), network.access().refusals());
    let messages = view.node().secure().correspondence().refusals();
    let letters = view.node().lxmf().refusals();
    let links = network.links().refusals().by_name().filter(|(_, count)| *count > 0);
    let broadcasts = network.broadcast().refusals().by_name().filter(|(_, count)| *count > 0);
    let mut all: BTreeMap<String, u64> =
        links.map(|(cause, count)| (format!("link_{cause}"), count)).collect();
    all.extend(broadcasts.map(|(cause, count)| (format!("broadcast_{cause}"), count)));
    all.extend(occurred([
        ("lxmf_malformed", letters.malformed),
        ("lxmf_repeated", letters.repeated),
        ("lxmf_forged", letters.forged),
        ("lxmf_unstamped", letters.unstamped),
        ("lxmf_busy", letters.busy),
        ("lxmf_too_long", letters.too_long),
        ("announce_closed", announces.closed),
        ("announce_malformed", announces.malformed),
        ("announce_stale", announces.stale),
        ("announce_forged", announces.forged),
        ("announce_other_key", announces.other_key),
        ("announce_too_long", announces.too_long),
        ("announce_crowded", announces.crowded),
        ("announce_withheld", announces.withheld),
        ("announce_hasty", announces.hasty),
        ("announce_held", announces.held),
        ("announce_flooded", announces.flooded),
        ("announce_too_often", announces.too_often),
        ("announce_unsaid", announces.unsaid),
        ("announce_echo", announces.echoes),
        ("announce_far", announces.far),
        ("request_refused", requests.refused),
        ("request_repeated", requests.repeated),
        ("answer_unasked", requests.unasked),
        ("access_missing", access.missing),
        ("access_wrong", access.wrong),
        ("access_unexpected", access.unexpected),
        ("packet_malformed", drops.malformed),
        ("packet_hop_limit", drops.hop_limit),
        ("packet_duplicate", drops.duplicate),
        ("packet_not_for_us", drops.not_for_us),
        ("packet_leaf", drops.leaf),
        ("packet_no_path", drops.no_path),
        ("packet_loop", drops.loops),
        ("packet_other_relay", drops.other_relay),
        ("packet_link_local", drops.link_local),
        ("packet_no_circuit", drops.no_circuit),
        ("packet_off_circuit", drops.off_circuit),
        ("packet_unproved", drops.unproved),
        ("packet_bad_proof", drops.bad_proof),
        ("packet_no_reverse", drops.no_reverse),
        ("packet_underpriced", drops.underpriced),
        ("packet_unpaid", drops.unpaid),
        ("packet_no_channel", drops.no_channel),
        ("circuit_unanswered", drops.unanswered),
        ("message_malformed", messages.malformed),
        ("message_unopened", messages.unopened),
        ("message_unprotected", messages.unprotected),
        ("message_replayed", messages.replayed),
        ("message_forged", messages.forged),
        ("message_unproved", messages.unproved),
        ("message_unknown", messages.unknown),
        ("message_busy", messages.busy),
    ]));
    all
}

pub(super) fn links(view: &HostView<'_>) -> Vec<Link> {
    view.node().network().links().status().map(|status| link(view, &status)).collect()
}

pub(super) fn link(view: &HostView<'_>, link: &LinkStatus) -> Link {
    Link {
        peer: link.peer.node_id().to_string(),
        interface: interface_name(view, link.iface),
        endpoint: link.endpoint.as_ref().and_then(udp::socket_address).map(|address| address.to_string()),
        up_s: age_s(view.now(), link.up_at),
        heard_s: age_s(view.now(), link.heard_at),
        rtt_us: link.rtt.map(nexus_machine::Duration::as_micros),
        rekeys: link.rekeys,
        sent: Traffic { frames: link.sent.frames, bytes: link.sent.bytes },
        received: Traffic { frames: link.received.frames, bytes: link.received.bytes },
    }
}

pub(super) const fn why(down: Down) -> &'static str {
    match down {
        Down::Interface => "interface",
        Down::Silent => "silent",
        Down::Replaced => "replaced",
        Down::Policy => "policy",
        Down::KeyExpired => "key_expired",
        Down::ClocksParted => "clocks_parted",
        Down::Exhausted => "exhausted",
    }
}

/// What tells LXMF addresses from node ids, which look alike.
pub(crate) const LXMF_PREFIX: &str = "lxmf:";

pub(super) fn message(message: &nexus_node::Message) -> Message {
    let from = |node: NodeId| Some(node.to_string());
    let (from, verified) = match message.sender {
        Sender::Verified(node) => (from(node), true),
        Sender::Claimed(node) => (from(node), false),
        Sender::Anonymous => (None, false),
        Sender::Foreign(address) => (Some(format!("{LXMF_PREFIX}{address}")), true),
        Sender::ForeignClaimed(address) => (Some(format!("{LXMF_PREFIX}{address}")), false),
    };
    let text = String::from_utf8_lossy(&message.text).into_owned();
    Message { number: message.number, from, verified, unix_s: message.unix_s, text }
}

const fn age_s(now: Instant, then: Instant) -> u64 {
    now.since(then).as_secs()
}

/// Resident memory of this process, in bytes; 0 where the system does not say.
pub(crate) fn memory_bytes() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib =
        line.and_then(|line| line.trim().strip_suffix("kB")).and_then(|kib| kib.trim().parse::<u64>().ok());
    kib.unwrap_or(0) * 1_024
}
