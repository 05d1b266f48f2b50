mod device;
mod faults;
mod hostile;
mod traffic;

use nexus_machine::Duration;
use nexus_wire::reticulum::rnode::{AirtimeLimit, Hertz, RadioState, Setting};

use super::*;
use crate::interface::DutyCycle;
use crate::region::{Region, Wish};
use device::{Bench, answers, channel, echo, setting_in};

#[test]
fn a_radio_is_up_once_every_setting_was_confirmed() {
    let mut bench = Bench::new(Some(channel()));
    let asked = bench.tell(Input::Plugged);
    assert_eq!(
        asked[0],
        Effect::Write(vec![0xc0, 8, 0x73, 0xc0, 0x50, 0, 0xc0, 0x48, 0, 0xc0, 0x49, 0, 0xc0])
    );
    let mut effects = bench.tell(Input::Bytes(answers(1, 78)));
    let mut made = Vec::new();
    while let [.., Effect::Write(_)] | [Effect::Write(_), ..] = effects.as_slice() {
        let setting = setting_in(&effects);
        made.push(setting);
        assert!(!effects.iter().any(|effect| matches!(effect, Effect::Up(_))));
        effects = bench.tell(Input::Bytes(echo(setting)));
    }
    assert_eq!(
        made,
        [
            Setting::Frequency(Hertz(869_525_000)),
            Setting::Bandwidth(Hertz(250_000)),
            Setting::TxPower(14),
            Setting::SpreadingFactor(7),
            Setting::CodingRate(5),
            Setting::ShortAirtimeLimit(AirtimeLimit(0)),
            Setting::LongAirtimeLimit(AirtimeLimit(1_000)),
            Setting::RadioState(RadioState::ON),
        ]
    );
    let [Effect::Condition(Condition::On), Effect::Up(profile)] = effects.as_slice() else {
        panic!("{effects:?}")
    };
    assert_eq!((profile.frame_size, profile.bandwidth_bps), (508, 10_937));
    assert_eq!((profile.reach, profile.access), (Reach::Shared, Access::Direct));
    assert_eq!(profile.timing, Timing::LoRa(channel().modulation()));
    assert_eq!(profile.duty, DutyCycle::TEN_PERCENT);
    let device = bench.rnode.device().unwrap();
    assert_eq!((device.firmware, device.platform), (Firmware { major: 1, minor: 78 }, Some(0x80)));
}

#[test]
fn without_a_channel_nothing_but_the_question_is_ever_written() {
    let mut bench = Bench::new(None);
    let mut written = Vec::new();
    let mut note = |effects: Vec<Effect>| {
        for effect in effects {
            match effect {
                Effect::Write(bytes) => written.extend(bytes),
                Effect::Up(_) | Effect::Sent | Effect::Received { .. } => panic!("{effect:?}"),
                Effect::Condition(_) | Effect::Down | Effect::Lost | Effect::Measured => {}
            }
        }
    };
    for round in 0..20 {
        note(bench.tell(Input::Plugged));
        if round > 3 {
            note(bench.tell(Input::Bytes(answers(1, 60))));
            assert_eq!(bench.rnode.condition(), Condition::NoChannel);
            assert_eq!(bench.rnode.next_timeout(), None);
        }
        note(bench.tell(Input::Transmit(vec![7; 20])));
        for setting in setting_up::settings(channel()) {
            note(bench.tell(Input::Bytes(echo(setting))));
        }
        note(
            bench.tell(Input::Bytes(vec![
                0xc0, 0x55, 0xf8, 0xc0, 0x0f, 0, 0xc0, 0x90, 4, 0xc0, 0, 1, 2, 0xc0,
            ])),
        );
        for _ in 0..30 {
            note(bench.sleep());
        }
        note(bench.tell(if round % 2 == 0 { Input::Leave } else { Input::Unplugged }));
    }
    let question = nexus_wire::reticulum::rnode::DETECT_SEQUENCE;
    assert!(!written.is_empty() && written.chunks(question.len()).all(|piece| piece == question));
}

#[test]
fn a_radio_without_a_channel_says_what_to_write() {
    let mut bench = Bench::new(None);
    bench.tell(Input::Plugged);
    let told = bench.tell(Input::Bytes(answers(1, 60)));
    let Some(Effect::Condition(condition)) = told.first() else { panic!("{told:?}") };
    assert_eq!(
        alloc::format!("{condition}"),
        "silent until the configuration says `region` (such as \"EU868\") and `duty_cycle` (such as \"1 %\")"
    );
}

#[test]
fn a_radio_that_is_plugged_in_again_is_set_up_again() {
    let mut bench = Bench::up();
    bench.tell(Input::Transmit(vec![1; 30]));
    let gone = bench.tell(Input::Unplugged);
    assert_eq!(gone, [Effect::Down, Effect::Condition(Condition::Unplugged)]);
    assert_eq!(bench.rnode.next_timeout(), None);
    assert_eq!(bench.tell(Input::Transmit(vec![1; 30])), [Effect::Lost]);
    bench.plug_in_and_set_up();
    assert_eq!(bench.rnode.condition(), Condition::On);
    let written = bench.tell(Input::Transmit(vec![1; 30]));
    assert!(matches!(written.as_slice(), [Effect::Write(_)]), "{written:?}");
}

#[test]
fn half_a_frame_of_before_the_plug_was_pulled_is_none() {
    let mut bench = Bench::up();
    bench.tell(Input::Bytes(vec![0xc0, 0x00, 1, 2, 3]));
    bench.tell(Input::Unplugged);
    bench.plug_in_and_set_up();
    let heard = bench.tell(Input::Bytes(vec![4, 5, 0xc0]));
    assert!(!heard.iter().any(|effect| matches!(effect, Effect::Received { .. })), "{heard:?}");
}

#[test]
fn a_host_that_leaves_switches_the_radio_off() {
    let mut bench = Bench::up();
    let left = bench.tell(Input::Leave);
    assert_eq!(
        left,
        [
            Effect::Write(vec![0xc0, 0x06, 0x00, 0xc0]),
            Effect::Write(vec![0xc0, 0x0a, 0xff, 0xc0]),
            Effect::Down,
            Effect::Condition(Condition::Unplugged),
        ]
    );
}

#[test]
fn a_channel_without_a_limit_takes_the_modems_limit_away() {
    let wish = Wish {
        frequency_hz: None,
        bandwidth_hz: None,
        spreading_factor: None,
        coding_rate: None,
        tx_power_dbm: None,
        duty: DutyCycle::UNLIMITED,
    };
    let made = setting_up::settings(Region::Us915.channel(&wish).unwrap());
    assert!(made.contains(&Setting::LongAirtimeLimit(AirtimeLimit(0))));
}

const SECOND: Duration = Duration::from_secs(1);
