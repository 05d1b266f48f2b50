//! What announces, costs, withdrawals and what asks for paths may spend of an interface: 3 % of its measured bandwidth.
//!
//! One bucket for each interface on which links run, in time on the medium. What waits for it is said nearest and newest first
//! ([`speaking`](super::speaking)). Spec: spec/network.md#announce-budget.

use alloc::collections::BTreeMap;

use nexus_machine::{Duration, Instant};

use crate::interface::{InterfaceId, Mode, Profile};

/// Routing takes this share of an interface's time, in percent.
const SHARE_PERCENT: u64 = 3;
/// What of that share may be saved up.
const SAVED: Duration = Duration::from_secs(300);
/// What of that is left to costs: a path that is lost is said also where announces have spent what they may.
const RESERVED: Duration = Duration::from_secs(60);
/// Interfaces with a bucket, at most; on others nothing is limited, nor are there any.
pub(super) const INTERFACES: usize = 16;
/// A share of one, in 2⁻¹⁶.
const ONE: u64 = 1 << 16;

/// What something is said for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    /// An announce.
    Announce,
    /// What paths cost, that one is lost, or a question about one.
    Cost,
}

/// The buckets, by interface.
#[derive(Debug, Default)]
pub(super) struct Budgets {
    by_interface: BTreeMap<InterfaceId, Budget>,
}

#[derive(Debug)]
struct Budget {
    profile: Profile,
    /// What it carries under load, of its nominal rate, in 2⁻¹⁶; where that is unknown, in bits per second.
    measured: u64,
    /// When what was spent is made good.
    spent_until: Instant,
    state: State,
}

/// Whether an interface is up. What was spent outlives its going down: who pulls the plug has no more of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Up,
    Down,
}

impl Budgets {
    pub(super) fn up(&mut self, iface: InterfaceId, profile: &Profile) {
        let before = self.by_interface.remove(&iface);
        let is_down = |(_, budget): &(&InterfaceId, &Budget)| budget.state == State::Down;
        if self.by_interface.len() >= INTERFACES
            && let Some(gone) = self.by_interface.iter().find(is_down).map(|(gone, _)| *gone)
        {
            self.by_interface.remove(&gone);
        }
        if profile.mode == Mode::Nexus && self.by_interface.len() < INTERFACES {
            let measured = if profile.bandwidth_bps == 0 { 0 } else { ONE };
            let spent_until = before.map_or(Instant::BOOT, |before| before.spent_until);
            let budget = Budget { profile: *profile, measured, spent_until, state: State::Up };
            self.by_interface.insert(iface, budget);
        }
    }

    pub(super) fn down(&mut self, iface: InterfaceId) {
        if let Some(budget) = self.by_interface.get_mut(&iface) {
            budget.state = State::Down;
        }
    }

    /// An interface carries so many bits per second.
    pub(super) fn carries(&mut self, iface: InterfaceId, bps: u64) {
        let Some(budget) = self.by_interface.get_mut(&iface) else { return };
        budget.measured = match budget.profile.bandwidth_bps {
            0 => bps,
            nominal => {
                let share = u128::from(bps).saturating_mul(ONE.into()).checked_div(nominal.into());
                share.and_then(|share| u64::try_from(share).ok()).unwrap_or(ONE).clamp(1, ONE)
            }
        };
    }

    /// A message of so many bytes, all in, is said on `iface`.
    pub(super) fn spend(&mut self, iface: InterfaceId, now: Instant, bytes: usize) {
        let Some(budget) = self.by_interface.get_mut(&iface) else { return };
        let micros = budget.time_of(bytes).as_micros().saturating_mul(100) / SHARE_PERCENT;
        budget.spent_until = budget.spent_until.max(now).after(Duration::from_micros(micros));
    }

    /// From when on something may be said on `iface`; at once if that is past.
    pub(super) fn free_at(&self, iface: InterfaceId, purpose: Purpose) -> Instant {
        let kept = match purpose {
            Purpose::Announce => SAVED.minus(RESERVED),
            Purpose::Cost => SAVED,
        };
        let up = self.by_interface.get(&iface).filter(|budget| budget.state == State::Up);
        up.map_or(Instant::BOOT, |budget| budget.spent_until.before(kept))
    }

    /// Until when nothing may be said on `iface`, if that is so.
    pub(super) fn busy_until(&self, iface: InterfaceId, purpose: Purpose, now: Instant) -> Option<Instant> {
        Some(self.free_at(iface, purpose)).filter(|free_at| *free_at > now)
    }
}

impl Budget {
    /// What `bytes` take of the medium under load.
    fn time_of(&self, bytes: usize) -> Duration {
        let bits = u64::try_from(bytes).unwrap_or(u64::MAX).saturating_mul(8);
        let micros = match self.profile.bandwidth_bps {
            0 => bits.saturating_mul(1_000_000).checked_div(self.measured),
            _ => self.profile.airtime(bytes).as_micros().saturating_mul(ONE).checked_div(self.measured),
        };
        Duration::from_micros(micros.unwrap_or(0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::announces::tests::profile;

    const IFACE: InterfaceId = InterfaceId(3);

    /// How many announces of 300 bytes are said in ten hours, if as many are said as may be.
    fn in_ten_hours(bps: u64, carries: Option<u64>) -> u64 {
        let mut budgets = Budgets::default();
        budgets.up(IFACE, &Profile { bandwidth_bps: bps, ..profile(Mode::Nexus) });
        if let Some(bps) = carries {
            budgets.carries(IFACE, bps);
        }
        let (mut now, mut said) = (Instant::BOOT, 0);
        while now < Instant::BOOT.after(Duration::from_secs(36_000)) && said < 1_000_000 {
            now = budgets.busy_until(IFACE, Purpose::Announce, now).unwrap_or(now);
            budgets.spend(IFACE, now, 300);
            said += 1;
        }
        said
    }

    #[test]
    fn in_the_long_run_announces_take_three_percent_of_what_the_interface_carries() {
        // 2,400 bits each: 3 % of 9,600 bit/s in ten hours are 4,320, and four minutes' worth was saved up.
        assert!((4_320..4_360).contains(&in_ten_hours(9_600, None)), "{}", in_ten_hours(9_600, None));
        let halved = in_ten_hours(9_600, Some(4_800));
        assert!((2_160..2_190).contains(&halved), "{halved}");
        assert_eq!(in_ten_hours(0, Some(9_600)), in_ten_hours(9_600, None), "measured alone");
        assert_eq!(in_ten_hours(0, None), 1_000_000, "nothing is known, and nothing limited");
    }

    #[test]
    fn going_down_gives_nothing_back() {
        let profile = Profile { bandwidth_bps: 9_600, ..profile(Mode::Nexus) };
        let mut budgets = Budgets::default();
        budgets.up(IFACE, &profile);
        let in_an_hour = |budgets: &mut Budgets, from: Instant| {
            let (mut now, mut said) = (from, 0);
            while now < from.after(Duration::from_secs(3_600)) {
                budgets.spend(IFACE, now, 300);
                said += 1;
                now = budgets.busy_until(IFACE, Purpose::Announce, now).unwrap_or(now);
            }
            said
        };
        // 2,400 bits each, 288 bit/s: 432 an hour, and four minutes' worth was saved up.
        let alone = in_an_hour(&mut budgets, Instant::BOOT);
        assert!((455..470).contains(&alone), "{alone}");
        let later = Instant::BOOT.after(Duration::from_secs(3_600));
        let busy = budgets.busy_until(IFACE, Purpose::Announce, later);
        assert!(busy.is_some());
        budgets.down(IFACE);
        assert_eq!(budgets.busy_until(IFACE, Purpose::Announce, later), None, "nothing is said there");
        budgets.up(IFACE, &profile);
        assert_eq!(budgets.busy_until(IFACE, Purpose::Announce, later), busy, "what was spent is");
        for other in 0..40 {
            budgets.up(InterfaceId(other), &profile);
            budgets.down(InterfaceId(other));
        }
        assert!(budgets.by_interface.len() <= INTERFACES);
    }

    #[test]
    fn costs_have_a_minute_of_the_share_when_announces_have_none() {
        let mut budgets = Budgets::default();
        budgets.up(IFACE, &Profile { bandwidth_bps: 9_600, ..profile(Mode::Nexus) });
        while budgets.busy_until(IFACE, Purpose::Announce, Instant::BOOT).is_none() {
            budgets.spend(IFACE, Instant::BOOT, 300);
        }
        let mut costs = 0;
        while budgets.busy_until(IFACE, Purpose::Cost, Instant::BOOT).is_none() {
            budgets.spend(IFACE, Instant::BOOT, 33);
            costs += 1;
        }
        assert!((50..=66).contains(&costs), "60 s of 36 bytes a second: {costs}");
        budgets.down(IFACE);
        assert_eq!(budgets.busy_until(IFACE, Purpose::Announce, Instant::BOOT), None);
    }
}
