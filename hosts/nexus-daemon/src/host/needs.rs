//! What the node's endpoint says: compression is done here, on a thread of its own, everything else is told.

use std::sync::Arc;

use nexus_node::endpoint::{Bytes, Command as Wanted, Event as Said, Need, Supply};
use nexus_node::{Command, Event};
use nexus_wire::reticulum::LinkId;
use nexus_wire::reticulum::channel::Packing;

use super::Host;
use crate::compression::{compress, decompress};

impl Host {
    pub(super) fn endpoint_says(&self, said: Said) {
        match said {
            Said::Needed { link, need: Need::Pack(handle, data) } => {
                self.supply_later(link, move || match compress(&data.0) {
                    Some(shorter) => Supply::Packed(handle, Packing::Compressed, Bytes(shorter)),
                    None => Supply::Packed(handle, Packing::Plain, data),
                });
            }
            Said::Needed { link, need: Need::Unpack(arrival, data, most) } => {
                let most = usize::try_from(most).unwrap_or(usize::MAX);
                self.supply_later(link, move || {
                    Supply::Unpacked(arrival, decompress(&data.0, most).map(Bytes))
                });
            }
            Said::Needed { link, need: Need::PackPiece(data) } => {
                self.supply_later(link, move || match compress(&data.0) {
                    Some(shorter) => Supply::PackedPiece(Packing::Compressed, Bytes(shorter)),
                    None => Supply::PackedPiece(Packing::Plain, data),
                });
            }
            Said::Needed { link, need: Need::UnpackPiece(data, most) } => {
                let most = usize::try_from(most).unwrap_or(usize::MAX);
                self.supply_later(link, move || Supply::UnpackedPiece(decompress(&data.0, most).map(Bytes)));
            }
            said => {
                // Without a subscriber nobody wants to know.
                let _subscribers = self.events.send(Arc::new(Event::Endpoint(Box::new(said))));
            }
        }
    }

    /// Makes what is needed where it holds nobody up.
    fn supply_later(&self, link: LinkId, make: impl FnOnce() -> Supply + Send + 'static) {
        let handle = self.handle.clone();
        tokio::spawn(async move {
            // A host that ended needs nothing.
            let Ok(supply) = tokio::task::spawn_blocking(make).await else { return };
            let supplied = Command::Endpoint(Wanted::Supply { link, supply });
            let _gone = handle.ask(move |view| view.command(supplied)).await;
        });
    }
}
