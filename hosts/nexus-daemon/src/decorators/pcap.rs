//! A recording of what a medium carries, for tools that read pcap files. Source: spec/node.md#recordings.

use std::collections::BTreeMap;
use std::fmt;
use std::fs::File;
use std::io::{self, BufWriter, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use nexus_network::{Endpoint, InterfaceId};
use tokio::sync::oneshot;

use super::Tap;
use crate::driver::{Driver, Handed, News, OpenError, Opening, PortId};

/// Records every frame with its time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pcap {
    /// The file. One that exists is left alone, and a number is put before the ending: `lan.pcap`, `lan.1.pcap`, …
    pub path: PathBuf,
    /// The recording ends before it is longer than this, in bytes.
    pub most: Option<u64>,
}

/// How many recordings of one name there may be.
const RECORDINGS: u32 = 1_000;
/// Little-endian, times in microseconds.
const MAGIC: u32 = 0xa1b2_c3d4;
/// Frames of this length and all shorter ones are recorded whole.
const SNAPSHOT_LEN: u32 = 65_535 + 4 + 18;
/// `LINKTYPE_USER0`.
const LINK_TYPE: u32 = 147;
/// What stands before each packet in the file, in bytes.
const RECORD_HEADER: usize = 16;
/// The version of the header before each frame.
const VERSION: u8 = 1;

/// Which way a frame went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
enum Direction {
    Received = 0,
    Sent = 1,
}

impl Pcap {
    pub(super) fn start(&self, name: &str) -> Result<impl Tap + use<>, OpenError> {
        let (file, path) = self.create().map_err(|cause| OpenError::Recording {
            name: name.to_owned(),
            path: self.path.clone(),
            cause,
        })?;
        tracing::info!(medium = name, path = %path.display(), "frames are recorded");
        let tape = Tape { file: Some(file), path, length: HEADER.len() as u64, most: self.most };
        Ok(Recording { tape: Arc::new(Mutex::new(tape)), numbers: BTreeMap::new() })
    }

    fn create(&self) -> io::Result<(BufWriter<File>, PathBuf)> {
        for number in 0..RECORDINGS {
            let path = numbered(&self.path, number);
            match File::create_new(&path) {
                Ok(file) => {
                    let mut file = BufWriter::new(file);
                    file.write_all(&HEADER)?;
                    file.flush()?;
                    return Ok((file, path));
                }
                Err(cause) if cause.kind() == io::ErrorKind::AlreadyExists => {}
                Err(cause) => return Err(cause),
            }
        }
        Err(io::ErrorKind::AlreadyExists.into())
    }
}

impl fmt::Display for Pcap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "recorded in {}", self.path.display())
    }
}

/// `path`, with a number before its ending if it is not the first.
fn numbered(path: &Path, number: u32) -> PathBuf {
    match (number, path.extension().and_then(|ending| ending.to_str())) {
        (0, _) => path.to_owned(),
        (_, Some(ending)) => path.with_extension(format!("{number}.{ending}")),
        (_, None) => path.with_extension(number.to_string()),
    }
}

/// What a file begins with.
const HEADER: [u8; 24] = {
    let ([m0, m1, m2, m3], [l0, l1, l2, l3]) = (MAGIC.to_le_bytes(), LINK_TYPE.to_le_bytes());
    let [s0, s1, s2, s3] = SNAPSHOT_LEN.to_le_bytes();
    // Version 2.4, no time zone, no stated accuracy.
    [m0, m1, m2, m3, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, s0, s1, s2, s3, l0, l1, l2, l3]
};

/// The file, shared by both directions.
#[derive(Debug)]
struct Tape {
    /// None when it is full or could not be written.
    file: Option<BufWriter<File>>,
    path: PathBuf,
    length: u64,
    most: Option<u64>,
}

impl Tape {
    fn record(&mut self, iface: InterfaceId, direction: Direction, peer: Option<&Endpoint>, frame: &[u8]) {
        let Some(file) = &mut self.file else { return };
        let peer = peer.map_or(&[][..], Endpoint::as_bytes);
        let (header, length) = head(iface, direction, peer, frame.len());
        let length = length as u64 + RECORD_HEADER as u64;
        if self.most.is_some_and(|most| self.length + length > most) {
            tracing::warn!(path = %self.path.display(), "the recording is full");
            self.end();
            return;
        }
        let written =
            file.write_all(&header).and_then(|()| file.write_all(peer)).and_then(|()| file.write_all(frame));
        if let Err(cause) = written {
            tracing::warn!(path = %self.path.display(), %cause, "the recording ends here");
            self.file = None;
        }
        self.length += length;
    }

    /// Brings everything to the disk.
    fn end(&mut self) {
        let Some(mut file) = self.file.take() else { return };
        if let Err(cause) = file.flush().and_then(|()| file.get_ref().sync_all()) {
            tracing::warn!(path = %self.path.display(), %cause, "the recording may be incomplete");
        }
    }
}

/// The record header and the header before the frame, and the length of what follows the former.
fn head(
    iface: InterfaceId,
    direction: Direction,
    peer: &[u8],
    frame: usize,
) -> ([u8; RECORD_HEADER + 4], usize) {
    let time = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    // The format's seconds end in 2106.
    let seconds = u32::try_from(time.as_secs()).unwrap_or(u32::MAX);
    let peer_len = u8::try_from(peer.len()).expect("an endpoint has at most 18 bytes");
    let packet = 4 + peer.len() + frame;
    let length = u32::try_from(packet).unwrap_or(u32::MAX);
    let mut head = [0; RECORD_HEADER + 4];
    for (place, field) in head.chunks_exact_mut(4).zip([seconds, time.subsec_micros(), length, length]) {
        place.copy_from_slice(&field.to_le_bytes());
    }
    head[RECORD_HEADER..].copy_from_slice(&[VERSION, iface.0, direction as u8, peer_len]);
    (head, packet)
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
                    let mut tape = self.tape.lock().unwrap_or_else(PoisonError::into_inner);
                    tape.record(*iface, Direction::Received, from.as_ref(), frame);
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
            let mut tape = self.tape.lock().unwrap_or_else(PoisonError::into_inner);
            tape.record(*iface, Direction::Sent, to.as_ref(), &frame);
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
