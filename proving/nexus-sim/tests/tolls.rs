//! Payer, relay and recipient, whole nodes with disks: whatever crashes, forgets or is cut off, money is neither made nor lost, and payment
//! goes on. More of them, and one by its number: the example `tolls`.

use std::collections::BTreeMap;

use nexus_machine::{Duration, Snapshot, Write};
use nexus_node::economy::Amount;
use nexus_node::economy::channels::{CHANNELS, LOG, RESTORED};
use nexus_node::economy::layer::{Command, Event, Policy};
use nexus_node::economy::lottery::{LOTTERIES, WindowKind};
use nexus_sim::tolls::{Disk, Ran, Schedule, Tolls};

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

/// A payer that came back with other terms under offer did not take from the relay's word what it had released of those in force: it refused
/// what was won, and the relay takes no other terms before that is paid.
#[test]
fn a_payer_that_came_back_with_terms_under_offer_learns_what_it_released() {
    for number in [2_120, 3_195] {
        check(number);
    }
}

/// A relay learnt that its disk had fallen back, and stopped again before other terms were agreed: the old ones came back from its disk, and
/// it claimed for ever what was paid.
#[test]
fn what_was_void_is_void_after_another_crash() {
    for number in [388, 1298] {
        check(number);
    }
}

/// A payer had ruled out more numbers than a relay, whose disk fell back to before that, skipped: each of the relay's proposals was refused for
/// its number, the next one too, and no win was paid.
#[test]
fn a_party_that_forgot_goes_beyond_the_numbers_that_the_other_ruled_out() {
    check(4_126);
}

const PAYER: usize = 0;
const RELAY: usize = 1;
const RECIPIENT: usize = 2;
const MINUTE: Duration = Duration::from_secs(60);

/// A payer, a relay that asks something, and a recipient, with a channel between the first two.
fn paying_line(windows: WindowKind) -> Tolls {
    let line = Some(Amount::from_micros(1_000_000));
    let policy = Policy { windows, line, ..Policy::default() };
    let mut tolls = Tolls::line(&[policy, Policy { price: 20, ..policy }, policy]);
    let open = Command::Open { line: Amount::from_micros(1_000_000), deposit: Amount::ZERO };
    tolls.command(RELAY, PAYER, open);
    tolls.run(Duration::from_secs(1));
    tolls
}

fn send(tolls: &mut Tolls, packets: usize) {
    send_every(tolls, packets, MINUTE);
}

fn send_every(tolls: &mut Tolls, packets: usize, span: Duration) {
    for _ in 0..packets {
        tolls.packet(PAYER, RECIPIENT);
        tolls.run(span);
    }
}

fn resumed(tolls: &Tolls, who: usize) -> usize {
    tolls.events(who).iter().filter(|event| matches!(event, Event::Resumed(_))).count()
}

/// Whoever learns that its disk fell back writes at once what that makes void of the lottery: a crash in the same moment brings nothing back.
#[test]
fn a_crash_in_the_moment_of_learning_brings_no_terms_back() {
    for who in [PAYER, RELAY] {
        let mut tolls = paying_line(WindowKind::PerPacket);
        send(&mut tolls, 4);
        let image = tolls.disk(who);
        let sequence = |tolls: &Tolls| {
            let mut accounts = tolls.node(RELAY).economy().accounts();
            accounts.next().expect("a channel stands").1.agreed.body.sequence
        };
        let then = sequence(&tolls);
        for _ in 0..200 {
            if sequence(&tolls) > then {
                break;
            }
            send(&mut tolls, 1);
        }
        assert!(sequence(&tolls) > then, "there was a win that the disk forgets");
        tolls.crash(who, Disk::Older(image));
        for _ in 0..60_000 {
            if resumed(&tolls, who) > 0 {
                break;
            }
            tolls.run(Duration::from_millis(1));
        }
        assert_eq!(resumed(&tolls, who), 1, "node {who} learns that its disk fell back");
        tolls.crash(who, Disk::AsItWas);
        tolls.run(MINUTE);
        let before = tolls.income(RELAY, PAYER).drawn;
        send(&mut tolls, 40);
        let income = tolls.income(RELAY, PAYER);
        assert!(income.drawn >= before + 30, "node {who}: {income:?}");
        assert_eq!(resumed(&tolls, who), 1, "it is learnt once");
        let (own, theirs) = tolls.balances(PAYER, RELAY).expect("a channel stands");
        assert_eq!(tolls.balances(RELAY, PAYER), Some((theirs, own)));
    }
}

/// An image as it is restored from a backup: every channel is marked, and what was agreed of payments is not in it.
fn from_backup(mut image: Snapshot) -> Snapshot {
    let keys = |table| image.scan(table).map(|(key, _)| key.to_vec()).collect::<Vec<_>>();
    let forgotten = keys(LOTTERIES).into_iter().map(|key| Write::delete(LOTTERIES, &key));
    let marks = keys(CHANNELS).into_iter().map(|key| Write::set(RESTORED, &key, Vec::new()));
    let writes: Vec<Write> = forgotten.chain(marks).collect();
    for write in writes {
        image.apply(write);
    }
    image
}

/// A payer, or a relay, is put back to a backup from before some wins: it goes on from what the other knows, wins are paid again, and under no number
/// there is more than one state.
#[test]
fn a_node_restored_from_a_backup_goes_on_and_wins_are_paid() {
    let wins = |tolls: &Tolls| {
        tolls.events(RELAY).iter().filter(|event| matches!(event, Event::Received { .. })).count()
    };
    for who in [PAYER, RELAY] {
        let mut states = BTreeMap::new();
        let mut look = |tolls: &Tolls| {
            for n in [PAYER, RELAY] {
                for (number, state) in tolls.disk(n).scan(LOG) {
                    let first = states.entry(number.to_vec()).or_insert_with(|| state.to_vec());
                    assert_eq!(first, state, "two states under number {number:?}");
                }
            }
        };
        let mut tolls = paying_line(WindowKind::ByValue);
        let pause = Duration::from_millis(100);
        send_every(&mut tolls, 1_500, pause);
        let image = tolls.disk(who);
        let then = wins(&tolls);
        send_every(&mut tolls, 2_500, pause);
        assert!(wins(&tolls) > then && then > 0, "the backup lacks a win: {} {then}", wins(&tolls));
        look(&tolls);
        tolls.crash(who, Disk::Older(from_backup(image)));
        tolls.run(MINUTE);
        assert_eq!(resumed(&tolls, who), 1);
        let before = wins(&tolls);
        send_every(&mut tolls, 5_000, pause);
        tolls.run(MINUTE);
        look(&tolls);
        let income = tolls.income(RELAY, PAYER);
        println!(
            "node {who}: {then} wins, {before} before it was restored, {} in all; {income:?}",
            wins(&tolls)
        );
        assert!(wins(&tolls) >= before + 4, "node {who}: {income:?}");
        let (own, theirs) = tolls.balances(PAYER, RELAY).expect("a channel stands");
        assert_eq!(tolls.balances(RELAY, PAYER), Some((theirs, own)));
    }
}
