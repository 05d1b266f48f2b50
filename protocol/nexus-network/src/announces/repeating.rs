//! Repeating: what is said once over a link that loses frames may be heard by nobody until the next refresh.
//!
//! Links of more than 60 kbit/s have bytes to spare: what was said is said again, a few times, to all who did not
//! [acknowledge](super::acknowledging) it. A neighbour that heard it the first time does no more than compare emission times. Source:
//! spec/network.md#announces.

use alloc::collections::BTreeSet;
use alloc::vec::Vec;

use nexus_crypto::DestinationHash;
use nexus_machine::{Cx, Duration, Inserted, Instant, Relaying, Sink};
use nexus_wire::nexus::path_cost::{CompactPathCost, Generation};

use super::neighbours::Neighbouring;
use super::passing::tell;
use super::speech::{Leave, Speech};
use super::{Announces, Effect, Timer};
use crate::links::LinkId;

/// The waits before each repetition: the first is longer than an acknowledgement takes, and where three frames in ten are lost five in a row
/// are one in four hundred.
const WAITS: [Duration; 4] =
    [Duration::from_secs(15), Duration::from_secs(30), Duration::from_secs(60), Duration::from_secs(240)];
/// That a path is gone or is back is said again twice before those: sooner than it could be acknowledged.
const SOON: [Duration; 2] = [Duration::from_millis(250), Duration::from_millis(750)];
/// The numbers of these repetitions: the one after them is the first.
const AT_ONCE: u8 = u8::MAX - 1;
const BEFORE_THE_FIRST: u8 = u8::MAX;

impl Announces {
    /// Sees to it that what was said of `destination`, and said again `repeated` times, is said again.
    pub(super) fn repeat_later(&mut self, now: Instant, destination: DestinationHash, repeated: u8) {
        if let Some(wait) = WAITS.get(usize::from(repeated)) {
            self.repeat_in(now, *wait, destination, repeated);
        }
    }

    /// Sees to it that it is said again soon that the path to `destination` is gone, or is back: whoever missed it would send packets
    /// where they end, or have a path less.
    pub(super) fn repeat_soon(&mut self, now: Instant, destination: DestinationHash) {
        let [first, _] = SOON;
        self.repeat_in(now, first, destination, AT_ONCE);
    }

    /// Sees to it that what is about to be said of `destination` is said again to who does not acknowledge it, unless that is seen to.
    pub(super) fn repeat_unless_set(&mut self, now: Instant, destination: DestinationHash) {
        if !self.repeats.contains(&destination) {
            self.repeat_later(now, destination, 0);
        }
    }

    fn repeat_in(&mut self, now: Instant, wait: Duration, destination: DestinationHash, repeated: u8) {
        if !self.links.iter().any(|(_, neighbouring)| neighbouring.is_told_again()) {
            // Without a deadline it must not seem to be seen to.
            self.repeats.remove(&destination);
            return;
        }
        match self.repeats.insert(destination, repeated) {
            Inserted::Fresh | Inserted::Replaced(_) | Inserted::Evicted(..) => {
                self.deadlines.set(Timer::Repeat(destination), now.after(wait));
            }
            // With so many at once it is said once.
            Inserted::Refused(_) => {}
        }
    }

    pub(super) fn repeat(&mut self, cx: Cx, destination: DestinationHash, out: &mut impl Sink<Effect>) {
        // It stays there meanwhile: what is owed on this occasion begins no repetitions of its own.
        let Some(repeated) = self.repeats.get(&destination).copied() else { return };
        if destination == self.own.destination() {
            let Some(own) = self.own.current() else {
                self.repeats.remove(&destination);
                return;
            };
            let links = self.links.iter().filter(|(_, neighbouring)| neighbouring.is_told_again());
            let mut said = BTreeSet::new();
            for (link, other) in links {
                let has = self.speech.has(&destination, own.emitted_at, link);
                if !has && self.speech.tells(other.iface, cx.now, own.bytes.len()) == Leave::Given {
                    out.push(tell(link, destination, CompactPathCost::ORIGIN, &own.bytes));
                    said.insert(link);
                }
            }
            // Who has it may have it from others, and not know the shortest way.
            let is_first = self.own.generation() == Generation::FIRST;
            self.owe_again(cx.now, &destination, |link| !is_first || !said.contains(&link));
        } else {
            self.repeat_of_another(cx, destination, out);
        }
        let next = repeated.wrapping_add(1);
        if next == BEFORE_THE_FIRST {
            let [_, second] = SOON;
            return self.repeat_in(cx.now, second, destination, next);
        }
        if WAITS.get(usize::from(next)).is_none() {
            self.repeats.remove(&destination);
        }
        self.repeat_later(cx.now, destination, next);
    }

    /// Whoever is not known to have the announce is told it again, and everybody else what it costs here: a cost that was lost on
    /// its way is a path less.
    fn repeat_of_another(&mut self, cx: Cx, destination: DestinationHash, out: &mut impl Sink<Effect>) {
        let lacks = |(link, other): (LinkId, &Neighbouring)| {
            other.is_told_again() && !self.has_heard(link, &destination)
        };
        let is_said = !self.is_unsaid(&destination);
        if cx.config.relaying == Relaying::Off || is_said && !self.links.iter().any(lacks) {
            return;
        }
        let quoted = self.quote(cx.now, &destination);
        let emitted_at = self.known.get(&destination).map(|known| known.emitted_at);
        let (Some(told), Some(via), Some(emitted_at)) = (quoted, self.offered_over(&destination), emitted_at)
        else {
            // That there is no way may have been lost on its way too.
            return self.owe_again(cx.now, &destination, |_| true);
        };
        let has = |speech: &Speech, link| speech.has(&destination, emitted_at, link);
        let mut said = BTreeSet::new();
        if told.random_hash.emitted_at() == emitted_at
            && let Some(packet) = self.cache.take_up(&destination).map(<[u8]>::to_vec)
        {
            for (link, neighbouring) in self.links.iter() {
                let lacks = neighbouring.is_told_again() && !has(&self.speech, link);
                if lacks
                    && !self.links.leads_to_same(via, link)
                    && self.speech.tells(neighbouring.iface, cx.now, packet.len()) == Leave::Given
                {
                    out.push(tell(link, destination, told.cost, &packet));
                    said.insert(link);
                }
            }
        }
        let is_first = told.generation == Generation::FIRST;
        self.owe_again(cx.now, &destination, |link| !is_first || !said.contains(&link));
    }

    fn owe_again(&mut self, now: Instant, destination: &DestinationHash, is_meant: impl Fn(LinkId) -> bool) {
        let meant = self.links.iter().filter(|(link, other)| {
            other.is_told_again() && is_meant(*link) && !self.has_heard(*link, destination)
        });
        let meant: Vec<LinkId> = meant.map(|(link, _)| link).collect();
        for link in meant {
            self.owe_one(now, Some(link), destination);
        }
    }

    /// A link was told all that was known when it came up: it is told all of it again.
    pub(super) fn tell_again(&mut self, now: Instant, link: LinkId) {
        let Some(neighbouring) = self.links.get_mut(link).filter(|neighbouring| neighbouring.is_told_again())
        else {
            return;
        };
        let Some(wait) = WAITS.get(usize::from(neighbouring.told_again)) else { return };
        neighbouring.told_again = neighbouring.told_again.saturating_add(1);
        neighbouring.told = None;
        self.deadlines.set(Timer::Tell(link), now.after(*wait));
    }
}
