//! The bytes of an input as a sequence of choices. Whatever they are, they mean something, and they end.

use nexus_machine::Duration;

/// A script that is being read.
#[derive(Clone, Debug)]
pub(super) struct Script<'a> {
    rest: &'a [u8],
    steps: u32,
}

impl<'a> Script<'a> {
    /// No script has more steps.
    const STEPS: u32 = 512;

    pub(super) const fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes, steps: 0 }
    }

    /// The byte that says what the next step is; none at the end.
    pub(super) fn step(&mut self) -> Option<u8> {
        self.steps += 1;
        if self.steps > Self::STEPS || self.rest.is_empty() {
            return None;
        }
        Some(self.byte())
    }

    /// A choice. A script that ends in the middle of a step chooses zero.
    pub(super) fn byte(&mut self) -> u8 {
        let (first, rest) = self.rest.split_first().unwrap_or((&0, &[]));
        self.rest = rest;
        *first
    }

    /// One of `n`, from 0.
    pub(super) fn below(&mut self, n: usize) -> usize {
        usize::from(self.byte()) % n.max(1)
    }

    /// A place in something whose length a byte cannot count.
    pub(super) fn wide_below(&mut self, n: usize) -> usize {
        let wide = u16::from_le_bytes([self.byte(), self.byte()]);
        usize::from(wide) % n.max(1)
    }

    /// As many bytes as the next one says, or as there are.
    pub(super) fn bytes(&mut self) -> &'a [u8] {
        let wanted = usize::from(self.byte());
        let (taken, rest) = self.rest.split_at(wanted.min(self.rest.len()));
        self.rest = rest;
        taken
    }

    /// From a microsecond to a month: four bits count, four say in which unit.
    pub(super) fn span(&mut self) -> Duration {
        let byte = self.byte();
        Duration::from_micros((1 + u64::from(byte & 15)) << (u64::from(byte >> 4) * 5 / 2))
    }
}

/// A script that is being written, of these kinds of steps: for seeds.
#[derive(Clone, Debug)]
pub(super) struct Writing<A: 'static> {
    pub(super) bytes: Vec<u8>,
    acts: &'static [A],
}

impl<A: Copy + PartialEq> Writing<A> {
    pub(super) fn begin(first: u8, acts: &'static [A]) -> Self {
        Self { bytes: vec![first], acts }
    }

    /// One more step, with what it reads.
    pub(super) fn then(mut self, act: A, choices: &[u8]) -> Self {
        let number = self.acts.iter().position(|other| *other == act).expect("every act has a number");
        self.bytes.push(u8::try_from(number).expect("a few acts"));
        self.bytes.extend_from_slice(choices);
        self
    }
}

/// The byte that [`Script::span`] reads as at least `at_least`, for seeds.
pub(super) fn span_of(at_least: Duration) -> u8 {
    let reads = |byte: &u8| Script::new(&[*byte]).span() >= at_least;
    (0..=u8::MAX).filter(reads).min_by_key(|byte| Script::new(&[*byte]).span()).unwrap_or(u8::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_script_that_is_over_still_answers() {
        let mut script = Script::new(&[5, 1]);
        assert_eq!(script.step(), Some(5));
        assert_eq!(script.bytes(), [0_u8; 0]);
        assert_eq!((script.byte(), script.below(0), script.span()), (0, 0, Duration::from_micros(1)));
        assert_eq!(script.step(), None);
    }

    #[test]
    fn no_script_is_endless() {
        let long = vec![0; 4_096];
        let mut script = Script::new(&long);
        assert_eq!(std::iter::from_fn(|| script.step()).count(), 512);
    }

    #[test]
    fn spans_reach_from_a_microsecond_to_weeks() {
        for span in [1, 1_000, 1_000_000, 3_600_000_000, 604_800_000_000].map(Duration::from_micros) {
            let read = Script::new(&[span_of(span)]).span();
            assert!(read >= span && read <= span.times(2), "{span:?} {read:?}");
        }
    }
}
