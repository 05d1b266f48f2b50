//! How newcomers are found: two multicast groups, one for each version of IP.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6};
use std::sync::Arc;

use socket2::{InterfaceIndexOrAddress, SockRef};
use tokio::net::UdpSocket;
use tokio::sync::mpsc;
use tokio::task::{AbortHandle, JoinSet};

use super::networks::{Network, Networks};
use super::{AFTER_ERROR, DEFAULT_PORT, FRAME_SIZE, Family, bind, report};
use crate::driver::{HostGone, MediumCounters, Port};

/// Where a node is looked for, and listens for others. A frame for everybody goes there, from the main socket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Discovery {
    /// The IPv6 group, of link-local scope; none switches it off.
    pub ipv6: Option<Ipv6Addr>,
    /// The IPv4 group; none switches it off.
    pub ipv4: Option<Ipv4Addr>,
    /// The port of both.
    pub port: u16,
    /// On network interfaces of these names; if there are none, on all that carry multicast.
    pub networks: Vec<String>,
}

impl Discovery {
    /// The IPv6 group.
    pub const IPV6: Ipv6Addr = Ipv6Addr::new(0xff12, 0, 0, 0, 0, 0, 0, 0x4e58);
    /// The IPv4 group.
    pub const IPV4: Ipv4Addr = Ipv4Addr::new(239, 78, 88, 83);

    /// No discovery: peers are named. A frame for everybody is then for nobody.
    #[must_use]
    pub const fn off() -> Self {
        Self { ipv6: None, ipv4: None, port: DEFAULT_PORT, networks: Vec::new() }
    }

    const fn is_off(&self) -> bool {
        self.ipv6.is_none() && self.ipv4.is_none()
    }

    /// Sends a frame to both groups on every network; well if one of them took it.
    pub(super) async fn send(
        &self,
        frame: &[u8],
        socket: &UdpSocket,
        family: Family,
        networks: &Networks,
    ) -> io::Result<()> {
        let mut outcome = if self.is_off() { Ok(()) } else { Err(io::ErrorKind::NetworkUnreachable.into()) };
        for network in networks.found().iter() {
            if let (Some(group), Family::V6) = (self.ipv6, family) {
                let to = SocketAddrV6::new(group, self.port, 0, network.index);
                outcome = outcome.or(socket.send_to(frame, SocketAddr::from(to)).await.map(|_| ()));
            }
            if let (Some(group), Some(from)) = (self.ipv4, network.ipv4())
                && let Some(to) = family.write(SocketAddr::new(group.into(), self.port))
                && SockRef::from(socket).set_multicast_if_v4(&from).is_ok()
            {
                outcome = outcome.or(socket.send_to(frame, to).await.map(|_| ()));
            }
        }
        outcome
    }
}

impl Default for Discovery {
    fn default() -> Self {
        Self { ipv6: Some(Self::IPV6), ipv4: Some(Self::IPV4), port: DEFAULT_PORT, networks: Vec::new() }
    }
}

/// How often it is looked for networks that came.
const LOOK_UP: tokio::time::Duration = tokio::time::Duration::from_secs(10);
/// How many frames of newcomers may wait. At the bound they are dropped by the system, as at any slow receiver.
const HEARD: usize = 32;

type Heard = (SocketAddr, Vec<u8>);

/// Reports what newcomers send to the groups, from any network that there is. What this node sent there itself is not
/// heard.
pub(super) async fn listen(
    discovery: &Discovery,
    networks: &Networks,
    own_port: u16,
    port: &Port,
    counters: &Arc<MediumCounters>,
) -> Result<(), HostGone> {
    if discovery.is_off() {
        return std::future::pending().await;
    }
    let (heard, mut frames) = mpsc::channel(HEARD);
    let mut ears = Ears::new(discovery.clone(), heard, Arc::clone(counters));
    let mut look_up = tokio::time::interval(LOOK_UP);
    loop {
        tokio::select! {
            _ = look_up.tick() => ears.attend(&networks.look_up()),
            Some((from, frame)) = frames.recv() => {
                let is_own = from.port() == own_port && networks.is_own(from.ip().to_canonical());
                if !is_own {
                    report(&frame, frame.len(), from, port).await?;
                }
            }
        }
    }
}

/// The sockets that hear the groups.
struct Ears {
    discovery: Discovery,
    heard: mpsc::Sender<Heard>,
    counters: Arc<MediumCounters>,
    tasks: JoinSet<()>,
    /// One socket for all networks, and the indices of those that joined.
    ipv4: Option<(Arc<UdpSocket>, BTreeSet<u32>)>,
    /// A socket for each network.
    ipv6: BTreeMap<u32, AbortHandle>,
}

impl Ears {
    fn new(discovery: Discovery, heard: mpsc::Sender<Heard>, counters: Arc<MediumCounters>) -> Self {
        Self { discovery, heard, counters, tasks: JoinSet::new(), ipv4: None, ipv6: BTreeMap::new() }
    }

    /// Hears on these networks and no others. What fails is tried again the next time.
    fn attend(&mut self, networks: &[Network]) {
        let there: BTreeSet<u32> = networks.iter().map(|network| network.index).collect();
        self.ipv6.retain(|index, task| {
            let stays = there.contains(index) && !task.is_finished();
            if !stays {
                task.abort();
            }
            stays
        });
        while self.tasks.try_join_next().is_some() {}
        let (ipv4, ipv6) = (self.discovery.ipv4, self.discovery.ipv6);
        for network in networks {
            if let Some(group) = ipv4.filter(|_| network.ipv4().is_some())
                && let Err(cause) = self.attend_v4(group, network.index)
            {
                tracing::debug!(network = network.index, %cause, "no IPv4 discovery");
            }
            if let Some(group) = ipv6.filter(|_| !self.ipv6.contains_key(&network.index))
                && let Err(cause) = self.attend_v6(group, network.index)
            {
                tracing::debug!(network = network.index, %cause, "no IPv6 discovery");
            }
        }
        if let Some((_, joined)) = &mut self.ipv4 {
            joined.retain(|index| there.contains(index));
        }
    }

    fn attend_v4(&mut self, group: Ipv4Addr, network: u32) -> io::Result<()> {
        if self.ipv4.is_none() {
            let socket = Arc::new(UdpSocket::from_std(bind::group_v4(group, self.discovery.port)?)?);
            self.tasks.spawn(hear(Arc::clone(&socket), self.heard.clone(), Arc::clone(&self.counters)));
            self.ipv4 = Some((socket, BTreeSet::new()));
        }
        if let Some((socket, joined)) = &mut self.ipv4
            && !joined.contains(&network)
        {
            SockRef::from(&**socket).join_multicast_v4_n(&group, &InterfaceIndexOrAddress::Index(network))?;
            joined.insert(network);
        }
        Ok(())
    }

    fn attend_v6(&mut self, group: Ipv6Addr, network: u32) -> io::Result<()> {
        let socket = UdpSocket::from_std(bind::group_v6(group, self.discovery.port, network)?)?;
        let task = self.tasks.spawn(hear(Arc::new(socket), self.heard.clone(), Arc::clone(&self.counters)));
        self.ipv6.insert(network, task);
        Ok(())
    }
}

async fn hear(socket: Arc<UdpSocket>, heard: mpsc::Sender<Heard>, counters: Arc<MediumCounters>) {
    let mut buffer = [0; FRAME_SIZE as usize + 1];
    loop {
        let Ok((length, from)) = socket.recv_from(&mut buffer).await else {
            counters.count_error();
            tokio::time::sleep(AFTER_ERROR).await;
            continue;
        };
        if heard.send((from, buffer[..length].to_vec())).await.is_err() {
            return;
        }
    }
}
