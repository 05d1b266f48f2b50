//! Frames in byte streams, and what a host and an `RNode` say in them.
#![allow(clippy::unwrap_used, reason = "what cannot be unwrapped fails the test")]

use nexus_testkit::heap::growth_of;
use nexus_wire::reticulum::kiss::{self, Command, TncSetting};
use nexus_wire::reticulum::rnode::{
    AirtimeLimit, DETECT_SEQUENCE, DeviceError, Firmware, FromDevice, Hertz, RadioState, Rssi, Setting, Snr,
    ToDevice,
};
use nexus_wire::reticulum::{DroppedFrames, hdlc};
use nexus_wire::{EncodeError, Fault};
use proptest::prelude::*;

fn hdlc_frames(deframer: &mut hdlc::Deframer, mut stream: &[u8]) -> Vec<Vec<u8>> {
    let mut frames = vec![];
    while let Some(frame) = deframer.next_frame(&mut stream) {
        frames.push(frame.to_vec());
    }
    frames
}

fn kiss_frames(mut stream: &[u8]) -> Vec<(u8, Vec<u8>)> {
    let (mut deframer, mut frames) = (kiss::Deframer::new(600), vec![]);
    while let Some(frame) = deframer.next_frame(&mut stream) {
        frames.push((frame.command.0, frame.data.to_vec()));
    }
    frames
}

#[test]
fn one_delimiter_closes_a_frame_and_opens_the_next() {
    let frames = hdlc_frames(&mut hdlc::Deframer::new(500), &[0x7e, 1, 2, 0x7e, 3, 0x7e]);
    assert_eq!(frames, [vec![1, 2], vec![3]]);
}

#[test]
fn empty_frames_and_noise_before_the_first_delimiter_are_nothing() {
    let mut deframer = hdlc::Deframer::new(500);
    assert!(hdlc_frames(&mut deframer, &[9, 0x7d, 9, 0x7e, 0x7e, 0x7e]).is_empty());
    assert_eq!(hdlc_frames(&mut deframer, &[5, 0x7e]), [vec![5]]);
    assert_eq!(deframer.dropped(), DroppedFrames::default());
}

#[test]
fn a_frame_that_is_too_long_is_dropped_and_the_next_one_is_not() {
    let mut deframer = hdlc::Deframer::new(3);
    let frames = hdlc_frames(&mut deframer, &[0x7e, 1, 2, 3, 4, 5, 6, 0x7e, 7, 8, 9, 0x7e]);
    assert_eq!(frames, [vec![7, 8, 9]]);
    assert_eq!(deframer.dropped(), DroppedFrames { oversize: 1, malformed: 0 });
}

#[test]
fn an_escape_that_stands_for_nothing_spoils_its_frame_only() {
    let mut deframer = hdlc::Deframer::new(500);
    let frames = hdlc_frames(&mut deframer, &[0x7e, 1, 0x7d, 2, 3, 0x7e, 4, 0x7d, 0x7e, 5, 0x7e]);
    assert_eq!(frames, [vec![5]]);
    assert_eq!(deframer.dropped(), DroppedFrames { oversize: 0, malformed: 2 });
}

#[test]
fn a_byte_that_cannot_stand_for_itself_is_found_wherever_it_stands() {
    // Next to it stand those that differ from it, or from it and from the other, by one bit or by one.
    for (special, neighbour) in [(0x7e, 0x7f), (0x7d, 0x7c), (0x7e, 0xfe), (0x7d, 0x5d), (0x7e, 0x7d)] {
        for len in 1..40 {
            for at in 0..len {
                let mut frame = vec![neighbour; len];
                frame[at] = special;
                let mut buffer = vec![0; hdlc::encoded_len(&frame)];
                let stream = hdlc::encode(&frame, &mut buffer).unwrap();
                assert_eq!(stream.len(), hdlc::encoded_len(&frame), "{special:#x} at {at} of {len}");
                let mut deframer = hdlc::Deframer::new(len);
                assert_eq!(
                    hdlc_frames(&mut deframer, stream),
                    [frame.clone()],
                    "{special:#x} at {at} of {len}"
                );
                let mut smaller = hdlc::Deframer::new(len - 1);
                assert!(hdlc_frames(&mut smaller, stream).is_empty());
                assert_eq!(smaller.dropped(), DroppedFrames { oversize: 1, malformed: 0 });
            }
        }
    }
}

#[test]
fn a_deframer_holds_one_frame_whatever_is_sent() {
    let (mut deframer, at_first) = growth_of(|| hdlc::Deframer::new(500));
    let ((), later) = growth_of(|| {
        let endless = [0x41; 10_000];
        for _ in 0..10 {
            let mut stream = &endless[..];
            assert_eq!(deframer.next_frame(&mut stream), None);
            assert_eq!(deframer.next_frame(&mut &[0x7e][..]), None);
        }
    });
    assert_eq!((at_first, later), (500, 0));
}

#[test]
fn framing_states_its_length_and_keeps_to_the_buffer() {
    let frame = [0x7e, 0x7d, 0x00, 0xff];
    assert_eq!(hdlc::encode(&frame, &mut [0; 8]).unwrap(), [0x7e, 0x7d, 0x5e, 0x7d, 0x5d, 0x00, 0xff, 0x7e]);
    assert_eq!(hdlc::encoded_len(&frame), 8);
    assert_eq!(hdlc::encode(&frame, &mut [0; 7]), Err(EncodeError::BufferTooSmall));
    let frame = kiss::Frame { command: Command::DATA, data: &[0xc0, 0xdb, 0x01] };
    assert_eq!(frame.encode(&mut [0; 8]).unwrap(), [0xc0, 0x00, 0xdb, 0xdc, 0xdb, 0xdd, 0x01, 0xc0]);
    assert_eq!(frame.encoded_len(), 8);
}

#[test]
fn a_modem_is_asked_four_things_in_one_sequence() {
    let asked: Vec<_> = kiss_frames(&DETECT_SEQUENCE)
        .iter()
        .map(|(command, data)| {
            let frame = kiss::Frame { command: Command(*command), data };
            format!("{:?}", ToDevice::decode(frame).unwrap())
        })
        .collect();
    assert_eq!(asked, ["Detect", "AskFirmware", "AskPlatform", "AskMcu"]);
}

#[test]
fn settings_are_big_endian_and_their_echoes_are_compared() {
    let sent = |setting| ToDevice::Set(setting).encode(&mut [0; 16]).map(|bytes| bytes.to_vec()).unwrap();
    assert_eq!(sent(Setting::Frequency(Hertz(868_000_000))), [0xc0, 0x01, 0x33, 0xbc, 0xa1, 0x00, 0xc0]);
    assert_eq!(sent(Setting::Bandwidth(Hertz(125_000))), [0xc0, 0x02, 0x00, 0x01, 0xe8, 0x48, 0xc0]);
    assert_eq!(sent(Setting::RadioState(RadioState::ON)), [0xc0, 0x06, 0x01, 0xc0]);
    assert_eq!(sent(Setting::LongAirtimeLimit(AirtimeLimit(1_000))), [0xc0, 0x0c, 0x03, 0xe8, 0xc0]);
    let asked = Setting::Frequency(Hertz(868_000_000));
    assert!(asked.is_met_by(&Setting::Frequency(Hertz(867_999_900))));
    assert!(!asked.is_met_by(&Setting::Frequency(Hertz(867_999_899))));
    assert!(!asked.is_met_by(&Setting::Bandwidth(Hertz(868_000_000))));
    assert!(!Setting::SpreadingFactor(8).is_met_by(&Setting::SpreadingFactor(9)));
}

#[test]
fn what_a_modem_says_is_understood() {
    let said = |command, data| FromDevice::decode(kiss::Frame { command: Command(command), data });
    assert_eq!(said(0x08, &[0x46]), Ok(FromDevice::Detected));
    assert_eq!(said(0x50, &[1, 52]), Ok(FromDevice::Firmware(Firmware::OLDEST)));
    assert_eq!(said(0x23, &[100]), Ok(FromDevice::Rssi(Rssi(100))));
    assert_eq!(said(0x24, &[0xf8]), Ok(FromDevice::Snr(Snr(0xf8))));
    assert_eq!(said(0x90, &[4]), Ok(FromDevice::Error(DeviceError::QUEUE_FULL)));
    assert_eq!(said(0x05, &[5]), Ok(FromDevice::Echo(Setting::CodingRate(5))));
    assert!(matches!(said(0xf1, &[1, 2]), Ok(FromDevice::Other(_))), "what is unknown survives");
    assert_eq!(said(0x08, &[0x47]).unwrap_err().fault, Fault::Value);
    assert_eq!(said(0x01, &[1, 2, 3]).unwrap_err().fault, Fault::Truncated);
    assert_eq!(said(0x03, &[1, 2]).unwrap_err().fault, Fault::TrailingBytes);
}

#[test]
fn a_packet_radio_modem_is_set_up_in_tens_of_milliseconds() {
    let sent = |setting: TncSetting| setting.encode(&mut [0; 8]).map(|bytes| bytes.to_vec()).unwrap();
    assert_eq!(sent(TncSetting::TxDelay(35)), [0xc0, 0x01, 35, 0xc0]);
    assert_eq!(sent(TncSetting::Persistence(0xc0)), [0xc0, 0x02, 0xdb, 0xdc, 0xc0]);
    assert_eq!(sent(TncSetting::FlowControl), [0xc0, 0x0f, 0x01, 0xc0]);
}

proptest! {
    #[test]
    fn any_frame_survives_any_cut_of_the_stream(
        frames in prop::collection::vec(prop::collection::vec(any::<u8>(), 1..600), 1..5),
        cut in 1_usize..40,
    ) {
        let mut stream = vec![];
        for frame in &frames {
            let mut buffer = vec![0; hdlc::encoded_len(frame)];
            stream.extend_from_slice(hdlc::encode(frame, &mut buffer).unwrap());
        }
        let mut deframer = hdlc::Deframer::new(600);
        let out: Vec<_> = stream.chunks(cut).flat_map(|piece| hdlc_frames(&mut deframer, piece)).collect();
        prop_assert_eq!(out, frames);
        prop_assert_eq!(deframer.dropped(), DroppedFrames::default());
    }
}
