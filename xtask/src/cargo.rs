//! Starting other programs: shown before they run, without standard input, and with a sentence if they fail.

use std::env;
use std::ffi::OsString;
use std::process::{Command, Output, Stdio};

use crate::fault::Fault;
use crate::session::Session;

/// The cargo that runs us, at the workspace's root.
pub(crate) fn cargo(session: &Session) -> Command {
    let program = env::var_os("CARGO").unwrap_or_else(|| OsString::from("cargo"));
    let mut command = Command::new(program);
    command.current_dir(session.root());
    // The whole run shares one target directory, also when cargo was configured by environment.
    command.env("CARGO_TARGET_DIR", session.target());
    if let Some(python) = session.stock_python() {
        command.env("NEXUS_STOCK_PYTHON", python);
    }
    command
}

/// Runs a command whose output is for the reader.
pub(crate) fn run(command: &mut Command) -> Result<(), Fault> {
    let shown = shown(command);
    // Standard output may be somebody's JSON.
    eprintln!("$ {shown}");
    let status = command.stdin(Stdio::null()).status().map_err(|error| cannot_start(&shown, &error))?;
    if status.success() { Ok(()) } else { Err(Fault::new(format!("`{shown}` failed: {status}."))) }
}

/// Runs a command whose standard output is for us; its errors go to the reader.
pub(crate) fn capture(command: &mut Command) -> Result<String, Fault> {
    let shown = shown(command);
    let output = output(command.stderr(Stdio::inherit()))?;
    if !output.status.success() {
        return Err(Fault::new(format!("`{shown}` failed: {}.", output.status)));
    }
    text(&shown, output)
}

/// Runs a command whose exit status carries a meaning of its own; its errors go to the reader.
pub(crate) fn capture_with_status(command: &mut Command) -> Result<(String, Option<i32>), Fault> {
    let shown = shown(command);
    let output = output(command.stderr(Stdio::inherit()))?;
    let code = output.status.code();
    text(&shown, output).map(|text| (text, code))
}

/// Whether a command can be started and succeeds; it says nothing to the reader.
pub(crate) fn succeeds(command: &mut Command) -> bool {
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}

/// Installs a cargo subcommand if it is not there. Building one takes minutes, so the reader is told.
pub(crate) fn ensure_subcommand(session: &Session, name: &str) -> Result<(), Fault> {
    if succeeds(cargo(session).args([name, "--version"])) {
        return Ok(());
    }
    eprintln!("cargo-{name} is missing: installing it, which takes some minutes.");
    run(cargo(session).args(["install", "--locked", &format!("cargo-{name}")]))
}

fn output(command: &mut Command) -> Result<Output, Fault> {
    let shown = shown(command);
    command.stdin(Stdio::null()).output().map_err(|error| cannot_start(&shown, &error))
}

fn text(shown: &str, output: Output) -> Result<String, Fault> {
    String::from_utf8(output.stdout).map_err(|_| Fault::new(format!("`{shown}` printed what is not UTF-8.")))
}

fn cannot_start(shown: &str, error: &std::io::Error) -> Fault {
    Fault::new(format!("`{shown}` cannot be started: {error}."))
}

/// The command as one would type it, without the folder of the program.
fn shown(command: &Command) -> String {
    let program = command.get_program().to_string_lossy();
    let program = program.rsplit('/').next().unwrap_or_default().to_owned();
    let arguments = command.get_args().map(|argument| argument.to_string_lossy().into_owned());
    std::iter::once(program).chain(arguments).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failing_program_becomes_a_sentence_with_its_command() {
        let fault = run(Command::new("false").arg("--really")).expect_err("false fails");
        assert_eq!(fault.to_string(), "`false --really` failed: exit status: 1.");
    }

    #[test]
    fn a_missing_program_becomes_a_sentence() {
        let fault = capture(&mut Command::new("/nowhere/such-a-program")).expect_err("it is not there");
        assert!(fault.to_string().starts_with("`such-a-program` cannot be started: "), "{fault}");
        assert!(!succeeds(&mut Command::new("/nowhere/such-a-program")));
    }

    #[test]
    fn output_and_status_come_back() {
        assert_eq!(capture(Command::new("printf").arg("a b")).expect("printf succeeds"), "a b");
        let (text, code) = capture_with_status(&mut Command::new("false")).expect("it starts");
        assert_eq!((text.as_str(), code), ("", Some(1)));
    }
}
