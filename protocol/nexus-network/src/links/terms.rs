//! What a hop over this node's links costs, as far as it does not depend on the peer: the price, and the bandwidth of the medium.

use alloc::vec::Vec;

use nexus_machine::Sink;
use nexus_wire::nexus::code::BandwidthCode;

use super::link::Link;
use super::{Effect, LinkId, Links};
use crate::interface::InterfaceId;
use crate::media::surged;

impl Links {
    /// Asks `price` on an interface from here on, over the links that are up too. Without such an interface nothing changes: it comes
    /// up with its own.
    pub(super) fn set_price(&mut self, iface: InterfaceId, price: u64, out: &mut impl Sink<Effect>) {
        if let Some(interface) = self.interfaces.get_mut(&iface) {
            interface.profile.price = price;
            self.ask(iface, out);
        }
    }

    /// An interface is crowded: its price is raised by so many 65,536ths, until another part is said.
    pub(super) fn set_surge(&mut self, iface: InterfaceId, extra: u32, out: &mut impl Sink<Effect>) {
        if let Some(interface) = self.interfaces.get_mut(&iface) {
            interface.surge = extra;
            self.ask(iface, out);
        }
    }

    fn ask(&mut self, iface: InterfaceId, out: &mut impl Sink<Effect>) {
        let Some(interface) = self.interfaces.get_mut(&iface) else { return };
        let price = surged(interface.profile.price, interface.surge);
        if interface.pace.price != price {
            interface.pace.price = price;
            self.amend(iface, |link| link.set_price(price), out);
        }
    }

    /// An interface was seen to carry so many bits per second. Times and sizes of its links stay those of the nominal rate.
    pub(super) fn set_bandwidth(&mut self, iface: InterfaceId, bps: u64, out: &mut impl Sink<Effect>) {
        let bandwidth = BandwidthCode::nearest(bps);
        let Some(interface) = self.interfaces.get_mut(&iface) else { return };
        interface.pace.bandwidth = bandwidth;
        self.amend(iface, |link| link.set_bandwidth(bandwidth), out);
    }

    fn amend(&mut self, iface: InterfaceId, change: impl Fn(&mut Link), out: &mut impl Sink<Effect>) {
        let there: Vec<_> =
            self.links.iter().filter(|(_, link)| link.iface == iface).map(|(key, _)| key).collect();
        for key in there {
            if let Some(link) = self.links.get_mut(key) {
                change(link);
                out.push(Effect::Measured { link: LinkId(key), hop: link.hop() });
            }
        }
    }
}
