//! The organ that replicates state: it tells neighbours what this node's stores hold, and brings them what they lack.
//!
//! It holds names of items, not items: a store publishes what it has, hands out bodies when they are fetched, and judges what
//! neighbours send. It speaks with each neighbour in rounds, within a share of the medium.
//!
//! Invariants:
//!
//! * gossip and announces together take a tenth of a medium in ten minutes at most, and each tier no more than its share
//!   (`allowance`);
//! * what a neighbour says changes only what is said to that neighbour: a state it claims, a summary it makes up, an item it asks for or never
//!   keeps costs a bounded share of airtime, of comparisons and of memory, whatever it says;
//! * two neighbours that agree say so once in ten rounds, and nothing else;
//! * nothing is believed because it was said: an item is published here by its store alone.
//!
//! Spec: spec/network.md#gossip.

mod allowance;
mod hearing;
mod index;
mod neighbour;
mod passing;
pub mod refusals;
mod rounds;
mod saying;
mod state_hash;
pub mod status;
pub mod summary;
#[cfg(test)]
mod tests;
mod wanting;

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use nexus_machine::{Cx, Deadlines, Instant, Machine, MemoryBound, Seed, Sink, Stream};
use nexus_wire::nexus::gossip::{ItemId, StateHash, StoreId};
use nexus_wire::nexus::message::MessageKind;

use crate::interface::{InterfaceId, Mode, Profile, Reach};
use crate::links::LinkId;
use crate::media::{Load, Tier};
use crate::overheard::Overheard;

use allowance::{Account, Kind, Medium, Pace};
use index::{Index, NotIndexed};
use neighbour::Neighbour;
use passing::Passed;
pub use refusals::Refusals;
use refusals::Refused;
pub use status::{Counts, NeighbourStatus, StoreStatus, Tally};
use wanting::Want;

/// What the organ is told.
#[derive(Clone, Debug)]
pub enum Input {
    /// An interface came up.
    Up(InterfaceId, Profile),
    /// An interface went down.
    Down(InterfaceId),
    /// An interface under load carries so many bits per second.
    Carries(InterfaceId, u64),
    /// Announces or gossip of others were on a shared channel.
    Overheard(Overheard),
    /// A link came up.
    LinkUp {
        /// Which.
        link: LinkId,
        /// Where it runs.
        iface: InterfaceId,
        /// The longest frame that both sides take, in bytes.
        max_frame: usize,
    },
    /// A link is no more.
    LinkDown(LinkId),
    /// A frame left.
    Left {
        /// Where.
        iface: InterfaceId,
        /// Over which link; none if it was for all.
        link: Option<LinkId>,
        /// What it was for.
        load: Load,
        /// What it has on the medium.
        bytes: usize,
    },
    /// A store holds an item that it did not hold before.
    Published {
        /// Which store.
        store: StoreId,
        /// The item.
        id: ItemId,
        /// How long it is, in bytes: at most [`ITEM_MAX`].
        size: u16,
    },
    /// A store does not hold an item any more.
    Retired {
        /// Which store.
        store: StoreId,
        /// The item.
        id: ItemId,
    },
    /// How much a store holds of what it was given.
    Holds {
        /// Which store.
        store: StoreId,
        /// How much.
        extent: Extent,
    },
    /// What was fetched, in the order of the ids; what the store does not hold any more is left out.
    Bodies {
        /// Of which store.
        store: StoreId,
        /// For which neighbour.
        to: LinkId,
        /// The items.
        bodies: Vec<Vec<u8>>,
    },
    /// A store is brought together with neighbours' from here on. It is empty. Said before anything else of it, once.
    Serve(StoreId, Tier),
    /// In what state a store says it is: in place of the hash over the names of its items, which otherwise is its state.
    State(StoreId, StateHash),
    /// The items that answer what a neighbour asked by names that are none.
    Answered {
        /// Of which store.
        store: StoreId,
        /// For which neighbour.
        to: LinkId,
        /// Which.
        ids: Vec<ItemId>,
    },
    /// What a store found of a neighbour's items.
    Judged {
        /// Which store.
        store: StoreId,
        /// The neighbour.
        from: LinkId,
        /// What is held here, whether it was before or is since: it need not be told to that neighbour.
        held: Vec<ItemId>,
        /// How many were bad.
        bad: usize,
    },
    /// A store needs an item by name: neighbours are asked for it.
    Want {
        /// Which store.
        store: StoreId,
        /// The item.
        id: ItemId,
    },
    /// A neighbour said SUMMARY, REQUEST, ITEMS or DONE.
    Heard {
        /// Over which link.
        link: LinkId,
        /// Which of them.
        kind: MessageKind,
        /// Its body.
        body: Vec<u8>,
    },
}

/// What the organ wants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Say this over a link.
    Say {
        /// Which.
        link: LinkId,
        /// Messages, the last without a length, behind room for the frame's header.
        plaintext: Vec<u8>,
        /// For what.
        tier: Tier,
    },
    /// Hand out items, by [`Input::Bodies`].
    Fetch {
        /// Of which store.
        store: StoreId,
        /// For which neighbour.
        to: LinkId,
        /// Which.
        ids: Vec<ItemId>,
    },
    /// A neighbour asked for names that are no item's: questions, which a store may answer by [`Input::Answered`].
    Asked {
        /// Of which store.
        store: StoreId,
        /// Which neighbour.
        by: LinkId,
        /// What.
        ids: Vec<ItemId>,
    },
    /// Judge a neighbour's items, and say [`Input::Judged`]; publish what is good.
    Apply {
        /// For which store.
        store: StoreId,
        /// The neighbour.
        from: LinkId,
        /// The items, as their store lays them out.
        items: Vec<Vec<u8>>,
    },
}

/// How much a store holds of what it was given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extent {
    /// Everything.
    Whole,
    /// It is full, and let something go: its state is not compared with others'.
    Part,
    /// Little, and the latest of what it does not keep: what neighbours say of theirs is passed on to each other.
    Passing,
}

/// How much the organ may hold.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Links on which it speaks; on further ones nothing is said.
    pub links: usize,
    /// Items of all stores; further ones are not told of.
    pub items: usize,
    /// Items that one neighbour is known to lack; more are owed to it when it says so again.
    pub owed: usize,
    /// Items of which it is remembered that one neighbour was sent them or has them.
    pub sent: usize,
}

impl Default for Limits {
    /// For a host.
    fn default() -> Self {
        Self { links: 256, items: 8_192, owed: 256, sent: 512 }
    }
}

/// The longest item, in bytes: with what stands before it a message that fragments carry.
pub const ITEM_MAX: u16 = 500;

/// The organ.
#[derive(Debug)]
pub struct Gossip {
    index: Index,
    mediums: BTreeMap<InterfaceId, Medium>,
    accounts: BTreeMap<Scope, Account>,
    neighbours: BTreeMap<LinkId, Neighbour>,
    wants: BTreeMap<(StoreId, ItemId), Want>,
    passed: Passed,
    deadlines: Deadlines<Timer>,
    random: Stream,
    tally: Tally,
    refusals: Refusals,
    limits: Limits,
}

/// Whose account: where all hear all, it is the interface's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Scope {
    Interface(InterfaceId),
    Link(LinkId),
}

/// Who owns a deadline.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Timer {
    /// The next round with a neighbour.
    Round(LinkId),
    /// There is a share for what a neighbour is owed.
    Speak(LinkId),
    /// Another neighbour is asked.
    Ask(StoreId, ItemId),
}

impl Gossip {
    /// The organ of these stores, which are empty. Its random stream spreads rounds and salts summaries.
    #[must_use]
    pub fn new(stores: &[(StoreId, Tier)], limits: Limits, seed: &Seed) -> Self {
        Self {
            index: Index::new(stores, limits.items),
            mediums: BTreeMap::new(),
            accounts: BTreeMap::new(),
            neighbours: BTreeMap::new(),
            wants: BTreeMap::new(),
            passed: Passed::new(),
            deadlines: Deadlines::default(),
            random: seed.fork("gossip"),
            tally: Tally::default(),
            refusals: Refusals::default(),
            limits,
        }
    }

    fn up(&mut self, now: Instant, iface: InterfaceId, profile: Profile) {
        self.down(iface);
        if profile.mode != Mode::Nexus {
            return;
        }
        let medium = Medium::new(profile);
        self.mediums.insert(iface, medium);
        if profile.reach == Reach::Shared {
            self.accounts.insert(Scope::Interface(iface), Account::new(medium, now));
        }
    }

    fn down(&mut self, iface: InterfaceId) {
        let there: Vec<LinkId> = self.on(iface).collect();
        for link in there {
            self.link_down(link);
        }
        self.mediums.remove(&iface);
        self.accounts.remove(&Scope::Interface(iface));
    }

    fn carries(&mut self, iface: InterfaceId, bps: u64) {
        let Some(medium) = self.mediums.get_mut(&iface) else { return };
        medium.carries(bps);
        let medium = *medium;
        let scopes: Vec<Scope> = self.scopes(iface).collect();
        for scope in scopes {
            if let Some(account) = self.accounts.get_mut(&scope) {
                account.set_medium(medium);
            }
        }
    }

    fn link_up(&mut self, now: Instant, link: LinkId, iface: InterfaceId, max_frame: usize) {
        let Some(medium) = self.mediums.get(&iface).copied() else { return };
        if self.neighbours.len() >= self.limits.links {
            return self.refusals.count(Refused::crowded_link);
        }
        self.neighbours.insert(link, Neighbour::new(iface, max_frame, self.limits, now));
        if medium.reach() != Reach::Shared {
            self.accounts.insert(Scope::Link(link), Account::new(medium, now));
        }
        self.share_out(iface);
        self.greet(now, link);
    }

    fn link_down(&mut self, link: LinkId) {
        let Some(gone) = self.neighbours.remove(&link) else { return };
        self.deadlines.cancel(Timer::Round(link));
        self.deadlines.cancel(Timer::Speak(link));
        self.accounts.remove(&Scope::Link(link));
        self.share_out(gone.iface);
    }

    /// On a shared medium, the shares are divided among those who are linked, and this node.
    fn share_out(&mut self, iface: InterfaceId) {
        let sharers = u64::try_from(self.on(iface).count()).unwrap_or(u64::MAX).saturating_add(1);
        if let Some(account) = self.accounts.get_mut(&Scope::Interface(iface)) {
            account.set_sharers(sharers);
        }
    }

    fn left(
        &mut self,
        cx: Cx,
        (iface, link): (InterfaceId, Option<LinkId>),
        load: Load,
        bytes: usize,
        out: &mut impl Sink<Effect>,
    ) {
        let kind = match load {
            Load::Traffic | Load::Links => return,
            Load::Announces => Kind::Announces,
            Load::Gossip(_) => Kind::Gossip,
        };
        let scopes: Vec<Scope> = match link.map(Scope::Link).filter(|scope| self.accounts.contains_key(scope))
        {
            Some(scope) => Vec::from([scope]),
            None => self.scopes(iface).collect(),
        };
        for scope in scopes {
            if let Some(account) = self.accounts.get_mut(&scope) {
                account.leave(cx.now, kind, bytes);
            }
        }
        if kind == Kind::Gossip
            && let Some(link) = link
            && let Some(neighbour) = self.neighbours.get_mut(&link)
        {
            neighbour.left();
            self.speak(cx, link, out);
        }
    }

    fn published(&mut self, now: Instant, store: StoreId, id: ItemId, size: u16) {
        self.wants.remove(&(store, id));
        self.deadlines.cancel(Timer::Ask(store, id));
        match self.index.add(store, id, size.min(ITEM_MAX)) {
            Ok(true) => {
                self.pass_item(now, store, &id);
                self.hasten_all(now);
            }
            Ok(false) => {}
            Err(NotIndexed) => self.refusals.count(Refused::crowded),
        }
    }

    /// The links on an interface.
    fn on(&self, iface: InterfaceId) -> impl Iterator<Item = LinkId> {
        self.neighbours.iter().filter(move |(_, neighbour)| neighbour.iface == iface).map(|(link, _)| *link)
    }

    /// The accounts of an interface.
    fn scopes(&self, iface: InterfaceId) -> impl Iterator<Item = Scope> {
        core::iter::once(Scope::Interface(iface)).chain(self.on(iface).map(Scope::Link))
    }

    /// The account of which a link spends.
    fn account(&mut self, link: LinkId) -> Option<&mut Account> {
        let scope = self.scope(link)?;
        self.accounts.get_mut(&scope)
    }

    fn scope(&self, link: LinkId) -> Option<Scope> {
        let iface = self.neighbours.get(&link)?.iface;
        let own = Scope::Link(link);
        Some(if self.accounts.contains_key(&own) { own } else { Scope::Interface(iface) })
    }

    fn pace_of(&self, link: LinkId) -> Pace {
        let medium = self.neighbours.get(&link).and_then(|neighbour| self.mediums.get(&neighbour.iface));
        medium.map_or(Pace::Slow, Medium::pace)
    }
}

impl Machine for Gossip {
    type Input = Input;
    type Effect = Effect;

    fn handle(&mut self, cx: Cx, input: Input, out: &mut impl Sink<Effect>) {
        match input {
            Input::Up(iface, profile) => self.up(cx.now, iface, profile),
            Input::Down(iface) => self.down(iface),
            Input::Carries(iface, bps) => self.carries(iface, bps),
            Input::Overheard(Overheard { iface, airtime, by }) => {
                if let Some(account) = self.accounts.get_mut(&Scope::Interface(iface)) {
                    account.overhear(cx.now, airtime, by);
                }
            }
            Input::LinkUp { link, iface, max_frame } => self.link_up(cx.now, link, iface, max_frame),
            Input::LinkDown(link) => self.link_down(link),
            Input::Left { iface, link, load, bytes } => self.left(cx, (iface, link), load, bytes, out),
            Input::Published { store, id, size } => self.published(cx.now, store, id, size),
            Input::Retired { store, id } => {
                if self.index.remove(store, &id) {
                    self.hasten_all(cx.now);
                }
            }
            Input::Holds { store, extent } => self.index.set_extent(store, extent),
            Input::Serve(store, tier) => self.index.serve(store, tier),
            Input::State(store, state) => {
                if self.index.set_state(store, state) {
                    self.hasten_all(cx.now);
                }
            }
            Input::Answered { store, to, ids } => self.answered(cx, store, to, &ids, out),
            Input::Bodies { store, to, bodies } => self.bodies(cx, store, to, &bodies, out),
            Input::Judged { store, from, held, bad } => self.judged(cx, store, from, &held, bad, out),
            Input::Want { store, id } => self.want(cx, store, id, out),
            Input::Heard { link, kind, body } => self.heard(cx, link, kind, &body, out),
        }
    }

    fn handle_timeout(&mut self, cx: Cx, out: &mut impl Sink<Effect>) {
        while let Some(timer) = self.deadlines.pop_due(cx.now) {
            match timer {
                Timer::Round(link) => self.round(cx, link, out),
                Timer::Speak(link) => self.speak(cx, link, out),
                Timer::Ask(store, id) => self.ask(cx, store, id, out),
            }
        }
    }

    fn next_timeout(&self) -> Option<Instant> {
        self.deadlines.next()
    }
}

impl MemoryBound for Gossip {
    fn memory_bound(&self) -> usize {
        // Nodes of ordered maps may be half empty; a timer stands in two maps, one of which may be twice as long as needed.
        const PER_TIMER: usize = 6 * size_of::<(Instant, Timer)>();
        const PER_ACCOUNT: usize = 4 * size_of::<(Scope, Account)>() + Account::MEMORY_BOUND;
        const PER_WANT: usize = 4 * size_of::<((StoreId, ItemId), Want)>() + PER_TIMER;
        const INTERFACES: usize = 256 * (4 * size_of::<(InterfaceId, Medium)>() + PER_ACCOUNT);
        let per_link = Neighbour::memory_bound(self.limits, self.index.stores())
            .saturating_add(2 * PER_TIMER)
            .saturating_add(PER_ACCOUNT);
        let links = self.limits.links.saturating_mul(per_link);
        let wants = wanting::WANTS.saturating_mul(PER_WANT);
        INTERFACES
            .saturating_add(self.index.memory_bound())
            .saturating_add(links)
            .saturating_add(wants)
            .saturating_add(Passed::MEMORY_BOUND)
            .saturating_add(4_096)
    }
}
