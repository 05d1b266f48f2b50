//! The endpoint and the published package on one wire: what each says, the other understands.
#![allow(clippy::unwrap_used, reason = "what cannot be unwrapped fails the test")]

mod channels;
mod driven;
mod resources;

use std::time::Instant;

use nexus_crypto::DestinationHash;
use nexus_crypto::single::OpenedWith;
use nexus_machine::Seed;
use nexus_stock::endpoint::{Endpoint, Event, Heard, Ratchets, Side};
use nexus_stock::live::{Listening, Live};
use nexus_stock::stock::{Carries, Interfaces, StockNode, hex};
use nexus_wire::reticulum::announce::Occasion;
use nexus_wire::reticulum::{LinkId, LinkMtu};
use serde_json::json;

/// Carries what a stock TCP interface does.
const MTU: u32 = 8_192;

struct Pair {
    endpoint: Live,
    stock: StockNode,
    _home: tempfile::TempDir,
}

fn pair(ratchets: Ratchets) -> Pair {
    let home = tempfile::tempdir().unwrap();
    let listening = Listening::open().unwrap();
    let at = listening.address().unwrap();
    let endpoint = Endpoint::new(&Seed::new([7; 32]), "nexus.stock.endpoint", ratchets, LinkMtu::new(MTU));
    let accepting = std::thread::spawn(move || listening.accept(endpoint, None).unwrap());
    let stock = StockNode::start(home.path(), "stock", Carries::Itself, &Interfaces::none().calling(at, &[]));
    Pair { endpoint: accepting.join().unwrap(), stock, _home: home }
}

impl Pair {
    fn announce(&mut self) -> String {
        self.endpoint.with(|endpoint, now| endpoint.announce(b"here", Occasion::Periodic, now));
        let own = self.endpoint.with(|endpoint, _| endpoint.destination()).to_string();
        assert_eq!(self.stock.wait_announce(&own)["app_data"], hex(b"here"));
        own
    }

    fn hear(&mut self, of: &str) -> Heard {
        self.stock.tell(&json!({ "do": "announce", "of": of, "app_data": hex(b"there") }));
        self.endpoint.wait("an announce", |event| match event {
            Event::Announced(heard) => Some(heard.clone()),
            _ => None,
        })
    }

    fn link(&mut self) -> LinkId {
        let to = self.hear("plain").destination;
        let link = self.endpoint.with(|endpoint, _| endpoint.link(to, Instant::now())).unwrap();
        let up = self.endpoint.wait("a link", link_up);
        assert_eq!(up, (link, Side::Initiator, LinkMtu::new(MTU)));
        let linked = self.stock.wait("linked");
        assert_eq!((&linked["linked"], &linked["mtu"]), (&json!(link.to_string()), &json!(MTU)));
        link
    }
}

const fn link_up(event: &Event) -> Option<(LinkId, Side, LinkMtu)> {
    if let Event::LinkUp(link, side, mtu) = event { Some((*link, *side, *mtu)) } else { None }
}

fn is(event: Event) -> impl Fn(&Event) -> Option<()> {
    move |happened| (*happened == event).then_some(())
}

/// Does not become smaller.
fn noise(len: usize) -> Vec<u8> {
    let mut random = Seed::new([9; 32]).fork("noise");
    (0..len).map(|_| random.bytes::<1>()[0]).collect()
}

#[test]
fn announces_are_understood_with_and_without_ratchets() {
    let mut pair = pair(Ratchets::Announced);
    pair.announce();
    for (of, has_ratchet) in [("plain", false), ("ratcheted", true)] {
        let heard = pair.hear(of);
        let own = if has_ratchet { &pair.stock.ratcheted } else { &pair.stock.plain };
        assert_eq!((&heard.destination.to_string(), heard.hops), (own, 1));
        assert_eq!((heard.ratchet.is_some(), &heard.app_data[..]), (has_ratchet, &b"there"[..]));
    }
    assert_eq!(pair.stock.complaints(), Vec::<String>::new());
}

#[test]
fn single_packets_are_opened_and_proved_on_both_sides() {
    for ratchets in [Ratchets::Announced, Ratchets::None] {
        let mut pair = pair(ratchets);
        let own = pair.announce();
        pair.stock.tell(&json!({ "do": "send", "to": own, "data": hex(b"hello") }));
        let (plaintext, with) = pair.endpoint.wait("a packet", |event| match event {
            Event::Data { plaintext, with } => Some((plaintext.clone(), *with)),
            _ => None,
        });
        assert_eq!(plaintext, b"hello");
        assert_eq!(matches!(with, OpenedWith::Ratchet(_)), ratchets == Ratchets::Announced);
        let sent = pair.stock.wait("sent");
        assert_eq!(pair.stock.wait("proved")["proved"], sent["sent"]);
        for of in ["plain", "ratcheted"] {
            let to: DestinationHash = pair.hear(of).destination;
            let hash = pair.endpoint.with(|endpoint, _| endpoint.send(to, b"hello too")).unwrap();
            assert_eq!(pair.stock.wait("data")["data"], hex(b"hello too"));
            pair.endpoint.wait("a proof", is(Event::Proved(hash)));
        }
    }
}

#[test]
fn a_link_that_the_endpoint_asked_for_carries_everything() {
    let mut pair = pair(Ratchets::None);
    let link = pair.link();
    let hash = pair.endpoint.with(|endpoint, _| endpoint.send_on(link, b"over the link")).unwrap();
    assert_eq!(pair.stock.wait("link_data")["link_data"], hex(b"over the link"));
    pair.endpoint.wait("a proof", is(Event::Proved(hash)));
    pair.stock.tell(&json!({ "do": "say", "data": hex(b"and back") }));
    pair.endpoint.wait("data", is(Event::LinkData(link, b"and back".to_vec())));
    pair.stock.wait("proved");
    pair.endpoint.wait("an answer to a keepalive", is(Event::KeptAlive(link)));
    let me = pair.endpoint.with(|endpoint, _| {
        endpoint.identify(link);
        endpoint.identity().hash()
    });
    assert_eq!(pair.stock.wait("identified")["identified"], me.to_string());
    pair.endpoint.with(|endpoint, _| endpoint.request(link, "/echo", &noise(100)));
    pair.endpoint.wait("an answer", is(Event::Answered(link, noise(100))));
    // An answer that is a resource.
    pair.endpoint.with(|endpoint, _| endpoint.request(link, "/noise", &20_000_u32.to_be_bytes()));
    let len = pair.endpoint.wait("an answer", |event| match event {
        Event::Answered(_, data) => Some(data.len()),
        _ => None,
    });
    assert_eq!(len, 20_000);
    pair.endpoint.with(|endpoint, _| endpoint.close(link));
    assert_eq!(pair.stock.wait("closed")["closed"], link.to_string());
}

#[test]
fn a_link_that_the_stock_node_asked_for_carries_everything() {
    let mut pair = pair(Ratchets::None);
    let own = pair.announce();
    pair.stock.tell(&json!({ "do": "link", "to": own }));
    let (link, side, _) = pair.endpoint.wait("a link", link_up);
    assert_eq!(side, Side::Responder);
    assert_eq!(pair.stock.wait("linked")["linked"], link.to_string());
    pair.stock.tell(&json!({ "do": "identify" }));
    let identity = pair.endpoint.wait("an identity", |event| match event {
        Event::Identified(_, identity) => Some(identity.to_string()),
        _ => None,
    });
    assert_eq!(identity, pair.stock.identity);
    // As packets, and as resources.
    for len in [100, 20_000] {
        pair.stock.tell(&json!({ "do": "request", "data": hex(&noise(len)) }));
        assert_eq!(pair.stock.wait("answered")["len"], len);
    }
    // The package is the one that says that it is there.
    pair.endpoint.wait("a keepalive", is(Event::KeptAlive(link)));
    pair.stock.tell(&json!({ "do": "close" }));
    pair.endpoint.wait("the end", is(Event::Closed(link)));
}

#[test]
fn resources_pass_both_ways() {
    let mut pair = pair(Ratchets::None);
    let link = pair.link();
    // Of one part, of some, and of more than the hashes in an advertisement.
    for len in [300, 30_000, 900_000] {
        pair.stock.tell(&json!({ "do": "resource", "len": len }));
        let came = pair.endpoint.wait("a resource", |event| match event {
            Event::Resource(_, data) => Some(data.len()),
            _ => None,
        });
        assert_eq!((came, pair.stock.wait("transferred")["transferred"].as_bool()), (len, Some(true)));
        pair.endpoint.with(|endpoint, _| endpoint.send_resource(link, &noise(len)));
        assert_eq!(pair.stock.wait("resource")["len"], len);
        pair.endpoint.wait("its proof", is(Event::ResourceProved(link)));
    }
}
