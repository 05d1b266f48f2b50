//! What only processes can show: daemons that link, hear of each other and carry messages over real sockets, and over virtual modems
//! where a test has them.

use super::{Criterion, Milestone, Verdict, overall};
use crate::cargo::{self, cargo};
use crate::fault::Fault;
use crate::session::Session;
use crate::stage::stock_python;

/// The criterion that the simulator leaves open, whatever its milestone.
const ID: &str = "processes";
/// The tests that start daemons as processes.
const TESTS: [&str; 5] = ["--locked", "--package", "nexus-cli", "--test", "mesh"];

/// Measures what the simulator left open of a milestone.
pub(super) fn complete(session: &mut Session, milestone: &mut Milestone) -> Result<(), Fault> {
    let open = |criterion: &&mut Criterion| criterion.id == ID && criterion.verdict == Verdict::Unmeasured;
    let Some(criterion) = milestone.criteria.iter_mut().find(open) else { return Ok(()) };
    cargo::ensure_subcommand(session, "nextest")?;
    // Some of them have stock nodes among the processes.
    stock_python::run(session)?;
    let listed =
        cargo::capture(cargo(session).args(["nextest", "list", "--message-format", "oneline"]).args(TESTS))?;
    let (_, status) = cargo::capture_with_status(cargo(session).args(["nextest", "run"]).args(TESTS))?;
    settle(criterion, listed.lines().count(), status);
    milestone.verdict = overall(&milestone.criteria);
    Ok(())
}

/// No test is no proof.
fn settle(criterion: &mut Criterion, tests: usize, status: Option<i32>) {
    let passed = tests > 0 && status == Some(0);
    let how = if passed { "passed" } else { "did not all pass" };
    criterion.measured = Some(format!("{tests} tests {how}"));
    criterion.verdict = if passed { Verdict::Met } else { Verdict::Missed };
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settled(tests: usize, status: Option<i32>) -> Verdict {
        let text = String::new;
        let mut criterion = Criterion {
            id: ID.to_owned(),
            text: text(),
            required: text(),
            measured: None,
            verdict: Verdict::Unmeasured,
        };
        settle(&mut criterion, tests, status);
        criterion.verdict
    }

    #[test]
    fn processes_prove_something_only_if_there_are_tests_and_all_passed() {
        assert_eq!(settled(12, Some(0)), Verdict::Met);
        assert_eq!(settled(12, Some(100)), Verdict::Missed);
        assert_eq!(settled(12, None), Verdict::Missed);
        assert_eq!(settled(0, Some(0)), Verdict::Missed);
    }
}
