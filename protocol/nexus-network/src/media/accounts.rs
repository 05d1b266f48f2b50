//! What this node may still transmit, by the stretch of spectrum, and that no restart gives it more.
//!
//! Invariant: what the disk holds of an account is never less than what counts in it. So a process that starts after a crash
//! knows how much its predecessors may have spent, and takes it as spent in the moment in which it starts.
//! Spec: spec/network.md#duty-cycle.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use nexus_machine::{Deadlines, Duration, Instant, Sink, Snapshot, TableId, Write};

use super::Effect;
use super::tally::Tally;
use crate::interface::{DutyCycle, InterfaceId, Profile, SubBandId};

/// The durable table of airtime. Source: spec/machine.md#durability.
pub const AIRTIME: TableId = TableId(5);

/// What a duty cycle is a share of.
pub(super) const HOUR: Duration = Duration::from_secs(3_600);
/// In which pieces an hour is accounted,
const MINUTE: Duration = Duration::from_secs(60);
/// and a dwell time.
const SECOND: Duration = Duration::from_secs(1);
/// The longest time that a dwell time is a part of.
const DWELL_TIME: Duration = Duration::from_secs(20);
/// After so long a process notes by how much older the airtime of its predecessors has become.
const AGEING: Duration = Duration::from_secs(600);
/// Minutes for which the airtime of predecessors counts: an hour, the minute that had begun, and one more.
const DEBT_MINUTES: u64 = 62;
/// An account is claimed on the disk by this part of its hour at a time.
const CLAIMS: u64 = 16;
/// A transmitter's clock is off by less than this part: a frame counts for so much more.
const CLOCK_PART: u64 = 10_000;

/// Whose airtime counts together.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) enum AccountId {
    /// One interface's.
    Interface(InterfaceId),
    /// That of all interfaces in one stretch of spectrum.
    SubBand(SubBandId),
}

impl AccountId {
    fn key(self) -> [u8; 2] {
        match self {
            Self::Interface(iface) => [0, iface.0],
            Self::SubBand(band) => [1, band.0],
        }
    }

    fn of_key(key: &[u8]) -> Option<Self> {
        match key {
            [0, iface] => Some(Self::Interface(InterfaceId(*iface))),
            [1, band] => Some(Self::SubBand(SubBandId(*band))),
            _ => None,
        }
    }
}

/// What an interface may transmit.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Limit {
    pub(super) account: AccountId,
    /// In any hour.
    hourly: Duration,
    /// At most so much in any such time.
    dwell: Option<(Duration, Duration)>,
}

impl Limit {
    /// That of an interface; `None` if nothing limits it.
    pub(super) fn of(iface: InterfaceId, profile: &Profile) -> Option<Self> {
        let dwell = profile.sub_band.and_then(|band| band.dwell);
        if profile.duty == DutyCycle::UNLIMITED && dwell.is_none() {
            return None;
        }
        let account =
            profile.sub_band.map_or(AccountId::Interface(iface), |band| AccountId::SubBand(band.id));
        let dwell = dwell.map(|dwell| (dwell.most, dwell.within.min(DWELL_TIME)));
        Some(Self { account, hourly: profile.duty.of(HOUR), dwell })
    }

    /// Whether a frame could ever leave.
    pub(super) fn has_room_for(&self, airtime: Duration) -> bool {
        let counted = counted(airtime);
        counted <= self.hourly && self.dwell.is_none_or(|(most, _)| counted <= most)
    }
}

/// Whether a frame may leave.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Clearance {
    /// It may.
    Given,
    /// Not before then.
    RestsUntil(Instant),
    /// Not before a write is durable: [`Accounts::durable`] says when.
    Awaited,
}

/// All accounts.
#[derive(Debug)]
pub(super) struct Accounts {
    in_use: BTreeMap<AccountId, Account>,
    /// What was durable at the start, of accounts that nobody used since.
    restored: BTreeMap<AccountId, Record>,
    ageing: Deadlines<AccountId>,
    /// The number of the last write.
    written: u64,
}

/// What one account holds.
#[derive(Debug)]
struct Account {
    /// This process's airtime in the last hour,
    hour: Tally,
    /// and of late.
    dwell: Tally,
    /// What drivers have, and may transmit at any moment.
    with_drivers: Duration,
    /// What predecessors may have spent, and when that was, or later.
    debt: Duration,
    debt_since: Instant,
    /// How old it was then.
    debt_minutes: u64,
    /// The disk says that this process spends at most so much in an hour.
    claimed: Duration,
    /// A write that is on its way, and what it says.
    asked: Option<(u64, Duration)>,
}

/// What the disk says of an account.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Record {
    /// What earlier processes may have spent in the hour before,
    debt: Duration,
    /// at least so many minutes ago,
    minutes: u8,
    /// and what the process that wrote it may have spent in any hour since.
    claim: Duration,
}

impl Record {
    const LEN: usize = 17;

    /// A value that is not one stands for an hour of airtime: a damaged account is an empty one.
    fn decode(value: &[u8]) -> Self {
        let cautious = Self { debt: HOUR, minutes: 0, claim: HOUR };
        let Ok(value) = <&[u8; Self::LEN]>::try_from(value) else { return cautious };
        let [d0, d1, d2, d3, d4, d5, d6, d7, minutes, c0, c1, c2, c3, c4, c5, c6, c7] = *value;
        Self {
            debt: Duration::from_micros(u64::from_le_bytes([d0, d1, d2, d3, d4, d5, d6, d7])),
            minutes,
            claim: Duration::from_micros(u64::from_le_bytes([c0, c1, c2, c3, c4, c5, c6, c7])),
        }
    }

    fn encode(self) -> Vec<u8> {
        let mut value = Vec::with_capacity(Self::LEN);
        value.extend_from_slice(&self.debt.as_micros().to_le_bytes());
        value.push(self.minutes);
        value.extend_from_slice(&self.claim.as_micros().to_le_bytes());
        value
    }
}

impl Accounts {
    /// What one account may hold on the heap, in bytes; there are at most as many as there are names of them.
    pub(super) const MEMORY_BOUND: usize = 512 * (2 * Tally::MEMORY_BOUND + 512);

    /// As the disk has them.
    pub(super) fn resume(snapshot: &Snapshot) -> Self {
        let restored = snapshot
            .scan(AIRTIME)
            .filter_map(|(key, value)| Some((AccountId::of_key(key)?, Record::decode(value))));
        Self {
            in_use: BTreeMap::new(),
            restored: restored.collect(),
            ageing: Deadlines::default(),
            written: 0,
        }
    }

    /// From here on the airtime of predecessors grows old.
    pub(super) fn open(&mut self, now: Instant, limit: &Limit) {
        self.account(now, limit);
    }

    /// Whether a frame may leave. What has to be written for it is written.
    pub(super) fn clear(
        &mut self,
        now: Instant,
        limit: &Limit,
        airtime: Duration,
        out: &mut impl Sink<Effect>,
    ) -> Clearance {
        let airtime = counted(airtime);
        let account = self.account(now, limit);
        if let Some(until) = account.rests_until(now, limit, airtime) {
            return Clearance::RestsUntil(until);
        }
        let spent = account.spent(now).plus(airtime);
        let piece = part(limit.hourly, CLAIMS).max(airtime);
        let goal = spent.plus(piece).min(limit.hourly.max(spent));
        if account.asked.is_none() {
            let short = spent.plus(part(piece, 2)) > account.claimed && account.claimed < goal;
            let lavish = account.claimed > spent.plus(piece.times(3));
            if lavish {
                // Less is true at once: what is on the disk until then says too much.
                account.claimed = goal;
            }
            if short || lavish {
                self.write(now, limit.account, goal, out);
            }
        }
        let claimed = self.account(now, limit).claimed;
        if spent <= claimed { Clearance::Given } else { Clearance::Awaited }
    }

    /// A frame goes to its driver.
    pub(super) fn begin(&mut self, now: Instant, limit: &Limit, airtime: Duration) {
        let account = self.account(now, limit);
        account.with_drivers = account.with_drivers.plus(counted(airtime));
    }

    /// What goes to a driver takes another airtime than was thought.
    pub(super) fn amend(&mut self, now: Instant, limit: &Limit, thought: Duration, airtime: Duration) {
        let account = self.account(now, limit);
        account.with_drivers = account.with_drivers.minus(counted(thought)).plus(counted(airtime));
    }

    /// The driver let go of it: it has left, or never will.
    pub(super) fn end(&mut self, now: Instant, limit: &Limit, airtime: Duration) {
        let account = self.account(now, limit);
        let airtime = counted(airtime);
        account.with_drivers = account.with_drivers.minus(airtime);
        account.hour.add(now, airtime);
        account.dwell.add(now, airtime);
    }

    /// Writes up to this number are durable. The account whose claim that is, if it is one.
    pub(super) fn durable(&mut self, through: u64) -> Option<AccountId> {
        let asked = |account: &Account| account.asked.is_some_and(|(number, _)| number <= through);
        let (id, account) = self.in_use.iter_mut().find(|(_, account)| asked(account))?;
        let (_, claim) = account.asked.take()?;
        account.claimed = claim;
        Some(*id)
    }

    /// Notes how old the airtime of predecessors has become.
    pub(super) fn age(&mut self, now: Instant, out: &mut impl Sink<Effect>) {
        while let Some(id) = self.ageing.pop_due(now) {
            let Some(account) = self.in_use.get_mut(&id) else { continue };
            let over = account.debt(now) == Duration::ZERO;
            if over {
                account.debt = Duration::ZERO;
            } else {
                self.ageing.set(id, now.after(AGEING));
            }
            // A write that is on its way says how old it is as well; so does the next one.
            let waits = self.in_use.get(&id).filter(|account| account.asked.is_none());
            if let Some(claimed) = waits.map(|account| account.claimed) {
                self.write(now, id, claimed, out);
            }
        }
    }

    pub(super) fn next_timeout(&self) -> Option<Instant> {
        self.ageing.next()
    }

    fn write(&mut self, now: Instant, id: AccountId, claim: Duration, out: &mut impl Sink<Effect>) {
        let Some(account) = self.in_use.get_mut(&id) else { return };
        self.written = self.written.saturating_add(1);
        account.asked = Some((self.written, claim));
        let minutes = u8::try_from(account.debt_age(now)).unwrap_or(u8::MAX);
        let record = Record { debt: account.debt(now), minutes, claim };
        let write = Write::set(AIRTIME, &id.key(), record.encode());
        out.push(Effect::Write { number: self.written, write });
    }

    fn account(&mut self, now: Instant, limit: &Limit) -> &mut Account {
        let id = limit.account;
        if !self.in_use.contains_key(&id) {
            let account = Account::resume(now, self.restored.remove(&id));
            if account.debt > Duration::ZERO {
                self.ageing.set(id, now.after(AGEING));
            }
            self.in_use.insert(id, account);
        }
        self.in_use.get_mut(&id).expect("an account is there once it was opened")
    }
}

impl Account {
    fn resume(now: Instant, record: Option<Record>) -> Self {
        let (debt, minutes) = match record {
            None => (Duration::ZERO, 0),
            Some(Record { debt, minutes, claim: Duration::ZERO }) => (debt, minutes.into()),
            // Nobody knows when it was spent: the youngest of it decides.
            Some(Record { debt, minutes: _, claim }) => (debt.plus(claim), 0),
        };
        Self {
            hour: Tally::over(HOUR, MINUTE),
            dwell: Tally::over(DWELL_TIME, SECOND),
            with_drivers: Duration::ZERO,
            debt,
            debt_since: now,
            debt_minutes: minutes,
            claimed: Duration::ZERO,
            asked: None,
        }
    }

    /// What this process spent of the hour, and what it gave to drivers.
    fn spent(&mut self, now: Instant) -> Duration {
        self.hour.sum(now).plus(self.with_drivers)
    }

    fn rests_until(&mut self, now: Instant, limit: &Limit, airtime: Duration) -> Option<Instant> {
        let wanted = airtime.plus(self.with_drivers);
        let with_debt = wanted.plus(self.debt(now));
        let debt_until = if with_debt > wanted { self.debt_until() } else { Instant::NEVER };
        let hour = self.hour.fits_at(now, with_debt, limit.hourly, HOUR);
        let hour = hour.map(|fits_at| fits_at.min(debt_until));
        let late = now.since(self.debt_since) < DWELL_TIME.plus(SECOND.times(2)) && self.debt_minutes == 0;
        let dwell = limit.dwell.and_then(|(most, within)| {
            // How much of it predecessors spent nobody knows.
            if late && self.debt > Duration::ZERO {
                return Some(self.debt_since.after(DWELL_TIME).after(SECOND.times(2)));
            }
            self.dwell.fits_at(now, wanted, most, within)
        });
        hour.max(dwell)
    }

    /// What counts of the airtime of predecessors.
    fn debt(&self, now: Instant) -> Duration {
        if self.debt_age(now) < DEBT_MINUTES { self.debt } else { Duration::ZERO }
    }

    fn debt_age(&self, now: Instant) -> u64 {
        let minutes = now.since(self.debt_since).as_micros().checked_div(MINUTE.as_micros()).unwrap_or(0);
        self.debt_minutes.saturating_add(minutes)
    }

    fn debt_until(&self) -> Instant {
        self.debt_since.after(MINUTE.times(DEBT_MINUTES.saturating_sub(self.debt_minutes)))
    }
}

/// What a frame counts for.
fn counted(airtime: Duration) -> Duration {
    airtime.plus(part(airtime, CLOCK_PART)).plus(Duration::from_micros(1))
}

fn part(of: Duration, parts: u64) -> Duration {
    Duration::from_micros(of.as_micros().checked_div(parts).unwrap_or(0))
}
