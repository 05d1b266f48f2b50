//! An interface over UDP: one frame a datagram, to and from one peer.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use nexus_network::{Access, Endpoint, InterfaceId, Mode, Profile, Reach};
use nexus_node::Input;
use tokio::net::UdpSocket;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

/// The longest frame: what stock nodes carry in a datagram, in bytes.
const FRAME_SIZE: u16 = 1_064;
/// What is said of a loopback or LAN path until it is measured, in bits per second.
const NOMINAL_BPS: u64 = 10_000_000;

/// How long a receiver rests after an error.
const AFTER_ERROR: tokio::time::Duration = tokio::time::Duration::from_millis(100);

/// A socket that is bound but has no peer yet.
#[derive(Debug)]
pub struct Bound(UdpSocket);

/// An interface in use. Dropping it ends it.
#[derive(Debug)]
pub struct UdpInterface {
    socket: Arc<UdpSocket>,
    receiver: JoinHandle<()>,
}

impl Bound {
    /// Binds `address`; port 0 takes a free one.
    pub async fn bind(address: SocketAddr) -> io::Result<Self> {
        UdpSocket::bind(address).await.map(Self)
    }

    /// Where it is bound.
    pub fn local_address(&self) -> io::Result<SocketAddr> {
        self.0.local_addr()
    }

    /// Joins the only peer: datagrams from anybody else are not heard. Frames arrive as inputs for `iface`.
    pub async fn connect(
        self,
        peer: SocketAddr,
        iface: InterfaceId,
        inputs: mpsc::Sender<Input>,
    ) -> io::Result<UdpInterface> {
        self.0.connect(peer).await?;
        let socket = Arc::new(self.0);
        let receiver = tokio::spawn(receive(Arc::clone(&socket), peer, iface, inputs));
        Ok(UdpInterface { socket, receiver })
    }
}

impl UdpInterface {
    /// What the core is told of this medium, when it speaks `mode`.
    #[must_use]
    pub const fn profile(mode: Mode) -> Profile {
        Profile {
            mode,
            reach: Reach::PointToPoint,
            access: Access::Direct,
            bandwidth_bps: NOMINAL_BPS,
            frame_size: FRAME_SIZE,
        }
    }

    /// Sends one frame. A datagram is never promised to arrive: an error is what a lost one looks like.
    pub async fn send(&self, frame: &[u8]) -> io::Result<()> {
        self.socket.send(frame).await.map(|_| ())
    }
}

impl Drop for UdpInterface {
    fn drop(&mut self) {
        self.receiver.abort();
    }
}

async fn receive(socket: Arc<UdpSocket>, peer: SocketAddr, iface: InterfaceId, inputs: mpsc::Sender<Input>) {
    let from = Endpoint::new(peer.to_string().as_bytes());
    let mut buffer = [0; FRAME_SIZE as usize + 1];
    loop {
        // A refused port is the peer not being up yet: the next datagram may find it. An error that lasts, such as a
        // network that is down, must not keep the processor busy.
        let Ok(length) = socket.recv(&mut buffer).await else {
            tokio::time::sleep(AFTER_ERROR).await;
            continue;
        };
        if length > usize::from(FRAME_SIZE) {
            continue;
        }
        if inputs.send(Input::Frame { iface, from, bytes: buffer[..length].to_vec() }).await.is_err() {
            return;
        }
    }
}
