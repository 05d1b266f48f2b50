//! What a node counts, for a Prometheus server on this machine. Spec: spec/node.md#metrics.
//!
//! Off unless the configuration says where to listen, and there only for this machine: nobody is asked who they are.

mod exposition;
mod http;

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use thiserror::Error;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::timeout;

use crate::host::HostHandle;
use http::{Answer, Question};

pub(crate) use exposition::Reading;

/// How many are served at once; further ones are closed.
pub const CONNECTIONS: usize = 8;
/// How long somebody may take, from being accepted to having read the answer.
pub const PATIENCE: Duration = Duration::from_secs(10);
/// How long the listener rests after an error, such as a lack of file descriptors.
const AFTER_ERROR: Duration = Duration::from_millis(100);

/// Nothing can listen there.
#[derive(Debug, Error)]
#[error("metrics cannot be told at {address}: {cause}")]
pub struct CannotListen {
    address: SocketAddr,
    cause: io::Error,
}

/// A listener that answers whoever asks, until it is dropped.
#[derive(Debug)]
pub struct Metrics {
    address: SocketAddr,
    task: JoinHandle<()>,
}

impl Metrics {
    /// Listens at `address`, port 0 for a free one. In the context of a runtime.
    pub async fn open(address: SocketAddr, handle: HostHandle) -> Result<Self, CannotListen> {
        let refused = |cause| CannotListen { address, cause };
        let listener = TcpListener::bind(address).await.map_err(refused)?;
        let address = listener.local_addr().map_err(refused)?;
        Ok(Self { address, task: tokio::spawn(accept(listener, handle)) })
    }

    /// Where it listens.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for Metrics {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn accept(listener: TcpListener, handle: HostHandle) {
    let mut served = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((connection, _)) if served.len() < CONNECTIONS => {
                    let handle = handle.clone();
                    // Who is too slow is cut off, and who goes away is nobody's fault.
                    served.spawn(async move { drop(timeout(PATIENCE, serve(connection, handle)).await) });
                }
                Ok((crowded, _)) => drop(crowded),
                Err(_) => tokio::time::sleep(AFTER_ERROR).await,
            },
            Some(_) = served.join_next() => {}
        }
    }
}

/// Answers one request, and closes.
async fn serve(mut connection: TcpStream, handle: HostHandle) -> io::Result<()> {
    let answer = match http::read(&mut connection).await? {
        Err(refused) => Answer::refusing(refused),
        Ok(Question { body, .. }) => match handle.ask(|view| Reading::of(view)).await {
            Ok(reading) => Answer::metrics(&reading.told(), body),
            Err(gone) => Answer::unavailable(&gone.to_string()),
        },
    };
    answer.write(&mut connection).await
}
