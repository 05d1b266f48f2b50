//! How many updates a second two neighbours make in their channel, each with its store on a disk that syncs, and what an update writes.
//!
//! ```text
//! cargo run --release -p nexus-daemon --example channel_updates -- 2000
//! ```
//!
//! Both always have a win ready. The stores lie in a folder for temporary files: `TMPDIR` says on which disk.
#![allow(
    clippy::disallowed_types,
    clippy::disallowed_methods,
    clippy::cast_precision_loss,
    reason = "what is measured is shown"
)]

use std::collections::VecDeque;
use std::error::Error;
use std::time::Instant as Clock;

use nexus_crypto::{IdentitySeed, NodeId, NodeIdentity};
use nexus_daemon::store::Store;
use nexus_machine::{Cx, Instant, Machine as _, Seed, Snapshot};
use nexus_node::economy::Amount;
use nexus_node::economy::channels::account::{Ticket, Win, Word};
use nexus_node::economy::channels::letters::Saying;
use nexus_node::economy::channels::{Channels, Effect, Input, Limits, Verdict};

const LINE: Amount = Amount::from_micros(1_000_000_000);
const REWARD: Amount = Amount::from_micros(100);

struct Side {
    id: NodeId,
    organ: Channels,
    store: Store,
    heard: VecDeque<Saying>,
    accepted: u64,
    writes: u64,
    bytes: u64,
}

fn identity(n: u8) -> NodeIdentity {
    NodeIdentity::from_seed(IdentitySeed::from_bytes([n; 32]))
}

fn win() -> Win {
    // As most are: one window, proven.
    Win { reward: REWARD, ticket: Ticket { from: 1, w: 1, proof: Some(Box::new([7; 80])) } }
}

/// Tells one side, makes durable what it wants durable, and lets the other hear what it says.
fn tell(sides: &mut [Side; 2], own: usize, input: Input) -> Result<(), Box<dyn Error>> {
    let mut inputs = VecDeque::from([input]);
    while let Some(input) = inputs.pop_front() {
        let mut effects: VecDeque<Effect> = VecDeque::new();
        sides[own].organ.handle(Cx::at(Instant::BOOT), input, &mut effects);
        for effect in effects {
            match effect {
                Effect::Write { number, writes, voids: _ } => {
                    let side = &mut sides[own];
                    side.writes += 1;
                    let length = |write: &nexus_machine::Write| {
                        write.key.len() + write.value.as_ref().map_or(0, Vec::len)
                    };
                    side.bytes += writes.iter().map(length).sum::<usize>() as u64;
                    side.store.apply(&writes)?;
                    inputs.push_back(Input::Durable(number));
                }
                Effect::Send(_, saying) => sides[1 - own].heard.push_back(saying),
                Effect::Judge(peer, _) => {
                    let verdict = Verdict::Pay { reward: REWARD, alongside: Vec::new() };
                    inputs.push_back(Input::Judged(peer, verdict));
                }
                Effect::Word(peer, _, Word::Accepted(_)) => {
                    sides[own].accepted += 1;
                    inputs.push_back(Input::Propose { peer, win: win(), alongside: Vec::new() });
                }
                Effect::Opened { .. } | Effect::NotOpened(..) | Effect::Busy(..) | Effect::Word(..) => {}
            }
        }
    }
    Ok(())
}

/// Until nothing is on its way, or enough was accepted.
fn run(sides: &mut [Side; 2], updates: u64) -> Result<(), Box<dyn Error>> {
    while sides.iter().map(|side| side.accepted).sum::<u64>() < updates {
        let Some(own) = (0..2).find(|own| !sides[*own].heard.is_empty()) else { break };
        let (peer, Some(saying)) = (sides[1 - own].id, sides[own].heard.pop_front()) else { break };
        tell(sides, own, Input::Said(peer, saying))?;
    }
    Ok(())
}

/// What the process wrote to disks, in bytes, as the system counts it.
fn written_bytes() -> u64 {
    let counted = std::fs::read_to_string("/proc/self/io").unwrap_or_default();
    let line = counted.lines().find_map(|line| line.strip_prefix("write_bytes: "));
    line.and_then(|bytes| bytes.parse().ok()).unwrap_or(0)
}

fn main() -> Result<(), Box<dyn Error>> {
    let updates: u64 = std::env::args().nth(1).and_then(|count| count.parse().ok()).unwrap_or(2_000);
    let folder = tempfile::tempdir()?;
    let limits = Limits { neighbours: 4, logged: None, granted: Some(LINE) };
    let side = |n: u8| -> Result<Side, Box<dyn Error>> {
        let (store, _) = Store::open(&folder.path().join(n.to_string()))?;
        let id = identity(n).node_id();
        let organ = Channels::new(&Snapshot::empty(), &Seed::new([n; 32]), identity(n), id, limits);
        Ok(Side { id, organ, store, heard: VecDeque::new(), accepted: 0, writes: 0, bytes: 0 })
    };
    let mut sides = [side(1)?, side(2)?];
    for own in 0..2 {
        let other = identity(if own == 0 { 2 } else { 1 });
        tell(&mut sides, own, Input::LinkUp(other.node_id(), other.public().verifying()))?;
    }
    let peer = sides[1].id;
    tell(&mut sides, 0, Input::Open { peer, line: LINE, deposit: Amount::ZERO })?;
    run(&mut sides, u64::MAX)?;
    let before = sides.each_ref().map(|side| (side.writes, side.bytes));
    let (on_disk, began) = (written_bytes(), Clock::now());
    for own in 0..2 {
        let peer = sides[1 - own].id;
        tell(&mut sides, own, Input::Propose { peer, win: win(), alongside: Vec::new() })?;
    }
    run(&mut sides, updates)?;
    let (seconds, on_disk) = (began.elapsed().as_secs_f64(), written_bytes() - on_disk);
    let done: u64 = sides.iter().map(|side| side.accepted).sum();
    if done < updates {
        return Err(format!("stuck after {done} updates").into());
    }
    let each = |count: u64| count as f64 / done as f64;
    println!(
        "{done} updates in {seconds:.2} s: {:.0} a second, both stores on one disk",
        done as f64 / seconds
    );
    for (side, (writes, bytes)) in sides.iter().zip(before) {
        println!(
            "{}: {} accepted; an update takes {:.2} synced writes of {:.0} bytes in all",
            side.id,
            side.accepted,
            each(side.writes - writes),
            each(side.bytes - bytes)
        );
    }
    println!("{:.0} bytes an update were written to the disk, by both together", each(on_disk));
    Ok(())
}
