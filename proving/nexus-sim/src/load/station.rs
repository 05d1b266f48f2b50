//! A node whose applications offer packets: the whole network layer, and above it nothing that answers.

use std::collections::VecDeque;

use nexus_crypto::{DestinationHash, IdentitySeed, NodeId, NodeIdentity, RatchetSecret};
use nexus_machine::{Cx, Instant, Machine as _, Seed, Snapshot, Stream, Ticket};
use nexus_network::announces::{AppData, Choice};
use nexus_network::tally::Reckoning;
use nexus_network::{
    self as network, Account, Class, Frame, Limits, LinkStatus, Network, Opened, Originated, PathPolicy,
    Tapping, Writer,
};
use nexus_node::{Command, Content, Event, Input, Message, Outgoing, Output, Sender, Undelivered};
use nexus_wire::reticulum::{Announce, Context, DestinationType, MTU, Packet, PacketType};

use crate::actor::{Actor, Birth};

/// Such a node. What arrives is told as a message, its label and the rest; packets are not encrypted, since nothing here reads them but
/// whoever counts. It proves probes of its own kind and nothing else, and what it proves with is not looked at: its peers are as it is.
#[derive(Debug)]
pub struct Station {
    network: Network,
    /// Its announces need one; nobody seals with it.
    ratchet: RatchetSecret,
    /// Whose the tickets are that are not durable yet.
    tickets: VecDeque<(Ticket, Writer, u64)>,
    next_ticket: u64,
    arrived: u64,
    /// Its probes that nobody proved yet: what a proof names, and their numbers. The oldest go.
    probes: VecDeque<([u8; 16], u64)>,
    random: Stream,
    outputs: VecDeque<Output>,
}

/// What a probe says first, where a packet has its label.
const PROBE: &[u8; 8] = b"?probe??";
/// So many probes wait for their proofs: as many as are in doubt at once.
const PROBES: usize = 256;
/// As long as a signature.
const PROOF: [u8; 64] = [0; 64];

impl Actor for Station {
    fn address(identity: &[u8; 32]) -> DestinationHash {
        NodeIdentity::from_seed(IdentitySeed::from_bytes(*identity)).node_id().into()
    }

    /// Its ratchet follows from its identity.
    fn remembers(store: &Snapshot, announce: &Announce<'_>) -> bool {
        let times = store.scan(network::announces::EMISSIONS).filter_map(|(_, value)| value.try_into().ok());
        times.map(u64::from_le_bytes).max() >= Some(announce.claim.random_hash.emitted_at())
    }

    fn boot(birth: Birth) -> Self {
        let identity = IdentitySeed::from_bytes(birth.identity);
        let ratchet = RatchetSecret::from_bytes(&Seed::new(birth.identity).fork("ratchet").bytes());
        let network =
            Network::new(&identity, AppData::default(), Limits::default(), &birth.snapshot, &birth.seed);
        let (tickets, outputs, probes) = (VecDeque::new(), VecDeque::new(), VecDeque::new());
        let random = birth.seed.fork("probes");
        Self { network, ratchet, tickets, next_ticket: 0, arrived: 0, probes, random, outputs }
    }

    fn handle(&mut self, now: Instant, input: Input) {
        use network::Input as N;
        let cx = Cx::at(now);
        let input = match input {
            Input::Frame { iface, from, bytes } => N::Frame { iface, from, bytes },
            Input::Up { iface, profile } => N::Up(iface, profile),
            Input::Down { iface } => N::Down(iface),
            Input::TxReady { iface } => N::TxReady(iface),
            Input::ChannelBusy { iface } => N::ChannelBusy(iface),
            Input::ChannelClear { iface } => N::ChannelClear(iface),
            Input::Entropy(entropy) => N::Entropy(entropy),
            Input::Persisted { through } => return self.persisted(cx, through),
            Input::Command(Command::Start) => N::Ratchet(self.ratchet.public()),
            Input::Command(Command::Price { iface, price }) => N::Price { iface, price },
            Input::Command(Command::Weigh { node, weight }) => N::Weigh { node, weight },
            Input::Command(Command::Send(outgoing)) => return self.offer(cx, &outgoing),
            // It has no inbox, no applications of other protocols, and no neighbours that it chooses.
            Input::Command(_) | Input::WallClock { .. } | Input::Read { .. } => return,
        };
        self.tell(cx, input);
    }

    fn handle_timeout(&mut self, now: Instant) {
        let mut effects = VecDeque::new();
        self.network.handle_timeout(Cx::at(now), &mut effects);
        self.act(Cx::at(now), effects);
    }

    fn next_timeout(&self) -> Option<Instant> {
        self.network.next_timeout()
    }

    fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    fn turn_tap(&mut self, tapping: Tapping) {
        self.network.turn_tap(tapping);
    }

    fn take_opened(&mut self) -> Option<Opened> {
        self.network.take_opened()
    }

    fn choices(&self, all: &mut Vec<Choice>) {
        all.extend(self.network.announces().choices());
    }
}

impl Station {
    fn offer(&mut self, cx: Cx, outgoing: &Outgoing) {
        let Content::Message { text, .. } = &outgoing.content else { return };
        let Some(packet) = packet(outgoing.to, text) else { return };
        let (handle, class) = (outgoing.handle, outgoing.class.unwrap_or(Class::Interactive));
        self.tell(
            cx,
            network::Input::Originate { handle, packet, policy: PathPolicy::of_class(class), class },
        );
    }

    fn persisted(&mut self, cx: Cx, through: Ticket) {
        while let Some((_, by, number)) = self.tickets.pop_front_if(|(ticket, ..)| *ticket <= through) {
            self.tell(cx, network::Input::Durable { by, through: number });
        }
    }

    fn tell(&mut self, cx: Cx, input: network::Input) {
        let mut effects = VecDeque::new();
        self.network.handle(cx, input, &mut effects);
        self.act(cx, effects);
    }

    fn act(&mut self, cx: Cx, effects: VecDeque<network::Effect>) {
        use network::Effect as N;
        for effect in effects {
            let output = match effect {
                N::Transmit(Frame { iface, to, bytes, .. }) => Output::Transmit { iface, to, bytes },
                N::Sense(iface) => Output::Sense { iface },
                N::Jammed(iface) => Output::Event(Event::ChannelJammed { iface }),
                N::Write { by, number, write } => {
                    let ticket = Ticket(self.next_ticket);
                    self.next_ticket += 1;
                    self.tickets.push_back((ticket, by, number));
                    Output::Persist { ticket, writes: vec![write] }
                }
                N::Reached(seen) => Output::Event(Event::Reached {
                    destination: seen.destination,
                    emitted_at: seen.emitted_at,
                    hops: seen.hops,
                    iface: seen.iface,
                }),
                N::Announced { emitted_at } => Output::Event(Event::Announced { emitted_at }),
                N::PathFound { destination, hops, after } => {
                    Output::Event(Event::PathFound { destination, hops, after })
                }
                N::PathNotFound { destination } => Output::Event(Event::PathNotFound { destination }),
                N::LinkUp(status) => {
                    self.open_account(cx, &status);
                    Output::Event(Event::LinkUp(*status))
                }
                N::LinkDown { last, why } => Output::Event(Event::LinkDown { last: *last, why }),
                N::EntropyWanted => Output::Event(Event::EntropyWanted),
                N::Originated { handle, outcome: Originated::NoPath | Originated::Malformed } => {
                    Output::Event(Event::Undelivered { handle, why: Undelivered::NoPath })
                }
                N::Arrived { packet, class, from: _ } => match self.read(cx, &packet, class) {
                    Some(message) => Output::Event(Event::MessageArrived(message)),
                    None => continue,
                },
                N::Probe { number, node, .. } => {
                    self.probe(cx, number, node);
                    continue;
                }
                // What leaves is seen on its medium; it keeps no books.
                N::Originated { outcome: Originated::Left(_), .. }
                | N::Store(_)
                | N::Key(_)
                | N::OfMoney { .. }
                | N::Counted { .. }
                | N::ChannelWanted(_) => continue,
            };
            self.outputs.push_back(output);
        }
    }

    /// A station keeps no channels: everybody pays its price, and has credit without end.
    fn open_account(&mut self, cx: Cx, link: &LinkStatus) {
        let reckoning = Reckoning::Counted { limit: u64::MAX, mark: u64::MAX };
        let account = Account::Reckon(link.peer.node_id(), reckoning);
        self.tell(cx, network::Input::Account(account));
    }

    fn probe(&mut self, cx: Cx, number: u64, node: NodeId) {
        let payload = [&PROBE[..], &self.random.bytes::<16>()].concat();
        let Some(packet) = packet(node, &payload) else { return };
        if let Ok(read) = Packet::decode(&packet) {
            if self.probes.len() == PROBES {
                self.probes.pop_front();
            }
            self.probes.push_back((read.truncated_hash().0, number));
        }
        self.tell(cx, network::Input::Probe { number, packet });
    }

    fn read(&mut self, cx: Cx, packet: &[u8], class: Class) -> Option<Message> {
        let packet = Packet::decode(packet).ok()?;
        match packet.packet_type {
            PacketType::Data if packet.data.starts_with(PROBE) => {
                let proved = DestinationHash(packet.truncated_hash().0);
                let proof =
                    Packet::originating(PacketType::Proof, DestinationType::Single, proved, Context::NONE);
                let mut buffer = [0; MTU];
                let proof = Packet { data: &PROOF, ..proof }.encode(&mut buffer).ok()?.to_vec();
                self.tell(cx, network::Input::Prove { packet: proof, class });
                None
            }
            PacketType::Data => {
                self.arrived += 1;
                let (number, text) = (self.arrived, packet.data.to_vec());
                Some(Message { number, sender: Sender::Anonymous, unix_s: 0, text })
            }
            PacketType::Proof => {
                let place = self.probes.iter().position(|(proved, _)| *proved == packet.destination.0)?;
                let (_, number) = self.probes.remove(place)?;
                self.tell(cx, network::Input::Probed { number });
                None
            }
            PacketType::Announce | PacketType::LinkRequest => None,
        }
    }
}

/// A packet of this payload, as its originator writes it.
pub(super) fn packet(to: NodeId, payload: &[u8]) -> Option<Vec<u8>> {
    let header = Packet::originating(PacketType::Data, DestinationType::Single, to.into(), Context::NONE);
    let mut buffer = [0; MTU];
    Packet { data: payload, ..header }.encode(&mut buffer).ok().map(|packet| packet.to_vec())
}
