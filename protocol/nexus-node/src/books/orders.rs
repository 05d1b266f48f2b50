//! What owners and witnesses say to each other: over a link if there is one, else sealed, through the mesh.
//! Source: spec/economy.md#gathering-certificates.

use alloc::boxed::Box;
use alloc::collections::VecDeque;
use alloc::vec;
use alloc::vec::Vec;

use nexus_crypto::NodeId;
use nexus_economy::ledger::witness::Request;
use nexus_economy::ledger::{organ, purse};
use nexus_machine::{Cx, Machine as _};
use nexus_network::Account;
use nexus_secure::{Note, Reply};
use nexus_wire::nexus::Layout;
use nexus_wire::nexus::course::Course;
use nexus_wire::nexus::end_to_end::Service;
use nexus_wire::nexus::ledger::{Order, Statement};
use nexus_wire::nexus::message::{Body as Said, Message, MessageKind, MessageWriter};

use crate::node::{Body, Signal};

impl Body {
    /// Somebody speaks of what witnesses sign: a neighbour, or whoever wants an answer there.
    pub(crate) fn hear_of_orders(
        &mut self,
        cx: Cx,
        from: NodeId,
        kind: MessageKind,
        body: &[u8],
        signals: &mut VecDeque<Signal>,
    ) {
        match kind {
            MessageKind::ORDER => {
                if let Ok(order) = Order::decode(body) {
                    self.tell_ledger(cx, organ::Input::Requested(from, Request::Sign(order)), signals);
                } else if let Ok(course) = Course::decode(body) {
                    self.hear_of_course(cx, from, &course, signals);
                }
            }
            MessageKind::WITNESS => {
                if let Ok(statement) = Statement::decode(body) {
                    self.tell_purse(cx, purse::Input::Heard(statement), signals);
                }
            }
            _ => {}
        }
    }

    /// Somebody shows what a channel came to: to this node as a witness, or as a party, which may know a higher state.
    pub(super) fn hear_of_course(
        &mut self,
        cx: Cx,
        from: NodeId,
        course: &Course,
        signals: &mut VecDeque<Signal>,
    ) {
        let last = *course.last();
        if [last.body.party_a, last.body.party_b].contains(&self.own) {
            self.economy.handle(cx, nexus_economy::layer::Input::Seen(last), signals);
        }
        self.tell_ledger(cx, organ::Input::Requested(from, Request::Know(Box::new(*course))), signals);
    }

    /// A note came, sealed: from whom is not known, and need not be, for what counts in it is signed.
    pub(crate) fn hear_note(
        &mut self,
        cx: Cx,
        reply_to: Option<NodeId>,
        body: &[u8],
        signals: &mut VecDeque<Signal>,
    ) {
        if let Ok(Message { kind, body, .. }) = Message::decode(body) {
            self.hear_of_orders(cx, reply_to.unwrap_or(self.own), kind, body, signals);
        }
    }

    /// Says something of what witnesses sign: over a link if there is one, else sealed, through the mesh.
    pub(super) fn say_of_orders<'a>(
        &mut self,
        cx: Cx,
        node: NodeId,
        (message, reply): (&impl Said<'a>, Reply),
        signals: &mut VecDeque<Signal>,
    ) {
        if self.network.links().is_linked(node) {
            let (kind, body) = (kind_of(message), bytes_of(message));
            return self.account(cx, Account::Say { node, kind, body }, signals);
        }
        let mut buffer = [0; Note::MAX_BODY];
        let mut writer = MessageWriter::new(&mut buffer);
        writer.put(message).expect("the longest of them fits");
        let body = writer.plaintext().to_vec();
        let sealed = Note { to: node, service: Service::WITNESSES, reply, body };
        self.secure.handle(cx, nexus_secure::Input::Note(sealed), signals);
    }

    /// A witness answers: itself, or whoever asked.
    pub(super) fn state(
        &mut self,
        cx: Cx,
        to: NodeId,
        statement: &Statement,
        signals: &mut VecDeque<Signal>,
    ) {
        if to == self.own {
            return self.tell_purse(cx, purse::Input::Heard(*statement), signals);
        }
        self.say_of_orders(cx, to, (statement, Reply::Unwanted), signals);
    }

    /// A witness is asked: this node, or another.
    pub(super) fn ask_witness(
        &mut self,
        cx: Cx,
        witness: NodeId,
        order: &Order,
        signals: &mut VecDeque<Signal>,
    ) {
        if witness == self.own {
            let request = organ::Input::Requested(witness, Request::Sign(*order));
            return self.tell_ledger(cx, request, signals);
        }
        self.say_of_orders(cx, witness, (order, Reply::Wanted), signals);
    }
}

fn kind_of<'a, M: Said<'a>>(_: &M) -> MessageKind {
    M::KIND
}

fn bytes_of<'a>(value: &impl Layout<'a>) -> Vec<u8> {
    let mut bytes = vec![0; value.encoded_len()];
    value.encode(&mut bytes).expect("a value is as long as it says");
    bytes
}
