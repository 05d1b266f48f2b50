//! Frames that were sent: on their way, and kept for a script to repeat or change.

use std::collections::VecDeque;

use nexus_network::Endpoint;

/// So many are on their way at most, the oldest being lost, and so many are kept.
pub(super) const KEPT: usize = 64;

/// A frame on its way.
pub(super) struct Flight {
    pub(super) from: usize,
    pub(super) iface: usize,
    pub(super) to: Option<Endpoint>,
    pub(super) bytes: Vec<u8>,
}

/// All of them. A script's numbers are taken modulo what there is.
#[derive(Default)]
pub(super) struct Flights {
    on_their_way: VecDeque<Flight>,
    /// The latest that were sent, whether they arrived or not: the latest is the first.
    flown: VecDeque<Vec<u8>>,
}

impl Flights {
    pub(super) fn begin(&mut self, flight: Flight) {
        self.flown.push_front(flight.bytes.clone());
        self.flown.truncate(KEPT);
        self.on_their_way.push_back(flight);
        if self.on_their_way.len() > KEPT {
            self.on_their_way.pop_front();
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.on_their_way.is_empty()
    }

    /// Takes one that is on its way.
    pub(super) fn take(&mut self, nth: u8) -> Option<Flight> {
        let at = usize::from(nth) % self.on_their_way.len().max(1);
        self.on_their_way.remove(at)
    }

    /// One that is on its way never arrives.
    pub(super) fn lose(&mut self, nth: u8) {
        self.take(nth);
    }

    /// The bytes of one of the latest; none if nothing was sent.
    pub(super) fn flown(&self, nth: u8) -> Vec<u8> {
        let at = usize::from(nth) % self.flown.len().max(1);
        self.flown.get(at).cloned().unwrap_or_default()
    }
}
