//! Messages longer than a frame: cut into pieces, one a frame, and put together again.

use alloc::vec;
use alloc::vec::Vec;

use nexus_machine::Instant;
use nexus_wire::nexus::frame::{HEADER_LEN, SEALED_OVERHEAD};
use nexus_wire::nexus::message::MessageWriter;
use nexus_wire::nexus::traffic::{Fragment, FragmentPlace};

/// The largest message that is put together: the largest packet accepted, and what stands before it in ANNOUNCE.
pub(super) const MESSAGE_MAX: usize = nexus_wire::reticulum::MTU + 9;

/// How the end of a fragment is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ends {
    /// By the end of its frame.
    WithFrame,
    /// By its length: something follows.
    ByLength,
}

impl Ends {
    /// What a fragment needs of its frame beside the piece: kind, length and place.
    pub(crate) const fn overhead(self) -> usize {
        match self {
            Self::WithFrame => 2,
            Self::ByLength => 4,
        }
    }
}

/// Cuts `message` (a message without a length, behind headroom) into plaintexts for frames of at most `max_frame` bytes, each
/// behind headroom; none if it would take more pieces than there may be.
pub(crate) fn cut(message: &[u8], max_frame: usize, ends: Ends) -> Option<Vec<Vec<u8>>> {
    let message = message.get(HEADER_LEN..)?;
    let piece = max_frame.saturating_sub(SEALED_OVERHEAD).saturating_sub(ends.overhead());
    if piece == 0 || message.len() > MESSAGE_MAX {
        return None;
    }
    let count = u8::try_from(message.len().div_ceil(piece)).ok()?;
    (0..count)
        .zip(message.chunks(piece))
        .map(|(index, piece)| {
            let fragment = Fragment::new(FragmentPlace::new(index, count)?, piece)?;
            let len = HEADER_LEN.saturating_add(ends.overhead()).saturating_add(piece.len());
            let mut plaintext = Vec::with_capacity(len.saturating_add(SEALED_OVERHEAD));
            plaintext.resize(len, 0);
            let mut writer = MessageWriter::new(plaintext.get_mut(HEADER_LEN..)?);
            match ends {
                Ends::WithFrame => drop(writer.put_last(&fragment).ok()?),
                Ends::ByLength => writer.put(&fragment).ok()?,
            }
            Some(plaintext)
        })
        .collect()
}

/// A set of fragments that is put together: one for each link, and for each broadcast key.
#[derive(Debug)]
pub(crate) struct Set<K> {
    /// Under which key its frames came.
    key: K,
    /// The counter of its first frame.
    base: u32,
    pieces: Vec<Option<Vec<u8>>>,
    /// When it is given up.
    pub(crate) until: Instant,
}

/// What became of a fragment.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Put {
    /// The set is not complete.
    Waiting,
    /// The message, behind headroom.
    Whole(Vec<u8>),
    /// It fits no set.
    Misplaced,
}

/// Puts `fragment`, which came in the frame `counter` under `key`, into `set`. Another set displaces one that waits; one that
/// contradicts itself is dropped.
pub(crate) fn put<K: Copy + PartialEq>(
    set: &mut Option<Set<K>>,
    key: K,
    counter: u32,
    fragment: &Fragment<'_>,
    until: Instant,
) -> Put {
    let place = fragment.place();
    let Some(base) = place.base(counter) else { return Put::Misplaced };
    let count = usize::from(place.count());
    if !set.as_ref().is_some_and(|set| set.key == key && set.base == base) {
        *set = Some(Set { key, base, pieces: vec![None; count], until });
    }
    let Some(held) = set else { return Put::Misplaced };
    if !held.take(place, fragment.piece()) || held.pieces.len() != count {
        *set = None;
        return Put::Misplaced;
    }
    if held.pieces.iter().any(Option::is_none) {
        return Put::Waiting;
    }
    let whole = held.pieces.iter().flatten().fold(vec![0; HEADER_LEN], |mut whole, piece| {
        whole.extend_from_slice(piece);
        whole
    });
    *set = None;
    Put::Whole(whole)
}

impl<K> Set<K> {
    /// The most heap that a set holds, in bytes.
    pub(crate) const MEMORY_BOUND: usize = 2 * MESSAGE_MAX + 16 * size_of::<Option<Vec<u8>>>() + 15 * 32;

    /// Whether the piece fits: not there yet, as long as the others (the last may be shorter), and not too much in all.
    fn take(&mut self, place: FragmentPlace, piece: &[u8]) -> bool {
        let others = self.pieces.iter().zip(0..).filter_map(|(held, index)| {
            Some((held.as_ref()?.len(), FragmentPlace::new(index, place.count())?))
        });
        let agrees = others.clone().all(|(len, other)| match (other.is_last(), place.is_last()) {
            (false, false) => len == piece.len(),
            (true, false) => len <= piece.len(),
            (false, true) => len >= piece.len(),
            (true, true) => false,
        });
        let held: usize = others.map(|(len, _)| len).fold(0, usize::saturating_add);
        let Some(slot) = self.pieces.get_mut(usize::from(place.index())) else { return false };
        if slot.is_some() || !agrees || held.saturating_add(piece.len()) > MESSAGE_MAX {
            return false;
        }
        *slot = Some(piece.to_vec());
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use nexus_wire::nexus::frame::SessionId;
    use nexus_wire::nexus::message::Messages;
    use proptest::prelude::*;

    fn key(n: u16) -> SessionId {
        SessionId::new(n).unwrap()
    }

    fn message(len: usize) -> Vec<u8> {
        let mut message = vec![0; HEADER_LEN];
        message.extend((0..len).map(|n| u8::try_from(n % 251).unwrap()));
        message
    }

    fn fragment(plaintext: &[u8]) -> Fragment<'_> {
        Messages::new(&plaintext[HEADER_LEN..]).next().unwrap().unwrap().parse().unwrap()
    }

    proptest! {
        #[test]
        fn what_is_cut_is_put_together_in_any_order(len in 1..=MESSAGE_MAX, max_frame in 70_usize..300, order: u64) {
            let message = message(len);
            let mut pieces: Vec<_> = (100..).zip(cut(&message, max_frame, Ends::WithFrame).unwrap()).collect();
            prop_assert!(pieces.iter().all(|(_, piece)| piece.len() + 16 <= max_frame));
            let mut random = nexus_machine::Seed::new([7; 32]).fork_index("order", order).fork("x");
            for at in (1..pieces.len()).rev() {
                pieces.swap(at, usize::try_from(random.below(u64::try_from(at + 1).unwrap())).unwrap());
            }
            let mut set = None;
            let last = pieces.len() - 1;
            for (n, (counter, plaintext)) in pieces.iter().enumerate() {
                let put = put(&mut set, key(1), *counter, &fragment(plaintext), Instant::NEVER);
                let expected = if n == last { Put::Whole(message.clone()) } else { Put::Waiting };
                prop_assert_eq!(put, expected);
            }
            prop_assert!(set.is_none());
        }
    }

    #[test]
    fn sets_of_other_keys_and_bases_do_not_mix() {
        let pieces = cut(&message(150), 100, Ends::WithFrame).unwrap();
        let mut set = None;
        assert_eq!(put(&mut set, key(1), 10, &fragment(&pieces[0]), Instant::NEVER), Put::Waiting);
        assert_eq!(
            put(&mut set, key(2), 11, &fragment(&pieces[1]), Instant::NEVER),
            Put::Waiting,
            "another key"
        );
        assert_eq!(
            put(&mut set, key(2), 11, &fragment(&pieces[1]), Instant::NEVER),
            Put::Misplaced,
            "repeated"
        );
        assert!(set.is_none(), "a repeated index kills the set");
        assert_eq!(put(&mut set, key(1), 10, &fragment(&pieces[0]), Instant::NEVER), Put::Waiting);
        assert_eq!(
            put(&mut set, key(1), 12, &fragment(&pieces[1]), Instant::NEVER),
            Put::Waiting,
            "another base"
        );
        assert_eq!(
            put(&mut set, key(1), 0, &fragment(&pieces[1]), Instant::NEVER),
            Put::Misplaced,
            "before the first"
        );
    }

    #[test]
    fn pieces_that_contradict_each_other_kill_the_set() {
        let piece = |index, count, len: usize| (FragmentPlace::new(index, count).unwrap(), vec![0x81; len]);
        let put_all = |pieces: &[(FragmentPlace, Vec<u8>)]| {
            let mut set = None;
            let mut last = Put::Waiting;
            for (place, bytes) in pieces {
                let fragment = Fragment::new(*place, bytes).unwrap();
                last = put(&mut set, key(1), 20 + u32::from(place.index()), &fragment, Instant::NEVER);
            }
            (last, set.is_none())
        };
        assert_eq!(put_all(&[piece(0, 3, 10), piece(1, 3, 11)]), (Put::Misplaced, true), "unequal");
        assert_eq!(put_all(&[piece(0, 3, 10), piece(2, 3, 11)]), (Put::Misplaced, true), "last longer");
        assert_eq!(put_all(&[piece(0, 3, 10), piece(1, 2, 10)]), (Put::Misplaced, true), "another count");
        assert_eq!(put_all(&[piece(0, 2, MESSAGE_MAX), piece(1, 2, 1)]), (Put::Misplaced, true), "too much");
        assert_eq!(cut(&message(MESSAGE_MAX + 1), 500, Ends::WithFrame), None);
        assert_eq!(cut(&message(500), 30, Ends::WithFrame), None, "more pieces than there may be");
    }
}
