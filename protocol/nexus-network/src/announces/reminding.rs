//! Reminding: what was said once on a slow medium, and may have been lost, is followed by what it costs, twice.
//!
//! An announce or a record that collides is a path less, or a dear one, until the next refresh. A record takes a tenth of an announce, and
//! ten of them one frame. Source: spec/network.md#cost-records.

use nexus_crypto::DestinationHash;
use nexus_machine::{Duration, Instant};

use super::budget::Purpose;
use super::costs::{Outlet, Telling};
use super::{Announces, Timer, count};
use crate::interface::InterfaceId;
use crate::links::LinkId;

/// What was said is followed after so many times the airtime of the longest frame: what is said meanwhile goes with it,
const FRAMES: u64 = 64;
/// but not sooner than this,
const WAIT: Duration = Duration::from_secs(15);
/// nor much later: a mesh is to agree within three minutes.
const WAIT_MOST: Duration = Duration::from_secs(40);
/// So often: where one frame in twelve is lost, three are once in two thousand times.
const REMINDERS: u8 = 2;

impl Announces {
    /// Something was said of `destination` to whoever is behind `outlet`, and so often before. Where nothing is repeated, it is followed.
    pub(super) fn remind_later(
        &mut self,
        now: Instant,
        outlet: Outlet,
        destination: &DestinationHash,
        telling: Telling,
    ) {
        if telling >= Telling(REMINDERS) {
            return;
        }
        let Some(wait) = self.reminding_wait(outlet) else { return };
        if !self.owed.remind(outlet, *destination, telling.next()) {
            return count(&mut self.refusals.crowded);
        }
        let timer = Timer::Remind(outlet);
        if self.deadlines.get(timer).is_none() {
            let spread = Duration::from_micros(self.random.below(wait.as_micros()));
            self.deadlines.set(timer, now.after(wait).after(spread));
        }
    }

    /// It is time: what was said is said again, as costs.
    pub(super) fn remind(&mut self, now: Instant, outlet: Outlet) {
        // Who knows nothing of a destination comes before who knows it by one way.
        let iface = self.iface_of(outlet);
        let busy_until =
            iface.and_then(|iface| self.speech.budgets.busy_until(iface, Purpose::Announce, now));
        if let Some(busy_until) = busy_until {
            return self.deadlines.set(Timer::Remind(outlet), busy_until);
        }
        for (destination, telling) in self.owed.take_reminders(outlet) {
            self.owe_as(now, outlet, &destination, telling);
        }
    }

    /// How long to wait; none where things are repeated in another way, or nobody is there.
    fn reminding_wait(&self, outlet: Outlet) -> Option<Duration> {
        let iface = self.iface_of(outlet)?;
        let is_meant = |link: LinkId| match outlet {
            Outlet::Link(meant) => link == meant,
            Outlet::Hearers(_) => true,
        };
        let there = self.links.iter().filter(|(link, other)| other.iface == iface && is_meant(*link));
        let is_repeated = there.into_iter().all(|(_, other)| other.is_told_again());
        // Where many hear each other what one loses another says, and there is no room for it twice.
        if is_repeated || self.is_dense(iface) {
            return None;
        }
        let airtime = self.speech.frame_airtime(iface)?;
        Some(airtime.times(FRAMES).clamp(WAIT, WAIT_MOST))
    }

    fn iface_of(&self, outlet: Outlet) -> Option<InterfaceId> {
        match outlet {
            Outlet::Link(link) => self.links.get(link).map(|other| other.iface),
            Outlet::Hearers(iface) => Some(iface),
        }
    }
}
