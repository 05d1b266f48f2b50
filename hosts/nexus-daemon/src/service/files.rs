//! Files over Reticulum links, as `rncp` leaves and takes them. Spec: spec/endpoint.md#files.

mod receiving;
mod sending;

use std::collections::BTreeMap;

use nexus_node::endpoint::{Event, Handle};

use super::Service;
use receiving::Receiving;
use sending::Sending;

/// What files are left at.
const NAME: &str = "rncp.receive";

/// Files that are sent and received.
#[derive(Debug, Default)]
pub(super) struct Files {
    sending: BTreeMap<Handle, Sending>,
    receiving: Option<Receiving>,
}

impl Service {
    /// What of the endpoint's news concerns files.
    pub(super) async fn hear_of_files(&mut self, event: &Event) {
        self.hear_of_sending(event).await;
        self.hear_of_receiving(event).await;
    }
}
