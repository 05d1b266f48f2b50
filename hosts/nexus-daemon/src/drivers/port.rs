//! What a modem hangs on: a serial device of this machine, or a TCP port of another one. Spec: `spec/node.md#ports`.

#[cfg(test)]
pub(super) mod pty;
mod tty;

use std::fmt;
use std::io;
use std::path::PathBuf;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::{Duration, Instant};

use super::backoff::{self, Backoff};
use super::tcp;
use crate::driver::{HostGone, Line, News, Port};

/// Where a modem is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// A serial device.
    Serial {
        /// Its file.
        path: PathBuf,
        /// Bits per second on the cable; eight bits a byte, no parity, one stop bit.
        baud: u32,
    },
    /// A port of another machine, `host:port`; looked up before each attempt.
    Tcp(String),
}

/// How long another machine may take to answer.
const ANSWER: Duration = Duration::from_secs(10);

/// Bytes to and from a modem.
pub(super) trait Connection: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Connection for T {}

impl Place {
    /// Opens it for this process alone.
    pub(super) async fn open(&self) -> io::Result<Box<dyn Connection>> {
        match self {
            Self::Serial { path, baud } => Ok(Box::new(tty::Tty::open(path, *baud)?)),
            Self::Tcp(address) => {
                let connection = tokio::time::timeout(ANSWER, TcpStream::connect(address))
                    .await
                    .unwrap_or_else(|_too_late| Err(io::ErrorKind::TimedOut.into()))?;
                tcp::prepare(&connection);
                Ok(Box::new(connection))
            }
        }
    }

    /// What became of it when it ended, as the middle of a sentence.
    pub(super) const fn gone(&self) -> &'static str {
        match self {
            Self::Serial { .. } => "was unplugged",
            Self::Tcp(_) => "does not answer any more",
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Serial { path, .. } => path.display().fmt(f),
            Self::Tcp(address) => write!(f, "tcp://{address}"),
        }
    }
}

/// A place that is opened whenever it is there, until its medium is stopped.
#[derive(Debug)]
pub(super) struct Visits {
    place: Place,
    presence: Presence,
    waits: Backoff,
    /// When the last attempt began.
    began: Option<Instant>,
}

impl Visits {
    /// Visits of `line`'s medium to `place`.
    ///
    /// # Errors
    /// There is no entropy to spread them with; as a sentence.
    pub(super) fn of(line: &Line, place: &Place, settings: backoff::Settings) -> Result<Self, String> {
        let waits = Backoff::new(settings).map_err(|cause| cause.to_string())?;
        let presence = Presence::of(line.name(), place);
        Ok(Self { place: place.clone(), presence, waits, began: None })
    }

    /// The place, once it opens; none if the medium is stopped before. Why it cannot be opened is told, once for each reason.
    pub(super) async fn next(
        &mut self,
        line: &mut Line,
        port: &Port,
    ) -> Result<Option<Box<dyn Connection>>, HostGone> {
        loop {
            if let Some(began) = self.began.take() {
                tokio::select! {
                    () = tokio::time::sleep(self.waits.after(began.elapsed())) => {}
                    () = line.stopped() => return Ok(None),
                }
            }
            self.began = Some(Instant::now());
            let opened = tokio::select! {
                opened = self.place.open() => opened,
                () = line.stopped() => return Ok(None),
            };
            match opened {
                Ok(connection) => {
                    self.presence.here();
                    return Ok(Some(connection));
                }
                Err(cause) => {
                    line.counters().count_error();
                    if let Some(fault) = self.presence.absent(&cause) {
                        port.tell(News::Fault(Some(fault))).await?;
                    }
                }
            }
        }
    }

    /// It was open, and is not any more.
    pub(super) async fn ended(&mut self, why: &str, port: &Port) -> Result<(), HostGone> {
        port.tell(News::Fault(Some(self.presence.gone(why)))).await
    }
}

/// Says when a medium is away and when it is back, each once.
#[derive(Debug)]
struct Presence {
    name: String,
    place: Place,
    /// Why it is away, as it was said last.
    away: Option<String>,
    was_there: bool,
}

impl Presence {
    fn of(name: &str, place: &Place) -> Self {
        Self { name: name.to_owned(), place: place.clone(), away: None, was_there: false }
    }

    /// It cannot be opened. What is to be told, if that is not known already.
    fn absent(&mut self, cause: &io::Error) -> Option<String> {
        let Self { name, place, .. } = self;
        let sentence = format!("{place} cannot be used: {cause}");
        if self.was_there || self.away.as_ref() == Some(&sentence) {
            // That it went away was said, and that it is still away is no news.
            return None;
        }
        tracing::warn!("{name}: {sentence}; it will be used when it is there");
        self.away = Some(sentence.clone());
        Some(sentence)
    }

    /// It is open.
    fn here(&mut self) {
        if self.away.take().is_some() && self.was_there {
            tracing::info!("{}: {} is back", self.name, self.place);
        }
        self.was_there = true;
    }

    /// It was open, and is not any more. What is to be told.
    fn gone(&mut self, why: &str) -> String {
        let Self { name, place, .. } = self;
        let sentence = format!("{place} {}; it will be used again when it is back", place.gone());
        tracing::warn!(why, "{name}: {sentence}");
        self.away = Some(sentence.clone());
        sentence
    }
}
