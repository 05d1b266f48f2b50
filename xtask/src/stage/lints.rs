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

/// The documentation builds without a warning: all of it as we read it, private items included, and that of the core also as a
/// user of its crates reads it, where a link to a private item is broken.
pub(crate) fn rustdoc(session: &mut Session) -> Result<Note, Fault> {
    let arguments = ["doc", "--locked", "--no-deps", "--quiet"];
    let mut public = cargo(session);
    public.env("RUSTDOCFLAGS", "-D warnings").args(arguments).arg("--lib");
    for package in session.workspace().protocol() {
        public.args(["--package", &package.name]);
    }
    cargo::run(&mut public)?;
    let flags = "-D warnings -A rustdoc::private-intra-doc-links";
    for targets in [["--lib", "--document-private-items"].as_slice(), &["--bins"]] {
        let mut private = cargo(session);
        private.env("RUSTDOCFLAGS", flags).args(arguments).arg("--workspace").args(targets);
        cargo::run(&mut private)?;
    }
    Ok(Note::new())
}
