//! What we build from: the committed lock file, and no crate in two versions.

use std::process::Command;

use crate::cargo::{self, cargo};
use crate::fault::Fault;
use crate::session::Session;
use crate::stages::Note;

/// The microcontrollers' target that the core's dependencies are resolved for.
const BARE_METAL: &str = "riscv32imac-unknown-none-elf";

/// `Cargo.lock` is committed, and nothing resolves to two versions: not the workspace on this machine, not the core on
/// a microcontroller. Two versions of a curve are twice the flash and twice the review.
pub(crate) fn run(session: &mut Session) -> Result<Note, Fault> {
    let mut tracked = Command::new("git");
    tracked.current_dir(session.root()).args(["ls-files", "--error-unmatch", "Cargo.lock"]);
    if !cargo::succeeds(&mut tracked) {
        return Err(Fault::new("Cargo.lock is not committed. Run: git add Cargo.lock"));
    }
    nothing_twice("the workspace on this machine", tree(session).arg("--workspace"))?;
    let mut core = tree(session);
    core.args(["--target", BARE_METAL]);
    for package in session.workspace().protocol() {
        core.args(["--package", &package.name]);
    }
    nothing_twice("the core on a microcontroller", &mut core)?;
    Ok("nothing twice, here and on riscv32imac".to_owned())
}

fn tree(session: &Session) -> Command {
    let mut command = cargo(session);
    command.args(["tree", "--locked", "--quiet", "--duplicates", "--edges", "normal,no-proc-macro"]);
    command
}

fn nothing_twice(what: &str, tree: &mut Command) -> Result<(), Fault> {
    let duplicates = cargo::capture(tree)?;
    if duplicates.trim().is_empty() {
        return Ok(());
    }
    Err(Fault::new(format!("{what} is built from two versions of a crate:\n{duplicates}")))
}
