//! What gossip and announces take of media: measured by the media themselves, on the five nodes of `worlds/five.toml` and on random meshes.

use nexus_node::Node;

use super::routing::{FIVE_SEEDS, five};
use super::{Measurement, verdict};
use crate::judge::budget::Budget;
use crate::meshes::Order;
use crate::meter::{HOUR, Load, Scope, TEN_ROUNDS, WINDOWS, Worst};
use crate::world;

/// Random meshes besides.
const MESHES: u64 = 12;

/// The fullest window of any sender, and of any place.
pub(super) fn within_a_tenth() -> Measurement {
    let of_five = FIVE_SEEDS.map(|seed| {
        let scenario = five(seed);
        let mut budget = Budget::new(&scenario.layout);
        world::run::<Node>(&scenario, &mut [&mut budget]);
        budget
    });
    let of_meshes = (1..=MESHES).map(|seed| {
        let order = Order { seed, nodes: Some(10) };
        let mut budget = Budget::new(&order.mesh().scenario.layout);
        let _judged_elsewhere = order.judged(&mut [&mut budget]);
        budget
    });
    let budgets: Vec<Budget> = of_five.chain(of_meshes).collect();
    let worst: Vec<Worst> = budgets.iter().flat_map(|budget| budget.meter().worst()).collect();
    let share = |scope: Scope, window: usize| {
        let fullest = worst.iter().filter(|worst| worst.scope == scope && worst.window == window);
        let ppm = fullest.map(|worst| worst.peak.ppm(window)).max().unwrap_or(0);
        format!("{}.{:02} %", ppm / 10_000, ppm % 10_000 / 100)
    };
    let gossips =
        worst.iter().flat_map(|worst| &worst.peak.parts).any(|(load, _)| matches!(load, Load::Gossip(_)));
    let breaches = budgets.iter().filter(|budget| budget.failure().is_some()).count();
    let [minutes, hours] = [WINDOWS[TEN_ROUNDS].as_secs() / 60, WINDOWS[HOUR].as_secs() / 3_600];
    let measured = format!(
        "by the media's own meter, announces included, in {} worlds: no sender has more than {} of any {minutes} minutes, nor than {} of any {hours} \
         hour; all that one place of a shared medium hears is {} and {} at most",
        budgets.len(),
        share(Scope::Sender, TEN_ROUNDS),
        share(Scope::Sender, HOUR),
        share(Scope::Place, TEN_ROUNDS),
        share(Scope::Place, HOUR),
    );
    verdict(measured, breaches == 0 && gossips)
}
