//! Transport and identity where radio is: A has a modem, B a modem and a local network, C the local network. And twenty nodes on one
//! channel.

use std::collections::BTreeSet;

use nexus_machine::Duration;
use nexus_network::Policy;
use nexus_network::lora::Modulation;
use nexus_node::{Command, Node};

use super::links::{Both, Links, MESSAGES, Mail, ids, passes, second, stranger};
use super::{Measurement, announces, verdict};
use crate::clock::WorldTime;
use crate::errands;
use crate::judge::secrecy::Secrecy;
use crate::layout::{Layout, MediumPlan, Shape, Speech};
use crate::linking::{Linking, bound, channel};
use crate::neighbour::Neighbour;
use crate::observation::{Damage, Judge as _, MediumIndex, NodeIndex, Observation, Observer, Verdict, What};
use crate::schedule::{Action, LinkFaults};
use crate::swarm;
use crate::world::{self, Scenario};

const A: NodeIndex = NodeIndex(0);
const C: NodeIndex = NodeIndex(2);
const OUTSIDER: NodeIndex = NodeIndex(3);
const HOUR: Duration = Duration::from_secs(3_600);

/// A link of A and B over the air, one of B and C over the local network.
pub(super) fn established() -> Measurement {
    let scenario = scenario(bridge(&[], Speech::NEXUS), HOUR);
    let mut links = Links::of(&scenario);
    let passed = passes(&scenario, &mut links);
    let both = links.live.iter().filter(|(node, _, peer)| links.mutual(*node, *peer)).count();
    verdict(format!("{both} of 4 ends of links"), both == 4 && links.live.len() == 4 && passed)
}

/// Who hears of whom, over how many hops.
pub(super) fn announced() -> Measurement {
    let (reached, passed) = announces::observed(&scenario(bridge(&[], Speech::NEXUS), HOUR));
    let (all, relayed) = (reached.pairs(|_| true), reached.pairs(|hops| hops > 1));
    let measured = format!("{all} of 6 pairs, {relayed} of them through B, within {} s", reached.last_s());
    verdict(measured, all == 6 && relayed == 2 && passed)
}

/// Letters between A and C, both ways.
pub(super) fn forwarded() -> Measurement {
    let mut mail = Mail::default();
    let passed = passes(&correspondence(), &mut mail);
    let [there, back] = [A, C].map(|node| mail.delivered_of(node));
    let measured =
        format!("{there} of {MESSAGES} from the radio to the local network, {back} of {MESSAGES} back");
    verdict(measured, there == MESSAGES && back == MESSAGES && passed)
}

/// The same letters, every frame searched.
pub(super) fn unreadable() -> Measurement {
    let scenario = correspondence();
    let (mut mail, mut secrecy) = (Mail::default(), Secrecy::new(&scenario.identities()));
    world::run::<Node>(&scenario, &mut [&mut mail, &mut secrecy]);
    let (delivered, searched) = (mail.delivered.len(), secrecy.searched());
    let clear = secrecy.verdict() != Verdict::Passed;
    let found = if clear { "something" } else { "nothing" };
    let measured = format!("{found} readable in {searched} frames, with {delivered} messages delivered");
    verdict(measured, !clear && searched > 0 && delivered == 2 * MESSAGES)
}

/// A fourth node on both media, which the three exclude, and a stranger's frames on both.
pub(super) fn strangers_rejected() -> Measurement {
    let mut scenario = scenario(bridge(&[OUTSIDER], Speech::NEXUS), HOUR);
    let excluded = Policy::AllBut(BTreeSet::from([ids(&scenario)[OUTSIDER.place()]]));
    let told = |(node, iface)| (second(2), node, iface);
    let ports: Vec<_> = scenario
        .layout
        .node_indices()
        .flat_map(|node| scenario.layout.interfaces(node).map(move |(iface, _)| (node, iface)))
        .collect();
    for (at, node, iface) in ports.into_iter().map(told) {
        // The policy is known before anybody is heard.
        scenario.schedule.push((second(0), Action::InterfaceDown(node, iface)));
        if node != OUTSIDER {
            scenario.schedule.push((at, Action::Tell(node, Command::Policy(excluded.clone()))));
        }
        scenario.schedule.push((second(3), Action::InterfaceUp(node, iface)));
    }
    let mut random = scenario.seed.fork("stranger");
    for number in 0..3_000 {
        let medium = MediumIndex(u32::try_from(random.below(2)).expect("one of two"));
        scenario.schedule.push(stranger(number, medium, &mut random));
    }
    let mut links = Links::of(&scenario);
    let passed = passes(&scenario, &mut links);
    let with_outsider =
        links.ever.iter().filter(|(node, _, peer)| *node == OUTSIDER || *peer == OUTSIDER).count();
    let among = links.live.iter().filter(|(node, _, peer)| links.mutual(*node, *peer)).count();
    let measured = format!(
        "{with_outsider} links with the excluded node, {} with nobody known, after 3000 strange frames; {among} of 4 \
         ends of links among the others",
        links.unknown
    );
    verdict(measured, with_outsider == 0 && links.unknown == 0 && among == 4 && passed)
}

/// Open media, three frames of ten with bits flipped: on the radio by its modem, after the checksum.
pub(super) fn forgeries_rejected() -> Measurement {
    announces::forged(scenario(bridge(&[], Speech::RETICULUM), HOUR.times(3)))
}

/// The links of A, B and C, and letters, while the modems spoil one frame in five.
pub(super) fn spoilt() -> Measurement {
    let mut scenario = correspondence();
    let faults = LinkFaults { corrupt_ppm: 200_000, ..LinkFaults::NONE };
    scenario.schedule.insert(0, (second(0), Action::Disturb(RADIO, faults)));
    let (mut mail, mut links, mut spoilt) = (Mail::default(), Links::of(&scenario), Spoilt::default());
    let passed = passes(&scenario, &mut Both(&mut mail, &mut Both(&mut links, &mut spoilt)));
    let both = links.live.iter().filter(|(node, _, peer)| links.mutual(*node, *peer)).count();
    let delivered = mail.delivered.len();
    let measured = format!(
        "{} frames spoilt; {both} of 4 ends of links, {delivered} of {} messages delivered",
        spoilt.frames,
        2 * MESSAGES
    );
    verdict(measured, spoilt.frames > 0 && both == 4 && delivered == 2 * MESSAGES && passed)
}

/// Seeds for twenty nodes on one channel.
const SEEDS: u64 = 5;
const TWENTY: u32 = 20;

/// Twenty that make links and have nothing else to say, and twenty that say all that nodes say.
pub(super) fn twenty() -> Measurement {
    let modulation = Modulation::new(125_000, 7, 5).expect("within the modulation's range");
    let within = bound(&Layout::lora(modulation, TWENTY).media[0].profile, TWENTY);
    let world = |number, length| channel(modulation, TWENTY, swarm::seed(number), length);
    let runs: Vec<Linking> =
        (1..=SEEDS).map(|number| Linking::watch::<Neighbour>(&world(number, within.plus(HOUR)))).collect();
    let slowest =
        runs.iter().map(|run| run.complete_at).max_by_key(|at| at.map_or(u64::MAX, WorldTime::as_micros));
    let linked = slowest.flatten();
    let most = runs.iter().map(Linking::most_in_an_hour).max().unwrap_or(Duration::ZERO);
    let lost: u32 = runs.iter().map(|run| run.lost).sum();
    let whole: Vec<Linking> =
        (1..=SEEDS).map(|number| Linking::watch::<Node>(&world(number, HOUR.times(3)))).collect();
    let latest = |moment: fn(&Linking) -> Option<WorldTime>| {
        whole.iter().map(moment).collect::<Option<Vec<_>>>().and_then(|all| all.into_iter().max())
    };
    let (known, complete) = (latest(|run| run.known_at), latest(|run| run.complete_at));
    let whole_most = whole.iter().map(Linking::most_in_an_hour).max().unwrap_or(Duration::ZERO);
    let measured = format!(
        "{SEEDS} seeds: links alone: all within {} s of {}, at most {} ‰ of an hour for links, {lost} lost. With announces and \
         broadcasts: all known within {} s, all linked within {} s, at most {} ‰ with acknowledgements",
        seconds(linked),
        within.as_secs(),
        per_mille_of_an_hour(most),
        seconds(known),
        seconds(complete),
        per_mille_of_an_hour(whole_most),
    );
    let in_time = |at: Option<WorldTime>| at.is_some_and(|at| at <= WorldTime::from_start(within));
    let is_modest = |most| per_mille_of_an_hour(most) <= 10;
    let met = in_time(linked) && is_modest(most) && lost == 0 && in_time(complete) && is_modest(whole_most);
    verdict(measured, met)
}

fn seconds(at: Option<WorldTime>) -> String {
    at.map_or_else(|| "no".to_owned(), |at| at.as_micros().div_ceil(1_000_000).to_string())
}

/// Rounded up.
const fn per_mille_of_an_hour(span: Duration) -> u64 {
    span.as_millis().div_ceil(HOUR.as_millis() / 1_000)
}

const RADIO: MediumIndex = MediumIndex(0);

/// A radio channel of A and B, a local network of B and C; `both` are on both.
fn bridge(both: &[NodeIndex], speech: Speech) -> Layout {
    let seed = swarm::seed(11);
    let mixed = Shape::Mixed.layout(6, &seed).media;
    let mut media: Vec<_> = mixed.iter().filter(|medium| medium.is_radio()).cloned().collect();
    media.extend(mixed.into_iter().filter(MediumPlan::is_lan));
    for (medium, first) in media.iter_mut().zip([0, 1]) {
        medium.nodes =
            [NodeIndex(first), NodeIndex(first + 1)].into_iter().chain(both.iter().copied()).collect();
    }
    let nodes = 3 + u32::try_from(both.len()).expect("a few nodes");
    Layout { nodes, media }.speaking(speech, &seed)
}

fn scenario(layout: Layout, length: Duration) -> Scenario {
    Scenario::calm(swarm::seed(11), layout, length)
}

fn correspondence() -> Scenario {
    let mut scenario = scenario(bridge(&[], Speech::NEXUS), HOUR.times(4));
    let ids = ids(&scenario);
    let mut random = scenario.seed.fork("letters");
    for number in 0..MESSAGES {
        let number = u64::try_from(number).expect("a small number");
        for (node, to) in [(A, C), (C, A)] {
            let letter = errands::message(number, ids[to.place()], Duration::from_secs(1_800), &mut random);
            scenario.schedule.push((second(600 + 50 * number), Action::Tell(node, letter)));
        }
    }
    scenario
}

/// How many frames modems handed over with bits flipped.
#[derive(Debug, Default)]
struct Spoilt {
    frames: u64,
}

impl Observer for Spoilt {
    fn observe(&mut self, observation: &Observation<'_>) {
        if let What::Marred { medium: RADIO, damage: Damage::Corrupted, .. } = observation.what {
            self.frames += 1;
        }
    }
}
