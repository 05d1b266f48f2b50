//! The sending half of a peer: most datagrams leave at once.

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Weak};

use nexus_network::Endpoint;
use tokio::net::UdpSocket;
use tokio::sync::mpsc;
use tokio::time::{Duration, Instant};

use crate::driver::{Driver, Handed, HostGone, News, Outbox, Outgoing, Port};

/// How long what is for a newcomer waits: it hears of this node while this node hears of it, and drops what comes from somebody it does not
/// know.
pub(super) const SETTLES: Duration = Duration::from_millis(250);

#[derive(Debug)]
pub(super) struct Sender {
    socket: Weak<UdpSocket>,
    to: SocketAddr,
    settled_at: Instant,
    later: Outbox,
}

/// What cannot leave at once.
#[derive(Debug)]
pub(super) struct Later {
    socket: Weak<UdpSocket>,
    to: SocketAddr,
    settled_at: Instant,
    delayed: mpsc::Receiver<Outgoing>,
}

/// Both halves, for the peer at `to`.
pub(super) fn sender(socket: &Arc<UdpSocket>, to: SocketAddr, now: Instant) -> (Sender, Later) {
    let (later, delayed) = Outbox::new();
    let (socket, settled_at) = (Arc::downgrade(socket), now + SETTLES);
    (Sender { socket: socket.clone(), to, settled_at, later }, Later { socket, to, settled_at, delayed })
}

impl Driver for Sender {
    fn transmit(&self, to: Option<Endpoint>, frame: Vec<u8>) -> Handed {
        if Instant::now() < self.settled_at {
            return self.later.transmit(to, frame);
        }
        let Some(socket) = self.socket.upgrade() else { return Handed::Refused };
        match socket.try_send_to(&frame, self.to) {
            Ok(_) => Handed::Taken,
            Err(cause) if cause.kind() == io::ErrorKind::WouldBlock => self.later.transmit(to, frame),
            // A datagram is never promised to arrive: an error is what a lost one looks like.
            Err(_) => Handed::Refused,
        }
    }
}

impl Later {
    /// Sends until the loop let go of the interface.
    pub(super) async fn run(mut self, port: Port) -> Result<(), HostGone> {
        tokio::time::sleep_until(self.settled_at).await;
        while let Some(Outgoing { to: _, frame }) = self.delayed.recv().await {
            let sent = match self.socket.upgrade() {
                Some(socket) => socket.send_to(&frame, self.to).await.is_ok(),
                None => false,
            };
            port.tell(if sent { News::Sent } else { News::Lost }).await?;
        }
        Ok(())
    }
}
