//! What an interface had on its medium, and for what: of late, and since the node started.
//!
//! Invariant: what is counted has left, sealed and with its framing, and a window is never shorter than it is called. A look at it, not
//! the account that holds anybody to a share. Spec: spec/network.md#meter.

use alloc::collections::VecDeque;

use nexus_machine::{Duration, Instant};

use super::{Load, Tier};

/// What announces and gossip may take of an interface together, in millionths of what it carries. Source: spec/network.md#meter.
pub const TOGETHER_PPM: u64 = 100_000;

/// How far back a meter looks.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Window {
    /// Ten rounds of gossip.
    TenMinutes,
    /// Sixty of them.
    Hour,
}

impl Window {
    /// Both.
    pub const ALL: [Self; 2] = [Self::TenMinutes, Self::Hour];

    /// How long it is called to be.
    #[must_use]
    pub const fn length(self) -> Duration {
        match self {
            Self::TenMinutes => Duration::from_secs(600),
            Self::Hour => Duration::from_secs(3_600),
        }
    }

    /// It is added up from so much at a time, and longer by up to that.
    #[must_use]
    pub const fn grain(self) -> Duration {
        match self {
            Self::TenMinutes => Duration::from_secs(10),
            Self::Hour => Duration::from_secs(60),
        }
    }
}

impl Load {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::Traffic,
        Self::Links,
        Self::Announces,
        Self::Gossip(Tier::Routing),
        Self::Gossip(Tier::Payment),
        Self::Gossip(Tier::Services),
        Self::Gossip(Tier::Social),
    ];

    /// Its place in [`Load::ALL`].
    const fn place(self) -> usize {
        match self {
            Self::Traffic => 0,
            Self::Links => 1,
            Self::Announces => 2,
            Self::Gossip(Tier::Routing) => 3,
            Self::Gossip(Tier::Payment) => 4,
            Self::Gossip(Tier::Services) => 5,
            Self::Gossip(Tier::Social) => 6,
        }
    }

    /// Whether it is announces or gossip, which have a tenth of a medium together.
    #[must_use]
    pub const fn is_budgeted(self) -> bool {
        match self {
            Self::Announces | Self::Gossip(_) => true,
            Self::Traffic | Self::Links => false,
        }
    }
}

/// What was on a medium.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Spent {
    /// In bytes, framing included.
    pub bytes: u64,
    /// For how long the medium was occupied, at its nominal rate; nothing where that is unknown.
    pub time: Duration,
}

impl Spent {
    /// Both together.
    #[must_use]
    pub const fn plus(self, other: Self) -> Self {
        Self { bytes: self.bytes.saturating_add(other.bytes), time: self.time.plus(other.time) }
    }
}

/// What was on a medium, by load.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Usage([Spent; Load::ALL.len()]);

impl Usage {
    /// What one load had.
    #[must_use]
    pub fn of(&self, load: Load) -> Spent {
        self.0.get(load.place()).copied().unwrap_or_default()
    }

    /// What those loads had together that are so.
    #[must_use]
    pub fn of_those(&self, is_so: impl Fn(Load) -> bool) -> Spent {
        let those = Load::ALL.into_iter().filter(|load| is_so(*load));
        those.fold(Spent::default(), |sum, load| sum.plus(self.of(load)))
    }

    fn add(&mut self, load: Load, spent: Spent) {
        if let Some(sum) = self.0.get_mut(load.place()) {
            *sum = sum.plus(spent);
        }
    }
}

/// The meter of one interface. It outlives the interface's going down.
#[derive(Debug, Default)]
pub struct Meter {
    total: Usage,
    frames: [u64; Load::ALL.len()],
    ten_minutes: Grains,
    hour: Grains,
}

impl Meter {
    /// What one may hold on the heap, in bytes: a ring grows by doubling.
    pub(super) const MEMORY_BOUND: usize = 2 * 2 * Grains::MOST * size_of::<Grain>();

    /// A frame of a load left.
    pub(super) fn add(&mut self, now: Instant, load: Load, spent: Spent) {
        self.total.add(load, spent);
        if let Some(frames) = self.frames.get_mut(load.place()) {
            *frames = frames.saturating_add(1);
        }
        for window in Window::ALL {
            let grains = match window {
                Window::TenMinutes => &mut self.ten_minutes,
                Window::Hour => &mut self.hour,
            };
            grains.add(number(now, window), load, spent);
        }
    }

    /// What left since the node started.
    #[must_use]
    pub const fn total(&self) -> &Usage {
        &self.total
    }

    /// How many frames of a load left since the node started.
    #[must_use]
    pub fn frames(&self, load: Load) -> u64 {
        self.frames.get(load.place()).copied().unwrap_or(0)
    }

    /// What left in the window that ends at `now`; at most a [grain](Window::grain) more.
    #[must_use]
    pub fn last(&self, now: Instant, window: Window) -> Usage {
        let grains = match window {
            Window::TenMinutes => &self.ten_minutes,
            Window::Hour => &self.hour,
        };
        grains.since(number(now, window))
    }
}

/// In which grain of a window a moment lies.
fn number(now: Instant, window: Window) -> u64 {
    now.as_micros().checked_div(window.grain().as_micros()).unwrap_or(0)
}

/// What left, by grain, oldest first.
#[derive(Debug, Default)]
struct Grains(VecDeque<Grain>);

#[derive(Clone, Copy, Debug)]
struct Grain {
    number: u64,
    usage: Usage,
}

impl Grains {
    /// Sixty whole ones, and the one that is not over.
    const MOST: usize = 61;

    fn add(&mut self, number: u64, load: Load, spent: Spent) {
        while self.0.front().is_some_and(|oldest| !is_within(oldest.number, number)) {
            self.0.pop_front();
        }
        if self.0.back().is_none_or(|newest| newest.number != number) {
            self.0.push_back(Grain { number, usage: Usage::default() });
        }
        if let Some(newest) = self.0.back_mut() {
            newest.usage.add(load, spent);
        }
    }

    fn since(&self, number: u64) -> Usage {
        let mut sum = Usage::default();
        for grain in self.0.iter().filter(|grain| is_within(grain.number, number)) {
            for load in Load::ALL {
                sum.add(load, grain.usage.of(load));
            }
        }
        sum
    }
}

/// Whether a grain belongs to the window that ends in another.
fn is_within(grain: u64, last: u64) -> bool {
    usize::try_from(last.saturating_sub(grain)).is_ok_and(|age| age < Grains::MOST)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Instant {
        Instant::from_micros(seconds.saturating_mul(1_000_000))
    }

    fn spent(bytes: u64) -> Spent {
        Spent { bytes, time: Duration::from_micros(bytes.saturating_mul(8)) }
    }

    const NEWS: Load = Load::Announces;

    fn bytes(meter: &Meter, now: u64) -> [u64; 2] {
        Window::ALL.map(|window| meter.last(at(now), window).of(NEWS).bytes)
    }

    #[test]
    fn what_left_counts_for_the_whole_window_and_at_most_a_grain_longer() {
        let mut meter = Meter::default();
        meter.add(at(1_009), NEWS, spent(7));
        assert_eq!(bytes(&meter, 1_009), [7, 7]);
        assert_eq!(bytes(&meter, 1_609), [7, 7], "ten minutes are whole");
        assert_eq!(bytes(&meter, 1_610), [0, 7], "a grain later they are over");
        assert_eq!(bytes(&meter, 4_609), [0, 7], "an hour is whole");
        assert_eq!(bytes(&meter, 4_680), [0, 0]);
        assert_eq!(meter.total().of(NEWS), spent(7), "and since the start it is there for good");
    }

    #[test]
    fn no_window_ever_has_less_than_left_in_it_nor_what_left_a_grain_before_it() {
        let mut meter = Meter::default();
        let mut left: alloc::vec::Vec<(u64, u64)> = alloc::vec::Vec::new();
        let mut now = 0;
        for n in 0..2_000 {
            now += n * n % 17;
            left.push((now, n));
            meter.add(at(now), NEWS, spent(n));
            for window in Window::ALL {
                let [length, grain] = [window.length(), window.grain()].map(Duration::as_secs);
                let within = |span: u64| -> u64 {
                    left.iter().filter(|(then, _)| now - then < span).map(|(_, bytes)| bytes).sum()
                };
                let shown = meter.last(at(now), window).of(NEWS).bytes;
                assert!((within(length)..=within(length + grain)).contains(&shown), "{window:?} at {now} s");
            }
        }
    }

    #[test]
    fn loads_are_apart_and_those_that_share_a_tenth_are_added_up() {
        let mut meter = Meter::default();
        for (load, n) in Load::ALL.into_iter().zip(1..) {
            meter.add(at(5), load, spent(10_u64.pow(n)));
        }
        let usage = meter.last(at(5), Window::TenMinutes);
        for (load, n) in Load::ALL.into_iter().zip(1..) {
            assert_eq!((usage.of(load), meter.frames(load)), (spent(10_u64.pow(n)), 1));
        }
        assert_eq!(usage.of_those(Load::is_budgeted).bytes, 11_111_000);
        assert_eq!(usage.of_those(|_| true).bytes, 11_111_110);
    }

    #[test]
    fn a_meter_holds_no_more_than_its_grains_however_long_it_counts() {
        let mut meter = Meter::default();
        for n in 0..20_000 {
            meter.add(at(n * 5), Load::Traffic, spent(u64::MAX / 4));
        }
        assert!(meter.ten_minutes.0.len() <= Grains::MOST && meter.hour.0.len() <= Grains::MOST);
        assert_eq!(meter.total().of(Load::Traffic).bytes, u64::MAX, "sums saturate");
        meter.add(Instant::NEVER, Load::Links, spent(1));
        assert_eq!(meter.last(Instant::NEVER, Window::Hour).of(Load::Links), spent(1));
    }
}
