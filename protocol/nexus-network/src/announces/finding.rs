//! Path requests: whom this node looks for itself, and whose questions it passed on.
//!
//! A request walks: whoever does not know the destination asks one neighbour, the best by cost, latency and the distance on the ring;
//! who can ask nobody else gives the request back, and the next best is asked. The answer, an announce, goes back the way that the
//! request came, and to nobody else. Invariants:
//!
//! * a request, known by destination and tag, is passed on over each link once at most, and taken from each neighbour at a rate;
//! * an answer is believed only from a neighbour that was asked for that destination, and like any announce only if it verifies;
//! * nothing here grows with what others ask.
//!
//! Source: spec/network.md#path-requests.

mod asking;
mod repeating;
mod responding;
mod searching;

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use nexus_crypto::DestinationHash;
use nexus_machine::{BoundedMap, Bucket, Duration, Instant, MapOverflow};
use nexus_wire::nexus::traffic::Class;
use nexus_wire::reticulum::Hops;
use nexus_wire::reticulum::path_request::Tag;

use crate::links::LinkId;

/// Why a destination is looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Motive {
    /// A packet for it cannot leave.
    Packet,
    /// Somebody wants to know, who is told in any case.
    Wish,
}

/// What became of path requests. Counted, never reset.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct PathRequests {
    /// Requests that this node began to send, one for each attempt and neighbour.
    pub asked: u64,
    /// Attempts that went to more neighbours than the one before.
    pub widened: u64,
    /// Requests of others that were answered: the destination is this node, or a way to it was known.
    pub answered: u64,
    /// Requests of others that were passed on.
    pub passed_on: u64,
    /// Answers to others' requests that were passed back.
    pub passed_back: u64,
    /// Requests, of others or of this node, with whom nobody was left to be asked.
    pub dead_ends: u64,
    /// Searches of this node that ended without an answer.
    pub timed_out: u64,
    /// Searches of this node that ended with one.
    pub found: u64,
    /// The hops of all ways that were found, added up.
    pub found_hops: u64,
    /// How long all of those searches took, in milliseconds, added up.
    pub found_ms: u64,
    /// Requests that were not taken, or not begun: too many in that time.
    pub refused: u64,
    /// Requests that came again from whoever had sent them.
    pub repeated: u64,
    /// Answers that nobody had asked for.
    pub unasked: u64,
}

/// A request is remembered for so long, and its answer passed back,
const REQUEST_LIFE: Duration = Duration::from_secs(60);
/// or for so long where it came or went over a slow link.
const SLOW_REQUEST_LIFE: Duration = Duration::from_secs(300);
/// Of the neighbours, so many are asked with one request at most.
const ASKED_MAX: usize = 16;
/// From one request of a neighbour that is taken to the next,
pub(super) const TAKEN_EVERY: Duration = Duration::from_millis(250);
/// how many are taken at once,
pub(super) const TAKEN_AT_ONCE: u32 = 32;
/// and the same of all neighbours together.
const ALL_TAKEN_EVERY: Duration = Duration::from_millis(25);
const ALL_TAKEN_AT_ONCE: u32 = 128;
/// Destinations that this node looks for at once.
const SEARCHES: usize = 64;
/// Destinations of which it is remembered that they were looked for in vain.
const RESTING: usize = 256;

/// What a request is known by.
type RequestKey = (DestinationHash, Tag);

/// A request that came or was made here.
#[derive(Debug)]
struct Request {
    /// Who asked; none if it is this node's own.
    from: Option<LinkId>,
    /// Who is not to be asked any more: they were, or they asked themselves.
    asked: Vec<LinkId>,
    /// Those of them who were asked, and of whom nothing came yet.
    silent: Vec<Silent>,
    /// How often they were asked again, and when that is to be looked at.
    again: u8,
    again_at: Option<Instant>,
    /// How often whoever asked was told again what came of it.
    told_again: u8,
    /// How many steps it had come when it was here last, and how urgent it is.
    hops: Hops,
    class: Class,
    stage: Stage,
    /// Forgotten then.
    until: Instant,
}

/// A neighbour that was asked, and of which nothing came yet.
#[derive(Clone, Copy, Debug)]
struct Silent {
    link: LinkId,
    /// Whether nobody else is asked before something comes of it.
    is_awaited: bool,
}

impl Request {
    fn new(from: Option<LinkId>, hops: Hops, class: Class, until: Instant) -> Self {
        let (asked, silent, stage) = (Vec::new(), Vec::new(), Stage::Walking);
        Self { from, asked, silent, again: 0, again_at: None, told_again: 0, hops, class, stage, until }
    }

    /// Something came from the peer of `link`, or nothing will. Whether the request waited for it.
    fn leaves(&mut self, link: LinkId) -> bool {
        let at = self.silent.iter().position(|silent| silent.link == link);
        at.is_some_and(|at| self.silent.swap_remove(at).is_awaited) && self.stage == Stage::Walking
    }

    /// Nothing may come from the peer of `link`. Whether the request waited for it.
    fn passes(&mut self, link: LinkId) -> bool {
        let silent = self.silent.iter_mut().find(|silent| silent.link == link);
        let was_awaited = silent.is_some_and(|silent| core::mem::replace(&mut silent.is_awaited, false));
        was_awaited && self.stage == Stage::Walking
    }
}

/// How far a request got.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// Somebody was asked.
    Walking,
    /// It was given back to whoever asked: nobody was left. Should there be a way yet, that one is told.
    GivenBack,
    /// It was answered.
    Answered,
}

/// A destination that this node looks for.
#[derive(Clone, Copy, Debug)]
struct Search {
    motive: Motive,
    began: Instant,
    /// How many attempts were begun.
    attempts: u8,
}

/// A destination that was looked for, and is not looked for again at once.
#[derive(Clone, Copy, Debug)]
struct Rest {
    until: Instant,
    /// How often in vain.
    times: u8,
}

/// What this node knows of requests.
#[derive(Debug)]
pub(super) struct Finding {
    requests: BTreeMap<RequestKey, Request>,
    searches: BTreeMap<DestinationHash, Search>,
    resting: BoundedMap<DestinationHash, Rest>,
    taken: Bucket,
    pub(super) counts: PathRequests,
    /// How many requests are remembered.
    capacity: usize,
}

impl Finding {
    pub(super) fn new(capacity: usize) -> Self {
        Self {
            requests: BTreeMap::new(),
            searches: BTreeMap::new(),
            resting: BoundedMap::new(RESTING, MapOverflow::EvictLeastRecent),
            taken: Bucket::new(ALL_TAKEN_EVERY, ALL_TAKEN_AT_ONCE),
            counts: PathRequests::default(),
            capacity,
        }
    }

    /// The requests for `destination`, by tag.
    fn of(&self, destination: DestinationHash) -> impl Iterator<Item = (&RequestKey, &Request)> {
        self.requests
            .range((destination, Tag::LEAST)..)
            .take_while(move |((wanted, _), _)| *wanted == destination)
    }

    fn of_mut(&mut self, destination: DestinationHash) -> impl Iterator<Item = (&RequestKey, &mut Request)> {
        self.requests
            .range_mut((destination, Tag::LEAST)..)
            .take_while(move |((wanted, _), _)| *wanted == destination)
    }

    /// Whether the neighbour behind `link` was asked for `destination`.
    pub(super) fn is_asked(&self, destination: DestinationHash, link: LinkId) -> bool {
        self.of(destination).any(|(_, request)| request.asked.contains(&link))
    }

    #[cfg(test)]
    pub(super) fn requests_held(&self) -> usize {
        self.requests.len()
    }

    pub(super) const fn count_unasked(&mut self) {
        self.counts.unasked = self.counts.unasked.saturating_add(1);
    }

    /// Whether anybody, here or elsewhere, waits for a way to `destination`.
    pub(super) fn is_wanted(&self, destination: DestinationHash) -> bool {
        self.searches.contains_key(&destination)
            || self.of(destination).any(|(_, request)| request.stage != Stage::Answered)
    }

    /// Remembers a request. At the bound the one that would be forgotten first makes room.
    fn remember(&mut self, key: RequestKey, request: Request) {
        if self.capacity == 0 {
            return;
        }
        if self.requests.len() >= self.capacity
            && let Some(first) = self.requests.iter().min_by_key(|(key, request)| (request.until, **key))
        {
            let first = *first.0;
            self.requests.remove(&first);
        }
        self.requests.insert(key, request);
    }

    /// Forgets what is over: called where something is added, so that nothing else has to.
    fn tidy(&mut self, now: Instant) {
        self.requests.retain(|_, request| request.until > now);
    }

    pub(super) const fn memory_bound(&self) -> usize {
        // An ordered map's nodes may be half empty; a bounded map is two of them; a search and an answer have a deadline each, of two
        // maps.
        const PER_REQUEST: usize = 2 * (size_of::<(RequestKey, Request)>() + 16)
            + ASKED_MAX.next_power_of_two() * 2 * (size_of::<LinkId>() + size_of::<Silent>())
            + 8 * size_of::<(super::Timer, Instant)>()
            + 64;
        const PER_SEARCH: usize =
            2 * size_of::<(DestinationHash, Search)>() + 4 * size_of::<(super::Timer, Instant)>() + 64;
        const PER_REST: usize = 4 * (size_of::<(DestinationHash, Rest, u64)>() + 32);
        self.capacity
            .saturating_mul(PER_REQUEST)
            .saturating_add(SEARCHES * PER_SEARCH)
            .saturating_add(RESTING * PER_REST)
            .saturating_add(8_192)
    }
}
