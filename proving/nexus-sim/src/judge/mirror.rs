//! A disk as an honest observer knows it.

use std::collections::VecDeque;

use nexus_machine::{Snapshot, Ticket, Write};
use nexus_node::Output;

use crate::observation::Act;

/// What a node's disk would yield after a crash at this moment, at the least.
#[derive(Debug, Default)]
pub(super) struct Mirror {
    durable: Snapshot,
    pending: VecDeque<(Ticket, Vec<Write>)>,
}

impl Mirror {
    /// Takes note of what a node did.
    pub(super) fn observe(&mut self, act: &Act<'_>) {
        match act {
            Act::Booted { snapshot, .. } => {
                *self = Self { durable: (*snapshot).clone(), pending: VecDeque::new() };
            }
            Act::Durable(through) => self.complete(*through),
            Act::Took(Output::Persist { ticket, writes }) => {
                self.pending.push_back((*ticket, writes.clone()));
            }
            Act::Took(Output::Transmit { .. } | Output::Sense { .. } | Output::Event(_))
            | Act::Crashed
            | Act::Given { .. }
            | Act::Woken { .. }
            | Act::Rested { .. } => {}
        }
    }

    /// What is durable.
    pub(super) const fn durable(&self) -> &Snapshot {
        &self.durable
    }

    fn complete(&mut self, through: Ticket) {
        while let Some((_, writes)) = self.pending.pop_front_if(|(ticket, _)| *ticket <= through) {
            for write in writes {
                self.durable.apply(write);
            }
        }
    }
}
