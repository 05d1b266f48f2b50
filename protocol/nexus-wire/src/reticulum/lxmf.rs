//! LXMF: messages between people, as Sideband, `NomadNet` and `lxmd` write them. Source: spec/lxmf.md#message.
//!
//! Views over the bytes that came. What lies within the message's four values is kept as it was written, since the signature
//! is over that; attachments and whatever else the fields hold pass unread.

use alloc::vec::Vec;

use nexus_crypto::hash::sha256;
use nexus_crypto::{DestinationHash, Signature};
use nexus_machine::Duration;

use super::msgpack::{Float, Packer, Unpacker};
use crate::codec::{DecodeError, Fault, Reader};

mod announce;
mod propagation;

pub use announce::{DeliveryInfo, DeliveryInfoKind, PropagationInfo};
pub use propagation::{GetRequest, Refused, Stored, TransientId, Upload};

/// The name of destinations at which messages are delivered.
pub const DELIVERY: &str = "lxmf.delivery";
/// The name of destinations of propagation nodes.
pub const PROPAGATION: &str = "lxmf.propagation";
/// The field that carries a [`Ticket`].
pub const FIELD_TICKET: u8 = 0x0c;

/// What names a message: the hash over destination, source and the four values. A stamp does not change it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MessageId(pub [u8; 32]);

impl MessageId {
    /// Its first half.
    #[must_use]
    pub const fn short(&self) -> [u8; 16] {
        let [short @ .., _, _, _, _, _, _, _, _, _, _, _, _, _, _, _, _] = self.0;
        short
    }
}

/// A message, of which nothing is believed before its signature was looked at.
///
/// ```text
/// destination(16) source(16) signature(64) msgpack [time, title, content, fields [, stamp]]
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Message<'a> {
    /// For whom.
    pub destination: DestinationHash,
    /// Who sends it, by its own word.
    pub source: DestinationHash,
    /// By the source's identity, over [`Message::signed`].
    pub signature: Signature,
    /// What it says.
    pub body: Body<'a>,
    /// What it paid, if it did.
    pub stamp: Option<Stamp<'a>>,
}

/// The four values, as they are written one behind the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Body<'a>(&'a [u8]);

/// What a message paid its recipient with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stamp<'a> {
    /// Work. Source: spec/lxmf.md#stamps.
    Work(&'a [u8; 32]),
    /// A recipient's own ticket. Source: spec/lxmf.md#tickets.
    Ticket(&'a [u8; 16]),
}

impl Stamp<'_> {
    /// Its bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8] {
        match self {
            Self::Work(bytes) => bytes.as_slice(),
            Self::Ticket(bytes) => bytes.as_slice(),
        }
    }
}

/// Whoever writes to the ticket's maker with it needs no stamp.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ticket {
    /// Until when, in Unix seconds.
    pub expires: Float,
    /// The secret.
    pub secret: [u8; 16],
}

impl Ticket {
    /// The stamp that it makes for a message.
    #[must_use]
    pub fn stamp(&self, id: &MessageId) -> [u8; 16] {
        let [stamp @ .., _, _, _, _, _, _, _, _, _, _, _, _, _, _, _, _] = sha256(&[&self.secret, &id.0]);
        stamp
    }
}

impl<'a> Message<'a> {
    /// The length of a message's address, within it and before it.
    pub const ADDRESS_LEN: usize = DestinationHash::LEN;
    const NAME: &'static str = "LXMF message";

    /// Reads one with its destination in front: over links and in stores.
    pub fn decode(bytes: &'a [u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(Self::NAME, bytes);
        let destination = DestinationHash(reader.array("destination")?);
        Self::decode_for(destination, reader.rest())
    }

    /// Reads one without: in a packet outside of links, whose address says it.
    pub fn decode_for(destination: DestinationHash, bytes: &'a [u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(Self::NAME, bytes);
        let source = DestinationHash(reader.array("source")?);
        let signature = Signature(reader.array("signature")?);
        let count = match reader.u8("payload")? {
            0x94 => 4,
            0x95 => 5,
            _ => return Err(reader.error("payload", Fault::Value)),
        };
        let values = reader.rest();
        let mut unpacker = Unpacker::new(Self::NAME, values);
        let body = Body::read(&mut unpacker)?;
        let stamp = if count == 5 { Some(Self::read_stamp(&mut unpacker)?) } else { None };
        unpacker.finish("payload")?;
        Ok(Self { destination, source, signature, body, stamp })
    }

    fn read_stamp(unpacker: &mut Unpacker<'a>) -> Result<Stamp<'a>, DecodeError> {
        let before = unpacker.clone();
        // One form only, so that no two messages differ in nothing but how their stamps are written.
        let value = before.clone().value("stamp")?;
        let bytes = unpacker.bin("stamp")?;
        if value.len() != bytes.len().saturating_add(2) {
            return Err(before.refused("stamp"));
        }
        if let Ok(work) = bytes.try_into() {
            Ok(Stamp::Work(work))
        } else {
            bytes.try_into().map(Stamp::Ticket).map_err(|_| before.refused("stamp"))
        }
    }

    /// The bytes behind the destination.
    #[must_use]
    pub fn encode_behind_destination(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(self.body.0.len().saturating_add(128));
        out.extend_from_slice(self.source.as_bytes());
        out.extend_from_slice(self.signature.as_bytes());
        let head = Packer::default().array(if self.stamp.is_some() { 5 } else { 4 }).into_bytes();
        out.extend_from_slice(&head);
        out.extend_from_slice(self.body.0);
        if let Some(stamp) = &self.stamp {
            out.extend_from_slice(&Packer::default().bin(stamp.as_bytes()).into_bytes());
        }
        out
    }

    /// All of it.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut out = self.destination.as_bytes().to_vec();
        out.extend(self.encode_behind_destination());
        out
    }

    /// What names it.
    #[must_use]
    pub fn id(&self) -> MessageId {
        self.body.id(&self.destination, &self.source)
    }

    /// What its signature is over, in parts.
    #[must_use]
    pub fn signed<'b>(&'b self, id: &'b MessageId) -> [&'b [u8]; 5] {
        self.body.signed(&self.destination, &self.source, id)
    }
}

impl<'a> Body<'a> {
    /// A body in the bytes of [`Body::compose`].
    pub fn decode(bytes: &'a [u8]) -> Result<Self, DecodeError> {
        let mut unpacker = Unpacker::new(Message::NAME, bytes);
        let body = Self::read(&mut unpacker)?;
        unpacker.finish("fields")?;
        Ok(body)
    }

    /// The four values, written as stock peers write them. `fields` is one map of msgpack; none for an empty one.
    #[must_use]
    pub fn compose(time: Float, title: &[u8], content: &[u8], fields: Option<&[u8]>) -> Vec<u8> {
        let packer = Packer::default().float(time).bin(title).bin(content);
        match fields {
            Some(fields) => packer.value(fields),
            None => packer.map(0),
        }
        .into_bytes()
    }

    fn read(unpacker: &mut Unpacker<'a>) -> Result<Self, DecodeError> {
        let all = unpacker.rest();
        if unpacker.clone().float("time").is_ok() {
            unpacker.float("time")?;
        } else {
            unpacker.uint("time")?;
        }
        for field in ["title", "content"] {
            bytes_or_text(unpacker, field)?;
        }
        if !unpacker.nil() {
            unpacker.clone().map("fields")?;
            unpacker.value("fields")?;
        }
        let len = all.len().saturating_sub(unpacker.rest().len());
        Ok(Self(all.get(..len).unwrap_or_default()))
    }

    fn parts(&self) -> Option<Parts<'a>> {
        let mut unpacker = Unpacker::new(Message::NAME, self.0);
        let time = unpacker.value("time").ok()?;
        let title = bytes_or_text(&mut unpacker, "title").ok()?;
        let content = bytes_or_text(&mut unpacker, "content").ok()?;
        Some(Parts { time, title, content, fields: unpacker.rest() })
    }

    /// When it was written, by its sender's clock, after the Unix epoch; none if that is no time.
    #[must_use]
    pub fn time(&self) -> Option<Duration> {
        let time = self.parts()?.time;
        if let Ok(seconds) = Unpacker::new(Message::NAME, time).uint("time") {
            return Some(Duration::from_secs(seconds));
        }
        Unpacker::new(Message::NAME, time).float("time").ok()?.duration()
    }

    /// Its title, mostly UTF-8, mostly empty.
    #[must_use]
    pub fn title(&self) -> &'a [u8] {
        self.parts().map(|parts| parts.title).unwrap_or_default()
    }

    /// Its content, mostly UTF-8.
    #[must_use]
    pub fn content(&self) -> &'a [u8] {
        self.parts().map(|parts| parts.content).unwrap_or_default()
    }

    /// Attachments and whatever else, as one value of msgpack: a map, or nil.
    #[must_use]
    pub fn fields(&self) -> &'a [u8] {
        self.parts().map(|parts| parts.fields).unwrap_or_default()
    }

    /// The ticket among its fields.
    #[must_use]
    pub fn ticket(&self) -> Option<Ticket> {
        let mut unpacker = Unpacker::new(Message::NAME, self.fields());
        for _ in 0..unpacker.map("fields").ok()? {
            let key = unpacker.value("field").ok()?;
            let value = unpacker.value("field").ok()?;
            if key != [FIELD_TICKET] {
                continue;
            }
            let mut ticket = Unpacker::new(Message::NAME, value);
            if ticket.array("ticket").ok()? != 2 {
                return None;
            }
            return Some(Ticket {
                expires: ticket.float("expiry").ok()?,
                secret: ticket.bin_array("ticket").ok()?,
            });
        }
        None
    }

    /// What names a message with this body.
    #[must_use]
    pub fn id(&self, destination: &DestinationHash, source: &DestinationHash) -> MessageId {
        MessageId(sha256(&[destination.as_bytes(), source.as_bytes(), FOUR, self.0]))
    }

    /// What the signature is over, in parts.
    #[must_use]
    pub const fn signed<'b>(
        &'b self,
        destination: &'b DestinationHash,
        source: &'b DestinationHash,
        id: &'b MessageId,
    ) -> [&'b [u8]; 5] {
        [destination.as_bytes(), source.as_bytes(), FOUR, self.0, &id.0]
    }
}

/// The head of four values, which is what is hashed and signed whether a stamp follows or not.
const FOUR: &[u8] = &[0x94];

struct Parts<'a> {
    time: &'a [u8],
    title: &'a [u8],
    content: &'a [u8],
    fields: &'a [u8],
}

/// Bytes, or text in their place, as some peers write.
fn bytes_or_text<'a>(unpacker: &mut Unpacker<'a>, field: &'static str) -> Result<&'a [u8], DecodeError> {
    let mut ahead = unpacker.clone();
    if let Ok(bytes) = ahead.bin(field) {
        *unpacker = ahead;
        return Ok(bytes);
    }
    unpacker.text(field)
}
