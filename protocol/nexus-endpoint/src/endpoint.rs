//! The organ: own destinations, others' destinations, and what is said to them.
//!
//! Invariants: a ratchet and an emission time are durable before they are announced; what is kept of strangers has a bound; whoever
//! asked for something hears of its end once.

use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::vec;

use nexus_crypto::{DestinationHash, ReticulumIdentity};
use nexus_machine::{
    BoundedMap, Cx, Deadlines, Instant, Machine, MapOverflow, MemoryBound, Seed, Sink, Snapshot, Stream,
};
use nexus_wire::reticulum::announce::Occasion;
use nexus_wire::reticulum::resource::RequestId;
use nexus_wire::reticulum::{
    Context, DestinationType, LinkId, Packet, PacketType, Payload, TruncatedPacketHash,
};

use crate::contract::{Bytes, Command, Effect, Event, Failure, Handle, Input};
use crate::limits::{Limits, tree};
use crate::links::Links;
use crate::own::Own;
use crate::packets::Unproved;
use crate::peers::{self, Errand, Peer, Wanted};

/// The organ. See the crate's page.
#[derive(Debug)]
pub struct Endpoint {
    pub(crate) limits: Limits,
    pub(crate) identity: ReticulumIdentity,
    pub(crate) random: Stream,
    pub(crate) own: Own,
    /// A destination of another part of the node, whose links are taken.
    pub(crate) attended: Option<DestinationHash>,
    pub(crate) peers: BoundedMap<DestinationHash, Peer>,
    pub(crate) wanted: BTreeMap<DestinationHash, Wanted>,
    pub(crate) unproved: BTreeMap<TruncatedPacketHash, Unproved>,
    pub(crate) links: Links,
    pub(crate) deadlines: Deadlines<Timer>,
}

/// What is waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Timer {
    /// A destination is to be announced again.
    Announce(DestinationHash),
    /// A path that was asked for.
    Path(DestinationHash),
    /// The proof of a packet.
    Proof(TruncatedPacketHash),
    /// A link: that it comes up, that its other end is there.
    Link(LinkId),
    /// The proof of a packet on a link.
    Said(LinkId, TruncatedPacketHash),
    /// Resources of a link.
    Transfers(LinkId),
    /// The channel of a link.
    Channel(LinkId),
    /// The response to a request.
    Answer(LinkId, RequestId),
}

impl Endpoint {
    /// An endpoint of this identity, resuming from what was durable.
    #[must_use]
    pub fn new(identity: ReticulumIdentity, limits: Limits, snapshot: &Snapshot, seed: &Seed) -> Self {
        Self {
            limits,
            own: Own::resume(limits, snapshot),
            identity,
            attended: None,
            random: seed.fork("endpoint"),
            peers: BoundedMap::new(limits.peers, MapOverflow::EvictLeastRecent),
            wanted: BTreeMap::new(),
            unproved: BTreeMap::new(),
            links: Links::new(Links::answering()),
            deadlines: Deadlines::default(),
        }
    }

    fn hear(&mut self, cx: Cx, bytes: &[u8], out: &mut impl Sink<Effect>) {
        // No hop lies between the relay and here.
        let Ok(packet) = Packet::decode(bytes) else { return };
        match (packet.packet_type, packet.destination_type) {
            (PacketType::Announce, _) => self.hear_announce(cx, &packet, out),
            (PacketType::Proof, DestinationType::Single) => self.hear_proof(cx.now, &packet, out),
            (PacketType::Data, DestinationType::Single) => self.open(cx.now, &packet, out),
            (PacketType::Data, DestinationType::Plain) => self.answer_path_request(cx, &packet, out),
            (PacketType::Data | PacketType::Proof, DestinationType::Link) => {
                self.hear_on_link(cx, &packet, out);
            }
            (PacketType::LinkRequest, _) => self.hear_link_request(cx, &packet, out),
            (PacketType::Data, DestinationType::Group)
            | (PacketType::Proof, DestinationType::Plain | DestinationType::Group) => {}
        }
    }

    fn obey(&mut self, cx: Cx, command: Command, out: &mut impl Sink<Effect>) {
        match command {
            Command::Serve(service) => self.serve(cx, service, out),
            Command::Announce(destination) => self.announce(cx, destination, Occasion::Periodic, out),
            Command::Withdraw(destination) => self.withdraw(&destination),
            Command::Find { handle, destination } => {
                self.find(cx, destination, Errand::Tell { handle }, out);
            }
            Command::Send { handle, to, plaintext } => self.send(cx, handle, to, plaintext, out),
            Command::Seal { handle, to, plaintext } => self.seal(handle, &to, &plaintext.0, out),
            Command::Unseal { handle, destination, sealed } => {
                let header = Packet::originating(
                    PacketType::Data,
                    DestinationType::Single,
                    destination,
                    Context::NONE,
                );
                let plaintext = self.opened(cx.now, &Packet { data: &sealed.0, ..header }).map(Bytes);
                tell(Event::Unsealed { handle, plaintext }, out);
            }
            Command::Open { handle, to } => self.find(cx, to, Errand::Open { handle }, out),
            Command::Say { handle, link, plaintext } => self.tell_on(cx, handle, &link, &plaintext.0, out),
            Command::Identify { link } => self.identify(&link, out),
            Command::Request { handle, link, question } => self.request(cx, handle, &link, &question, out),
            Command::Respond { handle, link, request, data } => {
                self.respond(cx, handle, &link, request, &data.0, out);
            }
            Command::Attend(destination) => self.attended = Some(destination),
            Command::Carry { link, plaintext } => self.carry(&link, &plaintext.0, out),
            Command::Transfer { link, command } => self.command_transfers(cx, &link, command, out),
            Command::OpenChannel { link } => self.open_channel(&link),
            Command::Channel { link, command } => self.command_channel(cx, &link, command, out),
            Command::Supply { link, supply } => self.supply(cx, &link, supply, out),
            Command::Close { link } => self.close(&link, out),
        }
    }

    /// What a payload's packet is.
    pub(crate) fn say(payload: &impl Payload, out: &mut impl Sink<Effect>) {
        let mut buffer = [0; 256];
        let written = payload.encode(&mut buffer).expect("such payloads are short");
        out.push(Effect::Transmit(written.to_vec()));
    }

    pub(crate) fn put(packet: &Packet<'_>, out: &mut impl Sink<Effect>) {
        let mut buffer = vec![0; packet.encoded_len()];
        packet.encode(&mut buffer).expect("the buffer is as long as the packet");
        out.push(Effect::Transmit(buffer));
    }
}

impl Machine for Endpoint {
    type Input = Input;
    type Effect = Effect;

    fn handle(&mut self, cx: Cx, input: Input, out: &mut impl Sink<Effect>) {
        match input {
            Input::Entropy(entropy) => self.random.refresh(&entropy),
            Input::Durable(through) => self.durable(cx, through, out),
            Input::Packet(bytes) => self.hear(cx, &bytes, out),
            Input::Command(command) => self.obey(cx, command, out),
            Input::Recalled { destination, announce } => {
                self.recalled(cx, destination, announce.as_deref(), out);
            }
        }
    }

    fn handle_timeout(&mut self, cx: Cx, out: &mut impl Sink<Effect>) {
        while let Some(timer) = self.deadlines.pop_due(cx.now) {
            match timer {
                Timer::Announce(destination) => self.announce(cx, destination, Occasion::Periodic, out),
                Timer::Path(destination) => self.no_path_yet(cx, destination, out),
                Timer::Proof(packet) => self.not_proved(&packet, out),
                Timer::Link(link) => self.keep_link(cx, &link, out),
                Timer::Said(link, packet) => self.not_proved_on(&link, &packet, out),
                Timer::Transfers(link) => self.transfers_are_due(cx, &link, out),
                Timer::Channel(link) => self.channel_is_due(cx, &link, out),
                Timer::Answer(link, request) => self.not_answered(&link, &request, out),
            }
        }
    }

    fn next_timeout(&self) -> Option<Instant> {
        self.deadlines.next()
    }
}

impl MemoryBound for Endpoint {
    fn memory_bound(&self) -> usize {
        let Limits { services, wanted, unproved, .. } = self.limits;
        let timers = services.saturating_add(wanted).saturating_add(unproved);
        let timers = timers.saturating_add(Links::timers(self.limits));
        let heap = timers.saturating_mul(4).saturating_add(32).saturating_mul(size_of::<(Instant, Timer)>());
        self.own
            .memory_bound()
            .saturating_add(peers::memory_bound(self.limits))
            .saturating_add(Wanted::memory_bound(self.limits))
            .saturating_add(Unproved::memory_bound(self.limits))
            .saturating_add(Links::memory_bound(self.limits))
            .saturating_add(tree(timers, size_of::<(Timer, Instant)>()))
            .saturating_add(heap)
    }
}

/// Tells of the end of something.
pub(crate) fn fail(handle: Handle, why: Failure, out: &mut impl Sink<Effect>) {
    tell(Event::Failed { handle, why }, out);
}

pub(crate) fn tell(event: Event, out: &mut impl Sink<Effect>) {
    out.push(Effect::Event(Box::new(event)));
}
