//! The wires between gossip, the ledger, and the purse that puts this node's money into channels.
//!
//! A node keeps books if its host says so, with the rules of a genesis. Then its stores are brought together with neighbours', and a
//! neighbour's ORDER goes to this node's witness, if it is one. Source: spec/economy.md#the-ledger-in-a-node.

mod orders;
mod own;

use alloc::boxed::Box;
use alloc::collections::VecDeque;
use alloc::vec::Vec;

use nexus_crypto::{IdentitySeed, NodeId, NodeIdentity, SigningKey, VerifyingKey};
use nexus_economy::ledger::ChannelKey;
use nexus_economy::ledger::intake::Neighbour;
use nexus_economy::ledger::organ::{self, Ledger, NotKept};
use nexus_economy::ledger::purse::{self, Purse};
use nexus_economy::ledger::rules::Rules;
use nexus_economy::ledger::witness::Seat;
use nexus_machine::{Cx, Instant, Key, Machine as _, MemoryBound as _, Seed, Snapshot, earliest};
use nexus_network::media::Tier;
use nexus_network::{LinkId, gossip};
use nexus_secure::Reply;
use nexus_wire::nexus::channel::ChannelId;
use nexus_wire::nexus::gossip::StoreId;
use nexus_wire::nexus::ledger::WitnessIndex;

use crate::contract::{Event, LedgerCommand, LedgerEvent, Output};
use crate::node::{Body, Node, Signal, Writer};

/// The stores of the ledger.
const STORES: [StoreId; 3] = [StoreId::SETTLEMENTS, StoreId::CERTIFICATES, StoreId::EVIDENCE];

/// Whether a node signs what others order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Witnessing {
    /// It does, if the genesis names its key.
    IfNamed,
    /// It does not.
    Never,
}

/// What a node keeps that keeps books.
#[derive(Debug)]
pub(crate) struct Bookkeeping {
    pub(crate) ledger: Ledger,
    pub(crate) purse: Purse,
}

impl Bookkeeping {
    pub(crate) fn next_timeout(&self) -> Option<Instant> {
        earliest([self.ledger.next_timeout(), self.purse.next_timeout()])
    }

    pub(crate) fn memory_bound(&self) -> usize {
        self.ledger.memory_bound().saturating_add(self.purse.memory_bound())
    }
}

impl Node {
    /// Keeps books from here on: said once, before [`Command::Start`](crate::Command::Start).
    ///
    /// # Errors
    /// If the disk has books of another genesis.
    pub fn keep_books(
        &mut self,
        identity: &IdentitySeed,
        rules: Rules,
        witnessing: Witnessing,
        limits: organ::Limits,
        (snapshot, seed): (&Snapshot, &Seed),
    ) -> Result<(), NotKept> {
        let identity = NodeIdentity::from_seed(IdentitySeed::from_bytes(*identity.expose()));
        let own = *identity.public();
        let seat = match witnessing {
            Witnessing::IfNamed => {
                seat_of(&own.verifying(), SigningKey::from_seed(identity.seed().expose()), &rules)
            }
            Witnessing::Never => None,
        };
        let ledger = Ledger::new(&own, rules.clone(), seat, snapshot, seed, limits)?;
        self.keep(identity, rules, ledger, snapshot);
        Ok(())
    }

    /// Keeps books of some accounts alone from here on: this node's own, those with whom it has channels, those whom it trusts, as many as
    /// there is room for. It is no witness. Said once, before [`Command::Start`](crate::Command::Start).
    ///
    /// # Errors
    /// If the disk has books of another genesis.
    pub fn keep_sparse_books(
        &mut self,
        identity: &IdentitySeed,
        rules: Rules,
        (snapshot, seed): (&Snapshot, &Seed),
    ) -> Result<(), NotKept> {
        let identity = NodeIdentity::from_seed(IdentitySeed::from_bytes(*identity.expose()));
        let peers: Vec<NodeId> = self.body.economy.accounts().map(|(peer, _)| peer).collect();
        let ledger = Ledger::sparse(identity.public(), rules.clone(), peers, snapshot, seed)?;
        // What genesis gave to whom is looked up in the ledger.
        let rules = Rules { accounts: Vec::new(), ..rules };
        self.keep(identity, rules, ledger, snapshot);
        Ok(())
    }

    fn keep(&mut self, identity: NodeIdentity, rules: Rules, ledger: Ledger, snapshot: &Snapshot) {
        let through = ledger.known().orders.through(&identity.node_id());
        let purse = Purse::new(identity, rules, snapshot, through);
        let extent = if ledger.is_sparse() { gossip::Extent::Passing } else { gossip::Extent::Whole };
        self.body.serve(extent, &mut self.signals);
        self.body.economy.make_room();
        self.body.books = Some(Box::new(Bookkeeping { ledger, purse }));
    }

    /// The books, if this node keeps them.
    #[must_use]
    pub fn ledger(&self) -> Option<&Ledger> {
        self.body.books.as_ref().map(|books| &books.ledger)
    }

    /// What this node ordered, if it keeps books.
    #[must_use]
    pub fn purse(&self) -> Option<&Purse> {
        self.body.books.as_ref().map(|books| &books.purse)
    }
}

fn seat_of(own: &VerifyingKey, key: SigningKey, rules: &Rules) -> Option<Seat> {
    let place = rules.witnesses.iter().position(|witness| witness == own)?;
    Some(Seat { index: WitnessIndex(u8::try_from(place).ok()?), key })
}

impl Body {
    /// The stores of books are brought together with neighbours' from here on.
    fn serve(&mut self, extent: gossip::Extent, signals: &mut VecDeque<Signal>) {
        use gossip::Input as G;
        for store in STORES {
            for said in [G::Serve(store, Tier::Payment), G::Holds { store, extent }] {
                self.network.handle(Cx::default(), nexus_network::Input::Store(said), signals);
            }
        }
    }

    pub(crate) fn tell_ledger(&mut self, cx: Cx, input: organ::Input, signals: &mut VecDeque<Signal>) {
        if let Some(books) = &mut self.books {
            books.ledger.handle(cx, input, signals);
        }
    }

    /// Where some accounts alone are followed, this one is.
    pub(crate) fn follow(&mut self, cx: Cx, node: NodeId, signals: &mut VecDeque<Signal>) {
        if self.books.as_ref().is_some_and(|books| books.ledger.is_sparse()) {
            self.tell_ledger(cx, organ::Input::Follow(node), signals);
        }
    }

    pub(crate) fn tell_purse(&mut self, cx: Cx, input: purse::Input, signals: &mut VecDeque<Signal>) {
        if let Some(books) = &mut self.books {
            books.purse.handle(cx, input, signals);
        }
    }

    pub(crate) fn books_timeout(&mut self, cx: Cx, signals: &mut VecDeque<Signal>) {
        if let Some(books) = &mut self.books {
            books.ledger.handle_timeout(cx, signals);
            books.purse.handle_timeout(cx, signals);
        }
    }

    /// What the ledger wrote is durable: the purse learns how far its orders are known to be certified.
    pub(crate) fn ledger_durable(&mut self, cx: Cx, through: u64, signals: &mut VecDeque<Signal>) {
        self.tell_ledger(cx, organ::Input::Durable(through), signals);
        let own = self.own;
        if let Some(books) = &mut self.books {
            let known = books.ledger.known();
            let certified = known.orders.through(&own);
            let is_closed =
                |key: &ChannelKey| known.books.entry(key).is_some_and(|entry| entry.close().is_some());
            let closed: Vec<ChannelKey> = books.purse.closing().filter(is_closed).collect();
            books.purse.handle(cx, purse::Input::Through(certified), signals);
            for key in closed {
                books.purse.handle(cx, purse::Input::Closed(ChannelId(*key.id())), signals);
            }
        }
    }

    pub(crate) fn command_ledger(
        &mut self,
        cx: Cx,
        command: LedgerCommand,
        signals: &mut VecDeque<Signal>,
        outputs: &mut VecDeque<Output>,
    ) {
        match command {
            LedgerCommand::Settled(record) => {
                self.tell_ledger(cx, organ::Input::Settled(*record), signals);
            }
            LedgerCommand::Certified { order, certificate } => {
                self.tell_ledger(cx, organ::Input::Certified(*order, certificate), signals);
            }
            LedgerCommand::Deposit { channel, peer, deposit } => {
                self.order_deposit(cx, (channel, peer, deposit), signals, outputs);
            }
            LedgerCommand::Close(order) => self.tell_purse(cx, purse::Input::Close(*order), signals),
            LedgerCommand::Convict(evidence) => {
                self.tell_ledger(cx, organ::Input::Convict(*evidence), signals);
            }
        }
    }

    /// What gossip wants of the ledger's stores.
    pub(crate) fn wire_store(&mut self, cx: Cx, effect: gossip::Effect, signals: &mut VecDeque<Signal>) {
        use gossip::Effect as G;
        use organ::Input as L;
        let input = match effect {
            G::Fetch { store, to, ids } => L::Fetch { to: Neighbour(to.0), store, ids },
            G::Apply { store, from, items } => L::Apply { from: Neighbour(from.0), store, items },
            G::Asked { store, by, ids } => L::Asked { by: Neighbour(by.0), store, ids },
            // Within the layer below.
            G::Say { .. } => return,
        };
        self.tell_ledger(cx, input, signals);
    }

    pub(crate) fn wire_ledger(
        &mut self,
        cx: Cx,
        effect: organ::Effect,
        signals: &mut VecDeque<Signal>,
        outputs: &mut VecDeque<Output>,
    ) {
        use nexus_network::Input as N;
        use organ::Effect as L;
        let tell = |event| Output::Event(Event::Ledger(event));
        match effect {
            L::Write { number, writes } => {
                outputs.push_back(self.tickets.issue(Writer::Ledger, number, writes));
            }
            L::Read { number, table, key } => {
                outputs.push_back(tell(LedgerEvent::ReadWanted { number, table, key }));
            }
            L::Want(store, id) => self.network.handle(cx, N::Want { store, id }, signals),
            L::WantKey(node) => self.network.handle(cx, N::FindKey(node), signals),
            L::Stated(to, statement) => self.state(cx, to, &statement, signals),
            L::Shown(to, course) if to == self.own => {
                self.hear_of_course(cx, to, &course, signals);
            }
            L::Shown(to, course) => self.say_of_orders(cx, to, (&*course, Reply::Unwanted), signals),
            L::Deposited { key, side, deposit } => {
                let certified =
                    nexus_economy::layer::Input::Certified { channel: ChannelId(*key.id()), side, deposit };
                self.economy.handle(cx, certified, signals);
                // It may be closed already, and the books not know it.
                self.end_in_books(cx, ChannelId(*key.id()), signals);
                outputs.push_back(tell(LedgerEvent::Deposited { key, side, deposit }));
            }
            L::Flagged(node) => outputs.push_back(tell(LedgerEvent::Flagged(node))),
            L::Foreign(Neighbour(link)) => outputs.push_back(tell(LedgerEvent::OtherGenesis(LinkId(link)))),
            L::Published { .. }
            | L::Retired { .. }
            | L::State(..)
            | L::Bodies { .. }
            | L::Answered { .. }
            | L::Judged { .. } => self.tell_gossip(cx, effect, signals),
        }
    }

    fn tell_gossip(&mut self, cx: Cx, effect: organ::Effect, signals: &mut VecDeque<Signal>) {
        use gossip::Input as G;
        use organ::Effect as L;
        let link = |Neighbour(link): Neighbour| LinkId(link);
        let input = match effect {
            L::Published { store, id, size } => G::Published { store, id, size },
            L::Retired { store, id } => G::Retired { store, id },
            L::State(store, state) => G::State(store, state),
            L::Bodies { store, to, bodies } => G::Bodies { store, to: link(to), bodies },
            L::Answered { store, to, ids } => G::Answered { store, to: link(to), ids },
            L::Judged { store, from, held, bad } => G::Judged { store, from: link(from), held, bad },
            L::Write { .. }
            | L::Read { .. }
            | L::Want(..)
            | L::WantKey(_)
            | L::Stated(..)
            | L::Shown(..)
            | L::Deposited { .. }
            | L::Flagged(_)
            | L::Foreign(_) => return,
        };
        self.network.handle(cx, nexus_network::Input::Store(input), signals);
    }

    pub(crate) fn wire_purse(
        &mut self,
        cx: Cx,
        effect: purse::Effect,
        signals: &mut VecDeque<Signal>,
        outputs: &mut VecDeque<Output>,
    ) {
        use purse::Effect as P;
        match effect {
            P::Write { number, writes } => {
                outputs.push_back(self.tickets.issue(Writer::Purse, number, writes));
            }
            P::Ask(witness, order) => self.ask_witness(cx, witness, &order, signals),
            P::Show(witness, course) if witness == self.own => {
                self.hear_of_course(cx, witness, &course, signals);
            }
            P::Show(witness, course) => {
                self.say_of_orders(cx, witness, (&*course, Reply::Wanted), signals);
            }
            P::Certified(order, certificate) => {
                self.tell_ledger(cx, organ::Input::Certified(order, certificate), signals);
            }
            P::Refused(order, witness, why) => {
                outputs.push_back(Output::Event(Event::Ledger(LedgerEvent::Refused { order, witness, why })));
            }
        }
    }
}

/// A neighbour as the ledger knows it.
pub(crate) const fn neighbour(Key { slot, generation }: Key) -> Neighbour {
    Neighbour(Key { slot, generation })
}
