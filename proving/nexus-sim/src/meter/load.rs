//! What frames are on the medium for, told from what they say.
//!
//! A decoder of its own: it knows kinds of messages, and nothing of what a node calls its frames.

use std::collections::BTreeMap;

use nexus_crypto::DestinationHash;
use nexus_wire::nexus::frame::{FrameKind, Head, SealedHeader};
use nexus_wire::nexus::gossip::StoreId;
use nexus_wire::nexus::message::{Message, MessageKind, Messages};
use nexus_wire::nexus::traffic::{Fragment, FragmentPlace};

/// What bytes are on the medium for. The order is that of claims: what a frame's messages share belongs to the last.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Load {
    /// What links need: handshakes, beacons, keys, pings, acknowledgements.
    Links,
    /// Packets.
    Traffic,
    /// Announces, costs, withdrawals, and what asks for paths.
    Announces,
    /// What brings this store together.
    Gossip(StoreId),
    /// A sealed frame that nobody opened to the meter, or a message of a kind that it does not know.
    Unopened,
}

impl Load {
    /// Whether it spends the tenth that announces and gossip have together. What could not be opened may have been either.
    #[must_use]
    pub const fn is_budgeted(self) -> bool {
        match self {
            Self::Announces | Self::Gossip(_) | Self::Unopened => true,
            Self::Links | Self::Traffic => false,
        }
    }

    /// What it is called in reports.
    #[must_use]
    pub fn name(self) -> String {
        match self {
            Self::Links => "links".to_owned(),
            Self::Traffic => "traffic".to_owned(),
            Self::Announces => "announces".to_owned(),
            Self::Gossip(StoreId(store)) => format!("gossip of store {store}"),
            Self::Unopened => "unopened".to_owned(),
        }
    }
}

/// What a frame is made of: its bytes by load, all of them.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Makeup {
    /// Never empty.
    parts: BTreeMap<Load, u64>,
}

impl Makeup {
    /// All of a frame of so many bytes is one load.
    #[must_use]
    pub fn whole(load: Load, length: usize) -> Self {
        Self { parts: BTreeMap::from([(load, bytes(length))]) }
    }

    /// Of a frame in clear: of a link, or an open packet.
    #[must_use]
    pub fn of_clear(frame: &[u8]) -> Self {
        let load = match frame.first().copied().and_then(Head::from_wire).map(Head::kind) {
            Some(FrameKind::SEALED | FrameKind::BROADCAST) => Load::Unopened,
            Some(_) => Load::Links,
            None => of_open_packet(frame),
        };
        Self::whole(load, frame.len())
    }

    /// Whether any of it spends what announces and gossip have.
    #[must_use]
    pub fn is_budgeted(&self) -> bool {
        self.parts.keys().any(|load| load.is_budgeted())
    }

    /// Divides an amount (time, bytes of a part of the frame) among the loads by their bytes.
    #[must_use]
    pub fn divide(&self, amount: u64) -> Vec<(Load, u64)> {
        let all: u64 = self.parts.values().sum();
        let mut left = amount;
        let mut divided: Vec<(Load, u64)> = Vec::with_capacity(self.parts.len());
        for (load, part) in &self.parts {
            let share = u128::from(amount) * u128::from(*part) / u128::from(all.max(1));
            let share = u64::try_from(share).expect("a part of a u64");
            left -= share;
            divided.push((*load, share));
        }
        // What rounding leaves belongs to the last.
        if let Some((_, share)) = divided.last_mut() {
            *share += left;
        }
        divided
    }
}

/// Which load each set of fragments is, by sender and key: the first piece tells.
#[derive(Debug, Default)]
pub struct Sets(BTreeMap<[u8; 3], (u32, Load)>);

impl Sets {
    /// What a sealed frame of so many bytes is made of, given its plaintext.
    ///
    /// Each message's bytes are its own load's. Header, tag and SIGNATURE belong to the last load in the frame.
    pub fn of_sealed(&mut self, header: SealedHeader, plaintext: &[u8], length: usize) -> Makeup {
        let mut parts: BTreeMap<Load, u64> = BTreeMap::new();
        let (mut messages, mut read) = (Messages::new(plaintext), 0);
        while let Some(Ok(message)) = messages.next() {
            let own = messages.consumed().len() - read;
            read = messages.consumed().len();
            if let Some(load) = self.of_message(header, &message) {
                *parts.entry(load).or_default() += bytes(own);
            }
        }
        let told: u64 = parts.values().sum();
        let last = parts.last_key_value().map_or(Load::Links, |(load, _)| *load);
        *parts.entry(last).or_default() += bytes(length).saturating_sub(told);
        Makeup { parts }
    }

    /// None for what belongs to the rest of its frame.
    fn of_message(&mut self, header: SealedHeader, message: &Message<'_>) -> Option<Load> {
        Some(match message.kind {
            MessageKind::SIGNATURE => return None,
            MessageKind::FRAGMENT => match message.parse::<Fragment<'_>>() {
                Ok(fragment) => self.of_piece(header, fragment.place(), fragment.piece()),
                Err(_) => Load::Unopened,
            },
            kind => of_kind(kind, message.body),
        })
    }

    fn of_piece(&mut self, header: SealedHeader, place: FragmentPlace, piece: &[u8]) -> Load {
        let [head, low, high, ..] = header.to_bytes();
        let (key, base) = ([head, low, high], header.counter.wrapping_sub(place.index().into()));
        if place.index() == 0 {
            let load = match piece.split_first() {
                Some((kind, body)) => {
                    MessageKind::first_of(&[*kind]).map_or(Load::Unopened, |kind| of_kind(kind, body))
                }
                None => Load::Unopened,
            };
            self.0.insert(key, (base, load));
        }
        self.0.get(&key).filter(|(known, _)| *known == base).map_or(Load::Unopened, |(_, load)| *load)
    }
}

fn of_kind(kind: MessageKind, body: &[u8]) -> Load {
    match kind {
        MessageKind::PACKET => body.get(2..).map_or(Load::Traffic, of_packet),
        MessageKind::ANNOUNCE | MessageKind::COST | MessageKind::COST_ACK | MessageKind::COST_REQUEST => {
            Load::Announces
        }
        MessageKind::SUMMARY | MessageKind::REQUEST | MessageKind::ITEMS | MessageKind::DONE => {
            Load::Gossip(StoreId(body.first().copied().unwrap_or_default()))
        }
        MessageKind::PING
        | MessageKind::PONG
        | MessageKind::REKEY
        | MessageKind::REKEY_ACK
        | MessageKind::BROADCAST_KEY
        | MessageKind::BROADCAST_KEY_ACK
        | MessageKind::ACK
        | MessageKind::CONGESTION => Load::Links,
        // A kind that the meter does not know is not taken for harmless.
        _ => Load::Unopened,
    }
}

/// A packet as a link carries it, or the first piece of one: without a transport id, so that the destination is behind flags and hops.
fn of_packet(packet: &[u8]) -> Load {
    told_by(packet, 2)
}

/// A packet as open media carry it: bit 6 of its flags says that a transport id stands before the destination.
fn of_open_packet(packet: &[u8]) -> Load {
    const TRANSPORT_ID: u8 = 0x40;
    let has_transport_id = packet.first().is_some_and(|flags| flags & TRANSPORT_ID != 0);
    told_by(packet, if has_transport_id { 18 } else { 2 })
}

fn told_by(packet: &[u8], destination_at: usize) -> Load {
    const TYPE: u8 = 0x03;
    const ANNOUNCE: u8 = 0x01;
    let is_announce = packet.first().is_some_and(|flags| flags & TYPE == ANNOUNCE);
    let destination = packet.get(destination_at..).and_then(<[u8]>::first_chunk::<{ DestinationHash::LEN }>);
    let asks = destination == Some(DestinationHash::PATH_REQUEST.as_bytes());
    if is_announce || asks { Load::Announces } else { Load::Traffic }
}

fn bytes(length: usize) -> u64 {
    u64::try_from(length).expect("a length fits u64")
}

#[cfg(test)]
mod tests {
    use super::*;
    use nexus_wire::nexus::Layout as _;
    use nexus_wire::nexus::control::{Ack, Signature};
    use nexus_wire::nexus::cost::CostRequest;
    use nexus_wire::nexus::frame::{BroadcastKeyId, KeyName, SEALED_OVERHEAD};
    use nexus_wire::nexus::gossip::{Done, StateHash};
    use nexus_wire::nexus::message::MessageWriter;

    const KEYS: Load = Load::Gossip(StoreId::KEYS);

    fn header(counter: u32) -> SealedHeader {
        SealedHeader { key: KeyName::Broadcast(BroadcastKeyId(7)), counter }
    }

    fn written(write: impl FnOnce(&mut MessageWriter<'_>)) -> Vec<u8> {
        let mut buffer = [0; 600];
        let mut writer = MessageWriter::new(&mut buffer);
        write(&mut writer);
        writer.finish().to_vec()
    }

    fn of(plaintext: &[u8]) -> Vec<(Load, u64)> {
        let length = plaintext.len() + SEALED_OVERHEAD;
        let makeup = Sets::default().of_sealed(header(0), plaintext, length);
        let parts = makeup.divide(bytes(length));
        assert_eq!(parts.iter().map(|(_, bytes)| bytes).sum::<u64>(), bytes(length), "nothing is left over");
        parts
    }

    /// A message to the plaintext's end.
    fn last(kind: MessageKind, body: &[u8]) -> Vec<u8> {
        [&[0x80 | kind.get()][..], body].concat()
    }

    #[test]
    fn a_frame_of_one_message_is_all_that_messages_load() {
        let whole = |load, length: u64| vec![(load, length + 23)];
        let request = CostRequest { destination: DestinationHash([7; 16]) };
        assert_eq!(of(&written(|w| w.put(&request).unwrap())), whole(Load::Announces, 19));
        assert_eq!(of(&last(MessageKind::ANNOUNCE, &[1; 200])), whole(Load::Announces, 201));
        assert_eq!(of(&last(MessageKind::COST, &[1; 33])), whole(Load::Announces, 34));
        assert_eq!(of(&last(MessageKind::PACKET, &[0; 100])), whole(Load::Traffic, 101));
        let done = Done { store: StoreId::KEYS, state_hash: StateHash([1; 16]) };
        assert_eq!(of(&written(|w| w.put(&done).unwrap())), whole(KEYS, 20));
        for kind in [MessageKind::SUMMARY, MessageKind::REQUEST, MessageKind::ITEMS] {
            assert_eq!(of(&last(kind, &[2; 50])), whole(Load::Gossip(StoreId(2)), 51));
        }
        assert_eq!(of(&last(MessageKind::PING, &[0; 12])), whole(Load::Links, 13));
        assert_eq!(of(&[]), whole(Load::Links, 0));
        assert_eq!(of(&last(MessageKind::new(0x7e).unwrap(), &[3; 9])), whole(Load::Unopened, 10));
    }

    #[test]
    fn what_rides_along_is_its_own_load_and_what_is_shared_belongs_to_what_is_bounded() {
        let mut plaintext = written(|w| w.put(&Ack { highest: 1, bitmap: 0 }).unwrap());
        plaintext.extend(last(MessageKind::ANNOUNCE, &[1; 200]));
        assert_eq!(of(&plaintext), [(Load::Links, 9), (Load::Announces, 201 + 23)]);
        let signed = written(|w| {
            w.put(&CostRequest { destination: DestinationHash([7; 16]) }).unwrap();
            w.put(&Signature(&[9; 64])).unwrap();
        });
        assert_eq!(of(&signed), [(Load::Announces, bytes(signed.len() + 23))]);
    }

    #[test]
    fn a_question_for_a_path_is_routing_though_it_is_a_packet() {
        let packet = [&[0x08, 0][..], DestinationHash::PATH_REQUEST.as_bytes(), &[0; 33]].concat();
        assert_eq!(Makeup::of_clear(&packet), Makeup::whole(Load::Announces, packet.len()));
        let on_a_link = last(MessageKind::PACKET, &[&[0, 0][..], &packet].concat());
        assert!(matches!(of(&on_a_link)[..], [(Load::Announces, _)]));
        let to_a_node = [&[0x08, 0][..], &[5; 16], &[0; 33]].concat();
        assert_eq!(Makeup::of_clear(&to_a_node), Makeup::whole(Load::Traffic, to_a_node.len()));
        let relayed = [&[0x48, 1][..], &[9; 16], DestinationHash::PATH_REQUEST.as_bytes(), &[0; 33]].concat();
        assert_eq!(Makeup::of_clear(&relayed), Makeup::whole(Load::Announces, relayed.len()));
    }

    #[test]
    fn pieces_are_what_the_first_of_their_set_is() {
        let piece = |index, bytes: &[u8]| {
            let place = FragmentPlace::new(index, 3).unwrap();
            let fragment = Fragment::new(place, bytes).unwrap();
            let mut buffer = vec![0; fragment.encoded_len()];
            last(MessageKind::FRAGMENT, fragment.encode(&mut buffer).unwrap())
        };
        let mut sets = Sets::default();
        let mut load = |counter, plaintext: &[u8]| {
            let makeup = sets.of_sealed(header(counter), plaintext, plaintext.len() + SEALED_OVERHEAD);
            makeup.divide(1).last().unwrap().0
        };
        let first = [&[0x80 | MessageKind::ITEMS.get()][..], &[1; 60]].concat();
        assert_eq!(load(10, &piece(0, &first)), KEYS);
        assert_eq!((load(11, &piece(1, &[0; 61])), load(12, &piece(2, &[0; 5]))), (KEYS, KEYS));
        assert_eq!(load(14, &piece(1, &[0; 61])), Load::Unopened, "of a set that nobody saw begin");
        let first = [&[0x80 | MessageKind::PACKET.get()][..], &[0; 60]].concat();
        assert_eq!(
            (load(15, &piece(0, &first)), load(16, &piece(1, &[0; 5]))),
            (Load::Traffic, Load::Traffic)
        );
    }

    #[test]
    fn what_is_sealed_and_was_not_opened_is_counted_as_that() {
        let sealed = Head::new(nexus_wire::nexus::frame::LinkVersion::ONE, FrameKind::SEALED).to_wire();
        assert_eq!(Makeup::of_clear(&[sealed; 40]), Makeup::whole(Load::Unopened, 40));
        let beacon = Head::new(nexus_wire::nexus::frame::LinkVersion::ONE, FrameKind::BEACON).to_wire();
        assert_eq!(Makeup::of_clear(&[beacon; 6]), Makeup::whole(Load::Links, 6));
    }
}
