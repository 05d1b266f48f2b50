//! What it costs two neighbours to find and to send what differs, by the form of their summaries. Spec: spec/network.md#what-summaries-cost.

use std::collections::BTreeSet;
use std::io::{self, Write};

use nexus_crypto::hash::blake3;
use nexus_network::gossip::summary::{Comparison, Own, Room, Told, bloom};
use nexus_wire::nexus::frame::SEALED_OVERHEAD;
use nexus_wire::nexus::gossip::{Done, Form, ItemId, Slice, StateHash, StoreId, Summary};

/// What stands around a message alone in its frame: the seal, its kind, its length.
const FRAME: usize = SEALED_OVERHEAD + 3;
/// The longest body of ITEMS: a frame of 508 bytes, as `RNode`s take it.
const ITEMS_MAX: usize = 508 - FRAME;
/// The sizes of items, in bytes: keys, and about what a settlement will have.
pub const SIZES: [usize; 2] = [32, 200];
/// After so many rounds a pair counts as one that does not agree.
const ROUNDS_MAX: u32 = 3_000;

/// How summaries are told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// Bloom filters, in slices where one does not fit: all in a round where there is room.
    Bloom,
    /// Sketches only.
    Sketch,
    /// What is shorter, as nodes do it.
    Shorter,
}

impl Method {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Bloom, Self::Sketch, Self::Shorter];
}

/// The classes of links, by what they are called.
pub const CLASSES: [(&str, Room); 3] =
    [("from 10 kbit/s", Room::AMPLE), ("below 10 kbit/s", Room::NARROW), ("below 1 kbit/s", Room::NARROWEST)];

/// What two stores hold: `items` in all, of which `differences` on one side only, half on each, the odd one by the seed.
#[derive(Clone, Copy, Debug)]
pub struct Pair {
    /// How many items the two hold together.
    pub items: u32,
    /// How many of them one of the two lacks.
    pub differences: u32,
    /// Which ids, which salts, who begins.
    pub seed: u32,
}

/// What it took until both held the same. Bytes on the link, frames included, that of agreement ([`AGREEMENT`]) not.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cost {
    /// Of summaries.
    pub finding: usize,
    /// Of items, by their [`SIZES`].
    pub items: [usize; 2],
    /// Rounds begun. In one both tell once.
    pub rounds: u32,
}

/// What says that both hold the same, each way.
pub const AGREEMENT: usize = FRAME + Done::LEN;

impl Pair {
    /// The fewest bytes: the items that differ, of the first size, with a length each.
    #[must_use]
    pub fn items_floor(&self) -> f64 {
        f64::from(self.differences) * 32.0
    }

    /// The fewest bytes that say which of all subsets of so many differ: log₂ of their number, in bytes.
    #[must_use]
    pub fn finding_floor(&self) -> f64 {
        let factor = |k: u32| (f64::from(self.items - k) / f64::from(self.differences - k)).log2();
        (0..self.differences).map(factor).sum::<f64>().abs() / 8.0
    }

    /// Lets the two tell each other in turn what they hold.
    #[must_use]
    pub fn bring_together(&self, method: Method, room: Room) -> Cost {
        let mut sides = self.sides(method);
        let mut cost = Cost::default();
        for round in 0..ROUNDS_MAX {
            for turn in 0..2 {
                let [left, right] = &mut sides;
                if left.ids == right.ids {
                    return cost;
                }
                cost.rounds = round + 1;
                let (teller, hearer) = if turn == 0 { (left, right) } else { (right, left) };
                let told = teller.tell(round, self.seed ^ (2 * round + turn) << 12, room);
                cost.finding +=
                    told.iter().map(|told| FRAME + Summary::HEADER_LEN + told.filter.len()).sum::<usize>();
                let sent = hearer.hear(round, &told, teller);
                for (sum, size) in cost.items.iter_mut().zip(SIZES) {
                    *sum += items_cost(sent.len(), size);
                }
                teller.ids.extend(sent);
            }
        }
        panic!("{self:?} does not agree by {method:?} in {room:?}");
    }

    fn sides(&self, method: Method) -> [Side; 2] {
        let id = |number: u32| ItemId(blake3(&[&self.seed.to_le_bytes(), &number.to_le_bytes()]));
        let odd = (self.seed + 1) % 2;
        [0, 1].map(|side| {
            let alone = (0..self.differences).filter(|number| number % 2 == (side + odd) % 2);
            let shared = self.differences..self.items;
            let ids = alone.chain(shared).map(id).collect();
            Side { ids, method, comparison: Comparison::new(), slice: 0 }
        })
    }
}

/// What so many items cost on the link.
fn items_cost(count: usize, size: usize) -> usize {
    let per_frame = (ITEMS_MAX - 1) / (2 + size);
    count * (2 + size) + count.div_ceil(per_frame) * (FRAME + 1)
}

struct Side {
    ids: BTreeSet<ItemId>,
    method: Method,
    comparison: Comparison,
    /// Which slice a Bloom filter shows next.
    slice: u8,
}

impl Side {
    fn own(ids: &BTreeSet<ItemId>, method: Method) -> Own<impl Iterator<Item = &ItemId> + Clone> {
        let sum = ids.iter().fold(0, |sum, id| {
            let (first, _) = id.0.split_first_chunk().expect("an id has 32 bytes");
            sum ^ u128::from_le_bytes(*first)
        });
        // So many that no Bloom filter is short enough; the difference of two such numbers is as it was.
        let more = if method == Method::Sketch { 1 << 30 } else { 0 };
        let count = u32::try_from(ids.len()).expect("stores of figures are small") + more;
        Own { ids: ids.iter(), count, state_hash: StateHash(sum.to_le_bytes()) }
    }

    fn tell(&mut self, round: u32, salt: u32, room: Room) -> Vec<Told> {
        match self.method {
            Method::Bloom => self.filters(round, salt, room),
            Method::Sketch | Method::Shorter => {
                self.comparison.tell(&Self::own(&self.ids, self.method), salt, room)
            }
        }
    }

    /// The filters of a round: of all slices where there is room, else of the next; a salt holds for all of them.
    fn filters(&mut self, round: u32, salt: u32, room: Room) -> Vec<Told> {
        let count = u32::try_from(self.ids.len()).expect("stores of figures are small");
        let slices = bloom::slices_for(count, room.filter_max());
        let whole = bloom::bytes_for(count).div_ceil(u32::from(slices));
        let bytes = usize::try_from(whole).expect("32 bits are an index").min(room.filter_max());
        let (shown, salt) = if room == Room::AMPLE {
            (0..slices, salt)
        } else {
            let slice = self.slice % slices;
            self.slice = slice + 1;
            (slice..slice + 1, round / u32::from(slices))
        };
        let slices = shown.map(|index| Slice::new(index, slices).expect("below the number of slices"));
        slices
            .map(|slice| {
                let filter = bloom::filter(self.ids.iter(), salt, slice, bytes);
                Told { salt, form: Form::Bloom, slice, filter }
            })
            .collect()
    }

    /// What the teller lacks, by all that it told in a round.
    fn hear(&mut self, round: u32, told: &[Told], teller: &Self) -> Vec<ItemId> {
        let own = Self::own(&self.ids, self.method);
        let others = Self::own(&teller.ids, teller.method);
        let mut lacking = Vec::new();
        for told in told {
            lacking.extend(self.comparison.hear(
                &told.summary(StoreId::KEYS, round, &others),
                &own,
                usize::MAX,
            ));
        }
        self.comparison.sent(u32::try_from(lacking.len()).expect("stores of figures are small"));
        lacking
    }
}

/// The mean over seeds, in whole bytes; the rounds are the mean too, in tenths.
#[must_use]
pub fn mean(items: u32, differences: u32, method: Method, room: Room, seeds: u32) -> Cost {
    let mut sum = Cost::default();
    for seed in 0..seeds {
        let cost = Pair { items, differences, seed }.bring_together(method, room);
        sum.finding += cost.finding;
        sum.items.iter_mut().zip(cost.items).for_each(|(sum, items)| *sum += items);
        sum.rounds += cost.rounds * 10;
    }
    let runs = usize::try_from(seeds).expect("32 bits are a size");
    Cost {
        finding: sum.finding / runs,
        items: sum.items.map(|items| items / runs),
        rounds: sum.rounds / seeds,
    }
}

/// The table of `nexus-sim figures summaries`, as text.
pub fn figures(out: &mut impl Write) -> io::Result<()> {
    writeln!(
        out,
        "bytes on the link until both hold the same, mean of seeds: of summaries, frames included, by form, with rounds; then of \
         the items; agreement is {AGREEMENT} bytes each way\n"
    )?;
    for (class, room) in CLASSES {
        writeln!(out, "links {class}\n")?;
        writeln!(
            out,
            "| items | differences | floor of finding | Bloom | sketch | as nodes do | items of 32 bytes | of 200 bytes | floor of 32 |"
        )?;
        writeln!(out, "|---|---|---|---|---|---|---|---|---|")?;
        for items in [10, 100, 1_000, 10_000] {
            for differences in [1, 2, 5, 10, 30, 100, 300, 1_000] {
                if differences <= items {
                    row(out, items, differences, room)?;
                }
            }
        }
        writeln!(out)?;
    }
    Ok(())
}

fn row(out: &mut impl Write, items: u32, differences: u32, room: Room) -> io::Result<()> {
    let seeds = if items > 1_000 { 2 } else { 20 };
    let pair = Pair { items, differences, seed: 0 };
    let costs = Method::ALL.map(|method| mean(items, differences, method, room, seeds));
    write!(out, "| {items} | {differences} | {:.0} |", pair.finding_floor())?;
    for Cost { finding, rounds, .. } in costs {
        write!(out, " {finding} ({}.{}) |", rounds / 10, rounds % 10)?;
    }
    let [.., kept] = costs;
    let [small, large] = kept.items;
    writeln!(out, " {small} | {large} | {:.0} |", pair.items_floor())
}
