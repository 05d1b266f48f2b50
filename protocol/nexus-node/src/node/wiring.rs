//! The wires between the layers: what one says is told to another, or leaves the node.

use alloc::collections::VecDeque;
use alloc::vec::Vec;

use nexus_endpoint::lxmf::Claim;
use nexus_machine::{Cx, Machine};
use nexus_network::SearchMotive;
use nexus_secure::{Foreign, Sender};
use nexus_wire::nexus::end_to_end::Service;

use crate::books::neighbour;
use crate::contract::{Event, LxmfEvent, Output};
use crate::crossing::{Told, slot_of};

use super::{Body, ENDPOINT, Signal, Writer};

impl Body {
    /// The whole nervous system between layers, one short arm per conversation.
    pub(super) fn wire(
        &mut self,
        cx: Cx,
        signal: Signal,
        signals: &mut VecDeque<Signal>,
        outputs: &mut VecDeque<Output>,
    ) {
        match signal {
            Signal::Network(effect) => self.wire_network(cx, effect, signals, outputs),
            Signal::Secure(effect) => self.wire_secure(cx, effect, signals, outputs),
            Signal::Endpoint(effect) => self.wire_endpoint(cx, effect, signals, outputs),
            Signal::Lxmf(effect) => self.wire_lxmf(cx, effect, signals, outputs),
            Signal::Crossings(effect) => self.wire_crossings(cx, &effect, signals),
            Signal::Economy(effect) => self.wire_economy(cx, effect, signals, outputs),
            Signal::Ledger(effect) => self.wire_ledger(cx, effect, signals, outputs),
            Signal::Purse(effect) => self.wire_purse(cx, effect, signals, outputs),
        }
    }

    fn wire_network(
        &mut self,
        cx: Cx,
        effect: nexus_network::Effect,
        signals: &mut VecDeque<Signal>,
        outputs: &mut VecDeque<Output>,
    ) {
        use nexus_network::{Effect as N, Frame, Sighting};
        use nexus_secure::Input as S;
        match effect {
            N::Transmit(Frame { iface: ENDPOINT, bytes, .. }) => {
                self.endpoint.handle(cx, nexus_endpoint::Input::Packet(bytes), signals);
                self.network.handle(cx, nexus_network::Input::TxReady(ENDPOINT), signals);
            }
            N::Transmit(Frame { iface, bytes, .. }) if let Some(slot) = slot_of(iface) => {
                self.say_across(cx, slot, bytes, signals);
            }
            N::Transmit(Frame { iface, to, bytes, about: _, load: _, flow: _, under: _ }) => {
                outputs.push_back(Output::Transmit { iface, to, bytes });
            }
            N::Sense(iface) => outputs.push_back(Output::Sense { iface }),
            N::Jammed(iface) => outputs.push_back(Output::Event(Event::ChannelJammed { iface })),
            N::Write { by, number, write } => {
                outputs.push_back(self.tickets.issue(Writer::Network(by), number, Vec::from([write])));
            }
            N::Reached(Sighting { destination, emitted_at, hops, iface }) => {
                outputs.push_back(Output::Event(Event::Reached { destination, emitted_at, hops, iface }));
                self.secure.handle(cx, S::Reached(destination), signals);
                self.may_cross(cx, &destination, signals);
            }
            N::LinkUp(link) => {
                self.introduce(cx, &link, signals);
                let linked = nexus_economy::ledger::organ::Input::Linked(neighbour(link.id.0));
                self.tell_ledger(cx, linked, signals);
                outputs.push_back(Output::Event(Event::LinkUp(*link)));
            }
            N::Store(effect) => self.wire_store(cx, effect, signals),
            N::Key(public) => {
                let (node, key) = (public.node_id(), public.verifying());
                self.tell_ledger(cx, nexus_economy::ledger::organ::Input::Key(node, key), signals);
            }
            N::OfMoney { from, kind, body } => self.hear_of_money(cx, from, kind, body, signals),
            N::Counted { node, .. } => self.counted(cx, node, signals),
            N::ChannelWanted(node) => self.channel_wanted(cx, node, signals),
            N::LinkDown { last, why } => {
                let unlinked = nexus_economy::ledger::organ::Input::Unlinked(neighbour(last.id.0));
                self.tell_ledger(cx, unlinked, signals);
                if let Some(slot) = slot_of(last.iface) {
                    let given_up = nexus_endpoint::crossings::Input::GivenUp { slot };
                    self.crossings.handle(cx, given_up, signals);
                }
                self.take_leave(cx, &last, signals);
                outputs.push_back(Output::Event(Event::LinkDown { last: *last, why }));
            }
            N::Arrived { packet, class, from } => {
                self.secure.handle(cx, S::Arrived(packet, class, from), signals);
            }
            N::Originated { handle, outcome } => {
                self.secure.handle(cx, S::Originated { handle, outcome }, signals);
            }
            N::EntropyWanted => outputs.push_back(Output::Event(Event::EntropyWanted)),
            N::Probe { number, node, recipient } => {
                self.secure.handle(cx, S::Try { number, node, recipient: *recipient }, signals);
            }
            N::PathFound { destination, hops, after } => {
                outputs.push_back(Output::Event(Event::PathFound { destination, hops, after }));
                self.secure.handle(cx, S::Reached(destination), signals);
            }
            N::PathNotFound { destination } => {
                outputs.push_back(Output::Event(Event::PathNotFound { destination }));
            }
            N::Announced { emitted_at } => outputs.push_back(Output::Event(Event::Announced { emitted_at })),
        }
    }

    fn wire_endpoint(
        &mut self,
        cx: Cx,
        effect: nexus_endpoint::Effect,
        signals: &mut VecDeque<Signal>,
        outputs: &mut VecDeque<Output>,
    ) {
        use nexus_endpoint::Effect as E;
        match effect {
            E::EntropyWanted => outputs.push_back(Output::Event(Event::EntropyWanted)),
            E::Write { number, writes } => {
                outputs.push_back(self.tickets.issue(Writer::Endpoint, number, writes));
            }
            E::Transmit(bytes) => {
                let frame = nexus_network::Input::Frame { iface: ENDPOINT, from: None, bytes };
                self.network.handle(cx, frame, signals);
            }
            E::Recall(destination) => {
                let announce = self.network.announces().announce_of(&destination);
                let recalled = nexus_endpoint::Input::Recalled { destination, announce };
                self.endpoint.handle(cx, recalled, signals);
            }
            E::Event(event) if self.tell_crossings(cx, &event, signals) == Told::Crossings => {}
            E::Event(event) => match self.lxmf.claim(&event) {
                Claim::Claimed => {
                    self.lxmf.handle(cx, nexus_endpoint::lxmf::Input::Endpoint(*event), signals);
                }
                Claim::Another => outputs.push_back(Output::Event(Event::Endpoint(event))),
            },
        }
    }

    fn wire_lxmf(
        &mut self,
        cx: Cx,
        effect: nexus_endpoint::lxmf::Effect,
        signals: &mut VecDeque<Signal>,
        outputs: &mut VecDeque<Output>,
    ) {
        use nexus_endpoint::lxmf::{Effect as L, Signed};
        match effect {
            L::Endpoint(command) => self.tell_endpoint(cx, command, signals),
            L::Arrived(letter) => {
                let sender = match letter.signature {
                    Signed::Verified => Sender::Foreign(letter.source),
                    Signed::Claimed => Sender::ForeignClaimed(letter.source),
                };
                let foreign = Foreign { sender, fingerprint: letter.id.short(), text: letter.into_text() };
                self.secure.handle(cx, nexus_secure::Input::Keep(foreign), signals);
            }
            L::Delivered { handle, way, attempts, after } => {
                outputs.push_back(Output::Event(Event::Lxmf(LxmfEvent::Delivered {
                    handle,
                    way,
                    attempts,
                    after,
                })));
            }
            L::Undelivered { handle, why } => {
                outputs.push_back(Output::Event(Event::Lxmf(LxmfEvent::Undelivered { handle, why })));
            }
        }
    }

    fn wire_secure(
        &mut self,
        cx: Cx,
        effect: nexus_secure::Effect,
        signals: &mut VecDeque<Signal>,
        outputs: &mut VecDeque<Output>,
    ) {
        use nexus_network::Input as N;
        use nexus_secure::Effect as S;
        match effect {
            S::EntropyWanted => outputs.push_back(Output::Event(Event::EntropyWanted)),
            S::Ready(public) => self.network.handle(cx, N::Ratchet(public), signals),
            S::Write { by, number, writes } => {
                outputs.push_back(self.tickets.issue(Writer::Secure(by), number, writes));
            }
            S::Lookup { node, token } => {
                let (announces, destination) = (self.network.announces(), node.into());
                let recipient = announces.recipient(&destination);
                let way = announces.way(&destination, self.preferred);
                self.secure.handle(cx, nexus_secure::Input::Found { token, recipient, way }, signals);
            }
            S::Try { number, packet } => self.network.handle(cx, N::Probe { number, packet }, signals),
            S::Tried { number } => self.network.handle(cx, N::Probed { number }, signals),
            S::Wanted(node) => {
                let (destination, motive) = (node.into(), SearchMotive::Packet);
                self.network.handle(cx, N::Find { destination, motive }, signals);
            }
            S::Originate { handle, packet, policy, class } => {
                let policy = policy.unwrap_or(self.preferred);
                self.network.handle(cx, N::Originate { handle, packet, policy, class }, signals);
            }
            S::Prove(packet, class) => self.network.handle(cx, N::Prove { packet, class }, signals),
            S::Noted { service: Service::WITNESSES, reply_to, body } => {
                self.hear_note(cx, reply_to, &body, signals);
            }
            S::Noted { .. } => {}
            S::MessageArrived(message) => outputs.push_back(Output::Event(Event::MessageArrived(message))),
            S::Attempted { handle, attempt } => {
                outputs.push_back(Output::Event(Event::Attempted { handle, attempt }));
            }
            S::Delivered { handle, attempts, round_trip } => {
                outputs.push_back(Output::Event(Event::Delivered { handle, attempts, round_trip }));
            }
            S::Traced { handle, attempts, round_trip, traced } => {
                outputs.push_back(Output::Event(Event::Traced { handle, attempts, round_trip, traced }));
            }
            S::Undelivered { handle, why } => {
                outputs.push_back(Output::Event(Event::Undelivered { handle, why }));
            }
        }
    }
}
