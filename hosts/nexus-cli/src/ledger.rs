//! `nexus ledger`: the books of the node that runs, and exports of books.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use nexus_crypto::NodeId;
use nexus_daemon::api::{Done, Ledger, Verb};
use nexus_daemon::recordings::hex;
use nexus_economy::Amount;
use nexus_economy::ledger::export::{Difference, Export};
use nexus_economy::ledger::rules::Rules;
use nexus_economy::ledger::{Balance, Entry};

use crate::address_book::AddressBook;
use crate::daemon::connect;
use crate::ending::{Ending, Outcome, Refusal};
use crate::genesis;
use crate::place::Place;
use crate::terminal::{print_json, print_line};

/// The command.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Examples:
  nexus ledger show                    channels in the books of this node
  nexus ledger show anna               hers alone
  nexus ledger export books.txt        all of them, as a text
  nexus ledger verify books.txt --genesis net.genesis
  nexus ledger diff mine.txt yours.txt

Equal books make equal texts, byte for byte.")]
pub(crate) struct LedgerCommand {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Print channels: who deposited what, and who paid what
    Show(Show),
    /// Write all of the books to a file
    Export(ExportTo),
    /// Find out whether an export keeps the rules
    Verify(Verify),
    /// Say in what two exports differ, and which of them has to hear more
    Diff(Diff),
}

#[derive(Debug, Args)]
struct Show {
    /// A node, by id or by the name that you gave it; all, if not said
    node: Option<String>,
    #[command(flatten)]
    place: Place,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
struct ExportTo {
    /// A file that does not exist yet
    file: PathBuf,
    #[command(flatten)]
    place: Place,
}

#[derive(Debug, Args)]
struct Verify {
    /// The export
    file: PathBuf,
    /// The genesis; with it balances are printed too
    #[arg(long)]
    genesis: Option<PathBuf>,
}

#[derive(Debug, Args)]
struct Diff {
    /// An export
    first: PathBuf,
    /// Another one
    second: PathBuf,
}

impl LedgerCommand {
    pub(crate) async fn run(self) -> Ending {
        match self.action {
            Action::Show(show) => show.run().await,
            Action::Export(export) => export.run().await,
            Action::Verify(verify) => verify.run(),
            Action::Diff(diff) => diff.run(),
        }
    }
}

impl Show {
    async fn run(self) -> Ending {
        let book = AddressBook::of_this_person().map_err(Refusal::cannot)?;
        let node = self.node.as_deref().map(|name| book.resolve(name, [])).transpose();
        let node = node.map_err(Refusal::cannot)?;
        let mut client = connect(&self.place).await?;
        let ledger: Ledger = client.call(Verb::Ledger { node }).await?;
        if self.json {
            print_json(&ledger);
            return Ok(Outcome::Done);
        }
        if ledger.entries.is_empty() {
            print_line("no channel is in these books");
        }
        for entry in &ledger.entries {
            print_line(&format!("channel {}", entry.channel));
            for ((party, deposit), paid) in entry.parties.iter().zip(entry.deposits).zip(entry.paid) {
                print_line(&format!("  {party} deposited {deposit} µNXS, paid {paid}"));
            }
            if let Some([a, b]) = entry.close {
                print_line(&format!("  closed: {a} and {b} paid in all"));
            }
        }
        if ledger.more {
            print_line("There are more: `nexus ledger export` writes all of them.");
        }
        Ok(Outcome::Done)
    }
}

impl ExportTo {
    async fn run(self) -> Ending {
        let file = std::path::absolute(&self.file).map_err(Refusal::cannot)?;
        let mut client = connect(&self.place).await?;
        let verb = Verb::LedgerExport { file: file.display().to_string() };
        let _done: Done = client.call(verb).await?;
        print_line(&format!("wrote {}", self.file.display()));
        Ok(Outcome::Done)
    }
}

impl Verify {
    fn run(self) -> Ending {
        let export = read(&self.file)?;
        let given = match &self.genesis {
            None => Vec::new(),
            Some(path) => {
                let bytes = genesis::read(path)?;
                let rules = Rules::of(&genesis::decoded(path, &bytes)?).map_err(Refusal::cannot)?;
                if rules.id != export.genesis {
                    print_line("The export is of another genesis.");
                    return Ok(Outcome::NotDone);
                }
                rules.accounts
            }
        };
        let books = match export.books(given.iter().copied()) {
            Ok(books) => books,
            Err(cause) => {
                print_line(&format!("It breaks a rule: {cause}."));
                return Ok(Outcome::NotDone);
            }
        };
        print_line(&format!("{} channels keep the rules, and their state hash is right.", books.len()));
        if self.genesis.is_some() {
            let (mut sum, mut incomplete) = (0_i128, 0_usize);
            for node in books.accounts() {
                sum += books.net(&node);
                match books.balance(&node) {
                    Balance::Known(amount) => print_line(&format!("{node} {} µNXS", amount.micros())),
                    Balance::Incomplete | Balance::Unknown => {
                        incomplete += 1;
                        print_line(&format!("{node} incomplete: something has not been heard yet"));
                    }
                }
            }
            let all: i128 =
                given.iter().map(|(_, amount): &(NodeId, Amount)| i128::from(amount.micros())).sum();
            print_line(&format!(
                "Together {sum} µNXS, of {all} at first; {incomplete} accounts are incomplete."
            ));
            if sum != all {
                return Ok(Outcome::NotDone);
            }
        }
        Ok(Outcome::Done)
    }
}

impl Diff {
    fn run(self) -> Ending {
        let (first, second) = (read(&self.first)?, read(&self.second)?);
        if first.genesis != second.genesis {
            print_line("They are of different geneses: nothing in them is comparable.");
            return Ok(Outcome::NotDone);
        }
        let differences = first.differences(&second);
        if differences.is_empty() {
            print_line("They are equal.");
            return Ok(Outcome::Done);
        }
        let (mut behind, mut parties) = ((0_usize, 0_usize), BTreeSet::new());
        for difference in &differences {
            explain(difference);
            let (first, second) = difference.is_behind();
            behind.0 += usize::from(first);
            behind.1 += usize::from(second);
            parties.extend([difference.key.a(), difference.key.b()]);
        }
        print_line(&format!(
            "{} channels differ, between {} nodes; the first has to hear of {}, the second of {}. Joined, they are equal.",
            differences.len(),
            parties.len(),
            behind.0,
            behind.1
        ));
        Ok(Outcome::NotDone)
    }
}

fn explain(difference: &Difference) {
    let key = &difference.key;
    let id = hex(key.id());
    print_line(&format!("channel {id} between {} and {}", key.a(), key.b()));
    for (name, entry) in [("first ", difference.first), ("second", difference.second)] {
        print_line(&format!(
            "  {name} {}",
            entry.as_ref().map_or_else(|| "does not know it".to_owned(), words)
        ));
    }
}

fn words(entry: &Entry) -> String {
    let (paid, deposits) = (entry.paid(), entry.deposits());
    let close =
        entry.close().map_or_else(String::new, |close| format!(", closed at {}, {}", close.a, close.b));
    format!("deposited {}, {}; paid {}, {}{close}", deposits.a, deposits.b, paid.a, paid.b)
}

fn read(path: &Path) -> Result<Export, Refusal> {
    let refused = |cause: &dyn std::fmt::Display| Refusal::Cannot(format!("{}: {cause}", path.display()));
    let text = fs::read_to_string(path).map_err(|cause| refused(&cause))?;
    Export::parse(&text).map_err(|cause| refused(&format!("this is no export: {cause}")))
}
