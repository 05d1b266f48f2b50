//! A node with an endpoint, a node that carries, and a stock program behind that one, all over TCP.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use nexus_crypto::{DestinationHash, IdentitySeed};
use nexus_daemon::driver::Medium;
use nexus_daemon::drivers::tcp;
use nexus_daemon::host::entropy;
use nexus_daemon::{Decorations, Host, HostError, HostHandle, Store};
use nexus_machine::Config;
use nexus_network::{AppData, Mode};
use nexus_node::endpoint::{Accepting, Announcing, Command as C, Event as E, Service};
use nexus_node::{Command, Event, Setup};
use nexus_stock::stock::{Carries, Interfaces, StockNode};
use tempfile::TempDir;
use tokio::sync::broadcast::Receiver;
use tokio::sync::oneshot;
use tokio::task;

const PATIENCE: Duration = Duration::from_mins(1);

/// The three of them.
pub(crate) struct World {
    pub(crate) own: Own,
    pub(crate) stock: StockNode,
    relay: Running,
    runtime: Runtime,
    _home: TempDir,
}

/// What runs the nodes, on a thread of its own: stock programs are waited for on that of the test.
struct Runtime {
    handle: tokio::runtime::Handle,
    ended: oneshot::Sender<()>,
    thread: JoinHandle<()>,
}

/// The node with the endpoint, and what it tells.
pub(crate) struct Own {
    running: Running,
    events: Receiver<Arc<Event>>,
    runtime: tokio::runtime::Handle,
}

struct Running {
    handle: HostHandle,
    task: task::JoinHandle<Result<(), HostError>>,
    _state: TempDir,
    media: Vec<Arc<dyn Medium>>,
}

impl World {
    pub(crate) fn start() -> Self {
        let runtime = Runtime::start();
        let (at, relay, running) = runtime.handle.block_on(async {
            let (mut relay, mut own) = (Running::start(), Running::start());
            let listen = tcp::Listen {
                address: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
                speech: tcp::Speech::new(Mode::Reticulum),
                connections: 4,
            };
            let at = relay.open("clear", listen).await.unwrap();
            let (speech, backoff) = (tcp::Speech::new(Mode::Reticulum), tcp::Backoff::default());
            own.open("relay", tcp::Connect { peer: at.to_string(), speech, backoff }).await;
            (at, relay, own)
        });
        let home = tempfile::tempdir().unwrap();
        let call = Interfaces::none().calling(at, &[]);
        let stock = StockNode::start(home.path(), "stock", Carries::Itself, &call);
        let events = running.handle.events();
        let own = Own { running, events, runtime: runtime.handle.clone() };
        Self { own, stock, relay, runtime, _home: home }
    }

    pub(crate) fn end(self) {
        assert_eq!(self.stock.complaints(), Vec::<String>::new());
        let (own, relay) = (self.own.running, self.relay);
        self.runtime.handle.block_on(async {
            own.end().await;
            relay.end().await;
        });
        self.runtime.ended.send(()).unwrap();
        self.runtime.thread.join().unwrap();
    }
}

impl Runtime {
    fn start() -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let handle = runtime.handle().clone();
        let (ended, ends) = oneshot::channel();
        let thread = std::thread::spawn(move || {
            // A test that failed is gone, too.
            runtime.block_on(ends).ok();
        });
        Self { handle, ended, thread }
    }
}

impl Own {
    pub(crate) fn tell(&self, command: C) {
        let told = self.running.handle.ask(|view| view.command(Command::Endpoint(command)));
        self.runtime.block_on(told).unwrap();
    }

    /// The next event of which `is` makes something. Others are passed over.
    pub(crate) fn wait<T>(&mut self, mut is: impl FnMut(&E) -> Option<T>) -> T {
        let mut passed_over = Vec::new();
        let heard = async {
            loop {
                let event = self.events.recv().await.unwrap();
                let Event::Endpoint(event) = &*event else { continue };
                if let Some(found) = is(event) {
                    return found;
                }
                passed_over.push(event.clone());
            }
        };
        let heard = self.runtime.block_on(async { tokio::time::timeout(PATIENCE, heard).await });
        heard.unwrap_or_else(|_| panic!("it never happened, but {passed_over:?}"))
    }

    /// Has a destination, which it announces.
    pub(crate) fn serve(&mut self, name: &str, app_data: &[u8]) -> DestinationHash {
        let (announcing, accepting) = (Announcing::WhenAsked, Accepting::Links);
        let service = Service { name: name.to_owned(), app_data: app_data.to_vec(), announcing, accepting };
        self.tell(C::Serve(service));
        self.wait(|event| if let E::Serving { destination, .. } = event { Some(*destination) } else { None })
    }
}

impl Running {
    fn start() -> Self {
        let state = tempfile::tempdir().unwrap();
        let host = host(state.path());
        let handle = host.handle();
        Self { handle, task: tokio::spawn(host.run()), _state: state, media: Vec::new() }
    }

    async fn open(&mut self, name: &str, medium: impl Medium + 'static) -> Option<SocketAddr> {
        let (medium, name): (Arc<dyn Medium>, _) = (Arc::new(medium), name.to_owned());
        self.media.push(Arc::clone(&medium));
        let open = move |view: &mut nexus_daemon::HostView<'_>| {
            view.open(&name, &*medium, &Decorations::default()).unwrap()
        };
        self.handle.ask(open).await.unwrap()
    }

    async fn end(self) {
        self.handle.stop();
        tokio::time::timeout(PATIENCE, self.task).await.unwrap().unwrap().unwrap();
    }
}

fn host(state: &Path) -> Host {
    let (store, snapshot) = Store::open(state).unwrap();
    let setup = Setup {
        identity: IdentitySeed::from_bytes(entropy().unwrap()),
        config: Config::default(),
        limits: nexus_network::Limits::default(),
        app_data: AppData::default(),
        economy: nexus_node::economy::layer::Policy::default(),
        snapshot,
    };
    Host::new(setup, store).unwrap()
}
