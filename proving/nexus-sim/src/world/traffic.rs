//! Applications of a world: what they ask of nodes, and what they hear of it.

use nexus_crypto::{NodeId, NodePublic};
use nexus_node::Input;

use super::{Event, Scenario, World};
use crate::actor::Actor;
use crate::observation::NodeIndex;
use crate::traffic::{Fate, Offer, Parcel, Source};

/// The sources of all flows, in their order.
#[derive(Debug)]
pub(super) struct Traffic {
    sources: Vec<Source>,
    ids: Vec<NodeId>,
}

impl Traffic {
    pub(super) fn of(scenario: &Scenario) -> Self {
        let source = |(number, flow)| Source::new(number, flow, &scenario.seed);
        let sources: Vec<Source> = scenario.traffic.iter().enumerate().map(source).collect();
        // Identities are dear, and most worlds have no traffic.
        let identities = if sources.is_empty() { Vec::new() } else { scenario.identities() };
        Self { sources, ids: identities.iter().map(NodePublic::node_id).collect() }
    }
}

impl<A: Actor> World<'_, '_, '_, A> {
    pub(super) fn begin_traffic(&mut self) {
        for (number, flow) in self.scenario.traffic.iter().enumerate() {
            let begins = self.traffic.sources[number].begins(flow);
            if begins < flow.until {
                self.queue.push(begins, Event::Offers(number));
            }
        }
    }

    /// A flow offers what is due.
    pub(super) fn offers(&mut self, number: usize) {
        let flow = &self.scenario.traffic[number];
        let (offers, next) = self.traffic.sources[number].due(self.now, flow, &self.traffic.ids);
        if let Some(next) = next {
            self.queue.push(next, Event::Offers(number));
        }
        for Offer { from, command } in offers {
            if self.node(from).is_running() {
                self.give(from, Input::Command(command));
            } else {
                self.ended(number, Fate::Lost);
            }
        }
    }

    /// A node says what became of something that it was asked to send.
    pub(super) fn came_to_an_end(&mut self, handle: u64, fate: Fate) {
        let flow = Parcel::of_handle(handle).map(|parcel| usize::from(parcel.flow));
        if let Some(number) = flow.filter(|number| *number < self.traffic.sources.len()) {
            self.ended(number, fate);
        }
    }

    /// A node stops, and its applications with it.
    pub(super) fn cut_traffic_off(&mut self, node: NodeIndex) {
        for (number, flow) in self.scenario.traffic.iter().enumerate() {
            if flow.demand.sender() == Some(node)
                && let Some(again) = self.traffic.sources[number].cut_off(self.now, flow)
            {
                self.queue.push(again, Event::Offers(number));
            }
        }
    }

    fn ended(&mut self, number: usize, fate: Fate) {
        let flow = &self.scenario.traffic[number];
        if let Some(again) = self.traffic.sources[number].ended(self.now, flow, fate) {
            self.queue.push(again, Event::Offers(number));
        }
    }
}
