//! What virtual modems cost in real time: `cargo run --release -p nexus-air --example house_cost -- 2 5 20`
//!
//! For each number of radios it opens a house and prints the CPU of its thread, first while the radios are on and silent, then while
//! each always has a packet to send. What hosts cost is not in it. Linux only: the kernel's own account of the thread is read.
#![allow(clippy::print_stdout, reason = "an example that prints what it measured")]

use std::error::Error;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use nexus_air::live::{Address, House, Plan};
use nexus_air::{Hearing, RadioId};
use nexus_machine::Seed;
use nexus_wire::reticulum::rnode::{Hertz, RadioState, Setting, ToDevice};

/// How long each state is watched.
const WATCHED: Duration = Duration::from_secs(20);
/// How many packets a busy host has with its modem.
const OUTSTANDING: usize = 2;
const PACKET: [u8; 100] = [0x5a; 100];
/// How a modem says that a packet has left.
const READY: [u8; 3] = [0xc0, 0x0f, 0x01];

const SETTINGS: [Setting; 6] = [
    Setting::Frequency(Hertz(867_200_000)),
    Setting::Bandwidth(Hertz(125_000)),
    Setting::TxPower(14),
    Setting::SpreadingFactor(7),
    Setting::CodingRate(5),
    Setting::RadioState(RadioState::ON),
];

fn main() -> Result<(), Box<dyn Error>> {
    for radios in std::env::args().skip(1) {
        measure(radios.parse()?)?;
    }
    Ok(())
}

fn measure(radios: u16) -> Result<(), Box<dyn Error>> {
    let directory = std::env::temp_dir().join(format!("nexus-house-cost-{}", std::process::id()));
    fs::create_dir_all(&directory)?;
    let hearing = Hearing::everybody(radios);
    let ids: Vec<RadioId> = hearing.ids().collect();
    let house = House::open(Plan::terminals(hearing, Seed::new([0; 32])), &directory)?;
    let talking = Arc::new(AtomicBool::new(false));
    let mut ports = Vec::new();
    let mut readers = Vec::new();
    for radio in &ids {
        let Address::Terminal(path) = house.address(*radio) else { continue };
        let mut port = open(path)?;
        for setting in SETTINGS {
            say(&mut port, &ToDevice::Set(setting))?;
        }
        readers.push(listen(port.try_clone()?, Arc::clone(&talking)));
        ports.push(port);
    }
    let sent = || ids.iter().map(|radio| house.meter(*radio).sent).sum::<u64>();
    std::thread::sleep(Duration::from_secs(2));
    tell(radios, "silent", &watch(&sent)?);
    talking.store(true, Ordering::Relaxed);
    for port in &mut ports {
        for _ in 0..OUTSTANDING {
            say(port, &ToDevice::Data(&PACKET))?;
        }
    }
    tell(radios, "busy", &watch(&sent)?);
    talking.store(false, Ordering::Relaxed);
    drop((house, ports));
    for reader in readers {
        // Its terminal has hung up, which is how it learns of the end.
        let _hung_up: Result<io::Result<()>, _> = reader.join();
    }
    fs::remove_dir_all(&directory)?;
    Ok(())
}

/// What a span of time cost.
struct Cost {
    cpu: Duration,
    lasted: Duration,
    packets: u64,
}

fn watch(sent: &impl Fn() -> u64) -> io::Result<Cost> {
    let (packets, cpu, began) = (sent(), spent()?, Instant::now());
    std::thread::sleep(WATCHED);
    let (cpu, lasted) = (spent()?.saturating_sub(cpu), began.elapsed());
    Ok(Cost { cpu, lasted, packets: sent() - packets })
}

fn tell(radios: u16, state: &str, cost: &Cost) {
    let Cost { cpu, lasted, packets } = cost;
    let percent = 100.0 * cpu.as_secs_f64() / lasted.as_secs_f64();
    let each = cpu.as_micros() / u128::from(radios) * 1_000 / lasted.as_millis();
    print!("{radios} radios, {state}: {percent:.2} % of a core, {each} us of CPU for each radio and second");
    match cpu.as_micros().checked_div(u128::from(*packets)) {
        Some(us) => println!(", {packets} packets sent: {us} us each"),
        None => println!(),
    }
}

/// The CPU time of the house's thread so far.
fn spent() -> io::Result<Duration> {
    for task in fs::read_dir("/proc/self/task")? {
        let path = task?.path();
        if fs::read_to_string(path.join("comm"))?.trim() == "nexus-air" {
            let account = fs::read_to_string(path.join("schedstat"))?;
            let on_cpu = account.split_whitespace().next().and_then(|ns| ns.parse().ok());
            return on_cpu
                .map(Duration::from_nanos)
                .ok_or_else(|| io::Error::other("no account of the thread"));
        }
    }
    Err(io::Error::other("the house has no thread"))
}

fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).write(true).open(path)
}

fn say(port: &mut File, message: &ToDevice<'_>) -> io::Result<()> {
    let mut buffer = [0; 256];
    let bytes = message.encode(&mut buffer).map_err(io::Error::other)?;
    port.write_all(bytes)
}

/// Takes what a modem says, and while there is talking gives it a packet for each that left.
fn listen(mut port: File, talking: Arc<AtomicBool>) -> JoinHandle<io::Result<()>> {
    std::thread::spawn(move || {
        let mut buffer = [0; 4_096];
        loop {
            let length = port.read(&mut buffer)?;
            if length == 0 {
                return Ok(());
            }
            let left = buffer[..length].windows(READY.len()).filter(|window| *window == READY).count();
            if talking.load(Ordering::Relaxed) {
                for _ in 0..left {
                    say(&mut port, &ToDevice::Data(&PACKET))?;
                }
            }
        }
    })
}
