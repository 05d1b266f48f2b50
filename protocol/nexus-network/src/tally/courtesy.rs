//! What a neighbour that cannot pay yet is carried for nothing. Source: spec/economy.md#trust.

use nexus_machine::{Duration, Instant};

/// How much, in bytes an hour, where carrying has a price.
pub const COURTESY: u64 = 64 * 1_024;
const HOUR: Duration = Duration::from_secs(3_600);

/// What one neighbour was carried for nothing of late.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Courtesy {
    /// Bytes of the allowance that are used, and when that was so.
    used: u64,
    at: Instant,
}

/// What is left of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Left {
    /// More than half: the packet is carried.
    Plenty,
    /// Less: the packet is carried, and it is time to speak of payment.
    Little,
    /// Nothing: the packet is not carried.
    Nothing,
}

impl Courtesy {
    pub(super) fn spend(&mut self, now: Instant, bytes: u64) -> Left {
        let elapsed = now.since(self.at).as_micros().min(HOUR.as_micros());
        let come = COURTESY.saturating_mul(elapsed).checked_div(HOUR.as_micros()).unwrap_or(0);
        if come > 0 {
            self.used = self.used.saturating_sub(come);
            self.at = now;
        }
        let used = self.used.saturating_add(bytes);
        if used > COURTESY {
            return Left::Nothing;
        }
        self.used = used;
        if used > COURTESY / 2 { Left::Little } else { Left::Plenty }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_cannot_pay_has_its_courtesy_and_no_more_in_an_hour() {
        let mut courtesy = Courtesy::default();
        let mut carried = |now, packets: u32| {
            (0..packets).map(|_| courtesy.spend(now, 1_024)).filter(|left| *left != Left::Nothing).count()
        };
        assert_eq!(carried(Instant::BOOT, 100), 64);
        let half_an_hour = Instant::BOOT.after(Duration::from_secs(1_800));
        assert_eq!(carried(half_an_hour, 100), 32);
    }

    #[test]
    fn payment_is_spoken_of_before_the_courtesy_ends() {
        let mut courtesy = Courtesy::default();
        let left: [Left; 66] = core::array::from_fn(|_| courtesy.spend(Instant::BOOT, 1_024));
        assert_eq!(left[31..34], [Left::Plenty, Left::Little, Left::Little]);
        assert_eq!(left[63..], [Left::Little, Left::Nothing, Left::Nothing]);
    }
}
