//! What congested neighbours say to each other, and what follows from it. Source: spec/network.md#backpressure.

use alloc::collections::VecDeque;
use alloc::vec::Vec;

use nexus_machine::{Cx, Duration, Machine as _};
use nexus_wire::nexus::control::{Congestion, Scope, Severity};
use nexus_wire::nexus::frame::{HEADER_LEN, TAG_LEN};
use nexus_wire::nexus::message::{Message, MessageWriter};

use super::{Nerve, Organs};
use crate::links::LinkId;
use crate::media::{self, Complained, Load};

/// Other ways are looked for at least so long.
const DETOUR: Duration = Duration::from_secs(1);

impl Organs {
    /// A neighbour feeds a queue that is crowded.
    pub(super) fn tell_of_congestion(
        &mut self,
        cx: Cx,
        link: LinkId,
        congestion: Congestion,
        nerves: &mut VecDeque<Nerve>,
    ) {
        let len = HEADER_LEN.saturating_add(MessageWriter::len_of(&congestion));
        let mut message = Vec::with_capacity(len.saturating_add(TAG_LEN));
        message.resize(len, 0);
        let (_, room) = message.split_at_mut(HEADER_LEN);
        MessageWriter::new(room).put(&congestion).expect("the buffer has the message's own length");
        self.send(cx, link, message, Load::Links, nerves);
    }

    /// A neighbour says that it is congested: it gets less, and what can wait goes by another way if there is one.
    pub(super) fn congestion(
        &mut self,
        cx: Cx,
        link: LinkId,
        message: &Message<'_>,
        nerves: &mut VecDeque<Nerve>,
    ) {
        let Ok(congestion) = message.parse::<Congestion>() else { return self.forwarding.malformed() };
        let Some((peer, iface)) = self.links.peer(link) else { return };
        let meant = match congestion.scope() {
            Scope::ALL_OUTBOUND => self.links.with(peer),
            // Whatever else is meant, this link is.
            _ => Vec::from([link]),
        };
        for link in meant {
            let Some((_, iface)) = self.links.peer(link).or(Some((peer, iface))) else { continue };
            let sent_bps = self.links.sent_bps(link, cx.now);
            let complained = Complained { iface, link, congestion, sent_bps };
            self.media.handle(cx, media::Input::Complained(complained), nerves);
            if matches!(congestion.severity(), Severity::SEVERE | Severity::SATURATED) {
                let drain = Duration::from_millis(congestion.drain_ms.into());
                self.announces.spare(link, cx.now.after(drain.max(DETOUR)));
            }
        }
    }
}
