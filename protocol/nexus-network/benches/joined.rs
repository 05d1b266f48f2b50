//! Nodes joined in memory, for what is measured of links: two organs, or a relay between two neighbours.

use std::collections::VecDeque;

use nexus_crypto::{IdentitySeed, NameHash, NodeId, NodeIdentity};
use nexus_machine::{Cx, Duration, Instant, Machine as _, Seed, Snapshot};
use nexus_network::layer::{self, Network};
use nexus_network::links::{Effect, Input, Limits, LinkId, Links, Opened, Policy};
use nexus_network::{Access, AppData, DutyCycle, Frame, InterfaceId, Mode, Profile, Reach, Role, Timing};
use nexus_wire::nexus::frame::HEADER_LEN;
use nexus_wire::nexus::message::MessageWriter;
use nexus_wire::nexus::path_cost::CompactPathCost;
use nexus_wire::nexus::traffic;
use nexus_wire::reticulum::announce::{Claim, Occasion};
use nexus_wire::reticulum::{MTU, RandomHash};

/// Where the neighbour on the left is, and the only interface of a neighbour.
pub(crate) const LEFT: InterfaceId = InterfaceId(0);
/// Where the neighbour on the right is.
pub(crate) const RIGHT: InterfaceId = InterfaceId(1);
/// Whose packets are relayed.
const FAR: u8 = 9;

pub(crate) fn identity(n: u8) -> NodeIdentity {
    NodeIdentity::from_seed(IdentitySeed::from_bytes([n; 32]))
}

/// A cable of ten gigabits a second: keys last for what a benchmark sends.
pub(crate) fn profile() -> Profile {
    Profile {
        mode: Mode::Nexus,
        reach: Reach::PointToPoint,
        access: Access::Direct,
        bandwidth_bps: 10_000_000_000,
        frame_size: 1_064,
        timing: Timing::Rate,
        duty: DutyCycle::UNLIMITED,
        sub_band: None,
        overhead: 0,
        price: 0,
        role: Role::Full,
        gravity: 0,
    }
}

/// How many packets come at once.
pub(crate) const BURST: usize = 8;

/// One organ, and what it wants sent, sealed.
pub(crate) struct Neighbour {
    pub(crate) links: Links,
    pub(crate) link: Option<LinkId>,
    pub(crate) sent: VecDeque<Vec<u8>>,
    effects: VecDeque<Effect>,
}

impl Neighbour {
    pub(crate) fn new(n: u8) -> Self {
        let limits = Limits { links: 16, ..Limits::default() };
        let links = Links::new(identity(n), Policy::Anyone, limits, &Seed::new([n; 32]));
        Self { links, link: None, sent: VecDeque::new(), effects: VecDeque::new() }
    }

    pub(crate) fn up(&mut self, cx: Cx) {
        self.does(cx, |links, out| links.handle(cx, Input::Up(LEFT, profile()), out));
    }

    pub(crate) fn hears(&mut self, cx: Cx, frame: Vec<u8>) -> Option<Opened> {
        self.does(cx, |links, out| links.receive(cx, LEFT, None, frame, out))
    }

    /// The same for a frame that asks for nothing.
    pub(crate) fn hears_one(&mut self, cx: Cx, frame: Vec<u8>) -> Option<Opened> {
        self.links.receive(cx, LEFT, None, frame, &mut self.effects)
    }

    /// Does what is due.
    pub(crate) fn wakes(&mut self, cx: Cx) {
        if self.links.next_timeout().is_some_and(|at| at <= cx.now) {
            self.does(cx, |links, out| links.handle_timeout(cx, out));
        }
    }

    fn does<R>(&mut self, cx: Cx, act: impl FnOnce(&mut Links, &mut VecDeque<Effect>) -> R) -> R {
        let mut effects = VecDeque::new();
        let result = act(&mut self.links, &mut effects);
        while let Some(effect) = effects.pop_front() {
            match effect {
                Effect::Send(mut frame) => {
                    if self.links.seal(cx, &mut frame, &mut effects).is_ok() {
                        self.sent.push_back(frame.bytes);
                    }
                }
                Effect::Up(status) => self.link = Some(status.id),
                Effect::Down { .. } => self.link = None,
                Effect::Measured { .. } | Effect::Stands { .. } | Effect::Beaconed(_) => {}
                Effect::EntropyWanted => self.links.handle(cx, Input::Entropy([7; 32]), &mut effects),
            }
        }
        result
    }

    /// A message, ready to be sealed.
    pub(crate) fn frame(&self, message: &[u8]) -> Frame {
        let mut bytes = Vec::with_capacity(HEADER_LEN + message.len() + 16);
        bytes.resize(HEADER_LEN, 0);
        bytes.extend_from_slice(message);
        let link = self.link.expect("the link is up");
        self.links.frames(link, bytes).next().expect("the message fits a frame")
    }

    /// A message as it goes over the link.
    pub(crate) fn sealed(&mut self, cx: Cx, message: &[u8]) -> Vec<u8> {
        let mut frame = self.frame(message);
        let mut effects: VecDeque<Effect> = VecDeque::new();
        self.links.seal(cx, &mut frame, &mut effects).expect("the link may send");
        frame.bytes
    }
}

/// Lets what two neighbours say arrive, until both are silent.
pub(crate) fn exchange(cx: Cx, one: &mut Neighbour, other: &mut Neighbour) {
    while !(one.sent.is_empty() && other.sent.is_empty()) {
        while let Some(frame) = one.sent.pop_front() {
            other.hears(cx, frame);
        }
        while let Some(frame) = other.sent.pop_front() {
            one.hears(cx, frame);
        }
    }
}

/// Two neighbours that are linked.
pub(crate) fn linked() -> (Cx, Neighbour, Neighbour) {
    let (mut one, mut other) = (Neighbour::new(1), Neighbour::new(2));
    let mut cx = Cx::at(Instant::BOOT);
    one.up(cx);
    other.up(cx);
    while one.link.is_none() || other.link.is_none() {
        cx = Cx::at(cx.now.after(Duration::from_millis(10)));
        one.wakes(cx);
        other.wakes(cx);
        exchange(cx, &mut one, &mut other);
    }
    (cx, one, other)
}

/// A layer between two neighbours. Who is beyond the right one is known, so what the left one sends there is relayed.
pub(crate) struct Relay {
    pub(crate) cx: Cx,
    pub(crate) layer: Network,
    left: Neighbour,
    right: Neighbour,
    effects: VecDeque<layer::Effect>,
    far: NodeId,
    number: u64,
}

impl Relay {
    pub(crate) fn new() -> Self {
        let (limits, snapshot) = (layer::Limits::default(), Snapshot::empty());
        let seed = IdentitySeed::from_bytes([3; 32]);
        let layer = Network::new(&seed, AppData::default(), limits, &snapshot, &Seed::new([3; 32]));
        let mut relay = Self {
            cx: Cx::at(Instant::BOOT),
            layer,
            left: Neighbour::new(1),
            right: Neighbour::new(2),
            effects: VecDeque::with_capacity(64),
            far: far(),
            number: 0,
        };
        for iface in [LEFT, RIGHT] {
            relay.tell(layer::Input::Up(iface, profile()));
        }
        relay.left.up(relay.cx);
        relay.right.up(relay.cx);
        relay.run_until(|relay| relay.left.link.is_some() && relay.right.link.is_some());
        let announce = relay.right.sealed(relay.cx, &announce());
        relay.tell(layer::Input::Frame { iface: RIGHT, from: None, bytes: announce });
        let far = relay.far.into();
        relay.run_until(|relay| relay.layer.announces().path(&far).is_some());
        // Whatever is told on because of that has left.
        let quiet = relay.cx.now.after(Duration::from_secs(5));
        relay.run_until(|relay| relay.cx.now >= quiet);
        relay
    }

    /// A frame of the left neighbour with a packet of `len` bytes that is to be relayed: another one each time.
    pub(crate) fn arriving(&mut self, len: usize) -> Vec<u8> {
        self.number += 1;
        self.left.sealed(self.cx, &to_the_far_node(&self.far, len, self.number))
    }

    /// Relays a frame: the whole way of a packet, until the driver can take the next. Returns the frame that leaves.
    pub(crate) fn relays(&mut self, frame: Vec<u8>) -> Frame {
        self.layer.handle(
            self.cx,
            layer::Input::Frame { iface: LEFT, from: None, bytes: frame },
            &mut self.effects,
        );
        let Some(layer::Effect::Transmit(leaving)) = self.effects.pop_front() else {
            panic!("a packet that is to be relayed leaves at once");
        };
        self.layer.handle(self.cx, layer::Input::TxReady(RIGHT), &mut self.effects);
        leaving
    }

    /// Relays frames that come at once: all but the first wait for the driver. What leaves is put in `left`.
    pub(crate) fn relays_at_once(&mut self, frames: [Vec<u8>; BURST], left: &mut Vec<Frame>) {
        for bytes in frames {
            let heard = layer::Input::Frame { iface: LEFT, from: None, bytes };
            self.layer.handle(self.cx, heard, &mut self.effects);
        }
        while let Some(effect) = self.effects.pop_front() {
            let layer::Effect::Transmit(leaving) = effect else { panic!("a packet is relayed: {effect:?}") };
            left.push(leaving);
            self.layer.handle(self.cx, layer::Input::TxReady(RIGHT), &mut self.effects);
        }
    }

    /// What the right neighbour reads of a frame that left.
    pub(crate) fn read_on_the_right(&mut self, frame: Frame) -> Option<Opened> {
        self.right.hears(self.cx, frame.bytes)
    }

    fn run_until(&mut self, done: impl Fn(&Self) -> bool) {
        while !done(self) {
            self.cx = Cx::at(self.cx.now.after(Duration::from_millis(10)));
            self.left.wakes(self.cx);
            self.right.wakes(self.cx);
            if self.layer.next_timeout().is_some_and(|at| at <= self.cx.now) {
                self.layer.handle_timeout(self.cx, &mut self.effects);
            }
            self.carry_out();
            for iface in [LEFT, RIGHT] {
                while let Some(bytes) = self.neighbour(iface).sent.pop_front() {
                    self.tell(layer::Input::Frame { iface, from: None, bytes });
                }
            }
        }
    }

    fn neighbour(&mut self, iface: InterfaceId) -> &mut Neighbour {
        if iface == LEFT { &mut self.left } else { &mut self.right }
    }

    fn tell(&mut self, input: layer::Input) {
        self.layer.handle(self.cx, input, &mut self.effects);
        self.carry_out();
    }

    fn carry_out(&mut self) {
        let cx = self.cx;
        while let Some(effect) = self.effects.pop_front() {
            match effect {
                layer::Effect::Transmit(frame) => {
                    self.neighbour(frame.iface).hears(cx, frame.bytes);
                    self.layer.handle(cx, layer::Input::TxReady(frame.iface), &mut self.effects);
                }
                layer::Effect::Write { by, number: through, .. } => {
                    self.layer.handle(cx, layer::Input::Durable { by, through }, &mut self.effects);
                }
                layer::Effect::EntropyWanted => {
                    self.layer.handle(cx, layer::Input::Entropy([7; 32]), &mut self.effects);
                }
                layer::Effect::Sense(_)
                | layer::Effect::Jammed(_)
                | layer::Effect::Reached(_)
                | layer::Effect::Announced { .. }
                | layer::Effect::Probe { .. }
                | layer::Effect::PathFound { .. }
                | layer::Effect::PathNotFound { .. }
                | layer::Effect::OfMoney { .. }
                | layer::Effect::Store(_)
                | layer::Effect::Key(_)
                | layer::Effect::Counted { .. }
                | layer::Effect::ChannelWanted(_)
                | layer::Effect::LinkUp(_)
                | layer::Effect::LinkDown { .. }
                | layer::Effect::Arrived { .. }
                | layer::Effect::Originated { .. } => {}
            }
        }
    }
}

/// A layer between two stock segments. Who is on the right one is known, so what is said on the left one is relayed there.
pub(crate) struct ClearRelay {
    pub(crate) cx: Cx,
    pub(crate) layer: Network,
    effects: VecDeque<layer::Effect>,
    number: u64,
}

impl ClearRelay {
    pub(crate) fn new() -> Self {
        let (limits, snapshot) = (layer::Limits::default(), Snapshot::empty());
        let seed = IdentitySeed::from_bytes([3; 32]);
        let layer = Network::new(&seed, AppData::default(), limits, &snapshot, &Seed::new([3; 32]));
        let cx = Cx::at(Instant::BOOT);
        let mut relay = Self { cx, layer, effects: VecDeque::with_capacity(64), number: 0 };
        for iface in [LEFT, RIGHT] {
            relay.tell(layer::Input::Up(iface, Profile { mode: Mode::Reticulum, ..profile() }));
        }
        let mut buffer = [0; MTU];
        let announce = claim(&identity(FAR))
            .sign(identity(FAR).as_reticulum())
            .encode(Occasion::Periodic, &mut buffer)
            .expect("an announce fits a packet")
            .to_vec();
        relay.tell(layer::Input::Frame { iface: RIGHT, from: None, bytes: announce });
        relay.cx = Cx::at(relay.cx.now.after(Duration::from_secs(20)));
        relay.layer.handle_timeout(relay.cx, &mut relay.effects);
        relay.answer();
        relay
    }

    /// A packet with so many bytes of payload for the endpoint on the right, as the one on the left says it: another one each time.
    pub(crate) fn arriving(&mut self, payload: usize) -> Vec<u8> {
        self.number += 1;
        let mut packet = vec![0; 35 + payload];
        packet[0] = 0x50;
        packet[2..18].copy_from_slice(identity(3).public().hash().as_bytes());
        packet[18..34].copy_from_slice(far().as_bytes());
        packet[35..43].copy_from_slice(&self.number.to_le_bytes());
        packet
    }

    /// Relays a packet: its whole way, until the driver can take the next. Returns the frame that leaves.
    pub(crate) fn relays(&mut self, packet: Vec<u8>) -> Frame {
        let heard = layer::Input::Frame { iface: LEFT, from: None, bytes: packet };
        self.layer.handle(self.cx, heard, &mut self.effects);
        let Some(layer::Effect::Transmit(leaving)) = self.effects.pop_front() else {
            panic!("a packet that is to be relayed leaves at once");
        };
        self.layer.handle(self.cx, layer::Input::TxReady(RIGHT), &mut self.effects);
        leaving
    }

    fn tell(&mut self, input: layer::Input) {
        self.layer.handle(self.cx, input, &mut self.effects);
        self.answer();
    }

    /// Whatever leaves is on its medium at once, and nobody answers it.
    fn answer(&mut self) {
        while let Some(effect) = self.effects.pop_front() {
            if let layer::Effect::Transmit(frame) = effect {
                self.layer.handle(self.cx, layer::Input::TxReady(frame.iface), &mut self.effects);
            }
        }
    }
}

/// A message with a packet of `len` bytes that is to be carried to the far node.
pub(crate) fn to_the_far_node(far: &NodeId, len: usize, number: u64) -> Vec<u8> {
    let mut message = vec![0; 3 + len];
    message[0] = 0x81;
    // In transport, as links carry it.
    message[3] = 0x50;
    message[5..21].copy_from_slice(far.as_bytes());
    message[22..30].copy_from_slice(&number.to_le_bytes());
    message
}

/// The far node's address.
pub(crate) fn far() -> NodeId {
    identity(FAR).node_id()
}

/// What a node says of itself.
fn claim(identity: &NodeIdentity) -> Claim<'static> {
    Claim {
        public: *identity.public().identity(),
        name: NameHash::NEXUS_NODE,
        random_hash: RandomHash::new([1, 2, 3, 4, 5], 1_700_000_000),
        ratchet: None,
        app_data: b"N\x01",
    }
}

/// An announce of the far node, as its neighbour passes it on.
pub(crate) fn announce() -> Vec<u8> {
    let identity = identity(FAR);
    let mut buffer = [0; MTU];
    let packet = claim(&identity)
        .sign(identity.as_reticulum())
        .encode(Occasion::Periodic, &mut buffer)
        .expect("an announce fits a packet");
    packet[1] = 3;
    let mut message = [0; 600];
    let body = traffic::Announce { cost: CompactPathCost::ORIGIN, packet };
    MessageWriter::new(&mut message).put_last(&body).expect("an announce fits a message").to_vec()
}
