//! This node's own searches: attempts that widen, and what comes of them.

use alloc::vec::Vec;

use nexus_crypto::DestinationHash;
use nexus_machine::{Cx, Duration, Inserted, Instant, Sink};
use nexus_wire::nexus::traffic::Class;
use nexus_wire::reticulum::Hops;
use nexus_wire::reticulum::path_request::Tag;

use super::super::asking::{DOUBLINGS, INTERVAL, SLOW_INTERVAL};
use super::super::{Announces, Effect, Timer, count};
use super::asking::Walk;
use super::{ASKED_MAX, Motive, PathRequests, REQUEST_LIFE, Request, Rest, SEARCHES, Search, Stage};
use crate::links::LinkId;
use crate::routes::PathPolicy;

/// How many neighbours are asked at once, by attempt.
const WIDTHS: [usize; 3] = [1, 2, ASKED_MAX];
/// An answer is waited for at least this long after the first attempt, and twice as long after each other one,
const PATIENCE: Duration = Duration::from_secs(2);
/// or for as long as so many answers take on the slowest link that was asked,
const PATIENCE_ANSWERS: u64 = 64;
/// of so many bytes, sealed,
const ANSWER_LEN: u64 = 300;
/// but never longer than this.
const PATIENCE_MAX: Duration = Duration::from_secs(300);

impl Announces {
    /// What became of path requests.
    #[must_use]
    pub const fn path_requests(&self) -> &PathRequests {
        &self.finding.counts
    }

    /// How many destinations this node looks for.
    #[must_use]
    pub fn searches(&self) -> usize {
        self.finding.searches.len()
    }

    /// Looks for a way to `destination`, unless there is one.
    pub(in super::super) fn find(
        &mut self,
        cx: Cx,
        destination: DestinationHash,
        motive: Motive,
        out: &mut impl Sink<Effect>,
    ) {
        if destination == self.own.destination() {
            return;
        }
        if let Some(hops) = self.hops_of_way(&destination) {
            // Whatever keeps a packet back, it is not that; its sender would only try again at once.
            if motive == Motive::Wish {
                out.push(Effect::PathFound { destination, hops, after: Duration::ZERO });
            }
            return;
        }
        if let Some(search) = self.finding.searches.get_mut(&destination) {
            search.motive = search.motive.max(motive);
            return;
        }
        if motive == Motive::Packet
            && (self.is_resting(cx.now, &destination) || self.wants_generation(&destination))
        {
            // It was looked for of late, or the destination itself is asked for a way already.
            return;
        }
        if self.finding.searches.len() >= SEARCHES {
            count(&mut self.finding.counts.refused);
            if motive == Motive::Wish {
                out.push(Effect::PathNotFound { destination });
            }
            return;
        }
        let search = Search { motive, began: cx.now, attempts: 0 };
        self.finding.searches.insert(destination, search);
        self.search_on(cx, destination, out);
    }

    /// Begins the next attempt, or gives up.
    pub(in super::super) fn search_on(
        &mut self,
        cx: Cx,
        destination: DestinationHash,
        out: &mut impl Sink<Effect>,
    ) {
        let Some(search) = self.finding.searches.get_mut(&destination) else { return };
        let Some(width) = WIDTHS.get(usize::from(search.attempts)).copied() else {
            self.finding.searches.remove(&destination);
            count(&mut self.finding.counts.timed_out);
            return out.push(Effect::PathNotFound { destination });
        };
        search.attempts = search.attempts.saturating_add(1);
        let attempts = search.attempts;
        self.repeat_no_longer(destination);
        let (asked, tag) = self.ask_widely(cx, destination, width, out);
        self.ask_in_clear(cx.now, destination, tag, out);
        if attempts > 1 && asked.len() > 1 {
            count(&mut self.finding.counts.widened);
        }
        if attempts == 1 {
            self.rest(cx.now, destination, asked.first().copied());
        }
        let patience = self.patience(&asked).times(1_u64.wrapping_shl(u32::from(attempts).saturating_sub(1)));
        self.deadlines.set(Timer::Search(destination), cx.now.after(patience.min(PATIENCE_MAX)));
    }

    /// Asks so many neighbours at once, with one request.
    fn ask_widely(
        &mut self,
        cx: Cx,
        destination: DestinationHash,
        width: usize,
        out: &mut impl Sink<Effect>,
    ) -> (Vec<LinkId>, Tag) {
        let tag = Tag::new(&self.random.bytes::<{ Tag::MAX }>()).expect("that is as long as a tag may be");
        self.finding.tidy(cx.now);
        let until = cx.now.after(REQUEST_LIFE);
        let (hops, class) = (Hops::ZERO, Class::Interactive);
        self.finding.remember((destination, tag), Request::new(None, hops, class, until));
        let walk = Walk { key: (destination, tag), hops, class };
        let mut asked = Vec::new();
        while asked.len() < width
            && let Some(link) = self.ask_next(cx.now, walk, out)
        {
            count(&mut self.finding.counts.asked);
            asked.push(link);
        }
        (asked, tag)
    }

    /// How long the answer to a first attempt is waited for.
    fn patience(&self, asked: &[LinkId]) -> Duration {
        let speeds = asked.iter().filter_map(|link| self.links.get(*link)?.hop.bandwidth.bps());
        let Some(slowest) = speeds.min().filter(|bps| *bps > 0) else { return PATIENCE };
        let micros =
            PATIENCE_ANSWERS.saturating_mul(ANSWER_LEN).saturating_mul(8_000_000).checked_div(slowest);
        PATIENCE.max(Duration::from_micros(micros.unwrap_or(u64::MAX)))
    }

    fn is_resting(&self, now: Instant, destination: &DestinationHash) -> bool {
        self.finding.resting.get(destination).is_some_and(|rest| now < rest.until)
    }

    /// The destination is not looked for again for a while, unless somebody wishes it: for longer if that is slow, and if it was in vain.
    fn rest(&mut self, now: Instant, destination: DestinationHash, link: Option<LinkId>) {
        let times = self.finding.resting.get(&destination).map_or(0, |rest| rest.times.saturating_add(1));
        let interval = link.map_or(INTERVAL, |link| self.asking_interval(link));
        let wait = interval.times(1_u64.wrapping_shl(times.min(DOUBLINGS).into())).min(SLOW_INTERVAL);
        // Whichever was looked for longest ago may be looked for sooner.
        let _displaced: Inserted<_, _> =
            self.finding.resting.insert(destination, Rest { until: now.after(wait), times });
    }

    /// The search for `destination` ends, if there is a way.
    pub(super) fn end_search_if_found(
        &mut self,
        cx: Cx,
        destination: &DestinationHash,
        out: &mut impl Sink<Effect>,
    ) {
        let Some(hops) = self.hops_of_way(destination) else { return };
        let Some(search) = self.finding.searches.remove(destination) else { return };
        self.deadlines.cancel(Timer::Search(*destination));
        if let Some(rest) = self.finding.resting.get_mut(destination) {
            rest.times = 0;
        }
        let own: Vec<_> = self
            .finding
            .of(*destination)
            .filter(|(_, request)| request.from.is_none())
            .map(|(key, _)| *key)
            .collect();
        for key in own {
            self.set_stage(&key, Stage::Answered);
        }
        let after = cx.now.since(search.began);
        let counts = &mut self.finding.counts;
        count(&mut counts.found);
        counts.found_hops = counts.found_hops.saturating_add(hops.into());
        counts.found_ms = counts.found_ms.saturating_add(after.as_millis());
        out.push(Effect::PathFound { destination: *destination, hops, after });
    }

    /// How long the way to `destination` is on which packets go, if there is one.
    fn hops_of_way(&self, destination: &DestinationHash) -> Option<u8> {
        let best = self.best(destination, PathPolicy::default(), None)?;
        Some(best.said().hops.next().0)
    }
}
