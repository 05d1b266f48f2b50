//! Neighbours' keys: who gave them, and which frames came under each.

use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use nexus_crypto::{AeadKey, Nonce, Tag};
use nexus_wire::nexus::frame::{BroadcastKeyId, Sealed};

use super::own::fingerprint;
use crate::interface::InterfaceId;
use crate::links::LinkId;
use crate::links::fragments::Set;
use crate::links::replay_window::{Freshness, ReplayWindow};

/// A key's name on an interface. Several neighbours' keys may have the same.
pub(super) type Name = (InterfaceId, BroadcastKeyId);

/// Keys of one name: any more are refused.
const CANDIDATES: usize = 4;
/// Keys of one link: the older makes room.
const OF_A_LINK: usize = 2;

/// All keys that were given, by name.
#[derive(Debug, Default)]
pub(super) struct Keyring {
    keys: BTreeMap<Name, Vec<Held>>,
}

/// A neighbour's key.
#[derive(Debug)]
pub(super) struct Held {
    pub(super) link: LinkId,
    key: AeadKey,
    /// What its owner's signatures bind.
    pub(super) fingerprint: [u8; 16],
    /// Counters before this one were used before the key was given.
    first: u32,
    pub(super) window: ReplayWindow,
    /// The one set of fragments that is put together.
    pub(super) set: Option<Box<Set<()>>>,
    /// Whether the same neighbour gave a newer one.
    replaced: bool,
}

/// What became of a key that was given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kept {
    /// It is the first of its link.
    First,
    /// It is kept beside an older one.
    Beside,
    /// It was kept before.
    Again,
    /// There are too many of its name.
    Refused,
}

impl Keyring {
    /// The most heap that a link's keys hold, in bytes: each in a list of four at most, in nodes that may be half empty.
    pub(super) const PER_LINK: usize = OF_A_LINK
        * (CANDIDATES * size_of::<Held>() * 2
            + 2 * size_of::<(Name, Vec<Held>)>()
            + 33 * 8
            + 32
            + size_of::<Set<()>>()
            + Set::<()>::MEMORY_BOUND);

    pub(super) fn keep(
        &mut self,
        name: Name,
        link: LinkId,
        key: &AeadKey,
        next_counter: u32,
        window: u16,
    ) -> Kept {
        let (iface, _) = name;
        let fingerprint = fingerprint(key);
        let candidates = self.keys.get(&name).map_or(&[][..], Vec::as_slice);
        if candidates.iter().any(|held| held.link == link && held.fingerprint == fingerprint) {
            return Kept::Again;
        }
        let of_link = |held: &&Held| held.link == link;
        if candidates.iter().filter(|held| !of_link(held)).count() >= CANDIDATES {
            return Kept::Refused;
        }
        // What was replaced before goes: there are two at most.
        self.forget_replaced(link);
        let mut beside = Kept::First;
        for held in self.keys.range_mut((iface, BroadcastKeyId(0))..=(iface, BroadcastKeyId(u16::MAX))) {
            for held in held.1.iter_mut().filter(|held| held.link == link) {
                held.replaced = true;
                beside = Kept::Beside;
            }
        }
        let held = Held {
            link,
            key: AeadKey::from_bytes(*key.expose()),
            fingerprint,
            first: next_counter,
            window: ReplayWindow::new(window),
            set: None,
            replaced: false,
        };
        let candidates = self.keys.entry(name).or_default();
        if candidates.len() >= CANDIDATES {
            // Only its own older key of the same name can be in its way.
            candidates.retain(|held| held.link != link);
        }
        candidates.push(held);
        beside
    }

    /// Whether there is a key of a name.
    pub(super) fn knows(&self, name: Name) -> bool {
        self.keys.get(&name).is_some_and(|keys| !keys.is_empty())
    }

    /// The keys of a name.
    pub(super) fn candidates(&mut self, name: Name) -> &mut [Held] {
        self.keys.get_mut(&name).map_or(&mut [], Vec::as_mut_slice)
    }

    pub(super) fn forget_link(&mut self, link: LinkId) {
        self.retain(|held| held.link != link);
    }

    /// Forgets the keys of a link that newer ones replaced.
    pub(super) fn forget_replaced(&mut self, link: LinkId) {
        self.retain(|held| held.link != link || !held.replaced);
    }

    fn retain(&mut self, keep: impl Fn(&Held) -> bool) {
        self.keys.retain(|_, candidates| {
            candidates.retain(&keep);
            !candidates.is_empty()
        });
    }

    /// How many keys are held.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.keys.values().map(Vec::len).sum()
    }
}

/// Why a frame does not open under a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shut {
    NotAuthentic,
    Replayed,
    TooOld,
}

impl Held {
    /// The plaintext of a frame, if it was sealed under this key and not received before. Nothing is remembered of it.
    pub(super) fn open(&self, sealed: &Sealed<'_>) -> Result<Vec<u8>, Shut> {
        let counter = sealed.header.counter;
        if counter < self.first {
            return Err(Shut::TooOld);
        }
        match self.window.judge(counter) {
            Freshness::Fresh => {}
            Freshness::Replayed => return Err(Shut::Replayed),
            Freshness::TooOld => return Err(Shut::TooOld),
        }
        let mut plaintext = sealed.ciphertext.to_vec();
        let nonce = Nonce::from_bytes(sealed.header.nonce());
        let opened =
            self.key.open_in_place(nonce, &sealed.header.to_bytes(), &mut plaintext, &Tag(*sealed.tag));
        opened.map(|()| plaintext).map_err(|_| Shut::NotAuthentic)
    }
}
