//! Reticulum links that came about through this node. They are called circuits, since a link is a neighbour's.
//!
//! A link request opens a circuit, the proof of the destination that was asked makes it stand, and whatever belongs to it is carried only
//! along it: from either end, after as many hops as that end is away. Who opens circuits without end displaces those that nobody has
//! proved, not those that stand. Source: spec/network.md#circuits.

use alloc::vec::Vec;

use nexus_crypto::DestinationHash;
use nexus_machine::{BoundedMap, Deadlines, Duration, Inserted, Instant, MapOverflow};
use nexus_wire::reticulum::{Hops, LinkId};

use super::drops::Cause;
use super::hop::{Hop, HopName, Kind};

/// For each hop to the destination its proof may take so long.
const PROOF_PER_HOP: Duration = Duration::from_secs(6);
/// A circuit on which nothing passed for so long is over.
const LIFE: Duration = Duration::from_secs(900);
/// How often those that are over are looked for.
const SWEEP: Duration = Duration::from_secs(60);
/// So many proofs of a circuit are looked at that do not verify: each costs a signature.
const BAD_PROOFS: u8 = 8;

/// A circuit as its request went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Requested {
    /// Who was asked.
    pub(super) destination: DestinationHash,
    /// From where the request came,
    pub(super) from: Hop,
    /// after how many hops,
    pub(super) taken: Hops,
    /// and where it went.
    pub(super) to: Hop,
    /// How many hops the destination is said to be away.
    pub(super) remaining: u8,
    /// How long the proof occupies the medium on which it comes.
    pub(super) airtime: Duration,
}

/// A circuit that waits for its proof.
#[derive(Clone, Copy, Debug)]
struct Opening {
    requested: Requested,
    asked: Instant,
    bad_proofs: u8,
}

/// A circuit that stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Circuit {
    pub(super) destination: DestinationHash,
    /// Towards whoever asked; not known from when that was lost until something comes from there.
    from: Option<Hop>,
    /// Who asked: where that is while it has not shown itself.
    pub(super) asker: Option<HopName>,
    /// What comes from there has come so many hops.
    pub(super) taken: Hops,
    /// Towards the destination.
    to: Option<Hop>,
    /// Of what kind that hop is: whoever is behind it knows the circuit by it, also while this node does not know where it is.
    pub(super) leaves: Kind,
    /// What comes from there has come so many hops,
    pub(super) remaining: Hops,
    /// and goes on in clear with so many: as many as the destination was said to be away there, since stock nodes hold its packets to that.
    pub(super) shown: Hops,
    used: Instant,
}

/// Where something of a circuit goes on, and with how many hops.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Onward {
    pub(super) to: Hop,
    pub(super) hops: Hops,
    /// Whom it is for, if that is whoever was asked for the circuit: the way there is paid for, the way back is not.
    pub(super) asked: Option<DestinationHash>,
}

/// What expired.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Expired {
    /// Destinations whose proof did not come in time.
    pub(super) unanswered: Vec<DestinationHash>,
    /// Circuits that stood and are over.
    pub(super) over: Vec<LinkId>,
}

/// Who owns a deadline.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Timer {
    Proof(LinkId),
    Sweep,
}

/// The circuits, at most a stated number that stand and as many that wait.
#[derive(Debug)]
pub(super) struct Circuits {
    opening: BoundedMap<LinkId, Opening>,
    standing: BoundedMap<LinkId, Circuit>,
    deadlines: Deadlines<Timer>,
}

impl Circuits {
    pub(super) fn new(capacity: usize) -> Self {
        Self {
            opening: BoundedMap::new(capacity, MapOverflow::EvictLeastRecent),
            standing: BoundedMap::new(capacity, MapOverflow::EvictLeastRecent),
            deadlines: Deadlines::default(),
        }
    }

    /// A link request passes.
    pub(super) fn open(&mut self, now: Instant, link: LinkId, requested: Requested) {
        let hops = u64::from(requested.remaining.max(1));
        let until = now.after(PROOF_PER_HOP.times(hops)).after(requested.airtime);
        match self.opening.insert(link, Opening { requested, asked: now, bad_proofs: 0 }) {
            Inserted::Fresh | Inserted::Replaced(_) => {}
            Inserted::Evicted(other, _) => self.deadlines.cancel(Timer::Proof(other)),
            Inserted::Refused(_) => return,
        }
        self.deadlines.set(Timer::Proof(link), until);
    }

    /// Whom a proof that came by `hop` has to be of.
    pub(super) fn awaited(&self, link: &LinkId, hop: Hop) -> Result<DestinationHash, Cause> {
        let Some(opening) = self.opening.get(link) else {
            // The first proof made it stand.
            return Err(if self.standing.contains(link) { Cause::Duplicate } else { Cause::NoCircuit });
        };
        if opening.requested.to != hop {
            return Err(Cause::OffCircuit);
        }
        if opening.bad_proofs >= BAD_PROOFS {
            return Err(Cause::BadProof);
        }
        Ok(opening.requested.destination)
    }

    /// How long ago a circuit that waits for its proof was asked for.
    pub(super) fn waited(&self, link: &LinkId, now: Instant) -> Duration {
        self.opening.get(link).map_or(Duration::ZERO, |opening| now.since(opening.asked))
    }

    /// A proof did not verify.
    pub(super) fn count_bad_proof(&mut self, link: &LinkId) {
        if let Some(opening) = self.opening.get_mut(link) {
            opening.bad_proofs = opening.bad_proofs.saturating_add(1);
        }
    }

    /// The awaited proof verified, after so many hops: however far the destination was said to be, it is as far as that. In clear it was
    /// `shown` to be so far. Returns where the proof goes, and what made room.
    pub(super) fn stand(
        &mut self,
        now: Instant,
        link: LinkId,
        remaining: Hops,
        shown: Hops,
        name: impl FnOnce(Hop) -> Option<HopName>,
    ) -> Option<(Onward, Option<LinkId>)> {
        let Opening { requested, .. } = self.opening.remove(&link)?;
        self.deadlines.cancel(Timer::Proof(link));
        let Requested { destination, from, taken, to, .. } = requested;
        // Where both ends are on one medium, hops alone may not tell from which of them something comes.
        let shown = if from == to { remaining } else { shown };
        let leaves = to.kind();
        let (from_there, asker, there) = (Some(from), name(from), Some(to));
        let circuit = Circuit {
            destination,
            from: from_there,
            asker,
            taken,
            to: there,
            leaves,
            remaining,
            shown,
            used: now,
        };
        Some((circuit.back_to(from), self.hold(now, link, circuit)))
    }

    fn hold(&mut self, now: Instant, link: LinkId, circuit: Circuit) -> Option<LinkId> {
        let is_full = self.standing.len() >= self.standing.capacity();
        // The order of use is kept in the circuits themselves, and looked at when one has to go: to keep it for each packet costs more.
        let oldest = self.standing.iter().filter(|_| is_full).min_by_key(|(link, held)| (held.used, **link));
        let displaced = oldest.map(|(link, _)| *link).filter(|_| !self.standing.contains(&link));
        if let Some(displaced) = displaced {
            self.standing.remove(&displaced);
        }
        let _room_was_made: Inserted<_, _> = self.standing.insert(link, circuit);
        if self.deadlines.get(Timer::Sweep).is_none() {
            self.deadlines.set(Timer::Sweep, now.after(SWEEP));
        }
        displaced
    }

    /// A circuit that stood when the node was stopped. Where it leads is learnt again.
    pub(super) fn restore(
        &mut self,
        link: LinkId,
        destination: DestinationHash,
        [taken, remaining, shown]: [Hops; 3],
        leaves: Kind,
        asker: Option<HopName>,
    ) {
        let used = Instant::BOOT;
        let circuit =
            Circuit { destination, from: None, asker, taken, to: None, leaves, remaining, shown, used };
        let _none_is_displaced: Option<LinkId> = self.hold(Instant::BOOT, link, circuit);
    }

    /// A link or an interface is no more. Who was behind it may come back by another: circuits learn where they lead as if they were restored.
    pub(super) fn lose(&mut self, hop: Hop) {
        let links: Vec<LinkId> = self.standing.iter().map(|(link, _)| *link).collect();
        for link in links {
            let Some(circuit) = self.standing.get_mut(&link) else { continue };
            circuit.from = circuit.from.filter(|from| *from != hop);
            circuit.to = circuit.to.filter(|to| *to != hop);
        }
    }

    /// Where what belongs to a circuit goes on, having come by `hop`. `towards` is the way to a destination, of this kind if there is one: asked
    /// only of a circuit that does not know where it leads; `behind` is where somebody is, asked only while whoever asked for the circuit has not
    /// shown where it is. It may be elsewhere: what it says is believed from wherever it comes.
    pub(super) fn along(
        &mut self,
        now: Instant,
        link: &LinkId,
        hop: Hop,
        hops: Hops,
        towards: impl FnOnce(&DestinationHash, Kind) -> Option<Hop>,
        behind: impl FnOnce(HopName) -> Option<Hop>,
    ) -> Result<Onward, Cause> {
        let Some(circuit) = self.standing.get_mut(link) else {
            return Err(if self.opening.contains(link) { Cause::Unproved } else { Cause::NoCircuit });
        };
        if now.since(circuit.used) > LIFE {
            return Err(Cause::NoCircuit);
        }
        if circuit.from.is_none() || circuit.to.is_none() {
            circuit.learn(hop, hops, towards);
        }
        let is_back = circuit.to == Some(hop) && circuit.remaining == hops;
        let is_forth = circuit.from == Some(hop) && circuit.taken == hops;
        let from = if is_back { circuit.from.or_else(|| circuit.asker.and_then(behind)) } else { None };
        let back = from.map(|from| circuit.back_to(from));
        let forth =
            circuit.to.filter(|_| is_forth).map(|to| Onward { to, hops, asked: Some(circuit.destination) });
        let onward = back.or(forth).ok_or(Cause::OffCircuit)?;
        circuit.used = now;
        Ok(onward)
    }

    /// Who asked for a circuit, if that one has not shown where it is.
    pub(super) fn sought(&self, link: &LinkId) -> Option<HopName> {
        self.standing.get(link).filter(|circuit| circuit.from.is_none())?.asker
    }

    /// What stands, and how it is written down.
    pub(super) fn get(&self, link: &LinkId) -> Option<&Circuit> {
        self.standing.get(link)
    }

    /// How many stand.
    pub(super) fn len(&self) -> usize {
        self.standing.len()
    }

    pub(super) fn next_timeout(&self) -> Option<Instant> {
        self.deadlines.next()
    }

    /// Ends what is over.
    pub(super) fn expire(&mut self, now: Instant) -> Expired {
        let mut expired = Expired::default();
        while let Some(timer) = self.deadlines.pop_due(now) {
            match timer {
                Timer::Proof(link) => {
                    let opening = self.opening.remove(&link);
                    expired.unanswered.extend(opening.map(|opening| opening.requested.destination));
                }
                Timer::Sweep => {
                    let is_over = |(_, circuit): &(&LinkId, &Circuit)| now.since(circuit.used) > LIFE;
                    expired.over.extend(self.standing.iter().filter(is_over).map(|(link, _)| *link));
                    for link in &expired.over {
                        self.standing.remove(link);
                    }
                    if !self.standing.is_empty() {
                        self.deadlines.set(Timer::Sweep, now.after(SWEEP));
                    }
                }
            }
        }
        expired
    }

    pub(super) const fn memory_bound(&self) -> usize {
        // Nodes of ordered maps may be half empty; a bounded map is two of them, and a deadline is two more.
        const PER_OPENING: usize =
            4 * (size_of::<(LinkId, Opening, u64)>() + size_of::<(Timer, Instant)>() + 64);
        const PER_CIRCUIT: usize = 4 * (size_of::<(LinkId, Circuit, u64)>() + 32);
        let each = PER_OPENING.saturating_add(PER_CIRCUIT);
        self.standing.capacity().saturating_mul(each).saturating_add(4_096)
    }
}

impl Circuit {
    const fn back_to(&self, from: Hop) -> Onward {
        let hops = match from {
            Hop::Link(_) => self.remaining,
            Hop::Clear(_) => self.shown,
        };
        Onward { to: from, hops, asked: None }
    }

    /// Of a restored circuit the hops tell from which end something comes; where both ends are as far, the way to the destination does.
    fn learn(&mut self, hop: Hop, hops: Hops, towards: impl FnOnce(&DestinationHash, Kind) -> Option<Hop>) {
        let way = self.to.or_else(|| towards(&self.destination, self.leaves));
        if self.remaining == hops && (way == Some(hop) || self.taken != hops) {
            self.to = Some(hop);
        } else if self.taken == hops {
            self.from = Some(hop);
            self.to = way;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::interface::InterfaceId;
    use nexus_testkit::heap;

    const FROM: Hop = Hop::Clear(InterfaceId(0));
    const TO: Hop = Hop::Clear(InterfaceId(1));
    const NEAR: Hops = Hops::ZERO;
    const ASKER: HopName = HopName { kind: Kind::Clear, bytes: [3; HopName::LEN] };

    fn link(n: u16) -> LinkId {
        let mut bytes = [0; 16];
        bytes[..2].copy_from_slice(&n.to_be_bytes());
        LinkId(bytes)
    }

    fn requested() -> Requested {
        let destination = DestinationHash([7; 16]);
        Requested { destination, from: FROM, taken: NEAR, to: TO, remaining: 1, airtime: Duration::ZERO }
    }

    fn at(seconds: u64) -> Instant {
        Instant::BOOT.after(Duration::from_secs(seconds))
    }

    fn stand(circuits: &mut Circuits, now: Instant, n: u16) -> Option<LinkId> {
        circuits.open(now, link(n), requested());
        circuits.stand(now, link(n), NEAR, NEAR, |_| Some(ASKER)).expect("it was asked for").1
    }

    fn passes(circuits: &mut Circuits, now: Instant, n: u16) -> Result<Hop, Cause> {
        circuits.along(now, &link(n), FROM, NEAR, |_, _| None, |_| None).map(|onward| onward.to)
    }

    #[test]
    fn requests_without_end_displace_requests_and_nothing_that_stands() {
        let mut circuits = Circuits::new(8);
        stand(&mut circuits, at(0), 0);
        (1..1_000).for_each(|n| circuits.open(at(1), link(n), requested()));
        assert_eq!(passes(&mut circuits, at(1), 0), Ok(TO));
        assert_eq!(circuits.awaited(&link(991), TO), Err(Cause::NoCircuit));
        assert_eq!(circuits.awaited(&link(992), TO), Ok(requested().destination));
        assert_eq!(circuits.expire(at(10)).unanswered.len(), 8, "and none that was displaced is waited for");
    }

    #[test]
    fn where_there_is_no_room_the_circuit_that_was_silent_for_longest_ends() {
        let mut circuits = Circuits::new(3);
        for n in 0..3 {
            assert_eq!(stand(&mut circuits, at(n.into()), n), None);
        }
        assert_eq!(passes(&mut circuits, at(5), 0), Ok(TO));
        assert_eq!(stand(&mut circuits, at(6), 3), Some(link(1)));
        assert_eq!(passes(&mut circuits, at(7), 1), Err(Cause::NoCircuit));
        assert!([0, 2, 3].into_iter().all(|n| passes(&mut circuits, at(7), n).is_ok()));
    }

    #[test]
    fn a_proof_is_awaited_six_seconds_for_each_hop() {
        let mut circuits = Circuits::new(3);
        circuits.open(at(0), link(1), Requested { remaining: 3, ..requested() });
        assert_eq!(circuits.expire(at(17)), Expired::default());
        assert_eq!(circuits.expire(at(18)).unanswered, [requested().destination]);
    }

    #[test]
    fn a_circuit_that_lost_its_way_learns_from_which_end_something_comes() {
        let mut circuits = Circuits::new(3);
        stand(&mut circuits, at(0), 1);
        circuits.lose(FROM);
        let other = Hop::Clear(InterfaceId(5));
        let mut along = |from| {
            circuits.along(at(1), &link(1), from, NEAR, |_, _| Some(TO), |_| None).map(|onward| onward.to)
        };
        assert_eq!(along(TO), Err(Cause::OffCircuit), "nobody knows where the other end is");
        assert_eq!(along(other), Ok(TO), "it shows itself");
        assert_eq!(along(TO), Ok(other));
        assert_eq!(along(FROM), Err(Cause::OffCircuit), "and nobody else is believed from there on");
    }

    #[test]
    fn what_the_destination_says_first_goes_to_where_whoever_asked_is_believed_to_be() {
        let mut circuits = Circuits::new(3);
        let [taken, remaining, shown] = [1, 2, 2].map(|hops| Hops::new(hops).unwrap());
        circuits.restore(
            link(1),
            DestinationHash([7; 16]),
            [taken, remaining, shown],
            Kind::Clear,
            Some(ASKER),
        );
        let (guessed, other) = (Hop::Clear(InterfaceId(5)), Hop::Clear(InterfaceId(6)));
        let mut along = |from, hops, there: Option<Hop>| {
            let behind = |name| there.filter(|_| name == ASKER);
            circuits.along(at(1), &link(1), from, hops, |_, _| None, behind).map(|onward| onward.to)
        };
        assert_eq!(along(TO, remaining, None), Err(Cause::OffCircuit), "it is not back");
        assert_eq!(along(TO, remaining, Some(guessed)), Ok(guessed));
        assert_eq!(along(other, taken, Some(guessed)), Ok(TO), "it is elsewhere, and shows itself");
        assert_eq!(along(TO, remaining, Some(guessed)), Ok(other), "from there on that counts");
    }

    #[test]
    fn the_table_holds_no_more_than_it_declares() {
        let (circuits, held) = heap::growth_of(|| {
            let mut circuits = Circuits::new(64);
            for n in 0..500 {
                stand(&mut circuits, at(0), n);
                circuits.open(at(0), link(n.wrapping_add(1_000)), requested());
            }
            circuits
        });
        assert!(usize::try_from(held).unwrap() <= circuits.memory_bound(), "{held}");
    }
}
