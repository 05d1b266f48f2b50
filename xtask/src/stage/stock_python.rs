//! The stock Reticulum package, in a Python environment of its own, for tests that talk to it as a black box.

use std::path::Path;
use std::process::Command;

use crate::cargo;
use crate::fault::Fault;
use crate::session::Session;
use crate::stages::Note;

/// The release that our wire format is held to.
pub(crate) const STOCK_VERSION: &str = "1.5.7";

/// The release of the message package that goes with it. Earlier releases of the stock package have none: tests that run them send no messages.
const LXMF_VERSION: &str = "1.2.1";

/// Prints the installed versions of the stock packages.
const ASK_VERSIONS: &str = "import importlib.metadata as m; p = {d.name.lower() for d in m.distributions()}; \
                            print(m.version('rns'), m.version('lxmf') if 'lxmf' in p else '-')";

/// Prepares the environment below the target directory unless it is there already.
pub(crate) fn run(session: &mut Session) -> Result<Note, Fault> {
    let ready = prepare(session, STOCK_VERSION)?;
    Ok(format!(
        "rns {STOCK_VERSION} and lxmf {LXMF_VERSION}, {}",
        if ready { "as prepared before" } else { "installed" }
    ))
}

/// Prepares an environment of a release's own, which later commands tell tests of. Whether it was there already.
pub(crate) fn prepare(session: &mut Session, version: &str) -> Result<bool, Fault> {
    let name =
        if version == STOCK_VERSION { "stock-python".to_owned() } else { format!("stock-python-{version}") };
    let home = session.target().join(name);
    let python = home.join("bin").join("python");
    let lxmf = (version == STOCK_VERSION).then_some(LXMF_VERSION);
    let ready = has_stock_versions(&python, version, lxmf);
    if !ready {
        cargo::run(Command::new("/usr/bin/python3").args(["-m", "venv", "--clear"]).arg(&home))?;
        let packages = [Some(format!("rns=={version}")), lxmf.map(|lxmf| format!("lxmf=={lxmf}"))];
        let install = ["-m", "pip", "install", "--quiet"];
        cargo::run(Command::new(&python).args(install).args(packages.iter().flatten()))?;
        if !has_stock_versions(&python, version, lxmf) {
            return Err(Fault::new(format!(
                "pip succeeded, but {} does not find {packages:?}. Remove the folder {} and try again.",
                python.display(),
                home.display()
            )));
        }
    }
    session.set_stock_python(python);
    Ok(ready)
}

fn has_stock_versions(python: &Path, version: &str, lxmf: Option<&str>) -> bool {
    let expected = format!("{version} {}", lxmf.unwrap_or("-"));
    python.exists()
        && cargo::capture(Command::new(python).args(["-c", ASK_VERSIONS]))
            .is_ok_and(|installed| installed.trim() == expected)
}
