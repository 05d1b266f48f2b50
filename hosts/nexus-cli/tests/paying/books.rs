//! From a genesis over a deposit and what a relay carries to what all daemons say that everybody has.

use std::time::Duration;

use nexus_daemon::api::{Balances, Ledger, LedgerEntry, Witness};

use crate::line::{Line, said};
use crate::{LENGTH, succeeds};

/// What the payer has at first, in µNXS,
const FIRST: u64 = 10_000_000;
/// and what it puts into the channel with its relay.
const DEPOSIT: u64 = 2_000_000;
/// What gossip takes to reach everybody: a few rounds of a minute.
const ROUNDS: Duration = Duration::from_mins(2);
/// In the order of the line: whoever pays, two who carry, and the witness, who is nobody's neighbour but the third one's.
const ASKED: [u64; 4] = [0, 20, 30, 0];

#[derive(serde::Deserialize)]
struct Sections {
    balances: Balances,
}

/// A genesis in which `owner` has all there is, signed by `witness`, its only one: the file.
fn genesis(line: &Line, name: &str, owner: usize, witness: usize) -> String {
    let file = line.place(&format!("{name}.genesis"));
    let key = line.shown(witness, "Ed25519 ");
    let account = format!("{}={FIRST}", line.shown(owner, "node id "));
    let made = ["genesis", "new", &file, "--name", name, "--witness", &key, "--account", &account];
    succeeds(&line.run(owner, &made));
    assert_eq!(line.run(owner, &["genesis", "check", &file]).status.code(), Some(1), "a draft");
    succeeds(&line.run(witness, &["genesis", "sign", &file]));
    succeeds(&line.run(owner, &["genesis", "check", &file]));
    file
}

fn keeps_books(file: &str, witness: bool) -> String {
    format!("\n[ledger]\ngenesis = \"{file}\"\nwitness = {witness}\n")
}

fn balances(line: &Line, n: usize) -> Balances {
    let Sections { balances } = line.json(n, &["status", "--json", "balances"]);
    balances
}

/// What a node knows of the only channel there is.
fn entry(line: &Line, n: usize) -> Option<LedgerEntry> {
    let Ledger { mut entries, .. } = line.json(n, &["ledger", "show", "--json"]);
    entries.pop()
}

fn deposited(line: &Line, n: usize) -> u64 {
    entry(line, n).map_or(0, |entry| entry.deposits.iter().sum())
}

fn export(line: &Line, n: usize, name: &str) -> (String, String) {
    let file = line.place(&format!("{name}-{n}.txt"));
    succeeds(&line.run(n, &["ledger", "export", &file]));
    (std::fs::read_to_string(&file).unwrap(), file)
}

/// All nodes write the same books, byte for byte; one of the files.
fn exported(line: &Line, name: &str) -> String {
    let all: Vec<_> = (0..ASKED.len()).map(|n| export(line, n, name)).collect();
    assert!(all.iter().all(|(text, _)| *text == all[0].0), "{all:?}");
    let equal = line.run(0, &["ledger", "diff", &all[0].1, &all[3].1]);
    assert_eq!(said(&succeeds(&equal).stdout), "They are equal.\n");
    all[0].1.clone()
}

/// A line in whose books a deposit of the first in the channel with the second is certified, everywhere.
fn with_a_deposit() -> Line {
    let line = Line::with(&ASKED, &[], |line| {
        let file = genesis(line, "mynet", 0, 3);
        (0..ASKED.len()).map(|n| keeps_books(&file, n == 3)).collect()
    });
    let deposit = DEPOSIT.to_string();
    let opens = ["channel", "open", &line.id(1), "--line", "1000000", "--deposit", &deposit];
    succeeds(&line.run(0, &opens));
    everywhere("the deposit is certified", |n| deposited(&line, n) == DEPOSIT);
    line
}

fn everywhere(what: &str, holds: impl Fn(usize) -> bool) {
    Line::within(ROUNDS, what, || (0..ASKED.len()).all(&holds));
}

/// What a node says that another has.
fn has(line: &Line, n: usize, whom: usize) -> Option<u64> {
    let mut accounts = balances(line, n).accounts.into_iter();
    accounts.find(|account| account.node == line.id(whom)).and_then(|account| account.balance)
}

#[test]
fn a_deposit_is_certified_far_away_spent_on_relays_settled_and_everybody_knows_of_it() {
    let line = with_a_deposit();
    let witness: Witness = line.json(3, &["witness", "--json"]);
    assert_eq!((witness.witness, witness.quorum), (Some(0), 1));
    let signed = &witness.owners[0];
    assert_eq!((&signed.node, &signed.peer, signed.deposit), (&line.id(0), &line.id(1), DEPOSIT));
    assert!(said(&line.run(0, &["witness"]).stdout).contains("this node is no witness"));
    let spendable = || line.channel(0, 1).own_unxs;
    Line::until("the deposit and what was lent can be spent", || spendable() == 1_000_000 + DEPOSIT);
    let before = exported(&line, "before");

    line.send_until_paid(0, 3, 1, LENGTH);
    let paid = line.earned(0, 1).paid_unxs;
    assert!(paid > 0 && paid < DEPOSIT, "{paid}");
    succeeds(&line.run(1, &["channel", "settle", &line.id(0)]));
    Line::until("the list shows what was settled", || {
        said(&line.run(1, &["channel", "list"]).stdout).contains(&format!(" +{paid} "))
    });
    everywhere("all have the same balances", |n| {
        (has(&line, n, 0), has(&line, n, 1)) == (Some(FIRST - paid), Some(paid))
    });
    let states: Vec<String> = (0..ASKED.len()).map(|n| balances(&line, n).state).collect();
    assert!(states.iter().all(|state| *state == states[0]), "{states:?}");
    let after = exported(&line, "after");
    let differ = line.run(2, &["ledger", "diff", &before, &after]);
    let told = said(&differ.stdout);
    assert_eq!(differ.status.code(), Some(1), "{told}");
    assert!(told.contains("the first has to hear of 1, the second of 0"), "{told}");
    line.restart(1);
    Line::until("the relay has what it earned", || has(&line, 1, 1) == Some(paid));
}

#[test]
fn more_is_deposited_while_a_channel_stands_and_what_is_left_is_free_when_it_is_closed() {
    let line = with_a_deposit();
    let relay = line.id(1);
    let refusal = |arguments: &[&str]| {
        let refused = line.run(0, arguments);
        assert!(!refused.status.success(), "{refused:?}");
        said(&refused.stderr)
    };
    let told = refusal(&["channel", "deposit", &relay, &DEPOSIT.to_string()]);
    assert!(told.contains("no more than is certified"), "{told}");
    let told = refusal(&["channel", "deposit", &relay, &(FIRST + 1).to_string()]);
    assert!(told.contains("has not so much that is free"), "{told}");
    let third = line.id(2);
    let told = refusal(&["channel", "open", &third, "--deposit", "1000"]);
    assert!(told.contains("there is no link"), "{told}");
    let total = DEPOSIT + 500_000;
    succeeds(&line.run(0, &["channel", "deposit", &relay, &total.to_string()]));
    everywhere("more is certified", |n| deposited(&line, n) == total);
    Line::until("it can be spent, as the payer sees it", || line.channel(0, 1).own_unxs == 1_000_000 + total);
    Line::until("and as the relay does", || line.channel(1, 0).theirs_unxs == 1_000_000 + total);
    succeeds(&line.run(0, &["channel", "close", &relay]));
    let closed = |n| entry(&line, n).is_some_and(|entry| entry.close == Some([0, 0]));
    everywhere("the channel is closed in the books", closed);
    exported(&line, "closed");
    // All of it may be deposited again.
    let all = FIRST.to_string();
    succeeds(&line.run(0, &["channel", "open", &relay, "--deposit", &all]));
}

#[test]
fn neighbours_of_another_genesis_take_nothing_of_each_other_and_say_so() {
    let line = Line::with(&[0, 0], &[], |line| {
        let files = [genesis(line, "one", 0, 0), genesis(line, "other", 1, 1)];
        files.iter().map(|file| keeps_books(file, true)).collect()
    });
    let deposit = DEPOSIT.to_string();
    succeeds(&line.run(0, &["channel", "open", &line.id(1), "--deposit", &deposit]));
    Line::within(ROUNDS, "its own witness certifies it", || deposited(&line, 0) == DEPOSIT);
    let told = "a neighbour keeps the books of another genesis: nothing of them is taken";
    Line::within(ROUNDS, "the other says so", || line.log(1).contains(told));
    assert_eq!(balances(&line, 1).channels, 0);
    assert_eq!((balances(&line, 1).accounts.len(), balances(&line, 1).forged), (1, 0));
}
