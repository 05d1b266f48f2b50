//! Whoever is not wanted, and whatever is not genuine, changes nothing.

use std::io::Write as _;
use std::net::{TcpStream, UdpSocket};
use std::time::Duration;

use nexus_daemon::api::Status;
use nexus_daemon::recordings;

use crate::nodes::{Line, Node, arrived_once, texts, udp};
use crate::place::ask;

const NOBODY: &str = "00112233445566778899aabbccddeeff";

fn refused(status: &Status, cause: &str) -> u64 {
    status.refusals.get(cause).copied().unwrap_or(0)
}

/// Bytes that look random, the same in each run.
struct Garbage(u64);

impl Garbage {
    fn bytes(&mut self, length: usize) -> Vec<u8> {
        let mut bytes = Vec::new();
        while bytes.len() < length {
            self.0 = self.0.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(0x1405_7b7e_f767_814f);
            bytes.extend_from_slice(&(self.0 >> 32_u32).to_le_bytes()[..4]);
        }
        bytes.truncate(length);
        bytes
    }

    /// A first message: for anybody, with a key that nobody has.
    fn first(&mut self) -> Vec<u8> {
        [&[0x91][..], &self.bytes(2), &[0; 4], &self.bytes(32)].concat()
    }
}

/// A socket that nobody knows.
fn stranger() -> UdpSocket {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.set_nonblocking(true).unwrap();
    socket
}

/// What came back: a first message is answered by a reply or by a cookie, a beacon by a first message, and nothing else by
/// anything.
fn only_what_may_be_answered_was(socket: &UdpSocket) {
    let mut frame = [0; 2_048];
    while let Ok(length) = socket.recv(&mut frame) {
        let head = frame[0];
        assert!(matches!((head, length), (0x91, 39) | (0x92, 107) | (0x96, 19)), "{:02x?}", &frame[..length]);
    }
}

#[test]
fn a_node_outside_the_policy_gets_no_link_and_is_counted() {
    ask(async {
        let guest = Node::with(&udp("lan", &[], "")).await;
        for policy in [
            format!("policy = \"allow\"\nnodes = [\"{NOBODY}\"]\n"),
            format!("policy = \"deny\"\nnodes = [\"{}\"]\n", guest.me.node),
        ] {
            let host = Node::with(&(policy + &udp("lan", &[], ""))).await;
            let caller = guest.at("lan");
            // Each calls the other once: whoever begins, the host refuses.
            let dial = |peer: String| nexus_daemon::api::Verb::Dial { interface: None, peer, expected: None };
            let at = host.at("lan");
            let nexus_daemon::api::Done {} = guest.client().await.call(dial(at)).await.unwrap();
            let unwanted = |status: &Status| refused(status, "link_unwanted") > 0;
            let status = host.until("the guest was refused", unwanted).await;
            assert_eq!(status.links, []);
            let nexus_daemon::api::Done {} = host.client().await.call(dial(caller)).await.unwrap();
            let again = |now: &Status| refused(now, "link_unwanted") > refused(&status, "link_unwanted");
            assert_eq!(host.until("the guest was refused again", again).await.links, []);
            let said = "a peer that the policy does not want (link_unwanted)";
            host.until_logged(said).await;
            // Of the two, the one that was called may hold its end open until it hears nothing; it carries nothing.
            assert_eq!(guest.inbox().await, []);
        }
    });
}

#[test]
fn a_peer_that_is_somebody_else_than_was_named_gets_no_link() {
    ask(async {
        let other = Node::with(&udp("lan", &[], "")).await;
        let caller = Node::with(&udp("lan", &[&format!("{}#{NOBODY}", other.at("lan"))], "")).await;
        let status =
            caller.until("somebody else answered", |status| refused(status, "link_other_peer") > 0).await;
        assert_eq!(status.links, []);
        caller.until_logged("somebody else answered than the node that was named").await;
        assert_eq!(other.place.asked().await.unwrap().links, [], "it was told nothing");
        let right = format!("{}#{}", other.at("lan"), other.me.node);
        let caller = Node::with(&udp("lan", &[&right], "")).await;
        caller.until_linked(&other).await;
    });
}

#[test]
fn garbage_of_every_length_is_refused_while_the_nodes_go_on() {
    ask(async {
        let line = Line::start().await;
        let (from_a, from_c) = (texts("Anna", 20), texts("Carl", 20));
        let (udp, at) = (stranger(), line.a.at("ab"));
        let mut tcp = TcpStream::connect(line.c.at("bc")).unwrap();
        tcp.set_write_timeout(Some(Duration::from_secs(10))).unwrap();
        let throwing = std::thread::spawn(move || {
            let mut garbage = Garbage(1);
            for length in 0..=1_100 {
                let mut bytes = garbage.bytes(length);
                udp.send_to(&bytes, &at).unwrap();
                if let Some(head) = bytes.first_mut() {
                    *head = 0x91 + u8::try_from(length % 7).unwrap();
                    udp.send_to(&bytes, &at).unwrap();
                }
                let framed = [&[0x7e], &*bytes, &[0x7e]].concat();
                // A connection of garbage may be closed.
                let _closed = tcp.write_all(&framed);
            }
            udp
        });
        let (by_a, by_c) = tokio::join!(
            line.a.write(&line.c.me.node, &from_a, 60),
            line.c.write(&line.a.me.node, &from_c, 60)
        );
        assert!(by_a.iter().chain(&by_c).all(Result::is_ok), "{by_a:?} {by_c:?}");
        let udp = throwing.join().unwrap();
        let grown = |status: &Status| refused(status, "link_malformed") > 100;
        let status = line.a.until("garbage was counted", grown).await;
        assert_eq!(status.links.len(), 1, "{status:?}");
        let status =
            line.c.until("garbage was counted", |status| refused(status, "link_malformed") > 0).await;
        assert!(status.links.iter().any(|link| link.peer == line.b.me.node), "{status:?}");
        only_what_may_be_answered_was(&udp);
        arrived_once(&line.c.inbox().await, &line.a, &from_a);
        arrived_once(&line.a.inbox().await, &line.c, &from_c);
    });
}

#[test]
fn what_was_recorded_and_is_played_again_changes_nothing() {
    ask(async {
        let Line { a, b, c } = Line::start().await;
        let from_c = texts("Carl", 20);
        assert!(c.write(&a.me.node, &from_c, 60).await.iter().all(Result::is_ok));
        let place = b.stop();
        let recordings = Node::recordings(&place);
        let recording = recordings.iter().find(|path| path.ends_with("ab.pcap")).unwrap();
        let frames = recordings::read(recording).unwrap();
        assert!(frames.len() > 40, "{}", frames.len());
        let (before, letters) = (a.place.asked().await.unwrap(), a.inbox().await);
        let (socket, at) = (stranger(), a.at("ab"));
        for recorded in frames.iter().filter(|recorded| !recorded.frame.is_empty()) {
            socket.send_to(&recorded.frame, &at).unwrap();
        }
        let all = |status: &Status| status.refusals.values().sum::<u64>();
        let grown = |status: &Status| all(status) >= all(&before) + 20;
        let after = a.until("what was played again was counted", grown).await;
        only_what_may_be_answered_was(&socket);
        let peers = |status: &Status| {
            status.links.iter().map(|link| (link.peer.clone(), link.endpoint.clone())).collect::<Vec<_>>()
        };
        assert_eq!(peers(&after), peers(&before), "neither a link nor a move");
        assert_eq!((a.inbox().await, after.emission), (letters, before.emission));
    });
}

#[test]
fn a_flood_of_first_messages_keeps_no_peer_away_and_takes_no_memory() {
    ask(async {
        let node = Node::with(&udp("lan", &[], "")).await;
        let before = node.place.asked().await.unwrap().memory_bytes;
        let (socket, at) = (stranger(), node.at("lan"));
        let flooding = std::thread::spawn({
            let at = at.clone();
            move || {
                let mut garbage = Garbage(2);
                for _ in 0..20_000 {
                    let _full = socket.send_to(&garbage.first(), &at);
                }
                socket
            }
        });
        let peer = Node::with(&udp("lan", &[&at], "")).await;
        peer.until_linked(&node).await;
        let socket = flooding.join().unwrap();
        let status =
            node.until("the flood was counted", |status| refused(status, "link_flooded") > 100).await;
        only_what_may_be_answered_was(&socket);
        let grown = status.memory_bytes.saturating_sub(before);
        println!("grown by {grown} bytes from {before}; {:?}", status.refusals);
        assert!(grown < 20_000_000, "{grown} bytes from {before}");
    });
}
