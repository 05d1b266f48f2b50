//! The store of identity keys: who is behind a NodeId, for whoever is to verify what a node signed.
//!
//! An item is an Ed25519 public key. It certifies itself: the NodeId follows from the key, and a key that keeps the identity rules is
//! as good as any other, whoever says it. So nothing has to be believed; what has to be bounded is how many are kept.
//!
//! Invariants:
//!
//! * a key is held only if it keeps the rules of identities;
//! * this node's own key and its linked neighbours' are never let go;
//! * at the bound the neighbour that brought most gives way, of its keys the one that nobody named for longest: who floods displaces
//!   its own.
//!
//! Spec: spec/network.md#keys.

#[cfg(test)]
mod tests;

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use nexus_crypto::hash::blake3;
use nexus_crypto::{DomainTag, NodeId, NodePublic, VerifyingKey};
use nexus_machine::{Cx, Instant, Machine, MemoryBound, Sink};
use nexus_wire::nexus::gossip::ItemId;

use crate::gossip::Extent;
use crate::links::LinkId;

/// What the store is told.
#[derive(Clone, Debug)]
pub enum Input {
    /// A link came up: its peer's key was proved in the handshake.
    Linked {
        /// Which.
        link: LinkId,
        /// Who the peer is.
        peer: NodePublic,
    },
    /// A link is no more.
    Unlinked(LinkId),
    /// This node was spoken of: its key is in use.
    Named(NodeId),
    /// Judge a neighbour's items.
    Apply {
        /// The neighbour.
        from: LinkId,
        /// The items.
        items: Vec<Vec<u8>>,
    },
    /// A neighbour asks for the keys of nodes: see [`question`].
    Asked {
        /// Which neighbour.
        by: LinkId,
        /// What.
        ids: Vec<ItemId>,
    },
    /// Hand out items.
    Fetch {
        /// For which neighbour.
        to: LinkId,
        /// Which.
        ids: Vec<ItemId>,
    },
}

/// What the store wants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// A key is held that was not before.
    Published(ItemId),
    /// Whose it is.
    Learnt(NodePublic),
    /// The keys that a neighbour asked for.
    Answered {
        /// Which neighbour.
        to: LinkId,
        /// Their names.
        ids: Vec<ItemId>,
    },
    /// A key is let go.
    Retired(ItemId),
    /// How much is held of what came.
    Holds(Extent),
    /// What was fetched.
    Bodies {
        /// For which neighbour.
        to: LinkId,
        /// The items.
        bodies: Vec<Vec<u8>>,
    },
    /// What was found of a neighbour's items.
    Judged {
        /// The neighbour.
        from: LinkId,
        /// Those that are held.
        held: Vec<ItemId>,
        /// How many were bad.
        bad: usize,
    },
}

/// How much the store may hold.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Keys, at most; this node's own and its neighbours' are kept in any case.
    pub keys: usize,
    /// Links whose peers are kept in any case; there are no more than the layer makes.
    pub links: usize,
}

impl Default for Limits {
    /// For a host.
    fn default() -> Self {
        Self { keys: 4_096, links: 1_024 }
    }
}

/// What came of the keys that neighbours said. Counted from the start of the node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Counts {
    /// Keys that were not known before.
    pub learnt: u64,
    /// Keys that were.
    pub known: u64,
    /// Items that are no key, or one that breaks the rules.
    pub bad: u64,
    /// Keys for which there was no room that could be made.
    pub crowded: u64,
    /// Keys that made room for others.
    pub evicted: u64,
}

/// The length of an item, in bytes.
pub const ITEM_LEN: u16 = 32;

/// The name of a key among the items of its store. Source: spec/network.md#keys.
#[must_use]
pub fn id_of(key: &VerifyingKey) -> ItemId {
    ItemId(blake3(&[DomainTag::KEY.as_bytes(), &key.0]))
}

/// The name by which a node's key is asked for, since the key's own follows from the key: the NodeId, then zeroes.
/// Source: spec/network.md#questions.
#[must_use]
pub fn question(node: &NodeId) -> ItemId {
    let mut id = [0; 32];
    id.iter_mut().zip(node.0).for_each(|(to, from)| *to = from);
    ItemId(id)
}

/// The store.
#[derive(Debug)]
pub struct Keys {
    own: NodePublic,
    /// Whether this node's own key was published: it is, with the first link.
    shown: Shown,
    held: BTreeMap<NodeId, Held>,
    by_id: BTreeMap<ItemId, NodeId>,
    /// Whom a neighbour brought, by when they were named last.
    brought: BTreeMap<NodeId, BTreeMap<u64, NodeId>>,
    peers: BTreeMap<LinkId, NodeId>,
    uses: u64,
    extent: Extent,
    counts: Counts,
    limits: Limits,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shown {
    Yes,
    No,
}

/// A key that is held.
#[derive(Clone, Copy, Debug)]
struct Held {
    public: NodePublic,
    id: ItemId,
    /// The neighbour that brought it; itself, if it was linked.
    by: NodeId,
    used: u64,
}

impl Keys {
    /// The store with this node's own key.
    #[must_use]
    pub fn new(own: NodePublic, limits: Limits) -> Self {
        Self {
            own,
            shown: Shown::No,
            held: BTreeMap::new(),
            by_id: BTreeMap::new(),
            brought: BTreeMap::new(),
            peers: BTreeMap::new(),
            uses: 0,
            extent: Extent::Whole,
            counts: Counts::default(),
            limits,
        }
    }

    /// The identity behind a NodeId, if its key is held.
    #[must_use]
    pub fn get(&self, node: &NodeId) -> Option<&NodePublic> {
        if *node == self.own.node_id() {
            return Some(&self.own);
        }
        self.held.get(node).map(|held| &held.public)
    }

    /// How many keys are held.
    #[must_use]
    pub fn len(&self) -> usize {
        self.held.len()
    }

    /// Whether none is.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.held.is_empty()
    }

    /// What came of the keys that neighbours said.
    #[must_use]
    pub const fn counts(&self) -> &Counts {
        &self.counts
    }

    fn linked(&mut self, link: LinkId, peer: NodePublic, out: &mut impl Sink<Effect>) {
        if self.shown == Shown::No {
            self.shown = Shown::Yes;
            self.hold(self.own, id_of(&self.own.verifying()), self.own.node_id(), out);
        }
        if self.peers.len() < self.limits.links {
            self.peers.insert(link, peer.node_id());
        }
        if !self.held.contains_key(&peer.node_id()) {
            self.hold(peer, id_of(&peer.verifying()), peer.node_id(), out);
        }
    }

    fn apply(&mut self, from: LinkId, items: &[Vec<u8>], out: &mut impl Sink<Effect>) {
        let Some(by) = self.peers.get(&from).copied() else { return };
        let (mut held, mut bad) = (Vec::new(), 0_usize);
        for item in items {
            match self.judge(item) {
                Verdict::Known(id) => {
                    self.counts.known = self.counts.known.saturating_add(1);
                    held.push(id);
                }
                Verdict::Bad => {
                    self.counts.bad = self.counts.bad.saturating_add(1);
                    bad = bad.saturating_add(1);
                }
                Verdict::Good(public, id) => {
                    if self.make_room(out) {
                        self.hold(public, id, by, out);
                        self.counts.learnt = self.counts.learnt.saturating_add(1);
                        held.push(id);
                    } else {
                        self.counts.crowded = self.counts.crowded.saturating_add(1);
                    }
                }
            }
        }
        out.push(Effect::Judged { from, held, bad });
    }

    /// What is known costs a hash; only what is not is checked as a point.
    fn judge(&self, item: &[u8]) -> Verdict {
        let Ok(bytes) = <[u8; 32]>::try_from(item) else { return Verdict::Bad };
        let key = VerifyingKey(bytes);
        let id = id_of(&key);
        if self.by_id.contains_key(&id) {
            return Verdict::Known(id);
        }
        NodePublic::of_verifying(key).map_or(Verdict::Bad, |public| Verdict::Good(public, id))
    }

    fn hold(&mut self, public: NodePublic, id: ItemId, by: NodeId, out: &mut impl Sink<Effect>) {
        let (node, used) = (public.node_id(), self.uses);
        self.uses = self.uses.saturating_add(1);
        self.held.insert(node, Held { public, id, by, used });
        self.by_id.insert(id, node);
        self.brought.entry(by).or_default().insert(used, node);
        out.push(Effect::Published(id));
        out.push(Effect::Learnt(public));
        self.tell_extent(out);
    }

    fn asked(&self, by: LinkId, ids: &[ItemId], out: &mut impl Sink<Effect>) {
        let held = |ItemId(id): &ItemId| {
            let (node, _) = id.split_first_chunk()?;
            let node = NodeId(*node);
            self.held.get(&node).filter(|_| question(&node).0 == *id).map(|held| held.id)
        };
        let ids: Vec<ItemId> = ids.iter().filter_map(held).collect();
        if !ids.is_empty() {
            out.push(Effect::Answered { to: by, ids });
        }
    }

    /// Whether there is room for one more key: if not, one that is not kept in any case is let go.
    fn make_room(&mut self, out: &mut impl Sink<Effect>) -> bool {
        if self.held.len() < self.limits.keys {
            return true;
        }
        let mut by_number: Vec<(usize, NodeId)> =
            self.brought.iter().map(|(by, keys)| (keys.len(), *by)).collect();
        by_number.sort_unstable_by(|one, other| other.cmp(one));
        let victim = by_number.into_iter().find_map(|(_, by)| {
            let keys = self.brought.get(&by)?;
            keys.values().copied().find(|node| !self.is_kept(node))
        });
        let Some(victim) = victim else { return false };
        self.let_go(&victim, out);
        true
    }

    fn is_kept(&self, node: &NodeId) -> bool {
        *node == self.own.node_id() || self.peers.values().any(|peer| peer == node)
    }

    fn let_go(&mut self, node: &NodeId, out: &mut impl Sink<Effect>) {
        let Some(held) = self.held.remove(node) else { return };
        self.by_id.remove(&held.id);
        self.forget_use(&held);
        self.counts.evicted = self.counts.evicted.saturating_add(1);
        out.push(Effect::Retired(held.id));
    }

    fn forget_use(&mut self, held: &Held) {
        if let Some(keys) = self.brought.get_mut(&held.by) {
            keys.remove(&held.used);
            if keys.is_empty() {
                self.brought.remove(&held.by);
            }
        }
    }

    fn named(&mut self, node: &NodeId) {
        let Some(held) = self.held.get(node).copied() else { return };
        self.forget_use(&held);
        let used = self.uses;
        self.uses = self.uses.saturating_add(1);
        self.brought.entry(held.by).or_default().insert(used, *node);
        if let Some(entry) = self.held.get_mut(node) {
            entry.used = used;
        }
    }

    /// A store that is full may have let something go: its state says nothing.
    fn tell_extent(&mut self, out: &mut impl Sink<Effect>) {
        let extent = if self.held.len() < self.limits.keys { Extent::Whole } else { Extent::Part };
        if extent != self.extent {
            self.extent = extent;
            out.push(Effect::Holds(extent));
        }
    }

    fn fetch(&self, to: LinkId, ids: &[ItemId], out: &mut impl Sink<Effect>) {
        let held = ids.iter().filter_map(|id| self.held.get(self.by_id.get(id)?));
        let bodies = held.map(|held| held.public.verifying().0.to_vec()).collect();
        out.push(Effect::Bodies { to, bodies });
    }
}

/// What an item is.
enum Verdict {
    Known(ItemId),
    Good(NodePublic, ItemId),
    Bad,
}

impl Machine for Keys {
    type Input = Input;
    type Effect = Effect;

    fn handle(&mut self, _cx: Cx, input: Input, out: &mut impl Sink<Effect>) {
        match input {
            Input::Linked { link, peer } => self.linked(link, peer, out),
            Input::Unlinked(link) => drop(self.peers.remove(&link)),
            Input::Named(node) => self.named(&node),
            Input::Apply { from, items } => self.apply(from, &items, out),
            Input::Asked { by, ids } => self.asked(by, &ids, out),
            Input::Fetch { to, ids } => self.fetch(to, &ids, out),
        }
    }

    fn handle_timeout(&mut self, _cx: Cx, _out: &mut impl Sink<Effect>) {}

    fn next_timeout(&self) -> Option<Instant> {
        None
    }
}

impl MemoryBound for Keys {
    fn memory_bound(&self) -> usize {
        // Nodes of ordered maps may be half empty, and one that brought a single key has a map of its own.
        const PER_KEY: usize = 5
            * (size_of::<(NodeId, Held)>()
                + size_of::<(ItemId, NodeId)>()
                + size_of::<(NodeId, BTreeMap<u64, NodeId>)>())
            + 24 * size_of::<(u64, NodeId)>();
        const PER_LINK: usize = 4 * size_of::<(LinkId, NodeId)>();
        let Limits { keys, links } = self.limits;
        // Neighbours' keys are held beyond the bound.
        let held = keys.saturating_add(links).saturating_add(1);
        held.saturating_mul(PER_KEY).saturating_add(links.saturating_mul(PER_LINK)).saturating_add(8_192)
    }
}
