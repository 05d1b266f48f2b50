//! Links: both ends of them, and what is said on them.
//!
//! A link is asked for, proved by the destination's identity, and up at its initiator; it is up at its responder with the first packet of
//! the link's key. It ends when either end says so, or is silent for too long. Source: spec/endpoint.md#links.
//!
//! # The seam for machines within a link
//!
//! Resources and channels are machines of their own: a link opens what comes for them and seals what they say, and knows nothing else
//! of them. They are attached in `transfers` and `channels`.
//!
//! * They hear where `talking` hands out what came: a context, the bytes (plaintext, but for parts and proofs of resources, which are
//!   in clear), and the packet's hash, which `Endpoint::prove_on` proves.
//! * They say by `Endpoint::say_on`: a context, a `Form`, the bytes. What it returns names the packet in its proof.
//! * `Link::measures` tells them what the link is like. It does not change while the link is up at this end, but that a responder
//!   learns a longer round trip once, with the first packets.
//! * `Link::key` seals and opens what is no packet.
//! * They end with their link, in `Endpoint::end_link`.

mod channels;
mod keeping;
mod opening;
mod requests;
mod talking;
mod transfers;

use alloc::boxed::Box;
use alloc::collections::BTreeMap;

use nexus_crypto::exchange::EphemeralSecret;
use nexus_crypto::{DestinationHash, SigningKey, TokenKey, VerifyingKey};
use nexus_machine::{Bucket, Duration, Instant, Sink};
use nexus_wire::reticulum::resource::RequestId;
use nexus_wire::reticulum::{LinkId, LinkMtu, PacketHash, TruncatedPacketHash};

use crate::contract::{Down, Effect, Event, Failure, Handle, Side};
use crate::endpoint::{Endpoint, Timer, fail, tell};
use crate::limits::{Limits, tree};
use crate::resource::Form;
pub use channels::CHANNEL_BOUND;
pub use transfers::TRANSFERS_BOUND;
use transfers::Transfers;

/// What a link's packet has beside its plaintext: access code of an interface, header, initialisation vector and code.
const PACKET_OVERHEAD: u32 = 68;
/// What the packet of a part of a resource has beside it: access code and the longer header.
const PART_OVERHEAD: u32 = 36;
/// Link requests are answered so often: each answer is an agreement and a signature, and anybody may ask.
const ANSWER_PERIOD: Duration = Duration::from_millis(50);
const ANSWER_BURST: u32 = 32;
/// Packets of a link whose proofs are waited for, and requests whose responses are.
const SENT: usize = 32;
const ASKED: usize = 16;

/// The links of an endpoint.
#[derive(Debug)]
pub(crate) struct Links {
    pub(crate) all: BTreeMap<LinkId, Link>,
    answers: Bucket,
}

/// One end of a link.
#[derive(Debug)]
pub(crate) struct Link {
    destination: DestinationHash,
    side: Side,
    stage: Stage,
    /// The other end's key for proofs.
    theirs: VerifyingKey,
    /// With what the initiator proves; a responder does with its identity.
    signing: Option<SigningKey>,
    mtu: LinkMtu,
    rtt: Duration,
    began: Instant,
    /// When anything came last.
    heard: Instant,
    /// When it was said last that this end is there,
    kept: Instant,
    /// and after how much silence that is said at the earliest.
    quiet: Duration,
    /// What asked for it.
    handle: Option<Handle>,
    sent: BTreeMap<TruncatedPacketHash, Sent>,
    asked: BTreeMap<RequestId, Handle>,
    /// Resources, once there were any.
    transfers: Option<Box<Transfers>>,
    /// Its channel, once it was opened here.
    channel: Option<Box<channels::Open>>,
}

/// How far a link is.
#[derive(Debug)]
enum Stage {
    /// Asked for here, until then.
    Asked(EphemeralSecret, Instant),
    /// Answered here, and nothing heard since, until then.
    Answered(TokenKey, Instant),
    /// Up.
    Up(TokenKey),
}

/// A packet of a link whose proof is waited for.
#[derive(Debug)]
struct Sent {
    handle: Handle,
    hash: PacketHash,
    at: Instant,
}

/// What a link is like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Measures {
    /// How long its other end takes to answer.
    pub rtt: Duration,
    /// The longest packet that it carries, in bytes.
    pub mtu: u32,
    /// How much plaintext a packet carries, in bytes.
    pub data_len: u32,
    /// How much of a resource a packet carries, in bytes.
    pub part_len: u32,
}

impl Links {
    pub(crate) const fn new(answers: Bucket) -> Self {
        Self { all: BTreeMap::new(), answers }
    }

    pub(crate) fn answering() -> Bucket {
        Bucket::new(ANSWER_PERIOD, ANSWER_BURST)
    }

    pub(crate) fn memory_bound(limits: Limits) -> usize {
        let within = tree(SENT, size_of::<(TruncatedPacketHash, Sent)>())
            .saturating_add(tree(ASKED, size_of::<(RequestId, Handle)>()));
        tree(limits.links, size_of::<(LinkId, Link)>())
            .saturating_add(limits.links.saturating_mul(within))
            .saturating_add(limits.transfers.saturating_mul(TRANSFERS_BOUND))
            .saturating_add(limits.channels.saturating_mul(CHANNEL_BOUND))
    }

    /// How many timers they need.
    pub(crate) const fn timers(limits: Limits) -> usize {
        limits.links.saturating_mul(3 + SENT + ASKED)
    }
}

impl Link {
    /// What it is like, as far as this end knows.
    pub(crate) fn measures(&self) -> Measures {
        let mtu = self.mtu.bytes();
        let blocks = mtu.saturating_sub(PACKET_OVERHEAD).div_euclid(16);
        Measures {
            rtt: self.rtt,
            mtu,
            data_len: blocks.saturating_mul(16).saturating_sub(1),
            part_len: mtu.saturating_sub(PART_OVERHEAD),
        }
    }

    /// Its key, once there is one.
    pub(crate) const fn key(&self) -> Option<&TokenKey> {
        match &self.stage {
            Stage::Asked(..) => None,
            Stage::Answered(key, _) | Stage::Up(key) => Some(key),
        }
    }

    const fn is_up(&self) -> bool {
        matches!(self.stage, Stage::Up(_))
    }

    /// Whether this is more than fits a packet.
    fn is_too_long(&self, plaintext: &[u8]) -> bool {
        !u32::try_from(plaintext.len()).is_ok_and(|len| len <= self.measures().data_len)
    }
}

impl Endpoint {
    /// A link that is up.
    fn up(&mut self, id: &LinkId) -> Option<&mut Link> {
        self.links.all.get_mut(id).filter(|link| link.is_up())
    }

    /// Forgets a link, and tells whoever waits for anything on it.
    pub(crate) fn end_link(&mut self, id: &LinkId, why: Down, out: &mut impl Sink<Effect>) {
        let Some(link) = self.links.all.remove(id) else { return };
        self.deadlines.cancel(Timer::Link(*id));
        self.deadlines.cancel(Timer::Transfers(*id));
        self.deadlines.cancel(Timer::Channel(*id));
        if let Some(channel) = link.channel {
            channel.end(*id, out);
        }
        if let Some(transfers) = link.transfers {
            transfers.end(*id, out);
        }
        for (hash, sent) in link.sent {
            self.deadlines.cancel(Timer::Said(*id, hash));
            fail(sent.handle, Failure::NoLink, out);
        }
        for (request, handle) in link.asked {
            self.deadlines.cancel(Timer::Answer(*id, request));
            fail(handle, Failure::NoLink, out);
        }
        match link.stage {
            Stage::Asked(..) => {
                if let Some(handle) = link.handle {
                    fail(handle, Failure::NoAnswer, out);
                }
            }
            // Nobody was told that it is there.
            Stage::Answered(..) => {}
            Stage::Up(_) => tell(Event::LinkDown { link: *id, why }, out),
        }
    }
}
