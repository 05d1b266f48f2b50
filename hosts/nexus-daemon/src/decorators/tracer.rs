//! A line in the log for each frame: direction, interface, length and kind. Never what it says.

use std::collections::BTreeMap;
use std::sync::Arc;

use nexus_network::{Endpoint, InterfaceId};
use nexus_wire::nexus::frame::{FrameKind, Head};
use tokio::sync::oneshot;

use super::Tap;
use crate::driver::{Driver, Handed, News, Opening, PortId};

/// Logs each frame at the level `trace`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Tracer;

impl Tracer {
    #[allow(clippy::unused_self, reason = "all decorators start the same way")]
    pub(super) const fn start(self) -> impl Tap {
        Tracing { names: BTreeMap::new() }
    }
}

struct Tracing {
    names: BTreeMap<PortId, Arc<str>>,
}

impl Tap for Tracing {
    fn opened(
        &mut self,
        port: PortId,
        opening: Opening,
    ) -> (Opening, Option<oneshot::Receiver<InterfaceId>>) {
        let name: Arc<str> = opening.name.as_str().into();
        self.names.insert(port, Arc::clone(&name));
        (Opening { driver: Box::new(Traced { name, inner: opening.driver }), ..opening }, None)
    }

    fn said(&mut self, port: PortId, news: News, out: &mut Vec<News>) {
        match &news {
            News::Received { frame, .. } => {
                let interface = self.names.get(&port).map_or("", |name| name);
                tracing::trace!(interface, length = frame.len(), kind = kind(frame), "received");
            }
            News::Closed { .. } => {
                self.names.remove(&port);
            }
            News::Opened(_)
            | News::Carrier(_)
            | News::Sent
            | News::Lost
            | News::Unusable(_)
            | News::Fault(_)
            | News::Radio(_) => {}
        }
        out.push(news);
    }
}

#[derive(Debug)]
struct Traced {
    name: Arc<str>,
    inner: Box<dyn Driver>,
}

impl Driver for Traced {
    fn transmit(&self, to: Option<Endpoint>, frame: Vec<u8>) -> Handed {
        let (length, kind) = (frame.len(), kind(&frame));
        let handed = self.inner.transmit(to, frame);
        tracing::trace!(interface = &*self.name, length, kind, ?handed, "sent");
        handed
    }

    fn registered(&self, iface: InterfaceId) {
        self.inner.registered(iface);
    }
}

/// What the head byte says of a frame's kind.
fn kind(frame: &[u8]) -> &'static str {
    let Some(head) = frame.first() else { return "empty" };
    match Head::from_wire(*head).map(Head::kind) {
        None => "reticulum",
        Some(FrameKind::FIRST) => "first",
        Some(FrameKind::REPLY) => "reply",
        Some(FrameKind::FINISH) => "finish",
        Some(FrameKind::SEALED) => "sealed",
        Some(FrameKind::BROADCAST) => "broadcast",
        Some(FrameKind::COOKIE) => "cookie",
        Some(FrameKind::BEACON) => "beacon",
        Some(_) => "unknown",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kind_is_told_from_the_head_alone() {
        use nexus_wire::nexus::frame::LinkVersion;
        let head = |kind| [Head::new(LinkVersion::ONE, kind).to_wire(), 1, 2, 3];
        assert_eq!(kind(&head(FrameKind::SEALED)), "sealed");
        assert_eq!(kind(&head(FrameKind::BEACON)), "beacon");
        assert_eq!(kind(&head(FrameKind(15))), "unknown");
        assert_eq!(kind(&[0x01, 0x00]), "reticulum");
        assert_eq!(kind(&[]), "empty");
    }
}
