//! Who was heard on a shared channel and has no link yet. Random tags are easily made up: what is kept is bounded, and those
//! who are heard again and again come before those who were heard once. Spec: spec/network.md#beacons.

use alloc::vec::Vec;

use nexus_machine::{Duration, Instant, Stream};
use nexus_wire::nexus::frame::BeaconTag;

/// Tags that are remembered on one interface; at the bound a random one that was heard once makes room.
pub(super) const STRANGERS: usize = 256;
/// After so many intervals without a beacon a tag is forgotten. As long waits who is not to begin, and besides as long as all
/// who were heard would take to be answered twice.
const SILENT: u64 = 4;
/// Where all were heard repeatedly, one newcomer in so many takes another's place.
const DISPLACING: u64 = 8;
/// A stranger who did not answer is left alone for a quarter of an interval, then twice as long, up to so many doublings.
const DOUBLINGS: u8 = 4;

/// The strangers of one interface.
#[derive(Debug)]
pub(super) struct Strangers {
    interval: Duration,
    /// How long whoever has spent all its airtime needs until it can answer.
    answer: Duration,
    heard: Vec<Stranger>,
}

/// On whom of two that hear each other it is to begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Turn {
    /// This node.
    Own,
    /// The other.
    Theirs,
}

/// What a beacon told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Heard {
    /// Nobody was known by this tag.
    First,
    /// It was known.
    Again,
}

/// With whom to begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Chosen {
    pub(super) tag: BeaconTag,
    /// When it was first heard.
    pub(super) since: Instant,
}

#[derive(Clone, Copy, Debug)]
struct Stranger {
    tag: BeaconTag,
    turn: Turn,
    first_at: Instant,
    last_at: Instant,
    /// When its beacons last counted.
    counted_at: Instant,
    /// In how many intervals it was heard since it was last tried.
    times: u8,
    failures: u8,
    not_before: Instant,
}

impl Stranger {
    const fn is_repeated(&self) -> bool {
        self.times > 1
    }
}

impl Strangers {
    /// What one may hold on the heap, in bytes.
    pub(super) const MEMORY_BOUND: usize = 2 * STRANGERS * size_of::<Stranger>();

    /// Nobody, on a channel where beacons come at this interval and answers to handshakes at that.
    pub(super) const fn new(interval: Duration, answer: Duration) -> Self {
        Self { interval, answer, heard: Vec::new() }
    }

    pub(super) fn len(&self) -> usize {
        self.heard.len()
    }

    /// A beacon.
    pub(super) fn hear(&mut self, now: Instant, tag: BeaconTag, turn: Turn, random: &mut Stream) -> Heard {
        self.expire(now);
        let quarter = self.quarter();
        if let Some(known) = self.heard.iter_mut().find(|stranger| stranger.tag == tag) {
            (known.last_at, known.turn) = (now, turn);
            if known.counted_at.after(quarter) <= now {
                known.counted_at = now;
                known.times = known.times.saturating_add(1);
            }
            return Heard::Again;
        }
        let newcomer = Stranger {
            tag,
            turn,
            first_at: now,
            last_at: now,
            counted_at: now,
            times: 1,
            failures: 0,
            not_before: now,
        };
        if self.heard.len() < STRANGERS {
            self.heard.push(newcomer);
        } else if let Some(place) = self.victim(random).and_then(|place| self.heard.get_mut(place)) {
            *place = newcomer;
        }
        Heard::First
    }

    /// Who makes room: a random one of those heard once, or now and then any.
    fn victim(&self, random: &mut Stream) -> Option<usize> {
        let once: Vec<usize> =
            (0..).zip(&self.heard).filter(|(_, one)| !one.is_repeated()).map(|(at, _)| at).collect();
        if !once.is_empty() {
            return pick(&once, random);
        }
        let all: Vec<usize> = (0..self.heard.len()).collect();
        if random.chance(1, DISPLACING) { pick(&all, random) } else { None }
    }

    /// There is a link with whoever calls itself so, or there cannot be one.
    pub(super) fn forget(&mut self, tag: BeaconTag) {
        self.heard.retain(|stranger| stranger.tag != tag);
    }

    pub(super) fn forget_all(&mut self) {
        self.heard = Vec::new();
    }

    /// A handshake with it was in vain.
    pub(super) fn failed(&mut self, now: Instant, tag: BeaconTag) {
        let quarter = self.quarter();
        if let Some(stranger) = self.heard.iter_mut().find(|stranger| stranger.tag == tag) {
            stranger.times = 1;
            stranger.counted_at = now;
            let doubled = 1_u64.checked_shl(stranger.failures.into()).unwrap_or(1);
            stranger.not_before = now.after(quarter.times(doubled));
            stranger.failures = stranger.failures.saturating_add(1).min(DOUBLINGS);
        }
    }

    /// With whom to begin, and not to begin again before `until`. Half of the time one of those who were heard repeatedly,
    /// so that made-up tags in any number cost others half of their chance at most. `unnamed`: how many linked peers there are
    /// whose tags are not known; those whose turn it is to begin are waited for longer, and are strangers only if there are
    /// more of them than that.
    pub(super) fn choose(
        &mut self,
        now: Instant,
        unnamed: usize,
        until: Instant,
        random: &mut Stream,
    ) -> Option<Chosen> {
        self.expire(now);
        let (overdue, patient) = (self.overdue(now, unnamed), self.patience());
        let is_ready = |one: &Stranger| {
            let is_due = match one.turn {
                Turn::Own => true,
                Turn::Theirs => overdue && one.first_at.after(patient) <= now,
            };
            is_due && one.not_before <= now
        };
        let of = |which: &dyn Fn(&Stranger) -> bool| -> Vec<usize> {
            (0..).zip(&self.heard).filter(|(_, one)| which(one)).map(|(at, _)| at).collect()
        };
        let repeated = of(&|one| is_ready(one) && one.is_repeated());
        let ready = of(&is_ready);
        let chosen = if !repeated.is_empty() && random.chance(1, 2) { repeated } else { ready };
        let stranger = pick(&chosen, random).and_then(|at| self.heard.get_mut(at))?;
        stranger.not_before = until;
        Some(Chosen { tag: stranger.tag, since: stranger.first_at })
    }

    /// Whether more of those who are to begin are heard than can be peers already.
    fn overdue(&self, now: Instant, unnamed: usize) -> bool {
        let patient = self.patience();
        let waiting = |one: &&Stranger| one.turn == Turn::Theirs && one.first_at.after(patient) <= now;
        self.heard.iter().filter(waiting).count() > unnamed
    }

    /// When there may be somebody to begin with.
    pub(super) fn next_at(&self) -> Option<Instant> {
        let patient = self.patience();
        let at = |one: &Stranger| match one.turn {
            Turn::Own => one.not_before,
            Turn::Theirs => one.not_before.max(one.first_at.after(patient)),
        };
        self.heard.iter().map(at).min()
    }

    /// How long those whose turn it is to begin are waited for.
    fn patience(&self) -> Duration {
        let all = u64::try_from(self.heard.len()).unwrap_or(u64::MAX);
        self.interval.times(SILENT).plus(self.answer.times(all).times(2))
    }

    fn expire(&mut self, now: Instant) {
        // A beacon may be late by a quarter of its interval.
        let silent = self.interval.times(SILENT).plus(self.quarter());
        self.heard.retain(|stranger| stranger.last_at.after(silent) > now);
    }

    const fn quarter(&self) -> Duration {
        Duration::from_micros(self.interval.as_micros() / 4)
    }
}

fn pick(places: &[usize], random: &mut Stream) -> Option<usize> {
    let count = u64::try_from(places.len()).unwrap_or(u64::MAX);
    if count == 0 {
        return None;
    }
    places.get(usize::try_from(random.below(count)).unwrap_or(0)).copied()
}

#[cfg(test)]
mod tests {
    use super::*;
    use nexus_machine::Seed;

    const INTERVAL: Duration = Duration::from_secs(300);

    fn at(seconds: u64) -> Instant {
        Instant::BOOT.after(Duration::from_secs(seconds))
    }

    fn strangers() -> (Strangers, Stream) {
        (Strangers::new(INTERVAL, Duration::from_secs(50)), Seed::new([3; 32]).fork("strangers"))
    }

    fn tag(strangers: &mut Strangers, now: u64, unnamed: usize, random: &mut Stream) -> Option<u32> {
        strangers.choose(at(now), unnamed, at(now + 1_000), random).map(|chosen| chosen.tag.0)
    }

    #[test]
    fn one_heard_again_and_again_has_half_of_the_tries_whatever_is_made_up() {
        let mut tried = 0;
        for round in 0..100 {
            let (mut strangers, _) = strangers();
            let mut random = Seed::new([4; 32]).fork_index("round", round).fork("strangers");
            for beacon in 0..3_u64 {
                strangers.hear(at(beacon * 300), BeaconTag(7), Turn::Own, &mut random);
                for n in 0..150_u32 {
                    let made_up = BeaconTag(1_000 + u32::try_from(beacon).unwrap() * 150 + n);
                    strangers.hear(at(beacon * 300 + u64::from(n)), made_up, Turn::Own, &mut random);
                }
                assert!(strangers.len() <= STRANGERS);
            }
            tried += u32::from(tag(&mut strangers, 800, 0, &mut random) == Some(7));
        }
        assert!((35..=70).contains(&tried), "{tried} of 100");
    }

    #[test]
    fn who_failed_waits_longer_and_longer_and_who_falls_silent_is_forgotten() {
        let (mut strangers, mut random) = strangers();
        strangers.hear(at(0), BeaconTag(7), Turn::Own, &mut random);
        assert_eq!(tag(&mut strangers, 1, 0, &mut random), Some(7));
        assert_eq!(tag(&mut strangers, 2, 0, &mut random), None, "it is being tried");
        let mut waits = Vec::new();
        for failure in 0..7 {
            let failed_at = 1_000 * failure;
            strangers.hear(at(failed_at), BeaconTag(7), Turn::Own, &mut random);
            strangers.failed(at(failed_at), BeaconTag(7));
            let next = strangers.next_at().unwrap().since(at(failed_at)).as_secs();
            waits.push(next);
        }
        assert_eq!(waits, [75, 150, 300, 600, 1_200, 1_200, 1_200]);
        strangers.hear(at(9_000), BeaconTag(7), Turn::Own, &mut random);
        assert_eq!(tag(&mut strangers, 9_000 + 1_275, 0, &mut random), None);
        assert_eq!(strangers.len(), 0);
    }

    #[test]
    fn those_who_are_to_begin_are_tried_after_a_long_wait_if_they_cannot_all_be_peers() {
        let (mut strangers, mut random) = strangers();
        for beacon in 0..6 {
            for stranger in [7, 8] {
                strangers.hear(at(beacon * 300), BeaconTag(stranger), Turn::Theirs, &mut random);
            }
        }
        assert_eq!(tag(&mut strangers, 1_350, 0, &mut random), None, "two may still be answering others");
        assert_eq!(tag(&mut strangers, 1_600, 2, &mut random), None, "two peers whose tags are not known");
        assert!(tag(&mut strangers, 1_600, 1, &mut random).is_some(), "one of the two is a stranger");
    }

    #[test]
    fn where_all_were_heard_again_and_again_a_newcomer_seldom_takes_a_place() {
        let (mut strangers, mut random) = strangers();
        for beacon in 0..2 {
            for n in 0..256 {
                strangers.hear(at(beacon * 300), BeaconTag(1_000 + n), Turn::Own, &mut random);
            }
        }
        for n in 0..80 {
            strangers.hear(at(301), BeaconTag(n + 1), Turn::Own, &mut random);
        }
        let newcomers = strangers.heard.iter().filter(|one| one.tag.0 < 1_000).count();
        assert!((1..=80).contains(&newcomers) && strangers.len() == STRANGERS, "{newcomers}");
        let old = strangers.heard.iter().filter(|one| one.is_repeated()).count();
        assert!(old > 200, "{old} keep their places");
    }
}
