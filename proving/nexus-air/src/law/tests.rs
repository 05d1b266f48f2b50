use nexus_network::lora::Modulation;
use nexus_wire::reticulum::rnode::Hertz;

use super::*;

const TENTH: u32 = 869_400_000;

/// Node 0 transmits at 868.3 MHz, 125 kHz wide, from a millisecond to another.
fn at_ms(start: u64, end: u64) -> Emission {
    tuned(868_300_000, 125_000, 14, start, end)
}

fn tuned(hertz: u32, bandwidth_hz: u32, power_dbm: u8, start: u64, end: u64) -> Emission {
    let modulation = Modulation::new(bandwidth_hz, 7, 5).unwrap();
    let channel = Channel { frequency: Hertz(hertz), modulation, power_dbm };
    let at = |millis| Instant::BOOT.after(Duration::from_millis(millis));
    Emission { owner: 0, channel, start: at(start), end: at(end) }
}

fn europe(emissions: &[Emission]) -> Vec<Breach> {
    let mut meter = LawMeter::default();
    emissions.iter().flat_map(|emission| meter.take(Law::Europe, emission)).collect()
}

fn america(emissions: &[Emission]) -> Vec<Breach> {
    let mut meter = LawMeter::default();
    emissions.iter().flat_map(|emission| meter.take(Law::UnitedStates, emission)).collect()
}

#[test]
fn an_hour_is_any_hour_and_not_one_of_a_clock() {
    const HOUR_MS: u64 = 3_600_000;
    assert_eq!(europe(&[at_ms(0, 36_000)]), [], "36 s are 1 % of an hour");
    assert_eq!(europe(&[at_ms(0, 36_001)]).len(), 1);
    let at_the_end = at_ms(HOUR_MS - 36_000, HOUR_MS);
    assert_eq!(europe(&[at_the_end, at_ms(HOUR_MS, HOUR_MS + 1)]).len(), 1, "the next hour of the clock");
    let an_hour_later = at_ms(2 * HOUR_MS - 36_000, 2 * HOUR_MS);
    assert_eq!(europe(&[at_the_end, an_hour_later]), [], "exactly as much has left the hour as comes in");
    let early = at_ms(2 * HOUR_MS - 36_001, 2 * HOUR_MS - 1);
    assert_eq!(europe(&[at_the_end, early]).len(), 1, "a millisecond of the first is within it");
}

#[test]
fn what_a_breach_says_is_what_was_measured() {
    let breach = europe(&[at_ms(0, 30_000), at_ms(60_000, 66_500)]).pop().unwrap();
    let sentence = "36500000 µs in 3600 s from 868000000 Hz on, where 36000000 µs are allowed";
    assert_eq!(breach.to_string(), sentence);
}

#[test]
fn radios_of_one_owner_count_together_and_those_of_another_do_not() {
    let other = |owner| Emission { owner, ..tuned(868_450_000, 125_000, 14, 40_000, 60_000) };
    assert_eq!(europe(&[at_ms(0, 20_000), other(0)]).len(), 1);
    assert_eq!(europe(&[at_ms(0, 20_000), other(1)]), []);
}

#[test]
fn each_stretch_has_its_share_and_its_power() {
    for (hertz, hundredths, dbm) in [
        (433_900_000, 1_000, 10),
        (864_000_000, 10, 14),
        (866_500_000, 100, 14),
        (868_300_000, 100, 14),
        (869_000_000, 10, 14),
        (869_525_000, 1_000, 27),
        (869_850_000, 100, 14),
    ] {
        let most_ms = 360 * hundredths;
        let sent = |dbm, ms| europe(&[tuned(hertz, 125_000, dbm, 0, ms)]).len();
        assert_eq!(
            (sent(dbm, most_ms), sent(dbm, most_ms + 1), sent(dbm + 1, most_ms)),
            (0, 1, 1),
            "{hertz}"
        );
    }
}

#[test]
fn what_lies_across_an_edge_counts_on_both_sides_and_between_stretches_nothing_is_allowed() {
    let across = |start, end| tuned(865_000_000, 125_000, 14, start, end);
    assert_eq!(europe(&[across(0, 3_600)]), [], "0.1 % below the edge, 1 % above it");
    assert_eq!(europe(&[across(0, 3_601)]).len(), 1, "the stricter holds");
    let above = tuned(866_000_000, 125_000, 14, 10_000, 10_000 + 32_400);
    assert_eq!(europe(&[across(0, 3_600), above]), []);
    let more = tuned(866_000_000, 125_000, 14, 10_000, 10_000 + 32_401);
    assert_eq!(europe(&[across(0, 3_600), more]).len(), 1, "it counted above the edge as well");
    let outside = |hertz| europe(&[tuned(hertz, 125_000, 14, 0, 1)]);
    assert!(matches!(outside(868_650_000)[..], [Breach::Outside { .. }]));
    assert!(matches!(outside(869_300_000)[..], [Breach::Outside { .. }]));
    assert!(matches!(outside(869_400_000)[..], [Breach::Outside { .. }]), "half of it lies below");
    assert_eq!(europe(&[tuned(869_525_000, 250_000, 27, 0, 1)]), [], "it fits exactly");
}

#[test]
fn the_most_in_an_hour_is_what_the_busiest_owner_sent() {
    let mut meter = LawMeter::default();
    for owner in [0, 1] {
        let sent = Emission { owner, ..tuned(869_525_000, 250_000, 14, 0, 1_000 * u64::from(owner)) };
        meter.take(Law::Europe, &sent);
    }
    assert_eq!(meter.most_in_an_hour(TENTH), Duration::from_secs(1));
}

#[test]
fn a_narrow_american_frequency_is_occupied_for_400_ms_in_20_s_and_a_wider_one_in_10() {
    let narrow = |start, end| tuned(915_000_000, 125_000, 20, start, end);
    assert_eq!(america(&[narrow(0, 400), narrow(20_000, 20_400)]), []);
    assert_eq!(america(&[narrow(0, 401)]).len(), 1, "at once");
    assert_eq!(america(&[narrow(0, 400), narrow(20_000, 20_401)]).len(), 1);
    assert_eq!(america(&[narrow(0, 200), narrow(5_000, 5_201)]).len(), 1);
    let wider = |start, end| tuned(915_000_000, 250_000, 20, start, end);
    assert_eq!(america(&[wider(0, 400), wider(10_000, 10_400)]), []);
    assert_eq!(america(&[wider(0, 400), wider(9_000, 9_400)]).len(), 1);
    // Another frequency is another one, and one that overlaps is the same.
    let beside = tuned(915_200_000, 125_000, 20, 500, 900);
    assert_eq!(america(&[narrow(0, 400), beside]), []);
    assert_eq!(america(&[narrow(0, 400), Emission { channel: narrow(0, 0).channel, ..beside }]).len(), 1);
}

#[test]
fn wide_american_modulation_is_limited_in_power_alone() {
    let wide = |dbm| tuned(915_000_000, 500_000, dbm, 0, 3_600_000);
    assert_eq!(america(&[wide(30)]), []);
    assert!(matches!(america(&[wide(31)])[..], [Breach::TooLoud { .. }]));
    assert!(matches!(america(&[tuned(915_000_000, 125_000, 25, 0, 1)])[..], [Breach::TooLoud { .. }]));
    assert!(matches!(america(&[tuned(902_100_000, 500_000, 20, 0, 1)])[..], [Breach::Outside { .. }]));
}

#[test]
fn a_carrier_says_whose_law_holds() {
    assert_eq!(Law::of_carrier(869_525_000), Some(Law::Europe));
    assert_eq!(Law::of_carrier(433_920_000), Some(Law::Europe));
    assert_eq!(Law::of_carrier(915_000_000), Some(Law::UnitedStates));
    assert_eq!(Law::of_carrier(2_450_000_000), None);
}
