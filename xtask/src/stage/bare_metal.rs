//! The core builds for microcontrollers: `no_std` is proved, not promised.
//!
//! Debian's own compiler does it, because its packaged source of the standard library matches it, so `core` and `alloc`
//! are built for a target that no toolchain server has to be asked for.

use std::path::Path;
use std::process::Command;

use crate::cargo;
use crate::fault::Fault;
use crate::session::Session;
use crate::stages::Note;

const CARGO: &str = "/usr/bin/cargo";
const RUSTC: &str = "/usr/bin/rustc";

/// ESP32-C3 (no atomics) and ESP32-C6.
pub(super) const TARGETS: [&str; 2] = ["riscv32imc-unknown-none-elf", "riscv32imac-unknown-none-elf"];

/// Builds every crate of the core, in release, for both targets.
pub(crate) fn run(session: &mut Session) -> Result<Note, Fault> {
    let compiler = compiler_version()?;
    refuse_an_older_compiler(session, &compiler)?;
    let mut build = distribution_cargo(session.root(), &session.target().join("bare-metal"));
    build.args(["build", "--locked", "--release", "--quiet"]);
    build.args(["-Zbuild-std=core,alloc", "-Zbuild-std-features=compiler-builtins-mem"]);
    for target in TARGETS {
        build.args(["--target", target]);
    }
    let mut crates = 0;
    for package in session.workspace().protocol() {
        build.args(["--package", &package.name]);
        crates += 1;
    }
    cargo::run(&mut build)?;
    Ok(format!("{crates} crates for riscv32imc and riscv32imac, rustc {compiler}"))
}

/// Debian's cargo and compiler in a folder, with nothing of the toolchain that runs us left in the environment.
pub(super) fn distribution_cargo(folder: &Path, target: &Path) -> Command {
    let mut command = Command::new(CARGO);
    command.current_dir(folder);
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy();
        let is_ours = ["CARGO", "RUST", "LD_LIBRARY_PATH"].iter().any(|prefix| text.starts_with(prefix));
        if is_ours && text != "CARGO_HOME" {
            command.env_remove(&name);
        }
    }
    command.env("RUSTC", RUSTC).env("RUSTC_BOOTSTRAP", "1").env("CARGO_TARGET_DIR", target);
    // Set, if to nothing, it outranks flags from any configuration file.
    command.env("CARGO_ENCODED_RUSTFLAGS", "");
    command
}

fn compiler_version() -> Result<String, Fault> {
    let text = cargo::capture(Command::new(RUSTC).arg("--version")).map_err(|fault| {
        Fault::new(format!("{fault} Run: apt-get install rustc-web cargo-web rust-web-src"))
    })?;
    let version = text.split_whitespace().nth(1).unwrap_or_default();
    Ok(version.to_owned())
}

fn refuse_an_older_compiler(session: &Session, compiler: &str) -> Result<(), Fault> {
    let wanted = session.workspace().packages.iter().filter_map(|package| package.rust_version.as_deref());
    match wanted.map(version).max() {
        Some(wanted) if version(compiler) < wanted => Err(Fault::new(format!(
            "the workspace wants Rust {}.{} but {RUSTC} is {compiler}: it needs a newer rustc-web from Debian, or an \
             older `rust-version` in Cargo.toml.",
            wanted.0, wanted.1
        ))),
        _ => Ok(()),
    }
}

/// Major and minor: what `rust-version` promises.
fn version(text: &str) -> (u32, u32) {
    let mut numbers = text.split('.').map(|number| number.parse().unwrap_or(0));
    (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_compared_as_numbers() {
        assert!(version("1.100.0") > version("1.95") && version("1.95.1") == version("1.95"));
    }

    #[test]
    fn nothing_of_our_toolchain_reaches_the_distributions() {
        let command = distribution_cargo(Path::new("/"), Path::new("/target"));
        let set: Vec<_> =
            command.get_envs().filter_map(|(name, value)| Some((name.to_str()?, value?))).collect();
        let expected = [
            ("CARGO_ENCODED_RUSTFLAGS", ""),
            ("CARGO_TARGET_DIR", "/target"),
            ("RUSTC", RUSTC),
            ("RUSTC_BOOTSTRAP", "1"),
        ];
        assert_eq!(set, expected.map(|(name, value)| (name, value.as_ref())));
        // nextest runs this test with cargo's variables set.
        assert!(command.get_envs().any(|(name, value)| name == "CARGO_MANIFEST_DIR" && value.is_none()));
    }
}
