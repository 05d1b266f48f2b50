//! Reads recordings of media, and searches them for what must not be seen there. Format: spec/node.md#recordings.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::Path;

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
    let bytes = fs::read(path)?;
    let mut rest = bytes.get(FILE_HEADER..).unwrap_or_default();
    let mut all = Vec::new();
    while let Some((header, after)) = rest.split_first_chunk::<RECORD_HEADER>() {
        let [.., a, b, c, d, _, _, _, _] = *header;
        let length = usize::try_from(u32::from_le_bytes([a, b, c, d])).unwrap_or(usize::MAX);
        let Some((packet, next)) = after.split_at_checked(length) else { break };
        let Some(recorded) = recorded(packet) else { return Err(io::ErrorKind::InvalidData.into()) };
        all.push(recorded);
        rest = next;
    }
    Ok(all)
}

const FILE_HEADER: usize = 24;
const RECORD_HEADER: usize = 16;

fn recorded(packet: &[u8]) -> Option<Recorded> {
    let (&[1, interface, direction @ 0..=1, length], rest) = packet.split_first_chunk()? else { return None };
    let (endpoint, frame) = rest.split_at_checked(length.into())?;
    Some(Recorded { interface, sent: direction == 1, endpoint: endpoint.to_vec(), frame: frame.to_vec() })
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

/// The bytes of a number in hexadecimal digits, as the control protocol writes ids.
#[must_use]
pub fn unhex(hex: &str) -> Option<Vec<u8>> {
    let digits = hex.as_bytes().chunks(2);
    digits.map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

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
            let packet = [&[version, 3, 1, 2, 0xaa, 0xbb][..], b"frame"].concat();
            let length = u32::try_from(packet.len()).unwrap().to_le_bytes();
            [&[0; 8][..], &length, &length, &packet].concat()
        };
        let whole = [&[0; FILE_HEADER][..], &packet(1), &packet(1)].concat();
        let frame =
            Recorded { interface: 3, sent: true, endpoint: vec![0xaa, 0xbb], frame: b"frame".to_vec() };
        fs::write(&path, &whole).unwrap();
        assert_eq!(read(&path).unwrap(), [frame.clone(), frame.clone()]);
        fs::write(&path, &whole[..whole.len() - 1]).unwrap();
        assert_eq!(read(&path).unwrap(), [frame]);
        fs::write(&path, [&[0; FILE_HEADER][..], &packet(2)].concat()).unwrap();
        assert!(read(&path).is_err());
    }
}
