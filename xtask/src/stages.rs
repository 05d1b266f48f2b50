//! Stages: run one after the other, timed, and told in a table.
//!
//! A stage that fails does not stop those after it: one run tells everything that is wrong.

use std::time::{Duration, Instant};

use crate::fault::Fault;
use crate::session::Session;
use crate::table::{self, Align};

/// What a stage that succeeded has to say, in a few words; may be empty.
pub(crate) type Note = String;

/// One stage.
pub(crate) struct Stage {
    /// Its name in the output.
    pub(crate) name: &'static str,
    /// What it does.
    pub(crate) run: fn(&mut Session) -> Result<Note, Fault>,
}

/// How the stages went.
#[derive(Debug, Default)]
pub(crate) struct Report {
    results: Vec<Finished>,
}

#[derive(Debug)]
struct Finished {
    name: &'static str,
    took: Duration,
    outcome: Result<Note, Fault>,
}

impl Report {
    /// Runs a stage under a headline, and keeps how it went.
    pub(crate) fn run(&mut self, session: &mut Session, stage: &Stage) {
        println!("\n==> {}", stage.name);
        let started = Instant::now();
        let outcome = (stage.run)(session);
        let finished = Finished { name: stage.name, took: started.elapsed(), outcome };
        match &finished.outcome {
            Ok(note) if note.is_empty() => println!("    {:.1} s", finished.took.as_secs_f32()),
            Ok(note) => println!("    {:.1} s: {note}", finished.took.as_secs_f32()),
            Err(fault) => println!("    FAILED after {:.1} s: {fault}", finished.took.as_secs_f32()),
        }
        self.results.push(finished);
    }

    /// The table of all stages so far.
    pub(crate) fn table(&self) -> String {
        let row = |finished: &Finished| {
            let (verdict, note) = match &finished.outcome {
                Ok(note) => ("ok", note.clone()),
                Err(fault) => ("FAILED", first_line(&fault.to_string()).to_owned()),
            };
            [finished.name.to_owned(), seconds(finished.took), verdict.to_owned(), note]
        };
        let rows: Vec<_> = self.results.iter().map(row).collect();
        let heading =
            [("stage", Align::Left), ("seconds", Align::Right), ("verdict", Align::Left), ("", Align::Left)];
        table::render(heading, &rows)
    }

    /// A fault that names every stage that failed, with its seconds.
    pub(crate) fn verdict(&self) -> Result<(), Fault> {
        let failed: Vec<_> = self
            .results
            .iter()
            .filter(|finished| finished.outcome.is_err())
            .map(|finished| format!("{} (after {} s)", finished.name, seconds(finished.took)))
            .collect();
        match failed.as_slice() {
            [] => Ok(()),
            [one] => Err(Fault::new(format!("the stage {one} failed."))),
            several => Err(Fault::new(format!("{} stages failed: {}.", several.len(), several.join(", ")))),
        }
    }
}

fn seconds(took: Duration) -> String {
    format!("{:.1}", took.as_secs_f32())
}

fn first_line(text: &str) -> &str {
    text.lines().next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn finished(name: &'static str, outcome: Result<Note, Fault>) -> Finished {
        Finished { name, took: Duration::from_millis(1_500), outcome }
    }

    #[test]
    fn the_verdict_names_every_failed_stage_with_its_seconds() {
        let mut report = Report::default();
        report.results.push(finished("format", Ok(String::new())));
        assert!(report.verdict().is_ok());
        report.results.push(finished("clippy", Err(Fault::new("a warning.\nand its detail"))));
        let one = report.verdict().expect_err("clippy failed").to_string();
        assert_eq!(one, "the stage clippy (after 1.5 s) failed.");
        report.results.push(finished("tidy", Err(Fault::new("a finding."))));
        let two = report.verdict().expect_err("both failed").to_string();
        assert_eq!(two, "2 stages failed: clippy (after 1.5 s), tidy (after 1.5 s).");
    }

    #[test]
    fn the_table_tells_only_the_first_line_of_a_fault() {
        let mut report = Report::default();
        report.results.push(finished("clippy", Err(Fault::new("a warning.\nand its detail"))));
        let table = report.table();
        assert!(
            table.contains("clippy      1.5  FAILED   a warning.") && !table.contains("detail"),
            "{table}"
        );
    }
}
