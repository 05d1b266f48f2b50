//! A daemon comes back from an old backup while its neighbour remembers.

use std::collections::BTreeMap;

use super::line::{Line, said};
use super::{LENGTH, succeeds};

const PAYER: usize = 0;
const RELAY: usize = 1;
const RECIPIENT: usize = 2;
/// What a party that forgot skips of its numbers, at least. Source: spec/economy.md#resuming.
const LEAST_SKIP: u64 = 1 << 32;

/// The states in an exported log, by their number.
fn states(line: &Line, n: usize, with: usize, name: &str) -> BTreeMap<u64, String> {
    let file = line.place(name);
    succeeds(&line.run(n, &["channel", "export", &line.id(with), &file]));
    let verified = succeeds(&line.run(n, &["channel", "verify", &file])).clone();
    assert!(said(&verified.stdout).contains("all signed by both"), "{verified:?}");
    let log = std::fs::read_to_string(&file).unwrap();
    let number = |digits: &str| {
        // Behind three ids of 16 bytes and two balances of 8, little-endian.
        let at = 2 * (3 * 16 + 2 * 8);
        u64::from_str_radix(&digits[at..at + 16], 16).unwrap().swap_bytes()
    };
    let mut states = BTreeMap::new();
    for digits in log.lines().filter_map(|line| line.strip_prefix("state ")) {
        let twice = states.insert(number(digits), digits.to_owned());
        assert_eq!(twice, None, "one state under a number");
    }
    states
}

/// One of the two is put back to a copy that lacks some wins, and both go on.
fn goes_on_from_what_the_neighbour_knows(restored: usize, other: usize, backup: impl Fn(&Line)) {
    let line = Line::of(&[0, 20, 0], &[]);
    let sequence = || line.channel(other, restored).sequence;
    line.send_until_paid(PAYER, RECIPIENT, RELAY, LENGTH);
    backup(&line);
    let then = line.channel(restored, other);
    line.send_until(PAYER, RECIPIENT, LENGTH, || sequence() > then.sequence);
    let latest = line.channel(other, restored);
    let known = states(&line, other, restored, "before.log");
    let forgotten = states(&line, restored, other, "forgotten.log");
    assert_eq!(known, forgotten, "both know all of them");

    line.restore(restored);
    Line::until("the account is the neighbour's", || {
        let resumed = line.channel(restored, other);
        (resumed.own_unxs, resumed.theirs_unxs) == (latest.theirs_unxs, latest.own_unxs)
    });
    line.send_until(PAYER, RECIPIENT, LENGTH, || sequence() > latest.sequence + LEAST_SKIP);
    let [here, there] =
        [(other, restored), (restored, other)].map(|(n, with)| states(&line, n, with, &format!("{n}.log")));
    assert!(here.len() > known.len(), "payment went on");
    assert!(there.range(..=then.sequence).count() > 1, "the log is in the copy");
    for (number, state) in known.iter().chain(&there) {
        // What the restored one has the other has too; what the other had it still has.
        assert_eq!(here.get(number), Some(state), "number {number}");
    }
    let [own, theirs] = [(other, restored), (restored, other)].map(|(n, with)| line.channel(n, with));
    assert_eq!((own.own_unxs, own.theirs_unxs), (theirs.theirs_unxs, theirs.own_unxs));
    assert_eq!(own.sequence, theirs.sequence);
    let paid_on = line.channel(RELAY, PAYER).own_unxs;
    let before = if restored == PAYER { latest.own_unxs } else { latest.theirs_unxs };
    assert!(paid_on > before, "the relay has more than it had: {paid_on}, {before}");
}

/// The payer's copy was made by the daemon itself while it ran.
#[test]
fn a_payer_restored_from_a_backup_undoes_no_state_and_goes_on_paying() {
    goes_on_from_what_the_neighbour_knows(PAYER, RELAY, |line| line.backup(PAYER));
}

/// The relay's was made of a daemon that was stopped.
#[test]
fn a_relay_restored_from_a_backup_undoes_no_state_and_goes_on_being_paid() {
    goes_on_from_what_the_neighbour_knows(RELAY, PAYER, |line| line.backup_at_rest(RELAY));
}
