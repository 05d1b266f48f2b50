//! What stands between the loop and a medium: drivers, and how they report.
//!
//! A [`Medium`] is opened once and reports on any number of interfaces, each through a [`Port`]: a UDP socket is one, a
//! TCP listener one for each connection. Spec: `spec/node.md#drivers`.

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use nexus_network::rnode::{Condition, Device, Statistics};
use nexus_network::{Channel, Endpoint, InterfaceId, Profile};
use thiserror::Error;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;

use crate::decorators::Wrapped;
use crate::drivers::auto::TAKEN;

/// The sending half of one interface. Lives in the loop, so it never waits.
pub trait Driver: fmt::Debug + Send {
    /// Hands over one frame: to a peer, or, without one, to the only peer or everybody who listens for newcomers. After
    /// [`Handed::Pending`] the driver reports [`News::Sent`] or [`News::Lost`], and until then it gets no other frame.
    fn transmit(&self, to: Option<Endpoint>, frame: Vec<u8>) -> Handed;

    /// The number that the loop gave this interface. Called once, before the first frame.
    fn registered(&self, iface: InterfaceId) {
        // Only who records wants to know.
        _ = iface;
    }
}

/// What became of a frame that was handed over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Handed {
    /// It is on the medium already.
    Taken,
    /// The driver holds it, and reports.
    Pending,
    /// The medium does not take it; the next one may be tried.
    Refused,
}

/// A driver that hands each frame to its task. A full outbox refuses.
#[derive(Debug)]
pub struct Outbox(mpsc::Sender<Outgoing>);

/// A frame on its way out.
#[derive(Debug)]
pub struct Outgoing {
    /// To whom; none is the only peer or everybody.
    pub to: Option<Endpoint>,
    /// Its bytes.
    pub frame: Vec<u8>,
}

impl Outbox {
    /// How many frames fit. The loop hands over one at a time; what injects faults may repeat some.
    const CAPACITY: usize = 4;

    /// An outbox, and where its task takes the frames from.
    #[must_use]
    pub fn new() -> (Self, mpsc::Receiver<Outgoing>) {
        let (sender, receiver) = mpsc::channel(Self::CAPACITY);
        (Self(sender), receiver)
    }
}

impl Driver for Outbox {
    fn transmit(&self, to: Option<Endpoint>, frame: Vec<u8>) -> Handed {
        match self.0.try_send(Outgoing { to, frame }) {
            Ok(()) => Handed::Pending,
            Err(_full_or_ended) => Handed::Refused,
        }
    }
}

/// One report of a driver on one of its interfaces.
#[derive(Debug)]
pub struct Report {
    /// Which, as long as the process runs.
    pub port: PortId,
    /// What is to be said of it.
    pub news: News,
}

/// What a driver says of an interface.
#[derive(Debug)]
pub enum News {
    /// There is one: the first report of a port.
    Opened(Opening),
    /// Its medium came back or went away.
    Carrier(Carrier),
    /// A frame arrived.
    Received {
        /// From whom, on media that say so.
        from: Option<Endpoint>,
        /// The frame, without framing.
        frame: Vec<u8>,
    },
    /// The medium took the pending frame.
    Sent,
    /// The medium did not take the pending frame.
    Lost,
    /// So many pieces of input were no frame: too long, badly framed.
    Unusable(u64),
    /// What keeps the medium away, as a sentence's end; none once nothing does.
    Fault(Option<String>),
    /// What is known of the radio behind it.
    Radio(Box<Radio>),
    /// It is gone: the last report of a port.
    Closed {
        /// Why, as the end of a sentence.
        why: String,
    },
}

/// An interface that comes.
#[derive(Debug)]
pub struct Opening {
    /// How the operator knows it: its medium's name, with the peer's address where a medium has several.
    pub name: String,
    /// What kind of driver it is: "udp", "tcp", "serial".
    pub kind: &'static str,
    /// What the core is told.
    pub profile: Profile,
    /// Whether it can transmit at once.
    pub carrier: Carrier,
    /// Its sending half.
    pub driver: Box<dyn Driver>,
}

/// A radio as it stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Radio {
    /// The channel that the operator chose; none if they chose none.
    pub channel: Option<Channel>,
    /// How things are with it.
    pub condition: Condition,
    /// The modem, once it was detected.
    pub device: Option<Device>,
    /// What was measured and counted.
    pub statistics: Statistics,
}

/// Whether a medium is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Carrier {
    /// Frames leave and arrive.
    Up,
    /// They do not; the driver tries to mend that.
    Down,
}

/// Names an interface as long as the process runs, also before and after the loop has a number for it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct PortId(u64);

impl PortId {
    /// One that nobody had.
    #[must_use]
    pub fn fresh() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        Self(NEXT.fetch_add(1, Ordering::Relaxed))
    }
}

/// The loop ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("the node has ended")]
pub struct HostGone;

/// A medium's way to the loop.
#[derive(Clone, Debug)]
pub struct Line {
    medium: Arc<str>,
    reports: mpsc::Sender<Report>,
    stop: watch::Receiver<()>,
    counters: Arc<MediumCounters>,
}

/// What a medium counts beside its interfaces.
#[derive(Debug, Default)]
pub struct MediumCounters {
    /// Connections that were refused because there were too many.
    pub refused: AtomicU64,
    /// Errors of the socket that named no frame, such as ICMP refusals.
    pub errors: AtomicU64,
    /// Beacons that were not their sender's.
    pub forged: AtomicU64,
    /// Frames of somebody who is no peer.
    pub strangers: AtomicU64,
    /// Frames that came again by another way.
    pub echoed: AtomicU64,
    fault: Mutex<Option<String>>,
}

impl MediumCounters {
    /// Counts a connection that was refused.
    pub fn count_refused(&self) {
        self.refused.fetch_add(1, Ordering::Relaxed);
    }

    /// Counts an error.
    pub fn count_error(&self) {
        self.errors.fetch_add(1, Ordering::Relaxed);
    }

    /// Counts a beacon that was not its sender's.
    pub fn count_forged(&self) {
        self.forged.fetch_add(1, Ordering::Relaxed);
    }

    /// Counts a frame of somebody who is no peer.
    pub fn count_stranger(&self) {
        self.strangers.fetch_add(1, Ordering::Relaxed);
    }

    /// Counts a frame that came again by another way.
    pub fn count_echo(&self) {
        self.echoed.fetch_add(1, Ordering::Relaxed);
    }

    /// What keeps the medium from having interfaces, as a sentence's end; whether that is another than before.
    pub fn set_fault(&self, fault: Option<String>) -> bool {
        let mut held = self.fault.lock().unwrap_or_else(PoisonError::into_inner);
        let is_news = *held != fault;
        *held = fault;
        is_news
    }

    /// What keeps the medium from having interfaces.
    #[must_use]
    pub fn fault(&self) -> Option<String> {
        self.fault.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Line {
    /// The name of the medium.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.medium
    }

    /// The medium's counters.
    #[must_use]
    pub fn counters(&self) -> Arc<MediumCounters> {
        Arc::clone(&self.counters)
    }

    /// Waits until the medium is to close.
    pub async fn stopped(&mut self) {
        // Nothing is ever sent: what is waited for is the end of the sender.
        while self.stop.changed().await.is_ok() {}
    }

    /// Reports a new interface.
    pub async fn open(&self, opening: Opening) -> Result<Port, HostGone> {
        let port = Port { id: PortId::fresh(), reports: self.reports.clone() };
        port.tell(News::Opened(opening)).await?;
        Ok(port)
    }
}

/// Where a driver reports on one interface.
#[derive(Clone, Debug)]
pub struct Port {
    id: PortId,
    reports: mpsc::Sender<Report>,
}

impl Port {
    /// Reports, once there is room.
    pub async fn tell(&self, news: News) -> Result<(), HostGone> {
        self.reports.send(Report { port: self.id, news }).await.map_err(|_| HostGone)
    }
}

/// What can be opened: the settings of one driver.
pub trait Medium: fmt::Debug + Send + Sync {
    /// Takes what cannot be shared (a port, say) and starts the driver's task. In the context of a runtime.
    fn open(&self, line: Line) -> Result<Started, OpenError>;

    /// What kind of driver it is.
    fn kind(&self) -> &'static str;

    /// What it runs on, where that is no address of this machine: a port, say.
    fn place(&self) -> Option<String> {
        None
    }

    /// How many interfaces it is.
    fn spread(&self) -> Spread {
        Spread::One
    }
}

/// How many interfaces a medium is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Spread {
    /// One, called like the medium.
    One,
    /// One for each peer that is there: none at times.
    EachPeer,
}

/// A driver that was started.
#[derive(Debug)]
pub struct Started {
    /// Its task, which ends soon after [`Line::stopped`].
    pub task: JoinHandle<()>,
    /// Where it is bound, if it is.
    pub address: Option<SocketAddr>,
}

/// Why a medium was not opened.
#[derive(Debug, Error)]
pub enum OpenError {
    /// A name stands for one medium.
    #[error("there is an interface named {0} already: choose another name")]
    NameTaken(String),
    /// The system does not give the address.
    #[error("{name} cannot use {address}: {cause}")]
    Address {
        /// The medium.
        name: String,
        /// The address.
        address: SocketAddr,
        /// What the system says.
        cause: std::io::Error,
    },
    /// A recording is never written over another.
    #[error("{path} cannot be made for recording {name}: {cause}")]
    Recording {
        /// The medium.
        name: String,
        /// The file.
        path: PathBuf,
        /// What the system says.
        cause: std::io::Error,
    },
    /// What can be opened only once was.
    #[error("{name} was opened before and cannot be opened again")]
    Spent {
        /// The medium.
        name: String,
    },
    /// The shared instance of the machine is somebody else's.
    #[error(
        "{name} cannot be the shared instance at {place}: {cause}; if another one runs there, such as rnsd or a program that was started \
         first, end it, or choose another `instance`"
    )]
    Shared {
        /// The medium.
        name: String,
        /// Where.
        place: String,
        /// What the system says.
        cause: std::io::Error,
    },
    /// Stock nodes of the local network meet over IPv6.
    #[error(
        "{name} needs IPv6, which this system does not offer: {cause}; without it stock nodes are reached over TCP or UDP"
    )]
    NoIpv6 {
        /// The medium.
        name: String,
        /// What the system says.
        cause: std::io::Error,
    },
    /// Somebody else on this machine meets the stock nodes of the local network.
    #[error("{name} cannot use {address}: {cause}; {TAKEN}")]
    AutoTaken {
        /// The medium.
        name: String,
        /// The address.
        address: SocketAddr,
        /// What the system says.
        cause: std::io::Error,
    },
    /// A command needs a program.
    #[error("{name} has an empty command: it needs a program to start")]
    NoProgram {
        /// The medium.
        name: String,
    },
}

/// A medium in use. Dropping it asks the driver to stop.
#[derive(Debug)]
pub struct Running {
    stop: watch::Sender<()>,
    /// The driver's, and then those of its decorators from there to the loop.
    tasks: Vec<JoinHandle<()>>,
    /// What kind of driver it is.
    pub(crate) kind: &'static str,
    pub(crate) address: Option<SocketAddr>,
    /// What it runs on, where that is no address of this machine.
    pub(crate) place: Option<String>,
    pub(crate) spread: Spread,
    pub(crate) counters: Arc<MediumCounters>,
}

/// How long a driver may take to close before it is cut off.
const CLOSING: tokio::time::Duration = tokio::time::Duration::from_secs(3);

impl Running {
    /// Opens `medium`, whose reports go to `reports`.
    pub(crate) fn start(
        name: &str,
        medium: &dyn Medium,
        (reports, decorators): Wrapped,
    ) -> Result<Self, OpenError> {
        let (stop, stopped) = watch::channel(());
        let counters = Arc::default();
        let line = Line { medium: name.into(), reports, stop: stopped, counters: Arc::clone(&counters) };
        let Started { task, address } = medium.open(line)?;
        let tasks = std::iter::once(task).chain(decorators).collect();
        let (kind, place, spread) = (medium.kind(), medium.place(), medium.spread());
        Ok(Self { stop, tasks, kind, address, place, spread, counters })
    }

    /// Closes it, and returns once its sockets and processes are gone.
    pub async fn close(self) {
        let Self { stop, tasks, .. } = self;
        drop(stop);
        for mut task in tasks {
            if tokio::time::timeout(CLOSING, &mut task).await.is_err() {
                task.abort();
                let _cut_off = task.await;
            }
        }
    }
}
