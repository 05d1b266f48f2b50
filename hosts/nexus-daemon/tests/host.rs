//! Hosts with real sockets, stores and threads.

#![allow(clippy::unwrap_used, reason = "a panic is how a test fails, in its helpers too")]

use std::collections::BTreeSet;
use std::net::{Ipv4Addr, SocketAddr};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use nexus_crypto::IdentitySeed;
use nexus_daemon::decorators::{Faults, Pcap, Tracer};
use nexus_daemon::driver::{Carrier, HostGone, Medium};
use nexus_daemon::drivers::{memory, tcp};
use nexus_daemon::host::{InterfaceStatus, MediumNotClosed, entropy};
use nexus_daemon::{Decorations, Host, HostError, HostHandle, Store, recordings};
use nexus_machine::Config;
use nexus_network::{Access, AppData, DutyCycle, InterfaceId, Mode, Profile, Reach, Role, Timing};
use nexus_node::{Event, Setup};
use nexus_wire::nexus::Layout as _;
use nexus_wire::nexus::frame::SEALED_OVERHEAD;
use nexus_wire::nexus::message::{MessageKind, Messages};
use nexus_wire::nexus::recording::{Direction, RecordedMessages};
use nexus_wire::pcapng::Packets;
use nexus_wire::reticulum::ifac::{Ifac, Membership, TagLen};
use tempfile::TempDir;
use tokio::sync::broadcast::Receiver;
use tokio::task::JoinHandle;

const PATIENCE: Duration = Duration::from_secs(20);

#[tokio::test]
async fn hosts_reach_each_other_over_tcp_also_when_the_listener_comes_later() {
    let mut left = Running::start();
    let mut right = Running::start();
    let (mut in_left, mut in_right) = (left.handle.events(), right.handle.events());
    let listen = tcp::Listen {
        address: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
        speech: tcp::Speech::new(Mode::Reticulum),
        connections: 4,
    };
    let at = left.open("lan", listen).await.unwrap();
    let connect = tcp::Connect {
        peer: at.to_string(),
        speech: tcp::Speech::new(Mode::Reticulum),
        backoff: tcp::Backoff::default(),
    };
    right.open("home", connect).await;
    reached(&mut in_left).await;
    reached(&mut in_right).await;
    let seen = left.interfaces().await;
    assert_eq!(seen.len(), 1);
    assert!(seen[0].name.starts_with("lan/127.0.0.1:") && seen[0].counters.frames_in > 0, "{seen:?}");
    left.handle.close("lan").await.unwrap();
    left.until(<[_]>::is_empty).await;
    right.until(|seen| seen[0].carrier == Carrier::Down).await;
    left.end().await.unwrap();
    right.end().await.unwrap();
}

#[tokio::test]
async fn only_whoever_has_the_access_codes_of_a_network_is_heard_there() {
    let codes = |passphrase| Ifac::new(Membership::Both { name: "mynet", passphrase }, TagLen::WIDE);
    let mut listening = Running::start();
    let mut heard = listening.handle.events();
    listening.handle.ask(move |view| view.set_access_codes("lan", codes("mypass"))).await.unwrap();
    let listen = tcp::Listen {
        address: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
        speech: tcp::Speech::new(Mode::Reticulum),
        connections: 4,
    };
    let at = listening.open("lan", listen).await.unwrap();
    let connect = || tcp::Connect {
        peer: at.to_string(),
        speech: tcp::Speech::new(Mode::Reticulum),
        backoff: tcp::Backoff::default(),
    };
    let (mut stranger, mut other, mut member) = (Running::start(), Running::start(), Running::start());
    other.handle.ask(move |view| view.set_access_codes("home", codes("another"))).await.unwrap();
    member.handle.ask(move |view| view.set_access_codes("home", codes("mypass"))).await.unwrap();
    stranger.open("home", connect()).await;
    other.open("home", connect()).await;
    let refused = async {
        loop {
            let seen = listening.handle.ask(|view| *view.node().network().access().refusals());
            let seen = seen.await.unwrap();
            if seen.missing > 0 && seen.wrong > 0 {
                return;
            }
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, refused).await.unwrap();
    let known = |host: &Running| host.handle.ask(|view| view.node().network().announces().known().count());
    assert_eq!(known(&listening).await.unwrap(), 0);
    let mut in_member = member.handle.events();
    member.open("home", connect()).await;
    reached(&mut heard).await;
    reached(&mut in_member).await;
    for host in [&stranger, &other] {
        assert_eq!(known(host).await.unwrap(), 0);
    }
    for host in [listening, stranger, other, member] {
        host.end().await.unwrap();
    }
}

#[tokio::test]
async fn what_a_medium_carries_is_in_its_recording_byte_for_byte() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("wire.pcap");
    std::fs::write(&path, b"mine").unwrap();
    let pcap = Pcap { path: path.clone(), most: None };
    let decorations = Decorations { tracer: Some(Tracer), pcap: Some(pcap), ..Decorations::default() };
    let (mut left, mut right) = (Running::start(), Running::start());
    let (mut in_left, mut in_right) = (left.handle.events(), right.handle.events());
    let (one, other) = memory::pair(profile());
    left.open_decorated("cable", one, decorations).await;
    right.open("cable", other).await;
    reached(&mut in_left).await;
    reached(&mut in_right).await;
    let seen = left.interfaces().await.remove(0).counters;
    left.end().await.unwrap();
    right.end().await.unwrap();
    assert_eq!(std::fs::read(&path).unwrap(), b"mine", "a file that exists is left alone");
    let frames = recordings::read(&directory.path().join("wire.1.pcap")).unwrap();
    assert!(frames.iter().all(|frame| frame.interface == 0 && frame.endpoint.is_empty()));
    let of = |sent| frames.iter().filter(move |frame| frame.sent == sent);
    assert!(of(false).count() as u64 >= seen.frames_in && of(true).count() as u64 >= seen.frames_out);
    let bytes: usize =
        of(false).take(usize::try_from(seen.frames_in).unwrap()).map(|frame| frame.frame.len()).sum();
    assert_eq!(bytes as u64, seen.bytes_in);
}

#[tokio::test]
async fn what_links_carry_is_recorded_in_clear_only_where_it_was_asked_for() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("opened.pcap");
    let (mut left, mut right) = (Running::recording(&path), Running::start());
    let mut in_left = left.handle.events();
    let (one, other) = memory::pair(Profile { mode: Mode::Nexus, ..profile() });
    let frames = Pcap { path: directory.path().join("frames.pcap"), most: None };
    let recorded = Decorations { pcap: Some(frames), ..Decorations::default() };
    left.open_decorated("cable", one, recorded).await;
    right.open("cable", other).await;
    reached(&mut in_left).await;
    left.end().await.unwrap();
    right.end().await.unwrap();
    let opened = std::fs::read(&path).unwrap();
    let messages: Vec<RecordedMessages<'_>> =
        Packets::new(&opened).unwrap().map(|packet| RecordedMessages::decode(packet.data).unwrap()).collect();
    let frames = recordings::read(&directory.path().join("frames.pcap")).unwrap();
    // Each says what a frame that was recorded sealed carried, and an announce is among them.
    for said in &messages {
        let sent = said.direction == Direction::Sent;
        let sealed_len = said.plaintext.len() + SEALED_OVERHEAD;
        let is_of = |frame: &recordings::Recorded| {
            frame.sent == sent
                && frame.frame.len() == sealed_len
                && frame.frame[..7] == said.header.to_bytes()
        };
        assert!(frames.iter().any(is_of), "{:?}", said.header);
    }
    let kinds =
        messages.iter().flat_map(|said| Messages::new(said.plaintext)).map(|message| message.unwrap().kind);
    assert!(kinds.into_iter().any(|kind| kind == MessageKind::ANNOUNCE));
    let modes = std::fs::metadata(&path).unwrap().permissions().mode();
    assert_eq!(modes & 0o777, 0o600, "for the operator alone");
}

#[tokio::test]
async fn a_full_recording_ends_and_the_frames_go_on() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("wire.pcap");
    let pcap = Pcap { path: path.clone(), most: Some(400) };
    let mut left = Running::start();
    let mut right = Running::start();
    let mut in_left = left.handle.events();
    let (one, other) = memory::pair(profile());
    left.open_decorated("cable", one, Decorations { pcap: Some(pcap), ..Decorations::default() }).await;
    right.open("cable", other).await;
    reached(&mut in_left).await;
    left.end().await.unwrap();
    right.end().await.unwrap();
    assert!(std::fs::metadata(&path).unwrap().len() <= 400);
}

#[tokio::test]
async fn a_medium_that_loses_everything_lets_nothing_through() {
    let (mut left, mut right) = (Running::start(), Running::start());
    let mut announced = left.handle.events();
    let (one, other) = memory::pair(profile());
    let faults = Faults { seed: 1, loss: 1_000, ..Faults::default() };
    left.open_decorated("cable", one, Decorations { faults: Some(faults), ..Decorations::default() }).await;
    right.open("cable", other).await;
    event(&mut announced, |event| matches!(event, Event::Announced { .. })).await;
    // The loop counts what left it; nothing arrives.
    left.until(|seen| seen[0].counters.frames_out > 0).await;
    assert_eq!(right.interfaces().await[0].counters.frames_in, 0);
    left.end().await.unwrap();
    right.end().await.unwrap();
}

#[tokio::test]
async fn interfaces_take_the_smallest_free_number_and_no_more_than_there_are() {
    let mut host = Running::start();
    let mut others = Vec::new();
    for n in 0..246 {
        let (one, other) = memory::pair(profile());
        host.open(&format!("m{n:03}"), one).await;
        others.push(other);
    }
    let seen = host.until(|seen| seen.len() == 245).await;
    let numbers: BTreeSet<_> = seen.iter().map(|interface| interface.id).collect();
    assert_eq!(numbers.len(), 245);
    let gone = seen[7].clone();
    host.handle.close(&gone.name).await.unwrap();
    host.until(|seen| seen.len() == 244).await;
    let (one, _other) = memory::pair(profile());
    host.open("again", one).await;
    let seen = host.until(|seen| seen.len() == 245).await;
    assert_eq!(seen[7].name, "again");
    assert_eq!(seen[7].id, InterfaceId(7));
    host.end().await.unwrap();
}

#[tokio::test]
async fn a_name_stands_for_one_medium() {
    let host = Running::start();
    let (one, other) = memory::pair(profile());
    let refusal = host
        .handle
        .ask(move |view| {
            view.open("a", &one, &Decorations::default()).unwrap();
            view.open("a", &other, &Decorations::default()).unwrap_err().to_string()
        })
        .await
        .unwrap();
    assert_eq!(refusal, "there is an interface named a already: choose another name");
    let unknown = host.handle.close("b").await;
    assert_eq!(unknown, Err(MediumNotClosed::Unknown("b".into())));
    host.end().await.unwrap();
}

#[tokio::test]
async fn after_the_end_questions_are_refused_and_what_was_announced_is_on_disk() {
    let mut host = Running::start();
    let mut events = host.handle.events();
    let (one, _other) = memory::pair(profile());
    host.open("cable", one).await;
    event(&mut events, |event| matches!(event, Event::Announced { .. })).await;
    let handle = host.handle.clone();
    let state = host.end().await.unwrap();
    assert_eq!(handle.ask(|view| view.now()).await, Err(HostGone));
    let (_, snapshot) = Store::open(state.path()).unwrap();
    assert!(snapshot.iter().count() > 0, "an emission is durable before it leaves");
}

struct Running {
    handle: HostHandle,
    task: JoinHandle<Result<(), HostError>>,
    state: TempDir,
    /// What a test opened, so that it lives as long.
    opened: Vec<Arc<dyn Medium>>,
}

impl Running {
    fn start() -> Self {
        let state = tempfile::tempdir().unwrap();
        Self::of(host(state.path()), state)
    }

    /// One that records what its links carry, opened.
    fn recording(path: &Path) -> Self {
        let state = tempfile::tempdir().unwrap();
        let mut host = host(state.path());
        assert_eq!(host.view().record_opened(path).unwrap(), path);
        Self::of(host, state)
    }

    fn of(host: Host, state: TempDir) -> Self {
        let handle = host.handle();
        // The node is not to be sent between threads, and here there is one.
        Self { handle, task: tokio::spawn(host.run()), state, opened: Vec::new() }
    }

    async fn open(&mut self, name: &str, medium: impl Medium + 'static) -> Option<SocketAddr> {
        self.open_decorated(name, medium, Decorations::default()).await
    }

    async fn open_decorated(
        &mut self,
        name: &str,
        medium: impl Medium + 'static,
        decorations: Decorations,
    ) -> Option<SocketAddr> {
        let (medium, name): (Arc<dyn Medium>, _) = (Arc::new(medium), name.to_owned());
        self.opened.push(Arc::clone(&medium));
        self.handle.ask(move |view| view.open(&name, &*medium, &decorations).unwrap()).await.unwrap()
    }

    async fn interfaces(&self) -> Vec<InterfaceStatus> {
        self.handle.ask(|view| view.interfaces().cloned().collect()).await.unwrap()
    }

    async fn until(&self, mut wanted: impl FnMut(&[InterfaceStatus]) -> bool) -> Vec<InterfaceStatus> {
        tokio::time::timeout(PATIENCE, async {
            loop {
                let seen = self.interfaces().await;
                if wanted(&seen) {
                    return seen;
                }
                tokio::task::yield_now().await;
            }
        })
        .await
        .unwrap()
    }

    async fn end(self) -> Result<TempDir, HostError> {
        self.handle.stop();
        tokio::time::timeout(PATIENCE, self.task).await.unwrap().unwrap()?;
        Ok(self.state)
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

async fn reached(events: &mut Receiver<Arc<Event>>) {
    event(events, |event| matches!(event, Event::Reached { .. })).await;
}

async fn event(events: &mut Receiver<Arc<Event>>, wanted: impl Fn(&Event) -> bool) {
    let heard = async { while !wanted(&events.recv().await.unwrap()) {} };
    tokio::time::timeout(PATIENCE, heard).await.unwrap();
}

fn profile() -> Profile {
    let (mode, reach, access) = (Mode::Reticulum, Reach::PointToPoint, Access::Direct);
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
