//! Slots with generations: a key that outlived its value never reaches another's.

use alloc::vec::Vec;

/// Names one value in a [`Slab`] for as long as it lives: four bytes, small enough for every table that refers to it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Key {
    /// The slot's index.
    pub slot: u16,
    /// Which of the slot's inhabitants is meant.
    pub generation: u16,
}

/// A fixed number of slots. A key is refused once its value was removed, until 2¹⁶ values have lived in the same
/// slot; the least recently freed slot is reused first, so that this takes as long as it can.
#[derive(Debug)]
pub struct Slab<T> {
    slots: Vec<Slot<T>>,
    /// Freed slots, oldest first.
    free: alloc::collections::VecDeque<u16>,
    capacity: u16,
}

#[derive(Debug)]
struct Slot<T> {
    generation: u16,
    value: Option<T>,
}

/// A slab whose every slot is taken returns the value it did not take.
#[derive(Debug, PartialEq, Eq)]
pub struct SlabFull<T>(pub T);

impl<T> Slab<T> {
    /// A slab of at most `capacity` values.
    #[must_use]
    pub const fn new(capacity: u16) -> Self {
        Self { slots: Vec::new(), free: alloc::collections::VecDeque::new(), capacity }
    }

    /// Puts `value` into a slot.
    ///
    /// # Errors
    /// [`SlabFull`] with the value if every slot is taken: whoever decides what to evict decides before.
    pub fn insert(&mut self, value: T) -> Result<Key, SlabFull<T>> {
        // Untouched slots first: a freed one rests until no other is left.
        if let Ok(slot) = u16::try_from(self.slots.len())
            && slot < self.capacity
        {
            self.slots.push(Slot { generation: 0, value: Some(value) });
            return Ok(Key { slot, generation: 0 });
        }
        let Some(slot) = self.free.pop_front() else { return Err(SlabFull(value)) };
        match self.slots.get_mut(usize::from(slot)) {
            Some(inhabited) => {
                inhabited.generation = inhabited.generation.wrapping_add(1);
                inhabited.value = Some(value);
                Ok(Key { slot, generation: inhabited.generation })
            }
            None => Err(SlabFull(value)),
        }
    }

    /// The value named by `key`, if it still lives.
    #[must_use]
    pub fn get(&self, key: Key) -> Option<&T> {
        self.slots
            .get(usize::from(key.slot))
            .filter(|slot| slot.generation == key.generation)
            .and_then(|slot| slot.value.as_ref())
    }

    /// The value named by `key`, if it still lives.
    pub fn get_mut(&mut self, key: Key) -> Option<&mut T> {
        self.slots
            .get_mut(usize::from(key.slot))
            .filter(|slot| slot.generation == key.generation)
            .and_then(|slot| slot.value.as_mut())
    }

    /// Takes out the value named by `key`, if it still lives.
    pub fn remove(&mut self, key: Key) -> Option<T> {
        let slot = self.slots.get_mut(usize::from(key.slot)).filter(|s| s.generation == key.generation)?;
        let value = slot.value.take()?;
        self.free.push_back(key.slot);
        Some(value)
    }

    /// All living values with their keys, by slot.
    pub fn iter(&self) -> impl Iterator<Item = (Key, &T)> {
        (0..).zip(&self.slots).filter_map(|(slot, Slot { generation, value })| {
            value.as_ref().map(|value| (Key { slot, generation: *generation }, value))
        })
    }

    /// How many values live.
    #[must_use]
    pub fn len(&self) -> usize {
        self.slots.len().saturating_sub(self.free.len())
    }

    /// Whether no value lives.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stale_key_reaches_nobody() {
        let mut slab = Slab::new(1);
        let first = slab.insert('a').unwrap();
        assert_eq!(slab.insert('b'), Err(SlabFull('b')));
        assert_eq!(slab.remove(first), Some('a'));
        let second = slab.insert('b').unwrap();
        assert_eq!(second.slot, first.slot);
        assert_eq!(slab.get(first), None);
        assert_eq!(slab.get_mut(first), None);
        assert_eq!(slab.remove(first), None);
        assert_eq!(slab.get(second), Some(&'b'));
    }

    #[test]
    fn the_longest_free_slot_is_reused_first() {
        let mut slab = Slab::new(3);
        let keys: Vec<Key> = (0..3).map(|n| slab.insert(n).unwrap()).collect();
        slab.remove(keys[1]);
        slab.remove(keys[0]);
        assert_eq!(slab.insert(9).unwrap().slot, 1);
        assert_eq!(slab.iter().map(|(key, n)| (key.slot, *n)).collect::<Vec<_>>(), [(1, 9), (2, 2)]);
        assert_eq!(slab.len(), 2);
    }

    #[test]
    fn removing_twice_frees_once() {
        let mut slab = Slab::new(2);
        let key = slab.insert(1).unwrap();
        assert_eq!((slab.remove(key), slab.remove(key)), (Some(1), None));
        slab.insert(2).unwrap();
        slab.insert(3).unwrap();
        assert_eq!(slab.insert(4), Err(SlabFull(4)));
        assert!(!slab.is_empty());
    }
}
