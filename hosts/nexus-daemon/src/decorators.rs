//! What wraps a driver: faults, a trace, a recording.

use std::fmt;

use tokio::sync::mpsc;

use crate::driver::{OpenError, Report};

/// What is to wrap a medium; nothing by default.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Decorations {}

impl Decorations {
    /// Wraps the way of a medium's reports to the loop, and with it the drivers that come along.
    pub(crate) fn wrap(
        &self,
        _name: &str,
        reports: mpsc::Sender<Report>,
    ) -> Result<mpsc::Sender<Report>, OpenError> {
        Ok(reports)
    }
}

impl fmt::Display for Decorations {
    fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
        Ok(())
    }
}
