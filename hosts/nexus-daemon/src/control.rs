//! The control socket: clients of the same user ask, the daemon answers. Spec: spec/control.md.
//!
//! Bounds: [`MAX_CLIENTS`] connections, lines of [`MAX_LINE`] bytes, [`MAX_WAITING`] bytes of answers that a client has not read.
//! A client that reads too slowly, or sends a line that is too long, loses its connection; no other client notices.

mod connection;

use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use serde::Serialize;
use thiserror::Error;
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{Notify, mpsc};

use crate::api::{Answer, Code, Event, Failure, MAX_LINE, Reply, VERSION, Verb};
use crate::state_dir::StateDir;

/// Connections at once; further ones are closed.
pub const MAX_CLIENTS: usize = 64;
/// Bytes of answers that wait for one client.
pub const MAX_WAITING: usize = 512 * 1024;
/// Requests that wait for the daemon; clients wait with their next.
const MAX_ASKED: usize = 64;

/// Why nobody can ask.
#[derive(Debug, Error)]
pub enum ControlError {
    /// A socket's path has room for 107 bytes.
    #[error("the path {0} is too long for a socket: choose a state directory with a shorter path")]
    PathTooLong(PathBuf),
    /// The system refuses.
    #[error("the control socket {path} cannot be opened: {cause}")]
    System {
        /// The socket.
        path: PathBuf,
        /// What the system says.
        cause: io::Error,
    },
}

/// A request, and where its answers go.
#[derive(Debug)]
pub struct Asked {
    /// What is asked.
    pub verb: Verb,
    /// Where its answers go.
    pub replier: Replier,
}

/// Answers one request. Never waits.
#[derive(Debug)]
pub struct Replier {
    id: u64,
    client: Arc<Client>,
}

/// The answering side of a connection: as long as one is left, answers may come.
#[derive(Debug)]
struct Client {
    lines: mpsc::UnboundedSender<Vec<u8>>,
    shared: Arc<Shared>,
}

/// What the sides of a connection share.
#[derive(Debug)]
struct Shared {
    /// Bytes that wait for the client.
    waiting: AtomicUsize,
    /// The client asks nothing more, or is gone.
    done: AtomicBool,
    /// Wakes the connection when it is to be cut.
    cut: Notify,
    /// Bytes that wait for any client.
    everywhere: Arc<AtomicUsize>,
}

impl Replier {
    /// Something on the way.
    pub fn event(&self, event: Event) {
        self.send(Answer::Event(event));
    }

    /// It is done.
    pub fn ok(&self, value: &impl Serialize) {
        self.send(Answer::Ok(serde_json::to_value(value).expect("plain data has a JSON form")));
    }

    /// It is not done.
    pub fn fail(&self, code: Code, sentence: impl Into<String>) {
        self.send(Answer::Error(Failure { code, sentence: sentence.into() }));
    }

    /// Whether the client may want more than the end of what it asked.
    #[must_use]
    pub fn is_open(&self) -> bool {
        !self.client.shared.done.load(Ordering::Relaxed)
    }

    /// Whether a client that reads gets what is sent next: less than half of what may wait for it does.
    #[must_use]
    pub fn has_room(&self) -> bool {
        self.client.shared.waiting.load(Ordering::Relaxed) < MAX_WAITING / 2
    }

    fn send(&self, answer: Answer) {
        let mut line = encoded(&Reply { v: VERSION, id: self.id, answer });
        if line.len() > MAX_LINE {
            let sentence = format!("the answer is longer than a line may be ({MAX_LINE} bytes)");
            let answer = Answer::Error(Failure { code: Code::TooLong, sentence });
            line = encoded(&Reply { v: VERSION, id: self.id, answer });
        }
        self.client.push(line);
    }
}

impl Client {
    fn push(&self, line: Vec<u8>) {
        let length = line.len();
        if self.shared.waiting.load(Ordering::Relaxed) + length > MAX_WAITING {
            self.shared.done.store(true, Ordering::Relaxed);
            self.shared.cut.notify_one();
        } else if self.lines.send(line).is_ok() {
            self.shared.waiting.fetch_add(length, Ordering::Relaxed);
            self.shared.everywhere.fetch_add(length, Ordering::Relaxed);
        }
    }
}

impl Shared {
    fn beside(everywhere: Arc<AtomicUsize>) -> Self {
        let (waiting, done, cut) = (AtomicUsize::new(0), AtomicBool::new(false), Notify::new());
        Self { waiting, done, cut, everywhere }
    }

    fn written(&self, length: usize) {
        self.waiting.fetch_sub(length, Ordering::Relaxed);
        self.everywhere.fetch_sub(length, Ordering::Relaxed);
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        self.everywhere.fetch_sub(*self.waiting.get_mut(), Ordering::Relaxed);
    }
}

fn encoded(reply: &Reply) -> Vec<u8> {
    let mut line = serde_json::to_vec(reply).expect("plain data has a JSON form");
    line.push(b'\n');
    line
}

/// The socket, open. Its file is removed when it is dropped.
#[derive(Debug)]
pub struct Control {
    path: PathBuf,
    asked: mpsc::Receiver<Asked>,
    accepting: tokio::task::JoinHandle<()>,
    /// Bytes that wait for any client.
    everywhere: Arc<AtomicUsize>,
}

impl Control {
    /// Opens the socket of `state`. Whoever calls holds the state's lock: a socket that lies there is a leftover.
    pub fn open(state: &StateDir) -> Result<Self, ControlError> {
        let path = state.socket();
        if path.as_os_str().len() > 107 {
            return Err(ControlError::PathTooLong(path));
        }
        let refused = |cause| ControlError::System { path: path.clone(), cause };
        match fs::remove_file(&path) {
            Ok(()) => {}
            Err(cause) if cause.kind() == io::ErrorKind::NotFound => {}
            Err(cause) => return Err(refused(cause)),
        }
        let listener = UnixListener::bind(&path).map_err(refused)?;
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).map_err(refused)?;
        let (asks, asked) = mpsc::channel(MAX_ASKED);
        let everywhere = Arc::default();
        let accepting = tokio::spawn(accept(listener, asks, Arc::clone(&everywhere)));
        Ok(Self { path, asked, accepting, everywhere })
    }

    /// The next request.
    pub async fn next(&mut self) -> Option<Asked> {
        self.asked.recv().await
    }

    /// Takes nothing more, and lets clients have their last answers, for a second at most.
    pub async fn finish(mut self) {
        self.accepting.abort();
        self.asked.close();
        while let Ok(Asked { replier, .. }) = self.asked.try_recv() {
            replier.fail(Code::Stopping, "the daemon ends");
        }
        for _ in 0..200 {
            if self.everywhere.load(Ordering::Relaxed) == 0 {
                return;
            }
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
    }
}

impl Drop for Control {
    fn drop(&mut self) {
        self.accepting.abort();
        let _gone_already = fs::remove_file(&self.path);
    }
}

/// Ends with the task that it runs in; connections end when their `asks` are refused or their clients leave.
async fn accept(listener: UnixListener, asks: mpsc::Sender<Asked>, everywhere: Arc<AtomicUsize>) {
    let me = rustix::process::geteuid().as_raw();
    let open = Arc::new(tokio::sync::Semaphore::new(MAX_CLIENTS));
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            // Out of descriptors: others must close theirs first.
            tokio::time::sleep(std::time::Duration::from_millis(100)).await;
            continue;
        };
        if !is_ours(&stream, me) {
            tracing::warn!("a process of another user was turned away from the control socket");
            continue;
        }
        let Ok(place) = Arc::clone(&open).try_acquire_owned() else {
            tracing::warn!("a client was turned away: {MAX_CLIENTS} are connected");
            continue;
        };
        let (asks, everywhere) = (asks.clone(), Arc::clone(&everywhere));
        let shared = Arc::new(Shared::beside(everywhere));
        tokio::spawn(async move {
            connection::serve(stream, asks, shared).await;
            drop(place);
        });
    }
}

/// The same user, or root.
fn is_ours(stream: &UnixStream, me: u32) -> bool {
    stream.peer_cred().is_ok_and(|peer| peer.uid() == me || peer.uid() == 0)
}

#[cfg(test)]
mod tests;
