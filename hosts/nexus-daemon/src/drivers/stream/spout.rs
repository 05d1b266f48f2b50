//! The sending half of a stream that takes many frames at once: they are framed into a buffer, which is written whenever the stream takes it.
//!
//! A write for each frame costs a system call, and several turns of two tasks; while one is written the next ones gather. What gathers is bounded: a
//! frame beyond that waits, and the loop with it.

use std::sync::{Arc, Mutex, PoisonError};

use nexus_network::Endpoint;
use nexus_wire::reticulum::{Context, Packet, PacketType, hdlc};
use tokio::io::{AsyncWrite, AsyncWriteExt as _};
use tokio::sync::Notify;
use tokio::time::Duration;

use super::{STALLED, reading};
use crate::driver::{Driver, Handed, HostGone, News, Port};

/// How many bytes gather before a frame waits.
const GATHERED: usize = 64 * 1_024;
/// How long an answer waits that is for a stock program of this machine. The package begins to wait for one after it has sent what is to be answered, and
/// overlooks one that is faster. Source: spec/reticulum.md#shared-instance.
const ANSWER_WAITS: Duration = Duration::from_millis(10);

/// Where the loop puts frames.
#[derive(Debug)]
pub(in super::super) struct Spout(Arc<Shared>);

/// Where the driver's task takes them from.
#[derive(Debug)]
pub(in super::super) struct Drain {
    shared: Arc<Shared>,
    /// What is being written: the two buffers change places.
    writing: Gathered,
    /// How long frames gather, in any case, before the first leaves.
    settles: Duration,
}

/// When what answers a packet leaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub(in super::super) enum Answers {
    /// As all else does.
    #[default]
    Leave,
    /// So late that a program of this machine waits for it; what is behind it waits with it.
    Wait,
}

#[derive(Debug, Default)]
struct Shared {
    held: Mutex<Held>,
    changed: Notify,
}

#[derive(Debug, Default)]
struct Held {
    gathered: Gathered,
    /// A frame for which there was no room.
    waiting: Option<Vec<u8>>,
    answers: Answers,
    /// The loop let go of the interface.
    is_over: bool,
}

/// Frames as they go over the stream. The buffer stays as long as it ever was, so that nothing is cleared or measured before it is written.
#[derive(Debug, Default)]
struct Gathered {
    buffer: Vec<u8>,
    len: usize,
    /// Whether an answer that waits is among them.
    has_answer: bool,
}

/// Both halves.
pub(in super::super) fn spout() -> (Spout, Drain) {
    let shared = Arc::<Shared>::default();
    (Spout(Arc::clone(&shared)), Drain { shared, writing: Gathered::default(), settles: Duration::ZERO })
}

impl Shared {
    fn with<R>(&self, act: impl FnOnce(&mut Held) -> R) -> R {
        // Nothing in here panics halfway: what a panic elsewhere left is whole.
        act(&mut self.held.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Held {
    fn put(&mut self, frame: &[u8]) {
        // Whoever needs not wait has no frame looked into.
        self.gathered.has_answer |= self.answers == Answers::Wait && is_answer(frame);
        self.gathered.put(frame);
    }
}

impl Gathered {
    fn put(&mut self, frame: &[u8]) {
        // At most, every byte is escaped.
        let end = self.len + 2 * frame.len() + 2;
        if self.buffer.len() < end {
            self.buffer.resize(end, 0);
        }
        let place = self.buffer.get_mut(self.len..).unwrap_or_default();
        self.len += hdlc::encode(frame, place).expect("there is room for the longest encoding").len();
    }

    fn bytes(&self) -> &[u8] {
        self.buffer.get(..self.len).unwrap_or_default()
    }

    fn clear(&mut self) {
        (self.len, self.has_answer) = (0, false);
    }
}

/// Whether a packet answers one: a proof; a response, or the offer of one that is a resource. One with access codes does not say.
fn is_answer(frame: &[u8]) -> bool {
    Packet::decode(frame).is_ok_and(|packet| match packet.packet_type {
        PacketType::Proof => true,
        PacketType::Data => [Context::RESPONSE, Context::RESOURCE_ADVERTISEMENT].contains(&packet.context),
        PacketType::Announce | PacketType::LinkRequest => false,
    })
}

impl Driver for Spout {
    fn transmit(&self, _to: Option<Endpoint>, frame: Vec<u8>) -> Handed {
        let (handed, was_empty) = self.0.with(|held| {
            let was_empty = held.gathered.len == 0;
            if held.gathered.len >= GATHERED {
                // What injects faults may repeat one that waits.
                let handed = if held.waiting.is_some() { Handed::Refused } else { Handed::Pending };
                held.waiting.get_or_insert(frame);
                return (handed, was_empty);
            }
            held.put(&frame);
            (Handed::Taken, was_empty)
        });
        if was_empty {
            self.0.changed.notify_one();
        }
        handed
    }
}

impl Drop for Spout {
    fn drop(&mut self) {
        self.0.with(|held| held.is_over = true);
        self.0.changed.notify_one();
    }
}

impl Drain {
    /// Forgets what gathered for another connection.
    pub(in super::super) fn clear(&mut self) {
        self.shared.with(|held| {
            held.gathered.clear();
            held.waiting = None;
        });
    }

    /// Nothing leaves for so long.
    pub(in super::super) fn gather_for(&mut self, time: Duration) {
        self.settles = time;
    }

    /// When answers leave, until it is said anew.
    pub(in super::super) fn hold_answers(&mut self, answers: Answers) {
        self.shared.with(|held| held.answers = answers);
    }

    /// Writes what gathers until the stream breaks, and says why it did.
    pub(super) async fn pour(
        &mut self,
        mut writer: impl AsyncWrite + Unpin,
        port: &Port,
    ) -> Result<String, HostGone> {
        tokio::time::sleep(self.settles).await;
        loop {
            self.gathered(port).await?;
            if self.writing.has_answer {
                tokio::time::sleep(ANSWER_WAITS).await;
            }
            let written = async {
                writer.write_all(self.writing.bytes()).await?;
                writer.flush().await
            };
            match tokio::time::timeout(STALLED, written).await {
                Ok(Ok(())) => {}
                Ok(Err(cause)) => return Ok(reading(&cause)),
                Err(_) => return Ok("the peer took nothing for too long".into()),
            }
        }
    }

    /// Takes what gathered, once there is anything; there is room for the frame that waits.
    async fn gathered(&mut self, port: &Port) -> Result<(), HostGone> {
        self.writing.clear();
        loop {
            let (is_over, was_waiting) = self.shared.with(|held| {
                std::mem::swap(&mut held.gathered, &mut self.writing);
                let waiting = held.waiting.take();
                if let Some(frame) = &waiting {
                    held.put(frame);
                }
                (held.is_over, waiting.is_some())
            });
            if is_over {
                return Err(HostGone);
            }
            if was_waiting {
                port.tell(News::Sent).await?;
            }
            if self.writing.len > 0 {
                return Ok(());
            }
            self.shared.changed.notified().await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::is_answer;

    /// A packet with these flags, as long as its headers and one byte, with this context.
    fn frame(flags: u8, context: u8) -> Vec<u8> {
        let context_at = if flags & 0x40 == 0 { 18 } else { 34 };
        let mut frame = vec![0; context_at + 2];
        (frame[0], frame[context_at]) = (flags, context);
        frame
    }

    #[test]
    fn answers_are_known_by_type_and_context() {
        let answers = [
            (0x03, 0x00),
            (0x0f, 0xfd),
            (0x0f, 0xff),
            (0x53, 0x00),
            (0x0c, 0x0a),
            (0x5c, 0x0a),
            (0x0c, 0x02),
        ];
        for (flags, context) in answers {
            assert!(is_answer(&frame(flags, context)), "{flags:02x} {context:02x}");
        }
        for (flags, context) in
            [(0x00, 0x00), (0x01, 0x0b), (0x02, 0x00), (0x0c, 0x09), (0x0c, 0x01), (0x0c, 0x0e)]
        {
            assert!(!is_answer(&frame(flags, context)), "{flags:02x} {context:02x}");
        }
        assert!(!is_answer(&frame(0x83, 0x00)), "behind access codes anything may stand");
        assert!(!is_answer(&[]));
    }
}
