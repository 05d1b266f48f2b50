//! The books that this node keeps, as they are written.

use std::path::{Path, PathBuf};

use nexus_node::Witnessing;
use serde::Deserialize;

use crate::config::Books;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct WrittenBooks {
    genesis: PathBuf,
    witness: Option<bool>,
}

impl WrittenBooks {
    pub(super) fn books(&self, base: &Path) -> Books {
        let witnessing = match self.witness {
            Some(true) => Witnessing::IfNamed,
            Some(false) | None => Witnessing::Never,
        };
        Books { genesis: base.join(&self.genesis), witnessing }
    }
}
