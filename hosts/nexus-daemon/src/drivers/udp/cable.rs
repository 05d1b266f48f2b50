//! A socket with one peer: what it sends is for that peer, and nobody else is heard.

use std::io;
use std::net::{SocketAddr, UdpSocket as Socket};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use nexus_network::{Endpoint, Mode, Reach};
use tokio::net::UdpSocket;
use tokio::sync::mpsc;

use super::{AFTER_ERROR, FRAME_SIZE, Family, NOMINAL_BPS, profile};
use crate::driver::{
    Carrier, Driver, Handed, HostGone, Line, Medium, MediumCounters, News, OpenError, Opening, Outbox,
    Outgoing, Port, Started,
};

/// A UDP socket between two nodes.
#[derive(Debug)]
pub struct Cable {
    /// Taken when it is opened.
    socket: Mutex<Option<Socket>>,
    local: SocketAddr,
    peer: SocketAddr,
    mode: Mode,
}

impl Cable {
    /// Through a socket that is bound, to `peer`.
    pub fn new(socket: Socket, peer: SocketAddr, mode: Mode) -> io::Result<Self> {
        socket.connect(peer)?;
        socket.set_nonblocking(true)?;
        let local = socket.local_addr()?;
        Ok(Self { socket: Mutex::new(Some(socket)), local, peer, mode })
    }
}

impl Medium for Cable {
    fn open(&self, line: Line) -> Result<Started, OpenError> {
        let socket = self.socket.lock().unwrap_or_else(PoisonError::into_inner).take();
        let socket = socket.ok_or_else(|| OpenError::Spent { name: line.name().to_owned() })?;
        let socket = UdpSocket::from_std(socket).map_err(|cause| OpenError::Address {
            name: line.name().to_owned(),
            address: self.local,
            cause,
        })?;
        let (peer, mode) = (self.peer, self.mode);
        let task = tokio::spawn(async move {
            // When nobody listens any more, there is nobody to tell.
            let _host_gone = serve(socket, peer, mode, line).await;
        });
        Ok(Started { task, address: Some(self.local) })
    }

    fn kind(&self) -> &'static str {
        "udp"
    }
}

/// The sending half: most datagrams leave at once.
#[derive(Debug)]
struct Sender {
    socket: Weak<UdpSocket>,
    later: Outbox,
}

impl Driver for Sender {
    fn transmit(&self, to: Option<Endpoint>, frame: Vec<u8>) -> Handed {
        let Some(socket) = self.socket.upgrade() else { return Handed::Refused };
        match socket.try_send(&frame) {
            Ok(_) => Handed::Taken,
            Err(cause) if cause.kind() == io::ErrorKind::WouldBlock => self.later.transmit(to, frame),
            // A datagram is never promised to arrive: an error is what a lost one looks like.
            Err(_) => Handed::Refused,
        }
    }
}

async fn serve(socket: UdpSocket, peer: SocketAddr, mode: Mode, mut line: Line) -> Result<(), HostGone> {
    let socket = Arc::new(socket);
    let (later, mut delayed) = Outbox::new();
    let opening = Opening {
        name: line.name().to_owned(),
        kind: "udp",
        profile: profile(mode, Reach::PointToPoint, Family::of(peer), NOMINAL_BPS),
        carrier: Carrier::Up,
        driver: Box::new(Sender { socket: Arc::downgrade(&socket), later }),
    };
    let port = line.open(opening).await?;
    let counters = line.counters();
    tokio::select! {
        gone = receive(&socket, peer, &port, &counters) => return gone,
        gone = send(&socket, &mut delayed, &port) => return gone,
        () = line.stopped() => {}
    }
    drop(socket);
    port.tell(News::Closed { why: "it was closed".into() }).await
}

async fn receive(
    socket: &UdpSocket,
    peer: SocketAddr,
    port: &Port,
    counters: &MediumCounters,
) -> Result<(), HostGone> {
    let from = Some(super::address::endpoint(peer));
    let mut buffer = [0; FRAME_SIZE as usize + 1];
    loop {
        match socket.recv(&mut buffer).await {
            Ok(length) if length > usize::from(FRAME_SIZE) => port.tell(News::Unusable(1)).await?,
            Ok(length) => port.tell(News::Received { from, frame: buffer[..length].to_vec() }).await?,
            // A refused port is the peer not being up yet: the next datagram may find it.
            Err(_) => {
                counters.count_error();
                tokio::time::sleep(AFTER_ERROR).await;
            }
        }
    }
}

async fn send(
    socket: &UdpSocket,
    delayed: &mut mpsc::Receiver<Outgoing>,
    port: &Port,
) -> Result<(), HostGone> {
    while let Some(Outgoing { to: _, frame }) = delayed.recv().await {
        let news = if socket.send(&frame).await.is_ok() { News::Sent } else { News::Lost };
        port.tell(news).await?;
    }
    std::future::pending().await
}
