//! Giving the key: over each link, again and again until the neighbour acknowledges it.

use core::fmt;

use alloc::vec::Vec;

use nexus_crypto::AeadKey;
use nexus_machine::{Cx, Duration, Instant, Sink};
use nexus_wire::nexus::control::{BroadcastKey, BroadcastKeyAck};
use nexus_wire::nexus::frame::{BeaconTag, BroadcastKeyId, HEADER_LEN, TAG_LEN};
use nexus_wire::nexus::message::{Body, MessageWriter};

use super::held::Kept;
use super::refusals::Refused;
use super::{Broadcast, Effect, Timer};
use crate::interface::Reach;
use crate::links::LinkId;
use crate::links::pace::jittered;

/// A neighbour's key, as it came over its link. Never printed, erased when dropped.
pub struct GivenKey {
    key_id: BroadcastKeyId,
    key: AeadKey,
    next_counter: u32,
    beacon_tag: BeaconTag,
}

impl GivenKey {
    /// What `BROADCAST_KEY` said.
    #[must_use]
    pub const fn of(message: &BroadcastKey<'_>) -> Self {
        Self {
            key_id: message.key_id,
            key: AeadKey::from_bytes(*message.key),
            next_counter: message.next_counter,
            beacon_tag: message.beacon_tag,
        }
    }
}

impl Clone for GivenKey {
    fn clone(&self) -> Self {
        Self { key: AeadKey::from_bytes(*self.key.expose()), ..*self }
    }
}

impl fmt::Debug for GivenKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GivenKey").field("key_id", &self.key_id).finish_non_exhaustive()
    }
}

/// What is said over a link, behind headroom. It may hold a key: never printed.
#[derive(Clone, PartialEq, Eq)]
pub struct Plaintext(Vec<u8>);

impl Plaintext {
    /// The bytes, with room for the frame's header before them.
    #[must_use]
    pub fn into_bytes(self) -> Vec<u8> {
        self.0
    }
}

impl fmt::Debug for Plaintext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Plaintext({} bytes)", self.0.len())
    }
}

/// The longest wait from one giving to the next where a byte is cheap,
const WAIT_MAX: Duration = Duration::from_secs(60);
/// and on a radio channel.
const RADIO_WAIT_MAX: Duration = Duration::from_secs(300);
/// From the moment that a newer key is given to the one at which the older is forgotten: until everybody must have the newer,
/// and a minute more.
const REPLACED_AFTER: Duration = Duration::from_secs(30 + 60);
/// Where an acknowledged key is not enough, a beacon says for so long that broadcasts pass.
pub(super) const BEACON_AGE: Duration = Duration::from_secs(120);

impl Broadcast {
    /// A neighbour is to be given the newest key: soon, so that its own key can be acknowledged with it.
    pub(super) fn give_soon(&mut self, now: Instant, link: LinkId) {
        let Some(channel) = self.peers.get(&link).and_then(|peer| self.channels.get(&peer.iface)) else {
            return;
        };
        let spread = Duration::from_secs(1).max(channel.frame_airtime.times(4));
        let wait = Duration::from_micros(self.random.below(spread.as_micros()).saturating_add(1));
        self.deadlines.set(Timer::Give(link), now.after(wait));
    }

    /// Gives the newest key, behind an acknowledgement that is owed, and sees to it that it is given again until it is
    /// acknowledged.
    pub(super) fn give(
        &mut self,
        cx: Cx,
        link: LinkId,
        ack: Option<BroadcastKeyAck>,
        out: &mut impl Sink<Effect>,
    ) {
        let Some(peer) = self.peers.get_mut(&link) else { return };
        let Some(channel) = self.channels.get(&peer.iface) else { return };
        let holds_newest = if channel.next.is_some() { peer.holds.next } else { peer.holds.current };
        let newest = channel.newest().filter(|_| !holds_newest);
        if let Some(plaintext) = plaintext(ack, newest.map(super::own::OwnKey::as_message).as_ref()) {
            out.push(Effect::Tell { link, plaintext });
        }
        if newest.is_none() {
            return;
        }
        let (first, longest) = match channel.reach {
            Reach::Shared => (channel.frame_airtime.times(16), RADIO_WAIT_MAX),
            Reach::PointToPoint | Reach::Addressed => (channel.frame_airtime, WAIT_MAX),
        };
        let first = first.plus(Duration::from_secs(2));
        peer.wait = peer.wait.times(2).max(first).min(longest.max(first));
        let wait = jittered(peer.wait, &mut self.random);
        self.deadlines.set(Timer::Give(link), cx.now.after(wait).after(Duration::from_micros(1)));
    }

    /// A neighbour acknowledged a key.
    pub(super) fn acknowledged(&mut self, link: LinkId, key_id: BroadcastKeyId, out: &mut impl Sink<Effect>) {
        let Some(peer) = self.peers.get_mut(&link) else { return };
        let Some(channel) = self.channels.get(&peer.iface) else { return };
        let is = |key: &Option<super::OwnKey>| key.as_ref().is_some_and(|key| key.id == key_id);
        let iface = peer.iface;
        if is(&channel.next) {
            peer.holds.next = true;
        } else if is(&channel.current) {
            peer.holds.current = true;
        } else {
            // Of a key that is no more.
            return;
        }
        let holds_newest = channel.next.is_none() || peer.holds.next;
        if holds_newest {
            self.deadlines.cancel(Timer::Give(link));
        }
        self.tell_hearing(link, out);
        self.use_if_all_hold(iface, out);
    }

    /// A neighbour gave its key.
    pub(super) fn given(&mut self, cx: Cx, link: LinkId, given: &GivenKey, out: &mut impl Sink<Effect>) {
        let Some(peer) = self.peers.get(&link) else { return };
        let Some(channel) = self.channels.get(&peer.iface) else { return };
        let GivenKey { key_id, ref key, next_counter, beacon_tag } = *given;
        let place = (peer.iface, key_id);
        match self.keyring.keep(place, link, key, next_counter, channel.window) {
            // Without an acknowledgement its broadcasts come over the link.
            Kept::Refused => return self.refusals.count(Refused::crowded),
            Kept::Again => {}
            Kept::First => out.push(Effect::Tagged { link, tag: beacon_tag }),
            Kept::Beside => {
                out.push(Effect::Tagged { link, tag: beacon_tag });
                self.deadlines.set(Timer::Forget(link), cx.now.after(REPLACED_AFTER));
            }
        }
        // This node's own key rides along, whenever it would have been given.
        self.give(cx, link, Some(BroadcastKeyAck { key_id }), out);
    }

    /// A beacon of a neighbour was heard.
    pub(super) fn beaconed(&mut self, cx: Cx, link: LinkId, out: &mut impl Sink<Effect>) {
        let Some(peer) = self.peers.get_mut(&link) else { return };
        peer.beaconed_at = Some(cx.now);
        let addressed = self.channels.get(&peer.iface).is_some_and(|channel| channel.reach != Reach::Shared);
        if addressed {
            self.deadlines.set(Timer::Lapse(link), cx.now.after(BEACON_AGE));
        }
        self.tell_hearing(link, out);
    }

    /// No beacon of a neighbour was heard for long.
    pub(super) fn lapsed(&mut self, link: LinkId, out: &mut impl Sink<Effect>) {
        if let Some(peer) = self.peers.get_mut(&link) {
            peer.beaconed_at = None;
        }
        self.tell_hearing(link, out);
    }

    /// Says whether a neighbour hears broadcasts, if that changed.
    pub(super) fn tell_hearing(&mut self, link: LinkId, out: &mut impl Sink<Effect>) {
        let Some(peer) = self.peers.get_mut(&link) else { return };
        let Some(channel) = self.channels.get(&peer.iface) else { return };
        let reached = match channel.reach {
            Reach::Shared => true,
            // Whoever has an address may be beyond where broadcasts reach.
            Reach::PointToPoint | Reach::Addressed => peer.beaconed_at.is_some(),
        };
        let hears = channel.current.is_some() && peer.holds.current && reached;
        if hears != peer.hears {
            peer.hears = hears;
            out.push(if hears { Effect::Hears(link) } else { Effect::Deaf(link) });
        }
    }
}

/// An acknowledgement, a key, or both.
fn plaintext(ack: Option<BroadcastKeyAck>, key: Option<&BroadcastKey<'_>>) -> Option<Plaintext> {
    if ack.is_none() && key.is_none() {
        return None;
    }
    let ack_len = ack.as_ref().map_or(0, MessageWriter::len_of);
    let len = ack_len.saturating_add(key.map_or(0, MessageWriter::len_of));
    let len = HEADER_LEN.saturating_add(len);
    let mut bytes = Vec::with_capacity(len.saturating_add(TAG_LEN));
    bytes.resize(len, 0);
    let mut writer = MessageWriter::new(bytes.get_mut(HEADER_LEN..).unwrap_or_default());
    if let Some(ack) = ack {
        put(&mut writer, &ack);
    }
    if let Some(key) = key {
        put(&mut writer, key);
    }
    Some(Plaintext(bytes))
}

fn put<'b>(writer: &mut MessageWriter<'_>, body: &impl Body<'b>) {
    writer.put(body).expect("the buffer has the messages' own length");
}
