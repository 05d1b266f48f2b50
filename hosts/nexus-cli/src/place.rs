//! Where a command finds the daemon and its files.

use std::path::PathBuf;

use clap::Args;
use nexus_daemon::state_dir::StateDir;

use crate::ending::Refusal;

/// Options of the commands that concern one node.
#[derive(Clone, Debug, Args)]
pub(crate) struct Place {
    /// The node's state directory, if it is not the usual one
    ///
    /// `$NEXUS_STATE`, else /var/lib/nexus for root, ~/.local/state/nexus.
    #[arg(long, value_name = "DIR", global = true)]
    state: Option<PathBuf>,
}

impl Place {
    /// The state directory.
    pub(crate) fn state(&self) -> Result<StateDir, Refusal> {
        StateDir::locate(self.state.clone()).map_err(Refusal::cannot)
    }
}
