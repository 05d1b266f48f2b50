//! `nexus rns receive`: files that others leave.

use std::path::PathBuf;

use clap::Args;
use nexus_daemon::api::{Answer, Event, FileArrived, Verb};
use serde_json::json;

use crate::daemon::connect;
use crate::ending::{Ending, Outcome, Refusal};
use crate::place::Place;
use crate::terminal::{harmless, print_json, print_line};

/// The command.
#[derive(Debug, Args)]
#[command(after_long_help = "\
As long as this runs, `nexus rns send-file` and `rncp` of stock nodes can leave
files here, at the destination that is printed first. A file that is there
already is not replaced: the later one gets a number.

Examples:
  nexus rns receive --from e9c7ea34509127444840cf53d0639662 --into Downloads
  nexus rns receive --anyone --count 1")]
pub(crate) struct Receive {
    /// The directory that takes them
    #[arg(long, value_name = "DIRECTORY", default_value = ".")]
    into: PathBuf,
    /// The hash of an identity that may leave files; `rncp -p` prints its own
    #[arg(long, value_name = "HASH", required_unless_present = "anyone", conflicts_with = "anyone")]
    from: Vec<String>,
    /// Take files of anybody
    #[arg(long)]
    anyone: bool,
    /// End after so many files
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    count: Option<u64>,
    #[command(flatten)]
    place: Place,
    /// Print one JSON object for each
    #[arg(long)]
    json: bool,
}

impl Receive {
    pub(crate) async fn run(self) -> Ending {
        let into = std::fs::canonicalize(&self.into)
            .map_err(|cause| Refusal::cannot(format!("{}: {cause}", self.into.display())))?;
        let mut client = connect(&self.place).await?;
        let verb = Verb::RnsReceive { into: into.display().to_string(), from: self.from.clone() };
        let subscription = client.ask(verb).await?;
        let mut arrived = 0;
        loop {
            match client.answer(subscription).await? {
                Answer::Event(Event::Receiving { destination }) => {
                    if self.json {
                        print_json(&json!({ "destination": destination }));
                    } else {
                        print_line(&format!("files can be left at {destination}"));
                    }
                }
                Answer::Event(Event::FileArrived(file)) => {
                    if self.json {
                        print_json(&file);
                    } else {
                        print_line(&line(&file));
                    }
                    arrived += 1;
                    if self.count == Some(arrived) {
                        return Ok(Outcome::Done);
                    }
                }
                Answer::Event(_) => {}
                Answer::Error(failure) => return Err(Refusal::cannot(failure)),
                Answer::Ok(_) => return Err(Refusal::NotRunning("the node ended".to_owned())),
            }
        }
    }
}

fn line(FileArrived { file, bytes, from }: &FileArrived) -> String {
    let from = from.as_ref().map_or_else(String::new, |from| format!(", from {from}"));
    format!("{}: {bytes} bytes{from}", harmless(file))
}
