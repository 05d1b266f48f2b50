//! A Reticulum endpoint: one identity with one SINGLE destination, reached over one interface.
//!
//! It does no input or output: it is fed with packets and the time, and leaves packets and [`Event`]s. It carries nothing for others.
//! Nothing that was lost is sent again: it is for media that lose nothing. Source: spec/reticulum.md.

mod links;
mod resources;

use std::collections::BTreeMap;
use std::mem;
use std::time::Instant;

use nexus_crypto::exchange::{RatchetSecret, RecipientPublic};
use nexus_crypto::identity::IdentityPublic;
use nexus_crypto::single::{self, OpenedWith, WithoutRatchet};
use nexus_crypto::{DestinationHash, IdentityHash, NameHash, ReticulumIdentity, VerifyingKey};
use nexus_machine::{Seed, Stream};
use nexus_wire::reticulum::announce::{Claim, Occasion};
use nexus_wire::reticulum::{
    Announce, Context, DestinationType, Hops, LinkId, LinkMtu, Packet, PacketHash, PacketType, PathRequest,
    Payload, Proof, Propagation, RandomHash, path_request::Tag,
};

use links::Link;
pub use links::Side;

/// The longest packet that any interface carries, in bytes.
const PACKET_MAX: usize = 1 << 19;

/// Whether announces carry a ratchet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ratchets {
    /// They do.
    Announced,
    /// They do not.
    None,
}

/// What happened.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// An announce was heard and found valid.
    Announced(Heard),
    /// A SINGLE packet was opened; its proof was sent.
    Data {
        /// What it says.
        plaintext: Vec<u8>,
        /// To which key it was encrypted.
        with: OpenedWith,
    },
    /// A packet that was sent outside of links, or on one, is proved.
    Proved(PacketHash),
    /// A link is up, as seen from this side.
    LinkUp(LinkId, Side, LinkMtu),
    /// Data came on a link; its proof was sent.
    LinkData(LinkId, Vec<u8>),
    /// The other side said that it is there.
    KeptAlive(LinkId),
    /// The other side said who it is.
    Identified(LinkId, IdentityHash),
    /// A request was answered.
    Answered(LinkId, Vec<u8>),
    /// A resource came complete, and its proof was sent.
    Resource(LinkId, Vec<u8>),
    /// A resource that was sent is proved.
    ResourceProved(LinkId),
    /// The other side closed the link.
    Closed(LinkId),
    /// Something of a context that was [handed out](Endpoint::hand_out) came on a link: opened, or as it came where it is said in clear. The hash
    /// is the packet's.
    Passed(LinkId, Context, Vec<u8>, PacketHash),
}

/// An announce as it came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Heard {
    /// What is announced.
    pub destination: DestinationHash,
    /// Whose it is.
    pub public: IdentityPublic,
    /// How far it came, the last hop counted.
    pub hops: u8,
    /// The relay that it came from.
    pub transport: Option<IdentityHash>,
    /// Whether it has a ratchet.
    pub ratchet: Option<nexus_crypto::exchange::RatchetPublic>,
    /// The application's own.
    pub app_data: Vec<u8>,
    /// What it was sent for.
    pub context: Context,
    /// Which emission it is.
    pub random_hash: RandomHash,
}

/// The endpoint.
pub struct Endpoint {
    identity: ReticulumIdentity,
    name: NameHash,
    ratchet: Option<RatchetSecret>,
    random: Stream,
    emission: u64,
    offered: LinkMtu,
    known: BTreeMap<DestinationHash, Heard>,
    unproved: BTreeMap<PacketHash, VerifyingKey>,
    links: BTreeMap<LinkId, Link>,
    handed_out: Vec<Context>,
    out: Vec<Vec<u8>>,
    events: Vec<Event>,
}

impl Endpoint {
    /// The endpoint of this seed, whose destination has this name. `offered` is what its interface carries.
    #[must_use]
    pub fn new(seed: &Seed, name: &str, ratchets: Ratchets, offered: LinkMtu) -> Self {
        let mut random = seed.fork("endpoint");
        let identity = ReticulumIdentity::generate(&mut random);
        let ratchet = match ratchets {
            Ratchets::Announced => Some(RatchetSecret::generate(&mut random)),
            Ratchets::None => None,
        };
        Self {
            identity,
            name: NameHash::of(name),
            ratchet,
            random,
            emission: 0,
            offered,
            known: BTreeMap::new(),
            unproved: BTreeMap::new(),
            links: BTreeMap::new(),
            handed_out: Vec::new(),
            out: Vec::new(),
            events: Vec::new(),
        }
    }

    /// Its address.
    #[must_use]
    pub fn destination(&self) -> DestinationHash {
        DestinationHash::of(self.name, self.identity.hash())
    }

    /// Who it is.
    #[must_use]
    pub const fn identity(&self) -> &ReticulumIdentity {
        &self.identity
    }

    /// The last valid announce of a destination.
    #[must_use]
    pub fn known(&self, destination: DestinationHash) -> Option<&Heard> {
        self.known.get(&destination)
    }

    /// Leaves what comes on links under these contexts to whoever drives the endpoint, [`Event::Passed`], and does nothing about it.
    pub fn hand_out(&mut self, contexts: &[Context]) {
        self.handed_out.extend(contexts);
    }

    /// Packets that are to be sent.
    pub fn take_packets(&mut self) -> Vec<Vec<u8>> {
        mem::take(&mut self.out)
    }

    /// What happened since this was asked.
    pub fn take_events(&mut self) -> Vec<Event> {
        mem::take(&mut self.events)
    }

    /// Announces its destination at `unix_s`, or a second after the last emission if that is later.
    pub fn announce(&mut self, app_data: &[u8], occasion: Occasion, unix_s: u64) {
        self.emission = unix_s.max(self.emission.saturating_add(1));
        let claim = Claim {
            public: *self.identity.public(),
            name: self.name,
            random_hash: RandomHash::new(self.random.bytes(), self.emission),
            ratchet: self.ratchet.as_ref().map(RatchetSecret::public),
            app_data,
        };
        let announce = claim.sign(&self.identity);
        let mut buffer = [0; 600];
        // One that relays could not carry is written all the same: that they do not is what is tested.
        let written = announce.encode_behind(&announce.originating_header(occasion), &mut buffer);
        let written = written.expect("the application's data fits the buffer").to_vec();
        self.out.push(written);
    }

    /// Asks for a path.
    pub fn request_path(&mut self, wanted: DestinationHash) {
        let tag = Tag::new(&self.random.bytes::<16>()).expect("it is as long as a tag may be");
        self.say(&PathRequest { wanted, requester: None, tag });
    }

    /// Encrypts to a known destination. What the proof will name; none if the destination is not known.
    pub fn send(&mut self, to: DestinationHash, plaintext: &[u8]) -> Option<PacketHash> {
        let heard = self.known.get(&to)?.clone();
        let exchange = heard.public.exchange();
        let key = match &heard.ratchet {
            Some(ratchet) => RecipientPublic::Ratchet(ratchet),
            None => RecipientPublic::Identity(&exchange),
        };
        let sealed = single::encrypt(heard.public.hash(), key, plaintext, &mut self.random).ok()?;
        let header = Packet::originating(PacketType::Data, DestinationType::Single, to, Context::NONE);
        let packet = Packet { data: &sealed, ..routed(header, &heard) };
        self.unproved.insert(packet.hash(), heard.public.verifying());
        self.put(&packet);
        Some(packet.hash())
    }

    /// Takes a packet off the interface. What is malformed, not valid or for others leaves nothing.
    pub fn receive(&mut self, bytes: &[u8], unix_s: u64, now: Instant) {
        let Some(packet) = Packet::decode(bytes).ok().and_then(counted) else { return };
        let destination = self.destination();
        match packet.packet_type {
            PacketType::Announce => self.hear(&packet),
            PacketType::LinkRequest if packet.destination == destination => self.accept(&packet, now),
            PacketType::LinkRequest => {}
            PacketType::Proof if packet.context == Context::LINK_REQUEST_PROOF => {
                self.establish(&packet, now);
            }
            PacketType::Proof if self.handed_out.contains(&packet.context) => self.pass(&packet),
            PacketType::Proof if packet.context == Context::RESOURCE_PROOF => {
                self.hear_resource_proof(&packet);
            }
            PacketType::Proof => self.hear_proof(&packet),
            PacketType::Data => match packet.destination_type {
                DestinationType::Link => self.hear_on_link(&packet),
                DestinationType::Single if packet.destination == destination => self.open(&packet),
                DestinationType::Plain => {
                    let asked =
                        PathRequest::from_packet(&packet).is_ok_and(|asked| asked.wanted == destination);
                    if asked {
                        self.announce(&[], Occasion::PathResponse, unix_s);
                    }
                }
                DestinationType::Single | DestinationType::Group => {}
            },
        }
    }

    fn hear(&mut self, packet: &Packet<'_>) {
        let Ok(announce) = Announce::from_packet(packet) else { return };
        if announce.verify().is_err() || announce.destination == self.destination() {
            return;
        }
        let heard = Heard {
            destination: announce.destination,
            public: announce.claim.public,
            hops: packet.hops.get(),
            transport: packet.transport,
            ratchet: announce.claim.ratchet,
            app_data: announce.claim.app_data.to_vec(),
            context: packet.context,
            random_hash: announce.claim.random_hash,
        };
        // As everybody keeps them: the first copy of each emission, and none that is older.
        let emitted = heard.random_hash.emitted_at();
        let newer = |known: &Heard| known.random_hash.emitted_at() < emitted;
        if self.known.get(&heard.destination).is_none_or(newer) {
            self.known.insert(heard.destination, heard.clone());
        }
        self.events.push(Event::Announced(heard));
    }

    fn open(&mut self, packet: &Packet<'_>) {
        let accepted = WithoutRatchet::Accepted;
        let opened = single::decrypt(&self.identity, self.ratchet.as_ref(), accepted, packet.data);
        let Ok(opened) = opened else { return };
        self.say(&Proof::implicit(&packet.hash(), &self.identity));
        self.events.push(Event::Data { plaintext: opened.plaintext, with: opened.with });
    }

    fn hear_proof(&mut self, packet: &Packet<'_>) {
        let Ok(proof) = Proof::from_packet(packet) else { return };
        let proves = |(hash, key): &(&PacketHash, &VerifyingKey)| proof.verify(hash, key).is_ok();
        let Some(hash) = self.unproved.iter().find(proves).map(|(hash, _)| *hash) else { return };
        self.unproved.remove(&hash);
        self.events.push(Event::Proved(hash));
    }

    fn say(&mut self, payload: &impl Payload) {
        let mut buffer = [0; 600];
        let written = payload.encode(&mut buffer).expect("such payloads are short").to_vec();
        self.out.push(written);
    }

    fn put(&mut self, packet: &Packet<'_>) {
        let mut buffer = vec![0; packet.encoded_len()];
        packet.encode(&mut buffer).expect("the buffer is as long as the packet");
        self.out.push(buffer);
    }
}

/// The header by which a packet reaches the destination that was `heard`: over the relay that its announce came from.
fn routed<'a>(header: Packet<'a>, heard: &Heard) -> Packet<'a> {
    if heard.hops > 1 && heard.transport.is_some() {
        Packet { transport: heard.transport, propagation: Propagation::Transport, ..header }
    } else {
        header
    }
}

/// With the hop counted that it just came.
fn counted(packet: Packet<'_>) -> Option<Packet<'_>> {
    Hops::new(packet.hops.get().checked_add(1)?).map(|hops| Packet { hops, ..packet })
}
