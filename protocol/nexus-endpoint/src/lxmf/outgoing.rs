//! Messages that are sent: found out whom to, stamped, said in a packet or on a link, and again. Source: spec/lxmf.md#organ.

use alloc::vec::Vec;

use nexus_crypto::DestinationHash;
use nexus_machine::{Cx, Duration, Instant, Sink};
use nexus_wire::reticulum::LinkId;
use nexus_wire::reticulum::lxmf::{
    Body, DeliveryInfo, Message, MessageId, PropagationInfo, Stamp, Stored, TransientId, Upload,
};

use super::contract::{Effect, Outgoing, TEXT_MAX, Undelivered, Way};
use super::stamp::{Making, STAMP_LEN, Use};
use super::{Lxmf, Timer, time};
use crate::SINGLE_MAX;
use crate::contract::{Bytes, Command as Wish, Failure, Found, Handle};

/// What is longer goes as a resource, whatever the link's MTU: that is what other peers look out for.
const LINK_PACKET_MAX: usize = 431;
/// What failed is tried again after so long.
const RETRY: Duration = Duration::from_secs(10);
/// What its recipient did not prove is offered to the propagation node for so long.
const NODE_TIME: Duration = Duration::from_secs(120);

/// A message on its way.
#[derive(Debug)]
pub(super) struct Parcel {
    handle: u64,
    to: DestinationHash,
    /// The four values.
    body: Vec<u8>,
    id: MessageId,
    stamp: Paid,
    /// By the node, or to its recipient.
    course: Course,
    /// When it is given up.
    until: Instant,
    attempts: u32,
    /// What a stamp costs at the node.
    node_cost: u8,
    /// When the last attempt left.
    said_at: Instant,
    stage: Stage,
}

/// What a message pays with.
#[derive(Debug)]
enum Paid {
    Nothing,
    Work([u8; STAMP_LEN]),
    Ticket([u8; 16]),
}

/// Where a message goes.
#[derive(Debug)]
enum Course {
    Recipient,
    /// The node at this address: what it is left, once that is complete.
    Node(DestinationHash, Option<Vec<u8>>),
}

#[derive(Debug)]
enum Stage {
    /// Whom it goes to is looked for.
    Finding,
    /// Its stamp is made.
    Stamping(Making),
    /// The node's stamp is made for what is to be left there: destination and sealed message.
    StampingForNode(Making, Vec<u8>),
    /// Its proof is waited for.
    Said,
    /// It is a resource, of which no more than the offer may have been said.
    Offered(Vec<u8>),
    /// A link is.
    Calling,
    /// Its next attempt is.
    Waiting,
}

/// For what something was wanted of the endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Errand {
    /// To whom a parcel goes.
    Find { parcel: u64 },
    /// The node where a parcel is to be left.
    FindNode { parcel: u64 },
    /// A parcel for the node, for a stamp of this cost.
    Seal { parcel: u64, cost: u8 },
    /// A question to the node.
    Get,
    /// A message that the node kept.
    Unseal { id: TransientId },
    /// A parcel in a packet.
    Send { parcel: u64 },
    /// A parcel on a link.
    Say { parcel: u64, link: LinkId },
    /// A link.
    Call { to: DestinationHash },
    /// Whose a message is.
    Source { held: u64 },
}

impl Lxmf {
    pub(super) fn send(&mut self, cx: Cx, outgoing: Outgoing, out: &mut impl Sink<Effect>) {
        let Outgoing { handle, to, title, content, lifetime } = outgoing;
        let refused = if to == self.address {
            Some(Undelivered::Own)
        } else if title.len().saturating_add(content.len()) > TEXT_MAX {
            Some(Undelivered::TooLong)
        } else if self.outgoing.len() >= self.limits.outgoing {
            Some(Undelivered::Busy)
        } else {
            None
        };
        if let Some(why) = refused {
            return out.push(Effect::Undelivered { handle, why });
        }
        let composed = Body::compose(time(cx), &title, &content, None);
        let Ok(body) = Body::decode(&composed) else { return };
        let id = body.id(&to, &self.address);
        let key = self.next_key();
        let parcel = Parcel {
            handle,
            to,
            body: composed,
            id,
            stamp: Paid::Nothing,
            course: Course::Recipient,
            until: cx.now.after(lifetime),
            attempts: 0,
            node_cost: 0,
            said_at: cx.now,
            stage: Stage::Waiting,
        };
        self.outgoing.insert(key, parcel);
        self.attempt(cx, key, out);
    }

    /// Begins an attempt: with whom it goes to, whose stamp may cost something else by then.
    pub(super) fn attempt(&mut self, _cx: Cx, key: u64, out: &mut impl Sink<Effect>) {
        let Some(parcel) = self.outgoing.get_mut(&key) else { return };
        parcel.stage = Stage::Finding;
        let (destination, errand) = match &parcel.course {
            Course::Recipient => (parcel.to, Errand::Find { parcel: key }),
            Course::Node(node, _) => (*node, Errand::FindNode { parcel: key }),
        };
        let handle = self.next_handle(errand);
        out.push(Effect::Endpoint(Wish::Find { handle, destination }));
    }

    pub(super) fn found(&mut self, cx: Cx, key: u64, peer: &Found, out: &mut impl Sink<Effect>) {
        let Some(parcel) = self.outgoing.get_mut(&key) else { return };
        let cost = DeliveryInfo::decode(&peer.app_data).ok().and_then(|info| info.stamp_cost).unwrap_or(0);
        let now_s = cx.unix_s().unwrap_or(0);
        let ticket = self
            .tickets
            .get(&parcel.to)
            .filter(|ticket| ticket.expires.duration().is_some_and(|expires| expires.as_secs() > now_s));
        match (&parcel.stamp, ticket) {
            (Paid::Nothing, Some(ticket)) => parcel.stamp = Paid::Ticket(ticket.stamp(&parcel.id)),
            (Paid::Nothing, None) if cost > 0 => {
                let making = Making::new(Use::Delivery, parcel.id.0, cost, &mut self.random);
                parcel.stage = Stage::Stamping(making);
                return self.begin_work(cx.now);
            }
            (Paid::Nothing | Paid::Work(_) | Paid::Ticket(_), _) => {}
        }
        self.dispatch(cx, key, out);
    }

    /// The bytes of a parcel that is sent as a resource.
    pub(super) fn offered(&self, key: u64) -> Option<&[u8]> {
        match &self.outgoing.get(&key)?.stage {
            Stage::Offered(whole) => Some(whole),
            Stage::Finding
            | Stage::Stamping(_)
            | Stage::StampingForNode(..)
            | Stage::Said
            | Stage::Calling
            | Stage::Waiting => None,
        }
    }

    pub(super) fn being_stamped(&self) -> Option<u64> {
        let stamped = |(key, parcel): (&u64, &Parcel)| match parcel.stage {
            Stage::Stamping(_) | Stage::StampingForNode(..) => Some(*key),
            Stage::Finding | Stage::Said | Stage::Offered(_) | Stage::Calling | Stage::Waiting => None,
        };
        self.outgoing.iter().find_map(stamped)
    }

    /// A slice of the work of making a stamp.
    pub(super) fn stamp(&mut self, cx: Cx, key: u64, out: &mut impl Sink<Effect>) {
        let Some(parcel) = self.outgoing.get_mut(&key) else { return };
        let stamp = match &mut parcel.stage {
            Stage::Stamping(making) => making.work(),
            Stage::StampingForNode(making, stored) => {
                let Some(stamp) = making.work() else { return };
                let upload = Stored::decode(stored).map(|stored| Upload::compose(time(cx), &stored, &stamp));
                if let Course::Node(_, complete) = &mut parcel.course {
                    *complete = upload;
                }
                return self.dispatch(cx, key, out);
            }
            Stage::Finding | Stage::Said | Stage::Offered(_) | Stage::Calling | Stage::Waiting => return,
        };
        if let Some(stamp) = stamp {
            parcel.stamp = Paid::Work(stamp);
            self.dispatch(cx, key, out);
        } else if cx.now >= parcel.until && parcel.until > parcel.said_at {
            self.end(key, Undelivered::NoProof { attempts: 0 }, out);
        }
    }

    /// Says a message that is complete, each second time on a link.
    fn dispatch(&mut self, cx: Cx, key: u64, out: &mut impl Sink<Effect>) {
        let Some(parcel) = self.outgoing.get_mut(&key) else { return };
        let Ok(body) = Body::decode(&parcel.body) else { return };
        let stamp = match &parcel.stamp {
            Paid::Nothing => None,
            Paid::Work(stamp) => Some(Stamp::Work(stamp)),
            Paid::Ticket(stamp) => Some(Stamp::Ticket(stamp)),
        };
        let signature = self.identity.sign_untagged(&body.signed(&parcel.to, &self.address, &parcel.id));
        let message = Message { destination: parcel.to, source: self.address, signature, body, stamp };
        let packet = message.encode_behind_destination();
        let (to, whole, first) = match &parcel.course {
            Course::Recipient => (parcel.to, message.encode(), parcel.attempts.is_multiple_of(2)),
            Course::Node(node, Some(complete)) => (*node, complete.clone(), false),
            Course::Node(..) => return self.seal_for_node(key, packet, out),
        };
        parcel.said_at = cx.now;
        if first && packet.len() <= SINGLE_MAX {
            parcel.attempts = parcel.attempts.saturating_add(1);
            parcel.stage = Stage::Said;
            let handle = self.next_handle(Errand::Send { parcel: key });
            return out.push(Effect::Endpoint(Wish::Send { handle, to, plaintext: Bytes(packet) }));
        }
        let there = self.line_to(&to);
        let Some(parcel) = self.outgoing.get_mut(&key) else { return };
        let Some((link, room)) = there else {
            parcel.stage = Stage::Calling;
            return self.call(to, out);
        };
        parcel.attempts = parcel.attempts.saturating_add(1);
        let is_packet = whole.len() <= room.min(LINK_PACKET_MAX);
        let len = whole.len();
        parcel.stage = if is_packet { Stage::Said } else { Stage::Offered(whole.clone()) };
        self.used(cx.now, link);
        let handle = self.next_handle(Errand::Say { parcel: key, link });
        if !is_packet {
            return Self::offer(handle, link, len, out);
        }
        out.push(Effect::Endpoint(Wish::Say { handle, link, plaintext: Bytes(whole) }));
    }

    pub(super) fn call(&mut self, to: DestinationHash, out: &mut impl Sink<Effect>) {
        if self.calls.contains_key(&to) {
            return;
        }
        let handle = self.next_handle(Errand::Call { to });
        self.calls.insert(to, handle);
        out.push(Effect::Endpoint(Wish::Open { handle, to }));
    }

    /// There is a link: what waited for it is said.
    pub(super) fn say_all(&mut self, cx: Cx, to: DestinationHash, out: &mut impl Sink<Effect>) {
        for key in self.calling(to) {
            self.dispatch(cx, key, out);
        }
    }

    pub(super) fn call_failed(
        &mut self,
        cx: Cx,
        to: DestinationHash,
        why: Failure,
        out: &mut impl Sink<Effect>,
    ) {
        self.calls.remove(&to);
        if self.is_node(&to) && self.is_calling_node() {
            self.visit_failed(cx.now);
        }
        for key in self.calling(to) {
            if let Some(parcel) = self.outgoing.get_mut(&key) {
                parcel.attempts = parcel.attempts.saturating_add(1);
            }
            self.failed(cx, key, why, out);
        }
    }

    fn calling(&self, to: DestinationHash) -> Vec<u64> {
        let calls = |(_, parcel): &(&u64, &Parcel)| {
            let goes_to = match &parcel.course {
                Course::Recipient => parcel.to,
                Course::Node(node, _) => *node,
            };
            goes_to == to && matches!(parcel.stage, Stage::Calling)
        };
        self.outgoing.iter().filter(calls).map(|(key, _)| *key).collect()
    }

    pub(super) fn delivered(&mut self, cx: Cx, handle: Handle, out: &mut impl Sink<Effect>) {
        let (key, way) = match self.errands.remove(&handle) {
            Some(Errand::Send { parcel }) => (parcel, Way::Packet),
            Some(Errand::Say { parcel, link }) => {
                // The node need not know who leaves something there.
                if self.line_peer(&link).is_none_or(|peer| !self.is_node(&peer)) {
                    self.introduce(link, out);
                }
                (parcel, Way::Link)
            }
            Some(
                Errand::Find { .. }
                | Errand::FindNode { .. }
                | Errand::Seal { .. }
                | Errand::Get
                | Errand::Unseal { .. }
                | Errand::Call { .. }
                | Errand::Source { .. },
            )
            | None => return,
        };
        let Some(parcel) = self.outgoing.remove(&key) else { return };
        let Parcel { handle, attempts, said_at, course, .. } = parcel;
        let way = match course {
            Course::Recipient => way,
            Course::Node(..) => Way::Node,
        };
        out.push(Effect::Delivered { handle, way, attempts, after: cx.now.since(said_at) });
    }

    /// An attempt came to nothing.
    pub(super) fn failed(&mut self, cx: Cx, key: u64, why: Failure, out: &mut impl Sink<Effect>) {
        let Some(parcel) = self.outgoing.get_mut(&key) else { return };
        let attempts = parcel.attempts;
        let (why, is_final) = match why {
            Failure::NoPath => (Undelivered::NoPath, false),
            Failure::NoAnswer | Failure::NoLink | Failure::NotTaken(_) => {
                (Undelivered::NoProof { attempts }, false)
            }
            Failure::Busy => (Undelivered::Busy, false),
            Failure::TooLong => (Undelivered::TooLong, true),
            Failure::Own => (Undelivered::Own, true),
            Failure::BadKey => (Undelivered::BadKey, true),
        };
        let again = cx.now.after(RETRY);
        if is_final || again > parcel.until {
            let node = self.presence.as_ref().and_then(|presence| presence.node);
            return match (&parcel.course, node) {
                (Course::Recipient, Some(node)) if !is_final => {
                    parcel.course = Course::Node(node, None);
                    parcel.until = cx.now.after(NODE_TIME);
                    self.attempt(cx, key, out);
                }
                (Course::Recipient | Course::Node(..), _) => self.end(key, why, out),
            };
        }
        parcel.stage = Stage::Waiting;
        self.deadlines.set(Timer::Retry(key), again);
    }

    /// What the announce of the node says: what a stamp costs there.
    pub(super) fn node_found(&mut self, cx: Cx, key: u64, node: &Found, out: &mut impl Sink<Effect>) {
        let Some(info) = PropagationInfo::decode(&node.app_data).ok().filter(|info| info.takes) else {
            return self.failed(cx, key, Failure::NoPath, out);
        };
        let Some(parcel) = self.outgoing.get_mut(&key) else { return };
        if let Course::Node(_, None) = &parcel.course {
            parcel.stage = Stage::Waiting;
            parcel.node_cost = info.stamp_cost.max(1);
        }
        self.dispatch(cx, key, out);
    }

    /// What follows the destination is encrypted to the recipient, for the node to keep.
    fn seal_for_node(&mut self, key: u64, packet: Vec<u8>, out: &mut impl Sink<Effect>) {
        let Some(parcel) = self.outgoing.get(&key) else { return };
        let (to, cost) = (parcel.to, parcel.node_cost);
        let handle = self.next_handle(Errand::Seal { parcel: key, cost });
        out.push(Effect::Endpoint(Wish::Seal { handle, to, plaintext: Bytes(packet) }));
    }

    pub(super) fn sealed(&mut self, now: Instant, key: u64, cost: u8, sealed: &[u8]) {
        let Some(parcel) = self.outgoing.get_mut(&key) else { return };
        let stored = [parcel.to.as_bytes().as_slice(), sealed].concat();
        let id = Stored { destination: parcel.to, sealed }.id();
        let making = Making::new(Use::Propagation, id.0, cost, &mut self.random);
        parcel.stage = Stage::StampingForNode(making, stored);
        self.begin_work(now);
    }

    fn end(&mut self, key: u64, why: Undelivered, out: &mut impl Sink<Effect>) {
        self.deadlines.cancel(Timer::Retry(key));
        if let Some(parcel) = self.outgoing.remove(&key) {
            out.push(Effect::Undelivered { handle: parcel.handle, why });
        }
    }
}
