//! What of this node's own channels concerns the books: deposits, settlements, ends. Source: spec/economy.md#the-ledger-in-a-node.

use alloc::boxed::Box;
use alloc::collections::VecDeque;
use alloc::vec::Vec;

use nexus_crypto::NodeId;
use nexus_economy::Amount;
use nexus_economy::channels::account::{Account as Channel, Phase, Terms};
use nexus_economy::channels::keys::Both;
use nexus_economy::channels::room::at_first;
use nexus_economy::layer::Record;
use nexus_economy::ledger::witness::orderable;
use nexus_economy::ledger::{ChannelKey, organ, purse};
use nexus_machine::Cx;
use nexus_wire::nexus::channel::{ChannelId, ChannelState};
use nexus_wire::nexus::course::Course;
use nexus_wire::nexus::ledger::{CloseOrder, ClosedBy};

use crate::contract::{Event, LedgerEvent, Output};
use crate::node::{Body, Signal};

impl Body {
    /// Puts money into a channel, if witnesses that know what is known here would agree.
    pub(crate) fn order_deposit(
        &mut self,
        cx: Cx,
        wish: (ChannelId, NodeId, Amount),
        signals: &mut VecDeque<Signal>,
        outputs: &mut VecDeque<Output>,
    ) {
        let Some(books) = self.books.as_ref().filter(|_| wish.2 > Amount::ZERO) else { return };
        let (ledger, (channel, peer, deposit)) = (&books.ledger, wish);
        match orderable(ledger.known(), ledger.rules(), &self.own, wish, books.purse.promised()) {
            Ok(()) => self.tell_purse(cx, purse::Input::Deposit { channel, peer, deposit }, signals),
            Err(why) => {
                let told = LedgerEvent::NotOrdered { channel, peer, why };
                outputs.push_back(Output::Event(Event::Ledger(told)));
            }
        }
    }

    /// What a channel's opening said that this node deposits is ordered, if a crash came between the one and the other.
    pub(crate) fn order_what_lacks(
        &mut self,
        cx: Cx,
        signals: &mut VecDeque<Signal>,
        outputs: &mut VecDeque<Output>,
    ) {
        let Some(books) = &self.books else { return };
        let certified = |peer, channel: &ChannelId, side| {
            let key = ChannelKey::between(self.own, peer, channel.0)?;
            let entry = books.ledger.books().entry(&key).copied().unwrap_or_default();
            Some(Amount::from_micros(entry.deposits().of(side)))
        };
        let lacks = |(peer, account): (NodeId, &Channel<_>)| {
            let Terms { channel, side, brought, .. } = &account.terms;
            let deposit = at_first(*brought.deposits.get(*side));
            let is_open = !matches!(account.phase, Phase::Closed { .. });
            let lacks = is_open && certified(peer, channel, *side).is_some_and(|some| some < deposit);
            lacks.then_some((*channel, peer, deposit))
        };
        let wishes: Vec<_> = self.economy.accounts().filter_map(lacks).collect();
        for wish in wishes {
            self.order_deposit(cx, wish, signals, outputs);
        }
    }

    /// What of this node's channels concerns the books: settlements, the course of one that a party closes alone, ends.
    pub(crate) fn book(&mut self, cx: Cx, record: &Record, signals: &mut VecDeque<Signal>) {
        match record {
            Record::Settlement(settlement) => {
                self.tell_ledger(cx, organ::Input::Settled(*settlement), signals);
            }
            Record::State(last) => self.show_course(cx, last, signals),
            Record::Closed { body, .. } => self.end_in_books(cx, body.channel, signals),
        }
    }

    /// A channel of this node's is closed, or being closed by one party: witnesses are to see what it came to, if they know of it.
    fn show_course(&mut self, cx: Cx, last: &ChannelState, signals: &mut VecDeque<Signal>) {
        let first = self.economy.channel(&last.body.channel).and_then(|(_, first)| first.copied());
        let course = first.and_then(|first| Course::new(first, *last));
        if let Some(course) = course.filter(|_| self.is_booked(&last.body.channel)) {
            self.tell_purse(cx, purse::Input::Show(Box::new(course)), signals);
        }
    }

    /// Whether the books know of deposits in a channel of this node's, and of no close.
    fn is_booked(&self, channel: &ChannelId) -> bool {
        let Some(books) = &self.books else { return false };
        let mut own = books.ledger.books().channels_of(&self.own);
        own.any(|(key, entry)| key.id() == &channel.0 && entry.close().is_none())
    }

    /// A channel that is closed is closed in the books too, if they know of it: what of its deposits is left is free again.
    pub(super) fn end_in_books(&mut self, cx: Cx, channel: ChannelId, signals: &mut VecDeque<Signal>) {
        if !self.is_booked(&channel) {
            return;
        }
        let Some((account, _)) = self.economy.channel(&channel) else { return };
        let Phase::Closed { body, sigs } = &account.phase else { return };
        let (body, agreed) = (*body, account.agreed.clone());
        if let Some(Both { a, b }) = sigs {
            let order = CloseOrder { body, signatures: ClosedBy::Both(*a, *b) };
            return self.tell_purse(cx, purse::Input::Close(order), signals);
        }
        let last = ChannelState { body: agreed.body, sig_a: agreed.sigs.a, sig_b: agreed.sigs.b };
        self.show_course(cx, &last, signals);
        self.tell_purse(cx, purse::Input::CloseAlone(body), signals);
    }
}
