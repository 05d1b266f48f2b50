//! The organ that makes, keeps, opens with and retires ratchets: the keys that senders encrypt to in place of the identity's,
//! so that what was sent stays secret when the identity is lost.
//!
//! Invariants: a ratchet is made only after fresh entropy; it is durable before anybody hears of it; one is made a day and
//! kept for thirty, so that what was sent to a recent one can still be opened; nothing is opened with a retired one, and
//! nobody hears that it is retired before that is durable. Spec: spec/secure.md#ratchets.

#[cfg(test)]
mod tests;

use alloc::collections::VecDeque;
use alloc::vec::Vec;

use nexus_crypto::exchange::RecipientSecret;
use nexus_crypto::{RatchetId, RatchetPublic, RatchetSecret};
use nexus_machine::{
    Bucket, Cx, Deadlines, Duration, Gate, Instant, Machine, MemoryBound, Seed, Sink, Snapshot, Stream,
    TableId, Write,
};

use crate::envelope::{Plaintext, SealedPacket};

/// What the organ is told.
#[derive(Clone, Debug)]
pub enum Input {
    /// The host is running: the first ratchet may be asked for.
    Start,
    /// Fresh entropy.
    Entropy([u8; 32]),
    /// The write with this number, and all before it, are durable.
    Durable(u64),
    /// Open this with whichever ratchet it was sealed to. Answered by [`Effect::Opened`] or [`Effect::Unopened`].
    Open(SealedPacket),
    /// Open nothing with this ratchet from here on, and make another if it is the newest: no more can be remembered of what
    /// was sealed to it.
    Retire(RatchetId),
}

/// What the organ wants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Fresh entropy: a key is about to be made.
    EntropyWanted,
    /// Make these writes durable together, then say [`Input::Durable`] with the number.
    Write {
        /// The number.
        number: u64,
        /// The ratchet, and those that it retires.
        writes: Vec<Write>,
    },
    /// This ratchet is durable and the newest.
    Ready(RatchetPublic),
    /// It was sealed to this ratchet.
    Opened {
        /// The ratchet.
        with: RatchetId,
        /// The packet.
        packet: SealedPacket,
        /// What it says.
        plaintext: Plaintext,
    },
    /// It was not sealed to any ratchet that was tried.
    Unopened(SealedPacket),
    /// This ratchet's retirement is durable: nothing is opened with it again.
    Retired(RatchetId),
}

/// The table of ratchets: key u64 big-endian, counting up; value: made at, Unix seconds u64 little-endian (0 if no clock
/// was known) ‖ secret 32.
pub const RATCHETS: TableId = TableId(2);

/// How long a ratchet is the newest.
pub const ROTATION: Duration = Duration::from_secs(24 * 3_600);
/// How many are kept, the newest included: one a day for thirty days.
pub const KEPT: usize = 31;
/// How long to wait for entropy before asking again.
const ENTROPY_PATIENCE: Duration = Duration::from_secs(60);
/// How many of the newest ratchets are always tried. A search through the others costs a multiplication for each, so it is
/// allowed this often.
const ALWAYS_TRIED: usize = 2;
const SEARCH_PERIOD: Duration = Duration::from_millis(50);
const SEARCH_BURST: u32 = 40;
/// How many writes may wait for the disk: one ratchet in the making, and retirements.
const WAITING_WRITES: usize = 4;

/// The organ.
#[derive(Debug)]
pub struct Ratchets {
    /// Oldest first; the last is the newest durable one.
    kept: VecDeque<Kept>,
    gate: Gate<Durably>,
    searches: Bucket,
    unsearched: u64,
    next_number: u64,
    state: State,
    deadlines: Deadlines<Timer>,
    random: Stream,
}

/// What holds once a write is durable.
#[derive(Debug)]
enum Durably {
    Made(Kept),
    Retired(RatchetId),
}

#[derive(Debug)]
struct Kept {
    number: u64,
    made_unix_s: u64,
    secret: RatchetSecret,
}

/// What the organ waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// To be started.
    Asleep,
    /// The next rotation.
    Resting,
    /// Entropy.
    AwaitingEntropy,
    /// The disk.
    AwaitingDisk,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Timer {
    Rotation,
    EntropyPatience,
}

impl Ratchets {
    /// The organ, with the ratchets that were durable.
    #[must_use]
    pub fn new(snapshot: &Snapshot, seed: &Seed) -> Self {
        let mut kept: VecDeque<Kept> = snapshot.scan(RATCHETS).filter_map(Kept::from_store).collect();
        kept.drain(..kept.len().saturating_sub(KEPT));
        let next_number = kept.back().map_or(0, |newest| newest.number.saturating_add(1));
        Self {
            kept,
            gate: Gate::new(WAITING_WRITES),
            searches: Bucket::new(SEARCH_PERIOD, SEARCH_BURST),
            unsearched: 0,
            next_number,
            state: State::Asleep,
            deadlines: Deadlines::default(),
            random: seed.fork("ratchets"),
        }
    }

    /// The secrets that may open what arrives, newest first: what was sealed to an earlier one may still be on its way.
    pub fn secrets(&self) -> impl Iterator<Item = &RatchetSecret> {
        self.kept.iter().rev().map(|kept| &kept.secret)
    }

    /// The newest durable ratchet.
    #[must_use]
    pub fn newest(&self) -> Option<RatchetPublic> {
        self.kept.back().map(|kept| kept.secret.public())
    }

    /// How many packets were tried with the two newest ratchets alone, because searches had been too many.
    #[must_use]
    pub const fn unsearched(&self) -> u64 {
        self.unsearched
    }

    fn open(&mut self, now: Instant, packet: SealedPacket, out: &mut impl Sink<Effect>) {
        let opened = |kept: &Kept| {
            let plaintext = packet.open(RecipientSecret::Ratchet(&kept.secret))?;
            Some((kept.secret.public().id(), plaintext))
        };
        let mut found = self.kept.iter().rev().take(ALWAYS_TRIED).find_map(opened);
        if found.is_none() && self.kept.len() > ALWAYS_TRIED {
            if self.searches.take(now) {
                found = self.kept.iter().rev().skip(ALWAYS_TRIED).find_map(opened);
            } else {
                self.unsearched = self.unsearched.saturating_add(1);
            }
        }
        out.push(match found {
            Some((with, plaintext)) => Effect::Opened { with, packet, plaintext },
            None => Effect::Unopened(packet),
        });
    }

    /// A full gate refuses: whoever asked takes nothing more under this ratchet, and asks again.
    fn retire(&mut self, cx: Cx, id: RatchetId, out: &mut impl Sink<Effect>) {
        let Some(place) = self.kept.iter().position(|kept| kept.secret.public().id() == id) else { return };
        let Ok(number) = self.gate.hold(Durably::Retired(id)) else { return };
        let was_newest = place.saturating_add(1) == self.kept.len();
        let writes = self.kept.remove(place).map(|kept| Write::delete(RATCHETS, &kept.number.to_be_bytes()));
        out.push(Effect::Write { number, writes: writes.into_iter().collect() });
        if was_newest && self.state == State::Resting {
            self.deadlines.cancel(Timer::Rotation);
            self.ask(cx.now, out);
        }
    }

    fn start(&mut self, cx: Cx, out: &mut impl Sink<Effect>) {
        if self.state != State::Asleep {
            return;
        }
        self.state = State::Resting;
        match self.kept.back() {
            None => self.ask(cx.now, out),
            Some(newest) => {
                out.push(Effect::Ready(newest.secret.public()));
                self.deadlines.set(Timer::Rotation, cx.now.after(newest.rest_of_its_day(cx.unix_s())));
            }
        }
    }

    fn ask(&mut self, now: Instant, out: &mut impl Sink<Effect>) {
        self.state = State::AwaitingEntropy;
        self.deadlines.set(Timer::EntropyPatience, now.after(ENTROPY_PATIENCE));
        out.push(Effect::EntropyWanted);
    }

    fn entropy(&mut self, cx: Cx, entropy: &[u8; 32], out: &mut impl Sink<Effect>) {
        self.random.refresh(entropy);
        if self.state != State::AwaitingEntropy {
            return;
        }
        self.deadlines.cancel(Timer::EntropyPatience);
        let made = Kept {
            number: self.next_number,
            made_unix_s: cx.unix_s().unwrap_or(0),
            secret: RatchetSecret::generate(&mut self.random),
        };
        let mut writes = Vec::from([made.to_store()]);
        let retired = self.kept.len().saturating_add(1).saturating_sub(KEPT);
        writes.extend(
            self.kept.iter().take(retired).map(|old| Write::delete(RATCHETS, &old.number.to_be_bytes())),
        );
        let Ok(number) = self.gate.hold(Durably::Made(made)) else {
            // Retirements fill the gate: the host is asked for entropy again when the disk had its time.
            return self.deadlines.set(Timer::EntropyPatience, cx.now.after(ENTROPY_PATIENCE));
        };
        self.next_number = self.next_number.saturating_add(1);
        self.state = State::AwaitingDisk;
        out.push(Effect::Write { number, writes });
    }

    fn durable(&mut self, cx: Cx, through: u64, out: &mut impl Sink<Effect>) {
        let mut durable: VecDeque<Durably> = VecDeque::new();
        self.gate.release(through, &mut durable);
        for then in durable {
            match then {
                Durably::Retired(id) => out.push(Effect::Retired(id)),
                Durably::Made(made) => self.made(cx, made, out),
            }
        }
    }

    fn made(&mut self, cx: Cx, made: Kept, out: &mut impl Sink<Effect>) {
        out.push(Effect::Ready(made.secret.public()));
        self.kept.push_back(made);
        let retired = self.kept.len().saturating_sub(KEPT);
        for kept in self.kept.drain(..retired) {
            out.push(Effect::Retired(kept.secret.public().id()));
        }
        self.state = State::Resting;
        self.deadlines.set(Timer::Rotation, cx.now.after(ROTATION));
    }
}

impl Kept {
    fn to_store(&self) -> Write {
        let value = [&self.made_unix_s.to_le_bytes()[..], self.secret.expose()].concat();
        Write::set(RATCHETS, &self.number.to_be_bytes(), value)
    }

    /// A value of another shape is not a ratchet: it is passed over, and the next rotation makes a sound one.
    fn from_store((key, value): (&[u8], &[u8])) -> Option<Self> {
        let (made, secret) = value.split_first_chunk()?;
        Some(Self {
            number: u64::from_be_bytes(key.try_into().ok()?),
            made_unix_s: u64::from_le_bytes(*made),
            secret: RatchetSecret::from_bytes(secret.try_into().ok()?),
        })
    }

    /// How much longer it may be the newest. Without a clock, then or at this moment, a whole day.
    fn rest_of_its_day(&self, unix_s: Option<u64>) -> Duration {
        let age = match (self.made_unix_s, unix_s) {
            (0, _) | (_, None) => Duration::ZERO,
            // A clock that was set back makes it look unborn: it is treated as just made.
            (made, Some(at_present)) => Duration::from_secs(at_present.saturating_sub(made)),
        };
        ROTATION.minus(age)
    }
}

impl Machine for Ratchets {
    type Input = Input;
    type Effect = Effect;

    fn handle(&mut self, cx: Cx, input: Input, out: &mut impl Sink<Effect>) {
        match input {
            Input::Start => self.start(cx, out),
            Input::Entropy(entropy) => self.entropy(cx, &entropy, out),
            Input::Durable(through) => self.durable(cx, through, out),
            Input::Open(packet) => self.open(cx.now, packet, out),
            Input::Retire(id) => self.retire(cx, id, out),
        }
    }

    fn handle_timeout(&mut self, cx: Cx, out: &mut impl Sink<Effect>) {
        while let Some(timer) = self.deadlines.pop_due(cx.now) {
            match timer {
                Timer::Rotation | Timer::EntropyPatience => self.ask(cx.now, out),
            }
        }
    }

    fn next_timeout(&self) -> Option<Instant> {
        self.deadlines.next()
    }
}

impl MemoryBound for Ratchets {
    fn memory_bound(&self) -> usize {
        // A ring doubles when it grows; timers are two.
        let kept = 2_usize.saturating_mul(KEPT.saturating_add(2)).saturating_mul(size_of::<Kept>());
        let waiting = WAITING_WRITES.saturating_mul(size_of::<(u64, Durably)>());
        kept.saturating_add(waiting).saturating_add(1_024)
    }
}
