//! A neighbour that lies about paths, and worlds in which one node is such a neighbour.
//!
//! It links as anybody does, hears what is announced, carries nothing, and says all day what may mislead: that it reaches everybody for nothing, or that
//! nobody knows for how much; emissions that were surpassed; that paths are gone which others have; questions without end; and new
//! destinations, whose announces are as genuine as any.

use std::collections::BTreeMap;

use nexus_crypto::{DestinationHash, IdentitySeed, NameHash, NodeIdentity};
use nexus_machine::{Cx, Duration, Instant, Snapshot, Stream, earliest};
use nexus_network::LinkId;
use nexus_network::announces::Choice;
use nexus_node::{Input, Node, Output};
use nexus_wire::nexus::Layout as _;
use nexus_wire::nexus::cost::{CostFlags, CostList, CostRecord, CostRequest, Segments, Standing};
use nexus_wire::nexus::frame::HEADER_LEN;
use nexus_wire::nexus::message::{Body, MessageKind, MessageWriter, Messages};
use nexus_wire::nexus::path_cost::{CompactPathCost, CostCode, Generation};
use nexus_wire::nexus::traffic;
use nexus_wire::reticulum::announce::{Claim, Occasion};
use nexus_wire::reticulum::{Announce, MTU, Packet, RandomHash};

use crate::actor::{Actor, Birth};
use crate::clock::Wall;
use crate::neighbour::Neighbour;
use crate::observation::NodeIndex;

/// How often it lies.
const EVERY: Duration = Duration::from_millis(250);
/// Destinations of others that it remembers,
const HEARD: usize = 200;
/// and of how many it lies at once.
const AT_ONCE: usize = 10;
/// The bit of a packet's first byte that promises a transport id, which links leave out.
const PROMISE: u8 = 0x50;

/// What such a neighbour says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Lie {
    /// Announces of others, as if it were each of them.
    Announces,
    /// Costs of others: nothing.
    Free,
    /// Costs of others: unknown.
    Unknown,
    /// The first emissions that it heard of others.
    Replays,
    /// That paths to others are gone.
    Withdrawals,
    /// Questions for other costs.
    Questions,
}

const LIES: [Lie; 6] =
    [Lie::Announces, Lie::Free, Lie::Unknown, Lie::Replays, Lie::Withdrawals, Lie::Questions];

/// A packet as links carry it, and what names its emission.
#[derive(Clone, Debug)]
struct Heard {
    packet: Vec<u8>,
    random_hash: RandomHash,
}

/// Such a neighbour.
#[derive(Debug)]
pub struct Liar {
    neighbour: Neighbour,
    /// Of each destination the first emission that it heard, and the last.
    heard: BTreeMap<DestinationHash, [Heard; 2]>,
    lies_at: Option<Instant>,
    turns: usize,
    /// New destinations in each turn.
    fresh: u32,
    random: Stream,
}

impl Liar {
    fn boot(birth: Birth, fresh: u32) -> Self {
        let random = birth.seed.fork("lies");
        let neighbour = Neighbour::boot(birth);
        Self { neighbour, heard: BTreeMap::new(), lies_at: None, turns: 0, fresh, random }
    }

    fn handle(&mut self, now: Instant, input: Input) {
        let cx = Cx::at(now);
        match input {
            Input::Frame { iface, from, bytes } => {
                if let Some(opened) = self.neighbour.hear(cx, iface, from, bytes) {
                    let plaintext = opened.bytes.get(HEADER_LEN..opened.end).unwrap_or_default().to_vec();
                    self.listen(&plaintext);
                    if let Some(whole) = opened.whole {
                        self.listen(whole.get(HEADER_LEN..).unwrap_or_default());
                    }
                }
            }
            other => {
                if matches!(other, Input::Up { .. }) {
                    self.lies_at.get_or_insert(now.after(EVERY));
                }
                self.neighbour.handle(now, other);
            }
        }
    }

    fn listen(&mut self, plaintext: &[u8]) {
        for message in Messages::new(plaintext).map_while(Result::ok) {
            if message.kind == MessageKind::ANNOUNCE
                && let Ok(traffic::Announce { packet, .. }) = message.parse::<traffic::Announce<'_>>()
            {
                self.remember(packet);
            }
        }
    }

    fn remember(&mut self, packet: &[u8]) {
        let mut plain = packet.to_vec();
        if let Some(flags) = plain.first_mut() {
            *flags &= !0x40;
        }
        let Ok(decoded) = Packet::decode(&plain) else { return };
        let Ok(announce) = Announce::from_packet(&decoded) else { return };
        let heard = Heard { packet: packet.to_vec(), random_hash: announce.claim.random_hash };
        if let Some([_, last]) = self.heard.get_mut(&announce.destination) {
            if heard.random_hash.emitted_at() > last.random_hash.emitted_at() {
                *last = heard;
            }
        } else if self.heard.len() < HEARD {
            self.heard.insert(announce.destination, [heard.clone(), heard]);
        }
    }

    fn handle_timeout(&mut self, now: Instant) {
        self.neighbour.handle_timeout(now);
        if self.lies_at.is_some_and(|at| at <= now) {
            self.lies_at = Some(now.after(EVERY));
            for link in self.neighbour.linked() {
                self.lie(Cx::at(now), link);
            }
            self.turns = self.turns.wrapping_add(1);
        }
    }

    fn lie(&mut self, cx: Cx, link: LinkId) {
        let about: Vec<(DestinationHash, [Heard; 2])> = self
            .heard
            .iter()
            .skip((self.turns / LIES.len() * AT_ONCE) % self.heard.len().max(1))
            .take(AT_ONCE)
            .map(|(destination, heard)| (*destination, heard.clone()))
            .collect();
        let free = CompactPathCost::ORIGIN;
        for (destination, [first, last]) in about {
            let record = |cost, standing| {
                let flags = CostFlags { standing, segments: Segments::Nexus, generation: Generation::FIRST };
                CostRecord { destination, random_hash: *last.random_hash.as_bytes(), cost, flags }
            };
            let unknown = CompactPathCost { cumulative_cost: CostCode::Unknown, ..free };
            let message = match LIES[self.turns % LIES.len()] {
                Lie::Announces => announce(free, &last.packet),
                Lie::Replays => announce(free, &first.packet),
                Lie::Free => list(&record(free, Standing::Offered)),
                Lie::Unknown => list(&record(unknown, Standing::Offered)),
                Lie::Withdrawals => list(&record(free, Standing::Withdrawn)),
                Lie::Questions => message_of(&CostRequest { destination }),
            };
            self.neighbour.say(cx, link, message);
        }
        for _ in 0..self.fresh {
            let packet = self.newcomer();
            self.neighbour.say(cx, link, announce(free, &packet));
        }
    }

    /// The announce of somebody who does not exist, signed by himself.
    fn newcomer(&mut self) -> Vec<u8> {
        let identity = NodeIdentity::from_seed(IdentitySeed::generate(&mut self.random));
        let claim = Claim {
            public: *identity.public().identity(),
            name: NameHash::NEXUS_NODE,
            random_hash: RandomHash::new(self.random.bytes(), Wall::EPOCH_UNIX_S),
            ratchet: None,
            app_data: &[],
        };
        let announce = claim.sign(identity.as_reticulum());
        let mut buffer = [0; MTU];
        let header = announce.originating_header(Occasion::Periodic);
        let mut packet = announce.encode_behind(&header, &mut buffer).expect("it has no data").to_vec();
        packet[0] |= PROMISE;
        packet
    }
}

fn announce(cost: CompactPathCost, packet: &[u8]) -> Vec<u8> {
    message_of(&traffic::Announce { cost, packet })
}

fn list(record: &CostRecord) -> Vec<u8> {
    let mut bytes = vec![0; CostRecord::LEN];
    record.encode(&mut bytes).expect("the buffer has a record's length");
    message_of(&CostList::decode(&bytes).expect("it was written as one"))
}

/// One message without a length, behind room for the frame's header.
fn message_of<'b>(body: &impl Body<'b>) -> Vec<u8> {
    let mut message = vec![0; HEADER_LEN + 1 + body.encoded_len()];
    MessageWriter::new(&mut message[HEADER_LEN..])
        .put_last(body)
        .expect("the buffer has the message's length");
    message
}

/// A node of a world in which node `LIAR` lies, and makes `FRESH` new destinations four times a second.
#[derive(Debug)]
pub enum Among<const LIAR: u32, const FRESH: u32> {
    /// A node.
    Honest(Box<Node>),
    /// The one that lies.
    Liar(Box<Liar>),
}

impl<const LIAR: u32, const FRESH: u32> Actor for Among<LIAR, FRESH> {
    fn address(identity: &[u8; 32]) -> DestinationHash {
        NodeIdentity::from_seed(IdentitySeed::from_bytes(*identity)).node_id().into()
    }

    fn remembers(store: &Snapshot, announce: &Announce<'_>) -> bool {
        Node::remembers(store, announce)
    }

    fn boot(birth: Birth) -> Self {
        if birth.node == NodeIndex(LIAR) {
            Self::Liar(Box::new(Liar::boot(birth, FRESH)))
        } else {
            Self::Honest(Box::new(<Node as Actor>::boot(birth)))
        }
    }

    fn handle(&mut self, now: Instant, input: Input) {
        match self {
            Self::Honest(node) => node.handle(now, input),
            Self::Liar(liar) => liar.handle(now, input),
        }
    }

    fn handle_timeout(&mut self, now: Instant) {
        match self {
            Self::Honest(node) => node.handle_timeout(now),
            Self::Liar(liar) => liar.handle_timeout(now),
        }
    }

    fn next_timeout(&self) -> Option<Instant> {
        match self {
            Self::Honest(node) => node.next_timeout(),
            Self::Liar(liar) => earliest([liar.neighbour.next_timeout(), liar.lies_at]),
        }
    }

    fn poll_output(&mut self) -> Option<Output> {
        match self {
            Self::Honest(node) => node.poll_output(),
            Self::Liar(liar) => liar.neighbour.poll_output(),
        }
    }

    fn choices(&self, all: &mut Vec<Choice>) {
        match self {
            Self::Honest(node) => node.choices(all),
            Self::Liar(_) => {}
        }
    }
}
