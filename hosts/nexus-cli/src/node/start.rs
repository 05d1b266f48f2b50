//! Starting a node in the background: the program runs itself again, in a session of its own.

use std::fs::{self, File, OpenOptions};
use std::io::{Read as _, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, Command, ExitCode, Stdio};
use std::time::Duration;

use nexus_daemon::api::{Status, Verb};
use nexus_daemon::client::Client;
use nexus_daemon::config::Config;
use nexus_daemon::key_store;
use nexus_daemon::lock::{Lock, LockError};
use nexus_daemon::passphrase::Source;
use nexus_daemon::state_dir::StateDir;
use nexus_secure::at_rest::{self, CannotOpen};
use zeroize::Zeroizing;

use super::{NodeError, Start};

/// How long a node may take until it answers.
const PATIENCE: Duration = Duration::from_mins(1);
/// How much of a log is looked at for the sentence of a node that failed.
const LAST_WORDS: u64 = 64 * 1024;

impl Start {
    pub(super) async fn run(self) -> Result<ExitCode, NodeError> {
        let state = self.place.locate()?;
        state.make().map_err(NodeError::new)?;
        if let Some(pid) = Lock::holder(&state).map_err(NodeError::new)? {
            let state = state.path().to_owned();
            return Err(NodeError::new(LockError::Held { state, pid: Some(pid) }));
        }
        let typed = self.typed_passphrase(&state)?;
        close_inherited(self.passphrase_descriptor(&state)?).map_err(NodeError::new)?;
        let log = state.log();
        let mut options = OpenOptions::new();
        let out = options.append(true).create(true).mode(0o600).open(&log).map_err(NodeError::new)?;
        let before = fs::metadata(&log).map_err(NodeError::new)?.len();
        let child = self.spawn(&state, out, typed)?;
        until_it_answers(&state, child, &log, before).await
    }

    /// The descriptor that the node will read its passphrase from.
    fn passphrase_descriptor(&self, state: &StateDir) -> Result<Option<u32>, NodeError> {
        let config = Config::load(state, self.config.as_deref()).map_err(NodeError::new)?;
        Ok(match self.passphrase.as_ref().unwrap_or(&config.passphrase) {
            Source::Descriptor(number) => Some(*number),
            Source::None | Source::Terminal | Source::Credential(_) => None,
        })
    }

    /// A node in the background has no terminal: the passphrase is asked for here.
    fn typed_passphrase(&self, state: &StateDir) -> Result<Option<Zeroizing<Vec<u8>>>, NodeError> {
        let config = Config::load(state, self.config.as_deref()).map_err(NodeError::new)?;
        if *self.passphrase.as_ref().unwrap_or(&config.passphrase) != Source::Terminal {
            return Ok(None);
        }
        let Ok(bytes) = key_store::read(&config.identity) else { return Ok(None) };
        if at_rest::open(&bytes, None).err() != Some(CannotOpen::Locked) {
            return Ok(None);
        }
        let prompt = format!("Passphrase of {}: ", config.identity.display());
        Source::Terminal.read(&prompt).map(Some).map_err(NodeError::new)
    }

    fn spawn(
        &self,
        state: &StateDir,
        log: File,
        typed: Option<Zeroizing<Vec<u8>>>,
    ) -> Result<Child, NodeError> {
        let mut command = Command::new(std::env::current_exe().map_err(NodeError::new)?);
        // The program may have been called by another of its names.
        command.arg0("nexus").args(["node", "run", "--detached", "--state"]).arg(state.path());
        if let Some(config) = &self.config {
            command.arg("--config").arg(std::path::absolute(config).map_err(NodeError::new)?);
        }
        if let Some(level) = &self.log_level {
            command.arg("--log-level").arg(level.to_string());
        }
        match (&typed, &self.passphrase) {
            (Some(_), _) => {
                command.args(["--passphrase", "fd:0"]);
            }
            (None, Some(source)) => {
                command.arg("--passphrase").arg(source.to_argument());
            }
            (None, None) => {}
        }
        command.stdin(if typed.is_some() { Stdio::piped() } else { Stdio::null() });
        command.stdout(log.try_clone().map_err(NodeError::new)?).stderr(log).current_dir("/");
        let mut child = command.spawn().map_err(NodeError::new)?;
        if let (Some(typed), Some(mut input)) = (typed, child.stdin.take()) {
            // A node that ended already has said why.
            let _ended = input.write_all(&typed).and_then(|()| input.write_all(b"\n"));
        }
        Ok(child)
    }
}

/// Closes what this process was started with beyond the standard streams, except for one: a node in the background must not
/// hold somebody's pipes and locks open. What this program opened itself is not passed on anyway.
fn close_inherited(except: Option<u32>) -> std::io::Result<()> {
    let numbers: Vec<u32> = fs::read_dir("/proc/self/fd")?
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .filter(|number| *number > 2 && Some(*number) != except)
        .collect();
    for number in numbers {
        // The descriptor that listed the directory is gone again.
        let Ok(about) = fs::read_to_string(format!("/proc/self/fdinfo/{number}")) else { continue };
        let flags = about.lines().find_map(|line| line.strip_prefix("flags:"));
        let flags =
            flags.and_then(|flags| u32::from_str_radix(flags.trim(), 8).ok()).unwrap_or(CLOSED_ON_EXEC);
        if flags & CLOSED_ON_EXEC == 0
            && let Ok(descriptor) = i32::try_from(number)
        {
            nix::unistd::close(descriptor)?;
        }
    }
    Ok(())
}

/// `O_CLOEXEC`, as `/proc` shows it.
const CLOSED_ON_EXEC: u32 = 0o2_000_000;

async fn until_it_answers(
    state: &StateDir,
    mut child: Child,
    log: &Path,
    before: u64,
) -> Result<ExitCode, NodeError> {
    let until = tokio::time::Instant::now() + PATIENCE;
    loop {
        if child.try_wait().map_err(NodeError::new)?.is_some() {
            return Err(NodeError(last_words(log, before)));
        }
        if let Ok(mut client) = Client::connect(state).await
            && let Ok(Status { node, pid, .. }) = client.call(Verb::Status).await
        {
            println!("node {node} runs (process {pid}); its log is {}", log.display());
            return Ok(ExitCode::SUCCESS);
        }
        if tokio::time::Instant::now() > until {
            let pid = child.id();
            return Err(NodeError(format!("process {pid} does not answer; its log is {}", log.display())));
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// The sentence with which a node ended.
fn last_words(log: &Path, before: u64) -> String {
    let read = || {
        let mut file = File::open(log)?;
        file.seek(SeekFrom::Start(before))?;
        let mut text = Vec::new();
        file.take(LAST_WORDS).read_to_end(&mut text)?;
        Ok::<_, std::io::Error>(String::from_utf8_lossy(&text).into_owned())
    };
    let text = read().unwrap_or_default();
    let sentence = text.lines().rev().find_map(|line| line.strip_prefix("nexus: "));
    match sentence {
        Some(sentence) => sentence.to_owned(),
        None => format!("the node ended before it answered; its log is {}", log.display()),
    }
}
