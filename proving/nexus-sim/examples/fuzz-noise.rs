//! Scripts for what fuzzers drive, where there is no fuzzer: noise, and seeds that are spliced and changed. What is driven, and how many:
//!
//! ```text
//! cargo run --release -p nexus-sim --example fuzz-noise -- payment 10000
//! ```
//!
//! A script that breaks something is left in `fuzz/artifacts/`; with the file's name in the place of a number it is run again.
#![allow(clippy::cast_precision_loss, reason = "what is measured is shown")]

use std::error::Error;
use std::fs;
use std::panic::catch_unwind;
use std::path::Path;
use std::time::Instant;

use nexus_machine::{Seed, Stream};
use nexus_sim::fuzz::{DRIVERS, Reached};
use nexus_testkit::heap;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [name, count] = &arguments[..] else { return Err("what, and how many scripts?".into()) };
    let driver = DRIVERS.iter().find(|driver| driver.name == name).ok_or("nothing is called so")?;
    if let Ok(script) = fs::read(count) {
        println!("{:?}", (driver.run)(&script, heap::held));
        return Ok(());
    }
    let (count, seeds, began) = (count.parse::<u64>()?, (driver.seeds)(), Instant::now());
    let (mut broken, mut most) = (0_u64, Reached::default());
    for number in 0..count {
        let mut random = Seed::new([0x3e; 32]).fork_index("scripts", number).fork(driver.name);
        let script = if random.chance(1, 4) { noise(&mut random) } else { spliced(&seeds, &mut random) };
        let Ok(reached) = catch_unwind(|| (driver.run)(&script, heap::held)) else {
            broken += 1;
            let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/artifacts").join(name);
            fs::create_dir_all(&folder)?;
            fs::write(folder.join(format!("script-{number}")), &script)?;
            continue;
        };
        most.wins = most.wins.max(reached.wins);
        most.settled = most.settled.max(reached.settled);
        most.resumed = most.resumed.max(reached.resumed);
        most.closed = most.closed.max(reached.closed);
    }
    let each = began.elapsed().as_secs_f64() * 1_000.0 / count as f64;
    println!("{count} scripts, {broken} broke something, {each:.1} ms each; at most {most:?}");
    if broken == 0 { Ok(()) } else { Err("see fuzz/artifacts".into()) }
}

fn below(random: &mut Stream, bound: usize) -> usize {
    usize::try_from(random.below(u64::try_from(bound.max(1)).unwrap_or(1))).unwrap_or(0)
}

fn noise(random: &mut Stream) -> Vec<u8> {
    let mut script = vec![0; below(random, 900)];
    random.fill(&mut script);
    script
}

/// The beginning of a seed, more of another, and now and then a byte changed.
fn spliced(seeds: &[(&'static str, Vec<u8>)], random: &mut Stream) -> Vec<u8> {
    let (one, other) = (&seeds[below(random, seeds.len())].1, &seeds[below(random, seeds.len())].1);
    let mut script = [&one[..below(random, one.len())], &other[below(random, other.len())..]].concat();
    let often = [5, 20, 100][below(random, 3)];
    for byte in &mut script {
        if random.chance(1, often) {
            *byte = random.bytes::<1>()[0];
        }
    }
    script
}
