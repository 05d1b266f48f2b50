//! What the ledger costs: `cargo run --release -p nexus-economy --example ledger-figures`.
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
    reason = "figures are printed, and never judged"
)]

use std::collections::VecDeque;

use nexus_crypto::{NodeId, NodePublic, SigningKey};
use nexus_economy::Amount;
use nexus_economy::ledger::intake::{self, Neighbour};
use nexus_economy::ledger::organ::{ENTRIES, Effect, Input, Ledger, Limits};
use nexus_economy::ledger::{ChannelKey, Entry, Rules, Sums};
use nexus_machine::{Cx, Instant, Key, Machine as _, Seed, Snapshot, Write};
use nexus_wire::nexus::Layout as _;
use nexus_wire::nexus::channel::{ChannelId, SettlementBody, SettlementRecord};
use nexus_wire::nexus::gossip::StoreId;
use nexus_wire::nexus::ledger::GenesisId;

const CHANNELS: u8 = 64;
const SETTLEMENTS: u64 = 20_000;
const ENTRIES_AT_START: u32 = 1_000_000;

/// How long this thread has run, in seconds: other work on the machine does not count.
fn ran() -> f64 {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    text.split(' ').next().unwrap().parse::<f64>().unwrap() / 1e9
}

fn key(n: u8) -> SigningKey {
    SigningKey::from_seed(&[n; 32])
}

fn node(n: u8) -> NodeId {
    NodePublic::of_verifying(key(n).public()).unwrap().node_id()
}

fn rules() -> Rules {
    Rules {
        id: GenesisId([1; 32]),
        quorum: 1,
        witnesses: vec![key(250).public()],
        minimum_deposit: Amount::from_micros(1),
        opens_per_day: 1,
        accounts: vec![(node(1), Amount::from_micros(1 << 40))],
    }
}

fn channel(n: u8) -> ChannelKey {
    ChannelKey::between(node(1), node(2), [n; 16]).unwrap()
}

fn settlement(n: u8, paid: u64) -> Vec<u8> {
    let key_of = channel(n);
    let first = key_of.a() == node(1);
    let (paid_a, paid_b) = if first { (paid, 0) } else { (0, paid) };
    let body = SettlementBody {
        channel: ChannelId([n; 16]),
        party_a: key_of.a(),
        party_b: key_of.b(),
        paid_a,
        paid_b,
        final_sequence: paid,
    };
    let [a, b] = if first { [1, 2] } else { [2, 1] };
    let sign = |by: u8| body.signed(|message| key(by).sign(message));
    let record = SettlementRecord { body, sig_a: sign(a), sig_b: sign(b) };
    let mut bytes = vec![0; SettlementRecord::LEN];
    record.encode(&mut bytes).unwrap();
    bytes
}

/// With deposits in all channels.
fn disk() -> Snapshot {
    let mut disk = Snapshot::empty();
    for n in 0..CHANNELS {
        let entry = Entry::deposited(Sums { a: 1 << 30, b: 1 << 30 });
        disk.apply(Write::set(ENTRIES, &channel(n).to_bytes(), entry.to_store().to_vec()));
    }
    disk
}

fn validate(name: &str, turn: usize, items: &[Vec<u8>]) {
    let limits = Limits { intake: intake::Limits { turn, ..intake::Limits::default() }, ..Limits::default() };
    let own = NodePublic::of_verifying(key(9).public()).unwrap();
    let mut ledger = Ledger::new(&own, rules(), None, &disk(), &Seed::new([3; 32]), limits).unwrap();
    let from = Neighbour(Key { slot: 1, generation: 1 });
    let (mut now, mut out) = (Instant::BOOT, VecDeque::<Effect>::new());
    let mut run = |ledger: &mut Ledger, out: &mut VecDeque<Effect>| {
        loop {
            while let Some(effect) = out.pop_front() {
                match effect {
                    Effect::Write { number, .. } => ledger.handle(Cx::at(now), Input::Durable(number), out),
                    Effect::Read { number, key: id, .. } => {
                        let n = if id == node(1).0 { 1 } else { 2 };
                        let value = Some(key(n).public().0.to_vec());
                        ledger.handle(Cx::at(now), Input::Read { number, value }, out);
                    }
                    _ => {}
                }
            }
            let Some(due) = ledger.next_timeout().filter(|due| *due <= now) else {
                if ledger.waiting().0 == 0 {
                    return;
                }
                now = now.after(nexus_machine::Duration::from_millis(1));
                continue;
            };
            now = now.max(due);
            ledger.handle_timeout(Cx::at(now), out);
        }
    };
    ledger.handle(Cx::at(Instant::BOOT), Input::Linked(from), &mut out);
    run(&mut ledger, &mut out);
    let begun = ran();
    for some in items.chunks(64) {
        ledger.handle(
            Cx::at(Instant::BOOT),
            Input::Apply { from, store: StoreId::SETTLEMENTS, items: some.to_vec() },
            &mut out,
        );
        run(&mut ledger, &mut out);
    }
    let took = ran() - begun;
    let believed = ledger.counts().believed;
    println!(
        "{name}: {believed} settlements in {took:.2} s of a core, {:.0} a second",
        believed as f64 / took
    );
}

fn resident() -> u64 {
    let text = std::fs::read_to_string("/proc/self/statm").unwrap();
    text.split(' ').nth(1).unwrap().parse::<u64>().unwrap() * 4_096
}

fn start() {
    let mut random = Seed::new([5; 32]).fork("entries");
    let mut disk = Snapshot::empty();
    for _ in 0..ENTRIES_AT_START {
        let key =
            ChannelKey::between(NodeId(random.bytes()), NodeId(random.bytes()), random.bytes()).unwrap();
        let mut entry = Entry::deposited(Sums { a: 1_000, b: 0 });
        nexus_economy::ledger::Join::join(&mut entry, &Entry::paid_at_least(Sums { a: 10, b: 0 }));
        disk.apply(Write::set(ENTRIES, &key.to_bytes(), entry.to_store().to_vec()));
    }
    let own = NodePublic::of_verifying(key(9).public()).unwrap();
    let before = resident();
    let begun = ran();
    let ledger = Ledger::new(&own, rules(), None, &disk, &Seed::new([3; 32]), Limits::default()).unwrap();
    let took = ran() - begun;
    let grown = resident() - before;
    println!(
        "start with {} channels, each of two of its own: {took:.2} s of a core, {:.0} bytes of memory a channel",
        ledger.books().len(),
        grown as f64 / f64::from(ENTRIES_AT_START)
    );
}

fn main() {
    let items: Vec<Vec<u8>> = (0..SETTLEMENTS)
        .map(|number| settlement((number % u64::from(CHANNELS)) as u8, 1 + number / u64::from(CHANNELS)))
        .collect();
    validate("in turns of 64 (one batch each)", 64, &items);
    validate("one by one", 1, &items);
    start();
}
