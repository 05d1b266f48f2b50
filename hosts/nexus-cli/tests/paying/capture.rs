//! What goes over the wire between real processes, captured there: every frame of the medium, and what each of them said.

use std::collections::BTreeSet;

use nexus_daemon::recordings;
use nexus_wire::nexus::Layout as _;
use nexus_wire::nexus::frame::{FrameKind, HEADER_LEN, Head};
use nexus_wire::nexus::message::{MessageKind, Messages};
use nexus_wire::nexus::recording::{Direction, RecordedMessages};
use nexus_wire::nexus::traffic::Packet;
use nexus_wire::pcapng::Packets;

use super::line::Line;

/// Packets, and what each has in bytes.
const PACKETS: u64 = 2_000;
const LENGTH: u64 = 400;
/// What a frame adds: its head and tag, and of a message its kind and length.
const FRAME: usize = 23 + 2;

/// What one link carried.
#[derive(Debug, Default)]
struct Carried {
    frames: usize,
    packets: usize,
    /// Of them, those that stated a price.
    priced: usize,
    /// Messages about money, and what they take on the wire.
    of_money: usize,
    bytes_of_money: usize,
}

/// What the link between a node and the one beside it carried, by the records of the first.
fn carried(line: &Line, n: usize, beside: usize) -> Carried {
    let mut carried = Carried::default();
    let opened = std::fs::read(line.opened(n)).unwrap();
    let mut explained = BTreeSet::new();
    for packet in Packets::new(&opened).unwrap() {
        let said = RecordedMessages::decode(packet.data).unwrap();
        if said.peer.is_none_or(|peer| peer.to_string() != line.id(beside)) {
            continue;
        }
        explained.insert((said.direction == Direction::Sent, said.header.to_bytes()));
        for message in Messages::new(said.plaintext) {
            let message = message.unwrap();
            if message.kind.is_of_money() {
                carried.of_money += 1;
                carried.bytes_of_money += message.body.len() + FRAME;
            }
            if message.kind == MessageKind::PACKET {
                carried.packets += 1;
                carried.priced += usize::from(message.parse::<Packet<'_>>().unwrap().price.price() > 0);
            }
        }
    }
    // Nothing was on the wire that is not among what was opened, but for handshakes and beacons.
    for recorded in recordings::read(&line.wire(n, beside)).unwrap() {
        carried.frames += 1;
        let kind = Head::from_wire(recorded.frame[0]).map(Head::kind);
        if kind == Some(FrameKind::SEALED) {
            let header: [u8; HEADER_LEN] = recorded.frame[..HEADER_LEN].try_into().unwrap();
            assert!(explained.contains(&(recorded.sent, header)), "a frame that nobody opened");
        }
    }
    carried
}

/// Two lines that differ in one word: whether the relay trusts the first. Where it does, not a byte about money is on the wire between them.
#[test]
fn a_trusted_hop_carries_no_byte_of_money_and_a_priced_one_some() {
    let of = |trusting: &[(usize, usize)]| {
        let line = Line::recorded(&[0, 20, 0, 0], trusting);
        line.send(0, 2, PACKETS, LENGTH);
        line.stop();
        carried(&line, 1, 0)
    };
    let (trusted, priced) = (of(&[(1, 0), (0, 1)]), of(&[]));
    println!("trusted: {trusted:?}");
    println!("priced: {priced:?}");
    let most = usize::try_from(PACKETS).unwrap();
    assert_eq!((trusted.of_money, trusted.bytes_of_money, trusted.priced), (0, 0, 0), "{trusted:?}");
    assert!(trusted.packets >= most && trusted.frames >= most, "{trusted:?}");
    assert!(priced.packets >= most && priced.priced >= most, "{priced:?}");
    // OPEN, ACCEPT, STATE, TERMS, and DUE and TOKEN for each window at least.
    assert!(priced.of_money > 20, "{priced:?}");
    let share = priced.bytes_of_money as f64 / (PACKETS * LENGTH) as f64;
    println!("of money: {:.3} % of what was carried for it", share * 100.0);
    // A stranger's first windows are small, and the channel is opened once.
    assert!(share < 0.02, "{priced:?}");
}
