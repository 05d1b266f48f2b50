//! What a host tells a node, and what a node asks of its host.

use alloc::boxed::Box;
use alloc::vec::Vec;

use nexus_crypto::{DestinationHash, NodeId};
use nexus_economy::Amount;
use nexus_economy::ledger::witness::Refusal;
use nexus_economy::ledger::{ChannelKey, Side};
use nexus_economy::trust::TrustConfig;
use nexus_endpoint::lxmf;
use nexus_machine::{Duration, TableId, Ticket, Write};
use nexus_network::{
    Down, Endpoint, InterfaceId, LinkId, LinkStatus, PathPolicy, Policy, Profile, Shared, Weight,
};
use nexus_secure::{Attempt, Message, Outgoing, Traced, Undelivered};
use nexus_wire::nexus::channel::{ChannelId, ChannelState, SettlementRecord};
use nexus_wire::nexus::evidence::Evidence;
use nexus_wire::nexus::ledger::{CloseOrder, Order, OrderHash, WitnessIndex};
use nexus_wire::reticulum::Ifac;

/// What a host tells a node.
#[derive(Clone, Debug)]
pub enum Input {
    /// A frame arrived, as the medium carried it, without the driver's framing.
    Frame {
        /// Where it was heard.
        iface: InterfaceId,
        /// Who sent it, on media that say so. Not authenticated.
        from: Option<Endpoint>,
        /// The frame.
        bytes: Vec<u8>,
    },
    /// An interface came up, or came up again with another profile. It is ready to transmit.
    Up {
        /// Which.
        iface: InterfaceId,
        /// What its medium is like.
        profile: Profile,
    },
    /// An interface went down; what waited for it is gone.
    Down {
        /// Which.
        iface: InterfaceId,
    },
    /// An interface can take one more frame: the answer to each [`Output::Transmit`], once the frame is on the medium.
    TxReady {
        /// Which.
        iface: InterfaceId,
    },
    /// The answer to [`Output::Sense`]: somebody is transmitting.
    ChannelBusy {
        /// Where.
        iface: InterfaceId,
    },
    /// The answer to [`Output::Sense`]: nobody is.
    ChannelClear {
        /// Where.
        iface: InterfaceId,
    },
    /// What the operator or an application wants.
    Command(Command),
    /// All writes up to and including this ticket are durable.
    Persisted {
        /// The last durable ticket.
        through: Ticket,
    },
    /// What the wall clock says.
    WallClock {
        /// Unix time in seconds.
        unix_s: u64,
        /// How far off it may be, in seconds.
        error_s: u32,
    },
    /// 32 bytes of fresh entropy.
    Entropy([u8; 32]),
    /// What [`LedgerEvent::ReadWanted`] asked for.
    Read {
        /// The number in the question.
        number: u64,
        /// What lies there; none if nothing does.
        value: Option<Vec<u8>>,
    },
}

/// What the operator or an application wants of a node.
#[derive(Clone, Debug)]
pub enum Command {
    /// Begin: the first input of a host, once it can answer outputs. Later ones change nothing.
    Start,
    /// Announce this node with a fresh emission, now.
    Announce,
    /// Write what would be written within the next seconds: the host is about to end.
    Save,
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
    /// Ask so much for carrying packets out over the links of an interface from here on. It is quoted to neighbours with the costs of
    /// paths.
    Price {
        /// Which.
        iface: InterfaceId,
        /// In µNXS for 1,024 bytes.
        price: u64,
    },
    /// Whose packets are carried for nothing, and of whom less is asked than of others. What interfaces ask is said by [`Command::Price`].
    /// Source: spec/economy.md#trust.
    Trust(TrustConfig),
    /// What this node asks for itself, and what neighbours are lent with whom a channel is opened from here on.
    Terms {
        /// In µNXS for 1,024 bytes: the dearest of its interfaces.
        price: u64,
        /// How much; none if there are to be no channels.
        line: Option<Amount>,
    },
    /// Open, settle or close the channel with a linked neighbour. What comes of it is told by [`Event::Economy`].
    Channel {
        /// With whom.
        peer: NodeId,
        /// What.
        command: nexus_economy::layer::Command,
    },
    /// So much of a deposit is certified, by whoever certifies deposits.
    Certified {
        /// In which channel.
        channel: ChannelId,
        /// Whose.
        side: Side,
        /// How much in all.
        deposit: Amount,
    },
    /// Somebody passes on a state of a channel of this node, that both signed.
    Shown(Box<ChannelState>),
    /// A neighbour's share of what interfaces carry is so many times that of one of which nothing was said, from here on, over links
    /// that come up later too. Source: spec/network.md#shares.
    Weigh {
        /// Whose.
        node: NodeId,
        /// How many times, 1 to 65,535; [`Weight::ONE`] is everybody's.
        weight: Weight,
    },
    /// Frames on an interface in clear have these access codes from here on, until it goes down: said each time before it comes up.
    AccessCodes {
        /// Which.
        iface: InterfaceId,
        /// Its network's.
        codes: Shared<Ifac>,
    },
    /// This node called whoever is on an interface in clear, which is up: say so, as stock nodes do. Said each time after it came up.
    /// Source: spec/reticulum.md#tunnel.
    SayTunnel {
        /// Which.
        iface: InterfaceId,
        /// Names it, the same at each connection and after a restart.
        interface: [u8; 32],
    },
    /// The host knows whoever is at an interface in clear, which is up: by an address that lasts, say. Paths that began where they were before,
    /// over another interface, a while ago or before a restart, begin here, as with a tunnel. Said each time after it came up.
    /// Source: spec/reticulum.md#tunnel.
    Recognised {
        /// Which.
        iface: InterfaceId,
        /// Who, in the host's words, the same each time. No tunnel's id.
        peer: [u8; 32],
    },
    /// Send something to a node until its receipt came or its time is over. Answered by [`Event::Delivered`] or
    /// [`Event::Undelivered`], a trace that was answered by [`Event::Traced`], and each attempt by [`Event::Attempted`].
    Send(Outgoing),
    /// By what paths of this node's own packets are chosen from here on, where nobody says otherwise.
    Prefer(PathPolicy),
    /// No path to a destination is held from here on, until somebody says one: its announce, or an answer to a request.
    ForgetPaths {
        /// Whose.
        destination: DestinationHash,
    },
    /// Look for a way to a destination, whenever it was looked for last. Answered by [`Event::PathFound`] or
    /// [`Event::PathNotFound`].
    FindPath {
        /// Whose.
        destination: DestinationHash,
    },
    /// Make links with other nodes across stock relays from here on, and take theirs. Source: spec/endpoint.md#crossings.
    Cross,
    /// Something of this node's Reticulum endpoint. Answered by [`Event::Endpoint`].
    Endpoint(nexus_endpoint::Command),
    /// Something of this node's LXMF address. Messages that come are told by [`Event::MessageArrived`], what becomes of those sent by
    /// [`Event::Lxmf`].
    Lxmf(lxmf::Command),
    /// Something of the books. Changes nothing where none are kept.
    Ledger(LedgerCommand),
    /// Forget the messages of the inbox up to this number.
    Forget {
        /// The last number.
        through: u64,
    },
}

/// What a node asks of its host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// Put this frame on the medium, then say [`Input::TxReady`].
    Transmit {
        /// Where.
        iface: InterfaceId,
        /// To whom; `None` is the medium's only peer, or everybody on a shared one.
        to: Option<Endpoint>,
        /// The frame.
        bytes: Vec<u8>,
    },
    /// Listen whether somebody transmits; answer with [`Input::ChannelBusy`] or [`Input::ChannelClear`].
    Sense {
        /// Where.
        iface: InterfaceId,
    },
    /// Make these writes durable, all or none, after those of every earlier ticket.
    Persist {
        /// Named in [`Input::Persisted`] when it is done.
        ticket: Ticket,
        /// What to write.
        writes: Vec<Write>,
    },
    /// Something worth knowing happened.
    Event(Event),
}

/// Something worth knowing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// A destination's announce was verified: it can be reached.
    Reached {
        /// Who announced.
        destination: DestinationHash,
        /// When it says it did, in Unix seconds of its own clock.
        emitted_at: u64,
        /// How many relays lie between, plus one.
        hops: u8,
        /// Where it was heard.
        iface: InterfaceId,
    },
    /// There is a way to a destination that was looked for, because somebody wished it or a packet could not leave.
    PathFound {
        /// Whose.
        destination: DestinationHash,
        /// How long the way is.
        hops: u8,
        /// How long the search took.
        after: Duration,
    },
    /// A destination was looked for in vain: three attempts, each with more neighbours and twice the time.
    PathNotFound {
        /// Whose.
        destination: DestinationHash,
    },
    /// This node announced itself.
    Announced {
        /// The emission time it carries.
        emitted_at: u64,
    },
    /// A frame waited for the channel in vain and was dropped.
    ChannelJammed {
        /// Where.
        iface: InterfaceId,
    },
    /// Wall and monotonic clocks parted: the clock was set, or this machine was suspended or resumed from a snapshot.
    ClocksParted {
        /// By how much.
        by: Duration,
    },
    /// A key is about to be made: the host answers with [`Input::Entropy`].
    EntropyWanted,
    /// Something happened in a channel.
    Economy(Box<nexus_economy::layer::Event>),
    /// What the books tell, or want read.
    Ledger(LedgerEvent),
    /// A link came up.
    LinkUp(LinkStatus),
    /// A link is no more.
    LinkDown {
        /// As it last stood.
        last: LinkStatus,
        /// Why.
        why: Down,
    },
    /// A message arrived, is durable and was acknowledged. [`Node::inbox`](crate::Node::inbox) holds it.
    MessageArrived(Message),
    /// An attempt at what was to be sent.
    Attempted {
        /// The command's.
        handle: u64,
        /// What became of this attempt.
        attempt: Attempt,
    },
    /// The recipient proved that it arrived; or, for [`Content::Ping`](nexus_secure::Content::Ping), answered.
    Delivered {
        /// The command's.
        handle: u64,
        /// How often it was sent.
        attempts: u32,
        /// From the attempt that was answered to the answer.
        round_trip: Duration,
    },
    /// A trace was answered.
    Traced {
        /// The command's.
        handle: u64,
        /// How often it was sent.
        attempts: u32,
        /// From the attempt that was answered to the answer.
        round_trip: Duration,
        /// What it found.
        traced: Traced,
    },
    /// Its time is over, or it cannot be sent at all.
    Undelivered {
        /// The command's.
        handle: u64,
        /// Why.
        why: Undelivered,
    },
    /// What became of a message of [`Command::Lxmf`].
    Lxmf(LxmfEvent),
    /// What the endpoint tells.
    Endpoint(Box<nexus_endpoint::Event>),
}

/// What became of a message to an LXMF address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LxmfEvent {
    /// Its recipient proved that it came.
    Delivered {
        /// The command's.
        handle: u64,
        /// By which way.
        way: lxmf::Way,
        /// How often it was sent.
        attempts: u32,
        /// From the attempt that was proved to the proof.
        after: Duration,
    },
    /// Its time is over, or it cannot be sent at all.
    Undelivered {
        /// The command's.
        handle: u64,
        /// Why.
        why: lxmf::Undelivered,
    },
}

/// What is wanted of the books.
#[derive(Clone, Debug)]
pub enum LedgerCommand {
    /// Take in what two settled.
    Settled(Box<SettlementRecord>),
    /// Take in an order with its certificate.
    Certified {
        /// What was ordered.
        order: Box<Order>,
        /// The certificate, as an item.
        certificate: Vec<u8>,
    },
    /// Put money into a channel: so much in all. Witnesses are asked until enough have signed.
    Deposit {
        /// Which channel.
        channel: ChannelId,
        /// With whom.
        peer: NodeId,
        /// The running total of this node there.
        deposit: Amount,
    },
    /// Close a channel of this node's: witnesses are asked until enough have signed.
    Close(Box<CloseOrder>),
    /// Take in proof of misconduct.
    Convict(Box<Evidence>),
}

/// What the books tell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LedgerEvent {
    /// What lies on disk is wanted, as far as it is durable: the host answers with [`Input::Read`].
    ReadWanted {
        /// The number that the answer names.
        number: u64,
        /// In which table.
        table: TableId,
        /// Under which key.
        key: Vec<u8>,
    },
    /// So much of a deposit in a channel of this node's is certified.
    Deposited {
        /// Which channel.
        key: ChannelKey,
        /// Whose.
        side: Side,
        /// How much in all.
        deposit: Amount,
    },
    /// A witness does not sign what this node ordered.
    Refused {
        /// Which order.
        order: OrderHash,
        /// Which witness.
        witness: WitnessIndex,
        /// Why.
        why: Refusal,
    },
    /// No order was made for a deposit of this node's, since witnesses would not sign it.
    NotOrdered {
        /// In which channel.
        channel: ChannelId,
        /// With whom.
        peer: NodeId,
        /// Why they would not.
        why: Refusal,
    },
    /// A node is convicted of having signed what may not be signed.
    Flagged(NodeId),
    /// A neighbour keeps the books of another genesis.
    OtherGenesis(LinkId),
}
