//! Any bytes at any time.

use nexus_machine::{Duration, Seed, Stream};
use nexus_testkit::laws;
use nexus_wire::reticulum::kiss::Deframer;
use nexus_wire::reticulum::rnode::{DeviceError, FromDevice, RadioState, Rssi, Setting};

use super::super::*;
use super::device::{Bench, answers, channel, echo, says, setting_in};

#[test]
fn garbage_around_and_within_frames_does_nothing() {
    let mut bench = Bench::up();
    // Too long, badly escaped, cut off, unknown, of a wrong length.
    let mut garbage = vec![0x11; 2_000];
    garbage
        .extend([0xc0, 0x00, 0xdb, 0x00, 0xc0, 0xc0, 0xc0, 0xdb, 0xc0, 0xee, 1, 2, 0xc0, 0x23, 1, 2, 0xc0]);
    garbage.extend([0xc0, 0x06, 0xc0, 0x50, 1, 0xc0, 0x08, 0x45, 0xc0]);
    assert_eq!(bench.tell(Input::Bytes(garbage)), []);
    assert!(bench.rnode.statistics().counters.malformed >= 5);
    let heard = bench.tell(Input::Bytes(says(&FromDevice::Data(&[9]))));
    assert!(matches!(heard.as_slice(), [Effect::Received { frame, .. }] if *frame == [9]));
}

#[test]
fn bytes_may_come_one_by_one() {
    let mut bench = Bench::new(Some(channel()));
    bench.tell(Input::Plugged);
    let begun: Vec<_> =
        answers(1, 78).into_iter().flat_map(|byte| bench.tell(Input::Bytes(vec![byte]))).collect();
    assert!(matches!(setting_in(&begun), Setting::Frequency(_)));
}

#[test]
fn no_frame_is_written_before_the_radio_is_up_whatever_it_says() {
    let mut came_up = 0;
    for run in 0..300 {
        let mut random = Seed::new([0x5a; 32]).fork_index("rnode", run).fork("inputs");
        let mut bench = Bench::new(Some(channel()));
        let mut up = false;
        for _ in 0..200 {
            bench.pass(Duration::from_millis(random.below(3_000)));
            let effects = if random.chance(1, 4) {
                let mut out = alloc::collections::VecDeque::new();
                bench.rnode.handle_timeout(Cx::at(bench.now), &mut out);
                Vec::from(out)
            } else {
                bench.tell(input(&mut random))
            };
            for effect in &effects {
                match effect {
                    Effect::Up(_) => (up, came_up) = (true, came_up + 1),
                    Effect::Down => up = false,
                    Effect::Write(bytes) => assert!(up || !carries_a_frame(bytes), "run {run}: {effects:?}"),
                    Effect::Received { .. } | Effect::Sent => assert!(up, "run {run}: {effects:?}"),
                    Effect::Condition(_) | Effect::Lost | Effect::Measured => {}
                }
            }
            assert_eq!(up, bench.rnode.condition() == Condition::On);
        }
    }
    assert!(came_up > 300, "else this proves little: {came_up}");
}

#[test]
fn an_rnodes_host_obeys_the_laws() {
    let settings = Settings { mode: Mode::Nexus, channel: Some(channel()) };
    laws::obeyed_by("rnode", |_| laws::Organ::new(Rnode::new(settings)), |random, _| input(random));
}

fn carries_a_frame(bytes: &[u8]) -> bool {
    let mut deframer = Deframer::new(600);
    let mut rest = bytes;
    while let Some(frame) = deframer.next_frame(&mut rest) {
        if matches!(ToDevice::decode(frame), Ok(ToDevice::Data(_))) {
            return true;
        }
    }
    false
}

/// Mostly what lets a radio come up, so that much of it is seen while it is.
fn input(random: &mut Stream) -> Input {
    match random.below(12) {
        0 if random.chance(1, 3) => Input::Unplugged,
        0 if random.chance(1, 10) => Input::Leave,
        0 | 1 if random.chance(1, 3) => Input::Plugged,
        0..=2 => Input::Bytes(answers(1, 40 + u8::try_from(random.below(40)).unwrap())),
        3..=6 => {
            let mut all: Vec<u8> = setting_up::settings(channel()).into_iter().flat_map(echo).collect();
            if random.chance(1, 6) {
                let at = usize::try_from(random.below(all.len() as u64)).unwrap();
                all[at] ^= 1 << random.below(8);
            }
            Input::Bytes(all)
        }
        7 => Input::Transmit(vec![0xc0; usize::try_from(random.below(600)).unwrap()]),
        8 => Input::Bytes(says(&FromDevice::Ready(&[]))),
        9 => Input::Bytes(match random.below(5) {
            0 => says(&FromDevice::Error(DeviceError(u8::try_from(random.below(8)).unwrap()))),
            1 => echo(Setting::RadioState(RadioState::OFF)),
            2 => says(&FromDevice::Rssi(Rssi(9))),
            3 => vec![0xc0, 0x55, 0xf8, 0xc0],
            _ => says(&FromDevice::Data(&[0xdb; 508])),
        }),
        _ => {
            let mut bytes = vec![0; usize::try_from(random.below(700)).unwrap()];
            random.fill(&mut bytes);
            for byte in &mut bytes {
                // Delimiters and commands are more likely than chance has it.
                if *byte > 0xd0 {
                    *byte = 0xc0;
                } else if *byte > 0xb0 {
                    *byte &= 0x0f;
                }
            }
            Input::Bytes(bytes)
        }
    }
}
