//! What neighbours say to each other through a node that shows few items of a store, and lets go of them: it passes on in what state they are
//! and what they hold, and at once what they lack, so that they come together as if they were linked. Source: spec/network.md#passing.

use alloc::vec::Vec;

use nexus_crypto::hash::blake3;
use nexus_machine::{BoundedMap, Duration, Inserted, Instant, MapOverflow, Sink};
use nexus_wire::nexus::gossip::{Done, ItemId, StateHash, StoreId, Summary};
use nexus_wire::nexus::message::Body;

use super::allowance::Pace;
use super::neighbour::Talk;
use super::saying::alone;
use super::{Effect, Extent, Gossip, Timer};
use crate::links::LinkId;

/// So many messages are remembered as passed on.
const REMEMBERED: usize = 256;
/// An item that came is passed on after so long: by then it is known who has it.
const SOON: Duration = Duration::from_millis(20);

/// What was passed on of late: where nodes that pass things on are linked in a ring, nothing goes round in it.
#[derive(Debug)]
pub(super) struct Passed {
    at: BoundedMap<u64, Instant>,
}

impl Passed {
    pub(super) const MEMORY_BOUND: usize = REMEMBERED * 6 * (size_of::<(u64, Instant)>() + 24);

    pub(super) fn new() -> Self {
        Self { at: BoundedMap::new(REMEMBERED, MapOverflow::EvictLeastRecent) }
    }

    /// Notes that a message is passed on. Says whether it was not within this time.
    fn note(&mut self, now: Instant, name: u64, within: Duration) -> bool {
        if self.at.get(&name).is_some_and(|at| now.since(*at) < within) {
            return false;
        }
        match self.at.insert(name, now) {
            // What is forgotten may be passed on once more than it has to be.
            Inserted::Fresh | Inserted::Replaced(_) | Inserted::Evicted(..) | Inserted::Refused(_) => true,
        }
    }
}

impl Gossip {
    /// Passes on what a neighbour holds. A summary is salted: who says the same again salts it anew.
    pub(super) fn pass_summary(
        &mut self,
        now: Instant,
        from: LinkId,
        summary: &Summary<'_>,
        out: &mut impl Sink<Effect>,
    ) {
        self.pass_on(now, from, (summary.store, summary.state_hash), summary, &[], out);
    }

    /// Passes on the state that a neighbour said: from each neighbour, since each says its own; no more than of its summaries are looked at,
    /// or who makes states up would have the share of the other links.
    pub(super) fn pass_state(&mut self, now: Instant, from: LinkId, done: Done, out: &mut impl Sink<Effect>) {
        let passes = self.index.stock(done.store).is_some_and(|stock| stock.extent() == Extent::Passing);
        if !passes || !self.neighbours.get_mut(&from).is_some_and(|from| from.may_be_compared(now)) {
            return;
        }
        let link = [from.0.slot.to_le_bytes(), from.0.generation.to_le_bytes()].concat();
        self.pass_on(now, from, (done.store, done.state_hash), &done, &link, out);
    }

    /// Says to all who spoke of a store, but to who said it, what a neighbour that keeps all of it said.
    fn pass_on<'a>(
        &mut self,
        now: Instant,
        from: LinkId,
        (store, state): (StoreId, StateHash),
        body: &impl Body<'a>,
        apart: &[u8],
        out: &mut impl Sink<Effect>,
    ) {
        let Some(stock) = self.index.stock(store) else { return };
        if stock.extent() != Extent::Passing || state == StateHash::NONE {
            return;
        }
        let (tier, plaintext) = (stock.tier(), alone(body));
        let name = blake3(&[&plaintext, apart]).first_chunk().map_or(0, |head| u64::from_le_bytes(*head));
        let within = Duration::from_micros(self.pace_of(from).round().as_micros() / 2);
        let others: Vec<LinkId> = self.others_of(store, from).collect();
        if others.is_empty() || !self.passed.note(now, name, within) {
            return;
        }
        let len = body.encoded_len().saturating_add(1);
        for link in others {
            if self.may_say(now, link, tier, len) {
                self.tally.passed = self.tally.passed.saturating_add(1);
                self.say(now, link, tier, plaintext.clone(), out);
            }
        }
    }

    /// The neighbours but one that spoke of a store.
    fn others_of(&self, store: StoreId, but: LinkId) -> impl Iterator<Item = LinkId> {
        let spoke = move |(link, neighbour): &(&LinkId, &super::Neighbour)| {
            **link != but && neighbour.talks.get(&store).is_some_and(Talk::may_be_passed_to)
        };
        self.neighbours.iter().filter(spoke).map(|(link, _)| *link)
    }

    /// An item that is let go of soon came: where bytes are not dear it does not wait for a round.
    pub(super) fn pass_item(&mut self, now: Instant, store: StoreId, id: &ItemId) {
        let Some(stock) = self.index.stock(store).filter(|stock| stock.extent() == Extent::Passing) else {
            return;
        };
        let Some((age, _)) = stock.get(id) else { return };
        for (link, neighbour) in &mut self.neighbours {
            let medium = self.mediums.get(&neighbour.iface);
            let pace = medium.map_or(Pace::Slow, super::Medium::pace);
            let speaks = neighbour.talks.get(&store).is_some_and(Talk::may_be_passed_to);
            if pace == Pace::Fast && speaks && neighbour.sent.may_send(now, pace, id) {
                neighbour.owed.add(stock.tier(), age, store, *id);
                let timer = Timer::Speak(*link);
                let at = now.after(SOON);
                if self.deadlines.get(timer).is_none_or(|set| at < set) {
                    self.deadlines.set(timer, at);
                }
            }
        }
    }
}

impl Talk {
    /// Whether both said how much they keep: who hears what is passed on knows then that it comes from who has little room.
    const fn may_be_passed_to(&self) -> bool {
        self.theirs.is_some() && self.said.is_some()
    }
}
