//! The organ that makes, keeps, opens with and retires ratchets: the keys that senders encrypt to in place of the identity's,
//! so that what was sent stays secret when the identity is lost.
//!
//! Invariants: a ratchet is made only after fresh entropy; it is durable before anybody hears of it; one is made a day and
//! kept for thirty, so that what was sent to a recent one can still be opened; nothing is opened with a retired one, and
//! nobody hears that it is retired before that is durable. Spec: spec/secure.md#ratchets.

use alloc::collections::VecDeque;
use alloc::vec::Vec;

use nexus_crypto::exchange::RecipientSecret;
use nexus_crypto::{RatchetId, RatchetPublic, RatchetSecret};
use nexus_machine::{
    Cx, Deadlines, Duration, Gate, Instant, Machine, MemoryBound, Seed, Sink, Snapshot, Stream, TableId,
    Write,
};

use crate::allowance::{Allowance, Taken};
use crate::envelope::SealedPacket;

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
        plaintext: Vec<u8>,
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
const SEARCH_BURST: u64 = 40;
/// How many writes may wait for the disk: one ratchet in the making, and retirements.
const WAITING_WRITES: usize = 4;

/// The organ.
#[derive(Debug)]
pub struct Ratchets {
    /// Oldest first; the last is the newest durable one.
    kept: VecDeque<Kept>,
    gate: Gate<Durably>,
    searches: Allowance,
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
            searches: Allowance::new(SEARCH_PERIOD, SEARCH_BURST),
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
            match self.searches.take(now) {
                Some(Taken) => found = self.kept.iter().rev().skip(ALWAYS_TRIED).find_map(opened),
                None => self.unsearched = self.unsearched.saturating_add(1),
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

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;
    use nexus_crypto::NodeId;
    use nexus_crypto::exchange::RecipientPublic;
    use nexus_machine::WallClock;
    use nexus_wire::nexus::end_to_end::Service;
    use nexus_wire::reticulum::Packet;

    use crate::envelope::{Letter, seal};
    use nexus_testkit::laws;

    const UNIX: u64 = 1_700_000_000;

    #[test]
    fn a_ratchet_is_made_after_entropy_and_told_after_the_disk() {
        let mut node = Bench::resume(&Snapshot::empty());
        assert_eq!(node.tell(Input::Start), [Effect::EntropyWanted]);
        let [Effect::Write { number, writes }] = &node.tell(Input::Entropy([7; 32]))[..] else {
            panic!("one write")
        };
        assert_eq!((writes.len(), node.organ.newest()), (1, None));
        let [Effect::Ready(public)] = node.tell(Input::Durable(*number))[..] else { panic!("ready") };
        assert_eq!(node.organ.newest(), Some(public));
        assert_eq!(node.organ.next_timeout(), Some(Instant::BOOT.after(ROTATION)));
    }

    #[test]
    fn unasked_entropy_makes_no_key_but_changes_the_next() {
        let mut with = Bench::resume(&Snapshot::empty());
        let mut without = Bench::resume(&Snapshot::empty());
        assert_eq!(with.tell(Input::Entropy([1; 32])), []);
        assert_ne!(with.first_ratchet(), without.first_ratchet());
    }

    #[test]
    fn entropy_that_does_not_come_is_asked_for_again() {
        let mut node = Bench::resume(&Snapshot::empty());
        node.tell(Input::Start);
        assert_eq!(node.wait(), [Effect::EntropyWanted]);
        assert_eq!(node.wait(), [Effect::EntropyWanted]);
    }

    #[test]
    fn the_newest_survives_a_restart_and_keeps_its_age() {
        let mut store = Snapshot::empty();
        let mut node = Bench::resume(&store);
        node.tell(Input::Start);
        let [Effect::Write { writes, .. }] = &node.tell(Input::Entropy([7; 32]))[..] else {
            panic!("one write")
        };
        apply(&mut store, writes);
        let mut lost = Bench::resume(&Snapshot::empty());
        assert_eq!(lost.tell(Input::Start), [Effect::EntropyWanted], "what was not durable does not exist");
        let mut again = Bench::resume(&store);
        again.unix_s = UNIX + 3_600;
        let [Effect::Ready(public)] = again.tell(Input::Start)[..] else { panic!("ready at once") };
        assert_eq!(Some(public), again.organ.newest());
        assert_eq!(
            again.organ.next_timeout(),
            Some(Instant::BOOT.after(ROTATION.minus(Duration::from_secs(3_600))))
        );
    }

    #[test]
    fn thirty_days_are_kept_and_the_rest_is_deleted_from_the_store() {
        let mut store = Snapshot::empty();
        let mut node = Bench::resume(&store);
        node.tell(Input::Start);
        for day in 0..40_u8 {
            let [Effect::Write { number, writes }] = &node.tell(Input::Entropy([day; 32]))[..] else {
                panic!("a write")
            };
            apply(&mut store, writes);
            assert!(matches!(node.tell(Input::Durable(*number))[..], [Effect::Ready(_), ..]));
            assert_eq!(node.wait(), [Effect::EntropyWanted]);
        }
        assert_eq!(store.scan(RATCHETS).count(), KEPT);
        let kept: Vec<RatchetPublic> = node.organ.secrets().map(RatchetSecret::public).collect();
        let resumed: Vec<RatchetPublic> =
            Ratchets::new(&store, &Seed::new([0; 32])).secrets().map(RatchetSecret::public).collect();
        assert_eq!(kept.len(), KEPT);
        assert_eq!(kept, resumed, "newest first, in memory as from the store");
    }

    #[test]
    fn a_damaged_value_in_the_store_is_passed_over() {
        let mut store = Snapshot::empty();
        store.apply(Write::set(RATCHETS, &[1], vec![0; 40]));
        store.apply(Write::set(RATCHETS, &2_u64.to_be_bytes(), vec![0; 39]));
        store.apply(Write::set(RATCHETS, &3_u64.to_be_bytes(), vec![0; 41]));
        let mut node = Bench::resume(&store);
        assert_eq!(node.tell(Input::Start), [Effect::EntropyWanted]);
    }

    #[test]
    fn ratchets_obey_the_laws() {
        laws::obeyed_by(
            "ratchets",
            |seed| laws::Organ::new(Ratchets::new(&Snapshot::empty(), seed)),
            |random, _| match random.below(6) {
                0 => Input::Start,
                1 => Input::Entropy(random.bytes()),
                2 => Input::Open(sealed_to(&RatchetPublic([9; 32]), random)),
                3 => Input::Retire(RatchetId(random.bytes())),
                _ => Input::Durable(random.below(100)),
            },
        );
    }

    #[test]
    fn what_was_sealed_to_an_older_ratchet_opens_until_searches_are_used_up() {
        let mut store = Snapshot::empty();
        for day in 1..=4_u8 {
            store.apply(Write::set(
                RATCHETS,
                &u64::from(day).to_be_bytes(),
                [&[0; 8][..], &[day; 32]].concat(),
            ));
        }
        let mut node = Bench::resume(&store);
        let mut random = Seed::new([3; 32]).fork("sealing");
        let (newest, oldest) = (secret(4).public(), secret(1).public());
        for _ in 0..SEARCH_BURST {
            let opened = node.tell(Input::Open(sealed_to(&oldest, &mut random)));
            assert!(matches!(&opened[..], [Effect::Opened { with, .. }] if *with == oldest.id()));
        }
        let refused = node.tell(Input::Open(sealed_to(&oldest, &mut random)));
        assert!(matches!(refused[..], [Effect::Unopened(_)]));
        assert_eq!(node.organ.unsearched(), 1);
        let opened = node.tell(Input::Open(sealed_to(&newest, &mut random)));
        assert!(matches!(&opened[..], [Effect::Opened { with, .. }] if *with == newest.id()));
    }

    #[test]
    fn a_retired_ratchet_opens_nothing_and_the_newest_is_replaced() {
        let mut node = Bench::resume(&Snapshot::empty());
        let first = node.first_ratchet();
        let effects = node.tell(Input::Retire(first.id()));
        assert!(matches!(&effects[..], [Effect::Write { number: 2, writes }, Effect::EntropyWanted]
            if writes.iter().all(|write| write.value.is_none())));
        let mut random = Seed::new([3; 32]).fork("sealing");
        let opened = node.tell(Input::Open(sealed_to(&first, &mut random)));
        assert!(matches!(opened[..], [Effect::Unopened(_)]), "at once, not only when the disk knows");
        assert_eq!(node.tell(Input::Durable(2)), [Effect::Retired(first.id())]);
        let made = node.tell(Input::Entropy([8; 32]));
        assert!(matches!(made[..], [Effect::Write { number: 3, .. }]));
        assert!(matches!(node.tell(Input::Durable(3))[..], [Effect::Ready(second)] if second != first));
    }

    fn secret(n: u8) -> RatchetSecret {
        RatchetSecret::from_bytes(&[n; 32])
    }

    fn sealed_to(ratchet: &RatchetPublic, random: &mut Stream) -> SealedPacket {
        let letter = Letter { service: Service::PING, reply_to: None, request_id: 1, body: &[] };
        let to = NodeId([1; 16]);
        let bytes = seal(&letter, &to, RecipientPublic::Ratchet(ratchet), None, random).unwrap();
        SealedPacket::read(&Packet::decode(&bytes).unwrap(), &to).unwrap()
    }

    fn apply(store: &mut Snapshot, writes: &[Write]) {
        for write in writes {
            store.apply(write.clone());
        }
    }

    struct Bench {
        organ: Ratchets,
        now: Instant,
        unix_s: u64,
    }

    impl Bench {
        fn resume(snapshot: &Snapshot) -> Self {
            Self { organ: Ratchets::new(snapshot, &Seed::new([5; 32])), now: Instant::BOOT, unix_s: UNIX }
        }

        fn cx(&self) -> Cx {
            let wall = WallClock { unix_s: self.unix_s, error_s: 0, read_at: Instant::BOOT };
            Cx { wall: Some(wall), ..Cx::at(self.now) }
        }

        fn tell(&mut self, input: Input) -> Vec<Effect> {
            let mut out: VecDeque<Effect> = VecDeque::new();
            self.organ.handle(self.cx(), input, &mut out);
            out.into()
        }

        fn wait(&mut self) -> Vec<Effect> {
            self.now = self.organ.next_timeout().expect("something is due");
            let mut out: VecDeque<Effect> = VecDeque::new();
            self.organ.handle_timeout(self.cx(), &mut out);
            out.into()
        }

        fn first_ratchet(&mut self) -> RatchetPublic {
            self.tell(Input::Start);
            self.tell(Input::Entropy([7; 32]));
            self.tell(Input::Durable(1));
            self.organ.newest().expect("made")
        }
    }
}
