//! How often windows win.

use std::collections::VecDeque;

use nexus_crypto::VrfSecret;
use nexus_machine::Duration;
use nexus_wire::nexus::code::PriceCode;
use nexus_wire::nexus::lottery::{Offer, Released};

use super::super::draw::Vrf;
use super::super::{Chain, Odds, Terms, WindowKind};
use super::world::{CABLE, Coin, World};
use crate::money::{Amount, Grains};

/// Wins among `drawn` with odds of `p`, within `sigmas` of what is to be expected.
#[track_caller]
fn close(won: u64, drawn: u64, p: f64, sigmas: f64) {
    let (won, drawn) = (won as f64, drawn as f64);
    let sigma = (drawn * p * (1.0 - p)).sqrt();
    let off = (won - drawn * p) / sigma;
    assert!(off.abs() <= sigmas, "{won} of {drawn} won, {:.1} were to be expected: {off:.2} σ", drawn * p);
}

fn odds_of(terms: &Terms) -> f64 {
    terms.window().get() as f64 / terms.reward().grains().expect("fits").get() as f64
}

#[test]
fn of_a_thousand_packets_as_many_win_as_the_odds_say() {
    let price = PriceCode::nearest(1_000);
    let packet = Grains::of_packet(price, 200).expect("fits");
    let mut world =
        World::new(|seed| VrfSecret::from_seed(&[seed; 32]), CABLE, packet, WindowKind::PerPacket);
    for _ in 0..1_000 {
        world.pay_for(price, 200);
        world.run_for(Duration::from_millis(600));
    }
    world.settle();
    let income = world.income();
    assert_eq!(
        (income.drawn, world.dropped),
        (1_000, 0),
        "each packet is a window, and each window is drawn"
    );
    assert_eq!(income.won, world.claims);
    let terms = world.sides[1].organ.relaying_terms(&world.sides[0].id).expect("terms");
    let p = odds_of(terms);
    assert!((0.000_1..=0.2).contains(&p));
    close(income.won, income.drawn, p, 2.0);
}

#[test]
fn of_the_windows_of_a_stream_as_many_win_as_the_odds_say() {
    let price = PriceCode::nearest(1_000);
    let typical = Grains::of_packet(price, 200).expect("fits");
    let mut world = World::new(|seed| VrfSecret::from_seed(&[seed; 32]), CABLE, typical, WindowKind::ByValue);
    let (mut expected, mut variance, mut drawn, mut won) = (0.0, 0.0, 0, 0);
    for _ in 0..40_000 {
        world.pay_for(price, 200);
        world.run_for(Duration::from_millis(20));
        let income = world.income();
        if income.drawn > drawn {
            let terms = world.sides[1].organ.relaying_terms(&world.sides[0].id).expect("terms");
            let p = odds_of(terms);
            let more = (income.drawn - drawn) as f64;
            (expected, variance) = (expected + more * p, variance + more * p * (1.0 - p));
            (drawn, won) = (income.drawn, income.won);
        }
    }
    assert!(drawn > 150, "{drawn} windows");
    let off = (won as f64 - expected) / variance.sqrt();
    assert!(off.abs() <= 2.0, "{won} of {drawn} won, {expected:.1} were to be expected: {off:.2} σ");
}

/// Each window's output comes from its token, as in the field; a stand-in draws.
#[test]
fn of_a_million_draws_as_many_win_as_the_odds_say() {
    let coin = Coin::new(2);
    for (against, first) in [(4, 1), (100, 5), (10_000, 9)] {
        let (mut drawn, mut won) = (0_u64, 0_u64);
        let mut odds = 0.0;
        for root in first..first + 4_u8 {
            let mut chain = Chain::new([root; 32], 62_500);
            let anchor = chain.anchor();
            let offer = Offer {
                channel_id: [1; 16],
                number: u32::from(root),
                anchor,
                window: 1_024 * 100,
                reward: 100 * against,
                length: 62_500,
            };
            let terms = Terms::new(offer, coin.public()).expect("sound terms");
            odds = odds_of(&terms);
            let Odds::Below(limit) = terms.odds() else { panic!("windows can lose") };
            let tokens: VecDeque<Released> = super::super::chain::between(
                0,
                &Released { window: 62_500, token: chain.token(62_500) },
                62_500,
            )
            .into();
            for Released { window, token } in tokens {
                drawn += 1;
                won += u64::from(coin.output(&terms.alpha(window, &token)).draw() < limit);
            }
        }
        assert_eq!(drawn, 250_000);
        close(won, drawn, odds, 5.0);
    }
    for (against, keys) in [(7, 4_u8)] {
        let (mut drawn, mut won) = (0_u64, 0_u64);
        let limit = u64::MAX / against;
        for key in 1..=keys {
            let coin = Coin::new(key);
            for number in 0..250_000_u32 {
                drawn += 1;
                won += u64::from(coin.output(&number.to_le_bytes()).draw() < limit);
            }
        }
        assert_eq!(drawn, 1_000_000);
        close(won, drawn, 1.0 / against as f64, 5.0);
    }
}

/// At low odds a mean shows in ten million windows: what wins bring is what the windows are worth, within a hundredth.
#[test]
fn in_ten_million_windows_at_a_hundredth_wins_bring_what_windows_are_worth() {
    const LENGTH: u16 = 62_500;
    let coin = Coin::new(2);
    let (mut drawn, mut worth, mut brought) = (0_u64, 0_u128, 0_u128);
    for number in 0..160_u32 {
        let mut root = [0x7a; 32];
        root[..4].copy_from_slice(&number.to_le_bytes());
        let mut chain = Chain::new(root, LENGTH);
        let (window, reward) = (1_024 * 100, 100 * 100);
        let anchor = chain.anchor();
        let offer = Offer { channel_id: [1; 16], number, anchor, window, reward, length: LENGTH };
        let terms = Terms::new(offer, coin.public()).expect("sound terms");
        let Odds::Below(limit) = terms.odds() else { panic!("windows can lose") };
        let last = Released { window: LENGTH, token: chain.token(LENGTH) };
        for Released { window: at, token } in super::super::chain::between(0, &last, LENGTH) {
            drawn += 1;
            worth += u128::from(window);
            let won = coin.output(&terms.alpha(at, &token)).draw() < limit;
            brought += if won { u128::from(reward) * 1_024 } else { 0 };
        }
    }
    assert_eq!(drawn, 10_000_000);
    let off = brought.abs_diff(worth);
    assert!(off * 100 <= worth, "{brought} grains came of windows worth {worth}");
}

#[test]
fn a_reward_of_one_window_wins_for_certain_and_less_is_no_reward() {
    let offer = |window, reward| Offer {
        channel_id: [1; 16],
        number: 1,
        anchor: Chain::new([1; 32], 8).anchor(),
        window,
        reward,
        length: 8,
    };
    let key = Coin::new(2).public();
    assert_eq!(Terms::new(offer(1_024, 1), key).map(|terms| terms.odds()), Some(Odds::Certain));
    assert_eq!(Terms::new(offer(1_024, 2), key).map(|terms| terms.odds()), Some(Odds::Below(1 << 63)));
    assert_eq!(Terms::new(offer(1_025, 1), key), None);
    assert_eq!(Terms::new(offer(0, 1), key), None);
    for window in [u64::MAX, u64::MAX / 8] {
        assert_eq!(Terms::new(offer(window, u64::MAX / 1_024), key), None, "sums would not fit");
    }
    let terms = Terms::new(offer(1_024, u64::MAX / 2_048), key).expect("sound terms");
    assert_eq!(terms.rewards(1, 5_000), None, "more than an amount holds");
    assert_eq!(terms.rewards(2, 1), None);
    assert_eq!(terms.rewards(1, 1), Some(Amount::from_micros(u64::MAX / 2_048)));
}
