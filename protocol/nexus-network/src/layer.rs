//! The network layer: its organs, and the wires between them.

mod congestion;
mod contract;
mod gossiping;
mod nerve;
mod packets;
mod paying;
#[cfg(test)]
mod tests;
mod weights;
mod wiring;

use alloc::collections::VecDeque;

use nexus_crypto::{DestinationHash, IdentitySeed, NodeIdentity};
use nexus_machine::{Cx, Instant, Machine, MemoryBound, Seed, Sink, Snapshot, earliest};
use nexus_wire::nexus::gossip::StoreId;

use crate::access::AccessCodes;
use crate::announces::{self, Announces, AppData, Routing};
use crate::broadcast::{self, Broadcast};
use crate::forwarding::{self, Forwarding};
use crate::gossip::{self, Gossip};
use crate::interface::{InterfaceId, Profile};
use crate::keys::{self, Keys};
use crate::links::{self, Links, Policy};
use crate::media::{self, Media, Tier};
use crate::overheard::Ears;
use crate::tally::Tally;
use crate::tap::{Opened, Tapping};
pub use contract::{Effect, Input, Originated, Writer};
use nerve::Nerve;
pub use packets::ORIGINATED_MAX;
pub use paying::Account;
use weights::Weights;

/// How much the layer's organs may hold.
#[derive(Clone, Copy, Debug, Default)]
pub struct Limits {
    /// The way out.
    pub media: media::Limits,
    /// The neighbours.
    pub links: links::Limits,
    /// What is said to all neighbours at once.
    pub broadcast: broadcast::Limits,
    /// The announces.
    pub announces: announces::Limits,
    /// The packets that pass.
    pub forwarding: forwarding::Limits,
    /// What neighbours bring together.
    pub gossip: gossip::Limits,
    /// The identity keys that are kept.
    pub keys: keys::Limits,
}

/// The layer: organs, and beside them the queue of what they say to each other.
#[derive(Debug)]
pub struct Network {
    organs: Organs,
    nerves: VecDeque<Nerve>,
}

#[derive(Debug)]
struct Organs {
    media: Media,
    links: Links,
    broadcast: Broadcast,
    announces: Announces,
    forwarding: Forwarding,
    gossip: Gossip,
    keys: Keys,
    access: AccessCodes,
    weights: Weights,
    tally: Tally,
    ears: Ears,
}

/// How many signals the queue keeps room for between calls: what a burst needed beyond that is given back.
const RESTING_NERVES: usize = 32;

/// What neighbours bring together.
const STORES: [(StoreId, Tier); 1] = [(StoreId::KEYS, Tier::Payment)];

/// More nerve signals than this from one input is a loop in the wiring, which is a bug.
const SETTLE_BOUND: usize = 100_000;

impl Network {
    /// The layer, resuming from what was durable.
    #[must_use]
    pub fn new(
        identity: &IdentitySeed,
        app_data: AppData,
        limits: Limits,
        snapshot: &Snapshot,
        seed: &Seed,
    ) -> Self {
        // Each organ that uses the identity keeps its own: none borrows from another.
        let identity = || NodeIdentity::from_seed(IdentitySeed::from_bytes(*identity.expose()));
        let own = identity().public().hash();
        let organs = Organs {
            media: Media::new(limits.media, snapshot, seed),
            links: Links::new(identity(), Policy::Anyone, limits.links, seed),
            broadcast: Broadcast::new(identity(), limits.broadcast, seed),
            announces: Announces::new(identity(), app_data, limits.announces, snapshot, seed),
            forwarding: Forwarding::new(own, limits.forwarding, snapshot, seed),
            gossip: Gossip::new(&STORES, limits.gossip, seed),
            keys: Keys::new(*identity().public(), limits.keys),
            access: AccessCodes::default(),
            weights: Weights::default(),
            tally: Tally::new(limits.links.links),
            ears: Ears::default(),
        };
        Self { organs, nerves: VecDeque::new() }
    }

    /// A view of the way out.
    #[must_use]
    pub const fn media(&self) -> &Media {
        &self.organs.media
    }

    /// A view of the neighbours.
    #[must_use]
    pub const fn links(&self) -> &Links {
        &self.organs.links
    }

    /// A view of what is said to all neighbours at once.
    #[must_use]
    pub const fn broadcast(&self) -> &Broadcast {
        &self.organs.broadcast
    }

    /// A view of access codes, and of what was not taken for them.
    #[must_use]
    pub const fn access(&self) -> &AccessCodes {
        &self.organs.access
    }

    /// A view of what became of packets.
    #[must_use]
    pub const fn forwarding(&self) -> &Forwarding {
        &self.organs.forwarding
    }

    /// A view of what is brought together with neighbours.
    #[must_use]
    pub const fn gossip(&self) -> &Gossip {
        &self.organs.gossip
    }

    /// A view of the identity keys that are known.
    #[must_use]
    pub const fn keys(&self) -> &Keys {
        &self.organs.keys
    }

    /// A view of what neighbours owe for packets, and what they are owed.
    #[must_use]
    pub const fn tally(&self) -> &Tally {
        &self.organs.tally
    }

    /// A view of who is known.
    #[must_use]
    pub const fn announces(&self) -> &Announces {
        &self.organs.announces
    }

    /// A view of paths as they stand at `now`.
    #[must_use]
    pub const fn routing(&self, now: Instant) -> Routing<'_> {
        Routing::new(&self.organs.announces, now)
    }

    /// Takes a destination to which the chosen way is, or may be, another than when it was taken last: for hosts that tell of it.
    pub fn take_rerouted(&mut self) -> Option<DestinationHash> {
        self.organs.announces.take_rerouted()
    }

    /// Opens or shuts the tap on what links and broadcasts carry. It is shut at first.
    pub fn turn_tap(&mut self, tapping: Tapping) {
        self.organs.links.tap.turn(tapping);
        self.organs.broadcast.tap.turn(tapping);
    }

    /// What the tap shows and nobody took yet: broadcasts first, each kind in its order. To be called after each input until there
    /// is none, where the tap is open.
    pub fn take_opened(&mut self) -> Option<Opened> {
        self.organs.broadcast.tap.take().or_else(|| self.organs.links.tap.take())
    }

    /// How much the tap showed that was pushed out before anybody took it.
    #[must_use]
    pub const fn missed_by_tap(&self) -> u64 {
        self.organs.links.tap.missed().saturating_add(self.organs.broadcast.tap.missed())
    }

    fn settle(&mut self, cx: Cx, out: &mut impl Sink<Effect>) {
        for _ in 0..SETTLE_BOUND {
            let Some(nerve) = self.nerves.pop_front() else {
                if self.nerves.capacity() > RESTING_NERVES {
                    self.nerves.shrink_to(RESTING_NERVES);
                }
                return;
            };
            self.organs.wire(cx, nerve, &mut self.nerves, out);
        }
        unreachable!("the wiring of the network layer does not loop");
    }
}

impl Organs {
    /// An interface came up: that is another thing to links if a Reticulum link is the medium.
    fn up(
        &mut self,
        cx: Cx,
        iface: InterfaceId,
        profile: Profile,
        to_links: links::Input,
        nerves: &mut VecDeque<Nerve>,
    ) {
        self.media.handle(cx, media::Input::Up(iface, profile), nerves);
        self.links.handle(cx, to_links, nerves);
        self.broadcast.handle(cx, broadcast::Input::Up(iface, profile), nerves);
        self.announces.handle(cx, announces::Input::Up(iface, profile), nerves);
        self.gossip.handle(cx, gossip::Input::Up(iface, profile), nerves);
        self.forwarding.up(iface, &profile);
        self.ears.up(cx.now, iface, &profile);
    }

    fn down(&mut self, cx: Cx, iface: InterfaceId, nerves: &mut VecDeque<Nerve>) {
        self.media.handle(cx, media::Input::Down(iface), nerves);
        self.links.handle(cx, links::Input::Down(iface), nerves);
        self.broadcast.handle(cx, broadcast::Input::Down(iface), nerves);
        self.announces.handle(cx, announces::Input::Down(iface), nerves);
        self.gossip.handle(cx, gossip::Input::Down(iface), nerves);
        self.forwarding.down(iface);
        self.access.down(iface);
        self.ears.down(iface);
    }
}

impl Machine for Network {
    type Input = Input;
    type Effect = Effect;

    fn handle(&mut self, cx: Cx, input: Input, out: &mut impl Sink<Effect>) {
        use announces::Input as A;
        use broadcast::Input as B;
        use gossip::Input as G;
        use links::Input as L;
        use media::Input as M;
        let (organs, nerves) = (&mut self.organs, &mut self.nerves);
        match input {
            Input::Up(iface, profile) => organs.up(cx, iface, profile, L::Up(iface, profile), nerves),
            Input::Carry { iface, profile, peer } => {
                organs.up(cx, iface, profile, L::Carry { iface, profile, peer }, nerves);
                organs.announces.handle(cx, A::Crosses(iface), nerves);
            }
            Input::Down(iface) => organs.down(cx, iface, nerves),
            Input::Frame { iface, from, bytes } => {
                organs.media.handle(cx, M::Heard(iface), nerves);
                organs.heard(cx, iface, from, bytes, nerves);
            }
            Input::TxReady(iface) => organs.media.handle(cx, M::TxReady(iface), nerves),
            Input::ChannelBusy(iface) => organs.media.handle(cx, M::ChannelBusy(iface), nerves),
            Input::ChannelClear(iface) => organs.media.handle(cx, M::ChannelClear(iface), nerves),
            Input::Announce => organs.announces.handle(cx, A::Announce, nerves),
            Input::Save => organs.save(cx, nerves),
            Input::SayTunnel { iface, interface } => {
                organs.announces.handle(cx, A::SayTunnel { iface, interface }, nerves);
            }
            Input::Recognised(iface, peer) => organs.announces.handle(cx, A::Recognised(iface, peer), nerves),
            Input::Ratchet(ratchet) => organs.announces.handle(cx, A::Ratchet(ratchet), nerves),
            Input::Durable { by: Writer::Announces, through } => {
                organs.announces.handle(cx, A::Durable(through), nerves);
            }
            Input::Durable { by: Writer::Media, through } => {
                organs.media.handle(cx, M::Durable(through), nerves);
            }
            Input::Durable { by: Writer::Forwarding, through } => organs.forwarding.durable(through),
            Input::Dial { iface, to, expected } => {
                organs.links.handle(cx, L::Dial { iface, to, expected }, nerves);
            }
            Input::Undial { iface, to } => organs.links.handle(cx, L::Undial { iface, to }, nerves),
            Input::Policy(policy) => organs.links.handle(cx, L::Policy(policy), nerves),
            Input::Price { iface, price } => organs.links.handle(cx, L::Price { iface, price }, nerves),
            Input::Weigh { node, weight } => organs.weigh(cx, node, weight, nerves),
            Input::Attend(iface) => organs.forwarding.attend(iface),
            Input::AccessCodes { iface, codes } => organs.access.set(iface, codes),
            Input::Entropy(entropy) => {
                organs.links.handle(cx, L::Entropy(entropy), nerves);
                organs.broadcast.handle(cx, B::Entropy(entropy), nerves);
            }
            Input::ClocksParted => {
                organs.links.handle(cx, L::ClocksParted, nerves);
                organs.broadcast.handle(cx, B::ClocksParted, nerves);
            }
            Input::Originate { handle, packet, policy, class } => {
                organs.originate(cx, handle, &packet, (policy, class), nerves);
            }
            Input::Find { destination, motive } => {
                organs.announces.handle(cx, A::Find { destination, motive }, nerves);
            }
            Input::Forget(destination) => organs.announces.handle(cx, A::Forget(destination), nerves),
            Input::Probe { number, packet } => organs.probe(cx, number, &packet, nerves),
            Input::Probed { number } => organs.announces.handle(cx, A::Probed { number }, nerves),
            Input::Prove { packet, class } => organs.prove(cx, &packet, class, nerves),
            Input::Account(account) => organs.reckon(cx, account, nerves),
            Input::Store(said) => organs.gossip.handle(cx, said, nerves),
            Input::FindKey(node) => organs.find_key(cx, &node, nerves),
            Input::Want { store, id } => organs.gossip.handle(cx, G::Want { store, id }, nerves),
        }
        self.settle(cx, out);
    }

    fn handle_timeout(&mut self, cx: Cx, out: &mut impl Sink<Effect>) {
        self.organs.media.handle_timeout(cx, &mut self.nerves);
        self.organs.links.handle_timeout(cx, &mut self.nerves);
        self.organs.broadcast.handle_timeout(cx, &mut self.nerves);
        self.organs.announces.handle_timeout(cx, &mut self.nerves);
        self.organs.gossip.handle_timeout(cx, &mut self.nerves);
        self.organs.end_circuits(cx, &mut self.nerves);
        self.settle(cx, out);
    }

    fn next_timeout(&self) -> Option<Instant> {
        let Organs { media, links, broadcast, announces, gossip, forwarding, .. } = &self.organs;
        let [media, links, forwarding] =
            [media.next_timeout(), links.next_timeout(), forwarding.next_timeout()];
        let [broadcast, announces] = [broadcast.next_timeout(), announces.next_timeout()];
        earliest([media, links, broadcast, announces, gossip.next_timeout(), forwarding])
    }
}

impl MemoryBound for Network {
    fn memory_bound(&self) -> usize {
        let Organs {
            media,
            links,
            broadcast,
            announces,
            forwarding,
            gossip,
            keys,
            access: _,
            weights: _,
            tally,
            ears: _,
        } = &self.organs;
        RESTING_NERVES
            .saturating_mul(size_of::<Nerve>())
            .saturating_add(media.memory_bound())
            .saturating_add(links.memory_bound())
            .saturating_add(broadcast.memory_bound())
            .saturating_add(announces.memory_bound())
            .saturating_add(forwarding.memory_bound())
            .saturating_add(gossip.memory_bound())
            .saturating_add(keys.memory_bound())
            .saturating_add(tally.memory_bound())
            .saturating_add(AccessCodes::MEMORY_BOUND)
            .saturating_add(Weights::MEMORY_BOUND)
            .saturating_add(Ears::MEMORY_BOUND)
    }
}
