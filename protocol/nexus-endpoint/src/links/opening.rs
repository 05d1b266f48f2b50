//! How links begin, at either end.

use alloc::collections::BTreeMap;

use nexus_crypto::exchange::EphemeralSecret;
use nexus_crypto::{DestinationHash, SigningKey, TokenKey, VerifyingKey};
use nexus_machine::{Cx, Duration, Instant, Sink};
use nexus_wire::reticulum::link::{LinkMode, LinkRequest, Signalling};
use nexus_wire::reticulum::msgpack::{Float, Packer, Unpacker};
use nexus_wire::reticulum::{Context, LinkId, LinkMtu, LinkProof, Packet};

use super::keeping::{KEEPALIVE_MAX, KEEPALIVE_MIN};
use super::{Form, Link, Stage};
use crate::channel;
use crate::contract::{Accepting, Down, Effect, Event, Failure, Handle, Side, Up};
use crate::endpoint::{Endpoint, Timer, fail, tell};
use crate::peers::Peer;
use crate::resource::Input;

/// The longest packet that this end takes, in bytes: relays lower it to what the way carries.
const OFFERED: LinkMtu = LinkMtu::new(8_192);
/// A responder waits for the first packet of the link's key so long, and so much more for each hop.
const UNCONFIRMED: Duration = Duration::from_secs(360);
const PER_HOP: Duration = Duration::from_secs(6);
/// No round trip that another tells is believed to be longer.
const RTT_MAX: Duration = Duration::from_secs(600);

impl Link {
    const fn new(
        destination: DestinationHash,
        side: Side,
        stage: Stage,
        now: Instant,
        theirs: VerifyingKey,
    ) -> Self {
        Self {
            destination,
            side,
            stage,
            theirs,
            signing: None,
            mtu: LinkMtu::BASE,
            rtt: Duration::ZERO,
            began: now,
            heard: now,
            kept: now,
            quiet: KEEPALIVE_MIN,
            handle: None,
            sent: BTreeMap::new(),
            asked: BTreeMap::new(),
            transfers: None,
            channel: None,
        }
    }
}

impl Endpoint {
    /// Asks a peer for a link.
    pub(crate) fn ask_for_link(
        &mut self,
        now: Instant,
        handle: Handle,
        to: DestinationHash,
        peer: &Peer,
        out: &mut impl Sink<Effect>,
    ) {
        if self.links.all.len() >= self.limits.links {
            return fail(handle, Failure::Busy, out);
        }
        let secret = EphemeralSecret::generate(&mut self.random);
        let signing = SigningKey::generate(&mut self.random);
        let request = LinkRequest {
            destination: to,
            context: Context::NONE,
            exchange: secret.public(),
            verifying: signing.public(),
            signalling: Some(Signalling { mode: LinkMode::AES_256_CBC, mtu: OFFERED }),
        };
        let (id, until) = (request.link_id(), now.after(peer.patience()));
        let theirs = peer.public.verifying();
        let mut link = Link::new(to, Side::Initiator, Stage::Asked(secret, until), now, theirs);
        (link.signing, link.handle) = (Some(signing), Some(handle));
        if handle.is_own() {
            link.quiet = KEEPALIVE_MAX;
        }
        self.links.all.insert(id, link);
        self.deadlines.set(Timer::Link(id), until);
        Self::say(&request, out);
    }

    /// Takes the proof that answers a link request, and tells the other end how long it took.
    pub(super) fn establish(&mut self, cx: Cx, packet: &Packet<'_>, out: &mut impl Sink<Effect>) {
        let Ok(proof) = LinkProof::from_packet(packet) else { return };
        let Some(link) = self.links.all.get_mut(&proof.link) else { return };
        let Some(mtu) = agreed(proof.signalling) else { return };
        if !matches!(link.stage, Stage::Asked(..)) || proof.verify(&link.theirs).is_err() {
            return;
        }
        let Some(mut link) = self.links.all.remove(&proof.link) else { return };
        let Stage::Asked(secret, _) = link.stage else { return };
        let Ok(shared) = secret.agree(&proof.exchange) else {
            self.deadlines.cancel(Timer::Link(proof.link));
            return link.handle.into_iter().for_each(|handle| fail(handle, Failure::BadKey, out));
        };
        link.stage = Stage::Up(TokenKey::derive(&shared, proof.link.as_bytes()));
        (link.mtu, link.rtt) = (mtu.min(OFFERED), cx.now.since(link.began));
        (link.heard, link.kept) = (cx.now, cx.now);
        let rtt = Packer::default().float(Float::of(link.rtt)).into_bytes();
        self.links.all.insert(proof.link, link);
        self.say_on(&proof.link, Context::LINK_RTT, Form::Sealed, &rtt, out);
        self.is_up(&proof.link, out);
    }

    /// Answers who asks one of the own destinations for a link.
    pub(crate) fn hear_link_request(&mut self, cx: Cx, packet: &Packet<'_>, out: &mut impl Sink<Effect>) {
        let Ok(request) = LinkRequest::from_packet(packet) else { return };
        let (id, destination) = (request.link_id(), request.destination);
        let Some(mtu) = agreed(request.signalling) else { return };
        let accepts = self.own.accepts_links(&destination) == Some(Accepting::Links)
            || self.attended == Some(destination);
        if !accepts || self.links.all.contains_key(&id) || !self.links.answers.take(cx.now) {
            return;
        }
        if !self.is_room_for_another(out) {
            return;
        }
        let secret = EphemeralSecret::generate(&mut self.random);
        let exchange = secret.public();
        let Ok(shared) = secret.agree(&request.exchange) else { return };
        let until = cx.now.after(UNCONFIRMED.plus(PER_HOP.times(packet.hops.get().into())));
        let stage = Stage::Answered(TokenKey::derive(&shared, id.as_bytes()), until);
        let mut link = Link::new(destination, Side::Responder, stage, cx.now, request.verifying);
        link.mtu = mtu.min(OFFERED);
        if self.attended == Some(destination) {
            link.quiet = KEEPALIVE_MAX;
        }
        let signalling = request.signalling.map(|asked| Signalling { mtu: link.mtu, ..asked });
        self.links.all.insert(id, link);
        self.deadlines.set(Timer::Link(id), until);
        Self::say(&LinkProof::sign(id, exchange, signalling, &self.identity), out);
    }

    /// Of links that nobody confirmed the oldest gives way.
    fn is_room_for_another(&mut self, out: &mut impl Sink<Effect>) -> bool {
        if self.links.all.len() < self.limits.links {
            return true;
        }
        let unconfirmed = self.links.all.iter().filter(|(_, link)| matches!(link.stage, Stage::Answered(..)));
        let Some(oldest) = unconfirmed.min_by_key(|(_, link)| link.began).map(|(id, _)| *id) else {
            return false;
        };
        self.end_link(&oldest, Down::Silent, out);
        true
    }

    /// Something came that only the other end can have said: a responder's link is up with that.
    pub(super) fn confirm(&mut self, cx: Cx, id: &LinkId, out: &mut impl Sink<Effect>) {
        let Some(mut link) = self.links.all.remove(id) else { return };
        link.heard = cx.now;
        let (stage, confirmed) = match link.stage {
            Stage::Answered(key, _) => (Stage::Up(key), true),
            other @ (Stage::Asked(..) | Stage::Up(_)) => (other, false),
        };
        link.stage = stage;
        if confirmed {
            link.rtt = cx.now.since(link.began);
        }
        self.links.all.insert(*id, link);
        if confirmed {
            self.is_up(id, out);
        }
    }

    /// The initiator tells what it measured.
    pub(super) fn hear_round_trip(
        &mut self,
        cx: Cx,
        id: &LinkId,
        plaintext: &[u8],
        out: &mut impl Sink<Effect>,
    ) {
        let mut unpacker = Unpacker::new("round trip", plaintext);
        let Some(told) = unpacker.float("round trip").ok().and_then(Float::duration) else { return };
        if let Some(link) = self.up(id).filter(|link| link.side == Side::Responder) {
            link.rtt = link.rtt.max(told.min(RTT_MAX));
            let (due, rtt) = (link.due(), link.rtt);
            self.deadlines.set(Timer::Link(*id), due);
            self.transfer(cx, id, Input::RoundTrip(rtt), out);
            self.tell_channel(cx, id, channel::Input::RoundTrip(rtt), None, out);
        }
    }

    fn is_up(&mut self, id: &LinkId, out: &mut impl Sink<Effect>) {
        let Some(link) = self.links.all.get(id) else { return };
        self.deadlines.set(Timer::Link(*id), link.due());
        let Link { destination, side, handle, .. } = *link;
        let up = Up { link: *id, destination, side, measures: link.measures() };
        tell(Event::LinkUp { handle, up }, out);
    }
}

/// The MTU that was agreed upon; none if the rest is not what this end speaks.
fn agreed(signalling: Option<Signalling>) -> Option<LinkMtu> {
    match signalling {
        None => Some(LinkMtu::BASE),
        Some(Signalling { mode: LinkMode::AES_256_CBC, mtu }) if mtu >= LinkMtu::BASE => Some(mtu),
        Some(_) => None,
    }
}
