//! The pcapng container of recordings: what capture tools read. Written little-endian, times in nanoseconds.
//!
//! Source: draft-ietf-opsawg-pcapng, sections 4.1 to 4.3; what stands in it: spec/capture.md#container.

use alloc::vec::Vec;

use crate::nexus::recording::Direction;

/// What an interface's packets are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LinkType(pub u16);

impl LinkType {
    /// `LINKTYPE_USER0`: [`crate::nexus::recording::RecordedFrame`].
    pub const FRAMES: Self = Self(147);
    /// `LINKTYPE_USER1`: [`crate::nexus::recording::RecordedMessages`].
    pub const MESSAGES: Self = Self(148);
}

const SECTION: u32 = 0x0a0d_0d0a;
const INTERFACE: u32 = 1;
const PACKET: u32 = 6;
const BYTE_ORDER: u32 = 0x1a2b_3c4d;

const APPLICATION: u16 = 4;
const NAME: u16 = 2;
const DESCRIPTION: u16 = 3;
const RESOLUTION: u16 = 9;
const FLAGS: u16 = 2;
/// Times are in units of 10⁻⁹ s.
const NANOSECONDS: u8 = 9;

/// What a file begins with: that it is one, and who wrote it.
#[must_use]
pub fn section(application: &str) -> Vec<u8> {
    let mut body = Vec::new();
    put(&mut body, &BYTE_ORDER.to_le_bytes());
    // Version 1.0, and a section whose length is not told.
    put(&mut body, &[1, 0, 0, 0]);
    put(&mut body, &u64::MAX.to_le_bytes());
    option(&mut body, APPLICATION, application.as_bytes());
    end_of_options(&mut body);
    block(SECTION, &body)
}

/// Introduces an interface. They are numbered from 0 in the order in which they come.
#[must_use]
pub fn interface(link_type: LinkType, name: &str, description: &str) -> Vec<u8> {
    let mut body = Vec::new();
    put(&mut body, &link_type.0.to_le_bytes());
    // Reserved, and packets of any length.
    put(&mut body, &[0; 6]);
    option(&mut body, NAME, name.as_bytes());
    option(&mut body, DESCRIPTION, description.as_bytes());
    option(&mut body, RESOLUTION, &[NANOSECONDS]);
    end_of_options(&mut body);
    block(INTERFACE, &body)
}

/// One packet of a recording.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Packet<'a> {
    /// The interface, by its number in the file.
    pub interface: u32,
    /// When, in nanoseconds: since 1970 in a daemon's recordings, since the world's beginning in a simulator's.
    pub time_ns: u64,
    /// Which way it went.
    pub direction: Direction,
    /// The packet.
    pub data: &'a [u8],
}

impl Packet<'_> {
    /// As it stands in the file.
    #[must_use]
    pub fn to_block(&self) -> Vec<u8> {
        let word = |bits: u64| u32::try_from(bits & u64::from(u32::MAX)).unwrap_or(u32::MAX);
        let mut body = Vec::with_capacity(self.data.len().saturating_add(64));
        put(&mut body, &self.interface.to_le_bytes());
        put(&mut body, &word(self.time_ns >> 32).to_le_bytes());
        put(&mut body, &word(self.time_ns).to_le_bytes());
        let length = u32::try_from(self.data.len()).unwrap_or(u32::MAX).to_le_bytes();
        put(&mut body, &length);
        put(&mut body, &length);
        put(&mut body, self.data);
        pad(&mut body);
        let inbound_or_outbound = match self.direction {
            Direction::Received => 1_u32,
            Direction::Sent => 2,
        };
        option(&mut body, FLAGS, &inbound_or_outbound.to_le_bytes());
        end_of_options(&mut body);
        block(PACKET, &body)
    }
}

fn put(to: &mut Vec<u8>, bytes: &[u8]) {
    to.extend_from_slice(bytes);
}

/// Fills up to the next multiple of four.
fn pad(to: &mut Vec<u8>) {
    to.resize(to.len().next_multiple_of(4), 0);
}

/// An option; what is too long for one is cut.
fn option(to: &mut Vec<u8>, code: u16, value: &[u8]) {
    let length = u16::try_from(value.len()).unwrap_or(u16::MAX);
    put(to, &code.to_le_bytes());
    put(to, &length.to_le_bytes());
    put(to, value.get(..usize::from(length)).unwrap_or_default());
    pad(to);
}

fn end_of_options(to: &mut Vec<u8>) {
    put(to, &[0; 4]);
}

fn block(kind: u32, body: &[u8]) -> Vec<u8> {
    /// Kind, and the length before and behind.
    const AROUND: usize = 12;
    let length = u32::try_from(body.len().saturating_add(AROUND)).unwrap_or(u32::MAX).to_le_bytes();
    [&kind.to_le_bytes(), &length[..], body, &length].concat()
}

/// What was read of a recording.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Read<'a> {
    /// What kind of packet it is.
    pub link_type: LinkType,
    /// The interface, by its number in the file.
    pub interface: u32,
    /// When, in nanoseconds.
    pub time_ns: u64,
    /// The packet.
    pub data: &'a [u8],
}

/// The packets of a recording that [`section`], [`interface`] and [`Packet::to_block`] wrote, in their order. A last block that
/// is incomplete is left out; where the bytes are no such recording, the reading ends.
#[derive(Clone, Debug)]
pub struct Packets<'a> {
    rest: &'a [u8],
    link_types: Vec<LinkType>,
}

impl<'a> Packets<'a> {
    /// Reads a recording; none if the bytes are none.
    #[must_use]
    pub fn new(file: &'a [u8]) -> Option<Self> {
        let mut packets = Self { rest: file, link_types: Vec::new() };
        let (kind, body) = packets.next_block()?;
        let is_one = kind == SECTION && body.starts_with(&BYTE_ORDER.to_le_bytes());
        is_one.then_some(packets)
    }

    fn next_block(&mut self) -> Option<(u32, &'a [u8])> {
        let (kind, rest) = self.rest.split_first_chunk()?;
        let (length, rest) = rest.split_first_chunk()?;
        let length = usize::try_from(u32::from_le_bytes(*length)).ok()?;
        let (body, rest) = rest.split_at_checked(length.checked_sub(12)?)?;
        let (_, rest) = rest.split_first_chunk::<4>()?;
        self.rest = rest;
        Some((u32::from_le_bytes(*kind), body))
    }

    fn packet(&self, body: &'a [u8]) -> Option<Read<'a>> {
        let (interface, rest) = body.split_first_chunk()?;
        let (high, rest) = rest.split_first_chunk()?;
        let (low, rest) = rest.split_first_chunk()?;
        let (length, rest) = rest.split_first_chunk()?;
        let (_, rest) = rest.split_first_chunk::<4>()?;
        let interface = u32::from_le_bytes(*interface);
        Some(Read {
            link_type: *self.link_types.get(usize::try_from(interface).ok()?)?,
            interface,
            time_ns: u64::from(u32::from_le_bytes(*high)) << 32 | u64::from(u32::from_le_bytes(*low)),
            data: rest.get(..usize::try_from(u32::from_le_bytes(*length)).ok()?)?,
        })
    }
}

impl<'a> Iterator for Packets<'a> {
    type Item = Read<'a>;

    fn next(&mut self) -> Option<Read<'a>> {
        loop {
            match self.next_block()? {
                (INTERFACE, body) => {
                    let (link_type, _) = body.split_first_chunk()?;
                    self.link_types.push(LinkType(u16::from_le_bytes(*link_type)));
                }
                (PACKET, body) => return self.packet(body),
                // What other programs put between.
                (_, _) => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packet(data: &[u8]) -> Vec<u8> {
        let direction = Direction::Sent;
        Packet { interface: 1, time_ns: 0x0102_0304_0506_0708, direction, data }.to_block()
    }

    #[test]
    fn a_block_is_laid_out_as_the_standard_says() {
        let block = packet(b"frame");
        let expected = [
            &[6, 0, 0, 0, 52, 0, 0, 0, 1, 0, 0, 0][..],
            &[4, 3, 2, 1, 8, 7, 6, 5, 5, 0, 0, 0, 5, 0, 0, 0],
            b"frame\0\0\0",
            &[2, 0, 4, 0, 2, 0, 0, 0],
            &[0, 0, 0, 0, 52, 0, 0, 0],
        ];
        assert_eq!(block, expected.concat());
    }

    #[test]
    fn what_was_written_is_read_up_to_the_last_whole_packet() {
        let file = [
            section("a test"),
            interface(LinkType::FRAMES, "a", "its frames"),
            interface(LinkType::MESSAGES, "b", ""),
            packet(b""),
            packet(b"four"),
        ]
        .concat();
        let read =
            |file| -> Vec<Vec<u8>> { Packets::new(file).unwrap().map(|read| read.data.to_vec()).collect() };
        assert_eq!(read(&file), [b"".to_vec(), b"four".to_vec()]);
        let first = Packets::new(&file).unwrap().next().unwrap();
        let expected =
            Read { link_type: LinkType::MESSAGES, interface: 1, time_ns: 0x0102_0304_0506_0708, data: b"" };
        assert_eq!(first, expected);
        assert_eq!(read(&file[..file.len() - 1]), [b"".to_vec()]);
        assert!(Packets::new(&file[1..]).is_none());
        assert!(Packets::new(&packet(b"")).is_none());
    }

    #[test]
    fn a_recording_cut_or_flipped_anywhere_is_read_without_harm() {
        let file = [section(""), interface(LinkType::FRAMES, "", ""), packet(b"frame")].concat();
        for bit in 0..file.len() * 8 {
            let mut flipped = file.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert!(Packets::new(&flipped).is_none_or(|packets| packets.count() <= 1));
            assert!(Packets::new(&file[..bit / 8]).is_none_or(|packets| packets.count() == 0));
        }
    }
}
