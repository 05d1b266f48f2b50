//! Which organ waits for which write.

use alloc::collections::VecDeque;
use alloc::vec::Vec;

use nexus_machine::{Ticket, Write};

use crate::contract::Output;

/// Who wrote.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Writer {
    Network(nexus_network::Writer),
    Secure(nexus_secure::Writer),
    Economy(nexus_economy::layer::Writer),
    Endpoint,
    Ledger,
    Purse,
}

/// The node-wide ticket counter, and which organ waits for which ticket.
#[derive(Debug, Default)]
pub(crate) struct Tickets {
    last: Ticket,
    /// In the order of the tickets. Bounded by the organs' gates.
    waiting: VecDeque<(Ticket, Writer, u64)>,
}

impl Tickets {
    /// Gates with room for 87 in all, and one write for each account of airtime, of which there are fewer than 512 names; three for each
    /// of 256 neighbours with whom there are accounts of money; a ring grows by doubling from four.
    pub(super) const MEMORY_BOUND: usize = 2_048 * size_of::<(Ticket, Writer, u64)>();

    pub(crate) fn issue(&mut self, by: Writer, number: u64, writes: Vec<Write>) -> Output {
        self.last = self.last.next();
        self.waiting.push_back((self.last, by, number));
        Output::Persist { ticket: self.last, writes }
    }

    pub(super) fn completed(&mut self, through: Ticket) -> Option<(Writer, u64)> {
        let (_, writer, number) = self.waiting.pop_front_if(|(ticket, _, _)| *ticket <= through)?;
        Some((writer, number))
    }
}
