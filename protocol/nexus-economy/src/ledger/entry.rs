//! What is known of one channel, and how what two replicas know of it joins.
//!
//! Every number only grows, each on its own; `final_sequence` of a settlement has no part in it. (A counter for each node that
//! *processed* a settlement counts it once per replica; one number for an account loses concurrent payments; a net amount with a
//! tie-break lets two who collude take back what they paid on.) Source: spec/economy.md#the-ledger.

pub use crate::channels::keys::Side;
use nexus_crypto::NodeId;

use super::growing::Join;

/// Which channel: its parties, the lower id first, and its id. Everything that keeps channels keys them so, because an id alone could be
/// claimed by others.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct ChannelKey {
    a: NodeId,
    b: NodeId,
    id: [u8; 16],
}

impl ChannelKey {
    /// The channel `id` between `a` and `b`, if `a` is the lower of two.
    #[must_use]
    pub fn new(a: NodeId, b: NodeId, id: [u8; 16]) -> Option<Self> {
        (a < b).then_some(Self { a, b, id })
    }

    /// The channel `id` between two, in whatever order, if they are two.
    #[must_use]
    pub fn between(one: NodeId, other: NodeId, id: [u8; 16]) -> Option<Self> {
        Self::new(one.min(other), one.max(other), id)
    }

    /// The party with the lower id.
    #[must_use]
    pub const fn a(&self) -> NodeId {
        self.a
    }

    /// The other one.
    #[must_use]
    pub const fn b(&self) -> NodeId {
        self.b
    }

    /// The channel's id.
    #[must_use]
    pub const fn id(&self) -> &[u8; 16] {
        &self.id
    }

    /// A party.
    #[must_use]
    pub const fn party(&self, side: Side) -> NodeId {
        match side {
            Side::A => self.a,
            Side::B => self.b,
        }
    }

    /// On which side `node` is, if on any.
    #[must_use]
    pub fn side_of(&self, node: &NodeId) -> Option<Side> {
        match *node {
            node if node == self.a => Some(Side::A),
            node if node == self.b => Some(Side::B),
            _ => None,
        }
    }

    /// From what [`ChannelKey::to_bytes`] makes, if it is that.
    #[must_use]
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let bytes: &[u8; 48] = bytes.try_into().ok()?;
        let (parts, _) = bytes.as_chunks::<16>();
        let [a, b, id] = parts else { return None };
        Self::new(NodeId(*a), NodeId(*b), *id)
    }

    /// As it stands before what is known of the channel, in hashes and on disk: `a ‖ b ‖ id`.
    #[must_use]
    pub fn to_bytes(&self) -> [u8; 48] {
        let mut bytes = [0; 48];
        let parts = self.a.0.iter().chain(&self.b.0).chain(&self.id);
        bytes.iter_mut().zip(parts).for_each(|(to, from)| *to = *from);
        bytes
    }
}

/// A number of µNXS for either side of a channel.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub struct Sums {
    /// Of the party with the lower id.
    pub a: u64,
    /// Of the other one.
    pub b: u64,
}

impl Sums {
    /// Nothing on either side.
    pub const ZERO: Self = Self { a: 0, b: 0 };

    /// So much on one side, nothing on the other.
    #[must_use]
    pub const fn on(side: Side, micros: u64) -> Self {
        match side {
            Side::A => Self { a: micros, b: 0 },
            Side::B => Self { a: 0, b: micros },
        }
    }

    /// One side's.
    #[must_use]
    pub const fn of(&self, side: Side) -> u64 {
        match side {
            Side::A => self.a,
            Side::B => self.b,
        }
    }

    /// Whether neither number is above `other`'s.
    #[must_use]
    pub const fn within(&self, other: &Self) -> bool {
        self.a <= other.a && self.b <= other.b
    }

    /// As they stand in hashes and on disk: a, b, little-endian.
    #[must_use]
    pub fn to_bytes(&self) -> [u8; 16] {
        let mut bytes = [0; 16];
        let numbers = self.a.to_le_bytes().into_iter().chain(self.b.to_le_bytes());
        bytes.iter_mut().zip(numbers).for_each(|(to, from)| *to = from);
        bytes
    }

    /// The larger on each side.
    #[must_use]
    pub fn max(&self, other: &Self) -> Self {
        Self { a: self.a.max(other.a), b: self.b.max(other.b) }
    }
}

impl Join for Sums {
    fn join(&mut self, other: &Self) {
        *self = self.max(other);
    }
}

/// What is known of one channel. 48 bytes: a sparse node keeps 256 of them with their keys in 24 KiB.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Entry {
    paid: Sums,
    deposits: Sums,
    /// [`Entry::OPEN`] while no closing is known.
    close: Sums,
}

impl Default for Entry {
    fn default() -> Self {
        Self { paid: Sums::ZERO, deposits: Sums::ZERO, close: Self::OPEN }
    }
}

impl Entry {
    /// No closing: an amount that no account ever has, since it is all there could be.
    const OPEN: Sums = Sums { a: u64::MAX, b: u64::MAX };

    /// The entry in which this was paid.
    #[must_use]
    pub fn paid_at_least(paid: Sums) -> Self {
        Self { paid, ..Self::default() }
    }

    /// The entry in which these deposits are certified.
    #[must_use]
    pub fn deposited(deposits: Sums) -> Self {
        Self { deposits, ..Self::default() }
    }

    /// The entry that was closed with this paid, unless these are numbers that nobody has.
    #[must_use]
    pub fn closed_with(paid: Sums) -> Option<Self> {
        (paid.a < u64::MAX && paid.b < u64::MAX).then_some(Self { close: paid, ..Self::default() })
    }

    /// The gross ever settled from either side, as far as is known.
    #[must_use]
    pub const fn paid(&self) -> Sums {
        self.paid
    }

    /// What either side certainly put into the channel.
    #[must_use]
    pub const fn deposits(&self) -> Sums {
        self.deposits
    }

    /// What either side had paid when the channel was closed, if it was.
    #[must_use]
    pub fn close(&self) -> Option<Sums> {
        (self.close != Self::OPEN).then_some(self.close)
    }

    /// What counts as paid: once the channel is closed, that which it was closed with.
    #[must_use]
    pub fn settled(&self) -> Sums {
        self.close().unwrap_or(self.paid)
    }

    /// What of one side's money is tied up: its deposit while the channel is open, what it paid once it is closed.
    #[must_use]
    pub fn tied(&self, side: Side) -> u64 {
        self.close().unwrap_or(self.deposits).of(side)
    }

    /// Whether a witness certified anything of it: others are not kept.
    #[must_use]
    pub fn is_certified(&self) -> bool {
        self.deposits != Sums::ZERO
    }

    /// What stands of it in the hash of the whole, behind its key: paid, deposits, and the close behind a byte that says whether there is
    /// one; numbers in the order a, b, little-endian.
    #[must_use]
    pub fn to_bytes(&self) -> [u8; 49] {
        let mut bytes = [0; 49];
        let close = self.close();
        let numbers = [self.paid, self.deposits].into_iter().flat_map(|sums| [sums.a, sums.b]);
        let closed = close.unwrap_or_default();
        let parts = numbers
            .flat_map(u64::to_le_bytes)
            .chain([u8::from(close.is_some())])
            .chain([closed.a, closed.b].into_iter().flat_map(u64::to_le_bytes));
        bytes.iter_mut().zip(parts).for_each(|(to, from)| *to = from);
        bytes
    }
}

impl Entry {
    /// How many bytes [`Entry::to_store`] makes.
    pub const STORED_LEN: usize = 48;

    /// As the disk has it: paid, deposits, close, each a then b, little-endian; a close of two times 2⁶⁴ − 1 is none.
    #[must_use]
    pub fn to_store(&self) -> [u8; Self::STORED_LEN] {
        let mut bytes = [0; Self::STORED_LEN];
        let parts = [self.paid, self.deposits, self.close].into_iter().flat_map(|sums| sums.to_bytes());
        bytes.iter_mut().zip(parts).for_each(|(to, from)| *to = from);
        bytes
    }

    /// From the disk, if that is what it is.
    #[must_use]
    pub fn from_store(bytes: &[u8]) -> Option<Self> {
        let bytes: &[u8; Self::STORED_LEN] = bytes.try_into().ok()?;
        let (numbers, _) = bytes.as_chunks::<8>();
        let mut numbers = numbers.iter().copied().map(u64::from_le_bytes);
        let mut sums = || Some(Sums { a: numbers.next()?, b: numbers.next()? });
        Some(Self { paid: sums()?, deposits: sums()?, close: sums()? })
    }
}

impl Join for Entry {
    fn join(&mut self, other: &Self) {
        self.paid.join(&other.paid);
        self.deposits.join(&other.deposits);
        self.close = match (self.close(), other.close()) {
            (Some(one), Some(two)) => one.max(&two),
            (Some(close), None) | (None, Some(close)) => close,
            (None, None) => Self::OPEN,
        };
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::ledger::growing::laws;
    use proptest::prelude::*;

    fn sums() -> impl Strategy<Value = Sums> {
        (0_u64..5, 0_u64..5).prop_map(|(a, b)| Sums { a, b })
    }

    pub(in crate::ledger) fn entries() -> impl Strategy<Value = Entry> {
        (sums(), sums(), proptest::option::of(sums())).prop_map(|(paid, deposits, close)| {
            let mut entry = close.map_or(Entry::default(), |close| Entry::closed_with(close).expect("small"));
            entry.join(&Entry::paid_at_least(paid));
            entry.join(&Entry::deposited(deposits));
            entry
        })
    }

    proptest! {
        #[test]
        fn entries_join_by_the_laws(a in entries(), b in entries(), c in entries()) {
            laws::hold(&a, &b, &c);
        }

        #[test]
        fn an_entry_is_read_from_disk_as_it_was_written(entry in entries()) {
            prop_assert_eq!(Entry::from_store(&entry.to_store()), Some(entry));
            prop_assert_eq!(Entry::from_store(&entry.to_store()[1..]), None);
        }

        #[test]
        fn different_entries_never_have_the_same_bytes(a in entries(), b in entries()) {
            prop_assert_eq!(a == b, a.to_bytes() == b.to_bytes());
        }
    }

    #[test]
    fn a_closed_channel_counts_what_it_was_closed_with_and_ties_up_no_more() {
        let mut entry = Entry::deposited(Sums { a: 100, b: 50 });
        entry.join(&Entry::paid_at_least(Sums { a: 30, b: 0 }));
        assert_eq!(
            (entry.settled(), entry.tied(Side::A), entry.tied(Side::B)),
            (Sums { a: 30, b: 0 }, 100, 50)
        );
        entry.join(&Entry::closed_with(Sums { a: 30, b: 5 }).expect("small"));
        entry.join(&Entry::paid_at_least(Sums { a: 99, b: 0 }));
        assert_eq!(
            (entry.settled(), entry.tied(Side::A), entry.tied(Side::B)),
            (Sums { a: 30, b: 5 }, 30, 5)
        );
        assert_eq!(entry.paid().a, 99, "what was settled late is known all the same, so that replicas agree");
    }

    #[test]
    fn an_amount_that_nobody_has_closes_nothing() {
        assert_eq!(Entry::closed_with(Sums { a: u64::MAX, b: 0 }), None);
    }

    #[test]
    fn a_channel_is_between_two_and_the_lower_is_first() {
        let (low, high) = (NodeId([1; 16]), NodeId([2; 16]));
        let key = ChannelKey::between(high, low, [7; 16]).expect("two");
        assert_eq!((key.a(), key.b(), key.party(Side::B)), (low, high, high));
        assert_eq!((key.side_of(&high), key.side_of(&NodeId([3; 16]))), (Some(Side::B), None));
        assert_eq!(
            (ChannelKey::new(high, low, [7; 16]), ChannelKey::between(low, low, [7; 16])),
            (None, None)
        );
        assert_eq!(key.to_bytes(), [[1; 16], [2; 16], [7; 16]].concat()[..]);
    }

    #[test]
    fn a_key_with_its_entry_takes_96_bytes() {
        assert_eq!(size_of::<ChannelKey>() + size_of::<Entry>(), 96);
    }
}
