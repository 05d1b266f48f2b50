//! What programs written for Reticulum ask their shared instance, beside the socket of their packets: who has a key is answered.
//!
//! Spec: `spec/reticulum.md#questions-of-programs`.

mod answer;
mod challenge;
mod framing;
pub(crate) mod key;
mod question;

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use nexus_crypto::IdentityHash;
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::timeout;

use crate::driver::OpenError;
use crate::drivers::local::{Connection, Door, Place};
use crate::host::{HostHandle, entropy};
use answer::{Facts, answer};
use challenge::Challenge;
use key::Keys;
use question::Question;

/// How many programs are served at once; further ones are closed.
const CONNECTIONS: usize = 16;
/// How long a program may take, from being accepted to its last answer.
const PATIENCE: Duration = Duration::from_secs(30);
/// How long the listener rests after an error, such as a lack of file descriptors.
const AFTER_ERROR: Duration = Duration::from_millis(100);

/// What was not answered.
#[derive(Debug, Default)]
pub(crate) struct Unanswered {
    keyless: AtomicU64,
    unknown: AtomicU64,
}

impl Unanswered {
    /// Each cause that occurred, and how often.
    pub(crate) fn counts(&self) -> impl Iterator<Item = (&'static str, u64)> {
        let all = [("program_keyless", &self.keyless), ("program_unknown", &self.unknown)];
        all.map(|(cause, count)| (cause, count.load(Ordering::Relaxed)))
            .into_iter()
            .filter(|(_, count)| *count > 0)
    }
}

/// A listener that answers programs, until it is dropped.
#[derive(Debug)]
pub(crate) struct Rpc {
    unanswered: Arc<Unanswered>,
    task: JoinHandle<()>,
}

/// What every connection needs.
#[derive(Clone)]
struct Serving {
    keys: Keys,
    handle: HostHandle,
    transport_id: IdentityHash,
    began: Instant,
    unanswered: Arc<Unanswered>,
}

impl Rpc {
    /// Listens at `place`. In the context of a runtime.
    pub(crate) fn open(
        place: &Place,
        keys: Keys,
        handle: HostHandle,
        transport_id: IdentityHash,
    ) -> Result<Self, OpenError> {
        let refused =
            |cause| OpenError::Shared { name: "shared".to_owned(), place: place.to_string(), cause };
        let door = place.bind().map_err(refused)?;
        let unanswered = Arc::new(Unanswered::default());
        let serving =
            Serving { keys, handle, transport_id, began: Instant::now(), unanswered: unanswered.clone() };
        Ok(Self { unanswered, task: tokio::spawn(accept(door, serving)) })
    }

    /// What was not answered.
    pub(crate) fn unanswered(&self) -> Arc<Unanswered> {
        self.unanswered.clone()
    }
}

impl Drop for Rpc {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn accept(door: Door, serving: Serving) {
    let mut served = JoinSet::new();
    loop {
        tokio::select! {
            accepted = door.accept() => match accepted {
                Ok(connection) if served.len() < CONNECTIONS => {
                    let serving = serving.clone();
                    // Who is too slow is cut off, and who goes away is nobody's fault.
                    served.spawn(async move { drop(timeout(PATIENCE, serving.serve(connection)).await) });
                }
                Ok(crowded) => drop(crowded),
                Err(_) => tokio::time::sleep(AFTER_ERROR).await,
            },
            Some(_) = served.join_next() => {}
        }
    }
}

impl Serving {
    async fn serve(self, mut connection: Connection) -> io::Result<()> {
        if !self.agree(&mut connection).await? {
            self.unanswered.keyless.fetch_add(1, Ordering::Relaxed);
            return Ok(());
        }
        while let Some(asked) = framing::read(&mut connection, question::MAX_LEN).await? {
            let question = Question::read(&asked).unwrap_or(Question::Unknown);
            if question == Question::Unknown {
                self.unanswered.unknown.fetch_add(1, Ordering::Relaxed);
                tracing::debug!("a program asked what is not known here: {}", question::words(&asked));
            }
            let facts = Facts::of(self.transport_id, self.began);
            let asking = self.handle.ask(move |view| answer(view, question, facts));
            let answer = asking.await.map_err(io::Error::other)?;
            let mut bytes = Vec::new();
            rmpv::encode::write_value(&mut bytes, &answer).map_err(io::Error::other)?;
            framing::write(&mut connection, &bytes).await?;
        }
        Ok(())
    }

    /// Whether both ends have one of the keys.
    async fn agree(&self, connection: &mut Connection) -> io::Result<bool> {
        let ours = Challenge::new(&entropy().map_err(io::Error::other)?);
        framing::write(connection, &ours.frame()).await?;
        let Some(response) = framing::read(connection, challenge::MAX_LEN).await? else { return Ok(false) };
        let Some(key) = self.keys.all().find(|key| ours.is_met(&response, key)) else {
            framing::write(connection, challenge::FAILURE).await?;
            return Ok(false);
        };
        framing::write(connection, challenge::WELCOME).await?;
        let Some(theirs) = framing::read(connection, challenge::MAX_LEN).await? else { return Ok(false) };
        let Some(response) = challenge::response(&theirs, &key) else { return Ok(false) };
        framing::write(connection, &response).await?;
        let said = framing::read(connection, challenge::MAX_LEN).await?;
        Ok(said.as_deref() == Some(challenge::WELCOME))
    }
}
