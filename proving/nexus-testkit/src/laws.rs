//! The five laws of a machine, each run in one line.
//!
//! 1. handling a timeout at its deadline moves the deadline forward or clears it (no busy loop);
//! 2. an early timeout is harmless;
//! 3. same seed and same inputs, same effects;
//! 4. no input panics, however malformed;
//! 5. memory stays under the declared bound.
//!
//! A machine is driven through random schedules of inputs, time steps and timeouts, twice side by side: the second twin is
//! also woken early, at random. Source: spec/machine.md#laws.

use std::collections::VecDeque;
use std::fmt::Debug;

use nexus_machine::{Cx, Duration, Instant, Machine, MemoryBound, Seed, Stream, WallClock};

use crate::heap;

/// Whatever can be driven: an organ, a layer, a whole node.
pub trait Subject {
    /// What it is told.
    type Input: Clone + Debug;
    /// What it wants.
    type Effect: PartialEq + Debug;

    /// Tells it something.
    fn handle(&mut self, cx: Cx, input: Self::Input);
    /// Wakes it.
    fn handle_timeout(&mut self, cx: Cx);
    /// When it wants to be woken.
    fn next_timeout(&self) -> Option<Instant>;
    /// Takes one effect.
    fn pop(&mut self) -> Option<Self::Effect>;
    /// The most heap that it says it holds once its effects are taken.
    fn memory_bound(&self) -> usize;
}

/// A [`Machine`] as a [`Subject`]: its sink is a plain queue.
#[derive(Debug)]
pub struct Organ<M: Machine> {
    machine: M,
    effects: VecDeque<M::Effect>,
}

impl<M: Machine> Organ<M> {
    /// Wraps a machine.
    pub const fn new(machine: M) -> Self {
        Self { machine, effects: VecDeque::new() }
    }
}

impl<M> Subject for Organ<M>
where
    M: Machine + MemoryBound,
    M::Input: Clone + Debug,
    M::Effect: PartialEq + Debug,
{
    type Input = M::Input;
    type Effect = M::Effect;

    fn handle(&mut self, cx: Cx, input: M::Input) {
        self.machine.handle(cx, input, &mut self.effects);
    }

    fn handle_timeout(&mut self, cx: Cx) {
        self.machine.handle_timeout(cx, &mut self.effects);
    }

    fn next_timeout(&self) -> Option<Instant> {
        self.machine.next_timeout()
    }

    fn pop(&mut self) -> Option<M::Effect> {
        let effect = self.effects.pop_front();
        if self.effects.is_empty() {
            // The queue is the harness's, not the machine's: its room is not to be counted.
            self.effects = VecDeque::new();
        }
        effect
    }

    fn memory_bound(&self) -> usize {
        self.machine.memory_bound()
    }
}

/// How many schedules each machine is driven through, and how long each is.
const SCHEDULES: u64 = 40;
const STEPS: u32 = 400;
/// How often a deadline at one moment may be handled before it is a busy loop that merely creeps.
const WAKES_PER_STEP: u32 = 10_000;

/// Holds what `make` makes to the laws, under inputs that `input` invents (malformed ones included).
///
/// # Panics
/// With the law, the schedule and the step, if one is broken.
pub fn obeyed_by<S: Subject>(
    name: &str,
    make: impl Fn(&Seed) -> S,
    mut input: impl FnMut(&mut Stream, Instant) -> S::Input,
) {
    let mut inputs = 0_u32;
    let mut effects = 0_usize;
    for schedule in 0..SCHEDULES {
        let seed = Seed::new([0x1a; 32]).fork_index(name, schedule);
        let mut run = Run::new(&format!("{name}, schedule {schedule}"), &make, &seed);
        for _ in 0..STEPS {
            run.step(&mut input);
            inputs += 1;
        }
        effects += run.effects;
    }
    assert!(effects > 0, "{name}: {inputs} inputs and not one effect: the schedule proves nothing");
}

struct Run<S> {
    label: String,
    random: Stream,
    now: Instant,
    wall_offset_s: u64,
    subject: S,
    /// Driven alike, but also woken early.
    twin: S,
    /// What the subject holds on the heap.
    held: isize,
    effects: usize,
    step: u32,
}

impl<S: Subject> Run<S> {
    fn new(label: &str, make: &impl Fn(&Seed) -> S, seed: &Seed) -> Self {
        let mut random = seed.fork("schedule");
        let twin = make(&seed.fork_seed("machine"));
        let (subject, held) = heap::growth_of(|| make(&seed.fork_seed("machine")));
        let wall_offset_s = random.below(2_000_000_000);
        let label = label.to_owned();
        Self { label, random, now: Instant::BOOT, wall_offset_s, subject, twin, held, effects: 0, step: 0 }
    }

    fn step(&mut self, input: &mut impl FnMut(&mut Stream, Instant) -> S::Input) {
        self.step += 1;
        let until = self.now.after(self.pause());
        self.wake_until(until);
        self.now = until;
        let input = input(&mut self.random, self.now);
        let cx = self.cx();
        self.twin.handle(cx, input.clone());
        self.act_and_compare(|subject| subject.handle(cx, input.clone()));
    }

    /// Mostly short, sometimes hours: deadlines of every size come due.
    fn pause(&mut self) -> Duration {
        let scale = [1, 1_000, 100_000, 2_000_000, 4_000_000_000]
            [usize::try_from(self.random.below(5)).expect("0..5")];
        Duration::from_micros(self.random.below(scale))
    }

    fn cx(&self) -> Cx {
        let wall = WallClock { unix_s: self.wall_offset_s, error_s: 1, read_at: Instant::BOOT };
        Cx { wall: Some(wall), ..Cx::at(self.now) }
    }

    /// Handles every deadline up to `until`, at its own time.
    fn wake_until(&mut self, until: Instant) {
        for _ in 0..WAKES_PER_STEP {
            assert_eq!(
                self.subject.next_timeout(),
                self.twin.next_timeout(),
                "{self}: law 3: deadlines differ"
            );
            let Some(deadline) = self.subject.next_timeout().filter(|deadline| *deadline <= until) else {
                return;
            };
            self.wake_the_twin_early(deadline);
            self.now = self.now.max(deadline);
            let cx = self.cx();
            self.twin.handle_timeout(cx);
            self.act_and_compare(|subject| subject.handle_timeout(cx));
            let next = self.subject.next_timeout();
            assert!(
                next.is_none_or(|next| next > self.now),
                "{self}: law 1: woken at {deadline:?}, wants {next:?}"
            );
        }
        panic!("{self}: law 1: {WAKES_PER_STEP} wakes and still not past {until:?}");
    }

    fn wake_the_twin_early(&mut self, deadline: Instant) {
        if deadline > self.now && self.random.chance(1, 3) {
            let early = self
                .now
                .after(Duration::from_micros(self.random.below(deadline.since(self.now).as_micros())));
            let cx = Cx { now: early, ..self.cx() };
            self.twin.handle_timeout(cx);
            let effect = self.twin.pop();
            assert!(
                effect.is_none(),
                "{self}: law 2: woken {early:?} before {deadline:?}, it did {effect:?}"
            );
        }
    }

    /// Lets the subject act, holds its effects against the twin's, and its heap against its word.
    fn act_and_compare(&mut self, act: impl FnOnce(&mut S)) {
        let expected: Vec<S::Effect> = std::iter::from_fn(|| self.twin.pop()).collect();
        let before = heap::held();
        act(&mut self.subject);
        let mut taken = 0;
        while let Some(effect) = self.subject.pop() {
            assert_eq!(Some(&effect), expected.get(taken), "{self}: law 3: twins differ");
            taken += 1;
        }
        self.held += heap::held() - before;
        assert_eq!(taken, expected.len(), "{self}: law 3: twins differ");
        self.effects += taken;
        let (held, bound) = (usize::try_from(self.held).unwrap_or(0), self.subject.memory_bound());
        assert!(held <= bound, "{self}: law 5: {held} bytes held, {bound} declared");
    }
}

impl<S> std::fmt::Display for Run<S> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}, step {}", self.label, self.step)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A machine that can be told which law to break.
    #[derive(Debug)]
    struct Alarm {
        breaks: Breaks,
        deadline: Option<Instant>,
        kept: Vec<Vec<u8>>,
        random: Stream,
    }

    #[derive(Clone, Copy, Debug, PartialEq)]
    enum Breaks {
        Nothing,
        BusyLoop,
        EarlyWake,
        Bound,
    }

    impl Machine for Alarm {
        type Input = u64;
        type Effect = u64;

        fn handle(&mut self, cx: Cx, input: u64, out: &mut impl nexus_machine::Sink<u64>) {
            self.deadline = Some(cx.now.after(Duration::from_micros(1 + input)));
            if self.breaks == Breaks::Bound {
                self.kept.push(vec![0; 100]);
            }
            out.push(self.random.next_u64());
        }

        fn handle_timeout(&mut self, cx: Cx, out: &mut impl nexus_machine::Sink<u64>) {
            let due = self.deadline.is_some_and(|deadline| deadline <= cx.now);
            if due || self.breaks == Breaks::EarlyWake {
                out.push(0);
            }
            if due && self.breaks != Breaks::BusyLoop {
                self.deadline = None;
            }
        }

        fn next_timeout(&self) -> Option<Instant> {
            self.deadline
        }
    }

    impl MemoryBound for Alarm {
        fn memory_bound(&self) -> usize {
            1_000
        }
    }

    fn alarm_that_breaks(breaks: Breaks) {
        obeyed_by(
            "alarm",
            |seed| Organ::new(Alarm { breaks, deadline: None, kept: Vec::new(), random: seed.fork("alarm") }),
            |random, _| random.below(1_000_000),
        );
    }

    #[test]
    fn a_lawful_machine_passes() {
        alarm_that_breaks(Breaks::Nothing);
    }

    #[test]
    #[should_panic(expected = "law 1")]
    fn a_busy_loop_is_caught() {
        alarm_that_breaks(Breaks::BusyLoop);
    }

    #[test]
    #[should_panic(expected = "law 2")]
    fn acting_on_an_early_wake_is_caught() {
        alarm_that_breaks(Breaks::EarlyWake);
    }

    #[test]
    #[should_panic(expected = "law 3")]
    fn randomness_from_elsewhere_is_caught() {
        let other = std::cell::Cell::new(0);
        obeyed_by(
            "stranger",
            |_| {
                other.set(other.get() + 1);
                let random = Seed::new([other.get(); 32]).fork("alarm");
                Organ::new(Alarm { breaks: Breaks::Nothing, deadline: None, kept: Vec::new(), random })
            },
            |random, _| random.below(1_000_000),
        );
    }

    #[test]
    #[should_panic(expected = "law 5")]
    fn hoarding_is_caught() {
        alarm_that_breaks(Breaks::Bound);
    }
}
