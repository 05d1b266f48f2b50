//! What went wrong, as a sentence for the person at the terminal.

use std::fmt::{self, Display};
use std::io;
use std::path::Path;

/// A sentence that says what went wrong and, where we know it, what to do.
#[derive(Debug)]
pub(crate) struct Fault(String);

impl Fault {
    /// A fault told by this sentence.
    pub(crate) fn new(sentence: impl Into<String>) -> Self {
        Self(sentence.into())
    }

    /// A file or folder could not be read or written.
    pub(crate) fn io(path: &Path, error: &io::Error) -> Self {
        Self(format!("{}: {error}", path.display()))
    }

    /// `what` is not the JSON that was agreed.
    pub(crate) fn json(what: &str, error: &serde_json::Error) -> Self {
        Self(format!("{what} is not the JSON that xtask expects: {error}"))
    }
}

impl Display for Fault {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}
