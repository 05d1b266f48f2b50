//! Whom this node carries for what, its channels, and what they bring. Spec: spec/control.md#money.

use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use nexus_crypto::{NodeId, Signature, VerifyingKey};
use nexus_node::Command;
use nexus_node::economy::Amount;
use nexus_node::economy::channels::account::{Account, Phase};
use nexus_node::economy::channels::store::{Kept, Stage};
use nexus_node::economy::channels::{CHANNELS, LOG, audit};
use nexus_node::economy::layer::{Command as ChannelCommand, Event as MoneyEvent};
use nexus_wire::nexus::Layout as _;
use nexus_wire::nexus::channel::{ChannelId, ChannelState};

use super::Service;
use super::books::{may_deposit, not_signed};
use crate::api::{Channel, Channels, Code, Done, Earned, Exported, Income, Peer, Peers};
use crate::config::node_id;
use crate::control::Replier;
use crate::host::HostView;
use crate::people::{People, PeopleError};

/// What is asked of a channel.
enum Wish {
    Open { line_unxs: Option<u64>, deposit_unxs: Option<u64> },
    Settle,
    Close { alone: bool },
}

impl Service {
    pub(super) fn peers(&self, replier: &Replier) {
        let configured = &self.config.trusted;
        let named = self.people.iter().map(|(node, person)| Peer {
            node: node.to_string(),
            trusted: person.trusted || configured.contains(node),
            price_unxs_per_kib: person.price,
            configured: configured.contains(node),
        });
        let only_configured = configured.iter().filter(|node| self.people.get(node).is_none());
        let only_configured = only_configured.map(|node| Peer {
            node: node.to_string(),
            trusted: true,
            price_unxs_per_kib: None,
            configured: true,
        });
        let mut peers: Vec<Peer> = named.chain(only_configured).collect();
        peers.sort_by(|one, other| one.node.cmp(&other.node));
        replier.ok(&Peers { peers });
    }

    pub(super) async fn trust_peer(&mut self, replier: &Replier, node: &str) {
        let add = |people: &mut People, node| {
            people.add(node);
            true
        };
        self.change_peer(replier, node, add).await;
    }

    pub(super) async fn forget_peer(&mut self, replier: &Replier, node: &str) {
        self.change_peer(replier, node, |people, node| people.remove(&node)).await;
    }

    pub(super) async fn price_peer(&mut self, replier: &Replier, node: &str, asked: Option<u64>) {
        self.change_peer(replier, node, |people, node| people.set_price(node, asked)).await;
    }

    pub(super) async fn open_channel(
        &mut self,
        replier: Replier,
        peer: &str,
        line_unxs: Option<u64>,
        deposit_unxs: Option<u64>,
    ) {
        if deposit_unxs.is_some_and(|deposit| deposit > 0) && self.config.books.is_none() {
            let text = "this node keeps no books, by which a deposit could be certified: name a genesis under [ledger] in its configuration, or leave out the deposit";
            return replier.fail(Code::BadValue, text.to_owned());
        }
        self.wish_of_channel(replier, peer, Wish::Open { line_unxs, deposit_unxs }).await;
    }

    pub(super) async fn settle_channel(&mut self, replier: Replier, peer: &str) {
        self.wish_of_channel(replier, peer, Wish::Settle).await;
    }

    pub(super) async fn close_channel(&mut self, replier: Replier, peer: &str, alone: bool) {
        self.wish_of_channel(replier, peer, Wish::Close { alone }).await;
    }

    /// Changes what is said of a node, on the disk first.
    async fn change_peer(
        &mut self,
        replier: &Replier,
        node: &str,
        change: impl FnOnce(&mut People, NodeId) -> bool,
    ) {
        let node = match node_id(node) {
            Ok(node) => node,
            Err(cause) => return replier.fail(Code::BadValue, cause.to_string()),
        };
        let mut people = self.people.clone();
        if !change(&mut people, node) {
            return replier.fail(Code::NotFound, format!("nothing is said of {node}"));
        }
        if let Err(cause) = people.write(&self.options.state) {
            let code = match cause {
                PeopleError::TooMany(_) => Code::Busy,
                PeopleError::System { .. } | PeopleError::Unreadable { .. } => Code::System,
            };
            return replier.fail(code, cause.to_string());
        }
        self.people = people;
        let trust = self.people.trust(&self.config.trusted);
        match self.handle.ask(move |view| view.command(Command::Trust(trust))).await {
            Ok(()) => replier.ok(&Done {}),
            Err(gone) => replier.fail(Code::Stopping, gone.to_string()),
        }
    }

    pub(super) async fn income(&self, replier: Replier) {
        self.see(replier, |view| Income { neighbours: earned(view) }).await;
    }

    pub(super) async fn channels(&self, replier: Replier) {
        self.see(replier, |view| Channels { channels: channels(view) }).await;
    }

    /// Opens, settles or closes: answered when it is begun, since the neighbour may take its time.
    async fn wish_of_channel(&mut self, replier: Replier, peer: &str, wish: Wish) {
        let peer = match node_id(peer) {
            Ok(peer) => peer,
            Err(cause) => return replier.fail(Code::BadValue, cause.to_string()),
        };
        let line = self.config.line;
        let command = match wish {
            Wish::Open { line_unxs, deposit_unxs } => {
                let line = Amount::from_micros(line_unxs.or(line).unwrap_or(0));
                ChannelCommand::Open { line, deposit: Amount::from_micros(deposit_unxs.unwrap_or(0)) }
            }
            Wish::Settle => ChannelCommand::Settle,
            Wish::Close { alone: false } => ChannelCommand::Close,
            Wish::Close { alone: true } => ChannelCommand::CloseAlone,
        };
        let opens = matches!(command, ChannelCommand::Open { .. });
        let settles = matches!(command, ChannelCommand::Settle);
        let asked = self.handle.ask(move |view| {
            let stands = view
                .node()
                .economy()
                .accounts()
                .any(|(with, account)| with == peer && !matches!(account.phase, Phase::Closed { .. }));
            let linked = view.node().network().links().is_linked(peer);
            let refusal = match (opens, stands, linked) {
                (true, true, _) => Some((Code::BadValue, format!("there is a channel with {peer}"))),
                (true, false, false) => Some((Code::NotFound, format!("there is no link with {peer}"))),
                (false, false, _) => Some((Code::NotFound, format!("there is no channel with {peer}"))),
                (true, false, true) | (false, true, _) => None,
            };
            let refusal = refusal.or_else(|| {
                // Which channel it will be is not known yet; that it is another than those that stand is.
                let ChannelCommand::Open { deposit, .. } = command else { return None };
                let wish = (ChannelId([0; 16]), peer, deposit);
                let why = may_deposit(view, wish).err().filter(|_| deposit > Amount::ZERO)?;
                Some((Code::BadValue, not_signed(why)))
            });
            let refusal = refusal.or_else(|| {
                let mut accounts = view.node().economy().accounts();
                let (_, account) = accounts.find(|(with, _)| settles && *with == peer)?;
                let nothing = account.phase == Phase::Open && account.settlement().is_none();
                let text = || format!("there is nothing to settle with {peer}: only what was paid out of certified deposits is settled");
                nothing.then(|| (Code::BadValue, text()))
            });
            if refusal.is_none() {
                view.command(Command::Channel { peer, command });
            }
            refusal
        });
        match asked.await {
            Ok(None) => replier.ok(&Done {}),
            Ok(Some((code, sentence))) => replier.fail(code, sentence),
            Err(gone) => replier.fail(Code::Stopping, gone.to_string()),
        }
    }

    /// Writes the audit log of a channel to a file that does not exist yet.
    pub(super) async fn export_channel(&self, replier: &Replier, peer: &str, file: PathBuf) {
        let peer = match node_id(peer) {
            Ok(peer) => peer,
            Err(cause) => return replier.fail(Code::BadValue, cause.to_string()),
        };
        if !file.is_absolute() {
            return replier.fail(Code::BadValue, "the file of a log is an absolute path");
        }
        let (reader, own) = (self.store.clone(), self.verifying);
        let written = tokio::task::spawn_blocking(move || {
            let system = |cause: &dyn std::fmt::Display| (Code::System, cause.to_string());
            let kept = reader.value(CHANNELS, &peer.0).map_err(|cause| system(&cause))?;
            let no_channel = || (Code::NotFound, format!("there is no channel with {peer}"));
            let (channel, theirs) = kept.as_deref().and_then(standing).ok_or_else(no_channel)?;
            let unwritten =
                |cause: std::io::Error| system(&format!("{} cannot be written: {cause}", file.display()));
            let mut log = LogFile::begin(&file, [own, theirs]).map_err(unwritten)?;
            reader.each(LOG, &channel.0, |state| log.put(state)).map_err(|cause| system(&cause))?;
            Ok(Exported { states: log.finish().map_err(unwritten)? })
        });
        match written.await {
            Ok(Ok(exported)) => replier.ok(&exported),
            Ok(Err((code, sentence))) => replier.fail(code, sentence),
            Err(_panicked) => replier.fail(Code::System, "the log was not written"),
        }
    }
}

/// The channel that stands with a neighbour, and the neighbour's key.
fn standing(kept: &[u8]) -> Option<(ChannelId, VerifyingKey)> {
    let kept = Kept::from_bytes(kept).ok()?;
    let Stage::Standing(account) = &kept.stage else { return None };
    Some((account.terms.channel, kept.key))
}

/// The audit log of a channel, as it is written state by state: it may be longer than memory.
struct LogFile {
    out: BufWriter<File>,
    states: u64,
}

impl LogFile {
    fn begin(file: &Path, keys: [VerifyingKey; 2]) -> std::io::Result<Self> {
        let out = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(file)?;
        let mut out = BufWriter::new(out);
        out.write_all(audit::head(keys).as_bytes())?;
        Ok(Self { out, states: 0 })
    }

    fn put(&mut self, state: &[u8]) -> std::io::Result<()> {
        let state = ChannelState::decode(state).map_err(std::io::Error::other)?;
        self.states = self.states.saturating_add(1);
        self.out.write_all(audit::state_line(&state).as_bytes())
    }

    fn finish(mut self) -> std::io::Result<u64> {
        self.out.flush()?;
        self.out.get_ref().sync_all()?;
        Ok(self.states)
    }
}

/// What was counted with each neighbour.
pub(crate) fn earned(view: &HostView<'_>) -> Vec<Earned> {
    let (economy, tally) = (view.node().economy(), view.node().network().tally());
    let mut earned: Vec<Earned> = Vec::new();
    for peer in economy.lottery().neighbours() {
        let income = economy.income(peer).unwrap_or_default();
        let sums = tally.sums(peer);
        if income.counted.get() == 0 && sums.owed == 0 && sums.due == 0 && income.drawn == 0 {
            continue;
        }
        earned.push(Earned {
            peer: peer.to_string(),
            trusted: tally.is_trusted(peer),
            due_grains: sums.due,
            owed_grains: sums.owed,
            released: income.released,
            windows: income.drawn,
            wins: income.won,
            expected_grains: income.expected.get(),
            actual_unxs: income.received.micros(),
            paid_unxs: income.paid.micros(),
        });
    }
    earned
}

/// The channels as they are durable.
pub(crate) fn channels(view: &HostView<'_>) -> Vec<Channel> {
    view.node().economy().accounts().map(|(peer, account)| channel(peer, account)).collect()
}

fn channel(peer: NodeId, account: &Account<Signature>) -> Channel {
    let side = account.terms.side;
    let of = |a: u64, b: u64| match side {
        nexus_node::economy::channels::keys::Side::A => (a, b),
        nexus_node::economy::channels::keys::Side::B => (b, a),
    };
    let body = &account.agreed.body;
    let lines = &account.terms.brought.lines;
    let settled =
        account.settled.as_ref().map_or((0, 0), |settled| (settled.body.paid_a, settled.body.paid_b));
    let (settled_own, settled_theirs) = of(settled.0, settled.1);
    Channel {
        peer: peer.to_string(),
        channel: format!("{:032x}", u128::from_be_bytes(body.channel.0)),
        state: state(&account.phase).to_owned(),
        own_unxs: account.spendable(side).micros(),
        theirs_unxs: account.spendable(side.other()).micros(),
        borrowed_unxs: lines.get(side).micros(),
        lent_unxs: lines.get(side.other()).micros(),
        sequence: body.sequence,
        settled_own_unxs: settled_own,
        settled_theirs_unxs: settled_theirs,
    }
}

const fn state(phase: &Phase<Signature>) -> &'static str {
    match phase {
        Phase::Open => "open",
        Phase::AwaitingResume => "resuming",
        Phase::AwaitingSettled { .. } => "settling",
        Phase::AwaitingClose { .. } => "closing",
        Phase::AwaitingWindow { .. } => "disputed",
        Phase::Closed { .. } => "closed",
    }
}

/// What happened in a channel, for the log.
pub(super) fn hear_of_money(event: &MoneyEvent) {
    use MoneyEvent as M;
    match event {
        M::Opened { peer, .. } => tracing::info!("a channel with {peer} stands"),
        M::NotOpened { peer, code } => tracing::info!("{peer} does not want a channel (code {})", code.0),
        M::Received { peer, amount } => tracing::debug!("{peer} paid {} µNXS", amount.micros()),
        M::Paid { peer, amount } => tracing::debug!("{peer} was paid {} µNXS", amount.micros()),
        M::Unpaid { peer, amount, code } => {
            tracing::warn!("{peer} refuses to pay {} µNXS (code {})", amount.micros(), code.0);
        }
        M::Settled { peer, record } => {
            let (paid_a, paid_b) = (record.body.paid_a, record.body.paid_b);
            tracing::info!("settled with {peer}: {paid_a} and {paid_b} µNXS in all");
        }
        M::NothingToSettle(peer) => tracing::info!("there is nothing to settle with {peer}"),
        M::Disputed(peer) => tracing::warn!("the channel with {peer} is being closed by one side"),
        M::Closed(peer) => tracing::info!("the channel with {peer} is closed"),
        M::Resumed(peer) => {
            tracing::warn!(
                "states of the channel with {peer} were forgotten here; it goes on from what was shown"
            );
        }
        M::ForLedger(_) => {}
    }
}
