//! The channel's step functions, explored exhaustively within bounds that a test run affords. `cargo run --release -p nexus-economy
//! --example channel-model` explores more.
#![allow(
    clippy::disallowed_types,
    clippy::disallowed_methods,
    clippy::disallowed_macros,
    reason = "how many states there are and how long it takes is printed, and never judged"
)]

mod model;

use std::time::Instant;

use model::{Bounds, Certified, Channel};
use nexus_economy::channels::keys::Both;
use stateright::{Checker, Model};

const SMALL: Bounds = Bounds {
    wins: Both { a: 1, b: 1 },
    letters: 2,
    crashes: 1,
    refusals: 0,
    settlements: 0,
    fallen_back: 0,
    certified: Certified::AtFirst,
};

#[track_caller]
fn explore(bounds: Bounds) {
    let begun = Instant::now();
    let checker = Channel(bounds).checker().spawn_bfs().join();
    println!(
        "{bounds:?}: {} states, {} unique, {:?}",
        checker.state_count(),
        checker.unique_state_count(),
        begun.elapsed()
    );
    checker.assert_properties();
}

#[test]
fn every_win_is_paid_once_whatever_is_lost_repeated_or_crashes() {
    explore(SMALL);
}

#[test]
fn a_refused_claim_is_never_signed_after_all() {
    explore(Bounds { crashes: 0, refusals: 1, ..SMALL });
}

#[test]
fn a_settlement_takes_nothing_from_wins() {
    explore(Bounds { crashes: 0, settlements: 1, ..SMALL });
}

#[test]
fn a_disk_that_falls_back_never_makes_its_owner_sign_twice() {
    explore(Bounds { crashes: 0, fallen_back: 1, letters: 1, ..SMALL });
}

/// A channel without a line: what is declared cannot be spent, what is certified later can, whoever hears of it first.
#[test]
fn a_deposit_is_spent_as_far_as_it_is_certified_and_then_further() {
    explore(Bounds { wins: Both { a: 0, b: 2 }, letters: 1, certified: Certified::ByAndBy, ..SMALL });
}
