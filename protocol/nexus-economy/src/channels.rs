//! Channels: the organ that keeps one account with each neighbour, through loss, crash and malice.
//!
//! Invariants: nothing that this node signs is heard of before it is durable; nobody can show two of its signatures at one
//! sequence; the sum of both balances never changes; what a neighbour that lies, forgets, refuses or vanishes gains is bounded by
//! the line that it was granted. The steps are in [`account`] and its siblings; here they are written, sent and repeated.
//!
//! One channel stands with a neighbour at a time. While a write is on its way nothing else is done with that channel: the latest
//! message waits, earlier ones are lost and come again. Spec: spec/economy.md#channels.

pub mod account;
pub mod audit;
pub mod ending;
pub mod figures;
mod following;
pub mod keys;
pub mod letters;
mod neighbour;
mod opening;
pub mod resuming;
pub mod room;
pub mod settling;
pub mod store;
pub mod updates;

use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use nexus_crypto::{NodeId, NodeIdentity, Signature, VerifyingKey, VrfPublicKey};
use nexus_machine::{
    Cx, Deadlines, Duration, Gate, Instant, Machine, MemoryBound, Seed, Sink, Snapshot, Stream, TableId,
    Write,
};
use nexus_wire::nexus::channel::{ChannelId, ChannelState};
use nexus_wire::nexus::channel_messages::RefuseCode;

use self::account::{Claim, Win, Word};
use self::keys::Side;
use self::letters::Saying;
use self::neighbour::Neighbour;
use self::resuming::{LARGEST_SKIP, LEAST_SKIP, Skip};
use self::store::Kept;
use crate::money::Amount;

/// What the organ is told.
#[derive(Clone, Debug)]
pub enum Input {
    /// A link with this neighbour is up: its key, by which its node id is certain.
    LinkUp(NodeId, VerifyingKey),
    /// It is down.
    LinkDown(NodeId),
    /// What a linked neighbour says.
    Said(NodeId, Saying),
    /// Offer this neighbour a channel.
    Open {
        /// Whom.
        peer: NodeId,
        /// What it is lent.
        line: Amount,
        /// What this node deposits.
        deposit: Amount,
    },
    /// Settle with it.
    Settle(NodeId),
    /// Close, with its consent.
    Close(NodeId),
    /// Close without it.
    CloseAlone(NodeId),
    /// The lottery: this is won from it. Answered by [`Word::Accepted`] or [`Word::Refused`], or [`Effect::Busy`].
    Propose {
        /// Who pays.
        peer: NodeId,
        /// What.
        win: Win,
        /// What the lottery wants written with it.
        alongside: Vec<Write>,
    },
    /// The lottery's verdict on [`Effect::Judge`].
    Judged(NodeId, Verdict),
    /// As much of a deposit is certified, as whoever certifies deposits says.
    Certified {
        /// In which channel.
        channel: ChannelId,
        /// Whose.
        side: Side,
        /// How much in all.
        deposit: Amount,
    },
    /// Somebody passes on a state.
    Seen(Box<ChannelState>),
    /// The write with this number, and all before it, are durable.
    Durable(u64),
}

/// What the lottery says of a claim.
#[derive(Clone, Debug)]
pub enum Verdict {
    /// It is good, and worth this.
    Pay {
        /// How much.
        reward: Amount,
        /// What the lottery wants written with it: that it is claimed.
        alongside: Vec<Write>,
    },
    /// It is not.
    Refuse(RefuseCode),
}

/// What the organ wants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Make these writes durable together, then say [`Input::Durable`] with the number.
    Write {
        /// The number.
        number: u64,
        /// The writes.
        writes: Vec<Write>,
        /// What the lottery keeps of the account with this neighbour is of a disk that is out of date, or of a channel that ended: that it
        /// is void belongs into this write. Written later, a crash in between would bring it back, and nobody would notice.
        voids: Option<NodeId>,
    },
    /// Say this to a linked neighbour.
    Send(NodeId, Saying),
    /// The lottery is to judge a claim of this neighbour's, and answer with [`Input::Judged`].
    Judge(NodeId, Claim<Signature>),
    /// A channel stands.
    Opened {
        /// With whom.
        peer: NodeId,
        /// Which.
        channel: ChannelId,
        /// The other's key of proofs.
        vrf_key: VrfPublicKey,
        /// What this node deposits at first: nobody counts it before it is certified.
        deposit: Amount,
    },
    /// The neighbour does not want a channel on these terms.
    NotOpened(NodeId, RefuseCode),
    /// Another win from this neighbour is not yet paid, or there is no channel: this one is to be proposed later.
    Busy(NodeId, Win),
    /// What happened in a channel, for the lottery, the ledger and the operator.
    Word(NodeId, ChannelId, Word<Signature>),
}

/// How many channels, and on what terms they are accepted.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// With how many neighbours at most.
    pub neighbours: usize,
    /// How many states of each channel are kept to be shown later; all, if none is said: for whoever has a disk.
    pub logged: Option<usize>,
    /// What whoever opens a channel is lent; none if channels are not accepted.
    pub granted: Option<Amount>,
}

/// The table of channels: key node id of the neighbour 16; value: see [`store`].
pub const CHANNELS: TableId = TableId(32);
/// The table with the round: key 0; value u64 little-endian.
pub const ROUNDS: TableId = TableId(33);
/// The table of states that both signed: key channel id 16 ‖ sequence u64 big-endian; value: the state, 200 bytes.
pub const LOG: TableId = TableId(34);
/// The table of channels that come from a backup and have forgotten something: key node id of the neighbour 16; value: nothing.
pub const RESTORED: TableId = TableId(35);

/// How long a round is.
pub const ROUND: Duration = Duration::from_secs(60);
/// After how many rounds the counter is written.
const ROUNDS_PER_WRITE: u64 = 16;
/// When what is unanswered is first repeated; then after twice as long each time.
const PATIENCE: Duration = Duration::from_secs(2);
const LONGEST_PATIENCE: Duration = Duration::from_secs(300);

/// The organ.
#[derive(Debug)]
pub struct Channels {
    identity: NodeIdentity,
    own: NodeId,
    limits: Limits,
    /// How much more than it deposits at first this node declares.
    room: Amount,
    neighbours: BTreeMap<NodeId, Neighbour>,
    gate: Gate<Then>,
    round: u64,
    deadlines: Deadlines<Timer>,
    random: Stream,
}

/// What holds once a write is durable.
#[derive(Debug)]
enum Then {
    Round,
    Follows(Box<Follows>),
}

#[derive(Debug)]
struct Follows {
    peer: NodeId,
    kept: Kept,
    effects: Vec<Effect>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Timer {
    Round,
    Again(NodeId),
}

impl Channels {
    /// The organ, with the channels that were durable. `own` is the id of `identity`.
    #[must_use]
    pub fn new(
        snapshot: &Snapshot,
        seed: &Seed,
        identity: NodeIdentity,
        own: NodeId,
        limits: Limits,
    ) -> Self {
        let mut neighbours: BTreeMap<NodeId, Neighbour> =
            snapshot.scan(CHANNELS).filter_map(Neighbour::from_store).take(limits.neighbours).collect();
        for (peer, neighbour) in &mut neighbours {
            if limits.logged.is_some() {
                neighbour.find_log(snapshot);
            }
            neighbour.restored = snapshot.get(RESTORED, &peer.0).is_some();
        }
        let round =
            snapshot.get(ROUNDS, &[0]).and_then(|value| value.try_into().ok()).map_or(0, u64::from_le_bytes);
        let mut deadlines = Deadlines::default();
        deadlines.set(Timer::Round, Instant::BOOT.after(ROUND));
        Self {
            identity,
            own,
            limits,
            room: Amount::ZERO,
            neighbours,
            gate: Gate::new(limits.neighbours.saturating_add(2)),
            round,
            deadlines,
            random: seed.fork("channels"),
        }
    }

    /// Channels that are opened from here on have room for what this node may deposit in them later: for whoever keeps books.
    pub const fn make_room(&mut self) {
        self.room = room::ROOM;
    }

    /// The round that is counted: minutes in which this node ran.
    #[must_use]
    pub const fn round(&self) -> u64 {
        self.round
    }

    /// The channels as they are durable, by neighbour.
    pub fn channels(&self) -> impl Iterator<Item = (NodeId, &Kept)> {
        self.neighbours.iter().filter_map(|(peer, neighbour)| Some((*peer, neighbour.kept.as_ref()?)))
    }

    /// The account with a neighbour as it is durable, and the key of its proofs, if a channel stands.
    #[must_use]
    pub fn standing(&self, peer: NodeId) -> Option<(&account::Account<Signature>, VrfPublicKey)> {
        let neighbour = self.neighbours.get(&peer)?;
        Some((neighbour.account()?, neighbour.kept.as_ref()?.vrf_key))
    }

    /// What this neighbour may still be asked to pay, in a channel that stands.
    #[must_use]
    pub fn spendable(&self, peer: NodeId) -> Option<Amount> {
        let account = self.neighbours.get(&peer)?.account()?;
        Some(account.spendable(account.terms.side.other()))
    }

    fn skip(&mut self) -> Skip {
        let span = LARGEST_SKIP.saturating_sub(LEAST_SKIP);
        Skip(LEAST_SKIP.saturating_add(self.random.below(span)))
    }

    fn link_up(&mut self, cx: Cx, peer: NodeId, key: VerifyingKey, out: &mut impl Sink<Effect>) {
        let known = self.neighbours.len();
        let Some(neighbour) = self.neighbours.get_mut(&peer) else {
            if known < self.limits.neighbours {
                self.neighbours.insert(peer, Neighbour::linked(key));
            }
            return;
        };
        neighbour.link = Some(key);
        neighbour.patience = PATIENCE;
        self.deadlines.set(Timer::Again(peer), cx.now.after(PATIENCE));
        if neighbour.restored {
            return self.forget(peer, out);
        }
        let step = neighbour.idle_account().map(account::Account::link_up);
        if let Some(step) = step {
            self.follow(peer, step, Vec::new(), out);
        } else {
            self.open_again(peer, out);
        }
    }

    /// A neighbour that has no channel is not kept when its link goes.
    fn link_down(&mut self, peer: NodeId) {
        let Some(neighbour) = self.neighbours.get_mut(&peer) else { return };
        neighbour.down();
        self.deadlines.cancel(Timer::Again(peer));
        if neighbour.kept.is_none() && !neighbour.writing {
            self.neighbours.remove(&peer);
        }
    }

    fn forget(&mut self, peer: NodeId, out: &mut impl Sink<Effect>) {
        let skip = self.skip();
        let Some(neighbour) = self.neighbours.get_mut(&peer) else { return };
        let Some(account) = neighbour.account().filter(|_| !neighbour.writing) else { return };
        let step = account.forgot(skip);
        neighbour.restored = false;
        self.follow(peer, step, Vec::from([Write::delete(RESTORED, &peer.0)]), out);
    }

    fn commanded(&mut self, peer: NodeId, command: Command, out: &mut impl Sink<Effect>) {
        // Without a channel it would be meant for the next one.
        let Some(neighbour) =
            self.neighbours.get_mut(&peer).filter(|neighbour| neighbour.account().is_some())
        else {
            return;
        };
        neighbour.command = Some(command);
        self.obey(peer, out);
    }

    /// Does what was commanded and what was certified, unless something is being written: then it is done after that.
    fn obey(&mut self, peer: NodeId, out: &mut impl Sink<Effect>) {
        let round = self.round;
        let Some(neighbour) = self.neighbours.get_mut(&peer) else { return };
        let Some(account) = neighbour.idle_account() else { return };
        let deposits = neighbour.certified;
        if neighbour.certified_in == Some(account.terms.channel) && account.learns_from(&deposits) {
            let Some((account, keys)) = self.account_and_keys(peer) else { return };
            return self.follow(peer, account.certify(&keys, &deposits), Vec::new(), out);
        }
        let Some(command) = neighbour.command.take() else { return };
        let Some((account, keys)) = self.account_and_keys(peer) else { return };
        let step = match command {
            Command::Settle => account.settle(&keys),
            Command::Close => account.close(&keys),
            Command::CloseAlone => account.dispute(round),
        };
        self.follow(peer, step, Vec::new(), out);
    }

    fn propose(&mut self, peer: NodeId, held: (Win, Vec<Write>), out: &mut impl Sink<Effect>) {
        let Some(neighbour) =
            self.neighbours.get_mut(&peer).filter(|neighbour| neighbour.account().is_some())
        else {
            return out.push(Effect::Busy(peer, held.0));
        };
        if neighbour.held.is_some() {
            return out.push(Effect::Busy(peer, held.0));
        }
        neighbour.held = Some(held);
        self.propose_held(peer, out);
    }

    /// The win that is held is proposed, unless the channel is at something else: then it waits for its turn.
    fn propose_held(&mut self, peer: NodeId, out: &mut impl Sink<Effect>) {
        let Some(neighbour) = self.neighbours.get_mut(&peer) else { return };
        if neighbour.writing || neighbour.judging.is_some() {
            return;
        }
        let Some((win, alongside)) = neighbour.held.take() else { return };
        let Some((account, keys)) = self.account_and_keys(peer) else { return };
        match account.win(&keys, win.clone()) {
            Some(step) => self.follow(peer, step, alongside, out),
            None => out.push(Effect::Busy(peer, win)),
        }
    }

    fn judged(&mut self, peer: NodeId, verdict: Verdict, out: &mut impl Sink<Effect>) {
        let round = self.round;
        let Some(neighbour) = self.neighbours.get_mut(&peer) else { return };
        let Some(claim) = neighbour.judging.take() else { return };
        let held = neighbour.held.take();
        let Some((account, keys)) = self.account_and_keys(peer) else { return };
        // This party's own win rides on the answer.
        let joined = held.as_ref().filter(|_| account.own == account::Own::AwaitingWin);
        let joined = joined.and_then(|(win, _)| account.with_win(win.clone()).ok());
        let account = joined.as_ref().unwrap_or(account);
        let (step, mut alongside) = match verdict {
            Verdict::Pay { reward, alongside } => {
                let win = Win { reward, ticket: claim.ticket.clone() };
                (account.countersign(&keys, &claim, win, round), alongside)
            }
            Verdict::Refuse(code) => (account.refuse(&claim, code), Vec::new()),
        };
        let rides = joined.is_some() && step.next.is_some();
        if let Some((win, writes)) = held {
            if rides {
                alongside.extend(writes);
            } else if let Some(neighbour) = self.neighbours.get_mut(&peer) {
                neighbour.held = Some((win, writes));
            }
        }
        self.follow(peer, step, alongside, out);
        self.propose_held(peer, out);
    }

    fn certified(&mut self, channel: ChannelId, side: Side, deposit: Amount, out: &mut impl Sink<Effect>) {
        let Some(peer) = self.find(channel) else { return };
        let Some(neighbour) = self.neighbours.get_mut(&peer) else { return };
        if neighbour.certified_in != Some(channel) {
            (neighbour.certified, neighbour.certified_in) = (keys::Both::default(), Some(channel));
        }
        let other = *neighbour.certified.get(side.other());
        let more = (*neighbour.certified.get(side)).max(deposit);
        neighbour.certified = keys::Both::of(side, more, other);
        self.obey(peer, out);
    }

    fn seen(&mut self, state: &ChannelState, out: &mut impl Sink<Effect>) {
        let (skip, round) = (self.skip(), self.round);
        let Some(peer) = self.find(state.body.channel) else { return };
        let Some((account, keys)) = self.account_and_keys(peer) else { return };
        let sigs = keys::Both { a: state.sig_a, b: state.sig_b };
        let agreed = account::Agreed { body: state.body, sigs };
        let step = account.shown_by_anybody(&keys, agreed, skip, round);
        self.follow(peer, step, Vec::new(), out);
    }

    /// The account of a channel, and the state that it was opened with, if that is known.
    #[must_use]
    pub fn of_id(
        &self,
        channel: &ChannelId,
    ) -> Option<(&account::Account<Signature>, Option<&ChannelState>)> {
        let neighbour = self.neighbours.get(&self.find(*channel)?)?;
        Some((neighbour.account()?, neighbour.first.as_deref()))
    }

    fn find(&self, channel: ChannelId) -> Option<NodeId> {
        let of = |neighbour: &Neighbour| {
            neighbour.account().is_some_and(|account| account.terms.channel == channel)
        };
        self.neighbours.iter().find(|(_, neighbour)| of(neighbour)).map(|(peer, _)| *peer)
    }

    fn next_round(&mut self, cx: Cx, out: &mut impl Sink<Effect>) {
        self.round = self.round.saturating_add(1);
        self.deadlines.set(Timer::Round, cx.now.after(ROUND));
        if self.round.is_multiple_of(ROUNDS_PER_WRITE)
            && let Ok(number) = self.gate.hold(Then::Round)
        {
            let write = Write::set(ROUNDS, &[0], self.round.to_le_bytes().to_vec());
            out.push(Effect::Write { number, writes: Vec::from([write]), voids: None });
        }
        let restored = |(peer, neighbour): (&NodeId, &Neighbour)| neighbour.restored.then_some(*peer);
        let restored: Vec<_> = self.neighbours.iter().filter_map(restored).collect();
        for peer in restored {
            self.forget(peer, out);
        }
        let round = self.round;
        let due: Vec<_> = self
            .neighbours
            .iter()
            .filter_map(|(peer, neighbour)| Some((*peer, neighbour.idle_account()?.round(round))))
            .filter(|(_, step)| step.next.is_some())
            .collect();
        for (peer, step) in due {
            self.follow(peer, step, Vec::new(), out);
        }
        self.settle_what_is_due(out);
    }

    fn again(&mut self, cx: Cx, peer: NodeId, out: &mut impl Sink<Effect>) {
        let Some(neighbour) = self.neighbours.get_mut(&peer).filter(|neighbour| neighbour.link.is_some())
        else {
            return;
        };
        neighbour.patience = neighbour.patience.times(2).min(LONGEST_PATIENCE);
        let deadline = cx.now.after(neighbour.patience);
        self.deadlines.set(Timer::Again(peer), deadline);
        if neighbour.writing {
            return;
        }
        let Some((account, keys)) = self.account_and_keys(peer) else { return self.open_again(peer, out) };
        let step = account.again(&keys);
        self.follow(peer, step, Vec::new(), out);
    }
}

/// What the operator wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Command {
    Settle,
    Close,
    CloseAlone,
}

impl Machine for Channels {
    type Input = Input;
    type Effect = Effect;

    fn handle(&mut self, cx: Cx, input: Input, out: &mut impl Sink<Effect>) {
        match input {
            Input::LinkUp(peer, key) => self.link_up(cx, peer, key, out),
            Input::LinkDown(peer) => self.link_down(peer),
            Input::Said(peer, saying) => self.said(peer, saying, out),
            Input::Open { peer, line, deposit } => self.open(peer, line, deposit, out),
            Input::Settle(peer) => self.commanded(peer, Command::Settle, out),
            Input::Close(peer) => self.commanded(peer, Command::Close, out),
            Input::CloseAlone(peer) => self.commanded(peer, Command::CloseAlone, out),
            Input::Propose { peer, win, alongside } => self.propose(peer, (win, alongside), out),
            Input::Judged(peer, verdict) => self.judged(peer, verdict, out),
            Input::Certified { channel, side, deposit } => self.certified(channel, side, deposit, out),
            Input::Seen(state) => self.seen(&state, out),
            Input::Durable(through) => self.durable(cx, through, out),
        }
    }

    fn handle_timeout(&mut self, cx: Cx, out: &mut impl Sink<Effect>) {
        while let Some(timer) = self.deadlines.pop_due(cx.now) {
            match timer {
                Timer::Round => self.next_round(cx, out),
                Timer::Again(peer) => self.again(cx, peer, out),
            }
        }
    }

    fn next_timeout(&self) -> Option<Instant> {
        self.deadlines.next()
    }
}

impl MemoryBound for Channels {
    fn memory_bound(&self) -> usize {
        // A neighbour's account, what waits for its write, and the numbers of its log, which a ring may hold twice over.
        let log = self.limits.logged.unwrap_or(0).saturating_add(8).saturating_mul(2 * 8);
        let each = size_of::<Neighbour>().saturating_mul(4).saturating_add(4_096).saturating_add(log);
        self.limits.neighbours.saturating_add(2).saturating_mul(each).saturating_add(4_096)
    }
}
