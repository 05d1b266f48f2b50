//! Numbered things on their way from one place to another, and when they arrived.

use std::io::BufRead as _;
use std::net::UdpSocket;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};
use serde_json::{Value, json};

use crate::daemon::{self, Daemon};
use crate::gaps::{Steady, flows, longest_gap};
use crate::lab::{LabError, Place};

/// How often a datagram is sent.
pub const DATAGRAM_EVERY: Duration = Duration::from_millis(10);
/// How often a message is sent. A node has 64 messages on their way at most, and waits for a receipt for two seconds at least:
/// 40 a second and more would be refused while none come back.
pub const MESSAGE_EVERY: Duration = Duration::from_millis(40);
/// How long a socket waits before it looks whether it is over.
const LOOK: Duration = Duration::from_millis(50);
/// Things flow once they arrive for a second without a break: five in a row that are missing, and what a busy machine takes.
const STEADY: Steady = Steady { run: Duration::from_secs(1), gap: Duration::from_millis(300) };
/// The same where two of three are lost on their way: seventeen of a thousand in a row are.
const THROUGH_LOSS: Steady = Steady { run: Duration::from_secs(6), gap: Duration::from_secs(2) };
/// The port of datagrams.
const PORT: u16 = 7_007;

/// Traffic that nobody on its way knows of. It ends when this is dropped.
#[derive(Debug)]
pub struct Flow {
    every: Duration,
    steady: Steady,
    heard: Arc<Mutex<Vec<Instant>>>,
    over: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
}

impl Flow {
    /// Datagrams of eight bytes, every ten milliseconds. Takes root, because a thread of this process enters each place.
    pub fn of_datagrams(from: (&Place, &str), to: (&Place, &str)) -> Result<Self, LabError> {
        let sending = socket_in(from.0, &format!("{}:0", from.1))?;
        let hearing = socket_in(to.0, &format!("{}:{PORT}", to.1))?;
        let target = format!("{}:{PORT}", to.1);
        hearing.set_read_timeout(Some(LOOK)).map_err(LabError::system("a socket's timeout"))?;
        let mut flow = Self::new(DATAGRAM_EVERY);
        flow.send(move |number| {
            // Without a way there it is a lost datagram.
            let _lost = sending.send_to(&number.to_be_bytes(), &target);
        });
        let (heard, over) = (Arc::clone(&flow.heard), Arc::clone(&flow.over));
        flow.threads.push(thread::spawn(move || {
            let mut buffer = [0; 16];
            while !over.load(Ordering::Relaxed) {
                if let Ok((8, _)) = hearing.recv_from(&mut buffer) {
                    lock(&heard).push(Instant::now());
                }
            }
        }));
        Ok(flow)
    }

    /// Messages through the control sockets of two nodes, 25 a second, each tried once.
    pub fn of_messages(from: &Daemon, to: &Daemon, name: &str) -> Result<Self, LabError> {
        let prefix = format!("{name} ");
        let mut flow = Self::new(MESSAGE_EVERY);
        let (mut hearing, _) = to.connect(LOOK)?;
        daemon::say(&mut hearing, 1, &json!({ "do": "events" }))?;
        let (heard, over, begins) = (Arc::clone(&flow.heard), Arc::clone(&flow.over), prefix.clone());
        flow.threads.push(thread::spawn(move || {
            each_line(hearing, &over, |line| {
                let text = line["event"]["text"].as_str();
                if text.is_some_and(|text| text.starts_with(&begins)) {
                    lock(&heard).push(Instant::now());
                }
            });
        }));
        let (mut sending, answers) = from.connect(LOOK)?;
        let over = Arc::clone(&flow.over);
        // What is not read would end the connection.
        flow.threads.push(thread::spawn(move || each_line(answers, &over, |_receipt| {})));
        let node = to.node().to_owned();
        flow.send(move |number| {
            let text = format!("{prefix}{number}");
            let send = json!({ "do": "send", "to": node, "text": text, "signed": false, "for_s": 0 });
            // A daemon that is gone sends nothing, which is what the flow is to show.
            let _lost = daemon::say(&mut sending, number, &send);
        });
        Ok(flow)
    }

    /// The same on media that lose about a third on each of three cables.
    #[must_use]
    pub fn through_loss(mut self) -> Self {
        self.steady = THROUGH_LOSS;
        self
    }

    fn new(every: Duration) -> Self {
        let (heard, over) = (Arc::default(), Arc::default());
        Self { every, steady: STEADY, heard, over, threads: Vec::new() }
    }

    /// Calls `send` at equal distances, with numbers from 1.
    fn send(&mut self, mut send: impl FnMut(u64) + Send + 'static) {
        let (every, over) = (self.every, Arc::clone(&self.over));
        self.threads.push(thread::spawn(move || {
            let mut due = Instant::now();
            let mut number = 0_u64;
            while !over.load(Ordering::Relaxed) {
                number += 1;
                send(number);
                due += every;
                thread::sleep(due.saturating_duration_since(Instant::now()));
            }
        }));
    }

    /// Waits until things arrive without a break for a while, all of it after `since`; at most for `patience`.
    pub fn until_flowing(&self, since: Instant, patience: Duration) -> Result<(), LabError> {
        let deadline = Instant::now() + patience;
        loop {
            let now = Instant::now();
            if flows(&lock(&self.heard), since, now, self.steady) {
                return Ok(());
            }
            if now > deadline {
                let arrived = lock(&self.heard).len();
                let seconds = patience.as_secs();
                let sentence = format!("nothing flows after {seconds} s; before, {arrived} had arrived");
                return Err(LabError::Late(sentence));
            }
            thread::sleep(self.every);
        }
    }

    /// The longest time without an arrival, from the last one before `since` to `until`.
    #[must_use]
    pub fn longest_gap(&self, since: Instant, until: Instant) -> Duration {
        longest_gap(&lock(&self.heard), since, until)
    }
}

impl Drop for Flow {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
        for thread in self.threads.drain(..) {
            // A panic in it was told when it happened.
            let _told = thread.join();
        }
    }
}

fn lock(heard: &Mutex<Vec<Instant>>) -> MutexGuard<'_, Vec<Instant>> {
    heard.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A socket belongs to the network in which it was made: a thread goes there, makes it, and ends.
fn socket_in(place: &Place, address: &str) -> Result<UdpSocket, LabError> {
    let file = format!("/proc/{}/ns/net", place.holder());
    let network = std::fs::File::open(&file).map_err(LabError::system(&file))?;
    let made = thread::scope(|scope| {
        let making = scope.spawn(|| {
            move_into_link_name_space(std::os::fd::AsFd::as_fd(&network), Some(LinkNameSpaceType::Network))?;
            UdpSocket::bind(address)
        });
        making.join().unwrap_or_else(|_| Err(std::io::Error::other("the thread panicked")))
    });
    made.map_err(LabError::system(format!("a socket at {address}")))
}

/// Hands on each line until it is over or the connection ends. A read that takes too long leaves what it read for the next.
fn each_line(mut reader: daemon::Reader, over: &AtomicBool, mut told: impl FnMut(&Value)) {
    let mut line = Vec::new();
    while !over.load(Ordering::Relaxed) {
        match reader.read_until(b'\n', &mut line) {
            Ok(0) => return,
            Ok(_) if line.last() == Some(&b'\n') => {
                if let Ok(value) = serde_json::from_slice(&line) {
                    told(&value);
                }
                line.clear();
            }
            Ok(_) => {}
            Err(cause) if cause.kind() == std::io::ErrorKind::WouldBlock => {}
            Err(_) => return,
        }
    }
}
