//! The thread of a house: the fleet, its lines, and the clock.

use std::io::{self, Read as _};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::mpsc::{Receiver, TryRecvError};

use nexus_machine::Instant;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;

use super::port::{Heard, Line};
use super::{Address, Plan, Port};
use crate::channel::RadioId;
use crate::fleet::Fleet;
use crate::rnode::Model;

/// Something to be done between two events.
pub(super) type Job = Box<dyn FnOnce(&mut Premises, Instant) + Send>;

/// What is read from a line at a time.
const PIECE: usize = 4_096;

pub(super) struct Premises {
    fleet: Fleet,
    lines: Vec<Line>,
    models: Vec<Model>,
    /// Rings when there is a job.
    ear: UnixStream,
    boot: std::time::Instant,
}

impl Premises {
    pub(super) fn open(plan: Plan, directory: &Path, ear: UnixStream) -> io::Result<Self> {
        ear.set_nonblocking(true)?;
        let Plan { hearing, ports, models, recording, seed } = plan;
        let last = models.last().copied().unwrap_or(Model::ESP32);
        let model = |radio: RadioId| models.get(radio.index()).copied().unwrap_or(last);
        let models: Vec<Model> = hearing.ids().map(model).collect();
        let mut lines = Vec::with_capacity(models.len());
        for radio in hearing.ids() {
            let port = ports.get(radio.index()).copied().unwrap_or(Port::Terminal);
            lines.push(Line::open(port, &format!("radio-{}", radio.0), directory)?);
        }
        let fleet = Fleet::new(hearing, &models, recording, &seed);
        Ok(Self { fleet, lines, models, ear, boot: std::time::Instant::now() })
    }

    pub(super) fn addresses(&self) -> Vec<Address> {
        self.lines.iter().map(Line::address).collect()
    }

    pub(super) const fn fleet(&mut self) -> &mut Fleet {
        &mut self.fleet
    }

    pub(super) fn unplug(&mut self, now: Instant, radio: RadioId) -> io::Result<()> {
        self.fleet.restart(now, radio, self.models[radio.index()]);
        self.lines[radio.index()].unplug()
    }

    pub(super) fn plug(&mut self, radio: RadioId) -> io::Result<()> {
        self.lines[radio.index()].plug()
    }

    /// Works until nobody can send a job any more.
    pub(super) fn run(mut self, jobs: &Receiver<Job>) {
        let mut buffer = vec![0; PIECE];
        loop {
            let now = self.now();
            self.fleet.advance(now);
            match jobs.try_recv() {
                Ok(job) => {
                    job(&mut self, now);
                    continue;
                }
                Err(TryRecvError::Disconnected) => break,
                Err(TryRecvError::Empty) => {}
            }
            self.write();
            for radio in self.wait() {
                self.read(radio, &mut buffer);
            }
        }
    }

    fn now(&self) -> Instant {
        Instant::from_micros(u64::try_from(self.boot.elapsed().as_micros()).unwrap_or(u64::MAX))
    }

    fn write(&mut self) {
        for (n, line) in (0..).zip(&mut self.lines) {
            let radio = RadioId(n);
            let output = self.fleet.rnode(radio).output();
            if !output.is_empty() {
                let written = line.write(output);
                self.fleet.taken(radio, written);
            }
        }
    }

    fn read(&mut self, radio: RadioId, buffer: &mut [u8]) {
        match self.lines[radio.index()].read(buffer) {
            Heard::Bytes(length) => {
                let now = self.now();
                self.fleet.hear(now, radio, &buffer[..length]);
            }
            Heard::OtherHost => self.fleet.taken(radio, usize::MAX),
            Heard::Nothing => {}
        }
    }

    /// Sleeps until something is due, a line is ready, or the bell rings; tells whose lines are ready.
    fn wait(&mut self) -> Vec<RadioId> {
        let timeout = self.fleet.next_event().map(|due| due.since(self.now()));
        let timeout = timeout.map(|left| {
            let left = std::time::Duration::from_micros(left.as_micros());
            Timespec::try_from(left).unwrap_or(Timespec { tv_sec: i64::MAX, tv_nsec: 0 })
        });
        let mut owners = Vec::with_capacity(self.lines.len());
        let mut waiting = vec![PollFd::new(&self.ear, PollFlags::IN)];
        for (n, line) in (0..).zip(&self.lines) {
            let has_output = !self.fleet.rnode(RadioId(n)).output().is_empty();
            let interest = if has_output { PollFlags::IN | PollFlags::OUT } else { PollFlags::IN };
            for descriptor in line.descriptors() {
                owners.push(RadioId(n));
                waiting.push(PollFd::from_borrowed_fd(descriptor, interest));
            }
        }
        match poll(&mut waiting, timeout.as_ref()) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(error) => unreachable!("descriptors of our own can be waited for: {error}"),
        }
        let rung = !waiting[0].revents().is_empty();
        let ready = |(owner, descriptor): (RadioId, &PollFd<'_>)| {
            descriptor.revents().intersects(PollFlags::IN | PollFlags::HUP | PollFlags::ERR).then_some(owner)
        };
        let ready = owners.into_iter().zip(&waiting[1..]).filter_map(ready).collect();
        if rung {
            // How often it rang does not matter: jobs are looked for at every turn.
            let mut rings = [0; 64];
            let _rang = (&self.ear).read(&mut rings);
        }
        ready
    }
}
