//! This node's LXMF address, as it is written.

use nexus_crypto::DestinationHash;
use nexus_endpoint::lxmf::Presence;
use serde::Deserialize;
use toml::Spanned;

use super::Wrong;
use crate::config::{Lxmf, node_id};

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct WrittenLxmf {
    display_name: Option<Spanned<String>>,
    stamp_cost: Option<Spanned<u64>>,
    propagation_node: Option<Spanned<String>>,
}

impl WrittenLxmf {
    pub(super) fn lxmf(&self) -> Result<Lxmf, Wrong> {
        let display_name = self.display_name.as_ref().map(|name| match name.get_ref().len() {
            1..=Presence::NAME_MAX => Ok(name.get_ref().clone()),
            _ => Err(Wrong::new(name, format!("a display name has 1 to {} bytes", Presence::NAME_MAX))),
        });
        let stamp_cost = self.stamp_cost.as_ref().map(|cost| {
            let most = Lxmf::STAMP_COST_MAX;
            let costs = u8::try_from(*cost.get_ref()).ok().filter(|cost| (1..=most).contains(cost));
            costs.ok_or_else(|| {
                Wrong::new(cost, format!("a stamp costs 1 to {most}; each step doubles the work"))
            })
        });
        let node = self.propagation_node.as_ref().map(|written| {
            let address = node_id(written.get_ref());
            let refused = |_| Wrong::new(written, "a propagation node's address has 32 hexadecimal digits");
            address.map(|address| DestinationHash(address.0)).map_err(refused)
        });
        Ok(Lxmf {
            display_name: display_name.transpose()?,
            stamp_cost: stamp_cost.transpose()?,
            propagation_node: node.transpose()?,
        })
    }
}
