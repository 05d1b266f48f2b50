//! Fifty radios on one channel, many of which do not hear each other, and as much to say as they are given.
//!
//! Nodes here are the organ that owns the way out and nothing else: what is measured is how it takes the channel. Beside it the same places and the
//! same traffic under two rules that are not its own: to transmit whatever comes at once (ALOHA), and to know what nobody knows (an ideal of
//! carrier sense, for which nobody is hidden). Spec: spec/simulation.md#crowd.

mod rules;

use std::collections::VecDeque;

use nexus_air::Route;
use nexus_air::place::Position;
use nexus_air::propagation::{Millibels, Scenario as Propagation, Shadowing};
use nexus_crypto::{DestinationHash, IdentitySeed, NodeId, NodeIdentity, NodePublic};
use nexus_machine::{Cx, Duration, Instant, Machine as _, Seed, Snapshot, Ticket};
use nexus_network::media::{self, Flow, Frame, Load, Media};
use nexus_node::{Command, Content, Event, Input, Message, Outgoing, Output, Sender};
use nexus_wire::nexus::traffic::Class;
use nexus_wire::reticulum::Announce;

use super::funnel::under_load;
use super::{Pace, Stream};
use crate::actor::{Actor, Birth};
use crate::clock::WorldTime;
use crate::layout::{Layout, MediumPlan, RadioPlan, Terrain, fast};
use crate::observation::NodeIndex;
use crate::swarm;
use crate::world::Scenario;

pub use rules::Rule;

/// How many there are.
pub const NODES: u16 = 50;
/// In a square so wide,
const SIDE_CM: u64 = 450_000;
/// and so far from each other at least.
const APART_CM: u64 = 30_000;
/// What each frame carries behind its address.
const PAYLOAD: u16 = 60;
/// Load begins, counts, counts no more, ends.
const TIMES: [u64; 4] = [10, 40, 140, 150];

/// What drives the radios.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Driven {
    /// A node that listens before it talks.
    Transceivers,
    /// A firmware that contends.
    Rnodes,
}

/// What share of the time frames would fill that arrived, were they sent one behind the other, in thousandths; above a thousand where places far apart
/// are used at once. So many thousandths are offered.
#[must_use]
pub fn goodput(driven: Driven, offered: u64, seed: Seed) -> u64 {
    let at = |seconds| WorldTime::from_start(Duration::from_secs(seconds));
    let [since, from, until, end] = TIMES.map(at);
    let scenario = Scenario::calm(seed, layout(driven), end.since(WorldTime::START));
    let frame = airtime();
    let apart = Duration::from_micros(frame.as_micros() * u64::from(NODES) * 1_000 / offered.max(1));
    let stream = |(from, to): (u16, u16)| {
        let (from, to) = (NodeIndex(from.into()), NodeIndex(to.into()));
        let (bytes, pace, class) = (PAYLOAD, Pace::Random(apart), Class::Standard);
        Stream { from, to, class, bytes, pace, since, until: end }
    };
    let streams: Vec<Stream> = pairs().into_iter().map(stream).collect();
    let tally = under_load::<Talker>(scenario, &streams, (from, until), &mut []);
    let arrived = tally.carried(|_| true, |_| frame.as_micros());
    arrived * 1_000 / until.since(from).as_micros()
}

/// For how long one frame is on the air.
#[must_use]
pub fn airtime() -> Duration {
    layout(Driven::Rnodes).media[0].profile.airtime(NodeId::LEN + usize::from(PAYLOAD))
}

/// How many pairs of nodes of which both reach a third do not hear each other, of all such pairs, in thousandths.
#[must_use]
pub fn hidden_permille() -> u64 {
    let places = places();
    let (mut hidden, mut all) = (0, 0);
    for (number, a) in places.iter().enumerate() {
        for b in &places[..number] {
            let both = |c: &&Position| **c != *a && **c != *b && in_reach(*a, **c) && in_reach(*b, **c);
            let third = places.iter().any(|c| both(&c));
            all += u64::from(third);
            hidden += u64::from(third && !in_reach(*a, *b));
        }
    }
    hidden * 1_000 / u64::max(all, 1)
}

/// 2,505 m: 14 dBm less 7.7 + 37.6 log₁₀ d is −121.5 dBm there.
const REACH_CM: u64 = 250_500;

fn in_reach(one: Position, other: Position) -> bool {
    one.distance_cm(other) <= REACH_CM
}

/// Anywhere in the square, but not side by side.
fn places() -> Vec<Position> {
    let mut random = swarm::seed(50).fork("places");
    let mut places: Vec<Position> = Vec::new();
    let mut drawn = || i32::try_from(random.below(SIDE_CM)).expect("a few kilometres");
    while places.len() < usize::from(NODES) {
        let place = Position { east_cm: drawn(), north_cm: drawn() };
        if places.iter().all(|other| other.distance_cm(place) >= APART_CM) {
            places.push(place);
        }
    }
    places
}

/// Who sends to whom: each to the one of the four next to it that its number says.
fn pairs() -> Vec<(u16, u16)> {
    let places = places();
    let to = |from: u16| {
        let here = places[usize::from(from)];
        let mut others: Vec<(u64, u16)> = (0..NODES)
            .filter(|other| *other != from)
            .map(|other| (here.distance_cm(places[usize::from(other)]), other))
            .collect();
        others.sort_unstable();
        others[usize::from(from % 4)].1
    };
    (0..NODES).map(|from| (from, to(from))).collect()
}

fn layout(driven: Driven) -> Layout {
    let nodes = u32::from(NODES);
    let mut layout = match driven {
        Driven::Transceivers => Layout::bare(fast(), nodes),
        Driven::Rnodes => Layout::lora(fast(), nodes),
    };
    let plan = layout.media.remove(0);
    let channel = plan.modems.expect("a radio channel");
    let radios = vec![RadioPlan { channel, gain: Millibels::decibels(0) }; usize::from(NODES)];
    let terrain = Terrain { scenario: Propagation::LogDistance, shadowing: Shadowing::NONE, radios };
    let routes = places().into_iter().map(Route::standing).collect();
    layout.media.push(MediumPlan { terrain: Some(terrain), routes, ..plan });
    layout
}

/// Whoever has something to say to one other: its address, then what is said.
#[derive(Debug)]
pub struct Talker {
    id: NodeId,
    media: Media,
    arrived: u64,
    outputs: VecDeque<Output>,
}

impl Actor for Talker {
    fn address(identity: &[u8; 32]) -> DestinationHash {
        NodeIdentity::from_seed(IdentitySeed::from_bytes(*identity)).node_id().into()
    }

    /// It announces nothing.
    fn remembers(_store: &Snapshot, _announce: &Announce<'_>) -> bool {
        false
    }

    fn boot(birth: Birth) -> Self {
        Self {
            id: NodePublic::node_id(
                NodeIdentity::from_seed(IdentitySeed::from_bytes(birth.identity)).public(),
            ),
            media: Media::new(media::Limits::default(), &birth.snapshot, &birth.seed),
            arrived: 0,
            outputs: VecDeque::new(),
        }
    }

    fn handle(&mut self, now: Instant, input: Input) {
        let cx = Cx::at(now);
        match input {
            Input::Up { iface, profile } => self.tell(cx, media::Input::Up(iface, profile)),
            Input::Down { iface } => self.tell(cx, media::Input::Down(iface)),
            Input::TxReady { iface } => self.tell(cx, media::Input::TxReady(iface)),
            Input::ChannelBusy { iface } => self.tell(cx, media::Input::ChannelBusy(iface)),
            Input::ChannelClear { iface } => self.tell(cx, media::Input::ChannelClear(iface)),
            // The tickets of the one writer are its numbers.
            Input::Persisted { through } => self.tell(cx, media::Input::Durable(through.0)),
            Input::Command(Command::Send(Outgoing {
                to, content: Content::Message { text, .. }, ..
            })) => {
                let bytes = [to.as_bytes(), &text[..]].concat();
                let iface = nexus_network::InterfaceId(0);
                let frame = Frame {
                    iface,
                    to: None,
                    bytes,
                    about: None,
                    load: Load::Traffic,
                    flow: Flow::OWN,
                    under: None,
                };
                self.tell(cx, media::Input::Send(frame));
            }
            Input::Frame { iface, bytes, .. } => {
                self.tell(cx, media::Input::Heard(iface));
                self.hear(&bytes);
            }
            Input::Entropy(_) | Input::Command(_) | Input::WallClock { .. } | Input::Read { .. } => {}
        }
    }

    fn handle_timeout(&mut self, now: Instant) {
        let mut effects = VecDeque::new();
        self.media.handle_timeout(Cx::at(now), &mut effects);
        self.act(effects);
    }

    fn next_timeout(&self) -> Option<Instant> {
        self.media.next_timeout()
    }

    fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }
}

impl Talker {
    fn hear(&mut self, bytes: &[u8]) {
        if let Some((to, text)) = bytes.split_first_chunk::<{ NodeId::LEN }>()
            && *to == self.id.0
        {
            self.arrived += 1;
            let (number, text) = (self.arrived, text.to_vec());
            let message = Message { number, sender: Sender::Anonymous, unix_s: 0, text };
            self.outputs.push_back(Output::Event(Event::MessageArrived(message)));
        }
    }

    fn tell(&mut self, cx: Cx, input: media::Input) {
        let mut effects = VecDeque::new();
        self.media.handle(cx, input, &mut effects);
        self.act(effects);
    }

    fn act(&mut self, effects: VecDeque<media::Effect>) {
        for effect in effects {
            let output = match effect {
                media::Effect::Transmit(Frame { iface, to, bytes, .. }) => {
                    Output::Transmit { iface, to, bytes }
                }
                media::Effect::Sense(iface) => Output::Sense { iface },
                media::Effect::Jammed(iface) => Output::Event(Event::ChannelJammed { iface }),
                media::Effect::Write { number, write } => {
                    Output::Persist { ticket: Ticket(number), writes: vec![write] }
                }
                // Nobody chooses paths here.
                media::Effect::Carries(..)
                | media::Effect::Lost(_)
                | media::Effect::Surge(..)
                | media::Effect::Congested { .. } => continue,
            };
            self.outputs.push_back(output);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_who_reach_one_do_not_hear_each_other_and_all_reach_whom_they_send_to() {
        assert!((200..500).contains(&hidden_permille()), "{}", hidden_permille());
        let places = places();
        for (from, to) in pairs() {
            let distance = places[usize::from(from)].distance_cm(places[usize::from(to)]);
            assert!(from != to && distance < REACH_CM / 2, "{from} to {to}: {distance} cm");
        }
    }
}
