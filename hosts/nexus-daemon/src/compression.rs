//! bzip2, for those who speak it on Reticulum links: the core asks for it by effects. Source: spec/endpoint.md#compression.

use std::io::{Read as _, Write as _};

use bzip2::Compression;
use bzip2::read::BzDecoder;
use bzip2::write::BzEncoder;

/// Compresses, at best; none if that makes it no shorter.
#[must_use]
pub fn compress(data: &[u8]) -> Option<Vec<u8>> {
    let mut encoder = BzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(data).expect("a vector takes all bytes");
    let compressed = encoder.finish().expect("a vector takes all bytes");
    (compressed.len() < data.len()).then_some(compressed)
}

/// Decompresses; none if it is not bzip2, ends early, or would be longer than `at_most` bytes, beyond which no work is done.
#[must_use]
pub fn decompress(compressed: &[u8], at_most: usize) -> Option<Vec<u8>> {
    let mut data = Vec::new();
    let one_more = u64::try_from(at_most).unwrap_or(u64::MAX).saturating_add(1);
    BzDecoder::new(compressed).take(one_more).read_to_end(&mut data).ok()?;
    (data.len() <= at_most).then_some(data)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_compressed_is_the_same_again() {
        let data = b"again and ".repeat(1_000);
        let compressed = compress(&data).expect("it repeats itself");
        assert!(compressed.len() < 200);
        assert_eq!(decompress(&compressed, data.len()).as_deref(), Some(&data[..]));
        assert_eq!(decompress(&compressed, data.len() - 1), None, "a byte more than was announced");
    }

    #[test]
    fn what_does_not_become_shorter_is_left_as_it_is() {
        assert_eq!(compress(b""), None);
        assert_eq!(compress(b"short"), None);
    }

    #[test]
    fn a_bomb_is_not_blown_up() {
        // 64 MiB of zeros are 100 bytes or so, and are worked on up to the first kilobyte alone.
        let bomb = compress(&vec![0; 64 << 20]).expect("zeros become shorter");
        assert!(bomb.len() < 500);
        assert_eq!(decompress(&bomb, 1_000), None);
    }

    #[test]
    fn what_is_damaged_or_cut_is_refused() {
        let compressed = compress(&b"again and ".repeat(1_000)).expect("it repeats itself");
        assert_eq!(decompress(&compressed[..compressed.len() - 1], 100_000), None);
        assert_eq!(decompress(b"not of that form", 100_000), None);
        let mut damaged = compressed;
        damaged[40] ^= 1;
        assert_eq!(decompress(&damaged, 100_000), None);
    }
}
