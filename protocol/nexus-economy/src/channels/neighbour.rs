//! What is known of one neighbour: what is durable of its channel, and what is on its way.

use alloc::boxed::Box;
use alloc::collections::VecDeque;
use alloc::vec::Vec;

use nexus_crypto::{NodeId, Signature, VerifyingKey};
use nexus_machine::{Duration, Snapshot, Write};
use nexus_wire::nexus::Layout as _;
use nexus_wire::nexus::channel::{ChannelBody, ChannelId, ChannelState};

use super::account::{Account, Agreed, Claim, Win};
use super::keys::Both;
use super::letters::{Bringing, Saying};
use super::store::{Kept, Stage};
use super::{Command, LOG, PATIENCE};
use crate::money::Amount;

/// One neighbour.
#[derive(Debug)]
pub(super) struct Neighbour {
    /// Its key, while a link is up.
    pub(super) link: Option<VerifyingKey>,
    /// What is durable.
    pub(super) kept: Option<Kept>,
    /// What this node offered, until it is accepted. It is not written: an offer that is forgotten harms nobody.
    pub(super) begun: Option<Bringing>,
    /// Whether something is being written.
    pub(super) writing: bool,
    /// Whether the account comes from a backup, and nothing was done about it.
    pub(super) restored: bool,
    /// A claim that a COSIGN carried, until what the COSIGN made is durable.
    pub(super) carried: Option<Saying>,
    /// The latest message that came during a write.
    pub(super) inbox: Option<Saying>,
    /// A claim that the lottery looks at.
    pub(super) judging: Option<Claim<Signature>>,
    /// A win that waits until it can be written.
    pub(super) held: Option<(Win, Vec<Write>)>,
    /// What the operator wants, until it can be begun.
    pub(super) command: Option<Command>,
    /// In which round what it owes is settled again. Not written: a start begins another day.
    pub(super) settles_at: Option<u64>,
    /// What is certified, until it can be written.
    pub(super) certified: Both<Amount>,
    /// In which channel: a channel that ended says nothing of the next.
    pub(super) certified_in: Option<ChannelId>,
    /// How long until what is unanswered is repeated.
    pub(super) patience: Duration,
    /// The sequences of the states in the log, oldest first, where not all are kept.
    pub(super) logged: VecDeque<u64>,
    /// The state that the channel was opened with: what was paid is reckoned from it.
    pub(super) first: Option<Box<ChannelState>>,
}

impl Neighbour {
    pub(super) fn linked(key: VerifyingKey) -> Self {
        Self { link: Some(key), ..Self::unknown() }
    }

    pub(super) fn kept(kept: Kept) -> Self {
        Self { kept: Some(kept), ..Self::unknown() }
    }

    const fn unknown() -> Self {
        Self {
            link: None,
            kept: None,
            begun: None,
            writing: false,
            restored: false,
            carried: None,
            inbox: None,
            judging: None,
            held: None,
            command: None,
            settles_at: None,
            certified: Both { a: Amount::ZERO, b: Amount::ZERO },
            certified_in: None,
            patience: PATIENCE,
            logged: VecDeque::new(),
            first: None,
        }
    }

    /// The link is gone, and with it all that was said.
    pub(super) fn down(&mut self) {
        self.link = None;
        self.begun = None;
        self.carried = None;
        self.inbox = None;
        self.judging = None;
    }

    /// The account, as it is durable.
    pub(super) const fn account(&self) -> Option<&Account<Signature>> {
        match &self.kept {
            Some(Kept { stage: Stage::Standing(account), .. }) => Some(account),
            Some(Kept { stage: Stage::AwaitingState(_), .. }) | None => None,
        }
    }

    /// The same, if steps may be taken: nothing is being written, and nothing was forgotten without a word.
    pub(super) fn idle_account(&self) -> Option<&Account<Signature>> {
        self.account().filter(|_| !self.writing && !self.restored)
    }

    /// The writes that put a state into the log, and take out what is too much. The first state stays: witnesses want to see it.
    pub(super) fn log(
        &mut self,
        channel: ChannelId,
        agreed: &Agreed<ChannelBody, Signature>,
        room: Option<usize>,
    ) -> Vec<Write> {
        let key = |sequence: u64| [&channel.0[..], &sequence.to_be_bytes()].concat();
        let Agreed { body, sigs } = agreed;
        let state = ChannelState { body: *body, sig_a: sigs.a, sig_b: sigs.b };
        let mut bytes = alloc::vec![0; ChannelState::LEN];
        state.encode(&mut bytes).expect("a state has 200 bytes");
        if body.sequence == 0 {
            self.first = Some(Box::new(state));
        }
        let mut writes = Vec::from([Write::set(LOG, &key(body.sequence), bytes)]);
        let Some(room) = room else { return writes };
        self.logged.push_back(body.sequence);
        while self.logged.len() > room {
            let oldest = self.logged.remove(usize::from(self.logged.front() == Some(&0)));
            writes.extend(oldest.map(|sequence| Write::delete(LOG, &key(sequence))));
        }
        writes
    }
}

impl Neighbour {
    pub(super) fn from_store((key, value): (&[u8], &[u8])) -> Option<(NodeId, Self)> {
        let kept = Kept::from_bytes(value).ok()?;
        Some((NodeId(key.try_into().ok()?), Self::kept(kept)))
    }

    pub(super) fn find_log(&mut self, snapshot: &Snapshot) {
        let Some(channel) = self.account().map(|account| account.terms.channel) else { return };
        let of_channel = snapshot.scan(LOG).filter_map(|(key, _)| {
            let (of, sequence) = key.split_first_chunk::<16>()?;
            (*of == channel.0).then_some(u64::from_be_bytes(sequence.try_into().ok()?))
        });
        self.logged = of_channel.collect();
        let first = snapshot.get(LOG, &[&channel.0[..], &0_u64.to_be_bytes()].concat());
        self.first = first.and_then(|bytes| ChannelState::decode(bytes).ok()).map(Box::new);
    }
}
