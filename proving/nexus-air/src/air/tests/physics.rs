//! What happens at a receiver for which strength, place and time of two signals differ.

use super::*;
use crate::clock::Clock;
use crate::hearing::Station;
use crate::place::{Position, Route, Waypoint};
use crate::propagation::{Scenario, Shadowing};
use crate::rnode::split::burst;
use nexus_wire::reticulum::rnode::QuarterDecibels;

/// A and B, which do not hear each other, at C: B so many decibels stronger.
fn two_at_c(stronger_db: i16) -> Air {
    let mut hearing = Hearing::nobody(3);
    hearing.set(A, C, Some(Signal { rssi_dbm: -90, ..Signal::GOOD }));
    hearing.set(B, C, Some(Signal { rssi_dbm: -90 + stronger_db, ..Signal::GOOD }));
    air(hearing)
}

/// Sends for A at once and for B so many symbols later, and tells what became of both at C.
fn later(mut air: Air, symbols: u64, lengths: [usize; 2]) -> [Outcome; 2] {
    air.transmit(at(0), A, single(lengths[0])).unwrap();
    let later = at(symbols * 2_048);
    while air.take_event(later).is_some() {}
    air.transmit(later, B, single(lengths[1])).unwrap();
    let outcomes = outcomes(&mut air);
    [A, B].map(|sender| outcomes.iter().find(|(from, ..)| *from == sender).unwrap().2)
}

#[test]
fn a_demodulator_that_has_locked_stays_with_its_frame_and_both_are_lost() {
    // Preamble and synchronisation word last 22.25 symbols, and 13 of them are dispensable.
    assert_eq!(later(two_at_c(10), 23, [100, 100]), [Outcome::Collided, Outcome::Locked]);
    assert_eq!(later(two_at_c(-10), 23, [100, 100]), [Outcome::Received, Outcome::Collided]);
    assert_eq!(
        later(two_at_c(10), 400, [100, 100]),
        [Outcome::Received, Outcome::Received],
        "one behind the other"
    );
}

#[test]
fn a_stronger_frame_takes_the_demodulator_while_the_others_preamble_lasts() {
    assert_eq!(later(two_at_c(10), 9, [100, 100]), [Outcome::Collided, Outcome::Received]);
    assert_eq!(
        later(two_at_c(10), 10, [100, 100]),
        [Outcome::Collided, Outcome::Locked],
        "needed from 23 on"
    );
    assert_eq!(later(two_at_c(5), 9, [100, 100]), [Outcome::Collided; 2], "less than it takes");
}

#[test]
fn what_ends_before_the_last_five_symbols_of_a_preamble_does_no_harm() {
    // A frame of ten bytes takes 45.25 symbols.
    let ends = [40, 32].map(|symbols| later(two_at_c(0), symbols, [10, 100])[1]);
    assert_eq!(ends, [Outcome::Received, Outcome::Locked], "5.25 and 13.25 symbols of overlap");
}

#[test]
fn a_radio_that_falls_silent_in_anothers_preamble_hears_it() {
    let mut air = air(Hearing::everybody(2));
    air.transmit(at(0), A, single(10)).unwrap();
    air.transmit(at(35 * 2_048), B, single(100)).unwrap();
    assert_eq!(outcomes(&mut air), [(A, B, Outcome::Deaf), (B, A, Outcome::Received)]);
}

#[test]
fn another_spreading_factor_disturbs_by_the_table_though_it_cannot_be_heard() {
    for (stronger_db, outcome) in [(24, Outcome::Received), (25, Outcome::Collided)] {
        let mut air = two_at_c(stronger_db);
        let modulation = Modulation::new(125_000, 7, 5).unwrap();
        air.tune(Instant::BOOT, B, Some(Channel { modulation, ..channel() }));
        air.transmit(at(0), A, single(30)).unwrap();
        air.transmit(at(0), B, single(255)).unwrap();
        assert_eq!(outcomes(&mut air), [(A, C, outcome)]);
    }
}

#[test]
fn a_signal_below_the_noise_that_its_spreading_factor_bears_is_not_received() {
    for (snr, received) in [(QuarterDecibels(-40), true), (QuarterDecibels(-41), false)] {
        let mut hearing = Hearing::nobody(2);
        hearing.set(A, B, Some(Signal { rssi_dbm: -120, snr }));
        let mut air = air(hearing);
        air.transmit(at(0), A, single(30)).unwrap();
        assert_eq!(!outcomes(&mut air).is_empty(), received, "{snr:?} at SF8");
    }
}

#[test]
fn at_the_edge_of_reach_carrier_sense_misses_half_and_never_changes_its_mind() {
    let mut hearing = Hearing::nobody(2);
    hearing.set(A, B, Some(Signal { rssi_dbm: -120, snr: QuarterDecibels(-40) }));
    let mut air = air(hearing);
    let mut noticed = 0;
    for n in 0..400 {
        let start = at(n * 1_000_000);
        air.transmit(start, A, single(30)).unwrap();
        let Some(Event::Began { sensed_by, at, .. }) = air.take_event(start.after(TURNAROUND)) else {
            panic!("a signal began")
        };
        for moment in [0, 1, 50_000] {
            let moment = at.after(Duration::from_micros(moment));
            assert_eq!(air.is_busy(moment, B), sensed_by == [B]);
        }
        noticed += sensed_by.len();
        assert_eq!(outcomes(&mut air), [(A, B, Outcome::Received)]);
    }
    assert!((165..235).contains(&noticed), "{noticed} of 400");
}

#[test]
fn a_slow_crystal_makes_signals_longer() {
    let mut air = air(Hearing::everybody(2));
    air.set_clock(A, Clock { slow_ppm: 20 });
    air.transmit(at(0), A, burst(&[7; 508], &mut Seed::new([1; 32]).fork("header"))).unwrap();
    while air.take_event(Instant::NEVER).is_some() {}
    let sent = air.take_transmissions();
    let half = channel().modulation.transmission(254);
    let spans: Vec<u64> = sent.iter().map(|one| one.end.since(one.start).as_micros()).collect();
    let longer = half.as_micros() + (half.as_micros() + 25_000) / 50_000;
    assert_eq!(spans, [longer; 2]);
    assert_eq!(sent[0].end, sent[1].start, "halves follow each other all the same");
}

#[test]
fn who_drives_out_of_reach_during_a_transmission_neither_senses_nor_receives_the_rest() {
    // Fifty metres a second: at SF8 and 14 dBm 3,514 m are the end, which it passes at the second step.
    let waypoint =
        |second: u64, east| Waypoint { at: at(second * 1_000_000), position: Position::metres(east, 0) };
    let route = Route::through([waypoint(0, 3_450), waypoint(10, 3_950)]).unwrap();
    let stations = vec![Station::standing(Position::default()), Station::common(route)];
    let seed = Seed::new([3; 32]);
    let mut air = air(Hearing::placed(stations, Scenario::LogDistance, Shadowing::NONE, &seed));
    let heard = |air: &mut Air| air.hearing().hearer(A, B, &Voice::of(channel())).is_some();
    air.transmit(at(1_700_000), A, single(200)).unwrap();
    let mut events = Vec::new();
    while let Some(event) = air.take_event(Instant::NEVER) {
        events.push((matches!(event, Event::Moved { .. }), heard(&mut air)));
    }
    assert_eq!(events, [(false, true), (true, false), (false, false)], "began, moved, ended");
    assert_eq!(air.take_transmissions()[0].receptions, []);
    assert_eq!(air.next_event(), None, "nobody asks where radios are while the air is silent");
}

#[test]
fn a_modem_that_waits_for_one_who_drives_away_gets_the_channel() {
    use crate::{Fleet, Model};
    use nexus_wire::reticulum::rnode::{RadioState, Setting, ToDevice};
    let waypoint =
        |second: u64, east| Waypoint { at: at(second * 1_000_000), position: Position::metres(east, 0) };
    let route = Route::through([waypoint(0, 100), waypoint(2, 100), waypoint(12, 50_100)]).unwrap();
    let stations = vec![Station::standing(Position::default()), Station::common(route)];
    let seed = Seed::new([3; 32]);
    let hearing = Hearing::placed(stations, Scenario::LogDistance, Shadowing::NONE, &seed);
    let quiet = Model { statistics: None, ..Model::ESP32 };
    let mut fleet = Fleet::new(hearing, &[quiet], Recording::Last(64), &seed);
    let mut say = |now: Instant, radio: RadioId, message: ToDevice<'_>| {
        let mut buffer = [0; 600];
        fleet.hear(now, radio, message.encode(&mut buffer).unwrap());
    };
    for radio in [A, B] {
        for setting in [
            Setting::Frequency(Hertz(867_200_000)),
            Setting::Bandwidth(Hertz(125_000)),
            Setting::TxPower(14),
            Setting::SpreadingFactor(12),
            Setting::CodingRate(5),
            Setting::RadioState(RadioState::ON),
        ] {
            say(at(0), radio, ToDevice::Set(setting));
        }
    }
    say(at(1), B, ToDevice::Data(&[1; 250]));
    say(at(2_500_000), A, ToDevice::Data(&[2; 10]));
    fleet.advance(at(30_000_000));
    let sent = fleet.air().take_transmissions();
    let [near, far] = &sent[..] else { panic!("two transmissions: {sent:?}") };
    assert_eq!((near.sender, far.sender), (A, B), "A was done while B was still sending");
    assert!(near.start > far.start && near.end < far.end);
}
