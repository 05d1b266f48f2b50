//! Under which numbers this node receives: random, never zero, unique on an interface, and at rest for two minutes after
//! their use, so that a late frame never meets another's key.

use alloc::collections::{BTreeMap, BTreeSet, VecDeque};

use nexus_machine::{Duration, Instant, Stream};
use nexus_wire::nexus::frame::SessionId;

use super::LinkId;
use crate::interface::InterfaceId;

/// A session on an interface.
pub(super) type Place = (InterfaceId, SessionId);

/// Whose a session is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Owner {
    /// A handshake that this node began.
    Opening,
    /// A handshake that another began.
    Answering,
    /// A link, under one of its keys.
    Link(LinkId),
}

/// The sessions in use and at rest.
#[derive(Debug, Default)]
pub(super) struct Sessions {
    used: BTreeMap<Place, Owner>,
    resting: BTreeSet<Place>,
    /// How many rest, by interface.
    resting_on: BTreeMap<InterfaceId, usize>,
    /// Oldest first.
    until: VecDeque<(Instant, Place)>,
}

/// How long a number rests. Source: spec/network.md#links.
const REST: Duration = Duration::from_secs(120);
/// How many may rest before no more are given out: half of all numbers of one interface.
const RESTING: usize = 32_768;
/// How many more may rest before this node's own handshakes and rekeys find none either: whoever floods this node with handshakes
/// does not end its links.
const RESERVED: usize = 8_192;
/// How many may rest on each interface in any case: a flood on one does not keep newcomers out on another.
const SHARE: usize = 64;
/// Draws before the interface counts as full.
const DRAWS: usize = 64;

impl Sessions {
    /// The most heap that it holds when at most `used` sessions are in use on so many interfaces, in bytes.
    pub(super) const fn memory_bound(used: usize, interfaces: usize) -> usize {
        const COUNT: usize = 4 * size_of::<(InterfaceId, usize)>();
        const EACH: usize =
            2 * (size_of::<(Place, Owner)>() + size_of::<Place>() + size_of::<(Instant, Place)>() + 16);
        let shares = SHARE.saturating_mul(interfaces);
        let all = RESTING.saturating_add(RESERVED).saturating_add(shares).saturating_add(used);
        let counts = interfaces.saturating_mul(COUNT);
        all.saturating_mul(EACH).saturating_add(counts).saturating_add(1_024)
    }

    /// A number that nobody uses on `iface`; none if too many are in use or at rest, and this interface has its share.
    pub(super) fn take(
        &mut self,
        now: Instant,
        iface: InterfaceId,
        owner: Owner,
        random: &mut Stream,
    ) -> Option<SessionId> {
        self.wake(now);
        let most = match owner {
            Owner::Answering => RESTING,
            Owner::Opening | Owner::Link(_) => RESTING + RESERVED,
        };
        let has_share = self.resting_on.get(&iface).is_some_and(|resting| *resting >= SHARE);
        if self.resting.len() >= most && has_share {
            return None;
        }
        for _ in 0..DRAWS {
            let [low, high] = random.bytes::<2>();
            let Some(session) = SessionId::new(u16::from_le_bytes([low, high])) else { continue };
            let place = (iface, session);
            if !self.used.contains_key(&place) && !self.resting.contains(&place) {
                self.used.insert(place, owner);
                return Some(session);
            }
        }
        None
    }

    pub(super) fn owner(&self, place: Place) -> Option<Owner> {
        self.used.get(&place).copied()
    }

    /// A handshake became a link, say.
    pub(super) fn give(&mut self, place: Place, owner: Owner) {
        if let Some(used) = self.used.get_mut(&place) {
            *used = owner;
        }
    }

    /// Lets a session rest.
    pub(super) fn retire(&mut self, now: Instant, place: Place) {
        if self.used.remove(&place).is_some() && self.resting.insert(place) {
            self.until.push_back((now.after(REST), place));
            let resting = self.resting_on.entry(place.0).or_default();
            *resting = resting.saturating_add(1);
        }
        self.wake(now);
    }

    fn wake(&mut self, now: Instant) {
        while let Some((_, place)) = self.until.pop_front_if(|(until, _)| *until <= now) {
            self.resting.remove(&place);
            if let Some(resting) = self.resting_on.get_mut(&place.0) {
                *resting = resting.saturating_sub(1);
                if *resting == 0 {
                    self.resting_on.remove(&place.0);
                }
            }
        }
        if self.until.is_empty() {
            self.until.shrink_to(64);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use nexus_machine::Seed;

    #[test]
    fn a_number_rests_two_minutes_after_its_use() {
        let (mut sessions, mut random) = (Sessions::default(), Seed::new([1; 32]).fork("sessions"));
        let iface = InterfaceId(3);
        let at = |s| Instant::BOOT.after(Duration::from_secs(s));
        // All numbers but the resting half can be had, and no more.
        let mut taken = BTreeSet::new();
        for _ in 0..20_000 {
            let session = sessions.take(at(0), iface, Owner::Opening, &mut random).unwrap();
            assert!(taken.insert(session), "unique");
        }
        for session in &taken {
            sessions.retire(at(1), (iface, *session));
        }
        for _ in 0..10_000 {
            let session = sessions.take(at(120), iface, Owner::Opening, &mut random).unwrap();
            assert!(!taken.contains(&session), "at rest");
        }
        assert_eq!(sessions.resting.len(), 20_000);
        sessions.wake(at(121));
        assert!(sessions.resting.is_empty() && sessions.until.is_empty());
    }

    #[test]
    fn too_many_at_rest_stop_the_giving_out() {
        let (mut sessions, mut random) = (Sessions::default(), Seed::new([1; 32]).fork("sessions"));
        let mut given = 0;
        while let Some(session) = sessions.take(Instant::BOOT, InterfaceId(0), Owner::Answering, &mut random)
        {
            sessions.retire(Instant::BOOT, (InterfaceId(0), session));
            given += 1;
        }
        assert_eq!(given, RESTING);
        let own = sessions.take(Instant::BOOT, InterfaceId(0), Owner::Opening, &mut random);
        assert!(own.is_some(), "this node's own find one still");
    }

    #[test]
    fn a_flood_on_one_interface_leaves_every_other_its_share() {
        let (mut sessions, mut random) = (Sessions::default(), Seed::new([1; 32]).fork("sessions"));
        let mut flood = |sessions: &mut Sessions, iface: u8| {
            let mut given = 0;
            while let Some(session) =
                sessions.take(Instant::BOOT, InterfaceId(iface), Owner::Answering, &mut random)
            {
                sessions.retire(Instant::BOOT, (InterfaceId(iface), session));
                given += 1;
            }
            given
        };
        assert_eq!(flood(&mut sessions, 0), RESTING);
        assert_eq!((flood(&mut sessions, 1), flood(&mut sessions, 2)), (SHARE, SHARE));
        sessions.wake(Instant::BOOT.after(REST));
        assert!(sessions.resting.is_empty() && sessions.resting_on.is_empty());
        assert_eq!(flood(&mut sessions, 1), RESTING, "and no more for what is over");
    }
}
