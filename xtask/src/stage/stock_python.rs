//! The stock Reticulum package, in a Python environment of its own, for tests that talk to it as a black box.

use std::path::Path;
use std::process::Command;

use crate::cargo;
use crate::fault::Fault;
use crate::session::Session;
use crate::stages::Note;

/// The release that our wire format is held to.
const STOCK_VERSION: &str = "1.5.7";

/// Prints the installed version of the stock package.
const ASK_VERSION: &str = "import importlib.metadata as m; print(m.version('rns'))";

/// Prepares the environment below the target directory unless it is there already.
pub(crate) fn run(session: &mut Session) -> Result<Note, Fault> {
    let home = session.target().join("stock-python");
    let python = home.join("bin").join("python");
    let ready = has_stock_version(&python);
    if !ready {
        cargo::run(Command::new("/usr/bin/python3").args(["-m", "venv", "--clear"]).arg(&home))?;
        let package = format!("rns=={STOCK_VERSION}");
        cargo::run(Command::new(&python).args(["-m", "pip", "install", "--quiet", &package]))?;
        if !has_stock_version(&python) {
            return Err(Fault::new(format!(
                "pip succeeded, but {} does not find rns {STOCK_VERSION}. Remove the folder {} and try again.",
                python.display(),
                home.display()
            )));
        }
    }
    session.set_stock_python(python);
    Ok(format!("rns {STOCK_VERSION}, {}", if ready { "as prepared before" } else { "installed" }))
}

fn has_stock_version(python: &Path) -> bool {
    python.exists()
        && cargo::capture(Command::new(python).args(["-c", ASK_VERSION]))
            .is_ok_and(|version| version.trim() == STOCK_VERSION)
}
