//! Announces and gossip leave nine tenths of every medium to others. Source: spec/simulation.md#budget.

use nexus_machine::Duration;
use nexus_network::{Mode, Opened, Tapping};

use crate::clock::WorldTime;
use crate::layout::{Layout, MediumPlan};
use crate::meter::{HOUR, Meter, Scope, TEN_ROUNDS, TEN_SLOW_ROUNDS, WINDOWS, Worst};
use crate::observation::{
    Crossing, Failure, Judge, Landing, NodeIndex, Observation, Observer, Verdict, What,
};
use crate::schedule::Action;

/// What announces and gossip may take together, in millionths of what a medium carries. Source: spec/simulation.md#budget.
pub const MOST_PPM: u64 = 100_000;

/// Where the longest frame takes more than this, a tenth of ten minutes does not hold ten of them.
const LONGEST_FRAME: Duration = Duration::from_secs(6);

/// Below so many bits per second a round takes five minutes. Source: spec/network.md#gossip.
const SLOW_BPS: u64 = 10_000;

/// No node sends more announces and gossip by an interface that speaks links than a tenth of what the medium carries from there, and at no
/// place where a medium is shared does what all are heard to send of it take more than a tenth of the time, in any ten rounds and in any
/// hour, by the [meter](crate::meter) of the medium. Ten rounds are ten minutes, or fifty where rounds are longer; from when faults stopped
/// ten minutes are judged there too, but where they do not hold ten frames.
#[derive(Debug)]
pub struct Budget {
    meter: Meter,
    /// The same since faults stopped, by which the shortest windows of slow places are judged: who is cut off hears nobody for whom to
    /// leave room, a process that begins anew has heard nobody yet, and many who start at once do not leave a tenth of ten minutes.
    calm: Option<Meter>,
    layout: Layout,
    /// By medium.
    paces: Vec<Pace>,
}

/// How fast a medium is.
#[derive(Clone, Copy, Debug)]
struct Pace {
    /// Which window ten rounds are.
    ten_rounds: usize,
    /// Whether ten frames find room in a tenth of ten minutes.
    is_quick: bool,
}

impl Pace {
    fn of(plan: &MediumPlan) -> Self {
        let profile = &plan.profile;
        let ten_rounds = if profile.bandwidth_bps < SLOW_BPS { TEN_SLOW_ROUNDS } else { TEN_ROUNDS };
        Self { ten_rounds, is_quick: profile.airtime(profile.frame_size.into()) <= LONGEST_FRAME }
    }
}

impl Budget {
    /// A judge of this world.
    #[must_use]
    pub fn new(layout: &Layout) -> Self {
        Self {
            meter: Meter::new(layout),
            calm: None,
            layout: layout.clone(),
            paces: layout.media.iter().map(Pace::of).collect(),
        }
    }

    /// The meter, and what it has counted.
    #[must_use]
    pub const fn meter(&self) -> &Meter {
        &self.meter
    }

    /// What was wrong, with the judge's name.
    #[must_use]
    pub fn failure(&self) -> Option<(&'static str, Failure)> {
        match self.verdict() {
            Verdict::Passed => None,
            Verdict::Failed(failure) => Some((self.name(), failure)),
        }
    }

    /// The fullest window that holds more than it may, if one does.
    fn breach(&self) -> Option<Worst> {
        let is_breach = |worst: &Worst, scope: Scope| {
            worst.scope == scope
                && worst.mode == Mode::Nexus
                && worst.peak.ppm(worst.window) > MOST_PPM
                && (worst.window != TEN_ROUNDS || self.pace(worst).is_quick)
        };
        let by_sender = self.meter.worst_of(|worst| is_breach(worst, Scope::Sender));
        let is_lasting = |worst: &Worst| worst.window == HOUR || worst.window == self.pace(worst).ten_rounds;
        let by_place = self.meter.worst_of(|worst| is_lasting(worst) && is_breach(worst, Scope::Place));
        let calm = self.calm.iter();
        let in_calm = calm.flat_map(|calm| calm.worst_of(|worst| is_breach(worst, Scope::Place)));
        by_sender.into_iter().chain(by_place).chain(in_calm).next()
    }

    fn pace(&self, worst: &Worst) -> Pace {
        self.paces[worst.medium.place()]
    }
}

impl Observer for Budget {
    fn observe(&mut self, observation: &Observation<'_>) {
        self.meter.observe(observation);
        if let Some(calm) = &mut self.calm {
            calm.observe(observation);
        }
        if let What::Scheduled(Action::Calm) = &observation.what {
            self.calm = Some(Meter::from(&self.layout, observation.at));
        }
    }

    fn landed(&mut self, landing: &Landing<'_>) {
        self.meter.landed(landing);
        if let Some(calm) = &mut self.calm {
            calm.landed(landing);
        }
    }

    fn crossed(&mut self, crossing: &Crossing<'_>) {
        self.meter.crossed(crossing);
        if let Some(calm) = &mut self.calm {
            calm.crossed(crossing);
        }
    }

    fn wants_opened(&self) -> Tapping {
        self.meter.wants_opened()
    }

    fn opened(&mut self, at: WorldTime, node: NodeIndex, opened: &Opened) {
        self.meter.opened(at, node, opened);
        if let Some(calm) = &mut self.calm {
            calm.opened(at, node, opened);
        }
    }
}

impl Judge for Budget {
    fn name(&self) -> &'static str {
        "budget"
    }

    fn verdict(&self) -> Verdict {
        self.breach().map_or(Verdict::Passed, |worst| {
            let at = worst.peak.at.unwrap_or(WorldTime::START);
            let whose = match worst.scope {
                Scope::Sender => "node {} sent too much",
                Scope::Place => "too much is heard where node {} is",
            };
            let whose = whose.replace("{}", &worst.node.0.to_string());
            Verdict::Failed(Failure { at, reason: format!("{whose}: {}", told(&worst)) })
        })
    }
}

/// The fullest window of a class, in words: `cable, sender: 1.2345 % of 600 s (announces 1.2345 %) at medium 4, node 2`.
#[must_use]
pub fn told(worst: &Worst) -> String {
    let Worst { class, mode, scope, window, medium, node, peak } = worst;
    let speaks = match mode {
        Mode::Nexus => "",
        Mode::Reticulum => " in clear",
    };
    let window_us = WINDOWS[*window].as_micros();
    let share = |busy_ns: u64| {
        let ppm = u128::from(busy_ns) * 1_000 / u128::from(window_us);
        format!("{}.{:04} %", ppm / 10_000, ppm % 10_000)
    };
    let parts: Vec<String> =
        peak.parts.iter().map(|(load, busy_ns)| format!("{} {}", load.name(), share(*busy_ns))).collect();
    let at = peak.at.map_or_else(String::new, |at| format!(" until {at}"));
    format!(
        "{}{speaks}, {}: {} of {} s{at} ({}) at medium {}, node {}",
        class.name(),
        scope.name(),
        share(peak.busy_ns),
        WINDOWS[*window].as_secs(),
        parts.join(", "),
        medium.0,
        node.0
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use nexus_machine::{Duration, Seed};
    use nexus_network::InterfaceId;
    use nexus_node::Output;
    use nexus_wire::nexus::frame::{KeyName, SealedHeader, SessionId};
    use nexus_wire::nexus::recording::Direction;

    use crate::layout::{Shape, Speech};
    use crate::observation::{Act, MediumIndex};

    const NODE: NodeIndex = NodeIndex(0);
    const COST: &[u8] = &[0x86, 7, 7, 7];
    const PACKET: &[u8] = &[0x81, 0, 0, 0, 0, 7];

    /// What a judge says of a cable on which frames of one message each kept the medium busy, each from a second on for so long.
    fn judged(frames: &[(u64, u64, &[u8])]) -> Verdict {
        let seed = Seed::new([7; 32]);
        let layout = Shape::Line.layout(2, &seed).speaking(Speech::NEXUS, &seed);
        let mut budget = Budget::new(&layout);
        for (counter, (second, busy_ms, plaintext)) in (0..).zip(frames) {
            let at = WorldTime::from_start(Duration::from_secs(*second));
            let header = SealedHeader { key: KeyName::Session(SessionId::new(9).unwrap()), counter };
            let frame = [&header.to_bytes()[..], &[0; 50]].concat();
            let (iface, direction) = (InterfaceId(0), Direction::Sent);
            let opened = Opened { iface, direction, peer: None, header, plaintext: plaintext.to_vec() };
            budget.opened(at, NODE, &opened);
            let output = Output::Transmit { iface, to: None, bytes: frame.clone() };
            let what = What::Node { node: NODE, incarnation: 0, act: Act::Took(&output) };
            budget.observe(&Observation { at, what });
            let (medium, sender, busy_ns) = (MediumIndex(0), NODE, busy_ms * 1_000_000);
            budget.crossed(&Crossing { at, medium, sender, busy_ns, bytes: &frame });
        }
        budget.verdict()
    }

    #[test]
    fn a_tenth_of_ten_minutes_is_no_breach_and_a_millisecond_more_is() {
        assert_eq!(judged(&[(1, 30_000, COST), (600, 30_000, COST)]), Verdict::Passed);
        let Verdict::Failed(failure) = judged(&[(1, 30_000, COST), (600, 30_001, COST)]) else {
            panic!("60.001 s of 600")
        };
        assert!(failure.reason.contains("10.0001 % of 600 s"), "{}", failure.reason);
        assert_eq!(failure.at, WorldTime::from_start(Duration::from_secs(600)));
    }

    #[test]
    fn packets_may_fill_a_cable_and_frames_that_nobody_opened_may_not() {
        assert_eq!(judged(&[(1, 500_000, PACKET), (600, 90_000, PACKET)]), Verdict::Passed);
        let seed = Seed::new([7; 32]);
        let layout = Shape::Line.layout(2, &seed).speaking(Speech::NEXUS, &seed);
        let mut budget = Budget::new(&layout);
        let at = WorldTime::from_start(Duration::from_secs(5));
        let (medium, busy_ns) = (MediumIndex(0), 61_000_000_000);
        budget.crossed(&Crossing { at, medium, sender: NODE, busy_ns, bytes: &[0x94; 40] });
        assert!(matches!(budget.verdict(), Verdict::Failed(failure) if failure.reason.contains("unopened")));
    }
}
