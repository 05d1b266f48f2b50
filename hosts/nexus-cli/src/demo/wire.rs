//! What somebody who records every medium of the demo could read.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;

use super::DemoError;

/// What a search found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Searched {
    /// Bytes that were recorded.
    pub(super) bytes: u64,
    /// Places where something stood in clear.
    pub(super) found: usize,
}

/// A run of this many bytes is no coincidence.
const RUN: usize = 8;

/// Searches recordings for any run of eight bytes of the texts, and of the addresses (in hexadecimal) as bytes.
pub(super) fn search(
    recordings: &[PathBuf],
    texts: &[&str],
    addresses: &[&str],
) -> Result<Searched, DemoError> {
    let addresses: Vec<Vec<u8>> = addresses.iter().filter_map(|address| unhex(address)).collect();
    let secrets = texts.iter().map(|text| text.as_bytes()).chain(addresses.iter().map(Vec::as_slice));
    let runs: BTreeSet<&[u8]> = secrets.flat_map(|secret| secret.windows(RUN)).collect();
    let mut searched = Searched::default();
    for path in recordings {
        let bytes = fs::read(path).map_err(|cause| DemoError::Recording(path.clone(), cause))?;
        searched.bytes += u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        searched.found += bytes.windows(RUN).filter(|window| runs.contains(window)).count();
    }
    Ok(searched)
}

fn unhex(hex: &str) -> Option<Vec<u8>> {
    let digits = hex.as_bytes().chunks(2);
    digits.map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_of_a_text_or_an_address_is_found_and_less_is_not() {
        let directory = tempfile::tempdir().unwrap();
        let file = |name: &str, bytes: &[u8]| {
            let path = directory.path().join(name);
            fs::write(&path, bytes).unwrap();
            path
        };
        let recordings = [file("a", b"..the meadow.."), file("b", b"\x01\x02\x03\x04\x05\x06\x07\x08\x09")];
        let search = |texts: &[&str], addresses: &[&str]| search(&recordings, texts, addresses).unwrap();
        assert_eq!(search(&["over the meadows"], &[]), Searched { bytes: 23, found: 3 });
        assert_eq!(search(&["the mea"], &[]).found, 0, "seven bytes");
        assert_eq!(search(&[], &["ff0203040506070809ff"]).found, 1);
        assert_eq!(search(&[], &["ff02030405060708ff"]).found, 0);
    }
}
