//! The demo: nodes as real processes in a line, over virtual LoRa modems, and UDP and TCP on the loopback interface.
//!
//! Only neighbours in the line are connected, so whatever a node says to a farther one is relayed. Every byte on the media is
//! recorded, on the air by the virtual air itself, and searched for what was said.

mod media;
mod nodes;
mod picture;
mod wire;

use std::collections::BTreeMap;
use std::io::{self, IsTerminal as _};
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use nexus_daemon::client::ClientError;
use nexus_daemon::host::HostError;
use nexus_daemon::state_dir::StateDirError;
use serde::Serialize;
use thiserror::Error;
use tokio::time::Instant;

use media::{Media, Medium};
use nodes::Town;
use picture::Picture;

/// How many nodes there are.
const NODES: usize = 5;
/// Ordered pairs of nodes.
const PAIRS: usize = NODES * (NODES - 1);

/// How the demo is run.
#[derive(Debug, Args)]
pub(crate) struct Demo {
    /// End after so many seconds at most [default: 60; on a terminal: none]
    #[arg(long)]
    seconds: Option<u64>,
    /// Print one JSON object at the end instead of a live account
    #[arg(long)]
    json: bool,
}

/// Why the demo could not be shown.
#[derive(Debug, Error)]
pub(crate) enum DemoError {
    #[error("a directory for the nodes' state cannot be made: {0}")]
    Directory(io::Error),
    #[error(transparent)]
    State(StateDirError),
    #[error(transparent)]
    Entropy(HostError),
    #[error("the virtual radios need terminals, and the system gives none (is there a /dev/ptmx?): {0}")]
    Radios(io::Error),
    #[error("a node cannot be started as a process of its own: {0}")]
    Start(io::Error),
    #[error("node {0} ended before the demo did; it said: {1}")]
    Ended(String, String),
    #[error("node {0} does not answer: {1}")]
    Deaf(String, ClientError),
    #[error("a recording of the media cannot be read: {0}")]
    Recording(io::Error),
}

/// The demo's closing account.
#[derive(Debug, Serialize)]
struct Account {
    /// Whether every node is linked, reaches every other, all that was said arrived, and nobody could have overheard it.
    ok: bool,
    /// Processes.
    nodes: usize,
    /// Links that both ends have.
    links: usize,
    /// The same by what they run over.
    media: BTreeMap<Medium, usize>,
    /// Ordered pairs of nodes of which one verified the other's announce.
    announces: usize,
    /// Messages sent.
    sent: usize,
    /// Messages whose receipt came and which lie in the recipient's inbox as they were written.
    delivered: usize,
    /// Frames and announces that were heard and not believed.
    rejected_frames: u64,
    /// Places in the recordings where eight bytes of a message, or a node's address, stand in clear.
    plaintext_on_wire: usize,
    /// Frames that the radios sent.
    frames_on_air: usize,
    /// Bytes on the media, as recorded by both ends and on the air.
    recorded_bytes: u64,
    /// Until everything was done, in milliseconds.
    took_ms: u64,
}

/// Why the demo ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ending {
    Done,
    TimeIsUp,
    Interrupted,
}

impl Demo {
    pub(crate) async fn run(self) -> Result<ExitCode, DemoError> {
        let state = tempfile::Builder::new().prefix("nexus-demo-").tempdir().map_err(DemoError::Directory)?;
        let began = Instant::now();
        let endless = !self.json && self.seconds.is_none() && io::stdout().is_terminal();
        let mut town = Town::new(state.path(), Media::open(state.path())?);
        let mut picture = if self.json { Picture::hidden() } else { Picture::on_standard_output() };
        let limit = match self.seconds {
            Some(seconds) => Some(Duration::from_secs(seconds)),
            None => (!endless).then_some(Duration::from_secs(60)),
        };
        let ending = tokio::select! {
            shown = show(&mut town, &mut picture, endless) => shown.map(|()| Ending::Done),
            () = wait(limit) => Ok(Ending::TimeIsUp),
            () = interrupted() => Ok(Ending::Interrupted),
        };
        let took = began.elapsed();
        let seen = town.look().await;
        town.end().await;
        let ending = ending?;
        let account = account(&town, seen.ok(), took)?;
        if self.json {
            println!("{}", serde_json::to_string(&account).expect("plain data has a JSON form"));
        } else {
            Picture::close(&account.sentence(ending));
        }
        Ok(if account.ok { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }
}

/// Waits until somebody wants the demo to end: Ctrl-C, a service manager, or a terminal that was closed.
async fn interrupted() {
    use tokio::signal::unix::{SignalKind, signal};
    let heard = |kind| async move {
        match signal(kind) {
            Ok(mut signals) => _ = signals.recv().await,
            // Without a way to hear of it, it ends the process as it always does.
            Err(_) => std::future::pending().await,
        }
    };
    tokio::select! {
        () = heard(SignalKind::interrupt()) => {}
        () = heard(SignalKind::terminate()) => {}
        () = heard(SignalKind::hangup()) => {}
    }
}

async fn wait(limit: Option<Duration>) {
    match limit {
        Some(limit) => tokio::time::sleep(limit).await,
        None => std::future::pending().await,
    }
}

/// Starts everybody, waits until all are linked and know each other, and lets each write to each; again and again if it is
/// to go on without end.
async fn show(town: &mut Town, picture: &mut Picture, endless: bool) -> Result<(), DemoError> {
    town.start(picture).await?;
    loop {
        let seen = town.look().await?;
        picture.draw(&seen, town.mail());
        if seen.links().len() == NODES - 1 && seen.paths() == PAIRS {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    for round in 1.. {
        town.exchange(round).await?;
        let seen = town.look().await?;
        picture.draw(&seen, town.mail());
        if !endless {
            break;
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    Ok(())
}

fn account(town: &Town, seen: Option<nodes::Seen>, took: Duration) -> Result<Account, DemoError> {
    let mail = town.mail();
    let texts = mail.texts();
    let on_air = town.on_air();
    let searched = wire::search(&town.recordings(), &on_air, &texts, &town.addresses())?;
    let (links, announces, rejected) =
        seen.map_or((BTreeMap::new(), 0, 0), |seen| (seen.links(), seen.paths(), seen.rejected()));
    let mut media = BTreeMap::new();
    for medium in links.values() {
        *media.entry(*medium).or_default() += 1;
    }
    let links = links.len();
    let all = links == NODES - 1 && announces == PAIRS && mail.sent() >= PAIRS;
    let clean = rejected == 0 && searched.found == 0 && searched.bytes > 0;
    Ok(Account {
        ok: all && clean && mail.delivered() == mail.sent(),
        nodes: town.running(),
        links,
        media,
        announces,
        sent: mail.sent(),
        delivered: mail.delivered(),
        rejected_frames: rejected,
        plaintext_on_wire: searched.found,
        frames_on_air: on_air.len(),
        recorded_bytes: searched.bytes,
        took_ms: u64::try_from(took.as_millis()).unwrap_or(u64::MAX),
    })
}

impl Account {
    fn sentence(&self, ending: Ending) -> String {
        let Self { nodes, links, announces, sent, delivered, rejected_frames, took_ms, .. } = self;
        let what = format!(
            "{nodes} nodes, {links} of {} links ({} over LoRa), {announces} of {PAIRS} paths, {delivered} of {sent} messages delivered, \
             {rejected_frames} frames rejected; {} of {} recorded bytes in clear; {}.{:03} s",
            NODES - 1,
            self.media.get(&Medium::Lora).copied().unwrap_or(0),
            self.plaintext_on_wire,
            self.recorded_bytes,
            took_ms / 1_000,
            took_ms % 1_000,
        );
        match (ending, self.ok) {
            (Ending::Done, true) => format!("All is well: {what}."),
            (Ending::Done, false) => format!("Not all is well: {what}."),
            (Ending::TimeIsUp, _) => format!("The time is up: {what}."),
            (Ending::Interrupted, _) => format!("Interrupted: {what}."),
        }
    }
}

/// What was written to whom, and what became of it.
#[derive(Debug, Default)]
struct Mail {
    letters: BTreeMap<(usize, usize, u32), Letter>,
}

/// One message.
#[derive(Clone, Debug)]
struct Letter {
    text: String,
    /// How long its receipt took, if it came.
    receipt: Option<Duration>,
    /// Whether it lies in the recipient's inbox.
    arrived: bool,
}

impl Mail {
    fn sent(&self) -> usize {
        self.letters.len()
    }

    fn delivered(&self) -> usize {
        self.letters.values().filter(|letter| letter.receipt.is_some() && letter.arrived).count()
    }

    fn texts(&self) -> Vec<&str> {
        self.letters.values().map(|letter| letter.text.as_str()).collect()
    }

    /// The longest time that a receipt took.
    fn slowest(&self) -> Option<Duration> {
        self.letters.values().filter_map(|letter| letter.receipt).max()
    }
}

/// A, B, C, …
fn letter(index: usize) -> String {
    char::from_u32(u32::from(b'A') + u32::try_from(index).unwrap_or(0)).unwrap_or('?').to_string()
}
