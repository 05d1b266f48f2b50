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

/// The release of the program that most people read their messages with.
const NOMADNET_VERSION: &str = "1.4.4";

/// Prints the installed versions of the stock packages.
const ASK_VERSIONS: &str = "import importlib.metadata as m; p = {d.name.lower() for d in m.distributions()}; \
                            print(*(m.version(n) if n in p else '-' for n in ('rns', 'lxmf', 'nomadnet')))";

/// Prepares the environment below the target directory unless it is there already.
pub(crate) fn run(session: &mut Session) -> Result<Note, Fault> {
    let ready = prepare(session, STOCK_VERSION)?;
    Ok(format!(
        "rns {STOCK_VERSION}, lxmf {LXMF_VERSION} and nomadnet {NOMADNET_VERSION}, {}",
        if ready { "as prepared before" } else { "installed" }
    ))
}

/// Prepares an environment of a release's own, which later commands tell tests of. Whether it was there already.
pub(crate) fn prepare(session: &mut Session, version: &str) -> Result<bool, Fault> {
    let name =
        if version == STOCK_VERSION { "stock-python".to_owned() } else { format!("stock-python-{version}") };
    let home = session.target().join(name);
    let python = home.join("bin").join("python");
    let with_it =
        if version == STOCK_VERSION { [Some(LXMF_VERSION), Some(NOMADNET_VERSION)] } else { [None, None] };
    let [lxmf, nomadnet] = with_it;
    let wanted = [("rns", Some(version)), ("lxmf", lxmf), ("nomadnet", nomadnet)];
    let ready = has(&python, &wanted);
    if !ready {
        cargo::run(Command::new("/usr/bin/python3").args(["-m", "venv", "--clear"]).arg(&home))?;
        let packages: Vec<String> = wanted
            .iter()
            .filter_map(|(package, version)| version.map(|version| format!("{package}=={version}")))
            .collect();
        let install = ["-m", "pip", "install", "--quiet"];
        cargo::run(Command::new(&python).args(install).args(&packages))?;
        if !has(&python, &wanted) {
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

/// Whether these packages are there, and those without a version are not.
fn has(python: &Path, wanted: &[(&str, Option<&str>)]) -> bool {
    let versions: Vec<&str> = wanted.iter().map(|(_, version)| version.unwrap_or("-")).collect();
    python.exists()
        && cargo::capture(Command::new(python).args(["-c", ASK_VERSIONS]))
            .is_ok_and(|installed| installed.trim() == versions.join(" "))
}
