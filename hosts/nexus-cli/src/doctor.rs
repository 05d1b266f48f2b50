//! `nexus doctor`: what is wrong on this machine, and the command that mends it. It changes nothing.

mod devices;
mod files;
mod machine;
mod network;
mod running;
mod times;

use std::time::Duration;

use clap::Args;
use nexus_daemon::api::{self, Verb};
use nexus_daemon::client::{Client, ClientError};
use nexus_daemon::state_dir::StateDir;
use serde::Serialize;

use crate::ending::{Ending, Outcome};
use crate::place::Place;
use crate::terminal::{harmless, print_json, print_line};
use machine::Machine;

/// The command.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Each finding comes with the command that mends it. A problem makes the exit code
1; a note is something to know and leaves it 0. Run it as the user whose node it
is.")]
pub(crate) struct Doctor {
    #[command(flatten)]
    place: Place,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

/// Something to know.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
struct Finding {
    weight: Weight,
    /// What is wrong.
    sentence: String,
    /// The command that mends it.
    mend: Option<String>,
}

/// Whether something is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum Weight {
    Problem,
    Note,
}

impl Finding {
    fn problem(sentence: String, mend: impl Into<String>) -> Self {
        Self { weight: Weight::Problem, sentence, mend: Some(mend.into()) }
    }

    fn note(sentence: String, mend: Option<String>) -> Self {
        Self { weight: Weight::Note, sentence, mend }
    }
}

/// What the checks look at.
struct Case {
    machine: Machine,
    state: StateDir,
    daemon: Result<api::Status, ClientError>,
}

/// A check, and what it is called.
type Check = (&'static str, fn(&Case) -> Vec<Finding>);

const CHECKS: [Check; 12] = [
    ("state directory", files::state_directory),
    ("key file", files::key_file),
    ("disk space", files::disk_space),
    ("node", running::node),
    ("version", running::version),
    ("interfaces", running::interfaces),
    ("port", network::port),
    ("multicast", network::multicast),
    ("firewall", network::firewall),
    ("clock", times::clock),
    ("randomness", times::randomness),
    ("devices", devices::serial),
];

/// What was found. Spec: spec/tools.md#doctor.
#[derive(Debug, Serialize)]
struct Report {
    ok: bool,
    checks: Vec<Checked>,
}

#[derive(Debug, Serialize)]
struct Checked {
    check: &'static str,
    findings: Vec<Finding>,
}

impl Doctor {
    pub(crate) async fn run(self) -> Ending {
        let state = self.place.state()?;
        let daemon = ask(&state, PATIENCE).await;
        let report = Report::of(&Case { machine: Machine::this(), state, daemon });
        if self.json {
            print_json(&report);
        } else {
            report.print();
        }
        Ok(if report.ok { Outcome::Done } else { Outcome::NotDone })
    }
}

/// A daemon that takes longer to say how it is does not answer.
const PATIENCE: Duration = Duration::from_secs(5);

async fn ask(state: &StateDir, patience: Duration) -> Result<api::Status, ClientError> {
    let answer = async { Client::connect(state).await?.call(Verb::Status).await };
    let silent = |_elapsed| Err(ClientError::Broken(std::io::ErrorKind::TimedOut.into()));
    tokio::time::timeout(patience, answer).await.unwrap_or_else(silent)
}

impl Report {
    fn of(case: &Case) -> Self {
        let mut checks: Vec<Checked> =
            CHECKS.iter().map(|(check, look)| Checked { check, findings: look(case) }).collect();
        checks.push(Checked { check: "service", findings: running::service(case) });
        let problem = |finding: &Finding| finding.weight == Weight::Problem;
        let ok = !checks.iter().flat_map(|checked| &checked.findings).any(problem);
        Self { ok, checks }
    }

    fn print(&self) {
        for Checked { check, findings } in &self.checks {
            if findings.is_empty() {
                print_line(&format!("ok       {check}"));
            }
            for Finding { weight, sentence, mend } in findings {
                let mark = match weight {
                    Weight::Problem => "PROBLEM",
                    Weight::Note => "note   ",
                };
                print_line(&format!("{mark}  {check}: {}", harmless(sentence)));
                if let Some(mend) = mend {
                    print_line(&format!("         run: {}", harmless(mend)));
                }
            }
        }
        let all = self.checks.iter().flat_map(|checked| &checked.findings);
        match all.filter(|finding| finding.weight == Weight::Problem).count() {
            0 => print_line("All is well."),
            1 => print_line("One problem."),
            several => print_line(&format!("{several} problems.")),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::machine::User;
    use super::*;

    /// A machine without anything, its state directory in it, and no daemon.
    pub(super) fn case(directory: &tempfile::TempDir) -> Case {
        let user = User { uid: 1_000, groups: vec![1_000], name: "anna".to_owned() };
        let state = StateDir::locate(Some(directory.path().join("state"))).unwrap();
        Case {
            machine: Machine {
                root: directory.path().to_owned(),
                user,
                unix_s: 1_800_000_000,
                synchronized: None,
            },
            daemon: Err(ClientError::NotRunning(state.path().to_owned())),
            state,
        }
    }

    /// Writes a file below the machine's root.
    pub(super) fn lay(directory: &tempfile::TempDir, path: &str, text: &str) -> PathBuf {
        let path = directory.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, text).unwrap();
        path
    }

    pub(super) fn sentences(findings: &[Finding]) -> Vec<&str> {
        findings.iter().map(|finding| finding.sentence.as_str()).collect()
    }

    #[tokio::test]
    async fn a_daemon_that_does_not_answer_is_not_waited_for() {
        let directory = tempfile::tempdir().unwrap();
        let case = case(&directory);
        std::fs::create_dir(case.state.path()).unwrap();
        let _listens_only = tokio::net::UnixListener::bind(case.state.socket()).unwrap();
        let refusal = ask(&case.state, Duration::from_millis(20)).await.unwrap_err();
        assert!(refusal.to_string().contains("timed out"), "{refusal}");
    }

    #[test]
    fn a_note_leaves_all_well_and_a_problem_does_not() {
        let directory = tempfile::tempdir().unwrap();
        lay(&directory, "sys/class/net/eth0/flags", "0x1003\n");
        let mut case = case(&directory);
        assert!(!Report::of(&case).ok, "no node runs");
        case.daemon = Ok(running::tests::status());
        let report = Report::of(&case);
        assert!(report.ok, "{report:?}");
        assert!(report.checks.iter().any(|checked| !checked.findings.is_empty()), "{report:?}");
    }
}
