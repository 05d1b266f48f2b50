//! Endpoints of nodes, over a wire on which Reticulum is spoken.

use alloc::vec::Vec;

use nexus_crypto::DestinationHash;
use nexus_endpoint::{Accepting, Announcing, Bytes, Command as C, Event as E, Handle, Service};
use nexus_machine::{Duration, Instant, Seed, Snapshot, Stream};
use nexus_network::{Mode, announces};

use nexus_wire::reticulum::DestinationType;

use super::{Bench, UNIX, WIRE, limits, node_with, profile};
use crate::{Command, Event, Input, Output};

#[test]
fn a_node_sends_a_packet_to_a_destination_of_another_which_proves_it() {
    let mut pair = Pair::new();
    let destination = pair.serve(1, "test.service");
    pair.settle();
    let (to, plaintext) = (destination, Bytes(b"hello".to_vec()));
    pair.command(0, C::Send { handle: Handle(4), to, plaintext: plaintext.clone() });
    pair.pass(Duration::from_secs(2));
    assert!(pair.events[1].contains(&E::Received { destination, plaintext }), "{:?}", pair.events);
    let delivered = |event: &E| matches!(event, E::Delivered { handle: Handle(4), .. });
    assert!(pair.events[0].iter().any(delivered), "{:?}", pair.events);
}

#[test]
fn what_a_node_does_not_know_is_asked_for_over_the_wire() {
    let mut pair = Pair::new();
    pair.cut = true;
    let destination = pair.serve(1, "test.service");
    pair.pass(Duration::from_secs(10));
    pair.cut = false;
    pair.command(0, C::Find { handle: Handle(7), destination });
    pair.pass(Duration::from_secs(10));
    let found = |event: &E| matches!(event, E::Found { handle: Handle(7), peer } if peer.hops == 1);
    assert!(pair.events[0].iter().any(found), "{:?}", pair.events);
}

#[test]
fn whom_a_node_heard_of_and_has_no_way_to_any_more_is_found_all_the_same() {
    let mut pair = Pair::new();
    let destination = pair.serve(1, "test.service");
    pair.settle();
    pair.cut = true;
    pair.tell(0, Input::Command(Command::ForgetPaths { destination }));
    pair.command(0, C::Find { handle: Handle(7), destination });
    pair.pass(Duration::from_secs(17));
    assert_eq!(pair.events[0], []);
    pair.pass(Duration::from_secs(2));
    let found =
        |event: &E| matches!(event, E::Found { handle: Handle(7), peer } if peer.destination == destination);
    assert!(pair.events[0].iter().any(found), "{:?}", pair.events);
}

/// Anything that may be wanted of an endpoint.
pub(super) fn wish(random: &mut Stream) -> C {
    let handle = Handle(random.below(100));
    let to = DestinationHash([u8::try_from(random.below(3)).unwrap(); 16]);
    match random.below(3) {
        0 => C::Serve(Service {
            name: "a".into(),
            app_data: Vec::new(),
            announcing: Announcing::Hourly,
            accepting: Accepting::Links,
        }),
        1 => C::Find { handle, destination: to },
        _ => C::Send { handle, to, plaintext: Bytes(b"hello".to_vec()) },
    }
}

/// Two nodes at the ends of a wire.
pub(super) struct Pair {
    pub(super) ends: Vec<Bench>,
    events: [Vec<E>; 2],
    store: [Snapshot; 2],
    cut: bool,
    /// Bytes of Reticulum links that passed.
    pub(super) link_bytes: usize,
}

impl Pair {
    pub(super) fn new() -> Self {
        let end = |n| Self::end(n, &Snapshot::empty(), Instant::BOOT);
        let (events, store) = ([Vec::new(), Vec::new()], [Snapshot::empty(), Snapshot::empty()]);
        let mut pair = Self { ends: (1..=2).map(end).collect(), events, store, cut: false, link_bytes: 0 };
        pair.settle();
        pair
    }

    fn end(n: u8, snapshot: &Snapshot, now: Instant) -> Bench {
        let announces = announces::Limits { known: 16, cache_bytes: 16_000, ..limits().announces };
        let limits = nexus_network::Limits { announces, ..limits() };
        let seed = Seed::new([n; 32]).fork_index("start", now.as_micros());
        let mut bench = Bench::of(node_with(n, limits, snapshot, &seed));
        bench.now = now;
        bench.tell(Input::WallClock { unix_s: UNIX, error_s: 0 });
        bench.outputs = bench.tell(Input::Up { iface: WIRE, profile: profile(Mode::Reticulum) });
        let started = bench.tell(Input::Command(Command::Start));
        bench.outputs.extend(started);
        bench
    }

    /// A process ends in order, and is there again with what was durable.
    pub(super) fn restart(&mut self, end: usize) {
        self.tell(end, Input::Command(Command::Save));
        let (n, now) = (u8::try_from(end + 1).unwrap(), self.ends[end].now);
        self.ends[end] = Self::end(n, &self.store[end], now);
        self.settle();
    }

    fn command(&mut self, end: usize, command: C) {
        self.tell(end, Input::Command(Command::Endpoint(command)));
    }

    pub(super) fn tell(&mut self, end: usize, input: Input) {
        let outputs = self.ends[end].tell(input);
        self.ends[end].outputs.extend(outputs);
        self.settle();
    }

    fn serve(&mut self, end: usize, name: &str) -> DestinationHash {
        let (name, announcing) = (name.into(), Announcing::WhenAsked);
        self.command(
            end,
            C::Serve(Service { name, app_data: Vec::new(), announcing, accepting: Accepting::Links }),
        );
        let served = self.events[end].iter().find_map(|event| {
            if let E::Serving { destination, .. } = event { Some(*destination) } else { None }
        });
        served.expect("it is served")
    }

    /// Carries out what the nodes want, until they want nothing.
    fn settle(&mut self) {
        while let Some(end) = (0..2).find(|end| !self.ends[*end].outputs.is_empty()) {
            let output = self.ends[end].outputs.remove(0);
            let give = |pair: &mut Self, end: usize, input| {
                let outputs = pair.ends[end].tell(input);
                pair.ends[end].outputs.extend(outputs);
            };
            match output {
                Output::Transmit { iface, bytes, .. } => {
                    assert_eq!(iface, WIRE, "the endpoint's interface is within the node");
                    give(self, end, Input::TxReady { iface });
                    let is_of_link = nexus_wire::reticulum::Packet::decode(&bytes)
                        .is_ok_and(|packet| packet.destination_type == DestinationType::Link);
                    self.link_bytes += if is_of_link { bytes.len() } else { 0 };
                    if !self.cut {
                        give(self, 1 - end, Input::Frame { iface, from: None, bytes });
                    }
                }
                Output::Persist { ticket, writes } => {
                    for write in writes {
                        self.store[end].apply(write);
                    }
                    give(self, end, Input::Persisted { through: ticket });
                }
                Output::Sense { iface } => give(self, end, Input::ChannelClear { iface }),
                Output::Event(Event::EntropyWanted) => give(self, end, Input::Entropy([9; 32])),
                Output::Event(Event::Endpoint(event)) => self.events[end].push(*event),
                Output::Event(_) => {}
            }
        }
    }

    pub(super) fn pass(&mut self, time: Duration) {
        let until = self.ends[0].now.after(time);
        loop {
            let next = self.ends.iter().filter_map(|end| end.node.next_timeout()).min();
            let Some(at) = next.filter(|at| *at <= until) else { break };
            for end in &mut self.ends {
                end.now = end.now.max(at);
                let outputs = end.wake();
                end.outputs.extend(outputs);
            }
            self.settle();
        }
        for end in &mut self.ends {
            end.now = until;
        }
    }
}
