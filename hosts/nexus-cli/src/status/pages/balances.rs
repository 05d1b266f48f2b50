//! What accounts have, as far as is known here.

use nexus_daemon::api::Balances;

use super::line;
use crate::address_book::AddressBook;
use crate::table::{numbers, render, words};

/// Each account; below them what these books are.
pub(in super::super) fn page(balances: Option<&Balances>, book: &AddressBook) -> String {
    let Some(balances) = balances else {
        return "no balances: this node keeps no books; see `nexus genesis`\n".to_owned();
    };
    let table = [words("ACCOUNT", 32), words("NAME", 16), numbers("BALANCE"), numbers("CHANNELS")];
    let rows: Vec<[String; 4]> = balances
        .accounts
        .iter()
        .map(|account| {
            let balance =
                account.balance.map_or_else(|| "incomplete".to_owned(), |micros| micros.to_string());
            let name = book.name_of(&account.node).unwrap_or_default().to_owned();
            let name = if account.flagged { format!("{name} (flagged)") } else { name };
            [account.node.clone(), name.trim().to_owned(), balance, account.channels.to_string()]
        })
        .collect();
    let mut text = render(&table, &rows);
    if balances.more {
        text.push_str(&line("There are more accounts: `nexus ledger export` writes all of the books."));
    }
    let channels = if balances.channels == 1 { "channel" } else { "channels" };
    text.push_str(&line(&format!("{} {channels}, state {}; µNXS", balances.channels, balances.state)));
    let witness =
        balances.witness.map_or_else(String::new, |index| format!(", of which this node is witness {index}"));
    let genesis: String = balances.genesis.chars().take(16).collect();
    text.push_str(&line(&format!("genesis {genesis}…{witness}")));
    if balances.foreign > 0 {
        text.push_str(&line("A neighbour keeps the books of another genesis: nothing of them is taken."));
    }
    text
}
