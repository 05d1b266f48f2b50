//! Settlements that nobody asks for: once a day, by whoever is owed. Source: spec/economy.md#settling.

use alloc::vec::Vec;

use nexus_crypto::NodeId;
use nexus_machine::Sink;

use super::{Channels, Command, Effect};

/// After how many rounds what is owed is settled again: a day of them. Never per win, because everybody hears of a settlement.
pub const SETTLED_EVERY: u64 = 1_440;

impl Channels {
    /// A round has come: what is owed to this node, and due, is offered to be settled where there is a link.
    pub(super) fn settle_what_is_due(&mut self, out: &mut impl Sink<Effect>) {
        let round = self.round;
        let mut due: Vec<NodeId> = Vec::new();
        for (peer, neighbour) in &mut self.neighbours {
            let Some(account) = neighbour.idle_account() else { continue };
            let (is_owed, first) = (account.is_owed(), first_wait(account.terms.channel.0));
            let at = *neighbour.settles_at.get_or_insert(round.saturating_add(first));
            if is_owed && round >= at && neighbour.link.is_some() && neighbour.command.is_none() {
                neighbour.settles_at = Some(round.saturating_add(SETTLED_EVERY));
                due.push(*peer);
            }
        }
        for peer in due {
            self.commanded(peer, Command::Settle, out);
        }
    }
}

/// How many rounds after its start a node first looks: channels have their own minute of the day.
fn first_wait(channel: [u8; 16]) -> u64 {
    let [one, other, ..] = channel;
    let number = u64::from(u16::from_le_bytes([one, other]));
    number.checked_rem(SETTLED_EVERY).unwrap_or(0).saturating_add(1)
}
