//! The media of a file.

use nexus_air::propagation::{self, Hata, Millibels};
use nexus_machine::Duration;
use nexus_network::region::{self, Region, Wish};
use nexus_network::rnode::Settings;
use nexus_network::{Access, DutyCycle, Mode, Profile, Reach, Role, Timing};

use super::prepare::{Names, Wrong};
use super::written::{Driven, Propagation, RegionName, Shadowing, Speaks, WorldFile};
use super::{Cable, Channel, Network, NetworkKind, Radio, Written};
use crate::layout::{MediumPlan, RADIO_FRAME, RadioPlan, STREAM_FRAME, Terrain};
use crate::line::{Line, Rates, Sharing, Taking};
use crate::observation::NodeIndex;

/// A carrier for which every formula holds.
const ANY_HZ: u32 = 868_000_000;

/// Channels, then cables, then networks, each in their order in the file.
pub(super) fn media(file: &WorldFile, names: &Names) -> Result<Vec<MediumPlan>, Wrong> {
    for radio in &file.radios {
        let known = file.channels.iter().any(|channel| channel.get_ref().name == radio.get_ref().channel);
        if !known {
            let name = &radio.get_ref().channel;
            return Err(Wrong::new(radio, format_args!("there is no channel `{name}`")));
        }
    }
    // What is written of the air has to be right also where nobody uses it.
    propagation(file, ANY_HZ)?;
    let channels = file.channels.iter().map(|written| channel(file, names, written));
    let cables = file.cables.iter().map(|written| cable(names, written));
    let networks = file.networks.iter().map(|written| network(names, written));
    channels.chain(cables).chain(networks).collect()
}

fn channel(file: &WorldFile, names: &Names, written: &Written<Channel>) -> Result<MediumPlan, Wrong> {
    let channel = written.get_ref();
    let on = |radio: &&Written<Radio>| radio.get_ref().channel == channel.name;
    let mut radios = Vec::new();
    for radio in file.radios.iter().filter(on) {
        let node = names.node(radio, &radio.get_ref().node)?;
        radios.push((node, tuned(written, radio)?));
    }
    radios.sort_by_key(|(node, _)| *node);
    let nodes: Vec<NodeIndex> = radios.iter().map(|(node, _)| *node).collect();
    if nodes.is_empty() || nodes.windows(2).any(|pair| pair[0] == pair[1]) {
        return Err(Wrong::new(written, "a channel has radios, and one of each node at most"));
    }
    let radios: Vec<RadioPlan> = radios.into_iter().map(|(_, radio)| radio).collect();
    let tuned = radios[0].channel;
    let settings = Settings { mode: mode(channel.speaks), channel: Some(tuned) };
    let firmware =
        settings.profile().ok_or_else(|| Wrong::new(written, "a modem with this channel carries nothing"))?;
    let access = match channel.radios {
        Driven::Rnode => firmware.access,
        Driven::Transceiver => {
            Access::ListenBeforeTalk { slot: tuned.modulation().airtime(RADIO_FRAME.into()) }
        }
    };
    let profile = Profile { access, ..firmware };
    let terrain =
        Terrain { scenario: propagation(file, channel.frequency_hz)?, shadowing: shadowing(file), radios };
    Ok(MediumPlan {
        profile,
        modems: Some(tuned),
        terrain: Some(terrain),
        delay: Duration::ZERO,
        line: None,
        routes: nodes.iter().map(|node| names.route(*node)).collect(),
        nodes,
        prices: Vec::new(),
    })
}

/// A radio's channel, as its region permits it: what an antenna gains over a dipole counts as power.
fn tuned(channel: &Written<Channel>, radio: &Written<Radio>) -> Result<RadioPlan, Wrong> {
    /// Powers are permitted as a dipole radiates them, which gains 2.15 dBi: whole decibels beyond that count.
    const DIPOLE_DBI: i8 = 2;
    let (written, own) = (channel.get_ref(), radio.get_ref());
    let region = match written.region {
        RegionName::Eu868 => Region::Eu868,
        RegionName::Eu433 => Region::Eu433,
        RegionName::Us915 => Region::Us915,
        RegionName::Au915 => Region::Au915,
        RegionName::Custom => Region::Custom,
    };
    let duty = DutyCycle::new(written.duty_hundredths)
        .ok_or_else(|| Wrong::new(channel, "`duty_hundredths` is 1 to 10000, in hundredths of a percent"))?;
    let permitted = |tx_power_dbm: u8| {
        let wish = Wish {
            frequency_hz: Some(written.frequency_hz),
            bandwidth_hz: Some(written.bandwidth_hz),
            spreading_factor: Some(written.spreading_factor),
            coding_rate: Some(written.coding_rate),
            tx_power_dbm: Some(tx_power_dbm),
            duty,
        };
        region.channel(&wish).map_err(|refusal| Wrong::new(radio, refusal))
    };
    let beyond_dipole = u8::try_from(own.gain_dbi.saturating_sub(DIPOLE_DBI)).unwrap_or(0);
    permitted(own.power_dbm.saturating_add(beyond_dipole))?;
    let channel: region::Channel = permitted(own.power_dbm)?;
    Ok(RadioPlan { channel, gain: Millibels::decibels(own.gain_dbi.into()) })
}

fn propagation(file: &WorldFile, frequency_hz: u32) -> Result<propagation::Scenario, Wrong> {
    let air = file.air.get_ref();
    match (air.propagation, air.base_height_cm, air.mobile_height_cm) {
        (Propagation::LogDistance, None, None) => Ok(propagation::Scenario::LogDistance),
        (Propagation::HataSuburban, Some(base), Some(mobile)) => {
            Hata::new(frequency_hz, base, mobile).map(propagation::Scenario::HataSuburban).ok_or_else(|| {
                Wrong::new(&file.air, "Hata's formula holds for 150 to 1,500 MHz, 30 to 200 m and 1 to 10 m")
            })
        }
        (Propagation::LogDistance | Propagation::HataSuburban, _, _) => Err(Wrong::new(
            &file.air,
            "`base_height_cm` and `mobile_height_cm` are both for `hata-suburban`, and only for it",
        )),
    }
}

fn shadowing(file: &WorldFile) -> propagation::Shadowing {
    match file.air.get_ref().shadowing {
        Shadowing::None => propagation::Shadowing::NONE,
        Shadowing::Measured => propagation::Shadowing::MEASURED,
    }
}

fn cable(names: &Names, written: &Written<Cable>) -> Result<MediumPlan, Wrong> {
    let cable = written.get_ref();
    let [one, other] = &cable.between;
    let nodes = vec![names.node(written, one)?, names.node(written, other)?];
    if nodes[0] == nodes[1] {
        return Err(Wrong::new(written, "a cable has two ends"));
    }
    let line = Line {
        rates: Rates::Each(cable.rate_bps.to_vec()),
        sharing: Sharing::Apart,
        taking: taking(cable.queue_bytes),
        jitter: Duration::from_micros(cable.jitter_us),
        loss_ppm: cable.loss_ppm,
        range_m: None,
    };
    plan(names, written, nodes, line, Reach::PointToPoint, (cable.speaks, cable.delay_us))
}

fn network(names: &Names, written: &Written<Network>) -> Result<MediumPlan, Wrong> {
    let network = written.get_ref();
    let nodes = names.nodes(written, &network.nodes)?;
    let (sharing, range_m) = match (network.kind, network.efficiency_percent, network.range_m) {
        (NetworkKind::Switched, None, None) => (Sharing::Apart, None),
        (NetworkKind::Wireless, Some(efficiency_percent @ 1..=100), Some(range)) => {
            (Sharing::OneAtATime { efficiency_percent }, Some(range))
        }
        (NetworkKind::Switched | NetworkKind::Wireless, _, _) => {
            let sentence = "a wireless network has `efficiency_percent` (1 to 100) and `range_m`, a switched one neither";
            return Err(Wrong::new(written, sentence));
        }
    };
    let line = Line {
        rates: Rates::Alike(network.rate_bps),
        sharing,
        taking: taking(network.queue_bytes),
        jitter: Duration::from_micros(network.jitter_us),
        loss_ppm: network.loss_ppm,
        range_m,
    };
    // Links know their neighbours by address; open packets are for everybody.
    let reach = match network.speaks {
        Speaks::Links => Reach::Addressed,
        Speaks::Open => Reach::Shared,
    };
    plan(names, written, nodes, line, reach, (network.speaks, network.delay_us))
}

fn plan(
    names: &Names,
    at: &Written<impl Sized>,
    nodes: Vec<NodeIndex>,
    line: Line,
    reach: Reach,
    (speaks, delay_us): (Speaks, u64),
) -> Result<MediumPlan, Wrong> {
    if (0..nodes.len()).any(|port| line.rate_bps(port) == 0) || line.loss_ppm > 1_000_000 {
        return Err(Wrong::new(
            at,
            "a rate is 1 bit per second at least, and a loss at most 1000000 parts per million",
        ));
    }
    let profile = Profile {
        mode: mode(speaks),
        reach,
        access: Access::Direct,
        bandwidth_bps: line.rate_bps(0),
        frame_size: STREAM_FRAME,
        timing: Timing::Rate,
        duty: DutyCycle::UNLIMITED,
        sub_band: None,
        overhead: 0,
        price: 0,
        role: Role::Full,
        gravity: 0,
    };
    let routes = nodes.iter().map(|node| names.route(*node)).collect();
    let delay = Duration::from_micros(delay_us);
    let prices = Vec::new();
    Ok(MediumPlan { profile, modems: None, terrain: None, delay, line: Some(line), routes, nodes, prices })
}

const fn taking(queue_bytes: Option<u32>) -> Taking {
    match queue_bytes {
        None => Taking::WhenSent,
        Some(queue_bytes) => Taking::AtOnce { queue_bytes },
    }
}

const fn mode(speaks: Speaks) -> Mode {
    match speaks {
        Speaks::Links => Mode::Nexus,
        Speaks::Open => Mode::Reticulum,
    }
}
