//! What the nodes of a file ask for carrying packets.

use nexus_machine::Duration;
use nexus_node::Command;

use super::prepare::{Names, Wrong};
use super::schedule::on;
use super::written::WorldFile;
use crate::clock::WorldTime;
use crate::layout::Layout;
use crate::schedule::{Action, Schedule};

/// Sets what is asked from the start, and tells what is asked from a later moment on.
pub(super) fn prices(file: &WorldFile, names: &Names, layout: &mut Layout) -> Result<Schedule, Wrong> {
    let mut later = Schedule::new();
    for written in &file.prices {
        let price = written.get_ref();
        let medium = names.medium(written, &price.medium)?;
        let node = on(written, names, layout, medium, &price.node)?;
        if price.at_s == 0 {
            let plan = &mut layout.media[medium.place()];
            plan.prices.resize(plan.nodes.len(), 0);
            let port = plan.nodes.iter().position(|there| *there == node).expect("it is on the medium");
            plan.prices[port] = price.per_kib;
        } else {
            let own = layout.interfaces(node).find(|(_, there)| *there == medium);
            let (iface, _) = own.expect("a node on a medium has an interface for it");
            let at = WorldTime::from_start(Duration::from_secs(price.at_s));
            later.push((at, Action::Tell(node, Command::Price { iface, price: price.per_kib })));
        }
    }
    Ok(later)
}
