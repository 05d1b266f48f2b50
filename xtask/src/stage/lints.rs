//! What rustfmt, clippy and rustdoc say, with warnings denied.

use crate::cargo::{self, cargo};
use crate::fault::Fault;
use crate::session::Session;
use crate::stages::Note;

/// Every Rust file is formatted.
pub(crate) fn format(session: &mut Session) -> Result<Note, Fault> {
    cargo::run(cargo(session).args(["fmt", "--all", "--check"]))
        .map_err(|fault| Fault::new(format!("{fault} `cargo fmt --all` formats it.")))?;
    Ok(Note::new())
}

/// Clippy has nothing to say about anything: libraries, programs, tests, benches, examples.
pub(crate) fn clippy(session: &mut Session) -> Result<Note, Fault> {
    let arguments = ["clippy", "--locked", "--workspace", "--all-targets", "--", "-D", "warnings"];
    cargo::run(cargo(session).args(arguments))?;
    Ok(Note::new())
}

/// The documentation builds without a warning, twice: as a user of the crates reads it, where a link to a private
/// item is broken, and as we read it, private items included.
pub(crate) fn rustdoc(session: &mut Session) -> Result<Note, Fault> {
    let arguments = ["doc", "--locked", "--workspace", "--no-deps", "--quiet"];
    cargo::run(cargo(session).env("RUSTDOCFLAGS", "-D warnings").args(arguments).arg("--lib"))?;
    let flags = "-D warnings -A rustdoc::private-intra-doc-links";
    let with_private = cargo::run(
        cargo(session).env("RUSTDOCFLAGS", flags).args(arguments).args(["--lib", "--document-private-items"]),
    );
    with_private?;
    cargo::run(cargo(session).env("RUSTDOCFLAGS", flags).args(arguments).args(["--bins"]))?;
    Ok(Note::new())
}
