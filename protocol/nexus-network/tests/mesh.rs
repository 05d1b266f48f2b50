//! Announces and forwarding of several nodes together, over links that lose nothing and take no time.

use std::collections::{BTreeMap, VecDeque};

use nexus_crypto::{DestinationHash, IdentitySeed, NodeIdentity, RatchetPublic};
use nexus_machine::{Cx, Duration, Instant, Key, Machine as _, Seed, Snapshot, Stream};
use nexus_network::announces::{self, Announces, Effect, Input, Outlet};
use nexus_network::forwarding::{self, Decision, Forwarding};
use nexus_network::{AppData, Class, Hop, InterfaceId, LinkId, PathPolicy, Tally};
use nexus_wire::nexus::code::{BandwidthCode, PriceCode};
use nexus_wire::nexus::cost::{CostAcks, CostList, CostRecord, CostRequest};
use nexus_wire::nexus::frame::HEADER_LEN;
use nexus_wire::nexus::message::{MessageKind, Messages};
use nexus_wire::nexus::path_cost::{CompactPathCost, Hop as CostOfHop, HopCount, LatencyMs};
use nexus_wire::nexus::traffic;
use nexus_wire::reticulum::{Context, DestinationType, MTU, Packet, PacketType};

#[test]
fn in_a_line_both_ends_know_each_other_and_a_packet_and_its_proof_go_all_the_way() {
    let mut mesh = Mesh::new(4);
    (0..3).for_each(|n| mesh.link(n, n + 1));
    mesh.run(Duration::from_secs(5));
    let path = mesh.nodes[0].announces.path(&mesh.address(3)).unwrap();
    assert_eq!((path.cost.hops, path.cost.worst_latency), (HopCount(3), LatencyMs(20)));
    let price = path.cost.cumulative_cost.price().unwrap();
    assert!(price.abs_diff(3 * PRICE) * 12 <= 3 * PRICE, "the sum, to the codes next to it: {price}");

    let sent = packet(PacketType::Data, mesh.address(3), b"across");
    let (way, arrived) = mesh.send(0, &sent);
    assert_eq!(way, [1, 2, 3]);
    assert_eq!((arrived[0], arrived[1]), (0, 3), "as it was written, three hops later");
    assert_eq!(arrived[2..], sent[2..]);
    let proved = Packet::decode(&sent).unwrap().truncated_hash();
    let mut proof = packet(PacketType::Proof, proved.into(), b"signature");
    let link = mesh.nodes[3].forwarding.prove(Cx::at(mesh.now), &mut proof).and_then(Hop::link).unwrap();
    let (way, _) = mesh.carry(3, link, proof);
    assert_eq!(way, [2, 1, 0]);
}

#[test]
fn an_emission_crosses_each_link_of_a_dense_mesh_once_in_each_direction_at_most() {
    let mut mesh = Mesh::new(6);
    for one in 0..6 {
        (one + 1..6).for_each(|other| mesh.link(one, other));
    }
    mesh.run(Duration::from_secs(5));
    assert!(mesh.all_know_all());
    assert!(mesh.told.values().all(|times| *times == 1), "{:?}", mesh.told);
    mesh.tell(2, Input::Announce);
    mesh.run(Duration::from_secs(5));
    assert!(mesh.told.values().all(|times| *times == 1), "{:?}", mesh.told);
}

#[test]
fn islands_that_meet_late_tell_each_other_of_everybody() {
    let mut mesh = Mesh::new(8);
    for n in [0, 1, 2, 4, 5, 6] {
        mesh.link(n, n + 1);
    }
    mesh.run(Duration::from_secs(60));
    assert!(!mesh.all_know_all());
    mesh.link(3, 4);
    mesh.run(Duration::from_secs(5));
    assert!(mesh.all_know_all());
    let sent = packet(PacketType::Data, mesh.address(7), b"from one end to the other");
    assert_eq!(mesh.send(0, &sent).0, [1, 2, 3, 4, 5, 6, 7]);
}

#[test]
fn a_link_that_comes_back_restores_the_paths_that_went_with_it() {
    let mut mesh = Mesh::new(4);
    (0..3).for_each(|n| mesh.link(n, n + 1));
    mesh.run(Duration::from_secs(5));
    mesh.unlink(1);
    assert_eq!(mesh.nodes[1].announces.path(&mesh.address(3)), None);
    let mut early = packet(PacketType::Data, mesh.address(3), b"too early");
    let link = mesh.originate(0, &mut early);
    assert_eq!(mesh.carry(0, link, early).0, [1], "the next one has no path");
    mesh.run(Duration::from_secs(5));
    mesh.link(1, 2);
    mesh.run(Duration::from_secs(5));
    let again = packet(PacketType::Data, mesh.address(3), b"again");
    assert_eq!(mesh.send(0, &again).0, [1, 2, 3]);
}

#[test]
fn a_node_whose_disk_and_clock_went_back_is_believed_again_at_once() {
    let mut mesh = Mesh::new(3);
    (0..2).for_each(|n| mesh.link(n, n + 1));
    mesh.run(Duration::from_secs(5));
    let before =
        mesh.nodes[2].announces.known().find(|(to, _)| **to == mesh.address(0)).unwrap().1.emitted_at;
    for _ in 0..5 {
        mesh.tell(0, Input::Announce);
        mesh.run(Duration::from_secs(1));
    }
    mesh.unlink(0);
    mesh.nodes[0] = Node::new(0);
    mesh.tell(0, Input::Ratchet(RatchetPublic([1; 32])));
    mesh.link(0, 1);
    mesh.run(Duration::from_secs(5));
    let after = mesh.nodes[2].announces.known().find(|(to, _)| **to == mesh.address(0)).unwrap().1.emitted_at;
    assert!(after > before + 5, "{after}");
    assert_eq!(mesh.nodes[0].announces.last_emission(), after);
    assert!(mesh.nodes[1].announces.path(&mesh.address(0)).is_some());
}

#[test]
fn whoever_promises_a_way_for_nothing_and_swallows_what_comes_is_passed_by_within_fifteen_seconds() {
    // The liar is 1: of everybody it says that it is there already, at no cost.
    let mut mesh = Mesh::new(5);
    mesh.liar = Some(1);
    for (one, other) in [(4, 0), (0, 1), (1, 3), (0, 2), (2, 3)] {
        mesh.link(one, other);
    }
    mesh.run(Duration::from_secs(5));
    assert_eq!(mesh.deliver_one(4, 3, 0), [0, 1], "the liar's promise is believed");
    let began = mesh.now;
    let mut n = 1;
    while mesh.deliver_one(4, 3, n).last() != Some(&3) {
        mesh.run(Duration::from_secs(2));
        n += 1;
        assert!(mesh.now.since(began) < Duration::from_secs(15), "after {n} packets");
    }
    assert_eq!(mesh.deliver_one(4, 3, 100), [0, 2, 3]);
    let liars = mesh.nodes[0].announces.paths(&mesh.address(3), mesh.now).find(|path| path.is_distrusted);
    assert!(liars.is_some_and(|path| path.is_usable), "for want of another it would be used");
    mesh.run(Duration::from_secs(20));
    assert!(
        mesh.nodes[4].announces.paths(&mesh.address(3), mesh.now).all(|path| !path.is_distrusted),
        "whoever is before the cause finds that the way works again"
    );
    // What is the liar's own goes on as before.
    assert_eq!(mesh.deliver_one(1, 3, 200), [3]);
    assert_eq!(mesh.deliver_one(4, 1, 201), [0, 1]);
    // It does not get better by being asked again, and is asked ever more rarely.
    mesh.run(Duration::from_secs(3_000));
    let doubts = *mesh.nodes[0].announces.doubts();
    assert!((3..=6).contains(&doubts.distrusted) && doubts.probes <= 6 * 6, "{doubts:?}");
    assert_eq!(mesh.deliver_one(4, 3, 300), [0, 2, 3]);
}

#[test]
fn a_way_whose_packets_prove_nothing_but_whose_probes_do_is_left_alone() {
    let mut mesh = Mesh::new(4);
    for (one, other) in [(0, 1), (1, 3), (0, 2), (2, 3)] {
        mesh.link(one, other);
    }
    mesh.run(Duration::from_secs(5));
    let first = mesh.send(0, &packet(PacketType::Data, mesh.address(3), &[0])).0;
    for n in 1..60 {
        mesh.send(0, &packet(PacketType::Data, mesh.address(3), &[n]));
        mesh.run(Duration::from_secs(1));
    }
    let doubts = *mesh.nodes[0].announces.doubts();
    assert!(doubts.suspected >= 1 && doubts.proved == doubts.probes, "{doubts:?}");
    assert!(doubts.probes <= 2 && doubts.distrusted == 0, "{doubts:?}");
    assert!(mesh.nodes[0].announces.paths(&mesh.address(3), mesh.now).all(|path| !path.is_distrusted));
    assert_eq!(first.len(), 2);
}

#[test]
fn a_way_that_loses_a_third_of_everything_is_hardly_ever_taken_for_a_liars() {
    let (mut distrusted, mut suspected) = (0, 0);
    for seed in 0..20 {
        let mut mesh = Mesh::new(3);
        (0..2).for_each(|n| mesh.link(n, n + 1));
        mesh.run(Duration::from_secs(5));
        mesh.loss = Some(Seed::new([seed; 32]).fork("loss"));
        for n in 0..300 {
            mesh.deliver_one(0, 2, n);
            mesh.run(Duration::from_secs(1));
        }
        let doubts = mesh.nodes[0].announces.doubts();
        distrusted += doubts.distrusted;
        suspected += doubts.suspected;
    }
    // Two hops that lose 30 % each way bring one packet in four its proof.
    assert!(suspected > 20 && distrusted <= 2, "{distrusted} of {suspected}");
}

#[test]
fn a_way_that_was_distrusted_and_works_again_is_trusted_after_its_hold() {
    let mut mesh = Mesh::new(4);
    mesh.liar = Some(1);
    for (one, other) in [(0, 1), (1, 3), (0, 2), (2, 3)] {
        mesh.link(one, other);
    }
    mesh.run(Duration::from_secs(5));
    for n in 0..10 {
        mesh.deliver_one(0, 3, n);
        mesh.run(Duration::from_secs(2));
    }
    assert_eq!(mesh.nodes[0].announces.doubts().distrusted, 1);
    mesh.liar = None;
    mesh.run(Duration::from_secs(70));
    assert!(mesh.nodes[0].announces.paths(&mesh.address(3), mesh.now).all(|path| !path.is_distrusted));
}

// ───────────── helpers ─────────────

const PRICE: u64 = 1_000;

struct Node {
    announces: Announces,
    forwarding: Forwarding,
}

impl Node {
    fn new(n: u8) -> Self {
        let seed = Seed::new([n + 1; 32]);
        let (limits, identity) = (announces::Limits::default(), identity(n));
        let own = identity.public().hash();
        let announces = Announces::new(identity, AppData::default(), limits, &Snapshot::empty(), &seed);
        Self {
            announces,
            forwarding: Forwarding::new(own, forwarding::Limits::default(), &Snapshot::empty(), &seed),
        }
    }
}

struct Mesh {
    nodes: Vec<Node>,
    /// The two ends of each link that is up.
    links: BTreeMap<LinkId, (usize, usize)>,
    next: u16,
    now: Instant,
    /// How often each emission was told: by whom, on which link, whose, of when.
    told: BTreeMap<(usize, LinkId, DestinationHash, u64), u32>,
    /// Says of everybody that it is there at no cost, and swallows what it is to carry on.
    liar: Option<usize>,
    /// If there is one, it says which three of ten frames with packets are lost.
    loss: Option<Stream>,
    /// Probes that are to be sent: by whom, their number, to whom.
    probes: VecDeque<(usize, u64, DestinationHash)>,
}

impl Mesh {
    fn new(count: u8) -> Self {
        let nodes = (0..count).map(Node::new).collect();
        let mut mesh = Self {
            nodes,
            links: BTreeMap::new(),
            next: 0,
            now: Instant::BOOT,
            told: BTreeMap::new(),
            liar: None,
            loss: None,
            probes: VecDeque::new(),
        };
        for n in 0..usize::from(count) {
            mesh.tell(n, Input::Ratchet(RatchetPublic([1; 32])));
        }
        mesh
    }

    fn link(&mut self, one: usize, other: usize) {
        let link = LinkId(Key { slot: self.next, generation: 0 });
        self.next += 1;
        self.links.insert(link, (one, other));
        let hop = CostOfHop {
            price: PRICE,
            latency: LatencyMs(20),
            bandwidth: BandwidthCode::nearest(100_000_000),
        };
        let inputs = [(one, other), (other, one)].map(|(at, to)| {
            let peer = identity(u8::try_from(to).expect("few nodes")).public().hash();
            (at, Input::LinkUp { link, iface: InterfaceId(0), peer, hop })
        });
        self.tell_all(inputs.into());
    }

    fn unlink(&mut self, slot: u16) {
        let link = LinkId(Key { slot, generation: 0 });
        let (one, other) = self.links.remove(&link).expect("it is up");
        for n in [one, other] {
            self.tell(n, Input::LinkDown(link));
        }
    }

    fn tell(&mut self, n: usize, input: Input) {
        self.tell_all([(n, input)].into());
    }

    /// Tells nodes something, and then everybody what follows from it, at once.
    fn tell_all(&mut self, mut inputs: VecDeque<(usize, Input)>) {
        while let Some((n, input)) = inputs.pop_front() {
            let mut out: VecDeque<Effect> = VecDeque::new();
            self.nodes[n].announces.handle(Cx::at(self.now), input, &mut out);
            inputs.extend(self.follow(n, out));
        }
    }

    fn follow(&mut self, n: usize, effects: VecDeque<Effect>) -> Vec<(usize, Input)> {
        let mut inputs = Vec::new();
        for effect in effects {
            match effect {
                Effect::Tell { link, plaintext, .. } => inputs.extend(self.deliver(n, link, &plaintext)),
                Effect::Say { to: Outlet::Link(link), message } => {
                    let to = self.other_end(n, link);
                    let is_lie = self.liar == Some(n);
                    inputs.extend(to.map(|to| (to, costs(link, &message, is_lie))));
                }
                Effect::Say { to: Outlet::Hearers(_), .. } => panic!("nobody hears broadcasts"),
                Effect::Probe { number, node, .. } => self.probes.push_back((n, number, node.into())),
                Effect::Write { number, .. } => inputs.push((n, Input::Durable(number))),
                Effect::Send(_)
                | Effect::Broadcast { .. }
                | Effect::Recall(_)
                | Effect::Reached(_)
                | Effect::PathFound { .. }
                | Effect::PathNotFound { .. }
                | Effect::Announced { .. } => {}
            }
        }
        inputs
    }

    fn deliver(&mut self, from: usize, link: LinkId, plaintext: &[u8]) -> Option<(usize, Input)> {
        let message = Messages::new(&plaintext[HEADER_LEN..]).next()?.expect("a message");
        let traffic::Announce { cost, packet } = message.parse().expect("an ANNOUNCE");
        let to = self.other_end(from, link)?;
        let mut plain = packet.to_vec();
        plain[0] &= !0x40;
        let read = Packet::decode(&plain).expect("a packet");
        let announce = nexus_wire::reticulum::Announce::from_packet(&read).expect("an announce");
        let emission = (from, link, announce.destination, announce.claim.random_hash.emitted_at());
        *self.told.entry(emission).or_default() += 1;
        let cost = if self.liar == Some(from) { CompactPathCost::ORIGIN } else { cost };
        Some((to, Input::HeardOnLink { link, cost, packet: packet.to_vec() }))
    }

    fn other_end(&self, from: usize, link: LinkId) -> Option<usize> {
        let (one, other) = self.links.get(&link)?;
        Some(if from == *one { *other } else { *one })
    }

    fn run(&mut self, span: Duration) {
        let until = self.now.after(span);
        loop {
            let due = self.nodes.iter().enumerate();
            let due = due.filter_map(|(n, node)| Some((node.announces.next_timeout()?, n))).min();
            let Some((at, n)) = due.filter(|(at, _)| *at <= until) else { break };
            self.now = at;
            let mut out: VecDeque<Effect> = VecDeque::new();
            self.nodes[n].announces.handle_timeout(Cx::at(at), &mut out);
            for (to, input) in self.follow(n, out) {
                self.tell(to, input);
            }
            while let Some((n, number, to)) = self.probes.pop_front() {
                self.probe(n, number, to);
            }
        }
        self.now = until;
    }

    fn all_know_all(&self) -> bool {
        self.nodes.iter().all(|node| node.announces.known().count() == self.nodes.len() - 1)
    }

    fn address(&self, n: usize) -> DestinationHash {
        identity(u8::try_from(n.min(self.nodes.len())).expect("few nodes")).node_id().into()
    }

    fn originate(&mut self, n: usize, packet: &mut [u8]) -> LinkId {
        let Node { announces, forwarding } = &mut self.nodes[n];
        let leaving = forwarding.originate(
            Cx::at(self.now),
            (PathPolicy::default(), Class::Standard),
            packet,
            announces,
        );
        leaving.expect("a path is known").to.link().expect("all ways are links")
    }

    /// Sends a packet of `n`'s own: who had it, and what arrived.
    fn send(&mut self, n: usize, packet: &[u8]) -> (Vec<usize>, Vec<u8>) {
        let mut packet = packet.to_vec();
        let link = self.originate(n, &mut packet);
        self.carry(n, link, packet)
    }

    /// Sends a packet that its recipient proves: who had it.
    fn deliver_one(&mut self, from: usize, to: usize, n: u32) -> Vec<usize> {
        let sent = packet(PacketType::Data, self.address(to), &n.to_le_bytes());
        let mut leaving = sent.clone();
        let link = self.originate(from, &mut leaving);
        self.carry_and_prove(from, link, leaving, &sent).0
    }

    /// Who had it, and who had the proof; that of a packet that did not arrive nobody.
    fn carry_and_prove(
        &mut self,
        from: usize,
        link: LinkId,
        leaving: Vec<u8>,
        sent: &[u8],
    ) -> (Vec<usize>, Vec<usize>) {
        let to = Packet::decode(sent).expect("a packet").destination;
        let (way, _) = self.carry(from, link, leaving);
        let arrived = way.last().copied().filter(|last| self.address(*last) == to);
        let Some(last) = arrived else { return (way, Vec::new()) };
        let proved = Packet::decode(sent).expect("a packet").truncated_hash();
        let mut proof = packet(PacketType::Proof, proved.into(), b"signature");
        let link = self.nodes[last]
            .forwarding
            .prove(Cx::at(self.now), &mut proof)
            .and_then(Hop::link)
            .expect("it came by a link");
        let (back, _) = self.carry(last, link, proof);
        (way, back)
    }

    /// What the layer above does: the probe is sent by the path that it is of, and its proof is looked at.
    fn probe(&mut self, n: usize, number: u64, to: DestinationHash) {
        let sent = packet(
            PacketType::Data,
            to,
            &[&b"probe"[..], &number.to_le_bytes(), &[u8::try_from(n).expect("few nodes")]].concat(),
        );
        let mut leaving = sent.clone();
        let Node { announces, forwarding } = &mut self.nodes[n];
        let Some(trial) = announces.trial(number) else { return };
        let (link, _) = forwarding.probe(Cx::at(self.now), trial, &mut leaving).expect("a packet");
        let (way, back) = self.carry_and_prove(n, link, leaving, &sent);
        let arrived = way.last().copied().filter(|last| self.address(*last) == to);
        let is_answered = arrived.is_some_and(|last| {
            let mut answer = packet(PacketType::Data, self.address(n), &number.to_be_bytes());
            let link = self.originate(last, &mut answer);
            self.carry(last, link, answer).0.last() == Some(&n)
        });
        if back.last() == Some(&n) || is_answered {
            self.tell(n, Input::Probed { number });
        }
    }

    fn carry(&mut self, from: usize, link: LinkId, mut packet: Vec<u8>) -> (Vec<usize>, Vec<u8>) {
        let (mut at, mut link, mut way) = (from, link, Vec::new());
        loop {
            if self.loss.as_mut().is_some_and(|random| random.chance(3, 10)) {
                return (way, packet);
            }
            at = self.other_end(at, link).expect("the link is up");
            way.push(at);
            let is_to_be_carried_on = packet[0] & 0x40 != 0 && packet[2..18] != *self.address(at).as_bytes();
            if self.liar == Some(at) && is_to_be_carried_on {
                return (way, packet);
            }
            let Node { announces, forwarding } = &mut self.nodes[at];
            let free = (Class::Standard, PriceCode::FREE);
            let (cx, mut tally) = (Cx::at(self.now), Tally::new(4));
            match forwarding.from_link(cx, link, free, &mut packet, announces, &mut tally) {
                Decision::Deliver | Decision::Drop(_) | Decision::Ask { .. } => return (way, packet),
                Decision::Forward(leaving) => link = leaving.to.link().expect("all ways are links"),
            }
        }
    }
}

/// What a COST, a `COST_ACK` or a `COST_REQUEST` says to whoever gets it.
fn costs(link: LinkId, message: &[u8], is_lie: bool) -> Input {
    let message = Messages::new(&message[HEADER_LEN..]).next().expect("one").expect("a message");
    if message.kind == MessageKind::COST {
        let list: CostList<'_> = message.parse().expect("records");
        let cost = |record: CostRecord| if is_lie { CompactPathCost::ORIGIN } else { record.cost };
        let records = list.records().map(|record| CostRecord { cost: cost(record), ..record });
        return Input::Costs { link, records: records.collect() };
    }
    if message.kind == MessageKind::COST_ACK {
        let acks: CostAcks<'_> = message.parse().expect("lines");
        return Input::CostsHeard { link, lines: acks.lines().collect() };
    }
    let CostRequest { destination } = message.parse().expect("a request");
    Input::CostRequested { link, destination }
}

/// A packet as its originator writes it.
fn packet(packet_type: PacketType, to: DestinationHash, data: &[u8]) -> Vec<u8> {
    let header = Packet::originating(packet_type, DestinationType::Single, to, Context::NEXUS);
    Packet { data, ..header }.encode(&mut [0; MTU]).expect("it is short").to_vec()
}

fn identity(n: u8) -> NodeIdentity {
    NodeIdentity::from_seed(IdentitySeed::from_bytes([n + 1; 32]))
}
