//! What carrying for neighbours brings, and what they are paid.

use nexus_daemon::api::Earned;

use super::line;
use crate::address_book::AddressBook;
use crate::table::{numbers, render, words};

/// Grains to the µNXS.
const GRAINS: u64 = 1_024;

/// A line for each neighbour; below them the sum.
pub(in super::super) fn page(income: &[Earned], book: &AddressBook) -> String {
    if income.is_empty() {
        return "no income: nothing was carried at a price yet\n".to_owned();
    }
    let table = [
        words("INCOME FROM", 10),
        numbers("DUE"),
        numbers("RELEASED"),
        numbers("WINDOWS"),
        numbers("WINS"),
        numbers("EXPECTED"),
        numbers("ACTUAL"),
        numbers("PAID"),
    ];
    let row = |earned: &Earned| {
        [
            book.name_of(&earned.peer).unwrap_or(&earned.peer).to_owned(),
            (earned.due_grains / GRAINS).to_string(),
            earned.released.to_string(),
            earned.windows.to_string(),
            earned.wins.to_string(),
            (earned.expected_grains / GRAINS).to_string(),
            earned.actual_unxs.to_string(),
            earned.paid_unxs.to_string(),
        ]
    };
    let mut text = render(&table, &income.iter().map(row).collect::<Vec<_>>());
    let all = |what: fn(&Earned) -> u64| income.iter().map(what).fold(0, u64::saturating_add);
    let (received, paid) = (all(|earned| earned.actual_unxs), all(|earned| earned.paid_unxs));
    text.push_str(&line(&format!("since the start {received} µNXS came in, {paid} went out")));
    text.push_str(&line("in µNXS; windows are counted: released by the payer, drawn of them, won of those"));
    text.push_str(&line("expected: what those drawn are worth; actual: what those won brought"));
    text
}
