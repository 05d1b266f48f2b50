//! A recording of what a medium carries, for tools that read pcapng files. Source: spec/capture.md#of-a-medium.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use nexus_network::{Endpoint, InterfaceId};
use nexus_wire::nexus::recording::{Direction, RecordedFrame};
use nexus_wire::pcapng::{self, LinkType};
use tokio::sync::oneshot;

use super::Tap;
use crate::driver::{Driver, Handed, News, OpenError, Opening, PortId};
use crate::tape::Tape;

/// Records every frame with its time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pcap {
    /// The file. One that exists is left alone, and a number is put before the ending: `lan.pcap`, `lan.1.pcap`, …
    pub path: PathBuf,
    /// The recording ends before it is longer than this, in bytes.
    pub most: Option<u64>,
}

impl Pcap {
    pub(super) fn start(&self, name: &str) -> Result<impl Tap + use<>, OpenError> {
        let head = pcapng::interface(LinkType::FRAMES, name, "frames as the medium carried them");
        let tape = Tape::begin(&self.path, &head, self.most).map_err(|cause| OpenError::Recording {
            name: name.to_owned(),
            path: self.path.clone(),
            cause,
        })?;
        tracing::info!(medium = name, path = %tape.path().display(), "frames are recorded");
        Ok(Recording { tape: Arc::new(Mutex::new(tape)), numbers: BTreeMap::new() })
    }
}

impl fmt::Display for Pcap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "recorded in {}", self.path.display())
    }
}

fn record(
    tape: &Mutex<Tape>,
    iface: InterfaceId,
    direction: Direction,
    peer: Option<&Endpoint>,
    frame: &[u8],
) {
    let endpoint = peer.map_or(&[][..], Endpoint::as_bytes);
    let recorded = RecordedFrame { interface: iface.0, direction, endpoint, frame };
    tape.lock().unwrap_or_else(PoisonError::into_inner).record(direction, &recorded);
}

struct Recording {
    tape: Arc<Mutex<Tape>>,
    numbers: BTreeMap<PortId, InterfaceId>,
}

impl Tap for Recording {
    fn opened(&mut self, _: PortId, opening: Opening) -> (Opening, Option<oneshot::Receiver<InterfaceId>>) {
        let (tell, told) = oneshot::channel();
        let driver = Recorded {
            tape: Arc::clone(&self.tape),
            number: OnceLock::new(),
            tell: Mutex::new(Some(tell)),
            inner: opening.driver,
        };
        (Opening { driver: Box::new(driver), ..opening }, Some(told))
    }

    fn numbered(&mut self, port: PortId, iface: InterfaceId) {
        self.numbers.insert(port, iface);
    }

    fn said(&mut self, port: PortId, news: News, out: &mut Vec<News>) {
        match &news {
            News::Received { from, frame } => {
                if let Some(iface) = self.numbers.get(&port) {
                    record(&self.tape, *iface, Direction::Received, from.as_ref(), frame);
                }
            }
            News::Closed { .. } => {
                self.numbers.remove(&port);
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

    fn ended(&mut self) {
        self.tape.lock().unwrap_or_else(PoisonError::into_inner).end();
    }
}

#[derive(Debug)]
struct Recorded {
    tape: Arc<Mutex<Tape>>,
    number: OnceLock<InterfaceId>,
    tell: Mutex<Option<oneshot::Sender<InterfaceId>>>,
    inner: Box<dyn Driver>,
}

impl Driver for Recorded {
    fn transmit(&self, to: Option<Endpoint>, frame: Vec<u8>) -> Handed {
        if let Some(iface) = self.number.get() {
            record(&self.tape, *iface, Direction::Sent, to.as_ref(), &frame);
        }
        self.inner.transmit(to, frame)
    }

    fn registered(&self, iface: InterfaceId) {
        self.inner.registered(iface);
        let _the_first = self.number.set(iface);
        if let Some(tell) = self.tell.lock().unwrap_or_else(PoisonError::into_inner).take() {
            let _the_medium_is_closing = tell.send(iface);
        }
    }
}
