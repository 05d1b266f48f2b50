//! Messages: what a frame's plaintext is made of. Source: spec/wire.md#messages.
//!
//! A plaintext is zero or more messages `kind u8, length u16, body`. With kind bit 7 set there is no length: the body
//! has the size that its kind fixes, or runs to the end of the plaintext and is the last.

use super::control::{Ack, BroadcastKeyAck, Congestion, Ping, Rekey, RekeyAck, Signature};
use super::{Layout, take_rest};
use crate::codec::{DecodeError, EncodeError, Reader, Writer};

/// What a message is, without the bit that says how its body is delimited. Unknown kinds survive.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MessageKind(u8);

macro_rules! kinds {
    ($($(#[$doc:meta])* $name:ident = $number:literal;)*) => {
        impl MessageKind {
            $($(#[$doc])* pub const $name: Self = Self($number);)*
        }
    };
}

kinds! {
    /// A Reticulum packet, with its class and price: [`super::traffic::Packet`].
    PACKET = 0x01;
    /// A Reticulum announce, with its path cost: [`super::traffic::Announce`].
    ANNOUNCE = 0x02;
    /// A piece of a larger message: [`super::traffic::Fragment`].
    FRAGMENT = 0x03;
    /// Is anybody there: [`Ping`].
    PING = 0x04;
    /// Yes: [`super::control::Pong`].
    PONG = 0x05;
    /// Path costs: [`super::cost::CostList`].
    COST = 0x06;
    /// An offer of another key: [`Rekey`].
    REKEY = 0x07;
    /// Its acceptance: [`RekeyAck`].
    REKEY_ACK = 0x08;
    /// The sender's broadcast key: [`super::control::BroadcastKey`].
    BROADCAST_KEY = 0x09;
    /// It arrived: [`BroadcastKeyAck`].
    BROADCAST_KEY_ACK = 0x0a;
    /// Which frames arrived: [`Ack`].
    ACK = 0x0b;
    /// A request for another cost: [`super::cost::CostRequest`].
    COST_REQUEST = 0x0c;
    /// What was heard of path costs: [`super::cost::CostAcks`].
    COST_ACK = 0x0d;
    /// Who says all this, last in a broadcast: [`Signature`].
    SIGNATURE = 0x0f;
    /// What a gossip store holds: [`super::gossip::Summary`].
    SUMMARY = 0x10;
    /// What is wanted of it: [`super::gossip::Request`].
    REQUEST = 0x11;
    /// What was wanted: [`super::gossip::Items`].
    ITEMS = 0x12;
    /// Nothing more is wanted: [`super::gossip::Done`].
    DONE = 0x13;
    /// Send less: [`Congestion`].
    CONGESTION = 0x18;
    /// A channel is offered.
    OPEN = 0x20;
    /// It is accepted.
    ACCEPT = 0x21;
    /// The lottery's terms: [`super::lottery::Terms`].
    TERMS = 0x22;
    /// What is due: [`super::lottery::Due`].
    DUE = 0x23;
    /// A payment token: [`super::lottery::TokenRelease`].
    TOKEN = 0x24;
    /// A win, as the next state of the channel: [`super::lottery::Claim`].
    CLAIM = 0x25;
    /// The claim is signed.
    COSIGN = 0x26;
    /// It is refused.
    REFUSE = 0x27;
    /// A settlement is proposed.
    SETTLE = 0x28;
    /// It is signed.
    SETTLED = 0x29;
    /// The latest state of the channel.
    STATE = 0x2a;
    /// The channel's end.
    CLOSE = 0x2b;
    /// An order to open, for witnesses.
    ORDER = 0x2c;
    /// A witness's signature.
    WITNESS = 0x2d;
    /// A quorum of them.
    CERTIFICATE = 0x2e;
    /// A proof of misconduct.
    EVIDENCE = 0x2f;
}

impl MessageKind {
    /// The bit that says that no length follows.
    const SHORT: u8 = 0x80;

    /// The kind with this number, if it is below 128.
    #[must_use]
    pub const fn new(number: u8) -> Option<Self> {
        if number & Self::SHORT == 0 { Some(Self(number)) } else { None }
    }

    /// The kind of the first message of a plaintext: one look, for what is done with every frame.
    #[must_use]
    pub fn first_of(plaintext: &[u8]) -> Option<Self> {
        plaintext.first().map(|byte| Self(byte & !Self::SHORT))
    }

    /// The number, below 128.
    #[must_use]
    pub const fn get(self) -> u8 {
        self.0
    }

    /// Whether it is about money: channels, the lottery, or the ledger.
    #[must_use]
    pub const fn is_of_money(self) -> bool {
        matches!(self.0, 0x20..=0x2f)
    }

    /// The byte by which a message of this kind begins whose body runs to the end of the plaintext.
    #[must_use]
    pub const fn to_the_end(self) -> u8 {
        self.0 | Self::SHORT
    }

    /// The size in bytes that this kind has when it comes without a length; none if it then runs to the end.
    #[must_use]
    pub const fn fixed_len(self) -> Option<usize> {
        match self {
            Self::PING | Self::PONG => Some(Ping::LEN),
            Self::REKEY => Some(Rekey::LEN),
            Self::REKEY_ACK => Some(RekeyAck::LEN),
            Self::BROADCAST_KEY_ACK => Some(BroadcastKeyAck::LEN),
            Self::ACK => Some(Ack::LEN),
            Self::CONGESTION => Some(Congestion::LEN),
            Self(_) => None,
        }
    }
}

/// How the end of a body is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Delimited {
    /// By a length before it.
    ByLength,
    /// By its kind, which fixes the size.
    ByKind,
    /// By the end of the plaintext: it is the last message.
    ByEnd,
}

/// One message of a plaintext: its kind and its body, not yet read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Message<'a> {
    /// What it is. A receiver passes over kinds that it does not know.
    pub kind: MessageKind,
    /// How it was delimited.
    pub delimited: Delimited,
    /// The body.
    pub body: &'a [u8],
}

impl<'a> Message<'a> {
    /// The body as a `T`. Its kind is not checked: it is what the caller chose `T` by.
    pub fn parse<T: Body<'a>>(&self) -> Result<T, DecodeError> {
        T::decode(self.body)
    }
}

impl<'a> Layout<'a> for Message<'a> {
    const NAME: &'static str = "message";

    fn read(reader: &mut Reader<'a>) -> Result<Self, DecodeError> {
        let byte = reader.u8("kind")?;
        let kind = MessageKind(byte & !MessageKind::SHORT);
        if byte & MessageKind::SHORT == 0 {
            let len = reader.u16_le("length")?;
            let body = reader.take("body", usize::from(len))?;
            return Ok(Self { kind, delimited: Delimited::ByLength, body });
        }
        let (delimited, body) = match kind.fixed_len() {
            Some(len) => (Delimited::ByKind, reader.take("body", len)?),
            None => (Delimited::ByEnd, take_rest(reader, "body")?),
        };
        Ok(Self { kind, delimited, body })
    }

    fn write(&self, out: &mut Writer<'_>) -> Result<(), EncodeError> {
        match self.delimited {
            Delimited::ByLength => {
                let len = u16::try_from(self.body.len()).map_err(|_| EncodeError::FieldTooLong)?;
                out.u8(self.kind.0)?;
                out.u16_le(len)?;
            }
            Delimited::ByKind | Delimited::ByEnd => out.u8(self.kind.0 | MessageKind::SHORT)?,
        }
        out.put(self.body)
    }

    fn encoded_len(&self) -> usize {
        head_len(self.delimited).saturating_add(self.body.len())
    }
}

/// How many bytes stand before a body that is delimited so.
const fn head_len(delimited: Delimited) -> usize {
    match delimited {
        Delimited::ByLength => 3,
        Delimited::ByKind | Delimited::ByEnd => 1,
    }
}

/// The body of one kind of message.
pub trait Body<'a>: Layout<'a> {
    /// Which kind.
    const KIND: MessageKind;
}

/// The messages of a plaintext, one after another.
///
/// Takes any bytes. After an error there is nothing more: what stands behind a broken length cannot be told apart.
/// Messages of unknown kinds are yielded too; without a length they run to the end, and so end the plaintext.
#[derive(Clone, Debug)]
pub struct Messages<'a> {
    plaintext: &'a [u8],
    unread: Reader<'a>,
}

impl<'a> Messages<'a> {
    /// The messages of `plaintext`.
    #[must_use]
    pub const fn new(plaintext: &'a [u8]) -> Self {
        Self { plaintext, unread: Reader::new("messages", plaintext) }
    }

    /// What has been read of the plaintext so far. Before a final SIGNATURE it is what the signature covers.
    #[must_use]
    pub fn consumed(&self) -> &'a [u8] {
        let consumed = self.plaintext.len().saturating_sub(self.unread.remaining());
        self.plaintext.get(..consumed).unwrap_or_default()
    }
}

impl<'a> Iterator for Messages<'a> {
    type Item = Result<Message<'a>, DecodeError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.unread.remaining() == 0 {
            return None;
        }
        let message = Message::read(&mut self.unread);
        if message.is_err() {
            self.unread = Reader::new("messages", &[]);
        }
        Some(message)
    }
}

/// A broadcast's plaintext, taken apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SignedPlaintext<'a> {
    /// All messages but the last: what [`super::control::signed_preamble`] precedes and the signature covers.
    pub signed: &'a [u8],
    /// The SIGNATURE at its end.
    pub signature: Signature<'a>,
}

impl<'a> SignedPlaintext<'a> {
    /// Takes `plaintext` apart; none if nobody signed it. Errors are those of the messages, and a SIGNATURE that is not
    /// the last.
    pub fn split(plaintext: &'a [u8]) -> Result<Option<Self>, DecodeError> {
        let mut messages = Messages::new(plaintext);
        loop {
            let signed = messages.consumed();
            let Some(message) = messages.next().transpose()? else { return Ok(None) };
            if message.kind == MessageKind::SIGNATURE {
                messages.unread.finish("signature")?;
                return Ok(Some(Self { signed, signature: message.parse()? }));
            }
        }
    }
}

/// Writes messages into a caller's buffer. A message that does not fit leaves what was written before it as it was.
#[derive(Debug)]
pub struct MessageWriter<'a> {
    buffer: &'a mut [u8],
    written: usize,
}

impl<'a> MessageWriter<'a> {
    /// A plaintext without messages, at the front of `buffer`.
    #[must_use]
    pub const fn new(buffer: &'a mut [u8]) -> Self {
        Self { buffer, written: 0 }
    }

    /// Appends a message: without a length if its kind fixes its size, else with one.
    pub fn put<'b, T: Body<'b>>(&mut self, body: &T) -> Result<(), EncodeError> {
        let delimited = if T::KIND.fixed_len().is_some() { Delimited::ByKind } else { Delimited::ByLength };
        self.append(T::KIND, delimited, body)
    }

    /// Appends the last message, without a length, and returns the plaintext.
    pub fn put_last<'b, T: Body<'b>>(mut self, body: &T) -> Result<&'a mut [u8], EncodeError> {
        self.append(T::KIND, Delimited::ByEnd, body)?;
        Ok(self.finish())
    }

    /// How many bytes [`MessageWriter::put`] would append for `body`.
    #[must_use]
    pub fn len_of<'b, T: Body<'b>>(body: &T) -> usize {
        let delimited = if T::KIND.fixed_len().is_some() { Delimited::ByKind } else { Delimited::ByLength };
        head_len(delimited).saturating_add(body.encoded_len())
    }

    /// How many bytes are left.
    #[must_use]
    pub const fn remaining(&self) -> usize {
        self.buffer.len().saturating_sub(self.written)
    }

    /// The plaintext so far: what a SIGNATURE at its end covers.
    #[must_use]
    pub fn plaintext(&self) -> &[u8] {
        self.buffer.get(..self.written).unwrap_or_default()
    }

    /// The plaintext.
    #[must_use]
    pub fn finish(self) -> &'a mut [u8] {
        self.buffer.get_mut(..self.written).unwrap_or_default()
    }

    fn append<'b, T: Body<'b>>(
        &mut self,
        kind: MessageKind,
        delimited: Delimited,
        body: &T,
    ) -> Result<(), EncodeError> {
        let mut out = Writer::new(self.buffer.get_mut(self.written..).unwrap_or_default());
        match delimited {
            Delimited::ByLength => {
                let len = u16::try_from(body.encoded_len()).map_err(|_| EncodeError::FieldTooLong)?;
                out.u8(kind.0)?;
                out.u16_le(len)?;
            }
            Delimited::ByKind | Delimited::ByEnd => out.u8(kind.0 | MessageKind::SHORT)?,
        }
        body.write(&mut out)?;
        self.written = self.written.saturating_add(out.written());
        Ok(())
    }
}
