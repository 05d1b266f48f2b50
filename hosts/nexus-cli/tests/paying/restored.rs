//! A daemon comes back from an old backup while its neighbour remembers.

use std::collections::BTreeMap;

use super::line::{Line, said};
use super::succeeds;

const LENGTH: u64 = 400;

/// The states in an exported log, by their number.
fn states(line: &Line, n: usize, with: usize, name: &str) -> BTreeMap<u64, String> {
    let file = line.place(name);
    succeeds(&line.run(n, &["channel", "export", &line.id(with), &file]));
    let verified = line.run(n, &["channel", "verify", &file]);
    assert!(said(&verified.stdout).contains("all signed by both"), "{verified:?}");
    let log = std::fs::read_to_string(&file).unwrap();
    let number = |digits: &str| {
        // Behind three ids of 16 bytes and two balances of 8, little-endian.
        let at = 2 * (3 * 16 + 2 * 8);
        u64::from_str_radix(&digits[at..at + 16], 16).unwrap().swap_bytes()
    };
    let states = log.lines().filter_map(|line| line.strip_prefix("state "));
    states.map(|digits| (number(digits), digits.to_owned())).collect()
}

/// The payer, and in another line the relay, is put back to a copy of an hour ago: both go on, no state that the other knows is undone, and no
/// number has two states.
#[test]
fn a_backup_that_is_restored_goes_on_from_what_the_neighbour_knows() {
    for (restored, other) in [(0, 1), (1, 0)] {
        let line = Line::of(&[0, 20, 0, 0], &[]);
        line.send(0, 2, 2_500, LENGTH);
        if restored == 0 {
            line.backup(restored);
        } else {
            line.backup_at_rest(restored);
        }
        let then = line.channel(restored, other);
        line.send(0, 2, 2_500, LENGTH);
        let latest = line.channel(other, restored);
        let known = states(&line, other, restored, "before.log");
        assert!(latest.sequence > then.sequence && known.len() > 1, "{then:?} {latest:?}");
        line.restore(restored);
        Line::until("the account is the neighbour's", || {
            let resumed = line.channel(restored, other);
            (resumed.own_unxs, resumed.theirs_unxs) == (latest.theirs_unxs, latest.own_unxs)
        });
        line.send(0, 2, 6_000, LENGTH);
        let on = line.channel(other, restored);
        assert!(
            on.sequence > latest.sequence + (1 << 31),
            "numbers that may have been used are left out: {on:?}"
        );
        let [here, there] = [(other, restored), (restored, other)]
            .map(|(n, with)| states(&line, n, with, &format!("{n}.log")));
        assert!(here.len() > known.len(), "payment went on");
        assert!(there.range(..=then.sequence).count() > 1, "the log is in the copy");
        for (number, state) in known.iter().chain(&there) {
            // What the restored one has the other has too; what the other had it still has.
            assert_eq!(here.get(number), Some(state), "number {number}");
        }
    }
}
