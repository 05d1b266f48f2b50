//! `cargo xtask bench daemon`: what a daemon costs, and how fast it is, on the loopback interface. About a minute and a half.

mod process;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::cargo::{self, cargo};
use crate::fault::Fault;
use crate::session::Session;
use crate::table::{self, Align};
use process::Daemon;

/// Starts of which the median is told.
const STARTS: usize = 10;
/// Idle for so long before its memory is looked at.
const IDLE: Duration = Duration::from_secs(30);
/// Messages sent from one end to the other.
const MESSAGES: usize = 2_000;
/// Of which so many are on their way at a time.
const AT_A_TIME: usize = 16;
/// For so long packets are relayed, in seconds.
const LOAD_S: &str = "8";
/// A figure that takes longer to come about is not to be had.
const PATIENCE: Duration = Duration::from_mins(1);

/// Builds what is measured, measures, and prints one table.
pub(crate) fn run(session: &Session) -> Result<(), Fault> {
    let release = ["--release", "--locked"];
    cargo::run(cargo(session).arg("build").args(release).args(["--package", "nexus-cli"]))?;
    let example = ["--package", "nexus-daemon", "--example", "load"];
    cargo::run(cargo(session).arg("build").args(release).args(example))?;
    let built = session.target().join("release");
    let (program, load) = (built.join("nexus"), built.join("examples/load"));
    let home = session.target().join("bench-daemon");
    // What a run before this left behind.
    let _not_there = fs::remove_dir_all(&home);
    fs::create_dir_all(&home).map_err(|error| Fault::io(&home, &error))?;
    let mut rows = vec![["size, stripped".to_owned(), stripped(&program, &home)?]];
    let parts: [&dyn Fn() -> Result<Vec<[String; 2]>, Fault>; 4] = [
        &|| starts(&program, &home),
        &|| messages(&program, &home),
        &|| relayed(&program, &load, &home),
        &|| idle(&program, &home),
    ];
    for part in parts {
        let measured = part()?;
        // It takes a while: what is known is told at once.
        for [what, figure] in &measured {
            eprintln!("{what}: {figure}");
        }
        rows.extend(measured);
    }
    println!("\n{}", table::render([("daemon", Align::Left), ("measured", Align::Right)], &rows));
    fs::remove_dir_all(&home).map_err(|error| Fault::io(&home, &error))
}

fn stripped(program: &Path, home: &Path) -> Result<String, Fault> {
    let copy = home.join("stripped");
    cargo::run(Command::new("strip").arg("-o").arg(&copy).arg(program))?;
    let bytes = fs::metadata(&copy).map_err(|error| Fault::io(&copy, &error))?.len();
    Ok(format!("{}.{} MB", bytes / 1_000_000, bytes / 100_000 % 10))
}

/// From the start of the process to its first announce, which waits for a link: as a node that never ran, and as one that
/// did.
fn starts(program: &Path, home: &Path) -> Result<Vec<[String; 2]>, Fault> {
    let mut neighbour = Daemon::start(program, &home.join("neighbour"), &[])?;
    let at = neighbour.address()?;
    let (mut first, mut again, mut answering) = (Vec::new(), Vec::new(), Vec::new());
    for number in 0..STARTS {
        let state = home.join(format!("start-{number}"));
        for times in [&mut first, &mut again] {
            let began = Instant::now();
            let mut daemon = Daemon::start(program, &state, &[&at])?;
            answering.push(began.elapsed());
            let deadline = began + PATIENCE;
            while daemon.ask(&json!({ "do": "status" }))?["emission"].is_null() {
                if Instant::now() > deadline {
                    return Err(Fault::new("The daemon did not announce itself within a minute."));
                }
                thread::sleep(Duration::from_millis(1));
            }
            times.push(began.elapsed());
        }
    }
    let row = |what: &str, times: &mut Vec<Duration>| {
        times.sort();
        let median = times[times.len() / 2].as_micros();
        [what.to_owned(), format!("{}.{} ms", median / 1_000, median / 100 % 10)]
    };
    Ok(vec![
        row("start until it answers", &mut answering),
        row("start to first announce, the identity made", &mut first),
        row("start to first announce, known before", &mut again),
    ])
}

fn idle(program: &Path, home: &Path) -> Result<Vec<[String; 2]>, Fault> {
    let daemon = Daemon::start(program, &home.join("idle"), &[])?;
    let before = daemon.cpu()?;
    thread::sleep(IDLE);
    let spent = daemon.cpu()?.saturating_sub(before);
    let memory = daemon.memory()?;
    let of = |what: &str| memory.get(what).copied().unwrap_or(0);
    let told = |kib: u64| format!("{}.{} MB", kib * 1_024 / 1_000_000, kib * 1_024 / 100_000 % 10);
    Ok(vec![
        ["idle for 30 s: resident".to_owned(), told(of("VmRSS"))],
        ["of which heap and stacks".to_owned(), told(of("RssAnon"))],
        ["of which the program and libraries".to_owned(), told(of("RssFile"))],
        ["idle for 30 s: processor time".to_owned(), format!("{} ms", spent.as_millis())],
    ])
}

/// Two ends and a relay between them.
fn messages(program: &Path, home: &Path) -> Result<Vec<[String; 2]>, Fault> {
    let mut relay = Daemon::start(program, &home.join("relay"), &[])?;
    let at = relay.address()?;
    let mut from = Daemon::start(program, &home.join("from"), &[&at])?;
    let mut to = Daemon::start(program, &home.join("to"), &[&at])?;
    let recipient = to.ask(&json!({ "do": "status" }))?["node"].clone();
    let deadline = Instant::now() + PATIENCE;
    while !knows(&mut from, &recipient)? {
        if Instant::now() > deadline {
            return Err(Fault::new("The daemons did not come to know each other within a minute."));
        }
        thread::sleep(Duration::from_millis(20));
    }
    let text = "x".repeat(200);
    let send = json!({ "do": "send", "to": recipient, "text": text, "signed": true, "for_s": 30 });
    let daemons = [&from, &relay, &to];
    let before = daemons.map(Daemon::cpu);
    let began = Instant::now();
    let delivered = from.ask_many(&send, MESSAGES, AT_A_TIME)?;
    let took = began.elapsed();
    if delivered < MESSAGES {
        return Err(Fault::new(format!("Of {MESSAGES} messages {delivered} were delivered.")));
    }
    let mut rows = vec![[
        "messages of 200 bytes with receipts over one relay, 16 at a time".to_owned(),
        per_second(MESSAGES, took),
    ]];
    let names = ["the sender's", "the relay's", "the recipient's"];
    for ((name, daemon), before) in names.into_iter().zip([&from, &relay, &to]).zip(before) {
        let spent = daemon.cpu()?.saturating_sub(before?);
        rows.push([format!("{name} processor time for each"), each(spent, MESSAGES)]);
    }
    Ok(rows)
}

fn knows(daemon: &mut Daemon, recipient: &Value) -> Result<bool, Fault> {
    let paths = daemon.ask(&json!({ "do": "paths" }))?;
    let paths = paths["paths"].as_array().cloned().unwrap_or_default();
    Ok(paths.iter().any(|path| path["destination"] == *recipient))
}

/// What a relay carries for two neighbours that do nothing else.
fn relayed(program: &Path, load: &Path, home: &Path) -> Result<Vec<[String; 2]>, Fault> {
    let mut relay = Daemon::start(program, &home.join("load"), &[])?;
    let at = relay.address()?;
    let before = relay.cpu()?;
    let output = Command::new(load)
        .args([at.as_str(), LOAD_S])
        .stdin(Stdio::null())
        .output()
        .map_err(|error| Fault::io(load, &error))?;
    let spent = relay.cpu()?.saturating_sub(before);
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let figures: Vec<u64> = text
        .lines()
        .filter_map(|line| line.strip_prefix("ended "))
        .flat_map(str::split_whitespace)
        .filter_map(|word| word.parse().ok())
        .collect();
    let [left, came, micros] = figures[..] else {
        let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
        return Err(Fault::new(format!("The load did not come about: {said}.")));
    };
    let packets = usize::try_from(came).unwrap_or(usize::MAX);
    let memory = relay.memory()?;
    let causes: BTreeMap<String, Value> =
        serde_json::from_value(relay.ask(&json!({ "do": "status" }))?["refusals"].clone())
            .unwrap_or_default();
    let unlucky = causes.values().filter_map(Value::as_u64).sum::<u64>();
    Ok(vec![
        ["packets of 484 bytes relayed".to_owned(), per_second(packets, Duration::from_micros(micros))],
        ["processor time for each".to_owned(), each(spent, packets)],
        [
            "lost of a million".to_owned(),
            format!("{}", left.saturating_sub(came).saturating_mul(1_000_000) / left.max(1)),
        ],
        ["frames refused".to_owned(), unlucky.to_string()],
        [
            "resident afterwards".to_owned(),
            format!("{} kB", memory.get("VmRSS").copied().unwrap_or(0).saturating_mul(1_024) / 1_000),
        ],
    ])
}

fn per_second(count: usize, took: Duration) -> String {
    let count = u128::try_from(count).unwrap_or(0);
    format!("{}/s", count * 1_000_000 / took.as_micros().max(1))
}

fn each(spent: Duration, count: usize) -> String {
    let nanos = spent.as_nanos() / u128::try_from(count.max(1)).unwrap_or(1);
    format!("{}.{} µs", nanos / 1_000, nanos / 100 % 10)
}
