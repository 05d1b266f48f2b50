//! The store, on a thread of its own: a sync takes milliseconds, and the loop has frames to move.

use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};

use nexus_machine::{Ticket, Write};
use tokio::sync::mpsc;

use super::HostError;
use crate::store::{Store, StoreError};

/// How many tickets may wait for the disk. A disk that falls farther behind ends the host.
const WAITING: usize = 4_096;
/// How many tickets share one sync at most.
const BATCH: usize = 256;

/// Applies tickets in order.
#[derive(Debug)]
pub(super) struct Disk {
    /// None once it was told to finish.
    jobs: Option<SyncSender<Job>>,
    done: mpsc::Receiver<Result<Ticket, StoreError>>,
    /// The last ticket handed over and not yet durable.
    outstanding: Option<Ticket>,
}

#[derive(Debug)]
struct Job {
    ticket: Ticket,
    writes: Vec<Write>,
}

impl Disk {
    pub(super) fn start(store: Store) -> Result<Self, HostError> {
        let (jobs, received) = sync_channel(WAITING);
        let (reports, done) = mpsc::channel(WAITING);
        std::thread::Builder::new()
            .name("store".into())
            .spawn(move || work(&store, &received, &reports))
            .map_err(HostError::Thread)?;
        Ok(Self { jobs: Some(jobs), done, outstanding: None })
    }

    /// Hands over a ticket; never waits.
    pub(super) fn persist(&mut self, ticket: Ticket, writes: Vec<Write>) -> Result<(), HostError> {
        let Some(jobs) = &self.jobs else { return Ok(()) };
        match jobs.try_send(Job { ticket, writes }) {
            Ok(()) => {
                self.outstanding = Some(ticket);
                Ok(())
            }
            Err(TrySendError::Full(_)) => Err(HostError::DiskStalled),
            // It failed, and why stands in the queue of reports.
            Err(TrySendError::Disconnected(_)) => Ok(()),
        }
    }

    /// The next ticket that became durable, with all before it. Pends for ever when nothing is under way.
    pub(super) async fn durable(&mut self) -> Result<Ticket, HostError> {
        let through = self.done.recv().await.ok_or(HostError::DiskEnded)??;
        if self.outstanding.is_some_and(|last| last <= through) {
            self.outstanding = None;
        }
        Ok(through)
    }

    /// Whether every ticket is durable.
    pub(super) const fn is_idle(&self) -> bool {
        self.outstanding.is_none()
    }

    /// Lets the thread end and the store close; returns when it has.
    pub(super) async fn finish(&mut self) -> Result<(), HostError> {
        self.jobs = None;
        while let Some(done) = self.done.recv().await {
            done?;
        }
        Ok(())
    }
}

/// Tickets that wait together share a transaction, so each is still durable whole or not at all.
fn work(store: &Store, jobs: &Receiver<Job>, reports: &mpsc::Sender<Result<Ticket, StoreError>>) {
    let mut writes = Vec::new();
    while let Ok(job) = jobs.recv() {
        let mut through = job.ticket;
        writes.extend(job.writes);
        for job in jobs.try_iter().take(BATCH) {
            through = job.ticket;
            writes.extend(job.writes);
        }
        let outcome = store.apply(&writes).map(|()| through);
        writes.clear();
        let failed = outcome.is_err();
        if reports.blocking_send(outcome).is_err() || failed {
            return;
        }
    }
}
