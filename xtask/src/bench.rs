//! `cargo xtask bench`: every crate's benchmarks, then one table with the contenders side by side.

mod daemon;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::time::SystemTime;

use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::cargo::{self, cargo};
use crate::fault::Fault;
use crate::session::Session;
use crate::table::{self, Align};

/// `benchmark.json`, as criterion writes it beside the estimates.
#[derive(Debug, Deserialize)]
struct Benchmark {
    /// `<group>/<size>/<contender>`, or any other name.
    full_id: String,
    throughput: Option<Throughput>,
}

/// What one iteration gets through.
#[derive(Clone, Copy, Debug, Deserialize)]
enum Throughput {
    Bytes(u64),
    BytesDecimal(u64),
    Elements(u64),
}

/// `estimates.json`, as far as we ask.
#[derive(Debug, Deserialize)]
struct Estimates {
    median: Estimate,
}

#[derive(Debug, Deserialize)]
struct Estimate {
    /// Nanoseconds per iteration.
    point_estimate: f64,
}

/// One benchmark's result.
#[derive(Debug)]
struct Measured {
    id: String,
    median_ns: f64,
    throughput: Option<Throughput>,
}

/// How long each benchmark is warmed up and measured, in seconds: there are over a hundred, and medians settle quickly.
const MEASURE: [&str; 5] = ["--warm-up-time", "0.5", "--measurement-time", "2", "--noplot"];

/// Runs the benches of every crate that has some, then prints what this run measured. `daemon` is for a table of its own.
pub(crate) fn run(session: &Session, filter: Option<&str>) -> Result<(), Fault> {
    if filter == Some("daemon") {
        return daemon::run(session);
    }
    let results = session.target().join("criterion");
    let started = SystemTime::now();
    for package in &session.workspace().packages {
        for bench in package.targets_of_kind("bench") {
            let mut command = cargo(session);
            command.env("CRITERION_HOME", &results);
            command.args(["bench", "--locked", "--package", &package.name, "--bench", bench]);
            command.arg("--").args(MEASURE).args(filter);
            cargo::run(&mut command)?;
        }
    }
    let mut measured = Vec::new();
    if results.exists() {
        collect(&results, started, &mut measured)?;
    }
    if measured.is_empty() {
        return Err(Fault::new("no benchmark was run: no crate has one, or the filter fits none."));
    }
    println!("\n{}", render(measured));
    Ok(())
}

/// Finds what was measured after `since` below a folder of criterion's.
fn collect(folder: &Path, since: SystemTime, measured: &mut Vec<Measured>) -> Result<(), Fault> {
    let here = |error: std::io::Error| Fault::io(folder, &error);
    let estimates = folder.join("estimates.json");
    if folder.ends_with("new") && estimates.exists() {
        let written = fs::metadata(&estimates).and_then(|metadata| metadata.modified()).map_err(here)?;
        if written >= since {
            let benchmark: Benchmark = read(&folder.join("benchmark.json"))?;
            let estimates: Estimates = read(&estimates)?;
            measured.push(Measured {
                id: benchmark.full_id,
                median_ns: estimates.median.point_estimate,
                throughput: benchmark.throughput,
            });
        }
        return Ok(());
    }
    for entry in fs::read_dir(folder).map_err(here)? {
        let path = entry.map_err(here)?.path();
        if path.is_dir() {
            collect(&path, since, measured)?;
        }
    }
    Ok(())
}

fn read<T: DeserializeOwned>(path: &Path) -> Result<T, Fault> {
    let text = fs::read_to_string(path).map_err(|error| Fault::io(path, &error))?;
    serde_json::from_str(&text).map_err(|error| Fault::json(&path.display().to_string(), &error))
}

/// Those that differ only in the last part of a three-part name stand together, the fastest first.
fn render(measured: Vec<Measured>) -> String {
    let mut contests: BTreeMap<String, Vec<Measured>> = BTreeMap::new();
    for one in measured {
        contests.entry(contest(&one.id).0.to_owned()).or_default().push(one);
    }
    let mut rows = Vec::new();
    for mut contenders in contests.into_values() {
        contenders.sort_by(|a, b| a.median_ns.total_cmp(&b.median_ns));
        let fastest = contenders[0].median_ns;
        let several = contenders.len() > 1;
        for one in contenders {
            let (name, contender) = contest(&one.id);
            rows.push([
                name.to_owned(),
                contender.to_owned(),
                format!("{:.1}", one.median_ns),
                one.throughput.map_or(String::new(), |throughput| rate(throughput, one.median_ns)),
                if several { format!("{:.2}x", one.median_ns / fastest) } else { String::new() },
            ]);
        }
    }
    let heading = [
        ("benchmark", Align::Left),
        ("contender", Align::Left),
        ("median ns", Align::Right),
        ("throughput", Align::Right),
        ("to fastest", Align::Right),
    ];
    table::render(heading, &rows)
}

/// `<group>/<size>` and `<contender>`; a name of fewer parts competes with nobody.
fn contest(id: &str) -> (&str, &str) {
    match id.rsplit_once('/') {
        Some((name, contender)) if name.contains('/') => (name, contender),
        _ => (id, ""),
    }
}

#[expect(clippy::cast_precision_loss, reason = "a figure for a reader, of three digits")]
fn rate(throughput: Throughput, median_ns: f64) -> String {
    match throughput {
        Throughput::Bytes(bytes) | Throughput::BytesDecimal(bytes) => {
            format!("{:.1} MB/s", bytes as f64 * 1e3 / median_ns)
        }
        Throughput::Elements(elements) => format!("{:.0}/s", elements as f64 * 1e9 / median_ns),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn measured(id: &str, median_ns: f64, throughput: Option<Throughput>) -> Measured {
        Measured { id: id.to_owned(), median_ns, throughput }
    }

    #[test]
    fn contenders_stand_side_by_side_with_their_ratios() {
        let text = render(vec![
            measured("seal/484/soft", 3_800.0, Some(Throughput::Bytes(484))),
            measured("lookup", 20.0, None),
            measured("seal/484/ring", 950.0, Some(Throughput::Bytes(484))),
        ]);
        let lines: Vec<_> = text.lines().skip(2).collect();
        assert_eq!(lines[0].trim_end(), "lookup                     20.0");
        assert_eq!(lines[1], "seal/484   ring           950.0  509.5 MB/s       1.00x");
        assert_eq!(lines[2], "seal/484   soft          3800.0  127.4 MB/s       4.00x");
    }

    #[test]
    fn what_criterion_writes_is_read_and_what_an_earlier_run_wrote_is_not() {
        let home = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/criterion");
        let mut all = Vec::new();
        collect(&home, SystemTime::UNIX_EPOCH, &mut all).expect("the fixture is readable");
        assert_eq!(all.len(), 1);
        assert_eq!((all[0].id.as_str(), all[0].median_ns), ("seal/484/ring", 731.5));
        assert_eq!(rate(all[0].throughput.expect("it has one"), 484.0), "1000.0 MB/s");
        let mut none = Vec::new();
        let tomorrow = SystemTime::now() + std::time::Duration::from_hours(24);
        collect(&home, tomorrow, &mut none).expect("the fixture is readable");
        assert!(none.is_empty());
    }
}
