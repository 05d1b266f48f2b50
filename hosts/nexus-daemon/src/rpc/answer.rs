//! What programs are answered, in the words that the published package prints.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use nexus_crypto::{DestinationHash, IdentityHash};
use nexus_network::Role;
use nexus_node::Command;
use rmpv::Value;

use super::question::Question;
use crate::api::Path;
use crate::config::destination;
use crate::driver::Carrier;
use crate::host::{HostView, InterfaceStatus, MediumStatus};
use crate::service::sight::{self, Reading};

/// What a hop may take beside the time that its medium needs, in seconds.
const PER_HOP_S: f64 = 6.0;
/// The bits of the longest packet that every medium carries.
const PACKET_BITS: f64 = 4_000.0;

/// What stands behind all answers.
#[derive(Clone, Copy, Debug)]
pub(super) struct Facts {
    pub(super) transport_id: IdentityHash,
    pub(super) uptime: Duration,
    pub(super) unix: Duration,
}

impl Facts {
    pub(super) fn of(transport_id: IdentityHash, began: std::time::Instant) -> Self {
        let unix = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        Self { transport_id, uptime: began.elapsed(), unix }
    }
}

/// Answers a question, between two inputs of the node.
pub(super) fn answer(view: &mut HostView<'_>, question: Question, facts: Facts) -> Value {
    match question {
        Question::InterfaceStats => interface_stats(view, facts),
        Question::PathTable { max_hops } => path_table(view, max_hops, facts),
        Question::RateTable => rate_table(view, facts),
        Question::NextHop(to) => sight::path_to(view, &to).map_or(Value::Nil, |path| next_hop(&path)),
        Question::NextHopInterface(to) => {
            sight::path_to(view, &to).map_or_else(|| Value::from("None"), |path| name_of(view, &path).into())
        }
        Question::FirstHopTimeout(to) => first_hop_s(view, &to).into(),
        Question::MediumPathTimeout => {
            lowest_bps(view).map_or(PER_HOP_S, |bps| PER_HOP_S + 2.0 * packet_s(bps)).into()
        }
        Question::LowestBitrate => lowest_bps(view).map_or(Value::Nil, Value::from),
        Question::LinkCount => {
            u64::try_from(view.node().network().forwarding().circuits()).unwrap_or(u64::MAX).into()
        }
        Question::PacketMeasure | Question::Unknown => Value::Nil,
        Question::DestinationData(of) => view.node().routing(view.now()).known(&of).is_some().into(),
        Question::IsBlackholed => false.into(),
        Question::DropPath(to) => drop_path(view, to).into(),
        Question::DropAllVia(relay) => drop_all_via(view, &relay).into(),
    }
}

/// Whether there was one.
fn drop_path(view: &mut HostView<'_>, destination: DestinationHash) -> bool {
    let is_there = sight::path_to(view, &destination).is_some();
    if is_there {
        view.command(Command::ForgetPaths { destination });
    }
    is_there
}

/// How many there were.
fn drop_all_via(view: &mut HostView<'_>, relay: &DestinationHash) -> u64 {
    let relay = relay.to_string();
    let mut dropped = Vec::new();
    sight::paths(view, None, |destination, path| {
        if path.via.as_ref().unwrap_or(&path.destination) == &relay {
            dropped.push(*destination);
        }
        Reading::GoesOn
    });
    let count = u64::try_from(dropped.len()).unwrap_or(u64::MAX);
    for destination in dropped {
        view.command(Command::ForgetPaths { destination });
    }
    count
}

/// When announces were passed on to stock nodes.
fn rate_table(view: &HostView<'_>, facts: Facts) -> Value {
    let ago = |at| Duration::from_micros(view.now().since(at).as_micros());
    let unix_s = |at| facts.unix.saturating_sub(ago(at)).as_secs_f64();
    let entries = view.node().network().announces().passed_on().map(|(destination, times)| {
        let times: Vec<f64> = times.into_iter().map(unix_s).collect();
        map([
            ("hash", Value::Binary(destination.0.to_vec())),
            ("last", times.last().copied().unwrap_or_default().into()),
            ("rate_violations", 0.into()),
            ("blocked_until", 0.into()),
            ("timestamps", Value::Array(times.into_iter().map(Value::from).collect())),
        ])
    });
    Value::Array(entries.collect())
}

fn map<const N: usize>(entries: [(&str, Value); N]) -> Value {
    Value::Map(entries.into_iter().map(|(key, value)| (key.into(), value)).collect())
}

fn binary(hash: &str) -> Value {
    destination(hash).map_or(Value::Nil, |hash| Value::Binary(hash.0.to_vec()))
}

fn next_hop(path: &Path) -> Value {
    binary(path.via.as_deref().unwrap_or(&path.destination))
}

fn interface_of<'v>(view: &'v HostView<'_>, name: &str) -> Option<&'v InterfaceStatus> {
    view.interfaces().find(|interface| interface.name == name)
}

fn name_of(view: &HostView<'_>, path: &Path) -> String {
    interface_of(view, &path.interface).map_or_else(|| path.interface.clone(), stock_name)
}

fn path_table(view: &HostView<'_>, max_hops: Option<u64>, facts: Facts) -> Value {
    let interfaces: BTreeMap<&str, &InterfaceStatus> =
        view.interfaces().map(|interface| (interface.name.as_str(), interface)).collect();
    let mut table = Vec::new();
    sight::paths(view, None, |_, path| {
        let interface = interfaces.get(path.interface.as_str());
        // Between a program and this node there is no hop.
        let uncounted = u8::from(interface.is_some_and(|interface| interface.kind == LOCAL));
        let hops = path.hops.saturating_sub(uncounted);
        if max_hops.is_none_or(|most| u64::from(hops) <= most) {
            let heard = facts.unix.saturating_sub(Duration::from_secs(path.age_s));
            let ends = facts.unix.saturating_add(Duration::from_secs(path.expires_in_s));
            let interface =
                interface.map_or_else(|| path.interface.clone(), |interface| stock_name(interface));
            table.push(map([
                ("hash", binary(&path.destination)),
                ("timestamp", heard.as_secs_f64().into()),
                ("via", next_hop(&path)),
                ("hops", hops.into()),
                ("expires", ends.as_secs_f64().into()),
                ("interface", interface.into()),
            ]));
        }
        Reading::GoesOn
    });
    Value::Array(table)
}

#[expect(clippy::cast_precision_loss, clippy::as_conversions, reason = "seconds of waiting need no more")]
fn packet_s(bps: u64) -> f64 {
    PACKET_BITS / bps as f64
}

fn first_hop_s(view: &HostView<'_>, to: &DestinationHash) -> f64 {
    let bps = sight::path_to(view, to).and_then(|path| {
        interface_of(view, &path.interface).map(|interface| interface.profile.bandwidth_bps)
    });
    bps.filter(|bps| *bps > 0).map_or(PER_HOP_S, |bps| PER_HOP_S + packet_s(bps))
}

/// Of the interfaces whose rate is known.
fn lowest_bps(view: &HostView<'_>) -> Option<u64> {
    let up = view.interfaces().filter(|interface| interface.carrier == Carrier::Up);
    up.map(|interface| interface.profile.bandwidth_bps).filter(|bps| *bps > 0).min()
}

fn interface_stats(view: &HostView<'_>, facts: Facts) -> Value {
    let (mut received, mut sent) = (0_u64, 0_u64);
    let mut all = Vec::new();
    for medium in view.media() {
        if view.interfaces().all(|interface| interface.name != medium.name) {
            all.push(listener(view, &medium));
        }
    }
    for interface in view.interfaces() {
        received = received.saturating_add(interface.counters.bytes_in);
        sent = sent.saturating_add(interface.counters.bytes_out);
        all.push(one(interface));
    }
    map([
        ("interfaces", Value::Array(all)),
        ("rxb", received.into()),
        ("txb", sent.into()),
        ("rxs", 0.into()),
        ("txs", 0.into()),
        ("transport_id", Value::Binary(facts.transport_id.0.to_vec())),
        ("transport_uptime", facts.uptime.as_secs_f64().into()),
    ])
}

/// A medium with an interface for each of its connections.
fn listener(view: &HostView<'_>, medium: &MediumStatus) -> Value {
    let of_it = || view.interfaces_of(&medium.name);
    let total = |count: fn(&InterfaceStatus) -> u64| of_it().map(count).fold(0, u64::saturating_add);
    let place = medium.address.map(|address| address.to_string()).or_else(|| medium.place.clone());
    let place = place.unwrap_or_default();
    let name = match medium.kind {
        LOCAL => format!("Shared Instance[{}]", place.trim_start_matches("\\0")),
        AUTO => format!("AutoInterface[{}]", medium.name),
        kind => format!("{}ServerInterface[{}/{place}]", kind.to_uppercase(), medium.name),
    };
    let count = || Value::from(u64::try_from(of_it().count()).unwrap_or(u64::MAX));
    let [clients, peers] = if medium.kind == AUTO { [Value::Nil, count()] } else { [count(), Value::Nil] };
    let like = of_it().next().map(|interface| interface.profile).filter(|_| medium.kind == AUTO);
    stats(Stats {
        name,
        up: medium.fault.is_none(),
        mode: like.map_or(1, |profile| mode(profile.role)),
        clients,
        peers,
        rate: like.map(|profile| (profile.bandwidth_bps, profile.frame_size)),
        received: total(|interface| interface.counters.bytes_in),
        sent: total(|interface| interface.counters.bytes_out),
        dropped: 0,
    })
}

fn one(interface: &InterfaceStatus) -> Value {
    let profile = &interface.profile;
    stats(Stats {
        name: stock_name(interface),
        up: interface.carrier == Carrier::Up,
        mode: mode(profile.role),
        clients: Value::Nil,
        peers: Value::Nil,
        rate: Some((profile.bandwidth_bps, profile.frame_size)),
        received: interface.counters.bytes_in,
        sent: interface.counters.bytes_out,
        dropped: interface.counters.send_errors,
    })
}

struct Stats {
    name: String,
    up: bool,
    mode: u8,
    clients: Value,
    peers: Value,
    rate: Option<(u64, u16)>,
    received: u64,
    sent: u64,
    dropped: u64,
}

fn stats(of: Stats) -> Value {
    let (bps, mtu) = of.rate.map_or((Value::Nil, Value::Nil), |(bps, mtu)| (bps.into(), mtu.into()));
    let mut stats = map([
        ("name", of.name.into()),
        ("status", of.up.into()),
        ("mode", of.mode.into()),
        ("clients", of.clients),
        ("bitrate", bps),
        ("mtu", mtu),
        ("rxb", of.received.into()),
        ("txb", of.sent.into()),
        ("txdrp", of.dropped.into()),
        ("txbuffered", 0.into()),
    ]);
    // Programs print it of whatever has it.
    if let (Value::Map(entries), false) = (&mut stats, of.peers.is_nil()) {
        entries.push(("peers".into(), of.peers));
    }
    stats
}

/// The kind of the interfaces of programs.
const LOCAL: &str = "local";
/// The kind of the interfaces of the local network's stock nodes.
const AUTO: &str = "auto";

/// An interface's name as stock programs know its kind: by the word before the bracket they tell what to print.
fn stock_name(interface: &InterfaceStatus) -> String {
    let kind = match interface.kind {
        LOCAL => "Local".to_owned(),
        AUTO => return format!("AutoInterfacePeer[{}]", interface.name),
        "rnode" => "RNode".to_owned(),
        "serial" => "Serial".to_owned(),
        "pipe" => "Pipe".to_owned(),
        other => other.to_uppercase(),
    };
    format!("{kind}Interface[{}]", interface.name)
}

/// The number of a role.
const fn mode(role: Role) -> u8 {
    match role {
        Role::Full | Role::Local => 1,
        Role::PointToPoint => 2,
        Role::AccessPoint => 3,
        Role::Roaming => 4,
        Role::Boundary => 5,
        Role::Gateway => 6,
        Role::Internal => 7,
    }
}
