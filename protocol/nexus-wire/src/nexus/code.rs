//! Prices and bandwidths as logarithmic codes, in integers only and exact to the nearest code for every u64.
//!
//! A code stands for `round(2^(code/16))` (prices, less one) or `round(2^(code/8))` (bandwidths). To encode, the value is
//! normalised to a 1.63 fixed-point mantissa and compared with the sixteen points half way between codes; these are
//! irrational, so there are no ties, and the comparison with their ceilings is exact. To decode, a 1.127 fixed-point
//! power is shifted and rounded; `tests/nexus_path_cost.rs` proves with big integers that no code comes near a half.
//! No division, no floating point: the same result on every target. Source: spec/wire.md#path-cost.

use core::cmp::Ordering;
use core::fmt;
use core::num::NonZero;

/// `ceil(2^63 × 2^((2k+1)/32))`: a mantissa of at least the k-th lies nearer to code k + 1 than to code k.
const HALFWAY: [u64; 16] = [
    0x82cd_8698_ac2b_a1d8,
    0x8898_0e80_92da_8528,
    0x8ea4_398b_45cd_53c1,
    0x94f4_efa8_fef7_0962,
    0x9b8d_39b9_d54e_5539,
    0xa270_4303_0c49_6819,
    0xa9a1_5ab4_ea7c_0ef9,
    0xb123_f581_d2ac_2590,
    0xb8fb_af47_62fb_9eea,
    0xc12c_4cca_6670_9457,
    0xc9b9_bd86_6e2f_27a3,
    0xd2a8_1d91_f12a_e45b,
    0xdbfb_b797_daf2_3756,
    0xe5b9_06e7_7c83_48a9,
    0xefe4_b99b_dcda_f5cc,
    0xfa83_b2db_722a_033b,
];

/// `floor(2^127 × 2^(k/16))`: the powers themselves.
const POWERS: [u128; 16] = [
    0x8000_0000_0000_0000_0000_0000_0000_0000,
    0x85aa_c367_cc48_7b14_c5c9_5b8c_2154_c1b2,
    0x8b95_c1e3_ea8b_d6e6_fbe4_6287_58a5_3c90,
    0x91c3_d373_ab11_c336_0fd6_d8e0_ae5a_c9d8,
    0x9837_f051_8db8_a96f_46ad_2318_2e42_f6f6,
    0x9ef5_3260_91a1_11ad_a091_1f09_ebb9_fdd1,
    0xa5fe_d6a9_b151_38ea_1cbd_7f62_1710_701b,
    0xad58_3eea_42a1_4ac6_4980_a8c8_f59a_2ec4,
    0xb504_f333_f9de_6484_597d_89b3_754a_be9f,
    0xbd08_a39f_580c_36be_a881_1fb6_6d0f_af7a,
    0xc567_2a11_5506_dadd_3e2a_d0c9_64dd_9f37,
    0xce24_8c15_1f84_80e3_e235_838f_95f2_c6ed,
    0xd744_fcca_d69d_6af4_39a6_8bb9_902d_3fde,
    0xe0cc_deec_2a94_e111_0658_9504_8dd3_33ca,
    0xeac0_c6e7_dd24_392e_d02d_75b3_706e_54fa,
    0xf525_7d15_2486_cc2c_7b9d_0c7a_ed98_0fc3,
];

/// `ceil(2^63 × 2^((2k+1)/16))`: the same half-way points for codes of an eighth of an octave. They are the odd
/// [`POWERS`] at 1.63, rounded up (irrational, so always by one).
const HALFWAY_EIGHTHS: [u64; 8] = [
    0x85aa_c367_cc48_7b15,
    0x91c3_d373_ab11_c337,
    0x9ef5_3260_91a1_11ae,
    0xad58_3eea_42a1_4ac7,
    0xbd08_a39f_580c_36bf,
    0xce24_8c15_1f84_80e4,
    0xe0cc_deec_2a94_e112,
    0xf525_7d15_2486_cc2d,
];

/// Bit c is set if some price below 2^8 encodes to code c: low prices lie further apart than codes do. From 67 on,
/// every code has a price.
const VALID_BELOW_128: u128 = 0xffff_ffff_ffff_fffb_aaa9_2221_0201_0001;

/// `n` as (exponent, 1.63 fixed-point mantissa): `n = mantissa / 2^63 × 2^exponent`.
const fn normalised(n: NonZero<u64>) -> (u32, u64) {
    (n.ilog2(), n.get().wrapping_shl(n.leading_zeros()))
}

/// How many of `points` lie at or below `mantissa`.
fn passed(points: &[u64], mantissa: u64) -> u32 {
    points.iter().fold(0, |passed, point| u32::from(mantissa >= *point).wrapping_add(passed))
}

/// `round(2^(sixteenths/16))`, for at most 1,024 sixteenths.
fn power(sixteenths: u16) -> u128 {
    let fraction = POWERS.get(usize::from(sixteenths & 15)).copied().expect("below 16");
    let exponent = u32::from(sixteenths >> 4);
    // One bit more than the result, then rounded. The power is at most 2^64, so the sum cannot wrap.
    fraction.unbounded_shr(126_u32.saturating_sub(exponent)).wrapping_add(1) >> 1
}

/// A price in µNXS per 1,024 bytes, as 11 bits: `round(16 × log2(price + 1))`. Only codes that some u64 encodes to exist.
///
/// Orders as the prices do.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct PriceCode(u16);

impl PriceCode {
    /// Nothing is charged.
    pub const FREE: Self = Self(0);
    /// The highest price, `u64::MAX` µNXS per 1,024 bytes.
    pub const MAX: Self = Self(1024);

    /// The code with this number, if some price encodes to it.
    #[must_use]
    pub const fn new(code: u16) -> Option<Self> {
        let valid = if code < 128 { VALID_BELOW_128 >> code & 1 == 1 } else { code <= Self::MAX.0 };
        if valid { Some(Self(code)) } else { None }
    }

    /// The code nearest to `price` (µNXS per 1,024 bytes) on the logarithmic scale.
    #[must_use]
    pub fn nearest(price: u64) -> Self {
        let Some(n) = price.checked_add(1).and_then(NonZero::new) else { return Self::MAX };
        let (exponent, mantissa) = normalised(n);
        let code = exponent.wrapping_mul(16).wrapping_add(passed(&HALFWAY, mantissa));
        Self(u16::try_from(code).expect("63 octaves and 16 sixteenths are 1,024"))
    }

    /// The price it stands for, in µNXS per 1,024 bytes: `round(2^(code/16)) − 1`.
    #[must_use]
    pub fn price(self) -> u64 {
        u64::try_from(power(self.0).wrapping_sub(1)).expect("at least 1 and at most 2^64, less 1")
    }

    /// The next code down that exists.
    #[must_use]
    pub fn lower(self) -> Option<Self> {
        (0..self.0).rev().find_map(Self::new)
    }

    /// The next code up that exists.
    #[must_use]
    pub fn upper(self) -> Option<Self> {
        (self.0.saturating_add(1)..=Self::MAX.0).find_map(Self::new)
    }

    /// One of the two codes around `price`, chosen by `draw` so that over uniform draws the mean of the decoded result
    /// is `price` itself. A price that some code stands for exactly keeps that code and needs no draw: `draw` is
    /// called at most once.
    #[must_use]
    pub fn rounded_without_bias(price: u64, draw: impl FnOnce() -> u64) -> Self {
        let nearest = Self::nearest(price);
        let around = match nearest.price().cmp(&price) {
            Ordering::Less => nearest.upper().map(|upper| (nearest, upper)),
            Ordering::Equal => None,
            Ordering::Greater => nearest.lower().map(|lower| (lower, nearest)),
        };
        let Some((low, high)) = around else { return nearest };
        let above_low = u128::from(price.wrapping_sub(low.price()));
        let width = u128::from(high.price().wrapping_sub(low.price()));
        // Both factors are below 2^64, and so are both terms before they are multiplied.
        if u128::from(draw()).wrapping_mul(width) < above_low << 64 { high } else { low }
    }

    /// The number, 0 to 1,024.
    #[must_use]
    pub const fn get(self) -> u16 {
        self.0
    }
}

impl fmt::Debug for PriceCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PriceCode({} = {} µNXS/KiB)", self.0, self.price())
    }
}

/// A bandwidth in bits per second, as 8 bits: `round(8 × log2(bps))`, 0 unknown, 255 for 4 Gb/s and more.
///
/// Every byte is a code: bandwidths are only ever compared, and the codes 1 to 7, which no whole number of bits per
/// second encodes to, compare as well as any.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct BandwidthCode(pub u8);

impl BandwidthCode {
    /// Nobody has measured it.
    pub const UNKNOWN: Self = Self(0);
    /// 4 Gb/s and more.
    pub const MAX: Self = Self(255);

    /// The code nearest to `bps` on the logarithmic scale. 0 and 1 bit per second are [`BandwidthCode::UNKNOWN`].
    #[must_use]
    pub fn nearest(bps: u64) -> Self {
        let Some(bps) = NonZero::new(bps) else { return Self::UNKNOWN };
        let (exponent, mantissa) = normalised(bps);
        let code = exponent.wrapping_mul(8).wrapping_add(passed(&HALFWAY_EIGHTHS, mantissa));
        u8::try_from(code).map_or(Self::MAX, Self)
    }

    /// The bandwidth in bits per second, unless unknown.
    #[must_use]
    pub fn bps(self) -> Option<u64> {
        let sixteenths = u16::from(self.0) << 1;
        (self != Self::UNKNOWN).then(|| u64::try_from(power(sixteenths)).expect("below 2^32"))
    }

    /// The smaller of two bandwidths. What is unknown says nothing: the other one stands.
    #[must_use]
    pub fn narrower(self, other: Self) -> Self {
        match (self, other) {
            (Self::UNKNOWN, known) | (known, Self::UNKNOWN) => known,
            (Self(a), Self(b)) => Self(a.min(b)),
        }
    }
}

impl fmt::Debug for BandwidthCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.bps() {
            Some(bps) => write!(f, "BandwidthCode({} = {bps} bit/s)", self.0),
            None => f.write_str("BandwidthCode(unknown)"),
        }
    }
}
