//! Requests and responses: packets of their link, or resources where they do not fit one.

use nexus_crypto::hash::sha256_truncated;
use nexus_machine::{Cx, Duration, Sink};
use nexus_wire::reticulum::msgpack::Float;
use nexus_wire::reticulum::request::{Request, Response};
use nexus_wire::reticulum::resource::{PathHash, RequestId};
use nexus_wire::reticulum::{Context, LinkId};

use super::{ASKED, Form};
use crate::contract::{Asked, Bytes, Effect, Event, Failure, Handle, Question};
use crate::endpoint::{Endpoint, Timer, fail, tell};
use crate::resource::Purpose;

impl Endpoint {
    /// Asks the other end.
    pub(crate) fn request(
        &mut self,
        cx: Cx,
        handle: Handle,
        id: &LinkId,
        question: &Question,
        out: &mut impl Sink<Effect>,
    ) {
        let Some(link) = self.up(id) else { return fail(handle, Failure::NoLink, out) };
        let at = Float::of(Duration::from_secs(cx.unix_s().unwrap_or(0)));
        let path = PathHash::of(&question.path);
        let packed = Request { at, path, data: &question.data.0 }.encode();
        if link.asked.len() >= ASKED {
            return fail(handle, Failure::Busy, out);
        }
        let request = if link.is_too_long(&packed) {
            let request = RequestId(sha256_truncated(&[&packed]));
            if let Err(why) = self.offer(cx, handle, id, packed, Purpose::Request(request), out) {
                return fail(handle, why, out);
            }
            request
        } else {
            let hash = self.say_on(id, Context::REQUEST, Form::Sealed, &packed, out);
            let Some(hash) = hash else { return fail(handle, Failure::NoLink, out) };
            RequestId(hash.truncated().0)
        };
        if let Some(link) = self.up(id) {
            link.asked.insert(request, handle);
            self.deadlines.set(Timer::Answer(*id, request), cx.now.after(question.within));
        }
    }

    pub(super) fn hear_request(
        &mut self,
        id: &LinkId,
        request: RequestId,
        plaintext: &[u8],
        out: &mut impl Sink<Effect>,
    ) {
        let Ok(Request { path, data, .. }) = Request::decode(plaintext) else { return };
        let Some(destination) = self.up(id).map(|link| link.destination) else { return };
        let asked = Asked { link: *id, request, destination, path, data: Bytes(data.to_vec()) };
        tell(Event::Requested(asked), out);
    }

    /// Answers the other end.
    pub(crate) fn respond(
        &mut self,
        cx: Cx,
        handle: Handle,
        id: &LinkId,
        request: RequestId,
        data: &[u8],
        out: &mut impl Sink<Effect>,
    ) {
        let Some(link) = self.up(id) else { return fail(handle, Failure::NoLink, out) };
        let packed = Response { request, data }.encode();
        if link.is_too_long(&packed) {
            if let Err(why) = self.offer(cx, handle, id, packed, Purpose::Response(request), out) {
                fail(handle, why, out);
            }
            return;
        }
        self.say_on(id, Context::RESPONSE, Form::Sealed, &packed, out);
    }

    pub(super) fn hear_response(&mut self, id: &LinkId, plaintext: &[u8], out: &mut impl Sink<Effect>) {
        let Ok(Response { request, data }) = Response::decode(plaintext) else { return };
        let Some(handle) = self.up(id).and_then(|link| link.asked.remove(&request)) else { return };
        self.deadlines.cancel(Timer::Answer(*id, request));
        tell(Event::Responded { handle, data: Bytes(data.to_vec()) }, out);
    }

    pub(crate) fn not_answered(&mut self, id: &LinkId, request: &RequestId, out: &mut impl Sink<Effect>) {
        let handle = self.links.all.get_mut(id).and_then(|link| link.asked.remove(request));
        if let Some(handle) = handle {
            fail(handle, Failure::NoAnswer, out);
        }
    }
}
