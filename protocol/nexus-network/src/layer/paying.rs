//! What packets cost, where they come and where they leave; and what is said of money. Source: spec/network.md#fares.

use alloc::collections::VecDeque;
use alloc::vec::Vec;

use nexus_crypto::NodeId;
use nexus_machine::Cx;
use nexus_wire::nexus::Layout as _;
use nexus_wire::nexus::code::PriceCode;
use nexus_wire::nexus::frame::HEADER_LEN;
use nexus_wire::nexus::message::{Message, MessageKind};
use nexus_wire::nexus::traffic;

use super::packets::{PACKET_AT, PACKET_TO_END};
use super::wiring::Label;
use super::{Effect, Input, Nerve, Organs};
use crate::links::LinkId;
use crate::media::{Class, Feeder, Frame, Load, Seal};
use crate::tally::{News, Tally};

/// What of the economy the layer is told.
#[derive(Clone, Debug)]
pub enum Account {
    /// How what a neighbour sends is reckoned.
    Reckon(NodeId, crate::tally::Reckoning),
    /// Whether this node can pay a neighbour.
    Channel(NodeId, crate::tally::Channel),
    /// What was counted with a neighbour before it was forgotten here, in grains.
    Resume {
        /// Whom.
        node: NodeId,
        /// What was sent to it.
        owed: u64,
        /// What it sent.
        due: u64,
    },
    /// Whom this node carries for nothing, and of whom it asks less for itself than of others: of nobody else from here on.
    Trust {
        /// Whom it carries for nothing.
        friends: Vec<NodeId>,
        /// Of whom it asks less, and how much, in µNXS for 1,024 bytes.
        discounts: Vec<(NodeId, u64)>,
    },
    /// Say this to a neighbour.
    Say {
        /// To whom.
        node: NodeId,
        /// Of what kind.
        kind: MessageKind,
        /// The message's body.
        body: Vec<u8>,
    },
}

/// A packet that is about to leave over a link at a price.
pub(super) struct Priced {
    link: LinkId,
    price: PriceCode,
    bytes: usize,
}

impl Organs {
    pub(super) fn reckon(&mut self, cx: Cx, account: Account, nerves: &mut VecDeque<Nerve>) {
        match account {
            Account::Reckon(node, reckoning) => self.tally.reckon(node, reckoning),
            Account::Channel(node, channel) => self.tally.set_channel(node, channel),
            Account::Resume { node, owed, due } => self.tally.resume(node, owed, due),
            Account::Trust { friends, discounts } => {
                self.tally.trust(friends);
                self.tally.discount(discounts);
            }
            Account::Say { node, kind, body } => self.say_of_money(cx, node, kind, &body, nerves),
        }
    }

    /// By the first link, if there is one: who keeps accounts says it again.
    fn say_of_money(
        &mut self,
        cx: Cx,
        node: NodeId,
        kind: MessageKind,
        body: &[u8],
        nerves: &mut VecDeque<Nerve>,
    ) {
        let Some(link) = self.links.with(node).first().copied() else { return };
        let mut message = Vec::with_capacity(HEADER_LEN.saturating_add(1).saturating_add(body.len()));
        message.resize(HEADER_LEN, 0);
        message.push(kind.to_the_end());
        message.extend_from_slice(body);
        let class = Class::Interactive;
        let label = Label { load: Load::Links, about: None, class, from: Feeder::Own };
        self.queue(cx, link, message, label, nerves);
    }

    /// A neighbour speaks of money.
    pub(super) fn heard_of_money(&self, link: LinkId, message: &Message<'_>, nerves: &mut VecDeque<Nerve>) {
        let Some((from, _)) = self.links.peer(link) else { return };
        let (kind, body) = (message.kind, message.body.to_vec());
        nerves.push_back(Nerve::Out(Effect::OfMoney { from, kind, body }));
    }

    /// What the tally has to say of the last packet.
    pub(super) fn tell_news(&mut self, nerves: &mut VecDeque<Nerve>) {
        match self.tally.take_news() {
            None => {}
            Some(News::Counted { node, total }) => {
                nerves.push_back(Nerve::Out(Effect::Counted { node, total }));
            }
            Some(News::ChannelWanted(node)) => nerves.push_back(Nerve::Out(Effect::ChannelWanted(node))),
        }
    }
}

impl Priced {
    /// What a frame carries at a price, before it is sealed. Fragments carry parts: of those it was counted when they were cut.
    pub(super) fn of(frame: &Frame) -> Option<Self> {
        let Some(Seal::Link(link)) = frame.under else { return None };
        if frame.load != Load::Traffic {
            return None;
        }
        Self::in_message(link, &frame.bytes)
    }

    /// What a message for a link carries, behind its headroom.
    pub(super) fn in_message(link: LinkId, message: &[u8]) -> Option<Self> {
        if message.get(HEADER_LEN) != Some(&PACKET_TO_END) {
            return None;
        }
        let body = message.get(HEADER_LEN.saturating_add(1)..)?;
        let traffic::Packet { price, .. } = traffic::Packet::decode(body).ok()?;
        let bytes = message.len().saturating_sub(PACKET_AT);
        (price != PriceCode::FREE).then_some(Self { link, price, bytes })
    }

    /// It left.
    pub(super) fn count(self, tally: &mut Tally) {
        tally.sent(self.link, self.price, self.bytes);
    }
}

impl From<Account> for Input {
    fn from(account: Account) -> Self {
        Self::Account(account)
    }
}
