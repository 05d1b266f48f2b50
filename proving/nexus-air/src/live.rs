//! A fleet in real time: programs find virtual modems at pseudoterminals and TCP ports.
//!
//! One thread drives the fleet with the machine's monotonic clock. It sleeps until a host says something or something is
//! due, and does each thing at its own moment however late it wakes, so that what is on the air does not depend on how busy
//! the machine is; only what hosts say comes when it comes. Source: spec/air.md#live.

mod port;
mod premises;

use std::io::{self, Write as _};
use std::net::SocketAddr;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Sender, channel};
use std::thread::JoinHandle;

use nexus_machine::{Instant, Seed};

use crate::air::Faults;
use crate::channel::RadioId;
use crate::fleet::Fleet;
use crate::hearing::{Direction, Hearing};
use crate::record::{Meter, Recording, Transmission};
use crate::rnode::{Counters, Model};
use premises::{Job, Premises};

/// What a house is to be.
#[derive(Clone, Debug)]
pub struct Plan {
    /// How many radios there are, and who hears whom.
    pub hearing: Hearing,
    /// Where the host of each radio finds it; radios beyond these are at terminals.
    pub ports: Vec<Port>,
    /// What each modem is; the last stands for those that follow, and [`Model::ESP32`] if there is none.
    pub models: Vec<Model>,
    /// How many transmissions are kept for [`House::transmissions`].
    pub recording: Recording,
    /// Decides everything that is random on the air and in the modems.
    pub seed: Seed,
}

/// Where a host finds its modem.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Port {
    /// At a pseudoterminal, which a symbolic link names.
    Terminal,
    /// At a TCP port of this address; port 0 for one that is free.
    Tcp(SocketAddr),
}

/// Where a host has to look.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Address {
    /// A symbolic link to the terminal: it stays the same when the modem is unplugged and plugged in again.
    Terminal(PathBuf),
    /// A TCP port.
    Tcp(SocketAddr),
}

impl Plan {
    /// Radios at terminals, with the last 65,536 transmissions recorded.
    #[must_use]
    pub fn terminals(hearing: Hearing, seed: Seed) -> Self {
        let recording = Recording::Last(65_536);
        Self { hearing, ports: Vec::new(), models: Vec::new(), recording, seed }
    }
}

/// Virtual modems at work. They end when this is dropped.
#[derive(Debug)]
pub struct House {
    addresses: Vec<Address>,
    jobs: Option<Sender<Job>>,
    /// A byte on it wakes the thread.
    bell: UnixStream,
    thread: Option<JoinHandle<()>>,
}

impl House {
    /// Opens every port of `plan` and lets the modems run. `directory` takes the symbolic links `radio-0`, `radio-1` and so on.
    ///
    /// # Errors
    /// What the system says when a terminal, a link or a TCP port cannot be opened.
    pub fn open(plan: Plan, directory: &Path) -> io::Result<Self> {
        let (bell, ear) = UnixStream::pair()?;
        let premises = Premises::open(plan, directory, ear)?;
        let addresses = premises.addresses();
        let (jobs, todo) = channel();
        let run = move || premises.run(&todo);
        let thread = std::thread::Builder::new().name("nexus-air".to_owned()).spawn(run)?;
        Ok(Self { addresses, jobs: Some(jobs), bell, thread: Some(thread) })
    }

    /// Where the host of `radio` finds it.
    #[must_use]
    pub fn address(&self, radio: RadioId) -> &Address {
        &self.addresses[usize::from(radio.0)]
    }

    /// Pulls the plug of a modem: its host's terminal hangs up or its connection ends, its address is gone, and so is all that it
    /// had set, counted and queued.
    ///
    /// # Errors
    /// What the system says when the link cannot be removed.
    pub fn unplug(&self, radio: RadioId) -> io::Result<()> {
        self.ask(move |premises, now| premises.unplug(now, radio))
    }

    /// Plugs it in again, at the same address.
    ///
    /// # Errors
    /// What the system says when it cannot be opened.
    pub fn plug(&self, radio: RadioId) -> io::Result<()> {
        self.ask(move |premises, _| premises.plug(radio))
    }

    /// Decides what the medium and the modem do to what reaches `radio`.
    pub fn set_faults(&self, radio: RadioId, faults: Faults) {
        self.with(move |fleet, _| fleet.air().set_faults(radio, faults));
    }

    /// Shuts or opens one direction between two radios.
    pub fn direct(&self, from: RadioId, to: RadioId, direction: Direction) {
        self.with(move |fleet, _| fleet.air().hearing().direct(from, to, direction));
    }

    /// What was on the air since this was last asked, oldest first.
    #[must_use]
    pub fn transmissions(&self) -> Vec<Transmission> {
        self.with(|fleet, _| fleet.air().take_transmissions())
    }

    /// What a radio did and met with.
    #[must_use]
    pub fn meter(&self, radio: RadioId) -> Meter {
        self.with(move |fleet, _| fleet.air().meter(radio))
    }

    /// What a modem counted since it was plugged in.
    #[must_use]
    pub fn counters(&self, radio: RadioId) -> Counters {
        self.with(move |fleet, _| fleet.rnode(radio).counters())
    }

    /// Has something done to the fleet between two events, told what time it is there.
    pub fn with<R: Send + 'static>(&self, act: impl FnOnce(&mut Fleet, Instant) -> R + Send + 'static) -> R {
        self.ask(move |premises, now| act(premises.fleet(), now))
    }

    fn ask<R: Send + 'static>(&self, act: impl FnOnce(&mut Premises, Instant) -> R + Send + 'static) -> R {
        let (tell, answer) = channel();
        let job: Job = Box::new(move |premises, now| {
            // Whoever asked waits for it below.
            tell.send(act(premises, now)).ok();
        });
        let jobs = self.jobs.as_ref().expect("jobs are taken until the house is dropped");
        jobs.send(job).expect("the thread runs until the house is dropped");
        self.ring();
        answer.recv().expect("the thread does every job")
    }

    fn ring(&self) {
        // A full pipe rings as well as another byte.
        (&self.bell).write_all(&[0]).ok();
    }
}

impl Drop for House {
    fn drop(&mut self) {
        self.jobs = None;
        self.ring();
        if let Some(thread) = self.thread.take() {
            // A panic of the thread has been reported by the thread.
            thread.join().ok();
        }
    }
}
