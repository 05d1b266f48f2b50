//! Passing on: others' announces to whoever did not hear them, once for each emission, and to those who come later.

use alloc::vec;
use alloc::vec::Vec;

use nexus_crypto::{DestinationHash, IdentityHash};
use nexus_machine::{Cx, Duration, Inserted, Instant, Relaying, Sink};
use nexus_wire::nexus::Layout as _;
use nexus_wire::nexus::frame::HEADER_LEN;
use nexus_wire::nexus::message::MessageWriter;
use nexus_wire::nexus::path_cost::{CompactPathCost, CostCode};
use nexus_wire::nexus::traffic;
use nexus_wire::reticulum::relay::HEADROOM;
use nexus_wire::reticulum::{Announce, Context, Hops, Packet, PacketMut, Propagation};

use super::bringers::Bringer;
use super::budget::Purpose;
use super::costs::{Outlet, Telling};
use super::known::{Neighbour, Told, Via};
use super::speaking::Introduced;
use super::speech::{Leave, TELL_OVERHEAD};
use super::{Announces, Effect, Timer, count};
use crate::links::LinkId;
use crate::overheard::Carrier;

/// In clear and on slow links an announce is passed on after a random wait of up to this, so that neighbours do not all
/// speak at once.
const SPREAD: Duration = Duration::from_millis(500);
/// On fast links they hardly can.
const FAST_SPREAD: Duration = Duration::from_millis(20);
/// How many places are passed over at once in search of something to tell.
const PLACES_AT_ONCE: u32 = 256;
/// The bit of the first byte that promises a transport id.
const HEADER_2: u8 = 0x40;
/// The bit of the first byte that says that relays carry a packet.
const TRANSPORT: u8 = 0x10;

/// An announce to be passed on.
#[derive(Debug)]
pub(super) struct Relay {
    from: Via,
    /// Who said it, if it came over a link: that one may be gone by the time that this is passed on.
    peer: Option<IdentityHash>,
    to: Audience,
    fast_links: FastLinks,
    /// The packet as links carry it.
    packet: Vec<u8>,
}

/// Who has not heard it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Audience {
    /// Whoever is there.
    Everybody,
    /// This emission was passed on before: links only, whose peers may have lost the same path.
    Links,
    /// It came as an answer: it is kept for whoever asks.
    Askers,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum FastLinks {
    Waiting,
    Told,
}

impl Announces {
    /// Keeps a verified announce for those who come later, and passes it on soon.
    pub(super) fn pass_on(
        &mut self,
        cx: Cx,
        packet: &Packet<'_>,
        announce: &Announce<'_>,
        from: Neighbour,
        to: Audience,
    ) {
        let destination = announce.destination;
        // What was kept or waits may be of an older emission, which must not leave.
        self.cache.forget(&destination);
        self.speech.forget(&destination);
        let waiting = self.relays.remove(&destination);
        // The same emission, unless everybody is to hear this one: who was to hear it still is.
        let to = waiting.filter(|_| to == Audience::Links).map_or(to, |waiting| waiting.to);
        let Neighbour { hops, via } = from;
        if cx.config.relaying == Relaying::Off || hops.counted().is_none() {
            return;
        }
        if !announce.is_relayable() {
            return count(&mut self.refusals.too_long);
        }
        let packet = passed_on(packet, hops);
        self.keep(destination, packet.clone());
        if to == Audience::Askers || self.is_withheld(cx.now, &destination) {
            return;
        }
        if to == Audience::Everybody && !self.is_program(via.iface()) {
            self.rebroadcast_later(cx.now, destination, announce.claim.random_hash);
        }
        self.speak_later(cx.now, destination, hops.get(), packet.len());
        let peer = via.link().and_then(|link| self.links.get(link)).map(|neighbouring| neighbouring.peer);
        let relay = Relay { from: via, peer, to, fast_links: FastLinks::Waiting, packet };
        if let Inserted::Refused(_) = self.relays.insert(destination, relay) {
            return count(&mut self.refusals.crowded);
        }
        let any_fast = self.links.iter().any(|(_, neighbouring)| neighbouring.is_fast());
        let fast = any_fast.then_some((Timer::FastRelay(destination), FAST_SPREAD));
        for (timer, spread) in fast.into_iter().chain([(Timer::Relay(destination), SPREAD)]) {
            let wait = Duration::from_micros(self.random.below(spread.as_micros()));
            // Never at once: an answer in the same instant would be a loop without time.
            self.deadlines.set(timer, cx.now.after(wait).after(Duration::from_micros(1)));
        }
    }

    /// Keeps an announce that verified before, for whoever asks for it.
    pub(super) fn keep_if_missing(&mut self, packet: &Packet<'_>, hops: Hops) {
        if !self.cache.holds(&packet.destination) {
            self.keep(packet.destination, passed_on(packet, hops));
        }
    }

    /// Whether a destination of which nothing was said here yet is not passed on, since the neighbour that brought it brings too many. It is known, and
    /// found by whoever asks.
    fn is_withheld(&mut self, now: Instant, destination: &DestinationHash) -> bool {
        let Some(known) = self.known.get_mut(destination) else { return false };
        known.is_withheld = match known.brought_by {
            Bringer::Peer(peer) if known.told.is_none() => !self.newcomers.takes(peer, now),
            Bringer::Peer(_) | Bringer::Clear(_) => false,
        };
        if known.is_withheld {
            count(&mut self.refusals.withheld);
        }
        known.is_withheld
    }

    /// What is kept counts for whoever brought its destination.
    fn keep(&mut self, destination: DestinationHash, packet: Vec<u8>) {
        if let Some(known) = self.known.get(&destination) {
            self.cache.keep(destination, known.brought_by, packet);
        }
    }

    pub(super) fn relay_on_fast_links(
        &mut self,
        now: Instant,
        destination: DestinationHash,
        out: &mut impl Sink<Effect>,
    ) {
        if !self.relays.contains(&destination) {
            return;
        }
        // Links would take this node for the next hop: without a path they hear of it when there is one again.
        let Some(Told { cost, .. }) = self.quote_announced(now, &destination) else { return };
        let is_in_clear = self.is_in_clear(&destination);
        let emitted_at = self.known.get(&destination).map_or(0, |known| known.emitted_at);
        let Some(relay) = self.relays.get_mut(&destination) else { return };
        relay.fast_links = FastLinks::Told;
        let (mut later, mut costs) = (Vec::new(), Vec::new());
        for (link, neighbouring) in self.links.iter() {
            let is_told = neighbouring.is_fast()
                && !self.speech.is_on(neighbouring.iface)
                && relay.peer != Some(neighbouring.peer);
            let has_it = self.speech.has(&destination, emitted_at, link);
            if is_told && (has_it || is_in_clear && neighbouring.is_crossing()) {
                costs.push(link);
            } else if is_told {
                match self.speech.tells(neighbouring.iface, now, relay.packet.len()) {
                    Leave::Given => out.push(tell(link, destination, cost, &relay.packet)),
                    Leave::Later => later.push(neighbouring.iface),
                }
            }
        }
        for iface in later {
            self.speak_when_free(now, iface, destination);
        }
        self.tell_costs_alone(now, &costs, &destination);
    }

    /// Whoever said an announce itself, or is across stock nodes that carry it, is told what it costs here. Who does not acknowledge that is told
    /// the announce when it is said again.
    fn tell_costs_alone(&mut self, now: Instant, links: &[LinkId], destination: &DestinationHash) {
        for link in links {
            self.owe_one(now, Some(*link), destination);
        }
    }

    pub(super) fn relay(&mut self, now: Instant, destination: DestinationHash, out: &mut impl Sink<Effect>) {
        self.deadlines.cancel(Timer::FastRelay(destination));
        let Some(relay) = self.relays.remove(&destination) else { return };
        let quoted = self.quote_announced(now, &destination);
        let is_in_clear = self.is_in_clear(&destination);
        let emitted_at = self.known.get(&destination).map_or(0, |known| known.emitted_at);
        let (mut later, mut told, mut costs) = (Vec::new(), Vec::new(), Vec::new());
        for (link, neighbouring) in self.links.iter() {
            let is_told = self.speech.is_on(neighbouring.iface)
                || neighbouring.is_fast() && relay.fast_links == FastLinks::Told;
            if let Some(Told { cost, .. }) =
                quoted.filter(|_| !is_told && relay.peer != Some(neighbouring.peer))
            {
                let has_it = self.speech.has(&destination, emitted_at, link);
                if has_it || is_in_clear && neighbouring.is_crossing() {
                    costs.push(link);
                    continue;
                }
                match self.speech.tells(neighbouring.iface, now, relay.packet.len()) {
                    Leave::Given => {
                        out.push(tell(link, destination, cost, &relay.packet));
                        told.push(link);
                    }
                    Leave::Later => later.push(neighbouring.iface),
                }
            }
        }
        for iface in later {
            self.speak_when_free(now, iface, destination);
        }
        for link in told {
            self.remind_later(now, Outlet::Link(link), &destination, Telling::FIRST);
        }
        self.tell_costs_alone(now, &costs, &destination);
        if quoted.is_some_and(|told| told.over.link() != relay.from.link()) {
            // Whoever said it first is not on the way any more, and may need it.
            self.owe_one(now, relay.from.link(), &destination);
        }
        self.repeat_later(now, destination, 0);
    }

    /// Tells `link` of the next destination that was known when it came up, and not through its own peer.
    pub(super) fn tell_next(&mut self, cx: Cx, link: LinkId, out: &mut impl Sink<Effect>) {
        let Some(neighbouring) = self.links.get(link) else { return };
        if self.speech.is_shared(neighbouring.iface) {
            return self.introduce_next(cx, link, out);
        }
        if cx.config.relaying == Relaying::Off {
            return;
        }
        if let Some(busy_until) =
            self.speech.budgets.busy_until(neighbouring.iface, Purpose::Announce, cx.now)
        {
            return self.deadlines.set(Timer::Tell(link), busy_until);
        }
        for _ in 0..PLACES_AT_ONCE {
            let Some(neighbouring) = self.links.get_mut(link) else { return };
            let Some(place) = self.known.next_place(neighbouring.told) else {
                return self.tell_again(cx.now, link);
            };
            neighbouring.told = Some(place);
            let (up_at, (_, _, destination)) = (neighbouring.up_at, place);
            let is_first_time_across = neighbouring.is_crossing() && neighbouring.told_again == 0;
            if neighbouring.is_crossing() && !is_first_time_across && self.repeats.contains(&destination) {
                // It was told the cost, and is told the announce when that is said again.
                continue;
            }
            let Some(known) = self.known.get(&destination).filter(|known| !known.is_withheld) else {
                continue;
            };
            // What was heard since is passed on in any case.
            let has = self.speech.has(&destination, known.emitted_at, link);
            let due = known.heard_at < up_at && !self.has_heard(link, &destination);
            let Some(via) = self.offered_over(&destination).filter(|_| due) else { continue };
            if self.links.leads_to_same(via, link) || !self.cache.holds(&destination) {
                continue;
            }
            let Some(Told { cost, .. }) = self.quote_announced(cx.now, &destination) else { continue };
            if has || is_first_time_across && self.is_in_clear(&destination) {
                // It has the announce from others, or may have, and may not know of the way over this link.
                self.owe_one(cx.now, Some(link), &destination);
                continue;
            }
            let Some(packet) = self.cache.take_up(&destination) else { continue };
            out.push(tell(link, destination, cost, packet));
            let len = packet.len();
            self.spend_on(cx.now, link, len);
            self.owe_generation(cx.now, Outlet::Link(link), &destination);
            return self.tell_on(cx, link, len);
        }
        self.tell_on(cx, link, 0);
    }

    /// The same on a medium where one frame is heard by many, this node's own announce first.
    fn introduce_next(&mut self, cx: Cx, link: LinkId, out: &mut impl Sink<Effect>) {
        let Some(neighbouring) = self.links.get(link) else { return };
        let (heard_from, iface) = (neighbouring.hears_since.unwrap_or(cx.now), neighbouring.iface);
        let is_dense = self.is_dense(iface);
        if let Some(busy_until) = self.speech.budgets.busy_until(iface, Purpose::Announce, cx.now) {
            return self.deadlines.set(Timer::Tell(link), busy_until);
        }
        if neighbouring.told.is_none()
            && let Introduced::Told(len) = self.introduce(cx, link, self.own.destination(), out)
        {
            return self.tell_on(cx, link, len);
        }
        for _ in 0..PLACES_AT_ONCE {
            let Some(neighbouring) = self.links.get_mut(link) else { return };
            let Some(place) = self.known.next_place(neighbouring.told) else { return };
            neighbouring.told = Some(place);
            let (_, _, destination) = place;
            // Where many hear each other, whoever comes hears those on the channel itself, or from its refresh on.
            let known = self.known.get(&destination);
            let is_older = known.is_some_and(|known| known.heard_at < heard_from && !known.is_withheld);
            let due = self.offered_over(&destination).is_some_and(|via| {
                let is_heard_there = is_dense && via.iface() == iface;
                is_older && !is_heard_there && !self.links.leads_to_same(via, link)
            });
            if due && let Introduced::Told(len) = self.introduce(cx, link, destination, out) {
                return self.tell_on(cx, link, len);
            }
        }
        self.tell_on(cx, link, 0);
    }

    /// Sets the moment at which `link` is told more, after `len` bytes.
    pub(super) fn tell_on(&mut self, cx: Cx, link: LinkId, len: usize) {
        if let Some(neighbouring) = self.links.get(link) {
            let at = cx.now.after(neighbouring.telling_interval(len));
            self.deadlines.set(Timer::Tell(link), at);
        }
    }

    /// The peer of `link` sent an older emission than is known: it may not know how late it is, and be believed by nobody.
    pub(super) fn correct(
        &mut self,
        cx: Cx,
        link: LinkId,
        destination: DestinationHash,
        out: &mut impl Sink<Effect>,
    ) {
        let Some(peer) = self.links.get(link).map(|neighbouring| neighbouring.peer) else { return };
        if destination == self.own.destination() {
            if let Some(own) = self.own.current()
                && self.links.may_correct(link, destination, cx.now)
            {
                out.push(tell(link, destination, CompactPathCost::ORIGIN, &own.bytes));
                let len = own.bytes.len();
                self.spend_on(cx.now, link, len);
                self.owe_generation(cx.now, Outlet::Link(link), &destination);
            }
            return;
        }
        let Some(known) = self.known.get(&destination) else { return };
        let is_peers_own = known.public.hash() == peer;
        if cx.config.relaying == Relaying::Off && !is_peers_own || !self.cache.holds(&destination) {
            return;
        }
        // To whom it is about, no cost says anything, and no path leads through this node.
        let quoted = if is_peers_own {
            None
        } else {
            self.quote_announced(cx.now, &destination).map(|told| told.cost)
        };
        let Some(cost) = quoted.or(is_peers_own.then_some(UNKNOWN)) else { return };
        if self.links.may_correct(link, destination, cx.now)
            && let Some(packet) = self.cache.take_up(&destination)
        {
            out.push(tell(link, destination, cost, packet));
            let len = packet.len();
            self.spend_on(cx.now, link, len);
            self.owe_generation(cx.now, Outlet::Link(link), &destination);
        }
    }

    /// An announce of `len` bytes was told to a link.
    pub(super) fn spend_on(&mut self, now: Instant, link: LinkId, len: usize) {
        if let Some(other) = self.links.get(link) {
            let len = len.saturating_add(TELL_OVERHEAD);
            self.speech.budgets.spend(other.iface, now, len, Carrier::OwnLink);
        }
    }
}

/// The cost of what is no path.
const UNKNOWN: CompactPathCost =
    CompactPathCost { cumulative_cost: CostCode::Unknown, ..CompactPathCost::ORIGIN };

/// The plaintext that says an announce to a link, behind room for the frame's header.
pub(super) fn tell(link: LinkId, about: DestinationHash, cost: CompactPathCost, packet: &[u8]) -> Effect {
    Effect::Tell { link, about, plaintext: message_of(cost, packet) }
}

/// One ANNOUNCE without a length, behind room for the frame's header. Source: spec/wire.md#traffic.
pub(super) fn message_of(cost: CompactPathCost, packet: &[u8]) -> Vec<u8> {
    let message = traffic::Announce { cost, packet };
    let len = message.encoded_len().saturating_add(1);
    let mut plaintext = vec![0; HEADER_LEN.saturating_add(len)];
    let room = plaintext.get_mut(HEADER_LEN..).unwrap_or_default();
    MessageWriter::new(room).put_last(&message).expect("the buffer has the message's own length");
    plaintext
}

/// An announce that came `hops`, as this node passes it on over links.
fn passed_on(packet: &Packet<'_>, hops: Hops) -> Vec<u8> {
    on_link(&Packet {
        propagation: Propagation::Transport,
        hops,
        transport: None,
        context: Context::NONE,
        ..*packet
    })
}

/// `packet`, of whose header the transport id is to be left out, as links carry it: the bit that promises it is set.
fn on_link(packet: &Packet<'_>) -> Vec<u8> {
    let mut bytes = vec![0; packet.encoded_len()];
    packet.encode(&mut bytes).expect("the buffer has the packet's own length");
    if let Some(flags) = bytes.first_mut() {
        *flags |= HEADER_2;
    }
    bytes
}

/// A packet as links carry it, as it is spoken in clear by the relay `transport`.
pub(super) fn in_clear(on_link: &[u8], transport: IdentityHash) -> Vec<u8> {
    let mut bytes = vec![0; HEADROOM.saturating_add(on_link.len())];
    bytes.get_mut(HEADROOM..).unwrap_or_default().copy_from_slice(on_link);
    PacketMut::restore_transport(&mut bytes, transport).expect("it was made by leaving the transport id out");
    bytes
}

/// The same as its originator spoke it.
pub(super) fn originated(on_link: &[u8]) -> Vec<u8> {
    let mut bytes = on_link.to_vec();
    if let Some(flags) = bytes.first_mut() {
        *flags &= !(HEADER_2 | TRANSPORT);
    }
    bytes
}

/// Clears the bit that promises a transport id, which links leave out: what remains is read as a packet without one.
/// Returns whether it was set; none if nothing is there.
pub(super) fn take_promise(packet: &mut [u8]) -> Option<Promise> {
    let flags = packet.first_mut()?;
    let promise = if *flags & HEADER_2 == 0 { Promise::Absent } else { Promise::Present };
    *flags &= !HEADER_2;
    Some(promise)
}

/// Whether a packet on a link stands for one with a transport id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Promise {
    /// The transport id is the sender's.
    Present,
    /// The sender is the originator.
    Absent,
}
