//! `cargo xtask acceptance`: the simulator's verdict on every milestone, measured against required, and what the simulator leaves to
//! processes.

mod processes;

use std::path::Path;
use std::process::Command;

use serde::{Deserialize, Serialize};

use crate::cargo;
use crate::fault::Fault;
use crate::session::Session;
use crate::stage::simulator::{self, Build};
use crate::table::{self, Align};

/// How the verdicts are printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// For a reader.
    Table,
    /// For a program: an array of milestones as the simulator prints them.
    Json,
}

/// One milestone, as `nexus-sim acceptance <milestone> --json` prints it.
#[derive(Debug, Deserialize, Serialize)]
struct Milestone {
    #[serde(rename = "milestone")]
    name: String,
    criteria: Vec<Criterion>,
    verdict: Overall,
}

#[derive(Debug, Deserialize, Serialize)]
struct Criterion {
    id: String,
    text: String,
    required: String,
    /// `None` if nothing measured it.
    measured: Option<String>,
    verdict: Verdict,
}

#[derive(Clone, Copy, Debug, Deserialize, Serialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
enum Verdict {
    Met,
    Missed,
    Unmeasured,
}

#[derive(Clone, Copy, Debug, Deserialize, Serialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
enum Overall {
    Met,
    Missed,
    Incomplete,
}

/// Runs every milestone's acceptance. Fails unless all are met.
pub(crate) fn run(session: &mut Session, form: Form) -> Result<(), Fault> {
    let simulator = simulator::build(session, Build::Release)?;
    let known = cargo::capture(Command::new(&simulator).args(["milestones", "--json"]))?;
    let known: Vec<String> =
        serde_json::from_str(&known).map_err(|error| Fault::json("the list of milestones", &error))?;
    let mut milestones: Vec<_> = known.iter().map(|name| ask(&simulator, name)).collect::<Result<_, _>>()?;
    for milestone in &mut milestones {
        processes::complete(session, milestone)?;
    }
    match form {
        Form::Table => print!("{}", render(&milestones)),
        Form::Json => {
            let text = serde_json::to_string_pretty(&milestones)
                .map_err(|error| Fault::json("the list of verdicts", &error))?;
            println!("{text}");
        }
    }
    judge(&milestones)
}

fn ask(simulator: &Path, name: &str) -> Result<Milestone, Fault> {
    let mut command = Command::new(simulator);
    let (text, status) = cargo::capture_with_status(command.args(["acceptance", name, "--json"]))?;
    parse(name, &text, status)
}

/// The exit status and the JSON say the same, or neither is to be believed.
fn parse(name: &str, text: &str, status: Option<i32>) -> Result<Milestone, Fault> {
    let what = format!("the acceptance of milestone {name}");
    let milestone: Milestone = serde_json::from_str(text).map_err(|error| Fault::json(&what, &error))?;
    let overall = overall(&milestone.criteria);
    let expected = match overall {
        Overall::Met => 0,
        Overall::Missed => 1,
        Overall::Incomplete => 2,
    };
    if milestone.name != name || milestone.verdict != overall || status != Some(expected) {
        return Err(Fault::new(format!(
            "{what} contradicts itself: its criteria come to {}, it says {} for {} and exits with {status:?}.",
            overall.word(),
            milestone.verdict.word(),
            milestone.name
        )));
    }
    Ok(milestone)
}

fn overall(criteria: &[Criterion]) -> Overall {
    if criteria.iter().any(|criterion| criterion.verdict == Verdict::Missed) {
        Overall::Missed
    } else if criteria.is_empty() || criteria.iter().any(|criterion| criterion.verdict == Verdict::Unmeasured)
    {
        Overall::Incomplete
    } else {
        Overall::Met
    }
}

fn judge(milestones: &[Milestone]) -> Result<(), Fault> {
    let open: Vec<_> = milestones
        .iter()
        .filter(|milestone| milestone.verdict != Overall::Met)
        .map(|milestone| format!("{} ({})", milestone.name, milestone.verdict.word()))
        .collect();
    if open.is_empty() {
        Ok(())
    } else {
        Err(Fault::new(format!("milestones not met: {}.", open.join(", "))))
    }
}

fn render(milestones: &[Milestone]) -> String {
    let mut rows = Vec::new();
    for milestone in milestones {
        for criterion in &milestone.criteria {
            rows.push([
                milestone.name.clone(),
                criterion.id.clone(),
                criterion.text.clone(),
                criterion.required.clone(),
                criterion.measured.clone().unwrap_or_else(|| "-".to_owned()),
                criterion.verdict.word().to_owned(),
            ]);
        }
    }
    let titles = ["", "id", "criterion", "required", "measured", "verdict"];
    let mut text = table::render(titles.map(|title| (title, Align::Left)), &rows);
    text.push('\n');
    for milestone in milestones {
        text += &["milestone ", &milestone.name, ": ", milestone.verdict.word(), "\n"].concat();
    }
    text
}

impl Verdict {
    const fn word(self) -> &'static str {
        match self {
            Self::Met => "met",
            Self::Missed => "missed",
            Self::Unmeasured => "unmeasured",
        }
    }
}

impl Overall {
    const fn word(self) -> &'static str {
        match self {
            Self::Met => "met",
            Self::Missed => "missed",
            Self::Incomplete => "incomplete",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const INCOMPLETE: &str = r#"{"milestone":"1.1","verdict":"incomplete","criteria":[
        {"id":"delivery","text":"messages arrive","required":"99 %","measured":"99.4 %","verdict":"met"},
        {"id":"size","text":"fits","required":"520 KB","measured":null,"verdict":"unmeasured"}]}"#;

    #[test]
    fn a_milestone_is_read_and_rendered() {
        let milestone = parse("1.1", INCOMPLETE, Some(2)).expect("it is consistent");
        let text = render(&[milestone]);
        assert!(text.contains("1.1  delivery  messages arrive  99 %      99.4 %    met\n"), "{text}");
        assert!(text.contains("520 KB    -         unmeasured\n"), "{text}");
        assert!(text.ends_with("\nmilestone 1.1: incomplete\n"), "{text}");
    }

    #[test]
    fn a_verdict_that_contradicts_the_criteria_or_the_exit_status_is_not_believed() {
        assert!(parse("1.1", INCOMPLETE, Some(0)).is_err(), "the exit status says met");
        assert!(parse("1.2", INCOMPLETE, Some(2)).is_err(), "another milestone");
        let boast = INCOMPLETE.replace("incomplete", "met");
        assert!(parse("1.1", &boast, Some(0)).is_err(), "a criterion is unmeasured");
        let empty = r#"{"milestone":"1.1","verdict":"met","criteria":[]}"#;
        assert!(parse("1.1", empty, Some(0)).is_err(), "nothing was measured");
    }

    #[test]
    fn one_milestone_that_is_not_met_fails_the_command() {
        let milestone = parse("1.1", INCOMPLETE, Some(2)).expect("it is consistent");
        let fault = judge(&[milestone]).expect_err("it is incomplete").to_string();
        assert_eq!(fault, "milestones not met: 1.1 (incomplete).");
        assert!(judge(&[]).is_ok());
    }
}
