//! What somebody who records every medium of the demo could read.

use std::path::PathBuf;

use nexus_air::{Transmission, record};
use nexus_daemon::recordings::{self, Searched, unhex};

use super::DemoError;

/// Searches the nodes' recordings, and what was on the air as it was sent and as it is put together, for any run of eight
/// bytes of the texts, and of the addresses (in hexadecimal) as bytes.
pub(super) fn search(
    recordings: &[PathBuf],
    on_air: &[Transmission],
    texts: &[&str],
    addresses: &[&str],
) -> Result<Searched, DemoError> {
    let addresses: Vec<Vec<u8>> = addresses.iter().filter_map(|address| unhex(address)).collect();
    let secrets = || texts.iter().map(|text| text.as_bytes()).chain(addresses.iter().map(Vec::as_slice));
    let recorded = recordings::search(recordings, secrets()).map_err(DemoError::Recording)?;
    let sent = recordings::search_pieces(on_air.iter().map(|one| &one.bytes[..]), secrets());
    let packets = record::packets(on_air);
    let whole = recordings::search_pieces(packets.iter().map(|(_, packet)| &packet[..]), secrets());
    // What is put together is not one byte more that was recorded.
    Ok(Searched { bytes: recorded.bytes + sent.bytes, found: recorded.found + sent.found + whole.found })
}
