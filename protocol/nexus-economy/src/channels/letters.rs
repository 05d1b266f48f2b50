//! Letters as messages on a link, and messages as letters. Source: spec/economy.md#channel-messages.

use alloc::boxed::Box;
use alloc::vec;
use alloc::vec::Vec;

use nexus_crypto::{Signature, VrfPublicKey};
use nexus_wire::codec::{DecodeError, EncodeError, Reader, Writer};
use nexus_wire::nexus::Layout;
use nexus_wire::nexus::channel::{ChannelNonce, ChannelState, SettlementRecord};
use nexus_wire::nexus::channel_messages::{
    Accept, ChannelSlot, Close, CloseStage, Cosign, Figures, LatestState, Offer, Open, Proposal, Refuse,
    Settle, Settled, StateFlags,
};
use nexus_wire::nexus::message::{Body, Message, MessageKind, MessageWriter};

use super::account::{Agreed, Answer, Claim, Latest, Letter, Standing, Ticket};
use super::keys::Both;
use crate::money::Amount;

/// What a party brings to a channel, by value.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Bringing {
    /// Its part of the channel's id.
    pub nonce: ChannelNonce,
    /// What it lends the other.
    pub line: Amount,
    /// What it says it deposits.
    pub deposit: Amount,
    /// The key of its proofs.
    pub vrf_key: VrfPublicKey,
}

impl Bringing {
    fn of(offer: &Offer<'_>) -> Self {
        Self {
            nonce: offer.nonce,
            line: Amount::from_micros(offer.line),
            deposit: Amount::from_micros(offer.deposit),
            vrf_key: VrfPublicKey(*offer.vrf_key),
        }
    }

    fn offer(&self) -> Offer<'_> {
        Offer {
            nonce: self.nonce,
            line: self.line.micros(),
            deposit: self.deposit.micros(),
            vrf_key: &self.vrf_key.0,
        }
    }
}

/// What a neighbour says about its channel.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Said {
    /// OPEN.
    Open(Bringing),
    /// ACCEPT.
    Accept(Bringing, Signature),
    /// Figures to settle by: the names are the channel's.
    Settle(Offered),
    /// Figures to close by.
    Close(Offered, CloseStage),
    /// Everything else, as it is.
    Letter(Letter<Signature>),
}

/// Figures that are offered.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Offered {
    /// Of which state.
    pub final_sequence: u64,
    /// The gross from either side.
    pub paid: Both<u64>,
    /// The signature.
    pub sig: Signature,
}

/// What is said, and of which channel of the link.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Saying {
    /// Which channel.
    pub slot: ChannelSlot,
    /// What.
    pub said: Said,
}

impl Saying {
    /// What a message says, if it is about channels.
    ///
    /// # Errors
    /// If its body is none of its kind.
    pub fn parse(message: &Message<'_>) -> Result<Option<Self>, DecodeError> {
        let (slot, said) = match message.kind {
            MessageKind::OPEN => {
                let open: Open<'_> = message.parse()?;
                (open.slot, Said::Open(Bringing::of(&open.offer)))
            }
            MessageKind::ACCEPT => {
                let accept: Accept<'_> = message.parse()?;
                (accept.slot, Said::Accept(Bringing::of(&accept.offer), accept.sig))
            }
            MessageKind::CLAIM => {
                let claim: ClaimBody = message.parse()?;
                (claim.slot, Said::Letter(Letter::Claim(claim.claim)))
            }
            MessageKind::COSIGN => parse_cosign(message)?,
            MessageKind::REFUSE => {
                let Refuse { slot, sequence, code } = message.parse()?;
                (slot, Said::Letter(Letter::Refuse { sequence, code }))
            }
            MessageKind::SETTLE => {
                let Settle(figures) = message.parse()?;
                (figures.slot, Said::Settle(offered(&figures)))
            }
            MessageKind::SETTLED => {
                let Settled { slot, record } = message.parse()?;
                let sigs = Both { a: record.sig_a, b: record.sig_b };
                (slot, Said::Letter(Letter::Settled(Agreed { body: record.body, sigs })))
            }
            MessageKind::STATE => {
                let latest: LatestState = message.parse()?;
                (latest.slot, Said::Letter(Letter::Latest(Latest::from(&latest))))
            }
            MessageKind::CLOSE => {
                let Close { figures, stage } = message.parse()?;
                (figures.slot, Said::Close(offered(&figures), stage))
            }
            _ => return Ok(None),
        };
        Ok(Some(Self { slot, said }))
    }

    /// Appends the message.
    ///
    /// # Errors
    /// If there is no room.
    pub fn write(&self, out: &mut MessageWriter<'_>) -> Result<(), EncodeError> {
        let slot = self.slot;
        match &self.said {
            Said::Open(bringing) => out.put(&Open { slot, offer: bringing.offer() }),
            Said::Accept(bringing, sig) => out.put(&Accept { slot, offer: bringing.offer(), sig: *sig }),
            Said::Settle(offered) => out.put(&Settle(offered.figures(slot))),
            Said::Close(offered, stage) => out.put(&Close { figures: offered.figures(slot), stage: *stage }),
            Said::Letter(letter) => write_letter(slot, letter, out),
        }
    }
}

impl Offered {
    const fn figures(&self, slot: ChannelSlot) -> Figures {
        Figures {
            slot,
            final_sequence: self.final_sequence,
            paid_a: self.paid.a,
            paid_b: self.paid.b,
            sig: self.sig,
        }
    }
}

const fn offered(figures: &Figures) -> Offered {
    let paid = Both { a: figures.paid_a, b: figures.paid_b };
    Offered { final_sequence: figures.final_sequence, paid, sig: figures.sig }
}

fn parse_cosign(message: &Message<'_>) -> Result<(ChannelSlot, Said), DecodeError> {
    let cosign: Cosign<'_> = message.parse()?;
    let carried =
        if cosign.carried.is_empty() { None } else { Some(ClaimBody::decode(cosign.carried)?.claim) };
    let letter = Letter::Cosign { sequence: cosign.sequence, sig: cosign.sig, carried };
    Ok((cosign.slot, Said::Letter(letter)))
}

fn write_letter(
    slot: ChannelSlot,
    letter: &Letter<Signature>,
    out: &mut MessageWriter<'_>,
) -> Result<(), EncodeError> {
    match letter {
        Letter::Claim(claim) => out.put(&ClaimBody { slot, claim: claim.clone() }),
        Letter::Cosign { sequence, sig, carried } => {
            let carried: Vec<u8> = match carried {
                None => Vec::new(),
                Some(claim) => {
                    let body = ClaimBody { slot, claim: claim.clone() };
                    let mut bytes = vec![0; body.encoded_len()];
                    body.encode(&mut bytes)?;
                    bytes
                }
            };
            out.put(&Cosign { slot, sequence: *sequence, sig: *sig, carried: &carried })
        }
        Letter::Refuse { sequence, code } => out.put(&Refuse { slot, sequence: *sequence, code: *code }),
        Letter::Settle { body, sig } => {
            let paid = Both { a: body.paid_a, b: body.paid_b };
            let offered = Offered { final_sequence: body.final_sequence, paid, sig: *sig };
            out.put(&Settle(offered.figures(slot)))
        }
        Letter::Settled(record) => {
            let Agreed { body, sigs } = record;
            out.put(&Settled { slot, record: SettlementRecord { body: *body, sig_a: sigs.a, sig_b: sigs.b } })
        }
        Letter::Latest(latest) => out.put(&latest.to_wire(slot)),
        Letter::Close { body, sig, stage } => {
            let paid = Both { a: body.paid_a, b: body.paid_b };
            let offered = Offered { final_sequence: body.final_sequence, paid, sig: *sig };
            out.put(&Close { figures: offered.figures(slot), stage: *stage })
        }
    }
}

impl From<&LatestState> for Latest<Signature> {
    fn from(latest: &LatestState) -> Self {
        let ChannelState { body, sig_a, sig_b } = latest.state;
        let standing = if latest.flags.has(StateFlags::RESUMED) {
            Standing::Resumed
        } else if latest.flags.has(StateFlags::DISPUTED) {
            Standing::Disputed
        } else {
            Standing::Sound
        };
        let answer = if latest.flags.has(StateFlags::ANSWER) { Answer::Wanted } else { Answer::Unwanted };
        let highest = Both { a: latest.highest_a, b: latest.highest_b };
        Self { state: Agreed { body, sigs: Both { a: sig_a, b: sig_b } }, highest, standing, answer }
    }
}

impl Latest<Signature> {
    fn to_wire(&self, slot: ChannelSlot) -> LatestState {
        let standing = match self.standing {
            Standing::Sound => StateFlags::PLAIN,
            Standing::Resumed => StateFlags::RESUMED,
            Standing::Disputed => StateFlags::DISPUTED,
        };
        let answer = match self.answer {
            Answer::Wanted => StateFlags::ANSWER,
            Answer::Unwanted => StateFlags::PLAIN,
        };
        let Agreed { body, sigs } = &self.state;
        LatestState {
            slot,
            flags: standing.and(answer),
            highest_a: self.highest.a,
            highest_b: self.highest.b,
            state: ChannelState { body: *body, sig_a: sigs.a, sig_b: sigs.b },
        }
    }
}

/// CLAIM's body: `slot u8 ‖ from u16 ‖ w u16 ‖ proposal[80] [‖ proof[80]]`.
struct ClaimBody {
    slot: ChannelSlot,
    claim: Claim<Signature>,
}

impl Layout<'_> for ClaimBody {
    const NAME: &'static str = "claim";

    fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let slot = ChannelSlot(reader.u8("slot")?);
        let (from, w) = (reader.u16_le("from")?, reader.u16_le("w")?);
        let Proposal { base_sequence, sequence, sig } = Proposal::read(reader)?;
        let proof = if reader.remaining() == 0 { None } else { Some(Box::new(reader.array("proof")?)) };
        Ok(Self { slot, claim: Claim { ticket: Ticket { from, w, proof }, base_sequence, sequence, sig } })
    }

    fn write(&self, out: &mut Writer<'_>) -> Result<(), EncodeError> {
        let Claim { ticket, base_sequence, sequence, sig } = &self.claim;
        out.u8(self.slot.0)?;
        out.u16_le(ticket.from)?;
        out.u16_le(ticket.w)?;
        Proposal { base_sequence: *base_sequence, sequence: *sequence, sig: *sig }.write(out)?;
        ticket.proof.as_ref().map_or(Ok(()), |proof| out.put(&proof[..]))
    }

    fn encoded_len(&self) -> usize {
        let [bare, proved] = Cosign::CLAIMS;
        if self.claim.ticket.proof.is_some() { proved } else { bare }
    }
}

impl Body<'_> for ClaimBody {
    const KIND: MessageKind = MessageKind::CLAIM;
}
