//! What balances and settlements follow from: arithmetic alone, checked throughout.

use nexus_wire::nexus::channel::{ChannelBody, SettlementBody};

use super::keys::{Both, Side};
use crate::money::Amount;

/// What the two brought to a channel. Source: spec/economy.md#opening.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub struct Brought {
    /// What each is lent by the other.
    pub lines: Both<Amount>,
    /// What each said it deposits.
    pub deposits: Both<Amount>,
}

impl Brought {
    /// The balances of the first state: deposit and line. None if they do not fit, alone or together.
    #[must_use]
    pub fn balances(&self) -> Option<Both<Amount>> {
        let a = self.deposits.a.checked_add(self.lines.a)?;
        let b = self.deposits.b.checked_add(self.lines.b)?;
        a.checked_add(b)?;
        Some(Both { a, b })
    }
}

/// The state with `sequence` that follows from `base` when `to` is paid `reward`: the sum is conserved. None if the payer has
/// not so much.
#[must_use]
pub fn paid(base: &ChannelBody, to: Side, reward: Amount, sequence: u64) -> Option<ChannelBody> {
    let balances = Both { a: Amount::from_micros(base.balance_a), b: Amount::from_micros(base.balance_b) };
    let from = balances.get(to.other()).checked_sub(reward)?;
    let into = balances.get(to).checked_add(reward)?;
    let balances = Both::of(to, into, from);
    Some(ChannelBody { balance_a: balances.a.micros(), balance_b: balances.b.micros(), sequence, ..*base })
}

/// The settlement that follows from `state`: the net since `before` is added to the side that owes it, as far as its certified
/// deposit goes. None if nothing is to be settled, or the figures do not fit. Source: spec/economy.md#settlement.
#[must_use]
pub fn settlement(
    state: &ChannelBody,
    brought: &Brought,
    certified: &Both<Amount>,
    before: Option<&SettlementBody>,
) -> Option<SettlementBody> {
    let next = reckoned(state, brought, certified, before)?;
    let (paid_a, paid_b) = before.map_or((0, 0), |before| (before.paid_a, before.paid_b));
    ((next.paid_a, next.paid_b) != (paid_a, paid_b)).then_some(next)
}

/// The same, whether or not it changes anything: what a close fixes.
#[must_use]
pub fn reckoned(
    state: &ChannelBody,
    brought: &Brought,
    certified: &Both<Amount>,
    before: Option<&SettlementBody>,
) -> Option<SettlementBody> {
    let first = i128::from(brought.balances()?.a.micros());
    let net_from_a = first.checked_sub(i128::from(state.balance_a))?;
    let (mut paid_a, mut paid_b) = before.map_or((0, 0), |before| (before.paid_a, before.paid_b));
    let settled = i128::from(paid_a).checked_sub(i128::from(paid_b))?;
    let due = net_from_a.checked_sub(settled)?;
    let amount = u64::try_from(due.unsigned_abs()).ok()?;
    let (paid, certified) = if due >= 0 { (&mut paid_a, certified.a) } else { (&mut paid_b, certified.b) };
    *paid = paid.checked_add(amount).map_or(certified.micros(), |sum| sum.min(certified.micros())).max(*paid);
    Some(SettlementBody {
        channel: state.channel,
        party_a: state.party_a,
        party_b: state.party_b,
        paid_a,
        paid_b,
        final_sequence: state.sequence,
    })
}
