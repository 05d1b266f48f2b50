//! The loop around a node.

use std::collections::{BTreeMap, VecDeque};
use std::time::{SystemTime, UNIX_EPOCH};

use nexus_machine::{Instant, Seed};
use nexus_network::{InterfaceId, Mode};
use nexus_node::{Command, Event, Input, Node, Output, Setup};
use thiserror::Error;
use tokio::sync::mpsc;

use crate::store::{Store, StoreError};
use crate::udp::UdpInterface;

/// Why a host cannot go on.
#[derive(Debug, Error)]
pub enum HostError {
    /// What must survive cannot be written.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The operating system gives no randomness: no key may be made.
    #[error("the operating system gives no randomness ({0}): no key can be made safely")]
    Entropy(getrandom::Error),
}

/// 32 bytes from the operating system's random source.
pub fn entropy() -> Result<[u8; 32], HostError> {
    let mut bytes = [0; 32];
    getrandom::getrandom(&mut bytes).map_err(HostError::Entropy)?;
    Ok(bytes)
}

/// How often the wall clock is read.
const CLOCK_INTERVAL: tokio::time::Duration = tokio::time::Duration::from_mins(1);
/// The wall clock's error where nothing better is known, in seconds.
const CLOCK_ERROR_S: u32 = 1;

/// A node, its interfaces and its disk.
#[derive(Debug)]
pub struct Host {
    node: Node,
    store: Store,
    interfaces: BTreeMap<InterfaceId, UdpInterface>,
    inputs: mpsc::Receiver<Input>,
    /// What the node asked for and gets at once: readiness, durability, entropy.
    answers: VecDeque<Input>,
    booted: tokio::time::Instant,
    /// Datagrams that the system would not take.
    send_errors: u64,
}

impl Host {
    /// A host for a node made from `setup`, with fresh entropy. Inputs of its drivers arrive through `inputs`.
    pub fn new(setup: Setup, store: Store, inputs: mpsc::Receiver<Input>) -> Result<Self, HostError> {
        let node = Node::new(setup, &Seed::new(entropy()?));
        let booted = tokio::time::Instant::now();
        let interfaces = BTreeMap::new();
        Ok(Self { node, store, interfaces, inputs, answers: VecDeque::new(), booted, send_errors: 0 })
    }

    /// Adds an interface that speaks `mode`; it is up from the start of [`Host::run`].
    pub fn add(&mut self, iface: InterfaceId, interface: UdpInterface, mode: Mode) {
        self.interfaces.insert(iface, interface);
        self.answers.push_back(Input::Up { iface, profile: UdpInterface::profile(mode) });
    }

    /// A view of the node.
    #[must_use]
    pub const fn node(&self) -> &Node {
        &self.node
    }

    /// Runs until the drivers are gone. `told` hears each event of the node, beside a view of it.
    pub async fn run(&mut self, mut told: impl FnMut(&Node, &Event)) -> Result<(), HostError> {
        if let Some(reading) = wall_clock() {
            self.answers.push_front(reading);
        }
        self.answers.push_back(Input::Command(Command::Start));
        let mut clock = tokio::time::interval(CLOCK_INTERVAL);
        clock.reset();
        loop {
            self.answer(&mut told).await?;
            let deadline = self.node.next_timeout().and_then(|at| self.booted.checked_add(micros(at)));
            tokio::select! {
                input = self.inputs.recv() => match input {
                    Some(input) => self.node.handle(self.now(), input),
                    None => return Ok(()),
                },
                () = sleep_until(deadline) => self.node.handle_timeout(self.now()),
                _ = clock.tick() => self.answers.extend(wall_clock()),
            }
            self.carry_out(&mut told).await?;
        }
    }

    /// Gives the node the answers it waits for, until it waits for none.
    async fn answer(&mut self, told: &mut impl FnMut(&Node, &Event)) -> Result<(), HostError> {
        while let Some(answer) = self.answers.pop_front() {
            self.node.handle(self.now(), answer);
            self.carry_out(told).await?;
        }
        Ok(())
    }

    async fn carry_out(&mut self, told: &mut impl FnMut(&Node, &Event)) -> Result<(), HostError> {
        while let Some(output) = self.node.poll_output() {
            match output {
                Output::Transmit { iface, to: _, bytes } => {
                    if let Some(interface) = self.interfaces.get(&iface)
                        && interface.send(&bytes).await.is_err()
                    {
                        self.send_errors += 1;
                    }
                    self.answers.push_back(Input::TxReady { iface });
                }
                // Nobody else transmits on a point-to-point path.
                Output::Sense { iface } => self.answers.push_back(Input::ChannelClear { iface }),
                Output::Persist { ticket, writes } => {
                    self.store.apply(&writes)?;
                    self.answers.push_back(Input::Persisted { through: ticket });
                }
                Output::Event(Event::EntropyWanted) => self.answers.push_back(Input::Entropy(entropy()?)),
                Output::Event(event) => told(&self.node, &event),
            }
        }
        Ok(())
    }

    /// The node's clock: microseconds since this host was made.
    fn now(&self) -> Instant {
        Instant::from_micros(u64::try_from(self.booted.elapsed().as_micros()).unwrap_or(u64::MAX))
    }
}

fn micros(at: Instant) -> tokio::time::Duration {
    tokio::time::Duration::from_micros(at.as_micros())
}

/// Rounded up by the timer to its own grain: a wake is late by a millisecond rather than early.
async fn sleep_until(deadline: Option<tokio::time::Instant>) {
    match deadline {
        Some(deadline) => tokio::time::sleep_until(deadline).await,
        None => std::future::pending().await,
    }
}

/// What the system's clock says; a clock before 1970 says nothing.
fn wall_clock() -> Option<Input> {
    let unix_s = SystemTime::now().duration_since(UNIX_EPOCH).ok()?.as_secs();
    Some(Input::WallClock { unix_s, error_s: CLOCK_ERROR_S })
}
