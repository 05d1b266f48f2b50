//! The cheat suite of the lottery: each known way to cheat or to choose, and what it gains beside the bound. Channels have theirs in
//! `tests/channels/cheats.rs`. Source: spec/economy.md#what-cheating-gains.

mod alone;
mod payers;
mod relays;
mod strangers;

use std::println;

use nexus_machine::Duration;
use nexus_wire::nexus::code::PriceCode;

use super::super::WindowKind;
use super::world::{CABLE, Coin, World};
use crate::money::Grains;

const OFTEN: Duration = Duration::from_millis(5);

fn price() -> PriceCode {
    PriceCode::nearest(1_000)
}

fn typical() -> Grains {
    Grains::of_packet(price(), 200).expect("fits")
}

fn honest() -> World<Coin> {
    World::new(Coin::new, CABLE, typical(), WindowKind::ByValue)
}

fn stream(world: &mut World<Coin>, packets: u32, every: Duration) {
    for _ in 0..packets {
        world.pay_for(price(), 200);
        world.run_for(every);
    }
}

/// A world in which a window was paid that had to be drawn.
fn after_a_win() -> World<Coin> {
    let mut world = honest();
    for _ in 0..200 {
        stream(&mut world, 64, OFTEN);
        if world.signed.last().is_some_and(|claim| claim.proof.is_some()) {
            world.settle();
            return world;
        }
    }
    panic!("of 200 windows at odds of a quarter some win");
}

/// What a cheat gains, in grains.
#[track_caller]
fn gains(trick: &str, gain: u64, bound: u64) {
    println!("{trick}: gains {gain} grains, bound {bound}");
    assert!(gain <= bound, "{trick} gains {gain} grains, bound {bound}");
}

/// The same, told in windows of so many grains.
#[track_caller]
fn gains_windows(trick: &str, gain: u64, bound: u64, window: u64) {
    let of = |grains: u64| grains as f64 / window as f64;
    println!("{trick}: gains {:.2} V, bound {:.2} V", of(gain), of(bound));
    assert!(gain <= bound, "{trick} gains {gain} grains, bound {bound}, V {window}");
}
