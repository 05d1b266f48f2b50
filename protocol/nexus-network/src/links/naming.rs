//! What broadcasts tell the links: what this node and its peers call themselves in beacons, and who was heard.

use nexus_crypto::NodeId;
use nexus_machine::{Cx, Duration, Instant, Sink};
use nexus_wire::nexus::frame::BeaconTag;

use super::link::Link;
use super::{Effect, Interface, LinkId, Links};
use crate::interface::InterfaceId;

/// For so long this node answers to what it was called before.
const FORMER: Duration = Duration::from_secs(60);

impl Links {
    /// This node calls itself `tag` in its beacons from here on.
    pub(super) fn retag(&mut self, cx: Cx, iface: InterfaceId, tag: BeaconTag) {
        let Some(interface) = self.interfaces.get_mut(&iface) else { return };
        if tag != BeaconTag::ANYBODY && tag != interface.tag {
            interface.former = Some((interface.tag, cx.now.after(FORMER)));
            interface.tag = tag;
        }
    }

    /// The peer of `link` calls itself `tag`: its beacon is no stranger's. What it was called before it may be called a little
    /// longer.
    pub(super) fn named(&mut self, id: LinkId, tag: BeaconTag) {
        let Some(link) = self.links.get_mut(id.0) else { return };
        let (iface, peer) = (link.iface, link.peer.node_id());
        // What another linked peer answered to is not taken from it.
        let of_another = self
            .tags
            .get(&(iface, tag))
            .is_some_and(|other| *other != peer && self.by_peer.contains_key(&(iface, *other)));
        if of_another || tag == BeaconTag::ANYBODY {
            return;
        }
        link.tag = Some(tag);
        self.remember_tag(iface, tag, peer);
        if let Some(interface) = self.interfaces.get_mut(&iface) {
            interface.strangers.forget(tag);
        }
    }

    /// The peer of a link was heard by another way, authentically: it need not be asked so soon. That it is there says nothing of its
    /// end of the link, so a question that was asked is still to be answered.
    pub(super) fn heard_otherwise(&mut self, cx: Cx, id: LinkId, out: &mut impl Sink<Effect>) {
        self.at_desk(cx, id, out, Link::heard_otherwise);
        self.schedule(id);
    }

    /// Under which tag `peer` beacons: what it said itself, or what it answered to.
    pub(super) fn tag_of(&self, iface: InterfaceId, peer: NodeId) -> Option<BeaconTag> {
        let link = self.by_peer.get(&(iface, peer)).and_then(|id| self.links.get(id.0));
        let mut tags = self.tags.iter().filter(|((on, _), of)| *on == iface && **of == peer);
        link.and_then(|link| link.tag).or_else(|| tags.next().map(|((_, tag), _)| *tag))
    }
}

impl Interface {
    /// Whether this node is called so, or was until a moment ago.
    pub(super) fn is_called(&self, now: Instant, tag: BeaconTag) -> bool {
        let was = self.former.is_some_and(|(former, until)| former == tag && now < until);
        self.tag == tag || was
    }
}
