//! How others reach a running host.

use std::fmt;
use std::future::Future;
use std::sync::Arc;

use nexus_node::Event;
use thiserror::Error;
use tokio::sync::{Notify, broadcast, mpsc, oneshot, watch};

use super::view::HostView;
use crate::driver::HostGone;

/// How many questions may wait for the loop; further ones wait outside.
const ASKS: usize = 64;

/// A question to the loop, with its answer's way back.
pub(super) type Ask = Box<dyn FnOnce(&mut HostView<'_>) + Send>;

/// Reaches a host from any task. Cheap to clone.
#[derive(Clone)]
pub struct HostHandle {
    asks: mpsc::Sender<Ask>,
    events: broadcast::Sender<Arc<Event>>,
    changes: watch::Receiver<u64>,
    stop: Arc<Notify>,
}

/// Why a medium was not closed.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum MediumNotClosed {
    /// There is none of that name.
    #[error("there is no interface named {0}")]
    Unknown(String),
    /// The loop ended.
    #[error(transparent)]
    HostGone(#[from] HostGone),
}

impl HostHandle {
    pub(super) const fn new(
        asks: mpsc::Sender<Ask>,
        events: broadcast::Sender<Arc<Event>>,
        changes: watch::Receiver<u64>,
        stop: Arc<Notify>,
    ) -> Self {
        Self { asks, events, changes, stop }
    }

    /// Runs `question` on the loop, between two inputs of the node. It must not block.
    pub fn ask<R, F>(&self, question: F) -> impl Future<Output = Result<R, HostGone>> + Send + use<R, F>
    where
        F: FnOnce(&mut HostView<'_>) -> R + Send + 'static,
        R: Send + 'static,
    {
        let asks = self.asks.clone();
        async move {
            let (answer, answered) = oneshot::channel();
            let ask: Ask = Box::new(move |view| {
                // Who asked may have gone.
                let _nobody_listens = answer.send(question(view));
            });
            asks.send(ask).await.map_err(|_| HostGone)?;
            answered.await.map_err(|_| HostGone)
        }
    }

    /// Closes a medium with all its interfaces; returns once its sockets and processes are gone.
    pub async fn close(&self, name: &str) -> Result<(), MediumNotClosed> {
        let name = name.to_owned();
        let medium = self.ask(move |view| view.detach(&name).ok_or(name)).await?;
        medium.map_err(MediumNotClosed::Unknown)?.close().await;
        Ok(())
    }

    /// The node's events from here on. Who lags behind by more than 1,024 is told how many were lost.
    #[must_use]
    pub fn events(&self) -> broadcast::Receiver<Arc<Event>> {
        self.events.subscribe()
    }

    /// Says when an interface came, went, or changed its carrier: await a change, then ask.
    #[must_use]
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.changes.clone()
    }

    /// Asks the host to end: [`Host::run`](super::Host::run) returns when writes are durable and drivers closed.
    pub fn stop(&self) {
        self.stop.notify_one();
    }
}

impl fmt::Debug for HostHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HostHandle").finish_non_exhaustive()
    }
}

/// The loop's end of the questions.
pub(super) struct Asks(mpsc::Receiver<Ask>);

pub(super) fn asks() -> (mpsc::Sender<Ask>, Asks) {
    let (ask, asks) = mpsc::channel(ASKS);
    (ask, Asks(asks))
}

impl Asks {
    /// The next question. Pends for ever when nobody is left to ask.
    pub(super) async fn next(&mut self) -> Ask {
        match self.0.recv().await {
            Some(ask) => ask,
            None => std::future::pending().await,
        }
    }
}

impl fmt::Debug for Asks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Asks").finish_non_exhaustive()
    }
}
