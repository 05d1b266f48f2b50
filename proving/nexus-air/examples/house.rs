//! Virtual radio modems that hear each other, for everybody who has none: `cargo run -p nexus-air --example house -- 2`
//!
//! It prints at which terminals they are, and lets them run until its input ends or somebody presses Enter. With a
//! directory as its second argument they stay at the same paths from one run to the next.
#![allow(clippy::print_stdout, reason = "an example that tells where its modems are")]

use std::error::Error;
use std::io::stdin;
use std::path::{Path, PathBuf};

use nexus_air::live::{Address, House, Plan};
use nexus_air::{Hearing, RadioId};
use nexus_machine::Seed;

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let radios: u16 = arguments.next().map_or(Ok(2), |count| count.parse())?;
    let chosen = arguments.next().map(PathBuf::from);
    let own = std::env::temp_dir().join(format!("nexus-house-{}", std::process::id()));
    let directory = chosen.as_ref().unwrap_or(&own);
    std::fs::create_dir_all(directory)?;
    serve(radios, directory)?;
    if chosen.is_none() {
        std::fs::remove_dir(&own)?;
    }
    Ok(())
}

fn serve(radios: u16, directory: &Path) -> Result<(), Box<dyn Error>> {
    let hearing = Hearing::everybody(radios);
    let ids: Vec<RadioId> = hearing.ids().collect();
    let house = House::open(Plan::terminals(hearing, Seed::new([0; 32])), directory)?;
    for radio in ids.iter().copied() {
        if let Address::Terminal(path) = house.address(radio) {
            println!("{}", path.display());
        }
    }
    println!("Enter ends them.");
    stdin().read_line(&mut String::new())?;
    for radio in ids {
        let meter = house.meter(radio);
        println!(
            "radio {}: {} sent, {} ms on the air, {} received, {} collided",
            radio.0,
            meter.sent,
            meter.airtime.as_millis(),
            meter.received,
            meter.collided
        );
    }
    Ok(())
}
