//! A daemon: configuration, host and control socket in one process. Spec: spec/node.md#daemon.

mod answers;
mod books;
mod files;
mod label;
mod lxmf;
mod media;
pub(crate) mod money;
mod path_news;
mod refused;
mod reload;
mod requests;
pub(crate) mod sight;
mod subscribers;
mod ways;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use nexus_crypto::{DestinationHash, IdentityHash, IdentitySeed, NodeId, NodeIdentity, VerifyingKey};
use nexus_network::Policy;
use nexus_node::{Command, Event, Setup};
use thiserror::Error;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::broadcast;
use tokio::task::JoinHandle;

use crate::config::access::AccessError;
use crate::config::{Config, ConfigError, Interface};
use crate::control::{Control, ControlError, Replier};
use crate::driver::OpenError;
use crate::host::{Host, HostError, HostHandle};
use crate::key_store::{self, Found, KeyStoreError};
use crate::lock::{Lock, LockError};
use crate::logs::{Level, Logs};
use crate::metrics::{CannotListen, Metrics};
use crate::notify;
use crate::passphrase::Source;
use crate::people::{People, PeopleError};
use crate::rpc::key::{self, Keys};
use crate::rpc::{Rpc, Unanswered};
use crate::state_dir::{StateDir, StateDirError};
use crate::store::{Reader, Store, StoreError};

pub use books::BooksError;
use files::Files;
use path_news::PathNews;
use refused::RefusalLog;
use reload::Dialling;
use requests::Requests;
use subscribers::Subscribers;

/// What a daemon is started with.
#[derive(Clone, Debug)]
pub struct Options {
    /// Where it keeps its state.
    pub state: StateDir,
    /// The configuration; none for the state directory's own, or the defaults.
    pub config: Option<PathBuf>,
    /// In place of the configuration's level.
    pub log_level: Option<Level>,
    /// In place of the configuration's source.
    pub passphrase: Option<Source>,
    /// Where standard error goes, if to a file.
    pub log: Option<PathBuf>,
}

/// Why a daemon does not start, or ends.
#[derive(Debug, Error)]
pub enum ServiceError {
    /// The state directory.
    #[error(transparent)]
    State(#[from] StateDirError),
    /// Another process.
    #[error(transparent)]
    Lock(#[from] LockError),
    /// The configuration.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The key file.
    #[error(transparent)]
    Key(#[from] KeyStoreError),
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// What was said of other nodes.
    #[error(transparent)]
    People(#[from] PeopleError),
    /// The loop.
    #[error(transparent)]
    Host(#[from] HostError),
    /// An interface.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The access codes of an interface.
    #[error(transparent)]
    Access(#[from] AccessError),
    /// The control socket.
    #[error(transparent)]
    Control(#[from] ControlError),
    /// The metrics' listener.
    #[error(transparent)]
    Metrics(#[from] CannotListen),
    /// The books.
    #[error(transparent)]
    Books(#[from] BooksError),
    /// Signals.
    #[error("the system's signals cannot be received: {0}")]
    Signals(std::io::Error),
}

/// A running daemon.
#[derive(Debug)]
struct Service {
    options: Options,
    config: Config,
    handle: HostHandle,
    logs: Logs,
    began: Instant,
    node: NodeId,
    /// The key with which this node signs.
    verifying: VerifyingKey,
    /// What commands said of other nodes.
    people: People,
    identity: IdentityHash,
    /// Who waits for what becomes of what is sent.
    sending: BTreeMap<u64, Replier>,
    last_sending: u64,
    /// Who waits for what becomes of what the endpoint asks.
    requests: Requests,
    /// Files that are sent and received.
    files: Files,
    subscribers: Subscribers,
    /// Who waits for a way to a destination.
    finding: BTreeMap<DestinationHash, Vec<Replier>>,
    /// Who looks up the peers of an interface, by its name.
    dialling: BTreeMap<String, Dialling>,
    /// Reads what is durable.
    store: Reader,
    emission: Option<u64>,
    /// Interfaces that frames can pass, by name.
    up: BTreeSet<String>,
    refusals: RefusalLog,
    path_news: PathNews,
    /// How much of it the node could not keep, when it was last asked.
    missed_path_news: u64,
    /// What programs asked in vain, if they can ask.
    unanswered: Option<Arc<Unanswered>>,
}

/// Whether the daemon goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Course {
    GoesOn,
    Ends,
}

/// Runs a daemon until it is asked to stop. In the context of a runtime.
pub async fn run(options: Options) -> Result<(), ServiceError> {
    // Whatever is written is for this user alone.
    rustix::process::umask(rustix::fs::Mode::from_bits_truncate(0o077));
    options.state.make()?;
    let lock = Lock::take(&options.state)?;
    let config = Config::load(&options.state, options.config.as_deref())?;
    let logs = Logs::begin(options.log_level.unwrap_or(config.log_level), config.privacy);
    let passphrase = options.passphrase.as_ref().unwrap_or(&config.passphrase);
    let (seed, found) = key_store::open_or_make(&config.identity, passphrase)?;
    let (store, mut snapshot) = Store::open(options.state.path())?;
    let durable_books = snapshot.split_off(nexus_economy::ledger::organ::ENTRIES);
    let own = IdentitySeed::from_bytes(*seed.expose());
    let public = *NodeIdentity::from_seed(IdentitySeed::from_bytes(*seed.expose())).public();
    let setup = Setup {
        identity: seed,
        config: nexus_machine::Config { relaying: config.relaying, traces: config.traces },
        limits: nexus_network::Limits::default(),
        app_data: label::app_data(config.label.as_deref()),
        economy: config.economy(),
        snapshot,
    };
    let reader = store.reader();
    let people = People::read(&options.state)?;
    let mut host = Host::new(setup, store)?;
    if let Some(books) = &config.books {
        let rules = books::rules(&books.genesis)?;
        let kept = host.keep_books(&own, rules, books.kept, &durable_books)?;
        kept.map_err(|cause| BooksError::NotKept { path: books.genesis.clone(), cause })?;
    }
    drop((durable_books, own));
    let handle = host.handle();
    let events = handle.events();
    host.view().command(Command::Trust(people.trust(&config.trusted)));
    prepare(&mut host, &config)?;
    let mut service = Service {
        config,
        handle,
        logs,
        began: Instant::now(),
        node: public.node_id(),
        verifying: public.verifying(),
        people,
        identity: public.hash(),
        sending: BTreeMap::new(),
        last_sending: 0,
        requests: Requests::default(),
        files: Files::default(),
        subscribers: Subscribers::default(),
        finding: BTreeMap::new(),
        dialling: BTreeMap::new(),
        store: reader,
        emission: None,
        up: BTreeSet::new(),
        refusals: RefusalLog::default(),
        path_news: PathNews::default(),
        missed_path_news: 0,
        unanswered: None,
        options,
    };
    let control = Control::open(&service.options.state)?;
    let metrics = service.metrics().await?;
    let rpc = service.rpc()?;
    let running = tokio::spawn(host.run());
    tell_start(public.node_id(), found);
    service.dial_all();
    let ended = service.serve(control, running, events).await;
    drop((metrics, rpc));
    drop(lock);
    ended
}

/// Tells the host what the configuration says, and opens its interfaces.
fn prepare(host: &mut Host, config: &Config) -> Result<(), ServiceError> {
    if config.policy != Policy::Anyone {
        host.view().command(Command::Policy(config.policy.clone()));
    }
    host.view().command(Command::Prefer(sight::policy_of(config.path_policy)));
    for (node, weight) in &config.weights {
        host.view().command(Command::Weigh { node: *node, weight: *weight });
    }
    if config.crosses() {
        host.view().command(Command::Cross);
    }
    if let Some(lxmf) = &config.lxmf {
        host.view().command(Service::presence(lxmf));
    }
    if let Some(path) = &config.pcap_opened {
        let path = host.view().record_opened(path)?;
        let path = path.display();
        tracing::warn!("what links carry goes to {path} in clear, because `pcap_opened` says so");
    }
    for interface in &config.interfaces {
        open(host, interface)?;
    }
    Ok(())
}

/// Opens an interface as it is configured.
fn open(host: &mut Host, interface: &Interface) -> Result<(), ServiceError> {
    let medium = media::medium(interface)?;
    host.view().set_price(&interface.name, interface.price);
    host.view().set_standing(&interface.name, interface.role, interface.gravity);
    if interface.medium.calls() {
        host.view().set_caller(&interface.name);
    }
    if interface.medium.names_last() {
        host.view().set_lasting(&interface.name);
    }
    if let Some(access) = &interface.access {
        host.view().set_access_codes(&interface.name, access.codes()?);
    }
    host.view().open(&interface.name, medium.as_ref(), &interface.decorations)?;
    tracing::info!("{interface}");
    Ok(())
}

impl Service {
    /// Metrics are told, if the configuration says where.
    async fn metrics(&self) -> Result<Option<Metrics>, CannotListen> {
        let Some(address) = self.config.metrics else { return Ok(None) };
        let metrics = Metrics::open(address, self.handle.clone()).await?;
        tracing::info!("metrics are told at http://{}/metrics, to this machine alone", metrics.address());
        Ok(Some(metrics))
    }

    /// Attached programs are answered, if they can attach.
    fn rpc(&mut self) -> Result<Option<Rpc>, ServiceError> {
        let Some(config) = &self.config.rpc else { return Ok(None) };
        let keys = if let Some(key) = &config.key {
            Keys::only(key.clone())
        } else {
            let file = self.options.state.rpc_key();
            let key = key::open_or_make(&file)?;
            tracing::info!(
                "the line with which attached programs of other users may ask is in {}",
                file.display()
            );
            Keys::and_derived(key, std::env::var_os("HOME"))
        };
        let rpc = Rpc::open(&config.place, keys, self.handle.clone(), self.identity)?;
        self.unanswered = Some(rpc.unanswered());
        Ok(Some(rpc))
    }

    /// Until somebody says stop, or the host cannot go on.
    async fn serve(
        &mut self,
        mut control: Control,
        mut running: JoinHandle<Result<(), HostError>>,
        mut events: broadcast::Receiver<Arc<Event>>,
    ) -> Result<(), ServiceError> {
        let mut signals = Signals::new().map_err(ServiceError::Signals)?;
        let mut changes = self.handle.changes();
        let mut each_second = tokio::time::interval(std::time::Duration::from_secs(1));
        each_second.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut tick = tokio::time::interval(std::time::Duration::from_millis(500));
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        tell_manager(notify::State::Ready);
        let outcome = loop {
            tokio::select! {
                Some(asked) = control.next() => {
                    if self.answer(asked).await == Course::Ends {
                        break None;
                    }
                }
                event = events.recv() => self.hear(event).await,
                Ok(()) = changes.changed() => self.interfaces_changed().await,
                _ = tick.tick() => {
                    self.serve_listeners().await;
                    self.end_receiving_for_nobody().await;
                    self.log_refusals().await;
                }
                _ = each_second.tick() => self.tell_path_news().await,
                _ = signals.terminate.recv() => break None,
                _ = signals.interrupt.recv() => break None,
                _ = signals.hangup.recv() => self.reload_on_signal().await,
                ended = &mut running => break Some(ended),
            }
        };
        tell_manager(notify::State::Stopping);
        for dialling in self.dialling.values() {
            dialling.abort();
        }
        self.end_requests();
        let ended = if let Some(ended) = outcome {
            ended
        } else {
            self.handle.stop();
            running.await
        };
        control.finish().await;
        match ended {
            Ok(Ok(())) => {
                tracing::info!("node {} ended in order", self.node);
                Ok(())
            }
            Ok(Err(cause)) => {
                tracing::error!("the node cannot go on: {cause}");
                Err(cause.into())
            }
            Err(panicked) => std::panic::resume_unwind(panicked.into_panic()),
        }
    }
}

fn tell_start(node: NodeId, found: Found) {
    match found {
        Found::Before => tracing::info!("node {node} starts"),
        Found::MadeNow => tracing::info!("node {node} starts for the first time: its identity was made"),
    }
}

fn tell_manager(state: notify::State) {
    if let Err(cause) = notify::tell(state) {
        tracing::warn!("the service manager cannot be told that this node is {state:?}: {cause}");
    }
}

/// What the process is told from outside.
#[derive(Debug)]
struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hangup: Signal,
}

impl Signals {
    fn new() -> std::io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hangup: signal(SignalKind::hangup())?,
        })
    }
}
