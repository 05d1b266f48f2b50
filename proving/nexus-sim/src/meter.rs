//! What media carry for what, counted by the media: bytes and time by load, and the fullest ten rounds and hour of each.
//!
//! A frame counts when it is over, with the time that it kept its medium busy, for whom it left and for every place at which a shared
//! medium was busy with it. What nodes count themselves, and what they call their frames, does not enter: a sealed frame is told by the
//! messages that its sender's tap shows of it. Spec: spec/simulation.md#meter.

mod load;
mod window;

use std::collections::{BTreeMap, VecDeque};

use nexus_network::{InterfaceId, Mode, Opened, Tapping};
use nexus_node::Output;
use nexus_wire::nexus::frame::{HEADER_LEN, SealedHeader};
use nexus_wire::nexus::recording::Direction;

use crate::clock::WorldTime;
use crate::layout::{Layout, MediumPlan};
use crate::line::Sharing;
use crate::observation::{Act, Crossing, Landing, MediumIndex, NodeIndex, Observation, Observer, What};

pub use load::{Load, Makeup, Sets};
pub use window::{HOUR, Sliding, TEN_ROUNDS, TEN_SLOW_ROUNDS, WINDOWS};

/// What kind of medium a share is of.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Class {
    /// Two ends, each with a rate of its own.
    Cable,
    /// A local network on which each sends at a rate of its own.
    Switched,
    /// A network on which one transmits at a time.
    Wireless,
    /// A radio channel.
    Radio,
}

impl Class {
    fn of(plan: &MediumPlan) -> Self {
        match plan.line.as_ref().map(|line| line.sharing) {
            Some(Sharing::OneAtATime { .. }) => Self::Wireless,
            Some(Sharing::Apart) if plan.is_lan() => Self::Switched,
            Some(Sharing::Apart) => Self::Cable,
            None => Self::Radio,
        }
    }

    /// What it is called in reports.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Cable => "cable",
            Self::Switched => "switched network",
            Self::Wireless => "wireless network",
            Self::Radio => "radio channel",
        }
    }
}

/// Whose share it is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Scope {
    /// What one node sends, of what its end of the medium carries.
    Sender,
    /// What one node hears and sends, of the time that there is: what a shared medium is busy with where it stands.
    Place,
}

impl Scope {
    /// What it is called in reports.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Sender => "sender",
            Self::Place => "all heard",
        }
    }
}

/// What was carried at one end of a medium, or heard at one place.
#[derive(Clone, Debug, Default)]
pub struct Gauge {
    loads: BTreeMap<Load, Account>,
    /// Frames, and halves of frames.
    frames: u64,
    /// Of what is budgeted: the fullest of each of [`WINDOWS`].
    peaks: [Peak; WINDOWS.len()],
}

/// One load's part of a gauge.
#[derive(Clone, Debug, Default)]
pub struct Account {
    /// Bytes since the start.
    pub bytes: u64,
    /// Nanoseconds since the start.
    pub busy_ns: u64,
    /// The most nanoseconds in each of [`WINDOWS`].
    pub most_ns: [u64; WINDOWS.len()],
    sliding: Sliding,
}

/// The fullest of all windows of one length.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Peak {
    /// When it ended.
    pub at: Option<WorldTime>,
    /// How long announces and gossip kept the medium busy in it, in nanoseconds.
    pub busy_ns: u64,
    /// The same by load.
    pub parts: Vec<(Load, u64)>,
}

impl Peak {
    /// Of a window so long, in millionths.
    #[must_use]
    pub fn ppm(&self, window: usize) -> u64 {
        ppm(self.busy_ns, window)
    }
}

fn ppm(busy_ns: u64, window: usize) -> u64 {
    // Nanoseconds of microseconds: a thousandth, of a millionth.
    let ppm = u128::from(busy_ns) * 1_000 / u128::from(WINDOWS[window].as_micros());
    u64::try_from(ppm).unwrap_or(u64::MAX)
}

impl Gauge {
    fn add(&mut self, at: WorldTime, makeup: &Makeup, bytes: u64, busy_ns: u64) {
        self.frames += 1;
        for ((load, bytes), (_, busy_ns)) in makeup.divide(bytes).into_iter().zip(makeup.divide(busy_ns)) {
            let account = self.loads.entry(load).or_default();
            account.bytes += bytes;
            account.busy_ns += busy_ns;
            account.sliding.add(at, busy_ns);
            let sums = account.sliding.sums(at);
            for (most, sum) in account.most_ns.iter_mut().zip(sums) {
                *most = sum.max(*most);
            }
        }
        if makeup.is_budgeted() {
            self.note_peaks(at);
        }
    }

    fn note_peaks(&mut self, at: WorldTime) {
        let budgeted = self.loads.iter_mut().filter(|(load, _)| load.is_budgeted());
        let sums: Vec<(Load, [u64; WINDOWS.len()])> =
            budgeted.map(|(load, account)| (*load, account.sliding.sums(at))).collect();
        for (window, peak) in self.peaks.iter_mut().enumerate() {
            let busy_ns = sums.iter().map(|(_, sums)| sums[window]).sum();
            if busy_ns > peak.busy_ns {
                let parts = sums.iter().map(|(load, sums)| (*load, sums[window])).collect();
                *peak = Peak { at: Some(at), busy_ns, parts };
            }
        }
    }

    /// How many frames there were; the halves of one are two.
    #[must_use]
    pub const fn frames(&self) -> u64 {
        self.frames
    }

    /// The accounts, by load.
    pub fn accounts(&self) -> impl Iterator<Item = (Load, &Account)> {
        self.loads.iter().map(|(load, account)| (*load, account))
    }

    /// The fullest of each of [`WINDOWS`] of announces and gossip.
    #[must_use]
    pub const fn peaks(&self) -> &[Peak; WINDOWS.len()] {
        &self.peaks
    }
}

/// A frame that was handed to a driver and is not over.
#[derive(Debug)]
struct Outgoing {
    bytes: Vec<u8>,
    /// How many of them were on the medium: a modem sends a long frame in two halves.
    passed: usize,
    makeup: Makeup,
}

/// One medium, metered.
#[derive(Debug)]
struct Metered {
    class: Class,
    mode: Mode,
    nodes: Vec<NodeIndex>,
    outgoing: Vec<VecDeque<Outgoing>>,
    senders: Vec<Gauge>,
    /// Where something shared is heard: by node, or one for all where all wait for each other.
    places: Vec<Gauge>,
}

impl Metered {
    /// More frames do not wait in a driver and a modem, or on a line.
    const MOST_OUTGOING: usize = 4_096;

    fn of(plan: &MediumPlan) -> Self {
        let (class, ports) = (Class::of(plan), plan.nodes.len());
        let places = match class {
            Class::Cable | Class::Switched => 0,
            Class::Wireless => 1,
            Class::Radio => ports,
        };
        Self {
            class,
            mode: plan.profile.mode,
            nodes: plan.nodes.clone(),
            outgoing: (0..ports).map(|_| VecDeque::new()).collect(),
            senders: vec![Gauge::default(); ports],
            places: vec![Gauge::default(); places],
        }
    }

    fn port_of(&self, node: NodeIndex) -> Option<usize> {
        self.nodes.iter().position(|there| *there == node)
    }

    fn leaves(&mut self, port: usize, bytes: Vec<u8>, makeup: Makeup) {
        let outgoing = &mut self.outgoing[port];
        if outgoing.len() == Self::MOST_OUTGOING {
            outgoing.pop_front();
        }
        outgoing.push_back(Outgoing { bytes, passed: 0, makeup });
    }

    /// What a frame, or the half of one, was for. Those before it that never were on the medium are gone.
    fn passes(&mut self, port: usize, piece: &[u8]) -> Makeup {
        let outgoing = &mut self.outgoing[port];
        let is_it = |frame: &Outgoing| frame.bytes[frame.passed..].starts_with(piece);
        let Some(place) = outgoing.iter().position(is_it) else {
            return Makeup::whole(Load::Unopened, piece.len().max(1));
        };
        outgoing.drain(..place);
        let frame = outgoing.front_mut().expect("it was found");
        frame.passed += piece.len();
        let makeup = frame.makeup.clone();
        if frame.passed == frame.bytes.len() {
            outgoing.pop_front();
        }
        makeup
    }
}

/// What a sealed frame says.
#[derive(Debug)]
struct Sealed {
    header: SealedHeader,
    plaintext: Vec<u8>,
}

/// The meter of a world: one at each medium.
#[derive(Debug)]
pub struct Meter {
    media: Vec<Metered>,
    /// What was over before that does not count.
    from: WorldTime,
    /// By node and interface: medium, and port there.
    ports: BTreeMap<(NodeIndex, InterfaceId), (MediumIndex, usize)>,
    /// What taps showed of frames that leave in the same moment.
    opened: BTreeMap<(NodeIndex, InterfaceId, [u8; HEADER_LEN]), Sealed>,
    /// Of which message pieces are, by who sends them.
    sets: BTreeMap<(NodeIndex, InterfaceId), Sets>,
}

/// The fullest window of a class of media.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Worst {
    /// Of which media.
    pub class: Class,
    /// What they speak.
    pub mode: Mode,
    /// Whose share.
    pub scope: Scope,
    /// Which of [`WINDOWS`].
    pub window: usize,
    /// Where.
    pub medium: MediumIndex,
    /// Who sends, or where it is heard; the first node where it is the same for all.
    pub node: NodeIndex,
    /// How full.
    pub peak: Peak,
}

impl Meter {
    /// That of a world.
    #[must_use]
    pub fn new(layout: &Layout) -> Self {
        Self::from(layout, WorldTime::START)
    }

    /// One that counts what is over at a moment, or later.
    #[must_use]
    pub fn from(layout: &Layout, from: WorldTime) -> Self {
        let media: Vec<Metered> = layout.media.iter().map(Metered::of).collect();
        let mut ports = BTreeMap::new();
        for node in layout.node_indices() {
            for (iface, medium) in layout.interfaces(node) {
                if let Some(port) = media[medium.place()].port_of(node) {
                    ports.insert((node, iface), (medium, port));
                }
            }
        }
        Self { media, from, ports, opened: BTreeMap::new(), sets: BTreeMap::new() }
    }

    /// What kind of medium this is.
    #[must_use]
    pub fn class(&self, medium: MediumIndex) -> Class {
        self.media[medium.place()].class
    }

    /// The gauges of a scope, with where they are.
    pub fn gauges(&self, scope: Scope) -> impl Iterator<Item = (MediumIndex, NodeIndex, &Gauge)> {
        (0..).map(MediumIndex).zip(&self.media).flat_map(move |(medium, metered)| {
            let gauges = match scope {
                Scope::Sender => &metered.senders,
                Scope::Place => &metered.places,
            };
            metered.nodes.iter().zip(gauges).map(move |(node, gauge)| (medium, *node, gauge))
        })
    }

    /// The fullest windows of each class of media there is: of what is budgeted, by scope and length.
    #[must_use]
    pub fn worst(&self) -> Vec<Worst> {
        self.worst_of(|_| true)
    }

    /// The same of those that are meant alone.
    pub fn worst_of(&self, is_meant: impl Fn(&Worst) -> bool) -> Vec<Worst> {
        let mut worst: BTreeMap<(Class, bool, Scope, usize), Worst> = BTreeMap::new();
        for scope in [Scope::Sender, Scope::Place] {
            for (medium, node, gauge) in self.gauges(scope) {
                let Metered { class, mode, .. } = self.media[medium.place()];
                for (window, peak) in gauge.peaks().iter().enumerate() {
                    let peak = peak.clone();
                    let found = Worst { class, mode, scope, window, medium, node, peak };
                    if !is_meant(&found) {
                        continue;
                    }
                    let known = worst.entry((class, mode == Mode::Reticulum, scope, window));
                    let known = known.or_insert_with(|| found.clone());
                    if found.peak.busy_ns > known.peak.busy_ns {
                        *known = found;
                    }
                }
            }
        }
        worst.into_values().collect()
    }

    fn takes_leave(&mut self, node: NodeIndex, iface: InterfaceId, bytes: &[u8]) {
        let Some((medium, port)) = self.ports.get(&(node, iface)).copied() else { return };
        let header = bytes.first_chunk::<HEADER_LEN>().copied();
        let opened = header.and_then(|header| self.opened.remove(&(node, iface, header)));
        let makeup = match opened {
            Some(Sealed { header, plaintext }) => {
                self.sets.entry((node, iface)).or_default().of_sealed(header, &plaintext, bytes.len())
            }
            None => Makeup::of_clear(bytes),
        };
        self.media[medium.place()].leaves(port, bytes.to_vec(), makeup);
    }

    fn forget(&mut self, node: NodeIndex) {
        self.opened.retain(|(of, ..), _| *of != node);
        self.sets.retain(|(of, _), _| *of != node);
    }
}

impl Observer for Meter {
    fn observe(&mut self, observation: &Observation<'_>) {
        let What::Node { node, act, .. } = observation.what else { return };
        match act {
            Act::Took(Output::Transmit { iface, bytes, .. }) => self.takes_leave(node, *iface, bytes),
            Act::Crashed => self.forget(node),
            Act::Took(Output::Sense { .. } | Output::Persist { .. } | Output::Event(_))
            | Act::Given { .. }
            | Act::Booted { .. }
            | Act::Woken { .. }
            | Act::Rested { .. }
            | Act::Durable(_) => {}
        }
    }

    fn wants_opened(&self) -> Tapping {
        Tapping::Open
    }

    fn opened(&mut self, _at: WorldTime, node: NodeIndex, opened: &Opened) {
        let Opened { iface, direction: Direction::Sent, header, plaintext, .. } = opened else { return };
        let sealed = Sealed { header: *header, plaintext: plaintext.clone() };
        self.opened.insert((node, *iface, header.to_bytes()), sealed);
    }

    fn crossed(&mut self, crossing: &Crossing<'_>) {
        let Crossing { at, medium, sender, busy_ns, bytes } = *crossing;
        let metered = &mut self.media[medium.place()];
        let Some(port) = metered.port_of(sender) else { return };
        let makeup = metered.passes(port, bytes);
        if at < self.from {
            return;
        }
        let length = u64::try_from(bytes.len()).expect("a length fits u64");
        metered.senders[port].add(at, &makeup, length, busy_ns);
        for place in &mut metered.places {
            place.add(at, &makeup, length, busy_ns);
        }
    }

    fn landed(&mut self, landing: &Landing<'_>) {
        let metered = &mut self.media[landing.medium.place()];
        let transmission = landing.transmission;
        let port = usize::from(transmission.sender.0);
        let airtime = transmission.end.since(transmission.start);
        let busy_ns = airtime.as_micros().saturating_mul(1_000);
        // The modem's header counts, and tells nothing.
        let makeup = metered.passes(port, transmission.bytes.get(1..).unwrap_or_default());
        if landing.at < self.from {
            return;
        }
        let length = u64::try_from(transmission.bytes.len()).expect("a length fits u64");
        metered.senders[port].add(landing.at, &makeup, length, busy_ns);
        metered.places[port].add(landing.at, &makeup, length, busy_ns);
        for reception in &transmission.receptions {
            metered.places[usize::from(reception.radio.0)].add(landing.at, &makeup, length, busy_ns);
        }
    }
}
