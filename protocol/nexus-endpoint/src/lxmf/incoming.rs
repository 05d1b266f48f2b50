//! Messages that come: known once, by their source, paid for. Source: spec/lxmf.md#organ.

use alloc::vec::Vec;

use nexus_crypto::{DestinationHash, NameHash};
use nexus_machine::{Cx, Sink};
use nexus_wire::reticulum::lxmf::{DELIVERY, Message, MessageId, Stamp};

use super::contract::{Effect, Letter, Signed, TEXT_MAX};
use super::outgoing::Errand;
use super::stamp::{Checking, Use};
use super::{Lxmf, count};
use crate::contract::{Command as Wish, Found};

/// The longest message that is looked at, in bytes: attachments pass unread and are not kept.
pub(super) const MESSAGE_MAX: usize = TEXT_MAX + 256;

/// How a message is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// Without its destination.
    Packet,
    /// With it.
    Whole,
}

/// A message that is looked at.
#[derive(Debug)]
pub(super) struct Held {
    /// Whole.
    bytes: Vec<u8>,
    id: MessageId,
    stage: Stage,
}

#[derive(Debug)]
enum Stage {
    /// Its source is looked for.
    Source,
    /// Its stamp is looked at.
    Stamp(Checking, Signed),
}

impl Lxmf {
    pub(super) fn came(&mut self, cx: Cx, bytes: &[u8], form: Form, out: &mut impl Sink<Effect>) {
        let read = match form {
            Form::Packet => Message::decode_for(self.address, bytes),
            Form::Whole => Message::decode(bytes),
        };
        let Some(message) = read.ok().filter(|message| message.destination == self.address) else {
            return count(&mut self.refusals.malformed);
        };
        if self.presence.is_none() {
            return;
        }
        if bytes.len() > MESSAGE_MAX {
            return count(&mut self.refusals.too_long);
        }
        let id = message.id();
        if self.seen.contains(&id) || self.held.values().any(|held| held.id == id) {
            return count(&mut self.refusals.repeated);
        }
        if self.held.len() >= self.limits.held {
            return count(&mut self.refusals.busy);
        }
        let key = self.next_key();
        self.held.insert(key, Held { bytes: message.encode(), id, stage: Stage::Source });
        if message.source == self.address {
            // Whatever claims to be of this node's own is looked at with this node's key.
            return self.judge(cx, key, Some(Signer::Own), out);
        }
        let handle = self.next_handle(Errand::Source { held: key });
        out.push(Effect::Endpoint(Wish::Find { handle, destination: message.source }));
    }

    /// What is known of a message's source; none if nobody answers for it.
    pub(super) fn source_found(
        &mut self,
        cx: Cx,
        key: u64,
        peer: Option<&Found>,
        out: &mut impl Sink<Effect>,
    ) {
        self.judge(cx, key, peer.map(Signer::Peer), out);
    }

    fn judge(&mut self, cx: Cx, key: u64, author: Option<Signer<'_>>, out: &mut impl Sink<Effect>) {
        let Some(held) = self.held.get(&key) else { return };
        let Ok(message) = Message::decode(&held.bytes) else { return };
        let id = held.id;
        let public = match author {
            Some(Signer::Own) => Some(*self.identity.public()),
            Some(Signer::Peer(peer)) => Some(peer.identity),
            None => None,
        };
        let signed = match public {
            None => Signed::Claimed,
            Some(public) => {
                let is_source = DestinationHash::of(NameHash::of(DELIVERY), public.hash()) == message.source;
                let is_signed = public.verifying().verify_untagged(&message.signed(&id), &message.signature);
                if !is_source || is_signed.is_err() {
                    self.held.remove(&key);
                    return count(&mut self.refusals.forged);
                }
                Signed::Verified
            }
        };
        if signed == Signed::Verified
            && let Some(ticket) = message.body.ticket()
        {
            let _oldest_gives_way = self.tickets.insert(message.source, ticket);
        }
        if self.presence.as_ref().is_none_or(|presence| presence.stamp_cost.is_none()) {
            return self.hand_over(key, signed, out);
        }
        match message.stamp {
            Some(Stamp::Work(stamp)) => {
                let checking = Checking::new(Use::Delivery, id.0, *stamp);
                if let Some(held) = self.held.get_mut(&key) {
                    held.stage = Stage::Stamp(checking, signed);
                }
                self.begin_work(cx.now);
            }
            // This node gives no tickets.
            Some(Stamp::Ticket(_)) | None => {
                self.held.remove(&key);
                count(&mut self.refusals.unstamped);
            }
        }
    }

    pub(super) fn being_checked(&self) -> Option<u64> {
        let checked = |(key, held): (&u64, &Held)| match held.stage {
            Stage::Stamp(..) => Some(*key),
            Stage::Source => None,
        };
        self.held.iter().find_map(checked)
    }

    /// A slice of the work of looking at a stamp.
    pub(super) fn check(&mut self, _cx: Cx, key: u64, out: &mut impl Sink<Effect>) {
        let Some(Held { stage: Stage::Stamp(checking, signed), .. }) = self.held.get_mut(&key) else {
            return;
        };
        let Some(value) = checking.work() else { return };
        let signed = *signed;
        let cost = self.presence.as_ref().and_then(|presence| presence.stamp_cost).unwrap_or(0);
        if value >= u32::from(cost) {
            return self.hand_over(key, signed, out);
        }
        self.held.remove(&key);
        count(&mut self.refusals.unstamped);
    }

    fn hand_over(&mut self, key: u64, signature: Signed, out: &mut impl Sink<Effect>) {
        let Some(held) = self.held.remove(&key) else { return };
        let Ok(message) = Message::decode(&held.bytes) else { return };
        let _oldest_gives_way = self.seen.insert(held.id, ());
        out.push(Effect::Arrived(Letter {
            id: held.id,
            source: message.source,
            signature,
            title: message.body.title().to_vec(),
            content: message.body.content().to_vec(),
        }));
    }
}

/// Whose signature it should be.
#[derive(Clone, Copy, Debug)]
enum Signer<'a> {
    Own,
    Peer(&'a Found),
}
