//! Radios with which something is wrong.

use alloc::string::{String, ToString as _};

use nexus_wire::reticulum::rnode::{AirtimeLimit, DeviceError, FromDevice, Hertz, RadioState, Setting};

use super::super::*;
use super::SECOND;
use super::device::{Bench, answers, channel, echo, says, setting_in, settings_in};

#[test]
fn a_firmware_that_is_too_old_is_refused_with_the_version_that_is_needed() {
    let mut bench = Bench::new(Some(channel()));
    bench.tell(Input::Plugged);
    let told = bench.tell(Input::Bytes(answers(1, 51)));
    assert_eq!(
        told,
        [Effect::Condition(Condition::Faulty(Fault::OldFirmware(Firmware { major: 1, minor: 51 })))]
    );
    assert_eq!(fault(&bench), "the RNode's firmware is 1.51, and 1.52 or later is needed: update it");
    // It is asked again, and the same answer is no news.
    assert!(matches!(bench.sleep().as_slice(), [Effect::Write(_)]));
    assert_eq!(bench.tell(Input::Bytes(answers(1, 51))), []);
    bench.sleep();
    bench.set_up();
    assert_eq!(bench.rnode.condition(), Condition::On, "it was updated meanwhile");
}

#[test]
fn a_port_where_nothing_answers_is_asked_again_and_again() {
    let mut bench = Bench::new(Some(channel()));
    let began = bench.now;
    let mut asked = bench.tell(Input::Plugged).len() - 1;
    while bench.rnode.condition() == Condition::Detecting {
        asked += bench.sleep().iter().filter(|effect| matches!(effect, Effect::Write(_))).count();
    }
    assert_eq!((asked, bench.now.since(began)), (10, SECOND.times(10)));
    assert_eq!(fault(&bench), "nothing answers there as an RNode does");
    assert!(matches!(bench.sleep().as_slice(), [Effect::Write(_)]));
    assert_eq!(bench.now.since(began), SECOND.times(40));
    bench.set_up();
    assert_eq!(bench.rnode.condition(), Condition::On);
}

#[test]
fn a_radio_that_answers_in_part_is_asked_for_the_rest() {
    let mut bench = Bench::new(Some(channel()));
    bench.tell(Input::Plugged);
    bench.tell(Input::Bytes(says(&FromDevice::Detected)));
    while bench.rnode.condition() == Condition::Detecting {
        bench.sleep();
    }
    assert_eq!(fault(&bench), "the RNode does not say which firmware it has");
    bench.sleep();
    bench.tell(Input::Bytes(says(&FromDevice::Detected)));
    bench.tell(Input::Bytes(says(&FromDevice::Firmware(Firmware { major: 1, minor: 52 }))));
    let begun = bench.sleep();
    assert_eq!(settings_in(&begun).len(), 1, "what it is built on need not be known: {begun:?}");
}

#[test]
fn an_echo_that_is_not_what_was_asked_keeps_the_radio_off() {
    let limit = AirtimeLimit;
    let wrong = [
        Setting::Frequency(Hertz(869_525_101)),
        Setting::Bandwidth(Hertz(249_999)),
        Setting::TxPower(13),
        Setting::SpreadingFactor(8),
        Setting::CodingRate(6),
        Setting::ShortAirtimeLimit(limit(1)),
        Setting::LongAirtimeLimit(limit(999)),
        Setting::RadioState(RadioState::OFF),
    ];
    for (step, otherwise) in wrong.into_iter().enumerate() {
        let mut bench = Bench::new(Some(channel()));
        bench.tell(Input::Plugged);
        let mut effects = bench.tell(Input::Bytes(answers(1, 78)));
        for _ in 0..step {
            let setting = setting_in(&effects);
            effects = bench.tell(Input::Bytes(echo(setting)));
        }
        let told = bench.tell(Input::Bytes(echo(otherwise)));
        assert!(
            matches!(told.as_slice(), [Effect::Condition(Condition::Faulty(Fault::Otherwise { .. }))]),
            "{told:?}"
        );
        assert!(bench.rnode.next_timeout().is_some());
    }
    let told = Fault::Otherwise { asked: Setting::TxPower(14), set: Setting::TxPower(13) }.to_string();
    assert_eq!(told, "the RNode was asked for a power of 14 dBm, and set a power of 13 dBm");
}

#[test]
fn a_synthesiser_may_be_a_hundred_hertz_off() {
    for hertz in [869_524_900, 869_525_100] {
        let mut bench = Bench::new(Some(channel()));
        bench.tell(Input::Plugged);
        bench.tell(Input::Bytes(answers(1, 78)));
        let goes_on = bench.tell(Input::Bytes(echo(Setting::Frequency(Hertz(hertz)))));
        assert!(matches!(setting_in(&goes_on), Setting::Bandwidth(_)));
    }
}

#[test]
fn a_setting_that_is_not_confirmed_is_made_three_times() {
    let mut bench = Bench::new(Some(channel()));
    bench.tell(Input::Plugged);
    let mut made = settings_in(&bench.tell(Input::Bytes(answers(1, 78)))).len();
    while bench.rnode.condition() == Condition::SettingUp {
        made += settings_in(&bench.sleep()).len();
    }
    assert_eq!(made, 3);
    assert_eq!(fault(&bench), "the RNode does not confirm a frequency of 869.525 MHz");
}

#[test]
fn a_radio_that_restarts_by_itself_is_set_up_again() {
    let signs = [
        vec![0xc0, 0x55, 0xf8, 0xc0],
        says(&FromDevice::Detected),
        echo(Setting::RadioState(RadioState::OFF)),
        echo(Setting::Frequency(Hertz(433_000_000))),
    ];
    for sign in signs {
        let mut bench = Bench::up();
        bench.tell(Input::Transmit(vec![1; 40]));
        let told = bench.tell(Input::Bytes(sign));
        assert!(
            matches!(
                told.as_slice(),
                [Effect::Down, Effect::Condition(Condition::Restarted), Effect::Write(_)]
            ),
            "{told:?}"
        );
        let again = bench.set_up();
        assert!(matches!(again.last(), Some(Effect::Up(_))), "{again:?}");
        assert_eq!(bench.rnode.statistics().counters.restarts, 1);
    }
}

#[test]
fn what_a_radio_says_of_itself_in_time_is_no_restart() {
    let mut bench = Bench::up();
    for setting in setting_up::settings(channel()) {
        assert_eq!(bench.tell(Input::Bytes(echo(setting))), [], "an echo of what was set twice");
    }
}

#[test]
fn an_error_of_the_radio_is_told_and_tried_again() {
    for (error, sentence) in [
        (DeviceError::RADIO_INIT, "the RNode reports that its radio cannot be set up"),
        (DeviceError::EEPROM, "the RNode reports that its stored configuration is locked or unreadable"),
        (DeviceError::MEMORY_LOW, "the RNode reports that it is out of memory"),
        (DeviceError::MODEM_TIMEOUT, "the RNode reports that its radio chip does not answer"),
    ] {
        let mut bench = Bench::up();
        let told = bench.tell(Input::Bytes(says(&FromDevice::Error(error))));
        assert_eq!(told, [Effect::Down, Effect::Condition(Condition::Faulty(Fault::Modem(error)))]);
        assert_eq!(fault(&bench), sentence);
        bench.sleep();
        bench.set_up();
        assert_eq!(bench.rnode.condition(), Condition::On);
    }
}

#[test]
fn an_error_that_nobody_knows_is_counted() {
    let mut bench = Bench::up();
    assert_eq!(bench.tell(Input::Bytes(says(&FromDevice::Error(DeviceError(0x77))))), []);
    assert_eq!(bench.rnode.statistics().counters.errors, 1);
}

fn fault(bench: &Bench) -> String {
    let Condition::Faulty(fault) = bench.rnode.condition() else { panic!("{:?}", bench.rnode.condition()) };
    fault.to_string()
}
