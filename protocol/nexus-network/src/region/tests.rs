use super::*;
use alloc::string::ToString as _;

#[test]
fn every_region_but_the_operators_own_has_a_channel_that_it_permits() {
    let least = DutyCycle::new(1).unwrap();
    let told = |region: Region| region.channel(&wish(least)).unwrap().to_string();
    assert_eq!(
        told(Region::Eu868),
        "869.525 MHz, 250 kHz wide, SF7, coding rate 4/5, 14 dBm, at most 0.01 % of any hour"
    );
    for region in [Region::Eu433, Region::Us915, Region::Au915] {
        told(region);
    }
    assert_eq!(
        refusal(Region::Custom, wish(least)),
        "the region \"custom\" chooses nothing: `frequency` is missing"
    );
}

#[test]
fn europes_sub_bands_have_their_own_duty_cycles() {
    for (khz, hundredths) in
        [(864_000, 10), (866_500, 100), (868_300, 100), (868_950, 10), (869_525, 1_000), (869_850, 100)]
    {
        let at = |hundredths| Wish {
            frequency_hz: Some(khz * 1_000),
            bandwidth_hz: Some(125_000),
            ..wish(DutyCycle::new(hundredths).unwrap())
        };
        assert!(Region::Eu868.channel(&at(hundredths)).is_ok(), "{khz}");
        let Err(Refusal::TooMuch { most, .. }) = Region::Eu868.channel(&at(hundredths + 1)) else {
            panic!("{khz} kHz permits no more than {hundredths}")
        };
        assert_eq!(most.hundredths_of_a_percent(), hundredths);
    }
}

#[test]
fn a_channel_that_lies_across_the_edge_of_a_sub_band_is_refused_with_what_is_permitted() {
    let channel = |frequency_hz| Wish {
        frequency_hz: Some(frequency_hz),
        bandwidth_hz: Some(250_000),
        ..wish(DutyCycle::ONE_PERCENT)
    };
    assert!(Region::Eu868.channel(&channel(869_525_000)).is_ok(), "it fits exactly");
    assert_eq!(
        refusal(Region::Eu868, channel(869_526_000)),
        "869.401 to 869.651 MHz is not permitted in EU868: a channel lies within 863 to 865 MHz (0.1 %, 14 dBm), \
         or 865 to 868 MHz (1 %, 14 dBm), or 868 to 868.6 MHz (1 %, 14 dBm), or 868.7 to 869.2 MHz (0.1 %, 14 dBm), \
         or 869.4 to 869.65 MHz (10 %, 27 dBm), or 869.7 to 870 MHz (1 %, 14 dBm)"
    );
    assert!(
        refusal(Region::Eu868, channel(868_000_000)).starts_with("867.875 to 868.125 MHz is not permitted")
    );
    assert!(
        refusal(Region::Eu868, channel(915_000_000)).starts_with("914.875 to 915.125 MHz is not permitted")
    );
    assert!(refusal(Region::Eu868, channel(0)).starts_with("0 to 0.125 MHz is not permitted"));
    assert!(refusal(Region::Eu868, channel(u32::MAX)).contains("is not permitted"));
}

#[test]
fn power_is_bounded_where_the_channel_lies() {
    let loud = |frequency_hz, dbm| Wish {
        frequency_hz: Some(frequency_hz),
        bandwidth_hz: Some(125_000),
        tx_power_dbm: Some(dbm),
        ..wish(DutyCycle::ONE_PERCENT)
    };
    assert!(Region::Eu868.channel(&loud(869_525_000, 27)).is_ok());
    assert_eq!(
        refusal(Region::Eu868, loud(868_300_000, 15)),
        "15 dBm is too much at 868.3 MHz: EU868 permits 14 dBm there"
    );
}

#[test]
fn a_narrow_american_channel_carries_no_frame_longer_than_the_dwell_time() {
    let narrow = |bandwidth_hz, spreading_factor| Wish {
        bandwidth_hz: Some(bandwidth_hz),
        spreading_factor: Some(spreading_factor),
        ..wish(DutyCycle::TWO_PERCENT)
    };
    assert!(refusal(Region::Us915, narrow(125_000, 7)).contains("US915 permits 400 ms at a time"));
    let fits = Region::Us915.channel(&narrow(250_000, 6)).unwrap();
    assert!(fits.modulation().airtime(usize::from(FRAME_MAX)) <= DWELL);
    let wide = Wish { bandwidth_hz: Some(500_000), ..wish(DutyCycle::UNLIMITED) };
    assert!(Region::Us915.channel(&Wish { spreading_factor: Some(12), ..wide }).is_ok());
    let stays = Wish { duty: DutyCycle::new(401).unwrap(), ..narrow(250_000, 6) };
    assert!(refusal(Region::Us915, stays).ends_with("US915 permits 4 % there"));
}

#[test]
fn the_operators_own_region_checks_the_radio_alone() {
    let own = Wish {
        frequency_hz: Some(2_400_000_000),
        bandwidth_hz: Some(500_000),
        spreading_factor: Some(7),
        coding_rate: Some(5),
        tx_power_dbm: Some(13),
        duty: DutyCycle::UNLIMITED,
    };
    assert!(Region::Custom.channel(&own).is_ok());
    for wrong in [
        Wish { spreading_factor: Some(13), ..own },
        Wish { coding_rate: Some(4), ..own },
        Wish { bandwidth_hz: Some(7_799), ..own },
    ] {
        assert_eq!(Region::Custom.channel(&wrong), Err(Refusal::NotLora));
    }
}

fn wish(duty: DutyCycle) -> Wish {
    Wish {
        frequency_hz: None,
        bandwidth_hz: None,
        spreading_factor: None,
        coding_rate: None,
        tx_power_dbm: None,
        duty,
    }
}

fn refusal(region: Region, wish: Wish) -> alloc::string::String {
    region.channel(&wish).unwrap_err().to_string()
}
