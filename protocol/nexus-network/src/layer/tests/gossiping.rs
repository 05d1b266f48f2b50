//! Whole layers that bring their keys together over links.

use alloc::collections::BTreeMap;

use super::*;

use crate::media::Load;

const LATENCY: Duration = Duration::from_millis(5);

#[test]
fn keys_travel_over_links_from_layer_to_layer_and_then_there_is_silence() {
    let mut line = Line::new(4, 1_000_000);
    line.run(Duration::from_secs(30));
    for node in &line.nodes {
        assert_eq!(node.keys().len(), 4, "each knows the key of each");
        assert!((0..4).all(|n| node.keys().get(&node_id(n)).is_some()));
        assert!(node.gossip().neighbours().all(|neighbour| neighbour.agreeing == 1));
    }
    line.run(Duration::from_secs(60));
    let before = line.gossip;
    line.run(Duration::from_secs(3_600));
    assert!(line.gossip - before < 3_600, "three links in an hour: {}", line.gossip - before);
}

#[test]
fn what_leaves_for_gossip_is_marked_so_and_counted_with_its_framing() {
    let mut line = Line::new(2, 1_000_000);
    line.run(Duration::from_secs(30));
    let tally = line.nodes.iter().map(|node| *node.gossip().tally());
    let frames: u64 = tally.map(|tally| tally.said.states + tally.said.summaries).sum();
    assert!(frames > 0 && line.gossip >= 41 * frames, "{frames} states, {} bytes", line.gossip);
    assert_eq!(line.nodes[0].gossip().refusals().by_name().map(|(_, count)| count).sum::<u64>(), 0);
}

#[test]
fn a_link_that_goes_takes_its_talk_with_it_and_its_key_stays() {
    let mut line = Line::new(2, 1_000_000);
    line.run(Duration::from_secs(30));
    line.tell(0, Input::Down(RIGHT));
    assert_eq!(line.nodes[0].gossip().neighbours().count(), 0);
    assert!(line.nodes[0].keys().get(&node_id(1)).is_some());
}

/// Layers in a row, each linked by cables to the one before and the one behind it.
struct Line {
    nodes: Vec<Network>,
    events: BTreeMap<(Instant, u64), (usize, Input)>,
    count: u64,
    now: Instant,
    /// Bytes of gossip on all cables.
    gossip: u64,
}

impl Line {
    fn new(nodes: u8, bps: u64) -> Self {
        let layers = (0..nodes).map(|n| {
            let identity = IdentitySeed::from_bytes([n + 40; 32]);
            let seed = Seed::new([n + 40; 32]);
            Network::new(&identity, AppData::default(), Limits::default(), &Snapshot::empty(), &seed)
        });
        let nodes: Vec<Network> = layers.collect();
        let mut line = Self { nodes, events: BTreeMap::new(), count: 0, now: Instant::BOOT, gossip: 0 };
        for n in 0..line.nodes.len() {
            for iface in [LEFT, RIGHT] {
                let profile = Profile { mode: Mode::Nexus, bandwidth_bps: bps, ..profile(Access::Direct) };
                line.tell(n, Input::Up(iface, profile));
            }
        }
        line
    }

    fn tell(&mut self, n: usize, input: Input) {
        let mut out: VecDeque<Effect> = VecDeque::new();
        self.nodes[n].handle(Cx::at(self.now), input, &mut out);
        self.follow(n, out);
    }

    fn follow(&mut self, n: usize, effects: VecDeque<Effect>) {
        for effect in effects {
            match effect {
                Effect::Transmit(frame) => {
                    if matches!(frame.load, Load::Gossip(_)) {
                        self.gossip += u64::try_from(frame.bytes.len()).unwrap();
                    }
                    self.later(n, Input::TxReady(frame.iface));
                    let (to, iface) =
                        if frame.iface == LEFT { (n.checked_sub(1), RIGHT) } else { (Some(n + 1), LEFT) };
                    if let Some(to) = to.filter(|to| *to < self.nodes.len()) {
                        self.later(to, Input::Frame { iface, from: None, bytes: frame.bytes });
                    }
                }
                Effect::EntropyWanted => {
                    let entropy = [u8::try_from(self.count % 251).unwrap(); 32];
                    self.later(n, Input::Entropy(entropy));
                }
                Effect::Write { by, number, .. } => self.later(n, Input::Durable { by, through: number }),
                Effect::Sense(_)
                | Effect::Jammed(_)
                | Effect::Reached(_)
                | Effect::Announced { .. }
                | Effect::Probe { .. }
                | Effect::PathFound { .. }
                | Effect::PathNotFound { .. }
                | Effect::OfMoney { .. }
                | Effect::Store(_)
                | Effect::Key(_)
                | Effect::Counted { .. }
                | Effect::ChannelWanted(_)
                | Effect::LinkUp(_)
                | Effect::LinkDown { .. }
                | Effect::Arrived { .. }
                | Effect::Originated { .. } => {}
            }
        }
    }

    fn later(&mut self, n: usize, input: Input) {
        self.count += 1;
        self.events.insert((self.now.after(LATENCY), self.count), (n, input));
    }

    fn run(&mut self, span: Duration) {
        let until = self.now.after(span);
        loop {
            let timers = self.nodes.iter().enumerate();
            let timer = timers.filter_map(|(n, node)| Some((node.next_timeout()?, n))).min();
            let event = self.events.first_key_value().map(|((at, _), _)| *at);
            let Some(at) = earliest([timer.map(|(at, _)| at), event]).filter(|at| *at <= until) else {
                break;
            };
            self.now = self.now.max(at);
            if event == Some(at) {
                if let Some((_, (n, input))) = self.events.pop_first() {
                    self.tell(n, input);
                }
            } else if let Some((_, n)) = timer {
                let mut out: VecDeque<Effect> = VecDeque::new();
                self.nodes[n].handle_timeout(Cx::at(self.now), &mut out);
                self.follow(n, out);
            }
        }
        self.now = until;
    }
}

fn node_id(n: u8) -> NodeId {
    NodeIdentity::from_seed(IdentitySeed::from_bytes([n + 40; 32])).node_id()
}
