//! The wires between the network, which counts, and the economy, which pays. Source: spec/economy.md#wiring.

use alloc::boxed::Box;
use alloc::collections::VecDeque;
use alloc::vec::Vec;

use nexus_crypto::NodeId;
use nexus_economy::layer::{ChannelStands, Effect, Event as MoneyEvent, Input, Traffic};
use nexus_economy::lottery::PathView;
use nexus_economy::money::Grains;
use nexus_economy::trust::TrustConfig;
use nexus_machine::{Cx, Duration, Machine as _};
use nexus_network::tally::{Channel, Reckoning, Sums};
use nexus_network::{Account, LinkStatus};
use nexus_wire::nexus::message::MessageKind;

use crate::contract::{Event, Output};
use crate::node::{Body, Signal, Writer};

/// What a latency is taken for where there is no link.
const UNMEASURED: Duration = Duration::from_millis(100);
/// What a bandwidth is taken for that nobody measured, in bits per second.
const UNKNOWN_BPS: u64 = 1_000_000;

impl Body {
    /// A link came up: with whom, and what was counted before.
    pub(crate) fn introduce(&mut self, cx: Cx, link: &LinkStatus, signals: &mut VecDeque<Signal>) {
        let (peer, key) = (link.peer.node_id(), link.peer.verifying());
        if let Some(before) = self.economy.income(&peer) {
            let (owed, due) = (self.economy.lottery().sent(&peer).get(), before.counted.get());
            self.account(cx, Account::Resume { node: peer, owed, due }, signals);
        }
        let traffic = self.traffic(&peer);
        self.economy.handle(cx, Input::LinkUp { peer, key, traffic }, signals);
    }

    /// A link is no more: unless there is another with the same neighbour, nothing is said to it.
    pub(crate) fn take_leave(&mut self, cx: Cx, last: &LinkStatus, signals: &mut VecDeque<Signal>) {
        let peer = last.peer.node_id();
        if !self.network.links().is_linked(peer) {
            self.economy.handle(cx, Input::LinkDown(peer), signals);
        }
    }

    /// Whose packets are carried for nothing, and of whom less is asked.
    pub(crate) fn trust(&mut self, cx: Cx, trust: &TrustConfig, signals: &mut VecDeque<Signal>) {
        let friends = trust.trusted().copied().collect();
        for friend in trust.trusted() {
            self.follow(cx, *friend, signals);
        }
        let discounts = trust.prices().map(|(peer, price)| (*peer, price)).collect();
        self.account(cx, Account::Trust { friends, discounts }, signals);
    }

    /// A neighbour speaks of money.
    pub(crate) fn hear_of_money(
        &mut self,
        cx: Cx,
        peer: NodeId,
        kind: MessageKind,
        body: Vec<u8>,
        signals: &mut VecDeque<Signal>,
    ) {
        if matches!(kind, MessageKind::ORDER | MessageKind::WITNESS) {
            return self.hear_of_orders(cx, peer, kind, &body, signals);
        }
        let traffic = self.traffic(&peer);
        self.economy.handle(cx, Input::Heard { peer, kind, body, traffic }, signals);
    }

    pub(crate) fn counted(&mut self, cx: Cx, peer: NodeId, signals: &mut VecDeque<Signal>) {
        let traffic = self.traffic(&peer);
        self.economy.handle(cx, Input::Counted { peer, traffic }, signals);
    }

    pub(crate) fn channel_wanted(&mut self, cx: Cx, peer: NodeId, signals: &mut VecDeque<Signal>) {
        let traffic = self.traffic(&peer);
        self.economy.handle(cx, Input::ChannelWanted { peer, traffic }, signals);
    }

    pub(crate) fn wire_economy(
        &mut self,
        cx: Cx,
        effect: Effect,
        signals: &mut VecDeque<Signal>,
        outputs: &mut VecDeque<Output>,
    ) {
        match effect {
            Effect::Write { by, number, writes } => {
                outputs.push_back(self.tickets.issue(Writer::Economy(by), number, writes));
            }
            Effect::EntropyWanted => outputs.push_back(Output::Event(Event::EntropyWanted)),
            Effect::Tell { peer, kind, body } => {
                self.account(cx, Account::Say { node: peer, kind, body }, signals);
            }
            Effect::Grant { peer, limit, mark } => {
                let reckoning = Reckoning::Counted { limit: limit.get(), mark: mark.get() };
                self.account(cx, Account::Reckon(peer, reckoning), signals);
            }
            Effect::Ungrant(peer) => {
                self.account(cx, Account::Reckon(peer, Reckoning::Courtesy), signals);
            }
            Effect::Channel { peer, state } => {
                let channel = match state {
                    ChannelStands::Stands => Channel::Stands,
                    ChannelStands::Ended => Channel::None,
                };
                self.account(cx, Account::Channel(peer, channel), signals);
            }
            Effect::Record(record) => {
                self.book(cx, &record, signals);
                let told = Box::new(MoneyEvent::ForLedger(record));
                outputs.push_back(Output::Event(Event::Economy(told)));
            }
            Effect::Event(event) => {
                if let MoneyEvent::Opened { peer, channel, deposit } = event {
                    self.follow(cx, peer, signals);
                    self.order_deposit(cx, (channel, peer, deposit), signals, outputs);
                }
                outputs.push_back(Output::Event(Event::Economy(Box::new(event))));
            }
        }
    }

    pub(crate) fn account(&mut self, cx: Cx, account: Account, signals: &mut VecDeque<Signal>) {
        self.network.handle(cx, nexus_network::Input::Account(account), signals);
    }

    fn traffic(&self, peer: &NodeId) -> Traffic {
        let Sums { owed, due, dearest_paid, dearest_asked } = self.network.tally().sums(peer);
        let hop = self.network.links().hop_to(*peer);
        let bandwidth_bps = hop.and_then(|hop| hop.bandwidth.bps()).unwrap_or(UNKNOWN_BPS);
        let latency = hop.map_or(UNMEASURED, |hop| Duration::from_millis(hop.latency.0.into()));
        let path = PathView { round_trip: latency.times(2), bandwidth_bps };
        Traffic { sent: Grains::new(owed), taken: Grains::new(due), dearest_paid, dearest_asked, path }
    }
}
