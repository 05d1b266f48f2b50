//! The side that is called.

use std::io;
use std::net::SocketAddr;

use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::time::Duration;

use nexus_network::Mode;

use super::{Speech, prepare};
use crate::driver::{Carrier, HostGone, Line, Medium, News, OpenError, Opening, Spread, Started};
use crate::drivers::stream::{carry_gathered, spout};

/// A listener: each connection that it accepts is an interface named after it and the peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Listen {
    /// Where; port 0 takes a free one.
    pub address: SocketAddr,
    /// What is spoken.
    pub speech: Speech,
    /// How many connections there may be; further ones are refused and counted.
    pub connections: usize,
}

impl Listen {
    /// How many connections there may be, unless configured: far fewer than there are interface numbers.
    pub const CONNECTIONS: usize = 64;
    /// How many the system may hold until they are accepted.
    const BACKLOG: i32 = 128;
    /// How long what is for a caller in reticulum mode gathers before it is spoken to: stock nodes connect, and may speak, before they can receive, and what reaches
    /// one within its first milliseconds makes it hang up and come back five seconds later (measured with rns 1.5.7).
    const SETTLES: Duration = Duration::from_secs(1);
    /// How long the listener rests after an error, such as a lack of file descriptors.
    const AFTER_ERROR: Duration = Duration::from_millis(100);

    fn bind(&self) -> io::Result<TcpListener> {
        let address = self.address;
        let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
        if address.is_ipv6() {
            socket.set_only_v6(!address.ip().is_unspecified())?;
        }
        // Connections of an earlier run that are still being closed do not hold the port.
        socket.set_reuse_address(true)?;
        socket.set_nonblocking(true)?;
        socket.bind(&address.into())?;
        socket.listen(Self::BACKLOG)?;
        TcpListener::from_std(socket.into())
    }
}

impl Medium for Listen {
    fn open(&self, line: Line) -> Result<Started, OpenError> {
        let bound = self.bind().and_then(|listener| Ok((listener.local_addr()?, listener)));
        let (local, listener) = bound.map_err(|cause| OpenError::Address {
            name: line.name().to_owned(),
            address: self.address,
            cause,
        })?;
        let task = tokio::spawn(accept(listener, *self, line));
        Ok(Started { task, address: Some(local) })
    }

    fn kind(&self) -> &'static str {
        "tcp"
    }

    fn spread(&self) -> Spread {
        Spread::EachPeer
    }
}

async fn accept(listener: TcpListener, settings: Listen, mut line: Line) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((connection, peer)) if connections.len() < settings.connections => {
                    connections.spawn(serve(connection, peer, settings.speech, line.clone()));
                }
                Ok(_) => line.counters().count_refused(),
                Err(_) => {
                    line.counters().count_error();
                    tokio::time::sleep(Listen::AFTER_ERROR).await;
                }
            },
            Some(_) = connections.join_next() => {}
            () = line.stopped() => break,
        }
    }
    drop(listener);
    while connections.join_next().await.is_some() {}
}

async fn serve(
    mut connection: TcpStream,
    peer: SocketAddr,
    speech: Speech,
    mut line: Line,
) -> Result<(), HostGone> {
    prepare(&connection);
    let (spout, mut outgoing) = spout();
    let peer = SocketAddr::new(peer.ip().to_canonical(), peer.port());
    let opening = Opening {
        name: format!("{}/{peer}", line.name()),
        kind: "tcp",
        profile: speech.profile(Some(peer)),
        carrier: Carrier::Up,
        driver: Box::new(spout),
    };
    let port = line.open(opening).await?;
    let (reader, writer) = connection.split();
    if speech.mode == Mode::Reticulum {
        outgoing.gather_for(Listen::SETTLES);
    }
    outgoing.hold_answers(speech.answers_to(peer));
    let why = tokio::select! {
        why = carry_gathered(reader, writer, &mut outgoing, &port, speech.frame_size(), speech.patience) => why?,
        () = line.stopped() => "it was closed".into(),
    };
    drop(connection);
    port.tell(News::Closed { why }).await
}
