//! What a modem tells of its channel. The layouts were measured: messages of known bytes were shown to the stock package, which
//! told what it read in them. Source: spec/air.md#statistics.

use nexus_machine::Duration;
use nexus_network::lora::Modulation;
use nexus_wire::reticulum::rnode::{AirtimeLimit, Rssi};

use super::access::{interframe, slot};
use super::usage::Shares;
use crate::propagation::{NOISE_FIGURE, noise};

/// The byte that stands for no interference.
const NO_INTERFERENCE: u8 = 0xff;

/// Command 25: shares of time, and how loud the channel is.
pub(super) fn channel(shares: Shares, strongest_dbm: Option<i16>, modulation: Modulation) -> [u8; 11] {
    let floor_dbm = noise_floor_dbm(modulation);
    let loudness = Rssi::from_dbm(strongest_dbm.unwrap_or(floor_dbm));
    let mut data = [0; 11];
    let mut fields = data.chunks_exact_mut(2);
    for AirtimeLimit(share) in shares.airtime.into_iter().chain(shares.load) {
        fields.next().expect("five fields for four shares").copy_from_slice(&share.to_be_bytes());
    }
    data[8..].copy_from_slice(&[loudness.0, Rssi::from_dbm(floor_dbm).0, NO_INTERFERENCE]);
    data
}

/// Command 26: symbol time in microseconds, symbols a second, symbols of the preamble, and in milliseconds the preamble, a slot and
/// the wait before the contention.
pub(super) fn parameters(modulation: Modulation) -> [u8; 12] {
    let symbol = modulation.symbol();
    let rate = 1_000_000_u64.checked_div(symbol.as_micros()).unwrap_or(0);
    let symbols = modulation.preamble().as_micros().checked_div(symbol.as_micros()).unwrap_or(0);
    let millis = |span: Duration| span.as_millis();
    let fields = [
        symbol.as_micros(),
        rate,
        symbols,
        millis(modulation.preamble()),
        millis(slot(modulation)),
        millis(interframe(modulation)),
    ];
    let mut data = [0; 12];
    for (bytes, field) in data.chunks_exact_mut(2).zip(fields) {
        bytes.copy_from_slice(&u16::try_from(field).unwrap_or(u16::MAX).to_be_bytes());
    }
    data
}

fn noise_floor_dbm(modulation: Modulation) -> i16 {
    let decibels = noise(modulation.bandwidth_hz(), NOISE_FIGURE).0.saturating_add(50).div_euclid(100);
    i16::try_from(decibels).unwrap_or(i16::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn modulation(bandwidth_hz: u32, spreading_factor: u8) -> Modulation {
        Modulation::new(bandwidth_hz, spreading_factor, 5).unwrap()
    }

    #[test]
    fn the_noise_floor_is_that_of_the_bandwidth() {
        assert_eq!(noise_floor_dbm(modulation(125_000, 8)), -117, "-117.03");
        assert_eq!(noise_floor_dbm(modulation(500_000, 8)), -111, "-111.01");
        assert_eq!(noise_floor_dbm(modulation(7_800, 8)), -129, "-129.08");
    }

    #[test]
    fn parameters_are_those_of_the_channel() {
        // Symbols of 2.048 ms, 488 a second, 18 + 4.25 of them before the header, slots of 24.6 ms.
        let expected = [2_048_u16, 488, 22, 45, 24, 49];
        assert_eq!(parameters(modulation(125_000, 8)), *expected.map(u16::to_be_bytes).as_flattened());
    }

    #[test]
    fn shares_come_first_and_loudness_behind_them() {
        let shares = Shares {
            airtime: [AirtimeLimit(1), AirtimeLimit(2)],
            load: [AirtimeLimit(3), AirtimeLimit(0x0405)],
        };
        let said = channel(shares, Some(-57), modulation(125_000, 8));
        assert_eq!(said, [0, 1, 0, 2, 0, 3, 4, 5, 100, 40, 0xff]);
        assert_eq!(channel(shares, None, modulation(125_000, 8))[8], 40);
    }
}
