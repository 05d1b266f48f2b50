//! Media of a world: what nodes put on them, and what arrives.

use nexus_network::{Endpoint, InterfaceId};
use nexus_node::Input;

use super::{Carrier, Event, OnAir, TransmissionId, World, radio};
use crate::actor::Actor;
use crate::medium::endpoint;
use crate::observation::{Crossing, Damage, MediumIndex, NodeIndex, What};

impl<A: Actor> World<'_, '_, '_, A> {
    pub(super) fn transmit(
        &mut self,
        node: NodeIndex,
        iface: InterfaceId,
        to: Option<Endpoint>,
        bytes: Vec<u8>,
    ) {
        // A driver that was not ready has no place for the frame: it is gone.
        let Some((medium, id)) = self.node(node).begin_transmission(iface) else { return };
        self.frames += 1;
        if self.channels[medium.place()].is_some() {
            self.with_radio(medium, node, |radios, now, port| radios.transmit(now, port, bytes));
            return;
        }
        let on = &mut self.media[medium.place()];
        let port = on.port_of(node).expect("who has an interface on a medium has a port there");
        let Some(transmission) = on.transmit(self.now, port, bytes.len()) else {
            self.overflows(medium, port, to);
            self.queue.push(self.now, Event::Takes(node, iface, id));
            return;
        };
        let ready_at = on.ready_at(self.now, &transmission);
        let frame = OnAir { id, port, transmission, to, bytes };
        if ready_at < transmission.end {
            self.queue.push(ready_at, Event::Takes(node, iface, id));
        }
        self.queue.push(transmission.end, Event::TransmissionEnds { medium, iface, frame });
    }

    /// The frame is on its way, and the driver takes the next.
    pub(super) fn takes(&mut self, node: NodeIndex, iface: InterfaceId, id: TransmissionId) {
        if self.node(node).end_transmission(iface, id) {
            self.give(node, Input::TxReady { iface });
        }
    }

    pub(super) fn transmission_ends(&mut self, medium: MediumIndex, iface: InterfaceId, frame: &OnAir) {
        self.crossed(medium, frame);
        self.pass(medium, frame);
        self.takes(frame.transmission.sender, iface, frame.id);
    }

    /// Tells whoever wants to know that a frame is over.
    fn crossed(&mut self, medium: MediumIndex, frame: &OnAir) {
        let line = self.media[medium.place()].plan.line.as_ref();
        let busy_ns = line.map_or(0, |line| line.service_ns(frame.port, frame.bytes.len()));
        let sender = frame.transmission.sender;
        let crossing = Crossing { at: self.now, medium, sender, busy_ns, bytes: &frame.bytes };
        self.watch.observers.iter_mut().for_each(|observer| observer.crossed(&crossing));
    }

    /// Those for whom a frame is meant: its receiver, or all others without an address. Without addresses on a medium, everybody
    /// on it hears everything.
    fn meant(&self, index: MediumIndex, from: usize, to: Option<Endpoint>) -> Vec<usize> {
        let medium = &self.media[index.place()];
        let is_meant = |port: usize| to.is_none_or(|to| medium.endpoint(port).is_none_or(|own| own == to));
        (0..medium.ports.len()).filter(|port| *port != from && is_meant(*port)).collect()
    }

    fn overflows(&mut self, index: MediumIndex, from: usize, to: Option<Endpoint>) {
        for port in self.meant(index, from, to) {
            let (receiver, _) = self.media[index.place()].ports[port];
            self.mar(index, receiver, Damage::Overflowed);
        }
    }

    fn pass(&mut self, index: MediumIndex, frame: &OnAir) {
        let sender = frame.transmission.sender;
        let from = self.media[index.place()].endpoint(frame.port);
        for port in self.meant(index, frame.port, frame.to) {
            let medium = &mut self.media[index.place()];
            let (receiver, iface) = medium.ports[port];
            let obstacle = if medium.is_in_range(self.now, frame.port, port) {
                radio::obstacle(&self.groups, &self.cuts, index, sender, receiver)
            } else {
                Some(Damage::OutOfRange)
            };
            if let Some(damage) = obstacle {
                self.mar(index, receiver, damage);
                continue;
            }
            let passage = medium.pass(frame.transmission.end, port, &frame.bytes);
            for damage in passage.damage {
                self.mar(index, receiver, damage);
            }
            for (arrival, bytes) in passage.copies {
                self.queue.push(arrival, Event::Arrives { medium: index, receiver, iface, from, bytes });
            }
        }
    }

    pub(super) fn inject(&mut self, index: MediumIndex, receiver: NodeIndex, bytes: &[u8]) {
        let medium = &self.media[index.place()];
        let Some(port) = medium.port_of(receiver) else { return };
        let stranger = NodeIndex(self.scenario.layout.nodes);
        let from = medium.endpoint(port).map(|_| endpoint(stranger, 0));
        let (_, iface) = medium.ports[port];
        let bytes = bytes.to_vec();
        self.queue.push(self.now, Event::Arrives { medium: index, receiver, iface, from, bytes });
    }

    pub(super) fn mar(&mut self, medium: MediumIndex, receiver: NodeIndex, damage: Damage) {
        self.watch.saw(self.now, What::Marred { medium, receiver, damage });
    }

    pub(super) fn set_interface(&mut self, node: NodeIndex, iface: InterfaceId, carrier: Carrier) {
        if !self.node(node).set_carrier(iface, carrier) {
            return;
        }
        let Some(medium) = self.node(node).medium_of(iface) else { return };
        // Those who drive radios say themselves what follows.
        let is_radio = self.with_radio(medium, node, |radios, now, port| match carrier {
            Carrier::Up => radios.plug(now, port),
            Carrier::Down => radios.unplug(now, port),
        });
        if is_radio {
            return;
        }
        match carrier {
            Carrier::Up => self.come_up(node, iface),
            Carrier::Down => self.give(node, Input::Down { iface }),
        }
    }

    /// What a node asks is its host's to know: it asks the same after a restart.
    pub(super) fn set_price(&mut self, node: NodeIndex, iface: InterfaceId, price: u64) {
        let Some(medium) = self.node(node).medium_of(iface) else { return };
        let on = &mut self.media[medium.place()];
        let port = on.port_of(node).expect("who has an interface on a medium has a port there");
        on.plan.prices.resize(on.plan.nodes.len(), 0);
        on.plan.prices[port] = price;
    }

    pub(super) fn come_up(&mut self, node: NodeIndex, iface: InterfaceId) {
        if let Some(medium) = self.node(node).medium_of(iface) {
            let on = &self.media[medium.place()];
            let port = on.port_of(node).expect("who has an interface on a medium has a port there");
            let profile = on.plan.profile_at(port);
            self.give(node, Input::Up { iface, profile });
        }
    }
}
