//! What the lottery is told and what it wants.

use alloc::vec::Vec;

use nexus_crypto::{NodeId, Signature, VerifyingKey, VrfProof, VrfPublicKey};
use nexus_machine::{Duration, Write};
use nexus_wire::nexus::lottery::{Due, Offer, Released, TokenRelease};

use crate::money::{Amount, Grains};

/// What the organ is told. Totals are sums since the process began, in grains, as the forwarding path adds them.
#[derive(Clone, Debug)]
pub enum Input {
    /// Fresh entropy: roots are drawn from it.
    Entropy([u8; 32]),
    /// The write with this number, and all before it, are durable.
    Durable(u64),
    /// A link to this neighbour came up, or what is known of it changed.
    LinkUp {
        /// Who.
        peer: NodeId,
        /// Its key.
        key: VerifyingKey,
        /// What the way to it is like.
        path: PathView,
    },
    /// No link to it is left.
    LinkDown(NodeId),
    /// This node may pay it, out of this channel.
    Pay {
        /// Whom.
        peer: NodeId,
        /// How.
        channel: Channel,
        /// Its VRF key.
        vrf: VrfPublicKey,
        /// What a typical packet to it costs.
        typical: Grains,
    },
    /// It may pay this node, out of this channel.
    Charge {
        /// Who.
        peer: NodeId,
        /// How.
        channel: Channel,
        /// The value of a window of typical packets at this node's dearest price.
        reference: Grains,
    },
    /// What was taken from it at a price passed the mark of [`Effect::Grant`], or was looked at for another reason.
    Counted {
        /// From whom.
        peer: NodeId,
        /// In all.
        total: Grains,
    },
    /// TERMS came.
    Terms {
        /// From whom.
        peer: NodeId,
        /// The offer.
        offer: Offer,
        /// Its signature.
        signature: Signature,
        /// What was released under the terms before.
        before: Released,
    },
    /// The relay wants other terms.
    TermsRefused {
        /// Who.
        peer: NodeId,
        /// Why.
        reason: TermsRefusal,
    },
    /// DUE came.
    Due {
        /// From whom.
        peer: NodeId,
        /// What it says.
        due: Due,
        /// What was sent to it at a price.
        sent: Grains,
    },
    /// A neighbour sends what it is to pay for, and there are no terms under which it would.
    TermsWanted(NodeId),
    /// Whoever counts what this neighbour sends has forgotten how far it is carried: a link took the place of another.
    GrantAgain(NodeId),
    /// TOKEN came.
    Token {
        /// From whom.
        peer: NodeId,
        /// What it says.
        token: TokenRelease,
    },
    /// CLAIM came.
    Claim {
        /// From whom.
        peer: NodeId,
        /// What is claimed.
        claim: Claimed,
    },
    /// The channel took what [`Effect::Countersign`] allowed; what was to be stored with it is durable.
    Countersigned {
        /// Whose claim.
        peer: NodeId,
        /// The last window of it.
        to: u16,
    },
    /// The channel did not take it: its proposal does not fit.
    NotCountersigned(NodeId),
    /// The payer signed what [`Effect::Propose`] proposed; what was to be stored with it is durable.
    Accepted(NodeId),
    /// The payer refused it.
    Refused(NodeId),
    /// A neighbour says in the channel that its disk was out of date: it will not honour what was won under the terms that were in force.
    PayerForgot(NodeId),
    /// The channel learnt of a state newer than this node's disk: what is stored with the channel is out of date.
    OutOfDate(NodeId),
}

/// What the organ wants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Fresh entropy: a root is about to be drawn.
    EntropyWanted,
    /// Make these writes durable together, then say [`Input::Durable`] with the number.
    Write {
        /// The number.
        number: u64,
        /// What.
        writes: Vec<Write>,
    },
    /// Take packets from this neighbour at a price until they come to `limit` in all, and say [`Input::Counted`] when they reach `mark`.
    Grant {
        /// From whom.
        peer: NodeId,
        /// No more than this, in all.
        limit: Grains,
        /// Say so there.
        mark: Grains,
    },
    /// Send TERMS.
    Terms {
        /// To whom.
        peer: NodeId,
        /// The offer.
        offer: Offer,
        /// Its signature.
        signature: Signature,
        /// What was released under the terms before.
        before: Released,
    },
    /// Say that TERMS will not do.
    RefuseTerms {
        /// To whom.
        peer: NodeId,
        /// Why.
        reason: TermsRefusal,
    },
    /// Send DUE.
    Due {
        /// To whom.
        peer: NodeId,
        /// What.
        due: Due,
    },
    /// Send TOKEN.
    Token {
        /// To whom.
        peer: NodeId,
        /// What.
        token: TokenRelease,
    },
    /// Propose a state of the channel that moves a reward to this node, with CLAIM, until it is signed or refused; store this with it.
    Propose {
        /// To whom.
        peer: NodeId,
        /// What is claimed.
        claim: Claimed,
        /// What it is worth.
        reward: Amount,
        /// To be stored in the write that stores the signed state.
        stored: Write,
    },
    /// Countersign the state that came with this claim, if it moves exactly the reward; store this with it.
    Countersign {
        /// Whose claim.
        peer: NodeId,
        /// What is claimed.
        claim: Claimed,
        /// What it is worth.
        reward: Amount,
        /// To be stored in the write that stores the signed state.
        stored: Write,
    },
    /// This claim was countersigned before: answer as then.
    AnswerAgain {
        /// Whose claim.
        peer: NodeId,
        /// What is claimed.
        claim: Claimed,
    },
    /// Refuse this claim.
    RefuseClaim {
        /// Whose.
        peer: NodeId,
        /// Why.
        reason: ClaimRefusal,
    },
}

/// How a neighbour is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PathView {
    /// There and back.
    pub round_trip: Duration,
    /// Bits per second.
    pub bandwidth_bps: u64,
}

/// A channel, as far as a lottery goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Channel {
    /// Its id.
    pub id: [u8; 16],
    /// What the two call it on their link.
    pub slot: u8,
    /// What the payer has in it.
    pub balance: Amount,
}

/// Windows that won.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Claimed {
    /// The first.
    pub from: u16,
    /// The last.
    pub to: u16,
    /// That it won, where windows can lose.
    pub proof: Option<VrfProof>,
}

/// Why a relay does not take terms.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TermsRefusal {
    /// A reward is worth more than the payer has paid for here, or than its channel holds.
    Stake,
    /// Windows are larger than this relay goes ahead.
    Window,
    /// They are of another channel, or of none.
    Channel,
}

/// Why a payer does not countersign.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClaimRefusal {
    /// The windows are not released, or claimed already, or of terms that are gone.
    Window,
    /// Nothing proves that the window won.
    Proof,
    /// The terms are gone, or of a disk that was out of date: nothing won under them will be paid.
    Terms,
}

/// How value is cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum WindowKind {
    /// Into windows of many packets.
    #[default]
    ByValue,
    /// A window for each packet, all of one price: for tests of the odds.
    PerPacket,
}

/// Choices for the organ.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Policy {
    /// How many neighbours it keeps account with.
    pub neighbours: u16,
    /// How value is cut.
    pub windows: WindowKind,
    /// How many windows a chain has.
    pub chain: u16,
    /// What all strangers together are carried for in an hour before they paid.
    pub stranger_pool: Grains,
}

/// How one neighbour stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Income {
    /// Grains taken from it at a price since the process began.
    pub counted: Grains,
    /// Windows released, under the terms in force.
    pub released: u16,
    /// Windows drawn since the process began.
    pub drawn: u64,
    /// Of them, those that won.
    pub won: u64,
    /// What the windows drawn are worth by their odds: what is to be expected.
    pub expected: Grains,
    /// What wins brought.
    pub received: Amount,
    /// What it was paid.
    pub paid: Amount,
}
