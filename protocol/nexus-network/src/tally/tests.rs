use super::*;
use nexus_machine::Key;
use nexus_testkit::heap;

const STRANGER: NodeId = NodeId([1; 16]);
const OTHER: NodeId = NodeId([2; 16]);

fn link(slot: u16) -> LinkId {
    LinkId(Key { slot, generation: 0 })
}

fn code(price: u64) -> PriceCode {
    PriceCode::nearest(price)
}

fn take(tally: &mut Tally, slot: u16, stated: u64, asked: u64) -> Result<(), Cause> {
    let passage = Passage { link: link(slot), stated: code(stated), bytes: 1_000 };
    tally.take(Instant::BOOT, &passage, fare(asked), || None)
}

fn fare(asked: u64) -> Fare {
    Fare { quoted: CostCode::FREE, asked: CostCode::Known(code(asked)) }
}

fn counting(limit: u64, mark: u64) -> Tally {
    let mut tally = Tally::new(4);
    tally.link_up(link(0), STRANGER);
    tally.reckon(STRANGER, Reckoning::Counted { limit, mark });
    tally
}

#[test]
fn a_packet_costs_its_price_times_its_bytes_on_both_sides() {
    let mut relay = counting(u64::MAX, u64::MAX);
    take(&mut relay, 0, 10, 10).expect("it is paid");
    assert_eq!(relay.sums(&STRANGER).due, code(10).price() * 1_000);
    let mut payer = counting(0, 0);
    payer.sent(link(0), code(10), 1_000);
    let Sums { owed, due, dearest_paid, .. } = payer.sums(&STRANGER);
    assert_eq!((owed, due, dearest_paid), (code(10).price() * 1_000, 0, code(10).price()));
}

#[test]
fn whoever_pays_less_than_it_was_ever_told_of_late_is_not_carried() {
    let mut tally = counting(u64::MAX, u64::MAX);
    assert_eq!(take(&mut tally, 0, 5, 10), Err(Cause::Underpriced));
    let passage = Passage { link: link(0), stated: code(5), bytes: 1_000 };
    let told = tally.take(Instant::BOOT, &passage, fare(10), || Some(code(5)));
    assert_eq!(told, Ok(()), "it was told so");
    assert_eq!(take(&mut tally, 0, 12, 10), Ok(()), "more is as good");
}

#[test]
fn nobody_is_carried_beyond_its_limit_and_the_mark_is_said_once() {
    let price = code(10).price() * 1_000;
    let mut tally = counting(price * 3, price * 2);
    assert_eq!((take(&mut tally, 0, 10, 10), tally.take_news()), (Ok(()), None));
    assert_eq!(take(&mut tally, 0, 10, 10), Ok(()));
    assert_eq!(tally.take_news(), Some(News::Counted { node: STRANGER, total: price * 2 }));
    assert_eq!((take(&mut tally, 0, 10, 10), tally.take_news()), (Ok(()), None));
    assert_eq!(take(&mut tally, 0, 10, 10), Err(Cause::Unpaid));
    assert_eq!(tally.sums(&STRANGER).due, price * 3, "what is dropped is not counted");
    tally.reckon(STRANGER, Reckoning::Counted { limit: price * 4, mark: price * 4 });
    assert_eq!(take(&mut tally, 0, 10, 10), Ok(()));
}

#[test]
fn a_friend_is_never_looked_at() {
    let mut tally = counting(0, 0);
    tally.trust([STRANGER]);
    assert_eq!(take(&mut tally, 0, 0, 10), Ok(()));
    assert_eq!(tally.price(link(0), CostCode::Known(code(10))), PriceCode::FREE, "nor is it paid");
    tally.set_channel(STRANGER, Channel::Stands);
    assert_eq!(tally.price(link(0), CostCode::Known(code(10))), code(10), "unless it asks for that");
    tally.trust([]);
    assert_eq!(take(&mut tally, 0, 10, 10), Err(Cause::Unpaid));
}

#[test]
fn whoever_cannot_pay_has_its_courtesy_and_is_told_of_it() {
    let mut tally = Tally::new(4);
    tally.link_up(link(0), STRANGER);
    let mut carried = 0;
    let mut told = 0;
    for _ in 0..100 {
        carried += u32::from(take(&mut tally, 0, 10, 10).is_ok());
        told += u32::from(tally.take_news() == Some(News::ChannelWanted(STRANGER)));
    }
    assert_eq!((carried, told), (65, 1), "64 KiB, and it is said once in a while");
    assert_eq!(take(&mut tally, 0, 10, 10), Err(Cause::NoChannel));
    assert_eq!(take(&mut tally, 0, 0, 0), Ok(()), "what costs nothing is carried all the same");
    tally.link_down(link(0));
    tally.link_up(link(1), STRANGER);
    assert_eq!(take(&mut tally, 1, 10, 10), Err(Cause::NoChannel), "whoever comes back is who it was");
}

#[test]
fn whoever_is_asked_less_pays_less_and_what_goes_on_is_paid_all_the_same() {
    let mut tally = counting(u64::MAX, u64::MAX);
    tally.discount([(STRANGER, 4)]);
    let passage = Passage { link: link(0), stated: code(100), bytes: 1_000 };
    let fare = Fare { quoted: CostCode::Known(code(60)), asked: CostCode::Known(code(100)) };
    tally.take(Instant::BOOT, &passage, fare, || None).expect("it is paid");
    assert_eq!(tally.sums(&STRANGER).due, (code(60).price() + 4) * 1_000);
    tally.discount([(STRANGER, 1_000)]);
    tally.take(Instant::BOOT, &passage, fare, || None).expect("it is paid");
    let both = (code(60).price() + 4 + code(100).price()) * 1_000;
    assert_eq!(tally.sums(&STRANGER).due, both, "nobody pays more than it said");
}

#[test]
fn where_a_channel_stands_terms_are_asked_for_with_the_first_packet() {
    let mut tally = Tally::new(4);
    tally.link_up(link(0), STRANGER);
    assert_eq!((take(&mut tally, 0, 10, 10), tally.take_news()), (Ok(()), None));
    tally.set_channel(STRANGER, Channel::Stands);
    assert_eq!(take(&mut tally, 0, 10, 10), Ok(()));
    assert_eq!(tally.take_news(), Some(News::ChannelWanted(STRANGER)));
    assert_eq!((take(&mut tally, 0, 10, 10), tally.take_news()), (Ok(()), None), "once in a while");
}

/// A relay that came back may owe its limit to windows that it has not drawn: nothing is counted, and it has to hear that something was sent.
#[test]
fn what_is_beyond_the_limit_from_the_first_packet_on_is_said_once_in_a_while() {
    let mut tally = counting(0, 1);
    assert_eq!(take(&mut tally, 0, 10, 10), Err(Cause::Unpaid));
    assert_eq!(tally.take_news(), Some(News::ChannelWanted(STRANGER)));
    assert_eq!(tally.sums(&STRANGER).dearest_asked, code(10).price(), "what is asked is known");
    assert_eq!((take(&mut tally, 0, 10, 10), tally.take_news()), (Err(Cause::Unpaid), None));
    assert_eq!(tally.sums(&STRANGER).due, 0);
}

#[test]
fn a_link_that_is_gone_is_not_taken_for_the_next_one_in_its_place() {
    let mut tally = counting(u64::MAX, u64::MAX);
    tally.link_down(link(0));
    let next = LinkId(Key { slot: 0, generation: 1 });
    tally.link_up(next, OTHER);
    let passage = Passage { link: link(0), stated: code(10), bytes: 1_000 };
    assert_eq!(tally.take(Instant::BOOT, &passage, fare(10), || None), Ok(()));
    assert_eq!((tally.sums(&OTHER).due, tally.sums(&STRANGER).due), (0, 0));
    assert_eq!(tally.reckoning(&STRANGER), Reckoning::Courtesy, "terms are agreed anew");
}

#[test]
fn sums_go_on_where_they_were_when_a_neighbour_was_forgotten() {
    let mut tally = counting(u64::MAX, u64::MAX);
    take(&mut tally, 0, 10, 10).expect("it is paid");
    let before = tally.sums(&STRANGER);
    tally.link_down(link(0));
    for number in 0..20 {
        tally.link_up(link(1), NodeId([100 + number; 16]));
        tally.sent(link(1), code(1_000), 1_000);
        tally.link_down(link(1));
    }
    tally.link_up(link(0), STRANGER);
    assert_eq!(tally.sums(&STRANGER), Sums::default(), "others with more at stake took its place");
    tally.resume(STRANGER, before.owed, before.due);
    assert_eq!(tally.sums(&STRANGER).due, before.due);
}

#[test]
fn it_holds_no_more_than_it_declares_and_asks_for_none_per_packet() {
    let (mut tally, held) = heap::growth_of(|| {
        let mut tally = Tally::new(64);
        for number in 0..1_000_u16 {
            let slot = number % 64;
            tally.link_down(LinkId(Key { slot, generation: number / 64 }));
            let mut id = [0; 16];
            id[..2].copy_from_slice(&number.to_le_bytes());
            tally.link_up(LinkId(Key { slot, generation: number / 64 + 1 }), NodeId(id));
        }
        tally
    });
    assert!(usize::try_from(held).unwrap() <= tally.memory_bound(), "{held}");
    let ((), grown) = heap::growth_of(|| {
        for _ in 0..1_000 {
            let _may_be_dropped = take(&mut tally, 0, 10, 10);
            tally.sent(link(0), code(10), 1_000);
        }
    });
    assert_eq!(grown, 0);
}
