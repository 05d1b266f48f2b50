//! What share of something comes out well, as a moving average.

/// A share; each thing that happens counts a sixteenth.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Share {
    /// Of 65,535; none before anything happened.
    value: Option<u16>,
}

impl Share {
    /// One came out well.
    pub(super) const fn hit(&mut self) {
        let value = self.value_or_all();
        self.value = Some(value.saturating_add((u16::MAX ^ value) / 16));
    }

    /// One did not.
    pub(super) const fn miss(&mut self) {
        let value = self.value_or_all();
        self.value = Some(value.saturating_sub(value / 16));
    }

    const fn value_or_all(self) -> u16 {
        match self.value {
            Some(value) => value,
            None => u16::MAX,
        }
    }

    /// How many of 255, at least one; none if nothing is known.
    pub(super) fn known(self) -> Option<u8> {
        self.value.map(|value| value.to_be_bytes()[0].max(1))
    }

    /// The share of two in a row, in the same manner.
    pub(super) fn squared(self) -> Option<u8> {
        let of_255 = u16::from(self.known()?);
        u8::try_from(of_255.saturating_mul(of_255) / 255).ok().map(|both| both.max(1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_follows_what_happens_and_is_unknown_before() {
        let mut share = Share::default();
        assert_eq!((share.known(), share.squared()), (None, None));
        share.hit();
        assert_eq!((share.known(), share.squared()), (Some(255), Some(255)));
        (0..200).for_each(|n| if n % 2 == 0 { share.hit() } else { share.miss() });
        let (one, two) = (share.known().unwrap(), share.squared().unwrap());
        assert!((110..145).contains(&one) && (48..83).contains(&two), "{one} {two}");
        (0..400).for_each(|_| share.miss());
        assert_eq!((share.known(), share.squared()), (Some(1), Some(1)));
        (0..400).for_each(|_| share.hit());
        assert_eq!(share.known(), Some(255));
    }
}
