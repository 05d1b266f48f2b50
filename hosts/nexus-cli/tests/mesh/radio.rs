//! A mesh of which one part is radio: A and B over LoRa, B and C over UDP.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};

use nexus_air::live::Port;
use nexus_air::{Faults, RadioId, record};
use nexus_daemon::api::{Done, Interface, Message, Paths, Status, Verb};
use nexus_daemon::recordings::search;

use crate::air::{A, Air, B, OTHER, search_air};
use crate::delivery::{public_bytes, received_as_said, write_until_received};
use crate::nodes::{Node, arrived_once, texts, udp};
use crate::place::ask;

/// How long a message is tried. Nothing waits for it unless something is broken.
const FOR_S: u64 = 60;

/// A with a radio, C with a cable, and B with both between them.
struct Mixed {
    air: Air,
    a: Node,
    b: Node,
    c: Node,
}

impl Mixed {
    /// Starts all three and waits until the ends know each other.
    async fn start(air: Air) -> Self {
        let began = Instant::now();
        let c = Node::with(&udp("cable", &[], "")).await;
        let b = Node::with(&(air.rnode(B, "") + &udp("cable", &[&c.at("cable")], ""))).await;
        let a = Node::with(&air.rnode(A, "")).await;
        let mixed = Self { air, a, b, c };
        mixed.until_linked().await;
        let linked = began.elapsed();
        mixed.until_known().await;
        println!("linked after {linked:?}, known after {:?}", began.elapsed());
        mixed
    }

    async fn until_linked(&self) {
        let Self { air: _, a, b, c } = self;
        tokio::join!(b.until_linked(a), b.until_linked(c), a.until_linked(b), c.until_linked(b));
    }

    async fn until_known(&self) {
        let Self { air: _, a, b, c } = self;
        let others = ([b, c], [a, b]);
        tokio::join!(a.until_known(&others.0), c.until_known(&others.1));
    }

    /// Does this, and announces everybody again and again meanwhile: what is said once on the air may be lost.
    async fn while_announcing<T>(&self, doing: impl Future<Output = T>) -> T {
        let announcing = async {
            loop {
                tokio::time::sleep(Duration::from_secs(5)).await;
                for node in [&self.a, &self.b, &self.c] {
                    let Done {} = node.client().await.call(Verb::Announce).await.unwrap();
                }
            }
        };
        tokio::select! {
            done = doing => done,
            never = announcing => never,
        }
    }

    /// Both ends write these to each other, and each text arrives once.
    async fn correspond(&self, from_a: &[String], from_c: &[String]) {
        let began = Instant::now();
        let Self { air: _, a, b, c } = self;
        let (by_a, by_c) =
            tokio::join!(a.write(&c.me.node, from_a, FOR_S), c.write(&a.me.node, from_c, FOR_S));
        for outcome in by_a.iter().chain(&by_c) {
            assert!(outcome.is_ok(), "{outcome:?}\n{}", b.log());
        }
        arrived_once(&new_in(&c.inbox().await, from_a), a, from_a);
        arrived_once(&new_in(&a.inbox().await, from_c), c, from_c);
        println!("{} messages in {:?}", from_a.len() + from_c.len(), began.elapsed());
    }
}

/// The messages with these texts.
fn new_in(inbox: &[Message], texts: &[String]) -> Vec<Message> {
    inbox.iter().filter(|message| texts.contains(&message.text)).cloned().collect()
}

fn interface<'a>(status: &'a Status, name: &str) -> &'a Interface {
    status.interfaces.iter().find(|interface| interface.name == name).unwrap()
}

/// The paths of a node to NEXUS nodes: to whom, with how many hops.
async fn paths(of: &Node) -> BTreeMap<String, u8> {
    let Paths { paths, .. } = of.client().await.call(Verb::Paths { after: None }).await.unwrap();
    paths.into_iter().filter(|path| path.node).map(|path| (path.destination, path.hops)).collect()
}

#[test]
fn what_is_written_over_lora_and_cable_arrives_and_nobody_on_the_air_can_read_it() {
    ask(async {
        let mixed = Mixed::start(Air::of(2)).await;
        let [a, b, c] = [&mixed.a, &mixed.b, &mixed.c].map(|node| node.me.node.clone());
        assert_eq!(paths(&mixed.a).await, BTreeMap::from([(b.clone(), 1), (c, 2)]));
        assert_eq!(paths(&mixed.c).await, BTreeMap::from([(b, 1), (a, 2)]));
        // The longest there is goes in two transmissions.
        let longest =
            |who: &str| format!("{who} at length: {}", "clover ".repeat(60)).split_at(326).0.to_owned();
        let mut from_a = texts("Anna", 8);
        from_a.push(longest("Anna"));
        let mut from_c = texts("Carl", 8);
        from_c.push(longest("Carl"));
        mixed.correspond(&from_a, &from_c).await;
        assert_eq!(mixed.b.inbox().await, [], "what is relayed is not delivered");
        let status = mixed.b.place.asked().await.unwrap();
        let radio = interface(&status, "radio").radio.clone().unwrap();
        assert_eq!((radio.state.as_str(), radio.rssi_dbm), ("on", Some(-70)), "{radio:?}");

        let Mixed { air, a, b, c } = mixed;
        let mut secrets: Vec<Vec<u8>> =
            from_a.iter().chain(&from_c).map(|text| text.clone().into_bytes()).collect();
        let mut recordings = Vec::new();
        let mut places = Vec::new();
        for node in [a, b, c] {
            let me = node.me.clone();
            let place = node.stop();
            secrets.extend(public_bytes(&place, &me.node, &me.identity));
            recordings.extend(Node::recordings(&place));
            places.push(place);
        }
        let on_air = air.house.transmissions();
        assert!(on_air.iter().any(|one| one.bytes[0] & 1 == 1), "none was longer than a transmission");
        let secrets = || secrets.iter().map(Vec::as_slice);
        let heard = search_air(&on_air, secrets());
        assert_eq!(heard.found, 0, "bytes in clear on the air");
        assert!(heard.bytes > 36 * 200, "every message and every receipt was on the air: {heard:?}");
        assert_eq!(recordings.len(), 4, "two media with two ends each");
        assert_eq!(search(&recordings, secrets()).unwrap().found, 0, "bytes in clear");
    });
}

#[test]
fn modems_in_the_network_carry_a_mesh_and_are_used_again_when_they_are_back() {
    ask(async {
        let tcp = Port::Tcp(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)));
        let mixed = Mixed::start(Air::at(2, vec![tcp, tcp])).await;
        mixed.correspond(&texts("Anna", 2), &texts("Carl", 2)).await;
        mixed.air.house.unplug(A).unwrap();
        let place = mixed.air.port(A);
        mixed.a.until_logged(&format!("{place} does not answer any more")).await;
        mixed.air.house.plug(A).unwrap();
        mixed.a.until_logged(&format!("{place} is back")).await;
        mixed.correspond(&texts("Anna again", 2), &texts("Carl again", 2)).await;
    });
}

#[test]
fn a_relay_that_was_killed_is_linked_over_lora_again_and_no_message_is_lost() {
    ask(async {
        let Mixed { air, a, b, c } = Mixed::start(Air::of(2)).await;
        let place = b.kill();
        let (from_a, from_c) = (texts("meanwhile", 3), texts("besides", 3));
        let began = Instant::now();
        let writing =
            async { tokio::join!(a.write(&c.me.node, &from_a, 120), c.write(&a.me.node, &from_c, 120)) };
        let coming_back = async {
            let b = Node::start(place).await;
            tokio::join!(b.until_linked(&a), b.until_linked(&c));
            println!("linked again after {:?}", began.elapsed());
            b
        };
        let ((by_a, by_c), b) = tokio::join!(writing, coming_back);
        println!("all delivered after {:?}", began.elapsed());
        assert!(by_a.iter().chain(&by_c).all(Result::is_ok), "{by_a:?} {by_c:?}\n{}", b.log());
        arrived_once(&c.inbox().await, &a, &from_a);
        arrived_once(&a.inbox().await, &c, &from_c);
        drop(air);
    });
}

#[test]
fn a_radio_that_is_unplugged_is_missed_and_used_again_and_both_are_said() {
    ask(async {
        let mixed = Mixed::start(Air::of(2)).await;
        let Mixed { air, a, b, c } = &mixed;
        let path = air.port(B);
        air.house.unplug(B).unwrap();
        b.until_logged(&format!("radio: {path} was unplugged; it will be used again when it is back")).await;
        let down = |status: &Status| !interface(status, "radio").up;
        let status = b.until("its radio is down", down).await;
        let radio = interface(&status, "radio");
        assert!(radio.fault.as_ref().is_some_and(|fault| fault.contains("was unplugged")), "{radio:?}");
        assert_eq!(radio.radio.as_ref().unwrap().state, "unplugged");
        assert!(interface(&status, "cable").up, "{status:?}");
        assert!(b.write(&c.me.node, &["by cable".to_owned()], FOR_S).await[0].is_ok());

        let began = Instant::now();
        air.house.plug(B).unwrap();
        b.until_logged(&format!("radio: {path} is back")).await;
        let back = |status: &Status| {
            let radio = interface(status, "radio");
            radio.up && radio.fault.is_none() && radio.radio.as_ref().unwrap().state == "on"
        };
        b.until("its radio is on", back).await;
        println!("on again after {:?}", began.elapsed());
        tokio::join!(b.until_linked(a), a.until_linked(b));
        println!("linked again after {:?}", began.elapsed());
        mixed.correspond(&texts("Anna", 2), &texts("Carl", 2)).await;
    });
}

/// Where all hear all a handshake may collide. Who did not answer is left alone for 75 s, and for twice as long the next time
/// (spec/network.md#beacons).
const ONCE_MORE: Duration = Duration::from_mins(2);

#[test]
fn who_is_not_on_the_list_gets_no_link_over_the_air() {
    ask(async {
        let air = Air::of(3);
        let a = Node::with(&air.rnode(A, "")).await;
        let policy = format!("policy = \"allow\"\nnodes = [\"{}\"]\n", a.me.node);
        let b = Node::with(&(policy + &air.rnode(B, ""))).await;
        let began = Instant::now();
        tokio::join!(a.until_linked(&b), b.until_linked(&a));
        println!("linked after {:?}", began.elapsed());
        let stranger = Node::with(&air.rnode(OTHER, "")).await;
        let unwanted = |status: &Status| status.refusals.get("link_unwanted").is_some_and(|count| *count > 0);
        let status = b.until_within(ONCE_MORE, "the stranger was refused", unwanted).await;
        println!("refused after {:?}", began.elapsed());
        assert!(status.links.iter().all(|link| link.peer == a.me.node), "{status:?}");
        b.until_logged("a peer that the policy does not want (link_unwanted)").await;
        // A has no list: it is the channel that is shared, not the refusal.
        tokio::join!(stranger.until_linked(&a), a.until_linked(&stranger));
        assert!(a.write(&b.me.node, &["among friends".to_owned()], FOR_S).await[0].is_ok());
        let status = b.place.asked().await.unwrap();
        assert!(status.links.iter().all(|link| link.peer == a.me.node), "{status:?}");

        // Whoever has A's modem, and its channel, is not A.
        let _ended = a.stop();
        let impostor = Node::with(&air.rnode(A, "")).await;
        let again = |now: &Status| now.refusals["link_unwanted"] > status.refusals["link_unwanted"];
        let status = b.until_within(ONCE_MORE, "another key on A's radio was refused", again).await;
        assert!(status.links.iter().all(|link| link.peer != impostor.me.node), "{status:?}");
    });
}

#[test]
fn frames_that_a_modem_spoils_behind_its_checksum_are_believed_by_nobody_and_texts_arrive() {
    ask(async {
        let mixed = Mixed::start(Air::of(2)).await;
        for radio in [A, B] {
            spoil(&mixed.air, radio, 100_000);
        }
        let Mixed { air, a, b, c } = &mixed;
        let (from_a, from_c) = (texts("Anna", 4), texts("Carl", 4));
        let began = Instant::now();
        // A link that is lost comes back without what was announced over it, if that is spoiled too.
        let (by_a, by_c) = mixed
            .while_announcing(async {
                tokio::join!(write_until_received(a, c, &from_a, 15), write_until_received(c, a, &from_c, 15))
            })
            .await;
        println!("8 messages in {:?}, {} and {} written", began.elapsed(), by_a.len(), by_c.len());
        received_as_said(a, c, &by_a).await;
        received_as_said(c, a, &by_c).await;
        // By now there were some, or the next announces are.
        let spoiled = |status: &Status| {
            air.house.counters(A).corrupted > 0 && status.refusals.values().sum::<u64>() > 0
        };
        let status = mixed.while_announcing(a.until("what was spoiled was refused", spoiled)).await;
        println!("{} spoiled; {:?}", air.house.counters(A).corrupted, status.refusals);
        assert_eq!(paths(a).await.len(), 2, "nobody is known but those who are there");
        assert_eq!(b.inbox().await, []);
    });
}

#[test]
fn what_a_stranger_sends_or_repeats_on_the_air_changes_nothing() {
    ask(async {
        let mixed = Mixed::start(Air::of(3)).await;
        mixed.correspond(&texts("Anna", 1), &texts("Carl", 1)).await;
        let Mixed { air, a, b, c } = &mixed;
        let before = [a.place.asked().await.unwrap(), b.place.asked().await.unwrap()];
        let heard = record::packets(&air.house.transmissions());
        let mut packets: Vec<Vec<u8>> = heard.into_iter().map(|(_, packet)| packet).collect();
        assert!(packets.len() > 10, "a handshake, announces, messages and receipts: {}", packets.len());
        packets.extend((1..20).map(|length: u8| vec![0x90 + length % 7; usize::from(length) * 13]));
        for some in packets.chunks(30) {
            air.transmit(OTHER, some);
            let sent = |count: u64| air.house.meter(OTHER).sent >= count;
            let all = air.house.meter(OTHER).sent + u64::try_from(some.len()).unwrap();
            a.until("all was repeated", |_| sent(all)).await;
        }
        let refused = |status: &Status| status.refusals.values().sum::<u64>();
        let peers = |status: &Status| status.links.iter().map(|link| link.peer.clone()).collect::<Vec<_>>();
        for (node, before) in [a, b].into_iter().zip(&before) {
            let grown = |status: &Status| refused(status) >= refused(before) + 20;
            let after = node.until("what was sent again was counted", grown).await;
            println!("{:?}", after.refusals);
            assert_eq!(peers(&after), peers(before));
            for (link, was) in after.links.iter().zip(&before.links) {
                assert!(link.up_s >= was.up_s, "it is the same link");
            }
        }
        mixed.correspond(&texts("Anna again", 1), &texts("Carl again", 1)).await;
        assert_eq!(
            (c.inbox().await.len(), a.inbox().await.len()),
            (2, 2),
            "nothing arrived that nobody wrote"
        );
        assert_eq!(paths(a).await.len(), 2);
    });
}

fn spoil(air: &Air, radio: RadioId, corrupt_ppm: u32) {
    air.house.set_faults(radio, Faults { corrupt_ppm, ..Faults::default() });
}
