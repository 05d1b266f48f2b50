//! Peers, each an organ and its endpoint, and the relay between them.

use alloc::collections::VecDeque;
use alloc::vec::Vec;

use nexus_crypto::{DestinationHash, ReticulumIdentity};
use nexus_machine::{Cx, Duration, Instant, Machine, Seed, Snapshot, WallClock};
use nexus_wire::reticulum::channel::Packing;
use nexus_wire::reticulum::{Announce, Packet, PacketType, PathRequest};

use crate::contract::{Command as Wish, Need, Supply};
use crate::lxmf::{Claim, Command, Effect, Input, Limits, Lxmf, Outgoing, Presence};
use crate::{Effect as Said, Endpoint, Event, Input as Told};

pub(super) const UNIX: u64 = 1_700_000_000;
/// Few of everything.
pub(super) const LIMITS: Limits = Limits { outgoing: 3, held: 2, remembered: 4, tickets: 2, lines: 2 };
const ENDPOINT: crate::Limits = crate::Limits {
    services: 2,
    ratchets: 3,
    peers: 8,
    wanted: 4,
    errands: 4,
    unproved: 8,
    links: 8,
    transfers: 4,
    channels: 2,
};

pub(super) struct World {
    pub(super) peers: Vec<Peer>,
    pub(super) now: Instant,
    /// Whether packets of a type are lost, announces and path requests apart.
    pub(super) loses: fn(&Packet<'_>) -> bool,
    announces: Vec<(DestinationHash, Vec<u8>)>,
    /// What was said to the relay, in order.
    pub(super) sent: Vec<Vec<u8>>,
}

pub(super) struct Peer {
    pub(super) organ: Lxmf,
    endpoint: Endpoint,
    pub(super) effects: Vec<Effect>,
    /// What the endpoint told and the organ did not claim.
    pub(super) unclaimed: Vec<Event>,
}

pub(super) fn identity(n: u8) -> ReticulumIdentity {
    ReticulumIdentity::from_private_blob(&[n; 64])
}

/// Where a peer takes messages.
pub(super) fn address_of(peer: u8) -> DestinationHash {
    Lxmf::new(identity(peer), LIMITS, &Seed::new([0; 32])).address()
}

impl World {
    pub(super) fn of(peers: u8) -> Self {
        let peer = |n: u8| {
            let seed = Seed::new([n; 32]);
            Peer {
                organ: Lxmf::new(identity(n), LIMITS, &seed),
                endpoint: Endpoint::new(identity(n), ENDPOINT, &Snapshot::empty(), &seed),
                effects: Vec::new(),
                unclaimed: Vec::new(),
            }
        };
        let peers = (0..peers).map(peer).collect();
        Self { peers, now: Instant::BOOT, loses: |_| false, announces: Vec::new(), sent: Vec::new() }
    }

    fn cx(&self) -> Cx {
        let wall = WallClock { unix_s: UNIX, error_s: 1, read_at: Instant::BOOT };
        Cx { wall: Some(wall), ..Cx::at(self.now) }
    }

    pub(super) fn address(&self, peer: usize) -> DestinationHash {
        self.peers[peer].organ.address()
    }

    /// The peer takes messages, and has that node.
    pub(super) fn serve_with(&mut self, peer: usize, node: Option<DestinationHash>) {
        let presence = Presence { name: None, stamp_cost: None, node };
        self.tell(peer, Input::Command(Command::Serve(presence)));
    }

    /// The peer takes messages, for a stamp of that cost.
    pub(super) fn serve(&mut self, peer: usize, stamp_cost: Option<u8>) {
        let name = Some("somebody".into());
        self.tell(peer, Input::Command(Command::Serve(Presence { name, stamp_cost, node: None })));
    }

    pub(super) fn send(&mut self, from: usize, to: usize, handle: u64, text: &[u8]) {
        let to = self.address(to);
        self.send_to(from, to, handle, text);
    }

    pub(super) fn send_to(&mut self, from: usize, to: DestinationHash, handle: u64, text: &[u8]) {
        let (title, content, lifetime) = (Vec::new(), text.to_vec(), Duration::from_secs(60));
        let outgoing = Outgoing { handle, to, title, content, lifetime };
        self.tell(from, Input::Command(Command::Send(outgoing)));
    }

    pub(super) fn effects(&mut self, peer: usize) -> Vec<Effect> {
        core::mem::take(&mut self.peers[peer].effects)
    }

    pub(super) fn tell(&mut self, peer: usize, input: Input) {
        let (cx, mut out) = (self.cx(), VecDeque::new());
        self.peers[peer].organ.handle(cx, input, &mut out);
        self.carry_out(peer, out);
    }

    pub(super) fn tell_endpoint(&mut self, peer: usize, input: Told) {
        let (cx, mut out) = (self.cx(), VecDeque::new());
        self.peers[peer].endpoint.handle(cx, input, &mut out);
        self.carry_out_endpoint(peer, out);
    }

    /// Lets so much time pass, and whatever is due in it happen.
    pub(super) fn pass(&mut self, time: Duration) {
        let until = self.now.after(time);
        loop {
            let due = |(n, peer): (usize, &Peer)| {
                let organ = peer.organ.next_timeout().map(|at| (at, n, true));
                organ.into_iter().chain(peer.endpoint.next_timeout().map(|at| (at, n, false))).min()
            };
            let next = self.peers.iter().enumerate().filter_map(due).min();
            let Some((at, peer, is_organ)) = next.filter(|(at, ..)| *at <= until) else { break };
            self.now = self.now.max(at);
            let cx = self.cx();
            if is_organ {
                let mut out = VecDeque::new();
                self.peers[peer].organ.handle_timeout(cx, &mut out);
                self.carry_out(peer, out);
            } else {
                let mut out = VecDeque::new();
                self.peers[peer].endpoint.handle_timeout(cx, &mut out);
                self.carry_out_endpoint(peer, out);
            }
        }
        self.now = until;
    }

    fn carry_out(&mut self, peer: usize, out: VecDeque<Effect>) {
        for effect in out {
            match effect {
                Effect::Endpoint(command) => self.tell_endpoint(peer, Told::Command(command)),
                effect @ (Effect::Arrived(_) | Effect::Delivered { .. } | Effect::Undelivered { .. }) => {
                    self.peers[peer].effects.push(effect);
                }
            }
        }
    }

    fn carry_out_endpoint(&mut self, peer: usize, out: VecDeque<Said>) {
        for effect in out {
            match effect {
                Said::EntropyWanted => self.tell_endpoint(peer, Told::Entropy([7; 32])),
                Said::Write { number, .. } => self.tell_endpoint(peer, Told::Durable(number)),
                Said::Transmit(bytes) => self.carry(peer, &bytes),
                // Whatever is announced answers path requests here.
                Said::Recall(destination) => {
                    self.tell_endpoint(peer, Told::Recalled { destination, announce: None });
                }
                Said::Event(event) => match self.peers[peer].organ.claim(&event) {
                    Claim::Claimed => self.tell(peer, Input::Endpoint(*event)),
                    Claim::Another => self.unclaimed(peer, *event),
                },
            }
        }
    }

    fn unclaimed(&mut self, peer: usize, event: Event) {
        if let Event::Needed { link, need: Need::Pack(handle, data) } = event {
            let supply = Supply::Packed(handle, Packing::Plain, data);
            return self.tell_endpoint(peer, Told::Command(Wish::Supply { link, supply }));
        }
        self.peers[peer].unclaimed.push(event);
    }

    fn carry(&mut self, from: usize, bytes: &[u8]) {
        self.sent.push(bytes.to_vec());
        let packet = Packet::decode(bytes).expect("what is said is a packet");
        if packet.packet_type == PacketType::Announce {
            let announce = Announce::from_packet(&packet).expect("it is one");
            self.announces.retain(|(destination, _)| *destination != announce.destination);
            self.announces.push((announce.destination, bytes.to_vec()));
        }
        if let Ok(request) = PathRequest::from_packet(&packet) {
            let known = self.announces.iter().find(|(destination, _)| *destination == request.wanted);
            let Some((_, announce)) = known.cloned() else { return };
            return self.tell_endpoint(from, Told::Packet(announce));
        }
        if (self.loses)(&packet) {
            return;
        }
        for other in (0..self.peers.len()).filter(|other| *other != from) {
            self.tell_endpoint(other, Told::Packet(bytes.to_vec()));
        }
    }
}
