//! Crossings that come up, last and end.

use nexus_crypto::NodeId;
use nexus_crypto::identity::IdentityPublic;
use nexus_machine::{Instant, Sink};
use nexus_wire::reticulum::LinkId;

use super::{
    AT_ONCE, Beginner, Crossing, Crossings, Effect, LASTED, LIFE, Slot, TAKEN, Timer, UNNAMED, UNNAMED_MOST,
    Way,
};
use crate::contract::Handle;

impl Crossings {
    pub(super) fn opened(
        &mut self,
        now: Instant,
        handle: Handle,
        link: LinkId,
        way: Way,
        out: &mut impl Sink<Effect>,
    ) {
        let Some(opening) = self.opening.take_if(|opening| opening.handle == handle) else {
            return out.push(Effect::Close { link });
        };
        out.push(Effect::Identify { link });
        self.stand(now, Beginner::This, link, way, opening.identity, out);
    }

    pub(super) fn failed(&mut self, now: Instant, handle: Handle) {
        if let Some(opening) = self.opening.take_if(|opening| opening.handle == handle) {
            self.candidates.did_not_work(now, &opening.node);
        }
    }

    /// Who asked is not known before it says so.
    pub(super) fn asked_by_other(
        &mut self,
        now: Instant,
        link: LinkId,
        way: Way,
        out: &mut impl Sink<Effect>,
    ) {
        if self.unnamed.len() >= UNNAMED_MOST {
            return out.push(Effect::Close { link });
        }
        self.unnamed.insert(link, way);
        self.deadlines.set(Timer::Unnamed(link), now.after(UNNAMED));
    }

    pub(super) fn named(
        &mut self,
        now: Instant,
        link: LinkId,
        identity: IdentityPublic,
        out: &mut impl Sink<Effect>,
    ) {
        let Some(way) = self.unnamed.remove(&link) else { return };
        self.deadlines.cancel(Timer::Unnamed(link));
        if NodeId::of(identity.hash()) == self.own {
            return out.push(Effect::Close { link });
        }
        self.stand(now, Beginner::Other, link, way, identity, out);
    }

    /// A link with a node whose identity is shown is a crossing, in place of another with the same node: whoever begins another has lost the
    /// one before, started anew perhaps. But where both began one at the same time, both ends keep that of the lower address.
    fn stand(
        &mut self,
        now: Instant,
        beginner: Beginner,
        link: LinkId,
        way: Way,
        identity: IdentityPublic,
        out: &mut impl Sink<Effect>,
    ) {
        let node = NodeId::of(identity.hash());
        let before = self.to(&node);
        if let Some(standing) = before.and_then(|slot| self.standing.get(&slot))
            && standing.beginner != beginner
            && now.since(standing.since) < AT_ONCE
        {
            let lower = if self.own < node { Beginner::This } else { Beginner::Other };
            if beginner != lower {
                return out.push(Effect::Close { link });
            }
        }
        let is_refused = match beginner {
            Beginner::This => false,
            Beginner::Other => before.is_none() && self.begun_by(Beginner::Other) >= TAKEN,
        };
        let Some(slot) = self.free_slot().filter(|_| !is_refused) else {
            return out.push(Effect::Close { link });
        };
        self.standing.insert(slot, Crossing { link, node, beginner, way, since: now });
        if beginner == Beginner::This {
            self.deadlines.set(Timer::Replace(slot), now.after(LIFE));
        }
        self.candidates.pause(now);
        out.push(Effect::Up { slot, identity, way });
        if let Some(before) = before {
            // Paths have the other to go over by then.
            self.end(before, out);
        }
    }

    /// Ends a crossing.
    fn end(&mut self, slot: Slot, out: &mut impl Sink<Effect>) -> Option<(NodeId, Instant)> {
        let Crossing { link, node, since, .. } = self.standing.remove(&slot)?;
        self.deadlines.cancel(Timer::Replace(slot));
        self.deadlines.cancel(Timer::Ready(slot));
        out.push(Effect::Down { slot });
        out.push(Effect::Close { link });
        Some((node, since))
    }

    pub(super) fn ended(&mut self, now: Instant, link: &LinkId, out: &mut impl Sink<Effect>) {
        if self.unnamed.remove(link).is_some() {
            self.deadlines.cancel(Timer::Unnamed(*link));
        }
        if let Some(slot) = self.slot(link) {
            self.given_up(now, slot, out);
        }
    }

    pub(super) fn given_up(&mut self, now: Instant, slot: Slot, out: &mut impl Sink<Effect>) {
        if let Some((node, since)) = self.end(slot, out) {
            // One that the other end closes as soon as it knows who this is did not work either.
            if now.since(since) >= LASTED {
                self.candidates.worked(&node);
            }
            self.candidates.did_not_work(now, &node);
        }
    }

    /// A crossing is as old as it gets: another is begun, and takes its place when it is up, unless another node leads there.
    pub(super) fn replace(&mut self, now: Instant, slot: Slot, out: &mut impl Sink<Effect>) {
        let Some(node) = self.standing.get(&slot).map(|crossing| crossing.node) else { return };
        // One that does not come about is tried again; this one is kept meanwhile.
        self.deadlines.set(Timer::Replace(slot), now.after(super::candidates::PAUSE.times(20)));
        if self.is_needless(&node) {
            // It was not when it was begun.
            self.end(slot, out);
        } else if let Some(identity) = self.candidates.identity(&node) {
            self.begin(node, identity, out);
        }
    }

    /// A frame leaves: the next may after the time that it takes.
    pub(super) fn said(&mut self, now: Instant, slot: Slot, bytes: usize) {
        if let Some(crossing) = self.standing.get(&slot) {
            self.deadlines.set(Timer::Ready(slot), now.after(crossing.way.time_of(bytes)));
        }
    }
}
