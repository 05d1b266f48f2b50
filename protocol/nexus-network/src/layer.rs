//! The network layer: its organs, and the wires between them.

mod congestion;
mod gossiping;
mod packets;
mod paying;
#[cfg(test)]
mod tests;
mod weights;
mod wiring;

use alloc::boxed::Box;
use alloc::collections::VecDeque;
use alloc::vec::Vec;

use nexus_crypto::{DestinationHash, IdentitySeed, NodeId, NodeIdentity, NodePublic, RatchetPublic};
use nexus_machine::{Cx, Duration, Instant, Machine, MemoryBound, Seed, Sink, Snapshot, Write, earliest};
use nexus_wire::nexus::gossip::{ItemId, StoreId};
use nexus_wire::nexus::message::MessageKind;
use nexus_wire::reticulum::Ifac;

use crate::access::AccessCodes;
use crate::announces::{self, Announces, AppData, Recipient, Routing, SearchMotive, Sighting};
use crate::broadcast::{self, Broadcast};
use crate::counted::Shared;
use crate::forwarding::{self, Forwarding, Hop};
use crate::gossip::{self, Gossip};
use crate::interface::{Endpoint, InterfaceId, Profile};
use crate::keys::{self, Keys};
use crate::links::{self, Down, LinkStatus, Links, Policy};
use crate::media::{self, Class, Frame, Media, Tier, Weight};
use crate::overheard::Ears;
use crate::routes::PathPolicy;
use crate::tally::Tally;
use crate::tap::{Opened, Tapping};
pub use packets::ORIGINATED_MAX;
pub use paying::Account;
use weights::Weights;

/// What the layer is told.
#[derive(Clone, Debug)]
pub enum Input {
    /// An interface came up.
    Up(InterfaceId, Profile),
    /// A Reticulum link across stock nodes is up, and carries frames of this node as an interface of its own: there is a link with the
    /// node at its other end until the interface goes down. Frames are in the form of [`carried`](crate::carried).
    Carry {
        /// As which interface.
        iface: InterfaceId,
        /// What it carries.
        profile: Profile,
        /// Who is at its other end.
        peer: NodePublic,
    },
    /// An interface went down.
    Down(InterfaceId),
    /// A frame arrived.
    Frame {
        /// Where.
        iface: InterfaceId,
        /// From which address, on media that have addresses.
        from: Option<Endpoint>,
        /// The frame.
        bytes: Vec<u8>,
    },
    /// The driver can take one more frame.
    TxReady(InterfaceId),
    /// Somebody is transmitting.
    ChannelBusy(InterfaceId),
    /// Nobody is transmitting.
    ChannelClear(InterfaceId),
    /// Announce, now.
    Announce,
    /// A ratchet is durable.
    Ratchet(RatchetPublic),
    /// A writer's writes are durable up to this number.
    Durable {
        /// Whose.
        by: Writer,
        /// Up to which, included.
        through: u64,
    },
    /// Keep a link with whoever answers at `to`: begin handshakes until there is one, and again when it is lost.
    Dial {
        /// On which interface.
        iface: InterfaceId,
        /// Where.
        to: Endpoint,
        /// Who must answer, if that is known.
        expected: Option<NodeId>,
    },
    /// Stop keeping it; a link that is up stays up.
    Undial {
        /// On which interface.
        iface: InterfaceId,
        /// Where.
        to: Endpoint,
    },
    /// With whom to link from here on; links with others go down.
    Policy(Policy),
    /// Ask so much for carrying packets out over the links of an interface from here on.
    Price {
        /// Which.
        iface: InterfaceId,
        /// In µNXS for 1,024 bytes.
        price: u64,
    },
    /// A neighbour's share of what interfaces carry is so many times that of one of which nothing was said, from here on.
    Weigh {
        /// Whose.
        node: NodeId,
        /// How many times.
        weight: Weight,
    },
    /// Link requests to this node's own destination are for whoever is on this interface in clear.
    Attend(InterfaceId),
    /// Frames on an interface in clear have these access codes from here on, until it goes down. To be said before it comes up.
    AccessCodes {
        /// Which.
        iface: InterfaceId,
        /// Its network's.
        codes: Shared<Ifac>,
    },
    /// What would be written within the next seconds is to be written: the process is about to end.
    Save,
    /// This node called whoever is on an interface in clear: say so. The interface is named the same each time.
    SayTunnel {
        /// Which.
        iface: InterfaceId,
        /// Its name.
        interface: [u8; 32],
    },
    /// The host knows whoever is at an interface in clear, and names them so.
    Recognised(InterfaceId, [u8; 32]),
    /// No path to a destination is held from here on, until somebody says one.
    Forget(DestinationHash),
    /// Fresh entropy.
    Entropy([u8; 32]),
    /// Wall and monotonic clocks parted: this machine may be running twice.
    ClocksParted,
    /// Send a packet of this node's own, as its originator writes it: without transport id, no hops. Answered by
    /// [`Effect::Originated`].
    Originate {
        /// Repeated in the answer.
        handle: u64,
        /// The packet.
        packet: Vec<u8>,
        /// By what its path is chosen.
        policy: PathPolicy,
        /// How urgent it is, here and at each relay.
        class: Class,
    },
    /// Look for a way to a destination. Answered by [`Effect::PathFound`] or [`Effect::PathNotFound`]; for a packet's sake alone
    /// perhaps not, if it was looked for of late.
    Find {
        /// Whose.
        destination: DestinationHash,
        /// Why.
        motive: SearchMotive,
    },
    /// Send this probe by the path that it is of. Answers [`Effect::Probe`].
    Probe {
        /// The effect's.
        number: u64,
        /// The packet, as its originator writes it.
        packet: Vec<u8>,
    },
    /// A probe was proved by whom it went to.
    Probed {
        /// Which.
        number: u64,
    },
    /// Send a proof of this node's own back along the way that the proved packet came; without one it is dropped.
    Prove {
        /// The packet.
        packet: Vec<u8>,
        /// How urgent it is.
        class: Class,
    },
    /// What the economy says of neighbours, and to them.
    Account(Account),
    /// What a store above this layer says to gossip.
    Store(gossip::Input),
    /// A node's key is needed: answered by [`Effect::Key`], once it is known.
    FindKey(NodeId),
    /// Ask neighbours for an item that is needed by name.
    Want {
        /// Of which store.
        store: StoreId,
        /// Which.
        id: ItemId,
    },
}

/// What leaves the layer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Hand this frame to the driver.
    Transmit(Frame),
    /// Ask the driver whether the channel is free.
    Sense(InterfaceId),
    /// A frame waited for the channel in vain.
    Jammed(InterfaceId),
    /// Make this write durable, then say [`Input::Durable`] with the number.
    Write {
        /// Whose it is.
        by: Writer,
        /// The number.
        number: u64,
        /// The write.
        write: Write,
    },
    /// An announce of another was verified.
    Reached(Sighting),
    /// This node's own announce left.
    Announced {
        /// Its emission time.
        emitted_at: u64,
    },
    /// Seal a probe, and say [`Input::Probe`]; should the node prove that it came, [`Input::Probed`].
    Probe {
        /// Names the probe.
        number: u64,
        /// Whom.
        node: NodeId,
        /// What is known of it.
        recipient: Box<Recipient>,
    },
    /// There is a way to a destination that was looked for.
    PathFound {
        /// Whose.
        destination: DestinationHash,
        /// How long the way is.
        hops: u8,
        /// How long the search took.
        after: Duration,
    },
    /// A destination was looked for in vain.
    PathNotFound {
        /// Whose.
        destination: DestinationHash,
    },
    /// A link came up.
    LinkUp(Box<LinkStatus>),
    /// A link is no more.
    LinkDown {
        /// As it last stood.
        last: Box<LinkStatus>,
        /// Why.
        why: Down,
    },
    /// A packet arrived for this node: as its originator wrote it, but for the hops.
    Arrived {
        /// The packet.
        packet: Vec<u8>,
        /// How urgent it was on its way here: what answers it is as urgent.
        class: Class,
        /// Over whose link it came; none if it came in clear.
        from: Option<NodeId>,
    },
    /// What gossip wants of a store above this layer.
    Store(gossip::Effect),
    /// A node's key became known, or was asked for.
    Key(Box<NodePublic>),
    /// A neighbour speaks of money.
    OfMoney {
        /// Who.
        from: NodeId,
        /// A message of which kind.
        kind: MessageKind,
        /// Its body.
        body: Vec<u8>,
    },
    /// What a neighbour sent came to its mark.
    Counted {
        /// Who.
        node: NodeId,
        /// To what, in grains since the process began.
        total: u64,
    },
    /// A neighbour sends what it cannot pay for, and has little left of what is carried for nothing.
    ChannelWanted(NodeId),
    /// Fresh entropy: keys were made since the last, or are about to be.
    EntropyWanted,
    /// What became of [`Input::Originate`].
    Originated {
        /// The input's.
        handle: u64,
        /// Whether it left, and towards whom; not that it arrived.
        outcome: Originated,
    },
}

/// Which organ of this layer writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Writer {
    /// The announces.
    Announces,
    /// The way out: what was transmitted where that is limited.
    Media,
    /// The packets that pass: circuits that stand.
    Forwarding,
}

/// What became of a packet of this node's own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Originated {
    /// It waits for its medium, on its way by this step.
    Left(Hop),
    /// Nothing is known of a way to its destination.
    NoPath,
    /// It is longer than a packet may be, or is no packet.
    Malformed,
}

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

/// What organs of this layer say. It is moved several times for each packet: what is large and rare is boxed in it.
#[derive(Debug)]
enum Nerve {
    Media(media::Effect),
    Links(links::Effect),
    Broadcast(broadcast::Effect),
    Announces(announces::Effect),
    Gossip(gossip::Effect),
    Keys(keys::Effect),
    /// What already leaves the layer, in its order among the rest.
    Out(Effect),
}

impl From<links::Effect> for Nerve {
    fn from(effect: links::Effect) -> Self {
        Self::Links(effect)
    }
}

impl From<broadcast::Effect> for Nerve {
    fn from(effect: broadcast::Effect) -> Self {
        Self::Broadcast(effect)
    }
}

impl From<media::Effect> for Nerve {
    fn from(effect: media::Effect) -> Self {
        Self::Media(effect)
    }
}

impl From<announces::Effect> for Nerve {
    fn from(effect: announces::Effect) -> Self {
        Self::Announces(effect)
    }
}

impl From<gossip::Effect> for Nerve {
    fn from(effect: gossip::Effect) -> Self {
        Self::Gossip(effect)
    }
}

impl From<keys::Effect> for Nerve {
    fn from(effect: keys::Effect) -> Self {
        Self::Keys(effect)
    }
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
        self.ears.up(iface, &profile);
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
