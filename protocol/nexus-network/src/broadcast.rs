//! The organ that speaks to all neighbours on a shared medium at once, and hears what they say so.
//!
//! A node seals its broadcasts under a key of its own, one for each interface, which it gave to its linked neighbours. Every
//! holder of that key could seal under it too, so each broadcast ends with its sender's signature.
//!
//! Invariants:
//!
//! * a broadcast that is not signed by the neighbour who gave its key changes nothing, and is never answered;
//! * no counter seals two frames under a key, and no frame is accepted twice;
//! * a neighbour counts as a hearer only after it acknowledged the key in use: everybody else is told over its link;
//! * keys live in memory only: those of others no longer than the link that gave them, this node's no longer than twice
//!   the interval after which links are rekeyed.
//!
//! Spec: spec/network.md#broadcast.

mod giving;
mod hearing;
mod held;
mod own;
pub mod refusals;
#[cfg(test)]
mod tests;

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use nexus_crypto::{DestinationHash, NodeIdentity, NodePublic};
use nexus_machine::{Bucket, Cx, Deadlines, Duration, Instant, Machine, MemoryBound, Seed, Sink, Stream};
use nexus_wire::nexus::cost::CostRecord;
use nexus_wire::nexus::frame::{BeaconTag, BroadcastKeyId};
use nexus_wire::nexus::path_cost::CompactPathCost;

use crate::interface::{InterfaceId, Mode, Profile, Reach};
use crate::links::{LinkId, Traffic};
use crate::media::Frame;
use crate::tap::Tap;

pub use giving::{GivenKey, Plaintext};
use held::Keyring;
pub(crate) use own::SIGNATURE_LEN;
use own::{Channel, OwnKey};
pub use refusals::Refusals;

/// What the organ is told.
#[derive(Clone, Debug)]
pub enum Input {
    /// An interface came up.
    Up(InterfaceId, Profile),
    /// An interface went down.
    Down(InterfaceId),
    /// A link came up.
    LinkUp {
        /// Which.
        link: LinkId,
        /// Where it runs.
        iface: InterfaceId,
        /// Who the peer is.
        peer: NodePublic,
        /// The longest frame that both sides take, in bytes.
        max_frame: usize,
    },
    /// A link is no more.
    LinkDown {
        /// Which.
        link: LinkId,
        /// Whether the peer may go on hearing.
        departure: Departure,
    },
    /// A peer gave its key over a link.
    Given {
        /// Over which.
        link: LinkId,
        /// The key.
        key: GivenKey,
    },
    /// A peer acknowledged a key of this node's.
    Acknowledged {
        /// Over which link.
        link: LinkId,
        /// Which key.
        key_id: BroadcastKeyId,
    },
    /// A peer's beacon was heard: it and this node hear each other without addresses.
    Beaconed(LinkId),
    /// Say this to all hearers on an interface.
    Say {
        /// Where.
        iface: InterfaceId,
        /// The destination that it is about, if it is about one.
        about: Option<DestinationHash>,
        /// One message without a length, behind room for the frame's header.
        message: Vec<u8>,
    },
    /// A broadcast frame arrived.
    Frame {
        /// Where.
        iface: InterfaceId,
        /// The frame.
        bytes: Vec<u8>,
    },
    /// Fresh entropy.
    Entropy([u8; 32]),
    /// Wall and monotonic clocks parted: this machine may be running twice.
    ClocksParted,
}

/// How a link ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Departure {
    /// The peer went away, or another link took its place.
    Left,
    /// The policy does not want it any more: it must not hear what is said from here on.
    Expelled,
}

/// What the organ wants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Say this over a link.
    Tell {
        /// Which.
        link: LinkId,
        /// Messages, behind room for the frame's header.
        plaintext: Plaintext,
    },
    /// Send this frame; it comes back to [`Broadcast::seal`] as it leaves.
    Send(Frame),
    /// What this node calls itself in its beacons on an interface from here on.
    Retag(InterfaceId, BeaconTag),
    /// What a peer calls itself in its beacons.
    Tagged {
        /// By which link it said so.
        link: LinkId,
        /// The tag.
        tag: BeaconTag,
    },
    /// The peer of this link hears this node's broadcasts from here on.
    Hears(LinkId),
    /// It does not hear them any more.
    Deaf(LinkId),
    /// The peer of this link was heard by broadcast.
    Heard(LinkId),
    /// A peer announced something by broadcast.
    Announced {
        /// The peer, by its link.
        link: LinkId,
        /// The cost that it said.
        cost: CompactPathCost,
        /// The packet as links carry it: its transport id left out.
        packet: Vec<u8>,
    },
    /// A peer said by broadcast what paths cost.
    Costs {
        /// The peer, by its link.
        link: LinkId,
        /// What it said.
        records: Vec<CostRecord>,
    },
    /// Fresh entropy: a key was made since the last.
    EntropyWanted,
}

/// How much the organ may hold.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Links whose peers are given keys and give theirs; further ones are told over their links only.
    pub links: usize,
    /// Interfaces; on further ones nothing is broadcast.
    pub interfaces: usize,
}

impl Default for Limits {
    /// For a host.
    fn default() -> Self {
        Self { links: 256, interfaces: 16 }
    }
}

/// What can be seen of an interface on which broadcasts are made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct ChannelStatus {
    /// Linked neighbours that hear this node's broadcasts.
    pub hearers: usize,
    /// Linked neighbours that have to be told over their links.
    pub others: usize,
    /// Broadcasts that were sealed.
    pub sealed: Traffic,
    /// Broadcasts that were opened, and signed by whom they came from.
    pub opened: Traffic,
}

/// No frame can leave: there is no key to seal it under.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Keyless;

/// Keys may be made for so long after fresh entropy before more is asked for.
const ENTROPY_AGE: Duration = Duration::from_secs(60);
/// From one broadcast of a neighbour whose signature is verified to the next,
const VERIFICATION: Duration = Duration::from_millis(20);
/// and how many are verified at once.
const VERIFICATIONS: u32 = 200;

/// The organ.
#[derive(Debug)]
pub struct Broadcast {
    own: NodeIdentity,
    channels: BTreeMap<InterfaceId, Channel>,
    peers: BTreeMap<LinkId, Peer>,
    keyring: Keyring,
    deadlines: Deadlines<Timer>,
    random: Stream,
    entropy: Entropy,
    refusals: Refusals,
    /// Frames that found no key as they were to leave.
    withheld: u64,
    limits: Limits,
    pub(crate) tap: Tap,
}

/// A linked neighbour on an interface where broadcasts are made.
#[derive(Debug)]
struct Peer {
    iface: InterfaceId,
    public: NodePublic,
    max_frame: usize,
    /// Which of this node's keys it holds.
    holds: Holds,
    /// Its last beacon, where an acknowledged key is not enough.
    beaconed_at: Option<Instant>,
    /// What is known of it was said to others.
    hears: bool,
    /// The wait until the key is given again.
    wait: Duration,
    verifications: Bucket,
}

/// Which of this node's keys on its interface a neighbour acknowledged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
struct Holds {
    current: bool,
    next: bool,
}

/// Whether the stream was refreshed of late.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Entropy {
    /// Keys may be made.
    Fresh,
    /// A key was made since: more is asked for soon.
    Used,
    /// None may be made before there is more.
    Awaited,
}

/// Who owns a deadline.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Timer {
    /// A neighbour is given the key, again perhaps.
    Give(LinkId),
    /// A key is used, whoever acknowledged it.
    Use(InterfaceId),
    /// A key has been used for long enough.
    Rotate(InterfaceId),
    /// A neighbour's key was replaced long ago.
    Forget(LinkId),
    /// A neighbour's beacon was heard long ago.
    Lapse(LinkId),
    Entropy,
}

impl Broadcast {
    /// The organ without interfaces. The seed is fresh entropy.
    #[must_use]
    pub fn new(own: NodeIdentity, limits: Limits, seed: &Seed) -> Self {
        Self {
            own,
            channels: BTreeMap::new(),
            peers: BTreeMap::new(),
            keyring: Keyring::default(),
            deadlines: Deadlines::default(),
            random: seed.fork("broadcast"),
            entropy: Entropy::Fresh,
            refusals: Refusals::default(),
            withheld: 0,
            limits,
            tap: Tap::default(),
        }
    }

    /// What was refused, by cause.
    #[must_use]
    pub const fn refusals(&self) -> &Refusals {
        &self.refusals
    }

    /// A message about keys that cannot be read.
    pub const fn malformed(&mut self) {
        self.refusals.count(refusals::Refused::malformed);
    }

    /// Frames that found no key as they were to leave.
    #[must_use]
    pub const fn withheld(&self) -> u64 {
        self.withheld
    }

    /// An interface as it stands; none if nothing is broadcast there.
    #[must_use]
    pub fn status(&self, iface: InterfaceId) -> Option<ChannelStatus> {
        let channel = self.channels.get(&iface)?;
        let there = self.peers.values().filter(|peer| peer.iface == iface);
        let (hearers, others): (Vec<&Peer>, Vec<&Peer>) = there.partition(|peer| peer.hears);
        Some(ChannelStatus {
            hearers: hearers.len(),
            others: others.len(),
            sealed: channel.sealed,
            opened: channel.opened,
        })
    }

    fn up(&mut self, iface: InterfaceId, profile: &Profile) {
        self.down(iface);
        let is_heard_by_many = match profile.reach {
            Reach::PointToPoint => false,
            Reach::Shared | Reach::Addressed => profile.mode == Mode::Nexus,
        };
        if is_heard_by_many && self.channels.len() < self.limits.interfaces {
            self.channels.insert(iface, Channel::new(profile));
        }
    }

    fn down(&mut self, iface: InterfaceId) {
        if self.channels.remove(&iface).is_none() {
            return;
        }
        self.deadlines.cancel(Timer::Use(iface));
        self.deadlines.cancel(Timer::Rotate(iface));
        let there: Vec<LinkId> =
            self.peers.iter().filter(|(_, peer)| peer.iface == iface).map(|(link, _)| *link).collect();
        for link in there {
            self.forget_peer(link);
        }
    }

    fn forget_peer(&mut self, link: LinkId) -> Option<Peer> {
        for timer in [Timer::Give(link), Timer::Forget(link), Timer::Lapse(link)] {
            self.deadlines.cancel(timer);
        }
        self.keyring.forget_link(link);
        self.peers.remove(&link)
    }

    fn link_up(&mut self, cx: Cx, link: LinkId, peer: Peer) {
        if !self.channels.contains_key(&peer.iface) {
            return;
        }
        if self.peers.len() >= self.limits.links {
            return self.refusals.count(refusals::Refused::crowded);
        }
        let iface = peer.iface;
        self.peers.insert(link, peer);
        if self.has_key(iface) { self.give_soon(cx.now, link) } else { self.make_key(cx, iface) }
    }

    fn link_down(&mut self, cx: Cx, link: LinkId, departure: Departure, out: &mut impl Sink<Effect>) {
        let Some(gone) = self.forget_peer(link) else { return };
        match departure {
            Departure::Left => {}
            Departure::Expelled => self.rekey_at_once(cx, gone.iface, out),
        }
        self.use_if_all_hold(gone.iface, out);
    }

    /// A snapshot that was resumed twice would use a counter twice: all keys are given up.
    fn clocks_parted(&mut self, cx: Cx, out: &mut impl Sink<Effect>) {
        self.entropy = Entropy::Awaited;
        let interfaces: Vec<InterfaceId> = self.channels.keys().copied().collect();
        for iface in interfaces {
            self.drop_keys(iface, out);
        }
        // No link can come up before there is entropy, and who makes links asks at once: here it is asked for if none came.
        self.deadlines.set(Timer::Entropy, cx.now.after(ENTROPY_AGE));
    }

    fn refreshed(&mut self, cx: Cx, entropy: &[u8; 32]) {
        self.random.refresh(entropy);
        self.deadlines.cancel(Timer::Entropy);
        let awaited = self.entropy == Entropy::Awaited;
        self.entropy = Entropy::Fresh;
        if awaited {
            let interfaces: Vec<InterfaceId> = self.channels.keys().copied().collect();
            for iface in interfaces {
                self.make_key(cx, iface);
            }
        }
    }

    /// Whether a key may be made, which then is. More entropy is asked for in a minute.
    fn may_make_key(&mut self, now: Instant) -> bool {
        match self.entropy {
            Entropy::Awaited => false,
            Entropy::Used => true,
            Entropy::Fresh => {
                self.entropy = Entropy::Used;
                self.deadlines.set(Timer::Entropy, now.after(ENTROPY_AGE));
                true
            }
        }
    }
}

impl Machine for Broadcast {
    type Input = Input;
    type Effect = Effect;

    fn handle(&mut self, cx: Cx, input: Input, out: &mut impl Sink<Effect>) {
        match input {
            Input::Up(iface, profile) => self.up(iface, &profile),
            Input::Down(iface) => self.down(iface),
            Input::LinkUp { link, iface, peer, max_frame } => {
                self.link_up(cx, link, Peer::new(iface, peer, max_frame));
            }
            Input::LinkDown { link, departure } => self.link_down(cx, link, departure, out),
            Input::Given { link, key } => self.given(cx, link, &key, out),
            Input::Acknowledged { link, key_id } => self.acknowledged(link, key_id, out),
            Input::Beaconed(link) => self.beaconed(cx, link, out),
            Input::Say { iface, about, message } => self.say(iface, about, &message, out),
            Input::Frame { iface, bytes } => self.heard(cx, iface, &bytes, out),
            Input::Entropy(entropy) => self.refreshed(cx, &entropy),
            Input::ClocksParted => self.clocks_parted(cx, out),
        }
    }

    fn handle_timeout(&mut self, cx: Cx, out: &mut impl Sink<Effect>) {
        while let Some(timer) = self.deadlines.pop_due(cx.now) {
            match timer {
                Timer::Give(link) => self.give(cx, link, None, out),
                Timer::Use(iface) => self.use_next(iface, out),
                Timer::Rotate(iface) => self.rotate(cx, iface, out),
                Timer::Forget(link) => self.keyring.forget_replaced(link),
                Timer::Lapse(link) => self.lapsed(link, out),
                Timer::Entropy => {
                    self.deadlines.set(Timer::Entropy, cx.now.after(ENTROPY_AGE));
                    out.push(Effect::EntropyWanted);
                }
            }
        }
    }

    fn next_timeout(&self) -> Option<Instant> {
        self.deadlines.next()
    }
}

impl Peer {
    fn new(iface: InterfaceId, public: NodePublic, max_frame: usize) -> Self {
        Self {
            iface,
            public,
            max_frame,
            holds: Holds::default(),
            beaconed_at: None,
            hears: false,
            wait: Duration::ZERO,
            verifications: Bucket::new(VERIFICATION, VERIFICATIONS),
        }
    }
}

impl MemoryBound for Broadcast {
    fn memory_bound(&self) -> usize {
        // Nodes of ordered maps may be half empty; a timer stands in two maps, one of which may be twice as long as needed.
        const PER_TIMER: usize = 6 * size_of::<(Instant, Timer)>();
        const PER_LINK: usize = 4 * size_of::<(LinkId, Peer)>() + 3 * PER_TIMER + Keyring::PER_LINK + 256;
        const PER_INTERFACE: usize = 4 * size_of::<(InterfaceId, Channel)>() + 2 * PER_TIMER + 256;
        let Limits { links, interfaces } = self.limits;
        let each = links.saturating_mul(PER_LINK).saturating_add(interfaces.saturating_mul(PER_INTERFACE));
        each.saturating_add(8_192).saturating_add(self.tap.memory_bound())
    }
}
