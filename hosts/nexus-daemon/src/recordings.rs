//! Reads recordings of media, and searches them for what must not be seen there. Format: spec/capture.md#recorded-frame.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::io;
use std::path::Path;

use nexus_wire::nexus::Layout as _;
use nexus_wire::nexus::recording::{Direction, RecordedFrame};
use nexus_wire::pcapng::{LinkType, Packets, Read};

/// A run of this many bytes is no coincidence.
pub const RUN: usize = 8;

/// A frame as it was recorded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recorded {
    /// The interface's number.
    pub interface: u8,
    /// Whether it was handed to the medium; received otherwise.
    pub sent: bool,
    /// The peer's endpoint; empty on media without addresses.
    pub endpoint: Vec<u8>,
    /// The frame.
    pub frame: Vec<u8>,
}

/// What a search found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Searched {
    /// Bytes that were recorded.
    pub bytes: u64,
    /// Places where something stood in clear.
    pub found: usize,
}

/// All frames of a recording, in their order. A last one that is incomplete is left out.
pub fn read(path: &Path) -> io::Result<Vec<Recorded>> {
    let file = fs::read(path)?;
    let packets = Packets::new(&file).ok_or(io::ErrorKind::InvalidData)?;
    let recorded = |packet: Read<'_>| {
        let RecordedFrame { interface, direction, endpoint, frame } = RecordedFrame::decode(packet.data)
            .map_err(|cause| io::Error::new(io::ErrorKind::InvalidData, cause))?;
        let sent = direction == Direction::Sent;
        Ok(Recorded { interface, sent, endpoint: endpoint.to_vec(), frame: frame.to_vec() })
    };
    packets.filter(|packet| packet.link_type == LinkType::FRAMES).map(recorded).collect()
}

/// Searches recordings for any run of eight bytes of the secrets.
pub fn search<'a>(
    recordings: impl IntoIterator<Item = impl AsRef<Path>>,
    secrets: impl IntoIterator<Item = &'a [u8]>,
) -> io::Result<Searched> {
    let pieces: Vec<Vec<u8>> = recordings.into_iter().map(fs::read).collect::<io::Result<_>>()?;
    Ok(search_pieces(pieces.iter().map(Vec::as_slice), secrets))
}

/// The same for what was recorded by other means than a daemon's: each piece for itself.
pub fn search_pieces<'a, 'b>(
    pieces: impl IntoIterator<Item = &'a [u8]>,
    secrets: impl IntoIterator<Item = &'b [u8]>,
) -> Searched {
    let runs: BTreeSet<&[u8]> = secrets.into_iter().flat_map(|secret| secret.windows(RUN)).collect();
    let mut searched = Searched::default();
    for piece in pieces {
        searched.bytes += u64::try_from(piece.len()).unwrap_or(u64::MAX);
        searched.found += piece.windows(RUN).filter(|window| runs.contains(window)).count();
    }
    searched
}

/// Bytes in hexadecimal digits, as the control protocol writes them.
#[must_use]
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").expect("a string takes all");
        text
    })
}

/// The bytes of a number in hexadecimal digits, as the control protocol writes ids.
#[must_use]
pub fn unhex(hex: &str) -> Option<Vec<u8>> {
    let digits = hex.as_bytes().chunks(2);
    digits.map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use nexus_wire::pcapng::{Packet, interface, section};

    #[test]
    fn a_run_of_a_secret_is_found_and_less_is_not() {
        let directory = tempfile::tempdir().unwrap();
        let file = |name: &str, bytes: &[u8]| {
            let path = directory.path().join(name);
            fs::write(&path, bytes).unwrap();
            path
        };
        let recordings = [file("a", b"..the meadow.."), file("b", b"\x01\x02\x03\x04\x05\x06\x07\x08\x09")];
        let search = |secret: &[u8]| search(&recordings, [secret]).unwrap();
        assert_eq!(search(b"over the meadows"), Searched { bytes: 23, found: 3 });
        assert_eq!(search(b"the mea").found, 0, "seven bytes");
        assert_eq!(search(&unhex("ff0203040506070809ff").unwrap()).found, 1);
        assert_eq!(search(&unhex("ff02030405060708ff").unwrap()).found, 0);
    }

    #[test]
    fn a_run_lies_within_one_piece() {
        let search = |pieces: [&[u8]; 2]| search_pieces(pieces, [&b"over the meadows"[..]]);
        assert_eq!(search([b"..the meadow..", b""]), Searched { bytes: 14, found: 3 });
        assert_eq!(search([b"..the m", b"eadow.."]).found, 0);
    }

    #[test]
    fn frames_are_read_up_to_the_last_whole_one_and_another_format_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a.pcap");
        let packet = |version: u8| {
            let data = [&[version, 3, 1, 2, 0xaa, 0xbb][..], b"frame"].concat();
            Packet { interface: 0, time_ns: 0, direction: Direction::Sent, data: &data }.to_block()
        };
        let head = [section("a test"), interface(LinkType::FRAMES, "a", "")].concat();
        let whole = [&head[..], &packet(1), &packet(1)].concat();
        let frame =
            Recorded { interface: 3, sent: true, endpoint: vec![0xaa, 0xbb], frame: b"frame".to_vec() };
        fs::write(&path, &whole).unwrap();
        assert_eq!(read(&path).unwrap(), [frame.clone(), frame.clone()]);
        fs::write(&path, &whole[..whole.len() - 1]).unwrap();
        assert_eq!(read(&path).unwrap(), [frame]);
        fs::write(&path, [&head[..], &packet(2)].concat()).unwrap();
        assert!(read(&path).is_err());
        fs::write(&path, b"no recording").unwrap();
        assert!(read(&path).is_err());
    }
}
