//! Mixes of faults, drawn from a seed.
//!
//! Every seed has its own mix: some worlds are lossy, some lose power, some do everything at once. All faults end at a
//! stated moment with [`Action::Calm`], and what was down comes back before it. Source: spec/simulation.md#fault-mix.

use nexus_machine::{Duration, Seed, Stream};
use nexus_network::Reach;
use nexus_node::Command;

use crate::clock::{ClockPlan, WorldTime};
use crate::layout::Layout;
use crate::medium::endpoint;
use crate::observation::{MediumIndex, NodeIndex, Provenance};
use crate::schedule::{Action, Direction, LinkFaults, Schedule};

/// Which kinds of faults a mix is drawn from.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kinds {
    /// None at all, and exact clocks.
    None,
    /// Everything that an honest disk survives.
    Usual,
    /// That, and disks replaced by earlier images of themselves.
    WithStaleDisks,
}

/// How long an episode lasts, at most: no fault is so long that nothing follows it in a run of a day.
const LONGEST_EPISODE_S: u64 = 3_600;
/// Episodes of a kind begin about so far apart.
const SPACING_S: u64 = 4 * 3_600;

/// The clocks of a world of `nodes` nodes.
#[must_use]
pub fn clocks(kinds: Kinds, nodes: u32, seed: &Seed) -> Vec<ClockPlan> {
    let mut random = seed.fork("clocks");
    (0..nodes)
        .map(|_| match kinds {
            Kinds::None => ClockPlan::EXACT,
            Kinds::Usual | Kinds::WithStaleDisks => ClockPlan::draw(&mut random),
        })
        .collect()
}

/// Faults from the start of the world until `calm_at`, and the calm.
#[must_use]
pub fn schedule(kinds: Kinds, layout: &Layout, calm_at: WorldTime, seed: &Seed) -> Schedule {
    let mut mix = Mix { layout, until_s: calm_at.as_micros() / 1_000_000, schedule: Schedule::new() };
    if kinds != Kinds::None {
        mix.media(&mut seed.fork("media"));
        mix.partitions(&mut seed.fork("partitions"));
        mix.cuts(&mut seed.fork("cuts"));
        mix.interfaces(&mut seed.fork("interfaces"));
        mix.disks(&mut seed.fork("disks"));
        mix.clock_jumps(&mut seed.fork("jumps"));
        mix.traffic(&mut seed.fork("traffic"));
        mix.addresses(&mut seed.fork("addresses"));
        mix.suspensions(&mut seed.fork("suspensions"));
        mix.entropy(&mut seed.fork("entropy"));
        mix.crashes(kinds, &mut seed.fork("crashes"));
    }
    mix.schedule.push((calm_at, Action::Calm));
    mix.schedule
}

struct Mix<'l> {
    layout: &'l Layout,
    until_s: u64,
    schedule: Schedule,
}

impl Mix<'_> {
    /// One seed in two has lossy media, and so for each kind of damage; then each medium has its own measure of it.
    fn media(&mut self, random: &mut Stream) {
        let kinds: [u32; 5] = std::array::from_fn(|_| u32::from(random.chance(1, 2)));
        let [loss, duplicate, reorder, corrupt, truncate] = kinds;
        for medium in 0..self.layout.media.len() {
            let medium = MediumIndex(u32::try_from(medium).expect("fewer than 2³² media"));
            let mut up_to = |most: u64| u32::try_from(random.below(most)).expect("a probability in ppm");
            let faults = LinkFaults {
                loss_ppm: loss * up_to(200_000),
                duplicate_ppm: duplicate * up_to(50_000),
                reorder_ppm: reorder * up_to(100_000),
                corrupt_ppm: corrupt * up_to(50_000),
                truncate_ppm: truncate * up_to(20_000),
                jitter: Duration::from_millis(up_to(300).into()),
                hold: Duration::from_millis(up_to(5_000).into()),
            };
            self.schedule.push((WorldTime::START, Action::Disturb(medium, faults)));
        }
    }

    fn partitions(&mut self, random: &mut Stream) {
        if !random.chance(2, 3) {
            return;
        }
        for episode in self.episodes(1, random) {
            let groups = 2 + random.below(2);
            let group =
                |random: &mut Stream| u8::try_from(random.below(groups)).expect("at most three groups");
            let groups = (0..self.layout.nodes).map(|_| group(random)).collect();
            self.between(episode, Action::Partition(groups), Action::Heal);
        }
    }

    fn cuts(&mut self, random: &mut Stream) {
        for episode in self.episodes(2, random) {
            let medium = random.below(self.layout.media.len().try_into().expect("a length fits u64"));
            let medium = u32::try_from(medium).expect("fewer than 2³² media");
            let index = MediumIndex(medium);
            let nodes = &self.layout.media[index.place()].nodes;
            let (from, to) = (pick(nodes, random), pick(nodes, random));
            if from != to {
                let direction = Direction { medium: index, from, to };
                self.between(episode, Action::Cut(direction), Action::Mend(direction));
            }
        }
    }

    fn interfaces(&mut self, random: &mut Stream) {
        for episode in self.episodes(self.layout.nodes.div_ceil(5).into(), random) {
            let node = self.any_node(random);
            let interfaces: Vec<_> = self.layout.interfaces(node).map(|(iface, _)| iface).collect();
            if interfaces.is_empty() {
                continue;
            }
            let iface = pick(&interfaces, random);
            self.between(episode, Action::InterfaceDown(node, iface), Action::InterfaceUp(node, iface));
        }
    }

    fn disks(&mut self, random: &mut Stream) {
        for episode in self.episodes(self.layout.nodes.div_ceil(10).into(), random) {
            let node = self.any_node(random);
            self.between(episode, Action::FillDisk(node), Action::FreeDisk(node));
        }
    }

    fn clock_jumps(&mut self, random: &mut Stream) {
        for (at, _) in self.episodes(self.layout.nodes.div_ceil(10).into(), random) {
            // A correction by the network's time, or a battery that ran out.
            let most = if random.chance(1, 2) { 600 } else { 30 * 86_400 };
            let magnitude = random.below(most);
            let seconds = i64::try_from(magnitude).expect("at most a month");
            let seconds = if random.chance(1, 2) { -seconds } else { seconds };
            self.push(at, Action::ClockJump(self.any_node(random), seconds));
        }
    }

    /// Machines that are suspended.
    fn suspensions(&mut self, random: &mut Stream) {
        for (at, length) in self.episodes(self.layout.nodes.div_ceil(10).into(), random) {
            self.push(at, Action::Sleep(self.any_node(random), Duration::from_secs(length)));
        }
    }

    /// Hosts that have no entropy for a while.
    fn entropy(&mut self, random: &mut Stream) {
        for episode in self.episodes(self.layout.nodes.div_ceil(10).into(), random) {
            let node = self.any_node(random);
            self.between(episode, Action::Starve(node), Action::Feed(node));
        }
    }

    /// Announces on demand, and hosts that call `handle_timeout` for no reason.
    fn traffic(&mut self, random: &mut Stream) {
        for (at, _) in self.episodes(self.layout.nodes.div_ceil(5).into(), random) {
            self.push(at, Action::Tell(self.any_node(random), Command::Announce));
        }
        for (at, _) in self.episodes(self.layout.nodes.into(), random) {
            self.push(at, Action::WakeEarly(self.any_node(random)));
        }
    }

    /// Nodes whose addresses change, and nodes that are told to link with an address that somebody had at the start: twice
    /// with one peer, as likely as not, and with nobody once it moved.
    fn addresses(&mut self, random: &mut Stream) {
        for (place, medium) in self.layout.media.iter().enumerate() {
            if medium.profile.reach != Reach::Addressed {
                continue;
            }
            let index = MediumIndex(u32::try_from(place).expect("fewer than 2³² media"));
            for (at, _) in self.episodes(medium.nodes.len().div_ceil(4).try_into().expect("a few"), random) {
                self.push(at, Action::MoveAddress(index, pick(&medium.nodes, random)));
            }
            for episode in self.episodes(1, random) {
                let (node, peer) = (pick(&medium.nodes, random), pick(&medium.nodes, random));
                let iface = self.layout.interfaces(node).find(|(_, on)| *on == index).map(|(iface, _)| iface);
                let Some(iface) = iface.filter(|_| node != peer) else { continue };
                let to = endpoint(peer, 0);
                let dial = Action::Tell(node, Command::Dial { iface, to, expected: None });
                self.between(episode, dial, Action::Tell(node, Command::Undial { iface, to }));
            }
        }
    }

    fn crashes(&mut self, kinds: Kinds, random: &mut Stream) {
        for (at, length) in self.episodes(self.layout.nodes.div_ceil(4).into(), random) {
            let node = self.any_node(random);
            let down_for = Duration::from_secs(length);
            let stale = kinds == Kinds::WithStaleDisks && random.chance(1, 3);
            let disk = if stale { Provenance::Stale } else { Provenance::Kept };
            if stale {
                self.push(random.below(at.max(1)), Action::TakeImage(node));
            }
            self.push(at, Action::Crash { node, down_for, disk });
        }
        // Between two outputs, wherever the count falls.
        for node in self.layout.node_indices() {
            let down_for = Duration::from_secs(random.below(60));
            let outputs = 1 + random.below(2_000);
            self.push(0, Action::CrashAfter { node, outputs, down_for });
        }
    }

    /// Start and length in seconds of about `at_once` episodes in every [`SPACING_S`], all over before the calm.
    fn episodes(&self, at_once: u64, random: &mut Stream) -> Vec<(u64, u64)> {
        let count = (self.until_s * at_once).div_ceil(SPACING_S);
        let longest = LONGEST_EPISODE_S.min(self.until_s / 4);
        (0..count)
            .map(|_| {
                let length = random.below(longest.max(1));
                (random.below(self.until_s.saturating_sub(length).max(1)), length)
            })
            .collect()
    }

    fn between(&mut self, (start, length): (u64, u64), begin: Action, end: Action) {
        self.push(start, begin);
        self.push(start + length, end);
    }

    fn push(&mut self, at_s: u64, action: Action) {
        self.schedule.push((WorldTime::from_start(Duration::from_secs(at_s)), action));
    }

    fn any_node(&self, random: &mut Stream) -> NodeIndex {
        NodeIndex(u32::try_from(random.below(self.layout.nodes.into())).expect("below a u32"))
    }
}

fn pick<T: Copy>(list: &[T], random: &mut Stream) -> T {
    let length = u64::try_from(list.len()).expect("a length fits u64");
    list[usize::try_from(random.below(length)).expect("below a length")]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layout::{Shape, Speech};

    #[test]
    fn every_fault_is_over_when_the_calm_begins() {
        for number in 0..20 {
            let seed = Seed::new([number; 32]);
            let layout = Shape::Mixed.layout(20, &seed);
            let calm_at = WorldTime::from_start(Duration::from_secs(22 * 3_600));
            let schedule = schedule(Kinds::WithStaleDisks, &layout, calm_at, &seed);
            for (at, action) in &schedule {
                let over = match action {
                    Action::Crash { down_for, .. } => at.after(*down_for),
                    Action::Sleep(_, span) => at.after(*span),
                    _ => *at,
                };
                assert!(over <= calm_at, "{action:?} at {at}");
            }
            assert!(schedule.len() > 100, "a day of twenty nodes is eventful");
        }
    }

    #[test]
    fn addresses_move_and_are_dialled_where_there_are_any() {
        let seed = Seed::new([1; 32]);
        let calm_at = WorldTime::from_start(Duration::from_secs(86_400));
        let counted = |speech| {
            let layout = Shape::Mixed.layout(12, &seed).speaking(speech, &seed);
            let schedule = schedule(Kinds::Usual, &layout, calm_at, &seed);
            let moves =
                schedule.iter().filter(|(_, action)| matches!(action, Action::MoveAddress(..))).count();
            let dials = |action: &Action| matches!(action, Action::Tell(_, Command::Dial { .. }));
            (moves, schedule.iter().filter(|(_, action)| dials(action)).count())
        };
        let (moves, dials) = counted(Speech::NEXUS);
        assert!(moves > 3 && dials > 0, "{moves} moves, {dials} dials");
        assert_eq!(counted(Speech::RETICULUM), (0, 0));
    }

    #[test]
    fn a_seed_draws_its_own_mix() {
        let layout = Shape::Ring.layout(6, &Seed::new([0; 32]));
        let calm_at = WorldTime::from_start(Duration::from_secs(86_400));
        let draw =
            |kinds, number| format!("{:?}", schedule(kinds, &layout, calm_at, &Seed::new([number; 32])));
        assert_eq!(draw(Kinds::Usual, 1), draw(Kinds::Usual, 1));
        assert_ne!(draw(Kinds::Usual, 1), draw(Kinds::Usual, 2));
        assert!(draw(Kinds::WithStaleDisks, 1).contains("Stale") && !draw(Kinds::Usual, 1).contains("Stale"));
        let calm = schedule(Kinds::None, &layout, calm_at, &Seed::new([1; 32]));
        assert!(matches!(calm[..], [(_, Action::Calm)]));
    }
}
