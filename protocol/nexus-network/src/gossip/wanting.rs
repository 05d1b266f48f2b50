//! Items that are needed by name: neighbours are asked one after another.

use nexus_machine::{Cx, Duration, Sink};
use nexus_wire::nexus::Layout as _;
use nexus_wire::nexus::gossip::{ItemId, Request, StoreId};

use super::saying::alone;
use super::{Effect, Gossip, Timer};
use crate::links::LinkId;

/// Items that are looked for at once; further ones have to be wanted again.
pub(super) const WANTS: usize = 64;
/// Another neighbour is asked after so long.
const ANSWERED_WITHIN: Duration = Duration::from_secs(10);

/// An item that is looked for.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Want {
    /// Who was asked last.
    asked: Option<LinkId>,
}

impl Gossip {
    /// A store needs an item.
    pub(super) fn want(&mut self, cx: Cx, store: StoreId, id: ItemId, out: &mut impl Sink<Effect>) {
        let Some(stock) = self.index.stock(store) else { return };
        let is_new = stock.get(&id).is_none() && !self.wants.contains_key(&(store, id));
        if is_new && self.wants.len() < WANTS {
            self.wants.insert((store, id), Want::default());
            self.ask(cx, store, id, out);
        }
    }

    /// Asks the next neighbour that has a share for the question. When all were asked, the item is given up.
    pub(super) fn ask(&mut self, cx: Cx, store: StoreId, id: ItemId, out: &mut impl Sink<Effect>) {
        let (Some(want), Some(stock)) = (self.wants.get(&(store, id)).copied(), self.index.stock(store))
        else {
            return;
        };
        let (tier, ids) = (stock.tier(), [id.0]);
        let Some(request) = Request::new(store, &ids) else { return };
        let next = self.neighbours.keys().copied().find(|link| want.asked.is_none_or(|asked| *link > asked));
        let Some(link) = next else {
            self.wants.remove(&(store, id));
            self.tally.unfound = self.tally.unfound.saturating_add(1);
            return;
        };
        self.wants.insert((store, id), Want { asked: Some(link) });
        let len = request.encoded_len().saturating_add(1);
        if self.may_say(cx.now, link, tier, len) {
            self.tally.said.requests = self.tally.said.requests.saturating_add(1);
            self.say(cx.now, link, tier, alone(&request), out);
        }
        self.deadlines.set(Timer::Ask(store, id), cx.now.after(ANSWERED_WITHIN));
    }
}
