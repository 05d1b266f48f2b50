//! The one definition of the command line: what is parsed, completed and printed as manual pages.

use std::ffi::OsString;
use std::path::Path;

use clap::{CommandFactory as _, Parser, Subcommand};

use crate::messages::{listen, ping, send};
use crate::routing::{path, trace};
use crate::{
    bench_link, channel, contacts, demo, doctor, genesis, keygen, ledger, manual, node, peer, rns, status,
    witness,
};

/// The network that people use when there is no provider.
#[derive(Debug, Parser)]
#[command(
    name = "nexus",
    version,
    after_long_help = "\
Exit codes:
  0  it was done
  1  it was tried and did not happen
  2  it cannot be done: usage, a bad file
  3  no node runs

`nexus-keygen`, `nexus-node`, `nexus-peer` and `nexus-status` are this program
under other names: `nexus install-links DIR` makes them."
)]
pub(crate) struct CommandLine {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Make, show, export and import identities
    Keygen(keygen::Keygen),
    /// Run a node on this machine
    Node(node::Node),
    /// Show what the node is doing
    Status(status::Status),
    /// Ask another node for an answer
    Ping(ping::Ping),
    /// Measure what a way carries, and what each class waits there
    BenchLink(bench_link::BenchLink),
    /// Show every way to a node, and why one is taken
    Path(path::Path),
    /// Ask a node how packets get there and back
    Trace(trace::Trace),
    /// Send a message
    Send(send::Send),
    /// Print messages as they arrive
    Listen(listen::Listen),
    /// Look into the Reticulum world that this node is part of
    #[command(subcommand)]
    Rns(rns::Rns),
    /// Say whom this node carries for nothing, and what others pay
    Peer(peer::Peer),
    /// Look after the accounts out of which neighbours pay
    Channel(channel::Channel),
    /// Look into the books, and compare exports of them
    Ledger(ledger::LedgerCommand),
    /// Show what this node signs for others as a witness
    Witness(witness::WitnessCommand),
    /// Make, sign and check the file in which books begin
    Genesis(genesis::GenesisCommand),
    /// Give nodes names
    Contacts(contacts::Contacts),
    /// Find out what is wrong, and what mends it
    Doctor(doctor::Doctor),
    /// Print completions for a shell
    Completions(manual::Completions),
    /// Print the manual
    Man(manual::Manual),
    /// Make links to this program under the names of its parts
    InstallLinks(manual::InstallLinks),
    /// Watch five nodes on this machine find each other
    Demo(demo::Demo),
}

impl CommandLine {
    /// What the process was started with. Under the name `nexus-X` the program is `nexus X`.
    pub(crate) fn of_process() -> Self {
        Self::parse_from(expanded(std::env::args_os().collect()))
    }
}

/// The definition.
pub(crate) fn definition() -> clap::Command {
    CommandLine::command()
}

/// The arguments with the subcommand that the program's name says, if it says one.
fn expanded(arguments: Vec<OsString>) -> Vec<OsString> {
    let Some((program, rest)) = arguments.split_first() else {
        return arguments;
    };
    let name = Path::new(program).file_name().and_then(|name| name.to_str()).unwrap_or_default();
    match name.strip_prefix("nexus-") {
        Some(subcommand) if definition().find_subcommand(subcommand).is_some() => {
            let mut expanded = vec![OsString::from("nexus"), OsString::from(subcommand)];
            expanded.extend_from_slice(rest);
            expanded
        }
        Some(_) | None => arguments,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(words: &[&str]) -> Vec<OsString> {
        words.iter().map(OsString::from).collect()
    }

    #[test]
    fn the_definition_has_no_contradictions() {
        definition().debug_assert();
    }

    #[test]
    fn every_command_has_a_line_of_help_and_no_line_is_wider_than_a_page() {
        let mut commands = vec![definition()];
        let mut wide = vec![];
        while let Some(mut command) = commands.pop() {
            let name = command.get_name().to_owned();
            let about = command.get_about().unwrap_or_else(|| panic!("{name} says what it does")).to_string();
            assert!(!about.contains('\n') && !about.ends_with('.'), "{name}: {about}");
            let help = command.render_long_help().to_string();
            let lines = help.lines().filter(|line| !line.starts_with("Usage:") && line.chars().count() > 80);
            wide.extend(lines.map(|line| format!("{name}: {line}")));
            commands.extend(command.get_subcommands().filter(|part| !part.is_hide_set()).cloned());
        }
        assert!(wide.is_empty(), "{}", wide.join("\n"));
    }

    #[test]
    fn whose_node_is_meant_may_be_said_anywhere() {
        for line in ["channel list --state DIR", "channel --state DIR list", "ledger show --state DIR"] {
            let parsed = definition().try_get_matches_from(["nexus"].into_iter().chain(line.split(' ')));
            assert!(parsed.is_ok(), "{line}: {parsed:?}");
        }
    }

    #[test]
    fn under_another_name_the_program_is_its_subcommand() {
        assert_eq!(expanded(words(&["/usr/bin/nexus-keygen", "new"])), words(&["nexus", "keygen", "new"]));
        assert_eq!(expanded(words(&["nexus", "keygen", "new"])), words(&["nexus", "keygen", "new"]));
        assert_eq!(expanded(words(&["nexus-1.0", "demo"])), words(&["nexus-1.0", "demo"]));
        assert_eq!(expanded(vec![]), words(&[]));
    }
}
