//! What can be seen of a radio.

use nexus_network::rnode::{Condition, Smoothed};
use nexus_wire::reticulum::rnode::Temperature;

use super::occurred;
use crate::api::{Radio, RadioChannel, RadioLoad};
use crate::driver;

pub(super) fn seen(radio: &driver::Radio) -> Radio {
    let statistics = &radio.statistics;
    let counters = &statistics.counters;
    Radio {
        state: state(radio.condition).to_owned(),
        firmware: radio.device.map(|device| format!("{}.{}", device.firmware.major, device.firmware.minor)),
        channel: radio.channel.map(|channel| RadioChannel {
            frequency_hz: channel.frequency_hz(),
            bandwidth_hz: channel.modulation().bandwidth_hz(),
            spreading_factor: channel.modulation().spreading_factor(),
            coding_rate: channel.modulation().coding_rate(),
            tx_power_dbm: channel.tx_power_dbm(),
            duty_cycle_bp: channel.duty().hundredths_of_a_percent(),
        }),
        rssi_dbm: statistics.rssi_dbm.map(|rssi| rssi.last),
        rssi_average_dbm: statistics.rssi_dbm.as_ref().map(Smoothed::average),
        snr_quarter_db: statistics.snr_quarter_db.map(|snr| snr.last),
        snr_average_quarter_db: statistics.snr_quarter_db.as_ref().map(Smoothed::average),
        load: statistics.channel.map(|channel| RadioLoad {
            airtime_short_bp: channel.airtime_short.0,
            airtime_long_bp: channel.airtime_long.0,
            channel_short_bp: channel.load_short.0,
            channel_long_bp: channel.load_long.0,
        }),
        noise_floor_dbm: statistics
            .channel
            .and_then(|channel| channel.sound)
            .map(|sound| sound.noise_floor.dbm()),
        battery_percent: statistics.battery.map(|battery| battery.percent),
        temperature_celsius: statistics.temperature.map(Temperature::celsius),
        counters: occurred([
            ("received", counters.received),
            ("sent", counters.sent),
            ("lost", counters.lost),
            ("queue_full", counters.queue_full),
            ("tx_failed", counters.tx_failed),
            ("errors", counters.errors),
            ("unready", counters.unready),
            ("restarts", counters.restarts),
            ("malformed", counters.malformed),
        ]),
    }
}

const fn state(condition: Condition) -> &'static str {
    match condition {
        Condition::Unplugged => "unplugged",
        Condition::Detecting => "detecting",
        Condition::NoChannel => "no_channel",
        Condition::SettingUp => "setting_up",
        Condition::On => "on",
        Condition::Restarted => "restarted",
        Condition::Faulty(_) => "faulty",
    }
}
