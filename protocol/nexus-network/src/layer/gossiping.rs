//! The wires between gossip, its stores and the links.

use alloc::boxed::Box;
use alloc::collections::VecDeque;

use nexus_crypto::{NodeId, NodePublic};
use nexus_machine::{Cx, Machine as _};
use nexus_wire::nexus::gossip::StoreId;
use nexus_wire::nexus::message::Message;

use super::{Effect, Nerve, Organs};
use crate::announces;
use crate::gossip;
use crate::interface::InterfaceId;
use crate::keys::{self, ITEM_LEN};
use crate::links::LinkId;
use crate::media::{Frame, Load, Seal};
use crate::overheard::{Carrier, Ears, Overheard};

impl Organs {
    pub(super) fn wire_gossip(&mut self, cx: Cx, effect: gossip::Effect, nerves: &mut VecDeque<Nerve>) {
        use gossip::Effect as G;
        use keys::Input as K;
        match effect {
            G::Say { link, plaintext, tier } => self.send(cx, link, plaintext, Load::Gossip(tier), nerves),
            G::Fetch { store: StoreId::KEYS, to, ids } => self.keys.handle(cx, K::Fetch { to, ids }, nerves),
            G::Apply { store: StoreId::KEYS, from, items } => {
                self.keys.handle(cx, K::Apply { from, items }, nerves);
            }
            G::Asked { store: StoreId::KEYS, by, ids } => self.keys.handle(cx, K::Asked { by, ids }, nerves),
            // Other stores lie above this layer.
            effect @ (G::Fetch { .. } | G::Apply { .. } | G::Asked { .. }) => {
                nerves.push_back(Nerve::Out(Effect::Store(effect)));
            }
        }
    }

    /// Somebody above needs a node's key: it lies here, or neighbours are asked for it.
    pub(super) fn find_key(&mut self, cx: Cx, node: &NodeId, nerves: &mut VecDeque<Nerve>) {
        if let Some(public) = self.keys.get(node) {
            return nerves.push_back(Nerve::Out(Effect::Key(Box::new(*public))));
        }
        let (store, id) = (StoreId::KEYS, keys::question(node));
        self.gossip.handle(cx, gossip::Input::Want { store, id }, nerves);
    }

    pub(super) fn wire_keys(&mut self, cx: Cx, effect: keys::Effect, nerves: &mut VecDeque<Nerve>) {
        use gossip::Input as G;
        use keys::Effect as K;
        let store = StoreId::KEYS;
        let input = match effect {
            K::Published(id) => G::Published { store, id, size: ITEM_LEN },
            K::Learnt(public) => return nerves.push_back(Nerve::Out(Effect::Key(Box::new(public)))),
            K::Answered { to, ids } => G::Answered { store, to, ids },
            K::Retired(id) => G::Retired { store, id },
            K::Holds(extent) => G::Holds { store, extent },
            K::Bodies { to, bodies } => G::Bodies { store, to, bodies },
            K::Judged { from, held, bad } => G::Judged { store, from, held, bad },
        };
        self.gossip.handle(cx, input, nerves);
    }

    /// A link came up: state is brought together over it, and its peer's key is proved.
    pub(super) fn gossip_with(
        &mut self,
        cx: Cx,
        link: LinkId,
        iface: InterfaceId,
        peer: NodePublic,
        nerves: &mut VecDeque<Nerve>,
    ) {
        self.keys.handle(cx, keys::Input::Linked { link, peer }, nerves);
        if let Some(max_frame) = self.links.max_frame(link) {
            self.gossip.handle(cx, gossip::Input::LinkUp { link, iface, max_frame }, nerves);
        }
    }

    pub(super) fn gossip_without(&mut self, cx: Cx, link: LinkId, nerves: &mut VecDeque<Nerve>) {
        self.gossip.handle(cx, gossip::Input::LinkDown(link), nerves);
        self.keys.handle(cx, keys::Input::Unlinked(link), nerves);
    }

    /// A neighbour said something of its stores.
    pub(super) fn gossip_heard(
        &mut self,
        cx: Cx,
        link: LinkId,
        message: &Message<'_>,
        nerves: &mut VecDeque<Nerve>,
    ) {
        let (kind, body) = (message.kind, message.body.to_vec());
        self.gossip.handle(cx, gossip::Input::Heard { link, kind, body }, nerves);
    }

    /// Others' announces or gossip were on a shared channel: they stand for some that were not heard.
    pub(super) fn overheard(&mut self, cx: Cx, heard: Overheard, nerves: &mut VecDeque<Nerve>) {
        let heard = Overheard { airtime: Ears::with_unheard(heard.airtime), ..heard };
        self.announces.handle(cx, announces::Input::Overheard(heard), nerves);
        self.gossip.handle(cx, gossip::Input::Overheard(heard), nerves);
    }

    /// A frame left: what it has on the medium counts for the shares of announces and gossip.
    pub(super) fn account_for(&mut self, cx: Cx, frame: &Frame, nerves: &mut VecDeque<Nerve>) {
        let link = match frame.under {
            Some(Seal::Link(link)) => Some(link),
            Some(Seal::Broadcast | Seal::AccessCodes(_)) | None => None,
        };
        let Frame { iface, load, .. } = *frame;
        if load == Load::Announces {
            self.announces_wait(cx, iface, nerves);
        }
        if let (Some(airtime), Some(_), Load::Gossip(_)) =
            (self.ears.airtime(iface, frame.bytes.len()), link, load)
        {
            let heard = Overheard { iface, airtime, by: Carrier::OwnLink };
            self.announces.handle(cx, announces::Input::Overheard(heard), nerves);
        }
        self.gossip.handle(cx, gossip::Input::Left { iface, link, load, bytes: frame.bytes.len() }, nerves);
    }
}
