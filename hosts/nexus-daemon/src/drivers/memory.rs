//! Two ends in one process.

use std::sync::{Mutex, PoisonError};

use nexus_network::Profile;
use tokio::sync::mpsc;

use crate::driver::{
    Carrier, HostGone, Line, Medium, News, OpenError, Opening, Outbox, Outgoing, Port, Started,
};

/// How many frames may be on the way in one direction. At the bound the sender waits.
const ON_THE_WAY: usize = 64;

/// One end of a pair. It can be opened once; the other end hears that it was closed.
#[derive(Debug)]
pub struct End {
    profile: Profile,
    ways: Mutex<Option<Ways>>,
}

#[derive(Debug)]
struct Ways {
    out: mpsc::Sender<Vec<u8>>,
    back: mpsc::Receiver<Vec<u8>>,
}

/// Two ends that hear each other.
#[must_use]
pub fn pair(profile: Profile) -> (End, End) {
    let (left_out, right_back) = mpsc::channel(ON_THE_WAY);
    let (right_out, left_back) = mpsc::channel(ON_THE_WAY);
    let end = |out, back| End { profile, ways: Mutex::new(Some(Ways { out, back })) };
    (end(left_out, left_back), end(right_out, right_back))
}

impl Medium for End {
    fn open(&self, line: Line) -> Result<Started, OpenError> {
        let ways = self.ways.lock().unwrap_or_else(PoisonError::into_inner).take();
        let ways = ways.ok_or_else(|| OpenError::Spent { name: line.name().to_owned() })?;
        let profile = self.profile;
        let task = tokio::spawn(async move {
            // When nobody listens any more, there is nobody to tell.
            let _host_gone = serve(ways, profile, line).await;
        });
        Ok(Started { task, address: None })
    }

    fn kind(&self) -> &'static str {
        "memory"
    }
}

async fn serve(ways: Ways, profile: Profile, mut line: Line) -> Result<(), HostGone> {
    let Ways { out, mut back } = ways;
    let (outbox, mut outgoing) = Outbox::new();
    let opening = Opening {
        name: line.name().to_owned(),
        kind: "memory",
        profile,
        carrier: Carrier::Up,
        driver: Box::new(outbox),
    };
    let port = line.open(opening).await?;
    let why = tokio::select! {
        gone = receive(&mut back, &port) => gone.map(|()| "the other end was closed"),
        gone = send(&out, &mut outgoing, &port) => gone.map(|()| "the other end was closed"),
        () = line.stopped() => Ok("it was closed"),
    }?;
    port.tell(News::Closed { why: why.into() }).await
}

async fn receive(back: &mut mpsc::Receiver<Vec<u8>>, port: &Port) -> Result<(), HostGone> {
    while let Some(frame) = back.recv().await {
        port.tell(News::Received { from: None, frame }).await?;
    }
    Ok(())
}

async fn send(
    out: &mpsc::Sender<Vec<u8>>,
    outgoing: &mut mpsc::Receiver<Outgoing>,
    port: &Port,
) -> Result<(), HostGone> {
    while let Some(Outgoing { to: _, frame }) = outgoing.recv().await {
        if out.send(frame).await.is_err() {
            return Ok(());
        }
        port.tell(News::Sent).await?;
    }
    Ok(())
}
