//! How it is known that the other end of a link is there, and how a link ends.

use nexus_machine::{Cx, Duration, Instant, Sink};
use nexus_wire::reticulum::{Context, LinkId};

use super::{Form, Link, Stage};
use crate::contract::{Down, Effect, Side};
use crate::endpoint::{Endpoint, Timer};

/// What the initiator of a link says of being there, and what answers it.
const THERE: u8 = 0xff;
const THERE_TOO: u8 = 0xfe;
/// The initiator says it after so many microseconds of silence for each 175 of the round trip, but no oftener and no rarer than:
const KEEPALIVE_SCALE: (u64, u64) = (36_000, 175);
pub(super) const KEEPALIVE_MIN: Duration = Duration::from_secs(5);
pub(super) const KEEPALIVE_MAX: Duration = Duration::from_secs(360);
/// After two such silences the other end has so much longer, and four round trips.
const LAST_CHANCE: Duration = Duration::from_secs(5);

impl Link {
    /// How long it is silent before its initiator says that it is there.
    fn keepalive(&self) -> Duration {
        let (times, per) = KEEPALIVE_SCALE;
        let micros = self.rtt.as_micros().saturating_mul(times).checked_div(per).unwrap_or(u64::MAX);
        Duration::from_micros(micros).clamp(self.quiet, KEEPALIVE_MAX)
    }

    /// When it is over, if nothing comes.
    fn over(&self) -> Instant {
        self.heard.after(self.keepalive().times(2)).after(self.rtt.times(4)).after(LAST_CHANCE)
    }

    /// When its initiator is to say that it is there.
    fn keep_at(&self) -> Instant {
        self.heard.max(self.kept).after(self.keepalive())
    }

    /// When something is due on it.
    pub(super) fn due(&self) -> Instant {
        match (&self.stage, self.side) {
            (Stage::Asked(_, until) | Stage::Answered(_, until), _) => *until,
            (Stage::Up(_), Side::Initiator) => self.over().min(self.keep_at()),
            (Stage::Up(_), Side::Responder) => self.over(),
        }
    }
}

impl Endpoint {
    /// What is due on a link.
    pub(crate) fn keep_link(&mut self, cx: Cx, id: &LinkId, out: &mut impl Sink<Effect>) {
        let Some(link) = self.links.all.get_mut(id) else { return };
        let is_over = match &link.stage {
            Stage::Asked(_, until) | Stage::Answered(_, until) => *until <= cx.now,
            Stage::Up(_) => link.over() <= cx.now,
        };
        if is_over {
            if link.is_up() {
                self.say_on(id, Context::LINK_CLOSE, Form::Sealed, id.as_bytes(), out);
            }
            return self.end_link(id, Down::Silent, out);
        }
        let says = link.is_up() && link.side == Side::Initiator && link.keep_at() <= cx.now;
        if says {
            link.kept = cx.now;
        }
        let due = link.due();
        self.deadlines.set(Timer::Link(*id), due);
        if says {
            self.say_on(id, Context::KEEPALIVE, Form::Clear, &[THERE], out);
        }
    }

    /// The other end is there.
    pub(super) fn hear_keepalive(&mut self, cx: Cx, id: &LinkId, said: &[u8], out: &mut impl Sink<Effect>) {
        let Some(link) = self.up(id) else { return };
        match (link.side, said) {
            (Side::Responder, [THERE]) => {
                link.heard = cx.now;
                self.say_on(id, Context::KEEPALIVE, Form::Clear, &[THERE_TOO], out);
            }
            (Side::Initiator, [THERE_TOO]) => link.heard = cx.now,
            (Side::Initiator | Side::Responder, _) => {}
        }
    }

    /// Whoever uses the endpoint wants no more of it.
    pub(crate) fn close(&mut self, id: &LinkId, out: &mut impl Sink<Effect>) {
        self.say_on(id, Context::LINK_CLOSE, Form::Sealed, id.as_bytes(), out);
        self.end_link(id, Down::Here, out);
    }

    /// The other end wants no more of it.
    pub(super) fn hear_close(&mut self, id: &LinkId, plaintext: &[u8], out: &mut impl Sink<Effect>) {
        if plaintext == id.as_bytes() {
            self.end_link(id, Down::There, out);
        }
    }
}
