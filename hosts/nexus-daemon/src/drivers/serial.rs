//! A serial port with HDLC or KISS framing: a cable, or a packet radio modem. Spec: `spec/node.md#serial`.

#[cfg(test)]
mod tests;

use nexus_network::{Access, DutyCycle, Mode, Profile, Reach, Role, Timing};

pub use super::backoff::Settings as Backoff;
pub use super::port::Place;
use super::port::Visits;
use super::stream;
pub use super::stream::Framing;
use super::stream::{Patience, Shape};
use crate::driver::{Carrier, HostGone, Line, Medium, News, OpenError, Opening, Outbox, Started};

/// A serial port. One interface, down while the port is away.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Serial {
    /// Where it is.
    pub place: Place,
    /// How frames are told apart.
    pub framing: Framing,
    /// What is behind it carries so many bits a second: no faster is it given frames.
    pub bitrate_bps: u64,
    /// Which bytes are spoken.
    pub mode: Mode,
    /// How long to wait between attempts at opening it.
    pub backoff: Backoff,
}

/// What a cable carries at `baud`: eight of ten bits are a byte's.
#[must_use]
pub fn cable_bps(baud: u32) -> u64 {
    u64::from(baud) / 10 * 8
}

impl Serial {
    /// The longest frame, in bytes: that of stock nodes.
    pub const FRAME_SIZE: u16 = 564;

    fn profile(&self) -> Profile {
        Profile {
            mode: self.mode,
            reach: match self.framing {
                Framing::Hdlc => Reach::PointToPoint,
                Framing::Kiss => Reach::Shared,
            },
            // A packet radio modem listens before it talks by itself.
            access: Access::Direct,
            bandwidth_bps: self.bitrate_bps,
            frame_size: Self::FRAME_SIZE,
            timing: Timing::Rate,
            duty: DutyCycle::UNLIMITED,
            sub_band: None,
            overhead: stream::framing_overhead(self.framing),
            price: 0,
            role: Role::Full,
            gravity: 0,
        }
    }

    const fn shape(&self) -> Shape {
        Shape {
            framing: self.framing,
            frame_size: Self::FRAME_SIZE,
            patience: Patience::ENDLESS,
            pace_bps: Some(self.bitrate_bps),
        }
    }
}

impl Medium for Serial {
    fn open(&self, line: Line) -> Result<Started, OpenError> {
        let settings = self.clone();
        let task = tokio::spawn(async move {
            // When nobody listens any more, there is nobody to tell.
            let _host_gone = serve(&settings, line).await;
        });
        Ok(Started { task, address: None })
    }

    fn kind(&self) -> &'static str {
        "serial"
    }

    fn place(&self) -> Option<String> {
        Some(self.place.to_string())
    }
}

async fn serve(settings: &Serial, mut line: Line) -> Result<(), HostGone> {
    let (outbox, mut outgoing) = Outbox::new();
    let opening = Opening {
        name: line.name().to_owned(),
        kind: "serial",
        profile: settings.profile(),
        carrier: Carrier::Down,
        driver: Box::new(outbox),
    };
    let port = line.open(opening).await?;
    let mut visits = match Visits::of(&line, &settings.place, settings.backoff) {
        Ok(visits) => visits,
        Err(why) => return port.tell(News::Closed { why }).await,
    };
    while let Some(connection) = visits.next(&mut line, &port).await? {
        // What was for the port before it went away is out of date.
        while outgoing.try_recv().is_ok() {}
        port.tell(News::Fault(None)).await?;
        port.tell(News::Carrier(Carrier::Up)).await?;
        let (reader, writer) = tokio::io::split(connection);
        let why = tokio::select! {
            why = stream::carry_shaped(reader, writer, &mut outgoing, &port, settings.shape()) => why?,
            () = line.stopped() => break,
        };
        port.tell(News::Carrier(Carrier::Down)).await?;
        visits.ended(&why, &port).await?;
    }
    port.tell(News::Closed { why: "it was closed".into() }).await
}
