//! Debian packages that the other stages need: installed if missing, never assumed.

use std::process::Command;

use crate::cargo;
use crate::fault::Fault;
use crate::session::Session;
use crate::stages::Note;

/// Packages, and what for: the bare-metal compiler with the source of its own standard library; the linker, the tools
/// and the machine for what it builds; the Python that the stock Reticulum package runs on; what shows recordings;
/// and what lays cables between network namespaces.
const PACKAGES: [&str; 10] = [
    "rustc-web",
    "cargo-web",
    "rust-web-src",
    "lld-22",
    "llvm-22",
    "qemu-system-misc",
    "python3",
    "python3-venv",
    "tshark",
    "iproute2",
];

/// Installs what is missing: one `apt-get update`, then the packages.
pub(crate) fn run(_session: &mut Session) -> Result<Note, Fault> {
    let missing: Vec<_> = PACKAGES.into_iter().filter(|package| !is_installed(package)).collect();
    if missing.is_empty() {
        return Ok("all are installed".to_owned());
    }
    if !we_are_root()? {
        return Err(Fault::new(format!(
            "Debian packages are missing. Run: sudo apt-get install --no-install-recommends {}",
            missing.join(" ")
        )));
    }
    cargo::run(apt_get().arg("update"))?;
    cargo::run(apt_get().args(["install", "--yes", "--no-install-recommends"]).args(&missing))?;
    Ok(format!("installed {}", missing.join(" ")))
}

/// Whether Debian's package of this name is there.
pub(crate) fn is_installed(package: &str) -> bool {
    let mut query = Command::new("dpkg-query");
    cargo::capture(query.args(["--show", "--showformat=${db:Status-Status}", package]))
        .is_ok_and(|status| status == "installed")
}

fn we_are_root() -> Result<bool, Fault> {
    cargo::capture(Command::new("id").arg("-u")).map(|id| id.trim() == "0")
}

fn apt_get() -> Command {
    let mut command = Command::new("apt-get");
    command.env("DEBIAN_FRONTEND", "noninteractive").arg("--quiet");
    command
}
