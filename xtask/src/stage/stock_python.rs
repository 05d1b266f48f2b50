//! The stock Reticulum package, in a Python environment of its own, for tests that talk to it as a black box.

use std::path::Path;
use std::process::Command;

use crate::cargo;
use crate::fault::Fault;
use crate::session::Session;
use crate::stages::Note;

/// The release that our wire format is held to.
pub(crate) const STOCK_VERSION: &str = "1.5.7";

/// Prints the installed version of the stock package.
const ASK_VERSION: &str = "import importlib.metadata as m; print(m.version('rns'))";

/// Prepares the environment below the target directory unless it is there already.
pub(crate) fn run(session: &mut Session) -> Result<Note, Fault> {
    let ready = prepare(session, STOCK_VERSION)?;
    Ok(format!("rns {STOCK_VERSION}, {}", if ready { "as prepared before" } else { "installed" }))
}

/// Prepares an environment of a release's own, which later commands tell tests of. Whether it was there already.
pub(crate) fn prepare(session: &mut Session, version: &str) -> Result<bool, Fault> {
    let name =
        if version == STOCK_VERSION { "stock-python".to_owned() } else { format!("stock-python-{version}") };
    let home = session.target().join(name);
    let python = home.join("bin").join("python");
    let ready = has_stock_version(&python, version);
    if !ready {
        cargo::run(Command::new("/usr/bin/python3").args(["-m", "venv", "--clear"]).arg(&home))?;
        let package = format!("rns=={version}");
        cargo::run(Command::new(&python).args(["-m", "pip", "install", "--quiet", &package]))?;
        if !has_stock_version(&python, version) {
            return Err(Fault::new(format!(
                "pip succeeded, but {} does not find rns {version}. Remove the folder {} and try again.",
                python.display(),
                home.display()
            )));
        }
    }
    session.set_stock_python(python);
    Ok(ready)
}

fn has_stock_version(python: &Path, version: &str) -> bool {
    python.exists()
        && cargo::capture(Command::new(python).args(["-c", ASK_VERSION]))
            .is_ok_and(|installed| installed.trim() == version)
}
