//! The organ that pays and is paid for relaying, by lottery over windows of value.
//!
//! A payer adds up what it sent at a price, a relay what it took. When that makes another window the relay says so (DUE), and
//! the payer releases the window's token (TOKEN): receipt and seed in one. The relay draws; a window that wins is claimed in the
//! channel between the two. Nothing refers to a frame or a packet, so loss, doubling, reordering and new keys change nothing.
//!
//! Invariants: a root is durable before its terms are said, and serves one chain; terms are durable before a relay counts under
//! them; a payer countersigns each window once at most; a relay carries at most three windows beyond those that are
//! settled, and all strangers together no more than the pool. Spec: spec/economy.md#lottery.

mod chain;
mod contract;
mod difficulty;
mod draw;
mod exposure;
mod paying;
mod relaying;
mod stored;
mod terms;
#[cfg(test)]
mod tests;

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use nexus_crypto::{NodeId, NodeIdentity, VerifyingKey};
use nexus_machine::{
    Cx, Deadlines, Duration, Gate, Instant, Machine, MemoryBound, Seed, Sink, Snapshot, Stream, TableId,
    Write,
};
use nexus_wire::nexus::lottery::{Released, Token};

pub use chain::Chain;
pub use contract::{
    Channel, ClaimRefusal, Claimed, Effect, Income, Input, PathView, Policy, TermsRefusal, WindowKind,
};
pub use draw::Vrf;
pub use exposure::{AHEAD, POOL_WINDOWS, StrangerPool, largest_window, stake};
pub use terms::{Odds, Terms};

use crate::money::Grains;
use paying::Paying;
use relaying::Relaying;

/// The table of what is agreed with each neighbour: key node id 16 ‖ 0 as payer, 1 as relay.
pub const LOTTERIES: TableId = TableId(24);

/// The organ.
#[derive(Debug)]
pub struct Lottery<V> {
    identity: NodeIdentity,
    vrf: V,
    policy: Policy,
    peers: BTreeMap<NodeId, Peer>,
    pool: StrangerPool,
    gate: Gate<Held>,
    deadlines: Deadlines<(NodeId, Timer)>,
    random: Stream,
    rooted: Rooted,
}

/// Whether roots may be drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Rooted {
    Unasked,
    Asked,
    Fresh,
}

#[derive(Debug, Default)]
struct Peer {
    link: Option<Link>,
    paying: Paying,
    relaying: Relaying,
}

#[derive(Clone, Copy, Debug)]
struct Link {
    key: VerifyingKey,
    path: PathView,
}

/// What holds once a write is durable.
#[derive(Clone, Copy, Debug)]
enum Held {
    /// These terms may be said.
    Offered(NodeId, u32),
    /// Nothing waits for it.
    Nothing,
    /// These terms are in force.
    Agreed(NodeId, u32),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Timer {
    /// Say TERMS again.
    Terms,
    /// Say DUE again.
    Due,
    /// Draw on.
    Draw,
    /// Propose again what was refused.
    Claim,
    /// Store what was released.
    Store,
    /// See whether strangers may be carried again.
    Grant,
}

/// Said again after four round trips at first, and never later than this.
const LONGEST_REPEAT: Duration = Duration::from_secs(600);
/// The least time until something is said again.
const SHORTEST_REPEAT: Duration = Duration::from_millis(200);

impl Link {
    /// How long to wait for an answer, after so many vain attempts.
    fn patience(&self, attempts: u32) -> Duration {
        let first = self.path.round_trip.times(4).max(SHORTEST_REPEAT);
        first.times(1 << attempts.min(16)).min(LONGEST_REPEAT)
    }
}

impl<V: Vrf> Lottery<V> {
    /// The organ, with what was durable.
    #[must_use]
    pub fn new(identity: NodeIdentity, vrf: V, policy: Policy, snapshot: &Snapshot, seed: &Seed) -> Self {
        let mut peers: BTreeMap<NodeId, Peer> = BTreeMap::new();
        for (peer, stored) in snapshot.scan(LOTTERIES).filter_map(stored::read) {
            if !peers.contains_key(&peer) && peers.len() >= usize::from(policy.neighbours) {
                continue;
            }
            let entry = peers.entry(peer).or_default();
            match stored {
                stored::Record::Payer(paying) => entry.paying = *paying,
                stored::Record::Relay(relaying) => entry.relaying = *relaying,
            }
        }
        // With another key this node could prove none of its draws.
        let own = vrf.public();
        for peer in
            peers.values_mut().filter(|peer| peer.relaying.terms().is_some_and(|terms| *terms.key() != own))
        {
            peer.relaying.distrust();
        }
        Self {
            identity,
            vrf,
            policy,
            peers,
            pool: StrangerPool::new(policy.stranger_pool),
            gate: Gate::new(usize::from(policy.neighbours).saturating_mul(2)),
            deadlines: Deadlines::default(),
            random: seed.fork("lottery"),
            rooted: Rooted::Unasked,
        }
    }

    /// How a neighbour stands, if there is an account with it.
    #[must_use]
    pub fn income(&self, peer: &NodeId) -> Option<Income> {
        self.peers.get(peer).map(|peer| {
            let paid = peer.paying.paid_since_start;
            Income { paid, ..peer.relaying.income() }
        })
    }

    /// What was sent to a neighbour at a price, as far as was heard.
    #[must_use]
    pub fn sent(&self, peer: &NodeId) -> Grains {
        self.peers.get(peer).map_or(Grains::ZERO, |peer| peer.paying.sent())
    }

    /// All neighbours with whom there is an account.
    pub fn neighbours(&self) -> impl Iterator<Item = &NodeId> {
        self.peers.keys()
    }

    /// The terms under which a neighbour is paid, once it took them.
    #[must_use]
    pub fn paying_terms(&self, peer: &NodeId) -> Option<&Terms> {
        self.peers.get(peer)?.paying.terms()
    }

    /// The terms under which a neighbour pays.
    #[must_use]
    pub fn relaying_terms(&self, peer: &NodeId) -> Option<&Terms> {
        self.peers.get(peer)?.relaying.terms()
    }

    /// What is to be on the disk of a neighbour: where its account is void ([`Input::OutOfDate`]), the write that says so takes this along.
    #[must_use]
    pub fn stored(&self, id: &NodeId) -> Vec<Write> {
        let Some(peer) = self.peers.get(id) else { return stored::delete(id) };
        [stored::payer(id, &peer.paying), peer.relaying.stored(id)].into()
    }

    /// The account of a neighbour, made if there is room. One that has no link makes room, the one that paid least.
    fn account(&mut self, id: NodeId, out: &mut impl Sink<Effect>) -> Option<&mut Peer> {
        if !self.peers.contains_key(&id) && self.peers.len() >= usize::from(self.policy.neighbours) {
            let idle = self.peers.iter().filter(|(_, peer)| peer.link.is_none());
            let (least, _) = idle.min_by_key(|(id, peer)| (peer.relaying.paid, **id))?;
            let least = *least;
            let number = self.gate.hold(Held::Nothing).ok()?;
            self.peers.remove(&least);
            self.forget_timers(least);
            out.push(Effect::Write { number, writes: stored::delete(&least) });
        }
        Some(self.peers.entry(id).or_default())
    }

    fn forget_timers(&mut self, peer: NodeId) {
        for timer in [Timer::Terms, Timer::Due, Timer::Draw, Timer::Claim, Timer::Store, Timer::Grant] {
            self.deadlines.cancel((peer, timer));
        }
    }

    fn link_up(&mut self, cx: Cx, id: NodeId, link: Link, out: &mut impl Sink<Effect>) {
        let Some(peer) = self.account(id, out) else { return };
        let was_down = peer.link.replace(link).is_none();
        if was_down {
            peer.relaying.link_up();
            self.say_terms(cx, id, out);
            self.say_due(cx, id, out);
            self.grant(cx, id, out);
            self.claim_soon(cx, id);
        }
    }

    fn link_down(&mut self, id: NodeId) {
        self.forget_timers(id);
        if let Some(peer) = self.peers.get_mut(&id) {
            peer.link = None;
            self.pool.give_back(peer.relaying.link_down());
        }
    }

    fn durable(&mut self, cx: Cx, through: u64, out: &mut impl Sink<Effect>) {
        let mut durable = alloc::collections::VecDeque::new();
        self.gate.release(through, &mut durable);
        for held in durable {
            match held {
                Held::Nothing => {}
                Held::Offered(peer, number) => self.offered(cx, peer, number, out),
                Held::Agreed(peer, number) => self.agreed(cx, peer, number, out),
            }
        }
    }

    /// The disk of the channel was out of date, so what is stored here may be too: a window may be claimed already, a token
    /// released. Both sides of the account begin with terms of their own.
    fn out_of_date(&mut self, cx: Cx, id: NodeId, out: &mut impl Sink<Effect>) {
        let Some(peer) = self.peers.get_mut(&id) else { return };
        peer.paying.distrust();
        peer.relaying.distrust();
        self.offer(cx, id, out);
        self.say_due(cx, id, out);
        self.grant(cx, id, out);
    }
}

impl<V: Vrf> Machine for Lottery<V> {
    type Input = Input;
    type Effect = Effect;

    fn handle(&mut self, cx: Cx, input: Input, out: &mut impl Sink<Effect>) {
        match input {
            Input::Entropy(entropy) => self.entropy(cx, &entropy, out),
            Input::Durable(through) => self.durable(cx, through, out),
            Input::LinkUp { peer, key, path } => self.link_up(cx, peer, Link { key, path }, out),
            Input::LinkDown(peer) => self.link_down(peer),
            Input::Pay { peer, channel, vrf, typical } => self.pay(cx, peer, (channel, vrf, typical), out),
            Input::Charge { peer, channel, reference } => self.charge(cx, peer, channel, reference, out),
            Input::Counted { peer, total } => self.counted(cx, peer, total, out),
            Input::GrantAgain(peer) => self.grant_again(cx, peer, out),
            Input::TermsWanted(peer) => self.terms_wanted(cx, peer, out),
            Input::Terms { peer, offer, signature, before } => {
                self.terms_came(cx, peer, offer, &signature, &before, out);
            }
            Input::TermsRefused { peer, reason } => self.terms_refused(cx, peer, reason, out),
            Input::Due { peer, due, sent } => self.due_came(cx, peer, &due, sent, out),
            Input::Token { peer, token } => self.token_came(cx, peer, &token, out),
            Input::Claim { peer, claim } => self.claim_came(peer, claim, out),
            Input::Countersigned { peer, to } => self.countersigned(peer, to),
            Input::NotCountersigned(peer) => self.not_countersigned(peer),
            Input::Accepted(peer) => self.accepted(cx, peer, out),
            Input::Refused(peer) => self.refused(cx, peer, out),
            Input::PayerForgot(peer) => self.payer_forgot(cx, peer, out),
            Input::OutOfDate(peer) => self.out_of_date(cx, peer, out),
        }
    }

    fn handle_timeout(&mut self, cx: Cx, out: &mut impl Sink<Effect>) {
        while let Some((peer, timer)) = self.deadlines.pop_due(cx.now) {
            match timer {
                Timer::Terms => self.say_terms(cx, peer, out),
                Timer::Due => self.say_due(cx, peer, out),
                Timer::Draw => self.draw(cx, peer, out),
                Timer::Claim => self.claim_again(cx, peer, out),
                Timer::Store => self.store(peer, out),
                Timer::Grant => self.grant(cx, peer, out),
            }
        }
    }

    fn next_timeout(&self) -> Option<Instant> {
        self.deadlines.next()
    }
}

impl<V> MemoryBound for Lottery<V> {
    fn memory_bound(&self) -> usize {
        let neighbours = usize::from(self.policy.neighbours);
        // Nodes of a tree are half full at least.
        let peer = size_of::<(NodeId, Peer)>().saturating_mul(2).saturating_add(paying::HEAP);
        // Six timers each, in a tree and in a heap that doubles.
        let timers = size_of::<(NodeId, Timer, Instant)>().saturating_mul(6 * 8);
        let waiting = size_of::<(u64, Held)>().saturating_mul(2);
        let each = peer.saturating_add(timers).saturating_add(waiting);
        neighbours.saturating_add(8).saturating_mul(each).saturating_add(2_048)
    }
}

/// No token: what stands where nothing was released.
const NOTHING: Released = Released { window: 0, token: Token([0; 16]) };
