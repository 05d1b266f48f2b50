//! Ingress control: destinations that nobody knew, announced faster than people come, are held and let in one by one.
//!
//! Before a signature is looked at: a burst costs neither verifications nor room in the tables. Source: spec/reticulum.md#in-clear.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use nexus_crypto::DestinationHash;
use nexus_machine::{Bucket, Cx, Duration, Instant, Sink};
use nexus_wire::reticulum::{MTU, Packet};

use super::super::{Announces, Effect, Timer, count};
use crate::interface::InterfaceId;

/// On an interface that is young, so many destinations are let in a second as one each
const YOUNG_EVERY: Duration = Duration::from_millis(333);
/// until this age, and then as one each
const YOUNG: Duration = Duration::from_secs(2 * 3_600);
/// this.
const EVERY: Duration = Duration::from_millis(100);
/// So many come at once where nothing came before.
const AT_ONCE: u32 = 24;
/// So many are held,
pub(super) const HELD: usize = 256;
/// until nothing was too much for so long, a penalty included,
const QUIET: Duration = Duration::from_secs(30);
/// and then let in one each this.
const RELEASE: Duration = Duration::from_secs(5);

/// What is let in on an interface, and what is held.
#[derive(Debug)]
pub(super) struct Ingress {
    young_until: Instant,
    young: Bucket,
    grown: Bucket,
    held: BTreeMap<DestinationHash, Held>,
    release_at: Instant,
}

#[derive(Debug)]
struct Held {
    hops: u8,
    frame: Vec<u8>,
}

/// What became of an announce that came too soon.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kept {
    /// It is held.
    Held,
    /// It, or one that came farther, is forgotten.
    Displaced,
}

impl Ingress {
    pub(super) const MEMORY_BOUND: usize = HELD * (2 * size_of::<(DestinationHash, Held)>() + MTU + 64);

    pub(super) fn new(now: Instant) -> Self {
        Self {
            young_until: now.after(YOUNG),
            young: Bucket::new(YOUNG_EVERY, AT_ONCE),
            grown: Bucket::new(EVERY, AT_ONCE),
            held: BTreeMap::new(),
            release_at: Instant::BOOT,
        }
    }

    /// Whether one more destination that nobody knew is let in, which it then is.
    pub(super) fn lets_in(&mut self, now: Instant) -> bool {
        if now < self.young_until { self.young.take(now) } else { self.grown.take(now) }
    }

    /// Holds an announce that came too soon: what came farthest makes room.
    pub(super) fn hold(
        &mut self,
        now: Instant,
        destination: DestinationHash,
        hops: u8,
        frame: &[u8],
    ) -> Kept {
        self.release_at = now.after(QUIET);
        if frame.len() > MTU {
            return Kept::Displaced;
        }
        let held = Held { hops, frame: frame.to_vec() };
        if let Some(before) = self.held.get_mut(&destination) {
            *before = held;
            return Kept::Held;
        }
        let mut kept = Kept::Held;
        if self.held.len() >= HELD {
            kept = Kept::Displaced;
            let farthest = self.held.iter().max_by_key(|(destination, held)| (held.hops, **destination));
            match farthest.map(|(destination, held)| (*destination, held.hops)) {
                Some((farthest, most)) if most > hops => self.held.retain(|held, _| *held != farthest),
                Some(_) | None => return kept,
            }
        }
        self.held.insert(destination, held);
        kept
    }

    /// How many are held.
    pub(super) fn len(&self) -> usize {
        self.held.len()
    }

    /// When the next one is let in; never if none is held.
    pub(super) fn next_at(&self) -> Instant {
        if self.held.is_empty() { Instant::NEVER } else { self.release_at }
    }

    /// Takes the nearest of those that are held, if it is time.
    pub(super) fn release(&mut self, now: Instant) -> Option<Vec<u8>> {
        if now < self.release_at {
            return None;
        }
        self.release_at = now.after(RELEASE);
        let nearest = self.held.iter().min_by_key(|(destination, held)| (held.hops, **destination));
        let nearest = *nearest?.0;
        self.held.remove(&nearest).map(|held| held.frame)
    }
}

impl Announces {
    /// Whether a destination that nobody here knew is let in. If not, it is held.
    pub(in super::super) fn lets_in(
        &mut self,
        now: Instant,
        iface: InterfaceId,
        packet: &Packet<'_>,
        frame: &[u8],
    ) -> bool {
        let Some(medium) = self.interfaces.get_mut(&iface) else { return false };
        if medium.ingress.lets_in(now) {
            return true;
        }
        match medium.ingress.hold(now, packet.destination, packet.hops.get(), frame) {
            Kept::Held => count(&mut self.refusals.held),
            Kept::Displaced => count(&mut self.refusals.flooded),
        }
        let at = medium.ingress.next_at();
        self.deadlines.set(Timer::Release(iface), at);
        false
    }

    /// Lets in the nearest of what is held on an interface.
    pub(in super::super) fn release_held(&mut self, cx: Cx, iface: InterfaceId, out: &mut impl Sink<Effect>) {
        let Some(medium) = self.interfaces.get_mut(&iface) else { return };
        let released = medium.ingress.release(cx.now);
        let at = medium.ingress.next_at();
        self.deadlines.set(Timer::Release(iface), at);
        if let Some(packet) = released.as_deref().and_then(|frame| Packet::decode(frame).ok()) {
            self.take_in_clear(cx, iface, packet, out);
            self.set_memory_timer(cx.now);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: u64) -> Instant {
        Instant::BOOT.after(Duration::from_millis(ms))
    }

    #[test]
    fn three_a_second_are_let_in_at_first_and_ten_later() {
        let let_in = |from: u64| {
            let mut ingress = Ingress::new(Instant::BOOT);
            (0..10_000).filter(|n| ingress.lets_in(at(from + n))).count()
        };
        // Ten seconds' worth, and what is let in at once.
        assert!((53..=55).contains(&let_in(0)), "{}", let_in(0));
        assert!((123..=125).contains(&let_in(7_200_000)), "{}", let_in(7_200_000));
    }

    #[test]
    fn what_is_held_is_bounded_and_the_nearest_are_kept_and_come_first() {
        let mut ingress = Ingress::new(Instant::BOOT);
        for n in 0..1_000_u16 {
            let destination =
                DestinationHash([n.to_be_bytes(), [0, 0]].concat().repeat(4).try_into().unwrap());
            let hops = u8::try_from(1_000 - n).unwrap_or(99).min(99);
            ingress.hold(at(0), destination, hops, &[hops]);
        }
        assert_eq!(ingress.held.len(), HELD);
        assert_eq!((ingress.next_at(), ingress.release(at(29_999))), (at(30_000), None));
        assert_eq!(ingress.release(at(30_000)), Some([1].to_vec()));
        assert_eq!((ingress.release(at(34_999)), ingress.release(at(35_000))), (None, Some([2].to_vec())));
        assert_eq!(ingress.hold(at(36_000), DestinationHash([255; 16]), 99, &[0; MTU + 1]), Kept::Displaced);
    }
}
