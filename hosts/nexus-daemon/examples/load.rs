//! `load <address> <seconds>`: two neighbours of a relaying daemon over UDP. One sends packets of 484 bytes, never more on
//! their way than a socket's buffer holds; the other counts those that come through. Says how many a second.

#[path = "../../../protocol/nexus-network/benches/joined.rs"]
#[allow(dead_code, reason = "the relay of the benchmarks is another program here")]
mod joined;

use std::io::ErrorKind;
use std::net::UdpSocket;
use std::time::{Duration as Span, Instant as Clock};

use joined::{Neighbour, announce, far, to_the_far_node};
use nexus_machine::{Cx, Duration, Instant};

/// Packets on their way at most: their frames fit the smallest buffer that sockets have by default.
const ON_THEIR_WAY: u64 = 64;
/// After so long without any, those on their way are lost.
const LOST_AFTER: Span = Span::from_millis(20);

/// A neighbour and its socket.
struct End {
    neighbour: Neighbour,
    socket: UdpSocket,
}

impl End {
    fn towards(n: u8, address: &str) -> std::io::Result<Self> {
        let socket = UdpSocket::bind("127.0.0.1:0")?;
        socket.connect(address)?;
        socket.set_nonblocking(true)?;
        Ok(Self { neighbour: Neighbour::new(n), socket })
    }

    /// Sends what waits and takes in what came. Returns how many frames held something for others.
    fn turns(&mut self, cx: Cx) -> std::io::Result<u64> {
        self.neighbour.wakes(cx);
        let (mut buffer, mut came) = ([0; 2_048], 0);
        loop {
            while let Some(frame) = self.neighbour.sent.pop_front() {
                self.socket.send(&frame)?;
            }
            match self.socket.recv(&mut buffer) {
                Ok(len) => {
                    let opened = self.neighbour.hears(cx, buffer[..len].to_vec());
                    came += u64::from(opened.is_some_and(|opened| opened.end > 400));
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(came),
                Err(error) => return Err(error),
            }
        }
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let (Some(address), Some(seconds)) = (arguments.next(), arguments.next()) else {
        return Err("load <address> <seconds>".into());
    };
    let span = Span::from_secs(seconds.parse::<u64>()?.min(60));
    let boot = Clock::now();
    let cx = || {
        Cx::at(
            Instant::BOOT
                .after(Duration::from_micros(u64::try_from(boot.elapsed().as_micros()).unwrap_or(0))),
        )
    };
    let (mut left, mut right) = (End::towards(1, &address)?, End::towards(2, &address)?);
    left.neighbour.up(cx());
    right.neighbour.up(cx());
    while left.neighbour.link.is_none() || right.neighbour.link.is_none() {
        if boot.elapsed() > Span::from_secs(10) {
            return Err("no link with the daemon within ten seconds".into());
        }
        left.turns(cx())?;
        right.turns(cx())?;
        std::thread::sleep(Span::from_millis(1));
    }
    let frame = right.neighbour.sealed(cx(), &announce());
    right.socket.send(&frame)?;
    // The announce is verified, and what the daemon tells of itself is read.
    let settled = Clock::now();
    while settled.elapsed() < Span::from_secs(2) {
        left.turns(cx())?;
        right.turns(cx())?;
        std::thread::sleep(Span::from_millis(1));
    }
    let (began, mut heard_at) = (Clock::now(), Clock::now());
    let (mut sent, mut came, mut lost) = (0_u64, 0_u64, 0_u64);
    let far = far();
    println!("began");
    while began.elapsed() < span {
        // What was given up may come after all.
        while sent.saturating_sub(came + lost) < ON_THEIR_WAY {
            sent += 1;
            let frame = left.neighbour.sealed(cx(), &to_the_far_node(&far, 484, sent));
            left.socket.send(&frame)?;
        }
        left.turns(cx())?;
        let arrived = right.turns(cx())?;
        if arrived > 0 {
            came += arrived;
            heard_at = Clock::now();
        } else if heard_at.elapsed() > LOST_AFTER {
            lost = sent.saturating_sub(came);
            heard_at = Clock::now();
        } else {
            // The daemon may need this processor.
            std::thread::yield_now();
        }
    }
    println!("ended {sent} {came} {}", began.elapsed().as_micros());
    Ok(())
}
