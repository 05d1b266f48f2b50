//! The other end of the control socket: what tools use to ask a daemon. Spec: spec/control.md.

use std::collections::VecDeque;
use std::io;
use std::path::PathBuf;

use serde::de::DeserializeOwned;
use thiserror::Error;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::UnixStream;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};

use crate::api::{Answer, Event, Failure, MAX_LINE, Reply, Request, VERSION, Verb};
use crate::state_dir::StateDir;

/// Why a daemon did not answer, or not as wished.
#[derive(Debug, Error)]
pub enum ClientError {
    /// No daemon.
    #[error("no node runs for {0} (start one with `nexus node start`)")]
    NotRunning(PathBuf),
    /// The socket belongs to another user.
    #[error("the node of {0} belongs to another user")]
    Forbidden(PathBuf),
    /// The connection broke.
    #[error("the connection to the node broke: {0}")]
    Broken(io::Error),
    /// The daemon ended.
    #[error("the node ended before it answered")]
    Ended,
    /// The daemon speaks differently.
    #[error("the node's answer is not understood ({0}): are both of the same version?")]
    Language(String),
    /// The daemon says why it was not done.
    #[error(transparent)]
    Refused(#[from] Failure),
}

/// A connection to a daemon.
#[derive(Debug)]
pub struct Client {
    reading: BufReader<OwnedReadHalf>,
    writing: OwnedWriteHalf,
    last_id: u64,
    /// Answers to others than the request that is waited for.
    aside: VecDeque<Reply>,
}

/// Answers that are kept for requests that nobody waits for yet; the oldest go.
const MAX_ASIDE: usize = 1_024;

impl Client {
    /// Connects to the daemon of `state`.
    pub async fn connect(state: &StateDir) -> Result<Self, ClientError> {
        let stream = UnixStream::connect(state.socket()).await.map_err(|cause| match cause.kind() {
            io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused => {
                ClientError::NotRunning(state.path().to_owned())
            }
            io::ErrorKind::PermissionDenied => ClientError::Forbidden(state.path().to_owned()),
            _ => ClientError::Broken(cause),
        })?;
        let (reading, writing) = stream.into_split();
        Ok(Self { reading: BufReader::new(reading), writing, last_id: 0, aside: VecDeque::new() })
    }

    /// Asks, and waits for the end of the answer. `T` is the type that the verb names.
    pub async fn call<T: DeserializeOwned>(&mut self, verb: Verb) -> Result<T, ClientError> {
        self.stream(verb, |_| {}).await
    }

    /// Asks, hands each event to `told` and waits for the end of the answer.
    pub async fn stream<T: DeserializeOwned>(
        &mut self,
        verb: Verb,
        mut told: impl FnMut(Event),
    ) -> Result<T, ClientError> {
        let id = self.ask(verb).await?;
        loop {
            match self.answer(id).await? {
                Answer::Event(event) => told(event),
                Answer::Ok(value) => {
                    return serde_json::from_value(value)
                        .map_err(|cause| ClientError::Language(cause.to_string()));
                }
                Answer::Error(failure) => return Err(failure.into()),
            }
        }
    }

    /// Asks without waiting. The id names what answers it.
    pub async fn ask(&mut self, verb: Verb) -> Result<u64, ClientError> {
        self.last_id += 1;
        let request = Request { v: VERSION, id: self.last_id, verb };
        let mut line = serde_json::to_vec(&request).expect("plain data has a JSON form");
        line.push(b'\n');
        self.writing.write_all(&line).await.map_err(broken)?;
        Ok(self.last_id)
    }

    /// The next that answers `id`.
    pub async fn answer(&mut self, id: u64) -> Result<Answer, ClientError> {
        if let Some(at) = self.aside.iter().position(|reply| reply.id == id)
            && let Some(reply) = self.aside.remove(at)
        {
            return Ok(reply.answer);
        }
        loop {
            let reply = self.next().await?;
            match reply.answer {
                answer if reply.id == id => return Ok(answer),
                // Only a line that could not be read is answered so: it was one of ours.
                Answer::Error(failure) if reply.id == 0 => return Err(failure.into()),
                answer => {
                    if self.aside.len() >= MAX_ASIDE {
                        self.aside.pop_front();
                    }
                    self.aside.push_back(Reply { answer, ..reply });
                }
            }
        }
    }

    /// Waits until the daemon has closed the connection.
    pub async fn closed(mut self) {
        let mut rest = Vec::new();
        while matches!((&mut self.reading).take(4_096).read_to_end(&mut rest).await, Ok(read) if read > 0) {
            rest.clear();
        }
    }

    async fn next(&mut self) -> Result<Reply, ClientError> {
        let mut line = Vec::new();
        let limit = u64::try_from(MAX_LINE).unwrap_or(u64::MAX);
        match (&mut self.reading).take(limit).read_until(b'\n', &mut line).await {
            Ok(_) if line.last() == Some(&b'\n') => {
                serde_json::from_slice(&line).map_err(|cause| ClientError::Language(cause.to_string()))
            }
            Ok(read) if read >= MAX_LINE => Err(ClientError::Language("a line too long".to_owned())),
            Ok(_) => Err(ClientError::Ended),
            Err(cause) => Err(broken(cause)),
        }
    }
}

fn broken(cause: io::Error) -> ClientError {
    match cause.kind() {
        io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset => ClientError::Ended,
        _ => ClientError::Broken(cause),
    }
}
