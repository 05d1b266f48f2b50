//! The tally: what each neighbour owes this node for packets, and what this node owes it. It adds, and does nothing else.
//!
//! A part of the per-packet path, not an organ: no timer, no queue, and no memory is asked for per packet. Sums are in grains, 1,024 to
//! the µNXS: a packet of `bytes` at `price` µNXS for 1,024 bytes costs `price × bytes` of them, exactly. They are of this process: who
//! keeps accounts reckons with differences.
//!
//! Invariants: a neighbour that is counted is carried up to its limit and no further; one that is not has its courtesy; one that is
//! trusted is never looked at. Source: spec/network.md#fares.

mod courtesy;
#[cfg(test)]
mod tests;

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;

use nexus_crypto::NodeId;
use nexus_machine::{Duration, Instant};
use nexus_wire::nexus::code::PriceCode;
use nexus_wire::nexus::path_cost::CostCode;

use crate::announces::Fare;
use crate::forwarding::Cause;
use crate::links::LinkId;

pub use courtesy::COURTESY;
use courtesy::{Courtesy, Left};

/// So many neighbours are trusted at most.
pub const TRUSTED: usize = 256;
/// How often it is said that a neighbour ought to have a channel.
const SAID_AGAIN: Duration = Duration::from_secs(30);

/// How what a neighbour sends is reckoned.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Reckoning {
    /// It cannot pay: it has its courtesy.
    #[default]
    Courtesy,
    /// It pays: up to this sum, and somebody is told when it comes to the mark.
    Counted {
        /// No more than this in all, in grains.
        limit: u64,
        /// Say so there, in grains.
        mark: u64,
    },
}

/// Whether this node can pay a neighbour.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Channel {
    /// There is nothing to pay out of.
    #[default]
    None,
    /// There is.
    Stands,
}

/// What was counted with a neighbour since the process began.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Sums {
    /// Grains for packets that were sent to it.
    pub owed: u64,
    /// Grains for packets that it sent and that were carried.
    pub due: u64,
    /// The highest price that was paid it, in µNXS for 1,024 bytes.
    pub dearest_paid: u64,
    /// The highest that it was asked.
    pub dearest_asked: u64,
}

/// What somebody is to be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum News {
    /// What a neighbour sent came to its mark.
    Counted {
        /// Who.
        node: NodeId,
        /// To what, in grains.
        total: u64,
    },
    /// A neighbour sends what it cannot pay for, for want of a channel, of terms, or of what it is to release.
    ChannelWanted(NodeId),
}

/// A packet that came over a link, as far as money goes.
#[derive(Clone, Copy, Debug)]
pub struct Passage {
    /// By which link.
    pub link: LinkId,
    /// What its sender pays.
    pub stated: PriceCode,
    /// How long it is, without transport id.
    pub bytes: usize,
}

#[derive(Debug)]
struct Account {
    node: NodeId,
    /// How many links there are with it.
    links: u16,
    trusted: bool,
    channel: Channel,
    reckoning: Reckoning,
    courtesy: Courtesy,
    sums: Sums,
    wanted: Option<Instant>,
    /// What this node asks of it for itself, if less than of others, in µNXS for 1,024 bytes.
    discount: Option<u64>,
}

/// The tally of all neighbours.
#[derive(Debug)]
pub struct Tally {
    accounts: Vec<Account>,
    by_node: BTreeMap<NodeId, u16>,
    /// Which account a link is of, by the link's slot.
    by_link: Vec<Option<(LinkId, u16)>>,
    trusted: BTreeSet<NodeId>,
    discounts: BTreeMap<NodeId, u64>,
    capacity: u16,
    news: Option<News>,
}

impl Tally {
    /// A tally of as many neighbours as there can be links with, and as many that may come back.
    #[must_use]
    pub const fn new(links: u16) -> Self {
        let capacity = links.saturating_mul(2);
        Self {
            accounts: Vec::new(),
            by_node: BTreeMap::new(),
            by_link: Vec::new(),
            trusted: BTreeSet::new(),
            discounts: BTreeMap::new(),
            capacity,
            news: None,
        }
    }

    /// What was counted with a neighbour.
    #[must_use]
    pub fn sums(&self, node: &NodeId) -> Sums {
        self.account(node).map_or_else(Sums::default, |account| account.sums)
    }

    /// How a neighbour is reckoned.
    #[must_use]
    pub fn reckoning(&self, node: &NodeId) -> Reckoning {
        self.account(node).map_or_else(Reckoning::default, |account| account.reckoning)
    }

    /// Whether a neighbour is carried for nothing, whatever it sends.
    #[must_use]
    pub fn is_trusted(&self, node: &NodeId) -> bool {
        self.trusted.contains(node)
    }

    /// Whom this node carries for nothing from here on: these and nobody else, at most [`TRUSTED`].
    pub fn trust(&mut self, nodes: impl IntoIterator<Item = NodeId>) {
        self.trusted = nodes.into_iter().take(TRUSTED).collect();
        for account in &mut self.accounts {
            account.trusted = self.trusted.contains(&account.node);
        }
    }

    /// Of whom this node asks less for itself than of others from here on, and how much, in µNXS for 1,024 bytes; at most [`TRUSTED`]. What is
    /// told of costs is told to all: whoever pays less is charged less, and nobody can be asked for more.
    pub fn discount(&mut self, prices: impl IntoIterator<Item = (NodeId, u64)>) {
        self.discounts = prices.into_iter().take(TRUSTED).collect();
        for account in &mut self.accounts {
            account.discount = self.discounts.get(&account.node).copied();
        }
    }

    /// From here on a neighbour is reckoned so.
    pub fn reckon(&mut self, node: NodeId, reckoning: Reckoning) {
        if let Some(account) = self.account_mut(&node) {
            account.reckoning = reckoning;
        }
    }

    /// From here on this node can pay a neighbour, or cannot.
    pub fn set_channel(&mut self, node: NodeId, channel: Channel) {
        if let Some(account) = self.account_mut(&node) {
            account.channel = channel;
        }
    }

    /// Sums that were counted before a neighbour was forgotten here: counting goes on from there.
    pub fn resume(&mut self, node: NodeId, owed: u64, due: u64) {
        if let Some(account) = self.account_mut(&node) {
            account.sums.owed = account.sums.owed.max(owed);
            account.sums.due = account.sums.due.max(due);
        }
    }

    /// A link with a neighbour came up.
    pub fn link_up(&mut self, link: LinkId, node: NodeId) {
        let place = match self.by_node.get(&node) {
            Some(place) => *place,
            None => match self.place() {
                Some(place) => place,
                None => return,
            },
        };
        let (trusted, discount) = (self.trusted.contains(&node), self.discounts.get(&node).copied());
        let Some(account) = self.accounts.get_mut(usize::from(place)) else { return };
        if account.node != node {
            *account = Account::of(node);
        }
        account.trusted = trusted;
        account.discount = discount;
        account.links = account.links.saturating_add(1);
        self.by_node.insert(node, place);
        let slot = usize::from(link.0.slot);
        if self.by_link.len() <= slot {
            self.by_link.resize(slot.saturating_add(1), None);
        }
        if let Some(at) = self.by_link.get_mut(slot) {
            *at = Some((link, place));
        }
    }

    /// A link is no more. Whoever has none left is reckoned anew when it comes back.
    pub fn link_down(&mut self, link: LinkId) {
        let Some(place) = self.place_of(link) else { return };
        if let Some(at) = self.by_link.get_mut(usize::from(link.0.slot)) {
            *at = None;
        }
        if let Some(account) = self.accounts.get_mut(usize::from(place)) {
            account.links = account.links.saturating_sub(1);
            if account.links == 0 {
                (account.reckoning, account.channel) = (Reckoning::Courtesy, Channel::None);
            }
        }
    }

    /// A packet is about to be carried on for whoever sent it: counts it, if it may be. `fare` is what carrying costs as the way
    /// stands, `least` what its sender may have been told, looked at only where that matters.
    ///
    /// # Errors
    /// The cause for which it is not carried.
    pub fn take(
        &mut self,
        now: Instant,
        passage: &Passage,
        fare: Fare,
        least: impl FnOnce() -> Option<PriceCode>,
    ) -> Result<(), Cause> {
        let Some(place) = self.place_of(passage.link) else { return Ok(()) };
        let Some(account) = self.accounts.get_mut(usize::from(place)) else { return Ok(()) };
        let CostCode::Known(asked) = fare.asked else { return Ok(()) };
        if account.trusted || asked == PriceCode::FREE {
            return Ok(());
        }
        let Reckoning::Counted { limit, mark } = &mut account.reckoning else {
            return self.carry_out_of_courtesy(now, place, asked, passage.bytes);
        };
        if passage.stated < asked && least().is_none_or(|least| passage.stated < least) {
            return Err(Cause::Underpriced);
        }
        let price =
            account.discount.map_or(passage.stated.price(), |own| discounted(passage.stated, fare, own));
        let due = account.sums.due.saturating_add(grains(price, passage.bytes));
        account.sums.dearest_asked = account.sums.dearest_asked.max(passage.stated.price());
        if due > *limit {
            // Somebody may have to ask for what is missing: nothing is counted by which they would hear of it.
            if account.is_unsaid(now) {
                account.wanted = Some(now);
                self.news = Some(News::ChannelWanted(account.node));
            }
            return Err(Cause::Unpaid);
        }
        account.sums.due = due;
        if due >= *mark {
            *mark = u64::MAX;
            self.news = Some(News::Counted { node: account.node, total: due });
        }
        Ok(())
    }

    fn carry_out_of_courtesy(
        &mut self,
        now: Instant,
        place: u16,
        asked: PriceCode,
        bytes: usize,
    ) -> Result<(), Cause> {
        let Some(account) = self.accounts.get_mut(usize::from(place)) else { return Ok(()) };
        account.sums.dearest_asked = account.sums.dearest_asked.max(asked.price());
        let left = account.courtesy.spend(now, u64::try_from(bytes).unwrap_or(u64::MAX));
        // Where there is a channel only terms are wanting.
        let is_time = left != Left::Plenty || account.channel == Channel::Stands;
        if is_time && account.is_unsaid(now) {
            account.wanted = Some(now);
            self.news = Some(News::ChannelWanted(account.node));
        }
        if left == Left::Nothing { Err(Cause::NoChannel) } else { Ok(()) }
    }

    /// What to state for a packet of which the peer of `link` asks `quoted`.
    #[must_use]
    pub fn price(&self, link: LinkId, quoted: CostCode) -> PriceCode {
        let CostCode::Known(quoted) = quoted else { return PriceCode::FREE };
        if quoted == PriceCode::FREE {
            return quoted;
        }
        let account = self.place_of(link).and_then(|place| self.accounts.get(usize::from(place)));
        let is_friend = account.is_some_and(|account| account.trusted && account.channel == Channel::None);
        if is_friend { PriceCode::FREE } else { quoted }
    }

    /// A packet left over a link at a price.
    pub fn sent(&mut self, link: LinkId, stated: PriceCode, bytes: usize) {
        if stated == PriceCode::FREE {
            return;
        }
        let Some(place) = self.place_of(link) else { return };
        if let Some(account) = self.accounts.get_mut(usize::from(place)) {
            account.sums.owed = account.sums.owed.saturating_add(grains(stated.price(), bytes));
            account.sums.dearest_paid = account.sums.dearest_paid.max(stated.price());
        }
    }

    /// What somebody is to be told of the last packet.
    pub const fn take_news(&mut self) -> Option<News> {
        self.news.take()
    }

    /// How much it may hold.
    #[must_use]
    pub fn memory_bound(&self) -> usize {
        let capacity = usize::from(self.capacity);
        // A vector doubles, nodes of trees are half full at least.
        let account = size_of::<Account>().saturating_mul(2);
        let names = size_of::<(NodeId, u16)>().saturating_mul(4);
        let links = size_of::<Option<(LinkId, u16)>>().saturating_mul(2);
        let trusted = TRUSTED.saturating_mul(size_of::<(NodeId, NodeId, u64)>().saturating_mul(4));
        capacity
            .saturating_mul(account.saturating_add(names).saturating_add(links))
            .saturating_add(trusted)
            .saturating_add(1_024)
    }

    fn place_of(&self, link: LinkId) -> Option<u16> {
        let (of, place) = self.by_link.get(usize::from(link.0.slot)).copied().flatten()?;
        (of == link).then_some(place)
    }

    fn account(&self, node: &NodeId) -> Option<&Account> {
        self.accounts.get(usize::from(*self.by_node.get(node)?))
    }

    fn account_mut(&mut self, node: &NodeId) -> Option<&mut Account> {
        self.accounts.get_mut(usize::from(*self.by_node.get(node)?))
    }

    /// Where there is room for one more: the neighbour without a link with which the least was counted makes it.
    fn place(&mut self) -> Option<u16> {
        if self.accounts.len() < usize::from(self.capacity) {
            let place = u16::try_from(self.accounts.len()).ok()?;
            self.accounts.push(Account::of(NodeId([0; 16])));
            return Some(place);
        }
        let counted = |account: &Account| account.sums.due.saturating_add(account.sums.owed);
        let idle = self.accounts.iter().enumerate().filter(|(_, account)| account.links == 0);
        let (place, least) = idle.min_by_key(|(_, account)| (counted(account), account.node))?;
        let (place, node) = (u16::try_from(place).ok()?, least.node);
        self.by_node.remove(&node);
        Some(place)
    }
}

impl Account {
    /// Whether it is time to say that it cannot pay.
    fn is_unsaid(&self, now: Instant) -> bool {
        self.wanted.is_none_or(|at| now.since(at) >= SAID_AGAIN)
    }

    fn of(node: NodeId) -> Self {
        Self {
            node,
            links: 0,
            trusted: false,
            channel: Channel::None,
            reckoning: Reckoning::Courtesy,
            courtesy: Courtesy::default(),
            sums: Sums::default(),
            wanted: None,
            discount: None,
        }
    }
}

/// What whoever is asked less pays: what the next hop asks, and its own part for this node.
fn discounted(stated: PriceCode, fare: Fare, own: u64) -> u64 {
    let onward = fare.quoted.price().unwrap_or(0);
    stated.price().min(onward.saturating_add(own))
}

/// What a packet costs, at a price in µNXS for 1,024 bytes.
fn grains(price: u64, bytes: usize) -> u64 {
    price.saturating_mul(u64::try_from(bytes).unwrap_or(u64::MAX))
}
