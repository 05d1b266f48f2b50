use super::*;
use alloc::vec;

use nexus_machine::{Seed, Stream};
use nexus_testkit::heap::growth_of;

use crate::ledger::books::{Balance, Recorded};
use crate::ledger::entry::{Entry, Sums};
use crate::ledger::growing::Join as _;
use crate::ledger::known::Known;
use crate::money::Amount;

fn node(number: u64) -> NodeId {
    let mut id = [0; 16];
    id[..8].copy_from_slice(&number.to_le_bytes());
    NodeId(id)
}

/// What three hundred settle with each other, each with some of them.
fn news(random: &mut Stream) -> (ChannelKey, Entry) {
    let (one, step) = (random.below(300), 1 + random.below(5));
    let key = ChannelKey::between(node(one), node((one + step) % 300), [1; 16]).expect("two");
    let mut entry = Entry::deposited(Sums { a: 1_000, b: 1_000 });
    entry.join(&Entry::paid_at_least(Sums { a: random.below(1_000), b: random.below(1_000) }));
    (key, entry)
}

fn sparse(nodes: impl Iterator<Item = u64> + Clone, given: u64) -> Known {
    let mut interest = Interest::default();
    for number in nodes.clone() {
        interest.follow(node(number), Held::All);
    }
    let accounts = nodes.take(ACCOUNTS).map(|number| (node(number), Amount::from_micros(given)));
    Known::sparse(Books::new(accounts, ENTRIES), interest)
}

/// Takes in an entry as the organ does; whether it is kept.
fn take(known: &mut Known, key: &ChannelKey, entry: &Entry) -> bool {
    known.make_room(key);
    known.keeps(key) && known.books.record(key, entry).expect("valid and room") == Recorded::Grew
}

#[test]
fn within_a_mesh_of_three_hundred_a_sparse_node_follows_its_own_accounts_as_full_books_do() {
    let given = |number| (node(number), Amount::from_micros(1_000_000));
    let mut full = Books::new((0..300).map(given), 10_000);
    let mut few = sparse(0..20, 1_000_000);
    let mut random = Seed::new([2; 32]).fork("mesh");
    let mut others = 0;
    for _ in 0..20_000 {
        let (key, entry) = news(&mut random);
        let grew = full.record(&key, &entry).expect("valid") == Recorded::Grew;
        if few.keeps(&key) {
            assert_eq!(take(&mut few, &key, &entry), grew);
        } else {
            others += 1;
        }
    }
    assert!(others > 15_000 && few.books.len() < 256 && full.len() > 1_000);
    for number in 0..20 {
        assert_eq!(few.balance(&node(number)), full.balance(&node(number)));
    }
    assert_eq!(few.balance(&node(200)), Balance::Unknown);
}

#[test]
fn an_account_with_too_many_entries_is_unknown_and_others_stay() {
    let mut few = sparse(1..3, 100_000);
    let mut record = |one, other, id| {
        let key = ChannelKey::between(node(one), node(other), [id; 16]).expect("two");
        take(&mut few, &key, &Entry::deposited(Sums { a: 10, b: 10 }))
    };
    for id in 0..32 {
        assert!(record(1, 50, id));
    }
    assert!(record(2, 50, 0));
    assert!(!record(1, 50, 32), "there is no room");
    assert!(!record(1, 50, 33), "it is nobody's that is followed");
    assert_eq!((few.balance(&node(1)), few.books.len()), (Balance::Unknown, 1));
    assert_eq!(few.balance(&node(2)), Balance::Known(Amount::from_micros(100_000)));
}

#[test]
fn entries_take_24_kib_whoever_opens_channels() {
    assert_eq!(ENTRIES as usize * size_of::<(ChannelKey, Entry)>(), 24 * 1_024);
    let (few, grown) = growth_of(|| {
        let mut few = sparse(0..64, 100_000);
        for id in 0..5_000_u64 {
            let mut channel = [0; 16];
            channel[..8].copy_from_slice(&id.to_le_bytes());
            let key = ChannelKey::between(node(id % 64), node(1_000 + id), channel).expect("two");
            // Once all have more than there is room for, nobody is followed.
            take(&mut few, &key, &Entry::deposited(Sums { a: 10, b: 10 }));
        }
        few
    });
    assert!(few.books.len() <= 256);
    assert!(grown < 32 * 1_024, "{grown} bytes with orders, accounts and who is followed");
}

#[test]
fn what_concerns_others_is_passed_on_once_and_the_oldest_gives_way() {
    let mut passage = Passage::default();
    let name = |number: u8| ItemId([number; 32]);
    let item = |number| Passing { store: StoreId::SETTLEMENTS, id: name(number), item: vec![number] };
    for number in 0..40_u8 {
        assert!(!passage.has_passed(&name(number)));
        let out = passage.pass(item(number)).map(|passing| passing.id);
        assert_eq!(out, number.checked_sub(32).map(name));
        assert!(passage.has_passed(&name(number)));
    }
    assert_eq!(passage.len(), PASSING);
    assert_eq!(passage.item(StoreId::SETTLEMENTS, &name(8)), Some(&[8][..]));
    assert_eq!(passage.item(StoreId::SETTLEMENTS, &name(7)), None);
    assert_eq!(passage.item(StoreId::CERTIFICATES, &name(8)), None);
    assert!(passage.has_passed(&name(0)), "it was of late");
}

#[test]
fn what_comes_again_much_later_was_lost_behind_and_passes_again() {
    let mut passage = Passage::default();
    let name =
        |number: u16| ItemId([&number.to_le_bytes()[..], &[7; 30]].concat().try_into().expect("32 bytes"));
    let item = |number| Passing { store: StoreId::SETTLEMENTS, id: name(number), item: vec![1] };
    let at = |seconds| Instant::BOOT.after(Duration::from_secs(seconds));
    passage.age(at(100));
    passage.pass(item(0));
    passage.age(at(129));
    assert!(passage.has_passed(&name(0)));
    passage.age(at(130));
    passage.age(at(160));
    assert!(passage.has_passed(&name(0)), "it still waits");
    (1..=32).for_each(|number| assert_eq!(passage.pass(item(number)).is_some(), number == 32));
    assert!(!passage.has_passed(&name(0)), "it waits no more, and was not passed on of late");
    assert!(passage.has_passed(&name(1)));
    // However many come, what came of late is known.
    (33..5_000).for_each(|number| drop(passage.pass(item(number))));
    assert!(passage.has_passed(&name(4_999)) && passage.has_passed(&name(4_000)));
    assert!(!passage.has_passed(&name(3_000)), "it was pushed out of the ring");
}
