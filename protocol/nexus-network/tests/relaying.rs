//! The way of a packet through a relay: it arrives, and costs no memory.

#[path = "../benches/joined.rs"]
#[allow(dead_code, reason = "the benchmarks use the rest")]
mod joined;

use joined::{BURST, ClearRelay, Relay};
use nexus_testkit::heap;
use nexus_wire::nexus::frame::HEADER_LEN;

#[test]
fn a_relayed_packet_is_opened_rewritten_and_sealed_in_its_own_buffer() {
    let mut relay = Relay::new();
    // The tables of packets that passed are as large as they will be, and the queues as long.
    for _ in 0..2_000 {
        let frame = relay.arriving(484);
        relay.relays(frame);
    }
    for _ in 0..2_000 {
        let frame = relay.arriving(484);
        let buffer = frame.as_ptr();
        let ((leaving, asked), growth) = heap::growth_of(|| heap::allocations_of(|| relay.relays(frame)));
        assert_eq!((asked, growth), (0, 0), "nothing is allocated for a packet, and nothing kept");
        assert_eq!(leaving.bytes.as_ptr(), buffer, "it is not copied");
        let opened = relay.read_on_the_right(leaving).expect("the right neighbour opens it");
        assert_eq!(opened.end, HEADER_LEN + 3 + 484);
    }
    assert_eq!(relay.layer.forwarding().drops().total(), 0);
}

#[test]
fn a_packet_that_waits_for_its_turn_costs_no_memory_either() {
    let mut relay = Relay::new();
    let mut left = Vec::with_capacity(BURST);
    for _ in 0..500 {
        let frames = std::array::from_fn(|_| relay.arriving(484));
        relay.relays_at_once(frames, &mut left);
        left.clear();
    }
    for _ in 0..500 {
        let frames = std::array::from_fn(|_| relay.arriving(484));
        let (((), asked), growth) =
            heap::growth_of(|| heap::allocations_of(|| relay.relays_at_once(frames, &mut left)));
        assert_eq!((asked, growth), (0, 0), "nothing is allocated for a packet that waits, and nothing kept");
        assert_eq!(left.len(), BURST);
        left.clear();
    }
}

#[test]
fn a_packet_relayed_between_stock_segments_stays_in_its_own_buffer() {
    let mut relay = ClearRelay::new();
    for _ in 0..2_000 {
        let packet = relay.arriving(200);
        relay.relays(packet);
    }
    for _ in 0..2_000 {
        let packet = relay.arriving(200);
        let (buffer, behind_transport) = (packet.as_ptr(), packet[18..].to_vec());
        let ((leaving, asked), growth) = heap::growth_of(|| heap::allocations_of(|| relay.relays(packet)));
        assert_eq!((asked, growth), (0, 0), "nothing is allocated for a packet, and nothing kept");
        assert_eq!(leaving.bytes.as_ptr(), buffer, "it is not copied");
        assert_eq!(leaving.bytes[..2], [0x00, 1]);
        assert_eq!(leaving.bytes[2..], behind_transport);
    }
    assert_eq!(relay.layer.forwarding().drops().total(), 0);
}
