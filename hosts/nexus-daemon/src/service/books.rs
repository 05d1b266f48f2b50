//! The books: how they begin, and what is seen of them. Spec: spec/economy.md#the-ledger-in-a-node.

use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use nexus_crypto::{NodeId, Signature};
use nexus_economy::Amount;
use nexus_economy::channels::account::{Account, Phase};
use nexus_economy::ledger::organ::NotKept;
use nexus_economy::ledger::rules::{NotFollowed, Rules};
use nexus_economy::ledger::witness::{Book, Case, Refusal, WINDOW, orderable};
use nexus_economy::ledger::{Balance, export};
use nexus_node::{Command, LedgerCommand, LedgerEvent};
use nexus_wire::nexus::Layout as _;
use nexus_wire::nexus::channel::ChannelId;
use nexus_wire::nexus::genesis::Genesis;
use nexus_wire::nexus::gossip::StateHash;
use nexus_wire::nexus::ledger::{OpenOrder, Order};
use thiserror::Error;

use super::Service;
use crate::HostView;
use crate::api::{self, Balances, Code, Done, Ledger};
use crate::control::Replier;
use crate::recordings::hex;

/// Why no books are kept.
#[derive(Debug, Error)]
pub enum BooksError {
    /// The file cannot be read.
    #[error("the genesis {path} cannot be read: {cause}")]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system says.
        cause: std::io::Error,
    },
    /// It is none.
    #[error("{0} is no genesis: `nexus genesis check` says more")]
    NotAGenesis(PathBuf),
    /// It is a draft.
    #[error("{path}: {cause}")]
    NotFollowed {
        /// The file.
        path: PathBuf,
        /// Why.
        cause: NotFollowed,
    },
    /// The disk has other books.
    #[error("{path} is not followed: {cause}")]
    NotKept {
        /// The file.
        path: PathBuf,
        /// Why.
        cause: NotKept,
    },
}

/// The rules of a genesis file.
pub(super) fn rules(path: &Path) -> Result<Rules, BooksError> {
    let bytes =
        std::fs::read(path).map_err(|cause| BooksError::Unreadable { path: path.to_owned(), cause })?;
    let genesis = Genesis::decode(&bytes).map_err(|_| BooksError::NotAGenesis(path.to_owned()))?;
    Rules::of(&genesis).map_err(|cause| BooksError::NotFollowed { path: path.to_owned(), cause })
}

/// How many lines of an answer there is room for.
const LINES: usize = 100;

impl Service {
    pub(super) async fn balances(&self, replier: Replier, after: Option<String>) {
        let Some(after) = place(&replier, after.as_deref()) else { return };
        match self.handle.ask(move |view| balances(view, after)).await {
            Ok(Some(seen)) => replier.ok(&seen),
            Ok(None) => no_books(&replier),
            Err(gone) => replier.fail(Code::Stopping, gone.to_string()),
        }
    }

    pub(super) async fn ledger(&self, replier: Replier, node: Option<String>) {
        let Some(node) = place(&replier, node.as_deref()) else { return };
        match self.handle.ask(move |view| channels(view, node)).await {
            Ok(Some(seen)) => replier.ok(&seen),
            Ok(None) => no_books(&replier),
            Err(gone) => replier.fail(Code::Stopping, gone.to_string()),
        }
    }

    pub(super) async fn witness(&self, replier: Replier) {
        match self.handle.ask(|view| witness(view)).await {
            Ok(Some(seen)) => replier.ok(&seen),
            Ok(None) => no_books(&replier),
            Err(gone) => replier.fail(Code::Stopping, gone.to_string()),
        }
    }

    /// Puts money into a channel that stands: answered when it is ordered, since witnesses may take their time.
    pub(super) async fn deposit(&self, replier: Replier, peer: &str, total: u64) {
        let peer = match crate::config::node_id(peer) {
            Ok(peer) => peer,
            Err(cause) => return replier.fail(Code::BadValue, cause.to_string()),
        };
        let deposit = Amount::from_micros(total);
        let asked = self.handle.ask(move |view| {
            if view.node().ledger().is_none() {
                return Some((Code::NotFound, NO_BOOKS.to_owned()));
            }
            let stands = |account: &Account<Signature>| !matches!(account.phase, Phase::Closed { .. });
            let channel = view
                .node()
                .economy()
                .accounts()
                .find(|(with, account)| *with == peer && stands(account))
                .map(|(_, account)| account.terms.channel);
            let Some(channel) = channel else {
                return Some((Code::NotFound, format!("there is no channel with {peer}")));
            };
            if let Err(why) = may_deposit(view, (channel, peer, deposit)) {
                return Some((Code::BadValue, not_signed(why)));
            }
            view.command(Command::Ledger(LedgerCommand::Deposit { channel, peer, deposit }));
            None
        });
        match asked.await {
            Ok(None) => replier.ok(&Done {}),
            Ok(Some((code, sentence))) => replier.fail(code, sentence),
            Err(gone) => replier.fail(Code::Stopping, gone.to_string()),
        }
    }

    /// What happened in the books goes to the log.
    pub(super) fn hear_of_books(event: &LedgerEvent) {
        match event {
            LedgerEvent::ReadWanted { .. } | LedgerEvent::Deposited { .. } => {}
            LedgerEvent::Refused { order, witness, why } => {
                tracing::warn!("witness {} does not sign order {order}: {why}", witness.0);
            }
            LedgerEvent::NotOrdered { channel, peer, why } => {
                tracing::warn!("no deposit is ordered in channel {channel} with {peer}: {why}");
            }
            LedgerEvent::Flagged(node) => {
                tracing::warn!("{node} is convicted of having signed what may not be signed");
            }
            LedgerEvent::OtherGenesis(_) => {
                tracing::warn!("a neighbour keeps the books of another genesis: nothing of them is taken");
            }
        }
    }

    /// The books as a text, in a file that does not exist yet.
    pub(super) async fn export_ledger(&self, replier: Replier, file: PathBuf) {
        let text = |view: &mut HostView<'_>| {
            let ledger = view.node().ledger()?;
            Some(export::export(ledger.books(), &ledger.rules().id))
        };
        let text = match self.handle.ask(text).await {
            Ok(Some(text)) => text,
            Ok(None) => return no_books(&replier),
            Err(gone) => return replier.fail(Code::Stopping, gone.to_string()),
        };
        let written = || {
            let mut made =
                std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&file)?;
            made.write_all(text.as_bytes())?;
            made.sync_all()
        };
        match written() {
            Ok(()) => replier.ok(&Done {}),
            Err(cause) => {
                replier.fail(Code::System, format!("{} cannot be written: {cause}", file.display()));
            }
        }
    }
}

const NO_BOOKS: &str = "this node keeps no books: its configuration names no genesis";

fn no_books(replier: &Replier) {
    replier.fail(Code::NotFound, NO_BOOKS);
}

/// Whether witnesses that know what is known here would sign a deposit.
pub(super) fn may_deposit(view: &HostView<'_>, wish: (ChannelId, NodeId, Amount)) -> Result<(), Refusal> {
    let (Some(ledger), Some(purse)) = (view.node().ledger(), view.node().purse()) else { return Ok(()) };
    orderable(ledger.known(), ledger.rules(), &view.node().node_id(), wish, purse.promised())
}

/// The sentence that goes with it.
pub(super) fn not_signed(why: Refusal) -> String {
    match why {
        Refusal::Minimum => {
            "no witness would sign this deposit: it is less than the genesis asks for at least, or no more than is certified already".to_owned()
        }
        Refusal::Funds => {
            "no witness would sign this deposit: as far as is known here, this node has not so much that is free".to_owned()
        }
        why => format!("no witness would sign this deposit: {why}"),
    }
}

fn witness(view: &HostView<'_>) -> Option<api::Witness> {
    let (ledger, purse) = (view.node().ledger()?, view.node().purse()?);
    let (rules, witness) = (ledger.rules(), ledger.witness());
    let book = witness.map(nexus_economy::ledger::witness::Witness::book);
    let round = witness.map_or(0, nexus_economy::ledger::witness::Witness::round);
    let owner = |order: &OpenOrder| api::Owner {
        node: order.body.owner.to_string(),
        order: order.body.order,
        channel: order.body.channel.to_string(),
        peer: order.body.peer.to_string(),
        deposit: order.body.deposit,
    };
    let case = |(key, case): (&nexus_economy::ledger::ChannelKey, &Case)| api::Case {
        channel: hex(key.id()),
        parties: [key.a().to_string(), key.b().to_string()],
        sequence: case.sequence,
        rounds_left: case.since.saturating_add(WINDOW).saturating_sub(round),
    };
    let ordered = |(order, signed): (&Order, usize)| {
        let (channel, deposit) = match order {
            Order::Open(order) => (order.body.channel, Some(order.body.deposit)),
            Order::Close(order) => (order.body.channel, None),
        };
        api::Ordered { channel: channel.to_string(), deposit, signed: count(signed) }
    };
    Some(api::Witness {
        witness: witness.map(|witness| witness.index().0),
        witnesses: count(rules.witnesses.len()),
        quorum: count(rules.quorum),
        round,
        waiting: count(witness.map_or(0, nexus_economy::ledger::witness::Witness::waiting)),
        owners: book.into_iter().flat_map(Book::opens).take(LINES).map(owner).collect(),
        closes: count(book.map_or(0, Book::closes)),
        cases: book.into_iter().flat_map(Book::cases).take(LINES).map(case).collect(),
        orders: purse.pending().take(LINES).map(ordered).collect(),
    })
}

/// A node in a request, if one is named; nothing if it is none, which is answered.
#[expect(clippy::option_option, reason = "nobody named, and nothing to go on with, are two things")]
fn place(replier: &Replier, node: Option<&str>) -> Option<Option<NodeId>> {
    match node.map(crate::config::node_id).transpose() {
        Ok(node) => Some(node),
        Err(cause) => {
            replier.fail(Code::BadValue, cause.to_string());
            None
        }
    }
}

fn balances(view: &HostView<'_>, after: Option<NodeId>) -> Option<Balances> {
    let ledger = view.node().ledger()?;
    let (books, rules) = (ledger.books(), ledger.rules());
    // Of accounts that are not followed nothing is answered.
    let mut accounts = ledger
        .known()
        .interest()
        .map_or_else(|| books.accounts(), |interest| interest.iter().map(|(node, _)| *node).collect());
    accounts.retain(|node| after.is_none_or(|after| *node > after));
    let more = accounts.len() > LINES;
    accounts.truncate(LINES);
    let account = |node: NodeId| api::Account {
        node: node.to_string(),
        balance: match ledger.balance(&node) {
            Balance::Known(amount) => Some(amount.micros()),
            Balance::Incomplete | Balance::Unknown => None,
        },
        channels: count(books.channels_of(&node).count()),
        flagged: ledger.is_flagged(&node),
    };
    let counts = ledger.counts();
    let (queued, held) = ledger.waiting();
    Some(Balances {
        genesis: rules.id.to_string(),
        state: if ledger.is_sparse() { hex(&StateHash::NONE.0) } else { hex(&books.state_hash().0) },
        channels: count(books.len()),
        witness: ledger.witness().map(|witness| witness.index().0),
        believed: counts.believed,
        forged: counts.forged,
        foreign: counts.foreign,
        waiting: count(queued + held),
        accounts: accounts.into_iter().map(account).collect(),
        more,
    })
}

fn channels(view: &HostView<'_>, node: Option<NodeId>) -> Option<Ledger> {
    let books = view.node().ledger()?.books();
    let channel = |(key, entry): (&nexus_economy::ledger::ChannelKey, &nexus_economy::ledger::Entry)| {
        let pair = |sums: nexus_economy::ledger::Sums| [sums.a, sums.b];
        api::LedgerEntry {
            channel: hex(key.id()),
            parties: [key.a().to_string(), key.b().to_string()],
            paid: pair(entry.paid()),
            deposits: pair(entry.deposits()),
            close: entry.close().map(pair),
        }
    };
    let mut entries: Vec<api::LedgerEntry> = match node {
        Some(node) => books.channels_of(&node).map(channel).take(LINES + 1).collect(),
        None => books.iter().map(channel).take(LINES + 1).collect(),
    };
    let more = entries.len() > LINES;
    entries.truncate(LINES);
    Some(Ledger { entries, more })
}

fn count(number: usize) -> u64 {
    u64::try_from(number).unwrap_or(u64::MAX)
}
