//! The loop around a node.
//!
//! One task owns the node and never waits for a medium or a disk: drivers hand over frames and take them without
//! waiting, the store has its own thread. Others reach the node through a [`HostHandle`].

mod disk;
mod handle;
mod interfaces;
mod needs;
mod view;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use nexus_crypto::hash::sha256;
use nexus_crypto::{IdentitySeed, NodeId};
use nexus_economy::ledger::organ::NotKept;
use nexus_economy::ledger::rules::Rules;
use nexus_machine::{Instant, Seed, Snapshot};
use nexus_network::{Endpoint, InterfaceId, Mode, Opened, Profile, Role};
use nexus_node::{Command, Event, Input, LedgerEvent, Node, Output, Setup};
use nexus_wire::nexus::recording::RecordedMessages;
use nexus_wire::reticulum::Ifac;
use thiserror::Error;
use tokio::sync::{Notify, broadcast, mpsc, watch};
use tokio::time::{Interval, Sleep};

use crate::config::Kept;
use crate::driver::{Carrier, Handed, News, Opening, PortId, Report, Running};
use crate::store::{Reader, Store, StoreError};
use crate::tape::Tape;

use disk::Disk;
use handle::{Asks, asks};
pub use handle::{HostHandle, MediumNotClosed};
use interfaces::Interfaces;
pub use interfaces::{Counters, InterfaceStatus};
pub use view::{HostView, MediumStatus};

/// Why a host cannot go on.
#[derive(Debug, Error)]
pub enum HostError {
    /// What must survive cannot be written.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The operating system gives no randomness: no key may be made.
    #[error("the operating system gives no randomness ({0}): no key can be made safely")]
    Entropy(getrandom::Error),
    /// The store has no thread.
    #[error("the system starts no thread for the store: {0}")]
    Thread(std::io::Error),
    /// Thousands of writes wait.
    #[error("the disk does not keep up with what must be stored: it stalls, or is failing")]
    DiskStalled,
    /// The store's thread is gone.
    #[error("the store ended before the node did")]
    DiskEnded,
}

/// 32 bytes from the operating system's random source.
pub fn entropy() -> Result<[u8; 32], HostError> {
    let mut bytes = [0; 32];
    getrandom::getrandom(&mut bytes).map_err(HostError::Entropy)?;
    Ok(bytes)
}

/// How often the wall clock is read.
const CLOCK_INTERVAL: tokio::time::Duration = tokio::time::Duration::from_mins(1);
/// The wall clock's error where nothing better is known, in seconds.
const CLOCK_ERROR_S: u32 = 1;
/// How many reports the drivers may be ahead of the loop. At the bound they wait, and their media with them.
const REPORTS: usize = 512;
/// How many reports are taken at once.
const BATCH: usize = 64;
/// How many events a subscriber may be behind before it loses the oldest, and is told so.
const EVENTS: usize = 1_024;
/// How long writes may take to finish when the host stops.
const FINISHING: tokio::time::Duration = tokio::time::Duration::from_secs(10);

/// A node, its interfaces and its disk.
#[derive(Debug)]
pub struct Host {
    node: Node,
    interfaces: Interfaces,
    media: BTreeMap<String, OpenMedium>,
    dials: BTreeMap<(String, Endpoint), Option<NodeId>>,
    /// What is asked on the interfaces of a medium, by its name.
    prices: BTreeMap<String, u64>,
    /// Where interfaces of media stand among stock nodes, and how strongly they draw paths.
    standings: BTreeMap<String, (Role, u8)>,
    /// The media on which this node calls a stock node.
    callers: BTreeSet<String>,
    /// The media whose peers have addresses that last.
    lasting: BTreeSet<String>,
    /// The access codes of the interfaces of a medium, by its name.
    codes: BTreeMap<String, Arc<Ifac>>,
    /// What the node asked for and gets at once: readiness, entropy, commands.
    answers: VecDeque<Input>,
    /// For drivers to be opened.
    reports: mpsc::Sender<Report>,
    events: broadcast::Sender<Arc<Event>>,
    changes: watch::Sender<u64>,
    booted: tokio::time::Instant,
    disk: Disk,
    /// Reads what the node wants read.
    reader: Reader,
    /// Where what links carry is recorded, if anywhere.
    opened: Option<Tape>,
    inlets: Inlets,
    handle: HostHandle,
}

/// Where the loop hears of the world.
#[derive(Debug)]
struct Inlets {
    reports: mpsc::Receiver<Report>,
    asks: Asks,
    stop: Arc<Notify>,
    clock: Interval,
}

/// A medium in use, and what wraps it.
#[derive(Debug)]
struct OpenMedium {
    running: Running,
    decorations: String,
}

/// Whether the loop goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Course {
    GoesOn,
    Ends,
}

impl Host {
    /// A host for a node made from `setup`, with fresh entropy. In the context of a runtime.
    pub fn new(setup: Setup, store: Store) -> Result<Self, HostError> {
        let node = Node::new(setup, &Seed::new(entropy()?));
        let (reports, received) = mpsc::channel(REPORTS);
        let (events, _) = broadcast::channel(EVENTS);
        let (changes, changes_seen) = watch::channel(0);
        let stop = Arc::new(Notify::new());
        let (ask, asks) = asks();
        let handle = HostHandle::new(ask, events.clone(), changes_seen, Arc::clone(&stop));
        let mut clock = tokio::time::interval(CLOCK_INTERVAL);
        clock.reset();
        Ok(Self {
            node,
            interfaces: Interfaces::default(),
            media: BTreeMap::new(),
            dials: BTreeMap::new(),
            prices: BTreeMap::new(),
            standings: BTreeMap::new(),
            callers: BTreeSet::new(),
            lasting: BTreeSet::new(),
            codes: BTreeMap::new(),
            answers: VecDeque::new(),
            reports,
            events,
            changes,
            booted: tokio::time::Instant::now(),
            reader: store.reader(),
            disk: Disk::start(store)?,
            opened: None,
            inlets: Inlets { reports: received, asks, stop, clock },
            handle,
        })
    }

    /// Has the node keep books from here on, with what was durable of them. Before the loop runs.
    pub fn keep_books(
        &mut self,
        identity: &IdentitySeed,
        rules: Rules,
        kept: Kept,
        snapshot: &Snapshot,
    ) -> Result<Result<(), NotKept>, HostError> {
        let seed = Seed::new(entropy()?);
        let disk = (snapshot, &seed);
        Ok(match kept {
            Kept::All(witnessing) => {
                let limits = nexus_economy::ledger::organ::Limits::default();
                self.node.keep_books(identity, rules, witnessing, limits, disk)
            }
            Kept::Some => self.node.keep_sparse_books(identity, rules, disk),
        })
    }

    /// What others reach the node with.
    #[must_use]
    pub fn handle(&self) -> HostHandle {
        self.handle.clone()
    }

    /// The view that [`HostHandle::ask`] gives, for what is to be opened before the loop runs.
    pub const fn view(&mut self) -> HostView<'_> {
        HostView::new(self)
    }

    /// Runs until [`HostHandle::stop`], or until the host cannot go on. Then writes finish, and drivers close.
    pub async fn run(mut self) -> Result<(), HostError> {
        let mut outcome = self.turn_until_stopped().await;
        if outcome.is_ok() {
            self.answers.push_back(Input::Command(Command::Save));
            outcome = self.settle();
        }
        let finished = self.finish_writes(&outcome).await;
        self.close_media().await;
        if let Some(tape) = &mut self.opened {
            tape.end();
        }
        let closed = self.disk.finish().await;
        outcome.and(finished).and(closed)
    }

    async fn turn_until_stopped(&mut self) -> Result<(), HostError> {
        if let Some(reading) = wall_clock() {
            self.answers.push_front(reading);
        }
        self.answers.push_back(Input::Command(Command::Start));
        let mut batch = Vec::with_capacity(BATCH);
        let mut timer = Box::pin(tokio::time::sleep_until(self.booted));
        while self.turn(&mut batch, timer.as_mut()).await? == Course::GoesOn {}
        Ok(())
    }

    /// Takes what is ready from one inlet, and carries out what the node makes of it.
    async fn turn(
        &mut self,
        batch: &mut Vec<Report>,
        mut timer: std::pin::Pin<&mut Sleep>,
    ) -> Result<Course, HostError> {
        self.settle()?;
        let deadline = self.node.next_timeout().and_then(|at| self.booted.checked_add(micros(at)));
        if let Some(deadline) = deadline
            && deadline != timer.deadline()
        {
            timer.as_mut().reset(deadline);
        }
        tokio::select! {
            _ = self.inlets.reports.recv_many(batch, BATCH) => {
                // They are taken within microseconds: one look at the clock serves all.
                let now = self.now();
                for report in batch.drain(..) {
                    self.take(now, report)?;
                }
            }
            () = timer, if deadline.is_some() => self.node.handle_timeout(self.now()),
            through = self.disk.durable() => {
                let through = through?;
                self.node.handle(self.now(), Input::Persisted { through });
            }
            ask = self.inlets.asks.next() => ask(&mut HostView::new(self)),
            _ = self.inlets.clock.tick() => self.answers.extend(wall_clock()),
            () = self.inlets.stop.notified() => return Ok(Course::Ends),
        }
        Ok(Course::GoesOn)
    }

    /// Carries out what the node wants, and gives it the answers it waits for, until it waits for none.
    fn settle(&mut self) -> Result<(), HostError> {
        self.settle_at(self.now())
    }

    fn settle_at(&mut self, now: Instant) -> Result<(), HostError> {
        self.carry_out()?;
        while let Some(answer) = self.answers.pop_front() {
            self.node.handle(now, answer);
            self.carry_out()?;
        }
        Ok(())
    }

    fn take(&mut self, now: Instant, report: Report) -> Result<(), HostError> {
        let Report { port, news } = report;
        if let News::Opened(opening) = news {
            self.open(port, opening);
            return self.settle_at(now);
        }
        // What a port says after it was closed, or when there was no number for it, concerns nobody.
        let Some(interface) = self.interfaces.at(port) else { return Ok(()) };
        let (iface, profile) = (interface.status.id, interface.status.profile);
        let counters = &mut interface.status.counters;
        match news {
            News::Opened(_) => unreachable!("it was taken above"),
            News::Received { from, frame } => {
                counters.frames_in += 1;
                counters.bytes_in += frame.len() as u64;
                self.node.handle(now, Input::Frame { iface, from, bytes: frame });
            }
            News::Sent => {
                if let Some(bytes) = interface.pending.take() {
                    interface.count_sent(bytes);
                    self.answers.push_back(Input::TxReady { iface });
                }
            }
            News::Lost => {
                if interface.pending.take().is_some() {
                    interface.status.counters.send_errors += 1;
                    self.answers.push_back(Input::TxReady { iface });
                }
            }
            News::Unusable(pieces) => counters.unusable += pieces,
            News::Fault(fault) => interface.status.fault = fault,
            News::Radio(radio) => interface.status.radio = Some(*radio),
            News::Carrier(carrier) => {
                if interface.set_carrier(carrier) {
                    let name = interface.status.name.clone();
                    tracing::info!(interface = name, ?carrier, "the medium changed");
                    match carrier {
                        Carrier::Up => self.up(iface, &name, profile),
                        Carrier::Down => self.answers.push_back(Input::Down { iface }),
                    }
                    self.note_change();
                }
            }
            News::Closed { why } => self.close(port, &why),
        }
        self.settle_at(now)
    }

    fn open(&mut self, port: PortId, mut opening: Opening) {
        let name = opening.name.clone();
        if let Some((_, price)) = self.prices.iter().find(|(medium, _)| is_of(&name, medium)) {
            opening.profile.price = *price;
        }
        let standing = self.standings.iter().find(|(medium, _)| is_of(&name, medium));
        if let Some((_, (role, gravity))) = standing {
            opening.profile.role = *role;
            opening.profile.gravity = *gravity;
        }
        let Some(interface) = self.interfaces.open(port, opening) else {
            tracing::warn!(interface = name, "refused: all 245 interface numbers are taken");
            return;
        };
        let status = &interface.status;
        let iface = status.id;
        tracing::info!(interface = name, id = iface.0, kind = status.kind, carrier = ?status.carrier, "opened");
        let (carrier, profile) = (status.carrier, status.profile);
        if carrier == Carrier::Up {
            self.up(iface, &name, profile);
        }
        for ((_, to), expected) in self.dials.iter().filter(|((medium, _), _)| *medium == name) {
            self.answers.push_back(Input::Command(Command::Dial { iface, to: *to, expected: *expected }));
        }
        self.note_change();
    }

    /// An interface can transmit. Its access codes come first: nothing leaves without them.
    fn up(&mut self, iface: InterfaceId, name: &str, profile: Profile) {
        if let Some((_, codes)) = self.codes.iter().find(|(medium, _)| is_of(name, medium)) {
            let codes = Arc::clone(codes);
            self.answers.push_back(Input::Command(Command::AccessCodes { iface, codes }));
        }
        self.answers.push_back(Input::Up { iface, profile });
        if profile.mode == Mode::Reticulum && self.callers.contains(name) {
            let interface = sha256(&[name.as_bytes()]);
            self.answers.push_back(Input::Command(Command::SayTunnel { iface, interface }));
        }
        if self.lasting.iter().any(|medium| is_of(name, medium)) {
            let peer = sha256(&[name.as_bytes()]);
            self.answers.push_back(Input::Command(Command::Recognised { iface, peer }));
        }
    }

    fn close(&mut self, port: PortId, why: &str) {
        let Some(status) = self.interfaces.close(port) else { return };
        tracing::info!(interface = status.name, id = status.id.0, why, "closed");
        if status.carrier == Carrier::Up {
            self.answers.push_back(Input::Down { iface: status.id });
        }
        self.note_change();
    }

    fn carry_out(&mut self) -> Result<(), HostError> {
        if let Some(tape) = &mut self.opened {
            while let Some(opened) = self.node.take_opened() {
                record(tape, &opened);
            }
        }
        while let Some(output) = self.node.poll_output() {
            match output {
                Output::Transmit { iface, to, bytes } => self.transmit(iface, to, bytes),
                // Where somebody else may be transmitting, the driver finds out itself.
                Output::Sense { iface } => self.answers.push_back(Input::ChannelClear { iface }),
                Output::Persist { ticket, writes } => self.disk.persist(ticket, writes)?,
                Output::Event(Event::EntropyWanted) => self.answers.push_back(Input::Entropy(entropy()?)),
                Output::Event(Event::Ledger(LedgerEvent::ReadWanted { number, table, key })) => {
                    let value = self.reader.value(table, &key)?;
                    self.answers.push_back(Input::Read { number, value });
                }
                Output::Event(Event::Endpoint(event)) => self.endpoint_says(*event),
                Output::Event(event) => {
                    // Without a subscriber nobody wants to know.
                    let _subscribers = self.events.send(Arc::new(event));
                }
            }
        }
        Ok(())
    }

    fn transmit(&mut self, iface: InterfaceId, to: Option<Endpoint>, frame: Vec<u8>) {
        // The node is about to hear that it went down.
        let Some(interface) = self.interfaces.get_mut(iface) else { return };
        let bytes = frame.len();
        match interface.driver.transmit(to, frame) {
            Handed::Pending => {
                interface.pending = Some(bytes);
                return;
            }
            Handed::Taken => interface.count_sent(bytes),
            Handed::Refused => interface.status.counters.send_errors += 1,
        }
        self.answers.push_back(Input::TxReady { iface });
    }

    /// What the node did last is durable before the host ends; what fails to be is in the error.
    async fn finish_writes(&mut self, outcome: &Result<(), HostError>) -> Result<(), HostError> {
        let until = tokio::time::Instant::now() + FINISHING;
        while outcome.is_ok() && !self.disk.is_idle() {
            let Ok(through) = tokio::time::timeout_at(until, self.disk.durable()).await else {
                return Err(HostError::DiskStalled);
            };
            self.node.handle(self.now(), Input::Persisted { through: through? });
            self.settle()?;
        }
        Ok(())
    }

    async fn close_media(&mut self) {
        let media = std::mem::take(&mut self.media);
        let closing = async move {
            // All are asked at once; then each is waited for.
            let closing: Vec<_> =
                media.into_values().map(|medium| tokio::spawn(medium.running.close())).collect();
            for medium in closing {
                let _ended = medium.await;
            }
        };
        let mut closing = std::pin::pin!(closing);
        loop {
            // A driver that waits for room in the channel would not close.
            tokio::select! {
                () = &mut closing => return,
                Some(_) = self.inlets.reports.recv() => {}
            }
        }
    }

    fn note_change(&self) {
        self.changes.send_modify(|changes| *changes = changes.wrapping_add(1));
    }

    /// The node's clock: microseconds since this host was made.
    fn now(&self) -> Instant {
        Instant::from_micros(u64::try_from(self.booted.elapsed().as_micros()).unwrap_or(u64::MAX))
    }
}

/// Whether an interface is of this medium: it is called like it, and connections that a listener accepted after it.
fn is_of(interface: &str, medium: &str) -> bool {
    interface.strip_prefix(medium).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

fn record(tape: &mut Tape, opened: &Opened) {
    let Opened { iface, direction, peer, header, plaintext } = opened;
    let (interface, direction) = (iface.0, *direction);
    let recorded = RecordedMessages { interface, direction, peer: *peer, header: *header, plaintext };
    tape.record(direction, &recorded);
}

fn micros(at: Instant) -> tokio::time::Duration {
    tokio::time::Duration::from_micros(at.as_micros())
}

/// What the system's clock says; a clock before 1970 says nothing.
fn wall_clock() -> Option<Input> {
    let unix_s = SystemTime::now().duration_since(UNIX_EPOCH).ok()?.as_secs();
    Some(Input::WallClock { unix_s, error_s: CLOCK_ERROR_S })
}
