//! Byte streams under test. Their laws:
//!
//! 1. however a stream is cut into pieces, the same frames come out and the same are dropped;
//! 2. no frame is empty or longer than was allowed;
//! 3. the frames, framed again, come out again, and nothing else.

use nexus_wire::reticulum::rnode::DETECT_SEQUENCE;
use nexus_wire::reticulum::{DroppedFrames, hdlc, kiss};

use crate::formats::Stream;

/// Short, so that arbitrary streams meet the bound.
const MAX_LEN: usize = 40;

/// Reticulum's two stream framings.
pub const STREAMS: &[Stream] = &[
    Stream {
        name: "hdlc-stream",
        fuzz_one: |stream| {
            obeys_the_laws(stream, hdlc_frames, |frame| framed(|out| hdlc::encode(frame, out)))
        },
        samples: || {
            let frames: [&[u8]; 3] = [b"one", &[0x7e, 0x7d, 0x5e, 0x5d], &[0x11; MAX_LEN + 1]];
            let frames = frames.map(|frame| framed(|out| hdlc::encode(frame, out)));
            vec![frames.concat(), [&b"noise"[..], &frames[0], &[0x7e, 0x7e, 0x7d, 0x00]].concat()]
        },
    },
    Stream {
        name: "kiss-stream",
        fuzz_one: |stream| {
            obeys_the_laws(stream, kiss_frames, |frame| {
                let (command, data) = frame.split_first().expect("a KISS frame has a command");
                framed(|out| kiss::Frame { command: kiss::Command(*command), data }.encode(out))
            });
        },
        samples: || {
            vec![DETECT_SEQUENCE.to_vec(), vec![0xc0, 0x00, 0xdb, 0xdc, 0xdb, 0xdd, 0xc0, 0xdb, 0xc0]]
        },
    },
];

type Frames = (Vec<Vec<u8>>, DroppedFrames);

fn obeys_the_laws(stream: &[u8], deframe: fn(&[&[u8]]) -> Frames, frame: fn(&[u8]) -> Vec<u8>) {
    let (frames, dropped) = deframe(&[stream]);
    let bytewise: Vec<&[u8]> = stream.chunks(1).collect();
    let uneven: Vec<&[u8]> = stream.chunks(7).collect();
    for pieces in [bytewise, uneven] {
        assert_eq!(deframe(&pieces), (frames.clone(), dropped), "how a stream is cut changes what it says");
    }
    assert!(frames.iter().all(|frame| (1..=MAX_LEN + 1).contains(&frame.len())), "a frame out of bounds");
    let again: Vec<u8> = frames.iter().flat_map(|bytes| frame(bytes)).collect();
    assert_eq!(deframe(&[&again]), (frames, DroppedFrames::default()), "frames do not survive framing");
}

fn hdlc_frames(pieces: &[&[u8]]) -> Frames {
    let (mut deframer, mut frames) = (hdlc::Deframer::new(MAX_LEN), vec![]);
    for mut piece in pieces.iter().copied() {
        while let Some(frame) = deframer.next_frame(&mut piece) {
            frames.push(frame.to_vec());
        }
    }
    (frames, deframer.dropped())
}

fn kiss_frames(pieces: &[&[u8]]) -> Frames {
    let (mut deframer, mut frames) = (kiss::Deframer::new(MAX_LEN), vec![]);
    for mut piece in pieces.iter().copied() {
        while let Some(frame) = deframer.next_frame(&mut piece) {
            frames.push([&[frame.command.0], frame.data].concat());
        }
    }
    (frames, deframer.dropped())
}

fn framed<E: core::fmt::Debug>(
    encode: impl for<'b> FnOnce(&'b mut [u8]) -> Result<&'b mut [u8], E>,
) -> Vec<u8> {
    encode(&mut [0; 2 * (MAX_LEN + 1) + 2]).expect("the buffer holds twice the longest frame").to_vec()
}
