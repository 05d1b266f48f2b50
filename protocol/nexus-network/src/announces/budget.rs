//! What announces, costs, withdrawals and what asks for paths may spend of an interface: 3 % of its measured bandwidth.
//!
//! One bucket for each interface on which links run, in time on the medium. What waits for it is said nearest and newest first
//! ([`speaking`](super::speaking)). Nothing is made good of what waits to leave: a medium that is dead for minutes fills no bucket behind
//! what waits for it. Spec: spec/network.md#announce-budget.

use alloc::collections::BTreeMap;

use nexus_machine::{Duration, Instant, Stream};

use crate::interface::{InterfaceId, Mode, Profile, Reach};
use crate::overheard::{Carrier, Overheard, SPAN, Window};

/// Routing takes this share of an interface's time, in percent.
const SHARE_PERCENT: u64 = 3;
/// What of that share may be saved up.
const SAVED: Duration = Duration::from_secs(300);
/// What of that is left to costs: a path that is lost is said also where announces have spent what they may.
const RESERVED: Duration = Duration::from_secs(60);
/// Where all hear all: what announces and gossip of all who are heard may take of a channel before nobody says costs, in thousandths of the time,
const HEARD_COSTS: u64 = 35;
/// before nobody repeats what came on the channel itself, which most there have heard,
const HEARD_ECHO: u64 = 35;
/// before nobody passes on what came from elsewhere: whoever has a path less has none to whom it never heard of,
const HEARD: u64 = 60;
/// and what those who are there may say together in any case: nobody is silenced by whoever says too much.
const ASSURED: u64 = 5;
/// Whoever waits for room goes on within so long of there being some, each at a moment of its own: what others say then is heard first.
const PARTED: Duration = Duration::from_secs(10);
/// Interfaces with a bucket, at most; on others nothing is limited, nor are there any.
pub(super) const INTERFACES: usize = 16;
/// While as much as may be waits, it is looked again whether it left: after so long at first.
const PATIENCE: Duration = Duration::from_secs(1);
/// A share of one, in 2⁻¹⁶.
const ONE: u64 = 1 << 16;

/// What something is said for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    /// This node's own announce: it is said however full a channel is, since nobody else says it. There is one in half an hour.
    Own,
    /// An announce.
    Announce,
    /// An announce that came on the same interface.
    Echo,
    /// What paths cost, that one is lost, or a question about one.
    Cost,
}

impl Purpose {
    /// What an announce is said for on an interface, by where it came.
    pub(super) fn of_what_came(by: Option<InterfaceId>, on: InterfaceId) -> Self {
        if by == Some(on) { Self::Echo } else { Self::Announce }
    }
}

/// The buckets, by interface.
#[derive(Debug)]
pub(super) struct Budgets {
    by_interface: BTreeMap<InterfaceId, Budget>,
    random: Stream,
}

#[derive(Debug)]
struct Budget {
    /// When the interface came up.
    up_at: Instant,
    profile: Profile,
    /// What it carries under load, of its nominal rate, in 2⁻¹⁶; where that is unknown, in bits per second.
    measured: u64,
    /// When what was spent is made good.
    spent_until: Instant,
    /// What this node and all that it hears say of announces and gossip, where all hear all.
    heard: Window,
    /// Among how many nodes what is assured is divided,
    sharers: u64,
    /// and when what was said is made good in this node's part of it.
    assured_until: Instant,
    /// How much later than there is room this node goes on, from when it said something until it says something again.
    part: Duration,
    /// How long it takes to make good what was said and has not left,
    waiting: Duration,
    /// and when less of it did for the last time.
    moved_at: Instant,
    state: State,
}

/// Whether an interface is up. What was spent outlives its going down: who pulls the plug has no more of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Up,
    Down,
}

impl Budgets {
    pub(super) const fn new(random: Stream) -> Self {
        Self { by_interface: BTreeMap::new(), random }
    }

    /// An interface that never was up has nothing saved up: an announce at once, and what is kept for costs. What a process spent ends with
    /// it, and one that starts over and over would have as much each time.
    pub(super) fn up(&mut self, iface: InterfaceId, now: Instant, profile: &Profile) {
        let before = self.by_interface.remove(&iface);
        let is_down = |(_, budget): &(&InterfaceId, &Budget)| budget.state == State::Down;
        if self.by_interface.len() >= INTERFACES
            && let Some(gone) = self.by_interface.iter().find(is_down).map(|(gone, _)| *gone)
        {
            self.by_interface.remove(&gone);
        }
        if profile.mode == Mode::Nexus && self.by_interface.len() < INTERFACES {
            let measured = if profile.bandwidth_bps == 0 { 0 } else { ONE };
            let from_nothing = (now.after(SAVED.minus(RESERVED)), now, Window::default());
            let (spent_until, assured_until, heard) = before
                .map_or(from_nothing, |before| (before.spent_until, before.assured_until, before.heard));
            let (waiting, moved_at) = (Duration::ZERO, Instant::BOOT);
            let (profile, state, sharers) = (*profile, State::Up, 1);
            let budget = Budget {
                profile,
                up_at: now,
                measured,
                spent_until,
                heard,
                sharers,
                assured_until,
                part: Duration::from_micros(self.random.below(PARTED.as_micros())),
                waiting,
                moved_at,
                state,
            };
            self.by_interface.insert(iface, budget);
        }
    }

    pub(super) fn down(&mut self, iface: InterfaceId) {
        if let Some(budget) = self.by_interface.get_mut(&iface) {
            budget.waiting = Duration::ZERO;
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

    /// A message of so many bytes, all in, is said on `iface`. What goes over one link stands for what goes over others' links.
    pub(super) fn spend(&mut self, iface: InterfaceId, now: Instant, bytes: usize, by: Carrier) {
        if let Some(budget) = self.by_interface.get_mut(&iface) {
            budget.spent_until = budget.owes_until(now).after(budget.made_good_in(bytes));
            if budget.profile.reach == Reach::Shared {
                let time = budget.time_on_channel(bytes);
                budget.heard.add(now, time, by);
                let made_good = time.times(1_000).times(budget.sharers).as_micros() / ASSURED;
                budget.assured_until = now.after(Duration::from_micros(made_good));
                budget.part = Duration::from_micros(self.random.below(PARTED.as_micros()));
            }
        }
    }

    /// Announces or gossip were on a channel where all hear all.
    pub(super) fn overheard(&mut self, now: Instant, heard: Overheard) {
        if let Some(budget) = self.by_interface.get_mut(&heard.iface) {
            budget.heard.add(now, heard.airtime, heard.by);
        }
    }

    /// So many nodes say announces on a channel, this one included.
    pub(super) fn share_out(&mut self, iface: InterfaceId, sharers: usize) {
        if let Some(budget) = self.by_interface.get_mut(&iface) {
            budget.sharers = u64::try_from(sharers).unwrap_or(u64::MAX).max(1);
        }
    }

    /// What was said and waits on `iface` takes so long to transmit, all in.
    pub(super) fn waits(&mut self, iface: InterfaceId, now: Instant, airtime: Duration) {
        if let Some(budget) = self.by_interface.get_mut(&iface) {
            budget.spent_until = budget.owes_until(now);
            let waiting = budget.loaded(airtime);
            if waiting < budget.waiting || budget.waiting == Duration::ZERO {
                budget.moved_at = now;
            }
            budget.waiting = waiting;
        }
    }

    /// From when on something may be said on `iface`, as far as is known at `now`; at once if that is past.
    pub(super) fn free_at(&self, iface: InterfaceId, purpose: Purpose, now: Instant) -> Instant {
        let kept = match purpose {
            Purpose::Own | Purpose::Announce | Purpose::Echo => SAVED.minus(RESERVED),
            Purpose::Cost => SAVED,
        };
        let Some(budget) = self.by_interface.get(&iface).filter(|budget| budget.state == State::Up) else {
            return Instant::BOOT;
        };
        if budget.waiting > kept {
            // Nothing is made good while it waits.
            return now.after(budget.patience(now));
        }
        let free_at = match budget.waiting {
            Duration::ZERO => budget.spent_until.before(kept),
            _ => budget.owes_until(now).before(kept),
        };
        free_at.max(budget.channel_free_at(purpose, now))
    }

    /// Until when nothing may be said on `iface`, if that is so.
    pub(super) fn busy_until(&self, iface: InterfaceId, purpose: Purpose, now: Instant) -> Option<Instant> {
        Some(self.free_at(iface, purpose, now)).filter(|free_at| *free_at > now)
    }
}

impl Budget {
    /// When all that was said is made good, if what waits leaves at once.
    fn owes_until(&self, now: Instant) -> Instant {
        self.spent_until.max(now.after(self.waiting))
    }

    /// From when on a channel on which all hear all has room, as far as is known.
    fn channel_free_at(&self, purpose: Purpose, now: Instant) -> Instant {
        if self.profile.reach != Reach::Shared || purpose == Purpose::Own {
            return Instant::BOOT;
        }
        // While what was said waits, what others say meanwhile is heard first: also of costs, once half of what there is for them is said.
        let part = Duration::from_micros((SPAN.as_micros() / 2_000).saturating_mul(HEARD_COSTS));
        if self.waiting > Duration::ZERO
            && (purpose != Purpose::Cost || self.heard.sum(now, self.sharers) > part)
        {
            return now.after(self.patience(now));
        }
        let most = match purpose {
            Purpose::Own | Purpose::Announce => HEARD,
            Purpose::Echo => HEARD_ECHO,
            Purpose::Cost => HEARD_COSTS,
        };
        // Whoever is new to a channel does not know the links of others yet: what it knows of stands for half as much again.
        let most = if now.since(self.up_at) < SPAN { most.saturating_mul(2) / 3 } else { most };
        let most = Duration::from_micros((SPAN.as_micros() / 1_000).saturating_mul(most));
        let has_room = self.heard.falls_to(now, most, self.sharers);
        let parted = if has_room > now { has_room.after(self.part) } else { has_room };
        parted.min(self.assured_until)
    }

    /// When to look again: the later the longer something waits.
    fn patience(&self, now: Instant) -> Duration {
        Duration::from_micros(now.since(self.moved_at).as_micros() / 16).max(PATIENCE)
    }

    /// How long it takes to make `bytes` good.
    fn made_good_in(&self, bytes: usize) -> Duration {
        in_its_share(self.time_of(bytes))
    }

    /// How long it takes to make good what takes `airtime` at the nominal rate.
    fn loaded(&self, airtime: Duration) -> Duration {
        in_its_share(self.under_load(airtime))
    }

    /// How long `bytes` take of what the interface carries.
    fn time_of(&self, bytes: usize) -> Duration {
        if self.profile.bandwidth_bps > 0 {
            return self.under_load(self.profile.airtime(bytes));
        }
        let bits = u64::try_from(bytes).unwrap_or(u64::MAX).saturating_mul(8);
        Duration::from_micros(bits.saturating_mul(1_000_000).checked_div(self.measured).unwrap_or(0))
    }

    /// How long `bytes` keep a channel busy on which all hear all: of that all have the time that there is. What an interface was measured to
    /// carry there is what others left it.
    fn time_on_channel(&self, bytes: usize) -> Duration {
        if self.profile.bandwidth_bps > 0 { self.profile.airtime(bytes) } else { self.time_of(bytes) }
    }

    /// How long what takes `airtime` at the nominal rate takes of what the interface carries.
    fn under_load(&self, airtime: Duration) -> Duration {
        let micros = airtime.as_micros().saturating_mul(ONE).checked_div(self.measured).unwrap_or(0);
        Duration::from_micros(micros)
    }
}

const fn in_its_share(time: Duration) -> Duration {
    Duration::from_micros(time.as_micros().saturating_mul(100) / SHARE_PERCENT)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::announces::tests::profile;
    use crate::overheard::Carrier;

    const IFACE: InterfaceId = InterfaceId(3);

    fn broadcast(airtime: Duration) -> Overheard {
        Overheard { iface: IFACE, airtime, by: Carrier::Broadcast }
    }

    fn budgets() -> Budgets {
        Budgets::new(nexus_machine::Seed::new([3; 32]).fork("budgets"))
    }

    impl Budgets {
        /// Something is said, and leaves in the same instant.
        fn say(&mut self, now: Instant, bytes: usize) {
            self.spend(IFACE, now, bytes, Carrier::Broadcast);
            self.waits(IFACE, now, Duration::ZERO);
        }
    }

    #[test]
    fn what_waits_for_a_dead_medium_fills_no_bucket_and_nothing_leaves_behind_it_in_a_burst() {
        let mut budgets = budgets();
        budgets.up(IFACE, Instant::BOOT, &Profile { bandwidth_bps: 9_600, ..profile(Mode::Nexus) });
        // 2,400 bits each at 288 bit/s: 8.3 s of the four minutes that are saved up.
        let mut said: u64 = 0;
        let minutes = |minutes: u64| Instant::BOOT.after(Duration::from_secs(60 * minutes));
        let airtime = Duration::from_millis(250);
        for now in (0..90).map(minutes) {
            while budgets.busy_until(IFACE, Purpose::Announce, now).is_none() {
                budgets.spend(IFACE, now, 300, Carrier::Broadcast);
                said += 1;
                budgets.waits(IFACE, now, airtime.times(said));
            }
        }
        assert_eq!(said, 29, "nothing more while that waits");
        let later = minutes(90);
        for left in 1..=said {
            budgets.waits(IFACE, later, airtime.times(said - left));
        }
        let free_at = budgets.busy_until(IFACE, Purpose::Announce, later).unwrap();
        assert!(free_at.since(later) < Duration::from_secs(9));
        budgets.spend(IFACE, free_at, 300, Carrier::Broadcast);
        assert!(budgets.busy_until(IFACE, Purpose::Announce, free_at).is_some());
    }

    /// How many announces of 300 bytes are said in ten hours, if as many are said as may be.
    fn in_ten_hours(bps: u64, carries: Option<u64>) -> u64 {
        let mut budgets = budgets();
        budgets.up(IFACE, Instant::BOOT, &Profile { bandwidth_bps: bps, ..profile(Mode::Nexus) });
        if let Some(bps) = carries {
            budgets.carries(IFACE, bps);
        }
        let (mut now, mut said) = (Instant::BOOT, 0);
        while now < Instant::BOOT.after(Duration::from_secs(36_000)) && said < 1_000_000 {
            now = budgets.busy_until(IFACE, Purpose::Announce, now).unwrap_or(now);
            budgets.say(now, 300);
            said += 1;
        }
        said
    }

    #[test]
    fn in_the_long_run_announces_take_three_percent_of_what_the_interface_carries() {
        // 2,400 bits each: 3 % of 9,600 bit/s in ten hours are 4,320; nothing was saved up.
        assert!((4_320..4_324).contains(&in_ten_hours(9_600, None)), "{}", in_ten_hours(9_600, None));
        let halved = in_ten_hours(9_600, Some(4_800));
        assert!((2_160..2_164).contains(&halved), "{halved}");
        assert_eq!(in_ten_hours(0, Some(9_600)), in_ten_hours(9_600, None), "measured alone");
        assert_eq!(in_ten_hours(0, None), 1_000_000, "nothing is known, and nothing limited");
    }

    #[test]
    fn going_down_gives_nothing_back() {
        let profile = Profile { bandwidth_bps: 9_600, ..profile(Mode::Nexus) };
        let mut budgets = budgets();
        budgets.up(IFACE, Instant::BOOT, &profile);
        let in_an_hour = |budgets: &mut Budgets, from: Instant| {
            let (mut now, mut said) = (from, 0);
            while now < from.after(Duration::from_secs(3_600)) {
                budgets.say(now, 300);
                said += 1;
                now = budgets.busy_until(IFACE, Purpose::Announce, now).unwrap_or(now);
            }
            said
        };
        // 2,400 bits each, 288 bit/s: 432 an hour, and nothing was saved up.
        let alone = in_an_hour(&mut budgets, Instant::BOOT);
        assert!((430..436).contains(&alone), "{alone}");
        let later = Instant::BOOT.after(Duration::from_secs(3_600));
        let busy = budgets.busy_until(IFACE, Purpose::Announce, later);
        assert!(busy.is_some());
        budgets.down(IFACE);
        assert_eq!(budgets.busy_until(IFACE, Purpose::Announce, later), None, "nothing is said there");
        budgets.up(IFACE, Instant::BOOT, &profile);
        assert_eq!(budgets.busy_until(IFACE, Purpose::Announce, later), busy, "what was spent is");
        for other in 0..40 {
            budgets.up(InterfaceId(other), Instant::BOOT, &profile);
            budgets.down(InterfaceId(other));
        }
        assert!(budgets.by_interface.len() <= INTERFACES);
    }

    #[test]
    fn costs_have_a_minute_of_the_share_when_announces_have_none() {
        let mut budgets = budgets();
        budgets.up(IFACE, Instant::BOOT, &Profile { bandwidth_bps: 9_600, ..profile(Mode::Nexus) });
        while budgets.busy_until(IFACE, Purpose::Announce, Instant::BOOT).is_none() {
            budgets.say(Instant::BOOT, 300);
        }
        let mut costs = 0;
        while budgets.busy_until(IFACE, Purpose::Cost, Instant::BOOT).is_none() {
            budgets.say(Instant::BOOT, 33);
            costs += 1;
        }
        assert!((50..=66).contains(&costs), "60 s of 36 bytes a second: {costs}");
        budgets.down(IFACE);
        assert_eq!(budgets.busy_until(IFACE, Purpose::Announce, Instant::BOOT), None);
    }

    #[test]
    fn where_all_hear_all_what_others_say_counts_and_whoever_says_little_is_never_silenced() {
        let shared = Profile { bandwidth_bps: 9_600, reach: Reach::Shared, ..profile(Mode::Nexus) };
        let at = |seconds: u64| Instant::BOOT.after(Duration::from_secs(seconds));
        let heard_at = |now: Instant, profile: &Profile, millis: u64| {
            let mut budgets = budgets();
            budgets.up(IFACE, Instant::BOOT, profile);
            budgets.share_out(IFACE, 4);
            // A quarter of a second of its own, and so much of others.
            budgets.say(now, 300);
            budgets.overheard(now, broadcast(Duration::from_millis(millis)));
            [Purpose::Cost, Purpose::Announce, Purpose::Own]
                .map(|purpose| budgets.busy_until(IFACE, purpose, now))
        };
        let heard = |profile: &Profile, millis: u64| heard_at(at(1_000), profile, millis);
        assert_eq!(heard(&shared, 20_700), [None; 3]);
        // In its quarter of half a percent a quarter of a second is made good in 200 s.
        let made_good = Some(at(1_200));
        assert_eq!(heard(&shared, 21_000), [made_good, None, None], "3.5 % of ten minutes");
        assert_eq!(heard(&shared, 35_700), [made_good, None, None], "with its own not yet 6 %");
        assert_eq!(heard(&shared, 36_000), [made_good, made_good, None], "6 %");
        assert_eq!(
            heard(&shared, 500_000),
            [made_good, made_good, None],
            "nobody else says who this node is"
        );
        let new = Some(at(600));
        assert_eq!(heard_at(at(400), &shared, 23_700), [new, None, None], "on a channel that is new");
        assert_eq!(heard_at(at(400), &shared, 24_000), [new, new, None], "4 %");
        let cable = Profile { reach: Reach::PointToPoint, ..shared };
        assert_eq!(heard(&cable, 500_000), [None; 3], "nobody else is heard on a cable");
    }

    #[test]
    fn where_all_hear_all_time_counts_and_not_what_an_interface_was_left_of_it() {
        let shared = Profile { bandwidth_bps: 9_600, reach: Reach::Shared, ..profile(Mode::Nexus) };
        let now = Instant::BOOT.after(Duration::from_secs(1_000));
        let mut budgets = budgets();
        budgets.up(IFACE, Instant::BOOT, &shared);
        // Others use the channel so much that half of it is left to this node.
        budgets.carries(IFACE, 4_800);
        budgets.say(now, 300);
        budgets.overheard(now, broadcast(Duration::from_secs(30)));
        let free_at = budgets.by_interface[&IFACE].channel_free_at(Purpose::Announce, now);
        assert!(free_at <= now, "half of 60 s: {free_at:?}");
    }

    #[test]
    fn whoever_said_much_while_there_was_room_is_silenced_no_longer_than_for_what_it_said_last() {
        let shared = Profile { bandwidth_bps: 9_600, reach: Reach::Shared, ..profile(Mode::Nexus) };
        let at = |seconds: u64| Instant::BOOT.after(Duration::from_secs(seconds));
        let mut budgets = budgets();
        budgets.up(IFACE, Instant::BOOT, &shared);
        budgets.share_out(IFACE, 4);
        (0..100).for_each(|n| budgets.say(at(100 * n), 300));
        let now = at(9_900);
        budgets.overheard(now, broadcast(Duration::from_secs(500)));
        assert_eq!(budgets.busy_until(IFACE, Purpose::Announce, now), Some(at(10_100)));
    }

    #[test]
    fn whoever_waits_for_room_goes_on_at_a_moment_of_its_own_and_says_nothing_while_it_has_something_waiting()
    {
        let shared = Profile { bandwidth_bps: 9_600, reach: Reach::Shared, ..profile(Mode::Nexus) };
        let now = Instant::BOOT.after(Duration::from_secs(400));
        let free_at = |seed: u8| {
            let mut budgets = Budgets::new(nexus_machine::Seed::new([seed; 32]).fork("budgets"));
            budgets.up(IFACE, Instant::BOOT, &shared);
            budgets.share_out(IFACE, 100);
            budgets.say(now, 300);
            budgets.overheard(now, broadcast(Duration::from_secs(60)));
            budgets.busy_until(IFACE, Purpose::Announce, now).unwrap().since(now).as_millis()
        };
        let all: alloc::vec::Vec<u64> = (0..20).map(free_at).collect();
        assert!(all.iter().all(|millis| (610_000..620_000).contains(millis)), "{all:?}");
        assert!(all.iter().max().unwrap() - all.iter().min().unwrap() > 5_000, "{all:?}");
        let mut budgets = budgets();
        budgets.up(IFACE, Instant::BOOT, &shared);
        budgets.spend(IFACE, now, 300, Carrier::Broadcast);
        budgets.waits(IFACE, now, Duration::from_millis(250));
        assert!(budgets.busy_until(IFACE, Purpose::Announce, now).is_some());
        assert_eq!(budgets.busy_until(IFACE, Purpose::Cost, now), None, "a path that is lost is said");
    }
}
