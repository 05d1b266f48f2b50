//! How fast a link lives: what follows from its medium's profile.

use nexus_machine::{Duration, Stream};
use nexus_wire::nexus::code::BandwidthCode;
use nexus_wire::nexus::frame::Reply;

use super::airtime::Airtime;
use crate::interface::{DutyCycle, Profile, Reach};

/// The times and sizes of links on one interface.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pace {
    /// How many counters a replay window spans.
    pub(super) window: u16,
    /// How long a key is used before another is offered; at twice this age it is dead.
    pub(super) rekey_after: Duration,
    /// How many bytes a key seals before another is offered.
    pub(super) rekey_bytes: u64,
    /// Silence after which the peer is asked whether it is there.
    pub(super) keepalive: Duration,
    /// Whether everybody in range hears what is sent.
    pub(super) is_shared: bool,
    /// Whether frames with packets are acknowledged.
    pub(super) acknowledged: bool,
    /// The airtime of the longest frame.
    pub(super) frame_airtime: Duration,
    /// The airtime of a node's announce, sealed.
    pub(super) announce_airtime: Duration,
    /// How long a peer that was doubted for the first time is not trusted, once it is heard again.
    pub(super) trial: Duration,
    /// The airtime of a message 2: what the back-off of handshakes counts in.
    pub(super) reply_airtime: Duration,
    /// From a message 1 to its repetition,
    pub(super) first_wait: Duration,
    /// and from a message 3 to its own.
    pub(super) finish_wait: Duration,
    /// The longest frame, in bytes.
    pub(super) frame_size: u16,
    /// The nominal bandwidth.
    pub(super) bandwidth: BandwidthCode,
    /// What this node asks for carrying packets out, in µNXS for 1,024 bytes: what was set, and more while the interface is crowded.
    pub(super) price: u64,
}

/// Below this rate, in bits per second, a medium counts as slow: keys live a day.
const SLOW_BPS: u64 = 10_000;
/// Below this rate packets are acknowledged.
const ACKNOWLEDGED_BPS: u64 = 1_000_000;
/// An announce without data of its node's own with cost and seal, in bytes.
const ANNOUNCE: usize = 233;
/// A peer that is heard again after it was doubted is not trusted for so long, or for four of the longest frames.
const TRIAL: Duration = Duration::from_secs(1);
/// How many counters the replay window of a carried link spans, and after how much silence its peer is asked.
/// Source: spec/network.md#carried-links.
pub(super) const CARRIED_WINDOW: u16 = 64;
const CARRIED_KEEPALIVE: Duration = Duration::from_secs(600);
const HOUR: Duration = Duration::from_secs(3_600);
const MEGABYTE: u64 = 1_000_000;

impl Pace {
    /// The pace of a medium. Source: spec/network.md#links.
    pub(super) fn of(profile: &Profile, airtime: &Airtime) -> Self {
        let bps = profile.bandwidth_bps;
        let radio = profile.reach == Reach::Shared;
        let slow = bps > 0 && bps < SLOW_BPS;
        let below = |rate| bps > 0 && bps < rate;
        let keepalive = match (slow || radio, below(ACKNOWLEDGED_BPS)) {
            (true, _) => 600,
            (false, true) => 60,
            (false, false) => 15,
        };
        let reply_airtime = profile.airtime(Reply::LEN);
        let frame_airtime = profile.airtime(usize::from(profile.frame_size));
        // On a shared channel both messages may wait for others' frames,
        let listening = if radio { frame_airtime.times(8) } else { Duration::ZERO };
        let finish_wait = reply_airtime.times(2).plus(Duration::from_secs(1)).plus(listening);
        // and whoever is asked may have to save up the airtime for its answer.
        let first_wait = finish_wait.max(airtime.answer_spacing());
        let rare_keys = slow || profile.duty != DutyCycle::UNLIMITED;
        Self {
            window: if radio { 64 } else { 2_048 },
            rekey_after: if rare_keys { HOUR.times(24) } else { HOUR },
            rekey_bytes: MEGABYTE.max(bps.saturating_mul(60) / 8),
            keepalive: Duration::from_secs(keepalive),
            is_shared: radio,
            acknowledged: radio || below(ACKNOWLEDGED_BPS),
            frame_airtime,
            announce_airtime: profile.airtime(ANNOUNCE),
            trial: TRIAL.max(frame_airtime.times(4)),
            reply_airtime,
            first_wait,
            finish_wait,
            frame_size: profile.frame_size,
            bandwidth: BandwidthCode::nearest(bps),
            price: profile.price,
        }
    }

    /// Where a Reticulum link is the medium: every question is a packet across relays of others, and that link has keepalives of its own.
    pub(super) fn of_carrier(self) -> Self {
        Self { window: CARRIED_WINDOW, keepalive: CARRIED_KEEPALIVE, acknowledged: false, ..self }
    }

    /// When a handshake that does not come to an end is forgotten.
    pub(super) fn patience(&self) -> Duration {
        // Where that is long, a message is repeated once.
        Duration::from_secs(30).max(self.reply_airtime.times(20)).max(self.first_wait.times(3))
    }

    /// How long the keys before the present ones still open, once something came under the present ones.
    pub(super) fn grace(&self, rtt: Option<Duration>) -> Duration {
        let worst = rtt.unwrap_or(Duration::ZERO).max(self.frame_airtime.times(2));
        if self.acknowledged { worst.times(10).max(Duration::from_secs(20)) } else { Duration::from_secs(60) }
    }
}

/// `wait`, a random quarter more or less.
pub(crate) fn jittered(wait: Duration, random: &mut Stream) -> Duration {
    let quarter = wait.as_micros() / 4;
    let spread = random.below(quarter.saturating_mul(2).saturating_add(1));
    wait.minus(Duration::from_micros(quarter)).plus(Duration::from_micros(spread))
}
