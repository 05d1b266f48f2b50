//! The side that calls, again and again.

use std::io;

use tokio::net::TcpStream;
use tokio::time::{Duration, Instant};

use super::{Backoff, Speech, prepare};
use crate::driver::{Carrier, HostGone, Line, Medium, News, OpenError, Opening, Port, Started};
use crate::drivers::backoff;
use crate::drivers::stream::{Answers, Drain, carry_gathered, spout};

/// A connection to one peer. One interface, down while there is no connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Connect {
    /// The peer, `host:port`; looked up before each attempt.
    pub peer: String,
    /// What is spoken.
    pub speech: Speech,
    /// How long to wait between attempts.
    pub backoff: Backoff,
}

/// How long a peer may take to answer.
const ANSWER: Duration = Duration::from_secs(10);

impl Medium for Connect {
    fn open(&self, mut line: Line) -> Result<Started, OpenError> {
        let settings = self.clone();
        let task = tokio::spawn(async move {
            let (spout, outgoing) = spout();
            let opening = Opening {
                name: line.name().to_owned(),
                kind: "tcp",
                profile: settings.speech.profile(None),
                carrier: Carrier::Down,
                driver: Box::new(spout),
            };
            let Ok(port) = line.open(opening).await else { return };
            let why = tokio::select! {
                HostGone = call(&settings, outgoing, &port, line.clone()) => return,
                () = line.stopped() => "it was closed".into(),
            };
            let _host_gone = port.tell(News::Closed { why }).await;
        });
        Ok(Started { task, address: None })
    }

    fn kind(&self) -> &'static str {
        "tcp"
    }
}

/// Keeps a connection until nobody listens any more.
async fn call(settings: &Connect, mut outgoing: Drain, port: &Port, line: Line) -> HostGone {
    let mut waits = match backoff::Backoff::new(settings.backoff) {
        Ok(waits) => waits,
        Err(cause) => {
            tracing::error!(interface = line.name(), %cause, "no attempt");
            return std::future::pending().await;
        }
    };
    loop {
        let began = Instant::now();
        match connect(&settings.peer).await {
            Ok(connection) => match hold(connection, settings, &mut outgoing, port).await {
                Ok(why) => tracing::info!(interface = line.name(), why, "disconnected"),
                Err(gone) => return gone,
            },
            Err(cause) => {
                line.counters().count_error();
                tracing::debug!(interface = line.name(), peer = settings.peer, %cause, "no connection");
            }
        }
        tokio::time::sleep(waits.after(began.elapsed())).await;
    }
}

async fn connect(peer: &str) -> io::Result<TcpStream> {
    tokio::time::timeout(ANSWER, TcpStream::connect(peer))
        .await
        .unwrap_or_else(|_too_late| Err(io::ErrorKind::TimedOut.into()))
}

async fn hold(
    mut connection: TcpStream,
    settings: &Connect,
    outgoing: &mut Drain,
    port: &Port,
) -> Result<String, HostGone> {
    prepare(&connection);
    // What was for an earlier connection is of no use to this one.
    outgoing.clear();
    outgoing
        .hold_answers(connection.peer_addr().map_or(Answers::Leave, |peer| settings.speech.answers_to(peer)));
    port.tell(News::Carrier(Carrier::Up)).await?;
    let (reader, writer) = connection.split();
    let why = carry_gathered(
        reader,
        writer,
        outgoing,
        port,
        settings.speech.frame_size(),
        settings.speech.patience,
    )
    .await?;
    drop(connection);
    port.tell(News::Carrier(Carrier::Down)).await?;
    Ok(why)
}
