//! `nexus`: one program for everything that a person does with a node.

mod demo;
mod demo_node;
mod node;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// The network that people use when there is no provider.
#[derive(Debug, Parser)]
#[command(name = "nexus", version, about)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run five nodes as processes on this machine and watch them find each other
    Demo(demo::Demo),
    /// Run a node on this machine
    Node(node::Node),
    /// One node of the demo; started by it
    #[command(hide = true)]
    DemoNode(demo_node::DemoNode),
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(cause) => return failed(&format!("the program cannot start: {cause}")),
    };
    let ended = match arguments.command {
        Command::Demo(demo) => runtime.block_on(demo.run()).map_err(|error| error.to_string()),
        Command::Node(node) => runtime.block_on(node.run()).map_err(|error| error.to_string()),
        Command::DemoNode(node) => {
            runtime.block_on(node.run()).map(|()| ExitCode::SUCCESS).map_err(|error| error.to_string())
        }
    };
    // A thread that still waits for standard input must not keep the program alive.
    runtime.shutdown_background();
    ended.unwrap_or_else(|sentence| failed(&sentence))
}

fn failed(sentence: &str) -> ExitCode {
    eprintln!("nexus: {sentence}");
    ExitCode::from(2)
}
