//! Who is there: whoever was heard of late.

use std::collections::BTreeMap;
use std::net::Ipv6Addr;

use tokio::time::{Duration, Instant};

/// Where a peer is: its address means something on one network only.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct At {
    /// The index of the network.
    pub(super) network: u32,
    pub(super) address: Ipv6Addr,
}

/// After so long a silence a peer is gone, as for stock nodes.
pub(super) const SILENCE: Duration = Duration::from_secs(22);
/// How often each peer is told alone that this node is there: some networks carry multicast one way.
pub(super) const REVERSE_EVERY: Duration = Duration::from_millis(5_200);

/// Peers, with what the driver keeps for each. At most so many as were said.
#[derive(Debug)]
pub(super) struct Peers<T> {
    all: BTreeMap<At, Peer<T>>,
    most: usize,
}

#[derive(Debug)]
struct Peer<T> {
    heard_at: Instant,
    told_at: Instant,
    kept: T,
}

/// What a beacon says to who keeps the peers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Heard {
    /// A peer goes on being there.
    Again,
    /// Somebody is there who was not, and there is room.
    Newcomer,
    /// Somebody is there for whom there is no room.
    Crowded,
}

impl<T> Peers<T> {
    pub(super) const fn at_most(most: usize) -> Self {
        Self { all: BTreeMap::new(), most }
    }

    /// Somebody was heard.
    pub(super) fn hear(&mut self, now: Instant, at: At) -> Heard {
        if let Some(peer) = self.all.get_mut(&at) {
            peer.heard_at = now;
            return Heard::Again;
        }
        if self.all.len() < self.most { Heard::Newcomer } else { Heard::Crowded }
    }

    /// A newcomer is a peer, and was told that this node is there.
    pub(super) fn welcome(&mut self, now: Instant, at: At, kept: T) {
        self.all.insert(at, Peer { heard_at: now, told_at: now, kept });
    }

    /// What is kept for a peer.
    pub(super) fn get(&self, at: At) -> Option<&T> {
        self.all.get(&at).map(|peer| &peer.kept)
    }

    /// Takes out those that fell silent.
    pub(super) fn take_silent(&mut self, now: Instant) -> Vec<T> {
        self.take(|_, peer| now.duration_since(peer.heard_at) > SILENCE)
    }

    /// Takes out those of a network.
    pub(super) fn take_of(&mut self, network: u32) -> Vec<T> {
        self.take(|at, _| at.network == network)
    }

    /// Takes out all.
    pub(super) fn take_all(&mut self) -> Vec<T> {
        self.take(|_, _| true)
    }

    fn take(&mut self, goes: impl Fn(&At, &Peer<T>) -> bool) -> Vec<T> {
        self.all.extract_if(.., |at, peer| goes(at, peer)).map(|(_, peer)| peer.kept).collect()
    }

    /// Those to be told again that this node is there; they count as told.
    pub(super) fn tell_again(&mut self, now: Instant) -> Vec<At> {
        let due = self.all.iter_mut().filter(|(_, peer)| now.duration_since(peer.told_at) >= REVERSE_EVERY);
        due.map(|(at, peer)| {
            peer.told_at = now;
            *at
        })
        .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(network: u32, host: u16) -> At {
        At { network, address: Ipv6Addr::new(0xFE80, 0, 0, 0, 0, 0, 0, host) }
    }

    fn met(peers: &mut Peers<u16>, now: Instant, place: At, kept: u16) {
        assert_eq!(peers.hear(now, place), Heard::Newcomer);
        peers.welcome(now, place, kept);
    }

    #[test]
    fn a_peer_that_is_silent_for_22_seconds_is_gone_and_may_come_back() {
        let (mut peers, start) = (Peers::at_most(4), Instant::now());
        met(&mut peers, start, at(1, 7), 7);
        met(&mut peers, start, at(1, 8), 8);
        let later = start + Duration::from_secs(10);
        assert_eq!(peers.hear(later, at(1, 8)), Heard::Again);
        assert_eq!(peers.take_silent(start + SILENCE), Vec::<u16>::new());
        assert_eq!(peers.take_silent(start + SILENCE + Duration::from_millis(1)), [7]);
        assert_eq!((peers.get(at(1, 7)), peers.get(at(1, 8))), (None, Some(&8)));
        assert_eq!(peers.take_silent(later + SILENCE + Duration::from_millis(1)), [8]);
        met(&mut peers, later + SILENCE * 2, at(1, 7), 9);
    }

    #[test]
    fn one_address_on_two_networks_is_two_peers_and_a_network_goes_with_its_own() {
        let (mut peers, now) = (Peers::at_most(4), Instant::now());
        met(&mut peers, now, at(1, 7), 17);
        met(&mut peers, now, at(2, 7), 27);
        assert_eq!(peers.take_of(1), [17]);
        assert_eq!((peers.get(at(1, 7)), peers.get(at(2, 7))), (None, Some(&27)));
        assert_eq!(peers.take_all(), [27]);
    }

    #[test]
    fn who_comes_when_there_is_no_room_is_no_peer_until_another_goes() {
        let (mut peers, start) = (Peers::at_most(2), Instant::now());
        met(&mut peers, start, at(1, 1), 1);
        met(&mut peers, start + Duration::from_secs(1), at(1, 2), 2);
        assert_eq!(peers.hear(start + Duration::from_secs(2), at(1, 3)), Heard::Crowded);
        assert_eq!(peers.hear(start + Duration::from_secs(2), at(1, 2)), Heard::Again);
        assert_eq!(peers.take_silent(start + SILENCE + Duration::from_secs(1)), [1]);
        met(&mut peers, start + SILENCE + Duration::from_secs(1), at(1, 3), 3);
    }

    #[test]
    fn each_peer_is_told_every_5_2_seconds() {
        let (mut peers, start) = (Peers::at_most(4), Instant::now());
        met(&mut peers, start, at(1, 7), 7);
        met(&mut peers, start + Duration::from_secs(3), at(1, 8), 8);
        assert_eq!(peers.tell_again(start + Duration::from_secs(5)), []);
        assert_eq!(peers.tell_again(start + REVERSE_EVERY), [at(1, 7)]);
        assert_eq!(peers.tell_again(start + REVERSE_EVERY * 2), [at(1, 7), at(1, 8)]);
    }
}
