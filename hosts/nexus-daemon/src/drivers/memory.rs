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
    // The loop let go of the interface.
    Err(HostGone)
}

#[cfg(test)]
mod tests {
    use nexus_network::{Access, DutyCycle, Mode, Reach, Role, Timing};

    use super::*;
    use crate::rig::Rig;

    #[tokio::test]
    async fn frames_cross_and_the_other_end_hears_of_the_close() {
        let (left, right) = pair(profile());
        let (mut left, mut right) = (Rig::open(&left).unwrap(), Rig::open(&right).unwrap());
        let (from_left, _from_right) = (left.opened().await, right.opened().await);
        left.send(&*from_left.driver, None, b"a").await;
        assert_eq!(right.received().await, (None, b"a".to_vec()));
        left.close().await;
        let (_, News::Closed { why }) = right.next().await else { panic!("it is closed") };
        assert_eq!(why, "the other end was closed");
    }

    #[tokio::test]
    async fn an_end_opens_once() {
        let (left, _right) = pair(profile());
        let _open = Rig::open(&left).unwrap();
        let refusal = Rig::open(&left).err().unwrap().to_string();
        assert_eq!(refusal, "test was opened before and cannot be opened again");
    }

    fn profile() -> Profile {
        let (mode, reach, access) = (Mode::Nexus, Reach::PointToPoint, Access::Direct);
        Profile {
            mode,
            reach,
            access,
            bandwidth_bps: 0,
            frame_size: 500,
            timing: Timing::Rate,
            duty: DutyCycle::UNLIMITED,
            sub_band: None,
            overhead: 0,
            price: 0,
            role: Role::Full,
            gravity: 0,
        }
    }
}
