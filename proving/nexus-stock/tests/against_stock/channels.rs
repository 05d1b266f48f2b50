//! Channels and streams of `nexus-endpoint`, to and from the published package.

use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant};

use nexus_crypto::hash::sha256;
use nexus_daemon::compression::{compress, decompress};
use nexus_endpoint::channel::{Channel, Command, Effect, Event, Input, Message, Number, Write};
use nexus_endpoint::resource::Compression;
use nexus_endpoint::{Bytes, Handle};
use nexus_machine::{Cx, Instant as Moment, Machine as _};
use nexus_stock::endpoint::{self, Ratchets};
use nexus_stock::live::{Live, PATIENCE};
use nexus_stock::stock::hex;
use nexus_wire::reticulum::channel::{End, Packing};
use nexus_wire::reticulum::{Context, LinkId, PacketHash};
use serde_json::json;

use super::driven::measures;
use super::resources::text;
use super::{MTU, noise, pair};

/// The channel of one link, and its host.
struct Driven<'a> {
    live: &'a mut Live,
    link: LinkId,
    machine: Channel,
    began: Instant,
    said: BTreeMap<PacketHash, Number>,
    events: Vec<Event>,
    /// How long pieces of streams were that came compressed, before and after.
    unpacked: Vec<(usize, usize)>,
}

impl<'a> Driven<'a> {
    fn on(live: &'a mut Live, link: LinkId) -> Self {
        live.with(|endpoint, _| endpoint.hand_out(&[Context::CHANNEL]));
        let machine = Channel::new(measures(MTU));
        Self {
            live,
            link,
            machine,
            began: Instant::now(),
            said: BTreeMap::new(),
            events: Vec::new(),
            unpacked: Vec::new(),
        }
    }

    /// Goes on until `is` so.
    fn until(&mut self, what: &str, is: impl Fn(&[Event]) -> bool) {
        let deadline = Instant::now() + PATIENCE;
        while !is(&self.events) {
            assert!(Instant::now() < deadline, "no {what} in a minute, but {:?}", self.events);
            let wakes = self.machine.next_timeout();
            let wakes = wakes.map_or(deadline, |at| self.began + Duration::from_micros(at.as_micros()));
            match self.live.next(wakes.min(deadline)) {
                Some(endpoint::Event::Passed(_, Context::CHANNEL, bytes, hash)) => {
                    self.tell(Input::Heard(bytes), Some(hash));
                }
                Some(endpoint::Event::Proved(hash)) => {
                    if let Some(number) = self.said.remove(&hash) {
                        self.tell(Input::Proved(number), None);
                    }
                }
                Some(_) => {}
                None => {
                    let mut effects = VecDeque::new();
                    self.machine.handle_timeout(self.cx(), &mut effects);
                    self.answer(effects, None);
                }
            }
        }
    }

    fn cx(&self) -> Cx {
        Cx::at(Moment::from_micros(u64::try_from(self.began.elapsed().as_micros()).unwrap()))
    }

    fn command(&mut self, command: Command) {
        self.tell(Input::Command(command), None);
    }

    fn tell(&mut self, input: Input, heard: Option<PacketHash>) {
        let mut effects = VecDeque::new();
        self.machine.handle(self.cx(), input, &mut effects);
        self.answer(effects, heard);
    }

    fn answer(&mut self, effects: VecDeque<Effect>, heard: Option<PacketHash>) {
        let link = self.link;
        for effect in effects {
            match effect {
                Effect::Say(number, bytes) => {
                    let hash = self
                        .live
                        .with(|endpoint, _| endpoint.say_to_be_proved(link, Context::CHANNEL, &bytes));
                    self.said.insert(hash.expect("the link is up"), number);
                }
                Effect::Prove => {
                    self.live.with(|endpoint, _| endpoint.prove_on(link, &heard.expect("a packet came")));
                }
                Effect::Pack(data) => {
                    let packed = compress(&data.0);
                    self.tell(
                        match packed {
                            Some(shorter) => Input::Packed(Packing::Compressed, Bytes(shorter)),
                            None => Input::Packed(Packing::Plain, data),
                        },
                        None,
                    );
                }
                Effect::Unpack(data, most) => {
                    let unpacked = decompress(&data.0, usize::try_from(most).unwrap());
                    self.unpacked.push((data.0.len(), unpacked.as_ref().map_or(0, Vec::len)));
                    self.tell(Input::Unpacked(unpacked.map(Bytes)), None);
                }
                Effect::TearDown(why) => panic!("it ended: {why:?}"),
                Effect::Event(event) => self.events.push(event),
            }
        }
    }
}

#[test]
fn messages_pass_in_order_both_ways() {
    let mut pair = pair(Ratchets::None);
    let link = pair.link();
    pair.stock.tell(&json!({ "do": "channel" }));
    pair.stock.wait("channel");
    let mut driven = Driven::on(&mut pair.endpoint, link);
    let message = |number: u8| Message { kind: 0x0101, data: Bytes(vec![number; usize::from(number)]) };
    for number in 0..50 {
        driven.command(Command::Send(Handle(number.into()), message(number)));
    }
    driven.until("proofs", |events| events.len() == 50);
    assert!(driven.events.iter().all(|event| matches!(event, Event::Sent(_))), "{:?}", driven.events);
    driven.events.clear();
    for number in 0..50 {
        assert_eq!(pair.stock.wait("message")["message"], hex(&message(number).data.0));
    }
    for number in 0..10 {
        // One at a time: the package has its sender wait until there is room.
        pair.stock.tell(&json!({ "do": "message", "data": hex(&message(number).data.0) }));
        driven.until("message", |events| events.len() > usize::from(number));
    }
    assert_eq!(driven.events, (0..10).map(|number| Event::Message(message(number))).collect::<Vec<_>>());
    assert_eq!(pair.stock.complaints(), Vec::<String>::new());
}

#[test]
fn streams_pass_both_ways_compressed_and_not_and_end() {
    for bytes in [noise(100_000), text(100_000)] {
        let mut pair = pair(Ratchets::None);
        let link = pair.link();
        pair.stock.tell(&json!({ "do": "channel" }));
        pair.stock.wait("channel");
        let mut driven = Driven::on(&mut pair.endpoint, link);
        let (hash, is_text) = (hex(&sha256(&[&bytes])), bytes == text(100_000));
        let write = Write { stream: 1, data: Bytes(bytes), end: End::Last, compression: Compression::Tried };
        driven.command(Command::Write(Handle(1), write));
        driven.until("proof", |events| events.contains(&Event::Sent(Handle(1))));
        let came = pair.stock.wait("stream");
        assert_eq!((came["stream"].as_str(), came["len"].as_u64()), (Some(&hash[..]), Some(100_000)));
        pair.stock.tell(&json!({ "do": "write", "len": 20_000, "text": is_text }));
        driven.until("end", |events| {
            events.iter().any(|event| matches!(event, Event::Stream { end: End::Last, .. }))
        });
        let came: Vec<u8> = driven.events.iter().flat_map(stream).collect();
        assert_eq!(pair.stock.wait("offered")["offered"], hex(&sha256(&[&came])));
        // What becomes shorter comes compressed: 16 KiB at a time, or as much as fits a packet of the base MTU up to release 1.4.2.
        assert_eq!(!driven.unpacked.is_empty(), is_text);
        assert!(driven.unpacked.iter().all(|(packed, len)| packed < len && *len <= 1 << 14));
    }
}

fn stream(event: &Event) -> Vec<u8> {
    match event {
        Event::Stream { stream: 2, data, .. } => data.0.clone(),
        Event::Stream { .. } | Event::Sent(_) | Event::NotSent(..) | Event::Message(_) => Vec::new(),
    }
}
