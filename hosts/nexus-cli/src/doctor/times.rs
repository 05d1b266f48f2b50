//! The clock and the randomness.

use super::{Case, Finding};
use crate::quantities::utc;

/// No clock that is right says less: the beginning of 2026, in Unix seconds.
const EARLIEST: u64 = 1_767_225_600;
/// No clock that is right says more: the beginning of 2100.
const LATEST: u64 = 4_102_444_800;
/// What a kernel's pool has when it may be drawn from, in bits.
const LEAST_ENTROPY: u32 = 128;

/// The clock is plausible, and something keeps it right.
pub(super) fn clock(case: &Case) -> Vec<Finding> {
    let now = case.machine.unix_s;
    if !(EARLIEST..LATEST).contains(&now) {
        let sentence = format!("the clock says {}: others will not believe this node's announces", utc(now));
        return vec![Finding::problem(sentence, "sudo timedatectl set-ntp true")];
    }
    match case.machine.synchronized {
        Some(false) => {
            let sentence = "nothing keeps the clock right: it will drift".to_owned();
            vec![Finding::note(sentence, Some("sudo timedatectl set-ntp true".to_owned()))]
        }
        Some(true) | None => vec![],
    }
}

/// Keys can be made.
pub(super) fn randomness(case: &Case) -> Vec<Finding> {
    let text = case.machine.read("proc/sys/kernel/random/entropy_avail");
    match text.trim().parse::<u32>() {
        Ok(bits) if bits < LEAST_ENTROPY => {
            let sentence = format!("the kernel has only {bits} bits of randomness: making a key may wait");
            vec![Finding::problem(sentence, "sudo apt-get install rng-tools5")]
        }
        Ok(_) | Err(_) => vec![],
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::Weight;
    use crate::doctor::tests::{case, lay, sentences};

    #[test]
    fn an_implausible_clock_is_a_problem_and_one_that_drifts_a_note() {
        let directory = tempfile::tempdir().unwrap();
        let mut case = case(&directory);
        assert_eq!(clock(&case), []);
        for wrong in [0, EARLIEST - 1, LATEST] {
            case.machine.unix_s = wrong;
            assert_eq!(clock(&case)[0].weight, Weight::Problem, "{wrong}");
        }
        case.machine.unix_s = 0;
        assert!(sentences(&clock(&case))[0].starts_with("the clock says 1970-01-01"));
        case.machine.unix_s = EARLIEST;
        case.machine.synchronized = Some(false);
        assert_eq!(clock(&case)[0].weight, Weight::Note);
    }

    #[test]
    fn a_pool_that_is_not_filled_yet_is_found() {
        let directory = tempfile::tempdir().unwrap();
        let case = case(&directory);
        assert_eq!(randomness(&case), []);
        lay(&directory, "proc/sys/kernel/random/entropy_avail", "256\n");
        assert_eq!(randomness(&case), []);
        lay(&directory, "proc/sys/kernel/random/entropy_avail", "12\n");
        assert!(sentences(&randomness(&case))[0].contains("only 12 bits"));
    }
}
