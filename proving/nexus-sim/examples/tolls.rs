//! Payer, relay and recipient as whole nodes with disks, under schedules of faults. From which number to which:
//!
//! ```text
//! cargo run --release -p nexus-sim --example tolls -- 0 10000
//! ```
//!
//! Of one alone it prints what was done and how the two stood after it.
#![allow(clippy::cast_precision_loss, reason = "what is measured is shown")]

use std::process::ExitCode;
use std::time::Instant;

use nexus_sim::tolls::{Ran, Schedule};

fn main() -> ExitCode {
    let numbers: Vec<u64> = std::env::args().skip(1).filter_map(|number| number.parse().ok()).collect();
    let [first, last] = *numbers else {
        eprintln!("from which schedule to which?");
        return ExitCode::FAILURE;
    };
    let (began, mut all, mut failed) = (Instant::now(), Ran::default(), 0);
    for number in first..last {
        match Schedule::new(number, last - first == 1).run() {
            Ok(ran) => {
                all.crashes += ran.crashes;
                all.stale += ran.stale;
                all.wins += ran.wins;
                all.ahead = all.ahead.max(ran.ahead);
            }
            Err(what) => {
                failed += 1;
                println!("schedule {number}: {what}");
            }
        }
    }
    let Ran { crashes, stale, wins, ahead } = all;
    let (count, seconds) = (last - first, began.elapsed().as_secs_f64());
    println!(
        "{count} schedules, {failed} failed: {crashes} crashes, {stale} of them with an older disk, {wins} wins"
    );
    println!("a relay was ahead by {:.1} windows at most", ahead as f64 / 1_000.0);
    println!("{:.3} s each", seconds / count as f64);
    if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
