//! Money that rests and money on its way.
//!
//! Prices are whole µNXS for 1,024 bytes, so the price of one packet is seldom whole. What is on its way is therefore counted
//! in grains, 1,024 to the µNXS: a packet costs price × bytes of them, exactly, and nothing is lost to rounding however small
//! packets are. Arithmetic is checked: what does not fit is refused, never wrapped or clamped.
//!
//! Spec: `spec/economy.md#money`.

use core::fmt;

use nexus_wire::nexus::code::PriceCode;

/// How many grains are one µNXS: as many as the bytes that a price is for.
pub const GRAINS_PER_MICRO: u64 = 1_024;

/// Money at rest, in µNXS: balances, deposits, rewards.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Debug)]
pub struct Amount(u64);

impl Amount {
    /// Nothing.
    pub const ZERO: Self = Self(0);

    /// So many µNXS.
    #[must_use]
    pub const fn from_micros(micros: u64) -> Self {
        Self(micros)
    }

    /// In µNXS.
    #[must_use]
    pub const fn micros(self) -> u64 {
        self.0
    }

    /// Both together, unless that is more than an amount holds.
    #[must_use]
    pub fn checked_add(self, other: Self) -> Option<Self> {
        self.0.checked_add(other.0).map(Self)
    }

    /// What is left without `other`, unless that is more.
    #[must_use]
    pub fn checked_sub(self, other: Self) -> Option<Self> {
        self.0.checked_sub(other.0).map(Self)
    }

    /// The same in grains, unless that is more than grains are counted in.
    #[must_use]
    pub fn grains(self) -> Option<Grains> {
        self.0.checked_mul(GRAINS_PER_MICRO).map(Grains)
    }
}

impl fmt::Display for Amount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} µNXS", self.0)
    }
}

/// Money on its way, in grains of 1/1,024 µNXS: what was relayed and is not settled yet.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Debug)]
pub struct Grains(u64);

impl Grains {
    /// Nothing.
    pub const ZERO: Self = Self(0);

    /// So many grains.
    #[must_use]
    pub const fn new(grains: u64) -> Self {
        Self(grains)
    }

    /// How many.
    #[must_use]
    pub const fn get(self) -> u64 {
        self.0
    }

    /// What a packet of `bytes` costs at `price`, unless that is more than grains are counted in.
    #[must_use]
    pub fn of_packet(price: PriceCode, bytes: u32) -> Option<Self> {
        price.price().checked_mul(u64::from(bytes)).map(Self)
    }

    /// Both together, unless that is more than grains are counted in.
    #[must_use]
    pub fn checked_add(self, other: Self) -> Option<Self> {
        self.0.checked_add(other.0).map(Self)
    }

    /// What is left without `other`, unless that is more.
    #[must_use]
    pub fn checked_sub(self, other: Self) -> Option<Self> {
        self.0.checked_sub(other.0).map(Self)
    }
}

impl fmt::Display for Grains {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} grains", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_packets_cost_as_much_together_as_one_that_carries_the_same() {
        let price = PriceCode::nearest(5);
        let whole = Grains::of_packet(price, 1_024).expect("fits");
        let sum = (0..128).try_fold(Grains::ZERO, |sum, _| sum.checked_add(Grains::of_packet(price, 8)?));
        assert_eq!(sum, Some(whole));
        assert_eq!(Some(whole), Amount::from_micros(price.price()).grains());
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        let dearest = PriceCode::nearest(u64::MAX);
        assert_eq!(Grains::of_packet(dearest, 2), None);
        assert_eq!(Grains::new(u64::MAX).checked_add(Grains::new(1)), None);
        assert_eq!(Grains::ZERO.checked_sub(Grains::new(1)), None);
        assert_eq!(Amount::from_micros(u64::MAX).checked_add(Amount::from_micros(1)), None);
        assert_eq!(Amount::from_micros(u64::MAX).grains(), None);
        assert_eq!(Amount::ZERO.checked_sub(Amount::from_micros(1)), None);
    }
}
