//! What this node asks for carrying packets out over its links.

use alloc::vec::Vec;

use nexus_machine::Sink;

use super::{Effect, LinkId, Links};
use crate::interface::InterfaceId;

impl Links {
    /// Asks `price` on an interface from here on, over the links that are up too. Without such an interface nothing changes: it comes
    /// up with its own.
    pub(super) fn set_price(&mut self, iface: InterfaceId, price: u64, out: &mut impl Sink<Effect>) {
        let Some(interface) = self.interfaces.get_mut(&iface).filter(|there| there.pace.price != price)
        else {
            return;
        };
        interface.pace.price = price;
        interface.profile.price = price;
        let there: Vec<_> =
            self.links.iter().filter(|(_, link)| link.iface == iface).map(|(key, _)| key).collect();
        for key in there {
            if let Some(link) = self.links.get_mut(key) {
                link.set_price(price);
                out.push(Effect::Measured { link: LinkId(key), hop: link.hop() });
            }
        }
    }
}
