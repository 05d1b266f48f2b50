//! Builders: world files of the usual kinds, drawn from a seed and a few numbers. What they draw is all in the file: it can be read, and
//! changed by hand. Spec: spec/simulation.md#builders.

mod people;
mod places;

use nexus_machine::{Seed, Stream};

use crate::swarm;
use crate::worldfile::{
    Air, Cable, Channel, Driven, Expect, FORMAT, Judged, Network, NetworkKind, Node, Propagation, Radio,
    RegionName, Shadowing, Speaks, WorldFile, Written,
};
use places::Place;

/// Kinds of worlds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// Nodes in a row.
    Line,
    /// Two ends, and the others side by side between them.
    Diamond,
    /// Rows and columns.
    Grid,
    /// Nodes anywhere in a square.
    Geometric,
    /// Houses around a green, and some along two roads; those at the green share a wireless network.
    Village,
    /// Islands out of each other's reach, each with a gateway; gateways are joined over the Internet.
    Town,
    /// Two such islands, and somebody who drives from one to the other and back.
    Mobile,
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 7] =
        [Self::Line, Self::Diamond, Self::Grid, Self::Geometric, Self::Village, Self::Town, Self::Mobile];

    /// What it is called.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Line => "line",
            Self::Diamond => "diamond",
            Self::Grid => "grid",
            Self::Geometric => "geometric",
            Self::Village => "village",
            Self::Town => "town",
            Self::Mobile => "mobile",
        }
    }
}

/// What a world is to be like.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Order {
    /// Its kind.
    pub kind: Kind,
    /// How many nodes; raised to what the kind needs.
    pub nodes: u32,
    /// The number of the seed.
    pub seed: u64,
    /// About how far neighbours are apart, in metres.
    pub spacing_m: i32,
    /// How radios are tuned.
    pub tuning: Tuning,
    /// What drives them.
    pub driven: Driven,
    /// What they give their antennas.
    pub power_dbm: u8,
    /// Of the nodes, so many percent have a radio. Gateways always have one.
    pub radio_percent: u8,
    /// Of the pairs of places side by side, so many percent have a cable.
    pub cable_percent: u8,
    /// How long the world lasts.
    pub duration_s: u64,
    /// What its people do.
    pub life: Life,
}

/// How radios are tuned.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Tuning {
    /// Whose rules hold.
    pub region: RegionName,
    /// The carrier.
    pub frequency_hz: u32,
    /// Its width.
    pub bandwidth_hz: u32,
    /// 5 to 12.
    pub spreading_factor: u8,
    /// In hundredths of a percent.
    pub duty_hundredths: u16,
}

impl Tuning {
    /// The middle of Europe's loudest sub-band, a tenth of the time: SF7, 125 kHz.
    pub const EUROPE: Self = Self {
        region: RegionName::Eu868,
        frequency_hz: 869_525_000,
        bandwidth_hz: 125_000,
        spreading_factor: 7,
        duty_hundredths: 1_000,
    };
    /// America's widest channel, on which nobody hops: SF7, 500 kHz.
    pub const AMERICA: Self = Self {
        region: RegionName::Us915,
        frequency_hz: 914_900_000,
        bandwidth_hz: 500_000,
        spreading_factor: 7,
        duty_hundredths: 10_000,
    };
}

/// What people of a world do.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Life {
    /// Nothing: nodes are by themselves.
    Idle,
    /// Messages and telemetry; speech and volumes where a cable is.
    Usual,
    /// More than radios carry: 720 messages and 360 readings of each node in an hour.
    Saturated,
}

/// Builds a world.
#[must_use]
pub fn build(order: &Order) -> WorldFile {
    let seed = swarm::seed(order.seed).fork_seed("builder");
    let places = places::places(order, &mut seed.fork("places"));
    let mut file = WorldFile {
        format: FORMAT,
        name: format!("{} of {}, seed {}", order.kind.name(), places.len(), order.seed),
        seed: order.seed,
        duration_s: order.duration_s,
        start_within_ms: 60_000,
        expect: written(Expect {
            judges: Judged::Safety,
            all_reached_within_s: None,
            delivered_percent: None,
        }),
        air: written(Air {
            propagation: Propagation::LogDistance,
            shadowing: Shadowing::Measured,
            base_height_cm: None,
            mobile_height_cm: None,
        }),
        nodes: places.iter().map(|place| written(place.node.clone())).collect(),
        channels: Vec::new(),
        radios: Vec::new(),
        cables: Vec::new(),
        networks: Vec::new(),
        prices: Vec::new(),
        messages: Vec::new(),
        telemetry: Vec::new(),
        voice: Vec::new(),
        bulk: Vec::new(),
        disturbances: Vec::new(),
        cuts: Vec::new(),
        crashes: Vec::new(),
        outages: Vec::new(),
        partitions: Vec::new(),
    };
    radios(order, &places, &seed, &mut file);
    cables(order, &places, &mut seed.fork("cables"), &mut file);
    green(&places, &mut file);
    people::settle(order, &mut file);
    file
}

/// A table that stands nowhere yet.
pub(crate) fn written<T>(value: T) -> Written<T> {
    Written::new(0..0, value)
}

fn radios(order: &Order, places: &[Place], seed: &Seed, file: &mut WorldFile) {
    let mut random = seed.fork("radios");
    let has_radio = |place: &&Place| {
        let drawn = random.chance(order.radio_percent.into(), 100);
        drawn || place.is_gateway()
    };
    let radio = |place: &Place| {
        let (node, channel) = (place.node.name.clone(), CHANNEL.to_owned());
        written(Radio { node, channel, power_dbm: order.power_dbm, gain_dbi: 2 })
    };
    file.radios = places.iter().filter(has_radio).map(radio).collect();
    if file.radios.is_empty() {
        return;
    }
    let Tuning { region, frequency_hz, bandwidth_hz, spreading_factor, duty_hundredths } = order.tuning;
    file.channels.push(written(Channel {
        name: CHANNEL.to_owned(),
        region,
        frequency_hz,
        bandwidth_hz,
        spreading_factor,
        coding_rate: 5,
        duty_hundredths,
        radios: order.driven,
        speaks: Speaks::Links,
    }));
}

/// What the channel of all radios is called.
const CHANNEL: &str = "lora";

/// Cables between places side by side; and from the first gateway to each other one, faster towards it than back.
fn cables(order: &Order, places: &[Place], random: &mut Stream, file: &mut WorldFile) {
    let names = |one: usize, other: usize| [places[one].node.name.clone(), places[other].node.name.clone()];
    for (one, other) in places::side_by_side(places) {
        if random.chance(order.cable_percent.into(), 100) {
            let between = names(one, other);
            file.cables.push(written(Cable {
                name: format!("{}-{}", between[0], between[1]),
                between,
                rate_bps: [10_000_000, 10_000_000],
                delay_us: 1_000,
                jitter_us: 0,
                queue_bytes: None,
                loss_ppm: 0,
                speaks: Speaks::Links,
            }));
        }
    }
    let mut gateways = (0..places.len()).filter(|place| places[*place].is_gateway());
    let Some(first) = gateways.next() else { return };
    for gateway in gateways {
        let between = names(first, gateway);
        file.cables.push(written(Cable {
            name: format!("{}-{}", between[0], between[1]),
            between,
            // What a household buys: ten up, fifty down.
            rate_bps: [50_000_000, 10_000_000],
            delay_us: 12_000,
            jitter_us: 3_000,
            queue_bytes: Some(65_536),
            loss_ppm: 500,
            speaks: Speaks::Links,
        }));
    }
}

/// The wireless network of those at the green, if there are two.
fn green(places: &[Place], file: &mut WorldFile) {
    let nodes: Vec<String> =
        places.iter().filter(|place| place.is_at_the_green()).map(|place| place.node.name.clone()).collect();
    if nodes.len() > 1 {
        file.networks.push(written(Network {
            name: "green".to_owned(),
            kind: NetworkKind::Wireless,
            nodes,
            rate_bps: 54_000_000,
            delay_us: 100,
            jitter_us: 2_000,
            queue_bytes: Some(131_072),
            loss_ppm: 1_000,
            efficiency_percent: Some(55),
            range_m: Some(100),
            speaks: Speaks::Links,
        }));
    }
}

#[cfg(test)]
mod tests;
