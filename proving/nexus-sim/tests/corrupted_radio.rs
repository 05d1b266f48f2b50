//! Radio channels that flip bits of one frame in five after the channel's own checksum, open ones and ones of links: what is to
//! come about comes about, nothing false is believed, and every frame that was spoilt is counted under a cause.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use nexus_crypto::DestinationHash;
use nexus_machine::{Duration, Instant, Snapshot};
use nexus_network::announces::Refusals;
use nexus_network::{Down, InterfaceId, Mode};
use nexus_node::{Event, Input, Node, Output};
use nexus_sim::actor::{Actor, Birth};
use nexus_sim::clock::WorldTime;
use nexus_sim::judge::Bench;
use nexus_sim::layout::{Shape, Speech};
use nexus_sim::observation::{Act, MediumIndex, Observation, Observer, What};
use nexus_sim::schedule::{Action, LinkFaults};
use nexus_sim::swarm::seed;
use nexus_sim::world::{self, Scenario};
use nexus_wire::nexus::Layout as _;
use nexus_wire::nexus::frame::{Beacon, First};
use nexus_wire::reticulum::{Announce, Packet};

const SEEDS: u64 = 12;
const NODES: u32 = 4;
/// One frame in five.
const CORRUPT_PPM: u32 = 200_000;
const HOURS: u64 = 4;
/// Until then two that heard each other's beacons may make their link twice.
const SETTLED: WorldTime = WorldTime::from_start(Duration::from_secs(1_200));

#[test]
fn links_on_a_radio_channel_that_spoils_one_frame_in_five_come_up_and_stay() {
    let mut spoilt = 0;
    for number in 0..SEEDS {
        let seen = run(number, Mode::Nexus);
        // Each of four with each other, at both ends.
        assert_eq!(seen.links.len(), 12, "seed {number}: {:?}", seen.links);
        assert_eq!(seen.downs.iter().filter(|(at, _, _)| *at > SETTLED).count(), 0, "seed {number}");
        spoilt += spoilt_and_counted(number);
    }
    assert!(spoilt > 2_000, "{spoilt}");
}

#[test]
fn announces_on_an_open_radio_channel_that_spoils_one_frame_in_five_reach_everybody() {
    let mut spoilt = 0;
    for number in 0..SEEDS {
        let seen = run(number, Mode::Reticulum);
        assert_eq!(seen.reached.len(), 12, "seed {number}: each of four hears of the others");
        spoilt += spoilt_and_counted(number);
    }
    assert!(spoilt > 100, "{spoilt}");
}

/// How many spoilt frames arrived; each was counted under one cause, as was every other that was refused.
fn spoilt_and_counted(number: u64) -> u64 {
    LEDGER.with(|ledger| {
        let ledger = ledger.borrow();
        assert_eq!(ledger.uncounted, Vec::<Vec<u8>>::new(), "seed {number}");
        ledger.spoilt
    })
}

/// Runs a world on one channel, before the judges of safety.
fn run(number: u64, radio: Mode) -> Seen {
    LEDGER.with(|ledger| *ledger.borrow_mut() = Ledger::default());
    let seed = seed(number);
    let speech = Speech { radio, ..Speech::NEXUS };
    let layout = Shape::Segment.layout(NODES, &seed).speaking(speech, &seed);
    let mut scenario = Scenario::calm(seed, layout, Duration::from_secs(3_600 * HOURS));
    let faults = LinkFaults { corrupt_ppm: CORRUPT_PPM, ..LinkFaults::NONE };
    scenario.schedule.push((WorldTime::START, Action::Disturb(MediumIndex(0), faults)));
    let mut sights = Seen::default();
    let mut bench = Bench::of_safety::<Counted>(&scenario);
    let mut observers = bench.observers();
    observers.push(&mut sights);
    let outcome = world::run::<Counted>(&scenario, &mut observers);
    assert_eq!((bench.failures(), outcome.halted), (Vec::new(), None), "seed {number}");
    sights
}

/// What all nodes of a world sent, and what became of what they heard and nobody sent.
#[derive(Default)]
struct Ledger {
    sent: BTreeSet<Vec<u8>>,
    spoilt: u64,
    /// Spoilt frames that were refused under no cause, or under several.
    uncounted: Vec<Vec<u8>>,
}

thread_local! {
    static LEDGER: RefCell<Ledger> = RefCell::default();
}

/// A node whose refusals are looked at after each frame.
struct Counted(Node);

impl Counted {
    fn refused(&self) -> u64 {
        let network = self.0.network();
        let links: u64 = network.links().refusals().by_name().map(|(_, count)| count).sum();
        let broadcast: u64 = network.broadcast().refusals().by_name().map(|(_, count)| count).sum();
        let announces = network.announces().refusals();
        let access = network.access().refusals();
        let packets =
            network.forwarding().drops().total() + access.missing + access.unexpected + access.wrong;
        let Refusals {
            closed,
            malformed,
            stale,
            forged,
            other_key,
            too_long,
            crowded,
            withheld,
            hasty,
            links: many,
            held,
            flooded,
            // What this node keeps back, and what it says, is not refused.
            too_often: _,
            unsaid: _,
            echoes: _,
            far,
        } = *announces;
        links
            + broadcast
            + packets
            + closed
            + malformed
            + stale
            + forged
            + other_key
            + too_long
            + crowded
            + withheld
            + hasty
            + held
            + flooded
            + far
            + many
    }
}

/// A beacon and a first message authenticate nothing: with other bytes they are somebody else's. And of an announce its sender
/// signed neither the hops nor who relays it.
fn is_anybodys(bytes: &[u8]) -> bool {
    let signed = Packet::decode(bytes)
        .is_ok_and(|packet| Announce::from_packet(&packet).is_ok_and(|announce| announce.verify().is_ok()));
    signed || Beacon::decode(bytes).is_ok() || First::decode(bytes).is_ok()
}

impl Actor for Counted {
    fn address(identity: &[u8; 32]) -> DestinationHash {
        Node::address(identity)
    }

    fn remembers(store: &Snapshot, announce: &Announce<'_>) -> bool {
        Node::remembers(store, announce)
    }

    fn boot(birth: Birth) -> Self {
        Self(<Node as Actor>::boot(birth))
    }

    fn handle(&mut self, now: Instant, input: Input) {
        let heard = match &input {
            Input::Frame { bytes, .. } => Some(bytes.clone()),
            Input::Up { .. }
            | Input::Down { .. }
            | Input::TxReady { .. }
            | Input::ChannelBusy { .. }
            | Input::ChannelClear { .. }
            | Input::Command(_)
            | Input::Persisted { .. }
            | Input::Read { .. }
            | Input::WallClock { .. }
            | Input::Entropy(_) => None,
        };
        let before = self.refused();
        self.0.handle(now, input);
        let refused = self.refused() - before;
        let Some(heard) = heard else { return };
        LEDGER.with(|ledger| {
            let mut ledger = ledger.borrow_mut();
            if !ledger.sent.contains(&heard) {
                ledger.spoilt += 1;
                if refused != 1 && !is_anybodys(&heard) {
                    ledger.uncounted.push(heard);
                }
            }
        });
    }

    fn handle_timeout(&mut self, now: Instant) {
        self.0.handle_timeout(now);
    }

    fn next_timeout(&self) -> Option<Instant> {
        self.0.next_timeout()
    }

    fn poll_output(&mut self) -> Option<Output> {
        let output = self.0.poll_output();
        if let Some(Output::Transmit { bytes, .. }) = &output {
            LEDGER.with(|ledger| _ = ledger.borrow_mut().sent.insert(bytes.clone()));
        }
        output
    }
}

#[derive(Default)]
struct Seen {
    /// Links that are up.
    links: BTreeMap<(u32, [u8; 16]), InterfaceId>,
    /// Links that ended, with their causes.
    downs: Vec<(WorldTime, u32, Down)>,
    reached: BTreeMap<(u32, DestinationHash), u64>,
}

impl Observer for Seen {
    fn observe(&mut self, observation: &Observation<'_>) {
        match &observation.what {
            What::Node { node, act: Act::Took(Output::Event(Event::LinkUp(status))), .. } => {
                self.links.insert((node.0, status.peer.node_id().0), status.iface);
            }
            What::Node { node, act: Act::Took(Output::Event(Event::LinkDown { last, why })), .. } => {
                if *why != Down::Replaced {
                    self.links.remove(&(node.0, last.peer.node_id().0));
                }
                self.downs.push((observation.at, node.0, *why));
            }
            What::Node {
                node,
                act: Act::Took(Output::Event(Event::Reached { destination, emitted_at, .. })),
                ..
            } => {
                self.reached.insert((node.0, *destination), *emitted_at);
            }
            What::Node { .. } | What::Marred { .. } | What::Aired { .. } | What::Scheduled(_) => {}
        }
    }
}
