//! `nexus`: one program for everything that a person does with a node.

mod address_book;
mod bench_link;
mod channel;
mod command_line;
mod contacts;
mod daemon;
mod demo;
mod doctor;
mod ending;
mod genesis;
mod keygen;
mod ledger;
mod manual;
mod messages;
mod node;
mod paper_key;
mod passphrase_entry;
mod peer;
mod place;
mod quantities;
mod rns;
mod routing;
mod status;
mod table;
mod terminal;
mod witness;

use std::process::ExitCode;

use command_line::{Command, CommandLine};
use ending::{Ending, Refusal, exit_code};
use tokio::runtime::Runtime;

fn main() -> ExitCode {
    match CommandLine::of_process().command {
        Command::Keygen(keygen) => exit_code(&keygen.run()),
        Command::Status(status) => wait_for(status.run()),
        Command::Ping(ping) => wait_for(ping.run()),
        Command::BenchLink(bench) => wait_for(bench.run()),
        Command::Path(path) => wait_for(path.run()),
        Command::Trace(trace) => wait_for(trace.run()),
        Command::Send(send) => wait_for(send.run()),
        Command::Listen(listen) => wait_for(listen.run()),
        Command::Rns(rns) => wait_for(rns.run()),
        Command::Peer(peer) => wait_for(peer.run()),
        Command::Channel(channel) => wait_for(channel.run()),
        Command::Ledger(ledger) => wait_for(ledger.run()),
        Command::Witness(witness) => wait_for(witness.run()),
        Command::Genesis(genesis) => exit_code(&genesis.run()),
        Command::Contacts(contacts) => exit_code(&contacts.run()),
        Command::Doctor(doctor) => wait_for(doctor.run()),
        Command::Completions(completions) => exit_code(&Ok(completions.run())),
        Command::Man(manual) => exit_code(&manual.run()),
        Command::InstallLinks(links) => exit_code(&links.run()),
        Command::Node(node) => last(node.run()),
        Command::Demo(demo) => last(demo.run()),
    }
}

/// Runs a command that waits for others.
fn wait_for(command: impl Future<Output = Ending>) -> ExitCode {
    exit_code(&runtime().and_then(|runtime| runtime.block_on(command)))
}

/// Runs a command that gives its own exit code.
fn last(command: impl Future<Output = Result<ExitCode, impl std::fmt::Display>>) -> ExitCode {
    let runtime = match runtime() {
        Ok(runtime) => runtime,
        Err(refusal) => return exit_code(&Err(refusal)),
    };
    let ended = runtime.block_on(command);
    // A thread that still waits for standard input must not keep the program alive.
    runtime.shutdown_background();
    ended.unwrap_or_else(|error| exit_code(&Err(Refusal::cannot(error))))
}

fn runtime() -> Result<Runtime, Refusal> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|cause| Refusal::Cannot(format!("the program cannot start: {cause}")))
}
