//! Endpoints, their disks, and the relay between them.

use alloc::collections::VecDeque;
use alloc::string::String;
use alloc::vec::Vec;

use nexus_crypto::{DestinationHash, NameHash, ReticulumIdentity};
use nexus_machine::{Cx, Duration, Instant, Machine, Seed, Snapshot, WallClock};
use nexus_wire::reticulum::channel::Packing;
use nexus_wire::reticulum::{Announce, Context, Packet, PacketType, PathRequest};

use crate::{
    Accepting, Announcing, Bytes, Command, Effect, Endpoint, Event, Handle, Input, Limits, Need, Service,
    Supply,
};

pub(super) const UNIX: u64 = 1_700_000_000;
pub(super) const NAME: &str = "test.service";

/// Few of everything.
pub(super) const LIMITS: Limits = Limits {
    services: 2,
    ratchets: 3,
    peers: 3,
    wanted: 2,
    errands: 2,
    unproved: 2,
    links: 3,
    transfers: 2,
    channels: 2,
};

pub(super) struct World {
    pub(super) nodes: Vec<Node>,
    pub(super) now: Instant,
    /// Whether packets arrive.
    pub(super) relay: Relay,
    /// Packets of this context are lost.
    pub(super) loses: Option<Context>,
    /// The latest announce of each destination, which the relay answers path requests with.
    announces: Vec<(DestinationHash, Vec<u8>)>,
    /// What was transmitted, in order.
    pub(super) sent: Vec<Vec<u8>>,
    /// What nodes remember of destinations to which nobody knows a way.
    pub(super) remembered: Vec<(DestinationHash, Vec<u8>)>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Relay {
    Carries,
    Swallows,
}

pub(super) struct Node {
    pub(super) endpoint: Endpoint,
    pub(super) disk: Snapshot,
    pub(super) events: Vec<Event>,
    /// Whether writes become durable.
    pub(super) disk_works: bool,
    waiting: Vec<u64>,
    /// All that it was told.
    pub(super) told: Vec<(Cx, Input)>,
    /// What it sends.
    pub(super) file: Vec<u8>,
}

pub(super) fn endpoint(n: u8, disk: &Snapshot, start: u8) -> Endpoint {
    let seed = Seed::new([n; 32]).fork_index("start", u64::from(start));
    Endpoint::new(identity(n), LIMITS, disk, &seed)
}

pub(super) fn identity(n: u8) -> ReticulumIdentity {
    ReticulumIdentity::from_private_blob(&[n; 64])
}

pub(super) fn address(n: u8, name: &str) -> DestinationHash {
    DestinationHash::of(NameHash::of(name), identity(n).hash())
}

pub(super) fn service(name: &str, app_data: &[u8]) -> Service {
    Service {
        name: String::from(name),
        app_data: app_data.to_vec(),
        announcing: Announcing::Hourly,
        accepting: Accepting::Links,
    }
}

impl World {
    pub(super) fn of(nodes: u8) -> Self {
        let nodes = (0..nodes).map(|n| Node::new(n, Snapshot::empty(), 0)).collect();
        let (announces, sent, remembered) = (Vec::new(), Vec::new(), Vec::new());
        Self { nodes, now: Instant::BOOT, relay: Relay::Carries, loses: None, announces, sent, remembered }
    }

    pub(super) fn cx(&self) -> Cx {
        let wall = WallClock { unix_s: UNIX, error_s: 1, read_at: Instant::BOOT };
        Cx { wall: Some(wall), ..Cx::at(self.now) }
    }

    pub(super) fn command(&mut self, node: usize, command: Command) {
        self.tell(node, Input::Command(command));
    }

    pub(super) fn serve(&mut self, node: usize, name: &str) -> DestinationHash {
        self.command(node, Command::Serve(service(name, b"app")));
        address(u8::try_from(node).unwrap(), name)
    }

    pub(super) fn send(&mut self, node: usize, handle: u64, to: DestinationHash, text: &[u8]) {
        let plaintext = Bytes(text.to_vec());
        self.command(node, Command::Send { handle: Handle(handle), to, plaintext });
    }

    pub(super) fn tell(&mut self, node: usize, input: Input) {
        let (cx, mut out) = (self.cx(), VecDeque::new());
        self.nodes[node].told.push((cx, input.clone()));
        self.nodes[node].endpoint.handle(cx, input, &mut out);
        self.carry_out(node, out);
    }

    /// Lets so much time pass, and whatever is due in it happen.
    pub(super) fn pass(&mut self, time: Duration) {
        let until = self.now.after(time);
        loop {
            let due = |node: &Node| node.endpoint.next_timeout();
            let next = self.nodes.iter().enumerate().filter_map(|(n, node)| Some((due(node)?, n))).min();
            let Some((at, node)) = next.filter(|(at, _)| *at <= until) else { break };
            self.now = self.now.max(at);
            let (cx, mut out) = (self.cx(), VecDeque::new());
            self.nodes[node].endpoint.handle_timeout(cx, &mut out);
            self.carry_out(node, out);
        }
        self.now = until;
    }

    /// What was written and not acknowledged is durable.
    pub(super) fn sync(&mut self, node: usize) {
        for number in core::mem::take(&mut self.nodes[node].waiting) {
            self.tell(node, Input::Durable(number));
        }
    }

    pub(super) fn events(&mut self, node: usize) -> Vec<Event> {
        core::mem::take(&mut self.nodes[node].events)
    }

    /// A process that was killed and started again, with what was durable.
    pub(super) fn restart(&mut self, node: usize, start: u8) {
        let disk = self.nodes[node].disk.clone();
        self.nodes[node] = Node::new(u8::try_from(node).unwrap(), disk, start);
    }

    fn carry_out(&mut self, node: usize, out: VecDeque<Effect>) {
        for effect in out {
            match effect {
                Effect::EntropyWanted => self.tell(node, Input::Entropy([7; 32])),
                Effect::Event(event) => match *event {
                    Event::Needed { link, need } => {
                        let supply = self.nodes[node].supply(need);
                        self.command(node, Command::Supply { link, supply });
                    }
                    event => self.nodes[node].events.push(event),
                },
                Effect::Write { number, writes } => {
                    for write in writes {
                        self.nodes[node].disk.apply(write);
                    }
                    self.nodes[node].waiting.push(number);
                    if self.nodes[node].disk_works {
                        self.sync(node);
                    }
                }
                Effect::Transmit(bytes) => self.carry(node, &bytes),
                Effect::Recall(destination) => {
                    let announce = self.remembered.iter().find(|(of, _)| *of == destination);
                    let announce = announce.map(|(_, announce)| announce.clone());
                    self.tell(node, Input::Recalled { destination, announce });
                }
            }
        }
    }

    fn carry(&mut self, from: usize, bytes: &[u8]) {
        self.sent.push(bytes.to_vec());
        if self.relay == Relay::Swallows {
            return;
        }
        let packet = Packet::decode(bytes).expect("what is said is a packet");
        if packet.packet_type == PacketType::Announce {
            let announce = Announce::from_packet(&packet).expect("it is one");
            announce.verify().expect("it is signed");
            self.announces.retain(|(destination, _)| *destination != announce.destination);
            self.announces.push((announce.destination, bytes.to_vec()));
        }
        if let Ok(request) = PathRequest::from_packet(&packet) {
            let known = self.announces.iter().find(|(destination, _)| *destination == request.wanted);
            let Some((_, announce)) = known.cloned() else { return };
            return self.tell(from, Input::Packet(announce));
        }
        if self.loses == Some(packet.context) {
            return;
        }
        for other in (0..self.nodes.len()).filter(|other| *other != from) {
            self.tell(other, Input::Packet(bytes.to_vec()));
        }
    }
}

impl Node {
    /// What a host does for transfers: it reads its one file, and compresses nothing.
    fn supply(&self, need: Need) -> Supply {
        match need {
            Need::Read(handle, from, len) => {
                let from = usize::try_from(from).unwrap();
                let read = self.file.get(from..from + usize::try_from(len).unwrap());
                Supply::Read(handle, read.map(|read| Bytes(read.to_vec())))
            }
            Need::Pack(handle, data) => Supply::Packed(handle, Packing::Plain, data),
            Need::Unpack(arrival, ..) => Supply::Unpacked(arrival, None),
            Need::PackPiece(data) => Supply::PackedPiece(Packing::Plain, data),
            Need::UnpackPiece(..) => Supply::UnpackedPiece(None),
        }
    }

    fn new(n: u8, disk: Snapshot, start: u8) -> Self {
        let endpoint = endpoint(n, &disk, start);
        Self {
            endpoint,
            disk,
            events: Vec::new(),
            disk_works: true,
            waiting: Vec::new(),
            told: Vec::new(),
            file: Vec::new(),
        }
    }
}
