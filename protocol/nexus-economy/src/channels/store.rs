//! Accounts as the store keeps them. Source: spec/economy.md#stored.

use alloc::boxed::Box;
use alloc::vec;
use alloc::vec::Vec;

use nexus_crypto::{Signature, VerifyingKey, VrfPublicKey};
use nexus_wire::codec::{DecodeError, EncodeError, Fault, Reader, Writer};
use nexus_wire::nexus::Layout;
use nexus_wire::nexus::channel::{
    ChannelBody, ChannelId, ChannelNonce, ChannelState, SettlementBody, SettlementRecord,
};
use nexus_wire::nexus::channel_messages::ChannelSlot;

use super::account::{Account, Agreed, Own, Phase, Terms, Ticket, Win, Wish};
use super::figures::Brought;
use super::keys::{Both, Side};
use super::letters::Bringing;
use crate::money::Amount;

/// A channel as far as it has come, with whom.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Kept {
    /// The other's signing key.
    pub key: VerifyingKey,
    /// The other's key of proofs.
    pub vrf_key: VrfPublicKey,
    /// How far it has come.
    pub stage: Stage,
}

/// How far a channel has come.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Stage {
    /// This node accepted, and waits for the first state with both signatures.
    AwaitingState(Box<Accepting>),
    /// It stands.
    Standing(Box<Account<Signature>>),
}

/// An offer that was accepted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Accepting {
    /// What both brought, and the names.
    pub terms: Terms,
    /// What this node brought.
    pub bringing: Bringing,
    /// The first state.
    pub body: ChannelBody,
    /// This node's signature on it.
    pub sig: Signature,
}

const VERSION: u8 = 1;
const ROOM: usize = 1_400;

impl Kept {
    /// As the store keeps it.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut buffer = vec![0; ROOM];
        let mut out = Writer::new(&mut buffer);
        self.write(&mut out).expect("the longest account has less than its room");
        let length = out.written();
        buffer.truncate(length);
        buffer
    }

    /// From the store.
    ///
    /// # Errors
    /// If it is none.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new("stored channel", bytes);
        let kept = Self::read(&mut reader)?;
        reader.finish("settled")?;
        Ok(kept)
    }

    fn write(&self, out: &mut Writer<'_>) -> Result<(), EncodeError> {
        out.u8(VERSION)?;
        out.put(&self.key.0)?;
        out.put(&self.vrf_key.0)?;
        match &self.stage {
            Stage::AwaitingState(accepting) => {
                out.u8(0)?;
                write_terms(out, &accepting.terms)?;
                let Bringing { nonce, line, deposit, vrf_key } = &accepting.bringing;
                out.put(&nonce.0)?;
                out.u64_le(line.micros())?;
                out.u64_le(deposit.micros())?;
                out.put(&vrf_key.0)?;
                accepting.body.write(out)?;
                out.put(&accepting.sig.0)
            }
            Stage::Standing(account) => {
                out.u8(1)?;
                write_account(out, account)
            }
        }
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        if reader.u8("version")? != VERSION {
            return Err(reader.error("version", Fault::Version));
        }
        let key = VerifyingKey(reader.array("key")?);
        let vrf_key = VrfPublicKey(reader.array("vrf key")?);
        let stage = match reader.u8("stage")? {
            0 => Stage::AwaitingState(Box::new(Accepting {
                terms: read_terms(reader)?,
                bringing: Bringing {
                    nonce: ChannelNonce(reader.array("nonce")?),
                    line: read_amount(reader)?,
                    deposit: read_amount(reader)?,
                    vrf_key: VrfPublicKey(reader.array("own vrf key")?),
                },
                body: ChannelBody::read(reader)?,
                sig: read_sig(reader)?,
            })),
            1 => Stage::Standing(Box::new(read_account(reader)?)),
            _ => return Err(reader.error("stage", Fault::Value)),
        };
        Ok(Self { key, vrf_key, stage })
    }
}

fn write_terms(out: &mut Writer<'_>, terms: &Terms) -> Result<(), EncodeError> {
    out.put(&terms.channel.0)?;
    out.u8(match terms.side {
        Side::A => 0,
        Side::B => 1,
    })?;
    out.u8(terms.slot.0)?;
    write_amounts(out, &terms.brought.lines)?;
    write_amounts(out, &terms.brought.deposits)
}

fn read_terms(reader: &mut Reader<'_>) -> Result<Terms, DecodeError> {
    let channel = ChannelId(reader.array("channel")?);
    let side = match reader.u8("side")? {
        0 => Side::A,
        1 => Side::B,
        _ => return Err(reader.error("side", Fault::Value)),
    };
    let slot = ChannelSlot(reader.u8("slot")?);
    let brought = Brought { lines: read_amounts(reader)?, deposits: read_amounts(reader)? };
    Ok(Terms { channel, side, slot, brought })
}

fn write_account(out: &mut Writer<'_>, account: &Account<Signature>) -> Result<(), EncodeError> {
    write_terms(out, &account.terms)?;
    write_amounts(out, &account.certified)?;
    let Agreed { body, sigs } = &account.agreed;
    ChannelState { body: *body, sig_a: sigs.a, sig_b: sigs.b }.write(out)?;
    [account.used, account.floor, account.updated].iter().try_for_each(|number| out.u64_le(*number))?;
    out.u8(match account.wish {
        Wish::Nothing => 0,
        Wish::Settle => 1,
        Wish::Close => 2,
    })?;
    write_own(out, &account.own)?;
    write_phase(out, &account.phase)?;
    match &account.settled {
        None => out.u8(0),
        Some(Agreed { body, sigs }) => {
            out.u8(1)?;
            SettlementRecord { body: *body, sig_a: sigs.a, sig_b: sigs.b }.write(out)
        }
    }
}

fn read_account(reader: &mut Reader<'_>) -> Result<Account<Signature>, DecodeError> {
    let terms = read_terms(reader)?;
    let certified = read_amounts(reader)?;
    let ChannelState { body, sig_a, sig_b } = ChannelState::read(reader)?;
    let agreed = Agreed { body, sigs: Both { a: sig_a, b: sig_b } };
    let (used, floor, updated) = (reader.u64_le("used")?, reader.u64_le("floor")?, reader.u64_le("updated")?);
    let wish = match reader.u8("wish")? {
        0 => Wish::Nothing,
        1 => Wish::Settle,
        2 => Wish::Close,
        _ => return Err(reader.error("wish", Fault::Value)),
    };
    let (own, phase) = (read_own(reader)?, read_phase(reader)?);
    let settled = match reader.u8("settled")? {
        0 => None,
        1 => {
            let SettlementRecord { body, sig_a, sig_b } = SettlementRecord::read(reader)?;
            Some(Agreed { body, sigs: Both { a: sig_a, b: sig_b } })
        }
        _ => return Err(reader.error("settled", Fault::Value)),
    };
    Ok(Account { terms, certified, agreed, used, floor, own, phase, wish, settled, updated })
}

fn write_own(out: &mut Writer<'_>, own: &Own<Signature>) -> Result<(), EncodeError> {
    match own {
        Own::AwaitingWin => out.u8(0),
        Own::AwaitingTurn(win) => {
            out.u8(1)?;
            write_win(out, win)
        }
        Own::AwaitingCosign { win, body, sig } => {
            out.u8(2)?;
            write_win(out, win)?;
            body.write(out)?;
            out.put(&sig.0)
        }
    }
}

fn read_own(reader: &mut Reader<'_>) -> Result<Own<Signature>, DecodeError> {
    match reader.u8("own")? {
        0 => Ok(Own::AwaitingWin),
        1 => Ok(Own::AwaitingTurn(read_win(reader)?)),
        2 => Ok(Own::AwaitingCosign {
            win: read_win(reader)?,
            body: ChannelBody::read(reader)?,
            sig: read_sig(reader)?,
        }),
        _ => Err(reader.error("own", Fault::Value)),
    }
}

fn write_win(out: &mut Writer<'_>, win: &Win) -> Result<(), EncodeError> {
    out.u64_le(win.reward.micros())?;
    out.u16_le(win.ticket.from)?;
    out.u16_le(win.ticket.w)?;
    match &win.ticket.proof {
        None => out.u8(0),
        Some(proof) => {
            out.u8(1)?;
            out.put(&proof[..])
        }
    }
}

fn read_win(reader: &mut Reader<'_>) -> Result<Win, DecodeError> {
    let reward = read_amount(reader)?;
    let (from, w) = (reader.u16_le("from")?, reader.u16_le("w")?);
    let proof = match reader.u8("has proof")? {
        0 => None,
        1 => Some(Box::new(reader.array("proof")?)),
        _ => return Err(reader.error("has proof", Fault::Value)),
    };
    Ok(Win { reward, ticket: Ticket { from, w, proof } })
}

fn write_phase(out: &mut Writer<'_>, phase: &Phase<Signature>) -> Result<(), EncodeError> {
    let mut offered = |tag: u8, body: &SettlementBody, sigs: &[&Signature]| {
        out.u8(tag)?;
        body.write(out)?;
        sigs.iter().try_for_each(|sig| out.put(&sig.0))
    };
    match phase {
        Phase::AwaitingSettled { body, sig } => offered(2, body, &[sig]),
        Phase::AwaitingClose { body, sig } => offered(3, body, &[sig]),
        Phase::Closed { body, sigs: None } => offered(5, body, &[]),
        Phase::Closed { body, sigs: Some(sigs) } => offered(6, body, &[&sigs.a, &sigs.b]),
        Phase::Open => out.u8(0),
        Phase::AwaitingResume => out.u8(1),
        Phase::AwaitingWindow { since } => {
            out.u8(4)?;
            out.u64_le(*since)
        }
    }
}

fn read_phase(reader: &mut Reader<'_>) -> Result<Phase<Signature>, DecodeError> {
    Ok(match reader.u8("phase")? {
        0 => Phase::Open,
        1 => Phase::AwaitingResume,
        2 => Phase::AwaitingSettled { body: SettlementBody::read(reader)?, sig: read_sig(reader)? },
        3 => Phase::AwaitingClose { body: SettlementBody::read(reader)?, sig: read_sig(reader)? },
        4 => Phase::AwaitingWindow { since: reader.u64_le("since")? },
        5 => Phase::Closed { body: SettlementBody::read(reader)?, sigs: None },
        6 => {
            let body = SettlementBody::read(reader)?;
            Phase::Closed { body, sigs: Some(Both { a: read_sig(reader)?, b: read_sig(reader)? }) }
        }
        _ => return Err(reader.error("phase", Fault::Value)),
    })
}

fn write_amounts(out: &mut Writer<'_>, amounts: &Both<Amount>) -> Result<(), EncodeError> {
    out.u64_le(amounts.a.micros())?;
    out.u64_le(amounts.b.micros())
}

fn read_amounts(reader: &mut Reader<'_>) -> Result<Both<Amount>, DecodeError> {
    Ok(Both { a: read_amount(reader)?, b: read_amount(reader)? })
}

fn read_amount(reader: &mut Reader<'_>) -> Result<Amount, DecodeError> {
    reader.u64_le("amount").map(Amount::from_micros)
}

fn read_sig(reader: &mut Reader<'_>) -> Result<Signature, DecodeError> {
    reader.array("sig").map(Signature)
}
