//! What books cost on a real disk: `cargo run --release -p nexus-daemon --example books_on_disk`.
#![allow(
    clippy::disallowed_types,
    clippy::disallowed_methods,
    clippy::disallowed_macros,
    clippy::arithmetic_side_effects,
    clippy::as_conversions,
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "figures are printed, and never judged"
)]

use std::collections::VecDeque;
use std::time::Instant as Clock;

use nexus_crypto::{NodeId, NodePublic, SigningKey};
use nexus_daemon::store::Store;
use nexus_economy::Amount;
use nexus_economy::ledger::intake::Neighbour;
use nexus_economy::ledger::organ::{ENTRIES, Effect, Input, Ledger, Limits};
use nexus_economy::ledger::{ChannelKey, Entry, Join as _, Rules, Sums};
use nexus_machine::{Cx, Duration, Instant, Key, Machine as _, Seed, Snapshot, Write};
use nexus_wire::nexus::Layout as _;
use nexus_wire::nexus::channel::{ChannelId, SettlementBody, SettlementRecord};
use nexus_wire::nexus::gossip::StoreId;
use nexus_wire::nexus::ledger::GenesisId;

const CHANNELS: u64 = 4_000;
const SETTLEMENTS: u64 = 20_000;
const ENTRIES_AT_START: u32 = 1_000_000;

/// How long this thread has run, in seconds: other work on the machine does not count, and waiting for the disk does not.
fn ran() -> f64 {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    text.split(' ').next().unwrap().parse::<f64>().unwrap() / 1e9
}

fn node(n: u8) -> NodeId {
    NodePublic::of_verifying(SigningKey::from_seed(&[n; 32]).public()).unwrap().node_id()
}

fn rules() -> Rules {
    Rules {
        id: GenesisId([1; 32]),
        quorum: 1,
        witnesses: vec![SigningKey::from_seed(&[250; 32]).public()],
        minimum_deposit: Amount::from_micros(1),
        opens_per_day: 1,
        accounts: vec![(node(1), Amount::from_micros(1 << 40))],
    }
}

fn channel(n: u64) -> ChannelKey {
    let mut id = [0; 16];
    id[..8].copy_from_slice(&n.to_le_bytes());
    ChannelKey::between(node(1), node(2), id).unwrap()
}

fn settlement(n: u64, paid: u64) -> Vec<u8> {
    let key = channel(n);
    let first = key.a() == node(1);
    let (paid_a, paid_b) = if first { (paid, 0) } else { (0, paid) };
    let (channel, party_a, party_b) = (ChannelId(*key.id()), key.a(), key.b());
    let body = SettlementBody { channel, party_a, party_b, paid_a, paid_b, final_sequence: paid };
    let [a, b] = if first { [1, 2] } else { [2, 1] };
    let sign = |by: u8| body.signed(|message| SigningKey::from_seed(&[by; 32]).sign(message));
    let record = SettlementRecord { body, sig_a: sign(a), sig_b: sign(b) };
    let mut bytes = vec![0; SettlementRecord::LEN];
    record.encode(&mut bytes).unwrap();
    bytes
}

fn ledger(disk: &Snapshot) -> Ledger {
    let own = NodePublic::of_verifying(SigningKey::from_seed(&[9; 32]).public()).unwrap();
    Ledger::new(&own, rules(), None, disk, &Seed::new([3; 32]), Limits::default()).unwrap()
}

/// Settlements as a neighbour sends them; each write is a transaction that is synced before what follows from it.
fn apply(store: &Store, disk: &Snapshot) {
    let mut ledger = ledger(disk);
    let from = Neighbour(Key { slot: 1, generation: 1 });
    let (mut now, mut out, mut written) = (Instant::BOOT, VecDeque::<Effect>::new(), 0_u32);
    let items: Vec<Vec<u8>> =
        (0..SETTLEMENTS).map(|number| settlement(number % CHANNELS, 1 + number / CHANNELS)).collect();
    let mut run = |ledger: &mut Ledger, out: &mut VecDeque<Effect>| {
        loop {
            while let Some(effect) = out.pop_front() {
                match effect {
                    Effect::Write { number, writes } => {
                        store.apply(&writes).unwrap();
                        written += 1;
                        ledger.handle(Cx::at(now), Input::Durable(number), out);
                    }
                    Effect::Read { number, table, key: id } => {
                        let found = store.reader().value(table, &id).unwrap();
                        let made = [1, 2].into_iter().find(|n| id == node(*n).0);
                        let key = made.map(|n| SigningKey::from_seed(&[n; 32]).public().0.to_vec());
                        ledger.handle(Cx::at(now), Input::Read { number, value: found.or(key) }, out);
                    }
                    _ => {}
                }
            }
            let Some(due) = ledger.next_timeout().filter(|due| *due <= now) else {
                if ledger.waiting().0 == 0 {
                    return;
                }
                now = now.after(Duration::from_millis(1));
                continue;
            };
            now = now.max(due);
            ledger.handle_timeout(Cx::at(now), out);
        }
    };
    ledger.handle(Cx::at(Instant::BOOT), Input::Linked(from), &mut out);
    run(&mut ledger, &mut out);
    let (begun, ran_before) = (Clock::now(), ran());
    for some in items.chunks(64) {
        let items = some.to_vec();
        ledger.handle(
            Cx::at(Instant::BOOT),
            Input::Apply { from, store: StoreId::SETTLEMENTS, items },
            &mut out,
        );
        run(&mut ledger, &mut out);
    }
    let took = begun.elapsed().as_secs_f64();
    let believed = ledger.counts().believed;
    println!(
        "durable: {believed} settlements in {CHANNELS} channels, in {written} transactions: {took:.2} s, {:.0} a second; {:.2} s of a core",
        believed as f64 / took,
        ran() - ran_before
    );
}

/// As many channels as a large network has, and how long a node takes to begin with them.
fn begin(directory: &std::path::Path) {
    let mut random = Seed::new([5; 32]).fork("entries");
    let (store, _) = Store::open(directory).unwrap();
    let mut writes = Vec::new();
    for _ in 0..ENTRIES_AT_START {
        let key =
            ChannelKey::between(NodeId(random.bytes()), NodeId(random.bytes()), random.bytes()).unwrap();
        let mut entry = Entry::deposited(Sums { a: 1_000, b: 0 });
        entry.join(&Entry::paid_at_least(Sums { a: 10, b: 0 }));
        writes.push(Write::set(ENTRIES, &key.to_bytes(), entry.to_store().to_vec()));
        if writes.len() == 50_000 {
            store.apply(&writes).unwrap();
            writes.clear();
        }
    }
    store.apply(&writes).unwrap();
    drop(store);
    let (begun, ran_before) = (Clock::now(), ran());
    let (_store, disk) = Store::open(directory).unwrap();
    let read = begun.elapsed().as_secs_f64();
    let ledger = ledger(&disk);
    println!(
        "start with {} channels: {read:.2} s to read the store, {:.2} s in all, {:.2} s of a core",
        ledger.books().len(),
        begun.elapsed().as_secs_f64(),
        ran() - ran_before
    );
}

fn main() {
    let place = std::env::args().nth(1).map_or_else(std::env::temp_dir, Into::into);
    let directory = place.join(format!("books-on-disk-{}", std::process::id()));
    let (store, mut disk) = Store::open(&directory.join("some")).unwrap();
    for n in 0..CHANNELS {
        let entry = Entry::deposited(Sums { a: 1 << 30, b: 1 << 30 });
        disk.apply(Write::set(ENTRIES, &channel(n).to_bytes(), entry.to_store().to_vec()));
    }
    apply(&store, &disk);
    begin(&directory.join("many"));
    std::fs::remove_dir_all(&directory).unwrap();
}
