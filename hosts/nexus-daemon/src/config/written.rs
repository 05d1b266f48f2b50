//! The file as it is written, and what it means.

mod access;
mod auto;
mod books;
mod decorations;
mod instance;
mod letters;
mod modems;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Display;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use nexus_crypto::NodeId;
use nexus_machine::{Relaying, Traces};
use nexus_network::{Mode, Policy, Role, Weight};
use nexus_node::economy::trust::NAMED;
use nexus_wire::reticulum::ifac::TagLen;
use serde::Deserialize;
use toml::Spanned;

use super::{Config, Crossings, Discovery, HostPort, Interface, Lxmf, Medium, Peer, node_id, node_ids};
use crate::api::PathPolicy;
use crate::logs::Level;
use crate::passphrase::Source;
use crate::privacy::Privacy;
use crate::state_dir::StateDir;

use access::{WrittenAccess, access};
use auto::WrittenAuto;
use books::WrittenBooks;
use decorations::{WrittenFaults, decorations};
use instance::WrittenShared;
use letters::WrittenLxmf;
use modems::{WrittenRnode, WrittenSerial};

/// What is wrong, and where in the text.
#[derive(Debug)]
pub(super) struct Wrong {
    pub(super) at: usize,
    pub(super) sentence: String,
}

impl Wrong {
    fn new(at: &Spanned<impl Sized>, sentence: impl Display) -> Self {
        Self { at: at.span().start, sentence: sentence.to_string() }
    }
}

/// What may stand in an announce beside a label and the other fields.
const MAX_LABEL: usize = 32;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    identity: Option<PathBuf>,
    passphrase: Option<Spanned<String>>,
    log_level: Option<Spanned<String>>,
    privacy: Option<Spanned<String>>,
    policy: Option<Spanned<String>>,
    #[serde(default)]
    nodes: Vec<Spanned<String>>,
    #[serde(default)]
    weights: BTreeMap<String, Spanned<toml::Value>>,
    relaying: Option<bool>,
    crossings: Option<bool>,
    label: Option<Spanned<String>>,
    pcap_opened: Option<PathBuf>,
    path_policy: Option<Spanned<String>>,
    answer_traces: Option<bool>,
    metrics: Option<WrittenMetrics>,
    shared: Option<Spanned<WrittenShared>>,
    lxmf: Option<Spanned<WrittenLxmf>>,
    ledger: Option<WrittenBooks>,
    #[serde(default)]
    trusted: Vec<Spanned<String>>,
    line: Option<Spanned<toml::Value>>,
    #[serde(default)]
    udp: Vec<Spanned<WrittenUdp>>,
    #[serde(default)]
    tcp: Vec<Spanned<WrittenTcp>>,
    #[serde(default)]
    pipe: Vec<Spanned<WrittenPipe>>,
    #[serde(default)]
    rnode: Vec<Spanned<WrittenRnode>>,
    #[serde(default)]
    serial: Vec<Spanned<WrittenSerial>>,
    #[serde(default)]
    auto: Vec<Spanned<WrittenAuto>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenMetrics {
    listen: Spanned<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenUdp {
    name: Option<String>,
    mode: Option<Spanned<String>>,
    bandwidth_bps: Option<u64>,
    price: Option<Spanned<toml::Value>>,
    role: Option<Spanned<String>>,
    gravity: Option<Spanned<toml::Value>>,
    access: Option<Spanned<WrittenAccess>>,
    listen: Option<Spanned<String>>,
    discovery_v4: Option<bool>,
    discovery_v6: Option<bool>,
    #[serde(default)]
    peers: Vec<Spanned<String>>,
    #[serde(default)]
    trace: bool,
    pcap: Option<PathBuf>,
    faults: Option<Spanned<WrittenFaults>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenTcp {
    name: Option<String>,
    mode: Option<Spanned<String>>,
    bandwidth_bps: Option<u64>,
    price: Option<Spanned<toml::Value>>,
    role: Option<Spanned<String>>,
    gravity: Option<Spanned<toml::Value>>,
    access: Option<Spanned<WrittenAccess>>,
    listen: Option<Spanned<String>>,
    #[serde(default)]
    connect: Vec<Spanned<String>>,
    #[serde(default)]
    trace: bool,
    pcap: Option<PathBuf>,
    faults: Option<Spanned<WrittenFaults>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenPipe {
    name: Option<String>,
    mode: Option<Spanned<String>>,
    bandwidth_bps: Option<u64>,
    price: Option<Spanned<toml::Value>>,
    role: Option<Spanned<String>>,
    gravity: Option<Spanned<toml::Value>>,
    access: Option<Spanned<WrittenAccess>>,
    command: Vec<String>,
    #[serde(default)]
    trace: bool,
    pcap: Option<PathBuf>,
    faults: Option<Spanned<WrittenFaults>>,
}

pub(super) fn understand(state: &StateDir, path: &Path, text: &str) -> Result<Config, Wrong> {
    let written: Written = toml::from_str(text).map_err(|cause| {
        let at = cause.span().map_or(0, |span| span.start);
        Wrong { at, sentence: cause.message().replace('\n', " ") }
    })?;
    let base = path.parent().unwrap_or(Path::new("."));
    let default = Config::default_for(state);
    let policy = policy(&written)?;
    let label = written.label.as_ref().map(label).transpose()?;
    let mut interfaces = interfaces(&written, base)?;
    if interfaces.is_empty() {
        interfaces.clone_from(&default.interfaces);
    }
    interfaces.extend(shared(&written)?);
    let config = Config {
        file: Some(path.to_owned()),
        identity: written.identity.as_ref().map_or(default.identity, |identity| base.join(identity)),
        passphrase: parsed::<Source>(written.passphrase.as_ref())?.unwrap_or(default.passphrase),
        log_level: parsed::<Level>(written.log_level.as_ref())?.unwrap_or(default.log_level),
        privacy: parsed::<Privacy>(written.privacy.as_ref())?.unwrap_or(default.privacy),
        policy,
        weights: weights(&written)?,
        relaying: match written.relaying {
            None | Some(true) => Relaying::On,
            Some(false) => Relaying::Off,
        },
        crossings: match written.crossings {
            None | Some(true) => Crossings::Made,
            Some(false) => Crossings::None,
        },
        label,
        pcap_opened: written.pcap_opened.as_ref().map(|path| base.join(path)),
        path_policy: parsed::<PathPolicy>(written.path_policy.as_ref())?.unwrap_or(default.path_policy),
        traces: match written.answer_traces {
            None | Some(true) => Traces::Answered,
            Some(false) => Traces::Unanswered,
        },
        metrics: written.metrics.as_ref().map(WrittenMetrics::address).transpose()?,
        trusted: trusted(&written)?,
        line: line(written.line.as_ref())?.map_or(default.line, |line| (line > 0).then_some(line)),
        lxmf: lxmf(&written)?,
        books: written.ledger.as_ref().map(|books| books.books(base)).transpose()?,
        rpc: written.shared.as_ref().map(|shared| shared.get_ref().rpc()).transpose()?,
        interfaces,
    };
    Ok(config)
}

fn parsed<T: FromStr<Err: Display>>(text: Option<&Spanned<String>>) -> Result<Option<T>, Wrong> {
    text.map(|text| text.get_ref().parse().map_err(|cause| Wrong::new(text, cause))).transpose()
}

fn policy(written: &Written) -> Result<Policy, Wrong> {
    let listed = || {
        node_ids(&written.nodes.iter().map(Spanned::get_ref).collect::<Vec<_>>()).map_err(|(at, cause)| {
            written.nodes.get(at).map_or_else(|| nowhere(&cause), |id| Wrong::new(id, &cause))
        })
    };
    let unneeded = || match written.nodes.first() {
        Some(first) => {
            Err(Wrong::new(first, "`nodes` is for the policies \"allow\", \"deny\" and \"trusted\""))
        }
        None => Ok(Policy::Anyone),
    };
    let Some(name) = &written.policy else { return unneeded() };
    match name.get_ref().as_str() {
        "anyone" => unneeded(),
        "allow" | "trusted" => Ok(Policy::Only(listed()?)),
        "deny" => Ok(Policy::AllBut(listed()?)),
        other => Err(Wrong::new(
            name,
            format!("{other:?} is no policy: say \"anyone\", \"allow\", \"deny\" or \"trusted\""),
        )),
    }
}

/// Neighbours that have more of interfaces than others.
fn weights(written: &Written) -> Result<BTreeMap<NodeId, Weight>, Wrong> {
    let entry = |(node, times): (&String, &Spanned<toml::Value>)| {
        let node = node_id(node).map_err(|cause| Wrong::new(times, cause))?;
        let weight = times.get_ref().as_integer().and_then(|times| u16::try_from(times).ok());
        let weight = weight.and_then(Weight::new).ok_or_else(|| {
            Wrong::new(times, "a weight is a whole number from 1, which is everybody's, to 65535")
        })?;
        Ok((node, weight))
    };
    written.weights.iter().map(entry).collect()
}

/// This node's LXMF address.
fn lxmf(written: &Written) -> Result<Option<Lxmf>, Wrong> {
    let Some(lxmf) = &written.lxmf else { return Ok(None) };
    if written.relaying == Some(false) {
        let sentence = "`[lxmf]` needs `relaying`: what the address sends is carried as others' packets are";
        return Err(Wrong::new(lxmf, sentence));
    }
    lxmf.get_ref().lxmf().map(Some)
}

/// Where programs of this machine attach. What they send is carried as others' packets are.
fn shared(written: &Written) -> Result<Option<Interface>, Wrong> {
    let Some(shared) = &written.shared else { return Ok(None) };
    if written.relaying == Some(false) {
        return Err(Wrong::new(
            shared,
            "`[shared]` needs `relaying`: what programs send is carried as others' packets are",
        ));
    }
    shared.get_ref().interface().map(Some)
}

fn nowhere(cause: &impl Display) -> Wrong {
    Wrong { at: 0, sentence: cause.to_string() }
}

fn label(label: &Spanned<String>) -> Result<String, Wrong> {
    let text = label.get_ref();
    if text.is_empty() || text.len() > MAX_LABEL || text.chars().any(char::is_control) {
        return Err(Wrong::new(
            label,
            format!("a label has 1 to {MAX_LABEL} bytes and no control characters"),
        ));
    }
    Ok(text.clone())
}

fn interfaces(written: &Written, base: &Path) -> Result<Vec<Interface>, Wrong> {
    let mut all = Vec::new();
    for (number, udp) in written.udp.iter().enumerate() {
        all.push((udp.span().start, udp.get_ref().interface(number, base)?));
    }
    for (number, tcp) in written.tcp.iter().enumerate() {
        let at = tcp.span().start;
        all.extend(interfaces_of_tcp(tcp, number, base)?.into_iter().map(|interface| (at, interface)));
    }
    for (number, pipe) in written.pipe.iter().enumerate() {
        all.push((pipe.span().start, pipe.get_ref().interface(pipe, number, base)?));
    }
    for (number, rnode) in written.rnode.iter().enumerate() {
        all.push((rnode.span().start, rnode.get_ref().interface(rnode, number, base)?));
    }
    for (number, serial) in written.serial.iter().enumerate() {
        all.push((serial.span().start, serial.get_ref().interface(serial, number, base)?));
    }
    for (number, auto) in written.auto.iter().enumerate() {
        all.push((auto.span().start, auto.get_ref().interface(number, base)?));
    }
    let (mut names, mut listening, mut ports) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
    for (at, interface) in &all {
        let wrong = |sentence| Wrong { at: *at, sentence };
        if !names.insert(interface.name.clone()) {
            return Err(wrong(format!("two interfaces are called {:?}", interface.name)));
        }
        match &interface.medium {
            Medium::Udp { listen, .. } if listen.port() != 0 && !listening.insert(("UDP", *listen)) => {
                return Err(wrong(format!("two interfaces listen on UDP {listen}")));
            }
            Medium::TcpListen { listen } if listen.port() != 0 && !listening.insert(("TCP", *listen)) => {
                return Err(wrong(format!("two interfaces listen on TCP {listen}")));
            }
            Medium::Rnode { port, .. } | Medium::Serial { port, .. } if !ports.insert(port.clone()) => {
                return Err(wrong(format!("two interfaces use {port}")));
            }
            Medium::Udp { .. }
            | Medium::TcpListen { .. }
            | Medium::TcpConnect { .. }
            | Medium::Pipe { .. }
            | Medium::Rnode { .. }
            | Medium::Serial { .. }
            | Medium::Auto { .. }
            | Medium::Shared { .. } => {}
        }
    }
    auto::apart(&all)?;
    Ok(all.into_iter().map(|(_, interface)| interface).collect())
}

impl WrittenMetrics {
    /// Whoever can reach it can read it, so that is this machine.
    fn address(&self) -> Result<SocketAddr, Wrong> {
        let written = self.listen.get_ref();
        match written.parse::<SocketAddr>() {
            Ok(address) if address.ip().to_canonical().is_loopback() => Ok(address),
            Ok(_) => Err(Wrong::new(
                &self.listen,
                format!(
                    "metrics would be told at {written} to whoever asks, without a password: `listen` is an address of this machine \
                     alone, such as \"127.0.0.1:9464\" or \"[::1]:9464\""
                ),
            )),
            Err(_) => Err(Wrong::new(
                &self.listen,
                format!("{written:?} is no address to tell metrics at: one is written \"127.0.0.1:9464\""),
            )),
        }
    }
}

impl WrittenUdp {
    fn interface(&self, number: usize, base: &Path) -> Result<Interface, Wrong> {
        let Medium::Udp { listen, .. } = Interface::default_udp().medium else {
            unreachable!("the default interface is a UDP socket")
        };
        let mode = mode(self.mode.as_ref())?;
        let peers = self
            .peers
            .iter()
            .map(|peer| peer.get_ref().parse::<Peer>().map_err(|cause| Wrong::new(peer, cause)));
        let peers = peers.collect::<Result<Vec<_>, _>>()?;
        let listen = socket(self.listen.as_ref())?.unwrap_or(listen);
        // A socket that speaks Reticulum is a cable between two: its only peer is where its frames go.
        let discovery = |chosen: Option<bool>| match (chosen, mode) {
            (Some(true), _) | (None, Mode::Nexus) => Discovery::On,
            (Some(false), _) | (None, Mode::Reticulum) => Discovery::Off,
        };
        if let (Mode::Reticulum, Some(written), false) = (mode, &self.mode, peers.len() == 1) {
            return Err(Wrong::new(written, "UDP in reticulum mode runs between two: `peers` has one entry"));
        }
        Ok(Interface {
            name: self.name.clone().unwrap_or_else(|| format!("udp{number}")),
            mode,
            bandwidth_bps: self.bandwidth_bps,
            price: price(self.price.as_ref(), mode)?,
            role: role(self.role.as_ref(), mode)?,
            gravity: gravity(self.gravity.as_ref(), mode)?,
            access: access(self.access.as_ref(), mode, TagLen::WIDE, base)?,
            medium: Medium::Udp {
                listen,
                discovery_v4: discovery(self.discovery_v4),
                discovery_v6: discovery(self.discovery_v6),
                peers,
            },
            decorations: decorations(self.trace, self.pcap.as_deref(), self.faults.as_ref(), base)?,
        })
    }
}

fn interfaces_of_tcp(
    spanned: &Spanned<WrittenTcp>,
    number: usize,
    base: &Path,
) -> Result<Vec<Interface>, Wrong> {
    let tcp = spanned.get_ref();
    let name = tcp.name.clone().unwrap_or_else(|| format!("tcp{number}"));
    let mut media = Vec::new();
    if let Some(listen) = socket(tcp.listen.as_ref())? {
        media.push((name.clone(), Medium::TcpListen { listen }));
    }
    for (index, to) in tcp.connect.iter().enumerate() {
        let name = match (&tcp.listen, tcp.connect.len()) {
            (None, 1) => name.clone(),
            _ => format!("{name}-{}", index + 1),
        };
        let to = to.get_ref().parse::<HostPort>().map_err(|cause| Wrong::new(to, cause))?;
        media.push((name, Medium::TcpConnect { to }));
    }
    if media.is_empty() {
        return Err(Wrong::new(spanned, "a TCP interface says where to `listen`, or to `connect`"));
    }
    let mode = mode(tcp.mode.as_ref())?;
    let price = price(tcp.price.as_ref(), mode)?;
    let role = role(tcp.role.as_ref(), mode)?;
    let gravity = gravity(tcp.gravity.as_ref(), mode)?;
    let access = access(tcp.access.as_ref(), mode, TagLen::WIDE, base)?;
    let decorations = decorations(tcp.trace, tcp.pcap.as_deref(), tcp.faults.as_ref(), base)?;
    if let (true, Some(_)) = (media.len() > 1, &decorations.pcap) {
        return Err(Wrong::new(spanned, "a recording is of one interface: give each its own [[tcp]] table"));
    }
    let interface = |(name, medium)| Interface {
        name,
        mode,
        bandwidth_bps: tcp.bandwidth_bps,
        price,
        role,
        gravity,
        access: access.clone(),
        medium,
        decorations: decorations.clone(),
    };
    Ok(media.into_iter().map(interface).collect())
}

impl WrittenPipe {
    fn interface(&self, spanned: &Spanned<Self>, number: usize, base: &Path) -> Result<Interface, Wrong> {
        if self.command.first().is_none_or(String::is_empty) {
            return Err(Wrong::new(spanned, "a pipe has a `command`: the program, then its arguments"));
        }
        let mode = mode(self.mode.as_ref())?;
        Ok(Interface {
            name: self.name.clone().unwrap_or_else(|| format!("pipe{number}")),
            mode,
            bandwidth_bps: self.bandwidth_bps,
            price: price(self.price.as_ref(), mode)?,
            role: role(self.role.as_ref(), mode)?,
            gravity: gravity(self.gravity.as_ref(), mode)?,
            access: access(self.access.as_ref(), mode, TagLen::NARROW, base)?,
            medium: Medium::Pipe { command: self.command.clone() },
            decorations: decorations(self.trace, self.pcap.as_deref(), self.faults.as_ref(), base)?,
        })
    }
}

fn mode(text: Option<&Spanned<String>>) -> Result<Mode, Wrong> {
    let Some(text) = text else { return Ok(Mode::Nexus) };
    match text.get_ref().as_str() {
        "nexus" => Ok(Mode::Nexus),
        "reticulum" => Ok(Mode::Reticulum),
        other => Err(Wrong::new(text, format!("{other:?} is no mode: say \"nexus\" or \"reticulum\""))),
    }
}

/// Whose packets are carried for nothing.
fn trusted(written: &Written) -> Result<BTreeSet<NodeId>, Wrong> {
    if let Some(beyond) = written.trusted.get(NAMED) {
        return Err(Wrong::new(beyond, format!("no more than {NAMED} nodes can be trusted")));
    }
    let ids = written.trusted.iter();
    ids.map(|id| node_id(id.get_ref()).map_err(|cause| Wrong::new(id, cause))).collect()
}

/// What neighbours are lent.
fn line(written: Option<&Spanned<toml::Value>>) -> Result<Option<u64>, Wrong> {
    let Some(written) = written else { return Ok(None) };
    let line = written.get_ref().as_integer().and_then(|line| u64::try_from(line).ok());
    line.map(Some).ok_or_else(|| Wrong::new(written, "a line is a whole number of µNXS; 0 for no channels"))
}

/// What is asked on an interface. Where nothing is carried out to neighbours nothing can be asked.
fn price(written: Option<&Spanned<toml::Value>>, mode: Mode) -> Result<u64, Wrong> {
    let Some(written) = written else { return Ok(0) };
    let price = written.get_ref().as_integer().and_then(|price| u64::try_from(price).ok());
    match (price, mode) {
        (Some(price), Mode::Nexus) => Ok(price),
        (Some(_), Mode::Reticulum) => {
            Err(Wrong::new(written, "`price` is for interfaces in nexus mode: stock nodes know no prices"))
        }
        (None, _) => Err(Wrong::new(written, "a price is a whole number of µNXS for 1,024 bytes, 0 or more")),
    }
}

/// Where an interface stands among stock nodes.
fn role(written: Option<&Spanned<String>>, mode: Mode) -> Result<Role, Wrong> {
    let Some(written) = written else { return Ok(Role::Full) };
    let name = written.get_ref();
    match (Role::named(name), mode) {
        (Some(role), Mode::Reticulum) => Ok(role),
        (Some(_), Mode::Nexus) => {
            Err(Wrong::new(written, "`role` is for interfaces in reticulum mode: links know no roles"))
        }
        (None, _) => {
            let names = Role::ALL.map(|role| format!("{:?}", role.name())).join(", ");
            Err(Wrong::new(written, format!("{name:?} is no role: say one of {names}")))
        }
    }
}

/// How strongly an interface draws paths among stock nodes.
fn gravity(written: Option<&Spanned<toml::Value>>, mode: Mode) -> Result<u8, Wrong> {
    let Some(written) = written else { return Ok(0) };
    let gravity = written.get_ref().as_integer().and_then(|gravity| u8::try_from(gravity).ok());
    match (gravity, mode) {
        (Some(gravity), Mode::Reticulum) => Ok(gravity),
        (Some(_), Mode::Nexus) => Err(Wrong::new(
            written,
            "`gravity` is for interfaces in reticulum mode: links are chosen by cost",
        )),
        (None, _) => Err(Wrong::new(written, "a `gravity` is a whole number from 0 to 255")),
    }
}

fn socket(text: Option<&Spanned<String>>) -> Result<Option<SocketAddr>, Wrong> {
    let parse = |text: &Spanned<String>| {
        text.get_ref().parse().map_err(|_| {
            let sentence = format!(
                "{:?} is no address to listen on: one is written `address:port`, `[::]:{}` for all",
                text.get_ref(),
                super::PORT
            );
            Wrong::new(text, sentence)
        })
    };
    text.map(parse).transpose()
}
