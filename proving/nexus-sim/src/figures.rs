//! What links on radio channels cost in airtime and in time. Spec: spec/network.md#link-airtime.

use std::fmt::Write as _;

use nexus_crypto::NodePublic;
use nexus_machine::Duration;
use nexus_network::Profile;
use nexus_network::lora::{AIR_HEADER, Modulation};
use nexus_node::{Authorship, Command, Content, Node, Outgoing, Output};
use nexus_wire::nexus::frame::{Finish, First, FrameKind, Head, Reply, SEALED_OVERHEAD};

use crate::clock::WorldTime;
use crate::layout::Layout;
use crate::linking::{Linking, Use, bound, channel};
use crate::neighbour::Neighbour;
use crate::observation::{Act, NodeIndex, Observation, Observer, What};
use crate::schedule::Action;
use crate::swarm::seed;
use crate::world::{self, Scenario};

/// Sealed, in bytes: PING or PONG, REKEY, its answer.
const PROBE: usize = SEALED_OVERHEAD + 13;
const OFFER: usize = SEALED_OVERHEAD + 3 + 34;
const ANSWER: usize = SEALED_OVERHEAD + 1 + 50;
/// An acknowledgement in a frame of its own.
const ACK: usize = SEALED_OVERHEAD + 9;
/// Seeds of each measured time.
const SEEDS: u64 = 10;

/// All figures, as text: `nexus-sim figures`.
#[must_use]
pub fn all() -> String {
    let sizes = Sizes::measured();
    let mut text = String::new();
    airtimes(&mut text, &sizes)
        .and_then(|()| times(&mut text))
        .and_then(|()| channels(&mut text))
        .expect("text can be written to a string");
    text
}

fn airtimes(text: &mut String, sizes: &Sizes) -> std::fmt::Result {
    writeln!(
        text,
        "airtime, in ms, 4/5, by spreading factor and bandwidth; bytes of frames as their nodes hand them over"
    )?;
    writeln!(
        text,
        "handshake: initiator {} + {}, responder {} + {SEALED_OVERHEAD}; rekey {OFFER} + {ANSWER} + 2 × {PROBE};",
        First::LEN,
        Finish::LEN,
        Reply::LEN
    )?;
    writeln!(
        text,
        "announce {} (sealed, for one neighbour); message of 100 bytes {:?}: itself, its receipt with its ACK, the ACK of that; an ACK alone {ACK}",
        sizes.announce, sizes.message
    )?;
    writeln!(
        text,
        "| channel | handshake (both) | rekey (both) | announce | message with ACK | with receipt | preamble and header of a frame |"
    )?;
    writeln!(text, "|---|---|---|---|---|---|---|")?;
    for bandwidth in [125_000, 250_000] {
        for spreading_factor in 7..=12 {
            let profile = profile(bandwidth, spreading_factor);
            let sum = |frames: &[usize]| -> u64 {
                frames.iter().map(|bytes| profile.airtime(*bytes).as_millis()).sum()
            };
            let message = sizes.message.first().copied().unwrap_or_default();
            let handshake = sum(&[First::LEN, Reply::LEN, Finish::LEN, SEALED_OVERHEAD]);
            let rekey = sum(&[OFFER, ANSWER, PROBE, PROBE]);
            writeln!(
                text,
                "| SF{spreading_factor}, {} kHz | {handshake} | {rekey} | {} | {} | {} | {} |",
                bandwidth / 1_000,
                sum(&[sizes.announce]),
                sum(&[message, ACK]),
                sum(&sizes.message),
                profile.airtime(0).as_millis(),
            )?;
        }
    }
    writeln!(
        text,
        "\noverhead of a frame: {AIR_HEADER} byte of the radio's, {SEALED_OVERHEAD} of the seal, 3 of PACKET\n"
    )
}

fn times(text: &mut String) -> std::fmt::Result {
    writeln!(
        text,
        "from the start of all at once until each two have a link, in s, {SEEDS} seeds, 125 kHz, calm"
    )?;
    writeln!(
        text,
        "| channel | nodes | median | longest | bound | most airtime of a node for links in an hour |"
    )?;
    writeln!(text, "|---|---|---|---|---|---|")?;
    for (spreading_factor, nodes) in [(7, 2), (7, 5), (7, 20), (9, 2), (9, 5), (9, 20), (12, 2), (12, 5)] {
        let profile = profile(125_000, spreading_factor);
        let bound = bound(&profile, nodes);
        let modulation =
            Modulation::new(125_000, spreading_factor, 5).expect("within the modulation's range");
        let runs: Vec<Linking> = (1..=SEEDS)
            .map(|number| Linking::watch::<Neighbour>(&channel(modulation, nodes, seed(number), bound)))
            .collect();
        let mut times: Vec<Option<u64>> =
            runs.iter().map(|run| run.complete_at.map(|at| at.as_micros() / 1_000_000)).collect();
        times.sort_unstable_by_key(|time| time.unwrap_or(u64::MAX));
        let shown =
            |time: Option<&Option<u64>>| time.copied().flatten().map_or("not".to_owned(), |s| s.to_string());
        let most = runs.iter().map(Linking::most_in_an_hour).max().unwrap_or(Duration::ZERO);
        writeln!(
            text,
            "| SF{spreading_factor} | {nodes} | {} | {} | {} | {}.{:02} % |",
            shown(times.get(times.len() / 2)),
            shown(times.last()),
            bound.as_secs(),
            most.as_millis() / 36_000,
            most.as_millis() / 360 % 100,
        )?;
    }
    Ok(())
}

/// How long whole nodes are watched.
const WATCHED: Duration = Duration::from_secs(6 * 3_600);

fn channels(text: &mut String) -> std::fmt::Result {
    writeln!(
        text,
        "\nwhole nodes that start at once, with announces and broadcasts, {SEEDS} seeds, 6 hours, calm: all linked and all known \
         of, in s, median and longest; ends of links lost after that; airtime of the channel, in hundredths of a percent"
    )?;
    writeln!(
        text,
        "| channel | nodes | linked | known | lost, most | for links | broadcasts | over links | most of a node for links in an hour |"
    )?;
    writeln!(text, "|---|---|---|---|---|---|---|---|---|")?;
    for (bandwidth, spreading_factor, nodes) in [
        (125_000, 7, 2),
        (125_000, 7, 5),
        (125_000, 7, 12),
        (125_000, 7, 20),
        (250_000, 7, 20),
        (125_000, 9, 5),
    ] {
        let modulation =
            Modulation::new(bandwidth, spreading_factor, 5).expect("within the modulation's range");
        let runs: Vec<Linking> = (1..=SEEDS)
            .map(|number| Linking::watch::<Node>(&channel(modulation, nodes, seed(number), WATCHED)))
            .collect();
        let share = |of| {
            let sum: u64 = runs.iter().map(|run| run.airtime(of).as_micros()).sum();
            sum * 10_000 / SEEDS / WATCHED.as_micros()
        };
        let [links, broadcasts, traffic] = Use::ALL.map(share);
        let most = runs.iter().map(Linking::most_in_an_hour).max().unwrap_or(Duration::ZERO);
        writeln!(
            text,
            "| SF{spreading_factor}, {} kHz | {nodes} | {} | {} | {} | {links} | {broadcasts} | {traffic} | {} |",
            bandwidth / 1_000,
            spread(runs.iter().map(|run| run.complete_at)),
            spread(runs.iter().map(|run| run.known_at)),
            runs.iter().map(|run| run.lost).max().unwrap_or(0),
            most.as_millis() / 360,
        )?;
    }
    Ok(())
}

/// The median and the latest of times, in whole seconds.
fn spread(times: impl Iterator<Item = Option<WorldTime>>) -> String {
    let mut times: Vec<Option<u64>> = times.map(|time| time.map(|at| at.as_micros() / 1_000_000)).collect();
    times.sort_unstable_by_key(|time| time.unwrap_or(u64::MAX));
    let shown =
        |time: Option<&Option<u64>>| time.copied().flatten().map_or("not".to_owned(), |s| s.to_string());
    format!("{}, {}", shown(times.get(times.len() / 2)), shown(times.last()))
}

fn profile(bandwidth: u32, spreading_factor: u8) -> Profile {
    let modulation = Modulation::new(bandwidth, spreading_factor, 5).expect("within the modulation's range");
    Layout::lora(modulation, 2).media[0].profile
}

/// The lengths of frames, as two nodes send them.
#[derive(Debug, Default)]
struct Sizes {
    announce: usize,
    message: Vec<usize>,
}

/// When the message is sent: between two announces, the first of which may have been lost.
const SENT_AT: Duration = Duration::from_secs(4_200);

impl Sizes {
    fn measured() -> Self {
        let modulation = Modulation::new(125_000, 7, 5).expect("within the modulation's range");
        let mut scenario: Scenario = channel(modulation, 2, seed(1), SENT_AT.plus(Duration::from_secs(120)));
        let ids: Vec<_> = scenario.identities().iter().map(NodePublic::node_id).collect();
        let content = Content::Message { text: vec![b'x'; 100], authorship: Authorship::Signed };
        let lifetime = Duration::from_secs(100);
        let outgoing = Outgoing { handle: 1, to: ids[1], content, lifetime, policy: None, class: None };
        let send = Action::Tell(NodeIndex(0), Command::Send(outgoing));
        scenario.schedule.push((WorldTime::from_start(SENT_AT), send));
        let mut sizes = Self::default();
        world::run::<Node>(&scenario, &mut [&mut sizes]);
        sizes
    }
}

impl Observer for Sizes {
    fn observe(&mut self, observation: &Observation<'_>) {
        let What::Node { act: Act::Took(Output::Transmit { bytes, .. }), .. } = &observation.what else {
            return;
        };
        let kind = bytes.first().and_then(|head| Head::from_wire(*head)).map(Head::kind);
        if kind != Some(FrameKind::SEALED) {
            return;
        }
        if observation.at < WorldTime::from_start(SENT_AT) {
            self.announce = self.announce.max(bytes.len());
        } else {
            self.message.push(bytes.len());
        }
    }
}
