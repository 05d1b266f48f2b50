//! What a channel sends: in order, a window at a time, again until it is proved. Source: spec/endpoint.md#channels.

use alloc::collections::{BTreeMap, VecDeque};
use alloc::vec::Vec;

use nexus_machine::{Duration, Instant, Sink};
use nexus_wire::reticulum::channel::{ChannelMessage, End, Packing, StreamPiece};

use super::contract::{Command, Effect, Event, Failure, Message, Number, Refusal, Write};
use crate::resource::Compression;
use crate::{Bytes, Handle};

/// Messages under way at first and at least, and at most by the round trip.
const LEAST: usize = 2;
const SLOW_MAX: usize = 5;
const USUAL_MAX: usize = 12;
/// See above.
pub(super) const FAST_MAX: usize = 48;
const SLOW: Duration = Duration::from_millis(750);
const USUAL: Duration = Duration::from_millis(180);
/// How often a message is said before the other end is taken to be gone.
const TRIES: u8 = 5;
/// The least that a proof is waited for.
const LEAST_WAIT: Duration = Duration::from_millis(25);
/// Commands that wait, and their bytes.
const WAITING: usize = 64;
/// See above.
pub(super) const WAITING_BYTES: usize = 1 << 17;
/// Kinds of messages from here on are Reticulum's own.
const RESERVED: u16 = 0xf000;
/// Bytes of a stream that are compressed together at most: as many packets' worth, and in all.
const PACKED_PACKETS: usize = 4;
const PACKED_MAX: usize = 1 << 14;

/// The sending side.
#[derive(Debug)]
pub(super) struct Sending {
    pub(super) rtt: Duration,
    /// The longest plaintext of a packet.
    data_len: usize,
    window: usize,
    /// The number of the next message.
    next: u64,
    flying: BTreeMap<u64, Flight>,
    waiting: VecDeque<Waiting>,
    waiting_bytes: usize,
    /// Whether what is first in the queue is being compressed.
    is_packing: bool,
    /// The last message of each command, and who gave it.
    ends: VecDeque<(u64, Handle)>,
}

/// A message under way.
#[derive(Debug)]
struct Flight {
    said: Vec<u8>,
    tries: u8,
    deadline: Instant,
}

/// A command that waits, or its rest.
#[derive(Debug)]
struct Waiting {
    handle: Handle,
    what: What,
    /// What of it was said.
    from: usize,
}

#[derive(Debug)]
enum What {
    Message(Message),
    Write(Write),
}

impl Sending {
    pub(super) const fn new(rtt: Duration, data_len: usize) -> Self {
        Self {
            rtt,
            data_len,
            window: LEAST,
            next: 0,
            flying: BTreeMap::new(),
            waiting: VecDeque::new(),
            waiting_bytes: 0,
            is_packing: false,
            ends: VecDeque::new(),
        }
    }

    pub(super) fn obey(&mut self, now: Instant, command: Command, out: &mut impl Sink<Effect>) {
        let (handle, what) = match command {
            Command::Send(handle, message) => (handle, What::Message(message)),
            Command::Write(handle, write) => (handle, What::Write(write)),
        };
        if let Err(why) = self.admits(&what) {
            return out.push(Effect::Event(Event::NotSent(handle, why)));
        }
        self.waiting_bytes = self.waiting_bytes.saturating_add(what.data().len());
        self.waiting.push_back(Waiting { handle, what, from: 0 });
        self.go_on(now, out);
    }

    fn admits(&self, what: &What) -> Result<(), Refusal> {
        let len = what.data().len();
        match what {
            What::Message(message) if message.kind >= RESERVED => return Err(Refusal::Reserved),
            What::Write(write) if write.stream >= StreamPiece::STREAMS => return Err(Refusal::Reserved),
            What::Message(_) if len > self.room() => return Err(Refusal::TooLong),
            What::Message(_) | What::Write(_) => {}
        }
        let bytes = self.waiting_bytes.saturating_add(len);
        if self.waiting.len() >= WAITING || self.ends.len() >= WAITING || bytes > WAITING_BYTES {
            return Err(Refusal::Busy);
        }
        Ok(())
    }

    /// The most data of a message.
    fn room(&self) -> usize {
        self.data_len.saturating_sub(ChannelMessage::HEADER_LEN).min(usize::from(u16::MAX))
    }

    /// The most bytes of a stream in a message.
    fn stream_room(&self) -> usize {
        self.room().saturating_sub(StreamPiece::HEADER_LEN).max(1)
    }

    /// Says as much of what waits as the window lets it.
    fn go_on(&mut self, now: Instant, out: &mut impl Sink<Effect>) {
        while !self.is_packing && self.has_room() {
            let room = self.stream_room();
            let Some(first) = self.waiting.front() else { return };
            let rest = first.what.data().get(first.from..).unwrap_or_default();
            match &first.what {
                What::Message(message) => {
                    let (kind, data) = (message.kind, message.data.0.clone());
                    self.say(now, kind, &data, data.len(), out);
                }
                What::Write(write) if write.compression == Compression::Tried && rest.len() > room => {
                    let len = rest.len().min(room.saturating_mul(PACKED_PACKETS)).min(PACKED_MAX);
                    self.is_packing = true;
                    out.push(Effect::Pack(Bytes(rest.get(..len).unwrap_or_default().to_vec())));
                }
                What::Write(_) => {
                    let piece = rest.get(..rest.len().min(room)).unwrap_or_default().to_vec();
                    self.say_piece(now, Packing::Plain, &piece, piece.len(), out);
                }
            }
        }
    }

    /// The bytes that were last to be compressed were, or it was of no use.
    pub(super) fn packed(
        &mut self,
        now: Instant,
        packing: Packing,
        data: &Bytes,
        out: &mut impl Sink<Effect>,
    ) {
        if !core::mem::replace(&mut self.is_packing, false) {
            return;
        }
        let room = self.stream_room();
        let Some(first) = self.waiting.front_mut() else { return };
        let rest = first.what.data().len().saturating_sub(first.from);
        let asked = rest.min(room.saturating_mul(PACKED_PACKETS)).min(PACKED_MAX);
        match (&mut first.what, packing) {
            (What::Write(_), Packing::Compressed) if data.0.len() <= room => {
                self.say_piece(now, Packing::Compressed, &data.0, asked, out);
            }
            // The rest is taken to be like it.
            (What::Write(write), _) => write.compression = Compression::None,
            (What::Message(_), _) => {}
        }
        self.go_on(now, out);
    }

    /// Says the next piece of the stream that is first in the queue, which stands for so many of its bytes.
    fn say_piece(
        &mut self,
        now: Instant,
        packing: Packing,
        data: &[u8],
        stands_for: usize,
        out: &mut impl Sink<Effect>,
    ) {
        let Some(Waiting { what: What::Write(write), from, .. }) = self.waiting.front() else { return };
        let is_last = from.saturating_add(stands_for) >= write.data.0.len();
        let end = if is_last { write.end } else { End::GoesOn };
        let piece = StreamPiece { stream: write.stream, end, packing, data }.encode();
        self.say(now, ChannelMessage::STREAM, &piece, stands_for, out);
    }

    /// Says the next message, which stands for so many bytes of what is first in the queue.
    fn say(&mut self, now: Instant, kind: u16, data: &[u8], stands_for: usize, out: &mut impl Sink<Effect>) {
        let number = self.next;
        self.next = number.saturating_add(1);
        let said = ChannelMessage { kind, sequence: sequence(number), data }.encode();
        out.push(Effect::Say(Number(number), said.clone()));
        self.flying.insert(number, Flight { said, tries: 1, deadline: Instant::NEVER });
        let patience = self.patience(1);
        if let Some(flight) = self.flying.get_mut(&number) {
            flight.deadline = now.after(patience);
        }
        let Some(first) = self.waiting.front_mut() else { return };
        first.from = first.from.saturating_add(stands_for);
        if first.from >= first.what.data().len()
            && let Some(whole) = self.waiting.pop_front()
        {
            self.waiting_bytes = self.waiting_bytes.saturating_sub(whole.what.data().len());
            self.ends.push_back((number, whole.handle));
        }
    }

    fn has_room(&self) -> bool {
        let oldest = self.flying.first_key_value().map_or(self.next, |(number, _)| *number);
        let span = usize::try_from(self.next.saturating_sub(oldest)).unwrap_or(usize::MAX);
        span < self.window
    }

    /// A message was proved.
    pub(super) fn proved(&mut self, now: Instant, number: Number, out: &mut impl Sink<Effect>) {
        if self.flying.remove(&number.0).is_none() {
            return;
        }
        let most = match self.rtt {
            rtt if rtt > SLOW => SLOW_MAX,
            rtt if rtt > USUAL => USUAL_MAX,
            _ => FAST_MAX,
        };
        self.window = self.window.saturating_add(1).min(most);
        let oldest = self.flying.first_key_value().map_or(self.next, |(number, _)| *number);
        while let Some((last, handle)) = self.ends.front().copied()
            && last < oldest
        {
            self.ends.pop_front();
            out.push(Effect::Event(Event::Sent(handle)));
        }
        self.go_on(now, out);
    }

    /// Says again what was not proved in time.
    pub(super) fn late(&mut self, now: Instant, out: &mut impl Sink<Effect>) -> Result<(), Failure> {
        let late: Vec<u64> = self
            .flying
            .iter()
            .filter(|(_, flight)| flight.deadline <= now)
            .map(|(number, _)| *number)
            .collect();
        for number in late {
            let tries = self.flying.get(&number).map_or(0, |flight| flight.tries);
            if tries >= TRIES {
                return Err(Failure::Silent);
            }
            self.window = self.window.saturating_sub(1).max(LEAST);
            let patience = self.patience(tries.saturating_add(1));
            if let Some(flight) = self.flying.get_mut(&number) {
                flight.tries = tries.saturating_add(1);
                flight.deadline = now.after(patience);
                out.push(Effect::Say(Number(number), flight.said.clone()));
            }
        }
        Ok(())
    }

    pub(super) fn next_timeout(&self) -> Option<Instant> {
        self.flying.values().map(|flight| flight.deadline).min()
    }

    /// Tells everybody who waits that it was in vain, and forgets it all.
    pub(super) fn end(&mut self, out: &mut impl Sink<Effect>) {
        let unsent = self.ends.drain(..).map(|(_, handle)| handle);
        let unsent: Vec<_> = unsent.chain(self.waiting.drain(..).map(|waiting| waiting.handle)).collect();
        for handle in unsent {
            out.push(Effect::Event(Event::NotSent(handle, Refusal::Ended)));
        }
        self.flying.clear();
        self.waiting_bytes = 0;
        self.is_packing = false;
    }

    /// How long a proof is waited for at this try: half as long again each time, and longer the more are under way.
    fn patience(&self, tries: u8) -> Duration {
        let base = Duration::from_micros(self.rtt.times(5).as_micros() / 2).max(LEAST_WAIT);
        let under_way =
            u64::try_from(self.flying.len()).unwrap_or(u64::MAX).saturating_mul(2).saturating_add(3);
        let mut wait = Duration::from_micros(base.times(under_way).as_micros() / 2);
        for _ in 1..tries {
            wait = Duration::from_micros(wait.times(3).as_micros() / 2);
        }
        wait
    }
}

impl What {
    fn data(&self) -> &[u8] {
        match self {
            Self::Message(message) => &message.data.0,
            Self::Write(write) => &write.data.0,
        }
    }
}

/// The number as it is said.
fn sequence(number: u64) -> u16 {
    u16::try_from(number & 0xffff).unwrap_or_default()
}
