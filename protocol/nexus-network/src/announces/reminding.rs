//! Reminding: what was said once on a slow medium, and may have been lost, is followed by what it costs, twice.
//!
//! An announce or a record that collides is a path less, or a dear one, until the next refresh. A record takes a tenth of an announce, and
//! ten of them one frame. Source: spec/network.md#cost-records.

use nexus_crypto::DestinationHash;
use nexus_machine::{Duration, Instant};

use super::costs::{Outlet, Telling};
use super::{Announces, Timer, count};

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
        for (destination, telling) in self.owed.take_reminders(outlet) {
            self.owe_as(now, outlet, &destination, telling);
        }
    }

    /// How long to wait; none where things are repeated in another way, or nobody is there.
    fn reminding_wait(&self, outlet: Outlet) -> Option<Duration> {
        let iface = match outlet {
            Outlet::Link(link) => self.links.get(link).filter(|other| !other.is_told_again())?.iface,
            Outlet::Hearers(iface) => {
                let there = || self.links.iter().filter(|(_, other)| other.iface == iface);
                if there().all(|(_, other)| other.is_told_again()) {
                    return None;
                }
                iface
            }
        };
        let airtime = self.speech.frame_airtime(iface)?;
        Some(airtime.times(FRAMES).clamp(WAIT, WAIT_MOST))
    }
}
