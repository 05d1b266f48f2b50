//! What is said of a radio below the table of interfaces.

use nexus_daemon::api::{Radio, RadioChannel, RadioLoad};

use super::counts;

/// The lines of one radio: its channel, what it measures, what was counted.
pub(super) fn lines(name: &str, radio: &Radio) -> Vec<String> {
    let mut lines = Vec::new();
    let firmware = radio.firmware.as_ref().map(|version| format!("firmware {version}"));
    let facts = [radio.channel.as_ref().map(channel), firmware].into_iter().flatten();
    lines.push(joined(facts));
    let rssi = radio.rssi_dbm.zip(radio.rssi_average_dbm);
    let snr = radio.snr_quarter_db.zip(radio.snr_average_quarter_db);
    let signal = [
        rssi.map(|(last, average)| format!("RSSI {last} dBm (average {average})")),
        snr.map(|(last, average)| format!("SNR {} dB (average {})", quarters(last), quarters(average))),
        radio.noise_floor_dbm.map(|noise| format!("noise {noise} dBm")),
    ];
    lines.push(joined(signal.into_iter().flatten()));
    let modem = [
        radio.load.map(load),
        radio.battery_percent.map(|percent| format!("battery {percent} %")),
        radio.temperature_celsius.map(|degrees| format!("{degrees} °C")),
    ];
    lines.push(joined(modem.into_iter().flatten()));
    lines.push(counts(&radio.counters));
    lines.retain(|line| !line.is_empty());
    lines.iter().map(|line| format!("{name}: {line}")).collect()
}

fn joined(facts: impl Iterator<Item = String>) -> String {
    facts.collect::<Vec<_>>().join(", ")
}

fn channel(channel: &RadioChannel) -> String {
    format!(
        "{}.{:03} MHz, {} kHz, SF{}, 4/{}, {} dBm, {} of an hour",
        channel.frequency_hz / 1_000_000,
        channel.frequency_hz % 1_000_000 / 1_000,
        channel.bandwidth_hz / 1_000,
        channel.spreading_factor,
        channel.coding_rate,
        channel.tx_power_dbm,
        percent(channel.duty_cycle_bp)
    )
}

fn load(load: RadioLoad) -> String {
    format!(
        "airtime {} (long {}), channel in use {} (long {})",
        percent(load.airtime_short_bp),
        percent(load.airtime_long_bp),
        percent(load.channel_short_bp),
        percent(load.channel_long_bp)
    )
}

/// Hundredths of a percent.
fn percent(share: u16) -> String {
    match (share % 100, share % 10) {
        (0, _) => format!("{} %", share / 100),
        (tenths, 0) => format!("{}.{} %", share / 100, tenths / 10),
        (hundredths, _) => format!("{}.{hundredths:02} %", share / 100),
    }
}

/// Quarters of a decibel.
fn quarters(value: i16) -> String {
    let sign = if value < 0 { "-" } else { "" };
    format!("{sign}{}.{:02}", value.unsigned_abs() / 4, value.unsigned_abs() % 4 * 25)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_known_of_a_radio_is_told() {
        let channel = RadioChannel {
            frequency_hz: 869_525_000,
            bandwidth_hz: 250_000,
            spreading_factor: 7,
            coding_rate: 5,
            tx_power_dbm: 14,
            duty_cycle_bp: 1_000,
        };
        let load = RadioLoad {
            airtime_short_bp: 150,
            airtime_long_bp: 5,
            channel_short_bp: 910,
            channel_long_bp: 10_000,
        };
        let radio = Radio {
            state: "on".to_owned(),
            firmware: Some("1.78".to_owned()),
            channel: Some(channel),
            rssi_dbm: Some(-97),
            rssi_average_dbm: Some(-101),
            snr_quarter_db: Some(-3),
            snr_average_quarter_db: Some(25),
            load: Some(load),
            noise_floor_dbm: Some(-107),
            battery_percent: Some(81),
            temperature_celsius: Some(31),
            counters: [("sent".to_owned(), 4)].into(),
        };
        let told = lines("radio0", &radio);
        assert_eq!(
            told,
            [
                "radio0: 869.525 MHz, 250 kHz, SF7, 4/5, 14 dBm, 10 % of an hour, firmware 1.78",
                "radio0: RSSI -97 dBm (average -101), SNR -0.75 dB (average 6.25), noise -107 dBm",
                "radio0: airtime 1.5 % (long 0.05 %), channel in use 9.1 % (long 100 %), battery 81 %, 31 °C",
                "radio0: 4 sent",
            ]
        );
    }
}
