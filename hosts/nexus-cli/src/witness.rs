//! `nexus witness`: what this node signs for others, and what of its own waits for signatures.

use std::fmt::Write as _;

use clap::Args;
use nexus_daemon::api::{Verb, Witness};

use crate::daemon::connect;
use crate::ending::{Ending, Outcome};
use crate::place::Place;
use crate::terminal::{print, print_json};

/// The command.
#[derive(Debug, Args)]
#[command(after_long_help = "\
A node is a witness if the genesis names its key and its configuration says
`witness = true` under `[ledger]`. It signs deposits and closes of channels by
itself, each once, if its books allow them.

Examples:
  nexus witness          which witness this is, and what it has signed
  nexus witness --json")]
pub(crate) struct WitnessCommand {
    #[command(flatten)]
    place: Place,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

impl WitnessCommand {
    pub(crate) async fn run(self) -> Ending {
        let mut client = connect(&self.place).await?;
        let witness: Witness = client.call(Verb::Witness).await?;
        if self.json {
            print_json(&witness);
        } else {
            print(&told(&witness));
        }
        Ok(Outcome::Done)
    }
}

fn told(said: &Witness) -> String {
    let mut text = match said.witness {
        Some(index) => format!(
            "this node is witness {index} of {}, of whom {} make a certificate; it counted {} minutes\n",
            said.witnesses, said.quorum, said.round
        ),
        None => format!(
            "this node is no witness; there are {}, of whom {} make a certificate\n",
            said.witnesses, said.quorum
        ),
    };
    let mut line = |line: String| writeln!(text, "{line}").expect("a string takes everything");
    if said.witness.is_some() {
        line(format!("{} requests wait; {} closes are signed and not certified", said.waiting, said.closes));
    }
    for owner in &said.owners {
        line(format!(
            "signed   order {} of {}: {} µNXS in channel {} with {}",
            owner.order, owner.node, owner.deposit, owner.channel, owner.peer
        ));
    }
    for case in &said.cases {
        line(format!(
            "alone    channel {} between {} and {}: state {} is the highest shown, {} minutes are left",
            case.channel, case.parties[0], case.parties[1], case.sequence, case.rounds_left
        ));
    }
    for order in &said.orders {
        let what = order.deposit.map_or("its end".to_owned(), |deposit| format!("{deposit} µNXS"));
        line(format!(
            "ordered  {what} in channel {}: {} of {} signed",
            order.channel, order.signed, said.quorum
        ));
    }
    text
}
