//! What somebody who records every medium of the demo could read.

use std::path::PathBuf;

use nexus_daemon::recordings::{self, Searched, unhex};

use super::DemoError;

/// Searches recordings for any run of eight bytes of the texts, and of the addresses (in hexadecimal) as bytes.
pub(super) fn search(
    recordings: &[PathBuf],
    texts: &[&str],
    addresses: &[&str],
) -> Result<Searched, DemoError> {
    let addresses: Vec<Vec<u8>> = addresses.iter().filter_map(|address| unhex(address)).collect();
    let secrets = texts.iter().map(|text| text.as_bytes()).chain(addresses.iter().map(Vec::as_slice));
    recordings::search(recordings, secrets).map_err(DemoError::Recording)
}
