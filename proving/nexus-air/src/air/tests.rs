use nexus_network::lora::Modulation;
use nexus_wire::reticulum::rnode::Hertz;

use super::*;
use crate::hearing::Direction;
use crate::record::Outcome;

const A: RadioId = RadioId(0);
const B: RadioId = RadioId(1);
const C: RadioId = RadioId(2);

fn channel() -> Channel {
    let modulation = Modulation::new(125_000, 8, 5).unwrap();
    Channel { frequency: Hertz(867_200_000), modulation, power_dbm: 14 }
}

fn at(micros: u64) -> Instant {
    Instant::from_micros(micros)
}

/// All radios on one channel.
fn air(hearing: Hearing) -> Air {
    let mut air = Air::new(hearing, Recording::Last(64), &Seed::new([7; 32]));
    for radio in air.hearing.ids() {
        air.tune(Instant::BOOT, radio, Some(channel()));
    }
    air
}

fn single(len: usize) -> Burst {
    Burst::Single(vec![0x55; len])
}

/// Lets everything end, and tells what became of each transmission at each radio.
fn outcomes(air: &mut Air) -> Vec<(RadioId, RadioId, Outcome)> {
    while air.take_event(Instant::NEVER).is_some() {}
    let each = |one: Transmission| {
        one.receptions.into_iter().map(move |reception| (one.sender, reception.radio, reception.outcome))
    };
    air.take_transmissions().into_iter().flat_map(each).collect()
}

#[test]
fn a_transmission_occupies_the_air_for_as_long_as_the_formula_says() {
    let mut air = air(Hearing::everybody(2));
    air.transmit(at(5_000), A, single(101)).unwrap();
    assert_eq!(air.next_event(), Some(at(6_000)));
    assert!(matches!(air.take_event(at(6_000)), Some(Event::Began { sender: A, .. })));
    let airtime = channel().modulation.airtime(100);
    assert_eq!(air.next_event(), Some(at(6_000).after(airtime)));
    assert_eq!(outcomes(&mut air), [(A, B, Outcome::Received)]);
    assert_eq!((air.meter(A).airtime, air.meter(A).sent, air.meter(B).received), (airtime, 1, 1));
}

#[test]
fn two_halves_follow_each_other_without_a_gap_and_nobody_gets_between() {
    let mut air = air(Hearing::everybody(2));
    air.transmit(at(0), A, Burst::Double(vec![1; 255], vec![2; 101])).unwrap();
    let middle = at(1_000).after(channel().modulation.transmission(254));
    let mut events = Vec::new();
    while let Some(event) = air.take_event(middle) {
        events.push(event);
    }
    assert!(matches!(
        events[..],
        [Event::Began { .. }, Event::Ended { burst: BurstState::Continues, .. }, Event::Began { .. }]
    ));
    assert!(air.is_busy(middle, B));
    assert_eq!(air.next_event(), Some(at(1_000).after(channel().modulation.airtime(354))));
    assert_eq!(outcomes(&mut air), [(A, B, Outcome::Received), (A, B, Outcome::Received)]);
}

#[test]
fn who_transmits_hears_nothing() {
    let mut air = air(Hearing::everybody(3));
    air.hearing().set(A, C, None);
    air.transmit(at(0), A, single(200)).unwrap();
    air.transmit(at(2_000), B, single(10)).unwrap();
    assert_eq!(
        outcomes(&mut air),
        [(B, A, Outcome::Deaf), (B, C, Outcome::Received), (A, B, Outcome::Deaf)],
        "C does not hear A, so B is all there is for it"
    );
}

#[test]
fn transmissions_that_overlap_are_lost_where_both_are_heard_and_nowhere_else() {
    // B hears both; A and C are hidden from each other. D hears C only.
    let (mut hearing, d) = (Hearing::nobody(4), RadioId(3));
    for (one, other) in [(A, B), (B, C), (C, d)] {
        hearing.connect(one, other, Signal::GOOD);
    }
    let mut air = air(hearing);
    air.transmit(at(0), A, single(100)).unwrap();
    while air.take_event(at(50_000)).is_some() {}
    assert!(air.is_busy(at(50_000), B) && !air.is_busy(at(50_000), C), "A is hidden from C");
    air.transmit(at(50_000), C, single(100)).unwrap();
    assert_eq!(
        outcomes(&mut air),
        [(A, B, Outcome::Collided), (C, B, Outcome::Collided), (C, d, Outcome::Received)]
    );
    assert_eq!((air.meter(B).collided, air.meter(d).received), (2, 1));
}

#[test]
fn two_that_begin_within_the_turnaround_collide_and_a_third_senses_them() {
    let mut air = air(Hearing::everybody(4));
    air.transmit(at(0), A, single(50)).unwrap();
    while air.take_event(at(999)).is_some() {}
    assert!(!air.is_busy(at(999), B), "within the turnaround nothing can be sensed");
    air.transmit(at(999), B, single(50)).unwrap();
    assert!(air.is_busy(at(1_000), C));
    let heard_by_c = |(_, at, outcome): &(_, RadioId, Outcome)| (*at == C).then_some(*outcome);
    let at_c: Vec<_> = outcomes(&mut air).iter().filter_map(heard_by_c).collect();
    assert_eq!(at_c, [Outcome::Collided, Outcome::Collided]);
}

#[test]
fn one_behind_the_other_is_no_collision() {
    let mut air = air(Hearing::everybody(3));
    air.transmit(at(0), A, single(50)).unwrap();
    let end = at(1_000).after(channel().modulation.airtime(49));
    while air.take_event(end.before(Duration::from_micros(1_000))).is_some() {}
    air.transmit(end.before(TURNAROUND), B, single(50)).unwrap();
    let at_c: Vec<_> = outcomes(&mut air).into_iter().filter(|(_, at, _)| *at == C).collect();
    assert_eq!(at_c, [(A, C, Outcome::Received), (B, C, Outcome::Received)]);
}

#[test]
fn radios_on_other_channels_neither_hear_nor_disturb_nor_sense() {
    let mut air = air(Hearing::everybody(3));
    let other = Channel { frequency: Hertz(868_000_000), ..channel() };
    air.tune(at(0), B, Some(other));
    air.transmit(at(0), A, single(50)).unwrap();
    air.transmit(at(0), B, single(50)).unwrap();
    assert!(air.is_busy(at(5_000), C) && !air.is_busy(at(5_000), RadioId(1)));
    assert_eq!(outcomes(&mut air), [(A, C, Outcome::Received)]);
}

#[test]
fn a_radio_that_is_off_sends_nothing_and_gets_nothing_and_one_that_tunes_in_late_is_deaf() {
    let mut air = air(Hearing::everybody(3));
    air.tune(at(0), B, None);
    assert_eq!(air.transmit(at(0), B, single(1)), Err(Refusal::Off));
    air.transmit(at(0), A, single(50)).unwrap();
    assert_eq!(air.transmit(at(0), A, single(1)), Err(Refusal::Busy));
    // Thirteen symbols of the preamble can be done without.
    air.tune(at(1_000 + 13 * 2_048 + 1), C, Some(channel()));
    assert_eq!(outcomes(&mut air), [(A, C, Outcome::Deaf)]);
}

#[test]
fn a_sender_that_is_switched_off_breaks_off_and_nobody_can_use_it() {
    let mut air = air(Hearing::everybody(2));
    air.transmit(at(0), A, Burst::Double(vec![0; 255], vec![0; 10])).unwrap();
    while air.take_event(at(9_000)).is_some() {}
    air.tune(at(9_000), A, None);
    assert!(!air.is_busy(at(9_000), B));
    assert_eq!(outcomes(&mut air), [(A, B, Outcome::CutOff)]);
    assert_eq!(air.meter(A).airtime, Duration::from_micros(8_000));
    // What has not begun leaves no trace.
    air.tune(at(10_000), A, Some(channel()));
    air.transmit(at(10_000), A, single(9)).unwrap();
    air.tune(at(10_500), A, None);
    assert_eq!((air.next_event(), outcomes(&mut air)), (None, vec![]));
}

#[test]
fn a_direction_that_is_shut_carries_nothing_one_way() {
    let mut air = air(Hearing::everybody(2));
    air.hearing().direct(A, B, Direction::Shut);
    air.transmit(at(0), A, single(50)).unwrap();
    assert!(!air.is_busy(at(2_000), B));
    assert_eq!(outcomes(&mut air), []);
    air.transmit(at(10_000_000), B, single(50)).unwrap();
    assert_eq!(outcomes(&mut air), [(B, A, Outcome::Received)]);
}

#[test]
fn loss_takes_the_share_that_it_was_told() {
    let mut air = air(Hearing::everybody(2));
    air.set_faults(B, Faults { loss_ppm: 300_000, ..Faults::default() });
    let mut lost = 0;
    for n in 0..1_000 {
        air.transmit(at(n * 1_000_000), A, single(5)).unwrap();
        lost += outcomes(&mut air).iter().filter(|(.., outcome)| *outcome == Outcome::Lost).count();
    }
    assert!((250..350).contains(&lost), "{lost} of 1000 at 30 %");
    assert_eq!(air.meter(B).lost + air.meter(B).received, 1_000);
}

#[test]
fn the_record_keeps_the_last_and_counts_what_it_forgot() {
    let mut air = Air::new(Hearing::everybody(2), Recording::Last(3), &Seed::new([7; 32]));
    air.tune(at(0), A, Some(channel()));
    for n in 0..5_u8 {
        air.transmit(at(u64::from(n) * 1_000_000), A, Burst::Single(vec![n; 4])).unwrap();
        while air.take_event(Instant::NEVER).is_some() {}
    }
    assert_eq!(air.forgotten_transmissions(), 2);
    let kept: Vec<u8> = air.take_transmissions().iter().map(|one| one.bytes[0]).collect();
    assert_eq!(kept, [2, 3, 4]);
    assert_eq!(air.take_transmissions(), []);
}

#[test]
fn what_is_over_is_forgotten_once_it_can_disturb_nothing() {
    let mut air = air(Hearing::everybody(8));
    for round in 0..100 {
        for radio in air.hearing.ids() {
            air.transmit(at(round * 10_000_000 + u64::from(radio.0) * 7_000), radio, single(60)).unwrap();
        }
        assert!(air.flights.all().count() <= 8);
        while air.take_event(Instant::NEVER).is_some() {}
        assert_eq!(air.flights.all().count(), 0);
    }
}

mod physics;
