//! Passing on in clear: after a wait by what the path costs, on every interface whose role lets it, and once more if nobody took it up.
//!
//! Source: spec/reticulum.md#rebroadcast.

use alloc::vec::Vec;

use nexus_crypto::{DestinationHash, IdentityHash};
use nexus_machine::{Cx, Duration, Inserted, Instant, Sink};
use nexus_wire::nexus::code::PriceCode;
use nexus_wire::nexus::path_cost::{CompactPathCost, CostCode};
use nexus_wire::reticulum::{Hops, RandomHash};

use super::super::passing::{in_clear, originated};
use super::super::{Announces, Effect, Timer, count};
use super::outbox::{Turn, Waits};
use super::{Medium, Shown};
use crate::interface::{InterfaceId, Reach, Role};
use crate::media::{Flow, Frame, Load};
use crate::routes::{Habit, NextHop, SaidInClear, Stance};

/// The best path is told after this,
const LEAST: Duration = Duration::from_millis(50);
/// and what costs this many sixteenths of an octave, a million µNXS for 1,024 bytes, or is unknown, after
const PRICES: u64 = 320;
/// so many times this later.
const BY_PRICE: Duration = Duration::from_micros(6_250);
/// For each sixteenth of an octave of latency,
const BY_LATENCY: Duration = Duration::from_millis(1);
/// and for each hop,
const BY_HOP: Duration = Duration::from_millis(10);
/// so many at most.
const HOPS: u64 = 19;
/// The worst path is told after this.
const MOST: Duration = Duration::from_millis(2_500);
/// Nodes that heard the same do not all speak at once: within this,
const JITTER: Duration = Duration::from_millis(20);
/// or, where a frame takes longer and many share a channel, within this.
const SHARED_JITTER: Duration = Duration::from_millis(500);
/// What nobody was heard to take up is said again after this.
const AGAIN: Duration = Duration::from_millis(5_500);
/// So many neighbours that say the same are enough.
const ENOUGH: u8 = 2;

/// An announce to be passed on in clear.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rebroadcast {
    random_hash: RandomHash,
    since: Instant,
    jitter: Duration,
    times: Times,
    /// How many others were heard to say it with as many hops,
    same: u8,
    /// and whether one with a hop more, which has it from here.
    taken_up: TakenUp,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Times {
    First,
    Again,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum TakenUp {
    No,
    Yes,
}

impl Announces {
    /// An emission was heard for the first time: stock neighbours are to hear of it.
    pub(in super::super) fn rebroadcast_later(
        &mut self,
        now: Instant,
        destination: DestinationHash,
        random_hash: RandomHash,
    ) {
        self.clear.rebroadcasts.remove(&destination);
        self.deadlines.cancel(Timer::Rebroadcast(destination));
        if self.interfaces.is_empty() {
            return;
        }
        if !self.clear.rates.allows(destination, now) {
            return count(&mut self.refusals.too_often);
        }
        let jitter = Duration::from_micros(self.random.below(JITTER.as_micros()));
        let (times, same, taken_up) = (Times::First, 0, TakenUp::No);
        let rebroadcast = Rebroadcast { random_hash, since: now, jitter, times, same, taken_up };
        if let Inserted::Refused(_) = self.clear.rebroadcasts.insert(destination, rebroadcast) {
            return count(&mut self.refusals.crowded);
        }
        self.hasten(now, &destination);
    }

    /// Sets when stock neighbours hear of `destination`, by what the way there costs as it is known by now.
    pub(in super::super) fn hasten(&mut self, now: Instant, destination: &DestinationHash) {
        let Some(waiting) = self.clear.rebroadcasts.get(destination).copied() else { return };
        if waiting.times == Times::Again {
            return;
        }
        let cost = self.offered_cost(destination);
        let wait = cost.map_or(MOST, wait_by_cost).plus(waiting.jitter);
        // Never at once: an answer in the same instant would be a loop without time.
        let at = waiting.since.after(wait).max(now.after(Duration::from_micros(1)));
        self.deadlines.set(Timer::Rebroadcast(*destination), at);
    }

    /// It is time to pass an announce on in clear, for the first time or again.
    pub(in super::super) fn rebroadcast(&mut self, cx: Cx, destination: DestinationHash) {
        let Some(waiting) = self.clear.rebroadcasts.remove(&destination) else { return };
        let is_newest =
            self.known.get(&destination).is_some_and(|known| known.random_hash == waiting.random_hash);
        if !is_newest || waiting.times == Times::Again && waiting.is_taken_up() {
            return;
        }
        let Some(shown) = self.show(cx.now, &destination) else { return };
        let from = match shown.over {
            NextHop::Clear(iface) => self.interfaces.get(&iface).map(|medium| medium.profile.role),
            NextHop::Link { .. } => None,
        };
        let (mut displaced, mut set) = (0_u64, Vec::new());
        for (iface, medium) in &mut self.interfaces {
            if !says(medium.profile.role, from) {
                continue;
            }
            if medium.outbox.is_empty() && medium.is_crowded() {
                let jitter = Duration::from_micros(self.random.below(SHARED_JITTER.as_micros()));
                medium.outbox.rest_until(cx.now.after(jitter));
            }
            match medium.outbox.push(cx.now, destination, shown.hops.get()) {
                Waits::Yes => {}
                Waits::Displaced => displaced = displaced.saturating_add(1),
            }
            set.push((*iface, medium.outbox.next_at()));
        }
        self.refusals.unsaid = self.refusals.unsaid.saturating_add(displaced);
        for (iface, at) in set {
            self.deadlines.set(Timer::SpeakInClear(iface), at.max(cx.now));
        }
        if waiting.times == Times::First {
            let again = Rebroadcast { times: Times::Again, ..waiting };
            // One was taken out above, so there is room.
            let _fits: Inserted<_, _> = self.clear.rebroadcasts.insert(destination, again);
            self.deadlines.set(Timer::Rebroadcast(destination), cx.now.after(AGAIN));
        }
    }

    /// Says what is due on an interface in clear, as far as announces have time there.
    pub(in super::super) fn speak_in_clear(
        &mut self,
        cx: Cx,
        iface: InterfaceId,
        out: &mut impl Sink<Effect>,
    ) {
        loop {
            let Some(medium) = self.interfaces.get_mut(&iface) else { return };
            match medium.outbox.pop(cx.now) {
                Turn::Of(destination) => {
                    if let Some(bytes) = self.rebroadcast_of(cx.now, &destination) {
                        self.say_in_clear(cx.now, iface, destination, bytes, out);
                    }
                }
                Turn::Expired => count(&mut self.refusals.unsaid),
                Turn::Nobody => {
                    let at = medium.outbox.next_at();
                    return self.deadlines.set(Timer::SpeakInClear(iface), at);
                }
            }
        }
    }

    /// The newest announce of `destination` as this node passes it on in clear.
    pub(super) fn rebroadcast_of(&mut self, now: Instant, destination: &DestinationHash) -> Option<Vec<u8>> {
        let shown = self.show(now, destination)?;
        let packet = self.cache.take_up(destination)?;
        // What came no hop, from a program of this machine, is said without a relay, as this node's own announces are.
        let mut bytes = match shown.hops {
            Hops::ZERO => originated(packet),
            _relayed => in_clear(packet, self.own.transport()),
        };
        *bytes.get_mut(HOPS_AT)? = shown.hops.get();
        Some(bytes)
    }

    /// Says an announce on an interface, which takes its time.
    pub(in super::super) fn say_in_clear(
        &mut self,
        now: Instant,
        iface: InterfaceId,
        about: DestinationHash,
        bytes: Vec<u8>,
        out: &mut impl Sink<Effect>,
    ) {
        let Some(medium) = self.interfaces.get_mut(&iface) else { return };
        let time = medium.time_of(bytes.len());
        medium.outbox.spend(now, time);
        let (about, load) = (Some(about), Load::Announces);
        out.push(Effect::Send(Frame { iface, to: None, bytes, about, load, flow: Flow::OWN, under: None }));
    }

    /// The path of the newest emission that stock neighbours are told: the one in use when they are told first, for as long as it is.
    pub(super) fn show(&mut self, now: Instant, destination: &DestinationHash) -> Option<Shown> {
        if let Some(shown) = self.shown_path(destination) {
            return Some(shown);
        }
        let offer = *self.routes.offer(destination)?;
        let counted = Hops::new(offer.said().hops.next().0)?;
        let hops = self.hops_of_program(destination, offer.next_hop()).unwrap_or(counted);
        let known = self.known.get_mut(destination)?;
        let random_hash = known.random_hash;
        if offer.random_hash() != random_hash {
            return None;
        }
        let shown = Shown { random_hash, hops, over: offer.next_hop() };
        known.shown = Some(shown);
        let said = SaidInClear { emitted_at: random_hash.emitted_at(), hops: counted.get() };
        if known.bind_in_clear(said) {
            self.note_saying(now, *destination, said);
        }
        let _kept: Habit = self.assess(now, destination, Stance::Steady);
        Some(shown)
    }

    /// What stock neighbours were told of the newest emission goes by another interface in clear from here on, if that took the place of
    /// the one it began at: of as many hops, since links to it count them.
    pub(in super::super) fn draw_in_clear(&mut self, destination: &DestinationHash) {
        let Some(shown) = self.shown_path(destination) else { return };
        let Some(offer) = self.routes.offer(destination).copied() else { return };
        let is_drawn = self.routes.get(destination, shown.over).is_some_and(|entry| {
            self.routes.outweighs(&offer, entry) && offer.said().hops == entry.said().hops
        });
        if is_drawn && let Some(known) = self.known.get_mut(destination) {
            known.shown = Some(Shown { over: offer.next_hop(), ..shown });
        }
    }

    /// What stock neighbours were told of the newest emission, if that path may still be used.
    pub(in super::super) fn shown_path(&self, destination: &DestinationHash) -> Option<Shown> {
        let known = self.known.get(destination)?;
        let shown = known.shown.filter(|shown| shown.random_hash == known.random_hash)?;
        let entry = self.routes.get(destination, shown.over)?;
        (entry.is_usable() && entry.random_hash() == shown.random_hash && !entry.is_doubted())
            .then_some(shown)
    }

    /// Another relay was heard to say what this node says, too, or has from it.
    pub(in super::super) fn heard_others_say(
        &mut self,
        destination: &DestinationHash,
        hops: Hops,
        transport: Option<IdentityHash>,
    ) {
        let Some(known) = self.known.get(destination) else { return };
        let shown = known.shown.filter(|shown| shown.random_hash == known.random_hash);
        let own = shown.map_or(known.neighbour.hops, |shown| shown.hops);
        let Some(waiting) = self.clear.rebroadcasts.get_mut(destination).filter(|_| transport.is_some())
        else {
            return;
        };
        if hops == own {
            waiting.same = waiting.same.saturating_add(1);
        } else if Some(hops) == own.counted() {
            waiting.taken_up = TakenUp::Yes;
        }
        if waiting.times == Times::Again && waiting.is_taken_up() {
            self.clear.rebroadcasts.remove(destination);
            self.deadlines.cancel(Timer::Rebroadcast(*destination));
        }
    }
}

impl Rebroadcast {
    /// Whether it is of this emission.
    pub(super) fn is_of(&self, random_hash: RandomHash) -> bool {
        self.random_hash == random_hash
    }

    fn is_taken_up(&self) -> bool {
        self.taken_up == TakenUp::Yes || self.same >= ENOUGH
    }
}

impl Medium {
    /// Whether frames of several take their time there.
    fn is_crowded(&self) -> bool {
        self.profile.reach == Reach::Shared && self.time_of(usize::from(self.profile.frame_size)) >= JITTER
    }
}

/// Where the hops stand in a header.
const HOPS_AT: usize = 1;

/// How long stock neighbours wait for a path that costs so much. Source: spec/reticulum.md#rebroadcast.
fn wait_by_cost(cost: CompactPathCost) -> Duration {
    let prices = match cost.cumulative_cost {
        CostCode::Known(code) => u64::from(code.get()).min(PRICES),
        CostCode::Unknown => return MOST,
    };
    let octaves = u64::from(PriceCode::nearest(cost.worst_latency.0.into()).get());
    let hops = u64::from(cost.hops.0).min(HOPS);
    let wait = BY_PRICE.times(prices).plus(BY_LATENCY.times(octaves)).plus(BY_HOP.times(hops));
    LEAST.plus(wait).min(MOST)
}

/// Whether announces that came by an interface of the one role, or over a link, are said on one of the other after a while. Programs on
/// this machine hear them at once.
pub(super) const fn says(role: Role, from: Option<Role>) -> bool {
    match (role, from) {
        (Role::AccessPoint | Role::Local, _)
        | (Role::Roaming, Some(Role::Roaming | Role::Boundary))
        | (Role::Boundary, Some(Role::Roaming))
        | (Role::Internal, Some(Role::Boundary)) => false,
        (
            Role::Full | Role::PointToPoint | Role::Gateway | Role::Roaming | Role::Boundary | Role::Internal,
            _,
        ) => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use nexus_wire::nexus::path_cost::{HopCount, LatencyMs};

    fn wait(price: u64, latency: u16, hops: u8) -> Duration {
        let cumulative_cost = CostCode::Known(PriceCode::nearest(price));
        let (worst_latency, hops) = (LatencyMs(latency), HopCount(hops));
        wait_by_cost(CompactPathCost { cumulative_cost, worst_latency, hops, ..CompactPathCost::ORIGIN })
    }

    #[test]
    fn the_best_path_is_told_after_fifty_milliseconds_and_the_worst_after_two_and_a_half_seconds() {
        assert_eq!(wait(0, 0, 0), LEAST);
        let unknown = CompactPathCost { cumulative_cost: CostCode::Unknown, ..CompactPathCost::ORIGIN };
        assert_eq!(wait_by_cost(unknown), MOST);
        let worst = wait(u64::MAX, u16::MAX, u8::MAX);
        assert!(worst <= MOST && worst > MOST.minus(JITTER.times(3)), "{worst:?}");
    }

    #[test]
    fn twice_the_price_is_told_later_by_more_than_the_jitter() {
        for price in [10, 100, 5_000, 300_000] {
            let later = wait(price * 2, 5, 3).minus(wait(price, 5, 3));
            assert!(later >= JITTER.times(4), "{price}: {later:?}");
        }
        assert!(wait(0, 40, 3) > wait(0, 5, 3) && wait(0, 5, 4) > wait(0, 5, 3), "free: latency, then hops");
    }

    #[test]
    fn roles_say_what_stock_nodes_say_in_such_modes() {
        let said = |role| Role::ALL.into_iter().filter(|from| says(role, Some(*from))).count();
        let all =
            [Role::Full, Role::PointToPoint, Role::Gateway, Role::Boundary, Role::Internal, Role::Roaming];
        assert_eq!(all.map(said), [7, 7, 7, 6, 6, 5]);
        assert!(all.iter().all(|role| says(*role, None)), "what links say is said everywhere");
        assert!(said(Role::AccessPoint) == 0 && !says(Role::AccessPoint, None));
        assert!(!says(Role::Roaming, Some(Role::Boundary)) && !says(Role::Internal, Some(Role::Boundary)));
    }
}
