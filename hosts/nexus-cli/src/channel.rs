//! `nexus channel`: the accounts out of which neighbours pay each other.

use std::fs::File;
use std::io::{self, BufRead as _, BufReader, Read as _};
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use nexus_daemon::api::{Channel as Told, Channels, Done, Exported, Verb};
use nexus_node::economy::channels::audit::{self, Flaw, Proven, Reading};

use crate::address_book::AddressBook;
use crate::daemon::{connect, find};
use crate::ending::{Ending, Outcome, Refusal};
use crate::place::Place;
use crate::table::{marks, numbers, render, words};
use crate::terminal::{print, print_json, print_line};

/// The command.
#[derive(Debug, Args)]
#[command(after_long_help = "\
A channel is one account between two neighbours. Each lends the other a sum at
first, out of which it pays for what it has carried; what is lent is the
lender's risk. Channels open by themselves where packets are to be paid for.

Examples:
  nexus channel list
  nexus channel open anna --line 500000
  nexus channel deposit anna 900000
  nexus channel settle anna     sign with anna what was paid so far
  nexus channel close anna      end it, with anna's consent
  nexus channel export anna anna.log
  nexus channel verify anna.log nothing of it is believed unproved")]
pub(crate) struct Channel {
    #[command(subcommand)]
    action: Action,
    #[command(flatten)]
    place: Place,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Offer a neighbour a channel
    Open {
        /// A contact, or a node's id
        peer: String,
        /// What it is lent, in µNXS; as the configuration says, if left out
        #[arg(long, value_name = "UNXS")]
        line: Option<u64>,
        /// What this node puts into it from its books, in µNXS
        #[arg(long, value_name = "UNXS")]
        deposit: Option<u64>,
    },
    /// Put money from the books into a channel that stands
    Deposit {
        /// A contact, or a node's id
        peer: String,
        /// So much in all, in µNXS: more than is there already
        total: u64,
    },
    /// End a channel
    Close {
        /// A contact, or a node's id
        peer: String,
        /// Without the neighbour: it has two days to show a later state
        #[arg(long)]
        alone: bool,
    },
    /// Sign with a neighbour what was paid so far
    Settle {
        /// A contact, or a node's id
        peer: String,
    },
    /// Print the channels
    List {
        /// Print one JSON object
        #[arg(long)]
        json: bool,
    },
    /// Write the states that both signed to a file
    Export {
        /// A contact, or a node's id
        peer: String,
        /// The file, which must not exist
        file: PathBuf,
    },
    /// Check such a file, without a node
    Verify {
        /// The file
        file: PathBuf,
    },
}

impl Channel {
    pub(crate) async fn run(self) -> Ending {
        if let Action::Verify { file } = &self.action {
            return verify(file);
        }
        let mut client = connect(&self.place).await?;
        let book = AddressBook::of_this_person().map_err(Refusal::cannot)?;
        let (word, said, verb): (&str, &str, Box<dyn FnOnce(String) -> Verb>) = match self.action {
            Action::Verify { ref file } => return verify(file),
            Action::List { json } => {
                let channels: Channels = client.call(Verb::Channels).await?;
                if json {
                    print_json(&channels);
                } else {
                    print(&listed(&channels.channels, &book));
                }
                return Ok(Outcome::Done);
            }
            Action::Export { peer, file } => {
                let peer = find(&mut client, &book, &peer).await?;
                let path = std::path::absolute(&file).map_err(Refusal::cannot)?;
                let verb = Verb::ChannelExport { peer: peer.node, file: path.display().to_string() };
                let Exported { states } = client.call(verb).await?;
                print_line(&format!(
                    "{states} states of the channel with {} are in {}",
                    peer.name,
                    file.display()
                ));
                return Ok(Outcome::Done);
            }
            Action::Open { ref peer, line, deposit } => {
                let open = move |peer| Verb::ChannelOpen { peer, line_unxs: line, deposit_unxs: deposit };
                (peer, "a channel is offered to", Box::new(open))
            }
            Action::Deposit { ref peer, total } => {
                let deposit = move |peer| Verb::ChannelDeposit { peer, deposit_unxs: total };
                (peer, "witnesses are asked to certify the deposit in the channel with", Box::new(deposit))
            }
            Action::Close { ref peer, alone } => {
                let close = move |peer| Verb::ChannelClose { peer, alone };
                (peer, "the end of the channel is begun with", Box::new(close))
            }
            Action::Settle { ref peer } => {
                (peer, "a settlement is offered to", Box::new(|peer| Verb::ChannelSettle { peer }))
            }
        };
        let peer = find(&mut client, &book, word).await?;
        let name = peer.name.clone();
        let Done {} = client.call(verb(peer.node)).await?;
        print_line(&format!("{said} {name}: `nexus channel list` shows what comes of it"));
        Ok(Outcome::Done)
    }
}

fn verify(file: &Path) -> Ending {
    let cannot = |cause: &dyn std::fmt::Display| Refusal::cannot(format!("{}: {cause}", file.display()));
    match verified(file).map_err(|cause| cannot(&cause))? {
        Ok(proven) => {
            print(&told(&proven));
            Ok(Outcome::Done)
        }
        Err(flaw) => {
            print_line(&format!("{}: {flaw}", file.display()));
            Ok(Outcome::NotDone)
        }
    }
}

/// What a log proves, line by line: it may be longer than memory.
fn verified(file: &Path) -> io::Result<Result<Proven, Flaw>> {
    let (mut file, mut reading) = (BufReader::new(File::open(file)?), Reading::default());
    let most = u64::try_from(audit::LONGEST_LINE).unwrap_or(u64::MAX);
    let mut line = Vec::new();
    while file.by_ref().take(most).read_until(b'\n', &mut line)? > 0 {
        let text = String::from_utf8_lossy(&line);
        if let Err(flaw) = reading.line(text.strip_suffix('\n').unwrap_or(&text)) {
            return Ok(Err(flaw));
        }
        line.clear();
    }
    Ok(reading.finish())
}

fn told(proven: &Proven) -> String {
    let Proven { channel, parties, states, sequences, balances } = proven;
    let channel = format!("{:032x}", u128::from_be_bytes(channel.0));
    format!(
        "channel    {channel}\nstates     {states}, numbers {} to {}, all signed by both\n{}  {} µNXS\n{}  {} µNXS\n",
        sequences.0, sequences.1, parties.0, balances.0, parties.1, balances.1
    )
}

fn listed(channels: &[Told], book: &AddressBook) -> String {
    if channels.is_empty() {
        return "no channels: they open where packets are to be paid for\n".to_owned();
    }
    let table = [
        words("CHANNEL WITH", 10),
        marks("STATE"),
        numbers("OWN µNXS"),
        numbers("THEIRS µNXS"),
        numbers("BORROWED"),
        numbers("LENT"),
        numbers("SETTLED"),
        numbers("NUMBER"),
    ];
    let row = |channel: &Told| {
        [
            book.name_of(&channel.peer).unwrap_or(&channel.peer).to_owned(),
            channel.state.clone(),
            channel.own_unxs.to_string(),
            channel.theirs_unxs.to_string(),
            channel.borrowed_unxs.to_string(),
            channel.lent_unxs.to_string(),
            settled(channel),
            channel.sequence.to_string(),
        ]
    };
    render(&table, &channels.iter().map(row).collect::<Vec<_>>())
}

/// What settlements moved so far: to this node, or from it.
fn settled(channel: &Told) -> String {
    let net = i128::from(channel.settled_theirs_unxs) - i128::from(channel.settled_own_unxs);
    if net == 0 { "0".to_owned() } else { format!("{net:+}") }
}
