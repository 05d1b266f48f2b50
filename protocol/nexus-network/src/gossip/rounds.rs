//! When a round with a neighbour is, and what is said in it.

use nexus_machine::{Cx, Duration, Instant, Sink};
use nexus_wire::nexus::gossip::{StateHash, StoreId};

use super::allowance::Pace;
use super::index::Stock;
use super::neighbour::{Neighbour, PARTS, Talk};
use super::{Effect, Gossip, Timer};
use crate::links::LinkId;
use crate::media::Tier;

/// A round that something brings forward is within so long,
const EARLY: Duration = Duration::from_secs(1);
/// and not before so long after the one before it.
const APART: Duration = Duration::from_secs(5);
/// The first round with a neighbour is within so long of its link coming up.
const FIRST: Duration = Duration::from_secs(2);
/// Where bytes are dear, within so long.
const FIRST_SLOW: Duration = Duration::from_secs(30);
/// That two stores agree is said again after so many rounds.
const AGREED: u64 = 10;
/// So many items at most are pushed unasked: where there are more, a summary costs less.
const NEWS: usize = 16;
/// How often news are pushed before a summary is made.
const PUSHES: u8 = 2;
/// What is said without an answer before it is said less often,
const UNANSWERED: u8 = 4;
/// and summaries that nothing came of: a store is told in so many slices that for many of them nothing may.
const FRUITLESS: u8 = 32;
/// So often all is told at first where one of both keeps a part of a store: a frame may be lost.
const FIRST_SUMMARIES: u8 = 2;
/// They are never rarer than every sixteenth round.
const RARITY: u8 = 4;

/// What is said of one store in a round.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Turn {
    /// Both know that they agree, or nothing came of what was said for long.
    Silence,
    /// The state, and nothing else.
    State,
    /// What came since they agreed, and then the state.
    News,
    /// What is held.
    Summary,
    /// What came since the last round, to who keeps a part, or of what is kept in part.
    Pushed,
}

impl Gossip {
    /// Plans the first round with a neighbour.
    pub(super) fn greet(&mut self, now: Instant, link: LinkId) {
        let within = match self.pace_of(link) {
            Pace::Fast => FIRST,
            Pace::Slow => FIRST_SLOW,
        };
        let wait = Duration::from_micros(self.random.below(within.as_micros()));
        self.deadlines.set(Timer::Round(link), now.after(wait));
    }

    /// Brings the next round with a neighbour forward, where bytes are not dear.
    pub(super) fn hasten(&mut self, now: Instant, link: LinkId) {
        let Some(neighbour) = self.neighbours.get(&link) else { return };
        let earliest = neighbour.round_at.map_or(now, |at| at.after(APART).max(now));
        if self.pace_of(link) != Pace::Fast {
            return;
        }
        let timer = Timer::Round(link);
        if self.deadlines.get(timer).is_some_and(|set| set <= earliest.after(EARLY)) {
            return;
        }
        let wait = Duration::from_micros(self.random.below(EARLY.as_micros()));
        self.deadlines.set(timer, earliest.after(wait));
    }

    /// A store changed: all neighbours are to hear of it.
    pub(super) fn hasten_all(&mut self, now: Instant) {
        let links: alloc::vec::Vec<LinkId> = self.neighbours.keys().copied().collect();
        for link in links {
            self.hasten(now, link);
        }
    }

    /// A round with a neighbour.
    pub(super) fn round(&mut self, cx: Cx, link: LinkId, out: &mut impl Sink<Effect>) {
        let pace = self.pace_of(link);
        let next = self.jittered(pace.round());
        let Some(neighbour) = self.neighbours.get_mut(&link) else { return };
        if neighbour.is_waiting(cx.now, pace.round()) {
            // What was said waits for the medium: more would only wait behind it.
            let later = Duration::from_micros(pace.round().as_micros() / 4);
            return self.deadlines.set(Timer::Round(link), cx.now.after(later));
        }
        neighbour.begin_round(cx.now);
        self.deadlines.set(Timer::Round(link), cx.now.after(next));
        let stores: alloc::vec::Vec<StoreId> = self.index.by_tier().map(|(store, _)| store).collect();
        for store in stores {
            match self.turn(cx.now, link, store, pace) {
                Turn::Silence => {}
                Turn::State => self.close(link, store),
                Turn::News => self.owe_news(cx.now, link, store),
                Turn::Summary => self.summarise(cx.now, link, store, out),
                Turn::Pushed => self.push(cx.now, link, store),
            }
        }
        self.speak(cx, link, out);
        self.await_answer(cx.now, link);
    }

    /// Where bytes are not dear and what was said is to be answered, the next round is soon: a frame may be lost. If all is
    /// well by then, nothing is said in it.
    fn await_answer(&mut self, now: Instant, link: LinkId) {
        let Some(neighbour) = self.neighbours.get(&link) else { return };
        let is_awaited = |talk: &Talk| talk.pushes > 0 || talk.unanswered > 0 || talk.fruitless > 0;
        let is_hopeless = |talk: &Talk| talk.unanswered >= UNANSWERED || talk.fruitless >= UNANSWERED;
        let is_awaited = neighbour.talks.values().any(|talk| is_awaited(talk) && !is_hopeless(talk));
        if is_awaited && self.pace_of(link) == Pace::Fast {
            let soon = now.after(self.jittered(Pace::Fast.answered()));
            self.round_by(link, soon);
        }
    }

    /// The next round with a neighbour is at `at`, if it is not before.
    pub(super) fn round_by(&mut self, link: LinkId, at: Instant) {
        let next = Timer::Round(link);
        if self.deadlines.get(next).is_none_or(|set| at < set) {
            self.deadlines.set(next, at);
        }
    }

    fn turn(&mut self, now: Instant, link: LinkId, store: StoreId, pace: Pace) -> Turn {
        let (Some(neighbour), Some(stock)) = (self.neighbours.get_mut(&link), self.index.stock(store)) else {
            return Turn::Silence;
        };
        if pace != Pace::Fast && only_answers(stock.tier()) {
            return Turn::Silence;
        }
        let (round, sent) = (neighbour.round, &neighbour.sent);
        let talk = neighbour.talks.entry(store).or_default();
        if talk.said.is_some() && talk.is_of_parts(stock) {
            return talk.turn_of_parts(round, stock);
        }
        talk.note_agreement(stock);
        let said = talk.said.filter(|(state, _)| *state == stock.state());
        if said.is_none() {
            (talk.pushes, talk.fruitless) = (0, 0);
        }
        if talk.agrees(stock) {
            let is_fresh = said.is_some_and(|(_, at)| now.since(at) < pace.round().times(AGREED));
            return if is_fresh { Turn::Silence } else { Turn::State };
        }
        if talk.said.is_none() {
            return if stock.len() == 0 { Turn::Summary } else { Turn::State };
        }
        if talk.is_rare(round) {
            return Turn::Silence;
        }
        let unknown = |basis| stock.since(basis).filter(|(_, id)| !sent.is_held(id));
        let news = talk.basis.map(|basis| unknown(basis).take(NEWS.saturating_add(1)).count());
        let on_its_way = |basis| !unknown(basis).any(|(_, id)| sent.may_send(now, pace, id));
        match news {
            Some(0) if said.is_none() => Turn::State,
            Some(1..=NEWS) if talk.pushes < PUSHES => {
                let Some((_, at)) = said.filter(|_| talk.basis.is_some_and(on_its_way)) else {
                    return Turn::News;
                };
                let is_awaited = now.since(at) < pace.answered() && !talk.comparison.is_waiting();
                if is_awaited { Turn::Silence } else { Turn::Summary }
            }
            Some(_) | None if talk.theirs.is_none() => talk.repeat_state(),
            Some(_) | None => Turn::Summary,
        }
    }

    /// What came since both agreed is owed.
    fn owe_news(&mut self, now: Instant, link: LinkId, store: StoreId) {
        let pace = self.pace_of(link);
        let (Some(neighbour), Some(stock)) = (self.neighbours.get_mut(&link), self.index.stock(store)) else {
            return;
        };
        let Neighbour { talks, sent, owed, .. } = neighbour;
        let talk = talks.entry(store).or_default();
        let Some(basis) = talk.basis else { return };
        for (age, id) in stock.since(basis).filter(|(_, id)| sent.may_send(now, pace, id)).take(NEWS) {
            owed.add(stock.tier(), age, store, *id);
        }
        talk.pushes = talk.pushes.saturating_add(1);
        talk.closes = true;
    }

    /// What came since the last round is owed, once.
    fn push(&mut self, now: Instant, link: LinkId, store: StoreId) {
        let pace = self.pace_of(link);
        let (Some(neighbour), Some(stock)) = (self.neighbours.get_mut(&link), self.index.stock(store)) else {
            return;
        };
        let Neighbour { talks, sent, owed, .. } = neighbour;
        let talk = talks.entry(store).or_default();
        let news = stock.since(talk.told).filter(|(_, id)| sent.may_send_to_part(now, pace, id));
        for (age, id) in news.take(self.limits.owed) {
            owed.add(stock.tier(), age, store, *id);
        }
        talk.told = stock.clock();
    }

    /// The state of a store is owed.
    pub(super) fn close(&mut self, link: LinkId, store: StoreId) {
        if let Some(neighbour) = self.neighbours.get_mut(&link) {
            neighbour.talks.entry(store).or_default().closes = true;
        }
    }

    /// An eighth more or less.
    fn jittered(&mut self, span: Duration) -> Duration {
        let eighth = span.as_micros() / 8;
        let more = self.random.below(eighth.saturating_mul(2).saturating_add(1));
        span.minus(Duration::from_micros(eighth)).plus(Duration::from_micros(more))
    }
}

/// Whether a store of that tier speaks only when it is spoken to, where bytes are dear.
const fn only_answers(tier: Tier) -> bool {
    match tier {
        Tier::Routing | Tier::Payment => false,
        Tier::Services | Tier::Social => true,
    }
}

impl Talk {
    /// Whether the neighbour said the state in which the store is.
    pub(super) fn agrees(&self, stock: &Stock) -> bool {
        stock.state() != StateHash::NONE && self.theirs == Some(stock.state())
    }

    /// Whether one of both keeps a part of the store: they never agree.
    fn is_of_parts(&self, stock: &Stock) -> bool {
        [Some(stock.state()), self.theirs].contains(&Some(StateHash::NONE)) && self.theirs.is_some()
    }

    /// They tell each other all that they have at first, what comes from then on, and now and then all again.
    fn turn_of_parts(&mut self, round: u32, stock: &Stock) -> Turn {
        if self.summarised < FIRST_SUMMARIES || u64::from(round) % PARTS == 0 {
            self.summarised = self.summarised.saturating_add(1);
            return Turn::Summary;
        }
        if self.told < stock.clock() { Turn::Pushed } else { Turn::Silence }
    }

    /// If both agree, what comes from here on is news.
    pub(super) fn note_agreement(&mut self, stock: &Stock) {
        if self.agrees(stock) {
            self.basis = Some(stock.clock());
            self.rest = None;
            self.comparison.agreed();
            (self.pushes, self.fruitless) = (0, 0);
        }
    }

    /// The neighbour said its state.
    pub(super) fn heard(&mut self, state: StateHash) {
        if self.theirs != Some(state) {
            (self.pushes, self.fruitless) = (0, 0);
        }
        self.theirs = Some(state);
        self.unanswered = 0;
    }

    /// Whether this is one of the rounds that are left out, because nothing came of what was said in so many.
    fn is_rare(&self, round: u32) -> bool {
        let too_often =
            self.unanswered.saturating_sub(UNANSWERED).max(self.fruitless.saturating_sub(FRUITLESS));
        let every = 2_u32.saturating_pow(u32::from(too_often.min(RARITY)));
        round.checked_rem(every) != Some(0)
    }

    /// A neighbour that never said anything is told again in what state the store is: a summary would cost more.
    fn repeat_state(&mut self) -> Turn {
        self.unanswered = self.unanswered.saturating_add(1);
        Turn::State
    }
}
