//! Payer, relay and recipient, whole nodes with disks: whatever crashes, forgets or is cut off, money is neither made nor lost, and payment
//! goes on. More of them, and one by its number: the example `tolls`.

use nexus_sim::tolls::{Ran, Schedule};

const SCHEDULES: u64 = 60;

fn run(number: u64) -> Ran {
    Schedule::new(number, false).run().unwrap_or_else(|what| panic!("schedule {number}: {what}"))
}

fn check(number: u64) {
    let ran = run(number);
    println!("schedule {number}: {ran:?}");
}

#[test]
fn after_any_crashes_forgetting_and_cuts_the_account_is_one_and_payment_goes_on() {
    let (mut crashes, mut stale, mut wins) = (0, 0, 0);
    for ran in (0..SCHEDULES).map(run) {
        crashes += ran.crashes;
        stale += ran.stale;
        wins += ran.wins;
    }
    println!("{SCHEDULES} schedules: {crashes} crashes, {stale} of them with an older disk, {wins} wins");
    assert!(crashes > SCHEDULES && stale > 0 && wins > 0);
}

/// A relay that forgot its terms asked for some while all that it said was lost, and asked no more.
#[test]
fn a_relay_whose_questions_were_lost_asks_again() {
    check(88);
}

/// A link took the place of another before anybody was told that the first was gone: the relay's counting began anew, its lottery did not say
/// again how far the payer is carried, and it was carried out of its courtesy for ever.
#[test]
fn a_link_in_the_place_of_another_is_counted_as_before() {
    for number in [412, 568, 1460] {
        check(number);
    }
}

/// A payer that came back refused a claim for not knowing what it had released, and the relay did not claim again after the next link.
#[test]
fn a_claim_that_was_refused_in_ignorance_is_paid() {
    for number in [117, 335, 623] {
        check(number);
    }
}

/// A payer whose disk fell back and a relay told each other terms and names as fast as the cable goes.
#[test]
fn terms_that_seem_later_by_their_name_end() {
    check(1396);
}
