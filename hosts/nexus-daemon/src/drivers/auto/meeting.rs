//! What happens: networks come and go, beacons are said and heard, peers appear, speak and fall silent.

use std::collections::BTreeMap;
use std::io;
use std::net::{Ipv6Addr, SocketAddr, SocketAddrV6};

use tokio::sync::mpsc;
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::{Duration, Instant, MissedTickBehavior};

use super::Auto;
use super::echoes::Echoes;
use super::peers::{At, Heard, Peers};
use super::sender::sender;
use super::station::{Came, Station, What};
use crate::driver::{Carrier, HostGone, Line, News, Opening, Port};
use crate::drivers::networks::{self, Network};

/// How often this node says that it is there, and looks who and what is.
const BEAT: Duration = Duration::from_millis(1_600);
/// How many datagrams may wait. At the bound they are dropped by the system, as at any slow receiver.
const INLET: usize = 64;

/// Everything, for one medium.
pub(super) struct Meeting {
    settings: Auto,
    line: Line,
    stations: BTreeMap<u32, Station>,
    peers: Peers<Held>,
    echoes: Echoes,
    inlet: (mpsc::Sender<Came>, mpsc::Receiver<Came>),
    sending: JoinSet<Result<(), HostGone>>,
}

/// A peer's interface.
#[derive(Debug)]
struct Held {
    port: Port,
    sending: AbortHandle,
}

impl Meeting {
    pub(super) fn new(settings: Auto, line: Line) -> Self {
        let peers = Peers::at_most(settings.peers);
        Self {
            settings,
            line,
            stations: BTreeMap::new(),
            peers,
            echoes: Echoes::default(),
            inlet: mpsc::channel(INLET),
            sending: JoinSet::new(),
        }
    }

    /// Opens the stations that can be. An address at which somebody else is already, if there is one.
    pub(super) fn attend(&mut self) -> Option<(SocketAddr, io::Error)> {
        let mut troubles = self.open_stations(&self.networks());
        self.note(&troubles);
        let taken = troubles.iter().position(|trouble| trouble.cause.kind() == io::ErrorKind::AddrInUse)?;
        let Trouble { network, address, cause } = troubles.swap_remove(taken);
        let port = self.settings.group.data_port;
        Some((SocketAddrV6::new(address, port, 0, network.index).into(), cause))
    }

    pub(super) async fn run(mut self) -> Result<(), HostGone> {
        let mut beat = tokio::time::interval(BEAT);
        beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                _ = beat.tick() => self.beat(Instant::now()).await?,
                Some(came) = self.inlet.1.recv() => self.take(Instant::now(), came).await?,
                Some(_) = self.sending.join_next() => {}
                () = self.line.stopped() => break,
            }
        }
        self.stations.clear();
        let all = self.peers.take_all();
        close(all, "it was closed").await
    }

    async fn beat(&mut self, now: Instant) -> Result<(), HostGone> {
        let there = self.networks();
        let gone: Vec<u32> =
            self.stations.values().filter(|station| !stays(station, &there)).map(index_of).collect();
        for index in gone {
            self.stations.remove(&index);
            let gone = self.peers.take_of(index);
            close(gone, "the network, or this node's address there, is gone").await?;
        }
        let mut troubles = self.open_stations(&there);
        let group = &self.settings.group;
        for station in self.stations.values() {
            if let Err(cause) = station.call(group) {
                self.line.counters().count_error();
                troubles.push(Trouble { network: station.network.clone(), address: station.own, cause });
            }
        }
        self.note(&troubles);
        close(self.peers.take_silent(now), "it fell silent").await?;
        for at in self.peers.tell_again(now) {
            self.tell(at);
        }
        Ok(())
    }

    async fn take(&mut self, now: Instant, Came { from, what }: Came) -> Result<(), HostGone> {
        let is_own = |station: &Station| station.own == from.address;
        if self.stations.values().any(is_own) {
            if let Some(station) = self.stations.get_mut(&from.network).filter(|station| is_own(station)) {
                station.heard_itself_at = now;
            }
            return Ok(());
        }
        match what {
            What::Beacon(bytes) if bytes == self.settings.group.beacon(from.address) => {
                self.hear(now, from).await
            }
            What::Beacon(_) => {
                self.line.counters().count_forged();
                Ok(())
            }
            What::Frame(frame) => self.hand_over(now, from, Some(frame)).await,
            What::Unusable => self.hand_over(now, from, None).await,
        }
    }

    /// A frame of a peer, or what is none.
    async fn hand_over(&mut self, now: Instant, from: At, frame: Option<Vec<u8>>) -> Result<(), HostGone> {
        let Some(peer) = self.peers.get(from) else {
            self.line.counters().count_stranger();
            return Ok(());
        };
        if frame.as_ref().is_some_and(|frame| self.echoes.is_echo(now, from, frame)) {
            self.line.counters().count_echo();
            return Ok(());
        }
        let news = frame.map_or(News::Unusable(1), |frame| News::Received { from: None, frame });
        peer.port.tell(news).await
    }

    /// A peer is there.
    async fn hear(&mut self, now: Instant, at: At) -> Result<(), HostGone> {
        match self.peers.hear(now, at) {
            Heard::Again => return Ok(()),
            Heard::Crowded => {
                self.line.counters().count_refused();
                return Ok(());
            }
            Heard::Newcomer => {}
        }
        // What was heard before the network went is of nobody.
        let Some(station) = self.stations.get(&at.network) else { return Ok(()) };
        let port = self.settings.group.data_port;
        let to = SocketAddrV6::new(at.address, port, 0, at.network).into();
        let name = format!("{}/{}%{}", self.line.name(), at.address, station.network.name);
        let (sender, later) = sender(&station.data, to, now);
        self.tell(at);
        let opening = Opening {
            name,
            kind: "auto",
            profile: self.settings.profile(),
            carrier: Carrier::Up,
            driver: Box::new(sender),
        };
        let port = self.line.open(opening).await?;
        let sending = self.sending.spawn(later.run(port.clone()));
        self.peers.welcome(now, at, Held { port, sending });
        Ok(())
    }

    /// Tells one peer that this node is there.
    fn tell(&self, at: At) {
        let told =
            self.stations.get(&at.network).map(|station| station.tell(&self.settings.group, at.address));
        if let Some(Err(_)) = told {
            self.line.counters().count_error();
        }
    }

    /// The networks on which nodes are looked for.
    fn networks(&self) -> Vec<Network> {
        let mut all = networks::all();
        all.retain(|network| self.settings.devices.take(network) && network.link_local().next().is_some());
        all
    }

    /// Opens those that are missing; what was in the way of others.
    fn open_stations(&mut self, there: &[Network]) -> Vec<Trouble> {
        let mut troubles = Vec::new();
        let missing = there.iter().filter(|network| !self.stations.contains_key(&network.index));
        for network in missing.collect::<Vec<_>>() {
            let Some(own) = network.link_local().next() else { continue };
            let (group, frame_size) = (&self.settings.group, self.settings.frame_size());
            match Station::open((network, own), group, frame_size, &self.inlet.0) {
                Ok(station) => {
                    tracing::debug!(medium = self.line.name(), network = network.name, "attended");
                    self.stations.insert(network.index, station);
                }
                Err(cause) => troubles.push(Trouble { network: network.clone(), address: own, cause }),
            }
        }
        troubles
    }

    /// Says what keeps this node from being found, and says when nothing does.
    fn note(&self, troubles: &[Trouble]) {
        let now = Instant::now();
        let deaf = self.stations.values().find(|station| !station.hears_itself(now));
        let fault = match (troubles.first(), deaf) {
            (Some(trouble), _) => Some(trouble.sentence()),
            (None, Some(station)) => Some(format!(
                "what this node says to everybody on {} does not come back: a firewall may keep IPv6 multicast or UDP port {} from it",
                station.network.name, self.settings.group.discovery_port
            )),
            (None, None) if self.stations.is_empty() => Some(
                "none of the machine's network interfaces that it may use is up and has an IPv6 link-local address".to_owned(),
            ),
            (None, None) => None,
        };
        let counters = self.line.counters();
        if counters.set_fault(fault.clone()) {
            let said = fault.as_deref().unwrap_or("nothing keeps it from being found");
            tracing::warn!(medium = self.line.name(), "{said}");
        }
    }
}

/// Why a network is not attended.
struct Trouble {
    network: Network,
    address: Ipv6Addr,
    cause: io::Error,
}

impl Trouble {
    fn sentence(&self) -> String {
        let Self { network, address, cause } = self;
        if cause.kind() == io::ErrorKind::AddrInUse {
            return format!("somebody else has the ports at {address} on {}: {TAKEN}", network.name);
        }
        format!("{address} on {} cannot be used: {cause}", network.name)
    }
}

/// What to do when the ports are taken.
pub(crate) const TAKEN: &str = "if rnsd or a program with an AutoInterface of its own runs on this machine, end it, or let it attach to this node as its shared instance";

fn stays(station: &Station, there: &[Network]) -> bool {
    let same =
        |network: &&Network| network.index == station.network.index && network.name == station.network.name;
    there.iter().find(same).is_some_and(|network| network.link_local().any(|address| address == station.own))
}

fn index_of(station: &Station) -> u32 {
    station.network.index
}

async fn close(peers: Vec<Held>, why: &str) -> Result<(), HostGone> {
    for Held { port, sending } in peers {
        sending.abort();
        port.tell(News::Closed { why: why.to_owned() }).await?;
    }
    Ok(())
}
