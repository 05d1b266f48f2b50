//! Repeating: what is said once over a link that loses frames may be heard by nobody until the next refresh.
//!
//! Fast links acknowledge nothing and have bytes to spare: what was said is said again, twice, to all of whom nothing shows that they have it. A neighbour that
//! heard it the first time does no more than compare emission times. Source: spec/network.md#announces.

use nexus_crypto::DestinationHash;
use nexus_machine::{Cx, Duration, Inserted, Instant, Relaying, Sink};
use nexus_wire::nexus::path_cost::CompactPathCost;

use super::known::PathState;
use super::passing::tell;
use super::{Announces, Effect, Timer};
use crate::links::LinkId;

/// The waits before each repetition. With two, a refresh of a full table stays within 3 % of the slowest fast link.
const WAITS: [Duration; 2] = [Duration::from_secs(15), Duration::from_secs(60)];

impl Announces {
    /// Sees to it that what was said of `destination`, and said again `repeated` times, is said again.
    pub(super) fn repeat_later(&mut self, now: Instant, destination: DestinationHash, repeated: u8) {
        let any_fast = self.links.iter().any(|(_, neighbouring)| neighbouring.is_fast());
        let Some(wait) = WAITS.get(usize::from(repeated)).filter(|_| any_fast) else { return };
        match self.repeats.insert(destination, repeated) {
            Inserted::Fresh | Inserted::Replaced(_) | Inserted::Evicted(..) => {
                self.deadlines.set(Timer::Repeat(destination), now.after(*wait));
            }
            // With so many at once it is said once.
            Inserted::Refused(_) => {}
        }
    }

    pub(super) fn repeat(&mut self, cx: Cx, destination: DestinationHash, out: &mut impl Sink<Effect>) {
        let Some(repeated) = self.repeats.remove(&destination) else { return };
        if destination == self.own.destination() {
            let Some(own) = self.own.current() else { return };
            let fast = self.links.iter().filter(|(_, neighbouring)| neighbouring.is_fast());
            for (link, _) in fast.filter(|(link, _)| !self.speech.has(&destination, own.emitted_at, *link)) {
                out.push(tell(link, destination, CompactPathCost::ORIGIN, &own.bytes));
            }
        } else {
            let alive = self.known.get(&destination).filter(|known| known.path == PathState::Alive);
            let relaying = cx.config.relaying == Relaying::On;
            let Some(known) = alive.filter(|_| relaying) else { return };
            let (via, cost, emitted_at) = (known.neighbour.via, known.cost, known.emitted_at);
            let Some(packet) = self.cache.take_up(&destination) else { return };
            for (link, neighbouring) in self.links.iter() {
                let has = self.speech.has(&destination, emitted_at, link);
                if neighbouring.is_fast() && !has && !self.links.leads_to_same(via, link) {
                    out.push(tell(link, destination, cost, packet));
                }
            }
        }
        self.repeat_later(cx.now, destination, repeated.saturating_add(1));
    }

    /// A link was told all that was known when it came up: it is told all of it again.
    pub(super) fn tell_again(&mut self, now: Instant, link: LinkId) {
        let Some(neighbouring) = self.links.get_mut(link).filter(|neighbouring| neighbouring.is_fast())
        else {
            return;
        };
        let Some(wait) = WAITS.get(usize::from(neighbouring.told_again)) else { return };
        neighbouring.told_again = neighbouring.told_again.saturating_add(1);
        neighbouring.told = None;
        self.deadlines.set(Timer::Tell(link), now.after(*wait));
    }
}
