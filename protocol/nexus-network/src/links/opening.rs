//! Handshakes that this node began: message 1 until 2 comes, message 3 until the first sealed frame does.

use alloc::boxed::Box;
use alloc::vec::Vec;

use nexus_crypto::noise::{AwaitingReply, AwaitingVerdict, Refusal};
use nexus_crypto::{EphemeralPublic, NodeId, NodePublic};
use nexus_machine::{Cx, Duration, Instant, Sink};
use nexus_wire::nexus::Layout as _;
use nexus_wire::nexus::frame::{BeaconTag, Cookie, Finish, First, Reply, SealedHeader, SessionId};
use nexus_wire::nexus::handshake::{ReplyPayload, prologue};

use super::airtime::Purpose;
use super::keys::Keys;
use super::link::{Link, Made};
use super::pace::jittered;
use super::refusals::Refused;
use super::sessions::{Owner, Place};
use super::{DialPlace, Effect, LinkId, Links, Timer};
use crate::interface::{Endpoint, InterfaceId};
use crate::media::{Flow, Frame, Load};

/// A handshake that this node began.
#[derive(Debug)]
pub(super) struct Opening {
    course: Course,
    step: Step,
}

/// What stays the same while a handshake takes its steps.
#[derive(Clone, Copy, Debug)]
struct Course {
    to: Option<Endpoint>,
    target: BeaconTag,
    expected: Option<NodeId>,
    since: Instant,
    /// When its first message was first sent.
    began_at: Instant,
    /// When it is given up.
    forget_at: Instant,
    /// From the last repetition to the next.
    wait: Duration,
    first: [u8; First::LEN],
    cookie: Option<[u8; 16]>,
    ephemeral: EphemeralPublic,
}

/// What it waits for.
#[derive(Debug)]
enum Step {
    /// Message 2.
    Reply(Box<AwaitingReply>),
    /// The first sealed frame, which says that message 3 arrived.
    Frame(Box<Unconfirmed>),
}

/// A link that the other side may not know of.
#[derive(Debug)]
struct Unconfirmed {
    finish: Vec<u8>,
    made: Made,
}

/// Whether the airtime of a message was taken when its handshake began.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Airtime {
    Taken,
    Wanted,
}

/// To whom a handshake goes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Aim {
    pub(super) to: Option<Endpoint>,
    pub(super) target: BeaconTag,
    pub(super) expected: Option<NodeId>,
    /// Since when whoever is meant has been heard there: a link that was heard later stands, whose peer had not said so far
    /// that it is there. Never where that is not known.
    pub(super) since: Instant,
}

/// A handshake could not begin: there is no room or no airtime, or no key may be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct CannotBegin;

impl Opening {
    /// The most heap that one holds, in bytes: its place in ordered maps, and the state of the handshake.
    pub(super) const MEMORY_BOUND: usize = 4 * size_of::<(Place, Self)>() + 4_096;
}

impl Links {
    /// Begins a handshake.
    pub(super) fn begin(
        &mut self,
        cx: Cx,
        iface: InterfaceId,
        aim: Aim,
        out: &mut impl Sink<Effect>,
    ) -> Result<(), CannotBegin> {
        let pace = self.interfaces.get(&iface).ok_or(CannotBegin)?.pace;
        if self.opening.len() >= self.limits.opening || !self.may_make_keys(cx.now) {
            return Err(CannotBegin);
        }
        let session =
            self.sessions.take(cx.now, iface, Owner::Opening, &mut self.random).ok_or(CannotBegin)?;
        let airtime = self.interfaces.get_mut(&iface).map(|interface| &mut interface.airtime);
        if !airtime.is_some_and(|airtime| airtime.take_opening(cx.now)) {
            self.sessions.retire(cx.now, (iface, session));
            return Err(CannotBegin);
        }
        let prologue = prologue(&first_message(session, aim.target, &[0; 32]));
        let prologue = prologue.expect("message 1 is longer than its header");
        let state = AwaitingReply::begin(&self.own, &prologue, &mut self.random);
        let ephemeral = state.ephemeral();
        let course = Course {
            to: aim.to,
            target: aim.target,
            expected: aim.expected,
            since: aim.since,
            began_at: cx.now,
            forget_at: cx.now.after(pace.patience()),
            wait: pace.first_wait,
            first: first_message(session, aim.target, ephemeral.as_bytes()),
            cookie: None,
            ephemeral,
        };
        self.opening.insert((iface, session), Opening { course, step: Step::Reply(Box::new(state)) });
        self.send_opening(cx, (iface, session), Airtime::Taken, out);
        Ok(())
    }

    /// Sends what a handshake has to say, and sees to it that it is said again. For a repetition there may be no airtime: then
    /// it is left out.
    fn send_opening(&mut self, cx: Cx, place: Place, airtime: Airtime, out: &mut impl Sink<Effect>) {
        let Some(Opening { course, step }) = self.opening.get_mut(&place) else { return };
        let bytes = match step {
            Step::Reply(_) => course.first.iter().chain(course.cookie.iter().flatten()).copied().collect(),
            Step::Frame(unconfirmed) => unconfirmed.finish.clone(),
        };
        let interface = self.interfaces.get_mut(&place.0);
        let is_paid = airtime == Airtime::Taken
            || interface.is_none_or(|on| on.airtime.take(cx.now, Purpose::Handshake, bytes.len()));
        if is_paid {
            out.push(Effect::Send(Frame {
                iface: place.0,
                to: course.to,
                bytes,
                about: None,
                load: Load::Links,
                flow: Flow::OWN,
                under: None,
            }));
        }
        let again = cx.now.after(jittered(course.wait, &mut self.random)).after(Duration::from_micros(1));
        course.wait = course.wait.times(2);
        // At its end it is woken to be forgotten, and not sooner than after this moment.
        let end = course.forget_at.max(cx.now.after(Duration::from_micros(1)));
        self.deadlines.set(Timer::Opening(place), again.min(end));
    }

    /// Repeats a handshake's message, or gives it up.
    pub(super) fn repeat_opening(&mut self, cx: Cx, place: Place, out: &mut impl Sink<Effect>) {
        let Some(Opening { course, step }) = self.opening.get(&place) else { return };
        if course.forget_at > cx.now {
            return self.send_opening(cx, place, Airtime::Wanted, out);
        }
        let met = self.place(place.0, course.to, course.target);
        let unconfirmed_by = match step {
            Step::Reply(_) => None,
            Step::Frame(unconfirmed) => Some(unconfirmed.made.peer.node_id()),
        };
        self.forget_opening(cx, place);
        if let Some(peer) = unconfirmed_by {
            self.estranged(cx, met, peer, out);
        }
        self.opening_failed(cx, met);
    }

    /// Gives a handshake up.
    pub(super) fn forget_opening(&mut self, cx: Cx, place: Place) {
        self.deadlines.cancel(Timer::Opening(place));
        if let Some(opening) = self.opening.remove(&place) {
            self.sessions.retire(cx.now, place);
            if matches!(opening.step, Step::Reply(_)) {
                self.spare_finish(place.0);
            }
        }
    }

    /// The airtime that was taken for a message 3 is not needed.
    fn spare_finish(&mut self, iface: InterfaceId) {
        if let Some(interface) = self.interfaces.get_mut(&iface) {
            interface.airtime.give_back_finish();
        }
    }

    /// Gives up the handshakes that only wait to be confirmed, with peers that the policy does not want any more.
    pub(super) fn forget_unwanted(&mut self, cx: Cx) {
        let unwanted = |(place, opening): (&Place, &Opening)| match &opening.step {
            Step::Frame(unconfirmed) if !self.policy.allows(&unconfirmed.made.peer.node_id()) => Some(*place),
            Step::Frame(_) | Step::Reply(_) => None,
        };
        let unwanted: Vec<Place> = self.opening.iter().filter_map(unwanted).collect();
        for place in unwanted {
            let Some(Opening { course, .. }) = self.opening.get(&place) else { continue };
            let met = self.place(place.0, course.to, course.target);
            self.forget_opening(cx, place);
            self.opening_failed(cx, met);
        }
    }

    /// Whether a handshake with whoever is there is on its way.
    pub(super) fn is_opening(&self, met: DialPlace) -> bool {
        self.opening
            .iter()
            .any(|((on, _), Opening { course, .. })| self.place(*on, course.to, course.target) == met)
    }

    /// Whether a first message with this key is this node's own, come back.
    pub(super) fn is_own_first(&self, ephemeral: &[u8; 32]) -> bool {
        self.opening.values().any(|opening| opening.course.ephemeral.as_bytes() == ephemeral)
    }

    /// Gives up the handshakes with whoever is there that have not come to message 2: a link is up.
    pub(super) fn forget_early(&mut self, cx: Cx, met: DialPlace) {
        let early = |(place, Opening { course, step }): (&Place, &Opening)| {
            let is = self.place(place.0, course.to, course.target) == met && matches!(step, Step::Reply(_));
            is.then_some(*place)
        };
        let early: Vec<Place> = self.opening.iter().filter_map(early).collect();
        for place in early {
            self.forget_opening(cx, place);
        }
    }

    /// The handshake with `peer` of which this node has sent message 3 and does not know that it arrived.
    pub(super) fn unconfirmed_with(&self, iface: InterfaceId, peer: &NodePublic) -> Option<Place> {
        let is = |(place, opening): (&Place, &Opening)| match &opening.step {
            Step::Frame(unconfirmed) if place.0 == iface && unconfirmed.made.peer == *peer => Some(*place),
            Step::Frame(_) | Step::Reply(_) => None,
        };
        self.opening.iter().find_map(is)
    }

    /// Says message 3 again, ahead of its time.
    pub(super) fn say_finish_again(&mut self, cx: Cx, place: Place, out: &mut impl Sink<Effect>) {
        self.send_opening(cx, place, Airtime::Wanted, out);
    }

    /// A responder under load asks for proof that this node receives where it writes from.
    pub(super) fn cookie(&mut self, cx: Cx, iface: InterfaceId, bytes: &[u8], out: &mut impl Sink<Effect>) {
        let Ok(Cookie { session, cookie }) = Cookie::decode(bytes) else {
            return self.refusals.count(Refused::malformed);
        };
        let place = (iface, session);
        let Some(Opening { course, step }) = self.opening.get_mut(&place) else {
            return self.refusals.count(Refused::unknown_session);
        };
        if matches!(step, Step::Frame(_)) {
            return self.refusals.count(Refused::replayed);
        }
        // The first cookie of a handshake is used at once, later ones with the next repetition: whoever makes cookies up
        // cannot make this node talk.
        if course.cookie.replace(*cookie).is_none() {
            self.send_opening(cx, place, Airtime::Wanted, out);
        }
    }

    /// Message 2.
    pub(super) fn reply(&mut self, cx: Cx, iface: InterfaceId, bytes: &[u8], out: &mut impl Sink<Effect>) {
        let Ok(Reply { session, noise }) = Reply::decode(bytes) else {
            return self.refusals.count(Refused::malformed);
        };
        let place = (iface, session);
        let (course, state) = match self.opening.remove(&place) {
            Some(Opening { course, step: Step::Reply(state) }) => (course, state),
            Some(opening) => {
                self.opening.insert(place, opening);
                return self.refusals.count(Refused::replayed);
            }
            None => return self.refusals.count(Refused::unknown_session),
        };
        match self.read_reply(cx, iface, &course, *state, noise) {
            Err((why, state)) => {
                self.refusals.count(why);
                self.opening.insert(place, Opening { course, step: Step::Reply(Box::new(state)) });
            }
            Ok((verdict, peer, payload)) => {
                self.accept_reply(cx, place, course, verdict, peer, payload, out);
            }
        }
    }

    fn read_reply(
        &mut self,
        cx: Cx,
        iface: InterfaceId,
        course: &Course,
        state: AwaitingReply,
        noise: &[u8; nexus_crypto::noise::REPLY_LEN],
    ) -> Result<(AwaitingVerdict, NodePublic, ReplyPayload), (Refused, AwaitingReply)> {
        let interface = self.interfaces.get_mut(&iface);
        if state.is_spent() && !interface.is_some_and(|interface| interface.answers.take(cx.now)) {
            return Err((Refused::flooded, state));
        }
        let verdict = state.read(&self.own, noise).map_err(|refused| (cause(refused.why), refused.state))?;
        let Ok(payload) = ReplyPayload::decode(verdict.payload()) else {
            return Err((Refused::malformed, verdict.refuse()));
        };
        match self.recognised(&verdict.peer(), payload.link) {
            Err(why) => Err((why, verdict.refuse())),
            Ok(peer) if course.expected.is_some_and(|expected| expected != peer.node_id()) => {
                Err((Refused::other_peer, verdict.refuse()))
            }
            Ok(peer) => Ok((verdict, peer, payload)),
        }
    }

    /// Sends message 3, unless a link with this peer makes it superfluous.
    #[allow(clippy::too_many_arguments, reason = "what message 2 said, and of which handshake")]
    fn accept_reply(
        &mut self,
        cx: Cx,
        place: Place,
        course: Course,
        verdict: AwaitingVerdict,
        peer: NodePublic,
        payload: ReplyPayload,
        out: &mut impl Sink<Effect>,
    ) {
        let iface = place.0;
        self.remember_tag(iface, course.target, peer.node_id());
        let link = self.by_peer.get(&(iface, peer.node_id())).and_then(|id| self.links.get(id.0));
        // A link that came up since stands; and so does one that lives at another of the peer's addresses, unless it is
        // this very peer that was asked for.
        let stands = |link: &Link| {
            let elsewhere = link.endpoint != course.to && course.expected.is_none();
            let lives = link.up_at > course.began_at || link.heard_at > course.since;
            lives || (elsewhere && link.heard_at.after(link.answer_time()) > cx.now)
        };
        let Some(interface) = self.interfaces.get(&iface) else { return };
        if link.is_some_and(stands) {
            self.refusals.count(Refused::overtaken);
            self.deadlines.cancel(Timer::Opening(place));
            self.sessions.retire(cx.now, place);
            self.spare_finish(iface);
            return self.linked(self.place(iface, course.to, course.target));
        }
        let medium = interface.pace;
        let mut says = [0; nexus_crypto::noise::FINISH_PAYLOAD_LEN];
        self.says(interface).encode(&mut says).expect("the buffer has the payload's own length");
        let (noise, established) = verdict.accept(&says);
        let finish = Finish { session: payload.session, noise: &noise };
        let mut bytes = [0; Finish::LEN];
        finish.encode(&mut bytes).expect("the buffer has the message's own length");
        let made = Made {
            iface,
            endpoint: course.to,
            peer,
            keys: Keys::new(established, place.1, payload.session, medium.window, cx.now),
            peer_max_frame: payload.link.max_frame,
            finish: None,
            unshown: None,
        };
        let course =
            Course { forget_at: cx.now.after(medium.patience()), wait: medium.finish_wait, ..course };
        let step = Step::Frame(Box::new(Unconfirmed { finish: bytes.to_vec(), made }));
        self.opening.insert(place, Opening { course, step });
        self.send_opening(cx, place, Airtime::Taken, out);
    }

    /// The first sealed frame: the responder has read message 3, and the link is up.
    #[allow(clippy::too_many_arguments, reason = "a frame, where it came from, and who is told")]
    pub(super) fn confirm(
        &mut self,
        cx: Cx,
        iface: InterfaceId,
        from: Option<Endpoint>,
        session: SessionId,
        header: SealedHeader,
        bytes: &[u8],
        out: &mut impl Sink<Effect>,
    ) -> Option<LinkId> {
        let place = (iface, session);
        let opening = self.opening.remove(&place)?;
        let (course, unconfirmed) = match opening {
            Opening { course, step: Step::Frame(unconfirmed) } => (course, unconfirmed),
            opening @ Opening { step: Step::Reply(_), .. } => {
                self.opening.insert(place, opening);
                self.refusals.count(Refused::unknown_session);
                return None;
            }
        };
        if !unconfirmed.made.keys.is_authentic(header, bytes) {
            self.refusals.count(Refused::not_authentic);
            self.opening.insert(place, Opening { course, step: Step::Frame(unconfirmed) });
            return None;
        }
        self.deadlines.cancel(Timer::Opening(place));
        // Whoever is where the first message went has received it; who answers from elsewhere may only say so.
        let endpoint = from.or(course.to);
        let unshown = (endpoint != course.to).then_some(bytes.len());
        let made = Made { endpoint, unshown, ..unconfirmed.made };
        self.linked(self.place(iface, course.to, course.target));
        let met = self.place(iface, made.endpoint, course.target);
        let link = self.establish(cx, made, met, out);
        match link {
            Some(link) => {
                self.at_desk(cx, link, out, Link::probe);
            }
            None => self.opening_failed(cx, self.place(iface, course.to, course.target)),
        }
        link
    }
}

fn first_message(session: SessionId, target: BeaconTag, ephemeral: &[u8; 32]) -> [u8; First::LEN] {
    let mut bytes = [0; First::LEN];
    let first = First { session, target, ephemeral, cookie: None };
    first.encode(&mut bytes).expect("the buffer has the message's own length");
    bytes
}

/// Under which cause a handshake message that was refused is counted.
pub(super) const fn cause(why: Refusal) -> Refused {
    match why {
        Refusal::NotAuthentic | Refusal::NoAgreement(_) => Refused::not_authentic,
        Refusal::OwnStatic | Refusal::OwnEphemeral => Refused::looped,
    }
}
