//! What a NEXUS announce says in its application data: signed by the destination, fixed for one emission, read by NEXUS
//! nodes and carried unread by stock ones. Source: spec/wire.md#announce-extension.

use core::str;

use super::{Layout, require, take_rest};
use crate::codec::{DecodeError, EncodeError, Fault, Reader, Writer};

/// What the extension begins with: 'N' and the version.
const MAGIC: [u8; 2] = [0x4e, 0x01];

/// What a field of the extension is. Unknown kinds survive.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FieldKind(pub u8);

impl FieldKind {
    /// What the node can do: [`Capabilities`], 2 bytes.
    pub const CAPABILITIES: Self = Self(0x01);
    /// The public key of the node's verifiable random function, 32 bytes.
    pub const VRF_KEY: Self = Self(0x02);
    /// The largest packet that it accepts, u16, in bytes.
    pub const LARGEST_PACKET: Self = Self(0x03);
    /// The community that it belongs to: 1 to 32 bytes of UTF-8.
    pub const COMMUNITY: Self = Self(0x04);

    /// Whether a field of this kind may hold `value`. Of an unknown kind anything may be said.
    fn allows(self, value: &[u8]) -> bool {
        match self {
            Self::CAPABILITIES | Self::LARGEST_PACKET => value.len() == 2,
            Self::VRF_KEY => value.len() == 32,
            Self::COMMUNITY => str::from_utf8(value).is_ok_and(|text| CommunityLabel::new(text).is_some()),
            Self(_) => true,
        }
    }
}

/// What a node can do, as bits. The bits are assigned in spec/wire.md#capabilities; unknown ones survive.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub struct Capabilities(pub u16);

impl Capabilities {
    /// Whether every bit of `wanted` is set.
    #[must_use]
    pub const fn include(self, wanted: Self) -> bool {
        self.0 & wanted.0 == wanted.0
    }
}

/// The name of a community: 1 to 32 bytes of UTF-8. Whoever shows it to a person escapes control characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CommunityLabel<'a>(&'a str);

impl<'a> CommunityLabel<'a> {
    /// The most bytes that a label has.
    pub const MAX_LEN: usize = 32;

    /// The label `text`, unless it is empty or too long.
    #[must_use]
    pub const fn new(text: &'a str) -> Option<Self> {
        if text.is_empty() || text.len() > Self::MAX_LEN { None } else { Some(Self(text)) }
    }

    /// Its text.
    #[must_use]
    pub const fn as_str(self) -> &'a str {
        self.0
    }
}

/// One field of the extension.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Field<'a> {
    /// What it is.
    pub kind: FieldKind,
    /// What it says, at most 255 bytes.
    pub value: &'a [u8],
}

impl<'a> Field<'a> {
    fn read(reader: &mut Reader<'a>) -> Result<Self, DecodeError> {
        let kind = FieldKind(reader.u8("type")?);
        let len = reader.u8("length")?;
        let value = reader.take("value", usize::from(len))?;
        require(kind.allows(value), reader, "value", Fault::Value)?;
        Ok(Self { kind, value })
    }

    fn write(&self, out: &mut Writer<'_>) -> Result<(), EncodeError> {
        let len = u8::try_from(self.value.len()).map_err(|_| EncodeError::FieldTooLong)?;
        out.u8(self.kind.0)?;
        out.u8(len)?;
        out.put(self.value)
    }
}

/// The extension as received: a view over the application data.
///
/// Fields come in strictly ascending order of their kinds, so that each stands at most once and there is one way to
/// write a set of them. Fields of unknown kinds are kept where they are and written back unchanged. Application data
/// that is not exactly this is some other application's: the announce is then a stock one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Extension<'a> {
    /// The fields, each of which was checked when the extension was read.
    fields: &'a [u8],
}

impl<'a> Extension<'a> {
    /// The fields, in the order of the wire.
    pub fn fields(&self) -> impl Iterator<Item = Field<'a>> + use<'a> {
        let mut reader = Reader::new(Self::NAME, self.fields);
        core::iter::from_fn(move || Field::read(&mut reader).ok())
    }

    /// What the node can do, if it says so.
    #[must_use]
    pub fn capabilities(&self) -> Option<Capabilities> {
        self.array(FieldKind::CAPABILITIES).map(|bits| Capabilities(u16::from_le_bytes(*bits)))
    }

    /// The public key of its verifiable random function, if it has one. Not yet checked to be a key.
    #[must_use]
    pub fn vrf_key(&self) -> Option<&'a [u8; 32]> {
        self.array(FieldKind::VRF_KEY)
    }

    /// The largest packet that it accepts, in bytes, if it says so.
    #[must_use]
    pub fn largest_packet(&self) -> Option<u16> {
        self.array(FieldKind::LARGEST_PACKET).map(|bytes| u16::from_le_bytes(*bytes))
    }

    /// The community that it belongs to, if any.
    #[must_use]
    pub fn community(&self) -> Option<CommunityLabel<'a>> {
        str::from_utf8(self.find(FieldKind::COMMUNITY)?).ok().and_then(CommunityLabel::new)
    }

    fn find(&self, kind: FieldKind) -> Option<&'a [u8]> {
        self.fields().find(|field| field.kind == kind).map(|field| field.value)
    }

    fn array<const N: usize>(&self, kind: FieldKind) -> Option<&'a [u8; N]> {
        self.find(kind)?.try_into().ok()
    }
}

impl<'a> Layout<'a> for Extension<'a> {
    const NAME: &'static str = "announce-extension";

    fn read(reader: &mut Reader<'a>) -> Result<Self, DecodeError> {
        let [letter, version] = reader.array("magic")?;
        require(letter == 0x4e, reader, "magic", Fault::Value)?;
        require([letter, version] == MAGIC, reader, "version", Fault::Version)?;
        let fields = take_rest(reader, "fields")?;
        let mut unread = Reader::new(Self::NAME, fields);
        let mut last = None;
        while unread.remaining() > 0 {
            let field = Field::read(&mut unread)?;
            require(last < Some(field.kind), &unread, "type", Fault::Value)?;
            last = Some(field.kind);
        }
        Ok(Self { fields })
    }

    fn write(&self, out: &mut Writer<'_>) -> Result<(), EncodeError> {
        out.put(&MAGIC)?;
        self.fields().try_for_each(|field| field.write(out))
    }

    fn encoded_len(&self) -> usize {
        MAGIC.len().saturating_add(self.fields.len())
    }
}

/// What this implementation has to say in an announce of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct OwnExtension<'a> {
    /// What this node can do.
    pub capabilities: Option<Capabilities>,
    /// The public key of its verifiable random function.
    pub vrf_key: Option<&'a [u8; 32]>,
    /// The largest packet that it accepts, in bytes.
    pub largest_packet: Option<u16>,
    /// The community that it belongs to.
    pub community: Option<CommunityLabel<'a>>,
}

impl OwnExtension<'_> {
    /// The most bytes that one takes: room enough for [`OwnExtension::write`].
    pub const MAX_LEN: usize = 2 + 4 + 34 + 4 + 2 + CommunityLabel::MAX_LEN;

    /// Appends the extension to `out`.
    pub fn write(&self, out: &mut Writer<'_>) -> Result<(), EncodeError> {
        out.put(&MAGIC)?;
        let capabilities = self.capabilities.map(|bits| bits.0.to_le_bytes());
        let largest_packet = self.largest_packet.map(u16::to_le_bytes);
        let fields = [
            (FieldKind::CAPABILITIES, capabilities.as_ref().map(<[u8; 2]>::as_slice)),
            (FieldKind::VRF_KEY, self.vrf_key.map(<[u8; 32]>::as_slice)),
            (FieldKind::LARGEST_PACKET, largest_packet.as_ref().map(<[u8; 2]>::as_slice)),
            (FieldKind::COMMUNITY, self.community.map(|label| label.as_str().as_bytes())),
        ];
        for (kind, value) in fields {
            if let Some(value) = value {
                Field { kind, value }.write(out)?;
            }
        }
        Ok(())
    }
}
