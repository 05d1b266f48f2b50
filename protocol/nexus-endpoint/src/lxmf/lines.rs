//! Links with those who are written to, and with those who write. Source: spec/lxmf.md#organ.

use nexus_crypto::{DestinationHash, IdentityPublic, NameHash};
use nexus_machine::{Cx, Instant, Sink};
use nexus_wire::reticulum::LinkId;
use nexus_wire::reticulum::lxmf::DELIVERY;

use super::contract::Effect;
use super::{IDLE, Lxmf, Timer};
use crate::contract::{Command as Wish, Handle, Side, Up};

/// A link.
#[derive(Debug)]
pub(super) struct Line {
    /// Who is at its other end, once that is known.
    peer: Option<DestinationHash>,
    side: Side,
    /// Whether the other end was told who this one is.
    known: Known,
    used: Instant,
    /// The longest message that a packet on it carries, in bytes.
    pub(super) room: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Known {
    NotYet,
    Known,
}

impl Lxmf {
    /// A link with that address, whoever made it.
    pub(super) fn line_to(&self, peer: &DestinationHash) -> Option<(LinkId, usize)> {
        let line = self.lines.iter().find(|(_, line)| line.peer.as_ref() == Some(peer));
        line.map(|(link, line)| (*link, line.room))
    }

    /// Who is at the other end of a link.
    pub(super) fn line_peer(&self, link: &LinkId) -> Option<DestinationHash> {
        self.lines.get(link)?.peer
    }

    pub(super) fn line_up(&mut self, cx: Cx, handle: Option<Handle>, up: Up, out: &mut impl Sink<Effect>) {
        let Up { link, destination, side, measures } = up;
        if let Some(handle) = handle {
            self.errands.remove(&handle);
        }
        if self.lines.len() >= self.limits.lines {
            // Whoever was not heard or spoken to for longest gives way.
            let oldest = self.lines.iter().min_by_key(|(_, line)| line.used).map(|(link, _)| *link);
            if let Some(oldest) = oldest {
                self.hang_up(cx.now, oldest, out);
            }
        }
        let peer = (side == Side::Initiator).then_some(destination);
        let room = usize::try_from(measures.data_len).unwrap_or(usize::MAX);
        self.lines.insert(link, Line { peer, side, known: Known::NotYet, used: cx.now, room });
        if side == Side::Initiator {
            self.deadlines.set(Timer::Idle(link), cx.now.after(IDLE));
            self.calls.remove(&destination);
            self.say_all(cx, destination, out);
            if self.is_node(&destination) {
                self.node_answered(link, out);
            }
        }
    }

    pub(super) fn is_node(&self, peer: &DestinationHash) -> bool {
        self.presence.as_ref().is_some_and(|presence| presence.node.as_ref() == Some(peer))
    }

    pub(super) fn line_down(&mut self, now: Instant, link: LinkId) {
        self.lines.remove(&link);
        self.visit_cut(now, link);
        self.deadlines.cancel(Timer::Idle(link));
    }

    fn hang_up(&mut self, now: Instant, link: LinkId, out: &mut impl Sink<Effect>) {
        self.line_down(now, link);
        out.push(Effect::Endpoint(Wish::Close { link }));
    }

    pub(super) fn used(&mut self, now: Instant, link: LinkId) {
        if let Some(line) = self.lines.get_mut(&link) {
            line.used = now;
        }
    }

    /// Whoever made a link said who it is: this end may write on it.
    pub(super) fn identified(&mut self, link: LinkId, identity: &IdentityPublic) {
        if let Some(line) = self.lines.get_mut(&link) {
            line.peer = Some(DestinationHash::of(NameHash::of(DELIVERY), identity.hash()));
        }
    }

    /// Its other end is told who this one is, once: after a message was proved it may write on the link, too.
    pub(super) fn introduce(&mut self, link: LinkId, out: &mut impl Sink<Effect>) {
        let Some(there) = self.lines.get_mut(&link) else { return };
        if there.side == Side::Initiator && there.known == Known::NotYet {
            there.known = Known::Known;
            out.push(Effect::Endpoint(Wish::Identify { link }));
        }
    }

    /// Closes a link that was not used for long.
    pub(super) fn idle(&mut self, now: Instant, link: LinkId, out: &mut impl Sink<Effect>) {
        let Some(there) = self.lines.get(&link) else { return };
        let until = there.used.after(IDLE);
        if until > now {
            return self.deadlines.set(Timer::Idle(link), until);
        }
        self.hang_up(now, link, out);
    }
}
