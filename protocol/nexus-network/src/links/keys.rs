//! One pair of keys of a link: what it seals and opens, and what it remembers of that.

use alloc::vec::Vec;

use nexus_crypto::noise::{ChannelBinding, Established};
use nexus_crypto::{AeadKey, Nonce, Tag};
use nexus_machine::Instant;
use nexus_wire::nexus::frame::{HEADER_LEN, KeyName, SealedHeader, SessionId, TAG_LEN};
use nexus_wire::nexus::traffic::FragmentPlace;

use super::replay_window::{Freshness, ReplayWindow};

/// What keeps frames from others.
#[derive(Debug)]
enum Cipher {
    /// The keys of a handshake, one for each direction.
    Own { send: AeadKey, receive: AeadKey },
    /// The medium itself: a Reticulum link with the peer.
    Carrier,
}

/// The keys of one handshake, both directions, or what a medium that has keys leaves of them.
///
/// Invariant: the counter is taken before sealing and never comes again, also when the frame is never sent.
#[derive(Debug)]
pub(super) struct Keys {
    cipher: Cipher,
    /// Where the peer receives under them.
    pub(super) to: SessionId,
    /// Where this node does.
    pub(super) at: SessionId,
    /// How many counters were taken: of frames that were sealed, and of pieces that are to follow.
    counter: u32,
    /// What the next piece of a message has, of which the first took the counters of all.
    reserved: Option<Reserved>,
    /// Whether pieces take counters as they come, as no lawful sender's do.
    #[cfg(test)]
    pub(super) lawless: bool,
    /// How many bytes these had.
    pub(super) sealed_bytes: u64,
    pub(super) window: ReplayWindow,
    /// The handshake's name: what the next rekey's prologue carries.
    pub(super) binding: ChannelBinding,
    pub(super) made_at: Instant,
}

/// The counter of a piece that has not left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Reserved {
    place: FragmentPlace,
    counter: u32,
}

/// Why a frame is not sealed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum CannotSeal {
    /// No counter is left under these keys.
    Exhausted,
    /// It is a piece of a message whose first piece did not leave under them, or after which another's did.
    Orphan,
}

/// Why a frame does not open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum CannotOpen {
    NotAuthentic,
    Replayed,
    TooOld,
}

impl Keys {
    pub(super) fn new(
        established: Established,
        at: SessionId,
        to: SessionId,
        window: u16,
        made_at: Instant,
    ) -> Self {
        let Established { send, receive, channel_binding } = established;
        let window = ReplayWindow::new(window);
        let cipher = Cipher::Own { send, receive };
        Self {
            cipher,
            to,
            at,
            counter: 0,
            reserved: None,
            #[cfg(test)]
            lawless: false,
            sealed_bytes: 0,
            window,
            binding: channel_binding,
            made_at,
        }
    }

    /// What remains where the medium seals: the counter and its window. The session is known to this side alone.
    pub(super) fn of_carrier(at: SessionId, window: u16, made_at: Instant) -> Self {
        let (window, binding) = (ReplayWindow::new(window), ChannelBinding([0; 32]));
        Self {
            cipher: Cipher::Carrier,
            to: at,
            at,
            counter: 0,
            reserved: None,
            #[cfg(test)]
            lawless: false,
            sealed_bytes: 0,
            window,
            binding,
            made_at,
        }
    }

    /// Whether the medium seals.
    pub(super) const fn are_the_carriers(&self) -> bool {
        matches!(self.cipher, Cipher::Carrier)
    }

    /// The length of the tag behind what they seal, in bytes.
    pub(super) const fn tag_len(&self) -> usize {
        match self.cipher {
            Cipher::Own { .. } => TAG_LEN,
            Cipher::Carrier => 0,
        }
    }

    /// How many counters were taken of them.
    pub(super) const fn sealed(&self) -> u32 {
        self.counter
    }

    /// What a frame begins with that is to be sealed. Its counter is taken, whether it is or not. The first piece of a message takes those of
    /// all its pieces: other frames may leave between them, and the receiver tells the message by consecutive counters all the same.
    pub(super) fn take_header(&mut self, piece: Option<FragmentPlace>) -> Result<SealedHeader, CannotSeal> {
        #[cfg(test)]
        let piece = piece.filter(|_| !self.lawless);
        let counter = match piece.filter(|place| place.count() > 1) {
            Some(place) if place.index() > 0 => self.take_reserved(place)?,
            first => self.take_counters(first)?,
        };
        Ok(SealedHeader { key: KeyName::Session(self.to), counter })
    }

    fn take_counters(&mut self, first: Option<FragmentPlace>) -> Result<u32, CannotSeal> {
        let counter = self.counter;
        let count = first.map_or(1, FragmentPlace::count);
        self.counter = counter.checked_add(count.into()).ok_or(CannotSeal::Exhausted)?;
        if let Some(place) = first {
            // Those of a message that is not complete are lost with it: a receiver puts one together at a time.
            self.reserved = Reserved::behind(place, counter);
        }
        Ok(counter)
    }

    fn take_reserved(&mut self, place: FragmentPlace) -> Result<u32, CannotSeal> {
        let reserved = self.reserved.filter(|reserved| reserved.place == place).ok_or(CannotSeal::Orphan)?;
        self.reserved = Reserved::behind(place, reserved.counter);
        Ok(reserved.counter)
    }

    /// Seals what stands behind the headroom of `bytes`, in place, by a header that was taken for it: it is written into the headroom, the
    /// tag appended.
    pub(super) fn seal(&mut self, header: SealedHeader, bytes: &mut Vec<u8>) {
        let associated = header.to_bytes();
        let Some((head, plaintext)) = bytes.split_first_chunk_mut::<HEADER_LEN>() else { return };
        *head = associated;
        if let Cipher::Own { send, .. } = &self.cipher {
            let tag = send.seal_in_place(Nonce::from_bytes(header.nonce()), &associated, plaintext);
            bytes.extend_from_slice(tag.as_bytes());
        }
        self.sealed_bytes = self.sealed_bytes.saturating_add(u64::try_from(bytes.len()).unwrap_or(u64::MAX));
    }

    /// Opens a frame with this header in place; nothing is remembered of one that does not open. The plaintext stands
    /// between header and tag afterwards.
    pub(super) fn open(&mut self, header: SealedHeader, frame: &mut [u8]) -> Result<(), CannotOpen> {
        match self.window.judge(header.counter) {
            Freshness::Fresh => {}
            Freshness::Replayed => return Err(CannotOpen::Replayed),
            Freshness::TooOld => return Err(CannotOpen::TooOld),
        }
        if let Cipher::Own { receive, .. } = &self.cipher {
            let associated = header.to_bytes();
            let body = frame.get_mut(HEADER_LEN..).ok_or(CannotOpen::NotAuthentic)?;
            let (ciphertext, tag) = body.split_last_chunk_mut::<TAG_LEN>().ok_or(CannotOpen::NotAuthentic)?;
            let nonce = Nonce::from_bytes(header.nonce());
            receive
                .open_in_place(nonce, &associated, ciphertext, &Tag(*tag))
                .map_err(|_| CannotOpen::NotAuthentic)?;
        }
        self.window.mark(header.counter);
        Ok(())
    }

    /// Whether a frame with this header is the peer's. Nothing is remembered of it, and it is left as it is.
    pub(super) fn is_authentic(&self, header: SealedHeader, frame: &[u8]) -> bool {
        let Cipher::Own { receive, .. } = &self.cipher else { return true };
        let body = frame.get(HEADER_LEN..).unwrap_or_default();
        let Some((ciphertext, tag)) = body.split_last_chunk::<TAG_LEN>() else { return false };
        let (mut copy, nonce) = (ciphertext.to_vec(), Nonce::from_bytes(header.nonce()));
        receive.open_in_place(nonce, &header.to_bytes(), &mut copy, &Tag(*tag)).is_ok()
    }

    #[cfg(test)]
    pub(super) const fn skip_to(&mut self, counter: u32) {
        self.counter = counter;
    }
}

impl Reserved {
    /// What the piece behind one has.
    fn behind(place: FragmentPlace, counter: u32) -> Option<Self> {
        let place = FragmentPlace::new(place.index().checked_add(1)?, place.count())?;
        Some(Self { place, counter: counter.checked_add(1)? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;

    fn sealed(keys: &mut Keys, piece: Option<FragmentPlace>, frame: &mut Vec<u8>) -> Result<u32, CannotSeal> {
        let header = keys.take_header(piece)?;
        keys.seal(header, frame);
        Ok(header.counter)
    }

    fn pair() -> (Keys, Keys) {
        let session = |n| SessionId::new(n).unwrap();
        let established = |send, receive| Established {
            send: AeadKey::from_bytes([send; 32]),
            receive: AeadKey::from_bytes([receive; 32]),
            channel_binding: ChannelBinding([0; 32]),
        };
        let a = Keys::new(established(1, 2), session(10), session(20), 64, Instant::BOOT);
        let b = Keys::new(established(2, 1), session(20), session(10), 64, Instant::BOOT);
        (a, b)
    }

    fn header(frame: &[u8]) -> SealedHeader {
        use nexus_wire::nexus::Layout as _;
        nexus_wire::nexus::frame::Sealed::decode(frame).unwrap().header
    }

    #[test]
    fn a_sealed_frame_opens_once_and_only_at_the_other_end() {
        let (mut a, mut b) = pair();
        let mut frame = [vec![0; HEADER_LEN], b"hello".to_vec()].concat();
        assert_eq!(sealed(&mut a, None, &mut frame), Ok(0));
        assert_eq!(frame.len(), HEADER_LEN + 5 + TAG_LEN);
        let said = frame.clone();
        assert_eq!(a.open(header(&frame), &mut frame.clone()), Err(CannotOpen::NotAuthentic), "reflected");
        let mut flipped = said.clone();
        flipped[HEADER_LEN] ^= 1;
        assert_eq!(b.open(header(&flipped), &mut flipped), Err(CannotOpen::NotAuthentic));
        assert_eq!(b.open(header(&frame), &mut frame), Ok(()), "the forgery changed nothing");
        assert_eq!(&frame[HEADER_LEN..HEADER_LEN + 5], b"hello");
        assert_eq!(b.open(header(&said), &mut said.clone()), Err(CannotOpen::Replayed));
    }

    #[test]
    fn sending_stops_before_a_counter_could_come_again() {
        let (mut a, _) = pair();
        a.skip_to(u32::MAX - 1);
        let place = FragmentPlace::new(0, 2);
        assert_eq!(sealed(&mut a, place, &mut vec![0; HEADER_LEN]), Err(CannotSeal::Exhausted), "two pieces");
        assert_eq!(sealed(&mut a, None, &mut vec![0; HEADER_LEN]), Ok(u32::MAX - 1));
        assert_eq!(sealed(&mut a, None, &mut vec![0; HEADER_LEN]), Err(CannotSeal::Exhausted));
        assert_eq!(sealed(&mut a, None, &mut vec![0; HEADER_LEN]), Err(CannotSeal::Exhausted));
    }

    #[test]
    fn the_first_piece_takes_the_counters_of_all_and_a_piece_without_a_first_takes_none() {
        let (mut a, _) = pair();
        let piece = |index, count| Some(FragmentPlace::new(index, count).unwrap());
        let mut take = |piece| a.take_header(piece).map(|header| header.counter);
        assert_eq!(take(piece(1, 3)), Err(CannotSeal::Orphan), "nothing began");
        assert_eq!(take(piece(0, 3)), Ok(0));
        assert_eq!(take(None), Ok(3), "what comes between has the counters behind");
        assert_eq!(take(piece(2, 3)), Err(CannotSeal::Orphan), "the second did not leave");
        assert_eq!(take(piece(1, 3)), Ok(1));
        assert_eq!(take(piece(1, 3)), Err(CannotSeal::Orphan), "nor does a counter come again");
        assert_eq!((take(None), take(piece(2, 3)), take(None)), (Ok(4), Ok(2), Ok(5)));
        assert_eq!(take(piece(2, 3)), Err(CannotSeal::Orphan), "it is over");
        assert_eq!((take(piece(0, 3)), take(piece(0, 2))), (Ok(6), Ok(9)), "another began");
        assert_eq!((take(piece(1, 3)), take(piece(1, 2))), (Err(CannotSeal::Orphan), Ok(10)));
        assert_eq!((take(piece(0, 1)), take(None)), (Ok(11), Ok(12)), "one that is a message in itself");
    }
}
