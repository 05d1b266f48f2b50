//! The laws of machines, and what a peer that means harm can do.

use alloc::collections::VecDeque;
use alloc::vec;
use alloc::vec::Vec;

use nexus_machine::{Cx, Duration, Machine as _, Stream};
use nexus_testkit::laws;
use nexus_wire::reticulum::channel::{ChannelMessage, End, Packing, StreamPiece};

use super::world::measures;
use crate::channel::{Channel, Command, Effect, Event, Failure, Input, Message, Number, Write};
use crate::resource::Compression;
use crate::{Bytes, Handle};

#[test]
fn channels_obey_the_laws() {
    laws::obeyed_by(
        "channel",
        |_| laws::Organ::new(Channel::new(measures(Duration::from_millis(100)))),
        |random, _| input(random),
    );
}

fn input(random: &mut Stream) -> Input {
    let (handle, bytes) = (Handle(random.below(100)), vec![7; usize::try_from(random.below(500)).unwrap()]);
    match random.below(12) {
        0 => Input::RoundTrip(Duration::from_micros(random.below(2_000_000))),
        1 => {
            let kind = u16::try_from(random.below(0x1_0000)).unwrap();
            Input::Command(Command::Send(handle, Message { kind, data: Bytes(bytes) }))
        }
        2 => {
            let end = if random.chance(1, 2) { End::Last } else { End::GoesOn };
            let compression = if random.chance(1, 2) { Compression::Tried } else { Compression::None };
            let data = Bytes(vec![1; usize::try_from(random.below(20_000)).unwrap()]);
            Input::Command(Command::Write(handle, Write { stream: 5, data, end, compression }))
        }
        3 => Input::Packed(
            if random.chance(1, 2) { Packing::Compressed } else { Packing::Plain },
            Bytes(bytes),
        ),
        4 => Input::Unpacked(random.chance(19, 20).then_some(Bytes(bytes))),
        5..=7 => Input::Proved(Number(random.below(300))),
        8 => Input::Heard(random.bytes::<40>().to_vec()),
        _ => {
            let kind = if random.chance(1, 2) { ChannelMessage::STREAM } else { 1 };
            let sequence = u16::try_from(random.below(200)).unwrap();
            Input::Heard(ChannelMessage { kind, sequence, data: &bytes }.encode())
        }
    }
}

fn heard(channel: &mut Channel, sequence: u16, kind: u16, data: &[u8]) -> Vec<Effect> {
    let bytes = ChannelMessage { kind, sequence, data }.encode();
    let mut out = VecDeque::new();
    channel.handle(Cx::default(), Input::Heard(bytes), &mut out);
    out.into()
}

#[test]
fn what_comes_too_far_ahead_is_not_proved_and_what_came_before_is_proved_again() {
    let mut channel = Channel::new(measures(Duration::ZERO));
    assert_eq!(heard(&mut channel, 64, 1, b""), []);
    assert_eq!(heard(&mut channel, 63, 1, b""), [Effect::Prove]);
    assert_eq!(heard(&mut channel, 63, 1, b"other"), [Effect::Prove]);
    assert_eq!(heard(&mut channel, 0xffff, 1, b""), [Effect::Prove], "it is taken to be behind");
    let first = Message { kind: 1, data: Bytes(vec![9]) };
    assert_eq!(heard(&mut channel, 0, 1, &[9]), [Effect::Prove, Effect::Event(Event::Message(first))]);
    assert_eq!(heard(&mut channel, 0, 1, &[9]), [Effect::Prove]);
    assert_eq!(heard(&mut channel, 1, 1, &[0; 500]), [], "it is longer than a packet");
}

#[test]
fn what_follows_a_compressed_piece_waits_for_it_and_one_that_is_damaged_ends_the_channel() {
    let mut channel = Channel::new(measures(Duration::ZERO));
    let piece =
        StreamPiece { stream: 3, end: End::GoesOn, packing: Packing::Compressed, data: b"BZ" }.encode();
    let unpack = Effect::Unpack(Bytes(b"BZ".to_vec()), 1 << 16);
    assert_eq!(heard(&mut channel, 0, 0xff00, &piece), [Effect::Prove, unpack.clone()]);
    assert_eq!(heard(&mut channel, 1, 0xff00, &piece), [Effect::Prove]);
    let mut out: VecDeque<Effect> = VecDeque::new();
    channel.handle(Cx::default(), Input::Unpacked(Some(Bytes(vec![1, 2]))), &mut out);
    let stream = Event::Stream { stream: 3, data: Bytes(vec![1, 2]), end: End::GoesOn };
    assert_eq!(Vec::from(out), [Effect::Event(stream), unpack]);
    let mut out: VecDeque<Effect> = VecDeque::new();
    channel.handle(Cx::default(), Input::Unpacked(None), &mut out);
    assert_eq!(Vec::from(out), [Effect::TearDown(Failure::Corrupt)]);
    assert_eq!(heard(&mut channel, 2, 1, b""), []);
}
