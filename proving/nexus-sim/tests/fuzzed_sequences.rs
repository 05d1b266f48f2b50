//! What fuzzers drive is driven here by the seeds that are committed, by their mutations and by noise; and the seeds reach what
//! they are there to reach.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use nexus_machine::{Seed, Stream};
use nexus_sim::fuzz::{DRIVERS, Driver, Reached, drive};
use nexus_testkit::heap;

/// Mutated seeds, and scripts of noise, of each driver.
const SCRIPTS: u32 = 150;

fn driver(name: &str) -> &'static Driver {
    DRIVERS.iter().find(|driver| driver.name == name).expect("it is registered")
}

fn folder(driver: &Driver) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/seeds").join(driver.name)
}

fn run(driver: &Driver, script: &[u8]) -> Reached {
    (driver.run)(script, heap::held)
}

/// What the seed of this name reached.
fn reached(driver_name: &str, seed: &str) -> Reached {
    let driver = driver(driver_name);
    let (_, script) =
        (driver.seeds)().into_iter().find(|(name, _)| *name == seed).expect("a seed of this name");
    run(driver, &script)
}

#[test]
fn every_seed_is_committed_and_nothing_else_but_what_was_found() {
    for driver in &DRIVERS {
        let written: BTreeSet<String> =
            (driver.seeds)().into_iter().map(|(name, _)| name.to_owned()).collect();
        for (name, script) in (driver.seeds)() {
            let path = folder(driver).join(name);
            let committed = fs::read(&path).unwrap_or_default();
            assert_eq!(committed, script, "{}: run the example fuzz-sequences", path.display());
        }
        for file in fs::read_dir(folder(driver)).expect("there are seeds") {
            let name = file.expect("a file").file_name().into_string().expect("a plain name");
            assert!(written.contains(&name) || name.starts_with("found-"), "{name} is nobody's");
        }
    }
}

#[test]
fn what_was_found_is_sound() {
    for driver in &DRIVERS {
        for file in fs::read_dir(folder(driver)).expect("there are seeds") {
            let script = fs::read(file.expect("a file").path()).expect("a script");
            run(driver, &script);
        }
    }
}

#[test]
fn seeds_of_the_link_organ_reach_links_on_every_medium() {
    for (seed, up) in [("cable", 2), ("network", 6), ("radio", 6), ("pieces", 2)] {
        let reached = reached("links", seed);
        assert!(reached.links_up >= up && reached.believed >= 4, "{seed}: {reached:?}");
    }
    assert!(reached("links", "pieces").whole >= 2);
    assert!(reached("links", "rekey").rekeys >= 1);
    assert!(reached("links", "restart").links_down >= 1);
    assert!(reached("links", "clocks").links_down >= 2);
    for attack in ["attack-cable", "attack-network", "attack-radio", "attack-handshake", "forestalled"] {
        let reached = reached("links", attack);
        assert!(reached.refused >= 20 && reached.links_up >= 2, "{attack}: {reached:?}");
    }
}

#[test]
fn seeds_of_the_node_reach_links_announces_and_messages() {
    for (seed, up, shown) in
        [("cable", 2, 2), ("network", 6, 3), ("radio", 6, 2), ("links", 8, 2), ("relay", 8, 3)]
    {
        let reached = reached("node", seed);
        let enough = reached.links_up >= up && reached.believed >= 2 && reached.whole >= shown;
        assert!(enough, "{seed}: {reached:?}");
    }
    let everything = reached("node", "all");
    assert!(everything.links_up >= 8 && everything.believed >= 6, "{everything:?}");
    assert!(reached("node", "clear").believed >= 6);
    assert!(reached("node", "crash").links_down >= 1 && reached("node", "crash").whole >= 3);
    for attack in ["attack-cable", "attack-network", "attack-radio"] {
        let reached = reached("node", attack);
        assert!(reached.refused >= 20 && reached.links_up >= 2, "{attack}: {reached:?}");
    }
}

#[test]
fn seeds_of_payment_reach_wins_settlements_and_ends() {
    let all = ["paid", "both-ways", "settled", "closed", "closed-alone", "crash", "lossy", "fallen-back"];
    for seed in all {
        println!("{seed}: {:?}", reached("payment", seed));
    }
    for (seed, wins) in
        [("paid", 4), ("both-ways", 4), ("settled", 2), ("closed", 4), ("crash", 1), ("lossy", 1)]
    {
        let reached = reached("payment", seed);
        assert!(reached.wins >= wins, "{seed}: {reached:?}");
    }
    assert!(reached("payment", "settled").settled >= 2, "both say so");
    assert!(reached("payment", "closed").closed >= 2, "both say so");
    assert!(reached("payment", "crash").links_down >= 10);
    let back = reached("payment", "fallen-back");
    assert!(back.resumed >= 1 && back.wins >= 4, "{back:?}");
}

#[test]
fn mutated_seeds_and_noise_break_nothing() {
    for driver in &DRIVERS {
        let mut random = Seed::new([0x3d; 32]).fork(driver.name);
        let seeds = (driver.seeds)();
        for round in 0..SCRIPTS {
            let script = if round % 3 == 0 { noise(&mut random) } else { spliced(&seeds, &mut random) };
            run(driver, &script);
        }
    }
}

#[test]
#[should_panic(expected = "nothing called else can be driven")]
fn what_is_not_registered_cannot_be_driven() {
    drive("else", &[], heap::held);
}

#[test]
#[should_panic(expected = "bytes held")]
fn a_machine_that_holds_more_than_it_declared_is_caught() {
    fn leaks() -> isize {
        // As if every call left a megabyte behind.
        use std::cell::Cell;
        thread_local!(static LEAKED: Cell<isize> = const { Cell::new(0) });
        LEAKED.with(|leaked| {
            leaked.set(leaked.get() + 1_000_000);
            leaked.get()
        })
    }
    let (_, script) = (driver("links").seeds)().remove(0);
    (driver("links").run)(&script, leaks);
}

fn below(random: &mut Stream, bound: usize) -> usize {
    usize::try_from(random.below(u64::try_from(bound).expect("a length"))).expect("below a length")
}

fn noise(random: &mut Stream) -> Vec<u8> {
    let mut script = vec![0; below(random, 600)];
    random.fill(&mut script);
    script
}

/// The beginning of a seed, more of another, and a byte in ten changed.
fn spliced(seeds: &[(&'static str, Vec<u8>)], random: &mut Stream) -> Vec<u8> {
    let (one, other) = (&seeds[below(random, seeds.len())].1, &seeds[below(random, seeds.len())].1);
    let mut script = [&one[..], &other[below(random, other.len())..]].concat();
    for byte in &mut script {
        if random.chance(1, 10) {
            *byte = random.bytes::<1>()[0];
        }
    }
    script
}
