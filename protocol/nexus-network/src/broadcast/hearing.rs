//! Saying something to all hearers, and hearing what neighbours say so.

use alloc::boxed::Box;
use alloc::vec;
use alloc::vec::Vec;

use nexus_crypto::{DestinationHash, NodePublic, Signature};
use nexus_machine::{Cx, Duration, Instant, Sink};
use nexus_wire::nexus::Layout as _;
use nexus_wire::nexus::control::signed_preamble;
use nexus_wire::nexus::cost::CostList;
use nexus_wire::nexus::frame::{HEADER_LEN, KeyName, SEALED_OVERHEAD, Sealed, SealedHeader, TAG_LEN};
use nexus_wire::nexus::message::{Message, MessageKind, Messages, SignedPlaintext};
use nexus_wire::nexus::recording::Direction;
use nexus_wire::nexus::traffic::{Announce, Fragment};

use super::held::{Held, Name, Shut};
use super::own::{SIGNATURE_LEN, with_signed};
use super::refusals::{Refusals, Refused};
use super::{Broadcast, Effect};
use crate::interface::InterfaceId;
use crate::links::LinkId;
use crate::links::fragments::{self, Ends, Put};
use crate::media::{Flow, Frame, Load, Seal};

/// A broadcast that its sender signed.
struct Signed {
    link: LinkId,
    /// The key's name.
    name: Name,
    counter: u32,
    /// The messages before the signature.
    said: Vec<u8>,
}

impl Broadcast {
    /// Queues a message for all hearers: one frame, or its fragments.
    pub(super) fn say(
        &self,
        iface: InterfaceId,
        about: Option<DestinationHash>,
        message: &[u8],
        out: &mut impl Sink<Effect>,
    ) {
        let Some(channel) = self.channels.get(&iface) else { return };
        let hearers = self.peers.values().filter(|peer| peer.iface == iface && peer.hears);
        let own = usize::from(channel.frame_size);
        let max_frame = hearers.map(|peer| peer.max_frame).fold(own, usize::min);
        let whole = with_length(message);
        let fits = whole.len().saturating_add(SIGNATURE_LEN).saturating_add(TAG_LEN) <= max_frame;
        let plaintexts = if fits {
            vec![whole]
        } else {
            // Each piece has a signature behind it, and therefore a length before it.
            fragments::cut(message, max_frame.saturating_sub(SIGNATURE_LEN), Ends::ByLength)
                .unwrap_or_default()
        };
        for bytes in plaintexts {
            let under = Some(Seal::Broadcast);
            out.push(Effect::Send(Frame {
                iface,
                to: None,
                bytes,
                about,
                load: Load::Announces,
                flow: Flow::OWN,
                under,
            }));
        }
    }

    /// A broadcast arrived.
    pub(super) fn heard(&mut self, cx: Cx, iface: InterfaceId, bytes: &[u8], out: &mut impl Sink<Effect>) {
        let signed = match self.open(cx, iface, bytes) {
            Ok(signed) => signed,
            Err(why) => return self.refusals.count(why),
        };
        if let Some(channel) = self.channels.get_mut(&iface) {
            channel.opened.count(bytes.len());
        }
        out.push(Effect::Heard(signed.link));
        for message in Messages::new(&signed.said).map_while(Result::ok) {
            match message.kind {
                MessageKind::ANNOUNCE => announced(signed.link, &message, &mut self.refusals, out),
                MessageKind::COST => costs(signed.link, &message, &mut self.refusals, out),
                MessageKind::FRAGMENT => self.fragment(cx, &signed, &message, out),
                // What concerns one link, or packets: whoever hears a broadcast is not whom they are for.
                MessageKind::PACKET
                | MessageKind::PING
                | MessageKind::PONG
                | MessageKind::REKEY
                | MessageKind::REKEY_ACK
                | MessageKind::BROADCAST_KEY
                | MessageKind::BROADCAST_KEY_ACK
                | MessageKind::ACK
                | MessageKind::COST_REQUEST => self.refusals.count(Refused::misplaced),
                // Of a kind that is not known here.
                _ => {}
            }
        }
    }

    /// Whether a broadcast came under the name of no key that this node holds on an interface, nor of its own; anybody can use any name.
    pub(crate) fn is_under_unknown_key(&self, iface: InterfaceId, bytes: &[u8]) -> bool {
        let Ok(Sealed { header: SealedHeader { key: KeyName::Broadcast(id), .. }, .. }) =
            Sealed::decode(bytes)
        else {
            return false;
        };
        let is_own = self.channels.get(&iface).is_some_and(|channel| channel.is_own(id));
        !is_own && !self.keyring.knows((iface, id))
    }

    /// Finds whose key opens a frame, and lets it count only if that neighbour signed it.
    fn open(&mut self, cx: Cx, iface: InterfaceId, bytes: &[u8]) -> Result<Signed, Refused> {
        let Ok(sealed) = Sealed::decode(bytes) else { return Err(Refused::malformed) };
        let KeyName::Broadcast(id) = sealed.header.key else { return Err(Refused::malformed) };
        let is_own = self.channels.get(&iface).is_some_and(|channel| channel.is_own(id));
        let mut why = if is_own { Refused::looped } else { Refused::unknown_key };
        for held in self.keyring.candidates((iface, id)) {
            let plaintext = match held.open(&sealed) {
                Ok(plaintext) => plaintext,
                Err(shut) => {
                    why = if is_own { Refused::looped } else { refused(shut) };
                    continue;
                }
            };
            let split = SignedPlaintext::split(&plaintext).map_err(|_| Refused::malformed)?;
            let Some(SignedPlaintext { signed, signature }) = split else { return Err(Refused::unsigned) };
            let Some(peer) = self.peers.get_mut(&held.link) else { continue };
            if !peer.verifications.take(cx.now) {
                return Err(Refused::hasty);
            }
            let counter = sealed.header.counter;
            if !is_signed_by(&peer.public, held, counter, signed, &Signature(*signature.0)) {
                // Another candidate may be its owner's own: keys can be passed off as one's own.
                why = Refused::forged;
                continue;
            }
            held.window.mark(counter);
            let who = Some(peer.public.node_id());
            self.tap.note(iface, Direction::Received, who, sealed.header, &plaintext);
            return Ok(Signed { link: held.link, name: (iface, id), counter, said: signed.to_vec() });
        }
        Err(why)
    }

    fn fragment(&mut self, cx: Cx, signed: &Signed, message: &Message<'_>, out: &mut impl Sink<Effect>) {
        let Ok(fragment) = message.parse::<Fragment<'_>>() else {
            return self.refusals.count(Refused::malformed);
        };
        let (iface, _) = signed.name;
        let Some(channel) = self.channels.get(&iface) else { return };
        let until = cx.now.after(channel.frame_airtime.times(8).max(Duration::from_secs(1)));
        let mut candidates = self.keyring.candidates(signed.name).iter_mut();
        let Some(held) = candidates.find(|held| held.link == signed.link) else { return };
        let put = put_together(held, cx.now, until, signed.counter, &fragment);
        match put {
            Put::Waiting => {}
            Put::Misplaced => self.refusals.count(Refused::misplaced_fragment),
            Put::Whole(whole) => {
                let plaintext = whole.get(HEADER_LEN..).unwrap_or_default();
                match Messages::new(plaintext).next() {
                    Some(Ok(message)) if message.kind == MessageKind::ANNOUNCE => {
                        announced(signed.link, &message, &mut self.refusals, out);
                    }
                    Some(Ok(_)) => self.refusals.count(Refused::misplaced),
                    Some(Err(_)) | None => self.refusals.count(Refused::malformed),
                }
            }
        }
    }
}

fn put_together(held: &mut Held, now: Instant, until: Instant, counter: u32, fragment: &Fragment<'_>) -> Put {
    let mut set = held.set.take().map(|set| *set).filter(|set| set.until > now);
    let put = fragments::put(&mut set, (), counter, fragment, until);
    held.set = set.map(Box::new);
    put
}

fn announced(link: LinkId, message: &Message<'_>, refusals: &mut Refusals, out: &mut impl Sink<Effect>) {
    match message.parse::<Announce<'_>>() {
        Ok(Announce { cost, packet }) => {
            out.push(Effect::Announced { link, cost, packet: packet.to_vec() });
        }
        Err(_) => refusals.count(Refused::malformed),
    }
}

fn costs(link: LinkId, message: &Message<'_>, refusals: &mut Refusals, out: &mut impl Sink<Effect>) {
    match message.parse::<CostList<'_>>() {
        Ok(list) => out.push(Effect::Costs { link, records: list.records().collect() }),
        Err(_) => refusals.count(Refused::malformed),
    }
}

fn is_signed_by(owner: &NodePublic, held: &Held, counter: u32, said: &[u8], signature: &Signature) -> bool {
    let preamble = signed_preamble(owner.node_id(), &held.fingerprint, counter);
    with_signed(&preamble, said, |message| owner.verifying().verify(message, signature).is_ok())
}

const fn refused(shut: Shut) -> Refused {
    match shut {
        Shut::NotAuthentic => Refused::not_authentic,
        Shut::Replayed => Refused::replayed,
        Shut::TooOld => Refused::too_old,
    }
}

/// A message without a length, behind headroom, as one with a length.
fn with_length(message: &[u8]) -> Vec<u8> {
    let (head, rest) = message.split_at_checked(HEADER_LEN).unwrap_or_default();
    let Some((kind, body)) = rest.split_first() else { return head.to_vec() };
    let len = u16::try_from(body.len()).unwrap_or(u16::MAX).to_le_bytes();
    let [low, high] = len;
    let mut bytes = Vec::with_capacity(message.len().saturating_add(SEALED_OVERHEAD + SIGNATURE_LEN));
    bytes.extend_from_slice(head);
    bytes.extend_from_slice(&[kind & !SHORT, low, high]);
    bytes.extend_from_slice(body);
    bytes
}

/// The bit of a message's kind that says that no length follows.
const SHORT: u8 = 0x80;
