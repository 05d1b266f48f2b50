//! How much of a shared channel a node's links may occupy with what is not traffic: handshakes, keeping links, beacons.
//!
//! Invariant: in no hour does a node transmit more of these than their share, one handshake at least, whatever others send
//! it and however many they are. Spec: spec/network.md#link-airtime.

use nexus_crypto::noise::REKEY_ACK_LEN;
use nexus_machine::{Bucket, Duration, Instant};
use nexus_wire::nexus::control::{Ping, Rekey, RekeyAck};
use nexus_wire::nexus::frame::{Beacon, Finish, First, Reply, SEALED_OVERHEAD, SessionId};
use nexus_wire::nexus::message::MessageWriter;

use crate::interface::{Profile, Reach};

/// The budgets of one interface. On media that are not shared there are none.
#[derive(Debug)]
pub(super) struct Airtime {
    profile: Profile,
    budgets: Option<Budgets>,
}

#[derive(Debug)]
struct Budgets {
    handshakes: Bucket,
    /// Of this, what acknowledgements leave.
    handshakes_kept: Duration,
    keeping: Bucket,
    /// Of this, what questions in a hurry leave.
    keeping_kept: Duration,
    beacons: Bucket,
}

/// What a frame is sent for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    /// Making a link.
    Handshake,
    /// Asking a peer for something: whether it is there, another key.
    Asking,
    /// Asking it whether it is there while traffic waits for the answer.
    Urgent,
    /// Answers to that.
    Answering,
    /// Acknowledgements in frames of their own.
    Acknowledging,
    /// Being found.
    Beacon,
}

const HOUR: Duration = Duration::from_secs(3_600);
/// An hour's budget is spread over more than an hour, because frames may wait for the channel before they are sent: two minutes,
const WAIT: Duration = Duration::from_secs(120);
/// or as long as so many of the longest frames take.
const WAIT_FRAMES: u64 = 32;
/// Shares of the hour, in tenths of a percent: of all airtime, or of twice as much where a duty cycle leaves less than two
/// percent, so that at least half of it is left for traffic.
const HANDSHAKES: u64 = 6;
const KEEPING: u64 = 3;
const BEACONS: u64 = 1;
/// Per mille of all airtime that is for links at most.
const WHOLE: u64 = HANDSHAKES + KEEPING + BEACONS;
/// What is saved up while nothing is sent, in handshakes and in probes;
const SAVED: u64 = 4;
/// and in beacons: the first ones of an interface, and two for newcomers who must hear one before they can begin.
const SAVED_BEACONS: u64 = 6;

impl Airtime {
    /// The budgets of an interface, all saved up.
    pub(super) fn of(profile: &Profile) -> Self {
        let mut airtime = Self { profile: *profile, budgets: None };
        if profile.reach == Reach::Shared {
            let most = Duration::from_micros(profile.duty.of(HOUR).as_micros() / 2);
            let whole = most.min(Duration::from_micros(HOUR.times(WHOLE).as_micros() / 1_000));
            let share = |parts| Duration::from_micros(whole.times(parts).as_micros() / WHOLE);
            let handshake = airtime.opening().plus(airtime.answer());
            let keeping = airtime.occupied(longest_of_asking()).plus(airtime.answering());
            let wait = WAIT.max(airtime.occupied(profile.frame_size.into()).times(WAIT_FRAMES));
            let bucket = |hourly, unit, saved| bucket(hourly, unit, saved, HOUR.plus(wait));
            let beacon = airtime.occupied(Beacon::LEN);
            airtime.budgets = Some(Budgets {
                handshakes: bucket(share(HANDSHAKES), handshake, SAVED),
                keeping: bucket(share(KEEPING), keeping, SAVED),
                handshakes_kept: half(burst(share(HANDSHAKES), handshake, SAVED)),
                keeping_kept: half(burst(share(KEEPING), keeping, SAVED)),
                beacons: bucket(share(BEACONS), beacon, SAVED_BEACONS),
            });
        }
        airtime
    }

    /// What whoever begins a handshake transmits for it, if nothing is lost: messages 1 and 3.
    fn opening(&self) -> Duration {
        self.occupied(First::LEN).plus(self.occupied(Finish::LEN))
    }

    /// What whoever is asked transmits: message 2, and a frame that says that message 3 came.
    fn answer(&self) -> Duration {
        self.occupied(Reply::LEN).plus(self.occupied(SEALED_OVERHEAD))
    }

    /// The longest answer to what keeps a link.
    fn answering(&self) -> Duration {
        self.occupied(longest_of_answering())
    }

    fn occupied(&self, bytes: usize) -> Duration {
        self.profile.airtime(bytes)
    }

    /// Takes what a frame of `bytes` needs, if there is as much.
    #[must_use = "without airtime nothing may be sent"]
    pub(super) fn take(&mut self, now: Instant, purpose: Purpose, bytes: usize) -> bool {
        let airtime = self.occupied(bytes).as_micros();
        self.ready_at(purpose, bytes) <= now
            && self.budgets.as_mut().is_none_or(|budgets| budgets.of(purpose).take_many(now, airtime))
    }

    /// When a frame of `bytes` can be sent. Whoever asks keeps enough for the longest answer: else the many who ask would leave
    /// nothing for those who answer, and ask in vain.
    pub(super) fn ready_at(&mut self, purpose: Purpose, bytes: usize) -> Instant {
        let kept = match (purpose, &self.budgets) {
            (Purpose::Asking, _) => self.answering(),
            // Traffic must not keep links from being kept where there is none.
            (Purpose::Urgent, Some(budgets)) => budgets.keeping_kept,
            // While many handshakes are made there is little to acknowledge, and the other way round.
            (Purpose::Acknowledging, Some(budgets)) => budgets.handshakes_kept,
            (Purpose::Urgent | Purpose::Acknowledging, None)
            | (Purpose::Handshake | Purpose::Answering | Purpose::Beacon, _) => Duration::ZERO,
        };
        let airtime = self.occupied(bytes).plus(kept).as_micros();
        self.budgets.as_mut().map_or(Instant::BOOT, |budgets| budgets.of(purpose).holds_at(airtime))
    }

    /// When a handshake may begin: there is enough for all of it, and for the answer to another's.
    pub(super) fn begins_at(&self) -> Instant {
        let needed = self.opening().plus(self.answer()).as_micros();
        self.budgets.as_ref().map_or(Instant::BOOT, |budgets| budgets.handshakes.holds_at(needed))
    }

    /// Takes what a handshake needs that this node begins, if it may begin.
    #[must_use = "without airtime nothing may be sent"]
    pub(super) fn take_opening(&mut self, now: Instant) -> bool {
        let opening = self.opening().as_micros();
        self.begins_at() <= now
            && self.budgets.as_mut().is_none_or(|budgets| budgets.handshakes.take_many(now, opening))
    }

    /// Message 3 of a handshake that began will not be sent.
    pub(super) fn give_back_finish(&mut self) {
        let finish = self.occupied(Finish::LEN).as_micros();
        if let Some(budgets) = &mut self.budgets {
            budgets.handshakes.give_back(finish);
        }
    }

    /// When a handshake that another began can be answered.
    pub(super) fn answers_at(&self) -> Instant {
        let answer = self.answer().as_micros();
        self.budgets.as_ref().map_or(Instant::BOOT, |budgets| budgets.handshakes.holds_at(answer))
    }

    /// Takes what the answer to a handshake needs.
    #[must_use = "without airtime nothing may be sent"]
    pub(super) fn take_answer(&mut self, now: Instant) -> bool {
        let answer = self.answer().as_micros();
        self.budgets.as_mut().is_none_or(|budgets| budgets.handshakes.take_many(now, answer))
    }

    /// How long whoever has spent everything needs until it can answer a handshake.
    pub(super) fn answer_spacing(&self) -> Duration {
        let answer = self.answer().as_micros();
        self.budgets.as_ref().map_or(Duration::ZERO, |budgets| budgets.handshakes.span_of(answer))
    }

    /// From one beacon to the next if nothing but the budget decides.
    pub(super) fn beacon_spacing(&self) -> Duration {
        let beacon = self.occupied(Beacon::LEN).as_micros();
        self.budgets.as_ref().map_or(Duration::ZERO, |budgets| budgets.beacons.span_of(beacon))
    }

    /// How rarely each of so many links must be probed so that half of the budget for keeping them is left.
    pub(super) fn probe_spacing(&self, links: u64) -> Duration {
        let probe = self.occupied(probe_len()).as_micros();
        let spacing = |budgets: &Budgets| budgets.keeping.span_of(probe).times(links).times(2);
        self.budgets.as_ref().map_or(Duration::ZERO, spacing)
    }
}

impl Budgets {
    const fn of(&mut self, purpose: Purpose) -> &mut Bucket {
        match purpose {
            Purpose::Handshake | Purpose::Acknowledging => &mut self.handshakes,
            Purpose::Asking | Purpose::Urgent | Purpose::Answering => &mut self.keeping,
            Purpose::Beacon => &mut self.beacons,
        }
    }
}

/// A bucket of airtime, in microseconds, of which no hour sees more than `hourly`: what is saved up and what comes in an hour
/// together. At least one `unit` can be saved up, however little `hourly` is, and at most `saved`.
fn bucket(hourly: Duration, unit: Duration, saved: u64, spread: Duration) -> Bucket {
    let burst = burst(hourly, unit, saved);
    let quarter = Duration::from_micros(hourly.as_micros() / 4);
    let steady = hourly.minus(burst).max(quarter).as_micros().max(1);
    let every = Duration::from_micros(spread.as_micros().div_ceil(steady));
    Bucket::new(every, u32::try_from(burst.as_micros()).unwrap_or(u32::MAX))
}

fn half(all: Duration) -> Duration {
    Duration::from_micros(all.as_micros() / 2)
}

/// What such a bucket saves up.
fn burst(hourly: Duration, unit: Duration, saved: u64) -> Duration {
    let quarter = Duration::from_micros(hourly.as_micros() / 4);
    quarter.min(unit.times(saved)).max(unit).max(Duration::from_micros(1))
}

/// A PING or PONG, sealed.
pub(super) fn probe_len() -> usize {
    MessageWriter::len_of(&Ping { token: 0, clock_ms: 0 }).saturating_add(SEALED_OVERHEAD)
}

/// The longest question: an offer of keys.
fn longest_of_asking() -> usize {
    let session = SessionId::new(1).expect("not zero");
    MessageWriter::len_of(&Rekey { session, noise: &[0; 32] }).saturating_add(SEALED_OVERHEAD)
}

/// The longest answer: to an offer of keys.
fn longest_of_answering() -> usize {
    let session = SessionId::new(1).expect("not zero");
    MessageWriter::len_of(&RekeyAck { session, noise: &[0; REKEY_ACK_LEN] }).saturating_add(SEALED_OVERHEAD)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::interface::{Access, DutyCycle, Mode, Role, Timing};
    use crate::lora::Modulation;

    fn radio(spreading_factor: u8, duty: DutyCycle) -> Profile {
        let modulation = Modulation::new(125_000, spreading_factor, 5).unwrap();
        Profile {
            mode: Mode::Nexus,
            reach: Reach::Shared,
            access: Access::Direct,
            bandwidth_bps: modulation.bitrate_bps(),
            frame_size: 508,
            timing: Timing::LoRa(modulation),
            duty,
            sub_band: None,
            overhead: 0,
            price: 0,
            role: Role::Full,
            gravity: 0,
        }
    }

    /// What can be spent in an hour that begins with everything saved up, in microseconds.
    fn spent_in_an_hour(profile: &Profile) -> u64 {
        let mut airtime = Airtime::of(profile);
        let mut spent = 0;
        for second in 0..3_600 {
            let now = Instant::BOOT.after(Duration::from_secs(10_000 + second));
            let frames = [(Purpose::Asking, 36), (Purpose::Beacon, Beacon::LEN), (Purpose::Handshake, 39)];
            for (purpose, bytes) in frames {
                while airtime.take(now, purpose, bytes) {
                    spent += profile.airtime(bytes).as_micros();
                }
            }
        }
        spent
    }

    #[test]
    fn no_hour_has_more_than_a_hundredth_of_the_airtime_and_most_of_that_can_be_used() {
        for spreading_factor in 7..=12 {
            let spent = spent_in_an_hour(&radio(spreading_factor, DutyCycle::UNLIMITED));
            assert!(spent <= 36_000_000 && spent > 18_000_000, "SF{spreading_factor}: {spent}");
        }
    }

    #[test]
    fn where_the_duty_cycle_is_short_links_take_at_most_half_of_it() {
        let spent = spent_in_an_hour(&radio(7, DutyCycle::new(50).unwrap()));
        assert!(spent <= 9_000_000 && spent > 6_000_000, "{spent} of 18 s");
        let ample = spent_in_an_hour(&radio(7, DutyCycle::new(1_000).unwrap()));
        assert_eq!(ample, spent_in_an_hour(&radio(7, DutyCycle::UNLIMITED)));
    }

    #[test]
    fn a_whole_handshake_can_be_saved_up_on_the_slowest_channel_and_one_that_ends_early_gives_back() {
        let mut airtime = Airtime::of(&radio(12, DutyCycle::UNLIMITED));
        let now = Instant::BOOT.after(Duration::from_secs(1));
        assert!(airtime.take_opening(now) && !airtime.take_opening(now));
        assert!(airtime.take_answer(now) && !airtime.take_answer(now));
        let before = airtime.begins_at();
        airtime.give_back_finish();
        assert!(airtime.begins_at() < before);
    }

    #[test]
    fn whoever_asks_leaves_enough_for_an_answer() {
        for spreading_factor in 7..=12 {
            let mut airtime = Airtime::of(&radio(spreading_factor, DutyCycle::UNLIMITED));
            let now = Instant::BOOT.after(Duration::from_secs(1));
            let mut asked = 0;
            while airtime.take(now, Purpose::Asking, probe_len()) {
                asked += 1;
            }
            assert!(asked > 0 && airtime.take(now, Purpose::Answering, longest_of_answering()));
        }
    }

    #[test]
    fn what_is_not_shared_has_no_budget() {
        let profile = Profile { reach: Reach::PointToPoint, ..radio(12, DutyCycle::UNLIMITED) };
        let mut airtime = Airtime::of(&profile);
        assert!((0..1_000).all(|_| airtime.take(Instant::BOOT, Purpose::Asking, 508)));
        assert_eq!((airtime.begins_at(), airtime.answer_spacing()), (Instant::BOOT, Duration::ZERO));
    }
}
