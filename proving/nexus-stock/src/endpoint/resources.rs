//! Resources: what does not fit a packet of a link, of one segment, not compressed. Source: spec/reticulum.md#resource.

use std::collections::BTreeMap;

use nexus_crypto::hash::{sha256, sha256_truncated};
use nexus_wire::reticulum::{Context, LinkId, Packet, PacketType};

use super::{Endpoint, Event};
use crate::msgpack::Value;

/// Hashes of parts in one advertisement, or one update.
const HASHES: usize = 74;
/// Parts asked for at once.
const WINDOW: usize = 4;
/// The longest resource, in bytes: one segment.
const LEN_MAX: usize = (1 << 20) - 1;

const ENCRYPTED: u64 = 1;
const COMPRESSED: u64 = 1 << 1;
const IS_REQUEST: u64 = 1 << 3;
const IS_RESPONSE: u64 = 1 << 4;

type PartHash = [u8; 4];

/// A resource that is sent.
pub(super) struct Outgoing {
    hash: [u8; 32],
    proof: [u8; 32],
    parts: Vec<Vec<u8>>,
    hashes: Vec<PartHash>,
}

/// A resource that comes.
pub(super) struct Incoming {
    hash: [u8; 32],
    random: Vec<u8>,
    flags: u64,
    request: Option<[u8; 16]>,
    hashes: Vec<PartHash>,
    parts: BTreeMap<usize, Vec<u8>>,
    count: usize,
    asked: usize,
}

impl Endpoint {
    /// Offers `data` to the other side of a link, which takes what it wants of it.
    pub fn send_resource(&mut self, link: LinkId, data: &[u8]) {
        self.offer(link, data, None);
    }

    pub(super) fn offer(&mut self, id: LinkId, data: &[u8], request: Option<[u8; 16]>) {
        assert!(data.len() <= LEN_MAX, "a resource of an endpoint has one segment");
        let random: [u8; 4] = self.random.bytes();
        let blob = [&self.random.bytes::<4>()[..], data].concat();
        let Some(link) = self.links.get_mut(&id) else { return };
        let Some(token) = link.key().map(|key| key.encrypt(&blob, &mut self.random)) else { return };
        let parts: Vec<_> = token.chunks(link.part()).map(<[u8]>::to_vec).collect();
        let hashes: Vec<_> = parts.iter().map(|part| part_hash(part, &random)).collect();
        let hash = sha256(&[data, &random]);
        let flags = ENCRYPTED | if request.is_some() { IS_RESPONSE } else { 0 };
        let int = |number: usize| Value::Int(u64::try_from(number).unwrap_or(u64::MAX));
        let advertisement = [
            ("t", int(token.len())),
            ("d", int(data.len())),
            ("n", int(parts.len())),
            ("h", Value::bin(&hash)),
            ("r", Value::bin(&random)),
            ("o", Value::bin(&hash)),
            ("i", Value::Int(1)),
            ("l", Value::Int(1)),
            ("q", request.map_or(Value::Nil, |request| Value::bin(&request))),
            ("f", Value::Int(flags)),
            ("m", Value::Bin(hashes.iter().take(HASHES).flatten().copied().collect())),
        ];
        link.outgoing = Some(Outgoing { hash, proof: sha256(&[data, &hash]), parts, hashes });
        let named = advertisement.map(|(name, value)| (name.to_owned(), value));
        self.say_on(id, Context::RESOURCE_ADVERTISEMENT, &Value::Map(named.into()).encode());
    }

    pub(super) fn hear_resource_request(&mut self, id: LinkId, request: &[u8]) {
        let Some(outgoing) = self.links.get(&id).and_then(|link| link.outgoing.as_ref()) else { return };
        let Some((exhausted, rest)) = request.split_first() else { return };
        let (last, rest) = match *exhausted {
            0 => (None, rest),
            _ => rest.split_at_checked(4).map_or((None, rest), |(last, rest)| (Some(last), rest)),
        };
        let Some((hash, wanted)) = rest.split_at_checked(32) else { return };
        if hash != outgoing.hash {
            return;
        }
        let place = |hash: &[u8]| outgoing.hashes.iter().position(|known| known == hash);
        let parts: Vec<_> =
            wanted.chunks(4).filter_map(place).map(|place| outgoing.parts[place].clone()).collect();
        let update = last.and_then(place).map(|place| {
            let segment = (place + 1) / HASHES;
            let hashes = outgoing.hashes.iter().skip(segment * HASHES).take(HASHES);
            let hashes = Value::Bin(hashes.flatten().copied().collect());
            let segment = Value::Int(u64::try_from(segment).unwrap_or(u64::MAX));
            [hash, &Value::Array(vec![segment, hashes]).encode()].concat()
        });
        for part in parts {
            self.say_in_clear(id, PacketType::Data, Context::RESOURCE, &part);
        }
        if let Some(update) = update {
            self.say_on(id, Context::RESOURCE_HASHMAP_UPDATE, &update);
        }
    }

    pub(super) fn hear_resource_proof(&mut self, packet: &Packet<'_>) {
        let Some(id) = packet.link() else { return };
        let Some(link) = self.links.get_mut(&id) else { return };
        let proved = |outgoing: &Outgoing| packet.data == [outgoing.hash, outgoing.proof].concat();
        if link.outgoing.as_ref().is_some_and(proved) {
            link.outgoing = None;
            self.events.push(Event::ResourceProved(id));
        }
    }

    pub(super) fn hear_advertisement(&mut self, id: LinkId, advertisement: &[u8]) {
        let Some(Value::Map(said)) = Value::decode(advertisement) else { return };
        let bin = |name: &str| said.get(name).and_then(Value::as_bin);
        let int = |name: &str| said.get(name).and_then(Value::as_int);
        let (Some(hash), Some(random), Some(hashes)) = (bin("h"), bin("r"), bin("m")) else { return };
        let (Some(flags), Some(count), Some(1)) = (int("f"), int("n"), int("l")) else { return };
        let (Ok(hash), Ok(count)) = (hash.try_into(), usize::try_from(count)) else { return };
        let Some(link) = self.links.get_mut(&id) else { return };
        if count > LEN_MAX / 64 {
            return;
        }
        link.incoming = Some(Incoming {
            hash,
            random: random.to_vec(),
            flags,
            request: bin("q").and_then(|request| request.try_into().ok()),
            hashes: part_hashes(hashes),
            parts: BTreeMap::new(),
            count,
            asked: 0,
        });
        self.ask_on(id);
    }

    pub(super) fn hear_hashmap(&mut self, id: LinkId, update: &[u8]) {
        let Some(incoming) = self.links.get_mut(&id).and_then(|link| link.incoming.as_mut()) else { return };
        let Some((hash, update)) = update.split_at_checked(32) else { return };
        let Some(Value::Array(update)) = Value::decode(update) else { return };
        let [Value::Int(segment), Value::Bin(hashes)] = &update[..] else { return };
        let begins = usize::try_from(*segment).ok().and_then(|segment| segment.checked_mul(HASHES));
        if hash == incoming.hash && begins == Some(incoming.hashes.len()) {
            incoming.hashes.extend(part_hashes(hashes));
            self.ask_on(id);
        }
    }

    pub(super) fn hear_part(&mut self, id: LinkId, part: &[u8]) {
        let Some(incoming) = self.links.get_mut(&id).and_then(|link| link.incoming.as_mut()) else { return };
        let hash = part_hash(part, &incoming.random);
        let mut places = incoming.hashes.iter().enumerate().filter(|(_, known)| **known == hash);
        let Some((place, _)) = places.find(|(place, _)| !incoming.parts.contains_key(place)) else { return };
        incoming.parts.insert(place, part.to_vec());
        if incoming.parts.len() == incoming.count {
            self.put_together(id);
        } else if incoming.parts.len() >= incoming.asked {
            self.ask_on(id);
        }
    }

    /// Asks for the next parts, and for more hashes where those known end.
    fn ask_on(&mut self, id: LinkId) {
        let Some(incoming) = self.links.get_mut(&id).and_then(|link| link.incoming.as_mut()) else { return };
        let wanted = incoming.hashes.iter().enumerate().skip(incoming.asked).take(WINDOW);
        let wanted: Vec<_> = wanted.map(|(_, hash)| *hash).collect();
        incoming.asked += wanted.len();
        let exhausted = wanted.len() < WINDOW && incoming.hashes.len() < incoming.count;
        let mut request = vec![if exhausted { 0xff } else { 0 }];
        if exhausted {
            request.extend(incoming.hashes.last().into_iter().flatten());
        }
        request.extend_from_slice(&incoming.hash);
        request.extend(wanted.iter().flatten());
        self.say_on(id, Context::RESOURCE_REQUEST, &request);
    }

    fn put_together(&mut self, id: LinkId) {
        let Some(link) = self.links.get_mut(&id) else { return };
        let Some(incoming) = link.incoming.take() else { return };
        let token: Vec<u8> = incoming.parts.into_values().flatten().collect();
        let Some(blob) = link.key().and_then(|key| key.decrypt(&token).ok()) else { return };
        let Some((_, data)) = blob.split_at_checked(4) else { return };
        // What was compressed is not taken: what tests send does not become smaller.
        if incoming.flags & COMPRESSED != 0 || sha256(&[data, &incoming.random]) != incoming.hash {
            return;
        }
        let proof = [incoming.hash, sha256(&[data, &incoming.hash])].concat();
        let said = self.say_in_clear(id, PacketType::Proof, Context::RESOURCE_PROOF, &proof);
        if let Some(link) = self.links.get_mut(&id) {
            link.proof = Some((said, proof));
        }
        match incoming.request {
            Some(request) if incoming.flags & IS_REQUEST != 0 => self.answer(id, &request, data),
            Some(_) if incoming.flags & IS_RESPONSE != 0 => self.hear_response(id, data),
            _ => self.events.push(Event::Resource(id, data.to_vec())),
        }
    }

    /// A sender that missed a proof asks for it by its packet's hash: releases before 1.4 do whenever a proof comes before they wait
    /// for it.
    pub(super) fn prove_resource_again(&mut self, id: LinkId, asked: &[u8]) {
        let said = self.links.get(&id).and_then(|link| link.proof.as_ref());
        let Some((_, proof)) = said.filter(|(said, _)| said.as_bytes() == asked) else { return };
        let proof = proof.clone();
        self.say_in_clear(id, PacketType::Proof, Context::RESOURCE_PROOF, &proof);
    }
}

fn part_hash(part: &[u8], random: &[u8]) -> PartHash {
    sha256_truncated(&[part, random])
}

fn part_hashes(hashes: &[u8]) -> Vec<PartHash> {
    hashes.chunks_exact(4).filter_map(|hash| hash.try_into().ok()).collect()
}
