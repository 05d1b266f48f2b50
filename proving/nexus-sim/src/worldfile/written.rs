//! A world file as it is written.

use serde::{Deserialize, Serialize};
use toml::Spanned;

/// The version of the format.
pub const FORMAT: u32 = 1;

/// A table of the file, which knows where it stands in it.
pub type Written<T> = Spanned<T>;

/// The whole file.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WorldFile {
    /// [`FORMAT`].
    pub format: u32,
    /// What the world is called.
    pub name: String,
    /// The number of the seed, below 2⁶³: TOML has no larger numbers.
    pub seed: u64,
    /// How long the world lasts, in seconds.
    pub duration_s: u64,
    /// Nodes start at random within so many milliseconds.
    pub start_within_ms: u64,
    /// What must be true of a run.
    pub expect: Written<Expect>,
    /// What lies between radios.
    pub air: Written<Air>,
    /// The nodes.
    #[serde(rename = "node")]
    pub nodes: Vec<Written<Node>>,
    /// How radios can be tuned.
    #[serde(rename = "channel", default, skip_serializing_if = "Vec::is_empty")]
    pub channels: Vec<Written<Channel>>,
    /// The radios.
    #[serde(rename = "radio", default, skip_serializing_if = "Vec::is_empty")]
    pub radios: Vec<Written<Radio>>,
    /// Media of two nodes.
    #[serde(rename = "cable", default, skip_serializing_if = "Vec::is_empty")]
    pub cables: Vec<Written<Cable>>,
    /// Media of many nodes that are no radio channels of modems.
    #[serde(rename = "network", default, skip_serializing_if = "Vec::is_empty")]
    pub networks: Vec<Written<Network>>,
    /// What nodes ask for carrying packets; nothing where it is not said.
    #[serde(rename = "price", default, skip_serializing_if = "Vec::is_empty")]
    pub prices: Vec<Written<Price>>,
    /// Messages between people.
    #[serde(rename = "messages", default, skip_serializing_if = "Vec::is_empty")]
    pub messages: Vec<Written<Messages>>,
    /// Readings on their way to a sink.
    #[serde(rename = "telemetry", default, skip_serializing_if = "Vec::is_empty")]
    pub telemetry: Vec<Written<Telemetry>>,
    /// Speech.
    #[serde(rename = "voice", default, skip_serializing_if = "Vec::is_empty")]
    pub voice: Vec<Written<Voice>>,
    /// Volumes to be moved.
    #[serde(rename = "bulk", default, skip_serializing_if = "Vec::is_empty")]
    pub bulk: Vec<Written<Bulk>>,
    /// Media that lose and spoil frames.
    #[serde(rename = "disturb", default, skip_serializing_if = "Vec::is_empty")]
    pub disturbances: Vec<Written<Disturb>>,
    /// Directions that carry nothing.
    #[serde(rename = "cut", default, skip_serializing_if = "Vec::is_empty")]
    pub cuts: Vec<Written<Cut>>,
    /// Nodes that stop.
    #[serde(rename = "crash", default, skip_serializing_if = "Vec::is_empty")]
    pub crashes: Vec<Written<Crash>>,
    /// Interfaces that go down.
    #[serde(rename = "outage", default, skip_serializing_if = "Vec::is_empty")]
    pub outages: Vec<Written<Outage>>,
    /// Parts of the world that hear nothing of each other.
    #[serde(rename = "partition", default, skip_serializing_if = "Vec::is_empty")]
    pub partitions: Vec<Written<Partition>>,
}

/// What must be true of a run.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Expect {
    /// Which judges watch it.
    pub judges: Judged,
    /// Every node hears of every other within so many seconds after the last fault.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub all_reached_within_s: Option<u64>,
    /// Of everything that was offered so many percent are shown to their recipients.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub delivered_percent: Option<u8>,
}

/// Which judges watch a run.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Judged {
    /// None: only what is measured counts.
    Nothing,
    /// Those of what must hold at every moment.
    Safety,
}

/// What lies between radios.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Air {
    /// The loss over distance.
    pub propagation: Propagation,
    /// How links of one length differ.
    pub shadowing: Shadowing,
    /// For Hata's formula: the height of the higher antenna, in centimetres.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub base_height_cm: Option<u32>,
    /// For Hata's formula: the height of the lower antenna, in centimetres.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mobile_height_cm: Option<u32>,
}

/// The loss over distance.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Propagation {
    /// 7.7 + 37.6 log10 d.
    LogDistance,
    /// Hata's formula for suburbs.
    HataSuburban,
}

/// How links of one length differ.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Shadowing {
    /// They do not.
    None,
    /// As was measured: spec/air.md#propagation.
    Measured,
}

/// A node.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Node {
    /// Unique.
    pub name: String,
    /// Where it is at first: metres east and north.
    pub at_m: [i32; 2],
    /// Where it goes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub route: Vec<Waypoint>,
}

/// Where a node is to be, and when: in a straight line from where it was before.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Waypoint {
    /// In seconds of world time.
    pub at_s: u64,
    /// Metres east and north.
    pub to_m: [i32; 2],
}

/// How radios can be tuned. Those of one channel hear each other as far as they reach; channels do not touch.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Channel {
    /// Unique among media.
    pub name: String,
    /// Whose rules hold.
    pub region: RegionName,
    /// The carrier.
    pub frequency_hz: u32,
    /// Its width.
    pub bandwidth_hz: u32,
    /// 5 to 12.
    pub spreading_factor: u8,
    /// 5 to 8.
    pub coding_rate: u8,
    /// What a node may transmit of any hour, in hundredths of a percent.
    pub duty_hundredths: u16,
    /// What drives its radios.
    pub radios: Driven,
    /// Which bytes.
    pub speaks: Speaks,
}

/// What drives the radios of a channel.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Driven {
    /// A modem with a firmware that queues, listens and splits.
    Rnode,
    /// A bare chip: the node's own core listens before it talks.
    Transceiver,
}

/// Whose rules hold.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RegionName {
    /// Europe, 863 to 870 MHz.
    Eu868,
    /// Europe, 433 MHz.
    Eu433,
    /// The Americas.
    Us915,
    /// Australia.
    Au915,
    /// Nobody's.
    Custom,
}

/// Which bytes a medium speaks.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Speaks {
    /// Sealed frames between neighbours.
    Links,
    /// Reticulum's open packets.
    Open,
}

/// A modem of a node: one at most for each node and channel.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Radio {
    /// Whose.
    pub node: String,
    /// How it is tuned.
    pub channel: String,
    /// What it gives its antenna.
    pub power_dbm: u8,
    /// What its antenna gains.
    pub gain_dbi: i8,
}

/// A medium of two nodes.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cable {
    /// Unique among media.
    pub name: String,
    /// Whom it connects.
    pub between: [String; 2],
    /// At which rate each of the two sends.
    pub rate_bps: [u64; 2],
    /// From the end of a frame to its arrival.
    pub delay_us: u64,
    /// The most by which frames are later.
    pub jitter_us: u64,
    /// How much may wait in each direction; what is more is dropped. Without it a sender waits until its frame has left.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub queue_bytes: Option<u32>,
    /// Frames that do not arrive.
    pub loss_ppm: u32,
    /// Which bytes.
    pub speaks: Speaks,
}

/// A medium of many nodes that is no radio channel of modems.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Network {
    /// Unique among media.
    pub name: String,
    /// What it is.
    pub kind: NetworkKind,
    /// Who is on it.
    pub nodes: Vec<String>,
    /// At which rate each sends.
    pub rate_bps: u64,
    /// From the end of a frame to its arrival.
    pub delay_us: u64,
    /// The most by which frames are later.
    pub jitter_us: u64,
    /// How much may wait at each node; what is more is dropped. Without it a sender waits until its frame has left.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub queue_bytes: Option<u32>,
    /// Frames that do not arrive.
    pub loss_ppm: u32,
    /// Of a wireless network: how much of the rate carries frames.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub efficiency_percent: Option<u8>,
    /// Of a wireless network: how far its nodes hear each other.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub range_m: Option<u32>,
    /// Which bytes.
    pub speaks: Speaks,
}

/// What a network is.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum NetworkKind {
    /// Each node sends at its rate, whatever the others do.
    Switched,
    /// One transmits at a time, and those in range hear it.
    Wireless,
}

/// What a node asks for carrying packets out over a medium.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Price {
    /// Who asks.
    pub node: String,
    /// Over which medium.
    pub medium: String,
    /// From when on; 0 from the start.
    pub at_s: u64,
    /// In µNXS for 1,024 bytes.
    pub per_kib: u64,
}

/// Messages between people: random pairs, at random moments.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Messages {
    /// Unique among traffic.
    pub name: String,
    /// Who writes to whom: each to any other.
    pub among: Vec<String>,
    /// On average, in an hour of each node.
    pub per_node_and_hour: u32,
    /// The shortest text and the longest; uniform.
    pub bytes: [u16; 2],
    /// For how long each is tried.
    pub lifetime_s: u64,
    /// From when on.
    pub from_s: u64,
    /// Until when.
    pub until_s: u64,
}

/// Readings on their way to a sink, at equal distances, each source at a phase of its own.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Telemetry {
    /// Unique among traffic.
    pub name: String,
    /// Who measures.
    pub sources: Vec<String>,
    /// Who collects.
    pub sink: String,
    /// How often each source reports.
    pub every_s: u64,
    /// The length of a reading.
    pub bytes: u16,
    /// For how long each is tried.
    pub lifetime_s: u64,
    /// From when on.
    pub from_s: u64,
    /// Until when.
    pub until_s: u64,
}

/// Speech from one node to another, in spurts.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Voice {
    /// Unique among traffic.
    pub name: String,
    /// Who speaks.
    pub from: String,
    /// Who listens.
    pub to: String,
    /// The codec's rate while somebody speaks.
    pub codec_bps: u32,
    /// How much speech is in a packet.
    pub packet_ms: u32,
    /// How long a spurt lasts on average.
    pub spurt_ms: u32,
    /// How long a pause lasts on average.
    pub pause_ms: u32,
    /// From when on.
    pub from_s: u64,
    /// Until when.
    pub until_s: u64,
}

/// A volume to be moved, as fast as the node takes it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Bulk {
    /// Unique among traffic.
    pub name: String,
    /// Whence.
    pub from: String,
    /// Whither.
    pub to: String,
    /// How much.
    pub volume_bytes: u64,
    /// How many pieces are on their way at once.
    pub at_once: u8,
    /// For how long each piece is tried; one that is given up is offered again.
    pub lifetime_s: u64,
    /// From when on.
    pub from_s: u64,
}

/// How a medium treats frames from a moment on: probabilities in parts per million.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Disturb {
    /// Which.
    pub medium: String,
    /// From when on.
    pub at_s: u64,
    /// For how long.
    pub for_s: u64,
    /// Not delivered.
    pub loss_ppm: u32,
    /// Delivered twice.
    pub duplicate_ppm: u32,
    /// Held back while others pass.
    pub reorder_ppm: u32,
    /// With bits flipped.
    pub corrupt_ppm: u32,
    /// Cut short.
    pub truncate_ppm: u32,
    /// The most by which frames are late.
    pub jitter_ms: u64,
    /// The most by which frames are held back.
    pub hold_ms: u64,
}

/// A direction of a medium that carries nothing.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cut {
    /// Which medium.
    pub medium: String,
    /// Who is not heard.
    pub from: String,
    /// By whom.
    pub to: String,
    /// From when on.
    pub at_s: u64,
    /// For how long.
    pub for_s: u64,
}

/// A node that stops, and starts again later.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Crash {
    /// Which.
    pub node: String,
    /// When.
    pub at_s: u64,
    /// For how long.
    pub for_s: u64,
}

/// An interface that goes down: a modem without power, a cable pulled.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Outage {
    /// Whose.
    pub node: String,
    /// On which medium.
    pub medium: String,
    /// When.
    pub at_s: u64,
    /// For how long.
    pub for_s: u64,
}

/// A part of the world that neither hears the rest nor is heard by it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Partition {
    /// Who is in it.
    pub nodes: Vec<String>,
    /// From when on.
    pub at_s: u64,
    /// For how long.
    pub for_s: u64,
}
