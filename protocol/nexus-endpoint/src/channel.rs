//! Channels: messages in order within a link, and streams of bytes in them.
//!
//! Each message is a packet of the link, and said again until its proof comes; one that is not proved five times ends the link. The link
//! makes packets and proofs, and its host compresses: both are effects.
//!
//! Invariants: what is handed on is what was sent, each once and in order; whoever sends something hears of its end once; what is not
//! proved was not taken.
//!
//! Spec: spec/endpoint.md#channels.

mod contract;
mod receiving;
mod sending;
#[cfg(test)]
mod tests;

use nexus_machine::{Cx, Instant, Machine, MemoryBound, Sink};

pub use contract::{Command, Effect, Event, Failure, Input, Message, Number, Refusal, Write};
use receiving::Receiving;
use sending::{FAST_MAX, Sending, WAITING_BYTES};

use crate::Measures;

/// Messages that came before those they follow on: one further ahead is not proved.
const AHEAD: usize = 64;
/// The longest piece of a stream that is decompressed, in bytes.
const UNPACKED_MAX: u32 = 1 << 16;

/// The channel of a link.
#[derive(Debug)]
pub struct Channel {
    /// The longest plaintext of a packet, in bytes.
    data_len: usize,
    sending: Sending,
    receiving: Receiving,
    has_ended: bool,
}

impl Channel {
    /// That of a link that is up.
    #[must_use]
    pub fn new(measures: Measures) -> Self {
        let data_len = usize::try_from(measures.data_len).unwrap_or(usize::MAX);
        let sending = Sending::new(measures.rtt, data_len);
        Self { data_len, sending, receiving: Receiving::default(), has_ended: false }
    }

    fn end(&mut self, why: Failure, out: &mut impl Sink<Effect>) {
        self.has_ended = true;
        self.sending.end(out);
        self.receiving.end();
        out.push(Effect::TearDown(why));
    }

    /// The one answer that an ended channel has.
    fn refuse(command: &Command, out: &mut impl Sink<Effect>) {
        let (Command::Send(handle, _) | Command::Write(handle, _)) = command;
        out.push(Effect::Event(Event::NotSent(*handle, Refusal::Ended)));
    }
}

impl Machine for Channel {
    type Input = Input;
    type Effect = Effect;

    fn handle(&mut self, cx: Cx, input: Input, out: &mut impl Sink<Effect>) {
        match input {
            Input::RoundTrip(rtt) => self.sending.rtt = rtt,
            Input::Command(command) if self.has_ended => Self::refuse(&command, out),
            Input::Command(command) => self.sending.obey(cx.now, command, out),
            Input::Heard(_) | Input::Proved(_) | Input::Packed(..) | Input::Unpacked(_) if self.has_ended => {
            }
            Input::Heard(bytes) => {
                if bytes.len() <= self.data_len {
                    self.receiving.hear(&bytes, out);
                }
            }
            Input::Proved(number) => self.sending.proved(cx.now, number, out),
            Input::Packed(packing, data) => self.sending.packed(cx.now, packing, &data, out),
            Input::Unpacked(data) => {
                if let Err(why) = self.receiving.unpacked(data, out) {
                    self.end(why, out);
                }
            }
        }
    }

    fn handle_timeout(&mut self, cx: Cx, out: &mut impl Sink<Effect>) {
        if let Err(why) = self.sending.late(cx.now, out) {
            self.end(why, out);
        }
    }

    fn next_timeout(&self) -> Option<Instant> {
        self.sending.next_timeout()
    }
}

impl Channel {
    /// The most that the channel of any link holds: of one whose packets are as long as they may be.
    pub(crate) const BOUND: usize = Self::bound(1 << 13);

    const fn bound(data_len: usize) -> usize {
        // A tree's nodes are half empty, and a queue grows to twice of what it holds; 64 commands wait, and as many were said.
        const PLACE: usize = 256;
        const COMMANDS: usize = 2 * 64 * 2 * PLACE;
        let messages = AHEAD.saturating_add(FAST_MAX);
        messages
            .saturating_mul(data_len.saturating_add(PLACE))
            .saturating_add(WAITING_BYTES)
            .saturating_add(COMMANDS)
    }

    /// The link is no more: whoever waits for something hears of its end.
    pub(crate) fn link_ended(&mut self, out: &mut impl Sink<Effect>) {
        self.has_ended = true;
        self.sending.end(out);
    }
}

impl MemoryBound for Channel {
    fn memory_bound(&self) -> usize {
        Self::bound(self.data_len)
    }
}
