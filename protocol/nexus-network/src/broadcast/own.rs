//! This node's own key on an interface: made, given to the neighbours, used, replaced.

use alloc::vec::Vec;

use nexus_crypto::hash::{blake3, truncate};
use nexus_crypto::sign::{DomainTag, Message};
use nexus_crypto::{AeadKey, NodeIdentity, Nonce};
use nexus_machine::{Cx, Duration, Sink, Stream};
use nexus_wire::nexus::control::{BroadcastKey, Signature, signed_preamble};
use nexus_wire::nexus::frame::{BeaconTag, BroadcastKeyId, HEADER_LEN, KeyName, SealedHeader};
use nexus_wire::nexus::message::MessageWriter;
use nexus_wire::nexus::recording::Direction;

use super::{Broadcast, Effect, Keyless, Timer};
use crate::interface::{DutyCycle, InterfaceId, Profile, Reach};
use crate::links::{LinkId, Traffic};
use crate::media::Frame;
use crate::tap::Tap;

/// A key is used once all neighbours acknowledged it, or after this.
const USED_AFTER: Duration = Duration::from_secs(30);
/// A key is used for so long,
const HOUR: Duration = Duration::from_secs(3_600);
/// or where a byte is dear.
const DAY: Duration = Duration::from_secs(24 * 3_600);
/// SIGNATURE without a length: its kind, and Ed25519's.
pub(crate) const SIGNATURE_LEN: usize = 1 + Signature::LEN;
/// How many bytes of a signed message are its domain tag.
const DOMAIN_LEN: usize = 16;

/// An interface on which one frame is heard by many.
#[derive(Debug)]
pub(super) struct Channel {
    pub(super) reach: Reach,
    /// The longest frame, in bytes, and how long it takes.
    pub(super) frame_size: u16,
    pub(super) frame_airtime: Duration,
    /// How many counters a replay window spans.
    pub(super) window: u16,
    /// How long a key is used before another is made.
    rekey_after: Duration,
    /// What broadcasts are sealed under.
    pub(super) current: Option<OwnKey>,
    /// What is being given, and not used yet.
    pub(super) next: Option<OwnKey>,
    names: Names,
    pub(super) sealed: Traffic,
    pub(super) opened: Traffic,
}

impl Channel {
    pub(super) fn new(profile: &Profile) -> Self {
        Self {
            reach: profile.reach,
            frame_size: profile.frame_size,
            frame_airtime: profile.airtime(usize::from(profile.frame_size)),
            window: match profile.reach {
                Reach::Shared => 64,
                Reach::PointToPoint | Reach::Addressed => 2_048,
            },
            rekey_after: if profile.is_slow() || profile.duty != DutyCycle::UNLIMITED { DAY } else { HOUR },
            current: None,
            next: None,
            names: Names::default(),
            sealed: Traffic::default(),
            opened: Traffic::default(),
        }
    }

    /// What neighbours are to be given.
    pub(super) fn newest(&self) -> Option<&OwnKey> {
        self.next.as_ref().or(self.current.as_ref())
    }

    /// Whether a key of this node's has this name here.
    pub(super) fn is_own(&self, id: BroadcastKeyId) -> bool {
        [&self.current, &self.next].into_iter().flatten().any(|key| key.id == id)
    }
}

/// What the last two keys were called. A key that follows them has another name: what is acknowledged is a name, and an
/// acknowledgement of either may still be on its way.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Names([Option<BroadcastKeyId>; 2]);

impl Names {
    /// The name of the next key: the one that was drawn, unless it is taken.
    fn next(&mut self, drawn: BroadcastKeyId) -> BroadcastKeyId {
        let mut name = drawn;
        while self.0.contains(&Some(name)) {
            name = BroadcastKeyId(name.0.wrapping_add(1));
        }
        let [_, last] = self.0;
        self.0 = [last, Some(name)];
        name
    }
}

/// A key under which this node broadcasts.
///
/// Invariant: the counter is taken before sealing and never comes again, also when the frame is never sent.
#[derive(Debug)]
pub(super) struct OwnKey {
    pub(super) id: BroadcastKeyId,
    pub(super) key: AeadKey,
    /// What signatures bind: which key a frame was made for.
    fingerprint: [u8; 16],
    /// How many frames were sealed.
    pub(super) counter: u32,
    /// What this node calls itself in its beacons while the key is in use.
    pub(super) tag: BeaconTag,
}

impl OwnKey {
    fn generate(random: &mut Stream, names: &mut Names) -> Self {
        let key = AeadKey::generate(random);
        let [low, high] = random.bytes();
        Self {
            id: names.next(BroadcastKeyId(u16::from_le_bytes([low, high]))),
            fingerprint: fingerprint(&key),
            key,
            counter: 0,
            tag: BeaconTag(random.next_u32().max(1)),
        }
    }

    /// What neighbours are given.
    pub(super) const fn as_message(&self) -> BroadcastKey<'_> {
        BroadcastKey {
            key_id: self.id,
            key: self.key.expose(),
            next_counter: self.counter,
            beacon_tag: self.tag,
        }
    }

    /// Signs and seals what stands behind the headroom of `bytes`, in place; false if no counter is left.
    fn seal(&mut self, own: &NodeIdentity, bytes: &mut Vec<u8>, iface: InterfaceId, tap: &mut Tap) -> bool {
        let counter = self.counter;
        let Some(after) = counter.checked_add(1) else { return false };
        self.counter = after;
        let preamble = signed_preamble(own.node_id(), &self.fingerprint, counter);
        let said = bytes.get(HEADER_LEN..).unwrap_or_default();
        let signature = with_signed(&preamble, said, |message| own.sign(message));
        let signed_len = bytes.len();
        bytes.resize(signed_len.saturating_add(SIGNATURE_LEN), 0);
        let room = bytes.get_mut(signed_len..).unwrap_or_default();
        let written = MessageWriter::new(room).put_last(&Signature(signature.as_bytes()));
        written.expect("the buffer has the message's own length");
        let header = SealedHeader { key: KeyName::Broadcast(self.id), counter };
        let associated = header.to_bytes();
        let Some((head, plaintext)) = bytes.split_first_chunk_mut::<HEADER_LEN>() else { return false };
        *head = associated;
        tap.note(iface, Direction::Sent, None, header, plaintext);
        let tag = self.key.seal_in_place(Nonce::from_bytes(header.nonce()), &associated, plaintext);
        bytes.extend_from_slice(tag.as_bytes());
        true
    }
}

/// What signatures bind of a key.
pub(super) fn fingerprint(key: &AeadKey) -> [u8; 16] {
    truncate(&blake3(&[key.expose()]))
}

/// Lets `act` sign or verify what a SIGNATURE covers: the preamble, and the plaintext before it.
pub(super) fn with_signed<R>(preamble: &[u8; 52], said: &[u8], act: impl FnOnce(&Message<'_>) -> R) -> R {
    // The preamble begins with the tag that the signature's own domain puts before everything.
    let bound = preamble.get(DOMAIN_LEN..).unwrap_or_default();
    let parts = [bound, said];
    let message = Message::new(DomainTag::BROADCAST, &parts).expect("the preamble alone has 52 bytes");
    act(&message)
}

impl Broadcast {
    /// Signs and seals a frame as it leaves, in place.
    ///
    /// # Errors
    /// [`Keyless`] if the key under which it was to leave is no more: it must not leave.
    pub fn seal(&mut self, cx: Cx, frame: &mut Frame, out: &mut impl Sink<Effect>) -> Result<(), Keyless> {
        let sealed = self.channels.get_mut(&frame.iface).and_then(|channel| {
            let sealed =
                channel.current.as_mut()?.seal(&self.own, &mut frame.bytes, frame.iface, &mut self.tap);
            if sealed {
                channel.sealed.count(frame.bytes.len());
            }
            Some(sealed)
        });
        if sealed == Some(true) {
            return Ok(());
        }
        self.withheld = self.withheld.saturating_add(1);
        if sealed == Some(false) {
            self.rekey_at_once(cx, frame.iface, out);
        }
        Err(Keyless)
    }

    pub(super) fn has_key(&self, iface: InterfaceId) -> bool {
        self.channels.get(&iface).is_some_and(|channel| channel.newest().is_some())
    }

    /// Makes the next key of an interface whose neighbours are to be given one.
    pub(super) fn make_key(&mut self, cx: Cx, iface: InterfaceId) {
        let there = self.links_on(iface);
        if there.is_empty() || !self.channels.contains_key(&iface) {
            return;
        }
        if !self.may_make_key(cx.now) {
            return;
        }
        let Some(channel) = self.channels.get_mut(&iface) else { return };
        channel.next = Some(OwnKey::generate(&mut self.random, &mut channel.names));
        let rotate_at = cx.now.after(channel.rekey_after);
        self.deadlines.set(Timer::Use(iface), cx.now.after(USED_AFTER));
        self.deadlines.set(Timer::Rotate(iface), rotate_at);
        for link in there {
            if let Some(peer) = self.peers.get_mut(&link) {
                peer.holds.next = false;
                peer.wait = Duration::ZERO;
            }
            self.give_soon(cx.now, link);
        }
    }

    /// A key has been used for long enough. Without neighbours there is none to replace it.
    pub(super) fn rotate(&mut self, cx: Cx, iface: InterfaceId, out: &mut impl Sink<Effect>) {
        if self.links_on(iface).is_empty() {
            return self.drop_keys(iface, out);
        }
        self.make_key(cx, iface);
    }

    /// The keys that there are must not be used any more: others take their place.
    pub(super) fn rekey_at_once(&mut self, cx: Cx, iface: InterfaceId, out: &mut impl Sink<Effect>) {
        self.drop_keys(iface, out);
        self.make_key(cx, iface);
    }

    pub(super) fn drop_keys(&mut self, iface: InterfaceId, out: &mut impl Sink<Effect>) {
        self.deadlines.cancel(Timer::Use(iface));
        self.deadlines.cancel(Timer::Rotate(iface));
        let Some(channel) = self.channels.get_mut(&iface) else { return };
        (channel.current, channel.next) = (None, None);
        for link in self.links_on(iface) {
            self.deadlines.cancel(Timer::Give(link));
            if let Some(peer) = self.peers.get_mut(&link) {
                peer.holds = super::Holds::default();
            }
            self.tell_hearing(link, out);
        }
    }

    /// Uses the next key if every neighbour holds it.
    pub(super) fn use_if_all_hold(&mut self, iface: InterfaceId, out: &mut impl Sink<Effect>) {
        let waits = self.channels.get(&iface).is_some_and(|channel| channel.next.is_some());
        if waits && self.peers.values().filter(|peer| peer.iface == iface).all(|peer| peer.holds.next) {
            self.use_next(iface, out);
        }
    }

    /// Uses the next key, whoever holds it.
    pub(super) fn use_next(&mut self, iface: InterfaceId, out: &mut impl Sink<Effect>) {
        self.deadlines.cancel(Timer::Use(iface));
        let Some(channel) = self.channels.get_mut(&iface) else { return };
        let Some(key) = channel.next.take() else { return };
        out.push(Effect::Retag(iface, key.tag));
        channel.current = Some(key);
        for link in self.links_on(iface) {
            if let Some(peer) = self.peers.get_mut(&link) {
                peer.holds = super::Holds { current: peer.holds.next, next: false };
            }
            self.tell_hearing(link, out);
        }
    }

    /// The links on an interface, by name.
    pub(super) fn links_on(&self, iface: InterfaceId) -> Vec<LinkId> {
        self.peers.iter().filter(|(_, peer)| peer.iface == iface).map(|(link, _)| *link).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_has_another_name_than_the_two_before_it_whatever_is_drawn() {
        let mut names = Names::default();
        let mut next = |drawn| names.next(BroadcastKeyId(drawn)).0;
        assert_eq!([next(u16::MAX), next(0)], [u16::MAX, 0]);
        assert_eq!(next(u16::MAX), 1, "behind both that are taken");
        assert_eq!(next(u16::MAX), u16::MAX, "long forgotten");
        assert_eq!(next(u16::MAX), 0);
    }

    #[test]
    fn no_two_of_three_keys_in_a_row_have_one_name() {
        let (mut random, mut names) = (nexus_machine::Seed::new([6; 32]).fork("names"), Names::default());
        let mut before = [None; 2];
        for _ in 0..200_000 {
            let [low, high] = random.bytes();
            // Of a thousand names, so that many are drawn again at once.
            let drawn = BroadcastKeyId(u16::from_le_bytes([low, high]) % 1_000);
            let name = Some(names.next(drawn));
            assert!(!before.contains(&name));
            before = [before[1], name];
        }
    }
}
