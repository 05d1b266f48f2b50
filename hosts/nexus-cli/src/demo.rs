//! The demo: nodes as real processes in a line, over UDP on the loopback interface.
//!
//! Only neighbours in the line are connected, so whatever a node knows of a farther one was relayed.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::Path;
use std::process::{ExitCode, Stdio};
use std::time::Duration;

use clap::Args;
use serde::Serialize;
use thiserror::Error;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::process::{Child, ChildStdin, Command};
use tokio::sync::mpsc;
use tokio::time::Instant;

use crate::demo_node::{Peers, Told};

/// How many nodes there are.
const NODES: usize = 5;

/// How the demo is run.
#[derive(Debug, Args)]
pub(crate) struct Demo {
    /// Give up after this many seconds
    #[arg(long, default_value_t = 20)]
    seconds: u64,
    /// Print one JSON object at the end instead of a live account
    #[arg(long)]
    json: bool,
}

/// Why the demo could not be shown.
#[derive(Debug, Error)]
pub(crate) enum DemoError {
    #[error("a directory for the nodes' state cannot be made: {0}")]
    Directory(io::Error),
    #[error("a node cannot be started as a process of its own: {0}")]
    Start(io::Error),
    #[error("node {0} ended before the demo did")]
    Ended(String),
    #[error("node {0} said something that the demo does not understand: {1}")]
    Language(String, String),
    #[error("node {0} does not listen any more: {1}")]
    Deaf(String, io::Error),
}

/// The demo's closing account.
#[derive(Debug, Serialize)]
struct Account {
    /// Whether every node reached every other.
    ok: bool,
    /// Processes.
    nodes: usize,
    /// Nodes that announced themselves.
    announced: usize,
    /// Ordered pairs of nodes of which one verified the other's announce.
    reached: usize,
    /// Such pairs that there are.
    expected: usize,
    /// Such pairs with at least one relay between them.
    relayed: usize,
    /// Frames that were heard and not believed.
    rejected_frames: u64,
    /// From the first start to the last pair, in milliseconds.
    took_ms: u64,
}

impl Demo {
    pub(crate) async fn run(self) -> Result<ExitCode, DemoError> {
        let state = tempfile::tempdir().map_err(DemoError::Directory)?;
        let began = Instant::now();
        let mut show = Show::start(state.path(), self.json)?;
        let ending = tokio::select! {
            reached = show.until_all_reached() => reached.map(|()| Ending::AllReached),
            () = tokio::time::sleep(Duration::from_secs(self.seconds)) => Ok(Ending::TimeIsUp),
            _ = tokio::signal::ctrl_c() => Ok(Ending::Interrupted),
        };
        let account = show.account(began.elapsed());
        show.end().await;
        let ending = ending?;
        if self.json {
            println!("{}", serde_json::to_string(&account).expect("plain data has a JSON form"));
        } else {
            println!("{}", account.sentence(ending, self.seconds));
        }
        Ok(if account.ok { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }
}

/// Why the demo ended.
#[derive(Clone, Copy, Debug)]
enum Ending {
    AllReached,
    TimeIsUp,
    Interrupted,
}

/// A running demo.
#[derive(Debug)]
struct Show {
    nodes: Vec<Shown>,
    heard: mpsc::Receiver<(usize, Option<String>)>,
    quiet: bool,
}

/// One node, as the demo sees it.
#[derive(Debug)]
struct Shown {
    process: Child,
    /// The node ends when this is closed.
    words: Option<ChildStdin>,
    address: String,
    ports: Vec<u16>,
    announced: bool,
    reached: BTreeMap<String, u8>,
    refused: u64,
}

impl Show {
    fn start(state: &Path, quiet: bool) -> Result<Self, DemoError> {
        let (lines, heard) = mpsc::channel(64);
        let program = std::env::current_exe().map_err(DemoError::Start)?;
        let nodes = (0..NODES)
            .map(|index| Shown::start(&program, &state.join(letter(index)), index, lines.clone()))
            .collect::<Result<_, _>>()?;
        Ok(Self { nodes, heard, quiet })
    }

    async fn until_all_reached(&mut self) -> Result<(), DemoError> {
        while !self.all_reached() {
            let (index, line) = self
                .heard
                .recv()
                .await
                .expect("the nodes' readers hold the other end until each has said that its node ended");
            let line = line.ok_or_else(|| DemoError::Ended(letter(index)))?;
            let told = serde_json::from_str(&line).map_err(|_| DemoError::Language(letter(index), line))?;
            self.take(index, told).await?;
        }
        Ok(())
    }

    async fn take(&mut self, index: usize, told: Told) -> Result<(), DemoError> {
        let me = letter(index);
        match told {
            Told::Bound { node, ports } => {
                self.say(&format!("{me} is {node}"));
                self.nodes[index].address = node;
                self.nodes[index].ports = ports;
                self.introduce().await?;
            }
            Told::Announced { emitted_at } => {
                self.nodes[index].announced = true;
                self.say(&format!("{me} announced itself (emission {emitted_at})"));
            }
            Told::Reached { node, hops } => {
                let other = self.name_of(&node);
                self.say(&format!("{me} can reach {other}, {hops} hop{}", if hops == 1 { "" } else { "s" }));
                self.nodes[index].reached.insert(node, hops);
            }
            Told::Refused { frames } => self.nodes[index].refused = frames,
        }
        Ok(())
    }

    /// Once every node has its ports, tells each where its neighbours are.
    async fn introduce(&mut self) -> Result<(), DemoError> {
        if self.nodes.iter().any(|node| node.address.is_empty()) {
            return Ok(());
        }
        let ports: Vec<Vec<u16>> = self.nodes.iter().map(|node| node.ports.clone()).collect();
        for (index, node) in self.nodes.iter_mut().enumerate() {
            // A node's first port is for whom it follows, its last for who follows it.
            let before = index.checked_sub(1).and_then(|before| ports[before].last());
            let after = ports.get(index + 1).and_then(|ports| ports.first());
            let peers = Peers { ports: before.into_iter().chain(after).copied().collect() };
            node.tell(&peers).await.map_err(|cause| DemoError::Deaf(letter(index), cause))?;
        }
        self.say(&format!("connected in a line: {}", (0..NODES).map(letter).collect::<Vec<_>>().join(" - ")));
        Ok(())
    }

    fn all_reached(&self) -> bool {
        self.nodes.iter().all(|node| node.announced && node.reached.len() == NODES - 1)
    }

    fn name_of(&self, address: &str) -> String {
        match self.nodes.iter().position(|node| node.address == address) {
            Some(index) => letter(index),
            None => format!("a stranger ({address})"),
        }
    }

    fn say(&self, line: &str) {
        if !self.quiet {
            println!("{line}");
        }
    }

    fn account(&self, took: Duration) -> Account {
        let addresses: BTreeSet<&String> = self.nodes.iter().map(|node| &node.address).collect();
        let pairs =
            || self.nodes.iter().flat_map(|node| &node.reached).filter(|(node, _)| addresses.contains(node));
        Account {
            ok: self.all_reached() && pairs().count() == NODES * (NODES - 1),
            nodes: NODES,
            announced: self.nodes.iter().filter(|node| node.announced).count(),
            reached: pairs().count(),
            expected: NODES * (NODES - 1),
            relayed: pairs().filter(|(_, hops)| **hops > 1).count(),
            rejected_frames: self.nodes.iter().map(|node| node.refused).sum(),
            took_ms: u64::try_from(took.as_millis()).unwrap_or(u64::MAX),
        }
    }

    /// Ends every process that was started, and waits until each is gone.
    async fn end(mut self) {
        for node in &mut self.nodes {
            node.words = None;
        }
        for node in &mut self.nodes {
            if tokio::time::timeout(Duration::from_secs(2), node.process.wait()).await.is_err() {
                let _already_gone = node.process.kill().await;
            }
        }
    }
}

impl Shown {
    fn start(
        program: &Path,
        directory: &Path,
        index: usize,
        lines: mpsc::Sender<(usize, Option<String>)>,
    ) -> Result<Self, DemoError> {
        let peers = if index == 0 || index == NODES - 1 { "1" } else { "2" };
        let mut process = Command::new(program)
            .arg("demo-node")
            .arg("--directory")
            .arg(directory)
            .args(["--peers", peers])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            // An interrupt from the terminal is for the demo, which then ends its nodes in order.
            .process_group(0)
            .spawn()
            .map_err(DemoError::Start)?;
        let words = process.stdin.take();
        let mut told = BufReader::new(process.stdout.take().expect("standard output was piped")).lines();
        tokio::spawn(async move {
            loop {
                let line = told.next_line().await.ok().flatten();
                let ended = line.is_none();
                if lines.send((index, line)).await.is_err() || ended {
                    return;
                }
            }
        });
        let (address, reached) = (String::new(), BTreeMap::new());
        Ok(Self { process, words, address, ports: Vec::new(), announced: false, reached, refused: 0 })
    }

    async fn tell(&mut self, peers: &Peers) -> io::Result<()> {
        let mut line = serde_json::to_vec(peers)?;
        line.push(b'\n');
        match &mut self.words {
            Some(words) => words.write_all(&line).await,
            None => Err(io::ErrorKind::BrokenPipe.into()),
        }
    }
}

impl Account {
    fn sentence(&self, ending: Ending, seconds: u64) -> String {
        let Self { nodes, reached, expected, relayed, rejected_frames, took_ms, .. } = self;
        match ending {
            Ending::AllReached => format!(
                "All {nodes} nodes reach each other: {reached} pairs, {relayed} of them through relays, \
                 {rejected_frames} frames rejected, in {}.{:03} s.",
                took_ms / 1_000,
                took_ms % 1_000
            ),
            Ending::TimeIsUp => {
                format!("Only {reached} of {expected} pairs were reached within {seconds} s.")
            }
            Ending::Interrupted => format!("Interrupted: {reached} of {expected} pairs were reached."),
        }
    }
}

/// A, B, C, …
fn letter(index: usize) -> String {
    char::from_u32(u32::from(b'A') + u32::try_from(index).unwrap_or(0)).unwrap_or('?').to_string()
}
