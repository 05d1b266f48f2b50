//! Frames, and what is measured of them.

use nexus_machine::Duration;
use nexus_wire::reticulum::kiss::{Command, Frame};
use nexus_wire::reticulum::rnode::{
    AirtimeLimit, Battery, BatteryState, ChannelTime, DeviceError, FromDevice, Rssi, Snr, Temperature,
};

use super::super::*;
use super::device::{Bench, channel, says};

#[test]
fn the_next_frame_waits_until_the_radio_is_ready() {
    let mut bench = Bench::up();
    let written = bench.tell(Input::Transmit(vec![0xc0, 0xdb, 1]));
    assert_eq!(written, [Effect::Write(vec![0xc0, 0x00, 0xdb, 0xdc, 0xdb, 0xdd, 1, 0xc0])]);
    assert_eq!(bench.tell(Input::Transmit(vec![2; 20])), [Effect::Lost], "one at a time");
    assert_eq!(bench.tell(ready()), [Effect::Sent]);
    assert_eq!(bench.tell(ready()), [], "nothing is on its way");
    assert_eq!(bench.rnode.statistics().counters.sent, 1);
}

#[test]
fn a_radio_that_never_says_that_it_is_ready_is_paced_by_airtime() {
    let mut bench = Bench::up();
    let airtime = channel().modulation().airtime(500);
    let began = bench.now;
    for _ in 0..100 {
        assert!(matches!(bench.tell(Input::Transmit(vec![7; 500])).as_slice(), [Effect::Write(_)]));
        assert_eq!(bench.sleep(), [Effect::Sent]);
    }
    let took = bench.now.since(began);
    assert!(took >= airtime.times(100), "no faster than the air carries them: {took:?}");
    assert!(took <= airtime.times(300).plus(Duration::from_secs(50)), "and not blocked: {took:?}");
    assert_eq!(bench.rnode.statistics().counters.unready, 100);
}

#[test]
fn a_radio_that_falls_silent_gets_time_for_a_busy_channel_and_no_more() {
    let mut bench = Bench::up();
    bench.tell(Input::Transmit(vec![7; 20]));
    bench.tell(ready());
    let began = bench.now;
    bench.tell(Input::Transmit(vec![7; 20]));
    assert_eq!(bench.sleep(), [Effect::Sent]);
    let waited = bench.now.since(began);
    assert!(waited > Duration::from_secs(15) && waited < Duration::from_secs(16), "{waited:?}");
}

/// A channel in use for ten minutes: the modem says nothing. Then it is clear, and what it holds leaves, frame by frame.
#[test]
fn a_radio_on_a_channel_in_use_is_given_a_few_frames_and_no_more_until_they_have_left() {
    let mut bench = Bench::up();
    bench.tell(Input::Transmit(vec![7; 20]));
    bench.tell(ready());
    let began = bench.now;
    let mut holds = 0;
    while bench.now.since(began) < Duration::from_secs(600) {
        bench.tell(Input::Transmit(vec![7; 20]));
        holds += 1;
        assert_eq!(bench.sleep(), [Effect::Sent]);
    }
    assert_eq!(holds, 8, "after 15, 30, 60 s, and then each 120 s, once more");
    bench.tell(Input::Transmit(vec![7; 20]));
    for _ in 0..holds {
        assert_eq!(bench.tell(ready()), [], "there is no other before what it holds has left");
    }
    assert_eq!(bench.tell(ready()), [Effect::Sent]);
}

#[test]
fn a_word_that_got_lost_is_waited_for_twice_and_then_forgotten() {
    let mut bench = Bench::up();
    let waits = |bench: &mut Bench| {
        let began = bench.now;
        assert_eq!(bench.sleep(), [Effect::Sent]);
        bench.now.since(began)
    };
    bench.tell(Input::Transmit(vec![7; 20]));
    bench.tell(ready());
    bench.tell(Input::Transmit(vec![7; 20]));
    assert!(waits(&mut bench) < Duration::from_secs(16), "its word is lost");
    bench.tell(Input::Transmit(vec![7; 20]));
    assert_eq!(bench.tell(ready()), [], "taken for that of the frame before");
    assert!(waits(&mut bench) < Duration::from_secs(31));
    bench.tell(Input::Transmit(vec![7; 20]));
    assert_eq!(bench.tell(ready()), [Effect::Sent], "and then all is as it was");
}

#[test]
fn a_frame_for_which_there_is_no_room_is_lost_and_the_next_one_waits_for_the_air() {
    for (error, counted) in [(DeviceError::QUEUE_FULL, (1, 0)), (DeviceError::TX_FAILED, (0, 1))] {
        let mut bench = Bench::up();
        bench.tell(Input::Transmit(vec![7; 200]));
        let refused_at = bench.now;
        assert_eq!(bench.tell(Input::Bytes(says(&FromDevice::Error(error)))), []);
        assert_eq!(bench.tell(ready()), [], "it would only be refused again");
        assert_eq!(bench.sleep(), [Effect::Lost]);
        assert_eq!(bench.now.since(refused_at), channel().modulation().airtime(200));
        let counters = bench.rnode.statistics().counters;
        assert_eq!((counters.queue_full, counters.tx_failed), counted);
        assert_eq!((counters.lost, counters.sent), (1, 0));
    }
}

#[test]
fn frames_that_no_radio_carries_are_lost_at_once() {
    let mut bench = Bench::up();
    assert_eq!(bench.tell(Input::Transmit(vec![])), [Effect::Lost]);
    assert_eq!(bench.tell(Input::Transmit(vec![0xc0; 509])), [Effect::Lost]);
    let longest = bench.tell(Input::Transmit(vec![0xc0; 508]));
    assert!(
        matches!(longest.as_slice(), [Effect::Write(bytes)] if bytes.len() == 508 * 2 + 3),
        "all escaped"
    );
}

#[test]
fn a_frame_comes_with_how_well_it_was_heard() {
    let mut bench = Bench::up();
    let mut bytes = says(&FromDevice::Rssi(Rssi(67)));
    bytes.extend(says(&FromDevice::Snr(Snr(0xf8))));
    bytes.extend(says(&FromDevice::Data(&[0xdb, 0xc0, 3])));
    bytes.extend(says(&FromDevice::Data(&[4])));
    let signal = Signal { rssi_dbm: Some(-90), snr_quarter_db: Some(-8) };
    assert_eq!(
        bench.tell(Input::Bytes(bytes)),
        [
            Effect::Received { frame: vec![0xdb, 0xc0, 3], signal },
            Effect::Received { frame: vec![4], signal: Signal::default() },
        ]
    );
}

#[test]
fn strength_is_averaged_over_some_frames() {
    let mut bench = Bench::up();
    let mut hear = |strength| {
        let mut bytes = says(&FromDevice::Rssi(Rssi(strength)));
        bytes.extend(says(&FromDevice::Data(&[1])));
        bench.tell(Input::Bytes(bytes));
        let smoothed = bench.rnode.statistics().rssi_dbm.unwrap();
        (smoothed.last, smoothed.average())
    };
    assert_eq!(hear(57), (-100, -100));
    assert_eq!(hear(77), (-80, -97), "an eighth of the way, rounded");
    let settled = (0..60).map(|_| hear(77)).last().unwrap();
    assert_eq!(settled.0, -80);
    assert!((-81..=-80).contains(&settled.1), "{settled:?}");
    assert_eq!(hear(0).0, -157);
}

#[test]
fn what_the_modem_measures_is_kept() {
    let mut bench = Bench::up();
    let share = AirtimeLimit;
    let time = ChannelTime {
        airtime_short: share(150),
        airtime_long: share(20),
        load_short: share(900),
        load_long: share(300),
        sound: None,
    };
    let mut buffer = [0; 64];
    bench.tell(Input::Bytes(time.encode(&mut buffer).unwrap().to_vec()));
    let other = |command, data| says(&FromDevice::Other(Frame { command, data }));
    bench.tell(Input::Bytes(other(Command::STAT_BATTERY, &[2, 81])));
    bench.tell(Input::Bytes(other(Command::STAT_TEMPERATURE, &[151])));
    bench.tell(Input::Bytes(says(&FromDevice::Sent(12))));
    // What has another form than is known changes nothing.
    bench.tell(Input::Bytes(other(Command::STAT_CHANNEL_TIME, &[1, 2, 3])));
    let statistics = bench.rnode.statistics();
    assert_eq!(statistics.channel, Some(time));
    assert_eq!(statistics.battery, Some(Battery { state: BatteryState::CHARGING, percent: 81 }));
    assert_eq!(statistics.temperature.map(Temperature::celsius), Some(31));
    assert_eq!(statistics.modem_sent, Some(12));
}

#[test]
fn nothing_is_believed_of_the_air_before_the_radio_is_on() {
    let mut bench = Bench::new(Some(channel()));
    bench.tell(Input::Plugged);
    assert_eq!(bench.tell(Input::Bytes(says(&FromDevice::Data(&[1, 2, 3])))), []);
}

fn ready() -> Input {
    Input::Bytes(says(&FromDevice::Ready(&[])))
}
