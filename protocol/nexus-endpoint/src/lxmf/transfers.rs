//! Messages that do not fit a packet of a link: resources. Source: spec/lxmf.md#ways.

use nexus_machine::{Cx, Sink};
use nexus_wire::reticulum::LinkId;

use super::contract::Effect;
use super::incoming::{Form, MESSAGE_MAX};
use super::outgoing::Errand;
use super::{Lxmf, count};
use crate::contract::{Bytes, Command as Wish, Failure, Handle, Need, Supply};
use crate::resource::{Command, Compression, Event, Offer, Purpose};

impl Lxmf {
    /// Offers a message to the other end of a link.
    pub(super) fn offer(handle: Handle, link: LinkId, len: usize, out: &mut impl Sink<Effect>) {
        let offer = Offer {
            len: u64::try_from(len).unwrap_or(u64::MAX),
            metadata: None,
            purpose: Purpose::Data,
            compression: Compression::Tried,
        };
        out.push(Effect::Endpoint(Wish::Transfer { link, command: Command::Offer(handle, offer) }));
    }

    /// A piece of what is sent is wanted.
    pub(super) fn supply(&self, link: LinkId, need: &Need, out: &mut impl Sink<Effect>) {
        let Need::Read(handle, from, len) = need else { return };
        let whole = match self.errands.get(handle) {
            Some(Errand::Say { parcel, .. }) => self.offered(*parcel),
            Some(
                Errand::Find { .. }
                | Errand::FindNode { .. }
                | Errand::Seal { .. }
                | Errand::Get
                | Errand::Unseal { .. }
                | Errand::Send { .. }
                | Errand::Call { .. }
                | Errand::Source { .. },
            )
            | None => None,
        };
        let piece = whole.and_then(|whole| {
            let from = usize::try_from(*from).ok()?;
            let end = from.checked_add(usize::try_from(*len).ok()?)?.min(whole.len());
            whole.get(from..end)
        });
        let supply = Supply::Read(*handle, piece.map(|piece| Bytes(piece.to_vec())));
        out.push(Effect::Endpoint(Wish::Supply { link, supply }));
    }

    pub(super) fn transferred(&mut self, cx: Cx, link: LinkId, event: Event, out: &mut impl Sink<Effect>) {
        self.used(cx.now, link);
        match event {
            Event::Sent(handle) => self.delivered(cx, handle, out),
            Event::NotSent(handle, _) => {
                if let Some(Errand::Say { parcel, .. }) = self.errands.remove(&handle) {
                    self.failed(cx, parcel, Failure::NoAnswer, out);
                }
            }
            Event::Offered(arrival, offered) => {
                let most = u64::try_from(MESSAGE_MAX).unwrap_or(u64::MAX);
                let fits = offered.purpose == Purpose::Data && offered.segments == 1 && offered.len <= most;
                if !fits {
                    count(&mut self.refusals.too_long);
                }
                let command = if fits { Command::Accept(arrival) } else { Command::Refuse(arrival) };
                out.push(Effect::Endpoint(Wish::Transfer { link, command }));
            }
            Event::Segment(arrival, segment) => {
                self.came(cx, &segment.data.0, Form::Whole, out);
                out.push(Effect::Endpoint(Wish::Transfer { link, command: Command::Kept(arrival) }));
            }
            Event::Arrived(_) | Event::NotArrived(..) => {}
        }
    }
}
