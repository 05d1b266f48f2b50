//! Media that are no radio channels: cables, switched networks, and networks on which one transmits at a time.
//!
//! A line has servers that send frames one behind the other: one for each port, or one for all. Time is counted in nanoseconds,
//! so that many short frames on a fast line take what they should. Spec: spec/simulation.md#lines.

use std::collections::VecDeque;

use nexus_machine::Duration;

use crate::clock::WorldTime;

/// How a medium that is no radio channel carries frames.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Line {
    /// At which rate ports send.
    pub rates: Rates,
    /// Whether they send at the same time.
    pub sharing: Sharing,
    /// When the driver of a port takes another frame.
    pub taking: Taking,
    /// The most by which a frame is delayed beyond the medium's delay; uniform, the order is kept.
    pub jitter: Duration,
    /// Frames that do not arrive, in parts per million, for each receiver of each frame.
    pub loss_ppm: u32,
    /// How far its signals reach, in metres, if that matters.
    pub range_m: Option<u32>,
}

/// At which rate the ports of a line send, in bits per second.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Rates {
    /// All at one.
    Alike(u64),
    /// Each at its own, in the order of the medium's nodes.
    Each(Vec<u64>),
}

/// Whether the ports of a line send at the same time.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Sharing {
    /// Each at its own rate, whatever the others do: a cable, a switch.
    Apart,
    /// One transmits at a time, in the order in which frames were offered. Of the rate so many percent carry frames: the rest is
    /// what contention, preambles and the medium's own acknowledgements cost.
    OneAtATime {
        /// 1 to 100.
        efficiency_percent: u8,
    },
}

/// When a driver takes another frame.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Taking {
    /// When the last one has left, as a stream does that pushes back: nothing waits in the line.
    WhenSent,
    /// At once, as a datagram socket does. While the line is busy frames wait, in at most so many bytes for each port; one that
    /// does not fit is dropped.
    AtOnce {
        /// In bytes, without the frame that is being sent.
        queue_bytes: u32,
    },
}

impl Line {
    /// One that sends each port's frames at `rate_bps`, and loses nothing.
    #[must_use]
    pub const fn plain(rate_bps: u64) -> Self {
        Self {
            rates: Rates::Alike(rate_bps),
            sharing: Sharing::Apart,
            taking: Taking::WhenSent,
            jitter: Duration::ZERO,
            loss_ppm: 0,
            range_m: None,
        }
    }

    /// At which rate a port's frames leave, in bits per second.
    #[must_use]
    pub fn rate_bps(&self, port: usize) -> u64 {
        let rate = match &self.rates {
            Rates::Alike(rate) => *rate,
            Rates::Each(rates) => rates[port],
        };
        match self.sharing {
            Sharing::Apart => rate,
            Sharing::OneAtATime { efficiency_percent } => rate * u64::from(efficiency_percent) / 100,
        }
    }

    /// How long the line is busy with a frame of `length` bytes, in nanoseconds; an unknown rate takes no time.
    #[must_use]
    pub fn service_ns(&self, port: usize, length: usize) -> u64 {
        let bits = u64::try_from(length).expect("a length fits u64") * 8;
        let of_rate = |rate: u128| (u128::from(bits) * 1_000_000_000).div_ceil(rate);
        match self.rate_bps(port) {
            0 => 0,
            rate => u64::try_from(of_rate(rate.into())).unwrap_or(u64::MAX),
        }
    }
}

/// The servers of a line at work.
#[derive(Debug)]
pub struct Servers {
    /// When each is free, in nanoseconds of world time: one for each port, or one for all.
    free_at_ns: Vec<u64>,
    /// What waits for its turn, by port: when it begins to be sent, and its bytes.
    waiting: Vec<VecDeque<(u64, u64)>>,
}

impl Servers {
    /// Those of a line of so many ports, idle.
    #[must_use]
    pub fn new(line: &Line, ports: usize) -> Self {
        let servers = match line.sharing {
            Sharing::Apart => ports,
            Sharing::OneAtATime { .. } => 1,
        };
        Self { free_at_ns: vec![0; servers], waiting: vec![VecDeque::new(); ports] }
    }

    /// A port offers a frame of `length` bytes. When it was sent; `None` if it found no room.
    pub fn offer(&mut self, line: &Line, now: WorldTime, port: usize, length: usize) -> Option<WorldTime> {
        let now_ns = now.as_micros().saturating_mul(1_000);
        let server = match line.sharing {
            Sharing::Apart => port,
            Sharing::OneAtATime { .. } => 0,
        };
        let waiting = &mut self.waiting[port];
        while waiting.front().is_some_and(|(begins, _)| *begins <= now_ns) {
            waiting.pop_front();
        }
        let begins = now_ns.max(self.free_at_ns[server]);
        if begins > now_ns {
            let bytes = u64::try_from(length).expect("a length fits u64");
            let queued: u64 = waiting.iter().map(|(_, bytes)| bytes).sum();
            match line.taking {
                Taking::AtOnce { queue_bytes } if queued + bytes > u64::from(queue_bytes) => return None,
                Taking::AtOnce { .. } | Taking::WhenSent => waiting.push_back((begins, bytes)),
            }
        }
        let ends = begins.saturating_add(line.service_ns(port, length));
        self.free_at_ns[server] = ends;
        Some(WorldTime::from_start(Duration::from_micros(ends.div_ceil(1_000))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chance::exponential;
    use nexus_machine::{Seed, Stream};

    fn at(micros: u64) -> WorldTime {
        WorldTime::from_start(Duration::from_micros(micros))
    }

    /// What came of frames of one length that arrived by chance.
    struct Measured {
        /// On average, from arrival to the beginning of service.
        wait_us: u64,
        /// For which share of the time the line was busy.
        busy_permille: u64,
        lost_permille: u64,
    }

    const LENGTH: usize = 1_250;
    const RATE: u64 = 10_000_000;
    /// 10,000 bits at 10 Mbit/s.
    const SERVICE_US: u64 = 1_000;

    /// Poisson arrivals at a share of the line's rate, at random ports.
    fn poisson(line: &Line, ports: u8, load_permille: u64, frames: u64) -> Measured {
        let mut random: Stream = Seed::new([42; 32]).fork("arrivals");
        let mut servers = Servers::new(line, ports.into());
        let apart = Duration::from_micros(SERVICE_US * 1_000 / load_permille);
        let (mut now, mut waited, mut sent, mut last_end) = (at(0), 0, 0, at(0));
        for _ in 0..frames {
            now = now.after(exponential(&mut random, apart));
            let port = usize::try_from(random.below(ports.into())).unwrap();
            if let Some(end) = servers.offer(line, now, port, LENGTH) {
                waited += end.since(now).as_micros() - SERVICE_US;
                sent += 1;
                last_end = end;
            }
        }
        Measured {
            wait_us: waited / sent,
            busy_permille: sent * SERVICE_US * 1_000 / last_end.as_micros(),
            lost_permille: (frames - sent) * 1_000 / frames,
        }
    }

    #[track_caller]
    fn near(measured: u64, expected: u64, percent: u64) {
        let off = measured.abs_diff(expected) * 100;
        assert!(off <= percent * expected, "{measured} is not {expected} to within {percent} %");
    }

    const ENDLESS: Taking = Taking::AtOnce { queue_bytes: u32::MAX };

    #[test]
    fn a_frame_on_an_idle_line_takes_its_bits_at_the_rate_of_its_direction() {
        let line = Line { rates: Rates::Each(vec![8_000_000, 1_000_000]), ..Line::plain(0) };
        let mut servers = Servers::new(&line, 2);
        assert_eq!(servers.offer(&line, at(5), 0, 1_000), Some(at(1_005)));
        assert_eq!(
            servers.offer(&line, at(5), 1, 1_000),
            Some(at(8_005)),
            "eight times slower, at the same time"
        );
    }

    #[test]
    fn a_thousand_short_frames_on_a_fast_line_take_a_thousand_times_their_bits() {
        let line = Line { taking: ENDLESS, ..Line::plain(1_000_000_000) };
        let mut servers = Servers::new(&line, 2);
        let ends = (0..1_000).filter_map(|_| servers.offer(&line, at(0), 0, 64)).max();
        assert_eq!(ends, Some(at(512)), "512 ns each");
    }

    #[test]
    fn poisson_frames_wait_as_long_as_the_pollaczek_khinchine_formula_says() {
        let line = Line { taking: ENDLESS, ..Line::plain(RATE) };
        for load in [300, 600, 800] {
            let measured = poisson(&line, 1, load, 400_000);
            near(measured.wait_us, SERVICE_US * load / (2 * (1_000 - load)), 3);
            near(measured.busy_permille, load, 1);
        }
    }

    #[test]
    fn a_shared_line_is_one_server_for_all_its_ports_at_the_rate_that_its_efficiency_leaves() {
        let sharing = Sharing::OneAtATime { efficiency_percent: 50 };
        let line = Line { sharing, taking: ENDLESS, ..Line::plain(2 * RATE) };
        let measured = poisson(&line, 5, 700, 400_000);
        near(measured.wait_us, SERVICE_US * 700 / 600, 3);
        near(measured.busy_permille, 700, 1);
    }

    #[test]
    fn a_line_without_a_queue_loses_what_erlang_says() {
        let line = Line { taking: Taking::AtOnce { queue_bytes: 0 }, ..Line::plain(RATE) };
        for load in [200, 1_000, 3_000] {
            near(poisson(&line, 1, load, 200_000).lost_permille, load * 1_000 / (1_000 + load), 2);
        }
    }

    #[test]
    fn an_overloaded_line_carries_its_rate_and_drops_the_rest() {
        let line = Line { taking: Taking::AtOnce { queue_bytes: 20_000 }, ..Line::plain(RATE) };
        let measured = poisson(&line, 1, 2_000, 100_000);
        near(measured.busy_permille, 1_000, 1);
        near(measured.lost_permille, 500, 2);
        // Sixteen places, nearly always full: whoever finds one waits for fifteen and the rest of one.
        near(measured.wait_us, 15 * SERVICE_US + SERVICE_US / 2, 5);
    }

    #[test]
    fn a_queue_takes_what_fits_and_drops_the_tail() {
        let line = Line { taking: Taking::AtOnce { queue_bytes: 250 }, ..Line::plain(1_000_000) };
        let mut servers = Servers::new(&line, 2);
        let taken: Vec<bool> = (0..5).map(|_| servers.offer(&line, at(0), 0, 100).is_some()).collect();
        assert_eq!(taken, [true, true, true, false, false], "one is sent, two wait in 250 bytes");
        assert!(servers.offer(&line, at(0), 0, 50).is_some(), "a shorter one still fits");
        assert!(
            servers.offer(&line, at(800), 0, 100).is_some(),
            "one left the queue when the first was sent"
        );
    }
}
