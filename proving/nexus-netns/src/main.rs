//! `nexus-netns compare`: NEXUS beside kernel routers, on the same networks of namespaces, in one run. Takes root.

mod compare;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Parser, Subcommand};

#[derive(Parser)]
#[command(name = "nexus-netns", about = "Networks of network namespaces")]
struct Arguments {
    #[command(subcommand)]
    command: Request,
}

#[derive(Subcommand)]
enum Request {
    /// NEXUS, babeld and BIRD: for how long a silent death is felt, and what links carry while nothing happens.
    Compare {
        /// The program `nexus`.
        #[arg(long)]
        nexus: PathBuf,
        /// How many deaths each.
        #[arg(long, default_value_t = 5)]
        deaths: usize,
        /// For how long idle links are counted, in seconds.
        #[arg(long, default_value_t = 180)]
        idle_s: u64,
    },
    /// NEXUS where cables lose three of ten frames each way and take 50 ms.
    Loss {
        /// The program `nexus`.
        #[arg(long)]
        nexus: PathBuf,
        /// How many deaths.
        #[arg(long, default_value_t = 10)]
        deaths: usize,
    },
    /// The same contenders on a grid: what links carry while nothing happens.
    Idle {
        /// The program `nexus`.
        #[arg(long)]
        nexus: PathBuf,
        /// Rows, and columns.
        #[arg(long, default_value_t = 5)]
        side: usize,
        /// For how long links are counted, in seconds: by default every node says once more who it is.
        #[arg(long, default_value_t = 2_100)]
        idle_s: u64,
    },
}

fn main() -> ExitCode {
    let table = match Arguments::parse().command {
        Request::Compare { nexus, deaths, idle_s } => {
            compare::deaths(&nexus, deaths, Duration::from_secs(idle_s))
        }
        Request::Loss { nexus, deaths } => compare::loss(&nexus, deaths),
        Request::Idle { nexus, side, idle_s } => compare::idle(&nexus, side, Duration::from_secs(idle_s)),
    };
    match table {
        Ok(table) => {
            print!("{table}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("nexus-netns: {error}");
            ExitCode::FAILURE
        }
    }
}
