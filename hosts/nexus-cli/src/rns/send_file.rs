//! `nexus rns send-file`: a file to whoever receives files.

use std::path::PathBuf;

use clap::Args;
use nexus_daemon::api::{RnsSent, Verb};
use serde_json::json;

use super::destination;
use crate::daemon::connect;
use crate::ending::{Ending, Outcome, Refusal};
use crate::messages::not_delivered;
use crate::place::Place;
use crate::quantities::milliseconds;
use crate::terminal::{print_json, print_line};

/// The command.
#[derive(Debug, Args)]
#[command(after_long_help = "\
The other end is `nexus rns receive`, or `rncp --listen` of a stock node, which
print the destination at which they take files. It is told who sends. The file
is proved piece by piece.

Exit code 0 means that the other end has all of it.

Example:
  nexus rns send-file boat.jpg e7d5a1e4b0f6dd7b04b1ee6a10c8ea24")]
pub(crate) struct SendFile {
    /// The file
    file: PathBuf,
    /// Whither
    destination: String,
    #[command(flatten)]
    place: Place,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

impl SendFile {
    pub(crate) async fn run(self) -> Ending {
        let file = std::fs::canonicalize(&self.file)
            .map_err(|cause| Refusal::cannot(format!("{}: {cause}", self.file.display())))?;
        let mut client = connect(&self.place).await?;
        let to = destination(&mut client, &self.destination).await?;
        let verb = Verb::RnsSendFile { to: to.node.clone(), file: file.display().to_string() };
        match client.call::<RnsSent>(verb).await {
            Ok(RnsSent { bytes, took_us }) => {
                if self.json {
                    print_json(&json!({ "destination": to.node, "bytes": bytes, "took_us": took_us }));
                } else {
                    print_line(&format!(
                        "{} has all {bytes} bytes, after {}",
                        to.name,
                        milliseconds(took_us)
                    ));
                }
                Ok(Outcome::Done)
            }
            Err(refusal) => {
                let failure = not_delivered(refusal)?;
                if self.json {
                    print_json(&json!({ "destination": to.node, "bytes": null, "why": failure.sentence }));
                } else {
                    print_line(&format!("not sent: {}", failure.sentence));
                }
                Ok(Outcome::NotDone)
            }
        }
    }
}
