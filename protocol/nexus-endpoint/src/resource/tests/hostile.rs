//! What a peer that means harm can do: waste the bytes that it sends, and nothing else.

use alloc::collections::VecDeque;
use alloc::vec;
use alloc::vec::Vec;

use nexus_machine::{Cx, Duration, Instant, Machine as _, Seed};
use nexus_testkit::heap;
use nexus_wire::reticulum::resource::{
    Advertisement, MapUpdate, PartHash, PartRequest, RequestId, ResourceFlags, ResourceHash, SEGMENT_MAX,
};
use nexus_wire::reticulum::{Context, LinkId};

use super::world::measures;
use crate::resource::{
    Arrival, Command, Compression, Effect, Event, Failure, Form, Input, Offer, Purpose, Resources,
};
use crate::{Bytes, Handle};

const RANDOM: [u8; 4] = [2; 4];

struct Victim(Resources, Instant);

impl Victim {
    fn new() -> Self {
        let measures = measures(Duration::from_millis(10), 464);
        Self(Resources::new(LinkId([6; 16]), measures, &Seed::new([1; 32])), Instant::BOOT)
    }

    fn tell(&mut self, input: Input) -> Vec<Effect> {
        let mut out = VecDeque::new();
        self.0.handle(Cx::at(self.1), input, &mut out);
        out.into()
    }

    fn hear(&mut self, context: Context, bytes: Vec<u8>) -> Vec<Effect> {
        self.tell(Input::Heard(context, bytes))
    }

    fn offered(&mut self, advertisement: &Advertisement<'_>) -> Vec<Effect> {
        self.hear(Context::RESOURCE_ADVERTISEMENT, advertisement.encode())
    }

    /// Takes what is advertised; the hashes that it asks for.
    fn accepted(&mut self, advertisement: &Advertisement<'_>) -> Vec<PartHash> {
        let effects = self.offered(advertisement);
        assert!(matches!(effects[..], [Effect::Event(Event::Offered(..))]), "{effects:?}");
        wanted(&self.tell(Input::Command(Command::Accept(Arrival(1)))))
    }

    fn wake(&mut self) -> Vec<Effect> {
        self.1 = self.0.next_timeout().expect("it waits for something");
        let mut out = VecDeque::new();
        self.0.handle_timeout(Cx::at(self.1), &mut out);
        out.into()
    }
}

fn wanted(effects: &[Effect]) -> Vec<PartHash> {
    let [Effect::Say(Context::RESOURCE_REQUEST, Form::Sealed, request)] = effects else {
        panic!("no request, but {effects:?}")
    };
    PartHash::each(PartRequest::decode(request).unwrap().wanted).collect()
}

/// Of so many parts, all of 464 bytes.
fn advertisement(map: &[u8], parts: u64) -> Advertisement<'_> {
    let hash = ResourceHash([8; 32]);
    Advertisement {
        transfer_len: parts.saturating_mul(464),
        data_len: 1_000,
        parts,
        hash,
        random: RANDOM,
        original: hash,
        segment: 1,
        segments: 1,
        request: None,
        flags: ResourceFlags::ENCRYPTED,
        map,
    }
}

fn part(number: u16) -> Vec<u8> {
    number.to_be_bytes().repeat(232)
}

fn map(parts: impl IntoIterator<Item = u16>) -> Vec<u8> {
    parts.into_iter().flat_map(|number| PartHash::of(&part(number), RANDOM).0).collect()
}

#[test]
fn sizes_that_cannot_be_are_refused_and_cost_nothing() {
    let (one, many) = (map(0..1), map(0..74));
    let good = advertisement(&one, 1);
    let bad = [
        Advertisement { transfer_len: u64::MAX, ..good },
        Advertisement { transfer_len: u64::try_from(SEGMENT_MAX).unwrap() + 200, ..good },
        Advertisement { transfer_len: 0, ..good },
        Advertisement { parts: 0, map: &[], ..good },
        Advertisement { parts: u64::MAX, map: &many, ..good },
        Advertisement { parts: 5_000, transfer_len: 900_000, map: &many, ..good },
        Advertisement { parts: 10, map: &one, ..good },
        Advertisement { map: &many, ..good },
        Advertisement { parts: 100, transfer_len: 99, map: &many, ..good },
        Advertisement { segment: 2, ..good },
        Advertisement { segment: 0, ..good },
        Advertisement { segments: 0, ..good },
        Advertisement { original: ResourceHash([1; 32]), ..good },
        Advertisement { flags: ResourceFlags::default(), ..good },
        Advertisement { flags: good.flags.with(ResourceFlags::REQUEST), ..good },
        Advertisement { request: Some(RequestId([1; 16])), ..good },
        Advertisement {
            request: Some(RequestId([1; 16])),
            flags: good.flags.with(ResourceFlags::REQUEST).with(ResourceFlags::RESPONSE),
            ..good
        },
    ];
    let mut victim = Victim::new();
    for bad in bad {
        let (effects, held) = heap::growth_of(|| victim.offered(&bad).len());
        assert_eq!((effects, held), (1, 0), "{bad:?}");
        let effects = victim.offered(&bad);
        let refusal = Effect::Say(Context::RESOURCE_RECEIVER_CANCEL, Form::Sealed, bad.hash.0.to_vec());
        assert_eq!(effects, [refusal], "{bad:?}");
    }
    assert_eq!(victim.accepted(&good).len(), 1);
}

#[test]
fn a_resource_that_is_announced_and_not_sent_costs_its_places_and_not_its_bytes() {
    let many = map(0..74);
    let mut victim = Victim::new();
    let (wanted, held) = heap::growth_of(|| victim.accepted(&advertisement(&many, 2_200)).len());
    assert_eq!(wanted, 4);
    assert!(held < 60_000, "{held} bytes for what is not there");
}

#[test]
fn offers_beyond_two_are_refused_and_those_before_go_on() {
    let mut victim = Victim::new();
    let one = map(0..1);
    for number in 0..5 {
        let hash = ResourceHash([number; 32]);
        let effects = victim.offered(&Advertisement { hash, original: hash, ..advertisement(&one, 1) });
        assert_eq!(matches!(effects[..], [Effect::Event(Event::Offered(..))]), number < 2, "{effects:?}");
    }
    for number in [1, 2] {
        assert_eq!(wanted(&victim.tell(Input::Command(Command::Accept(Arrival(number))))).len(), 1);
    }
}

#[test]
fn part_hashes_that_collide_take_each_part_once_and_end_in_a_token_that_does_not_open() {
    let same = map([0; 74]);
    let mut victim = Victim::new();
    assert_eq!(victim.accepted(&advertisement(&same, 74)).len(), 4);
    let mut effects = Vec::new();
    for _ in 0..74 {
        effects = victim.hear(Context::RESOURCE, part(0));
    }
    let [Effect::Open(arrival, token)] = &effects[..] else { panic!("{effects:?}") };
    assert_eq!(token.len(), 74 * 464);
    let effects = victim.tell(Input::Opened(*arrival, None));
    assert_eq!(effects.last(), Some(&Effect::Event(Event::NotArrived(*arrival, Failure::Corrupt))));
    assert_eq!(victim.hear(Context::RESOURCE, part(0)), []);
}

#[test]
fn more_bytes_than_were_announced_are_not_kept() {
    let parts = map(0..10);
    let mut victim = Victim::new();
    victim.accepted(&Advertisement { transfer_len: 1_000, ..advertisement(&parts, 10) });
    for number in 0..10 {
        let effects = victim.hear(Context::RESOURCE, part(number));
        assert_eq!(effects, [], "two parts are all that fits");
    }
    let end =
        (0..20).find_map(|_| victim.wake().into_iter().find(|effect| matches!(effect, Effect::Event(_))));
    assert_eq!(end, Some(Effect::Event(Event::NotArrived(Arrival(1), Failure::Silent))));
}

#[test]
fn maps_that_repeat_go_back_or_go_on_for_ever_lead_nowhere() {
    let (first, second) = (map(0..74), map(74..100));
    let mut victim = Victim::new();
    victim.accepted(&advertisement(&first, 100));
    let update = |stretch, map: &[u8]| MapUpdate { hash: ResourceHash([8; 32]), stretch, map }.encode();
    for bad in
        [update(0, &first), update(1, &first), update(2, &second), update(u64::MAX, &second), update(1, &[])]
    {
        assert_eq!(victim.hear(Context::RESOURCE_HASHMAP_UPDATE, bad), []);
    }
    for number in 0..100 {
        victim.hear(Context::RESOURCE, part(number));
    }
    victim.hear(Context::RESOURCE_HASHMAP_UPDATE, update(1, &second));
    let effects: Vec<_> = (74..100).flat_map(|number| victim.hear(Context::RESOURCE, part(number))).collect();
    assert!(matches!(effects.last(), Some(Effect::Open(..))), "{effects:?}");
    assert_eq!(victim.hear(Context::RESOURCE_HASHMAP_UPDATE, update(1, &second)), []);
}

#[test]
fn a_bomb_is_unpacked_to_what_was_announced_and_no_further() {
    let one = map(0..1);
    for (announced, at_most) in [(1_000, 1_000), (u64::MAX, u32::try_from(SEGMENT_MAX).unwrap())] {
        let mut victim = Victim::new();
        let flags = ResourceFlags::ENCRYPTED.with(ResourceFlags::COMPRESSED);
        victim.accepted(&Advertisement { data_len: announced, flags, ..advertisement(&one, 1) });
        victim.hear(Context::RESOURCE, part(0));
        let effects = victim.tell(Input::Opened(Arrival(1), Some(Bytes(vec![0; 40]))));
        assert_eq!(effects, [Effect::Unpack(Arrival(1), Bytes(vec![0; 36]), at_most)]);
        let effects = victim.tell(Input::Unpacked(Arrival(1), None));
        assert_eq!(effects.last(), Some(&Effect::Event(Event::NotArrived(Arrival(1), Failure::Corrupt))));
    }
}

#[test]
fn data_of_another_hash_and_metadata_longer_than_the_data_are_corrupt() {
    let one = map(0..1);
    for data in [vec![0; 10], vec![0xff; 10], vec![0, 0], vec![]] {
        let mut victim = Victim::new();
        let flags = ResourceFlags::ENCRYPTED.with(ResourceFlags::METADATA);
        let is_other = data.first() == Some(&0) && data.len() > 3;
        let hash = if is_other { ResourceHash([8; 32]) } else { ResourceHash::of(&data, RANDOM) };
        victim.accepted(&Advertisement { hash, original: hash, flags, ..advertisement(&one, 1) });
        victim.hear(Context::RESOURCE, part(0));
        let effects = victim.tell(Input::Opened(Arrival(1), Some(Bytes([&[0; 4], &data[..]].concat()))));
        assert_eq!(effects.last(), Some(&Effect::Event(Event::NotArrived(Arrival(1), Failure::Corrupt))));
    }
}

#[test]
fn one_request_is_answered_by_a_hundred_parts_at_most_each_once() {
    let mut victim = Victim::new();
    let offer =
        Offer { len: 400_000, metadata: None, purpose: Purpose::Data, compression: Compression::None };
    let handle = Handle(1);
    victim.tell(Input::Command(Command::Offer(handle, offer)));
    victim.tell(Input::Read(handle, Some(Bytes(vec![1; 400_000]))));
    let token: Vec<u8> = (0..900).flat_map(part).collect();
    let effects = victim.tell(Input::Sealed(handle, token.clone()));
    let [Effect::Say(_, _, said)] = &effects[..] else { panic!("{effects:?}") };
    let said = Advertisement::decode(said).unwrap();
    let one: [u8; 4] = said.map[..4].try_into().unwrap();
    let request = |hash, wanted: &[u8]| PartRequest { last: None, hash, wanted }.encode();
    let (hash, other) = (said.hash, ResourceHash([0; 32]));
    assert_eq!(victim.hear(Context::RESOURCE_REQUEST, request(hash, &one.repeat(2_000))).len(), 1);
    assert_eq!(victim.hear(Context::RESOURCE_REQUEST, request(other, &one)).len(), 0);
    let all: Vec<u8> = token.chunks(464).flat_map(|part| PartHash::of(part, said.random).0).collect();
    for wanted in [&all[..], &all[2_000..]] {
        assert_eq!(victim.hear(Context::RESOURCE_REQUEST, request(hash, wanted)).len(), 100);
    }
}
