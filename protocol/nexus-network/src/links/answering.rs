//! Handshakes that others began: message 2 for message 1, and a link for message 3.

use alloc::boxed::Box;

use nexus_crypto::noise::{AwaitingFinish, FINISH_LEN, Finished};
use nexus_crypto::{EphemeralPublic, hash};
use nexus_machine::{Bucket, Cx, Duration, Instant, Sink};
use nexus_wire::nexus::Layout as _;
use nexus_wire::nexus::frame::{BeaconTag, Cookie, Finish, First, Reply, SessionId};
use nexus_wire::nexus::handshake::{LinkPayload, ReplyPayload, prologue};

use super::airtime::Purpose;
use super::keys::Keys;
use super::link::{Link, Made};
use super::opening::cause;
use super::refusals::Refused;
use super::sessions::{Owner, Place};
use super::{Effect, Interface, LinkId, Links, Timer};
use crate::interface::{Endpoint, InterfaceId, Profile, Reach};
use crate::media::{Flow, Frame, Load};

/// What names a message 1: a hash of its 39 bytes.
pub(super) type FirstHash = [u8; 16];

/// A handshake that another began.
#[derive(Debug)]
pub(super) struct Answering {
    from: Option<Endpoint>,
    heard: Heard,
    first: FirstHash,
    reply: [u8; Reply::LEN],
    /// Where the initiator receives.
    theirs: SessionId,
    /// When its first message came.
    received_at: Instant,
    step: Step,
}

/// Whether message 2 went to one address only, so that message 3 from there shows who receives there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Heard {
    FromOneAddress,
    FromSeveral,
}

#[derive(Debug)]
enum Step {
    /// It waits for message 3.
    Finish(Box<AwaitingFinish>),
    /// Message 3 came while this node's own handshake with the same peer stands.
    Ignored(Box<Ignored>),
    /// It became a link. It is remembered so that its first message, repeated, begins nothing.
    Done,
}

#[derive(Debug)]
struct Ignored {
    finish: [u8; 16],
    finished: Finished,
    times: u8,
}

/// After so many repetitions of a message 3, this node's own handshake, still unconfirmed, is given up for it: whoever repeats
/// it does not know of the other.
const INSISTENCE: u8 = 3;

/// The rate at which first messages are answered on a medium. Source: spec/network.md#floods.
pub(super) fn bucket(profile: &Profile) -> Bucket {
    match profile.reach {
        // One peer needs few, and there may be many such interfaces: connections that strangers made.
        Reach::PointToPoint => Bucket::new(Duration::from_millis(500), 20),
        Reach::Addressed => Bucket::new(Duration::from_millis(50), 20),
        Reach::Shared => Bucket::new(Duration::from_secs(10), 3),
    }
}

/// The rate at which first messages with a cookie's proof are answered beyond that.
pub(super) fn proved_bucket() -> Bucket {
    Bucket::new(Duration::from_millis(5), 200)
}

impl Answering {
    /// The most heap that one holds, in bytes: its place in ordered maps, and the state of the handshake.
    pub(super) const MEMORY_BOUND: usize = 4 * size_of::<(Place, Self)>() + 4_096;
}

impl Links {
    /// Message 1.
    pub(super) fn first(
        &mut self,
        cx: Cx,
        iface: InterfaceId,
        from: Option<Endpoint>,
        bytes: &[u8],
        out: &mut impl Sink<Effect>,
    ) {
        let Ok(first) = First::decode(bytes) else { return self.refusals.count(Refused::malformed) };
        let Some(interface) = self.interfaces.get(&iface) else { return };
        if !is_meant(cx.now, interface, first.target) {
            return self.refusals.count(Refused::foreign_target);
        }
        if self.is_own_first(first.ephemeral) {
            return self.refusals.count(Refused::looped);
        }
        let named = bytes.get(..First::LEN).unwrap_or_default();
        let name: FirstHash = hash::truncate(&hash::blake3(&[named]));
        let place = self.by_first.get(&(iface, name)).map(|session| (iface, *session));
        let known = place.and_then(|place| self.answering.get(&place));
        if known.is_some_and(|answering| matches!(answering.step, Step::Done)) {
            return self.refusals.count(Refused::replayed);
        }
        if self.interfaces.get(&iface).is_some_and(Interface::is_shared) {
            if let Some(named) = bytes.first_chunk() {
                self.first_on_channel(cx, iface, name, *named, out);
            }
            return;
        }
        if !self.admits(cx, iface, from, &first, named, out) {
            return self.refusals.count(Refused::flooded);
        }
        self.reply_to(cx, iface, from, &first, named, name, out);
    }

    /// Sends message 2: the same for the same message 1.
    #[allow(clippy::too_many_arguments, reason = "a message, where it came from, and who is told")]
    pub(super) fn reply_to(
        &mut self,
        cx: Cx,
        iface: InterfaceId,
        from: Option<Endpoint>,
        first: &First<'_>,
        named: &[u8],
        name: FirstHash,
        out: &mut impl Sink<Effect>,
    ) {
        let place = self.by_first.get(&(iface, name)).map(|session| (iface, *session));
        let again = place.and_then(|place| self.answering.get(&place)).map(|answering| answering.reply);
        let reply = again.or_else(|| self.answer(cx, iface, from, first, named, name));
        let known = place.and_then(|place| self.answering.get_mut(&place));
        if let Some(known) = known.filter(|known| known.from != from) {
            known.heard = Heard::FromSeveral;
        }
        if let Some(reply) = reply {
            let bytes = reply.to_vec();
            out.push(Effect::Send(Frame {
                iface,
                to: from,
                bytes,
                about: None,
                load: Load::Links,
                flow: Flow::OWN,
                under: None,
            }));
            self.called(cx, iface);
        }
    }

    /// Whether a first message is answered: within the rate, or with a cookie. Without one, where there are addresses, it
    /// gets one.
    fn admits(
        &mut self,
        cx: Cx,
        iface: InterfaceId,
        from: Option<Endpoint>,
        first: &First<'_>,
        named: &[u8],
        out: &mut impl Sink<Effect>,
    ) -> bool {
        let Some(interface) = self.interfaces.get_mut(&iface) else { return false };
        let random = &mut self.random;
        let address = from.filter(|_| interface.profile.reach == Reach::Addressed);
        let proves = address.zip(first.cookie).is_some_and(|(address, cookie)| {
            interface.cookies.accepts(cx.now, &address, named, cookie, random)
        });
        if (proves && interface.proved.take(cx.now)) || interface.answers.take(cx.now) {
            return true;
        }
        if let Some(address) = address.filter(|_| !proves) {
            let cookie = interface.cookies.bake(cx.now, &address, named, random);
            let mut bytes = [0; Cookie::LEN];
            let message = Cookie { session: first.session, cookie: &cookie };
            message.encode(&mut bytes).expect("the buffer has the message's own length");
            let bytes = bytes.to_vec();
            out.push(Effect::Send(Frame {
                iface,
                to: from,
                bytes,
                about: None,
                load: Load::Links,
                flow: Flow::OWN,
                under: None,
            }));
        }
        false
    }

    /// Makes message 2, and keeps the handshake.
    fn answer(
        &mut self,
        cx: Cx,
        iface: InterfaceId,
        from: Option<Endpoint>,
        first: &First<'_>,
        named: &[u8],
        name: FirstHash,
    ) -> Option<[u8; Reply::LEN]> {
        if !self.may_make_keys(cx.now) {
            return None;
        }
        if self.answering.len() >= self.limits.answering {
            self.evict_answering(cx);
        }
        let Some(session) = self.sessions.take(cx.now, iface, Owner::Answering, &mut self.random) else {
            self.refusals.count(Refused::crowded);
            return None;
        };
        let interface = self.interfaces.get(&iface)?;
        let patience = interface.pace.patience();
        let mut payload = [0; ReplyPayload::LEN];
        let says = ReplyPayload { link: self.says(interface), session };
        says.encode(&mut payload).expect("the buffer has the payload's own length");
        let prologue = prologue(named).expect("message 1 is longer than its header");
        let ephemeral = EphemeralPublic(*first.ephemeral);
        let made = AwaitingFinish::reply(&self.own, &prologue, &ephemeral, &payload, &mut self.random);
        let (state, noise) = match made {
            Ok(made) => made,
            Err(why) => {
                self.refusals.count(cause(why));
                self.sessions.retire(cx.now, (iface, session));
                return None;
            }
        };
        let mut reply = [0; Reply::LEN];
        let message = Reply { session: first.session, noise: &noise };
        message.encode(&mut reply).expect("the buffer has the message's own length");
        let step = Step::Finish(Box::new(state));
        let theirs = first.session;
        let heard = Heard::FromOneAddress;
        let answering = Answering { from, heard, first: name, reply, theirs, received_at: cx.now, step };
        if let Some(older) = self.answering.insert((iface, session), answering) {
            // The memory of one whose link, and its session's rest, were short.
            self.by_first.remove(&(iface, older.first));
        }
        self.by_first.insert((iface, name), session);
        self.deadlines.set(Timer::Answering((iface, session)), cx.now.after(patience));
        Some(reply)
    }

    /// A random one makes room: whoever floods pushes out mostly its own.
    fn evict_answering(&mut self, cx: Cx) {
        let all = u64::try_from(self.answering.len()).unwrap_or(u64::MAX);
        let nth = usize::try_from(self.random.below(all.max(1))).unwrap_or(0);
        if let Some(victim) = self.answering.keys().nth(nth).copied() {
            self.refusals.count(Refused::crowded);
            self.forget_answering(cx, victim);
        }
    }

    /// Gives up a handshake that another began, or the memory of one that became a link.
    pub(super) fn forget_answering(&mut self, cx: Cx, place: Place) {
        self.deadlines.cancel(Timer::Answering(place));
        if let Some(answering) = self.answering.remove(&place) {
            self.by_first.remove(&(place.0, answering.first));
            // One that became a link has given its session to that.
            if self.sessions.owner(place) == Some(Owner::Answering) {
                self.sessions.retire(cx.now, place);
            }
        }
    }

    /// Message 3.
    pub(super) fn finish(
        &mut self,
        cx: Cx,
        iface: InterfaceId,
        from: Option<Endpoint>,
        bytes: &[u8],
        out: &mut impl Sink<Effect>,
    ) {
        let Ok(Finish { session, noise }) = Finish::decode(bytes) else {
            return self.refusals.count(Refused::malformed);
        };
        let place = (iface, session);
        let name: [u8; 16] = hash::truncate(&hash::blake3(&[bytes]));
        match self.sessions.owner(place) {
            Some(Owner::Answering) => self.finish_answering(cx, place, from, noise, name, out),
            Some(Owner::Link(link)) => self.finish_again(cx, link, name, out),
            Some(Owner::Opening) | None => self.refusals.count(Refused::unknown_session),
        }
    }

    /// The answer to message 3 was lost, and it comes again.
    fn finish_again(&mut self, cx: Cx, id: LinkId, name: [u8; 16], out: &mut impl Sink<Effect>) {
        if self.links.get(id.0).is_some_and(|link| link.finish == Some(name)) {
            self.at_desk(cx, id, out, |link, desk| link.say_nothing_within_budget(Purpose::Answering, desk));
        } else {
            self.refusals.count(Refused::replayed);
        }
    }

    fn finish_answering(
        &mut self,
        cx: Cx,
        place: Place,
        from: Option<Endpoint>,
        noise: &[u8; FINISH_LEN],
        name: [u8; 16],
        out: &mut impl Sink<Effect>,
    ) {
        let Some(mut answering) = self.answering.remove(&place) else { return };
        let outcome = match answering.step {
            Step::Finish(state) => self.read_finish(cx, place.0, *state, noise).map(|finished| (finished, 0)),
            Step::Ignored(ignored) if ignored.finish == name => {
                Ok((ignored.finished, ignored.times.saturating_add(1)))
            }
            step @ (Step::Ignored(_) | Step::Done) => Err((Refused::replayed, step)),
        };
        match outcome {
            Err((why, step)) => {
                self.refusals.count(why);
                answering.step = step;
                self.answering.insert(place, answering);
            }
            Ok((finished, times)) => {
                answering.step = Step::Done;
                self.consider(cx, place, from, answering, (finished, name, times), out);
            }
        }
    }

    fn read_finish(
        &mut self,
        cx: Cx,
        iface: InterfaceId,
        state: AwaitingFinish,
        noise: &[u8; FINISH_LEN],
    ) -> Result<Finished, (Refused, Step)> {
        let interface = self.interfaces.get_mut(&iface);
        if state.is_spent() && !interface.is_some_and(|interface| interface.answers.take(cx.now)) {
            return Err((Refused::flooded, Step::Finish(Box::new(state))));
        }
        state
            .finish(&self.own, noise)
            .map_err(|refused| (cause(refused.why), Step::Finish(Box::new(refused.state))))
    }

    /// Who it is that finished the handshake, and whether it becomes a link.
    fn consider(
        &mut self,
        cx: Cx,
        place: Place,
        from: Option<Endpoint>,
        mut answering: Answering,
        (finished, name, times): (Finished, [u8; 16], u8),
        out: &mut impl Sink<Effect>,
    ) {
        let iface = place.0;
        let recognised = LinkPayload::decode(&finished.payload)
            .map_err(|_| Refused::malformed)
            .and_then(|payload| Ok((self.recognised(&finished.peer, payload)?, payload)));
        let verdict = recognised.and_then(|(peer, payload)| {
            let link = self.by_peer.get(&(iface, peer.node_id())).and_then(|id| self.links.get(id.0));
            // A handshake takes a link's place only if it began after that link came up.
            let stands = link.is_some_and(|link| link.up_at > answering.received_at);
            if stands { Err(Refused::overtaken) } else { Ok((peer, payload)) }
        });
        let (peer, payload) = match verdict {
            Ok(recognised) => recognised,
            Err(why) => {
                // Its own message, so there is no other to wait for.
                self.refusals.count(why);
                self.answering.insert(place, answering);
                return;
            }
        };
        let own = self.unconfirmed_with(iface, &peer);
        if let Some(opening) = own {
            if self.own.node_id() < peer.node_id() && times < INSISTENCE {
                self.refusals.count(Refused::overtaken);
                answering.step = Step::Ignored(Box::new(Ignored { finish: name, finished, times }));
                self.answering.insert(place, answering);
                return self.say_finish_again(cx, opening, out);
            }
            self.forget_opening(cx, opening);
        }
        let endpoint = from.or(answering.from);
        let Some(window) = self.interfaces.get(&iface).map(|interface| interface.pace.window) else { return };
        let is_shown = endpoint == answering.from && answering.heard == Heard::FromOneAddress;
        let made = Made {
            iface,
            endpoint,
            peer,
            keys: Keys::new(finished.established, place.1, answering.theirs, window, cx.now),
            peer_max_frame: payload.max_frame,
            finish: Some(name),
            unshown: (!is_shown).then_some(Finish::LEN),
        };
        self.answering.insert(place, answering);
        // Whose tag a radio's initiator beacons under is not known to whom it calls.
        let met = self.place(iface, endpoint, BeaconTag::ANYBODY);
        if is_shown {
            self.forget_early(cx, met);
        }
        if let Some(link) = self.establish(cx, made, met, out) {
            self.greet(cx, link, out);
        }
    }

    /// Answers message 3 at once: with a probe, or on a medium where a byte is dear with an empty frame.
    fn greet(&mut self, cx: Cx, id: LinkId, out: &mut impl Sink<Effect>) {
        self.at_desk(cx, id, out, |link: &mut Link, desk| {
            if link.is_acknowledged() { link.say_nothing(desk) } else { link.probe(desk) }
        });
        self.schedule(id);
    }
}

/// Whether a first message is for this node: on a shared medium only if it says so.
fn is_meant(now: Instant, interface: &Interface, target: BeaconTag) -> bool {
    match interface.profile.reach {
        Reach::PointToPoint => true,
        Reach::Addressed => target == BeaconTag::ANYBODY || interface.is_called(now, target),
        Reach::Shared => interface.is_called(now, target),
    }
}
