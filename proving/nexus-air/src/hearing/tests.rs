use nexus_network::lora::Modulation;
use nexus_wire::reticulum::rnode::Hertz;

use super::*;
use crate::place::{Position, Route, Waypoint};

const A: RadioId = RadioId(0);
const B: RadioId = RadioId(1);
const C: RadioId = RadioId(2);

fn voice() -> Voice {
    let modulation = Modulation::new(125_000, 7, 5).unwrap();
    Voice::of(Channel { frequency: Hertz(868_000_000), modulation, power_dbm: 14 })
}

fn placed(stations: Vec<Station>) -> Hearing {
    Hearing::placed(stations, Scenario::LogDistance, Shadowing::NONE, &Seed::new([1; 32]))
}

fn metres(east: i32) -> Station {
    Station::standing(Position::metres(east, 0))
}

fn heard_by(hearing: &mut Hearing, sender: RadioId) -> Vec<RadioId> {
    hearing.audience(sender, &voice()).iter().map(|hearer| hearer.radio).collect()
}

#[test]
fn in_a_line_only_those_side_by_side_hear_each_other() {
    let mut line = Hearing::line(3);
    assert_eq!([A, B, C].map(|radio| heard_by(&mut line, radio)), [vec![B], vec![A, C], vec![B]]);
}

#[test]
fn a_direction_that_opens_again_has_the_signal_that_it_had() {
    let mut hearing = Hearing::nobody(2);
    let weak = Signal { rssi_dbm: -120, ..Signal::GOOD };
    let signal = |hearing: &Hearing, from, to| hearing.arrival(from, to, &voice()).map(Arrival::signal);
    hearing.connect(A, B, weak);
    hearing.direct(A, B, Direction::Shut);
    assert_eq!((signal(&hearing, A, B), signal(&hearing, B, A)), (None, Some(weak)));
    assert_eq!(heard_by(&mut hearing, A), []);
    hearing.direct(A, B, Direction::Open);
    assert_eq!(signal(&hearing, A, B), Some(weak));
    assert_eq!(heard_by(&mut hearing, A), [B]);
}

#[test]
fn a_radio_hears_as_far_as_its_sensitivity_goes_and_is_told_the_signal() {
    let mut hearing = placed(vec![metres(0), metres(3_010), metres(-3_025)]);
    assert_eq!(heard_by(&mut hearing, A), [B], "3,016 m at SF7 and 14 dBm");
    // 14 - 7.7 - 37.6 log 3010 = -124.49, over a noise of -117.03.
    let signal = hearing.arrival(A, B, &voice()).map(Arrival::signal);
    assert_eq!(signal, Some(Signal { rssi_dbm: -124, snr: QuarterDecibels(-30) }));
    assert!(hearing.interference(A, C, &voice()) > 0.0, "what is too weak to make out still disturbs");
}

#[test]
fn gains_count_both_ways_and_noise_and_power_one_way() {
    let deaf = Station { noise_figure: Millibels(900), ..metres(1_000) };
    let mut loud = Station { antenna_gain: Millibels(200), power_error: Millibels(-50), ..metres(2_000) };
    loud.noise_figure = Millibels(500);
    let hearing = placed(vec![metres(0), deaf, loud]);
    let arrival = |from, to| hearing.arrival(from, to, &voice()).unwrap();
    assert_eq!(arrival(A, B).level, arrival(B, A).level);
    assert_eq!(arrival(A, B).snr.0 + 300, arrival(B, A).snr.0);
    assert_eq!(arrival(B, C).level.0, arrival(A, B).level.0 + 200);
    assert_eq!(arrival(C, B).level.0, arrival(A, B).level.0 + 150);
}

#[test]
fn power_changes_what_arrives_from_a_place_and_not_what_a_table_says() {
    let mut quiet = voice();
    quiet.channel.power_dbm = 4;
    let quiet = Voice::of(quiet.channel);
    let difference = |hearing: &Hearing| {
        let [loud, quiet] = [voice(), quiet].map(|voice| hearing.arrival(A, B, &voice).unwrap().level.0);
        loud - quiet
    };
    assert_eq!(difference(&placed(vec![metres(0), metres(500)])), 1_000);
    assert_eq!(difference(&Hearing::everybody(2)), 0);
}

#[test]
fn who_walks_away_is_heard_until_the_step_that_takes_it_out_of_reach() {
    let second = |second| Instant::BOOT.after(nexus_machine::Duration::from_secs(second));
    // Thirty metres a second from 2,900 m on: at the fourth step it is 3,020 m away.
    let waypoint = |at, east| Waypoint { at: second(at), position: Position::metres(east, 0) };
    let route = Route::through([waypoint(0, 2_900), waypoint(10, 3_200)]).unwrap();
    let mut hearing = placed(vec![metres(0), Station::common(route)]);
    for (now, step, heard) in [(0, 1, true), (3, 4, true), (4, 5, false), (7, 8, false)] {
        hearing.advance(second(now).after(nexus_machine::Duration::from_millis(999)));
        assert_eq!(hearing.next_step(), Some(second(step)));
        assert_eq!(!heard_by(&mut hearing, A).is_empty(), heard, "after {now} s");
    }
    hearing.advance(second(10));
    assert_eq!(hearing.next_step(), None, "it has arrived");
}
