//! A recording on its way to a file. Format: spec/capture.md#container.

use std::fs::File;
use std::io::{self, BufWriter, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use nexus_wire::nexus::Layout;
use nexus_wire::nexus::recording::Direction;
use nexus_wire::pcapng::{self, Packet};

/// How many recordings of one name there may be.
const RECORDINGS: u32 = 1_000;
/// For whoever runs the daemon alone: who talks with whom is in every recording.
const MODE: u32 = 0o600;

/// A file that grows by a packet at a time. It has one interface.
#[derive(Debug)]
pub(crate) struct Tape {
    /// None when it is full or could not be written.
    file: Option<BufWriter<File>>,
    path: PathBuf,
    length: u64,
    most: Option<u64>,
}

impl Tape {
    /// Begins a recording of the interface that `head` introduces. A file that exists is left alone, and the next free number is put
    /// before its ending: `lan.pcap`, `lan.1.pcap`, … It ends before it is longer than `most` bytes.
    pub(crate) fn begin(path: &Path, head: &[u8], most: Option<u64>) -> io::Result<Self> {
        let head = [&pcapng::section("nexus")[..], head].concat();
        for number in 0..RECORDINGS {
            let path = numbered(path, number);
            match File::options().write(true).create_new(true).mode(MODE).open(&path) {
                Ok(file) => {
                    let mut file = BufWriter::new(file);
                    file.write_all(&head)?;
                    file.flush()?;
                    return Ok(Self { file: Some(file), path, length: head.len() as u64, most });
                }
                Err(cause) if cause.kind() == io::ErrorKind::AlreadyExists => {}
                Err(cause) => return Err(cause),
            }
        }
        Err(io::ErrorKind::AlreadyExists.into())
    }

    /// The file.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Adds a packet, with the time that it is.
    pub(crate) fn record<'a>(&mut self, direction: Direction, recorded: &impl Layout<'a>) {
        let Some(file) = &mut self.file else { return };
        let mut data = vec![0; recorded.encoded_len()];
        recorded.encode(&mut data).expect("the buffer has the value's own length");
        let time = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        // The nanoseconds end in 2554.
        let time_ns = u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        let block = Packet { interface: 0, time_ns, direction, data: &data }.to_block();
        let length = self.length + block.len() as u64;
        if self.most.is_some_and(|most| length > most) {
            tracing::warn!(path = %self.path.display(), "the recording is full");
            self.end();
            return;
        }
        if let Err(cause) = file.write_all(&block) {
            tracing::warn!(path = %self.path.display(), %cause, "the recording ends here");
            self.file = None;
        }
        self.length = length;
    }

    /// Brings everything to the disk.
    pub(crate) fn end(&mut self) {
        let Some(mut file) = self.file.take() else { return };
        if let Err(cause) = file.flush().and_then(|()| file.get_ref().sync_all()) {
            tracing::warn!(path = %self.path.display(), %cause, "the recording may be incomplete");
        }
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
