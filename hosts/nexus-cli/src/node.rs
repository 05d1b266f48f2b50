//! `nexus node`: runs a node, and everything about the process that it is. Spec: spec/node.md#daemon.

mod start;

use std::fmt::Display;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, Subcommand};
use nexus_daemon::api::{Done, Reloaded, Status, Verb};
use nexus_daemon::client::{Client, ClientError};
use nexus_daemon::config::{self, Config};
use nexus_daemon::lock::Lock;
use nexus_daemon::logs::Level;
use nexus_daemon::passphrase::Source;
use nexus_daemon::service::{self, Options};
use nexus_daemon::state_dir::StateDir;
use nexus_daemon::{Store, backup};
use nexus_network::Policy;
use thiserror::Error;

/// Run a node on this machine
#[derive(Debug, Args)]
pub(crate) struct Node {
    #[command(subcommand)]
    command: NodeCommand,
}

#[derive(Debug, Subcommand)]
enum NodeCommand {
    /// Run in the foreground until interrupted
    Run(Run),
    /// Start in the background; returns when the node answers
    Start(Start),
    /// Stop; returns when the process is gone
    Stop(Place),
    /// Say whether a node runs: exit code 0 if it does, 3 if not
    Status(Place),
    /// Read the configuration again
    Reload(Place),
    /// Print a configuration with everything in it, commented out
    Config,
    /// Say what a configuration means and what is wrong with it
    CheckConfig(CheckConfig),
    /// Copy identity and state into one file, also while the node runs
    Backup(Backup),
    /// Put a backup into an empty state directory
    Restore(Restore),
}

/// Where the node keeps its state.
#[derive(Clone, Debug, Args)]
struct Place {
    /// The node's state directory, if it is not the usual one
    ///
    /// `$NEXUS_STATE`, else /var/lib/nexus for root, ~/.local/state/nexus.
    #[arg(long, value_name = "DIR")]
    state: Option<PathBuf>,
}

/// What a node is started with.
#[derive(Debug, Args)]
struct Start {
    #[command(flatten)]
    place: Place,
    /// The configuration, if it is not nexus.toml in the state directory
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Log more or less than configured: error, warn, info, debug or trace
    #[arg(long, value_name = "LEVEL")]
    log_level: Option<Level>,
    /// Whence a locked key's passphrase: terminal, fd:NUMBER, credential:NAME
    #[arg(long, value_name = "SOURCE")]
    passphrase: Option<Source>,
}

#[derive(Debug, Args)]
struct Run {
    #[command(flatten)]
    with: Start,
    /// Leave the terminal's session: standard error is the log
    #[arg(long, hide = true)]
    detached: bool,
    /// End in order when standard input ends: whoever started this node is gone
    #[arg(long, hide = true)]
    while_fed: bool,
}

#[derive(Debug, Args)]
struct CheckConfig {
    #[command(flatten)]
    place: Place,
    /// The configuration [default: what the node would use]
    file: Option<PathBuf>,
}

#[derive(Debug, Args)]
struct Backup {
    #[command(flatten)]
    place: Place,
    /// The configuration that names the key file, if the node does not run
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// The file to write, which must not exist
    file: PathBuf,
}

#[derive(Debug, Args)]
struct Restore {
    #[command(flatten)]
    place: Place,
    /// The backup
    file: PathBuf,
}

/// Why it was not done.
#[derive(Debug, Error)]
#[error("{0}")]
pub(crate) struct NodeError(String);

impl NodeError {
    fn new(sentence: impl Display) -> Self {
        Self(sentence.to_string())
    }
}

/// How long a daemon may take to end after it was asked.
const ENDING: Duration = Duration::from_secs(30);
/// The exit code of a status that finds nothing running (LSB).
const NOT_RUNNING: u8 = 3;

impl Node {
    pub(crate) async fn run(self) -> Result<ExitCode, NodeError> {
        match self.command {
            NodeCommand::Run(run) => run.run().await,
            NodeCommand::Start(start) => start.run().await,
            NodeCommand::Stop(place) => place.stop().await,
            NodeCommand::Status(place) => place.status().await,
            NodeCommand::Reload(place) => place.reload().await,
            NodeCommand::Config => {
                print!("{}", config::COMMENTED);
                Ok(ExitCode::SUCCESS)
            }
            NodeCommand::CheckConfig(check) => check.run(),
            NodeCommand::Backup(backup) => backup.run().await,
            NodeCommand::Restore(restore) => restore.run(),
        }
    }
}

impl Run {
    async fn run(self) -> Result<ExitCode, NodeError> {
        let state = self.with.place.locate()?;
        let mut log = None;
        if self.detached {
            rustix::process::setsid().map_err(NodeError::new)?;
            log = Some(state.log());
        }
        if self.while_fed {
            tokio::spawn(end_with_standard_input());
        }
        let Start { config, log_level, passphrase, .. } = self.with;
        let options = Options { state, config, log_level, passphrase, log };
        Box::pin(service::run(options)).await.map(|()| ExitCode::SUCCESS).map_err(NodeError::new)
    }
}

impl Place {
    fn locate(&self) -> Result<StateDir, NodeError> {
        StateDir::locate(self.state.clone()).map_err(NodeError::new)
    }

    async fn stop(&self) -> Result<ExitCode, NodeError> {
        let state = self.locate()?;
        let mut client = match Client::connect(&state).await {
            Ok(client) => client,
            Err(absent @ ClientError::NotRunning(_)) => {
                return match Lock::holder(&state).map_err(NodeError::new)? {
                    None => {
                        println!("{absent}");
                        Ok(ExitCode::SUCCESS)
                    }
                    Some(pid) => Err(mute(&state, pid)),
                };
            }
            Err(cause) => return Err(NodeError::new(cause)),
        };
        let Done {} = client.call(Verb::Stop).await.map_err(NodeError::new)?;
        client.closed().await;
        let until = tokio::time::Instant::now() + ENDING;
        while let Some(pid) = Lock::holder(&state).map_err(NodeError::new)? {
            if tokio::time::Instant::now() > until {
                return Err(mute(&state, pid));
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        println!("the node of {} has stopped", state.path().display());
        Ok(ExitCode::SUCCESS)
    }

    async fn status(&self) -> Result<ExitCode, NodeError> {
        let state = self.locate()?;
        let status: Status = match Client::connect(&state).await {
            Ok(mut client) => client.call(Verb::Status).await.map_err(NodeError::new)?,
            Err(absent @ ClientError::NotRunning(_)) => {
                return match Lock::holder(&state).map_err(NodeError::new)? {
                    None => {
                        println!("{absent}");
                        Ok(ExitCode::from(NOT_RUNNING))
                    }
                    Some(pid) => Err(mute(&state, pid)),
                };
            }
            Err(cause) => return Err(NodeError::new(cause)),
        };
        let Status { node, pid, uptime_s, links, paths, .. } = status;
        println!(
            "node {node} runs (process {pid}) since {uptime_s} s, with {} and {}",
            counted(links.len(), "link"),
            counted(usize::try_from(paths).unwrap_or(usize::MAX), "path")
        );
        Ok(ExitCode::SUCCESS)
    }

    async fn reload(&self) -> Result<ExitCode, NodeError> {
        let mut client = Client::connect(&self.locate()?).await.map_err(NodeError::new)?;
        let Reloaded { changes, after_restart } = client.call(Verb::Reload).await.map_err(NodeError::new)?;
        if changes.is_empty() && after_restart.is_empty() {
            println!("nothing is different");
        }
        for sentence in changes.iter().chain(&after_restart) {
            println!("{sentence}");
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// A daemon that holds its lock and does not answer.
fn mute(state: &StateDir, pid: u32) -> NodeError {
    NodeError(format!("the node of {} (process {pid}) does not answer", state.path().display()))
}

fn counted(number: usize, what: &str) -> String {
    match number {
        1 => format!("1 {what}"),
        several => format!("{several} {what}s"),
    }
}

impl CheckConfig {
    fn run(&self) -> Result<ExitCode, NodeError> {
        let state = self.place.locate()?;
        let config = Config::load(&state, self.file.as_deref()).map_err(NodeError::new)?;
        match &config.file {
            Some(file) => println!("configuration: {}", file.display()),
            None => println!("configuration: none, so the defaults hold"),
        }
        let there = if config.identity.exists() { "" } else { " (made at the first start)" };
        println!("identity: {}{there}", config.identity.display());
        println!("links: with {}", in_words(&config.policy));
        println!(
            "carries the packets of others: {}",
            match config.relaying {
                nexus_machine::Relaying::On => "yes",
                nexus_machine::Relaying::Off => "no",
            }
        );
        println!("chooses the ways of its own packets: {}", config.path_policy);
        println!(
            "answers traces: {}",
            match config.traces {
                nexus_machine::Traces::Answered => "yes",
                nexus_machine::Traces::Unanswered => "no",
            }
        );
        if let Some(address) = config.metrics {
            println!("tells metrics at http://{address}/metrics, to this machine alone");
        }
        if let Some(path) = &config.pcap_opened {
            println!("CAUTION: what links carry is recorded in clear: {}", path.display());
        }
        for interface in &config.interfaces {
            println!("interface {interface}");
        }
        let problems = config::check(&config);
        for problem in &problems {
            eprintln!("nexus: {problem}");
        }
        Ok(if problems.is_empty() { ExitCode::SUCCESS } else { ExitCode::from(2) })
    }
}

fn in_words(policy: &Policy) -> String {
    match policy {
        Policy::Anyone => "anyone".to_owned(),
        Policy::Only(these) => format!("{} only", counted(these.len(), "node")),
        Policy::AllBut(these) => format!("anyone but {}", counted(these.len(), "node")),
    }
}

impl Backup {
    async fn run(&self) -> Result<ExitCode, NodeError> {
        let state = self.place.locate()?;
        let file = std::path::absolute(&self.file).map_err(NodeError::new)?;
        match Client::connect(&state).await {
            Ok(mut client) => {
                let file = file.to_str().ok_or_else(|| NodeError::new("the file's name is not UTF-8"))?;
                let verb = Verb::Backup { file: file.to_owned() };
                let Done {} = client.call(verb).await.map_err(NodeError::new)?;
            }
            Err(ClientError::NotRunning(_)) if state.store().exists() => {
                let _held = Lock::take(&state).map_err(NodeError::new)?;
                let config = Config::load(&state, self.config.as_deref()).map_err(NodeError::new)?;
                let (store, _) = Store::open(state.path()).map_err(NodeError::new)?;
                let snapshot = store.reader().snapshot().map_err(NodeError::new)?;
                backup::write(&file, &config.identity, &snapshot).map_err(NodeError::new)?;
            }
            Err(ClientError::NotRunning(_)) => {
                return Err(NodeError(format!("{} holds no node", state.path().display())));
            }
            Err(cause) => return Err(NodeError::new(cause)),
        }
        println!("the node is in {}: keep it as safe as the node itself", file.display());
        Ok(ExitCode::SUCCESS)
    }
}

impl Restore {
    fn run(&self) -> Result<ExitCode, NodeError> {
        rustix::process::umask(rustix::fs::Mode::from_bits_truncate(0o077));
        let state = self.place.locate()?;
        state.make().map_err(NodeError::new)?;
        let _held = Lock::take(&state).map_err(NodeError::new)?;
        backup::restore(&self.file, &state).map_err(NodeError::new)?;
        println!(
            "restored into {}: stop the node that the backup is of, if it still runs",
            state.path().display()
        );
        Ok(ExitCode::SUCCESS)
    }
}

/// Waits until standard input ends, then asks this process to end as a service manager would.
async fn end_with_standard_input() {
    use tokio::io::AsyncReadExt as _;
    let (mut input, mut ignored) = (tokio::io::stdin(), [0; 64]);
    while matches!(input.read(&mut ignored).await, Ok(read) if read > 0) {}
    // A process may always signal itself.
    let _sent = rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::TERM);
}
