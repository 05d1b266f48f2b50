//! What a relay is paid, beside what it carried.

use std::println;

use nexus_machine::{Duration, Seed};
use nexus_wire::nexus::code::PriceCode;

use super::super::WindowKind;
use super::world::{BAD, CABLE, Coin, Medium, PAYER, RELAY, World};
use crate::money::Grains;

const PRICES: [u64; 8] = [1, 2, 5, 17, 90, 640, 3_000, 25_000];

/// What windows drawn are worth is the price of what was accepted, whatever happens on the way.
#[test]
fn what_is_drawn_is_worth_what_was_carried_under_loss_doubling_reordering_crashes_and_new_keys() {
    let mut random = Seed::new([3; 32]).fork("traffic");
    for (number, price) in PRICES.into_iter().enumerate() {
        let price = PriceCode::nearest(price);
        let typical = Grains::of_packet(price, 200).expect("fits");
        let mut world = World::new(Coin::new, BAD, typical, WindowKind::ByValue);
        let (mut crashes, mut largest) = (0, 0);
        for packet in 1..=60_000_u32 {
            let bytes = 40 + u32::try_from(random.below(440)).expect("small");
            world.pay_for(price, bytes);
            world.run_for(Duration::from_micros(500 + random.below(20_000)));
            largest = largest.max(world.window().get());
            if packet % 4_999 == 0 {
                world.rekey();
            }
            if packet % 9_973 == 0 {
                let who = if number % 2 == usize::from(packet % 2 == 0) { PAYER } else { RELAY };
                world.crash(who);
                crashes += 1;
            }
        }
        world.settle();
        let drawn = world.released();
        let accepted = world.accepted.get();
        let (low, high) = (accepted - accepted / 100 - (crashes + 1) * largest, accepted + accepted / 100);
        println!(
            "{price:?}: accepted {accepted} grains, drawn {drawn}, {crashes} crashes, V {largest}, {} packets dropped, {} claims",
            world.dropped, world.claims
        );
        assert!((low..=high).contains(&drawn), "{price:?}: {accepted} accepted, {drawn} drawn, V {largest}");
        let lost = u64::from(60_000_u32) - world.dropped;
        assert!(lost > 50_000, "{price:?}: {} packets dropped", world.dropped);
    }
}

#[test]
fn wins_bring_what_the_windows_drawn_are_worth() {
    let price = PriceCode::nearest(1_000);
    let typical = Grains::of_packet(price, 200).expect("fits");
    let mut world = World::new(Coin::new, CABLE, typical, WindowKind::ByValue);
    let mut variance = 0.0;
    let mut before = world.income();
    for _ in 0..400_000 {
        world.pay_for(price, 200);
        world.run_for(Duration::from_millis(2));
        let income = world.income();
        if income.drawn > before.drawn {
            let terms = *world.sides[RELAY].organ.relaying_terms(&world.sides[PAYER].id).expect("terms");
            let (reward, window) =
                (terms.reward().grains().expect("fits").get() as f64, terms.window().get() as f64);
            variance += (income.drawn - before.drawn) as f64 * window * (reward - window);
            before = income;
        }
    }
    world.settle();
    let (paid, expected) =
        (world.paid.grains().expect("fits").get() as f64, world.income().expected.get() as f64);
    let off = (paid - expected) / variance.sqrt();
    println!(
        "paid {paid}, expected {expected}: {off:.2} σ, {} claims of {} windows",
        world.claims,
        world.income().drawn
    );
    assert!(off.abs() <= 5.0, "{paid} paid, {expected} expected: {off:.2} σ");
    assert_eq!(world.dropped, 0, "an honest payer is never stopped");
}

/// On 1,000 bit/s, ten packets a minute: everything that is said about money, framed, in a day.
#[test]
fn on_a_slow_radio_payment_takes_less_than_a_two_hundredth() {
    let radio = Medium { latency: Duration::from_secs(2), bandwidth_bps: 1_000, ..CABLE };
    let price = PriceCode::nearest(1_000);
    let typical = Grains::of_packet(price, 200).expect("fits");
    let mut world = World::new(Coin::new, radio, typical, WindowKind::ByValue);
    let hours = 24;
    for _ in 0..hours * 600 {
        world.pay_for(price, 200);
        world.run_for(Duration::from_secs(6));
    }
    let carried = u64::from(u32::try_from(hours).expect("small")) * 3_600 * 1_000 / 8;
    let share = world.bytes as f64 / carried as f64;
    println!(
        "{} bytes of {carried}: {:.3} %, {} claims, {} terms",
        world.bytes,
        share * 100.0,
        world.claims,
        world.terms_said
    );
    assert!(share <= 0.005, "{} bytes of {carried}", world.bytes);
    assert!(world.claims > 20 && world.dropped == 0);
}

/// Everything that is said about money, framed, for a thousand packets of 200 bytes, once the two know each other: at ten a minute (a two
/// hundredth of what a link of 1 kbit/s carries meanwhile) and at ten thousand a second (a four hundredth of the packets), which a stranger's
/// first windows are too small for.
#[test]
fn payment_costs_few_bytes_for_a_thousand_packets() {
    let radio = Medium { latency: Duration::from_secs(2), bandwidth_bps: 1_000, ..CABLE };
    let cable = Medium { bandwidth_bps: 1_000_000_000, ..CABLE };
    let rates = [
        ("10 a minute", radio, Duration::from_secs(6), 20_000_u32, 1, 3_750.0),
        ("10,000 a second", cable, Duration::from_micros(100), 400_000, 8, 500.0),
    ];
    for (rate, medium, every, packets, rounds_before, most) in rates {
        let price = PriceCode::nearest(1_000);
        let typical = Grains::of_packet(price, 200).expect("fits");
        let mut world = World::new(Coin::new, medium, typical, WindowKind::ByValue);
        let stream = |world: &mut World<Coin>| {
            for _ in 0..packets {
                world.pay_for(price, 200);
                world.run_for(every);
            }
        };
        // Windows follow the rate of five minutes, and as far as it was paid for.
        (0..rounds_before).for_each(|_| stream(&mut world));
        let before = (world.bytes, world.claims, world.terms_said, world.dropped);
        stream(&mut world);
        let each = (world.bytes - before.0) as f64 / f64::from(packets) * 1_000.0;
        let dropped = world.dropped - before.3;
        println!(
            "{rate}: {each:.1} bytes for 1,000 packets, {} claims, {} terms, {dropped} of {packets} dropped; {} at first; V is {:.0} packets",
            world.claims - before.1,
            world.terms_said - before.2,
            before.3,
            world.window().get() as f64 / typical.get() as f64
        );
        assert!(each <= most && before.1 > 0, "{rate}: {each:.1} bytes");
        assert!(dropped * 100 < u64::from(packets), "{rate}: {dropped} dropped");
    }
}
