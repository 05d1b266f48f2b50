//! The host's side of an RNode: it is detected, set up, switched on, and given one frame at a time.
//!
//! Invariant: nothing but the question whether an RNode is there is written before somebody chose a [`Channel`], and no
//! frame before the radio confirmed every setting of it. A radio that restarts, fails or is unplugged is set up again. Whoever
//! drives it moves bytes and keeps time; nothing else is left to decide. Spec: spec/network.md#rnode-host;
//! bytes: spec/reticulum.md#rnode.

mod condition;
mod radio;
mod sending;
mod setting_up;
mod statistics;
#[cfg(test)]
mod tests;

use alloc::vec;
use alloc::vec::Vec;

use nexus_machine::{Cx, Instant, Machine, MemoryBound, Sink};
use nexus_wire::reticulum::kiss;
use nexus_wire::reticulum::rnode::{Firmware, ToDevice};

use crate::interface::{Access, Mode, Profile, Reach, Role, Timing};
use crate::lora::FRAME_MAX;
use crate::region::Channel;

pub use condition::{Condition, Fault};
use radio::Radio;
pub use statistics::{Counters, Signal, Smoothed, Statistics};

/// What it is told.
#[derive(Clone, Debug)]
pub enum Input {
    /// The port is open.
    Plugged,
    /// The port is gone. What was being sent is gone with it.
    Unplugged,
    /// Bytes from the port, in any pieces.
    Bytes(Vec<u8>),
    /// Send this frame; then none until [`Effect::Sent`], [`Effect::Lost`] or [`Effect::Down`].
    Transmit(Vec<u8>),
    /// The host leaves: the radio is to be switched off.
    Leave,
}

/// What it wants, and what it says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Write this to the port, in order.
    Write(Vec<u8>),
    /// The radio is on: frames pass.
    Up(Profile),
    /// It is not any more.
    Down,
    /// How things are is not what it was.
    Condition(Condition),
    /// A frame arrived over the air.
    Received {
        /// Its bytes.
        frame: Vec<u8>,
        /// How well it was heard.
        signal: Signal,
    },
    /// The radio took the frame and is ready for another one.
    Sent,
    /// The frame did not leave; another one may be tried.
    Lost,
    /// The statistics are not what they were.
    Measured,
}

/// What the operator chose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Which bytes are spoken.
    pub mode: Mode,
    /// The channel; without one the radio stays off.
    pub channel: Option<Channel>,
}

impl Settings {
    /// What the core is told of the radio; none without a channel.
    #[must_use]
    pub fn profile(&self) -> Option<Profile> {
        self.channel.map(|channel| Profile {
            mode: self.mode,
            reach: Reach::Shared,
            // It listens before it talks by itself.
            access: Access::Direct,
            bandwidth_bps: channel.modulation().bitrate_bps(),
            frame_size: FRAME_MAX,
            timing: Timing::LoRa(channel.modulation()),
            duty: channel.duty(),
            sub_band: channel.sub_band(),
            overhead: 1,
            price: 0,
            role: Role::Full,
            gravity: 0,
        })
    }
}

/// What the modem said of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Device {
    /// Its firmware.
    pub firmware: Firmware,
    /// The platform that it is built on, if it said so.
    pub platform: Option<u8>,
    /// Its microcontroller, if it said so.
    pub mcu: Option<u8>,
}

/// One RNode and its host.
#[derive(Debug)]
pub struct Rnode {
    deframer: kiss::Deframer,
    radio: Radio,
}

impl Rnode {
    /// Without a port.
    #[must_use]
    pub fn new(settings: Settings) -> Self {
        Self { deframer: kiss::Deframer::new(usize::from(FRAME_MAX)), radio: Radio::new(settings) }
    }

    /// How things are.
    #[must_use]
    pub const fn condition(&self) -> Condition {
        self.radio.condition()
    }

    /// The modem, once it was detected.
    #[must_use]
    pub const fn device(&self) -> Option<Device> {
        self.radio.device()
    }

    /// What was measured and counted.
    #[must_use]
    pub const fn statistics(&self) -> &Statistics {
        self.radio.statistics()
    }

    fn take(&mut self, now: Instant, bytes: &[u8], out: &mut impl Sink<Effect>) {
        let mut rest = bytes;
        while let Some(frame) = self.deframer.next_frame(&mut rest) {
            self.radio.hear(now, frame, out);
        }
        self.radio.note_dropped(self.deframer.dropped());
    }

    /// The stream begins anew: what was half a frame is none.
    fn begin_stream(&mut self) {
        self.deframer = kiss::Deframer::new(usize::from(FRAME_MAX));
        self.radio.forget_dropped();
    }
}

impl Machine for Rnode {
    type Input = Input;
    type Effect = Effect;

    fn handle(&mut self, cx: Cx, input: Input, out: &mut impl Sink<Effect>) {
        match input {
            Input::Plugged => {
                self.begin_stream();
                self.radio.plugged(cx.now, out);
            }
            Input::Unplugged => self.radio.unplugged(out),
            Input::Bytes(bytes) => self.take(cx.now, &bytes, out),
            Input::Transmit(frame) => self.radio.transmit(cx.now, &frame, out),
            Input::Leave => self.radio.leave(out),
        }
        self.radio.tell_measured(out);
    }

    fn handle_timeout(&mut self, cx: Cx, out: &mut impl Sink<Effect>) {
        self.radio.timeout(cx.now, out);
        self.radio.tell_measured(out);
    }

    fn next_timeout(&self) -> Option<Instant> {
        self.radio.next_timeout()
    }
}

impl MemoryBound for Rnode {
    fn memory_bound(&self) -> usize {
        // One frame from the port, with its command.
        usize::from(FRAME_MAX).saturating_add(64)
    }
}

/// Has the port written to.
fn write(message: ToDevice<'_>, out: &mut impl Sink<Effect>) {
    let mut buffer = vec![0; encoded_len(message)];
    let written = message.encode(&mut buffer).map_or(0, |bytes| bytes.len());
    buffer.truncate(written);
    out.push(Effect::Write(buffer));
}

/// An upper bound on the length of a message on the port: each byte may need two, and there are two delimiters and a command.
const fn encoded_len(message: ToDevice<'_>) -> usize {
    const LONGEST_SETTING: usize = 4;
    let data = match message {
        ToDevice::Data(frame) => frame.len(),
        ToDevice::Other(frame) => frame.data.len(),
        ToDevice::Detect
        | ToDevice::AskFirmware
        | ToDevice::AskPlatform
        | ToDevice::AskMcu
        | ToDevice::Set(_)
        | ToDevice::Leave
        | ToDevice::Reset => LONGEST_SETTING,
    };
    data.saturating_add(1).saturating_mul(2).saturating_add(2)
}
