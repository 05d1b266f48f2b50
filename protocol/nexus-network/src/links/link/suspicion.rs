//! Whether a peer that is silent while traffic goes to it is still there: it is asked in a hurry, and doubted long before its link is
//! given up.
//!
//! Invariants: nothing is asked but as packets leave; a peer that was doubted is trusted again only after a time that doubles
//! with each doubt. Spec: spec/network.md#silent-neighbours.

use alloc::boxed::Box;

use nexus_machine::{Duration, Instant, Sink};
use nexus_wire::nexus::control::Ping;

use super::super::airtime::Purpose;
use super::super::share::Share;
use super::super::status::{Down, Trust};
use super::super::trials::Strikes;
use super::{Desk, Effect, Link};

/// Questions to one silence, at most,
const QUESTIONS: usize = 12;
/// and where each waits for the one before.
const QUESTIONS_SLOW: u8 = 8;
/// A peer that does not answer at once may be waiting for a processor: hosts stand still for some tens of milliseconds.
const ANSWER_MIN: Duration = Duration::from_millis(200);
/// So long a peer may be silent while packets go to it before it is asked: replies come sooner where there are any, and at
/// ten questions a second what is asked weighs less than four hundred bytes.
const SILENCE_MIN: Duration = Duration::from_millis(100);
/// A question that waits for its medium for so long will not leave: the medium takes nothing.
const STUCK: Duration = Duration::from_secs(2);
/// A peer that was not heard for so many rounds is used for want of better only,
const QUIET_ROUNDS: u64 = 3;
/// and after so many its link is down.
const ROUNDS: u64 = 10;
/// A round is no shorter than this.
const ROUND: Duration = Duration::from_secs(60);
/// A reliability that differs by less is not told.
const RELIABILITY_CHANGE: u8 = 48;

/// What is thought of a peer.
#[derive(Debug)]
pub(super) struct Suspicion {
    state: State,
    /// A peer that is heard again after it was doubted is on trial until then, and until an answer after that.
    trial: Option<Instant>,
    /// On links with acknowledgements, when the first packet left of those after which nothing was heard.
    waiting: Option<Instant>,
    /// The questions of the last silence. Most links never had one.
    questions: Option<Box<Questions>>,
    strikes: Strikes,
    is_quiet: bool,
    /// Of questions, how many are answered; of frames with packets, how many are acknowledged.
    answered: Share,
    pub(super) acknowledged: Share,
    /// What was told of it last.
    told: (Trust, Option<u8>),
    pub(super) doubts: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Calm,
    /// Something is due then: the next question, or the verdict.
    Asking(Instant),
    /// It did not answer, and nothing was heard since.
    Doubted,
}

/// The questions to one silence. Their tokens are consecutive.
#[derive(Debug, Default)]
struct Questions {
    first: Option<u32>,
    first_left_at: Option<Instant>,
    /// Microseconds from the first to each.
    later_by: [u32; QUESTIONS],
    left: u8,
    /// How many of them count as answered or lost.
    tallied: u8,
    /// Questions that could not leave because the medium takes nothing.
    stuck: u8,
    /// Packets without acknowledgement, each after the time for the one before.
    packets: u8,
    last: Last,
}

/// Where the last question is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
enum Last {
    /// It left, or there is none.
    #[default]
    Left,
    /// It waits for its medium.
    Queued,
    /// There was no airtime for it.
    Unpaid,
}

impl Questions {
    /// Whether nothing more has to go unanswered. A peer without airtime answers questions before it acknowledges packets, so of these
    /// one counts, or as many as there may be questions.
    fn are_enough(&self, needed: u8) -> bool {
        let asked = self.left.saturating_add(self.stuck);
        let all = usize::from(asked.saturating_add(self.packets));
        asked.saturating_add(self.packets.min(1)) >= needed
            || all >= usize::from(QUESTIONS_SLOW).max(needed.into())
    }

    fn next_token(&self) -> Option<u32> {
        self.first.map(|first| first.wrapping_add(self.left.into()))
    }

    /// Which question has this token, and when it left.
    fn left_at(&self, token: u32) -> Option<(u8, Instant)> {
        let nth = token.wrapping_sub(self.first?);
        let nth = u8::try_from(nth).ok().filter(|nth| *nth < self.left && *nth >= self.tallied)?;
        let later = self.later_by.get(usize::from(nth)).copied()?;
        Some((nth, self.first_left_at?.after(Duration::from_micros(later.into()))))
    }
}

/// How long things take until a peer is doubted.
#[derive(Clone, Copy, Debug)]
struct Timing {
    /// From one question to the next,
    next: Duration,
    /// and from the last to the verdict.
    verdict: Duration,
}

/// What became of a question.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    Came,
    Lost,
}

impl Suspicion {
    pub(super) const MEMORY_BOUND: usize = size_of::<Questions>();

    /// Of the peer of a link that comes up at `now`: on trial if its links did not hold before.
    pub(super) fn new(strikes: Strikes, trial: Duration, now: Instant) -> Self {
        Self {
            state: State::Calm,
            trial: strikes.hold(trial, now).map(|hold| now.after(hold)),
            waiting: None,
            questions: None,
            strikes,
            is_quiet: false,
            answered: Share::default(),
            acknowledged: Share::default(),
            told: (Trust::Sure, None),
            doubts: 0,
        }
    }

    pub(super) const fn trust(&self) -> Trust {
        match (self.state, self.trial, self.is_quiet) {
            (State::Doubted, _, _) => Trust::Doubted,
            (State::Calm | State::Asking(_), Some(_), _) => Trust::Trial,
            (State::Calm | State::Asking(_), None, true) => Trust::Quiet,
            (State::Calm | State::Asking(_), None, false) => Trust::Sure,
        }
    }

    /// How many of 255 ways there and back are made; none if nothing is known.
    pub(super) fn reliability(&self) -> Option<u8> {
        // An acknowledgement tells of many frames, so that it is the way there alone that is measured.
        match (self.answered.known(), self.acknowledged.squared()) {
            (Some(one), Some(other)) => Some(one.min(other)),
            (one, other) => one.or(other),
        }
    }

    /// The keys were replaced: of what was sent under the others nothing is told.
    pub(super) const fn forget_waiting(&mut self) {
        self.waiting = None;
    }

    /// What its peer is remembered by. One that fell silent without traffic did not hold either.
    pub(super) fn last_strikes(&self, why: Down, now: Instant) -> Strikes {
        let mut strikes = self.strikes;
        if why == Down::Silent && self.state != State::Doubted {
            strikes.strike(now);
        }
        strikes
    }

    /// A question was answered, or was not.
    pub(super) const fn count(&mut self, answer: Answer) {
        match answer {
            Answer::Came => self.answered.hit(),
            Answer::Lost => self.answered.miss(),
        }
    }

    fn begin(&mut self, now: Instant) {
        let questions = self.questions.get_or_insert_default();
        // What was asked before and never answered is lost.
        for _ in questions.tallied..questions.left {
            self.answered.miss();
        }
        **questions = Questions::default();
        self.state = State::Asking(now);
    }
}

impl Link {
    /// How many questions have to be in vain until a living peer is doubted once in a hundred times; where that costs no time, more of a
    /// peer that was doubted of late.
    fn needed(&self, now: Instant) -> u8 {
        // So many of 255 are lost at most where 2, 3, … lost ones in a row are rarer than that: 255 · 0.01^(1/n).
        const LOST: [u8; 6] = [25, 54, 80, 101, 118, 132];
        let lost = self.suspicion.reliability().map_or(0, |reliability| u8::MAX ^ reliability);
        // What is measured moves about what is true.
        let lost = lost.saturating_add(lost / 4);
        let fewer = LOST.iter().filter(|bound| **bound < lost).count();
        let needed = u8::try_from(fewer).unwrap_or(0).saturating_add(2);
        if self.pace.acknowledged {
            needed
        } else {
            needed.saturating_add(self.suspicion.strikes.count(now).min(4))
        }
    }

    /// A frame that is acknowledged leaves. Whether it is the first after which nothing was heard: it is waited for.
    pub(super) fn is_first_unanswered(&mut self, now: Instant) -> bool {
        let suspicion = &mut self.suspicion;
        let is_first = suspicion.waiting.is_none() && suspicion.state != State::Doubted;
        if is_first {
            suspicion.waiting = Some(now);
        }
        is_first
    }

    /// A packet leaves where nothing is acknowledged. Whether the peer was silent for so long that it is asked.
    pub(super) fn begins_silence(&mut self, now: Instant) -> bool {
        let begins = self.suspicion.state == State::Calm && now.since(self.heard_at) >= self.silence();
        if begins {
            self.suspicion.begin(now);
        }
        begins
    }

    /// A question leaves. Whether something is due sooner for that.
    pub(super) fn question_left(&mut self, token: u32, now: Instant) -> bool {
        let (needed, timing) = (self.needed(now), self.timing(now));
        let State::Asking(_) = self.suspicion.state else { return false };
        let Some(questions) = &mut self.suspicion.questions else { return false };
        if questions.next_token() != Some(token) {
            return false;
        }
        let first = *questions.first_left_at.get_or_insert(now);
        let Some(later) = questions.later_by.get_mut(usize::from(questions.left)) else { return false };
        *later = u32::try_from(now.since(first).as_micros()).unwrap_or(u32::MAX);
        questions.left = questions.left.saturating_add(1);
        questions.last = Last::Left;
        let wait = if questions.are_enough(needed) { timing.verdict } else { timing.next };
        self.suspicion.state = State::Asking(now.after(wait));
        true
    }

    /// So long it may be silent while packets leave, where nothing is acknowledged.
    fn silence(&self) -> Duration {
        SILENCE_MIN
            .max(self.rtt.map_or(Duration::ZERO, |rtt| Duration::from_micros(rtt.times(3).as_micros() / 2)))
    }

    /// So long an acknowledgement may take from when the packet leaves: the packet's airtime, the time that the peer may wait
    /// for something to send it with, and its own airtime with what both wait for the channel.
    fn acknowledgement_time(&self) -> Duration {
        let frames = self.pace.frame_airtime.times(3);
        frames.plus(if self.pace.is_shared { ANSWER_MIN } else { self.round_trips() })
    }

    fn round_trips(&self) -> Duration {
        ANSWER_MIN.max(self.rtt.map_or(Duration::from_secs(1), |rtt| rtt.times(4)))
    }

    fn timing(&self, now: Instant) -> Timing {
        if self.pace.acknowledged {
            // On a shared channel round trips are airtime, and waiting for it.
            let answer = if self.pace.is_shared { ANSWER_MIN } else { self.round_trips() };
            let announce = self.pace.announce_airtime;
            let next = Duration::from_micros(announce.times(3).as_micros() / 4);
            return Timing { next: next.max(answer), verdict: announce.times(2).max(answer) };
        }
        // All are asked within a round trip: however many are needed, the verdict is as soon.
        let others = u64::from(self.needed(now).saturating_sub(1)).max(1);
        let span = SILENCE_MIN.max(self.rtt.unwrap_or(Duration::ZERO));
        let next = Duration::from_micros(span.as_micros().checked_div(others).unwrap_or(0));
        Timing { next, verdict: self.round_trips().plus(self.pace.frame_airtime.times(2)) }
    }

    fn round(&self) -> Duration {
        ROUND.max(self.pace.keepalive)
    }

    /// When something is due: a question, a verdict, trust, or what whole rounds of silence mean.
    pub(super) fn suspicion_due(&self) -> Instant {
        let overdue = |since: Instant| since.after(self.acknowledgement_time());
        let waiting = self.suspicion.waiting.map_or(Instant::NEVER, overdue);
        let after = |rounds| self.heard_at.after(self.round().times(rounds));
        let quiet = match (self.suspicion.is_quiet, self.question_due()) {
            (false, _) => after(QUIET_ROUNDS),
            (true, Some(due)) => after(ROUNDS).max(due),
            // Then it is asked, if it is not sooner.
            (true, None) => Instant::NEVER,
        };
        let state = match self.suspicion.state {
            State::Asking(due) => due,
            State::Calm | State::Doubted => Instant::NEVER,
        };
        // Trust is earned by an answer.
        let trial = self.suspicion.trial.filter(|_| !self.is_asking()).unwrap_or(Instant::NEVER);
        state.min(waiting).min(quiet).min(trial)
    }

    /// Asks, doubts, or gives up.
    pub(super) fn suspect<S: Sink<Effect>>(&mut self, desk: &mut Desk<'_, S>) -> Option<Down> {
        let now = desk.cx.now;
        let silent = now.since(self.heard_at);
        // Whoever slept through these rounds itself asks first.
        if silent >= self.round().times(ROUNDS) && self.question_due().is_some_and(|due| due <= now) {
            return Some(Down::Silent);
        }
        if silent >= self.round().times(QUIET_ROUNDS) {
            self.suspicion.is_quiet = true;
        }
        if self.suspicion.waiting.is_some_and(|since| since.after(self.acknowledgement_time()) <= now) {
            self.suspicion.waiting = None;
            self.unacknowledged(now);
        }
        match self.suspicion.state {
            State::Asking(due) if due <= now => self.ask_or_doubt(desk),
            State::Calm | State::Asking(_) | State::Doubted => {}
        }
        if self.suspicion.trial.is_some_and(|until| until <= now) && !self.is_asking() {
            self.probe(desk);
        }
        self.tell(desk);
        None
    }

    /// A packet was not acknowledged in time.
    fn unacknowledged(&mut self, now: Instant) {
        match self.suspicion.state {
            State::Calm => self.suspicion.begin(now),
            State::Asking(_) => {}
            State::Doubted => return,
        }
        let needed = self.needed(now);
        let Some(questions) = &mut self.suspicion.questions else { return };
        questions.packets = questions.packets.saturating_add(1);
        if questions.last == Last::Unpaid && questions.are_enough(needed) {
            self.suspicion.state = State::Asking(now);
        }
    }

    fn ask_or_doubt<S: Sink<Effect>>(&mut self, desk: &mut Desk<'_, S>) {
        let now = desk.cx.now;
        let needed = self.needed(now);
        let Some(questions) = &mut self.suspicion.questions else { return };
        // On a shared channel others may be transmitting.
        if questions.last == Last::Queued && !self.pace.is_shared {
            questions.stuck = questions.stuck.saturating_add(1);
        }
        if questions.are_enough(needed) {
            return self.doubt(desk);
        }
        let first = *questions.first.get_or_insert_with(|| desk.random.next_u32());
        let token = first.wrapping_add(questions.left.into());
        let clock_ms = desk.cx.unix_s().unwrap_or(0).saturating_mul(1_000);
        let ping = Ping { token, clock_ms };
        let (last, due) = if self.say(Purpose::Urgent, &ping, desk) {
            (Last::Queued, desk.cx.now.after(STUCK))
        } else {
            (Last::Unpaid, Self::sayable_at(Purpose::Urgent, &ping, desk))
        };
        if let Some(questions) = &mut self.suspicion.questions {
            questions.last = last;
        }
        self.suspicion.state = State::Asking(due);
    }

    fn doubt<S: Sink<Effect>>(&mut self, desk: &mut Desk<'_, S>) {
        self.suspicion.strikes.strike(desk.cx.now);
        self.suspicion.doubts = self.suspicion.doubts.saturating_add(1);
        self.suspicion.state = State::Doubted;
        self.suspicion.trial = None;
        self.suspicion.waiting = None;
        // It is asked on and on, ever more rarely, until it is given up.
        if !self.is_asking() {
            self.probe(desk);
        }
    }

    /// Something authentic came over the link.
    pub(super) fn heard_of_peer<S: Sink<Effect>>(&mut self, desk: &mut Desk<'_, S>) {
        let now = desk.cx.now;
        let suspicion = &mut self.suspicion;
        suspicion.waiting = None;
        match suspicion.state {
            State::Calm if suspicion.trial.is_none() && !suspicion.is_quiet => return,
            State::Calm | State::Asking(_) => {}
            State::Doubted => {
                let hold = suspicion.strikes.hold(self.pace.trial, now).unwrap_or(self.pace.trial);
                suspicion.trial = Some(now.after(hold));
            }
        }
        suspicion.state = State::Calm;
        suspicion.trial = suspicion.trial.filter(|until| now < *until);
        self.suspicion.is_quiet = false;
        self.tell(desk);
    }

    /// Its peer was heard by another way: it is there, whatever became of its end of the link.
    pub(in super::super) fn heard_otherwise<S: Sink<Effect>>(&mut self, desk: &mut Desk<'_, S>) {
        self.heard_at = desk.cx.now;
        self.suspicion.is_quiet = false;
        self.tell(desk);
    }

    /// A PONG: how long it took, if it answers a question that was asked in a hurry.
    pub(super) fn hurried_answer(&mut self, token: u32, now: Instant) -> Option<Duration> {
        let Suspicion { questions, answered, .. } = &mut self.suspicion;
        let questions = questions.as_mut()?;
        let (nth, left_at) = questions.left_at(token)?;
        for _ in questions.tallied..nth {
            answered.miss();
        }
        answered.hit();
        questions.tallied = nth.saturating_add(1);
        Some(now.since(left_at))
    }

    /// Tells how far the link can be relied on, if that is another than was told.
    pub(in super::super) fn tell<S: Sink<Effect>>(&mut self, desk: &mut Desk<'_, S>) {
        let (trust, reliability) = (self.suspicion.trust(), self.suspicion.reliability());
        let [before, after] = [self.suspicion.told.1, reliability].map(|of| of.unwrap_or(u8::MAX));
        if self.suspicion.told.0 != trust || before.abs_diff(after) >= RELIABILITY_CHANGE {
            self.suspicion.told = (trust, reliability);
            desk.out.push(Effect::Stands { link: desk.id, trust, reliability });
        }
    }
}
