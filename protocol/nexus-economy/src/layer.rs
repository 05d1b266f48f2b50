//! The economy layer: channels and the lottery, and the wires between them.
//!
//! It knows neighbours by their node ids and hears of packets as sums. What it says goes to a neighbour as the body of a message; what
//! must survive a crash leaves as a write, and what depends on it follows when that is durable. Spec: spec/economy.md#wiring.

mod dealings;
mod wiring;

use alloc::boxed::Box;
use alloc::collections::{BTreeMap, VecDeque};
use alloc::vec::Vec;

use nexus_crypto::{IdentitySeed, NodeId, NodeIdentity, Signature, VerifyingKey, VrfSecret};
use nexus_machine::{Cx, Instant, Machine, MemoryBound, Seed, Sink, Snapshot, Write, earliest};
use nexus_wire::nexus::channel::{ChannelId, ChannelState, SettlementBody, SettlementRecord};
use nexus_wire::nexus::channel_messages::RefuseCode;
use nexus_wire::nexus::message::MessageKind;

use crate::channels::account::Account;
use crate::channels::keys::Side;
use crate::channels::store::Stage;
use crate::channels::{self, Channels};
use crate::lottery::{self, Income, Lottery, POOL_WINDOWS, PathView, WindowKind};
use crate::money::{Amount, Grains};

use dealings::Dealings;

/// What a typical packet has, in bytes. Source: spec/wire.md#messages.
pub const TYPICAL_PACKET: u64 = 200;
/// How many of them the smallest window holds.
pub const WINDOW_PACKETS: u64 = 64;
/// A stranger's pool holds windows of this price at least, in µNXS for 1,024 bytes: whoever asks little for itself may have to pay
/// others more.
const LEAST_POOL_PRICE: u64 = 20;

/// Choices for the layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Policy {
    /// With how many neighbours accounts are kept.
    pub neighbours: u16,
    /// How many states of each channel are kept to be shown later; all, if none is said: for whoever has a disk.
    pub logged: Option<usize>,
    /// What a neighbour is lent that opens a channel, or is offered one; none if there are to be no channels.
    pub line: Option<Amount>,
    /// What this node asks for itself, in µNXS for 1,024 bytes.
    pub price: u64,
    /// How value is cut into windows.
    pub windows: WindowKind,
    /// How many windows a chain of tokens has.
    pub chain: u16,
    /// What all strangers together are carried for in an hour before they paid; by the price if none is said.
    pub stranger_pool: Option<Grains>,
}

impl Default for Policy {
    /// For a host.
    fn default() -> Self {
        Self {
            neighbours: 256,
            logged: None,
            line: Some(Amount::from_micros(1_000_000)),
            price: 0,
            windows: WindowKind::ByValue,
            chain: 1_024,
            stranger_pool: None,
        }
    }
}

impl Policy {
    fn pool(&self) -> Grains {
        let price = self.price.max(LEAST_POOL_PRICE);
        let window = price.saturating_mul(TYPICAL_PACKET).saturating_mul(WINDOW_PACKETS);
        self.stranger_pool.unwrap_or(Grains::new(window.saturating_mul(POOL_WINDOWS)))
    }
}

/// What was counted with a neighbour since the process began, and at which prices.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Traffic {
    /// For packets that were sent to it.
    pub sent: Grains,
    /// For packets that it sent and that were carried.
    pub taken: Grains,
    /// The highest price that it was paid, in µNXS for 1,024 bytes.
    pub dearest_paid: u64,
    /// The highest that it was asked.
    pub dearest_asked: u64,
    /// What the way to it is like.
    pub path: PathView,
}

/// What the layer is told.
#[derive(Clone, Debug)]
pub enum Input {
    /// A link with a neighbour came up.
    LinkUp {
        /// Who.
        peer: NodeId,
        /// Its key.
        key: VerifyingKey,
        /// What was counted with it.
        traffic: Traffic,
    },
    /// No link with it is left.
    LinkDown(NodeId),
    /// It speaks of money.
    Heard {
        /// Who.
        peer: NodeId,
        /// A message of which kind.
        kind: MessageKind,
        /// Its body.
        body: Vec<u8>,
        /// What was counted with it.
        traffic: Traffic,
    },
    /// What it sent came to the mark.
    Counted {
        /// Who.
        peer: NodeId,
        /// What was counted with it.
        traffic: Traffic,
    },
    /// It sends what it cannot pay for.
    ChannelWanted {
        /// Who.
        peer: NodeId,
        /// What was counted with it.
        traffic: Traffic,
    },
    /// A writer's writes are durable up to this number.
    Durable {
        /// Whose.
        by: Writer,
        /// Up to which, included.
        through: u64,
    },
    /// Fresh entropy.
    Entropy([u8; 32]),
    /// What the operator wants of a channel.
    Command(NodeId, Command),
    /// Somebody passes on a state of a channel.
    Seen(ChannelState),
    /// A deposit is certified.
    Certified {
        /// In which channel.
        channel: ChannelId,
        /// Whose.
        side: Side,
        /// How much in all.
        deposit: Amount,
    },
}

/// What the operator wants of the channel with a neighbour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Command {
    /// Open one.
    Open {
        /// What the neighbour is lent.
        line: Amount,
        /// What this node deposits.
        deposit: Amount,
    },
    /// Settle.
    Settle,
    /// Close it with the neighbour's consent.
    Close,
    /// Close it without.
    CloseAlone,
}

/// Which organ writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Writer {
    /// The channels.
    Channels,
    /// The lottery.
    Lottery,
}

/// What leaves the layer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Make these writes durable together, then say [`Input::Durable`] with the number.
    Write {
        /// Whose they are.
        by: Writer,
        /// The number.
        number: u64,
        /// The writes.
        writes: Vec<Write>,
    },
    /// Fresh entropy: a secret is about to be made.
    EntropyWanted,
    /// Say this to a linked neighbour.
    Tell {
        /// To whom.
        peer: NodeId,
        /// A message of which kind.
        kind: MessageKind,
        /// Its body.
        body: Vec<u8>,
    },
    /// Carry a neighbour's packets at a price, up to this sum.
    Grant {
        /// Whose.
        peer: NodeId,
        /// No more than this in all.
        limit: Grains,
        /// Say [`Input::Counted`] there.
        mark: Grains,
    },
    /// Carry of a neighbour's packets what is carried for nothing: there are no terms under which it pays.
    Ungrant(NodeId),
    /// Whether this node can pay a neighbour is another than it was.
    Channel {
        /// Whom.
        peer: NodeId,
        /// Whether it can.
        state: ChannelStands,
    },
    /// For the ledger.
    Record(Record),
    /// For the operator.
    Event(Event),
}

/// Whether there is a channel out of which to pay.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChannelStands {
    /// There is.
    Stands,
    /// There is none any more.
    Ended,
}

/// What the ledger is to know of a channel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Record {
    /// Both signed a settlement.
    Settlement(SettlementRecord),
    /// The channel is being closed by one side, on this state; or somebody shows an older one, and this is the latest.
    State(ChannelState),
    /// The channel is closed on these figures.
    Closed {
        /// The figures.
        body: SettlementBody,
        /// Both signatures on them, the lower id's first, unless one side closed alone.
        sigs: Option<(Signature, Signature)>,
    },
}

/// What the operator may want to know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// A channel stands.
    Opened {
        /// With whom.
        peer: NodeId,
        /// Which.
        channel: ChannelId,
        /// What this node deposits in it: it is still to be certified.
        deposit: Amount,
    },
    /// A neighbour does not want a channel, or there is one.
    NotOpened {
        /// Who.
        peer: NodeId,
        /// Why.
        code: RefuseCode,
    },
    /// A neighbour paid.
    Received {
        /// Who.
        peer: NodeId,
        /// How much.
        amount: Amount,
    },
    /// This node paid a neighbour.
    Paid {
        /// Whom.
        peer: NodeId,
        /// How much.
        amount: Amount,
    },
    /// A neighbour refuses to pay what was won.
    Unpaid {
        /// Who.
        peer: NodeId,
        /// How much.
        amount: Amount,
        /// Why.
        code: RefuseCode,
    },
    /// A channel was settled.
    Settled {
        /// With whom.
        peer: NodeId,
        /// On which figures.
        record: SettlementRecord,
    },
    /// There is nothing to settle.
    NothingToSettle(NodeId),
    /// A channel is being closed by one side alone.
    Disputed(NodeId),
    /// A channel is closed.
    Closed(NodeId),
    /// This node had forgotten states of a channel, and goes on from what the neighbour shows.
    Resumed(NodeId),
    /// What the ledger is to know of a channel; it is durable here.
    ForLedger(Record),
}

/// The layer: organs, and beside them the queue of what they say to each other.
#[derive(Debug)]
pub struct Economy {
    organs: Organs,
    nerves: VecDeque<Nerve>,
}

#[derive(Debug)]
struct Organs {
    channels: Channels,
    lottery: Lottery<VrfSecret>,
    dealings: Dealings,
    line: Option<Amount>,
    price: u64,
}

#[derive(Debug)]
enum Nerve {
    Channels(Box<channels::Effect>),
    Lottery(lottery::Effect),
}

impl From<channels::Effect> for Nerve {
    fn from(effect: channels::Effect) -> Self {
        Self::Channels(Box::new(effect))
    }
}

impl From<lottery::Effect> for Nerve {
    fn from(effect: lottery::Effect) -> Self {
        Self::Lottery(effect)
    }
}

/// How many signals the queue keeps room for between calls.
const RESTING: usize = 16;
/// More signals than this from one input is a loop in the wiring, which is a bug.
const SETTLE_BOUND: usize = 100_000;

impl Economy {
    /// The layer, resuming from what was durable.
    #[must_use]
    pub fn new(identity: &IdentitySeed, policy: Policy, snapshot: &Snapshot, seed: &Seed) -> Self {
        // Each organ that signs keeps the identity: none borrows from another.
        let own = || NodeIdentity::from_seed(IdentitySeed::from_bytes(*identity.expose()));
        let id = own().node_id();
        let limits = channels::Limits {
            neighbours: usize::from(policy.neighbours),
            logged: policy.logged,
            granted: policy.line,
        };
        let lots = lottery::Policy {
            neighbours: policy.neighbours,
            windows: policy.windows,
            chain: policy.chain,
            stranger_pool: policy.pool(),
        };
        let organs = Organs {
            channels: Channels::new(snapshot, seed, own(), id, limits),
            lottery: Lottery::new(own(), own().vrf(), lots, snapshot, seed),
            dealings: Dealings::new(policy.neighbours),
            line: policy.line,
            price: policy.price,
        };
        Self { organs, nerves: VecDeque::new() }
    }

    /// Channels that are opened from here on have room for deposits that are certified later: for whoever keeps books.
    pub const fn make_room(&mut self) {
        self.organs.channels.make_room();
    }

    /// What carrying for a neighbour brought, if there is an account with it.
    #[must_use]
    pub fn income(&self, peer: &NodeId) -> Option<Income> {
        self.organs.lottery.income(peer)
    }

    /// How many messages about money could not be read.
    #[must_use]
    pub const fn unread(&self) -> u64 {
        self.organs.dealings.unread_count()
    }

    /// A view of the lottery.
    #[must_use]
    pub const fn lottery(&self) -> &Lottery<VrfSecret> {
        &self.organs.lottery
    }

    /// A view of the channels.
    #[must_use]
    pub const fn channels(&self) -> &Channels {
        &self.organs.channels
    }

    /// The channels that stand, or are closed, by neighbour.
    pub fn accounts(&self) -> impl Iterator<Item = (NodeId, &Account<Signature>)> {
        self.organs.channels.channels().filter_map(|(peer, kept)| match &kept.stage {
            Stage::Standing(account) => Some((peer, &**account)),
            Stage::AwaitingState(_) => None,
        })
    }

    /// A channel that stands or is closed, with whom, and the state that it was opened with, if that is known.
    #[must_use]
    pub fn channel(&self, id: &ChannelId) -> Option<(&Account<Signature>, Option<&ChannelState>)> {
        self.organs.channels.of_id(id)
    }

    /// Asks `price` µNXS for 1,024 bytes for itself from here on, and lends so much.
    pub const fn set_terms(&mut self, price: u64, line: Option<Amount>) {
        self.organs.price = price;
        self.organs.line = line;
    }

    fn settle(&mut self, cx: Cx, out: &mut impl Sink<Effect>) {
        for _ in 0..SETTLE_BOUND {
            let Some(nerve) = self.nerves.pop_front() else {
                return self.nerves.shrink_to(RESTING);
            };
            self.organs.wire(cx, nerve, &mut self.nerves, out);
        }
        unreachable!("the wiring of the economy does not loop");
    }
}

impl Machine for Economy {
    type Input = Input;
    type Effect = Effect;

    fn handle(&mut self, cx: Cx, input: Input, out: &mut impl Sink<Effect>) {
        self.organs.tell(cx, input, &mut self.nerves, out);
        self.settle(cx, out);
    }

    fn handle_timeout(&mut self, cx: Cx, out: &mut impl Sink<Effect>) {
        self.organs.channels.handle_timeout(cx, &mut self.nerves);
        self.organs.lottery.handle_timeout(cx, &mut self.nerves);
        self.settle(cx, out);
    }

    fn next_timeout(&self) -> Option<Instant> {
        earliest([self.organs.channels.next_timeout(), self.organs.lottery.next_timeout()])
    }
}

impl MemoryBound for Economy {
    fn memory_bound(&self) -> usize {
        let Organs { channels, lottery, dealings, line: _, price: _ } = &self.organs;
        RESTING
            .saturating_mul(size_of::<Nerve>())
            .saturating_add(channels.memory_bound())
            .saturating_add(lottery.memory_bound())
            .saturating_add(dealings.memory_bound())
    }
}

/// By neighbour.
type ByPeer<T> = BTreeMap<NodeId, T>;
