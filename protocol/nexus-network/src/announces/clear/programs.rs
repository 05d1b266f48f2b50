//! Programs on this machine, each behind an interface of its own: this node speaks for them, and tells them all that it hears.
//!
//! What they announce is said at once, as this node's own is; what others announce they hear at once; what they ask for is answered
//! without a grace, or looked for everywhere. No hop is counted between them and this node. Source: spec/reticulum.md#programs.

use alloc::vec::Vec;

use nexus_crypto::DestinationHash;
use nexus_machine::{Cx, Instant, Sink};
use nexus_wire::reticulum::Hops;

use super::super::passing::Audience;
use super::super::{Announces, Effect, count};
use super::rebroadcasting::says;
use crate::interface::{InterfaceId, Role};
use crate::routes::NextHop;

impl Announces {
    /// Whether a program on this machine is behind an interface.
    pub(in super::super) fn is_program(&self, iface: InterfaceId) -> bool {
        self.interfaces.get(&iface).is_some_and(|medium| medium.profile.role == Role::Local)
    }

    /// Whether packets for `destination` are for a program on this machine.
    #[must_use]
    pub fn leads_to_program(&self, destination: &DestinationHash) -> bool {
        self.routes.offer(destination).is_some_and(|offer| match offer.next_hop() {
            NextHop::Clear(iface) => self.is_program(iface),
            NextHop::Link { .. } => false,
        })
    }

    /// How many hops away a program says that it is: none, unless it hides where it is.
    pub(super) fn hops_of_program(&self, destination: &DestinationHash, over: NextHop) -> Option<Hops> {
        match over {
            NextHop::Clear(iface) if self.is_program(iface) => {
                self.clear.hop(destination, iface).map(|hop| hop.hops)
            }
            NextHop::Clear(_) | NextHop::Link { .. } => None,
        }
    }

    /// Passes on what was heard on an interface: to programs whoever said it, and of a program to everybody in clear.
    pub(in super::super) fn pass_on_at_once(
        &mut self,
        now: Instant,
        destination: &DestinationHash,
        from: InterfaceId,
        to: Audience,
        out: &mut impl Sink<Effect>,
    ) {
        if to == Audience::Askers {
            return;
        }
        let is_of_program = self.is_program(from);
        let hear = |role| role == Role::Local || is_of_program && says(role, None);
        let others: Vec<InterfaceId> = self
            .interfaces
            .iter()
            .filter(|(iface, medium)| **iface != from && hear(medium.profile.role))
            .map(|(iface, _)| *iface)
            .collect();
        for iface in others {
            if let Some(bytes) = self.rebroadcast_of(now, destination) {
                self.say_in_clear(now, iface, *destination, bytes, out);
            }
        }
    }

    /// A program asks for a destination to which there is a way.
    pub(super) fn answer_program(
        &mut self,
        cx: Cx,
        iface: InterfaceId,
        wanted: &DestinationHash,
        out: &mut impl Sink<Effect>,
    ) {
        if self.answer_on(cx, iface, wanted, None, out) {
            count(&mut self.finding.counts.answered);
        }
    }
}
