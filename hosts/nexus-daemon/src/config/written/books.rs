//! The books that this node keeps, as they are written.

use std::path::{Path, PathBuf};

use nexus_node::Witnessing;
use serde::Deserialize;
use toml::Spanned;

use super::Wrong;
use crate::config::{Books, Kept};

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct WrittenBooks {
    genesis: PathBuf,
    witness: Option<bool>,
    sparse: Option<Spanned<bool>>,
}

impl WrittenBooks {
    pub(super) fn books(&self, base: &Path) -> Result<Books, Wrong> {
        let sparse = self.sparse.as_ref().filter(|sparse| *sparse.get_ref());
        let kept = match (sparse, self.witness) {
            (Some(sparse), Some(true)) => {
                return Err(Wrong::new(sparse, "a witness keeps all of the books: it cannot be `sparse`"));
            }
            (Some(_), Some(false) | None) => Kept::Some,
            (None, Some(true)) => Kept::All(Witnessing::IfNamed),
            (None, Some(false) | None) => Kept::All(Witnessing::Never),
        };
        Ok(Books { genesis: base.join(&self.genesis), kept })
    }
}
