//! What an account allows, by whoever always wants more.

use alloc::vec::Vec;

use super::*;
use crate::gossip::tests::world::profile;

const RATE: u64 = 100_000;
const SECOND: Duration = Duration::from_secs(1);

/// Whoever says frames of 300 bytes for these tiers, the last first, as often as it may, for so long; announces beside it as their
/// budget has it. What left, and when.
fn greedy(account: &mut Account, tiers: &[Tier], seconds: u64) -> Vec<(u64, Kind, Tier, Duration)> {
    let mut left = Vec::new();
    // The announces' bucket: 3 %, and five minutes of it saved up.
    let mut announces_until = Instant::BOOT;
    for second in 0..seconds {
        let now = Instant::BOOT.after(SECOND.times(second + 1_000));
        while announces_until <= now {
            let time = account.medium.time_of(300);
            let spent = Duration::from_micros(time.as_micros() * 100 / 3);
            announces_until = announces_until.max(now.before(SECOND.times(300))).after(spent);
            account.leave(now, Kind::Announces, 300);
            left.push((second, Kind::Announces, Tier::Routing, time));
        }
        for tier in tiers.iter().rev() {
            while account.allows(now, *tier, 300).is_ok() {
                account.promise(now, *tier, 300);
                account.leave(now, Kind::Gossip, 300);
                left.push((second, Kind::Gossip, *tier, account.medium.time_of(300)));
            }
        }
    }
    left
}

/// The most in any ten minutes, in seconds.
fn most_in_ten_minutes(left: &[(u64, Kind, Tier, Duration)], counts: impl Fn(Kind) -> bool) -> u64 {
    let last = left.last().map_or(0, |(second, ..)| *second);
    let of = |from: u64| {
        let within =
            left.iter().filter(|(second, kind, ..)| (from..from + 600).contains(second) && counts(*kind));
        within.fold(Duration::ZERO, |sum, (.., time)| sum.plus(*time))
    };
    (0..=last).map(of).max().unwrap_or(Duration::ZERO).as_millis()
}

fn account(bps: u64, sharers: u64) -> Account {
    let mut account = Account::new(Medium::new(profile(bps, Reach::Shared)), Instant::BOOT);
    account.set_sharers(sharers);
    account
}

const ALL: [Tier; 3] = [Tier::Payment, Tier::Services, Tier::Social];

#[test]
fn in_no_ten_minutes_gossip_and_announces_take_more_than_a_tenth() {
    let left = greedy(&mut account(RATE, 1), &ALL, 3_000);
    let both = most_in_ten_minutes(&left, |_| true);
    assert!((55_000..=60_000).contains(&both), "nearly all of it is used, and no more: {both} ms of 600 s");
    let gossip = most_in_ten_minutes(&left, |kind| kind == Kind::Gossip);
    assert!(gossip <= 33_000, "what announces may take is free: {gossip} ms");
}

#[test]
fn where_all_hear_all_the_shares_are_divided() {
    let left = greedy(&mut account(RATE, 5), &ALL, 3_000);
    let gossip = most_in_ten_minutes(&left, |kind| kind == Kind::Gossip);
    assert!((5_000..=6_600).contains(&gossip), "a fifth: {gossip} ms");
}

#[test]
fn a_tier_has_its_share_whatever_those_below_want_and_they_have_what_it_leaves() {
    let share = |tiers: &[Tier], tier: Tier| {
        let left = greedy(&mut account(RATE, 1), tiers, 6_000);
        let of_it = left
            .iter()
            .filter(|(second, kind, of, _)| *second >= 600 && *kind == Kind::Gossip && *of == tier);
        let time = of_it.fold(Duration::ZERO, |sum, (.., time)| sum.plus(*time));
        // In hundredths of a percent.
        time.as_millis() * 10_000 / 5_400_000
    };
    let payment = share(&ALL, Tier::Payment);
    assert!((280..=305).contains(&payment), "{payment}");
    let alone = share(&[Tier::Payment], Tier::Payment);
    assert!((280..=305).contains(&alone), "its share is also the most it has: {alone}");
    let social = share(&[Tier::Social], Tier::Social);
    assert!((400..=550).contains(&social), "what nobody above uses: {social}");
}

#[test]
fn what_left_counts_until_nothing_of_it_lies_within_ten_minutes() {
    let mut account = account(RATE, 1);
    let frame = account.medium.time_of(12_500);
    assert_eq!(frame, SECOND);
    let at = |seconds: u64| Instant::BOOT.after(SECOND.times(seconds));
    for n in 0..32 {
        account.leave(at(1_000 + n % 10), Kind::Gossip, 12_500);
    }
    // Of 33 s, the longest frame is left to announces.
    account.leave(at(1_009), Kind::Gossip, 12_000);
    assert!(account.allows(at(1_599), Tier::Payment, 100).is_err());
    assert!(account.allows(at(1_609), Tier::Payment, 100).is_err(), "the last of it left 600 s ago");
    assert_eq!(account.allows(at(1_610), Tier::Payment, 100), Ok(()));
}

#[test]
fn announces_that_take_more_than_theirs_take_it_from_gossip() {
    let mut account = account(RATE, 1);
    let at = |seconds: u64| Instant::BOOT.after(SECOND.times(seconds));
    account.leave(at(1_000), Kind::Announces, 12_500 * 27);
    assert_eq!(account.allows(at(1_001), Tier::Payment, 100), Ok(()));
    account.leave(at(1_001), Kind::Announces, 12_500 * 33);
    account.leave(at(1_001), Kind::Gossip, 12_500);
    assert!(account.allows(at(1_002), Tier::Payment, 100).is_err());
}

#[test]
fn what_was_promised_counts_until_it_leaves_or_is_given_up() {
    let mut account = account(RATE, 1);
    let at = |seconds: u64| Instant::BOOT.after(SECOND.times(seconds));
    account.promise(at(1_000), Tier::Payment, 12_500 * 33);
    assert!(account.allows(at(1_100), Tier::Payment, 100).is_err());
    assert_eq!(account.allows(at(1_601), Tier::Payment, 100), Ok(()), "whatever became of it");
}

#[test]
fn of_a_medium_of_which_nothing_is_known_gossip_takes_what_a_telephone_line_would_give() {
    let mut unknown = Medium::new(profile(0, Reach::PointToPoint));
    assert_eq!(unknown.time_of(8_000), SECOND);
    unknown.carries(640_000);
    assert_eq!(unknown.time_of(80_000), SECOND, "until it is measured");
    assert_eq!(Medium::new(profile(9_999, Reach::PointToPoint)).pace(), Pace::Slow);
    assert_eq!(Medium::new(profile(10_000, Reach::PointToPoint)).pace(), Pace::Fast);
}

#[test]
fn what_is_carried_under_load_is_what_shares_are_of() {
    let mut medium = Medium::new(profile(RATE, Reach::PointToPoint));
    medium.carries(RATE / 2);
    assert_eq!(medium.time_of(12_500), SECOND.times(2));
}

#[test]
fn among_eleven_nodes_of_the_slowest_channel_there_is_no_share_for_anything() {
    let shared = |bps, sharers| account(bps, sharers).longest(Tier::Payment);
    assert_eq!(shared(RATE, 1), 508, "a whole frame");
    assert_eq!(shared(1_000, 11), 128, "the smallest summary, once in six minutes");
    assert!(shared(100, 11) < 41, "not even that two agree: {}", shared(100, 11));
}

#[test]
fn accounts_remember_no_more_than_they_say() {
    let mut account = account(RATE, 1);
    for second in 0..100_000 {
        account.leave(Instant::BOOT.after(SECOND.times(second)), Kind::Gossip, 1);
        assert!(account.left.len() <= 61);
    }
}

#[test]
fn what_is_earned_does_not_depend_on_how_often_somebody_asks() {
    let earned = |steps: u64| {
        // Many nodes share it: of a microsecond each earns less than is counted.
        let mut account = account(RATE, 12);
        for step in 1..=steps {
            let now = Instant::BOOT.after(Duration::from_micros(step * 2_000_000 / steps));
            let _refused = account.allows(now, Tier::Payment, 508);
        }
        account.buckets[0]
    };
    assert_eq!(earned(2_000_000), earned(1), "every microsecond, or once in two seconds");
}

#[test]
fn whoever_is_refused_is_told_a_moment_that_is_worth_waiting_for() {
    let mut account = account(RATE, 12);
    let (mut now, mut asked) = (Instant::BOOT, 0);
    while let Err(at) = account.allows(now, Tier::Payment, 128) {
        assert!(at.since(now) >= GRAIN);
        (now, asked) = (at, asked + 1);
        assert!(asked < 5, "it is allowed when it was said to be");
    }
}

#[test]
fn where_all_hear_all_what_others_say_counts_and_whoever_said_next_to_nothing_may_say_something() {
    let at = |seconds: u64| Instant::BOOT.after(SECOND.times(seconds));
    let heard = |seconds: u64, own: usize| {
        let mut account = account(RATE, 5);
        account.overhear(at(1_000), SECOND.times(seconds), Carrier::Broadcast);
        account.leave(at(1_000), Kind::Gossip, own);
        account
    };
    assert_eq!(heard(18, 12_500).allows(at(1_001), Tier::Payment, 100), Ok(()));
    assert!(
        heard(20, 12_500).allows(at(1_001), Tier::Payment, 100).is_err(),
        "20 s of ten minutes are taken"
    );
    assert_eq!(heard(20, 12_500).allows(at(1_620), Tier::Payment, 100), Ok(()), "and are over");
    // A fifth of half a percent is 0.6 s.
    assert_eq!(heard(300, 6_250).allows(at(1_001), Tier::Payment, 100), Ok(()), "nobody is silenced");
    let mut cable = Account::new(Medium::new(profile(RATE, Reach::PointToPoint)), Instant::BOOT);
    cable.overhear(at(1_000), SECOND.times(300), Carrier::Broadcast);
    cable.leave(at(1_000), Kind::Gossip, 12_500);
    assert_eq!(cable.allows(at(1_001), Tier::Payment, 100), Ok(()), "on a cable nobody else is heard");
}
