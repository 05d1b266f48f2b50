//! A place in the middle dies, and how long that is felt.

use std::time::{Duration, Instant};

use crate::daemon::Daemon;
use crate::diamond::{Diamond, Middle};
use crate::flow::Flow;
use crate::lab::LabError;

/// How a place dies.
#[derive(Clone, Copy, Debug)]
pub enum Death<'a> {
    /// Its node is stopped where it stands: what is sent to it is taken by the system, and nothing comes back.
    Frozen(&'a Daemon),
    /// Its cables carry nothing any more, and no carrier is lost.
    Silent,
    /// Its cables are pulled out there: their other ends lose their carrier.
    Unplugged,
}

impl Death<'_> {
    /// From here on it is dead.
    pub fn befall(self, diamond: &Diamond, middle: Middle) -> Result<(), LabError> {
        let lab = diamond.net().lab();
        let mut cables = diamond.net().cables_at(middle.spot().number());
        match self {
            Self::Frozen(daemon) => daemon.freeze(),
            Self::Silent => cables.try_for_each(|cable| cable.silence(lab)),
            Self::Unplugged => cables.try_for_each(|cable| cable.unplug(lab, middle.spot().number())),
        }
    }

    /// It lives again.
    pub fn pass(self, diamond: &Diamond, middle: Middle) -> Result<(), LabError> {
        let lab = diamond.net().lab();
        let mut cables = diamond.net().cables_at(middle.spot().number());
        match self {
            Self::Frozen(daemon) => daemon.thaw(),
            Self::Silent => cables.try_for_each(|cable| cable.mend(lab)),
            Self::Unplugged => cables.try_for_each(|cable| cable.plug(lab, middle.spot().number())),
        }
    }
}

/// What a death did to traffic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outage {
    /// The longest time without an arrival, from the last one before the death.
    pub longest: Duration,
    /// When it happened.
    pub at: Instant,
    /// Until when it was watched.
    pub until: Instant,
}

/// It is watched for so long after traffic flows again.
const AFTER: Duration = Duration::from_secs(2);

/// Lets a death befall while `flow` flows, and waits until it flows again; at most for `patience`.
pub fn outage(
    flow: &Flow,
    patience: Duration,
    befall: impl FnOnce() -> Result<(), LabError>,
) -> Result<Outage, LabError> {
    flow.until_flowing(Instant::now(), patience)?;
    let at = Instant::now();
    befall()?;
    let befallen = Instant::now();
    flow.until_flowing(befallen, patience)?;
    std::thread::sleep(AFTER);
    // A relapse is measured to its end.
    flow.until_flowing(befallen, patience)?;
    let until = Instant::now();
    Ok(Outage { longest: flow.longest_gap(at, until), at, until })
}
