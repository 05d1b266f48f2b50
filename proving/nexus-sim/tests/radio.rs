//! Many nodes on one radio channel: links within a stated time, for little airtime, and for long.

use nexus_machine::Duration;
use nexus_network::lora::Modulation;
use nexus_node::Node;
use nexus_sim::clock::WorldTime;
use nexus_sim::errands::Errands;
use nexus_sim::faults::Kinds;
use nexus_sim::layout::Shape;
use nexus_sim::linking::{Linking, bound, channel};
use nexus_sim::neighbour::Neighbour;
use nexus_sim::observation::MediumIndex;
use nexus_sim::schedule::{Action, LinkFaults};
use nexus_sim::swarm::{Order, run_judged, seed};
use nexus_sim::world::{self, Scenario};

const HOUR: Duration = Duration::from_secs(3_600);
const DAY: Duration = Duration::from_secs(24 * 3_600);
/// A hundredth of an hour.
const BUDGET: Duration = Duration::from_secs(36);

/// Nodes that start at the same instant, until the bound and some time more.
fn at_once(spreading_factor: u8, nodes: u32, number: u64, more: Duration) -> (Scenario, WorldTime) {
    let modulation =
        Modulation::new(125_000, spreading_factor, 5).expect("a spreading factor of the modulation");
    let scenario = channel(modulation, nodes, seed(number), Duration::ZERO);
    let bound = bound(&scenario.layout.media[0].profile, nodes);
    (Scenario { length: bound.plus(more), ..scenario }, WorldTime::from_start(bound))
}

#[track_caller]
fn links_in_time_and_stays(spreading_factor: u8, nodes: u32, number: u64, more: Duration) {
    let (scenario, bound) = at_once(spreading_factor, nodes, number, more);
    let linking = Linking::watch::<Neighbour>(&scenario);
    let name = format!("SF{spreading_factor}, {nodes} nodes, seed {number}");
    let pairs = linking.pairs();
    assert!(
        linking.complete_at.is_some_and(|at| at <= bound),
        "{name}: {pairs} pairs, {:?}",
        linking.complete_at
    );
    assert_eq!(linking.lost, 0, "{name}");
    let most = linking.most_in_an_hour();
    assert!(most <= BUDGET, "{name}: {most:?} in an hour");
}

#[test]
fn two_five_and_twenty_nodes_that_start_at_once_link_within_the_bound_for_a_hundredth_of_the_airtime() {
    for nodes in [2, 5, 20] {
        (1..=10).for_each(|number| links_in_time_and_stays(7, nodes, number, HOUR));
    }
}

#[test]
fn nodes_on_slower_channels_link_within_their_bounds() {
    (1..=10).for_each(|number| links_in_time_and_stays(9, 5, number, HOUR));
    (1..=10).for_each(|number| links_in_time_and_stays(12, 5, number, HOUR));
    (1..=2).for_each(|number| links_in_time_and_stays(9, 20, number, HOUR));
}

#[test]
fn links_stay_for_a_day_and_beyond_the_change_of_their_keys() {
    let beyond = DAY.plus(HOUR.times(6));
    for (spreading_factor, nodes) in [(7, 2), (7, 5), (7, 20), (9, 5), (12, 5)] {
        links_in_time_and_stays(spreading_factor, nodes, 21, beyond);
    }
}

#[test]
fn nodes_link_within_the_bound_also_where_one_frame_in_ten_is_lost() {
    let loss = LinkFaults { loss_ppm: 100_000, ..LinkFaults::NONE };
    for (spreading_factor, nodes) in [(7, 5), (7, 20), (12, 5)] {
        for number in 1..=4 {
            let (mut scenario, bound) = at_once(spreading_factor, nodes, number, Duration::ZERO);
            scenario.schedule.push((WorldTime::START, Action::Disturb(MediumIndex(0), loss)));
            let linking = Linking::watch::<Neighbour>(&scenario);
            let name = format!("SF{spreading_factor}, {nodes} nodes, seed {number}");
            assert!(linking.complete_at.is_some_and(|at| at <= bound), "{name}: {} pairs", linking.pairs());
            assert!(linking.most_in_an_hour() <= BUDGET, "{name}");
        }
    }
}

#[test]
fn twelve_nodes_that_tell_each_other_everything_keep_their_links() {
    for number in [1, 3] {
        let order = Order {
            seed: number,
            nodes: 12,
            shape: Some(Shape::Segment),
            wired: None,
            radio: nexus_network::Mode::Nexus,
            errands: Errands::None,
            length: HOUR.times(4),
            kinds: Kinds::None,
        };
        let scenario = order.scenario();
        let judged = run_judged::<Node>(&scenario, order.bench::<Node>(&scenario));
        assert!(judged.failures.is_empty(), "seed {number}: {:?}", judged.failures);
        let mut linking = Linking::of(&scenario);
        world::run::<Node>(&scenario, &mut [&mut linking]);
        assert!(linking.complete_at.is_some() && linking.lost <= 6, "seed {number}: {} lost", linking.lost);
    }
}
