//! The faults of a file.

use nexus_machine::Duration;

use super::Written;
use super::prepare::{Names, Wrong};
use super::written::WorldFile;
use crate::clock::WorldTime;
use crate::layout::Layout;
use crate::observation::{MediumIndex, NodeIndex, Provenance};
use crate::schedule::{Action, Direction, LinkFaults, Schedule};

/// What is done from outside, by time, and when the last of it is over.
pub(super) fn schedule(
    file: &WorldFile,
    names: &Names,
    layout: &Layout,
) -> Result<(Schedule, WorldTime), Wrong> {
    let mut faults = Faults { schedule: Schedule::new(), over: WorldTime::START };
    for written in &file.disturbances {
        let disturb = written.get_ref();
        let medium = names.medium(written, &disturb.medium)?;
        let measure = LinkFaults {
            loss_ppm: probability(written, disturb.loss_ppm)?,
            duplicate_ppm: probability(written, disturb.duplicate_ppm)?,
            reorder_ppm: probability(written, disturb.reorder_ppm)?,
            corrupt_ppm: probability(written, disturb.corrupt_ppm)?,
            truncate_ppm: probability(written, disturb.truncate_ppm)?,
            jitter: Duration::from_millis(disturb.jitter_ms),
            hold: Duration::from_millis(disturb.hold_ms),
        };
        let (begin, end) = (Action::Disturb(medium, measure), Action::Disturb(medium, LinkFaults::NONE));
        faults.between((disturb.at_s, disturb.for_s), begin, end);
    }
    for written in &file.cuts {
        let cut = written.get_ref();
        let medium = names.medium(written, &cut.medium)?;
        let from = on(written, names, layout, medium, &cut.from)?;
        let to = on(written, names, layout, medium, &cut.to)?;
        let direction = Direction { medium, from, to };
        faults.between((cut.at_s, cut.for_s), Action::Cut(direction), Action::Mend(direction));
    }
    for written in &file.crashes {
        let crash = written.get_ref();
        let node = names.node(written, &crash.node)?;
        let down_for = Duration::from_secs(crash.for_s);
        faults.once(crash.at_s, crash.for_s, Action::Crash { node, down_for, disk: Provenance::Kept });
    }
    for written in &file.outages {
        let outage = written.get_ref();
        let medium = names.medium(written, &outage.medium)?;
        let node = on(written, names, layout, medium, &outage.node)?;
        let own = layout.interfaces(node).find(|(_, there)| *there == medium);
        let (iface, _) = own.expect("a node on a medium has an interface for it");
        let (down, up) = (Action::InterfaceDown(node, iface), Action::InterfaceUp(node, iface));
        faults.between((outage.at_s, outage.for_s), down, up);
    }
    for written in &file.partitions {
        let partition = written.get_ref();
        let inside = names.nodes(written, &partition.nodes)?;
        let groups = layout.node_indices().map(|node| u8::from(inside.contains(&node))).collect();
        faults.between((partition.at_s, partition.for_s), Action::Partition(groups), Action::Heal);
    }
    faults.schedule.sort_by_key(|(at, _)| *at);
    Ok((faults.schedule, faults.over))
}

struct Faults {
    schedule: Schedule,
    over: WorldTime,
}

impl Faults {
    fn once(&mut self, at_s: u64, for_s: u64, action: Action) {
        let at = WorldTime::from_start(Duration::from_secs(at_s));
        self.over = self.over.max(at.after(Duration::from_secs(for_s)));
        self.schedule.push((at, action));
    }

    fn between(&mut self, (at_s, for_s): (u64, u64), begin: Action, end: Action) {
        self.once(at_s, for_s, begin);
        self.once(at_s.saturating_add(for_s), 0, end);
    }
}

fn probability(at: &Written<impl Sized>, ppm: u32) -> Result<u32, Wrong> {
    if ppm > 1_000_000 {
        return Err(Wrong::new(at, "a probability is at most 1000000 parts per million"));
    }
    Ok(ppm)
}

/// A node that is on a medium.
pub(super) fn on(
    at: &Written<impl Sized>,
    names: &Names,
    layout: &Layout,
    medium: MediumIndex,
    name: &str,
) -> Result<NodeIndex, Wrong> {
    let node = names.node(at, name)?;
    if layout.media[medium.place()].nodes.contains(&node) {
        return Ok(node);
    }
    Err(Wrong::new(at, format_args!("`{name}` is not on this medium")))
}
