//! One frame at a time: the radio says when it takes another, and if it does not, the frame's airtime does.
//!
//! A radio that says when it is ready and does not for long holds a frame on a channel in use. It is given another in case that it was
//! its word that got lost, each time after twice as long; and whatever it holds has to leave before there is one more. So what waits in
//! the radio is never more than a few frames, and what is urgent waits in the core, where it can overtake.

use core::mem::discriminant;

use nexus_machine::{Duration, Instant, Sink};
use nexus_wire::reticulum::rnode::{Setting, ToDevice};

use super::setting_up::settings;
use super::statistics::Counters;
use super::{Effect, write};
use crate::lora::FRAME_MAX;
use crate::region::Channel;

/// What a radio that never said that it is ready gets beside twice a frame's airtime,
const UNKNOWN: Duration = Duration::from_millis(500);
/// and what one that does say so gets: the channel may be in use for long.
const CHANNEL: Duration = Duration::from_secs(15);
/// doubled for each frame that it holds, so often at most.
const DOUBLED: u8 = 3;

/// A radio that is on.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sending {
    channel: Channel,
    flight: Option<Flight>,
    /// Whether it says that it is ready.
    says_ready: bool,
    /// How many earlier frames it may still hold: it did not say that it was ready after them.
    held: u8,
}

/// A frame that the radio has.
#[derive(Clone, Copy, Debug)]
struct Flight {
    airtime: Duration,
    /// When it is taken to be over, whatever the radio says.
    until: Instant,
    refused: bool,
    /// Whether the radio said meanwhile that an earlier one had left.
    is_behind_others: bool,
}

impl Sending {
    pub(super) const fn new(channel: Channel) -> Self {
        Self { channel, flight: None, says_ready: false, held: 0 }
    }

    pub(super) fn until(&self) -> Option<Instant> {
        self.flight.map(|flight| flight.until)
    }

    /// Whether an echo is of a setting as it was made.
    pub(super) fn is_as_set(&self, echo: Setting) -> bool {
        settings(self.channel)
            .iter()
            .find(|setting| discriminant(*setting) == discriminant(&echo))
            .is_none_or(|setting| setting.is_met_by(&echo))
    }

    pub(super) fn transmit(&mut self, now: Instant, frame: &[u8], out: &mut impl Sink<Effect>) {
        if self.flight.is_some() || frame.is_empty() || frame.len() > usize::from(FRAME_MAX) {
            return out.push(Effect::Lost);
        }
        write(ToDevice::Data(frame), out);
        let airtime = self.channel.modulation().airtime(frame.len());
        let patience = if self.says_ready { CHANNEL.times(1 << self.held.min(DOUBLED)) } else { UNKNOWN };
        let until = now.after(airtime.times(2)).after(patience);
        self.flight = Some(Flight { airtime, until, refused: false, is_behind_others: false });
    }

    /// The radio takes another frame. Whether that changes a counter.
    pub(super) fn ready(
        &mut self,
        now: Instant,
        counters: &mut Counters,
        out: &mut impl Sink<Effect>,
    ) -> bool {
        self.says_ready = true;
        let earlier = self.held > 0;
        self.held = self.held.saturating_sub(1);
        let Some(flight) = &mut self.flight else { return false };
        if earlier && !flight.refused {
            flight.is_behind_others = true;
            flight.until = flight.until.max(now.after(flight.airtime.times(2)).after(CHANNEL));
        }
        // After a refusal the frame's airtime is waited for: the next one would be refused as well.
        if flight.refused || earlier {
            return false;
        }
        self.flight = None;
        counters.count_sent();
        out.push(Effect::Sent);
        true
    }

    /// The radio did not take the frame: another one is due when one may have left.
    pub(super) fn refused(&mut self, now: Instant) {
        if let Some(flight) = &mut self.flight
            && !flight.refused
        {
            flight.refused = true;
            flight.until = now.after(flight.airtime);
        }
    }

    /// Nothing was heard of the frame for as long as it may take. Whether that changes a counter.
    pub(super) fn overdue(&mut self, counters: &mut Counters, out: &mut impl Sink<Effect>) -> bool {
        let Some(flight) = self.flight.take() else { return false };
        if flight.refused {
            counters.count_lost();
            out.push(Effect::Lost);
        } else {
            // If it was behind others and some of them left meanwhile, a word got lost: begin to count anew.
            self.held = if flight.is_behind_others { 0 } else { self.held.saturating_add(1) };
            counters.count_unready();
            counters.count_sent();
            out.push(Effect::Sent);
        }
        true
    }
}
