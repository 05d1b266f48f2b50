//! Frames over a stream of bytes. Source: spec/reticulum.md#framing.

mod spout;

use std::io;

use nexus_wire::reticulum::{DroppedFrames, hdlc, kiss};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::sync::mpsc;
use tokio::time::{Duration, Instant};

use crate::driver::{HostGone, News, Outgoing, Port};

pub(super) use spout::{Answers, Drain, spout};

/// How much is read at once, in bytes.
const READ: usize = 64 * 1_024;
/// A peer that takes nothing for so long is gone.
const STALLED: Duration = Duration::from_mins(1);

/// How long a peer may be silent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Patience {
    /// Until its first frame.
    pub first: Duration,
    /// Between frames.
    pub idle: Duration,
}

impl Patience {
    /// As long as it wants.
    pub const ENDLESS: Self = Self { first: Duration::MAX, idle: Duration::MAX };
}

/// How frames are told apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framing {
    /// `7E` around each: cables and connections.
    Hdlc,
    /// `C0` around each, and a command before it: packet radio modems.
    Kiss,
}

/// What it adds to a frame, in bytes: a flag at each end, and before it a modem's command. Bytes that are escaped are not counted: two
/// of 256 in what is sealed.
pub(super) const fn framing_overhead(framing: Framing) -> u16 {
    match framing {
        Framing::Hdlc => 2,
        Framing::Kiss => 3,
    }
}

/// How frames go over a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Shape {
    pub(super) framing: Framing,
    /// The longest frame, in bytes.
    pub(super) frame_size: u16,
    pub(super) patience: Patience,
    /// How many bits a second what is behind the stream carries, if it has to be waited for.
    pub(super) pace_bps: Option<u64>,
}

/// Carries frames both ways, framed as HDLC, until the stream ends, and says why it did.
pub(super) async fn carry(
    reader: impl AsyncRead + Unpin,
    writer: impl AsyncWrite + Unpin,
    outgoing: &mut mpsc::Receiver<Outgoing>,
    port: &Port,
    frame_size: u16,
    patience: Patience,
) -> Result<String, HostGone> {
    let shape = Shape { framing: Framing::Hdlc, frame_size, patience, pace_bps: None };
    carry_shaped(reader, writer, outgoing, port, shape).await
}

/// Carries frames both ways until the stream ends, and says why it did.
pub(super) async fn carry_shaped(
    reader: impl AsyncRead + Unpin,
    writer: impl AsyncWrite + Unpin,
    outgoing: &mut mpsc::Receiver<Outgoing>,
    port: &Port,
    shape: Shape,
) -> Result<String, HostGone> {
    tokio::select! {
        why = receive(reader, port, shape) => why,
        why = send(writer, outgoing, port, shape) => why,
    }
}

/// The same where frames gather until the stream takes them.
pub(super) async fn carry_gathered(
    reader: impl AsyncRead + Unpin,
    writer: impl AsyncWrite + Unpin,
    outgoing: &mut Drain,
    port: &Port,
    frame_size: u16,
    patience: Patience,
) -> Result<String, HostGone> {
    let shape = Shape { framing: Framing::Hdlc, frame_size, patience, pace_bps: None };
    tokio::select! {
        why = receive(reader, port, shape) => why,
        why = outgoing.pour(writer, port) => why,
    }
}

/// Takes frames out of a stream.
enum Deframer {
    Hdlc(hdlc::Deframer),
    Kiss(kiss::Deframer),
}

impl Deframer {
    fn new(Shape { framing, frame_size, .. }: Shape) -> Self {
        match framing {
            Framing::Hdlc => Self::Hdlc(hdlc::Deframer::new(frame_size.into())),
            Framing::Kiss => Self::Kiss(kiss::Deframer::new(frame_size.into())),
        }
    }

    /// The next frame; an empty one is nothing.
    fn next_frame(&mut self, stream: &mut &[u8]) -> Option<&[u8]> {
        match self {
            Self::Hdlc(deframer) => deframer.next_frame(stream),
            // What a modem says of itself is not a frame. The high nibble is the modem's port.
            Self::Kiss(deframer) => deframer
                .next_frame(stream)
                .map(|frame| if frame.command.0 & 0x0f == kiss::Command::DATA.0 { frame.data } else { &[] }),
        }
    }

    const fn dropped(&self) -> DroppedFrames {
        match self {
            Self::Hdlc(deframer) => deframer.dropped(),
            Self::Kiss(deframer) => deframer.dropped(),
        }
    }
}

impl Framing {
    /// Puts `frame` into `buffer` as it goes over the stream.
    fn put<'b>(self, frame: &[u8], buffer: &'b mut Vec<u8>) -> &'b [u8] {
        let encoded = match self {
            Self::Hdlc => {
                buffer.resize(hdlc::encoded_len(frame), 0);
                hdlc::encode(frame, buffer)
            }
            Self::Kiss => {
                let frame = kiss::Frame { command: kiss::Command::DATA, data: frame };
                buffer.resize(frame.encoded_len(), 0);
                frame.encode(buffer)
            }
        };
        encoded.expect("the buffer is as long as the encoding")
    }
}

async fn receive(mut reader: impl AsyncRead + Unpin, port: &Port, shape: Shape) -> Result<String, HostGone> {
    let patience = shape.patience;
    let mut deframer = Deframer::new(shape);
    let mut buffer = vec![0; READ];
    let mut unusable = 0;
    let mut deadline = Instant::now().checked_add(patience.first);
    loop {
        let length = tokio::select! {
            read = reader.read(&mut buffer) => match read {
                Ok(0) => return Ok("the peer closed it".into()),
                Ok(length) => length,
                Err(cause) => return Ok(reading(&cause)),
            },
            () = until(deadline) => return Ok("the peer sent no frame for too long".into()),
        };
        let mut rest = &buffer[..length];
        while let Some(frame) = deframer.next_frame(&mut rest) {
            if frame.is_empty() {
                continue;
            }
            deadline = Instant::now().checked_add(patience.idle);
            port.tell(News::Received { from: None, frame: frame.to_vec() }).await?;
        }
        let dropped = deframer.dropped();
        let dropped = dropped.oversize.saturating_add(dropped.malformed);
        if dropped > unusable {
            port.tell(News::Unusable(dropped - unusable)).await?;
            unusable = dropped;
        }
    }
}

async fn send(
    mut writer: impl AsyncWrite + Unpin,
    outgoing: &mut mpsc::Receiver<Outgoing>,
    port: &Port,
    shape: Shape,
) -> Result<String, HostGone> {
    let mut buffer = Vec::new();
    while let Some(Outgoing { to: _, frame }) = outgoing.recv().await {
        let began = Instant::now();
        let bytes = shape.framing.put(&frame, &mut buffer);
        let written = async {
            writer.write_all(bytes).await?;
            writer.flush().await
        };
        match tokio::time::timeout(STALLED, written).await {
            Ok(Ok(())) => {
                if let Some(bps) = shape.pace_bps {
                    // The port takes a frame sooner than what is behind it does.
                    tokio::time::sleep_until(began + time_for(frame.len(), bps)).await;
                }
                port.tell(News::Sent).await?;
            }
            Ok(Err(cause)) => return Ok(reading(&cause)),
            Err(_) => return Ok("the peer took nothing for too long".into()),
        }
    }
    // The loop let go of the interface.
    Err(HostGone)
}

/// How long `bytes` take at `bps` bits a second.
fn time_for(bytes: usize, bps: u64) -> Duration {
    let bits = u64::try_from(bytes).unwrap_or(u64::MAX).saturating_mul(8_000_000);
    Duration::from_micros(bits.checked_div(bps).unwrap_or(0))
}

fn reading(cause: &io::Error) -> String {
    format!("the connection broke ({cause})")
}

pub(super) async fn until(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => tokio::time::sleep_until(deadline).await,
        None => std::future::pending().await,
    }
}

#[cfg(test)]
mod tests {
    use nexus_network::{Access, DutyCycle, Mode, Profile, Reach, Role, Timing};
    use tokio::io::AsyncWriteExt as _;

    use super::*;
    use crate::driver::{Carrier, Handed, Line, Medium, OpenError, Opening, Outbox, Started};
    use crate::rig::Rig;

    #[tokio::test]
    async fn a_stream_may_be_cut_at_any_byte() {
        let frames = [&b"\x7e\x7d"[..], b"a", b"\x7d\x5e\x7e", &[7; 64]];
        let mut bytes = Vec::new();
        for frame in frames {
            let mut buffer = vec![0; hdlc::encoded_len(frame)];
            bytes.extend_from_slice(hdlc::encode(frame, &mut buffer).unwrap());
        }
        for cut in 0..=bytes.len() {
            let (mut theirs, ours) = tokio::io::duplex(4_096);
            let mut rig = Rig::open(&Duplex(std::sync::Mutex::new(Some(ours)))).unwrap();
            let interface = rig.opened().await;
            theirs.write_all(&bytes[..cut]).await.unwrap();
            // What leaves in between shows that the first piece was taken by itself.
            let mut arrived = Vec::new();
            assert_eq!(interface.driver.transmit(None, b"x".to_vec()), Handed::Pending);
            while let Some(frame) = until_sent(&mut rig).await {
                arrived.push(frame);
            }
            theirs.write_all(&bytes[cut..]).await.unwrap();
            while arrived.len() < frames.len() {
                arrived.push(rig.received().await.1);
            }
            assert_eq!(arrived, frames, "cut at {cut}");
        }
    }

    /// The next frame that arrives before the pending one is sent.
    async fn until_sent(rig: &mut Rig) -> Option<Vec<u8>> {
        match rig.next().await.1 {
            News::Received { frame, .. } => Some(frame),
            News::Sent => None,
            news => panic!("{news:?}"),
        }
    }

    #[derive(Debug)]
    struct Duplex(std::sync::Mutex<Option<tokio::io::DuplexStream>>);

    impl Medium for Duplex {
        fn open(&self, line: Line) -> Result<Started, OpenError> {
            let stream = self.0.lock().unwrap().take().unwrap();
            let task = tokio::spawn(async move {
                let (outbox, mut outgoing) = Outbox::new();
                let profile = Profile {
                    mode: Mode::Nexus,
                    reach: Reach::PointToPoint,
                    access: Access::Direct,
                    bandwidth_bps: 0,
                    frame_size: 64,
                    timing: Timing::Rate,
                    duty: DutyCycle::UNLIMITED,
                    sub_band: None,
                    overhead: 0,
                    price: 0,
                    role: Role::Full,
                    gravity: 0,
                };
                let opening = Opening {
                    name: "duplex".into(),
                    kind: "duplex",
                    profile,
                    carrier: Carrier::Up,
                    driver: Box::new(outbox),
                };
                let port = line.open(opening).await.unwrap();
                let (reader, writer) = tokio::io::split(stream);
                let why = carry(reader, writer, &mut outgoing, &port, 64, Patience::ENDLESS).await;
                if let Ok(why) = why {
                    let _nobody_listens = port.tell(News::Closed { why }).await;
                }
            });
            Ok(Started { task, address: None })
        }

        fn kind(&self) -> &'static str {
            "duplex"
        }
    }
}
