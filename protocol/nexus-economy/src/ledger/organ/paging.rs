//! What is older than what is shown comes round: page after page of it is shown for a while, so that a newcomer gets all of it.
//!
//! Which page it is follows from the wall clock and from the first bits of parties' ids, so that neighbours show the same one, and from
//! nothing that either would have to say. Source: spec/economy.md#pages.

use alloc::collections::VecDeque;
use alloc::vec::Vec;

use nexus_crypto::NodeId;
use nexus_machine::{Cx, Duration, Sink};
use nexus_wire::nexus::Layout as _;
use nexus_wire::nexus::channel::SettlementRecord;
use nexus_wire::nexus::gossip::ItemId;
use nexus_wire::nexus::ledger::{Certificate, Order};

use super::handing::Purpose;
use super::{BODIES, Effect, Ledger, Timer};
use crate::ledger::claim::certificate_id;
use crate::ledger::entry::{ChannelKey, Entry, Side};
use crate::ledger::shown::Change;
use crate::ledger::spot::Spot;

/// How long a page is shown, in seconds.
pub(super) const PERIOD_S: u64 = 300;
/// Without a clock it is looked for one so often.
const NO_CLOCK: Duration = Duration::from_secs(60);
/// So many items of a page are read at a time.
const AT_ONCE: usize = 64;
/// There are no more pages than two to this.
const FINEST: u32 = 16;

/// What of a page is still to be read.
#[derive(Debug, Default)]
pub(super) struct Paging {
    queue: VecDeque<Spot>,
    reading: usize,
}

/// Which ids a page has: those with these first bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Page {
    bits: u32,
    first: u16,
    /// How often all pages have come round.
    cycle: u64,
}

impl Page {
    /// The page of a moment, where there are two to the power of `bits` pages. With one bit more it is a half of that page: neighbours
    /// that hold not quite as much show the same or a part of it.
    fn at(unix_s: u64, bits: u32) -> Self {
        let number = unix_s / PERIOD_S;
        let low = u16::try_from(number % (1 << FINEST)).unwrap_or(0);
        let masked = low & u16::try_from((1_u32 << bits).saturating_sub(1)).unwrap_or(u16::MAX);
        Self { bits, first: masked.reverse_bits(), cycle: number >> bits }
    }

    fn has(&self, node: &NodeId) -> bool {
        let [high, low, ..] = node.0;
        let differing = u16::from_be_bytes([high, low]) ^ self.first;
        differing.leading_zeros() >= self.bits
    }
}

/// Where what is known of a channel stands.
fn of_entry<'a>((key, entry): (&'a ChannelKey, &'a Entry)) -> impl Iterator<Item = Spot> + use<'a> {
    paid((key, entry)).chain(closes((key, entry)))
}

/// Where what was paid in a channel stands.
pub(super) fn paid<'a>((key, entry): (&'a ChannelKey, &'a Entry)) -> impl Iterator<Item = Spot> + use<'a> {
    let paid = move |side: &Side| entry.paid().of(*side) > 0;
    [Side::A, Side::B].into_iter().filter(paid).map(|side| Spot::Paid(*key, side))
}

fn closes<'a>((key, entry): (&'a ChannelKey, &'a Entry)) -> impl Iterator<Item = Spot> + use<'a> {
    let sides = [Side::A, Side::B].into_iter().filter(|_| entry.close().is_some());
    sides.flat_map(|side| [Spot::Close(*key, side), Spot::CloseCertificate(*key, side)])
}

/// Where an owner's orders stand.
fn of_owner((owner, through): (NodeId, u32)) -> impl Iterator<Item = Spot> {
    (1..=through).flat_map(move |number| [Spot::Order(owner, number), Spot::OrderCertificate(owner, number)])
}

/// What an item is called, by what it shows.
fn name(spot: &Spot, item: &[u8], genesis: &nexus_wire::nexus::ledger::GenesisId) -> Option<ItemId> {
    match spot {
        Spot::Paid(..) => Some(ItemId(SettlementRecord::decode(item).ok()?.body.settlement_hash())),
        Spot::Order(..) | Spot::Close(..) => Some(ItemId(Order::decode(item).ok()?.hash(genesis).0)),
        Spot::OrderCertificate(..) | Spot::CloseCertificate(..) => {
            Some(certificate_id(&Certificate::decode(item).ok()?.order()))
        }
        Spot::Evidence(node) => Some(nexus_wire::nexus::evidence::Evidence::id_against(node)),
    }
}

impl Ledger {
    /// All places at which something stands on the disk, of the nodes that `has` says.
    fn spots(&self, has: impl Fn(&NodeId) -> bool + Copy) -> impl Iterator<Item = Spot> {
        let entries = self.known.books.iter().filter(move |(key, _)| has(&key.a())).flat_map(of_entry);
        let orders = self.known.orders.iter().filter(move |(owner, _)| has(owner)).flat_map(of_owner);
        let convicted = self.convicted.iter().filter(move |node| has(node)).map(|node| Spot::Evidence(*node));
        entries.chain(orders).chain(convicted)
    }

    /// Whether there is more on the disk than is shown.
    fn shows_a_part(&self) -> bool {
        self.spots(|_| true).count() > self.shown.lasting()
    }

    /// The next page is shown, if there is more than is shown anyway.
    pub(super) fn turn_page(&mut self, cx: Cx, out: &mut impl Sink<Effect>) {
        let Some(unix_s) = cx.unix_s() else {
            self.deadlines.set(Timer::Page, cx.now.after(NO_CLOCK));
            return;
        };
        let left = PERIOD_S.saturating_sub(unix_s % PERIOD_S);
        self.deadlines.set(Timer::Page, cx.now.after(Duration::from_secs(left)));
        for change in self.shown.put_page_away() {
            out.push(change.into());
        }
        self.paging.queue.clear();
        if !self.shows_a_part() {
            return;
        }
        let (all, room) = (self.spots(|_| true).count(), self.shown.page_room());
        let bits = (0..FINEST).find(|bits| all >> bits <= room).unwrap_or(FINEST);
        let page = Page::at(unix_s, bits);
        let spots: Vec<Spot> =
            self.spots(|node| page.has(node)).filter(|spot| !self.shown.stands(spot)).collect();
        // More than there is room for, because one has many: another part of it each time round.
        let rounds = usize::try_from(page.cycle).unwrap_or(0);
        let start = rounds.wrapping_mul(room).checked_rem(spots.len()).unwrap_or(0);
        self.paging.queue = spots.iter().cycle().skip(start).take(room.min(spots.len())).copied().collect();
        self.read_page(out);
    }

    /// What is certified between two is shown for a while, as far as it is not shown anyway: somebody asked.
    pub(super) fn page_between(&mut self, a: NodeId, b: NodeId, out: &mut impl Sink<Effect>) {
        let between = |(key, _): &(&ChannelKey, &Entry)| key.side_of(&b).is_some();
        let ends = self.known.books.channels_of(&a).filter(between).flat_map(closes);
        let orders = [a, b].into_iter().map(|owner| (owner, self.known.orders.through(&owner)));
        let spots: Vec<Spot> = orders.flat_map(of_owner).chain(ends).collect();
        self.page_spots(spots, out);
    }

    /// What stands at these places is shown for a while, as far as it is not shown anyway.
    pub(super) fn page_spots(&mut self, spots: Vec<Spot>, out: &mut impl Sink<Effect>) {
        let lacks = |spot: &Spot| !self.shown.stands(spot) && !self.paging.queue.contains(spot);
        let lacking: Vec<Spot> = spots.into_iter().filter(lacks).take(AT_ONCE).collect();
        let room = self.shown.page_room().saturating_sub(self.shown.paged());
        for spot in lacking.into_iter().take(room) {
            self.paging.queue.push_front(spot);
        }
        self.read_page(out);
    }

    fn read_page(&mut self, out: &mut impl Sink<Effect>) {
        while self.paging.reading < AT_ONCE
            && let Some(spot) = self.paging.queue.pop_front()
        {
            // Neighbours that fetch come first: what finds no room comes with another round.
            let Some(number) = self.reading.begin(Purpose::Page(spot)) else { return };
            self.paging.reading = self.paging.reading.saturating_add(1);
            out.push(Effect::Read { number, table: BODIES, key: spot.to_bytes() });
        }
    }

    /// An item of a page was read: it is shown until the next one.
    pub(super) fn page_read(&mut self, spot: Spot, value: Option<&[u8]>, out: &mut impl Sink<Effect>) {
        self.paging.reading = self.paging.reading.saturating_sub(1);
        let named = value.and_then(|item| {
            let id = name(&spot, item, &self.rules.id)?;
            Some((id, u16::try_from(item.len()).ok()?))
        });
        if let Some((id, size)) = named
            && let Some(change @ Change::Published(..)) = self.shown.show_in_page(spot, id, size)
        {
            out.push(change.into());
        }
        self.read_page(out);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_id_has_one_page_of_a_round_and_finer_pages_are_parts_of_coarser_ones() {
        let node = |high: u8, low: u8| {
            let mut id = [7; 16];
            (id[0], id[1]) = (high, low);
            NodeId(id)
        };
        for bits in [0, 1, 5, 16] {
            for id in [node(0, 0), node(0x80, 1), node(0xa5, 0x5a), node(0xff, 0xff)] {
                let pages = 1_u64 << bits;
                let having = (0..pages).filter(|page| Page::at(page * PERIOD_S, bits).has(&id)).count();
                assert_eq!(having, 1, "{bits} bits");
            }
        }
        for second in [0, 299, 300, 123_456_789, 1_700_000_000] {
            for bits in 0..FINEST {
                let (coarse, fine) = (Page::at(second, bits), Page::at(second, bits + 1));
                let inside = (0..=u8::MAX).map(|high| node(high, 77)).filter(|id| fine.has(id));
                assert!(inside.into_iter().all(|id| coarse.has(&id)), "{bits} at {second}");
            }
        }
    }
}
