//! Books as a text that people and programs compare: equal books make equal bytes.
//!
//! One line for the format, one for the genesis, one for each channel by key, one with the state hash. Source: spec/economy.md#exports.

use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt::Write as _;

use nexus_crypto::NodeId;
use nexus_wire::nexus::gossip::StateHash;
use nexus_wire::nexus::ledger::GenesisId;
use thiserror::Error;

use super::books::{Books, NotRecorded};
use super::entry::{ChannelKey, Entry, Sums};
use super::growing::Join as _;
use crate::money::Amount;

/// The first line.
const HEAD: &str = "nexus ledger 1";

/// Books that were exported.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Export {
    /// Of which genesis.
    pub genesis: GenesisId,
    /// The channels.
    pub entries: BTreeMap<ChannelKey, Entry>,
    /// What the text says of its state.
    pub state: StateHash,
}

/// Why a text is no export.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum NotAnExport {
    /// A line is not what belongs there.
    #[error("line {0} is not what belongs there")]
    Line(usize),
    /// It ends too early.
    #[error("the end is missing")]
    Cut,
}

/// What is wrong with books that were exported.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Unsound {
    /// An entry breaks a rule.
    #[error("channel {}: {why}", hex(.key.id()))]
    Entry {
        /// Of which channel.
        key: ChannelKey,
        /// Which rule.
        why: NotRecorded,
    },
    /// The state is another than that of the entries.
    #[error("the state hash is not that of these channels")]
    State,
}

/// The text of these books.
#[must_use]
pub fn export(books: &Books, genesis: &GenesisId) -> String {
    let mut text = String::new();
    let _ = writeln!(text, "{HEAD}\ngenesis {genesis}");
    for (key, entry) in books.iter() {
        line(&mut text, key, entry);
    }
    let _ = writeln!(text, "state {}", hex(&books.state_hash().0));
    text
}

fn line(text: &mut String, key: &ChannelKey, entry: &Entry) {
    let (paid, deposits) = (entry.paid(), entry.deposits());
    let close =
        entry.close().map_or_else(|| String::from("open"), |close| format!("{} {}", close.a, close.b));
    // Writing to a string cannot fail.
    let _ = writeln!(
        text,
        "channel {} {} {} {} {} {} {} {close}",
        key.a(),
        key.b(),
        hex(key.id()),
        paid.a,
        paid.b,
        deposits.a,
        deposits.b
    );
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

fn unhex<const N: usize>(text: &str) -> Option<[u8; N]> {
    let mut bytes = [0; N];
    let lower = |digit: u8| matches!(digit, b'0'..=b'9' | b'a'..=b'f');
    if text.len() != N.checked_mul(2)? || !text.bytes().all(lower) {
        return None;
    }
    for (place, byte) in bytes.iter_mut().enumerate() {
        let at = place.checked_mul(2)?;
        *byte = u8::from_str_radix(text.get(at..at.checked_add(2)?)?, 16).ok()?;
    }
    Some(bytes)
}

/// A number as it is written: no sign, no zero in front.
fn number(text: &str) -> Option<u64> {
    let value: u64 = text.parse().ok()?;
    (format!("{value}") == text).then_some(value)
}

impl Export {
    /// The books that a text says. Nothing but what [`export`] makes is one.
    ///
    /// # Errors
    /// Which line is wrong, from 1.
    pub fn parse(text: &str) -> Result<Self, NotAnExport> {
        let mut lines = (1..).zip(text.split_terminator('\n'));
        let mut next = || lines.next().ok_or(NotAnExport::Cut);
        let (at, head) = next()?;
        if head != HEAD {
            return Err(NotAnExport::Line(at));
        }
        let (at, genesis) = next()?;
        let genesis = genesis.strip_prefix("genesis ").and_then(unhex).ok_or(NotAnExport::Line(at))?;
        let mut entries = BTreeMap::new();
        let state = loop {
            let (at, words) = next()?;
            if let Some(state) = words.strip_prefix("state ") {
                break StateHash(unhex(state).ok_or(NotAnExport::Line(at))?);
            }
            let (key, entry) = channel(words).ok_or(NotAnExport::Line(at))?;
            if entries.last_key_value().is_some_and(|(last, _)| *last >= key) {
                return Err(NotAnExport::Line(at));
            }
            entries.insert(key, entry);
        };
        match next() {
            Ok((at, _)) => Err(NotAnExport::Line(at)),
            Err(_) if !text.ends_with('\n') => Err(NotAnExport::Cut),
            Err(_) => Ok(Self { genesis: GenesisId(genesis), entries, state }),
        }
    }

    /// The books themselves, from what genesis gave.
    ///
    /// # Errors
    /// What breaks the rules: nothing but a forged export does.
    pub fn books(&self, given: impl IntoIterator<Item = (NodeId, Amount)>) -> Result<Books, Unsound> {
        let mut books = Books::new(given, u32::MAX);
        for (key, entry) in &self.entries {
            books.record(key, entry).map_err(|why| Unsound::Entry { key: *key, why })?;
        }
        if books.state_hash() == self.state { Ok(books) } else { Err(Unsound::State) }
    }

    /// What one has and the other has not, sentence by sentence; nothing if they are equal.
    #[must_use]
    pub fn differences(&self, other: &Self) -> Vec<Difference> {
        let keys = self.entries.keys().chain(other.entries.keys());
        let keys: alloc::collections::BTreeSet<&ChannelKey> = keys.collect();
        let differs = |key: &&ChannelKey| self.entries.get(key) != other.entries.get(key);
        let difference = |key: &ChannelKey| Difference {
            key: *key,
            first: self.entries.get(key).copied(),
            second: other.entries.get(key).copied(),
        };
        keys.into_iter().filter(differs).map(difference).collect()
    }
}

/// A channel of which two exports say different things.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Difference {
    /// Which channel.
    pub key: ChannelKey,
    /// What the first says; none if it does not know the channel.
    pub first: Option<Entry>,
    /// What the second says.
    pub second: Option<Entry>,
}

impl Difference {
    /// Whether the first has heard all that the second has, and so for the second: where neither has, both will be changed.
    #[must_use]
    pub fn is_behind(&self) -> (bool, bool) {
        let (first, second) = (self.first.unwrap_or_default(), self.second.unwrap_or_default());
        let mut joined = first;
        joined.join(&second);
        (joined != first, joined != second)
    }
}

fn channel(words: &str) -> Option<(ChannelKey, Entry)> {
    let words: Vec<&str> = words.strip_prefix("channel ")?.split(' ').collect();
    let [a, b, id, paid_a, paid_b, deposit_a, deposit_b, close @ ..] = words.as_slice() else { return None };
    let key = ChannelKey::new(NodeId(unhex(a)?), NodeId(unhex(b)?), unhex(id)?)?;
    let mut entry = match close {
        ["open"] => Entry::default(),
        [a, b] => Entry::closed_with(Sums { a: number(a)?, b: number(b)? })?,
        _ => return None,
    };
    entry.join(&Entry::paid_at_least(Sums { a: number(paid_a)?, b: number(paid_b)? }));
    entry.join(&Entry::deposited(Sums { a: number(deposit_a)?, b: number(deposit_b)? }));
    Some((key, entry))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn node(number: u8) -> NodeId {
        NodeId([number; 16])
    }

    fn given() -> [(NodeId, Amount); 1] {
        [(node(1), Amount::from_micros(1_000))]
    }

    fn books(entries: &[(u8, Entry)]) -> Books {
        let mut books = Books::new(given(), 100);
        for (number, entry) in entries {
            let key = ChannelKey::new(node(1), node(2), [*number; 16]).expect("two");
            // What is not certified is not there.
            let _ = books.record(&key, entry);
        }
        books
    }

    const GENESIS: GenesisId = GenesisId([7; 32]);

    proptest! {
        #[test]
        fn equal_books_make_equal_bytes_which_are_read_back(
            entries in proptest::collection::vec((any::<u8>(), crate::ledger::entry::tests::entries()), 0..20),
        ) {
            let books_one = books(&entries);
            let mut turned = entries.clone();
            turned.reverse();
            let again = books(&turned);
            let text = export(&books_one, &GENESIS);
            if books_one == again {
                prop_assert_eq!(&text, &export(&again, &GENESIS));
            }
            let read = Export::parse(&text).expect("an export");
            prop_assert_eq!(read.genesis, GENESIS);
            prop_assert_eq!(read.books(given()).expect("sound").state_hash(), books_one.state_hash());
            prop_assert!(Export::parse(text.trim_end()).is_err());
        }

        #[test]
        fn any_other_text_is_none(text in ".{0,200}") {
            prop_assert!(Export::parse(&text).is_err());
        }
    }

    #[test]
    fn a_changed_figure_is_found_and_two_views_are_told_apart() {
        let mut entry = Entry::deposited(Sums { a: 500, b: 0 });
        let text = |entry: Entry| export(&books(&[(9, entry)]), &GENESIS);
        let before = text(entry);
        entry.join(&Entry::paid_at_least(Sums { a: 70, b: 0 }));
        let after = text(entry);
        let (one, two) = (Export::parse(&before).expect("one"), Export::parse(&after).expect("one"));
        let [difference] = one.differences(&two)[..] else { panic!("one channel") };
        assert_eq!(difference.is_behind(), (true, false));
        assert_eq!(two.differences(&two), []);
        let forged = Export::parse(&after.replace(" 70 ", " 71 ")).expect("it reads");
        assert_eq!(forged.books(given()).err(), Some(Unsound::State));
        let beyond = Export::parse(&after.replace(" 70 ", " 501 ")).expect("it reads");
        assert!(matches!(beyond.books(given()), Err(Unsound::Entry { why: NotRecorded::BeyondDeposit, .. })));
        for wrong in ["070", "+70", "x"] {
            let text = after.replace(" 70 ", &format!(" {wrong} "));
            assert_eq!(Export::parse(&text), Err(NotAnExport::Line(3)), "{wrong}");
        }
    }
}
