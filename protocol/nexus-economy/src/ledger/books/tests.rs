//! Books converge whatever the order, conserve money in every view, refuse what is not certified, and are small.

use alloc::vec::Vec;

use nexus_machine::{Seed, Stream};
use nexus_testkit::heap::growth_of;
use proptest::prelude::*;

use super::*;
use crate::ledger::growing::laws;

fn node(number: u8) -> NodeId {
    NodeId([number; 16])
}

fn key(one: u8, other: u8, id: u8) -> ChannelKey {
    ChannelKey::between(node(one), node(other), [id; 16]).expect("two")
}

fn start() -> Books {
    Books::new((0..4).map(|number| (node(number), Amount::from_micros(1_000))), 100)
}

fn paid(a: u64, b: u64) -> Entry {
    Entry::paid_at_least(Sums { a, b })
}

fn deposited(a: u64, b: u64) -> Entry {
    Entry::deposited(Sums { a, b })
}

/// One thing that is heard of a channel between two of four, with everything that makes it valid.
fn news() -> impl Strategy<Value = (ChannelKey, Entry)> {
    (0_u8..4, 1_u8..4, 0_u8..2, crate::ledger::entry::tests::entries()).prop_map(
        |(one, step, id, mut entry)| {
            entry.join(&deposited(5, 5));
            (key(one, (one + step) % 4, id), entry)
        },
    )
}

fn books(heard: &[(ChannelKey, Entry)]) -> Books {
    let mut books = start();
    for (key, entry) in heard {
        books.record(key, entry).expect("valid");
    }
    books
}

fn sum_of_balances(books: &Books) -> i128 {
    books.accounts().iter().map(|node| books.net(node)).sum()
}

proptest! {
    #[test]
    fn books_join_by_the_laws(
        a in proptest::collection::vec(news(), 0..12),
        b in proptest::collection::vec(news(), 0..12),
        c in proptest::collection::vec(news(), 0..12),
    ) {
        laws::hold(&books(&a), &books(&b), &books(&c));
    }

    #[test]
    fn whatever_the_order_and_however_often_the_same_news_make_the_same_books(
        heard in proptest::collection::vec(news(), 0..24), seed: [u8; 32],
    ) {
        let first = books(&heard);
        let mut again = heard.clone();
        again.extend(heard.iter().copied());
        shuffle(&mut again, &mut Seed::new(seed).fork("order"));
        let second = books(&again);
        prop_assert_eq!(first.state_hash(), second.state_hash());
        prop_assert!(first == second);
    }

    #[test]
    fn in_every_view_all_balances_together_are_what_genesis_gave(heard in proptest::collection::vec(news(), 0..24)) {
        let mut view = start();
        for (key, entry) in &heard {
            view.record(key, entry).expect("valid");
            prop_assert_eq!(sum_of_balances(&view), 4_000);
        }
    }

    #[test]
    fn a_balance_is_what_the_counters_of_its_account_say(heard in proptest::collection::vec(news(), 0..24)) {
        let view = books(&heard);
        for node in view.accounts() {
            let account = view.account(&node);
            let signed = |total: u128| i128::try_from(total).expect("small");
            let net = 1_000 + signed(account.earned.total()) - signed(account.spent.total());
            prop_assert_eq!(view.net(&node), net);
        }
    }

    /// The hash is kept by differences; it must be that of books which were never changed.
    #[test]
    fn the_hash_after_changes_is_that_of_what_stands_there(heard in proptest::collection::vec(news(), 0..24)) {
        let changed = books(&heard);
        let last: Vec<_> = changed.iter().map(|(key, entry)| (*key, *entry)).collect();
        prop_assert_eq!(changed.state_hash(), books(&last).state_hash());
    }
}

fn shuffle<T>(items: &mut [T], random: &mut Stream) {
    for at in (1..items.len()).rev() {
        let other = usize::try_from(random.below(u64::try_from(at + 1).expect("small"))).expect("small");
        items.swap(at, other);
    }
}

#[test]
fn nothing_is_kept_of_a_channel_without_a_certified_deposit_nor_paid_beyond_it() {
    let mut books = start();
    let channel = key(0, 1, 9);
    assert_eq!(books.record(&channel, &paid(1, 0)), Err(NotRecorded::Uncertified));
    assert_eq!((books.len(), books.entry(&channel)), (0, None));
    assert_eq!(books.record(&channel, &deposited(100, 0)), Ok(Recorded::Grew));
    assert_eq!(books.record(&channel, &paid(101, 0)), Err(NotRecorded::BeyondDeposit));
    assert_eq!(books.record(&channel, &paid(0, 1)), Err(NotRecorded::BeyondDeposit));
    let close = Entry::closed_with(Sums { a: 101, b: 0 }).expect("small");
    assert_eq!(books.record(&channel, &close), Err(NotRecorded::BeyondDeposit));
    assert_eq!(books.record(&channel, &paid(100, 0)), Ok(Recorded::Grew));
    assert_eq!(books.record(&channel, &paid(40, 0)), Ok(Recorded::Known));
    assert_eq!(books.balance(&node(0)), Balance::Known(Amount::from_micros(900)));
    assert_eq!(books.balance(&node(1)), Balance::Known(Amount::from_micros(1_100)));
    assert_eq!(books.balance(&node(77)), Balance::Known(Amount::ZERO));
}

#[test]
fn what_is_not_heard_yet_makes_a_balance_incomplete_and_never_negative() {
    let mut view = start();
    let (from, through) = (key(0, 9, 1), key(1, 9, 1));
    let side = through.side_of(&node(9)).expect("a party");
    let mut spends = Entry::deposited(Sums::on(side, 700));
    spends.join(&Entry::paid_at_least(Sums::on(side, 700)));
    view.record(&through, &spends).expect("valid");
    assert_eq!((view.balance(&node(9)), view.net(&node(9))), (Balance::Incomplete, -700));
    view.record(&from, &deposited(800, 0)).expect("valid");
    view.record(&from, &paid(800, 0)).expect("valid");
    assert_eq!(view.balance(&node(9)), Balance::Known(Amount::from_micros(100)));
}

#[test]
fn full_books_take_no_further_channel_and_still_follow_those_they_have() {
    let mut books = Books::new([(node(0), Amount::from_micros(10))], 2);
    books.record(&key(0, 1, 1), &deposited(1, 0)).expect("room");
    books.record(&key(0, 1, 2), &deposited(1, 0)).expect("room");
    assert_eq!(books.record(&key(0, 1, 3), &deposited(1, 0)), Err(NotRecorded::Full));
    assert_eq!(books.record(&key(0, 1, 2), &paid(1, 0)), Ok(Recorded::Grew));
    assert_eq!(books.len(), 2);
}

#[test]
fn the_hash_of_one_entry_is_that_of_the_specification() {
    let mut books = start();
    assert_eq!(books.state_hash(), Books::new([], 1).state_hash(), "genesis is not part of it");
    let mut entry = deposited(100, 7);
    entry.join(&paid(30, 0));
    entry.join(&Entry::closed_with(Sums { a: 30, b: 2 }).expect("small"));
    books.record(&key(1, 2, 3), &entry).expect("valid");
    assert_eq!(nexus_testkit::format::hex(&books.state_hash().0), "38a5b883764f2aa4209cc9f19cd3451b");
}

/// Random keys, each channel between accounts of its own: the worst case.
#[test]
fn an_entry_takes_at_most_160_bytes_of_memory() {
    const ENTRIES: u32 = 20_000;
    let mut random = Seed::new([5; 32]).fork("entries");
    let (books, grown) = growth_of(|| {
        let mut books = Books::new([], u32::MAX);
        while books.len() < usize::try_from(ENTRIES).expect("small") {
            let channel = ChannelKey::between(NodeId(random.bytes()), NodeId(random.bytes()), random.bytes());
            books.record(&channel.expect("two"), &deposited(1, 1)).expect("room");
        }
        books
    });
    let each = grown / isize::try_from(books.len()).expect("small");
    assert!((100..=160).contains(&each), "{each} bytes");
}
