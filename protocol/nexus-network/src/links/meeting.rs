//! Who links with whom on a shared channel, and when: everybody hears everybody at once, and the airtime is everybody's.
//! Spec: spec/network.md#beacons, spec/network.md#floods.

use alloc::collections::BTreeSet;

use nexus_crypto::NodeId;
use nexus_machine::{Cx, Duration, Sink};
use nexus_wire::nexus::Layout as _;
use nexus_wire::nexus::frame::{BeaconTag, First};

use super::answering::FirstHash;
use super::link::Link;
use super::opening::Aim;
use super::refusals::Refused;
use super::strangers::{Chosen, Heard, Turn};
use super::waiting::Put;
use super::{DialPlace, Effect, Interface, LinkId, Links, Timer};
use crate::interface::{InterfaceId, Reach};

/// From a handshake that could not begin for want of room to the next try.
const NO_ROOM_WAIT: Duration = Duration::from_secs(60);

impl Interface {
    /// Everybody in range hears what is sent, and nobody has an address.
    pub(super) fn is_shared(&self) -> bool {
        self.profile.reach == Reach::Shared
    }

    /// In how much time as many as are heard can all say something short.
    fn span_for_all(&self) -> Duration {
        let all = u64::try_from(self.strangers.len()).unwrap_or(u64::MAX).saturating_add(1);
        self.pace.frame_airtime.times(2).times(all)
    }
}

/// Whether of two it is on this node to begin: the lower tag begins where the lowest bits are the same, else the higher. So each
/// node begins with about half of the others, and both halves of the work are spread evenly.
pub(super) const fn begins(own: BeaconTag, theirs: BeaconTag) -> bool {
    let alike = (own.0 ^ theirs.0) & 1 == 0;
    alike == (own.0 < theirs.0)
}

impl Links {
    /// Somebody who may be a stranger said a tag on a shared channel.
    pub(super) fn heard_on_channel(&mut self, cx: Cx, iface: InterfaceId, tag: BeaconTag, accepts: bool) {
        let is_linked =
            self.tags.get(&(iface, tag)).is_some_and(|peer| self.by_peer.contains_key(&(iface, *peer)));
        let Some(interface) = self.interfaces.get_mut(&iface) else { return };
        if is_linked || !accepts {
            return interface.strangers.forget(tag);
        }
        let turn = if begins(interface.tag, tag) { Turn::Own } else { Turn::Theirs };
        let heard = interface.strangers.hear(cx.now, tag, turn, &mut self.random);
        match (turn, heard) {
            (Turn::Own, Heard::First | Heard::Again) => self.meet_soon(cx, iface),
            // Whoever is to begin must hear this node first.
            (Turn::Theirs, Heard::First) => {
                self.show(cx, iface);
                self.meet_soon(cx, iface);
            }
            (Turn::Theirs, Heard::Again) => {}
        }
    }

    /// Sees to it that a stranger is tried, after a random wait: others heard the same beacon.
    fn meet_soon(&mut self, cx: Cx, iface: InterfaceId) {
        let Some(interface) = self.interfaces.get(&iface) else { return };
        let Some(ready_at) = interface.strangers.next_at() else { return };
        let from = ready_at.max(cx.now).max(interface.airtime.begins_at());
        let span = interface.span_for_all().max(Duration::from_micros(1));
        // Not drawn again with every beacon: the shortest of many draws is no spread.
        if self.deadlines.get(Timer::Meeting(iface)).is_none_or(|set| from.after(span) < set) {
            let wait = Duration::from_micros(self.random.below(span.as_micros()).saturating_add(1));
            self.deadlines.set(Timer::Meeting(iface), from.after(wait));
        }
    }

    /// Begins with one of the strangers, if there is airtime for all of a handshake.
    pub(super) fn meet(&mut self, cx: Cx, iface: InterfaceId, out: &mut impl Sink<Effect>) {
        let unnamed = self.unnamed(iface);
        let full = self.is_full();
        let Some(interface) = self.interfaces.get_mut(&iface) else { return };
        if full {
            return self.deadlines.set(Timer::Meeting(iface), cx.now.after(NO_ROOM_WAIT));
        }
        if interface.airtime.begins_at() <= cx.now {
            let until = cx.now.after(interface.pace.patience().times(3));
            if let Some(chosen) = interface.strangers.choose(cx.now, unnamed, until, &mut self.random) {
                let Chosen { tag: target, since } = chosen;
                let aim = Aim { to: None, target, expected: None, since };
                if self.begin(cx, iface, aim, out).is_err() {
                    self.missed(cx, iface, target);
                    return self.deadlines.set(Timer::Meeting(iface), cx.now.after(NO_ROOM_WAIT));
                }
            } else {
                // Those whose turn it is to begin are waited for.
                let later = cx.now.after(interface.airtime.answer_spacing()).after(NO_ROOM_WAIT);
                if interface.strangers.next_at().is_some_and(|at| at <= cx.now) {
                    return self.deadlines.set(Timer::Meeting(iface), later);
                }
            }
        }
        self.meet_soon(cx, iface);
    }

    /// Nobody answered to this tag.
    pub(super) fn missed(&mut self, cx: Cx, iface: InterfaceId, tag: BeaconTag) {
        if let Some(interface) = self.interfaces.get_mut(&iface) {
            interface.strangers.failed(cx.now, tag);
        }
    }

    /// A peer answered to its tag, and never confirmed message 3. It may have read that all the same: then the link that there is has
    /// only this end, and the peer, whose other frames this node cannot open, is a stranger again, to be tried and not waited for.
    pub(super) fn estranged(&mut self, cx: Cx, met: DialPlace, peer: NodeId, out: &mut impl Sink<Effect>) {
        let (iface, _, tag) = met;
        let Some(interface) = self.interfaces.get_mut(&iface).filter(|interface| interface.is_shared())
        else {
            return;
        };
        if self.tags.get(&(iface, tag)) == Some(&peer) {
            self.tags.remove(&(iface, tag));
        }
        // Its answer was as good as a beacon.
        interface.strangers.hear(cx.now, tag, Turn::Own, &mut self.random);
        if let Some(id) = self.by_peer.get(&(iface, peer)).copied() {
            self.at_desk(cx, id, out, Link::probe);
            self.schedule(id);
        }
        self.meet_soon(cx, iface);
    }

    /// Whether no further link has room.
    pub(super) fn is_full(&self) -> bool {
        self.by_peer.len() >= usize::from(self.limits.links)
    }

    /// How many linked peers there are on an interface whose tags are not known.
    fn unnamed(&self, iface: InterfaceId) -> usize {
        let named: BTreeSet<NodeId> =
            self.tags.iter().filter(|((on, _), _)| *on == iface).map(|(_, peer)| *peer).collect();
        self.by_peer.keys().filter(|(on, peer)| *on == iface && !named.contains(peer)).count()
    }

    /// A first message on a shared channel, for this node: it waits for its turn.
    pub(super) fn first_on_channel(
        &mut self,
        cx: Cx,
        iface: InterfaceId,
        name: FirstHash,
        bytes: [u8; First::LEN],
        out: &mut impl Sink<Effect>,
    ) {
        let Some(interface) = self.interfaces.get_mut(&iface) else { return };
        if interface.waiting.put(cx.now, name, bytes, &mut self.random) == Put::Displaced {
            self.refusals.count(Refused::flooded);
        }
        self.answer_waiting(cx, iface, out);
    }

    /// Answers as many of the messages that wait as may be answered.
    pub(super) fn answer_waiting(&mut self, cx: Cx, iface: InterfaceId, out: &mut impl Sink<Effect>) {
        loop {
            let Some(interface) = self.interfaces.get_mut(&iface) else { return };
            if interface.waiting.is_empty(cx.now) {
                return self.deadlines.cancel(Timer::Waiting(iface));
            }
            let ready_at = interface.answers.holds_at(1).max(interface.airtime.answers_at());
            if ready_at > cx.now {
                return self.deadlines.set(Timer::Waiting(iface), ready_at);
            }
            let Some((name, bytes)) = interface.waiting.take(cx.now, &mut self.random) else { return };
            if !interface.answers.take(cx.now) || !interface.airtime.take_answer(cx.now) {
                return;
            }
            if let Ok(first) = First::decode(&bytes) {
                self.reply_to(cx, iface, None, &first, &bytes, name, out);
            }
        }
    }

    /// Probes on a shared channel are as rare as the number of links there requires.
    pub(super) fn space_probes(&mut self, iface: InterfaceId) {
        let Some(interface) = self.interfaces.get(&iface).filter(|interface| interface.is_shared()) else {
            return;
        };
        let on_it = || self.by_peer.iter().filter(|((on, _), _)| *on == iface);
        let count = u64::try_from(on_it().count()).unwrap_or(u64::MAX);
        let keepalive = interface.pace.keepalive.max(interface.airtime.probe_spacing(count));
        let links: alloc::vec::Vec<LinkId> = on_it().map(|(_, link)| *link).collect();
        for id in links {
            if let Some(link) = self.links.get_mut(id.0) {
                link.probe_after(keepalive);
            }
            self.schedule(id);
        }
    }
}
