//! This node on one network: its sockets there.

use std::io;
use std::net::{IpAddr, Ipv6Addr, SocketAddr, SocketAddrV6};
use std::sync::Arc;

use socket2::{Domain, Protocol, SockRef, Socket, Type};
use tokio::net::UdpSocket;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::{Duration, Instant};

use super::group::{BEACON_LEN, Group};
use super::peers::At;
use crate::drivers::networks::Network;

/// How long a receiver rests after an error: one that lasts, such as a network that is down, must not keep the
/// processor busy.
const AFTER_ERROR: Duration = Duration::from_millis(100);
/// Room for bursts, in bytes; the system may give less.
const RECEIVE_BUFFER: usize = 1 << 20;
/// For so long this node may miss its own beacons, as stock nodes take it.
const UNHEARD: Duration = Duration::from_millis(6_500);

/// What came in.
#[derive(Debug)]
pub(super) struct Came {
    pub(super) from: At,
    pub(super) what: What,
}

#[derive(Debug)]
pub(super) enum What {
    Beacon(Vec<u8>),
    Frame(Vec<u8>),
    /// Longer than any frame, or empty.
    Unusable,
}

/// The sockets on one network. Dropping it closes them.
#[derive(Debug)]
pub(super) struct Station {
    pub(super) network: Network,
    /// The address that this node has there, by which others know it.
    pub(super) own: Ipv6Addr,
    /// Where frames come and go.
    pub(super) data: Arc<UdpSocket>,
    beacons: Arc<UdpSocket>,
    /// When one of its own beacons came back; or when it was opened.
    pub(super) heard_itself_at: Instant,
    _ears: JoinSet<()>,
}

impl Station {
    /// Takes the ports on a network, where this node is at `own`.
    pub(super) fn open(
        (network, own): (&Network, Ipv6Addr),
        group: &Group,
        frame_size: u16,
        inlet: &mpsc::Sender<Came>,
    ) -> io::Result<Self> {
        let bind = |port, sharing| bound(SocketAddrV6::new(own, port, 0, network.index), sharing);
        let data = bind(group.data_port, Sharing::Alone)?;
        let _as_much_as_there_is = SockRef::from(&data).set_recv_buffer_size(RECEIVE_BUFFER);
        let beacons = bind(group.reverse_port(), Sharing::Alone)?;
        SockRef::from(&beacons).set_multicast_if_v6(network.index)?;
        let address = group.address();
        let common =
            bound(SocketAddrV6::new(address, group.discovery_port, 0, network.index), Sharing::WithOthers)?;
        SockRef::from(&common).join_multicast_v6(&address, network.index)?;
        let (data, beacons) = (Arc::new(data), Arc::new(beacons));
        let mut ears = JoinSet::new();
        let index = network.index;
        ears.spawn(hear(Arc::clone(&data), index, usize::from(frame_size), What::Frame, inlet.clone()));
        ears.spawn(hear(Arc::clone(&beacons), index, BEACON_LEN, What::Beacon, inlet.clone()));
        ears.spawn(hear(Arc::new(common), index, BEACON_LEN, What::Beacon, inlet.clone()));
        let heard_itself_at = Instant::now();
        Ok(Self { network: network.clone(), own, data, beacons, heard_itself_at, _ears: ears })
    }

    /// Tells everybody on the network that this node is there.
    pub(super) fn call(&self, group: &Group) -> io::Result<()> {
        self.say(group, group.address(), group.discovery_port)
    }

    /// Tells one peer.
    pub(super) fn tell(&self, group: &Group, peer: Ipv6Addr) -> io::Result<()> {
        self.say(group, peer, group.reverse_port())
    }

    fn say(&self, group: &Group, to: Ipv6Addr, port: u16) -> io::Result<()> {
        let to = SocketAddrV6::new(to, port, 0, self.network.index);
        // Past the runtime, which does not know yet that a socket just opened can be written. A beacon for which there is no room is lost, as any
        // may be.
        match SockRef::from(&*self.beacons).send_to(&group.beacon(self.own), &to.into()) {
            Err(cause) if cause.kind() != io::ErrorKind::WouldBlock => Err(cause),
            Ok(_) | Err(_) => Ok(()),
        }
    }

    /// Whether its own beacons come back, as they do where multicast is carried.
    pub(super) fn hears_itself(&self, now: Instant) -> bool {
        now.duration_since(self.heard_itself_at) <= UNHEARD
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sharing {
    Alone,
    /// Every process of this machine may hear the group.
    WithOthers,
}

fn bound(address: SocketAddrV6, sharing: Sharing) -> io::Result<UdpSocket> {
    let socket = Socket::new(Domain::IPV6, Type::DGRAM, Some(Protocol::UDP))?;
    socket.set_nonblocking(true)?;
    socket.set_only_v6(true)?;
    if sharing == Sharing::WithOthers {
        socket.set_reuse_address(true)?;
        socket.set_reuse_port(true)?;
    }
    socket.bind(&address.into())?;
    UdpSocket::from_std(socket.into())
}

/// Reports what comes from a network to a socket. A group of a wider scope is heard from all networks: what is not of this one is
/// another station's.
async fn hear(
    socket: Arc<UdpSocket>,
    network: u32,
    longest: usize,
    what: fn(Vec<u8>) -> What,
    inlet: mpsc::Sender<Came>,
) {
    let mut buffer = vec![0; longest + 1];
    loop {
        let Ok((length, from)) = socket.recv_from(&mut buffer).await else {
            tokio::time::sleep(AFTER_ERROR).await;
            continue;
        };
        let (IpAddr::V6(address), SocketAddr::V6(scoped)) = (from.ip(), from) else { continue };
        if scoped.scope_id() != network {
            continue;
        }
        let what = match buffer.get(..length) {
            Some([]) | None => What::Unusable,
            Some(_) if length > longest => What::Unusable,
            Some(bytes) => what(bytes.to_vec()),
        };
        if inlet.send(Came { from: At { network, address }, what }).await.is_err() {
            return;
        }
    }
}
