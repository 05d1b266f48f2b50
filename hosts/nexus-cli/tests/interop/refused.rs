//! What a relay never carries, and counts.

use std::time::Instant;

use nexus_machine::Seed;
use nexus_stock::Live;
use nexus_stock::endpoint::{Endpoint, Event, Ratchets};
use nexus_stock::stock::{Carries, Interfaces, StockNode, hex};
use nexus_wire::reticulum::announce::Occasion;
use nexus_wire::reticulum::ifac::{Membership, TagLen};
use nexus_wire::reticulum::{Context, DestinationType, Hops, Ifac, LinkMtu, Packet, PacketType};
use serde_json::json;

use crate::nodes::Node;
use crate::place::ask;
use crate::tools::{objects, said};
use crate::world::{MTU, Shape, Way, endpoint, heard, is};

/// An emission of long ago.
const EARLIER: u64 = 1_700_000_000;

/// A relay between somebody who sends what is wrong and somebody who listens.
struct Watched {
    way: Way,
    wrong: Live,
    watching: Live,
}

/// Through how many relays nothing wrong gets.
const SHAPES: [Shape; 2] = [Shape::One, Shape::Three];

impl Watched {
    fn start(shape: Shape) -> Self {
        let way = Way::of(shape);
        let (wrong, watching) =
            (endpoint(11, way.left, Ratchets::None), endpoint(12, way.right, Ratchets::None));
        Self { way, wrong, watching }
    }

    /// None of these packets, sent as they are, arrives at the other side, and each is counted as `cause` by the first relay, and by no other:
    /// they get no farther.
    fn refuses(&mut self, packets: &[Vec<u8>], cause: &str) {
        let before: Vec<u64> = self.way.nodes.iter().map(|node| counted(node, cause)).collect();
        self.wrong.inject(packets);
        let count = before[0] + u64::try_from(packets.len()).unwrap();
        // What relays say to each other again is stale, too.
        let is_theirs_alone = cause != "announce_stale";
        ask(self.way.nodes[0].until(&format!("{cause} is {count}"), |status| {
            let counted = status.refusals.get(cause).copied().unwrap_or(0);
            counted == count || counted > count && !is_theirs_alone
        }));
        // What is right and comes later arrives.
        self.wrong.with(|endpoint, now| endpoint.announce(b"right", Occasion::Periodic, now));
        let own = self.wrong.with(|endpoint, _| endpoint.destination()).to_string();
        heard(&mut self.watching, &own);
        for packet in packets {
            let said = Packet::decode(packet).unwrap();
            let arrived = self.watching.heard();
            let it = arrived.iter().filter_map(|bytes| Packet::decode(bytes).ok());
            assert_eq!(it.filter(|one| one.hash() == said.hash()).count(), 0, "{cause} was passed on");
        }
        if is_theirs_alone {
            let after: Vec<u64> = self.way.nodes.iter().map(|node| counted(node, cause)).collect();
            assert_eq!((after[0], &after[1..]), (count, &before[1..]), "{cause} at each relay");
        }
    }
}

/// How often a relay counted a cause, as a person is told.
fn counted(node: &Node, cause: &str) -> u64 {
    let status = &objects(&said(node, &["status", "--json"]))[0];
    status["refusals"][cause].as_u64().unwrap_or(0)
}

/// What a stranger announces.
fn announced(seed: u8, app_data: &[u8], emission: u64) -> Vec<u8> {
    let ratchets = Ratchets::None;
    let mut stranger =
        Endpoint::new(&Seed::new([seed; 32]), "nexus.stock.endpoint", ratchets, LinkMtu::new(MTU));
    stranger.announce(app_data, Occasion::Periodic, emission);
    stranger.take_packets().remove(0)
}

#[test]
fn announces_with_bad_signatures_or_wrong_hashes_are_not_passed_on() {
    for shape in SHAPES {
        let mut watched = Watched::start(shape);
        let (mut signature, mut hash) = (announced(21, b"x", EARLIER), announced(22, b"x", EARLIER));
        *signature.last_mut().unwrap() ^= 1;
        hash[2] ^= 1;
        watched.refuses(&[signature, hash], "announce_forged");
    }
}

#[test]
fn an_announce_that_no_relay_could_carry_on_is_not_passed_on() {
    for shape in SHAPES {
        // 485 bytes: with a transport id it is longer than a packet may be.
        let mut watched = Watched::start(shape);
        let long = announced(23, &[7; 318], EARLIER);
        assert_eq!(long.len(), 485);
        watched.refuses(&[long], "announce_too_long");
    }
}

#[test]
fn an_older_emission_is_not_passed_on() {
    for shape in SHAPES {
        let mut watched = Watched::start(shape);
        let newer = announced(24, b"newer", EARLIER + 10);
        let destination = Packet::decode(&newer).unwrap().destination.to_string();
        watched.wrong.inject(&[newer]);
        heard(&mut watched.watching, &destination);
        watched.refuses(&[announced(24, b"older", EARLIER)], "announce_stale");
    }
}

#[test]
fn data_for_others_that_asks_no_relay_is_not_passed_on() {
    for shape in SHAPES {
        let mut watched = Watched::start(shape);
        let to = watched.watching.with(|endpoint, now| {
            endpoint.announce(b"here", Occasion::Periodic, now);
            endpoint.destination()
        });
        heard(&mut watched.wrong, &to.to_string());
        let header = Packet::originating(PacketType::Data, DestinationType::Single, to, Context::NONE);
        watched.refuses(&[written(&Packet { data: &[7; 80], ..header })], "packet_not_for_us");
    }
}

#[test]
fn packets_on_a_link_that_came_another_number_of_hops_are_not_passed_on() {
    for shape in SHAPES {
        let mut watched = Watched::start(shape);
        let to = watched.watching.with(|endpoint, now| {
            endpoint.announce(b"here", Occasion::Periodic, now);
            endpoint.destination()
        });
        heard(&mut watched.wrong, &to.to_string());
        let link = watched.wrong.with(|endpoint, _| endpoint.link(to, Instant::now())).unwrap();
        watched.wrong.wait("a link", |event| matches!(event, Event::LinkUp(..)).then_some(()));
        let header = Packet::originating(PacketType::Data, DestinationType::Link, link.into(), Context::NONE);
        let far = Packet { hops: Hops::new(3).unwrap(), data: &[7; 64], ..header };
        watched.refuses(&[written(&far)], "packet_off_circuit");
        let hash = watched.wrong.with(|endpoint, _| endpoint.send_on(link, b"as near as it is")).unwrap();
        watched.wrong.wait("a proof", is(Event::Proved(hash)));
    }
}

fn written(packet: &Packet<'_>) -> Vec<u8> {
    let mut buffer = vec![0; packet.encoded_len()];
    packet.encode(&mut buffer).unwrap().to_vec()
}

#[test]
fn frames_without_access_codes_or_with_others_are_refused_and_those_with_them_pass() {
    for shape in SHAPES {
        a_club_has_its_codes(shape);
    }
}

fn a_club_has_its_codes(shape: Shape) {
    let home = tempfile::tempdir().unwrap();
    let passphrase = home.path().join("passphrase");
    std::fs::write(&passphrase, "open sesame\n").unwrap();
    std::fs::set_permissions(&passphrase, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    let access =
        format!("access = {{ network_name = \"club\", passphrase = \"file:{}\" }}\n", passphrase.display());
    let way = Way::guarded(shape, &access);
    let (node, last) = (&way.nodes[0], way.nodes.last().unwrap());
    let mut watching = endpoint(12, way.right, Ratchets::None);
    let codes = |passphrase| Ifac::new(Membership::Both { name: "club", passphrase }, TagLen::WIDE);
    let stranger = |seed: u8, codes| {
        let endpoint =
            Endpoint::new(&Seed::new([seed; 32]), "nexus.stock.endpoint", Ratchets::None, LinkMtu::new(MTU));
        Live::connect(way.left, endpoint, codes).unwrap()
    };
    let (without, wrong) = (stranger(31, None), stranger(32, Some(codes("open barley"))));
    for (one, cause) in [(&without, "access_missing"), (&wrong, "access_wrong")] {
        one.with(|endpoint, now| endpoint.announce(b"x", Occasion::Periodic, now));
        ask(node.until(cause, |status| status.refusals.get(cause) == Some(&1)));
        assert_eq!(counted(node, cause), 1);
    }
    watching.inject_frame(&[&[0x81][..], &[7; 180]].concat());
    ask(last.until("a frame with codes came where there are none", |status| {
        status.refusals.get("access_unexpected") == Some(&1)
    }));
    // A stock node that is of the network is heard beyond it, and hears.
    let more = ["network_name = club", "passphrase = open sesame"];
    let member = Interfaces::none().calling(way.left, &more);
    let mut member = StockNode::start(home.path(), "member", Carries::Itself, &member);
    member.tell(&json!({ "do": "announce", "of": "plain", "app_data": hex(b"member") }));
    let to = heard(&mut watching, &member.plain).destination;
    let hash = watching.with(|endpoint, _| endpoint.send(to, b"come in")).unwrap();
    assert_eq!(member.wait("data")["data"], hex(b"come in"));
    watching.wait("a proof", is(Event::Proved(hash)));
    let strangers = [&without, &wrong].map(|one| one.with(|endpoint, _| endpoint.destination()));
    assert!(strangers.iter().all(|one| watching.with(|endpoint, _| endpoint.known(*one).is_none())));
}
