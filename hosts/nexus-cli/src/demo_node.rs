//! One node of the demo, a process of its own. It tells its parent in lines of JSON on standard output.

use std::io;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;
use nexus_crypto::IdentitySeed;
use nexus_daemon::driver::OpenError;
use nexus_daemon::drivers::udp::Cable;
use nexus_daemon::host::entropy;
use nexus_daemon::{Decorations, Host, HostError, HostHandle, Store, StoreError};
use nexus_machine::Config;
use nexus_network::{AppData, Mode};
use nexus_node::{Event, Node, Setup};
use serde::{Deserialize, Serialize};
use thiserror::Error;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, BufReader};
use tokio::sync::broadcast::Receiver;

/// What the demo starts one of its nodes with.
#[derive(Debug, Args)]
pub(crate) struct DemoNode {
    /// Where it keeps its state.
    #[arg(long)]
    pub(crate) directory: PathBuf,
    /// How many peers it will have.
    #[arg(long)]
    pub(crate) peers: u8,
}

/// What a node tells the demo.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Told {
    /// Its address, and a bound port for each peer.
    Bound { node: String, ports: Vec<u16> },
    /// It announced itself.
    Announced { emitted_at: u64 },
    /// It verified another's announce.
    Reached { node: String, hops: u8 },
    /// What it heard and did not believe, so far.
    Refused { frames: u64 },
}

/// What the demo tells a node, once.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Peers {
    /// The peers' ports, in the order of its own.
    pub(crate) ports: Vec<u16>,
}

/// Why a node of the demo ended.
#[derive(Debug, Error)]
pub(crate) enum DemoNodeError {
    #[error("a socket on the loopback interface failed: {0}")]
    Socket(io::Error),
    #[error("the demo did not say where the peers are: {0}")]
    Peers(io::Error),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Host(#[from] HostError),
    #[error(transparent)]
    Open(#[from] OpenError),
}

impl DemoNode {
    pub(crate) async fn run(self) -> Result<(), DemoNodeError> {
        let (store, snapshot) = Store::open(&self.directory)?;
        let setup = Setup {
            identity: IdentitySeed::from_bytes(entropy()?),
            config: Config::default(),
            limits: nexus_network::Limits::default(),
            app_data: AppData::default(),
            snapshot,
        };
        let mut host = Host::new(setup, store)?;
        let mut demo = BufReader::new(tokio::io::stdin());
        let bound = self.bind().map_err(DemoNodeError::Socket)?;
        let ports =
            bound.iter().map(|socket| socket.local_addr().map(|at| at.port())).collect::<io::Result<_>>();
        let node = host.view().node().node_id().to_string();
        tell(&Told::Bound { node, ports: ports.map_err(DemoNodeError::Socket)? });
        let peers = read_peers(&mut demo).await.map_err(DemoNodeError::Peers)?;
        for (number, (socket, port)) in bound.into_iter().zip(peers.ports).enumerate() {
            let cable = Cable::new(socket, loopback(port), Mode::Reticulum).map_err(DemoNodeError::Socket)?;
            host.view().open(&format!("cable {number}"), &cable, &Decorations::default())?;
        }
        let handle = host.handle();
        let told = report(handle.events(), handle);
        tokio::select! {
            ended = host.run() => Ok(ended?),
            () = told => Ok(()),
            // The demo ended, however it did: so does its node.
            _ = demo.read_u8() => Ok(()),
        }
    }

    fn bind(&self) -> io::Result<Vec<UdpSocket>> {
        (0..self.peers).map(|_| UdpSocket::bind(loopback(0))).collect()
    }
}

async fn read_peers(demo: &mut (impl tokio::io::AsyncBufRead + Unpin)) -> io::Result<Peers> {
    let mut line = String::new();
    demo.read_line(&mut line).await?;
    Ok(serde_json::from_str(&line)?)
}

/// Tells the demo what the node's events mean, until the host is gone.
async fn report(mut events: Receiver<Arc<Event>>, handle: HostHandle) {
    let mut refused = 0;
    while let Ok(event) = events.recv().await {
        match &*event {
            Event::Announced { emitted_at } => tell(&Told::Announced { emitted_at: *emitted_at }),
            Event::Reached { destination, hops, .. } => {
                tell(&Told::Reached { node: destination.to_string(), hops: *hops });
            }
            Event::ChannelJammed { .. }
            | Event::ClocksParted { .. }
            | Event::EntropyWanted
            | Event::LinkUp(_)
            | Event::LinkDown { .. }
            | Event::MessageArrived(_)
            | Event::Attempted { .. }
            | Event::Delivered { .. }
            | Event::Undelivered { .. } => {}
        }
        let Ok(frames) = handle.ask(|view| refused_frames(view.node())).await else { return };
        if frames > refused {
            refused = frames;
            tell(&Told::Refused { frames });
        }
    }
}

fn refused_frames(node: &Node) -> u64 {
    let refusals = node.network().announces().refusals();
    refusals.malformed + refusals.forged + refusals.other_key + refusals.closed
}

/// A line of JSON to the demo. A demo that is gone is noticed on standard input.
fn tell(told: &Told) {
    use std::io::Write as _;
    let line = serde_json::to_string(told).expect("plain data has a JSON form");
    let mut out = io::stdout().lock();
    let _gone = writeln!(out, "{line}").and_then(|()| out.flush());
}

fn loopback(port: u16) -> SocketAddr {
    SocketAddr::from((Ipv4Addr::LOCALHOST, port))
}
