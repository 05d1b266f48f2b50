//! An RNode: bytes between its port and `nexus_network::rnode`, which decides everything. Spec: `spec/node.md#rnode`.

#[cfg(test)]
mod tests;

use std::collections::VecDeque;

use nexus_machine::{Cx, Instant as Moment, Machine as _};
use nexus_network::rnode::{self, Condition, Effect, Input, Settings};
use nexus_network::{Access, Channel, DutyCycle, Mode, Profile, Reach, Role, Timing, lora};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::sync::mpsc;
use tokio::time::{Duration, Instant};

pub use super::backoff::Settings as Backoff;
pub use super::port::Place;
use super::port::{Connection, Visits};
use super::stream;
use crate::driver::{
    Carrier, HostGone, Line, Medium, News, OpenError, Opening, Outbox, Outgoing, Port, Radio, Started,
};

/// A radio modem. One interface, up while the radio is on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rnode {
    /// Where it is.
    pub place: Place,
    /// Which bytes are spoken.
    pub mode: Mode,
    /// The channel that the operator chose; without one the radio stays silent.
    pub channel: Option<Channel>,
    /// How long to wait between attempts at opening its port.
    pub backoff: Backoff,
}

/// Bits per second on a modem's cable.
pub const BAUD: u32 = 115_200;
/// The TCP port of a modem.
pub const PORT: u16 = 7_633;
/// How much is read at once, in bytes.
const READ: usize = 4_096;
/// A modem that takes no byte for so long is gone.
const STALLED: Duration = Duration::from_secs(10);
/// How long the last words may take.
const LEAVING: Duration = Duration::from_secs(1);

impl Rnode {
    const fn settings(&self) -> Settings {
        Settings { mode: self.mode, channel: self.channel }
    }

    /// What is said of it when it opens. Without a channel nothing ever leaves, so what follows from one is unknown.
    fn profile(&self) -> Profile {
        self.settings().profile().unwrap_or(Profile {
            mode: self.mode,
            reach: Reach::Shared,
            access: Access::Direct,
            bandwidth_bps: 0,
            frame_size: lora::FRAME_MAX,
            timing: Timing::Rate,
            duty: DutyCycle::UNLIMITED,
            sub_band: None,
            overhead: 0,
            price: 0,
            role: Role::Full,
            gravity: 0,
        })
    }
}

impl Medium for Rnode {
    fn open(&self, line: Line) -> Result<Started, OpenError> {
        let settings = self.clone();
        let task = tokio::spawn(async move {
            // When nobody listens any more, there is nobody to tell.
            let _host_gone = serve(&settings, line).await;
        });
        Ok(Started { task, address: None })
    }

    fn kind(&self) -> &'static str {
        "rnode"
    }

    fn place(&self) -> Option<String> {
        Some(self.place.to_string())
    }
}

async fn serve(settings: &Rnode, mut line: Line) -> Result<(), HostGone> {
    let mut modem = Modem::open(settings, &line).await?;
    let mut visits = match Visits::of(&line, &settings.place, settings.backoff) {
        Ok(visits) => visits,
        Err(why) => return modem.port.tell(News::Closed { why }).await,
    };
    while let Some(connection) = visits.next(&mut line, &modem.port).await? {
        match modem.hold(connection, &mut line).await? {
            Ending::Stopped => break,
            Ending::Gone(why) => visits.ended(&why, &modem.port).await?,
        }
    }
    modem.port.tell(News::Closed { why: "it was closed".into() }).await
}

/// Why a connection is not held any more.
enum Ending {
    Stopped,
    Gone(String),
}

/// One modem, plugged in or not.
struct Modem {
    name: String,
    place: String,
    channel: Option<Channel>,
    machine: rnode::Rnode,
    effects: VecDeque<Effect>,
    booted: Instant,
    port: Port,
    outgoing: mpsc::Receiver<Outgoing>,
    /// What the modem is still to be told.
    unwritten: Vec<u8>,
    /// Since when it took nothing of that.
    waiting_since: Instant,
    /// Whether it takes a frame.
    ready: bool,
}

impl Modem {
    async fn open(settings: &Rnode, line: &Line) -> Result<Self, HostGone> {
        let (outbox, outgoing) = Outbox::new();
        let opening = Opening {
            name: line.name().to_owned(),
            kind: "rnode",
            profile: settings.profile(),
            carrier: Carrier::Down,
            driver: Box::new(outbox),
        };
        let port = line.open(opening).await?;
        let modem = Self {
            name: line.name().to_owned(),
            place: settings.place.to_string(),
            channel: settings.channel,
            machine: rnode::Rnode::new(settings.settings()),
            effects: VecDeque::new(),
            booted: Instant::now(),
            port,
            outgoing,
            unwritten: Vec::new(),
            waiting_since: Instant::now(),
            ready: false,
        };
        modem.tell_radio().await?;
        Ok(modem)
    }

    /// Moves bytes and keeps time until the connection or the medium ends.
    async fn hold(&mut self, connection: Box<dyn Connection>, line: &mut Line) -> Result<Ending, HostGone> {
        let (mut reader, mut writer) = tokio::io::split(connection);
        let mut buffer = vec![0; READ];
        self.unwritten.clear();
        self.tell(Input::Plugged).await?;
        let why = loop {
            let due = self.machine.next_timeout().and_then(|at| self.booted.checked_add(micros(at)));
            let owes = !self.unwritten.is_empty();
            tokio::select! {
                read = reader.read(&mut buffer) => match read {
                    Ok(0) => break "it was closed".to_owned(),
                    Ok(length) => self.tell(Input::Bytes(buffer[..length].to_vec())).await?,
                    Err(cause) => break cause.to_string(),
                },
                written = writer.write(&self.unwritten), if owes => match written {
                    Ok(0) => break "it takes nothing".to_owned(),
                    Ok(length) => {
                        self.unwritten.drain(..length);
                        self.waiting_since = Instant::now();
                    }
                    Err(cause) => break cause.to_string(),
                },
                frame = self.outgoing.recv(), if self.ready => {
                    // The loop let go of the interface.
                    let Some(Outgoing { to: _, frame }) = frame else { return Err(HostGone) };
                    self.ready = false;
                    self.tell(Input::Transmit(frame)).await?;
                }
                () = stream::until(due) => self.wake().await?,
                () = tokio::time::sleep_until(self.waiting_since + STALLED), if owes => {
                    break "it takes nothing".to_owned();
                }
                () = line.stopped() => {
                    self.tell(Input::Leave).await?;
                    let last_words = writer.write_all(&self.unwritten);
                    // A modem that does not take them is left as it is.
                    let _left = tokio::time::timeout(LEAVING, last_words).await;
                    return Ok(Ending::Stopped);
                }
            }
        };
        self.tell(Input::Unplugged).await?;
        Ok(Ending::Gone(why))
    }

    async fn tell(&mut self, input: Input) -> Result<(), HostGone> {
        let cx = Cx::at(self.now());
        self.machine.handle(cx, input, &mut self.effects);
        self.carry_out().await
    }

    async fn wake(&mut self) -> Result<(), HostGone> {
        let cx = Cx::at(self.now());
        self.machine.handle_timeout(cx, &mut self.effects);
        self.carry_out().await
    }

    async fn carry_out(&mut self) -> Result<(), HostGone> {
        while let Some(effect) = self.effects.pop_front() {
            match effect {
                Effect::Write(bytes) => {
                    if self.unwritten.is_empty() {
                        self.waiting_since = Instant::now();
                    }
                    self.unwritten.extend(bytes);
                }
                Effect::Up(_) => {
                    // What was for the radio before it went down is out of date.
                    while self.outgoing.try_recv().is_ok() {}
                    self.ready = true;
                    self.port.tell(News::Carrier(Carrier::Up)).await?;
                }
                Effect::Down => {
                    self.ready = false;
                    self.port.tell(News::Carrier(Carrier::Down)).await?;
                }
                Effect::Condition(condition) => self.tell_condition(condition).await?,
                Effect::Received { frame, signal: _ } => {
                    self.port.tell(News::Received { from: None, frame }).await?;
                }
                Effect::Sent => {
                    self.ready = true;
                    self.port.tell(News::Sent).await?;
                }
                Effect::Lost => {
                    self.ready = true;
                    self.port.tell(News::Lost).await?;
                }
                Effect::Measured => self.tell_radio().await?,
            }
        }
        Ok(())
    }

    async fn tell_condition(&self, condition: Condition) -> Result<(), HostGone> {
        let Self { name, place, .. } = self;
        let fault = match condition {
            // It is said when the port is opened and when it ends.
            Condition::Unplugged => return self.tell_radio().await,
            Condition::On => {
                let channel = self.channel.map(|channel| channel.to_string()).unwrap_or_default();
                tracing::info!("{name}: the RNode on {place} is on: {channel}");
                None
            }
            Condition::Detecting | Condition::SettingUp => {
                tracing::debug!("{name}: the RNode on {place} is {condition}");
                Some(condition.to_string())
            }
            Condition::NoChannel | Condition::Restarted | Condition::Faulty(_) => {
                tracing::warn!("{name}: the RNode on {place} is {condition}");
                Some(condition.to_string())
            }
        };
        self.port.tell(News::Fault(fault)).await?;
        self.tell_radio().await
    }

    async fn tell_radio(&self) -> Result<(), HostGone> {
        let radio = Radio {
            channel: self.channel,
            condition: self.machine.condition(),
            device: self.machine.device(),
            statistics: *self.machine.statistics(),
        };
        self.port.tell(News::Radio(Box::new(radio))).await
    }

    /// The machine's clock: microseconds since this was opened.
    fn now(&self) -> Moment {
        Moment::from_micros(u64::try_from(self.booted.elapsed().as_micros()).unwrap_or(u64::MAX))
    }
}

const fn micros(at: Moment) -> Duration {
    Duration::from_micros(at.as_micros())
}
