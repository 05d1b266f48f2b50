//! The per-packet path: frames in, frames out, in place.

use alloc::vec::Vec;

use nexus_machine::{Cx, Sink};
use nexus_wire::nexus::Layout as _;
use nexus_wire::nexus::frame::{
    BeaconTag, FrameKind, HEADER_LEN, Head, KeyName, LinkVersion, Sealed, SealedHeader, SessionId,
};
use nexus_wire::nexus::recording::Direction;

use super::carried::Carrier;
use super::link::{Due, Received, Sealing};
use super::refusals::Refused;
use super::sessions::Owner;
use super::status::Down;
use super::{Effect, LinkId, Links, fragments};
use crate::interface::{Endpoint, InterfaceId};
use crate::media::{Frame, Seal};

/// What a frame had for others than the link.
#[derive(Debug, PartialEq, Eq)]
pub struct Opened {
    /// Over which link it came.
    pub link: LinkId,
    /// Headroom, then messages.
    pub bytes: Vec<u8>,
    /// Where the messages end.
    pub end: usize,
    /// A message that a fragment in it completed, behind headroom.
    pub whole: Option<Vec<u8>>,
}

/// A frame cannot leave: its link is gone, or may not send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Withheld;

impl Links {
    /// Takes a frame. Handshakes and control messages are dealt with here; what a sealed frame has for others is returned.
    pub fn receive(
        &mut self,
        cx: Cx,
        iface: InterfaceId,
        from: Option<Endpoint>,
        bytes: Vec<u8>,
        out: &mut impl Sink<Effect>,
    ) -> Option<Opened> {
        match self.interfaces.get(&iface)?.carrier {
            Carrier::ReticulumLink => return self.receive_carried(cx, iface, &bytes, out),
            Carrier::Anybody => {}
        }
        let head = bytes.first().copied().and_then(Head::from_wire);
        let Some(head) = head else {
            self.refusals.count(Refused::malformed);
            return None;
        };
        if head.version() != LinkVersion::ONE {
            self.refusals.count(Refused::other_version);
            return None;
        }
        match head.kind() {
            FrameKind::SEALED => return self.sealed(cx, iface, from, bytes, out),
            FrameKind::FIRST => self.first(cx, iface, from, &bytes, out),
            FrameKind::REPLY => self.reply(cx, iface, &bytes, out),
            FrameKind::FINISH => self.finish(cx, iface, from, &bytes, out),
            FrameKind::COOKIE => self.cookie(cx, iface, &bytes, out),
            FrameKind::BEACON => self.beacon_heard(cx, iface, from, &bytes, out),
            _ => self.refusals.count(Refused::other_version),
        }
        None
    }

    fn sealed(
        &mut self,
        cx: Cx,
        iface: InterfaceId,
        from: Option<Endpoint>,
        bytes: Vec<u8>,
        out: &mut impl Sink<Effect>,
    ) -> Option<Opened> {
        let Ok(Sealed { header, .. }) = Sealed::decode(&bytes) else {
            self.refusals.count(Refused::malformed);
            return None;
        };
        let KeyName::Session(session) = header.key else { return None };
        let link = match self.sessions.owner((iface, session)) {
            Some(Owner::Link(link)) => link,
            Some(Owner::Opening) => self.confirm(cx, iface, from, session, header, &bytes, out)?,
            Some(Owner::Answering) | None => {
                self.refusals.count(Refused::unknown_session);
                return None;
            }
        };
        self.receive_sealed(cx, iface, (link, session), from, header, bytes, out)
    }

    /// A frame of a link, in the form of one that is sealed.
    #[allow(clippy::too_many_arguments, reason = "a frame, where it came from, and who is told")]
    pub(super) fn receive_sealed(
        &mut self,
        cx: Cx,
        iface: InterfaceId,
        (link, session): (LinkId, SessionId),
        from: Option<Endpoint>,
        header: SealedHeader,
        mut bytes: Vec<u8>,
        out: &mut impl Sink<Effect>,
    ) -> Option<Opened> {
        let peer =
            if self.tap.is_open() { self.links.get(link.0).map(|link| link.peer.node_id()) } else { None };
        let received = self.receive_on(cx, link, header, session, from, &mut bytes, out)?;
        let plaintext = bytes.get(HEADER_LEN..received.end).unwrap_or_default();
        self.tap.note(iface, Direction::Received, peer, header, plaintext);
        Some(Opened { link, bytes, end: received.end, whole: received.whole })
    }

    /// Opens a frame on a link, and keeps the tables in step with what it changed.
    #[allow(clippy::too_many_arguments, reason = "a frame, where it came from, and who is told")]
    fn receive_on(
        &mut self,
        cx: Cx,
        id: LinkId,
        header: SealedHeader,
        session: SessionId,
        from: Option<Endpoint>,
        bytes: &mut [u8],
        out: &mut impl Sink<Effect>,
    ) -> Option<Received> {
        let before = self.links.get(id.0)?.lives_at();
        let received =
            self.at_desk(cx, id, out, |link, desk| link.receive(header, session, from, bytes, desk))?;
        let link = self.links.get(id.0)?;
        let (iface, after) = (link.iface, link.lives_at());
        if after != before {
            let place = |endpoint| (iface, endpoint, BeaconTag::ANYBODY);
            if let Some(old) = before.map(place).filter(|old| self.by_endpoint.get(old) == Some(&id)) {
                self.by_endpoint.remove(&old);
            }
            if let Some(place) = after.map(place) {
                self.by_endpoint.insert(place, id);
                self.linked(place);
            }
        }
        self.schedule(id);
        received
    }

    /// Seals a frame as it leaves under a link, in place, and addresses it.
    pub fn seal(&mut self, cx: Cx, frame: &mut Frame, out: &mut impl Sink<Effect>) -> Result<(), Withheld> {
        let Some(Seal::Link(id)) = frame.under else { return Ok(()) };
        let Some(link) = self.links.get_mut(id.0) else {
            self.withhold();
            return Err(Withheld);
        };
        match link.seal(cx.now, &mut frame.bytes, &mut self.tap) {
            Sealing::To(endpoint, due) => {
                frame.to = endpoint;
                if due == Due::Sooner || link.is_used_up() {
                    self.schedule(id);
                }
                Ok(())
            }
            Sealing::Withheld => {
                self.withhold();
                Err(Withheld)
            }
            Sealing::Exhausted => {
                self.withhold();
                self.end(cx, id, Down::Exhausted, out);
                Err(Withheld)
            }
        }
    }

    /// On which interface a message of this length, headroom included, leaves over a link in one frame; none if it does not.
    pub(crate) fn carries_whole(&self, id: LinkId, behind_headroom: usize) -> Option<InterfaceId> {
        self.links.get(id.0).filter(|link| link.fits(behind_headroom)).map(|link| link.iface)
    }

    /// The frames that carry a message (without a length, behind headroom) over a link: one, or its fragments.
    ///
    /// Nothing if the link is gone or the message is longer than fragments carry.
    pub fn frames(&self, id: LinkId, message: Vec<u8>) -> impl Iterator<Item = Frame> {
        let link = self.links.get(id.0);
        let whole = link.filter(|link| link.fits(message.len())).map(|link| link.frame(id, Vec::new()));
        let pieces = match (link, &whole) {
            (Some(link), None) => {
                fragments::cut(&message, link.max_frame(), fragments::Ends::WithFrame).unwrap_or_default()
            }
            (Some(_), Some(_)) | (None, _) => Vec::new(),
        };
        let cut = pieces.into_iter().filter_map(move |bytes| link.map(|link| link.frame(id, bytes)));
        whole.map(|frame| Frame { bytes: message, ..frame }).into_iter().chain(cut)
    }
}
